"""Many instruments through one model file, one call for all of them.

The states of n instruments stand in tensors (n, ...), and a step runs the graph once over n rows: what a call costs
before any arithmetic is paid once, and the matrix products are wider. An instrument's scores and state are those that
a :class:`Model` of its own would have, to rounding (1e-6): wider products add in another order.

It takes a file with a free batch dimension, ``export(..., dynamic=True)``. The shipped GRU as one: 2.4 us an instrument
of 10, 1 us of 100, where a model of its own takes 13 (``bench/bench_models.py``). Trees gain less, for each row walks
the trees alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartcore.errors import ContractMismatch
from smartcore.models.contract import Contract
from smartcore.models.session import Binder, Columns, pack, place, score_buffers, unpack

Which = Sequence[int] | NDArray[np.integer] | NDArray[np.bool_]
"""Some of the instruments: their places, or a mask (n,)."""


class Batch:
    """n instruments' states over one loaded file; made by :meth:`Model.batch`. One thread at a time."""

    def __init__(
        self, session: Any, contract: Contract, instruments: int, index: NDArray[np.intp] | None = None, width: int = 0
    ) -> None:
        if instruments < 1:
            raise ValueError(f"a batch of {instruments} instruments: one or more")
        if not contract.dynamic:
            raise ContractMismatch(
                f"model {contract.name!r} takes one row a call; a batch needs a file with a free first dimension: "
                "export it with dynamic=True, or fork() a model for each instrument"
            )
        self.contract = contract
        self._session = session
        self._n = n = instruments
        self._steps = np.zeros(n, np.int64)
        self._named = np.zeros(n, bool)
        self._turn = 0
        self._binder = Binder(session, contract)

        def tensors() -> list[NDArray[np.float32]]:
            return [np.zeros((n, *s.shape[1:]), np.float32) for s in contract.states]

        # For all: two sets of states take turns, as in Model. For some: their states are gathered to the front of a
        # third set and come back from the front of a fourth.
        self._rows = np.zeros((n, contract.width), np.float32)
        self._scores, self._every = score_buffers(contract, n)
        self._states = tensors(), tensors()
        self._some_rows = np.zeros((n, contract.width), np.float32)
        self._some_scores, self._some_every = score_buffers(contract, n)
        self._some_states = tensors(), tensors()
        self._all = [
            self._binder.bind(self._rows, self._states[i], self._scores, self._every, self._states[1 - i])
            for i in (0, 1)
        ]
        self._some: dict[int, Any] = {}
        self._expect(*((np.arange(contract.width), contract.width) if index is None else (index, width)))

    def bind(self, features: Columns) -> Batch:
        """Read rows of this feature set from now on. Returns self; raises as :meth:`Model.bind`."""
        self._expect(*place(self.contract, features))
        return self

    def step(self, rows: NDArray[np.float64], which: Which | None = None) -> NDArray[np.float64]:
        """A row for each instrument in, probabilities out, a new float64 (n, classes); all states move on by one.

        rows: float64 (n, columns) of the bound feature set, row i of instrument i (``Panel.rows``).
        which: only these have ticked; their rows of ``rows`` are read, the rest may hold anything, and the scores are
            theirs in that order, (m, classes). The others' states stay, to the last bit. Gathering costs about 10 us
            and a copy of the states that are stepped: where it is mostly one at a time, forks are better.
        """
        if not isinstance(rows, np.ndarray) or rows.dtype != np.float64:
            rows = np.asarray(rows, np.float64)
        if rows.shape != (self._n, self._width):
            raise ContractMismatch(
                f"rows of shape {rows.shape}, a batch of model {self.contract.name!r} for {self._n} instruments "
                f"is bound to {(self._n, self._width)}"
            )
        if which is not None:
            return self._step_some(rows, self._places(which))
        rows.take(self._index, 1, self._gathered, "clip")  # "raise", the default, copies `out` first
        self._rows[...] = self._gathered
        self._session.run_with_iobinding(self._all[self._turn])
        self._turn = 1 - self._turn
        self._steps += 1
        return self._scores.astype(np.float64)

    def _step_some(self, rows: NDArray[np.float64], which: NDArray[np.intp]) -> NDArray[np.float64]:
        m = len(which)
        if m == 0:
            return np.empty((0, len(self.contract.classes)))
        states, (before, after) = self._states[self._turn], self._some_states
        binding = self._some.get(m)
        if binding is None:  # at most n of them, of a few hundred bytes each
            binding = self._some[m] = self._binder.bind(
                self._some_rows[:m],
                [s[:m] for s in before],
                self._some_scores[:m],
                self._some_every[:m],
                [s[:m] for s in after],
            )
        self._some_rows[:m] = rows[which[:, None], self._index]
        for state, gathered in zip(states, before, strict=True):
            state.take(which, 0, gathered[:m], "clip")
        self._session.run_with_iobinding(binding)
        for state, written in zip(states, after, strict=True):
            state[which] = written[:m]
        self._rows[which] = self._some_rows[:m]
        self._scores[which] = self._some_scores[:m]
        if self.contract.horizons:
            self._every[which] = self._some_every[:m]
        self._steps[which] += 1
        return self._some_scores[:m].astype(np.float64)

    def run(self, table: NDArray[np.floating]) -> NDArray[np.float64]:
        """Rows (t, n, columns) stepped in order from the present states, as of ``Panel.run``: (t, n, classes)."""
        out = np.empty((len(table), self._n, len(self.contract.classes)))
        for i, rows in enumerate(np.asarray(table, np.float64)):
            out[i] = self.step(rows)
        return out

    def warm(self, table: NDArray[np.floating]) -> Batch:
        """Forget everything, then step over history (t, n, columns), oldest first. Returns self. See
        :meth:`Model.warm`.
        """
        self.reset()
        self.run(table)
        return self

    def rehearse(self) -> None:
        """Run the graph once over all and forget the result. See :meth:`Model.rehearse`."""
        kept = self._scores.copy(), self._every.copy()
        self._session.run_with_iobinding(self._all[self._turn])
        self._scores[...], self._every[...] = kept

    @property
    def all_scores(self) -> NDArray[np.float64]:
        """What each instrument's last step said of every horizon, a new float64 (n, H, classes). See
        :attr:`Model.all_scores`.
        """
        return self._every.astype(np.float64)

    @property
    def missing(self) -> NDArray[np.intp]:
        """How many of the columns it reads were unknown (NaN) at each instrument's last step, (n,)."""
        return np.count_nonzero(np.isnan(self._rows), axis=1)

    @property
    def steps(self) -> NDArray[np.int64]:
        """Steps since each instrument's last reset, (n,)."""
        return self._steps.copy()

    @property
    def ready(self) -> NDArray[np.bool_]:
        """Which instruments' scores are to be trusted, (n,). See :attr:`Model.ready`."""
        return self._steps >= self.contract.warm_up

    def reset(self, which: Which | None = None) -> None:
        """Forget everything of these instruments, of all if left out."""
        places = slice(None) if which is None else self._places(which)
        self._steps[places] = 0
        self._rows[places] = 0
        self._scores[places] = self._every[places] = np.nan
        for state in self._states[self._turn]:
            state[places] = 0

    def fork(self) -> Batch:
        """Another batch of as many over the same file, bound alike, with fresh states."""
        return Batch(self._session, self.contract, self._n, self._index, self._width)

    def snapshot(self) -> list[bytes]:
        """Each instrument's state and number of steps, as :meth:`Model.snapshot` of a model over the same file would
        have it: either may take up what the other left.
        """
        return [self.snapshot_of(i) for i in range(self._n)]

    def snapshot_of(self, instrument: int) -> bytes:
        """The same of the instrument at one place."""
        (i,) = self._places([instrument])
        body = b"".join(state[i].tobytes() for state in self._states[self._turn])
        return pack(self.contract, int(self._steps[i]), body)

    def restore(self, blobs: Sequence[bytes]) -> None:
        """Take up the states of :meth:`snapshot`, n of them. Raises ValueError for another number, CorruptSnapshot,
        or ContractMismatch for another model's; then nothing has changed.
        """
        if len(blobs) != self._n:
            raise ValueError(f"{len(blobs)} snapshots for {self._n} instruments")
        self._take_up(range(self._n), [unpack(self.contract, blob) for blob in blobs])

    def restore_of(self, instrument: int, blob: bytes) -> None:
        """The same for the instrument at one place."""
        (i,) = self._places([instrument])
        self._take_up([i], [unpack(self.contract, blob)])

    def _take_up(self, places: Sequence[int], found: Sequence[tuple[int, list[NDArray[np.float32]]]]) -> None:
        for i, (steps, values) in zip(places, found, strict=True):
            self._steps[i] = steps
            for state, one in zip(self._states[self._turn], values, strict=True):
                state[i] = one[0]

    def __len__(self) -> int:
        return self._n

    def __repr__(self) -> str:
        c = self.contract
        return f"Batch({c.name!r}, kind={c.kind!r}, instruments={self._n}, columns={c.width}, sample={c.sample!r})"

    def _places(self, which: Which) -> NDArray[np.intp]:
        """Places of the instruments meant. Raises IndexError for one that is not there, ValueError for one named
        twice.
        """
        given = np.asarray(which)
        if given.dtype == bool:
            if given.shape != (self._n,):
                raise IndexError(f"a mask of shape {given.shape} for {self._n} instruments")
            return np.flatnonzero(given)
        if given.ndim != 1 or (given.size and given.dtype.kind not in "iu"):
            raise IndexError(f"which instruments? {which!r} is neither places nor a mask")
        places = given.astype(np.intp)
        if places.size and not 0 <= places.min() <= places.max() < self._n:
            raise IndexError(f"there is no instrument {given[(given < 0) | (given >= self._n)][0]} of {self._n}")
        self._named[...] = False
        self._named[places] = True
        if np.count_nonzero(self._named) < len(places):
            raise ValueError(f"an instrument is named twice: {given.tolist()}")
        return places

    def _expect(self, index: NDArray[np.intp], width: int) -> None:
        self._index = index
        self._width = width
        self._gathered = np.empty((self._n, len(index)))
