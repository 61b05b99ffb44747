"""What ``decide()`` returns: frozen records that say what to do, how sure, why, and what stopped it.

A number that is not known is ``None``, never NaN: records compare equal when they are, and are JSON as they
stand. Distances, VaR and sizes are fractions (0.01 is one percent) unless the name carries a unit (``_bps``,
``_pct``, ``_minutes``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, NoReturn


class Signal(StrEnum):
    """What to do. STRONG needs ``Policy.strong_confidence`` and at least GOOD quality."""

    STRONG_BUY = "STRONG_BUY"
    BUY = "BUY"
    HOLD = "HOLD"
    SELL = "SELL"
    STRONG_SELL = "STRONG_SELL"


class Quality(StrEnum):
    """How well founded it is: agreement, completeness, freshness, a clear regime. Not a probability."""

    EXCELLENT = "EXCELLENT"
    GOOD = "GOOD"
    FAIR = "FAIR"
    POOR = "POOR"


class Mode(StrEnum):
    """What the bot may do now: anything, only shrink its position, or send nothing at all."""

    NORMAL = "normal"
    REDUCE_ONLY = "reduce_only"
    HOLD_ONLY = "hold_only"


class Volatility(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    UNKNOWN = "unknown"


class Trend(StrEnum):
    STRONG_BEARISH = "strong_bearish"
    MODERATE_BEARISH = "moderate_bearish"
    SIDEWAYS = "sideways"
    MODERATE_BULLISH = "moderate_bullish"
    STRONG_BULLISH = "strong_bullish"
    UNKNOWN = "unknown"


class Volume(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    UNKNOWN = "unknown"


class RegimeName(StrEnum):
    """The seven regimes; UNKNOWN until the columns that tell them apart have warmed up."""

    TRENDING_UP = "trending_up"
    TRENDING_DOWN = "trending_down"
    BREAKOUT = "breakout"
    REVERSAL = "reversal"
    RANGING = "ranging"
    VOLATILE = "volatile"
    QUIET = "quiet"
    UNKNOWN = "unknown"


class Condition(StrEnum):
    """The market as execution sees it."""

    TRENDING_STABLE = "trending_stable"
    TRENDING_VOLATILE = "trending_volatile"
    CHOPPY = "choppy"
    CONSOLIDATING = "consolidating"
    ILLIQUID = "illiquid"
    UNKNOWN = "unknown"


class Bound(StrEnum):
    """What set the size: the last cap that lowered it, or why there is none."""

    NONE = "none"
    """Nothing to size: the decision is HOLD for another reason."""
    UNCALIBRATED = "uncalibrated"
    UNKNOWN_RISK = "unknown_risk"
    KELLY = "kelly"
    DRAWDOWN = "drawdown"
    VAR = "var"
    POSITION = "position"
    CONTRACTS = "contracts"
    EXCHANGE = "exchange"
    """Below the smallest order the exchange takes."""
    REDUCE_ONLY = "reduce_only"
    """The size is that of the position to be closed."""


class RiskLevel(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    EXTREME = "extreme"
    UNKNOWN = "unknown"


class EntryMethod(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    """A limit at the far touch: takes what is there, no worse."""
    PASSIVE = "passive"
    """Rests at the near touch and waits."""
    NONE = "none"


class Urgency(StrEnum):
    URGENT = "urgent"
    NORMAL = "normal"
    PATIENT = "patient"


class Timing(StrEnum):
    IMMEDIATE = "immediate"
    WAIT_FOR_VOLUME = "wait_for_volume"
    WAIT_FOR_SPREAD = "wait_for_spread"


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
    """The market by rules with memory. It is its own state: pass it back as the next ``Context.regime``.

    ``age`` counts bars since ``name`` last changed; ``switch_probability`` is that of another regime at the
    next bar.
    ``activity``: volume relative to its usual, faded over a few bars, None unknown: what ``volume`` is read
    from.
    ``probabilities`` cover the seven names and sum to 1. ``bar`` is the bar number it was computed at, -1
    unnumbered.
    """

    name: RegimeName
    volatility: Volatility
    trend: Trend
    volume: Volume
    condition: Condition
    probabilities: Parts
    age: int
    switch_probability: float
    activity: float | None = None
    bar: int = -1


@dataclass(frozen=True, slots=True)
class Risk:
    """What may be lost over the policy's horizon, and how much to hold: all fractions, None where not known.

    ``var_*`` and ``es_*``: loss per unit of position value, from the left tail of returns.
    ``max_adverse_excursion``: the 95 % quantile of the worst loss on the way, per unit of position value.
    ``kelly_fraction``: fraction of equity to put at risk at the stop, full Kelly on the shrunk probability,
    before the policy's multiplier; negative odds give 0.
    ``risk_adjusted_position_size``: position value as a fraction of equity after all caps: the *target*, not
    the order.
    ``contracts``: the same in contracts, whole lots, unsigned; None where equity is unknown.
    """

    var_95: float | None
    var_99: float | None
    es_95: float | None
    es_99: float | None
    max_adverse_excursion: float | None
    kelly_fraction: float | None
    risk_adjusted_position_size: float
    contracts: float | None
    bound: Bound
    stop_distance: float | None
    target_distance: float | None
    reward_to_risk: float | None
    expected_edge_bps: float | None
    risk_level: RiskLevel


@dataclass(frozen=True, slots=True)
class Execution:
    """How to enter. ``slippage_tolerance_pct`` is a quantile of predicted slippage, in percent of price, fees
    not included; ``expected_cost_bps`` is the mean cost of getting in, fees included, of one side.
    """

    entry_method: EntryMethod
    execution_urgency: Urgency
    recommended_timing: Timing
    slippage_tolerance_pct: float
    expected_cost_bps: float
    max_execution_time_minutes: float
    slices: int


AT_LEAST, AT_MOST, FACT = ">=", "<=", "="
GATES: dict[str, tuple[str, str, str]] = {
    # gate: (what its value is, relation to the limit, unit)
    "data_age": ("age of the data", AT_MOST, "s"),
    "book_fresh": ("order book in sequence", FACT, ""),
    "book_uncrossed": ("order book not crossed", FACT, ""),
    "price": ("price", FACT, ""),
    "model": ("models with a usable forecast", AT_LEAST, ""),
    "calibrated": ("forecasts not calibrated", AT_MOST, ""),
    "sources": ("weight of the sources that spoke", AT_LEAST, ""),
    "risk_known": ("risk columns not known", AT_MOST, ""),
    "equity": ("equity", FACT, ""),
    "drawdown": ("drawdown", AT_MOST, ""),
    "spread": ("spread", AT_MOST, "bps"),
    "latency": ("latency", AT_MOST, "ms"),
    "quality": ("quality score", AT_LEAST, ""),
    "confidence": ("confidence", AT_LEAST, ""),
    "edge": ("expected gain after costs", AT_LEAST, "bps"),
    "reduce_only": ("position in the direction of the trade", AT_MOST, ""),
    "size": ("size after all caps", AT_LEAST, ""),
}
"""Every gate there is, in the order in which they are asked."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One gate: what was measured, what was asked, by how much it passed (margin >= 0) or failed (< 0).

    ``value`` and ``margin`` are None where the thing itself is not known. ``detail`` adds names and causes.
    """

    gate: str
    value: float | None
    limit: float | None
    margin: float | None
    passed: bool
    detail: str = ""

    @property
    def text(self) -> str:
        """The gate as a sentence, formatted when asked for."""
        label, relation, unit = GATES.get(self.gate, (self.gate, FACT, ""))
        tail = f" ({self.detail})" if self.detail else ""
        if relation == FACT:
            return f"{label}: {'yes' if self.passed else 'no'}{tail}"
        if self.value is None or self.limit is None or self.margin is None:
            return f"{label}: not known, {'accepted' if self.passed else 'refused'}{tail}"
        unit = unit and " " + unit
        asked = "at least" if relation == AT_LEAST else "at most"
        short, spare = ("short by", "above by") if relation == AT_LEAST else ("over by", "below by")
        verdict = "just so"
        if self.margin:
            verdict = f"{spare if self.passed else short} {abs(self.margin):.3g}{unit}"
        return f"{label}: {self.value:.4g}{unit}, {asked} {self.limit:.4g}{unit} asked: {verdict}{tail}"


@dataclass(frozen=True, slots=True)
class Decision:
    """The result of ``decide()``: a value, equal for equal inputs.

    ``confidence``: probability that the direction leant to is right, given that the price moves at all; 0
    where no source spoke. It is the fused, calibrated probability and nothing is multiplied into it: doubts
    are in ``quality``.
    ``score``: P(up) - P(down), -1 to 1; it is the sum of ``contributions`` exactly, in any order of adding.
    ``weights``: share of each source that spoke, after the missing ones' share was redistributed.
    ``probabilities``: fused (down, flat, up), None where no model spoke.
    ``as_of``: ts of the newest data used; ``age_ns``: how old that was at the decision; ``latency_ns``: as
    measured by whoever holds a clock, None if nobody does.
    ``id``: symbol, ts and sequence number: unique where sequence numbers are not reused.
    """

    id: str
    symbol: str
    ts: int
    as_of: int
    age_ns: int
    latency_ns: int | None
    price: float | None
    signal: Signal
    confidence: float
    quality: Quality
    quality_score: float
    score: float
    contributions: Parts
    weights: Parts
    probabilities: tuple[float, float, float] | None
    mode: Mode
    regime: Regime
    risk: Risk
    execution: Execution
    reasons: tuple[Reason, ...]

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
        plain: dict[str, Any] = _plain(self)
        return plain

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Decision:
        """Read back what :meth:`to_dict` gave. KeyError for a missing field, ValueError for an unknown name.
        """
        known = {f.name: data[f.name] for f in fields(cls)}
        regime, risk, execution = (dict(data[name]) for name in ("regime", "risk", "execution"))
        parts = regime["probabilities"]
        regime.update(
            name=RegimeName(regime["name"]), volatility=Volatility(regime["volatility"]),
            trend=Trend(regime["trend"]), volume=Volume(regime["volume"]),
            condition=Condition(regime["condition"]),
            probabilities=Parts(parts, parts.values()),
        )
        risk.update(bound=Bound(risk["bound"]), risk_level=RiskLevel(risk["risk_level"]))
        execution.update(
            entry_method=EntryMethod(execution["entry_method"]),
            execution_urgency=Urgency(execution["execution_urgency"]),
            recommended_timing=Timing(execution["recommended_timing"]),
        )
        fused = data["probabilities"]
        known.update(
            signal=Signal(data["signal"]), quality=Quality(data["quality"]), mode=Mode(data["mode"]),
            contributions=Parts(data["contributions"], data["contributions"].values()),
            weights=Parts(data["weights"], data["weights"].values()),
            probabilities=None if fused is None else (fused[0], fused[1], fused[2]),
            regime=Regime(**regime), risk=Risk(**risk), execution=Execution(**execution),
            reasons=tuple(Reason(**{k: v for k, v in r.items() if k != "text"}) for r in data["reasons"]),
        )
        return cls(**known)

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
        lines += [f"  passed {reason.text}" for reason in self.reasons if reason.passed]
        return "\n".join(lines)


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
        return {f.name: getattr(value, f.name) for f in fields(value)} | {"text": value.text}
    if hasattr(value, "__dataclass_fields__"):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    return value
