"""``smartcore run``: a recording through engine, models, decision and journal, with checks of the book at its end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartcore.bot import console, report
from smartcore.bot.console import Screen
from smartcore.bot.demo import SIMULATED
from smartcore.bot.orchestrator import Orchestrator
from smartcore.bot.session import Session, checks, machine
from smartcore.errors import InvalidData
from smartcore.market import readers
from smartcore.market.events import Kind


def read(screen: Screen, source: Path, format: str, limit: int | None, options: Mapping[str, Any]) -> NDArray[np.void]:
    """The first ``limit`` events of a file; ``options`` go to the format's reader. InvalidData where there are none."""
    screen.progress(f"reading {source.name}")
    events = np.ascontiguousarray(readers.read(source, format, **options)[:limit])  # type: ignore[arg-type]
    screen.done()
    if not len(events):
        raise InvalidData(f"{source.name}: no events in it")
    return events


def run(
    screen: Screen,
    events: NDArray[np.void],
    bot: Orchestrator,
    *,
    name: str,
    page: str | None,
) -> dict[str, Any]:
    """Feed ``events`` to a bot and close it, check the book they leave, write the report ``page`` where asked for.

    Returns all figures as plain JSON types; "passed" says whether the checks did.
    """
    models, policy = bot.models, bot.policy
    journal = None if bot.journal is None else str(bot.journal.path)
    kinds = np.bincount(events["kind"], minlength=max(Kind) + 1)
    length = (int(events["ts"][-1]) - int(events["ts"][0])) / 1e9
    names = console.names(models)
    made_up = any(str(model.contract.trained_on.get("data", "")).startswith("SIMULATED") for model in models)
    warning = SIMULATED if made_up else ""
    screen.line(f"{name}: {len(events):,} events over {console.span(length)}; models: {names}")
    if warning:
        screen.line(warning)
    screen.line()

    session = Session()
    with bot:
        every = policy.interval_ns / 1e9 or max(length / max(1, int(kinds[Kind.BAR])), 1e-9)
        spent, found = console.play(bot, events, session, screen, int(length / every), "replaying")
    checked = checks(bot.engine, events, session)
    size = None
    if page:
        note = f"{warning} Models: {names}.".strip() if models else "No models: there is no book for them to read."
        size = report.write(
            page,
            session,
            title=f"smartcore run: {name}",
            facts=console.facts(found)
            | {"span": console.span(length), "decision p50 / p99": console.pair(bot.latency)},
            notes=[f"{note} Fee {policy.fee_bps:g} bps a side. {machine()}."],
            policy=policy,
            latencies={"as fast as it goes": bot.latency},
            scorecard=found["scorecard"],
            checks=checked,
        )
    screen.line()
    console.tell(session, screen)
    screen.fact("latency", f"{console.figures(bot.latency)}, as fast as it goes")
    screen.fact("speed", f"{len(events) / spent:,.0f} events a second")
    screen.fact("memory", console.memory(found))
    screen.fact("machine", machine())
    for check in checked:
        verdict = screen.paint("passed", "green") if check["passed"] else screen.paint("FAILED", "red")
        screen.fact("check", f"{check['name']}: {check['value']}: {verdict}")
    if page:
        screen.fact("report", f"{page} ({(size or 0) / 1024:.0f} kB)")
    if journal:
        screen.fact("journal", f"{journal}: smartcore why {found['last'] or 'last'} --journal {journal}")
    return found | {
        "kinds": {kind.name.lower(): int(kinds[kind]) for kind in Kind},
        "span_s": round(length, 3),
        "bars": bot.engine.bars,
        "policy": {"every": policy.every, "fee_bps": policy.fee_bps},
        "latency": bot.latency.summary(),
        "checks": checked,
        "passed": all(check["passed"] for check in checked),
        "report": page,
        "report_bytes": size,
        "journal": journal,
    }
