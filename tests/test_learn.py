"""Scaling, the market of the shipped models, and the recipes that make them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from smartcore.kernels import labels

ROOT = Path(__file__).resolve().parent.parent
SECOND = 1_000_000_000


# --- data -----------------------------------------------------------------------------------------


def series(n: int, k: int = 4, seed: int = 0):
    """Rows of which the label is a noisy, remembered function; a tenth of the values unknown."""
    from smartcore.learn.data import Series

    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, k)).astype(np.float32)
    signal = np.convolve(x[:, 0], [1, 1, 1])[:n] + 0.3 * rng.normal(size=n)
    label = labels.classify(signal, -0.7, 0.7)
    label[-5:] = -1
    x[rng.random(x.shape) < 0.1] = np.nan
    return Series(np.arange(n) * SECOND, x, np.ones(n), label[:, None])


# --- nets -----------------------------------------------------------------------------------------


@pytest.fixture
def torch():
    found = pytest.importorskip("torch", reason="nets are trained and exported by torch, part of [test]")
    found.set_num_threads(1)
    return found


@pytest.fixture
def net(torch):
    from smartcore.learn.nets import build

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    return build("gru", np.sort(rng.normal(size=(2, 5, 6)), axis=2), encoder=7, hidden=8).eval()


def test_step_is_the_fused_sequence(torch, net):
    rows = torch.from_numpy(series(200, 5).rows).unsqueeze(0)
    states = net.start()
    with torch.no_grad():
        _, memory = net.sequence(rows[:, :120])
        whole, _ = net.sequence(rows)
        later, _ = net.sequence(rows[:, 120:], memory)
        torch.testing.assert_close(later, whole[:, 120:], atol=1e-6, rtol=0)
        for t in range(200):
            logits, *states = net(rows[:, t], *states)
            torch.testing.assert_close(logits, whole[:, t], atol=1e-6, rtol=0)


def test_columns_become_normal_scores_and_the_unknown_the_median(torch):
    from smartcore.learn.data import normal_scores
    from smartcore.learn.nets.base import Inputs

    s = series(4000)
    knots = normal_scores([s])
    net = Inputs(knots)
    row = np.vstack([s.rows[:50], np.full((1, 4), 1e9), np.full((1, 4), -1e9)]).astype(np.float32)
    row[3, 1] = np.inf
    known = np.isfinite(row)
    expected = np.stack([np.interp(np.nan_to_num(row[:, j]), *knots[:, j]) for j in range(4)], axis=1)
    z = net.normalise(torch.from_numpy(row)).numpy()
    np.testing.assert_allclose(z[known], expected[known], atol=1e-5)
    assert not z[~known].any() and np.abs(z).max() < 3


def test_knots_that_nearly_touch_make_no_nan(torch):
    from smartcore.learn.nets.base import Inputs

    value, score = np.array([[0.0, 1e-40, 1.0, 1.0 + 1e-12, 2.0]]), np.array([[-2.0, -1.0, 0.0, 1.0, 2.0]])
    rows = torch.tensor([[0.0], [1e-40], [0.5], [1.0], [2.0], [-3e38], [3e38]])
    z = Inputs(np.stack([value, score])).normalise(rows).flatten()
    assert torch.isfinite(z).all() and (z.diff()[:4] >= 0).all() and z[-2] == -2 and z[-1] == 2


# --- the recipes ----------------------------------------------------------------------------------


def test_a_random_walk_has_no_memory():
    from smartcore.learn.simulated import random_walk
    from smartcore.market.events import DEPTH, Flag, Kind

    events, mid = random_walk(200, 3)
    assert np.all(np.diff(events["ts"]) >= 0)
    steps = np.diff(mid[events["flags"] & Flag.LAST > 0])
    assert abs(np.corrcoef(steps[1:], steps[:-1])[0, 1]) < 3 / np.sqrt(len(steps))
    book = events[events["kind"] == Kind.DEPTH].view(DEPTH)
    assert book["price"][book["side"] > 0].max() < book["price"][book["side"] < 0].min() + 3


def test_a_mirrored_market_has_the_mirrored_columns():
    """The table of what turns and what swaps, held to an engine that sees bids for asks and a price of 1/p."""
    from smartcore.learn import simulated
    from smartcore.learn.data import sample
    from smartcore.market.events import DEPTH
    from smartcore.market.simulator import simulate

    market = simulate(400, 5, "mixed")
    other = market.events.copy()
    other["side"] *= -1
    other.view(DEPTH)["price"] = 200 - other.view(DEPTH)["price"]  # around 100: 1/p but for the second order
    plain = sample(market.events, market.mid, simulated.COLUMNS, "1s", "1s")
    seen = sample(other, 200 - market.mid, simulated.COLUMNS, "1s", "1s")
    expected = simulated.mirror([plain])[0].rows
    for j, name in enumerate(simulated.COLUMNS):
        known = np.isfinite(expected[:, j])
        np.testing.assert_array_equal(np.isfinite(seen.rows[:, j]), known)
        scale = np.abs(expected[known, j]).max()
        assert np.abs(seen.rows[known, j] - expected[known, j]).max() < 0.02 * scale + 1e-9, name


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gru", "gbdt"])
def test_recipe_runs_from_simulation_to_checked_file(name, tmp_path):
    pytest.importorskip("torch", reason="recipes need [train]")
    pytest.importorskip("lightgbm", reason="recipes need [train]")
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, ROOT / "export" / f"{name}.py", "--quick"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
    assert "not a strategy" in (tmp_path / "out" / f"{name}.md").read_text()
    from smartcore.models import Model

    assert Model.load(tmp_path / "out" / f"{name}.onnx").contract.kind == {"gru": "gru", "gbdt": "lightgbm"}[name]
