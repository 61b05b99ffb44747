"""Regime by rules, with memory: a forward filter over seven names, and dead bands around the three
sub-labels.

Each bar gives every regime an evidence between a floor and one. The evidence of neighbouring bars is nearly
the same (the columns look back 10 to 250 bars), so its square root is taken, and a prior that regimes last is
mixed in. A name changes only when another one is believed more than the policy's threshold, or this one
hardly at all: in the peers' measurements that took flips per true switch from 5 to 1 for four bars of delay.
The function is pure: what it remembers is the record it returned last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isnan, sqrt
from typing import TypeVar

from smartcore.decide.decision import Condition, Parts, Regime, RegimeName, Trend, Volatility, Volume
from smartcore.decide.policy import Policy

NAMES = tuple(RegimeName)[:7]
KEYS = tuple(name.value for name in NAMES)
UNIFORM = Parts(KEYS, (1 / 7,) * 7)
FLOOR = 0.05
"""Evidence of a regime nothing speaks for: bounds what one bar can do."""
FADE = 0.8
"""Of the weight a bar's volume had, what is left a bar later."""

VOLATILITIES = (Volatility.LOW, Volatility.MEDIUM, Volatility.HIGH)
TRENDS = tuple(Trend)[:5]
VOLUMES = (Volume.LOW, Volume.NORMAL, Volume.HIGH)

# Bound once: looking a member up on its class costs 50 ns.
_UNKNOWN, _UP, _DOWN = RegimeName.UNKNOWN, RegimeName.TRENDING_UP, RegimeName.TRENDING_DOWN
_BREAKOUT, _RANGING, _QUIET = RegimeName.BREAKOUT, RegimeName.RANGING, RegimeName.QUIET
_HIGH, _LOW_VOLUME = Volatility.HIGH, Volume.LOW
_V_UNKNOWN, _T_UNKNOWN, _Q_UNKNOWN = Volatility.UNKNOWN, Trend.UNKNOWN, Volume.UNKNOWN
_STABLE, _WILD, _CHOPPY = Condition.TRENDING_STABLE, Condition.TRENDING_VOLATILE, Condition.CHOPPY
_CONSOLIDATING, _ILLIQUID, _C_UNKNOWN = Condition.CONSOLIDATING, Condition.ILLIQUID, Condition.UNKNOWN

Label = TypeVar("Label", bound=str)


def step(values: Sequence[float], spread: float, previous: Regime | None, bar: int, policy: Policy) -> Regime:
    """The regime after a bar. ``values``: those of ``inputs.REGIME``, NaN unknown; ``spread`` in bps, NaN
    unknown.

    Between bars (``bar`` as in ``previous``) the columns of bars stand still and only the condition is looked
    at again: to filter the same bar twice would count its evidence twice.
    """
    wide = spread > policy.max_spread_bps / 2
    if previous is not None and bar >= 0 and previous.bar == bar:
        condition = _condition(previous.name, previous.volatility, previous.volume, wide)
        return previous if condition == previous.condition else replace(previous, condition=condition)
    percentile, er10, er50, adx, di, slope20, r20, slope100, r100, relative, donchian = values
    trend = _trend(er50, adx, di, slope20, slope100)
    bars = 1 if previous is None or bar < 0 or previous.bar < 0 else max(1, bar - previous.bar)

    band = policy.band
    if previous is None:
        was_v, was_t, was_q = _V_UNKNOWN, _T_UNKNOWN, _Q_UNKNOWN
    else:
        was_v, was_t, was_q = previous.volatility, previous.trend, previous.volume
    volatility = _level(percentile, (0.30, 0.75), band, VOLATILITIES, was_v, _V_UNKNOWN)
    direction = _level(trend, (-0.5, -0.2, 0.2, 0.5), band, TRENDS, was_t, _T_UNKNOWN)
    # One bar's volume says little: faded, the three labels changed 17 instead of 49 times in 100 minutes.
    activity = None if previous is None else previous.activity
    if relative == relative:
        activity = relative if activity is None else activity + (1.0 - FADE**bars) * (relative - activity)
    seen = relative if activity is None else activity
    volume = _level(seen, (0.70, 1.50), 2.0 * band, VOLUMES, was_q, _Q_UNKNOWN)

    known = not (isnan(trend) and isnan(percentile))
    if not known:
        condition = _condition(_UNKNOWN, volatility, volume, wide)
        return Regime(_UNKNOWN, volatility, direction, volume, condition, UNIFORM, 0, 6 / 7, activity, bar)
    believed = UNIFORM.numbers if previous is None else previous.probabilities.numbers
    stay = policy.regime_stay if bars == 1 else policy.regime_stay**bars
    leave = (1.0 - stay) / 6.0
    keep = stay - leave
    evidence = _evidence(percentile, trend, er10, slope20, r20, slope100, r100, relative, donchian)
    joint = [(leave + keep * p) * e for p, e in zip(believed, evidence, strict=True)]
    total = sum(joint)
    probabilities = tuple([p / total for p in joint])

    best = max(probabilities)
    name = NAMES[probabilities.index(best)]
    age = 0
    was = _UNKNOWN if previous is None else previous.name
    if previous is not None and was is not _UNKNOWN:
        here, threshold = probabilities[NAMES.index(was)], policy.switch_threshold
        if name is was or (best <= threshold and here >= 0.5 * (1.0 - threshold)):
            name, age = was, previous.age + bars
    here = probabilities[NAMES.index(name)]
    leave = (1.0 - policy.regime_stay) / 6.0
    switch = 1.0 - (leave + (policy.regime_stay - leave) * here)
    condition = _condition(name, volatility, volume, wide)
    parts = Parts(KEYS, probabilities)
    return Regime(name, volatility, direction, volume, condition, parts, age, switch, activity, bar)


