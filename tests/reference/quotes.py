"""Naive twins of the kernels of the best quote: spread, imbalance and mid over time."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from reference.books import Array, Tape, held, of_book, part

BPS = 10_000
LN2 = np.log(np.longdouble(2))


def level(side: Array, k: float) -> Array:
    return side[:, : int(k), 1].sum(axis=1)


def imbalance(tape: Tape, k: float) -> Array:
    bids, asks = level(tape.bids, k), level(tape.asks, k)
    return part(bids - asks, bids + asks)


def over(a: Array, unit: Array) -> Array:
    """In units of something positive; NaN where there is nothing of it."""
    return np.where(unit > 1e-100, part(a, unit), np.nan)


def pairs(tape: Tape) -> list[tuple[int, int]]:
    """A message and the one before it, where they can be compared."""
    return [(i - 1, i) for i in np.flatnonzero(tape.follows)]


# ---- spread ----


def width(tape: Tape) -> Array:
    return np.abs(tape.ask - tape.bid)


def in_spreads(tape: Tape, x: Array, half_life: float) -> Array:
    """In units of the usual spread."""
    usual = tape.standing(half_life, width(tape))[0]
    return np.where(usual > 1e-12 * tape.mid, part(x, usual), np.nan)


@of_book()
def spread_mean(tape: Tape, half_life: float) -> Array:
    return BPS * tape.standing(half_life, width(tape))[0] / tape.mid


@of_book()
def spread_ratio(tape: Tape, half_life: float) -> Array:
    return in_spreads(tape, tape.ask - tape.bid, half_life)


@of_book()
def spread_volatility(tape: Tape, half_life: float) -> Array:
    return in_spreads(tape, np.sqrt(tape.standing(half_life, width(tape))[1]), half_life)


@of_book()
def tight_share(tape: Tape, half_life: float) -> Array:
    spread, tight = tape.ask - tape.bid, np.zeros(len(tape), np.longdouble)
    shown = np.flatnonzero(tape.valid)
    for n, i in enumerate(shown):
        tight[i] = spread[i] - spread[shown[max(0, n - 999) : n + 1]].min() <= 1e-4 * np.abs(spread[i])
    return tape.standing(half_life, tight)[0]


def reversion(tape: Tape, half_life: float, x: Array) -> Array:
    """Jumps of x regressed on its distance from its mean over time before them, over the time spent at distances; one
    of less than a ten-thousandth of x, or from an x of 0, is none."""
    jump = np.zeros(len(tape), np.longdouble)
    shown = np.flatnonzero(tape.valid)
    jump[shown[1:]] = np.diff(x[shown])
    (after,) = tape.faded(half_life, jump)  # x less its mean
    fade = np.exp2(-np.diff(tape.ts).astype(np.longdouble) * np.longdouble(1e-9) / np.longdouble(half_life))
    before, square = (np.zeros(len(tape), np.longdouble) for _ in range(2))
    before[1:] = after[:-1] * fade
    lost = -np.expm1(-2 * LN2 * np.diff(tape.ts).astype(np.longdouble) * np.longdouble(1e-9) / np.longdouble(half_life))
    square[1:] = after[:-1] ** 2 * lost * np.longdouble(half_life) / (2 * LN2)  # of the distance, over the time between
    least = np.zeros(len(tape), np.longdouble)
    last = held(tape, x, tape.valid)[:-1]
    least[1:] = np.where(last == 0, np.inf, 1e-4 * abs(last))  # of nothing, any rounding would be a distance
    square[1:] *= abs(after[:-1]) > least[1:]
    before *= abs(before) > least
    jumps, squares = tape.faded(half_life, -jump * before, square)
    return np.where(squares > 1e-200, part(jumps, squares), 0)


@of_book()
def spread_resilience(tape: Tape, half_life: float) -> Array:
    return reversion(tape, half_life, width(tape))


# ---- imbalance ----


@of_book()
def deep_microprice(tape: Tape, k: float) -> Array:
    both = ~np.isnan(tape.bids[:, : int(k), 0] + tape.asks[:, : int(k), 0])
    bids, asks = (np.where(both[..., None], side[:, : int(k)], 0) for side in (tape.bids, tape.asks))
    above = np.where(both, bids[..., 0] - tape.mid[:, None], 0) * asks[..., 1]
    above += np.where(both, asks[..., 0] - tape.mid[:, None], 0) * bids[..., 1]
    return BPS * part(above.sum(axis=1), (bids + asks)[..., 1].sum(axis=1)) / tape.mid


@of_book()
def queue_imbalance_mean(tape: Tape, k: float, half_life: float) -> Array:
    return tape.standing(half_life, imbalance(tape, k))[0]


@of_book()
def queue_imbalance_change(tape: Tape, k: float, half_life: float) -> Array:
    return imbalance(tape, k) - tape.standing(half_life, imbalance(tape, k))[0]


@of_book()
def queue_imbalance_volatility(tape: Tape, k: float, half_life: float) -> Array:
    return np.sqrt(tape.standing(half_life, imbalance(tape, k))[1])


def weighted(bid_weights: Array, ask_weights: Array, tape: Tape) -> Array:
    """Imbalance of weighted sizes; a level that does not exist has none."""
    bids = (np.nan_to_num(bid_weights) * tape.bids[..., 1]).sum(axis=1)
    asks = (np.nan_to_num(ask_weights) * tape.asks[..., 1]).sum(axis=1)
    return part(bids - asks, bids + asks)


@of_book()
def weighted_imbalance(tape: Tape, half_life: float) -> Array:
    weights = np.exp2(-np.arange(10) / np.longdouble(half_life))
    return weighted(weights, weights, tape)


def from_best(tape: Tape) -> tuple[Array, Array]:
    """(m, 10) distance of each price from the side's best."""
    return tape.bid[:, None] - tape.bids[..., 0], tape.asks[..., 0] - tape.ask[:, None]


