"""The lane: a bot on a thread of its own decides what the bot decides, and nothing in the interpreter delays it."""

from __future__ import annotations

import asyncio
import gc
import os
import select
import subprocess
import sys
import threading
import time
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import test_native

import smartcore as sc
from smartcore.bot.health import Monitor
from smartcore.bot.lane import Lane
from smartcore.errors import InvalidEvent
from smartcore.models import Model
from smartcore.models.native import NativeModel, library

try:
    library()
except FileNotFoundError as absent:
    pytest.skip(str(absent), allow_module_level=True)

EVENTS = sc.simulate(seconds=200, seed=11, regime="mixed").events
KEPT = 4096


def bot(*models: object, every: str = "1s", **given: object) -> sc.Orchestrator:
    engine = sc.Engine(instrument="SIM", bars="1s", out_of_order="drop")
    models = models or (NativeModel.load("gru"), NativeModel.load("gbdt"))
    return sc.Orchestrator(engine, *models, policy=sc.Policy(every=every), latency_ns=100_000, **given)


def read(lane: Lane) -> list[sc.Decision]:
    found = []
    while (decision := lane.poll()) is not None:
        found.append(decision)
    return found


@pytest.fixture(scope="module")
def plain() -> list[sc.Decision]:
    """What the bot decides without a lane."""
    return list(bot().run(EVENTS))


def test_decisions_are_those_of_the_bot_to_the_bit(plain):
    assert len(plain) > 150 and {d.regime.name for d in plain}
    mine = bot()
    with Lane(mine, kept=KEPT) as lane:
        assert lane.native and lane.push_many(EVENTS) and lane.settle()
        assert [d.raw for d in read(lane)] == [d.raw for d in plain]
    direct = bot()
    list(direct.run(EVENTS))
    assert mine.engine.snapshot() == direct.engine.snapshot() and mine.decisions == direct.decisions


def test_one_event_at_a_time_and_in_every_other_way(plain):
    """Pushed singly by typed calls and as records, played from a native thread: the same."""
    some = EVENTS[:12_000]
    until = [d.raw for d in plain if d.ts <= some["ts"][-1]]
    with Lane(bot(), kept=KEPT) as lane:
        for event in some:
            assert lane.on_event(event)
        assert lane.settle()
        assert [d.raw for d in read(lane)][: len(until) - 1] == until[:-1]
    with Lane(bot(), kept=KEPT) as lane:
        lane.play(EVENTS)
        while lane.plays:
            time.sleep(0.005)
        assert lane.settle() and [d.raw for d in read(lane)] == [d.raw for d in plain]


def test_stopped_and_started_it_goes_on(plain):
    mine, found = bot(), []
    lane = Lane(mine, kept=KEPT)
    edges = [0, 5_000, 5_001, 14_000, len(EVENTS)]
    for first, end in pairwise(edges):
        lane.start()
        lane.start()  # which runs already
        lane.push_many(EVENTS[first:end])
        lane.stop()  # what was pushed is done
        lane.stop()
        assert not lane.runs
    found += read(lane)
    assert [d.raw for d in found] == [d.raw for d in plain]


def test_the_bot_between_lanes(plain):
    """A bot used directly, by a lane, and directly again is one bot; while a lane has it nobody else may."""
    mine = bot()
    a, b = 6_000, 13_000
    found = [d.raw for d in mine.run(EVENTS[:a])]
    with Lane(mine, kept=KEPT) as lane:
        with pytest.raises(RuntimeError, match="lane"):
            mine.on_trade(int(EVENTS["ts"][-1]), 1.0, 1.0, 1)
        with pytest.raises(RuntimeError, match="another lane"):
            Lane(mine).start()
        for change in (
            lambda: mine.snapshot(),
            lambda: setattr(mine, "equity", 1.0),
            lambda: setattr(mine, "position", 1),
        ):
            with pytest.raises(RuntimeError, match="a lane has this bot"):
                change()
        lane.push_many(EVENTS[a:b])
    found += [d.raw for d in read(lane)] + [d.raw for d in mine.run(EVENTS[b:])]
    assert found == [d.raw for d in plain]


