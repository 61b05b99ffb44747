"""Execution advice against what the papers' formulas say, and against books walked another way."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

import smartcore as sc
from smartcore import _core
from smartcore.decide import Context, Inputs, Policy, Schedule, Scorecard, decide, schedule
from smartcore.market import readers

NAN = math.nan
EXECUTION = _core.DECISION["execution"]
BOOK = [name for name, _, _ in _core.COLUMNS["book"]]
METHODS = ("market", "limit", "passive", "none")
URGENCIES = ("urgent", "normal", "patient")
TIMINGS = ("immediate", "wait_for_volume", "wait_for_spread")
SCHEDULES = ("once", "twap", "vwap", "pov")
ASKS = np.array([[100.01, 5.0], [100.02, 3.0], [100.05, 20.0]])
BIDS = np.array([[99.99, 4.0], [99.97, 6.0], [99.90, 50.0]])
USUAL = {
    "spread": 2.0, "queue_imbalance_l1": 0.0, "spread_mean_10s": 2.0, "mid_volatility_60s": 0.8, "volume_rate_60s": 3.0,
}  # fmt: skip


def record(kind: Any, **fields: Any) -> NDArray[Any]:
    out = np.zeros((), kind)
    for name, value in fields.items():
        out[name] = value
    return out


def policy(**fields: Any) -> NDArray[Any]:
    return record(_core.POLICY, **{
        "slippage_quantile": 0.9, "half_life": 10.0, "participation": 0.25, "risk_aversion": 1.0, "impact": 1.0,
        "max_slices": 20, "horizon": 20.0, **fields,
    })  # fmt: skip


def context(levels: bool = True, **fields: Any) -> NDArray[Any]:
    out = record(_core.CONTEXT, **{
        "bar_ns": 60_000_000_000, "latency_ns": 5_000_000, "price": 100.0, "equity": 10_000.0, "equity_known": 1,
        "bid": 99.99, "bid_size": 4.0, "ask": 100.01, "ask_size": 5.0, "lot": 0.001, "tick": 0.01, "multiplier": 1.0,
        **fields,
    })  # fmt: skip
    if levels:
        out["bids"][: len(BIDS)], out["asks"][: len(ASKS)] = BIDS, ASKS
    return out


def advise(
    side: int = 1, allowed: bool = True, strong: bool = False, sigma: float = 6e-4, spread: float = 2.0,
    fee: float = 2.0, scale: float = 0.0, book: dict[str, float] | None = None, contracts: float = 1.0,
    size: float = 0.25, edge: float = 0.0, volume: int = 1, condition: int = 0, ctx: NDArray[Any] | None = None,
    **of_policy: Any,
) -> Any:  # fmt: skip
    decision = record(_core.DECISION)
    decision["risk"]["contracts"], decision["risk"]["size"], decision["risk"]["edge_bps"] = contracts, size, edge
    decision["regime"]["volume"], decision["regime"]["condition"] = volume, condition
    values = [{**USUAL, **(book or {})}.get(name, NAN) for name in BOOK]
    where = context() if ctx is None else ctx
    raw = _core._advise(decision, side, allowed, strong, sigma, spread, fee, scale, values, where, policy(**of_policy))
    return np.frombuffer(raw, EXECUTION)[0]


# ---- what the book takes ----


@pytest.mark.parametrize("size", [0.5, 5.0, 6.5, 8.0, 28.0])
@pytest.mark.parametrize("side", [1, -1])
def test_a_size_that_is_visible_costs_what_walking_the_levels_costs(side: int, size: float) -> None:
    levels = ASKS if side > 0 else BIDS
    paid = np.interp(size, np.r_[0, np.cumsum(levels[:, 1])], np.r_[0, np.cumsum(levels.prod(1))])
    expected = 1e4 * side * (paid / size / 100 - 1)
    assert advise(side, contracts=size, max_slices=1)["slippage_bps"] == pytest.approx(expected, rel=1e-9)

    engine = sc.Engine(["spread"])
    engine.on_depth_message(1, BIDS, ASKS, snapshot=True)
    assert engine.book.slippage(side, size) == pytest.approx(expected, rel=1e-9)
    assert engine.book.slippage(side, size, 101.0) == pytest.approx(1e4 * side * (paid / size / 101 - 1), rel=1e-9)


def test_slippage_of_a_deep_book_of_a_thin_one_and_of_none() -> None:
    engine = sc.Engine(["spread"])
    assert math.isnan(engine.book.slippage(1, 1.0))
    asks = np.column_stack([100 + 0.01 * np.arange(1, 301), np.ones(300)])
    engine.on_depth_message(1, [[99.99, 1.0]], asks, snapshot=True)
    assert engine.book.slippage(1, 250.0, 100.0) == pytest.approx(1e4 * (asks[:250, 0].mean() / 100 - 1), rel=1e-9)
    assert engine.book.slippage(-1, 7.0, 100.0) == pytest.approx(1.0, rel=1e-9)  # all of it at the worst price known
    for size in (0.0, -1.0, NAN, math.inf):
        assert math.isnan(engine.book.slippage(1, size))
    with pytest.raises(ValueError, match="side: 2"):
        engine.book.slippage(2, 1.0)
    quotes = sc.Engine(["spread"])
    quotes.on_quote(1, 99.0, 1.0, 101.0, 1.0)
    assert quotes.book.slippage(1, 5.0) == pytest.approx(100.0)


def test_beyond_the_visible_book_the_square_root_law() -> None:
    """The integral of reach + Y sigma sqrt(x / V) over what is beyond, by quadrature."""
    size, seen = 100.0, ASKS[:, 1].sum()
    x = np.linspace(0, size - seen, 200_001)
    law = 1e4 * (100.05 / 100 - 1) + 1.3 * 0.8 * np.sqrt(x / 3.0)
    paid = (1e4 * (ASKS[:, 0] / 100 - 1) * ASKS[:, 1]).sum() + np.trapezoid(law, x)
    got = advise(contracts=size, max_slices=1, impact=1.3)
    assert got["slippage_bps"] == pytest.approx(paid / size, rel=1e-6)


def test_without_a_rate_of_volume_prices_go_on_like_the_root_of_the_size() -> None:
    size, seen = 100.0, ASKS[:, 1].sum()
    x = np.linspace(seen, size, 200_001)
    paid = (1e4 * (ASKS[:, 0] / 100 - 1) * ASKS[:, 1]).sum() + np.trapezoid(5.0 * np.sqrt(x / seen), x)
    got = advise(contracts=size, max_slices=1, book={"volume_rate_60s": NAN})
    assert got["slippage_bps"] == pytest.approx(paid / size, rel=1e-6)


def test_cost_grows_with_size_without_a_jump_where_the_book_ends() -> None:
    for book in ({}, {"volume_rate_60s": NAN}):
        costs = [advise(contracts=q, max_slices=1, book=book)["slippage_bps"] for q in np.linspace(0.1, 90, 900)]
        assert (np.diff(costs) >= -1e-12).all() and np.diff(costs).max() < 0.05


def test_later_slices_meet_the_impact_of_earlier_ones() -> None:
    got = advise(contracts=20.0)  # a quarter of 5 at the touch a slice
    n = got["slices"]
    assert n == 16 and got["slice"] == 20.0 / 16
    mean = np.mean(np.sqrt(np.arange(n) / n))
    assert got["impact_bps"] == pytest.approx(mean * 0.8 * math.sqrt(20 / 3), rel=2e-3)
    assert got["slippage_bps"] - got["impact_bps"] == pytest.approx(1.0, rel=1e-9)  # half the spread
    one = advise(contracts=1.0)
    assert one["slices"] == 1 and one["impact_bps"] == 0 and one["slice"] == 1.0
    assert advise(contracts=20.0, ctx=context(lot=10.0))["slices"] == 2  # no slice below a lot
    assert advise(contracts=20.0, max_slices=4)["slices"] == 4


def test_nothing_advised_is_still_predicted_for_a_size_so_that_it_can_be_scored() -> None:
    got = advise(0, allowed=False, contracts=0.0)
    assert METHODS[got["method"]] == "none" and got["slice"] == 0.25 * 5 and got["slices"] == 1
    assert got["slippage_bps"] == pytest.approx(1.0) and got["slippage_tolerance_bps"] > 1.0
    assert math.isnan(advise(0, allowed=False, contracts=NAN, ctx=context(False, ask_size=NAN))["slice"])
    assert advise(-1, allowed=False, contracts=0.0)["slice"] == 0.25 * 4


# ---- the tolerance ----


@pytest.mark.parametrize("quantile", [0.5, 0.75, 0.9, 0.95, 0.99, 0.9999])
def test_the_tolerance_is_a_quantile_of_student(quantile: float) -> None:
    got = advise(slippage_quantile=quantile, scale=0.3)
    move = stats.t.ppf(quantile, 3) * math.exp(0.3) * 0.8 * math.sqrt(0.005)
    assert got["slippage_tolerance_bps"] == pytest.approx(1.0 + move, rel=1e-8)
    assert got["quantile"] == quantile
    assert _core._student3(quantile) == pytest.approx(stats.t.ppf(quantile, 3), rel=1e-12, abs=1e-12)


def test_what_is_not_known_widens() -> None:
    blind = context(False, bid=NAN, ask=NAN, bid_size=NAN, ask_size=NAN)
    calm: dict[str, Any] = {"sigma": NAN, "book": dict.fromkeys(BOOK, NAN)}
    usual, no_volatility, no_book, nothing = (
        advise(**told)["slippage_tolerance_bps"] for told in ({}, calm, {"ctx": blind}, {**calm, "ctx": blind})
    )
    assert usual < min(no_volatility, no_book) < max(no_volatility, no_book) < nothing
    by_bar = advise(book={"mid_volatility_60s": NAN})["slippage_tolerance_bps"]  # 6 bps a bar of 60 s
    assert by_bar == pytest.approx(1 + stats.t.ppf(0.9, 3) * 6 / math.sqrt(60) * math.sqrt(0.005), rel=1e-8)


def test_an_unmeasured_latency_is_taken_to_be_ten_milliseconds() -> None:
    assert advise(ctx=context(latency_ns=-1)) == advise(ctx=context(latency_ns=10_000_000))


ANY = st.floats(width=64)
SIZE = st.floats(1e-3, 1e4)
LATENCY = st.integers(0, 10**12)
WORDS = {"method": METHODS, "urgency": URGENCIES, "timing": TIMINGS, "schedule": SCHEDULES}


@settings(max_examples=300, deadline=None)
@given(LATENCY, LATENCY, SIZE, st.floats(0, 50), st.floats(-4, 4), st.booleans(), st.booleans())
def test_more_latency_never_lowers_the_tolerance(
    first: int, second: int, size: float, pace: float, scale: float, levels: bool, known: bool
) -> None:
    low, high = sorted((first, second))
    book = {"mid_volatility_60s": pace if known else NAN}
    a, b = (advise(contracts=size, scale=scale, book=book, ctx=context(levels, latency_ns=at)) for at in (low, high))
    assert a["slippage_tolerance_bps"] <= b["slippage_tolerance_bps"]
    assert a["slippage_bps"] == b["slippage_bps"]


@settings(max_examples=300, deadline=None)
@given(st.floats(0.5, 0.9999), st.floats(0.5, 0.9999), st.floats(-3, 3), st.floats(-3, 3), SIZE)
def test_a_higher_quantile_or_a_poorer_record_never_lowers_it(
    p: float, q: float, x: float, y: float, size: float
) -> None:
    ends = [advise(slippage_quantile=at, scale=by, contracts=size)["slippage_tolerance_bps"]
            for at, by in ((min(p, q), min(x, y)), (max(p, q), max(x, y)))]  # fmt: skip
    assert ends[0] <= ends[1]


@settings(max_examples=500, deadline=None)
@given(st.lists(ANY, min_size=len(BOOK), max_size=len(BOOK)), st.lists(ANY, min_size=60, max_size=60),
       st.sampled_from([-1, 0, 1]), st.booleans(), st.integers(-(2**63), 2**63 - 1))  # fmt: skip
def test_whatever_is_delivered_costs_are_numbers_and_words_are_words(
    values: list[float], more: list[float], side: int, allowed: bool, latency: int
) -> None:
    where = context(latency_ns=latency)
    names = ("price", "position", "equity", "bid", "bid_size", "ask", "ask_size", "tick", "lot", "multiplier")
    for i, name in enumerate(names):
        where[name] = more[i]
    where["bids"], where["asks"] = np.reshape(more[10:30], (10, 2)), np.reshape(more[30:50], (10, 2))
    spread = abs(values[0]) if abs(values[0]) <= 1e4 else 2.0
    limits = zip(_core.COLUMNS["book"], values, strict=True)
    book = {name: x if low <= x <= high else NAN for (name, low, high), x in limits}
    told = dict(zip(("sigma", "scale", "contracts", "size", "edge"), more[50:], strict=False))
    with np.errstate(all="ignore"):
        got = advise(side, allowed, spread=spread, book=book, ctx=where, **told)
    for name in ("slippage_bps", "slippage_tolerance_bps", "impact_bps", "expected_cost_bps", "max_minutes"):
        assert math.isfinite(got[name]), name
    slip = got["slippage_bps"] - got["impact_bps"]
    assert got["slippage_tolerance_bps"] >= slip * (1 - 1e-9)
    assert slip >= -1e-9 * got["impact_bps"] and got["impact_bps"] >= 0
    assert 1 <= got["slices"] <= 20
    for name, words in WORDS.items():
        assert got[name] < len(words), name
    for name in ("limit_price", "reservation_price", "slice"):
        assert math.isnan(got[name]) or 0 < got[name] < 1e150, name


# ---- Almgren and Chriss, Avellaneda and Stoikov ----


def test_kappa_is_that_of_the_paper_and_vanishes_with_aversion() -> None:
    """kappa^2 = lambda sigma^2 / eta, where trading all at the policy's participation pays the square-root law."""
    size, pace, volume = 20.0, 0.8, 3.0
    seconds = size / (0.25 * volume)
    eta = pace * math.sqrt(size / volume) * seconds  # bps seconds
    for aversion in (0.0, 1e-6, 1.0, 1e4):
        lam = aversion / 2 * 0.25 * 1e-4
        got = advise(contracts=size, risk_aversion=aversion)
        assert got["kappa"] == pytest.approx(math.sqrt(lam * pace**2 / eta), rel=1e-9, abs=0)
    assert advise(contracts=size, risk_aversion=0.0)["kappa"] == 0
    assert math.isnan(advise(contracts=size, book={"volume_rate_60s": NAN})["kappa"])


