"""What kernels of the book say of books that anyone can check, and against what the field computes with."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import smartcore as sc
from smartcore.market import events as ev

SECOND = 1_000_000_000


def book(*levels: tuple[int, float, float], ts: float = 0, snapshot: bool = False) -> np.ndarray:
    """A message of (side, price, size) at `ts` seconds."""
    side, price, size = zip(*levels, strict=True)
    row = np.arange(len(levels))
    first = (row == 0) & snapshot
    return ev.depth(np.full(len(levels), int(ts * SECOND)), side, price, size, last=row == row[-1], snapshot=first)


def trade(price: float, size: float, side: int, ts: float) -> np.ndarray:
    return ev.trades(int(ts * SECOND), price, size, side)


def last(column: str, *events: np.ndarray) -> float:
    return sc.Engine([column]).run(np.concatenate(events), sample="event")[-1, 0]


TOP = book((1, 99, 5), (1, 98, 3), (1, 96, 2), (-1, 101, 4), (-1, 102, 4), (-1, 103, 8), snapshot=True)
"""Mid 100."""


# ---- shape ----


def test_shape_by_hand():
    assert last("level_imbalance_l2", TOP) == (3 - 4) / 7
    assert last("level_imbalance_l10", TOP) == 0  # neither side has one
    assert last("depth_concentration_l10_bid", TOP) == 0.5
    assert last("depth_convexity_bid", TOP) == pytest.approx((0.5 + 0.8 + 1) / 3)
    # Bids lie 100, 200 and 400 bps from the mid, asks 100, 200 and 300.
    assert last("depth_center_l10_bid", TOP) == pytest.approx(100 * (5 * 1 + 3 * 2 + 2 * 4) / 10)
    assert last("depth_center_l2_ask", TOP) == pytest.approx(150)
    assert last("level_gap_bid", TOP) == pytest.approx(150)
    assert last("level_gap_asymmetry", TOP) == pytest.approx((1.5 - 1) / 2.5)
    assert last("first_gap_bid", TOP) == pytest.approx(1 / 1.5)
    assert last("largest_gap_bid", TOP) == pytest.approx(2 / 1.5)
    weights = [5 + 3 / np.sqrt(2) + 2 / 2, 4 + 4 / np.sqrt(2) + 8 / 2]
    assert last("weighted_imbalance_2", TOP) == pytest.approx((weights[0] - weights[1]) / sum(weights))
    near = [5 + 3 * (1 - 1 / 4), 4 + 4 * (1 - 1 / 4) + 8 * (1 - 2 / 4)]  # within twice a spread of 2
    near[0] += 2 * (1 - 3 / 4)
    assert last("near_imbalance_2", TOP) == pytest.approx((near[0] - near[1]) / sum(near))
    gap = 5 / 4
    pressure = [
        5 + 3 * gap / (gap + 1) + 2 * gap / (gap + 3),
        4 + 4 * gap / (gap + 1) + 8 * gap / (gap + 2),
    ]
    assert last("book_pressure", TOP) == pytest.approx((pressure[0] - pressure[1]) / sum(pressure))


def test_shape_against_scipy():
    rng = np.random.default_rng(3)
    for _ in range(20):
        n = int(rng.integers(2, 11))
        prices, sizes = 100 - np.cumsum(rng.integers(1, 4, n)) * 0.5, rng.gamma(1, 5, n)
        top = book(*((1, p, q) for p, q in zip(prices, sizes, strict=True)), (-1, 101, 1), snapshot=True)
        assert last("depth_entropy_bid", top) == pytest.approx(stats.entropy(sizes) / np.log(n))
        mid = (prices[0] + 101) / 2
        spread_out = np.sqrt(np.cov(1e4 * (mid - prices) / mid, aweights=sizes, ddof=0))
        assert last("depth_width_bid", top) == pytest.approx(spread_out)


def test_sweep_cost_by_hand():
    """The usual queue is (5 + 4) / 2 = 4.5 here; a purchase of 9 takes 4 at 101, 4 at 102 and 1 at 103."""
    assert last("sweep_cost_2_buy", TOP) == pytest.approx(1e4 * ((4 * 101 + 4 * 102 + 103) / 9 - 100) / 100)
    assert last("sweep_cost_2_sell", TOP) == pytest.approx(1e4 * (100 - (5 * 99 + 3 * 98 + 96) / 9) / 100)
    assert last("sweep_cost_0.5_buy", TOP) == 100
    # 45: more than there is; what is beyond the last level costs what the last level does.
    assert last("sweep_cost_10_buy", TOP) == pytest.approx(1e4 * ((4 * 101 + 4 * 102 + 37 * 103) / 45 - 100) / 100)


def test_deep_microprice_of_two_levels():
    prices, weights = [99, 101, 98, 102], [4, 5, 4, 3]  # by the sizes opposite
    mean = np.average(prices, weights=weights)
    assert last("deep_microprice_l2", TOP) == pytest.approx(1e4 * (mean - 100) / 100)


# ---- what is usual ----


def test_a_value_counts_for_as_long_as_it_stood():
    """A spread of 2 stood since for ever, then one of 4 for a second, which at a half-life of 1 s is half of all."""
    wider = [TOP, book((-1, 101, 0), (-1, 102, 0), ts=1), book((1, 96, 1), ts=2)]
    mean = (2 + 4) / 2
    mid = (99 + 103) / 2
    assert last("spread_mean_1s", *wider) == pytest.approx(1e4 * mean / mid)
    assert last("spread_ratio_1s", *wider) == pytest.approx(4 / mean)
    assert last("spread_volatility_1s", *wider) == pytest.approx(1 / mean)
    assert last("tight_share_1s", *wider) == pytest.approx(0.5)
    assert last("relative_depth_l1_1s_ask", *wider) == pytest.approx(8 / ((4 + 8) / 2))
    assert last("depth_volatility_l1_1s_ask", *wider) == pytest.approx(2 / 6)


def test_resilience_recovers_the_rate_of_return():
    """The size at the best bid is pulled back to 100 at a rate of 2 a second."""
    rng = np.random.default_rng(8)
    rate, dt, n = 2.0, 0.02, 60_000
    x, sizes = 0.0, []
    for _ in range(n):
        x += -rate * dt * x + np.sqrt(dt) * rng.normal()
        sizes.append(100 + x)
    ts = (np.arange(n) * dt * SECOND).astype(np.int64)
    quotes = ev.quotes(ts, 99.0, np.array(sizes), 101.0, 50.0)
    table = sc.Engine(["depth_resilience_l1_60s_bid", "depth_resilience_l1_60s_ask"]).run(quotes, sample="event")
    assert table[n // 4 :, 0].mean() == pytest.approx(rate, rel=0.1)
    assert (table[:, 1] == 0).all()


# ---- flow ----


def test_impact_recovers_the_slope_of_the_mid_on_flow():
    """The bid queue's changes, and a mid that moves by 0.01 bps for each lot of them and some noise of its own."""
    rng = np.random.default_rng(9)
    n = 3000
    flow = rng.integers(-20, 21, n).astype(float)
    move = 0.01 * flow
    events, mid, queue = [], 100.0, 1000.0
    e, r = [], []
    for i in range(n):
        # A quote that moves has a new queue on either side: equal ones leave the flow at 0.
        queue += flow[i]
        events.append(ev.quotes(2 * i * SECOND, mid - 0.5, queue, mid + 0.5, 1000.0))
        e.append(flow[i])
        r.append(0.0)
        new = mid * np.exp(1e-4 * (move[i] + 0.05 * rng.normal()))
        up = new > mid
        # the better side's queue is new, the other side's lost
        e.append((queue + 1000.0) if up else -(queue + 1000.0))
        r.append(1e4 * np.log(new / mid))
        mid = new
        events.append(ev.quotes((2 * i + 1) * SECOND, mid - 0.5, queue, mid + 0.5, 1000.0))
    got = last("ofi_impact_86400s", *events)
    e, r = np.array(e[1:]), np.array(r[1:])
    age = np.arange(len(e))[::-1]
    w = 2.0 ** (-age / 86400)
    slope = (w * r * e).sum() / (w * e * e).sum()
    sizes = [float((q["v1"][0] + q["v3"][0]) / 2) for q in events]
    weight = 2.0 ** (-np.arange(len(sizes))[::-1] / 86400)
    assert got == pytest.approx(slope * np.average(sizes, weights=weight), rel=1e-6)
    correlation = (w * r * e).sum() / np.sqrt((w * e * e).sum() * (w * r * r).sum())
    assert last("ofi_correlation_86400s", *events) == pytest.approx(correlation, rel=1e-6)


