"""Fusion of the sources that spoke into one score, whose parts add up to it exactly.

Models give probabilities (down, flat, up), pooled linearly; the score is P(up) - P(down). Votes (technical,
smart money) have a direction from -1 to 1 and no opinion on whether the price moves: a vote tilts the odds of
the direction by its reliability and leaves P(flat) as the models have it. A source that did not speak has no
part, not a neutral one: its weight goes to the others in proportion.

A linear pool of calibrated forecasts is calibrated in the middle and too modest at the ends (Ranjan and
Gneiting 2010, doi:10.1111/j.1467-9868.2009.00726.x): it errs towards HOLD. Recalibrating the pool from the
scorecard is the next step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from smartcore.decide.decision import Parts
from smartcore.decide.policy import MODELS, SOURCES, Policy
from smartcore.decide.scorecard import Scores

GRID = float(2**40)
"""Parts are whole multiples of 2**-40, so that any sum of them, in any order and any language, is exact."""

Triple = tuple[float, float, float]


class Fusion(NamedTuple):
    score: float
    contributions: Parts
    weights: Parts
    probabilities: Triple | None
    confidence: float
    agreement: float
    """Weight of the sources that lean as the score does, of all that spoke; 0 where none did."""
    completeness: float
    """Policy weight of the sources that spoke."""
    models: int
    uncalibrated: tuple[str, ...]
    missing: tuple[str, ...]


def technical(values: Sequence[float], sigma: float, trending: float, min_votes: int) -> float | None:
    """The mean vote, -1 to 1, of the columns in ``inputs.TECHNICAL``; None where fewer than ``min_votes`` are
    known.

    ``sigma``: standard deviation of a bar's return, NaN unknown; ``trending``: probability that the market
    trends, 0 to 1. Trend followers count for little in a range, and oscillators for little in a trend.
    """
    macd, ema, di, aroon, rsi, bollinger, stochastic, mfi, flow, queue, ofi = values
    follow = 0.25 + 0.75 * trending
    revert = 1.0 - 0.75 * trending
    total = weight = 0.0
    count = 0
    for vote, w in (
        (macd / (0.5 * sigma), follow),
        (ema / (4.0 * sigma), follow),
        (di / 30.0, follow),
        (aroon / 100.0, follow),
        ((50.0 - rsi) / 30.0, revert),
        (1.0 - 2.0 * bollinger, revert),
        ((50.0 - stochastic) / 50.0, revert),
        ((50.0 - mfi) / 40.0, revert),
        (flow, 1.0),
        (queue, 1.0),
        (ofi / 3.0, 1.0),  # in mean queues at the touch
    ):
        if vote == vote:
            count += 1
            weight += w
            total += w * (1.0 if vote > 1.0 else -1.0 if vote < -1.0 else vote)
    return total / weight if count >= min_votes else None


def fuse(scores: object, votes: Mapping[str, float | None], scorecard: Scores | None, policy: Policy,
         calibrated: frozenset[str], stale: bool) -> Fusion:
    """One score of all that spoke.

    ``scores``: None, the sequence model's (down, flat, up), or a mapping from source to such a triple or (for
    "smart_money") to one vote. A triple that is no distribution is missing. ``stale`` scores of models are
    missing too.
    """
    given: Mapping[str, Any]
    if scores is None:
        given = {}
    elif isinstance(scores, Mapping):
        given = scores
    else:
        given = {"sequence": scores}
    base = policy.parts if scorecard is None else scorecard.weights(policy.parts)
    spoken: list[tuple[str, float, float, float]] = []  # source, weight, tilt, move (negative: a vote)
    missing: list[str] = []
    uncalibrated: list[str] = []
    total = modelled = moving = completeness = 0.0
    for source, weight, share in zip(SOURCES, base.numbers, policy.parts.numbers, strict=True):
        if weight <= 0.0:
            continue
        if source in MODELS:
            triple = None if stale else _triple(given.get(source))
            if triple is None:
                missing.append(source)
                continue
            if source not in calibrated and source not in policy.uncalibrated:
                uncalibrated.append(source)
            move = triple[0] + triple[2]
            spoken.append((source, weight, triple[2] - triple[0], move))
            modelled += weight
            moving += weight * move
        else:
            vote = votes.get(source)
            if vote is None:
                vote = _vote(given.get(source))
            if vote is None:
                missing.append(source)
                continue
            prior = 2.0 * policy.vote_edge
            reliability = prior if scorecard is None else _reliability(scorecard, source, prior)
            spoken.append((source, weight, reliability * vote, -1.0))
        total += weight
        completeness += share
    if not spoken:
        return Fusion(0.0, Parts(), Parts(), None, 0.0, 0.0, 0.0, 0, (), tuple(missing))

    pooled = moving / modelled if modelled > 0.0 else 1.0
    names = [entry[0] for entry in spoken]
    weights = [entry[1] / total for entry in spoken]
    parts = [
        round(w * (tilt if move >= 0.0 else pooled * tilt) * GRID) / GRID
        for w, (_, _, tilt, move) in zip(weights, spoken, strict=True)
    ]
    score = sum(parts)
    direction = min(1.0, abs(score) / pooled) if pooled > 0.0 else 0.0
    agreement = sum([w for w, part in zip(weights, parts, strict=True) if part * score > 0.0])
    probabilities = None
    if modelled > 0.0:
        half = min(pooled, max(-pooled, score))
        probabilities = ((pooled - half) / 2, max(0.0, 1.0 - pooled), (pooled + half) / 2)
    models = sum([1 for entry in spoken if entry[3] >= 0.0])
    return Fusion(
        score, Parts(names, parts), Parts(names, weights), probabilities, 0.5 + 0.5 * direction, agreement,
        min(1.0, completeness), models, tuple(uncalibrated), tuple(missing),
    )


def _reliability(scorecard: Scores, source: str, prior: float) -> float:
    """2 * hit rate - 1 once measured; a source that is wrong more often than right has none, and is not
    turned round.
    """
    score = scorecard.get(source)
    return max(0.0, prior + score.trust * (2.0 * score.hit_rate - 1.0 - prior))


def _floats(value: object) -> list[float] | None:
    if value is None:
        return None
    values = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(values, (int, float)):
        return [float(values)]
    if not isinstance(values, Iterable) or isinstance(values, str):
        return None
    try:
        return [float(x) for x in values]
    except (TypeError, ValueError):
        return None


def _triple(value: object) -> Triple | None:
    values = _floats(value)
    if values is None or len(values) != 3:
        return None
    down, flat, up = values
    total = down + flat + up
    # Scores leave the model as float32: a sum within 1e-3 of 1 is rounding, anything else is not a
    # distribution.
    if not (down >= 0.0 and flat >= 0.0 and up >= 0.0 and 0.999 <= total <= 1.001):
        return None
    return down / total, flat / total, up / total


def _vote(value: object) -> float | None:
    values = _floats(value)
    return values[0] if values is not None and len(values) == 1 and -1.0 <= values[0] <= 1.0 else None
