"""The decision layer: purity, exact sums, every gate with its margin, caps in order, nothing that raises; and the same
numbers as its naive twin.
"""

from __future__ import annotations

import json
import math
import pickle
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import FrozenInstanceError, fields, replace
from fractions import Fraction
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.decision import decision as twin
from scipy import stats

import smartcore as sc
from smartcore.decide import (
    GATES,
    PRESETS,
    SOURCES,
    Bound,
    Condition,
    Context,
    Decision,
    EntryMethod,
    Inputs,
    Mode,
    Parts,
    Policy,
    Quality,
    Reason,
    RegimeName,
    RiskLevel,
    Schedule,
    Scorecard,
    Scores,
    Signal,
    Timing,
    Trend,
    Urgency,
    Volatility,
    Volume,
    Voting,
    decide,
)
from smartcore.decide.inputs import COLUMNS, RISK
from smartcore.decide.notes import NOTES, detail
from smartcore.decide.risk import payoff
from smartcore.market.events import bars

NAMES = tuple(dict.fromkeys(name for name, _, _ in COLUMNS))
INPUTS = Inputs(NAMES)
AT = {name: i for i, name in enumerate(NAMES)}
TS = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
UP = np.array([0.08, 0.32, 0.60], np.float32)
DOWN = UP[::-1].copy()
TYPICAL = {
    "macd_12_26_9_histogram": 2e-4, "ema_distance_30": 1e-3, "di_14": 20.0, "aroon_25": 60.0, "rsi_14": 62.0,
    "bollinger_20_2": 0.8, "stochastic_14_3_k": 70.0, "mfi_14": 60.0, "trade_imbalance_10s": 0.3,
    "queue_imbalance_l1": 0.4, "ofi_l1_10s": 1.2,
    "market_regime_trending_up": 0.30, "market_regime_trending_down": 0.04, "market_regime_breakout": 0.22,
    "market_regime_reversal": 0.06, "market_regime_ranging": 0.16, "market_regime_volatile": 0.12,
    "market_regime_quiet": 0.10, "market_regime_name": 0.0, "market_regime_age": 12.0, "market_regime_switch": 0.08,
    "market_regime_volatility": 1.0, "market_regime_trend": 1.0, "market_regime_volume": 1.0,
    "fhs_500_sigma": 6e-4, "fhs_500_var95": 1e-3, "fhs_500_var99": 1.8e-3, "fhs_500_es95": 1.4e-3,
    "fhs_500_es99": 2.4e-3, "fhs_short_500_var95": 1.1e-3, "fhs_short_500_var99": 1.9e-3,
    "fhs_short_500_es95": 1.5e-3, "fhs_short_500_es99": 2.5e-3, "spread": 1.0,
}  # columns that are not here are not known


def row_of(**changes: float) -> np.ndarray:
    return np.array([(TYPICAL | changes).get(name, math.nan) for name in NAMES])


ROW = row_of()
CONTEXT = Context(
    INPUTS, TS, TS - 1_000_000, 50_000.0, symbol="BTCUSDT", sequence=7, equity=1e5, lot=0.001,
    latency_ns=250_000, fee_bps=1.0, calibrated=frozenset({"sequence", "ensemble"}),
)


def gate(decision: Decision, name: str) -> Reason:
    (reason,) = (reason for reason in decision.reasons if reason.gate == name)
    return reason


def check(decision: Decision) -> None:
    """What holds for every decision whatever went in."""
    assert 0.0 <= decision.confidence <= 1.0
    assert 0.0 <= decision.quality_score <= 1.0
    assert -1.0 <= decision.score <= 1.0
    assert sum(map(Fraction, decision.contributions.values())) == Fraction(decision.score)
    assert sum(decision.contributions.values()) == decision.score
    assert not decision.weights or math.isclose(math.fsum(decision.weights.values()), 1.0)
    assert math.isclose(math.fsum(decision.regime.probabilities.values()), 1.0, abs_tol=1e-9)
    assert len(decision.regime.probabilities) == 7
    assert 0.0 <= decision.regime.switch_probability <= 1.0
    if decision.probabilities is not None:
        assert min(decision.probabilities) >= 0.0
        assert math.isclose(sum(decision.probabilities), 1.0, abs_tol=1e-9)
    risk = decision.risk
    assert risk.risk_adjusted_position_size >= 0.0
    if decision.signal == Signal.HOLD:
        assert risk.risk_adjusted_position_size == 0.0
        assert not risk.contracts
        assert decision.failed, "a HOLD names what stopped it"
        assert decision.execution.entry_method == EntryMethod.NONE
    else:
        assert decision.mode != Mode.HOLD_ONLY
        assert decision.lean == (1 if "BUY" in decision.signal else -1)
    if decision.mode == Mode.NORMAL:
        assert (decision.signal == Signal.HOLD) == bool(decision.failed)
        if decision.signal != Signal.HOLD:
            assert risk.risk_adjusted_position_size > 0.0
    for reason in decision.reasons:
        assert reason.gate in GATES
        assert reason.text
        if reason.margin is not None:
            assert reason.passed == (reason.margin >= 0.0) or reason.margin == 0.0
    text = json.dumps(decision.to_dict(), allow_nan=False)
    assert Decision.from_dict(json.loads(text)) == decision
    assert decision.explain()


def test_a_clear_case_is_a_buy_and_its_mirror_a_sell():
    buy = decide(ROW, UP, context=CONTEXT)
    check(buy)
    assert (buy.signal, buy.mode, buy.risk.bound) == (Signal.BUY, Mode.NORMAL, Bound.POSITION)
    assert buy.failed == ()
    settled = decide(row_of(market_regime_trending_up=0.9), UP, context=CONTEXT)
    assert (settled.signal, settled.quality) == (Signal.STRONG_BUY, Quality.GOOD)
    sell = decide(ROW, DOWN, context=CONTEXT)
    check(sell)
    assert sell.signal == Signal.SELL
    assert sell.contributions["sequence"] == -buy.contributions["sequence"]


def test_pure():
    row, scores = ROW.copy(), UP.copy()
    row.flags.writeable = scores.flags.writeable = False
    first = decide(row, scores, context=CONTEXT)
    again = decide(row.copy(), scores.tolist(), context=replace(CONTEXT))
    assert first == again
    assert hash(first) == hash(again)
    assert np.array_equal(row, ROW, equal_nan=True)
    assert pickle.loads(pickle.dumps(first)) == first


def test_frozen():
    decision = decide(ROW, UP, context=CONTEXT)
    regime, risk, execution, reasons = decision.regime, decision.risk, decision.execution, decision.reasons
    for name in ("signal", "raw", "symbol", "_risk", "new"):
        with pytest.raises(AttributeError):
            setattr(decision, name, None)
    assert not hasattr(decision, "__dict__")
    for record in (regime, risk, execution, decision.track, reasons[0], CONTEXT, Policy()):
        with pytest.raises((FrozenInstanceError, AttributeError)):
            setattr(record, fields(record)[0].name, None)
        assert not hasattr(record, "__dict__")
    with pytest.raises(AttributeError):
        decision.contributions._numbers = ()
    with pytest.raises(TypeError):
        decision.contributions["sequence"] = 0.0


