"""The thin loop: an event goes to the engine, models step on their clock, ``decide()`` answers when the policy asks.

The loop itself is C++ (``csrc/bot/loop.hpp``, where the order within one event is told); here is who takes part in it.
Live and replay are one path: :meth:`Orchestrator.run` takes the steps that a feed handler's calls take.
"""

from __future__ import annotations

import logging
import os
import struct
import threading
import time
import weakref
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from smartcore import _core
from smartcore.bot.journal import Journal, Recent
from smartcore.bot.latency import Latency
from smartcore.bot.records import Run
from smartcore.bot.replay import replay
from smartcore.bot.scorecards import join
from smartcore.bot.sources import Source, Steps, sources, stand_ins
from smartcore.decide import GATES, MODELS, Decision, Inputs, Policy, Regime, Scorecard
from smartcore.errors import ContractMismatch, CorruptSnapshot, InvalidData
from smartcore.features.engine import Engine, bar_rule, interval_ns

if TYPE_CHECKING:
    from smartcore.bot.intelligence import Intelligence

_NEVER = -(2**63)
_MAGIC = b"SMBOT\1"
_HEAD = struct.Struct("<6sII")
_PACE = {"bar": 0, "event": -1}
_log = logging.getLogger("smartcore.bot")
ALARMS = ("clock", "book_fresh", "feed", "health", "novelty", "anomaly")
"""Gates that ``alert`` is told of: what is wrong with the feed, the process or the market, not with one trade."""


