"""Scaling: columns as ordinary numbers, by rank, deviation or group, as knots and in the graph; running means."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from smartcore.learn.data import Series
from smartcore.learn.scaling import Group, normal_scores, scale

NAMES = ("spread", "size_1", "size_2", "size_3", "flow", "never", "still")


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    x = np.empty((3000, 7), np.float32)
    x[:, 0] = rng.integers(1, 4, 3000)
    for j in (1, 2, 3):
        x[:, j] = 10**j * rng.lognormal(0, 1, 3000)
    x[:, 4] = rng.standard_t(3, 3000) + 2
    x[:, 5], x[:, 6] = np.nan, 3
    x[rng.random(x.shape) < 0.1] = np.nan
    x[5, 4] = np.inf
    return x


def series(x):
    half = len(x) // 2
    return [Series(np.arange(len(p)), p, np.ones(len(p)), np.ones((len(p), 1), np.int8)) for p in (x[:half], x[half:])]


def score(knots, x):
    """What the knots make of rows: unknown ones the middle."""
    out = np.stack([np.interp(x[:, j], *knots[:, j]) for j in range(x.shape[1])], axis=1)
    return np.where(np.isfinite(x), out, 0)


def test_normal_scores_ignore_the_unknown_and_the_outlier():
    x = np.random.default_rng(0).normal(3, 2, (5000, 4)).astype(np.float32)
    x[::2, 0], x[:, 1], x[:, 2], x[:, 3] = np.nan, np.nan, 4, np.arange(5000) % 3
    x[7, 0] = 1e9
    value, said = normal_scores(series(x))
    assert np.abs(said[0] - (value[0] - 3) / 2).max() < 0.3  # a normal column: its own deviations
    assert not value[1].any() and not said[1].any()  # never known
    assert (value[2] == 4).all() and np.abs(said[2]).max() < 1e-9  # never moves
    assert set(value[3]) == {0, 1, 2}  # few values: the middle one in the middle
    assert said[3][value[3] == 1] == pytest.approx(0, abs=0.05)


def test_each_kind_is_its_formula(rows):
    known = rows[np.isfinite(rows[:, 4]), 4].astype(np.float64)
    one = score(scale(series(rows), NAMES, [Group(("flow",), "standard")], clip=4), rows)[:, 4]
    filled = np.where(np.isfinite(rows[:, 4]), rows[:, 4], known.mean())
    expected = np.clip((filled - known.mean()) / known.std(), -4, 4)
    np.testing.assert_allclose(one, expected, atol=1e-6)
    assert np.abs(one).max() == 4
    low, middle, high = np.quantile(known, (0.25, 0.5, 0.75))
    one = score(scale(series(rows), NAMES, [Group(("fl*",), "robust")]), rows)[:, 4]
    unit = (high - low) / 1.349
    np.testing.assert_allclose(one[:5], np.nan_to_num((rows[:5, 4] - middle) / unit), atol=1e-6)
    every = scale(series(rows), NAMES)
    np.testing.assert_array_equal(every, normal_scores(series(rows)))
    assert np.isfinite(every).all()
    for how in ("standard", "robust"):
        knots = scale(series(rows), NAMES, how=how)
        assert knots.shape == (2, 7, 16) and (np.diff(knots[0]) >= 0).all()
        assert not knots[1, 5:].any()  # never known; never moves


def test_a_pooled_group_keeps_what_is_larger_larger(rows):
    knots = scale(series(rows), NAMES, [Group(("size_*",), "pooled")])
    np.testing.assert_array_equal(knots[:, 1], knots[:, 3])
    said = score(knots, rows)
    assert said[:, 1].mean() < -0.5 < 0.5 < said[:, 3].mean()
    apart = score(scale(series(rows), NAMES), rows)
    assert abs(apart[:, 1].mean()) < 0.05
    pool = rows[:, 1:4][np.isfinite(rows[:, 1:4])]
    share = [NormalDist().cdf(z) for z in knots[1, 1]]
    np.testing.assert_allclose(knots[0, 1], np.quantile(pool.astype(np.float64), share))
    np.testing.assert_array_equal(knots[:, [0, 4, 5, 6]], normal_scores(series(rows))[:, [0, 4, 5, 6]])


def test_more_than_half_the_same_value_has_a_deviation_still(rows):
    rows[:2000, 4] = 7
    knots = scale(series(rows), NAMES, [Group(("flow",), "robust")])
    assert np.interp(7, *knots[:, 4]) == pytest.approx(0, abs=1e-9) and np.interp(100, *knots[:, 4]) == 5


def test_refusals(rows):
    s = series(rows)
    for match, call in (
        ("no column 'depth", lambda: scale(s, NAMES, [Group(("depth*",))])),
        ("two groups", lambda: scale(s, NAMES, [Group(("size_*",)), Group(("size_2",))])),
        ("kind is one of", lambda: scale(s, NAMES, [Group(("flow",), "ranks")])),
        ("groups only", lambda: scale(s, NAMES, how="pooled")),
        ("3 names for 7", lambda: scale(s, NAMES[:3])),
    ):
        with pytest.raises(ValueError, match=match):
            call()


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="the graph is torch's, part of [test]")


def test_the_graph_scales_as_the_knots_say(torch, rows):
    from smartcore.learn.nets.base import Inputs

    groups = [Group(("size_*",), "pooled"), Group(("flow",), "robust"), Group(("spread",), "standard")]
    knots = scale(series(rows), NAMES, groups)
    said = Inputs(knots).normalise(torch.from_numpy(rows)).numpy()
    np.testing.assert_allclose(said, score(knots, rows), atol=2e-5)


def test_time_frames_are_running_means(torch, rows):
    from smartcore.learn.nets.base import Inputs

    frames = (2, 10, 200)
    inputs = Inputs(scale(series(rows), NAMES), frames)
    x = torch.from_numpy(rows[:300])
    scaled = inputs.normalise(x).numpy().astype(np.float64)
    expected, mean = [], np.zeros((3, 7))
    keep = 1 - 2 / (np.array(frames)[:, None] + 1)
    for row in scaled:
        mean = mean * keep + row * (1 - keep)
        expected.append(np.concatenate([row, mean.ravel()]))
    expected = np.array(expected)
    assert inputs.width == 28
    whole, last = inputs(x[None])
    np.testing.assert_allclose(whole[0].numpy(), expected, atol=2e-6)
    parts, means = [], None
    for part in x.split([1, 99, 120, 80]):  # carried from one stretch to the next
        said, means = inputs(part[None], means)
        parts.append(said[0])
    np.testing.assert_allclose(torch.cat(parts).numpy(), expected, atol=2e-6)
    torch.testing.assert_close(means, last, atol=2e-6, rtol=0)
    (state,) = inputs.states
    means, live = torch.zeros(state.shape), []
    for row in x:
        said, (means,) = inputs.step(row[None], means)
        live.append(said[0])
    np.testing.assert_allclose(torch.stack(live).numpy(), expected, atol=2e-6)


def test_a_net_is_built_with_its_groups_and_kept_with_them(torch, rows, tmp_path):
    from smartcore.learn import estimator

    s = series(rows)
    for one in s:
        one.label[:] = np.where(np.nan_to_num(one.rows[:, [1]]) > 10, 2, 0)
    groups = [Group(("size_*",), "pooled"), Group(("flow",), "standard")]
    net = estimator.build("gru", NAMES, scaling=groups, rounds=1, updates=2, batch=4, length=40, hidden=4, encoder=4)
    net.fit(s, s, seed=1)
    low = net.net.inputs.low
    assert torch.equal(low[1], low[3]) and not torch.equal(low[1], low[4])
    np.testing.assert_allclose(low, scale(s, NAMES, groups)[0, :, :-1], rtol=1e-6)
    net.save(tmp_path / "net.pt")
    again = estimator.load(tmp_path / "net.pt")
    assert again.scaling == tuple(groups)
    np.testing.assert_array_equal(again.logits(s), net.logits(s))
