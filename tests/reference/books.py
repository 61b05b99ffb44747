"""Naive twins of the kernels of the order book, and the `Tape` that they and those of trades are fed with.

A fading sum is written as what it means: the sum of x_i 2^(-(t - t_i) / half_life) over everything so far, anew at
every moment and in extended precision.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache, wraps
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reference import twin
from reference.book import Book
from smartcore.market.events import QUOTE, TRADE, Flag, Kind

Array = NDArray[np.longdouble]
LEVELS = 10


class Tape:
    """The moments of a stream that wake features of book and trades: trades, closed messages and gaps, in order.

    A message is a closed depth message, or a quote while no depth was ever seen. Twins return one row per moment, the
    value that stands after it; `at_events` spreads rows over all events.
    """

    event: NDArray[np.int64]
    """(m,) position of the moment in the stream."""
    ts: NDArray[np.int64]
    trade: NDArray[np.bool_]
    message: NDArray[np.bool_]
    """(m,) neither a trade nor a message: the depth sequence broke."""
    price: Array
    size: Array
    side: NDArray[np.int8]
    """(m,) of a trade: +1, -1, or 0 unknown."""
    valid: NDArray[np.bool_]
    """(m,) both sides exist and the sequence is whole."""
    follows: NDArray[np.bool_]
    """(m,) a message that can be compared with the one before: both valid, no snapshot or gap between."""
    bids: Array
    asks: Array
    """(m, 10, 2) price and size of the best levels after a message; at a trade, as they stood. NaN and 0 where there is
    no such level."""

    def __init__(self, events: np.ndarray) -> None:
        self.length = len(events)
        rows = list(self._moments(events))
        names = ("event", "ts", "trade", "message", "price", "size", "side", "valid", "follows")
        types = (np.int64, np.int64, bool, bool, np.longdouble, np.longdouble, np.int8, bool, bool)
        for i, (name, kind) in enumerate(zip(names, types, strict=True)):
            setattr(self, name, np.array([row[i] for row in rows], kind))
        tops = np.array([row[-1] for row in rows], np.longdouble).reshape(len(rows), 2, LEVELS, 2)
        self.bids, self.asks = tops[:, 0], tops[:, 1]

    @staticmethod
    def _moments(events: np.ndarray) -> Iterator[tuple]:
        book, deep = Book(), False
        nothing = [[(np.nan, 0.0)] * LEVELS] * 2
        top, valid, cleared = nothing, False, True  # cleared: what comes next has nothing to be compared with
        quoted, traded = events.view(QUOTE), events.view(TRADE)
        head = [events[name].tolist() for name in ("ts", "kind", "side", "flags")]
        for i, (ts, kind, side, flags) in enumerate(zip(*head, strict=True)):
            if kind == Kind.TRADE:
                price, size = float(traded["price"][i]), float(traded["size"][i])
                yield i, ts, True, False, price, size, side, valid, False, top
                continue
            if kind == Kind.DEPTH:
                if book.stale and not flags & Flag.SNAPSHOT:
                    continue  # there is nothing to apply it to
                cleared |= not deep or bool(flags & Flag.SNAPSHOT)
                deep = True
                book.depth(side, float(traded["price"][i]), float(traded["size"][i]), flags)
                if not flags & Flag.LAST:
                    continue
                sides = book.top(LEVELS)
            elif kind == Kind.QUOTE and not deep:
                q = quoted[i]
                sides = [(float(q["bid"]), float(q["bid_size"]))], [(float(q["ask"]), float(q["ask_size"]))]
            elif kind == Kind.GAP and deep:
                book.stale, valid, cleared = True, False, True
                yield i, ts, False, False, np.nan, np.nan, 0, False, False, top
                continue
            else:
                continue
            valid = all(sides)
            follows = valid and not cleared
            cleared = not valid
            top = [side + [(np.nan, 0.0)] * (LEVELS - len(side)) for side in sides]
            yield i, ts, False, True, np.nan, np.nan, 0, valid, follows, top

    def __len__(self) -> int:
        return len(self.ts)

    @cached_property
    def bid(self) -> Array:
        return self.bids[:, 0, 0]

    @cached_property
    def ask(self) -> Array:
        return self.asks[:, 0, 0]

    @cached_property
    def mid(self) -> Array:
        return (self.bid + self.ask) / 2

    @cached_property
    def sign(self) -> Array:
        """(m,) who was the aggressor of a trade: +1 buyer, -1 seller, 0 not yet known or no trade.

        Where the feed does not say, the tick rule: up from the last trade's price is a buy, down a sale, and a trade at
        the same price has the sign of the one before.
        """
        signs = np.zeros(len(self), np.longdouble)
        sign, last = 0, np.nan
        for i in np.flatnonzero(self.trade):
            if self.side[i]:
                sign = self.side[i]
            elif self.price[i] > last:
                sign = 1
            elif self.price[i] < last:
                sign = -1
            signs[i], last = sign, self.price[i]
        return signs

    traded: Array
    """Of `book` alone: (m, 2, 2) what was traded since the moment before, from bids and from asks: size and count."""

    @cached_property
    def book(self) -> Tape:
        """The same without the trades: the moments at which the book may be another."""
        book = copy.copy(self)
        for name, values in self.__dict__.items():
            if isinstance(values, np.ndarray):
                setattr(book, name, values[~self.trade])
        book.traded = np.zeros((len(book), 2, 2), np.longdouble)
        following = np.cumsum(~self.trade)
        for i in np.flatnonzero(self.trade & (self.sign != 0)):
            if following[i] < len(book):
                book.traded[following[i], int(self.sign[i] > 0)] += self.size[i], 1
        return book

    def weights(self, half_life: float) -> Iterator[tuple[NDArray[np.int64], Array]]:
        """Blocks of (moments, weights): 2^(-(t - t_i) / half_life) of each moment i until t, 0 of later ones."""
        return iter(blocks_of_weights(self, half_life))

    def faded(self, half_life: float, *addends: Array) -> list[Array]:
        """Fading sums at every moment, of what each moment adds. What is left of less than 1e-300 counts as nothing."""
        sums = [np.zeros(len(self), np.longdouble) for _ in addends]
        for block, weight in self.weights(half_life):
            for total, x in zip(sums, addends, strict=True):
                total[block] = weight @ x.astype(np.longdouble)
        return [np.where(np.abs(total) < 1e-300, 0, total) for total in sums]

    def standing(self, half_life: float, x: Array) -> tuple[Array, Array]:
        """Mean and variance over time, at weight 2^(-age / half_life), of what x is while it stands: from a moment at
        which the book is valid to the next such. The first value stands since for ever."""
        shown = np.flatnonzero(self.valid)
        mean, variance = np.full((2, len(self)), np.nan, np.longdouble)
        rate = np.log(np.longdouble(2)) * np.longdouble(1e-9) / np.longdouble(half_life)
        lost = -np.expm1(-rate * np.diff(self.ts[shown]))  # by the weight of the time before a value, while it stood
        for block, weight in self.weights(half_life) if len(shown) else ():
            p = np.zeros((len(block), len(shown)), np.longdouble)
            p[:, :-1] = weight[:, shown[1:]] * lost
            p[:, 0] += weight[:, shown[0]]
            last = np.searchsorted(shown, block, side="right") - 1  # stands now
            begun = np.flatnonzero(last >= 0)
            p[begun, last[begun]] += -np.expm1(-rate * (self.ts[block[begun]] - self.ts[shown[last[begun]]]))
            mean[block[begun]] = (p * x[shown]).sum(axis=1)[begun]
            variance[block] = (p * (x[shown] - mean[block, None]) ** 2).sum(axis=1)
        return mean, variance

    def time(self, half_life: float) -> Array:
        """Seconds that the fading window has seen: the integral of the weight since the first moment; NaN while 0."""
        age = (self.ts - self.ts[:1]).astype(np.longdouble) * np.longdouble(1e-9)
        ln2 = np.log(np.longdouble(2))
        seen = -np.expm1(-age * ln2 / np.longdouble(half_life)) * np.longdouble(half_life) / ln2
        return np.where(seen > 0, seen, np.nan)

    def at_events(self, rows: np.ndarray, when: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """Rows (m, ...) as they stand after each of all events: those at the moments `when`, held until the next."""
        moments = np.flatnonzero(when) if when is not None else np.arange(len(self))
        index = np.searchsorted(self.event[moments], np.arange(self.length), side="right") - 1
        spread = np.full((self.length, *rows.shape[1:]), np.nan)
        spread[index >= 0] = rows[moments[index[index >= 0]]]
        return spread


@lru_cache(maxsize=6)
def blocks_of_weights(tape: Tape, half_life: float) -> list[tuple[NDArray[np.int64], Array]]:
    """The twins of a stream take few half-lives in turn. An extended power takes 50 ns, so the weight of what
    was before a block is that at its beginning times what is left of it since."""

    def left(since: Array) -> Array:
        return np.exp2(-since.astype(np.longdouble) * np.longdouble(1e-9) / np.longdouble(half_life))

    blocks = []
    for block in np.array_split(np.arange(len(tape)), len(tape) // 100 + 1):
        weight = np.zeros((len(block), len(tape)), np.longdouble)
        if len(block):
            start, ts = block[0], tape.ts[block]
            weight[:, :start] = left(ts - ts[0])[:, None] * left(ts[0] - tape.ts[:start])
            weight[:, block] = np.tril(left(np.maximum(ts[:, None] - ts, 0)))
        blocks.append((block, weight))
    return blocks


def of_book(**traits: Any) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """A twin that is given the moments of the book alone (`Tape.book`). What it says of moments at which the book is
    not valid is not heard; trades change nothing."""

    def enter(function: Callable[..., Array]) -> Callable[..., Array]:
        @wraps(function)
        def whole(tape: Tape, *params: float) -> Array:
            rows = np.array(function(tape.book, *params), np.longdouble)
            rows[~tape.book.valid] = np.nan
            newest = np.cumsum(~tape.trade) - 1
            values = rows[np.maximum(newest, 0)] if len(rows) else np.full(len(tape), np.nan, np.longdouble)
            values[newest < 0] = np.nan
            return values

        return twin(events="book", **traits)(whole)

    return enter


def held(tape: Tape, values: Array, when: NDArray[np.bool_]) -> Array:
    """The newest of the values at the moments `when`, at every moment; NaN before the first."""
    newest = np.maximum.accumulate(np.where(when, np.arange(len(tape)), -1))
    rows = values[np.maximum(newest, 0)]
    rows[newest < 0] = np.nan
    return rows


def known(tape: Tape, values: Array) -> Array:
    """What a column of the book shows: its value after each message or gap, NaN unless the book is valid there."""
    return held(tape, np.where(tape.valid, values, np.nan), ~tape.trade)


def part(a: Array, b: Array, otherwise: float = 0) -> Array:
    """a / b where b is above 0."""
    return np.where(b > 0, a / np.where(b > 0, b, 1), otherwise)


# ---- what stands ----


@twin(events="book")
def spread(tape: Tape) -> Array:
    return known(tape, 10_000 * (tape.ask - tape.bid) / tape.mid)


@twin(events="book", level=1e-8)  # the twin's own: it takes 1 from a ratio
def microprice(tape: Tape) -> Array:
    """Each side's price weighted with the other side's size."""
    bid_size, ask_size = tape.bids[:, 0, 1], tape.asks[:, 0, 1]
    price = part(tape.bid * ask_size + tape.ask * bid_size, bid_size + ask_size, np.nan)
    return known(tape, np.where(np.isnan(price), 0, 10_000 * (price - tape.mid) / tape.mid))


@twin(events="book")
def queue_imbalance(tape: Tape, level: float) -> Array:
    bids, asks = (side[:, : int(level), 1].sum(axis=1) for side in (tape.bids, tape.asks))
    return known(tape, part(bids - asks, bids + asks, 0))


@twin(events="book", sparse=("quotes",), usual=1e-3)  # one level has no slope
def depth_slope(tape: Tape, level: float) -> Array:
    rows = np.full((len(tape), 2), np.nan, np.longdouble)
    for i in np.flatnonzero(tape.valid):
        for k, (side, sign) in enumerate(((tape.bids[i], -1), (tape.asks[i], 1))):
            price, size = side[: int(level)][~np.isnan(side[: int(level), 0])].T
            if len(price) < 2 or size.sum() == 0:
                continue
            distance = sign * 10_000 * (price - tape.mid[i]) / tape.mid[i]
            share = np.cumsum(size) / size.sum()
            x = distance - distance.mean()
            rows[i, k] = (x * (share - share.mean())).sum() / (x * x).sum()
    return held(tape, rows, ~tape.trade)


# ---- how it changes ----


@twin(events="book")
def ofi(tape: Tape, level: float, half_life: float) -> Array:
    """Cont, Kukanov and Stoikov 2014, equation 4, at any level, over the mean of (bid + ask size) / 2 there."""
    k = int(level) - 1
    flow, size, count = (np.zeros(len(tape), np.longdouble) for _ in range(3))
    before = None
    for i in np.flatnonzero(tape.message):
        (pb, qb), (pa, qa) = tape.bids[i, k], tape.asks[i, k]
        if before is not None and tape.follows[i]:
            (last_pb, last_qb), (last_pa, last_qa) = before
            if not np.isnan([pb, pa, last_pb, last_pa]).any():
                flow[i] = (
                    (qb if pb >= last_pb else 0)
                    - (last_qb if pb <= last_pb else 0)
                    - (qa if pa <= last_pa else 0)
                    + (last_qa if pa >= last_pa else 0)
                )
        before = (pb, qb), (pa, qa)
        if tape.valid[i]:
            size[i], count[i] = (qb + qa) / 2, 1
    flows, sizes, counts = tape.faded(half_life, flow, size, count)
    mean = np.where(sizes > 1e-180, part(sizes, counts), 0)
    return known(tape, part(flows, mean))


@twin(events="book", level=1e-4)  # the mid of an odd spread lies on half a tick, which 1e8 rounds; so is its average
def mid_distance(tape: Tape, half_life: float) -> Array:
    """From the mean of the mid over all time, at weight 2^(-age / half_life); the first mid stands since for ever."""
    average = np.full(len(tape), np.nan, np.longdouble)
    shown = np.flatnonzero(tape.message & tape.valid)
    if len(shown):
        change = np.zeros(len(tape), np.longdouble)
        change[shown[1:]] = np.diff(tape.mid[shown])
        for block, weight in tape.weights(half_life):
            # A change to x at s lifts the mean by its size times the weight of the time since s.
            past = np.arange(len(tape)) <= block[:, None]
            average[block] = tape.mid[shown[0]] + (change * np.where(past, 1 - weight, 0)).sum(axis=1)
    return known(tape, 10_000 * np.log(tape.mid / average))


@twin(events="book", level=1e-5)  # the mid of an odd spread lies on half a tick, which 1e8 rounds
def mid_volatility(tape: Tape, half_life: float) -> Array:
    square = np.zeros(len(tape), np.longdouble)
    messages = np.flatnonzero(~tape.trade)
    for before, i in pairwise(messages):
        if tape.valid[before] and tape.valid[i]:
            square[i] = (10_000 * np.log(tape.mid[i] / tape.mid[before])) ** 2
    return known(tape, np.sqrt(tape.faded(half_life, square)[0] / tape.time(half_life)))


@twin(events="book")
def book_rate(tape: Tape, half_life: float) -> Array:
    counts = (tape.message & tape.valid).astype(np.longdouble)
    return known(tape, tape.faded(half_life, counts)[0] / tape.time(half_life))
