"""One table of 100 bar columns that smartcore, TA-Lib and wickra all have.

    python bench/cases.py                # prints the table

What is timed is what is checked: ``tests/test_bench.py`` runs every row and demands that the peers' numbers,
put through the row's relation, are ours; ``bench/peers.py`` times the same rows. Fair to the peers:

- A peer is charged its raw indicator (SMA, not close / SMA - 1). The arithmetic of a relation is free of
  charge, and so is whatever else it reads (``free``: the slow average under MACD, -DI beside +DI, the mean
  under a z-score).
- Inputs that are no indicator (typical price, log return, squared range ...) are handed to peers ready-made.
  We get bars and make them ourselves.
- One call counts for every column that can be read from its outputs, as a node of ours does: BBANDS gives
  the bands, the mean and the deviation, OBV one total for two windows. ``calls`` lists each once.
- Where two functions give the number, the row names the cheaper (Williams' %R, not DONCHIAN).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Call = tuple[str, str, tuple[float, ...]]
MINUTE = 60_000_000_000


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars and the series made of them, each shape (n,). ``ts``: int64 ns; prices positive."""

    ts: NDArray[np.int64]
    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array

    def __len__(self) -> int:
        return len(self.ts)

    @property
    def typical(self) -> Array:
        return (self.high + self.low + self.close) / 3

    @property
    def returns(self) -> Array:
        """Log returns; the first is NaN."""
        return np.r_[np.nan, np.diff(np.log(self.close))]

    @property
    def returns_before(self) -> Array:
        return np.r_[np.nan, self.returns[:-1]]

    @property
    def squares(self) -> Array:
        return self.returns**2

    @property
    def ranges(self) -> Array:
        """Squared log range, Parkinson's term."""
        return np.log(self.high / self.low) ** 2

    @property
    def garman_klass(self) -> Array:
        return 0.5 * self.ranges - (2 * np.log(2) - 1) * np.log(self.close / self.open) ** 2

    @property
    def deviation20(self) -> Array:
        """Deviation of the last 20 log returns, which TA-Lib's row for volatility_20 has already given."""
        return free("STDDEV", self.returns, 20, 1.0)

    @property
    def place(self) -> Array:
        """The number of the bar."""
        return np.arange(len(self), dtype=float)

    def series(self, inputs: str) -> list[Array]:
        """The series of names set apart by spaces, contiguous."""
        return [np.ascontiguousarray(getattr(self, name)) for name in inputs.split()]

    def events(self) -> NDArray[np.void]:
        from smartcore.market.events import bars

        return bars(self.ts, self.open, self.high, self.low, self.close, self.volume)


