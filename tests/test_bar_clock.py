"""Bars from trades against a plain definition, and which moments `run` makes rows of."""

from __future__ import annotations

import math

import numpy as np
import pytest
import streams
from numpy.typing import NDArray

import smartcore as sc
from smartcore.market import events as ev
from smartcore.market.events import TRADE, Kind

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
RULES = [
    "1s", "250ms", "1m", "1 trades", "7 trades", "500 trades",
    "20 volume", "3000 dollars", "3 imbalance", "1 imbalance",
]  # fmt: skip
FEATURES = ["log_return_1", "candle_body", "relative_volume_20", "vwap_distance_20", "atr_14", "obv_20", "spread"]


def bars_of(trades: NDArray[np.void], rule: str, until: int) -> list[tuple]:
    """The complete bars of a rule, as (ts, open, high, low, close, volume, turnover).

    Time bars: one for each interval of the grid from the epoch that holds trades and is over at `until`. Others: a bar
    takes trades until their count, volume, turnover or net sign has reached the amount.
    """
    trades = trades.view(TRADE)
    word = rule.split()
    if len(word) == 1:
        step = sc.features.engine.interval_ns(rule)
        group = [ts // step for ts in trades["ts"].tolist()]
        ends = {g: (g + 1) * step for g in group}
        return [bar(trades[[i for i, x in enumerate(group) if x == g]], end) for g, end in ends.items() if end <= until]
    amount, by = float(word[0]), word[1]
    bars, start = [], 0
    signs = signs_of(trades)
    for i in range(len(trades)):
        part = trades[start : i + 1]
        reached = {
            "trades": lambda part: len(part),
            "volume": lambda part: math.fsum(part["size"]),
            "dollars": lambda part: math.fsum(part["size"] * part["price"]),
            "imbalance": lambda part, start=start, i=i: abs(sum(signs[start : i + 1])),
        }[by](part)
        if reached >= amount * (1 - 1e-10):
            bars.append(bar(part, int(part["ts"][-1])))
            start = i + 1
    return bars


def signs_of(trades: NDArray[np.void]) -> list[int]:
    """The aggressors; by the tick rule where they are unknown, 0 before the first that tells."""
    signs, sign = [], 0
    for i, side in enumerate(trades["side"].tolist()):
        move = trades["price"][i] - trades["price"][i - 1] if i else 0
        sign = side or int(np.sign(move)) or sign
        signs.append(sign)
    return signs


def bar(part: NDArray[np.void], ts: int) -> tuple:
    price, size = part["price"], part["size"]
    return (
        ts, price[0], price.max(), price.min(), price[-1], math.fsum(size), math.fsum(size * price)
    )  # fmt: skip


def some_trades(n: int = 3000, seed: int = 1) -> NDArray[np.void]:
    """Bursts at one time, lulls of minutes, unknown sides, trades without size."""
    rng = np.random.default_rng(seed)
    step = rng.choice([0, 1, 40_000_000, 600_000_000, 200 * SECOND], n, p=[0.2, 0.1, 0.5, 0.19, 0.01])
    price = 100 + 0.01 * np.cumsum(rng.integers(-2, 3, n))
    size = np.where(rng.random(n) < 0.02, 0, rng.gamma(1, 0.5, n))
    return ev.trades(START + np.cumsum(step), price, size, rng.choice([1, -1, 0], n))


def live_bars(eng: sc.Engine, events: NDArray[np.void]) -> list[tuple]:
    bars = []
    for event in events:
        count = eng.bar_count
        closed = eng.on_event(event)
        assert closed == eng.closed_bar == (eng.bar_count == count + 1)
        if closed:
            bars.append(eng.last_bar)
    return bars


def check(got: list[tuple], want: list[tuple]) -> None:
    assert len(got) == len(want)
    got, want = np.array(got, np.float64).reshape(-1, 7), np.array(want, np.float64).reshape(-1, 7)
    assert np.array_equal(got[:, :5], want[:, :5])
    assert np.allclose(got[:, 5:], want[:, 5:], rtol=1e-12, atol=0)


@pytest.mark.parametrize("rule", RULES)
def test_bars_are_as_defined(rule):
    trades = some_trades(1200 if "imbalance" in rule or "trades" in rule else 3000)
    eng = sc.Engine(FEATURES, bars=rule)
    got = live_bars(eng, trades)
    want = bars_of(trades, rule, int(trades["ts"][-1]))
    check(got, want)
    assert len(want) >= 2 and eng.bar_count == len(want)
    assert eng.last_price == trades.view(TRADE)["price"][-1]


@pytest.mark.parametrize("rule", RULES)
def test_run_gives_a_row_a_bar(rule):
    """The same times, and the rows of an engine that is fed with the bars; whatever the chunks."""
    trades = some_trades(1200)
    ts, table = sc.Engine(FEATURES, bars=rule).run(trades, return_ts=True)
    want = bars_of(trades, rule, int(trades["ts"][-1]))
    assert ts.tolist() == [row[0] for row in want]
    live = sc.Engine(FEATURES, bars=rule)
    fed = sc.Engine(FEATURES)
    made = list(zip(*live_bars(live, trades), strict=True))
    rows = fed.run(ev.bars(*made)) if want else np.zeros((0, len(FEATURES)))
    assert np.array_equal(table, rows, equal_nan=True)
    assert np.array_equal(live.row, table[-1], equal_nan=True)
    for size in (1, 7, 100):
        eng = sc.Engine(FEATURES, bars=rule)
        pieces = [eng.run(trades[i : i + size], return_ts=True) for i in range(0, len(trades), size)]
        assert np.array_equal(np.concatenate([p[0] for p in pieces]), ts)
        assert np.array_equal(np.concatenate([p[1] for p in pieces]), table, equal_nan=True)
        assert eng.snapshot() == live.snapshot()


@pytest.mark.parametrize("rule", RULES)
def test_a_bar_goes_on_after_a_restore(rule):
    trades = some_trades(900)
    whole = sc.Engine(FEATURES, bars=rule)
    want = live_bars(whole, trades)
    for cut in (0, 1, 137, 450, 899):
        first = sc.Engine(FEATURES, bars=rule)
        got = live_bars(first, trades[:cut])
        second = sc.Engine.restore(first.snapshot())
        assert got + live_bars(second, trades[cut:]) == want
        assert second.snapshot() == whole.snapshot()


@pytest.mark.parametrize("rule", ["7 trades", "20 volume", "3000 dollars", "3 imbalance", "250ms"])
def test_bars_of_recorded_trades(rule, recorded):
    import pyarrow.parquet as pq

    frame = pq.read_table(recorded("binance_2020/ethusdt_aggtrades_2020-11-01T09.parquet")).to_pandas()[:1500]
    side = np.where(frame["side"] == "buy", 1, -1)
    trades = ev.trades(frame["ts_event"].astype("int64").to_numpy(), frame["price"], frame["size"], side)
    got = live_bars(sc.Engine(FEATURES, bars=rule), trades)
    check(got, bars_of(trades, rule, int(trades["ts"][-1])))
    assert len(got) > 50


# ---- edges ----


def closed(rule: str, trades: NDArray[np.void]) -> list[int]:
    """Positions of the trades that close a bar."""
    eng = sc.Engine(FEATURES, bars=rule)
    return [i for i, trade in enumerate(trades) if eng.on_event(trade)]


def test_decimal_sizes_fill_a_bar_when_their_sum_does():
    """Ten times 0.1 is 1, though not in doubles."""
    trades = ev.trades(np.arange(100), 100, 0.1, 1)
    assert closed("1 volume", trades) == list(range(9, 100, 10))
    assert closed("100 dollars", trades) == list(range(9, 100, 10))
    assert closed("0.3 volume", trades) == list(range(2, 100, 3))


def test_a_trade_larger_than_the_amount_makes_one_bar():
    trades = ev.trades(np.arange(4), 100, [1, 50, 1, 1], 1)
    eng = sc.Engine(FEATURES, bars="2 volume")
    assert [eng.on_event(t) for t in trades] == [False, True, False, True]
    assert eng.last_bar == (3, 100, 100, 100, 100, 2, 200)  # nothing of the 50 is carried over


def test_trades_without_size_fill_nothing_but_are_trades():
    trades = ev.trades(np.arange(4), [100, 120, 80, 100], 0, 1)
    assert closed("1 volume", trades) == []
    assert closed("4 trades", trades) == [3]
    assert closed("4 imbalance", trades) == [3]
    eng = sc.Engine(FEATURES, bars="4 trades")
    eng.run(trades)
    assert eng.last_bar == (3, 100, 120, 80, 100, 0, 0)


def test_a_time_bar_ends_on_the_grid_and_its_end_belongs_to_the_next():
    trades = ev.trades(START + np.array([1, SECOND - 1, SECOND, 2 * SECOND]), [100, 101, 102, 103], 1, 1)
    eng = sc.Engine(FEATURES, bars="1s")
    assert [eng.on_event(t) for t in trades] == [False, False, True, True]
    assert eng.last_bar == (START + 2 * SECOND, 102, 102, 102, 102, 1, 102)


def test_time_before_1970():
    trades = ev.trades([-1_500_000_000, -1_000_000_001, -1_000_000_000, -1, 0], [5, 6, 7, 8, 9], 1, 1)
    eng = sc.Engine(FEATURES, bars="1s")
    ts, _ = eng.run(trades, return_ts=True)
    assert ts.tolist() == [-SECOND, 0]
    assert eng.last_bar == (0, 7, 8, 7, 8, 2, 15)


def test_empty_intervals_make_no_bars():
    trades = ev.trades(START + SECOND * np.array([0, 1, 100, 5000]), [100, 101, 102, 103], 1, 1)
    ts, _ = sc.Engine(FEATURES, bars="1s").run(trades, return_ts=True)
    assert ((ts - START) // SECOND).tolist() == [1, 2, 101]


def test_time_passing_closes_a_bar():
    eng = sc.Engine(FEATURES, bars="1s")
    assert eng.advance(START) is False and eng.ts == START
    eng.on_trade(START + 1, 100, 2, 1)
    assert eng.advance(START + SECOND - 1) is False and eng.bar_count == 0
    assert eng.advance(START + SECOND) is True and eng.closed_bar and eng.bar_count == 1
    assert eng.last_bar == (START + SECOND, 100, 100, 100, 100, 2, 200) and eng["candle_body"] == 0
    assert eng.advance(START + SECOND) is False and not eng.closed_bar
    assert eng.advance(START + 50 * SECOND) is False and eng.bar_count == 1  # nothing was traded since
    eng.on_trade(START + 50 * SECOND, 100, 2, 1)
    assert eng.advance(START + 90 * SECOND) is True and eng.last_bar[0] == START + 51 * SECOND
    late = sc.Engine(FEATURES, bars="5 trades")
    late.on_trade(START, 100, 1, 1)
    assert late.advance(START + 10**6 * SECOND) is False  # only time bars end by themselves


@pytest.mark.parametrize("kind", ["trade", "depth", "quote", "gap", "score", "aux", "message", "order book"])
def test_any_event_is_time_passing(kind):
    """The bar closes before the event is applied, whatever it is."""
    eng = sc.Engine(FEATURES, bars="1s")
    eng.on_depth_message(START, [(99, 1)], [(101, 1)], snapshot=True)
    eng.on_trade(START, 100, 2, 1)
    ts = START + 3 * SECOND
    event = ev.gap(ts)
    event["kind"] = getattr(Kind, kind.upper(), Kind.GAP)
    event["side"], event["v0"], event["v1"], event["v2"] = 1, 98, 1, 102
    if kind == "message":
        assert eng.on_depth_message(ts, [(98, 1), (97, 1)], []) is True
    elif kind == "order book":
        assert eng.on_order_book({"bids": [], "asks": []}, ts) is True
    else:
        assert eng.on_event(event[0]) is True
    assert eng.closed_bar and eng.last_bar == (START + SECOND, 100, 100, 100, 100, 2, 200) and eng.ts == ts
    assert eng.advance(ts) is False and not eng.closed_bar


def test_fed_bars_are_bars():
    eng = sc.Engine(FEATURES)
    assert eng.on_bar(START, 100, 101, 99, 100, 5, 500) is True and eng.closed_bar
    assert eng.last_bar == (START, 100, 101, 99, 100, 5, 500) and eng.last_price == 100
    assert eng.on_trade(START, 103, 1, 1) is False and not eng.closed_bar
    assert eng.last_price == 103 and eng.bar_count == 1
    assert eng.advance(START + 10**6 * SECOND) is False


# ---- which moments become rows ----

MIXED = ["log_return_1", "spread", "trade_imbalance_1s", "volume_rate_10s", "book_rate_1s"]


def mixed() -> NDArray[np.void]:
    events = streams.small()
    return events[events["kind"] != Kind.BAR]


def sampled(events: NDArray[np.void], bars: str, step: int) -> tuple[list[int], list[NDArray[np.float64]]]:
    """Rows on a grid from the epoch, as a live loop would take them: at the end of each interval that had an event,
    once the time has come, and with what was known then."""
    eng, ts, rows, end = sc.Engine(MIXED, bars=bars), [], [], None
    for event in events:
        now = int(event["ts"])
        if end is not None and now >= end:
            eng.advance(end)
            ts.append(end)
            rows.append(eng.row.copy())
        if end is None or now >= end:
            end = now // step * step + step
        eng.on_event(event)
    return ts, rows


@pytest.mark.parametrize("interval", ["1ms", "100ms", "1s", "7s", "1m"])
@pytest.mark.parametrize("bars", ["1s", "5 trades"])
def test_rows_on_a_grid_of_time(interval, bars):
    events = mixed()
    want_ts, want = sampled(events, bars, sc.features.engine.interval_ns(interval))
    ts, table = sc.Engine(MIXED, bars=bars).run(events, interval, return_ts=True)
    assert ts.tolist() == want_ts and np.array_equal(table, np.array(want), equal_nan=True)
    assert len(ts) >= 5 and (np.diff(ts) > 0).all()
    for size in (1, 13, 500):
        eng = sc.Engine(MIXED, bars=bars)
        pieces = [eng.run(events[i : i + size], interval, return_ts=True) for i in range(0, len(events), size)]
        assert np.concatenate([p[0] for p in pieces]).tolist() == want_ts
        assert np.array_equal(np.concatenate([p[1] for p in pieces]), table, equal_nan=True)


def test_an_event_on_the_grid_is_in_the_next_row():
    events = ev.trades(START + SECOND * np.array([0, 1, 2, 3]), 100, [1, 2, 3, 4], [1, -1, 1, 1])
    ts, table = sc.Engine(["trade_imbalance_60s"]).run(events, "1s", return_ts=True)
    assert (ts - START).tolist() == [SECOND, 2 * SECOND, 3 * SECOND]
    assert table[0, 0] == 1 and table[1, 0] < 0  # at 1 s the trade of 1 s is not yet there


def test_a_row_never_knows_more_than_its_time():
    """Also where other calls came between two runs: a row is stamped when, or after, all it knows was known."""
    eng = sc.Engine(MIXED, bars="1s")
    eng.run(ev.trades(START + SECOND * np.array([1, 2]), 100, 1, 1), "1s")
    eng.on_trade(START + 10 * SECOND + 5, 110, 1, -1)
    assert eng.ts == START + 10 * SECOND + 5
    ts, table = eng.run(ev.trades(START + SECOND * np.array([20, 30]), 100, 1, 1), "1s", return_ts=True)
    assert ((ts - START) / SECOND).tolist() in ([11, 21], [21])
    assert eng.ts == START + 30 * SECOND and len(table) == len(ts)


def test_another_interval_begins_anew():
    eng = sc.Engine(MIXED)
    trades = ev.trades(START + SECOND * np.arange(10), 100, 1, 1)
    assert len(eng.run(trades[:5], "1s")) == 4
    ts, _ = eng.run(trades[5:], "2s", return_ts=True)
    assert ((ts - START) // SECOND).tolist() == [6, 8]


@pytest.mark.parametrize("bars", ["1s", "5 trades"])
def test_a_row_for_every_event(bars):
    events = mixed()
    ts, table = sc.Engine(MIXED, bars=bars).run(events, "event", return_ts=True)
    live, rows = sc.Engine(MIXED, bars=bars), []
    for event in events:
        live.on_event(event)
        rows.append(live.row.copy())
    assert np.array_equal(ts, events["ts"]) and np.array_equal(table, np.array(rows), equal_nan=True)


def test_the_row_of_a_bar_is_of_the_moment_it_closed():
    """A time bar's row, stamped with its end, knows nothing of the event by which its end was noticed."""
    eng = sc.Engine(["spread", "candle_body"], bars="1s")
    events = np.concatenate([
        ev.quotes(START, 99, 1, 101, 1), ev.trades(START, 100, 1, 1), ev.quotes(START + 5 * SECOND, 98, 1, 102, 1),
    ])  # fmt: skip
    ts, table = eng.run(events, "bar", return_ts=True)
    assert ts.tolist() == [START + SECOND] and table.tolist() == [[200.0, 0.0]] and eng["spread"] == 400


def test_rows_of_nothing():
    for sample in ("bar", "event", "1s"):
        ts, table = sc.Engine(MIXED).run(np.zeros(0, sc.EVENT), sample, return_ts=True)
        assert ts.shape == (0,) and table.shape == (0, len(MIXED)) and ts.dtype == np.int64
