"""The kernels of pairs and baskets against their naive twins, against NumPy and statsmodels, and by hand."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import streams
from reference import TRAITS, TWINS
from reference.legs import View, log_ratio

import smartcore as sc
from smartcore.market import events as ev

MINUTE = streams.MINUTE
START = streams.START // MINUTE * MINUTE
DEFAULT = sc.FeatureSet.default().group("cross-asset")
KERNELS = [kernel for kernel in sc.catalogue() if kernel.group == "cross-asset"]
SHORT = {
    0: [()],
    1: [(3.0,), (4.0,), (7.0,), (10.0,)],
    2: [(3.0, 5.0), (5.0, 11.0), (12.0, 2.0)],
}


def short(kernel) -> list[tuple[float, ...]]:
    """Parameters with which a kernel is known after a few ticks."""
    sets = SHORT[len(kernel.params)]
    return [s for s in sets if all(p.low <= v <= p.high for p, v in zip(kernel.params, s, strict=True))]


QUICK = sc.FeatureSet(
    kernel.column(params, i).name for kernel in KERNELS for params in short(kernel) for i in range(len(kernel.outputs))
)


def differs(name: str, got: np.ndarray, want: np.ndarray) -> str | None:
    wrong = np.isnan(got) != np.isnan(want)
    known = abs(want[~np.isnan(want)])
    usual = float(np.median(known)) if len(known) else 1.0
    wrong |= abs(got - want) > 1e-9 * np.maximum(abs(want), max(usual, 1e-6))
    if not wrong.any():
        return None
    i = int(np.argmax(wrong))
    return f"{name}: event {i} of {len(got)}: {got[i]!r}, by the twin {want[i]!r}; {wrong.sum()} differ"


def compare(kernel, events: np.ndarray, view: View, sets: list, features: sc.FeatureSet, table: np.ndarray) -> int:
    """How many values were compared. table: what the features gave at all events."""
    compared = 0
    for params in sets:
        names = [kernel.column(params, i).name for i in range(len(kernel.outputs))]
        got = table[:, [features.index(name) for name in names]]
        want = np.asarray(TWINS[kernel.name](view, *params), np.float64).reshape(-1, len(names))
        for name, a, b in zip(names, got.T, view.rows(kernel.name, want).T, strict=True):
            assert (problem := differs(name, a, b)) is None, problem
            compared = max(compared, int(np.isfinite(a).sum()))
    return compared


STREAMS = {
    "bars": lambda _: streams.panel_bars(),
    "reference": lambda _: streams.panel_bars(700, 41, 0, "2m"),
    "coins": lambda recorded: streams.recorded_panel(recorded("crypto_bars_1m/binance_spot_2026"), 1000),
    "peg": lambda recorded: streams.recorded_panel(
        recorded("crypto_bars_1m/binanceus_2023_depeg"), 1000, 2, ("BTCUSD", "BTCUSDT", "BTCUSDC")
    ),
    "triangle": lambda recorded: streams.recorded_triangle(recorded("binance_2020"), 1200),
}


@cache
def stream(name: str, recorded) -> tuple[np.ndarray, View, np.ndarray]:
    events = STREAMS[name](recorded)
    return events, View(events), sc.Engine(DEFAULT).run(events, "event")


def test_every_kernel_has_a_twin():
    assert {kernel.name for kernel in KERNELS} <= set(TWINS)
    assert len(KERNELS) == 42 and len(DEFAULT) == 85


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.name)
@pytest.mark.parametrize("name", STREAMS)
def test_kernel_equals_its_twin(name, kernel, recorded):
    events, view, table = stream(name, recorded)
    assert compare(kernel, events, view, kernel.defaults, DEFAULT, table) > 100


@cache
def odd() -> tuple[np.ndarray, View, np.ndarray]:
    """Few instruments on few prices: ties, flat stretches, missing and stale legs, quotes and trades."""
    rng = np.random.default_rng(3)
    all_ = []
    for i in range(3):
        n = 260
        ts = START + np.sort(rng.integers(0, 200, n)) * 500_000_000
        price = 100 + 0.5 * np.cumsum(rng.integers(-1, 2, n) * (rng.random(n) < 0.4))
        part = ev.trades(ts, price, rng.integers(0, 4, n), rng.choice([1, -1, 0], n))
        if i == 2:
            q = ev.quotes(
                ts, price - 0.5, rng.integers(0, 3, n), price + 0.5 * rng.integers(0, 3, n), rng.integers(0, 3, n)
            )
            part = ev.merge(q, part[::3])
        all_.append(part[(ts - START) // 20_000_000_000 % 4 != i] if i < 2 else part)
    events = streams.among(all_, 2, "1s", stale_after="3s")
    return events, View(events), sc.Engine(QUICK).run(events, "event")


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.name)
def test_kernel_of_short_windows_equals_its_twin(kernel):
    events, view, table = odd()
    compare(kernel, events, view, short(kernel), QUICK, table)


@pytest.mark.parametrize("seed", range(20))
def test_every_kernel_equals_its_twin_on_any_stream(seed):
    """Few events on few prices: ties in time, missing legs, ticks without news, baskets of which little is known."""
    rng, ts, parts = np.random.default_rng([seed, 77]), START, []
    number = [0.0, 1e-3, -2e-3, 0.5, np.nan]
    for _ in range(rng.integers(5, 60)):
        ts += int(rng.choice([0, 0, 1_000_000_000, 60_000_000_000]))
        price = rng.choice([99.0, 100.0, 100.5, 101.0, 104.0])
        match rng.choice(list("bttqpppbff")):
            case "b":
                parts.append(ev.baskets(ts, rng.choice(number), 1e-3, 0.5, 0.25, rng.choice(number), 0.5))
            case "t":
                parts.append(ev.trades(ts, price, 2, rng.choice([1, -1, 0])))
            case "q":
                parts.append(ev.quotes(ts, 99, 1, price, 2))
            case "p":
                missing = rng.random() < 0.1
                parts.append(ev.peers(ts, np.nan if missing else price, 1, 0.5, -0.5, 1, rng.integers(0, 3)))
            case "f":
                parts.append(ev.factors(ts, 0.5, 1.0, rng.choice(number)))
    events = np.concatenate(parts)
    view, table = View(events), sc.Engine(QUICK).run(events, "event")
    for kernel in KERNELS:
        compare(kernel, events, view, short(kernel)[:2], QUICK, table)


# ---- as declared ----


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.name)
def test_warm_up_is_as_declared(kernel):
    """On a panel whose instruments all have news at every tick: unknown before, known from then on."""
    events = streams.among(common(900), 1, "1m")
    at = np.flatnonzero(events["kind"] == {"peer": 8, "basket": 9, "factor": 10}[kernel.wakes[0]])
    for params in (*kernel.defaults, *short(kernel)):
        names = [kernel.column(params, i).name for i in range(len(kernel.outputs))]
        table = sc.Engine(names).run(events, "event")[at]
        first = kernel.warmup(params) - 1
        assert np.isnan(table[:first]).all(), f"{names[0]}: known before event {first + 1}"
        if "unknown" not in kernel.outputs[0].doc or max(params, default=99) > 50:
            assert np.isfinite(table[first:]).all(), f"{names[0]}: unknown after event {first + 1}"


@cache
def common(n: int, price: float = 100.0) -> list[np.ndarray]:
    rng = np.random.default_rng(9)
    shared, ts = rng.standard_t(4, n) * 1e-3, START + MINUTE * np.arange(1, n + 1)
    paths = [price * (i + 1) * np.exp(np.cumsum(shared + rng.standard_t(4, n) * 1e-3)) for i in range(4)]
    return [
        ev.bars(ts, p, p * 1.001, p * 0.999, p * (1 + 1e-4 * rng.normal(size=n)), rng.gamma(2, 5, n)) for p in paths
    ]


def test_a_missing_leg_is_seen():
    """While the reference is missing the columns of pairs are unknown, its age grows, and nothing is filled in: the
    return after it spans all of it."""
    ts = START + MINUTE * np.arange(1, 61)
    own, other = 100 * np.exp(0.001 * np.arange(60)), 50 * np.exp(0.002 * np.arange(60) ** 1.1)
    bars = [ev.bars(ts, p, p, p, p, 1) for p in (other, own)]
    bars[0] = np.delete(bars[0], slice(30, 45))
    events = streams.among(bars, 1, "1m", stale_after="5m")
    peers = events[events["kind"] == ev.Kind.PEER]
    table = sc.Engine(["peer_return_1", "pair_strength_3", "peer_age", "refresh_share_2"]).run(events, "event")
    table = table[events["kind"] == ev.Kind.PEER]
    assert np.isnan(peers["v0"][35:45]).all() and np.isfinite(peers["v0"][:35]).all()
    assert np.isnan(table[35:45, :2]).all() and np.isfinite(table[5:35, :2]).all() and np.isfinite(table[45:, :2]).all()
    np.testing.assert_allclose(table[29:46, 2], [0, *(60.0 * np.arange(1, 16)), 0])
    assert table[40, 3] == 0 and table[47, 3] == 1
    assert table[45, 0] == pytest.approx(np.log(other[45] / other[29]))
    assert (table[30:35, 0] == table[29, 0]).all(), "no sample, no new value"


def test_another_source_is_not_the_reference():
    engine = sc.Engine(["peer_age"])
    engine.on_peer(START, 100.0, age=3.0, source=1)
    assert np.isnan(engine.row[0])
    engine.on_peer(START, 100.0, age=3.0)
    assert engine.row[0] == 3


# ---- numerics ----


def test_a_price_of_1e8_costs_no_digits():
    """Moves of a few ticks of 0.01 at 1e8."""
    rng, n = np.random.default_rng(4), 500
    ts = START + MINUTE * np.arange(1, n + 1)
    shared = np.cumsum(rng.integers(-3, 4, n))
    prices = [1e8 + 0.01 * (shared + np.cumsum(rng.integers(-2, 3, n))) for _ in range(3)]
    events = streams.among([ev.bars(ts, p - 0.01, p + 0.02, p - 0.03, p, rng.gamma(1, 1, n)) for p in prices], 1, "1m")
    view = View(events)
    for kernel in KERNELS:
        params = kernel.defaults[0]
        names = [kernel.column(params, i).name for i in range(len(kernel.outputs))]
        got = sc.Engine(names).run(events, "event")
        want = view.rows(kernel.name, np.asarray(TWINS[kernel.name](view, *params)).reshape(-1, len(names)))
        for name, a, b in zip(names, got.T, want.T, strict=True):
            assert (np.isnan(a) == np.isnan(b)).all(), name
            known = np.isfinite(a)
            assert known.any(), name
            scale = np.maximum(abs(b[known]), np.median(abs(b[known])))
            error = np.max(abs(a[known] - b[known]) / np.where(scale > 0, scale, 1), initial=0)
            assert error <= TRAITS[kernel.name].level, f"{name}: {error:.1e}"


@pytest.mark.parametrize("leg", ["own", "reference"])
def test_a_bad_print_leaves_no_residue(leg):
    """1e9 instead of 100 at one tick: what a window gives once it has left is bit-equal to what it would have given.
    The other events of the panel stay as they were, so that only the kernels are judged."""
    good = streams.among(common(1500), 1, "1m")
    bad, at = good.copy(), 300
    if leg == "own":
        i = np.flatnonzero(good["kind"] == ev.Kind.BAR)[at]
        for field in ("v0", "v1", "v2", "v3"):
            bad[field][i] = 1e9
    else:
        i = np.flatnonzero(good["kind"] == ev.Kind.PEER)[at]
        bad["v0"][i] = 1e9
    columns = [c for c in DEFAULT.specs if not TRAITS[c.kernel.name].decay]
    clean, table = (sc.Engine([c.name for c in columns]).run(events, "event") for events in (good, bad))
    ticks = np.cumsum(good["kind"] == ev.Kind.PEER)
    moved = 0
    for column, a, b in zip(columns, clean.T, table.T, strict=True):
        assert not np.isinf(b).any()
        rest = ticks > at + 3 + column.warmup
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        assert same[rest].all(), f"{column.name}: a residue"
        moved += not same.all()
    assert moved > 20


def test_the_filter_forgets_a_bad_print():
    """It never does so at once: its own uncertainty has to grow back. After 55 memories nothing is left."""
    good = streams.among(common(1500), 1, "1m")
    bad = good.copy()
    bad["v0"][np.flatnonzero(good["kind"] == ev.Kind.PEER)[300]] = 1e9
    names = ["pair_kalman_20", "pair_kalman_20_innovation"]
    clean, table = (sc.Engine(names).run(events, "event") for events in (good, bad))
    ticks = np.cumsum(good["kind"] == ev.Kind.PEER)
    assert abs(table - clean)[ticks == 310].max() > 0.1
    np.testing.assert_allclose(table[ticks > 1400], clean[ticks > 1400], rtol=1e-11)


# ---- against the field ----


@cache
def legs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A stream of two, and the log prices of reference and own at its ticks."""
    bars = [b.copy() for b in common(500)[:2]]
    x, y = (np.log(b.view(sc.BAR)["close"]) for b in bars)
    return streams.among(bars, 1, "1m"), x[:-1], y[:-1]


