"""What the owner of the bot decides: weights, thresholds, limits, costs. Frozen; every field is checked when
it is made, and what ``csrc/decide`` reads are its bytes.

On thresholds. Confidence here is a *calibrated* probability: that the direction is right, given a move.
Calibration makes it modest. For a forecaster whose log-odds are normal (equal variance), whose area under the
ROC curve is A, the share of moves on which confidence reaches a threshold is

    A       0.55    0.60    0.65    0.70
    0.55    26 %    2 %     0       0
    0.60    58 %    27 %    9 %     2 %
    0.70    80 %    61 %    44 %    29 %

(``tests/test_decide.py`` recomputes it). The threshold of 0.7 often asked for would silence an honest model
almost for ever; uncalibrated softmax scores pass it easily and mean nothing. So the default asks 0.55 to act
and keeps 0.70 as the line to STRONG. What prices a trade is the ``edge`` gate: expected gain at these stops
and targets, after costs, must be positive. With the default costs, a move in two of three cases and bars of 5
bps volatility, that is so from a confidence of 0.66; with bars of 8 bps from 0.60. Sources without a record
pull the pool towards a coin flip besides.

The presets ``Policy.preset("intelligence")`` (0.7) and ``("laboratory")`` (0.6) keep thresholds that were asked for.
By the table above a calibrated forecaster of AUC 0.60 reaches 0.6 on 27 % of the moves and 0.7 on 2 %, one of AUC
0.55 on 2 % and never. Ask for them where the models are that good, or where few and sure trades are what is
wanted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from smartcore._core import POLICY
from smartcore.decide.decision import Parts
from smartcore.decide.inputs import bits
from smartcore.decide.layout import reader
from smartcore.decide.words import MODELS, SOURCES, RegimeName, Voting

PRESETS: dict[str, Parts] = {
    "intelligence": Parts(SOURCES, (0.40, 0.30, 0.15, 0.15)),
    "laboratory": Parts(SOURCES, (0.4, 0.3, 0.1, 0.2)),
}
_ASKED: dict[str, dict[str, float]] = {
    "intelligence": {"min_confidence": 0.7, "strong_confidence": 0.8},
    "laboratory": {"min_confidence": 0.6, "strong_confidence": 0.7},
}
_REGIMES = tuple(name.value for name in RegimeName)
_UNITS = {"events": 0, "ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000}


@dataclass(frozen=True, slots=True)
class Policy:
    """Raises ValueError, naming field and value, where a value cannot be meant. Vary with
    ``dataclasses.replace``.
    """

    weights: Parts | Mapping[str, float] | str = "intelligence"
    """A preset's name, or weights by source; they must sum to 1. A source left out has weight 0."""
    every: str = "bar"
    """When a decision is due: "bar", "N events", or a least interval ("250ms", "1s")."""

    voting: str = "confidence_weighted"
    """How sources are made one; contributions sum to the score in each.

    "confidence_weighted": the linear pool: a source counts by its weight times its distance from a coin flip.
    "majority": each has its weight for its direction, however sure it is itself; how sure they are is the mean of all.
    One loud source cannot outvote two quiet ones.
    "stacked": the logarithmic pool: log-odds add up by weight. How sharp the sum shall be is learnt: the scorecard's
    slope of recalibration acts on just those log-odds (Satopaa et al. 2014, doi:10.1016/j.ijforecast.2013.09.009).

    Measured on simulated markets (``bench/voting.py``) the first and the last are alike and better than any source
    alone; the majority is a little less sharp.
    """

    min_confidence: float = 0.55
    strong_confidence: float = 0.70
    threshold_low: float | None = None
    threshold_high: float | None = None
    """How far outcomes may move ``min_confidence``: raised where confidence turned out too high, lowered where it
    was too modest. None: 0.05 below it and 0.15 above it.
    """
    volatile_raise: float = 0.02
    """Added to ``min_confidence`` while volatility is high."""
    min_quality: float = 0.45
    """Least quality score, 0 to 1; 0.45 is where FAIR begins."""
    min_weight: float = 0.40
    """Least weight of the sources that spoke: with the default, one sequence model alone may speak, votes
    alone may not.
    """
    min_edge_bps: float = 0.0
    vote_edge: float = 0.02
    """What a unanimous vote adds to the probability of its direction until the scorecard has measured it. On recorded
    bars neither source of votes was right more than 51 % of the time on every set, and structure was below 50 % on
    minutes (``bench/votes.py``): 0.02 is generous.
    """
    min_votes: int = 3
    """Fewer technical or structural votes than this and the source is missing."""
    regimes: tuple[str, ...] = _REGIMES
    """Names of regimes in which trades may be opened; in others the decision is HOLD. By default all, the unknown
    one too: that a regime is not known lowers quality already, and a set of features without the regime's columns
    would otherwise never trade.
    """

    max_age_s: float = 5.0
    max_scores_age_s: float = 5.0
    max_clock_skew_s: float = 2.5
    """Events stamped further than this after the receiver's clock: the clocks disagree by half of what data may be old,
    and no age can be believed.
    """
    max_frozen_s: float = 600.0
    """Longest time for which the price may stand still while events come; never less than ten usual bars."""
    max_silence: float = 100.0
    """Longest time without an event, in usual gaps between events."""
    max_duplicates: float = 0.5
    """Largest share of the last events that may have come twice. Trades are equal now and then, half of them are
    not.
    """
    max_jump: float = 8.0
    """Largest move of the last bar, in deviations by the bipower variation of the bars before it (Lee and Mykland
    2008). Of recorded minutes of BTC and SOL 0.05 and 0.09 % were larger.
    """
    max_outlier: float = 12.0
    """Largest distance of the price from its median of 100 bars, in median absolute deviations."""
    max_drift: float = 4.8
    """Largest sum of moves in one direction, by Page's cumulative sums over 100 bars: beyond it the drift has just
    changed. A bar on which the sum went beyond 5, where it starts anew, counts as 5; so 5 never stops anything. On
    0.9 % of recorded minutes of BTC and SOL it was beyond 4.8.
    """
    max_turbulence: float = 9.5
    """Largest sum of moves larger than usual, by the Page-Hinkley test over 100 bars: beyond it volatility is rising.
    Beyond 10 the sum starts anew, and that bar itself is not told apart from a calm one. On 0.07 % of those minutes.
    """
    max_novelty: float = 3.0
    """Largest distance of a row from a model's training inputs; 1 is that of the most distant 1 % of those."""
    min_health: float = 30.0
    """Least health of the process, 0 to 100."""
    max_latency_ms: float | None = None
    require_book: bool = False
    max_spread_bps: float = 20.0
    uncalibrated: frozenset[str] = frozenset()
    """Models whose probabilities are used although nobody calibrated them. Kelly on such numbers ruins: name
    them knowingly.
    """

    horizon: float = 20.0
    """Bars a position is meant to be held; below 1 for models that look seconds ahead. Of bars that end by the clock,
    its intervals: risk is that of the bars to be expected within them (``Context.filled``)."""
    stop_sigmas: float = 1.0
    target_sigmas: float = 1.5
    """Distances in standard deviations of the return over the horizon."""
    kelly_multiplier: float = 0.25
    shrinkage: float = 0.75
    """How much of the distance from a coin flip is believed for Kelly until the scorecard has measured it. Then
    the doubt that the length of the record leaves takes its share (Baker and McHale 2013).
    """
    max_position: float = 0.25
    """Position value as a fraction of equity; above 1 is leverage."""
    max_drawdown: float = 0.20
    drawdown_share: float = 0.10
    """Largest part of what is left of the drawdown budget that one stopped-out trade may cost."""
    max_var: float = 0.02
    """Largest 99 % VaR of the position over the horizon, as a fraction of equity."""
    max_correlated: float | None = None
    """Largest value of the position and those in instruments that move with this one, over equity; None: no limit."""
    target_volatility: float | None = None
    """Largest deviation of the position's result over the horizon, as a fraction of equity; None: no limit."""
    max_contracts: float = 5.0

    fee_bps: float = 2.0
    """Fee of one side where the instrument does not say."""
    spread_bps: float = 2.0
    """Spread assumed where no book is known."""
    slippage_quantile: float = 0.90
    alpha_half_life: float | None = None
    """Bars after which half of the edge is gone; None is half the horizon."""
    participation: float = 0.25
    """Largest part of the size at the touch that one slice takes."""
    max_slices: int = 20
    risk_aversion: float = 1.0
    """Of trading cost against the variance of waiting; 0 waits as long as it may."""
    impact: float = 1.0
    """Y of the square-root law: impact in units of volatility x sqrt(size / volume)."""

    half_life: float = field(init=False, repr=False, compare=False)
    events: int = field(init=False, repr=False, compare=False)
    interval_ns: int = field(init=False, repr=False, compare=False)
    parts: Parts = field(init=False, repr=False, compare=False)
    raw: bytes = field(init=False, repr=False, compare=False)
    """Bytes of dtype ``smartcore._core.POLICY``."""

    def __post_init__(self) -> None:
        def store(name: str, value: object) -> None:
            object.__setattr__(self, name, value)

        parts = _weights(self.weights)
        store("parts", parts)
        store("weights", parts)
        if isinstance(self.uncalibrated, str):
            raise ValueError(f"uncalibrated: a set of sources, not the string {self.uncalibrated!r}")
        store("uncalibrated", frozenset(self.uncalibrated))
        for name in self.uncalibrated:
            if name not in MODELS:
                raise ValueError(f"uncalibrated: unknown model {name!r}; known: {', '.join(MODELS)}")
        for names, low, high in _RANGES:
            for name in names:
                _check(name, getattr(self, name), low, high)
        for name in ("min_votes", "max_slices"):
            if not isinstance(getattr(self, name), int):
                raise ValueError(f"{name}: {getattr(self, name)!r} is not a whole number")
        if self.strong_confidence < self.min_confidence:
            raise ValueError(
                f"strong_confidence: {self.strong_confidence!r} < min_confidence {self.min_confidence!r}"
            )
        for name, least, most in _OPTIONAL:
            if getattr(self, name) is not None:
                _check(name, getattr(self, name), least, most)
        store("half_life", self.horizon / 2 if self.alpha_half_life is None else self.alpha_half_life)
        events, interval = _cadence(self.every)
        store("events", events)
        store("interval_ns", interval)
        if self.voting not in tuple(Voting):
            raise ValueError(f"voting: unknown {self.voting!r}; known: {', '.join(Voting)}")
        store("regimes", _names(self.regimes))
        asked = self.min_confidence
        low = max(0.5, asked - 0.05) if self.threshold_low is None else self.threshold_low
        high = min(1.0, asked + 0.15) if self.threshold_high is None else self.threshold_high
        if not low <= asked <= high:
            raise ValueError(
                f"threshold_low {low!r}, min_confidence {asked!r}, threshold_high {high!r}: out of order"
            )
        store("raw", self._pack(low, high))

    def _pack(self, low: float, high: float) -> bytes:
        made: dict[str, Any] = {
            "threshold_low": low, "threshold_high": high, "uncalibrated": bits(self.uncalibrated, MODELS),
            "regimes": bits(self.regimes, _REGIMES), "voting": tuple(Voting).index(Voting(self.voting)),
        }  # fmt: skip
        values: list[Any] = []
        for name in POLICY.names or ():
            value = made[name] if name in made else getattr(self, name)
            if name == "weights":
                values += self.parts.numbers
            else:
                values.append(math.inf if value is None else value)  # None: no limit
        return _RECORD.pack(*values)

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Policy:
        """The policy "intelligence" (weights 0.40/0.30/0.15/0.15, threshold 0.7) or "laboratory"
        (0.4/0.3/0.1/0.2, 0.6), with ``changes``. Raises ValueError for another name.
        """
        if name not in _ASKED:
            raise ValueError(f"preset: unknown {name!r}; known: {', '.join(_ASKED)}")
        return cls(**({"weights": name} | _ASKED[name] | changes))

    def due(self, events: int, elapsed_ns: int, bar_closed: bool) -> bool:
        """Whether a decision is due, ``events`` and ``elapsed_ns`` after the last one."""
        if self.events:
            return events >= self.events
        if self.interval_ns:
            return elapsed_ns >= self.interval_ns
        return bar_closed


