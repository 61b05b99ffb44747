"""A seeded order-driven market: trades and depth messages of one or many instruments, in known regimes.

    sim = simulate(seconds=600, seed=7, regime="mixed")
    sim.events                       # dtype EVENT, in time order; the first depth message is a snapshot
    sim.labels                       # (ts, regime) at every switch
    sim.regimes                      # the regime id at every event

    for chunk in Market(seed=7).stream(chunk_seconds=1.0):   # endless; the same events as the batch form
        ...

Everything that is predictable in the stream comes out of its mechanism (``_flow``): limit orders, cancels,
self-exciting market orders and split parent orders that chase a latent fundamental price. Prices live on a
grid: in the ``calm`` regime the fundamental price moves about one tick per square-root second, whatever the
tick is, so choose ``tick`` near 1e-4 of the price.

The result depends on the arguments alone, not on chunk sizes, other instruments or any global random state.
Streams of different platforms can differ in the last bit of a logarithm and drift apart from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smartcore.market.events import EVENT, depth

REGIMES = ("trending_up", "trending_down", "breakout", "reversal", "ranging", "volatile", "quiet", "calm")
"""Regime names; the position is the id."""
LABEL = np.dtype([("ts", "<i8"), ("regime", "u1")])
"""One switch: from ``ts`` on (ns UTC) the market is in ``REGIMES[regime]``."""
TS0 = 1_704_067_200_000_000_000
"""2024-01-01 00:00 UTC, the default start."""

# Columns as in _flow: drift (ticks/s), volatility (ticks/sqrt s), rate of all activity, rate of new limit
# orders, jumps/s, pull (1/s) to the price where the episode began, time in which the drift dies away (s, 0
# never), mean length of an episode (s), and the drift's sign: 1, -1, 2 at random, 3 against the episode
# before, 0 none. Rates and resilience are relative to calm.
_TABLE = {
    "trending_up": (0.12, 0.9, 1.0, 1.0, 1 / 900, 0.0, 0.0, 300.0, 1.0),
    "trending_down": (0.12, 0.9, 1.0, 1.0, 1 / 900, 0.0, 0.0, 300.0, -1.0),
    "breakout": (0.5, 1.8, 2.2, 0.9, 1 / 300, 0.0, 60.0, 150.0, 2.0),
    "reversal": (0.3, 1.5, 1.8, 0.9, 1 / 400, 0.0, 120.0, 180.0, 3.0),
    "ranging": (0.0, 0.7, 0.7, 1.1, 1 / 1800, 0.03, 0.0, 400.0, 0.0),
    "volatile": (0.0, 2.4, 3.2, 0.7, 1 / 150, 0.0, 0.0, 240.0, 0.0),
    "quiet": (0.0, 0.4, 0.3, 1.1, 1 / 3600, 0.0, 0.0, 400.0, 0.0),
    "calm": (0.0, 1.0, 1.0, 1.0, 1 / 900, 0.0, 0.0, 600.0, 0.0),
}
_NEXT = {  # "mixed": chances of what follows a regime, in the order of REGIMES
    "trending_up": (0.0, 0.0, 0.10, 0.35, 0.25, 0.15, 0.15, 0.0),
    "trending_down": (0.0, 0.0, 0.10, 0.35, 0.25, 0.15, 0.15, 0.0),
    "breakout": (0.20, 0.20, 0.0, 0.20, 0.20, 0.20, 0.0, 0.0),
    "reversal": (0.20, 0.20, 0.0, 0.0, 0.30, 0.15, 0.15, 0.0),
    "ranging": (0.15, 0.15, 0.35, 0.0, 0.0, 0.15, 0.20, 0.0),
    "volatile": (0.15, 0.15, 0.10, 0.20, 0.25, 0.0, 0.15, 0.0),
    "quiet": (0.10, 0.10, 0.35, 0.0, 0.30, 0.15, 0.0, 0.0),
    "calm": (0.15, 0.15, 0.14, 0.14, 0.14, 0.14, 0.14, 0.0),
}
# The market every regime modulates. Tuned so that the facts of bench/simulator_facts.py fall where those of
# recordings do: returns close to white (noise trading moves the mid about as much as news does), fat tails,
# persistent signs.
_SETTINGS = {
    "MARKET": 0.2,  # market orders/s on each side before excitation and metaorders
    "LEAN": 2.0,  # ticks between value and mid that move those rates by a factor e
    "TILT": 1.0,  # the same for the imbalance of the best sizes: takers prefer the thin side
    # Hawkes kernel: decay 1/s; children of one order, same and other side
    "FAST": 10.0, "FAST_SELF": 0.45, "FAST_CROSS": 0.03,
    "SLOW": 0.3, "SLOW_SELF": 0.25, "SLOW_CROSS": 0.03,
    "META_START": 0.01, "META_RATE": 1.5,  # metaorders/s in an idle slot; their children/s
    "META_TAIL": 1.5, "META_LEAST": 6.0,  # Pareto law of the number of children
    "LIMIT": 20.0,  # limit orders/s, both sides
    "MARGIN": 0.15,  # a maker's margin in ticks per unit of volatility
    "WIDTH": 0.6,  # standard error, in ticks, of a maker's view of the value
    # cancels speed up by FLEE a tick once the value is within EARLY ticks of the order
    "FLEE": 2.0, "EARLY": 1.0,
    "IMPACT": 0.2,  # ticks by which a fully surprising trade of usual size moves the value
    "USUAL": 2.5,  # trades/s at which quoting runs at its usual rate
    "SWEEP": 0.95,  # share of market orders that stop at the best level
    "BITE": 1.0,  # size of market orders relative to limit orders
}  # fmt: skip
_NEAR, _SPREAD = 1.0, 1.5
"""Limit orders stand d ticks behind their maker's best price with weight (d + near) ** -spread."""
_FADE = 0.25
"""Cancels per second of an order at the best price."""
_SHARED = 1.5
"""Each instrument's own trades move its price too, which thins the correlation of the shocks by this much."""
_WARM_CELLS, _BLOCK_CELLS = 1200, 6000
_CELL_NS = 100_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """What happened in ``[start, stop)`` ns: events, the mid after each, and the regimes that made them."""

    events: NDArray[np.void]
    """(n,) EVENT in time order: DEPTH messages closed by ``Flag.LAST``, TRADEs with the aggressor's side."""
    labels: NDArray[np.void]
    """(switches,) LABEL; the first row says what holds at ``start``."""
    mid: NDArray[np.float64]
    """(n,) mid price of the event's instrument after its depth message; for a trade, before it."""
    start: int
    stop: int
    tick: float

    @property
    def regimes(self) -> NDArray[np.uint8]:
        """(n,) regime id at each event."""
        return self.regime_at(self.events["ts"])

    def regime_at(self, ts: ArrayLike) -> NDArray[np.uint8]:
        """Regime id in force at each ``ts``; times outside ``[start, stop)`` get the nearest one known."""
        row = np.searchsorted(self.labels["ts"], np.asarray(ts), side="right") - 1
        return np.asarray(self.labels["regime"][np.maximum(row, 0)], np.uint8)


