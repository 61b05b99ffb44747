"""Trade flow, intensity and impact against the field: SciPy, statsmodels and wickra where they have the same thing, and
simulated markets of which the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import streams
from scipy import stats

import smartcore as sc
from smartcore.market import events as ev

SECOND = 1_000_000_000


def tape(n: int = 3000, seed: int = 0) -> np.ndarray:
    """Trades at random times that go the way of the one before in 7 of 10 cases, and move the price by their size."""
    rng = np.random.default_rng(seed)
    side = np.cumprod(np.where(rng.random(n) < 0.7, 1, -1))
    size = np.round(rng.lognormal(0, 1, n), 2) + 0.01
    price = 60_000 + 0.1 * np.rint(np.cumsum(5 * side * np.sqrt(size) + rng.normal(0, 8, n)))
    return ev.trades(streams.START + np.cumsum(rng.exponential(0.05, n) * SECOND).astype(np.int64), price, size, side)


def rows(events: np.ndarray, *columns: str) -> np.ndarray:
    return sc.Engine(columns).run(events, "event")


def last(events: np.ndarray, *columns: str) -> np.ndarray:
    return rows(events, *columns)[-1]


def fields(trades: np.ndarray) -> tuple[np.ndarray, ...]:
    t = trades.view(sc.TRADE)
    return t["ts"].astype(np.int64), t["price"].copy(), t["size"].copy(), t["side"].astype(float)


# ---- SciPy ----


def test_regressions_and_correlations_are_scipys():
    trades, n = tape(), 500
    ts, price, size, sign = fields(trades)
    got = last(
        trades, "hasbrouck_lambda_500", "flow_price_correlation_500", "size_clustering_500", "duration_memory_500"
    )
    root = (sign * np.sqrt(size))[-n:]
    lam = stats.linregress(root, np.diff(np.log(price))[-n:]).slope * abs(root).mean() * 1e4
    gap = np.diff(ts) / 1e9
    want = [
        lam,
        stats.pearsonr((sign * size)[-n:], np.diff(price)[-n:]).statistic,
        stats.pearsonr(np.log(size)[-n - 1 : -1], np.log(size)[-n:]).statistic,
        stats.pearsonr(gap[-n - 1 : -1], gap[-n:]).statistic,
    ]
    np.testing.assert_allclose(got, want, rtol=1e-8)
    assert got[0] > 0 and got[1] > 0.1


def test_entropy_of_signs_is_scipys():
    trades = tape()
    up = (fields(trades)[3] > 0).astype(int)
    words = (4 * up[:-2] + 2 * up[1:-1] + up[2:])[-500:]
    want = stats.entropy(np.bincount(words, minlength=8), base=8)
    assert last(trades, "sign_entropy_500")[0] == pytest.approx(want, rel=1e-12)


def test_bulk_volume_classification_is_scipys_normal():
    bars = streams.bars(300)
    close, volume = bars.view(sc.BAR)["close"], bars.view(sc.BAR)["volume"]
    r, n = np.diff(np.log(close)), 20
    share = [2 * stats.norm.cdf(r[i] / r[i - n + 1 : i + 1].std(ddof=1)) - 1 for i in range(len(r) - n, len(r))]
    assert last(bars, "bulk_imbalance_20")[0] == pytest.approx(np.average(share, weights=volume[-n:]), rel=1e-9)


# ---- statsmodels ----


def test_hasbrouck_impact_is_the_response_of_a_var():
    """Of a vector autoregression fitted and shocked by statsmodels, the sign first in order: 1 % of ridge apart."""
    api = pytest.importorskip("statsmodels.tsa.api")
    trades, n = tape(6000, seed=3), 5000
    _, price, _, sign = fields(trades)
    data = np.column_stack([sign[1:], 1e4 * np.diff(np.log(price))])[-n - 1 :]
    fit = api.VAR(data).fit(1, trend="n")
    response = fit.irf(15).orth_irfs[:, 1, 0].sum() / np.sqrt(fit.sigma_u[0, 0])
    assert last(trades, f"hasbrouck_impact_{n}")[0] == pytest.approx(response, rel=0.03)


def test_pastor_stambaugh_and_kyle_on_bars_are_regressions_of_statsmodels():
    api = pytest.importorskip("statsmodels.api")
    bars = streams.bars(400)
    r, volume = np.diff(np.log(bars.view(sc.BAR)["close"])), bars.view(sc.BAR)["volume"][1:]
    flow = np.sign(r) * volume
    usual = 1e4 * bars.view(sc.BAR)["volume"][-50:].mean()
    kyle = api.OLS(r[-50:], api.add_constant(flow[-50:])).fit().params[1] * usual
    reversal = api.OLS(r[-50:], api.add_constant(flow[-51:-1])).fit().params[1] * usual
    np.testing.assert_allclose(last(bars, "bar_kyle_50", "pastor_stambaugh_50"), [kyle, reversal], rtol=1e-8)


# ---- wickra ----


def test_kyle_roll_and_sign_autocorrelation_are_wickras():
    wickra = pytest.importorskip("wickra")
    trades = tape(600)
    _, price, size, sign = fields(trades)
    # Its windows are of trades, ours of what there is one of for two trades.
    peers = wickra.KylesLambda(100), wickra.RollMeasure(101), wickra.TradeSignAutocorrelation(101)
    for p, q, s in zip(price, size, sign, strict=True):
        theirs = peers[0].update(p, q, s > 0, p), *(peer.update(p, q, s > 0) for peer in peers[1:])
    kyle, roll, memory = last(trades, "kyle_100", "roll_spread_100", "trade_sign_autocorrelation_100")
    assert kyle == pytest.approx(1e4 * theirs[0] * size[-100:].mean() / price[-1], rel=1e-10)
    assert roll == pytest.approx(1e4 * theirs[1] / price[-1], rel=2e-3)  # it takes one mean for both of the moves
    assert memory == pytest.approx(theirs[2], rel=1e-12)


def test_vpin_of_equal_buckets_is_wickras():
    wickra = pytest.importorskip("wickra")
    side = fields(tape(4000))[3]
    trades = ev.trades(np.arange(4000) * SECOND, 100.0, 1.0, side)
    peer = wickra.Vpin(50.0, 20)
    theirs = [peer.update(100.0, 1.0, s > 0) for s in side][-1]
    assert last(trades, "vpin_20")[0] == pytest.approx(theirs, rel=1e-12)


# ---- what became of the mid ----


def market(n: int = 2000, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Quotes every 40 ms or so and a trade every 100 ms or so, and the trades and quotes as fields."""
    rng = np.random.default_rng(seed)
    mid = 100 + 0.005 * np.cumsum(rng.integers(-2, 3, 4 * n))
    ts = streams.START + np.cumsum(rng.integers(25_000_000, 50_000_000, 4 * n))
    quotes = ev.quotes(ts, mid - 0.01, 5, mid + 0.01, 5)
    at = np.sort(rng.choice(np.arange(8, 4 * n), n, replace=False))
    side = rng.choice([1, -1], n)
    trades = ev.trades(ts[at] + 1_000_000, mid[at] + 0.01 * side, np.round(rng.gamma(2, 1, n), 2), side)
    return ev.merge(quotes, trades), trades, np.column_stack([ts, mid])


