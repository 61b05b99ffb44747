"""Labels: what the price did next, and which of three classes that is; and what a labelled row should count.

    what it asks                                    in nanoseconds     in rows
    the price at the end of a horizon to now        fixed_horizon      fixed_rows
    the mean price late in a horizon to now         smoothed           smoothed_rows
    the same to the mean of the rows before         -                  leaky_smoothed_rows
    which of three barriers is met first            triple_barrier     triple_barrier(in_rows=True)

All but one are anchored at the price *now*. ``leaky_smoothed_rows``, the rule of the published order-book tables, is
not: "now minus the trailing mean" is part of what it asks for and stands in the input. On a pure random walk a logistic
regression gets 57 % of its three classes right, and repeating the last label that is over scores nearly what a
published net does (Lee, 2024, arXiv:2409.14157). Use it for nothing but those tables, beside both controls.

``ts`` is int64 nanoseconds, increasing; ``price`` is what was known at ``ts``. A label is NaN (class -1) where its
horizon reaches past the end, so a longer recording changes no label that was there. Thresholds are fitted on training
data only: published code that fits them on each part balances the classes of the test with its own future.

Weights are another matter: how many labels share a return is a property of the whole recording. Source of triple
barrier and weights: López de Prado, Advances in Financial Machine Learning (2018), chapters 3 and 4.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

UNKNOWN = -1

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


# --- moves: log returns, NaN where not known ------------------------------------------------------


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


def fixed_rows(price: Floats, horizon: int) -> Floats:
    """Log return from now to the price ``horizon`` rows later. (n,) float64."""
    _window(horizon, 1)
    out = np.full(len(price), np.nan)
    if horizon < len(price):
        out[:-horizon] = np.log(price[horizon:] / price[:-horizon])
    return out


def smoothed_rows(price: Floats, horizon: int, window: int = 0) -> Floats:
    """Log of the mean price over the last ``window`` of the next ``horizon`` rows, to the price now. (n,) float64.

    ``window`` 0: over all of them, the forward mean of FI-2010 (Ntakaris et al., 2018, arXiv:1705.03233).
    """
    window = window or horizon
    _window(horizon, window)
    return _means(price, horizon, window, 1)


def leaky_smoothed_rows(price: Floats, horizon: int, window: int = 0) -> Floats:
    """Log of the mean price over the last ``window`` of the next ``horizon`` rows, to the mean of the last ``window``
    rows, this one included. (n,) float64; NaN in the first rows too.

    LEAKS: half of the answer is in the input (see the top of this file). ``window`` 0, the horizon: Tsantekidis et al.
    (2017, arXiv:1709.07758) and DeepLOB (Zhang, Zohren, Roberts, 2019, arXiv:1808.03668); 10: TLOB (Berti, Kasneci,
    2025, arXiv:2502.15757).
    """
    window = window or horizon
    _window(horizon, window)
    return _means(price, horizon, window, window)


@numba.njit
def _means(price: NDArray[np.float64], horizon: int, ahead: int, behind: int) -> NDArray[np.float64]:
    n = len(price)
    out = np.full(n, np.nan)
    for i in range(behind - 1, n - horizon):
        future = price[i + horizon - ahead + 1 : i + horizon + 1].mean()
        out[i] = np.log(future / price[i - behind + 1 : i + 1].mean())
    return out


def _window(horizon: int, window: int) -> None:
    if not 1 <= window <= horizon:
        raise ValueError(f"a horizon of {horizon} rows and a mean of {window}: 1 <= mean <= horizon")


# --- classes --------------------------------------------------------------------------------------


def thresholds(returns: NDArray[np.float64], flat: float = 1 / 3) -> tuple[float, float]:
    """(-x, x) such that a share ``flat`` of these returns is no larger than x. Fit it on training data only.

    Symmetric, so that a training period that rose does not make "flat" mean "rising". Where many returns are
    exactly zero x may be zero too: then "flat" is "unchanged", whatever share that is.
    """
    x = float(np.quantile(np.abs(returns[np.isfinite(returns)]), flat))
    return -x, x


def half_mean_thresholds(returns: NDArray[np.float64]) -> tuple[float, float]:
    """(-x, x), x half the mean size of these returns: TLOB's. Fit it on training data only, which its code does not."""
    x = float(np.abs(returns[np.isfinite(returns)]).mean() / 2)
    return -x, x


def classify(returns: NDArray[np.float64], low: float, high: float) -> NDArray[np.int8]:
    """0 down (below ``low``), 1 flat, 2 up (above ``high``), -1 not known. (n,) int8."""
    out = np.ones(len(returns), np.int8)
    out[returns < low] = 0
    out[returns > high] = 2
    out[~np.isfinite(returns)] = UNKNOWN
    return out


# --- barriers -------------------------------------------------------------------------------------


class Barriers(NamedTuple):
    """What was met first, for every row; (n,) each."""

    label: NDArray[np.int8]
    """0 the lower barrier (a loss), 1 none before the horizon was over, 2 the upper (a gain), -1 not known."""
    last: Rows
    """Row of the touch, or the last row within the horizon; -1 not known."""
    time: Rows
    """Nanoseconds of the touch, or where the horizon ended; -1 not known."""
    move: Floats
    """Log return up to it, times the side; NaN not known."""

    @property
    def meta(self) -> NDArray[np.int8]:
        """The meta-label: 1 where the bet on the given side gained, 0 where not, -1 not known. Two classes."""
        return np.where(np.isfinite(self.move), self.move > 0, UNKNOWN).astype(np.int8)


