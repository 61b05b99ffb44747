"""One call, one answer: market data of any symbol in, a plain dict out. An engine a symbol, the work in threads."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from smartcore.bot.replay import as_events
from smartcore.errors import InvalidData
from smartcore.features.engine import interval_ns

if TYPE_CHECKING:
    from smartcore.bot.orchestrator import Orchestrator
    from smartcore.decide import Decision

IDLE_S = 3600.0
"""A symbol not asked for in so long is forgotten."""
_KEYS = ("position", "equity", "interval", "now")
_SLICE = 8192
"""Events between two looks at whether the caller has given up."""


class Intelligence:
    """What :meth:`Orchestrator.generate_trading_intelligence` asks: the bots by symbol, and whose turn it is.

    A symbol takes some 3.5 MB with all columns. One that was forgotten begins anew, from what it is then given.
    """

    def __init__(self, bot: Orchestrator, concurrency: int, memory_mb: float = 256.0, idle_s: float = IDLE_S) -> None:
        self._own = _Desk(bot)
        self._others: dict[str, _Desk] = {}
        self._concurrency = concurrency
        self._memory, self._idle_s = memory_mb * 2**20, idle_s
        self._turns: tuple[Any, asyncio.Semaphore] | None = None

    async def answer(self, market_data: Any, symbol: str, context: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        """As documented there."""
        unknown = sorted(set(context) - set(_KEYS))
        if unknown:
            raise ValueError(f"additional_context: {', '.join(unknown)}: none of {', '.join(_KEYS)}")
        stop = threading.Event()
        try:
            async with asyncio.timeout(timeout), self._turn():
                return await asyncio.to_thread(self._desk(symbol).answer, market_data, context, stop)
        except TimeoutError:
            raise TimeoutError(f"no decision on {symbol} within {timeout:g} s") from None
        finally:
            stop.set()

    def _turn(self) -> asyncio.Semaphore:
        """One of ``concurrency`` places; a semaphore belongs to the loop it first waited in."""
        loop = asyncio.get_running_loop()
        if self._turns is None or self._turns[0] is not loop:
            self._turns = loop, asyncio.Semaphore(self._concurrency)
        return self._turns[1]

    def _desk(self, symbol: str) -> _Desk:
        own = self._own.bot
        if not own.symbol:
            own.rename(symbol)
        if symbol == own.symbol:
            return self._own
        desk = self._others.pop(symbol, None) or _Desk(own.fork(symbol))
        self._others[symbol] = desk  # the last one asked for is the last in order
        desk.asked = time.monotonic()
        self._clean_up(desk)
        return desk

    def _clean_up(self, wanted: _Desk) -> None:
        """Forget symbols until the others fit the budget; never one that is at work."""
        used = self.bytes
        for symbol, desk in list(self._others.items()):
            idle = time.monotonic() - desk.asked > self._idle_s
            if desk is not wanted and not desk.busy and (idle or used > self._memory):
                del self._others[symbol]
                used -= desk.bytes

    @property
    def symbols(self) -> tuple[str, ...]:
        """Those that engines are kept for beside the orchestrator's own, the one asked for last at the end."""
        return tuple(self._others)

    @property
    def bytes(self) -> int:
        """What their engines and model states take."""
        return sum(desk.bytes for desk in self._others.values())


class _Desk:
    """One symbol's bot; one call at a time."""

    def __init__(self, bot: Orchestrator) -> None:
        self.bot = bot
        self.asked = 0.0
        self._busy = threading.Lock()

    @property
    def busy(self) -> bool:
        """Whether a call is at work here."""
        return self._busy.locked()

    @property
    def bytes(self) -> int:
        """State of the engine, its row, a book of some thousand levels, what models remember (twice), and the ring of
        the last decisions."""
        bot = self.bot
        states = sum(prod(s.shape) for source in bot._sources for s in source.model.contract.states)
        ring = bot._recent.flight if bot.journal is None else bot._flight
        return ring.capacity + bot.engine.state_bytes + 16 * len(bot.engine.features) + 64 * 2048 + 8 * states

    def answer(self, market_data: Any, context: Mapping[str, Any], stop: threading.Event) -> dict[str, Any]:
        while not self._busy.acquire(timeout=0.02):
            _go_on(stop)
        try:
            return self._work(market_data, context, stop)
        finally:
            self._busy.release()

    def _work(self, market_data: Any, context: Mapping[str, Any], stop: threading.Event) -> dict[str, Any]:
        bot = self.bot
        if "position" in context:
            bot.position = float(context["position"])
        if "equity" in context:
            bot.equity = None if context["equity"] is None else float(context["equity"])
        events = _events(market_data, context.get("interval"))
        events = events[events["ts"] > bot.ts]
        decision: Decision | None = None
        for at in range(0, len(events), _SLICE):
            _go_on(stop)
            for made in bot.run(events[at : at + _SLICE]):
                decision = made
                _go_on(stop)
        now = context.get("now")
        if decision is None or decision.ts < bot.ts or now is not None:
            decision = bot.decide(None if now is None else int(now))
        return _document(bot, decision, len(events))


def _go_on(stop: threading.Event) -> None:
    if stop.is_set():
        raise TimeoutError


def _document(bot: Orchestrator, decision: Decision, fed: int) -> dict[str, Any]:
    plain = decision.to_dict()
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
            "probabilities": None if decision.probabilities is None else _named(decision.probabilities),
            "contributions": plain["contributions"],
            "weights": plain["weights"],
            "models": {name: _named(scores.tolist()) for name, scores in bot.scores.items()},
            "horizon": bot.horizon,
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


def _named(three: Any) -> dict[str, float]:
    return dict(zip(("down", "flat", "up"), three, strict=True))


def _events(data: Any, interval: str | None) -> NDArray[np.void]:
    """Events of an array of them, or of bars in a DataFrame or in lists; without times they end now."""
    if isinstance(data, np.ndarray):
        return as_events(data)
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
    times = {*TIME_NAMES, "ts_close", "close_time"}
    if times & {str(name).lower() for name in data.columns} or not isinstance(
        getattr(data, "index", None), pd.RangeIndex
    ):
        return ohlcv.read(data, interval=interval)
    every = interval_ns(interval or "1m")
    end = time.time_ns() // every * every
    stamps = end + every * np.arange(1 - len(data), 1)
    return ohlcv.read(data.assign(ts_close=pd.to_datetime(stamps, utc=True)), stamped="close")