_RANGES: tuple[tuple[tuple[str, ...], float, float], ...] = (
    (("min_confidence", "strong_confidence"), 0.5, 1.0),
    (("volatile_raise", "vote_edge"), 0.0, 0.5),
    (("min_quality", "min_weight", "shrinkage", "kelly_multiplier"), 0.0, 1.0),
    (("drawdown_share", "max_duplicates"), 0.0, 1.0),
    (("min_edge_bps",), -1e4, 1e4),
    (("max_age_s", "max_scores_age_s", "max_clock_skew_s", "max_frozen_s", "max_silence"), 0.0, 1e9),
    (("max_jump", "max_outlier", "max_drift", "max_turbulence", "max_novelty"), 0.0, 1e9),
    (("min_health",), 0.0, 100.0),
    (("max_spread_bps", "spread_bps"), 0.0, 1e4),
    (("fee_bps",), -100.0, 1e4),
    (("horizon",), 1e-6, 1e6),
    (("stop_sigmas", "target_sigmas"), 0.01, 100.0),
    (("max_position",), 0.0, 1000.0),
    (("max_drawdown", "max_var"), 1e-6, 1.0),
    (("max_contracts",), 0.0, 1e12),
    (("slippage_quantile",), 0.5, 0.9999),
    (("participation",), 1e-6, 1.0),
    (("min_votes", "max_slices"), 1, 1000),
    (("risk_aversion",), 0.0, 1e9),
    (("impact",), 0.0, 100.0),
)
_OPTIONAL: tuple[tuple[str, float, float], ...] = (
    ("threshold_low", 0.5, 1.0), ("threshold_high", 0.5, 1.0), ("max_latency_ms", 0.0, 1e12),
    ("alpha_half_life", 1e-9, 1e12), ("max_correlated", 0.0, 1000.0), ("target_volatility", 1e-6, 10.0),
)  # fmt: skip
_RECORD, _ = reader(POLICY, POLICY.names or (), whole=True)


