"""Every entry of the engine, one call per event, and replay, snapshot, restore.

    pytest bench/bench_engine.py --benchmark-enable

CPU time, not wall time. A round is a stretch of events that nobody has seen before (repeating the
same few would let the branch predictor learn them); ``extra_info`` holds nanoseconds per call,
which ``bench/run.py`` collects. Nothing here needs Numba.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import cases
import flow
import numpy as np
import pytest

from smartcore import BAR, DEPTH, QUOTE, TRADE, Engine, FeatureSet

pytestmark = pytest.mark.benchmark(timer=time.process_time)
CALLS = 1000
ROUNDS = 40
TOTAL = CALLS * (ROUNDS + 3)
TOUCH = ["microprice", *(f"queue_imbalance_l{k}" for k in (1, 2, 3, 4, 5, 10))]
TOUCH += ["ofi_l1_1s", *(f"ofi_l{k}_10s" for k in range(1, 6)), "ofi_l1_60s"]
SETS: dict[str, Callable[[], FeatureSet]] = {
    "no columns": lambda: FeatureSet([]),
    "100 bar columns": lambda: FeatureSet(cases.COLUMNS),
    "all bar columns": lambda: FeatureSet(
        c.name for c in FeatureSet.default().specs if c.kernel.wakes == ("bar",)
    ),
    "queue imbalance, ofi, microprice": lambda: FeatureSet(TOUCH),
    "all columns": FeatureSet.default,
}


def rows(events: Any, view: Any, *names: str) -> list[tuple[Any, ...]]:
    """Arguments of a call, event by event, as plain Python numbers."""
    payload = events.view(view)
    return list(zip(*(payload[name].tolist() for name in names), strict=True))


def measure(benchmark: Any, call: Callable[..., Any], arguments: list[tuple[Any, ...]]) -> None:
    """Rounds of CALLS calls, each on the next stretch of ``arguments``."""
    stretches = iter([arguments[i : i + CALLS] for i in range(0, len(arguments) - CALLS + 1, CALLS)])

    def loop(stretch: list[tuple[Any, ...]]) -> None:
        for given in stretch:
            call(*given)

    rounds = len(arguments) // CALLS - 2
    benchmark.pedantic(loop, setup=lambda: ((next(stretches),), {}), rounds=rounds, warmup_rounds=1)
    per(benchmark, CALLS)


def per(benchmark: Any, units: float, unit: str = "call") -> None:
    if benchmark.stats is not None:
        for name in ("min", "median"):
            value = getattr(benchmark.stats.stats, name) / units * 1e9
            benchmark.extra_info[f"{name} ns per {unit}"] = round(value, 2)


@pytest.mark.parametrize("columns", ["no columns", "100 bar columns", "all bar columns", "all columns"])
def test_on_bar(benchmark, columns):
    benchmark.group = "on_bar"
    bars = cases.make_bars(1000 + TOTAL).events()
    engine = Engine(SETS[columns]())
    engine.run(bars[:1000])
    measure(benchmark, engine.on_bar, rows(bars[1000:], BAR, "ts", "open", "high", "low", "close", "volume"))
    assert engine.bar_count > 1000
    assert columns == "all columns" or np.isfinite(engine.row).all()


@pytest.mark.parametrize("columns", ["no columns", "queue imbalance, ofi, microprice", "all columns"])
def test_on_depth(benchmark, columns):
    benchmark.group = "on_depth"
    events = flow.updates(TOTAL)
    engine = Engine(SETS[columns]())
    engine.run(events[:400])
    measure(benchmark, engine.on_depth, rows(events[400:], DEPTH, "ts", "side", "price", "size"))
    assert engine.book.valid and not engine.book.crossed


@pytest.mark.parametrize("columns", ["no columns", "all columns"])
def test_on_trade(benchmark, columns):
    benchmark.group = "on_trade"
    engine = Engine(SETS[columns]())
    measure(benchmark, engine.on_trade, rows(flow.prints(TOTAL), TRADE, "ts", "price", "size", "side"))
    assert engine.counts["trade"] > CALLS


@pytest.mark.parametrize("columns", ["no columns", "all columns"])
def test_on_quote(benchmark, columns):
    benchmark.group = "on_quote"
    engine = Engine(SETS[columns]())
    names = ("ts", "bid", "bid_size", "ask", "ask_size")
    measure(benchmark, engine.on_quote, rows(flow.touches(TOTAL), QUOTE, *names))
    assert engine.counts["quote"] > CALLS


@pytest.mark.parametrize("columns", ["no columns", "all columns"])
@pytest.mark.parametrize("kind", ["score", "aux", "peer", "basket", "factor"])
def test_on_slow_series(benchmark, kind, columns):
    """Scores, auxiliary series and what a panel tells, a second apart, with a bar a minute."""
    benchmark.group = f"on_{kind}"
    rng = np.random.default_rng(3)
    engine = Engine(SETS[columns]())
    engine.run(cases.make_bars(500).events())
    ts = engine.ts + 1_000_000_000 * np.arange(1, TOTAL + 1)
    x, y = rng.normal(size=TOTAL).tolist(), (100 * np.exp(np.cumsum(rng.normal(0, 1e-4, TOTAL)))).tolist()
    source = rng.integers(0, 4, TOTAL).tolist()
    ones, share = [1.0] * TOTAL, rng.random(TOTAL).tolist()
    given = {
        "score": (x, ones, source), "aux": (source, x), "peer": (y, ones, x, x, ones, source),
        "basket": (x, np.abs(x).tolist(), share, share, x, share), "factor": (share, x, x),
    }[kind]  # fmt: skip
    measure(benchmark, getattr(engine, f"on_{kind}"), list(zip(ts.tolist(), *given, strict=True)))
    assert engine.counts[kind] > CALLS


@pytest.mark.parametrize("text", [False, True], ids=["numbers", "decimal text"])
@pytest.mark.parametrize("columns", ["no columns", "all columns"])
def test_on_depth_message(benchmark, columns, text):
    """20 levels a side as lists of [price, size], as JSON arrives; sizes change, now and then to 0."""
    benchmark.group = "on_depth_message, 20 levels a side"
    rng = np.random.default_rng(5)
    n, base = 200, 10_000
    sizes = np.round(rng.lognormal(0, 1, (n, 2, 20)), 3) * (rng.random((n, 2, 20)) > 0.1)
    sizes[:, :, 0] += 0.001
    kind = str if text else float
    messages = [
        (
            flow.START + flow.STEP * i,
            [[kind((base - k) / 100), kind(sizes[i, 0, k])] for k in range(20)],
            [[kind((base + 1 + k) / 100), kind(sizes[i, 1, k])] for k in range(20)],
        )
        for i in range(n)
    ]
    engine = Engine(SETS[columns]())
    engine.on_depth_message(*messages[0], snapshot=True)
    clock = itertools.count(messages[-1][0], flow.STEP)

    def loop(stretch: Any) -> None:
        for ts, bids, asks in stretch:
            engine.on_depth_message(ts, bids, asks)

    def setup() -> Any:
        return ([(next(clock), bids, asks) for _, bids, asks in messages],), {}

    benchmark.pedantic(loop, setup=setup, rounds=ROUNDS, warmup_rounds=1)
    per(benchmark, n)
    assert engine.book.valid


@pytest.mark.parametrize(
    "what", ["bars, 100 columns", "depth, imbalance", "depth, all columns", "mixed, 1s bars"]
)
def test_run(benchmark, what):
    """Replay in C++: nanoseconds per event."""
    benchmark.group = "run"
    columns: Any = FeatureSet.default()
    sample, bars = "bar", None
    if what.startswith("bars"):
        events, columns = cases.make_bars(20_000).events(), FeatureSet(cases.COLUMNS)
    elif what.startswith("depth"):
        events = flow.updates(TOTAL)
        if what.endswith("imbalance"):
            columns, sample = FeatureSet(["queue_imbalance_l5"]), "event"
    else:
        events, sample, bars = flow.mixed(TOTAL), "1s", "1s"
    run = lambda engine: engine.run(events, sample=sample)  # noqa: E731
    table = benchmark.pedantic(
        run, setup=lambda: ((Engine(columns, bars=bars),), {}), rounds=7, warmup_rounds=1
    )
    per(benchmark, len(events), "event")
    assert table.shape[1] == len(columns)


@pytest.fixture
def full():
    """An engine of all columns that has seen bars, depth and trades."""
    engine = Engine(bars="1s")
    engine.run(flow.mixed(20_000), sample="1s")
    return engine


def test_snapshot(benchmark, full):
    benchmark.group = "saved state"
    blob = benchmark.pedantic(full.snapshot, rounds=200, warmup_rounds=5)
    benchmark.extra_info["bytes"] = len(blob)
    per(benchmark, 1)


def test_restore(benchmark, full):
    benchmark.group = "saved state"
    blob = full.snapshot()
    engine = benchmark.pedantic(Engine.restore, args=(blob,), rounds=100, warmup_rounds=5)
    per(benchmark, 1)
    assert engine.row.tobytes() == full.row.tobytes()


def test_new_engine(benchmark):
    benchmark.group = "saved state"
    engine = benchmark.pedantic(Engine, rounds=100, warmup_rounds=5)
    benchmark.extra_info["bytes of state"] = engine.state_bytes
    per(benchmark, 1)
