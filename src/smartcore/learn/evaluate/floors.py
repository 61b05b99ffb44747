"""What costs nothing to know, which a model has to beat; and the control it must not beat.

A score means little without its floors beside it. On smoothed labels DeepLOB's 65.9% accuracy stands beside 64.8% for
"repeat the last label that is known" (Lee 2024, arXiv:2409.14157); on FI-2010 at ten events "stationary" is right 70.7%
of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartcore.learn.evaluate.bootstrap import Interval, intervals
from smartcore.learn.evaluate.scores import Floats, Labels, scores

IMBALANCE = "logistic, imbalance l1"


def certain(guess: Labels, classes: int = 3) -> NDArray[np.float64]:
    """Classes (n,) as probabilities of one, (n, classes)."""
    return np.eye(classes)[np.asarray(guess)]


def floors(
    train_label: Labels,
    label: Labels,
    past_label: Labels,
    last_return: Floats,
    train_imbalance: Floats | None = None,
    imbalance: Floats | None = None,
    classes: int = 3,
) -> dict[str, NDArray[np.float64]]:
    """What costs nothing to know, as probabilities (n, classes) for the rows of ``label`` (n,), by name.

    majority: the class frequencies of the training labels.
    last return: the sign of the move over the last sample; of two classes, the training majority where it is zero.
    persistence: the last label whose horizon is over (``past_label``), the training majority where none is known.
    logistic: multinomial regression on level-1 queue imbalance, fitted on the training rows; where it is given.
    """
    seen = train_label[train_label >= 0]
    share = np.bincount(seen, minlength=classes) / len(seen)
    sign = np.sign(np.nan_to_num(last_return)).astype(int)
    flat = 1 if classes == 3 else int(share.argmax())
    moved = np.where(sign == 0, flat, np.where(sign > 0, classes - 1, 0))
    out = {
        "majority": np.tile(share, (len(label), 1)),
        "last return": certain(moved, classes),
        "persistence": certain(np.where(past_label < 0, share.argmax(), past_label), classes),
    }
    if train_imbalance is not None and imbalance is not None:
        from sklearn.linear_model import LogisticRegression

        fit = LogisticRegression().fit(np.nan_to_num(train_imbalance[train_label >= 0])[:, None], seen)
        prob = np.zeros((len(label), classes))
        prob[:, fit.classes_] = fit.predict_proba(np.nan_to_num(imbalance)[:, None])
        out[IMBALANCE] = prob
    return out


def past_label(label: Labels, horizon: int, ts: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """The last known label (n,) whose horizon was over at each row, -1 where there is none.

    ``horizon`` counts rows, or nanoseconds where ``ts`` (n,) is given. Of one unbroken recording: call it for each.
    """
    n = len(label)
    clock = np.arange(n) if ts is None else ts
    known = np.asarray(label, np.int64)
    newest = np.maximum.accumulate(np.where(known >= 0, np.arange(n), -1)) if n else np.zeros(0, np.int64)
    over = np.searchsorted(clock, clock - horizon, side="right") - 1
    then = np.where(over < 0, -1, newest[np.maximum(over, 0)])
    return np.where(then < 0, -1, known[np.maximum(then, 0)])


def last_return(price: Floats) -> NDArray[np.float64]:
    """Log return since the row before (n,), NaN at the first. Of one unbroken recording."""
    return np.diff(np.log(np.asarray(price, np.float64)), prepend=np.nan)


def floors_of(
    train: Sequence[Any],
    test: Sequence[Any],
    horizon: int,
    *,
    in_rows: bool = False,
    target: int = 0,
    classes: int = 3,
    imbalance: int | None = None,
    estimators: Sequence[Any] = (),
    valid: Sequence[Any] = (),
    seed: int = 0,
) -> dict[str, NDArray[np.float64]]:
    """All floors of recordings (``data.Series``) as probabilities (rows of ``test`` joined, classes), by name.

    ``horizon`` is that of label column ``target``, in nanoseconds or ``in_rows``; with a smoothed label, where its
    smoothing ends. ``imbalance`` is the column of level-1 queue imbalance, None where there is none. ``estimators``
    (LightGBM is the usual one) are fitted on ``train`` where ``valid`` is given, else taken as fitted.
    """

    def join(series: Sequence[Any], of: Callable[[Any], NDArray]) -> NDArray:
        return np.concatenate([of(s) for s in series])

    def past(s: Any) -> NDArray:
        return past_label(s.label[:, target], horizon, None if in_rows else s.ts)

    out = floors(
        join(train, lambda s: s.label[:, target]),
        join(test, lambda s: s.label[:, target]),
        join(test, past),
        join(test, lambda s: last_return(s.mid)),
        None if imbalance is None else join(train, lambda s: s.rows[:, imbalance]),
        None if imbalance is None else join(test, lambda s: s.rows[:, imbalance]),
        classes,
    )
    for one in estimators:
        fitted = one.fit(train, valid, seed=seed) if len(valid) else one
        out[one.name] = fitted.calibrations[target].prob(fitted.logits(test)[:, target])
    return out


# --- the control ----------------------------------------------------------------------------------

Times = NDArray[np.int64]
Recipe = Callable[[Times, NDArray[np.float32], NDArray[np.float64], int], tuple[Floats, Labels]]
"""(ts (n,), rows (n, k), price (n,), seed) -> out-of-sample probabilities (m, classes), their labels (m,)."""


@dataclass(frozen=True)
class Control:
    """What a recipe scored where nothing can be known."""

    scores: Mapping[str, float]
    mcc: Interval
    beyond: Interval
    """Macro-F1 less that of the same guesses dealt out at random."""

    @property
    def at_chance(self) -> bool:
        """Whether both intervals hold zero. Where not, the recipe or its labels see the future, or the past twice."""
        return self.mcc.low <= 0 <= self.mcc.high and self.beyond.low <= 0 <= self.beyond.high


WALK_COLUMNS = ("return_1", "return_5", "return_20", "mean_distance_10", "mean_distance_50", "volatility_20", "noise")


def random_walk(n: int, seed: int, volatility: float = 1e-4) -> tuple[NDArray, NDArray, NDArray]:
    """A driftless random walk of ``n`` seconds: ts (n,), rows (n, ``WALK_COLUMNS``) float32, price (n,).

    Log returns are independent and normal with the deviation ``volatility``; the rows are what a model of prices reads:
    trailing returns and distances from trailing means, in units of ``volatility``; NaN where not known yet.
    """
    rng = np.random.default_rng(seed)
    path = rng.normal(0, volatility, n).cumsum()
    total = np.concatenate([[0.0], path.cumsum()])
    square = np.concatenate([[0.0], (np.diff(path, prepend=0) ** 2).cumsum()])
    rows = np.full((n, len(WALK_COLUMNS)), np.nan)
    for j, span in enumerate((1, 5, 20)):
        rows[span:, j] = (path[span:] - path[:-span]) / volatility
    for j, span in ((3, 10), (4, 50)):
        rows[span - 1 :, j] = (path[span - 1 :] - (total[span:] - total[:-span]) / span) / volatility
    rows[19:, 5] = np.sqrt((square[20:] - square[:-20]) / 20) / volatility
    rows[:, 6] = rng.normal(size=n)
    return np.arange(n, dtype=np.int64) * 1_000_000_000, rows.astype(np.float32), 100 * np.exp(path)


def recipe_of(
    make: Callable[[], Any],
    move: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    horizon: int,
    flat: float = 1 / 3,
) -> Recipe:
    """The recipe of an estimator: labels from ``move`` of the price (a rule of ``kernels.labels``), three classes by
    thresholds from the training part, parts of 60, 20 and 20% with ``horizon`` rows purged between them."""

    def recipe(ts: Times, rows: NDArray[np.float32], price: NDArray[np.float64], seed: int) -> tuple[Floats, Labels]:
        from smartcore.kernels import labels
        from smartcore.learn.data import Series

        a, b = int(0.6 * len(ts)), int(0.8 * len(ts))
        moves = move(price)
        low, high = labels.thresholds(moves[: a - horizon], flat)
        whole = Series(ts, rows, price, labels.classify(moves, low, high)[:, None])
        model = make().fit([whole.part(0, a - horizon)], [whole.part(a, b - horizon)], seed=seed)
        test = whole.part(b, len(ts))
        return model.calibration.prob(model.logits([test])[:, 0]), test.label[:, 0]

    return recipe


def random_walk_control(
    recipe: Recipe, rows: int = 20_000, walks: int = 5, horizon: int = 1, level: float = 0.99, seed: int = 0
) -> Control:
    """Run a recipe on ``walks`` random walks of ``rows`` rows each: at chance it must come out, or its scores are void.

    ``recipe`` labels, splits, trains and predicts as it does on the market (:func:`recipe_of` an estimator).
    ``horizon``: rows a label reaches ahead. The intervals are of the rows of all walks together; at a ``level`` of
    0.99 one honest recipe in fifty fails.

    What it finds: labels that compare a forward mean with a trailing mean score 54% of three classes here by least
    squares, for "now minus the trailing mean" is both in the rows and in the label. Labels anchored at the price now
    are at chance, smoothed ahead or not.
    """
    said = [recipe(*random_walk(rows, seed * 1000 + i), seed * 1000 + i) for i in range(walks)]
    prob, label = np.concatenate([p for p, _ in said]), np.concatenate([t for _, t in said])
    found = intervals(prob, label, horizon=horizon, level=level, seed=seed)
    return Control(scores(prob, label), found["mcc"], found["macro_f1_beyond_chance"])
