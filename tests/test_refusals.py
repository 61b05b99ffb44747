"""Bad input: the right error, with the field and the value in its text, and an engine that is as it was before.

Also what is not refused: late events under the policy "drop", crossed books.
"""

from __future__ import annotations

import copy
import json
import pickle
import struct
import subprocess
import sys

import numpy as np
import pytest

import smartcore as sc
from smartcore import _core
from smartcore.market import events as ev

NAN, INF = float("nan"), float("inf")
COLUMNS = [
    "log_return_1", "sma_distance_20", "spread", "ofi_l1_1s", "trade_imbalance_1s", "vpin_2", "effective_spread_10s",
]  # fmt: skip
TS = 1_700_000_000_000_000_000


def fed(**options) -> sc.Engine:
    """An engine in the middle of things: a book, trades, a bar, a half-open depth message."""
    eng = sc.Engine(COLUMNS, instrument="BTCUSDT", **options)
    eng.on_depth_message(TS, [(99, 1), (98, 2)], [(101, 1), (102, 2)], snapshot=True, last_id=10)
    eng.on_trade(TS, 100, 1, 1)
    eng.on_trade(TS + 1, 101, 2, -1)
    if eng.bars is None:
        eng.on_bar(TS + 2, 100, 101, 99, 100, 3)
        eng.on_bar(TS + 3, 100, 103, 100, 102, 3)
    eng.on_depth(TS + 4, 1, 97, 3, last=False)
    return eng


class Unchanged:
    """The block leaves the engine as it was, to the last byte."""

    def __init__(self, eng: sc.Engine) -> None:
        self.eng = eng

    def __enter__(self) -> sc.Engine:
        eng = self.eng
        self.before = eng.snapshot(), eng.row.tobytes(), eng.counts, eng.ts, eng.closed_bar, eng.last_bar
        return eng

    def __exit__(self, kind, *_) -> None:
        eng = self.eng
        if kind is None:
            assert (eng.snapshot(), eng.row.tobytes(), eng.counts, eng.ts, eng.closed_bar, eng.last_bar) == self.before


# ---- events that cannot be true ----

BAR = {"open": 100.0, "high": 103.0, "low": 99.0, "close": 102.0, "volume": 5.0, "turnover": 500.0}
TRADE = {"price": 100.0, "size": 2.0, "side": 1}
DEPTH = {"side": 1, "price": 98.5, "size": 2.0}
QUOTE = {"bid": 99.0, "bid_size": 1.0, "ask": 101.0, "ask_size": 1.0}
SCORE = {"value": 0.5, "weight": 1.0, "source": 1}
AUX = {"series": 1, "value": 1e-4}
PEER = {"price": 50.0, "volume": 2.0, "net": -1.0, "flow": 3.0, "age": 0.5, "updates": 2.0}
BASKET = {"mean": 1e-3, "dispersion": 1e-3, "rank": 0.5, "breadth": 0.7, "flow": NAN, "fresh": 1.0}
FACTOR = {"share": 0.7, "loading": 1.1, "score": -2.0}
SOUND = {
    "on_bar": BAR, "on_trade": TRADE, "on_depth": DEPTH, "on_quote": QUOTE, "on_score": SCORE, "on_aux": AUX,
    "on_peer": PEER, "on_basket": BASKET, "on_factor": FACTOR,
}  # fmt: skip
BUILD = {
    "on_bar": ev.bars, "on_trade": ev.trades, "on_depth": ev.depth, "on_quote": ev.quotes, "on_score": ev.scores,
    "on_aux": ev.aux, "on_peer": ev.peers, "on_basket": ev.baskets, "on_factor": ev.factors,
}  # fmt: skip

