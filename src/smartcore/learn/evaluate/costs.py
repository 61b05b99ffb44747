"""What is left of a forecast when it is traded: gross, after the half-spread, after fees, each apart.

Returns are those of one unit of money held at a constant stake: they add up, nothing compounds. What is not in here:
slippage beyond the best price, latency, funding. A forecast that loses here is finished; one that gains is not proved.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from smartcore.learn.evaluate.overfitting import sharpe
from smartcore.learn.evaluate.scores import Floats, signal

BASIS_POINT = 1e-4
SUMMARY = (
    "gross", "after_spread", "net", "turnover", "hit_rate", "mean_move_bps", "break_even_bps", "drawdown",
    "sharpe_gross", "sharpe", "sharpe_annual",
)  # fmt: skip
"""In the order in which they are told; see ``Account.summary``."""


def positions(prob: Floats, threshold: float = 0.0, hold: int = 1) -> NDArray[np.float64]:
    """The position (n,) from -1 to 1 that probabilities (n, classes) call for.

    A row bets one up where P(up) - P(down) is above ``threshold``, one down where it is below -``threshold``. Each bet
    stands for ``hold`` rows, its horizon, and the position is the mean of those that stand: so a forecast over 20 rows
    is not turned over at each row. (Overlapping portfolios: Jegadeesh and Titman 1993, Journal of Finance 48:65-91.)
    ValueError for a ``hold`` below 1.
    """
    if hold < 1:
        raise ValueError(f"hold {hold}: at least one row")
    s = signal(prob)
    bet = np.where(np.abs(s) > threshold, np.sign(s), 0.0)
    total = np.concatenate([np.zeros(hold), bet.cumsum()])
    return (total[hold:] - total[:-hold]) / hold


@dataclass(frozen=True)
class Account:
    """Returns of each row (n,), of one unit of stake."""

    position: NDArray[np.float64]
    """Held from this row to the next."""
    traded: NDArray[np.float64]
    """Absolute change of the position at this row; at the last, also what closes it."""
    market: NDArray[np.float64]
    """The price's simple return from this row to the next, 0 at the last."""
    spread: NDArray[np.float64]
    """Cost of crossing half the spread."""
    fees: NDArray[np.float64]

    @property
    def gross(self) -> NDArray[np.float64]:
        """Before any cost."""
        return self.position * self.market

    @property
    def after_spread(self) -> NDArray[np.float64]:
        """Gross less half the spread on what was traded."""
        return self.gross - self.spread

    @property
    def net(self) -> NDArray[np.float64]:
        """After spread and fees."""
        return self.after_spread - self.fees

    def equity(self) -> dict[str, NDArray[np.float64]]:
        """Running sums (n,) of gross, after spread, and net returns."""
        return {name: getattr(self, name).cumsum() for name in ("gross", "after_spread", "net")}

    def summary(self, periods: float | None = None) -> dict[str, float]:
        """Totals and ratios of the whole. ``periods``: rows in a year of trading, for the annualised Sharpe ratio.

        turnover: units traded a row. hit_rate: share of rows, with a position and a move, where they had one sign.
        mean_move_bps: mean absolute move of the market under a position. break_even_bps: the one-way cost at which
        nothing is left. drawdown: the largest fall of net equity from a height before.
        """
        moved = (self.position != 0) & (self.market != 0)
        traded = float(self.traded.sum())
        net = self.net.cumsum()
        out = {
            **{name: float(getattr(self, name).sum()) for name in ("gross", "after_spread", "net")},
            "turnover": float(self.traded.mean()),
            "hit_rate": float((self.position * self.market > 0)[moved].mean()) if moved.any() else math.nan,
            "mean_move_bps": float(np.abs(self.market[moved]).mean() / BASIS_POINT) if moved.any() else math.nan,
            "break_even_bps": float(self.gross.sum() / traded / BASIS_POINT) if traded else math.nan,
            "drawdown": float((np.maximum.accumulate(np.maximum(net, 0)) - net).max()),
            "sharpe_gross": float(sharpe(self.gross)),
            "sharpe": float(sharpe(self.net)),
        }
        if periods is not None:
            out["sharpe_annual"] = out["sharpe"] * math.sqrt(periods)
        return out


def account(position: Floats, price: Floats, half_spread: Floats | float = 0.0, fee_bps: float = 0.0) -> Account:
    """What a position (n,) on one unbroken recording made, at prices (n,), flat before and after.

    ``half_spread``: half of ask less bid, in the price's unit, one number or (n,). ``fee_bps``: basis points of the
    value traded, one way. ValueError where a position is held over an unknown price.
    """
    price = np.asarray(price, np.float64)
    if np.shape(position) != price.shape or price.ndim != 1 or not len(price):
        raise ValueError(f"positions {np.shape(position)} and prices {price.shape}: expected as many")
    held = np.append(np.asarray(position, np.float64)[:-1], 0.0)  # closed at the last row: what follows is not known
    traded = np.abs(np.diff(held, prepend=0.0))
    market = np.append(np.diff(price) / price[:-1], 0.0)
    spread = np.broadcast_to(np.asarray(half_spread, np.float64), price.shape) / price
    unknown = (held != 0) & ~np.isfinite(market) | (traded != 0) & ~np.isfinite(spread)
    if unknown.any():
        raise ValueError(f"a position at row {int(unknown.argmax())}, and no price")
    market = np.where(held != 0, market, np.nan_to_num(market))
    cost = np.where(traded != 0, traded * np.nan_to_num(spread), 0.0)
    return Account(held, traded, market, cost, traded * fee_bps * BASIS_POINT)


def join(accounts: Sequence[Account]) -> Account:
    """Several recordings one after another."""
    names = ("position", "traded", "market", "spread", "fees")
    return Account(*(np.concatenate([getattr(a, name) for a in accounts]) for name in names))


def break_even_accuracy(move: float, round_trip: float) -> float:
    """How often a bet on direction must be right: 1/2 + c / (2 m), mean absolute move m, round-trip cost c, one unit.

    Above 1 there is no forecast that pays. The expected gain of a bet right with probability p is (2 p - 1) m - c.
    """
    return 0.5 + round_trip / (2 * move)


def bets_needed(accuracy: float, power: float = 0.8, level: float = 0.05) -> float:
    """*Independent* bets that tell ``accuracy`` from 1/2 in a two-sided test, normal approximation.

    Bets of overlapping horizons are not independent; divide rows by the block length of ``bootstrap``. Infinite for an
    accuracy of 1/2. ValueError for one that is not between 0 and 1.
    """
    if not 0 <= accuracy <= 1:
        raise ValueError(f"accuracy {accuracy}: a share from 0 to 1")
    if accuracy == 0.5:
        return math.inf
    z, power_z = NormalDist().inv_cdf(1 - level / 2), NormalDist().inv_cdf(power)
    return ((z * 0.5 + power_z * math.sqrt(accuracy * (1 - accuracy))) / (accuracy - 0.5)) ** 2
