"""FI-2010: limit order books of five Helsinki stocks, 1 to 14 June 2010, in the files their authors published.

Ntakaris, Magris, Kanniainen, Gabbouj and Iosifidis (2018), arXiv:1705.03233. Files are named
``{Train,Test}_Dst_{Auction,NoAuction}_{ZScore,MinMax,DecPre}_CF_{1..9}.txt``. One has 149 rows, and its columns are
events in time order: rows 1 to 144 are features, the first 40 of them ten levels of ask price, ask volume, bid price,
bid volume; rows 145 to 149 are labels for 10, 20, 30, 50 and 100 events ahead, 1 up, 2 stationary, 3 down.

Fold i trains on days 1..i and tests on day i+1. *Setup 1* is all nine folds, *setup 2* trains on days 1..7 and tests on
8, 9 and 10. The five stocks stand one after another in each file, so that a window taken across a border shows two
stocks as one. Published results take such windows; ``clean=True`` cuts recordings at the borders.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from smartcore.learn.data import Series

HORIZONS = (10, 20, 30, 50, 100)
"""Events ahead, in the order of the label rows."""
FEATURES, LEVELS = 144, 40
_CLASS = np.array([-1, 2, 1, 0], np.int8)  # 1 up, 2 stationary, 3 down -> 0 down, 1 flat, 2 up

Normalisation = Literal["ZScore", "MinMax", "DecPre"]
BOOK = tuple(f"{side}_{what}_{k}" for k in range(1, 11) for side in ("ask", "bid") for what in ("price", "size"))
"""What the first 40 rows are."""


class Fold(NamedTuple):
    """Recordings to train and to test on; labels (n, 5), one column a horizon."""

    train: list[Series]
    test: list[Series]


def read(path: str | os.PathLike[str], features: int = LEVELS, clean: bool = False) -> list[Series]:
    """One file, as it stands or cut where one stock ends and the next begins.

    The price of a :class:`Series` is the mean of the best ask and bid *as normalised*, since the file has no other.
    Raises ValueError where the file has other than 149 rows or labels other than 1, 2, 3.
    """
    table = np.loadtxt(path, dtype=np.float32, ndmin=2)
    if table.shape[0] != FEATURES + len(HORIZONS):
        raise ValueError(f"{path}: {table.shape[0]} rows, FI-2010 has {FEATURES + len(HORIZONS)}")
    told = table[FEATURES:].T
    if not np.isin(told, (1, 2, 3)).all():
        raise ValueError(f"{path}: labels other than 1, 2 and 3")
    label = _CLASS[told.astype(np.int8)]
    rows = np.ascontiguousarray(table[:features].T)
    cuts = borders(table[:LEVELS].T) if clean else np.zeros(0, np.int64)
    mid = (table[0].astype(np.float64) + table[2]) / 2
    edges = [0, *cuts.tolist(), len(rows)]
    # Events have no times in the files: they are counted.
    return [
        Series(np.arange(a, b, dtype=np.int64), rows[a:b], mid[a:b], label[a:b])
        for a, b in itertools.pairwise(edges)
    ]


def borders(book: NDArray[np.float32], stocks: int = 5, factor: float = 5.0) -> NDArray[np.int64]:
    """Events (columns of the file) where another stock begins, at most ``stocks - 1``.

    The files do not say. Found as the largest jumps of the mid from one event to the next; a jump counts only where it
    is ``factor`` times the largest of those that are no border, else the file is taken for one stock's.
    """
    mid = (book[:, 0].astype(np.float64) + book[:, 2]) / 2
    jump = np.abs(np.diff(mid))
    if len(jump) < stocks:
        return np.zeros(0, np.int64)
    order = np.argsort(jump)[::-1]
    sizes = jump[order[:stocks]]
    for found in range(stocks - 1, 0, -1):
        if sizes[found - 1] > factor * sizes[found]:
            return np.sort(order[:found] + 1)
    return np.zeros(0, np.int64)


def name(kind: str, fold: int, normalisation: Normalisation = "ZScore", auction: bool = False) -> str:
    """A file's name; ``kind`` is "Train" or "Test"."""
    return f"{kind}_Dst_{'Auction' if auction else 'NoAuction'}_{normalisation}_CF_{fold}.txt"


def find(folder: str | os.PathLike[str], file: str) -> Path:
    """A file anywhere below ``folder``; FileNotFoundError if it is not there."""
    found = sorted(Path(folder).rglob(file))
    if not found:
        raise FileNotFoundError(f"no {file} below {folder}; FI-2010 is had from its authors (etsin.fairdata.fi)")
    return found[0]


def load(
    folder: str | os.PathLike[str],
    setup: Literal[1, 2] = 2,
    normalisation: Normalisation = "ZScore",
    *,
    auction: bool = False,
    features: int = LEVELS,
    clean: bool = False,
    folds: Sequence[int] = tuple(range(1, 10)),
) -> list[Fold]:
    """The folds of a setup: nine (or those of ``folds``) for setup 1, one for setup 2.

    ``features`` 40 is the book alone, 144 is all. ``clean``: no recording holds two stocks or two days.
    """

    def part(kind: Literal["Train", "Test"], fold: int) -> list[Series]:
        return read(find(folder, name(kind, fold, normalisation, auction)), features, clean)

    if setup == 1:
        return [Fold(part("Train", i), part("Test", i)) for i in folds]
    if setup != 2:
        raise ValueError(f"setup={setup!r}: 1 or 2")
    tests = [part("Test", i) for i in (7, 8, 9)]
    if clean:
        return [Fold(part("Train", 7), [s for test in tests for s in test])]
    return [Fold(part("Train", 7), [_joined([s for test in tests for s in test])])]


def hold_out(train: Sequence[Series], share: float = 0.2) -> tuple[list[Series], list[Series]]:
    """Training recordings without the last ``share`` of their events, and those for validation, less the longest
    horizon between them."""
    n = sum(map(len, train))
    at = int(n * (1 - share))
    head, tail, seen = [], [], 0
    for s in train:
        cut = min(max(at - seen, 0), len(s))
        if cut:
            stop = cut - HORIZONS[-1] if cut < len(s) else cut
            if stop > 0:
                head.append(_slice(s, 0, stop))
        if cut < len(s):
            tail.append(_slice(s, cut, len(s)))
        seen += len(s)
    return head, tail


def _slice(s: Series, a: int, b: int) -> Series:
    return Series(s.ts[a:b], s.rows[a:b], s.mid[a:b], s.label[a:b])


def _joined(parts: Sequence[Series]) -> Series:
    n = sum(map(len, parts))
    return Series(
        np.arange(n, dtype=np.int64),
        np.concatenate([s.rows for s in parts]),
        np.concatenate([s.mid for s in parts]),
        np.concatenate([s.label for s in parts]),
    )
