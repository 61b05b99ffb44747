"""From events to what a model learns from: rows of a feature set on a clock, a price and a label beside each.

Whatever is fitted (thresholds, normal scores) is fitted on training recordings. Sequences are views of the rows; only
the batch that is being trained on is copied.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

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
    return Series(train.ts[keep], train.rows[keep], train.mid[keep], train.label[keep])


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
    """All sequences of ``length`` steps in some recordings, none across a border, as views."""

    def __init__(self, series: Sequence[Series], length: int) -> None:
        view = np.lib.stride_tricks.sliding_window_view
        used = [s for s in series if len(s) >= length]
        if not used:
            raise ValueError(f"no recording has {length} rows: {[len(s) for s in series]}")
        self.length = length
        self._rows = [view(s.rows, length, axis=0) for s in used]  # (n - length + 1, k, length) views
        self._label = [view(s.label, length, axis=0) for s in used]  # (n - length + 1, targets, length)
        self._which = np.concatenate([np.full(len(v), i) for i, v in enumerate(self._label)])
        self._start = np.concatenate([np.arange(len(v)) for v in self._label])

    def __len__(self) -> int:
        return len(self._start)

    def random(
        self, size: int, count: int, rng: np.random.Generator
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int8]]]:
        """``count`` batches of random sequences: rows (size, length, k) and labels (size, length, targets)."""
        for _ in range(count):
            pick = rng.integers(len(self), size=size)
            which, start = self._which[pick], self._start[pick]
            rows = np.stack([self._rows[w][s].T for w, s in zip(which, start, strict=True)])
            label = np.stack([self._label[w][s].T for w, s in zip(which, start, strict=True)])
            yield rows, label
