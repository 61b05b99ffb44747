"""
The compiled core of smartcore: events, catalogue, engine.
"""

from __future__ import annotations
import collections.abc
import numpy
import numpy.typing
import typing
from smartcore.decide.decision import Decision
import typing_extensions

__all__: list[str] = [
    "AUX",
    "BAR",
    "BASKET",
    "BOOK",
    "Book",
    "COLUMNS",
    "CONFIDENCE_EDGES",
    "CONTEXT",
    "DECISION",
    "DEPTH",
    "EVENT",
    "Engine",
    "FACTOR",
    "Flight",
    "GIVEN",
    "HALF_LIFE",
    "HORIZON_FACTORS",
    "INPUTS",
    "Lane",
    "Loop",
    "ModelFile",
    "PEER",
    "POLICY",
    "Panel",
    "QUOTE",
    "Recorder",
    "SCORE",
    "SCORECARD",
    "SERIES",
    "SOURCES",
    "Session",
    "Speaker",
    "TRACK",
    "TRADE",
    "build_config",
    "catalogue",
    "fault_of_fitted",
    "warmup",
]

class Book:
    """
    The order book of an engine, read in place. Prices are NaN on a side that is empty.
    """
    def levels(
        self,
    ) -> tuple[
        numpy.typing.NDArray[numpy.float64], numpy.typing.NDArray[numpy.float64]
    ]:
        """
        (bids, asks) with every level known, best first.
        """
    def slippage(self, side: int, size: float, mid: float | None = None) -> float:
        """
        What a market order pays against `mid` (the book's own if left out), mean over the levels it takes, bps; side 1 buys,
        -1 sells. NaN where the book is not known. What the book does not hold is paid at its worst price: a lower bound.
        """
    def top(
        self, n: int = 10
    ) -> tuple[
        numpy.typing.NDArray[numpy.float64], numpy.typing.NDArray[numpy.float64]
    ]:
        """
        (bids, asks), each (k, 2) of price and size, best first, k <= n.
        """
    @property
    def ask(self) -> float:
        """
        Best ask price.
        """
    @property
    def ask_size(self) -> float:
        """
        Size at the best ask.
        """
    @property
    def asks(self) -> int:
        """
        Number of ask levels.
        """
    @property
    def bid(self) -> float:
        """
        Best bid price.
        """
    @property
    def bid_size(self) -> float:
        """
        Size at the best bid.
        """
    @property
    def bids(self) -> int:
        """
        Number of bid levels.
        """
    @property
    def crossed(self) -> bool:
        """
        Best bid is at or above best ask.
        """
    @property
    def crossings(self) -> int:
        """
        How many messages left the book crossed or locked.
        """
    @property
    def last_quote(self) -> tuple[float, float, float, float]:
        """
        (bid, bid_size, ask, ask_size) of the last quote event; zeros before the first.
        """
    @property
    def mid(self) -> float:
        """
        Mean of best bid and ask.
        """
    @property
    def spread(self) -> float:
        """
        Best ask less best bid, in price.
        """
    @property
    def stale(self) -> bool:
        """
        A gap in the depth sequence: unknown until the next snapshot.
        """
    @property
    def valid(self) -> bool:
        """
        Both sides exist and the depth sequence is whole.
        """

