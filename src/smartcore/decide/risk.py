"""What a trade is worth by its stop, its target and a probability."""

from __future__ import annotations

from smartcore._core import _payoff


def payoff(p: float, move: float, stop: float, target: float, cost: float) -> tuple[float, float]:
    """(mean return, Kelly fraction) of a trade with these stop and target distances, fractions of price.

    ``p``: probability that the direction is right given a move; ``move``: probability of a move. ``cost``:
    both sides.

    A forecaster who knows nothing reaches a target before a stop with odds stop/target: moving the target
    away earns nothing. What the forecast knows multiplies those odds by p / (1 - p). Without a move the costs
    are lost and nothing else. Kelly is the mean over the mean square: exact for even bets, the first two
    terms of log growth otherwise. It is returned as the fraction of equity lost at the stop, so for stop =
    target and no cost it is p - (1 - p), as in the textbook.
    """
    return _payoff(p, move, stop, target, cost)
