"""Offline: the hidden Markov model behind the kernel ``hmm``, fitted by EM.

    parameters = fit_hmm(standardised(log_returns))
    features = smartcore.FeatureSet(columns, fitted={"hmm": parameters})

The kernel filters forward with these numbers and never smooths: what a fit knows of later data is in the numbers alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

NORMAL = 0.675978240067284727  # (E sqrt|z|)^2 of a normal z, as in the kernel
DOF = (2.1, 200.0)  # a variance exists; beyond, Student's t is a normal


class HmmParameters(NamedTuple):
    """States in order of scale. A return in state i is mean + scale * Student-t(dof); ``transitions[i, j]`` is the
    probability of state j after state i."""

    means: Floats
    scales: Floats
    dofs: Floats
    transitions: Floats
    log_likelihood: float = math.nan
    """Of the data it was fitted to, per return."""

    def numbers(self) -> list[float]:
        """All of them in the order the kernel wants."""
        return [float(x) for part in self[:4] for x in np.ravel(part)]


def standardised(returns: ArrayLike, window: int = 500) -> Floats:
    """Log returns in units of the scale of the ``window`` before them, as the kernel sees them; 20 units at most.

    Shape (n - window,): the first ``window`` have no such scale.
    """
    r = np.asarray(returns, np.float64)
    if r.ndim != 1 or len(r) <= window:
        raise ValueError(f"standardised() takes more than {window} log returns, not an array of shape {r.shape}")
    roots = np.sqrt(np.abs(r))
    means = np.lib.stride_tricks.sliding_window_view(roots, window).mean(axis=1)[:-1]
    scale = means * means / NORMAL
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.clip(np.where(r[window:] == 0, 0.0, r[window:] / scale), -20, 20)


@numba.njit
def log_densities(x: Floats, means: Floats, scales: Floats, dofs: Floats) -> Floats:
    """Of Student's t: a row per value, a column per state."""
    out = np.empty((len(x), len(means)))
    for j in range(len(means)):
        v = dofs[j]
        height = math.lgamma((v + 1) / 2) - math.lgamma(v / 2) - 0.5 * math.log(v * math.pi) - math.log(scales[j])
        for t in range(len(x)):
            z = (x[t] - means[j]) / scales[j]
            out[t, j] = height - (v + 1) / 2 * math.log1p(z * z / v)
    return out


@numba.njit
def _smooth(logs: Floats, transitions: Floats, start: Floats) -> tuple[Floats, Floats, Floats, float]:
    """(filtered, smoothed, expected moves, log likelihood) of one stretch, each step scaled to add up to 1."""
    n, k = logs.shape
    filtered, smoothed = np.empty((n, k)), np.empty((n, k))
    fit, scale = np.empty((n, k)), np.empty(n)
    likelihood = 0.0
    p = start.copy()
    for t in range(n):
        best = logs[t].max()
        total = 0.0
        for j in range(k):
            prior = p[j]
            if t > 0:
                prior = 0.0
                for i in range(k):
                    prior += filtered[t - 1, i] * transitions[i, j]
            fit[t, j] = math.exp(logs[t, j] - best)
            filtered[t, j] = prior * fit[t, j]
            total += filtered[t, j]
        for j in range(k):
            filtered[t, j] /= total
        scale[t] = total
        likelihood += best + math.log(total)
    moves = np.zeros((k, k))
    later = np.ones(k)
    for j in range(k):
        smoothed[n - 1, j] = filtered[n - 1, j]
    for t in range(n - 2, -1, -1):
        earlier = np.zeros(k)
        for i in range(k):
            for j in range(k):
                step = transitions[i, j] * fit[t + 1, j] * later[j] / scale[t + 1]
                earlier[i] += step
                moves[i, j] += filtered[t, i] * step
        later = earlier
        for i in range(k):
            smoothed[t, i] = filtered[t, i] * later[i]
    return filtered, smoothed, moves, likelihood


def filtered(x: ArrayLike, parameters: HmmParameters, start: ArrayLike | None = None) -> Floats:
    """P(state | values up to now), shape (n, states): what the kernel tells. ``start``: before the first value; where
    it is in the long run if left out."""
    x = np.asarray(x, np.float64)
    logs = log_densities(x, *parameters[:3])
    first = in_the_long_run(parameters.transitions) if start is None else np.asarray(start, np.float64)
    return _smooth(logs, parameters.transitions, first)[0]


def in_the_long_run(transitions: Floats) -> Floats:
    """The distribution that the transitions leave as it is."""
    n = len(transitions)
    equations = np.vstack([transitions.T - np.eye(n), np.ones(n)])
    p = np.linalg.lstsq(equations, np.append(np.zeros(n), 1.0), rcond=None)[0]
    return np.maximum(p, 0) / np.maximum(p, 0).sum()


