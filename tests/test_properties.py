"""Any sequence of events, of all kinds and up to the ends of what the edge lets through: nothing breaks or is infinite,
history is the live step, and a snapshot is all there is.

Hypothesis makes the sequences; tests/fuzz does the same to the core alone, with bytes.
"""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from conftest import MORE
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import smartcore as sc
from smartcore.market import events as ev
from smartcore.market.events import Kind

START = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
DEFAULT = sc.FeatureSet.default()


def shortest() -> sc.FeatureSet:
    """Every output of every kernel, with windows so short that they fill within a few events."""
    names = []
    for kernel in sc.catalogue():
        for step in (0, 2):
            params = []
            for i, p in enumerate(kernel.params):
                small = (0.02, 2)[step > 0] if p.form == "s" else p.low + step + i
                params.append(min(max(small, p.low), p.high))
            names += [kernel.column(params, output).name for output in range(len(kernel.outputs))]
    return sc.FeatureSet(dict.fromkeys(names))


SHORT = shortest()

# ---- sequences ----

ODD_PRICES = [1e-8, 1.0000000000000002e-8, 1e-4, 1.0, 99.99999999999999, 100.0, 1e4, 1e8, 1e8 + 1, 1e12]
SIZES = [0.0, 0.0, 1e-8, 0.1, 1.0, 3.0, 1e8, 1e12]
STEPS = [0, 0, 0, 1, 999, 1_000_000, 40_000_000, SECOND, 61 * SECOND, 86_400 * SECOND, 365 * 86_400 * SECOND]

near = st.integers(-6, 6).map(lambda i: 100 + 0.5 * i)
wild = st.one_of(near, st.sampled_from(ODD_PRICES), st.floats(-18.4, 27.6).map(lambda x: float(np.exp(x))))
sizes = st.sampled_from(SIZES)
sides = st.sampled_from([1, -1])


@st.composite
def sequences(draw, most: int = 60, bars: bool = True) -> NDArray[np.void]:
    kinds = [Kind.BAR] * 4 * bars + [Kind.TRADE] * 4 + [Kind.DEPTH] * 5 + [Kind.QUOTE, Kind.GAP, Kind.SCORE, Kind.AUX]
    price = draw(st.sampled_from([near, wild]))
    events = np.zeros(draw(st.integers(1, most)), sc.EVENT)
    ts = draw(st.sampled_from([START, 0, -5 * SECOND, 2**61]))
    for event in events:
        ts += draw(st.sampled_from(STEPS))
        kind = draw(st.sampled_from(kinds))
        event["ts"], event["kind"] = min(ts, 2**62), kind
        if kind == Kind.BAR:
            open_, close, wick = draw(price), draw(price), draw(st.sampled_from([1.0, 1.0, 1.001, 2.0, 1e6]))
            volume = draw(sizes)
            event["v0"], event["v3"] = open_, close
            event["v1"], event["v2"] = max(open_, close) * wick, min(open_, close) / wick
            event["v4"], event["v5"] = volume, draw(st.sampled_from([0.0, volume * close]))
        elif kind == Kind.TRADE:
            event["side"], event["v0"], event["v1"] = draw(st.integers(-1, 1)), draw(price), draw(sizes)
        elif kind == Kind.DEPTH:
            event["side"], event["v0"], event["v1"] = draw(sides), draw(price), draw(sizes)
            event["flags"] = draw(st.sampled_from([0, 1, 1, 1, 1, 3]))
        elif kind == Kind.QUOTE:
            event["v0"], event["v1"], event["v2"], event["v3"] = draw(price), draw(sizes), draw(price), draw(sizes)
        else:
            event["v0"], event["v1"] = draw(st.floats(-1e12, 1e12)), draw(sizes)
    return events


RULES = [None, "1s", "1m", "2 trades", "3 volume", "1000 dollars", "2 imbalance"]
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
OPTIONS = settings(max_examples=50 * MORE, deadline=None, suppress_health_check=SLOW)


@st.composite
def cases(draw) -> tuple[NDArray[np.void], str | None]:
    rule = draw(st.sampled_from(RULES))
    return draw(sequences(bars=rule is None)), rule


