"""A model, live: load the file, bind it to a feature set, step once per row.

A step gathers the model's columns into one fixed float32 buffer, runs the graph with every input and output
bound beforehand, and returns the three calibrated probabilities. Recurrent state never leaves native memory:
two buffers take turns as input and output, so nothing is copied and the cost of a tick does not depend on how
many came before.

Many instruments: :meth:`Model.fork` gives another one its own buffers and state over the same loaded file, and
:meth:`Model.batch` steps n of them in one call where the file has a free batch dimension.

A restart: ``engine.snapshot()`` and ``model.snapshot()``, taken between the same two events, are all there is to keep;
``Engine.restore`` and :meth:`Model.restore` give the same bits from there on. Without a snapshot, :meth:`Model.warm`
runs history through. Ticks are rarely back to back, and by the next one the caches are somebody else's:
:meth:`Model.rehearse` in the pause brings the weights back without moving the state.

Threads: one ``Model`` belongs to one thread, its fork to another if you like. onnxruntime releases the GIL while it
runs; with a busy Python thread in the process, getting it back costs up to ``sys.getswitchinterval()`` (5 ms unless
lowered).
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from smartcore.errors import ContractMismatch, CorruptSnapshot
from smartcore.models import providers as _providers
from smartcore.models.contract import Contract

if TYPE_CHECKING:
    from smartcore.models.batch import Batch

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
        self.path: Path | None = None
        """The file that it was loaded from."""
        self._session = session
        self._inputs: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
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
            list as onnxruntime takes it. One of a list that cannot be made, or that gives other scores on the golden
            rows, is left with a RuntimeWarning for the CPU's; :attr:`provider` says which is in use.
        verify: False skips the golden rows, a few hundred microseconds; then a list is taken as it is.

        Raises FileNotFoundError, and ContractMismatch for a file that is no model, without a contract, of another
        layout, of columns that ``features`` lacks, or whose scores on its golden rows are not those it was shipped with
        on the CPU either.
        """
        path = find(source)
        try:
            session = _providers.session(path)
        except ImportError:
            raise
        except Exception as error:
            raise ContractMismatch(f"onnxruntime cannot open {path.name}: {error}") from error
        contract = Contract.from_metadata(session.get_modelmeta().custom_metadata_map)
        _check_graph(session, contract)
        cpu = session
        if providers == "auto":
            session = _providers.race(path, cpu, contract, lambda s: cls(s, contract))
        elif isinstance(providers, list):
            session = _providers.asked(path, providers, cpu, contract, (lambda s: cls(s, contract)) if verify else None)
        elif providers != "cpu":
            raise ValueError(f'providers={providers!r}: "cpu", "auto" or a list of onnxruntime providers')
        if verify and session is cpu:
            worst = _providers.difference(cls(cpu, contract), contract)
            if worst:
                raise ContractMismatch(
                    f"model {contract.name!r} ({path.name}) gives other scores here than when exported: {worst}"
                )
        model = cls(session, contract)
        model.path = path.absolute()
        return model if features is None else model.bind(features)

    def bind(self, features: Columns) -> Model:
        """Read rows of this feature set from now on: finds each column once. Returns self.

        Raises ContractMismatch if a column is missing or is computed otherwise than in training.
        """
        self._expect(*place(self.contract, features))
        return self

    def step(self, row: NDArray[np.float64]) -> NDArray[np.float64]:
        """One row in, calibrated probabilities (down, flat, up) out, a new float64 (3,); the state moves on by one.

        ``row`` is float64 (n,), a row of the bound feature set (``Engine.row``); unbound, the contract's
        columns in order. What is not float64 is made so. Values not known yet (NaN) are the graph's business:
        ``contract.missing`` says what it does, :attr:`missing` counts them.
        """
        if len(row) != self._width:
            raise ContractMismatch(
                f"row of {len(row)} values, model {self.contract.name!r} is bound to rows of {self._width}: "
                "bind() it to the feature set that the row is of"
            )
        try:
            row.take(self._index, None, self._gathered, "clip")  # "raise", the default, copies `out` first
        except (AttributeError, TypeError):  # a list, or numbers of another kind
            np.asarray(row, np.float64).take(self._index, None, self._gathered, "clip")
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

    def warm(self, table: NDArray[np.floating]) -> Model:
        """Forget everything, then step over history (n, columns), oldest first. Returns self.

        ``table`` is what ``Engine.run(sample=contract.sample)`` gives of the time before now; a few times
        ``contract.warm_up`` rows are as good as all there are. The next :meth:`step` is then that of a model which has
        been running all along.
        """
        self.reset()
        self.run(table)
        return self

    def rehearse(self) -> None:
        """Run the graph once and forget the result: the state, the last scores and all that follows stay as they are.

        For the pause before a tick, when caches and predictors have gone to somebody else: with 3 ms between ticks the
        median step of both shipped models took about 80 us, with a call right before the tick 25 to 30, and back to
        back 10 to 13 (``bench/bench_models.py`` measures all three). It costs one step, and is worth nothing a
        millisecond later.
        """
        kept = self._output.copy(), self._all.copy()
        self._session.run_with_iobinding(self._turns[self._steps & 1])  # writes to the state that the next step writes
        self._output[...], self._all[...] = kept

    @property
    def all_scores(self) -> NDArray[np.float64]:
        """What the last step said of every horizon of ``contract.horizons``, in that order, a new float64 (H, classes).
        For a model of one horizon the row that :meth:`step` gave. NaN before the first step.
        """
        return self._all.astype(np.float64)

    @property
    def provider(self) -> str:
        """The onnxruntime provider that was asked first, "CPUExecutionProvider" as a rule. What it has no operator for
        runs on the CPU.
        """
        return str(self._session.get_providers()[0])

    @property
    def missing(self) -> int:
        """How many of the columns it reads were unknown (NaN) at the last step."""
        return int(np.count_nonzero(np.isnan(self._input)))

    @property
    def novelty(self) -> float:
        """How unlike the training inputs the last row was: its distance from their medians (``Contract.inputs``) over
        that of the training rows at their 99 % quantile. Above 1, farther out than all but one in a hundred of them.
        NaN where the file does not tell, or no column was known.
        """
        if self.contract.inputs is None:
            return math.nan
        if self._inputs is None:
            self._inputs = self.contract.inputs.arrays
        from smartcore import _core  # here: nets are trained where there is no core

        return _core._distance(self._input, *self._inputs) / self.contract.inputs.far

    @property
    def place(self) -> tuple[NDArray[np.intp], int]:
        """Where a row has the model's columns, and how wide the row is."""
        return self._index, self._width

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
        self._output[...] = self._all[...] = np.nan
        for pair in self._states:
            pair[0][...] = 0

    def fork(self) -> Model:
        """Another model over the same file, bound alike, with its own fresh state: one per instrument or thread."""
        other = Model(self._session, self.contract)
        other.path = self.path
        other._expect(self._index, self._width)
        return other

    def batch(self, instruments: int) -> Batch:
        """So many instruments over this file, bound alike, each with a fresh state: one call steps them all.

        Raises ContractMismatch where the file takes one row a call: export it with ``dynamic=True``.
        """
        from smartcore.models.batch import Batch

        return Batch(self._session, self.contract, instruments, self._index, self._width)

    def snapshot(self) -> bytes:
        """The state and the number of steps. A model restored from it gives the same bits from here on."""
        turn = self._steps & 1
        return pack(self.contract, self._steps, b"".join(pair[turn].tobytes() for pair in self._states))

    def restore(self, blob: bytes) -> None:
        """Take up the state of :meth:`snapshot`. Raises CorruptSnapshot, or ContractMismatch for another
        model's; then nothing has changed.
        """
        self._steps, body = unpack(self.contract, blob)
        for pair, values in zip(self._states, body, strict=True):
            pair[self._steps & 1][...] = values

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

    def _bind_buffers(self) -> None:
        """Bind inputs and outputs to memory of ours, once; state tensors twice, with the roles of the two swapped."""
        c = self.contract
        batch = np.zeros((1, c.width), np.float32)
        scores, every = score_buffers(c, 1)
        self._input = batch[0]
        self._output = scores[0]
        self._all = every[0]
        self._states = [tuple(np.zeros(s.shape, np.float32) for _ in range(2)) for s in c.states]
        binder = Binder(self._session, c)
        self._turns = []
        for turn in (0, 1):
            before, after = ([pair[i] for pair in self._states] for i in (turn, 1 - turn))
            self._turns.append(binder.bind(batch, before, scores, every, after))
        self._kept = binder


