"""Naive twins of the kernels of the book's shape."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from reference.books import Array, Tape, of_book, part
from reference.quotes import BPS, from_best, level, over, reversion, weighted, width


def sides(function: Callable[[Array], Array], tape: Tape) -> Array:
    return np.stack([function(tape.bids), function(tape.asks)], axis=1)


def lopsided(rows: Array) -> Array:
    """Bid less ask over the sum of their sizes, of (m, 2)."""
    total = abs(rows).sum(axis=1)
    return np.where(np.isnan(total), np.nan, part(rows[:, 0] - rows[:, 1], total))


@of_book()
def level_imbalance(tape: Tape, k: float) -> Array:
    bid, ask = tape.bids[:, int(k) - 1, 1], tape.asks[:, int(k) - 1, 1]
    return part(bid - ask, bid + ask)


# ---- against what is usual ----


@of_book()
def relative_depth(tape: Tape, k: float, half_life: float) -> Array:
    def relative(side: Array) -> Array:
        return over(level(side, k), tape.standing(half_life, level(side, k))[0])

    return sides(relative, tape)


@of_book()
def depth_volatility(tape: Tape, k: float, half_life: float) -> Array:
    def volatility(side: Array) -> Array:
        mean, variance = tape.standing(half_life, level(side, k))
        return over(np.sqrt(variance), mean)

    return sides(volatility, tape)


@of_book()
def depth_resilience(tape: Tape, k: float, half_life: float) -> Array:
    return sides(lambda side: reversion(tape, half_life, level(side, k)), tape)


# ---- how it is spread over levels ----


@of_book()
def depth_concentration(tape: Tape, k: float) -> Array:
    return sides(lambda side: over(side[:, 0, 1], level(side, k)), tape)


def count(side: Array) -> Array:
    return (~np.isnan(side[..., 0])).sum(axis=1)


@of_book()
def depth_entropy(tape: Tape) -> Array:
    def entropy(side: Array) -> Array:
        p = over(side[..., 1], level(side, 10)[:, None])
        bits = -np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), p).sum(axis=1)
        return bits / np.log(np.maximum(count(side), 2).astype(np.longdouble))

    return sides(entropy, tape)


@of_book()
def depth_convexity(tape: Tape) -> Array:
    def convexity(side: Array) -> Array:
        share = over(np.cumsum(side[..., 1], axis=1), level(side, 10)[:, None])
        return np.where(np.isnan(side[..., 0]), 0, share).sum(axis=1) / np.maximum(count(side), 1)

    return np.where(sides(lambda side: level(side, 10), tape) > 0, sides(convexity, tape), np.nan)


# ---- how far it stands ----


def distances(tape: Tape) -> tuple[Array, Array]:
    """(m, 10) from the mid, positive on both sides of it."""
    return tape.mid[:, None] - tape.bids[..., 0], tape.asks[..., 0] - tape.mid[:, None]


def centers(tape: Tape, k: float) -> Array:
    rows = []
    for side, distance in zip((tape.bids, tape.asks), distances(tape), strict=True):
        size = side[:, : int(k), 1]
        rows.append(over((size * np.nan_to_num(distance[:, : int(k)])).sum(axis=1), size.sum(axis=1)))
    return np.stack(rows, axis=1)


@of_book()
def depth_center(tape: Tape, k: float) -> Array:
    center = centers(tape, k)
    return np.column_stack([BPS * center / tape.mid[:, None], lopsided(center)])


@of_book()
def depth_width(tape: Tape) -> Array:
    center, rows = centers(tape, 10), []
    for i, (side, distance) in enumerate(zip((tape.bids, tape.asks), distances(tape), strict=True)):
        square = np.nan_to_num((distance - center[:, i, None]) ** 2)
        rows.append(np.sqrt(over((side[..., 1] * square).sum(axis=1), side[..., 1].sum(axis=1))))
    return BPS * np.stack(rows, axis=1) / tape.mid[:, None]


ONE_LEVEL = {"sparse": ("quotes",)}  # has no gaps


def gaps(tape: Tape, function: Callable[[Array], Array]) -> Array:
    """A function of the gaps between prices that there are, of both sides; NaN where there is one price."""
    rows = np.full((len(tape), 2), np.nan, np.longdouble)
    for k, side in enumerate((tape.bids, tape.asks)):
        for i, prices in enumerate(side[..., 0]):
            between = abs(np.diff(prices[~np.isnan(prices)]))
            if len(between):
                rows[i, k] = function(between)
    return rows


@of_book(**ONE_LEVEL)
def level_gap(tape: Tape) -> Array:
    mean = gaps(tape, np.mean)
    return np.column_stack([BPS * mean / tape.mid[:, None], lopsided(mean)])


@of_book(**ONE_LEVEL)
def first_gap(tape: Tape) -> Array:
    return gaps(tape, lambda gap: gap[0] / gap.mean())


@of_book(**ONE_LEVEL)
def largest_gap(tape: Tape) -> Array:
    return gaps(tape, lambda gap: gap.max() / gap.mean())


@of_book(**ONE_LEVEL)
def depth_slope_asymmetry(tape: Tape, k: float) -> Array:
    rows = np.full((len(tape), 2), np.nan, np.longdouble)
    for s, (side, sign) in enumerate(((tape.bids, -1), (tape.asks, 1))):
        for i in np.flatnonzero(tape.valid):
            price, size = side[i, : int(k)][~np.isnan(side[i, : int(k), 0])].T
            if len(price) > 1 and size.sum() > 0:
                share, x = np.cumsum(size) / size.sum(), sign * (price - price.mean())
                rows[i, s] = (x * (share - share.mean())).sum() / (x * x).sum()
    return lopsided(rows)


# ---- what it would cost ----


@of_book()
def sweep_cost(tape: Tape, multiple: float) -> Array:
    queue = sum(tape.standing(60, level(side, 1))[0] for side in (tape.bids, tape.asks)) / 2
    cost = np.full((len(tape), 2), np.nan, np.longdouble)
    for k, (side, distance) in enumerate(
        zip((tape.asks, tape.bids), reversed(distances(tape)), strict=True)
    ):  # a purchase takes asks
        for i in np.flatnonzero(tape.valid & (multiple * queue > 1e-100)):
            rest, paid = np.longdouble(multiple) * queue[i], np.longdouble(0)
            there = np.flatnonzero(~np.isnan(distance[i]))
            for j in there:
                taken = rest if j == there[-1] else min(rest, side[i, j, 1])
                paid, rest = paid + taken * distance[i, j], rest - taken
            cost[i, k] = paid / (multiple * queue[i])
    return np.column_stack([BPS * cost / tape.mid[:, None], lopsided(cost)])


@of_book()
def near_imbalance(tape: Tape, spreads: float) -> Array:
    reach = np.longdouble(spreads) * tape.standing(60, width(tape))[0][:, None]

    def weight(distance: Array) -> Array:
        best = np.arange(10) == 0
        return np.where(best, 1, np.where(reach > 0, np.maximum(1 - part(distance, reach), 0), 0))

    bid, ask = from_best(tape)
    return weighted(weight(bid), weight(ask), tape)
