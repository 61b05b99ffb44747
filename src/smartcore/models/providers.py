"""The onnxruntime session of a model: the options that measured best, and on Apple the race that may choose CoreML.

One thread has the best p99 for graphs of 10 to 400 us: a second one lowers the median by a fifth and raises
p99 to milliseconds as soon as its core is busy. Extended and full optimisation are within 1% of each other on
the CPU.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from smartcore.models.contract import Contract


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
    return ort.InferenceSession(str(path), options, providers=providers or ["CPUExecutionProvider"])


def race(path: Path, cpu: Any, contract: Contract, start: Callable[[Any], Any], runs: int = 200) -> Any:
    """The CoreML session if it gives the golden scores and has the better p99 over ``runs`` steps; else ``cpu``.

    ``start(session)`` makes a fresh model of a session. Not measured by us: no Mac was at hand. What it
    guards against is on record elsewhere: half-precision answers off by 1e-2 and more, dispatch that costs
    more than a graph of 10 to 400 us.
    """
    import onnxruntime as ort

    name = "CoreMLExecutionProvider"
    if sys.platform != "darwin" or contract.golden is None or name not in ort.get_available_providers():
        return cpu
    # Compiled models are not valid across versions of either, and the provider does not check.
    cache = Path.home() / "Library/Caches/smartcore" / ort.__version__ / platform.mac_ver()[0] / contract.cache_key
    options = {
        "ModelFormat": "MLProgram",
        "MLComputeUnits": "CPUAndNeuralEngine",
        "RequireStaticInputShapes": "1",
        "EnableOnSubgraphs": "0",
        "SpecializationStrategy": "FastPrediction",
        "ModelCacheDirectory": str(cache),
    }
    try:
        cache.mkdir(parents=True, exist_ok=True)
        apple = session(path, [(name, options), "CPUExecutionProvider"])
        wrong = np.abs(start(apple).run(contract.golden.rows) - contract.golden.scores).max()
        if not wrong <= contract.golden.tolerance:
            return cpu
        row = contract.golden.rows[0].astype(np.float64)
        return apple if _p99(start(apple), row, runs) < _p99(start(cpu), row, runs) else cpu
    except (
        Exception
    ):  # a provider that fails to start or to run has lost the race; whatever it raises, the CPU is there
        return cpu


def _p99(model: Any, row: np.ndarray, runs: int) -> float:
    times = np.empty(runs)
    for i in range(runs):
        start = time.perf_counter_ns()
        model.step(row)
        times[i] = time.perf_counter_ns() - start
    return float(np.quantile(times, 0.99))
