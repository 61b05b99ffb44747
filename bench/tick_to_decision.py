"""From an event to the decision it causes: the Orchestrator with all columns and the shipped models.

    python bench/tick_to_decision.py [--json FILE] [--quick] [--recorded] [--flagship] [--only lane]

The bot is asked for a decision every second of market time. On the tick that begins a second
everything is due at once: a bar closes (every column of bars), both models step, the decision is
made. Only those ticks are counted; the events between them are fed as well, back to back.

hot       one tick after the other
paced     3 ms after the last one; the process slept meanwhile, as a bot does: caches are cold
beside    paced, with a busy pure-Python thread in the same process, at the default switch interval (5 ms) and
          at 50 us. Then the tick may wait for the GIL, so two latencies are given: "call", from the call to
          the Decision, and "due", from the moment the tick was to come, with waking up and getting the GIL
each      a decision on every event instead of every second: decisions per second of CPU time on one core

The same through the lane (``smartcore.bot.lane``), models run by ONNX Runtime's C interface, fed by a native thread:
from the event's arrival to the moment the decision can be read. hot and beside as above (beside at the default
interval), and

slept      paced; the lane sleeps between ticks, as it does by default: waking up is in the time
rehearsed  the same, while the models are run for nothing every 500 us
spinning   the lane never sleeps, which takes a core of its own: beside a busy thread a machine needs three
before     slept, with priority over all that has none (SCHED_FIFO), where the system allows it: no neighbours
wake       from the push to the lane that slept: a decision of a bot without models

--flagship measures it with models of flagship size too: a GRU of 128 units and four ensembles of 400 trees
(``bench/flagship.py``). Goals: p50 at most 400 us, p99 at most 1 ms, 2,000 decisions a second.

Percentiles of every tick, in wall time. On a machine with neighbours those hold the neighbours'
time slices, so two more are given: "undisturbed", the ticks during which the kernel did not take
the core away for somebody else, and "cpu", the thread's CPU time, which sees cold caches but no
neighbours. Events come from the simulator, made by another process so that nothing of it is in this
one, and with --recorded from the recorded Binance perpetual where it is present. The reference is a
fixed piece of Python and NumPy timed in the same run (``example_gate.reference``): a ratio to it
survives another machine, a time does not.
"""

from __future__ import annotations

import contextlib
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import measure
import numpy as np
from example_gate import reference
from numpy.typing import NDArray

from smartcore import BAR, DEPTH, EVENT, QUOTE, TRADE, Engine, Kind, Model, Orchestrator, Policy
from smartcore.bot.lane import Lane
from smartcore.models import builtin
from smartcore.models.native import NativeModel

RECORDING = measure.DATA / "binance_l2_2024" / "usdm_perp_btcusdt_2024-08-08.parquet"
SECOND = 10**9
PACE = 0.003
WARM = 100
"""Decisions before anything is counted: models want 60 seconds."""

SIMULATE = """
import smartcore as sc
sc.simulate(seconds={seconds}, seed=11, regime="mixed").events.tofile({path!r})
"""
READ = "import smartcore as sc; sc.read({source!r}).tofile({path!r})"
CALLS: dict[int, tuple[str, Any, tuple[str, ...]]] = {
    Kind.BAR: ("on_bar", BAR, ("open", "high", "low", "close", "volume", "turnover")),
    Kind.TRADE: ("on_trade", TRADE, ("price", "size", "side")),
    Kind.DEPTH: ("on_depth", DEPTH, ("side", "price", "size")),
    Kind.QUOTE: ("on_quote", QUOTE, ("bid", "bid_size", "ask", "ask_size")),
}

Call = tuple[str, tuple[Any, ...]]


