"""Naive twins of the cycles: Ehlers' filters, step by step as he writes them."""

from __future__ import annotations

import numpy as np

from reference import twin
from reference.bars import before, change, column, unknown
from reference.moving import moved

PI = 4 * np.arctan(np.longdouble(1))


def dominant_period(bars):
    """Smoothed period at every bar, as TA-Lib; before the first bar the price stood."""
    x = moved(bars)
    n = len(x)
    price = np.concatenate([np.zeros(12, np.longdouble), x])
    a, b = np.longdouble(0.0962), np.longdouble(0.5769)
    averaged = (4 * price[3:] + 3 * price[2:-1] + 2 * price[1:-2] + price[:-3]) / 10  # from 9 bars before the first

    def hilbert(y):
        return a * y[-1] + b * y[-3] - b * y[-5] - a * y[-7]

    zeros = [np.longdouble(0)] * 10
    detrended, quadrature = zeros[:], zeros[:]
    i2 = q2 = re = im = period = smooth = np.longdouble(0)
    result = np.empty(n, np.longdouble)
    for t in range(n):
        scale = 0.075 * period + np.longdouble(0.54)
        window = averaged[: t + 10]
        detrended.append(hilbert(window - window[-1]) * scale)
        quadrature.append(hilbert(detrended) * scale)
        ahead, behind = hilbert(detrended[:-3]) * scale, hilbert(quadrature) * scale
        i_now = (detrended[-4] - behind) / 5 + i2 * 4 / 5
        q_now = (quadrature[-1] + ahead) / 5 + q2 * 4 / 5
        re = (i_now * i2 + q_now * q2) / 5 + re * 4 / 5
        im = (i_now * q2 - q_now * i2) / 5 + im * 4 / 5
        i2, q2, last = i_now, q_now, period
        if re != 0 and im != 0:
            period = 2 * PI / np.arctan(im / re)
        period = max(min(period, 1.5 * last), np.longdouble(0.67) * last)
        period = min(max(period, 6), 50) / 5 + last * 4 / 5
        smooth = np.longdouble(0.33) * period + np.longdouble(0.67) * smooth
        result[t] = smooth
        detrended, quadrature = detrended[-12:], quadrature[-12:]
    return result


@twin(forgets=lambda: 900)
def dominant_cycle(bars):
    """Another past is forgotten as squares of the price are by 0.8 a bar, and through the length of the cycle."""
    result = dominant_period(bars)
    result[:32] = np.nan
    return result


def of_a_cycle(bars, function):
    """function(closes less the newest, newest first; smoothed period; its whole bars), from the 64th bar on."""
    x, period, result = moved(bars), dominant_period(bars), []
    for t in range(len(x)):
        back = (x[: t + 1] - x[t])[::-1]
        result.append(function(back, period[t], int(period[t] + 0.5)) if t >= 63 else None)
    return result


@twin(forgets=lambda: 900)
def sine_wave(bars):
    def of(x, period, n):
        averaged = np.array([(4 * x[i] + 3 * x[i + 1] + 2 * x[i + 2] + x[i + 3]) / 10 for i in range(n)])
        angle = 2 * PI * np.arange(n) / n
        real, imaginary = (np.sin(angle) * averaged).sum(), (np.cos(angle) * averaged).sum()
        if np.all(averaged == 0):
            return 0, 0
        phase = np.arctan2(real, imaginary) + PI / 2 + 2 * PI / period
        return np.sin(phase), np.sin(phase + PI / 4)

    return np.array([(np.nan, np.nan) if v is None else v for v in of_a_cycle(bars, of)], np.longdouble)


@twin(forgets=lambda: 900)
def trendline_distance(bars):
    means = of_a_cycle(bars, lambda x, period, n: x[:n].mean())
    mean = np.array([np.nan if m is None else m for m in means], np.longdouble) + moved(bars)
    line = (4 * mean + 3 * before(mean) + 2 * before(mean, 2) + before(mean, 3)) / 10
    return (moved(bars) - line) / column(bars, "close")


# ---- filters ----


