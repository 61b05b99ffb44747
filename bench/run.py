"""All benchmarks into one file, and a page of the figures that may be quoted from it.

    python bench/run.py [--out FILE] [--quick] [--only peers,engine,tick,process]      (make bench)
    python bench/run.py --show FILE

Writes bench/results/<date>-<machine>.json. Every part is a process of its own, one after the other.
Takes about five minutes; leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import measure

HERE = Path(__file__).resolve().parent
PARTS = ("peers", "engine", "tick", "process")


def part(name: str, quick: bool) -> dict[str, Any]:
    """Runs one part and returns its result."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "result.json"
        script = {"peers": "peers.py", "tick": "tick_to_decision.py", "process": "process.py"}
        if name == "engine":
            command = ["-m", "pytest", str(HERE), "--benchmark-enable", "-q", "-p", "no:cacheprovider"]
            command += ["--benchmark-columns=min,median", "--benchmark-json", str(out)]
        else:
            command = [str(HERE / script[name]), "--json", str(out)]
            command += ["--quick"] * quick + ["--recorded"] * (name == "tick")
        done = subprocess.run([sys.executable, *command], cwd=HERE.parent, check=False)
        if not out.exists():
            return {"failed": f"exit status {done.returncode}"}
        result: dict[str, Any] = json.loads(out.read_text())
    result = cases(result) if name == "engine" else {k: v for k, v in result.items() if k != "machine"}
    return {"failed": f"exit status {done.returncode}", **result} if done.returncode else result


def cases(result: dict[str, Any]) -> dict[str, Any]:
    """What pytest-benchmark wrote, without every round of every case: file -> case -> figures."""
    files: dict[str, Any] = {}
    for b in result["benchmarks"]:
        file = b["fullname"].split("::")[0].rpartition("/")[2]
        times = {f"{name}_us": round(b["stats"][name] * 1e6, 3) for name in ("min", "median")}
        files.setdefault(file, {})[b["name"].removeprefix("test_")] = b["extra_info"] or times
    return {"files": files}


def show(result: dict[str, Any]) -> None:
    """The figures that the README quotes, each with where it stands in the file."""
    m = result["machine"]
    print(f"\n{m['cpu']}, python {m['python']}, commit {m['commit']}, {m['time']}, load {m['load']}")

    def row(what: str, value: str, path: str) -> None:
        print(f"  {what:58} {value:>24}   {path}")

    if "live" in result.get("peers", {}):
        peers = result["peers"]
        times, ratios = peers["live"]["times"], peers["live"]["ratios"]
        ours = times["smartcore, row in place"]["min"]
        row("100 columns per bar, one Python call", f"{ours / 1e3:.2f} us", "peers.live")
        for peer in ("wickra", "talib.stream"):
            theirs = times[f"{peer}, values floats"]["min"] / 1e3
            row(f"  {peer}", f"{theirs:.1f} us, {1 / ratios[f'live/{peer}']:.1f}x", "peers.live")
        times, ratios = peers["matrix"]["times"], peers["matrix"]["ratios"]
        row("matrix of 100 columns", f"{times['smartcore, from events']['min']:.2f} ns/cell", "peers.matrix")
        theirs = times[peers["matrix"]["peer's best"]]["min"]
        row(
            "  TA-Lib, its best of three ways",
            f"{theirs:.2f} ns/cell, {1 / ratios['matrix/talib']:.2f}x",
            "peers.matrix",
        )
        row(
            "  TA-Lib and NumPy, equal work from six arrays",
            f"{times['talib with numpy, the same 100 numbers from six arrays']['min']:.2f} ns/cell, "
            f"{1 / ratios['matrix/talib/the same numbers']:.2f}x",
            "peers.matrix",
        )
        times = peers["book"]["times"]
        row(
            "depth replay, imbalance kept",
            f"{times['smartcore, imbalance kept']['min']:.0f} ns/update",
            "peers.book",
        )
        for name in [name for name in times if name.startswith("hftbacktest")]:
            row(f"  {name}", f"{times[name]['min']:.0f} ns/update", "peers.book")
    if "engine" in result:
        for name, info in result["engine"].get("files", {}).get("bench_engine.py", {}).items():
            for key, value in info.items():
                if key.startswith("min"):
                    row(name, f"{value:,.0f} {key.removeprefix('min ')}", "engine.files.bench_engine.py")
    if "tick" in result:
        for where in ("simulated", "recorded"):
            tick = result["tick"].get(where, {})
            for name in ("hot", "paced", "beside a thread, 5 ms", "beside a thread, 50 us"):
                for what in ("call", "undisturbed", "due"):
                    if what in tick.get(name, {}):
                        p = tick[name][what]
                        value = f"{p['p50_us']:.0f} / {p['p99_us']:.0f} / {p['p99.9_us']:.0f} us"
                        row(f"{where}, {name}, {what}: p50 / p99 / p99.9", value, f"tick.{where}")
            if "each" in tick:
                row("decisions per second, one core, everything due",
                    f"{tick['everything due, decisions per second']:,}", f"tick.{where}")  # fmt: skip
    if "imports" in result.get("process", {}):
        imports = result["process"]["imports"]
        row("import smartcore over import numpy", f"{imports['over numpy_ms']} ms", "process.imports")
        if "resident_mb" in result["process"]["live"]:
            row(
                "resident memory of a live process",
                f"{result['process']['live']['resident_mb']} MB",
                "process.live",
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", help="where to write; bench/results/<date>-<machine>.json if left out")
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that it runs, not to quote")
    parser.add_argument("--only", default=",".join(PARTS), help=f"some of {','.join(PARTS)}")
    parser.add_argument(
        "--show", metavar="FILE", help="print the figures of a result file and do nothing else"
    )
    given = parser.parse_args()
    if given.show:
        show(json.loads(Path(given.show).read_text()))
        return
    unknown = set(given.only.split(",")) - set(PARTS)
    if unknown:
        parser.error(f"--only: {', '.join(sorted(unknown))} is none of {', '.join(PARTS)}")
    # The load before the first part is the neighbours'; later it would be ours.
    result: dict[str, Any] = {"machine": measure.machine(), "quick": given.quick}
    begin = time.monotonic()
    for name in given.only.split(","):
        print(f"\n===== {name}", flush=True)
        result[name] = part(name, given.quick)
    result["seconds"] = round(time.monotonic() - begin)
    about = result["machine"]
    measure.write(given.out or HERE / "results" / f"{about['time'][:10]}-{about['machine']}.json", result)
    show(result)
    failed = [name for name in PARTS if "failed" in result.get(name, {})]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
