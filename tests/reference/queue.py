"""Naive twins of the kernels of the queues."""

from __future__ import annotations

from functools import lru_cache
from types import SimpleNamespace

import numpy as np

from reference.books import Array, Tape, of_book, part
from reference.depth import sides
from reference.quotes import level, over, pairs


def levels(side: Array) -> dict[float, np.longdouble]:
    """Sizes by price."""
    return {float(price): size for price, size in side if not np.isnan(price)}


@lru_cache(maxsize=4)
def moves(tape: Tape) -> SimpleNamespace:
    """What messages did, each (m, 2) for bids and asks: sizes added and lost at prices that both messages show, the
    same at prices no worse than the worse of both best prices (the touch), how many levels grew and shrank, whether the
    best price rose or fell back; and of the loss at the touch, what was traded."""
    names = "add", "cut", "touch_add", "touch_cut", "more", "less", "better", "worse", "executed", "touched"
    s = SimpleNamespace(**{name: np.zeros((len(tape), 2), np.longdouble) for name in names})
    for before, i in pairs(tape):
        for k, (side, sign) in enumerate(((tape.bids, 1), (tape.asks, -1))):
            old, new = levels(side[before]), levels(side[i])
            best_old, best_new = (max(book, key=lambda p: sign * p) for book in (old, new))
            ends = [min(sign * p for p in book) for book in (old, new) if len(book) == 10]
            for price in set(old) | set(new):
                if any(sign * price < end for end in ends):
                    continue  # in one of the messages it may be there, out of view
                change = new.get(price, np.longdouble(0)) - old.get(price, np.longdouble(0))
                touch = sign * price >= min(sign * best_old, sign * best_new)
                if change > 0:
                    s.add[i, k] += change
                    s.more[i, k] += 1
                    s.touch_add[i, k] += change if touch else 0
                elif change < 0:
                    s.cut[i, k] -= change
                    s.less[i, k] += 1
                    s.touch_cut[i, k] -= change if touch else 0
            s.better[i, k] = sign * best_new > sign * best_old
            s.worse[i, k] = sign * best_new < sign * best_old
            s.touched[i, k] = best_new != best_old or new[best_new] != old[best_old]
    waiting = np.zeros(2, np.longdouble)  # traded, not yet seen to be missing
    for i in range(len(tape)):
        if i:
            waiting = waiting * np.exp2(-np.longdouble(int(tape.ts[i] - tape.ts[i - 1])) * np.longdouble(1e-8))
        waiting = np.where(waiting < 1e-300, 0, waiting) + tape.traded[i, :, 0]
        lost = s.touch_cut[i]
        s.executed[i] = np.where(waiting < lost * (1 - 1e-6), waiting, lost)  # to a millionth of it
        waiting = waiting - s.executed[i]
        waiting[waiting <= 1e-6 * s.executed[i]] = 0
    s.cancel = s.cut - s.executed
    return s


def sums(tape: Tape, half_life: float, *names: str) -> list[Array]:
    """(m, 2) each."""
    columns = [getattr(moves(tape), name)[:, k] for name in names for k in (0, 1)]
    faded = tape.faded(half_life, *columns)
    return [np.stack(faded[2 * k : 2 * k + 2], axis=1) for k in range(len(names))]


def usual(tape: Tape, half_life: float) -> Array:
    return sides(lambda side: tape.standing(half_life, level(side, 10))[0], tape)


# ---- adds and cancels ----


@of_book()
def add_rate(tape: Tape, half_life: float) -> Array:
    (add,) = sums(tape, half_life, "add")
    return over(add / tape.time(half_life)[:, None], usual(tape, half_life))


@of_book()
def cancel_rate(tape: Tape, half_life: float) -> Array:
    (cancel,) = sums(tape, half_life, "cancel")
    return over(cancel / tape.time(half_life)[:, None], usual(tape, half_life))


@of_book()
def cancel_share(tape: Tape, half_life: float) -> Array:
    cancel, add = sums(tape, half_life, "cancel", "add")
    return part(cancel, cancel + add)


@of_book()
def add_imbalance(tape: Tape, half_life: float) -> Array:
    (add,) = sums(tape, half_life, "add")
    return part(add[:, 0] - add[:, 1], add.sum(axis=1))


@of_book()
def cancel_imbalance(tape: Tape, half_life: float) -> Array:
    (cancel,) = sums(tape, half_life, "cancel")
    return part(cancel[:, 0] - cancel[:, 1], cancel.sum(axis=1))


@of_book()
def net_add_imbalance(tape: Tape, half_life: float) -> Array:
    add, cut = sums(tape, half_life, "add", "cut")
    net = add - cut
    return part(net[:, 0] - net[:, 1], (add + cut).sum(axis=1))


@of_book()
def add_size(tape: Tape, half_life: float) -> Array:
    add, more = sums(tape, half_life, "add", "more")
    return over(10 * part(add, more), usual(tape, half_life))


@of_book()
def update_rate(tape: Tape, half_life: float) -> Array:
    more, less = sums(tape, half_life, "more", "less")
    return (more + less) / tape.time(half_life)[:, None]


@of_book()
def update_balance(tape: Tape, half_life: float) -> Array:
    more, less = sums(tape, half_life, "more", "less")
    return part(more - less, more + less)


