"""A model, live: load the file, bind it to a feature set, step once per row.

A step gathers the model's columns into one fixed float32 buffer, runs the graph with every input and output
bound beforehand, and returns the three calibrated probabilities. Recurrent state never leaves native memory:
two buffers take turns as input and output, so nothing is copied and the cost of a tick does not depend on how
many came before.

Threads: one ``Model`` belongs to one thread. :meth:`Model.fork` gives another thread, or another instrument,
its own buffers and state over the same loaded file. onnxruntime releases the GIL while it runs; with a busy
Python thread in the process, getting it back costs up to ``sys.getswitchinterval()`` (5 ms unless lowered).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from smartcore.errors import ContractMismatch, CorruptSnapshot
from smartcore.models import providers as _providers
from smartcore.models.contract import Contract

BUILTIN = Path(__file__).parent / "builtin"

_MAGIC = b"SCM1"
_HEAD = struct.Struct("<4s32sQI")  # magic, which model, steps since reset, CRC-32 of what follows and of the two before


class Columns(Protocol):
    """The part of ``smartcore.FeatureSet`` that a model looks at."""

    @property
    def columns(self) -> Sequence[str]: ...

    @property
    def fingerprint(self) -> str: ...


def builtin() -> tuple[str, ...]:
    """Names of the shipped models. Each has a card beside it: ``smartcore/models/builtin/<name>.md``."""
    return tuple(sorted(p.stem for p in BUILTIN.glob("*.onnx")))


class Model:
    """An ONNX model with its contract, its buffers and, where it is recurrent, its state."""

    def __init__(self, session: Any, contract: Contract) -> None:
        self.contract = contract
        self._session = session
        self._steps = 0
        self._bind_buffers()
        self._expect(np.arange(contract.width, dtype=np.intp), contract.width)

    @classmethod
    def load(
        cls,
        source: str | Path,
        *,
        features: Columns | None = None,
        providers: str | list[Any] = "cpu",
        verify: bool = True,
    ) -> Model:
        """Open a file, or a shipped model by name, and re-run its golden rows.

        features: the feature set whose rows it will read, as for :meth:`bind`.
        providers: "cpu"; "auto", on Apple CoreML if it wins a start-up race (``smartcore.models.providers``); or a
        list as onnxruntime takes it.
        verify: False skips the golden rows, a few hundred microseconds.

        Raises FileNotFoundError, and ContractMismatch for a file without a contract, of another layout, of columns that
        ``features`` lacks, or whose scores on its golden rows are not those it was shipped with.
        """
        path = _find(source)
        session = _providers.session(path, providers if isinstance(providers, list) else None)
        contract = Contract.from_metadata(session.get_modelmeta().custom_metadata_map)
        _check_graph(session, contract)
        if providers == "auto":
            session = _providers.race(path, session, contract, lambda s: cls(s, contract))
        elif not isinstance(providers, list) and providers != "cpu":
            raise ValueError(f'providers={providers!r}: "cpu", "auto" or a list of onnxruntime providers')
        if verify and contract.golden is not None:
            scores = cls(session, contract).run(contract.golden.rows)
            worst = float(np.abs(scores - contract.golden.scores).max())
            if not worst <= contract.golden.tolerance:
                raise ContractMismatch(
                    f"model {contract.name!r} ({path.name}) gives other scores here than when exported: "
                    f"its golden rows differ by {worst:.2g}, more than {contract.golden.tolerance:.2g}"
                )
        model = cls(session, contract)
        return model if features is None else model.bind(features)

    def bind(self, features: Columns) -> Model:
        """Read rows of this feature set from now on: finds each column once. Returns self.

        Raises ContractMismatch if a column is missing or is computed otherwise than in training.
        """
        have = {name: i for i, name in enumerate(features.columns)}
        want = self.contract.columns
        absent = [name for name in want if name not in have]
        if absent:
            raise ContractMismatch(
                f"model {self.contract.name!r} reads {len(want)} columns; the feature set lacks "
                f"{len(absent)} of them: {', '.join(absent)}"
            )
        # The same class makes the subset, so that a fake or a panel's own set compares like with like. Numbers of the
        # set's own that stand in for fitted ones go with it.
        subset = features.select(want) if hasattr(features, "select") else type(features)(list(want))  # type: ignore[call-arg]
        fingerprint = subset.fingerprint
        if fingerprint != self.contract.fingerprint:
            raise ContractMismatch(
                f"model {self.contract.name!r} was trained on columns of these names, computed otherwise: "
                f"fingerprint {self.contract.fingerprint} in the file, {fingerprint} here; use the release "
                "that made it, or train it again"
            )
        self._expect(np.array([have[name] for name in want], dtype=np.intp), len(have))
        return self

    def step(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        """One row in, calibrated probabilities (down, flat, up) out, a new float64 (3,); the state moves on by one.

        ``row`` is float64 (n,), a row of the bound feature set (``Engine.row``); unbound, the contract's
        columns in order. Values not known yet (NaN) are the graph's business: ``contract.missing`` says what
        it does, :attr:`missing` counts them.
        """
        if len(row) != self._width:
            raise ContractMismatch(
                f"row of {len(row)} values, model {self.contract.name!r} is bound to rows of {self._width}: "
                "bind() it to the feature set that the row is of"
            )
        row.take(self._index, None, self._gathered, "clip")  # "raise", the default, copies `out` first
        self._input[...] = self._gathered
        self._session.run_with_iobinding(self._turns[self._steps & 1])
        self._steps += 1
        return self._output.astype(np.float64)

    def run(self, table: NDArray[np.floating]) -> NDArray[np.float64]:
        """Rows (n, columns) stepped in order from the present state: (n, 3). History is the live step in a loop."""
        out = np.empty((len(table), len(self.contract.classes)))
        for i, row in enumerate(np.asarray(table, np.float64)):
            out[i] = self.step(row)
        return out

    @property
    def missing(self) -> int:
        """How many of the columns it reads were unknown (NaN) at the last step."""
        return int(np.count_nonzero(np.isnan(self._input)))

    @property
    def steps(self) -> int:
        """Steps since the last reset."""
        return self._steps

    @property
    def ready(self) -> bool:
        """Whether enough steps were taken since the last reset for the scores to be trusted (``contract.warm_up``)."""
        return self._steps >= self.contract.warm_up

    def reset(self) -> None:
        """Forget everything: state zero, no steps taken, no last row."""
        self._steps = 0
        self._input[...] = 0
        for pair in self._states:
            pair[0][...] = 0

    def fork(self) -> Model:
        """Another model over the same file, bound alike, with its own fresh state: one per instrument or thread."""
        other = Model(self._session, self.contract)
        other._expect(self._index, self._width)
        return other

    def snapshot(self) -> bytes:
        """The state and the number of steps. A model restored from it gives the same bits from here on."""
        turn = self._steps & 1
        body = b"".join(pair[turn].tobytes() for pair in self._states)
        who = self._who()
        return _HEAD.pack(_MAGIC, who, self._steps, _checksum(who, self._steps, body)) + body

    def restore(self, blob: bytes) -> None:
        """Take up the state of :meth:`snapshot`. Raises CorruptSnapshot, or ContractMismatch for another
        model's; then nothing has changed.
        """
        size = sum(pair[0].nbytes for pair in self._states)
        if len(blob) < _HEAD.size or blob[:4] != _MAGIC:
            raise CorruptSnapshot(f"not a model snapshot: {len(blob)} bytes, starts with {bytes(blob[:4])!r}")
        _, who, steps, crc = _HEAD.unpack_from(blob)
        body = bytes(blob[_HEAD.size :])
        if crc != _checksum(who, steps, body):
            raise CorruptSnapshot("model snapshot is damaged: its checksum does not fit")
        if who != self._who() or len(body) != size:
            raise ContractMismatch(
                f"snapshot of another model, {who.decode(errors='replace').strip()}; "
                f"this is {self._who().decode(errors='replace').strip()}"
            )
        self._steps = steps
        offset = 0
        for pair in self._states:
            current = pair[steps & 1]
            current[...] = np.frombuffer(body, np.float32, current.size, offset).reshape(current.shape)
            offset += current.nbytes

    def __repr__(self) -> str:
        c = self.contract
        return (
            f"Model({c.name!r}, kind={c.kind!r}, columns={c.width}, sample={c.sample!r}, "
            f"horizon={c.horizon!r}, steps={self._steps})"
        )

    def _expect(self, index: NDArray[np.intp], width: int) -> None:
        self._index = index
        self._width = width
        self._gathered = np.empty(len(index))

    def _who(self) -> bytes:
        c = self.contract
        return (c.cache_key or c.fingerprint).encode()[:32].ljust(32)

    def _bind_buffers(self) -> None:
        """Bind inputs and outputs to memory of ours, once; state tensors twice, with the roles of the two swapped."""
        from onnxruntime import OrtValue

        c = self.contract
        batch = np.zeros((1, c.width), np.float32)
        scores = np.zeros((1, len(c.classes)), np.float32)
        self._input = batch[0]
        self._output = scores[0]
        self._states = [tuple(np.zeros(s.shape, np.float32) for _ in range(2)) for s in c.states]
        # An OrtValue on the CPU borrows the array's memory and does not keep it alive: `_kept` does.
        held: dict[int, Any] = {}

        def value(array: NDArray[np.float32]) -> Any:
            return held.setdefault(id(array), OrtValue.ortvalue_from_numpy(array))

        self._turns = []
        for turn in (0, 1):
            binding = self._session.io_binding()
            binding.bind_ortvalue_input("row", value(batch))
            binding.bind_ortvalue_output("scores", value(scores))
            for state, pair in zip(c.states, self._states, strict=True):
                binding.bind_ortvalue_input(state.input, value(pair[turn]))
                binding.bind_ortvalue_output(state.output, value(pair[1 - turn]))
            self._turns.append(binding)
        self._kept = (batch, scores, held)


def _find(source: str | Path) -> Path:
    path = Path(source)
    if path.suffix != ".onnx" and len(path.parts) == 1:
        shipped = BUILTIN / f"{path}.onnx"
        if shipped.is_file():
            return shipped
    if not path.is_file():
        raise FileNotFoundError(
            f"no model {str(source)!r}: neither a file nor one of the shipped ones ({', '.join(builtin())})"
        )
    return path


def _check_graph(session: Any, contract: Contract) -> None:
    """That the graph's tensors are those of the contract, before anything is bound to them."""
    inputs = {t.name: list(t.shape) for t in session.get_inputs()}
    outputs = {t.name: list(t.shape) for t in session.get_outputs()}
    want_in = {"row": [1, contract.width], **{s.input: list(s.shape) for s in contract.states}}
    want_out = {"scores": [1, len(contract.classes)], **{s.output: list(s.shape) for s in contract.states}}
    if inputs != want_in or outputs != want_out:
        raise ContractMismatch(
            f"model {contract.name!r}: the graph takes {inputs} and gives {outputs}, "
            f"its contract says {want_in} and {want_out}"
        )


def _checksum(who: bytes, steps: int, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(who + steps.to_bytes(8, "little")))
