"""A journal under kill -9: processes that decide as fast as they can, one after the other on one journal, each killed.

    python bench/kills.py > bench/results/kills.md
    python bench/kills.py [--json FILE] [--quick] [--kills 50] [--decisions 100000] [--folder FOLDER]

A process publishes how many decisions it has made in memory that it shares with this one, after the call that made
each has returned. It is killed at a random moment: most after a random number of decisions, some within the first tenth
of a second, which is when what the one before left is written down. After each kill the journal is opened to be read,
and it is held that

- SQLite's own check finds nothing, and every decision that was published is there, in order, and at most one more;
- decisions picked at random can be explained, and made again from what is kept of them to the last byte;
- there is one ring at most, of the size it was given.

At the end some are replayed from their run's snapshot and the captured events. Exit code 1 where any of this fails.
"""

from __future__ import annotations

import mmap
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import measure
import numpy as np

import smartcore as sc
from smartcore.bot import rerun
from smartcore.bot.journal import Journal, why
from smartcore.market import events as ev

COLUMNS = ["spread", "queue_imbalance_l1", "rsi_14", "ema_distance_30", "fhs_500_sigma"]
SECOND = 10**9
MEMORY = 4 << 20
POLICY = sc.Policy(every="1 events", horizon=10)


def market(n: int, seed: int) -> bytes:
    """Quotes of a random walk and a trade after each, a millisecond apart."""
    rng = np.random.default_rng(seed)
    mid = 100 * np.exp(np.cumsum(rng.normal(0, 1e-4, n)))
    ts = np.arange(n) * 2_000_000
    quotes = ev.quotes(ts, mid - 0.01, rng.integers(1, 20, n), mid + 0.01, rng.integers(1, 20, n))
    trades = ev.trades(ts + 1_000_000, mid, rng.integers(1, 5, n), rng.choice([-1, 1], n))
    out = np.empty(2 * n, sc.EVENT)
    out[0::2], out[1::2] = quotes, trades
    return out.tobytes()


def decide(path: Path, number: int, many: int, published: np.ndarray, stream: bytes) -> None:
    """What the process does that is to be killed."""
    with Journal(path, memory=MEMORY, events=True) as journal:
        events = np.frombuffer(bytearray(stream), sc.EVENT)
        events["ts"] += (1_700_000_000 + 3600 * number) * SECOND
        records = events.view(np.uint8).data
        engine = sc.Engine(COLUMNS, instrument=f"K{number}", bars="1s")
        with sc.Orchestrator(engine, policy=POLICY, journal=journal) as bot:
            made = 0
            for at in range(0, len(records), 64):
                if bot.on_event(records[at : at + 64]) is not None:
                    made += 1
                    published[number] = made
                    if journal.full:  # as a replay does: what is dropped would be counted, and could not be lost
                        journal.flush()
                if made == many:
                    break
            if journal.drops:
                raise RuntimeError(f"{journal.drops} dropped")


def check(path: Path, published: np.ndarray, rng: random.Random, before: int) -> dict[str, Any]:
    """What is held after a kill; ``more``: decisions that were put and not published yet."""
    rings = list(path.parent.glob(f"{path.name}-ring*"))
    assert len(rings) <= 1 and all(ring.stat().st_size <= MEMORY for ring in rings), rings
    journal = Journal(path, readonly=True)
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    there = len(journal)
    want = int(published.sum())
    runs = journal.runs
    newest = max(runs, default=0)
    entries = list(journal.of_run(newest)) if newest > before else []
    assert [entry.decision.sequence for entry in entries] == list(range(len(entries)))
    assert all(entry.again() == entry.decision.raw for entry in entries[-100:])
    for _ in range(3):
        if runs:
            number = rng.choice(list(runs))
            many = runs[number][1]
            if many:
                sequence = rng.randrange(many)
                (entry,) = journal.of_run(number, sequence, sequence)
                name = entry.decision.id
                assert name in str(why(name, journal)) and why(name, journal).again() == entry.decision.raw
    return {"there": there, "more": there - want, "newest": newest, "made": len(entries)}


