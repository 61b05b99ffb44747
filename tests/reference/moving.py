"""Naive twins of the averages and of what trends: lines, channels, stops."""

from __future__ import annotations

import numpy as np

from reference import twin
from reference.bars import (
    before,
    centred,
    change,
    column,
    deviation,
    ema,
    flat,
    over,
    prices,
    share,
    true_range,
    unknown,
    wilder,
)


def moved(bars):
    """Closes less the first, which is exact: averages of them are as far from the close as averages of closes."""
    close = column(bars, "close")
    return close - close[0]


def wma(x, n):
    weights = np.arange(1, n + 1, dtype=np.longdouble)
    return over(lambda w: (w * weights).sum(axis=1) / weights.sum(), n, x)


def emas(x, n, count):
    """EMA, EMA of EMA, ..."""
    result = []
    for _ in range(count):
        x = ema(x, n)
        result.append(x)
    return result


def from_ema(steps, n):
    """x less its EMA, of the steps of x: where x stands it fades, below the rounding of a level."""
    x, keep = np.cumsum(np.nan_to_num(steps)), 1 - np.longdouble(2) / (n + 1)
    result = np.full(len(x), np.nan, np.longdouble)
    for t in range(n - 1, len(x)):
        result[t] = x[t] - x[:n].mean() if t == n - 1 else keep * (result[t - 1] + steps[t])
    return result


def chain(poles):
    """Averages in a row forget as one does, times a power of the bars: the share left is that of a slower one."""
    return lambda window, *_: (1 - 2 / (window + 1)) ** (1 - 0.07 * poles)


# ---- averages ----


@twin()
def wma_distance(bars, window):
    x = moved(bars)
    return (x - wma(x, window)) / column(bars, "close")


