"""The thin loop: an event goes to the engine, models step on their clock, ``decide()`` answers when the policy asks.

Live and replay are one path: :meth:`Orchestrator.run` calls what a feed handler calls.

Order within one event. First what was due *before* it is done on what was known then: bars that have ended are
closed, models sampled on a clock ("1s") step on exactly the row that ``Engine.run(sample="1s")`` gives, outcomes of
past decisions are read off the price. Then the event is applied, then a decision is made if one is due, on the row as
it is now. Between the levels of a depth message nothing is decided.

Most events come while nothing is due: then a call is one comparison, the engine, and a note of the time.
"""

from __future__ import annotations

import os
import struct
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from smartcore.bot.clocks import FAR, NEVER, BarLength, Clock, sampling
from smartcore.bot.journal import Journal, Recent
from smartcore.bot.latency import Latency
from smartcore.bot.outcomes import Outcomes
from smartcore.bot.records import Run
from smartcore.bot.replay import replay
from smartcore.bot.sources import Steps, sources
from smartcore.decide import Context, Decision, Inputs, Policy, Regime, Scores, decide
from smartcore.decide.inputs import given
from smartcore.errors import InvalidData
from smartcore.features.engine import Engine
from smartcore.market.events import Flag, Kind

if TYPE_CHECKING:
    from smartcore.bot.intelligence import Intelligence

