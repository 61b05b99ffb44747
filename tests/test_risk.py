"""Size and its caps, stop, target, VaR of either side, Kelly: against textbook values, and cap by cap."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given as examples
from hypothesis import strategies as st
from reference import sizing

from smartcore import _core

BOUNDS = [
    "none", "uncalibrated", "unknown_risk", "kelly", "drawdown", "var", "volatility", "position", "correlated",
    "contracts", "exchange", "reduce_only",
]  # fmt: skip
LEVELS = ["low", "medium", "high", "extreme", "unknown"]
RISK = [name for name, _, _ in _core.COLUMNS["risk"]]
ROW = dict(zip(RISK, (6e-4, 1e-3, 1.8e-3, 1.4e-3, 2.4e-3, 1.1e-3, 2e-3, 1.5e-3, 2.6e-3), strict=True))
FREE: dict[str, Any] = {  # caps that never bind, gates that always pass
    "weights": [1.0, 0, 0, 0], "min_confidence": 0.5, "strong_confidence": 0.9, "threshold_high": 1.0,
    "threshold_low": 0.5, "min_edge_bps": -1e4, "max_age_s": 1e9, "max_scores_age_s": 1e9, "max_latency_ms": math.inf,
    "max_spread_bps": math.inf, "max_clock_skew_s": 1e9, "max_frozen_s": 1e9, "max_silence": 1e9, "max_jump": 1e9,
    "max_duplicates": 1.0, "max_outlier": 1e9, "max_novelty": 1e9, "horizon": 20.0, "stop_sigmas": 1.0,
    "target_sigmas": 1.0, "kelly_multiplier": 1.0, "shrinkage": 1.0, "max_position": 1e9, "max_drawdown": 1.0,
    "drawdown_share": 1e9, "max_var": 1e9, "max_correlated": math.inf, "target_volatility": math.inf,
    "max_contracts": 1e12, "slippage_quantile": 0.9, "half_life": 10.0, "participation": 0.25,
    "max_drift": 1e9, "max_turbulence": 1e9,
    "risk_aversion": 1.0, "impact": 1.0, "min_votes": 3, "max_slices": 20, "regimes": 255,
}  # fmt: skip
ROOT = math.sqrt(20)
DEVIATION = 6e-4 * ROOT


def filled(dtype: np.dtype, **values: Any) -> np.ndarray:
    record = np.zeros((), dtype)
    for name, value in values.items():
        record[name] = value
    return record


def decide(
    up: float = 0.6, flat: float = 0.0, card: np.ndarray | None = None, row: dict[str, float] | None = None,
    context: dict[str, Any] | None = None, calibrated: int = 1, **policy: Any,
) -> Any:
    """A decision whose only source is one model that says (1 - flat - up, flat, up); all caps free but those given."""
    inputs = filled(_core.INPUTS)
    for name in _core.INPUTS.names:
        inputs[name] = -1
    inputs["risk"] = np.arange(len(RISK))
    given = filled(_core.GIVEN, vote=math.nan, novelty=math.nan, calibrated=calibrated)
    given["triple"] = math.nan
    given["triple"][0] = (1 - flat - up, flat, up)
    where = {"price": 100.0, "equity": math.nan, "fee_bps": 0.0, "lot": 1.0, "multiplier": 1.0, "latency_ns": -1}
    unknown = [
        "bid", "bid_size", "ask", "ask_size", "bids", "asks", "clock_skew_s", "frozen_s", "silence",
        "duplicates", "health",
    ]  # fmt: skip
    where |= dict.fromkeys(unknown, math.nan) | (context or {})
    where["equity_known"] = where["equity"] == where["equity"]
    values = np.array([(ROW | (row or {}))[name] for name in RISK])
    out = _core._decide(
        values, inputs, given, card, filled(_core.POLICY, **(FREE | policy)), filled(_core.CONTEXT, **where)
    )
    return np.frombuffer(out, _core.DECISION)[0]


def risk(*args: Any, **more: Any) -> Any:
    return decide(*args, **more)["risk"]


def bound(r: Any) -> str:
    return BOUNDS[r["bound"]]


def record(moves: float = 0.0, hits: float = 0.0, stated: float = 0.0) -> np.ndarray:
    """A scorecard whose fused calls came out so."""
    card = filled(_core.SCORECARD)
    card["by_source"][-1] = (moves, moves, hits, stated, 0.0)
    return card


SURE = record(1e12, 0.6e12, 0.6e12)
"""Known to be right as often as stated: nothing is left to doubt at a confidence of 0.6."""


# ---- Kelly ----


@pytest.mark.parametrize(("p", "stop", "target"), [(0.6, 1.0, 1.0), (0.55, 1.0, 1.0), (0.6, 1.0, 2.0), (0.7, 2.0, 1.0)])
def test_kelly_is_thorps(p, stop, target):
    """Thorp 2006, eq. 3.3 and 5.1: f = p - q for even money; (b p - q) / b for odds b, where a loss is a whole stake.

    The odds of reaching a target before a stop are (p stop : q target), so an even forecast earns nothing anywhere. For
    uneven pay-offs ours is mean over mean square, his first two terms; exact where b = 1.
    """
    moves = 1e12
    r = risk(p, card=record(moves, p * moves, p * moves), stop_sigmas=stop, target_sigmas=target)
    hit = p * stop / (p * stop + (1 - p) * target)
    b = target / stop
    assert r["believed"] == pytest.approx(p, abs=1e-9)
    if b == 1:
        assert r["kelly"] == pytest.approx(p - (1 - p), rel=1e-6)
    mean = hit * b - (1 - hit)
    assert r["kelly"] == pytest.approx(mean / (hit * b * b + 1 - hit), rel=1e-6)
    exact = mean / b
    assert 0.6 * exact < r["kelly"] < 1.7 * exact
    assert r["size"] == pytest.approx(r["kelly"] / r["stop"], rel=1e-9) and bound(r) == "kelly"


def test_a_coin_flip_is_no_bet():
    for stop, target in ((1, 1), (1, 3), (3, 1)):
        r = risk(0.5, card=SURE, stop_sigmas=stop, target_sigmas=target)
        assert r["kelly"] == 0 and r["size"] == 0 and r["edge_bps"] == pytest.approx(0, abs=1e-9)


def test_doubt_shrinks_as_baker_and_mchale_say():
    """With a normal belief around p, the growth of even bets is largest at their share of Kelly, to a few percent."""
    for d, sd in ((0.05, 0.03), (0.1, 0.05), (0.05, 0.05)):
        n = 0.25 / sd**2 - 100
        r = risk(0.5 + d, card=record(max(n, 0), max(n, 0) / 2, max(n, 0) * 0.5))
        told = r["believed"] - 0.5
        assert told == pytest.approx(d * d * d / (d * d + 0.25 / (max(n, 0) + 100)), rel=1e-9)

    # What they maximise: a forecaster who sees p + noise and bets k (2 q - 1) on it; the best k on a grid.
    rng, p, sd = np.random.default_rng(0), 0.56, 0.06
    q = p + sd * rng.standard_normal(200_000)
    shares = np.linspace(0.02, 1, 50)
    bets = shares[:, None] * np.clip(2 * q - 1, 0, 0.99)
    growth = (p * np.log1p(bets) + (1 - p) * np.log1p(-bets)).mean(1)
    best = shares[growth.argmax()]
    assert (p - 0.5) ** 2 / ((p - 0.5) ** 2 + sd**2) == pytest.approx(best, abs=0.12)


def test_a_long_record_is_believed_more_than_a_short_one():
    told = [risk(0.6, card=record(n, 0.6 * n, 0.6 * n))["believed"] for n in (0, 10, 100, 1000, 1e6)]
    assert told == sorted(told) and told[0] < 0.58 < 0.599 < told[-1] <= 0.6
    assert risk(0.6, card=record(1000, 520, 600))["believed"] < risk(0.6, card=record(1000, 600, 600))["believed"]
    assert risk(0.6)["believed"] == risk(0.6, card=record())["believed"]


def test_uncalibrated_probabilities_size_nothing_unless_named():
    r = risk(0.7, calibrated=0)
    assert bound(r) == "uncalibrated" and r["size"] == 0 and math.isnan(r["kelly"])
    assert risk(0.7, calibrated=0, uncalibrated=1)["size"] > 0


@examples(st.floats(0.5, 0.999), st.floats(0.5, 0.999), st.floats(0, 0.9), st.floats(0, 5), st.floats(0.2, 4))
def test_size_does_not_fall_where_probability_rises(a, b, flat, fee, target):
    low, high = sorted((a, b))
    sizes = [
        risk((1 - flat) * p, flat, SURE, context={"fee_bps": fee}, target_sigmas=target)["size"] for p in (low, high)
    ]
    assert sizes[0] <= sizes[1] * (1 + 1e-9) + 1e-12


def test_costs_and_standing_still_only_cost():
    free = risk(0.6, card=SURE)
    assert risk(0.6, card=SURE, context={"fee_bps": 1.0})["size"] < free["size"]
    still = risk(0.3, 0.5, SURE)
    assert still["size"] == pytest.approx(free["size"]) and still["edge_bps"] == pytest.approx(free["edge_bps"] / 2)
    assert risk(0.501, card=SURE, context={"fee_bps": 5.0})["size"] == 0


# ---- caps ----

CAPS: dict[str, tuple[dict[str, Any], dict[str, Any], float]] = {  # policy, context, the size it leaves
    "drawdown": ({"drawdown_share": 0.1, "max_drawdown": 0.2}, {"drawdown": 0.1}, 0.01 / DEVIATION),
    "var": ({"max_var": 0.02}, {}, 0.02 / -math.expm1(-1.8e-3 * ROOT)),
    "volatility": ({"target_volatility": 0.01}, {}, 0.01 / DEVIATION),
    "position": ({"max_position": 0.25}, {}, 0.25),
    "correlated": ({"max_correlated": 1.5}, {"correlated": 1.0}, 0.5),
    "contracts": ({"max_contracts": 5.0}, {"equity": 1e4}, 5 * 100 / 1e4),
}


@pytest.mark.parametrize("name", CAPS)
def test_each_cap_binds_alone_where_it_says(name):
    policy, context, size = CAPS[name]
    r = risk(0.7, card=SURE, context=context, **policy)
    assert bound(r) == name
    assert r["size"] == pytest.approx(size, rel=1e-9)
    assert risk(0.7, card=SURE, context=context)["size"] > size


@examples(st.sets(st.sampled_from(sorted(CAPS))), st.sampled_from(sorted(CAPS)), st.floats(0.51, 0.95), st.booleans())
def test_a_cap_never_raises_the_size(some, one, p, sell):
    def size(names: set[str]) -> tuple[float, str]:
        policy: dict[str, Any] = {}
        context: dict[str, Any] = {"drawdown": 0.1, "correlated": 1.0, "equity": 1e4}
        for name in names:
            policy |= CAPS[name][0]
        r = risk(1 - p if sell else p, card=SURE, context=context, **policy)
        return float(r["size"]), bound(r)

    before, after = size(some), size(some | {one})
    assert after[0] <= before[0]
    assert after[1] in {*some, one, "kelly", "exchange"}


def test_all_caps_together_leave_the_least():
    policy: dict[str, Any] = {}
    context: dict[str, Any] = {}
    for more, where, _ in CAPS.values():
        policy |= more
        context |= where
    r = risk(0.7, card=SURE, context=context, **policy)
    least = min(CAPS, key=lambda name: CAPS[name][2])
    assert bound(r) == least and r["size"] <= CAPS[least][2] + 1e-12


def test_what_moves_along_counts_by_its_side():
    def size(correlated: float, up: float = 0.7) -> float:
        return float(risk(up, card=SURE, context={"correlated": correlated}, max_correlated=1.5)["size"])

    assert size(1.0) == pytest.approx(0.5) and size(-1.0) == pytest.approx(2.5)  # long beside a short: room
    assert size(1.0, 0.3) == pytest.approx(2.5) and size(-1.0, 0.3) == pytest.approx(0.5)
    assert size(2.0) == 0
    r = risk(0.7, card=SURE, context={"correlated": math.nan}, max_correlated=1.5)
    assert r["size"] == 0 and bound(r) == "unknown_risk"
    assert risk(0.7, card=SURE, context={"correlated": math.nan})["size"] > 0  # nobody asked


def test_what_is_less_than_the_exchange_takes_is_nothing():
    r = risk(0.7, card=SURE, context={"equity": 1000.0, "min_size": 6.0}, max_position=0.5)
    assert bound(r) == "exchange" and r["size"] == 0 and r["contracts"] == 0
    r = risk(0.7, card=SURE, context={"equity": 1000.0, "lot": 2.0, "min_size": 4.0}, max_position=0.59)
    assert r["contracts"] == 4 and r["size"] == pytest.approx(0.4)  # whole lots, never up


@pytest.mark.parametrize(
    ("row", "context"),
    [
        ({"fhs_500_var99": math.nan}, {}),
        ({}, {"drawdown": math.nan}),
        ({}, {"equity": -5.0}),
        ({}, {"equity": math.inf}),
    ],
)
def test_an_unknown_risk_is_not_taken(row, context):
    r = risk(0.7, card=SURE, row=row, context=context, max_var=0.02)
    assert r["size"] == 0 and bound(r) == "unknown_risk"


# ---- what could be lost ----


def test_each_side_has_its_own_tail():
    """Logs in the columns, fractions of price here: a long loses 1 - exp(-x), a short exp(x) - 1."""
    long, short = risk(0.7), risk(0.3)
    for name, column in (("var_95", "var95"), ("var_99", "var99"), ("es_95", "es95"), ("es_99", "es99")):
        assert long[name] == pytest.approx(1 - math.exp(-ROW[f"fhs_500_{column}"] * ROOT), rel=1e-12)
        assert short[name] == pytest.approx(math.exp(ROW[f"fhs_short_500_{column}"] * ROOT) - 1, rel=1e-12)


def test_a_short_may_lose_more_than_it_is_worth():
    """Eight percent a day for twenty days: a price may well triple, and the VaR cap has to know it."""
    wild = {name: 140 * x for name, x in ROW.items()}
    long, short = (risk(up, card=SURE, row=wild, max_var=0.02) for up in (0.99, 0.01))
    rise = math.exp(140 * ROW["fhs_short_500_var99"] * ROOT) - 1
    assert long["var_99"] < 1 < short["es_95"] and rise > 2
    assert short["var_99"] == pytest.approx(rise, rel=1e-12) and long["favourable_excursion"] > 1
    for r in (long, short):
        assert bound(r) == "var" and r["size"] * r["var_99"] == pytest.approx(0.02)


def test_excursions_are_the_reflection_of_the_tails():
    share = math.log(2) / math.log(5)
    down, up = ((v95 + share * (v99 - v95)) * ROOT for v95, v99 in ((1e-3, 1.8e-3), (1.1e-3, 2e-3)))
    long, short = risk(0.7), risk(0.3)
    assert long["adverse_excursion"] == short["favourable_excursion"] == pytest.approx(1 - math.exp(-down), rel=1e-12)
    assert short["adverse_excursion"] == long["favourable_excursion"] == pytest.approx(math.exp(up) - 1, rel=1e-12)


def test_reflection_holds_on_a_walk_with_exponential_ends():
    """5 % of paths go deeper than the 97.5 % quantile of their end, less what happens between its steps."""
    rng = np.random.default_rng(1)
    path = np.cumsum(rng.laplace(size=(20_000, 400)), axis=1)
    end = -path[:, -1]
    v95, v99 = np.quantile(end, (0.95, 0.99))
    deepest = np.maximum(-path.min(axis=1), 0)
    assert np.mean(deepest > v95 + math.log(2) / math.log(5) * (v99 - v95)) == pytest.approx(0.05, abs=0.006)


def test_stop_and_target_move_with_volatility():
    calm, wild = (risk(0.7, row={"fhs_500_sigma": s}, stop_sigmas=1.5, target_sigmas=3.0) for s in (3e-4, 6e-4))
    assert wild["stop"] == pytest.approx(1.5 * DEVIATION) and wild["target"] == pytest.approx(3 * DEVIATION)
    assert calm["stop"] == pytest.approx(wild["stop"] / 2) and calm["reward_to_risk"] == pytest.approx(2.0)


def test_level_is_by_the_larger_of_two_uses():
    def level(es99: float, drawdown: float) -> str:
        limits = {"max_position": 1, "max_var": 0.02, "max_drawdown": 0.2}
        return LEVELS[risk(row={"fhs_500_es99": es99}, context={"drawdown": drawdown}, **limits)["level"]]

    for es, drawdown, expected in (
        (0.012, 0.0, "extreme"), (0.005, 0.0, "high"), (0.0025, 0.0, "medium"), (0.001, 0.0, "low"),
        (0.001, 0.1, "medium"), (0.001, 0.17, "high"), (0.001, 0.2, "extreme"),
        (math.nan, 0.0, "unknown"), (0.001, math.nan, "unknown"),
    ):  # fmt: skip
        assert level(es, drawdown) == expected, (es, drawdown)


@examples(
    st.lists(st.floats(1e-12, 1), min_size=9, max_size=9), st.floats(0.01, 0.99),
    st.floats(1e-6, 1e6), st.floats(-1e300, 1e300),
)  # fmt: skip
def test_whatever_the_row_says_the_numbers_are_numbers(values, up, horizon, correlated):
    r = risk(up, row=dict(zip(RISK, values, strict=True)), context={"correlated": correlated, "equity": 1e4},
             horizon=horizon, max_correlated=1.0, max_position=1.0)  # fmt: skip
    for name in ("var_95", "var_99", "es_95", "es_99", "adverse_excursion", "favourable_excursion"):
        rises = (up < 0.5) != (name == "favourable_excursion")  # a fall takes all at most
        assert 0 <= r[name] <= (1e300 if rises else 1), name
    assert 0 <= r["size"] <= 1 and r["contracts"] >= 0 and 0.5 <= r["believed"] <= 1


@pytest.mark.parametrize(("filled", "horizon", "bars"), [
    (1.0, 20, 20), (0.25, 20, 5), (0.05, 20, 1), (0.01, 20, 0.5), (1e-300, 20, 0.5), (0.5, 0.3, 0.3), (0.9, 0.6, 0.54),
    (0.0, 20, 20), (math.nan, 20, 20), (-1.0, 20, 20), (1.5, 20, 20), (math.inf, 20, 20),
])  # fmt: skip
def test_intervals_without_a_bar_bring_no_risk(filled, horizon, bars):
    """VaR, stop, target and what follows are those of as many bars as there will be; half a bar at least."""
    got, want = (risk(context=c, horizon=float(h), stop_sigmas=1.5)
                 for c, h in (({"filled": filled}, horizon), ({"filled": 1.0}, bars)))  # fmt: skip
    assert got["stop"] == pytest.approx(1.5 * 6e-4 * math.sqrt(bars), rel=1e-12)
    for name in ("var_95", "var_99", "es_95", "es_99", "stop", "target", "edge_bps", "kelly", "adverse_excursion"):
        assert got[name] == pytest.approx(want[name], rel=1e-12), name


# ---- against its twin ----


def test_equals_its_twin():
    """3,000 moments of any policy, account and record: every number, and the same bound."""
    rng, seen = np.random.default_rng(11), dict.fromkeys(BOUNDS, 0)
    for _ in range(3000):
        sigma = 10 ** rng.uniform(-5, -1.5)
        row = {"fhs_500_sigma": sigma}
        for tail in ("fhs_500_", "fhs_short_500_"):
            v95, v99 = sigma * rng.uniform(1.2, 2), sigma * rng.uniform(2, 4)
            row |= {tail + "var95": v95, tail + "var99": v99, tail + "es95": v95 * 1.4, tail + "es99": v99 * 1.3}
        up, flat = rng.uniform(0, 1), rng.uniform(0, 0.9)
        triple_up = up * (1 - flat)
        side = int(np.sign(2 * up - 1))
        policy = {
            "horizon": 10 ** rng.uniform(-1, 2), "stop_sigmas": rng.uniform(0.3, 3),
            "target_sigmas": rng.uniform(0.3, 4), "kelly_multiplier": rng.uniform(0.05, 1),
            "shrinkage": rng.uniform(0.3, 1),
            "drawdown_share": 10 ** rng.uniform(-2, 1), "max_drawdown": rng.uniform(0.05, 0.5),
            "max_var": 10 ** rng.uniform(-2.5, 0), "target_volatility": 10 ** rng.uniform(-2.5, 0),
            "max_position": 10 ** rng.uniform(-1, 1), "max_correlated": rng.uniform(0.5, 10),
            "max_contracts": float(rng.integers(1, 50)),
        }  # fmt: skip
        context = {
            "price": 10 ** rng.uniform(-2, 5), "multiplier": rng.choice([1.0, 5.0, 50.0]),
            "drawdown": rng.uniform(0, 0.04), "correlated": rng.uniform(-2, 2), "lot": rng.choice([1.0, 0.1, 0.001]),
            "fee_bps": rng.uniform(-0.5, 3), "filled": rng.choice([rng.uniform(0, 1), 1.0, 0.0, math.nan, 2.0]),
        }  # fmt: skip
        context["equity"] = context["price"] * context["multiplier"] * 10 ** rng.uniform(0, 3)
        context["min_size"] = context["lot"] * rng.integers(1, 5)
        moves = 10 ** rng.uniform(0, 4)
        hits = moves * rng.uniform(0.5, 0.65)
        calibrated = int(rng.random() < 0.95)
        card = record(moves, hits, hits)  # as often right as stated
        out = decide(triple_up, flat, card, row, context, calibrated, **policy)
        r = out["risk"]
        trust = moves / (moves + 100)
        reliability = policy["shrinkage"] + trust * (1 - policy["shrinkage"])
        p = sizing.believed(float(out["confidence"]), reliability, moves, hits)
        move, cost = float(out["probabilities"][0] + out["probabilities"][2]), 2e-4 * context["fee_bps"]
        told = sizing.size(row, side, p, move, cost, bool(calibrated), context, policy)
        assert r["believed"] == pytest.approx(p, rel=1e-9)
        edge, _ = sizing.payoff(float(out["confidence"]), move, told["stop"], told["target"], cost)
        assert r["edge_bps"] == pytest.approx(1e4 * edge, rel=1e-6, abs=1e-9)
        allowed = out["signal"] != 2  # a decision to hold keeps what could be lost, and holds nothing
        for name, value in told.items():
            if name in ("size", "contracts") and allowed:
                assert r[name] == pytest.approx(value, rel=1e-6, abs=1e-12), name
            elif name == "bound":
                assert not allowed or bound(r) == value
            elif name not in ("size", "contracts", "kelly"):
                assert r[name] == pytest.approx(value, rel=1e-9), name
        kelly = told["kelly"] if calibrated else math.nan
        assert r["kelly"] == pytest.approx(kelly, rel=1e-6, abs=1e-12, nan_ok=True)
        seen[bound(r)] += 1
    for name in set(BOUNDS) - {"none", "unknown_risk", "reduce_only"}:
        assert seen[name] > 10, seen