def fit_hmm(
    x: ArrayLike | Sequence[ArrayLike],
    states: int = 3,
    *,
    starts: int = 4,
    iterations: int = 500,
    tolerance: float = 1e-7,
    seed: int = 0,
    history: list[float] | None = None,
) -> HmmParameters:
    """Student-t hidden Markov model by EM (Baum-Welch; the t as a scale mixture of normals: Peel and McLachlan 2000).

    x: standardised returns, or several stretches of them. The best of ``starts`` starts, all drawn from ``seed``: equal
    data give equal numbers. States are ordered by scale. ``history`` takes the mean log likelihood after each iteration
    of the start that won; it never falls.
    """
    stretches = [np.asarray(part, np.float64) for part in (x if isinstance(x, (list, tuple)) else [x])]
    stretches = [part for part in stretches if part.ndim == 1 and len(part) > 1]
    n = sum(map(len, stretches))
    if n < 50 * states or not all(np.isfinite(part).all() for part in stretches):
        raise ValueError(f"fit_hmm() takes at least {50 * states} finite values for {states} states, not {n}")
    rng = np.random.default_rng(seed)
    best: HmmParameters | None = None
    for _ in range(starts):
        path: list[float] = []
        found = _climb(stretches, _first(np.concatenate(stretches), states, rng), iterations, tolerance, path)
        if best is None or found.log_likelihood > best.log_likelihood:
            best = found
            if history is not None:
                history[:] = path
    assert best is not None
    order = np.argsort(best.scales, kind="stable")
    return HmmParameters(
        best.means[order],
        best.scales[order],
        best.dofs[order],
        best.transitions[np.ix_(order, order)],
        best.log_likelihood,
    )


def _first(x: Floats, states: int, rng: np.random.Generator) -> HmmParameters:
    spread = np.geomspace(0.5, 2, states) * np.exp(rng.normal(0, 0.2, states))
    stay = rng.uniform(0.9, 0.99)
    transitions = np.full((states, states), (1 - stay) / max(states - 1, 1))
    np.fill_diagonal(transitions, stay if states > 1 else 1.0)
    typical = float(np.median(np.abs(x - np.median(x)))) / 0.6745 or float(x.std()) or 1.0
    return HmmParameters(np.full(states, np.median(x)), typical * np.sort(spread), np.full(states, 8.0), transitions)


def _climb(
    stretches: list[Floats], p: HmmParameters, iterations: int, tolerance: float, path: list[float]
) -> HmmParameters:
    n = sum(map(len, stretches))
    x = np.concatenate(stretches)
    start = in_the_long_run(p.transitions)  # then fitted too: its own maximum is the mean of the first values' states
    for _ in range(iterations):
        parts = [_smooth(log_densities(part, *p[:3]), p.transitions, start) for part in stretches]
        likelihood = sum(part[3] for part in parts) / n
        p = p._replace(log_likelihood=likelihood)
        path.append(likelihood)
        if len(path) > 1 and likelihood - path[-2] < tolerance:
            break
        weight = np.concatenate([part[1] for part in parts])
        moves = sum(part[2] for part in parts)
        start = np.mean([part[1][0] for part in parts], axis=0)
        means, scales, dofs = p.means.copy(), p.scales.copy(), p.dofs.copy()
        for j in range(len(means)):
            w = weight[:, j]
            u = (dofs[j] + 1) / (
                dofs[j] + ((x - means[j]) / scales[j]) ** 2
            )  # small far out: what lies there counts less
            means[j] = (w * u * x).sum() / (w * u).sum()
            scales[j] = max(math.sqrt((w * u * (x - means[j]) ** 2).sum() / w.sum()), 1e-6)
            dofs[j] = _degrees(float((w * (np.log(u) - u)).sum() / w.sum()), dofs[j])
        p = HmmParameters(means, scales, dofs, moves / moves.sum(axis=1, keepdims=True), likelihood)
    return p


def _degrees(mean: float, old: float) -> float:
    """The degrees of freedom that maximise the expected log likelihood: the root of a falling function."""

    def slope(v: float) -> float:
        return -_digamma(v / 2) + math.log(v / 2) + 1 + mean + _digamma((old + 1) / 2) - math.log((old + 1) / 2)

    low, high = DOF
    if slope(low) <= 0:
        return low
    if slope(high) >= 0:
        return high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    return (low + high) / 2


def _digamma(x: float) -> float:
    """By recurrence to 6 and up, and the asymptotic series there."""
    shift = 0.0
    while x < 6:
        shift -= 1 / x
        x += 1
    q = 1 / (x * x)
    return shift + math.log(x) - 0.5 / x - q * (1 / 12 - q * (1 / 120 - q * (1 / 252 - q * (1 / 240 - q / 132))))
