"""The journal: what putting costs, how fast it is written, how much it takes.

    python bench/journal.py > bench/results/journal.md
    python bench/journal.py [--json FILE] [--quick]

Decisions are those of a bot on simulated data with the default columns, so a record is as large as a user's. They are
put again and again: bytes are bytes. `put` and `event` are calls from Python, into memory that is warm; the native loop
saves the call. `written` is from the first put to the last commit, wall time, with the ring refilled as soon as there
is room; CPU time of both threads beside it. `paced` leaves the writer time to compress.
"""

from __future__ import annotations

import logging
import mmap
import tempfile
import time
from pathlib import Path
from typing import Any

import measure

import smartcore as sc
from smartcore._core import Flight
from smartcore.bot import rerun
from smartcore.bot.journal import Journal


def best(call: Any, times: int, rounds: int = 7) -> float:
    """Least mean time of a call over rounds, ns."""
    found = []
    for _ in range(rounds):
        begun = time.process_time_ns()
        for _ in range(times):
            call()
        found.append((time.process_time_ns() - begun) / times)
    return min(found)


def main() -> None:
    parser = measure.options(__doc__)
    given = parser.parse_args()
    logging.disable()
    measure.pin()
    many = 500 if given.quick else 20_000
    events = sc.simulate(seconds=120, seed=7, regime="mixed").events
    policy = sc.Policy(every="1s", horizon=10)
    bot = sc.Orchestrator(sc.Engine(instrument="SIM", bars="1s"), sc.Model.load("gru"), policy=policy)
    for _ in bot.run(events):
        pass
    entries = bot._recent.entries()
    names = ("DECISION", "CONTEXT", "GIVEN", "SCORECARD")
    parts = [(*(entry.record(name) for name in names), entry.row) for entry in entries]
    record = sum(len(part) for part in parts[0][:4]) + parts[0][4].nbytes

    ring = Flight(mmap.mmap(-1, 4 << 20))
    count = 0

    def put() -> None:
        nonlocal count
        ring.put(*parts[count % len(parts)])
        count += 1
        if not count % 100:
            ring.release(ring.head)

    def event(one: bytes = events[:1].tobytes()) -> None:
        nonlocal count
        ring.event(one)
        count += 1
        if not count % 1000:
            ring.release(ring.head)

    times = 1_000 if given.quick else 10_000
    result: dict[str, Any] = {"machine": measure.machine(), "columns": len(entries[0].row), "record_bytes": record}
    result["put_ns"], result["event_ns"] = round(best(put, times)), round(best(event, times))
    with tempfile.TemporaryDirectory() as folder:
        for name, pause in (("written", 0.0), ("paced", 2e-3)):
            path = Path(folder) / name
            n = many if not pause else max(50, many // 20)
            with Journal(path) as journal:
                flight = journal.open(bot._run)
                wall, cpu = time.perf_counter(), time.process_time()
                for i in range(n):
                    while not flight.put(*parts[i % len(parts)]):
                        time.sleep(5e-4)
                    if pause:
                        time.sleep(pause)
                journal.flush(60)
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                assert len(journal) == n
            found = {
                "decisions": n,
                "bytes_each": round(path.stat().st_size / n),
                "cpu_us_each": round(cpu / n * 1e6, 1),
            }
            if not pause:
                found |= {"per_second": round(n / wall), "per_cpu_second": round(n / cpu)}
            result[name] = found
        journal = Journal(Path(folder) / "written", readonly=True)
        begun = time.process_time()
        again = rerun.decide_again(journal)
        result["read_and_decided_again_per_second"] = round(again.decisions / (time.process_time() - begun))
        assert again.exact
    told, flat, paced = result["machine"], result["written"], result["paced"]
    print("# The journal\n")
    print(f"{told['cpu']}; {told['cores']} cores, load {told['load']}; {told['system']}; commit {told['commit']}.")
    print(f"Records of {result['columns']} columns, {record:,} bytes. One core: `python bench/journal.py`.\n")
    print("| | |\n| --- | ---: |")
    print(f"| a decision put into the ring, a call from Python | {result['put_ns']:,} ns |")
    print(f"| an event put into the ring, a call from Python | {result['event_ns']:,} ns |")
    print(f"| decisions written, first put to last commit, a second of wall time | {flat['per_second']:,} |")
    print(f"| the same, a second of CPU time of both threads | {flat['per_cpu_second']:,} |")
    print(f"| bytes each on the disk, flat out | {flat['bytes_each']:,} |")
    print(f"| bytes each on the disk, where there is time to compress | {paced['bytes_each']:,} |")
    print(f"| CPU time each, where there is time to compress | {paced['cpu_us_each']:,} us |")
    print(f"| decisions read and made again, a second of CPU time | {result['read_and_decided_again_per_second']:,} |")
    measure.write(given.json, result)


if __name__ == "__main__":
    main()