def same(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    """Bit for bit, all NaN alike."""
    nan = np.isnan(a)
    return a.shape == b.shape and bool((nan == np.isnan(b)).all() and a[~nan].tobytes() == b[~nan].tobytes())


def live(eng: sc.Engine, events: NDArray[np.void]) -> NDArray[np.float64]:
    """Row after row, each event by the call of its own kind."""
    rows = np.empty((len(events), len(eng.columns)))
    for i, event in enumerate(events):
        ts, kind, side, flags, *_, v0, v1, v2, v3, v4, v5 = event.item()
        if kind == Kind.BAR:
            eng.on_bar(ts, v0, v1, v2, v3, v4, v5)
        elif kind == Kind.TRADE:
            eng.on_trade(ts, v0, v1, side)
        elif kind == Kind.DEPTH:
            eng.on_depth(ts, side, v0, v1, last=bool(flags & 1), snapshot=bool(flags & 2))
        elif kind == Kind.QUOTE:
            eng.on_quote(ts, v0, v1, v2, v3)
        else:
            eng.on_event(event)
        rows[i] = eng.row
    return rows


# ---- laws ----


@OPTIONS
@given(cases(), st.integers(0, 60), st.integers(1, 9))
def test_history_is_the_live_step(case, cut, chunk):
    events, rule = case
    whole = sc.Engine(SHORT, bars=rule)
    table = whole.run(events, "event")
    step = sc.Engine(SHORT, bars=rule)
    assert same(live(step, events), table) and step.snapshot() == whole.snapshot()
    pieces = sc.Engine(SHORT, bars=rule)
    parts = [pieces.run(events[i : i + chunk], "event") for i in range(0, len(events), chunk)]
    assert same(np.concatenate(parts), table) and pieces.snapshot() == whole.snapshot()
    cut = min(cut, len(events))
    first = sc.Engine(SHORT, bars=rule)
    first.run(events[:cut])
    blob = first.snapshot()
    second = sc.Engine.restore(blob)
    assert second.snapshot() == blob and same(second.row, first.row) and second.counts == first.counts
    assert same(second.run(events[cut:], "event"), table[cut:]) and second.snapshot() == whole.snapshot()


@OPTIONS
@given(cases())
def test_nothing_is_infinite_or_out_of_its_range(case):
    events, rule = case
    for features in (SHORT, DEFAULT):
        table = sc.Engine(features, bars=rule).run(events, "event")
        for spec, column in zip(features.specs, table.T, strict=True):
            known = column[~np.isnan(column)]
            assert np.isfinite(known).all(), spec.name
            assert ((known >= spec.meaning.low) & (known <= spec.meaning.high)).all(), f"{spec.name}: {known}"


@OPTIONS
@given(cases(), st.sampled_from(["1ms", "1s", "7s", "1d"]), st.integers(1, 9))
def test_sampled_rows_do_not_depend_on_the_chunks(case, interval, chunk):
    events, rule = case
    for sample in ("bar", interval):
        whole, pieces = sc.Engine(SHORT, bars=rule), sc.Engine(SHORT, bars=rule)
        ts, table = whole.run(events, sample, return_ts=True)
        parts = [pieces.run(events[i : i + chunk], sample, return_ts=True) for i in range(0, len(events), chunk)]
        assert np.array_equal(np.concatenate([p[0] for p in parts]), ts)
        assert same(np.concatenate([p[1] for p in parts]), table)
        assert pieces.snapshot() == whole.snapshot()
        assert (np.diff(ts) >= 0).all() and (len(ts) == 0 or ts[-1] <= events["ts"][-1])


@OPTIONS
@given(cases(), st.sampled_from([copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e)), sc.Engine.copy]))
def test_copies_are_equal_and_apart(case, copied):
    events, rule = case
    eng = sc.Engine(DEFAULT, bars=rule, instrument="X", out_of_order="drop")
    eng.run(events[: len(events) // 2])
    blob = eng.snapshot()
    twin = copied(eng)
    assert twin.snapshot() == blob and twin.columns == eng.columns and twin.instrument == eng.instrument
    twin.run(events[len(events) // 2 :])
    assert eng.snapshot() == blob
    eng.run(events[len(events) // 2 :])
    assert eng.snapshot() == twin.snapshot()


@OPTIONS
@given(cases(), st.lists(st.tuples(st.integers(0, 59), st.sampled_from(["v0", "v1", "ts", "kind"])), max_size=8))
def test_damaged_events_are_refused_or_leave_a_sound_engine(case, damage):
    """Whatever stands in a record: an error of ours and nothing applied, or an event as good as any."""
    events, rule = case
    events = events.copy()
    for i, field in damage:
        event = events[i % len(events)]
        event[field] = {"v0": np.nan, "v1": -1.0, "ts": 0, "side": 77, "kind": 200}[field]
    eng = sc.Engine(DEFAULT, bars=rule)
    for event in events:
        before = eng.snapshot()
        try:
            eng.on_event(event)
        except (sc.InvalidEvent, sc.OutOfOrder):
            assert eng.snapshot() == before
    assert not np.isinf(eng.row).any()
    fresh = sc.Engine(DEFAULT, bars=rule)
    try:
        fresh.run(events)
    except (sc.InvalidEvent, sc.OutOfOrder):
        assert fresh.snapshot() == sc.Engine(DEFAULT, bars=rule).snapshot()
    else:
        assert same(fresh.row, eng.row)


@settings(max_examples=150 * MORE, deadline=None)
@given(st.binary(min_size=64, max_size=64))
def test_any_64_bytes(data):
    eng = sc.Engine(["spread", "trade_imbalance_1s", "log_return_1"])
    before = eng.snapshot()
    try:
        eng.on_event(data)
    except sc.SmartcoreError:
        assert eng.snapshot() == before
    else:
        assert sum(eng.counts.values()) == 1 and eng.ts == int(np.frombuffer(data, np.int64)[0])


@pytest.mark.parametrize("power", [2.0**-27, 2.0**-13, 2.0**13, 2.0**27])
def test_what_is_relative_does_not_know_the_price_level(power):
    """The same market in another unit of price: a power of two, so that nothing is rounded on the way."""
    rng = np.random.default_rng(3)
    n = 400
    close, volume = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, n))), rng.gamma(1, 1, n)
    high, low = close * 1.001, close * 0.999
    one, other = (
        sc.Engine(DEFAULT).run(ev.bars(START + SECOND * np.arange(n), close * u, high * u, low * u, close * u, volume))
        for u in (1.0, power)
    )
    for spec, a, b in zip(DEFAULT.specs, one.T, other.T, strict=True):
        if spec.kernel.name != "amihud":  # a move per unit of turnover
            assert np.allclose(a, b, rtol=1e-12, atol=1e-12, equal_nan=True), spec.name
