"""Whether a value at risk and an expected shortfall were true: how often they were broken, when, and by how much.

Losses are positive numbers, ``var`` and ``es`` the forecasts made for them one step before; ``level`` is 0.95 or 0.99,
so 1 - ``level`` of the losses should break ``var``. Sources: Kupiec (1995), Journal of Derivatives 3(2) (how often);
Christoffersen (1998), International Economic Review 39(4):841-862 (when); Acerbi and Szekely (2014), Risk (their second
statistic, by how much); Patton, Ziegel and Chen (2019), Journal of Econometrics 211(2):388-413 (the loss FZ0, by which
forecasts of VaR and ES together are ranked).

The chi-squared limits are rough where breaches are few: of 24 expected ones, two in a row are a rejection. So
:func:`sizes` simulates how often each test rejects a true forecast, and that stands beside the counts of rejections.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Hits = NDArray[np.bool_]
TAIL = 0.25
"""Shape of the Pareto tail that Acerbi and Szekely's statistic is simulated under: a power law with exponent 4, as of
daily and of one-minute returns (Cont 2001). A lighter one rejects more."""


@dataclass(frozen=True)
class Verdict:
    """A likelihood ratio and its p-value; (0, 1) where nothing can be said."""

    statistic: float
    p: float


def kupiec(n: int, breaches: int, level: float) -> Verdict:
    """Proportion of failures: whether ``breaches`` of ``n`` is 1 - ``level``. One degree of freedom."""
    _level(level)
    if not 0 <= breaches <= n:
        raise ValueError(f"breaches: {breaches} of {n}")
    return _verdict(2 * (_binomial(n, breaches, breaches / n if n else 0) - _binomial(n, breaches, 1 - level)), 1)


def pairs(hits: Hits) -> NDArray[np.int64]:
    """[[no-no, no-yes], [yes-no, yes-yes]]: what came after what."""
    hits = np.asarray(hits, bool)
    return np.bincount(2 * hits[:-1] + hits[1:], minlength=4).reshape(2, 2)


def independence(counts: NDArray[np.integer] | Sequence[Sequence[int]]) -> Verdict:
    """Christoffersen: whether a breach makes another one at the next step likelier, or rarer. ``counts`` as
    :func:`pairs`. One degree of freedom.
    """
    (n00, n01), (n10, n11) = np.asarray(counts, float)
    yes, n = n01 + n11, n00 + n01 + n10 + n11
    pooled = _binomial(n, yes, yes / n if n else 0)
    apart = sum(_binomial(a + b, b, b / (a + b) if a + b else 0) for a, b in ((n00, n01), (n10, n11)))
    return _verdict(2 * (apart - pooled), 1)


def conditional_coverage(hits: Hits, level: float) -> Verdict:
    """Christoffersen: rate and independence at once, two degrees of freedom. Step one counts for the rate only."""
    hits = np.asarray(hits, bool)
    both = kupiec(len(hits), int(hits.sum()), level).statistic + independence(pairs(hits)).statistic
    return _verdict(both, 2)


def acerbi_szekely(losses: Floats, var: Floats, es: Floats, level: float) -> float:
    """Z2: 1 - the sum of losses that broke VaR, each over its ES, over the number expected. 0 is right; below 0 too
    little was said of the tail, in number or in size. No p-value: :func:`shortfall_p`.
    """
    losses, var, es = _forecasts(losses, var, es)
    broken = losses > var
    return float(1 - (losses[broken] / es[broken]).sum() / (len(losses) * (1 - level)))


def shortfall_p(z2: float, n: int, level: float, tail: float = TAIL, draws: int = 4000, seed: int = 0) -> float:
    """How often a true forecast scores ``z2`` or lower, from ``draws`` of ``n`` steps with a Pareto tail of that shape.

    Under the null the number of breaches is binomial, and a loss over its ES is (1 - tail) u^-tail with u uniform.
    """
    return float((1 + (_null_z2(n, level, tail, draws, seed) <= z2).sum()) / (1 + draws))


def fz0(losses: Floats, var: Floats, es: Floats, level: float) -> NDArray[np.float64]:
    """Loss of each joint forecast (n,): least on average at the true VaR and ES. Differences do not depend on units."""
    losses, var, es = _forecasts(losses, var, es)
    return np.where(losses > var, losses - var, 0) / ((1 - level) * es) + var / es + np.log(es) - 1


@dataclass(frozen=True)
class Backtest:
    """One series of forecasts against what came."""

    n: int
    breaches: int
    expected: float
    kupiec: float
    """p-values, as the next two."""
    independence: float
    conditional: float
    z2: float
    z2_p: float
    """One-sided: small where too little was said of the tail."""
    fz0: float

    @property
    def rate(self) -> float:
        """Share of steps with a breach."""
        return self.breaches / self.n if self.n else float("nan")


def backtest(losses: Floats, var: Floats, es: Floats, level: float, tail: float = TAIL, seed: int = 0) -> Backtest:
    """All of it for forecasts (n,), finite, of steps that follow each other; ValueError otherwise."""
    losses, var, es = _forecasts(losses, var, es)
    hits = losses > var
    n, count = len(hits), int(hits.sum())
    z2 = acerbi_szekely(losses, var, es, level)
    return Backtest(
        n, count, n * (1 - level), kupiec(n, count, level).p, independence(pairs(hits)).p,
        conditional_coverage(hits, level).p, z2, shortfall_p(z2, n, level, tail, seed=seed),
        float(fz0(losses, var, es, level).mean()),
    )  # fmt: skip


def sizes(n: int, level: float, at: float = 0.05, draws: int = 4000, seed: int = 0) -> tuple[float, float, float]:
    """How often Kupiec, independence and conditional coverage reject a true forecast of ``n`` steps at ``at``."""
    rng = np.random.default_rng(seed)
    rejected = np.zeros(3)
    for _ in range(draws):
        hits = simulated(n, level, rng)
        rate, order = kupiec(n, int(hits.sum()), level), independence(pairs(hits))
        rejected += rate.p < at, order.p < at, _verdict(rate.statistic + order.statistic, 2).p < at
    return tuple(rejected / draws)  # type: ignore[return-value]


def simulated(n: int, level: float, rng: np.random.Generator, clustering: float = 0.0) -> Hits:
    """Breaches of a VaR that is broken at its rate; a share ``clustering`` of them bring on another one."""
    _level(level)
    u = rng.random(n)
    if not clustering:
        return u < 1 - level
    again = clustering + (1 - clustering) * (1 - level)
    first = (1 - level) * (1 - again) / level  # keeps the rate
    hits = np.zeros(n, bool)
    last = False
    for t in range(n):
        last = u[t] < (again if last else first)
        hits[t] = last
    return hits


def horizon_rate(hits: Hits, horizon: int) -> tuple[float, float]:
    """(rate, its standard error) of breaches of overlapping forecasts ``horizon`` steps ahead.

    Neighbouring losses share ``horizon`` - 1 steps, so breaches come in runs and Kupiec would count each many times.
    The error is Newey and West's with 2 ``horizon`` lags (Bartlett weights, 1987).
    """
    x = np.asarray(hits, float)
    n, lags = len(x), 2 * horizon
    if horizon < 1 or n <= 2 * lags:
        raise ValueError(f"horizon: {horizon} steps of {n}")
    d = x - x.mean()
    variance = float(d @ d) / n
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * float(d[lag:] @ d[:-lag]) / n
    return float(x.mean()), math.sqrt(max(variance, 0.0) / n)


def _null_z2(n: int, level: float, tail: float, draws: int, seed: int) -> NDArray[np.float64]:
    _level(level)
    if not 0 <= tail < 0.5:
        raise ValueError(f"tail: {tail!r} is not in [0, 0.5)")
    rng = np.random.default_rng(seed)
    out = np.ones(draws)
    counts = rng.binomial(n, 1 - level, draws)
    for i, count in enumerate(counts):
        out[i] -= (1 - tail) * (rng.random(count) ** -tail).sum() / (n * (1 - level))
    return out


def _binomial(n: float, k: float, p: float) -> float:
    """Log likelihood of k in n, 0 log 0 = 0."""
    return (k * math.log(p) if k else 0.0) + ((n - k) * math.log1p(-p) if n > k else 0.0)


def _verdict(statistic: float, dof: int) -> Verdict:
    statistic = max(0.0, statistic)
    return Verdict(statistic, math.erfc(math.sqrt(statistic / 2)) if dof == 1 else math.exp(-statistic / 2))


def _level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level: {level!r} is not between 0 and 1")


def _forecasts(
    losses: Floats, var: Floats, es: Floats
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    losses, var, es = (np.asarray(x, np.float64) for x in (losses, var, es))
    if not losses.ndim == 1 or not losses.shape == var.shape == es.shape or not len(losses):
        raise ValueError(f"losses {losses.shape}, var {var.shape}, es {es.shape}: expected three (n,)")
    if not np.isfinite(losses).all() or not (np.isfinite(var) & np.isfinite(es) & (es > 0)).all():
        raise ValueError("losses, var and es are to be finite, es above 0")
    return losses, var, es
