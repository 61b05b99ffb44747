"""Markets drawn with known regimes: a hidden Markov chain whose true-parameter filter is the most that anyone can know.

    market = draw(6000, seed=1)                # OHLCV and the regime of every bar
    p = true_filter(market)                    # P(regime | bars up to now), (n, 7), with all that the drawing knew

Regimes stay for a geometric number of bars. A bar is four independent things, each on its own distribution by the
regime: the return (Student-t, with a drift or a pull towards an average of the past), both wicks (exponential) and the
volume (lognormal). All of them are seen, so that the filter is exact. ``rough`` markets break what the filter
relies on (see :func:`draw`): there it is no ceiling any more, and nobody knows one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NAMES = ("trending_up", "trending_down", "breakout", "reversal", "ranging", "volatile", "quiet")
STATES = (
    "trending_up", "trending_down", "breakout_up", "breakout_down", "reversal_up", "reversal_down", "ranging",
    "aimless", "volatile", "quiet",
)  # fmt: skip
"""What the chain moves among. A breakout and a reversal have a direction, which their name leaves open; a market
without a direction is called ranging whether it is pulled back or a random walk."""
NAME_OF = np.array([0, 1, 2, 2, 3, 3, 4, 4, 5, 6])
"""The position in NAMES of each state."""
STRENGTHS = (0.7, 1.0, 1.5)
"""What the tables are made for: see :func:`law`."""
PULL = 20
"""Ranging prices are pulled to their exponential average of this length."""
WICK = 0.45
"""Mean of a wick, in deviations of the return."""
NOISE = 0.9
"""Deviation of the logarithm of volume within a regime. Minutes of BTC, ETH, SOL and XRP in 2026 have 0.93 to 1.0 about
their mean of the last hour."""


class Law(NamedTuple):
    """What a market is drawn from, by state of STATES. ``scale`` is the deviation of a return in units of ``base``."""

    scale: Floats
    drift: Floats
    """A bar's mean return, in deviations of its state."""
    pull: Floats
    """Share of the distance from the average that a bar goes back."""
    volume: Floats
    """Mean of ln(volume)."""
    dof: Floats
    transitions: Floats
    """(10, 10): from row to column."""
    base: float = 1e-3


class Market(NamedTuple):
    """Bars (n,) and the state of each; ``law`` is what they were drawn from."""

    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    state: NDArray[np.int64]
    law: Law
    rough: bool

    @property
    def regime(self) -> NDArray[np.int64]:
        """Position in NAMES at every bar."""
        return NAME_OF[self.state]


STAYS = np.array([120.0, 120, 20, 20, 25, 25, 120, 120, 80, 120])
"""Mean number of bars in a state."""
#                   up   down  b_up  b_dn  r_up  r_dn  range  none  vol  quiet
_NEXT = np.array([[0.00, 0.05, 0.05, 0.00, 0.00, 0.45, 0.10, 0.15, 0.10, 0.10],   # trending up
                  [0.05, 0.00, 0.00, 0.05, 0.45, 0.00, 0.10, 0.15, 0.10, 0.10],   # trending down
                  [0.60, 0.00, 0.00, 0.00, 0.00, 0.10, 0.05, 0.10, 0.15, 0.00],   # breakout up
                  [0.00, 0.60, 0.00, 0.00, 0.10, 0.00, 0.05, 0.10, 0.15, 0.00],   # breakout down
                  [0.60, 0.05, 0.00, 0.00, 0.00, 0.00, 0.10, 0.15, 0.10, 0.00],   # reversal up
                  [0.05, 0.60, 0.00, 0.00, 0.00, 0.00, 0.10, 0.15, 0.10, 0.00],   # reversal down
                  [0.15, 0.15, 0.20, 0.20, 0.00, 0.00, 0.00, 0.00, 0.10, 0.20],   # ranging
                  [0.20, 0.20, 0.10, 0.10, 0.00, 0.00, 0.00, 0.00, 0.20, 0.20],   # aimless
                  [0.15, 0.15, 0.10, 0.10, 0.00, 0.00, 0.10, 0.25, 0.00, 0.15],   # volatile
                  [0.10, 0.10, 0.25, 0.25, 0.00, 0.00, 0.15, 0.15, 0.00, 0.00]])  # fmt: skip


