"""Naive twins of the kernels of baskets. Each takes a `View` and the kernel's parameters; a row per Basket or Factor
event."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from reference import twin
from reference.bars import ema
from reference.legs import LONG, NAN, View, hold, rolling
from reference.pairs import centred, correlation, levels, residuals, slope, standing

Array = np.ndarray


def told(view: View, name: str) -> Array:
    return view.baskets[name].astype(LONG)


def of_known(values: Array, function) -> Array:
    """function of the known values, held where they are not."""
    at = np.flatnonzero(~np.isnan(values))
    return hold(len(values), at, function(values[at]))


def windows(view: View, n: float, function) -> Array:
    """function(own, others) of the last n returns."""
    places, own, others = view.basket
    return hold(len(view.baskets), places, rolling(int(n), function, own, others))


@twin(events="basket")
def basket_dispersion(view: View) -> Array:
    return 10_000 * told(view, "dispersion")


@twin(events="basket")
def basket_dispersion_rank(view: View, window: float) -> Array:
    def rank(d: Array) -> float:
        return ((d < d[-1]).sum() + LONG(0.5) * (d == d[-1]).sum()) / len(d)

    return of_known(told(view, "dispersion"), lambda d: rolling(int(window), rank, d))


@twin(events="basket", decay=lambda window: 1 - 2 / (window + 1))
def basket_rank(view: View, window: float) -> Array:
    return of_known(told(view, "rank"), lambda r: ema(r, int(window)))


@twin(events="basket")
def basket_breadth(view: View, window: float) -> Array:
    return of_known(told(view, "breadth"), lambda b: rolling(int(window), np.mean, b))


@twin(events="basket")
def basket_flow(view: View, window: float) -> Array:
    return of_known(told(view, "flow"), lambda f: rolling(int(window), np.mean, f))


@twin(events="basket")
def basket_fresh(view: View, window: float) -> Array:
    return rolling(int(window), np.mean, told(view, "fresh"))


@twin(events="basket")
def basket_return(view: View, window: float) -> Array:
    return windows(view, window, lambda y, x: x.sum())


@twin(events="basket")
def basket_correlation(view: View, window: float) -> Array:
    return windows(view, window, correlation)


@twin(events="basket")
def basket_beta(view: View, window: float) -> Array:
    return windows(view, window, slope)


@twin(events="basket")
def basket_residual(view: View, window: float) -> Array:
    return windows(view, window, standing)


@twin(events="basket")
def basket_residual_momentum(view: View, fast: float, slow: float) -> Array:
    f, s = int(fast), int(slow)

    def momentum(y: Array, x: Array) -> float:
        left = (y[-f:] - slope(y[-s:], x[-s:]) * x[-f:]).sum()
        return left / np.sqrt((residuals(y[-s:], x[-s:]) ** 2).mean() * f)

    return windows(view, max(f, s), momentum)


@twin(events="basket")
def basket_lead(view: View, window: float) -> Array:
    return windows(view, window + 1, lambda y, x: correlation(x[1:], y[:-1]) - correlation(y[1:], x[:-1]))


@twin(events="basket")
def basket_flow_lead(view: View, window: float) -> Array:
    places, own, _ = view.basket
    if not len(places):
        return np.full(len(view.baskets), NAN)
    flow = np.nan_to_num(told(view, "flow"))
    edges = np.append(0, places + 1)
    upto = np.array([flow[a:b].sum() for a, b in pairwise(edges)], LONG)
    return hold(len(view.baskets), places[1:], rolling(int(window), correlation, own[1:], upto[:-1]))


@twin(events="basket")
def basket_distance(view: View, window: float) -> Array:
    def z(y: Array, x: Array) -> float:
        s = levels(y - x)
        return NAN if np.ptp(s) == 0 else centred(s)[-1] / s.std()

    return windows(view, window - 1, z)


@twin(events="factor")
def factor_share(view: View) -> Array:
    return view.factors["share"].astype(LONG)


@twin(events="factor")
def factor_share_change(view: View, window: float) -> Array:
    share = view.factors["share"].astype(LONG)
    return of_known(share, lambda s: rolling(int(window) + 1, lambda w: w[-1] - w[0], s))


@twin(events="factor")
def factor_loading(view: View) -> Array:
    return view.factors["loading"].astype(LONG)


@twin(events="factor")
def factor_residual(view: View, window: float) -> Array:
    places, own, score = view.factor
    return hold(len(view.factors), places, rolling(int(window), standing, own, score))
