"""Is an exported file what it says? Every gate it has to pass before it ships, and its latency.

python -m smartcore.learn.check FILE ...
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from smartcore.learn.export import cache_key_fits
from smartcore.models import Model
from smartcore.models.providers import session

Source = Callable[[NDArray[np.float32]], NDArray[np.floating]]
"""Rows (n, k) in order from a fresh state -> scores (n, 3), by whatever the file was exported from."""


@dataclass(frozen=True)
class Report:
    """What :func:`check` found; differences are the largest absolute ones of a probability."""

    file: str
    kilobytes: float
    nodes: int
    golden: float
    """File against its own golden rows."""
    parity: float | None
    """File against its source over hundreds of ticks, a twentieth of the values unknown; None without a source."""
    unknown: float | None
    """The same on rows of which half or all values are unknown."""
    optimiser: float
    """All of onnxruntime's graph optimisations against none."""
    coreml_partitions: int | None
    """MLProgram partitions by onnxruntime's own static checker; 1 is the aim for a net, trees never run there."""
    coreml_nodes: str
    """Nodes of the graph it would take."""
    forgets: int
    """Ticks until a fresh state gives the scores of an old one to 0.01."""
    hot: tuple[float, float]
    """Microseconds a step back to back over changing rows: p50, p99."""
    paced: tuple[float, float]
    """Microseconds a step, one every 3 ms: p50, p99. What a bot feels."""
    failures: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{f.name:18} {_show(getattr(self, f.name))}" for f in fields(self) if f.name != "failures"]
        verdict = "passed" if not self.failures else "FAILED: " + "; ".join(self.failures)
        return "\n".join([*lines, verdict])