NO_PRICE = [NAN, INF, -INF, 0.0, -0.0, -1.0, 5e-324, 1e300]
NO_SIZE = [NAN, INF, -INF, -1e-9, 1e300]
BAD = [
    *[("on_bar", name, x) for name in ("open", "high", "low", "close") for x in NO_PRICE],
    *[("on_bar", name, x) for name in ("volume", "turnover") for x in NO_SIZE],
    *[("on_bar", *bad) for bad in (("high", 98.0), ("open", 104.0), ("open", 98.9), ("close", 103.1), ("close", 1.0))],
    *[(call, "price", x) for call in ("on_trade", "on_depth") for x in NO_PRICE],
    *[(call, "size", x) for call in ("on_trade", "on_depth") for x in NO_SIZE],
    *[("on_trade", "side", x) for x in (2, -2, 100, -128)],
    *[("on_depth", "side", x) for x in (0, 2, -2, 127)],
    *[("on_quote", name, x) for name in ("bid", "ask") for x in NO_PRICE],
    *[("on_quote", name, x) for name in ("bid_size", "ask_size") for x in NO_SIZE],
    *[(call, "value", x) for call in ("on_score", "on_aux") for x in (NAN, INF, -INF, 1e300)],
    *[("on_score", "weight", x) for x in NO_SIZE],
    *[("on_peer", "price", x) for x in (INF, -INF, 0.0, -1.0, 1e300)],  # NaN: it is missing
    *[("on_peer", name, x) for name in ("volume", "updates") for x in NO_SIZE],
    *[("on_peer", "age", x) for x in NO_SIZE if x == x],
    *[("on_peer", name, x) for name in ("net", "flow") for x in (NAN, INF, -1e300)],
    *[("on_basket", name, x) for name in BASKET for x in (INF, -INF, 1e300)],
    *[("on_basket", "rank", x) for x in (-0.1, 1.1)],
    *[("on_factor", name, x) for name in FACTOR for x in (INF, -INF, 1e300)],
]


@pytest.mark.parametrize(("call", "field", "value"), BAD)
def test_an_impossible_event_is_refused(call, field, value):
    eng, given = fed(), SOUND[call] | {field: value}
    text = f"{field} = {value:.17g} "
    with Unchanged(eng), pytest.raises(sc.InvalidEvent) as live:
        getattr(eng, call)(TS + 5, **given)
    assert text in str(live.value)
    # The same as a record, alone and behind a thousand good ones.
    record = BUILD[call](TS + 5, **given)
    with Unchanged(eng), pytest.raises(sc.InvalidEvent, match=field) as single:
        eng.on_event(record[0])
    assert text in str(single.value)
    good = BUILD[call](np.full(1000, TS + 5), **SOUND[call])
    with Unchanged(eng), pytest.raises(sc.InvalidEvent) as batch:
        eng.run(np.concatenate([good, record]))
    assert text in str(batch.value) and "event 1000" in str(batch.value)
    eng.run(good)
    getattr(eng, call)(TS + 5, **SOUND[call])


@pytest.mark.parametrize("side", [256, -255, 2**31, -(2**62)])
def test_a_side_that_does_not_fit_a_byte_is_refused(side):
    for call in ("on_trade", "on_depth"):
        eng = fed()
        with Unchanged(eng), pytest.raises(sc.InvalidEvent, match=f"side = {float(side):.17g}".replace("+", r"\+")):
            getattr(eng, call)(TS + 5, **SOUND[call] | {"side": side})


@pytest.mark.parametrize("kind", [0, 11, 255])
def test_an_unknown_kind_is_refused(kind):
    eng, event = fed(), ev.gap(TS + 5)
    event["kind"] = kind
    for call in (lambda: eng.on_event(event[0]), lambda: eng.run(event)):
        with Unchanged(eng), pytest.raises(sc.InvalidEvent, match=f"kind = {kind} "):
            call()


@pytest.mark.parametrize("wrong", ["twitter", -1, 256, "", "News"])
def test_an_unknown_source_or_series_is_refused(wrong):
    eng = fed()
    with Unchanged(eng), pytest.raises(sc.InvalidEvent, match="news"):
        eng.on_score(TS + 5, 0.5, 1.0, wrong)
    with Unchanged(eng), pytest.raises(sc.InvalidEvent, match="funding"):
        eng.on_aux(TS + 5, wrong, 0.5)
    if isinstance(wrong, str):
        with pytest.raises(ValueError, match="there are"):
            ev.scores(TS, 0.5, 1.0, wrong)
        with pytest.raises(ValueError, match="there are"):
            ev.aux(TS, wrong, 0.5)


