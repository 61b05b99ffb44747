"""Readers of recorded data: each rule on a few lines by hand, then whole recordings against the exchange.

The reference book is the naive one in ``reference/book.py``.
"""

from __future__ import annotations

import datetime as dt
import subprocess
import sys

import numpy as np
import pytest
from reference.book import Book

from smartcore import Engine
from smartcore.errors import InvalidData, OutOfOrder
from smartcore.market import binance, bitstamp, lobster, ticks
from smartcore.market.events import BAR, DEPTH, EVENT, QUOTE, TRADE, Flag, Kind
from smartcore.market.readers import FORMATS, detect, load, read

pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")

MINUTE = 60_000_000_000
L, S = int(Flag.LAST), int(Flag.SNAPSHOT)


def short(events):
    """Events as tuples: (ts, kind, side, price, size, flags) of a level, and so on."""
    rows = []
    for event in events:
        kind = Kind(event["kind"])
        head = (int(event["ts"]), kind.name)
        if kind == Kind.QUOTE:
            assert event["side"] == 0 and event["flags"] == 0
            rows.append((*head, *(float(event[f"v{i}"]) for i in range(4))))
        elif kind == Kind.GAP:
            assert event["side"] == 0 and not any(event[f"v{i}"] for i in range(6))
            rows.append(head)
        elif kind == Kind.DEPTH:
            rows.append(
                (*head, int(event["side"]), float(event["v0"]), float(event["v1"]), int(event["flags"]))
            )
        else:
            rows.append((*head, int(event["side"]), float(event["v0"]), float(event["v1"])))
    return rows


# --- Binance: each rule


def snapshot(ts, last_id, *levels):
    return ("snapshot", ts, None, last_id, None, levels)


def spot(ts, first_id, last_id, *levels):
    return ("depth", ts, first_id, last_id, None, levels)


def perp(ts, first_id, last_id, prev_id, *levels):
    return ("depth", ts, first_id, last_id, prev_id, levels)


def trade(ts, side, price, size):
    return ("trade", ts, None, None, None, [(side, price, size)])


def bbo(ts, bid, bid_size, ask, ask_size):
    return ("bbo", ts, None, 1, None, [("bid", bid, bid_size), ("ask", ask, ask_size)])


B, A = ("bid", 99.0, 1.0), ("ask", 101.0, 2.0)


def recording(*messages):
    """A frame as the recorder writes it: one row per level."""
    rows = [
        (i, ts, None, kind, side, price, size, first_id, last_id, prev_id)
        for i, (kind, ts, first_id, last_id, prev_id, levels) in enumerate(messages)
        for side, price, size in levels
    ]
    names = ["msg", "ts_recv", "ts_event", "kind", "side", "price", "size", "first_id", "last_id", "prev_id"]
    columns = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(names, ())
    for name in ("msg", "ts_recv", "ts_event", "first_id", "last_id", "prev_id"):
        columns[name] = pd.array(columns[name], dtype="Int64")  # as floats, ids beyond 2**53 would change
    frame = pd.DataFrame(columns)
    for name in ("ts_recv", "ts_event"):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    for name in ("price", "size"):
        frame[name] = frame[name].astype(float)
    return frame


def test_depth_waits_for_the_snapshot_which_drops_what_it_holds():
    frame = recording(
        spot(10, 1, 5, ("bid", 90.0, 9.0)),
        trade(20, "buy", 100.0, 0.5),
        spot(30, 6, 8, ("bid", 98.0, 3.0), ("ask", 101.0, 0.0)),
        snapshot(40, 6, B, A),
        spot(50, 9, 9, ("ask", 102.0, 4.0)),
    )
    counts = {}
    assert short(binance.read(frame, counts=counts)) == [
        (20, "TRADE", 1, 100.0, 0.5),
        (40, "DEPTH", 1, 99.0, 1.0, S),
        (40, "DEPTH", -1, 101.0, 2.0, L),
        (40, "DEPTH", 1, 98.0, 3.0, 0),
        (40, "DEPTH", -1, 101.0, 0.0, L),
        (50, "DEPTH", -1, 102.0, 4.0, L),
    ]
    assert counts == {"gaps": 0, "dropped": 1, "buffered": 0, "void_trades": 0}


def test_snapshot_of_one_level_is_first_and_last():
    assert short(binance.read(recording(snapshot(1, 5, B)))) == [(1, "DEPTH", 1, 99.0, 1.0, S | L)]


def test_without_a_snapshot_there_is_no_depth():
    counts = {}
    frame = recording(spot(1, 1, 1, B), trade(2, "sell", 3.0, 4.0), spot(3, 2, 2, A))
    assert short(binance.read(frame, counts=counts)) == [(2, "TRADE", -1, 3.0, 4.0)]
    assert counts["buffered"] == 2


@pytest.mark.parametrize(
    ("first", "whole"),
    [
        (spot(2, 101, 105, B), True),  # U = lastUpdateId + 1
        (spot(2, 90, 105, B), True),  # the snapshot falls inside
        (spot(2, 90, 101, B), True),
        (spot(2, 102, 105, B), False),  # 101 is missing
        (perp(2, 95, 105, 94, B), True),  # U <= lastUpdateId <= u
        (perp(2, 100, 105, 94, B), True),
        (perp(2, 103, 105, 100, B), True),  # ids skip on futures: pu says that nothing is missing
        (perp(2, 103, 105, 102, B), False),
    ],
)
def test_first_diff_after_the_snapshot(first, whole):
    for messages in ([snapshot(1, 100, A), first], [first, snapshot(2, 100, A)]):
        kinds = [row[1] for row in short(binance.read(recording(*messages)))]
        assert kinds == (["DEPTH", "DEPTH"] if whole else ["DEPTH", "GAP"])


@pytest.mark.parametrize("futures", [False, True])
def test_gap_is_stale_until_another_snapshot(futures):
    def diff(ts, first_id, last_id, *levels):
        # On futures ids skip between messages, so only pu can tell.
        return (
            perp(ts, first_id + 50, last_id + 50, first_id + 49, *levels)
            if futures
            else spot(ts, first_id, last_id, *levels)
        )

    shift = 50 if futures else 0
    frame = recording(
        snapshot(1, 100 + shift, B, A),
        diff(2, 101, 110, ("bid", 98.0, 1.0)),
        diff(3, 112, 120, ("bid", 97.0, 1.0)),  # 111 is missing
        diff(4, 121, 130, ("bid", 96.0, 1.0)),
        trade(5, "buy", 101.0, 1.0),
        snapshot(6, 120 + shift, B),
        diff(7, 131, 140, ("bid", 95.0, 1.0)),
    )
    counts = {}
    events = binance.read(frame, counts=counts)
    assert short(events) == [
        (1, "DEPTH", 1, 99.0, 1.0, S),
        (1, "DEPTH", -1, 101.0, 2.0, L),
        (2, "DEPTH", 1, 98.0, 1.0, L),
        (3, "GAP"),
        (5, "TRADE", 1, 101.0, 1.0),
        (6, "DEPTH", 1, 99.0, 1.0, S | L),
        (6, "DEPTH", 1, 96.0, 1.0, L),
        (7, "DEPTH", 1, 95.0, 1.0, L),
    ]
    assert counts == {"gaps": 1, "dropped": 1, "buffered": 0, "void_trades": 0}
    book = Book()
    stale = []
    for event in events:
        book.apply(event)
        stale.append(book.stale)
    assert stale == [False, False, False, True, True, False, False, False]
    assert book.top(9) == ([(99.0, 1.0), (96.0, 1.0), (95.0, 1.0)], [])