def test_id_is_unique_and_follows_from_the_circumstances():
    contexts = [
        replace(CONTEXT, symbol=symbol, ts=TS + step, sequence=sequence)
        for symbol, step, sequence in product(("BTCUSDT", "ETHUSDT"), range(3), range(3))
    ]
    ids = [decide(ROW, UP, context=context).id for context in contexts]
    assert len(set(ids)) == len(ids)
    assert ids == [decide(ROW, UP, context=context).id for context in contexts]


def test_the_names_asked_for_are_there():
    plain = decide(ROW, UP, context=CONTEXT).to_dict()
    assert {
        "var_95", "var_99", "kelly_fraction", "risk_adjusted_position_size", "risk_level"
    } <= plain["risk"].keys()
    assert {
        "entry_method", "execution_urgency", "recommended_timing", "max_execution_time_minutes",
        "slippage_tolerance_pct",
    } <= plain["execution"].keys()


# --- fusion ---------------------------------------------------------------------------------------


@given(
    st.permutations([0.1, 0.2, 0.3, 0.4]),
    st.tuples(*[st.floats(0, 1)] * 4).filter(lambda p: min(p[0] + p[1], p[2] + p[3]) > 0.1),
    st.floats(-1, 1),
    st.sampled_from(tuple(Voting)),
    st.sampled_from([None, (300, 100), (150, 250)]),
)
def test_parts_add_up_exactly_in_any_order(weights, p, vote, voting, outcomes):
    scores = {
        "sequence": [p[0] / (p[0] + p[1]), 0.0, p[1] / (p[0] + p[1])],
        "ensemble": [p[2] / (p[2] + p[3]) * 0.7, 0.3, p[3] / (p[2] + p[3]) * 0.7],
        "smart_money": vote,
    }
    policy = Policy(weights=dict(zip(SOURCES, weights, strict=True)), voting=voting)
    record = None if outcomes is None else card(*outcomes, half_life=1e4).scores()
    decision = decide(ROW, scores, record, policy, context=CONTEXT)
    check(decision)
    assert tuple(decision.contributions) == SOURCES
    assert not decision.score or sum(decision.attribution.values()) == pytest.approx(1)
    for order in permutations(decision.contributions.values()):
        assert sum(order) == decision.score


def test_missing_is_not_neutral():
    both = {"sequence": UP, "ensemble": UP}
    full = decide(ROW, both, context=CONTEXT)
    alone = decide(ROW, {"sequence": UP}, context=CONTEXT)
    # A neutral vote would have pulled the score towards zero; a missing one leaves its weight to the others.
    neutral = decide(ROW, {"sequence": UP, "ensemble": [0.3, 0.4, 0.3]}, context=CONTEXT)
    assert "ensemble" not in alone.contributions
    assert alone.score > neutral.score * 1.2
    assert alone.weights["sequence"] == pytest.approx(0.40 / 0.55)
    assert full.weights["sequence"] == pytest.approx(0.40 / 0.85)
    assert alone.weights["sequence"] / alone.weights["technical"] == pytest.approx(0.40 / 0.15)
    reason = gate(alone, "sources")
    assert reason.value == pytest.approx(0.55)
    assert "ensemble, smart_money" in reason.detail
    assert "went to the others" in reason.text


def test_a_neutral_smart_money_vote_differs_from_none():
    none = decide(ROW, {"sequence": UP}, context=CONTEXT)
    zero = decide(ROW, {"sequence": UP, "smart_money": 0.0}, context=CONTEXT)
    assert zero.contributions["smart_money"] == 0.0
    assert zero.confidence < none.confidence


@pytest.mark.parametrize(
    "bad",
    [None, [0.5, 0.5], [0.5, 0.5, 0.5], [math.nan, 0.5, 0.5], [-0.1, 0.5, 0.6], "up", [None, 1, 2], 0.7, {}],
)
def test_scores_that_are_no_distribution_are_missing(bad):
    decision = decide(ROW, {"sequence": bad}, context=CONTEXT)
    check(decision)
    assert "sequence" not in decision.contributions
    assert (decision.signal, decision.mode) == (Signal.HOLD, Mode.REDUCE_ONLY)
    assert not gate(decision, "model").passed


def test_technical_votes_are_missing_when_few_are_known():
    blank = {name: math.nan for name in NAMES if name in TYPICAL and name not in {n for n, _, _ in RISK}}
    two = blank | {"rsi_14": 20.0, "mfi_14": 10.0, "spread": 1.0}
    decision = decide(row_of(**two), UP, context=CONTEXT)
    assert tuple(decision.contributions) == ("sequence",)
    decision = decide(row_of(**two | {"di_14": 3.0}), UP, context=CONTEXT)
    assert tuple(decision.contributions) == ("sequence", "technical")


def test_confidence_is_the_pooled_probability_of_the_direction_given_a_move():
    policy = Policy(weights={"sequence": 1.0})
    decision = decide(ROW, [0.1, 0.6, 0.3], None, policy, context=CONTEXT)
    assert decision.confidence == pytest.approx(0.75)
    assert decision.probabilities == pytest.approx((0.1, 0.6, 0.3))
    assert decision.score == pytest.approx(0.2)


def test_three_ways_of_voting():
    """Worked by hand: three sources of equal weight, two lean up a little, one down a lot."""
    third = {"sequence": 0.4, "ensemble": 0.3, "smart_money": 0.3}
    scores = {"sequence": [0.4, 0.0, 0.6], "ensemble": [0.8, 0.0, 0.2], "smart_money": 1.0}

    def confidence(voting: str) -> tuple[int, float]:
        policy = Policy(weights=third, voting=voting, vote_edge=0.05)
        decision = decide(ROW, scores, None, policy, context=CONTEXT)
        return decision.lean, decision.confidence

    # Tilts +0.2, -0.6 and, of the vote, +0.1.
    assert confidence("confidence_weighted") == (-1, pytest.approx(0.5 + 0.5 * (0.18 - 0.08 - 0.03)))
    assert confidence("majority") == (1, pytest.approx(0.5 + 0.5 * (0.7 - 0.3) * (0.08 + 0.18 + 0.03)))
    odds = 0.4 * math.log(0.6 / 0.4) + 0.3 * math.log(0.2 / 0.8) + 0.3 * math.log(0.55 / 0.45)
    assert confidence("stacked") == (-1, pytest.approx(1 / (1 + math.exp(odds))))


def test_sources_that_agree_are_pooled_to_what_they_say():
    scores = {"sequence": [0.3, 0.0, 0.7], "ensemble": [0.3, 0.0, 0.7]}
    for voting in Voting:
        policy = Policy(weights={"sequence": 0.5, "ensemble": 0.5}, voting=voting)
        assert decide(ROW, scores, None, policy, context=CONTEXT).confidence == pytest.approx(0.7)


def test_presets():
    assert dict(PRESETS["intelligence"]) == dict(zip(SOURCES, (0.40, 0.30, 0.15, 0.15), strict=True))
    assert dict(PRESETS["laboratory"]) == dict(zip(SOURCES, (0.4, 0.3, 0.1, 0.2), strict=True))
    assert Policy(weights="laboratory").weights == PRESETS["laboratory"]
    asked = {name: Policy.preset(name, horizon=5) for name in PRESETS}
    assert {name: (p.weights, p.min_confidence, p.horizon) for name, p in asked.items()} == {
        "intelligence": (PRESETS["intelligence"], 0.7, 5), "laboratory": (PRESETS["laboratory"], 0.6, 5)
    }
    with pytest.raises(ValueError, match="preset: unknown 'best'"):
        Policy.preset("best")


