# ruff: noqa: E501  (the table below)
"""Oracles from the field: TA-Lib for technical indicators, SciPy and NumPy for statistics. Agreement within 1e-9
relative to the value, or to the column's median size where that is larger, once both have converged.

Where the definitions differ, this is what was done about it:

| column | TA-Lib | difference | what the test does |
| --- | --- | --- | --- |
| sma_distance | SMA | ours is close / SMA - 1 | the same of theirs |
| ema_distance | EMA | both begin with the mean of the first n closes | compared from the first value |
| macd | MACDEXT, EMA(12), EMA(26) | ours is over the slow EMA (PPO / 100), and its signal line averages that ratio; theirs starts the fast EMA late, so that both start together | line from two EMA calls; signal by EMA of the line, which is what MACD means by it; compared once the fast start is forgotten (400 bars) |
| rsi | RSI | both begin with the mean of the first n changes; where nothing ever moved ours is 50, theirs 0 | compared from the first value, not on a flat series |
| atr | ATR, NATR | theirs begins with the mean of the true ranges 2..n+1 as ours does; ours over the close, NATR in per cent | compared from the first value |
| adx, di | ADX, PLUS_DI, MINUS_DI | theirs seeds its sums with n - 1 values, then smooths once more before the first output; where the true range is 0 they keep the last value, we say 0 | compared after 800 bars on bars with range |
| aroon | AROONOSC | none; of equal extrema both take the newest | compared from the first value |
| stochastic | STOCH, SMA | none but: a window without range counts 50 with us, 0 with them | compared from the first value on bars with range |
| cci | CCI | flat: both 0 | compared from the first value; at 1e-6 for a window of 2, where all is rounding of the typical price |
| mfi | MFI | typical prices within 1e-14 of each other are equal to both; neither rising nor falling money: ours 50, theirs 0 | compared from the first value on bars with volume |
| bollinger | BBANDS | ours is %B and the width over the mean; theirs takes the deviation of a window as 0 below 1e-8 squared | %B and width of their bands |
| obv | OBV | ours is the change of OBV over the window as a share of volume | OBV[t] - OBV[t-n] over the sum of volume |
| regression_slope | LINEARREG_SLOPE | ours over the mean close | over SMA |
| regression_r2 | CORREL | ours is the squared correlation with time | CORREL(close, time)^2, at 1e-8: theirs is a difference of large sums |
| log_return | ROCR | logarithm of it | ln ROCR |
| donchian, drawdown | MAX, MIN | none | the channel of theirs |
| zscore | SMA, STDDEV | none | (close - SMA) / STDDEV |
| volatility | STDDEV | theirs is the population's; it calls a variance below 1e-14 zero | their deviation of 1000 r, over 1000, times sqrt(n / (n - 1)) |
| realised_volatility | SUM | none | sqrt SUM r^2 |
| vwap_distance | SUM | none | SUM(typical volume) / SUM(volume) |
| relative_volume | SMA | none | volume / SMA(volume) |
| efficiency_ratio | SUM, MOM | none | |MOM| / SUM|change| |
| autocorrelation | CORREL | none | CORREL(r[t-1], r[t]), at 1e-8: theirs is a difference of large sums |
| skew, kurtosis | SciPy | none (biased forms) | scipy.stats.skew, kurtosis |
| quantile | NumPy | none (type 7) | numpy.percentile |
| rank | SciPy | theirs is in per cent; the newest counts itself half, as ties | percentileofscore(kind="mean") |

Not covered by a library: fhs, parkinson, garman_klass, candle, amihud, volatility_percentile (see their twins).
"""

from __future__ import annotations

import numpy as np
import pytest
import streams
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

import smartcore as sc

talib = pytest.importorskip("talib", reason="TA-Lib is not installed (pip install TA-Lib)")
stats = pytest.importorskip("scipy.stats", reason="SciPy is not installed")

Array = NDArray[np.float64]


@pytest.fixture(
    scope="module",
    params=["made up", "binance_spot_2026/BTCUSDT", "binance_spot_2026/XRPUSDT"],
    ids=["made up", "BTCUSDT", "XRPUSDT"],
)
def bars(request, recorded):
    if request.param == "made up":
        events = streams.bars(4000, seed=20)
    else:
        # Bars that all have range and volume: the conventions for those without are in the table above.
        events = streams.recorded_bars(recorded(f"crypto_bars_1m/{request.param}.parquet"), 4000)
        events = events[(events["v1"] > events["v2"]) & (events["v4"] > 0)]
    return Bars(events)


class Bars:
    def __init__(self, events: NDArray[np.void]) -> None:
        self.events = events
        rows = events.view(sc.BAR)
        fields = [np.ascontiguousarray(rows[name]) for name in ("open", "high", "low", "close", "volume")]
        self.open, self.high, self.low, self.close, self.volume = fields
        self.typical = (self.high + self.low + self.close) / 3
        self.r = np.concatenate([[np.nan], np.diff(np.log(self.close))])

    def __getitem__(self, column: str) -> Array:
        return sc.Engine([column]).run(self.events)[:, 0]


