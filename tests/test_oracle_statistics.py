"""Oracles from the field for the statistical families: SciPy, statsmodels and arch on single windows, within 1e-9.

Where the definitions differ, this is what was done about it:

| column | oracle | difference |
| --- | --- | --- |
| dickey_fuller, augmented_dickey_fuller | statsmodels adfuller, constant, 0 or 1 lag | ours is the correlation c, theirs t = c sqrt(df / (1 - c^2)) |
| ljung_box | statsmodels q_stat | of our autocorrelations, which are about zero and reach back before the window |
| variance_ratio | arch VarianceRatio, constant, overlapping, debiased | none |
| runs_test | statsmodels runstest_1samp | theirs counts values at the cutoff as above it, ours as not |
| mann_kendall | SciPy kendalltau | theirs is tau-b: compared where no closes are equal |
| robust_zscore | SciPy median_abs_deviation(scale="normal") | none |
| *_mann_whitney | SciPy mannwhitneyu | U over the number of pairs |
| variance_shift | F of the sample variances | ours is (F - 1) / (F + 1) |
| tail_index, crow_siddiqui, quantile_skew, moors_kurtosis | NumPy percentile, plain sorting | see their twins |
"""  # noqa: E501

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import streams
from numpy.typing import NDArray

import smartcore as sc

stats = pytest.importorskip("scipy.stats", reason="SciPy is not installed")

Array = NDArray[np.float64]
PLACES = range(330, 900, 57)


@pytest.fixture(scope="module", params=["made up", "binance_spot_2026/BTCUSDT"], ids=["made up", "BTCUSDT"])
def bars(request: Any, recorded: Any) -> NDArray[np.void]:
    if request.param == "made up":
        return streams.bars(900, seed=8, tick=1e-6)
    return streams.recorded_bars(recorded(f"crypto_bars_1m/{request.param}.parquet"), 900)


def compare(
    bars: NDArray[np.void], column: str, n: int, oracle: Callable[..., Any], of: str = "return", limit: float = 1e-9
) -> None:
    """The column against `oracle(last n values)`: of returns, closes or volumes."""
    rows = bars.view(sc.BAR)
    series = rows[of] if of != "return" else np.append(np.nan, np.diff(np.log(rows["close"])))
    got = sc.Engine([column]).run(bars)[:, 0]
    expected = np.array([oracle(series[t + 1 - n : t + 1]) for t in PLACES])
    known = ~np.isnan(expected)
    assert known.sum() > 4
    here = got[list(PLACES)][known]
    scale = np.maximum(abs(expected[known]), np.median(abs(expected[known])))
    assert np.max(abs(here - expected[known]) / scale) <= limit, column


def test_moments(bars):
    compare(bars, "return_t_20", 20, lambda r: stats.ttest_1samp(r, 0).statistic)
    compare(bars, "jarque_bera_50", 50, lambda r: stats.jarque_bera(r).statistic)
    compare(
        bars, "realised_kurtosis_100", 100, lambda r: stats.moment(r, 4, center=0) / stats.moment(r, 2, center=0) ** 2
    )
    compare(
        bars, "realised_skewness_20", 20, lambda r: stats.moment(r, 3, center=0) / stats.moment(r, 2, center=0) ** 1.5
    )
    compare(bars, "volume_variation_100", 100, stats.variation, "volume")
    if hasattr(stats, "lmoment"):
        compare(bars, "l_moments_100_skew", 100, lambda r: stats.lmoment(r, 3))
        compare(bars, "l_moments_100_kurtosis", 100, lambda r: stats.lmoment(r, 4))


