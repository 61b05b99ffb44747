"""One run of a bot over recorded events: what it decided, how long it took, what must be true at the end."""

from __future__ import annotations

import gc
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from smartcore.decide import Decision, Signal
from smartcore.features.engine import Engine
from smartcore.market.events import Kind

if TYPE_CHECKING:
    from smartcore.bot.orchestrator import Orchestrator

SIGNALS = tuple(signal.value for signal in Signal)


@dataclass
class Session:
    """What a report needs to know of each decision; filled by :meth:`add` as they come."""

    ts: list[int] = field(default_factory=list)
    price: list[float | None] = field(default_factory=list)
    signal: list[str] = field(default_factory=list)
    confidence: list[float] = field(default_factory=list)
    lean: list[int] = field(default_factory=list)
    regime: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    quality: Counter[str] = field(default_factory=Counter)
    gates: Counter[str] = field(default_factory=Counter)
    """Decisions that were HOLD and in which this gate failed."""
    alone: Counter[str] = field(default_factory=Counter)
    """... and no other did."""
    trades: list[Decision] = field(default_factory=list)
    last: Decision | None = None

    def add(self, d: Decision) -> None:
        """One more decision."""
        failed = d.failed
        self.ts.append(d.ts)
        self.price.append(d.price)
        self.signal.append(d.signal.value)
        self.confidence.append(d.confidence)
        self.lean.append(d.lean)
        self.regime.append(d.regime.name.value)
        self.quality[d.quality.value] += 1
        self.last = d
        if d.signal is Signal.HOLD:
            self.stopped.append(failed[0].gate if failed else "")
            self.gates.update(reason.gate for reason in failed)
            if len(failed) == 1:
                self.alone[failed[0].gate] += 1
        else:
            self.stopped.append("")
            self.trades.append(d)

    def __len__(self) -> int:
        return len(self.ts)

    def summary(self) -> dict[str, Any]:
        """Counts, as plain JSON types."""
        signals = Counter(self.signal)
        return {
            "decisions": len(self),
            "signals": {name: signals[name] for name in SIGNALS},
            "quality": dict(self.quality.most_common()),
            "regimes": dict(Counter(self.regime).most_common()),
            "gates": {gate: {"failed": n, "alone": self.alone[gate]} for gate, n in self.gates.most_common()},
        }


def feed(bot: Orchestrator, events: NDArray[np.void], seen: Callable[[Decision], None]) -> float:
    """All events, back to back; seconds spent in the bot, without those in ``seen``, which is given each decision."""
    gc.collect()
    gc.freeze()  # what exists now stays: the collector need not walk it in the middle of a tick
    spent, began = 0, time.perf_counter_ns()
    for decision in bot.run(events):
        spent += time.perf_counter_ns() - began
        seen(decision)
        began = time.perf_counter_ns()
    spent += time.perf_counter_ns() - began
    gc.unfreeze()
    return spent / 1e9


def feed_paced(
    bot: Orchestrator, events: NDArray[np.void], ticks: int, quiet_s: float, shown: Callable[[float], None]
) -> None:
    """``ticks`` decisions, each after ``quiet_s`` of nothing: caches cold, as a live bot's are. Events in between are
    fed at once. ``shown`` is given the share done.
    """
    grid = events["ts"] // bot.policy.interval_ns
    opens = (np.flatnonzero(np.diff(grid)) + 1)[:ticks]  # the first event after a grid point makes the decision
    if not len(opens):
        return
    pause = set(opens.tolist())
    part = events[: opens[-1] + 64]
    for i, event in enumerate(part):
        if i in pause:
            time.sleep(quiet_s)
            shown(i / len(part))
        bot.on_event(event)


def checks(engine: Engine, events: NDArray[np.void], session: Session) -> list[dict[str, Any]]:
    """What must be true of the book after all ``events``: mappings with ``name``, ``value``, ``passed``."""
    book, kinds = engine.book, np.bincount(events["kind"], minlength=max(Kind) + 1)
    found: list[dict[str, Any]] = []

    def check(name: str, value: str, passed: bool) -> None:
        found.append({"name": name, "value": value, "passed": bool(passed)})

    if kinds[Kind.DEPTH]:
        touch = f"{book.bid:,.10g} / {book.ask:,.10g}"
        check(
            "book in sequence",
            f"{int(kinds[Kind.GAP])} gaps, {'stale' if book.stale else 'whole'} at the end",
            not book.stale,
        )
        check("book never crossed", f"{book.crossings:,} messages left it crossed or locked", book.crossings == 0)
        if kinds[Kind.QUOTE]:
            bid, _, ask, _ = book.last_quote
            same = (book.bid, book.ask) == (bid, ask)
            check("book equals the last best quote", f"{touch} against {bid:,.10g} / {ask:,.10g}", same)
        else:
            check("best bid below best ask at the end", touch, book.bid < book.ask)
    elif kinds[Kind.QUOTE]:
        check("quotes uncrossed at the end", f"{book.bid:,.10g} / {book.ask:,.10g}", book.bid < book.ask)
    counted = sum(n for name, n in engine.counts.items() if name != "dropped")
    check("every event taken", f"{counted:,} of {len(events):,}", counted == len(events))
    first, last = (session.ts[0], session.ts[-1]) if len(session) else (0, 0)
    span = max(1, int(events["ts"][-1]) - int(events["ts"][0]))
    check("decisions throughout", f"{len(session):,}, over {(last - first) / span:.0%} of the time", len(session) > 0)
    return found


def resident_mib() -> float:
    """Resident memory of this process, MiB."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def machine() -> str:
    """The machine, and whether others are at work on it: then tails of latency hold their time."""
    cpus = os.cpu_count() or 1
    load = os.getloadavg()[0]
    busy = (
        f", busy with other work (load {load:.1f}), which lengthens the tails of latency" if load > 0.75 * cpus else ""
    )
    return f"{platform.system()} {platform.machine()}, {cpus} CPUs, Python {platform.python_version()}{busy}"
