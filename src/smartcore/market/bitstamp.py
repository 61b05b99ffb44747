"""Bitstamp's order-by-order feed: orders summed to level totals, trades, and the exchange's own snapshots."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from smartcore.market.events import EVENT, Flag, Kind
from smartcore.market.events import trades as trade_events
from smartcore.market.readers import NULL, Events, Source, Table, count, in_order, load

_ACTIONS = {"created": 1, "changed": 2, "deleted": 3}
_DELETED = _ACTIONS["deleted"]
_SIDES = {"bid": 1, "ask": -1}
_SATOSHI = 100_000_000


def read(
    source: Source,
    *,
    trades: Source | None = None,
    out_of_order: Literal["raise", "clamp"] = "raise",
    counts: dict[str, int] | None = None,
) -> Events:
    """Events, shape (n,), of one file of a recording, or of orders and ``trades`` interleaved by ``msg``.

    ``source`` is one of orders (``order_id action side price size_sat``, action created, changed or deleted,
    size remaining): DEPTH events, a level's total over the orders seen so far; trades (``trade_id price
    size``): TRADE events of unknown side; top levels (``side level price size_sat``): DEPTH events, each
    message a snapshot. All have ``msg``, the number of the line in the one recording, and ``ts_recv``.
    ``size_sat`` counts 1e-8 of a coin; ``size`` in coins is read where it is absent.

    Orders that stood before the recording began are not in the totals until a change names them. An order may
    change its price. A line about an order after its deletion is dropped (the feed swaps lines within
    milliseconds, and such an order would stand for ever). Marketable orders are announced before they trade,
    so the book is crossed for moments.

    ``counts`` receives ``unknown`` (deletions of orders never seen) and ``dropped`` (lines after a deletion).
    Raises ``InvalidData`` naming column and row, ``OutOfOrder`` where time goes back.
    """
    table = load(source)
    if "action" in table.names:
        message, events = _orders(table, counts)
    elif "level" in table.names:
        message, events = _snapshots(table)
    else:
        message, events = _trades(table)
    if trades is not None:
        other, traded = _trades(load(trades))
        message, events = np.append(message, other), np.append(events, traded)
        order = np.argsort(message, kind="stable")
        events = events[order]
    events["ts"] = in_order(events["ts"], table, "ts_recv", out_of_order, counts)
    return events


def _orders(table: Table, counts: dict[str, int] | None) -> tuple[NDArray[np.int64], Events]:
    table.need("msg", "order_id", "action", "side", "price")
    message, ts, price, size = _columns(table)
    action, side = table.codes("action", _ACTIONS), table.codes("side", _SIDES)
    table.require(action != 0, "action", f"one of {', '.join(_ACTIONS)}")
    table.require(side != 0, "side", "bid or ask")
    identity = table.integers("order_id")
    table.require(identity != NULL, "order_id", "an order id")
    left = np.where(action == _DELETED, 0, size)

    # The lines of each order in sequence; those after its deletion are dropped.
    lines = np.argsort(identity, kind="stable")
    first = np.append(True, identity[lines][1:] != identity[lines][:-1])[: len(lines)]
    deletions = np.cumsum(action[lines] == _DELETED) - (action[lines] == _DELETED)
    dead = deletions > np.maximum.accumulate(np.where(first, deletions, 0))
    count(counts, "dropped", int(dead.sum()))
    count(counts, "unknown", int((first & (action[lines] == _DELETED)).sum()))
    lines, first = lines[~dead], first[~dead]

    # A line takes the order's old size from the level it stood at and adds the new to the level it names.
    old = np.where(first, 0, np.roll(left[lines], 1))
    old_price = np.where(first, price[lines], np.roll(price[lines], 1))
    stays = old_price == price[lines]
    moved = ~stays & (old > 0)
    line = np.concatenate([lines[moved], lines])
    level = np.concatenate([old_price[moved], price[lines]])
    change = np.concatenate([-old[moved], left[lines] - np.where(stays, old, 0)])
    line, level, change = (values[change != 0] for values in (line, level, change))
    order = np.argsort(line, kind="stable")  # a removal stays before the addition of its line
    line, level, change = line[order], level[order], change[order]

    # Running totals per level, in whole satoshi so that a level ends at exactly 0.
    group = np.lexsort((level, side[line]))
    starts = np.append(True, (np.diff(level[group]) != 0) | (np.diff(side[line][group]) != 0))[: len(group)]
    running = np.cumsum(change[group])
    before = np.maximum.accumulate(np.where(starts, np.arange(len(group)), 0))
    total = np.empty_like(change)
    total[group] = running - (running - change[group])[before]

    events = np.zeros(len(line), EVENT)
    events["ts"], events["kind"], events["side"] = ts[line], Kind.DEPTH, side[line]
    events["v0"], events["v1"] = level, total / _SATOSHI
    message = message[line]
    events["flags"] = np.where(_ends(message), Flag.LAST, 0)
    return message, events


def _snapshots(table: Table) -> tuple[NDArray[np.int64], Events]:
    table.need("msg", "side", "price")
    message, ts, price, size = _columns(table)
    events = np.zeros(len(table), EVENT)
    events["ts"], events["kind"], events["side"] = ts, Kind.DEPTH, table.codes("side", _SIDES)
    table.require(events["side"] != 0, "side", "bid or ask")
    events["v0"], events["v1"] = price, size / _SATOSHI
    ends = _ends(message)
    events["flags"] = np.where(ends, Flag.LAST, 0) | np.where(np.roll(ends, 1), Flag.SNAPSHOT, 0)
    return message, events


def _trades(table: Table) -> tuple[NDArray[np.int64], Events]:
    table.need("msg", "price")
    message, ts, price, size = _columns(table)
    return message, trade_events(ts, price, size / _SATOSHI)


def _columns(
    table: Table,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Message number, time, price, and size in satoshi."""
    message, price = table.integers("msg"), table.floats("price")
    table.require(np.append(True, message[1:] >= message[:-1])[: len(message)], "msg", "not decreasing")
    ts_name = table.first(("ts_recv", "ts_event")) or "ts_recv"
    ts = table.times(ts_name)
    table.require(ts != NULL, ts_name, "a time")
    table.require(np.isfinite(price) & (price > 0), "price", "a finite price above 0")
    if "size_sat" in table.names:
        name, size = "size_sat", table.integers("size_sat")
    else:
        name, coins = "size", table.floats("size")
        table.require(np.isfinite(coins), name, "a size")
        size = np.round(coins * _SATOSHI).astype(np.int64)
    table.require(size >= 0, name, "not negative")
    return message, ts, price, size


def _ends(message: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.append(message[1:] != message[:-1], np.ones(min(len(message), 1), bool))
