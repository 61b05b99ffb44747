"""Backtests of VaR and ES: formulas with scipy's chi-squared, size and power by simulation, FZ0 at the truth."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats
from scipy.special import xlogy

from smartcore.learn.evaluate import risk


@pytest.mark.parametrize(
    ("n", "breaches", "level"), [(250, 7, 0.99), (500, 25, 0.95), (1000, 20, 0.99), (255, 3, 0.95)]
)
def test_kupiec_is_twice_the_difference_of_two_binomials(n, breaches, level):
    ratio = 2 * (stats.binom.logpmf(breaches, n, breaches / n) - stats.binom.logpmf(breaches, n, 1 - level))
    found = risk.kupiec(n, breaches, level)
    assert found.statistic == pytest.approx(ratio, rel=1e-9, abs=1e-12)
    assert found.p == pytest.approx(stats.chi2.sf(max(ratio, 0), 1), rel=1e-9, abs=1e-6)  # of a root of rounding at 0


def test_kupiecs_own_table():
    """Kupiec 1995, table 3 as in Jorion 2007, table 6-2: breaches that are not rejected at 5 %. It prints "< 7" for
    1 to 6, although none at all in 255 is rejected too."""
    table = ((255, 0.99, 1, 6), (510, 0.99, 2, 10), (1000, 0.99, 5, 16), (255, 0.95, 7, 20), (1000, 0.95, 38, 64))
    for n, level, low, high in table:
        kept = [k for k in range(n // 5) if risk.kupiec(n, k, level).p > 0.05]
        assert (kept[0], kept[-1]) == (low, high)


def test_independence_is_the_ratio_of_two_markov_chains():
    rng = np.random.default_rng(1)
    for clustering in (0.0, 0.3):
        hits = risk.simulated(3000, 0.95, rng, clustering)
        counts = np.zeros((2, 2))
        for before, after in pairwise(hits):
            counts[int(before), int(after)] += 1
        np.testing.assert_array_equal(risk.pairs(hits), counts)
        rows, columns = counts.sum(1), counts.sum(0)
        apart = xlogy(counts, counts / rows[:, None]).sum()
        pooled = xlogy(columns, columns / counts.sum()).sum()
        found = risk.independence(counts)
        assert found.statistic == pytest.approx(2 * (apart - pooled), rel=1e-9)
        assert found.p == pytest.approx(stats.chi2.sf(2 * (apart - pooled), 1), rel=1e-9)
        both = found.statistic + risk.kupiec(3000, int(hits.sum()), 0.95).statistic
        assert risk.conditional_coverage(hits, 0.95).p == pytest.approx(stats.chi2.sf(both, 2), rel=1e-9)


@pytest.mark.parametrize("hits", [np.zeros(100, bool), np.ones(100, bool), np.arange(100) == 50, np.zeros(1, bool)])
def test_nothing_and_everything_broken_have_an_answer(hits):
    for p in (risk.independence(risk.pairs(hits)).p, risk.conditional_coverage(hits, 0.99).p):
        assert 0 <= p <= 1
    assert risk.kupiec(100, 0, 0.99).p == pytest.approx(stats.chi2.sf(-2 * 100 * np.log(0.99), 1))


def test_a_true_forecast_is_rejected_about_as_often_as_it_says():
    """With many breaches the chi-squared limits hold; with few they do not, which is why sizes() is printed."""
    kupiec, independence, both = risk.sizes(20_000, 0.95, draws=1500)
    for share in (kupiec, independence, both):
        assert share == pytest.approx(0.05, abs=0.02)


def test_what_is_wrong_is_found():
    rng = np.random.default_rng(2)
    many = np.mean([risk.kupiec(1000, int(risk.simulated(1000, 0.98, rng).sum()), 0.99).p < 0.05 for _ in range(300)])
    runs = np.mean([risk.independence(risk.pairs(risk.simulated(2000, 0.95, rng, 0.2))).p < 0.05 for _ in range(100)])
    assert many > 0.75 and runs > 0.95


def truth(nu: float, level: float) -> tuple[float, float]:
    """VaR and ES of a Student t's losses (McNeil, Frey, Embrechts 2015, example 2.15)."""
    q = stats.t.ppf(level, nu)
    return q, stats.t.pdf(q, nu) / (1 - level) * (nu + q * q) / (nu - 1)