def check(path: Path | str, source: Any = None, rows: NDArray[np.float32] | None = None, quick: bool = False) -> Report:
    """Run every gate over a file. Raises only where it cannot be loaded: what failed is in ``Report.failures``.

    source: the torch step net it was exported from, or any ``Source``; None leaves parity out.
    rows: raw rows (n, k) to step over; None makes noise around the golden rows.
    quick: a fifth of the timing.
    """
    path = Path(path)
    failures: list[str] = []

    def gate(ok: bool, text: str) -> None:
        if not ok:
            failures.append(text)

    model_file = onnx.load(str(path))
    try:
        onnx.checker.check_model(model_file, full_check=True)
    except onnx.checker.ValidationError as error:
        failures.append(f"onnx checker: {error}")
    gate(cache_key_fits(path), "COREML_CACHE_KEY is not that of the file's bytes")
    model = Model.load(path, verify=False)
    c = model.contract
    rng = np.random.default_rng(0)
    if c.golden is None:
        failures.append("no golden rows")
        golden, rows = np.nan, np.zeros((400, c.width), np.float32) if rows is None else rows
    else:
        golden = _worst(model.run(c.golden.rows), c.golden.scores)
        gate(golden <= c.golden.tolerance, f"golden rows differ by {golden:.2g}")
        if rows is None:
            pick = np.nan_to_num(c.golden.rows[rng.integers(len(c.golden.rows), size=400)])
            rows = (pick * rng.lognormal(0, 0.5, pick.shape)).astype(np.float32)
    rows = np.ascontiguousarray(rows[:600], np.float32)
    holes = np.where(rng.random(rows.shape) < 0.05, np.float32(np.nan), rows)
    dark = np.where(rng.random(rows.shape) < 0.5, np.float32(np.nan), rows)
    dark[::7] = np.nan
    parity = unknown = None
    if source is not None:
        origin = torch_source(source) if hasattr(source, "start") else source
        parity, unknown = (_worst(_fresh(model, r), origin(r)) for r in (holes, dark))
        gate(parity <= 1e-5, f"differs from its source by {parity:.2g}")
        gate(unknown <= 1e-5, f"differs from its source by {unknown:.2g} on unknown values")
    plain = Model(session(path, optimise=False), c)
    optimiser = _worst(_fresh(model, holes), plain.run(holes))
    gate(optimiser <= 1e-5, f"optimised and plain graph differ by {optimiser:.2g}")
    partitions, taken, total = coreml(path)
    if c.states:
        gate(
            partitions == 1 and taken == total,
            f"CoreML: {partitions} partitions, {taken}/{total} nodes",
        )
    scale = 5 if quick else 1
    return Report(
        file=path.name,
        kilobytes=round(path.stat().st_size / 1024, 1),
        nodes=len(model_file.graph.node),
        golden=golden,
        parity=parity,
        unknown=unknown,
        optimiser=optimiser,
        coreml_partitions=partitions,
        coreml_nodes=f"{taken}/{total}",
        forgets=forgets(model, rows),
        hot=latency(model, rows, 5000 // scale, 0.0),
        paced=latency(model, rows, 500 // scale, 0.003),
        failures=tuple(failures),
    )


def torch_source(net: Any) -> Source:
    """A served net, ``forward(row, *states) -> (scores, *states)``, run row by row, its states carried."""
    import torch

    def run(rows: NDArray[np.float32]) -> NDArray[np.floating]:
        net.eval()
        states, out = net.start(), []
        with torch.no_grad():
            for row in torch.from_numpy(rows):
                scores, *states = net(row.unsqueeze(0), *states)
                out.append(scores.numpy())
        return np.concatenate(out)

    return run


def coreml(path: Path) -> tuple[int, int, int]:
    """(MLProgram partitions, nodes in them, all nodes), by ``onnxruntime.tools.check_onnx_model_mobile_usability``.

    Static: operator names and fixed shapes after basic optimisation. It has never run a graph; nor have we,
    without a Mac.
    """
    import tempfile

    from onnxruntime.tools.mobile_helpers.usability_checker import check_coreml_partitions
    from onnxruntime.tools.onnx_model_utils import ModelProtoWithShapeInfo, optimize_model

    with tempfile.TemporaryDirectory() as folder:
        basic = Path(folder) / path.name
        optimize_model(path, basic, use_external_initializers=True)
        shaped = ModelProtoWithShapeInfo(basic).model_with_shape_info
        info = check_coreml_partitions(shaped, True, "coreml_supported_mlprogram_ops.md")
        return info.num_partitions, info.num_supported_nodes, info.num_nodes


def batched(wide: Path, path: Path, rows: NDArray[np.float32], size: int = 7) -> float:
    """Largest difference between the variant with a free batch and the shipped one, over ``size`` parallel streams."""
    model, server = Model.load(path), session(wide)
    streams = rows[: len(rows) // size * size][: 50 * size].reshape(size, -1, rows.shape[1])
    alone = np.stack([_fresh(model, stream) for stream in streams], axis=1)
    states = {s.input: np.zeros((size, *s.shape[1:]), np.float32) for s in model.contract.states}
    worst = 0.0
    for t in range(streams.shape[1]):
        scores, *after = server.run(None, {"row": np.ascontiguousarray(streams[:, t]), **states})
        states = dict(zip(states, after, strict=True))
        worst = max(worst, _worst(scores, alone[t]))
    return worst


def forgets(model: Model, rows: NDArray[np.float32], close: float = 0.01) -> int:
    """Ticks after which a model started at zero agrees to ``close`` with one that had seen half of ``rows`` before."""
    if not model.contract.states:
        return 0
    half = len(rows) // 2
    old = _fresh(model, rows)[half:]
    apart = np.abs(_fresh(model, rows[half:]) - old).max(1) > close
    return int(np.flatnonzero(apart)[-1] + 1) if apart.any() else 0


def latency(model: Model, rows: NDArray[np.float32], count: int, pause: float) -> tuple[float, float]:
    """p50 and p99 of ``step`` in microseconds over changing rows, ``pause`` seconds apart."""
    table = rows.astype(np.float64)
    times = np.empty(count)
    for i in range(-50, count):
        if pause:
            time.sleep(pause)
        row = table[i % len(table)]
        start = time.perf_counter_ns()
        model.step(row)
        if i >= 0:
            times[i] = time.perf_counter_ns() - start
    p50, p99 = np.quantile(times, [0.5, 0.99]) / 1e3
    return float(p50), float(p99)


def _fresh(model: Model, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    model.reset()
    return model.run(rows)


def _worst(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Largest absolute difference; infinite if either holds a NaN, so that no gate passes by accident."""
    worst = float(np.abs(a - b).max())
    return worst if np.isfinite(worst) else float("inf")


def _show(value: object) -> str:
    if isinstance(value, tuple):
        return " / ".join(_show(v) for v in value)
    if isinstance(value, float):
        return f"{value:.1f}" if abs(value) >= 0.1 else f"{value:.2g}"
    return "-" if value is None else str(value)


if __name__ == "__main__":
    bad = False
    for name in sys.argv[1:]:
        report = check(name)
        print(report, end="\n\n")
        bad |= bool(report.failures)
    sys.exit(bad)
