"""Market events as arrays: one 64-byte record per event, the layout of the C++ core's struct.

``EVENT`` is the neutral record. ``BAR``, ``TRADE``, ``DEPTH``, ``QUOTE``, ``SCORE``, ``AUX``, ``PEER``, ``BASKET``
and ``FACTOR`` name the payload of the same 64 bytes, so ``events[events["kind"] == Kind.TRADE].view(TRADE)["price"]``
reads without a copy of the payload.

``ts`` is the time an event became *known* to us, int64 nanoseconds UTC; it never decreases within a stream.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING

import numpy as np

from smartcore._core import AUX, BAR, BASKET, DEPTH, EVENT, FACTOR, PEER, QUOTE, SCORE, SERIES, SOURCES, TRADE

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "AUX", "BAR", "BASKET", "DEPTH", "EVENT", "FACTOR", "PEER", "QUOTE", "SCORE", "SERIES", "SOURCES", "TRADE", "Flag",
    "Kind", "aux", "bars", "baskets", "depth", "factors", "gap", "merge", "peers", "quotes", "scores", "trades",
]  # fmt: skip


class Kind(IntEnum):
    """What an event is."""

    BAR = 1
    TRADE = 2
    DEPTH = 3
    QUOTE = 4
    SCORE = 5
    AUX = 6
    GAP = 7
    PEER = 8
    BASKET = 9
    FACTOR = 10


class Flag(IntFlag):
    """Marks on a depth event."""

    LAST = 1
    """Closes a depth message: features of the book are updated here and not before."""
    SNAPSHOT = 2
    """First level of a snapshot: the book is emptied before the level is applied."""


def _blank(ts: ArrayLike, kind: Kind) -> NDArray[np.void]:
    stamps = np.atleast_1d(np.asarray(ts))
    if stamps.dtype.kind == "M":
        stamps = stamps.astype("datetime64[ns]")
    elif stamps.dtype.kind not in "iu" and stamps.size:
        raise TypeError(f"ts must be int64 ns UTC or datetime64, not {stamps.dtype}: a float cannot hold a nanosecond")
    events = np.zeros(len(stamps), EVENT)
    events["ts"] = stamps.astype(np.int64)
    events["kind"] = kind
    return events


def bars(
    ts: ArrayLike,
    open: ArrayLike,
    high: ArrayLike,
    low: ArrayLike,
    close: ArrayLike,
    volume: ArrayLike,
    turnover: ArrayLike = 0.0,
) -> NDArray[np.void]:
    """Bar events, shape (n,). ``ts`` is when the bar was complete; ``turnover`` is in quote currency, 0: unknown."""
    events = _blank(ts, Kind.BAR)
    for name, values in zip(
        ("v0", "v1", "v2", "v3", "v4", "v5"), (open, high, low, close, volume, turnover), strict=True
    ):
        events[name] = values
    return events


def trades(ts: ArrayLike, price: ArrayLike, size: ArrayLike, side: ArrayLike = 0) -> NDArray[np.void]:
    """Trade events, shape (n,). ``side`` is +1 where the buyer was the aggressor, -1 the seller, 0 unknown."""
    events = _blank(ts, Kind.TRADE)
    events["side"], events["v0"], events["v1"] = side, price, size
    return events


def depth(
    ts: ArrayLike,
    side: ArrayLike,
    price: ArrayLike,
    size: ArrayLike,
    last: ArrayLike = True,
    snapshot: ArrayLike = False,
) -> NDArray[np.void]:
    """Depth events, shape (n,): a level's new total ``size`` (0 removes it). ``side`` is +1 bid, -1 ask.

    ``last`` closes a message; ``snapshot`` marks the first level of a snapshot, before which the book is emptied.
    """
    events = _blank(ts, Kind.DEPTH)
    events["side"], events["v0"], events["v1"] = side, price, size
    events["flags"] = np.where(last, Flag.LAST, 0) | np.where(snapshot, Flag.SNAPSHOT, 0)
    return events


def quotes(ts: ArrayLike, bid: ArrayLike, bid_size: ArrayLike, ask: ArrayLike, ask_size: ArrayLike) -> NDArray[np.void]:
    """Best bid and ask events, shape (n,). Sizes may be 0 where the feed has none."""
    events = _blank(ts, Kind.QUOTE)
    events["v0"], events["v1"], events["v2"], events["v3"] = bid, bid_size, ask, ask_size
    return events


def _numbers(of: ArrayLike, names: tuple[str, ...], what: str) -> NDArray[np.integer]:
    """Names, or numbers as they are, as the numbers that events carry."""
    values = np.asarray(of)
    if values.dtype.kind in "iu":
        return values
    unknown = sorted(set(values.ravel().tolist()) - set(names))
    if unknown:
        raise ValueError(f"no {what} {unknown[0]!r}; there are {', '.join(names)}")
    return np.vectorize(names.index, otypes=[np.uint8])(values)


def scores(ts: ArrayLike, value: ArrayLike, weight: ArrayLike = 1.0, source: ArrayLike = 0) -> NDArray[np.void]:
    """Sentiment of texts, shape (n,). ``source``: names of SOURCES or their numbers; ``weight`` 0 or more."""
    events = _blank(ts, Kind.SCORE)
    events["source"], events["v0"], events["v1"] = _numbers(source, SOURCES, "source"), value, weight
    return events


def aux(ts: ArrayLike, series: ArrayLike, value: ArrayLike) -> NDArray[np.void]:
    """Values of auxiliary series, shape (n,). ``series``: names of SERIES ("funding") or their numbers."""
    events = _blank(ts, Kind.AUX)
    events["source"], events["v0"] = _numbers(series, SERIES, "series"), value
    return events


def peers(
    ts: ArrayLike,
    price: ArrayLike,
    volume: ArrayLike = 0.0,
    net: ArrayLike = 0.0,
    flow: ArrayLike = 0.0,
    age: ArrayLike = 0.0,
    updates: ArrayLike = 1.0,
    source: ArrayLike = 0,
) -> NDArray[np.void]:
    """What a panel tells of another instrument, shape (n,): ``price`` NaN while it is missing or stale; ``volume``,
    ``net`` (signed volume), ``flow`` (order flow) and ``updates`` (number of events) since the last such event; ``age``
    in seconds. ``source`` 0 is the reference."""
    events = _blank(ts, Kind.PEER)
    events["source"] = source
    for name, values in zip(
        ("v0", "v1", "v2", "v3", "v4", "v5"), (price, volume, net, flow, age, updates), strict=True
    ):
        events[name] = values
    return events


def baskets(
    ts: ArrayLike,
    mean: ArrayLike,
    dispersion: ArrayLike,
    rank: ArrayLike,
    breadth: ArrayLike,
    flow: ArrayLike,
    fresh: ArrayLike = 1.0,
) -> NDArray[np.void]:
    """What a panel tells of all its instruments that had news since its last tick, shape (n,): ``mean`` log return and
    ``flow`` (in usual sizes) of the others, ``dispersion`` of all returns, ``rank`` of this one's (0..1), ``breadth``
    (-1..1), ``fresh`` the share that had news. NaN where too few are known."""
    events = _blank(ts, Kind.BASKET)
    for name, values in zip(
        ("v0", "v1", "v2", "v3", "v4", "v5"), (mean, dispersion, rank, breadth, flow, fresh), strict=True
    ):
        events[name] = values
    return events


def factors(ts: ArrayLike, share: ArrayLike, loading: ArrayLike, score: ArrayLike) -> NDArray[np.void]:
    """What a panel tells of the first principal component of its returns, shape (n,): its ``share`` of the variance,
    the ``loading`` of this instrument (1 where all are alike), its return at this tick in usual
    deviations (``score``)."""
    events = _blank(ts, Kind.FACTOR)
    events["v0"], events["v1"], events["v2"] = share, loading, score
    return events


def gap(ts: ArrayLike) -> NDArray[np.void]:
    """Events that say the depth sequence broke: the book is stale until its next snapshot."""
    return _blank(ts, Kind.GAP)


def merge(*streams: NDArray[np.void]) -> NDArray[np.void]:
    """One stream in time order from several. Ties keep the order of the arguments, then of the rows."""
    joined = np.concatenate([np.asarray(s, EVENT) for s in streams])
    return joined[np.argsort(joined["ts"], kind="stable")]
