"""What else a decision would have been. ``decide()`` is pure and all it was given is in the journal, so this is
computed by deciding again with one thing changed, not guessed from margins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from smartcore.bot.layouts import CURRENT
from smartcore.decide import Bound, Decision, Reason, Signal

if TYPE_CHECKING:
    from smartcore.bot.records import Entry

STEPS = (-0.10, -0.05, -0.02, -0.01, 0.01, 0.02, 0.05, 0.10)
"""By how much the confidence asked is moved to see what its neighbours would have done."""
_WOULD = {
    Signal.STRONG_BUY: "have bought, strongly",
    Signal.BUY: "have bought",
    Signal.HOLD: "still have held",
    Signal.SELL: "have sold",
    Signal.STRONG_SELL: "have sold, strongly",
}
_ALL = 255


class Whatif:
    """The neighbours of one decision.

    alone: for each gate that failed, what the decision would have been had this one passed and nothing else been
        different; None where no limit, policy or state of the book could have let it pass (no price, no model).
    together: with all of ``eased`` passed, which are the gates that failed and those that they had hidden; None where
        that is still no trade, for ``stuck``: what cannot be made to pass.
    thresholds: the confidence asked, moved, and the signal there.
    """

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.decision = entry.decision
        self.alone: dict[str, Decision | None] = {}
        self.together: Decision | None = None
        self.eased: tuple[str, ...] = ()
        self.stuck: tuple[Reason, ...] = ()
        self.thresholds: dict[float, Signal] = {}
        self.recomputed = entry.again() == self.decision.raw
        if not self.recomputed:  # another version decides otherwise: what it says of neighbours would mislead
            return
        if self.decision.signal == Signal.HOLD and self.decision.lean:
            failed = [reason for reason in self.decision.failed if reason.gate != "reduce_only"]
            for reason in failed:
                self.alone[reason.gate] = self._without([reason])
            self._ease(failed)
        self._move()

    @property
    def sole(self) -> str | None:
        """The gate that stopped it alone: had it passed, there would have been a trade."""
        found = [gate for gate, made in self.alone.items() if made is not None and made.signal != Signal.HOLD]
        return found[0] if len(found) == 1 else None

    def _again(self, change: Callable[[_Given], bool]) -> Decision | None:
        given = _Given(self.entry)
        if not change(given):
            return None
        return Decision(given.decide(), self.entry.run.symbol)

    def _without(self, reasons: Iterable[Reason]) -> Decision | None:
        """The decision with these gates passed; None where they cannot be."""
        reasons = tuple(reasons)
        made = self._again(lambda given: all(_pass(given, reason) for reason in reasons))
        if made is None:
            return None
        eased = {reason.gate for reason in reasons}
        return None if any(reason.gate in eased for reason in made.failed) else made

    def _ease(self, failed: list[Reason]) -> None:
        """All that failed, and what then fails that was not asked before."""
        for _ in range(4):
            eased = failed
            given = _Given(self.entry)
            self.stuck = tuple(reason for reason in eased if not _pass(given, reason))
            if self.stuck:
                return
            made = Decision(given.decide(), self.entry.run.symbol)
            self.eased = tuple(reason.gate for reason in eased)
            self.stuck = made.failed
            if made.signal != Signal.HOLD:
                self.together, self.stuck = made, ()
                return
            failed = [*eased, *(r for r in made.failed if r.gate not in self.eased)]
            if len(failed) == len(eased):
                return

    def _move(self) -> None:
        for step in STEPS:

            def change(given: _Given, step: float = step) -> bool:
                given.policy["min_confidence"] += step
                given.policy["threshold_low"] += step
                given.policy["threshold_high"] += step
                return True

            made = self._again(change)
            if made is not None and 0.0 < made.threshold <= 1.0:
                self.thresholds[made.threshold] = made.signal

    @property
    def lines(self) -> list[str]:
        """It in words."""
        d, gate = self.decision, self.sole
        if not self.recomputed:
            return [f"decided by smartcore {self.entry.run.version}, which this one does not repeat: no what-ifs"]
        lines = []
        if d.signal == Signal.HOLD and d.lean:
            if gate is not None:
                made = self.alone[gate]
                assert made is not None
                reason = next(r for r in d.failed if r.gate == gate)
                lines.append(f"would {_WOULD[made.signal]} {_had(reason)}{_size(made)}")
            elif self.together is not None:
                then = f"{_WOULD[self.together.signal]}{_size(self.together)}"
                lines.append(f"no single gate stopped it: with {_list(self.eased)} passed it would {then}")
            else:
                also = f" (once {_list(self.eased)} passed)" if self.eased else ""
                why = "; ".join(reason.text for reason in self.stuck)
                lines.append(f"no other limit would have made it a trade{also}: {why}")
        elif d.signal == Signal.HOLD:
            lines.append("no direction: whatever the limits, there was nothing to trade on")
        if self.thresholds and d.lean:
            flips = {*self.thresholds.values(), d.signal}
            told = ", ".join(f"{at:.2f} {signal}" for at, signal in sorted(self.thresholds.items()))
            same = f"{d.signal} at any confidence asked from {min(self.thresholds):.2f} to {max(self.thresholds):.2f}"
            if len(flips) > 1:
                lines.append(f"at other thresholds than {d.threshold:.2f}: {told}")
            elif d.signal != Signal.HOLD:
                lines.append(same)
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "recomputed": self.recomputed,
            "sole_gate": self.sole,
            "alone": {gate: _brief(made) for gate, made in self.alone.items()},
            "eased": list(self.eased),
            "together": _brief(self.together),
            "stuck": [reason.gate for reason in self.stuck],
            "thresholds": [[at, signal.value] for at, signal in sorted(self.thresholds.items())],
            "lines": self.lines,
        }


class _Given:
    """What a decision was made from, to be changed."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.policy, self.context = entry.void("POLICY"), entry.void("CONTEXT")
        self.given = entry.void("GIVEN")
        self.row = entry.row.copy()

    def decide(self) -> bytes:
        return self.entry.again(
            policy=self.policy.tobytes(), context=self.context.tobytes(), given=self.given.tobytes(), row=self.row
        )


