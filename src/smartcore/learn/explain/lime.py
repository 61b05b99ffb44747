"""LIME: a weighted linear model of what happens around one row (Ribeiro, Singh, Guestrin 2016, arXiv:1602.04938).

Its known weakness is that another seed tells another story; so it is fitted for several seeds, averaged, and the
overlap of what they name is part of the answer: below ``explanation.STABLE`` it is called unstable.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from smartcore.learn.explain.explanation import Explanation, stability
from smartcore.learn.explain.shapley import Score, _floats


def lime(
    score: Score,
    row: NDArray[np.floating],
    background: NDArray[np.floating],
    columns: Sequence[str],
    samples: int = 2000,
    seeds: int = 5,
    width: float = 0.25,
    ridge: float = 1.0,
    subject: str = "up - down",
) -> Explanation:
    """What each column's standing at its value, rather than at a usual one, is worth near this row (k,).

    score: rows (n, k) to (n,). Around the row, columns are replaced by those of rows of ``background`` (m, k), a few
    or many at a time; a sample that has a share d of them replaced weighs ``exp(-d**2 / width**2)``. The contributions
    are coefficients of a ridge regression on what was kept, averaged over ``seeds``; ``error`` is their standard error.
    """
    if samples < 10 or seeds < 2:
        raise ValueError(f"samples: {samples!r}, seeds: {seeds!r}; at least 10 and 2 are needed")
    if not (width > 0 and ridge >= 0):
        raise ValueError(f"width: {width!r}, ridge: {ridge!r}; want above 0, and 0 or more")
    x = _floats(row, len(columns))[0]
    usual = _floats(background, len(columns))
    k = len(x)
    draws, bases, fits = [], [], []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        keep = rng.random((samples, k)) >= rng.random((samples, 1))
        keep[0] = True
        # Kept or replaced is all the linear model is told, and of a column whose usual value is the row's own, nothing.
        mixed = np.where(keep, x, usual[rng.integers(len(usual), size=samples)])
        said: NDArray[np.float64] = np.asarray(score(mixed), np.float64).reshape(-1)
        weight = np.exp(-(((1 - keep.mean(1)) / width) ** 2))
        design = np.column_stack([np.ones(samples), keep])
        penalty = np.diag([0.0, *[ridge] * k])
        slope = np.linalg.solve(design.T @ (weight[:, None] * design) + penalty, design.T @ (weight * said))
        rest = said - np.asarray(design @ slope, np.float64)
        spread = said - np.float64(np.average(said, weights=weight))
        total = float(weight @ spread**2)
        fits.append(1 - float(weight @ rest**2) / total if total > 0 else 1.0)
        draws.append(slope[1:])
        bases.append(float(slope[0]))
    found = np.array(draws)
    return Explanation(
        method="lime",
        subject=subject,
        columns=tuple(columns),
        row=x,
        values=found.mean(0),
        base=float(np.mean(bases)),
        score=float(np.asarray(score(x[None])).reshape(-1)[0]),
        error=found.std(0, ddof=1) / np.sqrt(seeds),
        stability=stability(draws),
        notes=(f"{seeds} seeds of {samples} samples; the linear model explains {np.mean(fits):.0%} of what is around",),
    )