def filtered(x, gain, *keep):
    """y = gain x + keep[0] y before + keep[1] y before that ..., from zeros."""
    y = [np.longdouble(0)] * len(keep)
    for value in x:
        y.append(gain * value + sum(k * y[-1 - i] for i, k in enumerate(keep)))
    return np.array(y[len(keep) :])


def second_difference(bars):
    return np.nan_to_num(change(change(column(bars, "close"))))


def slower(n):
    """1 - alpha of the two-pole high-pass."""
    angle = np.sqrt(np.longdouble(2)) * PI / n
    return 1 - (np.cos(angle) + np.sin(angle) - 1) / np.cos(angle)


def high_pass(bars, n):
    k = slower(n)
    return filtered(second_difference(bars), ((1 + k) / 2) ** 2, 2 * k, -k * k)


def fades(n):
    """The modulus of the super smoother's poles."""
    return np.exp(-np.sqrt(np.longdouble(2)) * PI / n)


def super_smoother(x, n, last):
    """`last`: the value before the first, at which the filter stands."""
    a = fades(n)
    c2, c3 = 2 * a * np.cos(np.sqrt(np.longdouble(2)) * PI / n), -a * a
    c1 = 1 - c2 - c3
    two = (x + np.concatenate([[last], x[:-1]])) / 2 - last
    return last + filtered(two, c1, c2, c3)


def known_from(x, bar):
    x = np.array(x, np.longdouble)
    x[: bar - 1] = np.nan
    return x


@twin(decay=lambda window: (1 - 2 / (window + 1)) ** 0.85)  # two poles in one place
def cyber_cycle(bars, window):
    x, k = moved(bars), 1 - np.longdouble(2) / (window + 1)
    averaged = (x + 2 * before(x) + 2 * before(x, 2) + before(x, 3)) / 6
    d = np.nan_to_num(change(change(averaged)))
    y = filtered(d, ((1 + k) / 2) ** 2, 2 * k, -k * k)
    return known_from(y / column(bars, "close"), max(window, 6))


@twin(decay=lambda slow, fast: float(max(slower(slow), fades(fast))) ** 0.8)  # poles in one place, and more behind
def roofing_filter(bars, slow, fast):
    y = super_smoother(high_pass(bars, slow), fast, 0)
    return known_from(y / column(bars, "close"), slow)


@twin(decay=lambda slow, fast: float(max((1 - np.sin(2 * PI / slow)) / np.cos(2 * PI / slow), fades(fast))) ** 0.9)
def even_better_sinewave(bars, slow, fast):
    k = (1 - np.sin(2 * PI / slow)) / np.cos(2 * PI / slow)
    high = filtered(np.nan_to_num(change(column(bars, "close"))), (1 + k) / 2, k)
    y = super_smoother(high, fast, 0)
    three = np.array([y, *(np.nan_to_num(before(y, i)) for i in (1, 2))])
    size = np.sqrt((three**2).mean(axis=0))
    wave = np.divide(three.mean(axis=0), size, out=np.zeros(len(y), np.longdouble), where=size > 0)
    return known_from(wave, slow)


@twin(decay=lambda fast, slow: float(slower(max(fast, slow))) ** 0.85)  # two poles in one place
def decycler_oscillator(bars, fast, slow):
    y = high_pass(bars, slow) - high_pass(bars, fast)
    return known_from(y / column(bars, "close"), max(fast, slow))


@twin(decay=lambda window: 0.98)  # the root of squares that fade by 0.96
def reflex(bars, window):
    smooth = super_smoother(moved(bars), np.longdouble(window) / 2, 0)
    result = unknown(bars, 2)
    sizes = np.zeros(2, np.longdouble)
    for t in range(window, len(smooth)):
        last = smooth[t - window : t]  # oldest first
        line = smooth[t] + np.arange(window, 0, -1) * (last[0] - smooth[t]) / window
        both = np.array([(line - last).mean(), (smooth[t] - last).mean()])
        sizes = both**2 / 25 + sizes * 24 / 25
        result[t] = [m / np.sqrt(s) if s > 0 else 0 for m, s in zip(both, sizes, strict=True)]
    return result