class Engine:
    """
    A feature set made live for one instrument. Use smartcore.Engine.
    """
    @staticmethod
    def _header(arg0: bytes) -> bytes: ...
    def __init__(
        self,
        columns: collections.abc.Sequence[
            tuple[int, collections.abc.Sequence[float], int]
        ],
        by: str = "none",
        amount: float = 0.0,
        drop_late: bool = False,
    ) -> None: ...
    def _restore(self, arg0: bytes) -> None: ...
    def _row(self) -> numpy.typing.NDArray[numpy.float64]: ...
    def _run(
        self, events: numpy.typing.NDArray[numpy.void], sample: str, interval: int
    ) -> tuple[
        numpy.typing.NDArray[numpy.int64], numpy.typing.NDArray[numpy.float64]
    ]: ...
    def _snapshot(self, arg0: bytes) -> bytes: ...
    def advance(self, ts: int) -> bool:
        """
        Time passes without an event: a time bar that has ended is closed (True). OutOfOrder.
        """
    def on_aux(self, ts: int, series: int | str, value: float) -> bool:
        """
        A new value of an auxiliary series when it became known: funding, open interest, VIX ... series: a name of smartcore.SERIES or
        its number. True: the time until it closed a bar. InvalidEvent, OutOfOrder.
        """
    def on_bar(
        self,
        ts: int,
        open: float,
        high: float,
        low: float,
        close: float,
        volume: float,
        turnover: float = 0.0,
    ) -> bool:
        """
        A complete bar. ts: when it was complete, ns UTC; prices above 0; volume in units, turnover in quote currency (0: unknown).
        True: a bar closed. InvalidEvent, OutOfOrder.
        """
    def on_basket(
        self,
        ts: int,
        mean: float,
        dispersion: float,
        rank: float,
        breadth: float,
        flow: float,
        fresh: float = 1.0,
    ) -> bool:
        """
        What is known of all instruments of a panel now; NaN where too few are known. A Panel makes these calls.
        True: the time until it closed a bar. InvalidEvent, OutOfOrder.
        """
    def on_depth(
        self,
        ts: int,
        side: int,
        price: float,
        size: float,
        last: bool = True,
        snapshot: bool = False,
    ) -> bool:
        """
        A price level's new total size; 0 removes it. side: +1 bid, -1 ask. last: closes the message, features of the book follow.
        snapshot: empties the book first. True: the time until it closed a bar. InvalidEvent, OutOfOrder.
        """
    def on_depth_message(
        self,
        ts: int,
        bids: typing.Any,
        asks: typing.Any,
        snapshot: bool = False,
        first_id: int | None = None,
        last_id: int | None = None,
        prev_id: int | None = None,
    ) -> bool:
        """
        A whole depth message: sequences of (price, size), numbers or decimal text. With ids the sequence is checked: an old message is
        dropped, a gap marks the book stale until the next snapshot. All or nothing is applied. InvalidEvent, OutOfOrder.
        """
    def on_event(self, event: typing.Any) -> bool:
        """
        One record of dtype smartcore.EVENT, whatever its kind. True: a bar closed. InvalidEvent, OutOfOrder.
        """
    def on_factor(self, ts: int, share: float, loading: float, score: float) -> bool:
        """
        The first principal component of a panel's returns now; NaN where it is not known. A Panel makes these calls.
        True: the time until it closed a bar. InvalidEvent, OutOfOrder.
        """
    def on_peer(
        self,
        ts: int,
        price: float,
        volume: float = 0.0,
        net: float = 0.0,
        flow: float = 0.0,
        age: float = 0.0,
        updates: float = 1.0,
        source: int = 0,
    ) -> bool:
        """
        What is known of another instrument now: its price (NaN: missing); volume, signed volume, order flow and number of events since
        the last call; seconds since its last event. source 0 is the reference. A Panel makes these calls.
        True: the time until it closed a bar. InvalidEvent, OutOfOrder.
        """
    def on_quote(
        self, ts: int, bid: float, bid_size: float, ask: float, ask_size: float
    ) -> bool:
        """
        Best bid and ask; a size of 0 means unknown. They are the book where no depth is fed.
        True: the time until it closed a bar. InvalidEvent, OutOfOrder.
        """
    def on_score(
        self, ts: int, value: float, weight: float = 1.0, source: int | str = 0
    ) -> bool:
        """
        The sentiment of a text when it became known. source: whose, a name of smartcore.SOURCES or its number.
        True: the time until it closed a bar. InvalidEvent, OutOfOrder.
        """
    def on_trade(self, ts: int, price: float, size: float, side: int = 0) -> bool:
        """
        A trade. side: +1 the buyer was the aggressor, -1 the seller, 0 unknown.
        True: it, or the time until it, closed a bar. InvalidEvent, OutOfOrder.
        """
    @property
    def bar_count(self) -> int:
        """
        Bars so far.
        """
    @property
    def book(self) -> Book: ...
    @property
    def closed_bar(self) -> bool:
        """
        The last call closed a bar.
        """
    @property
    def counts(self) -> dict[str, typing.Any]:
        """
        Events so far, by kind, and those dropped.
        """
    @property
    def last_bar(self) -> tuple[int, float, float, float, float, float, float]:
        """
        (ts, open, high, low, close, volume, turnover) of the last bar.
        """
    @property
    def last_price(self) -> float:
        """
        Price of the last trade or close of the last bar; NaN before.
        """
    @property
    def nodes(self) -> int:
        """
        Nodes that compute the columns.
        """
    @property
    def state_bytes(self) -> int:
        """
        Bytes of feature state.
        """
    @property
    def ts(self) -> int:
        """
        Time of the last event, ns UTC.
        """