def law(strength: float = 1.0) -> Law:
    """How far the regimes are apart: at 1 a trend drifts by 0.3 of its deviation a bar, a quiet market has 0.45 times
    the deviation of a trend and 0.41 times its volume, a volatile one 2.2 and 1.65 times. Drifts, pull and the
    logarithms of the others grow with ``strength``."""
    scale = np.array([1.0, 1.0, 1.6, 1.6, 1.4, 1.4, 0.85, 1.0, 2.2, 0.45])
    drift = np.array([0.3, -0.3, 0.8, -0.8, 0.6, -0.6, 0.0, 0.0, 0.0, 0.0])
    volume = np.array([0.1, 0.1, 1.0, 1.0, 0.5, 0.5, -0.2, 0.0, 0.6, -0.8])
    pull = np.array([0, 0, 0, 0, 0, 0, 0.12, 0, 0, 0])
    stay = 1 - 1 / STAYS
    moves = _NEXT * (1 - stay)[:, None] + np.diag(stay)
    dof = np.array([5.0, 5, 4, 4, 4, 4, 5, 5, 4, 5])
    return Law(np.exp(strength * np.log(scale)), strength * drift, strength * pull, strength * volume, dof, moves)


@numba.njit
def _path(scale: Floats, drift: Floats, pull: Floats, noise: Floats, base: Floats, alpha: float) -> Floats:
    """Log prices: each step is noise, drift and the way back to the average."""
    x, mean = 0.0, 0.0
    out = np.empty(len(noise))
    for t in range(len(noise)):
        unit = scale[t] * base[t]
        x += unit * (noise[t] + drift[t]) - pull[t] * (x - mean)
        mean += alpha * (x - mean)
        out[t] = x
    return out


def draw(n: int, seed: int, strength: float = 1.0, *, rough: bool = False, of: Law | None = None) -> Market:
    """A market of ``n`` bars; equal arguments, equal bars.

    ``rough``: stays have the same means but a deviation 0.58 of it (gamma of shape 3) instead of 1, volatility wanders
    within a regime (the logarithm with deviation 0.3 and memory 0.95) and over days (0.25, 0.999), volume remembers
    its noise (0.7), and wicks come from a path of 12 steps within the bar.
    """
    given = of or law(strength)
    rng = np.random.default_rng([seed, 20261120])
    state = _stays(n, given.transitions, rng, rough)
    noise = _student(given.dof[state], rng)
    base = np.full(n, given.base)
    volume = rng.normal(0, NOISE, n)
    if rough:
        base *= np.exp(_memory(rng.normal(0, 0.3, n), 0.95) + _memory(rng.normal(0, 0.25, n), 0.999))
        volume = _memory(volume, 0.7)
    scale, drift, pull = given.scale[state], given.drift[state], given.pull[state]
    path = _path(scale, drift, pull, noise, base, 2 / (PULL + 1))
    before = np.append(0, path[:-1])
    deviation = scale * base
    if rough:
        above, below = _wicks(path - before, deviation, rng)
    else:
        above, below = rng.exponential(WICK, (2, n)) * deviation
    top, bottom = np.maximum(path, before) + above, np.minimum(path, before) - below
    opened, high, low, close = (100 * np.exp(x) for x in (before, top, bottom, path))
    return Market(opened, high, low, close, 100 * np.exp(given.volume[state] + volume), state, given, rough)


