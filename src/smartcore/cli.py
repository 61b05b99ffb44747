"""``smartcore demo | run | features | why | version``. Every command takes ``--json``: one document on standard
output, nothing else.

Exit codes: 0 done, 1 a check failed, 2 something asked for cannot be had (the message says what), 130 interrupted.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import smartcore as sc

if TYPE_CHECKING:
    import numpy as np

    from smartcore.bot.latency import Latency
    from smartcore.bot.orchestrator import Orchestrator
    from smartcore.bot.report import Session
    from smartcore.decide import Decision, Policy

_FORMATS = ("auto", "binance", "lobster", "bitstamp", "ticks", "ohlcv")
_SIMULATED = "The shipped models are trained on simulated data and know nothing of any real market."


class Refused(Exception):
    """What the user asked for cannot be had; the text says why."""


# ---- the terminal ----


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
        codes = {"green": "32", "red": "31", "dim": "2", "bold": "1", "yellow": "33"}
        return f"\033[{codes[colour]}m{text}\033[0m" if self.colour else text

    def _clear(self) -> None:
        if self._shown:
            sys.stdout.write("\r\033[K")
            self._shown = ""


_HEADINGS = (
    f"{'UTC':<12} {'price':>12}  {'signal':<11} {'conf':>5}  {'quality':<9} {'regime':<13} {'volatility':<10} why"
)


def _row(d: Decision, screen: Screen) -> str:
    second, fraction = divmod(d.ts, 10**9)
    stamp = time.strftime("%H:%M:%S", time.gmtime(second)) + f".{fraction // 10**6:03d}"
    signal = d.signal.value.replace("_", " ")
    colour = "green" if "BUY" in signal else "red" if "SELL" in signal else "dim"
    if d.signal.value == "HOLD":
        failed = d.failed
        what = f"{failed[0].text}" if failed else ""
    else:
        what = f"size {d.risk.risk_adjusted_position_size:.1%}, {d.execution.entry_method}"
    price = "?" if d.price is None else f"{d.price:,.8g}"
    head = f"{stamp:<12} {price:>12}  {screen.paint(f'{signal:<11}', colour)} {d.confidence:>5.3f}  "
    body = f"{d.quality.value:<9} {d.regime.name.value.replace('_', ' '):<13} {d.regime.volatility.value:<10} "
    room = shutil.get_terminal_size((140, 24)).columns - 82 if screen.live else 200
    return head + body + screen.paint(what[: max(20, room)], "dim")


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
            self.screen.line(_row(d, self.screen))
        self.before = signal
        self.seen += 1


# ---- parts of a run ----


def _models(wanted: str, deep: bool) -> list[sc.Model]:
    """Models by name or file; "auto": the shipped ones where there is a book to read."""
    from smartcore.models import builtin

    if wanted == "none" or (wanted == "auto" and not deep):
        return []
    names = builtin() if wanted == "auto" else tuple(name.strip() for name in wanted.split(",") if name.strip())
    return [sc.Model.load(name) for name in names]


def _policy(options: argparse.Namespace, **defaults: Any) -> Policy:
    """A policy from defaults and ``--set name=value``."""
    values = defaults | _assigned("--set", options.set)
    known = [f.name for f in fields(sc.Policy) if f.init]
    for name in values:
        if name not in known:
            raise Refused(f"--set {name}: no such field of the policy; there are {', '.join(known)}")
    if isinstance(values.get("uncalibrated"), list):
        values["uncalibrated"] = frozenset(values["uncalibrated"])
    return sc.Policy(**values)


def _assigned(option: str, pairs: Sequence[str] | None) -> dict[str, Any]:
    """NAME=VALUE pairs; values are JSON where they can be read as that, else text."""
    values: dict[str, Any] = {}
    for pair in pairs or ():
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            raise Refused(f"{option} {pair}: write NAME=VALUE")
        try:
            values[name] = json.loads(text)
        except ValueError:
            values[name] = text
    return values


def _replay(
    bot: Orchestrator, events: np.ndarray, session: Session, screen: Screen, table: Table | None, label: str
) -> float:
    """Feed all events; seconds spent in the bot itself, drawing left out."""
    first, last = int(events["ts"][0]), int(events["ts"][-1])
    span = max(1, last - first)
    gc.collect()
    gc.freeze()  # what exists now stays: the collector need not walk it in the middle of a tick
    spent, began = 0, time.perf_counter_ns()
    for decision in bot.run(events):
        spent += time.perf_counter_ns() - began
        session.add(decision)
        if table is not None:
            table.add(decision)
        screen.progress(label, (decision.ts - first) / span, f"{len(session):,} decisions")
        began = time.perf_counter_ns()
    spent += time.perf_counter_ns() - began
    screen.done()
    gc.unfreeze()
    return spent / 1e9


def _paced(bot: Orchestrator, events: np.ndarray, ticks: int, quiet_s: float, screen: Screen) -> None:
    """Decisions after ``quiet_s`` of nothing: caches cold, as a live bot's are. Ticks in between are fed at once."""
    import numpy as np

    every = bot.policy.interval_ns
    grid = events["ts"] // every
    opens = np.flatnonzero(np.diff(grid)) + 1  # the first event after a grid point makes the decision
    opens = opens[:ticks]
    if not len(opens):
        return
    pause = set(opens.tolist())
    last = opens[-1]
    part = events[: min(len(events), last + 64)]
    for i, event in enumerate(part):
        if i in pause:
            time.sleep(quiet_s)
            screen.progress(
                f"paced, {quiet_s * 1e3:g} ms of quiet before each", i / len(part), f"{bot.decisions:,} decisions"
            )
        bot.on_event(event)
    screen.done()


