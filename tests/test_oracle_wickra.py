# ruff: noqa: E501, F811  (the table below; a fixture that is imported)
"""wickra as the oracle of what TA-Lib does not have; conventions as in test_oracle_talib.

| column | wickra | difference | what the test does |
| --- | --- | --- | --- |
| kst | KST | theirs is in per cent | compared from the first value |
| demarker | TDDeMarker | none | compared from the first value |
| relative_vigor | RVI | none | compared from the first value |
| laguerre_rsi | LaguerreRSI | theirs is in per cent and begins elsewhere | compared once both have converged |
| fisher | FisherTransform | theirs is of the close | on bars whose middle is their close |
| schaff_trend_cycle | STC | theirs begins elsewhere, and is of a difference of two averages | compared once both have converged, at 1e-7 |
| choppiness | ChoppinessIndex | theirs may begin a bar earlier | compared from the second window |
| rogers_satchell, yang_zhang | RogersSatchellVolatility, YangZhangVolatility | theirs are in per cent a year | of one year of one bar |
| ulcer_index | UlcerIndex | theirs is in per cent | compared from the second window |
| vidya_distance | VIDYA | ours is 1 - average / close; theirs begins elsewhere | compared once both have converged |
| ichimoku | Ichimoku | ours are distances over the close | from theirs |
| wave_trend | WaveTrend | their averages begin otherwise | compared once both have converged |
| cyber_cycle | CyberneticCycle | ours is over the close | times close |
| even_better_sinewave, reflex | EVENBETTERSINE, REFLEX, TRENDFLEX | none | compared once both have converged |

Not compared: roofing_filter (theirs has a high-pass of one pole, Ehlers' and ours has two), decycler_oscillator (theirs takes .707 for
the root of a half, which shows in the third digit), squeeze (their momentum is of another centre), klinger (another sum of ranges).
"""

from __future__ import annotations

import numpy as np
import pytest
from test_oracle_talib import Bars, agree, bars  # noqa: F401

wickra = pytest.importorskip("wickra", reason="wickra is not installed")


def run(indicator, values):
    """A column, or one for each output."""
    rows = [indicator.update(value) for value in values]
    width = next(np.size(row) for row in rows if row is not None)
    table = np.array([[np.nan] * width if row is None else np.ravel(row) for row in rows], float)
    return table.T if width > 1 else table[:, 0]


def candles(b):
    columns = (b.open, b.high, b.low, b.close, b.volume)
    return [(*row, i) for i, row in enumerate(zip(*(c.tolist() for c in columns), strict=True))]


def test_momentum(bars):
    agree(bars["kst"], run(wickra.KST(), bars.close)[0] / 100, converged=60)
    agree(bars["demarker_14"], run(wickra.TDDeMarker(14), candles(bars)))
    agree(bars["relative_vigor_10"], run(wickra.RVI(10), candles(bars)))
    agree(bars["laguerre_rsi_0.5"], run(wickra.LaguerreRSI(0.5), bars.close) / 100, converged=500)
    points = bars.events.copy()
    points["v0"] = points["v1"] = points["v2"] = points["v3"]
    agree(Bars(points)["fisher_10"], run(wickra.FisherTransform(10), bars.close), converged=500)
    agree(bars["schaff_trend_cycle_10_23_50"], run(wickra.STC(), bars.close), converged=2000, limit=1e-7)


def test_ranges(bars):
    agree(bars["choppiness_14"], run(wickra.ChoppinessIndex(14), candles(bars)), converged=60)
    agree(bars["rogers_satchell_20"], run(wickra.RogersSatchellVolatility(20, 1), candles(bars)) / 100, converged=60)
    agree(bars["yang_zhang_20"], run(wickra.YangZhangVolatility(20, 1), candles(bars)) / 100, converged=60)
    agree(bars["ulcer_index_14"], run(wickra.UlcerIndex(14), bars.close) / 100, converged=60)


def test_trend(bars):
    agree(bars["vidya_distance_20_10"], 1 - run(wickra.VIDYA(20, 10), bars.close) / bars.close, converged=2000)
    fast, slow, first, second, _ = run(wickra.Ichimoku(), candles(bars))
    agree(bars["ichimoku"], (fast - slow) / bars.close)
    above, below = bars.close - np.fmax(first, second), bars.close - np.fmin(first, second)
    agree(bars["ichimoku_cloud"], np.where(above > 0, above, np.minimum(below, 0)) / bars.close, converged=100)


def test_cycles(bars):
    agree(bars["cyber_cycle_28"], run(wickra.CyberneticCycle(28), bars.close) / bars.close, converged=600)
    agree(bars["even_better_sinewave_40_10"], run(wickra.EVENBETTERSINE(40, 10), bars.close), converged=600)
    agree(bars["reflex_20"], run(wickra.REFLEX(20), bars.close), converged=1500)
    agree(bars["reflex_20_trend"], run(wickra.TRENDFLEX(20), bars.close), converged=1500)


def test_wave_trend(bars):
    line, signal = run(wickra.WaveTrend(10, 21, 4), candles(bars))
    agree(bars["wave_trend_10_21"], line, converged=600)
    agree(bars["wave_trend_10_21_histogram"], line - signal, converged=600)
