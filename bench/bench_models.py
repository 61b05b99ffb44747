"""Latency of the shipped models: back to back, and paced as a bot feels it, over rows that change.

    pytest bench/bench_models.py --benchmark-enable

Repeating one row flatters trees threefold (the branch predictor learns it) and steps without a pause flatter
every small graph (its weights stay in the cache), so both are avoided: rows rotate, and the paced case sleeps
3 ms between ticks.
"""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

from smartcore.models import Model

NAMES = ["gru", "gbdt"]


@pytest.fixture(params=NAMES)
def stepper(request):
    """(model, endless changing rows of its columns, a twentieth of the values unknown)."""
    model = Model.load(request.param)
    rng = np.random.default_rng(0)
    golden = np.nan_to_num(model.contract.golden.rows.astype(float))
    table = golden[rng.integers(len(golden), size=997)] * rng.lognormal(0, 0.5, (997, model.contract.width))
    table[rng.random(table.shape) < 0.05] = np.nan
    return model, itertools.cycle(table)


def test_step_hot(benchmark, stepper):
    model, rows = stepper
    benchmark.group = "model step, hot"
    scores = benchmark.pedantic(model.step, setup=lambda: ((next(rows),), {}), rounds=5000, warmup_rounds=100)
    assert abs(scores.sum() - 1) < 1e-5


def test_step_paced(benchmark, stepper):
    model, rows = stepper

    def wait():
        time.sleep(0.003)
        return (next(rows),), {}

    benchmark.group = "model step, a tick every 3 ms"
    scores = benchmark.pedantic(model.step, setup=wait, rounds=500, warmup_rounds=20)
    assert abs(scores.sum() - 1) < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_load_and_verify(benchmark, name):
    benchmark.group = "model load, golden rows included"
    assert benchmark.pedantic(Model.load, args=(name,), rounds=20, warmup_rounds=1).contract.name == name
