"""Naive twins of the kernels of regime."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

import smartcore as sc
from reference import twin
from reference.bars import (
    before,
    centred,
    change,
    column,
    efficiency_ratio,
    flat,
    log_returns,
    over,
    prices,
    rank_of_newest,
    share,
    true_range,
    unknown,
    volatility,
)

SLACK = 1e-9


def nine_digits(x):
    """Values that round to the same 30 binary digits are equal. (As the kernel rounds: which of two near values share a
    cell depends on the cells.)"""
    bits = x.astype(np.float64).view(np.uint64)
    return ((bits + np.uint64(1 << 21)) & ~np.uint64((1 << 22) - 1)).view(np.float64)


def forgets_in(bars):
    """Decay of what is settled anew by something that happens at least every so many bars of ordinary data."""
    return lambda *_: 1e-24 ** (1 / bars)


# ---- volatility ----


@twin()
def volatility_ratio(bars, short, long):
    return share(volatility(bars, short), volatility(bars, long), np.nan)


@twin()
def vol_of_vol(bars, window, history):
    def of(w):
        return share(np.sqrt((centred(w) ** 2).mean(axis=1)), w.mean(axis=1), np.nan)

    return over(of, history, volatility(bars, window))


@twin(decay=forgets_in(1000))  # the last time that it was high, or low
def volatility_regime(bars, short, long):
    fast, slow = volatility(bars, short), volatility(bars, long)
    result, state, since = unknown(bars), 0, 0
    for t in range(len(bars)):
        if np.isnan(fast[t]) or np.isnan(slow[t]):
            continue
        now = state
        if fast[t] ** 2 > 1.21 * (1 + SLACK) * slow[t] ** 2:
            now = 1
        elif fast[t] ** 2 < 0.81 * (1 - SLACK) * slow[t] ** 2:
            now = -1
        if now != state:
            state, since = now, t
        result[t] = state * min(t - since + 1, 1000)
    return result


def standardised(bars, window):
    """Returns over the power mean of exponent 1/2 of the `window` before them, in units of a normal's; and the scale
    that is known after each."""
    r = log_returns(bars)
    scale = over(lambda w: np.sqrt(abs(w)).mean(axis=1) ** 2, window, r) / np.longdouble(0.675978240067284727)
    last = before(scale)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.clip(np.where(r == 0, np.where(np.isnan(last), np.nan, 0), r / last), -20, 20)
    return z, scale


@twin(decay=lambda window, half_life: 2 ** (-1 / half_life), behind=lambda window, half_life: window + 2)
def jump_state(bars, window, half_life):
    z, _ = standardised(bars, window)
    result = unknown(bars, 2)
    first = int(np.argmax(~np.isnan(z))) if (~np.isnan(z)).any() else len(bars)
    for t in range(first, len(bars)):
        jumps = np.arange(first, t + 1)[abs(z[first : t + 1]) > 4]
        weight = np.longdouble(2) ** (-(t - jumps) / np.longdouble(half_life))
        result[t] = weight.sum(), (weight * z[jumps]).sum()
    return result


# ---- trend ----


def squash(x):
    return x / (1 + abs(x))


def strength(bars, window):
    close = column(bars, "close")
    d = change(close)
    net = share(close - before(close, window), over(lambda w: abs(w).sum(axis=1), window, d), 0)
    time = np.arange(window, dtype=np.longdouble)
    time -= time.mean()

    def with_time(w):
        y = centred(w)
        r = (time * y).sum(axis=1) / np.sqrt((time**2).sum() * np.where(flat(w), 1, (y * y).sum(axis=1)))
        return np.where(flat(w), 0, r)

    balance = over(lambda w: np.sign(w).mean(axis=1), window, d)
    root = np.sqrt(np.longdouble(window))
    return (over(with_time, window, close) + squash(net * root) + squash(balance * root)) / 3


@twin()
def trend_strength(bars, window):
    return strength(bars, window)


@twin(decay=forgets_in(1500))  # the last time that there was no trend
def trend_state(bars, window):
    s = strength(bars, window)
    result, state, age = unknown(bars, 2), 0, 0
    for t in np.flatnonzero(~np.isnan(s)):
        if abs(s[t]) > 0.5 + SLACK:
            now = np.sign(s[t])
        else:
            now = state if s[t] * state > 0.25 + SLACK else 0
        age = min(age + 1, 1000) if now == state else 1
        state = now
        result[t] = state, age
    return result


@twin()
def time_in_trend(bars, window, history):
    s = strength(bars, window)
    trend = np.where(np.isnan(s), np.nan, abs(s) > 0.5 + SLACK).astype(np.longdouble)
    return over(lambda w: w.mean(axis=1), history, trend)


@twin()
def persistence(bars, window):
    d = np.sign(change(column(bars, "close")))

    def again(sign):
        def of(first, then):
            return share(((first == sign) & (then == sign)).sum(axis=1), (first == sign).sum(axis=1), 0.5)

        return over(of, window, before(d), d)

    return np.column_stack([again(1), again(-1)])


# ---- rank among the recent past ----


@twin()
def liquidity_percentile(bars, window, history):
    moved = over(lambda w: w.sum(axis=1), window, true_range(bars))
    volume = over(lambda w: w.sum(axis=1), window, column(bars, "volume"))
    value = np.where(np.isnan(moved), np.nan, share(volume, moved, np.inf))
    return over(rank_of_newest, history, nine_digits(value))


@twin()
def range_percentile(bars, window, history):
    _, high, low, _ = prices(bars)
    top, bottom = over(lambda w: w.max(axis=1), window, high), over(lambda w: w.min(axis=1), window, low)
    return over(rank_of_newest, history, nine_digits((top - bottom) / bottom))


@twin()
def efficiency_percentile(bars, window, history):
    return over(rank_of_newest, history, nine_digits(efficiency_ratio(bars, window)))


@twin()
def volume_volatility_correlation(bars, window):
    def of(x, y):
        a, b = centred(x), centred(y)
        size = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
        return np.where(flat(x) | flat(y), np.nan, share((a * b).sum(axis=1), size, np.nan))

    return over(of, window, abs(log_returns(bars)), column(bars, "volume"))


# ---- hidden Markov model ----


def student(x, mean, scale, dof):
    """Log density of Student's t."""
    z, half = (x - mean) / scale, np.asarray(dof, float) / 2
    height = gammaln(half + 0.5) - gammaln(half) - np.log(dof * np.pi) / 2 - np.log(scale)
    return height - (dof + 1) / 2 * np.log1p(z * z / dof)


