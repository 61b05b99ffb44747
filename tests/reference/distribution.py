"""Naive twins of the family `distribution`: every window is cut out, sorted or counted at every bar."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np

from reference import twin
from reference.bars import (
    before,
    centred,
    column,
    deviation,
    flat,
    log_returns,
    over,
    percentile,
    rank_of_newest,
    share,
    standardised_moment,
    unknown,
)

# ---- location and moments ----


@twin()
def return_t(bars, window):
    def of(w):
        sample = np.sqrt((centred(w) ** 2).sum(axis=1) / (window - 1))
        return share(w.mean(axis=1), np.where(flat(w), 0, sample) / np.sqrt(np.longdouble(window)), np.nan)

    return over(of, window, log_returns(bars))


@twin()
def jarque_bera(bars, window):
    def of(w):
        return window / np.longdouble(6) * (standardised_moment(w, 3) ** 2 + (standardised_moment(w, 4) - 3) ** 2 / 4)

    return over(of, window, log_returns(bars))


@twin()
def l_moments(bars, window):
    """From the unbiased probability-weighted moments b0 .. b3."""

    def b(w, r):
        weight = [np.longdouble(math.comb(j, r)) / math.comb(window - 1, r) for j in range(window)]
        return (np.array(weight) * np.sort(w, axis=1)).mean(axis=1)

    def of(w, which):
        b0, b1, b2, b3 = (b(w, r) for r in range(4))
        l2 = np.where(flat(w), 0, 2 * b1 - b0)
        high = (6 * b2 - 6 * b1 + b0, 20 * b3 - 30 * b2 + 12 * b1 - b0)[which]
        return share(high, l2, np.nan)

    r = log_returns(bars)
    return np.column_stack([over(lambda w: of(w, which), window, r) for which in (0, 1)])  # noqa: B023


# ---- quantiles ----


@twin()
def quantile_skew(bars, window, percent):
    def of(w):
        low, middle, high = percentile(w, percent), percentile(w, 50), percentile(w, 100 - percent)
        return share(high + low - 2 * middle, high - low, np.nan)

    return over(of, window, log_returns(bars))


@twin()
def median_skew(bars, window):
    def of(w):
        return share(w.mean(axis=1) - percentile(w, 50), np.where(flat(w), 0, deviation(w)), np.nan)

    return over(of, window, log_returns(bars))


@twin()
def moors_kurtosis(bars, window):
    def of(w):
        e = [percentile(w, 12.5 * k) for k in range(8)]
        return share((e[7] - e[5]) + (e[3] - e[1]), e[6] - e[2], np.nan) - np.longdouble("1.233")

    return over(of, window, log_returns(bars))


@twin()
def crow_siddiqui(bars, window):
    def of(w):
        inner = percentile(w, 75) - percentile(w, 25)
        return share(percentile(w, 97.5) - percentile(w, 2.5), inner, np.nan) - np.longdouble("2.906")

    return over(of, window, log_returns(bars))


@twin()
def tail_index(bars, window):
    def of(w):
        size = np.sort(abs(w), axis=1)[:, ::-1]
        k = window // 10
        least = np.where(size[:, k] > 0, size[:, k], np.nan)
        return np.log(size[:, :k] / least[:, None]).mean(axis=1)

    return over(of, window, log_returns(bars))


@twin()
def midmean(bars, window):
    def of(w):
        cut = window // 4
        middle = np.sort(w, axis=1)[:, cut : window - cut].mean(axis=1)
        return share(middle, percentile(w, 75) - percentile(w, 25), np.nan)

    return over(of, window, log_returns(bars))


NORMAL_IQR = np.longdouble("1.3489795003921634")


@twin()
def interquartile_ratio(bars, window):
    def of(w):
        spread = np.where(flat(w), 0, deviation(w))
        return share(percentile(w, 75) - percentile(w, 25), NORMAL_IQR * spread, np.nan)

    return over(of, window, log_returns(bars))


@twin()
def robust_zscore(bars, window):
    def of(w):
        gone = w - w[:, -1:]
        from_median = gone - np.median(gone, axis=1)[:, None]
        mad = np.median(abs(from_median), axis=1)
        return share(from_median[:, -1], np.longdouble("1.4826022185056018") * mad, np.nan)

    return over(of, window, column(bars, "close"))


# ---- ranks and ages ----


@twin()
def return_rank(bars, window):
    return over(rank_of_newest, window, log_returns(bars))


def move_size(bars):
    """Orders moves as |log return| does; the same for a move and for the same move back."""
    close = column(bars, "close")
    last = before(close)
    return abs(close - last) / (close + last)


@twin()
def move_rank(bars, window):
    return over(rank_of_newest, window, move_size(bars))


@twin()
def volume_rank(bars, window):
    return over(rank_of_newest, window, column(bars, "volume"))


@twin()
def range_rank(bars, window):
    high, low = column(bars, "high"), column(bars, "low")
    return over(rank_of_newest, window, (high - low) / (high + low))


@twin()
def largest_move_age(bars, window):
    return over(lambda w: w[:, ::-1].argmax(axis=1), window, move_size(bars))


@twin()
def largest_volume_age(bars, window):
    return over(lambda w: w[:, ::-1].argmax(axis=1), window, column(bars, "volume"))


# ---- rises and falls ----


@twin()
def up_share(bars, window):
    def of(w):
        ups, downs = (w > 0).sum(axis=1), (w < 0).sum(axis=1)
        return share(ups.astype(np.longdouble), ups + downs, 0.5)

    return over(of, window, log_returns(bars))


@twin()
def extreme_return(bars, window):
    def of(w, end):
        return share(end(w, axis=1), np.sqrt((w * w).mean(axis=1)), np.nan)

    r = log_returns(bars)
    return np.column_stack([over(lambda w: of(w, end), window, r) for end in (np.max, np.min)])  # noqa: B023


# ---- volume ----


@twin()
def volume_variation(bars, window):
    return over(lambda w: share(deviation(w), w.mean(axis=1), np.nan), window, column(bars, "volume"))


@twin()
def volume_entropy(bars, window):
    def of(w):
        p = share(w, w.sum(axis=1, keepdims=True), np.nan)
        return -(p * np.log(np.where(p > 0, p, 1))).sum(axis=1) / np.log(np.longdouble(window))

    return over(of, window, column(bars, "volume"))


@twin()
def volume_concentration(bars, window):
    def of(w):
        return share(np.sort(w, axis=1)[:, window - window // 10 :].sum(axis=1), w.sum(axis=1), np.nan)

    return over(of, window, column(bars, "volume"))


# ---- entropy of patterns ----


def shares(things):
    return np.array(list(Counter(things).values()), np.longdouble) / len(things)


def entropy(p):
    p = p[p > 0]
    return -(p * np.log(p)).sum()


def words_of(x, length):
    """The last `length` values before and at each place, as tuples; none where one of them is unknown."""
    words = [None] * len(x)
    for t in range(length - 1, len(x)):
        word = tuple(x[t - length + 1 : t + 1])
        words[t] = word if not any(np.isnan(v) for v in word) else None
    return words


@twin()
def direction_entropy(bars, window, length):
    r = log_returns(bars)
    words = words_of(np.where(np.isnan(r), np.nan, r > 0), length)
    result = unknown(bars)
    for t in range(window - 1, len(r)):
        last = words[t - window + 1 : t + 1]
        if None not in last:
            result[t] = entropy(shares(last)) / (length * np.log(np.longdouble(2)))
    return result


@twin()
def permutation_entropy(bars, window, order):
    """Complexity: normalised entropy times Q JS(p, uniform), Q such that one pattern alone has a divergence of 1."""
    patterns = [word and tuple(np.argsort(word, kind="stable")) for word in words_of(column(bars, "close"), order)]
    kinds = math.factorial(order)
    uniform = np.full(kinds, np.longdouble(1) / kinds)

    def divergence(p):
        p = np.append(p, np.zeros(kinds - len(p), np.longdouble))
        return entropy((p + uniform) / 2) - entropy(p) / 2 - entropy(uniform) / 2

    result = unknown(bars, 2)
    for t in range(window - 1, len(bars)):
        last = patterns[t - window + 1 : t + 1]
        if None not in last:
            p = shares(last)
            h = entropy(p) / np.log(np.longdouble(kinds))
            result[t] = h, h * divergence(p) / divergence(np.ones(1, np.longdouble))
    return result


@twin()
def entropy_rate(bars, window, past):
    """The match at t: 1 + the longest run of signs up to t that also ended `past` bars before or later, 62 at most."""
    r = log_returns(bars)
    up, first = r > 0, 1
    longest = np.full(len(r), np.nan, np.longdouble)
    run = np.zeros((len(r) + 1, past + 1), int)  # run[t, lag]: signs up to t that equal those `lag` before
    for t in range(first, len(r)):
        for lag in range(1, past + 1):
            if t - lag >= first and up[t] == up[t - lag]:
                run[t, lag] = run[t - 1, lag] + 1
        if t - past >= first:
            longest[t] = 1 + min(run[t].max(), 62)
    mean = over(lambda w: w.mean(axis=1), window, longest)
    return np.log(np.longdouble(past)) / np.log(np.longdouble(2)) / mean
