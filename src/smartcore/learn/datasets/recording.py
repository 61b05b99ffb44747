"""What a loader makes and a training reads: rows of one recording, kept in one file that needs NumPy only."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Recording:
    """One unbroken recording: n rows in time order."""

    name: str
    columns: tuple[str, ...]
    ts: NDArray[np.int64]
    """(n,) ns UTC."""
    rows: NDArray[np.float32]
    """(n, k), as known at ``ts``; NaN where not known yet."""
    mid: NDArray[np.float64]
    """(n,), the price then: the mid of a book, the close of a bar."""

    def __len__(self) -> int:
        return len(self.ts)


def thinned(recording: Recording, every: int) -> Recording:
    """Every ``every``-th row."""
    r = recording
    return Recording(r.name, r.columns, r.ts[::every], r.rows[::every], r.mid[::every])


def save(recording: Recording, path: str | os.PathLike[str]) -> None:
    """One compressed .npz."""
    r = recording
    by_column = np.ascontiguousarray(r.rows.T)  # a tenth smaller
    np.savez_compressed(path, name=r.name, columns=np.array(r.columns), ts=r.ts, rows=by_column, mid=r.mid)


def load(path: str | os.PathLike[str]) -> Recording:
    """What :func:`save` wrote; without the compiled core."""
    with np.load(path) as file:
        columns = tuple(str(name) for name in file["columns"])
        rows = np.ascontiguousarray(file["rows"].T)
        return Recording(str(file["name"]), columns, file["ts"], rows, file["mid"])
