"""LOBSTER: NASDAQ order-book messages with the visible book after each.

Source of the format: https://lobsterdata.com/info/DataStructure.php
"""

from __future__ import annotations

import os
import re
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from smartcore.errors import InvalidData
from smartcore.market.events import EVENT, Flag, Kind
from smartcore.market.readers import NULL, Events, Source, Table, count, in_order, load

_EMPTY = 9_999_999_999  # price of a level that does not exist, with the sign of the side
_TRADES, _CROSS, _HALT = (4, 5), 6, 7
_MESSAGE = ("time", "type", "order_id", "size", "price", "direction")


def read(
    source: Source,
    *,
    price_scale: float = 1e-4,
    book: str | os.PathLike[str] | None = None,
    date: str | None = None,
    out_of_order: Literal["raise", "clamp"] = "raise",
    counts: dict[str, int] | None = None,
) -> Events:
    """Messages and books as events, shape (n,): a TRADE for each execution, and DEPTH for what changed.

    ``source`` has one row per message, holding the book *after* it: ``ts_event`` (or ``ts_recv``), ``type``,
    ``size``, ``price``, ``direction`` and for each level k ``ask_px_k ask_sz_k bid_px_k bid_sz_k``. Or it is
    LOBSTER's own ``*_message_*.csv``; then ``book`` is the ``*_orderbook_*.csv`` (by default the one beside
    it) and ``date`` "YYYY-MM-DD" (by default from the file name), whose times are New York's.

    Depth events turn the visible book before a message into the visible book after it, so a book built from
    them equals the file's columns after every message: levels that enter from below are added, those that
    leave are removed. The first row is a snapshot. Types 4 and 5 are trades; the aggressor is the side
    opposite to the resting order. Auction prints (6) and halts (7) are no trades and no gaps: they are
    counted in ``counts`` as ``crosses`` and ``halts``. Prices are multiplied by ``price_scale``; 1 keeps the
    file's integers. Raises ``InvalidData`` and ``OutOfOrder``.
    """
    table = load(source)
    if "ask_px_1" in table.names:
        messages = table
        ts_name = table.first(("ts_recv", "ts_event")) or "ts_event"
        ts = table.times(ts_name)
    else:
        messages, table = _native(table, book)
        ts_name, ts = "time", _native_times(messages, date)
    kind, direction, size, price = (
        messages.integers(name) for name in ("type", "direction", "size", "price")
    )
    for name, values in (
        ("type", kind),
        ("direction", direction),
        ("size", size),
        ("price", price),
        (ts_name, ts),
    ):
        messages.require(values != NULL, name, "a value in every row")
    ts = in_order(ts, messages, ts_name, out_of_order, counts)
    count(counts, "crosses", int((kind == _CROSS).sum()))
    count(counts, "halts", int((kind == _HALT).sum()))

    trade = np.flatnonzero(np.isin(kind, _TRADES))
    messages.require(~np.isin(kind, _TRADES) | np.isin(direction, (-1, 1)), "direction", "1 or -1")
    messages.require(
        ~np.isin(kind, _TRADES) | ((price > 0) & (size > 0)), "price", "a price and a size above 0"
    )
    changes = [_changes(*_side(table, name)) for name in ("bid", "ask")]

    # Sorted by row; within a row the trade, then removals, then new totals, bids before asks.
    row = np.concatenate([trade, *(c[0] for c in changes)])
    ticks = np.concatenate([price[trade], *(c[1] for c in changes)])
    total = np.concatenate([size[trade], *(c[2] for c in changes)])
    sides = (np.full(len(rows), sign) for sign, (rows, _, _) in zip((1, -1), changes, strict=True))
    side = np.concatenate([-direction[trade], *sides])
    is_trade = np.arange(len(row)) < len(trade)
    order = np.lexsort((~is_trade & (total > 0), ~is_trade, row))
    row, is_trade = row[order], is_trade[order]

    events = np.zeros(len(row), EVENT)
    events["ts"] = ts[row]
    events["kind"] = np.where(is_trade, Kind.TRADE, Kind.DEPTH)
    events["side"], events["v1"] = side[order], total[order]
    events["v0"] = _scaled(ticks[order], price_scale)
    last = ~is_trade & np.append(row[1:] != row[:-1], np.ones(min(len(row), 1), bool))
    events["flags"] = np.where(last, Flag.LAST, 0)
    first = np.flatnonzero(~is_trade & (row == 0))[:1]
    events["flags"][first] |= np.uint8(Flag.SNAPSHOT)
    return events