def test_snapshot_too_old_for_the_buffer_is_a_gap_and_the_buffer_stays():
    frame = recording(
        spot(1, 101, 110, ("bid", 98.0, 1.0)),
        spot(2, 111, 120, ("bid", 97.0, 1.0)),
        snapshot(3, 90, B, A),
        spot(4, 121, 130, ("bid", 96.0, 1.0)),
        snapshot(5, 110, B),
    )
    assert [row[:2] + row[3:4] for row in short(binance.read(frame))] == [
        (3, "DEPTH", 99.0),
        (3, "DEPTH", 101.0),
        (3, "GAP"),
        (5, "DEPTH", 99.0),
        (5, "DEPTH", 97.0),
        (5, "DEPTH", 96.0),
    ]


def test_gap_inside_the_buffer():
    frame = recording(
        spot(1, 1, 5, B), spot(2, 6, 6, B), spot(3, 8, 9, B), spot(4, 10, 10, B), snapshot(5, 5, A)
    )
    counts = {}
    assert [row[:2] for row in short(binance.read(frame, counts=counts))] == [
        (5, "DEPTH"),
        (5, "DEPTH"),
        (5, "GAP"),
    ]
    assert counts == {"gaps": 1, "dropped": 1, "buffered": 2, "void_trades": 0}


def test_snapshot_of_a_whole_book():
    older, newer = snapshot(3, 104, A), snapshot(3, 105, A)
    messages = [snapshot(1, 100, B), spot(2, 101, 105, B), None, spot(4, 106, 107, B)]
    for again, depth_at_3 in ((older, 0), (newer, 1), (snapshot(3, 106, A), 1)):
        messages[2] = again
        rows = short(binance.read(recording(*messages)))
        assert [row[1] for row in rows] == ["DEPTH"] * (3 + depth_at_3)
        assert sum(row[0] == 3 for row in rows) == depth_at_3


def test_a_repeated_diff_is_dropped():
    frame = recording(snapshot(1, 100, B), spot(2, 101, 105, A), spot(3, 101, 105, A), spot(4, 106, 106, A))
    counts = {}
    assert [row[0] for row in short(binance.read(frame, counts=counts))] == [1, 2, 4]
    assert counts["dropped"] == 1 and counts["gaps"] == 0


def test_bbo_is_one_quote():
    assert short(binance.read(recording(bbo(5, 99.0, 1.0, 101.0, 2.0), bbo(6, 98.0, 3.0, 101.0, 0.0)))) == [
        (5, "QUOTE", 99.0, 1.0, 101.0, 2.0),
        (6, "QUOTE", 98.0, 3.0, 101.0, 0.0),
    ]


@pytest.mark.parametrize(
    "levels",
    [[("ask", 1.0, 1.0), ("bid", 2.0, 1.0)], [("bid", 1.0, 1.0)], [("bid", 1.0, 1.0)] * 2, [B, A, A]],
)
def test_bbo_of_other_rows_is_refused(levels):
    frame = recording(trade(1, "buy", 1.0, 1.0), ("bbo", 2, None, 7, None, levels))
    with pytest.raises(InvalidData, match=r"'side', row 1: .*two rows in a bbo message"):
        binance.read(frame)


def test_ts_is_the_receipt_where_there_is_one():
    frame = recording(trade(100, "buy", 1.0, 1.0), trade(200, "sell", 1.0, 1.0))
    frame["ts_event"] = pd.to_datetime([7, 8], utc=True)
    assert binance.read(frame)["ts"].tolist() == [100, 200]
    assert binance.read(frame.drop(columns="ts_recv"))["ts"].tolist() == [7, 8]
    frame["ts_recv"] = pd.NaT
    assert binance.read(frame)["ts"].tolist() == [7, 8]
    frame["ts_event"] = pd.NaT
    with pytest.raises(InvalidData, match="ts_event"):
        binance.read(frame)


def test_a_message_without_time_gets_that_of_the_next():
    frame = recording(snapshot(None, 1, B, A), spot(5, 2, 2, B), trade(None, "buy", 1.0, 1.0))
    assert binance.read(frame)["ts"].tolist() == [5, 5, 5, 5]


def test_ties_in_time_keep_the_order_of_messages():
    frame = recording(
        trade(5, "buy", 1.0, 1.0),
        snapshot(5, 1, B),
        bbo(5, 1.0, 1.0, 2.0, 1.0),
        spot(5, 2, 2, A),
        trade(5, "sell", 1.0, 1.0),
    )
    assert [row[1] for row in short(binance.read(frame))] == ["TRADE", "DEPTH", "QUOTE", "DEPTH", "TRADE"]


def test_time_going_back():
    frame = recording(
        trade(5, "buy", 1.0, 1.0),
        trade(4, "buy", 1.0, 1.0),
        trade(3, "buy", 1.0, 1.0),
        trade(6, "buy", 1.0, 1.0),
    )
    with pytest.raises(OutOfOrder, match=r"'ts_recv': time goes back by 1 ns at entry 1"):
        binance.read(frame)
    counts = {}
    assert binance.read(frame, out_of_order="clamp", counts=counts)["ts"].tolist() == [5, 5, 5, 6]
    assert counts["clamped"] == 2
    with pytest.raises(ValueError, match="out_of_order='sort'"):
        binance.read(frame, out_of_order="sort")


def test_void_trades_are_dropped():
    counts = {}
    frame = recording(trade(1, "buy", 0.0, 0.0), trade(2, "buy", 5.0, 1.0))
    assert short(binance.read(frame, counts=counts)) == [(2, "TRADE", 1, 5.0, 1.0)]
    assert counts["void_trades"] == 1


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("price", None, r"column 'price', row 2: null"),
        ("price", -3.0, r"column 'price', row 2: -3.0 \(expected a finite price above 0\)"),
        ("price", np.inf, r"column 'price', row 2: inf"),
        ("size", -1.0, r"column 'size', row 2: -1.0"),
        ("size", np.nan, r"column 'size', row 2: null"),
        (
            "kind",
            "liquidation",
            r"column 'kind', row 2: 'liquidation' \(expected one of snapshot, depth, trade, bbo\)",
        ),
        ("kind", None, r"column 'kind', row 2: null"),
        ("kind", "snapshot", r"column 'kind', row 3: 'depth' \(expected one kind in all rows of a message\)"),
        ("side", "up", r"column 'side', row 2: 'up'"),
        ("side", None, r"column 'side', row 2: null"),
        ("last_id", None, r"column 'last_id', row 2: null"),
        ("first_id", None, r"column 'first_id', row 2: null"),
    ],
)
def test_bad_values_name_column_and_row(column, value, text):
    frame = recording(snapshot(1, 1, B, A), spot(2, 2, 3, B, A))
    if column in ("kind", "side"):
        frame[column] = frame[column].astype(object)
    frame.loc[2, column] = value
    with pytest.raises(InvalidData, match=text):
        binance.read(frame)