def test_integrated_flow_by_hand():
    """Two lots more at the best bid and six fewer at the second ask, of levels that hold 4.5 and 3.5 on average."""
    after = book((1, 99, 7), (-1, 102, 1), ts=0)
    flow = (2 + (4 - 1)) / 2
    sizes = [(5 + 4) / 2, (3 + 4) / 2, (7 + 4) / 2, (3 + 1) / 2]
    assert last("integrated_ofi_l2_10s", TOP, after) == pytest.approx(flow / np.mean(sizes))
    assert last("ofi_share_10s", TOP, after) == 1
    assert last("ofi_strength_l2_10s", TOP, after) == 1
    back = book((1, 99, 6), ts=0)  # and then one lot less
    assert last("ofi_share_10s", TOP, after, back) == pytest.approx(1 / 3)
    assert last("ofi_autocorrelation_10s", TOP, after, back) == pytest.approx(-2 / np.sqrt(2**2 * (2**2 + 1)))


# ---- queues ----


def test_adds_cancels_and_trades_by_hand():
    """4 lots leave the best bid, 3 of them traded; 2 are added behind it; the ask gets 1 more."""
    events = TOP, trade(99, 3, -1, 0.5), book((1, 99, 1), (1, 98, 5), (-1, 101, 5), ts=1)
    assert last("execution_share_10s_bid", *events) == pytest.approx(3 / 4)
    assert last("cancel_share_10s_bid", *events) == pytest.approx(1 / (1 + 2))
    assert last("add_imbalance_10s", *events) == pytest.approx((2 - 1) / 3)
    assert last("cancel_imbalance_10s", *events) == 1
    assert last("net_add_imbalance_10s", *events) == pytest.approx((2 - 4 - 1) / 7)
    assert last("replenishment_10s_bid", *events) == -1  # what was added was added behind the best price
    assert last("replenishment_10s_ask", *events) == 1
    assert last("update_balance_10s_bid", *events) == 0
    seen = 10 / np.log(2) * (1 - 2**-0.1)
    assert last("update_rate_10s_bid", *events) == pytest.approx(2 / seen)
    usual = 10  # stood all the while
    assert last("add_rate_10s_bid", *events) == pytest.approx(2 / seen / usual)
    assert last("cancel_rate_10s_bid", *events) == pytest.approx(1 / seen / usual)
    assert last("add_size_10s_bid", *events) == pytest.approx(2 / (usual / 10))
    assert last("best_update_share_10s", *events) == 1


