"""``decide()``: a row, scores and circumstances in; a Decision out. Pure: no clock, no files, no state,
nothing changed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from smartcore.decide import regime as _regime
from smartcore.decide import risk as _risk
from smartcore.decide.decision import Decision, Mode, Quality, Reason, Regime, Signal, Volatility
from smartcore.decide.execution import advise
from smartcore.decide.inputs import BOOK, HUGE, REGIME, RISK, TECHNICAL, Context
from smartcore.decide.policy import Policy
from smartcore.decide.scorecard import FUSED, Scores
from smartcore.decide.signal import Fusion, fuse, technical

POLICY = Policy()
EXCELLENT, GOOD, FAIR = 0.80, 0.65, 0.45
"""Least quality scores of the grades."""

_A = len(TECHNICAL)
_B = _A + len(REGIME)
_C = _B + len(RISK)
assert len(BOOK) == 2

_STRONG_BUY, _BUY, _HOLD, _SELL, _STRONG_SELL = Signal
_NORMAL, _REDUCE, _STOP = Mode.NORMAL, Mode.REDUCE_ONLY, Mode.HOLD_ONLY
_Q_EXCELLENT, _Q_GOOD, _Q_FAIR, _Q_POOR = Quality
_HIGH = Volatility.HIGH


def decide(
    row: NDArray[np.float64], scores: object, scorecard: Scores | None = None, policy: Policy = POLICY, *,
    context: Context,
) -> Decision:
    """The decision for one moment.

    row: float64 (columns,), an engine's row; ``context.inputs`` is made for its feature set. Only read.
    scores: the sequence model's calibrated (down, flat, up); or a mapping of source ("sequence", "ensemble",
        "smart_money") to such a triple or a single vote; or None.
    scorecard: the frozen ``Scorecard.scores()``, or None for no record.

    Never raises for what the market or a model may deliver: what is missing, stale or impossible turns into
    HOLD or reduce-only with its reason. Raises ValueError for a row of another width, TypeError for a
    Scorecard that is not frozen.

    A gate is one of three kinds. On failure, ``hold_only`` gates (stale or crossed data, no price) allow
    nothing; ``reduce_only`` gates (no model, unknown risk, drawdown) allow trades that shrink the position;
    the others turn this decision into HOLD.
    """
    if scorecard is not None and not isinstance(scorecard, Scores):
        raise TypeError(f"scorecard: {type(scorecard).__name__} is not Scores; pass Scorecard.scores()")
    values = context.inputs.read(row)
    risk_values = values[_B:_C]
    sigma = risk_values[0]
    spread, queue = values[_C:]
    price = context.price
    reasons: list[Reason] = []
    stopped = reducing = blocked = False

    # Data: is what we know fresh and sound?
    age_ns = context.ts - context.as_of
    age = age_ns * 1e-9
    limit = policy.max_age_s
    if age < 0.0:
        reasons.append(Reason("data_age", age, limit, age, False, "data from after now: clocks disagree"))
        stopped = True
    else:
        fresh = age <= limit
        reasons.append(Reason("data_age", age, limit, limit - age, fresh))
        stopped = not fresh
    if context.book_stale:
        reasons.append(Reason("book_fresh", 0.0, 1.0, -1.0, False, "message lost; waits for a snapshot"))
        stopped = True
    else:
        reasons.append(_BOOK_FRESH)
    if context.book_crossed or spread < 0.0:
        reasons.append(Reason("book_uncrossed", 0.0, 1.0, -1.0, False))
        stopped = True
    else:
        reasons.append(_BOOK_UNCROSSED)
    priced = 0.0 < price < HUGE
    if priced:
        reasons.append(_PRICED)
    else:
        reasons.append(_UNPRICED)
        stopped = True

    state = _regime.step(values[_A:_B], spread, context.regime, context.bar, policy)

    # Sources: who spoke, and may they be believed?
    scores_age = context.scores_age_ns * 1e-9
    stale = not 0.0 <= scores_age <= policy.max_scores_age_s
    chances = state.probabilities.numbers
    trending = chances[0] + chances[1] + chances[2]
    vote = technical(values[:_A], sigma, trending, policy.min_votes)
    fusion = fuse(scores, {"technical": vote}, scorecard, policy, context.calibrated, stale)
    if fusion.models:
        reasons.append(Reason("model", fusion.models, 1.0, fusion.models - 1.0, True))
    else:
        detail = f"scores are {scores_age:.3g} s old" if stale and scores is not None else "no usable scores"
        reasons.append(Reason("model", 0.0, 1.0, -1.0, False, detail))
        reducing = True
    strangers = len(fusion.uncalibrated)
    if strangers:
        detail = ", ".join(fusion.uncalibrated)
        reasons.append(Reason("calibrated", strangers, 0.0, -strangers, False, detail))
        blocked = True
    else:
        reasons.append(_CALIBRATED)
    completeness, limit = fusion.completeness, policy.min_weight
    spoke = completeness >= limit - 1e-12
    detail = f"without {', '.join(fusion.missing)}, whose weight went to the others" if fusion.missing else ""
    margin = _margin(completeness - limit, spoke)
    reasons.append(Reason("sources", completeness, limit, margin, spoke, detail))
    blocked = blocked or not spoke

    # Risk: may we lose what this could cost?
    unknown = sum([x != x for x in risk_values])
    if unknown:
        missing = ", ".join(name for (name, _, _), x in zip(RISK, risk_values, strict=True) if x != x)
        reasons.append(Reason("risk_known", unknown, 0.0, -unknown, False, missing))
        reducing = True
    else:
        reasons.append(_RISK_KNOWN)
    equity = context.equity
    if equity is not None:
        if 0.0 < equity < HUGE:
            reasons.append(Reason("equity", equity, 0.0, equity, True))
        else:
            number = equity if -HUGE < equity <= 0.0 else None
            reasons.append(Reason("equity", number, 0.0, number, False))
            reducing = True
    drawdown, limit = context.drawdown, policy.max_drawdown
    if 0.0 <= drawdown < limit:
        reasons.append(Reason("drawdown", drawdown, limit, limit - drawdown, True))
    else:
        number = drawdown if limit <= drawdown < HUGE else None
        reasons.append(Reason("drawdown", number, limit, None if number is None else limit - number, False))
        reducing = True

    # Costs.
    limit = policy.max_spread_bps
    if spread != spread:
        passed = not policy.require_book
        assumed = max(policy.spread_bps, 1e4 * context.tick / price if priced else 0.0)
        spread_bps = assumed if 0.0 <= assumed < 1e4 else policy.spread_bps
        reasons.append(Reason("spread", None, limit, None, passed, f"no book: {spread_bps:g} bps assumed"))
    else:
        passed = spread <= limit
        spread_bps = spread if spread > 0.0 else 0.0
        reasons.append(Reason("spread", spread, limit, limit - spread, passed))
    blocked = blocked or not passed
    slowest, latency_ns = policy.max_latency_ms, context.latency_ns
    if slowest is not None and latency_ns is not None:
        latency = latency_ns * 1e-6
        passed = latency <= slowest
        reasons.append(Reason("latency", latency, slowest, slowest - latency, passed))
        blocked = blocked or not passed
    fee = context.fee_bps
    fee_bps = policy.fee_bps if fee is None or not -1e4 < fee < 1e4 else fee

    # Signal: is it good enough?
    confidence, score = fusion.confidence, fusion.score
    side = 1 if score > 0.0 else -1 if score < 0.0 else 0
    quality_score = _quality(fusion, state, policy.max_age_s if stopped else age, policy)
    limit = policy.min_quality
    passed = quality_score >= limit
    reasons.append(Reason("quality", quality_score, limit, quality_score - limit, passed))
    blocked = blocked or not passed
    limit, detail = policy.min_confidence, ""
    if state.volatility is _HIGH and policy.volatile_raise:
        limit += policy.volatile_raise
        detail = f"raised by {policy.volatile_raise:g} for high volatility"
    shrink = policy.shrinkage
    if scorecard is not None:
        record = scorecard.get(FUSED)
        shrink = record.reliability(shrink)
        boast = record.trust * (record.confidence - record.hit_rate)
        if boast > 0.0:
            limit += boast
            detail += f"{', ' if detail else ''}raised by {boast:.3g} for past overconfidence"
    limit = min(1.0, limit)
    passed = confidence >= limit and side != 0
    margin = _margin(confidence - limit, passed)
    reasons.append(Reason("confidence", confidence, limit, margin, passed, detail))
    blocked = blocked or not passed

    fused = fusion.probabilities
    move = 0.0 if fused is None else fused[0] + fused[2]
    confident = max(confidence, 0.5)
    believed = 0.5 + shrink * (confident - 0.5)
    cost_bps = 2.0 * fee_bps + spread_bps  # in and out, each half a spread
    risk = _risk.assess(risk_values, confident, believed, move, cost_bps, not strangers, context, policy)
    edge = risk.expected_edge_bps
    if edge is not None:
        limit = policy.min_edge_bps
        passed = edge >= limit
        reasons.append(Reason("edge", edge, limit, edge - limit, passed, f"costs are {cost_bps:.3g} bps"))
        blocked = blocked or not passed

    # Permission.
    mode = _NORMAL
    allowed = not (stopped or blocked)
    if stopped:
        mode = _STOP
    elif reducing:
        mode = _REDUCE
        held = context.position * side
        shrinks = held < 0.0 and held > -HUGE
        number = held if -HUGE < held < HUGE else None
        reasons.append(Reason("reduce_only", number, 0.0, None if number is None else -number, shrinks))
        allowed = allowed and shrinks
        if allowed:
            risk = _risk.closing(risk, context)
    if allowed and mode is _NORMAL:
        size, contracts = risk.risk_adjusted_position_size, risk.contracts
        passed = size > 0.0
        if contracts is None:
            reasons.append(Reason("size", size, 0.0, size, passed, f"of equity, set by {risk.bound}"))
        else:
            limit = max(context.lot, context.min_size)
            passed = passed and contracts > 0.0
            margin = _margin(contracts - limit, passed)
            detail = f"contracts, set by {risk.bound}"
            reasons.append(Reason("size", contracts, limit, margin, passed, detail))
        allowed = passed
    if not allowed:
        risk = _risk.withheld(risk, risk.bound if reasons[-1].gate == "size" else None)

    if quality_score >= GOOD:
        quality = _Q_EXCELLENT if quality_score >= EXCELLENT else _Q_GOOD
    else:
        quality = _Q_FAIR if quality_score >= FAIR else _Q_POOR
    strong = allowed and confidence >= policy.strong_confidence and quality_score >= GOOD
    if not allowed:
        signal = _HOLD
    elif side > 0:
        signal = _STRONG_BUY if strong else _BUY
    else:
        signal = _STRONG_SELL if strong else _SELL
    execution = advise(
        side if allowed else 0, strong, edge, sigma, spread_bps, fee_bps, queue, risk.contracts, state,
        context, policy,
    )
    return Decision(
        f"{context.symbol}-{context.ts:x}-{context.sequence:x}", context.symbol, context.ts, context.as_of,
        age_ns, latency_ns, price if priced else None, signal, confidence, quality, quality_score, score,
        fusion.contributions, fusion.weights, fused, mode, state, risk, execution, tuple(reasons),
    )


# Gates that pass without a number to show are the same record every time.
_BOOK_FRESH = Reason("book_fresh", 1.0, 1.0, 0.0, True)
_BOOK_UNCROSSED = Reason("book_uncrossed", 1.0, 1.0, 0.0, True)
_PRICED = Reason("price", 1.0, 1.0, 0.0, True)
_UNPRICED = Reason("price", 0.0, 1.0, -1.0, False, "not a positive finite number")
_CALIBRATED = Reason("calibrated", 0.0, 0.0, 0.0, True)
_RISK_KNOWN = Reason("risk_known", 0.0, 0.0, 0.0, True)


def _margin(margin: float, passed: bool) -> float:
    """A margin whose sign cannot disagree with the verdict, where rounding or a second condition had a say.
    """
    return max(0.0, margin) if passed else min(0.0, margin)


def _quality(fusion: Fusion, state: Regime, age: float, policy: Policy) -> float:
    """0 to 1: the mean of a weighted mean of four doubts and the worst of them, so that one bad thing is not
    averaged away.
    """
    agreement, completeness = fusion.agreement, fusion.completeness
    limit = policy.max_age_s
    freshness = 1.0 - age / limit if limit > 0.0 else 0.0 if age > 0.0 else 1.0
    best = max(state.probabilities.numbers)
    clarity = 0.3 + 0.7 * min(1.0, max(0.0, (best - 1 / 7) / (0.8 - 1 / 7)))
    worst = min(agreement, completeness, freshness, clarity)
    return 0.5 * (0.35 * agreement + 0.25 * completeness + 0.20 * freshness + 0.20 * clarity + worst)