def test_the_table_of_reachable_confidence():
    """The table in policy.py: how often a calibrated forecaster of a given AUC is as sure as asked."""

    def share(auc: float, threshold: float) -> float:
        d = math.sqrt(2) * stats.norm.ppf(auc)  # log-odds are N(+-d^2/2, d^2)
        edge = math.log(threshold / (1 - threshold))
        return stats.norm.cdf((d * d / 2 - edge) / d) + stats.norm.cdf((-edge - d * d / 2) / d)

    table = {
        0.55: (0.26, 0.02, 0.00, 0.00), 0.60: (0.58, 0.27, 0.09, 0.02), 0.70: (0.80, 0.61, 0.44, 0.29),
    }
    for auc, shares in table.items():
        for threshold, expected in zip((0.55, 0.60, 0.65, 0.70), shares, strict=True):
            assert share(auc, threshold) == pytest.approx(expected, abs=0.006), (auc, threshold)


def test_what_the_default_costs_ask_of_confidence():
    """The two figures in policy.py."""
    policy = Policy()
    cost = (2 * policy.fee_bps + policy.spread_bps) * 1e-4
    for sigma, expected in ((5e-4, 0.66), (8e-4, 0.60)):
        deviation = sigma * math.sqrt(policy.horizon)
        stop, target = policy.stop_sigmas * deviation, policy.target_sigmas * deviation
        least = min(c / 1000 for c in range(500, 1000) if payoff(c / 1000, 2 / 3, stop, target, cost)[0] > 0)
        assert least == pytest.approx(expected, abs=0.005)


# --- gates ----------------------------------------------------------------------------------------


def hold_is_named(
    decision: Decision, name: str, mode: Mode, value: float | None, margin: float | None
) -> None:
    check(decision)
    assert (decision.signal, decision.mode) == (Signal.HOLD, mode)
    reason = gate(decision, name)
    assert not reason.passed
    assert reason in decision.failed
    assert reason.value == (None if value is None else pytest.approx(value))
    assert reason.margin == (None if margin is None else pytest.approx(margin))
    assert name in decision.explain().splitlines()[1]
    assert reason.text in decision.explain()


SEQUENCE = frozenset({"sequence"})
CASES = {
    "old data": ("data_age", Mode.HOLD_ONLY, 8.0, -3.0, {"context": {"as_of": TS - 8 * SECOND}}),
    "data from the future": ("data_age", Mode.HOLD_ONLY, -1.0, -1.0, {"context": {"as_of": TS + SECOND}}),
    "clock skew": ("clock", Mode.HOLD_ONLY, 60.0, -57.5, {"context": {"clock_skew_s": 60.0}}),
    "gap": ("feed", Mode.HOLD_ONLY, 400.0, -300.0, {"context": {"silence": 400.0}}),
    "frozen": ("feed", Mode.HOLD_ONLY, 900.0, -300.0, {"context": {"frozen_s": 900.0}}),
    "twice": ("feed", Mode.HOLD_ONLY, 0.9, -0.4, {"context": {"duplicates": 0.9, "silence": 1.0, "frozen_s": 1.0}}),
    "poor health": ("health", Mode.REDUCE_ONLY, 10.0, -20.0, {"context": {"health": 10.0}}),
    "failed model": ("model", Mode.REDUCE_ONLY, 0.0, -1.0, {"scores": None, "context": {"failed": SEQUENCE}}),
    "NaN score": ("model", Mode.REDUCE_ONLY, 0.0, -1.0, {"scores": [math.nan, 0.4, 0.6]}),
    "strange row": ("novelty", Mode.REDUCE_ONLY, 5.0, -2.0, {"context": {"novelty": 5.0}}),
    "jump": ("anomaly", Mode.REDUCE_ONLY, 20.0, -12.0, {"row": {"lee_mykland_100": -20.0}}),
    "outlier": ("anomaly", Mode.REDUCE_ONLY, 30.0, -18.0, {"row": {"robust_zscore_100": 30.0, "lee_mykland_100": 3.0}}),
    "drift": ("anomaly", Mode.REDUCE_ONLY, 4.9, -0.1, {"row": {"cusum_100_up": 0.0, "cusum_100_down": 4.9}}),
    "alarm": ("anomaly", Mode.REDUCE_ONLY, 5.0, -0.2, {"row": {
        "cusum_100_up": 0.0, "cusum_100_down": 0.0, "cusum_100_age": 0.0,
    }}),
    "turbulence": ("anomaly", Mode.REDUCE_ONLY, 9.9, -0.4, {"row": {"page_hinkley_100_up": 9.9}}),
    "forbidden regime": ("regime", Mode.NORMAL, 0.0, -1.0, {"policy": {"regimes": ("ranging",)}}),
    "stale book": ("book_fresh", Mode.HOLD_ONLY, 0.0, -1.0, {"context": {"book_stale": True}}),
    "crossed book": ("book_uncrossed", Mode.HOLD_ONLY, 0.0, -1.0, {"context": {"book_crossed": True}}),
    "negative spread": ("book_uncrossed", Mode.HOLD_ONLY, 0.0, -1.0, {"row": {"spread": -0.5}}),
    "no price": ("price", Mode.HOLD_ONLY, 0.0, -1.0, {"context": {"price": math.nan}}),
    "zero price": ("price", Mode.HOLD_ONLY, 0.0, -1.0, {"context": {"price": 0.0}}),
    "no model": ("model", Mode.REDUCE_ONLY, 0.0, -1.0, {"scores": None}),
    "old scores": ("model", Mode.REDUCE_ONLY, 0.0, -1.0, {"context": {"scores_age_ns": 9 * SECOND}}),
    "uncalibrated": ("calibrated", Mode.NORMAL, 1.0, -1.0, {"context": {"calibrated": frozenset()}}),
    "few sources": ("sources", Mode.NORMAL, 0.55, -0.05, {"policy": {"min_weight": 0.6}}),
    "unknown risk": ("risk_known", Mode.REDUCE_ONLY, 1.0, -1.0, {"row": {"fhs_500_var99": math.nan}}),
    "no equity": ("equity", Mode.REDUCE_ONLY, -5.0, -5.0, {"context": {"equity": -5.0}}),
    "equity not a number": ("equity", Mode.REDUCE_ONLY, None, None, {"context": {"equity": math.nan}}),
    "drawdown": ("drawdown", Mode.REDUCE_ONLY, 0.25, -0.05, {"context": {"drawdown": 0.25}}),
    "drawdown unknown": ("drawdown", Mode.REDUCE_ONLY, None, None, {"context": {"drawdown": math.nan}}),
    "wide spread": ("spread", Mode.NORMAL, 25.0, -5.0, {"row": {"spread": 25.0}}),
    "no book": (
        "spread", Mode.NORMAL, None, None, {"row": {"spread": math.nan}, "policy": {"require_book": True}}
    ),
    "slow": (
        "latency", Mode.NORMAL, 3.0, -1.0,
        {"context": {"latency_ns": 3_000_000}, "policy": {"max_latency_ms": 2.0}},
    ),
    "unsure": (
        "confidence", Mode.NORMAL, 0.5, -0.05,
        {"scores": [0.3, 0.4, 0.3], "policy": {"weights": {"sequence": 1.0}}},
    ),
    "costs": ("edge", Mode.NORMAL, None, None, {"context": {"fee_bps": 30.0}}),
    "too small": ("size", Mode.NORMAL, 0.0, -1.0, {"context": {"lot": 1.0}}),
    "opposite of flat": ("reduce_only", Mode.REDUCE_ONLY, 0.0, 0.0, {"context": {"drawdown": 0.25}}),
    "adding": ("reduce_only", Mode.REDUCE_ONLY, 2.0, -2.0, {"context": {"drawdown": 0.25, "position": 2.0}}),
}