def test_aversion_makes_haste() -> None:
    words = [URGENCIES[advise(contracts=20.0, risk_aversion=a)["urgency"]] for a in (0.0, 3e3, 1e6)]
    assert words == ["patient", "normal", "urgent"]
    minutes = [advise(contracts=20.0, risk_aversion=a)["max_minutes"] for a in (0.0, 1.0, 1e5, 1e7)]
    assert minutes == sorted(minutes, reverse=True) and minutes[-1] < minutes[0]


def test_the_reservation_price_of_avellaneda_and_stoikov() -> None:
    """r = s - q gamma sigma^2 (T - t) in currency, gamma = aversion / equity."""
    for position in (-3.0, 0.0, 2.0):
        got = advise(sigma=5e-4, ctx=context(position=position, multiplier=10.0), risk_aversion=2.0)
        variance = (100.0 * 5e-4 * 10.0) ** 2 * 20.0  # of the value of a contract over the horizon
        expected = 100.0 - position * (2.0 / 10_000.0) * variance / 10.0
        assert got["reservation_price"] == pytest.approx(expected, rel=1e-12)
    some = advise(sigma=5e-4, ctx=context(position=1.0, filled=0.25), risk_aversion=2.0)["reservation_price"]
    assert 100.0 - some == pytest.approx(1e-4 * 2.0 * (100.0 * 5e-4) ** 2 * 5.0, rel=1e-9)
    assert advise(ctx=context(position=5.0), risk_aversion=0.0)["reservation_price"] == 100.0
    assert math.isnan(advise(ctx=context(position=5.0, equity_known=0))["reservation_price"])
    assert advise(ctx=context(position=0.0, equity_known=0))["reservation_price"] == 100.0


