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


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 60), st.integers(1, 59), st.integers(1, 20))
def test_a_longer_recording_changes_no_label(n, cut, horizon):
    rng = np.random.default_rng(n)
    ts, price = clock(n, rng), np.exp(rng.normal(0, 0.01, n).cumsum())
    cut = min(cut, n)
    for found in (
        lambda k: labels.fixed_horizon(ts[:k], price[:k], horizon * SECOND),
        lambda k: labels.smoothed(ts[:k], price[:k], horizon * SECOND, 2 * SECOND),
    ):
        part = found(cut)
        known = np.isfinite(part)
        np.testing.assert_array_equal(part[known], found(n)[:cut][known])


def test_classes_and_thresholds():
    moves = np.array([-3.0, -2, -1, 0, 1, 2, 3, np.nan])
    low, high = labels.thresholds(moves, 1 / 3)
    assert low == pytest.approx(-1) and high == pytest.approx(1)
    assert labels.classify(moves, low, high).tolist() == [0, 0, 1, 1, 1, 2, 2, -1]
    # Mostly unchanged: the thresholds meet at zero and "flat" is "unchanged".
    low, high = labels.thresholds(np.array([0.0] * 8 + [1, -1]), 1 / 3)
    assert labels.classify(np.array([-1, 0, 1.0]), low, high).tolist() == [0, 1, 2]