@pytest.mark.parametrize("case", CASES)
def test_every_gate_fires(case):
    name, mode, value, margin, change = CASES[case]
    decision = decide(
        row_of(**change.get("row", {})), change.get("scores", UP), None, Policy(**change.get("policy", {})),
        context=replace(CONTEXT, **change.get("context", {})),
    )
    if name == "edge":
        value = decision.risk.expected_edge_bps
        margin = value
        assert value < 0
    hold_is_named(decision, name, mode, value, margin)


def test_an_alarm_of_drift_is_seen_on_its_bar():
    """The sums start anew on the very bar that raised the alarm, so that they alone would tell nothing of it."""
    names = [name for name, _, _ in COLUMNS if name.startswith("cusum_100")]
    close = 100 * np.exp(np.cumsum(np.random.default_rng(5).normal(2e-4, 1e-3, 3000)))
    table = sc.Engine(names).run(bars(60 * SECOND * np.arange(1, 3001), close, close, close, close, 1.0))[200:]
    context = replace(CONTEXT, inputs=Inputs(names))
    alarms = np.flatnonzero(table[:, names.index("cusum_100_age")] == 0)
    assert len(alarms) > 10
    for i in alarms:
        reason = gate(decide(table[i], UP, context=context), "anomaly")
        assert (reason.passed, reason.note, reason.value) == (False, "drift", 5.0)
        assert gate(decide(table[i], UP, None, Policy(max_drift=5.0), context=context), "anomaly").passed


def test_quality_gate_fires():
    policy = Policy(min_quality=0.9)
    decision = decide(ROW, UP, None, policy, context=CONTEXT)
    hold_is_named(decision, "quality", Mode.NORMAL, decision.quality_score, decision.quality_score - 0.9)


def test_every_gate_has_a_case():
    assert set(GATES) == {case[0] for case in CASES.values()} | {"quality"}


def test_reasons_come_in_the_order_of_gates():
    context = replace(CONTEXT, drawdown=0.3, position=-1.0)
    decision = decide(ROW, UP, None, Policy(max_latency_ms=1.0), context=context)
    order = [list(GATES).index(reason.gate) for reason in decision.reasons]
    assert order == sorted(order)


def test_text_names_value_limit_and_distance():
    decision = decide(ROW, UP, context=replace(CONTEXT, as_of=TS - 8 * SECOND))
    assert gate(decision, "data_age").text == "age of the data: 8 s, at most 5 s asked: over by 3 s"
    assert "would have bought; stopped by data_age" in decision.explain()


@pytest.mark.parametrize("position, signal", [(-2.0, Signal.BUY), (0.0, Signal.HOLD), (2.0, Signal.HOLD)])
def test_reduce_only_lets_a_position_shrink(position, signal):
    decision = decide(ROW, UP, context=replace(CONTEXT, drawdown=0.25, position=position))
    check(decision)
    assert (decision.signal, decision.mode) == (signal, Mode.REDUCE_ONLY)
    if signal == Signal.BUY:
        assert (decision.risk.contracts, decision.risk.bound) == (2.0, Bound.REDUCE_ONLY)
        assert decision.risk.risk_adjusted_position_size == pytest.approx(2.0 * 50_000 / 1e5)


def test_high_volatility_raises_the_threshold():
    decision = decide(row_of(market_regime_volatility=2.0), UP, context=CONTEXT)
    assert decision.regime.volatility == Volatility.HIGH
    reason = gate(decision, "confidence")
    assert reason.limit == pytest.approx(0.57)
    assert "high volatility" in reason.detail


# --- risk -----------------------------------------------------------------------------------------


def test_kelly_is_the_textbook_s_for_even_bets_without_costs():
    for p in (0.5, 0.55, 0.6, 0.8):
        mean, kelly = payoff(p, 1.0, 0.01, 0.01, 0.0)
        assert kelly == pytest.approx(2 * p - 1, abs=1e-12)
        assert mean == pytest.approx((2 * p - 1) * 0.01, abs=1e-12)


@given(st.floats(0.001, 0.1), st.floats(0.001, 0.1), st.floats(0.0, 1.0))
def test_knowing_nothing_earns_nothing_wherever_the_target_is(stop, target, move):
    mean, _ = payoff(0.5, move, stop, target, 0.0)
    assert mean == pytest.approx(0.0, abs=1e-15)
    mean, kelly = payoff(0.5, move, stop, target, 1e-4)
    assert mean == pytest.approx(-1e-4)
    assert kelly == 0.0


def test_var_and_distances_scale_with_the_horizon():
    policy = Policy(horizon=25.0, stop_sigmas=1.0, target_sigmas=2.0)
    risk = decide(ROW, UP, None, policy, context=CONTEXT).risk
    assert risk.var_95 == pytest.approx(1 - math.exp(-5 * 1e-3))  # columns are of log returns
    assert risk.es_99 == pytest.approx(1 - math.exp(-5 * 2.4e-3))
    assert risk.stop_distance == pytest.approx(5 * 6e-4)
    assert risk.reward_to_risk == pytest.approx(2.0)
    assert risk.max_adverse_excursion > risk.var_95  # the worst on the way is worse than the end


LOOSE = {
    "max_position": 1000.0, "max_var": 1.0, "max_contracts": 1e9, "drawdown_share": 1.0, "max_drawdown": 1.0
}


@pytest.mark.parametrize(
    "bound, policy",
    [
        (Bound.KELLY, {}),
        (Bound.DRAWDOWN, {"drawdown_share": 1e-4}),
        (Bound.VAR, {"max_var": 1e-4}),
        (Bound.POSITION, {"max_position": 0.01}),
        (Bound.CONTRACTS, {"max_contracts": 0.02}),
    ],
)
def test_the_cap_that_bound_is_named(bound, policy):
    free = decide(ROW, UP, None, Policy(**LOOSE), context=CONTEXT).risk
    risk = decide(ROW, UP, None, Policy(**LOOSE | policy), context=CONTEXT).risk
    assert risk.bound == bound
    assert (risk.risk_adjusted_position_size < free.risk_adjusted_position_size) == (bound != Bound.KELLY)
    assert risk.kelly_fraction == free.kelly_fraction


