"""A bot on a thread of its own: what happens in the interpreter does not delay its decisions.

    bot = sc.Orchestrator(engine, NativeModel.load("gru"), NativeModel.load("gbdt"))
    with Lane(bot) as lane:
        lane.on_trade(ts, price, size, side)          # from a feed's callback: tens of nanoseconds, and no waiting
        decision = lane.wait(timeout=1.0)             # or poll(), or: async for decision in lane

The thread takes events from a ring, steps engine and models and decides in C++; it does not touch the interpreter, so a
busy Python thread, which may hold up any other for ``sys.getswitchinterval()`` (5 ms), does not hold up this one. That
asks for models that step in C++ (``smartcore.models.native``). With others the lane works too and says so: for their
steps it waits for the interpreter as any thread does.

What is pushed while the ring is full is dropped and counted, and a gap is told before the next event: the book is
stale until a snapshot. Decisions wait in a ring of their own; the oldest give way and are counted as lost.
"""

from __future__ import annotations

import asyncio
import atexit
import math
import os
import warnings
import weakref
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from smartcore import _core
from smartcore.decide import Decision
from smartcore.features.engine import interval_ns

if TYPE_CHECKING:
    from smartcore.bot.orchestrator import Orchestrator


class Lane(_core.Lane):
    """A thread that owns an orchestrator while it runs: feed this, not the bot.

    bot: stands still for everybody else from :meth:`start` to :meth:`stop`; its calls for events raise RuntimeError.
    room, kept: events and decisions that wait at most, rounded up to a power of two.
    spin: how long the thread looks for the next event before it sleeps. Waking up costs tens of microseconds; "1h"
        keeps one core busy, and a machine needs one to spare.
    rehearse: while nothing comes, the models run once every so long for nothing, so that they are still in the caches
        when something does ("500us"; ``Model.rehearse``). None: not.
    advance: while nothing comes, time passes for the bot every so long by the system's clock ("1s"), so that bars end
        and data grow old. For live feeds stamped by that clock. None: not.
    core: the thread is kept on this core. None: any.
    priority: 1 to 99, before all threads of the machine that have none (SCHED_FIFO), so that no neighbour delays it:
        not with a long ``spin``, which nobody could then end. It takes a privilege (CAP_SYS_NICE on Linux);
        :attr:`has_priority` says whether the system granted it. None: as any other thread.

    Events are checked as they are pushed; a bad one raises InvalidEvent and changes nothing. One that is older than
    the last cannot be told of where it was pushed: it is dropped and counted.

    In a forked process it stands, and its bot may be as it was in the middle of an event: use neither there.
    """

    def __init__(
        self,
        bot: Orchestrator,
        *,
        room: int = 65_536,
        kept: int = 1_024,
        spin: str = "50us",
        rehearse: str | None = None,
        advance: str | None = None,
        core: int | None = None,
        priority: int | None = None,
    ) -> None:
        for name, size in (("room", room), ("kept", kept)):
            if not 1 <= size <= 1 << 24:
                raise ValueError(f"{name}: {size!r} is not from 1 to {1 << 24}")
        if priority is not None and not 1 <= priority <= 99:
            raise ValueError(f"priority: {priority!r} is not from 1 to 99")
        first = 0 if priority is None else priority
        pause, passing = (0 if every is None else interval_ns(every) for every in (rehearse, advance))
        super().__init__(bot, room, kept, interval_ns(spin), pause, passing, -1 if core is None else core, first)
        self.bot = bot
        _living.add(self)
        self.native = bool(bot._native)
        """Whether every model steps in C++, so that the thread never waits for the interpreter."""
        self.arrived = self.ready = self.preempted = 0
        """Of the decision read last: when its event came and when it could be read, ns by the monotonic clock; how
        often the system had taken the core from the thread by then (Linux; else 0).
        """
        if not self.native:
            warnings.warn(
                "this lane waits for the interpreter: a model or a clock of the bot is Python's; load models with "
                "smartcore.models.native.NativeModel",
                RuntimeWarning,
                stacklevel=2,
            )

    def start(self) -> Lane:
        """Begin; the bot belongs to the thread now. Returns self. Raises RuntimeError where another lane has it."""
        self._start()
        _running.add(self)
        return self

    def stop(self) -> None:
        """Do what was pushed before, then end; the bot may be used again, and decisions made are still to be read."""
        self._stop()
        _running.discard(self)

    def __enter__(self) -> Lane:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ---- in: on_bar, on_trade, on_depth, on_quote, on_score, on_aux, on_event and advance are C++ ----

    def account(
        self,
        position: float,
        equity: float | None,
        correlated: float = 0.0,
        health: float | None = None,
    ) -> bool:
        """What the bot's attributes of these names are from here on: for events pushed after this. False: no room."""
        return self._account(position, equity, correlated, health)

    def push_many(self, events: NDArray[np.void]) -> bool:
        """All events of an array of dtype EVENT, waiting for room where there is none, without the GIL. False: the lane
        was stopped meanwhile. Raises InvalidEvent for a bad one, and then takes none.
        """
        return self._feed(np.ascontiguousarray(events))

    def play(
        self, events: NDArray[np.void], pace: float | None = None, *, due: NDArray[np.int64] | None = None
    ) -> None:
        """Feed the events from a thread that is not Python's either, and return at once. What played before stops.

        pace: None as fast as the lane takes them, 1.0 as recorded, 2.0 twice as fast. due: (n,) nanoseconds from now at
            which each is pushed, instead; below 0, as soon as all before it is done.

        :attr:`plays` says whether it still goes on.
        """
        events = np.ascontiguousarray(events)
        if due is None:
            if pace is None:
                due = np.empty(0, np.int64)
            elif not 0.0 < pace < math.inf:
                raise ValueError(f"pace: {pace!r} is not above 0")
            else:
                ts = events["ts"]
                due = ((ts - ts[:1]) / pace).astype(np.int64)
        self._play(events, np.ascontiguousarray(due, np.int64))

    def settle(self, timeout: float = 10.0) -> bool:
        """Wait until all that was pushed is done; False: it is not within ``timeout`` seconds."""
        return self._settle(_ns(timeout))

    # ---- out ----

    def poll(self) -> Decision | None:
        """The oldest decision that was not read yet, or None."""
        told = self._poll()
        if told is None:
            return None
        raw, self.arrived, self.ready, newly, self.preempted = told
        return self.bot._received(raw, newly)

    def wait(self, timeout: float | None = None) -> Decision | None:
        """The same, waiting for it up to ``timeout`` seconds (None: as long as the lane runs) without the GIL."""
        decision = self.poll()
        if decision is None and self._wait(_ns(timeout)):
            decision = self.poll()
        return decision

    def fileno(self) -> int:
        """A descriptor that is readable while there are decisions to :meth:`poll`, for ``select`` and event loops.

        Raises OSError on Windows, which has none of the kind.
        """
        fd = self._signal()
        if fd < 0:
            raise OSError("no descriptor to wait on here: wait() in a thread instead")
        return fd

    async def __aiter__(self) -> AsyncIterator[Decision]:
        """Decisions as they come, until the lane stops."""
        loop, news = asyncio.get_running_loop(), asyncio.Event()
        try:
            fd = self.fileno()
        except OSError:
            while (decision := await asyncio.to_thread(self.wait, 0.1)) is not None or self.runs:
                if decision is not None:
                    yield decision
            return
        loop.add_reader(fd, news.set)
        try:
            while True:
                running = self.runs  # before the last look: what was decided until then is still told
                while (decision := self.poll()) is not None:
                    yield decision
                if not running:
                    return
                news.clear()
                try:
                    async with asyncio.timeout(0.1):
                        await news.wait()
                except TimeoutError:
                    continue
        finally:
            loop.remove_reader(fd)

    def status(self) -> dict[str, Any]:
        """How it stands, as plain JSON types: events pushed, taken, refused, late and dropped, decisions made and lost,
        the last fault, latency from arrival to decision.
        """
        return {
            "runs": self.runs,
            "native": self.native,
            "has_priority": self.has_priority,
            **self._counts(),
            "fault": self.fault or None,
            "latency": self.bot.latency.summary(),
        }

    def __repr__(self) -> str:
        c = self._counts()
        state = "runs" if self.runs else "stands"
        return f"<Lane of {self.bot!r}: {state}, {c['taken']} events, {c['decisions']} decisions>"


_living: weakref.WeakSet[Lane] = weakref.WeakSet()
_running: weakref.WeakSet[Lane] = weakref.WeakSet()


@atexit.register
def _stop_all() -> None:
    """While there is an interpreter that models of Python may ask for."""
    for lane in list(_running):
        lane.stop()


def _forked() -> None:
    """Threads are not forked: lanes stand there, and what waits in them is the parent's."""
    for lane in list(_living):
        lane._leave()
    _running.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def _ns(timeout: float | None) -> int:
    """Seconds as nanoseconds; a year for ever."""
    most = 365 * 86_400
    return int(min(most if timeout is None else max(timeout, 0.0), most) * 1e9)
