"""Several bots on one account: one equity, and each knows what the others hold that moves like its own instrument."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import isfinite, log
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from smartcore.bot.replay import as_events
from smartcore.decide.portfolio import Portfolio, correlated_exposure, kelly, shrunk_covariance
from smartcore.errors import InvalidData
from smartcore.features.engine import interval_ns

if TYPE_CHECKING:
    from smartcore.bot.orchestrator import Orchestrator
    from smartcore.decide import Decision

_LEAST = 30
"""Returns before a correlation is believed; until then positions elsewhere count whole: what is not known may be 1."""


class Account:
    """Bots by symbol. Feed events here; set ``equity`` here, and positions by :meth:`hold`.

    bots: orchestrators of different symbols.
    every: how often prices are sampled for correlations ("1m"), on the grid from the epoch of event time.
    window: samples that correlations are made of.

    At each sample every bot's ``correlated`` becomes what the others hold, by correlation (those below 0.3 are noise)
    and volatility: ``Policy.max_correlated`` caps by it. A position that moves against a bot's instrument counts with
    the other sign: it hedges.
    """

    def __init__(self, bots: Iterable[Orchestrator], *, every: str = "1m", window: int = 240) -> None:
        self.bots: dict[str, Orchestrator] = {}
        for bot in bots:
            if bot.symbol in self.bots:
                raise ValueError(f"bots: two of the symbol {bot.symbol!r}")
            self.bots[bot.symbol] = bot
        if window < _LEAST:
            raise ValueError(f"window: {window!r} is below {_LEAST}")
        self.symbols = tuple(self.bots)
        self._every = interval_ns(every)
        self._next = 0
        self._prices: NDArray[np.float64] = np.full(len(self.bots), np.nan)
        self._returns = np.full((window, len(self.bots)), np.nan)
        self._samples = 0
        self._equity: float | None = None

    @property
    def equity(self) -> float | None:
        """Account value in quote currency, None unknown; every bot is told."""
        return self._equity

    @equity.setter
    def equity(self, value: float | None) -> None:
        self._equity = value
        for bot in self.bots.values():
            bot.equity = value

    def hold(self, symbol: str, contracts: float) -> None:
        """The position in a symbol, signed contracts, as the exchange says. KeyError for another symbol."""
        self.bots[symbol].position = contracts
        self._tell()

    def on_event(self, symbol: str, event: Any) -> Decision | None:
        """One record of dtype EVENT for a symbol; as ``Orchestrator.on_event``."""
        self.pass_time(int.from_bytes(bytes(event)[:8], "little", signed=True))
        return self.bots[symbol].on_event(event)

    def pass_time(self, ts: int) -> None:
        """What is due before ``ts`` (ns UTC): a sample of all prices. Call it before events that are not fed here."""
        if ts < self._next:
            return
        if self._next:
            self._sample()
        self._next = ts - ts % self._every + self._every

    def run(self, streams: Mapping[str, Any]) -> Iterator[Decision]:
        """Replay: the events of every symbol, in order of time; yields the decisions."""
        arrays = {symbol: as_events(events) for symbol, events in streams.items()}
        unknown = sorted(set(arrays) - set(self.bots))
        if unknown:
            raise KeyError(f"streams: {', '.join(unknown)}: no bots of these symbols")
        names = list(arrays)
        ts = np.concatenate([arrays[name]["ts"] for name in names])
        whose = np.repeat(np.arange(len(names)), [len(arrays[name]) for name in names])
        at = np.concatenate([np.arange(len(arrays[name])) for name in names])
        for i in np.argsort(ts, kind="stable").tolist():
            symbol = names[int(whose[i])]
            decision = self.on_event(symbol, arrays[symbol][int(at[i])])
            if decision is not None:
                yield decision

    @property
    def returns(self) -> NDArray[np.float64]:
        """(t, n) log returns between samples, oldest first, of those in which every price was known."""
        n = min(self._samples, len(self._returns))
        table = np.roll(self._returns, -(self._samples % len(self._returns)), axis=0)[-n:] if n else self._returns[:0]
        return table[np.isfinite(table).all(axis=1)]

    @property
    def values(self) -> NDArray[np.float64]:
        """(n,) signed value of each position over equity; NaN where equity or the price of what is held is unknown."""
        equity = self._equity
        out = np.zeros(len(self.bots))
        for i, bot in enumerate(self.bots.values()):
            if bot.position:
                known = equity is not None and isfinite(equity) and equity > 0 and self._prices[i] > 0
                unit = self._prices[i] * bot.engine.instrument.multiplier
                out[i] = bot.position * unit / equity if known else np.nan
        return out

    def advise(self, **limits: Any) -> Portfolio:
        """Kelly's weights over all symbols, from each bot's last decision and the correlations of returns.

        The mean of a symbol is its decision's expected edge over the horizon, towards where it leans, 0 where it is
        HOLD; the deviation is the one that its stop is made of. ``limits`` go to ``decide.portfolio.kelly``, which
        says what they and the weights are. Raises InvalidData before there are enough samples.
        """
        table = self.returns
        if len(table) < _LEAST:
            raise InvalidData(f"returns: {len(table)} samples of all prices, {_LEAST} are wanted")
        covariance, _ = shrunk_covariance(table)
        deviation = np.sqrt(np.diag(covariance))
        correlation = covariance / np.outer(deviation, deviation)
        means = np.zeros(len(self.bots))
        for i, bot in enumerate(self.bots.values()):
            d = bot.decision
            if d is None or d.risk.stop_distance is None or d.risk.expected_edge_bps is None:
                continue
            deviation[i] = d.risk.stop_distance / bot.policy.stop_sigmas
            if d.signal != "HOLD":
                means[i] = max(0.0, d.risk.expected_edge_bps) * d.lean * 1e-4
        return kelly(means, correlation * np.outer(deviation, deviation), **limits)

    def _sample(self) -> None:
        before = self._prices
        self._prices = np.array([_price(bot) for bot in self.bots.values()])
        known = (before > 0) & (self._prices > 0)
        row = [log(b / a) if ok else np.nan for a, b, ok in zip(before, self._prices, known, strict=True)]
        if np.isfinite(before).any():
            self._returns[self._samples % len(self._returns)] = row
            self._samples += 1
        self._tell()

    def _tell(self) -> None:
        """Every bot what the others hold."""
        values = self.values
        if not np.isfinite(values).all():
            for bot in self.bots.values():
                bot.correlated = float("nan")  # decide() then sizes nothing where a cap is set
            return
        table = self.returns
        moving = len(table) >= _LEAST and bool((table.std(axis=0) > 0).all())
        if moving:
            covariance, _ = shrunk_covariance(table)
            volatility = np.sqrt(np.diag(covariance))
            correlation = covariance / np.outer(volatility, volatility)
        for i, bot in enumerate(self.bots.values()):
            if moving:
                bot.correlated = correlated_exposure(values, correlation, i, volatility=volatility)
            else:
                bot.correlated = float(values.sum() - values[i])


def _price(bot: Orchestrator) -> float:
    book = bot.engine.book
    return float(book.mid if book.valid else bot.engine.last_price)
