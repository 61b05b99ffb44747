"""``smartcore demo``: a simulated market through engine, models, decision and journal, with latency and a report."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartcore._core import __version__
from smartcore.bot import console, report
from smartcore.bot.console import Screen
from smartcore.bot.orchestrator import Orchestrator
from smartcore.bot.session import Session, feed_paced, machine
from smartcore.decide import Policy
from smartcore.errors import SmartcoreError
from smartcore.features.engine import Engine
from smartcore.models import Model

SIMULATED = "These models are trained on simulated data and know nothing of any real market."
_QUIET_S = 0.003


def demo(
    screen: Screen,
    models: Sequence[Model],
    policy: Policy,
    folder: Path,
    *,
    seconds: float,
    seed: int,
    ticks: int,
    paced: bool,
) -> dict[str, Any]:
    """Simulate ``seconds``, feed them back to back and, if ``paced``, ``ticks`` decisions of them after a pause each.
    Leaves ``demo.journal`` and ``demo.html`` in ``folder``; returns all figures as plain JSON types.
    """
    began = time.monotonic()
    names = console.names(models)
    screen.line(f"smartcore {__version__} demo: engine, models ({names}), decision, journal. {SIMULATED}")
    events, truth = _simulated(seconds, seed, screen)
    simulated = time.monotonic() - began
    length = console.span(seconds)
    screen.line(f"simulated {length} of one instrument in changing regimes: {len(events):,} events")
    screen.line()

    folder.mkdir(parents=True, exist_ok=True)
    journal, page = folder / "demo.journal", folder / "demo.html"
    for stale in (journal, Path(f"{journal}-wal"), Path(f"{journal}-shm")):
        stale.unlink(missing_ok=True)

    def bot(record: Path | None) -> Orchestrator:
        engine = Engine(instrument="DEMO", bars="1s")
        made = Orchestrator(engine, *(model.fork() for model in models), policy=policy, journal=record)
        made.equity = 100_000.0
        return made

    session = Session()
    with bot(journal) as hot:
        spent, found = console.play(hot, events, session, screen, int(seconds), "hot, back to back")
        status = hot.status()
        journaled = len(hot.journal) if hot.journal is not None else 0
    slow = bot(None)
    if paced:
        label = "paced, 3 ms of quiet before each"
        feed_paced(
            slow, events, ticks, _QUIET_S, lambda done: screen.progress(label, done, f"{slow.decisions:,} decisions")
        )
        screen.done()
    other = max(0.0, spent - hot.latency.total / 1e9) / max(1, len(events) - len(session)) * 1e6
    free = ", so that something trades at all: moves over 10 s are smaller than most fees (try --fee-bps 2)"
    costs = f"Fee {policy.fee_bps:g} bps a side{'' if policy.fee_bps else free}."

    facts = {
        "hot p50 / p99": console.pair(hot.latency),
        **({"paced p50 / p99": console.pair(slow.latency)} if paced else {}),
        "other events, each": f"{other:.2f} µs",
    }
    size = report.write(
        page,
        session,
        title=f"smartcore demo: {length} of a simulated market",
        facts=console.facts(found) | facts,
        notes=[f"{SIMULATED} Models: {names}. {costs} {machine()}."],
        policy=policy,
        latencies={"hot, back to back": hot.latency, "paced, 3 ms of quiet before each": slow.latency},
        scorecard=status["scorecard"],
        truth=truth,
    )
    last, total = found["last"], time.monotonic() - began
    screen.line()
    console.tell(session, screen)
    screen.fact("hot", f"{console.figures(hot.latency)}, back to back")
    if paced:
        screen.fact("paced", f"{console.figures(slow.latency)}, 3 ms of quiet before each: what a bot feels")
    screen.fact("speed", f"{len(events) / spent:,.0f} events a second; an event without a decision {other:.2f} µs")
    screen.fact("memory", console.memory(found))
    screen.fact("machine", machine())
    screen.fact("costs", costs)
    screen.fact("journal", f"{journal}: {journaled:,} decisions, {status['journal']['drops']:,} dropped")
    if last:
        screen.fact("", f"smartcore why {last} --journal {journal}")
    screen.fact("report", f"{page} ({size / 1024:.0f} kB)")
    screen.fact("took", f"{total:.1f} s, {simulated:.1f} of them simulating")
    return found | {
        "seconds": seconds,
        "seed": seed,
        "fee_bps": policy.fee_bps,
        "latency": {
            "hot": hot.latency.summary(),
            "paced": slow.latency.summary() if paced else None,
            "event_without_decision_us": round(other, 3),
        },
        "journal": str(journal),
        "journaled": journaled,
        "dropped": status["journal"]["drops"],
        "report": str(page),
        "report_bytes": size,
        "took_s": round(total, 2),
        "simulate_s": round(simulated, 2),
    }


_SIMULATE = """
import sys, numpy as np
from smartcore.market.simulator import REGIMES, simulate
s = simulate(float(sys.argv[2]), int(sys.argv[3]), "mixed")
np.savez(sys.argv[1], events=s.events, ts=s.labels["ts"], regime=np.array(REGIMES)[s.labels["regime"]])
"""


def _simulated(seconds: float, seed: int, screen: Screen) -> tuple[NDArray[np.void], list[tuple[int, str]]]:
    """Events and true regimes. In a process of its own: the simulator's compiler is not what a live bot has in
    memory.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "market.npz"
        command = [sys.executable, "-c", _SIMULATE, str(path), str(seconds), str(seed)]
        began = time.monotonic()
        if not screen.live:
            screen.line(
                f"simulating {console.span(seconds)} of a market (the first time its code is compiled, some 10 s)"
            )
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            try:
                while process.poll() is None:
                    late = time.monotonic() - began > 2
                    screen.progress("simulating a market", None, "its code is compiled first" if late else "")
                    time.sleep(0.05)
            except BaseException:
                process.kill()
                raise
            complaint = process.stderr.read() if process.stderr else ""
        screen.done()
        if process.returncode:
            raise SmartcoreError(f"the simulator failed:\n{complaint.strip()}")
        with np.load(path) as file:
            truth = list(zip(file["ts"].tolist(), file["regime"].tolist(), strict=True))
            return np.ascontiguousarray(file["events"]), truth
