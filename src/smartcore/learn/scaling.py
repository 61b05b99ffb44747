"""What is fitted on training rows and built into a net's graph: how each column becomes an ordinary number.

    knots = normal_scores(train)                                     # every column to its normal scores
    knots = scale(train, names, [Group(("*_size_*",), "pooled"), Group(("spread",), "robust")])

All of it is knots (2, k, m), m values of each column in increasing order and the scores they stand for, which
``nets.base.Inputs`` interpolates; beyond the outermost a score is held. So one piece of the graph does every kind, and
NaN becomes 0, the middle, whatever the kind. Unknown and infinite values are left out of the fit.

    rank      quantiles to those of a normal: any tail, any shape. The default
    standard  deviations from the mean, held at ``clip``
    robust    the same from the median, a deviation being 0.741 interquartile ranges, that of a normal
    pooled    rank, over all columns of the group together: what is larger stays larger, as of sizes at all levels
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from smartcore.learn.data import Series

KINDS = ("rank", "standard", "robust", "pooled")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Group:
    """Columns that are scaled in one way."""

    columns: tuple[str, ...]
    """Names, or patterns with ``*`` and ``?``."""
    how: str = "rank"


def normal_scores(series: Sequence[Series], knots: int = 16, reach: float = 2.6) -> Floats:
    """What turns each column into a standard normal: (2, k, knots), values in increasing order and their scores.

    The scores go from -``reach`` to ``reach``, the values are the quantiles of the known ones that belong to
    them. A value that holds several quantiles gets the mean of their scores, and the last knot is repeated
    where there are fewer; a column never known gets zeros.
    """
    k = series[0].rows.shape[1]
    return np.stack([_ranks(_known(series, [j]), knots, reach) for j in range(k)], axis=1)


def scale(
    series: Sequence[Series],
    names: Sequence[str],
    groups: Sequence[Group] = (),
    how: str = "rank",
    knots: int = 16,
    reach: float = 2.6,
    clip: float = 5.0,
) -> Floats:
    """Knots (2, k, knots) of columns ``names`` (k,): those of a group by its kind, all others by ``how``.

    ``series`` are training recordings. Raises ValueError for an unknown kind, a pattern that no column has, or a column
    of two groups; ``how`` is no "pooled", for it names no group.
    """
    k = series[0].rows.shape[1]
    if len(names) != k:
        raise ValueError(f"{len(names)} names for {k} columns")
    kind: list[str | None] = [None] * k
    out = np.zeros((2, k, knots))
    for group in groups:
        mine: list[int] = []
        for pattern in group.columns:
            found = [j for j, name in enumerate(names) if fnmatchcase(name, pattern) and j not in mine]
            if not found:
                raise ValueError(f"no column {pattern!r} among {', '.join(names)}")
            mine += found
        for j in mine:
            if kind[j] is not None:
                raise ValueError(f"{names[j]} is in two groups")
            kind[j] = group.how
        if group.how == "pooled":
            out[:, mine] = _ranks(_known(series, mine), knots, reach)[:, None]
    for j in range(k):
        mode = kind[j] or how
        if mode not in KINDS or (kind[j] is None and mode == "pooled"):
            raise ValueError(f"{mode!r} for {names[j]}: a kind is one of {', '.join(KINDS)}, pooled for groups only")
        if mode == "rank":
            out[:, j] = _ranks(_known(series, [j]), knots, reach)
        elif mode != "pooled":
            out[:, j] = _line(_known(series, [j]), mode == "robust", knots, clip)
    return out


def _known(series: Sequence[Series], columns: Sequence[int]) -> Floats:
    """The finite values of some columns of all recordings, joined."""
    whole = np.concatenate([s.rows[:, j] for j in columns for s in series])
    return whole[np.isfinite(whole)].astype(np.float64)


def _ranks(known: Floats, knots: int, reach: float) -> Floats:
    """(2, knots) values and normal scores."""
    if not len(known):
        return np.zeros((2, knots))
    normal = np.linspace(-reach, reach, knots)
    share = np.array([NormalDist().cdf(z) for z in normal])
    value, which = np.unique(np.quantile(known, share), return_inverse=True)
    score = np.bincount(which, normal) / np.bincount(which)
    return np.stack([np.pad(part, (0, knots - len(part)), mode="edge") for part in (value, score)])


def _line(known: Floats, robust: bool, knots: int, clip: float) -> Floats:
    """(2, knots) values and deviations from the middle; a column that never moves gets zeros for scores."""
    if not len(known):
        return np.zeros((2, knots))
    middle, unit = known.mean(), known.std()
    if robust:
        low, middle, high = np.quantile(known, (0.25, 0.5, 0.75))
        unit = (high - low) / 1.349 or unit  # more than half of the values may be equal
    score = np.linspace(-clip, clip, knots)
    return np.stack([middle + unit * score, score if unit > 0 else 0 * score])
