"""Several instruments on one clock: when it ticks, what is told, what is late, missing or stale, and that live,
history, saved and restored are one."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import streams
from reference.legs import panel as naive

import smartcore as sc
from smartcore.market import events as ev

MINUTE, SECOND = 60_000_000_000, 1_000_000_000
START = streams.START // MINUTE * MINUTE
NAMES = ("BTC", "ETH", "SOL", "XRP")
SOME = sc.FeatureSet(
    [
        "log_return_1", "rsi_14", "spread", "ofi_l1_1s", "pair_correlation_60", "pair_beta_60",
        "pair_hayashi_yoshida_60", "pair_kalman_100", "pair_cointegration_100", "pair_lead_lag_60_1", "peer_age",
        "peer_return_5", "refresh_share_20", "basket_rank_10", "basket_flow_5", "basket_residual_60",
        "basket_distance_20", "factor_share", "factor_residual_60",
    ]
)  # fmt: skip


def same(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool(((a == b) | (np.isnan(a) & np.isnan(b))).all())


def of_bars(n: int = 300, seed: int = 40) -> dict[str, np.ndarray]:
    return dict(zip(NAMES, streams.common_bars(n, seed), strict=True))


def of_everything() -> dict[str, np.ndarray]:
    """A book, quotes, trades alone."""
    book = streams.small(1500)
    book = book[~np.isin(book["kind"], (ev.Kind.BAR, ev.Kind.PEER, ev.Kind.BASKET, ev.Kind.FACTOR))]
    quotes = streams.quotes_only(600).copy()
    rng = np.random.default_rng(8)
    ts = book["ts"][0] + np.sort(rng.integers(0, book["ts"][-1] - book["ts"][0], 700))
    trades = ev.trades(
        ts, 50 + 0.5 * np.cumsum(rng.integers(-1, 2, 700)) % 20, rng.integers(0, 5, 700), rng.choice([1, -1, 0], 700)
    )
    return {"BTC": book, "ETH": quotes, "SOL": trades}


def price(ts: int, p: float, size: float = 1.0) -> np.ndarray:
    return ev.bars(ts, p, p, p, p, size)


# ---- the clock ----


def test_a_tick_fires_when_time_passes_it():
    panel = sc.Panel(["peer_return_1", "peer_age"], ["A", "B"])
    assert panel.ts is None and panel.ticks == 0
    t1, t2 = START + MINUTE, START + 2 * MINUTE
    for ts in (t1, t2):
        assert panel.on_bar("A", ts, 100, 100, 100, 100, 1) == (ts == t2)
        assert not panel.on_bar("B", ts, 50, 50, 50, 50, 1)  # stamped with the tick: it is in
    assert panel.ticks == 1 and panel.ts == t1
    assert not panel.advance(t2 - 1)
    assert panel.advance(t2) and panel.ts == t2
    assert not panel.advance(t2)
    np.testing.assert_array_equal(panel.rows, [[0, 0], [0, 0]])
    assert panel["B"]["peer_return_1"] == 0 and panel["B"].instrument.symbol == "B"


def test_ticks_stand_on_the_grid_and_skip_silence():
    panel = sc.Panel(["peer_age"], ["A", "B"], clock="1s")
    streams_ = {
        "A": ev.trades(START + np.array([1, 500_000_000, 2 * SECOND, 90 * SECOND + 1]), 100, 1),
        "B": ev.trades(START + np.array([10 * SECOND, 95 * SECOND]), 50, 1),
    }
    ts, table = panel.run(panel.merge(streams_))
    assert (ts - START).tolist() == [SECOND, 2 * SECOND, 10 * SECOND, 91 * SECOND]
    assert table.shape == (4, 2, 1)
    age_of_b, age_of_a = table[:, 0, 0], table[:, 1, 0]
    np.testing.assert_allclose(age_of_b, [np.nan, np.nan, 0, 81])
    np.testing.assert_allclose(age_of_a, [0.5, 0, 8, 1 - 1e-9])
    assert panel.advance(START + 200 * SECOND) and panel.ts == START + 95 * SECOND  # no tick where nothing happened
    assert not panel.advance(START + 300 * SECOND)


def test_before_the_epoch():
    panel = sc.Panel(["peer_age"], ["A", "B"], clock="1s")
    ts = np.array([-SECOND - 1, -SECOND, -SECOND + 1, 0, 1])
    when, _ = panel.run(panel.merge({"A": ev.trades(ts, 100, 1), "B": ev.trades(ts[:1], 100, 1)}))
    assert when.tolist() == [-SECOND, 0]


def test_what_is_late_is_refused_or_dropped_and_what_is_just_in_time_counts():
    t = START + MINUTE
    panel = sc.Panel(["peer_return_1", "basket_fresh_1"], ["A", "B"])
    for ts, b in ((t, 50), (t + MINUTE, 51)):
        panel.on_bar("A", ts, 100, 100, 100, 100, 1)
        panel.advance(ts - 1)
        panel.on_bar("B", ts, b, b, b, b, 1)  # later than A's of the same stamp, before the tick
    assert panel.advance(t + MINUTE)
    assert panel["A"]["peer_return_1"] == pytest.approx(np.log(51 / 50)) and panel["A"]["basket_fresh_1"] == 1
    before = panel.snapshot()
    with pytest.raises(sc.OutOfOrder, match="instrument 1"):
        panel.on_bar("B", t, 50, 50, 50, 50, 1)
    with pytest.raises(sc.OutOfOrder, match=r"event 1.*instrument 1"):
        panel.run(late(t))
    assert panel.snapshot() == before
    dropping = sc.Panel(["peer_age"], ["A", "B"], out_of_order="drop")
    dropping.on_bar("A", t, 100, 100, 100, 100, 1)
    dropping.advance(t)
    assert not dropping.on_bar("B", t - 1, 50, 50, 50, 50, 1)
    dropping.run(late(t))
    assert dropping["B"].counts["dropped"] == 2 and np.isnan(dropping["A"]["peer_age"])


def late(t: int) -> np.ndarray:
    """Two events, the second of which belongs before the last tick."""
    events = np.concatenate([price(t + 5 * MINUTE, 100), price(t - 1, 50)])
    events["instrument"] = 0, 1
    return events


def test_a_run_knows_that_its_own_ticks_make_events_late():
    t = START + MINUTE
    events = np.concatenate([price(t, 100), price(t + 1, 100), price(t - 1, 50)])
    events["instrument"] = 0, 0, 1
    panel = sc.Panel(["peer_age"], ["A", "B"])
    before = panel.snapshot()
    with pytest.raises(sc.OutOfOrder, match="event 2"):
        panel.run(events)
    assert panel.snapshot() == before
    dropping = sc.Panel(["peer_age"], ["A", "B"], out_of_order="drop")
    dropping.run(events)
    assert dropping["B"].counts["dropped"] == 1
    live = sc.Panel(["peer_age"], ["A", "B"], out_of_order="drop")
    for e in events:
        live.on_event(e)
    assert live.snapshot() == dropping.snapshot()


def test_a_stale_leg_is_missing():
    panel = sc.Panel(["pair_strength_1", "peer_age", "basket_fresh_1"], ["A", "B"], stale_after="2m")
    minutes = np.arange(1, 8)
    b = ev.bars(START + MINUTE * minutes, 50, 50, 50, 50, 1)
    ts, table = panel.run(panel.merge({"A": ev.bars(START + MINUTE * minutes[:3], 100, 100, 100, 100, 1), "B": b}))
    row = table[:, 1]
    assert len(ts) == 6
    np.testing.assert_array_equal(row[:, 1], [0, 0, 0, 60, 120, 180])
    np.testing.assert_array_equal(np.isnan(row[:, 0]), [True, False, False, False, False, True])
    np.testing.assert_array_equal(row[:, 2], [1, 1, 1, 0.5, 0.5, 0.5])


def test_bars_that_are_built_close_before_the_tick():
    panel = sc.Panel(["log_return_1", "peer_return_1"], ["A", "B"], bars="1m")
    for k, (a, b) in enumerate([(100, 50), (101, 52), (102, 51)]):
        ts = START + MINUTE * k + SECOND
        panel.on_trade("A", ts, a, 1, 1)
        panel.on_trade("B", ts, b, 1, -1)
    assert panel.advance(START + 3 * MINUTE)
    expected = [[np.log(102 / 101), np.log(51 / 52)], [np.log(51 / 52), np.log(102 / 101)]]
    np.testing.assert_allclose(panel.rows, expected)
    with pytest.raises(sc.InvalidEvent, match="builds its bars"):
        panel.on_bar("A", START + 9 * MINUTE, 1, 1, 1, 1, 1)


# ---- what is told ----


@pytest.mark.parametrize(
    ("make", "clock", "settings"),
    [
        (of_bars, "1m", {}), (of_bars, "5m", {"stale_after": "7m", "memory": 20}),
        (of_everything, "1s", {"stale_after": "3s"}), (of_everything, "10s", {"reference": "SOL", "memory": 5}),
    ],
)  # fmt: skip
def test_told_as_by_the_naive_panel(make, clock, settings):
    parts = make()
    panel = sc.Panel(sc.FeatureSet([]), parts, clock=clock, **settings)
    told = panel.told(panel.merge(parts))
    units = {"s": SECOND, "m": MINUTE}
    ns = {k: int(v[:-1]) * units[v[-1]] for k, v in settings.items() if k == "stale_after"}
    place = list(parts).index(settings.get("reference", next(iter(parts))))
    expected = naive(
        list(parts.values()),
        int(clock[:-1]) * units[clock[-1]],
        place,
        ns.get("stale_after"),
        settings.get("memory", 300),
    )
    assert len(told) > 100
    for i, want in enumerate(expected):
        want, got = want[want["kind"] >= ev.Kind.PEER], told[told["instrument"] == i]
        for name in ("ts", "kind", "source", *(f"v{k}" for k in range(6))):
            np.testing.assert_allclose(got[name], want[name], rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(("make", "clock"), [(of_bars, "1m"), (of_everything, "1s")])
def test_the_panel_is_its_engines_fed_by_hand(make, clock):
    """What the panel's engines know at a tick is what a plain engine knows that is fed the same events, bit for bit."""
    parts = make()
    panel = sc.Panel(SOME, parts, clock=clock)
    table = panel.run(panel.merge(parts))[1]
    for i, symbol in enumerate(parts):
        events = sc.Panel(SOME, parts, clock=clock).stream(parts, symbol)
        engine = sc.Engine(SOME)
        rows = engine.run(events, "event")[events["kind"] == ev.Kind.FACTOR]
        assert same(rows, table[:, i])
        assert same(engine.row, panel[symbol].row)


