"""Naive twins of the kernels of auxiliary series. Each takes a `Diary` and the kernel's parameters."""

from __future__ import annotations

import numpy as np

from reference import twin
from reference.diary import YEAR, Array, Diary, arrivals, contrast, moments, over, percentile, share, silence
from reference.scores import against_before
from smartcore.market.events import Kind


def mean(diary: Diary, mine: np.ndarray, half_life: float, x: Array) -> Array:
    return moments(diary.left(mine, mine, half_life), x, np.ones_like(x))[0]


@twin(events="aux")
def aux_level(diary, series, half_life):
    mine = diary.series(series)
    x = diary.value[mine]
    return diary.stand(mine, over(x, mean(diary, mine, half_life, abs(x))))


@twin(events="aux")
def aux_zscore(diary, series, half_life):
    mine = diary.series(series)
    return against_before(diary, mine, half_life, np.ones(len(mine), np.longdouble))


@twin(events="aux")
def aux_percentile(diary, series, window):
    mine = diary.series(series)
    return diary.stand(mine, percentile(diary.value[mine], int(window)))


def trend(diary: Diary, series: float | str, half_life: float) -> Array:
    """Net change as a share of the way made, at every event."""
    mine = diary.series(series)
    d = np.diff(diary.value[mine])
    net, way = diary.faded(mine[1:], mine[1:], half_life, d, abs(d))
    return diary.stand(mine[1:], share(net, way))


@twin(events="aux")
def aux_trend(diary, series, half_life):
    return trend(diary, series, half_life)


@twin(events="aux")
def aux_acceleration(diary, series, fast, slow):
    return trend(diary, series, fast) - trend(diary, series, slow)


@twin(events="aux")
def aux_variability(diary, series, half_life):
    mine = diary.series(series)
    x = diary.value[mine]
    move, size = mean(diary, mine[1:], half_life, abs(np.diff(x))), mean(diary, mine, half_life, abs(x))[1:]
    return diary.stand(mine[1:], over(move, size, 1e-150))


@twin(events="aux")
def aux_positive_share(diary, series, half_life):
    mine = diary.series(series)
    return diary.stand(mine, mean(diary, mine, half_life, np.sign(diary.value[mine]) / 2 + np.longdouble(0.5)))


@twin(events="aux")
def aux_balance(diary, series, half_life):
    mine = diary.series(series)
    x = diary.value[mine]
    net, size = diary.faded(mine, mine, half_life, x, abs(x))
    return diary.stand(mine, share(net, size))


# ---- time passes and prices move ----


@twin(events="aux")
def aux_burst(diary, series, fast, slow):
    at, mine = diary.woken(Kind.AUX), diary.series(series)
    quick, usual = (arrivals(diary, at, mine, h, abs(diary.value[mine])) for h in (fast, slow))
    return diary.stand(at, contrast(quick, usual))


@twin(events="aux")
def aux_staleness(diary, series, gaps):
    at = diary.woken(Kind.AUX)
    return diary.stand(at, silence(diary, at, diary.series(series), gaps))


@twin(events="aux")
def aux_divergence(diary, series, half_life):
    return trend(diary, series, half_life) - diary.moves(half_life)[0]


@twin(events="aux")
def aux_price_correlation(diary, series, half_life):
    """Of changes of the series with log returns between them. Values before the first bar do not count."""
    mine = diary.series(series)
    mine = mine[mine > diary.bars[0]] if len(diary.bars) else mine[:0]
    if len(mine) < 2:
        return np.full(diary.length, np.nan, np.longdouble)
    close = diary.close[diary.bars[np.searchsorted(diary.bars, mine) - 1]]
    d, r = np.diff(diary.value[mine]), np.log1p(np.diff(close) / close[:-1])
    both, series_square, price_square = diary.faded(mine[1:], mine[1:], half_life, d * r, d * d, r * r)
    return diary.stand(mine[1:], over(both, np.sqrt(series_square * price_square)))


@twin(events="aux")
def funding_carry(diary, interval, half_life):
    mine = diary.series("funding")
    carry = diary.stand(mine, mean(diary, mine, half_life, diary.value[mine]) * YEAR / interval)
    return np.column_stack([carry, over(carry, np.sqrt(diary.moves(half_life)[1] * YEAR))])


@twin(events="aux")
def volatility_premium(diary, half_life):
    mine = diary.series("implied_volatility")
    return diary.stand(mine, diary.value[mine]) / 100 - np.sqrt(diary.moves(half_life)[1] * YEAR)


@twin(events="aux")
def open_interest_quadrant(diary, half_life):
    went, opened = diary.moves(half_life)[0], trend(diary, "open_interest", half_life)
    return np.column_stack([np.maximum(opened, 0) * went, np.maximum(-opened, 0) * went])
