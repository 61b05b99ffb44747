"""Labels and weights of rows: held to naive versions, and to the law that more history changes nothing known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcore.kernels import labels

SECOND = 1_000_000_000


def clock(n: int, rng: np.random.Generator) -> np.ndarray:
    return np.cumsum(rng.integers(1, 4, n)) * SECOND


def naive_fixed(ts, price, horizon):
    out = np.full(len(ts), np.nan)
    for i, t in enumerate(ts):
        if ts[-1] >= t + horizon:
            out[i] = np.log(price[ts <= t + horizon][-1] / price[i])
    return out


def naive_smoothed(ts, price, horizon, window):
    out = np.full(len(ts), np.nan)
    for i, t in enumerate(ts):
        inside = price[(ts > t + horizon - window) & (ts <= t + horizon)]
        if ts[-1] >= t + horizon and len(inside):
            out[i] = np.log(inside.mean() / price[i])
    return out


@pytest.mark.parametrize("n", [1, 2, 50])
@pytest.mark.parametrize("horizon", [1, 5, 200])
def test_labels_are_the_naive_ones(n, horizon):
    rng = np.random.default_rng(n)
    ts, price = clock(n, rng), np.exp(rng.normal(0, 0.01, n).cumsum())
    span = horizon * SECOND
    np.testing.assert_allclose(labels.fixed_horizon(ts, price, span), naive_fixed(ts, price, span), atol=1e-15)
    for window in (SECOND, 3 * SECOND):
        np.testing.assert_allclose(
            labels.smoothed(ts, price, span, window), naive_smoothed(ts, price, span, window), atol=1e-14
        )


def naive_means(price, horizon, ahead, behind):
    out = np.full(len(price), np.nan)
    for i in range(len(price)):
        future, past = price[i + 1 : i + horizon + 1], price[: i + 1]
        if len(future) == horizon and len(past) >= behind:
            out[i] = np.log(future[-ahead:].mean() / past[-behind:].mean())
    return out


@pytest.mark.parametrize("n", [1, 2, 50])
@pytest.mark.parametrize("horizon", [1, 5, 60])
def test_labels_in_rows_are_the_naive_ones(n, horizon):
    price = np.exp(np.random.default_rng(n).normal(0, 0.01, n).cumsum())

    def same(found, ahead, behind):
        np.testing.assert_allclose(found, naive_means(price, horizon, ahead, behind), atol=1e-14)

    same(labels.fixed_rows(price, horizon), 1, 1)
    same(labels.smoothed_rows(price, horizon), horizon, 1)
    same(labels.leaky_smoothed_rows(price, horizon), horizon, horizon)
    half = (horizon + 1) // 2
    same(labels.smoothed_rows(price, horizon, half), half, 1)
    same(labels.leaky_smoothed_rows(price, horizon, half), half, half)


def test_rows_and_nanoseconds_agree_on_an_even_clock():
    price = np.exp(np.random.default_rng(0).normal(0, 0.01, 80).cumsum())
    ts = np.arange(80) * SECOND
    np.testing.assert_allclose(labels.fixed_rows(price, 7), labels.fixed_horizon(ts, price, 7 * SECOND), atol=1e-15)
    by_time = labels.smoothed(ts, price, 7 * SECOND, 3 * SECOND)
    np.testing.assert_allclose(labels.smoothed_rows(price, 7, 3), by_time, atol=1e-15)


def test_unknown_prices_make_unknown_labels():
    price = np.ones(30)
    price[12] = np.nan
    for found, near in (
        (labels.fixed_rows(price, 5), {7, 12}),
        (labels.smoothed_rows(price, 5, 3), {7, 8, 9, 12}),
        (labels.leaky_smoothed_rows(price, 5, 3), {7, 8, 9, 12, 13, 14} | {0, 1}),
    ):
        assert set(np.flatnonzero(np.isnan(found))) == near | {25, 26, 27, 28, 29}
    for horizon, window in ((0, 0), (5, 6), (-1, 0)):
        with pytest.raises(ValueError, match="mean"):
            labels.smoothed_rows(price, horizon, window)


def test_a_trailing_mean_leaks_on_a_random_walk():
    """Why the leaky rule is called so: the part of it that lies in the past says much of it, and nothing of ours."""
    walk = np.random.default_rng(1).normal(0, 1e-4, 20000).cumsum()
    price = np.exp(walk)
    seen = walk - np.convolve(walk, np.ones(20) / 20)[: len(walk)]  # now minus the trailing mean: in every input

    def hit(move):
        truth = labels.classify(move, *labels.thresholds(move))
        guess = labels.classify(seen, *labels.thresholds(seen[20:]))
        known = (truth >= 0) & (np.arange(len(walk)) >= 20)
        return (guess == truth)[known].mean()

    assert hit(labels.leaky_smoothed_rows(price, 20)) > 0.42
    assert abs(hit(labels.smoothed_rows(price, 20)) - 1 / 3) < 0.02


def naive_barriers(ts, price, horizon, upper, lower, unit, side):
    """(label, row, move) of each row, one at a time."""
    out = []
    for i in range(len(ts)):
        found = (-1, -1, np.nan)
        if side[i] and np.isfinite(price[i]) and np.isfinite(unit[i]):
            inside = [j for j in range(i + 1, len(ts)) if ts[j] <= ts[i] + horizon]
            move = {j: side[i] * np.log(price[j] / price[i]) for j in inside}
            hits = [j for j in inside if move[j] >= upper * unit[i] or move[j] <= -lower * unit[i]]
            if hits:
                found = (2 if move[hits[0]] > 0 else 0, hits[0], move[hits[0]])
            elif ts[-1] >= ts[i] + horizon:
                end = move[inside[-1]] if inside else 0.0
                if np.isfinite(end):
                    found = (1, inside[-1] if inside else i, end)
        out.append(found)
    return tuple(np.array(column) for column in zip(*out, strict=True))


@pytest.mark.parametrize("in_rows", [False, True])
@pytest.mark.parametrize(("upper", "lower"), [(1.0, 1.0), (2.0, 0.5), (np.inf, 1.0), (np.inf, np.inf)])
def test_barriers_are_the_naive_ones(upper, lower, in_rows):
    rng = np.random.default_rng(4)
    n = 150
    ts, price = clock(n, rng), np.exp(rng.normal(0, 0.01, n).cumsum())
    price[[20, 60, 61]] = np.nan
    unit, side = rng.uniform(0.005, 0.03, n), rng.integers(-1, 2, n)
    unit[5] = np.nan
    horizon = 8 if in_rows else 15 * SECOND
    found = labels.triple_barrier(ts, price, horizon, upper, lower, unit, side, in_rows)
    label, row, move = naive_barriers(np.arange(n) if in_rows else ts, price, horizon, upper, lower, unit, side)
    np.testing.assert_array_equal(found.label, label)
    np.testing.assert_array_equal(found.last, row)
    np.testing.assert_allclose(found.move, move, atol=1e-15)
    assert {0, 1, 2} >= set(label[label >= 0]) and (label == 1).any() and (label < 0).any()
    over = (label == 1) & (not in_rows)
    np.testing.assert_array_equal(found.time, np.where(row < 0, -1, np.where(over, ts + horizon, ts[row])))
    np.testing.assert_array_equal(found.meta, [-1 if np.isnan(m) else int(m > 0) for m in move])
    for wrong in ((0, 1, 1), (5, 0, 1), (5, 1, -1)):
        with pytest.raises(ValueError, match="positive"):
            labels.triple_barrier(ts, price, *wrong)


def test_fixed_barriers_by_hand():
    price = np.array([100, 101, 103, 99, 100, 100, 100, 100.0])
    ts = np.arange(8) * SECOND
    found = labels.triple_barrier(ts, price, 3, 0.025, 0.005, in_rows=True)
    assert found.label.tolist() == [2, 0, 0, 1, 1, -1, -1, -1]  # of row 1: 101 to 103 is a gain of 0.0196
    assert found.last.tolist() == [2, 3, 3, 6, 7, -1, -1, -1]
    short = labels.triple_barrier(ts, price, 3, 0.025, 0.005, side=np.full(8, -1), in_rows=True)
    assert short.label.tolist() == [0, 0, 2, 0, 1, -1, -1, -1]
    assert short.meta.tolist() == [0, 0, 1, 0, 0, -1, -1, -1]


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 60), st.integers(1, 59), st.integers(1, 20))
def test_a_longer_recording_changes_no_label(n, cut, horizon):
    rng = np.random.default_rng(n)
    ts, price = clock(n, rng), np.exp(rng.normal(0, 0.01, n).cumsum())
    unit = rng.uniform(0.001, 0.02, n)
    cut = min(cut, n)
    window = min(horizon, 3)

    def barriers(k, rows):
        reach = horizon if rows else horizon * SECOND
        found = labels.triple_barrier(ts[:k], price[:k], reach, 1.0, 1.5, unit[:k], in_rows=rows)
        known = found.label >= 0
        return np.where(known, np.stack([found.label, found.last, found.time, found.move]), np.nan)

    for found in (
        lambda k: labels.fixed_horizon(ts[:k], price[:k], horizon * SECOND),
        lambda k: labels.smoothed(ts[:k], price[:k], horizon * SECOND, 2 * SECOND),
        lambda k: labels.fixed_rows(price[:k], horizon),
        lambda k: labels.smoothed_rows(price[:k], horizon, window),
        lambda k: labels.leaky_smoothed_rows(price[:k], horizon, window),
        lambda k: barriers(k, False),
        lambda k: barriers(k, True),
    ):
        part, whole = found(cut), found(n)
        known = np.isfinite(part)
        np.testing.assert_array_equal(part[known], whole[..., :cut][known])


def test_classes_and_thresholds():
    moves = np.array([-3.0, -2, -1, 0, 1, 2, 3, np.nan])
    low, high = labels.thresholds(moves, 1 / 3)
    assert low == pytest.approx(-1) and high == pytest.approx(1)
    assert labels.classify(moves, low, high).tolist() == [0, 0, 1, 1, 1, 2, 2, -1]
    # Mostly unchanged: the thresholds meet at zero and "flat" is "unchanged".
    low, high = labels.thresholds(np.array([0.0] * 8 + [1, -1]), 1 / 3)
    assert labels.classify(np.array([-1, 0, 1.0]), low, high).tolist() == [0, 1, 2]


def test_half_the_mean_size():
    assert labels.half_mean_thresholds(np.array([-3.0, 1, np.nan, 2])) == (-1, 1)


# --- weights --------------------------------------------------------------------------------------


@pytest.fixture
def spans():
    """Prices and the last row of each one's label: of all lengths, some unknown, some empty."""
    rng = np.random.default_rng(2)
    n = 120
    last = np.minimum(np.arange(n) + rng.integers(0, 12, n), n - 1)
    last[rng.random(n) < 0.2] = -1
    return np.exp(rng.normal(0, 0.01, n).cumsum()), last