class Panel:
    """
    Several engines on one clock. Use smartcore.Panel.
    """
    def __init__(
        self,
        engines: list,
        places: dict,
        reference: int,
        interval: int,
        stale: int,
        memory: float,
    ) -> None: ...
    def _advance(self, arg0: int) -> bool: ...
    def _restore(self, arg0: bytes) -> bool: ...
    def _run(
        self, arg0: numpy.ndarray
    ) -> tuple[
        numpy.typing.NDArray[numpy.int64], numpy.typing.NDArray[numpy.float64]
    ]: ...
    def _state(self) -> bytes: ...
    def _told(self, arg0: numpy.ndarray) -> bytes: ...
    def on_bar(
        self,
        symbol: str,
        ts: int,
        open: float,
        high: float,
        low: float,
        close: float,
        volume: float,
        turnover: float = 0.0,
    ) -> bool:
        """
        A complete bar, as Engine.on_bar. True: the clock ticked before it was applied. KeyError, InvalidEvent, OutOfOrder.
        """
    def on_depth(
        self,
        symbol: str,
        ts: int,
        side: int,
        price: float,
        size: float,
        last: bool = True,
        snapshot: bool = False,
    ) -> bool:
        """
        A price level's new total size, as Engine.on_depth. True: the clock ticked before it was applied. KeyError, InvalidEvent, OutOfOrder.
        """
    def on_event(self, event: typing.Any) -> bool:
        """
        One record of dtype smartcore.EVENT; its instrument is the place of the symbol in symbols. True: the clock ticked before it was applied. KeyError, InvalidEvent, OutOfOrder.
        """
    def on_quote(
        self,
        symbol: str,
        ts: int,
        bid: float,
        bid_size: float,
        ask: float,
        ask_size: float,
    ) -> bool:
        """
        Best bid and ask, as Engine.on_quote. True: the clock ticked before it was applied. KeyError, InvalidEvent, OutOfOrder.
        """
    def on_trade(
        self, symbol: str, ts: int, price: float, size: float, side: int = 0
    ) -> bool:
        """
        A trade, as Engine.on_trade. True: the clock ticked before it was applied. KeyError, InvalidEvent, OutOfOrder.
        """
    @property
    def _ts(self) -> int:
        """
        Time of the last tick, ns UTC.
        """
    @property
    def ticks(self) -> int:
        """
        Ticks of the clock so far.
        """

class Recorder:
    """
    Where a loop leaves what a journal is written from.
    """

class Flight(Recorder):
    """
    A ring of decisions and events over `memory`, which it lays out anew.

    One thread puts, another takes; neither waits. What finds no room is dropped and counted, or with `newest` the oldest
    make room. Without `capture` events are counted, not kept. Over a memory-mapped file, what was put outlives the process:
    see `read`.
    """
    @staticmethod
    def read(
        image: typing_extensions.Buffer,
        after: typing.Any = None,
        limit: int = 1152921504606846976,
    ) -> typing.Any:
        """
        What is in a copy or a left-over file of a ring: the whole records from `after` on (None: from its tail), where the
        next one would begin, and how it stood (head, tail, events, drops, lost). None where there is no ring.
        """
    def __init__(
        self,
        memory: typing_extensions.Buffer,
        newest: bool = False,
        capture: bool = True,
        state: int = 0,
    ) -> None: ...
    def close(self) -> None:
        """
        From now on decisions are dropped and counted, events counted.
        """
    def event(self, event: typing_extensions.Buffer) -> None:
        """
        One event, 64 bytes, before the engine takes it.
        """
    def leave(self) -> None:
        """
        As close, and nothing is counted in the memory either: it is another process's.
        """
    def put(
        self,
        decision: typing_extensions.Buffer,
        context: typing_extensions.Buffer,
        given: typing_extensions.Buffer,
        card: typing_extensions.Buffer,
        row: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    ) -> bool:
        """
        One decision as the bytes of its records. False: no room, dropped and counted.
        """
    def release(self, to: int) -> None:
        """
        Records before `to` are taken care of: their room is free again.
        """
    def take(self, after: int, limit: int) -> typing.Any:
        """
        Up to `limit` decisions from `after` on, with the events between them, 64 of which count as one; and where the next
        record begins.

        A decision is (end, number of events before it, their hash, decision, context, given, card or None where it is the one's
        before, row); events that follow each other are (end, number of the first, bytes).
        """
    @property
    def capacity(self) -> int:
        """
        Bytes for records.
        """
    @property
    def drops(self) -> int:
        """
        Decisions that found no room.
        """
    @property
    def events(self) -> int:
        """
        Events that came.
        """
    @property
    def head(self) -> int:
        """
        Bytes ever put.
        """
    @property
    def lost(self) -> int:
        """
        Events that found no room.
        """
    @property
    def state(self) -> int:
        """
        Hash of the events that came, and of what it began with.
        """
    @property
    def tail(self) -> int:
        """
        Bytes ever released.
        """