def test_caps_only_lower_and_the_last_to_lower_binds():
    tight = [("drawdown_share", 1e-3), ("max_var", 1e-4), ("max_position", 1e-3), ("max_contracts", 1e-3)]
    bounds = [Bound.DRAWDOWN, Bound.VAR, Bound.POSITION, Bound.CONTRACTS]
    size, policy = math.inf, dict(LOOSE)
    for (name, value), bound in zip(tight, bounds, strict=True):
        policy[name] = value
        risk = decide(ROW, UP, None, Policy(**policy), context=CONTEXT).risk
        assert risk.risk_adjusted_position_size < size
        assert risk.bound == bound
        size = risk.risk_adjusted_position_size


def test_var_cap_holds():
    for factor in (1.0, 2.0, 5.0):
        row = row_of(fhs_500_var99=1.8e-3 * factor)
        risk = decide(row, UP, None, Policy(**LOOSE | {"max_var": 0.001}), context=CONTEXT).risk
        assert risk.risk_adjusted_position_size * risk.var_99 <= 0.001 + 1e-12
        assert risk.risk_adjusted_position_size * risk.var_99 == pytest.approx(0.001, rel=0.05)  # whole lots


def test_deeper_drawdown_smaller_size():
    policy = Policy(**LOOSE | {"drawdown_share": 0.01, "max_drawdown": 0.2})
    sizes = [
        decide(ROW, UP, None, policy, context=replace(CONTEXT, drawdown=d)).risk.risk_adjusted_position_size
        for d in (0.0, 0.05, 0.1, 0.15, 0.19, 0.2)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 0.0


def test_exchange_minimum_and_whole_lots():
    small = decide(ROW, UP, context=replace(CONTEXT, equity=1000.0, lot=0.01))
    assert (small.signal, small.risk.bound, small.risk.contracts) == (Signal.HOLD, Bound.EXCHANGE, 0.0)
    assert "exchange" in gate(small, "size").text
    least = decide(ROW, UP, context=replace(CONTEXT, min_size=0.6))
    assert (least.signal, least.risk.bound) == (Signal.HOLD, Bound.EXCHANGE)
    whole = decide(ROW, UP, context=replace(CONTEXT, lot=0.3))
    assert whole.risk.contracts == pytest.approx(0.3)


def test_contracts_limit_is_five_by_default():
    rich = decide(ROW, UP, context=replace(CONTEXT, equity=1e9))
    assert (rich.risk.contracts, rich.risk.bound) == (5.0, Bound.CONTRACTS)


def test_without_equity_there_is_a_fraction_and_no_contracts():
    decision = decide(ROW, UP, context=replace(CONTEXT, equity=None))
    check(decision)
    assert decision.signal == Signal.BUY
    assert decision.risk.contracts is None
    assert decision.risk.risk_adjusted_position_size == 0.25


def test_uncalibrated_probabilities_are_refused_unless_named():
    context = replace(CONTEXT, calibrated=frozenset())
    refused = decide(ROW, UP, context=context)
    assert refused.risk.bound == Bound.UNCALIBRATED
    assert refused.risk.kelly_fraction is None
    assert refused.risk.risk_adjusted_position_size == 0.0
    named = decide(ROW, UP, None, Policy(uncalibrated=frozenset({"sequence"})), context=context)
    assert named.signal == Signal.BUY


def test_risk_level_follows_drawdown_and_tails():
    def level(row: np.ndarray, drawdown: float) -> RiskLevel:
        return decide(row, UP, context=replace(CONTEXT, drawdown=drawdown)).risk.risk_level

    assert [level(ROW, d) for d in (0.0, 0.11, 0.17, 0.2)] == [
        RiskLevel.LOW, RiskLevel.MEDIUM, RiskLevel.HIGH, RiskLevel.EXTREME
    ]
    assert level(row_of(fhs_500_es99=0.1), 0.0) == RiskLevel.EXTREME
    assert level(row_of(fhs_500_sigma=math.nan), 0.0) == RiskLevel.UNKNOWN


# --- execution ------------------------------------------------------------------------------------


def test_slippage_tolerance_grows_with_latency_spread_and_quantile():
    def tolerance(quantile: float = 0.9, spread: float = 1.0, **context: object) -> float:
        policy = Policy(slippage_quantile=quantile)
        decision = decide(row_of(spread=spread), UP, None, policy, context=replace(CONTEXT, **context))
        return decision.execution.slippage_tolerance_pct

    base = tolerance()
    assert tolerance(latency_ns=250_000_000) > base
    assert tolerance(spread=4.0) > 3 * base
    assert tolerance(quantile=0.99) > base
    assert tolerance(ask_size=0.01) > tolerance(ask_size=100.0)  # more than the touch holds


def test_urgency_and_method():
    def execution(queue: float, latency_ns: int = 0, strong: float = 0.99):
        row = row_of(spread=4.0, queue_imbalance_l1=queue)
        policy = Policy(strong_confidence=strong)
        return decide(row, UP, None, policy, context=replace(CONTEXT, latency_ns=latency_ns)).execution

    patient = execution(0.0)
    assert (patient.entry_method, patient.execution_urgency) == (EntryMethod.PASSIVE, Urgency.PATIENT)
    slow = execution(0.0, latency_ns=60 * SECOND)
    assert slow.entry_method == EntryMethod.LIMIT
    pressed = execution(0.9)
    assert (pressed.entry_method, pressed.execution_urgency) == (EntryMethod.MARKET, Urgency.URGENT)
    assert pressed.max_execution_time_minutes < patient.max_execution_time_minutes
    assert pressed.expected_cost_bps > patient.expected_cost_bps


def test_timing_waits_for_spread_and_volume():
    wide = decide(row_of(spread=12.0, queue_imbalance_l1=0.0), [0.15, 0.2, 0.65], context=CONTEXT)
    assert wide.regime.condition == Condition.ILLIQUID
    assert wide.execution.recommended_timing == Timing.WAIT_FOR_SPREAD
    thin = decide(row_of(market_regime_volume=0.0, spread=4.0, queue_imbalance_l1=0.0), UP, context=CONTEXT)
    assert thin.execution.recommended_timing == Timing.WAIT_FOR_VOLUME


def test_slices_follow_the_size_at_the_touch():
    decision = decide(ROW, UP, context=replace(CONTEXT, ask_size=0.4, bid_size=100.0))
    assert decision.execution.slices == 5  # 0.5 contracts, a quarter of 0.4 each
    assert decide(ROW, DOWN, context=replace(CONTEXT, ask_size=0.4, bid_size=100.0)).execution.slices == 1


# --- regime ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("i, name", list(enumerate(RegimeName))[:7])
def test_the_regime_is_that_of_the_columns(i, name):
    chances = [0.05] * 7
    chances[i] = 0.7
    columns = {f"market_regime_{key.value}": p for key, p in zip(RegimeName, chances, strict=False)}
    row = row_of(**columns, market_regime_name=i, market_regime_age=19.0, market_regime_trend=-2.0)
    decision = decide(row, UP, context=CONTEXT)
    check(decision)
    regime = decision.regime
    assert (regime.name, regime.age, regime.switch_probability) == (name, 19, 0.08)
    assert (regime.volatility, regime.trend, regime.volume) == ("medium", "strong_bearish", "normal")
    assert regime.probabilities[name] == pytest.approx(0.7)


def test_the_condition_follows_from_regime_volatility_volume_and_spread():
    def condition(name: int, volatility: float = 1.0, volume: float = 1.0, spread: float = 1.0) -> str:
        row = row_of(
            market_regime_name=name, market_regime_volatility=volatility, market_regime_volume=volume, spread=spread
        )
        return decide(row, UP, context=CONTEXT).regime.condition

    assert [condition(name) for name in range(7)] == [
        "trending_stable", "trending_stable", "trending_volatile", "choppy", "choppy", "choppy", "consolidating"
    ]
    assert condition(0, volatility=2.0) == Condition.TRENDING_VOLATILE
    assert condition(4, volume=0.0) == Condition.CONSOLIDATING
    assert {condition(name, spread=10.1) for name in range(7)} == {Condition.ILLIQUID}
    assert condition(0, volatility=math.nan, spread=math.nan) == Condition.TRENDING_STABLE


def test_unknown_columns_give_an_unknown_regime():
    decision = decide(np.full(len(NAMES), np.nan), UP, context=CONTEXT)
    check(decision)
    assert decision.regime.name == RegimeName.UNKNOWN
    assert set(decision.regime.probabilities.values()) == {1 / 7}
    assert decision.risk.var_95 is None

# --- against its twin -----------------------------------------------------------------------------


def moments(n: int, seed: int) -> Iterator[tuple[dict[str, float], dict[str, Any], Scores | None, Policy, Context]]:
    """Rows, scores, records, policies and circumstances: most of them sound, many with something wrong."""
    rng = np.random.default_rng(seed)
    broken = (math.nan, math.inf, -math.inf, 0.0, -1.0, 1e308)
    voted = card(300, 100)  # votes with a record too: one good, one that is wrong more often than right
    for right, (vote, hits) in product(range(100), (("smart_money", 65), ("technical", 20))):
        voted.update(vote, (0.4, 0.1, 0.5), 1 if right < hits else -1)
    records = (Scorecard(), card(300, 100), card(150, 250), card(80, 20), voted)
    cards = [None, *(record.scores() for record in records)]
    voices = tuple(Voting)

    def now_and_then(p: float, value: Any, else_: Any = None) -> Any:
        return value if rng.random() < p else else_

    for _ in range(n):
        row = {}
        for name, low, high in COLUMNS:
            wide = max(low, -100.0), min(high, 100.0)
            row[name] = TYPICAL[name] * rng.lognormal(0, 0.4) if name in TYPICAL else rng.uniform(*wide)
        regime = rng.dirichlet(np.full(7, 0.3))
        row |= {f"market_regime_{key.value}": p for key, p in zip(RegimeName, regime, strict=False)}
        row["market_regime_name"] = float(regime.argmax())
        for name, low, high in (("volatility", 0, 2), ("trend", -2, 2), ("volume", 0, 2)):
            row[f"market_regime_{name}"] = float(rng.integers(low, high + 1))
        row["lee_mykland_100"], row["robust_zscore_100"] = rng.normal(0, 3, 2)
        row["cusum_100_up"], row["cusum_100_down"], row["page_hinkley_100_up"] = rng.exponential(1.0, 3)
        row["cusum_100_age"] = float(rng.integers(0, 40))
        row["spread"] = abs(rng.normal(0, 6))
        for name in rng.choice(NAMES, rng.choice([0] * 9 + [1, 3, 30]), replace=False):
            row[str(name)] = float(rng.choice(broken))
        for name in rng.choice(NAMES, rng.choice([0] * 15 + [5, 40]), replace=False):
            row.pop(str(name), None)
        said: dict[str, Any] = {}
        for source in ("sequence", "ensemble"):
            triple = rng.dirichlet(np.full(3, 1.0))
            if rng.random() < 0.05:
                triple[rng.integers(3)] = rng.choice(broken)
            said |= now_and_then(0.8, {source: triple.tolist()}, {})
        said |= now_and_then(0.3, {"smart_money": float(rng.uniform(-1.1, 1.1))}, {})
        said |= now_and_then(0.2, {"technical": float(rng.uniform(-1, 1))}, {})
        policy = Policy(
            weights=dict(zip(SOURCES, rng.permutation([0.1, 0.2, 0.3, 0.4]).tolist(), strict=True)),
            voting=voices[rng.integers(3)], min_confidence=float(rng.uniform(0.5, 0.62)), min_quality=0.31234,
            regimes=now_and_then(0.2, ("ranging", "quiet", "unknown"), tuple(RegimeName)),
            max_latency_ms=now_and_then(0.2, 1.0), require_book=rng.random() < 0.1,
            volatile_raise=float(rng.choice([0.0, 0.02])), max_scores_age_s=float(rng.choice([0.0, 5.0])),
        )  # fmt: skip
        age = int(rng.choice([0, 10**6, 10**9, 10**10, -(10**9)], p=[0.5, 0.4, 0.04, 0.03, 0.03]))
        context = Context(
            Inputs(row), TS, TS - age, now_and_then(0.05, float(rng.choice(broken)), 50_000.0), symbol="X",
            position=float(rng.choice([-2.0, 0.0, 2.0])), equity=now_and_then(0.8, rng.choice([1e5] * 9 + [-1.0])),
            drawdown=float(rng.choice([0.0, 0.1, 0.25, math.nan], p=[0.8, 0.1, 0.05, 0.05])), lot=0.001,
            latency_ns=now_and_then(0.5, int(rng.integers(0, 3 * 10**6))), book_stale=rng.random() < 0.02,
            scores_age_ns=now_and_then(0.1, 7 * SECOND, 0), book_crossed=rng.random() < 0.02, tick=0.5,
            calibrated=frozenset(now_and_then(0.9, ("sequence", "ensemble"), ())), fee_bps=now_and_then(0.5, 0.2),
            novelty=now_and_then(0.15, float(rng.exponential(1.5))), health=now_and_then(0.15, rng.uniform(0, 101.0)),
            clock_skew_s=now_and_then(0.3, float(rng.normal(0, 1.5))), silence=now_and_then(0.1, rng.exponential(50.0)),
            frozen_s=now_and_then(0.1, rng.exponential(300.0)), duplicates=now_and_then(0.1, rng.uniform(0, 0.7)),
        )  # fmt: skip
        yield row, said, cards[rng.integers(len(cards))], policy, context


def close(a: Any, b: Any) -> bool:
    return a == b or (isinstance(a, float) and math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-11))


