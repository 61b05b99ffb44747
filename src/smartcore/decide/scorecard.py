"""How good each source's past calls turned out. Kept outside ``decide()``, which is given a frozen snapshot:
:class:`Scores`.

Only calls whose outcome is known are recorded, so nothing here looks ahead. Older calls count less: the
weight of a call halves with every ``half_life`` later ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from smartcore.decide.decision import Decision, Parts

FUSED = "fused"
"""The record of the decision itself."""
PRIOR = 100.0
"""Calls after which the record weighs as much as the prior belief."""
NO_SKILL = 2.0 / 3.0
"""Brier score of answering 1/3 to each of three classes."""


@dataclass(frozen=True, slots=True)
class Score:
    """One source's decayed record.

    ``count``: effective number of calls; ``moves``: of those, with a direction called and a price that moved;
    ``hit_rate``: share of these with the right direction (0.5 where there are none); ``confidence``: the mean
    confidence stated for them; ``brier``: mean squared error over (down, flat, up), 0 best, 2/3 for 1/3 each.
    """

    count: float = 0.0
    moves: float = 0.0
    hit_rate: float = 0.5
    confidence: float = 0.5
    brier: float = NO_SKILL

    @property
    def trust(self) -> float:
        """0 with no record, towards 1 with a long one."""
        return self.moves / (self.moves + PRIOR)

    @property
    def multiplier(self) -> float:
        """What a weight is multiplied by: 1 without a record, 0.5 to 2 with one. A hit rate of 0.6, trusted,
        gives 1.4.
        """
        return min(2.0, max(0.5, 1.0 + 4.0 * self.trust * (self.hit_rate - 0.5)))

    def reliability(self, prior: float) -> float:
        """How much of a stated distance from a coin flip was earned, 0 to 1; ``prior`` without a record."""
        stated = self.confidence - 0.5
        earned = prior if stated <= 1e-9 else min(1.0, max(0.0, (self.hit_rate - 0.5) / stated))
        return prior + self.trust * (earned - prior)


@dataclass(frozen=True, slots=True)
class Scores:
    """A frozen snapshot of a :class:`Scorecard`."""

    by_source: tuple[tuple[str, Score], ...] = ()

    def get(self, source: str) -> Score:
        """The record of a source, an empty one where there is none."""
        for name, score in self.by_source:
            if name == source:
                return score
        return EMPTY

    def weights(self, base: Parts) -> Parts:
        """``base`` moved by the records and normalised to the same total."""
        moved = [weight * self.get(name).multiplier for name, weight in base.items()]
        total = sum(moved)
        return base if total <= 0 else Parts(base, [weight * sum(base.numbers) / total for weight in moved])


EMPTY = Score()


class Scorecard:
    """Exponentially decayed outcomes by source. Mutable, small, not for two threads at once."""

    def __init__(self, half_life: float = 200.0) -> None:
        if not half_life > 0:
            raise ValueError(f"half_life: {half_life!r} is not positive")
        self.decay = 0.5 ** (1.0 / half_life)
        self._sums: dict[str, list[float]] = {}  # count, brier, moves, hits, confidence

    def update(self, source: str, forecast: Sequence[float], outcome: int) -> None:
        """One call by ``source``, ``forecast`` = (down, flat, up), and what came: -1, 0 or +1."""
        if outcome not in (-1, 0, 1):
            raise ValueError(f"outcome: {outcome!r} is none of -1, 0, 1")
        down, flat, up = (float(p) for p in forecast)
        if not (min(down, flat, up) >= 0.0 and abs(down + flat + up - 1.0) < 1e-3):
            raise ValueError(f"forecast: {(down, flat, up)!r} are not three probabilities")
        sums = self._sums.setdefault(source, [0.0] * 5)
        for i in range(5):
            sums[i] *= self.decay
        sums[0] += 1.0
        sums[1] += (down - (outcome < 0)) ** 2 + (flat - (outcome == 0)) ** 2 + (up - (outcome > 0)) ** 2
        if outcome and up != down:
            sums[2] += 1.0
            sums[3] += (up > down) == (outcome > 0)
            sums[4] += max(up, down) / (up + down)

    def observe(self, decision: Decision, outcome: int) -> None:
        """A past decision, once its horizon is over: its sources and the fused call are recorded.

        The move probability of a single source is not in the decision; the fused one stands in for it.
        """
        if decision.probabilities is None:
            return
        self.update(FUSED, decision.probabilities, outcome)
        move = 1.0 - decision.probabilities[1]
        for source, part in decision.contributions.items():
            weight = decision.weights[source]
            if weight > 0:
                tilt = max(-move, min(move, part / weight))
                self.update(source, ((move - tilt) / 2, 1.0 - move, (move + tilt) / 2), outcome)

    def scores(self) -> Scores:
        """The frozen snapshot that ``decide()`` takes."""
        out = []
        for source, (count, brier, moves, hits, confidence) in sorted(self._sums.items()):
            hit_rate, stated = (hits / moves, confidence / moves) if moves > 1e-12 else (0.5, 0.5)
            out.append((source, Score(count, moves, hit_rate, stated, brier / count)))
        return Scores(tuple(out))

    def weights(self, base: Parts | Mapping[str, float]) -> Parts:
        """``base`` weights moved by the records so far."""
        return self.scores().weights(base if isinstance(base, Parts) else Parts(base, base.values()))
