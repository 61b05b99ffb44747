"""Several instruments: against closed forms, scipy's optimiser, skfolio and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

import smartcore as sc
from smartcore.decide.portfolio import correlated_exposure, kelly, shrunk_covariance


def market(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Means and covariance of n instruments with a common factor."""
    rng = np.random.default_rng(seed)
    beta, own = rng.normal(1, 0.5, n), rng.uniform(0.005, 0.02, n)
    return rng.normal(0, 2e-4, n), np.outer(beta, beta) * 1e-4 + np.diag(own**2)


def test_one_instrument_is_thorps():
    """Thorp 2006, eq. 7.3: mean over variance. His S&P example: m = 0.11, r = 0.06, s = 0.15 gives f = 2.22."""
    p = kelly([0.05], [[0.15**2]], fraction=1, max_leverage=10)
    assert p.weights[0] == pytest.approx(2.2222, abs=1e-4)
    assert p.growth == pytest.approx(0.05**2 / (2 * 0.15**2))
    assert kelly([0.05], [[0.15**2]], fraction=0.5, max_leverage=10).weights[0] == pytest.approx(1.1111, abs=1e-4)


@pytest.mark.parametrize("fraction", [0.25, 1.0])
def test_without_limits_it_is_the_inverse_covariance_times_the_means(fraction):
    mu, a = market(8, 1)
    p = kelly(mu, a, fraction=fraction, max_leverage=1e9)
    np.testing.assert_allclose(p.weights, fraction * np.linalg.solve(a, mu), rtol=1e-8)
    assert p.price == 0


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("long_only", [False, True])
def test_within_limits_it_is_scipys_optimum(seed, long_only):
    n, leverage, most, fraction = 5, 1.2, 0.5, 0.5
    mu, a = market(n, seed)
    p = kelly(mu, a, fraction=fraction, max_leverage=leverage, max_weight=most, long_only=long_only)

    def loss(split):  # weights are the difference of two rows of numbers that are not negative
        w = split[:n] - split[n:]
        return 1e4 * (w @ a @ w / (2 * fraction) - mu @ w)

    short = 0.0 if long_only else most
    found = minimize(
        loss, np.zeros(2 * n), method="SLSQP", bounds=[(0, most)] * n + [(0, short)] * n, tol=1e-14,
        constraints={"type": "ineq", "fun": lambda split: leverage - split.sum()}, options={"maxiter": 1000},
    )  # fmt: skip
    w = np.array(p.weights)
    assert p.gross <= leverage * (1 + 1e-12) and (np.abs(w) <= most * (1 + 1e-12)).all()
    assert not long_only or (w >= 0).all()
    assert loss(np.concatenate([np.maximum(w, 0), np.maximum(-w, 0)])) <= found.fun + 1e-9
    np.testing.assert_allclose(w, found.x[:n] - found.x[n:], atol=2e-4)


def test_it_is_skfolios_utility():
    skfolio = pytest.importorskip("skfolio.optimization")
    rng = np.random.default_rng(3)
    x = rng.multivariate_normal(np.full(4, 3e-4), market(4, 3)[1], 1500)
    model = skfolio.MeanRisk(
        objective_function=skfolio.ObjectiveFunction.MAXIMIZE_UTILITY, risk_aversion=0.5, min_weights=0.0,
        max_weights=0.6, budget=None, max_budget=1.0, solver="CLARABEL",
    ).fit(x)  # fmt: skip
    p = kelly(x.mean(0), np.cov(x.T), fraction=1, max_leverage=1.0, max_weight=0.6, long_only=True)
    np.testing.assert_allclose(p.weights, model.weights_, atol=1e-4)


def test_the_price_is_what_more_leverage_adds():
    mu, a = market(6, 4)
    low, high = (kelly(mu, a, fraction=1, max_leverage=limit) for limit in (1.0, 1.0001))
    assert low.price > 0 and (high.growth - low.growth) / 1e-4 == pytest.approx(low.price, rel=1e-3)


def test_growth_is_that_of_a_simulated_account():
    mu, a = market(3, 5)
    p = kelly(mu, a, fraction=0.5, max_leverage=2)
    x = np.random.default_rng(6).multivariate_normal(mu, a, 2_000_000)
    assert np.log1p(x @ np.array(p.weights)).mean() == pytest.approx(p.growth, abs=4e-5)
    assert (x @ np.array(p.weights)).std() == pytest.approx(p.deviation, rel=0.01)


