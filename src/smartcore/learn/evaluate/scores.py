"""How good class probabilities are: two classes (down, up) or three (down, flat, up).

Scores are printed side by side because each alone misleads: accuracy rewards the largest class, macro-F1 ignores
confidence, and neither says whether a probability of 0.6 happens six times in ten (Brier, log-loss, ECE do). Weighted
F1 is there because many papers print it as "F1": on FI-2010 it is ten points above macro-F1.

Almost all are functions of sums over rows, so ``columns`` and ``from_sums`` define them once, for the whole and for
each draw of a bootstrap (``bootstrap.py``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SCORES = ("macro_f1", "weighted_f1", "accuracy", "balanced_accuracy", "mcc", "brier", "log_loss", "ece")
"""What a table shows, in its order. All lie between 0 and 1 (Brier 2, log-loss no end); MCC between -1 and 1."""
LESS_IS_BETTER = ("brier", "log_loss", "ece")

Floats = NDArray[np.floating]
Labels = NDArray[np.integer]


def scores(prob: Floats, label: Labels, returns: Floats | None = None) -> dict[str, float]:
    """All of ``SCORES`` for probabilities (n, classes) and true classes (n,); rows with a negative label are left out.

    Where the returns that followed (n,) are given, ``ic`` and ``rank_ic`` too (:func:`information`), over the same
    rows. Macro-F1 and balanced accuracy are means over classes; F1 is weighted by true counts. A class that is
    neither true nor guessed has F1 0, and only classes that are true count in the balanced accuracy. Brier is the sum
    over classes. ECE: see :func:`expected_calibration_error`.

    ValueError where the shapes do not fit, no row has a label, or rows of ``prob`` do not sum to one.
    """
    prob, label, returns = known(prob, label, returns)
    sums = columns(prob, label, returns).sum(0)[None]
    out = {name: float(value[0]) for name, value in from_sums(sums, prob.shape[1]).items() if name in (*SCORES, "ic")}
    out["ece"] = expected_calibration_error(prob, label)
    if returns is not None:
        out["rank_ic"] = information(signal(prob), returns)[1]
    return out


def known(
    prob: Floats, label: Labels, returns: Floats | None = None
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64] | None]:
    """The rows that have a label, checked; arguments and errors as of :func:`scores`."""
    p, c = np.asarray(prob, np.float64), np.asarray(label, np.int64)
    if p.ndim != 2 or p.shape[1] < 2 or c.shape != p.shape[:1]:
        raise ValueError(f"probabilities {p.shape} and labels {c.shape}: expected (n, classes) and (n,)")
    if returns is not None and np.shape(returns) != c.shape:
        raise ValueError(f"returns {np.shape(returns)} and labels {c.shape}: expected as many")
    keep = c >= 0
    if not keep.any():
        raise ValueError("no row has a label")
    p, c = p[keep], c[keep]
    if c.max() >= p.shape[1]:
        raise ValueError(f"a label of {c.max()}, and probabilities of {p.shape[1]} classes")
    if not (np.abs(p.sum(1) - 1) < 1e-3).all() or p.min() < 0:  # NaN fails too; float32 is off by 1e-7
        raise ValueError("probabilities must be at least zero and sum to one in each row")
    return p, c, None if returns is None else np.asarray(returns, np.float64)[keep]


def columns(prob: Floats, label: Labels, returns: Floats | None = None) -> NDArray[np.float64]:
    """(n, classes² + 2), and 6 more with returns: what is summed over rows to give all scores of ``from_sums``.

    One-hot of (true, guessed), row-major; squared error; minus the log-probability of what came true; then, of rows
    whose return is known, 1, s, r, s², r², s r of signal and return. The arguments are those that :func:`known` gives.
    """
    n, classes = prob.shape
    rows = np.arange(n)
    out = np.zeros((n, classes * classes + (2 if returns is None else 8)))
    out[rows, label * classes + prob.argmax(1)] = 1
    wrong = prob.copy()
    wrong[rows, label] -= 1
    out[:, classes * classes] = (wrong**2).sum(1)
    out[:, classes * classes + 1] = -np.log(np.maximum(prob[rows, label], 1e-15))
    if returns is not None:
        s, r = signal(prob), returns
        both = np.column_stack([np.ones(n), s, r, s * s, r * r, s * r])
        out[:, classes * classes + 2 :] = np.where(np.isfinite(r)[:, None], both, 0)
    return out


def from_sums(sums: NDArray[np.float64], classes: int) -> dict[str, NDArray[np.float64]]:
    """Scores (b,) of ``b`` sets of rows, each known by the sums (b, k) of its :func:`columns`.

    ``SCORES`` but ECE (of the first classes² columns alone: but for Brier and log-loss too), ``ic`` where returns were
    given, and ``macro_f1_beyond_chance``, macro-F1 less what the same guesses would score if they were dealt out at
    random. MCC: Gorodkin (2004), Computational Biology and Chemistry 28:367-374.
    """
    square = classes * classes
    confusion = sums[:, :square].reshape(-1, classes, classes)
    n = confusion.sum((1, 2))
    hit = np.einsum("bii->bi", confusion)
    true, said = confusion.sum(2), confusion.sum(1)
    f1 = _ratio(2 * hit, true + said)
    by_chance = _ratio(2 * true * said / n[:, None], true + said)
    spread = (n**2 - (said**2).sum(1)) * (n**2 - (true**2).sum(1))
    out = {
        "macro_f1": f1.mean(1),
        "weighted_f1": (f1 * true).sum(1) / n,
        "accuracy": hit.sum(1) / n,
        "balanced_accuracy": _ratio(hit, true).sum(1) / (true > 0).sum(1),
        "mcc": _ratio(hit.sum(1) * n - (true * said).sum(1), np.sqrt(np.maximum(spread, 0))),
        "macro_f1_beyond_chance": (f1 - by_chance).mean(1),
    }
    if sums.shape[1] > square:
        out |= {"brier": sums[:, square] / n, "log_loss": sums[:, square + 1] / n}
    if sums.shape[1] > square + 2:
        m, s, r, ss, rr, sr = sums[:, square + 2 :].T
        out["ic"] = _ratio(m * sr - s * r, np.sqrt(np.maximum((m * ss - s * s) * (m * rr - r * r), 0)))
    return out


def _ratio(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """a / b, 0 where b is 0."""
    return np.divide(a, b, out=np.zeros_like(a), where=b > 0)


def confusion(prob: Floats, label: Labels) -> NDArray[np.int64]:
    """Counts (classes, classes): rows are what came true, columns what was most likely. Arguments as of ``scores``."""
    prob, label, _ = known(prob, label)
    classes = prob.shape[1]
    cell = label * classes + prob.argmax(1)
    return np.bincount(cell, minlength=classes * classes).reshape(classes, classes)


def expected_calibration_error(prob: Floats, label: Labels, bins: int = 15) -> float:
    """Mean distance between confidence and hit rate over ``bins`` bins of equal numbers of rows (:func:`reliability`).

    Confidence is the largest probability of a row. Guo, Pleiss, Sun, Weinberger (2017), arXiv:1706.04599, eq. 3, but
    for the bins: there of equal width, which leaves most empty where a model is never sure.
    """
    confidence, hit, count = reliability(prob, label, bins)
    return float((np.abs(confidence - hit) * count).sum() / count.sum())


def reliability(
    prob: Floats, label: Labels, bins: int = 15
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Mean confidence, hit rate and number of rows of each bin, least confident first; three arrays (bins,).

    Rows of the same confidence are in the same bin, or the order of rows would be judged: bins are then of other sizes
    and fewer, one of a model that always says the same.
    """
    prob, label, _ = known(prob, label)
    confidence = prob.max(1)
    hit = prob.argmax(1) == label
    order = np.argsort(confidence, kind="stable")
    sure = confidence[order]
    cuts = np.cumsum([len(part) for part in np.array_split(order, min(bins, len(order)))])[:-1]
    cuts = np.unique(np.searchsorted(sure, sure[cuts]))  # to where their equals begin
    parts = np.split(order, cuts[cuts > 0])
    return (
        np.array([confidence[part].mean() for part in parts]),
        np.array([hit[part].mean() for part in parts]),
        np.array([len(part) for part in parts]),
    )


