"""Markets drawn with known regimes, the filter that knows their law, and the kernel `market_regime` beside it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import streams
from scipy.stats import t as student

import smartcore as sc
from smartcore.learn import drawn
from smartcore.market import events as ev

KERNEL = sc.catalogue()["market_regime"]
COLUMNS = tuple(KERNEL.column((), i).name for i in range(len(KERNEL.outputs)))
WARM = 502


def events(market: drawn.Market):
    n = len(market.close)
    ts = streams.START + streams.MINUTE * np.arange(n)
    return ev.bars(ts, market.open, market.high, market.low, market.close, market.volume)


def recall(true, told):
    return np.mean([(told[true == k] == k).mean() for k in np.unique(true)])


@pytest.fixture(scope="module")
def market():
    return drawn.draw(12_000, 77)


@pytest.fixture(scope="module")
def table(market):
    return sc.Engine(COLUMNS).run(events(market))


def test_drawing_repeats_and_a_longer_market_is_another(market):
    again = drawn.draw(12_000, 77)
    assert all(np.array_equal(a, b) for a, b in zip(market[:6], again[:6], strict=True))
    assert not np.array_equal(drawn.draw(12_000, 78).close, market.close)
    assert (market.high >= np.maximum(market.open, market.close)).all()
    assert (market.low <= np.minimum(market.open, market.close)).all()
    assert len(np.unique(market.regime)) == 7


def test_states_stay_as_long_and_move_as_the_law_says():
    market = drawn.draw(400_000, 5)
    law = market.law
    counts = np.zeros((10, 10))
    np.add.at(counts, (market.state[:-1], market.state[1:]), 1)
    np.testing.assert_allclose(counts / counts.sum(axis=1, keepdims=True), law.transitions, atol=0.006)
    for state in range(10):
        r = np.diff(np.log(market.close))[market.state[1:] == state] / law.base
        dof = law.dof[state]
        half = student.ppf(0.75, dof) * np.sqrt((dof - 2) / dof)  # of a t of deviation 1, within which half of it is
        assert np.median(abs(r - np.median(r))) == pytest.approx(law.scale[state] * half, rel=0.05)
        assert np.median(r) == pytest.approx(law.drift[state] * law.scale[state], abs=0.05)


def test_the_true_filter_is_calibrated_and_no_one_beats_it(market, table):
    large = drawn.draw(150_000, 3)
    p, hit = drawn.true_filter(large), np.eye(7)[large.regime]
    np.testing.assert_allclose(p.sum(axis=1), 1)
    edges = np.linspace(0, 1, 6)
    for a, b in pairwise(edges):
        here = (p >= a) & (p <= b)
        assert hit[here].mean() == pytest.approx(p[here].mean(), abs=0.02)
    p = drawn.true_filter(market)

    def loss(q):
        return -np.log(np.maximum(q[np.arange(len(q)), market.regime[WARM:]], 1e-12)).mean()

    assert loss(p[WARM:]) < loss(table[WARM:, :7])
    np.testing.assert_array_equal(drawn.true_filter(prefix(market, 500)), p[:500])


def prefix(market, n):
    return market._replace(**{f: getattr(market, f)[:n] for f in ("open", "high", "low", "close", "volume", "state")})


def test_the_kernel_comes_near_to_it_and_its_name_holds(market, table):
    true = market.regime[WARM:]
    ceiling = recall(true, drawn.true_filter(market).argmax(axis=1)[WARM:])
    name = table[WARM:, 7]
    assert recall(true, name) >= 0.85 * ceiling
    switches = np.count_nonzero(np.diff(true))
    assert np.count_nonzero(np.diff(name)) <= 1.5 * switches


def test_what_it_tells_agrees_with_itself(table):
    rows = table[WARM:]
    np.testing.assert_allclose(rows[:, :7].sum(axis=1), 1, atol=1e-12)
    changed = np.diff(rows[:, 7]) != 0
    assert (rows[1:, 8][changed] == 0).all() and (rows[1:, 8][~changed] == rows[:-1, 8][~changed] + 1).all()
    assert np.isnan(table[: WARM - 1]).all()


def test_a_name_changes_only_past_its_thresholds(table):
    rows = table[WARM:]
    for t in np.flatnonzero(np.diff(rows[:, 7])) + 1:
        p, old, new = rows[t, :7], int(rows[t - 1, 7]), int(rows[t, 7])
        assert new == p.argmax() and (p[new] > 0.7 or p[old] < 0.045)


def test_labels_of_size_direction_and_volume_follow_the_market(market, table):
    rows, state = table[WARM:], market.state[WARM:]
    inside = np.concatenate([[0], np.diff(state) == 0])
    for _ in range(5):  # bars that have been in their state for a while
        inside = inside * np.concatenate([[0], inside[:-1]])
    mean = {s: rows[(state == s) & (inside > 0)].mean(axis=0)[10:] for s in range(10)}
    assert mean[8][0] > 1.5 > mean[7][0] > 0.5 > mean[9][0]
    assert mean[0][1] > 0.6 and mean[1][1] < -0.6 and abs(mean[7][1]) < 0.3
    assert mean[2][2] > 1.5 and mean[9][2] < 0.5


def test_neither_the_price_nor_its_unit_nor_the_size_of_volume_matters(market, table):
    bars = events(market)[:3000]
    other = bars.copy().view(sc.BAR)
    for field in ("open", "high", "low", "close"):
        other[field] *= 1024.0
    other["volume"] /= 4096.0
    got = sc.Engine(COLUMNS).run(other)
    np.testing.assert_allclose(got, table[:3000], atol=1e-8)


def test_a_market_upside_down_is_told_so(market, table):
    n, close = 3000, market.close[:3000]
    down = ev.bars(
        streams.START + streams.MINUTE * np.arange(n),
        1e4 / market.open[:n], 1e4 / market.low[:n], 1e4 / market.high[:n], 1e4 / close, market.volume[:n],
    )  # fmt: skip
    got = sc.Engine(COLUMNS).run(down)[WARM:, 7].astype(int)
    mirrored = np.array([1, 0, 2, 3, 4, 5, 6])[table[WARM:n, 7].astype(int)]
    assert (got == mirrored).mean() > 0.99


def test_bars_without_volume_or_wicks_are_read_by_their_moves(market):
    n = 6000
    ts = streams.START + streams.MINUTE * np.arange(n)
    close = market.close[:n]
    table = sc.Engine(COLUMNS).run(ev.bars(ts, close, close, close, close, 0.0))
    assert np.isfinite(table[WARM:, :12]).all() and np.isnan(table[:, 12]).all()
    seen = table[WARM:, 7]
    assert recall(market.regime[WARM:n], seen) > 2 / 7  # by chance 1/7
    assert len(np.unique(seen)) >= 4


def test_a_flat_stretch_is_quiet_and_is_forgotten(market):
    bars = events(market).view(sc.BAR).copy()
    for field in ("open", "high", "low", "close"):
        bars[field][2000:3200] = bars["close"][1999]
    bars["volume"][2000:3200] = 0
    table = sc.Engine(COLUMNS).run(bars)
    assert np.isfinite(table[WARM:]).all()
    assert (table[2050:3200, 7] == 6).all()
    ceiling = recall(market.regime[4500:], drawn.true_filter(market).argmax(axis=1)[4500:])
    assert recall(market.regime[4500:], table[4500:, 7]) > 0.8 * ceiling


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"quiet_to_quiet": 0.5}, "add up to 1"),
        ({"scale_volatile": 0.0}, "scale_volatile"),
        ({"wick_breakout": 0.0}, "no fitted wick_breakout"),
    ],
)
def test_numbers_that_cannot_be_are_refused(given, says):
    with pytest.raises(sc.InvalidData, match=says):
        sc.FeatureSet(COLUMNS, fitted={"market_regime": given})
