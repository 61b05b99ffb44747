"""Naive twins of the kernels of intensity and durations. Each takes a `Tape` and the kernel's parameters."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from reference import twin
from reference.books import Array, Tape, held, part
from reference.flow import NAN, correlation, one
from reference.trades import by_trade, over


@lru_cache(maxsize=8)
def rates(tape: Tape, half_life: float) -> list[Array]:
    """Trades, buys, sells and volume per second at every moment; NaN until time has passed."""
    volume = np.where(tape.trade, tape.size, 0)
    sums = tape.faded(half_life, one(tape.trade), one(tape.sign > 0), one(tape.sign < 0), volume)
    return [total / tape.time(half_life) for total in sums]


def contrast(a: Array, b: Array) -> Array:
    return np.where(np.isnan(a + b), np.nan, part(a - b, a + b, 0))


@twin(events="trade")
def intensity_surprise(tape: Tape, half_life: float, usual: float) -> Array:
    now, long = rates(tape, half_life)[:3], rates(tape, usual)[:3]
    return np.column_stack([contrast(a, b) for a, b in zip(now, long, strict=True)])


@twin(events="trade")
def volume_surprise(tape: Tape, half_life: float, usual: float) -> Array:
    return contrast(rates(tape, half_life)[3], rates(tape, usual)[3])


# ---- Hawkes ----


@twin(events="trade", slack=(0.01, 10))  # a whole bin of time, however many events that is
def branching(tape: Tape, half_life: float, memory: float) -> Array:
    """Bins of ten half-lives on the clock; those count that began after the first moment and are over."""
    length = int(10 * half_life * 1e9)
    keep = np.exp2(-10 * np.longdouble(half_life) / np.longdouble(memory))
    bin_of = tape.ts // length
    rows = np.full((len(tape), 2), NAN)
    trades, signs = bin_of[tape.trade], tape.sign[tape.trade]
    busy, where = np.unique(trades, return_inverse=True)
    count = np.bincount(where, minlength=len(busy)).astype(np.longdouble)
    net = np.zeros(len(busy), np.longdouble)
    np.add.at(net, where, signs)
    first = bin_of[0] + 1 if len(tape) else 0
    for i in np.flatnonzero(np.diff(bin_of, prepend=bin_of[:1]) > 0):
        whole = int(bin_of[i] - first)  # bins that are over
        if whole < 1:
            continue
        bins = whole if keep == 1 else (1 - keep**whole) / (1 - keep)
        over_ = (busy >= first) & (busy < bin_of[i])
        weight = keep ** (bin_of[i] - 1 - busy[over_]).astype(np.longdouble)
        sums = [(weight * x[over_]).sum() for x in (count, count**2, net, net**2)]
        mean, square, drift, net_square = (x / bins if abs(x) >= 1e-300 else 0 for x in sums)
        variance, of_net = square - mean**2, net_square - drift**2
        both, difference = (
            max(-1, 1 - np.sqrt(mean / v)) if v > 0 and mean > 0 else -1 if mean > 0 else 0 for v in (variance, of_net)
        )
        rows[i:] = (both + difference) / 2, (both - difference) / 2
    return rows


@twin(events="trade", slack=(0.01, 10))  # so here
def hawkes(tape: Tape, half_life: float, memory: float) -> Array:
    own, cross = branching(tape, half_life, memory).T
    (_, buys, sells, _), (_, mean_buys, mean_sells, _) = rates(tape, half_life), rates(tape, memory)
    intensity = []
    for same, other, mean, mean_other in ((buys, sells, mean_buys, mean_sells), (sells, buys, mean_sells, mean_buys)):
        base = mean - own * mean - cross * mean_other
        intensity.append(np.maximum(base + own * same + cross * other, 0))
    buy, sell = intensity
    return np.column_stack([contrast(buy + sell, mean_buys + mean_sells), contrast(buy, sell)])


# ---- durations ----


def gaps(tape: Tape) -> Array:
    """Nanoseconds from each trade back to the one before."""
    ts = tape.ts[tape.trade]
    gap = np.full(len(ts), NAN)
    gap[1:] = np.diff(ts)
    return gap


def shifted(x: Array) -> Array:
    return np.append(x[:1] * NAN, x[:-1])


@twin(events="trade")
def burstiness(tape: Tape, window: float) -> Array:
    def bursts(gap: Array) -> float:
        sd, mean = gap.std(), gap.mean()
        return (sd - mean) / (sd + mean) if mean > 0 else np.nan

    return by_trade(tape, over(int(window), bursts, gaps(tape)))


@twin(events="trade")
def duration_memory(tape: Tape, window: float) -> Array:
    gap = gaps(tape)
    return by_trade(tape, over(int(window), correlation, shifted(gap), gap))


@twin(events="trade")
def local_variation(tape: Tape, window: float) -> Array:
    gap = gaps(tape)
    sum_ = gap + shifted(gap)
    term = np.where(np.isnan(sum_), np.nan, 3 * part(gap - shifted(gap), sum_, 0) ** 2)
    return by_trade(tape, over(int(window), np.mean, term))


@twin(events="trade", slack=(0.02, 20))  # until a trade of each side
def trade_wait(tape: Tape, half_life: float) -> Array:
    """The rate is that at the last trade: it would fade while nothing happens."""
    rows = []
    for rate, when in zip(rates(tape, half_life), (tape.trade, tape.sign > 0, tape.sign < 0), strict=False):
        last = held(tape, tape.ts.astype(np.longdouble), when)
        rows.append((tape.ts - last) * np.longdouble(1e-9) * held(tape, rate, when))
    return np.column_stack(rows)


@twin(events="trade")
def acd_duration(tape: Tape, window: float) -> Array:
    gap, values, expected = gaps(tape), [], NAN
    means = over(int(window), np.mean, gap)
    for wait, mean in zip(gap, means, strict=True):
        if not np.isnan(mean):
            expected = mean if np.isnan(expected) else expected
            expected = 0.05 * mean + wait / 10 + 0.85 * expected
        values.append(np.log(expected / mean) if mean > 0 else np.nan)
    return by_trade(tape, values)
