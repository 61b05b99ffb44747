"""The loop: live and replay are one path, models see the rows of history, what is wrong turns into HOLD with its
reason.
"""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import smartcore as sc
from smartcore.bot.latency import Latency
from smartcore.bot.orchestrator import Orchestrator
from smartcore.errors import ContractMismatch, InvalidData, InvalidEvent
from smartcore.market import events as ev
from smartcore.models import Contract

SECOND = 10**9
T0 = 1_700_000_000 * SECOND
COLUMNS = ("log_return_1", "spread", "queue_imbalance_l1", "trade_imbalance_10s")


class Toy:
    """A model that says what it is told to and remembers the rows it was shown."""

    def __init__(self, kind="gru", sample="1s", says=(0.1, 0.2, 0.7), bars="1s", horizon="10s", warm_up=0, fails=False):
        self.contract = Contract(
            name=f"toy {kind}",
            kind=kind,
            columns=COLUMNS,
            fingerprint=sc.FeatureSet(COLUMNS).fingerprint,
            sample=sample,
            bars=bars,
            horizon=horizon,
            label="down below -1e-5, up above 1e-5, else flat",
            warm_up=warm_up,
            calibration={"method": "temperature"},
        )
        self.says = np.array(says)
        self.rows: list[np.ndarray] = []
        self.missing = 0
        self.fails = fails

    @property
    def ready(self):
        return len(self.rows) >= self.contract.warm_up

    def bind(self, features):
        return self

    def step(self, row):
        if self.fails:
            raise RuntimeError("the runtime broke")
        self.rows.append(row.copy())
        return self.says.copy()

    def fork(self):
        return Toy(self.contract.kind, self.contract.sample, self.says, self.contract.bars, self.contract.horizon)


@pytest.fixture(scope="module")
def market():
    return sc.simulate(seconds=150, seed=5, regime="mixed").events


def policy(**changes):
    return sc.Policy(**({"every": "1s", "horizon": 10, "fee_bps": 0.0} | changes))


def bot_of(*models, engine=None, **changes):
    engine = engine or sc.Engine(instrument="TOY", bars="1s")
    changes.setdefault("policy", policy())
    return Orchestrator(engine, *models, latency_ns=100_000, **changes)


def live(bot, events):
    """As a feed handler calls: by kind, with plain numbers."""
    for e in events:
        kind, ts = int(e["kind"]), int(e["ts"])
        v = [float(e[f"v{i}"]) for i in range(6)]
        if kind == sc.Kind.TRADE:
            yield bot.on_trade(ts, v[0], v[1], int(e["side"]))
        elif kind == sc.Kind.DEPTH:
            yield bot.on_depth(ts, int(e["side"]), v[0], v[1], bool(e["flags"] & 1), bool(e["flags"] & 2))
        elif kind == sc.Kind.QUOTE:
            yield bot.on_quote(ts, *v[:4])
        elif kind == sc.Kind.SCORE:
            yield bot.on_score(ts, v[0], v[1], int(e["source"]))
        elif kind == sc.Kind.AUX:
            yield bot.on_aux(ts, int(e["source"]), v[0])
        elif kind == sc.Kind.BAR:
            yield bot.on_bar(ts, *v)
        else:
            yield bot.on_event(e)


def quoted(seconds=200, step=0.01, per_second=4):
    """Quotes and trades whose price climbs by ``step`` a quote."""
    n = seconds * per_second
    ts = T0 + np.arange(n) * (SECOND // per_second)
    mid = 100 + step * np.arange(n)
    return ev.merge(ev.quotes(ts, mid - 0.01, 5, mid + 0.01, 5), ev.trades(ts + 1, mid, 1.0, 1))


def fed_bars(n=200, start=T0, step=60 * SECOND):
    rng = np.random.default_rng(1)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, n)))
    return ev.bars(start + step * np.arange(1, n + 1), close, close * 1.001, close * 0.999, close, 10.0)


# ---- one path ----


def test_live_is_replay(market):
    models = lambda: (sc.Model.load("gru"), sc.Model.load("gbdt"))  # noqa: E731
    replayed = list(bot_of(*models()).run(market))
    decided = [d for d in live(bot_of(*models()), market) if d is not None]
    fed = bot_of(*models())
    as_events = [d for d in (fed.on_event(e) for e in market) if d is not None]
    assert replayed == decided == as_events
    assert len(replayed) > 140
    assert [d.to_dict() for d in replayed] == [d.to_dict() for d in decided]
    assert {d.signal for d in replayed}


