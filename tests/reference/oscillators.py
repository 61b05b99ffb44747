"""Naive twins of the oscillators."""

from __future__ import annotations

import numpy as np

from reference import TWINS, twin
from reference.bars import (
    ROUNDING,
    before,
    change,
    column,
    ema,
    log_ratio,
    over,
    prices,
    share,
    true_range,
    unknown,
    wilder,
)
from reference.moving import from_ema, highest, lowest, moved, total, wma


def in_usual_range(*_):
    """What is left of a bar in the usual range."""
    return 1 - 1 / 14


def in_ranges(bars, x):
    """x in average true ranges over 14 bars; 0 where nothing ever moved."""
    return np.where(np.isnan(x), np.nan, share(x, wilder(true_range(bars), 14), 0))


def mean(x, n):
    return over(lambda w: w.mean(axis=1), n, x)


def positive(x):
    return np.where(np.isnan(x), np.nan, np.maximum(x, 0))


def from_window(function):
    """A recursion over what is known of it: function(value, last result), the first time with None."""

    def run(x):
        result, last = np.full(len(x), np.nan, np.longdouble), None
        for t in np.flatnonzero(~np.isnan(x)):
            last = result[t] = function(x[t], last)
        return result

    return run


@twin(decay=lambda window: 1 - 1 / window, behind=lambda window: window)
def stoch_rsi(bars, window):
    rsi = TWINS["rsi"](bars, window)
    low, high = lowest(rsi, window), highest(rsi, window)
    return share(rsi - low, np.where(high - low <= 1e-9, 0, high - low), 0.5)


@twin()
def cmo(bars, window):
    d = change(column(bars, "close"))
    up, down = total(positive(d), window), total(positive(-d), window)
    return 100 * share(up - down, up + down, 0)


@twin(decay=lambda slow, fast: 1 - 1.5 / (max(slow, fast) + 1))  # two averages in a row
def tsi(bars, slow, fast):
    d = change(column(bars, "close"))
    return 100 * share(ema(ema(d, slow), fast), ema(ema(abs(d), slow), fast), 0)


@twin(decay=lambda window: 1 - 1.5 / (window + 1))  # three averages in a row
def trix(bars, window):
    x = moved(bars)
    for _ in range(3):
        x = ema(x, window)
    return change(x) / (column(bars, "close")[0] + before(x))


@twin()
def ultimate_oscillator(bars, fast, middle, slow):
    _, _, low, close = prices(bars)
    range_ = true_range(bars)
    buying = np.where(np.isnan(range_), np.nan, close - np.fmin(low, before(close)))
    a, b, c = (share(total(buying, n), total(range_, n), 0.5) for n in (fast, middle, slow))
    return 100 * (4 * a + 2 * b + c) / 7


@twin(decay=in_usual_range)
def awesome_oscillator(bars, fast, slow):
    _, high, low, close = prices(bars)
    middle = ((high - close[0]) + (low - close[0])) / 2
    ao = mean(middle, fast) - mean(middle, slow)
    both = in_ranges(bars, ao - mean(ao, 5))
    return np.column_stack([np.where(np.isnan(both), np.nan, in_ranges(bars, ao)), both])


@twin(decay=lambda window: 0.67, behind=lambda window: window, level=1e-5)  # the middle of a bar is rounded
def fisher(bars, window):
    _, high, low, _ = prices(bars)
    middle = (high + low) / 2
    bottom, top = lowest(middle, window), highest(middle, window)
    still = top - bottom <= ROUNDING * bottom
    place = np.where(np.isnan(top), np.nan, share(middle - bottom, np.where(still, 0, top - bottom), 0.5)) - 0.5
    x = from_window(lambda p, last: np.clip(0.66 * p + 0.67 * (last or 0), -0.999, 0.999))(place)
    return from_window(lambda f, last: f + (last or 0) / 2)(np.log((1 + x) / (1 - x)) / 2)


@twin()
def relative_vigor(bars, window):
    open_, high, low, close = prices(bars)

    def weighted(x):
        return over(lambda w: w @ np.array([1, 2, 2, 1]), 4, x)

    return share(total(weighted(close - open_), window), total(weighted(high - low), window), 0)


@twin(forgets=lambda: 60)
def streak(bars):
    """Two pasts are one after the next turn."""
    d = change(column(bars, "close"))
    result = np.full(len(d), np.nan)
    for t in range(1, len(d)):
        n = 0
        while n < t and d[t - n] * d[t] > 0:
            n += 1
        result[t] = np.sign(d[t]) * n
    return result