def test_missing_column_is_named():
    with pytest.raises(InvalidData, match="no column size, last_id; found: msg, ts_recv"):
        binance.read(recording(trade(1, "buy", 1.0, 1.0)).drop(columns=["size", "last_id"]))


def test_empty_recording():
    assert len(binance.read(recording())) == 0
    assert binance.read(recording()).dtype == EVENT


def test_aggregated_trades():
    frame = pd.DataFrame(
        {
            "ts_event": pd.to_datetime([3, 3], utc=True),
            "agg_id": [8, 9],
            "price": [1.5, 1.6],
            "size": [2.0, 3.0],
            "side": ["buy", "sell"],
        }
    )
    assert short(read(frame)) == [(3, "TRADE", 1, 1.5, 2.0), (3, "TRADE", -1, 1.6, 3.0)]


# --- Binance: the live twin


def live(frame, sync):
    """The depth and gap events that ``sync`` gives for a recording, message by message."""
    table = load(frame)
    names = ("msg", "first_id", "last_id", "prev_id")
    message, first_id, last_id, prev_id = (table.integers(name) for name in names)
    ts, price, size = table.times("ts_recv"), table.floats("price"), table.floats("size")
    side = table.codes("side", {"bid": 1, "ask": -1, "buy": 1, "sell": -1})
    kind = table.codes("kind", {"snapshot": 1, "depth": 2, "trade": 3, "bbo": 4})
    starts = np.flatnonzero(np.append(True, np.diff(message) != 0))
    out = [np.zeros(0, EVENT)]
    for a, z in zip(starts, np.append(starts[1:], len(message)), strict=True):
        levels = [
            list(zip(price[a:z][side[a:z] == s], size[a:z][side[a:z] == s], strict=True)) for s in (1, -1)
        ]
        if kind[a] == 1:
            out.append(sync.snapshot(ts[a], last_id[a], *levels))
        elif kind[a] == 2:
            before = None if prev_id[a] < 0 else prev_id[a]
            out.append(sync.depth(ts[a], first_id[a], last_id[a], *levels, prev_id=before))
    return np.concatenate(out)


@pytest.mark.parametrize("seed", range(60))
def test_live_sync_equals_the_reader(seed):
    rng = np.random.default_rng(seed)
    futures = bool(seed % 2)
    messages, update, ts = [], 1000, 0
    for _ in range(40):
        ts += int(rng.integers(0, 3))
        levels = [(side, float(rng.integers(1, 99)), float(rng.integers(0, 3))) for side in ("bid", "ask")]
        event = rng.random()
        if event < 0.15:
            messages.append(snapshot(ts, update + int(rng.integers(-25, 12)), *levels))
        elif event < 0.25 and messages:
            _, _, *rest = messages[int(rng.integers(max(0, len(messages) - 3), len(messages)))]
            messages.append(("snapshot" if rest[0] is None else "depth", ts, *rest))
        else:
            before = update
            skipped = int(rng.integers(1, 4)) if rng.random() < 0.12 else 0
            first = before + skipped + 1 + (int(rng.integers(0, 3)) if futures else 0)
            update = first + int(rng.integers(0, 6))
            messages.append(
                perp(ts, first, update, before + skipped, *levels)
                if futures
                else spot(ts, first, update, *levels)
            )
    frame, counts, sync = recording(*messages), {}, binance.DepthSync()
    from_file = binance.read(frame, counts=counts)
    one_by_one = live(frame, sync)
    assert from_file.tobytes() == one_by_one.tobytes()
    assert counts == {"gaps": sync.gaps, "dropped": sync.dropped, "buffered": sync.waiting, "void_trades": 0}

    engine, book = Engine(["spread"]), Book()
    for i in range(len(from_file)):
        engine.run(from_file[i : i + 1])
        book.apply(from_file[i])
        assert engine.book.stale == book.stale
    assert [side.tolist() for side in engine.book.levels()] == [
        [list(level) for level in side] for side in book.top(99)
    ]


def test_live_sync_by_hand():
    sync = binance.DepthSync()
    assert not sync.synced and sync.last_id is None
    assert len(sync.depth(1, 1, 5, [["99.5", "1.25"]], [])) == 0 and sync.waiting == 1
    events = sync.snapshot(9, 3, [["99.0", "1"]], [["101.0", "2"]])
    assert short(events) == [
        (9, "DEPTH", 1, 99.0, 1.0, S),
        (9, "DEPTH", -1, 101.0, 2.0, L),
        (9, "DEPTH", 1, 99.5, 1.25, L),
    ]
    assert sync.synced and sync.last_id == 5 and sync.waiting == 0
    assert (
        len(sync.depth(10, 6, 6, [], [])) == 0 and sync.last_id == 6
    )  # an empty diff still moves the book on
    assert short(sync.depth(11, 8, 9, [["98", "1"]], [])) == [(11, "GAP")]
    assert not sync.synced and sync.gaps == 1 and sync.waiting == 1
    assert len(sync.depth(12, 10, 10, [["97", "1"]], [])) == 0
    assert [row[3] for row in short(sync.snapshot(13, 8, [["96", "1"]], []))] == [96.0, 98.0, 97.0]
    assert sync.synced and sync.last_id == 10


def test_live_sync_forgets_the_oldest_beyond_its_limit():
    sync = binance.DepthSync(limit=2)
    for i in range(1, 5):
        sync.depth(i, i, i, [[1, i]], [])
    assert sync.waiting == 2
    assert [row[1] for row in short(sync.snapshot(9, 1, [[1, 9]], []))] == ["DEPTH", "GAP"]
    assert not sync.synced


# --- LOBSTER


def lob(*rows, levels=2):
    """Rows of (ts, type, size, price, direction, asks, bids), in the file's integers."""
    names = ["ts_event", "type", "order_id", "size", "price", "direction"]
    names += [
        f"{side}_{k}" for k in range(1, levels + 1) for side in ("ask_px", "ask_sz", "bid_px", "bid_sz")
    ]
    names = [n if "_" not in n or not n[-1].isdigit() else f"{n[:6]}_{n.rsplit('_')[-1]}" for n in names]
    data = []
    for ts, kind, size, price, direction, asks, bids in rows:
        row = [ts, kind, 7, size, price, direction]
        for k in range(levels):
            row += asks[k] if k < len(asks) else (9999999999, 0)
            row += bids[k] if k < len(bids) else (-9999999999, 0)
        data.append(row)
    frame = pd.DataFrame(data, columns=names)
    frame["ts_event"] = pd.to_datetime(frame["ts_event"], utc=True)
    return frame


