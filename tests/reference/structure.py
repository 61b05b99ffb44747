"""Naive twins of the kernels of structure. What is alive is a plain list that each bar walks; swings and the bars
between them are looked up in the whole past at every bar."""

from __future__ import annotations

import numpy as np

from reference import twin
from reference.bars import over, prices, share, true_range, unknown

SLACK = 1e-9
LONGEST, FAR, MOST = 1000, 50, 16


def forgets_in(bars):
    """What a bad print made is replaced by a newer swing, traded through, or too old."""
    return {"decay": lambda *_: 1e-24 ** (1 / bars)}


def mean_range(bars):
    return over(lambda w: w.mean(axis=1), 20, true_range(bars))


def ranges(distance, size):
    if distance == 0:
        return 0
    return FAR * np.sign(distance) if size == 0 else np.clip(distance / size, -FAR, FAR)


def is_swing(values, t, side):
    """Whether values[t - side] is an extreme (the largest) of the window that ends at t; of equal ones the newest."""
    window = values[t - 2 * side : t + 1]
    return len(window) - 1 - int(np.argmax(window[::-1])) == side


def swings(bars, side):
    """At every bar from the first whole window on: (t, swing high at, swing low at, one new?, the other?)."""
    high, low = bars["high"], bars["low"]
    last_high = last_low = None
    for t in range(2 * side, len(bars)):
        up, down = is_swing(high, t, side), is_swing(-low, t, side)
        if up or last_high is None:
            last_high = t - side if up else t - int(np.argmax(high[: t + 1][::-1]))
        if down or last_low is None:
            last_low = t - side if down else t - int(np.argmin(low[: t + 1][::-1]))
        yield t, last_high, last_low, up, down


@twin(**forgets_in(1000))
def swing(bars, side):
    _, high, low, close = prices(bars)
    size, result = mean_range(bars), unknown(bars, 4)
    for t, h, l, _, _ in swings(bars, side):  # noqa: E741
        if not np.isnan(size[t]):
            ages = min(t - h, LONGEST), min(t - l, LONGEST)
            result[t] = ranges(close[t] - high[h], size[t]), ranges(close[t] - low[l], size[t]), *ages
    return result


@twin(**forgets_in(1000))
def dealing_range(bars, side):
    _, high, low, close = prices(bars)
    result = unknown(bars)
    for t, h, l, _, _ in swings(bars, side):  # noqa: E741
        bottom, top = min(high[h], low[l]), max(high[h], low[l])
        result[t] = np.clip(share(close[t] - bottom, top - bottom, 0.5), -2, 3)
    return result


def breaks(bars, side):
    """At every bar: (t, direction of a break or 0, the bar where its move began or None)."""
    high, low, close = bars["high"], bars["low"], bars["close"]
    broken_high = broken_low = None
    first = None
    for t, h, l, _, _ in swings(bars, side):  # noqa: E741
        first = t if first is None else first
        if close[t] > high[h] and broken_high != h:
            broken_high = h
            start = h + 1 if is_confirmed(high, h, side, t) else first + 1
            segment = low[start:t]
            yield t, 1, t - 1 - int(np.argmin(segment[::-1])) if len(segment) else None
        elif close[t] < low[l] and broken_low != l:
            broken_low = l
            start = l + 1 if is_confirmed(-low, l, side, t) else first + 1
            segment = high[start:t]
            yield t, -1, t - 1 - int(np.argmax(segment[::-1])) if len(segment) else None
        else:
            yield t, 0, None


def is_confirmed(values, at, side, t):
    """And not the extreme of the first window, standing in for a swing; behind that, bars count once it is known."""
    return at >= side and t >= at + side and is_swing(values, at + side, side)


@twin(**forgets_in(2500))
def market_structure(bars, side):
    result, trend, streak, last, flip = unknown(bars, 4), 0, 0, None, None
    for t, broke, _ in breaks(bars, side):
        if last is None:
            last = flip = t
        if broke:
            if broke != trend:
                trend, flip, streak = broke, t, 0
            streak, last = streak + 1, t
        result[t] = trend, min(t - last, LONGEST), min(t - flip, LONGEST), streak
    return result


def balance(a, b):
    return (len(a) - len(b)) / np.longdouble(len(a) + len(b)) if a or b else 0