def test_a_level_that_comes_into_view_was_not_added():
    """Ten bids are seen; when the best one goes, the eleventh appears and is no new order."""
    deep = book(*((1, 100 - k, 1) for k in range(1, 12)), (-1, 101, 1), snapshot=True)
    gone = book((1, 99, 0), ts=1)
    assert last("cancel_share_10s_bid", deep, gone) == 1
    assert last("update_rate_10s_bid", deep, gone) * 10 / np.log(2) * (1 - 2**-0.1) == pytest.approx(1)
    assert last("cancel_share_10s_bid", deep, gone, book((1, 99, 1), ts=2)) == pytest.approx(1 / (1 + 2**0.1))


def test_depletion_and_refill_by_hand():
    """The best bid goes after 1 s, and is back after 3; it goes again after 4."""
    story = [TOP, book((1, 99, 0), ts=1), book((1, 99, 1), ts=3), book((1, 99, 0), ts=4)]
    seen = 10 / np.log(2) * (1 - 2**-0.4)
    assert last("depletion_rate_10s_bid", *story) == pytest.approx((2**-0.3 + 1) / seen)
    assert last("improvement_rate_10s_bid", *story) == pytest.approx(2**-0.1 / seen)
    assert last("refill_time_10s_bid", *story) == pytest.approx(2)
    assert last("refill_share_10s_bid", *story) == pytest.approx(2**-0.3 / (2**-0.3 + 1))
    assert last("refill_share_10s_ask", *story) == 0


