"""Naive twins of the kernels on bars. Each takes a structured array of dtype BAR and the kernel's parameters.

Windows are cut out and recomputed whole at every bar; recursive averages are written as the weighted sums they are.
All of it in extended precision (80 bits on x86) and, where a small difference of prices is meant, on differences, which
are exact: so a twin can also say how accurate a kernel is at a price of 1e8.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from reference import twin

Array = NDArray[np.longdouble]


# ---- words ----


def column(bars: np.ndarray, name: str) -> Array:
    return bars[name].astype(np.longdouble)


def prices(bars: np.ndarray) -> tuple[Array, Array, Array, Array]:
    return column(bars, "open"), column(bars, "high"), column(bars, "low"), column(bars, "close")


def typical(bars: np.ndarray, base: float = 0.0) -> Array:
    """(high + low + close) / 3 - base."""
    _, high, low, close = prices(bars)
    return (close - base) + ((high - close) + (low - close)) / 3


ROUNDING = 1e-14
"""Typical prices that differ by less than this share of themselves are equal: sums of doubles round differently."""


def unknown(bars: np.ndarray, *outputs: int) -> Array:
    return np.full((len(bars), *outputs), np.nan, np.longdouble)


def before(x: Array, n: int = 1) -> Array:
    """x[t - n], NaN where there is none."""
    result = np.full(len(x), np.nan, np.longdouble)
    if n < len(x):
        result[n:] = x[: len(x) - n]
    return result


def over(function, n: int, *columns: Array) -> Array:
    """function(rows of n) at every bar; its arguments have shape (k, n). NaN while a window is short or holds NaN."""
    result = np.full(len(columns[0]), np.nan, np.longdouble)
    if n <= len(result):
        windows = [sliding_window_view(x, n) for x in columns]
        whole = ~np.any([np.isnan(w).any(axis=1) for w in windows], axis=0)
        if whole.any():
            result[n - 1 :][whole] = function(*(w[whole] for w in windows))
    return result


def smooth(x: Array, n: int, alpha: float) -> Array:
    """Recursive average: the mean of the first n known values, each later value entering with weight alpha.

    sum_k alpha (1 - alpha)^k x[t - k] + (1 - alpha)^m mean of the first n, m values after those.
    """
    known = np.flatnonzero(~np.isnan(x))
    values = x[known]
    result = np.full(len(x), np.nan, np.longdouble)
    keep = 1 - np.longdouble(alpha)
    powers = keep ** np.arange(len(values) + 1)
    for m in range(len(values) - n + 1):
        late = values[n : n + m]
        result[known[n - 1 + m]] = powers[m] * values[:n].mean() + (alpha * powers[:m][::-1] * late).sum()
    return result


def ema(x: Array, n: int) -> Array:
    return smooth(x, n, np.longdouble(2) / (n + 1))


def wilder(x: Array, n: int) -> Array:
    return smooth(x, n, np.longdouble(1) / n)


def change(x: Array) -> Array:
    return x - before(x)


def log_ratio(a: Array, b: Array) -> Array:
    """ln(a / b)."""
    return np.log1p((a - b) / b)


def log_returns(bars: np.ndarray) -> Array:
    close = column(bars, "close")
    return log_ratio(close, before(close))


def true_range(bars: np.ndarray) -> Array:
    """Wilder's, from the second bar on: the largest of high - low, |high - last close|, |low - last close|."""
    _, high, low, close = prices(bars)
    last = before(close)
    return np.max([np.where(np.isnan(last), np.nan, high - low), abs(high - last), abs(low - last)], axis=0)


