"""Daily up or down: the published benchmarks ACL18 (88 US stocks, 2014-2015) and KDD17 (50, 2007-2016).

The protocol of Feng et al. (2019, arXiv:1810.09936), who also made the eleven features: the label of day i is told from
the features of days i-T .. i-1. Days that moved less than about half a per cent have no label and are not scored, nor
are those whose T days hold an unknown feature. Xu and Cohen (2018) made ACL18, Zhang, Aggarwal and Qi (2017) KDD17.

    data = load("acl18_features.parquet")
    data.train.x  # (n, T, 11)
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartcore.learn.data import Series

FEATURES = (
    "c_open", "c_high", "c_low", "n_close", "n_adj_close", "d5", "d10", "d15", "d20", "d25", "d30",
)  # fmt: skip
"""Per cent. ``c_``: over the close; ``n_``: change from the day before; ``d``: mean of so many days over today's."""

COUNTS = {"acl18": (20315, 2555, 3720), "kdd17": (64644, 8070, 7398)}
"""Instances of train, validation and test at T = 5, as published."""
SPLITS = ("train", "val", "test")
_DAY = 86_400_000_000_000


@dataclass(frozen=True)
class Instances:
    """n labelled days of all stocks."""

    x: NDArray[np.float32]
    """(n, T, 11), oldest day first, ending the day before."""
    y: NDArray[np.int8]
    """(n,), 0 down, 1 up."""
    day: NDArray[np.int64]
    """(n,), the labelled day, days since 1970: instances of one day are not independent."""
    stock: NDArray[np.int64]
    """(n,), number of the stock."""
    series: tuple[Series, ...]
    """The same as recordings of a row a day, one a stock, for windows of T rows: the label of day i stands at the row
    of day i-1, and rows with a known label are the instances, in the same order."""

    def __len__(self) -> int:
        return len(self.y)

    @property
    def last_return(self) -> NDArray[np.float32]:
        """(n,), change of the adjusted close on the day before, per cent."""
        return self.x[:, -1, FEATURES.index("n_adj_close")]


@dataclass(frozen=True)
class Direction:
    """A benchmark: its instances, split by date."""

    name: str
    symbols: tuple[str, ...]
    days: int
    """T, how many days are looked at."""
    train: Instances
    valid: Instances
    test: Instances


def load(path: str | os.PathLike[str], days: int = 5) -> Direction:
    """Read ``acl18_features.parquet`` or ``kdd17_features.parquet``: columns symbol, date, split, the features, label.

    Raises ValueError where a column is missing, or a published benchmark comes out with other counts than published.
    """
    return checked(instances(Path(path).stem.removesuffix("_features"), **read(path), days=days))


def read(path: str | os.PathLike[str]) -> dict[str, NDArray[Any]]:
    """The table as arrays, as :func:`instances` takes them."""
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(path)
    if missing := {"symbol", "date", "split", "label", *FEATURES} - set(table.column_names):
        raise ValueError(f"{path}: no column {', '.join(sorted(missing))}")

    def column(name: str) -> NDArray[Any]:
        return np.asarray(table[name].to_numpy(zero_copy_only=False))

    return {
        "symbol": column("symbol").astype(str),
        "date": column("date").astype("datetime64[D]").astype(np.int64),
        "split": column("split").astype(str),
        "features": np.stack([column(name).astype(np.float32) for name in FEATURES], axis=1),
        "label": column("label").astype(np.float64),
    }


def checked(data: Direction) -> Direction:
    """The same; ValueError where it is a published benchmark with other counts than published."""
    found = tuple(len(part) for part in (data.train, data.valid, data.test))
    if data.days == 5 and found != COUNTS.get(data.name, found):
        raise ValueError(f"{data.name}: {found} instances, published are {COUNTS[data.name]}")
    return data


def instances(
    name: str,
    symbol: NDArray[np.str_],
    date: NDArray[np.int64],
    split: NDArray[np.str_],
    features: NDArray[np.float32],
    label: NDArray[np.float64],
    days: int,
) -> Direction:
    """Those of a table with a row a stock and day: all (n,) but ``features`` (n, k); ``label`` 1, -1, else none."""
    symbols, which = np.unique(symbol, return_inverse=True)
    order = np.lexsort((date, which))
    which, date, split, features, label = which[order], date[order], split[order], features[order], label[order]
    at = np.flatnonzero(np.isin(label, (-1, 1)) & np.isin(split, SPLITS))
    at = at[at >= days]
    past = at[:, None] + np.arange(-days, 0)  # (n, days)
    whole = (which[past] == which[at, None]).all(1) & np.isfinite(features[past]).all((1, 2))
    at, past = at[whole], past[whole]
    parts = []
    for part in SPLITS:
        mine = split[at] == part
        i = at[mine]
        y = (label[i] > 0).astype(np.int8)
        series = []
        for stock in np.unique(which[i]):
            own = which[i] == stock
            rows = slice(i[own][0] - days, i[own][-1])  # up to the day before the last label
            known = np.full((rows.stop - rows.start, 1), -1, np.int8)
            known[i[own] - 1 - rows.start, 0] = y[own]
            price = np.full(len(known), np.nan)
            series.append(Series(date[rows] * _DAY, features[rows], price, known))
        parts.append(Instances(features[past[mine]], y, date[i], which[i].astype(np.int64), tuple(series)))
    return Direction(name, tuple(str(s) for s in symbols), days, *parts)
