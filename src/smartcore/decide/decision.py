"""What ``decide()`` returns: frozen records that say what to do, how sure, why, and what stopped it.

A :class:`Decision` is a view over the bytes that ``csrc/decide`` filled in; what is in it is made when asked for.
A number that is not known is ``None``, never NaN. Distances, VaR and sizes are fractions (0.01 is one percent)
unless the name carries a unit (``_bps``, ``_pct``, ``_minutes``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Generic, NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray

from smartcore._core import DECISION
from smartcore.decide.layout import reader
from smartcore.decide.notes import GATES, NOTES, detail, sentence
from smartcore.decide.words import (
    SOURCES,
    Bound,
    Condition,
    EntryMethod,
    Mode,
    Quality,
    RegimeName,
    RiskLevel,
    Schedule,
    Signal,
    Timing,
    Trend,
    Urgency,
    Volatility,
    Volume,
)


class Parts(Mapping[str, float]):
    """An immutable, hashable, ordered mapping of names to numbers: weights, contributions, probabilities."""

    __slots__ = ("_names", "_numbers")
    _names: tuple[str, ...]
    _numbers: tuple[float, ...]

    def __init__(self, names: Iterable[str] = (), numbers: Iterable[float] = ()) -> None:
        object.__setattr__(self, "_names", tuple(names))
        object.__setattr__(self, "_numbers", tuple(numbers))
        if len(self._names) != len(self._numbers):
            raise ValueError(f"{len(self._names)} names for {len(self._numbers)} numbers")

    @property
    def numbers(self) -> tuple[float, ...]:
        """The numbers alone, in order."""
        return self._numbers

    def __getitem__(self, name: str) -> float:
        try:
            return self._numbers[self._names.index(name)]
        except ValueError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __hash__(self) -> int:
        return hash(frozenset(zip(self._names, self._numbers, strict=True)))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"cannot assign to {name!r}: Parts are frozen")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"cannot delete {name!r}: Parts are frozen")

    def __reduce__(self) -> tuple[Any, ...]:
        return Parts, (self._names, self._numbers)

    def __repr__(self) -> str:
        return f"Parts({dict(self)})"


@dataclass(frozen=True, slots=True)
class Regime:
    """The market as the engine's columns ``market_regime`` have it.

    ``probabilities`` cover the seven names and sum to 1, each 1/7 where the name is UNKNOWN. ``age`` counts bars since
    ``name`` last changed; ``switch_probability`` is that of another regime at the next bar.
    """

    probabilities: Parts
    switch_probability: float
    age: int
    name: RegimeName
    volatility: Volatility
    trend: Trend
    volume: Volume
    condition: Condition


@dataclass(frozen=True, slots=True)
class Risk:
    """What may be lost over the policy's horizon, and how much to hold: all fractions, None where not known.

    ``var_*`` and ``es_*``: loss per unit of position value, of the side leant to (of a long position where there
    is none). ``max_adverse_excursion``, ``max_favourable_excursion``: 95 % quantiles of the worst loss and of the
    best gain on the way, per unit of position value.
    ``kelly_fraction``: fraction of equity to put at risk at the stop, full Kelly on ``believed``, the shrunk
    probability, before the policy's multiplier; negative odds give 0.
    ``risk_adjusted_position_size``: position value as a fraction of equity after all caps: the *target*, not the order.
    ``contracts``: the same in contracts, whole lots, unsigned; None where equity is unknown.
    ``bound``: what set the size.
    """

    var_95: float | None
    var_99: float | None
    es_95: float | None
    es_99: float | None
    max_adverse_excursion: float | None
    max_favourable_excursion: float | None
    kelly_fraction: float | None
    believed: float
    risk_adjusted_position_size: float
    contracts: float | None
    stop_distance: float | None
    target_distance: float | None
    reward_to_risk: float | None
    expected_edge_bps: float | None
    bound: Bound
    risk_level: RiskLevel


@dataclass(frozen=True, slots=True)
class Execution:
    """How to enter.

    ``expected_cost_bps``: mean cost of getting in, fees included, of one side. ``slippage_bps``: its predicted slippage
    against the mid, of which ``impact_bps`` is that of earlier slices on later ones; ``slippage_tolerance_bps``: the
    quantile ``quantile`` of what one slice of ``slice`` contracts slips.
    ``reservation_price``: of Avellaneda and Stoikov; ``limit_price``: where a limit or passive order goes;
    ``kappa``: how fast to trade by Almgren and Chriss, 1/s, 0 evenly; ``participation``: share of the market's
    volume, of a schedule by volume. None where not known or not meant.
    """

    expected_cost_bps: float
    slippage_bps: float
    slippage_tolerance_bps: float
    impact_bps: float
    quantile: float
    slice: float | None
    max_execution_time_minutes: float
    reservation_price: float | None
    limit_price: float | None
    kappa: float | None
    participation: float | None
    slices: int
    entry_method: EntryMethod
    execution_urgency: Urgency
    recommended_timing: Timing
    schedule: Schedule

    @property
    def slippage_tolerance_pct(self) -> float:
        """``slippage_tolerance_bps`` in percent of price, fees not included."""
        return self.slippage_tolerance_bps / 100.0


@dataclass(frozen=True, slots=True)
class Track:
    """How past numbers of this bot turned out when the decision was made, as far as outcomes were known; None:
    none were.

    ``calls``, ``hit_rate``, ``stated`` (mean confidence), ``brier``, ``ece`` (beside ``ece_floor``, what a perfectly
    calibrated forecaster would show): of the fused confidence, older calls counting less. ``slope``: of
    recalibration on log-odds, 1 none. ``reliability``: 0 to 1, what confidence is shrunk by for sizing.
    ``var_95_breaches`` and the rest: counted over horizons that do not overlap, with Kupiec's and
    Christoffersen's p-values; ``caution``: what VaR and ES are multiplied by for too many of them.
    ``slippage_coverage``: share of fills within the tolerance; ``regime_brier``: of the switch probability.
    """

    calls: float
    hit_rate: float | None
    stated: float | None
    brier: float | None
    ece: float | None
    reliability: float | None
    var_95_breaches: float
    var_95_expected: float
    var_95_p: float | None
    var_99_breaches: float
    var_99_expected: float
    var_99_p: float | None
    slippage_calls: float
    slippage_coverage: float | None
    regime_calls: float
    regime_brier: float | None
    ece_floor: float | None
    var_95_independence_p: float | None
    var_99_independence_p: float | None
    caution: float
    slope: float

    @property
    def text(self) -> str:
        """In one line."""
        if self.hit_rate is None or self.stated is None or self.ece is None:
            return "of past calls: none is known yet"
        said = f"of {self.calls:.0f} calls: right {self.hit_rate:.1%} where {self.stated:.1%} was stated"
        said += f" (ECE {self.ece:.3f})"
        if self.var_95_p is not None:
            n, most, p = self.var_95_breaches, self.var_95_expected, self.var_95_p
            said += f"; VaR95 breached {n:.0f} times, {most:.1f} expected (p {p:.2f})"
        if self.slippage_coverage is not None:
            said += f"; slippage within tolerance {self.slippage_coverage:.1%}"
        return said


@dataclass(frozen=True, slots=True)
class Reason:
    """One gate: what was measured, what was asked, by how much it passed (margin >= 0) or failed (< 0).

    ``value`` and ``margin`` are None where the thing itself is not known. ``note`` says why where the numbers alone do
    not; ``a``, ``b`` and ``bits`` are its numbers, and ``detail`` its words.
    """

    gate: str
    value: float | None
    limit: float | None
    margin: float | None
    passed: bool
    note: str = "none"
    a: float = 0.0
    b: float = 0.0
    bits: int = 0

    @property
    def detail(self) -> str:
        """Names and causes in words, empty where there is nothing to add."""
        return detail(self.note, self.a, self.b, self.bits)

    @property
    def text(self) -> str:
        """The gate as a sentence, formatted when asked for."""
        return sentence(self.gate, self.value, self.limit, self.margin, self.passed, self.detail)


def _known(x: float) -> float | None:
    return x if x == x else None


Part = TypeVar("Part", Regime, Risk, Execution, Track)


class _Reader(Generic[Part]):
    """Makes one of the nested records from a decision's bytes, and writes it back.

    kind: its class, whose fields are those of the dtype but for ``names``: Python's to the record's.
    """

    def __init__(self, kind: type[Part], place: str, names: Mapping[str, str] | None = None,
                 made: Mapping[str, Callable[[Any], Any]] | None = None) -> None:
        self.kind: Callable[..., Part] = kind
        self.place = place
        self.names = {f.name: (names or {}).get(f.name, f.name) for f in fields(kind)}
        dtype, offset = DECISION.fields[place][:2]  # type: ignore[index]
        self.struct, widths = reader(dtype, self.names.values(), offset)
        self.made = [(made or {}).get(name) or (_ENUMS[name].__getitem__ if name in _ENUMS else _known)
                     for name in self.names]
        assert all(n == 1 for n in widths[1:]) and set(self.names.values()) == set(dtype.names or ())
        self.wide = widths[0]  # the regime's probabilities, which come first

    def read(self, data: bytes) -> Part:
        values: Any = self.struct.unpack_from(data)
        if self.wide > 1:
            values = (values[: self.wide], *values[self.wide :])
        return self.kind(*[make(x) for make, x in zip(self.made, values, strict=True)])

    def write(self, plain: Mapping[str, Any], to: NDArray[np.void]) -> None:
        record = to[self.place]
        for name, there in self.names.items():
            record[there] = _number(name, plain[name])


_ENUMS: dict[str, tuple[Any, ...]] = {
    "name": tuple(RegimeName), "volatility": tuple(Volatility), "trend": tuple(Trend), "volume": tuple(Volume),
    "condition": tuple(Condition), "bound": tuple(Bound), "risk_level": tuple(RiskLevel),
    "entry_method": tuple(EntryMethod), "execution_urgency": tuple(Urgency), "recommended_timing": tuple(Timing),
    "schedule": tuple(Schedule), "signal": tuple(Signal), "quality": tuple(Quality), "mode": tuple(Mode),
}  # fmt: skip
_REGIMES = tuple(name.value for name in RegimeName)[:7]


def _number(name: str, value: Any) -> Any:
    """As it stands in a record."""
    if isinstance(value, Mapping):
        return list(value.values())
    if name in _ENUMS:
        return _ENUMS[name].index(value)
    return np.nan if value is None else value


_REGIME = _Reader(Regime, "regime", made={"probabilities": lambda p: Parts(_REGIMES, p), "age": int})
_RISK = _Reader(Risk, "risk", {
    "max_adverse_excursion": "adverse_excursion", "max_favourable_excursion": "favourable_excursion",
    "kelly_fraction": "kelly", "risk_adjusted_position_size": "size", "stop_distance": "stop",
    "target_distance": "target", "expected_edge_bps": "edge_bps", "risk_level": "level",
})  # fmt: skip
_EXECUTION = _Reader(Execution, "execution", {
    "max_execution_time_minutes": "max_minutes", "entry_method": "method", "execution_urgency": "urgency",
    "recommended_timing": "timing",
})  # fmt: skip
_TRACK = _Reader(Track, "track")

_REASON = reader(DECISION["reasons"].base, ("value", "limit", "margin", "a", "b", "bits", "note", "gate", "passed"))[0]
_REASONS = DECISION.fields["reasons"][1]  # type: ignore[index]
_GATES = tuple(GATES)
_SIZE = DECISION.itemsize


def _at(*names: str) -> Callable[[bytes], tuple[Any, ...]]:
    """What reads these fields of a decision's bytes."""
    return reader(DECISION, names)[0].unpack_from