def test_equals_its_twin():
    seen: Counter[str] = Counter()
    for n, (row, said, record, policy, context) in enumerate(moments(3000, 3)):
        values = np.array(list(row.values()))
        made = decide(values, said, record, policy, context=context)
        if n % 10 == 0:
            check(made)
        sizes = [reason.value for reason in made.reasons if reason.gate == "size"]
        risk = {
            "level": made.risk.risk_level, "edge_bps": made.risk.expected_edge_bps, "size": sizes[0] if sizes else None,
        }  # fmt: skip
        told = twin(row, said, record, policy, context, risk)
        where = (made.explain(), told)
        assert {reason.gate: reason.passed for reason in made.reasons} == told["gates"], where
        for name in ("signal", "mode", "quality"):
            assert getattr(made, name) == told[name], where
        for name in ("score", "confidence", "raw_confidence", "quality_score", "threshold", "overall"):
            assert close(getattr(made, name), told[name]), (name, where)
        for name in ("contributions", "weights", "doubts"):
            mine = dict(getattr(made, name))
            assert mine.keys() == told[name].keys() and all(close(mine[k], told[name][k]) for k in mine), (name, where)
        fused = told["probabilities"]
        assert (made.probabilities is None) == (fused is None)
        assert fused is None or all(map(close, made.probabilities, fused))
        for name, value in told["regime"].items():
            mine = getattr(made.regime, name)
            assert all(map(close, mine.values(), value)) if name == "probabilities" else close(mine, value), where
        seen.update([made.signal, made.mode, policy.voting, *(reason.gate for reason in made.failed)])
    assert set(seen) >= set(Signal) | set(Mode) | set(Voting) | set(GATES), seen
    assert min(seen[signal] for signal in Signal) >= 10, seen