def make_bars(n: int, seed: int = 20) -> Bars:
    """A bar a minute: a random walk with fat tails (Student t, 4 degrees of freedom), gaps and no ties."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.standard_t(4, n) * 5e-4))
    open_ = np.r_[100.0, close[:-1]] * np.exp(rng.normal(0, 1e-4, n))
    high = np.maximum(open_, close) * np.exp(rng.exponential(3e-4, n))
    low = np.minimum(open_, close) * np.exp(-rng.exponential(3e-4, n))
    ts = 1_704_067_200_000_000_000 + MINUTE * np.arange(1, n + 1)
    return Bars(ts, open_, high, low, close, rng.lognormal(3, 1, n))


@dataclass(frozen=True, slots=True)
class Peer:
    """What a peer is asked: ``function(*inputs, *args)``, and how its outputs become our column.

    ``relation(bars, *outputs)`` gives our numbers; None where the peer has only something near, which
    ``note`` says.
    """

    function: str
    inputs: str
    args: tuple[float, ...] = ()
    relation: Callable[..., Array] | None = None
    note: str = ""

    @property
    def call(self) -> Call:
        """What is charged once, however many columns read it."""
        return self.function, self.inputs, self.args


@dataclass(frozen=True, slots=True)
class Case:
    """A column of ours and what gives its number elsewhere.

    ``stream`` is TA-Lib's cheapest handle, which may be of another function than its cheapest batch call.
    """

    column: str
    talib: Peer
    wickra: Peer
    stream: Peer
    tolerance: float

    def peer(self, name: str) -> Peer:
        return {"talib": self.talib, "talib.stream": self.stream, "wickra": self.wickra}[name]


def free(function: str, *inputs_and_args: Any) -> Any:
    """A TA-Lib result that a relation reads and nobody is charged for."""
    import talib

    return getattr(talib, function)(*inputs_and_args)


def ago(x: Array, n: int) -> Array:
    """``x`` n bars before; NaN where there is none."""
    return np.r_[np.full(n, np.nan), x[:-n]]


CASES: list[Case] = []


def case(column: str, talib: Peer, wickra: Peer, stream: Peer | None = None, tolerance: float = 1e-9) -> None:
    CASES.append(Case(column, talib, wickra, stream or talib, tolerance))


def both(
    column: str, inputs: str, talib: str, wickra: str, args: tuple[float, ...], relation: Any, **more: Any
) -> None:
    """A row whose peers take the same arguments and give the same number."""
    case(column, Peer(talib, inputs, args, relation), Peer(wickra, inputs, args, relation), **more)


CANDLE = "candle"  # wickra's six-tuple (open, high, low, close, volume, time), built beforehand
HLC = "high low close"

# --- trend ----------------------------------------------------------------------------------------

for n in (1, 2, 5, 10, 20, 60):
    case(
        f"log_return_{n}",
        Peer("ROCR", "close", (n,), lambda b, x: np.log(x)),
        Peer("LogReturn", "close", (n,), lambda b, x: x),
    )

distance: Any = lambda b, x: b.close / x - 1  # noqa: E731
middle: Any = lambda b, *x: b.close / x[1] - 1  # noqa: E731
for n in (20, 100):  # the middle band of the Bollinger bands below
    case(
        f"sma_distance_{n}",
        Peer("BBANDS", "close", (n, 2, 2), middle),
        Peer("BollingerBands", "close", (n, 2), middle),
    )
# mean and deviation from one handle; in batch two calls are cheaper than one BBANDS
for n in (10, 50, 200):
    case(
        f"sma_distance_{n}",
        Peer("SMA", "close", (n,), distance),
        Peer("BollingerBands", "close", (n, 1), middle),
        stream=Peer("BBANDS", "close", (n, 1, 1), middle),
    )
for n in (10, 20, 30, 50, 100, 200):
    both(f"ema_distance_{n}", "close", "EMA", "EMA", (n,), distance)


def macd_line(slow: int) -> Any:
    return lambda b, line, signal, histogram: line / free("EMA", b.close, slow)


def macd_histogram(slow: int, signal: int) -> Any:
    def relation(b: Bars, line: Array, *_: Array) -> Array:
        share = line / free("EMA", b.close, slow)
        return share - free("EMA", share, signal)

    return relation


for fast, slow, signal in ((12, 26, 9), (5, 35, 5), (24, 52, 18)):
    name, args = f"macd_{fast}_{slow}_{signal}", (fast, slow, signal)
    both(name, "close", "MACD", "MACD", args, macd_line(slow), tolerance=1e-8)
    both(f"{name}_histogram", "close", "MACD", "MACD", args, macd_histogram(slow, signal), tolerance=1e-8)

for n in (7, 14, 28):  # wickra's ADX also gives both directional indicators
    case(
        f"adx_{n}",
        Peer("ADX", HLC, (n,), lambda b, x: x),
        Peer("ADX", CANDLE, (n,), lambda b, plus, minus, x: x),
    )
for n in (7, 14, 28):
    case(
        f"di_{n}",
        Peer(
            "PLUS_DI",
            HLC,
            (n,),
            lambda b, x, n=n: x - free("MINUS_DI", b.high, b.low, b.close, n),
            "-DI is free",
        ),
        Peer("ADX", CANDLE, (n,), lambda b, plus, minus, x: plus - minus),
    )
for n in (14, 25, 50):
    case(
        f"aroon_{n}",
        Peer("AROONOSC", "high low", (n,), lambda b, x: x),
        Peer("AroonOscillator", CANDLE, (n,), lambda b, x: x),
    )
for n in (10, 20, 50):
    case(
        f"efficiency_ratio_{n}",
        Peer("ER", "close", (n,), lambda b, x: x),
        Peer("KAMA", "close", (n, 2, 30), None, "has none; KAMA computes it inside and smooths once"),
    )
for n in (20, 50, 100):
    slope: Any = lambda b, x, n=n: x / free("SMA", b.close, n)  # noqa: E731
    both(f"regression_slope_{n}", "close", "LINEARREG_SLOPE", "LinRegSlope", (n,), slope, tolerance=1e-8)
for n in (20, 50, 100):
    case(
        f"regression_r2_{n}",
        Peer("CORREL", "close place", (n,), lambda b, x: x**2, "against the number of the bar"),
        Peer("RSquared", "close", (n,), lambda b, x: x),
        tolerance=1e-7,
    )

# --- momentum -------------------------------------------------------------------------------------

for n in (7, 14, 21, 28):
    both(f"rsi_{n}", "close", "RSI", "RSI", (n,), lambda b, x: x)
for n in (14, 50):
    for i, output in enumerate("kd"):
        case(
            f"stochastic_{n}_3_{output}",
            Peer("STOCH", HLC, (n, 3, 0, 3, 0), lambda b, *x, i=i: x[i]),
            Peer("Stochastic", CANDLE, (n, 3), (lambda b, *x: x[1]) if i == 0 else None,
                 "its k is unsmoothed, so its d is our k; our d would be one more mean"),
        )  # fmt: skip
for n in (14, 20, 50):
    case(
        f"cci_{n}",
        Peer("CCI", HLC, (n,), lambda b, x: x),
        Peer("CCI", CANDLE, (n,), lambda b, x: x),
        tolerance=1e-8,
    )
for n in (7, 14, 28):
    case(
        f"mfi_{n}",
        Peer("MFI", HLC + " volume", (n,), lambda b, x: x),
        Peer("MFI", CANDLE, (n,), lambda b, x: x),
    )
for n in (20, 50, 100, 200):
    williams: Any = lambda b, x: 1 + x / 100  # noqa: E731
    case(f"donchian_{n}", Peer("WILLR", HLC, (n,), williams), Peer("WilliamsR", CANDLE, (n,), williams))

# --- volatility -----------------------------------------------------------------------------------

for n in (7, 14, 28, 50):
    case(
        f"atr_{n}",
        Peer("NATR", HLC, (n,), lambda b, x: x / 100),
        Peer("NATR", CANDLE, (n,), lambda b, x: x / 100),
    )
for n in (20, 100):
    percent: Any = lambda b, *x: (b.close - x[2]) / (x[0] - x[2])  # noqa: E731
    width: Any = lambda b, *x: (x[0] - x[2]) / x[1]  # noqa: E731
    for name, relation in ((f"bollinger_{n}_2", percent), (f"bollinger_{n}_2_width", width)):
        case(
            name,
            Peer("BBANDS", "close", (n, 2, 2), relation),
            Peer("BollingerBands", "close", (n, 2), relation),
            tolerance=1e-8,
        )
for n in (10, 20, 50, 100):
    sample: Any = lambda b, x, n=n: x * np.sqrt(n / (n - 1))  # noqa: E731
    case(
        f"volatility_{n}",
        Peer("STDDEV", "returns", (n, 1.0), sample, "population deviation; ours is the sample's"),
        Peer("StdDev", "returns", (n,), sample, "population deviation; ours is the sample's"),
        tolerance=1e-8,
    )
for n in (10, 20, 50):
    case(
        f"realised_volatility_{n}",
        Peer("SUM", "squares", (n,), lambda b, x: np.sqrt(x)),
        Peer("RealizedVolatility", "close", (n,), lambda b, x: x),
    )
for n in (20, 50):  # wickra's are in percent a year of `args[1]` bars
    case(
        f"parkinson_{n}",
        Peer("SUM", "ranges", (n,), lambda b, x, n=n: np.sqrt(x / (n * 4 * np.log(2)))),
        Peer("ParkinsonVolatility", CANDLE, (n, 1), lambda b, x: x / 100),
    )
    case(
        f"garman_klass_{n}",
        Peer("SUM", "garman_klass", (n,), lambda b, x, n=n: np.sqrt(x / n)),
        Peer("GarmanKlassVolatility", CANDLE, (n, 1), lambda b, x: x / 100),
    )


def rank(n: int) -> Any:
    """From the percentage of the n - 1 values before that lie below, to the share of n, ties half."""
    return lambda b, x: (x / 100 * (n - 1) + 0.5) / n


PERCENTRANK = "share of the values before; ours counts the value itself as half"
case(
    "volatility_percentile_20_250",
    Peer("PERCENTRANK", "deviation20", (249,), rank(250), PERCENTRANK),
    Peer("RollingPercentileRank", "deviation20", (250,), lambda b, x: x / 100),
)

# --- volume ---------------------------------------------------------------------------------------

for n in (20, 100):  # one running total serves both windows
    net: Any = lambda b, x, n=n: (x - ago(x, n)) / free("SUM", b.volume, n)  # noqa: E731
    case(f"obv_{n}", Peer("OBV", "close volume", (), net), Peer("OBV", CANDLE, (), net))
for n in (20, 50, 100):
    case(
        f"vwap_distance_{n}",
        Peer("VWMA", "typical volume", (n,), distance),
        Peer("RollingVWAP", CANDLE, (n,), distance),
    )
for n in (20, 50, 100):
    both(f"relative_volume_{n}", "volume", "SMA", "SMA", (n,), lambda b, x: b.volume / x)

# --- statistics -----------------------------------------------------------------------------------

for n in (10, 50, 200):
    standard: Any = lambda b, *x: (b.close - x[1]) / (x[0] - x[1])  # noqa: E731
    case(
        f"zscore_{n}",
        Peer(
            "STDDEV",
            "close",
            (n, 1.0),
            lambda b, x, n=n: (b.close - free("SMA", b.close, n)) / x,
            "the mean is free",
        ),
        Peer("BollingerBands", "close", (n, 1), standard),
        stream=Peer("BBANDS", "close", (n, 1, 1), standard),
        tolerance=1e-8,
    )
for n in (20, 50, 100):
    case(
        f"rank_{n}",
        Peer("PERCENTRANK", "close", (n - 1,), rank(n), PERCENTRANK),
        Peer("RollingPercentileRank", "close", (n,), lambda b, x: x / 100),
    )
for p in (
    10,
    50,
    90,
):  # of 101 values every tenth part falls on one, where nearest rank and interpolation agree
    case(
        f"quantile_101_{p}",
        Peer("PERCENTILE", "close", (101, float(p)), distance, "nearest rank; ours interpolates"),
        Peer("RollingQuantile", "close", (101, p / 100), distance),
    )
both("autocorrelation_50", "returns_before returns", "CORREL", "PearsonCorrelation", (50,), lambda b, x: x)

# --- risk and candles -----------------------------------------------------------------------------

for n in (50, 100):
    case(
        f"drawdown_{n}",
        Peer("MAX", "close", (n,), distance),
        Peer(
            "RollingQuantile",
            "close",
            (n, 1.0),
            distance,
            "no rolling maximum of a series; its quantile 1 is one",
        ),
    )
case(
    "candle_body",
    Peer("BOP", "open high low close", (), lambda b, x: x),
    Peer("BalanceOfPower", CANDLE, (), lambda b, x: x),
)

COLUMNS = tuple(c.column for c in CASES)


@functools.cache
def calls(peer: str) -> tuple[Call, ...]:
    """What "talib", "talib.stream" or "wickra" is charged for the 100 columns: each call once."""
    return tuple(dict.fromkeys(c.peer(peer).call for c in CASES))


def kernel(column: str) -> str:
    """The kernel of a column of ours: ``macd_12_26_9_histogram`` -> ``macd``."""
    from smartcore import catalogue

    return catalogue().column(column).kernel.name


def feed(inputs: str, bars: Bars) -> list[tuple[Any, ...]]:
    """Arguments of ``update``, bar by bar, as plain Python floats."""
    if inputs == CANDLE:
        columns = (bars.open, bars.high, bars.low, bars.close, bars.volume, bars.ts // 1_000_000)
        return [(candle,) for candle in zip(*(x.tolist() for x in columns), strict=True)]
    return list(zip(*(x.tolist() for x in bars.series(inputs)), strict=True))


def handle(peer: str, call: Call, bars: Bars, opened: int = 0) -> Callable[..., Any]:
    """``update`` of an indicator that knows the first ``opened`` bars; TA-Lib wants more than the window."""
    function, inputs, args = call
    if peer == "talib.stream":
        from talib import stream

        return getattr(stream, function)(*(x[:opened] for x in bars.series(inputs)), *args).update
    import wickra

    update = getattr(wickra, function)(*args).update
    for given in feed(inputs, bars)[:opened]:
        if np.isfinite(given[-1]).all():
            update(*given)
    return update


def outputs(peer: str, call: Call, bars: Bars, opened: int = 600) -> tuple[Array, ...]:
    """What a peer gives for all bars: (n,) per output, NaN where nothing is known or asked yet."""
    function, inputs, args = call
    if peer == "talib":
        result = free(function, *bars.series(inputs), *args)
        return result if isinstance(result, tuple) else (result,)
    update = handle(peer, call, bars, opened)
    rows = [update(*given) for given in feed(inputs, bars)[opened:]]
    table = np.array(rows, dtype=float).reshape(len(rows), -1)
    return tuple(np.r_[np.full(opened, np.nan), column] for column in table.T)


@functools.cache
def width(peer: str, call: Call) -> int:
    """How many numbers one call gives."""
    return len(outputs(peer, call, make_bars(700)))


if __name__ == "__main__":
    for c in CASES:
        print(f"{c.column:30} {c.talib.call!s:50} {c.wickra.call!s:50} {c.talib.note}{c.wickra.note}")
    print(
        len(CASES), "columns;", *(f"{p}: {len(calls(p))} calls;" for p in ("talib", "talib.stream", "wickra"))
    )