class Speaker:
    """
    A model that the loop steps without the interpreter.
    """

class ModelFile:
    """
    A model file, loaded by the ONNX Runtime of a library.
    """
    def __init__(self, library: str, file: bytes) -> None: ...
    @property
    def inputs(self) -> list[tuple[str, list[int]]]:
        """
        (name, shape) of each; -1 is free.
        """
    @property
    def metadata(self) -> dict[str, typing.Any]: ...
    @property
    def outputs(self) -> list[tuple[str, list[int]]]: ...
    @property
    def version(self) -> str:
        """
        Of ONNX Runtime.
        """

class Session(Speaker):
    """
    A graph with buffers and states of its own. Use smartcore.models.native.
    """
    def __init__(
        self,
        file: ModelFile,
        columns: int,
        classes: int,
        horizons: int,
        states: collections.abc.Sequence[
            tuple[str, str, collections.abc.Sequence[int]]
        ],
        warm_up: int,
        who: bytes,
        median: typing.Annotated[numpy.typing.ArrayLike, numpy.float32],
        scale: typing.Annotated[numpy.typing.ArrayLike, numpy.float32],
        far: float,
    ) -> None: ...
    def _every(self) -> numpy.typing.NDArray[numpy.float32]: ...
    def _infer(
        self, arg0: typing.Annotated[numpy.typing.ArrayLike, numpy.float64]
    ) -> bool: ...
    def _most_missing(self, arg0: int) -> None: ...
    def _place(self, arg0: collections.abc.Sequence[int], arg1: int) -> None: ...
    def _rehearse(self) -> None: ...
    def _reset(self) -> None: ...
    def _restore(self, arg0: bytes) -> None: ...
    def _scores(self) -> numpy.typing.NDArray[numpy.float32]: ...
    def _snapshot(self) -> bytes: ...
    def _step(
        self, arg0: typing.Annotated[numpy.typing.ArrayLike, numpy.float64]
    ) -> tuple[int, tuple[float, float, float], float]: ...
    @property
    def error(self) -> str:
        """
        What ONNX Runtime said at the last of them.
        """
    @property
    def faults(self) -> int:
        """
        Steps that failed.
        """
    @property
    def missing(self) -> int:
        """
        How many of the columns it reads were unknown (NaN) at the last step.
        """
    @property
    def novelty(self) -> float:
        """
        How unlike the training inputs the last row was; above 1, farther out than 99 % of them. NaN: not known.
        """
    @property
    def ready(self) -> bool:
        """
        Whether enough steps were taken for the scores to be trusted (contract.warm_up).
        """
    @property
    def steps(self) -> int:
        """
        Steps since the last reset.
        """

