# ruff: noqa: E501, F811  (the table below; a fixture that is imported)
"""More of TA-Lib as the oracle of technical features; conventions and words as in test_oracle_talib.

| column | TA-Lib | difference | what the test does |
| --- | --- | --- | --- |
| wma, hull, dema, tema, zlema_distance | WMA, HMA, DEMA, TEMA, ZLEMA | ours is 1 - average / close | compared from the first value |
| t3_distance | T3 | theirs begins its six averages otherwise | compared once both have converged |
| kama_distance | KAMA | of a flat window their efficiency is 1, ours 0 | compared on bars that move |
| sar_distance | SAR | none | compared from the first value |
| supertrend_distance | SUPERTREND | theirs may begin on the other side | compared once both have turned |
| vortex | VORTEX | none | compared from the first value |
| vertical_horizontal | VHF | none | compared from the first value |
| forecast_error | FOSC | theirs is in per cent | 100 times ours |
| regression_residual | LINEARREG, STDDEV | none | (close - LINEARREG) / STDDEV, at 1e-7 || stoch_rsi | STOCHRSI, MAX, MIN | ours is of 1, theirs of 100 | compared from the first value where the range is not 0 |
| cmo | CMOU | none | compared from the first value |
| tsi, stochastic_momentum | TSI, SMI | their averages begin otherwise | compared once both have converged |
| trix | TRIX | theirs is in per cent | compared from the first value |
| ultimate_oscillator, intraday_momentum | ULTOSC, IMI | none on bars with range | compared from the first value |
| awesome_oscillator, qstick, elder_ray | AO, AC, QSTICK, ERI | ours are over ATR(14) | times ATR |
| balance_of_power | BOP, SMA | ours is its mean | SMA of theirs |
| coppock | COPPOCK | theirs is in per cent | compared from the first value |
| keltner | EMA, ATR | none (KC is of typical prices) | (close - EMA) / ATR |
| donchian_width, range_ratio, range_expansion | MAX, MIN, TRANGE, SMA, ATR | none | from theirs |
| chaikin_volatility | CVI | theirs is in per cent and begins otherwise | compared once both have converged |
| mass_index | MASSI | theirs begins otherwise | compared once both have converged |
| chaikin_money_flow | CMF | none | compared from the first value |
| chaikin_oscillator | ADOSC | ours is over EMA(volume) | times EMA(volume), once both have converged |
| force_index | EFI | ours is over the same of |change| | numerator of theirs, denominator by EMA, once both have converged |
| price_volume_trend | PVT | ours is its change over the window as a share of volume | the change of theirs over SUM(volume) |
| volume_index | NVI, PVI | ours is the log change over the window | ln of the ratio of theirs |
| volume_oscillator | PVO, EMA | theirs is in per cent | line from PVO, histogram by EMA of the line |
| price_volume_correlation | CORREL | none | at 1e-7: theirs is a difference of large sums |
| heikin_ashi | HA | ours is close - open over ATR(14) | times ATR, once both have converged |
| chandelier | MAX, MIN, ATR | none | from theirs |
| dominant_cycle, sine_wave, trendline_distance | HT_DCPERIOD, HT_SINE, HT_TRENDLINE | theirs adds up prices where ours adds up distances | compared once both have converged, at 1e-8 |
"""

from __future__ import annotations

import numpy as np
import pytest
from test_oracle_talib import Bars, agree, bars, talib  # noqa: F401


def distance(b: Bars, average: np.ndarray) -> np.ndarray:
    return 1 - average / b.close


@pytest.mark.parametrize("n", [4, 20, 100])
def test_averages(bars, n):
    agree(bars[f"wma_distance_{n}"], distance(bars, talib.WMA(bars.close, n)))
    agree(bars[f"hull_distance_{n}"], distance(bars, talib.HMA(bars.close, n)))
    agree(bars[f"dema_distance_{n}"], distance(bars, talib.DEMA(bars.close, n)))
    agree(bars[f"tema_distance_{n}"], distance(bars, talib.TEMA(bars.close, n)))
    agree(bars[f"zlema_distance_{n}"], distance(bars, talib.ZLEMA(bars.close, n)))


