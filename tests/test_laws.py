"""The laws, for every default column of the catalogue: batch = stream = live = restored to the last bit, nothing
rewritten, nothing infinite, nothing outside its declared range, no residue of a bad print, no digits lost at a high
price.

A kernel that is added to the catalogue is under all of these tests without a line being written here.
"""

from __future__ import annotations

import copy
import os
import pickle
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import streams
from numpy.typing import NDArray
from reference import TRAITS, TWINS
from reference.books import Tape

import smartcore as sc
from smartcore.market import events as ev

FAMILIES = set(filter(None, os.environ.get("SMARTCORE_FAMILIES", "").split(",")))  # some only, while you write one
CATALOGUE = [kernel for kernel in sc.catalogue() if not FAMILIES or kernel.family in FAMILIES]
DEFAULT = sc.FeatureSet(c.name for c in sc.catalogue().columns if c.kernel in CATALOGUE)
ON_BARS = [kernel for kernel in CATALOGUE if kernel.wakes == ("bar",)]
BARS = sc.FeatureSet(  # what bars alone make known
    c.name for c in DEFAULT.wakes("bar").specs if not {"score", "aux", "peer", "basket"} & set(c.kernel.wakes)
)
OF_BOOK = ("book", "depth", "ofi", "queue")  # families whose columns are unknown while the book is
OF_TRADES_AND_BOOK = [kernel for kernel in CATALOGUE if {"trade", "book"} & set(kernel.wakes)]
NAN = np.float64("nan").view(np.uint64)


def bits(table: NDArray[np.float64]) -> NDArray[np.uint64]:
    """The numbers as bytes, all NaN alike: -0.0 and 0.0 differ, so do neighbours in the last bit."""
    table = np.ascontiguousarray(table)
    return np.where(np.isnan(table), NAN, table.view(np.uint64))


def assert_same(
    got: NDArray[np.float64], expected: NDArray[np.float64], columns: tuple[str, ...] = DEFAULT.columns
) -> None:
    assert got.shape == expected.shape
    wrong = bits(got) != bits(expected)
    if wrong.any():
        row = int(np.flatnonzero(wrong.any(axis=1))[0])
        names = [name for name, bad in zip(columns, wrong[row], strict=True) if bad]
        column = columns.index(names[0])
        pytest.fail(
            f"{wrong.any(axis=0).sum()} columns differ, first in row {row}: {', '.join(names[:8])}; "
            f"{names[0]} is {got[row, column]!r}, not {expected[row, column]!r}"
        )


# ---- what the laws are tried on: events and the rule that builds bars from trades ----

PERPETUAL = "binance_l2_2024/usdm_perp_btcusdt_2024-08-08.parquet"
MINUTES = "crypto_bars_1m/binance_spot_2026/ETHUSDT.parquet"
STOCK = "lobster_2012/GOOG_2012-06-21_level10.parquet"
CASES = {
    "bars": (lambda _: streams.bars(1500), None),
    "quiet and lively bars": (lambda _: streams.stop_and_go_bars(), None),
    "flat bars": (lambda _: streams.flat_bars(), None),
    "everything": (lambda _: streams.small(), None),
    "everything, bars of 1 s": (lambda _: without_bars(streams.small()), "1s"),
    "everything, bars of 3 trades": (lambda _: without_bars(streams.small()), "3 trades"),
    "everything, bars of 5 lots": (lambda _: without_bars(streams.small(seed=6)), "5 volume"),
    "everything, bars of 300 dollars": (lambda _: without_bars(streams.small(seed=7)), "300 dollars"),
    "everything, bars of 2 net trades": (lambda _: without_bars(streams.small(seed=8)), "2 imbalance"),
    "quotes": (lambda _: streams.quotes_only(), "500ms"),
    "scores and series": (lambda _: streams.mixed(), None),
    "simulated": (lambda _: streams.simulated()[:12_000], "100ms"),
    "recorded book": (
        lambda recorded: streams.recorded_book(recorded("binance_l2_2024/spot_btcusdt_2024-08-08.parquet"))[:8000],
        "100ms",
    ),
    "recorded perpetual": (
        lambda recorded: streams.recorded_events(recorded(PERPETUAL), 10_000),
        "10ms",
    ),
    "recorded stock": (
        lambda recorded: streams.recorded_events(recorded(STOCK), 8000),
        "500ms",
    ),
    "recorded texts": (lambda recorded: streams.recorded_texts(recorded("stock_tweets").parent)[-6000:], None),
    "among others": (lambda _: streams.panel_bars(), None),
    "recorded triangle": (lambda recorded: streams.recorded_triangle(recorded("binance_2020"), 400), "10s"),
    "recorded bars": (
        lambda recorded: streams.recorded_bars(recorded("crypto_bars_1m/binanceus_2023_depeg/BTCUSDC.parquet"), 1500),
        None,
    ),
}