class Loop:
    """
    The loop of one instrument. Use smartcore.Orchestrator.
    """
    @staticmethod
    def _engine_of(arg0: bytes) -> bytes: ...
    def __init__(self, engine: typing.Any, setup: dict) -> None: ...
    def _card(self) -> bytes: ...
    def _context(self) -> bytes: ...
    def _decide(self, ts: int) -> Decision:
        """
        A decision now.
        """
    def _feed(
        self, events: typing.Any, begin: int, end: int
    ) -> tuple[Decision | None, int]:
        """
        Events of an array until one decides or they end, and where to go on; without the GIL where no model asks for it.
        """
    def _given(self) -> bytes: ...
    def _latency(self) -> numpy.typing.NDArray[numpy.int64]: ...
    def _memory(self) -> numpy.ndarray: ...
    def _outside(self, arg0: bytes) -> None: ...
    def _record(self, recorder: Recorder | None) -> None: ...
    def _restore(self, arg0: bytes) -> None: ...
    def _snapshot(self) -> bytes: ...
    def _voice(self, arg0: int) -> tuple[typing.Any, int, int, bool, int, float]: ...
    def advance(self, ts: int) -> Decision | None:
        """
        Time passes without an event. Call it from a timer: bars end, decisions fall due and data grow old on time, also where the
        feed is silent.
        """
    def on_aux(self, ts: int, series: int | str, value: float) -> Decision | None:
        """
        A new value of an auxiliary series, a name of SERIES: funding, open interest ... As ``Engine.on_aux``.
        """
    def on_bar(
        self,
        ts: int,
        open: float,
        high: float,
        low: float,
        close: float,
        volume: float,
        turnover: float = 0.0,
    ) -> Decision | None:
        """
        A complete bar, known at ``ts`` (ns UTC); as ``Engine.on_bar``. A Decision where the policy asks for one.
        """
    def on_basket(
        self,
        ts: int,
        mean: float,
        dispersion: float,
        rank: float,
        breadth: float,
        flow: float,
        fresh: float = 1.0,
    ) -> Decision | None:
        """
        What is known of all instruments of a panel now. As ``Engine.on_basket``.
        """
    def on_depth(
        self,
        ts: int,
        side: int,
        price: float,
        size: float,
        last: bool = True,
        snapshot: bool = False,
    ) -> Decision | None:
        """
        A price level's new total; as ``Engine.on_depth``. Nothing is decided before ``last``.
        """
    def on_depth_message(
        self,
        ts: int,
        bids: typing.Any,
        asks: typing.Any,
        snapshot: bool = False,
        first_id: int | None = None,
        last_id: int | None = None,
        prev_id: int | None = None,
    ) -> Decision | None:
        """
        A whole depth message, levels as (price, size); ids are checked for gaps. As ``Engine.on_depth_message``.
        """
    def on_event(self, event: typing.Any) -> Decision | None:
        """
        One record of dtype ``EVENT``, or its 64 bytes. As ``Engine.on_event``; kind 0 is time that passes, as :meth:`advance`.
        """
    def on_factor(
        self, ts: int, share: float, loading: float, score: float
    ) -> Decision | None:
        """
        The first principal component of a panel's returns now. As ``Engine.on_factor``.
        """
    def on_peer(
        self,
        ts: int,
        price: float,
        volume: float = 0.0,
        net: float = 0.0,
        flow: float = 0.0,
        age: float = 0.0,
        updates: float = 1.0,
        source: int = 0,
    ) -> Decision | None:
        """
        What is known of another instrument now. As ``Engine.on_peer``.
        """
    def on_quote(
        self, ts: int, bid: float, bid_size: float, ask: float, ask_size: float
    ) -> Decision | None:
        """
        Best bid and ask; a size of 0 is unknown. As ``Engine.on_quote``.
        """
    def on_score(
        self, ts: int, value: float, weight: float = 1.0, source: int | str = 0
    ) -> Decision | None:
        """
        The sentiment of a text when it became known; ``source`` a name of SOURCES. As ``Engine.on_score``.
        """
    def on_trade(
        self, ts: int, price: float, size: float, side: int = 0
    ) -> Decision | None:
        """
        A trade; ``side`` +1 the buyer was the aggressor, -1 the seller, 0 unknown. As ``Engine.on_trade``.
        """
    @property
    def _missed(self) -> int: ...
    @property
    def _native(self) -> bool: ...
    @property
    def _newly_failed(self) -> int: ...
    @property
    def correlated(self) -> float:
        """
        Signed value over equity of positions in instruments that move with this one.
        """
    @correlated.setter
    def correlated(self, arg1: float) -> None: ...
    @property
    def decisions(self) -> int:
        """
        Decisions so far.
        """
    @property
    def drawdown(self) -> float:
        """
        Fraction by which equity is below its peak.
        """
    @property
    def equity(self) -> typing.Any:
        """
        Account value in quote currency, None unknown; its peak is remembered for ``drawdown``.
        """
    @equity.setter
    def equity(self, arg1: typing.Any) -> None: ...
    @property
    def health(self) -> typing.Any:
        """
        0 to 100 as monitors see it, None unknown. In a lane it counts for events pushed from now on.
        """
    @health.setter
    def health(self, arg1: typing.Any) -> None: ...
    @property
    def position(self) -> float:
        """
        Signed contracts held.
        """
    @position.setter
    def position(self, arg1: float) -> None: ...
    @property
    def ts(self) -> int:
        """
        Time of the last event, ns UTC; before the first one far in the past.
        """