def test_averages_that_begin_otherwise(bars):
    agree(bars["t3_distance_10_0.7"], distance(bars, talib.T3(bars.close, 10, 0.7)), converged=1000)
    for n in (10, 50):
        agree(bars[f"kama_distance_{n}"], distance(bars, talib.KAMA(bars.close, n)), converged=2000)


def test_stops(bars):
    for acceleration, most in ((0.02, 0.2), (0.05, 0.5)):
        theirs = talib.SAR(bars.high, bars.low, acceleration, most)
        agree(bars[f"sar_distance_{acceleration}_{most}"], distance(bars, theirs))
    theirs = talib.SUPERTREND(bars.high, bars.low, bars.close, 10, 3)
    theirs = theirs[0] if isinstance(theirs, tuple) else theirs
    agree(bars["supertrend_distance_10_3"], distance(bars, theirs), converged=500)


@pytest.mark.parametrize("n", [5, 14, 50])
def test_direction(bars, n):
    plus, minus = talib.VORTEX(bars.high, bars.low, bars.close, n)
    agree(bars[f"vortex_{n}_plus"], plus)
    agree(bars[f"vortex_{n}_minus"], minus)
    agree(bars[f"vertical_horizontal_{n}"], talib.VHF(bars.close, n))


@pytest.mark.parametrize("n", [5, 20, 100])
def test_lines(bars, n):
    agree(bars[f"forecast_error_{n}"], talib.FOSC(bars.close, n) / 100)
    away = bars.close - talib.LINEARREG(bars.close, n)
    agree(bars[f"regression_residual_{n}"] * talib.STDDEV(bars.close * 1e4, n) / 1e4, away, limit=1e-7)


@pytest.mark.parametrize("n", [5, 14, 50])
def test_momentum(bars, n):
    rsi = talib.RSI(bars.close, n)
    known = ~np.isnan(rsi)
    place = np.full(len(rsi), np.nan)
    place[known] = talib.STOCHF(rsi[known], rsi[known], rsi[known], n, 1)[0] / 100
    agree(bars[f"stoch_rsi_{n}"], place)
    agree(bars[f"cmo_{n}"], talib.CMOU(bars.close, n))
    agree(bars[f"trix_{n}"], talib.TRIX(bars.close, n) / 100)
    agree(
        bars[f"ultimate_oscillator_{n}_{2 * n}_{4 * n}"], talib.ULTOSC(bars.high, bars.low, bars.close, n, 2 * n, 4 * n)
    )
    agree(bars[f"intraday_momentum_{n}"], talib.IMI(bars.open, bars.close, n))
    agree(bars[f"balance_of_power_{n}"], talib.SMA(talib.BOP(bars.open, bars.high, bars.low, bars.close), n))


def test_momentum_that_begins_otherwise(bars):
    agree(bars["tsi_25_13"], talib.TSI(bars.close, 25, 13), converged=1500)
    theirs = talib.SMI(bars.high, bars.low, bars.close, 13, 2, 25, 9)[0]
    agree(bars["stochastic_momentum_13_25_2"], theirs, converged=1500)


def test_momentum_in_average_ranges(bars):
    atr = talib.ATR(bars.high, bars.low, bars.close, 14)
    agree(bars["awesome_oscillator_5_34"] * atr, talib.AO(bars.high, bars.low, 5, 34))
    agree(bars["awesome_oscillator_5_34_acceleration"] * atr, talib.AC(bars.high, bars.low, 5, 34, 5))
    bull, bear = talib.ERI(bars.high, bars.low, bars.close, 13)
    agree(bars["elder_ray_13_bull"] * atr, bull)
    agree(bars["elder_ray_13_bear"] * atr, bear)
    agree(bars["qstick_50"] * atr, talib.QSTICK(bars.open, bars.close, 50))


