"""Journalled decisions made again, and compared to the last bit.

Two ways. From what is kept of each decision itself (row, scores, scorecard, policy, circumstances): ``decide()`` alone
is repeated. From a snapshot of the bot and the events after it: engine, models, clocks, outcomes and decision are
repeated, and with them every value of the row; only what no event says (latency, position, equity, clock) is taken from
the journal.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from smartcore._core import Flight
from smartcore.errors import InvalidData

if TYPE_CHECKING:
    from smartcore.bot.journal import Journal
    from smartcore.bot.orchestrator import Orchestrator
    from smartcore.bot.records import Entry
    from smartcore.bot.sources import Steps

Progress = Callable[[int], object]
_MOST = 20


def ulps(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """How many floating-point numbers lie between each two; 0 where they are equal or both unknown, infinite where one
    alone is unknown."""

    def line(x: NDArray[np.float64]) -> NDArray[np.uint64]:  # numbers in order, as whole numbers in order
        bits = np.ascontiguousarray(x, np.float64).view(np.uint64)
        zero, size = np.uint64(1 << 63), bits & np.uint64((1 << 63) - 1)
        return np.where(bits >> np.uint64(63), zero - size, zero + size)

    x, y = line(a), line(b)
    apart = np.where(x > y, x - y, y - x).astype(np.float64)
    unknown = np.isnan(a) | np.isnan(b)
    return np.where(unknown, np.where(np.isnan(a) & np.isnan(b), 0.0, np.inf), apart)


@dataclass
class Rerun:
    """How far decisions made again agree with the journal."""

    columns: tuple[str, ...] = ()
    decisions: int = 0
    same: int = 0
    """Of those, equal in every byte."""
    replayed: int = 0
    """Of those, from a snapshot and events; the others from what is kept of each."""
    different: list[str] = field(default_factory=list)
    """Ids of the first that are not, with what differs."""
    worst: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """By column, of those replayed: largest distance of a recomputed value from the one online, in ulp."""
    total: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    @property
    def exact(self) -> bool:
        """Whether all agree."""
        return self.same == self.decisions

    @property
    def mean(self) -> NDArray[np.float64]:
        """By column: mean distance in ulp."""
        return self.total / max(1, self.replayed)

    def add(
        self,
        entry: Entry,
        decision: bytes,
        parts: Mapping[str, bytes],
        row: NDArray[np.float64] | None,
        state: int | None = None,
    ) -> None:
        """One more. parts: other records made again, by name; row: the engine's, where it was recomputed; state: the
        hash of the events that it was given."""
        self.decisions += 1
        wrong = [] if state is None or (state - entry.state) % 2**64 == 0 else ["EVENTS"]
        wrong += [name for name, made in parts.items() if made != entry.record(name)]
        if decision != entry.record("DECISION"):
            wrong.append("DECISION")
        if row is not None:
            if not self.replayed:
                self.columns = entry.run.columns
                self.worst, self.total = np.zeros(len(self.columns)), np.zeros(len(self.columns))
            self.replayed += 1
            apart = ulps(row, entry.row)
            self.worst = np.maximum(self.worst, apart)
            self.total = self.total + apart
            wrong += [self.columns[i] for i in np.flatnonzero(apart)[:_MOST]]
        if wrong:
            if len(self.different) < _MOST:
                self.different.append(f"{entry.decision.id}: {', '.join(wrong)}")
        else:
            self.same += 1

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; columns that agree throughout are left out of ``ulps``."""
        off = np.flatnonzero(self.worst)
        mean = self.mean
        return {
            "decisions": self.decisions,
            "same": self.same,
            "replayed": self.replayed,
            "exact": self.exact,
            "different": list(self.different),
            "columns": len(self.columns),
            "worst_ulp": _finite(self.worst.max(initial=0.0)),
            "mean_ulp": _finite(mean.mean()) if len(mean) else 0.0,
            "ulps": {self.columns[i]: [_finite(self.worst[i]), _finite(mean[i])] for i in off},
        }

    @property
    def lines(self) -> list[str]:
        """It in words."""
        if not self.decisions:
            return ["no decisions"]
        how = f", {self.replayed:,} of them from a snapshot and the events" if self.replayed else ""
        what = "decision" if self.decisions == 1 else "decisions"
        lines = [f"{self.decisions:,} {what} made again{how}: {self.same:,} equal to the last bit"]
        if self.replayed:
            off = np.flatnonzero(self.worst)
            cells = self.replayed * len(self.columns)
            worst = self.worst.max(initial=0.0)
            lines.append(
                f"{cells:,} values of {len(self.columns)} columns recomputed: worst {worst:g} ulp, "
                f"{len(off)} columns differ anywhere"
            )
            mean = self.mean
            order = sorted(off, key=lambda i: -self.worst[i])[:_MOST]
            lines += [f"  {self.columns[i]}: worst {self.worst[i]:g} ulp, mean {mean[i]:.3g}" for i in order]
        lines += [f"  different: {what}" for what in self.different]
        return lines


