"""How good past numbers turned out: calls by source, regime and horizon, VaR, slippage, regime switches. Kept
outside ``decide()``, which is given a frozen snapshot: :class:`Scores`.

Only what has come to pass is recorded, so nothing here looks ahead. Older calls count less: the weight of a
call halves with every ``half_life`` later ones. Horizons overlap: a call a bar on what comes within 20 bars is
20 times nearly the same news, so a call weighs the part of its horizon that no earlier one covered, and every
count is in whole horizons. Breaches of VaR are counted of horizons that do not overlap, and never fade: the
p-values want whole counts.

The record is the bytes of one ``smartcore._core.SCORECARD``; the arithmetic is in csrc/decide/scorecard.cpp.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from smartcore._core import (
    CONFIDENCE_EDGES,
    HALF_LIFE,
    HORIZON_FACTORS,
    SCORECARD,
    TRACK,
    _card_calibrated,
    _card_loss,
    _card_observe,
    _card_regime,
    _card_slippage,
    _card_track,
    _card_update,
    _card_weights,
    _tally_believed,
)
from smartcore.decide.decision import Decision, Parts
from smartcore.decide.words import RegimeName

FUSED = "fused"
"""The record of the decision itself."""
PRIOR = 100.0
"""Calls after which the record weighs as much as the prior belief."""
NO_SKILL = 2.0 / 3.0
"""Brier score of answering 1/3 to each of three classes."""
SHRINKAGE = 0.75
"""How much of a stated distance from a coin flip is believed where no policy says so."""

_SOURCES = ("sequence", "ensemble", "smart_money", "technical", FUSED)
_LEVELS = {"var_95": 0.05, "var_99": 0.01}


@dataclass(frozen=True, slots=True)
class Score:
    """One faded record of calls.

    ``count``: effective number of calls, in whole horizons; ``moves``: of those, with a direction called and a
    price that moved; ``hit_rate``: share of these with the right direction (0.5 where there are none);
    ``confidence``: the mean confidence stated for them; ``brier``: mean squared error over (down, flat, up), 0
    best, 2/3 for 1/3 each.
    """

    count: float = 0.0
    moves: float = 0.0
    hit_rate: float = 0.5
    confidence: float = 0.5
    brier: float = NO_SKILL

    @property
    def trust(self) -> float:
        """0 with no record, towards 1 with a long one."""
        return self._believed(SHRINKAGE)[0]

    @property
    def multiplier(self) -> float:
        """What a weight is multiplied by: 1 without a record or at a hit rate of 0.55, near 0 for a coin flip; at
        most 3.
        """
        return self._believed(SHRINKAGE)[1]

    def reliability(self, prior: float) -> float:
        """How much of a stated distance from a coin flip was earned, 0 to 1; ``prior`` without a record."""
        return self._believed(prior)[2]

    def _believed(self, prior: float) -> tuple[float, float, float, float]:
        hits, stated = self.hit_rate * self.moves, self.confidence * self.moves
        return _tally_believed(self.count, self.moves, hits, stated, self.brier * self.count, prior)


EMPTY = Score()


class Bin(NamedTuple):
    """One row of a reliability table: calls whose confidence lay between ``low`` and ``high``."""

    low: float
    high: float
    moves: float
    """Calls with a direction and a price that moved, faded."""
    stated: float
    hit_rate: float


class Coverage(NamedTuple):
    """Breaches of a VaR level, of horizons that do not overlap; p-values are NaN where there are none."""

    calls: int
    breaches: int
    expected: float
    kupiec_p: float
    """That breaches come at the stated rate."""
    christoffersen_p: float
    """That they come independently of each other."""


class Slippage(NamedTuple):
    """Faded. ``coverage``: share within the tolerance; errors are realised minus predicted, bps."""

    calls: float
    coverage: float
    mean_error_bps: float
    root_mean_square_bps: float


class Switches(NamedTuple):
    """Calls of ``Regime.switch_probability`` at the next bar, faded: its Brier score, and how often the regime stayed
    beside how often it was said to.
    """

    calls: float
    brier: float
    stayed: float
    said: float


class Scores:
    """A frozen snapshot of a :class:`Scorecard`. ``str()`` is a table."""

    __slots__ = ("_card", "raw")
    _card: NDArray[np.void]
    raw: bytes
    """One ``SCORECARD``."""

    def __init__(self, raw: bytes | None = None) -> None:
        size = SCORECARD.itemsize
        raw = bytes(size) if raw is None else bytes(raw)
        if len(raw) != size:
            raise ValueError(f"raw: {len(raw)} bytes are not one SCORECARD of {size}")
        object.__setattr__(self, "_card", np.frombuffer(raw, SCORECARD))
        object.__setattr__(self, "raw", raw)

    @classmethod
    def of(cls, by_source: Mapping[str, Score] | Sequence[tuple[str, Score]]) -> Scores:
        """Records of sources alone."""
        card = np.zeros(1, SCORECARD)
        for name, s in dict(by_source).items():
            record = (s.count, s.moves, s.hit_rate * s.moves, s.confidence * s.moves, s.brier * s.count)
            card["by_source"][0, _index(name)] = record
        return cls(card.tobytes())

    @property
    def by_source(self) -> tuple[tuple[str, Score], ...]:
        """(source, record) of those that called, by name; "fused" is the decision itself."""
        return tuple(sorted((name, s) for name, s in zip(_SOURCES, self._tallies("by_source"), strict=True) if s.count))

    @property
    def by_regime(self) -> dict[str, Score]:
        """Records of the decision's calls, by the regime they were made in."""
        names = [name.value for name in RegimeName]
        return {name: s for name, s in zip(names, self._tallies("by_regime"), strict=True) if s.count}

    @property
    def by_horizon(self) -> dict[float, Score]:
        """Records of the decision's calls, by when they were looked at: 1 is their own horizon, 4 four times it."""
        found = sorted(zip(HORIZON_FACTORS, self._tallies("by_horizon"), strict=True))
        return {factor: s for factor, s in found if s.count}

    def get(self, source: str) -> Score:
        """The record of a source, an empty one where there is none."""
        return _score(self._card["by_source"][0, _SOURCES.index(source)]) if source in _SOURCES else EMPTY

    def weights(self, base: Parts) -> Parts:
        """``base`` moved by the records and normalised to the same total."""
        known = [float(base.get(source, 0.0)) for source in _SOURCES[:-1]]
        moved = dict(zip(_SOURCES, _card_weights(self.raw, known), strict=False))
        return Parts(base, [moved.get(source, weight) for source, weight in base.items()])

    def calibrated(self, confidence: float) -> float:
        """This confidence as past ones turned out."""
        return float(_card_calibrated(self.raw, confidence))

    def reliability(self, raw: bool = False) -> tuple[Bin, ...]:
        """The reliability table of the fused confidence as it was stated, or ``raw``: before recalibration."""
        bins, edges = self._card["raw" if raw else "fused"][0], (*CONFIDENCE_EDGES, 1.0)
        out = []
        for i, (n, hits, stated) in enumerate(zip(bins["moves"], bins["hits"], bins["stated"], strict=True)):
            if n > 1e-9:
                low = max(0.5, float(edges[i]))
                out.append(Bin(low, float(edges[i + 1]), float(n), float(stated / n), float(hits / n)))
        return tuple(out)

    @property
    def coverage(self) -> dict[str, Coverage]:
        """Breaches by level: "var_95" and "var_99"."""
        out = {}
        for name, level in _LEVELS.items():
            b = self._card[name][0]
            n = float(b["count"])
            p = (float(b["kupiec"]), float(b["christoffersen"])) if n else (math.nan, math.nan)
            out[name] = Coverage(int(n), int(b["breaches"]), level * n, *p)
        return out

    @property
    def slippage(self) -> Slippage:
        """How predicted slippage turned out."""
        n, covered, error, square = (
            float(self._card[f"slippage_{name}"][0]) for name in ("count", "covered", "error", "error2")
        )
        return Slippage(n, covered / n, error / n, math.sqrt(square / n)) if n else Slippage(0.0, *[math.nan] * 3)

    @property
    def switches(self) -> Switches:
        """How the probability of a switch of regime turned out."""
        n, brier, stays, said = (
            float(self._card[f"regime_{name}"][0]) for name in ("count", "brier", "stays", "said")
        )
        return Switches(n, brier / n, stays / n, said / n) if n else Switches(0.0, *[math.nan] * 3)

    @property
    def attribution(self) -> Parts:
        """What each source added to the result, bps, faded: its contribution to the score times the move that came.
        Their sum is what the fused score earned.
        """
        return Parts(_SOURCES[:-1], self._card["added"][0].tolist())

    def track(self, prior: float = SHRINKAGE) -> dict[str, float]:
        """The running scores as a decision shows them; NaN where nothing is known."""
        track = np.frombuffer(_card_track(self.raw, prior), TRACK)[0]
        return {name: float(track[name]) for name in track.dtype.names}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; None where nothing is known."""
        out: dict[str, Any] = {
            "calls": int(self._card["calls"][0]),
            "track": self.track(),
            "by_source": {name: asdict(s) for name, s in self.by_source},
            "by_regime": {name: asdict(s) for name, s in self.by_regime.items()},
            "by_horizon": {f"{factor:g}": asdict(s) for factor, s in self.by_horizon.items()},
            "reliability": [b._asdict() for b in self.reliability()],
            "reliability_raw": [b._asdict() for b in self.reliability(raw=True)],
            "coverage": {name: c._asdict() for name, c in self.coverage.items()},
            "slippage": self.slippage._asdict(),
            "switches": self.switches._asdict(),
            "attribution_bps": dict(self.attribution),
        }
        plain: dict[str, Any] = _plain(out)
        return plain

    def _tallies(self, name: str) -> list[Score]:
        return [_score(t) for t in self._card[name][0]]

    def __eq__(self, other: object) -> bool:
        return self.raw == other.raw if isinstance(other, Scores) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.raw)

    def __reduce__(self) -> tuple[Any, ...]:
        return Scores, (self.raw,)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"cannot assign to {name!r}: Scores are frozen")

    def __repr__(self) -> str:
        fused = self.get(FUSED)
        return f"<Scores: {fused.count:.3g} calls, hit rate {fused.hit_rate:.3f} of {fused.confidence:.3f} stated>"

    def __str__(self) -> str:
        t = self.track()
        lines = [f"{'':24}{'calls':>8}{'moves':>8}{'hits':>8}{'stated':>8}{'Brier':>8}{'added bps':>11}"]
        added = self.attribution
        rows = [(name, s, added.get(name)) for name, s in self.by_source]
        rows += [(f"in {name}", s, None) for name, s in self.by_regime.items()]
        rows += [(f"after {factor:g} horizons", s, None) for factor, s in self.by_horizon.items() if factor != 1]
        for name, s, bps in rows:
            line = f"{name:24}{s.count:8.1f}{s.moves:8.1f}{s.hit_rate:8.3f}{s.confidence:8.3f}{s.brier:8.3f}"
            lines.append(line + ("" if bps is None else f"{bps:11.2f}"))
        lines.append(
            f"calibration error {t['ece']:.3f} (a perfect forecaster: {t['ece_floor']:.3f}), "
            f"reliability {t['reliability']:.2f}, recalibration slope {t['slope']:.2f}"
        )
        lines += [f"  said {b.stated:.3f}: right {b.hit_rate:.3f} of {b.moves:.1f}" for b in self.reliability()]
        for name, c in self.coverage.items():
            lines.append(
                f"{name}: {c.breaches} breaches of {c.calls}, {c.expected:.1f} expected "
                f"(Kupiec p {c.kupiec_p:.3f}, Christoffersen p {c.christoffersen_p:.3f})"
            )
        if self.slippage.calls:
            calls, within, error, _ = self.slippage
            lines.append(f"slippage within tolerance {within:.1%} of {calls:.1f}, off by {error:+.3f} bps")
        if self.switches.calls:
            w = self.switches
            lines.append(f"regime stayed {w.stayed:.1%}, said {w.said:.1%} of {w.calls:.1f} bars (Brier {w.brier:.4f})")
        return "\n".join(lines)


class Scorecard:
    """The record that grows. Mutable, small, not for two threads at once.

    half_life: calls (of whole horizons) after which one counts half.
    memory: an array of one ``SCORECARD`` to work on, such as a bot's own; its half-life stands.
    """

    __slots__ = ("_card",)
    _card: NDArray[np.void]

    def __init__(self, half_life: float = 500.0, *, memory: NDArray[np.void] | None = None) -> None:
        if not half_life > 0:
            raise ValueError(f"half_life: {half_life!r} is not positive")
        if memory is None:
            memory = np.zeros(1, SCORECARD)
            memory["half_life"] = half_life
        elif memory.dtype != SCORECARD or memory.size != 1:
            raise ValueError(f"memory: {memory.size} of {memory.dtype} is not one SCORECARD")
        self._card = memory

    @property
    def half_life(self) -> float:
        """Calls after which one counts half."""
        return float(self._card["half_life"].item()) or float(HALF_LIFE)

    def update(self, source: str, forecast: Sequence[float], outcome: int, weight: float = 1.0) -> None:
        """One call by ``source``, ``forecast`` = (down, flat, up), and what came: -1, 0 or +1.

        weight: the part of its horizon that no earlier call covered, above 0 and at most 1.
        """
        _check_outcome(outcome)
        down, flat, up = (float(p) for p in forecast)
        if not (min(down, flat, up) >= 0.0 and abs(down + flat + up - 1.0) < 1e-3):
            raise ValueError(f"forecast: {(down, flat, up)!r} are not three probabilities")
        if not 0.0 < weight <= 1.0:
            raise ValueError(f"weight: {weight!r} is not above 0 and at most 1")
        _card_update(self._card, _index(source), down, flat, up, outcome, weight)

    def observe(
        self, decision: Decision, outcome: int, move: float = 0.0, horizon_ns: int = 0, horizon: int = 0
    ) -> None:
        """A past decision, once its horizon is over: its sources and the fused call are recorded.

        outcome: -1, 0 or +1 by the label's rule; move: ln of the price after over the price before.
        horizon_ns: from the call to the outcome; 0: calls do not overlap. In the order of the calls.
        horizon: index of ``HORIZON_FACTORS``; others than 0 fill ``by_horizon`` alone.

        The move probability of a single source is not in the decision; the fused one stands in for it.
        """
        _check_outcome(outcome)
        _card_observe(self._card, decision.raw, outcome, move, horizon_ns, horizon)

    def loss(self, decision: Decision, change: float, horizon_ns: int) -> None:
        """The decision's VaR against the change of price over the policy's horizon, a fraction of the price."""
        _card_loss(self._card, decision.raw, change, horizon_ns)

    def slippage(self, decision: Decision, bps: float) -> None:
        """The decision's predicted slippage against what walking the book cost when the order would have arrived."""
        _card_slippage(self._card, decision.raw, bps)

    def regime(self, before: Decision, after: Decision) -> None:
        """The regimes of two decisions of consecutive bars."""
        _card_regime(self._card, before.raw, after.raw)

    def scores(self) -> Scores:
        """The frozen snapshot that ``decide()`` takes."""
        return Scores(self._card.tobytes())

    def weights(self, base: Parts | Mapping[str, float]) -> Parts:
        """``base`` weights moved by the records so far."""
        return self.scores().weights(base if isinstance(base, Parts) else Parts(base, base.values()))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, as :meth:`Scores.to_dict`."""
        return self.scores().to_dict()

    def snapshot(self) -> bytes:
        """All of it."""
        return self._card.tobytes()

    @classmethod
    def restore(cls, blob: bytes) -> Scorecard:
        """Of what :meth:`snapshot` gave; ValueError for anything else."""
        if len(blob) != SCORECARD.itemsize:
            raise ValueError(f"blob: {len(blob)} bytes are not one SCORECARD of {SCORECARD.itemsize}")
        return cls(memory=np.frombuffer(bytearray(blob), SCORECARD))

    def __eq__(self, other: object) -> bool:
        return self.snapshot() == other.snapshot() if isinstance(other, Scorecard) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return Scorecard.restore, (self.snapshot(),)

    def __str__(self) -> str:
        return str(self.scores())

    def __repr__(self) -> str:
        return repr(self.scores()).replace("Scores", "Scorecard")


def _index(source: str) -> int:
    if source not in _SOURCES:
        raise ValueError(f"source: {source!r} is none of {', '.join(_SOURCES)}")
    return _SOURCES.index(source)


def _check_outcome(outcome: int) -> None:
    if outcome not in (-1, 0, 1):
        raise ValueError(f"outcome: {outcome!r} is none of -1, 0, 1")


def _score(tally: Any) -> Score:
    count, moves, hits, stated, brier = (float(x) for x in tally)
    hit_rate, confidence = (hits / moves, stated / moves) if moves > 1e-12 else (0.5, 0.5)
    return Score(count, moves, hit_rate, confidence, brier / count if count > 1e-12 else NO_SKILL)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