def test_the_order_in_which_legs_come_does_not_matter():
    parts = of_bars()
    tables = []
    for order in (NAMES, NAMES[::-1], (NAMES[2], NAMES[0], NAMES[3], NAMES[1])):
        panel = sc.Panel(SOME, NAMES)
        tables.append(panel.run(panel.merge({name: parts[name] for name in order}))[1])
    assert same(tables[0], tables[1]) and same(tables[0], tables[2])


def test_the_reference_has_a_reference():
    t = START + MINUTE
    for reference, others in (("A", "BAA"), ("B", "BAB"), ("C", "CCA")):
        panel = sc.Panel(["peer_return_1"], ["A", "B", "C"], reference=reference)
        for k in range(2):
            for i, name in enumerate("ABC"):
                p = 100.0 * (1 + 0.01 * i) ** k
                panel.on_bar(name, t + k * MINUTE, p, p, p, p, 1)
        panel.advance(t + MINUTE)
        expected = [np.log(1 + 0.01 * "ABC".index(other)) for other in others]
        np.testing.assert_allclose(panel.rows[:, 0], expected, atol=1e-12)


def test_the_basket_by_hand():
    """Three instruments: returns 1 %, 2 % and -3 %."""
    t, moves = START + MINUTE, dict(zip("ABC", (0.01, 0.02, -0.03), strict=True))
    panel = sc.Panel(["basket_dispersion", "basket_breadth_1", "basket_return_1"], "ABC")
    for k in range(2):
        for name, move in moves.items():
            p = 100 * np.exp(k * move)
            panel.on_bar(name, t + k * MINUTE, p, p, p, p, 1)
    panel.advance(t + MINUTE)
    np.testing.assert_allclose(panel.rows[:, 0], 1e4 * np.std(list(moves.values())))
    np.testing.assert_allclose(panel.rows[:, 1], (2 - 1) / 3)
    np.testing.assert_allclose(panel.rows[:, 2], [-0.005, -0.01, 0.015])


