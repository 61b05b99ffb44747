"""A model without Python: the same file, run by ONNX Runtime's C interface out of the wheel's own library.

``onnxruntime`` is not imported, so a process that only runs models holds one copy of it (30 MB of code) and no GIL is
needed for a step: the loop (``smartcore.bot``) steps such a model from C++, also on a thread of its own that a busy
Python thread cannot delay. Scores are those of :class:`smartcore.Model`, and either takes up the other's snapshot.

The library is ``onnxruntime/capi/libonnxruntime*`` of the installed wheel; ``SMARTCORE_ONNXRUNTIME`` names another one.
"""

from __future__ import annotations

import importlib.util
import math
import os
import warnings
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from smartcore import _core
from smartcore.errors import ContractMismatch
from smartcore.models import providers
from smartcore.models.contract import Contract
from smartcore.models.session import Columns, Model, check_tensors, find, place, unpack, who

VARIABLE = "SMARTCORE_ONNXRUNTIME"


def library() -> Path:
    """Where ONNX Runtime's library is. Nothing is loaded. Raises FileNotFoundError with what was looked for."""
    named = os.environ.get(VARIABLE)
    if named:
        if not Path(named).is_file():
            raise FileNotFoundError(f"{VARIABLE}={named}: no such file")
        return Path(named)
    spec = importlib.util.find_spec("onnxruntime")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("onnxruntime is not installed")
    folder = Path(spec.origin).parent / "capi"
    for pattern in ("libonnxruntime.so*", "libonnxruntime.dylib", "libonnxruntime.[0-9]*dylib", "onnxruntime.dll"):
        for path in sorted(folder.glob(pattern)):
            return path
    raise FileNotFoundError(f"this wheel of onnxruntime has no library of its own in {folder}; set {VARIABLE} to one")


def runtime() -> str:
    """Version of the ONNX Runtime that steps native models; loads it. Raises FileNotFoundError as :func:`library` does,
    OSError where the library cannot be loaded or is too old.
    """
    where = library()
    try:
        return _core._runtime(str(where))
    except RuntimeError as error:
        raise OSError(f"ONNX Runtime's library cannot be used: {error}") from error


def load(source: str | Path, *, features: Columns | None = None) -> NativeModel | Model:
    """A :class:`NativeModel`; where ONNX Runtime's library cannot be had a :class:`smartcore.Model`, with a
    RuntimeWarning that says why. Raises as ``Model.load`` does.
    """
    try:
        runtime()
    except OSError as error:
        warnings.warn(f"models step in Python: {error}", RuntimeWarning, stacklevel=2)
        return Model.load(source, features=features)
    return NativeModel.load(source, features=features)


