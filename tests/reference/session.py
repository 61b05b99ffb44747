"""Naive twins of the session clock. A day holds the bars stamped after a midnight UTC and up to the next one."""

from __future__ import annotations

import numpy as np

from reference import twin
from reference.bars import column, log_ratio, prices, share, typical, unknown

MINUTE = 60 * 10**9
DAY = 1440 * MINUTE


def day_of(bars):
    return (bars["ts"] - 1) // DAY


def forgets_in_two_days(*_):
    """A day's extremes are looked at until the end of the next: of bars of one minute, 2,880 of them."""
    return 1e-24 ** (1 / 2880)


def circle(ts, period):
    angle = 2 * np.pi * np.longdouble(1) * (ts % period) / period
    return np.column_stack([np.sin(angle), np.cos(angle)])


@twin()
def time_of_day(bars):
    return circle(bars["ts"], DAY)


@twin()
def time_of_week(bars):
    monday = 4 * DAY  # 5 January 1970
    return circle(bars["ts"] - monday, 7 * DAY)


@twin()
def time_left(bars, period):
    period = round(period * 10**9)
    return (period - bars["ts"] % period).astype(np.longdouble) / MINUTE


def over_days(bars, function, outputs):
    """function(bars of the day so far, bars of the day before or None) at every bar."""
    days = day_of(bars)
    result = unknown(bars, outputs)
    starts = np.flatnonzero(np.append(True, days[1:] != days[:-1]))
    for i, start in enumerate(starts):
        end = starts[i + 1] if i + 1 < len(starts) else len(bars)
        before = bars[starts[i - 1] : start] if i else None
        for t in range(start, end):
            result[t] = function(bars[start : t + 1], before)
    return result


@twin(decay=forgets_in_two_days)
def session_range(bars):
    def of(today, _):
        high, low = np.longdouble(today["high"].max()), np.longdouble(today["low"].min())
        return share(today["close"][-1] - low, high - low, 0.5), log_ratio(high, low)

    return over_days(bars, of, 2)


@twin(decay=forgets_in_two_days)
def session_return(bars):
    def of(today, before):
        start = today["open"][0] if before is None else before["close"][-1]
        return log_ratio(np.longdouble(today["close"][-1]), np.longdouble(start))

    return over_days(bars, of, 1)


@twin(decay=forgets_in_two_days)
def session_extremes(bars):
    def of(today, _):
        high = today["ts"][today["high"] == today["high"].max()][-1]
        low = today["ts"][today["low"] == today["low"].min()][-1]
        now = today["ts"][-1]
        return np.longdouble(now - high) / MINUTE, np.longdouble(now - low) / MINUTE

    return over_days(bars, of, 2)


@twin(decay=forgets_in_two_days)
def previous_day(bars):
    def of(today, before):
        before = bars[:1] if before is None else before
        close = np.longdouble(today["close"][-1])
        return (
            log_ratio(close, np.longdouble(before["high"].max())),
            log_ratio(close, np.longdouble(before["low"].min())),
        )

    return over_days(bars, of, 2)


@twin(decay=forgets_in_two_days)
def session_vwap(bars):
    """A deviation of less than 1e-12 of the price is none."""

    def of(today, _):
        volume, price = column(today, "volume"), typical(today, today["close"][-1])
        if not volume.sum():
            return np.nan, np.nan
        last = np.longdouble(today["close"][-1])
        mean = (volume * price).sum() / volume.sum()
        deviation = np.sqrt((volume * (price - mean) ** 2).sum() / volume.sum())
        return -mean / (last + mean), -mean / deviation if deviation > 1e-12 * last else 0

    return over_days(bars, of, 2)


@twin(decay=forgets_in_two_days)
def opening_range(bars, minutes):
    def of(today, _):
        opening = today[today["ts"] < today["ts"][0] + minutes * MINUTE]
        opening = today[:1] if not len(opening) else opening
        _, high, low, _ = prices(opening)
        close = np.longdouble(today["close"][-1])
        return log_ratio(close, high.max()), log_ratio(close, low.min())

    return over_days(bars, of, 2)