def test_a_bar_is_refused_where_bars_are_built():
    eng = fed(bars="1m")
    with Unchanged(eng), pytest.raises(sc.InvalidEvent, match="builds its bars from trades"):
        eng.on_bar(TS + 5, **BAR)
    record = ev.bars(TS + 5, **BAR)
    with Unchanged(eng), pytest.raises(sc.InvalidEvent, match="builds its bars from trades"):
        eng.on_event(record[0])
    with Unchanged(eng), pytest.raises(sc.InvalidEvent, match="builds its bars from trades"):
        eng.run(record)


# ---- time ----

CALLS = {
    **{call: (lambda eng, ts, call=call: getattr(eng, call)(ts, **SOUND[call])) for call in SOUND},
    "on_depth_message": lambda eng, ts: eng.on_depth_message(ts, [(97, 1)], []),
    "on_order_book": lambda eng, ts: eng.on_order_book({"bids": [[97, 1]], "asks": [[101, 1]]}, ts),
    "on_event": lambda eng, ts: eng.on_event(ev.gap(ts)[0]),
    "advance": lambda eng, ts: eng.advance(ts),
    "run": lambda eng, ts: eng.run(np.concatenate([ev.gap(TS + 10), ev.gap(ts)])),
}


@pytest.mark.parametrize("call", CALLS)
def test_time_going_back_is_refused(call):
    eng = fed()
    with Unchanged(eng), pytest.raises(sc.OutOfOrder) as error:
        CALLS[call](eng, TS + 3)
    assert f"ts = {TS + 3} " in str(error.value)
    assert call == "run" or f"{TS + 4}" in str(error.value)
    CALLS[call](eng, TS + 10)  # and the next one in order is taken
    assert eng.ts == TS + 10
    if call != "run":
        CALLS[call](eng, TS + 10)  # equal times are in order


@pytest.mark.parametrize("call", CALLS)
def test_time_going_back_is_dropped_and_counted(call):
    eng = fed(out_of_order="drop")
    before, row = eng.counts, eng.row.tobytes()
    result = CALLS[call](eng, TS + 3)
    assert eng.counts["dropped"] == before["dropped"] + 1 == 1
    if call == "run":
        assert eng.counts["gap"] == 1 and eng.ts == TS + 10
    else:
        assert result is False and eng.row.tobytes() == row and eng.ts == TS + 4
        assert eng.counts | {"dropped": 0} == before | {"dropped": 0}


@pytest.mark.parametrize(
    "late", [[1], [0], [0, 1], [0, 1, 5], [0, 2, 4], [3, 4, 5], [9], [0, 9], [8, 9], list(range(9)), list(range(10))]
)
def test_run_drops_what_the_live_calls_drop(late):
    """Wherever the late events stand: at the front, in a row, alone, all of them."""
    rng = np.random.default_rng(len(late))
    ts = TS + 10 + np.arange(10)
    ts[late] = TS - rng.integers(0, 5, len(late))
    events = ev.trades(ts, rng.integers(90, 110, 10), rng.integers(1, 5, 10), rng.choice([-1, 1], 10))
    run, live = fed(out_of_order="drop"), fed(out_of_order="drop")
    table = run.run(events, "event")
    rows = []
    for event in events:
        dropped = live.counts["dropped"]
        live.on_event(event)
        if live.counts["dropped"] == dropped:
            rows.append(live.row.copy())
    assert run.counts == live.counts and run.counts["dropped"] == len(late)
    assert np.array_equal(table, np.array(rows).reshape(-1, len(COLUMNS)), equal_nan=True)
    assert run.snapshot() == live.snapshot()


def test_a_late_event_is_still_checked():
    eng = fed(out_of_order="drop")
    with Unchanged(eng), pytest.raises(sc.InvalidEvent, match="price"):
        eng.on_trade(TS - 1, -1, 1, 1)
    with Unchanged(eng), pytest.raises(sc.InvalidEvent, match="price"):
        eng.run(ev.trades([TS - 1, TS + 9], [-1, 1], 1, 1))


