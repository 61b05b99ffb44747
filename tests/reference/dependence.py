"""Naive twins of the family `dependence`: each window is cut out and its correlations, variances, orders recomputed."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from reference import twin
from reference.bars import before, centred, change, column, flat, log_returns, over, share, unknown
from reference.distribution import entropy, shares
from reference.realised import correlation, moves

LAGS = 7
"""Returns before the first of a window that all products wait for."""


def lagged(bars):
    """The returns and those 1 .. 7 bars before, known where the last of them is."""
    r = log_returns(bars)
    rows = np.array([before(r, k) for k in range(1 + LAGS)])
    return np.where(np.isnan(rows[-1]), np.nan, rows)


def autocorrelations(bars, window):
    """Of returns, about zero, at lags 0 .. 7."""
    rows = lagged(bars)
    sums = [over(lambda a, b: (a * b).sum(axis=1), window, rows[0], row) for row in rows]
    return [share(s, sums[0], np.nan) for s in sums]


@twin()
def return_autocorrelation(bars, window, lag):
    return autocorrelations(bars, window)[lag]


@twin()
def ljung_box(bars, window, lags):
    a = autocorrelations(bars, window)
    return window * (window + 2) * sum(a[k] ** 2 / np.longdouble(window - k) for k in range(1, lags + 1))


@twin()
def partial_autocorrelation(bars, window):
    _, a1, a2 = autocorrelations(bars, window)[:3]
    left = np.where(1 - a1**2 > 1e-6, 1 - a1**2, np.nan)
    return (a2 - a1**2) / left


@twin()
def low_frequency(bars, window):
    """Integral over 0 .. pi/4 of (1 + 2 sum w[k] a[k] cos(k x)) / pi."""
    a = autocorrelations(bars, window)
    quarter = np.arctan(np.longdouble(1))
    sines = [(1 - np.longdouble(k) / 8) * a[k] * np.sin(k * quarter) / k for k in range(1, LAGS + 1)]
    return a[0] * (quarter + 2 * sum(sines)) / (4 * quarter)


@twin()
def time_reversal(bars, window):
    def of(now, last):
        size = (now * now).sum(axis=1)
        return np.sqrt(np.longdouble(window)) * share((now**2 * last - now * last**2).sum(axis=1), size**1.5, np.nan)

    r = log_returns(bars)
    return over(of, window, r, before(r))


@twin()
def absolute_autocorrelation(bars, window, lag):
    size = moves(bars)
    return over(correlation, window, before(size, lag), size)


@twin()
def squared_autocorrelation(bars, window, lag):
    square = moves(bars) ** 2
    return over(correlation, window, before(square, lag), square)


@twin()
def volatility_trend(bars, window):
    def of(w):
        place = np.broadcast_to(np.arange(window, dtype=np.longdouble), w.shape)
        return correlation(place, w)

    return over(of, window, moves(bars))


# ---- variances over several horizons ----


def variance_of(w, horizon):
    """Of each row of one-bar returns: unbiased variance of the overlapping returns over `horizon` bars."""
    n = w.shape[1]
    path = np.concatenate([np.zeros((len(w), 1), np.longdouble), np.cumsum(w, axis=1)], axis=1)
    long = path[:, horizon:] - path[:, :-horizon]
    distance = long - horizon * w.mean(axis=1, keepdims=True)
    degrees = (n - horizon + 1) * (1 - np.longdouble(horizon) / n)
    return np.where(flat(w), 0, (distance**2).sum(axis=1) / degrees)


@twin()
def variance_ratio(bars, window, horizon):
    def of(w):
        return share(variance_of(w, horizon), horizon * variance_of(w, 1), np.nan)

    return over(of, window, log_returns(bars))


@twin()
def variance_ratio_z(bars, window, horizon):
    """The variance of the autocorrelation at a lag, by White: sum r[t]^2 r[t-lag]^2 / (sum r^2)^2, about zero."""
    rows = lagged(bars)
    size = over(lambda a: (a * a).sum(axis=1), window, rows[0])
    total = 0
    for lag in range(1, horizon):
        delta = share(over(lambda a, b: (a * a * b * b).sum(axis=1), window, rows[0], rows[lag]), size**2, np.nan)
        total = total + (2 * (horizon - lag) / np.longdouble(horizon)) ** 2 * delta
    return share(variance_ratio(bars, window, horizon) - 1, np.sqrt(total), np.nan)


@twin()
def hurst(bars, window):
    def of(w):
        variance = np.array([variance_of(w, horizon) for horizon in (1, 2, 4, 8)])
        logs = np.log(np.where((variance > 0).all(axis=0), variance, np.nan))
        horizon = np.log(np.longdouble(2)) * np.array([-1.5, -0.5, 0.5, 1.5])
        return (horizon[:, None] * logs).sum(axis=0) / (horizon**2).sum() / 2

    return over(of, window, log_returns(bars))


def spread_of_steps(w):
    """Deviation of each row, 0 where it is below a millionth of the mean: the path is a straight line."""
    spread = np.sqrt((centred(w) ** 2).mean(axis=1))
    return np.where(flat(w) | (spread <= 1e-6 * abs(w.mean(axis=1))), 0, spread)


@twin()
def rescaled_range(bars, window):
    def of(w):
        path = w - w[:, :1]
        bridge = path - path[:, -1:] * np.arange(window + 1, dtype=np.longdouble) / window
        spread = spread_of_steps(np.diff(w, axis=1))
        return share(bridge.max(axis=1) - bridge.min(axis=1), spread * np.sqrt(np.longdouble(window)), np.nan)

    return over(of, window + 1, column(bars, "close"))


@twin()
def fractal_dimension(bars, window):
    def of(one, two):
        a, b = one.sum(axis=1), two.sum(axis=1)
        known = (a > 0) & (b > 0)
        return np.where(known, 2 - np.log2(np.where(known, b, 1) / np.where(known, a, 1)), np.nan)

    close = column(bars, "close")
    return over(of, window, abs(close - before(close)), abs(close - before(close, 2)))


# ---- return to a level ----


@twin()
def dickey_fuller(bars, window):
    def slope(level, step):
        x, y = centred(level), centred(step)
        return share((x * y).sum(axis=1), np.where(flat(level), 0, (x * x).sum(axis=1)), np.nan)

    close = column(bars, "close")
    last, step = before(close), change(close)
    return np.column_stack([over(correlation, window, last, step), -over(slope, window, last, step)])


@twin()
def augmented_dickey_fuller(bars, window):
    """Correlation of what the change before leaves unexplained of the level before and of the change."""

    def of(level, last, step):
        x, y, z = centred(level), centred(last), centred(step)
        xx, yy, zz, xy, xz, yz = ((a * b).sum(axis=1) for a, b in ((x, x), (y, y), (z, z), (x, y), (x, z), (y, z)))
        left_x, left_z = xx * yy - xy**2, zz * yy - yz**2
        apart = (left_x > 1e-6 * xx * yy) & (left_z > 1e-6 * zz * yy)
        return np.where(apart, (xz * yy - xy * yz) / np.sqrt(np.where(apart, left_x * left_z, 1)), np.nan)

    close = column(bars, "close")
    step = change(close)
    return over(of, window, before(close), before(step), step)


# ---- order in time ----


@twin()
def runs_test(bars, window):
    def of(w):
        up = w > 0
        n1 = up.sum(axis=1).astype(np.longdouble)
        n2 = window - n1
        runs = 1 + (up[:, 1:] != up[:, :-1]).sum(axis=1)
        expected = 2 * n1 * n2 / window + 1
        variance = 2 * n1 * n2 * (2 * n1 * n2 - window) / (np.longdouble(window) ** 2 * (window - 1))
        return share(runs - expected, np.sqrt(np.maximum(variance, 0)), np.nan)

    return over(of, window, log_returns(bars))


@twin()
def turning_points(bars, window):
    d = change(column(bars, "close"))
    turn = np.where(np.isnan(before(d)), np.nan, (d > 0) & (before(d) < 0) | (d < 0) & (before(d) > 0))
    return over(lambda w: w.mean(axis=1), window, turn.astype(np.longdouble))


@twin()
def mann_kendall(bars, window):
    close = column(bars, "close")
    result = unknown(bars)
    if window <= len(close):
        windows = sliding_window_view(close, window)
        score = sum(np.sign(windows[:, k:] - windows[:, :-k]).sum(axis=1) for k in range(1, window))
        result[window - 1 :] = score / (np.longdouble(window) * (window - 1) / 2)
    return result


@twin()
def sign_information(bars, window):
    sign = np.sign(change(column(bars, "close")))
    result = unknown(bars)
    for t in range(window + 1, len(sign)):
        last, now = sign[t - window : t], sign[t - window + 1 : t + 1]
        joint = list(zip(last, now, strict=True))
        bits = entropy(shares(list(last))) + entropy(shares(list(now))) - entropy(shares(joint))
        result[t] = bits / np.log(np.longdouble(2))
    return result


# ---- with volume ----


@twin()
def return_volume_correlation(bars, window):
    return over(correlation, window, column(bars, "volume"), log_returns(bars))


@twin()
def volume_lead(bars, window):
    return over(correlation, window, before(column(bars, "volume")), moves(bars))
