"""A fault of every kind, planted where the bot was buying: HOLD or reduce-only, with its reason; never an exception."""

from __future__ import annotations

import time

import numpy as np
import pytest
from test_orchestrator import SECOND, T0, Toy

import smartcore as sc
from smartcore.bot.orchestrator import ALARMS, Orchestrator
from smartcore.market import events as ev

CALM = 150
"""Seconds of a sound feed before the fault: bars enough for every risk column."""


def feed(seconds=CALM, start=T0, price=100.0, frozen=False, seed=0):
    """Two quotes and two trades a second."""
    n = 2 * seconds
    ts = start + np.arange(n) * (SECOND // 2)
    steps = 0.01 + 0.02 * np.random.default_rng(seed).normal(size=n)  # it climbs: the model that says so is right
    mid = np.full(n, price) if frozen else price + np.cumsum(steps)
    quotes = ev.quotes(ts, mid - 0.005, 5, mid + 0.005, 5)
    return ev.merge(quotes, ev.trades(ts + SECOND // 4, mid, 1.0 + 1e-6 * np.arange(n), 1))


class Wild(Toy):
    """Says what it is told to, and how unlike training the row was."""

    novelty = 0.1

    def fork(self):
        return Wild()


def buying(**more):
    """A bot that buys at every second of the sound feed, and its last decision there."""
    model = Wild(says=(0.01, 0.04, 0.95))
    policy = sc.Policy(
        every="1s", fee_bps=0.0, weights={"sequence": 1.0}, min_quality=0.0, min_edge_bps=-1e4, max_frozen_s=30.0,
        max_scores_age_s=1e6, horizon=10, kelly_multiplier=1.0, max_outlier=1e3, max_jump=60.0,
    )  # fmt: skip
    engine = sc.Engine(instrument="TOY", bars="1s")
    bot = Orchestrator(engine, model, policy=more.pop("policy", policy), latency_ns=100_000, **more)
    bot.equity = 1e6
    made = list(bot.run(feed()))
    assert made[-1].signal in ("BUY", "STRONG_BUY"), made[-1].explain()
    assert made[-1].mode == "normal"
    return bot, model


def held(decision, gate, mode):
    """Nothing is opened, and the gate says why."""
    assert decision is not None
    assert decision.signal == "HOLD", decision.explain()
    assert gate in [reason.gate for reason in decision.failed], decision.explain()
    assert decision.mode == mode
    assert decision.risk.risk_adjusted_position_size == 0.0
    assert gate in decision.explain() or next(r for r in decision.failed if r.gate == gate).text in decision.explain()
    assert decision.confidence == decision.confidence


def next_decision(bot, events):
    return next(d for d in bot.run(events) if d is not None)


def test_a_stale_feed():
    bot, _ = buying()
    held(bot.advance(bot.ts + 8 * SECOND), "data_age", "hold_only")


def test_a_feed_that_fell_silent():
    policy = sc.Policy(
        every="1s", fee_bps=0.0, weights={"sequence": 1.0}, min_quality=0.0, min_edge_bps=-1e4, max_age_s=1e6,
        max_scores_age_s=1e6, horizon=10, max_frozen_s=1e6, max_outlier=1e3,
    )  # fmt: skip
    bot, _ = buying(policy=policy)
    told = bot.advance(bot.ts + 60 * SECOND)
    held(told, "feed", "hold_only")
    assert "usual gaps" in told.explain()


def test_a_gap_in_the_sequence_until_a_snapshot():
    bot, _ = buying()
    ts, bids, asks = bot.ts, [(99.0, 5.0)], [(101.0, 5.0)]
    bot.on_depth_message(ts + 1, bids, asks, True, None, 10, None)
    bot.on_depth_message(ts + 2, bids, asks, False, 15, 16, 14)  # 11 to 14 are lost
    held(next_decision(bot, feed(4, ts + SECOND, 100.0)), "book_fresh", "hold_only")
    again = bot.ts
    bot.on_depth_message(again + 1, [(99.99, 5.0)], [(100.01, 5.0)], True, None, 20, None)
    assert "book_fresh" not in [r.gate for r in bot.decide().failed]


def test_a_crossed_book():
    bot, _ = buying()
    held(bot.on_quote(bot.ts + 2 * SECOND, 101.0, 5.0, 99.0, 5.0), "book_uncrossed", "hold_only")


def test_a_frozen_price():
    bot, _ = buying()
    price = bot.decision.price
    made = list(bot.run(feed(60, bot.ts + SECOND, price, frozen=True)))
    held(made[-1], "feed", "hold_only")
    assert made[0].signal != "HOLD"


def test_a_feed_that_repeats_itself():
    bot, _ = buying()
    trade = ev.trades([bot.ts + SECOND], [bot.decision.price], 1.0, 1)
    for _ in range(200):
        bot.on_event(trade[0])
    held(bot.decide(), "feed", "hold_only")


def test_a_clock_that_disagrees():
    now = [0]
    bot, _ = buying(wall=lambda: now[0] or 2**62)
    now[0] = bot.ts - 10 * SECOND  # events are stamped ten seconds after now
    held(next_decision(bot, feed(4, bot.ts + SECOND, 100.0)), "clock", "hold_only")


def test_data_from_the_future():
    bot, _ = buying()
    with pytest.raises(sc.OutOfOrder):  # an event from the past is refused, typed, and changes nothing
        bot.on_trade(T0, 100.0, 1.0)
    assert bot.decide().signal in ("BUY", "STRONG_BUY")


BROKEN = {
    "NaN": (np.nan, np.nan, np.nan), "one NaN": (0.1, np.nan, 0.9), "infinite": (np.inf, 0.0, 0.0),
    "negative": (-0.2, 0.2, 1.0), "sum": (0.9, 0.9, 0.9), "nothing": (0.0, 0.0, 0.0),
}  # fmt: skip


@pytest.mark.parametrize("says", BROKEN.values(), ids=BROKEN)
def test_a_score_that_is_none(says):
    bot, model = buying()
    model.says = np.array(says)
    held(next_decision(bot, feed(4, bot.ts + SECOND, 100.0)), "model", "reduce_only")
    model.says = np.array((0.01, 0.04, 0.95))
    made = list(bot.run(feed(6, bot.ts + SECOND, 100.0)))
    assert made[-1].mode == "normal"


def test_a_model_that_raises_is_counted():
    bot, model = buying()
    model.fails = True
    told = next_decision(bot, feed(4, bot.ts + SECOND, 100.0))
    held(told, "model", "reduce_only")
    assert bot.status()["models"][0]["faults"] >= 1


def test_a_stand_in_speaks_and_the_decision_says_so():
    second = Wild(says=(0.02, 0.08, 0.90))
    bot, model = buying(fallback={"sequence": second})
    model.fails = True
    made = list(bot.run(feed(4, bot.ts + SECOND, 100.0)))
    assert made[-1].signal in ("BUY", "STRONG_BUY")
    reason = next(r for r in made[-1].reasons if r.gate == "model")
    assert reason.passed and "sequence" in reason.text, reason.text
    second.fails = True
    held(list(bot.run(feed(4, bot.ts + SECOND, 100.0)))[-1], "model", "reduce_only")


def test_a_reduce_only_bot_may_close_but_not_open():
    bot, _ = buying()
    bot.position = -3.0
    bot.health = 5.0
    told = next_decision(bot, feed(4, bot.ts + SECOND, 100.0))
    assert told.mode == "reduce_only" and told.signal in ("BUY", "STRONG_BUY")
    assert told.risk.contracts == 3.0 and told.risk.bound == "reduce_only"
    bot.position = 3.0
    held(next_decision(bot, feed(4, bot.ts + SECOND, 100.0)), "health", "reduce_only")


def test_inputs_unlike_training():
    bot, model = buying()
    model.novelty = 50.0
    held(next_decision(bot, feed(4, bot.ts + SECOND, 100.0)), "novelty", "reduce_only")


def test_a_price_out_of_the_ordinary():
    bot, _ = buying()
    made = list(bot.run(feed(4, bot.ts + SECOND, 160.0)))
    assert any("anomaly" in [r.gate for r in d.failed] and d.signal == "HOLD" for d in made)


def test_account_out_of_its_mind():
    bot, _ = buying()
    for equity, gate in ((float("nan"), "equity"), (-5.0, "equity"), (1e3, "drawdown")):
        bot.equity = equity
        held(next_decision(bot, feed(4, bot.ts + SECOND, 100.0)), gate, "reduce_only")


def test_each_fault_alerts_once():
    told = []
    bot, model = buying(alert=lambda decision, gate: told.append(gate))
    model.novelty = 50.0
    list(bot.run(feed(10, bot.ts + SECOND, 100.0)))
    model.novelty = 0.1
    list(bot.run(feed(4, bot.ts + SECOND, 100.0)))
    bot.advance(bot.ts + 60 * SECOND)
    end = time.monotonic() + 5
    while len(told) < 1 and time.monotonic() < end:
        time.sleep(0.01)
    assert told.count("novelty") == 1
    assert set(told) <= set(ALARMS)


def test_all_at_once():
    """Random faults on top of each other: decisions go on, and nothing is opened while the mode forbids it."""
    rng = np.random.default_rng(7)
    now = [0]
    bot, model = buying(wall=lambda: now[0] or 2**62)
    for _ in range(60):
        model.fails = rng.random() < 0.3
        says = [(0.0, 0.1, 0.9), *BROKEN.values()]
        model.says = np.array(says[rng.integers(len(says)) if rng.random() < 0.3 else 0])
        model.novelty = float(rng.choice([0.1, np.nan, np.inf, 9.0]))
        bot.health = None if rng.random() < 0.5 else float(rng.choice([0.0, 50.0, np.nan]))
        bot.equity = float(rng.choice([1e6, np.nan, 0.0, np.inf]))
        now[0] = 0 if rng.random() < 0.7 else bot.engine.ts - 100 * SECOND
        if rng.random() < 0.2:
            bot.advance(bot.engine.ts + int(rng.integers(1, 20)) * SECOND)
        if rng.random() < 0.2:
            bot.on_quote(bot.engine.ts + 1, 101.0, 1.0, 99.0, 1.0)
        for d in bot.run(feed(3, bot.engine.ts + SECOND, 100.0 + rng.normal())):
            if d.mode != "normal":
                assert d.signal == "HOLD"
            assert 0.0 <= d.confidence <= 1.0 and 0.0 <= d.quality_score <= 1.0
            d.explain()