def _stays(n: int, transitions: Floats, rng: np.random.Generator, rough: bool) -> NDArray[np.int64]:
    stay = np.diag(transitions)
    leave = transitions - np.diag(stay)
    state, at = np.empty(n, np.int64), 0
    now = int(rng.integers(len(stay)))
    while at < n:
        mean = 1 / (1 - stay[now])
        length = max(1, round(rng.gamma(3, mean / 3))) if rough else int(rng.geometric(1 - stay[now]))
        state[at : at + length] = now
        at += length
        now = int(rng.choice(len(stay), p=leave[now] / leave[now].sum()))
    return state


def _student(dof: Floats, rng: np.random.Generator) -> Floats:
    """Of deviation 1."""
    return rng.standard_normal(len(dof)) / np.sqrt(rng.chisquare(dof) / dof) * np.sqrt((dof - 2) / dof)


def _memory(noise: Floats, share: float) -> Floats:
    """An autoregression with the deviation that the noise had."""
    out, x, fresh = np.empty_like(noise), noise[0], math.sqrt(1 - share * share)
    for t in range(len(noise)):
        x = share * x + fresh * noise[t]
        out[t] = x
    return out


def _wicks(move: Floats, deviation: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    steps = rng.standard_normal((len(move), 12)) / math.sqrt(12) * deviation[:, None]
    inside = np.cumsum(steps, axis=1)
    inside += np.arange(1, 13) / 12 * (move - inside[:, -1])[:, None]
    top, bottom = inside.max(axis=1), inside.min(axis=1)
    return np.maximum(top - np.maximum(move, 0), 0), np.maximum(np.minimum(move, 0) - bottom, 0)


def true_filter(market: Market) -> Floats:
    """P(name of NAMES | bars up to now), (n, 7), by whoever knows the law; of a rough market, who believes it."""
    given, x = market.law, np.log(market.close / 100)
    before = np.append(0, x[:-1])
    top, bottom = np.log(market.high / 100), np.log(market.low / 100)
    wicks = (top - np.maximum(x, before)) + (np.minimum(x, before) - bottom)
    p = _forward(
        x - before, before - _average(before), wicks, np.log(market.volume / 100), given.scale * given.base,
        given.drift, given.pull, given.volume, given.dof, given.transitions,
    )  # fmt: skip
    out = np.zeros((len(x), len(NAMES)))
    for state, name in enumerate(NAME_OF):
        out[:, name] += p[:, state]
    return out


def _average(before: Floats) -> Floats:
    """The exponential average, known before each bar, of the prices before it."""
    out, mean, alpha = np.empty_like(before), 0.0, 2 / (PULL + 1)
    for t in range(len(before)):
        if t > 0:
            mean += alpha * (before[t] - mean)
        out[t] = mean
    return out


@numba.njit
def _forward(
    move: Floats, away: Floats, wicks: Floats, volume: Floats, scale: Floats, drift: Floats, pull: Floats,
    mean: Floats, dof: Floats, transitions: Floats,
) -> Floats:  # fmt: skip
    n, k = len(move), len(scale)
    out = np.empty((n, k))
    now = np.full(k, 1 / k)
    height = np.empty(k)
    for j in range(k):
        v = dof[j]
        height[j] = math.lgamma((v + 1) / 2) - math.lgamma(v / 2) - 0.5 * math.log((v - 2) * math.pi)
    for t in range(n):
        logs = np.empty(k)
        for j in range(k):
            z = (move[t] + pull[j] * away[t]) / scale[j] - drift[j]
            logs[j] = height[j] - (dof[j] + 1) / 2 * math.log1p(z * z / (dof[j] - 2)) - 3 * math.log(scale[j])
            logs[j] -= wicks[t] / (WICK * scale[j]) + 0.5 * ((volume[t] - mean[j]) / NOISE) ** 2
        best = logs.max()
        total = 0.0
        for j in range(k):
            prior = 0.0
            for i in range(k):
                prior += now[i] * transitions[i, j]
            out[t, j] = prior * math.exp(logs[j] - best)
            total += out[t, j]
        for j in range(k):
            out[t, j] /= total
            now[j] = out[t, j]
    return out