_TS, _AS_OF, _AGE, _LATENCY, _SEQUENCE = _at("ts"), _at("as_of"), _at("age_ns"), _at("latency_ns"), _at("sequence")
_PRICE, _CONFIDENCE, _RAW, _SCORE = _at("price"), _at("confidence"), _at("raw_confidence"), _at("score")
_QUALITY_SCORE, _OVERALL, _THRESHOLD = _at("quality_score"), _at("overall"), _at("threshold")
_PROBABILITIES, _CONTRIBUTIONS, _WEIGHTS = _at("probabilities"), _at("contributions"), _at("weights")
_COUNT, _SIGNAL, _QUALITY, _MODE = _at("count"), _at("signal"), _at("quality"), _at("mode")
_DOUBTS = ("agreement", "completeness", "freshness", "clarity", "calm")
_SIGNALS, _QUALITIES, _MODES = tuple(Signal), tuple(Quality), tuple(Mode)
_DOUBTED = _at(*_DOUBTS)


class Decision:
    """The result of ``decide()``: a value, equal for equal inputs; frozen, hashable, pickles as its bytes.

    raw: bytes of dtype ``smartcore._core.DECISION``; symbol: of the instrument, which those do not hold. Raises
    ValueError for bytes of another length.
    """

    __slots__ = ("_execution", "_reasons", "_regime", "_risk", "raw", "symbol")
    raw: bytes
    symbol: str
    _regime: Regime
    _risk: Risk
    _execution: Execution
    _reasons: tuple[Reason, ...]

    def __init__(self, raw: bytes, symbol: str = "") -> None:
        if len(raw) != _SIZE:
            raise ValueError(f"raw: {len(raw)} bytes where a decision has {_SIZE}")
        _set(self, "raw", raw)
        _set(self, "symbol", symbol)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"cannot assign to {name!r}: decisions are frozen")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"cannot delete {name!r}: decisions are frozen")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Decision):
            return NotImplemented
        return self.raw == other.raw and self.symbol == other.symbol

    def __hash__(self) -> int:
        return hash((self.raw, self.symbol))

    def __reduce__(self) -> tuple[Any, ...]:
        return Decision, (self.raw, self.symbol)

    def __repr__(self) -> str:
        return f"<Decision {self.id}: {self.signal}, confidence {self.confidence:.3f}, quality {self.quality}>"

    @property
    def id(self) -> str:
        """Symbol, ts and sequence number: unique where sequence numbers are not reused."""
        return f"{self.symbol}-{self.ts:x}-{self.sequence:x}"

    @property
    def ts(self) -> int:
        """When it was made, ns UTC."""
        return _TS(self.raw)[0]  # type: ignore[no-any-return]

    @property
    def as_of(self) -> int:
        """ts of the newest data used."""
        return _AS_OF(self.raw)[0]  # type: ignore[no-any-return]

    @property
    def age_ns(self) -> int:
        """How old that was at the decision."""
        return _AGE(self.raw)[0]  # type: ignore[no-any-return]

    @property
    def latency_ns(self) -> int | None:
        """As measured by whoever holds a clock, None if nobody does."""
        latency: int = _LATENCY(self.raw)[0]
        return None if latency < 0 else latency

    @property
    def sequence(self) -> int:
        """Number of the decision, as its context had it."""
        return _SEQUENCE(self.raw)[0]  # type: ignore[no-any-return]

    @property
    def price(self) -> float | None:
        """None where there was no positive finite one."""
        return _known(_PRICE(self.raw)[0])

    @property
    def signal(self) -> Signal:
        """What to do."""
        return _SIGNALS[_SIGNAL(self.raw)[0]]

    @property
    def confidence(self) -> float:
        """Probability that the direction leant to is right, given that the price moves at all; 0 where no source spoke.

        It is the fused probability, recalibrated by the scorecard, and nothing else is multiplied into it: doubts
        are in ``quality``.
        """
        return _CONFIDENCE(self.raw)[0]  # type: ignore[no-any-return]

    @property
    def raw_confidence(self) -> float:
        """The same before recalibration."""
        return _RAW(self.raw)[0]  # type: ignore[no-any-return]

    @property
    def threshold(self) -> float:
        """The confidence that was asked."""
        return _THRESHOLD(self.raw)[0]  # type: ignore[no-any-return]

    @property
    def score(self) -> float:
        """P(up) - P(down), -1 to 1: the sum of ``contributions`` exactly, in any order of adding."""
        return _SCORE(self.raw)[0]  # type: ignore[no-any-return]

    @property
    def quality(self) -> Quality:
        """The grade of ``quality_score``."""
        return _QUALITIES[_QUALITY(self.raw)[0]]

    @property
    def quality_score(self) -> float:
        """How well founded it is, 0 to 1: made of ``doubts``. Not a probability."""
        return _QUALITY_SCORE(self.raw)[0]  # type: ignore[no-any-return]

    @property
    def doubts(self) -> Parts:
        """What quality is made of, 0 bad to 1 good: agreement of the sources, completeness (weight of those that
        spoke), freshness of the data, clarity of the regime, calm of the market, calibration (how much of past
        confidence was earned).
        """
        earned = self.track.reliability
        if earned is None:  # of a layout from before it was kept
            return Parts(_DOUBTS, _DOUBTED(self.raw))
        return Parts((*_DOUBTS, "calibration"), (*_DOUBTED(self.raw), earned))

    @property
    def overall(self) -> float:
        """The whole answer at a glance, 0 to 1; nothing is decided by it.

        0.3 confidence + 0.2 quality_score + 0.2 clarity of the regime + 0.15 risk (low 1, medium 0.7, high 0.35, else
        0) + 0.15 execution (the share of the gross edge that costs leave).
        """
        return _OVERALL(self.raw)[0]  # type: ignore[no-any-return]

    @property
    def mode(self) -> Mode:
        """What the bot may do now."""
        return _MODES[_MODE(self.raw)[0]]

    @property
    def probabilities(self) -> tuple[float, float, float] | None:
        """Fused (down, flat, up), None where no model spoke."""
        fused: tuple[float, float, float] = _PROBABILITIES(self.raw)  # type: ignore[assignment]
        return fused if fused[0] == fused[0] else None

    @property
    def contributions(self) -> Parts:
        """What each source that spoke put into ``score``."""
        return _of_sources(_CONTRIBUTIONS(self.raw))

    @property
    def weights(self) -> Parts:
        """Share of each source that spoke, after the missing ones' share was redistributed."""
        return _of_sources(_WEIGHTS(self.raw))

    @property
    def attribution(self) -> Parts:
        """Share of each source in the call: its contribution over the score; they sum to 1, and one that speaks against
        the call is below 0. Empty without a direction.
        """
        score, parts = self.score, self.contributions
        return Parts(parts, [part / score for part in parts.numbers]) if score else Parts()

    @property
    def regime(self) -> Regime:
        """The market as it was."""
        try:
            return self._regime
        except AttributeError:
            _set(self, "_regime", _REGIME.read(self.raw))
            return self._regime

    @property
    def risk(self) -> Risk:
        """What may be lost, and how much to hold."""
        try:
            return self._risk
        except AttributeError:
            _set(self, "_risk", _RISK.read(self.raw))
            return self._risk

    @property
    def execution(self) -> Execution:
        """How to enter."""
        try:
            return self._execution
        except AttributeError:
            _set(self, "_execution", _EXECUTION.read(self.raw))
            return self._execution

    @property
    def track(self) -> Track:
        """How past numbers turned out when this was decided."""
        return _TRACK.read(self.raw)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Every gate that was asked, in order."""
        try:
            return self._reasons
        except AttributeError:
            pass
        data, (count,) = self.raw, _COUNT(self.raw)
        end = _REASONS + count * _REASON.size
        made = tuple([
            Reason(_GATES[gate], _known(value), _known(limit), _known(margin), bool(passed), NOTES[note], a, b, bits)
            for value, limit, margin, a, b, bits, note, gate, passed in _REASON.iter_unpack(data[_REASONS:end])
        ])  # fmt: skip
        _set(self, "_reasons", made)
        return made

    @property
    def lean(self) -> int:
        """+1 up, -1 down, 0 neither: where the score points, also when gates turned it into HOLD."""
        return (self.score > 0) - (self.score < 0)

    @property
    def failed(self) -> tuple[Reason, ...]:
        """The gates that did not pass, in the order asked. A reduce-only gate may fail and the trade still be
        allowed.
        """
        return tuple(reason for reason in self.reasons if not reason.passed)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, nested; every reason with its text."""
        plain = {name: _plain(getattr(self, name)) for name in _FIELDS}
        plain["execution"]["slippage_tolerance_pct"] = self.execution.slippage_tolerance_pct
        return plain

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Decision:
        """Read back what :meth:`to_dict` gave. KeyError for a missing field, ValueError for an unknown name."""
        record = np.zeros((), DECISION)
        for name in ("ts", "as_of", "age_ns", "sequence", "price", "confidence", "raw_confidence", "threshold", "score",
                     "quality_score", "overall", "signal", "quality", "mode"):  # fmt: skip
            record[name] = _number(name, data[name])
        record["latency_ns"] = -1 if data["latency_ns"] is None else data["latency_ns"]
        record["probabilities"] = np.nan if data["probabilities"] is None else data["probabilities"]
        for name in ("contributions", "weights"):
            record[name] = [data[name].get(source, np.nan) for source in SOURCES]
        for name in _DOUBTS:
            record[name] = data["doubts"][name]
        for part in (_REGIME, _RISK, _EXECUTION, _TRACK):
            part.write(data[part.place], record)
        record["count"] = len(data["reasons"])
        for i, reason in enumerate(data["reasons"]):
            place = record["reasons"][i]
            for name in ("value", "limit", "margin", "a", "b", "bits", "passed"):
                place[name] = _number(name, reason[name])
            place["gate"], place["note"] = _GATES.index(reason["gate"]), NOTES.index(reason["note"])
        return cls(record.tobytes(), data["symbol"])

    def explain(self) -> str:
        """The call, what it is made of, and for HOLD the gates that stopped it and by how much, in lines."""
        risk, regime, execution = self.risk, self.regime, self.execution
        price = "unknown price" if self.price is None else f"{self.price:.10g}"
        lines = [
            f"{self.signal} {self.symbol or '?'} at {price}: confidence {self.confidence:.3f}, "
            f"quality {self.quality} ({self.quality_score:.2f}), mode {self.mode} [{self.id}]"
        ]
        failed = self.failed
        if self.signal == Signal.HOLD:
            would = {1: "would have bought", -1: "would have sold", 0: "no direction"}[self.lean]
            lines.append(f"  {would}; stopped by {', '.join(reason.gate for reason in failed) or 'nothing'}")
        lines += [f"  failed {reason.text}" for reason in failed]
        made_of = ", ".join(f"{name} {part:+.4f}" for name, part in self.contributions.items())
        lines.append(f"  score {self.score:+.4f} = {made_of or 'no source'}")
        doubts = ", ".join(f"{name} {x:.2f}" for name, x in self.doubts.items())
        lines.append(f"  quality {self.quality_score:.2f} from {doubts}; overall {self.overall:.2f}")
        lines.append(
            f"  regime {regime.name} for {regime.age} bars (switch {regime.switch_probability:.0%}); "
            f"volatility {regime.volatility}, trend {regime.trend}, volume {regime.volume}, "
            f"{regime.condition}"
        )
        size = f"{risk.risk_adjusted_position_size:.3%} of equity (set by {risk.bound})"
        lines.append(
            f"  risk {risk.risk_level}: VaR95 {_percent(risk.var_95)}, VaR99 {_percent(risk.var_99)}, "
            f"ES99 {_percent(risk.es_99)}, Kelly {_percent(risk.kelly_fraction)}, size {size}, "
            f"stop {_percent(risk.stop_distance)}, target {_percent(risk.target_distance)}"
        )
        lines.append(
            f"  execution {execution.entry_method}, {execution.execution_urgency}, "
            f"{execution.recommended_timing}: cost {execution.expected_cost_bps:.2f} bps, "
            f"slippage at most {execution.slippage_tolerance_pct:.4f} %, "
            f"{execution.slices} slice(s) within {execution.max_execution_time_minutes:.3g} min"
        )
        lines.append(f"  record {self.track.text}")
        lines += [f"  passed {reason.text}" for reason in self.reasons if reason.passed]
        return "\n".join(lines)


_FIELDS = (
    "id", "symbol", "ts", "as_of", "age_ns", "latency_ns", "sequence", "price", "signal", "confidence",
    "raw_confidence", "threshold", "quality", "quality_score", "doubts", "overall",
    "score", "contributions", "weights", "attribution",
    "probabilities", "mode", "regime", "risk", "execution", "track", "reasons",
)  # fmt: skip
_set = object.__setattr__  # the class refuses all others


def _of_sources(numbers: tuple[float, ...]) -> Parts:
    spoke = [(name, x) for name, x in zip(SOURCES, numbers, strict=True) if x == x]
    return Parts([name for name, _ in spoke], [x for _, x in spoke])


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3%}"


def _plain(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Reason):
        return {f.name: getattr(value, f.name) for f in fields(value)} | {"detail": value.detail, "text": value.text}
    if hasattr(value, "__dataclass_fields__"):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    return value