def without_bars(events: NDArray[np.void]) -> NDArray[np.void]:
    return events[events["kind"] != ev.Kind.BAR]


class Case:
    def __init__(self, events: NDArray[np.void], rule: str | None) -> None:
        self.events, self.rule = events, rule
        self.whole = self.engine().run(events, "event")

    def engine(self, columns: sc.FeatureSet = DEFAULT) -> sc.Engine:
        return sc.Engine(columns, bars=self.rule)


_cases: dict[str, Case] = {}


@pytest.fixture(params=CASES)
def case(request, recorded):
    if request.param not in _cases:
        make, rule = CASES[request.param]
        _cases[request.param] = Case(make(recorded), rule)
    return _cases[request.param]


# ---- law 1: one definition ----


@pytest.mark.parametrize("sample", ["event", "bar", "250ms"])
def test_stream_in_chunks_equals_batch(case, sample):
    ts, whole = case.engine().run(case.events, sample, return_ts=True)
    for size in streams.CHUNKS:
        # A call per event costs more than the event: the smallest chunks take the first part only.
        events = case.events if size > 3 else case.events[:2500]
        engine = case.engine()
        parts = [engine.run(piece, sample, return_ts=True) for piece in streams.pieces(events, size)]
        got_ts, got = np.concatenate([t for t, _ in parts]), np.concatenate([rows for _, rows in parts])
        np.testing.assert_array_equal(got_ts, ts[: len(got_ts)])
        assert_same(got, whole[: len(got)])
        assert len(got) == len(whole) or size <= 3


def feed(engine: sc.Engine, e: np.void) -> bool:
    """One event by the call of its own kind, with plain Python numbers."""
    ts, side, v = int(e["ts"]), int(e["side"]), [float(e[f"v{i}"]) for i in range(6)]
    match e["kind"]:
        case ev.Kind.BAR:
            return engine.on_bar(ts, v[0], v[1], v[2], v[3], v[4], turnover=v[5])
        case ev.Kind.TRADE:
            return engine.on_trade(ts, v[0], v[1], side)
        case ev.Kind.DEPTH:
            last, snapshot = bool(e["flags"] & ev.Flag.LAST), bool(e["flags"] & ev.Flag.SNAPSHOT)
            return engine.on_depth(ts, side, v[0], v[1], last=last, snapshot=snapshot)
        case ev.Kind.QUOTE:
            return engine.on_quote(ts, v[0], v[1], v[2], v[3])
        case ev.Kind.SCORE:
            return engine.on_score(ts, v[0], v[1], int(e["source"]))
        case ev.Kind.AUX:
            return engine.on_aux(ts, int(e["source"]), v[0])
        case ev.Kind.PEER:
            return engine.on_peer(ts, *v, int(e["source"]))
        case ev.Kind.BASKET:
            return engine.on_basket(ts, *v)
        case ev.Kind.FACTOR:
            return engine.on_factor(ts, *v[:3])
    return engine.on_event(e)


