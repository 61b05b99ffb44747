"""Several instruments at once: how much of each grows fastest within limits, and what is held that moves like this one.

For whoever holds the account; ``decide()`` sees one instrument and takes the answer as ``Context.correlated`` and as
its limits. Milliseconds, not microseconds: once a bar, not once a tick. NumPy only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from smartcore.errors import InvalidData

Floats = NDArray[np.float64]

_SWEEPS = 10_000
_TIGHT = 1e-13


@dataclass(frozen=True, slots=True)
class Portfolio:
    """What :func:`kelly` advises."""

    weights: tuple[float, ...]
    """Value of each position over equity; below 0 is short."""
    growth: float
    """Expected log growth a period at these weights."""
    deviation: float
    """Standard deviation of the return a period."""
    price: float
    """What a further unit of leverage would add to growth, a period; 0 where ``max_leverage`` does not bind."""

    @property
    def gross(self) -> float:
        """Sum of absolute weights."""
        return math.fsum(abs(w) for w in self.weights)

    @property
    def net(self) -> float:
        """Sum of weights."""
        return math.fsum(self.weights)


def kelly(
    means: ArrayLike, covariance: ArrayLike, *, fraction: float = 0.25, errors: ArrayLike | None = None,
    max_leverage: float = 1.0, max_weight: float = math.inf, long_only: bool = False,
) -> Portfolio:
    """The weights that maximise ``mean - variance / (2 fraction)``: ``fraction`` of Kelly's where no limit binds.

    ``means`` (n,): expected return of a long position in each over a period, after costs; of a decision that is
    ``side * edge_bps * 1e-4``. ``covariance`` (n, n): of those returns, positive definite (:func:`shrunk_covariance`).
    ``errors`` (n,): standard errors of the means; each mean counts by the share mean^2 / (mean^2 + error^2), which is
    Baker and McHale's (2013) answer to a single bet of which the edge is not known better. ``max_leverage``: most gross
    value over equity; ``max_weight``: most of each, either way. Weights beyond a limit are not scaled back together:
    what the limit leaves is shared out anew, so a position may well go to zero while another stays.

    Thorp (2006), section 7: log growth of small steps is mean less half the variance. Raises InvalidData.
    """
    mu, a = _vector("means", means), np.asarray(covariance, np.float64)
    n = len(mu)
    if a.shape != (n, n) or not np.isfinite(a).all():
        raise InvalidData(f"covariance: {a.shape}, expected {(n, n)} finite numbers for {n} means")
    if not np.allclose(a, a.T, rtol=1e-9, atol=1e-12 * np.abs(a).max()):
        raise InvalidData("covariance: not symmetric")
    limits = {"fraction": fraction, "max_leverage": max_leverage, "max_weight": max_weight}
    for name, value in limits.items():
        if not value > 0:
            raise InvalidData(f"{name}: {value!r} is not above 0")
    if fraction > 1:
        raise InvalidData(f"fraction: {fraction!r} is above 1, which only adds risk")
    scale = np.sqrt(np.maximum(a.diagonal(), 0))
    smallest = float(np.linalg.eigvalsh(a / np.outer(scale, scale)).min()) if (scale > 0).all() else 0.0
    if not smallest > 1e-10:
        raise InvalidData("covariance: not positive definite; shrunk_covariance() gives one that is")
    if errors is not None:
        doubt = _vector("errors", errors)
        if doubt.shape != mu.shape or (doubt < 0).any():
            raise InvalidData(f"errors: {doubt.tolist()!r}, expected {n} numbers, none below 0")
        square = mu * mu
        mu = mu * np.divide(square, square + doubt * doubt, out=np.zeros(n), where=square > 0)

    # In deviations: the matrix is then one of correlations, and one tolerance does for all.
    target, unit = fraction * mu / scale, a / np.outer(scale, scale)
    high = max_weight * scale
    low = np.zeros(n) if long_only else -high

    def gross(u: Floats) -> float:
        return float(np.abs(u / scale).sum())

    u = _descend(unit, target, low, high, np.zeros(n), np.zeros(n))
    price = 0.0
    if gross(u) > max_leverage:
        # A price on leverage that brings the gross value to the limit: it falls as the price rises.
        cheap, dear = 0.0, float(np.abs(fraction * mu).max())
        for _ in range(200):
            price = (cheap + dear) / 2
            u = _descend(unit, target, low, high, price / scale, u)
            if gross(u) > max_leverage:
                cheap = price
            else:
                dear = price
            if dear - cheap <= 1e-15 * dear:
                break
        u = _descend(unit, target, low, high, dear / scale, u)
        price = dear / fraction
    weights = u / scale
    variance = float(weights @ a @ weights)
    return Portfolio(tuple(weights.tolist()), float(mu @ weights) - variance / 2, math.sqrt(variance), price)


def _descend(a: Floats, target: Floats, low: Floats, high: Floats, price: Floats, start: Floats) -> Floats:
    """argmin of u a u / 2 - target u + price |u| within low and high, one coordinate after the other (a_ii = 1)."""
    u = start.copy()
    left = target - a @ u
    for _ in range(_SWEEPS):
        moved = 0.0
        for i in range(len(u)):
            pull = left[i] + u[i]
            to = math.copysign(max(abs(pull) - price[i], 0.0), pull)
            to = min(max(to, low[i]), high[i])
            step = to - u[i]
            if step:
                left -= a[i] * step
                u[i] = to
                moved = max(moved, abs(step))
        if moved <= _TIGHT * max(1e-300, float(np.abs(u).max())):
            break
    return u


def shrunk_covariance(returns: ArrayLike) -> tuple[Floats, float]:
    """(covariance (n, n), how far it was shrunk, 0 to 1) of returns (t, n), at least two rows, each column moving.

    Variances are kept; correlations are pulled towards none by the share that Ledoit and Wolf (2004, Journal of
    Multivariate Analysis 88(2):365-411) find best for standardised returns. Positive definite wherever that is above 0.
    Raises InvalidData.
    """
    x = np.asarray(returns, np.float64)
    if x.ndim != 2 or len(x) < 2 or not x.shape[1] or not np.isfinite(x).all():
        raise InvalidData(f"returns: {x.shape}, expected (t, n) finite numbers, t at least 2")
    x = x - x.mean(axis=0)
    scale = np.sqrt((x * x).mean(axis=0))
    if not (scale > 0).all():
        raise InvalidData(f"returns: column {int(np.argmin(scale))} does not move")
    z = x / scale
    t, n = z.shape
    s = z.T @ z / t
    off = float(((s - np.eye(n)) ** 2).sum())
    noise = min(off, float(((z * z).sum(axis=1) ** 2).mean() - (s * s).sum()) / t)
    share = noise / off if off > 0 else 0.0
    correlation = (1 - share) * s
    np.fill_diagonal(correlation, 1.0)
    return correlation * np.outer(scale, scale) * (t / (t - 1)), share


def correlated_exposure(
    positions: ArrayLike, correlation: ArrayLike, of: int, *, volatility: ArrayLike | None = None, least: float = 0.3
) -> float:
    """What is held elsewhere, as if held in instrument ``of``: for ``Context.correlated``.

    ``positions`` (n,): signed value of each over equity; that of ``of`` itself does not count. ``correlation`` (n, n)
    of their returns; one below ``least``, either way, is taken for noise. ``volatility`` (n,): where given, a position
    counts by how far it moves ``of`` would have to move for the same (its beta), else by the correlation alone. A
    position that moves against this one counts with the other sign: it hedges. Raises InvalidData.
    """
    held, rho = _vector("positions", positions), np.asarray(correlation, np.float64)
    n = len(held)
    if rho.shape != (n, n) or not (np.abs(rho) <= 1 + 1e-9).all():
        raise InvalidData(f"correlation: {rho.shape}, expected {(n, n)} numbers from -1 to 1 for {n} positions")
    if not 0 <= of < n:
        raise InvalidData(f"of: {of!r} is none of {n} positions")
    if not 0 <= least <= 1:
        raise InvalidData(f"least: {least!r} is not from 0 to 1")
    share = np.where(np.abs(rho[of]) >= least, rho[of], 0.0)
    if volatility is not None:
        moves = _vector("volatility", volatility)
        if moves.shape != held.shape or not (moves > 0).all():
            raise InvalidData(f"volatility: {moves.tolist()!r}, expected {n} numbers above 0")
        share = share * moves / moves[of]
    share[of] = 0.0
    return float(share @ held)


def _vector(name: str, values: ArrayLike) -> Floats:
    x = np.asarray(values, np.float64)
    if x.ndim != 1 or not len(x) or not np.isfinite(x).all():
        raise InvalidData(f"{name}: {x.tolist()!r}, expected a row of finite numbers")
    return x
