"""Gate your own bot's latency in CI: a whole example.

Copy it, put your bot into ``bot`` and your events into ``feed``.

    pytest bench/example_gate.py --benchmark-enable

An absolute limit ("below 50 us") fails on a slow runner and lets a regression through on a fast
one. So the gate is a ratio: the bot's tick over a reference workload that is timed in the same run,
on the same core, round by round in turn. Write down the ratio you have, add some room, and raise it
only with a reason in the commit.

The example's bot is an engine with a handful of columns and a rule; it needs nothing but smartcore
and pytest-benchmark.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

import smartcore as sc

LIMIT = 0.5
"""The gate: 100 ticks may cost half the reference. Measured 0.25 (November 2026); the room is for your
runners."""
ROUNDS, TICKS = 30, 100


def reference() -> float:
    """About 100 us of what a bot's neighbourhood is made of: bytecode, dicts, small NumPy calls. Never
    change it."""
    book: dict[int, float] = {}
    total = 0.0
    for i in range(600):
        book[i % 97] = i * 0.5
        total += book.get(i * 31 % 97, 0.0)
    x = np.arange(256.0)
    for _ in range(12):
        total += float((x * 1.5 + 2.0).sum())
    return total


def bot() -> Any:
    """What is to be gated: a function that takes one event and may answer. Yours goes here."""
    engine = sc.Engine(["rsi_14", "atr_14", "zscore_50", "macd_12_26_9", "bollinger_20_2"])
    row, on_bar = engine.row, engine.on_bar

    def tick(ts: int, open_: float, high: float, low: float, close: float, volume: float) -> str | None:
        on_bar(ts, open_, high, low, close, volume)
        if row[0] < 30 and row[2] < -2:
            return "buy"
        return "sell" if row[0] > 70 and row[2] > 2 else None

    return tick


def feed(n: int) -> list[tuple[Any, ...]]:
    """Events that differ: repeating a few flatters every branch predictor. Recorded ones are better
    still."""
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, n)))
    high, low = close * 1.001, close * 0.999
    ts = 60_000_000_000 * np.arange(1, n + 1)
    return list(
        zip(*(x.tolist() for x in (ts, close, high, low, close, rng.lognormal(0, 1, n))), strict=True)
    )


def cpu_us(work: Any, *args: Any) -> float:
    begin = time.process_time_ns()
    work(*args)
    return (time.process_time_ns() - begin) / 1e3


def gate(ratio: float, limit: float) -> None:
    """Fails with both numbers in the message."""
    assert ratio <= limit, f"{TICKS} ticks cost {ratio:.3f} of the reference workload, the limit is {limit}"


@pytest.mark.benchmark(timer=time.process_time)  # CPU time: a neighbour's load is not your bot's
def test_latency_gate(benchmark: Any) -> None:
    """Minimum of the rounds on both sides: noise only ever adds."""
    if benchmark.disabled:
        pytest.skip("timed only with --benchmark-enable")
    tick = bot()
    events = iter(feed(TICKS * (ROUNDS + 2)))
    stretch = [[next(events) for _ in range(TICKS)] for _ in range(ROUNDS + 2)]
    references: list[float] = []

    def setup() -> Any:
        references.append(cpu_us(reference))  # between the rounds, so that both see the same weather
        return (stretch.pop(),), {}

    def ticks(events: Any) -> None:
        for event in events:
            tick(*event)

    stretch.reverse()  # pop() takes them in time order
    benchmark.pedantic(ticks, setup=setup, rounds=ROUNDS, warmup_rounds=1)
    ratio = benchmark.stats.stats.min * 1e6 / min(references)
    benchmark.extra_info["ratio to reference"] = round(ratio, 4)
    gate(ratio, LIMIT)
