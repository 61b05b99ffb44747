"""The thin loop: an event goes to the engine, models step on their clock, ``decide()`` answers when the policy asks.

Live and replay are one path: :meth:`Orchestrator.run` calls what a feed handler calls.

Order within one event. First what was due *before* it is done on what was known then: bars that have ended are
closed, models sampled on a clock ("1s") step on exactly the row that ``Engine.run(sample="1s")`` gives, outcomes of
past decisions are read off the price. Then the event is applied, then a decision is made if one is due, on the row as
it is now. Between the levels of a depth message nothing is decided.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from math import isfinite, log
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from smartcore._core import EVENT, __version__
from smartcore.bot.journal import Journal, Recent, Record, Run
from smartcore.bot.latency import Latency
from smartcore.decide import MODELS, Context, Decision, Inputs, Policy, Regime, Scorecard, Scores, decide
from smartcore.errors import ContractMismatch, InvalidData
from smartcore.features.engine import Engine, bar_rule, interval_ns
from smartcore.market.events import Kind

if TYPE_CHECKING:
    from smartcore.models import Contract

_HEAD = struct.Struct("<qBbB")  # ts, kind, side, flags
_NEVER, _FAR = -(2**63), 2**63 - 1
_DEPTH, _QUOTE = int(Kind.DEPTH), int(Kind.QUOTE)
_RECENT = 256
"""Decisions kept in memory for ``why`` without a journal, about 8 kB each."""
_SYMBOLS = 64
"""Symbols that generate_trading_intelligence keeps engines for; the one not asked for longest is forgotten."""
_CHUNK = 65_536


class Steps(Protocol):
    """What an orchestrator asks of a model; ``smartcore.Model`` is one."""

    @property
    def contract(self) -> Contract: ...
    @property
    def missing(self) -> int: ...
    @property
    def ready(self) -> bool: ...
    def bind(self, features: Any) -> Any: ...
    def step(self, row: NDArray[np.float64]) -> NDArray[np.float64]: ...
    def fork(self) -> Any: ...


class _Clock:
    """Grid points from the epoch every ``every`` ns, and the models that step there."""

    __slots__ = ("done", "every", "models", "next")

    def __init__(self, every: int) -> None:
        self.every = every
        self.next = _FAR
        self.done = _NEVER
        self.models: list[_Source] = []

    def after(self, ts: int) -> int:
        return ts - ts % self.every + self.every


class _Source:
    """A model and what it last said."""

    __slots__ = ("faults", "model", "name", "ts", "unknown")

    def __init__(self, name: str, model: Steps, max_missing: float) -> None:
        self.name = name
        self.model = model
        self.ts = _NEVER
        self.faults = 0
        self.unknown = int(max_missing * len(model.contract.columns))


class Orchestrator:
    """A bot's decision maker for one instrument.

    engine: its state is carried on from where it stands; used by nobody else meanwhile.
    models: at most one sequence model and one tree ensemble; bound to the engine's features. What is not there is
        missing, never neutral.
    policy: thresholds, limits and ``every``: "bar", an interval of event time ("1s", on the grid from the epoch), "N
        events".
    journal: a Journal, or a path to open one; None keeps the last decisions in memory only.
    latency_ns: the latency that decisions reckon with; None: as measured, from the event's arrival. Give a number
        where a replay shall be equal to the last bit.
    horizon: after which an outcome counts, "10s"; by default that of the first model, else the policy's in bars.
    max_missing: largest share of a model's columns that may be unknown; with more its scores are not used.
    concurrency: calls of generate_trading_intelligence that work at the same time.

    Attributes a bot sets: ``position`` (signed contracts), ``equity`` (quote currency, None unknown). To be read:
    ``decision`` (the last one), ``latency``, ``scorecard``, ``regime``, ``decisions``, ``status()``.

    A bad event raises the engine's typed error and changes nothing; a decision that was due then is made at the next
    event. A model that raises is counted, its scores are missing, the bot goes on. One thread at a time.
    """

    def __init__(
        self,
        engine: Engine,
        *models: Steps,
        policy: Policy | None = None,
        journal: Journal | str | os.PathLike[str] | None = None,
        latency_ns: int | None = None,
        horizon: str | None = None,
        max_missing: float = 0.5,
        concurrency: int = 4,
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        if concurrency < 1:
            raise ValueError(f"concurrency: {concurrency!r} is below 1")
        if not 0.0 <= max_missing <= 1.0:
            raise ValueError(f"max_missing: {max_missing!r} is not from 0 to 1")
        self.engine = engine
        self.policy = policy = policy or Policy()
        self._owns_journal = not isinstance(journal, Journal) and journal is not None
        self.journal = journal if isinstance(journal, Journal) or journal is None else Journal(journal)
        self.latency_ns = latency_ns
        self.position = 0.0
        self._equity: float | None = None
        self._peak = 0.0
        self.latency = Latency()
        self.scorecard = Scorecard()
        self.regime: Regime | None = None
        self.decision: Decision | None = None
        self.decisions = 0
        self.symbol = engine.instrument.symbol
        self._wall = clock
        self._wanted = horizon
        self._max_missing = max_missing
        self._concurrency = concurrency

        rule, amount = bar_rule(engine.bars)
        self._sources = _sources(models, engine, max_missing)
        clocks: dict[int, _Clock] = {}
        self._bar_models: list[_Source] = []
        self._event_models: list[_Source] = []
        for source in self._sources:
            sample = source.model.contract.sample
            if sample == "bar":
                self._bar_models.append(source)
            elif sample == "event":
                self._event_models.append(source)
            else:
                every = interval_ns(sample)
                clocks.setdefault(every, _Clock(every)).models.append(source)
        self._samples = tuple(clocks.values())
        # Two more grids: bars that end by the clock, and decisions. Both also pass where nothing happens.
        self._bar_clock = _Clock(int(amount)) if rule == "time" else None
        self._cadence = _Clock(policy.interval_ns) if policy.interval_ns else None
        self._quota = policy.events or _FAR
        self._every_bar = policy.every == "bar"
        self._fed_bars = rule == "none"
        self._bar_ns = int(amount) if rule == "time" else 0
        self._bar_ts = 0

        self._scores: dict[str, NDArray[np.float64]] = {}
        self._scorecard: Scores | None = None
        self._pending: deque[tuple[int, float, Decision]] = deque()
        first = self._sources[0].model.contract if self._sources else None
        self._horizon_ns = _horizon(horizon, first)
        self._thresholds = _thresholds(first)

        # One tick at the least: bound methods and numbers, no look-ups of what never changes.
        self._on_bar, self._on_trade, self._on_depth = engine.on_bar, engine.on_trade, engine.on_depth
        self._on_quote, self._on_event = engine.on_quote, engine.on_event
        self._on_depth_message, self._advance = engine.on_depth_message, engine.advance
        # What a bad event must not do is move time. So one that would is first shown to an engine without columns,
        # which refuses what the real one would refuse.
        self._probe = Engine([], bars=engine.bars, out_of_order=engine.out_of_order)
        self._row = engine.row
        self._book = engine.book
        self._next = _NEVER  # the next grid point; _NEVER: to be worked out from the last event the engine took
        self._due = False
        self._events = 0
        self._seen = engine.ts  # last event of any kind
        self._book_seen = _NEVER  # last one of the book
        self._since = 0  # arrival of the event that made the decision due
        self._decide_ns = 0
        self._inputs = Inputs(engine.columns)
        self._calibrated = frozenset(s.name for s in self._sources if s.model.contract.calibration)
        i = engine.instrument
        self._lot, self._tick, self._multiplier = i.lot or 1.0, i.tick, i.multiplier
        self._fee_bps = i.taker_fee * 1e4 if i.taker_fee else None
        self._run = Run(
            self.symbol,
            _policy_id(policy),
            _policy(policy),
            tuple(_model(s) for s in self._sources),
            engine.columns,
            engine.features.fingerprint,
            __version__,
        )
        self._recent = Recent(_RECENT)
        self._others: dict[str, Orchestrator] = {}
        self._busy = threading.Lock()
        self._turns: dict[int, Any] = {}

    # ---- events ----

    def on_bar(
        self, ts: int, open: float, high: float, low: float, close: float, volume: float, turnover: float = 0.0
    ) -> Decision | None:
        """A complete bar, known at ``ts`` (ns UTC); as ``Engine.on_bar``. A Decision where the policy asks for one."""
        start = self._wall()
        if ts >= self._next:
            self._probe.on_bar(ts, open, high, low, close, volume, turnover)
            self._pass(ts, start)
        if self._on_bar(ts, open, high, low, close, volume, turnover):
            self._bar()
        self._seen = ts
        return self._end(ts, start)

    def on_trade(self, ts: int, price: float, size: float, side: int = 0) -> Decision | None:
        """A trade; ``side`` +1 the buyer was the aggressor, -1 the seller, 0 unknown. As ``Engine.on_trade``."""
        start = self._wall()
        if ts >= self._next:
            self._probe.on_trade(ts, price, size, side)
            self._pass(ts, start)
        if self._on_trade(ts, price, size, side):
            self._bar()
        self._seen = ts
        self._events = events = self._events + 1
        if self._due or events >= self._quota or self._event_models:
            return self._end(ts, start, 0)
        return None

    def on_depth(
        self, ts: int, side: int, price: float, size: float, last: bool = True, snapshot: bool = False
    ) -> Decision | None:
        """A price level's new total; as ``Engine.on_depth``. Nothing is decided before ``last``."""
        start = self._wall()
        if ts >= self._next:
            self._probe.on_depth(ts, side, price, size, last, snapshot)
            self._pass(ts, start)
        if self._on_depth(ts, side, price, size, last, snapshot):
            self._bar()
        self._seen = self._book_seen = ts
        self._events = events = self._events + 1
        if last and (self._due or events >= self._quota or self._event_models):
            return self._end(ts, start, 0)
        return None

    def on_quote(self, ts: int, bid: float, bid_size: float, ask: float, ask_size: float) -> Decision | None:
        """Best bid and ask; a size of 0 is unknown. As ``Engine.on_quote``."""
        start = self._wall()
        if ts >= self._next:
            self._probe.on_quote(ts, bid, bid_size, ask, ask_size)
            self._pass(ts, start)
        if self._on_quote(ts, bid, bid_size, ask, ask_size):
            self._bar()
        self._seen = self._book_seen = ts
        self._events = events = self._events + 1
        if self._due or events >= self._quota or self._event_models:
            return self._end(ts, start, 0)
        return None

    def on_depth_message(
        self,
        ts: int,
        bids: Sequence[Sequence[float | str]],
        asks: Sequence[Sequence[float | str]],
        snapshot: bool = False,
        first_id: int | None = None,
        last_id: int | None = None,
        prev_id: int | None = None,
    ) -> Decision | None:
        """A whole depth message, levels as (price, size); ids are checked for gaps. As ``Engine.on_depth_message``."""
        start = self._wall()
        if ts >= self._next:
            self._probe.on_depth_message(ts, bids, asks, snapshot)
            self._pass(ts, start)
        if self._on_depth_message(ts, bids, asks, snapshot, first_id, last_id, prev_id):
            self._bar()
        self._seen = self._book_seen = ts
        return self._end(ts, start)

    def on_order_book(self, book: Mapping[str, Any], ts: int | None = None) -> Decision | None:
        """A whole book as ccxt gives it; it replaces the one there is. As ``Engine.on_order_book``."""
        if ts is None:
            if book.get("timestamp") is None:
                raise InvalidData("the order book has no timestamp: give ts, in ns UTC")
            ts = int(book["timestamp"]) * 10**6
        return self.on_depth_message(ts, book["bids"], book["asks"], True, None, book.get("nonce"))

    def on_event(self, event: Any) -> Decision | None:
        """One record of dtype ``EVENT``, or its 64 bytes. As ``Engine.on_event``."""
        start = self._wall()
        ts, kind, _, flags = _HEAD.unpack_from(event)
        return self._take(ts, kind, flags, event, start)

    def advance(self, ts: int) -> Decision | None:
        """Time passes without an event. Call it from a timer: bars end, decisions fall due and data grow old on time,
        also where the feed is silent."""
        start = self._wall()
        if ts >= self._next:
            self._pass(ts, start)
        if self._advance(ts):
            self._bar()
        return self._decide(ts, start) if self._due else None

    def decide(self, ts: int | None = None) -> Decision:
        """A decision now, whether due or not; ``ts`` the present time, that of the last event if left out."""
        start = self._wall()
        now = self._seen if ts is None else ts
        if now == _NEVER:
            raise InvalidData("nothing to decide on: no event yet")
        return self._decide(now, start)

    def run(self, events: Any, pace: float | None = None) -> Iterator[Decision]:
        """Replay: every event through the path that live ones take; yields the decisions.

        events: an array of dtype EVENT, or a DataFrame or Arrow table of bars. Its times may not go back.
        pace: None as fast as it goes; 1.0 as recorded, 2.0 twice as fast.

        Where a journal cannot keep up, a replay waits for it (a live feed does not).
        """
        if pace is not None and not pace > 0:
            raise ValueError(f"pace: {pace!r} is not positive")
        array = _events(events)
        raw = array.view(np.uint8).data
        wall, take, journal, step = self._wall, self._take, self.journal, EVENT.itemsize
        began, first = time.perf_counter_ns(), int(array["ts"][0]) if len(array) else 0
        for chunk in range(0, len(array), _CHUNK):
            part = array[chunk : chunk + _CHUNK]
            at = chunk * step
            heads = zip(part["ts"].tolist(), part["kind"].tolist(), part["flags"].tolist(), strict=True)
            for ts, kind, flags in heads:
                if pace is not None:
                    late = began + (ts - first) / pace - time.perf_counter_ns()
                    if late > 0:
                        time.sleep(late * 1e-9)
                decision = take(ts, kind, flags, raw[at : at + step], wall())
                at += step
                if decision is not None:
                    yield decision
                    if pace is None and journal is not None and journal.full:
                        journal.flush()

    # ---- one event ----

    def _take(self, ts: int, kind: int, flags: int, event: Any, start: int) -> Decision | None:
        if ts >= self._next:
            self._probe.on_event(event)
            self._pass(ts, start)
        if self._on_event(event):
            self._bar()
        self._seen = ts
        if kind in (_DEPTH, _QUOTE):
            self._book_seen = ts
        self._events = events = self._events + 1
        if (self._due or events >= self._quota or self._event_models) and (kind != _DEPTH or flags & 1):
            return self._end(ts, start, 0)
        return None

    def _end(self, ts: int, start: int, events: int = 1) -> Decision | None:
        """The event has been applied: models that step on each, and the decision if one is due."""
        self._events += events
        for source in self._event_models:
            self._step(source, ts)
        if self._due or self._events >= self._quota:
            return self._decide(ts, start)
        return None

    def _pass(self, ts: int, start: int) -> None:
        """What is due up to ``ts``, the time of an event that is not applied yet."""
        if self._next == _NEVER:
            self._arm()
            if ts < self._next:
                return
        pending = self._pending
        while pending and pending[0][0] <= ts:
            self._outcome()
        clocks = [clock for clock in self._samples if clock.next <= ts]
        clocks += [clock for clock in (self._bar_clock, self._cadence) if clock is not None and clock.next <= ts]
        for at in sorted({clock.next for clock in clocks}):
            if self._advance(at):
                self._bar()
            for clock in clocks:
                if clock.next == at:
                    clock.done = at
                    for source in clock.models:
                        self._step(source, at)
                    if clock is self._cadence:
                        self._due = True
        if self._due and not self._since:  # a message may have many levels: its first one is when it arrived
            self._since = start
        self._next = _NEVER

    def _arm(self) -> None:
        """The next grid points, from what the engine took: a refused event, whatever time it claimed, moves nothing."""
        if self._seen == _NEVER:
            return
        upcoming = self._pending[0][0] if self._pending else _FAR
        unarmed = False
        for clock in self._samples:  # as Engine.run(): the grid point after the last event, once
            clock.next = clock.after(self._seen)
            if clock.next <= clock.done:
                clock.next = _FAR
                unarmed = True
            upcoming = min(upcoming, clock.next)
        for passing in (self._bar_clock, self._cadence):
            if passing is not None:
                passing.next = passing.after(max(self.engine.ts, passing.done))
                upcoming = min(upcoming, passing.next)
        # No event since the last sample: the next one must come back here first.
        self._next = _NEVER if unarmed else upcoming

    def _bar(self) -> None:
        """A bar has closed: models that step on bars, and the usual length of one."""
        ts = self.engine.last_bar[0]
        gap, self._bar_ts = ts - self._bar_ts, ts
        if self._bar_clock is None and 0 < gap < ts:
            if not self._bar_ns:
                self._bar_ns = gap
            elif self._fed_bars:  # nights and missing bars make longer gaps, nothing makes shorter ones
                self._bar_ns = min(self._bar_ns, gap)
            else:
                self._bar_ns = max(1, self._bar_ns + (gap - self._bar_ns) // 16)
        for source in self._bar_models:
            self._step(source, ts)
        if self._every_bar:
            self._due = True

    def _step(self, source: _Source, ts: int) -> None:
        try:
            scores = source.model.step(self._row)
            usable = source.model.ready and source.model.missing <= source.unknown
        except Exception:  # whatever a runtime may raise: the bot goes on without this model and says so
            source.faults += 1
            usable = False
        if usable:
            self._scores[source.name] = scores
            source.ts = ts
        else:
            self._scores.pop(source.name, None)

    def _price(self) -> float:
        book = self._book
        return book.mid if book.valid else self.engine.last_price  # type: ignore[no-any-return]

    def _outcome(self) -> None:
        """The horizon of the oldest decision is over: what came of it goes into the scorecard."""
        _, price, decision = self._pending.popleft()
        now = self._price()
        if not (price > 0.0 and 0.0 < now < 1e300):
            return
        move = log(now / price)
        low, high = self._thresholds
        self.scorecard.observe(decision, -1 if move < low else 1 if move > high else 0)
        self._scorecard = self.scorecard.scores()

    def _decide(self, ts: int, start: int) -> Decision:
        start = self._since or start
        self._due = False
        self._events = self._since = 0
        wall, book, row = self._wall, self._book, self._row
        # A book that is fed and silent is old, however many trades go by.
        as_of = self._book_seen if self._book_seen != _NEVER else self._seen
        scores = self._scores.copy()
        said = ts
        for source in self._sources:
            if source.name in scores and source.ts < said:
                said = source.ts
        record = self._scorecard
        before = wall()
        latency = self.latency_ns
        if latency is None:  # what has gone by, and what deciding took the last time
            latency = before - start + self._decide_ns
        context = Context(
            self._inputs,
            ts,
            as_of,
            self._price(),
            self.symbol,
            self.decisions,
            self.engine.bar_count,
            self._bar_ns or 60_000_000_000,
            self.position,
            self._equity,
            self.drawdown,
            latency,
            ts - said,
            book.stale,
            book.crossed,
            book.bid_size,
            book.ask_size,
            self.regime,
            self._calibrated,
            self._lot,
            self._tick,
            self._multiplier,
            0.0,
            self._fee_bps,
        )
        decision = decide(row, scores, record, self.policy, context=context)
        self.regime = decision.regime
        self.decision = decision
        self.decisions += 1
        if decision.probabilities is not None and decision.price is not None and len(self._pending) < _CHUNK:
            horizon = self._horizon_ns or int(self.policy.horizon * context.bar_ns)
            self._pending.append((ts + horizon + 1, decision.price, decision))
            if self._pending[0][0] < self._next:
                self._next = self._pending[0][0]
        kept = Record(self._run, decision, row.tobytes(), scores, context, record)
        self._recent.add(kept)
        if self.journal is not None:
            self.journal.put(kept)
        end = wall()
        self._decide_ns = end - before
        self.latency.record(end - start)
        return decision

    # ---- the account, and how things stand ----

    @property
    def equity(self) -> float | None:
        """Account value in quote currency; its peak is remembered for ``drawdown``."""
        return self._equity

    @equity.setter
    def equity(self, value: float | None) -> None:
        self._equity = value
        if value is not None and isfinite(value):
            self._peak = max(self._peak, value)

    @property
    def drawdown(self) -> float:
        """Fraction by which equity is below its peak."""
        return 1.0 - self._equity / self._peak if self._equity is not None and self._peak > 0.0 else 0.0

    def status(self) -> dict[str, Any]:
        """How it stands, as plain JSON types: events, decisions, latency, the sources' records, models, journal."""
        journal = self.journal
        return {
            "symbol": self.symbol,
            "events": dict(self.engine.counts),
            "decisions": self.decisions,
            "latency": self.latency.summary(),
            "scorecard": {
                name: {f.name: round(getattr(score, f.name), 6) for f in fields(score)}
                for name, score in self.scorecard.scores().by_source
            },
            "models": [
                {
                    **_model(source),
                    "speaks": source.name in self._scores,
                    "missing": source.model.missing,
                    "faults": source.faults,
                }
                for source in self._sources
            ],
            "policy_id": self._run.policy_id,
            "journal": None
            if journal is None
            else {
                "path": str(journal.path),
                "pending": journal.pending,
                "drops": journal.drops,
                "error": journal.error,
            },
        }

    def close(self) -> None:
        """Close the journal that was opened for a path."""
        for other in self._others.values():
            other.close()
        if self._owns_journal and self.journal is not None:
            self.journal.close()

    def __enter__(self) -> Orchestrator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        names = ", ".join(source.model.contract.name for source in self._sources) or "no models"
        return f"<Orchestrator {self.symbol or '?'}: {names}, every {self.policy.every}, {self.decisions} decisions>"

    # ---- one call that answers ----

    async def generate_trading_intelligence(
        self, market_data: Any, symbol: str, additional_context: Mapping[str, Any] | None = None, timeout: float = 30.0
    ) -> dict[str, Any]:
        """One call, one answer: signal, predictions, regime, risk, execution and reasons for a symbol.

        market_data: bars (a DataFrame, or a dict of open/high/low/close/volume lists; where it has no times, the bars
            are taken to be consecutive and to end now), or an array of dtype EVENT. Only what is newer than the last
            call's data is fed, so a sliding window may be passed again and again.
        symbol: another than this orchestrator's gets an engine and model states of its own, the same policy and
            journal.
        additional_context: ``position``, ``equity``; ``interval`` ("1m") of bars; ``now``, the present time in ns
            UTC, which makes old data count as old (by default it is the last event's).

        The work runs in a thread. At most ``concurrency`` calls work at a time, one for a symbol; waiting counts
        towards ``timeout`` seconds, after which TimeoutError is raised; data fed until then stay fed. Raises
        InvalidData and InvalidEvent for data that cannot be meant, ValueError for a key of ``additional_context``
        that does not exist.
        """
        import asyncio

        context = dict(additional_context or {})
        unknown = set(context) - {"position", "equity", "interval", "now"}
        if unknown:
            raise ValueError(
                f"additional_context: {', '.join(sorted(unknown))}: none of position, equity, interval, now"
            )
        loop = asyncio.get_running_loop()
        held = self._turns.get(id(loop))
        if held is None or held[0] is not loop:  # a semaphore belongs to the loop it first waited in
            self._turns = {id(loop): (loop, asyncio.Semaphore(self._concurrency))}
            held = self._turns[id(loop)]
        stop = threading.Event()
        try:
            async with asyncio.timeout(timeout):
                async with held[1]:
                    bot = self._of(symbol)
                    return await asyncio.to_thread(bot._answer, market_data, context, stop)
        except TimeoutError:
            raise TimeoutError(f"no decision on {symbol} within {timeout:g} s") from None
        finally:
            stop.set()

    def _of(self, symbol: str) -> Orchestrator:
        if not self.symbol and symbol:
            self.symbol = symbol
            self._run = replace(self._run, symbol=symbol)
        if symbol == self.symbol:
            return self
        bot = self._others.pop(symbol, None)
        if bot is None:
            engine = Engine(
                self.engine.features, instrument=symbol, bars=self.engine.bars, out_of_order=self.engine.out_of_order
            )
            models = [source.model.fork() for source in self._sources]
            bot = Orchestrator(
                engine,
                *models,
                policy=self.policy,
                journal=self.journal,
                latency_ns=self.latency_ns,
                horizon=self._wanted,
                max_missing=self._max_missing,
                clock=self._wall,
            )
        self._others[symbol] = bot  # the last one asked for is the last in order
        if len(self._others) > _SYMBOLS:
            del self._others[next(iter(self._others))]
        return bot

    def _answer(self, market_data: Any, context: Mapping[str, Any], stop: threading.Event) -> dict[str, Any]:
        while not self._busy.acquire(timeout=0.02):
            if stop.is_set():
                raise TimeoutError
        try:
            if "position" in context:
                self.position = float(context["position"])
            if "equity" in context:
                self.equity = None if context["equity"] is None else float(context["equity"])
            events = _market(market_data, context.get("interval"))
            events = events[events["ts"] > self._seen]
            decision = None
            for at in range(0, len(events), _SLICE):
                if stop.is_set():
                    raise TimeoutError
                for made in self.run(events[at : at + _SLICE]):
                    decision = made
                    if stop.is_set():
                        raise TimeoutError
            now = context.get("now")
            if decision is None or decision.ts < self._seen or now is not None:
                decision = self.decide(None if now is None else int(now))
            return self._intelligence(decision, len(events))
        finally:
            self._busy.release()

    def _intelligence(self, decision: Decision, fed: int) -> dict[str, Any]:
        plain = decision.to_dict()
        fused = plain["probabilities"]
        scores = {name: triple.tolist() for name, triple in self._scores.items()}
        horizon = self._sources[0].model.contract.horizon if self._sources else f"{self.policy.horizon:g} bars"
        return {
            "symbol": decision.symbol,
            "id": decision.id,
            "timestamp": f"{np.datetime64(decision.ts, 'ns')}Z",
            "price": decision.price,
            "signal": plain["signal"],
            "confidence": decision.confidence,
            "quality": plain["quality"],
            "quality_score": decision.quality_score,
            "mode": plain["mode"],
            "predictions": {
                "score": decision.score,
                "probabilities": None if fused is None else dict(zip(("down", "flat", "up"), fused, strict=True)),
                "contributions": plain["contributions"],
                "weights": plain["weights"],
                "models": {
                    name: dict(zip(("down", "flat", "up"), three, strict=True)) for name, three in scores.items()
                },
                "horizon": horizon,
            },
            "regime": plain["regime"],
            "risk": plain["risk"],
            "execution": plain["execution"],
            "reasons": plain["reasons"],
            "stopped_by": [reason.gate for reason in decision.failed],
            "as_of": decision.as_of,
            "age_ns": decision.age_ns,
            "latency_ns": decision.latency_ns,
            "new_events": fed,
        }


_SLICE = 8192


def _sources(models: Sequence[Steps], engine: Engine, max_missing: float) -> tuple[_Source, ...]:
    """The models by what they are to ``decide()``: trees are the ensemble, whatever else is the sequence model."""
    found: dict[str, _Source] = {}
    for model in models:
        contract = model.contract
        name = MODELS[1] if contract.kind in _TREES else MODELS[0]
        if name in found:
            other = found[name].model.contract.name
            raise ValueError(f"models {other!r} and {contract.name!r} are both the {name} model: give one of each")
        if contract.bars is not None and engine.bars is not None:
            theirs, ours = bar_rule(contract.bars), bar_rule(engine.bars)
            if theirs != ours:
                raise ContractMismatch(
                    f"model {contract.name!r} was trained on bars of {contract.bars!r}, "
                    f"this engine makes {engine.bars!r}"
                )
        model.bind(engine.features)
        found[name] = _Source(name, model, max_missing)
    return tuple(found.values())


_TREES = {"gbdt", "trees", "forest", "random_forest", "lightgbm", "xgboost", "catboost", "ensemble"}


def _horizon(wanted: str | None, contract: Contract | None) -> int:
    """Nanoseconds, 0 where the policy's number of bars is to count."""
    if wanted is not None:
        return interval_ns(wanted)
    try:
        return interval_ns(contract.horizon) if contract is not None else 0
    except ValueError:
        return 0


def _thresholds(contract: Contract | None) -> tuple[float, float]:
    """Log returns below and above which an outcome is no longer flat: the model's own, so that its Brier score is
    fair.
    """
    given = getattr(contract, "thresholds", None)
    if given is not None:
        return float(given[0]), float(given[1])
    found = contract and re.search(r"down below (-?[\d.e-]+), up above (-?[\d.e-]+)", contract.label)
    return (float(found[1]), float(found[2])) if found else (0.0, 0.0)


def _policy(policy: Policy) -> dict[str, Any]:
    values = {f.name: getattr(policy, f.name) for f in fields(policy) if f.init}
    return values | {"weights": dict(policy.parts), "uncalibrated": sorted(policy.uncalibrated)}


def _policy_id(policy: Policy) -> str:
    return hashlib.sha256(json.dumps(_policy(policy), sort_keys=True).encode()).hexdigest()[:12]


def _model(source: _Source) -> dict[str, Any]:
    c = source.model.contract
    return {
        "source": source.name,
        "name": c.name,
        "kind": c.kind,
        "id": c.cache_key or c.fingerprint,
        "sample": c.sample,
        "horizon": c.horizon,
        "columns": len(c.columns),
    }


def _events(events: Any) -> NDArray[np.void]:
    if not isinstance(events, np.ndarray):
        from smartcore.market import ohlcv

        events = ohlcv.read(events)
    if events.dtype.itemsize != EVENT.itemsize or events.ndim != 1:
        raise InvalidData(
            f"events: an array of dtype smartcore.EVENT is wanted, not {events.dtype}, shape {events.shape}"
        )
    return np.ascontiguousarray(events).view(EVENT)


def _market(data: Any, interval: str | None) -> NDArray[np.void]:
    """Events of whatever generate_trading_intelligence was given."""
    if isinstance(data, np.ndarray):
        return _events(data)
    import pandas as pd

    from smartcore.market import ohlcv
    from smartcore.market.readers import TIME_NAMES

    if isinstance(data, Mapping):
        columns = {str(name).lower(): np.atleast_1d(np.asarray(values)) for name, values in data.items()}
        lengths = {name: len(values) for name, values in columns.items()}
        if len(set(lengths.values())) > 1:
            raise InvalidData(f"market_data: columns of different lengths: {lengths}")
        data = pd.DataFrame(columns)
    if not hasattr(data, "columns"):
        raise InvalidData(
            f"market_data: {type(data).__name__}; expected a DataFrame or dict of bars, "
            "or an array of dtype smartcore.EVENT"
        )
    names = {str(name).lower() for name in getattr(data, "columns", ())}
    timed = names & {*TIME_NAMES, "ts_close", "close_time"} or not isinstance(
        getattr(data, "index", None), pd.RangeIndex
    )
    if timed:
        return ohlcv.read(data, interval=interval)
    every = interval_ns(interval or "1m")
    end = time.time_ns() // every * every
    stamps = end + every * np.arange(1 - len(data), 1)
    return ohlcv.read(data.assign(ts_close=pd.to_datetime(stamps, utc=True)), stamped="close")
