"""What a process pays: import time and memory, and the memory of one that is live.

    python bench/process.py [--json FILE] [--quick] [--runs 21]

Imports are timed in fresh interpreters, in turn (NumPy, smartcore, NumPy ...), as CPU time from the
first line of the program to the end of the import, with the files in the page cache and bytecode
compiled. The interpreter's own start is left out. Resident memory is read at the same point. Peers'
imports stand beside them.

The live process imports what a bot imports, loads the shipped models, and feeds events through the
Orchestrator; nothing else is loaded (no pandas, no Numba).
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from typing import Any

import measure

NAMES = ["numpy", "smartcore", "talib", "wickra", "pandas"]

# Without /proc (macOS) the peak stands for both; psutil would cost memory itself.
RESIDENT = """
def resident():
    try:
        with open("/proc/self/status") as file:
            lines = dict(line.split(":", 1) for line in file)
        return {"now": int(lines["VmRSS"].split()[0]) / 1024, "peak": int(lines["VmHWM"].split()[0]) / 1024}
    except OSError:
        import resource
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        return {"now": peak, "peak": peak}
"""
IMPORT = (
    RESIDENT
    + """
import sys, time
begin = time.process_time_ns()
import NAME
spent = time.process_time_ns() - begin
print(spent, resident()["now"], len(sys.modules))
"""
)

LIVE = (
    RESIDENT
    + """
import json, sys
out = {"interpreter": resident()}
import numpy as np
out["numpy"] = resident()
import smartcore as sc
from smartcore.models import builtin
out["smartcore"] = resident()
engine = sc.Engine(bars="1s")
out["engine of all columns"] = resident()
models = [sc.Model.load(name) for name in builtin()]
out["models loaded"] = resident()
bot = sc.Orchestrator(engine, *models, policy=sc.Policy(every="1s"))
out["orchestrator"] = resident()
def feed(share):
    with open(PATH, "rb") as file:
        file.seek(64 * int(EVENTS * share))
        while len(events := np.fromfile(file, sc.EVENT, 1000)):
            if file.tell() > 64 * EVENTS * (share + 0.5):
                break
            for decision in bot.run(events):
                pass
feed(0)
out["warm"] = resident()
feed(0.5)
out["after as much again"] = resident()
heavy = sorted(set(sys.modules) & {"pandas", "numba", "torch", "onnx", "scipy", "sklearn", "talib"})
print(json.dumps({"stages": out, "decisions": bot.decisions, "events": engine.counts, "heavy": heavy}))
"""
)


def child(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "the child failed"
        )
    return done.stdout


def imports(runs: int) -> dict[str, Any]:
    times: dict[str, list[float]] = {}
    memory: dict[str, float] = {}
    modules: dict[str, int] = {}
    for i in range(runs + 1):
        for name in NAMES:
            try:
                spent, mb, count = map(float, child(IMPORT.replace("NAME", name)).split())
            except RuntimeError as error:
                if i == 0:
                    print(f"  {name}: {error}")
                continue
            if i:  # the first brings files and bytecode into the cache
                times.setdefault(name, []).append(spent / 1e6)
            memory[name], modules[name] = mb, int(count)
    table = {
        name: {
            "min_ms": round(min(t), 2),
            "median_ms": round(statistics.median(t), 2),
            "resident_mb": round(memory[name], 1),
            "modules": modules[name],
        }
        for name, t in times.items()
    }
    for name, row in table.items():
        print(
            f"  import {name:12} {row['min_ms']:8.1f} ms   median {row['median_ms']:8.1f}   "
            f"{row['resident_mb']:7.1f} MB"
        )
    extra = table["smartcore"]["min_ms"] - table["numpy"]["min_ms"]
    print(f"  smartcore = NumPy + {extra:.1f} ms")
    ratios = {"import/numpy": round(table["smartcore"]["min_ms"] / table["numpy"]["min_ms"], 5)}
    if "talib" in table:
        ratios["import/talib"] = round(table["smartcore"]["min_ms"] / table["talib"]["min_ms"], 5)
    return {
        "unit": "CPU ms",
        "runs": runs,
        "over numpy_ms": round(extra, 2),
        "imports": table,
        "ratios": ratios,
    }


def live(events: int) -> dict[str, Any]:
    """Events come from a file, a thousand at a time: what made them is not in the process that is
    measured."""
    import flow

    with tempfile.NamedTemporaryFile(suffix=".events") as file:
        flow.mixed(events).tofile(file)
        file.flush()
        try:
            result: dict[str, Any] = json.loads(
                child(LIVE.replace("PATH", repr(file.name)).replace("EVENTS", str(events)))
            )
        except RuntimeError as error:
            print(f"  skipped: {error}")
            return {"skipped": str(error)}
    for stage, mb in result["stages"].items():
        print(f"  {stage:24} {mb['now']:7.1f} MB")
    print(f"  peak {result['stages']['after as much again']['peak']:.1f} MB; {result['decisions']} decisions")
    result["resident_mb"] = round(result["stages"]["after as much again"]["now"], 1)
    result["ratios"] = {"memory/live over numpy": round(
        result["stages"]["after as much again"]["now"] / result["stages"]["numpy"]["now"], 5)}  # fmt: skip
    return result


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--runs", type=int, default=21)
    given = parser.parse_args()
    measure.pin()
    result: dict[str, Any] = {"machine": measure.header()}
    print("imports")
    result["imports"] = imports(2 if given.quick else given.runs)
    print("\nlive process")
    result["live"] = live(2_000 if given.quick else 200_000)
    measure.write(given.json, result)


if __name__ == "__main__":
    main()
