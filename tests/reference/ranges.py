"""Naive twins of what measures ranges, and of candles."""

from __future__ import annotations

import numpy as np

from reference import twin
from reference.bars import (
    before,
    centred,
    column,
    deviation,
    ema,
    log_ratio,
    over,
    prices,
    share,
    true_range,
    unknown,
    wilder,
)
from reference.moving import highest, lowest, moved, polynomial, total
from reference.oscillators import in_ranges, in_usual_range, mean

# ---- ranges ----


@twin()
def rogers_satchell(bars, window):
    open_, high, low, close = prices(bars)
    term = log_ratio(high, close) * log_ratio(high, open_) + log_ratio(low, close) * log_ratio(low, open_)
    return np.sqrt(mean(term, window))


@twin()
def yang_zhang(bars, window):
    open_, _, _, close = prices(bars)

    def variance(x):
        return over(lambda w: (centred(w) ** 2).sum(axis=1) / (window - 1), window, x)

    k = np.longdouble(0.34) / (np.longdouble(1.34) + np.longdouble(window + 1) / (window - 1))
    opening, inside = variance(log_ratio(open_, before(close))), variance(log_ratio(close, open_))
    return np.sqrt(opening + k * inside + (1 - k) * rogers_satchell(bars, window) ** 2)


@twin(decay=lambda window: 1 - 1 / max(14, (window + 1) / 2))
def keltner(bars, window):
    x = moved(bars)
    return in_ranges(bars, x - ema(x, window))


@twin()
def donchian_width(bars, window):
    _, high, low, close = prices(bars)
    return (highest(high, window) - lowest(low, window)) / close


@twin()
def squeeze(bars, window):
    _, high, low, close = prices(bars)
    high, low, x = high - close[0], low - close[0], close - close[0]
    range_ = mean(true_range(bars), window)
    centre = ((highest(high, window) + lowest(low, window)) / 2 + mean(x, window)) / 2
    momentum = over(lambda w: polynomial(w, 1, [0])[:, 0], window, x - centre)
    begun = np.where(np.isnan(momentum), np.nan, 1)
    width = over(deviation, window, x)
    return np.column_stack([begun * share(2 * width, 1.5 * range_, 0), begun * share(momentum, range_, 0)])


@twin(decay=lambda window, back: 1 - 2 / (window + 1), behind=lambda window, back: back)
def chaikin_volatility(bars, window, back):
    _, high, low, _ = prices(bars)
    range_ = ema(high - low, window)
    return share(range_ - before(range_, back), before(range_, back), np.nan)


@twin(
    decay=lambda smooth, window: 1 - 1.5 / (smooth + 1), behind=lambda smooth, window: window
)  # two averages in a row
def mass_index(bars, smooth, window):
    _, high, low, _ = prices(bars)
    one = ema(high - low, smooth)
    return total(share(one, ema(one, smooth), 1), window)


@twin()
def ulcer_index(bars, window):
    close = column(bars, "close")
    top = highest(close, window)
    return np.sqrt(mean(((close - top) / top) ** 2, window))


@twin(decay=lambda window: 1 - 1 / window)
def range_expansion(bars, window):
    range_ = true_range(bars)
    return share(range_, wilder(range_, window), 0)


@twin()
def range_ratio(bars, fast, slow):
    range_ = true_range(bars)
    late, usual = mean(range_, fast), mean(range_, slow)
    return np.where(np.isnan(late), np.nan, share(late, usual, np.nan))


# ---- candles ----


@twin(decay=in_usual_range)
def gap(bars):
    open_, _, _, close = prices(bars)
    return in_ranges(bars, open_ - before(close))


@twin(decay=in_usual_range)
def body_size(bars):
    open_, _, _, close = prices(bars)
    return in_ranges(bars, close - open_)


@twin()
def wick_pressure(bars, window):
    open_, high, low, close = prices(bars)
    lower, upper = np.minimum(open_, close) - low, high - np.maximum(open_, close)
    return mean(share(lower - upper, high - low, 0), window)


@twin()
def doji(bars, window):
    open_, high, low, close = prices(bars)
    return mean(1 - share(abs(close - open_), high - low, 0), window)


@twin()
def engulfing(bars):
    open_, _, _, close = prices(bars)
    top, bottom = np.maximum(open_, close), np.minimum(open_, close)
    covered = np.minimum(top, before(top)) - np.maximum(bottom, before(bottom))
    sign = np.sign(close - open_)
    result = sign * share(np.maximum(covered, 0), before(top - bottom), 0)
    return np.where(np.isnan(before(sign)), np.nan, np.where(sign * before(sign) < 0, result, 0))


@twin(forgets=lambda: 60)
def inside_run(bars):
    """Two pasts are one after the next bar that ends a run."""
    _, high, low, _ = prices(bars)
    result = unknown(bars)
    for t in range(1, len(bars)):
        inside = high[t] <= high[t - 1] and low[t] >= low[t - 1]
        outside = not inside and high[t] >= high[t - 1] and low[t] <= low[t - 1]
        last = 0 if t == 1 else result[t - 1]
        result[t] = max(last, 0) + 1 if inside else min(last, 0) - 1 if outside else 0
    return result


@twin()
def overlap(bars, window):
    _, high, low, _ = prices(bars)
    last = before(high), before(low)
    known = np.where(np.isnan(last[0]), np.nan, 1)
    both = known * np.maximum(np.fmin(high, last[0]) - np.fmax(low, last[1]), 0)
    either = known * (np.fmax(high, last[0]) - np.fmin(low, last[1]))
    return share(total(both, window), total(either, window), 1)


@twin(decay=in_usual_range)
def heikin_ashi(bars):
    """Written less the close of each bar: of a close that stands the body fades below the rounding of a level."""
    open_, high, low, close = prices(bars)
    middle = ((open_ - close) + (high - close) + (low - close)) / 4
    body, start = unknown(bars), (open_[0] - close[0]) / 2
    for t in range(len(bars)):
        if t:
            start = (start + middle[t - 1]) / 2 - (close[t] - close[t - 1])
        body[t] = middle[t] - start
    return in_ranges(bars, body)


@twin(decay=in_usual_range, behind=lambda window: window)
def chandelier(bars, window):
    _, high, low, close = prices(bars)
    both = highest(high, window) - close, close - lowest(low, window)
    return np.column_stack([in_ranges(bars, x) for x in both])