def test_bad_events():
    with Lane(bot()) as lane:
        ts = int(EVENTS["ts"][0])
        with pytest.raises(InvalidEvent, match="price"):
            lane.on_trade(ts, -1.0, 1.0, 1)
        with pytest.raises(InvalidEvent, match="event 3"):
            bad = EVENTS[:5].copy()
            bad["kind"][3] = 77
            lane.push_many(bad)
        with pytest.raises(InvalidEvent):
            lane.play(bad)
        assert lane.on_trade(ts, 100.0, 1.0, 1) and lane.on_trade(ts - 5, 100.0, 1.0, 1)
        assert lane.settle()
        status = lane.status()
        assert status["taken"] == 2 and status["late"] == 1 and status["refused"] == 0
    with pytest.raises(RuntimeError, match="does not run"):
        lane.on_trade(ts, 100.0, 1.0, 1)


def test_calls_of_every_kind():
    ts = 1_700_000_000_000_000_000
    direct, mine = bot(every="1 events"), bot(every="1 events")
    calls = [
        ("on_depth", (ts, 1, 100.0, 2.0, True, True)),
        ("on_depth", (ts, -1, 100.5, 2.0)),
        ("on_quote", (ts + 1, 100.0, 1.0, 100.5, 1.0)),
        ("on_trade", (ts + 2, 100.5, 0.5, 1)),
        ("on_score", (ts + 3, 0.5, 1.0, "news")),
        ("on_aux", (ts + 4, "funding", 1e-4)),
        ("advance", (ts + 2_000_000_000,)),
    ]
    want = [getattr(direct, name)(*given) for name, given in calls]
    with Lane(mine) as lane:
        for name, given in calls:
            assert getattr(lane, name)(*given) is True
        assert lane.settle()
        assert [d.raw for d in read(lane)] == [d.raw for d in want if d is not None]
    with pytest.raises(InvalidEvent, match="bars from trades"), Lane(bot()) as other:
        other.on_bar(ts, 1.0, 1.0, 1.0, 1.0, 1.0)


def test_a_full_ring_drops_counts_and_tells_a_gap():
    """The first event's model waits, so that the ring fills behind it; the book is stale afterwards."""
    gate = threading.Event()

    class Waits:
        def __init__(self, model):
            self.model, self.contract = model, model.contract
            self.ready, self.missing = True, 0

        def bind(self, features):
            self.model.bind(features)

        def step(self, row):
            gate.wait(10)
            return self.model.step(row)

        def fork(self):
            return self

    mine = bot(Waits(Model.load("gbdt")))
    with pytest.warns(RuntimeWarning, match="waits for the interpreter"):
        lane = Lane(mine, room=64, kept=KEPT)
    with lane:
        assert not lane.native
        took = [lane.on_event(event) for event in EVENTS[:5000]]
        assert not all(took)
        gate.set()
        assert lane.settle()
        dropped = took.count(False)
        assert lane.status()["dropped"] == dropped > 0
        rest = EVENTS[EVENTS["kind"] == sc.Kind.TRADE]
        for event in rest[rest["ts"] > EVENTS["ts"][5000]][:5]:
            assert lane.on_event(event) and lane.settle()
    assert mine.engine.counts["gap"] >= 1 and mine.engine.book.stale


def test_decisions_nobody_reads_give_way_to_newer_ones(plain):
    with Lane(bot(), kept=16) as lane:
        lane.push_many(EVENTS)
        assert lane.settle()
        assert [d.raw for d in read(lane)] == [d.raw for d in plain[-16:]]
        status = lane.status()
        assert status["lost"] == len(plain) - 16 and status["decisions"] == len(plain)


def test_decisions_are_whole_while_they_are_overwritten(plain):
    """A reader beside the writer, a ring of two: each decision that is read is one that was made, in order."""
    raw = {d.raw: i for i, d in enumerate(plain)}
    with Lane(bot(), kept=2) as lane:
        lane.play(EVENTS)
        seen = []
        while lane.plays or not lane.settle(0):
            seen += [d.raw for d in read(lane)]
        seen += [d.raw for d in read(lane)]
        at = [raw[one] for one in seen]
        assert at == sorted(set(at)) and at[-1] == len(plain) - 1
        assert len(seen) + lane.status()["lost"] == len(plain)