def last(*names: str) -> np.ndarray:
    return sc.Engine(list(names)).run(legs()[0], "event")[-1]


def test_numpy_agrees():
    _, x, y = legs()
    dx, dy = np.diff(x), np.diff(y)
    row = last(
        "pair_correlation_60", "pair_beta_60", "pair_residual_60", "pair_volatility_ratio_60", "pair_lead_lag_60_5",
        "pair_spread_100", "pair_hayashi_yoshida_60", "basket_correlation_60",
    )  # fmt: skip
    slope, offset = np.polyfit(dx[-60:], dy[-60:], 1)
    left = dy[-60:] - offset - slope * dx[-60:]
    lead = np.corrcoef(dy[-60:], dx[-65:-5])[0, 1] - np.corrcoef(dx[-60:], dy[-65:-5])[0, 1]
    spread = (y - x)[-100:]
    expected = [
        np.corrcoef(dx[-60:], dy[-60:])[0, 1], slope, left[-1] / left.std(), np.log(dy[-60:].std() / dx[-60:].std()),
        lead, (spread[-1] - spread.mean()) / spread.std(),
        (dx * dy)[-60:].sum() / np.sqrt((dx**2)[-60:].sum() * (dy**2)[-60:].sum()),
        np.corrcoef(dx[-60:], dy[-60:])[0, 1],
    ]  # fmt: skip
    np.testing.assert_allclose(row, expected, rtol=1e-9)


