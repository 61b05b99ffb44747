"""From events to what a model learns from: rows of a feature set on a clock, a price and a label beside each.

Whatever is fitted (thresholds, normal scores) is fitted on training recordings. Sequences are positions in the rows;
only the batch that is being trained on is copied.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartcore.kernels import labels


@dataclass(frozen=True)
class Series:
    """One unbroken recording, sampled: n rows in time order."""

    ts: NDArray[np.int64]
    rows: NDArray[np.float32]
    """(n, k), raw values of the columns, NaN where not known yet."""
    mid: NDArray[np.float64]
    """(n,), the price the label looks at, as known at ``ts``; NaN while the book is empty."""
    label: NDArray[np.int8]
    """(n, targets), 0 down, 1 flat, 2 up, -1 not known: one column for every horizon or rule."""
    weight: NDArray[np.float32] | None = None
    """(n,), how much each row counts in training (``labels.uniqueness``, ``labels.time_decay``); None for all alike."""

    def __len__(self) -> int:
        return len(self.ts)


def sample(
    events: NDArray[np.void], mid: NDArray[np.float64], columns: Sequence[str], every: str, bars: str | None
) -> Series:
    """Run one recording through an engine and keep its columns every ``every``; no labels yet.

    ``mid`` (n,) is the price after each event; a row gets that of the last event up to its time.
    """
    import smartcore as sc  # here: what follows needs no compiled core

    engine = sc.Engine(sc.FeatureSet(list(columns)), bars=bars)
    ts, rows = engine.run(events, sample=every, return_ts=True)
    last = np.searchsorted(events["ts"], ts, side="right") - 1
    price = np.where(last >= 0, mid[last], np.nan)
    return Series(ts, rows.astype(np.float32), price, np.full((len(ts), 1), labels.UNKNOWN, np.int8))


def move(series: Series, horizon: int, window: int = 0) -> NDArray[np.float64]:
    """Log return from each row to ``horizon`` nanoseconds later, or to the mean of that horizon's last ``window``."""
    if window:
        return labels.smoothed(series.ts, series.mid, horizon, window)
    return labels.fixed_horizon(series.ts, series.mid, horizon)


def label(series: Sequence[Series], horizon: int, window: int, low: float, high: float) -> list[Series]:
    """The same recordings with the class of their :func:`move`: below ``low``, between, above ``high``."""
    return [replace(s, label=labels.classify(move(s, horizon, window), low, high)[:, None]) for s in series]


def purge(train: Series, start: int, horizon: int, embargo: int = 0) -> Series:
    """The rows of ``train`` whose label was known ``embargo`` nanoseconds before ``start``, where the test begins."""
    keep = train.ts + horizon + embargo < start
    weight = None if train.weight is None else train.weight[keep]
    return Series(train.ts[keep], train.rows[keep], train.mid[keep], train.label[keep], weight)


def normal_scores(series: Sequence[Series], knots: int = 16, reach: float = 2.6) -> NDArray[np.float64]:
    """What turns each column into a standard normal: (2, k, knots), values in increasing order and their scores.

    The scores go from -``reach`` to ``reach``, the values are the quantiles of the known ones that belong to
    them. A value that holds several quantiles gets the mean of their scores, and the last knot is repeated
    where there are fewer; a column never known gets zeros.
    """
    normal = np.linspace(-reach, reach, knots)
    share = np.array([NormalDist().cdf(z) for z in normal])
    rows = np.concatenate([s.rows for s in series])
    out = np.zeros((2, rows.shape[1], knots))
    for j, column in enumerate(rows.T):
        known = column[np.isfinite(column)]
        if len(known):
            value, which = np.unique(np.quantile(known.astype(np.float64), share), return_inverse=True)
            score = np.bincount(which, normal) / np.bincount(which)
            out[0, j] = np.pad(value, (0, knots - len(value)), mode="edge")
            out[1, j] = np.pad(score, (0, knots - len(score)), mode="edge")
    return out


def digest(*arrays: NDArray[np.generic]) -> str:
    """SHA-256 of arrays' bytes, first 16 hex digits: says whether two trainings saw the same data."""
    h = hashlib.sha256()
    for array in arrays:
        h.update(np.ascontiguousarray(array).view(np.uint8).data)
    return h.hexdigest()[:16]


class Windows:
    """Recordings laid end to end, as positions: nothing is copied here.

    An array of ``size`` rows holds all of them, recording i in ``first[i]`` and the ``len(series[i])`` rows after it.
    The rows between them are zeros without a label. Training sequences begin at the positions ``start`` and are
    ``length`` rows long; none reaches into another recording, and each has a label.

    Sequences (``padded=False``, for nets that stream) lie within a recording; one that is shorter than ``length`` is
    followed by enough rows without a label. Windows (``padded=True``) end at a row that has a label, and reach over
    ``length - 1`` rows of zeros before the recording's first, as the live window does.
    """

    def __init__(self, series: Sequence[Series], length: int, burn: int = 0, padded: bool = False) -> None:
        if not series:
            raise ValueError("no recordings")
        if any(s.label.ndim != 2 for s in series):
            raise ValueError(f"labels are (n, targets): {[s.label.shape for s in series]}")
        self.length = length
        count = np.array([len(s) for s in series])
        before = length - 1 if padded else 0
        after = 0 if padded else np.maximum(length - count, 0)
        last = np.cumsum(count + before + after) - after
        self.size = int(np.sum(count + before + after))
        self.count = count
        self.first = last - count
        """(recordings,) position of each recording's first row."""
        known = np.zeros(self.size, np.int64)
        for s, first in zip(series, self.first, strict=True):
            known[first : first + len(s)] = (s.label >= 0).any(1)
        if padded:
            self.start = np.flatnonzero(known) - (length - 1)
        else:
            start = [first + np.arange(max(n - length, 0) + 1) for first, n in zip(self.first, count, strict=True)]
            joined = np.concatenate(start)
            # At a recording's first row the state is as young as it will be live, and nothing is burnt.
            burnt = np.where(np.isin(joined, self.first), 0, burn)
            sum_ = np.concatenate([[0], np.cumsum(known)])
            self.start = joined[sum_[joined + length] > sum_[joined + burnt]]

    def __len__(self) -> int:
        return len(self.start)

    def draw(self, shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.int64]:
        """Positions where random sequences begin, each as likely as any other of ``start``."""
        return self.start[rng.integers(len(self.start), size=shape)]

    def lay(self, arrays: Sequence[NDArray[Any]], fill: float = 0) -> NDArray[Any]:
        """Arrays of the recordings (n, ...) as one (size, ...), ``fill`` between them. A copy: for tests and trees."""
        out = np.full((self.size, *arrays[0].shape[1:]), fill, arrays[0].dtype)
        for array, first in zip(arrays, self.first, strict=True):
            out[first : first + len(array)] = array
        return out