def triple_barrier(
    ts: Rows,
    price: Floats,
    horizon: int,
    upper: float,
    lower: float,
    unit: Floats | None = None,
    side: NDArray[np.integer] | None = None,
    in_rows: bool = False,
) -> Barriers:
    """The first of a gain of ``upper``, a loss of ``lower`` and the end of the horizon.

    upper, lower: log returns, positive, inf for no such barrier; multiples of ``unit`` (n,) where that is given, a
    volatility known at each row (as log return over about the horizon: a volatility a row times the root of the rows).
    horizon: nanoseconds, or rows. side: of a bet on each row, 1 long, -1 short (gain and loss are its own), 0 none
    (not known); then :attr:`Barriers.meta` says whether to take it.

    A touch is known when it happened, though the horizon may reach past the end of the recording. Rows without a
    finite price or unit are not known; neither is one whose horizon ends at an unknown price.
    """
    if not (upper > 0 and lower > 0 and horizon > 0):
        raise ValueError(f"barriers at {upper} and {lower} over {horizon}: all have to be positive")
    n = len(ts)
    clock = np.arange(n, dtype=np.int64) if in_rows else ts
    width = np.ones(n) if unit is None else np.asarray(unit, np.float64)
    bet = np.ones(n, np.int64) if side is None else np.asarray(side, np.int64)
    label, last, move = _barriers(clock, price, horizon, upper, lower, width, bet)
    time = np.where(last < 0, UNKNOWN, ts[last])
    if not in_rows:
        time = np.where(label == 1, ts + horizon, time)
    return Barriers(label, last, time, move)


@numba.njit
def _barriers(
    clock: NDArray[np.int64],
    price: NDArray[np.float64],
    horizon: int,
    upper: float,
    lower: float,
    unit: NDArray[np.float64],
    side: NDArray[np.int64],
) -> tuple[NDArray[np.int8], NDArray[np.int64], NDArray[np.float64]]:
    n = len(clock)
    label, last, found = np.full(n, -1, np.int8), np.full(n, -1, np.int64), np.full(n, np.nan)
    for i in range(n):
        if side[i] == 0 or not np.isfinite(price[i]) or not np.isfinite(unit[i]):
            continue
        end = clock[i] + horizon
        gain, loss = upper * unit[i], -lower * unit[i]
        j, move = i, 0.0
        while j + 1 < n and clock[j + 1] <= end:
            j += 1
            move = np.log(price[j] / price[i]) * side[i]
            if move >= gain or move <= loss:  # never so for NaN
                label[i], last[i], found[i] = (2 if move >= gain else 0), j, move
                break
        if label[i] < 0 and clock[n - 1] >= end and np.isfinite(move):
            label[i], last[i], found[i] = 1, j, move
    return label, last, found


# --- weights: what a row should count, for labels that overlap ------------------------------------


def last_rows(ts: Rows, horizon: int) -> Rows:
    """The last row within ``horizon`` nanoseconds of each; -1 where that reaches past the end. (n,) int64."""
    last = np.searchsorted(ts, ts + horizon, side="right") - 1
    return np.where(ts + horizon <= ts[-1:], last, UNKNOWN).astype(np.int64)


@numba.njit
def concurrency(last: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many labels are made of the return into each row. (n,) int64.

    The label of row i is made of the returns into rows i + 1 to ``last[i]``; none where that is -1. (The book counts
    row i as well, by which labels of adjacent bars that share nothing would be half unique.)
    """
    n = len(last)
    change = np.zeros(n + 1, np.int64)
    for i in range(n):
        if last[i] > i:
            change[i + 1] += 1
            change[last[i] + 1] -= 1
    return np.cumsum(change)[:n]


@numba.njit
def uniqueness(last: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean of 1 / concurrency over the returns of each label: the share of it that is its own. (n,) float64; 0 where
    there is no label."""
    n = len(last)
    count = concurrency(last)
    out = np.zeros(n)
    for i in range(n):
        if last[i] > i:
            out[i] = (1.0 / count[i + 1 : last[i] + 1]).mean()
    return out


@numba.njit
def return_attribution(price: NDArray[np.float64], last: NDArray[np.int64]) -> NDArray[np.float64]:
    """Size of the sum of each label's log returns, each divided by its concurrency, with mean 1 over labels. (n,).

    A row counts as much as it moved on its own. Returns at unknown prices count nothing; 0 where there is no label.
    """
    n = len(last)
    count = concurrency(last)
    share = np.zeros(n)
    for t in range(1, n):
        move = np.log(price[t] / price[t - 1])
        if count[t] > 0 and np.isfinite(move):
            share[t] = move / count[t]
    out = np.zeros(n)
    labels = 0
    for i in range(n):
        if last[i] > i:
            out[i] = np.abs(share[i + 1 : last[i] + 1].sum())
            labels += 1
    total = out.sum()
    return out * (labels / total) if total > 0 else out


def time_decay(unique: Floats, oldest: float = 0.5) -> Floats:
    """Weights that fall linearly with the uniqueness that came after, from 1 at the newest to ``oldest``. (n,).

    Age is measured in unique labels, not in rows: a burst of overlapping ones is one age. Below 0, the share
    ``-oldest`` of the oldest counts nothing; 1 is no decay.
    """
    if not -1 < oldest <= 1:
        raise ValueError(f"the oldest label counts {oldest}: above -1, at most 1")
    seen = np.cumsum(unique)
    if not len(seen) or seen[-1] == 0:
        return np.zeros(len(seen))
    slope = (1 - oldest) / seen[-1] if oldest >= 0 else 1 / ((oldest + 1) * seen[-1])
    return np.maximum(1 + slope * (seen - seen[-1]), 0.0)
