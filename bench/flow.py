"""A plain stream of depth updates, trades and quotes, made without Numba.

A random walk of the touch with levels coming and going around it; never crossed, at least 60 levels
a side. It is no market (``smartcore.simulate`` is): only the amount of work is meant to be
ordinary, most of it near the touch.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from smartcore.market.events import depth, merge, quotes, trades

TICK = 0.01
START = 1_704_067_200_000_000_000
STEP = 5_000_000
"""Nanoseconds from one update to the next."""


@functools.cache
def updates(n: int, seed: int = 1) -> NDArray[np.void]:
    """A snapshot of 200 levels a side, then n depth events, each a message of its own."""
    rng = np.random.default_rng(seed)
    best = [10_000, 10_001]  # ticks: bid, ask
    books: list[dict[int, float]] = [{}, {}]
    rows: list[tuple[int, int, float]] = []

    def put(side: int, tick: int, size: float) -> None:
        if size:
            books[side][tick] = size
        else:
            books[side].pop(tick, None)
        rows.append((1 - 2 * side, tick, size))

    for level in range(200):
        put(0, best[0] - level, 1.0 + level % 7)
        put(1, best[1] + level, 1.0 + level % 5)
    away = np.minimum(rng.geometric(0.25, n) - 1, 150)
    sides, what = rng.integers(0, 2, n), rng.random(n)
    sizes = np.round(rng.lognormal(0, 1, n), 3) + 0.001
    for i in range(n):
        side = int(sides[i])
        outward = -1 if side == 0 else 1
        tick = best[side] + outward * int(away[i])
        if what[i] < 0.06 and best[1] - best[0] < 4 and len(books[side]) > 60:  # the touch retreats
            put(side, best[side], 0.0)
            while best[side] not in books[side]:
                best[side] += outward
        elif what[i] < 0.12 and best[1] - best[0] > 1:  # and comes back
            best[side] -= outward
            put(side, best[side], float(sizes[i]))
        elif what[i] < 0.4 and away[i] > 0 and tick in books[side] and len(books[side]) > 60:
            put(side, tick, 0.0)
        else:
            put(side, tick, float(sizes[i]))
    side, tick, size = (np.array(x) for x in zip(*rows, strict=True))
    ts = START + STEP * np.arange(len(rows))
    ts[:400] = START
    last = np.r_[np.zeros(399, bool), np.ones(n + 1, bool)]
    return depth(ts, side, np.round(tick * TICK, 2), size, last, np.arange(len(rows)) == 0)


@functools.cache
def prints(n: int, seed: int = 2) -> NDArray[np.void]:
    """n trades, 7 ms apart, around the same prices."""
    rng = np.random.default_rng(seed)
    price = np.round(100 + TICK * np.cumsum(rng.integers(-1, 2, n)), 2)
    return trades(START + 7_000_000 * np.arange(n), price, np.round(rng.lognormal(0, 1, n), 3) + 0.001,
                  rng.choice([-1, 1], n))  # fmt: skip


@functools.cache
def touches(n: int, seed: int = 3) -> NDArray[np.void]:
    """n best quotes, 5 ms apart."""
    rng = np.random.default_rng(seed)
    bid = np.round(100 + TICK * np.cumsum(rng.integers(-1, 2, n)), 2)
    sizes = np.round(rng.lognormal(0, 1, (2, n)), 3) + 0.001
    return quotes(START + STEP * np.arange(n), bid, sizes[0], bid + TICK, sizes[1])


def mixed(n: int) -> NDArray[np.void]:
    """n events after the snapshot: depth updates and trades, in time order, five to two."""
    both = merge(updates(n), prints(n))
    return both[: n + 400]