@pytest.mark.parametrize("call", [feed, sc.Engine.on_event], ids=["on its own call", "on_event"])
def test_live_calls_equal_batch(case, call):
    events = case.events[:4000]
    engine = case.engine()
    got, closed = np.empty((len(events), len(DEFAULT))), 0
    for i, e in enumerate(events):
        closed += call(engine, e)
        got[i] = engine.row
    assert_same(got, case.whole[: len(events)])
    history = case.engine()
    history.run(events, "bar")
    assert closed == engine.bar_count == history.bar_count
    assert engine.counts == history.counts


def test_whole_depth_messages_equal_single_levels(recorded):
    """The call that takes a message as an exchange sends it: the row after it is the row after its last level."""
    for events in (streams.simulated(), streams.small(seed=9)):
        events = without_bars(events)[:6000]
        whole = sc.Engine(DEFAULT, bars="1s").run(events, "event")
        engine, message = sc.Engine(DEFAULT, bars="1s"), []
        for i, e in enumerate(events):
            if e["kind"] != ev.Kind.DEPTH:
                feed(engine, e)
            else:
                message.append(e)
                if not e["flags"] & ev.Flag.LAST:
                    continue
                sides = [[(f"{m['v0']:.17g}", m["v1"]) for m in message if m["side"] == s] for s in (1, -1)]
                snapshot = any(m["flags"] & ev.Flag.SNAPSHOT for m in message)
                engine.on_depth_message(int(e["ts"]), *sides, snapshot=snapshot)
                message = []
            assert_same(engine.row[None], whole[i : i + 1])