def test_lobster_depth_is_the_difference_of_the_books():
    frame = lob(
        (1, 1, 5, 1010000, -1, [(1010000, 5), (1020000, 1)], [(1000000, 4)]),
        (2, 1, 3, 1000000, 1, [(1010000, 5), (1020000, 1)], [(1000000, 7)]),  # one size
        (3, 4, 5, 1010000, -1, [(1020000, 1), (1030000, 8)], [(1000000, 7)]),  # a level enters from below
        (4, 1, 2, 1015000, -1, [(1015000, 2), (1020000, 1)], [(1000000, 7)]),  # and is pushed out again
        (4, 5, 1, 1012500, 1, [(1015000, 2), (1020000, 1)], [(1000000, 7)]),  # hidden: the book stays
        (5, 3, 7, 1000000, 1, [(1015000, 2), (1020000, 1)], []),  # one side empties
        (6, 1, 1, 990000, 1, [(1015000, 2), (1020000, 1)], [(990000, 1)]),
    )
    assert short(lobster.read(frame)) == [
        (1, "DEPTH", 1, 100.0, 4.0, S),
        (1, "DEPTH", -1, 101.0, 5.0, 0),
        (1, "DEPTH", -1, 102.0, 1.0, L),
        (2, "DEPTH", 1, 100.0, 7.0, L),
        (3, "TRADE", 1, 101.0, 5.0),  # the resting order sold, so the buyer was the aggressor
        (3, "DEPTH", -1, 101.0, 0.0, 0),
        (3, "DEPTH", -1, 103.0, 8.0, L),
        (4, "DEPTH", -1, 103.0, 0.0, 0),
        (4, "DEPTH", -1, 101.5, 2.0, L),
        (4, "TRADE", -1, 101.25, 1.0),
        (5, "DEPTH", 1, 100.0, 0.0, L),
        (6, "DEPTH", 1, 99.0, 1.0, L),
    ]


def test_lobster_prices_are_the_nearest_doubles_or_integers():
    frame = lob((1, 1, 5, 5000100, -1, [(5000100, 5)], [(5000000, 1)]))
    assert lobster.read(frame)["v0"].tolist() == [500.0, 500.01]
    assert lobster.read(frame, price_scale=1)["v0"].tolist() == [5000000.0, 5000100.0]
    assert 5000100 * 1e-4 != 500.01  # why it divides


def test_lobster_halts_and_auctions_are_counted():
    book = ([(1010000, 5)], [(1000000, 4)])
    counts = {}
    events = lobster.read(
        lob((1, 1, 1, 1, 1, *book), (2, 7, 0, -1, -1, *book), (3, 6, 9, 1005000, -1, *book)), counts=counts
    )
    assert [row[:2] for row in short(events)] == [(1, "DEPTH"), (1, "DEPTH")]
    assert counts == {"crosses": 1, "halts": 1}


def test_lobster_of_one_level_and_of_no_rows():
    frame = lob(
        (1, 1, 1, 1, 1, [(1010000, 5)], [(1000000, 4)]),
        (2, 1, 1, 1, 1, [(1009900, 5)], [(1000000, 4)]),
        levels=1,
    )
    assert [row[2:] for row in short(lobster.read(frame))] == [
        (1, 100.0, 4.0, S), (-1, 101.0, 5.0, L), (-1, 101.0, 0.0, 0), (-1, 100.99, 5.0, L)
    ]  # fmt: skip
    assert len(lobster.read(frame[:0])) == 0


def test_lobster_own_files(tmp_path):
    messages = tmp_path / "XYZ_2012-06-21_34200000_57600000_message_2.csv"
    books = tmp_path / "XYZ_2012-06-21_34200000_57600000_orderbook_2.csv"
    messages.write_text("34200.004241176,1,16113575,18,5853300,1\n34200.0255,4,16120456,18,5859100,-1\n")
    books.write_text(
        "5859400,200,5853300,18,9999999999,0,-9999999999,0\n5859400,200,5853300,18,5859500,7,-9999999999,0\n"
    )
    nine_thirty = int(dt.datetime(2012, 6, 21, 13, 30, tzinfo=dt.UTC).timestamp()) * 10**9
    expected = [
        (nine_thirty + 4241176, "DEPTH", 1, 585.33, 18.0, S),
        (nine_thirty + 4241176, "DEPTH", -1, 585.94, 200.0, L),
        (nine_thirty + 25500000, "TRADE", 1, 585.91, 18.0),
        (nine_thirty + 25500000, "DEPTH", -1, 585.95, 7.0, L),
    ]
    assert short(read(messages)) == expected
    moved = books.rename(tmp_path / "book.csv")
    with pytest.raises(InvalidData, match="no order-book file beside it"):
        read(messages)
    assert short(read(messages, book=moved)) == expected
    winter = messages.rename(tmp_path / "message.csv")
    with pytest.raises(InvalidData, match="no date in the file name"):
        read(winter, book=moved)
    assert read(winter, book=moved, date="2012-01-03")["ts"][0] == 1325601000004241176  # 14:30 UTC in winter
    moved.write_text("1,2,3\n")
    with pytest.raises(InvalidData, match="1 rows of 3 columns; expected 2 of four a level"):
        read(winter, book=moved, date="2012-01-03")


def test_lobster_bad_values():
    frame = lob((1, 4, 0, 1000000, 1, [(1010000, 5)], [(1000000, 4)]))
    with pytest.raises(InvalidData, match=r"'price', row 0: 1000000 .*a price and a size above 0"):
        lobster.read(frame)
    frame = lob((1, 1, 1, 1000000, 1, [(1010000, -5)], [(1000000, 4)]))
    with pytest.raises(InvalidData, match="'ask_sz_1', row 0: -5"):
        lobster.read(frame)
    with pytest.raises(InvalidData, match="no column type"):
        lobster.read(frame.drop(columns="type"))


# --- Bitstamp


def orders(*rows):
    frame = pd.DataFrame(rows, columns=["msg", "order_id", "action", "side", "price", "size_sat"])
    frame["ts_recv"] = pd.to_datetime(frame["msg"] * 10, utc=True)
    return frame


COIN = 100_000_000


def test_orders_add_up_to_levels():
    frame = orders(
        (0, 1, "created", "bid", 99.0, 2 * COIN),
        (1, 2, "created", "bid", 99.0, 30_000_000),
        (2, 3, "created", "ask", 99.0, COIN),
        (3, 1, "changed", "bid", 99.0, COIN),
        (4, 2, "deleted", "bid", 99.0, 30_000_000),
        (5, 1, "deleted", "bid", 99.0, 0),
    )
    assert short(bitstamp.read(frame)) == [
        (0, "DEPTH", 1, 99.0, 2.0, L),
        (10, "DEPTH", 1, 99.0, 2.3, L),
        (20, "DEPTH", -1, 99.0, 1.0, L),
        (30, "DEPTH", 1, 99.0, 1.3, L),
        (40, "DEPTH", 1, 99.0, 1.0, L),
        (50, "DEPTH", 1, 99.0, 0.0, L),
    ]


