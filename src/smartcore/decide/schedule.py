"""A parent order cut into slices: evenly in time, along a curve of volume, as a share of volume, or by
Almgren and Chriss.

Sizes are whole lots, and as many of them as the parent's. Time is jittered by a seed, so that the clock does
not give the order away, and the same arguments give the same slices.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smartcore.decide.decision import Execution
from smartcore.decide.words import Schedule


class Slice(NamedTuple):
    """``size`` contracts, signed as the parent, to be sent ``at_s`` seconds after the start."""

    at_s: float
    size: float


def advised(
    execution: Execution, size: float, *, lot: float = 1.0, curve: ArrayLike | None = None, jitter: float = 0.25,
    seed: int = 0,
) -> tuple[Slice, ...]:  # fmt: skip
    """What a decision's advice comes to for ``size`` contracts: one slice, or ``execution.slices`` of them within
    its longest time: along ``curve`` where its schedule is VWAP and there is one, else as risk and impact ask for
    (Almgren and Chriss with its ``kappa``, which without risk aversion is TWAP). Where it says POV, make anew what
    is left as the rate of trading changes, with :func:`pov`.
    """
    if execution.schedule == Schedule.ONCE:
        return twap(size, 0.0, 1, lot=lot)
    seconds = 60.0 * execution.max_execution_time_minutes
    if execution.schedule == Schedule.VWAP and curve is not None:
        return vwap(size, seconds, curve, lot=lot, jitter=jitter, seed=seed)
    kappa = execution.kappa or 0.0
    return almgren_chriss(size, seconds, execution.slices, kappa, lot=lot, jitter=jitter, seed=seed)


def twap(
    size: float, seconds: float, slices: int, *, lot: float = 1.0, jitter: float = 0.0, seed: int = 0
) -> tuple[Slice, ...]:
    """Equal slices at equal times, the first at once. ``jitter``: how far a slice may be late, 0 to 1 of the
    time to the next.

    Raises ValueError naming field and value, here and below.
    """
    _check(size, seconds, slices, lot, jitter)
    return _cut(size, np.arange(1, slices + 1) / slices, seconds, lot, jitter, seed)


def vwap(
    size: float, seconds: float, curve: ArrayLike, *, lot: float = 1.0, jitter: float = 0.0, seed: int = 0
) -> tuple[Slice, ...]:
    """A slice for each number of ``curve``, the volume expected in equal parts of ``seconds``, in proportion
    to it.

    Trading in proportion to volume is what is least from the average price by volume (Konishi 2002, "Optimal
    slice of a VWAP trade", where volume is known).
    """
    volume = np.asarray(curve, np.float64)
    sound = volume.ndim == 1 and np.isfinite(volume).all() and (volume >= 0).all() and volume.sum() > 0
    if not sound:
        raise ValueError(f"curve: {curve!r} are not volumes, 0 or more and not all 0")
    _check(size, seconds, len(volume), lot, jitter)
    done = np.cumsum(volume / volume.max())
    return _cut(size, done / done[-1], seconds, lot, jitter, seed)


def pov(
    size: float, participation: float, rate: float, every_s: float, *, lot: float = 1.0, jitter: float = 0.0,
    seed: int = 0, most: int = 100_000,
) -> tuple[Slice, ...]:  # fmt: skip
    """A share of the volume, at the ``rate`` (contracts a second) known now; make it anew as it changes.

    ``participation``: the order's size over what others trade meanwhile, above 0 to 1. A slice every
    ``every_s`` seconds, at most ``most`` of them.
    """
    for name, value in (("participation", participation), ("rate", rate), ("every_s", every_s)):
        if not 0 < value < math.inf:
            raise ValueError(f"{name}: {value!r} is not a positive number")
    if participation > 1:
        raise ValueError(f"participation: {participation!r} is above 1")
    _check(size, every_s, 1, lot, jitter)
    each = participation * rate * every_s
    count = math.ceil(abs(size) / each - 1e-9)
    if count > most:
        raise ValueError(f"size: {size!r} is {count} slices of {each:g}, more than most {most}")
    slices = max(1, count)
    done = np.minimum(np.arange(1, slices + 1) * each / abs(size), 1.0)
    return _cut(size, done, slices * every_s, lot, jitter, seed)


def almgren_chriss(
    size: float, seconds: float, slices: int, kappa: float, *, lot: float = 1.0, jitter: float = 0.0, seed: int = 0
) -> tuple[Slice, ...]:
    """The trajectory that is least in E[cost] + lambda Var[cost]: left at t is sinh(kappa (T - t)) over
    sinh(kappa T).

    ``kappa``, 1/s, as in ``Execution.kappa``: the root of lambda sigma^2 / eta; 0 is :func:`twap`. Almgren
    and Chriss (2000), "Optimal execution of portfolio transactions", equation 17 in the limit of short steps.
    The first slice goes at once: it is what the trajectory sells in the first of ``slices`` equal parts of
    ``seconds``.
    """
    if not 0 <= kappa < math.inf:
        raise ValueError(f"kappa: {kappa!r} is not a number from 0")
    _check(size, seconds, slices, lot, jitter)
    done, total = np.arange(1, slices + 1) / slices, kappa * seconds
    if total > 1e-9:  # below, the trajectory is straight to the last digit
        left = total * (1 - done)
        done = 1 - np.exp(left - total) * np.expm1(-2 * left) / np.expm1(-2 * total)  # sinh would overflow
    return _cut(size, done, seconds, lot, jitter, seed)


def _check(size: float, seconds: float, slices: int, lot: float, jitter: float) -> None:
    if not (math.isfinite(size) and size != 0):
        raise ValueError(f"size: {size!r} is no size")
    if not 0 <= seconds < math.inf:
        raise ValueError(f"seconds: {seconds!r} is not a number from 0")
    if isinstance(slices, bool) or not isinstance(slices, int) or slices < 1:
        raise ValueError(f"slices: {slices!r} is not a whole number from 1")
    if not 0 < lot < math.inf:
        raise ValueError(f"lot: {lot!r} is not a positive number")
    if not 0 <= jitter <= 1:
        raise ValueError(f"jitter: {jitter!r} is not a number from 0 to 1")
    if abs(abs(size) / lot - round(abs(size) / lot)) > 1e-6:
        raise ValueError(f"size: {size!r} is not a whole number of lots of {lot!r}")


def _cut(
    size: float, done: NDArray[np.float64], seconds: float, lot: float, jitter: float, seed: int
) -> tuple[Slice, ...]:
    """``done``: the share of the parent that is sent with each slice and before it, the last 1. Slices of no
    lot are left out.
    """
    lots = round(abs(size) / lot)
    ends = np.floor(done * lots + 0.5)  # what is done is rounded, not a slice: all stay within a lot of the plan
    ends[-1] = lots
    counts = np.diff(ends, prepend=0.0)
    step = seconds / len(done)
    late = np.random.default_rng(seed).random(len(done)) * jitter
    at = (np.arange(len(done)) + late) * step
    unit = math.copysign(lot, size)
    return tuple(Slice(float(at[i]), float(counts[i]) * unit) for i in np.flatnonzero(counts > 0).tolist())


__all__ = ["Slice", "advised", "almgren_chriss", "pov", "twap", "vwap"]
