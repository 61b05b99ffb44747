"""Compiled loops of the simulator. Importing this file loads Numba; ``simulator`` does so when first used.

Prices are integer ticks and sizes integer lots inside. Time runs in cells of 0.1 s: the latent path is
constant within a cell, order flow inside it is continuous in time. All randomness comes from one SplitMix64
word per stream (Steele, Lea, Flood 2014), so results depend on the seed alone.

The parts: limit orders at power-law distances and cancels proportional to what stands (Cont, Stoikov, Talreja
2010; Mike, Farmer 2008), market orders from a two-scale Hawkes process (Bacry, Mastromatteo, Muzy 2015),
metaorders with Pareto lengths (Lillo, Mike, Farmer 2005), and a latent fundamental price with stochastic
volatility and jumps that moves by the *surprise* in each trade's sign (Madhavan, Richardson, Roomans 1997),
so that persistent signs do not make persistent returns.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

CELL, CELL_NS = 0.1, 100_000_000
"""Seconds and nanoseconds in a cell."""
RING = 1024
"""Levels are stored at ``tick % RING``."""
REACH = 120
"""Ticks behind the best price beyond which nothing stands."""
FEWEST = 30
"""Levels a side below which a market maker fills the nearest hole."""
DEEPEST = 8
"""Levels one market order may take."""
SLOTS = 4
"""Metaorders that can be at work at once."""
HEAT = ((0.35, 20.0), (0.40, 300.0), (0.45, 3600.0))
"""Log volatility sums three Ornstein-Uhlenbeck processes: standard deviation and time (s) of each."""
HEAT_VARIANCE = 0.35**2 + 0.40**2 + 0.45**2

# path[cell]: what the common factor gives to every instrument
DRIFT, VOL, SHOCK, JUMP, ACTIVITY, RESILIENCE, PULL, REGIME = range(8)
PATH = 8

# columns of the regime table, and what its last column may say besides 1 and -1
R_DRIFT, R_VOL, R_ACTIVITY, R_RESILIENCE, R_JUMPS, R_PULL, R_DECAY, R_DWELL, R_DIRECTION = range(9)
NONE, RANDOM, OPPOSITE = 0.0, 2.0, 3.0

# common factor: parts of log volatility, episode's age and length in cells, drift's sign, regime
F_HEAT, F_AGE, F_DWELL, F_SIGN, F_REGIME = 0, 3, 4, 5, 6
FACTOR = 7

# instrument state, floats
VALUE, ANCHOR, OFFSET, PULLED, BUY_FAST, BUY_SLOW, SELL_FAST, SELL_SLOW, START, CHILD = range(10)
STATE = 10 + SLOTS
# instrument state, integers: best ticks, outermost live ticks, live levels (bid, ask), cell open, metaorder
# signs and children
BEST, OUTER, LIVE, OPEN, META = 0, 2, 4, 6, 7
COUNTS = META + 2 * SLOTS

# settings, explained where they get their values
(
    MARKET, LEAN, TILT, FAST, FAST_SELF, FAST_CROSS, SLOW, SLOW_SELF, SLOW_CROSS, META_START, META_RATE,
    META_TAIL, META_LEAST, LIMIT, MARGIN, WIDTH, FLEE, EARLY, IMPACT, USUAL, SWEEP, BITE, TICK, LOT,
    PER_TICK, PER_LOT, RHO,
) = range(27)  # fmt: skip
SETTINGS = 27

# an event's second word: kind, side << 8, flags << 16, instrument << 32
TRADE, DEPTH, CLOSED = 2, 3, 3 | 1 << 16

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1, _M2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


@njit
def uniform(rng: Any) -> Any:
    """Uniform in (0, 1)."""
    rng[0] += _GOLDEN
    z = rng[0]
    z = (z ^ (z >> _30)) * _M1
    z = (z ^ (z >> _27)) * _M2
    z = z ^ (z >> _31)
    return (np.float64(z >> _11) + 0.5) * 1.1102230246251565e-16


@njit
def normal(rng: Any) -> Any:
    """Standard normal (Box and Muller; the second value is not kept, so a draw has no hidden state)."""
    return np.sqrt(-2.0 * np.log(uniform(rng))) * np.cos(2.0 * np.pi * uniform(rng))


@njit
def lots(rng: Any) -> Any:
    """An order's size in lots: round numbers, a lognormal body and a Pareto tail."""
    u = uniform(rng)
    if u < 0.35:
        v = uniform(rng)
        return 100 if v < 0.5 else (50 if v < 0.65 else (200 if v < 0.8 else (500 if v < 0.94 else 1000)))
    if u < 0.98:
        return 1 + int(60.0 * np.exp(1.0 * normal(rng)))
    return 1 + int(min(400.0 * uniform(rng) ** (-1.0 / 1.6), 20000.0))