@twin(**forgets_in(2500))
def order_block(bars, side, life):
    _, high, low, close = prices(bars)
    size, result = mean_range(bars), unknown(bars, 5)
    bulls, bears = [], []  # (bar of the block, bar of the break)
    for t, broke, at in breaks(bars, side):
        bulls = [z for z in bulls if t - z[1] <= life and low[t] >= low[z[0]]]
        bears = [z for z in bears if t - z[1] <= life and high[t] <= high[z[0]]]
        if at is not None:
            (bulls if broke > 0 else bears).append((at, t))
        bulls, bears = bulls[-MOST:], bears[-MOST:]
        if np.isnan(size[t]):
            continue
        below, above, below_age, above_age = FAR, FAR, life, life
        if bulls:
            at, since = max(bulls, key=lambda z: (high[z[0]], z[1]))
            below, below_age = ranges(max(close[t] - high[at], 0), size[t]), t - since
        if bears:
            at, since = min(bears, key=lambda z: (low[z[0]], -z[1]))
            above, above_age = ranges(max(low[at] - close[t], 0), size[t]), t - since
        result[t] = below, above, below_age, above_age, balance(bulls, bears)
    return result


@twin(**forgets_in(1000))
def fair_value_gap(bars, life):
    open_, high, low, close = prices(bars)
    size, result = mean_range(bars), unknown(bars, 6)
    bulls, bears = [], []  # the third bar of each

    def left_of_bull(z, t):
        return min(low[z : t + 1])

    def left_of_bear(z, t):
        return max(high[z : t + 1])

    for t in range(2, len(bars)):
        bulls = [z for z in bulls if t - z <= life and left_of_bull(z, t) > high[z - 2]]
        bears = [z for z in bears if t - z <= life and left_of_bear(z, t) < low[z - 2]]
        if close[t - 1] > open_[t - 1] and high[t - 2] < low[t]:
            bulls = [*bulls, t][-MOST:]
        if close[t - 1] < open_[t - 1] and low[t - 2] > high[t]:
            bears = [*bears, t][-MOST:]
        if np.isnan(size[t]):
            continue
        below, above, below_filled, above_filled, nearest = FAR, FAR, 1, 1, []
        if bulls:
            z = max(bulls, key=lambda z: (left_of_bull(z, t), z))
            edge, width = left_of_bull(z, t), low[z] - high[z - 2]
            below, below_filled = ranges(close[t] - edge, size[t]), (low[z] - edge) / width
            nearest.append((close[t] - edge, 0, width))
        if bears:
            z = min(bears, key=lambda z: (left_of_bear(z, t), -z))
            edge, width = left_of_bear(z, t), low[z - 2] - high[z]
            above, above_filled = ranges(edge - close[t], size[t]), (edge - high[z]) / width
            nearest.append((edge - close[t], 1, width))
        width = ranges(min(nearest)[2], size[t]) if nearest else 0
        result[t] = below, above, below_filled, above_filled, balance(bulls, bears), width
    return result


@twin(**forgets_in(2500))
def liquidity(bars, side, life):
    _, high, low, close = prices(bars)
    size, result = mean_range(bars), unknown(bars, 6)
    highs, lows = [], []  # [price, bar of the last swing's confirmation, swings]
    sweep, swept_at = 0, None

    def touch(pools, price, t, farther):
        near = 0 if np.isnan(size[t]) else size[t] / 4 * (1 + SLACK)
        order = sorted(range(len(pools)), key=lambda i: (abs(pools[i][0] - price), -i))
        if order and abs(pools[order[0]][0] - price) <= near:
            pool = pools[order[0]]
            pool[:] = farther(pool[0], price), t, pool[2] + 1
        else:
            pools.append([price, t, 1])
            del pools[:-MOST]

    for t, h, l, new_high, new_low in swings(bars, side):  # noqa: E741
        if any(high[t] > p[0] and p[2] > 1 for p in highs):
            sweep, swept_at = 1, t
        if any(low[t] < p[0] and p[2] > 1 for p in lows):
            sweep, swept_at = -1, t
        highs = [p for p in highs if high[t] <= p[0] and t - p[1] <= life]
        lows = [p for p in lows if low[t] >= p[0] and t - p[1] <= life]
        if new_high:
            touch(highs, high[h], t, max)
        if new_low:
            touch(lows, low[l], t, min)
        if np.isnan(size[t]):
            continue
        above, below, above_touches, below_touches = FAR, FAR, 0, 0
        if highs:
            price, _, above_touches = min(reversed(highs), key=lambda p: p[0])
            above = ranges(price - close[t], size[t])
        if lows:
            price, _, below_touches = max(reversed(lows), key=lambda p: p[0])
            below = ranges(close[t] - price, size[t])
        age = min(t - swept_at, LONGEST) if sweep else LONGEST
        result[t] = above, below, above_touches, below_touches, sweep, age
    return result


@twin(**forgets_in(1000))
def displacement(bars, window):
    open_, _, _, close = prices(bars)
    body = close - open_
    size = share(body, over(lambda w: w.mean(axis=1), window, abs(body)), 0)
    result, direction, last = unknown(bars, 3), 0, None
    for t in range(window - 1, len(bars)):
        if abs(size[t]) > 2.5 * (1 + SLACK):
            direction, last = np.sign(size[t]), t
        result[t] = size[t], direction, LONGEST if last is None else min(t - last, LONGEST)
    return result
