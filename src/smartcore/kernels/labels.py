"""Labels: what the price did next, and which of three classes that is.

All are anchored at the price *now*. The other usual label, a forward mean against a trailing mean, looks
learnable on a pure random walk (57% of three classes, for "now minus the trailing mean" is visible in the
input), so it is not offered.

``ts`` is int64 nanoseconds, increasing; ``price`` is what was known at ``ts``. A label is NaN (class -1)
where its horizon reaches past the end, so a longer recording changes no label that was there.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

UNKNOWN = -1


@numba.njit
def fixed_horizon(ts: NDArray[np.int64], price: NDArray[np.float64], horizon: int) -> NDArray[np.float64]:
    """Log return from now to the last price known ``horizon`` nanoseconds later. (n,) float64."""
    n = len(ts)
    out = np.full(n, np.nan)
    j = 0
    for i in range(n):
        end = ts[i] + horizon
        if ts[n - 1] < end:
            break
        j = max(j, i)
        while j + 1 < n and ts[j + 1] <= end:
            j += 1
        out[i] = np.log(price[j] / price[i])
    return out


@numba.njit
def smoothed(ts: NDArray[np.int64], price: NDArray[np.float64], horizon: int, window: int) -> NDArray[np.float64]:
    """Log of the mean price over the last ``window`` nanoseconds of the horizon, to the price now. (n,) float64.

    The mean is over the samples in (ts + horizon - window, ts + horizon]; NaN where there is none.
    """
    n = len(ts)
    out = np.full(n, np.nan)
    for i in range(n):
        end = ts[i] + horizon
        if ts[n - 1] < end:
            break
        first = np.searchsorted(ts, end - window, side="right")
        last = np.searchsorted(ts, end, side="right")
        if last > first:
            out[i] = np.log(price[first:last].mean() / price[i])
    return out


def thresholds(returns: NDArray[np.float64], flat: float = 1 / 3) -> tuple[float, float]:
    """(-x, x) such that a share ``flat`` of these returns is no larger than x. Fit it on training data only.

    Symmetric, so that a training period that rose does not make "flat" mean "rising". Where many returns are
    exactly zero x may be zero too: then "flat" is "unchanged", whatever share that is.
    """
    x = float(np.quantile(np.abs(returns[np.isfinite(returns)]), flat))
    return -x, x


def classify(returns: NDArray[np.float64], low: float, high: float) -> NDArray[np.int8]:
    """0 down (below ``low``), 1 flat, 2 up (above ``high``), -1 not known. (n,) int8."""
    out = np.ones(len(returns), np.int8)
    out[returns < low] = 0
    out[returns > high] = 2
    out[~np.isfinite(returns)] = UNKNOWN
    return out
