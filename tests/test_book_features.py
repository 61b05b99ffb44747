"""The kernels of order book, trade flow and impact against their naive twins, at every event."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
import streams
from conftest import MORE
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import TRAITS, TWINS
from reference.books import Tape
from test_laws import OF_BOOK, OF_TRADES_AND_BOOK

import smartcore as sc
from smartcore.market import events as ev

SECOND = 1_000_000_000
KERNELS = [kernel.name for kernel in OF_TRADES_AND_BOOK]
DEFAULT = sc.FeatureSet(c.name for c in sc.catalogue().columns if c.kernel in OF_TRADES_AND_BOOK)


def short(kernel: sc.features.catalogue.Kernel) -> Iterator[str]:
    """Columns of windows that fill within a few events, and of half-lives of a few milliseconds."""
    small = {"s": (0.02, 3.0), "l": (2.0, 7.0), "n": (0.0, 2.0)}
    for pick in (0, 1):
        params = [max(p.low, small[p.form][pick] + (p.low if p.form == "n" else 0)) for p in kernel.params]
        yield from (kernel.column(params, i).name for i in range(len(kernel.outputs)))


SHORT = sc.FeatureSet(dict.fromkeys(name for kernel in OF_TRADES_AND_BOOK for name in short(kernel)))


def rows(events: np.ndarray, features: sc.FeatureSet) -> np.ndarray:
    return sc.Engine(features).run(events, sample="event")


@cache
def tape(key: tuple) -> Tape:
    return Tape(stream(key))


def twins(tape: Tape, features: sc.FeatureSet, kernel: str) -> dict[str, np.ndarray]:
    """What the twin of a kernel gives for its columns, at every event."""
    columns, tables = {}, {}
    for spec in features.specs:
        if spec.kernel.name == kernel:
            if spec.params not in tables:
                tables[spec.params] = tape.at_events(np.asarray(TWINS[kernel](tape, *spec.params), np.float64))
            values = tables[spec.params]
            columns[spec.name] = values if values.ndim == 1 else values[:, spec.output]
    return columns


def differs(column: str, got: np.ndarray, want: np.ndarray) -> str | None:
    """Where two columns are not the same: NaN in one alone, or more than 1e-9 apart, relative or of a usual value."""
    wrong = np.isnan(got) != np.isnan(want)
    traits = TRAITS[sc.catalogue().column(column).kernel.name]
    got, want = traits.compare(got), traits.compare(want)
    wrong |= np.abs(got - want) > 1e-9 * np.maximum(np.abs(want), traits.usual)
    if not wrong.any():
        return None
    i = int(np.argmax(wrong))
    return f"event {i} of {len(got)}: {got[i]!r}, by the twin {want[i]!r}; {wrong.sum()} differ"


# ---- streams: simulated, made up, recorded ----

SPOT = "binance_l2_2024/spot_ethusdt_2024-08-08.parquet"
PERPETUAL = "binance_l2_2024/usdm_perp_btcusdt_2024-08-08.parquet"
STREAMS = {
    "small": ("small",),
    "quotes": ("quotes",),
    "simulated": ("simulated",),
    "spot": ("recorded", SPOT, 0, 9_000),
    "perpetual": ("recorded", PERPETUAL, 9_000, 12_000),
}


@cache
def stream(key: tuple) -> np.ndarray:
    if key[0] == "small":
        return streams.small()
    if key[0] == "quotes":
        return streams.quotes_only()
    if key[0] == "simulated":
        # Around the gap and the snapshot that heals it, and enough trades before for windows of 500.
        events = streams.simulated()
        gap = int(np.flatnonzero(events["kind"] == ev.Kind.GAP)[0])
        traded = np.flatnonzero(events["kind"] == ev.Kind.TRADE)
        traded = traded[traded < gap - 400]
        snapshot = ev.depth([events["ts"][0]] * 2, [1, -1], [1, 1e9], 1, last=[False, True], snapshot=[True, False])
        return np.concatenate([snapshot, events[traded[-700:]], events[gap - 400 : gap + 1100]])
    path, start, n = key[1:]
    events = streams.recorded_book(path, start + n)
    if not start:
        return events
    # From the middle on: a snapshot of the book as it stood.
    engine = sc.Engine(["spread"])
    closes = np.flatnonzero(events["flags"] & ev.Flag.LAST > 0)
    cut = int(closes[np.searchsorted(closes, start)]) + 1
    engine.run(events[:cut])
    bids, asks = (side[:400] for side in engine.book.levels())
    levels, row = np.concatenate([bids, asks]), np.arange(len(bids) + len(asks))
    side = np.repeat([1, -1], [len(bids), len(asks)])
    snapshot = ev.depth(
        np.full(len(row), engine.ts), side, levels[:, 0], levels[:, 1], last=row == row[-1], snapshot=row == 0
    )
    return np.concatenate([snapshot, events[cut:]])


@cache
def table(key: tuple) -> np.ndarray:
    return rows(stream(key), DEFAULT)


ORDINARY = {"small": 250, "quotes": 300, "simulated": 500, "spot": 200, "perpetual": 200}
"""How many values of a kernel there must be to compare."""


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", STREAMS)
def test_kernel_equals_its_twin(name, kernel, request):
    key = STREAMS[name]
    if key[0] == "recorded":
        key = ("recorded", request.getfixturevalue("recorded")(key[1]), *key[2:])
    compared = 0
    for column, want in twins(tape(key), DEFAULT, kernel).items():
        got = table(key)[:, DEFAULT.index(column)]
        assert (problem := differs(column, got, want)) is None, f"{column}: {problem}"
        compared = max(compared, int(np.isfinite(got).sum()))
    assert name in TRAITS[kernel].sparse or compared >= ORDINARY[name], f"{kernel}: only {compared} values in {name}"


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", ["small", "quotes"])
def test_kernel_of_short_windows_equals_its_twin(name, kernel):
    """Twins of short windows also see windows of equal values, of nothing, and half-lives of a few milliseconds."""
    got = rows(stream(STREAMS[name]), SHORT)
    for column, want in twins(tape(STREAMS[name]), SHORT, kernel).items():
        problem = differs(column, got[:, SHORT.index(column)], want)
        assert problem is None, f"{column}: {problem}"


def test_vpin_equals_its_twin_over_thousands_of_trades(recorded):
    """The default 50 buckets of 50 mean trades hold about 2500 trades."""
    import pyarrow.parquet as pq

    frame = pq.read_table(recorded("binance_2020/ethusdt_aggtrades_2020-11-01T09.parquet")).to_pandas()
    side = np.where(frame["side"] == "buy", 1, -1)
    trades = ev.trades(frame["ts_event"].astype("int64").to_numpy(), frame["price"], frame["size"], side)
    features = sc.FeatureSet(["vpin_50", "vpin_7"])
    got, known = rows(trades, features), 0
    for column, want in twins(Tape(trades), features, "vpin").items():
        assert (problem := differs(column, got[:, features.index(column)], want)) is None, f"{column}: {problem}"
        known += int(np.isfinite(want).sum())
    assert known > 5_000


# ---- streams that nobody would think of ----

prices = st.integers(-3, 3).map(lambda i: 100 + 0.5 * i)
sizes = st.sampled_from([0.0, 0.1, 1.0, 2.5, 40.0])
steps = st.sampled_from([0, 0, 1, 1_000, 5_000_000, SECOND, 40 * SECOND, 86_400 * SECOND])


@st.composite
def tapes(draw) -> np.ndarray:
    """Up to 40 events on few prices: ties in time, one-sided, empty and crossed books, gaps, snapshots, quotes."""
    kinds = draw(st.sampled_from(["tdsgq", "tq", "td", "ds", "tdsg"]))
    ts, parts = streams.START, []
    for _ in range(draw(st.integers(1, 40))):
        ts += draw(steps)
        kind = draw(st.sampled_from(kinds))
        if kind == "t":
            parts.append(ev.trades(ts, draw(prices), draw(sizes), draw(st.sampled_from([1, -1, 0]))))
        elif kind == "q":
            parts.append(ev.quotes(ts, draw(prices), draw(sizes), draw(prices), draw(sizes)))
        elif kind == "g":
            parts.append(ev.gap(ts))
        else:
            k = draw(st.integers(1, 4))
            level = st.tuples(st.sampled_from([1, -1]), prices, sizes)
            side, price, size = zip(*(draw(level) for _ in range(k)), strict=True)
            row, closed = np.arange(k), draw(st.booleans()) or kind == "s"
            last, snapshot = (row == k - 1) & closed, (row == 0) & (kind == "s")
            parts.append(ev.depth(np.full(k, ts), side, price, size, last, snapshot))
    return np.concatenate(parts)


@settings(max_examples=25 * MORE, deadline=None)
@given(tapes())
def test_every_column_equals_its_twin_on_any_tape(events):
    got, tape = rows(events, SHORT), Tape(events)
    for kernel in KERNELS:
        for column, want in twins(tape, SHORT, kernel).items():
            problem = differs(column, got[:, SHORT.index(column)], want)
            assert problem is None, f"{column}: {problem}"


# ---- by hand ----


def book(*levels: tuple[int, float, float], ts: int = 0, snapshot: bool = True) -> np.ndarray:
    """A message of (side, price, size)."""
    side, price, size = zip(*levels, strict=True)
    row = np.arange(len(levels))
    first = (row == 0) & snapshot
    return ev.depth(np.full(len(levels), ts), side, price, size, last=row == row[-1], snapshot=first)


def last(column: str, *events: np.ndarray) -> float:
    return rows(np.concatenate(events), sc.FeatureSet([column]))[-1, 0]


def test_touch_by_hand():
    top = book((1, 99, 30), (-1, 101, 10))
    assert last("spread", top) == 200
    assert last("microprice", top) == pytest.approx(50)  # 100.5: three quarters of the way to the ask
    assert last("queue_imbalance_l1", top) == 0.5
    assert last("spread", book((1, 101, 1), (-1, 99, 1))) == -200


def test_depth_by_hand():
    top = book((1, 99, 1), (1, 98, 2), (-1, 101, 4), (-1, 102, 4), (-1, 103, 8))
    assert last("queue_imbalance_l2", top) == (3 - 8) / 11
    assert last("queue_imbalance_l10", top) == (3 - 16) / 19
    # Shares 1/3 and 1 at 100 and 200 bps; 1/4, 1/2 and 1 at 100, 200 and 300 bps.
    assert last("depth_slope_l10_bid", top) == pytest.approx(2 / 3 / 100)
    assert last("depth_slope_l10_ask", top) == pytest.approx(0.75 / 200)
    assert last("depth_slope_l2_ask", top) == pytest.approx(0.5 / 100)
    assert np.isnan(last("depth_slope_l10_bid", book((1, 99, 1), (-1, 101, 4))))


@pytest.mark.parametrize(
    ("level", "flow"),
    [
        ((1, 99, 7), 2),  # the bid queue grew from 5 to 7
        ((1, 99.5, 3), 3),  # a better bid: all of it is new
        ((1, 99, 0), -5),  # the best bid is gone, the next one was there
        ((-1, 101, 9), -2),
        ((-1, 100.5, 4), -4),
        ((-1, 101, 0), 7),
    ],
)
def test_order_flow_by_hand(level, flow):
    before = book((1, 99, 5), (1, 98, 6), (-1, 101, 7), (-1, 102, 8))
    after = book(level, snapshot=False)
    if level == (1, 99, 0):
        sizes = 6, 7
    elif level == (-1, 101, 0):
        sizes = 5, 8
    else:
        sizes = (level[2], 7) if level[0] > 0 else (5, level[2])
    mean = ((5 + 7) / 2 + sum(sizes) / 2) / 2  # of both messages, which came at the same time
    assert last("ofi_l1_1s", before, after) == pytest.approx(flow / mean)


def test_fading_by_hand():
    """A half-life is what it says, and rates count from the first event, not from the beginning of time."""
    top = [book((1, 99, 1), (-1, 101, 1), ts=0), book((1, 99, 2), ts=2 * SECOND, snapshot=False)]
    seen = 2 / np.log(2) * (1 - 2**-1)  # integral over 2 s of 2^(-t/2)
    assert last("book_rate_2s", *top) == pytest.approx((1 + 0.5) / seen)
    trades = [ev.trades(0, 100, 3, 1), ev.trades(SECOND, 101, 1, -1)]
    assert last("trade_imbalance_1s", *trades) == pytest.approx((1.5 - 1) / (1.5 + 1))
    assert last("volume_rate_1s", *trades) == pytest.approx((1.5 + 1) / (0.5 / np.log(2)))
    assert last("buy_rate_1s", *trades) == pytest.approx(0.5 / (0.5 / np.log(2)))
    assert np.isnan(last("buy_rate_1s", trades[0]))  # no time has passed yet


def test_mid_by_hand():
    moved = [book((1, 99, 1), (-1, 101, 1)), book((1, 102, 1), (-1, 103, 1), ts=SECOND)]  # mid 100, then 102.5
    assert last("mid_distance_1s", *moved) == pytest.approx(1e4 * np.log(1.025))
    still = [*moved, ev.trades(SECOND, 100, 1, 1), book((1, 102, 2), ts=2 * SECOND, snapshot=False)]
    assert last("mid_distance_1s", *still) == pytest.approx(1e4 * np.log(102.5 / 101.25))
    seen = 0.5 / np.log(2)
    assert last("mid_volatility_1s", *moved) == pytest.approx(1e4 * np.log(1.025) / np.sqrt(seen))


def test_kyle_recovers_the_slope_of_the_price():
    rng = np.random.default_rng(4)
    size, side = rng.gamma(2, 1, 200), rng.choice([1, -1], 200)
    price = 1000 + np.cumsum(0.05 * size * side)
    trades = ev.trades(np.arange(200) * SECOND, price, size, side)
    assert last("kyle_100", trades) == pytest.approx(1e4 * 0.05 * size[-100:].mean() / price[-1])
    assert np.isnan(last("kyle_100", ev.trades(np.arange(200), price, 1, 1)))  # nothing to regress on


def test_roll_recovers_the_bounce():
    """Prices that jump between bid and ask at random, around a mid that stands still."""
    side = np.random.default_rng(5).choice([1, -1], 4000)
    trades = ev.trades(np.arange(4000) * SECOND, 100 + 0.02 * side, 1, side)
    assert last("roll_spread_3900", trades) == pytest.approx(4.0, rel=0.05)  # 4 cents at 100
    assert last("roll_spread_100", ev.trades(np.arange(200), 100 + np.arange(200), 1, 1)) == 0  # a trend has no bounce


def test_trades_by_hand():
    signs = np.array([1, 1, -1, -1, -1, 1])
    trades = ev.trades(np.arange(6), 100, 1, signs)
    assert last("trade_sign_autocorrelation_5", trades) == pytest.approx((1 - 1 + 1 + 1 - 1) / 5)
    # Buckets of 50 equal trades, decimal sizes and all; one of buys alone, one of 30 buys and 20 sales.
    side = np.r_[np.ones(50), np.ones(30), -np.ones(20)]
    assert last("vpin_2", ev.trades(np.arange(100), 100, 0.1, side)) == pytest.approx((50 + 10) / 100)
    assert np.isnan(last("vpin_2", ev.trades(np.arange(99), 100, 0.1, side[:99])))
    top = book((1, 99, 1), (-1, 101, 1))
    paid = [ev.trades(0, 101, 1, 1), ev.trades(SECOND, 100.5, 3, 1)]
    assert last("effective_spread_1s", top, *paid) == pytest.approx((200 * 0.5 + 100 * 3) / 3.5)


def test_side_unknown_follows_the_tick_rule():
    """Up is a buy, down a sale, the same price what the trade before was. The first tells nothing."""
    trades = ev.trades(np.arange(6), [100, 101, 101, 100.5, 100.5, 102], [8, 1, 1, 1, 1, 1], 0)
    net = rows(trades, sc.FeatureSet(["trade_imbalance_60s"]))[:, 0] * np.cumsum([8, 1, 1, 1, 1, 1])
    assert np.allclose(net, [0, 1, 2, 1, 0, 1], atol=1e-6)


def test_a_gap_hides_the_book_until_a_snapshot():
    top = book((1, 99, 1), (1, 98, 1), (-1, 101, 1), (-1, 102, 1))
    # What is known late has nothing to say after one trade; the laws look at it.
    soon = {c.name for c in DEFAULT.specs if TRAITS[c.kernel.name].needs_book and c.warmup == 1}
    needy = {c.name for c in DEFAULT.specs if c.kernel.family in OF_BOOK} | soon
    features = sc.FeatureSet(c for c in DEFAULT if c in needy)
    engine = sc.Engine(features)
    engine.run(np.concatenate([top, ev.trades(SECOND, 100.5, 1, 1), book((1, 99, 2), ts=2 * SECOND, snapshot=False)]))
    assert np.isfinite(engine.row).all()
    later = book((1, 99, 3), ts=4 * SECOND, snapshot=False), ev.trades(5 * SECOND, 100, 1, 1)
    for events in (ev.gap(3 * SECOND), *later):
        engine.run(events)
        assert np.isnan(engine.row).all() and engine.book.stale and not engine.book.valid
    top["ts"] = 6 * SECOND
    engine.run(top)
    assert np.isfinite(engine.row).all() and not engine.book.stale
    # Nothing is compared across the gap: the one flow is of 2 s, the mean queue that of three valid messages.
    mean = (2**-6 * 1 + 2**-4 * 1.5 + 1) / (2**-6 + 2**-4 + 1)
    assert engine["ofi_l1_1s"] == pytest.approx(2**-4 / mean)