@pytest.mark.parametrize("ts", [2**63 - 1, -(2**63), 2**62 + 1])
def test_a_time_out_of_this_world_is_refused(ts):
    for call in ("on_trade", "on_bar", "on_event", "on_depth_message", "advance"):
        eng = sc.Engine(COLUMNS)
        with Unchanged(eng), pytest.raises(sc.InvalidEvent, match="ts = "):
            CALLS[call](eng, ts)
    eng = sc.Engine(COLUMNS)
    with Unchanged(eng), pytest.raises(sc.InvalidEvent, match="ts = "):
        eng.run(ev.gap(ts))


@pytest.mark.parametrize(("ts", "error"), [
    (1.5, TypeError), (None, TypeError), ("1", TypeError), (NAN, TypeError), (np.float64(1), TypeError),
    (2**63, OverflowError),
])  # fmt: skip
def test_a_time_that_is_no_integer_is_refused(ts, error):
    for call in ("on_bar", "on_trade", "on_depth", "on_quote", "advance", "on_depth_message"):
        eng = fed()
        with Unchanged(eng), pytest.raises(error):
            CALLS[call](eng, ts)


def test_whole_numbers_of_any_type_are_taken():
    eng = sc.Engine(COLUMNS)
    eng.on_trade(np.int64(TS), np.float32(100), 2, np.int8(1))
    eng.on_trade(np.uint32(4_000_000_000) + np.int64(TS), 100, True, True)
    assert eng.counts["trade"] == 2


# ---- arguments ----


OPTIONAL = {
    "on_bar": ["turnover"], "on_trade": ["side"], "on_score": ["weight", "source"],
    "on_peer": ["volume", "net", "flow", "age", "updates"],
    "on_basket": ["fresh"],
}  # fmt: skip


@pytest.mark.parametrize("call", SOUND)
def test_missing_unknown_and_double_arguments(call):
    eng, given = fed(), SOUND[call]
    required = [name for name in given if name not in OPTIONAL.get(call, ())]
    method = getattr(eng, call)
    for name in required:
        with Unchanged(eng), pytest.raises(TypeError, match=f"{call}.*'{name}'"):
            method(TS + 5, **{key: x for key, x in given.items() if key != name})
    with Unchanged(eng), pytest.raises(TypeError, match="'ts'"):
        method(**given)
    with Unchanged(eng), pytest.raises(TypeError, match=f"{call}.*'ts'"):
        method()
    with Unchanged(eng), pytest.raises(TypeError, match=f"{call}.*'colour'"):
        method(TS + 5, **given, colour=1)
    with Unchanged(eng), pytest.raises(TypeError, match=f"{call}.*'ts' twice"):
        method(TS + 5, ts=TS + 5, **given)
    with Unchanged(eng), pytest.raises(TypeError, match=f"{call}.*takes at most"):
        method(TS + 5, *[1.0] * 9)
    method(ts=TS + 5, **dict(reversed(given.items())))  # in any order, by name
    method(TS + 6, *given.values())


@pytest.mark.parametrize("call", SOUND)
@pytest.mark.parametrize("wrong", ["100", None, [100.0], (), {}, 1j, b"1", object()])
def test_numbers_of_a_wrong_type(call, wrong):
    eng = fed()
    for name in SOUND[call]:
        refusal = sc.InvalidEvent if name in ("source", "series") and isinstance(wrong, str) else TypeError
        with Unchanged(eng), pytest.raises(refusal):
            getattr(eng, call)(TS + 5, **SOUND[call] | {name: wrong})
    with Unchanged(eng), pytest.raises(OverflowError):
        getattr(eng, call)(TS + 5, **SOUND[call] | {list(SOUND[call])[1]: 10**400})


def test_flags_that_have_no_truth():
    eng = fed()
    for flag in ("last", "snapshot"):
        with Unchanged(eng), pytest.raises(ValueError, match="ambiguous"):
            eng.on_depth(TS + 5, 1, 99, 1, **{flag: np.array([1, 2])})
    with Unchanged(eng), pytest.raises(ValueError, match="ambiguous"):
        eng.on_depth_message(TS + 5, [], [], np.array([1, 2]))


NO_RECORDS = [b"", b"x" * 63, b"x" * 65, "text", None, 1, np.zeros(2, sc.EVENT), np.zeros(0, sc.EVENT)]


@pytest.mark.parametrize("wrong", NO_RECORDS)
def test_on_event_takes_one_record(wrong):
    eng = fed()
    with Unchanged(eng), pytest.raises(TypeError):
        eng.on_event(wrong)