@twin()
def hull_distance(bars, window):
    x = moved(bars)
    lead = 2 * wma(x, window // 2) - wma(x, window)
    return (x - wma(lead, int(np.sqrt(window)))) / column(bars, "close")


@twin(decay=chain(2))
def dema_distance(bars, window):
    x = moved(bars)
    one, two = emas(x, window, 2)
    return (x - (2 * one - two)) / column(bars, "close")


@twin(decay=chain(3))
def tema_distance(bars, window):
    x = moved(bars)
    one, two, three = emas(x, window, 3)
    return (x - (3 * one - 3 * two + three)) / column(bars, "close")


@twin(decay=chain(6))
def t3_distance(bars, window, volume_factor):
    x, v = moved(bars), np.longdouble(volume_factor)
    e = emas(x, window, 6)
    c1, c2, c3, c4 = -(v**3), 3 * v**2 * (1 + v), -3 * v * (1 + v) ** 2, (1 + v) ** 3
    return (x - (c1 * e[5] + c2 * e[4] + c3 * e[3] + c4 * e[2])) / column(bars, "close")


@twin(decay=chain(1))
def zlema_distance(bars, window):
    x = moved(bars)
    return (x - ema(2 * x - before(x, (window - 1) // 2), window)) / column(bars, "close")


def adaptive(bars, speeds):
    """average += speed (close - average), from the first known speed on, begun at the close before it."""
    x, result, average = moved(bars), unknown(bars), None
    for t in range(1, len(x)):
        if not np.isnan(speeds[t]):
            average = x[t - 1] if average is None else average
            average = average + speeds[t] * (x[t] - average)
            result[t] = average
    return (x - result) / column(bars, "close")


def efficiency(bars, n):
    close = column(bars, "close")
    path = over(lambda w: abs(np.diff(w, axis=1)).sum(axis=1), n + 1, close)
    return share(abs(close - before(close, n)), path, 0)


@twin(forgets=lambda window: 40 * window + 400)
def kama_distance(bars, window):
    fast, slow = np.longdouble(2) / 3, np.longdouble(2) / 31
    return adaptive(bars, (efficiency(bars, window) * (fast - slow) + slow) ** 2)


@twin(forgets=lambda window, momentum: 2500)
def vidya_distance(bars, window, momentum):
    return adaptive(bars, np.longdouble(2) / (window + 1) * efficiency(bars, momentum))


@twin(decay=lambda: 1 - 2 / 61)
def guppy(bars):
    x = moved(bars)
    fast, slow = ([ema(x, n) for n in group] for group in ((3, 5, 8, 10, 12, 15), (30, 35, 40, 45, 50, 60)))
    all_ = np.array(fast + slow)
    spread = np.mean(fast, axis=0) - np.mean(slow, axis=0)
    width = all_.max(axis=0) - all_.min(axis=0)
    return np.column_stack([spread, width]) / column(bars, "close")[:, None]


# ---- lines through the closes ----


def polynomial(w, degree, places):
    """The least-squares polynomial through each row, at places counted from the newest."""
    n = w.shape[1]
    half = np.longdouble(n - 1) / 2
    x = (np.arange(n, dtype=np.longdouble) - half) / n
    at = (half + np.asarray(places, dtype=np.longdouble)) / n
    basis, values = [np.ones(n, np.longdouble)], [np.ones(len(at), np.longdouble)]
    for _ in range(degree):  # orthogonal polynomials, by Gram and Schmidt
        b, v = basis[-1] * x, values[-1] * at
        for p, q in zip(basis, values, strict=True):
            k = (b * p).sum() / (p * p).sum()
            b, v = b - k * p, v - k * q
        basis.append(b)
        values.append(v)
    return sum(((w * p).sum(axis=1) / (p * p).sum())[:, None] * v for p, v in zip(basis, values, strict=True))


@twin()
def regression_residual(bars, window):
    def of(w):
        y = centred(w)
        return share(y[:, -1] - polynomial(y, 1, [0])[:, 0], np.where(flat(w), 0, deviation(w)), 0)

    return over(of, window, moved(bars))


@twin()
def forecast_error(bars, window):
    def of(w):
        y = w - w[:, -1:]
        return -polynomial(y[:, :-1], 1, [1])[:, 0]

    return over(of, window + 1, moved(bars)) / column(bars, "close")


@twin()
def regression_curvature(bars, window):
    def of(w):
        ends = polynomial(centred(w), 2, [-(window - 1), -(window - 1) / 2, 0])
        return (ends[:, 0] + ends[:, 2]) / 2 - ends[:, 1]

    return over(of, window, moved(bars)) / over(lambda w: w.mean(axis=1), window, column(bars, "close"))


# ---- direction ----


def total(x, n):
    return over(lambda w: w.sum(axis=1), n, x)


def highest(x, n):
    return over(lambda w: w.max(axis=1), n, x)


def lowest(x, n):
    return over(lambda w: w.min(axis=1), n, x)


@twin()
def vortex(bars, window):
    _, high, low, _ = prices(bars)
    range_ = total(true_range(bars), window)
    up, down = total(abs(high - before(low)), window), total(abs(low - before(high)), window)
    return np.column_stack([share(up, range_, 0), share(down, range_, 0)])


@twin()
def choppiness(bars, window):
    _, high, low, _ = prices(bars)
    path = share(total(true_range(bars), window), highest(high, window) - lowest(low, window), np.nan)
    path[path == 0] = np.nan
    return 100 * np.log(path) / np.log(np.longdouble(window))


@twin()
def vertical_horizontal(bars, window):
    close = column(bars, "close")
    path = total(abs(change(close)), window)
    return share(highest(close, window) - lowest(close, window), path, 0)


@twin(forgets=lambda acceleration, maximum: 600)
def sar_distance(bars, acceleration, maximum):
    """As TA-Lib, step by step; path dependent: another past is forgotten once both have turned on the same bar. A stop
    within 1e-12 of a price touches it."""
    _, high, low, close = prices(bars)
    base, result = close[0], unknown(bars)
    high, low, close = high - base, low - base, close - base
    if len(bars) < 2:
        return result
    first, most = min(np.longdouble(acceleration), np.longdouble(maximum)), np.longdouble(maximum)
    rise, fall = high[1] - high[0], low[0] - low[1]
    long, speed = not (fall > 0 and fall > rise), first
    extreme, stop = (high[1], low[0]) if long else (low[1], high[0])
    last_high, last_low = high[1], low[1]
    for t in range(1, len(bars)):
        touch = column(bars[t : t + 1], "close")[0] * 1e-12
        if long:
            if low[t] - stop <= touch:
                stop = max(extreme, last_high, high[t])
                result[t] = close[t] - stop
                long, speed, extreme = False, first, low[t]
                stop = max(stop + speed * (extreme - stop), last_high, high[t])
            else:
                result[t] = close[t] - stop
                if high[t] > extreme:
                    extreme, speed = high[t], min(speed + first, most)
                stop = min(stop + speed * (extreme - stop), last_low, low[t])
        else:
            if stop - high[t] <= touch:
                stop = min(extreme, last_low, low[t])
                result[t] = close[t] - stop
                long, speed, extreme = True, first, high[t]
                stop = min(stop + speed * (extreme - stop), last_low, low[t])
            else:
                result[t] = close[t] - stop
                if low[t] < extreme:
                    extreme, speed = low[t], min(speed + first, most)
                stop = max(stop + speed * (extreme - stop), last_high, high[t])
        last_high, last_low = high[t], low[t]
    return result / column(bars, "close")


@twin(forgets=lambda window, width: 55 * window)
def supertrend_distance(bars, window, width):
    """Path dependent, and forgets as the average range does: another past is gone once both have turned on the same
    bar. Stops are kept as distances from the close, of which the quiet ones are below the rounding of a level."""
    _, high, low, close = prices(bars)
    range_, result, long = wilder(true_range(bars), window), unknown(bars), None
    for t in range(len(bars)):
        if np.isnan(range_[t]):
            continue
        middle = ((high[t] - close[t]) + (low[t] - close[t])) / 2
        up, down = middle + width * range_[t], middle - width * range_[t]
        if long is None:
            long, upper, lower = False, up, down
        else:
            step = close[t] - close[t - 1]
            upper = up if up < upper - step or upper < 0 else upper - step
            lower = down if down > lower - step or lower > 0 else lower - step
            long = lower <= 0 if long else upper < 0
        result[t] = -(lower if long else upper)
    return result / close


@twin()
def ichimoku(bars):
    _, high, low, close = prices(bars)
    base = close[0]
    fast, slow, wide = ((highest(high - base, n) + lowest(low - base, n)) / 2 for n in (9, 26, 52))
    first, second = before(np.where(np.isnan(wide), np.nan, fast + slow) / 2, 25), before(wide, 25)
    price = close - base
    cloud = np.where(np.isnan(first), np.nan, 0)
    above, below = price - np.maximum(first, second), price - np.minimum(first, second)
    cloud = np.where(above > 0, above, np.where(below < 0, below, cloud))
    lines = np.where(np.isnan(first), np.nan, fast - slow)
    return np.column_stack([lines, cloud]) / close[:, None]