_HEAD = struct.Struct("<qBbB")  # ts, kind, side, flags
_BAR, _TRADE, _DEPTH, _QUOTE = int(Kind.BAR), int(Kind.TRADE), int(Kind.DEPTH), int(Kind.QUOTE)
_SCORE, _AUX = int(Kind.SCORE), int(Kind.AUX)
_LAST = int(Flag.LAST)
_MINUTE = 60 * 10**9
_NO_CARD = Scores().raw


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
    ``decision`` (the last one), ``scores`` of the models, ``scorecard``, ``regime``, ``decisions``, ``latency``,
    ``status()``.

    After a restart hand over ``Engine.restore(...)`` and models that took up theirs (``Model.restore``), both snapshots
    taken between the same two events: rows and scores go on to the last bit. The record of past decisions begins anew.

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
        self._given: dict[str, Any] = {"horizon": horizon, "max_missing": max_missing, "clock": clock}
        self._concurrency = concurrency
        self._intelligence: Intelligence | None = None
        self.engine = engine
        self.policy = policy = policy or Policy()
        self.latency_ns = latency_ns
        self._wall = clock

        self.position = 0.0
        self._equity: float | None = None
        self._peak = 0.0
        self.symbol = engine.instrument.symbol
        self.decision: Decision | None = None
        self.decisions = 0
        self.latency = Latency()
        self._sources = sources(models, engine, max_missing)
        first = self._sources[0].model.contract if self._sources else None
        self.horizon = first.horizon if first else f"{policy.horizon:g} bars"
        self._outcomes = Outcomes(first, horizon, policy.horizon)
        self.scorecard = self._outcomes.scorecard
        self._owns_journal = not isinstance(journal, Journal) and journal is not None
        self.journal = journal if isinstance(journal, Journal) or journal is None else Journal(journal)
        self._run = Run.of(self.symbol, policy, [source.about() for source in self._sources], engine.features)
        self._record()
        self._set_clocks()
        self._set_hot_path()

    def _record(self) -> None:
        """Where decisions are put from now on, with all they were made from."""
        if self.journal is None:
            self._recent = Recent(self._run)
            self._flight = self._recent.flight
        else:
            self._flight = self.journal.open(self._run)
            self._retire = weakref.finalize(self, self.journal.retire, self._flight)

    def _set_clocks(self) -> None:
        """What falls due when: at grid points of time, at each bar, at each event."""
        policy = self.policy
        self._bar_length = BarLength(self.engine.bars)
        self._bar_sources = [source for source in self._sources if source.sample == "bar"]
        self._event_sources = [source for source in self._sources if source.sample == "event"]
        self._clocks = sampling(self._sources)
        bars_end = self._bar_length.fixed
        if bars_end:
            self._clocks.append(Clock(self._bar_length.ns, idle=True))
        self._cadence = Clock(policy.interval_ns, idle=True) if policy.interval_ns else None
        if self._cadence is not None:
            self._clocks.append(self._cadence)
        self._every_bar = policy.every == "bar"
        self._quota = policy.events or FAR
        # Anything may be due at any event: each, or each trade may close a bar on which to decide.
        self._each = bool(policy.events or self._event_sources or (self._every_bar and not bars_end))

        self._grid = NEVER  # the next point of a clock; NEVER: to be worked out from the last event the engine took
        self._next = NEVER  # an event from here on is more than an event for the engine
        self._due = False
        self._since = 0  # arrival of the event that made the decision due
        self._events = 0  # since the last decision, where the policy counts them
        self._last = [NEVER] * (max(Kind) + 1)  # time of the last event by kind; 0: of what the engine knew before
        self._last[0] = self.engine.ts

    def _set_hot_path(self) -> None:
        """Bound methods and numbers: no look-ups of what never changes."""
        engine, instrument = self.engine, self.engine.instrument
        self._on_bar, self._on_trade, self._on_depth = engine.on_bar, engine.on_trade, engine.on_depth
        self._on_quote, self._on_event = engine.on_quote, engine.on_event
        self._on_depth_message, self._advance = engine.on_depth_message, engine.advance
        # What a bad event must not do is move time. So one that would is first shown to an engine without columns,
        # which refuses what the real one would refuse.
        self._probe = Engine([], bars=engine.bars, out_of_order=engine.out_of_order)
        self._row, self._book = engine.row, engine.book
        self._fixed: dict[str, Any] = {
            "inputs": Inputs(engine.columns),
            "calibrated": frozenset(source.name for source in self._sources if source.model.contract.calibration),
            "lot": instrument.lot or 1.0,
            "tick": instrument.tick,
            "multiplier": instrument.multiplier,
            "fee_bps": instrument.taker_fee * 1e4 if instrument.taker_fee else None,
        }
        self._decide_ns = 0

    # ---- events ----

    def on_bar(
        self, ts: int, open: float, high: float, low: float, close: float, volume: float, turnover: float = 0.0
    ) -> Decision | None:
        """A complete bar, known at ``ts`` (ns UTC); as ``Engine.on_bar``. A Decision where the policy asks for one."""
        bar = (ts, open, high, low, close, volume, turnover)
        return self._event(ts, _BAR, True, self._on_bar, self._probe.on_bar, bar)

    def on_trade(self, ts: int, price: float, size: float, side: int = 0) -> Decision | None:
        """A trade; ``side`` +1 the buyer was the aggressor, -1 the seller, 0 unknown. As ``Engine.on_trade``."""
        if ts >= self._next:
            return self._event(ts, _TRADE, True, self._on_trade, self._probe.on_trade, (ts, price, size, side))
        if self._on_trade(ts, price, size, side):
            self._bar()
        self._last[_TRADE] = ts
        return None

    def on_depth(
        self, ts: int, side: int, price: float, size: float, last: bool = True, snapshot: bool = False
    ) -> Decision | None:
        """A price level's new total; as ``Engine.on_depth``. Nothing is decided before ``last``."""
        if ts >= self._next:
            level = (ts, side, price, size, last, snapshot)
            return self._event(ts, _DEPTH, last, self._on_depth, self._probe.on_depth, level)
        if self._on_depth(ts, side, price, size, last, snapshot):
            self._bar()
        self._last[_DEPTH] = ts
        return None

    def on_quote(self, ts: int, bid: float, bid_size: float, ask: float, ask_size: float) -> Decision | None:
        """Best bid and ask; a size of 0 is unknown. As ``Engine.on_quote``."""
        if ts >= self._next:
            quote = (ts, bid, bid_size, ask, ask_size)
            return self._event(ts, _QUOTE, True, self._on_quote, self._probe.on_quote, quote)
        if self._on_quote(ts, bid, bid_size, ask, ask_size):
            self._bar()
        self._last[_QUOTE] = ts
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
        message = (ts, bids, asks, snapshot, first_id, last_id, prev_id)
        return self._event(ts, _DEPTH, True, self._on_depth_message, self._probe.on_depth_message, message)

    def on_order_book(self, book: Mapping[str, Any], ts: int | None = None) -> Decision | None:
        """A whole book as ccxt gives it; it replaces the one there is. As ``Engine.on_order_book``."""
        if ts is None:
            if book.get("timestamp") is None:
                raise InvalidData("the order book has no timestamp: give ts, in ns UTC")
            ts = int(book["timestamp"]) * 10**6
        return self.on_depth_message(ts, book["bids"], book["asks"], True, None, book.get("nonce"))

    def on_score(self, ts: int, value: float, weight: float = 1.0, source: int | str = 0) -> Decision | None:
        """The sentiment of a text when it became known; ``source`` a name of SOURCES. As ``Engine.on_score``."""
        engine = self.engine
        return self._event(ts, _SCORE, True, engine.on_score, self._probe.on_score, (ts, value, weight, source))

    def on_aux(self, ts: int, series: int | str, value: float) -> Decision | None:
        """A new value of an auxiliary series, a name of SERIES: funding, open interest ... As ``Engine.on_aux``."""
        return self._event(ts, _AUX, True, self.engine.on_aux, self._probe.on_aux, (ts, series, value))

    def on_event(self, event: Any) -> Decision | None:
        """One record of dtype ``EVENT``, or its 64 bytes. As ``Engine.on_event``."""
        ts, kind, _, flags = _HEAD.unpack_from(event)
        if ts >= self._next:
            whole = kind != _DEPTH or bool(flags & _LAST)
            return self._event(ts, kind, whole, self._on_event, self._probe.on_event, (event,))
        if self._on_event(event):
            self._bar()
        self._last[kind] = ts
        return None

    def advance(self, ts: int) -> Decision | None:
        """Time passes without an event. Call it from a timer: bars end, decisions fall due and data grow old on time,
        also where the feed is silent."""
        start = self._wall()
        if ts >= self._grid:
            self._catch_up(ts, start)
        if self._advance(ts):
            self._bar()
        return self._decide(ts, start) if self._due else None

    def decide(self, ts: int | None = None) -> Decision:
        """A decision now, whether due or not; ``ts`` the present time, that of the last event if left out."""
        start = self._wall()
        now = self.ts if ts is None else ts
        if now == NEVER:
            raise InvalidData("nothing to decide on: no event yet")
        return self._decide(now, start)

    @property
    def ts(self) -> int:
        """Time of the last event, ns UTC; before the first one far in the past."""
        return max(self._last)

    def run(self, events: Any, pace: float | None = None) -> Iterator[Decision]:
        """Replay: every event through the path that live ones take; yields the decisions.

        events: an array of dtype EVENT, or a DataFrame or Arrow table of bars. Its times may not go back.
        pace: None as fast as it goes; 1.0 as recorded, 2.0 twice as fast.

        Where a journal cannot keep up, a replay waits for it (a live feed does not).
        """
        return replay(self, events, pace)

    # ---- one event ----

    def _event(
        self, ts: int, kind: int, whole: bool, on: Callable[..., bool], probe: Callable[..., bool], given: tuple
    ) -> Decision | None:
        """An event on which something may be due: what was due before it, the event itself, the decision."""
        start = self._wall()
        if ts >= self._grid:
            probe(*given)
            self._catch_up(ts, start)
        if on(*given):
            self._bar()
        self._last[kind] = ts
        self._events += 1
        decision = None
        if whole:
            for source in self._event_sources:
                source.step(self._row, ts)
            if self._due or self._events >= self._quota:
                decision = self._decide(ts, start)
        self._next = NEVER if self._each or self._due else self._grid
        return decision

    def _catch_up(self, ts: int, start: int) -> None:
        """What is due up to ``ts``, the time of an event that is not applied yet."""
        if self._grid == NEVER:
            self._arm()
            if ts < self._grid:
                return
        if self._outcomes.next <= ts:
            self._outcomes.settle(ts, self._price())
        clocks = [clock for clock in self._clocks if clock.next <= ts]
        for at in sorted({clock.next for clock in clocks}):
            if self._advance(at):
                self._bar()
            for clock in clocks:
                if clock.next == at:
                    clock.done = at
                    for source in clock.sources:
                        source.step(self._row, at)
                    if clock is self._cadence:
                        self._due = True
        if self._due and not self._since:  # a message may have many levels: its first one is when it arrived
            self._since = start
        self._grid = self._next = NEVER

    def _arm(self) -> None:
        """The next grid point, from what the engine took: a refused event, whatever time it claimed, moves nothing."""
        seen = self.ts
        if seen == NEVER:
            return
        for clock in self._clocks:
            clock.arm(seen, self.engine.ts)
        upcoming = [clock.next for clock in self._clocks]
        # No event since the last sample (only then is a clock unset): the next one must come back here first.
        self._grid = NEVER if FAR in upcoming else min([self._outcomes.next, *upcoming])

    def _bar(self) -> None:
        """A bar has closed: models that step on bars, and the usual length of one."""
        ts = self.engine.last_bar[0]
        self._bar_length.closed(ts)
        for source in self._bar_sources:
            source.step(self._row, ts)
        if self._every_bar:
            self._due = True
            self._next = NEVER

    def _price(self) -> float:
        book = self._book
        return book.mid if book.valid else self.engine.last_price  # type: ignore[no-any-return]

    def _decide(self, ts: int, start: int) -> Decision:
        """The decision on the row as it is; into the journal with all it was made from."""
        start = self._since or start
        self._due = False
        self._events = self._since = 0
        before = self._wall()
        latency = self.latency_ns
        if latency is None:  # what has gone by, and what deciding took the last time
            latency = before - start + self._decide_ns
        last, book, scores, scorecard = self._last, self._book, self.scores, self._outcomes.scores
        as_of = max(last[_DEPTH], last[_QUOTE])  # a book that is fed and silent is old, however many trades go by
        if as_of == NEVER:  # scores and other series say nothing of the price
            as_of = max(last[0], last[_BAR], last[_TRADE])
        said = min([source.ts for source in self._sources if source.scores is not None], default=ts)
        context = Context(
            ts=ts,
            as_of=as_of,
            price=self._price(),
            symbol=self.symbol,
            sequence=self.decisions,
            bar_ns=self._bar_length.ns or _MINUTE,
            position=self.position,
            equity=self._equity,
            drawdown=self.drawdown,
            latency_ns=latency,
            scores_age_ns=max(0, ts - said),
            book_stale=book.stale,
            book_crossed=book.crossed,
            bid_size=book.bid_size,
            ask_size=book.ask_size,
            **self._fixed,
        )
        decision = decide(self._row, scores, scorecard, self.policy, context=context)
        self.decision = decision
        self.decisions += 1
        self._outcomes.expect(decision, context.bar_ns)
        self._grid, self._next = min(self._grid, self._outcomes.next), min(self._next, self._outcomes.next)
        card = _NO_CARD if scorecard is None else scorecard.raw
        self._flight.put(decision.raw, context.raw, given(scores, context), card, self._row)
        end = self._wall()
        self._decide_ns = end - before
        self.latency.record(end - start)
        return decision

    # ---- the account, and how things stand ----

    @property
    def regime(self) -> Regime | None:
        """That of the last decision."""
        return None if self.decision is None else self.decision.regime

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

    @property
    def scores(self) -> dict[str, NDArray[np.float64]]:
        """What each model that may be believed said last, by source: probabilities (down, flat, up)."""
        return {source.name: source.scores for source in self._sources if source.scores is not None}

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
                source.about()
                | {"speaks": source.scores is not None, "missing": source.model.missing, "faults": source.faults}
                for source in self._sources
            ],
            "policy_id": self._run.policy_id,
            "journal": None if journal is None else journal.status(),
        }

    def close(self) -> None:
        """Close the journal that was opened for a path; one that was handed over takes no more decisions from here."""
        if self.journal is not None:
            self._retire()
            if self._owns_journal:
                self.journal.close()

    def __enter__(self) -> Orchestrator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        names = ", ".join(source.model.contract.name for source in self._sources) or "no models"
        return f"<Orchestrator {self.symbol or '?'}: {names}, every {self.policy.every}, {self.decisions} decisions>"

    # ---- other symbols, and one call that answers ----

    def fork(self, symbol: str) -> Orchestrator:
        """Another for this symbol: the same features, policy and journal; engine, models and record fresh."""
        mine = self.engine
        engine = Engine(mine.features, instrument=symbol, bars=mine.bars, out_of_order=mine.out_of_order)
        models = [source.model.fork() for source in self._sources]
        return Orchestrator(
            engine, *models, policy=self.policy, journal=self.journal, latency_ns=self.latency_ns, **self._given
        )

    def rename(self, symbol: str) -> None:
        """Decisions carry this symbol from now on."""
        self.symbol = symbol
        self._run = replace(self._run, symbol=symbol)
        if self.journal is not None:
            self._retire()
        self._record()

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
        if self._intelligence is None:
            from smartcore.bot.intelligence import Intelligence

            self._intelligence = Intelligence(self, self._concurrency)
        return await self._intelligence.answer(market_data, symbol, additional_context or {}, timeout)
