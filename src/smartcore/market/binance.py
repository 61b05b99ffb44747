"""Binance recordings as received, with the exchange's rule for joining depth to a snapshot.

A diff-depth stream makes sense only on top of a REST snapshot, which arrives later than the first diffs. So
diffs are buffered; the snapshot drops those it already contains; the rest follow it, and from then on each
diff must continue the one before. Diffs carry the first and last update id they cover (``U``, ``u``) and on
futures the last id of the diff before (``pu``). "Builds on" is one number for both: ``pu`` where there is
one, else ``U - 1``. A diff continues a book at update ``n`` if it builds on ``n`` exactly; the first after a
snapshot may build on anything up to ``n``, because a snapshot falls inside a diff. Source: Binance API, "How
to manage a local order book correctly" (spot and futures).

:func:`read` applies the rule to a recorded file, :class:`DepthSync` to a live stream, with the same result.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smartcore.market.events import EVENT, Flag, Kind, depth, gap, trades
from smartcore.market.readers import NULL, Events, Source, Table, count, in_order, load

_KINDS = {"snapshot": 1, "depth": 2, "trade": 3, "bbo": 4}
_SNAPSHOT, _DEPTH, _TRADE, _BBO = _KINDS.values()
_SIDES = {"bid": 1, "buy": 1, "ask": -1, "sell": -1}
_AS_EVENT = np.array([0, Kind.DEPTH, Kind.DEPTH, Kind.TRADE, Kind.QUOTE], np.uint8)


def read(
    source: Source, *, out_of_order: Literal["raise", "clamp"] = "raise", counts: dict[str, int] | None = None
) -> Events:
    """A recording as events, shape (n,): depth from the first snapshot on, trades, best quotes, and gaps.

    ``source`` has one row per price level and the columns ``msg`` (number of the message; its rows are
    adjacent), ``ts_recv`` and/or ``ts_event``, ``kind`` (snapshot, depth, trade, bbo), ``side`` (bid or ask;
    for a trade buy or sell, the aggressor), ``price``, ``size``, ``first_id``, ``last_id``, ``prev_id``
    (futures). Or it holds aggregated trades: ``agg_id``, ``price``, ``size``, ``side`` and a time.

    ``ts`` is the time of receipt where the file has it, else the exchange's; a message without a time gets
    that of the next. Diffs that the snapshot releases carry the snapshot's ``ts``. A diff that repeats what
    the book has is dropped; one that does not continue it gives a GAP event, and diffs are buffered again
    until the next snapshot. A snapshot older than a book that is whole is dropped. A bbo message becomes one
    QUOTE; trades of price and size 0, which futures send for insurance-fund fills, are dropped.

    ``counts`` receives ``gaps``, ``dropped`` (diffs and snapshots the book already had), ``buffered`` (diffs
    that no snapshot released), ``void_trades`` and, with ``out_of_order="clamp"``, ``clamped`` (messages
    whose time was raised to the one before). Raises ``InvalidData`` naming column and row, ``OutOfOrder``
    where time goes back.
    """
    table = load(source)
    if "kind" not in table.names:
        return _aggregated(table, out_of_order, counts)
    table.need("msg", "kind", "side", "price", "size", "last_id")
    kinds, side = table.codes("kind", _KINDS), table.codes("side", _SIDES)
    price, size = table.floats("price"), table.floats("size")
    message = table.integers("msg")
    void = (kinds == _TRADE) & (price == 0) & (size == 0)
    table.require(kinds != 0, "kind", f"one of {', '.join(_KINDS)}")
    table.require((side != 0) | (kinds == _TRADE), "side", "bid or ask")
    table.require(np.isfinite(price) & ((price > 0) | void), "price", "a finite price above 0")
    table.require(np.isfinite(size) & (size >= 0), "size", "finite and not negative")
    starts = np.append(True, (message[1:] != message[:-1]) | void[1:] | void[:-1])[: len(message)]
    table.require(starts | (kinds == np.roll(kinds, 1)), "kind", "one kind in all rows of a message")

    # From here on `start`, `rows`, `kind`, `ts` and the ids are per message.
    start = np.flatnonzero(starts)
    rows = np.diff(np.append(start, len(message)))
    kind = kinds[start]
    ts_name, ts = _known(table, start)
    ts = in_order(ts, table, ts_name, out_of_order, counts)
    quote = kind == _BBO
    pair = (rows == 2) & (side[start] == 1) & (side[np.minimum(start + 1, len(side) - 1)] == -1)
    table.require(np.repeat(~quote | pair, rows), "side", "two rows in a bbo message, bid then ask")

    # What to emit, in order: message numbers (-1: a gap), and at the arrival of which message.
    what, when = _joined(kind, *_ids(table, start, kind), counts)
    other = np.flatnonzero(quote | (kind == _TRADE) & ~void[start])
    count(counts, "void_trades", int(void.sum()))
    what, when = np.append(what, other), np.append(when, other)
    order = np.argsort(when, kind="stable")
    what, when = what[order], when[order]

    # One event per level or trade; one for a quote's two rows; one for a gap, whose row means nothing.
    gaps = what < 0
    width = np.where(gaps | quote[what], 1, rows[what])
    end = np.cumsum(width)
    row = np.repeat(np.where(gaps, 0, start[what]) - (end - width), width) + np.arange(width.sum())
    gap_row = np.repeat(gaps, width)
    quoted = np.flatnonzero(np.repeat(~gaps & quote[what], width))

    events = np.zeros(len(row), EVENT)
    events["ts"] = np.repeat(ts[when], width)
    events["kind"] = np.where(gap_row, Kind.GAP, _AS_EVENT[kinds[row]])
    events["side"] = np.where(gap_row, 0, side[row])
    events["v0"] = np.where(gap_row, 0, price[row])
    events["v1"] = np.where(gap_row, 0, size[row])
    events["side"][quoted] = 0
    events["v2"][quoted] = price[row[quoted] + 1]
    events["v3"][quoted] = size[row[quoted] + 1]
    levels = ~gaps & (kind[what] <= _DEPTH)
    events["flags"][(end - 1)[levels]] = Flag.LAST
    events["flags"][(end - width)[levels & (kind[what] == _SNAPSHOT)]] |= np.uint8(Flag.SNAPSHOT)
    return events


class DepthSync:
    """The same rule for a live stream: diffs in, one at a time, and the DEPTH and GAP events to apply out.

    Feed every diff to :meth:`depth` as it arrives; fetch a REST snapshot whenever ``synced`` is false and
    feed it to :meth:`snapshot`. Each returns events of dtype ``EVENT``, shape (n,), often none. At most
    ``limit`` diffs are kept while there is no snapshot; beyond that the oldest are forgotten, which a late
    snapshot shows as a gap.
    """

    def __init__(self, limit: int = 100_000) -> None:
        self.synced = False
        self.last_id: int | None = None  # of the update the book is at
        self.gaps = 0
        self.dropped = 0
        self._fresh = False  # nothing was applied since the snapshot
        self._waiting: deque[_Diff] = deque(maxlen=limit)

    @property
    def waiting(self) -> int:
        """How many diffs are buffered."""
        return len(self._waiting)

    def depth(
        self,
        ts: int,
        first_id: int,
        last_id: int,
        bids: Sequence[Sequence[float | str]],
        asks: Sequence[Sequence[float | str]],
        prev_id: int | None = None,
    ) -> Events:
        """A diff (``U``, ``u``, ``b``, ``a`` and on futures ``pu``); levels are (price, new total)."""
        builds_on = first_id - 1 if prev_id is None else prev_id
        return self._apply(_Diff(builds_on, last_id, _levels(ts, bids, asks)), ts)

    def snapshot(
        self,
        ts: int,
        last_id: int,
        bids: Sequence[Sequence[float | str]],
        asks: Sequence[Sequence[float | str]],
    ) -> Events:
        """A whole book at update ``last_id`` and the buffered diffs after it, all at ``ts``.

        Nothing if the book is whole and newer. ``synced`` is false afterwards if the snapshot is too old for
        the buffered diffs, and the events then end with a GAP.
        """
        if self.synced and self.last_id is not None and last_id < self.last_id:
            self.dropped += 1
            return np.zeros(0, EVENT)
        levels = _levels(ts, bids, asks)
        levels["flags"][:1] |= np.uint8(Flag.SNAPSHOT)
        self.synced, self._fresh, self.last_id = True, True, last_id
        released, self._waiting = self._waiting, deque(maxlen=self._waiting.maxlen)
        for diff in released:
            diff.levels["ts"] = ts
        return np.concatenate([levels, *(self._apply(diff, ts) for diff in released)])

    def _apply(self, diff: _Diff, ts: int) -> Events:
        if not self.synced or self.last_id is None:
            self._waiting.append(diff)
            return np.zeros(0, EVENT)
        if diff.last_id <= self.last_id:
            self.dropped += 1
            return np.zeros(0, EVENT)
        if diff.builds_on == self.last_id or (self._fresh and diff.builds_on < self.last_id):
            self.last_id, self._fresh = diff.last_id, False
            return diff.levels
        self.gaps += 1
        self.synced = False
        self._waiting.append(diff)
        return gap(ts)


class _Diff(NamedTuple):
    builds_on: int
    last_id: int
    levels: Events


def _levels(ts: int, bids: ArrayLike, asks: ArrayLike) -> Events:
    pairs = [np.asarray(levels, np.float64).reshape(-1, 2) for levels in (bids, asks)]
    side = np.repeat([1, -1], [len(levels) for levels in pairs])
    price, size = np.concatenate(pairs).T
    return depth(np.full(len(side), ts), side, price, size, last=np.arange(len(side)) == len(side) - 1)


def _aggregated(
    table: Table, out_of_order: Literal["raise", "clamp"], counts: dict[str, int] | None
) -> Events:
    table.need("price", "size", "side")
    price, size = table.floats("price"), table.floats("size")
    table.require(np.isfinite(price) & (price > 0), "price", "a finite price above 0")
    table.require(np.isfinite(size) & (size >= 0), "size", "finite and not negative")
    name, ts = _known(table, np.arange(len(table)))
    return trades(in_order(ts, table, name, out_of_order, counts), price, size, table.codes("side", _SIDES))


def _known(table: Table, start: NDArray[np.intp]) -> tuple[str, NDArray[np.int64]]:
    """The column of time, and each message's: its own, else the next one that is there, else the last."""
    name = table.first(("ts_recv", "ts_event")) or "ts_recv"
    ts = table.times(name)[start]
    if (ts == NULL).all() and name == "ts_recv" and "ts_event" in table.names:
        name = "ts_event"
        ts = table.times(name)[start]
    known = np.flatnonzero(ts != NULL)
    if not len(known):
        table.require(np.zeros(len(table), bool), name, "a time")
    if len(known) < len(ts):
        ts = ts[known[np.minimum(np.searchsorted(known, np.arange(len(ts))), len(known) - 1)]]
    return name, ts