@pytest.mark.parametrize(("after", "traded", "gone"), [(1.5, False, 1), (3, False, 0), (1.5, True, 0)])
def test_a_fleeting_quote_goes_soon_and_without_a_trade(after, traded, gone):
    better, back = book((1, 100, 1), ts=1), book((1, 100, 0), ts=1 + after)
    between = [trade(100, 1, -1, 1.2)] if traded else []
    assert last("fleeting_share_10s_bid", TOP, better, *between, back) == pytest.approx(gone)


def test_burstiness_of_clocks_and_of_chance():
    n = 4000
    rng = np.random.default_rng(2)

    def feed(gaps: np.ndarray) -> float:
        ts = np.cumsum(gaps * SECOND).astype(np.int64)
        return last("message_burstiness_1000s", ev.quotes(ts, 99.0, 1.0, 101.0, 1.0))

    assert feed(np.full(n, 0.1)) == pytest.approx(-1)
    assert feed(rng.exponential(0.1, n)) == pytest.approx(0, abs=0.05)
    assert feed(rng.lognormal(-3, 2, n)) > 0.3


def test_mid_by_hand():
    """Up by one half, up by one half, down by one half, two seconds apart."""
    moves = [TOP, book((1, 100, 1), ts=2), book((-1, 101, 0), ts=4), book((1, 100, 0), ts=6)]
    r = 1e4 * np.diff(np.log([100, 100.5, 101, 100.5]))
    w = 2.0 ** (-np.array([4, 2, 0]) / 10)
    assert last("mid_direction_10s", *moves) == pytest.approx((w * np.sign(r)).sum() / w.sum())
    assert last("mid_efficiency_10s", *moves) == pytest.approx((w * r).sum() / (w * abs(r)).sum())
    fast = (2.0 ** (-np.array([4, 2, 0]) / 1) * r).sum() * np.log(2)
    assert last("mid_acceleration_1s_10s", *moves) == pytest.approx(fast - (w * r).sum() * np.log(2) / 10)
    pairs = (w[1:] * r[1:] * r[:-1]).sum() / np.sqrt((w * r * r).sum() * (w[1:] * r[:-1] ** 2).sum())
    assert last("mid_autocorrelation_10s", *moves) == pytest.approx(pairs)
    assert last("mid_age", *moves, book((1, 96, 9), ts=6.5)) == pytest.approx(0.5)
    assert last("quote_age_ask", *moves) == pytest.approx(2)
    seen = 10 / np.log(2) * (1 - 2**-0.6)
    assert last("mid_change_rate_10s_down", *moves) == pytest.approx(1 / seen)


def test_a_widening_is_no_move():
    """60000.05 stays the mid though its decimals do not add up to the same double."""
    quotes = [(60000.0, 60000.1), (59999.9, 60000.2), (59999.7, 60000.4), (60000.0, 60000.1)]
    events = [ev.quotes(i * SECOND, b, 1.0, a, 1.0) for i, (b, a) in enumerate(quotes)]
    assert last("mid_age", *events) == 3
    assert last("mid_direction_10s", *events) == 0
