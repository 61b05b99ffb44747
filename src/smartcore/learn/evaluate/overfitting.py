"""How much of a Sharpe ratio the search for it made up.

Sharpe ratios here are those of one period (a bar, a day), not annualised: mean over sample deviation. The more that was
tried, the better the best looks by luck alone, so everything asks for what *all* trials scored, those thrown away too.
Sources: Bailey and López de Prado (2012), The Sharpe Ratio Efficient Frontier, Journal of Risk 15(2):3-44; the same
(2014), The Deflated Sharpe Ratio, Journal of Portfolio Management 40(5):94-107; Bailey, Borwein, López de Prado and Zhu
(2017), The Probability of Backtest Overfitting, Journal of Computational Finance 20(4):39-69.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

EULER = 0.57721566490153286
_NORMAL = NormalDist()

Floats = NDArray[np.floating]


def sharpe(returns: Floats) -> NDArray[np.float64]:
    """Mean over sample deviation along the first axis: (n,) -> (), (n, m) -> (m,). 0 where nothing varies."""
    returns = np.asarray(returns, np.float64)
    deviation = returns.std(axis=0, ddof=1)
    varies = np.ptp(returns, axis=0) > 0
    return np.divide(returns.mean(axis=0), deviation, out=np.zeros_like(deviation), where=varies)


@dataclass(frozen=True)
class Moments:
    """What the distribution of an estimated Sharpe ratio depends on."""

    sharpe: float
    n: int
    skew: float = 0.0
    kurtosis: float = 3.0
    """Not in excess: 3 for a normal."""

    @classmethod
    def of(cls, returns: Floats) -> Moments:
        """Of returns (n,), n at least 4, that vary. Skew and kurtosis without their bias (Joanes and Gill 1998)."""
        x = np.asarray(returns, np.float64)
        n = len(x)
        if x.ndim != 1 or n < 4 or not np.isfinite(x).all() or np.ptp(x) == 0:
            raise ValueError(f"returns {x.shape}: expected at least four finite numbers that vary")
        d = x - x.mean()
        m2, m3, m4 = (float((d**p).mean()) for p in (2, 3, 4))
        skew = m3 / m2**1.5 * math.sqrt(n * (n - 1)) / (n - 2)
        excess = (n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * (m4 / m2**2 - 3) + 6)
        return cls(float(sharpe(x)), n, skew, excess + 3)

    @property
    def variance(self) -> float:
        """n - 1 times the variance of the estimate (2012)."""
        out = 1 - self.skew * self.sharpe + (self.kurtosis - 1) / 4 * self.sharpe**2
        if out <= 0:
            raise ValueError(f"skew {self.skew:.3g} and kurtosis {self.kurtosis:.3g} are not those of a distribution")
        return out


def probabilistic_sharpe(returns: Floats | Moments, benchmark: float = 0.0) -> float:
    """The probability that the true Sharpe ratio is above ``benchmark`` (2012). Of independent returns."""
    m = returns if isinstance(returns, Moments) else Moments.of(returns)
    return _NORMAL.cdf((m.sharpe - benchmark) * math.sqrt((m.n - 1) / m.variance))


def minimum_track_record(returns: Floats | Moments, benchmark: float = 0.0, confidence: float = 0.95) -> float:
    """Periods after which :func:`probabilistic_sharpe` would reach ``confidence`` (2012). Infinite where the
    Sharpe ratio is not above ``benchmark``."""
    m = returns if isinstance(returns, Moments) else Moments.of(returns)
    if m.sharpe <= benchmark:
        return math.inf
    return 1 + m.variance * (_NORMAL.inv_cdf(confidence) / (m.sharpe - benchmark)) ** 2


def expected_maximum_sharpe(trials: int, variance: float) -> float:
    """What the best of ``trials`` worthless strategies is expected to show, if their Sharpe ratios have ``variance``.

    (2014), eq. 1: the mean of the extreme of independent normals, to a few percent from ten trials on. 0 of one trial.
    """
    if trials < 1 or variance < 0:
        raise ValueError(f"{trials} trials with variance {variance}")
    if trials == 1:
        return 0.0
    far, farther = (_NORMAL.inv_cdf(1 - 1 / x) for x in (trials, trials * math.e))
    return math.sqrt(variance) * ((1 - EULER) * far + EULER * farther)


def deflated_sharpe(returns: Floats | Moments, trials: Floats) -> float:
    """The probability that the true Sharpe ratio is above what the best of all trials shows by luck: (2014), eq. 2.

    ``trials`` (m,): the Sharpe ratios, a period, of *every* variant that was tried: each seed, feature set and
    threshold that could have been reported. Variants that are alike count in full, which errs on the safe side.
    """
    trials = np.asarray(trials, np.float64)
    if trials.ndim != 1 or not len(trials) or not np.isfinite(trials).all():
        raise ValueError(f"trials {trials.shape}: expected the Sharpe ratio of each")
    variance = float(trials.var(ddof=1)) if len(trials) > 1 else 0.0
    return probabilistic_sharpe(returns, expected_maximum_sharpe(len(trials), variance))


@dataclass(frozen=True)
class Overfitting:
    """What happened out of sample to what was best in sample, over all halves of the data."""

    pbo: float
    """Share of halves where the best in sample ranked below the median out of sample; at the median counts half.
    0.5 is a search among equals."""
    loss: float
    """Share of halves where it scored below zero out of sample."""
    slope: float
    """Of its score out of sample on that in sample; below zero where the better it looked, the worse it was."""
    logits: NDArray[np.float64]
    """(halves,), of its rank out of sample; below zero is below the median."""
    scores: NDArray[np.float64]
    """(halves, 2), in and out of sample."""


def pbo(
    returns: Floats, blocks: int = 16, score: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None
) -> Overfitting:
    """Probability of backtest overfitting of a search, by combinatorially symmetric cross-validation (2017).

    ``returns`` (n, m): what each of m >= 2 configurations made in each period, all that were tried. The periods are cut
    into ``blocks`` (even) unbroken parts, and every choice of half of them is once the sample. ``score`` takes (rows,
    m) to (m,), larger is better; by default the Sharpe ratio, 13,000 halves of which take well under a second.
    """
    x = np.asarray(returns, np.float64)
    if x.ndim != 2 or x.shape[1] < 2 or blocks < 2 or blocks % 2 or len(x) < 2 * blocks or not np.isfinite(x).all():
        raise ValueError(f"returns {x.shape} in {blocks} blocks: expected (n, m >= 2), finite, and an even number")
    parts = np.array_split(x, blocks)
    chosen = np.array(list(combinations(range(blocks), blocks // 2)))
    inside = np.zeros((len(chosen), blocks))
    np.put_along_axis(inside, chosen, 1, axis=1)
    if score is None:
        seen, kept = (_sharpe_of(parts, half) for half in (inside, 1 - inside))
    else:
        seen, kept = (
            np.array([score(np.concatenate([parts[i] for i in np.flatnonzero(row)])) for row in half])
            for half in (inside, 1 - inside)
        )
    best = seen.argmax(1)[:, None]
    said, came = np.take_along_axis(seen, best, 1)[:, 0], np.take_along_axis(kept, best, 1)
    rank = (kept < came).sum(1) + ((kept == came).sum(1) + 1) / 2  # ties share theirs
    share = rank / (x.shape[1] + 1)
    logits = np.log(share / (1 - share))
    came = came[:, 0]
    spread = said.var()
    slope = float(((said - said.mean()) * (came - came.mean())).mean() / spread) if spread > 0 else float("nan")
    below = (share < 0.5).mean() + (share == 0.5).mean() / 2
    return Overfitting(float(below), float((came < 0).mean()), slope, logits, np.column_stack([said, came]))


def _sharpe_of(parts: list[NDArray[np.float64]], chosen: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sharpe ratios (halves, m) of the parts that ``chosen`` (halves, parts) marks, from their sums."""
    count = chosen @ np.array([len(p) for p in parts], float)[:, None]
    middle = np.concatenate(parts).mean(0)  # taken off first, or squares of large means would swallow the deviation
    total, square = (chosen @ np.array([((p - middle) ** k).sum(0) for p in parts]) for k in (1, 2))
    mean = total / count
    variance = (square - count * mean**2) / (count - 1)
    scale = np.concatenate(parts).var(0)
    return np.divide(
        mean + middle, np.sqrt(np.maximum(variance, 0)), out=np.zeros_like(mean), where=variance > 1e-14 * scale
    )