def _trend(er50: float, adx: float, di: float, slope20: float, slope100: float) -> float:
    """Signed strength, -1 to 1; NaN where no column says anything. A random walk gives about 0.

    R2 of a regression is no evidence of a trend: on a random walk over 100 bars it averages 0.4. Efficiency
    there is about 0.11 over 50 bars and ADX about 20, so strength is counted from there.
    """
    sign = weight = strength = count = 0.0
    for x, w in ((di, 1.0), (slope20, 1.0), (slope100, 0.5)):
        if x == x:
            sign += w if x > 0 else -w if x < 0 else 0.0
            weight += w
    if er50 == er50:
        strength += min(1.0, max(0.0, (er50 - 0.12) / 0.38))
        count += 1.0
    if adx == adx:
        strength += min(1.0, max(0.0, (adx - 20.0) / 25.0))
        count += 1.0
    return sign / weight * strength / count if weight and count else float("nan")


def _evidence(
    percentile: float, trend: float, er10: float, slope20: float, r20: float, slope100: float, r100: float,
    relative: float, donchian: float,
) -> list[float]:
    """Square roots of the evidence of the seven regimes, in the order of NAMES. What is unknown speaks for
    nothing.
    """
    t = trend if trend == trend else 0.0
    strength = abs(t)
    calm = 1.0 - strength
    high = min(1.0, max(0.0, (percentile - 0.65) / 0.30)) if percentile == percentile else 0.0
    low = min(1.0, max(0.0, (0.35 - percentile) / 0.30)) if percentile == percentile else 0.0
    fast = min(1.0, max(0.0, (er10 - 0.30) / 0.25)) if er10 == er10 else 0.0
    busy = min(1.0, max(0.0, (relative - 0.5) / 1.5)) if relative == relative else 0.0
    edge = min(1.0, max(0.0, (abs(2.0 * donchian - 1.0) - 0.60) / 0.30)) if donchian == donchian else 0.0
    turned = fast * sqrt(r20 * r100) if slope20 * slope100 < 0.0 and r20 == r20 and r100 == r100 else 0.0
    leaving = edge * fast
    breakout = leaving * (0.5 + 0.5 * busy)
    # A market on its way out of its range is in neither a range nor a calm, whatever the slow columns still
    # say.
    calm *= 1.0 - max(leaving, turned)
    floor = FLOOR
    return [
        sqrt(floor + (t if t > 0.0 else 0.0) * (1.0 - turned)),
        sqrt(floor + (-t if t < 0.0 else 0.0) * (1.0 - turned)),
        sqrt(floor + breakout),
        sqrt(floor + turned),
        sqrt(floor + calm * (1.0 - high) * (1.0 - low) * (0.7 if percentile == percentile else 0.35)),
        sqrt(floor + calm * high),
        sqrt(floor + calm * low),
    ]


def _level(
    x: float, borders: tuple[float, ...], band: float, labels: tuple[Label, ...], was: Label, unknown: Label
) -> Label:
    """The label of x among ordered labels; one border is crossed only when x is past it by the dead band."""
    if x != x:
        return unknown
    if was is unknown:
        i = 0
        while i < len(borders) and x > borders[i]:
            i += 1
        return labels[i]
    i = labels.index(was)
    while i < len(borders) and x > borders[i] + band:
        i += 1
    while i > 0 and x < borders[i - 1] - band:
        i -= 1
    return labels[i]


def _condition(name: RegimeName, volatility: Volatility, volume: Volume, wide: bool) -> Condition:
    if wide:
        return _ILLIQUID
    if name is _UNKNOWN:
        return _C_UNKNOWN
    if name is _UP or name is _DOWN or name is _BREAKOUT:
        return _WILD if volatility is _HIGH or name is _BREAKOUT else _STABLE
    if name is _QUIET or (name is _RANGING and volume is _LOW_VOLUME):
        return _CONSOLIDATING
    return _CHOPPY
