"""The rule filter that decided before the kernel `market_regime`: kept to be measured against in regimes.py.

Each bar gives every regime an evidence from fixed thresholds on eleven columns; a prior that regimes last is mixed in;
the name changes when another one is believed more than 0.6, or this one hardly at all. Nothing in it was fitted.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

COLUMNS = (
    "volatility_percentile_20_250", "efficiency_ratio_10", "efficiency_ratio_50", "adx_14", "di_14",
    "regression_slope_20", "regression_r2_20", "regression_slope_100", "regression_r2_100", "relative_volume_20",
    "donchian_20",
)  # fmt: skip
FLOOR, STAY, THRESHOLD = 0.05, 0.97, 0.6


def names(table: NDArray[np.float64]) -> NDArray[np.int64]:
    """Of rows of COLUMNS: which of the seven, -1 before anything is known."""
    out, believed, name = np.full(len(table), -1), np.full(7, 1 / 7), -1
    leave = (1 - STAY) / 6
    for t, row in enumerate(table):
        trend = _trend(*row[2:6], row[7])
        if np.isnan(trend) and np.isnan(row[0]):
            continue
        believed = (leave + (STAY - leave) * believed) * _evidence(trend, *row)
        believed /= believed.sum()
        best = int(believed.argmax())
        if name < 0 or not (believed[best] <= THRESHOLD and believed[name] >= 0.5 * (1 - THRESHOLD)):
            name = best
        out[t] = name
    return out


def _trend(er50: float, adx: float, di: float, slope20: float, slope100: float) -> float:
    """Signed strength, -1 to 1. A random walk has an efficiency of 0.11 over 50 bars and an ADX of 20: both count from
    there."""
    sign = weight = strength = count = 0.0
    for x, w in ((di, 1.0), (slope20, 1.0), (slope100, 0.5)):
        if x == x:
            sign += w * np.sign(x)
            weight += w
    if er50 == er50:
        strength += min(1.0, max(0.0, (er50 - 0.12) / 0.38))
        count += 1
    if adx == adx:
        strength += min(1.0, max(0.0, (adx - 20) / 25))
        count += 1
    return sign / weight * strength / count if weight and count else float("nan")


def _evidence(
    trend: float, percentile: float, er10: float, _er50: float, _adx: float, _di: float, slope20: float, r20: float,
    slope100: float, r100: float, relative: float, donchian: float,
) -> NDArray[np.float64]:  # fmt: skip
    def between(x: float, low: float, width: float) -> float:
        return min(1.0, max(0.0, (x - low) / width)) if x == x else 0.0

    t = trend if trend == trend else 0.0
    calm = 1 - abs(t)
    high, low = between(percentile, 0.65, 0.30), between(-percentile, -0.35, 0.30)
    fast, busy = between(er10, 0.30, 0.25), between(relative, 0.5, 1.5)
    edge = between(abs(2 * donchian - 1), 0.60, 0.30)
    turned = fast * sqrt(r20 * r100) if slope20 * slope100 < 0 and r20 == r20 and r100 == r100 else 0.0
    leaving = edge * fast
    calm *= 1 - max(leaving, turned)
    known = 0.7 if percentile == percentile else 0.35
    speaks = [
        max(t, 0) * (1 - turned), max(-t, 0) * (1 - turned), leaving * (0.5 + 0.5 * busy), turned,
        calm * (1 - high) * (1 - low) * known, calm * high, calm * low,
    ]  # fmt: skip
    return np.sqrt(FLOOR + np.array(speaks))
