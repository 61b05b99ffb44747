"""How far a score could be off: intervals from blocks of rows drawn again, for rows that are not independent.

Labels of overlapping horizons and markets that stay in a mood make neighbouring rows alike; intervals from single rows
would be several times too narrow. Blocks keep neighbours together: of random length (stationary, Politis and Romano
1994, JASA 89:1303-1313) or of a fixed one (circular, or moving: Künsch 1989, Annals of Statistics 17:1217-1241). The
length is chosen from the data (Politis and White 2004, Econometric Reviews 23:53-70, as corrected by Patton, Politis
and White 2009, 28:372-375). Intervals are plain percentiles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from smartcore.learn.evaluate.scores import Floats, Labels, columns, from_sums, known

KINDS = ("stationary", "circular", "moving")


@dataclass(frozen=True)
class Interval:
    """A value and the bounds between which it lies in a share ``level`` of the draws."""

    value: float
    low: float
    high: float
    level: float
    block: float
    """Mean length of a block, rows."""

    @property
    def above(self) -> bool:
        """Whether it is above zero as a whole."""
        return self.low > 0

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def block_length(x: Floats, kind: str = "stationary") -> float:
    """The mean length of blocks, at least 1, that gives the mean of ``x`` (n,) its best interval.

    Politis and White's: from the autocorrelations up to twice the lag after which they are insignificant. 1 where ``x``
    does not vary.
    """
    x = np.asarray(x, np.float64)
    n = len(x)
    if n < 8 or np.ptp(x) == 0:
        return 1.0
    x = x - x.mean()
    run = max(5, int(np.log10(n)))
    top = min(int(np.ceil(np.sqrt(n))) + run, n - 2)
    padded = np.fft.rfft(x, 1 << (2 * n - 1).bit_length())
    product = np.fft.irfft(padded * padded.conj())[: top + 1]  # of x and itself, by lag
    square = np.concatenate([[0.0], (x * x).cumsum()])
    lag = np.arange(top + 1)
    scale = np.sqrt((square[n] - square[lag + 1]) * square[n - lag - 1])
    correlation = np.abs(np.divide(product, scale, out=np.zeros(top + 1), where=scale > 0))
    small = correlation < 2 * np.sqrt(np.log10(n) / n)
    reach = top
    for i in range(run, top + 1):
        if small[i - run : i].all():
            reach = min(2 * max(i - run, 1), top)
            break
    k = np.arange(1, reach + 1)
    weight = np.minimum(1, 2 * (1 - k / reach))  # flat, then falling: a trapezoid
    covariance = product / n
    slope = 2 * (weight * k * covariance[1 : reach + 1]).sum()
    variance = covariance[0] + 2 * (weight * covariance[1 : reach + 1]).sum()
    if variance <= 0:
        return 1.0
    d = (2 if kind == "stationary" else 4 / 3) * variance**2
    found = (2 * slope**2 / d * n) ** (1 / 3)
    return float(np.clip(found, 1, np.ceil(min(3 * np.sqrt(n), n / 3))))


@numba.njit
def _blocks(n: int, block: float, kind: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First rows and lengths of the blocks of one draw, n rows together; kind is the place in KINDS."""
    size = int(n / block * 2) + 16
    first: NDArray[np.int64] = np.empty(size, np.int64)
    length: NDArray[np.int64] = np.empty(size, np.int64)
    fixed = min(max(int(np.ceil(block)), 1), n)
    filled = count = 0
    while filled < n:
        if count == len(first):
            first, length = np.append(first, np.empty_like(first)), np.append(length, np.empty_like(length))
        if kind == 0:
            step = 1 if block <= 1 else int(np.floor(np.log(1 - rng.random()) / np.log(1 - 1 / block))) + 1
        else:
            step = fixed
        room = n - fixed + 1 if kind == 2 else n
        first[count] = int(rng.random() * room)
        length[count] = min(step, n - filled)
        filled += length[count]
        count += 1
    return first[:count], length[:count]