def decide_again(entries: Iterable[Entry], progress: Progress = lambda done: None) -> Rerun:
    """Every decision once more from what is kept of it."""
    out = Rerun()
    for entry in entries:
        out.add(entry, entry.again(), {}, None)
        progress(out.decisions)
    return out


def replay(
    journal: Journal,
    run: int,
    models: Sequence[Steps] = (),
    *,
    first: int = 0,
    last: int | None = None,
    events: NDArray[np.void] | None = None,
    progress: Progress = lambda done: None,
    **options: Any,
) -> Rerun:
    """Decisions number ``first`` to ``last`` of a run once more, from the last snapshot before them.

    models: those of the run, loaded anew. events: all of the run, dtype EVENT, where the journal did not capture them.
    options: as for ``Orchestrator.restore`` (``fallback`` ...).

    Raises InvalidData where there is no snapshot or an event is missing, and what ``Orchestrator.restore`` raises.
    """
    from smartcore.bot.orchestrator import Orchestrator

    found = journal.snapshot_of(run, first)
    if found is None:
        raise InvalidData(f"{journal.path}: no snapshot of run {run} before decision {first}")
    taken, sequence, _, state, blob = found
    bot = Orchestrator.restore(blob, *models, **options)
    made = _Made(bot, state)
    if events is not None:
        return _replay(made, events[taken:], journal.of_run(run, sequence, last), None, first, progress)
    until = max((entry.events for entry in journal.of_run(run, sequence, last)), default=taken)
    events = journal.events_of(run, taken, until)
    return _replay(made, events, journal.of_run(run, sequence, last), taken, first, progress)


def _replay(
    made: _Made,
    events: NDArray[np.void],
    wanted: Iterable[Entry],
    taken: int | None,
    first: int,
    progress: Progress,
) -> Rerun:
    """taken: how many events of the run came before ``events``; None: those are given, nothing was captured."""
    out, at, bot = Rerun(), 0, made.bot
    for entry in wanted:
        context = entry.record("CONTEXT")
        sequence = int(entry.void("CONTEXT")["sequence"])
        until = len(events) if taken is None else entry.events - taken
        decision = None
        while at < until and (decision is None or decision.sequence < sequence):
            bot._outside(context)
            decision, at = bot._feed(events, at, until)
            made.take(decision is not None)
        if decision is None or decision.sequence < sequence:
            if taken is None and at == len(events):
                raise InvalidData(f"events: they end before decision {entry.decision.id}")
            bot._outside(context)
            decision = bot.decide(entry.decision.ts)  # one that was asked for, not due
            made.take(True)
        if sequence >= first:
            out.add(entry, decision.raw, made.parts, made.row, made.state)
            progress(out.decisions)
    return out


class _Made:
    """A bot, and what its last decision was made from, as the loop left it."""

    def __init__(self, bot: Orchestrator, state: int) -> None:
        self.bot = bot
        self.flight = Flight(mmap.mmap(-1, 1 << 20), capture=False, state=state & 2**64 - 1)
        bot._record(self.flight)
        self.state = 0
        self.parts: dict[str, bytes] = {}
        self.row: NDArray[np.float64] = np.zeros(0)
        self._at = 0

    def take(self, some: bool) -> None:
        if not some:
            return
        found, self._at = self.flight.take(self._at, 1)
        _, _, self.state, _, context, given, card, row = found[0]
        self.flight.release(self._at)
        self.parts |= {"CONTEXT": context, "GIVEN": given} | ({} if card is None else {"SCORECARD": card})
        self.row = np.frombuffer(row)


def _finite(x: float) -> float | None:
    return float(x) if np.isfinite(x) else None
