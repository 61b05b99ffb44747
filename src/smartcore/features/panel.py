"""Several instruments on one clock: an engine each, and features of one beside the others."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from smartcore import _core
from smartcore.errors import CorruptSnapshot
from smartcore.features.engine import Engine, Instrument, interval_ns
from smartcore.features.feature_set import FeatureSet

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MAGIC = b"SMPANEL\1"


class Panel(_core.Panel):
    """An engine per instrument, and what each is told of the others at the ticks of a clock they share.

    features: a FeatureSet or names of columns, the same for all; the default set if left out.
    instruments: symbols or Instruments, two or more.
    reference: the one that pairs are formed with, the first if left out; its own pair is the first of the others.
    clock: how far apart ticks are, "1m", "1s", "100ms"; they stand on the grid from the epoch.
    bars: build bars from trades, as for an Engine; None: bars are fed.
    stale_after: an instrument not heard of for longer is missing for the others ("5m"); ten ticks if left out.
    memory: ticks over which usual sizes of flow, usual deviations and the first component are remembered.
    out_of_order: as for an Engine, and also what comes after the tick that its time stamp belongs to.

    A tick at T fires when time passes T: with the first event stamped later, or by ``advance(T)``. It knows what came
    before it and is stamped T or earlier, in whatever order the instruments came; nothing is filled in for one that is
    late. All time stamps are of *arrival here*, one clock for all feeds: instruments whose feeds travel differently
    long are compared as they are seen, and a lead of one may be a lead of its line. A stretch without any event has no
    ticks. The ticks that history (``run``) makes rows of are those that live calls fire, to the last bit.

    Feed the panel, not its engines: ``panel["ETHUSDT"]`` is there to be read. Not for two threads at once.
    """

    def __init__(
        self,
        features: FeatureSet | list[str] | tuple[str, ...] | None = None,
        instruments: Iterable[str | Instrument] = (),
        *,
        reference: str | None = None,
        clock: str = "1m",
        bars: str | None = None,
        stale_after: str | None = None,
        memory: int = 300,
        out_of_order: Literal["raise", "drop"] = "raise",
    ) -> None:
        first = Engine(features, bars=bars, out_of_order=out_of_order)
        named = [Instrument(i) if isinstance(i, str) else i for i in instruments]
        self.instruments: tuple[Instrument, ...] = tuple(named)
        """In the order of the rows."""
        self.symbols: tuple[str, ...] = tuple(i.symbol for i in named)
        if len(named) < 2:
            raise ValueError(f"a panel takes two instruments or more, not {len(named)}")
        twice = sorted({s for s in self.symbols if self.symbols.count(s) > 1})
        if twice:
            raise ValueError(f"given twice: {', '.join(twice)}")
        if memory < 2:
            raise ValueError(f"memory={memory}: two ticks or more")
        self._places = {symbol: i for i, symbol in enumerate(self.symbols)}
        self.reference = self.symbols[0] if reference is None else reference
        self.features = first.features
        self.clock, self.bars, self.stale_after, self.memory = clock, bars, stale_after, memory
        self.out_of_order = out_of_order
        self.engines: tuple[Engine, ...] = tuple(
            Engine(first.features, instrument=i, bars=bars, out_of_order=out_of_order) for i in named
        )
        interval = interval_ns(clock)
        stale = min(10 * interval, 1 << 62) if stale_after is None else interval_ns(stale_after)
        super().__init__(list(self.engines), self._places, self._place(self.reference), interval, stale, memory)

    def _place(self, symbol: str) -> int:
        try:
            return self._places[symbol]
        except KeyError:
            raise KeyError(f"no instrument {symbol!r} in this panel; there are {', '.join(self.symbols)}") from None

    # ---- reading ----

    @property
    def columns(self) -> tuple[str, ...]:
        return self.features.columns

    @property
    def rows(self) -> NDArray[np.float64]:
        """The engines' rows as they stand, shape (instruments, columns), a copy."""
        return np.stack([engine.row for engine in self.engines])

    @property
    def ts(self) -> int | None:
        """Time of the last tick, ns UTC; None before the first."""
        return self._ts if self.ticks else None

    def __getitem__(self, symbol: str) -> Engine:
        """The engine of one instrument. Read it; what is fed to it directly the panel does not see."""
        return self.engines[self._place(symbol)]

    def __iter__(self) -> Iterator[str]:
        return iter(self.symbols)

    def __len__(self) -> int:
        return len(self.symbols)

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._places

    # ---- feeding: on_bar, on_trade, on_depth, on_quote and on_event are the core's ----

    def advance(self, ts: int) -> bool:
        """Time has come to ``ts`` and nothing stamped earlier is to come: a tick that waited fires (True), and so does
        one at ``ts`` itself; time bars that ended are closed. The rows are then what was known at the tick."""
        return self._advance(ts)

    def run(self, events: NDArray[np.void]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """History: the live step in a loop, in C++, without the GIL. Goes on from where the panel stands.

        events: an array of dtype EVENT with ``instrument`` set, several streams merged by ``ts``.

        Returns the ticks' times, int64 ns (ticks,), and the rows that stood at each, (ticks, instruments, columns).
        The last tick waits until time passes it. All events are checked before the first is applied. Raises
        InvalidEvent, OutOfOrder.
        """
        return self._run(np.ascontiguousarray(events))

    def told(self, events: NDArray[np.void]) -> NDArray[np.void]:
        """What ``run(events)`` would tell the engines: Peer, Basket and Factor records, ``instrument`` set. The panel
        stays as it is. Merged with an instrument's own events they are a stream for a plain Engine, which then gives
        the panel's numbers."""
        told = self.copy()._told(np.ascontiguousarray(events))
        return np.frombuffer(told, _core.EVENT)

    def stream(self, streams: dict[str, NDArray[np.void]], symbol: str) -> NDArray[np.void]:
        """One instrument's events with what it is told of the others between them: a stream for a plain Engine."""
        from smartcore.market import events as ev

        told = self.told(self.merge(streams))
        own = np.array(streams[symbol], _core.EVENT)
        own["instrument"] = place = self._place(symbol)
        return ev.merge(own, told[told["instrument"] == place])

    def merge(self, streams: dict[str, NDArray[np.void]]) -> NDArray[np.void]:
        """Events by symbol as one stream in time order, ``instrument`` set. Ties keep the order of the dict."""
        from smartcore.market import events as ev

        parts = []
        for symbol, events in streams.items():
            part = np.array(events, _core.EVENT)
            part["instrument"] = self._place(symbol)
            parts.append(part)
        return ev.merge(*parts)

    # ---- saved state ----

    def snapshot(self) -> bytes:
        """Everything the panel and its engines know, with checksums. ``Panel.restore`` goes on from it bit for bit."""
        import hashlib

        header = {
            "version": _core.__version__,
            "reference": self.reference,
            "clock": self.clock,
            "bars": self.bars,
            "stale_after": self.stale_after,
            "memory": self.memory,
            "out_of_order": self.out_of_order,
        }
        sections = [json.dumps(header).encode(), self._state(), *(engine.snapshot() for engine in self.engines)]
        body = b"".join(len(section).to_bytes(8, "little") + section for section in sections)
        return _MAGIC + body + hashlib.blake2b(body, digest_size=16).digest()

    @classmethod
    def restore(cls, blob: bytes) -> Panel:
        """The panel of a snapshot. Raises CorruptSnapshot for damaged bytes, another version or changed features."""
        import hashlib

        body = blob[len(_MAGIC) : -16]
        if blob[: len(_MAGIC)] != _MAGIC or hashlib.blake2b(body, digest_size=16).digest() != blob[-16:]:
            raise CorruptSnapshot("it is not a whole snapshot of a panel: bytes were changed or lost")
        sections, at = [], 0
        while at < len(body):
            n = int.from_bytes(body[at : at + 8], "little")
            sections.append(body[at + 8 : at + 8 + n])
            at += 8 + n
        header = json.loads(sections[0])
        if header.pop("version") != _core.__version__:
            raise CorruptSnapshot("the snapshot of the panel is another version's")
        engines = [Engine.restore(section) for section in sections[2:]]
        panel = cls(engines[0].features, [engine.instrument for engine in engines], **header)
        for engine, section in zip(panel.engines, sections[2:], strict=True):
            engine._restore(section)
        if not panel._restore(sections[1]):
            raise CorruptSnapshot("the snapshot of the panel is laid out differently: another version")
        return panel

    def copy(self) -> Panel:
        """An independent panel in the same state."""
        return type(self).restore(self.snapshot())

    def __copy__(self) -> Panel:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Panel:
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).restore, (self.snapshot(),)

    def __repr__(self) -> str:
        return f"<Panel of {len(self)} on a clock of {self.clock}: {len(self.columns)} columns, {self.ticks} ticks>"
