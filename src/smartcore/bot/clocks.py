"""Time for a bot: grid points on which models step, bars end and decisions fall due, and how long a bar usually is."""

from __future__ import annotations

from collections.abc import Iterable

from smartcore.bot.sources import Source
from smartcore.features.engine import bar_rule, interval_ns

NEVER, FAR = -(2**63), 2**63 - 1
"""Before and after every time, ns."""


class Clock:
    """Grid points from the epoch every ``every`` ns, and the models that step there.

    idle: they pass also where nothing happens, as bars end and decisions fall due in silence. A model steps only after
    an event, for ``Engine.run`` gives no rows of silence.
    """

    __slots__ = ("done", "every", "idle", "next", "sources")

    def __init__(self, every: int, idle: bool) -> None:
        self.every = every
        self.idle = idle
        self.next = FAR
        self.done = NEVER
        self.sources: list[Source] = []

    def arm(self, seen: int, now: int) -> None:
        """``next`` from the time of the last event, or where silence counts, from now; FAR where it has passed."""
        ts = max(now, self.done) if self.idle else seen
        following = ts - ts % self.every + self.every
        self.next = following if following > self.done else FAR


def sampling(sources: Iterable[Source]) -> list[Clock]:
    """A clock for each interval ("1s") at which models want a row."""
    clocks: dict[int, Clock] = {}
    for source in sources:
        if source.sample not in ("bar", "event"):
            every = interval_ns(source.sample)
            clocks.setdefault(every, Clock(every, idle=False)).sources.append(source)
    return list(clocks.values())


class BarLength:
    """The usual time from one bar to the next."""

    def __init__(self, bars: str | None) -> None:
        rule, amount = bar_rule(bars)
        self.fixed = rule == "time"
        """Whether bars end by the clock."""
        self._fed = rule == "none"
        self._before = 0
        self.ns = int(amount) if self.fixed else 0
        """0: not known yet."""

    def closed(self, ts: int) -> None:
        """A bar has closed at ``ts``."""
        gap, self._before = ts - self._before, ts
        if self.fixed or not 0 < gap < ts:
            return
        if not self.ns:
            self.ns = gap
        elif self._fed:  # nights and missing bars make longer gaps, nothing makes shorter ones
            self.ns = min(self.ns, gap)
        else:
            self.ns = max(1, self.ns + (gap - self.ns) // 16)
