"""How to enter: what crossing costs against what waiting costs, with the latency that was measured.

One-sided slippage is half the spread, plus what the size eats beyond the touch, plus the move during the
latency, which has mean zero and a deviation of sigma x sqrt(latency). The tolerance is a quantile of that
sum.
"""

from __future__ import annotations

from math import ceil, sqrt

from smartcore.decide.decision import (
    Condition,
    EntryMethod,
    Execution,
    Regime,
    Timing,
    Urgency,
    Volume,
)
from smartcore.decide.inputs import Context
from smartcore.decide.policy import Policy

_MARKET, _LIMIT, _PASSIVE, _NO_ENTRY = EntryMethod
_URGENT, _NORMAL, _PATIENT = Urgency.URGENT, Urgency.NORMAL, Urgency.PATIENT
_NOW, _VOLUME, _SPREAD = Timing.IMMEDIATE, Timing.WAIT_FOR_VOLUME, Timing.WAIT_FOR_SPREAD
_ILLIQUID, _LOW_VOLUME = Condition.ILLIQUID, Volume.LOW
SHARE = {_URGENT: 0.1, _NORMAL: 0.25, _PATIENT: 0.5}
"""Part of the alpha's half-life that entering may take."""


def advise(
    side: int, strong: bool, edge_bps: float | None, sigma: float, spread_bps: float, fee_bps: float,
    queue: float, contracts: float | None, regime: Regime, context: Context, policy: Policy,
) -> Execution:
    """``side`` +1 buy, -1 sell, 0 HOLD (then only costs and timing say something). ``queue``: imbalance at
    the touch, NaN unknown.
    """
    half = spread_bps / 2.0
    latency = context.latency_ns
    drift = 0.0
    if latency is not None and latency > 0 and sigma == sigma:
        drift = 1e4 * sigma * sqrt(min(1e6, latency / context.bar_ns))
    touch = context.ask_size if side > 0 else context.bid_size if side < 0 else None
    wanted = contracts if contracts is not None else 0.0
    slices, beyond = 1, 0.0
    if touch is not None and 0.0 < touch < 1e300 and wanted > 0.0:
        slices = max(1, min(policy.max_slices, ceil(min(1e9, wanted / (policy.participation * touch)))))
        # Each level beyond the touch is taken to be as deep as the touch, half a spread further on.
        beyond = half * min(100.0, max(0.0, wanted / slices / touch - 1.0))
    slippage = half + beyond
    # The spread itself moves between quote and fill: allow a deviation of half of its half.
    tolerance = slippage + policy.z * sqrt(drift * drift + 0.25 * half * half)

    decay = 1.0 - 0.5 ** (1.0 / policy.half_life)
    waiting = decay * edge_bps if edge_bps is not None and edge_bps > 0.0 else 0.0
    pressure = side * queue if queue == queue else 0.0
    illiquid = regime.condition is _ILLIQUID
    if side == 0:
        urgency, method = _PATIENT, _NO_ENTRY
    elif strong or waiting > 2.0 * half or pressure > 0.6:
        urgency, method = _URGENT, _LIMIT if illiquid else _MARKET
    elif waiting > half or pressure > 0.2:
        urgency, method = _NORMAL, _LIMIT
    else:
        # An order that cannot be pulled before the market has moved a half-spread is picked off: do not rest
        # it.
        urgency, method = _PATIENT, _LIMIT if drift > half else _PASSIVE
    timing = _NOW
    if urgency is not _URGENT:
        if illiquid:
            timing = _SPREAD
        elif regime.volume is _LOW_VOLUME:
            timing = _VOLUME
    # A passive fill saves the half-spread and pays it back in adverse selection: on average nothing is
    # earned.
    cost = fee_bps + (0.0 if method is _PASSIVE else slippage)
    minutes = SHARE[urgency] * policy.half_life * context.bar_ns / 6e10
    return Execution(method, urgency, timing, tolerance / 100.0, cost, minutes, slices)