class Binder:
    """Bindings of a session to memory of ours. It has to live as long as they do: an OrtValue on the CPU borrows the
    array's memory and does not keep it alive.
    """

    def __init__(self, session: Any, contract: Contract) -> None:
        self._session = session
        self._contract = contract
        self._held: dict[tuple[int, tuple[int, ...]], tuple[Any, NDArray[np.float32]]] = {}

    def bind(
        self,
        rows: NDArray[np.float32],
        before: Sequence[NDArray[np.float32]],
        scores: NDArray[np.float32],
        every: NDArray[np.float32],
        after: Sequence[NDArray[np.float32]],
    ) -> Any:
        """From ``rows`` (n, columns) and the states ``before`` to ``scores`` (n, classes), ``every`` (n, horizons,
        classes) and the states ``after``.
        """
        c = self._contract
        binding = self._session.io_binding()
        binding.bind_ortvalue_input("row", self._value(rows))
        binding.bind_ortvalue_output("scores", self._value(scores))
        if c.horizons:
            binding.bind_ortvalue_output("scores_all", self._value(every))
        for state, read, written in zip(c.states, before, after, strict=True):
            binding.bind_ortvalue_input(state.input, self._value(read))
            binding.bind_ortvalue_output(state.output, self._value(written))
        return binding

    def _value(self, array: NDArray[np.float32]) -> Any:
        from onnxruntime import OrtValue

        key = array.__array_interface__["data"][0], array.shape
        if key not in self._held:
            self._held[key] = OrtValue.ortvalue_from_numpy(array), array
        return self._held[key][0]