def test_a_position_that_wants_rid_of_makes_selling_urgent_and_buying_patient() -> None:
    held = context(position=50.0)  # half of equity, long
    sell, buy = (advise(side, sigma=5e-3, risk_aversion=3.0, ctx=held) for side in (-1, 1))
    assert URGENCIES[sell["urgency"]] == "urgent" and URGENCIES[buy["urgency"]] == "patient"


# ---- words ----


def test_how_to_enter() -> None:
    def word(**told: Any) -> tuple[str, str, str]:
        got = advise(**{"contracts": 1.0, **told})
        return METHODS[got["method"]], URGENCIES[got["urgency"]], TIMINGS[got["timing"]]

    assert word() == ("passive", "patient", "immediate")
    assert word(strong=True) == ("market", "urgent", "immediate")
    assert word(edge=50.0) == ("market", "urgent", "immediate")
    assert word(edge=20.0) == ("limit", "normal", "immediate")
    assert word(book={"queue_imbalance_l1": 0.7}) == ("market", "urgent", "immediate")
    assert word(side=-1, book={"queue_imbalance_l1": -0.3}) == ("limit", "normal", "immediate")
    assert word(ctx=context(latency_ns=10**10)) == ("limit", "patient", "immediate")  # would be picked off
    assert word(strong=True, condition=4) == ("limit", "urgent", "immediate")
    assert word(condition=4) == ("passive", "patient", "wait_for_spread")
    assert word(book={"spread_mean_10s": 1.0}) == ("passive", "patient", "wait_for_spread")
    assert word(volume=0) == ("passive", "patient", "wait_for_volume")
    assert word(strong=True, volume=0) == ("market", "urgent", "immediate")
    assert word(side=0) == ("none", "patient", "immediate")