@njit
def latent(rng: Any, state: Any, table: Any, chain: Any, path: Any) -> None:
    """Fill ``path`` (cells, PATH). ``chain`` (regimes, regimes): cumulative chances of what follows what."""
    root = np.sqrt(CELL)
    for c in range(path.shape[0]):
        if state[F_AGE] >= state[F_DWELL]:
            regime = int(state[F_REGIME])
            u = uniform(rng)
            following = 0
            while following < chain.shape[1] - 1 and u > chain[regime, following]:
                following += 1
            regime = following
            state[F_REGIME], state[F_AGE] = regime, 0.0
            state[F_DWELL] = np.ceil(table[regime, R_DWELL] * (0.4 - 0.6 * np.log(uniform(rng))) / CELL)
            way = table[regime, R_DIRECTION]
            v = uniform(rng)
            if way == RANDOM:
                state[F_SIGN] = 1.0 if v < 0.5 else -1.0
            elif way == OPPOSITE:
                state[F_SIGN] = -state[F_SIGN]
            elif way != NONE:
                state[F_SIGN] = way
        r = table[int(state[F_REGIME])]
        fade = np.exp(-state[F_AGE] * CELL / r[R_DECAY]) if r[R_DECAY] > 0.0 else 1.0
        h = 0.0
        for j, (spread, memory) in enumerate(HEAT):
            x = state[F_HEAT + j]
            state[F_HEAT + j] = x - x * CELL / memory + spread * np.sqrt(2.0 / memory) * root * normal(rng)
            h += state[F_HEAT + j]
        heat = 1.0 + (r[R_VOL] - 1.0) * (0.5 + 0.5 * fade)
        path[c, DRIFT] = state[F_SIGN] * r[R_DRIFT] * fade * CELL
        path[c, VOL] = heat * np.exp(h - HEAT_VARIANCE) * root
        path[c, SHOCK] = normal(rng)
        u, size = uniform(rng), 2.0 - 3.0 * np.log(uniform(rng))
        path[c, JUMP] = (size if uniform(rng) < 0.5 else -size) * heat if u < r[R_JUMPS] * CELL else 0.0
        path[c, ACTIVITY] = r[R_ACTIVITY] * np.exp(0.8 * h - 0.32 * HEAT_VARIANCE)
        path[c, RESILIENCE] = r[R_RESILIENCE]
        path[c, PULL] = r[R_PULL] * CELL
        path[c, REGIME] = state[F_REGIME]
        state[F_AGE] += 1.0


@njit
def put(out: Any, n: Any, ts: Any, head: Any, sign: Any, tick: Any, size: Any, q: Any) -> Any:
    """Write event ``n``. ``out`` holds the same 64-byte records twice, as integers and as floats."""
    rows, values = out
    rows[n, 0], rows[n, 1] = ts, head | (sign & 255) << 8
    values[n, 2], values[n, 3] = tick * q[TICK] / q[PER_TICK], size * q[LOT] / q[PER_LOT]
    for column in range(4, 8):
        values[n, column] = 0.0
    return n + 1


@njit
def change(book: Any, orders: Any, k: Any, side: Any, tick: Any, size: Any, count: Any) -> None:
    """Set a level to ``size`` lots in ``count`` orders and keep best, outermost and live levels right."""
    sign = 1 - 2 * side
    at = tick & (RING - 1)
    k[LIVE + side] += (1 if size > 0 else 0) - (1 if book[side, at] > 0 else 0)
    book[side, at], orders[side, at] = size, count
    if size > 0:
        if sign * (tick - k[BEST + side]) > 0:
            k[BEST + side] = tick
        if sign * (k[OUTER + side] - tick) > 0:
            k[OUTER + side] = tick
    while book[side, k[BEST + side] & (RING - 1)] == 0 and k[LIVE + side] > 0:
        k[BEST + side] -= sign


