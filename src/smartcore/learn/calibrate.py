"""Temperature scaling: one number, fitted on validation data, that makes a classifier's probabilities mean
what they say.

It divides every logit, so it never changes which class is largest. Guo, Pleiss, Sun, Weinberger (2017),
arXiv:1706.04599.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities (n, classes) from logits (n, classes)."""
    e = np.exp(np.asarray(logits, np.float64) - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def log_loss(logits: NDArray[np.floating], label: NDArray[np.integer], temperature: float = 1.0) -> float:
    """Mean negative log-likelihood of ``label`` (n,) under softmax(logits / temperature), logits (n, classes)."""
    z = np.asarray(logits, np.float64) / temperature
    z = z - z.max(1, keepdims=True)
    return float(np.mean(np.log(np.exp(z).sum(1)) - z[np.arange(len(z)), label]))


def temperature(
    logits: NDArray[np.floating], label: NDArray[np.integer], low: float = 0.2, high: float = 20.0
) -> float:
    """The temperature in [low, high] with the least log-loss, to a relative 1e-4; negative labels do not count."""
    known = label >= 0
    logits, label = logits[known], label[known]
    a, b = np.log(low), np.log(high)
    golden = (np.sqrt(5) - 1) / 2
    while b - a > 1e-4:  # the loss is convex in 1/T, hence has one minimum in log T too
        c, d = b - golden * (b - a), a + golden * (b - a)
        if log_loss(logits, label, float(np.exp(c))) < log_loss(logits, label, float(np.exp(d))):
            b = d
        else:
            a = c
    return float(np.exp((a + b) / 2))
