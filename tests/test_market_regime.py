"""Markets drawn with known regimes, the filter that knows their law, and the kernel `market_regime` beside it."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import streams
from scipy.stats import t as student

import smartcore as sc
from smartcore.learn import drawn
from smartcore.learn import market_regime as learned
from smartcore.learn.market_regime import filtered, fit_market_regime, read, shipped
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
        assert new == p.argmax() and (p[new] > 0.6 or p[old] < 0.06)


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


# ---- the fit ----


def bars_of(market):
    return read(market.high, market.low, market.close, market.volume)


def of_names(p):
    return np.stack([p[:, k == drawn.NAME_OF].sum(axis=1) for k in range(7)], axis=1)


def test_the_filter_of_the_fit_is_the_kernels(market, table):
    p = of_names(filtered(bars_of(market), shipped()))
    np.testing.assert_allclose(p, table[:, :7], atol=1e-9)
    gaps = events(market).view(sc.BAR).copy()  # bars without wicks, without volume, without a move
    rng = np.random.default_rng(0)
    gaps["volume"][rng.random(len(gaps)) < 0.2] = 0
    still = np.flatnonzero(rng.random(len(gaps)) < 0.2)
    for field in ("high", "low"):
        gaps[field][still] = gaps["close"][still]
    gaps["open"][still] = gaps["close"][still]
    got = sc.Engine(COLUMNS[:7]).run(gaps)
    p = of_names(filtered(read(gaps["high"], gaps["low"], gaps["close"], gaps["volume"]), shipped()))
    np.testing.assert_allclose(p, got, atol=1e-9)


def test_filter_and_smoother_equal_hmmlearns():
    """Given the densities of every bar: hmmlearn's forward and backward passes, ours in place of its normal ones."""
    hmmlearn = pytest.importorskip("hmmlearn.hmm")
    bars, given = bars_of(drawn.draw(1200, 4)), shipped()
    _, density, p = learned._follow(bars, given.parts, given.transitions)
    first = int(np.flatnonzero(~np.isnan(p[:, 0]))[0])

    class Ours(hmmlearn.GaussianHMM):
        def _compute_log_likelihood(self, x):
            return np.log(density[first : first + len(x)])

    model = Ours(10, covariance_type="diag")
    model.startprob_, model.transmat_ = np.full(10, 0.1), given.transitions
    model.means_, model.covars_ = np.zeros((10, 1)), np.ones((10, 1))
    x = np.zeros((len(p) - first, 1))
    for n in (1, 2, 50, len(x)):
        np.testing.assert_allclose(model.predict_proba(x[:n])[-1], p[first + n - 1], atol=1e-9)
    smoothed = learned._smooth(density, p, given.transitions)
    np.testing.assert_allclose(smoothed[first:], model.predict_proba(x), atol=1e-9)
    assert abs(smoothed - p)[first:].max() > 0.2, "what it says of the middle knows the end"


def test_the_true_filter_equals_a_naive_recursion():
    from scipy.stats import expon, norm

    market = drawn.draw(400, 9)
    law, x = market.law, np.log(market.close / 100)
    p, before, mean, out = np.full(10, 0.1), 0.0, 0.0, []
    scale = law.scale * law.base
    for t in range(400):
        size = scale * np.sqrt((law.dof - 2) / law.dof)
        density = student.pdf(x[t] - before, law.dof, law.drift * scale - law.pull * (before - mean), size)
        top, bottom = np.log(market.high[t] / 100), np.log(market.low[t] / 100)
        density = density * expon.pdf(top - max(x[t], before) + 1e-12, scale=drawn.WICK * scale)
        density = density * expon.pdf(min(x[t], before) - bottom + 1e-12, scale=drawn.WICK * scale)
        density = density * norm.pdf(np.log(market.volume[t] / 100), law.volume, drawn.NOISE)
        p = (p @ law.transitions) * density
        p /= p.sum()
        out.append(p)
        before = x[t]
        mean += 2 / (drawn.PULL + 1) * (before - mean)
    np.testing.assert_allclose(drawn.true_filter(market), of_names(np.array(out)), atol=1e-6)


def test_labels_lead_to_what_was_drawn():
    markets = [drawn.draw(20_000, 500 + i) for i in range(4)]
    p = fit_market_regime(markets, [m.state for m in markets], iterations=4)
    law = markets[0].law
    np.testing.assert_allclose(p.transitions, law.transitions, atol=0.01)
    apart = np.log(p.parts[learned.SCALE] / p.parts[learned.SCALE, 7])
    # The references follow what is believed wrongly too, which makes regimes look a little more alike.
    np.testing.assert_allclose(apart[[0, 6, 9]], np.log(law.scale / law.scale[7])[[0, 6, 9]], atol=0.2)
    assert apart[9] < apart[6] < apart[0] < apart[4] < apart[8]
    assert p.parts[learned.PULL, 6] == pytest.approx(-law.pull[6], abs=0.02)
    assert np.corrcoef(p.parts[learned.VOLUME], law.volume)[0, 1] > 0.99


def test_without_labels_it_learns_how_far_regimes_are_apart():
    """Of a market whose regimes lie further apart than those of the numbers that ship."""
    train, test = drawn.draw(10_000, 600, 1.5), drawn.draw(10_000, 601, 1.5)
    own = fit_market_regime(train, iterations=8)
    again = fit_market_regime(train, iterations=8)
    assert own.numbers() == again.numbers()
    tables = [
        sc.Engine(sc.FeatureSet(COLUMNS, fitted=given)).run(events(test))
        for given in (None, {"market_regime": own.numbers()})
    ]
    before, after = (recall(test.regime[WARM:], t[WARM:, 7]) for t in tables)
    assert after > before + 0.01
    np.testing.assert_allclose(tables[1][:, :7], of_names(filtered(bars_of(test), own)), atol=1e-9)


def test_what_cannot_be_fitted_is_refused():
    market = drawn.draw(600, 1)
    with pytest.raises(ValueError, match="above 500"):
        fit_market_regime(drawn.draw(400, 1))
    with pytest.raises(ValueError, match="a state for every bar"):
        fit_market_regime(market, [market.state[:-1]])


# ---- the table ----

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench"))


def test_what_the_table_measures_by_hand():
    import regimes

    #                true: 0 for 4 bars, 1 for 3, 2 for 2 (missed), 0 for 3
    true = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 0, 0, 0])
    told = np.array([0, 0, 1, 0, 0, 1, 1, 1, 1, 1, 1, 0])
    found = regimes.measure(true, told)
    assert found["accuracy"] == pytest.approx((4 / 7 + 2 / 3 + 0) / 3)
    assert found["missed"] == pytest.approx(1 / 3)
    assert found["delay"] == pytest.approx(1.5)  # one bar late, and two
    assert found["flips"] == pytest.approx(4 / 3)


def test_a_name_is_held_by_the_rule_of_the_kernel(table):
    import regimes

    np.testing.assert_array_equal(regimes.hold(table[:, :7], *regimes.HOLD)[WARM:], table[WARM:, 7])


def test_what_the_table_gives_the_others_knows_no_later_bar(market):
    import regimes

    whole, part = regimes.features(market), regimes.features(prefix(market, 3000))
    np.testing.assert_allclose(part, whole[:3000], atol=1e-9)
    rules = regimes.regime_rules.names(regimes.engine(market, list(regimes.regime_rules.COLUMNS))[0])
    again = regimes.regime_rules.names(regimes.engine(prefix(market, 3000), list(regimes.regime_rules.COLUMNS))[0])
    np.testing.assert_array_equal(again, rules[:3000])
    assert len(np.unique(rules)) > 4
