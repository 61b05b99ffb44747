"""Naive twins of the kernels of risk beyond drawdown and fhs, which stand in bars.py."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from reference import twin
from reference.bars import (
    OF_RESIDUALS,
    Tail,
    before,
    centred,
    column,
    drawdown,
    flat,
    log_ratio,
    log_returns,
    next_percentile,
    over,
    percentile,
    prices,
    share,
    unknown,
    volatility_of_next,
)


@twin()
def runup(bars, window):
    return over(lambda w: (w[:, -1] - w.min(axis=1)) / w.min(axis=1), window, column(bars, "close"))


@twin()
def under_water(bars, window):
    return over(lambda w: w[:, ::-1].argmax(axis=1), window, column(bars, "close"))


@twin()
def conditional_drawdown(bars, window):
    each = drawdown(bars, window)
    worst = -(-window // 10)
    tail = over(lambda w: np.sort(w, axis=1)[:, :worst].mean(axis=1), window, each)
    return np.column_stack([tail, over(lambda w: w.mean(axis=1), window, each)])


def residuals(bars, window):
    """At every bar: the forecast of the next one's volatility and the last residuals of `fhs`, the worst first."""
    r = log_returns(bars)
    variance = volatility_of_next(r) ** 2
    forecast = before(variance)
    all_ = []
    for t in range(len(bars)):
        if forecast[t] > 0:
            all_.append(np.clip(r[t] / np.sqrt(forecast[t]), -20, 20))
        if not np.isnan(forecast[t]) and len(all_) >= 100:
            yield t, np.sqrt(variance[t]), np.sort(np.array(all_[-window:]))


@twin(**OF_RESIDUALS)
def fhs_short(bars, window):
    result = unknown(bars, 4)
    for t, sigma, z in residuals(bars, window):
        result[t] = sigma * np.array(Tail(z).told(z))
    return result


@twin(**OF_RESIDUALS)
def tail_ratio(bars, window):
    result = unknown(bars)
    for t, _, z in residuals(bars, window):
        high, low = next_percentile(z, 95), next_percentile(z, 5)
        result[t] = share(high, high - low, 0.5)
    return result


@twin(**OF_RESIDUALS)
def pareto_tail(bars, window):
    result = unknown(bars, 2)
    for t, sigma, z in residuals(bars, window):
        tail = Tail(-z)
        result[t] = tail.xi, sigma * tail.quantile(1000)
    return result


@twin()
def cornish_fisher(bars, window):
    z = norm.ppf(0.01)

    def of(w):
        d = centred(w)
        m2 = np.where(flat(w), np.nan, (d * d).mean(axis=1))
        s, k = (d**3).mean(axis=1) / m2**1.5, (d**4).mean(axis=1) / m2**2 - 3
        quantile = z + (z**2 - 1) * s / 6 + (z**3 - 3 * z) * k / 24 - (2 * z**3 - 5 * z) * s**2 / 36
        return -np.sqrt(m2) * quantile

    return over(of, window, log_returns(bars))


@twin()
def excursion(bars, horizon, window):
    _, high, low, close = prices(bars)
    entry = before(close, horizon)
    down = np.maximum(log_ratio(entry, over(lambda w: w.min(axis=1), horizon, low)), 0)
    up = np.maximum(log_ratio(over(lambda w: w.max(axis=1), horizon, high), entry), 0)
    means = over(lambda w: w.mean(axis=1), window, up), over(lambda w: w.mean(axis=1), window, down)
    return np.column_stack(
        [
            over(lambda w: percentile(w, 90), window, down),
            over(lambda w: percentile(w, 90), window, up),
            share(means[0], means[0] + means[1], 0.5),
        ]
    )


@twin()
def payoff(bars, window):
    def of(w):
        gain = share(np.maximum(w, 0).sum(axis=1), (w > 0).sum(axis=1), 0)
        loss = share(np.maximum(-w, 0).sum(axis=1), (w < 0).sum(axis=1), 0)
        return share(gain, gain + loss, 0.5)

    return over(of, window, log_returns(bars))
