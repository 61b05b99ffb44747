"""The loop in C++: every way to feed it is one, a restored one never stopped, what it notices of feed and models."""

from __future__ import annotations

import gc
import math
import mmap
import threading
import time
import weakref
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams import panel_bars, quotes_only, recorded_events, simulated, small
from test_laws import PERPETUAL, STOCK
from test_orchestrator import SECOND, T0, Toy, fed_bars, live, policy, quoted

import smartcore as sc
from smartcore import _core
from smartcore.bot.orchestrator import Orchestrator
from smartcore.decide import Scorecard
from smartcore.errors import ContractMismatch, CorruptSnapshot, InvalidEvent, OutOfOrder
from smartcore.market import events as ev


class Counting(Toy):
    """A model with a state: what it says depends on how many rows it saw, and on the last of them."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.seen = 0
        self.sum = 0.0

    def step(self, row):
        self.seen += 1
        known = row[~np.isnan(row)]
        self.sum = 0.9 * self.sum + float(np.sin(known).sum())
        up = 0.2 + 0.6 / (1 + math.exp(-self.sum))
        return np.array([0.9 - up, 0.1, up])

    @property
    def ready(self):
        return self.seen > 3

    def snapshot(self):
        return np.array([self.seen, self.sum]).tobytes()

    def restore(self, blob):
        seen, self.sum = np.frombuffer(blob)
        self.seen = int(seen)

    def fork(self):
        c = self.contract
        return Counting(c.kind, c.sample, self.says, c.bars, c.horizon)


def models(every="1s", bars=None):
    return (
        Counting(sample=every if every[0].isdigit() and "events" not in every else "bar", bars=bars, horizon="10s"),
        Counting("gbdt", "event", bars=bars, horizon="10s"),
    )


def new(every="1s", bars=None, *, columns=None, some=True, **options):
    engine = sc.Engine(columns, instrument="TOY", bars=bars)
    made = models(every, bars) if some else ()
    options.setdefault("policy", policy(every=every))
    return Orchestrator(engine, *made, latency_ns=50_000, **options)


def raws(decisions):
    return [d.raw for d in decisions if d is not None]


STREAMS = {
    "everything": (small, None),
    "quotes": (quotes_only, "10 trades"),
    "panel": (panel_bars, None),
}
COLUMNS = ["log_return_1", "spread", "queue_imbalance_l1", "trade_imbalance_10s", "rsi_14", "ofi_l1_10s"]


@pytest.mark.parametrize("every", ["1s", "bar", "7 events"])
@pytest.mark.parametrize("stream", STREAMS)
def test_every_way_to_feed_it_gives_the_same_bytes(stream, every):
    make, bars = STREAMS[stream]
    events = make()[:2500]
    if bars:
        events = events[events["kind"] != ev.Kind.BAR]
    ways = [new(every, bars, columns=COLUMNS) for _ in range(3)]
    replayed = raws(ways[0].run(events))
    one_by_one = raws(ways[1].on_event(e) for e in events)
    chunks = [raw for at in range(0, len(events), 13) for raw in raws(ways[2].run(events[at : at + 13]))]
    assert replayed == one_by_one == chunks
    assert len(replayed) > 10
    assert len({bot.snapshot() for bot in ways}) == 1
    if stream == "quotes":  # kinds that have a call of their own
        assert raws(live(new(every, bars, columns=COLUMNS), events)) == replayed


@given(st.data())
def test_restored_anywhere_it_never_stopped(data):
    """Also between the levels of a message, with decisions due, outcomes awaited and models in the middle of things."""
    make, bars = STREAMS[data.draw(st.sampled_from(sorted(STREAMS)))]
    every = data.draw(st.sampled_from(["1s", "bar", "7 events", "250ms"]))
    events = make()[:1500]
    if bars:
        events = events[events["kind"] != ev.Kind.BAR]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(events)), min_size=1, max_size=4)))
    whole, pieced = new(every, bars, columns=COLUMNS), new(every, bars, columns=COLUMNS)
    whole.equity = pieced.equity = 1e5
    want, got, at = raws(whole.run(events)), [], 0
    for cut in [*cuts, len(events)]:
        got += raws(pieced.run(events[at:cut]))
        at = cut
        pieced = Orchestrator.restore(pieced.snapshot(), *models(every, bars))
    assert got == want
    assert pieced.snapshot() == whole.snapshot()
    assert pieced.drawdown == whole.drawdown and pieced.decisions == whole.decisions


def test_restored_with_the_shipped_models_and_the_default_columns():
    events = simulated()[:60_000]
    shipped = lambda: (sc.Model.load("gru"), sc.Model.load("gbdt"))  # noqa: E731
    whole = Orchestrator(sc.Engine(bars="1s"), *shipped(), policy=policy(), latency_ns=7)
    first = Orchestrator(sc.Engine(bars="1s"), *shipped(), policy=policy(), latency_ns=7)
    want = raws(whole.run(events))
    cut = len(events) // 2 + 3
    got = raws(first.run(events[:cut]))
    second = Orchestrator.restore(first.snapshot(), *shipped())
    got += raws(second.run(events[cut:]))
    assert got == want and len(want) > 50
    assert second.snapshot() == whole.snapshot()


@pytest.mark.parametrize("name", [PERPETUAL, STOCK])
def test_recordings_replay_to_the_byte(recorded, name):
    events = recorded_events(recorded(name), 6000)
    bots = [new("1s", "1s", columns=COLUMNS) for _ in range(2)]
    replayed = raws(bots[0].run(events))
    assert replayed == raws(bots[1].on_event(e) for e in events)
    half = new("1s", "1s", columns=COLUMNS)
    got = raws(half.run(events[:3001]))
    got += raws(Orchestrator.restore(half.snapshot(), *models("1s", "1s")).run(events[3001:]))
    assert got == replayed


def test_a_message_is_its_levels():
    levels = [(T0 + i * SECOND // 3, i) for i in range(200)]
    whole, single = new(bars="1s", columns=COLUMNS), new(bars="1s", columns=COLUMNS)
    a, b = [], []
    for ts, i in levels:
        bids, asks = [(100 - 0.1 * k, 1 + i % 3) for k in range(3)], [(100.1 + 0.1 * k, 2 + i % 5) for k in range(3)]
        a.append(whole.on_depth_message(ts, bids, asks, snapshot=i == 0))
        rows = [(1, *x) for x in bids] + [(-1, *x) for x in asks]
        b += [single.on_depth(ts, *row, k == 5, i == 0 and k == 0) for k, row in enumerate(rows)]
    assert raws(a) == raws(b) and len(raws(a)) > 50


def test_time_that_passes_can_be_given_again():
    """An event of kind 0 is ``advance``: all that a recorder was given replays."""
    events = quoted(20)
    told, timed = new(bars="1s", columns=COLUMNS), new(bars="1s", columns=COLUMNS)
    got, want = raws(told.run(events)), raws(timed.run(events))
    for i in range(1, 9):
        ts = int(events["ts"][-1]) + i * SECOND // 2
        passing = np.zeros(1, sc.EVENT)
        passing["ts"] = ts
        got += raws([told.on_event(passing[0])])
        want += raws([timed.advance(ts)])
    assert got == want and len(want) >= 23


def test_what_a_recorder_was_given_replays():
    """Messages with levels and without, late ones, gaps, timers, decisions that were asked for."""
    bot, flight = new(bars="1s", columns=COLUMNS), _core.Flight(mmap.mmap(-1, 16 << 20), capture=True)
    bot._record(flight)
    made, rng, ts = [], np.random.default_rng(3), T0
    for i in range(600):
        ts += int(rng.choice([0, 1, 40_000_000, 700_000_000]))
        bids, asks = ([(100 + side * 0.1 * k, 1.0 + i % 7) for k in range(1, 4)] for side in (-1, 1))
        what = rng.random()
        if i == 0 or what < 0.05:
            made.append(bot.on_depth_message(ts, bids, asks, snapshot=True, last_id=10 * i))
        elif what < 0.5:
            first, last = 10 * i - (9 if what < 0.4 else 4), 10 * i  # now and then something is missing between
            made.append(bot.on_depth_message(ts, bids, asks if what < 0.3 else [], False, first, last))
        elif what < 0.55:
            made.append(bot.on_depth_message(ts, [], [], False, 10 * i - 9, 10 * i))
        elif what < 0.6:
            made.append(bot.on_depth_message(ts, bids, asks, False, 1, 2))  # known already
        elif what < 0.75:
            made.append(bot.advance(ts))
        elif what < 0.8:
            made.append(bot.decide())
        else:
            made.append(bot.on_trade(ts, 100.0, 1.0, 1))
    taken, decision = flight.take(0, 10**6)[0], _core.DECISION.itemsize
    events = np.frombuffer(b"".join(item[2] for item in taken if len(item) == 3), sc.EVENT)
    kept = [part for item in taken for part in item if isinstance(part, bytes) and len(part) == decision]
    again = new(bars="1s", columns=COLUMNS)
    assert raws(made) == kept and len(kept) > 100
    assert raws(again.run(events)) == kept
    assert again.snapshot()[-8:] != b"" and again.scorecard == bot.scorecard and again.decisions == bot.decisions


def test_a_decision_made_again_takes_what_events_do_not_say_from_the_one_before():
    bot = Orchestrator(sc.Engine(COLUMNS, bars="1s"), policy=policy())  # its latency is measured
    bot.equity, bot.position, bot.correlated, bot.health = 900.0, 2.0, 0.3, 80.0
    events = quoted(12)
    first = [(d.raw, bot._context()) for d in bot.run(events)]
    again, made = Orchestrator(sc.Engine(COLUMNS, bars="1s"), policy=policy(), latency_ns=5), []
    again._outside(first[0][1])
    for decision in again.run(events):
        made.append(decision.raw)
        if len(made) < len(first):
            again._outside(first[len(made)][1])
    assert made == [raw for raw, _ in first] and len(made) > 8


# ---- what is refused ----


def test_late_events_are_refused_or_dropped_and_change_nothing():
    events = quoted(10)
    for out_of_order in ("raise", "drop"):
        bot = Orchestrator(sc.Engine(COLUMNS, bars="1s", out_of_order=out_of_order), policy=policy(), latency_ns=1)
        list(bot.run(events))
        before = bot.snapshot()
        if out_of_order == "raise":
            with pytest.raises(OutOfOrder):
                bot.on_trade(T0, 100.0, 1.0)
            with pytest.raises(OutOfOrder):
                bot.advance(T0)
            with pytest.raises(OutOfOrder):
                list(bot.run(events[:1]))
            assert bot.snapshot() == before
        else:
            assert bot.on_trade(T0, 100.0, 1.0) is None
            assert list(bot.run(events[:1])) == []
            assert bot.engine.counts["dropped"] == 2 and bot.ts == int(events["ts"][-1])


def test_a_refused_event_of_an_array_leaves_those_before_it():
    events = quoted(4).copy()
    events["v0"][20] = -1
    bot = new(bars="1s", columns=COLUMNS)
    with pytest.raises(InvalidEvent, match=r"bid = -1|price = -1"):
        list(bot.run(events))
    assert sum(n for name, n in bot.engine.counts.items() if name != "dropped") == 20
    with pytest.raises(InvalidEvent, match="builds its bars from trades"):
        bot.on_bar(T0 + 100 * SECOND, 1.0, 1.0, 1.0, 1.0, 1.0)


# ---- what is told of the feed ----


def test_silence_and_a_price_that_stands_still():
    bot = new(bars="1s", columns=COLUMNS, some=False)
    context = lambda: np.frombuffer(bot._context(), _core.CONTEXT)[0]  # noqa: E731
    for i in range(100):
        bot.on_quote(T0 + i * SECOND, 99.0 + 0.01 * i, 1, 100.0 + 0.01 * i, 1)
    assert context()["silence"] == 0 and context()["frozen_s"] == 0 and math.isnan(context()["clock_skew_s"])
    bot.advance(T0 + 109 * SECOND)
    assert context()["silence"] == pytest.approx(10.0)
    for i in range(110, 140):
        bot.on_quote(T0 + i * SECOND, 99.99, 1, 100.99, 1 + i % 2)
    assert context()["frozen_s"] == pytest.approx(139 - 99)  # since the last quote that was another


def test_a_price_that_nobody_trades_at_is_not_frozen():
    for volume, frozen in ((0.0, 0.0), (1.0, 50 * 60.0)):
        bot = Orchestrator(sc.Engine(COLUMNS), policy=sc.Policy(), latency_ns=1)
        events = ev.bars(T0 + 60 * SECOND * np.arange(51), 5.0, 5.0, 5.0, 5.0, volume)
        assert len(list(bot.run(events))) == 51
        assert np.frombuffer(bot._context(), _core.CONTEXT)["frozen_s"][0] == pytest.approx(frozen)


def test_events_that_come_twice():
    events = quoted(100)
    once, twice = new(bars="1s", columns=COLUMNS, some=False), new(bars="1s", columns=COLUMNS, some=False)
    for _ in once.run(events):
        pass
    for _ in twice.run(np.repeat(events, 2)):
        pass
    share = [float(np.frombuffer(bot._context(), _core.CONTEXT)["duplicates"][0]) for bot in (once, twice)]
    assert share[0] == 0 and share[1] == pytest.approx(0.5, abs=0.02)
    few = new(bars="1s", columns=COLUMNS, some=False)
    for _ in few.run(events[:40]):
        pass
    assert math.isnan(np.frombuffer(few._context(), _core.CONTEXT)["duplicates"][0])


def test_clocks_that_disagree():
    wall = [T0]
    bot = new(bars="1s", columns=COLUMNS, some=False, wall=lambda: wall[0])
    events = quoted(5)
    for e in events:
        wall[0] = int(e["ts"]) - 3 * SECOND
        bot.on_event(e)
    assert np.frombuffer(bot._context(), _core.CONTEXT)["clock_skew_s"][0] == pytest.approx(3.0)
    assert any(reason.gate == "clock" for reason in bot.decision.failed)
    real = new(bars="1s", columns=COLUMNS, some=False, wall=time.time_ns)
    assert real._native
    list(real.run(events))
    assert np.frombuffer(real._context(), _core.CONTEXT)["clock_skew_s"][0] < -1e6


def test_alerts_come_once_from_another_thread():
    heard, threads = [], set()

    def alert(decision, gate):
        heard.append((decision.ts, gate))
        threads.add(threading.get_ident())
        if len(heard) == 1:
            raise RuntimeError("a bad listener")

    bot = new(bars="1s", columns=COLUMNS, alert=alert)
    list(bot.run(quoted(10)))
    bot.on_depth_message(bot.ts + SECOND, [(100.0, 1.0)], [(100.02, 1.0)], snapshot=True)
    for _ in range(3):
        ts = bot.ts + SECOND
        bot.on_event(ev.gap([ts])[0])
    bot.on_depth_message(bot.ts + SECOND, [(100.0, 1.0)], [(100.02, 1.0)], snapshot=True)
    bot.on_event(ev.gap([bot.ts + SECOND])[0])
    deadline = time.monotonic() + 5
    while len([g for _, g in heard if g == "book_fresh"]) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [gate for _, gate in heard if gate == "book_fresh"] == ["book_fresh"] * 2
    assert threading.get_ident() not in threads


# ---- models that fail, and who stands in ----


class Says(Toy):
    """What it is told to say, whatever that is."""

    def __init__(self, says, **kwargs):
        super().__init__(**kwargs)
        self.says = says

    def step(self, row):
        self.rows.append(row.copy())
        said = self.says(len(self.rows))
        if isinstance(said, BaseException):
            raise said
        return said


@pytest.mark.parametrize(
    "said",
    [
        np.array([np.nan, 0.5, 0.5]), np.array([-0.1, 0.6, 0.5]), np.array([0.3, 0.3, 0.3]), np.array([0.5, 0.5]),
        np.array([np.inf, 0.0, 0.0]), "nonsense", 7, ValueError("no"), np.array([[0.2, 0.3, 0.5]] * 2), (0.2, "a", 0.5),
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_forecast_is_a_failure_and_never_an_exception(said):
    bot = Orchestrator(sc.Engine(bars="1s"), Says(says=lambda n: said), policy=policy(), latency_ns=1)
    last = list(bot.run(quoted(10)))[-1]
    (model,) = bot.status()["models"]
    assert model["faults"] >= 8 and not model["speaks"]
    assert last.probabilities is None and np.frombuffer(bot._given(), _core.GIVEN)["failed"][0] == 1


def test_other_numbers_are_a_forecast():
    for said in ([0.2, 0.3, 0.5], np.array([0.2, 0.3, 0.5], np.float32), (0.2, 0.3, np.float32(0.5))):
        bot = Orchestrator(sc.Engine(bars="1s"), Says(says=lambda n, said=said: said), policy=policy(), latency_ns=1)
        assert list(bot.run(quoted(10)))[-1].probabilities is not None


def test_a_stand_in_speaks_while_the_first_fails():
    def broken(n):
        return RuntimeError("down") if 10 <= n < 20 else np.array([0.1, 0.2, 0.7])

    second = Toy("linear", says=(0.3, 0.4, 0.3))
    bot = Orchestrator(
        sc.Engine(bars="1s"), Says(says=broken), policy=policy(), latency_ns=1, fallback={"sequence": second}
    )
    said = [
        (bot.scores["sequence"][2], np.frombuffer(bot._given(), _core.GIVEN)[0].copy()) for _ in bot.run(quoted(40))
    ]
    ups = [up for up, _ in said]
    assert ups.count(0.3) == 10 and set(ups) == {0.3, 0.7}
    assert all((g["failed"], g["fell_back"]) == ((1, 1) if up == 0.3 else (0, 0)) for up, g in said)
    assert len(second.rows) == 10  # without memory of its own it is asked only when needed
    (model,) = bot.status()["models"]
    assert model["faults"] == 10 and model["stand_in"]["name"] == "toy linear"
    with pytest.raises(ContractMismatch, match="has sample"):
        Orchestrator(sc.Engine(bars="1s"), Toy(), fallback={"sequence": Toy("linear", sample="5s")})
    with pytest.raises(ValueError, match="no source of this bot"):
        Orchestrator(sc.Engine(bars="1s"), Toy(), fallback={"ensemble": Toy("gbdt")})


def test_a_stand_in_that_remembers_is_stepped_always():
    second = sc.Model.load("gru")
    first = Says(says=lambda n: (0.1, 0.2, 0.7), horizon=second.contract.horizon)
    bot = Orchestrator(sc.Engine(bars="1s"), first, policy=policy(), latency_ns=1, fallback={"sequence": second})
    list(bot.run(quoted(20)))
    assert second.steps == len(first.rows) > 15


def test_whoever_wants_to_stop_it_can():
    bot = Orchestrator(
        sc.Engine(bars="1s"), Says(says=lambda n: KeyboardInterrupt() if n == 5 else (0.1, 0.2, 0.7)), policy=policy()
    )
    with pytest.raises(KeyboardInterrupt):
        list(bot.run(quoted(20)))
    assert len(list(bot.run(quoted(20)[bot.engine.counts["quote"] + bot.engine.counts["trade"] :]))) > 10


# ---- outcomes ----


def test_outcomes_of_every_kind_reach_the_scorecard():
    engine = sc.Engine(bars="1s")
    bot = Orchestrator(engine, sc.Model.load("gru"), policy=policy(horizon=5), latency_ns=10**6)
    decisions = list(bot.run(simulated()[:120_000]))
    scores = bot.scorecard.scores()
    assert len(decisions) > 200
    assert scores.get("fused").count > 5
    assert set(scores.by_horizon) == {0.25, 1, 4}
    assert scores.slippage.calls > 20
    assert bot._missed == 0


class Reckoner:
    """The outcomes of decisions by the book and the price alone, slowly: what the scorecard has to be."""

    def __init__(self, bars, horizon_ns, thresholds, var_bars, latency_ns):
        self.engine = sc.Engine(["spread"], bars=bars)
        self.card = Scorecard(half_life=_core.HALF_LIFE)
        self.horizon, (self.low, self.high) = horizon_ns, thresholds
        self.var_bars, self.latency = var_bars, latency_ns
        self.waiting, self.before, self.var_until = [], None, 0

    def pass_to(self, ts):
        """Everything over by ``ts``, on what is known before the event of that time."""
        book = self.engine.book
        price = book.mid if book.valid else self.engine.last_price
        over = [item for item in self.waiting if item[0] <= ts]
        self.waiting = [item for item in self.waiting if item[0] > ts]
        for kind in ("fill", 0, 1, 2, "var"):
            for _, what, d, told in over:
                if what != kind:
                    continue
                if kind == "fill":
                    self.card.slippage(d, book.slippage(d.lean, d.execution.slice, told))
                elif kind == "var":
                    self.card.loss(d, price / d.price - 1, told)
                else:
                    move = math.log(price / d.price)
                    self.card.observe(d, -1 if move < self.low else 1 if move > self.high else 0, move, told, kind)

    def expect(self, d, bar_ns):
        bars = self.engine.bar_count
        if self.before and bars == self.before[0] + 1:
            self.card.regime(self.before[1], d)
        self.before = bars, d
        if d.probabilities is not None:
            for i, factor in enumerate(_core.HORIZON_FACTORS):
                ns = int(self.horizon * factor)
                self.waiting.append((d.ts + ns + 1, i, d, ns))
        var_ns = int(self.var_bars * bar_ns)
        if d.risk.var_95 is not None and d.ts > self.var_until:
            self.var_until = d.ts + var_ns
            self.waiting.append((d.ts + var_ns + 1, "var", d, var_ns))
        if d.lean and self.engine.book.valid and d.execution.slice:
            self.waiting.append((d.ts + self.latency + 1, "fill", d, self.engine.book.mid))


def test_the_scorecard_is_what_book_and_price_say():
    latency, quarter = 200_000_000, SECOND // 4
    model = Counting(sample="bar", bars=None, horizon="10s")
    model.contract = replace(model.contract, thresholds=(-1e-4, 2e-4))
    bot = Orchestrator(sc.Engine(bars="250ms"), model, policy=policy(every="bar", horizon=8), latency_ns=latency)
    twin = Reckoner("250ms", 10 * SECOND, model.contract.thresholds, 8, latency)
    for e in simulated():
        if e["ts"] > bot.ts:
            twin.pass_to(int(e["ts"]))
        decision = bot.on_event(e)
        twin.engine.on_event(e)
        if decision is not None:
            twin.expect(decision, quarter)
    ours, theirs = (np.frombuffer(c.snapshot(), _core.SCORECARD)[0] for c in (bot.scorecard, twin.card))
    for name in _core.SCORECARD.names:
        if name != "half_life":
            flat = [
                np.frombuffer(np.ascontiguousarray(x[name]).tobytes(), np.uint8 if name == "seen" else np.float64)
                for x in (ours, theirs)
            ]
            np.testing.assert_allclose(*flat, rtol=1e-9, atol=1e-12, err_msg=name)
    counts = [ours[name] for name in ("slippage_count", "regime_count")] + [ours["var_95"]["count"]]
    assert min(counts) > 10 and ours["by_horizon"]["count"].min() > 3


def held(bot, trades):
    """(bars that the horizon of each decision holds by its stop, bars closed by then)."""
    at = bot.engine.columns.index("fhs_500_sigma")
    for e in trades:
        d = bot.on_event(e)
        stop = math.nan if d is None else np.frombuffer(d.raw, _core.DECISION)[0]["risk"]["stop"]
        if not math.isnan(stop):
            yield (stop / bot.engine.row[at]) ** 2, bot.engine.bar_count


def stops(ts, **options):
    rng = np.random.default_rng(3)
    made = ev.trades(np.asarray(ts), 100 * np.exp(1e-4 * rng.standard_normal(len(ts)).cumsum()), np.ones(len(ts)), 1)
    engine = sc.Engine(["fhs_500_sigma", *(c for c, _, _ in _core.COLUMNS["risk"][1:])], bars=options.pop("bars"))
    bot = Orchestrator(engine, policy=policy(every="bar", horizon=10, stop_sigmas=1.0), latency_ns=0)
    return list(held(bot, made))


def test_risk_is_that_of_the_bars_to_come():
    """Bars of the clock that no trade fell into are not there: the mean wait of the last 64 or so is learned, as its
    definition says; nights are left out. Bars that are fed, or made of so many trades, come one after the other."""
    rng = np.random.default_rng(1)
    gaps = np.where(rng.random(1200) < 0.3, 9, rng.integers(1, 6, 1200))
    gaps[[400, 900]] = 60_000  # nights
    seconds = np.cumsum(gaps)
    found = stops(T0 + SECOND * seconds + 7, bars="1s")
    wait, seen, want = 1.0, 0, {}
    for i, gap in enumerate(gaps[1:]):
        if not seen or gap <= 8 * wait:
            seen = min(seen + 1, 64)
            wait += (gap - wait) / seen
        want[i + 2] = 10.0 if seen < 16 else max(0.5, 10 / max(wait, 1))
    assert len(found) > 900
    for bars, closed in found:
        assert bars == pytest.approx(want[closed], rel=1e-9)
    assert 2 < np.mean([bars for bars, _ in found]) < 4
    for bars, ts in (("1s", T0 + SECOND * np.arange(600)), ("3 trades", T0 + SECOND * seconds)):
        even = stops(ts, bars=bars)
        assert len(even) > 100 and all(b == pytest.approx(10, rel=1e-9) for b, _ in even)


def test_no_outcome_is_read_before_its_time():
    events = simulated()[:60_000]
    whole = raws(new(bars="1s").run(events))
    part = raws(new(bars="1s").run(events[:25_000]))
    assert whole[: len(part)] == part and len(part) > 20


# ---- snapshots ----


def test_snapshots_that_do_not_fit_are_refused():
    bot = new(bars="1s", columns=COLUMNS)
    list(bot.run(quoted(20)))
    blob = bot.snapshot()
    for damaged in (b"", b"nothing", blob[:-1], blob[:50], blob[:20] + b"x" + blob[21:], blob[:-9] + b"?" + blob[-8:]):
        with pytest.raises(CorruptSnapshot):
            Orchestrator.restore(damaged, *models(bars="1s"))
    with pytest.raises(ContractMismatch, match="models"):
        Orchestrator.restore(blob, Counting(bars="1s"))
    with pytest.raises(ContractMismatch, match="every"):
        Orchestrator.restore(blob, *models(bars="1s"), policy=policy(every="5s"))
    other = Orchestrator.restore(blob, *models(bars="1s"), policy=policy(max_contracts=1))
    assert other.policy.max_contracts == 1 and other.decisions == bot.decisions and other.symbol == "TOY"


def test_a_snapshot_with_a_stand_in_wants_it_again():
    def made(**options):
        return Counting(horizon="10s", **options), {"sequence": Counting("linear", horizon="10s", **options)}

    first, second = made(bars="1s")
    bot = Orchestrator(sc.Engine(COLUMNS, bars="1s"), first, policy=policy(), latency_ns=1, fallback=second)
    list(bot.run(quoted(20)))
    blob = bot.snapshot()
    first, second = made(bars="1s")
    with pytest.raises(ContractMismatch, match="fallback"):
        Orchestrator.restore(blob, first)
    again = Orchestrator.restore(blob, first, fallback=second)
    assert again.snapshot() == blob and first.seen > 10


def test_one_whose_init_never_ran_is_refused():
    empty = Orchestrator.__new__(Orchestrator)
    for ask in (
        lambda: empty.ts,
        lambda: empty.position,
        lambda: empty.on_trade(T0, 1.0, 1.0),
        empty._snapshot,
        empty._card,
    ):
        with pytest.raises(TypeError, match="__init__"):
            ask()


# ---- what it costs ----


def test_between_two_decisions_an_event_costs_little_more_than_the_engine():
    bot = new("3600s", bars="1m", columns=["spread"], some=False)
    engine = sc.Engine(["spread"], bars="1m")
    for call in (bot.on_trade, engine.on_trade):
        call(T0, 100.0, 1.0, 1)

    def best(call, ts=T0):
        took = []
        for k in range(40):
            start = time.perf_counter_ns()
            for i in range(250):
                call(ts + k * 250 + i, 100.0, 1.0, 1)
            took.append((time.perf_counter_ns() - start) / 250)
        return min(took)

    assert best(bot.on_trade) - best(engine.on_trade) < 250  # measured: 15 ns; room for a machine at work


def test_it_is_forgotten_when_nobody_has_it():
    bot = new(bars="1s", columns=COLUMNS, alert=lambda d, g: None)
    list(bot.run(quoted(3)))
    gone = weakref.ref(bot)
    del bot
    gc.collect()
    assert gone() is None


def test_without_models_of_python_the_interpreter_is_free():
    bot = new("1s", bars="1s", some=False)
    assert bot._native
    events = simulated()
    ticks, stop = [0], threading.Event()

    def count():
        while not stop.is_set():
            ticks[0] += 1
            time.sleep(0)

    thread = threading.Thread(target=count, daemon=True)
    thread.start()
    list(bot.run(fed_bars(1)[:0]))
    list(bot.run(events))
    stop.set()
    thread.join()
    assert ticks[0] > 10
