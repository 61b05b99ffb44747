"""Offline: the numbers of the kernel ``market_regime``, fitted to a market of your own, with or without labels.

    parameters = fit_market_regime(bars)                   # names keep their meaning: it starts from what ships
    features = smartcore.FeatureSet(columns, fitted={"market_regime": parameters})

The kernel filters forward with these numbers and never smooths: what a fit knows of later data is in the numbers alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import ArrayLike

from smartcore.features.catalogue import catalogue
from smartcore.learn.drawn import STATES
from smartcore.learn.regime import NORMAL, Floats

WINDOW, DOF, TEMPER = 500, 5.0, 2 / 3
"""As in the kernel: bars behind the references, degrees of freedom, the share of its evidence that a bar counts for."""
LEARN, ANCHOR, KEEP = 0.02, 2 / WINDOW, 19 / 21
MIRROR = np.array([1, 0, 3, 2, 5, 4, 6, 7, 8, 9])
"""Each state upside down."""
DRIFT, PULL, SCALE, WICK, WICK_SCALE, VOLUME, VOLUME_SCALE = range(7)


class MarketRegimeParameters(NamedTuple):
    """``parts`` (7, 10): drift, pull, scale of the return, mean and scale of ln(wick), and of ln(volume), by state of
    STATES, in units of the references; ``transitions[i, j]`` is the probability of state j after state i. The name
    changes to a regime likelier than ``enter``, or from one less likely than ``leave``."""

    parts: Floats
    transitions: Floats
    enter: float = 0.7
    leave: float = 0.045

    def numbers(self) -> list[float]:
        """All of them in the order the kernel wants."""
        return [*np.ravel(self.parts).tolist(), *np.ravel(self.transitions).tolist(), self.enter, self.leave]


def shipped() -> MarketRegimeParameters:
    """What the kernel has by default."""
    x = np.array([f.value for f in catalogue()["market_regime"].fitted])
    return MarketRegimeParameters(x[:70].reshape(7, 10), x[70:170].reshape(10, 10), float(x[170]), float(x[171]))


class Bars(NamedTuple):
    """What the model reads of bars, NaN where they do not say: log returns, the slow scale of returns known with each,
    ln of wicks and of volume, and the means of the last 500 of these that are known."""

    move: Floats
    unit: Floats
    wick: Floats
    volume: Floats
    wick_mean: Floats
    volume_mean: Floats


def read(high: ArrayLike, low: ArrayLike, close: ArrayLike, volume: ArrayLike) -> Bars:
    """Of arrays (n,), n > 500."""
    top, bottom, end, amount = (np.asarray(x, np.float64) for x in (high, low, close, volume))
    n = len(end)
    if n <= WINDOW or not all(x.shape == (n,) for x in (top, bottom, end, amount)):
        raise ValueError(f"read() takes arrays of one length above {WINDOW}, not of shapes {top.shape}, {end.shape}")
    last = np.append(np.nan, end[:-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        move = np.log(end / last)
        both = np.maximum(top - np.maximum(end, last), 0) + np.maximum(np.minimum(end, last) - bottom, 0)
        log_wick = np.where(both > 0, np.log(both / end), np.nan)
        log_volume = np.where(amount > 0, np.log(amount), np.nan)
    unit = np.full(n, np.nan)
    roots = np.lib.stride_tricks.sliding_window_view(np.sqrt(np.abs(move[1:])), WINDOW).mean(axis=1)
    unit[WINDOW:] = roots * roots / NORMAL
    return Bars(move, unit, log_wick, log_volume, _mean(log_wick), _mean(log_volume))


def _mean(x: Floats) -> Floats:
    """Of the last 500 that are known, as known last."""
    at, out = np.flatnonzero(~np.isnan(x)), np.full(len(x), np.nan)
    if len(at) >= WINDOW:
        out[at[WINDOW - 1 :]] = np.lib.stride_tricks.sliding_window_view(x[at], WINDOW).mean(axis=1)
        held = np.maximum.accumulate(np.where(np.isnan(out), 0, np.arange(len(x))))
        out = out[held]
    return out


@numba.njit
def _follow(bars: Bars, parts: Floats, moves: Floats) -> tuple[Floats, Floats, Floats]:
    """(evidence, densities, filtered probabilities), each (n, ...): the kernel's recursion. Evidence is the return, the
    distance from the average before it, the wick and the volume, in units of the references."""
    n, k = len(bars.move), parts.shape[1]
    evidence, density, p = np.full((n, 4), np.nan), np.ones((n, k)), np.full((n, k), np.nan)
    unit = wicks = volumes = math.nan
    now, prior, away = np.empty(k), np.full(k, 1.0 / k), 0.0
    for t in range(n):
        if unit != unit:
            if bars.unit[t] > 0:
                unit = bars.unit[t]
        elif bars.move[t] == bars.move[t]:
            z, d = min(max(bars.move[t] / unit, -20.0), 20.0), min(max(away, -8.0), 8.0)
            h, v = bars.wick[t] - wicks, bars.volume[t] - volumes
            h, v = min(max(h, -4.0), 4.0) if h == h else h, min(max(v, -4.0), 4.0) if v == v else v
            evidence[t] = z, d, h, v
            total = 0.0
            for j in range(k):
                q = 1 + ((z - parts[DRIFT, j] - parts[PULL, j] * d) / parts[SCALE, j]) ** 2 / DOF
                height = parts[SCALE, j]
                if h == h:
                    q *= 1 + ((h - parts[WICK, j]) / parts[WICK_SCALE, j]) ** 2 / DOF
                    height *= parts[WICK_SCALE, j]
                if v == v:
                    q *= 1 + ((v - parts[VOLUME, j]) / parts[VOLUME_SCALE, j]) ** 2 / DOF
                    height *= parts[VOLUME_SCALE, j]
                density[t, j] = (height * q ** ((DOF + 1) / 2)) ** -TEMPER
                now[j] = prior[j] * density[t, j]
                total += now[j]
            of_z = of_h = of_v = 0.0
            for j in range(k):
                now[j] /= total
                u = ((z - parts[DRIFT, j] - parts[PULL, j] * d) / parts[SCALE, j]) ** 2
                of_z += now[j] * ((DOF + 1) * u / (DOF + u) - 1)
                if h == h:
                    e = h - parts[WICK, j]
                    of_h += now[j] * (DOF + 1) / (DOF + (e / parts[WICK_SCALE, j]) ** 2) * e
                if v == v:
                    e = v - parts[VOLUME, j]
                    of_v += now[j] * (DOF + 1) / (DOF + (e / parts[VOLUME_SCALE, j]) ** 2) * e
            p[t] = now
            for j in range(k):
                prior[j] = 0.0
                for i in range(k):
                    prior[j] += now[i] * moves[i, j]
            if bars.move[t] != 0:
                unit *= 1 + 0.5 * LEARN * of_z
                unit += ANCHOR * (bars.unit[t] - unit)
            wicks, volumes = wicks + LEARN * of_h, volumes + LEARN * of_v
            away = KEEP * (away + z)
        wicks = wicks + ANCHOR * (bars.wick_mean[t] - wicks) if wicks == wicks else bars.wick_mean[t]
        volumes = volumes + ANCHOR * (bars.volume_mean[t] - volumes) if volumes == volumes else bars.volume_mean[t]
    return evidence, density, p


@numba.njit
def _smooth(density: Floats, p: Floats, moves: Floats) -> Floats:
    """P(state | all bars) from the filtered probabilities; rows that are NaN are passed over."""
    n, k = p.shape
    smoothed, later = np.full((n, k), np.nan), np.ones(k)
    begun = False
    for t in range(n - 1, -1, -1):
        if p[t, 0] != p[t, 0]:
            continue
        if not begun:
            smoothed[t], begun = p[t], True
            continue
        total = 0.0
        earlier = np.zeros(k)
        for i in range(k):
            for j in range(k):
                earlier[i] += moves[i, j] * density[t + 1, j] * later[j]
            total += p[t, i] * earlier[i]
        smoothed[t] = p[t] * earlier / total
        later[:] = earlier / total
    return smoothed


def filtered(bars: Bars, parameters: MarketRegimeParameters) -> Floats:
    """P(state | bars up to now), (n, 10), NaN until the kernel knows it."""
    return _follow(bars, parameters.parts, parameters.transitions)[2]


def fit_market_regime(
    markets: Any | Sequence[Any],
    states: Sequence[ArrayLike] | None = None,
    *,
    start: MarketRegimeParameters | None = None,
    iterations: int = 15,
    prior: float = 1000.0,
    symmetric: bool = True,
) -> MarketRegimeParameters:
    """Numbers of the kernel for a market of your own, by EM (Baum-Welch, Student-t as a scale mixture of normals).

    markets: bars, or several stretches of them: anything with ``high``, ``low``, ``close``, ``volume`` (a DataFrame,
    a structured array of dtype BAR, a drawn market). states: positions in STATES of each bar of each stretch, where
    they are known; then they are taken as they are. Otherwise what each bar was is inferred with the numbers so far,
    from ``start`` (what ships) on, and ``prior`` bars of each state as ``start`` has it are counted in, so that names
    keep their meaning. How states follow each other is then not learned: on markets whose volatility wanders within
    a regime that took a name's balanced accuracy from 0.63 to 0.41. ``symmetric``: falling markets are rising ones
    upside down.
    """
    several = list(markets) if isinstance(markets, (list, tuple)) and not hasattr(markets, "close") else [markets]
    stretches = [read(*(_field(m, name) for name in ("high", "low", "close", "volume"))) for m in several]
    labels = None if states is None else [np.asarray(s, np.int64) for s in states]
    if labels is not None and [len(s) for s in labels] != [len(b.move) for b in stretches]:
        raise ValueError(f"fit_market_regime() takes a state for every bar, not {[len(s) for s in labels]} of them")
    first = start or shipped()
    p = first
    for _ in range(iterations):
        evidence, weights = [], []
        counts = first.transitions.copy()
        for i, bars in enumerate(stretches):
            seen, density, now = _follow(bars, p.parts, p.transitions)
            if labels is None:
                weight = _smooth(density, now, p.transitions)
            else:
                weight = np.eye(len(STATES))[labels[i]]
                np.add.at(counts, (labels[i][:-1], labels[i][1:]), 1)
            known = ~np.isnan(seen[:, 0])
            evidence.append(seen[known])
            weights.append(weight[known])
        counted = prior if labels is None else 0.0
        parts = _parts(np.concatenate(evidence), np.concatenate(weights), p.parts, first.parts, counted)
        if symmetric:
            turned = parts[:, MIRROR] * np.array([-1, 1, 1, 1, 1, 1, 1])[:, None]
            parts, counts = (parts + turned) / 2, counts + counts[np.ix_(MIRROR, MIRROR)]
        p = p._replace(parts=parts)
        if labels is not None:
            p = p._replace(transitions=counts / counts.sum(axis=1, keepdims=True))
    return p


def _field(market: Any, name: str) -> Floats:
    try:
        return np.asarray(market[name], np.float64)
    except (TypeError, IndexError, KeyError):
        return np.asarray(getattr(market, name), np.float64)


def _parts(evidence: Floats, weight: Floats, old: Floats, first: Floats, prior: float) -> Floats:
    """The numbers that fit best, each observation weighed by its state's probability and, far out, by less."""
    z, d, h, v = evidence.T
    new = old.copy()
    for j in range(old.shape[1]):
        w = weight[:, j]
        if w.sum() + prior < 20:
            continue  # hardly ever there: as it was
        for _ in range(20):
            e = z - new[DRIFT, j] - new[PULL, j] * d
            u = w * (DOF + 1) / (DOF + (e / new[SCALE, j]) ** 2)
            if first[PULL, j] != 0:
                with_d = (u * d * (z - new[DRIFT, j])).sum() + prior * first[PULL, j]
                new[PULL, j] = with_d / ((u * d * d).sum() + prior)
            if first[DRIFT, j] != 0:
                away = z - new[PULL, j] * d
                new[DRIFT, j] = ((u * away).sum() + prior * first[DRIFT, j]) / (u.sum() + prior)
            e = z - new[DRIFT, j] - new[PULL, j] * d
            new[SCALE, j] = math.sqrt(((u * e * e).sum() + prior * first[SCALE, j] ** 2) / (w.sum() + prior))
        for x, mean, scale in ((h, WICK, WICK_SCALE), (v, VOLUME, VOLUME_SCALE)):
            known = ~np.isnan(x)
            y, part = x[known], w[known]
            for _ in range(20):
                u = part * (DOF + 1) / (DOF + ((y - new[mean, j]) / new[scale, j]) ** 2)
                new[mean, j] = ((u * y).sum() + prior * first[mean, j]) / (u.sum() + prior + 1e-9)
                square = (u * (y - new[mean, j]) ** 2).sum() + prior * first[scale, j] ** 2
                new[scale, j] = max(math.sqrt(square / (part.sum() + prior + 1e-9)), 0.02)
    return new