@numba.njit
def _draw_sums(
    total: NDArray[np.float64], block: float, kind: int, draws: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Sums (draws, k) over drawn rows, from running sums (n + 1, k): a block costs two rows, whatever its length."""
    n, k = len(total) - 1, total.shape[1]
    out = np.zeros((draws, k))
    for d in range(draws):
        first, length = _blocks(n, block, kind, rng)
        for i in range(len(first)):
            a = first[i]
            b = a + length[i]
            while b > n:  # round the end
                for j in range(k):
                    out[d, j] += total[n, j] - total[a, j]
                a, b = 0, b - n
            for j in range(k):
                out[d, j] += total[b, j] - total[a, j]
    return out


@numba.njit
def _draw_rows(n: int, block: float, kind: int, rng: np.random.Generator) -> NDArray[np.int64]:
    out = np.empty(n, np.int64)
    at = 0
    first, length = _blocks(n, block, kind, rng)
    for i in range(len(first)):
        for j in range(length[i]):
            out[at] = (first[i] + j) % n
            at += 1
    return out


def resample(n: int, block: float, rng: np.random.Generator, kind: str = "stationary") -> NDArray[np.int64]:
    """One draw: ``n`` row numbers in blocks of (mean) length ``block``."""
    return _draw_rows(n, float(block), KINDS.index(kind), rng)


def sums(
    x: NDArray[np.float64], block: float, draws: int, rng: np.random.Generator, kind: str = "stationary"
) -> NDArray[np.float64]:
    """Sums (draws, k) over rows of ``x`` (n, k) drawn again in blocks: as ``x[resample(...)].sum(0)``, far faster."""
    total = np.concatenate([np.zeros((1, x.shape[1])), np.cumsum(x, axis=0, dtype=np.float64)])
    return _draw_sums(total, float(block), KINDS.index(kind), draws, rng)


def interval(
    statistic: Callable[..., float],
    *arrays: NDArray,
    block: float | None = None,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    kind: str = "stationary",
) -> Interval:
    """The interval of any ``statistic(*arrays)`` of arrays with a row each, redrawn together.

    ``block`` is chosen for the first array if it is (n,), and must be given otherwise. For scores of probabilities use
    :func:`intervals`, a hundred times faster.
    """
    if block is None:
        if np.ndim(arrays[0]) != 1:
            raise ValueError("give the length of a block: the first array is not (n,)")
        block = block_length(arrays[0], kind)
    rng = np.random.default_rng(seed)
    drawn = np.empty(draws)
    for d in range(draws):
        rows = resample(len(arrays[0]), block, rng, kind)
        drawn[d] = statistic(*(a[rows] for a in arrays))
    return _percentiles(float(statistic(*arrays)), drawn, level, block)


@dataclass(frozen=True)
class Drawn:
    """A model's scores on rows and seeds drawn again, and on those that were there. By name."""

    value: dict[str, float]
    """Mean over seeds."""
    scores: dict[str, NDArray[np.float64]]
    """(draws,)"""
    block: float

    def intervals(self, level: float = 0.95) -> dict[str, Interval]:
        """Of the mean over seeds."""
        return {k: _percentiles(self.value[k], v, level, self.block) for k, v in self.scores.items()}

    def less(self, other: Drawn, level: float = 0.95) -> dict[str, Interval]:
        """Of this model's scores less the other's, drawn with the same ``block``, ``draws`` and ``seed``: paired."""
        if self.block != other.block or any(len(v) != len(other.scores[k]) for k, v in self.scores.items()):
            raise ValueError(f"drawn in blocks of {self.block} and {other.block}: not the same rows")
        return {
            k: _percentiles(self.value[k] - other.value[k], v - other.scores[k], level, self.block)
            for k, v in self.scores.items()
        }


def draw(
    prob: Floats,
    label: Labels,
    returns: Floats | None = None,
    *,
    block: float,
    group: NDArray | None = None,
    draws: int = 1000,
    seed: int = 0,
    kind: str = "stationary",
    stream: int = 0,
) -> Drawn:
    """The scores of ``prob``, (n, classes) or (seeds, n, classes), on rows drawn again.

    A draw takes as many seeds as there are, with replacement, and for all of them the same blocks of rows, which hang
    on ``seed``, ``kind``, ``block`` and the number of labels alone. Models whose trainings share nothing draw theirs
    with different ``stream``. ``group``: see :func:`intervals`.
    """
    each = np.asarray(prob)
    parts = []
    for p in each if each.ndim == 3 else each[None]:
        x = columns(*known(p, label, returns))
        parts.append(x if group is None else _by_group(x, np.asarray(group)[np.asarray(label) >= 0]))
    return _draw(parts, each.shape[-1], block, draws, seed, kind, stream)


def draw_counts(
    counts: NDArray[np.integer],
    *,
    block: float,
    draws: int = 1000,
    seed: int = 0,
    kind: str = "stationary",
    stream: int = 0,
) -> Drawn:
    """As :func:`draw`, from confusions (units, classes, classes), or (seeds, units, classes, classes), of pieces of
    time: a day, a hundred rows. All that need be kept of a large test, but for the scores of confidence. ``block``
    counts units."""
    each = np.asarray(counts, np.float64)
    each = each if each.ndim == 4 else each[None]
    return _draw(list(each.reshape(*each.shape[:2], -1)), each.shape[-1], block, draws, seed, kind, stream)


def _draw(
    parts: list[NDArray[np.float64]], classes: int, block: float, draws: int, seed: int, kind: str, stream: int
) -> Drawn:
    """From the columns (units, k) of each seed."""
    # The generator starts anew for each training's rows: its blocks are then those of all others.
    drawn = [sums(x, block, draws, np.random.default_rng(seed), kind) for x in parts]
    pick = np.random.default_rng([seed, 1 + stream]).integers(len(parts), size=(draws, len(parts)))
    value = from_sums(np.array([x.sum(0) for x in parts]), classes)
    found = from_sums(np.concatenate(drawn), classes)  # seed after seed
    return Drawn(
        {k: float(v.mean()) for k, v in value.items()},
        {k: np.take_along_axis(v.reshape(-1, draws).T, pick, axis=1).mean(1) for k, v in found.items()},
        float(block),
    )


def _by_group(x: NDArray[np.float64], group: NDArray) -> NDArray[np.float64]:
    """Sums (groups, k) of rows (n, k), in the order of the groups."""
    order = np.argsort(group, kind="stable")
    first = np.flatnonzero(np.concatenate([[True], np.diff(group[order]) != 0]))
    return np.add.reduceat(x[order], first, axis=0)


def block_of(
    prob: Floats, label: Labels, horizon: int = 1, kind: str = "stationary", group: NDArray | None = None
) -> float:
    """A length of blocks for scores: that of hits or of log-losses, the mean over seeds, whichever is longer; no less
    than ``horizon``, the rows a label reaches ahead. Of groups, if given. Arguments as of :func:`intervals`."""
    each = np.asarray(prob)
    hit, loss = [], []
    for one in each if each.ndim == 3 else each[None]:
        p, c, _ = known(one, label)
        said = np.column_stack([p.argmax(1) == c, -np.log(np.maximum(p[np.arange(len(c)), c], 1e-15)), np.ones(len(c))])
        if group is not None:
            said = _by_group(said, np.asarray(group)[np.asarray(label) >= 0])
        hit.append(block_length(said[:, 0] / said[:, 2], kind))
        loss.append(block_length(said[:, 1] / said[:, 2], kind))
    found = max(float(np.mean(hit)), float(np.mean(loss)), float(horizon))
    return min(found, float(len(said)))


def intervals(
    prob: Floats,
    label: Labels,
    returns: Floats | None = None,
    *,
    horizon: int = 1,
    block: float | None = None,
    group: NDArray | None = None,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    kind: str = "stationary",
) -> dict[str, Interval]:
    """Intervals of the mean score over seeds: of ``SCORES`` but ECE, IC where returns are given, and
    ``macro_f1_beyond_chance``.

    ``prob`` is (n, classes), or (seeds, n, classes) of the same rows: then an interval holds both what the seed and
    what the period of the test did (:func:`draw`). ``block`` is by default :func:`block_of` it. ``group`` (n,): numbers
    that grow with time, such as the day of a cross-section, whose rows move together; they are drawn as one, and
    ``block`` and ``horizon`` then count groups.
    """
    block = block_of(prob, label, horizon, kind, group) if block is None else block
    return draw(prob, label, returns, block=block, group=group, draws=draws, seed=seed, kind=kind).intervals(level)


def difference(
    prob: Floats,
    other: Floats,
    label: Labels,
    returns: Floats | None = None,
    *,
    horizon: int = 1,
    block: float | None = None,
    group: NDArray | None = None,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    kind: str = "stationary",
) -> dict[str, Interval]:
    """Intervals of the scores of ``prob`` less those of ``other``, two models on the same rows: paired by blocks.

    Arguments as of :func:`intervals`. Seeds of the two are drawn apart, for equal numbers do not make equal trainings.
    An interval without zero says that one is better *on this test*, not how often it will be.
    """
    if block is None:
        block = max(block_of(p, label, horizon, kind, group) for p in (prob, other))
    first = draw(prob, label, returns, block=block, group=group, draws=draws, seed=seed, kind=kind)
    second = draw(other, label, returns, block=block, group=group, draws=draws, seed=seed, kind=kind, stream=1)
    return first.less(second, level)


def _percentiles(value: float, drawn: NDArray[np.float64], level: float, block: float) -> Interval:
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), level, float(block))