def test_order(bars):
    def bowley(r, percent=25):
        low, middle, high = np.percentile(r, [percent, 50, 100 - percent])
        return (high + low - 2 * middle) / (high - low)

    def moors(r):
        e = np.percentile(r, 12.5 * np.arange(8))
        return ((e[7] - e[5]) + (e[3] - e[1])) / (e[6] - e[2]) - 1.233

    def hill(r):
        size = np.sort(abs(r))[::-1]
        return np.log(size[:10]).mean() - np.log(size[10])

    compare(bars, "quantile_skew_100_25", 100, bowley)
    compare(bars, "quantile_skew_100_5", 100, lambda r: bowley(r, 5))
    compare(bars, "moors_kurtosis_100", 100, moors)
    compare(bars, "crow_siddiqui_100", 100, lambda r: np.ptp(np.percentile(r, [2.5, 97.5])) / stats.iqr(r) - 2.906)
    compare(bars, "midmean_50", 50, lambda r: stats.trim_mean(r, 0.25) / stats.iqr(r))
    compare(bars, "interquartile_ratio_50", 50, lambda r: stats.iqr(r, scale="normal") / r.std(), limit=1e-8)
    compare(bars, "median_skew_100", 100, lambda r: (r.mean() - np.median(r)) / r.std())
    compare(bars, "tail_index_100", 100, hill)
    for n in (20, 100):
        compare(
            bars, f"robust_zscore_{n}", n,
            lambda c: (c[-1] - np.median(c)) / stats.median_abs_deviation(c, scale="normal"), "close",
        )  # fmt: skip


def test_ranks_and_entropy(bars):
    def mean_rank(w):
        return stats.percentileofscore(w, w[-1], kind="mean") / 100

    compare(bars, "return_rank_100", 100, mean_rank)
    compare(bars, "volume_rank_100", 100, mean_rank, "volume")
    compare(bars, "volume_entropy_100", 100, lambda v: stats.entropy(v) / np.log(100), "volume")

    def words(r, length=3, n=100):
        up = (r > 0).astype(int)
        codes = sum(up[k : k + n] << k for k in range(length))
        return stats.entropy(np.bincount(codes)) / (length * np.log(2))

    compare(bars, "direction_entropy_100_3", 102, words)

    def patterns(c, order=3, n=100):
        kinds = np.unique([np.argsort(c[k : k + order], kind="stable") for k in range(n)], axis=0, return_counts=True)
        return stats.entropy(kinds[1]) / np.log(6)

    compare(bars, "permutation_entropy_100_3", 102, patterns, "close")


def test_halves(bars):
    compare(bars, "mean_shift_20", 40, lambda r: stats.ttest_ind(r[20:], r[:20], equal_var=False).statistic)
    f = lambda r: r[20:].var(ddof=1) / r[:20].var(ddof=1)  # noqa: E731
    compare(bars, "variance_shift_20", 40, lambda r: (f(r) - 1) / (f(r) + 1))
    compare(bars, "return_mann_whitney_50", 100, lambda r: stats.mannwhitneyu(r[50:], r[:50]).statistic / 2500)
    compare(
        bars, "volume_mann_whitney_50", 100, lambda v: stats.mannwhitneyu(v[50:], v[:50]).statistic / 2500, "volume"
    )


def test_order_in_time(bars):
    def tau(c):
        return stats.kendalltau(np.arange(len(c)), c).statistic if len(np.unique(c)) == len(c) else np.nan

    def line(w):
        return stats.pearsonr(np.arange(len(w)), abs(w)).statistic

    compare(bars, "mann_kendall_20", 20, tau, "close")
    compare(bars, "volatility_trend_50", 50, line, limit=1e-8)
    compare(
        bars,
        "absolute_autocorrelation_100_5",
        105,
        lambda r: stats.pearsonr(abs(r[:-5]), abs(r[5:])).statistic,
        limit=1e-8,
    )

    def higuchi(c):
        return 2 - np.log2(abs(c[2:] - c[:-2]).mean() / abs(np.diff(c)[1:]).mean())

    compare(bars, "fractal_dimension_50", 52, higuchi, "close")


