"""Every kernel on bars against its naive twin: within 1e-9 of the twin's value, relative to that value, to the column's
median size or to 1e-5 (a tenth of a basis point), whichever is largest. Unknown (NaN) on the same bars."""

from __future__ import annotations

import numpy as np
import pytest
import streams
from conftest import MORE
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import TRAITS, TWINS
from test_laws import ON_BARS, parameters, relative_error, twin_errors

import smartcore as sc
from smartcore.market import events as ev

KERNELS = pytest.mark.parametrize("kernel", ON_BARS, ids=lambda k: k.name)
LIMIT = 1e-9
LEAST = 1e-5  # what is smaller counts by its absolute error: of a flat market a rounding is left, which is no value


def check(kernel, params, bars, limit=LIMIT):
    for output, error in enumerate(twin_errors(kernel, params, bars, LEAST)):
        assert error <= limit, f"{kernel.column(params, output).name}: {error:.1e}"


def test_every_kernel_has_a_twin():
    """Add the naive version of a new kernel to tests/reference; see the words there."""
    assert [kernel.name for kernel in sc.catalogue() if kernel.name not in TWINS] == []


def test_every_twin_has_a_kernel():
    assert sorted(set(TWINS) - {kernel.name for kernel in sc.catalogue()}) == []
    for kernel in ON_BARS:
        assert TRAITS[kernel.name].events == "bar"


@KERNELS
def test_default_columns(kernel):
    for params in kernel.defaults:
        check(kernel, params, streams.bars(1200, seed=2))


@KERNELS
def test_random_parameters(kernel):
    for i, params in enumerate(parameters(kernel, seed=1, count=14)):
        check(kernel, params, streams.bars(700, seed=10 + i % 3))


@KERNELS
def test_smallest_parameters(kernel):
    """Each parameter at its lower bound, the others as by default."""
    for params in kernel.defaults:
        for i, p in enumerate(kernel.params):
            check(kernel, (*params[:i], p.low, *params[i + 1 :]), streams.bars(700, seed=3))


@KERNELS
def test_quiet_and_lively_bars(kernel):
    """Prices that stand, bars without range or volume, jumps: the conventions for what has no value otherwise."""
    for params in list(parameters(kernel, seed=4, count=4, most=40)):
        check(kernel, params, streams.stop_and_go_bars(1000))


@KERNELS
def test_flat_bars(kernel):
    for params in kernel.defaults:
        check(kernel, params, streams.flat_bars(400))
        check(kernel, params, streams.flat_bars(400, volume=2.0))


@KERNELS
def test_simulated_bars(kernel):
    """Bars of one second, built by the engine from the simulator's trades."""
    bars = simulated_bars()
    for params in kernel.defaults:
        check(kernel, params, bars)


_simulated: list[np.ndarray] = []


def simulated_bars() -> np.ndarray:
    if not _simulated:
        engine = sc.Engine(["log_return_1"], bars="500ms")
        closed = [engine.last_bar for e in streams.simulated() if engine.on_event(e)]
        columns = np.array(closed).T
        _simulated.append(ev.bars(columns[0].astype(np.int64), *columns[1:]))
    return _simulated[0]


@pytest.mark.parametrize(
    "file",
    ["binance_spot_2026/BTCUSDT", "binance_spot_2026/XRPUSDT", "binanceus_2023_depeg/BTCUSDC"],
    ids=lambda f: f.split("/")[1],
)
def test_recorded_bars(recorded, file):
    """Minutes of a large, a small-tick and a hardly traded pair (most of its minutes repeat the last close)."""
    bars = streams.recorded_bars(recorded(f"crypto_bars_1m/{file}.parquet"), 1500, start=4000)
    failures = []
    for kernel in ON_BARS:
        for params in kernel.defaults:
            failures += [
                f"{kernel.column(params, i).name}: {error:.1e}"
                for i, error in enumerate(twin_errors(kernel, params, bars, LEAST))
                if not error <= LIMIT
            ]
    assert failures == []


@st.composite
def bar_streams(draw):
    """Bars on a grid of prices: repeats, bars without range, without volume, wild jumps, at any price level."""
    n = draw(st.integers(1, 60))
    tick = draw(st.sampled_from([0.01, 0.25, 1.0, 1e-8]))
    level = draw(st.sampled_from([20, 1_000, 1_000_000]))
    moves = st.one_of(st.just(0), st.integers(-3, 3), st.integers(-level // 2, level // 2))
    close = np.maximum(level + np.cumsum(draw(st.lists(moves, min_size=n, max_size=n))), 1)
    above = np.array(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)))
    below = np.array(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)))
    open_ = np.maximum(close + np.array(draw(st.lists(st.integers(-2, 2), min_size=n, max_size=n))), 1)
    volume = draw(st.lists(st.sampled_from([0.0, 0.0, 0.5, 1.0, 7.25, 1e4]), min_size=n, max_size=n))
    high, low = np.maximum(open_, close) + above, np.maximum(np.minimum(open_, close) - below, 1)
    ts = streams.START + streams.MINUTE * np.arange(n)
    return ev.bars(ts, open_ * tick, high * tick, low * tick, close * tick, volume)


@settings(max_examples=25 * MORE, deadline=None)
@given(data=st.data())
def test_any_bars(data):
    """Short windows over bars that hypothesis makes up, all kernels at once."""
    bars = data.draw(bar_streams())
    for kernel in ON_BARS:
        if kernel.name == "fhs":  # its window is 100 at least
            continue
        params = []
        for i, p in enumerate(kernel.params):
            whole = st.integers(int(p.low), int(min(p.high, p.low + 12)))
            some = st.sampled_from([params_[i] for params_ in kernel.defaults] + [p.low])
            drawn = data.draw(whole if float(p.low).is_integer() else some, label=f"{kernel.name} {p.name}")
            params.append(float(drawn))
        columns = [kernel.column(params, i).name for i in range(len(kernel.outputs))]
        got = sc.Engine(columns).run(bars)
        expected = TWINS[kernel.name](bars.view(sc.BAR), *[int(p) if p.is_integer() else p for p in params])
        for i, (a, b) in enumerate(zip(got.T, np.reshape(expected, got.shape).T, strict=True)):
            error = relative_error(a, b, LEAST)
            # What loses digits at 1e10 ticks loses some at the 1e6 that prices have here.
            limit = max(LIMIT, 1e-3 * TRAITS[kernel.name].level)
            assert error <= limit, f"{columns[i]}: {error:.1e}"


def test_a_wrong_definition_is_caught():
    """The comparison itself: twins that are wrong by little must not pass."""
    bars = streams.bars(400)
    rows = bars.view(sc.BAR)
    got = sc.Engine(["rsi_14", "volatility_20", "bollinger_20_2_width"]).run(bars)
    late = TWINS["rsi"](rows, 14)
    late[1:] = late[:-1].copy()
    population = TWINS["volatility"](rows, 20) * np.sqrt(19 / 20)
    nearly = TWINS["bollinger"](rows, 20, 2)[:, 1] * (1 + 1e-8)
    for column, wrong in zip(got.T, (late, population, nearly), strict=True):
        known = ~(np.isnan(column) | np.isnan(wrong))
        assert relative_error(column[known], wrong[known]) > LIMIT
    with pytest.raises(AssertionError):
        relative_error(got[:, 0], late)  # known one bar too late