def test_twins_share_and_a_hedge_frees():
    """Two that are nearly one are held as one; a long and a short that move together are no bet on the market."""
    both = kelly([1e-3, 1e-3], [[1e-4, 0.99e-4], [0.99e-4, 1e-4]], fraction=1, max_leverage=100)
    alone = kelly([1e-3], [[1e-4]], fraction=1, max_leverage=100)
    assert both.weights[0] == pytest.approx(both.weights[1]) and both.gross == pytest.approx(alone.gross, rel=0.01)
    hedge = kelly([1e-3, -1e-3], [[1e-4, 0.9e-4], [0.9e-4, 1e-4]], fraction=1, max_leverage=1e3)
    assert hedge.net == pytest.approx(0, abs=1e-9) and hedge.gross > 5 * alone.gross


@given(st.integers(1, 6), st.integers(0, 1000), st.floats(0.05, 1), st.floats(0.05, 3), st.booleans())
def test_a_limit_never_raises_growth_and_doubt_never_raises_the_stake(n, seed, fraction, leverage, long_only):
    mu, a = market(n, seed)

    def worth(p):  # what is maximised
        return float(mu @ p.weights) - p.deviation**2 / (2 * fraction)

    free = kelly(mu, a, fraction=fraction, max_leverage=1e9, long_only=long_only)
    bound = kelly(mu, a, fraction=fraction, max_leverage=leverage, long_only=long_only)
    assert worth(bound) <= worth(free) + 1e-15
    assert bound.gross <= leverage * (1 + 1e-9)
    one, doubted = (kelly(mu[:1], a[:1, :1], errors=e, max_leverage=1e9) for e in (None, [abs(mu[0])]))
    assert doubted.weights[0] == pytest.approx(one.weights[0] / 2)


def test_the_shrunk_covariance_is_scikit_learns():
    covariance = pytest.importorskip("sklearn.covariance")
    rng = np.random.default_rng(7)
    x = rng.multivariate_normal(np.zeros(10), market(10, 7)[1], 60)
    scale = x.std(axis=0)
    expected, share = covariance.ledoit_wolf((x - x.mean(0)) / scale)
    ours, told = shrunk_covariance(x)
    assert told == pytest.approx(share, rel=1e-9)
    np.testing.assert_allclose(ours, expected * np.outer(scale, scale) * 60 / 59, rtol=1e-9)
    np.testing.assert_allclose(ours.diagonal(), x.var(axis=0, ddof=1))
    few, _ = shrunk_covariance(x[:5])  # fewer rows than columns: still a covariance one can invert
    assert np.linalg.eigvalsh(few).min() > 0 and len(kelly(np.full(10, 1e-4), few).weights) == 10


def test_exposure_counts_what_moves_along():
    rho = np.array([[1, 0.8, -0.5, 0.1], [0.8, 1, 0, 0], [-0.5, 0, 1, 0], [0.1, 0, 0, 1]])
    held = [0.5, 0.2, 0.3, 1.0]
    assert correlated_exposure(held, rho, 0) == pytest.approx(0.8 * 0.2 - 0.5 * 0.3)  # its own and the noise are out
    assert correlated_exposure(held, rho, 0, least=0) == pytest.approx(0.8 * 0.2 - 0.5 * 0.3 + 0.1)
    beta = correlated_exposure(held, rho, 0, volatility=[0.01, 0.02, 0.01, 0.01])
    assert beta == pytest.approx(0.8 * 2 * 0.2 - 0.5 * 0.3)
    assert correlated_exposure([1.0], [[1.0]], 0) == 0


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: kelly([], []), "means"),
        (lambda: kelly([math.nan], [[1]]), "means"),
        (lambda: kelly([1, 2], [[1]]), "covariance: \\(1, 1\\)"),
        (lambda: kelly([1, 1], [[1, 0.5], [0.4, 1]]), "not symmetric"),
        (lambda: kelly([1, 1], [[1, 1], [1, 1]]), "not positive definite"),
        (lambda: kelly([1], [[0]]), "not positive definite"),
        (lambda: kelly([1], [[1]], fraction=1.5), "fraction: 1.5"),
        (lambda: kelly([1], [[1]], max_leverage=-1), "max_leverage: -1"),
        (lambda: kelly([1], [[1]], max_weight=math.nan), "max_weight: nan"),
        (lambda: kelly([1], [[1]], errors=[-1]), "errors"),
        (lambda: shrunk_covariance(np.ones((5, 2))), "column 0 does not move"),
        (lambda: shrunk_covariance(np.ones(5)), "returns: \\(5,\\)"),
        (lambda: correlated_exposure([1], [[2]], 0), "correlation"),
        (lambda: correlated_exposure([1], [[1]], 1), "of: 1"),
        (lambda: correlated_exposure([1], [[1]], 0, least=2), "least: 2"),
        (lambda: correlated_exposure([1], [[1]], 0, volatility=[0]), "volatility"),
    ],
)
def test_what_cannot_be_is_refused(call, text):
    with pytest.raises(sc.errors.InvalidData, match=text):
        call()