def signal(prob: Floats) -> NDArray[np.float64]:
    """P(up) - P(down), (n,) of probabilities (n, classes): from -1 to 1."""
    prob = np.asarray(prob, np.float64)
    return prob[:, -1] - prob[:, 0]


def information(signal: Floats, returns: Floats, group: NDArray | None = None) -> tuple[float, float]:
    """Information coefficient and rank IC: Pearson's and Spearman's correlation of signal (n,) with return (n,).

    With ``group`` (n,), say the day of a cross-section, the mean over groups of at least three known rows. Rows with an
    unknown return or signal are left out; a group that does not vary counts as 0. NaN where there is no group.
    Grinold and Kahn, Active Portfolio Management (2000), chapter 6.
    """
    s, r = np.asarray(signal, np.float64), np.asarray(returns, np.float64)
    keep = np.isfinite(s) & np.isfinite(r)
    s, r = s[keep], r[keep]
    where = np.zeros(len(s), np.int64) if group is None else np.asarray(group)[keep]
    order = np.argsort(where, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(where[order])) + 1) if len(order) else []
    parts = [part for part in parts if len(part) >= 3]
    if not parts:
        return float("nan"), float("nan")
    plain = [_correlation(s[part], r[part]) for part in parts]
    ranked = [_correlation(ranks(s[part]), ranks(r[part])) for part in parts]
    return float(np.mean(plain)), float(np.mean(ranked))


def ranks(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1, equal values sharing the mean of theirs."""
    _, which, count = np.unique(x, return_inverse=True, return_counts=True)
    last = count.cumsum()
    return (last - (count - 1) / 2)[which]


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / scale) if scale > 0 else 0.0
