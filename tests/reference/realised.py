"""Naive twins of the family `realised`: sums of products of returns, each window cut out and added up at every bar."""

from __future__ import annotations

import numpy as np

from reference import twin
from reference.bars import before, centred, column, ema, flat, log_ratio, log_returns, over, share

PI = np.longdouble("3.14159265358979323846264338327950288")
TERMS = 3
"""Returns before the first of a window that all sums of this family wait for."""


def sums(bars, window, function):
    """Of function(r[t], r[t-1], r[t-2], r[t-3]) over the last `window` bars."""
    r = log_returns(bars)
    past = [before(r, k) for k in range(1 + TERMS)]
    term = np.where(np.isnan(past[-1]), np.nan, function(*past))
    return over(lambda w: w.sum(axis=1), window, term)


def realised_variance(bars, window):
    return sums(bars, window, lambda a, b, c, d: a * a)


def bipower_variation(bars, window):
    return PI / 2 * sums(bars, window, lambda a, b, c, d: abs(a) * abs(b))


def quad_power_quarticity(bars, window):
    return window * (PI / 2) ** 2 * sums(bars, window, lambda a, b, c, d: abs(a * b * c * d))


@twin()
def bipower_volatility(bars, window):
    return np.sqrt(bipower_variation(bars, window))


@twin()
def jump_share(bars, window):
    return 1 - share(bipower_variation(bars, window), realised_variance(bars, window), np.nan)


@twin()
def medrv(bars, window):
    middle = sums(bars, window, lambda a, b, c, d: np.median([abs(a), abs(b), abs(c)], axis=0) ** 2)
    return share(PI / (6 - 4 * np.sqrt(np.longdouble(3)) + PI) * middle, realised_variance(bars, window), np.nan)


@twin()
def minrv(bars, window):
    least = sums(bars, window, lambda a, b, c, d: np.minimum(abs(a), abs(b)) ** 2)
    return share(PI / (PI - 2) * least, realised_variance(bars, window), np.nan)


@twin()
def quarticity(bars, window):
    return share(np.sqrt(quad_power_quarticity(bars, window)), bipower_variation(bars, window), np.nan)


@twin()
def bns_jump(bars, window):
    theta = PI**2 / 4 + PI - 5
    uneven = share(quad_power_quarticity(bars, window), bipower_variation(bars, window) ** 2, 1)
    return jump_share(bars, window) / np.sqrt(theta / window * np.maximum(uneven, 1))


@twin()
def signed_jump(bars, window):
    rises = sums(bars, window, lambda a, b, c, d: np.where(a > 0, a * a, 0))
    falls = sums(bars, window, lambda a, b, c, d: np.where(a < 0, a * a, 0))
    return share(rises - falls, realised_variance(bars, window), np.nan)


@twin()
def realised_skewness(bars, window):
    cubes = sums(bars, window, lambda a, b, c, d: a**3)
    return share(np.sqrt(np.longdouble(window)) * cubes, realised_variance(bars, window) ** 1.5, np.nan)


@twin()
def realised_kurtosis(bars, window):
    fourths = sums(bars, window, lambda a, b, c, d: a**4)
    return share(window * fourths, realised_variance(bars, window) ** 2, np.nan)


@twin()
def lee_mykland(bars, window):
    return share(log_returns(bars), np.sqrt(before(bipower_variation(bars, window)) / window), np.nan)


@twin()
def jump_rate(bars, window, of):
    begun = ~np.isnan(before(bipower_variation(bars, of)))
    jump = np.where(begun, abs(np.nan_to_num(lee_mykland(bars, of))) > 3, np.nan)
    return over(lambda w: w.mean(axis=1), window, jump.astype(np.longdouble))


@twin()
def volatility_of_volatility(bars, window, history):
    r = log_returns(bars)
    level = over(lambda w: np.sqrt((w * w).sum(axis=1)), window, r)
    return over(lambda w: share(np.sqrt((centred(w) ** 2).mean(axis=1)), w.mean(axis=1), np.nan), history, level)


# Recursive averages.
@twin(decay=lambda fast, slow: 1 - 2 / (max(fast, slow) + 1))
def ewma_volatility_ratio(bars, fast, slow):
    square = log_returns(bars) ** 2
    late = ema(square, slow)
    return np.sqrt(share(ema(square, fast), np.where(late > 1e-150, late, 0), np.nan))


@twin()
def realised_ratio(bars, fast, slow):
    square = log_returns(bars) ** 2
    short, long = (over(lambda w: w.mean(axis=1), n, square) for n in (fast, slow))
    return np.sqrt(share(short, long, np.nan))


def correlation(x, y):
    """Of each row of x with that of y; NaN where one of them is flat."""
    a, b = centred(x), centred(y)
    still = flat(x) | flat(y)
    norm = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    return np.where(still, np.nan, (a * b).sum(axis=1) / np.where(still, 1, norm))


def moves(bars):
    """|log return|, the same for a move and for the same move back."""
    close = column(bars, "close")
    last = before(close)
    return log_ratio(np.maximum(close, last), np.minimum(close, last))


@twin()
def leverage(bars, window):
    r = log_returns(bars)
    return over(correlation, window, before(r), moves(bars))


@twin()
def range_to_return(bars, window):
    ranges = log_ratio(column(bars, "high"), column(bars, "low")) ** 2
    squares = log_returns(bars) ** 2
    ranges[np.isnan(squares)] = np.nan
    parkinson = over(lambda w: w.sum(axis=1), window, ranges) / (4 * np.log(np.longdouble(2)))
    return np.sqrt(share(parkinson, over(lambda w: w.sum(axis=1), window, squares), np.nan))
