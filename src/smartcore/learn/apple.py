"""What an exported model would be on Apple's CoreML, as far as can be said without a Mac.

Two ways lead there: onnxruntime's CoreML provider runs the ONNX file itself, and is best where the whole graph is one
partition (:func:`partitions`); coremltools converts the torch module to an ``.mlpackage`` of its own
(:func:`package`). Neither has run here: ``predict`` needs macOS.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartcore.models import Contract


@dataclass(frozen=True)
class Partitions:
    """What the MLProgram format of onnxruntime's CoreML provider would take of a graph."""

    count: int
    """1 is the aim for a net: each border is a copy there and back."""
    taken: int
    """Nodes in them, of ``nodes``."""
    nodes: int
    blocked_by: tuple[str, ...]
    """Operators that it does not take, with the reason where it is not the operator itself."""

    @property
    def whole(self) -> bool:
        """One partition that holds every node."""
        return self.count == 1 and self.taken == self.nodes

    def __str__(self) -> str:
        stands = f"{self.count} MLProgram partition{'s' * (self.count != 1)}, {self.taken} of {self.nodes} nodes"
        return stands if self.whole else f"{stands}; prevented by {', '.join(self.blocked_by) or 'their order'}"


def partitions(path: Path) -> Partitions:
    """By ``onnxruntime.tools.check_onnx_model_mobile_usability``: operator names, ranks and fixed shapes after basic
    optimisation. It has never run a graph; nor have we.
    """
    from onnxruntime.tools.mobile_helpers.usability_checker import check_coreml_partitions
    from onnxruntime.tools.onnx_model_utils import ModelProtoWithShapeInfo, optimize_model

    with tempfile.TemporaryDirectory() as folder:
        basic = Path(folder) / path.name
        optimize_model(path, basic, use_external_initializers=True)
        shaped = ModelProtoWithShapeInfo(basic).model_with_shape_info
        info = check_coreml_partitions(shaped, True, "coreml_supported_mlprogram_ops.md")
    blocked = [name.removeprefix("ai.onnx:") for name in sorted(info.unsupported_ops)]
    blocked += [f"{name.removeprefix('ai.onnx:')} (rank above 5)" for name in sorted(info.ops_with_unsupported_rank)]
    if info.nodes_unsupported_due_to_dynamic_input:
        blocked.append(f"inputs of unknown shape ({info.nodes_unsupported_due_to_dynamic_input})")
    return Partitions(info.num_partitions, info.num_supported_nodes, info.num_nodes, tuple(blocked))


@dataclass(frozen=True)
class Package:
    """A converted ``.mlpackage``."""

    kilobytes: float
    operations: int
    differs: float | None
    """Largest difference of a probability from torch over the rows given; None but on macOS."""

    def __str__(self) -> str:
        ran = "not run: predict needs macOS" if self.differs is None else f"differs by {self.differs:.2g}"
        return f"converted, {self.operations} operations, {self.kilobytes:.0f} kB, {ran}"


def package(
    module: Any, contract: Contract, path: Path | None = None, rows: NDArray[np.float32] | None = None
) -> Package:
    """Convert a served net (``export.Served``) by coremltools, in float32; write ``path``.mlpackage where it is given.

    Raises ImportError where coremltools is not installed, RuntimeError where it cannot convert.
    """
    import torch

    with _silence():
        import coremltools as ct

    generator = torch.Generator().manual_seed(1)
    shapes = {"row": (1, contract.width), **{s.input: s.shape for s in contract.states}}
    example = tuple(torch.randn(shape, generator=generator) for shape in shapes.values())
    module.eval()
    ways = {
        "trace": lambda: torch.jit.trace(module, example, check_trace=False),
        "export": lambda: torch.export.export(module, example).run_decompositions({}),
    }
    program, faults = None, []
    for way, capture in ways.items():
        try:
            with _silence(), torch.no_grad():
                tensors = [ct.TensorType(name=name, shape=shape) for name, shape in shapes.items()]
                program = ct.convert(
                    capture(),
                    convert_to="mlprogram",
                    inputs=tensors if way == "trace" else None,
                    compute_precision=ct.precision.FLOAT32,
                    skip_model_load=sys.platform != "darwin",
                )
            break
        except Exception as error:  # it raises whatever its passes raise
            faults.append(f"{way}: {type(error).__name__}: {_first(error)}")
    if program is None:
        raise RuntimeError(f"coremltools {ct.__version__} cannot convert it ({'; '.join(faults)})")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "model.mlpackage" if path is None else path.with_suffix(".mlpackage")
        with _silence():
            program.save(str(target))
        size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file()) / 1024
    functions = program.get_spec().mlProgram.functions.values()
    operations = sum(len(f.block_specializations[f.opset].operations) for f in functions)
    differs = None
    if sys.platform == "darwin" and rows is not None:
        differs = _differs(program, module, rows)
    return Package(round(size, 1), operations, differs)


def _differs(program: Any, module: Any, rows: NDArray[np.float32]) -> float:
    """Row by row, each side carrying its own states. Only macOS comes here."""
    import torch

    about = program.get_spec().description
    names, outputs = [i.name for i in about.input], [o.name for o in about.output]
    states = list(module.start())
    theirs = [s.numpy() for s in states]
    worst = 0.0
    for row in rows:
        said = program.predict(dict(zip(names, [row[None], *theirs], strict=True)))
        theirs = [said[name] for name in outputs[1 : len(names)]]
        with torch.no_grad():
            scores, *states = module(torch.from_numpy(row[None]), *states)
        worst = max(worst, float(np.abs(said[outputs[0]] - scores.numpy()).max()))
    return worst


def _first(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:200]


@contextmanager
def _silence() -> Iterator[None]:
    """coremltools warns of every library that is newer than itself, on import and later, by print and by logging."""
    with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore")
        before = logging.root.manager.disable
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(before)