def _check(name: str, value: object, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ValueError(f"{name}: {value!r} is not a number from {low:g} to {high:g}")


def _weights(weights: Parts | Mapping[str, float] | str) -> Parts:
    if isinstance(weights, str):
        if weights not in PRESETS:
            raise ValueError(f"weights: unknown preset {weights!r}; known: {', '.join(PRESETS)}")
        return PRESETS[weights]
    for name, weight in weights.items():
        if name not in SOURCES:
            raise ValueError(f"weights: unknown source {name!r}; known: {', '.join(SOURCES)}")
        _check(f"weights[{name!r}]", weight, 0.0, 1.0)
    total = math.fsum(weights.values())
    if abs(total - 1) > 1e-9:
        raise ValueError(f"weights: sum to {total!r}, not 1")
    return Parts(SOURCES, (float(weights.get(name, 0.0)) for name in SOURCES))


def _names(regimes: Any) -> tuple[str, ...]:
    """In the order of RegimeName, so that equal sets are equal policies."""
    if isinstance(regimes, str):
        raise ValueError(f"regimes: a set of names, not the string {regimes!r}")
    wanted = {str(name) for name in regimes}
    for name in wanted:
        if name not in _REGIMES:
            raise ValueError(f"regimes: unknown {name!r}; known: {', '.join(_REGIMES)}")
    return tuple(name for name in _REGIMES if name in wanted)


def _cadence(every: str) -> tuple[int, int]:
    """(events, nanoseconds); both 0 for "bar"."""
    if every == "bar":
        return 0, 0
    digits = every.rstrip("abcdefghijklmnopqrstuvwxyz ")
    unit = every[len(digits) :].strip()
    if digits.isdecimal() and int(digits) > 0 and unit in _UNITS:
        return (int(digits), 0) if unit == "events" else (0, int(digits) * _UNITS[unit])
    raise ValueError(f'every: {every!r} is none of "bar", "100 events", "250ms" (units: {", ".join(_UNITS)})')


__all__ = ["MODELS", "PRESETS", "SOURCES", "Policy"]
assert {name for names, _, _ in _RANGES for name in names} <= {f.name for f in fields(Policy)}
assert set(POLICY.names or ()) <= {f.name for f in fields(Policy)}
