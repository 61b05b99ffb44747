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
| regression_residual | LINEARREG, STDDEV | none | (close - LINEARREG) / STDDEV, at 1e-7 |
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
