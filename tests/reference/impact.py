"""Naive twins of the kernels of impact and cost that came after those in `trades`: of a `Tape`, some of bars."""

from __future__ import annotations

from math import erf

import numpy as np
from numpy.typing import NDArray

from reference import bars as bar_twins
from reference import twin
from reference.books import Array, Tape, held, part
from reference.flow import NAN, Trades, correlation, one
from reference.intensity import shifted
from reference.trades import by_trade, over


def log_ratio(b: Array, a: Array) -> Array:
    """ln(b / a) by their difference, which is exact."""
    return np.log1p((b - a) / a)


def log_returns(price: Array) -> Array:
    return log_ratio(price, shifted(price))


def slope(x: Array, y: Array) -> float:
    """Of y on x."""
    if np.ptp(x) == 0:
        return np.nan
    x = x - x.mean()
    return (x * (y - y.mean())).sum() / (x * x).sum()


# ---- what a trade moves ----


@twin(events="trade")
def hasbrouck_lambda(tape: Tape, window: float) -> Array:
    t = Trades(tape)

    def cost(flow: Array, move: Array) -> float:
        return 10_000 * slope(flow, move) * np.abs(flow).mean()

    return by_trade(tape, over(int(window), cost, t.sign * np.sqrt(t.size), log_returns(t.price)))


@twin(events="trade")
def flow_price_correlation(tape: Tape, window: float) -> Array:
    t = Trades(tape)

    def fit(flow: Array, change: Array) -> float:
        return 0 if np.ptp(flow) > 0 and np.ptp(change) == 0 else correlation(flow, change)

    return by_trade(tape, over(int(window), fit, t.sign * t.size, t.change))


@twin(events="trade")
def trade_amihud(tape: Tape, window: float) -> Array:
    t = Trades(tape)
    money = np.where(t.size > 0, t.size * t.price, np.nan)
    per_money = np.abs(log_returns(t.price)) / money
    return by_trade(tape, over(int(window), lambda p, m: 10_000 * p.mean() * m.mean(), per_money, money))


@twin(events="trade", slack=(1, 1.1))  # the first sides may be unknown
def hasbrouck_impact(tape: Tape, window: float) -> Array:
    t = Trades(tape)
    r = 10_000 * log_returns(t.price)
    x = np.where(t.sign != 0, t.sign, np.nan)

    def response(r: Array, x: Array, r1: Array, x1: Array) -> float:
        now, before = np.array([r, x]), np.array([r1, x1])
        moments = (now @ now.T + before @ before.T) / 2
        cross = now @ before.T
        if moments[0, 0] == 0:
            return 0
        ridge = moments + np.diag(np.diag(moments)) / 100
        inverse = np.array([[ridge[1, 1], -ridge[0, 1]], [-ridge[1, 0], ridge[0, 0]]])
        step = cross @ inverse / (ridge[0, 0] * ridge[1, 1] - ridge[0, 1] ** 2)
        left = moments - step @ cross.T
        shock = np.array([left[0, 1] / max(left[1, 1], moments[1, 1] / 100), 1])
        total = shock[0]
        for _ in range(15):
            shock = step @ shock
            total += shock[0]
        return total

    return by_trade(tape, over(int(window), response, r, x, shifted(r), shifted(x)))


@twin(events="trade")
def bounce_share(tape: Tape, window: float) -> Array:
    change = Trades(tape).change
    back, last = np.full(len(change), NAN), 0
    for i, step in enumerate(change):
        if not np.isnan(step):
            back[i] = np.sign(step) * last < 0
            last = np.sign(step) or last
    moved = np.where(np.isnan(change), np.nan, change != 0)
    return by_trade(tape, over(int(window), lambda b, m: b.sum() / m.sum() if m.any() else 0, back, moved))


def shown(tape: Tape, values: Array) -> Array:
    """Values of the moments, NaN while the book is unknown."""
    return np.where(tape.valid if values.ndim == 1 else tape.valid[:, None], values, np.nan)