def test_statsmodels_agrees():
    tools = pytest.importorskip("statsmodels.tsa.stattools")
    _, x, y = legs()
    for n in (100, 300):
        t = tools.coint(y[-n:], x[-n:], trend="c", maxlag=0, autolag=None)[0]
        assert last(f"pair_cointegration_{n}")[0] == pytest.approx(t, rel=1e-8)


def test_hayashi_yoshida_of_asynchronous_trades():
    """Two correlated walks seen at Poisson times of their own: the refresh-time correlation is biased towards 0 (Epps),
    this one is not."""
    rng, n = np.random.default_rng(2), 40_000
    z = rng.normal(size=(2, n))
    walks = np.cumsum([z[0], 0.8 * z[0] + 0.6 * z[1]], axis=1) * 1e-4
    seen = [np.flatnonzero(rng.random(n) < p) for p in (0.3, 0.25)]
    own, peer = (np.exp(w[k]) * 100 for w, k in zip(walks, seen, strict=True))
    events = ev.merge(ev.trades(START + seen[0] * 1_000_000, own, 1), ev.peers(START + seen[1] * 1_000_000, peer))
    row = sc.Engine(["pair_hayashi_yoshida_9000", "pair_correlation_5000"]).run(events, "event")[-1]
    assert row[0] == pytest.approx(0.8, abs=0.04)
    assert row[1] < 0.75


