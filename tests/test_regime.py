"""Fitting the hidden Markov model: what was planted is found, EM never goes down, and the filter is the kernel's."""

from __future__ import annotations

import numpy as np
import pytest
import streams
from reference.bars import log_returns
from reference.regimes import forward
from reference.regimes import standardised as standardised_bars

import smartcore as sc
from smartcore.learn.regime import HmmParameters, filtered, fit_hmm, in_the_long_run, log_densities, standardised

PLANTED = HmmParameters(
    np.array([0.05, 0.0, -0.1]),
    np.array([0.4, 1.0, 2.5]),
    np.array([8.0, 5.0, 4.0]),
    np.array([[0.98, 0.015, 0.005], [0.01, 0.98, 0.01], [0.0, 0.04, 0.96]]),
)


def drawn(n: int, p: HmmParameters = PLANTED, seed: int = 0):
    rng = np.random.default_rng(seed)
    steps = p.transitions.cumsum(axis=1)
    u, state, states = rng.random(n), 0, np.empty(n, int)
    for t in range(n):
        state = states[t] = min(int(np.searchsorted(steps[state], u[t])), len(steps) - 1)
    return p.means[states] + p.scales[states] * rng.standard_t(p.dofs[states]), states


@pytest.fixture(scope="module")
def fit():
    history: list[float] = []
    return fit_hmm(drawn(20_000)[0], history=history), history


def test_planted_parameters_are_found(fit):
    p, _ = fit
    np.testing.assert_allclose(p.means, PLANTED.means, atol=0.1)
    np.testing.assert_allclose(p.scales, PLANTED.scales, rtol=0.08)
    np.testing.assert_allclose(1 / p.dofs, 1 / PLANTED.dofs, atol=0.06)
    np.testing.assert_allclose(p.transitions, PLANTED.transitions, atol=0.012)


def test_the_likelihood_never_falls(fit):
    steps = np.diff(fit[1])
    assert len(steps) > 10 and (steps > -1e-12).all()


def test_a_fit_is_deterministic_and_stretches_are_not_joined():
    x = drawn(3000)[0]
    one, two = (fit_hmm(x, starts=2, iterations=20) for _ in range(2))
    assert one.numbers() == two.numbers()
    apart = fit_hmm([x[:1500], x[1500:]], starts=2, iterations=20)
    assert apart.numbers() != one.numbers()
    np.testing.assert_allclose(apart.transitions.sum(axis=1), 1)
    assert (np.diff(one.scales) > 0).all()


def test_the_filter_equals_a_naive_recursion_and_looks_at_the_past_alone():
    x = drawn(500, seed=3)[0]
    start = in_the_long_run(PLANTED.transitions)
    rows = filtered(x, PLANTED)
    np.testing.assert_allclose(rows, forward(x, *PLANTED[:4], start).astype(float), rtol=1e-9)
    np.testing.assert_array_equal(filtered(x[:300], PLANTED), rows[:300])


def test_density_equals_scipys():
    from scipy.stats import t

    x = np.linspace(-9, 9, 50)
    expected = t.logpdf(x[:, None], PLANTED.dofs, PLANTED.means, PLANTED.scales)
    np.testing.assert_allclose(log_densities(x, *PLANTED[:3]), expected, rtol=1e-12)


def test_the_filter_equals_hmmlearns_where_both_are_normal():
    hmmlearn = pytest.importorskip("hmmlearn.hmm")
    x = drawn(400, seed=4)[0]
    model = hmmlearn.GaussianHMM(3, covariance_type="diag")
    model.means_, model.covars_ = PLANTED.means[:, None], PLANTED.scales[:, None] ** 2
    model.transmat_, model.startprob_ = PLANTED.transitions, in_the_long_run(PLANTED.transitions)
    rows = filtered(x, PLANTED._replace(dofs=np.full(3, 1e9)))
    for n in (1, 2, 50, 400):  # its answer to a prefix knows nothing later
        np.testing.assert_allclose(model.predict_proba(x[:n, None])[-1], rows[n - 1], atol=1e-6)
    smoothed = model.predict_proba(x[:, None])
    assert abs(smoothed - rows).max() > 0.2, "what it says of the middle of the data knows the end"


def test_returns_are_standardised_as_the_kernel_does():
    bars = streams.bars(400).view(sc.BAR)
    z, _ = standardised_bars(bars, 100)
    np.testing.assert_allclose(
        standardised(log_returns(bars)[1:].astype(float), 100), z[101:].astype(float), rtol=1e-11
    )


def test_the_kernel_filters_with_a_fit():
    bars = streams.bars(1500, seed=9)
    p = fit_hmm(standardised(np.diff(np.log(bars["v3"])), 100), starts=1, iterations=15)
    features = sc.FeatureSet(["hmm_100_80_quiet", "hmm_100_80_turbulent"], fitted={"hmm": p})
    table = sc.Engine(features).run(bars)[101:]
    rows = filtered(standardised(np.diff(np.log(bars["v3"])), 100), p, in_the_long_run(p.transitions))
    np.testing.assert_allclose(table, rows[:, [0, 2]], atol=1e-9)


@pytest.mark.parametrize("x", [np.zeros(20), np.full(500, np.nan), np.zeros((10, 60))])
def test_what_cannot_be_fitted_is_refused(x):
    with pytest.raises(ValueError, match="takes at least"):
        fit_hmm(x)
    with pytest.raises(ValueError, match="more than 500"):
        standardised(np.zeros(500))