def agree(ours: Array, theirs: Array, converged: int | None = None, limit: float = 1e-9) -> None:
    """From our first value on, or after `converged` bars; theirs must then be known too."""
    first = int(np.flatnonzero(~np.isnan(ours))[0]) if converged is None else converged
    if converged is None:
        assert np.flatnonzero(~np.isnan(theirs))[0] <= first, "theirs begins later"
    ours, theirs = ours[first:], theirs[first:]
    assert len(ours) > 1000
    size = np.maximum(abs(theirs), np.median(abs(theirs)[theirs != 0]))
    error = np.max(abs(ours - theirs) / size)
    assert error <= limit, f"{error:.1e}"


@pytest.mark.parametrize("n", [2, 20, 50, 200])
def test_moving_averages(bars, n):
    agree(bars[f"sma_distance_{n}"], bars.close / talib.SMA(bars.close, n) - 1)
    agree(bars[f"ema_distance_{n}"], bars.close / talib.EMA(bars.close, n) - 1)


@pytest.mark.parametrize(("fast", "slow", "signal"), [(12, 26, 9), (5, 35, 5)])
def test_macd(bars, fast, slow, signal):
    long = talib.EMA(bars.close, slow)
    line = (talib.EMA(bars.close, fast) - long) / long
    known = ~np.isnan(line)
    average = np.full(len(line), np.nan)
    average[known] = talib.EMA(line[known], signal)
    name = f"macd_{fast}_{slow}_{signal}"
    agree(bars[name], line)
    agree(bars[f"{name}_histogram"], line - average)
    # Their own PPO and MACD, the definitions users know; MACD's averages begin otherwise, which is forgotten.
    agree(bars[name], talib.PPO(bars.close, fast, slow, matype=talib.MA_Type.EMA) / 100)
    agree(bars[name], talib.MACD(bars.close, fast, slow, signal)[0] / long, converged=12 * slow)


@pytest.mark.parametrize("n", [2, 7, 14, 28])
def test_wilder(bars, n):
    agree(bars[f"rsi_{n}"], talib.RSI(bars.close, n))
    agree(bars[f"atr_{n}"], talib.NATR(bars.high, bars.low, bars.close, n) / 100)
    agree(bars[f"atr_{n}"] * bars.close, talib.ATR(bars.high, bars.low, bars.close, n))
    plus, minus = (f(bars.high, bars.low, bars.close, n) for f in (talib.PLUS_DI, talib.MINUS_DI))
    agree(bars[f"di_{n}"], plus - minus, converged=60 * n)
    agree(bars[f"adx_{n}"], talib.ADX(bars.high, bars.low, bars.close, n), converged=60 * n)


@pytest.mark.parametrize("n", [2, 14, 25, 100])
def test_aroon(bars, n):
    agree(bars[f"aroon_{n}"], talib.AROONOSC(bars.high, bars.low, n))


@pytest.mark.parametrize(("n", "smooth"), [(14, 3), (5, 2), (60, 10)])
def test_stochastic(bars, n, smooth):
    sma = talib.MA_Type.SMA
    k, d = talib.STOCH(bars.high, bars.low, bars.close, n, smooth, sma, smooth, sma)
    agree(bars[f"stochastic_{n}_{smooth}_k"], k)
    agree(bars[f"stochastic_{n}_{smooth}_d"], d)


@pytest.mark.parametrize("n", [2, 14, 20, 50])
def test_typical_price(bars, n):
    agree(bars[f"cci_{n}"], talib.CCI(bars.high, bars.low, bars.close, n), limit=1e-9 if n > 2 else 1e-6)
    ours, theirs = bars[f"mfi_{n}"], talib.MFI(bars.high, bars.low, bars.close, bars.volume, n)
    still = (ours == 50) & (theirs == 0)  # neither rose nor fell: short windows only
    assert still.sum() < 10
    agree(ours[~still], theirs[~still])


@pytest.mark.parametrize(("n", "width"), [(20, 2), (50, 2.5), (5, 1)])
def test_bollinger(bars, n, width):
    scale = 1e4 / bars.close[0]  # well above the variance that they take for 0
    upper, middle, lower = talib.BBANDS(bars.close * scale, n, width, width)
    agree(bars[f"bollinger_{n}_{width}"], (bars.close * scale - lower) / (upper - lower), limit=1e-7)
    agree(bars[f"bollinger_{n}_{width}_width"], (upper - lower) / middle, limit=1e-7)


