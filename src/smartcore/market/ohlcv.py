"""Bars from files and frames with ordinary column names."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from smartcore.errors import InvalidData
from smartcore.market.events import bars
from smartcore.market.readers import NULL, Events, Source, Table, count, load

_PRICES = ("open", "high", "low", "close")
_VOLUME = ("volume", "vol", "base_volume")
_TURNOVER = ("turnover", "quote_volume", "quote_asset_volume")
_CLOSE_TIMES = ("ts_close", "close_time")
_SYMBOL = ("symbol", "ticker", "instrument")
_SECONDS = {
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "s": 1,
    "m": 60,
    "min": 60,
    "h": 3600,
    "d": 86400,
    "w": 604800,
}


def read(
    source: Source,
    *,
    interval: str | int | timedelta | np.timedelta64 | None = None,
    stamped: Literal["open", "close"] | None = None,
    time: str | None = None,
    unit: str | None = None,
    symbol: str | None = None,
    invalid: Literal["raise", "drop"] = "raise",
    counts: dict[str, int] | None = None,
) -> Events:
    """BAR events, shape (n,), whose ``ts`` is the *end* of each bar: before that it is not known.

    ``source`` has open, high, low, close in any case, usually volume (0 where there is no such column),
    perhaps turnover (also quote_volume), and a time: a column (ts, ts_open, open_time, time, timestamp, date,
    datetime ...) or a DatetimeIndex. Times are UTC; numbers are ns, us, ms or s by their size, or in
    ``unit``.

    ``stamped="open"`` (the default, and the custom of exchanges) means the time is the bar's beginning and
    ``interval`` is added: "1m", "4h", "1d", nanoseconds, a timedelta, or by default the median step.
    ``stamped="close"`` (the default for a column ts_close or close_time) takes it as it is. ``time`` names
    the column; ``symbol`` picks one instrument from a file of several.

    A null, a price that is not above 0, high or low that do not enclose open and close, a negative volume,
    and a time that is not after the one before raise ``InvalidData`` naming column and row, or with
    ``invalid="drop"`` the rows are left out and counted in ``counts["invalid"]``.
    """
    table = load(source)
    if invalid not in ("raise", "drop"):
        raise ValueError(f"invalid={invalid!r}; expected 'raise' or 'drop'")
    if stamped not in (None, "open", "close"):
        raise ValueError(f"stamped={stamped!r}; expected 'open' or 'close'")
    name = table.time_name(time, _CLOSE_TIMES)
    table.need(*_PRICES)
    chosen = _chosen(table, symbol)

    ts = table.times(name, unit)
    price = {column: table.floats(column) for column in _PRICES}
    volume_name, turnover_name = table.first(_VOLUME), table.first(_TURNOVER)
    volume = table.floats(volume_name) if volume_name else np.zeros(len(table))
    turnover = table.floats(turnover_name) if turnover_name else np.zeros(len(table))

    low, high = np.minimum(price["open"], price["close"]), np.maximum(price["open"], price["close"])
    checks = [
        (ts != NULL, name, "a time"),
        *((np.isfinite(values) & (values > 0), column, "a finite price above 0") for column, values in price.items()),
        (~(price["high"] < high), "high", "not below open, low or close"),
        (~(price["low"] > low), "low", "not above open or close"),
        (np.isfinite(volume) & (volume >= 0), volume_name or "volume", "finite and not negative"),
        (np.isfinite(turnover) & (turnover >= 0), turnover_name or "turnover", "finite and not negative"),
    ]
    good = chosen.copy()
    for ok, column, expected in checks:
        if invalid == "raise":
            table.require(ok | ~chosen, column, expected)
        good &= ok
    newest = np.maximum.accumulate(np.where(good, ts, NULL))
    later = np.append(True, ts[1:] > newest[:-1])[: len(ts)]
    if invalid == "raise":
        table.require(later | ~good, name, "after the time of the row before; sort the bars, each time once")
    good &= later
    count(counts, "invalid", int((chosen & ~good).sum()))

    ts = ts[good]
    if (stamped or ("close" if name in _CLOSE_TIMES else "open")) == "open":
        ts = ts + (_median_step(ts, table) if interval is None else _nanoseconds(interval))
    opened, highest, lowest, closed = (price[column][good] for column in _PRICES)
    return bars(ts, opened, highest, lowest, closed, volume[good], turnover[good])


def _chosen(table: Table, symbol: str | None) -> NDArray[np.bool_]:
    """Which rows are of the one instrument asked for."""
    column = table.first(_SYMBOL)
    if column is None:
        if symbol is not None:
            table.need(_SYMBOL[0])
        return np.ones(len(table), bool)
    index, words = table.texts(column)
    if symbol is not None and symbol not in words:
        raise InvalidData(f"{table.label}: column {column!r}: no {symbol!r}; found: {_some(words)}")
    if symbol is None and len(words) > 1:
        raise InvalidData(f"{table.label}: column {column!r} has {len(words)} symbols ({_some(words)}); pass symbol=")
    return index == words.index(symbol) if symbol is not None else np.ones(len(table), bool)


def _some(words: tuple[str, ...]) -> str:
    return ", ".join(words[:8]) + (" ..." if len(words) > 8 else "")


def _median_step(ts: NDArray[np.int64], table: Table) -> int:
    if len(ts) == 1:
        raise InvalidData(f"{table.label}: one bar does not tell its length; pass interval= or stamped='close'")
    return int(np.median(np.diff(ts))) if len(ts) else 0


def _nanoseconds(interval: str | int | timedelta | np.timedelta64) -> int:
    if isinstance(interval, str):
        text = interval if interval.endswith("M") else interval.lower()  # "1M" is a month, of no fixed length
        match = re.fullmatch(r"(\d+) ?(ns|us|ms|s|m|min|h|d|w)", text)
        nanoseconds = round(int(match[1]) * _SECONDS[match[2]] * 1e9) if match else 0
    elif isinstance(interval, np.timedelta64):
        nanoseconds = int(interval.astype("timedelta64[ns]").astype(np.int64))
    elif isinstance(interval, timedelta):
        nanoseconds = interval // timedelta(microseconds=1) * 1000
    else:
        nanoseconds = int(interval)
    if nanoseconds <= 0:
        raise ValueError(f"interval={interval!r}; expected such as '1m', '4h', '1d', a timedelta or nanoseconds")
    return nanoseconds
