"""What came of past decisions: read off the price once their horizon is over, kept in the scorecard."""

from __future__ import annotations

from collections import deque
from math import log
from typing import TYPE_CHECKING

from smartcore.bot.clocks import FAR
from smartcore.decide import Decision, Scorecard, Scores
from smartcore.features.engine import interval_ns

if TYPE_CHECKING:
    from smartcore.models import Contract

_MOST = 65_536


class Outcomes:
    """Decisions that wait for their horizon, the oldest first.

    contract: of the first model. Its thresholds tell what counts as flat, so that its Brier score is fair; without
        them any move counts.
    horizon: "10s"; None: the contract's, else ``bars`` of them.
    """

    def __init__(self, contract: Contract | None, horizon: str | None, bars: float) -> None:
        self.scorecard = Scorecard()
        self.scores: Scores | None = None
        """The scorecard as ``decide()`` takes it, None before the first outcome."""
        self.next = FAR
        """When the first outcome is to be read, ns; FAR where none is awaited."""
        self._pending: deque[tuple[int, float, Decision]] = deque()
        self._low, self._high = (contract and contract.thresholds) or (0.0, 0.0)
        self._bars = bars
        self._horizon_ns = _interval(contract) if horizon is None else interval_ns(horizon)

    def expect(self, decision: Decision, bar_ns: int) -> None:
        """Await the outcome of a decision that said something about the price."""
        if decision.probabilities is None or decision.price is None or len(self._pending) >= _MOST:
            return
        horizon = self._horizon_ns or int(self._bars * bar_ns)
        self._pending.append((decision.ts + horizon + 1, decision.price, decision))
        self.next = self._pending[0][0]

    def settle(self, ts: int, price: float) -> None:
        """Every horizon up to ``ts`` is over and ``price`` is what came of it; an unknown one teaches nothing."""
        pending = self._pending
        while pending and pending[0][0] <= ts:
            _, before, decision = pending.popleft()
            if before > 0.0 and 0.0 < price < 1e300:
                move = log(price / before)
                self.scorecard.observe(decision, -1 if move < self._low else 1 if move > self._high else 0)
                self.scores = self.scorecard.scores()
        self.next = pending[0][0] if pending else FAR


def _interval(contract: Contract | None) -> int:
    """The contract's horizon in ns, 0 where it has none in time ("20 bars")."""
    try:
        return interval_ns(contract.horizon) if contract is not None else 0
    except ValueError:
        return 0