@pytest.mark.parametrize("n", [20, 100])
def test_volume(bars, n):
    total = talib.SUM(bars.volume, n)
    change = np.full(len(total), np.nan)
    change[n:] = talib.OBV(bars.close, bars.volume)[n:] - talib.OBV(bars.close, bars.volume)[:-n]
    agree(bars[f"obv_{n}"], change / total)
    agree(bars[f"vwap_distance_{n}"], bars.close * total / talib.SUM(bars.typical * bars.volume, n) - 1)
    agree(bars[f"relative_volume_{n}"], bars.volume / talib.SMA(bars.volume, n))


@pytest.mark.parametrize("n", [3, 20, 100])
def test_regression(bars, n):
    agree(bars[f"regression_slope_{n}"], talib.LINEARREG_SLOPE(bars.close, n) / talib.SMA(bars.close, n))
    time = np.arange(len(bars.close), dtype=float)
    pairs = zip(sliding_window_view(bars.close, n), sliding_window_view(time, n), strict=True)
    r2 = np.full(len(time), np.nan)
    r2[n - 1 :] = [stats.linregress(t, y).rvalue ** 2 if np.ptp(y) else np.nan for y, t in list(pairs)]
    ours = bars[f"regression_r2_{n}"]
    both = ~(np.isnan(ours) | np.isnan(r2))
    agree(ours[both], r2[both])


@pytest.mark.parametrize("n", [1, 5, 60])
def test_log_return(bars, n):
    agree(bars[f"log_return_{n}"], np.log(talib.ROCR(bars.close, n)))


@pytest.mark.parametrize("n", [2, 20, 100])
def test_extremes(bars, n):
    top, bottom = talib.MAX(bars.high, n), talib.MIN(bars.low, n)
    agree(bars[f"donchian_{n}"], (bars.close - bottom) / (top - bottom))
    agree(bars[f"drawdown_{n}"], bars.close / talib.MAX(bars.close, n) - 1)


@pytest.mark.parametrize("n", [10, 50, 200])
def test_deviations(bars, n):
    scale = 1e4 / bars.close[0]
    close = bars.close * scale
    agree(bars[f"zscore_{n}"], (close - talib.SMA(close, n)) / talib.STDDEV(close, n), limit=1e-7)
    r = bars.r[1:] * 1000

    def later(x: Array) -> Array:
        return np.concatenate([[np.nan], x])

    agree(bars[f"volatility_{n}"], later(talib.STDDEV(r, n)) / 1000 * np.sqrt(n / (n - 1)))
    agree(bars[f"realised_volatility_{n}"], later(np.sqrt(talib.SUM(r * r, n))) / 1000)
    agree(bars[f"efficiency_ratio_{n}"], abs(talib.MOM(bars.close, n)) / later(talib.SUM(abs(np.diff(bars.close)), n)))


@pytest.mark.parametrize("n", [50, 200])
def test_moments(bars, n):
    windows = sliding_window_view(bars.r[1:], n)

    def placed(x: Array) -> Array:
        return np.concatenate([np.full(n, np.nan), x])

    agree(bars[f"skew_{n}"], placed(stats.skew(windows, axis=1)))
    agree(bars[f"kurtosis_{n}"], placed(stats.kurtosis(windows, axis=1)))
    r = bars.r[1:]
    theirs = np.concatenate([[np.nan, np.nan], talib.CORREL(r[:-1] * 1000, r[1:] * 1000, n)])
    agree(bars[f"autocorrelation_{n}"], theirs, limit=1e-8)


@pytest.mark.parametrize("n", [20, 100])
def test_order(bars, n):
    windows = sliding_window_view(bars.close, n)
    start = np.full(n - 1, np.nan)
    for percent in (0, 10, 50, 90, 100):
        quantile = np.concatenate([start, np.percentile(windows, percent, axis=1)])
        agree(bars[f"quantile_{n}_{percent}"], bars.close / quantile - 1)
    ranks = [stats.percentileofscore(w, w[-1], kind="mean") / 100 for w in windows[:1500]]
    agree(bars[f"rank_{n}"][: n - 1 + 1500], np.concatenate([start, ranks]))


def test_the_conventions_where_nothing_moves():
    """The rows of the table that say what we give where TA-Lib gives 0 or keeps the last value."""
    flat = Bars(streams.flat_bars(100))
    ones = flat.close
    assert flat["rsi_14"][-1] == 50 and talib.RSI(ones, 14)[-1] == 0
    assert flat["stochastic_14_3_k"][-1] == 50 and talib.STOCH(ones, ones, ones)[0][-1] == 0
    assert flat["mfi_14"][-1] == 50 and talib.MFI(ones, ones, ones, flat.volume, 14)[-1] == 0
    assert flat["cci_20"][-1] == 0 and talib.CCI(ones, ones, ones, 20)[-1] == 0
    assert flat["adx_14"][-1] == 0 and flat["di_14"][-1] == 0
    assert flat["bollinger_20_2"][-1] == 0.5 and flat["bollinger_20_2_width"][-1] == 0