def test_an_order_that_changes_its_price_moves():
    frame = orders(
        (0, 1, "created", "ask", 101.0, COIN),
        (1, 1, "changed", "ask", 100.0, COIN),
        (2, 1, "changed", "ask", 99.0, COIN // 2),
        (3, 1, "deleted", "ask", 98.0, 0),
    )
    assert [row[3:] for row in short(bitstamp.read(frame))] == [
        (101.0, 1.0, L), (101.0, 0.0, 0), (100.0, 1.0, L), (100.0, 0.0, 0), (99.0, 0.5, L), (99.0, 0.0, L)
    ]  # fmt: skip


def test_orders_from_before_the_recording_and_after_their_deletion():
    frame = orders(
        (0, 1, "deleted", "bid", 99.0, COIN),
        (1, 1, "created", "bid", 99.0, COIN),  # the feed swapped two lines: the order is gone
        (2, 2, "changed", "bid", 98.0, COIN),  # from before, known from here on
        (3, 2, "deleted", "bid", 98.0, COIN),
        (3, 2, "deleted", "bid", 98.0, COIN),
    )
    counts = {}
    assert short(bitstamp.read(frame, counts=counts)) == [
        (20, "DEPTH", 1, 98.0, 1.0, L),
        (30, "DEPTH", 1, 98.0, 0.0, L),
    ]
    assert counts == {"unknown": 1, "dropped": 2}


def test_trades_and_orders_interleave_by_message():
    frame = orders((0, 1, "created", "bid", 99.0, COIN), (3, 1, "deleted", "bid", 99.0, 0))
    frame["ts_recv"] = pd.to_datetime([5, 5], utc=True)
    sold = pd.DataFrame(
        {
            "msg": [1, 2],
            "ts_recv": pd.to_datetime([5, 5], utc=True),
            "price": 99.0,
            "size": [0.3, 0.7],
            "trade_id": [8, 9],
        }
    )
    assert [row[1:] for row in short(bitstamp.read(frame, trades=sold))] == [
        ("DEPTH", 1, 99.0, 1.0, L),
        ("TRADE", 0, 99.0, 0.3),
        ("TRADE", 0, 99.0, 0.7),
        ("DEPTH", 1, 99.0, 0.0, L),
    ]
    assert detect(sold) == detect(frame) == "bitstamp"
    assert [row[1:] for row in short(read(sold))] == [("TRADE", 0, 99.0, 0.3), ("TRADE", 0, 99.0, 0.7)]


def test_top_levels_are_snapshots():
    frame = pd.DataFrame(
        {
            "msg": [4, 4, 9],
            "side": ["bid", "ask", "bid"],
            "level": 1,
            "price": [99.0, 101.0, 98.0],
            "size_sat": COIN,
        }
    ).assign(ts_recv=pd.to_datetime([1, 1, 2], utc=True))
    assert short(read(frame)) == [
        (1, "DEPTH", 1, 99.0, 1.0, S), (1, "DEPTH", -1, 101.0, 1.0, L), (2, "DEPTH", 1, 98.0, 1.0, S | L)
    ]  # fmt: skip


def test_bitstamp_bad_values():
    frame = orders((0, 1, "created", "bid", 99.0, COIN), (1, 2, "created", "bid", 99.0, -1))
    with pytest.raises(InvalidData, match="'size_sat', row 1: -1"):
        bitstamp.read(frame)
    with pytest.raises(InvalidData, match=r"'msg', row 1: 0 .*not decreasing"):
        bitstamp.read(orders((1, 1, "created", "bid", 1.0, 1), (0, 2, "created", "bid", 1.0, 1)))
    assert len(bitstamp.read(orders())) == 0


# --- ticks


def test_ticks_keep_crossed_quotes_and_unknown_sizes():
    frame = pd.DataFrame(
        {"Time": [1_400_000_000_000, 1_400_000_000_000], "Bid": [1.2, 1.4], "Ask": [1.3, 1.3]}
    )
    assert short(read(frame)) == [
        (1_400_000_000 * 10**9, "QUOTE", 1.2, 0.0, 1.3, 0.0),
        (1_400_000_000 * 10**9, "QUOTE", 1.4, 0.0, 1.3, 0.0),
    ]
    frame["Bid Size"], frame["ask_volume"] = [5.0, None], [7.0, 8.0]
    assert [row[2:] for row in short(read(frame))] == [(1.2, 5.0, 1.3, 7.0), (1.4, 0.0, 1.3, 8.0)]


def test_bad_ticks_are_refused_or_dropped():
    frame = pd.DataFrame(
        {"ts": pd.to_datetime([1, 2, None, 4]), "bid": [1.0, None, 1.0, 1.0], "ask": [1.0, 1.0, 1.0, 0.0]}
    )
    with pytest.raises(InvalidData, match="'ts', row 2: null"):
        ticks.read(frame)
    with pytest.raises(InvalidData, match="'bid', row 1: null"):
        ticks.read(frame.drop(index=2))
    counts = {}
    assert ticks.read(frame, invalid="drop", counts=counts)["ts"].tolist() == [1]
    assert counts == {"invalid": 3}
    with pytest.raises(InvalidData, match="no column of time"):
        ticks.read(frame[["bid", "ask"]])
    with pytest.raises(OutOfOrder):
        ticks.read(frame[["bid", "ask", "ts"]].iloc[[0, 0]].assign(ts=pd.to_datetime([2, 1])))


# --- bars


def candles(n=3, step=MINUTE, start=1_700_000_040 * 10**9, **more):
    at = start + step * np.arange(n)
    frame = {"Time": at, "Open": 10.0, "High": 12.0, "Low": 9.0, "Close": 11.0, "Volume": 5.0, **more}
    return pd.DataFrame(frame)


def test_a_bar_is_known_at_its_end():
    events = read(candles())
    assert (events["ts"] - 1_700_000_040 * 10**9).tolist() == [MINUTE, 2 * MINUTE, 3 * MINUTE]
    assert (
        events.view(BAR)[["open", "high", "low", "close", "volume", "turnover"]].tolist()
        == [(10, 12, 9, 11, 5, 0)] * 3
    )
    assert (read(candles(), stamped="close")["ts"] - 1_700_000_040 * 10**9).tolist() == [
        0,
        MINUTE,
        2 * MINUTE,
    ]


def test_engine_runs_over_a_frame_of_bars():
    frame = candles(40, Close=np.linspace(10.0, 11.0, 40))
    rows = Engine(["log_return_1"]).run(frame)
    assert rows.shape == (40, 1) and np.isfinite(rows[1:]).all()
    assert np.array_equal(rows, Engine(["log_return_1"]).run(read(frame)), equal_nan=True)


@pytest.mark.parametrize(
    "interval",
    [
        "5m",
        "5min",
        "300s",
        300_000_000_000,
        dt.timedelta(minutes=5),
        np.timedelta64(5, "m"),
        pd.Timedelta("5min"),
    ],
)
def test_interval(interval):
    assert read(candles(), interval=interval)["ts"][0] == 1_700_000_340 * 10**9


@pytest.mark.parametrize("interval", ["1M", "soon", "-1m", 0, "0s"])
def test_interval_that_is_none(interval):
    with pytest.raises(ValueError, match="interval="):
        read(candles(), interval=interval)


def test_interval_is_the_median_step():
    frame = candles(6).drop(index=[2])  # one minute is missing
    assert read(frame)["ts"][0] == 1_700_000_100 * 10**9
    with pytest.raises(InvalidData, match="one bar does not tell its length"):
        read(candles(1))
    assert len(read(candles(1), interval="1m")) == 1
    assert len(read(candles(0))) == 0


@pytest.mark.parametrize(("factor", "unit"), [(1, "ns"), (1000, "us"), (10**6, "ms"), (10**9, "s")])
def test_unit_of_numbers(factor, unit):
    frame = candles()
    expected = read(frame)
    frame["Time"] //= factor
    assert (read(frame) == expected).all()
    assert (read(frame, unit=unit) == expected).all()
    frame["Time"] = frame["Time"].astype(float)
    assert (read(frame)["ts"] == expected["ts"]).all()


def test_unit_that_cannot_be_told():
    frame = candles()
    frame["Time"] = [20120621, 20120622, 20120625]
    with pytest.raises(InvalidData, match="times near 20120622 do not tell their unit"):
        read(frame)


def test_names_of_the_time():
    frame = candles()
    expected = read(frame)
    stamps = pd.to_datetime(frame["Time"], utc=True)
    for name in ("ts", "ts_open", "Open Time", "open-time", "TIMESTAMP", "Date", "datetime"):
        assert (read(frame.rename(columns={"Time": name})) == expected).all(), name
    assert (read(frame.drop(columns="Time").set_index(pd.DatetimeIndex(stamps))) == expected).all()
    unnamed = frame.drop(columns="Time").set_index(pd.DatetimeIndex(stamps.to_numpy()))
    assert (read(unnamed) == expected).all()
    assert (read(pa.Table.from_pandas(unnamed)) == expected).all()
    assert (read(frame.assign(Time=stamps.dt.tz_convert("Asia/Tokyo"))) == expected).all()
    assert (read(frame.assign(Time=stamps.dt.strftime("%Y-%m-%d %H:%M:%S"))) == expected).all()
    assert (read(frame.assign(Time=stamps.dt.strftime("%Y-%m-%dT%H:%M:%S+00:00"))) == expected).all()
    assert (read(frame.rename(columns={"Time": "known at"}), time="known_at") == expected).all()
    assert (read(frame.rename(columns={"Time": "close_time"}))["ts"] == frame["Time"]).all()
    with pytest.raises(InvalidData, match="no column of time; found: open, high"):
        read(frame.drop(columns="Time"))


def test_daily_dates_and_symbols():
    days = [dt.date(2024, 1, 2), dt.date(2024, 1, 3), dt.date(2024, 1, 2), dt.date(2024, 1, 3)]
    frame = candles(4).assign(Time=days, Symbol=["A", "A", "B", "B"], Close=[11.0, 10.0, 9.5, 9.0])
    for source in (frame, pa.Table.from_pandas(frame)):
        events = read(source, symbol="B")
        assert events.view(BAR)["close"].tolist() == [9.5, 9.0]
        assert events["ts"].astype("M8[ns]").astype("M8[D]").tolist() == [
            dt.date(2024, 1, 3),
            dt.date(2024, 1, 4),
        ]
        with pytest.raises(InvalidData, match=r"has 2 symbols \(A, B\); pass symbol="):
            read(source)
        with pytest.raises(InvalidData, match="no 'C'; found: A, B"):
            read(source, symbol="C")


def test_volume_may_be_absent_and_turnover_present():
    assert read(candles().drop(columns="Volume")).view(BAR)["volume"].tolist() == [0.0] * 3
    frame = candles().rename(columns={"Volume": "Quote Volume"})
    assert read(frame).view(BAR)["turnover"].tolist() == [5.0] * 3


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("Open", None, "'open', row 1: null"),
        ("Close", np.inf, "'close', row 1: inf"),
        ("Low", 0.0, "'low', row 1: 0.0 .*above 0"),
        ("High", 8.0, "'high', row 1: 8.0 .*not below open, low or close"),
        ("Close", 12.5, "'high', row 1: 12.0"),
        ("Low", 10.5, "'low', row 1: 10.5 .*not above open or close"),
        ("Volume", -1.0, "'volume', row 1: -1.0"),
        ("Volume", np.nan, "'volume', row 1: null"),
        ("Time", None, "'time', row 1: null"),
        (
            "Time",
            pd.Timestamp(1_700_000_040 * 10**9, tz="UTC"),
            "'time', row 1: .*after the time of the row before",
        ),
        ("Time", pd.Timestamp(1_600_000_000 * 10**9, tz="UTC"), "'time', row 1: .*sort the bars"),
    ],
)
def test_bad_bars_are_refused_or_dropped(column, value, text):
    frame = candles(4)
    frame["Time"] = pd.to_datetime(frame["Time"], utc=True)
    good = read(frame.drop(index=1))
    frame.loc[1, column] = value
    for source in (frame, pa.Table.from_pandas(frame)):
        with pytest.raises(InvalidData, match=text):
            read(source)
        counts = {}
        assert (read(source, invalid="drop", counts=counts) == good).all()
        assert counts == {"invalid": 1}