# ---- at the best prices ----


@of_book()
def execution_share(tape: Tape, half_life: float) -> Array:
    return part(*sums(tape, half_life, "executed", "touch_cut"))


@of_book()
def replenishment(tape: Tape, half_life: float) -> Array:
    add, cut = sums(tape, half_life, "touch_add", "touch_cut")
    return part(add - cut, add + cut)


@of_book()
def depletion_rate(tape: Tape, half_life: float) -> Array:
    return sums(tape, half_life, "worse")[0] / tape.time(half_life)[:, None]


@of_book()
def improvement_rate(tape: Tape, half_life: float) -> Array:
    return sums(tape, half_life, "better")[0] / tape.time(half_life)[:, None]


@of_book()
def best_update_share(tape: Tape, half_life: float) -> Array:
    touched = moves(tape).touched.max(axis=1)
    return part(*tape.faded(half_life, touched, tape.follows.astype(np.longdouble)))


def runs(tape: Tape) -> list[range]:
    """Stretches of messages each of which can be compared with the one before."""
    starts = np.flatnonzero(tape.valid & ~tape.follows)
    ends = [next((j for j in range(i + 1, len(tape)) if not tape.follows[j]), len(tape)) for i in starts]
    return [range(i, j) for i, j in zip(starts, ends, strict=True)]


@lru_cache(maxsize=4)
def refills(tape: Tape) -> list[list[tuple[int, int | None]]]:
    """Of bids and of asks: when a best price was lost, and when it was quoted again (or better), if it was before the
    next one was lost."""
    found: list[list[tuple[int, int | None]]] = [[], []]
    for k, (side, sign) in enumerate(((tape.bid, 1), (tape.ask, -1))):
        for run in runs(tape):
            best = sign * side
            lost = [i for i in run[1:] if best[i] < best[i - 1]]
            for n, i in enumerate(lost):
                end = lost[n + 1] if n + 1 < len(lost) else run.stop
                found[k].append((i, next((j for j in range(i + 1, end) if best[j] >= best[i - 1]), None)))
    return found


@lru_cache(maxsize=4)
def fleeting(tape: Tape) -> list[list[tuple[int, int | None]]]:
    """Of bids and of asks: when a better price was quoted, and when the best was back at the price before, if that was
    before a still better one, within two seconds, and without a trade on that side since."""
    found: list[list[tuple[int, int | None]]] = [[], []]
    for k, (side, sign) in enumerate(((tape.bid, 1), (tape.ask, -1))):
        for run in runs(tape):
            best = sign * side
            better = [i for i in run[1:] if best[i] > best[i - 1]]
            for n, i in enumerate(better):
                end = better[n + 1] if n + 1 < len(better) else run.stop
                back = next((j for j in range(i + 1, end) if best[j] <= best[i - 1]), None)
                gone = (
                    back is not None
                    and tape.ts[back] - tape.ts[i] <= 2_000_000_000
                    and tape.traded[i + 1 : back + 1, k, 1].sum() == 0
                )
                found[k].append((i, back if gone else None))
    return found


def ended(tape: Tape, half_life: float, things: list[list[tuple[int, int | None]]]) -> Array:
    """Share of what has begun that has ended by now, each at the weight of its beginning."""
    rows = np.zeros((len(tape), 2), np.longdouble)
    for block, weight in tape.weights(half_life):
        for k in (0, 1):
            weights = np.where(weight < 1e-300, 0, weight)
            begun = np.array([i for i, _ in things[k]], int)
            done = np.array([len(tape) if j is None else j for _, j in things[k]], int)
            still = weights[:, begun] * (done <= block[:, None])
            rows[block, k] = part(still.sum(axis=1), weights[:, begun].sum(axis=1))
    return rows


@of_book()
def refill_share(tape: Tape, half_life: float) -> Array:
    return ended(tape, half_life, refills(tape))


@of_book()
def refill_time(tape: Tape, half_life: float) -> Array:
    rows = []
    for things in refills(tape):
        back, time = np.zeros((2, len(tape)), np.longdouble)
        for i, j in things:
            if j is not None:
                back[j], time[j] = 1, (tape.ts[j] - tape.ts[i]) * np.longdouble(1e-9)
        rows.append(part(*tape.faded(half_life, time, back)))
    return np.stack(rows, axis=1)


@of_book()
def fleeting_share(tape: Tape, half_life: float) -> Array:
    return ended(tape, half_life, fleeting(tape))


# ---- rhythm ----


@of_book()
def message_burstiness(tape: Tape, half_life: float) -> Array:
    gap, counted = np.zeros(len(tape), np.longdouble), tape.follows.astype(np.longdouble)
    for before, i in pairs(tape):
        gap[i] = (tape.ts[i] - tape.ts[before]) * np.longdouble(1e-9)
    times, counts = tape.faded(half_life, gap, counted)
    mean, square = part(times, counts), np.zeros(len(tape), np.longdouble)
    for block, weight in tape.weights(half_life):
        square[block] = (weight * counted * (gap - mean[block, None]) ** 2).sum(axis=1)
    deviation = np.sqrt(part(square, counts))
    return np.where(deviation + mean > 1e-12, part(deviation - mean, deviation + mean), -1)