def test_the_first_component_is_that_of_the_covariance_matrix():
    rng, n = np.random.default_rng(1), 4000
    common, noise = rng.normal(size=n), rng.normal(size=(4, n))
    loads = np.array([1.0, 0.9, 0.5, 0.1])
    returns = 1e-3 * np.array([3, 1, 2, 1])[:, None] * (loads[:, None] * common + 0.5 * noise)
    ts = START + MINUTE * np.arange(1, n + 1)
    parts = {name: price(ts, p) for name, p in zip(NAMES, 100 * np.exp(np.cumsum(returns, axis=1)), strict=True)}
    panel = sc.Panel(["factor_share", "factor_loading"], NAMES, memory=2000)
    panel.run(panel.merge(parts))
    values, vectors = np.linalg.eigh(np.corrcoef(returns))
    axis = abs(vectors[:, -1]) * 2
    np.testing.assert_allclose(panel.rows[:, 0], values[-1] / 4, atol=0.04)
    np.testing.assert_allclose(panel.rows[:, 1], axis, atol=0.06)


# ---- live = history = restored ----


@pytest.mark.parametrize(("make", "clock", "bars"), [(of_bars, "1m", None), (of_everything, "1s", "2s")])
def test_live_is_history_in_chunks_and_restored_anywhere(make, clock, bars):
    parts = make()
    whole = sc.Panel(SOME, parts, clock=clock, bars=bars)
    events = whole.merge(parts)
    ts, table = whole.run(events)
    assert len(ts) > 100 and np.isfinite(table).any()

    live, rows = sc.Panel(SOME, parts, clock=clock, bars=bars), []
    for e in events:
        if live.advance(int(e["ts"]) - 1):
            rows.append((live.ts, live.rows))
        assert not live.on_event(e), "advance fired it before"
    assert [t for t, _ in rows] == ts.tolist()
    assert same(np.array([r for _, r in rows]), table)

    panel, got = sc.Panel(SOME, parts, clock=clock, bars=bars), []
    cuts = np.sort(np.random.default_rng(0).integers(0, len(events), 25))
    for piece in np.split(events, cuts):
        got.append(panel.run(piece)[1])
        blob = panel.snapshot()
        panel = sc.Panel.restore(blob)
        assert panel.snapshot() == blob
    assert same(np.concatenate(got), table) and same(panel.rows, whole.rows)
    assert panel.snapshot() == whole.snapshot()


