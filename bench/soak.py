"""Millions of events through a bot with its journal: resident memory over time.

    python bench/soak.py [--quick] [--events N] [--models native|python|flagship] [--lane] [--results FOLDER]

The bot is a process of its own (this one makes the events, watches and draws): engine with all default columns,
models, a decision every second of market time, a journal in a temporary folder. Events come from the simulator by way
of a file, a piece at a time, so that they are not in the memory that is measured. Resident memory is the system's
figure (``VmRSS``), after every piece. Flat: the line through the second half rises by less than 2 MB a million events;
four million by default, since over half of one a single step of the allocator would pass for a slope.

Goals: at most 200 MB, and flat. ``--lane`` feeds it by the lane instead of calls; latencies then hold the wait in its
ring, which a piece fills at once. Writes ``soak.md``, ``soak.json`` and, with matplotlib, ``soak.svg``.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import jobs
import measure
import numpy as np

PIECE = 20_000
GOALS = {"resident_mb": 200.0, "rise_mb_per_million": 2.0}

SIMULATE = """
import sys
import smartcore as sc
from smartcore.market.simulator import TS0
left, at, seed = int(sys.argv[2]), TS0, 0
with open(sys.argv[1], "wb") as file:
    while left > 0:
        market = sc.simulate(seconds=3600, seed=100 + seed, regime="mixed", ts0=at)
        events = market.events[:left]
        events.tofile(file)
        left, at, seed = left - len(events), int(events["ts"][-1]) + 1_000_000_000, seed + 1
"""

BOT = """
import gc, json, os, sys, time
import numpy as np
import smartcore as sc
path, folder, which, lane, piece = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4] == "lane", int(sys.argv[5])
files = sys.argv[6:]
def resident():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024
begun = time.perf_counter()
def tell(**what):
    print(json.dumps(what | {"seconds": time.perf_counter() - begun, "resident_mb": resident()}), flush=True)
tell(events=0, stage="imported")
if which == "python":
    models = [sc.Model.load(file) for file in files]
else:
    from smartcore.models.native import NativeModel
    models = [NativeModel.load(file) for file in files]
tell(events=0, stage="models loaded")
bot = sc.Orchestrator(
    sc.Engine(instrument="SIM", bars="1s"), *models, policy=sc.Policy(every="1s"), journal=folder + "/journal.db"
)
tell(events=0, stage="bot made")
if lane:
    from smartcore.bot.lane import Lane
    through = Lane(bot).start()
size, at, decisions = os.path.getsize(path) // 64, 0, 0
while at < size:
    events = np.fromfile(path, sc.EVENT, piece, offset=at * 64)
    if lane:
        through.push_many(events)
        through.settle(600)
        while through.poll() is not None:
            decisions += 1
    else:
        decisions += sum(1 for _ in bot.run(events))
    at += len(events)
    tell(events=at)
if lane:
    through.stop()
status = bot.status()
bot.close()
tell(events=at, stage="closed", decisions=decisions, latency=status["latency"], journal=status["journal"],
     speaks={m["name"]: m["speaks"] for m in status["models"]},
     journal_mb=sum(os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder)) / 1e6)
"""


def soak(events: Path, which: str, lane: bool, files: list[str]) -> list[dict[str, Any]]:
    """What the bot's process told after each piece."""
    told = []
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-c",
            BOT,
            str(events),
            folder,
            which,
            "lane" if lane else "calls",
            str(PIECE),
            *files,
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            told.extend(json.loads(line) for line in process.stdout)
        if process.returncode:
            raise RuntimeError(f"the bot's process ended with {process.returncode}")
    return told


