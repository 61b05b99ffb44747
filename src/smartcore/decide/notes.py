"""Gates and notes in words. Both stand in the order of ``csrc/decide/words.hpp``, whose numbers records hold."""

from __future__ import annotations

from smartcore._core import COLUMNS
from smartcore.decide.words import SOURCES, Bound, RegimeName

AT_LEAST, AT_MOST, FACT = ">=", "<=", "="
GATES: dict[str, tuple[str, str, str]] = {
    # gate: (what its value is, relation to the limit, unit)
    "data_age": ("age of the data", AT_MOST, "s"),
    "clock": ("events stamped after the receiver's clock", AT_MOST, "s"),
    "book_fresh": ("order book in sequence", FACT, ""),
    "book_uncrossed": ("order book not crossed", FACT, ""),
    "feed": ("fault of the feed", AT_MOST, ""),
    "price": ("price", FACT, ""),
    "health": ("health of the process", AT_LEAST, ""),
    "model": ("models with a usable forecast", AT_LEAST, ""),
    "calibrated": ("forecasts not calibrated", AT_MOST, ""),
    "sources": ("weight of the sources that spoke", AT_LEAST, ""),
    "novelty": ("distance of the row from the training inputs", AT_MOST, ""),
    "anomaly": ("move or price out of the ordinary", AT_MOST, "deviations"),
    "risk_known": ("risk columns not known", AT_MOST, ""),
    "equity": ("equity", FACT, ""),
    "drawdown": ("drawdown", AT_MOST, ""),
    "spread": ("spread", AT_MOST, "bps"),
    "latency": ("latency", AT_MOST, "ms"),
    "regime": ("regime in which trades may be opened", FACT, ""),
    "quality": ("quality score", AT_LEAST, ""),
    "confidence": ("confidence", AT_LEAST, ""),
    "edge": ("expected gain after costs", AT_LEAST, "bps"),
    "reduce_only": ("position in the direction of the trade", AT_MOST, ""),
    "size": ("size after all caps", AT_LEAST, ""),
}
"""Every gate there is, in the order in which they are asked."""

NOTES = (
    "none", "from_the_future", "message_lost", "not_a_price", "old_scores", "no_scores", "fell_back", "uncalibrated",
    "missing_sources", "unknown_columns", "assumed_spread", "raised", "costs", "of_equity", "in_contracts", "duplicate",
    "frozen", "gap", "clock_ahead", "jump", "outlier", "forbidden_regime", "failed_model",
    "drift", "turbulence",
)  # fmt: skip
"""Why a gate says what it says, where its numbers alone do not."""

_BOUNDS, _REGIMES = tuple(Bound), tuple(RegimeName)
_RISK = tuple(name for name, _, _ in COLUMNS["risk"])


def detail(note: str, a: float, b: float, bits: int) -> str:
    """A reason's note in words; ``a``, ``b`` and ``bits`` are its numbers. Empty for "none"."""
    match note:
        case "from_the_future":
            return "data from after now: clocks disagree"
        case "message_lost":
            return "message lost; waits for a snapshot"
        case "not_a_price":
            return "not a positive finite number"
        case "old_scores":
            return f"scores are {a:.3g} s old"
        case "no_scores":
            return "no usable scores"
        case "fell_back":
            return f"a stand-in speaks for {_named(SOURCES, bits)}"
        case "failed_model":
            return f"{_named(SOURCES, bits)} failed, or gave what is no forecast"
        case "uncalibrated":
            return _named(SOURCES, bits)
        case "missing_sources":
            return f"without {_named(SOURCES, bits)}, whose weight went to the others"
        case "unknown_columns":
            return _named(_RISK, bits)
        case "assumed_spread":
            return f"no book: {a:g} bps assumed"
        case "raised":
            return _moved(a, b, bits)
        case "costs":
            return f"costs are {a:.3g} bps"
        case "of_equity" | "in_contracts":
            unit = "of equity" if note == "of_equity" else "contracts"
            cautious = f"; VaR widened {a:.3g} times for its record" if a else ""
            return f"{unit}, set by {_BOUNDS[bits]}{cautious}"
        case "duplicate":
            return "share of the last events that came twice"
        case "frozen":
            return "seconds for which the price has not moved while events came"
        case "gap":
            return "time since the last event, in usual gaps between events"
        case "clock_ahead":
            return f"{a:.3g} s: the sender's clock and this one disagree"
        case "jump":
            return "the last bar's move"
        case "outlier":
            return "the price, from its median of late"
        case "drift":
            return "moves that add up in one direction"
        case "turbulence":
            return "moves that have become larger, added up"
        case "forbidden_regime":
            return f"it is {_REGIMES[bits]}"
    return ""


def sentence(gate: str, value: float | None, limit: float | None, margin: float | None, passed: bool, why: str) -> str:
    """A gate and its verdict in words."""
    label, relation, unit = GATES.get(gate, (gate, FACT, ""))
    tail = f" ({why})" if why else ""
    if relation == FACT:
        return f"{label}: {'yes' if passed else 'no'}{tail}"
    if value is None or limit is None or margin is None:
        return f"{label}: not known, {'accepted' if passed else 'refused'}{tail}"
    unit = unit and " " + unit
    asked = "at least" if relation == AT_LEAST else "at most"
    short, spare = ("short by", "above by") if relation == AT_LEAST else ("over by", "below by")
    verdict = "just so"
    if margin:
        verdict = f"{spare if passed else short} {abs(margin):.3g}{unit}"
    return f"{label}: {value:.4g}{unit}, {asked} {limit:.4g}{unit} asked: {verdict}{tail}"


def _moved(a: float, b: float, bits: int) -> str:
    """What moved the threshold."""
    by = []
    if bits & 1:
        by.append(f"raised by {a:.3g} for high volatility")
    if bits & 2:
        by.append(f"raised by {b:.3g} for past overconfidence")
    if bits & 4:
        by.append(f"lowered by {-b:.3g} for past modesty")
    return ", ".join(by)


def _named(names: tuple[str, ...], bits: int) -> str:
    return ", ".join(name for i, name in enumerate(names) if bits >> i & 1)