# --- any input ------------------------------------------------------------------------------------

ANYTHING = st.floats(allow_nan=True, allow_infinity=True, width=64)
ODD = st.sampled_from([math.nan, math.inf, -math.inf, 0.0])
LIKELY = st.one_of(st.floats(0, 1), st.floats(-1, 1), st.floats(-100, 100), ODD)
STAMP = st.integers(-(2**63), 2**63 - 1)
POSITIVE = st.floats(0, 1e299, exclude_min=True)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_row_gives_a_valid_decision(data):
    row = ROW.copy()
    for i in data.draw(st.sets(st.integers(0, len(NAMES) - 1))):
        row[i] = data.draw(st.one_of(LIKELY, ANYTHING))
    decision = decide(row, UP, context=CONTEXT)
    check(decision)
    assert decision == decide(row, UP, context=CONTEXT)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(ANYTHING, min_size=3, max_size=3),
    st.fixed_dictionaries(
        {},
        optional={
            "ts": STAMP, "as_of": STAMP, "price": ANYTHING, "position": ANYTHING, "drawdown": ANYTHING,
            "equity": st.none() | ANYTHING, "latency_ns": st.none() | STAMP, "scores_age_ns": STAMP,
            "bid_size": st.none() | ANYTHING, "ask_size": st.none() | ANYTHING,
            "fee_bps": st.none() | ANYTHING,
            "book_stale": st.booleans(), "book_crossed": st.booleans(),
            "lot": POSITIVE, "multiplier": POSITIVE,
            "tick": st.floats(0, 1e299), "min_size": st.floats(0, 1e299),
        },
    ),
    st.sampled_from([UP, DOWN]) | st.none(),
    st.booleans(),
)
def test_any_circumstances_give_a_valid_decision(numbers, changes, scores, smart):
    given = {"sequence": numbers if scores is None else scores, "smart_money": numbers[0] if smart else None}
    check(decide(ROW, given, context=replace(CONTEXT, **changes)))


@pytest.mark.parametrize("column", NAMES)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e308, -1e308, 0.0])
def test_one_bad_column(column, value):
    check(decide(row_of(**{column: value}), UP, context=CONTEXT))


def test_columns_are_found_by_name_and_missing_ones_are_unknown():
    rng = np.random.default_rng(5)
    order = rng.permutation(len(NAMES))
    names = ["other", *(NAMES[i] for i in order)]
    row = np.concatenate([[math.inf], ROW[order]])
    inputs = Inputs(names)
    assert inputs.missing == ()
    assert decide(row, UP, context=replace(CONTEXT, inputs=inputs)) == decide(ROW, UP, context=CONTEXT)
    few = Inputs(["rsi_14"])
    assert "spread" in few.missing
    check(decide(np.array([50.0]), UP, context=replace(CONTEXT, inputs=few)))
    check(decide(np.array([]), None, context=replace(CONTEXT, inputs=Inputs([]))))


def test_wrong_use_is_told():
    with pytest.raises(ValueError, match=r"row: 3 values for a feature set of \d+ columns"):
        decide(np.zeros(3), UP, context=CONTEXT)
    with pytest.raises(TypeError, match=r"Scorecard is not Scores"):
        decide(ROW, UP, Scorecard(), context=CONTEXT)  # type: ignore[arg-type]
    for name in ("lot", "multiplier", "bar_ns", "tick", "min_size"):
        with pytest.raises(ValueError, match=name):
            replace(CONTEXT, **{name: -1})


