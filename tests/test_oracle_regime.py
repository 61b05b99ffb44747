"""Risk and change points against the field: scipy's generalised Pareto, arch's EWMA, Adams and MacKay with all runs."""

from __future__ import annotations

import numpy as np
import pytest
import streams
from reference.bars import log_returns, pareto
from reference.regimes import change_points, standardised
from reference.risks import residuals
from scipy.stats import genpareto

import smartcore as sc


@pytest.fixture(scope="module")
def bars():
    return streams.bars(1500, seed=12)


def test_the_tail_is_the_quantile_and_the_mean_of_scipys_distribution(bars):
    """Of the shape it tells, and the mean excess that was: what scipy says of the worst in 1,000, in 100 and beyond."""
    columns = ["pareto_tail_500_xi", "pareto_tail_500_var999"]
    columns += ["fhs_500_sigma", "fhs_500_var95", "fhs_500_var99", "fhs_500_es95", "fhs_500_es99"]
    table = sc.Engine(columns).run(bars)
    for t, _, z in list(residuals(bars.view(sc.BAR), 500))[100::400]:
        n, k, (xi, var999, sigma, *fhs) = len(z), len(z) // 10, table[t]
        threshold = float(-z[k])
        found = float(pareto(-z[:k] - z[k] * -1)[0])
        assert xi == pytest.approx((k * found + 150 / 4) / (k + 150), rel=1e-9)
        tail = genpareto(xi, scale=float((-z[:k]).mean() - threshold) * (1 - xi))
        assert tail.mean() == pytest.approx(float((-z[:k]).mean()) - threshold)
        beyond = [tail.isf((n + 1) / (k + 1) / times) for times in (1000, 100)]
        assert var999 / sigma == pytest.approx(threshold + beyond[0], rel=1e-8)
        assert fhs[1] / sigma == pytest.approx(threshold + beyond[1], rel=1e-8)
        for told, begins in ((fhs[2], fhs[0] / sigma - threshold), (fhs[3], beyond[1])):
            mean = tail.expect(lambda x: x, lb=begins, conditional=True)
            assert told / sigma == pytest.approx(threshold + mean, rel=1e-5)


def test_the_fit_finds_the_shape_that_was_drawn():
    for xi in (-0.2, 0.1, 0.4):
        y = genpareto.rvs(xi, scale=2.0, size=20_000, random_state=np.random.default_rng(1))
        np.testing.assert_allclose(np.array(pareto(y), float), [xi, 2.0], atol=0.06)


def test_the_forecast_is_archs(bars):
    arch = pytest.importorskip("arch.univariate")
    r = log_returns(bars.view(sc.BAR))[1:].astype(float)
    sigma = sc.Engine(["fhs_500_sigma"]).run(bars)[-1, 0]
    following = []
    for kept in (0.6, 0.9, 0.975):
        variance = arch.EWMAVariance(kept).compute_variance(
            np.empty(0), 1e3 * r, np.zeros(len(r)), float(np.var(1e3 * r)), np.array([[0.0, 1e9]] * len(r))
        )
        following.append(kept * variance[-1] + (1 - kept) * (1e3 * r[-1]) ** 2)
    expected = np.sqrt(np.mean(following)) / 1e3
    assert sigma == pytest.approx(expected, rel=1e-9)  # each begins in its own way: long forgotten


def test_few_runs_say_what_all_of_them_say():
    """The filter that keeps every run, against ours with 40: on a series whose scale changes and changes back."""
    quiet, loud = streams.bars(700, seed=31), streams.bars(300, seed=32, volatility=3e-3)
    path = np.concatenate([np.diff(np.log(part["v3"])) for part in (quiet, loud, quiet)])
    close = 100 * np.exp(np.append(0, np.cumsum(path)))
    from smartcore.market import events as ev

    rows = ev.bars(streams.START + streams.MINUTE * np.arange(len(close)), close, close, close, close, 1.0)
    z = standardised(rows.view(sc.BAR), 500)[0].astype(float)
    first = 501
    exact = []
    for runs, density in change_points(z[first:], 250, lambda runs: runs[:260]):
        p, _, n = (np.array(column, float) for column in zip(*runs, strict=True))
        exact.append(((p * n).sum(), p[n <= 10].sum(), -np.log(float(density))))
    got = sc.Engine([f"bocpd_500_250_{name}" for name in ("length", "changed", "surprise")]).run(rows)[first:]
    exact = np.array(exact)
    for column, limit in enumerate((0.95, 0.97, 0.995)):
        assert np.corrcoef(got[:, column], exact[:, column])[0, 1] > limit
    assert np.median(abs(got[:, 2] - exact[:, 2])) < 0.01
    change = 699 - first  # the first loud return
    assert got[change : change + 10, 1].max() > 0.9 and got[change - 1, 1] < 0.1
    assert got[change - 1, 0] > 100 and got[change + 12, 0] == pytest.approx(12, abs=3)
