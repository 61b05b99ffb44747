"""Naive twins of what weighs prices with volume."""

from __future__ import annotations

import numpy as np

from reference import twin
from reference.bars import (
    ROUNDING,
    before,
    centred,
    change,
    column,
    deviation,
    ema,
    flat,
    log_returns,
    over,
    prices,
    share,
    typical,
    unknown,
)
from reference.moving import from_ema, total


def accumulated(bars):
    _, high, low, close = prices(bars)
    return share((close - low) - (high - close), high - low, 0) * column(bars, "volume")


@twin()
def chaikin_money_flow(bars, window):
    return share(total(accumulated(bars), window), total(column(bars, "volume"), window), 0)


@twin(decay=lambda fast, slow: 1 - 2 / (max(fast, slow) + 1))
def chaikin_oscillator(bars, fast, slow):
    flow, volume = accumulated(bars), ema(column(bars, "volume"), slow)
    gained = from_ema(flow, slow) - from_ema(flow, fast)
    return np.where(np.isnan(gained), np.nan, share(gained, volume, 0))


@twin(decay=lambda window: 1 - 2 / (window + 1))
def force_index(bars, window):
    force = change(column(bars, "close")) * column(bars, "volume")
    return share(ema(force, window), ema(abs(force), window), 0)


@twin()
def ease_of_movement(bars, window):
    _, high, low, _ = prices(bars)
    move = (change(high) + change(low)) / 2
    ease = move * share(high - low, column(bars, "volume"), 0)
    return share(total(ease, window), total(abs(ease), window), 0)


@twin()
def price_volume_trend(bars, window):
    close, volume = column(bars, "close"), column(bars, "volume")
    r = change(close) / before(close)
    volume = np.where(np.isnan(r), np.nan, volume)
    return share(total(r * volume, window), total(volume, window), 0)


@twin()
def volume_index(bars, window):
    r, more = log_returns(bars), change(column(bars, "volume"))
    parts = [np.where(np.isnan(r), np.nan, np.where(sign * more > 0, r, 0)) for sign in (-1, 1)]
    return np.column_stack([total(part, window) for part in parts])


@twin(decay=lambda fast, slow: 1 - 2 / (max(fast, slow) + 1), behind=lambda fast, slow: 60)
def klinger(bars, fast, slow):
    """The ranges since the typical price turned are forgotten when it turns again, within 60 bars."""
    _, high, low, _ = prices(bars)
    volume, move = column(bars, "volume"), change(typical(bars))
    side, ranges, force = 0, np.longdouble(0), unknown(bars)
    for t in range(1, len(bars)):
        moved = abs(move[t]) > ROUNDING * typical(bars[t : t + 1])[0]
        now = int(np.sign(move[t])) if moved else side
        range_, last = high[t] - low[t], high[t - 1] - low[t - 1]
        ranges = ranges + range_ if now == side else last + range_
        side = now
        force[t] = side * volume[t] * abs(2 * range_ / ranges - 1) if ranges > 0 else 0
    volume = np.where(np.isnan(force), np.nan, volume)
    gained = ema(force, fast) - ema(force, slow)
    return np.where(np.isnan(gained), np.nan, share(gained, ema(volume, slow), 0))


@twin(decay=lambda *windows: 1 - 1.5 / (max(windows) + 1))  # an average of averages
def volume_oscillator(bars, fast, slow, signal):
    volume = column(bars, "volume")
    quick, usual = ema(volume, fast), ema(volume, slow)
    line = np.where(np.isnan(quick), np.nan, share(quick - usual, usual, 0))
    histogram = line - ema(line, signal)
    return np.column_stack([np.where(np.isnan(histogram), np.nan, line), histogram])


@twin()
def price_volume_correlation(bars, window):
    def of(close, volume):
        x, y = centred(close), centred(volume)
        still = flat(close) | flat(volume)
        norm = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
        return np.where(still, np.nan, (x * y).sum(axis=1) / np.where(still, 1, norm))

    return over(of, window, column(bars, "close"), column(bars, "volume"))


@twin()
def volume_zscore(bars, window):
    return over(lambda w: share(centred(w)[:, -1], deviation(w), 0), window, column(bars, "volume"))
