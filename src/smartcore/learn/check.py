"""Is an exported file what it says? Every gate it has to pass before it ships, and its latency.

``smartcore export --check FILE`` runs it; its report is the second half of the model card.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from smartcore.learn import apple
from smartcore.learn.data import Series
from smartcore.learn.export import cache_key_fits, served
from smartcore.models import Contract, Model
from smartcore.models.providers import session

Source = Callable[[NDArray[np.float32]], NDArray[np.floating]]
"""Rows (n, k) in order from a fresh state -> scores (n, classes), by whatever the file was exported from."""

PARITY = 1e-5
"""Largest difference of a probability from what it was exported from."""


@dataclass(frozen=True)
class Report:
    """What :func:`check` found; differences are the largest absolute ones of a probability, None was not asked for."""

    file: str
    kilobytes: float
    nodes: int
    golden: float | None
    """File against its own golden rows; None where it has none, which is a failure."""
    parity: float | None
    """File against its source, row by row over hundreds of ticks, a twentieth of the values unknown."""
    unknown: float | None
    """The same on rows of which half or all values are unknown."""
    whole: float | None
    """File row by row against its source over the whole recording at once, as it was trained and judged."""
    batch: float | None
    """Seven streams side by side in the variant with a free batch against one after another in the file."""
    optimiser: float
    """All of onnxruntime's graph optimisations against none."""
    coreml: str
    """What onnxruntime's own static checker says of the CoreML provider, and which operators prevent one partition."""
    coremltools: str | None
    """What coremltools made of the net."""
    forgets: int
    """Ticks until a fresh state gives the scores of an old one to 0.01."""
    hot: tuple[float, float]
    """Microseconds a step back to back over changing rows: p50, p99."""
    paced: tuple[float, float]
    """Microseconds a step, one every 3 ms: p50, p99. What a bot feels."""
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.failures

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON types, null for what is not finite; "passed" says whether all gates were."""
        return {**{k: _plain(v) for k, v in asdict(self).items()}, "passed": self.passed}

    def __str__(self) -> str:
        lines = [f"{f.name:12} {_show(getattr(self, f.name))}" for f in fields(self) if f.name != "failures"]
        return "\n".join([*lines, "passed" if self.passed else "FAILED: " + "; ".join(self.failures)])


def check(
    path: Path | str,
    source: Any = None,
    rows: NDArray[np.float32] | None = None,
    quick: bool = False,
    *,
    target: int = 0,
    batch: bool = True,
    coremltools: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Report:
    """Run every gate over a file. Raises only where it cannot be loaded: what failed is in ``Report.failures``.

    source: the ``estimator.Estimator`` it was exported from and which ``target`` of it, a served net, or any
    ``Source``; None leaves parity out.
    rows: raw rows (n, k) in order to step over; None makes noise around the golden rows.
    quick: a fifth of the timing.
    batch: export an estimator's variant with a free batch as well, and hold its rows to those of the file.
    coremltools: convert the net by it as well; some seconds.
    """
    path = Path(path)
    failures: list[str] = []

    def gate(ok: bool, text: str) -> None:
        if not ok:
            failures.append(text)

    progress("structure")
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
        golden, rows = None, np.zeros((400, c.width), np.float32) if rows is None else rows
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

    parity = unknown = whole = side_by_side = None
    package: str | None = None
    if source is not None:
        progress("parity")
        origin = row_by_row(source, c, target)
        parity, unknown = (_worst(_fresh(model, r), origin(r)) for r in (holes, dark))
        gate(parity <= PARITY, f"differs from its source by {parity:.2g}")
        gate(unknown <= PARITY, f"differs from its source by {unknown:.2g} on unknown values")
        if hasattr(source, "logits"):
            whole = _worst(_fresh(model, holes), at_once(source, holes, target))
            gate(whole <= PARITY, f"differs by {whole:.2g} from its source over the whole recording at once")
        if batch and hasattr(source, "export"):
            with tempfile.TemporaryDirectory() as folder:
                wide = Path(folder) / "batch.onnx"
                source.export(wide, c, None, target=target, dynamic=True)
                side_by_side = batched(wide, path, rows)
            gate(side_by_side <= PARITY, f"a batch differs by {side_by_side:.2g} from its rows one after another")
    progress("optimiser, CoreML")
    plain = Model(session(path, optimise=False), c)
    optimiser = _worst(_fresh(model, holes), plain.run(holes))
    gate(optimiser <= PARITY, f"optimised and plain graph differ by {optimiser:.2g}")
    if coremltools:
        progress("coremltools")
        package = _package(source, c, target, holes)
    progress("latency")
    scale = 5 if quick else 1
    return Report(
        file=path.name,
        kilobytes=round(path.stat().st_size / 1024, 1),
        nodes=len(model_file.graph.node),
        golden=golden,
        parity=parity,
        unknown=unknown,
        whole=whole,
        batch=side_by_side,
        optimiser=optimiser,
        coreml=str(apple.partitions(path)),
        coremltools=package,
        forgets=forgets(model, rows),
        hot=latency(model, rows, 5000 // scale, 0.0),
        paced=latency(model, rows, 500 // scale, 0.003),
        failures=tuple(failures),
    )


def row_by_row(source: Any, contract: Contract, target: int = 0) -> Source:
    """What a file's source says when it is fed like the file: a net by its own torch graph, states carried."""
    if hasattr(source, "start"):
        return torch_source(source)
    if getattr(source, "net", None) is not None:
        return torch_source(served(source, contract, target))
    return (lambda rows: at_once(source, rows, target)) if hasattr(source, "logits") else source


