"""Recorded events through the path that live ones take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from smartcore._core import EVENT
from smartcore.errors import InvalidData

if TYPE_CHECKING:
    from smartcore.bot.orchestrator import Orchestrator
    from smartcore.decide import Decision


_KEPT = 96
"""Bytes of an event in a journal's ring."""


def replay(bot: Orchestrator, events: Any, pace: float | None = None) -> Iterator[Decision]:
    """Every event through the loop, as fast as it goes or at ``pace`` times the recorded speed; the decisions."""
    if pace is not None and not pace > 0:
        raise ValueError(f"pace: {pace!r} is not positive")
    array = as_events(events)
    feed, journal, at, n = bot._feed, bot.journal, 0, len(array)
    # Events may be kept too: where decisions are rare, the journal would not be asked for long enough to lose some. An
    # eighth of the ring: a quarter, on one that is just not half full, leaves no room for the decision between them.
    step = n if journal is None or not journal.events else max(256, bot._flight.capacity // (8 * _KEPT))
    began, first = time.perf_counter_ns(), int(array["ts"][0]) if n else 0
    while at < n:
        end = min(n, at + step)
        if pace is not None:
            end = at + 1
            late = began + (int(array["ts"][at]) - first) / pace - time.perf_counter_ns()
            if late > 0:
                time.sleep(late * 1e-9)
        decision, at = feed(array, at, end)
        if decision is not None:
            yield decision
        if pace is None and journal is not None and journal.full:
            journal.flush()


def as_events(events: Any) -> NDArray[np.void]:
    """An array of dtype EVENT as it is, a table of bars converted. Raises InvalidData."""
    if not isinstance(events, np.ndarray):
        from smartcore.market import ohlcv

        events = ohlcv.read(events)
    if events.dtype.itemsize != EVENT.itemsize or events.ndim != 1:
        raise InvalidData(
            f"events: an array of dtype smartcore.EVENT is wanted, not {events.dtype}, shape {events.shape}"
        )
    return np.ascontiguousarray(events).view(EVENT)