def test_the_filter_follows_a_hedge_ratio_that_moves():
    rng, n = np.random.default_rng(5), 3000
    x = rng.normal(size=n) * 1e-3
    beta = np.where(np.arange(n) < 1500, 0.5, 1.5)
    y = beta * x + rng.normal(size=n) * 3e-4
    ts = START + MINUTE * np.arange(1, n + 1)
    prices = [100 * np.exp(np.cumsum(v)) for v in (x, y)]
    events = streams.among([ev.bars(ts, p, p, p, p, 1) for p in prices], 1, "1m")
    table = sc.Engine(["pair_kalman_30", "pair_kalman_30_innovation"]).run(events, "event")[events["kind"] == 8]
    assert abs(table[800:1499, 0] - 0.5).mean() < 0.06 and abs(table[1800:, 0] - 1.5).mean() < 0.08
    assert 0.8 < np.std(table[800:1499, 1]) < 1.2


def test_who_leads_by_hand():
    """Own returns are the reference's of the tick before."""
    rng, n = np.random.default_rng(6), 400
    r = rng.normal(size=n) * 1e-3
    ts = START + MINUTE * np.arange(1, n + 1)
    prices = [100 * np.exp(np.cumsum(r)), 50 * np.exp(np.cumsum(np.append(0, r[:-1])))]
    bars = [ev.bars(ts, p, p, p, p, 1 + np.abs(r)) for p in prices]
    events = streams.among(bars, 1, "1m")
    row = sc.Engine(["pair_lead_lag_300_1", "basket_lead_300", "pair_concordance_100"]).run(events, "event")[-1]
    assert row[0] > 0.9 and row[1] < -0.9 and abs(row[2]) < 0.3
    view = View(events)
    assert log_ratio(prices[1][-2], prices[1][-3]) == pytest.approx(float(view.samples[1][-1]))


def test_a_common_jump_is_told_from_common_noise():
    rng, n = np.random.default_rng(7), 400
    noise = rng.normal(size=(2, n)) * 1e-4
    ts = START + MINUTE * np.arange(1, n + 1)
    values = []
    for jump in (0.0, 0.01):
        returns = noise.copy()
        returns[:, 350] += jump
        prices = 100 * np.exp(np.cumsum(returns, axis=1))
        events = streams.among([ev.bars(ts, p, p, p, p, 1) for p in prices], 1, "1m")
        values.append(sc.Engine(["pair_co_jump_60"]).run(events, "event")[-1, 0])
    assert abs(values[0]) < 0.3 and values[1] > 0.9