def test_on_event_takes_the_record_in_any_form():
    event = ev.trades(TS + 5, 100, 1, 1)
    for form in (event[0], event, event.view(sc.TRADE)[0], event.tobytes(), bytearray(event.tobytes())):
        eng = fed()
        eng.on_event(form)
        assert eng.counts["trade"] == 3 and eng.last_price == 100


# ---- whole depth messages ----

MESSAGES = {
    "price": (sc.InvalidEvent, "price = -1 ", [(98, 1), (-1, 1)]),
    "size": (sc.InvalidEvent, "size = -2 ", [(98, 1), (97, -2)]),
    "nan as text": (sc.InvalidEvent, "price = nan ", [(98, 1), ("nan", 1)]),
    "no number": (sc.InvalidEvent, "price = 'abc' ", [(98, 1), ("abc", 1)]),
    "no number in the size": (sc.InvalidEvent, "size = '' ", [(98, 1), (97, "")]),
    "one number": (sc.InvalidEvent, r"\(price, size\)", [(98, 1), (97,)]),
    "no pair": (TypeError, r"\(price, size\)", [(98, 1), 97.0]),
    "nothing": (TypeError, "sequences", None),
    "a number": (TypeError, "sequences", 5),
    "bytes": (TypeError, "bytes", [(98, 1), (b"97", 1)]),
    "None": (TypeError, "None", [(98, 1), (97, None)]),
    "a text for a level": (TypeError, r"\(price, size\)", ["12"]),
}


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.parametrize("snapshot", [False, True])
def test_one_bad_level_refuses_the_whole_message(name, snapshot):
    error, text, levels = MESSAGES[name]
    for bids, asks in ((levels, [(101, 5)]), ([(98, 5)], levels)):
        eng = fed()
        with Unchanged(eng), pytest.raises(error, match=text):
            eng.on_depth_message(TS + 5, bids, asks, snapshot, first_id=11, last_id=12)
        # Nor have the ids moved: the true message 11 to 12 still follows on.
        eng.on_depth_message(TS + 5, [(98, 7)], [], first_id=11, last_id=12)
        assert not eng.book.stale and eng.counts["dropped"] == 0


def test_arguments_of_a_message():
    eng = fed()
    for given, text in (
        ((), "'ts'"), ((TS + 5,), "'bids'"), ((TS + 5, []), "'asks'"), ((TS + 5, [], [], 0, 1, 2, 3, 4), "at most 7"),
    ):  # fmt: skip
        with Unchanged(eng), pytest.raises(TypeError, match=text):
            eng.on_depth_message(*given)
    with Unchanged(eng), pytest.raises(TypeError):
        eng.on_depth_message(TS + 5, [], [], last_id="12")
    with Unchanged(eng), pytest.raises(TypeError):
        eng.on_depth_message(TS + 5, [], [], last_id=12.0)


def test_an_order_book_without_sides():
    eng = fed()
    for book in ({"asks": []}, {"bids": []}, {}):
        with Unchanged(eng), pytest.raises((LookupError, sc.InvalidData), match=r"bids|asks"):
            eng.on_order_book(book, TS + 5)


# ---- arrays ----


def test_arrays_that_are_none_of_events():
    eng = fed()
    good = ev.trades(np.full(4, TS + 5), 100, 1, 1)
    for wrong in (
        good.reshape(2, 2),
        good.astype(sc.EVENT.newbyteorder()),
        good["v0"],
        np.zeros(4, "S64"),
        np.zeros((4, 8)),
        np.zeros(4, [("a", "f8", 8)]),
        np.zeros(4, [("kind", "f8", 8)]),
    ):
        with Unchanged(eng), pytest.raises(TypeError, match="EVENT"):
            eng.run(wrong)
    with Unchanged(eng), pytest.raises(sc.InvalidData):
        eng.run([1, 2, 3])
    for sample in ("", "bars", "1 parsec", "-1s", "0s", "1s2", "nan"):
        with Unchanged(eng), pytest.raises(ValueError, match="interval"):
            eng.run(good, sample)


