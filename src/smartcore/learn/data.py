"""From events to what a model learns from: rows of a feature set on a clock, a price and a label beside each.

Whatever is fitted (thresholds, normal scores) is fitted on training recordings. Sequences are positions in the rows;
only the batch that is being trained on is copied.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from smartcore.kernels import labels
from smartcore.learn.scaling import normal_scores as normal_scores

if TYPE_CHECKING:
    from smartcore.models import Inputs


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

    def part(self, first: int, end: int) -> Series:
        """Rows ``first`` to before ``end``, as views."""
        cut = slice(first, end)
        weight = None if self.weight is None else self.weight[cut]
        return Series(self.ts[cut], self.rows[cut], self.mid[cut], self.label[cut], weight)


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


@dataclass(frozen=True)
class Move:
    """A label: down, flat or up, as the log return over a horizon is below, between or above two thresholds."""

    horizon: int
    """Nanoseconds, or rows."""
    window: int = 0
    """Of the horizon's last stretch, whose mean price is taken; 0: the price at its end."""
    in_rows: bool = False
    leaky: bool = False
    """Against the mean of the ``window`` rows before (all ``horizon`` where that is 0), not the price now: the rule of
    published tables, half of whose answer is in the input (``labels.leaky_smoothed_rows``)."""

    def __post_init__(self) -> None:
        if self.leaky and not self.in_rows:
            raise ValueError("the leaky rule counts in rows")

    def of(self, series: Series) -> NDArray[np.float64]:
        """(n,) log returns, NaN where not known."""
        if self.leaky:
            return labels.leaky_smoothed_rows(series.mid, self.horizon, self.window)
        if self.in_rows:
            return labels.smoothed_rows(series.mid, self.horizon, self.window or 1)
        if self.window:
            return labels.smoothed(series.ts, series.mid, self.horizon, self.window)
        return labels.fixed_horizon(series.ts, series.mid, self.horizon)

    def fit(self, train: Sequence[Series], flat: float = 1 / 3) -> tuple[float, float]:
        """Thresholds such that a share ``flat`` of the moves of training recordings is flat."""
        return labels.thresholds(np.concatenate([self.of(s) for s in train]), flat)

    def classes(self, series: Series, cut: tuple[float, float]) -> NDArray[np.int8]:
        """(n,) 0 down, 1 flat, 2 up, -1 not known."""
        return labels.classify(self.of(series), *cut)

    def last(self, series: Series) -> NDArray[np.int64]:
        """(n,) the last row each label looks at, -1 where not known: for ``labels.uniqueness`` and its kin."""
        row = np.arange(len(series)) + self.horizon if self.in_rows else labels.last_rows(series.ts, self.horizon)
        return np.where(np.isfinite(self.of(series)), row, labels.UNKNOWN)


@dataclass(frozen=True)
class Barrier:
    """A label: the first of a loss, the end of the horizon and a gain (``labels.triple_barrier``)."""

    horizon: int
    """Nanoseconds, or rows."""
    upper: float
    lower: float
    """Log returns, or multiples of a column."""
    unit: int | None = None
    """Number of that column: a volatility as log return over about the horizon."""
    in_rows: bool = False

    def of(self, series: Series) -> labels.Barriers:
        unit = None if self.unit is None else series.rows[:, self.unit].astype(np.float64)
        return labels.triple_barrier(
            series.ts, series.mid, self.horizon, self.upper, self.lower, unit, in_rows=self.in_rows
        )

    def fit(self, train: Sequence[Series], flat: float = 1 / 3) -> tuple[float, float]:
        """The barriers: nothing is fitted."""
        return -self.lower, self.upper

    def classes(self, series: Series, cut: tuple[float, float]) -> NDArray[np.int8]:
        """(n,) 0 loss, 1 neither, 2 gain, -1 not known."""
        return self.of(series).label

    def last(self, series: Series) -> NDArray[np.int64]:
        """(n,) the last row each label looks at, -1 where not known."""
        return self.of(series).last


Rule = Move | Barrier


def fit_rules(
    rules: Sequence[Rule], train: Sequence[Series], flat: float | Sequence[float] = 1 / 3
) -> list[tuple[float, float]]:
    """Thresholds of each rule, fitted on training recordings; ``flat`` may differ by rule."""
    shares = [flat] * len(rules) if isinstance(flat, int | float) else flat
    return [rule.fit(train, share) for rule, share in zip(rules, shares, strict=True)]