def test_unknown_choices_of_bars():
    for options in ({"invalid": "keep"}, {"stamped": "middle"}):
        with pytest.raises(ValueError, match="expected"):
            read(candles(), **options)


# --- files, formats, errors


def written(frame, folder):
    """The same table in every kind of file."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    import pyarrow.feather
    import pyarrow.parquet

    pyarrow.parquet.write_table(table, folder / "a.parquet")
    pyarrow.feather.write_feather(table, folder / "a.feather")
    frame.to_csv(folder / "a.csv", index=False)
    frame.to_csv(folder / "a.csv.gz", index=False)
    return [folder / name for name in ("a.parquet", "a.feather", "a.csv", "a.csv.gz")]


def test_every_kind_of_file_and_frame_reads_the_same(tmp_path):
    big = 2**53 + 1  # an id that float64 cannot hold, beside nulls
    frame = recording(
        trade(1, "buy", 0.1 + 0.2, 1e-8),
        snapshot(2, big, B, A),
        spot(3, big + 1, big + 1, A),
        spot(4, big + 3, big + 3, A),
    )
    expected = binance.read(frame)
    assert [row[1] for row in short(expected)] == ["TRADE", "DEPTH", "DEPTH", "DEPTH", "GAP"]
    for file in written(frame, tmp_path):
        assert detect(file) == "binance"
        assert (read(file) == expected).all(), file.name
        assert (read(str(file)) == expected).all()
    table = pa.Table.from_pandas(frame)
    for kinds in ("category", "string"):
        again = frame.assign(kind=frame["kind"].astype(kinds), side=frame["side"].astype(kinds))
        assert (read(again) == expected).all()
        assert (read(pa.Table.from_pandas(again)) == expected).all()
    assert (read(pa.concat_tables([table[:2], table[2:]])) == expected).all()  # in chunks
    assert (read(frame.convert_dtypes(dtype_backend="pyarrow")) == expected).all()


def test_formats_are_told_by_their_columns():
    assert [known.name for known in FORMATS] == ["binance", "lobster", "bitstamp", "ticks", "ohlcv"]
    assert detect(recording()) == "binance"
    assert detect(lob()) == "lobster"
    assert detect(orders()) == "bitstamp"
    assert detect(candles()) == "ohlcv"
    assert detect(pd.DataFrame({"ts": [], "bid": [], "ask": []})) == "ticks"
    with pytest.raises(
        InvalidData, match=r"no known format has the columns x, y; expected one of: binance \(kind .*ohlcv \("
    ):
        read(pd.DataFrame({"x": [1], "Y": [2]}))
    with pytest.raises(ValueError, match="format='csv' is unknown; expected 'auto' or one of binance"):
        read(candles(), format="csv")
    with pytest.raises(InvalidData, match="DataFrame: no column bid, ask; found: time, open"):
        read(candles(), format="ticks")
    with pytest.raises(TypeError, match="interval"):
        read(recording(), interval="1m")


def test_damaged_and_foreign_sources(tmp_path):
    file = written(candles(), tmp_path)[0]
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(InvalidData, match=r"a\.parquet"):
        read(file)
    (tmp_path / "empty.csv").write_text("")
    with pytest.raises(InvalidData, match=r"empty\.csv"):
        read(tmp_path / "empty.csv")
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "absent.parquet")
    with pytest.raises(InvalidData, match="list: expected a path"):
        read([1, 2])
    with pytest.raises(InvalidData, match="two columns are named 'open'"):
        read(candles().assign(open=1.0))
    with pytest.raises(InvalidData, match="columns with the same name"):
        read(pd.concat([candles(), candles()], axis=1))
    with pytest.raises(InvalidData, match=r"'open': 'ten' \(expected a number\)"):
        read(candles().assign(Open="ten"))
    with pytest.raises(InvalidData, match=r"'time'.*ISO 8601"):
        read(candles().assign(Time="noon"))


def test_missing_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    parquet, _, csv, _ = written(candles(), tmp_path)
    expected = read(parquet)
    for name in [name for name in sys.modules if name.split(".")[0] == "pyarrow"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"pip install smartcore\[parquet\]"):
        read(parquet)
    assert (read(csv) == expected).all()


def test_importing_the_readers_loads_numpy_alone():
    code = "from smartcore.market import binance, bitstamp, lobster, ohlcv, readers, ticks; import sys;"
    code += "print({'pandas', 'pyarrow'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


# --- recorded data

BINANCE = [
    # file, events, trades, diffs dropped, depth messages closed, final book is the last bbo
    ("binance_l2_2024/spot_btcusdt_2024-08-08.parquet", 163_870, 9_757, 2, 3_450, False),
    ("binance_l2_2024/spot_ethusdt_2024-08-08.parquet", 138_985, 6_106, 2, 3_433, False),
    ("binance_l2_2024/usdm_perp_btcusdt_2024-08-08.parquet", 532_664, 21_313, 4, 6_548, True),
    ("binance_l2_2024/coinm_perp_btcusd_perp_2024-08-08.parquet", 319_169, 2_286, 23, 26_825, True),
    ("binance_l2_2024/coinm_perp_ethusd_perp_2024-08-08.parquet", 213_215, 1_732, 22, 22_888, True),
    ("binance_2020/ethbtc_l2_2020-11-01T09.parquet", 69_566, 0, 1, 3_600, False),
]


@pytest.mark.parametrize(("name", "n", "trades", "dropped", "messages", "futures"), BINANCE)
def test_binance_book_is_never_crossed(recorded, name, n, trades, dropped, messages, futures):
    counts = {}
    events = read(recorded(name), counts=counts)
    assert counts == {"gaps": 0, "dropped": dropped, "buffered": 0, "void_trades": 0}
    assert len(events) == n and (events["kind"] == Kind.TRADE).sum() == trades
    assert (np.diff(events["ts"]) >= 0).all()
    depth = events[events["kind"] == Kind.DEPTH]
    assert depth["flags"][0] & Flag.SNAPSHOT and (depth["flags"] & Flag.SNAPSHOT > 0).sum() == 1
    assert (depth["flags"] & Flag.LAST > 0).sum() == messages

    book = Book()
    for k, _ in enumerate(book.replay(events)):
        if k % 10 == 0:  # the naive book is slow; the engine's looks after every message
            assert not book.crossed
    assert not book.stale
    engine = Engine(["spread"])
    engine.run(events)
    assert engine.book.crossings == 0 and not engine.book.stale
    bids, asks = engine.book.levels()
    assert [bids.tolist(), asks.tolist()] == [[list(level) for level in side] for side in book.top(10**6)]
    if futures:
        last = events[events["kind"] == Kind.QUOTE].view(QUOTE)[-1]
        assert book.top(1) == ([(last["bid"], last["bid_size"])], [(last["ask"], last["ask_size"])])


def test_skipping_the_rule_does_cross_the_book(recorded):
    """What the rule is for: without the diffs from before the snapshot the same book is mostly crossed."""
    path = recorded("binance_l2_2024/spot_btcusdt_2024-08-08.parquet")
    frame = pd.read_parquet(path)
    first = frame.loc[frame["kind"] == "snapshot", "msg"].iloc[0]
    frame = frame[(frame["kind"] == "snapshot") | (frame["msg"] > first)]
    frame["first_id"] = frame["first_id"].mask(
        frame["msg"] == frame.loc[frame["first_id"].notna(), "msg"].iloc[0], 0
    )
    book = Book()
    assert np.mean([book.crossed for _ in book.replay(binance.read(frame))]) > 0.5


@pytest.mark.parametrize("name", [BINANCE[1][0], BINANCE[4][0]])
def test_live_sync_equals_the_reader_on_a_recording(recorded, name):
    frame = pd.read_parquet(recorded(name))
    frame = frame[frame["msg"] < frame["msg"].min() + 6_000]
    from_file = binance.read(frame)
    from_file = from_file[np.isin(from_file["kind"], (Kind.DEPTH, Kind.GAP))]
    assert from_file.tobytes() == live(frame, binance.DepthSync()).tobytes()


@pytest.mark.parametrize(
    ("coin", "n", "buys"), [("btcusdt", 18_054, None), ("ethusdt", 4_700, None), ("ethbtc", 1_736, None)]
)
def test_aggregated_trades_of_an_hour(recorded, coin, n, buys):
    path = recorded(f"binance_2020/{coin}_aggtrades_2020-11-01T09.parquet")
    events, frame = read(path), pd.read_parquet(path)
    assert len(events) == n and (events["kind"] == Kind.TRADE).all()
    assert ((events["side"] == 1) == (frame["side"] == "buy")).all()
    assert np.array_equal(events.view(TRADE)["price"], frame["price"])
    assert np.array_equal(events.view(TRADE)["size"], frame["size"])


@pytest.mark.parametrize(
    ("name", "trades", "changed"),
    [("GOOG_2012-06-21_level10", 11_678, 144_003), ("AAPL_2012-06-21_level1", 34_990, 107_165)],
)
def test_lobster_book_equals_the_columns_after_every_message(recorded, name, trades, changed):
    path = recorded(f"lobster_2012/{name}.parquet")
    counts = {}
    events, frame = read(path, price_scale=1, counts=counts), pd.read_parquet(path)
    assert counts == {"crosses": 0, "halts": 0}
    assert (events["kind"] == Kind.TRADE).sum() == trades
    columns = frame.filter(regex="_(px|sz)_").to_numpy()
    levels = columns.shape[1] // 4
    rows = np.flatnonzero(np.append(True, (columns[1:] != columns[:-1]).any(axis=1)))
    assert len(rows) == changed
    ts = frame["ts_event"].to_numpy("M8[ns]").astype(np.int64)
    sides = columns.reshape(-1, levels, 2, 2)  # row, level, ask or bid, price or size
    wrong, book = 0, Book()
    for i, row in zip(book.replay(events), rows, strict=True):
        bids, asks = book.top(levels + 1)
        ours = [asks, bids]
        wrong += events["ts"][i] != ts[row]
        wrong += any([tuple(level) for level in sides[row, :, s].tolist()] != ours[s] for s in (0, 1))
    assert wrong == 0

    executed = frame[frame["type"].isin([4, 5])]
    traded = events[events["kind"] == Kind.TRADE]
    assert np.array_equal(traded["side"], -executed["direction"])
    assert np.array_equal(traded["v0"], executed["price"]) and np.array_equal(traded["v1"], executed["size"])
    dollars = read(path)
    assert np.array_equal(dollars["v0"], events["v0"] / 10_000)
    dollars["v0"] = events["v0"]
    assert (dollars == events).all()


def test_bitstamp_levels_equal_the_snapshots_of_the_exchange(recorded):
    """Where every order of a level was seen, our total is the exchange's.

    The book from before the recording is unknown. But once a snapshot reaches past a price and shows no
    level there, all orders at that price are later ones, and from then on the total must agree, present or
    absent. Those are 89 % of the levels. The exchange's snapshots are a moment ahead of or behind the orders
    now and then, so 48 of 177,284 differ; never the same level twice in a row, so no order is lost or stays.
    """
    events = read(recorded("bitstamp_l3_2015/btcusd_orders_2015-05-01.parquet"))
    tops = read(recorded("bitstamp_l3_2015/btcusd_top20_2015-05-01.parquet")).view(DEPTH)
    starts = np.flatnonzero(tops["flags"] & Flag.SNAPSHOT)
    before, after = (np.searchsorted(events["ts"], tops["ts"][starts], side) for side in ("left", "right"))
    prices = {
        s: np.unique(np.append(events["v0"][events["side"] == s], tops["price"][tops["side"] == s]))
        for s in (1, -1)
    }
    seen = {s: np.zeros(len(prices[s]), bool) for s in (1, -1)}
    book, done, compared, differ, all_levels, best, again = Book(), 0, 0, 0, 0, 0, 0
    last_differed: set[tuple[int, float]] = set()
    for start, end, first, upto in zip(starts, np.append(starts[1:], len(tops)), before, after, strict=True):
        book.apply(events[done:upto])
        done = upto
        if first != upto:
            continue  # orders in the same millisecond: which came first is not known
        differed = set()
        for side, levels in ((1, book.bids), (-1, book.asks)):
            top = tops[start:end][tops["side"][start:end] == side]
            reach = slice(
                *np.searchsorted(prices[side], [top["price"].min(), np.nextafter(top["price"].max(), np.inf)])
            )
            price = prices[side][reach]
            theirs = np.zeros(len(price))
            theirs[np.searchsorted(price, top["price"])] = top["size"]
            ours = np.array([levels.get(p, 0.0) for p in price.tolist()])
            known = seen[side][reach] & ((theirs > 0) | (ours > 0))
            wrong = known & (np.rint(theirs * 1e8) != np.rint(ours * 1e8))
            differed |= {(side, p) for p in price[wrong].tolist()}
            compared, differ, all_levels = (
                compared + known.sum(),
                differ + wrong.sum(),
                all_levels + (theirs > 0).sum(),
            )
            best += (book.bid if side > 0 else book.ask) == top["price"][0]
            seen[side][reach] |= theirs == 0
        again += len(differed & last_differed)
        last_differed = differed
    assert all_levels == 200_000
    assert compared > 0.88 * all_levels
    assert differ < 5e-4 * compared
    assert again == 0
    assert best > 0.994 * 2 * 5_000


def test_bitstamp_trades_fall_between_the_orders(recorded):
    orders_path = recorded("bitstamp_l3_2015/btcusd_orders_2015-05-01.parquet")
    trades_path = recorded("bitstamp_l3_2015/btcusd_trades_2015-05-01.parquet")
    counts = {}
    events = read(orders_path, trades=trades_path, counts=counts)
    assert counts == {"unknown": 184, "dropped": 27}
    traded = events[events["kind"] == Kind.TRADE]
    assert len(traded) == 575 and (traded["side"] == 0).all()
    assert (np.diff(events["ts"]) >= 0).all()
    frame = pd.read_parquet(trades_path)
    assert np.array_equal(traded["v0"], frame["price"])


@pytest.mark.parametrize(
    ("name", "n", "crossed", "locked"),
    [
        ("fxcm_eurusd", 675_401, 0.10, 0.12),
        ("fxcm_nzdusd", 605_951, 0.02, 0.02),
        ("oanda_eurusd", 321_559, 0, 0),
        ("oanda_nzdusd", 274_268, 0, 0),
    ],
)
def test_tick_quotes_of_a_week(recorded, name, n, crossed, locked):
    quotes = read(recorded(f"fx_ticks_2014/{name}_2014-05-01_2014-05-09.parquet")).view(QUOTE)
    assert len(quotes) == n and (quotes["kind"] == Kind.QUOTE).all()
    assert np.mean(quotes["bid"] > quotes["ask"]) == pytest.approx(crossed, abs=0.005)
    assert np.mean(quotes["bid"] == quotes["ask"]) == pytest.approx(locked, abs=0.005)
    assert (quotes["bid_size"] == 0).all() and (np.diff(quotes["ts"]) >= 0).all()


@pytest.mark.parametrize(
    ("name", "n"),
    [
        ("binance_spot_2025/BTCUSDT", 105_120),
        ("binance_spot_2026/SOLUSDT", 32_391),
        ("binanceus_2023_depeg/BTCUSDC", 20_160),
    ],
)
def test_minute_bars(recorded, name, n):
    path = recorded(f"crypto_bars_1m/{name}.parquet")
    bars, frame = read(path).view(BAR), pd.read_parquet(path)
    assert len(bars) == n and (np.diff(bars["ts"]) == MINUTE).all()
    assert np.array_equal(bars["ts"] - MINUTE, frame["ts_open"].to_numpy("M8[ns]").astype(np.int64))
    for column in ("open", "high", "low", "close", "volume"):
        assert np.array_equal(bars[column], frame[column])


def test_daily_bars(recorded):
    stocks = recorded("daily_equities/dow31_2006_2015.parquet")
    counts = {}
    apple = read(stocks, symbol="AAPL", invalid="drop", counts=counts)
    assert len(apple) == 2_514 and counts == {"invalid": 2}  # days whose open is above the high
    with pytest.raises(InvalidData, match="31 symbols"):
        read(stocks)
    vix = recorded("daily_equities/vix_1990_2015.parquet")
    counts = {}
    assert len(read(vix, invalid="drop", counts=counts)) == 6_503 and counts == {"invalid": 47}


def test_reading_parquet_loads_no_pandas(tmp_path):
    """160 ms and 30 MB that a live process need not spend."""
    pq = pytest.importorskip("pyarrow.parquet")
    n = 1000
    columns = {
        "agg_id": np.arange(n),
        "price": np.linspace(100, 101, n),
        "size": np.ones(n),
        "side": ["buy", "sell"] * (n // 2),
        "ts_event": 1_700_000_000_000 + np.arange(n),
    }
    pq.write_table(pa.table(columns), tmp_path / "trades.parquet")
    program = f"import sys, smartcore; n = len(smartcore.read({str(tmp_path / 'trades.parquet')!r}))"
    program += "; print(n, 'pandas' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stdout.split() == ["1000", "False"], result.stderr