def share(part: Array, whole: Array, otherwise: float) -> Array:
    """part / whole, `otherwise` where the whole is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole == 0, np.longdouble(otherwise), part / whole)


def centred(w: Array) -> Array:
    """Less the mean of the row."""
    from_newest = w - w[:, -1:]
    return from_newest - from_newest.mean(axis=1, keepdims=True)


def deviation(w: Array) -> Array:
    """Standard deviation of each row (population)."""
    return np.sqrt((centred(w) ** 2).mean(axis=1))


def flat(w: Array) -> NDArray[np.bool_]:
    return w.max(axis=1) == w.min(axis=1)


def rank_of_newest(w: Array) -> Array:
    """Share of the window below its newest value, equals (itself too) counted half."""
    newest = w[:, -1:]
    return (w < newest).mean(axis=1) + (w == newest).mean(axis=1) / 2


# ---- trend ----


@twin()
def log_return(bars, window):
    close = column(bars, "close")
    return log_ratio(close, before(close, window))


@twin()
def sma_distance(bars, window):
    return over(lambda w: centred(w)[:, -1] / w.mean(axis=1), window, column(bars, "close"))


@twin(decay=lambda window: 1 - 2 / (window + 1))
def ema_distance(bars, window):
    close = column(bars, "close")
    gone = close - close[0]
    return (gone - ema(gone, window)) / ema(close, window)


@twin(decay=lambda *windows: 1 - 2 / (max(windows) + 1))
def macd(bars, fast, slow, signal):
    close = column(bars, "close")
    gone = close - close[0]
    line = (ema(gone, fast) - ema(gone, slow)) / ema(close, slow)
    histogram = line - ema(line, signal)
    return np.column_stack([np.where(np.isnan(histogram), np.nan, line), histogram])


def directions(bars, window):
    """+DI and -DI: Wilder averages of what the range grew by on either side, over that of the true range."""
    _, high, low, _ = prices(bars)
    rise, fall = high - before(high), before(low) - low
    first = np.isnan(rise)
    up = np.where(first, np.nan, np.where((rise > fall) & (rise > 0), rise, 0))
    down = np.where(first, np.nan, np.where((fall > rise) & (fall > 0), fall, 0))
    range_ = wilder(true_range(bars), window)
    return 100 * share(wilder(up, window), range_, 0), 100 * share(wilder(down, window), range_, 0)


@twin(decay=lambda window: 1 - 1 / window)
def adx(bars, window):
    plus, minus = directions(bars, window)
    return wilder(100 * share(abs(plus - minus), plus + minus, 0), window)


@twin(decay=lambda window: 1 - 1 / window)
def di(bars, window):
    plus, minus = directions(bars, window)
    return plus - minus


@twin()
def aroon(bars, window):
    """The newest of equal extrema counts."""
    _, high, low, _ = prices(bars)
    since_high = over(lambda w: w[:, ::-1].argmax(axis=1), window + 1, high)
    since_low = over(lambda w: w[:, ::-1].argmin(axis=1), window + 1, low)
    return 100 * (since_low - since_high) / window


@twin()
def efficiency_ratio(bars, window):
    close = column(bars, "close")
    path = over(lambda w: abs(np.diff(w, axis=1)).sum(axis=1), window + 1, close)
    return share(abs(close - before(close, window)), path, 0)


def line_through(w: Array) -> tuple[Array, Array]:
    """Slope and R2 of the least-squares line through each row; R2 is NaN for a flat one."""
    x = np.arange(w.shape[1], dtype=np.longdouble)
    x -= x.mean()
    y = centred(w)
    slope = (x * y).sum(axis=1) / (x * x).sum()
    left = ((y - slope[:, None] * x) ** 2).sum(axis=1)
    all_ = (y * y).sum(axis=1)
    return slope, np.where(flat(w), np.nan, 1 - share(left, all_, np.nan))


@twin()
def regression_slope(bars, window):
    return over(lambda w: line_through(w)[0] / w.mean(axis=1), window, column(bars, "close"))


@twin()
def regression_r2(bars, window):
    return over(lambda w: line_through(w)[1], window, column(bars, "close"))


# ---- momentum ----


@twin(decay=lambda window: 1 - 1 / window)
def rsi(bars, window):
    d = change(column(bars, "close"))
    up = wilder(np.where(np.isnan(d), np.nan, np.maximum(d, 0)), window)
    down = wilder(np.where(np.isnan(d), np.nan, np.maximum(-d, 0)), window)
    return 100 * share(up, up + down, 0.5)


@twin()
def stochastic(bars, window, smooth):
    _, high, low, close = prices(bars)
    top = over(lambda w: w.max(axis=1), window, high)
    bottom = over(lambda w: w.min(axis=1), window, low)
    raw = 100 * share(close - bottom, top - bottom, 0.5)
    k = over(lambda w: w.mean(axis=1), smooth, raw)
    d = over(lambda w: w.mean(axis=1), smooth, k)
    return np.column_stack([np.where(np.isnan(d), np.nan, k), d])


@twin(level=1e-5)  # the typical price is rounded before it is averaged
def cci(bars, window):
    base = column(bars, "close")[0]

    def of(w):
        distance = abs(centred(w)).mean(axis=1)
        still = distance <= ROUNDING * (base + w.mean(axis=1))
        return np.where(still, 0, centred(w)[:, -1] / np.where(still, 1, 0.015 * distance))

    return over(of, window, typical(bars, base))


@twin()
def mfi(bars, window):
    price = typical(bars)
    money, d = price * column(bars, "volume"), change(price)
    d = np.where(abs(d) <= ROUNDING * price, 0, d)
    up = over(lambda w: w.sum(axis=1), window, np.where(np.isnan(d), np.nan, np.where(d > 0, money, 0)))
    down = over(lambda w: w.sum(axis=1), window, np.where(np.isnan(d), np.nan, np.where(d < 0, money, 0)))
    return 100 * share(up, up + down, 0.5)


@twin()
def donchian(bars, window):
    _, high, low, close = prices(bars)
    top = over(lambda w: w.max(axis=1), window, high)
    bottom = over(lambda w: w.min(axis=1), window, low)
    return share(close - bottom, top - bottom, 0.5)


# ---- volatility ----


@twin(decay=lambda window: 1 - 1 / window)
def atr(bars, window):
    return wilder(true_range(bars), window) / column(bars, "close")


@twin()
def bollinger(bars, window, width):
    def of(w):
        half = width * deviation(w)
        return share(centred(w)[:, -1] + half, 2 * half, 0.5)

    close = column(bars, "close")
    band = over(lambda w: 2 * width * deviation(w) / w.mean(axis=1), window, close)
    return np.column_stack([over(of, window, close), band])


@twin()
def volatility(bars, window):
    return over(lambda w: np.sqrt((centred(w) ** 2).sum(axis=1) / (window - 1)), window, log_returns(bars))


@twin()
def realised_volatility(bars, window):
    return over(lambda w: np.sqrt((w * w).sum(axis=1)), window, log_returns(bars))


@twin()
def parkinson(bars, window):
    _, high, low, _ = prices(bars)
    ranges = log_ratio(high, low)
    return over(lambda w: np.sqrt((w * w).mean(axis=1) / (4 * np.log(np.longdouble(2)))), window, ranges)


@twin()
def garman_klass(bars, window):
    open_, high, low, close = prices(bars)
    term = log_ratio(high, low) ** 2 / 2 - (2 * np.log(np.longdouble(2)) - 1) * log_ratio(close, open_) ** 2
    return over(lambda w: np.sqrt(w.mean(axis=1)), window, term)


@twin()
def volatility_percentile(bars, window, history):
    """Volatilities that differ by less than one part in 10^12 are equal."""
    level = volatility(bars, window)
    with np.errstate(divide="ignore"):
        digits = np.where(level > 0, np.floor(np.log10(level)), 0)
    unit = np.longdouble(10) ** (digits - 11)
    return over(rank_of_newest, history, np.where(level > 0, np.rint(level / unit) * unit, level))


# ---- volume ----


@twin()
def obv(bars, window):
    volume, sign = column(bars, "volume"), np.sign(change(column(bars, "close")))
    return over(lambda v, s: share((s * v).sum(axis=1), v.sum(axis=1), 0), window, volume, sign)


@twin(level=1e-5)  # so here
def vwap_distance(bars, window):
    close = column(bars, "close")
    base = close[0]

    def of(close, price, volume):
        vwap = share((price * volume).sum(axis=1), volume.sum(axis=1), np.nan)
        return (close[:, -1] - vwap) / (base + vwap)

    return over(of, window, close - base, typical(bars, base), column(bars, "volume"))


@twin()
def relative_volume(bars, window):
    return over(lambda w: share(w[:, -1], w.mean(axis=1), np.nan), window, column(bars, "volume"))


@twin()
def amihud(bars, window):
    """Turnover is volume times close where the bar does not say. Bars without turnover are passed over; on them the
    value stands."""
    turnover = np.where(bars["turnover"] > 0, column(bars, "turnover"), column(bars, "volume") * column(bars, "close"))
    known = (turnover > 0) & ~np.isnan(log_returns(bars))
    result = unknown(bars)
    with np.errstate(divide="ignore"):
        each = abs(log_returns(bars)[known]) / turnover[known]
        result[known] = over(lambda w: np.log10(w.mean(axis=1)), window, each)
    result[np.isinf(result)] = np.nan  # the price stood all the window long
    for t in range(1, len(bars)):
        if not known[t]:
            result[t] = result[t - 1]
    return result


# ---- candle ----


@twin()
def candle(bars):
    open_, high, low, close = prices(bars)
    parts = close - open_, high - np.maximum(open_, close), np.minimum(open_, close) - low
    return np.column_stack([share(part, high - low, 0) for part in parts])


# ---- statistics ----


@twin()
def zscore(bars, window):
    return over(lambda w: share(centred(w)[:, -1], deviation(w), 0), window, column(bars, "close"))


@twin()
def rank(bars, window):
    return over(rank_of_newest, window, column(bars, "close"))


def percentile(w: Array, percent: float) -> Array:
    """Of each row: linear interpolation between the two order statistics around percent / 100 (n - 1)."""
    w = np.sort(w, axis=-1)
    at = np.longdouble(percent) / 100 * (w.shape[-1] - 1)
    low = int(np.floor(at))
    high = min(low + 1, w.shape[-1] - 1)
    return w[..., low] + (at - low) * (w[..., high] - w[..., low])


@twin()
def quantile(bars, window, percent):
    return over(lambda w: -percentile(w - w[:, -1:], percent) / percentile(w, percent), window, column(bars, "close"))


def standardised_moment(w: Array, k: int) -> Array:
    d = centred(w)
    m2 = np.where(flat(w), np.nan, (d * d).mean(axis=1))
    return (d**k).mean(axis=1) / np.sqrt(m2) ** k


@twin()
def skew(bars, window):
    return over(lambda w: standardised_moment(w, 3), window, log_returns(bars))


@twin()
def kurtosis(bars, window):
    return over(lambda w: standardised_moment(w, 4) - 3, window, log_returns(bars))


@twin()
def autocorrelation(bars, window):
    def of(now, last):
        x, y = centred(last), centred(now)
        still = flat(last) | flat(now)
        norm = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
        return np.where(still, np.nan, (x * y).sum(axis=1) / np.where(still, 1, norm))

    r = log_returns(bars)
    return over(of, window, r, before(r))


# ---- risk ----


@twin()
def drawdown(bars, window):
    return over(lambda w: (w[:, -1] - w.max(axis=1)) / w.max(axis=1), window, column(bars, "close"))


KEPT = (0.6, 0.9, 0.975)
OF_RESIDUALS = {"decay": lambda window: KEPT[-1], "behind": lambda window: window, "needs_moves": True}
"""The residuals lie in a window, behind recursive averages."""


def volatility_of_next(r: Array) -> Array:
    """Root of the mean of three recursive averages of squared returns, each begun as the mean of the first 20."""
    return np.sqrt(sum(smooth(r * r, 20, 1 - np.longdouble(str(kept))) for kept in KEPT) / 3)


def next_percentile(w: Array, percent: float) -> Array:
    """Linear interpolation at the rank percent / 100 (n + 1), the first being 1: the next value has the same chance to
    fall into each of the n + 1 gaps."""
    w = np.sort(w, axis=-1)
    at = np.longdouble(percent) / 100 * (w.shape[-1] + 1) - 1
    low = int(np.floor(at))
    return w[..., low] + (at - low) * (w[..., low + 1] - w[..., low])


def pareto(excesses: Array) -> tuple[float, float]:
    """Shape and scale of the generalised Pareto distribution by probability-weighted moments."""
    y = np.sort(excesses)
    k = len(y)
    p = (np.arange(1, k + 1) - np.longdouble(0.35)) / k
    a0, a1 = y.mean(), ((1 - p) * y).mean()
    return 2 - a0 / (a0 - 2 * a1), 2 * a0 * a1 / (a0 - 2 * a1)


class Tail:
    """Of losses: the worst tenth beyond the next worse one, which the next loss passes once in (n + 1) / (k + 1)."""

    def __init__(self, losses: Array) -> None:
        losses = np.sort(losses)[::-1]
        n = len(losses)
        k = n // 10
        excesses = losses[:k] - losses[k]
        found = pareto(excesses)[0] if excesses.any() else np.longdouble(0.25)
        self.threshold, self.odds = losses[k], np.longdouble(n + 1) / (k + 1)
        self.xi = (k * found + 150 * np.longdouble(0.25)) / (k + 150)
        self.beta = excesses.mean() * (1 - self.xi)  # the mean stays what it was

    def quantile(self, times: float) -> float:
        """What is passed once in so many."""
        return self.threshold + self.beta / self.xi * ((times / self.odds) ** self.xi - 1)

    def mean_beyond(self, loss: float) -> float:
        return max(loss, self.threshold + (loss - self.threshold + self.beta) / (1 - self.xi))

    def told(self, losses: Array) -> list[float]:
        """VaR 95, VaR 99, ES 95, ES 99."""
        var95 = next_percentile(losses, 95)
        var99 = max(var95, self.quantile(100))
        return [var95, var99, self.mean_beyond(var95), self.mean_beyond(var99)]


@twin(**OF_RESIDUALS)
def fhs(bars, window):
    """Filtered historical simulation: sigma, VaR 95, VaR 99, ES 95, ES 99.

    A return over the volatility that was forecast for it is a residual, 20 at most (none while the forecast is 0); from
    100 on, the last `window` of them times the newest forecast are the next return's distribution, with a fitted tail.
    """
    r = log_returns(bars)
    sigmas = volatility_of_next(r)
    forecast = before(sigmas)
    result = unknown(bars, 5)
    residuals = []
    for t in range(len(bars)):
        if forecast[t] > 0:
            residuals.append(np.clip(r[t] / forecast[t], -20, 20))
        if np.isnan(forecast[t]) or len(residuals) < 100:
            continue
        losses = -np.array(residuals[-window:])
        result[t] = sigmas[t] * np.array([1, *Tail(losses).told(losses)])
    return result