@twin(
    events="trade",
    writes=("trade",),
    needs_book=True,
    slack=(1, 1.2),
    level=1e-5,
    sparse=("small", "quotes", "spot", "perpetual"),
)
def response(tape: Tape, lag: float, window: float) -> Array:
    """Known late; the mid is rounded at 1e8. Most streams are shorter than its windows, or have gaps in them."""
    k = int(lag)
    mid = np.where(tape.valid, tape.mid, np.nan)[tape.trade]
    side = np.where(tape.sign != 0, tape.sign, np.nan)[tape.trade]
    gone = np.full(len(mid), NAN)
    gone[k:] = side[: max(0, len(side) - k)] * 10_000 * log_ratio(mid[k:], mid[: max(0, len(mid) - k)])
    values = np.array(over(int(window), np.mean, gone), np.longdouble)
    for i in range(1, len(values)):  # the windows of trades that do not count are those of the last that did
        values[i] = values[i - 1] if np.isnan(gone[i]) else values[i]
    return shown(tape, by_trade(tape, list(values)))


# ---- what a trade paid, and to whom it went ----


def mean_of_trades(tape: Tape, half_life: float, counts: NDArray[np.bool_], x: Array, weight: Array) -> Array:
    """A mean that fades from trade to trade, of those that count."""
    t = Trades(tape)
    counts, x, weight = (v[tape.trade] for v in (counts, x, weight))
    total, weights = t.faded(half_life, np.where(counts, x * weight, 0), np.where(counts, weight, 0))
    return shown(tape, by_trade(tape, list(part(total, weights, np.nan))))


@twin(events="trade", writes=("trade",), needs_book=True)
def effective_to_quoted(tape: Tape, half_life: float) -> Array:
    wide = tape.ask - tape.bid
    counts = tape.trade & tape.valid & (wide > 0)
    paid = np.abs(2 * tape.price - tape.bid - tape.ask) / np.where(wide > 0, wide, 1)
    return mean_of_trades(tape, half_life, counts, paid, tape.size * wide)


@twin(events="trade", writes=("trade",), needs_book=True)
def trade_through(tape: Tape, half_life: float) -> Array:
    through = one((tape.price > tape.ask) | (tape.price < tape.bid))
    return mean_of_trades(tape, half_life, tape.trade & tape.valid, through, tape.size)


@twin(events="trade", writes=("trade",), needs_book=True, slack=(1, 10))  # the first sides may be unknown
def touch_consumption(tape: Tape, half_life: float) -> Array:
    stands = np.where(tape.sign > 0, tape.asks[:, 0, 1], tape.bids[:, 0, 1])
    counts = tape.trade & tape.valid & (tape.sign != 0) & (stands > 0)
    taken = np.minimum(part(tape.size, stands, 0), 1)
    return mean_of_trades(tape, half_life, counts, taken, np.ones(len(tape), np.longdouble))


@twin(events="trade")
def trade_to_quote(tape: Tape, half_life: float) -> Array:
    trades, messages = tape.faded(half_life, one(tape.trade), one(tape.message & tape.valid))
    return part(trades, trades + messages, 0)


def aftermath(tape: Tape, horizon: float, half_life: float) -> list[Array]:
    """Realised spread, price impact, adverse share: each trade is settled at the first moment when the horizon is over
    since the first of the trades that wait with it, at the mid that stood before that moment."""
    wait = int(horizon * 1e9)
    size, cost, moved, adverse = (np.zeros(len(tape), np.longdouble) for _ in range(4))
    settlings = np.zeros(len(tape), bool)
    start, settled, first_mid = 0, -1, NAN
    for i in np.flatnonzero(tape.trade & tape.valid & (tape.sign != 0)):
        if i >= settled or tape.ts[i] - start > wait // 256:
            start, first_mid = tape.ts[i], tape.mid[i]
            settled = next((j for j in range(i + 1, len(tape)) if tape.ts[j] - start >= wait), len(tape))
        if settled == len(tape):
            break
        settlings[settled] = True
        if not tape.valid[settled - 1]:
            continue
        mid, q = tape.mid[settled - 1], tape.size[i]
        size[settled] += q
        cost[settled] += 20_000 * tape.sign[i] * q * log_ratio(tape.price[i], mid)
        moved[settled] += 20_000 * tape.sign[i] * q * log_ratio(mid, tape.mid[i])
        way = tape.sign[i] * log_ratio(mid, first_mid)
        adverse[settled] += q * (way > 1e-12)  # two mids that are alike may differ by a rounding
    total, *sums = tape.faded(half_life, size, cost, moved, adverse)
    return [held(tape, part(x, total, np.nan), settlings) for x in sums]


