"""Tick quotes: a time, a bid and an ask, with sizes where the feed has them."""

from __future__ import annotations

from typing import Literal

import numpy as np

from smartcore.market.events import quotes
from smartcore.market.readers import NULL, Events, Source, count, in_order, load

_BID_SIZE = ("bid_size", "bid_volume", "bid_qty")
_ASK_SIZE = ("ask_size", "ask_volume", "ask_qty")


def read(
    source: Source,
    *,
    time: str | None = None,
    unit: str | None = None,
    invalid: Literal["raise", "drop"] = "raise",
    out_of_order: Literal["raise", "clamp"] = "raise",
    counts: dict[str, int] | None = None,
) -> Events:
    """QUOTE events, shape (n,), from ``bid``, ``ask``, a time, and if there ``bid_size``, ``ask_size``.

    Crossed and locked quotes are kept: real feeds have them, and the engine counts them. Sizes are 0,
    unknown, where the file has none. ``time`` names the column of time (by default the first of ts_recv,
    ts_event, time ... that is there), ``unit`` its unit where numbers do not tell. A null or a price that is
    not above 0 raises ``InvalidData`` naming column and row, or with ``invalid="drop"`` the row is left out
    and counted in ``counts["invalid"]``. Raises ``OutOfOrder`` where time goes back.
    """
    table = load(source)
    if invalid not in ("raise", "drop"):
        raise ValueError(f"invalid={invalid!r}; expected 'raise' or 'drop'")
    table.need("bid", "ask")
    name = table.time_name(time)
    ts = table.times(name, unit)
    bid, ask = table.floats("bid"), table.floats("ask")
    checks = [
        (ts != NULL, name, "a time"),
        (np.isfinite(bid) & (bid > 0), "bid", "a finite price above 0"),
        (np.isfinite(ask) & (ask > 0), "ask", "a finite price above 0"),
    ]
    sizes = []
    for names in (_BID_SIZE, _ASK_SIZE):
        column = table.first(names)
        size = np.nan_to_num(table.floats(column)) if column else np.zeros(len(table))  # null: unknown
        sizes.append(size)
        if column:
            checks.append((np.isfinite(size) & (size >= 0), column, "finite and not negative"))
    good = np.ones(len(table), bool)
    for ok, column, expected in checks:
        if invalid == "raise":
            table.require(ok, column, expected)
        good &= ok
    count(counts, "invalid", int((~good).sum()))
    ts = in_order(ts[good], table, name, out_of_order, counts)
    return quotes(ts, bid[good], sizes[0][good], ask[good], sizes[1][good])