def forward(x, means, scales, dofs, transitions, start):
    """P(state | x up to now): a row per value."""
    p = np.array(start, np.longdouble)
    rows = np.empty((len(x), len(p)), np.longdouble)
    for t in range(len(x)):
        log_density = student(x[t], means, scales, dofs)
        p = (p @ transitions) * np.exp(log_density - log_density.max())
        p /= p.sum()
        rows[t] = p
    return rows


def in_the_long_run(transitions):
    """Left eigenvector of the eigenvalue 1."""
    n = len(transitions)
    equations = np.vstack([transitions.T - np.eye(n), np.ones(n)])
    return np.linalg.lstsq(equations, np.append(np.zeros(n), 1), rcond=None)[0]


def hmm_of(bars, window, percent, numbers):
    numbers = np.array(numbers, np.longdouble)
    means, scales, dofs, transitions = numbers[:3], numbers[3:6], numbers[6:9], numbers[9:].reshape(3, 3)
    z, unit = standardised(bars, window)
    rows, state, age = np.flatnonzero(~np.isnan(z)), 1, 0
    result = unknown(bars, 6)
    start = in_the_long_run(transitions.astype(float))
    for t, p in zip(rows, forward(z[rows], means, scales, dofs, transitions, start), strict=True):
        other = [j for j in range(3) if j != state and p[j] > percent / 100]
        age = 1 if other else min(age + 1, 1000)
        state = other[0] if other else state
        then = p @ transitions
        mean = (then * means).sum()
        variance = (then * (scales**2 * dofs / (dofs - 2) + means**2)).sum() - mean**2
        leave = (p * (1 - np.diag(transitions))).sum()
        result[t] = p[0], p[2], state - 1, age, leave, unit[t] * np.sqrt(variance)
    return result