def _ids(
    table: Table, start: NDArray[np.intp], kind: NDArray[np.int8]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Per message: the update that a diff builds on, and the last one it contains."""
    last, first, previous = (table.integers(name)[start] for name in ("last_id", "first_id", "prev_id"))
    for name, missing in (
        ("last_id", (last == NULL) & (kind <= _DEPTH)),
        ("first_id", (first == NULL) & (previous == NULL) & (kind == _DEPTH)),
    ):
        if missing.any():
            table.bad(
                name, int(start[np.argmax(missing)]), "null", "an update id in each snapshot and depth row"
            )
    return np.where(previous != NULL, previous, np.where(first != NULL, first, 0) - 1), last


def _joined(
    kind: NDArray[np.int8],
    builds_on: NDArray[np.int64],
    last_id: NDArray[np.int64],
    counts: dict[str, int] | None,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which snapshot and depth messages to apply (-1: a gap), and at the arrival of which message."""
    snapshots = np.flatnonzero(kind == _SNAPSHOT)
    diffs = np.flatnonzero(kind == _DEPTH)
    waiting, *blocks = np.split(diffs, np.searchsorted(diffs, snapshots))
    what: list[NDArray[np.intp]] = [np.zeros(0, np.intp)]
    when: list[NDArray[np.intp]] = [np.zeros(0, np.intp)]
    current, fresh, synced, gaps, dropped = 0, False, False, 0, 0
    for snapshot, block in zip(snapshots, blocks, strict=True):
        run = at = block
        if synced and last_id[snapshot] < current:
            dropped += 1
        else:
            what.append(np.array([snapshot]))
            when.append(np.array([snapshot]))
            current, fresh, synced = int(last_id[snapshot]), True, True
            run, at = np.append(waiting, block), np.append(np.full(len(waiting), snapshot), block)
            waiting = waiting[:0]
        if not synced:
            waiting = np.append(waiting, block)
            continue
        # Those that are not repeats, up to the first that does not continue the one before.
        newest = np.maximum.accumulate(np.append(current, last_id[run]))
        new = np.flatnonzero(last_id[run] > newest[:-1])
        before, base = newest[new], builds_on[run[new]]
        follows = base == before
        if fresh:
            follows[:1] |= base[:1] < before[:1]
        whole = len(new) if follows.all() else int(np.argmin(follows))
        what.append(run[new[:whole]])
        when.append(at[new[:whole]])
        if whole:
            current, fresh = int(last_id[run[new[whole - 1]]]), False
        end = len(run)
        if whole < len(new):
            end = int(new[whole])
            what.append(np.array([-1]))
            when.append(at[end : end + 1])
            waiting, synced = run[end:], False
            gaps += 1
        dropped += end - whole
    count(counts, "gaps", gaps)
    count(counts, "dropped", dropped)
    count(counts, "buffered", len(waiting))
    return np.concatenate(what), np.concatenate(when)