def main() -> int:
    parser = measure.options(__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--decisions", type=int, default=100_000, help="in all, about")
    parser.add_argument("--folder", type=Path, help="where the journal is (default: a temporary one)")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    kills, total = (8, 2_000) if given.quick else (given.kills, given.decisions)
    rng = random.Random(given.seed)
    begun = time.perf_counter()
    shared = mmap.mmap(-1, 8 * kills)
    published = np.frombuffer(shared, np.int64)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        path = Path(folder) / "kills.journal"
        stream = market(4 * total // kills, given.seed)
        early = lost = more = recovered = most = checks = 0
        newest = 0
        for number in range(kills):
            soon = number % 5 == 4
            goal = rng.randrange(1, 5 * total // (2 * kills))  # the early ones make next to none
            child = os.fork()
            if child == 0:
                try:
                    decide(path, number, 4 * total // kills, published, stream)
                except BaseException as error:
                    print(f"process {number}: {type(error).__name__}: {error}", file=sys.stderr)
                    os._exit(1)
                os._exit(0)
            if soon:
                time.sleep(rng.uniform(0, 0.1))
                early += 1
            else:
                until = time.monotonic() + 60
                while published[number] < goal and time.monotonic() < until:
                    if os.waitpid(child, os.WNOHANG)[0]:
                        raise RuntimeError(f"process {number} ended by itself")
                    time.sleep(2e-4)
                time.sleep(rng.uniform(0, 2e-3))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            if not path.exists():
                continue
            found = check(path, published, rng, newest)
            checks += 1
            if not 0 <= found["more"] <= 1:
                lost += max(0, -found["more"])
                raise AssertionError(f"kill {number}: {found['there']} decisions of {published.sum()} published")
            more, newest = found["more"], max(newest, found["newest"])
            published[number] = found["made"] if found["made"] else published[number]  # with the one not published yet
            most = max(most, sum(file.stat().st_size for file in path.parent.glob("*-ring*")))
        with Journal(path) as journal:
            recovered = journal.recovered
            there = len(journal)
            assert there == int(published.sum()) and journal.dropped == 0
        assert not list(path.parent.glob("*-ring*"))
        again = rerun.decide_again(Journal(path, readonly=True))
        assert again.exact and again.decisions == there, again.lines
        journal = Journal(path, readonly=True)
        replayed = 0
        some = [run for run, (_, many) in journal.runs.items() if many]
        for number in rng.sample(some, min(10, len(some))):
            part = rerun.replay(journal, number)
            assert part.exact and part.decisions == journal.runs[number][1], part.lines
            replayed += part.decisions
        size = path.stat().st_size
    result = {
        "machine": measure.machine(),
        "kills": kills,
        "early": early,
        "decisions": there,
        "lost": lost,
        "left in rings at the last": recovered,
        "made again": again.decisions,
        "replayed from snapshot and events": replayed,
        "bytes a decision": round(size / max(1, there)),
        "largest ring": most,
        "seconds": round(time.perf_counter() - begun, 1),
        "more": more,
    }
    told = result["machine"]
    print("# A journal under `kill -9`\n")
    print(
        f"{told['cpu']}; {told['system']}; python {told['python']}; commit {told['commit']}. `python bench/kills.py`.\n"
    )
    print("| | |\n| --- | ---: |")
    print(f"| processes killed | {kills} |")
    print(f"| of them within 0.1 s of their start | {early} |")
    print(f"| decisions published before a kill | {there:,} |")
    print(f"| of them lost | {lost} |")
    print(f"| made again from what is kept of each, equal in every byte | {again.decisions:,} |")
    print(f"| made again from a snapshot and the events, every value of every row equal | {replayed:,} |")
    print(f"| SQLite integrity checks passed | {checks} of {checks} |")
    print(f"| largest ring, bytes | {most:,} |")
    print(f"| bytes a decision, {len(COLUMNS)} columns, with events | {result['bytes a decision']:,} |")
    print(f"| seconds | {result['seconds']:g} |")
    measure.write(given.json, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
