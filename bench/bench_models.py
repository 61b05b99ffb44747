"""Latency of the shipped models: back to back and paced as a bot feels it, many instruments in a call, and what
stands around a step.

    pytest bench/bench_models.py --benchmark-enable
    pytest bench/bench_models.py --benchmark-enable -k batch      # of n instruments; needs onnx to make the file

Repeating one row flatters trees threefold (the branch predictor learns it) and steps without a pause flatter
every small graph (its weights stay in the cache), so both are avoided: rows rotate, and the paced cases sleep
3 ms between ticks. The cases of n instruments say what one of them costs under "an instrument, us".
"""

from __future__ import annotations

import itertools
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from smartcore.models import Model, builtin

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import model_files

NAMES = builtin()
PAUSE = 0.003


def rows_of(model, n=997):
    """Endless changing rows of its columns, a twentieth of the values unknown."""
    return itertools.cycle(model_files.rows(model, n))


@pytest.fixture(params=NAMES)
def stepper(request):
    model = Model.load(request.param)
    return model, rows_of(model)


def each(benchmark, what, rows, rounds, pause=0.0, before=None):
    """Times ``what(row)`` once a round: ``pause`` seconds, then ``before``, then a row that is new."""

    def setup():
        if pause:
            time.sleep(pause)
        if before is not None:
            before()
        return (next(rows),), {}

    return benchmark.pedantic(what, setup=setup, rounds=rounds, warmup_rounds=20)


def test_step_hot(benchmark, stepper):
    model, rows = stepper
    benchmark.group = "model step, hot"
    assert abs(each(benchmark, model.step, rows, 5000).sum() - 1) < 1e-5


def test_step_paced(benchmark, stepper):
    model, rows = stepper
    benchmark.group = "model step, a tick every 3 ms"
    assert abs(each(benchmark, model.step, rows, 500, PAUSE).sum() - 1) < 1e-5


def test_step_paced_and_rehearsed(benchmark, stepper):
    """What ``rehearse()`` at the end of the pause is worth: compare with the case without."""
    model, rows = stepper
    benchmark.group = "model step, a tick every 3 ms"
    assert abs(each(benchmark, model.step, rows, 500, PAUSE, model.rehearse).sum() - 1) < 1e-5


# --- many instruments -----------------------------------------------------------------------------


@pytest.fixture(params=NAMES)
def wide(request, tmp_path):
    """A shipped model with a free batch dimension."""
    pytest.importorskip("onnx", reason="making a file with a free batch dimension needs onnx, part of [train]")
    return Model.load(model_files.rewritten(request.param, tmp_path / f"{request.param}.onnx", model_files.free))


def tables_of(model, n):
    return itertools.cycle(model_files.rows(model, 97 * n).reshape(97, n, -1))


def per_instrument(benchmark, n):
    if benchmark.enabled:
        benchmark.extra_info["an instrument, us"] = round(benchmark.stats.stats.median * 1e6 / n, 3)


@pytest.mark.parametrize("n", [10, 100])
def test_batch_step(benchmark, wide, n):
    benchmark.group = f"{n} instruments"
    assert each(benchmark, wide.batch(n).step, tables_of(wide, n), 1000).shape == (n, 3)
    per_instrument(benchmark, n)


@pytest.mark.parametrize("n", [10, 100])
def test_batch_step_paced(benchmark, wide, n):
    benchmark.group = f"{n} instruments, a tick every 3 ms"
    assert each(benchmark, wide.batch(n).step, tables_of(wide, n), 200, PAUSE).shape == (n, 3)
    per_instrument(benchmark, n)


@pytest.mark.parametrize("n", [10, 100])
def test_batch_step_of_a_tenth(benchmark, wide, n):
    """Every tenth instrument has ticked."""
    batch, which = wide.batch(n), np.arange(0, n, 10)
    benchmark.group = f"{n} instruments"
    scores = each(benchmark, lambda rows: batch.step(rows, which), tables_of(wide, n), 1000)
    assert len(scores) == n // 10
    per_instrument(benchmark, n // 10)


@pytest.mark.parametrize("n", [10, 100])
def test_models_of_their_own(benchmark, wide, n):
    """The same instruments with a fork each: what the batch saves."""
    alone = [wide.fork() for _ in range(n)]

    def step(rows):
        return [model.step(row) for model, row in zip(alone, rows, strict=True)]

    benchmark.group = f"{n} instruments"
    assert len(each(benchmark, step, tables_of(wide, n), 300)) == n
    per_instrument(benchmark, n)


# --- around a step --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_load_and_verify(benchmark, name):
    benchmark.group = "model load, golden rows included"
    assert benchmark.pedantic(Model.load, args=(name,), rounds=20, warmup_rounds=1).contract.name == name


@pytest.mark.parametrize("what", ["fork", "reset", "rehearse", "snapshot"])
def test_around_a_step(benchmark, stepper, what):
    model, rows = stepper
    model.step(next(rows))
    benchmark.group = "around a step"
    benchmark(getattr(model, what))


def test_restore(benchmark, stepper):
    model, rows = stepper
    model.step(next(rows))
    benchmark.group = "around a step"
    benchmark(model.restore, model.snapshot())
    assert model.steps == 1


@pytest.mark.parametrize("name", NAMES)
def test_warm(benchmark, name):
    """An hour of rows a second."""
    model = Model.load(name)
    table = model_files.rows(model, 3600)
    benchmark.group = "warm up over 3,600 rows"
    assert benchmark.pedantic(model.warm, args=(table,), rounds=5, warmup_rounds=1).ready
