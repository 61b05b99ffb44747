"""What ``decide()`` is given beside the row: where its columns are, and the circumstances of the moment."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smartcore.decide.decision import Regime

Column = tuple[str, float, float]
"""Name and the range of believable values; one outside, infinite or NaN is not known."""

TECHNICAL: tuple[Column, ...] = (
    ("macd_12_26_9_histogram", -1.0, 1.0),
    ("ema_distance_30", -1.0, 10.0),
    ("di_14", -100.0, 100.0),
    ("aroon_25", -100.0, 100.0),
    ("rsi_14", 0.0, 100.0),
    ("bollinger_20_2", -10.0, 10.0),
    ("stochastic_14_3_k", 0.0, 100.0),
    ("mfi_14", 0.0, 100.0),
    ("trade_imbalance_10s", -1.0, 1.0),
    ("queue_imbalance_l1", -1.0, 1.0),
    ("ofi_l1_10s", -1e9, 1e9),
)
REGIME: tuple[Column, ...] = (
    ("volatility_percentile_20_250", 0.0, 1.0),
    ("efficiency_ratio_10", 0.0, 1.0),
    ("efficiency_ratio_50", 0.0, 1.0),
    ("adx_14", 0.0, 100.0),
    ("di_14", -100.0, 100.0),
    ("regression_slope_20", -10.0, 10.0),
    ("regression_r2_20", 0.0, 1.0),
    ("regression_slope_100", -10.0, 10.0),
    ("regression_r2_100", 0.0, 1.0),
    ("relative_volume_20", 0.0, 1e9),
    ("donchian_20", -0.5, 1.5),
)
RISK: tuple[Column, ...] = (
    ("fhs_500_sigma", 1e-12, 1.0),
    ("fhs_500_var95", 1e-12, 1.0),
    ("fhs_500_var99", 1e-12, 1.0),
    ("fhs_500_es95", 1e-12, 1.0),
    ("fhs_500_es99", 1e-12, 1.0),
)
BOOK: tuple[Column, ...] = (
    ("spread", -1e4, 1e4),  # negative where the book is crossed
    ("queue_imbalance_l1", -1.0, 1.0),
)
COLUMNS = TECHNICAL + REGIME + RISK + BOOK

NAN = math.nan
HUGE = 1e300
"""Larger numbers are treated as infinite: their products would be."""


class Inputs:
    """Positions of the columns ``decide()`` reads, resolved once for a feature set. Immutable.

    ``missing`` names those the feature set lacks; they read as not known. ``size`` is the width of the rows
    it fits.
    """

    __slots__ = ("_absent", "_index", "_limits", "missing", "size")

    def __init__(self, feature_columns: Iterable[str]) -> None:
        columns = tuple(feature_columns)
        where = {name: i for i, name in enumerate(columns)}
        self.size = len(columns)
        index = [where.get(name, -1) for name, _, _ in COLUMNS]
        self._absent = tuple(i for i, at in enumerate(index) if at < 0)
        self._index: NDArray[np.intp] = np.array([max(at, 0) for at in index], np.intp)
        self._limits = tuple((low, high) for _, low, high in COLUMNS)
        self.missing = tuple(dict.fromkeys(name for name, _, _ in COLUMNS if name not in where))

    def read(self, row: NDArray[np.float64]) -> list[float]:
        """The values of ``COLUMNS``, in that order, as plain floats; NaN where not known. Raises ValueError
        for a foreign row.
        """
        if len(row) != self.size:
            raise ValueError(f"row: {len(row)} values for a feature set of {self.size} columns")
        if not self.size:
            return [NAN] * len(COLUMNS)
        # One gather and one tolist: a NumPy scalar at a time would cost 50 ns each and slow all arithmetic
        # after it.
        raw = row[self._index].tolist()
        values = [x if low <= x <= high else NAN for x, (low, high) in zip(raw, self._limits, strict=True)]
        for i in self._absent:
            values[i] = NAN
        return values


@dataclass(frozen=True, slots=True)
class Context:
    """The circumstances of one decision. Whoever holds the clock, the account and the book fills it in.

    ``ts`` now and ``as_of`` of the newest data, int64 ns; ``sequence`` counts decisions and is never reused
    for a symbol; ``bar`` the engine's bar count (-1: every call is a new bar), ``bar_ns`` the usual length of
    a bar.
    ``position`` signed contracts; ``equity`` in quote currency, None unknown; ``drawdown`` from the peak as a
    fraction.
    ``latency_ns`` measured from event to exchange; ``scores_age_ns`` how old the model's scores are.
    ``bid_size`` and ``ask_size`` at the touch, in contracts; ``regime`` that of the previous decision, None
    at the start; ``calibrated`` names the models whose scores are calibrated probabilities.
    ``lot``, ``tick``, ``multiplier``, ``min_size``, ``fee_bps`` (one side) describe the instrument. Raises
    ValueError where these cannot be meant; everything else may be as bad as the day, ``decide()`` answers it
    with a gate.
    """

    inputs: Inputs
    ts: int
    as_of: int
    price: float
    symbol: str = ""
    sequence: int = 0
    bar: int = -1
    bar_ns: int = 60_000_000_000
    position: float = 0.0
    equity: float | None = None
    drawdown: float = 0.0
    latency_ns: int | None = None
    scores_age_ns: int = 0
    book_stale: bool = False
    book_crossed: bool = False
    bid_size: float | None = None
    ask_size: float | None = None
    regime: Regime | None = None
    calibrated: frozenset[str] = frozenset()
    lot: float = 1.0
    tick: float = 0.0
    multiplier: float = 1.0
    min_size: float = 0.0
    fee_bps: float | None = None

    def __post_init__(self) -> None:
        if not (
            0.0 < self.lot < HUGE and 0.0 < self.multiplier < HUGE and 0.0 <= self.tick < HUGE
            and 0.0 <= self.min_size < HUGE and self.bar_ns > 0
        ):
            for name in ("lot", "multiplier", "bar_ns"):
                if not 0 < getattr(self, name) < HUGE:
                    raise ValueError(f"{name}: {getattr(self, name)!r} is not a positive finite number")
            for name in ("tick", "min_size"):
                if not 0 <= getattr(self, name) < HUGE:
                    raise ValueError(f"{name}: {getattr(self, name)!r} is not a finite number from 0")