def test_arrays_in_any_layout():
    """Strided, reversed, misaligned, read-only, empty, of one row: values count, not where they lie."""
    events = ev.trades(TS + 10 + np.arange(6), np.arange(100, 106), 1, 1)
    odd = np.frombuffer(b"x" + events.tobytes(), sc.EVENT, offset=1)
    wide = np.zeros((6, 3), sc.EVENT)
    wide[:, 1] = events
    fixed = events.copy()
    fixed.flags.writeable = False
    want = fed().run(events, "event")
    for form in (odd, wide[:, 1], fixed, events[::-1].copy()[::-1], events.view(sc.TRADE)):
        assert np.array_equal(fed().run(form, "event"), want, equal_nan=True)
    assert np.array_equal(fed().run(events[::2][:1], "event"), want[:1], equal_nan=True)
    assert fed().run(events[:0], "event").shape == (0, len(COLUMNS))


def test_the_row_is_read_only():
    eng = fed()
    with pytest.raises(ValueError, match="read-only"):
        eng.row[0] = 1
    with pytest.raises(ValueError, match="WRITEABLE"):
        eng.row.flags.writeable = True


# ---- crossed and stale books ----


def test_a_crossed_book_is_counted_kept_and_flagged():
    eng = sc.Engine(["spread", "queue_imbalance_l1", "microprice"])
    eng.on_depth_message(TS, [(99, 1)], [(101, 1)], snapshot=True)
    for i, (bid, crossed) in enumerate([(101, True), (102, True), (103, True)]):
        eng.on_depth(TS + 1 + i, 1, bid, 2)
        assert (eng.book.crossed, eng.book.crossings) == (crossed, i + 1)
    assert eng.book.bid == 103 and eng.book.ask == 101 and eng.book.valid and eng["spread"] < 0
    assert np.isfinite(eng.row).all()
    eng.on_depth_message(TS + 9, [(101, 0), (102, 0), (103, 0)], [])
    assert not eng.book.crossed and eng.book.crossings == 3 and eng["spread"] == 200
    quoted = sc.Engine(["spread"])
    quoted.run(ev.quotes(np.arange(3), [99, 101, 99], 1, [101, 100, 99], 1))  # open, crossed, locked
    assert quoted.book.crossings == 2 and quoted.book.crossed and quoted["spread"] == 0


def test_a_stale_book_says_so():
    eng = fed()
    eng.on_event(ev.gap(TS + 5)[0])
    assert eng.book.stale and not eng.book.valid and np.isnan([eng["spread"], eng["ofi_l1_1s"]]).all()
    assert eng.counts["gap"] == 1
    with Unchanged(eng), pytest.raises(sc.InvalidEvent):
        eng.on_depth_message(TS + 6, [(-1, 1)], [], snapshot=True)
    assert eng.book.stale


# ---- snapshots ----


def checksum(data: bytes) -> bytes:
    """The snapshot's own, so that damage can be hidden from it."""
    h, mask, whole = 1469598103934665603, 2**64 - 1, len(data) // 8 * 8
    for i in range(0, whole, 8):
        h = (h ^ int.from_bytes(data[i : i + 8], "little")) * 1099511628211 & mask
        h ^= h >> 29
    for byte in data[whole:]:
        h = (h ^ byte) * 1099511628211 & mask
    return h.to_bytes(8, "little")


def sections(blob: bytes) -> tuple[bytes, list[bytes]]:
    magic, rest, parts = blob[:8], blob[8:-8], []
    while rest:
        (n,) = struct.unpack("<Q", rest[:8])
        parts.append(rest[8 : 8 + n])
        rest = rest[8 + n :]
    return magic, parts


def sealed(magic: bytes, parts: list[bytes]) -> bytes:
    data = magic + b"".join(struct.pack("<Q", len(part)) + part for part in parts)
    return data + checksum(data)


def refused(blob: bytes) -> str:
    with pytest.raises(sc.CorruptSnapshot) as error:
        sc.Engine.restore(blob)
    return str(error.value)


def test_the_checksum_here_is_the_one_there():
    blob = fed().snapshot()
    assert sealed(*sections(blob)) == blob