@njit
def flow(
    rng: Any, s: Any, k: Any, book: Any, orders: Any, q: Any, reach: Any, fade: Any, path: Any, cell: Any,
    ts0: Any, instrument: Any, rows: Any, values: Any, mids: Any,
) -> Any:  # fmt: skip
    """Run order flow from ``cell`` of ``path`` on; return ``(cell reached, events written)``.

    Stops early, between two orders, when ``rows`` is nearly full; calling again goes on as if it had not
    stopped. ``reach[i]`` is the cumulative chance that a limit order stands at most ``i`` ticks behind the
    best price its maker would give, ``fade[d]`` the cancel rate of an order ``d`` ticks behind its own best.
    ``ts0`` is the time of the first cell of ``path``.
    """
    n, room, out = 0, rows.shape[0] - 3 * REACH, (rows, values)
    took = np.zeros(DEEPEST, np.int64)
    who = instrument << 32
    most = 1.0 + 3.0 * q[FLEE]
    while cell < path.shape[0]:
        p = path[cell]
        if k[OPEN] == 0:  # the latent value moves once a cell, in ticks scaled by price over start price
            k[OPEN], s[OFFSET] = 1, 0.0
            own = normal(rng)
            scale = s[VALUE] / s[START]
            s[VALUE] += scale * (
                p[DRIFT] + p[VOL] * (np.sqrt(q[RHO]) * p[SHOCK] + np.sqrt(1.0 - q[RHO]) * own) + p[JUMP]
            )
            if p[PULL] > 0.0:
                if s[PULLED] == 0.0:
                    s[ANCHOR] = s[VALUE]
                s[VALUE] += p[PULL] * (s[ANCHOR] - s[VALUE])
            s[PULLED] = p[PULL]
            s[VALUE] = max(s[VALUE], 4.0 * REACH)
        activity = p[ACTIVITY]
        while True:
            if n > room:
                return cell, n
            value = s[VALUE]
            gap = value - 0.5 * (k[BEST] + k[BEST + 1])
            bids, asks = book[0, k[BEST] & (RING - 1)], book[1, k[BEST + 1] & (RING - 1)]
            lean = min(max(gap / q[LEAN] + q[TILT] * (bids - asks) / (bids + asks), -1.5), 1.5)
            up = np.exp(lean)
            base_buy, base_sell = q[MARKET] * activity * up, q[MARKET] * activity / up
            meta_buy, meta_sell, idle = 0.0, 0.0, 0
            for j in range(SLOTS):
                if k[META + SLOTS + j] > 0:
                    if k[META + j] > 0:
                        meta_buy += s[CHILD + j] * activity
                    else:
                        meta_sell += s[CHILD + j] * activity
                else:
                    idle += 1
            start = idle * q[META_START] * activity
            excited = s[BUY_FAST] + s[BUY_SLOW] + s[SELL_FAST] + s[SELL_SLOW]
            steady = base_buy + base_sell + meta_buy + meta_sell
            quoting = 0.5 * activity + 0.5 * min((steady + excited) / q[USUAL], 6.0 * activity)
            stand0 = stand1 = 0.0
            for d in range(REACH):
                stand0 += orders[0, (k[BEST] - d) & (RING - 1)] * fade[d]
                stand1 += orders[1, (k[BEST + 1] + d) & (RING - 1)] * fade[d]
            place = q[LIMIT] * p[RESILIENCE]
            bound = steady + excited + start + quoting * (place + (stand0 + stand1) * most)
            wait = -np.log(uniform(rng)) / bound
            over = s[OFFSET] + wait >= CELL
            if over:
                wait = CELL - s[OFFSET]
            fast, slow = np.exp(-q[FAST] * wait), np.exp(-q[SLOW] * wait)
            s[BUY_FAST] *= fast
            s[SELL_FAST] *= fast
            s[BUY_SLOW] *= slow
            s[SELL_SLOW] *= slow
            s[OFFSET] += wait
            if over:
                k[OPEN] = 0
                break
            # Ogata's thinning: rates only fell since the bound was taken; in the rest nothing happens
            buy = base_buy + meta_buy + s[BUY_FAST] + s[BUY_SLOW]
            sell = base_sell + meta_sell + s[SELL_FAST] + s[SELL_SLOW]
            quoting = 0.5 * activity + 0.5 * min((buy + sell) / q[USUAL], 6.0 * activity)
            ts = ts0 + cell * CELL_NS + np.int64(s[OFFSET] * 1e9)
            mid = 0.5 * (k[BEST] + k[BEST + 1]) * q[TICK] / q[PER_TICK]
            began = n
            u = uniform(rng) * bound
            if u < buy + sell:
                sign, side = (1, 1) if u < buy else (-1, 0)
                inside = u if sign > 0 else u - buy
                for j in range(SLOTS):  # a child of which metaorder, if any
                    if k[META + SLOTS + j] > 0 and k[META + j] == sign:
                        if 0.0 <= inside < s[CHILD + j] * activity:
                            k[META + SLOTS + j] -= 1
                        inside -= s[CHILD + j] * activity
                want, best = max(int(q[BITE] * lots(rng)), 1), book[side, k[BEST + side] & (RING - 1)]
                v = uniform(rng)
                if v < 0.15:
                    want = best  # takes exactly what is shown
                elif v > q[SWEEP]:
                    want *= 4
                else:
                    want = min(want, best)
                taken, deals, tick = 0, 0, k[BEST + side]
                for level in range(DEEPEST):
                    tick = k[BEST + side]
                    at = tick & (RING - 1)
                    stands = book[side, at]
                    fill = min(want - taken, stands)
                    taken += fill
                    took[level] = tick
                    n = put(out, n, ts, who | TRADE, sign, tick, fill, q)
                    deals += 1
                    left = stands - fill
                    count = 0 if left == 0 else max(1, orders[side, at] * left // stands)
                    change(book, orders, k, side, tick, left, count)
                    if taken >= want:
                        break
                for j in range(deals - 1):  # the same levels again, as the message that follows the trades
                    n = put(out, n, ts, who | DEPTH, -sign, took[j], 0, q)
                n = put(out, n, ts, who | CLOSED, -sign, tick, book[side, tick & (RING - 1)], q)
                mids[began : began + deals] = mid
                surprise = sign - (buy - sell) / (buy + sell)
                s[VALUE] += q[IMPACT] * surprise * min(np.sqrt(taken / 100.0), 3.0) * s[VALUE] / s[START]
                same, cross = (0, 2) if sign > 0 else (2, 0)
                s[BUY_FAST + same] += q[FAST] * q[FAST_SELF]
                s[BUY_SLOW + same] += q[SLOW] * q[SLOW_SELF]
                s[BUY_FAST + cross] += q[FAST] * q[FAST_CROSS]
                s[BUY_SLOW + cross] += q[SLOW] * q[SLOW_CROSS]
                began += deals
            elif u < buy + sell + start:
                for j in range(SLOTS):
                    if k[META + SLOTS + j] == 0:
                        k[META + j] = 1 if uniform(rng) < 0.5 + 0.3 * np.tanh(gap / 3.0) else -1
                        k[META + SLOTS + j] = int(
                            min(q[META_LEAST] * uniform(rng) ** (-1.0 / q[META_TAIL]), 2000.0)
                        )
                        s[CHILD + j] = q[META_RATE] * np.exp(0.6 * normal(rng))
                        break
            elif u < buy + sell + start + quoting * place:
                side = 0 if uniform(rng) < 0.5 else 1
                sign = 1 - 2 * side
                v, i = uniform(rng), 0
                while v > reach[i]:
                    i += 1
                # a maker sees the value with an error, keeps a margin, wider when it moves, never crosses
                seen = value + q[WIDTH] * normal(rng) - sign * q[MARGIN] * p[VOL] / np.sqrt(CELL)
                worst = k[BEST + 1 - side] - sign
                tick = np.int64(np.floor(seen)) if sign > 0 else np.int64(np.ceil(seen))
                tick = (min(tick, worst) if sign > 0 else max(tick, worst)) - sign * i
                if sign * (k[BEST + side] - tick) < REACH:
                    at = tick & (RING - 1)
                    change(book, orders, k, side, tick, book[side, at] + lots(rng), orders[side, at] + 1)
                    n = put(out, n, ts, who | CLOSED, sign, tick, book[side, at], q)
            else:
                u -= buy + sell + start + quoting * place
                u /= quoting * most
                if u < stand0 + stand1:
                    side = 0 if u < stand0 else 1
                    sign = 1 - 2 * side
                    u -= side * stand0
                    d = 0
                    while d < REACH - 1:
                        u -= orders[side, (k[BEST + side] - sign * d) & (RING - 1)] * fade[d]
                        if u < 0.0:
                            break
                        d += 1
                    tick = k[BEST + side] - sign * d
                    at = tick & (RING - 1)
                    loss = q[EARLY] + sign * (tick - value) + q[MARGIN] * p[VOL] / np.sqrt(CELL)
                    pressure = 1.0 + q[FLEE] * min(max(loss, 0.0), 3.0)
                    if orders[side, at] > 0 and uniform(rng) * most < pressure:
                        count, stands = orders[side, at], book[side, at]
                        gone = stands
                        if count > 1:
                            part = int(stands / count * (0.4 + 1.2 * uniform(rng)))
                            gone = min(max(part, 1), stands - 1)
                        change(book, orders, k, side, tick, stands - gone, count - 1)
                        n = put(out, n, ts, who | CLOSED, sign, tick, stands - gone, q)
            if n == began:
                continue
            for side in range(2):
                sign = 1 - 2 * side
                tick = k[BEST + side]
                while k[LIVE + side] < FEWEST:
                    if book[side, tick & (RING - 1)] == 0:
                        size = lots(rng)
                        change(book, orders, k, side, tick, size, 1)
                        n = put(out, n, ts, who | CLOSED, sign, tick, size, q)
                    tick -= sign
                while sign * (k[BEST + side] - k[OUTER + side]) >= REACH:
                    if book[side, k[OUTER + side] & (RING - 1)] > 0:
                        change(book, orders, k, side, k[OUTER + side], 0, 0)
                        n = put(out, n, ts, who | CLOSED, sign, k[OUTER + side], 0, q)
                    k[OUTER + side] += sign
            mids[began:n] = 0.5 * (k[BEST] + k[BEST + 1]) * q[TICK] / q[PER_TICK]
        cell += 1
    return cell, n