def test_restored_anywhere_equals_batch(case):
    """Saved and restored at many events, also within a depth message; every restored engine goes on from the last
    one, so that what one restoration loses shows in all rows after it."""
    n = len(case.events)
    cuts = np.unique(np.concatenate([np.arange(0, 40), np.random.default_rng(0).integers(0, n, 80), [n]]))
    if case.rule:
        inside = (case.events["kind"] == ev.Kind.DEPTH) & (case.events["flags"] & ev.Flag.LAST == 0)
        open_message = np.flatnonzero(inside) + 1
        assert len(open_message) or not (case.events["kind"] == ev.Kind.DEPTH).any()
        cuts = np.unique(np.concatenate([cuts, open_message[:: max(1, len(open_message) // 30)]]))
    engine, parts = case.engine(), []
    for a, b in pairwise(np.unique(np.concatenate([[0], cuts]))):
        parts.append(engine.run(case.events[a:b], "event"))
        blob = engine.snapshot()
        engine = sc.Engine.restore(blob)
        assert engine.snapshot() == blob
        assert_same(engine.row[None], parts[-1][-1:])
    assert_same(np.concatenate(parts), case.whole)
    through = case.engine()
    through.run(case.events, "event")
    assert engine.snapshot() == through.snapshot(), "equal states are equal bytes"


@pytest.mark.parametrize("how", ["copy", "copy.copy", "deepcopy", "pickle"])
def test_copies_go_on_alike_and_apart(case, how):
    twin_of = {
        "copy": sc.Engine.copy,
        "copy.copy": copy.copy,
        "deepcopy": copy.deepcopy,
        "pickle": lambda engine: pickle.loads(pickle.dumps(engine)),
    }[how]
    half = len(case.events) // 2
    engine = case.engine()
    engine.run(case.events[:half], "event")
    other = twin_of(engine)
    row = engine.row.copy()
    assert_same(other.run(case.events[half:], "event"), case.whole[half:])
    assert_same(engine.row[None], row[None])  # the first one has not moved
    assert_same(engine.run(case.events[half:], "event"), case.whole[half:])


def test_neither_order_nor_company_of_columns_matters(case):
    events, whole = case.events[:4000], case.whole[:4000]
    rng = np.random.default_rng(1)
    picks = [np.arange(len(DEFAULT))[::-1], rng.permutation(len(DEFAULT))]
    picks += [rng.permutation(len(DEFAULT))[: rng.integers(1, 30)] for _ in range(12)]
    picks += [np.array([i]) for i in range(len(DEFAULT))]
    for pick in picks:
        names = tuple(DEFAULT.columns[i] for i in pick)
        assert_same(case.engine(sc.FeatureSet(names)).run(events, "event"), whole[:, pick], names)


# ---- law 3: nothing looks ahead ----


@pytest.mark.parametrize("sample", ["event", "bar", "250ms"])
def test_a_prefix_gives_the_same_values(case, sample):
    """The number of values rewritten by later data is 0."""
    ts, whole = case.engine().run(case.events, sample, return_ts=True)
    for share in (0.01, 0.1, 0.27, 0.5, 0.73, 0.9, 0.99):
        n = int(share * len(case.events))
        got_ts, got = case.engine().run(case.events[:n], sample, return_ts=True)
        np.testing.assert_array_equal(got_ts, ts[: len(got)])
        assert_same(got, whole[: len(got)])


def test_rows_at_bars_know_nothing_of_the_event_that_follows(case):
    """A time bar is closed by the first event after it. Its row is what a bot sees that lets time pass before it feeds
    that event."""
    events, engine = case.events[:4000], case.engine()
    ts, rows = [], []
    for e in events:
        if engine.advance(int(e["ts"])):
            ts.append(engine.last_bar[0])
            rows.append(engine.row.copy())
        if engine.on_event(e):
            ts.append(engine.ts)
            rows.append(engine.row.copy())
    got_ts, got = case.engine().run(events, "bar", return_ts=True)
    assert list(got_ts) == ts
    assert_same(got, np.reshape(rows, (len(rows), len(DEFAULT))))


def test_rows_at_intervals_know_nothing_of_the_event_that_follows(case):
    """Rows stand on the grid: what was known then, before the first event at or after it."""
    events, engine, step = case.events[:4000], case.engine(), 250_000_000
    ts, rows, due = [], [], None
    for e in events:
        now = int(e["ts"])
        if due is not None and now >= due:
            engine.advance(due)
            ts.append(due)
            rows.append(engine.row.copy())
        if due is None or now >= due:
            due = now - now % step + step
        engine.on_event(e)
    got_ts, got = case.engine().run(events, "250ms", return_ts=True)
    assert list(got_ts) == ts
    assert_same(got, np.reshape(rows, (len(rows), len(DEFAULT))))


def test_bars_from_trades_equal_the_same_bars_fed():
    """A bar that the engine builds and closes by itself means the same as one that is handed to it."""
    trades = streams.simulated()
    trades = trades[trades["kind"] == ev.Kind.TRADE]
    columns = BARS
    for rule in ("2s", "5 trades", "40 volume", "2e3 dollars", "4 imbalance"):
        engine, bars, rows = sc.Engine(columns, bars=rule), [], []
        for e in trades:
            if engine.on_event(e):
                bars.append(engine.last_bar)
                rows.append(engine.row.copy())
        assert len(bars) > 40, rule
        fed = ev.bars([bar[0] for bar in bars], *np.array(bars).T[1:])
        assert_same(sc.Engine(columns).run(fed), np.array(rows), columns.columns)


# ---- values: finite, in range, known when promised ----


def test_nothing_is_infinite_and_ranges_hold(case):
    assert not np.isinf(case.whole).any()
    for column, values in zip(DEFAULT.specs, case.whole.T, strict=True):
        known = values[~np.isnan(values)]
        if len(known):
            assert known.min() >= column.meaning.low, f"{column.name}: {known.min()!r} < {column.meaning.low}"
            assert known.max() <= column.meaning.high, f"{column.name}: {known.max()!r} > {column.meaning.high}"


def test_every_column_lives(recorded):
    """On whole recordings: none is constant or unknown on all of them."""
    lives = {
        "perpetual": (streams.recorded_events(recorded(PERPETUAL)), "100ms", "500ms"),
        "stock": (streams.recorded_events(recorded(STOCK)), "1s", "1s"),
        "triangle": (streams.recorded_triangle(recorded("binance_2020")), "1m", "1s"),
        "minutes": (streams.recorded_bars(recorded(MINUTES), 10_000), None, "bar"),
        "texts": (streams.recorded_texts(recorded("stock_tweets").parent), None, "event"),
    }
    dead = set(DEFAULT.columns)
    for events, bars, sample in lives.values():
        table = sc.Engine(DEFAULT, bars=bars).run(events, sample)
        low, high = np.fmin.reduce(table), np.fmax.reduce(table)
        dead -= {name for name, lives in zip(DEFAULT.columns, low < high, strict=True) if lives}
    assert sorted(dead) == []


def parameters(kernel: sc.features.catalogue.Kernel, seed: int, count: int, most: int = 120):
    """The default parameter sets, then `count` random ones within bounds (windows up to `most`)."""
    rng = np.random.default_rng([seed, *kernel.name.encode()])
    yield from kernel.defaults
    for _ in range(count if kernel.params else 0):
        values = []
        for p in kernel.params:
            high = min(p.high, max(most, 1.2 * p.low))
            whole = float(p.low).is_integer() and p.form != "s"
            drawn = rng.integers(int(p.low), int(high) + 1) if whole else f"{rng.uniform(p.low, high):.4g}"
            values.append(float(drawn))
        yield tuple(values)


@pytest.mark.parametrize("kernel", ON_BARS, ids=lambda k: k.name)
def test_warm_up_is_as_declared(kernel):
    """NaN before, known from then on; and the whole kernel at once."""
    for params in parameters(kernel, 2, 12):
        columns = [kernel.column(params, i).name for i in range(len(kernel.outputs))]
        table = sc.Engine(columns).run(streams.bars(1500, tick=1e-7))
        first = kernel.warmup(params) - 1
        assert np.isnan(table[:first]).all(), f"{columns[0]}: known before bar {first + 1}"
        assert np.isfinite(table[first:]).all(), f"{columns[0]}: unknown after bar {first + 1}"


def test_bar_kernels_sleep_through_other_events():
    events = streams.simulated()[:5000]
    table = sc.Engine(BARS).run(events, "event")
    assert np.isnan(table).all()
    bar = streams.bars(1)
    engine = sc.Engine(["candle_body"])
    engine.run(bar)
    before = engine.row.copy()
    later = events.copy()
    later["ts"] += bar["ts"][0]
    assert_same(engine.run(later, "event")[-1:], before[None], ("candle_body",))


@pytest.mark.parametrize("kernel", OF_TRADES_AND_BOOK, ids=lambda k: k.name)
def test_warm_up_of_book_and_trade_kernels(kernel):
    """On the simulator's feed, which begins with a snapshot: known after the declared number of events that wake it,
    and from then on as long as the book is."""
    events = streams.simulated()
    trade = events["kind"] == ev.Kind.TRADE
    message = (events["kind"] == ev.Kind.DEPTH) & (events["flags"] & ev.Flag.LAST > 0)
    wakes = np.zeros(len(events), bool)
    writes = TRAITS[kernel.name].writes or (("book",) if kernel.family in OF_BOOK else kernel.wakes)
    if "trade" in writes:
        wakes |= trade
    if "book" in writes:
        wakes |= message
    gap = int(np.flatnonzero(events["kind"] == ev.Kind.GAP)[0])
    columns = [c.name for c in DEFAULT.specs if c.kernel is kernel]
    table = sc.Engine(columns).run(events, "event")
    for name, values in zip(columns, table.T, strict=True):
        known = np.flatnonzero(~np.isnan(values))
        assert len(known), f"{name} is never known"
        woken = int(wakes[: known[0] + 1].sum())
        promised = sc.catalogue().column(name).warmup
        low, high = TRAITS[kernel.name].slack
        assert low * promised <= woken <= high * promised, f"{name}: first value at event {woken}, promised {promised}"
        stays = values[known[0] : gap] if "book" in kernel.wakes else values[known[0] :]
        assert np.isfinite(stays).all(), f"{name} is lost again"


def test_features_of_the_book_are_unknown_while_it_is():
    of_book = [c.name for c in DEFAULT.specs if c.kernel.family in OF_BOOK or TRAITS[c.kernel.name].needs_book]
    for events in (streams.simulated()[20_000:30_000], without_bars(streams.small())):
        engine, stale = sc.Engine(of_book), 0
        for e in events:
            engine.on_event(e)
            if engine.book.stale or not (engine.book.bids and engine.book.asks):
                stale += engine.book.stale
                assert np.isnan(engine.row).all() or not e["flags"] & ev.Flag.LAST
        assert stale > 50


@pytest.mark.parametrize("make", [streams.flat_bars, streams.stop_and_go_bars], ids=["flat", "quiet and lively"])
def test_unknown_only_where_documented(make):
    """After the warm-up a bar column is NaN only if its meaning says when it is unknown."""
    columns = BARS
    table = sc.Engine(columns).run(make())
    for column, values in zip(columns.specs, table.T, strict=True):
        if "unknown" not in column.meaning.doc + column.kernel.doc and not TRAITS[column.kernel.name].needs_moves:
            assert np.isfinite(values[column.warmup - 1 :]).all(), column.name


@pytest.mark.parametrize("field", ["v0", "v1", "v2", "v3", "v4", "v5"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -1.0])
def test_bad_numbers_leave_no_trace(field, value):
    """They are refused, live and in history, and the engine is as it was."""
    good = streams.small()
    for kind in (ev.Kind.BAR, ev.Kind.TRADE, ev.Kind.DEPTH, ev.Kind.QUOTE):
        carried = {ev.Kind.BAR: 6, ev.Kind.TRADE: 2, ev.Kind.DEPTH: 2, ev.Kind.QUOTE: 4}[kind]
        if int(field[1]) >= carried:
            continue
        at = int(np.flatnonzero(good["kind"] == kind)[15])
        engine = sc.Engine(DEFAULT)
        engine.run(good[:at])
        before = engine.snapshot()
        bad = good[at : at + 50].copy()
        bad[field][0] = value
        late = bad.copy()
        late[-1] = bad[0]
        late["ts"][-1] = late["ts"][-2]
        for call in (
            lambda: engine.on_event(bad[0]),  # noqa: B023
            lambda: feed(engine, bad[0]),  # noqa: B023
            lambda: engine.run(bad),  # noqa: B023
            lambda: engine.run(late[1:]),  # noqa: B023
        ):
            with pytest.raises(sc.InvalidEvent):
                call()
            assert engine.snapshot() == before


# ---- numerics: bad prints and high prices ----

PRINTS = {
    "all prices": {"open": 1e9, "high": 1e9, "low": 1e9, "close": 1e9},
    "high": {"high": 1e9},
    "close": {"high": 1e9, "close": 1e9},
    "low": {"low": 1e-9},
    "low and close": {"low": 1e-9, "close": 1e-9},
    "volume": {"volume": 1e9, "turnover": 1e11},
}


def bars_to_forget(kernel: sc.features.catalogue.Kernel, params: tuple[float, ...]) -> int:
    """After how many bars nothing may be left of a bad print: a window's length, or 1e-24 of a recursive average."""
    traits = TRAITS[kernel.name]
    if traits.forgets:
        return int(traits.forgets(*params))
    if not traits.decay:
        return kernel.warmup(params)
    bars = int(np.ceil(np.log(1e-24) / np.log(traits.decay(*params))))
    return bars + (int(traits.behind(*params)) if traits.behind else 0)


def test_a_bad_print_leaves_no_residue():
    """1e9 instead of 100: what a window gives once the print has left it is bit-equal to what it would have given; a
    recursive average is back within 1e-11 when its own decay says so."""
    n, at = 5200, 400
    good = streams.bars(n)
    columns = BARS
    clean = sc.Engine(columns).run(good)
    for where, fields in PRINTS.items():
        events = good.copy()
        for name, value in fields.items():
            events.view(sc.BAR)[name][at] = value
        table = sc.Engine(columns).run(events)
        assert not np.isinf(table).any()
        assert FAMILIES or (bits(table[at]) != bits(clean[at])).any()
        for column, got, expected in zip(columns.specs, table.T, clean.T, strict=True):
            rest = at + bars_to_forget(column.kernel, column.params)
            assert rest < n - 100, column.name
            got, expected = got[rest:], expected[rest:]
            if TRAITS[column.kernel.name].decay or TRAITS[column.kernel.name].forgets:
                error = np.max(abs(got - expected)) / (np.median(abs(expected)) or 1)
                assert error <= 1e-11, f"{column.name} after {where}: {error:.1e}"
            else:
                assert (bits(got) == bits(expected)).all(), f"{column.name} after {where}: a residue"


def test_a_bad_print_first_of_all_leaves_no_residue():
    """Nothing is measured from where the engine happened to begin."""
    good = streams.bars(5200)
    columns = BARS
    events = good.copy()
    for name, value in PRINTS["all prices"].items():
        events.view(sc.BAR)[name][0] = value
    table, clean = sc.Engine(columns).run(events), sc.Engine(columns).run(good)
    for column, got, expected in zip(columns.specs, table.T, clean.T, strict=True):
        rest = max(bars_to_forget(column.kernel, column.params), column.warmup) + 1
        error = np.max(abs(got[rest:] - expected[rest:])) / (np.median(abs(expected[rest:])) or 1)  # counts are often 0
        assert error <= 1e-11, f"{column.name}: {error:.1e}"


BAD_TRADES = {"price": {"price": 1e9}, "size": {"size": 1e9}, "both": {"price": 1e9, "size": 1e9}}


@pytest.mark.parametrize("where", BAD_TRADES)
def test_a_bad_trade_leaves_no_residue(where):
    """Of a trade at 1e9, or of 1e9 lots: windows of trades forget it to the last bit, and what fades with a half-life
    has lost it after 100 of them."""
    events = streams.simulated()
    trades = np.flatnonzero(events["kind"] == ev.Kind.TRADE)
    at = trades[len(trades) // 8]
    bad = events.copy()
    for name, value in BAD_TRADES[where].items():
        bad.view(sc.TRADE)[name][at] = value
    names, rest = [], {}
    for kernel in OF_TRADES_AND_BOOK:
        if not kernel.params or kernel.name == "vpin":
            continue  # vpin: buckets of volume, which its own test looks at
        fades = kernel.params[-1].form == "s"
        for output in range(len(kernel.outputs)):
            params = (*kernel.defaults[0][:-1], 1.0 if fades else 100.0 if kernel.params[-1].form == "n" else 5.0)
            column = kernel.column(params, output)
            names.append(column.name)
            # twice the window: trades whose side is not known may not count
            after = events["ts"][at] + 100_000_000_000 if fades else events["ts"][trades[len(trades) // 8 + 250]]
            rest[column.name] = int(np.searchsorted(events["ts"], after))
    clean, table = sc.Engine(names).run(events, "event"), sc.Engine(names).run(bad, "event")
    assert FAMILIES or (bits(clean[at]) != bits(table[at])).any()
    for name, got, expected in zip(names, table.T, clean.T, strict=True):
        got, expected = got[rest[name] :], expected[rest[name] :]
        if name.endswith("s"):
            assert relative_error(got, expected) <= 1e-11, name
        else:
            assert (bits(got) == bits(expected)).all(), f"{name}: a residue"


def test_vpin_forgets_a_bad_size():
    """A bucket is as large as recent trades, not as the largest there ever was."""
    rng, n, at = np.random.default_rng(0), 20_000, 8_000
    side, size = rng.choice([1, -1], n), rng.gamma(1, 1, n) + 0.01
    trades = ev.trades(streams.START + 10_000_000 * np.arange(n), 100.0, size, side)
    bad = trades.copy()
    bad.view(sc.TRADE)["size"][at] = 1e9
    clean, table = (sc.Engine(["vpin_50"]).run(events, "event")[:, 0] for events in (trades, bad))
    assert abs(table[at:] - clean[at:]).max() > 0.1
    changes = [np.count_nonzero(np.diff(values[at:])) for values in (clean, table)]
    assert changes[1] > 0.9 * changes[0], "it stands still"
    assert abs(table[-1000:] - clean[-1000:]).max() < 1e-12  # the buckets begin with the same trades again


def relative_error(got: NDArray[np.float64], expected: NDArray[np.longdouble], least: float = 0.0) -> float:
    """Worst error relative to the value, to the column's median size or to `least`, whichever is largest."""
    assert (np.isnan(got) == np.isnan(expected)).all(), "not unknown at the same time"
    known = ~np.isnan(got)
    got, size = got[known], abs(expected[known])
    scale = np.maximum(size, np.median(size[size > 0]) if size.any() else least)
    error = abs(got - expected[known])
    return float(np.max(error[error > 0] / np.maximum(scale, least)[error > 0], initial=0))


def twin_errors(
    kernel: sc.features.catalogue.Kernel, params: tuple[float, ...], bars: NDArray[np.void], least: float = 0.0
) -> list[float]:
    """Worst relative error of each output against the naive twin."""
    columns = [kernel.column(params, i).name for i in range(len(kernel.outputs))]
    got = sc.Engine(columns).run(bars)
    plain = [int(p) if float(p).is_integer() else p for p in params]
    expected = np.reshape(TWINS[kernel.name](bars.view(sc.BAR), *plain), got.shape)
    return [relative_error(a, b, least) for a, b in zip(got.T, expected.T, strict=True)]


@pytest.mark.parametrize("kernel", ON_BARS, ids=lambda k: k.name)
def test_a_price_of_1e8_costs_no_digits(kernel):
    """Moves of a few ticks of 0.01 at a price of 1e8, against the twin in extended precision."""
    bars = streams.bars(800, seed=4, price=1e8, tick=0.01, volatility=5e-10)
    for params in kernel.defaults:
        error = max(twin_errors(kernel, params, bars))
        assert error <= TRAITS[kernel.name].level, f"{kernel.name}{params}: {error:.1e}"


@pytest.mark.parametrize("kernel", OF_TRADES_AND_BOOK, ids=lambda k: k.name)
def test_a_book_at_1e8_costs_no_digits(kernel):
    """The same for trades and depth, a market that moves by ticks of 0.01 at a price of 1e8."""
    events, tape = high_tape()
    for params in kernel.defaults:
        if kernel.name == "vpin" or (kernel.params and kernel.params[-1].form == "n" and params[-1] > 100):
            continue  # windows longer than the tape
        columns = [kernel.column(params, i).name for i in range(len(kernel.outputs))]
        got = sc.Engine(columns).run(events, "event")
        expected = np.asarray(tape.at_events(np.asarray(TWINS[kernel.name](tape, *params)))).reshape(got.shape)
        for name, a, b in zip(columns, got.T, expected.T, strict=True):
            error = relative_error(a, b)
            assert error <= TRAITS[kernel.name].level, f"{name}: {error:.1e}"


@cache
def high_tape() -> tuple[NDArray[np.void], Tape]:
    events = sc.simulate(seconds=60, seed=5, start_price=1e8, tick=0.01, regime="volatile").events[:2500]
    return events, Tape(events)