def test_any_changed_byte_is_seen():
    eng = fed()
    blob = eng.snapshot()
    rng = np.random.default_rng(0)
    places = np.unique(np.r_[np.arange(64), rng.integers(0, len(blob), 3000), np.arange(len(blob) - 64, len(blob))])
    for i in places.tolist():
        damaged = bytearray(blob)
        damaged[i] ^= 1 << int(rng.integers(8))
        with pytest.raises(ValueError, match=r"checksum|not a snapshot"):
            eng._restore(bytes(damaged))
        if i % 50 == 0:
            refused(bytes(damaged))
    assert eng.snapshot() == blob


def test_any_lost_or_added_byte_is_seen():
    eng = fed()
    blob = eng.snapshot()
    for n in [*range(40), *range(40, len(blob), 97), len(blob) - 1]:
        with pytest.raises(ValueError, match=r"checksum|not a snapshot|ends"):
            eng._restore(blob[:n])
        refused(blob[:n])
    refused(blob + b"\0")
    refused(b"\0" + blob)
    refused(blob[:500] + blob[508:])
    assert eng.snapshot() == blob


def test_another_version_is_refused():
    magic, parts = sections(fed().snapshot())
    assert "version" in refused(sealed(magic[:6] + b"\x02" + magic[7:], parts))
    header = json.loads(parts[0])
    later = header | {"fingerprint": "0" * 32, "version": "9.9"}
    assert "9.9" in refused(sealed(magic, [json.dumps(later).encode(), *parts[1:]]))
    layout = struct.pack("<Q", struct.unpack("<Q", parts[1])[0] ^ 1)
    assert "laid out" in refused(sealed(magic, [parts[0], layout, *parts[2:]]))


@pytest.mark.parametrize("cut", range(1, 8))
@pytest.mark.parametrize("by", [-8, -1, 1, 16])
def test_sections_of_another_length_are_refused(cut, by):
    """As another build with other structs would write them: a valid checksum over what cannot be read."""
    eng = fed()
    blob = eng.snapshot()
    magic, parts = sections(blob)
    if len(parts[cut]) + by < 0:
        return
    part = parts[cut] + b"\0" * by if by > 0 else parts[cut][:by]
    if cut in (4, 5) and by == 16:
        part += b"\0"  # a whole level more is no damage
    forged = sealed(magic, [*parts[:cut], part, *parts[cut + 1 :]])
    refused(forged)
    with pytest.raises(ValueError, match=r"it |its "):
        eng._restore(forged)
    assert eng.snapshot() == blob


@pytest.mark.parametrize("header", [
    b"", b"{}", b"[]", b"null", b"\xff\xfe", b"{", b"0",
    b'{"columns": ["no_such_column"], "fingerprint": "", "instrument": {}, "bars": null, "out_of_order": "raise"}',
    b'{"columns": ["spread"], "fingerprint": "", "instrument": {"venue": "X"}, "bars": null, "out_of_order": "raise"}',
    b'{"columns": ["spread"], "fingerprint": "", "instrument": {}, "bars": "1 parsec", "out_of_order": "raise"}',
    b'{"columns": ["spread"], "fingerprint": "", "instrument": {}, "bars": 5, "out_of_order": "raise"}',
    b'{"columns": 7, "fingerprint": "", "instrument": {}, "bars": null, "out_of_order": "raise"}',
    b'{"columns": ["spread"], "fingerprint": "", "instrument": null, "bars": null, "out_of_order": "raise"}',
])  # fmt: skip
def test_headers_of_another_world_are_refused(header):
    magic, parts = sections(fed().snapshot())
    refused(sealed(magic, [header, *parts[1:]]))


def test_foreign_features_are_refused():
    """The state of one feature set never becomes that of another, even of as many columns."""
    magic, parts = sections(fed().snapshot())
    other = sc.Engine(["log_return_5", *COLUMNS[1:]])
    header = json.loads(parts[0]) | {"columns": other.columns, "fingerprint": other.features.fingerprint}
    refused(sealed(magic, [json.dumps(header).encode(), *parts[1:]]))
    with pytest.raises(ValueError, match="laid out"):
        other._restore(fed().snapshot())


@pytest.mark.parametrize("wrong", [None, "text", 5, [b"x"]])
def test_snapshots_that_are_no_bytes(wrong):
    with pytest.raises((TypeError, sc.CorruptSnapshot)):
        sc.Engine.restore(wrong)


