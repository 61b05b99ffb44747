"""How much may be lost, and how much to hold: VaR, Kelly, then the caps in order, and which of them bound.

The order is Kelly x multiplier, drawdown cap, VaR cap, position cap, contracts, exchange minimum. Each can
only lower the size.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, sqrt

from smartcore.decide.decision import Bound, Risk, RiskLevel
from smartcore.decide.inputs import Context
from smartcore.decide.policy import Policy

_NONE, _UNCALIBRATED, _UNKNOWN_RISK, _KELLY = Bound.NONE, Bound.UNCALIBRATED, Bound.UNKNOWN_RISK, Bound.KELLY
_DRAWDOWN, _VAR, _POSITION = Bound.DRAWDOWN, Bound.VAR, Bound.POSITION
_CONTRACTS, _EXCHANGE, _REDUCE_ONLY = Bound.CONTRACTS, Bound.EXCHANGE, Bound.REDUCE_ONLY
_LOW, _MEDIUM, _HIGH = RiskLevel.LOW, RiskLevel.MEDIUM, RiskLevel.HIGH
_EXTREME, _UNKNOWN = RiskLevel.EXTREME, RiskLevel.UNKNOWN

UNKNOWN = Risk(None, None, None, None, None, None, 0.0, None, _UNKNOWN_RISK, None, None, None, None, _UNKNOWN)
EXCURSION_95 = 1.959963984540054
"""95 % quantile of the deepest point of a driftless Brownian path, in deviations at its end: by reflection
that of |N(0, 1)|.
"""


def payoff(p: float, move: float, stop: float, target: float, cost: float) -> tuple[float, float]:
    """(mean return, Kelly fraction) of a trade with these stop and target distances, fractions of price.

    ``p``: probability that the direction is right given a move; ``move``: probability of a move. ``cost``:
    both sides.

    A forecaster who knows nothing reaches a target before a stop with odds stop/target: moving the target
    away earns nothing. What the forecast knows multiplies those odds by p / (1 - p). Without a move the costs
    are lost and nothing else. Kelly is the mean over the mean square: exact for even bets, the first two
    terms of log growth otherwise. It is returned as the fraction of equity lost at the stop, so for stop =
    target and no cost it is p - (1 - p), as in the textbook.
    """
    right, wrong = p * stop, (1.0 - p) * target
    hit = right / (right + wrong)
    win, loss = target - cost, stop + cost
    mean = move * (hit * win - (1.0 - hit) * loss) - (1.0 - move) * cost
    square = move * (hit * win * win + (1.0 - hit) * loss * loss) + (1.0 - move) * cost * cost
    if not (mean > 0.0 and square > 0.0):
        return mean, 0.0
    return mean, min(1.0, mean / square * loss)


def assess(
    values: Sequence[float], confidence: float, believed: float, move: float, cost_bps: float,
    calibrated: bool, context: Context, policy: Policy,
) -> Risk:
    """Everything about risk as if the trade leant to were allowed. ``values``: those of ``inputs.RISK``, NaN
    unknown.

    ``confidence`` prices the edge, ``believed`` (shrunk) sizes it; ``cost_bps`` is that of both sides. VaR
    grows with the square root of the horizon, which overstates a market that reverts and understates one that
    trends.
    """
    sigma, var_95, var_99, es_95, es_99 = values
    if sigma != sigma:
        return UNKNOWN
    root = sqrt(policy.horizon)
    deviation = sigma * root
    var_95, var_99, es_95, es_99 = var_95 * root, var_99 * root, es_95 * root, es_99 * root
    stop, target = policy.stop_sigmas * deviation, policy.target_sigmas * deviation
    cost = cost_bps * 1e-4
    edge, _ = payoff(confidence, move, stop, target, cost)
    _, kelly = payoff(believed, move, stop, target, cost)

    drawdown, equity = context.drawdown, context.equity
    known = var_99 == var_99 and drawdown == drawdown
    size, bound = 0.0, _KELLY
    contracts: float | None = None
    if not calibrated:
        bound = _UNCALIBRATED
    elif not known:
        bound = _UNKNOWN_RISK
    else:
        lost = max(stop, stop + cost)  # a rebate does not make a stop cheaper
        size = policy.kelly_multiplier * kelly / lost
        cap = policy.drawdown_share * max(0.0, policy.max_drawdown - drawdown) / lost
        if cap < size:
            size, bound = cap, _DRAWDOWN
        cap = policy.max_var / var_99
        if cap < size:
            size, bound = cap, _VAR
        if policy.max_position < size:
            size, bound = policy.max_position, _POSITION
    if equity is not None and not 0.0 < equity < 1e300:
        size, bound, contracts = 0.0, _UNKNOWN_RISK, 0.0
    elif equity is not None:
        contracts = 0.0
        unit = context.price * context.multiplier / equity
        if size > 0.0 and not 1e-300 < unit < 1e300:
            size, bound = 0.0, _UNKNOWN_RISK
        elif size > 0.0:
            contracts = size / unit
            if policy.max_contracts < contracts:
                contracts, bound = policy.max_contracts, _CONTRACTS
            lots = contracts / context.lot
            if lots < 1e15:  # beyond, every double is a whole number of lots
                contracts = floor(lots + 1e-9) * context.lot
            if not (contracts > 0.0 and contracts >= context.min_size):
                contracts, bound = 0.0, _EXCHANGE
            size = contracts * unit
    return Risk(
        _known(min(1.0, var_95)), _known(min(1.0, var_99)), _known(min(1.0, es_95)), _known(min(1.0, es_99)),
        min(1.0, EXCURSION_95 * deviation), kelly if calibrated else None, size, contracts, bound, stop,
        target, target / stop, edge * 1e4, _level(es_99, drawdown, policy),
    )


def withheld(risk: Risk, bound: Bound | None = None) -> Risk:
    """The same risk with nothing to hold, for a decision that is HOLD. The bound stays where it is what
    refused the size.
    """
    if bound is None:
        bound = risk.bound if risk.bound in (_UNCALIBRATED, _UNKNOWN_RISK, _EXCHANGE) else _NONE
    return _resized(risk, 0.0, None if risk.contracts is None else 0.0, bound)


def closing(risk: Risk, context: Context) -> Risk:
    """The size of a trade that may only reduce: the position held, all of it. The fraction is 0 where equity
    is unknown.
    """
    contracts = abs(context.position)
    equity = context.equity
    size = 0.0
    if equity is not None and 0.0 < equity < 1e300:
        size = contracts * context.price * context.multiplier / equity
        size = size if size < 1e300 else 0.0
    return _resized(risk, size, contracts, _REDUCE_ONLY)


def _resized(r: Risk, size: float, contracts: float | None, bound: Bound) -> Risk:
    return Risk(  # spelled out: dataclasses.replace takes ten times as long
        r.var_95, r.var_99, r.es_95, r.es_99, r.max_adverse_excursion, r.kelly_fraction, size, contracts,
        bound, r.stop_distance, r.target_distance, r.reward_to_risk, r.expected_edge_bps, r.risk_level,
    )


def _known(x: float) -> float | None:
    return x if x == x else None


def _level(es_99: float, drawdown: float, policy: Policy) -> RiskLevel:
    """By the larger of two uses: of the VaR limit by a full position's ES99, and of the drawdown budget."""
    if es_99 != es_99 or drawdown != drawdown:
        return _UNKNOWN
    use, spent = es_99 * policy.max_position / policy.max_var, drawdown / policy.max_drawdown
    if use >= 2.0 or spent >= 1.0:
        return _EXTREME
    if use >= 1.0 or spent >= 0.8:
        return _HIGH
    if use >= 0.5 or spent >= 0.5:
        return _MEDIUM
    return _LOW
