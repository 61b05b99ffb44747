"""The kernels of scores and auxiliary series against their naive twins, at every event."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import streams
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference import TRAITS, TWINS
from reference.diary import Diary

import smartcore as sc
from smartcore.market import events as ev

KERNELS = [kernel for kernel in sc.catalogue() if kernel.group == "sentiment"]
DEFAULT = sc.FeatureSet.default().group("sentiment")
IDS = pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.name)
STREAMS = {"mixed": streams.mixed, "mixed again": lambda: streams.mixed(40, 13), "small": streams.small}


@cache
def diary(name: str) -> Diary:
    return Diary(STREAMS[name]())


def compare(kernel: sc.features.catalogue.Kernel, params: tuple[float, ...], events: np.ndarray, diary: Diary) -> int:
    """How many values there were to compare."""
    names = [kernel.column(params, i).name for i in range(len(kernel.outputs))]
    got = sc.Engine(names).run(events, "event")
    want = np.asarray(TWINS[kernel.name](diary, *params)).reshape(got.shape)
    for name, a, b in zip(names, got.T, want.T, strict=True):
        wrong = np.isnan(a) != np.isnan(b)
        usual = max(0.5, np.nanmedian(abs(b)) if (~np.isnan(b)).any() else 0)
        wrong |= abs(a - b) > 1e-9 * np.maximum(abs(b), usual)
        if wrong.any():
            i = int(np.argmax(wrong))
            pytest.fail(f"{name}, event {i}: {a[i]!r}, by the twin {b[i]!r}; {wrong.sum()} of {len(a)} differ")
    return int(np.isfinite(got).sum())


def test_every_kernel_has_a_twin():
    assert {k.name for k in KERNELS} <= set(TWINS)
    assert len(KERNELS) >= 16 and len(DEFAULT) >= 58


@IDS
@pytest.mark.parametrize("name", STREAMS)
def test_kernel_equals_its_twin(kernel, name):
    compared = sum(compare(kernel, params, STREAMS[name](), diary(name)) for params in kernel.defaults)
    assert compared > 500 or name == "small"


@IDS
def test_other_parameters_equal_the_twin(kernel):
    rng = np.random.default_rng([*kernel.name.encode()])
    for _ in range(4):
        drawn = {
            "s": lambda p: float(f"{np.exp(rng.uniform(np.log(60), np.log(3e6))):.3g}"),
            "n": lambda p: float(rng.integers(p.low, 30)),
            "x": lambda p: float(rng.integers(0, len(p.names))),
        }
        params = [drawn[p.form](p) for p in kernel.params]
        params = [min(value, p.high) for value, p in zip(params, kernel.params, strict=True)]
        compare(kernel, tuple(params), streams.mixed(40, 13), diary("mixed again"))


def test_recorded_texts_equal_their_twins(recorded):
    events = streams.recorded_texts(recorded("stock_tweets").parent)[-2500:]
    known = Diary(events)
    for kernel in KERNELS:
        compare(kernel, kernel.defaults[-1], events, known)


@IDS
def test_the_first_value_comes_when_promised(kernel):
    """Counted in events that the kernel hears; and from then on it stands, but where its doc says otherwise."""
    events = streams.mixed()
    one = kernel.params[0].form == "x" and kernel.name != "score_disagreement"
    for params in kernel.defaults:
        column = kernel.column(params, 0)
        known = ~np.isnan(sc.Engine([column.name]).run(events, "event")[:, 0])
        first = int(np.argmax(known))
        assert known[first:].all() or "unknown" in kernel.doc, f"{column.name} is lost again"
        if not one or "prices" in kernel.doc:  # they wait for other things besides
            continue
        diary = Diary(events)
        heard = diary.scores(params[0]) if kernel.family == "score" else diary.series(params[0])
        late = len(heard) if "unknown" in kernel.doc else 0  # values that stand at first, events at one time
        assert kernel.warmup(params) <= (heard <= first).sum() <= kernel.warmup(params) + late, column.name


def test_other_events_leave_them_alone():
    """Trades and books neither wake them nor are woken by them."""
    events = streams.mixed()
    noise = streams.small()
    noise = noise[np.isin(noise["kind"], [ev.Kind.TRADE, ev.Kind.DEPTH, ev.Kind.QUOTE, ev.Kind.GAP])].copy()
    noise["ts"] = np.sort(np.random.default_rng(0).integers(events["ts"][0], events["ts"][-1], len(noise)))
    both = ev.merge(events, noise)
    mine = np.isin(both["kind"], [ev.Kind.BAR, ev.Kind.SCORE, ev.Kind.AUX])
    np.testing.assert_array_equal(sc.Engine(DEFAULT).run(both, "event")[mine], sc.Engine(DEFAULT).run(events, "event"))
    flow = sc.FeatureSet(["trade_imbalance_10s", "buy_rate_10s", "mid_distance_10s", "ofi_l1_10s"])
    np.testing.assert_array_equal(sc.Engine(flow).run(both, "event")[~mine], sc.Engine(flow).run(noise, "event"))


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_no_unit_matters(factor):
    """Columns of a series, other than those with a unit of their own, are the same in any unit."""
    events = streams.mixed(40, 13)
    other = events.copy()
    other["v0"][other["kind"] == ev.Kind.AUX] *= factor
    columns = [c.name for c in DEFAULT.specs if c.kernel.name.startswith(("aux_", "open_interest"))]
    a, b = (sc.Engine(columns).run(e, "event") for e in (events, other))
    np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-9)


def test_a_bad_value_is_forgotten():
    """What fades has lost a score, a value or a price of 1e9 after 100 half-lives; windows when it has left them."""
    rng = np.random.default_rng(2)
    n = 900
    ts = streams.START + np.cumsum(rng.integers(1, 40, n)) * 10**9
    price = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, n)))
    bars = ev.bars(ts, price, price, price, price, 1)
    scores = ev.scores(ts, rng.normal(0, 0.3, n), 1.0, rng.integers(0, 3, n))
    series = [ev.aux(ts, name, rng.normal(0, 1, n)) for name in sc.SERIES]
    good = ev.merge(bars, scores, *series)
    names = []
    for kernel in KERNELS:
        for output in range(len(kernel.outputs)):
            params = [{"s": 10.0 * (i + 1), "n": 20.0, "x": 0.0}[p.form] for i, p in enumerate(kernel.params)]
            names.append(kernel.column(params, output).name)
    clean = sc.Engine(names).run(good, "event")
    for kind in (ev.Kind.SCORE, ev.Kind.AUX, ev.Kind.BAR):
        bad = good.copy()
        at = np.flatnonzero(bad["kind"] == kind)
        at = at[bad["ts"][at] == bad["ts"][at[len(at) // 5]]]
        for field in ("v0", "v1", "v2", "v3")[: 4 if kind == ev.Kind.BAR else 1]:
            bad[field][at] = 1e9
        table = sc.Engine(names).run(bad, "event")
        assert not np.isinf(table).any()
        rest = np.searchsorted(good["ts"], good["ts"][at[0]] + 30 * 100 * 10**9)
        assert rest < len(good) - 1000
        np.testing.assert_allclose(table[rest:], clean[rest:], rtol=1e-11, atol=1e-11)


def test_a_price_of_1e8_costs_no_digits():
    """Moves of a few ticks of 0.01 at a price of 1e8."""
    events = streams.mixed(40, 13).copy()
    bars = np.flatnonzero(events["kind"] == ev.Kind.BAR)
    price = 1e8 + 0.01 * np.cumsum(np.random.default_rng(0).integers(-3, 4, len(bars)))
    for field in ("v0", "v1", "v2", "v3"):
        events[field][bars] = price
    known = Diary(events)
    for kernel in KERNELS:
        if "bar" in kernel.wakes:
            compare(kernel, kernel.defaults[-1], events, known)


@pytest.mark.parametrize("value", [1e100, -1e100, 1e-100, 0.0])
def test_nothing_is_infinite(value):
    events = streams.mixed(40, 13).copy()
    told = np.flatnonzero(np.isin(events["kind"], [ev.Kind.SCORE, ev.Kind.AUX]))[::7]
    events["v0"][told] = value
    events["v1"][told[::2]] = np.where(events["kind"][told[::2]] == ev.Kind.SCORE, abs(value), 0)
    table = sc.Engine(DEFAULT).run(events, "event")
    assert not np.isinf(table).any()
    for column, values in zip(DEFAULT.specs, table.T, strict=True):
        known = values[~np.isnan(values)]
        assert len(known) == 0 or (known.min() >= column.meaning.low and known.max() <= column.meaning.high), (
            column.name
        )


def test_traits_name_the_events():
    for kernel in KERNELS:
        assert TRAITS[kernel.name].events in kernel.wakes


# ---- anything at all ----

SHORT = [
    kernel.column(
        [{"s": max(x * (i + 1), p.low), "n": 2.0, "x": float(source)}[p.form] for i, p in enumerate(kernel.params)],
        output,
    ).name
    for kernel in KERNELS
    for output in range(len(kernel.outputs))
    for x, source in ((1.0, 0), (0.02, 1), (100.0, 1))
]
SECOND = 10**9
steps = st.sampled_from([0, 0, 1, 40_000_000, SECOND, 61 * SECOND, 86_400 * SECOND, 365 * 86_400 * SECOND])
prices = st.sampled_from([1e-100, 1e-8, 99.99999999999999, 100.0, 100.00000000000001, 101.0, 1e8, 1e100])
odd = st.sampled_from([0.0, 0.0, 5e-324, 1e-160, 1e-100, 1e-10, 1.0, 1e12, 1e100])
values = st.one_of(st.floats(-2, 2), odd, odd.map(lambda x: -x))


@st.composite
def sequences(draw) -> np.ndarray:
    events = np.zeros(draw(st.integers(1, 30)), sc.EVENT)
    ts = streams.START
    for event in events:
        ts += draw(steps)
        kind = draw(st.sampled_from([ev.Kind.BAR, ev.Kind.SCORE, ev.Kind.AUX, ev.Kind.AUX]))
        event["ts"], event["kind"] = ts, kind
        if kind == ev.Kind.BAR:
            event["v0"] = event["v1"] = event["v2"] = event["v3"] = draw(prices)
        else:
            event["source"] = draw(st.sampled_from([0, 1, 1, 2, 3, 7]))
            event["v0"] = draw(values)
            event["v1"] = draw(st.one_of(odd, st.just(1.0))) if kind == ev.Kind.SCORE else 0
    return events


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(sequences())
def test_whatever_comes_is_finite_in_range_and_the_same_live(events):
    columns = sc.FeatureSet(dict.fromkeys(SHORT))
    table = sc.Engine(columns).run(events, "event")
    for column, values in zip(columns.specs, table.T, strict=True):
        known = values[~np.isnan(values)]
        assert np.isfinite(known).all(), column.name
        assert (known >= column.meaning.low).all() and (known <= column.meaning.high).all(), column.name
    engine = sc.Engine(columns)
    for event, row in zip(events, table, strict=True):
        engine.on_event(event)
        np.testing.assert_array_equal(engine.row, row)
