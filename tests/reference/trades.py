"""Naive twins of the kernels of trade flow, impact and cost. Each takes a `Tape` and the kernel's parameters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from reference import twin
from reference.books import Array, Tape, held, part

# ---- flow ----


@twin(events="trade", writes=("trade",))
def trade_imbalance(tape: Tape, half_life: float) -> Array:
    size = np.where(tape.trade, tape.size, 0)
    net, total = tape.faded(half_life, tape.sign * size, size)
    return held(tape, part(net, total, 0), tape.trade)


def rate(tape: Tape, half_life: float, addends: Array) -> Array:
    return tape.faded(half_life, addends)[0] / tape.time(half_life)


@twin(events="trade")
def buy_rate(tape: Tape, half_life: float) -> Array:
    return rate(tape, half_life, (tape.sign > 0).astype(np.longdouble))


@twin(events="trade")
def sell_rate(tape: Tape, half_life: float) -> Array:
    return rate(tape, half_life, (tape.sign < 0).astype(np.longdouble))


@twin(events="trade")
def volume_rate(tape: Tape, half_life: float) -> Array:
    return rate(tape, half_life, np.where(tape.trade, tape.size, 0))


def by_trade(tape: Tape, values: list[float]) -> Array:
    """One value a trade, held in between."""
    rows = np.full(len(tape), np.nan, np.longdouble)
    rows[tape.trade] = values
    return held(tape, rows, tape.trade)


def over(n: int, function: Callable[..., float], *columns: Array) -> list[float]:
    """The function of the last n rows of the columns, at every row; NaN while there are not n rows without a NaN."""
    whole = ~np.isnan(columns).any(axis=0)
    values = []
    for i in range(len(columns[0])):
        rows = np.flatnonzero(whole[: i + 1])[-n:]
        values.append(function(*(x[rows] for x in columns)) if len(rows) == n else np.nan)
    return values


@twin(events="trade", slack=(1, 1.5))  # unknown sides do not count
def trade_sign_autocorrelation(tape: Tape, window: float) -> Array:
    sign = tape.sign[tape.trade]
    pair = np.full(len(sign), np.nan, np.longdouble)
    pair[1:] = np.where(sign[1:] * sign[:-1] != 0, sign[1:] * sign[:-1], np.nan)
    return by_trade(tape, over(int(window), np.mean, pair))


# ---- impact ----


@twin(
    events="trade", slack=(0.5, 1.5), sparse=("small", "quotes", "simulated", "spot", "perpetual")
)  # buckets of volume
def vpin(tape: Tape, buckets: float) -> Array:
    """A bucket is full with the trade that brings it to 50 times the mean size of the last 500, itself included."""
    size, sign = tape.size[tape.trade], tape.sign[tape.trade]
    full: list[tuple[np.longdouble, np.longdouble]] = []
    values, value, start = [], np.nan, 0
    for i in range(len(size)):
        target = 50 * size[max(0, i - 499) : i + 1].mean()
        volume = size[start : i + 1].sum()
        if volume > 0 and volume >= target * (1 - np.longdouble(1e-10)):
            full.append((abs((sign * size)[start : i + 1].sum()), volume))
            start = i + 1
            if len(full) >= buckets:
                last = np.array(full[-int(buckets) :])
                value = last[:, 0].sum() / last[:, 1].sum()
        values.append(value)
    return by_trade(tape, values)


@twin(events="trade")
def kyle(tape: Tape, window: float) -> Array:
    price, size, sign = (x[tape.trade] for x in (tape.price, tape.size, tape.sign))

    def slope(flow: Array, move: Array, size: Array, price: Array) -> float:
        if np.ptp(flow) == 0:
            return np.nan
        x = flow - flow.mean()
        return 10_000 * (x * (move - move.mean())).sum() / (x * x).sum() * size.mean() / price[-1]

    move = np.append(np.longdouble("nan"), np.diff(price)) if len(price) else price
    return by_trade(tape, over(int(window), slope, sign * size, move, size, price))


@twin(events="trade", compare=np.square)  # the root of a covariance that is 0 but for rounding is not
def roll_spread(tape: Tape, window: float) -> Array:
    price = tape.price[tape.trade]
    move, before = (np.full(len(price), np.nan, np.longdouble) for _ in range(2))
    move[1:], before[2:] = np.diff(price), np.diff(price)[:-1]

    def bounce(move: Array, before: Array, price: Array) -> float:
        covariance = ((move - move.mean()) * (before - before.mean())).mean()
        return 20_000 * np.sqrt(max(0, -covariance)) / price[-1]

    return by_trade(tape, over(int(window), bounce, move, before, price))


@twin(events="trade", level=1e-5, writes=("trade",), needs_book=True)  # the mid is rounded at 1e8
def effective_spread(tape: Tape, half_life: float) -> Array:
    counted = tape.trade & tape.valid
    size = np.where(counted, tape.size, 0)
    cost = np.where(counted, 20_000 * np.abs(tape.price - tape.mid) / tape.mid * size, 0)
    paid, total = tape.faded(half_life, cost, size)
    return np.where(tape.valid, part(paid, total, np.nan), np.nan)