class Orchestrator(_core.Loop):
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
    memory_mb: for engines, model states and last decisions of its other symbols; the one not asked for longest is
        forgotten.
    clock: monotonic nanoseconds, by which latency is measured. wall: nanoseconds UTC (``time.time_ns``), by which
        events that are stamped ahead of this machine are told; None, as in a replay: not known.
    fallback: a simpler model by the source ("sequence", "ensemble") it speaks for while that one's model raises or
        gives what is no distribution; of the same pace and horizon.
    alert: called with (decision, gate) from a thread of its own when a gate of ``ALARMS`` (feed, clock, book, health,
        novelty, anomaly) begins to fail.

    Attributes a bot sets: ``position`` (signed contracts), ``equity`` (quote currency, None unknown), ``correlated``
    (signed value over equity of positions that move with this one), ``health`` (0 to 100). To be read: ``decision``
    (the last one), ``scores`` of the models, ``scorecard``, ``regime``, ``decisions``, ``latency``, ``status()``.

    :meth:`snapshot` and :meth:`restore` go on after a restart as if it had never stopped.

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
        memory_mb: float = 256.0,
        clock: Callable[[], int] = time.perf_counter_ns,
        wall: Callable[[], int] | None = None,
        fallback: Mapping[str, Steps] | None = None,
        alert: Callable[[Decision, str], object] | None = None,
    ) -> None:
        if concurrency < 1:
            raise ValueError(f"concurrency: {concurrency!r} is below 1")
        if not 0.0 <= max_missing <= 1.0:
            raise ValueError(f"max_missing: {max_missing!r} is not from 0 to 1")
        if not memory_mb > 0.0:
            raise ValueError(f"memory_mb: {memory_mb!r} is not above 0")
        if latency_ns is not None and latency_ns < 0:
            raise ValueError(f"latency_ns: {latency_ns!r} is below 0")
        self._options: dict[str, Any] = {"horizon": horizon, "max_missing": max_missing, "clock": clock, "wall": wall}
        self._concurrency, self._memory_mb = concurrency, memory_mb
        self._intelligence: Intelligence | None = None
        self.engine = engine
        self.policy = policy = policy or Policy()
        self.latency_ns = latency_ns
        self.symbol = engine.instrument.symbol
        self.decision: Decision | None = None
        self._sources = sources(models, engine, max_missing)
        self._stand_ins = stand_ins(fallback or {}, self._sources, engine, max_missing)
        first = self._sources[0].model.contract if self._sources else None
        self.horizon = first.horizon if first else f"{policy.horizon:g} bars"
        super().__init__(engine, self._setup(horizon))
        self.latency = Latency(self._latency())
        self.scorecard = Scorecard(memory=self._memory())
        self._owns_journal = not isinstance(journal, Journal) and journal is not None
        self.journal = journal if isinstance(journal, Journal) or journal is None else Journal(journal)
        if self._owns_journal and self.journal is not None:
            weakref.finalize(self, self.journal.end)
        self._run = Run.of(self.symbol, policy, [source.about() for source in self._sources], engine.features)
        self._keep()
        self._alarms = None if alert is None else _Alarms(alert)
        if self._alarms is not None:
            weakref.finalize(self, self._alarms.stop)
        join(self)

    def _setup(self, horizon: str | None) -> dict[str, Any]:
        """What the loop is made of, as ``csrc/bind/register_loop.cpp`` reads it."""
        engine, policy, instrument = self.engine, self.policy, self.engine.instrument
        rule, amount = bar_rule(engine.bars)
        contract = self._sources[0].model.contract if self._sources else None
        low, high = (contract and contract.thresholds) or (0.0, 0.0)
        horizon_ns = _horizon_ns(contract.horizon if contract else "") if horizon is None else interval_ns(horizon)
        seats = []
        for source in self._sources:
            second = self._stand_ins.get(source.name)
            seats.append((
                MODELS.index(source.name),
                _PACE[source.sample] if source.sample in _PACE else interval_ns(source.sample),
                source.speaker,
                source.calibrated,
                second and second.speaker,
                second is not None and second.calibrated,
                second is not None and bool(second.model.contract.states),
            ))  # fmt: skip
        return {
            "policy": policy.raw,
            "inputs": Inputs(engine.columns).raw,
            "seats": seats,
            "every_bar": policy.every == "bar",
            "every_events": policy.events,
            "every_ns": policy.interval_ns,
            "bars_ns": int(amount) if rule == "time" else 0,
            "latency_ns": -1 if self.latency_ns is None else self.latency_ns,
            "outcomes": (horizon_ns, policy.horizon, low, high, policy.horizon),
            "instrument": (
                instrument.lot or 1.0,
                instrument.tick,
                instrument.multiplier,
                0.0,
                instrument.taker_fee * 1e4 if instrument.taker_fee else float("nan"),
            ),
            "engine_header": engine.header(),
            "clock": self._options["clock"],
            "wall": self._options["wall"],
        }

    # ---- events; on_bar, on_trade, on_depth, on_quote, on_event and so on are those of the loop itself ----

    def on_order_book(self, book: Mapping[str, Any], ts: int | None = None) -> Decision | None:
        """A whole book as ccxt gives it; it replaces the one there is. As ``Engine.on_order_book``."""
        if ts is None:
            if book.get("timestamp") is None:
                raise InvalidData("the order book has no timestamp: give ts, in ns UTC")
            ts = int(book["timestamp"]) * 10**6
        return self.on_depth_message(ts, book["bids"], book["asks"], True, None, book.get("nonce"))

    def decide(self, ts: int | None = None) -> Decision:
        """A decision now, whether due or not; ``ts`` the present time, that of the last event if left out."""
        now = self.ts if ts is None else ts
        if now == _NEVER:
            raise InvalidData("nothing to decide on: no event yet")
        return self._decide(now)

    def run(self, events: Any, pace: float | None = None) -> Iterator[Decision]:
        """Replay: every event through the path that live ones take; yields the decisions.

        events: an array of dtype EVENT, or a DataFrame or Arrow table of bars. Its times may not go back.
        pace: None as fast as it goes; 1.0 as recorded, 2.0 twice as fast.

        Where a journal cannot keep up, a replay waits for it (a live feed does not).
        """
        return replay(self, events, pace)

    def _made(self, raw: bytes) -> Decision:
        """Called by the loop with each decision's bytes."""
        return self._received(raw, self._newly_failed)

    def _received(self, raw: bytes, newly: int) -> Decision:
        """A decision, also one that a lane made meanwhile; ``newly`` are its gates that began to fail."""
        decision = self.decision = Decision(raw, self.symbol)
        if self._alarms is not None and newly:
            self._alarms.put(decision, newly)
        return decision

    def _keep(self) -> None:
        """Where decisions are put from now on, with all they were made from."""
        if self.journal is None:
            self._recent = Recent(self._run)
            self._record(self._recent.flight)
        else:
            flight = self.journal.open(self._run)
            self._retire = weakref.finalize(self, self.journal.retire, flight)
            self._record(flight)
            self._flight = flight
            if self.journal.events:
                self.checkpoint()

    def checkpoint(self) -> None:
        """Keep :meth:`snapshot` in the journal, so that later decisions are replayed from here. One is kept at the
        start where the journal keeps events; a bot that runs for days makes more, when it has some milliseconds.

        Raises ValueError without a journal.
        """
        if self.journal is None:
            raise ValueError("journal: there is none to keep a snapshot in")
        self.journal.snapshot(self._flight, self.snapshot(), self.ts, self.decisions)

    # ---- how things stand ----

    @property
    def models(self) -> tuple[Steps, ...]:
        """Those that speak, without stand-ins."""
        return tuple(source.model for source in self._sources)

    @property
    def regime(self) -> Regime | None:
        """That of the last decision."""
        return None if self.decision is None else self.decision.regime

    @property
    def scores(self) -> dict[str, NDArray[np.float64]]:
        """What each model that may be believed said last, by source: probabilities (down, flat, up)."""
        said = {source.name: self._voice(MODELS.index(source.name))[0] for source in self._sources}
        return {name: triple for name, triple in said.items() if triple is not None}

    def status(self) -> dict[str, Any]:
        """How it stands, as plain JSON types: events, decisions, latency, the sources' records, models, journal."""
        journal = self.journal
        by_source = self.scorecard.scores().by_source
        return {
            "symbol": self.symbol,
            "events": dict(self.engine.counts),
            "decisions": self.decisions,
            "latency": self.latency.summary(),
            "scorecard": {
                name: {f.name: round(getattr(score, f.name), 6) for f in fields(score)} for name, score in by_source
            },
            "models": [source.about() | self._standing(source) for source in self._sources],
            "policy_id": self._run.policy_id,
            "journal": None if journal is None else journal.status(),
        }

    def _standing(self, source: Source) -> dict[str, Any]:
        scores, _, faults, fell_back, stand_in_faults, _ = self._voice(MODELS.index(source.name))
        standing: dict[str, Any] = {"speaks": scores is not None, "missing": source.model.missing, "faults": faults}
        second = self._stand_ins.get(source.name)
        if second is not None:
            standing["stand_in"] = second.about() | {"speaks": fell_back, "faults": stand_in_faults}
        return standing

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

    # ---- saved state ----

    def snapshot(self) -> bytes:
        """All that the next decision depends on: engine, models, clocks, outcomes still awaited, scorecard, account.

        :meth:`restore` goes on from it bit for bit, whatever was last: an event within a depth message, a decision. It
        has a version and a checksum. A model's own state is what its ``snapshot`` gives, nothing where it has none.
        """
        import json

        header = {
            "version": _core.__version__,
            "symbol": self.symbol,
            "policy": dict(self._run.policy),
            "models": {source.name: source.about() for source in self._sources},
            "fallback": {name: source.about() for name, source in self._stand_ins.items()},
            "latency_ns": self.latency_ns,
            "horizon": self._options["horizon"],
            "max_missing": self._options["max_missing"],
        }
        text = json.dumps(header).encode()
        return _HEAD.pack(_MAGIC, len(text), zlib.crc32(text)) + text + self._snapshot()

    @classmethod
    def restore(cls, blob: bytes, *models: Steps, policy: Policy | None = None, **options: Any) -> Self:
        """The orchestrator of a snapshot, as if it had never stopped.

        models: those that took part, loaded anew; their states come from the snapshot.
        policy: another one with the same ``every``; that of the snapshot if left out.
        options: as for the constructor; ``latency_ns``, ``horizon`` and ``max_missing`` are what they were if left out.

        Raises CorruptSnapshot for damaged bytes or another version, ContractMismatch for other models or a policy that
        decides at other moments.
        """
        import json

        if len(blob) < _HEAD.size or blob[:6] != _MAGIC:
            raise CorruptSnapshot(f"not a snapshot of a bot: {len(blob)} bytes, starts with {bytes(blob[:6])!r}")
        _, length, crc = _HEAD.unpack_from(blob)
        text, state = blob[_HEAD.size : _HEAD.size + length], blob[_HEAD.size + length :]
        if zlib.crc32(text) != crc:
            raise CorruptSnapshot("the snapshot is damaged: its header's checksum does not fit")
        header = json.loads(text)
        try:
            inner = _core.Loop._engine_of(state)
        except ValueError as error:
            raise CorruptSnapshot(f"the snapshot cannot be restored: {error}") from error
        if policy is None:
            values: dict[str, Any] = header["policy"]
            policy = Policy(**values)
        elif policy.every != header["policy"]["every"]:
            raise ContractMismatch(
                f"policy: decides every {policy.every!r}, the snapshot's every {header['policy']['every']!r}"
            )
        for name in ("latency_ns", "horizon", "max_missing"):
            options.setdefault(name, header[name])
        bot = cls(Engine.restore(inner), *models, policy=policy, **options)
        for what, here in (("models", bot._sources), ("fallback", tuple(bot._stand_ins.values()))):
            ids, want = {s.name: s.about()["id"] for s in here}, {n: m["id"] for n, m in header[what].items()}
            if ids != want:
                names = ", ".join(f"{n} {m['name']!r}" for n, m in header[what].items()) or "none"
                raise ContractMismatch(f"{what}: the snapshot was made with {names}; these are others")
        try:
            bot._restore(state)
        except ValueError as error:
            raise CorruptSnapshot(f"the snapshot cannot be restored: {error}") from error
        bot.rename(header["symbol"])
        if bot.journal is not None and bot.journal.events:
            bot.checkpoint()
        return bot

    # ---- other symbols, and one call that answers ----

    def fork(self, symbol: str) -> Orchestrator:
        """Another for this symbol: the same features, policy and journal; engine, models and record fresh."""
        mine = self.engine
        engine = Engine(mine.features, instrument=symbol, bars=mine.bars, out_of_order=mine.out_of_order)
        return Orchestrator(
            engine,
            *(source.model.fork() for source in self._sources),
            policy=self.policy,
            journal=self.journal,
            latency_ns=self.latency_ns,
            fallback={name: source.model.fork() for name, source in self._stand_ins.items()},
            alert=None if self._alarms is None else self._alarms.alert,
            **self._options,
        )

    def rename(self, symbol: str) -> None:
        """Decisions carry this symbol from now on."""
        if symbol == self.symbol:
            return
        self._record(None)  # RuntimeError where a lane has the bot, before anything is changed
        self.symbol = symbol
        self._run = replace(self._run, symbol=symbol)
        if self.journal is not None:
            self._retire()
        self._keep()

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

            self._intelligence = Intelligence(self, self._concurrency, self._memory_mb)
        return await self._intelligence.answer(market_data, symbol, additional_context or {}, timeout)