class Lane:
    """
    A loop on a thread of its own. Use smartcore.bot.lane.Lane.
    """
    def __init__(
        self,
        bot: typing.Any,
        room: int,
        kept: int,
        spin_ns: int,
        rehearse_ns: int,
        advance_ns: int,
        core: int,
        priority: int,
    ) -> None: ...
    def _account(
        self, arg0: float, arg1: float | None, arg2: float, arg3: float | None
    ) -> bool: ...
    def _counts(self) -> dict[str, int]: ...
    def _feed(self, arg0: numpy.ndarray) -> bool: ...
    def _leave(self) -> None: ...
    def _play(
        self,
        arg0: numpy.ndarray,
        arg1: typing.Annotated[numpy.typing.ArrayLike, numpy.int64],
    ) -> None: ...
    def _poll(self) -> tuple[bytes, int, int, int, int] | None:
        """
        The oldest decision not read yet: its bytes, when the event arrived and when it was ready (monotonic ns), gates
        that began to fail, preemptions of the thread until then.
        """
    def _settle(self, arg0: int) -> bool: ...
    def _signal(self) -> int: ...
    def _start(self) -> None: ...
    def _stop(self) -> None: ...
    def _stop_playing(self) -> None: ...
    def _wait(self, arg0: int) -> bool: ...
    def advance(self, ts: int) -> bool:
        """
        Time passes without an event.
        """
    def on_aux(self, ts: int, series: int | str, value: float) -> bool:
        """
        A new value of an auxiliary series, a name of SERIES: funding, open interest ...
        """
    def on_bar(
        self,
        ts: int,
        open: float,
        high: float,
        low: float,
        close: float,
        volume: float,
        turnover: float = 0.0,
    ) -> bool:
        """
        A complete bar, known at ``ts`` (ns UTC). False: there was no room, and it was dropped.
        """
    def on_depth(
        self,
        ts: int,
        side: int,
        price: float,
        size: float,
        last: bool = True,
        snapshot: bool = False,
    ) -> bool:
        """
        A price level's new total. Nothing is decided before ``last``.
        """
    def on_event(self, event: typing.Any) -> bool:
        """
        One record of dtype ``EVENT``, or its 64 bytes; kind 0 is time that passes, as :meth:`advance`.
        """
    def on_quote(
        self, ts: int, bid: float, bid_size: float, ask: float, ask_size: float
    ) -> bool:
        """
        Best bid and ask; a size of 0 is unknown.
        """
    def on_score(
        self, ts: int, value: float, weight: float = 1.0, source: int | str = 0
    ) -> bool:
        """
        The sentiment of a text when it became known; ``source`` a name of SOURCES.
        """
    def on_trade(self, ts: int, price: float, size: float, side: int = 0) -> bool:
        """
        A trade; ``side`` +1 the buyer was the aggressor, -1 the seller, 0 unknown.
        """
    @property
    def fault(self) -> str:
        """
        Of the last event that was refused; empty: none.
        """
    @property
    def has_priority(self) -> bool:
        """
        Whether the system allowed the priority that was asked for.
        """
    @property
    def plays(self) -> bool:
        """
        Whether a recording still plays.
        """
    @property
    def runs(self) -> bool:
        """
        Whether the thread is there.
        """

