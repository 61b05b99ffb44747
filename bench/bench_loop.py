"""What the loop costs beside its engine: an event between two decisions, a replay, a snapshot and a restart.

    pytest bench/bench_loop.py --benchmark-enable

CPU time. "engine" is the same call of the engine alone, on the same events; the difference is the loop. The target is
20 ns for an event on which nothing is due.
"""

from __future__ import annotations

import time
from typing import Any

import flow
import numpy as np
import pytest
from bench_engine import TOTAL, measure, per, rows

from smartcore import DEPTH, TRADE, Engine, Orchestrator, Policy

pytestmark = pytest.mark.benchmark(timer=time.process_time)


def made(who: str, columns: list[str] | None, every: str = "60m", bars: str | None = None) -> Any:
    """The engine alone, or a bot that has it. Nothing falls due within an hour."""
    engine = Engine(columns, bars=bars)
    return engine if who == "engine" else Orchestrator(engine, policy=Policy(every=every), latency_ns=100_000)


@pytest.mark.parametrize("who", ["engine", "bot"])
def test_on_trade(benchmark, who):
    benchmark.group = "a trade between two decisions"
    measure(benchmark, made(who, []).on_trade, rows(flow.prints(TOTAL), TRADE, "ts", "price", "size", "side"))


@pytest.mark.parametrize("who", ["engine", "bot"])
def test_on_depth(benchmark, who):
    benchmark.group = "a depth update between two decisions"
    one = made(who, ["spread"])
    events = flow.updates(TOTAL)
    (one if who == "engine" else one.engine).run(events[:400])
    measure(benchmark, one.on_depth, rows(events[400:], DEPTH, "ts", "side", "price", "size"))


@pytest.mark.parametrize("who", ["engine", "bot", "bot, a decision a second"])
def test_run(benchmark, who):
    benchmark.group = "replay of depth and trades, one column"
    events = flow.mixed(200_000)

    def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (made(who.split(",")[0], ["spread"], "1s" if "decision" in who else "60m", "1s"),), {}

    def play(one: Any) -> None:
        if who == "engine":
            one.run(events, "bar")
        else:
            for _ in one.run(events):
                pass

    benchmark.pedantic(play, setup=setup, rounds=10, warmup_rounds=1)
    per(benchmark, len(events), "event")


@pytest.fixture
def full():
    """A bot on all columns that has seen depth, trades and bars, and waits for outcomes."""
    bot = made("bot", None, "1s", "1s")
    for _ in bot.run(flow.mixed(20_000)):
        pass
    return bot


def test_snapshot(benchmark, full):
    benchmark.group = "saved state"
    blob = benchmark.pedantic(full.snapshot, rounds=100, warmup_rounds=5)
    benchmark.extra_info["bytes"] = len(blob)
    per(benchmark, 1)


def test_restore(benchmark, full):
    benchmark.group = "saved state"
    blob = full.snapshot()
    again = benchmark.pedantic(Orchestrator.restore, args=(blob,), rounds=50, warmup_rounds=2)
    per(benchmark, 1)
    assert again.snapshot() == blob
    assert np.array_equal(again.engine.row, full.engine.row, equal_nan=True)