def label(series: Sequence[Series], rules: Sequence[Rule], cuts: Sequence[tuple[float, float]]) -> list[Series]:
    """The same recordings with a label a rule, (n, rules); ``cuts`` are what :func:`fit_rules` found on training ones.

    Each recording is labelled from its own prices: one that was cut off by time (:func:`split`) first looks nowhere
    beyond its end.
    """
    pairs = list(zip(rules, cuts, strict=True))
    return [replace(s, label=np.stack([rule.classes(s, cut) for rule, cut in pairs], axis=1)) for s in series]


def purge(train: Series, start: int, horizon: int, embargo: int = 0) -> Series:
    """The rows of ``train`` whose label was known ``embargo`` nanoseconds before ``start``, where the test begins."""
    return train.part(0, int(np.searchsorted(train.ts, start - horizon - embargo)))


def outside(series: Series, start: int, end: int, horizon: int, embargo: int = 0) -> list[Series]:
    """What of a recording may be trained on when [start, end] is tested: the unbroken pieces before and after.

    Before, labels are known ``embargo`` nanoseconds before ``start``. After, rows begin ``embargo`` after the last
    test label is known: what they look back on is no answer of the test.
    """
    after = int(np.searchsorted(series.ts, end + horizon + embargo, side="right"))
    pieces = [purge(series, start, horizon, embargo), series.part(after, len(series))]
    return [piece for piece in pieces if len(piece)]


def split(
    series: Sequence[Series],
    shares: Sequence[float] = (0.6, 0.2, 0.2),
    horizon: int = 0,
    embargo: int = 0,
    in_rows: bool = False,
) -> list[list[Series]]:
    """Recordings in pieces by time, one list a share: those for training, for validation, for the test.

    All recordings are cut at the same times, such that each piece holds about its share of all rows. A piece ends where
    its labels, ``horizon`` long, are known ``embargo`` before the next begins (nanoseconds, or rows of the recording).
    """
    if not np.isclose(sum(shares), 1) or min(shares) <= 0:
        raise ValueError(f"shares {tuple(shares)} are not positive or do not sum to 1")
    every = np.sort(np.concatenate([s.ts for s in series]))
    edges = [int(every[min(int(share * len(every)), len(every) - 1)]) for share in np.cumsum(shares)[:-1]]
    out: list[list[Series]] = [[] for _ in shares]
    for s in series:
        at = [0, *np.searchsorted(s.ts, edges).tolist(), len(s)]
        for i, pieces in enumerate(out):
            if i == len(out) - 1:
                end = at[-1]
            elif in_rows:
                end = at[i + 1] - horizon - embargo
            else:
                end = int(np.searchsorted(s.ts, edges[i] - horizon - embargo))
            if end > at[i]:
                pieces.append(s.part(at[i], end))
    return out


def golden_rows(series: Series) -> NDArray[np.float32]:
    """(up to 16, k) rows for a file to be checked by: the first, where much may be unknown yet, and later ones that
    move."""
    late = np.unique(np.linspace(len(series) // 2, len(series) - 1, 12).astype(int))
    return np.concatenate([series.rows[:4], series.rows[late]])


def inputs(series: Sequence[Series], farthest: float = 10.0, most: int = 200_000) -> Inputs:
    """What the rows of training recordings look like, for ``Contract.inputs``: by it a live row is known to be unlike
    them (``Model.novelty``). Unknown and infinite values are left out; of more than ``most`` rows, every so many-th.
    """
    from smartcore.models import Inputs

    rows = np.concatenate([s.rows for s in series]).astype(np.float64)
    rows = rows[:: -(-len(rows) // most)]
    rows[~np.isfinite(rows)] = np.nan
    median: NDArray[np.float64] = np.zeros(rows.shape[1])
    scale: NDArray[np.float64] = np.zeros(rows.shape[1])
    for j, column in enumerate(rows.T):
        known = column[~np.isnan(column)]
        if not known.size:
            continue
        low, median[j], high = np.quantile(known, [0.25, 0.5, 0.75])
        spread = 0.741 * (high - low) or known.std()  # half the values alike: counts, flags
        if spread > 1e-9 * abs(median[j]):
            scale[j] = spread
    # As the file will give them back: the shortest decimals of float32.
    median, scale = (np.array([float(str(x)) for x in values.astype(np.float32)]) for values in (median, scale))
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(scale > 0, np.minimum(np.abs(rows - median) / scale, farthest), np.nan)
    known_of = np.count_nonzero(~np.isnan(z), axis=1)
    told = known_of > 0
    squares = np.nansum(z[told] ** 2, axis=1) / known_of[told]
    far = float(np.sqrt(np.quantile(squares, 0.99))) if squares.size else 0.0
    return Inputs(tuple(median.tolist()), tuple(scale.tolist()), far or 1.0)


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