def at_once(model: Any, rows: NDArray[np.float32], target: int = 0) -> NDArray[np.float64]:
    """Calibrated probabilities (n, classes) of one recording of rows (n, k), as an estimator is judged."""
    n = len(rows)
    unlabelled = np.full((n, model.targets), -1, np.int8)
    logits = model.logits([Series(np.arange(n, dtype=np.int64), rows, np.ones(n), unlabelled)])
    prob: NDArray[np.float64] = model.calibrations[target].prob(logits[:, target])
    return prob


def torch_source(net: Any) -> Source:
    """A served net, ``forward(row, *states) -> (scores, *states)``, run row by row, its states carried."""
    import torch

    def run(rows: NDArray[np.float32]) -> NDArray[np.floating]:
        net.eval()
        states, out = net.start(), []
        with torch.no_grad():
            for row in torch.from_numpy(rows):
                scores, *after = net(row.unsqueeze(0), *states)
                states = after[: len(states)]
                out.append(scores.numpy())
        return np.concatenate(out)

    return run


def batched(wide: Path, path: Path, rows: NDArray[np.float32], size: int = 7) -> float:
    """Largest difference between the variant with a free batch and the shipped one, over ``size`` parallel streams."""
    model, server = Model.load(path, verify=False), session(wide)
    streams = rows[: len(rows) // size * size][: 50 * size].reshape(size, -1, rows.shape[1])
    alone = np.stack([_fresh(model, stream) for stream in streams], axis=1)
    pairs = model.contract.states
    states = {s.input: np.zeros((size, *s.shape[1:]), np.float32) for s in pairs}
    worst = 0.0
    for t in range(streams.shape[1]):
        names = ["scores", *(s.output for s in pairs)]
        scores, *after = server.run(names, {"row": np.ascontiguousarray(streams[:, t]), **states})
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


def _package(source: Any, contract: Contract, target: int, rows: NDArray[np.float32]) -> str:
    net = source if hasattr(source, "start") else None
    if net is None and getattr(source, "net", None) is not None:
        net = served(source, contract, target)
    if net is None:
        return "only nets are converted, and from their torch form"
    try:
        return str(apple.package(net, contract, rows=rows[:200]))
    except ImportError:
        return "not installed"
    except RuntimeError as error:
        return str(error)


def _fresh(model: Model, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    model.reset()
    return model.run(rows)


def _worst(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Largest absolute difference; infinite if either holds a NaN, so that no gate passes by accident."""
    worst = float(np.abs(a - b).max())
    return worst if np.isfinite(worst) else float("inf")


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _show(value: object) -> str:
    if isinstance(value, tuple):
        return " / ".join(_show(v) for v in value)
    if isinstance(value, float):
        return f"{value:.1f}" if abs(value) >= 0.1 else f"{value:.2g}"
    return "-" if value is None else str(value)