def test_waiting_for_a_decision(plain):
    with Lane(bot(), kept=KEPT) as lane:
        begin = time.perf_counter()
        assert lane.wait(0.05) is None and time.perf_counter() - begin >= 0.04
        lane.play(EVENTS, due=np.full(len(EVENTS), 30_000_000))
        first = lane.wait(10)
        assert first is not None and first.raw == plain[0].raw
        assert lane.ready >= lane.arrived > 0
        while lane.plays:
            time.sleep(0.005)
    assert len(read(lane)) == len(plain) - 1
    assert lane.wait(5) is None  # it stands: at once


@pytest.mark.skipif(sys.platform == "win32", reason="no descriptor to wait on")
def test_a_descriptor_for_event_loops(plain):
    with Lane(bot(), kept=KEPT) as lane:
        fd = lane.fileno()
        assert lane.fileno() == fd and not select.select([fd], [], [], 0)[0]
        lane.push_many(EVENTS)
        assert lane.settle() and select.select([fd], [], [], 1)[0]
        assert len(read(lane)) == len(plain) and not select.select([fd], [], [], 0)[0]


def test_async_for(plain):
    async def listen() -> list[bytes]:
        lane = Lane(bot(), kept=KEPT).start()
        lane.play(EVENTS)

        async def end() -> None:
            while lane.plays:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(lane.settle)
            lane.stop()

        ending = asyncio.create_task(end())
        found = [decision.raw async for decision in lane]
        await ending
        return found

    assert asyncio.run(asyncio.wait_for(listen(), 60)) == [d.raw for d in plain]


def test_the_account_goes_with_the_events():
    direct, mine = bot(), bot()
    half = len(EVENTS) // 2
    want = list(direct.run(EVENTS[:half]))
    direct.position, direct.equity = 2.0, 10_000.0
    want += list(direct.run(EVENTS[half:]))
    with Lane(mine, kept=KEPT) as lane:
        lane.push_many(EVENTS[:half])
        assert lane.account(position=2.0, equity=10_000.0)
        lane.push_many(EVENTS[half:])
        assert lane.settle() and [d.raw for d in read(lane)] == [d.raw for d in want]
    assert mine.position == 2.0 and mine.equity == 10_000.0


def test_models_of_python_decide_alike():
    """Slower, for their steps wait for the interpreter, and said so; the decisions are the same."""
    with pytest.warns(RuntimeWarning, match="interpreter"):
        lane = Lane(bot(Model.load("gru"), Model.load("gbdt")), kept=KEPT)
    some = EVENTS[:8_000]
    with lane:
        lane.push_many(some)
        assert lane.settle()
    assert [d.raw for d in read(lane)] == [d.raw for d in bot(Model.load("gru"), Model.load("gbdt")).run(some)]


def test_rehearsals_and_passing_time_change_no_score(plain):
    with warnings.catch_warnings(action="error"), Lane(bot(), kept=KEPT, rehearse="100us", spin="1us") as lane:
        for part in np.array_split(EVENTS, 20):
            lane.push_many(part)
            time.sleep(0.002)
        assert lane.settle() and [d.raw for d in read(lane)] == [d.raw for d in plain]
    mine = bot()
    with Lane(mine, kept=KEPT, advance="20ms", spin="1us") as lane:
        lane.on_trade(time.time_ns(), 100.0, 1.0, 1)
        assert lane.wait(30) is not None  # a second ended by the clock alone


def test_core_and_priority_are_wishes(plain):
    """Granted or not, decisions are the same; a core that is not there is none to be kept on."""
    for given in ({"priority": 10, "core": 0}, {"core": 1000}):
        with Lane(bot(), kept=KEPT, **given) as lane:
            lane.push_many(EVENTS)
            assert lane.settle() and [d.raw for d in read(lane)] == [d.raw for d in plain]
            assert lane.has_priority in ((True, False) if "priority" in given else (False,))