@pytest.mark.parametrize("how", [sc.Panel.copy, copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))])
def test_copies_go_on_alike_and_apart(how):
    parts = of_bars()
    panel = sc.Panel(SOME, [sc.Instrument(n, tick=0.01) for n in parts], reference="ETH", stale_after="3m", memory=50)
    events = panel.merge(parts)
    half = len(events) // 2
    panel.run(events[:half])
    other, rows = how(panel), panel.rows
    assert other.instruments == panel.instruments and other.reference == "ETH" and repr(other) == repr(panel)
    a = other.run(events[half:])[1]
    assert same(panel.rows, rows)
    assert same(a, panel.run(events[half:])[1])


def test_a_prefix_gives_the_same_rows():
    parts = of_bars()
    panel = sc.Panel(SOME, NAMES)
    events = panel.merge(parts)
    ts, table = panel.run(events)
    for share in (0.1, 0.5, 0.9):
        some, got = sc.Panel(SOME, NAMES).run(events[: int(share * len(events))])
        assert same(got, table[: len(got)]) and (some == ts[: len(got)]).all() and len(got)


def test_damaged_snapshots_are_refused():
    panel = sc.Panel(["peer_age"], ["A", "B"])
    blob = panel.snapshot()
    for wrong in (b"", blob[:-1], blob[1:], blob[:50] + b"x" + blob[51:], sc.Engine(["rsi_14"]).snapshot()):
        with pytest.raises(sc.CorruptSnapshot):
            sc.Panel.restore(wrong)