@pytest.mark.parametrize("horizon", [1, 5])
def test_realised_spread_and_impact_are_those_of_hindsight(horizon):
    """By looking ahead, offline: the mid that stood when the horizon was over, weights from when that was seen."""
    events, trades, _ = market()
    quotes = events[events["kind"] == ev.Kind.QUOTE].view(sc.QUOTE)
    mids = (quotes["bid"] + quotes["ask"]) / 2
    ts, price, size, side = fields(trades)
    events = events[:-200]
    table = rows(events, *(f"realised_spread_{horizon}s_60s{s}" for s in ("", "_impact")), "effective_spread_60s")
    # Groups of 1/256 of the horizon are shorter than the time between trades.
    assert np.diff(ts).min() > horizon * SECOND / 256
    due = ts + horizon * SECOND
    noticed = np.searchsorted(events["ts"], due)
    now = mids[np.searchsorted(quotes["ts"], ts, "right") - 1]
    later = mids[np.searchsorted(quotes["ts"], due, "left") - 1]
    end = events["ts"][-1]
    seen = noticed < len(events)
    weight = size[seen] * 0.5 ** ((end - events["ts"][noticed[seen]]) / (60 * SECOND))
    realised = 2e4 * side * np.log(price / later)
    impact = 2e4 * side * np.log(later / now)
    want = [np.average(x[seen], weights=weight) for x in (realised, impact)]
    np.testing.assert_allclose(table[-1, :2], want, rtol=1e-9)
    assert np.isnan(table[events["ts"] < due[0], 0]).all(), "known before it could be"


