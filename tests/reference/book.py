"""The order book in the plainest Python: two dicts, sorted when asked. The oracle of the compiled one."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from smartcore.market.events import DEPTH, EVENT, Flag, Kind


class Book:
    """Price levels of one instrument from DEPTH and GAP events; other kinds are ignored.

    ``stale`` from a gap until the next snapshot. Levels sent meanwhile are set, but not to be trusted.
    """

    def __init__(self) -> None:
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}
        self.stale = False
        self.messages = 0  # closed depth messages

    def depth(self, side: int, price: float, size: float, flags: int) -> None:
        if flags & Flag.SNAPSHOT:
            self.bids.clear()
            self.asks.clear()
            self.stale = False
        levels = self.bids if side > 0 else self.asks
        if size == 0:
            levels.pop(price, None)
        else:
            levels[price] = size
        if flags & Flag.LAST:
            self.messages += 1

    def gap(self) -> None:
        # A stream without depth has no sequence to break.
        if self.messages or self.bids or self.asks:
            self.stale = True

    def apply(self, events: np.ndarray) -> None:
        """All of ``events``, an array of dtype EVENT."""
        for _ in self.replay(events):
            pass

    def replay(self, events: np.ndarray) -> Iterable[int]:
        """Apply ``events``; after each that closes a depth message, yield its position."""
        rows = np.atleast_1d(events).astype(EVENT, copy=False)
        names = ("kind", "side", "price", "size", "flags")
        columns = [rows.view(DEPTH)[name].tolist() for name in names]
        for i, (kind, side, price, size, flags) in enumerate(zip(*columns, strict=True)):
            if kind == Kind.GAP:
                self.gap()
            elif kind == Kind.DEPTH:
                self.depth(side, price, size, flags)
                if flags & Flag.LAST:
                    yield i

    @property
    def bid(self) -> float:
        return max(self.bids, default=float("nan"))

    @property
    def ask(self) -> float:
        return min(self.asks, default=float("nan"))

    @property
    def crossed(self) -> bool:
        """Best bid at or above best ask."""
        return self.bid >= self.ask  # false where a side is empty: NaN compares false

    def top(self, n: int) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        """The best ``n`` (price, size) of each side, best first; fewer where there are fewer."""
        return sorted(self.bids.items(), reverse=True)[:n], sorted(self.asks.items())[:n]
