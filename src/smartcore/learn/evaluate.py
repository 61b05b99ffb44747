"""How good three-class probabilities are, and the floors any model has to stand above before it is worth a word.

Scores are printed side by side because each alone misleads: accuracy rewards the largest class, macro-F1
ignores confidence, and neither says whether a probability of 0.6 happens six times in ten (Brier, log-loss,
ECE do).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

SCORES = ("macro_f1", "accuracy", "mcc", "brier", "log_loss", "ece")

Floats = NDArray[np.floating]
Labels = NDArray[np.integer]


def scores(prob: Floats, label: Labels) -> dict[str, float]:
    """All of ``SCORES`` for probabilities (n, classes) and true classes (n,); rows with a negative label are left out.

    Brier is the sum over classes, 0 to 2. ECE: top-class confidence against hit rate, 15 bins of equal count.
    """
    known = label >= 0
    prob, label = np.asarray(prob, np.float64)[known], np.asarray(label)[known]
    classes = prob.shape[1]
    guess = prob.argmax(1)
    confusion = np.bincount(label * classes + guess, minlength=classes * classes).reshape(classes, classes)
    hit, true, said = (
        np.diag(confusion).astype(float),
        confusion.sum(1).astype(float),
        confusion.sum(0).astype(float),
    )
    n = len(label)
    f1 = np.divide(2 * hit, true + said, out=np.zeros(classes), where=true + said > 0)
    spread = (n * n - (said * said).sum()) * (n * n - (true * true).sum())
    mcc = (hit.sum() * n - (true * said).sum()) / np.sqrt(spread) if spread > 0 else 0.0
    wrong = prob.copy()
    wrong[np.arange(n), label] -= 1
    return {
        "macro_f1": float(f1.mean()),
        "accuracy": float(hit.sum() / n),
        "mcc": float(mcc),
        "brier": float((wrong**2).sum(1).mean()),
        "log_loss": float(-np.log(np.maximum(prob[np.arange(n), label], 1e-15)).mean()),
        "ece": expected_calibration_error(prob, label),
    }


def expected_calibration_error(prob: Floats, label: Labels, bins: int = 15) -> float:
    """Mean distance between confidence and hit rate over ``bins`` bins with equal numbers of rows."""
    confidence = prob.max(1)
    hit = prob.argmax(1) == label
    order = np.argsort(confidence, kind="stable")
    gap = 0.0
    for part in np.array_split(order, min(bins, len(order))):
        gap += abs(confidence[part].mean() - hit[part].mean()) * len(part)
    return float(gap / len(order))


def certain(guess: Labels, classes: int = 3) -> Floats:
    """Classes (n,) as probabilities of one."""
    return np.eye(classes)[np.asarray(guess)]


def floors(
    train_label: Labels,
    label: Labels,
    past_label: Labels,
    last_return: Floats,
    train_imbalance: Floats,
    imbalance: Floats,
) -> dict[str, Floats]:
    """What costs nothing to know, as probabilities (n, 3) for the rows of ``label`` (n,).

    majority: the class frequencies of the training labels.
    last return: the sign of the move over the last sample.
    persistence: the last label whose horizon is over (``past_label``).
    logistic: multinomial regression on level-1 queue imbalance, fitted on the training rows.
    """
    from sklearn.linear_model import LogisticRegression

    seen = train_label[train_label >= 0]
    share = np.bincount(seen, minlength=3) / len(seen)
    fit = LogisticRegression().fit(np.nan_to_num(train_imbalance[train_label >= 0])[:, None], seen)
    return {
        "majority": np.tile(share, (len(label), 1)),
        "last return": certain(1 + np.sign(np.nan_to_num(last_return)).astype(int)),
        "persistence": certain(np.where(past_label < 0, share.argmax(), past_label)),
        "logistic, imbalance l1": fit.predict_proba(np.nan_to_num(imbalance)[:, None]),
    }


def spread(runs: Iterable[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """Mean and sample standard deviation of each score over seeds."""
    rows = list(runs)
    out = {}
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        out[name] = (float(values.mean()), float(values.std(ddof=1)) if len(rows) > 1 else 0.0)
    return out


def table(results: Mapping[str, Mapping[str, float | tuple[float, float]]]) -> str:
    """A Markdown table of scores by name; a pair is printed as mean ± sd."""
    lines = [
        "| | " + " | ".join(n.replace("_", " ") for n in SCORES) + " |",
        "| --- |" + " ---: |" * len(SCORES),
    ]
    for name, row in results.items():
        cells = [f"{v[0]:.3f} ± {v[1]:.3f}" if isinstance(v, tuple) else f"{v:.3f}" for v in (row[s] for s in SCORES)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
