"""Naive twins of the family `change`. Control charts are recursions by definition and written as such; whatever has a
window is recomputed from it."""

from __future__ import annotations

import numpy as np

from reference import twin
from reference.bars import before, centred, change, column, ema, flat, log_returns, over, share, unknown
from reference.dependence import spread_of_steps
from reference.distribution import move_size

MOST = 8
"""Deviations that one value may count."""


def standardised(bars, window):
    """Returns over the EWMA deviation of the bars before; after bars that stood a move counts 8 deviations."""
    r = log_returns(bars)
    forecast = before(ema(r * r, window))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(r == 0, 0, r / np.sqrt(forecast))
    return np.where(np.isnan(forecast), np.nan, np.clip(z, -MOST, MOST))


def page(x, usual, limit):
    """Sums up and down of x less what is usual, at least 0, from 0 again beyond the limit; bars since then."""
    result = np.full((len(x), 3), np.nan, np.longdouble)
    up = down = age = np.longdouble(0)
    for t in np.flatnonzero(~np.isnan(x)):
        up, down, age = max(up + x[t] - usual, 0), max(down - x[t] - usual, 0), age + 1
        if up > limit:
            up = age = np.longdouble(0)
        if down > limit:
            down = age = np.longdouble(0)
        result[t] = up, down, age
    return result


# Recursive averages, all of these.
@twin(decay=lambda window: 1 - 2 / (window + 1))
def cusum(bars, window):
    up, down, age = page(standardised(bars, window), 0.5, 5).T
    return np.column_stack([up, down, np.minimum(age, 10 * window)])


@twin(decay=lambda window: 1 - 2 / (window + 1))
def page_hinkley(bars, window):
    size = abs(standardised(bars, window))
    return page(size - before(ema(size, window)), 0.25, 10)[:, :2]


@twin(decay=lambda window: 1 - 2 / (window + 1))
def volume_cusum(bars, window):
    volume = column(bars, "volume")
    usual = before(ema(volume, window))
    with np.errstate(divide="ignore", invalid="ignore"):
        above = np.where(volume > 0, np.minimum(volume / usual - 1, MOST), -1)
    return page(np.where(np.isnan(usual), np.nan, above), 0.25, 10)[:, :2]


@twin(decay=lambda fast, slow: 1 - 2 / (max(fast, slow) + 1))
def ewma_chart(bars, fast, slow):
    a = np.longdouble(2) / (fast + 1)
    return ema(standardised(bars, slow), fast) / np.sqrt(a / (2 - a))


@twin(decay=lambda window: 1 - 2 / (window + 1))
def shiryaev_roberts(bars, window):
    z = standardised(bars, window)
    result = unknown(bars, 2)
    for side, sign in enumerate((1, -1)):
        r = np.longdouble(0)
        for t in np.flatnonzero(~np.isnan(z)):
            r = (1 + r) * np.exp(sign * z[t] / 2 - np.longdouble(1) / 8)
            if r > 1000:
                r = np.longdouble(0)
            result[t, side] = np.log(1 + r)
    return result


# ---- the newer half of a window against the older ----


def halves(function, half, x):
    """function(newer, older) of the last 2 half values."""
    return over(lambda w: function(w[:, half:], w[:, :half]), 2 * half, x)


def squares(w):
    return np.where(flat(w), 0, (centred(w) ** 2).sum(axis=1))


@twin()
def mean_shift(bars, half):
    def of(newer, older):
        variance = (squares(newer) + squares(older)) / (half - 1)
        return share(newer.mean(axis=1) - older.mean(axis=1), np.sqrt(variance / half), np.nan)

    return halves(of, half, log_returns(bars))


@twin()
def variance_shift(bars, half):
    def of(newer, older):
        return share(squares(newer) - squares(older), squares(newer) + squares(older), np.nan)

    return halves(of, half, log_returns(bars))


@twin()
def volume_shift(bars, half):
    def of(newer, older):
        a, b = newer.sum(axis=1), older.sum(axis=1)
        return share(a - b, a + b, np.nan)

    return halves(of, half, column(bars, "volume"))


def pairs_above(newer, older):
    result = np.zeros(len(newer), np.longdouble)
    for x in newer.T[:, :, None]:
        result += (older < x).sum(axis=1) + (older == x).sum(axis=1) / 2
    return result / newer.shape[1] ** 2


@twin()
def return_mann_whitney(bars, half):
    return halves(pairs_above, half, log_returns(bars))


@twin()
def move_mann_whitney(bars, half):
    return halves(pairs_above, half, move_size(bars))


@twin()
def volume_mann_whitney(bars, half):
    return halves(pairs_above, half, column(bars, "volume"))


# ---- a change at any place of the window ----


@twin()
def mean_break(bars, window):
    def of(w):
        spread = spread_of_steps(w)
        most = np.zeros(len(w), np.longdouble)
        for k in range(1, window):
            gone = abs(w[:, :k].sum(axis=1) - w.sum(axis=1) * k / np.longdouble(window))
            most = np.maximum(most, gone / np.sqrt(np.longdouble(k) * (window - k) / window))
        return share(most, spread, np.nan)

    return over(of, window, change(column(bars, "close")))


@twin()
def variance_break(bars, window):
    block = window // 20

    def of(w):
        sums = (w * w).reshape(len(w), 20, block).sum(axis=2)
        path = share(np.cumsum(sums, axis=1), sums.sum(axis=1, keepdims=True), np.nan)
        even = np.arange(1, 21) / np.longdouble(20)
        return abs(path - even).max(axis=1) * np.sqrt(np.longdouble(10 * block))

    return over(of, 20 * block, log_returns(bars))