def score_buffers(contract: Contract, n: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Memory for the scores of n instruments, (n, classes), and of all their horizons, (n, H, classes); NaN. Of one
    horizon the second is the first.
    """
    scores = np.full((n, len(contract.classes)), np.nan, np.float32)
    if not contract.horizons:
        return scores, scores[:, None]
    return scores, np.full((n, len(contract.horizons), len(contract.classes)), np.nan, np.float32)


def pack(contract: Contract, steps: int, body: bytes) -> bytes:
    """A snapshot of one instrument: the bytes of its states and how many steps led there."""
    whose = who(contract)
    return _HEAD.pack(_MAGIC, whose, steps, _checksum(whose, steps, body)) + body


def unpack(contract: Contract, blob: bytes) -> tuple[int, list[NDArray[np.float32]]]:
    """Steps and states (1, ...) from :func:`pack`. Raises CorruptSnapshot, or ContractMismatch for another model's."""
    if len(blob) < _HEAD.size or blob[:4] != _MAGIC:
        raise CorruptSnapshot(f"not a model snapshot: {len(blob)} bytes, starts with {bytes(blob[:4])!r}")
    _, whose, steps, crc = _HEAD.unpack_from(blob)
    body = bytes(blob[_HEAD.size :])
    if crc != _checksum(whose, steps, body):
        raise CorruptSnapshot("model snapshot is damaged: its checksum does not fit")
    sizes = [math.prod(s.shape) for s in contract.states]
    if whose != who(contract) or len(body) != 4 * sum(sizes):
        raise ContractMismatch(
            f"snapshot of another model, {whose.decode(errors='replace').strip()}; "
            f"this is {who(contract).decode(errors='replace').strip()}"
        )
    states = np.split(np.frombuffer(body, np.float32), np.cumsum(sizes)[:-1]) if sizes else []
    return steps, [values.reshape(s.shape) for s, values in zip(contract.states, states, strict=True)]


def who(contract: Contract) -> bytes:
    """The 32 bytes by which a snapshot knows its model."""
    return (contract.cache_key or contract.fingerprint).encode()[:32].ljust(32)


def find(source: str | Path) -> Path:
    """The file of a model given as a path, or by the name of a shipped one. Raises FileNotFoundError."""
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


def place(contract: Contract, features: Columns) -> tuple[NDArray[np.intp], int]:
    """Where a row of ``features`` has the contract's columns, and how wide it is. Raises ContractMismatch."""
    have = {name: i for i, name in enumerate(features.columns)}
    want = contract.columns
    absent = [name for name in want if name not in have]
    if absent:
        raise ContractMismatch(
            f"model {contract.name!r} reads {len(want)} columns; the feature set lacks "
            f"{len(absent)} of them: {', '.join(absent)}"
        )
    # The same class makes the subset, so that a fake or a panel's own set compares like with like. Numbers of the
    # set's own that stand in for fitted ones go with it.
    subset = features.select(want) if hasattr(features, "select") else type(features)(list(want))  # type: ignore[call-arg]
    fingerprint = subset.fingerprint
    if fingerprint != contract.fingerprint:
        raise ContractMismatch(
            f"model {contract.name!r} was trained on columns of these names, computed otherwise: "
            f"fingerprint {contract.fingerprint} in the file, {fingerprint} here; use the release "
            "that made it, or train it again"
        )
    return np.array([have[name] for name in want], dtype=np.intp), len(have)


def _check_graph(session: Any, contract: Contract) -> None:
    check_tensors(contract, *([(t.name, t.shape) for t in ts] for ts in (session.get_inputs(), session.get_outputs())))


def check_tensors(
    contract: Contract, takes: Sequence[tuple[str, Sequence[Any]]], gives: Sequence[tuple[str, Sequence[Any]]]
) -> None:
    """That the graph's tensors, (name, shape) of inputs and outputs, are those of the contract, before anything is
    bound to them; a dimension that is no number, or -1, is free. Raises ContractMismatch.
    """
    first = "n" if contract.dynamic else 1

    def shape(given: Sequence[Any]) -> list[Any]:
        return [first, *given[1:]]

    inputs, outputs = (
        {
            name: ["n" if i == 0 and not (isinstance(d, int) and d >= 0) else d for i, d in enumerate(dims)]
            for name, dims in tensors
        }
        for tensors in (takes, gives)
    )
    want_in = {"row": [first, contract.width], **{s.input: shape(s.shape) for s in contract.states}}
    want_out = {"scores": [first, len(contract.classes)], **{s.output: shape(s.shape) for s in contract.states}}
    if contract.horizons:
        want_out["scores_all"] = [first, len(contract.horizons), len(contract.classes)]
    if inputs != want_in or outputs != want_out:
        raise ContractMismatch(
            f"model {contract.name!r}: the graph takes {inputs} and gives {outputs}, "
            f"its contract says {want_in} and {want_out}"
        )


def _checksum(whose: bytes, steps: int, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(whose + steps.to_bytes(8, "little")))
