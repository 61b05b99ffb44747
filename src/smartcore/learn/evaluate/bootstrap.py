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


def intervals(
    prob: Floats,
    label: Labels,
    returns: Floats | None = None,
    *,
    horizon: int = 1,
    block: float | None = None,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    kind: str = "stationary",
) -> dict[str, Interval]:
    """Intervals of the mean score over seeds: of ``SCORES`` but ECE, IC where returns are given, and
    ``macro_f1_beyond_chance``.

    ``prob`` is (n, classes), or (seeds, n, classes) of the same rows: then a draw takes seeds again, and for all of
    them the same blocks of rows, so that it holds both what the seed and what the period of the test did. ``block``
    is by default that of hits and of losses, whichever is longer, and no less than ``horizon``, the rows a label
    reaches ahead.
    """
    parts = _parts(prob, label, returns)
    classes = np.shape(prob)[-1]
    block = _block(parts, classes, horizon, kind) if block is None else block
    value = _means(np.stack([x.sum(0) for x in parts])[:, None], classes)
    drawn, pick = _drawn(parts, classes, block, draws, seed, kind)
    return {
        name: _percentiles(float(value[name].mean()), _over_seeds(drawn[name], pick), level, block) for name in value
    }


def difference(
    prob: Floats,
    other: Floats,
    label: Labels,
    returns: Floats | None = None,
    *,
    horizon: int = 1,
    block: float | None = None,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    kind: str = "stationary",
) -> dict[str, Interval]:
    """Intervals of the scores of ``prob`` less those of ``other``, two models on the same rows: paired by blocks.

    Arguments as of :func:`intervals`. Seeds of the two are drawn apart, for equal numbers do not make equal trainings.
    An interval without zero says that one is better *on this test*, not how often it will be.
    """
    a, b = _parts(prob, label, returns), _parts(other, label, returns)
    classes = np.shape(prob)[-1]
    if block is None:
        # The score of each row is what differs; where they agree nothing is drawn.
        block = max(_block(a, classes, horizon, kind), _block(b, classes, horizon, kind))
    value = {}
    for name, x in _means(np.stack([x.sum(0) for x in a])[:, None], classes).items():
        y = _means(np.stack([x.sum(0) for x in b])[:, None], classes)[name]
        value[name] = float(x.mean() - y.mean())
    first, pick = _drawn(a, classes, block, draws, seed, kind)
    second, again = _drawn(b, classes, block, draws, seed, kind, stream=1)
    return {
        name: _percentiles(value[name], _over_seeds(first[name], pick) - _over_seeds(second[name], again), level, block)
        for name in value
    }


def _parts(prob: Floats, label: Labels, returns: Floats | None) -> list[NDArray[np.float64]]:
    """Columns (rows with a label, k) of each seed."""
    prob = np.asarray(prob)
    return [columns(*known(p, label, returns)) for p in (prob if prob.ndim == 3 else prob[None])]


def _block(parts: list[NDArray[np.float64]], classes: int, horizon: int, kind: str) -> float:
    hit = [x[:, : classes * classes : classes + 1].sum(1) for x in parts]
    loss = [x[:, classes * classes + 1] for x in parts]
    found = [np.mean([block_length(x, kind) for x in each]) for each in (hit, loss)]
    return min(max(float(found[0]), float(found[1]), float(horizon)), float(len(hit[0])))


def _means(sums: NDArray[np.float64], classes: int) -> dict[str, NDArray[np.float64]]:
    """Scores (seeds, draws) from sums (seeds, draws, k)."""
    found = from_sums(sums.reshape(-1, sums.shape[2]), classes)
    return {name: value.reshape(sums.shape[:2]) for name, value in found.items()}


def _drawn(
    parts: list[NDArray[np.float64]], classes: int, block: float, draws: int, seed: int, kind: str, stream: int = 0
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.int64]]:
    """Scores (seeds, draws) on the same blocks, and the seeds (draws, seeds) that each draw takes."""
    # The generator starts anew for each seed's rows: its blocks are then those of all others.
    found = np.stack([sums(x, block, draws, np.random.default_rng(seed), kind) for x in parts])
    pick = np.random.default_rng([seed, 1 + stream]).integers(len(parts), size=(draws, len(parts)))
    return _means(found, classes), pick


def _over_seeds(drawn: NDArray[np.float64], pick: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.take_along_axis(drawn.T, pick, axis=1).mean(1)


def _percentiles(value: float, drawn: NDArray[np.float64], level: float, block: float) -> Interval:
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), level, float(block))