# --- policy ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change, message",
    [
        ({"weights": "best"}, "weights: unknown preset 'best'; known: intelligence, laboratory"),
        ({"weights": {"oracle": 1.0}}, "weights: unknown source 'oracle'"),
        ({"weights": {"sequence": 0.5}}, "weights: sum to 0.5, not 1"),
        ({"weights": {"sequence": 1.5, "ensemble": -0.5}}, r"weights\['sequence'\]: 1.5"),
        ({"min_confidence": 1.2}, "min_confidence: 1.2 is not a number from 0.5 to 1"),
        ({"min_confidence": 0.8, "strong_confidence": 0.7}, "strong_confidence: 0.7 < min_confidence 0.8"),
        ({"horizon": math.nan}, "horizon: nan"),
        ({"max_var": 0.0}, "max_var: 0.0"),
        ({"min_votes": 2.5}, "min_votes: 2.5 is not a whole number"),
        ({"kelly_multiplier": True}, "kelly_multiplier: True"),
        ({"uncalibrated": "sequence"}, "uncalibrated: a set"),
        ({"uncalibrated": {"lstm"}}, "uncalibrated: unknown model 'lstm'"),
        ({"every": "3 days"}, "every: '3 days'"),
        ({"every": "0 events"}, "every: '0 events'"),
        ({"alpha_half_life": 0.0}, "alpha_half_life: 0.0"),
        ({"voting": "loudest"}, "voting: unknown 'loudest'; known: confidence_weighted, majority, stacked"),
        ({"regimes": ("calm",)}, "regimes: unknown 'calm'"),
        ({"regimes": "quiet"}, "regimes: a set of names"),
        ({"threshold_low": 0.6}, "threshold_low 0.6, min_confidence 0.55, threshold_high 0.7"),
        ({"max_jump": math.nan}, "max_jump: nan"),
        ({"min_health": 101.0}, "min_health: 101.0"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Policy(**change)


def test_policies_compare_hash_and_vary():
    assert Policy() == Policy(weights=dict(PRESETS["intelligence"]))
    assert hash(Policy()) == hash(Policy(weights=dict(PRESETS["intelligence"])))
    assert replace(Policy(), horizon=40.0).half_life == 20.0
    assert pickle.loads(pickle.dumps(Policy())) == Policy()


@pytest.mark.parametrize(
    "every, due, early",
    [
        ("bar", (1, 0, True), (99, 10**12, False)),
        ("100 events", (100, 0, False), (99, 10**12, True)),
        ("250ms", (0, 250_000_000, False), (10**6, 249_999_999, True)),
        ("1 s", (0, 10**9, False), (10**6, 10**9 - 1, True)),
    ],
)
def test_cadence(every, due, early):
    policy = Policy(every=every)
    assert policy.due(*due)
    assert not policy.due(*early)


# --- scorecard ------------------------------------------------------------------------------------


def card(hits: int, misses: int, half_life: float = 200.0) -> Scorecard:
    out, forecast = Scorecard(half_life), (0.2, 0.2, 0.6)
    for outcome in [1] * hits + [-1] * misses:
        out.update("sequence", forecast, outcome)
        out.update("fused", forecast, outcome)
    return out


def test_scorecard_counts_hits_and_brier():
    score = card(3, 1, half_life=1e12).scores().get("sequence")
    assert score.count == pytest.approx(4)
    assert score.hit_rate == pytest.approx(0.75)
    assert score.confidence == pytest.approx(0.75)
    good, bad = 0.2**2 + 0.2**2 + 0.4**2, 0.8**2 + 0.2**2 + 0.6**2
    assert score.brier == pytest.approx((3 * good + bad) / 4)


def test_scorecard_forgets():
    recent = card(0, 10, half_life=10)
    for _ in range(100):
        recent.update("sequence", (0.1, 0.1, 0.8), 1)
    assert recent.scores().get("sequence").hit_rate > 0.99


def test_flat_outcomes_are_no_hits_and_no_misses():
    out = Scorecard()
    out.update("sequence", (0.1, 0.3, 0.6), 0)
    score = out.scores().get("sequence")
    assert (score.count, score.moves, score.hit_rate) == (1.0, 0.0, 0.5)


def test_records_move_weights_thresholds_and_size():
    good, poor = card(300, 100, half_life=1e4).scores(), card(150, 250, half_life=1e4).scores()
    base = PRESETS["intelligence"]
    assert good.weights(base)["sequence"] > base["sequence"] > poor.weights(base)["sequence"]
    assert sum(good.weights(base).values()) == pytest.approx(1.0)
    plain, better, worse = (decide(ROW, UP, record, context=CONTEXT) for record in (None, good, poor))
    assert better.weights["sequence"] > plain.weights["sequence"] > worse.weights["sequence"]
    assert better.risk.kelly_fraction > plain.risk.kelly_fraction > worse.risk.kelly_fraction
    assert "overconfidence" in gate(worse, "confidence").detail
    assert gate(worse, "confidence").limit > gate(plain, "confidence").limit
    for decision in (better, worse):
        check(decision)


@pytest.mark.parametrize("hits, misses, low, high", [(0, 900, None, None), (900, 0, None, None), (0, 900, 0.54, 0.56)])
def test_outcomes_move_the_threshold_between_its_bounds(hits, misses, low, high):
    policy = Policy(threshold_low=low, threshold_high=high)
    decision = decide(ROW, UP, card(hits, misses, half_life=1e9).scores(), policy, context=CONTEXT)
    bound = (high or 0.70) if misses else (low or 0.50)
    assert decision.threshold == pytest.approx(bound)
    reason = gate(decision, "confidence")
    assert reason.limit == decision.threshold
    assert ("raised by" in reason.detail) == bool(misses)
    assert ("lowered by" in reason.detail) == bool(hits)


def test_a_poor_record_lowers_quality_and_the_whole_answer():
    good, poor = (decide(ROW, UP, card(*n, half_life=1e9).scores(), context=CONTEXT) for n in ((800, 200), (520, 480)))
    assert good.doubts["calibration"] > 0.9 > 0.3 > poor.doubts["calibration"]
    assert good.quality_score > poor.quality_score
    assert good.overall > poor.overall
    assert good.track.reliability == good.doubts["calibration"]
    assert good.track.hit_rate == pytest.approx(0.8)


def test_observe_scores_every_source_that_spoke():
    out = Scorecard()
    out.observe(decide(ROW, UP, context=CONTEXT), 1)
    scores = out.scores()
    assert [name for name, _ in scores.by_source] == ["fused", "sequence", "technical"]
    assert scores.get("sequence").hit_rate == 1.0
    assert scores.get("ensemble").count == 0.0
    out.observe(decide(ROW, None, context=CONTEXT), 1)
    assert out.scores() == scores


@pytest.mark.parametrize("bad", [((0.5, 0.5, 0.5), 1), ((0.2, 0.2, 0.6), 2), ((math.nan, 0.5, 0.5), 1)])
def test_scorecard_refuses_nonsense(bad):
    with pytest.raises(ValueError, match=r"forecast|outcome"):
        Scorecard().update("sequence", *bad)


def test_scores_snapshot_does_not_follow_the_card():
    out = card(3, 1)
    before = out.scores()
    out.update("sequence", (0.1, 0.1, 0.8), -1)
    assert before == card(3, 1).scores() != out.scores()


# --- records --------------------------------------------------------------------------------------


def named(kind: str) -> list[str]:
    """Members of an enumeration of the core, as Python writes them."""
    text = (Path(__file__).resolve().parent.parent / "csrc" / "decide" / "words.hpp").read_text()
    (body,) = re.findall(rf"enum class {kind} : [^{{]*\{{(.*?)\}};", text, re.DOTALL)
    return [name.strip().rstrip("_") for name in re.sub(r"//[^\n]*", "", body).split(",") if name.strip()]


@pytest.mark.parametrize(
    "kind",
    [Signal, Quality, Mode, Volatility, Trend, Volume, RegimeName, Condition, Bound, RiskLevel, EntryMethod, Urgency,
     Timing, Schedule, Voting],
)  # fmt: skip
def test_words_stand_in_the_order_of_the_core(kind):
    assert named(kind.__name__) == [member.name.lower() for member in kind]
    assert [member.value.lower() for member in kind] == [member.name.lower() for member in kind]


def test_gates_notes_and_sources_stand_in_the_order_of_the_core():
    assert named("Gate") == list(GATES)
    assert named("Note") == list(NOTES)
    assert named("Source") == list(SOURCES)


def test_every_note_has_words():
    for note in NOTES:
        words = detail(note, 0.25, -0.125, 1)
        assert bool(words) == (note != "none"), note


def test_a_record_of_another_length_is_refused():
    decision = decide(ROW, UP, context=CONTEXT)
    with pytest.raises(ValueError, match=f"raw: 7 bytes where a decision has {len(decision.raw)}"):
        Decision(b"1234567")


def test_the_record_is_told_with_the_decision():
    assert "record of past calls: none is known yet" in decide(ROW, UP, context=CONTEXT).explain()
    told = decide(ROW, UP, card(300, 100).scores(), context=CONTEXT).explain()
    assert re.search(r"record of \d+ calls: right \d\d.\d% where 75.0% was stated \(ECE 0.\d\d\d\)", told)
    assert re.search(r"quality 0.\d\d from agreement 1.00, completeness 0.55, .*; overall 0.\d\d", told)


@settings(max_examples=50)
@given(st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False), max_size=5))
def test_parts_are_a_mapping(numbers):
    parts = Parts(numbers, numbers.values())
    assert parts == numbers
    assert dict(parts) == numbers
    assert hash(parts) == hash(Parts(list(numbers), list(numbers.values())))
    assert pickle.loads(pickle.dumps(parts)) == parts
    with pytest.raises(KeyError):
        parts["not in there"]


def test_the_function_is_found_under_the_name_it_shares_with_its_folder():
    assert sc.Policy is Policy
    assert sc.decide(ROW, UP, context=CONTEXT) == decide(ROW, UP, context=CONTEXT)


def test_imports_are_light():
    code = (
        "import sys, numpy; before = set(sys.modules); import smartcore.decide; "
        "print(sorted({m.split('.')[0] for m in set(sys.modules) - before} "
        "- {'smartcore'} - sys.stdlib_module_names))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() in ("[]", "['numpy']")