def _rss_mb() -> float:
    """Resident memory of this process, MiB."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


_SIMULATE = """
import sys, numpy as np
from smartcore.market.simulator import REGIMES, simulate
s = simulate(float(sys.argv[2]), int(sys.argv[3]), "mixed")
np.savez(sys.argv[1], events=s.events, ts=s.labels["ts"], regime=np.array(REGIMES)[s.labels["regime"]])
"""


def _simulated(seconds: float, seed: int, screen: Screen) -> tuple[np.ndarray, list[tuple[int, str]]]:
    """Events and true regimes. In a process of its own: the simulator's compiler is not what a live bot has in
    memory.
    """
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "market.npz"
        command = [sys.executable, "-c", _SIMULATE, str(path), str(seconds), str(seed)]
        began = time.monotonic()
        if not screen.live:
            screen.line(f"simulating {_span(seconds)} of a market (the first time its code is compiled, some 10 s)")
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
            raise Refused(f"the simulator failed:\n{complaint.strip()}")
        with np.load(path) as file:
            truth = list(zip(file["ts"].tolist(), file["regime"].tolist(), strict=True))
            return np.ascontiguousarray(file["events"]), truth


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    if seconds < 7200:
        return f"{seconds / 60:.3g} min"
    return f"{seconds / 3600:.3g} h" if seconds < 172_800 else f"{seconds / 86400:.4g} days"


def _figures(latency: Latency) -> str:
    s = latency.summary()
    if not s["count"]:
        return "no decision"
    shown = ", ".join(f"{q} {s[q + '_us']:,.0f} µs" for q in ("p50", "p99", "p99.9"))
    return f"{shown} ({s['count']:,} decisions)"


def _told(session: Session, screen: Screen) -> None:
    """Signals and gates, in lines."""
    summary = session.summary()
    screen.line("signals   " + ", ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in summary["signals"].items()))
    if summary["gates"]:
        holds = summary["signals"]["HOLD"]
        screen.line(f"gates     that stopped trades, in {holds:,} HOLD decisions (one may fail several):")
        for gate, n in summary["gates"].items():
            screen.line(f"          {gate:<14} {n['failed']:>7,}   alone {n['alone']:>7,}")


# ---- commands ----


def demo(options: argparse.Namespace) -> int:
    """A simulated market through the whole flow, with latency, gates and a report."""
    from smartcore.bot.orchestrator import Orchestrator
    from smartcore.bot.report import Session, write

    if not options.seconds > 0:
        raise Refused(f"--seconds {options.seconds:g}: a number above 0 is wanted")
    began = time.monotonic()
    screen = Screen(options.json)
    folder = Path(options.out)
    models = _models(options.models, True)
    policy = _policy(options, every="1s", horizon=10, fee_bps=options.fee_bps)
    names = ", ".join(model.contract.name for model in models) or "none"
    screen.line(f"smartcore {sc.__version__} demo: engine, models ({names}), decision, journal. {_SIMULATED}")
    events, truth = _simulated(options.seconds, options.seed, screen)
    simulated = time.monotonic() - began
    screen.line(f"simulated {_span(options.seconds)} of one instrument in changing regimes: {len(events):,} events")
    screen.line()

    folder.mkdir(parents=True, exist_ok=True)
    journal = folder / "demo.journal"
    for stale in (journal, Path(f"{journal}-wal"), Path(f"{journal}-shm")):
        stale.unlink(missing_ok=True)
    session = Session()

    def bot(record: Path | None) -> Orchestrator:
        engine = sc.Engine(instrument="DEMO", bars="1s")
        made = Orchestrator(engine, *(model.fork() for model in models), policy=policy, journal=record)
        made.equity = 100_000.0
        return made

    hot = bot(journal)
    with hot:
        table = Table(screen, int(options.seconds))
        spent = _replay(hot, events, session, screen, table, "hot, back to back")
        memory = _rss_mb()
        status = hot.status()
        journaled = len(hot.journal) if hot.journal is not None else 0
    paced = bot(None)
    if options.paced:
        _paced(paced, events, options.ticks, 0.003, screen)
    quiet = max(0.0, spent - hot.latency.total / 1e9) / max(1, len(events) - len(session)) * 1e6

    summary = session.summary()
    latencies = {"hot, back to back": hot.latency, "paced, 3 ms of quiet before each": paced.latency}
    report = folder / "demo.html"
    facts = {
        "events": f"{len(events):,}",
        "decisions": f"{len(session):,}",
        "events per second": f"{len(events) / spent:,.0f}",
        "hot p50 / p99": _pair(hot.latency),
        **({"paced p50 / p99": _pair(paced.latency)} if options.paced else {}),
        "other events, each": f"{quiet:.2f} µs",
        "resident memory": f"{memory:.0f} MiB",
    }
    costs = f"Fee {policy.fee_bps:g} bps a side" + (
        ", so that something trades at all: moves over 10 s are smaller than most fees (try --fee-bps 2)."
        if policy.fee_bps == 0
        else "."
    )
    size = write(
        report,
        session,
        title=f"smartcore demo: {_span(options.seconds)} of a simulated market",
        facts=facts,
        notes=[f"{_SIMULATED} Models: {names}. {costs} {_machine()}."],
        policy=policy,
        latencies=latencies,
        scorecard=status["scorecard"],
        truth=truth,
    )
    last = session.last.id if session.last is not None else ""
    total = time.monotonic() - began
    screen.line()
    _told(session, screen)
    screen.line(f"hot       {_figures(hot.latency)}, back to back")
    if options.paced:
        screen.line(f"paced     {_figures(paced.latency)}, 3 ms of quiet before each: what a bot feels")
    screen.line(f"speed     {len(events) / spent:,.0f} events a second; an event without a decision {quiet:.2f} µs")
    screen.line(f"memory    {memory:.0f} MiB resident, {events.nbytes / 2**20:.0f} of them the recording")
    screen.line(f"machine   {_machine()}")
    screen.line(f"costs     {costs}")
    screen.line(f"journal   {journal}: {journaled:,} decisions, {status['journal']['drops']:,} dropped")
    if last:
        screen.line(f"          smartcore why {last} --journal {journal}")
    screen.line(f"report    {report} ({size / 1024:.0f} kB)")
    screen.line(f"took      {total:.1f} s, {simulated:.1f} of them simulating")
    if options.json:
        _print(
            {
                "command": "demo",
                "version": sc.__version__,
                "seconds": options.seconds,
                "seed": options.seed,
                "events": len(events),
                **summary,
                "models": [model.contract.name for model in models],
                "fee_bps": policy.fee_bps,
                "latency": {
                    "hot": hot.latency.summary(),
                    "paced": paced.latency.summary() if options.paced else None,
                    "event_without_decision_us": round(quiet, 3),
                },
                "events_per_second": round(len(events) / spent),
                "rss_mib": round(memory, 1),
                "recording_mib": round(events.nbytes / 2**20, 1),
                "scorecard": status["scorecard"],
                "journal": str(journal),
                "journaled": journaled,
                "dropped": status["journal"]["drops"],
                "last": last,
                "report": str(report),
                "report_bytes": size,
                "took_s": round(total, 2),
                "simulate_s": round(simulated, 2),
            }
        )
    return 0


def _pair(latency: Latency) -> str:
    s = latency.summary()
    return f"{s['p50_us']:,.0f} / {s['p99_us']:,.0f} µs" if s["count"] else "not measured"


def _machine() -> str:
    """The machine, and whether others are at work on it: then tails of latency hold their time."""
    cpus = os.cpu_count() or 1
    load = os.getloadavg()[0]
    busy = (
        f", busy with other work (load {load:.1f}), which lengthens the tails of latency" if load > 0.75 * cpus else ""
    )
    return f"{platform.system()} {platform.machine()}, {cpus} CPUs, Python {platform.python_version()}{busy}"


def run(options: argparse.Namespace) -> int:
    """A recording through the same flow, with checks of the book at the end."""
    import numpy as np

    from smartcore.bot.orchestrator import Orchestrator
    from smartcore.bot.report import Session, write
    from smartcore.market.events import Kind
    from smartcore.market.readers import read

    began = time.monotonic()
    screen = Screen(options.json)
    source = Path(options.data)
    if source.is_dir():
        raise Refused(f"{source} is a folder; --data takes a file")
    if options.limit is not None and options.limit < 1:
        raise Refused(f"--limit {options.limit}: a number above 0 is wanted")
    _policy(options, every=options.every or "bar", fee_bps=options.fee_bps)  # what is wrong shows before a long read
    if options.bars not in ("auto", "none"):
        sc.Engine([], bars=options.bars)
    screen.progress(f"reading {source.name}")
    events = np.ascontiguousarray(read(source, options.format, **_assigned("--read", options.read))[: options.limit])
    arrow = sys.modules.get("pyarrow")
    if arrow is not None:  # its pool keeps what the file was read into
        arrow.default_memory_pool().release_unused()
    screen.done()
    if not len(events):
        raise Refused(f"{source.name}: no events in it")
    kinds = np.bincount(events["kind"], minlength=8)
    deep = bool(kinds[Kind.DEPTH] or kinds[Kind.QUOTE])
    fed = bool(kinds[Kind.BAR])
    bars = options.bars if options.bars != "auto" else None if fed or not kinds[Kind.TRADE] else "1s"
    if bars == "none":
        bars = None
    elif fed and bars is not None:
        raise Refused(f"--bars {bars}: {source.name} holds bars already")
    models = _models(options.models, deep)
    horizon = {"horizon": 10} if models else {}
    policy = _policy(options, every=options.every or ("bar" if fed else "1s"), fee_bps=options.fee_bps, **horizon)
    symbol = options.symbol or source.name.split(".")[0]
    engine = sc.Engine(instrument=symbol, bars=bars, out_of_order="raise")
    span = (int(events["ts"][-1]) - int(events["ts"][0])) / 1e9
    names = ", ".join(model.contract.name for model in models) or "none"
    screen.line(f"{source.name}: {len(events):,} events over {_span(span)}; models: {names}")
    if models:
        screen.line(_SIMULATED)
    screen.line()
    session = Session()
    with Orchestrator(engine, *models, policy=policy, journal=options.journal) as bot:
        every = policy.interval_ns / 1e9 or max(span / max(1, int(kinds[Kind.BAR])), 1e-9)
        table = Table(screen, int(span / every))
        spent = _replay(bot, events, session, screen, table, "replaying")
        status = bot.status()
    memory = _rss_mb()
    checks = _check(engine, events, kinds, session)
    failed = [check for check in checks if not check["passed"]]

    size = None
    if options.report:
        facts = {
            "events": f"{len(events):,}",
            "decisions": f"{len(session):,}",
            "span": _span(span),
            "events per second": f"{len(events) / spent:,.0f}",
            "decision p50 / p99": _pair(bot.latency),
            "resident memory": f"{memory:.0f} MiB",
        }
        notes = [f"{_SIMULATED} Models: {names}." if models else "No models: there is no book for them to read."]
        notes[0] += f" Fee {policy.fee_bps:g} bps a side. {_machine()}."
        size = write(
            options.report,
            session,
            title=f"smartcore run: {source.name}",
            facts=facts,
            notes=notes,
            policy=policy,
            latencies={"as fast as it goes": bot.latency},
            scorecard=status["scorecard"],
            checks=checks,
        )
    screen.line()
    _told(session, screen)
    screen.line(f"latency   {_figures(bot.latency)}, as fast as it goes")
    screen.line(f"speed     {len(events) / spent:,.0f} events a second")
    screen.line(f"memory    {memory:.0f} MiB resident, {events.nbytes / 2**20:.0f} of them the recording")
    screen.line(f"machine   {_machine()}")
    for check in checks:
        verdict = screen.paint("passed", "green") if check["passed"] else screen.paint("FAILED", "red")
        screen.line(f"check     {check['name']}: {check['value']}: {verdict}")
    if options.report:
        screen.line(f"report    {options.report} ({(size or 0) / 1024:.0f} kB)")
    if options.journal:
        last = session.last.id if session.last is not None else "last"
        screen.line(f"journal   {options.journal}: smartcore why {last} --journal {options.journal}")
    if options.json:
        _print(
            {
                "command": "run",
                "version": sc.__version__,
                "data": str(source),
                "events": len(events),
                "kinds": {kind.name.lower(): int(kinds[kind]) for kind in Kind},
                "span_s": round(span, 3),
                **session.summary(),
                "models": [model.contract.name for model in models],
                "bars": bars,
                "policy": {"every": policy.every, "fee_bps": policy.fee_bps},
                "latency": bot.latency.summary(),
                "events_per_second": round(len(events) / spent),
                "rss_mib": round(memory, 1),
                "checks": checks,
                "passed": not failed,
                "scorecard": status["scorecard"],
                "report": options.report,
                "report_bytes": size,
                "journal": options.journal,
                "took_s": round(time.monotonic() - began, 2),
            }
        )
    return 1 if failed else 0


def _check(engine: sc.Engine, events: np.ndarray, kinds: np.ndarray, session: Session) -> list[dict[str, Any]]:
    """What must be true of the book at the end of a recording."""
    from smartcore.market.events import Kind

    book, checks = engine.book, []

    def check(name: str, value: str, passed: bool) -> None:
        checks.append({"name": name, "value": value, "passed": bool(passed)})

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
    return checks


def features(options: argparse.Namespace) -> int:
    """The catalogue."""
    catalogue = sc.catalogue()
    rows = catalogue.to_dicts()
    if options.group is not None:
        if options.group not in catalogue.groups:
            raise Refused(f"--group {options.group}: there is {', '.join(catalogue.groups)}")
        rows = [row for row in rows if row["group"] == options.group]
    kernels = len({row["kernel"] for row in rows})
    if options.json:
        _print({"command": "features", "kernels": kernels, "columns": len(rows), "features": rows})
        return 0
    width = max(len(row["column"]) for row in rows)
    group = None
    for row in rows:
        if row["group"] != group:
            group = row["group"]
            print(f"{'' if row is rows[0] else chr(10)}{group}")
        span = f"{_bound(row['low'])}..{_bound(row['high'])}"
        wakes = "+".join(row["wakes"])
        what = f"{row['unit']:<10.10} {span:<12} {wakes:<18.18} {row['warmup']:>5}"
        print(f"  {row['column']:<{width}}  {what}  {row['formula']}")
    print(f"\n{len(rows)} columns of {kernels} kernels: name, unit, range, events that wake it,")
    print("events before its first value, meaning")
    return 0


def _bound(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def why(options: argparse.Namespace) -> int:
    """One decision from a journal: each gate with its margin."""
    from smartcore.bot.journal import Journal

    path = options.journal or os.environ.get("SMARTCORE_JOURNAL")
    if not path:
        raise Refused("which journal? give --journal FILE or set SMARTCORE_JOURNAL")
    journal = Journal(path, readonly=True)
    entry = next(iter(journal.last(1)), None) if options.id == "last" else journal.find(options.id)
    if entry is None:
        newest = journal.last(1)
        hint = f"; the newest of {len(journal):,} is {newest[0].decision.id}" if newest else ", which is empty"
        raise Refused(f"no decision {options.id!r} in {path}{hint}")
    if options.json:
        _print({"command": "why", **entry.to_dict()})
    else:
        print(entry.text)
    return 0


def version(options: argparse.Namespace) -> int:
    """The version, and how the core was built."""
    import numpy as np

    from smartcore.models import builtin

    about = {
        "version": sc.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
        "core": sc.build_config(),
        "kernels": len(sc.catalogue()),
        "columns": len(sc.catalogue().columns),
        "models": list(builtin()),
    }
    if options.json:
        _print({"command": "version", **about})
        return 0
    print(f"smartcore {about['version']}")
    for name, value in about.items():
        if name == "version":
            continue
        if isinstance(value, Mapping):
            value = ", ".join(f"{k} {v}" for k, v in value.items())
        elif isinstance(value, list):
            value = ", ".join(value) or "none"
        print(f"  {name:<8} {value}")
    return 0


def _print(document: Mapping[str, Any]) -> None:
    print(json.dumps(document, allow_nan=False, indent=1))


# ---- the command line ----


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line and points to --help."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parser() -> argparse.ArgumentParser:
    """The command line, as data."""
    top = Parser(prog="smartcore", description="Market events in, a decision with its reasons out.")
    top.add_argument("--version", action="version", version=f"smartcore {sc.__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)

    def command(name: str, call: Any, about: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=about, description=about)
        sub.set_defaults(call=call)
        sub.add_argument("--json", action="store_true", help="one JSON document on standard output, nothing else")
        return sub

    def bot(sub: argparse.ArgumentParser, fee: float) -> None:
        sub.add_argument(
            "--models",
            default="auto",
            metavar="NAMES",
            help="shipped names or files, with commas; none (default: shipped)",
        )
        sub.add_argument("--fee-bps", type=float, default=fee, metavar="BPS", help=f"fee of one side (default {fee:g})")
        sub.add_argument("--set", action="append", metavar="NAME=VALUE", help="a field of the policy; may be repeated")

    sub = command("demo", demo, "a simulated market through engine, models and decision; latency, gates and a report")
    sub.add_argument(
        "--seconds", type=float, default=3600.0, metavar="S", help="length of the simulated market (default 3600)"
    )
    sub.add_argument("--seed", type=int, default=7, help="of the simulator (default 7)")
    sub.add_argument("--out", default="out", metavar="FOLDER", help="for demo.html and demo.journal (default out)")
    sub.add_argument(
        "--ticks", type=int, default=2000, metavar="N", help="decisions of the paced measurement (default 2000)"
    )
    sub.add_argument("--no-paced", dest="paced", action="store_false", help="leave the paced measurement out")
    bot(sub, 0.0)

    sub = command("run", run, "a recording through the same flow, with checks of the book at the end")
    sub.add_argument("--data", required=True, metavar="FILE", help="Parquet, Feather or CSV")
    sub.add_argument("--format", choices=_FORMATS, default="auto", help="by its columns if left out")
    sub.add_argument(
        "--read", action="append", metavar="NAME=VALUE", help="an option of the format's reader; may be repeated"
    )
    sub.add_argument(
        "--bars", default="auto", metavar="RULE", help='built from trades: "1s", "500 trades", "1e6 dollars", none'
    )
    sub.add_argument(
        "--every", metavar="CADENCE", help='when to decide: "1s", "bar", "100 events" (default 1s; bar for bars)'
    )
    sub.add_argument("--limit", type=int, metavar="N", help="events at most")
    sub.add_argument("--symbol", help="name of the instrument (default: the file's)")
    sub.add_argument("--report", metavar="FILE", help="write the HTML report here")
    sub.add_argument("--journal", metavar="FILE", help="write each decision to this journal")
    bot(sub, 2.0)

    sub = command("features", features, "every column: unit, range, what wakes it, warm-up, meaning")
    sub.add_argument("--group", help="one group only")

    sub = command("why", why, "one decision from a journal: each gate and by how much it passed or failed")
    sub.add_argument("id", help='id of a decision, or "last"')
    sub.add_argument("--journal", metavar="FILE", help="the journal (default: $SMARTCORE_JOURNAL)")

    command("version", version, "the version, and how the core was built")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    options = parser().parse_args(arguments)
    try:
        code: int = options.call(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except (Refused, sc.SmartcoreError, OSError, ValueError, TypeError, LookupError, ImportError) as error:
        if os.environ.get("SMARTCORE_TRACEBACK"):
            raise
        print(f"smartcore {options.command}: {_said(error)}", file=sys.stderr)
        return 2


def _said(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, TypeError) and "unexpected keyword argument" in str(error):
        return f"--read: {error}"
    if isinstance(error, sc.SmartcoreError):  # readers speak of their arguments, users of --read have options
        return re.sub(r"pass (\w+)=", r"give --read \1=", str(error)).replace("(out_of_order=", "(--read out_of_order=")
    if isinstance(error, Refused | sc.SmartcoreError | FileNotFoundError | ValueError):
        return str(error)
    return f"{type(error).__name__}: {error} (SMARTCORE_TRACEBACK=1 shows where)"


if __name__ == "__main__":
    sys.exit(main())
