"""Naive twins of the kernels of scores. Each takes a `Diary` and the kernel's parameters."""

from __future__ import annotations

import numpy as np

from reference import twin
from reference.diary import Array, Diary, arrivals, contrast, moments, percentile, share, silence
from smartcore.market.events import Kind


def mood(diary: Diary, source: float, half_life: float) -> tuple[Array, Array, Array]:
    """Mean, deviation and third moment of a source's scores, at every event."""
    mine = diary.scores(source)
    found = moments(diary.left(mine, mine, half_life), diary.value[mine], diary.weight[mine])
    return tuple(diary.stand(mine, x) for x in found)


@twin(events="score")
def score_level(diary, source, half_life):
    return mood(diary, source, half_life)[0]


@twin(events="score")
def score_change(diary, source, fast, slow):
    return mood(diary, source, fast)[0] - mood(diary, source, slow)[0]


@twin(events="score")
def score_zscore(diary, source, fast, slow):
    mean, deviation, _ = mood(diary, source, slow)
    return (mood(diary, source, fast)[0] - mean) / deviation


def against_before(diary: Diary, mine: np.ndarray, half_life: float, weight: Array) -> Array:
    """Each value in deviations from the mean of those before it."""
    x = diary.value[mine]
    rows = np.full(len(mine), np.nan, np.longdouble)
    if len(mine) > 1:
        mean, deviation, _ = moments(diary.left(mine[:-1], mine[:-1], half_life), x[:-1], weight[:-1])
        rows[1:] = (x[1:] - mean) / deviation
    return diary.stand(mine, rows)


@twin(events="score")
def score_novelty(diary, source, half_life):
    mine = diary.scores(source)
    return against_before(diary, mine, half_life, diary.weight[mine])


@twin(events="score")
def score_percentile(diary, source, window):
    mine = diary.scores(source)
    return diary.stand(mine, percentile(diary.value[mine], int(window)))


@twin(events="score")
def score_extreme(diary, source, half_life):
    """What is left of each score; the largest in size of them, the newest of equal ones."""
    mine = diary.scores(source)
    left = diary.left(mine, mine, half_life) * diary.value[mine]
    newest_first = left[:, ::-1]
    at = np.abs(newest_first).argmax(axis=1)
    return diary.stand(mine, newest_first[np.arange(len(mine)), at])


@twin(events="score")
def score_dispersion(diary, source, half_life):
    mine = diary.scores(source)
    _, deviation, _ = moments(diary.left(mine, mine, half_life), diary.value[mine], diary.weight[mine])
    several = np.arange(len(mine)) > 0
    return diary.stand(mine, np.where(several & np.isnan(deviation), 0, deviation))


@twin(events="score")
def score_skew(diary, source, half_life):
    _, deviation, third = mood(diary, source, half_life)
    return third / deviation**3


@twin(events="score")
def score_disagreement(diary, source, other, half_life):
    return mood(diary, source, half_life)[0] - mood(diary, other, half_life)[0]


@twin(events="score")
def score_positive_share(diary, source, half_life):
    mine = diary.scores(source)
    positive = np.sign(diary.value[mine]) / 2 + np.longdouble(0.5)
    return diary.stand(mine, moments(diary.left(mine, mine, half_life), positive, diary.weight[mine])[0])


@twin(events="score")
def score_weighting(diary, source, half_life):
    mine = diary.scores(source)
    left, x, weight = diary.left(mine, mine, half_life), diary.value[mine], diary.weight[mine]
    return diary.stand(mine, moments(left, x, weight)[0] - moments(left, x, np.ones_like(x))[0])


@twin(events="score")
def score_pressure(diary, source, half_life):
    """Effective number: Kish's, (sum w)^2 / sum w^2."""
    mine = diary.scores(source)
    x, w = diary.value[mine], diary.left(mine, mine, half_life) * diary.weight[mine]
    total, square = w.sum(axis=1), (w**2).sum(axis=1)
    rms = np.sqrt((w @ x**2) / total)
    return diary.stand(mine, share(w @ x / total, rms) * total / np.sqrt(square))


@twin(events="score")
def score_streak(diary, source):
    mine, rows = diary.scores(source), []
    signs = np.sign(diary.value[mine])
    for i, sign in enumerate(signs):
        others = np.flatnonzero(signs[: i + 1] != sign)
        rows.append(sign * (i - (others[-1] if len(others) else -1)))
    return diary.stand(mine, np.array(rows, np.longdouble))


# ---- time passes and prices move ----


def rate(diary: Diary, source: float, half_life: float) -> tuple[np.ndarray, Array]:
    at, mine = diary.woken(Kind.SCORE), diary.scores(source)
    return at, arrivals(diary, at, mine, half_life, np.ones(len(mine), np.longdouble))


@twin(events="score")
def score_rate(diary, source, half_life):
    at, value = rate(diary, source, half_life)
    return diary.stand(at, 3600 * value)


@twin(events="score")
def score_surprise(diary, source, fast, slow):
    at, often = rate(diary, source, fast)
    return diary.stand(at, contrast(often, rate(diary, source, slow)[1]))


@twin(events="score")
def score_staleness(diary, source, gaps):
    at = diary.woken(Kind.SCORE)
    return diary.stand(at, silence(diary, at, diary.scores(source), gaps))


def shares(diary: Diary, source: float, half_life: float) -> tuple[Array, Array]:
    """The mood and the way of prices, both as shares, at every event."""
    mine = diary.scores(source)
    x = diary.weight[mine] * diary.value[mine]
    net, size = diary.faded(mine, mine, half_life, x, abs(x))
    return diary.stand(mine, share(net, size)), diary.moves(half_life)[0]


@twin(events="score")
def score_divergence(diary, source, half_life):
    said, went = shares(diary, source, half_life)
    return said - went


@twin(events="score")
def score_confirmation(diary, source, half_life):
    said, went = shares(diary, source, half_life)
    return np.where(said * went > 0, np.sign(said) * np.sqrt(abs(said * went)), 0 * said * went)