@pytest.mark.parametrize("level", [0.95, 0.99])
def test_z2_is_nought_at_the_truth_and_its_p_uniform(level):
    rng, (var, es) = np.random.default_rng(3), truth(4, level)
    zs, ps = [], []
    for _ in range(400):
        losses = rng.standard_t(4, 1500)
        zs.append(risk.acerbi_szekely(losses, np.full(1500, var), np.full(1500, es), level))
        ps.append(risk.shortfall_p(zs[-1], 1500, level, draws=400, seed=4))
    assert np.mean(zs) == pytest.approx(0, abs=3 * np.std(zs) / 20)
    assert np.mean(np.array(ps) < 0.05) == pytest.approx(0.05, abs=0.03)


def test_z2_finds_a_normal_tail_on_a_fat_one():
    rng = np.random.default_rng(5)
    normal = stats.norm.ppf(0.99), stats.norm.pdf(stats.norm.ppf(0.99)) / 0.01
    scale = np.sqrt(2)  # of a t with 4 degrees of freedom
    var, es = (np.full(5000, scale * x) for x in normal)
    found = risk.backtest(rng.standard_t(4, 5000), var, es, 0.99)
    assert found.z2 < -0.2 and found.z2_p < 0.01


def test_fz0_is_least_at_the_truth():
    rng, (var, es) = np.random.default_rng(6), truth(5, 0.95)
    losses = rng.standard_t(5, 400_000)

    def mean(v, e):
        return risk.fz0(losses, np.full(len(losses), v), np.full(len(losses), e), 0.95).mean()

    best = mean(var, es)
    for v, e in ((0.9, 1), (1.1, 1), (1, 0.9), (1, 1.1), (0.9, 0.9), (1.1, 1.1)):
        assert mean(v * var, e * es) > best
    x, v, e = -np.array([3.0, 1.0]), -2.0, -2.5  # eq. 6 of the paper, in returns
    paper = -np.where(x <= v, v - x, 0) / (0.05 * e) + v / e + np.log(-e) - 1
    np.testing.assert_allclose(risk.fz0(-x, np.full(2, 2.0), np.full(2, 2.5), 0.95), paper)


def test_overlapping_horizons_are_counted_with_their_error():
    """The rate's error holds: of forecasts 20 steps ahead, z-scores are within two about as often as they say."""
    rng, zs = np.random.default_rng(7), []
    for _ in range(200):
        r = rng.standard_normal(6000)
        losses = np.convolve(r, np.ones(20), "valid")
        rate, error = risk.horizon_rate(losses > np.sqrt(20) * stats.norm.ppf(0.95), 20)
        zs.append((rate - 0.05) / error)
    assert np.mean(np.abs(zs) > 1.96) == pytest.approx(0.05, abs=0.05)
    assert risk.horizon_rate(r > 1.64, 1)[1] == pytest.approx(np.sqrt(0.05 * 0.95 / 6000), rel=0.2)


def test_forecasts_that_cannot_be_are_refused():
    one = np.ones(5)
    wrong = ((one, one, 0 * one), (one, one * np.nan, one), (one[:4], one, one), (one * np.inf, one, one))
    for losses, var, es in wrong:
        with pytest.raises(ValueError, match="losses"):
            risk.backtest(losses, var, es, 0.95)
    with pytest.raises(ValueError, match=r"level: 5"):
        risk.kupiec(10, 1, 5)
    with pytest.raises(ValueError, match="breaches: 11 of 10"):
        risk.kupiec(10, 11, 0.95)