def test_a_model_that_fails_is_missing_from_decisions(tmp_path):
    """Its scores are always infinite: no exception, no crash, decisions say so and the lane goes on."""
    pytest.importorskip("onnx")

    def divided(file, contract):
        from onnx import helper, numpy_helper

        file.graph.node[-1].output[0] = "sound"
        pick = np.zeros((contract.width, 1), np.float32)
        file.graph.initializer.extend([numpy_helper.from_array(pick, "pick")])
        file.graph.node.extend(
            [
                helper.make_node("MatMul", ["row", "pick"], ["zero"]),
                helper.make_node("Div", ["sound", "zero"], ["scores"]),
            ]
        )
        return contract

    mine = bot(NativeModel.load(test_native.broken(tmp_path, divided)))
    with Lane(mine, kept=KEPT) as lane:
        lane.push_many(EVENTS)
        assert lane.settle()
        found = read(lane)
    assert len(found) > 150 and {str(d.signal) for d in found} == {"HOLD"}
    assert not any(reason.passed for d in found for reason in d.reasons if reason.gate == "model")
    assert mine.status()["models"][0]["faults"] > 150


def test_what_cannot_be_meant_is_refused():
    for given in ({"room": 0}, {"kept": 1 << 30}, {"priority": 100}, {"spin": "soon"}, {"rehearse": "-1s"}):
        with pytest.raises(
            ValueError, match="interval" if "spin" in given or "rehearse" in given else next(iter(given))
        ):
            Lane(bot(), **given)
    lane = Lane(bot())
    for pace in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="pace"):
            lane.play(EVENTS, pace)
    with pytest.raises(ValueError, match="as many times"):
        lane.play(EVENTS, due=np.zeros(3, np.int64))


def test_a_lane_that_is_forgotten_ends():
    mine = bot()

    def threads() -> int:
        return len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 0

    gc.collect()
    before = threads()
    lane = Lane(mine, kept=KEPT).start()
    lane.play(EVENTS, 1.0)
    assert sys.platform != "linux" or threads() == before + 2
    del lane
    gc.collect()
    assert threads() <= before
    mine.on_event(EVENTS[-1])  # it is the owner's again


def test_what_is_stopped_does_not_wait_for_the_next_event():
    """An hour between two events of a recording is nothing to sit out."""
    hour = np.array([0, 3600 * 10**9])
    for end in ("_stop_playing", "stop"):
        with Lane(bot()) as lane:
            lane.play(EVENTS[:2], due=hour)
            ending = threading.Thread(target=getattr(lane, end), daemon=True)
            ending.start()
            ending.join(20)
            assert not ending.is_alive() and not lane.plays