def naive_count(last):
    return np.array([sum(i < t <= last[i] for i in range(len(last))) for t in range(len(last))])


def test_weights_are_the_naive_ones(spans):
    price, last = spans
    count = naive_count(last)
    np.testing.assert_array_equal(labels.concurrency(last), count)
    move = np.diff(np.log(price), prepend=np.nan)
    unique, moved = np.zeros(len(last)), np.zeros(len(last))
    for i, end in enumerate(last):
        if end > i:
            unique[i] = np.mean([1 / count[t] for t in range(i + 1, end + 1)])
            moved[i] = abs(sum(move[t] / count[t] for t in range(i + 1, end + 1)))
    np.testing.assert_allclose(labels.uniqueness(last), unique, atol=1e-15)
    moved *= (last > np.arange(len(last))).sum() / moved.sum()
    np.testing.assert_allclose(labels.return_attribution(price, last), moved, rtol=1e-9)


def test_labels_that_share_nothing_are_unique():
    n = 40
    following = np.minimum(np.arange(n) + 1, n - 1)
    assert (labels.uniqueness(following)[:-1] == 1).all()  # adjacent bars, horizon of one
    fifth = np.where(np.arange(n) + 5 < n, np.arange(n) + 5, -1)
    np.testing.assert_allclose(labels.uniqueness(fifth)[5:-10], 1 / 5)
    alone = np.full(n, -1)
    alone[[3, 20]] = [10, 30]
    assert set(labels.uniqueness(alone)) == {0, 1}
    assert not labels.return_attribution(np.ones(n), fifth).any()
    broken = np.ones(n)
    broken[7] = np.nan
    assert np.isfinite(labels.return_attribution(broken, fifth)).all()


def test_last_rows_are_where_a_horizon_ends():
    ts = clock(50, np.random.default_rng(0))
    found = labels.last_rows(ts, 7 * SECOND)
    expected = [-1 if t + 7 * SECOND > ts[-1] else int(np.flatnonzero(ts <= t + 7 * SECOND)[-1]) for t in ts]
    assert found.tolist() == expected and -1 in expected
    assert labels.last_rows(ts[:0], 5).tolist() == []


def test_decay_is_linear_in_what_is_unique():
    unique = np.array([1.0, 1, 0, 1, 1])
    np.testing.assert_allclose(labels.time_decay(unique, 0.5), [0.625, 0.75, 0.75, 0.875, 1])
    np.testing.assert_allclose(labels.time_decay(unique, 1.0), 1)
    np.testing.assert_allclose(labels.time_decay(unique, -0.5), [0, 0, 0, 0.5, 1])
    assert labels.time_decay(np.zeros(3)).tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="oldest"):
        labels.time_decay(unique, -1)