def _side(table: Table, name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Prices and sizes of one side, each (rows, levels); a level that does not exist has size 0."""
    levels = 0
    while f"{name}_px_{levels + 1}" in table.names:
        levels += 1
    table.need(f"{name}_px_1", f"{name}_sz_1")
    price = np.stack([table.integers(f"{name}_px_{k}") for k in range(1, levels + 1)], axis=1)
    size = np.stack([table.integers(f"{name}_sz_{k}") for k in range(1, levels + 1)], axis=1)
    empty = (np.abs(price) == _EMPTY) | (price == NULL) | (size == NULL)
    for k in range(levels):
        table.require(empty[:, k] | (size[:, k] >= 0), f"{name}_sz_{k + 1}", "not negative")
        table.require(empty[:, k] | (size[:, k] == 0) | (price[:, k] > 0), f"{name}_px_{k + 1}", "above 0")
    return price, np.where(empty, 0, size)


def _changes(
    price: NDArray[np.int64], size: NDArray[np.int64]
) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int64]]:
    """What turns each row's levels into the next's: (row, price, new total), by row, all of the first row."""
    # Most rows leave a side as it was; comparing each level with each is for the others.
    changed = np.append(True, ((price[1:] != price[:-1]) | (size[1:] != size[:-1])).any(axis=1))[: len(price)]
    rows = np.flatnonzero(changed)
    block = max(
        1, 2**22 // price.shape[1] ** 2
    )  # of rows, so that comparing takes megabytes at any number of levels
    pieces = [_compared(price, size, rows[i : i + block]) for i in range(0, max(len(rows), 1), block)]
    row, level, total = (np.concatenate(column) for column in zip(*pieces, strict=True))
    return row, level, total


def _compared(
    price: NDArray[np.int64], size: NDArray[np.int64], rows: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int64]]:
    """What turns the levels before each of ``rows`` into its own; before row 0 there are none."""
    new, new_size = price[rows], size[rows]
    before = np.maximum(rows - 1, 0)
    old, old_size = price[before], np.where(rows[:, None] > 0, size[before], 0)
    same = new[:, :, None] == old[:, None, :]
    kept = (same & (new_size[:, :, None] == old_size[:, None, :])).any(axis=2)
    stays = (same & (new_size[:, :, None] > 0)).any(axis=1)
    gone_row, gone = np.nonzero((old_size > 0) & ~stays)
    set_row, set_level = np.nonzero((new_size > 0) & ~kept)
    return (
        np.concatenate([rows[gone_row], rows[set_row]]),
        np.concatenate([old[gone_row, gone], new[set_row, set_level]]),
        np.concatenate([np.zeros(len(gone), np.int64), new_size[set_row, set_level]]),
    )


def _scaled(ticks: NDArray[np.int64], scale: float) -> NDArray[np.float64]:
    """``ticks * scale``, as a division where that rounds right: 5000100 is 500.01, not 500.01000000000005."""
    whole = round(1 / scale) if 0 < scale < 1 else 0
    return np.divide(ticks, whole) if whole and abs(whole * scale - 1) < 1e-12 else np.multiply(ticks, scale)


def _native(messages: Table, book: str | os.PathLike[str] | None) -> tuple[Table, Table]:
    """LOBSTER's own pair of files without headers, their columns named as ours."""
    numbered = [str(i) for i in range(len(_MESSAGE))]
    if messages.names != set(numbered):
        messages.need("type", "direction", "size", "price", "ask_px_1", "ask_sz_1", "bid_px_1", "bid_sz_1")
    if book is None and messages.path is not None:
        beside = messages.path.with_name(messages.path.name.replace("_message_", "_orderbook_"))
        book = beside if beside != messages.path and beside.exists() else None
    if book is None:
        raise InvalidData(
            f"{messages.label}: no order-book file beside it; pass book='..._orderbook_....csv'"
        )
    books = load(Path(book))
    width = len(books.names)
    if len(books) != len(messages) or width % 4:
        raise InvalidData(
            f"{books.label}: {len(books)} rows of {width} columns; expected {len(messages)} of four a level"
        )
    names = ("ask_px", "ask_sz", "bid_px", "bid_sz")
    columns = {str(i): f"{names[i % 4]}_{i // 4 + 1}" for i in range(width)}
    return messages.rename(dict(zip(numbered, _MESSAGE, strict=True))), books.rename(columns)


def _native_times(messages: Table, date: str | None) -> NDArray[np.int64]:
    """Seconds after midnight in New York as ns UTC."""
    found = re.search(r"\d{4}-\d{2}-\d{2}", messages.label)
    if date is None and found is None:
        raise InvalidData(f"{messages.label}: no date in the file name; pass date='YYYY-MM-DD'")
    from zoneinfo import ZoneInfo

    day = datetime.fromisoformat(date or found[0]).replace(tzinfo=ZoneInfo("America/New_York"))  # type: ignore[index]
    # 34200.004241176 has 14 digits: float64 holds it to the nanosecond.
    seconds = messages.floats("time")
    messages.require(np.isfinite(seconds), "time", "seconds after midnight")
    return int(day.timestamp()) * 1_000_000_000 + np.round(seconds * 1e9).astype(np.int64)
