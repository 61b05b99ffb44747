"""Training and test rows of which none has seen the other: walk-forward, purged k-fold, combinatorial.

A label at ``ts`` is made of prices up to its end, so a training row whose span [ts, end] meets the span of a test row
holds some of the same future: it is purged. Spans are closed: where a training label ends at the very time of a test
row, it goes too. Features reach back as labels reach ahead, so after a test an ``embargo`` keeps the rows away whose
windows look into it. López de Prado, Advances in Financial Machine Learning (2018), chapters 7 and 12.

Everywhere ``ts`` (n,) is int64 and does not decrease: nanoseconds, or ``np.arange(n)`` to count in rows. ``ends`` is
where each label ends, (n,) in the same unit, or a horizon, one number. Groups hold equal numbers of distinct times, so
a cross-section of one day is never cut in two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import comb

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.intp]
Times = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Row numbers, increasing. ``groups`` are those that the test is made of."""

    train: Rows
    test: Rows
    groups: tuple[int, ...]


def purge(train: Rows, test: Rows, ts: Times, ends: Times | int, embargo: int = 0) -> Rows:
    """The rows of ``train`` whose span meets no test row's, nor begins within ``embargo`` after one."""
    ts, ends = _spans(ts, ends)
    test = np.sort(test)
    # A training row lies outside every unbroken run of test rows, so the hull of a run will do for its spans.
    first = np.flatnonzero(np.diff(test, prepend=-2) > 1)
    low = ts[test[first]]
    high = np.maximum.reduceat(ends[test], first) + embargo if len(test) else low
    keep = np.ones(len(train), bool)
    for a, b in zip(low, high, strict=True):
        keep &= (ends[train] < a) | (ts[train] > b)
    return train[keep]


def walk_forward(
    ts: Times,
    ends: Times | int,
    folds: int,
    *,
    test: int | None = None,
    train: int | None = None,
    embargo: int = 0,
) -> Iterator[Split]:
    """``folds`` tests in time order that tile the end of the data, each trained only on what was before it.

    ``test``: distinct times in a test, by default n // (folds + 1). The training set grows from the first row
    (anchored), or, where ``train`` is given, rolls: its last ``train`` distinct times. Labels that end at or after the
    test's beginning are purged; here, where no training follows a test, ``embargo`` keeps labels' ends that much
    further away.
    """
    ts, ends = _spans(ts, ends)
    times = np.unique(ts)
    size = len(times) // (folds + 1) if test is None else test
    if folds < 1 or size < 1 or folds * size >= len(times):
        raise ValueError(f"{folds} tests of {size} times each leave nothing to train on, of {len(times)} times")
    edges = len(times) - size * np.arange(folds, -1, -1)
    yield from _forward(ts, ends, [*times[edges[:-1]], times[-1] + 1], train, embargo)


def walk_forward_at(
    ts: Times, ends: Times | int, edges: Sequence[int], *, train: int | None = None, embargo: int = 0
) -> Iterator[Split]:
    """As :func:`walk_forward`, with tests [edge, next edge): days, say. The last edge ends the last test."""
    ts, ends = _spans(ts, ends)
    yield from _forward(ts, ends, edges, train, embargo)


def _forward(ts: Times, ends: Times, edges: Sequence[int], train: int | None, embargo: int) -> Iterator[Split]:
    for i, (begin, end) in enumerate(pairwise(edges)):
        known = np.flatnonzero((ts < begin) & (ends + embargo < begin))
        if train is not None and len(known):
            times = np.unique(ts[known])
            known = known[ts[known] >= times[max(len(times) - train, 0)]]
        test = np.flatnonzero((ts >= begin) & (ts < end))
        if not len(known) or not len(test):
            raise ValueError(f"fold {i}: {len(known)} rows to train on, {len(test)} to test")
        yield Split(known, test, (i,))