def _advise(
    arg0: typing_extensions.Buffer,
    arg1: int,
    arg2: bool,
    arg3: bool,
    arg4: float,
    arg5: float,
    arg6: float,
    arg7: float,
    arg8: typing.Annotated[collections.abc.Sequence[float], "FixedSize(7)"],
    arg9: typing_extensions.Buffer,
    arg10: typing_extensions.Buffer,
) -> bytes: ...
def _breach_tests(
    arg0: float,
    arg1: float,
    arg2: typing.Annotated[collections.abc.Sequence[float], "FixedSize(4)"],
    arg3: float,
) -> tuple[float, float]: ...
def _card_calibrated(arg0: typing_extensions.Buffer, arg1: float) -> float: ...
def _card_loss(
    arg0: numpy.ndarray, arg1: typing_extensions.Buffer, arg2: float, arg3: int
) -> None: ...
def _card_observe(
    arg0: numpy.ndarray,
    arg1: typing_extensions.Buffer,
    arg2: int,
    arg3: float,
    arg4: int,
    arg5: int,
) -> None: ...
def _card_regime(
    arg0: numpy.ndarray, arg1: typing_extensions.Buffer, arg2: typing_extensions.Buffer
) -> None: ...
def _card_slippage(
    arg0: numpy.ndarray, arg1: typing_extensions.Buffer, arg2: float
) -> None: ...
def _card_track(arg0: typing_extensions.Buffer, arg1: float) -> bytes: ...
def _card_update(
    arg0: numpy.ndarray,
    arg1: int,
    arg2: float,
    arg3: float,
    arg4: float,
    arg5: int,
    arg6: float,
) -> None: ...
def _card_weights(
    arg0: typing_extensions.Buffer,
    arg1: typing.Annotated[collections.abc.Sequence[float], "FixedSize(4)"],
) -> list[float]: ...
def _decide(
    arg0: typing.Annotated[numpy.typing.ArrayLike, numpy.float64],
    arg1: typing_extensions.Buffer,
    arg2: typing_extensions.Buffer,
    arg3: typing.Any,
    arg4: typing_extensions.Buffer,
    arg5: typing_extensions.Buffer,
) -> bytes: ...
def _declare(
    outputs: int,
    warmup: int,
    state: bytes,
    codes: collections.abc.Mapping[str, tuple[int, bool, bool]],
) -> int: ...
def _distance(
    arg0: typing.Annotated[numpy.typing.ArrayLike, numpy.float32],
    arg1: typing.Annotated[numpy.typing.ArrayLike, numpy.float32],
    arg2: typing.Annotated[numpy.typing.ArrayLike, numpy.float32],
) -> float:
    """
    Root mean square of the clipped robust deviations of the known values; NaN where there are none.
    """

def _payoff(
    arg0: float, arg1: float, arg2: float, arg3: float, arg4: float
) -> tuple[float, float]: ...
def _runtime(arg0: str) -> str:
    """
    Version of the ONNX Runtime at a path, loaded from there. RuntimeError: there is none, or it is too old.
    """

def _student3(arg0: float) -> float: ...
def _tally_believed(
    arg0: float, arg1: float, arg2: float, arg3: float, arg4: float, arg5: float
) -> tuple[float, float, float, float]: ...
def build_config() -> dict[str, typing.Any]:
    """
    How this binary was built: version, compiler, asserts, sanitizer.
    """

def catalogue() -> list[dict[str, typing.Any]]:
    """
    Every kernel, as a list of dicts in the order of the catalogue.
    """

def fault_of_fitted(kind: int, numbers: collections.abc.Sequence[float]) -> str:
    """
    What is wrong with a kernel's fitted numbers, each within its bounds; empty if nothing is.
    """

def warmup(kind: int, params: collections.abc.Sequence[float]) -> int:
    """
    How many waking events pass before a kernel's first value.
    """

