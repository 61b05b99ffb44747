"""One-minute bars as rows of the catalogue, labelled up or down over several horizons, in folds that walk forward.

    coins = [recording("BTCUSDT.parquet"), recording("ETHUSDT.parquet")]
    for fold in folds(coins):
        model.fit(fold.train, fold.valid)     # a recording a coin, labels (n, 4) of HORIZONS
        model.logits(fold.test)

Two classes: 0 down, 1 up. A price that is where it was has no label.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from smartcore.learn.data import Series
from smartcore.learn.datasets.recording import Recording
from smartcore.learn.evaluate import walk_forward

COLUMNS = (
    "log_return_1", "log_return_5", "log_return_20", "log_return_60",
    "sma_distance_20", "sma_distance_50", "ema_distance_10", "ema_distance_30", "ema_distance_100",
    "macd_12_26_9_histogram", "adx_14", "di_14", "aroon_25", "efficiency_ratio_10", "efficiency_ratio_50",
    "regression_slope_20", "regression_residual_20", "rsi_7", "rsi_14", "stochastic_14_3_k", "cci_20", "mfi_14",
    "donchian_20", "donchian_100", "streak", "balance_of_power_14",
    "atr_14", "bollinger_20_2", "bollinger_20_2_width", "volatility_20", "volatility_100", "parkinson_20",
    "range_ratio_5_20", "jump_share_20", "drawdown_100", "runup_100",
    "obv_20", "vwap_distance_20", "vwap_distance_100", "relative_volume_20", "relative_volume_100",
    "chaikin_money_flow_20", "force_index_13", "volume_zscore_50", "bulk_imbalance_20",
    "candle_body", "candle_upper", "candle_lower",
    "zscore_50", "rank_20", "rank_100", "skew_50", "autocorrelation_50", "return_t_20", "variance_ratio_100_4",
    "up_share_10", "price_volume_correlation_20", "return_volume_correlation_50",
    "time_of_day_sin", "time_of_day_cos",
)  # fmt: skip
"""Sixty, none of which knows the level of a price."""

HORIZONS = (1, 5, 15, 60)
"""Bars ahead."""
WARM_UP = 120
"""First bars of a recording, which are left out: the columns are not yet themselves."""
MINUTE = 60_000_000_000


@dataclass(frozen=True)
class Fold:
    """A recording a coin in each piece; pieces are later and later, and share no label, window or state."""

    train: list[Series]
    valid: list[Series]
    test: list[Series]


def recording(path: str | os.PathLike[str], name: str = "") -> Recording:
    """The bars of a file, each a row known at its end; ``mid`` is the close."""
    import smartcore as sc

    events = sc.read(path, format="ohlcv")
    ts, rows = sc.Engine(list(COLUMNS)).run(events, sample="bar", return_ts=True)
    close = events.view(sc.BAR)["close"].astype(np.float64)
    rest = slice(WARM_UP, None)
    return Recording(name or Path(path).stem, COLUMNS, ts[rest], rows[rest].astype(np.float32), close[rest])


def moves(close: NDArray[np.float64], horizon: int) -> NDArray[np.float64]:
    """Log return over the next ``horizon`` bars, (n,); NaN at the end."""
    out = np.full(len(close), np.nan)
    if len(close) > horizon:
        out[:-horizon] = np.log(close[horizon:] / close[:-horizon])
    return out


def labelled(r: Recording, rows: slice) -> Series:
    """A stretch of a recording with the labels (n, 4) that its own closes give."""
    move = np.stack([moves(r.mid[rows], horizon) for horizon in HORIZONS], axis=1)
    label = np.where(move > 0, 1, np.where(move < 0, 0, -1)).astype(np.int8)
    return Series(r.ts[rows], r.rows[rows], r.mid[rows], label)


def folds(coins: Sequence[Recording], tests: int = 5, valid: float = 0.2, embargo: int = 60) -> list[Fold]:
    """``tests`` tests that tile the end of the recordings, each trained on all that was before it.

    The last ``valid`` of the bars before a test are its validation. Between two pieces ``embargo`` bars are left out,
    and labels are made of a piece's own closes, so that none reaches into the next. All coins are cut at the same
    times. Raises ValueError where their clocks differ, or there are too few bars.
    """
    ts = coins[0].ts
    if any(not np.array_equal(coin.ts, ts) for coin in coins):
        raise ValueError(f"bars at different times: {', '.join(coin.name for coin in coins)}")
    out = []
    for split in walk_forward(ts, ts + HORIZONS[-1] * MINUTE, tests, embargo=embargo * MINUTE):
        known, begin, end = len(split.train), int(split.test[0]), int(split.test[-1]) + 1
        cut = int(known * (1 - valid))
        if cut + embargo + HORIZONS[-1] >= known:
            raise ValueError(f"{len(ts)} bars are too few for {tests} tests with {embargo} bars between their pieces")
        pieces = (slice(0, cut), slice(cut + embargo, known), slice(begin, end))
        out.append(Fold(*([labelled(coin, piece) for coin in coins] for piece in pieces)))
    return out