def test_schedules() -> None:
    def schedule(**told: Any) -> str:
        return SCHEDULES[advise(**told)["schedule"]]

    assert schedule(contracts=1.0) == "once"
    assert schedule(contracts=20.0) == "pov"
    assert schedule(contracts=20.0, book={"volume_rate_60s": NAN}) == "twap"
    assert schedule(contracts=20.0, half_life=500.0, risk_aversion=0.0) == "vwap"  # hours
    got = advise(contracts=20.0, risk_aversion=0.0)
    assert got["participation"] == pytest.approx(20.0 / (3.0 * 60 * got["max_minutes"]))
    assert advise(contracts=2000.0, risk_aversion=0.0)["participation"] == 0.25


def test_limit_prices_lie_on_the_grid_and_are_never_worse_than_meant() -> None:
    for side in (1, -1):
        got = advise(side, edge=20.0, ctx=context(tick=0.01))
        bound = 100.0 * (1 + 1e-4 * side * got["slippage_tolerance_bps"])
        assert METHODS[got["method"]] == "limit"
        assert got["limit_price"] == pytest.approx(round(got["limit_price"] / 0.01) * 0.01, rel=1e-12)
        assert side * (bound - got["limit_price"]) >= -1e-6 * 0.01
        assert side * (got["limit_price"] - (100.01 if side > 0 else 99.99)) >= -1e-9  # it crosses
        passive = advise(side)
        assert passive["limit_price"] == pytest.approx(99.99 if side > 0 else 100.01)
    wants_less = advise(1, sigma=1e-3, risk_aversion=20.0, ctx=context(position=90.0))
    assert wants_less["limit_price"] <= wants_less["reservation_price"] < 99.99
    assert math.isnan(advise(strong=True)["limit_price"]) and math.isnan(advise(0)["limit_price"])