@twin(
    decay=forgets_in(2000), behind=lambda window, percent: window
)  # what the transitions and the data have left of it
def hmm(bars, window, percent):
    return hmm_of(bars, window, percent, [f.value for f in sc.catalogue()["hmm"].fitted])


# ---- change points ----


def change_points(z, gap, thin):
    """Runs as Adams and MacKay 2007 follow them, newest first: (probability, sum of squares, length). `thin` says which
    are kept. Yields them and the density that each value had before it came."""
    runs = [(np.longdouble(1), np.longdouble(0), 0)]
    for x in z:
        p, squares, n = (np.array(column) for column in zip(*runs, strict=True))
        alpha, beta = 1 + n / np.longdouble(2), 1 + squares / 2
        density = np.exp(student(x, 0, np.sqrt(beta / alpha), 2 * alpha))
        total = (p * density).sum()
        p = np.maximum(p * density / total * (1 - 1 / np.longdouble(gap)), 1e-60)
        runs = thin([(1 / np.longdouble(gap), np.longdouble(0), 0), *zip(p, squares + x * x, n + 1, strict=True)])
        yield runs, total


class Levels:
    """Up to seven runs a level. An eighth joins the two oldest of its level: the likelier stays, with the probability
    of both, and moves on; of the fifth level the oldest leaves its probability to the next."""

    def __init__(self):
        self.levels = [[(1, 0, 0)], [], [], [], []]

    def __call__(self, runs):
        runs = iter(runs)
        first = next(runs)
        self.levels = [[next(runs) for _ in level] for level in self.levels]
        self.levels[0].insert(0, first)
        for i, level in enumerate(self.levels):
            if len(level) == 8:
                younger, older = level[-2:]
                p = younger[0] + older[0]
                if i == 4:
                    level[-2:] = [(p, *younger[1:])]
                else:
                    del level[-2:]
                    self.levels[i + 1].insert(0, (p, *(older if older[0] >= younger[0] else younger)[1:]))
        return [run for level in self.levels for run in level]


@twin(decay=forgets_in(2200), behind=lambda window, gap: window)  # runs end; see the kernel
def bocpd(bars, window, gap):
    z, unit = standardised(bars, window)
    rows, result = np.flatnonzero(~np.isnan(z)), unknown(bars, 4)
    for t, (runs, density) in zip(rows, change_points(z[rows], gap, Levels()), strict=True):
        p, squares, n = (np.array(column) for column in zip(*runs, strict=True))
        variance = (p * (1 + squares / 2) / (1 + n / np.longdouble(2))).sum()
        result[t] = (p * n).sum(), p[n <= 10].sum(), -np.log(density), unit[t] * np.sqrt(variance)
    return result


# ---- seven regimes ----

REGIME_NAMES = (0, 1, 2, 2, 3, 3, 4, 4, 5, 6)  # of the states: two breakouts, two reversals, a range, a random walk


def level(x, borders, band, was):
    """Where x is among the borders; one that `was` is left only beyond it by the band."""
    if was is None:
        return sum(x > border for border in borders)
    up = sum(x > border + band for border in borders)
    down = sum(x >= border - band for border in borders)
    return max(was, up) if up > was else min(was, down)


