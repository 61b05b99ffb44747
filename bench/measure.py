"""How things are timed, and on what: CPU time on one core, players in turn, minimum and median.

On a shared machine wall time measures the neighbours. CPU time of a process pinned to one core,
taken in interleaved rounds (A B C A B C ...), leaves caches and clock speed as the only weather,
which the players share; read ratios.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib.metadata
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("SMARTCORE_DATA", ROOT.parent / "shared" / "data"))
PACKAGES = ("numpy", "TA-Lib", "wickra", "hftbacktest", "onnxruntime", "pytest-benchmark")


def machine() -> dict[str, Any]:
    """What a figure depends on besides the code."""
    import smartcore

    versions = {"smartcore": smartcore.__version__}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return {
        "machine": platform.node().split(".")[0],
        "cpu": cpu(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "build": smartcore.build_config(),
        "versions": versions,
        "commit": commit(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def cpu() -> str:
    """Model name, with family and model where the name alone says little, as in a virtual machine."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    found = {
        key: re.search(rf"^{key}\s*:\s*(.+)$", text, re.M) for key in ("model name", "cpu family", "model")
    }
    values = {key: match[1] for key, match in found.items() if match}
    name = values.pop("model name", platform.machine())
    return " ".join([name, *(f"{key.removeprefix('cpu ')} {value}" for key, value in values.items())])


def commit() -> str:
    """Short hash, with + where the sources differ from it; "unknown" outside a checkout."""
    try:
        git = ["git", "-C", str(ROOT)]
        name = subprocess.run(
            [*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True
        )
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--", "src", "csrc", "setup.py"], capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name.stdout.strip() + ("+" if changed.stdout.strip() else "")


def pin(core: int | None = None) -> int | None:
    """Keeps this process on one core, the last one it may use. None where the system cannot (macOS)."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    core = max(os.sched_getaffinity(0)) if core is None else core
    os.sched_setaffinity(0, {core})
    return core


@contextlib.contextmanager
def no_gc() -> Iterator[None]:
    """The collector off, as timeit has it: it would charge whoever happens to allocate next."""
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


Work = Callable[[], Any]


def in_turn(
    players: dict[str, Callable[[int], Work]], units: float, rounds: int = 9
) -> dict[str, dict[str, Any]]:
    """CPU nanoseconds per unit of every player: {"min", "median", "rounds"}.

    ``players[name](round)`` prepares a round, untimed, and returns the work to time. Round 0 is for warming
    up. The order is turned by one every round, so that nobody always runs after the same neighbour.
    """
    times: dict[str, list[float]] = {name: [] for name in players}
    names = list(players)
    with no_gc():
        for i in range(rounds + 1):
            turn = i % len(names)
            for name in names[turn:] + names[:turn]:
                work = players[name](i)
                begin = time.process_time_ns()
                result = work()
                spent = time.process_time_ns() - begin
                del work, result
                if i:
                    times[name].append(spent / units)
    return {
        name: {
            "min": round(min(t), 4),
            "median": round(statistics.median(t), 4),
            "rounds": [round(x, 4) for x in t],
        }
        for name, t in times.items()
    }


def ratio(ours: dict[str, Any], peer: dict[str, Any]) -> float:
    """Ours over the peer's, of the minima; below 1 we are faster."""
    return round(ours["min"] / peer["min"], 5)


def options(about: str | None) -> argparse.ArgumentParser:
    """The options every script here has."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", help="write what was measured, with the machine, as JSON")
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that it runs, not to quote")
    return parser


def header() -> dict[str, Any]:
    """Prints the machine and returns it."""
    about = machine()
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    print(
        f"{about['machine']}: {about['cpu']}, {about['cores']} cores, load {about['load']}; {about['system']}"
    )
    print(f"python {about['python']}; {about['build']}; {versions}; commit {about['commit']}\n")
    return about


def write(path: str | Path | None, result: dict[str, Any]) -> None:
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(json.dumps(result, indent=1) + "\n")
        print(f"written: {path}", file=sys.stderr)