# ---- schedules of slices ----


def lots(slices: tuple[schedule.Slice, ...], lot: float) -> int:
    return sum(round(s.size / lot) for s in slices)


COUNT = st.integers(1, 200)


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 10**6), st.booleans(), st.sampled_from([1.0, 0.001, 0.25, 100.0]), COUNT, st.floats(0, 1e5),
       st.floats(0, 1), st.integers(0, 2**32), st.floats(0, 10), st.data())  # fmt: skip
def test_slices_are_whole_lots_and_add_up_to_the_parent(
    count: int, buys: bool, lot: float, slices: int, seconds: float, jitter: float, seed: int, kappa: float, data: Any
) -> None:
    size = count * lot * (1 if buys else -1)
    curve = data.draw(st.lists(st.floats(0, 1e6), min_size=1, max_size=50).filter(lambda v: sum(v) > 0))
    rate = abs(size) / data.draw(st.integers(1, 100))
    more: dict[str, Any] = {"lot": lot, "jitter": jitter, "seed": seed}
    for cut in (
        schedule.twap(size, seconds, slices, **more),
        schedule.vwap(size, seconds, curve, **more),
        schedule.pov(size, 0.5, rate, 2.0, **more),
        schedule.almgren_chriss(size, seconds, slices, kappa, **more),
    ):
        assert lots(cut, lot) == round(size / lot)
        assert math.fsum(s.size for s in cut) == pytest.approx(size, rel=1e-12)
        times = [s.at_s for s in cut]
        assert times == sorted(times) and times[0] >= 0 and all(s.size * size > 0 for s in cut)
        assert cut == cut[:]
    assert schedule.twap(size, seconds, slices, **more) == schedule.twap(size, seconds, slices, **more)