class Market:
    """A market that goes on for as long as it is asked to. Arguments as in ``simulate``."""

    def __init__(
        self,
        seed: int = 0,
        *,
        regime: str = "calm",
        start_price: float | Sequence[float] = 100.0,
        tick: float = 0.01,
        lot: float = 0.01,
        ts0: int = TS0,
        instruments: int = 1,
        correlation: float = 0.6,
    ) -> None:
        if regime != "mixed" and regime not in REGIMES:
            raise ValueError(f"regime: {regime!r} is none of {', '.join(REGIMES)}, mixed")
        if instruments < 1:
            raise ValueError(f"instruments: {instruments} is below 1")
        if not 0.0 <= correlation <= 1.0:
            raise ValueError(f"correlation: {correlation} is outside 0..1")
        prices = np.broadcast_to(np.asarray(start_price, float), (instruments,))
        for name, value in (("tick", tick), ("lot", lot)):
            if not (np.isfinite(value) and value > 0):
                raise ValueError(f"{name}: {value} is not a positive number")
        if not np.isfinite(prices).all() or (prices < 1000 * tick).any():
            raise ValueError(f"start_price: {prices.min()} is below 1000 ticks of {tick}")
        from smartcore.market import _flow

        self._flow: Any = _flow
        self.tick, self.ts0 = tick, int(ts0)
        self._cells = 0
        self._done = self.ts0
        words = [_word(seed, i) for i in range(instruments + 1)]
        self._rng = words[0]
        self._factor = np.zeros(_flow.FACTOR)
        self._factor[_flow.F_SIGN] = 1.0 if words[0][0] & np.uint64(1) else -1.0
        self._factor[_flow.F_REGIME] = REGIMES.index("calm")
        self._table = np.array([_TABLE[name] for name in REGIMES])
        self._chain = np.zeros((len(REGIMES), len(REGIMES)))
        if regime == "mixed":
            self._chain[:] = np.cumsum([_NEXT[name] for name in REGIMES], axis=1)
        else:
            self._chain[:, REGIMES.index(regime) :] = 1.0
        distance = np.arange(_flow.REACH)
        arrivals = 1.0 / (distance + _NEAR) ** _SPREAD
        self._reach = np.append(np.cumsum(arrivals / arrivals.sum())[:-1], 1.0)
        self._fade = _FADE * (0.08 + 0.92 / (1.0 + distance) ** 1.2)
        self._settings = np.zeros(_flow.SETTINGS)
        for name, value in _SETTINGS.items():
            self._settings[getattr(_flow, name)] = value
        self._settings[_flow.RHO] = min(1.0, _SHARED * correlation)
        self._settings[[_flow.TICK, _flow.PER_TICK]] = _ratio(tick)
        self._settings[[_flow.LOT, _flow.PER_LOT]] = _ratio(lot)
        self._parts = [self._open(i, words[i + 1], float(np.rint(p / tick))) for i, p in enumerate(prices)]
        first = [self._snapshot(i) for i in range(instruments)]
        self._events = [events for events, _ in first]
        self._mids = [mids for _, mids in first]
        self._switches: list[tuple[int, int]] = []

    def _open(self, instrument: int, rng: NDArray[np.uint64], start: float) -> tuple[Any, ...]:
        """One instrument's state, run in for two minutes around its start price: book and flow as usual."""
        flow = self._flow
        state, counts = np.zeros(flow.STATE), np.zeros(flow.COUNTS, np.int64)
        state[flow.VALUE] = state[flow.START] = start
        book, orders = np.zeros((2, flow.RING), np.int64), np.zeros((2, flow.RING), np.int64)
        for side, sign in ((0, 1), (1, -1)):
            near = int(start) - sign if side == 0 else int(start) + 1
            ticks = near - sign * np.arange(60)
            book[side, ticks % flow.RING], orders[side, ticks % flow.RING] = 200, 2
            counts[[flow.BEST + side, flow.OUTER + side, flow.LIVE + side]] = near, ticks[-1], 60
        part = (rng, state, counts, book, orders)
        still = np.zeros((_WARM_CELLS, flow.PATH))
        still[:, flow.ACTIVITY] = still[:, flow.RESILIENCE] = 1.0
        self._run(part, instrument, still, self.ts0)
        return part

    def _run(
        self, part: tuple[Any, ...], instrument: int, path: NDArray[np.float64], ts0: int
    ) -> tuple[Any, Any]:
        """All events of one instrument over ``path``, with the mids."""
        cell, events, mids = 0, [], []
        room = min(max(int(len(path) * 12), 4096), 500_000)
        while cell < len(path):
            rows, mid = np.empty((room, 8), np.int64), np.empty(room)
            fixed = (self._settings, self._reach, self._fade, path)
            out = (rows, rows.view(np.float64), mid)
            cell, n = self._flow.flow(*part, *fixed, cell, ts0, instrument, *out)
            events.append(rows[:n].reshape(-1).view(EVENT))
            mids.append(mid[:n])
        return np.concatenate(events), np.concatenate(mids)

    def _snapshot(self, instrument: int) -> tuple[NDArray[np.void], NDArray[np.float64]]:
        flow, (_, _, counts, book, _) = self._flow, self._parts[instrument]
        sides, ticks, sizes = [], [], []
        for side, sign in ((0, 1), (1, -1)):
            at = counts[flow.BEST + side] - sign * np.arange(flow.REACH)
            size = book[side, at % flow.RING]
            sides += [sign] * int((size > 0).sum())
            ticks += list(at[size > 0])
            sizes += list(size[size > 0])
        tick, lot = self._settings[[flow.TICK, flow.PER_TICK]], self._settings[[flow.LOT, flow.PER_LOT]]
        row = np.arange(len(ticks))
        events = depth(
            np.full(len(ticks), self.ts0),
            sides,
            np.array(ticks) * tick[0] / tick[1],
            np.array(sizes) * lot[0] / lot[1],
            last=row == len(row) - 1,
            snapshot=row == 0,
        )
        events["instrument"] = instrument
        mid = 0.5 * (counts[flow.BEST] + counts[flow.BEST + 1]) * tick[0] / tick[1]
        return events, np.full(len(ticks), mid)

    def _extend(self, cells: int) -> None:
        """Run every instrument ``cells`` cells further; keep the events in time order until asked for."""
        flow = self._flow
        path = np.zeros((cells, flow.PATH))
        flow.latent(self._rng, self._factor, self._table, self._chain, path)
        ts = self.ts0 + self._cells * _CELL_NS
        for row in np.flatnonzero(np.diff(path[:, flow.REGIME], prepend=-1.0)):
            regime = int(path[row, flow.REGIME])
            if not self._switches or self._switches[-1][1] != regime:
                self._switches.append((ts + int(row) * _CELL_NS, regime))
        parts = [self._run(part, i, path, ts) for i, part in enumerate(self._parts)]
        events, mids = np.concatenate([e for e, _ in parts]), np.concatenate([m for _, m in parts])
        if len(parts) > 1:
            order = np.argsort(events["ts"], kind="stable")
            events, mids = events[order], mids[order]
        self._events.append(events)
        self._mids.append(mids)
        self._cells += cells

    def next(self, seconds: float) -> Simulation:
        """The next ``seconds`` of the market."""
        if not (np.isfinite(seconds) and seconds > 0):
            raise ValueError(f"seconds: {seconds} is not a positive number")
        start, stop = self._done, self._done + round(seconds * 1e9)
        while (missing := stop - self.ts0 - self._cells * _CELL_NS) > 0:
            self._extend(min(-(-missing // _CELL_NS), _BLOCK_CELLS))
        events, mids = np.concatenate(self._events), np.concatenate(self._mids)
        cut = int(np.searchsorted(events["ts"], stop))
        self._events, self._mids, self._done = [events[cut:].copy()], [mids[cut:].copy()], stop
        switches = [s for s in self._switches if s[0] < stop]
        labels = np.array([(max(ts, start), regime) for ts, regime in switches], LABEL)
        self._switches = switches[-1:] + self._switches[len(switches) :]
        return Simulation(events[:cut], labels, mids[:cut], start, stop, self.tick)

    def stream(self, chunk_seconds: float = 1.0) -> Iterator[Simulation]:
        """Chunks of ``chunk_seconds`` for ever; joined, their events are those of ``simulate``."""
        while True:
            yield self.next(chunk_seconds)


def simulate(
    seconds: float = 600.0,
    seed: int = 0,
    regime: str = "calm",
    *,
    start_price: float | Sequence[float] = 100.0,
    tick: float = 0.01,
    lot: float = 0.01,
    ts0: int = TS0,
    instruments: int = 1,
    correlation: float = 0.6,
) -> Simulation:
    """Simulate ``seconds`` of trading from ``ts0`` (ns UTC) on.

    ``regime`` is one of ``REGIMES`` or ``"mixed"``, which switches through the first seven of them.
    ``instruments`` are numbered from 0 in the events' ``instrument`` field and share one regime, the news
    that makes prices jump, and shocks to their fundamental prices: ``correlation`` is about that of
    one-minute returns in calm, where 0.7 is the most that comes out; shared drifts add to it elsewhere.
    ``start_price`` may give one price for each, ``lot`` is the step of sizes. The events of a shorter run are
    the first events of a longer one. Raises ``ValueError`` naming the argument that is out of range.
    """
    market = Market(
        seed,
        regime=regime,
        start_price=start_price,
        tick=tick,
        lot=lot,
        ts0=ts0,
        instruments=instruments,
        correlation=correlation,
    )
    return market.next(seconds)


def _ratio(step: float) -> tuple[float, float]:
    """``step`` as a fraction: n ticks of 0.01 as n / 100 are the nearest doubles, as n * 0.01 they are
    not."""
    whole = round(1 / step)
    return (1.0, float(whole)) if whole >= 1 and abs(1 / step - whole) < 1e-9 * whole else (step, 1.0)


def _word(seed: int, part: int) -> NDArray[np.uint64]:
    """The start of one part's random stream, far from every other's."""
    return np.asarray(np.random.SeedSequence([seed, part]).generate_state(1, np.uint64), np.uint64)