def market_regime_of(bars, numbers, window=500):
    numbers = np.array(numbers, np.longdouble)
    drift, pull, scale, wick, wick_scale, volume, volume_scale = numbers[:70].reshape(7, 10)
    moves = numbers[70:170].reshape(10, 10)
    enter, leave = numbers[170:]
    _, high, low, close = prices(bars)
    r, last = log_returns(bars), before(close)
    _, unit = standardised(bars, window)
    both = np.maximum(high - np.maximum(close, last), 0) + np.maximum(np.minimum(close, last) - low, 0)
    amount = column(bars, "volume")
    with np.errstate(divide="ignore", invalid="ignore"):
        log_wick = np.where(both > 0, np.log(both / close), np.nan)
        log_volume = np.where(amount > 0, np.log(amount), np.nan)

    def mean_of_known(x, t):
        known = x[: t + 1][~np.isnan(x[: t + 1])]
        return known[-window:].mean() if len(known) >= window else np.nan

    def density(u):  # Student's t of five degrees, a bar counting for two thirds of its evidence
        return (1 + u * u / 5) ** -2

    anchor, names = 2 / np.longdouble(window), np.array(REGIME_NAMES)
    reference = wicks = volumes = np.nan
    p, away, name, age, levels = np.full(10, 1 / np.longdouble(10)), 0, None, 0, [None] * 3
    sizes, nets, amounts = [], [], []
    result = unknown(bars, 13)
    for t in range(len(bars)):
        if not np.isnan(reference):
            z, d = np.clip(r[t] / reference, -20, 20), np.clip(away, -8, 8)
            u = (z - drift - pull * d) / scale
            now, weight = p * density(u) * scale ** np.longdouble(-2 / 3), 6 / (5 + u * u)
            of_z = weight * u * u - 1
            of_h = of_v = v = 0
            if not np.isnan(log_wick[t]) and not np.isnan(wicks):
                h = np.clip(log_wick[t] - wicks, -4, 4)
                u = (h - wick) / wick_scale
                now = now * density(u) * wick_scale ** np.longdouble(-2 / 3)
                of_h = 6 / (5 + u * u) * (h - wick)
            seen = not np.isnan(log_volume[t]) and not np.isnan(volumes)
            if seen:
                v = np.clip(log_volume[t] - volumes, -4, 4)
                u = (v - volume) / volume_scale
                now = now * density(u) * volume_scale ** np.longdouble(-2 / 3)
                of_v = 6 / (5 + u * u) * (v - volume)
            now = now / now.sum()
            p = now @ moves
            if r[t] != 0:
                reference = reference * (1 + 0.01 * (now * of_z).sum())
                reference += anchor * (unit[t] - reference)
            wicks, volumes = wicks + 0.02 * (now * of_h).sum(), volumes + 0.02 * (now * of_v).sum()
            away = (away + z) * 19 / 21
            of_name = np.array([now[names == k].sum() for k in range(7)])
            best = int(np.argmax(of_name))
            if name is None:
                name = best
            elif best != name and (of_name[best] > enter or of_name[name] < leave):
                name, age = best, 0
            else:
                age = min(age + 1, 1000)
            sizes.append(abs(z)), nets.append(z)
            ago = np.arange(len(sizes))[::-1]
            root = np.average(np.sqrt(sizes), weights=np.longdouble(2) ** (-ago / np.longdouble(10)))
            weight = np.longdouble(2) ** (-ago / np.longdouble(30))
            path = (weight * sizes).sum()
            values = [
                (root**2 / np.longdouble(0.675978240067284727), (0.7, 1.4), 0.1),
                ((weight * nets).sum() / path if path > 0 else 0, (-0.45, -0.25, 0.25, 0.45), 0.05),
            ]
            if not np.isnan(volumes):
                amounts.append(v if seen else -4)
                weight = np.longdouble(2) ** (-np.arange(len(amounts))[::-1] / np.longdouble(5))
                values.append((np.average(amounts, weights=weight), (-0.35, 0.4), 0.1))
            for i, (x, borders, band) in enumerate(values):
                levels[i] = level(x, borders, band, levels[i])
            said = [levels[0], levels[1] - 2, np.nan if levels[2] is None else levels[2]]
            result[t] = *of_name, name, age, 1 - p[names == name].sum(), *said
        elif unit[t] > 0:
            reference = unit[t]
        for x, which in ((log_wick, 0), (log_volume, 1)):
            mean, old = mean_of_known(x, t), (wicks, volumes)[which]
            new = mean if np.isnan(old) else old + anchor * (mean - old)
            wicks, volumes = (new, volumes) if which == 0 else (wicks, new)
    return result


@twin(forgets=lambda: 4500, needs_moves=True)  # the references fade by the data
def market_regime(bars):
    return market_regime_of(bars, [f.value for f in sc.catalogue()["market_regime"].fitted])