def made_elsewhere(program: str, **given: Any) -> NDArray[np.void]:
    """Events that another process wrote to a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "events")
        subprocess.run([sys.executable, "-c", program.format(path=path, **given)], check=True)
        return np.fromfile(path, EVENT)


def calls(events: NDArray[np.void]) -> list[Call]:
    """(method, arguments) of every event, as plain Python numbers, as a feed handler has them."""
    out: list[Call | None] = [None] * len(events)
    for kind, (method, view, names) in CALLS.items():
        at = np.flatnonzero(events["kind"] == kind)
        payload = events[at].view(view)
        columns = [payload["ts"].tolist(), *(payload[name].tolist() for name in names)]
        if kind == Kind.DEPTH:
            columns += [(payload["flags"] & 1 > 0).tolist(), (payload["flags"] & 2 > 0).tolist()]
        for i, given in zip(at.tolist(), zip(*columns, strict=True), strict=True):
            out[i] = method, given
    return [call for call in out if call is not None]


def stretches(feed: list[Call]) -> list[tuple[list[Call], Call]]:
    """(events up to a second's end, the tick that begins the next one). A depth message that is still
    open waits."""
    out, before = [], []
    second = feed[0][1][0] // SECOND
    for call in feed:
        method, given = call
        if given[0] // SECOND > second and (method != "on_depth" or given[4]):
            out.append((before, call))
            before = []
            second = given[0] // SECOND
        else:
            before.append(call)
    return out


def new_bot(every: str) -> Orchestrator:
    engine = Engine(instrument="SIM", bars="1s")
    return Orchestrator(engine, *(Model.load(name) for name in builtin()), policy=Policy(every=every))


def percentiles(ns: list[int]) -> dict[str, Any]:
    us = np.array(ns) / 1e3
    shown = {f"p{q:g}_us": round(float(np.percentile(us, q)), 1) for q in (50, 90, 99, 99.9)}
    mean, low, high = (round(float(x), 1) for x in (us.mean(), us.min(), us.max()))
    return {"n": len(ns), "mean_us": mean, "min_us": low, **shown, "max_us": high}


def taken_away() -> int:
    """How often the kernel has taken the core from this thread for another; 0 where it does not say
    (macOS)."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw if hasattr(resource, "RUSAGE_THREAD") else 0


def ticks(feed: list[Call], pace: float = 0.0, most: int = 10**9) -> dict[str, Any]:
    """Latency of the ticks that decide. ``pace``: seconds from one of them to the next."""
    bot = new_bot("1s")
    now = time.perf_counter_ns
    call: list[int] = []
    due: list[int] = []
    cpu: list[int] = []
    taken: list[bool] = []
    with measure.no_gc():
        next_at = now()
        for i, (between, (method, given)) in enumerate(stretches(feed)):
            if i >= most + WARM:
                break
            for name, arguments in between:
                getattr(bot, name)(*arguments)
            on = getattr(bot, method)
            if pace:
                next_at += int(pace * 1e9)
                left = next_at - now()
                if left > 0:
                    time.sleep(left / 1e9)
                else:
                    next_at = now()
            switches = taken_away()
            used = time.thread_time_ns()
            start = now()
            decision = on(*given)
            end = now()
            used = time.thread_time_ns() - used
            if decision is None:
                raise RuntimeError(f"{method}{given}: the tick after a second's end brought no decision")
            if i >= WARM:
                call.append(end - start)
                due.append(end - (next_at if pace else start))
                cpu.append(used)
                taken.append(taken_away() > switches)
    alone = [ns for ns, disturbed in zip(call, taken, strict=True) if not disturbed]
    result: dict[str, Any] = {
        "call": percentiles(call),
        "undisturbed": percentiles(alone),
        "cpu": percentiles(cpu),
    }
    if pace:
        result["due"] = percentiles(due)
    status = bot.status()
    result["models"] = {m["name"]: m["speaks"] for m in status["models"]}
    if not all(result["models"].values()):
        raise RuntimeError(f"a model does not speak: {status['models']}")
    return result


@contextlib.contextmanager
def busy_thread(interval: float) -> Iterator[None]:
    """A pure-Python thread that does not rest."""
    stop = threading.Event()

    def busy() -> None:
        x = 0
        while not stop.is_set():
            for _ in range(1000):
                x += 1

    before = sys.getswitchinterval()
    thread = threading.Thread(target=busy, daemon=True)
    sys.setswitchinterval(interval)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(before)


def beside_a_thread(feed: list[Call], interval: float, most: int) -> dict[str, Any]:
    with busy_thread(interval):
        return ticks(feed, PACE, most)


def throughput(feed: list[Call]) -> dict[str, Any]:
    """A decision on every event; models step each second. CPU time of the whole loop, the events' own
    work included."""
    bot = new_bot("1 events")
    methods = {name: getattr(bot, name) for name, _, _ in CALLS.values()}
    for name, given in feed[:2000]:
        methods[name](*given)
    decided = bot.decisions
    with measure.no_gc():
        begin = time.process_time_ns()
        for name, given in feed[2000:]:
            methods[name](*given)
        spent = time.process_time_ns() - begin
    decided = bot.decisions - decided
    return {
        "decisions": decided,
        "events": len(feed) - 2000,
        "cpu_us": round(spent / decided / 1e3, 2),
        "decisions per second": round(decided / spent * 1e9),
    }


# ---- the lane ----


def due(events: NDArray[np.void], pace: float, most: int) -> tuple[NDArray[np.void], NDArray[np.int64]]:
    """Events up to the tick number ``most`` that begins a second, and when each comes: the tick every ``pace`` seconds
    (0: as soon as all before it is done), those between right after the tick before.
    """
    second = events["ts"] // SECOND
    closes = (events["kind"] != Kind.DEPTH) | (events["flags"] & 1 > 0)
    times = np.zeros(len(events), np.int64)
    now, at, tick = second[0], 0, 0
    for i in range(len(events)):
        if second[i] > now and closes[i]:
            now, tick = second[i], tick + 1
            if tick > most:
                return events[:i], times[:i]
            at = int(tick * pace * 1e9)
            times[i] = at if pace else -1
        else:
            times[i] = at
    return events, times


def through_the_lane(
    events: NDArray[np.void], files: Sequence[str | Path], pace: float, most: int, **given: Any
) -> dict[str, Any]:
    """Latency of the decisions at each second's first tick: arrival to where it can be read."""
    engine = Engine(instrument="SIM", bars="1s")
    bot = Orchestrator(engine, *(NativeModel.load(file) for file in files), policy=Policy(every="1s"))
    fed, times = due(events, pace, most + WARM)
    took: list[int] = []
    taken: list[bool] = []
    with measure.no_gc(), Lane(bot, kept=1 << 13, **given) as lane:
        lane.play(fed, due=times)
        while lane.plays:
            time.sleep(0.05)
        if not lane.settle(60):
            raise RuntimeError("the lane did not finish")
        before = 0
        while lane.poll() is not None:
            took.append(lane.ready - lane.arrived)
            taken.append(lane.preempted > before)
            before = lane.preempted
        status = lane.status()
    if status["dropped"] or status["late"] or status["lost"] or len(took) < WARM + 10:
        raise RuntimeError(f"the lane lost something: {status}")
    said = {m["name"]: m["speaks"] for m in bot.status()["models"]}
    if not all(said.values()):
        raise RuntimeError(f"a model does not speak: {bot.status()['models']}")
    took, taken = took[WARM:], taken[WARM:]
    alone = [ns for ns, disturbed in zip(took, taken, strict=True) if not disturbed] or took
    priority = {"priority": status["has_priority"]} if "priority" in given else {}
    return {"call": percentiles(took), "undisturbed": percentiles(alone), "models": said, **priority}


def every_event(events: NDArray[np.void], files: Sequence[str | Path]) -> dict[str, Any]:
    """Everything due on every event: all models step, a decision is made. CPU time of the loop alone."""
    models = []
    for file in files:
        model = NativeModel.load(file)
        model.contract = replace(model.contract, sample="event")
        models.append(model)
    bot = Orchestrator(Engine(instrument="SIM", bars="1s"), *models, policy=Policy(every="1 events"))
    for _ in bot.run(events[:500]):
        pass
    decided = bot.decisions
    with measure.no_gc():
        begin = time.process_time_ns()
        for _ in bot.run(events[500:]):
            pass
        spent = time.process_time_ns() - begin
    decided = bot.decisions - decided
    return {
        "decisions": decided,
        "cpu_us": round(spent / decided / 1e3, 2),
        "decisions per second": round(decided / spent * 1e9),
    }


GOALS = {"p50_us": 400.0, "p99_us": 1000.0, "decisions per second": 2000}


def lanes(events: NDArray[np.void], files: Sequence[str | Path], quick: bool) -> dict[str, Any]:
    most = 60 if quick else 2500
    out: dict[str, Any] = {"files": [Path(file).name for file in files]}

    def run(name: str, pace: float, paths: Sequence[str | Path] = files, **given: Any) -> None:
        out[name] = through_the_lane(events, paths, pace, most, **given)
        for what in ("call", "undisturbed"):
            line(f"lane, {name}: {what}", out[name][what])

    run("hot", 0.0, spin="1s")
    run("slept", PACE)
    run("rehearsed", PACE, rehearse="500us")
    run("spinning", PACE, spin="1h")
    run("before all", PACE, priority=10)
    run("wake", PACE, ())
    with busy_thread(0.005):
        run("slept, beside a thread", PACE)
        run("rehearsed, beside a thread", PACE, rehearse="500us")
        run("before all, beside a thread", PACE, priority=10)
    out["every event"] = every_event(events[: 1_500 if quick else 20_000], files)
    rate = out["every event"]["decisions per second"]
    print(f"  everything due on every event: {rate} decisions per second of CPU")
    gates: dict[str, bool] = {
        f"{name}, {key}": out[name]["call"][key] <= GOALS[key]
        for name in out
        if "call" in out[name] and name not in ("spinning", "wake")
        for key in ("p50_us", "p99_us")
    }
    gates["decisions per second"] = rate >= GOALS["decisions per second"]
    out["goals"] = gates
    missed = [name for name, met in gates.items() if not met]
    print(f"  goals (p50 400 us, p99 1 ms, 2,000 a second): {'missed: ' + '; '.join(missed) if missed else 'all met'}")
    return out


def reference_times(n: int = 300) -> list[int]:
    """CPU nanoseconds of the reference workload."""
    times = []
    for _ in range(n):
        begin = time.thread_time_ns()
        reference()
        times.append(time.thread_time_ns() - begin)
    return times


def line(name: str, got: dict[str, Any]) -> None:
    shown = "  ".join(f"{q} {got[f'{q}_us']:8.1f}" for q in ("p50", "p99", "p99.9"))
    print(f"  {name:42} {shown} us   (n = {got['n']})")


def measured(events: NDArray[np.void], quick: bool) -> dict[str, Any]:
    feed = calls(events)
    most = 100 if quick else 2500
    out: dict[str, Any] = {"events": len(feed), "unit": "wall us"}
    times = reference_times()
    out["hot"] = ticks(feed)
    times += reference_times()  # once before and once after: the clock speed may have moved
    out["reference"] = percentiles(times)
    line("reference workload: cpu", out["reference"])
    out["paced"] = ticks(feed, PACE, most)
    out["beside a thread, 5 ms"] = beside_a_thread(feed, 0.005, most)
    out["beside a thread, 50 us"] = beside_a_thread(feed, 5e-5, most)
    for name in ("hot", "paced", "beside a thread, 5 ms", "beside a thread, 50 us"):
        for what in ("call", "undisturbed", "cpu", "due"):
            if what in out[name]:
                line(f"{name}: {what}", out[name][what])
    out["each"] = throughput(feed[: 5_000 if quick else 30_000])
    one = round(1e6 / out["hot"]["cpu"]["mean_us"])
    out["everything due, decisions per second"] = one
    each = out["each"]["decisions per second"]
    print(f"  decisions per second of CPU: {one} with everything due, {each} on every event")
    floor = out["reference"]["min_us"]
    # Paced ticks are no gate: how cold the caches get in 3 ms is up to the neighbours (30 % from run to run).
    out["ratios"] = {"tick/hot/reference": round(out["hot"]["cpu"]["p50_us"] / floor, 4)}
    return out


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--recorded", action="store_true", help=f"also {RECORDING.name}, where it is present")
    parser.add_argument("--flagship", action="store_true", help="the lane with models of flagship size too")
    parser.add_argument("--only", choices=("lane",), help="leave out the bot without a lane")
    given = parser.parse_args()
    result: dict[str, Any] = {"machine": measure.header()}
    print("simulated")
    seconds = 300 if given.quick else 3600
    events = made_elsewhere(SIMULATE, seconds=seconds)
    if given.only is None:
        result["simulated"] = measured(events, given.quick)
    print("\nthe lane, shipped models")
    result["lane"] = lanes(events, builtin(), given.quick)
    if given.flagship:
        print("\nthe lane, models of flagship size")
        # Made by another process: nothing of what trains is in this one.
        folder = measure.ROOT / "out" / ("flagship-quick" if given.quick else "flagship")
        command = [sys.executable, str(Path(__file__).with_name("flagship.py")), str(folder)]
        subprocess.run([*command, *(["--quick"] if given.quick else [])], check=True)
        result["lane, flagship"] = lanes(events, sorted(folder.glob("[!p]*.onnx")), given.quick)
    if given.recorded:
        print(f"\nrecorded: {RECORDING.name}")
        if RECORDING.exists():
            result["recorded"] = measured(made_elsewhere(READ, source=str(RECORDING)), given.quick)
            del result["recorded"]["ratios"]
        else:
            result["recorded"] = {"skipped": "not present; set SMARTCORE_DATA"}
            print("  skipped: not present; set SMARTCORE_DATA")
    measure.write(given.json, result)


if __name__ == "__main__":
    main()
