"""Honest judgement: scores beside floors, splits without leaks, intervals, overfitting, costs, pictures.

One file a question, all names here: ``evaluate.judge`` makes everything of one model at once. NumPy and Numba only;
scikit-learn (a floor) and matplotlib (``plots``, which is imported by its own name) load when used.
"""

from smartcore.learn.evaluate.bootstrap import (
    Drawn,
    Interval,
    block_length,
    block_of,
    difference,
    draw,
    draw_counts,
    interval,
    intervals,
    resample,
)
from smartcore.learn.evaluate.costs import Account, account, bets_needed, break_even_accuracy, join, positions
from smartcore.learn.evaluate.floors import (
    Control,
    certain,
    floors,
    floors_of,
    last_return,
    past_label,
    random_walk,
    random_walk_control,
    recipe_of,
)
from smartcore.learn.evaluate.overfitting import (
    Moments,
    Overfitting,
    deflated_sharpe,
    expected_maximum_sharpe,
    minimum_track_record,
    pbo,
    probabilistic_sharpe,
    sharpe,
)
from smartcore.learn.evaluate.report import Result, judge, machine, spread, table
from smartcore.learn.evaluate.risk import (
    Backtest,
    Verdict,
    acerbi_szekely,
    backtest,
    conditional_coverage,
    fz0,
    independence,
    kupiec,
)
from smartcore.learn.evaluate.scores import (
    LESS_IS_BETTER,
    SCORES,
    Floats,
    Labels,
    confusion,
    expected_calibration_error,
    information,
    reliability,
    scores,
    signal,
)
from smartcore.learn.evaluate.split import (
    Split,
    combinatorial,
    paths,
    purge,
    purged_kfold,
    reconstruct,
    walk_forward,
    walk_forward_at,
)

__all__ = [
    "LESS_IS_BETTER", "SCORES", "Account", "Backtest", "Control", "Drawn", "Floats", "Interval", "Labels", "Moments",
    "Overfitting", "Result", "Split", "Verdict", "account", "acerbi_szekely", "backtest", "bets_needed", "block_length",
    "block_of", "break_even_accuracy", "certain", "combinatorial", "conditional_coverage", "confusion",
    "deflated_sharpe", "difference", "draw", "draw_counts", "expected_calibration_error", "expected_maximum_sharpe",
    "floors", "floors_of", "fz0", "independence", "information", "interval", "intervals", "join", "judge", "kupiec",
    "last_return", "machine", "minimum_track_record", "past_label", "paths", "pbo", "positions", "probabilistic_sharpe",
    "purge", "purged_kfold", "random_walk", "random_walk_control", "recipe_of", "reconstruct", "reliability",
    "resample", "scores", "sharpe", "signal", "spread", "table", "walk_forward", "walk_forward_at",
]  # fmt: skip
