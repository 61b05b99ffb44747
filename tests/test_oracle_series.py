"""Scores and auxiliary series against pandas: means that fade with real time, and ranks."""

from __future__ import annotations

import numpy as np
import pytest
import streams

import smartcore as sc
from smartcore.market import events as ev

pd = pytest.importorskip("pandas")
pytestmark = pytest.mark.filterwarnings("ignore:(invalid value|divide by zero) encountered:RuntimeWarning")


def made(kind: str, n: int = 800, seed: int = 3) -> tuple[np.ndarray, pd.DatetimeIndex, np.ndarray]:
    """Events at uneven times with the same time at times, their times as pandas has them, and their values."""
    rng = np.random.default_rng(seed)
    ts = streams.START + np.cumsum(rng.integers(0, 3, n) * rng.integers(1, 4000, n)) * 10**9
    value = np.round(rng.standard_t(4, n), 3)
    events = ev.scores(ts, value, 1.0, "news") if kind == "score" else ev.aux(ts, "funding", value)
    return events, pd.DatetimeIndex(ts), value


def mean(x: np.ndarray, times: pd.DatetimeIndex, half_life: str) -> np.ndarray:
    return pd.Series(x).ewm(halflife=pd.Timedelta(half_life), times=times).mean().to_numpy()


def column(name: str, events: np.ndarray) -> np.ndarray:
    return sc.Engine([name]).run(events, "event")[:, 0]


def agree(got: np.ndarray, want: np.ndarray, least: int = 700) -> None:
    both = np.isfinite(got) & np.isfinite(want)
    assert both.sum() >= least
    np.testing.assert_allclose(got[both], want[both], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("half_life", ["1h", "24h"])
def test_level_dispersion_share_and_pressure(half_life):
    events, times, x = made("score")
    level, square = mean(x, times, half_life), mean(x * x, times, half_life)
    agree(column(f"score_level_news_{half_life}", events), level)
    agree(column(f"score_dispersion_news_{half_life}", events), np.sqrt(np.maximum(square - level**2, 0)))
    agree(column(f"score_positive_share_news_{half_life}", events), mean((x > 0) + 0.5 * (x == 0), times, half_life))
    cube = mean(x**3, times, half_life) - 3 * level * square + 2 * level**3
    agree(column(f"score_skew_news_{half_life}", events)[50:], (cube / (square - level**2) ** 1.5)[50:])
    agree(column(f"score_change_news_10m_{half_life}", events), mean(x, times, "10min") - level)


def test_weights_are_repetitions():
    """A score of weight 3 is three scores at once."""
    events, times, x = made("score")
    weight = np.random.default_rng(1).integers(1, 4, len(x))
    events["v1"] = weight
    last = np.cumsum(weight) - 1
    want = mean(np.repeat(x, weight), times.repeat(weight), "4h")[last]
    agree(column("score_level_news_4h", events), want)


@pytest.mark.parametrize("half_life", ["1h", "24h"])
def test_series(half_life):
    events, times, x = made("aux")
    agree(column(f"aux_level_funding_{half_life}", events), x / mean(abs(x), times, half_life))
    agree(
        column(f"aux_balance_funding_{half_life}", events), mean(x, times, half_life) / mean(abs(x), times, half_life)
    )
    d = np.diff(x)
    net, way = mean(d, times[1:], half_life), mean(abs(d), times[1:], half_life)
    agree(column(f"aux_trend_funding_{half_life}", events)[1:], net / way)
    agree(column(f"aux_variability_funding_{half_life}", events)[1:], way / mean(abs(x), times, half_life)[1:])
    level, square = mean(x, times, half_life), mean(x * x, times, half_life)
    agree(
        column(f"aux_zscore_funding_{half_life}", events)[1:], ((x[1:] - level[:-1]) / np.sqrt(square - level**2)[:-1])
    )
    agree(column(f"funding_carry_8h_{half_life}", events), level * 365 * 3)


def test_ranks():
    """pandas counts the value itself whole, which is half a place more."""
    for kind, name in (("score", "score_percentile_news_50"), ("aux", "aux_percentile_funding_50")):
        events, _, x = made(kind)
        agree(column(name, events), pd.Series(x).rolling(50).rank(pct=True).to_numpy() - 0.5 / 50)


def test_correlation_with_prices():
    """Bars in front of the values, so that each move of the price lies between two of them."""
    events, times, x = made("aux")
    price = 100 * np.exp(np.cumsum(np.random.default_rng(5).normal(0, 1e-3, len(x))))
    bars = ev.bars(events["ts"], price, price, price, price, 1)
    both = np.column_stack([bars, events]).ravel()
    d, r = np.diff(x), np.diff(np.log(price))
    want = mean(d * r, times[1:], "4h") / np.sqrt(mean(d * d, times[1:], "4h") * mean(r * r, times[1:], "4h"))
    agree(column("aux_price_correlation_funding_4h", both)[3::2], want)
    way = mean(r, times[1:], "4h") / mean(abs(r), times[1:], "4h")
    trend = mean(d, times[1:], "4h") / mean(abs(d), times[1:], "4h")
    agree(column("aux_divergence_funding_4h", both)[3::2], trend - way)