@pytest.mark.filterwarnings("ignore:adfuller")
def test_reversion_against_statsmodels(bars):
    tools = pytest.importorskip("statsmodels.tsa.stattools", reason="statsmodels is not installed")

    def correlation(c, lags, n):
        t = tools.adfuller(c, maxlag=lags, regression="c", autolag=None)[0]
        return t / np.sqrt(t * t + n - 2 - lags)

    compare(bars, "dickey_fuller_50", 51, lambda c: correlation(c, 0, 50), "close", 1e-7)
    compare(bars, "augmented_dickey_fuller_100", 102, lambda c: correlation(c, 1, 100), "close", 1e-7)
    compare(bars, "dickey_fuller_50_speed", 51, lambda c: -stats.linregress(c[:-1], np.diff(c)).slope, "close", 1e-7)


def test_memory_against_statsmodels(bars):
    tools = pytest.importorskip("statsmodels.tsa.stattools", reason="statsmodels is not installed")
    columns = [f"return_autocorrelation_100_{k}" for k in range(1, 6)]
    *a, q = sc.Engine([*columns, "ljung_box_100_5"]).run(bars).T
    for t in PLACES:
        expected = tools.q_stat(np.array([x[t] for x in a]), 100)[0][-1]
        assert q[t] == pytest.approx(expected, rel=1e-9)
    runs = pytest.importorskip("statsmodels.sandbox.stats.runs", reason="statsmodels is not installed")
    compare(bars, "runs_test_50", 50, lambda r: runs.runstest_1samp(-r, cutoff=0, correction=False)[0])


@pytest.mark.parametrize(("window", "horizon"), [(100, 2), (100, 4), (100, 8), (250, 8)])
def test_variance_ratio_against_arch(bars, window, horizon):
    unitroot = pytest.importorskip("arch.unitroot", reason="arch is not installed")

    def ratio(r):
        path = np.append(0, np.cumsum(r))
        return unitroot.VarianceRatio(path, lags=horizon, trend="c", overlap=True, debiased=True).vr

    compare(bars, f"variance_ratio_{window}_{horizon}", window, ratio, limit=1e-8)


def test_known_answers():
    """Processes whose parameters are known, over windows long enough to show them."""
    rng = np.random.default_rng(3)
    n, window = 60_000, 50_000

    def last(close, *columns):
        bars = streams.ev.bars(streams.START + streams.MINUTE * np.arange(n), close, close, close, close, 1.0)
        return sc.Engine(columns).run(bars)[-1]

    noise = rng.standard_normal(n)
    walk = last(
        100 * np.exp(1e-4 * np.cumsum(noise)), f"hurst_{window}", f"variance_ratio_{window}_8", f"jump_share_{window}",
        f"medrv_{window}", f"minrv_{window}", f"realised_kurtosis_{window}", f"low_frequency_{window}",
        f"turning_points_{window}", f"fractal_dimension_{window}", f"variance_ratio_z_{window}_4", "tail_index_1000",
        f"bns_jump_{window}",
    )  # fmt: skip
    np.testing.assert_allclose(walk[:9], [0.5, 1, 0, 1, 1, 3, 0.25, 0.5, 1.5], atol=0.05)
    assert abs(walk[9]) < 4 and 0.1 < walk[10] < 0.3 and abs(walk[11]) < 4
    level = np.zeros(n)
    for t in range(1, n):
        level[t] = 0.9 * level[t - 1] + noise[t]
    reverting = last(
        100 + 0.01 * level, f"dickey_fuller_{window}_speed", f"hurst_{window}", f"variance_ratio_{window}_8"
    )
    assert reverting[0] == pytest.approx(0.1, abs=0.01) and reverting[1] < 0.45 and reverting[2] < 0.8
    heavy = last(100 * np.exp(1e-5 * np.cumsum((1 + rng.pareto(3, n)) * rng.choice([-1, 1], n))), "tail_index_10000")
    assert heavy[0] == pytest.approx(1 / 3, abs=0.08)
