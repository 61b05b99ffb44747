"""Naive twins of the kernels of trade flow that came after those in `trades`. Each takes a `Tape` and the parameters.

What changes with trades alone is written with one row per trade, and spread over the moments at the end.
"""

from __future__ import annotations

from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from reference import twin
from reference.books import Array, Tape, part
from reference.trades import by_trade, over

NAN = np.longdouble("nan")


class Trades:
    """The trades of a tape alone."""

    def __init__(self, tape: Tape) -> None:
        self.ts, self.price, self.size, self.sign = (x[tape.trade] for x in (tape.ts, tape.price, tape.size, tape.sign))

    def __len__(self) -> int:
        return len(self.ts)

    def faded(self, half_life: float, *addends: Array) -> list[Array]:
        """The sum of x_i 2^(-(t - t_i) / half_life) at every trade; less than 1e-300 counts as nothing."""
        sums = [np.zeros(len(self), np.longdouble) for _ in addends]
        place = np.arange(len(self))
        for block in np.array_split(place, len(self) // 200 + 1):
            age = (self.ts[block, None] - self.ts).astype(np.longdouble) * np.longdouble(1e-9)
            past = place <= block[:, None]
            weight = np.where(past, np.exp2(-np.where(past, age, 0) / np.longdouble(half_life)), 0)
            for total, x in zip(sums, addends, strict=True):
                total[block] = weight @ x
        return [np.where(np.abs(total) < 1e-300, 0, total) for total in sums]

    @property
    def buy(self) -> NDArray[np.bool_]:
        return self.sign > 0

    @property
    def sell(self) -> NDArray[np.bool_]:
        return self.sign < 0

    @property
    def change(self) -> Array:
        return np.append(np.full(min(1, len(self)), NAN), np.diff(self.price))


def one(flags: NDArray[np.bool_]) -> Array:
    return flags.astype(np.longdouble)


def columns(tape: Tape, *values: Array) -> Array:
    return np.column_stack([by_trade(tape, list(v)) for v in values])


# ---- who is ahead, and by how large trades ----


@twin(events="trade")
def flow_zscore(tape: Tape, half_life: float) -> Array:
    t = Trades(tape)
    bought, sold = t.faded(half_life, one(t.buy) * t.size, one(t.sell) * t.size)
    (squares,) = t.faded(half_life / 2, t.size**2)
    return by_trade(tape, list(part(bought - sold, np.sqrt(squares), 0)))


@twin(events="trade")
def count_imbalance(tape: Tape, half_life: float) -> Array:
    t = Trades(tape)
    buys, sells = t.faded(half_life, one(t.buy), one(t.sell))
    return by_trade(tape, list(part(buys - sells, buys + sells, 0)))


@twin(events="trade", slack=(1, 10))  # until both sides have traded
def size_asymmetry(tape: Tape, half_life: float) -> Array:
    t = Trades(tape)
    buys, sells, bought, sold = t.faded(half_life, one(t.buy), one(t.sell), one(t.buy) * t.size, one(t.sell) * t.size)
    buy, sell = part(bought, buys, np.nan), part(sold, sells, np.nan)
    return by_trade(tape, list(np.where(np.isnan(buy + sell), np.nan, part(buy - sell, buy + sell, 0))))


@twin(events="trade")
def trade_size(tape: Tape, half_life: float, usual: float) -> Array:
    t = Trades(tape)
    now, long = (part(*t.faded(h, t.size, np.ones(len(t), np.longdouble)), 0) for h in (half_life, usual))
    ratio = np.where(now > 0, part(now, long, np.nan), np.nan)
    return by_trade(tape, list(np.log(ratio)))


@twin(events="trade")
def trade_concentration(tape: Tape, half_life: float) -> Array:
    t = Trades(tape)
    squares, sizes, counts = t.faded(half_life, t.size**2, t.size, np.ones(len(t), np.longdouble))
    return by_trade(tape, list(part(squares / counts, (sizes / counts) ** 2, np.nan)))


@twin(events="trade")
def large_trades(tape: Tape, half_life: float) -> Array:
    t = Trades(tape)
    volume, counts = t.faded(half_life, t.size, np.ones(len(t), np.longdouble))
    large = np.where(t.size > np.sqrt(np.longdouble(10)) * volume / counts, t.size, 0)
    share, net = t.faded(half_life, large, large * t.sign)
    return columns(tape, part(share, volume, 0), part(net, volume, 0))


# ---- at what prices ----


@twin(events="trade")
def trade_vwap_distance(tape: Tape, half_life: float) -> Array:
    t = Trades(tape)
    base = t.price[0] if len(t) else 0
    money, volume = t.faded(half_life, t.size * (t.price - base), t.size)
    return by_trade(tape, list(10_000 * (t.price - base - part(money, volume, np.nan)) / t.price))


@twin(events="trade", slack=(1, 10))  # until both sides have traded
def buy_sell_vwap(tape: Tape, half_life: float) -> Array:
    t = Trades(tape)
    base = t.price[0] if len(t) else 0
    paid = []
    for side in (t.buy, t.sell):
        size = one(side) * t.size
        money, volume = t.faded(half_life, size * (t.price - base), size)
        paid.append(part(money, volume, np.nan))
    return by_trade(tape, list(10_000 * (paid[0] - paid[1]) / t.price))


@twin(events="trade")
def tick_efficiency(tape: Tape, window: float) -> Array:
    def straight(change: Array) -> float:
        path = np.abs(change).sum()
        return change.sum() / path if path > 0 else 0

    return by_trade(tape, over(int(window), straight, Trades(tape).change))


@twin(events="trade")
def tick_balance(tape: Tape, window: float) -> Array:
    def balance(change: Array) -> float:
        moved = np.count_nonzero(change)
        return np.sign(change).sum() / moved if moved else 0

    return by_trade(tape, over(int(window), balance, Trades(tape).change))


@twin(events="trade")
def zero_ticks(tape: Tape, window: float) -> Array:
    return by_trade(tape, over(int(window), lambda change: np.mean(change == 0), Trades(tape).change))


# ---- in which order ----


def runs(tape: Tape) -> Array:
    """Length of the run of each trade's sign so far; NaN while no side is known."""
    lengths: list[float] = []
    for sign, group in groupby(Trades(tape).sign):
        n = len(list(group))
        lengths += list(range(1, n + 1)) if sign else [np.nan] * n
    return np.array(lengths, np.longdouble)


@twin(events="trade", slack=(1, 10))  # the first sides may be unknown
def sign_run(tape: Tape) -> Array:
    return by_trade(tape, list(Trades(tape).sign * runs(tape)))


@twin(events="trade", slack=(1, 1.1))  # so here
def longest_run(tape: Tape, window: float) -> Array:
    return by_trade(tape, over(int(window), np.max, runs(tape)))


def known_signs(tape: Tape) -> Array:
    sign = Trades(tape).sign
    return np.where(sign != 0, sign, np.nan)


@twin(events="trade", slack=(1, 1.1))  # so here
def sign_memory(tape: Tape, lag: float, window: float) -> Array:
    sign, k = known_signs(tape), int(lag)
    product = np.full(len(sign), NAN)
    product[k:] = sign[k:] * sign[: max(0, len(sign) - k)]
    return by_trade(tape, over(int(window), np.mean, product))


@twin(events="trade", slack=(1, 1.1))  # so here
def sign_entropy(tape: Tape, window: float) -> Array:
    sign = known_signs(tape)
    word = np.full(len(sign), NAN)
    word[2:] = 4 * sign[2:] + 2 * sign[1:-1] + sign[:-2]

    def entropy(words: Array) -> float:
        p = np.unique(words, return_counts=True)[1] / np.longdouble(len(words))
        return -(p * np.log(p)).sum() / np.log(np.longdouble(8))

    return by_trade(tape, over(int(window), entropy, word))


@twin(events="trade", sparse=("small",))  # windows of 500 have trades without size
def size_clustering(tape: Tape, window: float) -> Array:
    size = Trades(tape).size
    log = np.full(len(size), NAN)
    log[size > 0] = np.log(size[size > 0])
    before = np.append(log[:1] * NAN, log[:-1])
    return by_trade(tape, over(int(window), correlation, before, log))


def correlation(x: Array, y: Array) -> float:
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return np.nan
    x, y = x - x.mean(), y - y.mean()
    return (x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum())


# ---- orders behind trades ----


def orders(t: Trades) -> list[range]:
    """Successive trades of one known side, each within 1 ms of the one before."""
    found: list[range] = []
    for i in range(len(t)):
        if i and t.sign[i] and t.sign[i] == t.sign[i - 1] and t.ts[i] - t.ts[i - 1] <= 1_000_000:
            found[-1] = range(found[-1].start, i + 1)
        else:
            found.append(range(i, i + 1))
    return found


@twin(events="trade")
def sweeps(tape: Tape, half_life: float) -> Array:
    """An order is a sweep from its second price on, and all it has traded until then counts at that moment."""
    t = Trades(tape)
    swept = np.zeros(len(t), np.longdouble)
    for order in orders(t):
        other = [i for i in order if t.price[i] != t.price[order.start]]
        if other:
            swept[other[0] : order.stop] = t.size[other[0] : order.stop]
            swept[other[0]] = t.size[order.start : other[0] + 1].sum()
    share, net, volume = t.faded(half_life, swept, swept * t.sign, t.size)
    return np.clip(columns(tape, part(share, volume, 0), part(net, volume, 0)), -1, 1)


@twin(events="trade")
def fills_per_order(tape: Tape, half_life: float) -> Array:
    t = Trades(tape)
    begun = np.zeros(len(t), np.longdouble)
    begun[[order.start for order in orders(t)]] = 1
    return by_trade(tape, list(part(*t.faded(half_life, np.ones(len(t), np.longdouble), begun), np.nan)))
