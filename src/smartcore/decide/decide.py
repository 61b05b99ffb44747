"""``decide()``: a row, scores and circumstances in; a Decision out. Pure: no clock, no files, no state, nothing
changed. The decision itself is made in ``csrc/decide``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from smartcore._core import _decide
from smartcore.decide.decision import Decision
from smartcore.decide.inputs import Context, given
from smartcore.decide.policy import Policy
from smartcore.decide.scorecard import Scores

POLICY = Policy()


def decide(
    row: NDArray[np.float64], scores: object, scorecard: Scores | None = None, policy: Policy = POLICY, *,
    context: Context,
) -> Decision:
    """The decision for one moment.

    row: float64 (columns,), an engine's row; ``context.inputs`` is made for its feature set. Only read.
    scores: the sequence model's calibrated (down, flat, up); or a mapping of source ("sequence", "ensemble",
        "smart_money", "technical") to such a triple or a single vote; or None. A vote that is not given is read from
        the row.
    scorecard: the frozen ``Scorecard.scores()``, or None for no record.

    Never raises for what the market or a model may deliver: what is missing, stale or impossible turns into
    HOLD or reduce-only with its reason. Raises ValueError for a row of another width, TypeError for a
    Scorecard that is not frozen.

    A gate is one of three kinds. On failure, ``hold_only`` gates (old, broken or faulty data, no price) allow nothing;
    ``reduce_only`` gates (no model, what no model has learnt from, unknown risk, drawdown, poor health) allow
    trades that shrink the position; the others turn this decision into HOLD.
    """
    if scorecard is not None and not isinstance(scorecard, Scores):
        raise TypeError(f"scorecard: {type(scorecard).__name__} is not Scores; pass Scorecard.scores()")
    inputs = context.inputs
    if len(row) != inputs.size:
        raise ValueError(f"row: {len(row)} values for a feature set of {inputs.size} columns")
    card = None if scorecard is None else scorecard.raw
    made = _decide(row, inputs.raw, given(scores, context), card, policy.raw, context.raw)
    return Decision(made, context.symbol)