def test_coppock(bars):
    agree(bars["coppock_14_11_10"], talib.COPPOCK(bars.close, 10, 11, 14) / 100)


def test_ranges(bars):
    atr = talib.ATR(bars.high, bars.low, bars.close, 14)
    range_ = talib.TRANGE(bars.high, bars.low, bars.close)
    agree(bars["keltner_20"] * atr, bars.close - talib.EMA(bars.close, 20))
    agree(bars["range_expansion_14"], range_ / atr)
    agree(bars["range_ratio_5_20"], talib.SMA(range_, 5) / talib.SMA(range_, 20))
    agree(bars["donchian_width_20"], (talib.MAX(bars.high, 20) - talib.MIN(bars.low, 20)) / bars.close)
    agree(bars["chaikin_volatility_10_10"], talib.CVI(bars.high, bars.low, 10, 10) / 100, converged=500)
    agree(bars["mass_index_9_25"], talib.MASSI(bars.high, bars.low, 9, 25), converged=500)


@pytest.mark.parametrize("n", [5, 20, 50])
def test_volumes(bars, n):
    total = talib.SUM(bars.volume, n)
    agree(bars[f"chaikin_money_flow_{n}"], talib.CMF(bars.high, bars.low, bars.close, bars.volume, n))
    size = np.append(np.nan, abs(np.diff(bars.close))) * bars.volume
    size[1:] = talib.EMA(size[1:], n)
    agree(bars[f"force_index_{n}"], talib.EFI(bars.close, bars.volume, n) / size, converged=40 * n)
    scale = 1e4 / bars.close[0]
    trend = talib.PVT(bars.close * scale, bars.volume)
    agree(bars[f"price_volume_trend_{n}"][n:], (trend[n:] - trend[:-n]) / total[n:], limit=1e-8)
    for side, index in (("negative", talib.NVI), ("positive", talib.PVI)):
        ours, level = bars[f"volume_index_{n}_{side}"], index(bars.close, bars.volume)
        agree(ours[n + 1 :], np.log(level[n + 1 :] / level[1:-n]))
    known = ~np.isnan(bars[f"price_volume_correlation_{n}"])
    theirs = talib.CORREL(bars.close * scale, bars.volume, n)
    agree(bars[f"price_volume_correlation_{n}"][known], theirs[known], limit=1e-7)


def test_volume_oscillators(bars):
    average = talib.EMA(bars.volume, 10)
    theirs = talib.ADOSC(bars.high, bars.low, bars.close, bars.volume, 3, 10)
    agree(bars["chaikin_oscillator_3_10"] * average, theirs, converged=500, limit=1e-8)  # theirs: of a large sum
    line = talib.PVO(bars.volume, 12, 26, talib.MA_Type.EMA) / 100
    agree(bars["volume_oscillator_12_26_9"], line, converged=500)
    known = ~np.isnan(line)
    signal = np.full(len(line), np.nan)
    signal[known] = talib.EMA(line[known], 9)
    agree(bars["volume_oscillator_12_26_9_histogram"], line - signal, converged=500)


def test_cycles(bars):
    agree(bars["dominant_cycle"], talib.HT_DCPERIOD(bars.close), converged=500, limit=1e-8)
    sine, lead = talib.HT_SINE(bars.close)
    agree(bars["sine_wave"], sine, converged=500, limit=1e-8)
    agree(bars["sine_wave_lead"], lead, converged=500, limit=1e-8)
    agree(bars["trendline_distance"], distance(bars, talib.HT_TRENDLINE(bars.close)), converged=500, limit=1e-8)


def test_candles(bars):
    atr = talib.ATR(bars.high, bars.low, bars.close, 14)
    open_, _, _, close = talib.HA(bars.open, bars.high, bars.low, bars.close)
    agree(bars["heikin_ashi"] * atr, close - open_, converged=100)
    agree(bars["chandelier_20_long"] * atr, talib.MAX(bars.high, 20) - bars.close)
    agree(bars["chandelier_20_short"] * atr, bars.close - talib.MIN(bars.low, 20))
