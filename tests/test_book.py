"""The compiled order book against the plain one, the exchanges' own books, and Binance's rule for sequence numbers."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.book import Book

import smartcore as sc
from smartcore.market import binance
from smartcore.market import events as ev
from smartcore.market.events import DEPTH, Flag, Kind


def engine(**options) -> sc.Engine:
    return sc.Engine(["spread"], **options)


def levels(side: np.ndarray) -> list[tuple[float, float]]:
    return [tuple(level) for level in side.tolist()]


def sides(eng: sc.Engine, n: int | None = None) -> tuple[list, list]:
    bids, asks = eng.book.levels() if n is None else eng.book.top(n)
    return levels(bids), levels(asks)


def same(eng: sc.Engine, plain: Book, full: bool = True) -> None:
    """Every way to look at the compiled book shows what the plain one holds."""
    book, (bids, asks) = eng.book, plain.top(10)
    assert sides(eng, 10) == (bids, asks)
    assert (book.bids, book.asks) == (len(plain.bids), len(plain.asks))
    nobody = (np.nan, 0.0)
    (bid, bid_size), (ask, ask_size) = (bids or [nobody])[0], (asks or [nobody])[0]
    got = book.bid, book.bid_size, book.ask, book.ask_size
    assert np.array_equal(got, (bid, bid_size, ask, ask_size), equal_nan=True)
    assert np.array_equal([book.mid, book.spread], [0.5 * (bid + ask), ask - bid], equal_nan=True)
    assert not book.stale and book.crossed == plain.crossed
    assert book.valid == (bool(bids) and bool(asks))
    if full:
        assert sides(eng) == plain.top(10**6)


def follow(events: np.ndarray, every: int = 1) -> sc.Engine:
    """Feed both books event by event; compare after each closed message, all levels at every n-th.

    From a gap until a snapshot the compiled book stands still, and says that it is stale.
    """
    eng, plain, crossings, n = engine(), Book(), 0, 0
    stood = sides(eng)
    rows = zip(events, events["kind"].tolist(), events["flags"].tolist(), strict=True)
    for event, kind, flags in rows:
        eng.on_event(event)
        plain.apply(event)
        if plain.stale:
            assert eng.book.stale and not eng.book.valid and np.isnan(eng.row[0])
            stood = stood if kind != Kind.GAP else sides(eng)
            assert sides(eng) == stood
        elif kind == Kind.DEPTH and flags & Flag.LAST:
            n += 1
            crossings += plain.crossed
            same(eng, plain, full=n % every == 0)
    assert eng.book.crossings == crossings
    return eng


def random_stream(seed: int, n: int, step: float, base: float, width: int = 60) -> np.ndarray:
    """Messages of 1 to 6 levels around a moving price, with snapshots and gaps; prices are whole steps."""
    rng = np.random.default_rng(seed)
    parts, ts, at = [], 0, round(base / step)
    for i in range(n):
        ts += int(rng.integers(0, 3))
        at = max(at + int(rng.integers(-2, 3)), width + 1)
        snapshot = i == 0 or rng.random() < 0.01
        k = int(rng.integers(20, 80)) if snapshot else int(rng.integers(1, 7))
        side = rng.choice([1, -1], k)
        away = rng.integers(-1, width, k) if rng.random() < 0.3 else rng.integers(-1, 8, k)
        price = (at - side * away) * step
        size = np.where(rng.random(k) < 0.4, 0, rng.choice([1e-8, 0.5, 3, 1e6], k))
        row = np.arange(k)
        parts.append(ev.depth(np.full(k, ts), side, price, size, last=row == k - 1, snapshot=(row == 0) & snapshot))
        if rng.random() < 0.01:
            parts.append(ev.gap(ts))
    return np.concatenate(parts)


SCALES = [(1e-8, 1e-6), (1e-5, 1.1), (0.01, 100), (0.1, 60_000), (1.0, 5_853_300), (1e3, 1e8), (1e7, 1e12)]


@pytest.mark.parametrize(("step", "base"), SCALES)
def test_random_streams_at_any_price(step, base):
    for seed in range(3):
        follow(random_stream(seed, 250, step, base))


@pytest.mark.parametrize("seed", range(3))
def test_run_leaves_the_book_of_the_live_calls(seed):
    """At any chunk borders, in the middle of messages too."""
    events = random_stream(seed, 400, 0.01, 50)
    live = follow(events, every=50)
    for size in (1, 7, 100, len(events)):
        eng = engine()
        for i in range(0, len(events), size):
            eng.run(events[i : i + size])
        assert sides(eng) == sides(live) and eng.book.crossings == live.book.crossings
        assert eng.snapshot() == live.snapshot()


@pytest.mark.parametrize("order", ["up", "down", "random", "outside in"])
def test_thousands_of_levels(order):
    """Pages of the compiled book split and vanish; the order in which levels come and go must not matter."""
    n = 2_000
    rng = np.random.default_rng(len(order))
    come = {
        "up": np.arange(n),
        "down": np.arange(n)[::-1],
        "random": rng.permutation(n),
        "outside in": np.stack([np.arange(n // 2), n - 1 - np.arange(n // 2)]).T.ravel(),
    }[order]
    go = rng.permutation(n) if order != "random" else np.arange(n)
    changed = rng.permutation(n)[:300]
    ticks = np.concatenate([come, changed, go])
    size = np.concatenate([np.ones(n), np.full(300, 7.0), np.zeros(n)])
    for side in (1, -1):
        events = ev.depth(np.zeros(len(ticks), int), side, 1000 + 0.01 * ticks, size)
        eng = follow(events, every=299)
        assert sides(eng) == ([], [])


@settings(max_examples=120, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([1, -1]), st.integers(1, 200), st.sampled_from([0, 0, 1, 2]), st.booleans()),
        max_size=400,
    ),
    st.integers(0, 200),
)
def test_any_sequence_of_levels(changes, filled):
    eng, plain = engine(), Book()
    for price in range(filled):
        for side in (1, -1):
            eng.on_depth(0, side, 1000 + side * price, 1)
            plain.depth(side, 1000 + side * price, 1, Flag.LAST)
    for side, price, size, last in changes:
        eng.on_depth(0, side, price + 900, size, last=last)
        plain.depth(side, price + 900, size, last)
        if last:
            same(eng, plain)
    assert sides(eng) == plain.top(10**6)


def test_a_snapshot_replaces_and_a_message_is_seen_when_it_closes():
    eng = engine()
    eng.on_depth(1, 1, 99, 5)
    assert np.isnan(eng.row[0]) and eng.book.bid == 99 and np.isnan(eng.book.ask) and not eng.book.valid
    eng.on_depth(1, -1, 101, 5)
    assert eng.row[0] == 200
    eng.on_depth(2, 1, 99, 0, last=False)
    eng.on_depth(2, 1, 98, 1, last=False)
    assert eng.book.bid == 99 and eng.row[0] == 200  # half a message says nothing
    eng.on_depth(2, -1, 102, 1)
    assert (eng.book.bid, eng.book.ask) == (98, 101)
    eng.on_depth(3, 1, 50, 1, last=False, snapshot=True)
    eng.on_depth(3, -1, 60, 1)
    assert sides(eng) == ([(50.0, 1.0)], [(60.0, 1.0)])


def test_removing_what_is_not_there():
    eng = engine()
    for side in (1, -1):
        assert eng.on_depth(1, side, 100, 0) is False
    assert sides(eng) == ([], []) and not eng.book.valid
    eng.on_depth(2, 1, 100, 1)
    before = sides(eng)
    eng.on_depth(3, 1, 99.99, 0)
    assert sides(eng) == before and eng.counts["depth"] == 4


def test_the_book_of_quotes_and_beside_depth():
    eng = sc.Engine(["spread", "queue_imbalance_l2", "depth_slope_l10_bid"])
    eng.on_quote(1, 99, 3, 101, 1)
    book = eng.book
    assert (book.bid, book.bid_size, book.ask, book.ask_size, book.valid) == (99, 3, 101, 1, True)
    assert sides(eng, 10) == ([(99, 3)], [(101, 1)])
    assert eng["spread"] == 200 and eng["queue_imbalance_l2"] == 0.5 and np.isnan(eng["depth_slope_l10_bid"])
    assert book.last_quote == (99, 3, 101, 1)
    # Depth takes over, and nothing of the quotes stays on the side that it has not touched yet.
    eng.on_depth(2, 1, 90, 5)
    assert book.bid == 90 and np.isnan(book.ask) and book.ask_size == 0 and not book.valid and np.isnan(eng["spread"])
    eng.on_depth(3, -1, 110, 5)
    eng.on_quote(4, 99, 1, 101, 1)
    assert (book.bid, book.ask, book.last_quote) == (90, 110, (99, 1, 101, 1)) and eng["spread"] == 2000


def test_a_gap_without_depth_breaks_nothing():
    eng = sc.Engine(["spread", "book_rate_1s"])
    eng.on_quote(0, 99, 3, 101, 1)
    eng.on_quote(10**9, 99, 3, 101, 1)
    row = eng.row.copy()
    eng.run(ev.gap(10**9))
    assert not eng.book.stale and eng.book.valid and np.array_equal(eng.row, row) and eng.counts["gap"] == 1


def test_a_view_keeps_its_engine():
    book = engine().book
    gc.collect()
    assert np.isnan(book.bid)
    eng = engine()
    top = eng.book.top
    eng.on_depth(1, 1, 100, 1)
    del eng
    gc.collect()
    assert levels(top()[0]) == [(100, 1)]


def test_a_snapshot_of_the_engine_holds_the_whole_book():
    eng = engine()
    rng = np.random.default_rng(1)
    for side in (1, -1):
        for price in rng.permutation(2_000).tolist():
            eng.on_depth(5, side, 10_000 - side * (price + 1) * 0.5, 1 + price)
    eng.on_depth(6, 1, 9_999.75, 2, last=False)  # in the middle of a message
    twin = sc.Engine.restore(eng.snapshot())
    assert sides(twin) == sides(eng) and twin.book.bid == eng.book.bid == 9_999.5
    for one in (eng, twin):
        one.on_depth(6, -1, 10_000.25, 3)
    assert twin.book.bid == 9_999.75 and twin.snapshot() == eng.snapshot()


# ---- whole messages ----


@pytest.mark.parametrize(
    "pair",
    [
        ("67000.10", "0.00100000"),
        ["67000.10", 0.001],
        (67000.10, "1e-3"),
        np.array([67000.10, 0.001]),
        [67000.10, 0.001, 1_700_000_000],
        (" 67000.1 ", "0.001"),
    ],
)
def test_prices_and_sizes_as_exchanges_send_them(pair):
    eng = engine()
    eng.on_depth_message(1, [pair], [("67000.20", 2)], snapshot=True)
    assert sides(eng) == ([(67000.10, 0.001)], [(67000.20, 2.0)])
    eng.on_depth_message(2, [("67000.1", "0")], ())  # the same price by other text
    assert sides(eng)[0] == []


@pytest.mark.parametrize("make", [list, tuple, np.array, iter])
def test_levels_in_any_sequence(make):
    eng = engine()
    eng.on_depth_message(1, make([(99.5, 1.0), (99.0, 2.0)]), make([(100.0, 3.0)]), snapshot=True)
    assert sides(eng) == ([(99.5, 1.0), (99.0, 2.0)], [(100.0, 3.0)])


@pytest.mark.parametrize("seed", range(3))
def test_a_message_is_its_levels(seed):
    """on_depth_message == one on_depth per level == run over the events."""
    events = random_stream(seed, 150, 0.01, 20)
    events = events[events["kind"] == Kind.DEPTH]
    names = sc.FeatureSet.default().group("microstructure")
    whole, single = sc.Engine(names), sc.Engine(names)
    for message in np.split(events, np.flatnonzero(events["flags"] & Flag.LAST)[:-1] + 1):
        rows = message.view(DEPTH)
        bids, asks = (
            [(r["price"], r["size"]) for r in rows if r["side"] == side] for side in (1, -1)
        )  # within a message bids come first: order does not matter where each price comes once
        if len({(r["side"], r["price"]) for r in rows}) < len(rows):
            continue
        snapshot = bool(rows["flags"][0] & Flag.SNAPSHOT)
        whole.on_depth_message(int(rows["ts"][0]), bids, asks, snapshot)
        ordered = [(1, *level) for level in bids] + [(-1, *level) for level in asks]
        for i, (side, price, size) in enumerate(ordered):
            last = i == len(rows) - 1
            single.on_depth(int(rows["ts"][0]), side, price, size, last=last, snapshot=snapshot and i == 0)
        assert np.array_equal(whole.row, single.row, equal_nan=True)
    assert sides(whole) == sides(single) and whole.counts == single.counts


def test_an_order_book_of_ccxt():
    eng = engine()
    book = {
        "symbol": "BTC/USDT",
        "bids": [[99.0, 1.5], [98.5, 2]],
        "asks": [[101.0, 1], [102, 3, 7]],
        "timestamp": 1_700_000_000_123,
        "datetime": "2023-11-14T22:13:20.123Z",
        "nonce": 42,
    }
    assert eng.on_order_book(book) is False
    assert eng.ts == 1_700_000_000_123_000_000 and eng["spread"] == 200
    eng.on_order_book(book | {"bids": [[97, 1]], "nonce": None}, ts=1_700_000_000_200_000_000)
    assert sides(eng) == ([(97.0, 1.0)], [(101.0, 1.0), (102.0, 3.0)]) and eng.ts == 1_700_000_000_200_000_000
    with pytest.raises(sc.InvalidData, match="timestamp"):
        eng.on_order_book({"bids": [], "asks": [], "timestamp": None})


def test_an_empty_snapshot_empties_the_book():
    eng = engine()
    eng.on_depth_message(1, [(1, 1)], [(2, 1)], snapshot=True)
    eng.run(ev.gap(1))
    assert eng.book.stale
    eng.on_depth_message(2, [], [], snapshot=True)
    assert sides(eng) == ([], []) and not eng.book.stale and not eng.book.valid and np.isnan(eng.row[0])


def test_a_message_without_levels_passes_the_time():
    eng = engine(bars="1s")
    eng.on_trade(1, 100, 1, 1)
    assert eng.on_depth_message(10**9, [], []) is True
    assert eng.closed_bar and eng.bar_count == 1 and eng.ts == 10**9


# ---- sequence numbers ----

APPLIED, DROPPED, GAP, STALE = "applied", "dropped", "gap", "stale"
SEQUENCES = {
    # (first, last, prev) of each diff after a snapshot at 100, and what becomes of it
    "spot in order": [((101, 103, None), APPLIED), ((104, 104, None), APPLIED), ((105, 120, None), APPLIED)],
    "spot bridge": [((98, 100, None), DROPPED), ((99, 103, None), APPLIED), ((104, 105, None), APPLIED)],
    "spot bridge only once": [((99, 103, None), APPLIED), ((103, 106, None), GAP), ((107, 108, None), STALE)],
    "spot starts late": [((102, 103, None), GAP), ((104, 105, None), STALE)],
    "spot misses one": [((101, 103, None), APPLIED), ((105, 107, None), GAP), ((108, 109, None), STALE)],
    "spot repeats": [((101, 103, None), APPLIED), ((101, 103, None), DROPPED), ((104, 105, None), APPLIED)],
    "futures in order": [((105, 110, 100), APPLIED), ((131, 140, 110), APPLIED), ((150, 155, 140), APPLIED)],
    "futures bridge": [((80, 95, 79), DROPPED), ((96, 103, 95), APPLIED), ((110, 115, 103), APPLIED)],
    "futures bridge over a hole": [((104, 110, 98), APPLIED), ((111, 112, 110), APPLIED)],
    "futures start late": [((104, 110, 102), GAP), ((120, 121, 110), STALE)],
    "futures miss one": [((101, 110, 100), APPLIED), ((121, 130, 115), GAP), ((131, 140, 130), STALE)],
    "last only": [((None, 103, None), APPLIED), ((None, 102, None), DROPPED), ((None, 110, None), APPLIED)],
    "no ids": [((None, None, None), APPLIED), ((None, None, None), APPLIED)],
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_the_exchange_rule_for_ids(name):
    eng = engine()
    eng.on_depth_message(1, [(99, 1)], [(101, 1)], snapshot=True, last_id=100)
    for i, ((first, last, prev), what) in enumerate(SEQUENCES[name]):
        before, counts = sides(eng), eng.counts
        closed = eng.on_depth_message(2 + i, [(99, 10 + i)], [], first_id=first, last_id=last, prev_id=prev)
        assert closed is False
        got = {
            (True, False, False): APPLIED,
            (False, True, False): DROPPED,
            (False, False, True): GAP,
            (False, False, False): STALE,
        }[sides(eng) != before, eng.counts["dropped"] > counts["dropped"], eng.counts["gap"] > counts["gap"]]
        assert got == what, f"diff {i}"
        assert eng.book.stale == (what in (GAP, STALE)) and np.isnan(eng.row[0]) == eng.book.stale
    # A snapshot heals whatever was, and the ids go on from there.
    eng.on_depth_message(50, [(98, 1)], [(102, 1)], snapshot=True, last_id=500)
    assert not eng.book.stale and eng["spread"] == 400
    eng.on_depth_message(51, [(98, 2)], [], first_id=501, last_id=502, prev_id=500)
    assert eng.book.bid_size == 2


def test_a_snapshot_without_id_begins_anew():
    eng = engine()
    eng.on_depth_message(1, [(99, 1)], [(101, 1)], snapshot=True, last_id=100)
    eng.on_depth_message(2, [(99, 2)], [(101, 1)], snapshot=True)
    eng.on_depth_message(3, [(99, 3)], [], first_id=500, last_id=501)
    assert not eng.book.stale and eng.book.bid_size == 3
    eng.on_depth_message(4, [(99, 4)], [], first_id=503, last_id=504)
    assert eng.book.stale


def test_time_passes_while_the_book_is_stale():
    eng = engine(bars="1s")
    eng.on_depth_message(0, [(99, 1)], [(101, 1)], snapshot=True, last_id=100)
    eng.on_trade(1, 100, 1, 1)
    assert eng.on_depth_message(10**9, [(99, 2)], [], first_id=200, last_id=201) is True  # the gap itself
    eng.on_trade(10**9, 100, 1, 1)
    assert eng.on_depth_message(2 * 10**9, [(99, 3)], [], first_id=202, last_id=203) is True
    assert eng.bar_count == 2 and eng.ts == 2 * 10**9
    with pytest.raises(sc.OutOfOrder):
        eng.on_trade(10**9, 100, 1, 1)


diffs = st.lists(
    st.tuples(
        st.integers(0, 3),  # ids nobody sees between it and the one before: futures alone
        st.integers(1, 5),  # ids it covers
        st.sampled_from(["ok", "ok", "ok", "ok", "lost", "twice", "snapshot", "old snapshot"]),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(diffs, st.booleans())
def test_ids_as_the_reader_understands_them(plan, futures):
    """The engine, with diffs kept and fed again after a snapshot as the exchange says, is where `DepthSync` is."""
    sync, eng, plain, waiting, ts = binance.DepthSync(), engine(), Book(), [], 0

    def take(kind, *message):
        nonlocal waiting
        if kind == "snapshot":
            plain.apply(sync.snapshot(ts, *message))
            last, bids, asks = message
            eng.on_depth_message(ts, bids, asks, snapshot=True, last_id=last)
            for diff in waiting:
                feed(diff)
            waiting = waiting if eng.book.stale else []
        else:
            first, last, bids, asks, prev = message
            plain.apply(sync.depth(ts, first, last, bids, asks, prev))
            feed(message)
            if eng.book.stale:
                waiting.append(message)

    def feed(diff):
        first, last, bids, asks, prev = diff
        eng.on_depth_message(ts, bids, asks, first_id=first, last_id=last, prev_id=prev)

    at = 10
    take("snapshot", at, [(99, 1)], [(101, 1)])
    for i, (hole, covers, fate) in enumerate(plan):
        ts += 1
        prev, first = at, at + 1 + (hole if futures else 0)
        at = first + covers - 1
        diff = "diff", first, at, [(99 - i % 3, i % 4)], [(101 + i % 2, 1 + i)], prev if futures else None
        if fate == "snapshot" or (fate == "old snapshot" and eng.book.stale):
            take("snapshot", at if fate == "snapshot" else max(prev - 3, 1), [(99, 1 + i)], [(101, 1)])
        if fate != "lost":
            take(*diff)
        if fate == "twice":
            take(*diff)
        assert eng.book.stale == (not sync.synced)
        if sync.synced:
            assert sides(eng) == plain.top(100)


# ---- recorded ----

BINANCE = {
    # file: diffs that the snapshot holds already, best quotes that carry the id of an applied diff
    "spot_btcusdt": (2, 564),
    "spot_ethusdt": (2, 577),
    "usdm_perp_btcusdt": (4, 629),
    "coinm_perp_btcusd_perp": (23, 1_124),
    "coinm_perp_ethusd_perp": (22, 1_345),
}


@pytest.mark.parametrize("name", BINANCE)
def test_recorded_messages_give_the_best_quotes_of_the_exchange(recorded, name):
    """Every message as it came, with its ids: no gap, never crossed, the best quote wherever one has a diff's id."""
    import pyarrow.parquet as pq

    table = pq.read_table(recorded(f"binance_l2_2024/{name}_2024-08-08.parquet"))
    message = table["msg"].to_numpy()
    begins = np.flatnonzero(np.append(True, message[1:] != message[:-1]))
    ends = np.append(begins[1:], len(message)).tolist()
    kinds, side = (table[c].cast("string").to_numpy(zero_copy_only=False) for c in ("kind", "side"))
    first, last, prev = (table[c].fill_null(-1).to_numpy().tolist() for c in ("first_id", "last_id", "prev_id"))
    levels = list(zip(table["price"].to_numpy().tolist(), table["size"].to_numpy().tolist(), strict=True))
    bid = np.append(0, np.cumsum(side == "bid")).tolist()
    quotes = {last[i]: (*levels[i], *levels[i + 1]) for i in begins[kinds[begins] == "bbo"]}

    eng, checked, crossed = engine(), 0, 0
    book = eng.book
    snapshot = int(np.flatnonzero(kinds[begins] == "snapshot")[0])
    # As the exchange says: diffs are kept until the snapshot is there, then follow it.
    for ts, k in enumerate([snapshot, *np.flatnonzero(kinds[begins] == "depth")]):
        i, j = int(begins[k]), ends[k]
        cut = i + bid[j] - bid[i]  # the rows of a message are bids, then asks
        ids = {} if k == snapshot else {"first_id": first[i], "prev_id": prev[i] if prev[i] >= 0 else None}
        eng.on_depth_message(ts, levels[i:cut], levels[cut:j], k == snapshot, last_id=last[i], **ids)
        crossed += book.crossed
        if k != snapshot and last[i] in quotes and last[i] > last[begins[snapshot]]:
            assert (book.bid, book.bid_size, book.ask, book.ask_size) == quotes[last[i]], f"id {last[i]}"
            checked += 1
    assert (eng.counts["dropped"], checked) == BINANCE[name]
    assert eng.counts["gap"] == 0 and not book.stale and crossed == book.crossings == 0
    newest = quotes[max(quotes)]
    if "perp" in name:
        assert (book.bid, book.bid_size, book.ask, book.ask_size) == newest
    else:  # the spot quotes run a few ids ahead of the last diff, which changes sizes
        assert (book.bid, book.ask) == newest[::2]