def test_almgren_chriss_is_the_papers_trajectory_and_twap_without_aversion() -> None:
    size, seconds, n = 1e6, 3600.0, 60
    for kappa in (1e-6, 1e-3, 0.01, 5.0):
        cut = schedule.almgren_chriss(size, seconds, n, kappa)
        with np.errstate(over="ignore", invalid="ignore"):
            left = np.sinh(kappa * (seconds - seconds * np.arange(n + 1) / n)) / np.sinh(kappa * seconds)
        if kappa * seconds > 700:  # where sinh overflows: exp(-kappa t) to the last digit
            left = np.exp(-kappa * seconds * np.arange(n + 1) / n)
        sent = np.zeros(n)
        for s in cut:
            sent[round(s.at_s / (seconds / n))] = s.size
        assert np.abs(np.cumsum(sent) - size * (1 - left[1:])).max() <= 1.0
    assert schedule.almgren_chriss(size, seconds, n, 0.0) == schedule.twap(size, seconds, n)
    even = [s.size for s in schedule.almgren_chriss(size, seconds, n, 1e-12)]
    assert even == [s.size for s in schedule.twap(size, seconds, n)]
    # The cost the paper minimises, E + lambda Var with temporary impact eta, is least at its kappa = sqrt(lambda /
    # eta) sigma.
    sigma, eta, lam = 0.3, 2e-4, 1e-8
    best = math.sqrt(lam / eta) * sigma

    def cost(kappa: float) -> float:
        sizes = np.array([s.size for s in schedule.almgren_chriss(size, seconds, n, kappa, lot=1e-3)])
        step, held = seconds / n, size - np.cumsum(sizes)
        return float(eta * (sizes**2).sum() / step + lam * sigma**2 * step * (held**2).sum())

    assert 1 < best * seconds < 20
    around = [cost(best * f) for f in (0.25, 0.5, 1.0, 2.0, 4.0)]
    assert min(around) == around[2]