_UP, _DOWN = np.inf, -np.inf
_BOUNDS = tuple(Bound)
_LIMITS = {
    "clock": ("max_clock_skew_s",),
    "feed": ("max_silence", "max_frozen_s", "max_duplicates"),
    "novelty": ("max_novelty",),
    "anomaly": ("max_jump", "max_outlier", "max_drift", "max_turbulence"),
    "latency": ("max_latency_ms",),
}
"""Gates whose limits the policy holds and which nothing else depends on: they are taken away."""
_LEAST = {"health": "min_health", "sources": "min_weight", "quality": "min_quality", "edge": "min_edge_bps"}
_CAPS = {
    Bound.VAR: "max_var",
    Bound.DRAWDOWN: "drawdown_share",
    Bound.VOLATILITY: "target_volatility",
    Bound.POSITION: "max_position",
    Bound.CORRELATED: "max_correlated",
    Bound.CONTRACTS: "max_contracts",
}


def _pass(given: _Given, reason: Reason) -> bool:
    """Change what has to be for this gate to pass, and no more; False where nothing would do."""
    gate, value = reason.gate, reason.value
    policy, context = given.policy, given.context
    if gate in _LIMITS:
        for name in _LIMITS[gate]:
            policy[name] = _UP
    elif gate in _LEAST:
        policy[_LEAST[gate]] = _DOWN
    elif gate == "data_age":
        if value is None or value < 0:
            context["as_of"] = context["ts"]
        else:
            policy["max_age_s"] = _UP
    elif gate == "book_fresh":
        context["book_stale"] = 0
    elif gate == "book_uncrossed":
        context["book_crossed"] = 0
        at = int(given.entry.void("INPUTS")["book"][0])  # the spread, which is below 0 then
        if at >= 0 and given.row[at] < 0:
            given.row[at] = 0.0
    elif gate == "model" and reason.note == "old_scores":
        policy["max_scores_age_s"] = _UP
    elif gate == "calibrated":
        policy["uncalibrated"] = _ALL
    elif gate == "drawdown" and value is not None:
        policy["max_drawdown"] = max(1.0, 2 * value)  # at less, what is left of the budget would leave no size
    elif gate == "spread":
        policy["max_spread_bps"], policy["require_book"] = _UP, 0
    elif gate == "regime":
        policy["regimes"] = _ALL
    elif gate == "confidence" and reason.limit is not None and value is not None:
        step = value - reason.limit - 1e-12
        for name in ("min_confidence", "threshold_low", "threshold_high"):
            policy[name] += step
    elif gate == "size" and _BOUNDS[reason.bits] in _CAPS:
        policy[_CAPS[_BOUNDS[reason.bits]]] = _UP
    elif gate == "size" and _BOUNDS[reason.bits] == Bound.EXCHANGE:
        context["lot"] = context["min_size"] = 1e-9
    else:
        return False
    return True


def _had(reason: Reason) -> str:
    """Under which condition, in words: the gate, what was and what was asked."""
    if reason.gate == "confidence" and reason.value is not None and reason.limit is not None:
        moved = f", the threshold {reason.detail}" if reason.detail else ""
        return f"at a confidence of {reason.limit:.3g}: it was {reason.value:.3g}{moved}"
    return f"but for {reason.text}"


def _size(made: Decision) -> str:
    risk = made.risk
    contracts = "" if risk.contracts is None else f", {risk.contracts:g} contracts"
    return f" (size {risk.risk_adjusted_position_size:.3%} of equity{contracts})"


def _brief(made: Decision | None) -> dict[str, Any] | None:
    if made is None:
        return None
    risk = made.risk
    return {
        "signal": made.signal.value,
        "size": risk.risk_adjusted_position_size,
        "contracts": risk.contracts,
        "failed": [reason.gate for reason in made.failed],
    }


def _list(names: Iterable[str]) -> str:
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


assert {name for names in _LIMITS.values() for name in names} <= set(CURRENT["POLICY"].names or ())
assert {*_LEAST.values(), *_CAPS.values()} <= set(CURRENT["POLICY"].names or ())
