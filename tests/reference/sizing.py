"""Naive twin of how a decision's risk is sized: from its rules, cap by cap, with names for numbers."""

from __future__ import annotations

from math import exp, floor, log, sqrt
from typing import Any


def payoff(p: float, move: float, stop: float, target: float, cost: float) -> tuple[float, float]:
    """(mean return, fraction of equity lost at the stop by Kelly's bet). Outcomes and their chances, one by one."""
    hit = p * stop / (p * stop + (1 - p) * target)
    outcomes = [(move * hit, target - cost), (move * (1 - hit), -stop - cost), (1 - move, -cost)]
    mean = sum(chance * gain for chance, gain in outcomes)
    square = sum(chance * gain**2 for chance, gain in outcomes)
    return mean, min(1.0, mean / square * (stop + cost)) if mean > 0 and square > 0 else 0.0


def believed(confidence: float, reliability: float, moves: float, hits: float) -> float:
    """A hundred calls of a coin flip before any record; then Baker and McHale's share."""
    rate = (hits + 50) / (moves + 100)
    error = sqrt(rate * (1 - rate) / (moves + 100))
    distance = reliability * max(0.0, confidence - 0.5)
    return 0.5 + distance * (distance**2 / (distance**2 + error**2)) if distance else 0.5


def size(
    row: dict[str, float], side: int, p: float, move: float, cost: float, calibrated: bool,
    context: dict[str, float], policy: dict[str, float],
) -> dict[str, Any]:  # fmt: skip
    """``p`` is believed; ``cost`` a fraction, both sides."""
    expected = policy["horizon"] * (context["filled"] if 0 < context["filled"] < 1 else 1)
    if expected < 0.5:  # half a bar at least, of horizons that have as much
        expected = min(policy["horizon"], 0.5)
    root = sqrt(expected)
    own, other = ("fhs_short_500_", "fhs_500_") if side < 0 else ("fhs_500_", "fhs_short_500_")

    def lost(x: float, falls: bool) -> float:
        """Of a log move against a position, as a fraction of price: falls hurt longs, rises shorts."""
        return 1 - exp(-x) if falls else exp(x) - 1

    def deepest(tail: str) -> float:
        v95, v99 = row[tail + "var95"], row[tail + "var99"]
        return root * (v95 + (v99 - v95) * log(2) / log(5))

    falls = side >= 0
    names = ("var_95", "var_99", "es_95", "es_99")
    told: dict[str, Any] = {name: lost(root * row[own + name.replace("_", "")], falls) for name in names}
    told["adverse_excursion"] = lost(deepest(own), falls)
    told["favourable_excursion"] = lost(deepest(other), not falls)
    deviation = row["fhs_500_sigma"] * root
    stop, target = policy["stop_sigmas"] * deviation, policy["target_sigmas"] * deviation
    told |= {"stop": stop, "target": target, "reward_to_risk": target / stop}
    _, told["kelly"] = payoff(p, move, stop, target, cost)
    at_stop = max(stop, stop + cost)
    caps = {
        "kelly": policy["kelly_multiplier"] * told["kelly"] / at_stop,
        "drawdown": policy["drawdown_share"] * max(0.0, policy["max_drawdown"] - context["drawdown"]) / at_stop,
        "var": policy["max_var"] / told["var_99"],
        "volatility": policy["target_volatility"] / deviation,
        "position": policy["max_position"],
        "correlated": max(0.0, policy["max_correlated"] - side * context["correlated"]),
    }
    if not calibrated:
        return told | {"size": 0.0, "bound": "uncalibrated", "contracts": 0.0}
    bound = min(caps, key=lambda name: caps[name])  # of equals the first, as each has to be below the one before
    unit = context["price"] * context["multiplier"] / context["equity"]
    contracts = caps[bound] / unit
    if contracts > 0:
        if policy["max_contracts"] < contracts:
            bound, contracts = "contracts", policy["max_contracts"]
        contracts = floor(contracts / context["lot"] + 1e-9) * context["lot"]
        if contracts <= 0 or contracts < context["min_size"]:
            bound, contracts = "exchange", 0.0
    return told | {"size": contracts * unit, "bound": bound, "contracts": contracts}

