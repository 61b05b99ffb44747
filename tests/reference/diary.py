"""What the twins of scores and auxiliary series are fed with: the events of a stream that matter to them.

A fading sum is written as what it means: the sum of x_i 2^(-(t - t_i) / half_life) over the events so far, anew at
every moment and in extended precision. A twin returns one row per event of the stream, the value that stands after it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

import smartcore as sc
from smartcore.market.events import BAR, Kind

Array = NDArray[np.longdouble]
Index = NDArray[np.int64]
LN2 = np.log(np.longdouble(2))
YEAR = np.longdouble(365 * 86400)


class Diary:
    """Scores, values of series and closes, by the place of their events in the stream."""

    def __init__(self, events: np.ndarray) -> None:
        self.length = len(events)
        self.ts = events["ts"].astype(np.int64)
        self.kind, self.source = events["kind"], events["source"]
        self.value = events["v0"].astype(np.longdouble)
        self.weight = events["v1"].astype(np.longdouble)
        self.close = events.view(BAR)["close"].astype(np.longdouble)
        self.bars = np.flatnonzero(self.kind == Kind.BAR)

    def scores(self, source: float) -> Index:
        """Places of the scores that a source's kernels hear: 0 all of them, and none of weight 0."""
        mine = (self.kind == Kind.SCORE) & (self.weight >= 1e-100)
        return np.flatnonzero(mine & (self.source == source) if source else mine)

    def series(self, series: float | str) -> Index:
        number = sc.SERIES.index(series) if isinstance(series, str) else series
        return np.flatnonzero((self.kind == Kind.AUX) & (self.source == number))

    def woken(self, kind: Kind) -> Index:
        """Places of bars and of all events of a kind."""
        return np.flatnonzero((self.kind == Kind.BAR) | (self.kind == kind))

    def left(self, at: Index, since: Index, half_life: float) -> Array:
        """(at, since): what is left of an addend; 0 of later ones."""
        age = (self.ts[at][:, None] - self.ts[since]).astype(np.longdouble) * np.longdouble(1e-9)
        past = since <= at[:, None]
        return np.where(past, np.exp2(-np.where(past, age, 0) / np.longdouble(half_life)), 0)

    def faded(self, at: Index, since: Index, half_life: float, *addends: Array) -> list[Array]:
        """Sums at the events `at` of what the events `since` add. Less than 1e-300 counts as nothing."""
        left = self.left(at, since, half_life)
        sums = [left @ x for x in addends]
        return [np.where(abs(total) < 1e-300, 0, total) for total in sums]

    def span(self, first: int, at: Index, half_life: float) -> Array:
        """Seconds that a fading window has seen since an event."""
        age = np.maximum(self.ts[at] - self.ts[first], 0).astype(np.longdouble) * np.longdouble(1e-9)
        return -np.expm1(-age * LN2 / np.longdouble(half_life)) * np.longdouble(half_life) / LN2

    def stand(self, at: Index, rows: Array) -> Array:
        """Rows at the events `at` as they stand after each event."""
        index = np.searchsorted(at, np.arange(self.length), side="right") - 1
        spread = np.full((self.length, *np.shape(rows)[1:]), np.nan, np.longdouble)
        spread[index >= 0] = np.asarray(rows)[index[index >= 0]]
        return spread

    # ---- what prices did ----

    def moves(self, half_life: float) -> tuple[Array, Array]:
        """At every event: net log return as a share of the way made, and realised variance per second."""
        if len(self.bars) < 2:
            return (np.full(self.length, np.nan, np.longdouble),) * 2
        to = self.bars[1:]
        r = np.log1p(np.diff(self.close[self.bars]) / self.close[self.bars[:-1]])
        net, way, square = self.faded(to, to, half_life, r, abs(r), r * r)
        span = self.span(self.bars[0], to, half_life)
        return self.stand(to, share(net, way)), self.stand(to, over(square, span))


def over(a: Array, b: Array, least: float = 0) -> Array:
    """a / b where b is above the least, else NaN."""
    return np.where(b > least, a / np.where(b > least, b, 1), np.nan)


def share(part: Array, whole: Array) -> Array:
    """part / whole, 0 of nothing, NaN of NaN."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), 0 * part)


def moments(left: Array, x: Array, weight: Array) -> tuple[Array, Array, Array]:
    """Mean, deviation and third central moment of values, a row for each row of what is left of them. Of one value, or
    of values that differ by less than a millionth, there is no deviation."""
    w = left * weight
    w = w / w.sum(axis=1, keepdims=True)
    mean = w @ x
    d = x - mean[:, None]
    m2, m3 = (w * d**2).sum(axis=1), (w * d**3).sum(axis=1)
    several = (left > 0).sum(axis=1) > 1
    return mean, np.where(several & (m2 > 1e-12 * (mean**2 + m2)), np.sqrt(m2), np.nan), m3


def percentile(x: Array, n: int) -> Array:
    """Rank of each value among the last n, ties half; NaN while there are fewer."""
    rows = np.full(len(x), np.nan, np.longdouble)
    for i in range(n - 1, len(x)):
        last = x[i + 1 - n : i + 1]
        rows[i] = ((last < x[i]).sum() + (last == x[i]).sum() / 2) / n
    return rows


def arrivals(diary: Diary, at: Index, mine: Index, half_life: float, x: Array) -> Array:
    """Something added per second at the events `at`; the first event begins the time and adds nothing."""
    rows = np.full(len(at), np.nan, np.longdouble)
    if len(mine) > 1:
        known = at >= mine[1]
        total = diary.faded(at[known], mine[1:], half_life, x[1:])[0]
        rows[known] = over(total, diary.span(mine[0], at[known], half_life))
    return rows


def contrast(a: Array, b: Array) -> Array:
    return np.where(np.isnan(a + b), np.nan, share(a - b, a + b))


def silence(diary: Diary, at: Index, mine: Index, gaps: float) -> Array:
    """Age of the last event over itself and the mean of the last gaps."""
    rows = np.full(len(at), np.nan, np.longdouble)
    for i, now in enumerate(at):
        times = diary.ts[mine[mine <= now]].tolist()[-int(gaps) - 1 :]
        if len(times) > 1:
            usual, age = np.longdouble(times[-1] - times[0]) / (len(times) - 1), int(diary.ts[now]) - times[-1]
            rows[i] = age / (age + usual) if age else 0
    return rows