@of_book()
def book_pressure(tape: Tape) -> Array:
    bid, ask = from_best(tape)
    reach = np.nanmax(np.nan_to_num(bid), axis=1) + np.nanmax(np.nan_to_num(ask), axis=1)
    gaps = (~np.isnan(bid)).sum(axis=1) + (~np.isnan(ask)).sum(axis=1) - 2
    gap = np.where(gaps > 0, reach / np.maximum(gaps, 1), 1)[:, None]
    return weighted(gap / (gap + bid), gap / (gap + ask), tape)


# ---- mid ----


def mid_moves(tape: Tape) -> Array:
    """Log moves of the mid in bps, less than a rounding of the price being none."""
    moves = np.zeros(len(tape), np.longdouble)
    for before, i in pairs(tape):
        change = ((tape.bid[i] - tape.bid[before]) + (tape.ask[i] - tape.ask[before])) / 2
        if abs(change) > 1e-14 * tape.mid[i]:
            moves[i] = BPS * np.log1p(change / tape.mid[before])
    return moves


def before_it(tape: Tape, x: Array) -> Array:
    """At each x that is not 0 the one before it; 0 where there is none, or a break since."""
    before, last = np.zeros(len(tape), np.longdouble), np.longdouble(0)
    for i in range(len(tape)):
        if not tape.follows[i]:
            last = np.longdouble(0)
        if x[i] != 0:
            before[i], last = last, x[i]
    return before


def correlation(tape: Tape, half_life: float, x: Array, y: Array) -> Array:
    """About 0."""
    xy, xx, yy = tape.faded(half_life, x * y, x * x, y * y)
    return part(xy, np.sqrt(xx) * np.sqrt(yy))


class Steps(NamedTuple):
    net: Array
    gross: Array
    up: Array
    down: Array


@lru_cache(maxsize=5)
def steps(tape: Tape, half_life: float) -> Steps:
    moves = mid_moves(tape)
    up, down = (moves > 0).astype(np.longdouble), (moves < 0).astype(np.longdouble)
    return Steps(*tape.faded(half_life, moves, abs(moves), up, down))


@of_book()
def mid_direction(tape: Tape, half_life: float) -> Array:
    s = steps(tape, half_life)
    return part(s.up - s.down, s.up + s.down)


@of_book()
def mid_efficiency(tape: Tape, half_life: float) -> Array:
    s = steps(tape, half_life)
    return part(s.net, s.gross)


@of_book()
def mid_acceleration(tape: Tape, fast: float, slow: float) -> Array:
    return LN2 * (steps(tape, fast).net / np.longdouble(fast) - steps(tape, slow).net / np.longdouble(slow))


@of_book()
def mid_change_rate(tape: Tape, half_life: float) -> Array:
    s = steps(tape, half_life)
    return np.stack([s.up, s.down], axis=1) / tape.time(half_life)[:, None]


@of_book()
def mid_autocorrelation(tape: Tape, half_life: float) -> Array:
    moves = mid_moves(tape)
    return correlation(tape, half_life, moves, before_it(tape, moves))


def age(tape: Tape, changed: Array) -> Array:
    """Seconds since the last moment at which it changed."""
    since = np.maximum.accumulate(np.where(changed, np.arange(len(tape)), 0))
    return (tape.ts - tape.ts[since]) * np.longdouble(1e-9)


@of_book()
def mid_age(tape: Tape) -> Array:
    return age(tape, ~tape.follows & tape.message | (mid_moves(tape) != 0))


@of_book()
def quote_age(tape: Tape) -> Array:
    rows = []
    for price in (tape.bid, tape.ask):
        changed = ~tape.follows & tape.message
        changed[1:] |= price[1:] != price[:-1]
        rows.append(age(tape, changed))
    return np.stack(rows, axis=1)
