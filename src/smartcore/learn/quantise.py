"""An int8 variant of an exported net, kept only where it is both faster and nearly the same.

Weights become int8 (QInt8, a scale a tensor), activations are quantised as they come. That makes large matrix products
1.3 to 2.4 times faster on a CPU with VNNI, small steps slower, and runs on no CoreML device. The recipe: fold constants
first, for weights that come through a Slice or a Transpose are not seen; drop the exporter's shapes, which are stale
then; quantise products of matrices only, as convolutions get slower.
"""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from smartcore.learn.evaluate import scores
from smartcore.learn.export import write
from smartcore.models import Model

MOST = 0.02
"""Largest difference of a probability."""
LOSS = 0.005
"""Most macro-F1 it may lose."""
FASTER = 0.95
"""Its median time a step must be below this share of the plain file's."""


@dataclass(frozen=True)
class Verdict:
    """Whether the int8 variant was kept, and what was measured."""

    kept: bool
    why: str
    worst: float | None = None
    """Largest difference of a probability."""
    macro_f1: tuple[float, float] | None = None
    """Plain, int8; None without labels."""
    p50: tuple[float, float] | None = None
    """Microseconds a step: plain, int8, in turn on the same rows."""
    kilobytes: tuple[float, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    def __str__(self) -> str:
        return f"{'kept' if self.kept else 'refused'}: {self.why}"


def quantise(
    path: Path,
    out: Path,
    rows: NDArray[np.float32],
    label: NDArray[np.integer] | None = None,
    *,
    most: float = MOST,
    loss: float = LOSS,
    faster: float = FASTER,
) -> Verdict:
    """Make the int8 variant of ``path`` and write it to ``out`` if it passes both gates; else ``out`` is not there.

    rows: raw rows (n, k) in order, some hundreds and more; label: their classes (n,), -1 unknown, for the macro-F1.
    """
    plain = Model.load(path)
    out.unlink(missing_ok=True)  # of an earlier export
    products = {"MatMul", "Gemm"}
    proto = onnx.load(str(path))
    if not any(node.op_type in products for node in proto.graph.node):
        kinds = sorted({node.op_type for node in proto.graph.node})
        return Verdict(False, f"no products of matrices in it to quantise, only {', '.join(kinds)}")
    with tempfile.TemporaryDirectory() as folder:
        small = _quantised(path, Path(folder))
    before, after = (sum(n.op_type in products for n in p.graph.node) for p in (proto, small))
    if after >= before:
        return Verdict(False, f"none of its {before} products of matrices has a weight that can be quantised")
    contract = replace(plain.contract, name=f"{plain.contract.name}-int8", golden=None, cache_key="")
    golden = None if plain.contract.golden is None else plain.contract.golden.rows
    write(small, contract, golden, out, tolerance=most)  # int8 products differ between instruction sets
    model = Model.load(out)
    rows = np.ascontiguousarray(rows, np.float32)
    said = _fresh(plain, rows), _fresh(model, rows)
    worst = float(np.abs(said[0] - said[1]).max())
    f1 = None
    if label is not None and (label >= 0).any():
        f1 = (float(scores(said[0], label)["macro_f1"]), float(scores(said[1], label)["macro_f1"]))
    p50 = _race(plain, model, rows)
    sizes = (round(path.stat().st_size / 1024, 1), round(out.stat().st_size / 1024, 1))
    faults = []
    if not worst <= most:
        faults.append(f"a probability differs by {worst:.2g}, more than {most:g}")
    if f1 is not None and f1[0] - f1[1] > loss:
        faults.append(f"it loses {f1[0] - f1[1]:.3f} of macro-F1, more than {loss:g}")
    if p50[1] > faster * p50[0]:
        faults.append(f"it is no faster: {p50[1]:.1f} us a step, plain {p50[0]:.1f}")
    if faults:
        out.unlink()
        return Verdict(False, "; ".join(faults), worst, f1, p50, sizes)
    judged = "" if f1 is None else f", macro-F1 {f1[1]:.3f} ({f1[0]:.3f})"
    why = f"{p50[1]:.1f} us a step (plain {p50[0]:.1f}), a probability differs by {worst:.2g} at most{judged}"
    return Verdict(True, why, worst, f1, p50, sizes)


def _quantised(path: Path, folder: Path) -> onnx.ModelProto:
    import onnxruntime as ort
    from onnxruntime.quantization import QuantType, quantize_dynamic

    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folder / "folded.onnx")
    options.log_severity_level = 3
    ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    folded = onnx.load(options.optimized_model_filepath)
    del folded.graph.value_info[:]
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # it advises to preprocess, which was done
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            quantize_dynamic(
                folded, folder / "int8.onnx", weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"]
            )
    finally:
        logging.disable(before)
    return onnx.load(str(folder / "int8.onnx"))


def _fresh(model: Model, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    model.reset()
    return model.run(rows)


def _race(one: Model, other: Model, rows: NDArray[np.float32], turns: int = 8, steps: int = 60) -> tuple[float, float]:
    """Median microseconds a step of each, in turns: what else the machine does falls on both."""
    table = np.asarray(rows, np.float64)
    times: tuple[list[int], list[int]] = ([], [])
    for turn in range(turns):
        for model, own in zip((one, other), times, strict=True):
            for i in range(steps):
                row = table[(turn * steps + i) % len(table)]
                start = time.perf_counter_ns()
                model.step(row)
                own.append(time.perf_counter_ns() - start)
    return float(np.median(times[0]) / 1e3), float(np.median(times[1]) / 1e3)
