"""Naive twins of the kernels of order-flow imbalance, but `ofi` itself."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from reference.books import Array, Tape, of_book, part
from reference.quotes import LN2, before_it, correlation, mid_moves, pairs


@lru_cache(maxsize=20)
def flows(tape: Tape, k: int) -> Array:
    """Cont, Kukanov and Stoikov 2014, equation 4, at one level (from 0) that exists in both messages on both sides."""
    flow = np.zeros(len(tape), np.longdouble)
    for before, i in pairs(tape):
        (pb, qb), (pa, qa) = tape.bids[i, k], tape.asks[i, k]
        (last_pb, last_qb), (last_pa, last_qa) = tape.bids[before, k], tape.asks[before, k]
        if not np.isnan([pb, pa, last_pb, last_pa]).any():
            bid = (qb if pb >= last_pb else 0) - (last_qb if pb <= last_pb else 0)
            ask = (qa if pa <= last_pa else 0) - (last_qa if pa >= last_pa else 0)
            flow[i] = bid - ask
    return flow


def queue(tape: Tape, half_life: float, levels: int = 1) -> Array:
    """Faded mean of half the bid and ask size at the best levels, over messages that leave the book known;
    0 of what is next to nothing."""
    size = (tape.bids + tape.asks)[:, :levels, 1].sum(axis=1) / 2
    sizes, counts = tape.faded(half_life, np.where(tape.valid, size, 0), tape.valid.astype(np.longdouble))
    return np.where(sizes > 1e-180, part(sizes, counts), 0) / levels


@of_book()
def integrated_ofi(tape: Tape, level: float, half_life: float) -> Array:
    flow = np.mean([flows(tape, k) for k in range(int(level))], axis=0)
    return part(tape.faded(half_life, flow)[0], queue(tape, half_life, int(level)))


@of_book()
def ofi_strength(tape: Tape, level: float, half_life: float) -> Array:
    e = flows(tape, int(level) - 1)
    flow, square = tape.faded(half_life, e, e * e)
    return part(flow, np.sqrt(square))


@of_book()
def ofi_share(tape: Tape, half_life: float) -> Array:
    return part(*tape.faded(half_life, flows(tape, 0), abs(flows(tape, 0))))


@of_book()
def ofi_autocorrelation(tape: Tape, half_life: float) -> Array:
    e = flows(tape, 0)
    return correlation(tape, half_life, e, before_it(tape, e))


@of_book()
def ofi_acceleration(tape: Tape, fast: float, slow: float) -> Array:
    of = [LN2 * tape.faded(h, flows(tape, 0))[0] / np.longdouble(h) for h in (fast, slow)]
    return part(of[0] - of[1], queue(tape, slow))


def slope(tape: Tape, half_life: float) -> Array:
    """Of the mid's moves on flow, through 0."""
    e = flows(tape, 0)
    product, square = tape.faded(half_life, mid_moves(tape) * e, e * e)
    return np.where(square > 1e-180, part(product, square), 0)


@of_book()
def ofi_impact(tape: Tape, half_life: float) -> Array:
    return slope(tape, half_life) * queue(tape, half_life)


@of_book()
def ofi_residual(tape: Tape, half_life: float, slow: float) -> Array:
    move, flow = tape.faded(half_life, mid_moves(tape), flows(tape, 0))
    return move - slope(tape, slow) * flow


@of_book()
def ofi_correlation(tape: Tape, half_life: float) -> Array:
    return correlation(tape, half_life, mid_moves(tape), flows(tape, 0))
