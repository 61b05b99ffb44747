"""Naive twins of the kernels of pairs. Each takes a `View` and the kernel's parameters; a row per Peer event."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from reference import twin
from reference.legs import LONG, NAN, View, hold, log_ratio, rolling

Array = np.ndarray
NEVER = np.iinfo(np.int64).max


def masked(view: View, values: Array) -> Array:
    """Unknown while a leg is."""
    live = view.live if values.ndim == 1 else view.live[:, None]
    return np.where(live, values, NAN)


def at_samples(view: View, values: Array) -> Array:
    return masked(view, hold(len(view.peers), view.samples[0], values))


def windows(view: View, n: float, function) -> Array:
    """function(own, reference) of the last n returns at refresh times."""
    _, own, peer = view.samples
    return at_samples(view, rolling(int(n), function, own, peer))


def centred(x: Array) -> Array:
    return x - x.mean()


def correlation(y: Array, x: Array) -> float:
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return NAN
    x, y = centred(x), centred(y)
    return (x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum())


def slope(y: Array, x: Array) -> float:
    return NAN if np.ptp(x) == 0 else (centred(x) * centred(y)).sum() / (centred(x) ** 2).sum()


def residuals(y: Array, x: Array) -> Array:
    """Of the line of y on x; NaN where it leaves nothing but rounding."""
    if np.ptp(x) == 0:
        return np.full(len(x), NAN)
    left = centred(y) - slope(y, x) * centred(x)
    return left if (left**2).sum() > 1e-9 * (centred(y) ** 2).sum() else np.full(len(x), NAN)


def standing(y: Array, x: Array) -> float:
    left = residuals(y, x)
    return left[-1] / np.sqrt((left**2).mean())


@twin(events="peer")
def pair_correlation(view: View, window: float) -> Array:
    return windows(view, window, correlation)


@twin(events="peer")
def pair_beta(view: View, window: float) -> Array:
    return windows(view, window, slope)


@twin(events="peer")
def pair_residual(view: View, window: float) -> Array:
    return windows(view, window, standing)


@twin(events="peer")
def pair_residual_volatility(view: View, window: float) -> Array:
    return windows(view, window, lambda y, x: 10_000 * np.sqrt((residuals(y, x) ** 2).mean()))


@twin(events="peer")
def pair_volatility_ratio(view: View, window: float) -> Array:
    return windows(view, window, lambda y, x: NAN if np.ptp(x) == 0 or np.ptp(y) == 0 else np.log(y.std() / x.std()))


@twin(events="peer")
def pair_correlation_change(view: View, fast: float, slow: float) -> Array:
    return windows(view, fast, correlation) - windows(view, slow, correlation)


@twin(events="peer")
def pair_strength(view: View, window: float) -> Array:
    return windows(view, window, lambda y, x: (y - x).sum())


@twin(events="peer")
def peer_return(view: View, window: float) -> Array:
    return windows(view, window, lambda y, x: x.sum())


@twin(events="peer")
def pair_concordance(view: View, window: float) -> Array:
    return windows(view, window, lambda y, x: (np.sign(y) * np.sign(x)).mean())


@twin(events="peer")
def pair_lead_lag(view: View, window: float, lag: float) -> Array:
    _, own, peer = view.samples
    k, n = int(lag), int(window)

    def asymmetry(y: Array, x: Array) -> float:
        return correlation(y[k:], x[:-k]) - correlation(x[k:], y[:-k])

    return at_samples(view, rolling(n + k, asymmetry, own, peer))


@twin(events="peer")
def pair_hayashi_yoshida(view: View, window: float) -> Array:
    """The double sum over intervals that overlap, of prices at one time the last. A product counts with the Peer at or
    after which both have ended."""
    leg, peers, n = view.leg, view.peers, int(window)
    seen = [j for j in range(len(peers)) if not np.isnan(peers["price"][j]) and peers["updates"][j] > 0]
    price = peers["price"].astype(LONG)
    both = [(seen[i], seen[i + 1], log_ratio(price[seen[i + 1]], price[seen[i]])) for i in range(len(seen) - 1)]
    mine = [(i, i + 1, log_ratio(leg.price[i + 1], leg.price[i])) for i in range(len(leg.ts) - 1)]
    mine = [m for m in mine if not np.isnan(m[2])]
    # The first Peer at which the own price is known and the reference has moved since an observation.
    own_first = leg.event[np.flatnonzero(~np.isnan(leg.price))[0]] if len(mine) else len(view.events)
    starts = [b for _, b, _ in both if view.peer_at[b] > own_first]
    values = np.full(len(peers), NAN)
    if not starts:
        return values
    begun = starts[0]
    # What the kernel counts begins with the interval that ends there.
    opened = next(j for j in range(begun - 1, -1, -1) if j in seen)
    places = [j for j in range(begun, len(peers)) if view.live[j]]
    at_peer = np.array(places)

    def bucket(event: int) -> int:
        """Which of the places a product falls to that is complete with this event of the stream."""
        return int(np.searchsorted(view.peer_at[at_peer], event))

    size = len(places) + 1
    c, rr, qq = (np.zeros(size, LONG) for _ in range(3))
    gate = view.peer_at[opened]
    ends = np.array([leg.ts[k] for _, k, _ in mine], np.int64)
    begins = np.array([leg.ts[np.searchsorted(leg.ts, t) - 1] if t > leg.ts[0] else NEVER for t in ends], np.int64)
    for _, b, r in mine:
        if leg.event[b] > gate:
            rr[bucket(leg.event[b])] += r * r
    for _, b, q in both:
        if b < begun:
            continue
        qq[bucket(view.peer_at[b])] += q * q
        began = max((peers["ts"][j] for j in seen if peers["ts"][j] < peers["ts"][b]), default=NEVER)
        for m in np.flatnonzero((begins < peers["ts"][b]) & (began < ends)):
            _, k, r = mine[m]
            c[bucket(max(view.peer_at[b], leg.event[k]))] += r * q
    for m in range(n - 1, len(places)):
        part = slice(m + 1 - n, m + 1)
        if rr[part].sum() > 0 and qq[part].sum() > 0:
            values[places[m]] = c[part].sum() / np.sqrt(rr[part].sum() * qq[part].sum())
    known = np.array(places[n - 1 :], np.int64)
    return masked(view, hold(len(peers), known, values[known]))


def levels(steps: Array) -> Array:
    return np.append(LONG(0), np.cumsum(steps))


def spread_windows(view: View, n: float, function) -> Array:
    """function of the last n levels of ln(own / reference)."""
    return windows(view, n - 1, lambda y, x: function(levels(y - x)))


@twin(events="peer")
def pair_spread(view: View, window: float) -> Array:
    return spread_windows(view, window, lambda s: NAN if np.ptp(s) == 0 else centred(s)[-1] / s.std())


@twin(events="peer")
def pair_reversion(view: View, window: float) -> Array:
    return spread_windows(view, window, lambda s: -slope(np.diff(s), s[:-1]))


@twin(events="peer")
def pair_cointegration(view: View, window: float) -> Array:
    def t(y: Array, x: Array) -> float:
        u = residuals(levels(y), levels(x))
        if np.isnan(u).any():
            return NAN
        before, step = u[:-1], np.diff(u)
        b = (before * step).sum() / (before**2).sum()
        error = ((step - b * before) ** 2).sum() / (len(step) - 1) / (before**2).sum()
        return b / np.sqrt(error)

    return windows(view, window - 1, t)


@twin(events="peer")
def pair_discovery(view: View, window: float) -> Array:
    def share(y: Array, x: Array) -> float:
        s = levels(y - x)[:-1]
        own, other = abs(slope(y, s)), abs(slope(x, s))
        return other / (own + other) if own + other > 0 else NAN

    return windows(view, window - 1, share)


@twin(events="peer", decay=lambda memory: 1 - 1 / memory)
def pair_kalman(view: View, memory: float) -> Array:
    """Predict and correct, as in the books."""
    places, own, peer = view.samples
    n = int(memory)
    out = np.full((len(places), 2), NAN)
    kept = np.flatnonzero(peer != 0)
    x, y = peer[kept], own[kept]
    start = 0
    while start + n <= len(x):
        xx, xy, yy = ((a * b)[start : start + n].mean() for a, b in ((x, x), (x, y), (y, y)))
        b, noise = xy / xx, yy - xy**2 / xx
        if noise > 1e-12 * yy:
            break
        start += n
    if start + n <= len(x):
        p = noise / xx / n
        for i in range(start + n, len(x)):
            p = p + noise / xx / memory**2
            s = x[i] ** 2 * p + noise
            gain, error = p * x[i] / s, y[i] - b * x[i]
            b, p = b + gain * error, (1 - gain * x[i]) * p
            out[kept[i]] = b, error / np.sqrt(s)
            noise += (error**2 - noise) / memory
            xx += (x[i] ** 2 - xx) / memory
    known = np.flatnonzero(~np.isnan(out[:, 0]))
    return masked(view, hold(len(view.peers), places[known], out[known]))


@twin(events="peer")
def pair_semi_beta(view: View, window: float) -> Array:
    def both(y: Array, x: Array) -> list[float]:
        return [(x * y)[k].sum() / (x * x)[k].sum() if (x[k] != 0).any() else NAN for k in (x < 0, x > 0)]

    _, own, peer = view.samples
    return at_samples(view, rolling(int(window), both, own, peer, width=2))


@twin(events="peer")
def pair_coexceedance(view: View, window: float) -> Array:
    n = int(window)
    _, own, peer = view.samples

    def large(y: Array, x: Array) -> list[float]:
        y, x = (centred(v)[-1] / v.std() if v.std() > 0 else 0 for v in (y, x))
        far = abs(y) > 1.645, abs(x) > 1.645
        return [all(far) and x * y > 0, any(far)]

    marks = rolling(n, large, own, peer, width=2)
    values = rolling(n, lambda m: m[:, 0].sum() / m[:, 1].sum() if m[:, 1].sum() > 0 else NAN, marks)
    return at_samples(view, values)


@twin(events="peer")
def pair_co_jump(view: View, window: float) -> Array:
    _, own, peer = view.samples

    def jumps(y: Array, x: Array) -> float:
        plus, minus = abs(y + x), abs(y - x)
        bipower = np.pi / 8 * (plus[1:] * plus[:-1] - minus[1:] * minus[:-1]).sum()
        x, y = x[1:], y[1:]
        return ((x * y).sum() - bipower) / np.sqrt((x**2).sum() * (y**2).sum()) if x.any() and y.any() else NAN

    return at_samples(view, rolling(int(window) + 1, jumps, own, peer))


@twin(events="peer")
def pair_volume_ratio(view: View, fast: float, slow: float) -> Array:
    at = np.flatnonzero(view.live)
    own, peer = view.since("volume")[at], view.peers["volume"][at].astype(LONG)

    def ratio(n: float) -> Array:
        return rolling(int(n), lambda a, b: np.log(a.sum() / b.sum()) if a.any() and b.any() else NAN, own, peer)

    return masked(view, hold(len(view.peers), at, ratio(fast) - ratio(slow)))


@twin(events="peer")
def pair_flow_correlation(view: View, window: float) -> Array:
    at = np.flatnonzero(view.live)
    values = rolling(int(window), correlation, view.since("net")[at], view.peers["net"][at].astype(LONG))
    return masked(view, hold(len(view.peers), at, values))


@twin(events="peer")
def pair_flow_lead(view: View, window: float) -> Array:
    places, own, _ = view.samples
    flow = view.peers["flow"].astype(LONG)
    between = np.array([flow[a + 1 : b + 1].sum() for a, b in pairwise(places)], LONG)
    if not len(places):
        return np.full(len(view.peers), NAN)
    # The first return's own interval: all flow up to it.
    between = np.append(flow[: places[0] + 1].sum(), between)
    values = rolling(int(window), correlation, own[1:], between[:-1])
    return masked(view, hold(len(view.peers), places[1:], values))


@twin(events="peer")
def peer_age(view: View) -> Array:
    return view.peers["age"].astype(LONG)


@twin(events="peer")
def refresh_share(view: View, window: float) -> Array:
    hit = np.zeros(len(view.peers), LONG)
    hit[view.samples[0]] = 1
    return np.append(NAN, rolling(int(window), np.mean, hit[1:]))[: len(hit)]