class _Alarms:
    """Gates that began to fail, told to somebody in a thread of its own; the oldest are forgotten if nobody listens."""

    def __init__(self, alert: Callable[[Decision, str], object]) -> None:
        self.alert = alert
        self._queue: deque[tuple[Decision, int]] = deque(maxlen=256)
        self._wake = threading.Event()
        self._stopped = False
        threading.Thread(target=self._work, name="alerts", daemon=True).start()

    def put(self, decision: Decision, gates: int) -> None:
        """``gates``: bits of those that newly failed."""
        if gates & _ALARM_BITS:
            self._queue.append((decision, gates & _ALARM_BITS))
            self._wake.set()

    def stop(self) -> None:
        self._stopped = True
        self._wake.set()

    def _work(self) -> None:
        while not self._stopped:
            self._wake.wait()
            self._wake.clear()
            while self._queue:
                decision, gates = self._queue.popleft()
                for i, gate in enumerate(GATES):
                    if gates >> i & 1:
                        try:
                            self.alert(decision, gate)
                        except Exception:
                            _log.exception("alert for gate %s of %s", gate, decision.id)


_ALARM_BITS = sum(1 << i for i, gate in enumerate(GATES) if gate in ALARMS)


def _horizon_ns(text: str) -> int:
    """In ns; 0 for one that is not in time ("20 bars")."""
    try:
        return interval_ns(text)
    except ValueError:
        return 0