def test_any_number_of_trades_may_wait():
    """200,000 trades within a horizon: those that wait together share the mid of the first, no more than 1/256 late."""
    n = 200_000
    rng = np.random.default_rng(2)
    ts = streams.START + np.sort(rng.integers(0, SECOND, n))
    side = rng.choice([1, -1], n)
    quotes = [ev.quotes(streams.START + t * SECOND // 4, 99 + t, 1, 101 + t, 1) for t in range(5)]
    after = ev.quotes(streams.START + 3 * SECOND, 109, 1, 111, 1)
    events = ev.merge(*quotes, ev.trades(ts, 100.0, 1.0, side), after)
    got = last(events, "realised_spread_1s_1000s_impact")[0]
    quarter = (ts - streams.START) * 4 // SECOND
    lift = np.log((100 + np.minimum(quarter + 4, 4)) / (100 + quarter))
    assert got == pytest.approx((2e4 * side * lift).mean(), abs=200)


# ---- processes of which the answer is known ----


def hawkes_trades(own: float, cross: float, seconds: float, seed: int, half_life: float = 0.1, rate: float = 2.0):
    """Buys and sells of a symmetric Hawkes process, as the family tree it is: parents at random, then children."""
    rng = np.random.default_rng(seed)
    times = rng.uniform(0, seconds, rng.poisson(2 * rate * seconds))
    sides = rng.choice([1, -1], len(times))
    all_times, all_sides = [times], [sides]
    while len(times):
        children = []
        for branching, flip in ((own, 1), (cross, -1)):
            count = rng.poisson(branching, len(times))
            wait = rng.exponential(half_life / np.log(2), count.sum())
            children.append((np.repeat(times, count) + wait, flip * np.repeat(sides, count)))
        times, sides = (np.concatenate(x) for x in zip(*children, strict=True))
        sides, times = sides[times < seconds], times[times < seconds]
        all_times.append(times)
        all_sides.append(sides)
    times, sides = np.concatenate(all_times), np.concatenate(all_sides)
    order = np.argsort(times)
    return times[order], sides[order]


@pytest.mark.parametrize(("own", "cross"), [(0.6, 0.2), (0.5, 0.0), (0.0, 0.0), (0.1, 0.6)])
def test_branching_of_a_hawkes_process_is_found(own, cross):
    times, sides = hawkes_trades(own, cross, 3000, seed=4)
    trades = ev.trades(streams.START + (times * SECOND).astype(np.int64), 100, 1, sides)
    got = last(trades, "branching_100ms_600s_self", "branching_100ms_600s_cross")
    np.testing.assert_allclose(got, [own, cross], atol=0.08)


def test_hawkes_intensity_is_the_double_sum():
    """The intensity as it is written in books, over all pairs of trades, with the branching that was found."""
    times, sides = hawkes_trades(0.6, 0.2, 120, seed=5)
    ts = streams.START + (times * SECOND).astype(np.int64)
    trades = ev.trades(ts, 100, 1, sides)
    names = "surprise", "imbalance"
    table = rows(
        trades, "branching_100ms_60s_self", "branching_100ms_60s_cross", *(f"hawkes_100ms_60s_{x}" for x in names)
    )
    for i in (2000, len(ts) - 1):
        own, cross = table[i, :2]
        age = (ts[i] - ts[: i + 1]) / 1e9
        life = (ts[i] - ts[0]) / 1e9
        rates = {}
        for half_life in (0.1, 60.0):
            beta = np.log(2) / half_life
            kernel = beta * np.exp(-beta * age) / (1 - np.exp(-beta * life))
            rates[half_life] = [kernel[sides[: i + 1] == side].sum() for side in (1, -1)]
        (buys, sells), (mean_buys, mean_sells) = rates[0.1], rates[60.0]
        buy = (1 - own) * mean_buys - cross * mean_sells + own * buys + cross * sells
        sell = (1 - own) * mean_sells - cross * mean_buys + own * sells + cross * buys
        buy, sell, mean = max(buy, 0), max(sell, 0), mean_buys + mean_sells
        want = (buy + sell - mean) / (buy + sell + mean), (buy - sell) / (buy + sell)
        np.testing.assert_allclose(table[i, 2:], want, rtol=1e-9)


def test_waits_of_a_clock_at_random_and_in_bursts():
    rng = np.random.default_rng(6)
    waits = {"clock": np.ones(2000), "random": rng.exponential(1, 2000), "bursts": rng.exponential(1, 2000) ** 3}
    got = {}
    for name, wait in waits.items():
        trades = ev.trades(streams.START + (np.cumsum(wait) * SECOND).astype(np.int64), 100, 1, 1)
        got[name] = last(trades, "burstiness_1900", "local_variation_1900", "duration_memory_1900")
    np.testing.assert_allclose(got["clock"][:2], [-1, 0], atol=1e-9)
    assert np.isnan(got["clock"][2])
    np.testing.assert_allclose(got["random"], [0, 1, 0], atol=0.1)
    assert got["bursts"][0] > 0.4 and got["bursts"][1] > 1.5


def test_expected_durations_follow_clusters():
    """Of an autoregressive conditional duration with the weights of the column, its expectation is found again."""
    rng, wait, expected, psi = np.random.default_rng(7), [], [], 1.0
    for _ in range(3000):
        wait.append(psi * rng.exponential())
        psi = 0.05 + 0.1 * wait[-1] + 0.85 * psi
        expected.append(psi)
    trades = ev.trades(streams.START + (np.cumsum([0.1, *wait]) * SECOND).astype(np.int64), 100, 1, 1)
    got = rows(trades, "acd_duration_1000")[1:, 0]
    assert np.corrcoef(got[1500:], np.log(expected)[1500:])[0, 1] > 0.98


def test_spreads_are_found_from_bars_alone():
    """Trades at bid or ask around a mid that walks, made into bars of 390: the papers' own experiment."""
    rng, spread, inside, n = np.random.default_rng(8), 0.01, 390, 1000
    mid = np.exp(np.cumsum(rng.normal(0, 0.02 / np.sqrt(inside), n * inside)))
    price = (100 * mid * (1 + spread / 2 * rng.choice([1, -1], n * inside))).reshape(n, inside)
    bars = ev.bars(
        streams.START + streams.MINUTE * np.arange(n), price[:, 0], price.max(1), price.min(1), price[:, -1], 1, 0
    )
    corwin, abdi = last(bars, "corwin_schultz_900", "abdi_ranaldo_900")
    # Below 0 counts as 0, which lifts both, as the papers say.
    assert 60 < corwin < 160 and 60 < abdi < 190


# ---- by hand ----


def book(bid: float, ask: float, ts: int = 0, size: float = 10) -> np.ndarray:
    return ev.quotes(ts, bid, size, ask, size)


def test_flow_by_hand():
    trades = ev.trades([0, SECOND], 100, [3.0, 4.0], [1, -1])
    got = last(trades, "flow_zscore_1s", "count_imbalance_1s", "size_asymmetry_1s", "trade_concentration_1s")
    net, sizes = 1.5 - 4, np.array([3.0, 4.0])
    weight = np.array([0.5, 1])
    mean = (weight * sizes).sum() / 1.5
    want = [net / np.hypot(1.5, 4), -0.5 / 1.5, -1 / 7, (weight * sizes**2).sum() / 1.5 / mean**2]
    np.testing.assert_allclose(got, want, rtol=1e-12)


def test_prices_by_hand():
    trades = ev.trades([0, 0, 0], [100, 102, 101], [1, 1, 2], [1, 1, -1])
    got = last(trades, "trade_vwap_distance_1s", "buy_sell_vwap_1s")
    np.testing.assert_allclose(got, [0, 1e4 * (101 - 101) / 101], atol=1e-9)
    got = last(trades[:2], "trade_vwap_distance_1s", "buy_sell_vwap_1s")
    np.testing.assert_allclose(got, [1e4 * (102 - 101) / 102, np.nan], rtol=1e-12)
    ticks = ev.trades(np.arange(6), [100, 101, 101, 103, 102, 102], 1, 1)
    got = last(ticks, "tick_efficiency_5", "tick_balance_5", "zero_ticks_5", "bounce_share_5")
    np.testing.assert_allclose(got, [(1 + 2 - 1) / 4, 1 / 3, 0.4, 1 / 3], rtol=1e-12)


def test_runs_by_hand():
    trades = ev.trades(np.arange(7), 100, 1, [1, 1, 1, -1, -1, 1, -1])
    assert list(rows(trades, "sign_run")[:, 0]) == [1, 2, 3, -1, -2, 1, -1]
    assert last(trades, "longest_run_4")[0] == 2  # of the last four trades: 1, 2, 1, 1
    assert last(trades, "sign_memory_2_5")[0] == pytest.approx((1 - 1 - 1 - 1 + 1) / 5)


def test_orders_by_hand():
    """Three fills at two prices within a millisecond sweep; a fill a second later, or on the other side, does not."""
    ms = 1_000_000
    trades = ev.trades([0, ms // 2, ms, SECOND, SECOND], [100, 100, 101, 101, 100], [1, 2, 3, 4, 5], [1, 1, 1, 1, -1])
    table = rows(trades, "sweeps_1000s_share", "sweeps_1000s_net", "fills_per_order_1000s")
    np.testing.assert_allclose(table[:3], [[0, 0, 1], [0, 0, 2], [1, 1, 3]], rtol=1e-6)
    np.testing.assert_allclose(table[4], [6 / 15, 6 / 15, 5 / 3], rtol=1e-3)


def test_costs_by_hand():
    names = [f"{x}_1000s" for x in ("effective_to_quoted", "trade_through", "touch_consumption", "trade_to_quote")]
    trades = [ev.trades(1, 101, 5, 1), ev.trades(2, 99.5, 15, -1), ev.trades(3, 102, 20, 1)]
    table = rows(np.concatenate([book(99, 101), *trades]), *names)
    np.testing.assert_allclose(table[1], [1, 0, 0.5, 1 / 2], rtol=1e-9)
    np.testing.assert_allclose(table[2], [(5 + 15 / 2) / 20, 0, 0.75, 2 / 3], rtol=1e-9)
    np.testing.assert_allclose(table[3], [(5 + 15 / 2 + 40) / 40, 0.5, 2.5 / 3, 3 / 4], rtol=1e-9)


def test_known_late_by_hand():
    names = "realised_spread_1s_60s", "realised_spread_1s_60s_impact", "adverse_share_1s_60s", "effective_spread_60s"
    events = np.concatenate(
        [
            book(99, 101),
            ev.trades(0, 101, 1, 1),
            book(100, 102, SECOND // 2),
            ev.trades(SECOND - 1, 102, 1, 1),
            book(98, 100, SECOND),  # the first is settled at 101, the mid that stood before this
            book(90, 92, 3 * SECOND),  # and the second at 99
        ]
    )
    table = rows(events, *names)
    assert np.isnan(table[:4, :3]).all()
    np.testing.assert_allclose(table[4, :3], [0, 2e4 * np.log(1.01), 1], atol=1e-9)
    half = 0.5 ** (2 / 60)
    realised, impact = 2e4 * np.log(102 / 99), 2e4 * np.log(99 / 101)
    want = [realised / (1 + half), (half * 2e4 * np.log(1.01) + impact) / (1 + half), half / (1 + half)]
    np.testing.assert_allclose(table[5, :3], want, rtol=1e-9)


def test_response_by_hand():
    """Ten buys, each of which lifts the mid by one: a trade later it has gone the way of the trade before."""
    parts = [book(99, 101)]
    for i in range(10):
        parts += [ev.trades(2 * i + 1, 101 + i, 1, 1), book(100 + i, 102 + i, 2 * i + 2)]
    mid = 100 + np.arange(10)
    want = (1e4 * np.diff(np.log(mid)))[-5:].mean()
    assert last(np.concatenate(parts), "response_1_5")[0] == pytest.approx(want, rel=1e-9)
