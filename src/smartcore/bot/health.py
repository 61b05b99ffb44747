"""How well a bot is: metrics and a health score from 0 to 100, taken off the hot thread at intervals.

The score is a weighted mean of six parts, each 0 to 1, less half of what the worst of them lacks: five good ones do not
make up for a feed that is dead. A part that cannot be known yet is left out.

| part | weight | 1 while | 0 from |
| --- | --- | --- | --- |
| latency | 0.20 | the 99th percentile is within the budget | five times the budget |
| errors | 0.20 | no model failed and no decision was dropped | one in twenty decisions |
| data | 0.25 | the newest event is no older than ``data_s`` | ten times that |
| inputs | 0.10 | at most one row in twenty is unlike 99 % of the training rows | every second one |
| calibration | 0.15 | the expected calibration error is below 0.03, or within its noise | 0.15 |
| memory | 0.10 | resident memory is within the budget | twice the budget |
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from smartcore.bot.session import resident_mib

if TYPE_CHECKING:
    from smartcore.bot.orchestrator import Orchestrator
    from smartcore.decide import Decision

WEIGHTS = {"latency": 0.20, "errors": 0.20, "data": 0.25, "inputs": 0.10, "calibration": 0.15, "memory": 0.10}
_log = logging.getLogger("smartcore.alerts")


@dataclass(frozen=True)
class Budget:
    """What counts as well."""

    latency_us: float = 1000.0
    """99th percentile from event to decision."""
    data_s: float = 5.0
    memory_mb: float = 200.0
    novel: tuple[float, float] = (0.05, 0.5)
    """Share of rows unlike 99 % of those of training, 0.01 where nothing has changed: well until, and ill from."""
    calibration: tuple[float, float] = (0.03, 0.15)


@dataclass(frozen=True)
class Health:
    """One look at a bot: ``score`` 0 to 100, its ``parts`` 0 to 1 (those unknown are absent), the ``facts`` behind."""

    symbol: str
    at: float
    """Unix time, seconds."""
    score: float
    parts: Mapping[str, float]
    facts: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def worst(self) -> str:
        """The part that is worst."""
        return min(self.parts, key=lambda name: self.parts[name]) if self.parts else ""

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "symbol": self.symbol, "at": self.at, "score": self.score, "worst": self.worst,
            "parts": dict(self.parts), "facts": dict(self.facts),
        }  # fmt: skip

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {part:.2f}" for name, part in self.parts.items())
        return f"{self.symbol or '?'}: health {self.score:.0f} of 100 ({parts or 'nothing known yet'})"


@dataclass(frozen=True)
class Alert:
    """Something that a person should look at: ``kind`` "health", "gate" or "drift"."""

    symbol: str
    kind: str
    text: str
    at: float


def judge(symbol: str, facts: Mapping[str, float | None], budget: Budget, at: float) -> Health:
    """The score of these facts. Pure. A fact that is None or absent leaves its part out.

    facts: ``latency_p99_us``, ``error_share`` (of decisions), ``data_age_s``, ``novel`` (share of rows), ``ece`` less
        its noise, ``memory_mb``.
    """

    def falling(name: str, well: float, ill: float) -> float | None:
        x = facts.get(name)
        return None if x is None or x != x else min(1.0, max(0.0, (ill - x) / (ill - well)))

    found = {
        "latency": falling("latency_p99_us", budget.latency_us, 5 * budget.latency_us),
        "errors": falling("error_share", 0.0, 0.05),
        "data": falling("data_age_s", budget.data_s, 10 * budget.data_s),
        "inputs": falling("novel", *budget.novel),
        "calibration": falling("ece", *budget.calibration),
        "memory": falling("memory_mb", budget.memory_mb, 2 * budget.memory_mb),
    }
    parts = {name: part for name, part in found.items() if part is not None}
    score = 100.0
    if parts:
        mean = sum(WEIGHTS[name] * part for name, part in parts.items()) / sum(WEIGHTS[name] for name in parts)
        score = 100.0 * max(0.0, mean - 0.5 * (1.0 - min(parts.values())))
    return Health(symbol, at, score, parts, dict(facts))


class Monitor:
    """Looks at bots from a thread of its own: metrics every ``metrics_s`` seconds, health every ``health_s``.

    bots: orchestrators; looked at, never changed, but for ``bot.health``, which the gate "health" reads.
    alert: called with an Alert, from the monitor's thread, where health falls below ``least`` or comes back, or inputs
        have drifted; left out, alerts go to the log ``smartcore.alerts``. What it raises is logged and goes no further.
    clock: Unix seconds. Events are stamped in the same time where the feed is live; ``live=False`` leaves the age of
        data out, for replays.

    ``Monitor(...)`` starts it, ``close()`` stops it; it is a context manager. ``look()`` takes one look now.
    """

    def __init__(
        self,
        bots: Iterable[Orchestrator],
        *,
        budget: Budget | None = None,
        metrics_s: float = 30.0,
        health_s: float = 300.0,
        least: float = 50.0,
        alert: Callable[[Alert], None] | None = None,
        live: bool = True,
        clock: Callable[[], float] = time.time,
        start: bool = True,
    ) -> None:
        if not (metrics_s > 0 and health_s > 0):
            raise ValueError(f"metrics_s: {metrics_s!r}, health_s: {health_s!r}; both are above 0")
        self.bots = tuple(bots)
        self.budget = budget or Budget()
        self.metrics_s, self.health_s, self.least = metrics_s, health_s, least
        self.live = live
        self._alert = alert
        self._clock = clock
        self._novel: list[deque[bool]] = [deque(maxlen=300) for _ in self.bots]
        self._sampled: list[Decision | None] = [None] * len(self.bots)
        self._before = [(0, 0)] * len(self.bots)
        self._ill: set[tuple[str, str]] = set()
        self.metrics: deque[dict[str, Any]] = deque(maxlen=2880 * max(1, len(self.bots)))
        """The newest looks, a day of them at every 30 s."""
        self.health: dict[str, Health] = {}
        """By symbol, the newest."""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        if start:
            self._thread = threading.Thread(target=self._work, name="monitor", daemon=True)
            self._thread.start()

    def look(self) -> list[Health]:
        """Metrics and health of every bot, now."""
        return [self._look(i) for i in range(len(self.bots))]

    def sample(self) -> None:
        """Whether the row of each newest decision was unlike those of training, where that is known; once of each."""
        for i, bot in enumerate(self.bots):
            decision = bot.decision
            if decision is None or decision is self._sampled[i]:
                continue
            self._sampled[i] = decision
            value = next((r.value for r in decision.reasons if r.gate == "novelty"), None)
            if value is not None:
                self._novel[i].append(value > 1.0)

    def close(self) -> None:
        """Stop the thread. Closing twice does nothing."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(5.0)

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _work(self) -> None:
        rows_s = min(1.0, self.metrics_s)
        next_metrics = next_health = 0.0
        while not self._stop.wait(rows_s):
            try:
                self.sample()
                now = time.monotonic()
                if now >= next_metrics:
                    next_metrics = now + self.metrics_s
                    self.metrics.extend(self._facts(i) for i in range(len(self.bots)))
                if now >= next_health:
                    next_health = now + self.health_s
                    self.look()
            except Exception:  # a monitor that dies is worse than one that misses a look
                _log.exception("monitor: a look failed")

    def _facts(self, i: int) -> dict[str, Any]:
        bot = self.bots[i]
        status = bot.status()
        journal = status["journal"] or {}
        errors = sum(model["faults"] for model in status["models"]) + journal.get("drops", 0)
        decisions = status["decisions"]
        was_decisions, was_errors = self._before[i]
        made = decisions - was_decisions
        age = self._clock() - bot.ts / 1e9 if self.live and bot.ts > 0 else None
        return {
            "symbol": bot.symbol,
            "at": self._clock(),
            "decisions": decisions,
            "errors": errors,
            "latency_p99_us": status["latency"]["p99_us"],
            "error_share": (errors - was_errors) / made if made > 0 else 1.0 if errors > was_errors else None,
            "data_age_s": age,
            "novel": sum(novel) / len(novel) if len(novel := self._novel[i]) >= 20 else None,
            "ece": _excess(bot),
            "memory_mb": resident_mib(),
        }

    def _look(self, i: int) -> Health:
        facts = self._facts(i)
        self._before[i] = facts["decisions"], facts["errors"]
        bot = self.bots[i]
        told = judge(
            bot.symbol, {k: v for k, v in facts.items() if k not in ("symbol", "at")}, self.budget, facts["at"]
        )
        self.health[bot.symbol] = told
        bot.health = told.score
        self._tell(bot.symbol, "health", told.score < self.least, f"{told}; worst: {told.worst}")
        novel = facts["novel"] or 0.0
        text = f"inputs have drifted: {novel:.0%} of the rows are unlike 99 % of those of training"
        self._tell(bot.symbol, "drift", novel > 0.5 * self.budget.novel[1], text)
        return told

    def _tell(self, symbol: str, kind: str, ill: bool, text: str) -> None:
        """Once when it falls ill, once when it is well again."""
        key = symbol, kind
        if ill == (key in self._ill):
            return
        (self._ill.add if ill else self._ill.discard)(key)
        alert = Alert(symbol, kind, text if ill else f"well again: {text}", self._clock())
        if self._alert is None:
            _log.warning("%s %s: %s", alert.symbol, alert.kind, alert.text)
            return
        try:
            self._alert(alert)
        except Exception:
            _log.exception("monitor: the alert callback failed")


def _excess(bot: Orchestrator) -> float | None:
    """The calibration error of confidence so far, less what a calibrated forecaster of as many calls would have."""
    decision = bot.decision
    track = None if decision is None else decision.track
    if track is None or track.ece is None or track.ece_floor is None or track.calls < 50:
        return None
    return max(0.0, track.ece - track.ece_floor)