def test_twap_vwap_and_pov_by_hand() -> None:
    assert schedule.twap(10, 60, 4) == ((0.0, 3.0), (15.0, 2.0), (30.0, 3.0), (45.0, 2.0))
    assert schedule.twap(-0.3, 30, 3, lot=0.1) == ((0.0, -0.1), (10.0, -0.1), (20.0, -0.1))
    assert schedule.vwap(8, 40, [1, 0, 2, 1]) == ((0.0, 2.0), (20.0, 4.0), (30.0, 2.0))
    assert schedule.pov(10, 0.1, 2.0, 20.0) == ((0.0, 4.0), (20.0, 4.0), (40.0, 2.0))
    assert schedule.twap(2, 60, 5, seed=1) == ((12.0, 1.0), (36.0, 1.0))  # slices of no lot are left out
    late = schedule.twap(100, 100, 10, jitter=0.5, seed=3)
    assert all(0 <= s.at_s - 10 * i < 5 for i, s in enumerate(late))
    assert late != schedule.twap(100, 100, 10, jitter=0.5, seed=4)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: schedule.twap(0, 1, 1), "size: 0 is no size"),
        (lambda: schedule.pov(math.inf, 0.1, 1, 1), "size: inf is no size"),
        (lambda: schedule.twap(1.5, 1, 1), "size: 1.5 is not a whole number of lots of 1.0"),
        (lambda: schedule.twap(1, -1, 1), "seconds: -1 is not"),
        (lambda: schedule.twap(1, 1, 0), "slices: 0 is not"),
        (lambda: schedule.twap(1, 1, 1, jitter=2), "jitter: 2 is not"),
        (lambda: schedule.twap(1, 1, 1, lot=0), "lot: 0 is not"),
        (lambda: schedule.vwap(1, 1, []), "curve: "),
        (lambda: schedule.vwap(1, 1, [0, 0]), "curve: "),
        (lambda: schedule.pov(1, 2, 1, 1), "participation: 2 is above 1"),
        (lambda: schedule.pov(1, 0.1, 0, 1), "rate: 0 is not"),
        (lambda: schedule.pov(1e9, 0.1, 1, 1), "size: 1000000000.0 is 10000000000 slices"),
        (lambda: schedule.almgren_chriss(1, 1, 1, -1), "kappa: -1 is not"),
    ],
)
def test_what_cannot_be_meant_is_refused(call: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()


# ---- in a decision ----

COLUMNS = {**USUAL, "queue_imbalance_l1": 0.1, "fhs_500_sigma": 6e-4}
MOMENT = Context(
    Inputs(tuple(COLUMNS)), 10**18, 10**18, 100.0, latency_ns=5_000_000, equity=1e4, bid=99.99, bid_size=4.0,
    ask=100.01, ask_size=5.0, bids=[tuple(level) for level in BIDS], asks=[tuple(level) for level in ASKS], lot=0.001,
)  # fmt: skip
ROW = np.array([*COLUMNS.values()])


def test_a_decision_predicts_what_its_book_says_and_what_its_record_taught() -> None:
    card, policy = Scorecard(), Policy(participation=1.0)
    first = decide(ROW, None, card.scores(), policy, context=MOMENT)
    assert first.execution.slice == 5.0 and first.execution.slippage_bps == pytest.approx(1.0)
    move = stats.t.ppf(0.9, 3) * 0.8 * math.sqrt(0.005)
    assert first.execution.slippage_tolerance_bps == pytest.approx(1.0 + move, rel=1e-8)

    for _ in range(20):
        card.slippage(first, 5.0)  # twenty misses
    poor = decide(ROW, None, card.scores(), policy, context=MOMENT)
    assert poor.execution.slippage_bps == first.execution.slippage_bps
    assert poor.execution.slippage_tolerance_bps > 1.0 + 2 * move
    assert poor.track.slippage_coverage == 0.0
    for _ in range(400):
        card.slippage(first, 0.0)
    well = decide(ROW, None, card.scores(), policy, context=MOMENT)
    assert well.execution.slippage_tolerance_bps < first.execution.slippage_tolerance_bps


def test_coverage_comes_right_whatever_the_distribution() -> None:
    """Outcomes of a distribution four times as wide as was believed, and with an atom: covered at the stated rate."""
    rng = np.random.default_rng(4)
    for quantile in (0.75, 0.9):
        card, policy, hits = Scorecard(), Policy(participation=1.0, slippage_quantile=quantile), []
        for _ in range(4000):
            said = decide(ROW, None, card.scores(), policy, context=MOMENT)
            bps = 1.0 + 4 * 0.8 * math.sqrt(0.005) * (rng.standard_normal() if rng.random() < 0.8 else 0.0)
            hits.append(bps <= said.execution.slippage_tolerance_bps)
            card.slippage(said, bps)
        assert np.mean(hits) == pytest.approx(quantile, abs=0.01)


def test_advice_becomes_slices() -> None:
    one = decide(ROW, None, None, Policy(), context=MOMENT).execution
    assert schedule.advised(one, 2.0) == ((0.0, 2.0),)
    record = advise(contracts=20.0, risk_aversion=0.0)
    minutes, count = float(record["max_minutes"]), int(record["slices"])
    many = replace(one, schedule=Schedule.POV, slices=count, kappa=0.0, max_execution_time_minutes=minutes)
    even = schedule.advised(many, -20.0, lot=0.5, jitter=0.0)
    assert even == schedule.twap(-20.0, 60 * minutes, count, lot=0.5)
    hasty = schedule.advised(replace(many, kappa=0.05), 20.0, lot=0.001, jitter=0.0)
    assert hasty[0].size > 2 * 20 / count and lots(hasty, 0.001) == 20_000
    along = schedule.advised(replace(many, schedule=Schedule.VWAP), 20.0, curve=[1, 3], jitter=0.0)
    assert [s.size for s in along] == [5.0, 15.0]


def test_a_bot_scores_its_own_tolerances_by_the_book_at_arrival() -> None:
    """What its scorecard says at the end is what walking another engine's book after the latency says."""
    from smartcore.market.simulator import simulate

    events = simulate(60, 5, "mixed").events
    wait = 20_000_000
    bot = sc.Orchestrator(sc.Engine([*BOOK, "ofi_l1_10s"]), policy=Policy(every="50ms", min_votes=1), latency_ns=wait)
    said = [d for d in bot.run(events) if d.score and d.execution.slice]
    count = covered = 0.0
    fade = 0.5 ** (1 / 500)
    ts, engine, done = events["ts"], sc.Engine(["spread"]), 0
    for d in said:
        at = d.ts + wait
        end = int(np.searchsorted(ts, at, "right"))
        if end > done:
            engine.run(events[done:end])
            done = end
        if at < ts[-1]:
            mid = d.execution.reservation_price  # nothing is held, so it is the mid that the bot saw
            assert mid is not None and d.execution.slice is not None
            bps = engine.book.slippage(1 if d.score > 0 else -1, d.execution.slice, mid)
            count, covered = fade * count + 1, fade * covered + (bps <= d.execution.slippage_tolerance_bps)
    told = bot.scorecard.scores().slippage
    assert count > 300
    assert told.calls == pytest.approx(count, rel=1e-9)
    assert told.coverage == pytest.approx(covered / count, rel=1e-9)


def test_what_a_size_would_slip_is_among_its_costs() -> None:
    """A thin book makes the same forecast worth less, and the position smaller; a deep one changes nothing."""
    columns = {
        **COLUMNS, "fhs_500_var95": 5e-3, "fhs_500_var99": 9e-3, "fhs_500_es95": 7e-3, "fhs_500_es99": 1.2e-2,
        "fhs_500_sigma": 3e-3,
    }  # fmt: skip
    moment = replace(MOMENT, inputs=Inputs(tuple(columns)), calibrated=frozenset({"sequence"}), equity=1e5)
    row, policy = np.array([*columns.values()]), Policy(max_contracts=1e6, max_position=5.0, max_var=0.5, max_slices=1)
    say = {"sequence": np.array([0.02, 0.18, 0.80])}
    deep, thin = (
        decide(row, say, None, policy, context=replace(moment, asks=[(100.01, size), (100.3, size), (101.0, size)]))
        for size in (1e6, 20.0)
    )
    edge = {d: next(r for r in d.reasons if r.gate == "edge") for d in (deep, thin)}
    assert deep.execution.slippage_bps == pytest.approx(1.0)
    assert deep.risk.contracts and thin.risk.contracts and 0 < thin.risk.contracts < deep.risk.contracts
    assert edge[deep].value - edge[thin].value > 10
    assert thin.execution.slippage_bps > 5


@pytest.mark.parametrize("quantile", [0.9, 0.99])
def test_tolerances_cover_on_a_recorded_market(recorded: Callable[[str], Path], quantile: float) -> None:
    """ETHUSD, a decision in 100 ms, the book 100 ms later. bench/slippage.py has all recordings and intervals."""
    events = readers.read(recorded("binance_l2_2024/coinm_perp_ethusd_perp_2024-08-08.parquet"))
    policy = Policy(every="100ms", slippage_quantile=quantile, participation=1.0, min_votes=1)
    bot = sc.Orchestrator(sc.Engine([*BOOK, "ofi_l1_10s"]), policy=policy, latency_ns=100_000_000)
    *_, last = bot.run(events)
    assert last.track.slippage_calls > 500 and last.track.slippage_coverage is not None
    assert last.track.slippage_coverage == pytest.approx(quantile, abs=0.02)