# Known after the horizon, however many events that is. The mid is rounded at 1e8.
@twin(events="trade", needs_book=True, slack=(0.1, 10), level=1e-5)
def realised_spread(tape: Tape, horizon: float, half_life: float) -> Array:
    return shown(tape, np.column_stack(aftermath(tape, horizon, half_life)[:2]))


@twin(events="trade", needs_book=True, slack=(0.1, 10))
def adverse_share(tape: Tape, horizon: float, half_life: float) -> Array:
    return shown(tape, aftermath(tape, horizon, half_life)[2])


@twin(events="trade", needs_book=True, slack=(0.1, 10), level=1e-5, sparse=("perpetual",))  # of which there are 10 s
def impact_decay(tape: Tape, short: float, long: float, half_life: float) -> Array:
    soon, late = (aftermath(tape, horizon, half_life)[1] for horizon in (short, long))
    size = np.abs(soon) + np.abs(late)
    return shown(tape, np.where(np.isnan(size), np.nan, part(late - soon, size, 0)))


# ---- from bars alone ----


@twin()
def corwin_schultz(bars, window):
    """Equations 14 and 18 of the paper; estimates below 0 count as 0."""
    high, low = (bar_twins.column(bars, name) for name in ("high", "low"))
    spread = np.full(len(bars), NAN)
    for i in range(1, len(bars)):
        beta = log_ratio(high[i], low[i]) ** 2 + log_ratio(high[i - 1], low[i - 1]) ** 2
        gamma = log_ratio(max(high[i], high[i - 1]), min(low[i], low[i - 1])) ** 2
        k = 3 - 2 * np.sqrt(np.longdouble(2))
        alpha = (np.sqrt(2 * beta) - np.sqrt(beta)) / k - np.sqrt(gamma / k)
        spread[i] = 10_000 * max(0, 2 * np.expm1(alpha) / (1 + np.exp(alpha)))
    return bar_twins.over(lambda s: s.mean(axis=1), window, spread)


@twin()
def abdi_ranaldo(bars, window):
    """Their two-day corrected estimator."""
    close, high, low = (bar_twins.column(bars, name) for name in ("close", "high", "low"))
    spread = np.full(len(bars), NAN)
    for i in range(1, len(bars)):
        away = [-(log_ratio(high[j], close[i - 1]) + log_ratio(low[j], close[i - 1])) / 2 for j in (i - 1, i)]
        spread[i] = 10_000 * np.sqrt(max(0, 4 * away[0] * away[1]))
    return bar_twins.over(lambda s: s.mean(axis=1), window, spread)


def signed_volume(bars) -> Array:
    move = log_returns(bar_twins.column(bars, "close"))
    return np.where(np.isnan(move), np.nan, np.sign(move) * bar_twins.column(bars, "volume"))


@twin()
def bar_kyle(bars, window):
    volume, move = bar_twins.column(bars, "volume"), log_returns(bar_twins.column(bars, "close"))
    return np.array(
        over(window, lambda x, y, v: 10_000 * slope(x, y) * v.mean(), signed_volume(bars), move, volume), np.longdouble
    )


@twin()
def pastor_stambaugh(bars, window):
    volume, move = bar_twins.column(bars, "volume"), log_returns(bar_twins.column(bars, "close"))
    flow = shifted(signed_volume(bars))
    return np.array(over(window, lambda x, y, v: 10_000 * slope(x, y) * v.mean(), flow, move, volume), np.longdouble)


@twin()
def bulk_imbalance(bars, window):
    volume, move = bar_twins.column(bars, "volume"), log_returns(bar_twins.column(bars, "close"))
    sd = np.array(over(window, lambda w: w.std(ddof=1) if np.ptp(w) > 0 else 0, move), np.longdouble)
    share = [0 if s == 0 else 2 * normal(r / s) - 1 if s > 0 else np.nan for r, s in zip(move, sd, strict=True)]
    net = np.array(share, np.longdouble) * volume
    return np.array(over(window, lambda x, v: x.sum() / v.sum() if v.any() else 0, net, volume), np.longdouble)


def normal(z: float) -> float:
    return (1 + erf(z / np.sqrt(2))) / 2