def purged_kfold(ts: Times, ends: Times | int, folds: int, *, embargo: int = 0) -> Iterator[Split]:
    """Each of ``folds`` unbroken parts is the test once; the rest, before *and after*, trains.

    That makes the most of little data, but no trader could have trained on what came later: use it to choose, and
    :func:`walk_forward` to report.
    """
    yield from combinatorial(ts, ends, folds, 1, embargo=embargo)


def combinatorial(
    ts: Times, ends: Times | int, groups: int, test_groups: int = 2, *, embargo: int = 0
) -> Iterator[Split]:
    """Every choice of ``test_groups`` out of ``groups`` unbroken parts as the test, in lexicographic order.

    comb(groups, test_groups) splits, from which :func:`paths` makes comb(groups - 1, test_groups - 1) histories.
    """
    ts, ends = _spans(ts, ends)
    where = _groups(ts, groups)
    if not 1 <= test_groups < groups:
        raise ValueError(f"{test_groups} groups to test, of {groups}")
    for chosen in combinations(range(groups), test_groups):
        tested = np.isin(where, chosen)
        train, test = np.flatnonzero(~tested), np.flatnonzero(tested)
        yield Split(purge(train, test, ts, ends, embargo), test, chosen)


def paths(groups: int, test_groups: int) -> NDArray[np.intp]:
    """Which split of :func:`combinatorial` tells each group on each path, (paths, groups).

    Path p takes each group from the p-th split that tests it, so every prediction is used once.
    """
    chosen = list(combinations(range(groups), test_groups))
    out = [[i for i, some in enumerate(chosen) if g in some] for g in range(groups)]
    assert all(len(each) == comb(groups - 1, test_groups - 1) for each in out)
    return np.array(out, np.intp).T


def reconstruct(
    splits: Sequence[Split], predictions: Sequence[NDArray[np.floating]], ts: Times
) -> NDArray[np.floating]:
    """Whole histories (paths, n, ...) from what was said of each split's test rows (rows, ...).

    ``splits`` are all of one :func:`combinatorial`, in its order, of the same ``ts``.
    """
    groups = 1 + max(g for split in splits for g in split.groups)
    test_groups = len(splits[0].groups)
    where = _groups(np.asarray(ts), groups)
    expected = list(combinations(range(groups), test_groups))
    if [s.groups for s in splits] != expected or len(predictions) != len(splits):
        raise ValueError(f"{len(splits)} splits and {len(predictions)} predictions: expected all {len(expected)}")
    path = paths(groups, test_groups)
    out = np.full((len(path), len(ts), *np.shape(predictions[0])[1:]), np.nan)
    for i, (split, said) in enumerate(zip(splits, predictions, strict=True)):
        if len(said) != len(split.test):
            raise ValueError(f"split {i}: {len(said)} predictions of {len(split.test)} rows")
        for p, g in zip(*np.nonzero(path == i), strict=True):
            mine = where[split.test] == g
            out[p, split.test[mine]] = said[mine]
    return out


def _spans(ts: Times, ends: Times | int) -> tuple[Times, Times]:
    ts = np.asarray(ts)
    ends = np.asarray(ends)
    ends = ts + ends if ends.ndim == 0 else ends
    if ts.ndim != 1 or ends.shape != ts.shape:
        raise ValueError(f"times {ts.shape} and label ends {ends.shape}: expected as many")
    if (np.diff(ts) < 0).any() or (ends < ts).any():
        raise ValueError("times must not decrease, and no label may end before it begins")
    return ts, ends


def _groups(ts: Times, groups: int) -> NDArray[np.intp]:
    """The group of each row, (n,)."""
    times, which = np.unique(ts, return_inverse=True)
    if not 2 <= groups <= len(times):
        raise ValueError(f"{groups} groups of {len(times)} times")
    size = [len(part) for part in np.array_split(times, groups)]
    return np.repeat(np.arange(groups), size)[which]