def judged(told: list[dict[str, Any]]) -> dict[str, Any]:
    pieces = [one for one in told if "stage" not in one]
    half = pieces[len(pieces) // 2 :]
    x = np.array([one["events"] for one in half]) / 1e6
    y = np.array([one["resident_mb"] for one in half])
    rise = float(np.polyfit(x, y, 1)[0]) if len(half) > 2 else float("nan")
    last = max(one["resident_mb"] for one in told)
    million = [one["resident_mb"] for one in pieces if one["events"] >= 10**6]
    return {
        "resident_mb": round(last, 1),
        "resident_mb_at_million": round(million[0], 1) if million else None,
        "rise_mb_per_million": round(rise, 2),
        "met": {
            "resident_mb": last <= GOALS["resident_mb"],
            "rise_mb_per_million": rise <= GOALS["rise_mb_per_million"],
        },
    }


def draw(told: list[dict[str, Any]], path: Path, title: str) -> None:
    """Resident memory over events. Needs matplotlib; a figure without pyplot, so that no display is needed."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(
        [one["events"] / 1e6 for one in told], [one["resident_mb"] for one in told], color="#2563a8", linewidth=1.4
    )
    axes.axhline(GOALS["resident_mb"], color="#b83232", linewidth=0.9, linestyle="--")
    axes.annotate(
        "goal", (0, GOALS["resident_mb"]), xytext=(2, 3), textcoords="offset points", color="#b83232", fontsize=9
    )
    axes.set(xlabel="million events", ylabel="resident memory, MB", ylim=(0, 1.15 * GOALS["resident_mb"]), title=title)
    axes.grid(color="#e4e7eb", linewidth=0.7)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def page(result: dict[str, Any], picture: str | None) -> str:
    """The table, as markdown."""
    told, j, machine = result["told"], result["judged"], result["machine"]
    last = told[-1]
    rows = [f"| {one['stage']} | {one['events']:,} | {one['resident_mb']:.1f} |" for one in told if "stage" in one]
    pieces = [one for one in told if "stage" not in one]
    for one in pieces[:: max(1, len(pieces) // 8)]:
        rows.insert(-1, f"| | {one['events']:,} | {one['resident_mb']:.1f} |")
    flat = "flat" if j["met"]["rise_mb_per_million"] else "not flat"
    return "\n".join(
        [
            "# Memory of a bot that goes on",
            "",
            f"`{result['command']}`. {machine['cpu']}, {machine['system']}, Python {machine['python']}, smartcore "
            f"{machine['versions']['smartcore']} ({machine['commit']}), onnxruntime "
            f"{machine['versions'].get('onnxruntime', 'absent')}.",
            "",
            f"All default columns, {result['models']} models, a decision a second of market time, journal on disk"
            f"{', through the lane' if result['lane'] else ''}: {last['events']:,} events, {last['decisions']:,} "
            f"decisions, {last['journal_mb']:.0f} MB of journal.",
            "",
            f"At most **{j['resident_mb']} MB** resident (goal {GOALS['resident_mb']:.0f}; "
            f"{j['resident_mb_at_million']} after a million events); over the second half it rises by "
            f"**{j['rise_mb_per_million']} MB a million events** (goal {GOALS['rise_mb_per_million']:.0f}): {flat}.",
            "",
            "| stage | events | resident, MB |",
            "| --- | ---: | ---: |",
            *rows,
            "",
            *([f"![resident memory]({picture})", ""] if picture else []),
        ]
    )


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--events", type=int, default=4_000_000)
    parser.add_argument("--models", choices=("native", "python", "flagship"), default="native")
    parser.add_argument("--lane", action="store_true", help="feed it by the lane")
    parser.add_argument("--results", type=Path, default=measure.ROOT / "out" / "results", help="where the table goes")
    given = parser.parse_args()
    count = min(given.events, 60_000) if given.quick else given.events
    result: dict[str, Any] = {
        "machine": measure.machine(),
        "command": " ".join(["python bench/soak.py", *sys.argv[1:]]),
        "quick": given.quick,
        "models": given.models,
        "lane": given.lane,
    }
    files = ["gru", "gbdt"]
    if given.models == "flagship":
        folder = measure.ROOT / "out" / ("flagship-quick" if given.quick else "flagship")
        command = [sys.executable, str(Path(__file__).with_name("flagship.py")), str(folder)]
        subprocess.run([*command, *(["--quick"] if given.quick else [])], check=True)
        files = [str(folder / "gru128.onnx"), str(folder / "trees.onnx")]
    with tempfile.TemporaryDirectory() as name:
        events = Path(name) / "events"
        subprocess.run([sys.executable, "-c", SIMULATE, str(events), str(count)], check=True)
        result["told"] = told = soak(events, given.models, given.lane, files)
    if not all(told[-1]["speaks"].values()):
        raise RuntimeError(f"a model does not speak: {told[-1]['speaks']}")
    result["judged"] = judged(told)
    picture = None
    if importlib.util.find_spec("matplotlib") is not None:
        picture = "soak.svg"
        given.results.mkdir(parents=True, exist_ok=True)
        title = f"{told[-1]['events']:,} events, {told[-1]['decisions']:,} decisions, {given.models} models"
        draw(told, given.results / picture, title)
    jobs.publish(given.results, "soak", result, page(result, picture), indent=None)
    measure.write(given.json, result)
    sys.exit(0 if given.quick or all(result["judged"]["met"].values()) else 1)


if __name__ == "__main__":
    main()