def test_scores_and_series_among_the_events(market):
    """They are events like others, live and in history, but say nothing of the price, which gets older."""
    ts = market["ts"][:: len(market) // 300]
    news = ev.merge(ev.scores(ts, 0.3, 1.0, "news"), ev.aux(ts, "funding", 1e-4))
    events = ev.merge(market, news)
    replayed = list(bot_of(Toy()).run(events))
    assert replayed == [d for d in live(bot_of(Toy()), events) if d is not None] and len(replayed) > 140

    bot = bot_of(Toy(), engine=sc.Engine(["rsi_14"]), policy=policy(every="bar"))
    for e in fed_bars(20):
        bot.on_event(e)
    later = bot.engine.ts + 600 * SECOND
    bot.on_score(later, 0.9, source="news")
    bot.on_aux(later, "funding", 1e-4)
    assert bot.decide(later).age_ns == 600 * SECOND


def test_chunks_and_restored_engine_change_nothing(market):
    whole = list(bot_of(Toy()).run(market))
    bot = bot_of(Toy())
    parts = [d for at in range(0, len(market), 997) for d in bot.run(market[at : at + 997])]
    assert parts == whole
    half = len(market) // 2
    first, second = bot_of(Toy()), bot_of(Toy())
    for _ in first.run(market[:half]):
        pass
    engine = sc.Engine.restore(first.engine.snapshot())
    resumed = bot_of(Toy(), engine=engine)
    for _ in second.run(market[:half]):
        pass
    after, want = [next(iter(b.run(market[half:]))) for b in (resumed, second)]
    assert (after.ts, after.price) == (want.ts, want.price)


def test_engine_and_model_of_a_snapshot_go_on_as_if_never_stopped(market):
    """Both kept between the same two events; cut in the middle of a second and at several places."""

    def said(bot, events):
        return [(d.ts, {name: s.tolist() for name, s in bot.scores.items()}) for d in bot.run(events)]

    model = sc.Model.load("gru")
    unbroken = bot_of(model.fork(), engine=sc.Engine(bars="1s"))
    want = dict(said(unbroken, market))
    for cut in (len(market) // 2, len(market) // 2 + 7, len(market) * 3 // 4):
        first, engine = model.fork(), sc.Engine(bars="1s")
        said(bot_of(first, engine=engine), market[:cut])
        kept = engine.snapshot(), first.snapshot()
        again = model.fork()
        again.restore(kept[1])
        later = dict(said(bot_of(again, engine=sc.Engine.restore(kept[0])), market[cut:]))
        assert len(later) > 20 and sum(bool(scores) for scores in later.values()) >= len(later) - 1
        assert all(not scores or scores == want[ts] for ts, scores in later.items())


@pytest.mark.parametrize(
    ("sample", "bars"), [("1s", "1s"), ("250ms", "1s"), ("5s", "1s"), ("bar", "1s"), ("bar", "20 trades")]
)
def test_models_step_on_the_rows_of_history(market, sample, bars):
    """To the last bit what ``Engine.run`` gives, which is what they were trained on; timers in between change
    nothing.
    """
    want = sc.Engine(bars=bars).run(market, sample=sample)
    toy, timed = Toy(sample=sample, bars=bars), Toy(sample=sample, bars=bars)
    bot = bot_of(toy, engine=sc.Engine(bars=bars))
    for _ in bot.run(market):
        pass
    np.testing.assert_array_equal(np.array(toy.rows), want)
    if sample == "bar":
        return
    bot = bot_of(timed, engine=sc.Engine(bars=bars))
    before = int(market["ts"][0])
    for e in market[:4000]:
        ts = int(e["ts"])
        for at in range(before, ts, 50_000_000):
            bot.advance(at)
        before = max(before, ts)
        bot.on_event(e)
    np.testing.assert_array_equal(np.array(timed.rows), want[: len(timed.rows)])
    assert len(timed.rows) > 10


def test_silence_steps_no_model_and_still_decides():
    """A second without events is no row in history, so it is none live; decisions go on and say that data grow old."""
    toy = Toy()
    bot = bot_of(toy)
    for _ in bot.run(quoted(30)):
        pass
    steps, last = len(toy.rows), bot.engine.ts
    late = [d for d in (bot.advance(last + i * SECOND // 2) for i in range(1, 21)) if d is not None]
    assert len(toy.rows) == steps + 1  # the second that the last events were in
    assert len(late) == 10
    old = [d for d in late if d.age_ns > 5 * SECOND]
    assert old
    assert all(d.signal == "HOLD" and d.mode == "hold_only" and d.failed[0].gate == "data_age" for d in old)
    assert late[0].failed == () or late[0].failed[0].gate != "data_age"


# ---- when ----


def test_a_decision_a_second_throughout(market):
    decisions = list(bot_of(Toy()).run(market))
    seconds = [d.ts // SECOND for d in decisions]
    assert len(set(seconds)) == len(seconds)
    active = np.unique(market["ts"] // SECOND)
    assert len(seconds) >= len(active) - 1
    assert all(d.id for d in decisions) and len({d.id for d in decisions}) == len(decisions)


def test_every_bar():
    bot = bot_of(engine=sc.Engine(), policy=sc.Policy())
    decisions = [bot.on_bar(*(int(e["ts"]), *(float(e[f"v{i}"]) for i in range(5)))) for e in fed_bars(50)]
    assert all(d is not None for d in decisions)
    assert [d.ts for d in decisions if d] == fed_bars(50)["ts"].tolist()
    assert bot.status()["events"]["bar"] == 50


def test_every_bar_of_the_clock_and_of_trades(market):
    for rule in ("1s", "10s", "50 trades"):
        engine = sc.Engine(bars=rule)
        decisions = list(bot_of(engine=engine, policy=sc.Policy()).run(market))
        assert len(decisions) == engine.bar_count > 3, rule


def test_every_n_events(market):
    decisions = list(bot_of(policy=policy(every="100 events")).run(market))
    messages = int(((market["kind"] != sc.Kind.DEPTH) | (market["flags"] & 1 > 0)).sum())
    assert 0.9 * messages / 100 < len(decisions) <= len(market) / 100


def test_nothing_is_decided_within_a_message():
    bot = bot_of(Toy())
    bot.on_quote(T0, 99.99, 1, 100.01, 1)
    assert bot.on_depth(T0 + SECOND, 1, 99.9, 1, False, True) is None  # crossing the second: due, not whole
    assert bot.on_depth(T0 + SECOND, -1, 99.8, 1, False) is None
    assert bot.on_depth(T0 + SECOND, -1, 99.8, 0, False) is None
    decision = bot.on_depth(T0 + SECOND, -1, 100.1, 1, True)
    assert decision is not None
    assert decision.price == 100.0
    array = ev.merge(
        ev.quotes([T0], 99.99, 1, 100.01, 1),
        ev.depth(
            [T0 + SECOND] * 3, [1, -1, -1], [99.9, 99.8, 100.1], [1, 1, 1], [False, False, True], [True, False, False]
        ),
    )
    assert [d.ts for d in bot_of(Toy()).run(array)] == [T0 + SECOND]


def test_decide_on_demand():
    bot = bot_of(Toy())
    with pytest.raises(InvalidData, match="no event yet"):
        bot.decide()
    bot.on_quote(T0, 99.99, 1, 100.01, 1)
    assert bot.decide().ts == T0
    assert bot.decide(T0 + 7 * SECOND).failed[0].gate == "data_age"


# ---- what is wrong ----


def test_a_gap_makes_it_hold_until_a_snapshot(market):
    bot = bot_of(Toy())
    half = len(market) // 2
    for _ in bot.run(market[:half]):
        pass
    ts = int(market["ts"][half])
    bot.on_event(ev.gap([ts])[0])
    stale = list(bot.run(market[half : half + 2000]))
    assert stale
    for d in stale:
        assert d.signal == "HOLD" and d.mode == "hold_only"
        assert "book_fresh" in [reason.gate for reason in d.failed]
    ts = bot.engine.ts + SECOND
    whole = bot.on_depth_message(ts, [(100.0, 1.0)], [(100.02, 1.0)], snapshot=True)
    assert whole is not None
    assert "book_fresh" not in [reason.gate for reason in whole.failed]
    assert whole.price == pytest.approx(100.01)


def test_a_silent_book_is_old_however_many_trades_go_by():
    bot = bot_of(Toy())
    bot.on_quote(T0, 99.99, 1, 100.01, 1)
    decisions = [bot.on_trade(T0 + i * SECOND // 4, 100.0, 1.0, 1) for i in range(1, 60)]
    ages = [d.age_ns / SECOND for d in decisions if d is not None]
    assert ages[0] < 5 < ages[-1]
    last = [d for d in decisions if d is not None][-1]
    assert last.as_of == T0 and last.failed[0].gate == "data_age"


def test_a_refused_event_changes_nothing_and_loses_no_decision(market):
    """Also one that claims to come from next year."""
    events = market[:8000]
    toy, other = Toy(), Toy()
    clean, disturbed = list(bot_of(toy).run(events)), []
    bot = bot_of(other)
    for i, e in enumerate(events):
        if i % 50 == 0:
            with pytest.raises(InvalidEvent):
                bot.on_trade(int(e["ts"]), -1.0, 1.0, 1)
            with pytest.raises(InvalidEvent):
                bot.on_quote(int(e["ts"]) + 365 * 86400 * SECOND, float("nan"), 1, 2, 1)
        d = bot.on_event(e)
        if d is not None:
            disturbed.append(d)
    assert disturbed == clean
    assert len(clean) > 50
    np.testing.assert_array_equal(np.array(other.rows), np.array(toy.rows))


def test_a_model_that_breaks_is_missing_not_fatal():
    bot = bot_of(Toy(), Toy("gbdt", fails=True))
    decisions = list(bot.run(quoted(30)))
    assert decisions[-1].contributions.keys() >= {"sequence"}
    assert "ensemble" not in decisions[-1].contributions
    faults = {m["source"]: m["faults"] for m in bot.status()["models"]}
    assert faults["sequence"] == 0 and faults["ensemble"] >= 28
    alone = bot_of(Toy(fails=True))
    last = list(alone.run(quoted(30)))[-1]
    assert last.signal == "HOLD" and last.mode == "reduce_only"
    assert "model" in [reason.gate for reason in last.failed]


def test_a_model_without_its_columns_or_warm_up_does_not_speak():
    cold, blind = Toy(warm_up=20), Toy()
    blind.missing = 3
    assert "sequence" not in list(bot_of(cold).run(quoted(15)))[-1].contributions
    assert "sequence" in list(bot_of(cold).run(quoted(15)))[-1].contributions  # it has its 20 rows by now
    assert list(bot_of(blind).run(quoted(15)))[-1].probabilities is None
    assert list(bot_of(blind, max_missing=0.75).run(quoted(15)))[-1].probabilities is not None


def test_models_that_do_not_fit_are_refused():
    with pytest.raises(ContractMismatch, match="bars of '1m'"):
        bot_of(Toy(bars="1m"))
    with pytest.raises(ValueError, match="both the sequence model"):
        bot_of(Toy(), Toy("lstm"))
    with pytest.raises(ContractMismatch, match="lacks"):
        bot_of(sc.Model.load("gbdt"), engine=sc.Engine(["rsi_14"], bars="1s"))
    with pytest.raises(ValueError, match="concurrency"):
        bot_of(concurrency=0)


# ---- the scorecard ----


@pytest.mark.parametrize(("step", "right"), [(0.01, 1.0), (-0.01, 0.0)])
def test_outcomes_come_after_the_horizon_and_not_before(step, right):
    bot = bot_of(Toy())
    events = quoted(60, step)
    seen = [(d.ts, dict(bot.scorecard.scores().by_source)) for d in bot.run(events)]
    first = next(ts for ts, _ in seen)
    early = [scores for ts, scores in seen if ts <= first + 10 * SECOND]
    late = [scores for ts, scores in seen if ts > first + 12 * SECOND]
    assert all("sequence" not in scores for scores in early)
    assert all(scores["sequence"].hit_rate == right for scores in late)
    assert bot.status()["scorecard"]["fused"]["hit_rate"] == right


def test_outcomes_do_not_look_ahead(market):
    whole = list(bot_of(Toy()).run(market))
    part = list(bot_of(Toy()).run(market[: len(market) // 3]))
    assert whole[: len(part)] == part


# ---- latency and cost ----


def test_latency_is_measured_from_arrival():
    ticks = iter(range(0, 10**9, 1000))
    bot = Orchestrator(sc.Engine(), policy=sc.Policy(), clock=lambda: next(ticks))
    decisions = [d for d in live(bot, fed_bars(20)) if d is not None]
    assert bot.latency.count == 20
    assert bot.latency.max == bot.latency.min == 2000
    assert decisions[-1].latency_ns == 2000  # what it expected, from the one before
    bot = Orchestrator(sc.Engine(), policy=sc.Policy(), latency_ns=7)
    assert {d.latency_ns for d in bot.run(fed_bars(5))} == {7}


def test_an_event_without_a_decision_costs_little():
    """The loop itself, without the engine's own work: single microseconds, asked with much room."""
    bot = bot_of(Toy())
    bot.on_quote(T0, 99.99, 1, 100.01, 1)

    def best(call):
        took = []
        for _ in range(30):
            start = time.perf_counter_ns()
            for _ in range(200):
                call(T0 + 1, 100.0, 1.0, 1)
            took.append((time.perf_counter_ns() - start) / 200)
        return min(took)

    assert best(bot.on_trade) - best(bot.engine.on_trade) < 5_000


def test_a_decision_takes_well_under_a_millisecond(market):
    """CPU time of this thread, median: the machine's other work is not the bot's."""
    bot = Orchestrator(
        sc.Engine(bars="1s"), sc.Model.load("gru"), sc.Model.load("gbdt"), policy=policy(), clock=time.thread_time_ns
    )
    assert len(list(bot.run(market))) > 100
    assert bot.latency.quantile(0.5) < 1e6


def test_latency_histogram():
    latency = Latency()
    assert latency.summary()["p50_us"] is None
    assert latency.bins() == []
    rng = np.random.default_rng(0)
    values = np.exp(rng.normal(11, 1.5, 20_000)).astype(int)
    for value in values.tolist():
        latency.record(value)
    for q in (0.0, 0.5, 0.99, 0.999, 1.0):
        assert latency.quantile(q) == pytest.approx(np.quantile(values, q, method="inverted_cdf"), rel=0.01)
    for per in (1, 8, 64):
        bins = latency.bins(per)
        assert sum(n for _, _, n in bins) == latency.count
        assert all(a[1] == b[0] for a, b in itertools.pairwise(bins))
        low, high, n = bins[len(bins) // 2]
        assert n == ((values >= low) & (values < high)).sum()
    for odd in (0, -5, 1, 63, 64, 65, 2**45):
        latency.record(odd)
    assert latency.max == 2**45 and latency.min == 0
    latency.reset()
    assert latency.count == 0
    with pytest.raises(ValueError, match="q"):
        latency.quantile(2)


def test_pace():
    events = quoted(2)
    start = time.monotonic()
    assert list(bot_of(Toy()).run(events, pace=10.0))
    assert time.monotonic() - start >= 0.15
    with pytest.raises(ValueError, match="pace"):
        list(bot_of().run(events, pace=0))
    assert list(bot_of().run(events[:0])) == []


def test_importing_it_loads_nothing_heavy():
    heavy = "{'pandas', 'numba', 'torch', 'onnxruntime', 'asyncio'}"
    program = f"import sys, smartcore.bot.orchestrator; print({heavy} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stdout.strip() == "set()", result.stdout + result.stderr


def test_the_account_reaches_the_decision():
    bot = bot_of(Toy())
    bot.equity = 1000.0
    bot.equity = 700.0
    assert bot.drawdown == pytest.approx(0.3)
    bot.position = 2.0
    last = list(bot.run(quoted(20)))[-1]
    assert {"drawdown", "reduce_only"} <= {reason.gate for reason in last.failed}
    assert next(reason.value for reason in last.reasons if reason.gate == "equity") == 700.0


# ---- one call that answers ----


def frame(n=300, end=None):
    events = fed_bars(n)
    index = pd.to_datetime(events["ts"] - 60 * SECOND, utc=True)
    return pd.DataFrame(
        {name: events[f"v{i}"] for i, name in enumerate(("open", "high", "low", "close", "volume"))}, index=index
    )[:end]


def ask(bot, *args, **options):
    return asyncio.run(bot.generate_trading_intelligence(*args, **options))


def test_intelligence_from_a_frame_feeds_only_what_is_new():
    bot = Orchestrator(sc.Engine(), policy=sc.Policy())
    first = ask(bot, frame(300, 200), "BTCUSDT")
    assert first["new_events"] == 200 and first["symbol"] == "BTCUSDT"
    assert {"signal", "confidence", "quality", "predictions", "regime", "risk", "execution", "reasons"} <= set(first)
    assert {"var_95", "kelly_fraction", "risk_adjusted_position_size", "risk_level"} <= set(first["risk"])
    assert {
        "entry_method",
        "execution_urgency",
        "recommended_timing",
        "max_execution_time_minutes",
        "slippage_tolerance_pct",
    } <= set(first["execution"])
    second = ask(bot, frame(300)[150:], "BTCUSDT")
    assert second["new_events"] == 100
    assert bot.engine.bar_count == 300
    third = ask(bot, frame(300), "BTCUSDT")
    assert third["new_events"] == 0 and third["as_of"] == second["as_of"]
    whole = list(Orchestrator(sc.Engine(), policy=sc.Policy()).run(fed_bars(300)))[-1]
    assert second["regime"] == whole.to_dict()["regime"]


def test_intelligence_from_lists_events_and_context(market):
    bot = bot_of(Toy())
    answer = ask(bot, market, "TOY", {"position": 1.0, "equity": 5000.0})
    assert answer["predictions"]["models"]["sequence"]["up"] == pytest.approx(0.7)
    assert answer["predictions"]["horizon"] == "10s"
    assert bot.position == 1.0 and bot.equity == 5000.0
    fed = fed_bars(50)
    bars = Orchestrator(sc.Engine(), policy=sc.Policy())
    lists = {name: fed[f"v{i}"].tolist() for i, name in enumerate(("open", "high", "low", "close", "volume"))}
    assert ask(bars, lists, "ETHUSDT")["new_events"] == 50
    one = {name: values[-1] for name, values in lists.items()}
    assert ask(Orchestrator(sc.Engine(), policy=sc.Policy()), one, "X")["new_events"] == 1
    old = ask(Orchestrator(sc.Engine(), policy=sc.Policy()), frame(100), "X", {"now": time.time_ns()})
    assert old["signal"] == "HOLD" and "data_age" in old["stopped_by"]


def test_intelligence_keeps_symbols_apart():
    bot = Orchestrator(sc.Engine(), policy=sc.Policy())
    ask(bot, frame(100), "A")
    other = ask(bot, frame(200), "B")
    assert other["symbol"] == "B" and other["new_events"] == 200
    assert bot.engine.bar_count == 100
    assert ask(bot, frame(200), "B")["new_events"] == 0


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"open": [1.0, 2.0], "close": [1.0]}, "different lengths"),
        ({"close": [1.0]}, "no column open"),
        (7, "expected a DataFrame"),
        (np.zeros(3), "dtype smartcore.EVENT"),
    ],
)
def test_intelligence_refuses_what_cannot_be_meant(data, says):
    with pytest.raises(InvalidData, match=says):
        ask(Orchestrator(sc.Engine(), policy=sc.Policy()), data, "X")


def test_intelligence_refuses_an_unknown_key():
    with pytest.raises(ValueError, match="leverage"):
        ask(Orchestrator(sc.Engine()), frame(10), "X", {"leverage": 3})


class Slow(Toy):
    """A model that takes its time, and counts how many do so at once."""

    lock = threading.Lock()
    working = most = 0

    def step(self, row):
        with Slow.lock:
            Slow.working += 1
            Slow.most = max(Slow.most, Slow.working)
        time.sleep(0.01)
        with Slow.lock:
            Slow.working -= 1
        return super().step(row)

    def fork(self):
        return Slow()


def test_intelligence_times_out_and_goes_on():
    bot = bot_of(Slow())
    start = time.monotonic()
    with pytest.raises(TimeoutError, match=r"no decision on TOY within 0\.2 s"):
        ask(bot, quoted(200), "TOY", timeout=0.2)
    assert time.monotonic() - start < 5
    fed = bot.engine.counts["quote"]
    answer = ask(bot, quoted(200)[: 2 * fed + 40], "TOY", timeout=30.0)
    assert answer["new_events"] > 0


def test_intelligence_limits_concurrency_and_leaves_the_loop_free():
    Slow.most = 0
    bot = bot_of(Slow(), concurrency=2)

    async def all_at_once():
        beats = 0

        async def heart():
            nonlocal beats
            while True:
                await asyncio.sleep(0.005)
                beats += 1

        beating = asyncio.ensure_future(heart())
        calls = [bot.generate_trading_intelligence(quoted(15), f"S{i}") for i in range(5)]
        answers = await asyncio.gather(*calls)
        beating.cancel()
        return beats, answers

    beats, answers = asyncio.run(all_at_once())
    assert [a["symbol"] for a in answers] == [f"S{i}" for i in range(5)]
    assert Slow.most <= 2
    assert beats >= 10


def test_a_contract_without_thresholds_in_its_label_counts_directions():
    toy = Toy()
    toy.contract = replace(toy.contract, label="up or not", horizon="20 bars")
    bot = bot_of(toy, policy=policy(horizon=5))
    for _ in bot.run(quoted(40)):
        pass
    assert bot.status()["scorecard"]["fused"]["hit_rate"] == 1.0