# ---- refusals ----


def test_refusals():
    for wrong, text in (((), "two"), (["A"], "two"), (["A", "A"], "twice")):
        with pytest.raises(ValueError, match=text):
            sc.Panel(["peer_age"], wrong)
    with pytest.raises(KeyError, match="no instrument 'X'"):
        sc.Panel(["peer_age"], ["A", "B"], reference="X")
    with pytest.raises(ValueError, match="interval"):
        sc.Panel(["peer_age"], ["A", "B"], clock="often")
    with pytest.raises(ValueError, match="memory"):
        sc.Panel(["peer_age"], ["A", "B"], memory=1)
    panel = sc.Panel(["peer_age"], ["A", "B"])
    before = panel.snapshot()
    wrong = [
        (lambda: panel.on_bar("X", START, 1, 1, 1, 1, 1), KeyError),
        (lambda: panel.on_bar("A", START, 1, 2, 3, 1, 1), sc.InvalidEvent),
        (lambda: panel.on_trade("A", START, -1, 1), sc.InvalidEvent),
        (lambda: panel.on_trade("A", START, 1, 1, 300), sc.InvalidEvent),
        (lambda: panel.on_depth("A", START, 0, 1, 1), sc.InvalidEvent),
        (lambda: panel.on_quote("A", START, np.nan, 1, 1, 1), sc.InvalidEvent),
        (lambda: panel.on_trade("A", "now", 1, 1), TypeError),
        (lambda: panel.on_event(b"short"), TypeError),
        (lambda: panel.on_trade("A", START, 1), TypeError),
        (lambda: panel.on_trade("A", START, 1, 1, 0, 0), TypeError),
        (lambda: panel.on_quote("A", START, 1, 1, 1, ask=1, ask_size=1), TypeError),
        (lambda: panel.on_trade(["A"], START, 1, 1), TypeError),
        (lambda: sc.Panel.__new__(sc.Panel).on_trade("A", START, 1, 1), TypeError),
        (lambda: sc.Panel.__new__(sc.Panel).on_event(price(START, 1)[0]), TypeError),
        (lambda: panel.advance(1 << 63), (TypeError, OverflowError)),
        (lambda: panel.advance(-(1 << 62) - 1), sc.InvalidEvent),
        (lambda: panel.run(np.zeros(3)), TypeError),
        (lambda: panel.run(ev.peers(START, 1)), sc.InvalidEvent),
        (lambda: panel["X"], KeyError),
    ]
    for call, error in wrong:
        with pytest.raises(error):
            call()
        assert panel.snapshot() == before
    far = price(START, 1)
    far["instrument"] = 2
    with pytest.raises(sc.InvalidEvent, match="instrument"):
        panel.run(far)
    assert panel.snapshot() == before


def test_every_call_feeds():
    panel = sc.Panel(["spread", "peer_age"], ["A", "B"], clock="1s")
    panel.on_depth("A", START + 1, 1, 99, 2, last=False, snapshot=True)
    panel.on_depth("A", START + 1, -1, 101, 2)
    panel.on_quote("B", ts=START + 2, bid=9, bid_size=1, ask=11, ask_size=1)
    panel.on_trade("B", START + 3, 10, 1, 1)
    panel.on_event(panel.merge({"B": ev.quotes(START + 4, 9.5, 1, 10.5, 1)})[0])
    assert panel.advance(START + SECOND)
    np.testing.assert_allclose(panel.rows[:, 0], [200, 1000])
    np.testing.assert_allclose(panel.rows[:, 1], [1 - 4e-9, 1 - 1e-9])
    assert panel["B"].counts["trade"] == 1 and len(panel) == 2 and list(panel) == ["A", "B"] and "A" in panel