@twin()
def demarker(bars, window):
    _, high, low, _ = prices(bars)
    up, down = total(positive(change(high)), window), total(positive(-change(low)), window)
    return share(up, up + down, 0.5)


@twin()
def intraday_momentum(bars, window):
    open_, _, _, close = prices(bars)
    up, down = total(positive(close - open_), window), total(positive(open_ - close), window)
    return 100 * share(up, up + down, 0.5)


@twin()
def balance_of_power(bars, window):
    open_, high, low, close = prices(bars)
    return mean(share(close - open_, high - low, 0), window)


@twin(decay=in_usual_range)
def qstick(bars, window):
    open_, _, _, close = prices(bars)
    return in_ranges(bars, mean(close - open_, window))


@twin(decay=lambda window: 1 - 1 / max(14, (window + 1) / 2))
def elder_ray(bars, window):
    _, high, low, _ = prices(bars)
    first = column(bars, "close")[0]
    average = ema(moved(bars), window)
    return np.column_stack([in_ranges(bars, (x - first) - average) for x in (high, low)])


@twin(decay=lambda window, first, second: 1 - 1.5 / (max(first, second) + 1), behind=lambda window, *_: window)
def stochastic_momentum(bars, window, first, second):
    _, high, low, close = prices(bars)
    top, bottom = highest(high, window), lowest(low, window)
    away, half = ((close - top) + (close - bottom)) / 2, (top - bottom) / 2
    return 100 * share(ema(ema(away, first), second), ema(ema(half, first), second), 0)


@twin(decay=lambda gamma: gamma**0.8)  # four filters in a row
def laguerre_rsi(bars, gamma):
    """Filters less the close, begun at the first one: of a close that stands they fade for ever."""
    g, close = np.longdouble(gamma), column(bars, "close")
    result, away = unknown(bars), np.zeros(4, np.longdouble)
    for t in range(len(bars)):
        old = away - (close[t] - close[t - 1] if t else 0)
        away = [g * old[0]]
        for i in range(1, 4):
            away.append(-g * away[i - 1] + old[i - 1] + g * old[i])
        away = np.array(away)
        d = away[:-1] - away[1:]
        if t >= 3:
            result[t] = np.maximum(d, 0).sum() / abs(d).sum() if abs(d).sum() > 0 else 0.5
    return result


@twin()
def acceleration(bars, window):
    close = column(bars, "close")
    r = log_ratio(close, before(close, window))
    return r - before(r, window)


def rate_of_change(bars, n):
    close = column(bars, "close")
    return (close - before(close, n)) / before(close, n)


@twin()
def kst(bars):
    parts = ((1, 10, 10), (2, 15, 10), (3, 20, 10), (4, 30, 15))
    return sum(weight * mean(rate_of_change(bars, back), n) for weight, back, n in parts)


@twin()
def coppock(bars, long, short, smooth):
    return wma(rate_of_change(bars, long) + rate_of_change(bars, short), smooth)


@twin(decay=lambda window, fast, slow: 1 - 2 / (max(fast, slow) + 1), behind=lambda window, *_: 4 * window)
def schaff_trend_cycle(bars, window, fast, slow):
    def place(x, least):
        low, high = lowest(x, window), highest(x, window)
        with np.errstate(divide="ignore", invalid="ignore"):
            where = np.where(high - low > least, 100 * (x - low) / (high - low), -1)
        where = np.where(np.isnan(low), np.nan, where)
        stands = from_window(lambda p, last: p if p >= 0 else 50 if last is None else last)(where)
        return from_window(lambda p, last: p if last is None else last + (p - last) / 2)(stands)

    d = change(column(bars, "close"))
    x = from_ema(d, slow) - from_ema(d, fast)
    return place(place(x, 0), 1e-4)


@twin(decay=lambda channel, average: 1 - 2 / (max(channel, average) + 1), behind=lambda channel, average: 30 * channel)
def wave_trend(bars, channel, average):
    """Averages behind a ratio of averages."""
    _, high, low, close = prices(bars)
    away = from_ema((change(high) + change(low) + change(close)) / 3, channel)
    size = ema(abs(away), channel)
    line = ema(np.where(np.isnan(size), np.nan, share(away, 0.015 * size, 0)), average)
    histogram = line - mean(line, 4)
    return np.column_stack([np.where(np.isnan(histogram), np.nan, line), histogram])