AUX: numpy.dtype[numpy.void]
BAR: numpy.dtype[numpy.void]
BASKET: numpy.dtype[numpy.void]
BOOK: numpy.dtype[numpy.void]
COLUMNS: dict = {
    "technical": (
        ("macd_12_26_9_histogram", -1.0, 1.0),
        ("ema_distance_30", -1.0, 10.0),
        ("di_14", -100.0, 100.0),
        ("aroon_25", -100.0, 100.0),
        ("rsi_14", 0.0, 100.0),
        ("bollinger_20_2", -10.0, 10.0),
        ("stochastic_14_3_k", 0.0, 100.0),
        ("mfi_14", 0.0, 100.0),
        ("trade_imbalance_10s", -1.0, 1.0),
        ("queue_imbalance_l1", -1.0, 1.0),
        ("ofi_l1_10s", -1000000000.0, 1000000000.0),
    ),
    "smart_money": (
        ("market_structure_5", -1.0, 1.0),
        ("market_structure_20", -1.0, 1.0),
        ("order_block_5_500_balance", -1.0, 1.0),
        ("order_block_5_500_below", 0.0, 50.0),
        ("order_block_5_500_above", 0.0, 50.0),
        ("fair_value_gap_500_balance", -1.0, 1.0),
        ("liquidity_5_500_sweep", -1.0, 1.0),
        ("liquidity_5_500_sweep_age", 0.0, 1000000000.0),
        ("dealing_range_20", -2.0, 3.0),
    ),
    "regime": (
        ("market_regime_trending_up", 0.0, 1.0),
        ("market_regime_trending_down", 0.0, 1.0),
        ("market_regime_breakout", 0.0, 1.0),
        ("market_regime_reversal", 0.0, 1.0),
        ("market_regime_ranging", 0.0, 1.0),
        ("market_regime_volatile", 0.0, 1.0),
        ("market_regime_quiet", 0.0, 1.0),
        ("market_regime_name", 0.0, 6.0),
        ("market_regime_age", 0.0, 1000000000000000.0),
        ("market_regime_switch", 0.0, 1.0),
        ("market_regime_volatility", 0.0, 2.0),
        ("market_regime_trend", -2.0, 2.0),
        ("market_regime_volume", 0.0, 2.0),
    ),
    "risk": (
        ("fhs_500_sigma", 1e-12, 1.0),
        ("fhs_500_var95", 1e-12, 1.0),
        ("fhs_500_var99", 1e-12, 1.0),
        ("fhs_500_es95", 1e-12, 1.0),
        ("fhs_500_es99", 1e-12, 1.0),
        ("fhs_short_500_var95", 1e-12, 1.0),
        ("fhs_short_500_var99", 1e-12, 1.0),
        ("fhs_short_500_es95", 1e-12, 1.0),
        ("fhs_short_500_es99", 1e-12, 1.0),
    ),
    "book": (
        ("spread", -10000.0, 10000.0),
        ("queue_imbalance_l1", -1.0, 1.0),
        ("spread_mean_10s", 0.0, 10000.0),
        ("spread_volatility_10s", 0.0, 10000.0),
        ("mid_volatility_10s", 0.0, 10000.0),
        ("mid_volatility_60s", 0.0, 10000.0),
        ("volume_rate_60s", 0.0, 1e300),
    ),
    "anomaly": (
        ("lee_mykland_100", -1000000000.0, 1000000000.0),
        ("robust_zscore_100", -1000000000.0, 1000000000.0),
        ("cusum_100_up", 0.0, 5.0),
        ("cusum_100_down", 0.0, 5.0),
        ("page_hinkley_100_up", 0.0, 10.0),
        ("cusum_100_age", 0.0, 1000000000.0),
    ),
}
CONFIDENCE_EDGES: tuple = (
    0.0,
    0.505,
    0.51,
    0.52,
    0.53,
    0.54,
    0.55,
    0.575,
    0.6,
    0.65,
    0.7,
    0.8,
)
CONTEXT: numpy.dtype[numpy.void]
DECISION: numpy.dtype[numpy.void]
DEPTH: numpy.dtype[numpy.void]
EVENT: numpy.dtype[numpy.void]
FACTOR: numpy.dtype[numpy.void]
GIVEN: numpy.dtype[numpy.void]
HALF_LIFE: float = 500.0
HORIZON_FACTORS: tuple = (1.0, 0.25, 4.0)
INPUTS: numpy.dtype[numpy.void]
PEER: numpy.dtype[numpy.void]
POLICY: numpy.dtype[numpy.void]
QUOTE: numpy.dtype[numpy.void]
SCORE: numpy.dtype[numpy.void]
SCORECARD: numpy.dtype[numpy.void]
SERIES: tuple = (
    "other",
    "funding",
    "basis",
    "open_interest",
    "long_short_ratio",
    "taker_ratio",
    "liquidations",
    "implied_volatility",
    "skew",
    "fear_greed",
    "exchange_flow",
    "rate",
)
SOURCES: tuple = ("all", "news", "social", "analyst", "onchain")
TRACK: numpy.dtype[numpy.void]
TRADE: numpy.dtype[numpy.void]
__version__: str
