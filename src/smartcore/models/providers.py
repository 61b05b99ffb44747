"""The onnxruntime session of a model: the options that measured best, and who may run it besides the CPU.

One thread has the best p99 for graphs of 10 to 400 us: a second one lowers the median by a fifth and raises
p99 to milliseconds as soon as its core is busy. Extended and full optimisation are within 1% of each other on
the CPU.

Nobody but the CPU is believed without the golden rows: :func:`asked` for providers that the caller names, :func:`race`
for CoreML on Apple. CoreML itself was never run by us, for no Mac was at hand: what is tested is which session is
chosen, by which options and with which cache, with a session that stands in for Apple's.
"""

from __future__ import annotations

import hashlib
import platform
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartcore.models.contract import Contract

COREML = "CoreMLExecutionProvider"
CPU = "CPUExecutionProvider"
UNITS = ("CPUAndNeuralEngine", "ALL")
"""Compute units that run in the race. CPU and GPU alone are left out: for small graphs a GPU is the dearest to call."""

Start = Callable[[Any], Any]
"""Makes a fresh model of a session."""


def session(path: Path, providers: list[Any] | None = None, optimise: bool = True) -> Any:
    """An ``onnxruntime.InferenceSession`` on one thread; the CPU provider unless others are named."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimise else level.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=providers or [CPU])


def difference(model: Any, contract: Contract) -> str:
    """In words, how far a fresh model's scores on the golden rows are from those stored; "" if within the tolerance."""
    golden = contract.golden
    if golden is None:
        return ""
    worst = float(np.abs(model.run(golden.rows) - golden.scores).max())
    if worst <= golden.tolerance:  # a NaN is not
        return ""
    return f"its golden rows differ by {worst:.2g}, more than {golden.tolerance:.2g}"


def asked(path: Path, providers: list[Any], cpu: Any, contract: Contract, start: Start | None) -> Any:
    """The session of the providers asked for, if it can be made, runs, and gives the golden scores; else ``cpu``, with
    a RuntimeWarning that says why. Without ``start`` it need only be made.
    """
    asked_for = [str(p if isinstance(p, str) else p[0]) for p in providers]
    try:
        other = session(path, providers)
        wanted = set(asked_for) - {CPU}
        if wanted and wanted.isdisjoint(other.get_providers()):  # onnxruntime falls back to the CPU and goes on
            wrong = "onnxruntime starts no such provider"
        else:
            wrong = "" if start is None else difference(start(other), contract)
    except Exception as error:  # whatever a provider may raise, the CPU is there
        wrong = f"{type(error).__name__}: {error}"
    if not wrong:
        return other
    names = ", ".join(asked_for)
    warnings.warn(
        f"model {contract.name!r} ({path.name}) runs on the CPU provider: with {names}, {wrong}",
        RuntimeWarning,
        stacklevel=3,  # who called Model.load
    )
    return cpu


def race(path: Path, cpu: Any, contract: Contract, start: Start, runs: int = 200) -> Any:
    """The CoreML session that gives the golden scores and has the best p99 over ``runs`` steps, where that is better
    than ``cpu``'s; else ``cpu``.

    What it guards against is on record elsewhere: half-precision answers off by 1e-2 and more, dispatch that costs
    more than a graph of 10 to 400 us. A file with a free batch dimension does not run: CoreML takes fixed shapes.
    """
    import onnxruntime as ort

    golden = contract.golden
    if sys.platform != "darwin" or golden is None or contract.dynamic or COREML not in ort.get_available_providers():
        return cpu
    best = cpu
    for units in UNITS:
        try:
            apple = session(path, [(COREML, coreml_options(path, units)), CPU])
            if difference(start(apple), contract):
                continue
            old, new = _p99([start(best), start(apple)], golden.rows.astype(np.float64), runs)
        except Exception:  # who fails to start or to run has lost the race; whatever it raises, the CPU is there
            continue
        if new < old:
            best = apple
    return best


def coreml_options(path: Path, units: str) -> dict[str, str]:
    """What the CoreML provider is told: one MLProgram of fixed shapes, compiled once and kept. Makes its folder."""
    cache = coreml_cache(path) / units
    cache.mkdir(parents=True, exist_ok=True)
    return {
        "ModelFormat": "MLProgram",  # the older format lacks layer normalisation and GELU
        "MLComputeUnits": units,
        "RequireStaticInputShapes": "1",
        "EnableOnSubgraphs": "0",
        "SpecializationStrategy": "FastPrediction",
        "ModelCacheDirectory": str(cache),
    }


def coreml_cache(path: Path) -> Path:
    """Where compiled models of this file are kept: by version of onnxruntime, version of macOS and the file's bytes.

    Compiled models are not valid across versions of either, and the provider does not check. Nor does it see that a
    file has changed: it goes by COREML_CACHE_KEY in the file, which an edited file may still have from before.
    """
    import onnxruntime as ort

    sha = hashlib.sha256(path.read_bytes()).hexdigest()[:32]
    return Path.home() / "Library/Caches/smartcore" / ort.__version__ / platform.mac_ver()[0] / sha


def _p99(models: Sequence[Any], rows: NDArray[np.float64], runs: int) -> list[float]:
    """p99 of a step of each, in nanoseconds. They take turns, so that all feel the same neighbours; rows rotate."""
    times = np.empty((len(models), runs))
    for i in range(-10, runs):
        row = rows[i % len(rows)]
        for j, model in enumerate(models):
            start = time.perf_counter_ns()
            model.step(row)
            if i >= 0:
                times[j, i] = time.perf_counter_ns() - start
    return [float(t) for t in np.quantile(times, 0.99, axis=1)]