def test_stopped_and_played_from_many_threads():
    """Each call waits for the one before; no thread is joined twice, nothing that plays is freed."""
    mine = bot()
    lane = Lane(mine, kept=KEPT).start()

    def play() -> None:
        for _ in range(30):
            lane.play(EVENTS[:200].copy(), due=np.full(200, 50_000))

    def restart() -> None:
        for _ in range(30):
            lane.stop()
            lane.start()

    threads = [threading.Thread(target=each) for each in (play, play, restart, restart)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    lane.stop()
    assert not lane.runs and not lane.plays
    mine.snapshot()  # no lane has it


def test_health_reaches_a_bot_in_a_lane():
    """What a monitor finds counts for events after it; the account stays the lane's alone."""
    mine = bot()
    with Lane(mine, kept=KEPT) as lane:
        lane.push_many(EVENTS[:8000])
        assert lane.settle()
        mine.health = 3.0
        lane.push_many(EVENTS[8000:])
        assert lane.settle()
        found = read(lane)
        assert mine.health == 3.0
        monitor = Monitor([mine], start=False, live=False)
        told = monitor.look()[0]
        assert lane.account(0.0, None) and lane.settle()  # behind it
    first, last = (next((r.value for r in d.reasons if r.gate == "health"), None) for d in (found[0], found[-1]))
    assert first is None and last == 3.0
    assert told.symbol == "SIM"


def test_a_process_that_ends_while_a_lane_runs():
    """With models in C++ and in Python, fed and idle, waited for by threads that nobody joins: it ends, and quietly."""
    program = """
import dataclasses, sys, threading, time
sys.path.insert(0, sys.argv[1])
import test_lane as t

class Quick:
    ready, missing = True, 0
    def __init__(self, model): self.contract = dataclasses.replace(model.contract, sample="event")
    def bind(self, features): pass
    def step(self, row): return 0.2, 0.3, 0.5

which = sys.argv[2]
models = {"python": (t.Model.load("gru"), t.Model.load("gbdt")), "busy": (Quick(t.Model.load("gbdt")),)}.get(which, ())
lane = t.Lane(t.bot(*models, every="1 events" if which == "busy" else "1s"), kept=16).start()
lane.play(t.EVENTS, None if which == "busy" else 1.0)
lane.wait(0.05)

def read():
    while True:
        lane.wait(0.001)

def run():
    while True:
        for _ in t.bot().run(t.EVENTS):
            pass

if which in ("read", "run"):
    for _ in range(3):
        threading.Thread(target={"read": read, "run": run}[which], daemon=True).start()
    time.sleep(0.5)
print("ended")
"""
    for which in ("native", "python", "busy", "read", "run"):
        command = [sys.executable, "-W", "ignore", "-c", program, str(Path(__file__).parent), which]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stdout.strip()) == (0, "ended"), done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_lane_in_a_forked_process_stands():
    """The parent's lane goes on; the child's stands, and its end does not wait for threads that are not there."""
    program = """
import gc, os, sys
sys.path.insert(0, sys.argv[1])
import test_lane as t
lanes = [t.Lane(t.bot(), kept=t.KEPT).start() for _ in range(2)]
lanes[0].push_many(t.EVENTS[:5000])
lanes[0].settle()
child = os.fork()
if not child:
    assert not lanes[0].runs and lanes[0].poll() is None and lanes[0].wait(1) is None
    lanes[0].stop()
    del lanes[0]
    gc.collect()
    print("child", flush=True)
    os._exit(0)  # as multiprocessing does: ONNX Runtime itself waits for threads that are not there, at exit
assert os.waitpid(child, 0)[1] == 0
lanes[0].push_many(t.EVENTS[5000:])
assert lanes[0].settle()
lanes[0].stop()
print(len(t.read(lanes[0])))
"""
    command = [sys.executable, "-W", "ignore", "-c", program, str(Path(__file__).parent)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.split()) == (0, ["child", str(len(list(bot().run(EVENTS))))]), done.stderr


def test_pace():
    """Twice as fast as recorded: ten seconds of events take five."""
    some = EVENTS[EVENTS["ts"] < EVENTS["ts"][0] + 2 * 10**9]
    with Lane(bot()) as lane:
        begin = time.perf_counter()
        lane.play(some, 4.0)
        while lane.plays:
            time.sleep(0.005)
        assert 0.4 < time.perf_counter() - begin < 5


def quiet() -> bool:
    """Whether this machine has a core to spare, so that a time says something."""
    return os.getloadavg()[0] < 0.75 * (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(os, "getloadavg"), reason="no load average here")
def test_a_busy_python_thread_delays_nothing():
    """At the default switch interval it holds up any other Python thread for 5 ms, at every step."""
    if not quiet():
        pytest.skip(f"the machine is busy: load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    stop = threading.Event()

    def busy() -> None:
        x = 0
        while not stop.is_set():
            x += 1

    seconds = EVENTS["ts"] // 10**9
    due = (seconds - seconds[0]) * 3_000_000
    thread = threading.Thread(target=busy, daemon=True)
    with Lane(bot(), kept=KEPT) as lane:
        thread.start()
        try:
            lane.play(EVENTS, due=due)
            while lane.plays:
                time.sleep(0.05)
            assert lane.settle()
        finally:
            stop.set()
            thread.join()
        took = [lane.ready - lane.arrived for _ in iter(lane.poll, None)]
    assert len(took) > 100
    assert np.median(took) < 2_000_000, f"median {np.median(took) / 1e3:.0f} us"
