"""What the command line shows of a run: lines, a progress line below them, decisions as a table, a summary."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from smartcore.bot.latency import Latency
from smartcore.bot.session import Session, feed, resident_mib
from smartcore.decide import Decision, Signal

if TYPE_CHECKING:
    from smartcore.bot.orchestrator import Orchestrator
    from smartcore.bot.sources import Steps

_CODES = {"green": "32", "red": "31", "dim": "2", "bold": "1", "yellow": "33"}
_HEADINGS = (
    f"{'UTC':<12} {'price':>12}  {'signal':<11} {'conf':>5}  {'quality':<9} {'regime':<13} {'volatility':<10} why"
)


class Screen:
    """Lines on standard output with a progress line below them; plain where that is no terminal, silent with
    ``--json``.
    """

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.live = not quiet and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self.colour = self.live and "NO_COLOR" not in os.environ
        self._shown = ""
        self._next = 0.0

    def line(self, text: str = "") -> None:
        """One line, above the progress line."""
        if self.quiet:
            return
        self._clear()
        print(text, flush=self.live)

    def fact(self, name: str, text: str) -> None:
        """A line of a summary."""
        self.line(f"{name:<10}{text}")

    def progress(self, label: str, done: float | None = None, tail: str = "") -> None:
        """The line below: a bar where ``done`` (0 to 1) is known. At most ten times a second."""
        now = time.monotonic()
        if not self.live or (now < self._next and done != 1.0):
            return
        self._next = now + 0.1
        width = 24
        if done is None:
            bar = "·" * (int(now * 4) % (width + 1))
            text = f"{label} {bar:<{width}} {tail}"
        else:
            full = int(done * width)
            text = f"{label} {'█' * full}{'░' * (width - full)} {done:4.0%} {tail}"
        columns = shutil.get_terminal_size().columns
        self._clear()
        self._shown = text[: columns - 1]
        sys.stdout.write(self._shown)
        sys.stdout.flush()

    def done(self) -> None:
        """Take the progress line away."""
        self._next = 0.0
        self._clear()

    def paint(self, text: str, colour: str) -> str:
        """``text`` in a colour, where there are colours."""
        return f"\033[{_CODES[colour]}m{text}\033[0m" if self.colour else text

    def _clear(self) -> None:
        if self._shown:
            sys.stdout.write("\r\033[K")
            self._shown = ""


class Table:
    """Decisions as lines, some of them: each change of signal, but not more lines than can be read."""

    def __init__(self, screen: Screen, expected: int, lines: int = 24) -> None:
        self.screen = screen
        self.every = max(1, expected // lines)
        self.changes = lines
        self.seen = 0
        self.before = "HOLD"
        screen.line(screen.paint(_HEADINGS, "bold"))

    def add(self, d: Decision) -> None:
        signal = d.signal.value
        changed = signal not in ("HOLD", self.before) and self.changes > 0
        if changed:
            self.changes -= 1
        if changed or self.seen % self.every == 0:
            self.screen.line(self._row(d))
        self.before = signal
        self.seen += 1

    def _row(self, d: Decision) -> str:
        screen = self.screen
        second, fraction = divmod(d.ts, 10**9)
        stamp = time.strftime("%H:%M:%S", time.gmtime(second)) + f".{fraction // 10**6:03d}"
        signal = d.signal.value.replace("_", " ")
        colour = "green" if "BUY" in signal else "red" if "SELL" in signal else "dim"
        if d.signal is Signal.HOLD:
            what = d.failed[0].text if d.failed else ""
        else:
            what = f"size {d.risk.risk_adjusted_position_size:.1%}, {d.execution.entry_method}"
        price = "?" if d.price is None else f"{d.price:,.8g}"
        head = f"{stamp:<12} {price:>12}  {screen.paint(f'{signal:<11}', colour)} {d.confidence:>5.3f}  "
        body = f"{d.quality.value:<9} {d.regime.name.value.replace('_', ' '):<13} {d.regime.volatility.value:<10} "
        room = shutil.get_terminal_size((140, 24)).columns - 82 if screen.live else 200
        return head + body + screen.paint(what[: max(20, room)], "dim")


def play(
    bot: Orchestrator, events: NDArray[np.void], session: Session, screen: Screen, expected: int, label: str
) -> tuple[float, dict[str, Any]]:
    """All events through the bot, on the screen; the seconds it took, and what every report says of a run."""
    first = int(events["ts"][0])
    whole = max(1, int(events["ts"][-1]) - first)
    table = Table(screen, expected)

    def seen(decision: Decision) -> None:
        session.add(decision)
        table.add(decision)
        screen.progress(label, (decision.ts - first) / whole, f"{len(session):,} decisions")

    spent = feed(bot, events, seen)
    resident = resident_mib()
    screen.done()
    status = bot.status()
    return spent, {
        "events": len(events),
        **session.summary(),
        "models": [model["name"] for model in status["models"]],
        "events_per_second": round(len(events) / spent),
        "rss_mib": round(resident, 1),
        "recording_mib": round(events.nbytes / 2**20, 1),
        "scorecard": status["scorecard"],
        "last": session.last.id if session.last is not None else "",
    }


def facts(found: Mapping[str, Any]) -> dict[str, str]:
    """The headline figures of every report."""
    return {
        "events": f"{found['events']:,}",
        "decisions": f"{found['decisions']:,}",
        "events per second": f"{found['events_per_second']:,}",
        "resident memory": f"{found['rss_mib']:.0f} MiB",
    }


def memory(found: Mapping[str, Any]) -> str:
    """Of the process, and how much of that is the recording."""
    return f"{found['rss_mib']:.0f} MiB resident, {found['recording_mib']:.0f} of them the recording"


def tell(session: Session, screen: Screen) -> None:
    """Signals and gates, in lines."""
    summary = session.summary()
    screen.fact("signals", ", ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in summary["signals"].items()))
    if summary["gates"]:
        holds = summary["signals"]["HOLD"]
        screen.fact("gates", f"that stopped trades, in {holds:,} HOLD decisions (one may fail several):")
        for gate, n in summary["gates"].items():
            screen.fact("", f"{gate:<14} {n['failed']:>7,}   alone {n['alone']:>7,}")


def names(models: Sequence[Steps]) -> str:
    """Of the models, or "none"."""
    return ", ".join(model.contract.name for model in models) or "none"


def span(seconds: float) -> str:
    """A length of time as people say it."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    if seconds < 7200:
        return f"{seconds / 60:.3g} min"
    return f"{seconds / 3600:.3g} h" if seconds < 172_800 else f"{seconds / 86400:.4g} days"


def figures(latency: Latency) -> str:
    """The usual quantiles, and of how many decisions."""
    s = latency.summary()
    if not s["count"]:
        return "no decision"
    shown = ", ".join(f"{q} {s[q + '_us']:,.0f} µs" for q in ("p50", "p99", "p99.9"))
    return f"{shown} ({s['count']:,} decisions)"


def pair(latency: Latency) -> str:
    """The median and p99."""
    s = latency.summary()
    return f"{s['p50_us']:,.0f} / {s['p99_us']:,.0f} µs" if s["count"] else "not measured"