def test_a_damaged_pickle_is_refused():
    blob = pickle.dumps(fed())
    at = blob.index(b"SMCORE") + 700
    with pytest.raises(sc.CorruptSnapshot):
        pickle.loads(blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :])


# ---- engines that are none ----


@pytest.mark.parametrize(("given", "error", "text"), [
    ({"features": ["rsi_15x"]}, sc.UnknownFeature, "rsi_14"),
    ({"features": ["ofi_l11_1s"]}, sc.UnknownFeature, "level = 11"),
    ({"features": ["vpin_1"]}, sc.UnknownFeature, "buckets = 1"),
    ({"features": ["mid_distance_1.2.3s"]}, sc.UnknownFeature, "mid_distance"),
    ({"features": ["spread", "spread"]}, sc.UnknownFeature, "twice"),
    ({"features": "spread"}, sc.UnknownFeature, "list"),
    ({"bars": "0 trades"}, ValueError, "0 trades"),
    ({"bars": "nan volume"}, ValueError, "nan volume"),
    ({"bars": "-1s"}, ValueError, "-1s"),
    ({"bars": "10 parsecs"}, ValueError, "10 parsecs"),
    ({"bars": "300000000d"}, ValueError, "300000000d"),
    ({"bars": ""}, ValueError, "''"),
    ({"out_of_order": "ignore"}, ValueError, "ignore"),
])  # fmt: skip
def test_engines_that_cannot_be(given, error, text):
    with pytest.raises(error, match=text):
        sc.Engine(**{"features": ["spread"]} | given)


def test_a_subclass_that_forgets_its_parent():
    class Forgetful(sc.Engine):
        def __init__(self) -> None:
            pass

    with pytest.raises(TypeError, match="__init__"):
        Forgetful()


@pytest.mark.parametrize("first", ["pass", "e.ts", "e.counts", "e.book", "repr(e)", "e.row", "e.snapshot()"])
def test_an_engine_without_init_refuses_every_call(first):
    """In a process of its own: what this is about would end it."""
    code = f"""
import numpy as np, smartcore as sc
e = sc.Engine.__new__(sc.Engine)
try:
    {first}
except (TypeError, AttributeError):
    pass
record = np.zeros(1, sc.EVENT)
record["kind"] = 7
calls = [
    lambda: e.on_trade(1, 1.0, 1.0, 1),
    lambda: e.on_bar(1, 1.0, 1.0, 1.0, 1.0, 1.0),
    lambda: e.on_depth(1, 1, 1.0, 1.0),
    lambda: e.on_quote(1, 1.0, 1.0, 1.0, 1.0),
    lambda: e.on_score(1, 1.0),
    lambda: e.on_aux(1, "funding", 1.0),
    lambda: e.on_peer(1, 1.0),
    lambda: e.on_basket(1, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
    lambda: e.on_factor(1, 1.0, 1.0, 1.0),
    lambda: e.on_event(record[0]),
    lambda: e.on_depth_message(1, [], []),
    lambda: e.advance(1),
]
for call in calls:
    try:
        call()
    except TypeError as error:
        assert "__init__" in str(error), error
    else:
        raise SystemExit("not refused")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.returncode}: {done.stdout}{done.stderr}"


def test_methods_of_another_class_are_refused():
    for thing in (object(), sc.FeatureSet(["spread"]), fed().book):
        with pytest.raises(TypeError):
            _core.Engine.on_trade(thing, TS, 1.0, 1.0, 1)


def test_a_refusal_leaves_copies_alike():
    """What a refused event must not do shows only later, so: go on, and compare with an engine that never saw it."""
    a = fed()
    b = copy.copy(a)
    for call, field, value in BAD[::7]:
        with pytest.raises(sc.InvalidEvent):
            getattr(a, call)(TS + 5, **SOUND[call] | {field: value})
    for eng in (a, b):
        eng.on_depth(TS + 6, -1, 100.5, 3)
        eng.on_trade(TS + 7, 100.5, 1, 1)
        eng.on_bar(TS + 8, **BAR)
    assert a.snapshot() == b.snapshot()