@pytest.mark.parametrize("name", ["GOOG_2012-06-21_level10", "AAPL_2012-06-21_level1"])
def test_recorded_books_after_every_message(recorded, name):
    """LOBSTER gives the book after each message of a whole day; the engine's top is the same each time."""
    import pyarrow.parquet as pq

    from smartcore.market import lobster

    path = recorded(f"lobster_2012/{name}.parquet")
    events, table = lobster.read(path, price_scale=1), pq.read_table(path)
    n = sum(column.startswith("bid_px_") for column in table.column_names)
    names = [f"{side}_{what}_{k}" for side in ("bid", "ask") for k in range(1, n + 1) for what in ("px", "sz")]
    columns = np.stack([table[c].to_numpy() for c in names], axis=1)
    want = columns[np.append(True, (columns[1:] != columns[:-1]).any(axis=1))].reshape(-1, 2, n, 2)

    eng = engine()
    top, on_event, got = eng.book.top, eng.on_event, np.full(want.shape, np.nan)
    i = 0
    for event, closes in zip(events, (events["flags"] & Flag.LAST > 0).tolist(), strict=True):
        on_event(event)
        if closes:
            got[i] = top(n)
            i += 1
    assert i == len(want) > 100_000
    assert np.array_equal(got, want)
    assert eng.book.crossings == 0 and (eng.book.bids, eng.book.asks) == (n, n)