class NativeModel(_core.Session):
    """A model, as :class:`smartcore.Model` is one: the same face, the same scores, its steps in C++.

    A step keeps the GIL: getting it back from a busy Python thread takes longer (up to ``sys.getswitchinterval()``)
    than a step does. What fails raises RuntimeError with ONNX Runtime's words and leaves the state as it was; so does a
    score that is not finite. From the C++ loop nothing raises: the model's scores are missing and the fault is counted.
    """

    contract: Contract

    def __init__(self, file: _core.ModelFile, contract: Contract) -> None:
        c, i = contract, contract.inputs
        none = np.empty(0, np.float32)
        super().__init__(
            file,
            c.width,
            len(c.classes),
            len(c.horizons),
            [(s.input, s.output, list(s.shape)) for s in c.states],
            c.warm_up,
            who(c),
            *((none, none) if i is None else i.arrays),
            math.nan if i is None else i.far,
        )
        self.contract = contract
        self._file = file
        self._index: NDArray[np.intp] = np.arange(c.width, dtype=np.intp)
        self._width = c.width
        self._said, self._said_all = self._scores(), self._every()

    @classmethod
    def load(cls, source: str | Path, *, features: Columns | None = None, verify: bool = True) -> NativeModel:
        """Open a file, or a shipped model by name, and re-run its golden rows; as :meth:`smartcore.Model.load`.

        Raises FileNotFoundError where there is no such file, OSError as :func:`runtime` does, ContractMismatch as
        ``Model.load`` does.
        """
        path = find(source)
        runtime()
        try:
            file = _core.ModelFile(str(library()), path.read_bytes())
        except RuntimeError as error:
            raise ContractMismatch(f"onnxruntime cannot open {path.name}: {error}") from error
        try:
            contract = Contract.from_metadata(file.metadata)
        except UnicodeDecodeError as error:
            raise ContractMismatch(f"damaged smartcore contract: {error}") from error
        check_tensors(contract, file.inputs, file.outputs)
        model = cls(file, contract)
        if verify:
            try:
                worst = providers.difference(model, contract)
            except RuntimeError as error:
                worst = f"its golden rows cannot be run: {error}"
            if worst:
                raise ContractMismatch(
                    f"model {contract.name!r} ({path.name}) gives other scores here than when exported: {worst}"
                )
            model.reset()
        return model if features is None else model.bind(features)

    @classmethod
    def of(cls, model: Model) -> NativeModel:
        """The same file, bound alike, with the same state, of a model that runs on the CPU.

        Raises OSError as :func:`runtime` does, ContractMismatch where the model's file is gone or another.
        """
        if model.path is None:
            raise ContractMismatch(f"model {model.contract.name!r} was not loaded from a file")
        other = cls.load(model.path, verify=False)
        if who(other.contract) != who(model.contract):
            raise ContractMismatch(f"{model.path} has changed since model {model.contract.name!r} was loaded from it")
        other._expect(*model.place)
        other.restore(model.snapshot())
        return other

    def bind(self, features: Columns) -> NativeModel:
        """Read rows of this feature set from now on. Returns self. Raises as :meth:`smartcore.Model.bind`."""
        self._expect(*place(self.contract, features))
        return self

    def step(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        """One row in, calibrated probabilities out, a new float64 (classes,); as :meth:`smartcore.Model.step`."""
        if len(row) != self._width:
            raise ContractMismatch(
                f"row of {len(row)} values, model {self.contract.name!r} is bound to rows of {self._width}: "
                "bind() it to the feature set that the row is of"
            )
        if not self._infer(row):
            raise RuntimeError(f"model {self.contract.name!r}: {self.error}")
        return self._said.astype(np.float64)

    def run(self, table: NDArray[np.floating]) -> NDArray[np.float64]:
        """Rows (n, columns) stepped in order from the present state: (n, classes)."""
        out = np.empty((len(table), len(self.contract.classes)))
        for i, row in enumerate(np.asarray(table, np.float64)):
            out[i] = self.step(row)
        return out

    def warm(self, table: NDArray[np.floating]) -> NativeModel:
        """Forget everything, then step over history; as :meth:`smartcore.Model.warm`."""
        self.reset()
        self.run(table)
        return self

    def rehearse(self) -> None:
        """Run the graph once and forget the result; as :meth:`smartcore.Model.rehearse`."""
        self._rehearse()

    @property
    def all_scores(self) -> NDArray[np.float64]:
        """What the last step said of every horizon; as :attr:`smartcore.Model.all_scores`."""
        return cast("NDArray[np.float64]", self._said_all.astype(np.float64).reshape(-1, len(self.contract.classes)))

    @property
    def provider(self) -> str:
        """The onnxruntime provider it runs on."""
        return providers.CPU

    @property
    def place(self) -> tuple[NDArray[np.intp], int]:
        """Where a row has the model's columns, and how wide the row is."""
        return self._index, self._width

    def reset(self) -> None:
        """Forget everything: state zero, no steps taken, no last row."""
        self._reset()

    def fork(self) -> NativeModel:
        """Another model over the same file, bound alike, with its own fresh state."""
        other = NativeModel(self._file, self.contract)
        other._expect(self._index, self._width)
        return other

    def snapshot(self) -> bytes:
        """The state and the number of steps; that of :meth:`smartcore.Model.snapshot`, which may take it up."""
        return self._snapshot()

    def restore(self, blob: bytes) -> None:
        """Take up the state of :meth:`snapshot`. Raises as :meth:`smartcore.Model.restore`, changing nothing."""
        unpack(self.contract, blob)
        self._restore(bytes(blob))

    def __reduce__(self) -> Any:
        raise TypeError("a native model is not pickled: keep its file and its snapshot()")

    def __repr__(self) -> str:
        c = self.contract
        return (
            f"NativeModel({c.name!r}, kind={c.kind!r}, columns={c.width}, sample={c.sample!r}, "
            f"horizon={c.horizon!r}, steps={self.steps})"
        )

    def _expect(self, index: NDArray[np.intp], width: int) -> None:
        self._place(index.tolist(), width)
        self._index, self._width = index, width
