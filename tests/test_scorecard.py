"""The record of past calls: held to scikit-learn, SciPy, naive twins, and to what a planted liar must come to."""

from __future__ import annotations

import itertools
import json
import math
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special, stats

import smartcore as sc
from smartcore import _core
from smartcore.bot.scorecards import Scorecards
from smartcore.decide import Decision, Policy, Score, Scorecard, Scores
from smartcore.decide.words import RegimeName
from smartcore.market.events import bars
from smartcore.models import Contract

SECOND = 10**9
SOURCES = ("sequence", "ensemble", "smart_money", "technical")
WEIGHTS = np.array([0.4, 0.3, 0.15, 0.15])


def call(
    ts: int = SECOND, score: float = 0.2, flat: float = 0.2, raw: float | None = None, tilts=None, **more
) -> Decision:
    """A decision whose sources tilt by ``tilts`` (all alike by default); other fields by path: risk__var_95=0.01."""
    record = np.zeros(1, _core.DECISION)
    d = record[0]
    tilts = np.full(4, score) if tilts is None else np.asarray(tilts, float)
    parts = WEIGHTS * tilts
    score = float(np.nansum(parts))
    move = 1 - flat
    d["ts"], d["score"], d["price"] = ts, score, 100.0
    d["probabilities"] = [(move - score) / 2, flat, (move + score) / 2]
    d["confidence"] = 0.5 + 0.5 * abs(score) / move
    d["raw_confidence"] = d["confidence"] if raw is None else raw
    d["contributions"], d["weights"] = parts, np.where(np.isnan(parts), np.nan, WEIGHTS)
    d["risk"]["var_95"] = d["risk"]["var_99"] = np.nan
    for path, value in more.items():
        *outer, name = path.split("__")
        at = d
        for step in outer:
            at = at[step]
        at[name] = value
    return Decision(record.tobytes(), "TEST")


def calls(n: int, seed: int = 1, truth=None, every: int = SECOND, **more):
    """(decisions, outcomes): confidences of 0.5 to 0.9 either way, right with probability ``truth(confidence)``."""
    rng = np.random.default_rng(seed)
    confidence, side = rng.uniform(0.5, 0.9, n), rng.choice([-1, 1], n)
    right = rng.random(n) < (confidence if truth is None else truth(confidence))
    outcome = np.where(right, side, -side)
    made = [
        call((i + 1) * every, s * (2 * c - 1), 0.0, **more)
        for i, (c, s) in enumerate(zip(confidence, side, strict=True))
    ]
    return made, outcome.tolist()


def fed(made, outcomes, half_life=1e18, horizon_ns=0) -> Scorecard:
    card = Scorecard(half_life)
    for decision, outcome in zip(made, outcomes, strict=True):
        card.observe(decision, outcome, 0.001 * outcome, horizon_ns)
    return card


# --- probabilities ------------------------------------------------------------------------------------


def test_hit_rate_brier_and_confidence_are_those_of_numpy():
    made, outcomes = calls(500)
    fused = fed(made, outcomes).scores().get("fused")
    p = np.array([d.probabilities for d in made])
    came = np.eye(3)[np.array(outcomes) + 1]
    assert fused.brier == pytest.approx(((p - came) ** 2).sum(1).mean(), rel=1e-12)
    assert fused.count == fused.moves == pytest.approx(500)
    assert fused.confidence == pytest.approx(p.max(1).mean(), rel=1e-12)
    assert fused.hit_rate == pytest.approx(np.mean(p.argmax(1) - 1 == outcomes))


def test_brier_of_two_classes_is_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    made, outcomes = calls(400)
    up = [d.probabilities[2] for d in made]
    # Over both classes, each squared error comes twice.
    expected = 2 * metrics.brier_score_loss(np.array(outcomes) > 0, up)
    assert fed(made, outcomes).scores().get("fused").brier == pytest.approx(expected)


def test_reliability_table_is_calibration_curve_of_scikit_learn():
    calibration = pytest.importorskip("sklearn.calibration")
    made, outcomes = calls(2000)
    table = fed(made, outcomes).scores().reliability()
    sure = np.array([d.confidence for d in made])
    right = np.array([d.lean == o for d, o in zip(made, outcomes, strict=True)])
    for b in table:
        here = (sure >= b.low) & (sure < b.high)
        hits, stated = calibration.calibration_curve(right[here], sure[here], n_bins=1)
        assert (b.moves, b.hit_rate, b.stated) == pytest.approx((here.sum(), hits[0], stated[0]))
    off = sum(b.moves * abs(b.hit_rate - b.stated) for b in table) / len(made)
    assert fed(made, outcomes).scores().track()["ece"] == pytest.approx(off)


@pytest.mark.parametrize("half_life", [1e18, 150.0])
def test_floor_of_the_calibration_error_is_what_a_perfect_forecaster_shows(half_life):
    found, floors = [], []
    for seed in range(20):
        track = fed(*calls(800, seed), half_life).scores().track()
        found.append(track["ece"])
        floors.append(track["ece_floor"])
    assert np.mean(found) == pytest.approx(np.mean(floors), rel=0.12)


def test_older_calls_fade():
    made, outcomes = calls(300)
    card = fed(made, outcomes, half_life=40)
    age = np.arange(300)[::-1]
    weight = 0.5 ** (age / 40)
    right = np.array([d.lean == o for d, o in zip(made, outcomes, strict=True)])
    fused = card.scores().get("fused")
    assert fused.count == pytest.approx(weight.sum())
    assert fused.hit_rate == pytest.approx((weight * right).sum() / weight.sum())


def test_overlapping_calls_count_as_the_horizons_they_cover():
    made, outcomes = calls(401)
    alone, crowded = fed(made, outcomes), fed(made, outcomes, horizon_ns=20 * SECOND)
    assert alone.scores().get("fused").count == pytest.approx(401)
    assert crowded.scores().get("fused").count == pytest.approx(1 + 400 / 20)
    gaps = [call(ts * SECOND) for ts in (1, 2, 100, 100, 99)]  # the last two bring nothing new
    assert fed(gaps, [1] * 5, horizon_ns=20 * SECOND).scores().get("fused").count == pytest.approx(1 + 1 / 20 + 1)


def test_flat_outcomes_and_calls_without_probabilities():
    card = Scorecard()
    card.observe(call(), 0)
    fused = card.scores().get("fused")
    assert (fused.count, fused.moves) == (1.0, 0.0)
    before = card.snapshot()
    card.observe(call(probabilities=[math.nan] * 3), 1)
    card.observe(call(2 * SECOND), 1, math.nan)
    assert card.snapshot() == before


def test_by_regime_and_by_horizon():
    card = Scorecard(1e18)
    for i, name in enumerate(["trending_up", "trending_up", "quiet"]):
        code = list(RegimeName).index(RegimeName(name))
        card.observe(call((i + 1) * SECOND, regime__name=code), 1)
        card.observe(call((i + 1) * SECOND, regime__name=code), -1, horizon=1)
    scores = card.scores()
    assert {name: s.count for name, s in scores.by_regime.items()} == pytest.approx({"trending_up": 2, "quiet": 1})
    assert {factor: s.hit_rate for factor, s in scores.by_horizon.items()} == {0.25: 0.0, 1: 1.0}
    assert scores.get("fused").count == pytest.approx(3)  # other horizons do not come into the record that decides


# --- recalibration ------------------------------------------------------------------------------------


def test_slope_is_logistic_regression_with_a_prior():
    made, outcomes = calls(3000, truth=lambda c: 0.5 + 0.4 * (c - 0.5))
    scores = fed(made, outcomes).scores()
    bins = scores.reliability(raw=True)
    n, hits = (np.array([b[i] for b in bins]) for i in (2, 4))
    x, hits = special.logit([b.stated for b in bins]), n * hits

    def loss(s):
        return -(hits * special.log_expit(s * x) + (n - hits) * special.log_expit(-s * x)).sum() + (s - 1) ** 2 / 0.5

    best = optimize.minimize_scalar(loss, bounds=(0.02, 3), method="bounded", options={"xatol": 1e-10}).x
    assert scores.track()["slope"] == pytest.approx(best, abs=1e-6)
    for confidence in (0.5, 0.55, 0.7, 0.9):
        assert scores.calibrated(confidence) == pytest.approx(special.expit(best * special.logit(confidence)), abs=1e-6)
    assert best == pytest.approx(0.4, abs=0.1)


def test_an_honest_forecaster_is_left_alone_and_an_empty_record_changes_nothing():
    assert Scores().calibrated(0.7) == 0.7
    assert fed(*calls(3000)).scores().track()["slope"] == pytest.approx(1, abs=0.1)


def test_recalibration_mends_both_boasters_and_the_modest():
    for truth in (lambda c: 0.5 + 0.3 * (c - 0.5), lambda c: np.minimum(0.5 + 2 * (c - 0.5), 1.0)):
        made, outcomes = calls(2000, 3, truth)
        scores = fed(made[:1000], outcomes[:1000]).scores()
        sure = np.array([d.confidence for d in made[1000:]])
        right = np.array([d.lean == o for d, o in zip(made, outcomes, strict=True)])[1000:]
        mended = np.array([scores.calibrated(c) for c in sure])
        assert abs(mended.mean() - right.mean()) < 0.04 < abs(sure.mean() - right.mean())
        assert ((mended - right) ** 2).mean() < ((sure - right) ** 2).mean()


def test_slope_never_turns_a_forecaster_round_nor_silences_it():
    scores = fed(*calls(3000, truth=lambda c: 1 - c)).scores()
    assert scores.track()["slope"] == pytest.approx(0.02)
    assert 0.5 < scores.calibrated(0.9) < 0.53


def test_confidence_in_decide_is_the_recalibrated_one():
    features = sc.FeatureSet(["rsi_14"])
    context = sc.decide.Context(
        inputs=sc.decide.Inputs(features.columns),
        ts=SECOND,
        as_of=SECOND,
        price=100.0,
        calibrated=frozenset({"sequence"}),
    )
    boast = fed(*calls(2000, truth=lambda c: 0.5 + 0.3 * (c - 0.5))).scores()
    row = np.full(1, np.nan)
    plain, shrunk = (sc.decide(row, (0.1, 0.1, 0.8), card, context=context) for card in (None, boast))
    assert plain.confidence == plain.raw_confidence
    assert shrunk.confidence == pytest.approx(boast.calibrated(shrunk.raw_confidence))
    assert shrunk.confidence < shrunk.raw_confidence
    assert shrunk.score == sum(shrunk.contributions.values())


# --- sources ------------------------------------------------------------------------------------------


def by_source(tilt_of, n=1500, seed=5):
    """A card after ``n`` calls; ``tilt_of(rng, came)``: what the four sources said."""
    rng = np.random.default_rng(seed)
    card = Scorecard()
    for i in range(n):
        came = int(rng.choice([-1, 1]))
        card.observe(call((i + 1) * SECOND, flat=0.0, tilts=tilt_of(rng, came)), came, 0.001 * came)
    return card


def side(rng, came, hit_rate):
    return came if rng.random() < hit_rate else -came


def test_an_overconfident_source_loses_weight_to_an_honest_one():
    card = by_source(lambda rng, came: (0.9 * side(rng, came, 0.51), 0.2 * side(rng, came, 0.6), 0.01, 0.01))
    weights = card.weights(dict(zip(SOURCES, WEIGHTS, strict=True)))
    assert weights["sequence"] < 0.5 * 0.4
    assert weights["ensemble"] > 1.5 * 0.3
    assert sum(weights.values()) == pytest.approx(1)


def test_a_coin_flip_ends_near_no_weight_and_can_come_back():
    def flips(rng, came):
        return 0.5 * side(rng, came, 0.5), 0.2 * side(rng, came, 0.6), 0.1, 0.1

    base = dict(zip(SOURCES, WEIGHTS, strict=True))
    found = [by_source(flips, 3000, seed).weights(base)["sequence"] for seed in range(5)]
    assert np.mean(found) < 0.25 * 0.4
    worst = Score(500, 500, 0.3, 0.7)
    assert 0 < worst.multiplier < 0.25
    assert Score(500, 500, 0.7, 0.7).multiplier > 2
    assert Score().multiplier == 1
    # A vote that was always wrong still leans: or its record would end with it.
    assert _core._tally_believed(500, 500, 0, 300, 100, 0.1)[3] == pytest.approx(0.01)


def test_what_a_source_said_is_read_back_from_its_part():
    said = np.array([0.5, -0.3, np.nan, 0.1])
    card = Scorecard(1e18)
    card.observe(call(flat=0.2, tilts=said), 1)
    scores = card.scores()
    move = 0.8
    for name, tilt in zip(SOURCES, said, strict=True):
        s = scores.get(name)
        if math.isnan(tilt):
            assert s.count == 0
            continue
        p = np.array([(move - tilt) / 2, 1 - move, (move + tilt) / 2])
        assert s.brier == pytest.approx(((p - [0, 0, 1]) ** 2).sum())
        assert s.confidence == pytest.approx(p[[0, 2]].max() / move)
        assert s.hit_rate == float(tilt > 0)


def test_recalibration_is_not_held_against_the_sources():
    """Confidence was halved, parts with it; each source is judged by what it said itself."""
    said, halved = call(flat=0.0, tilts=np.full(4, 0.6)), call(flat=0.0, tilts=np.full(4, 0.3), raw=0.8)
    one, other = fed([said], [1]).scores(), fed([halved], [1]).scores()
    for name in SOURCES:
        assert other.get(name).confidence == pytest.approx(one.get(name).confidence) == pytest.approx(0.8)
    assert other.get("fused").confidence == pytest.approx(0.65)


def test_attribution_sums_to_what_the_fused_score_earned():
    rng = np.random.default_rng(3)
    card, earned = Scorecard(1e15), 0.0
    for i in range(200):
        d, move = call((i + 1) * SECOND, tilts=rng.uniform(-0.4, 0.4, 4)), float(rng.normal(0, 0.002))
        card.observe(d, int(np.sign(move)), move)
        earned += d.score * move * 1e4
    added = card.scores().attribution
    assert sum(added.values()) == pytest.approx(earned, rel=1e-9)
    assert tuple(added) == SOURCES


# --- VaR ----------------------------------------------------------------------------------------------


def likelihood_ratio(n, x, p):
    """Kupiec's, by the binomial likelihoods themselves."""
    return 2 * (stats.binom.logpmf(x, n, x / n) - stats.binom.logpmf(x, n, p))


@pytest.mark.parametrize(
    ("n", "x", "p"), [(250, 4, 0.01), (1000, 51, 0.05), (500, 0, 0.01), (20, 20, 0.05), (100, 12, 0.05)]
)
def test_kupiec_against_scipy(n, x, p):
    found, _ = _core._breach_tests(n, x, [0, 0, 0, 0], p)
    assert found == pytest.approx(stats.chi2.sf(likelihood_ratio(n, x, p), 1), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("pairs", [(900, 40, 40, 10), (100, 5, 5, 0), (50, 0, 0, 0), (0, 0, 0, 9), (10, 1, 0, 0)])
def test_christoffersen_against_scipy(pairs):
    stay, into, out, again = pairs
    rate = (into + again) / sum(pairs)

    def ll(a, b, p):
        return special.xlogy(a, 1 - p) + special.xlogy(b, p)

    first, second = into / max(stay + into, 1), again / max(out + again, 1)
    ratio = 2 * (ll(stay, into, first) + ll(out, again, second) - ll(stay + out, into + again, rate))
    _, found = _core._breach_tests(sum(pairs), into + again, list(pairs), 0.05)
    assert found == pytest.approx(stats.chi2.sf(max(ratio, 0), 1), rel=1e-9)


def losses(n, scale=1.0, seed=2, horizon=SECOND, every=SECOND):
    """A card after ``n`` normal returns against a VaR of ``scale`` times the true one."""
    rng = np.random.default_rng(seed)
    z = stats.norm.ppf([0.95, 0.99]) * 0.01 * scale
    card = Scorecard()
    for i, change in enumerate(rng.normal(0, 0.01, n)):
        d = call((i + 1) * every, 0.2 * rng.choice([-1, 1]), risk__var_95=z[0], risk__var_99=z[1])
        card.loss(d, float(change), horizon)
    return card


def test_breaches_are_counted_on_the_side_leant_to():
    card = Scorecard()
    for i, (score, change) in enumerate([(0.2, -0.03), (0.2, 0.03), (-0.2, 0.03), (-0.2, -0.03), (0.2, -0.015)]):
        card.loss(call((i + 1) * SECOND, score, risk__var_95=0.01, risk__var_99=0.02), change, SECOND)
    found = card.scores().coverage
    assert (found["var_95"].calls, found["var_95"].breaches) == (5, 3)
    assert (found["var_99"].calls, found["var_99"].breaches) == (5, 2)


def test_overlapping_horizons_are_not_counted_twice():
    assert losses(100, horizon=20 * SECOND).scores().coverage["var_95"].calls == 5
    assert losses(100, horizon=SECOND).scores().coverage["var_95"].calls == 100


def test_an_honest_var_is_left_alone():
    rejected = [
        min(losses(500, 1.0, seed).scores().track()[f"var_{n}_p"] for n in (95, 99)) < 0.01 for seed in range(40)
    ]
    assert np.mean(rejected) < 0.1
    assert losses(500).scores().track()["caution"] == 1


def test_a_var_half_too_small_is_flagged_and_doubled():
    scores = losses(500, 0.5).scores()
    coverage, track = scores.coverage["var_95"], scores.track()
    assert coverage.breaches > 2 * coverage.expected
    assert coverage.kupiec_p < 1e-6
    assert track["var_95_p"] == coverage.kupiec_p
    assert 1.6 < track["caution"] < 2.4


@pytest.mark.parametrize("scale", [0.5, 0.7])
def test_a_var_that_is_widened_comes_to_its_level_and_stays_wide(scale):
    """Each VaR multiplied by the caution of the record so far, as decide() does it."""
    rng = np.random.default_rng(2)
    card, z, caution, breaches = Scorecard(), stats.norm.ppf([0.95, 0.99]) * 0.01 * scale, 1.0, []
    for i, change in enumerate(rng.normal(0, 0.01, 4000)):
        side = -1 if i % 2 else 1
        var = side * -np.expm1(-side * z * caution)  # of logs
        d = call((i + 1) * SECOND, 0.2 * side, risk__var_95=var[0], risk__var_99=var[1], track__caution=caution)
        card.loss(d, float(np.expm1(change)), SECOND)
        breaches.append(-side * change > z[0] * caution)
        caution = card.scores().track()["caution"]
    assert np.mean(breaches[1000:]) == pytest.approx(0.05, abs=0.012)
    assert caution == pytest.approx(1 / scale, rel=0.08)
    assert card.scores().coverage["var_95"].breaches == sum(breaches)


def test_a_poor_record_shrinks_the_size():
    """Through decide() itself: VaR is multiplied, confidence and what is believed of it fall, the size with them."""
    names = [
        "fhs_500_sigma",
        *(f"fhs{side}_500_{m}{q}" for side in ("", "_short") for m in ("var", "es") for q in (95, 99)),
    ]
    features = sc.FeatureSet(names)
    row = np.array([0.001 if n.endswith("sigma") else 0.003 if "99" in n else 0.002 for n in features.columns])
    context = sc.decide.Context(
        inputs=sc.decide.Inputs(features.columns),
        ts=SECOND,
        as_of=SECOND,
        price=100.0,
        calibrated=frozenset({"sequence"}),
    )
    policy = Policy(
        max_var=0.001, fee_bps=0.0, spread_bps=0.0, min_quality=0.0, kelly_multiplier=1.0, max_position=10.0
    )
    good, unlucky = (
        sc.decide(row, (0.05, 0.05, 0.9), c, policy, context=context) for c in (None, losses(500, 0.5).scores())
    )
    assert unlucky.risk.var_99 > 1.5 * good.risk.var_99
    assert good.risk.bound == unlucky.risk.bound == "var"
    assert unlucky.risk.risk_adjusted_position_size < good.risk.risk_adjusted_position_size / 1.5
    said = [r.text for r in unlucky.reasons if r.gate == "size"]
    assert "VaR widened" in said[0]
    boast = fed(*calls(2000, truth=lambda c: 0.5 + 0.1 * (c - 0.5))).scores()
    liar = sc.decide(row, (0.05, 0.05, 0.9), boast, policy, context=context)
    assert liar.confidence < good.confidence
    assert (liar.risk.kelly_fraction or 0.0) < 0.5 * good.risk.kelly_fraction


# --- slippage and regimes ---------------------------------------------------------------------------------


def test_coverage_of_slippage_and_a_tolerance_that_learns():
    rng = np.random.default_rng(4)
    card, scale, covered = Scorecard(1e18), 0.0, []
    for i in range(4000):
        told = math.exp(scale)  # the tolerance as it is widened by what was learned; the true quantile is at 2
        real = float(rng.exponential(2 / math.log(10)))
        card.slippage(
            call(
                (i + 1) * SECOND,
                execution__slippage_bps=0.5,
                execution__slippage_tolerance_bps=told,
                execution__quantile=0.9,
            ),
            real,
        )
        covered.append(real <= told)
        scale = float(np.frombuffer(card.snapshot(), _core.SCORECARD)["slippage_scale"][0])
    found = card.scores().slippage
    assert (found.calls, found.coverage) == pytest.approx((4000, np.mean(covered)))
    assert np.mean(covered[500:]) == pytest.approx(0.9, abs=0.02)
    assert math.exp(scale) == pytest.approx(2, rel=0.4)


def test_the_chance_of_a_switch_learns_how_often_they_come():
    rng = np.random.default_rng(6)
    card = Scorecard(1e18)
    told, came, name = [], [], 0
    for _ in range(6000):
        raw = float(rng.uniform(0.2, 0.6))  # far too often
        shift = float(np.frombuffer(card.snapshot(), _core.SCORECARD)["regime_shift"][0])
        stated = float(special.expit(special.logit(raw) + shift))
        after = (name + 1) % 7 if rng.random() < raw / 10 else name
        card.regime(call(regime__name=name, regime__switch_probability=stated), call(regime__name=after))
        told.append(stated)
        came.append(after != name)
        name = after
    assert np.mean(told[1000:]) == pytest.approx(np.mean(came[1000:]), rel=0.1)
    assert card.scores().switches.brier < 0.06

    features = sc.FeatureSet([n for n, _, _ in _core.COLUMNS["regime"] if n.startswith("market_regime")])
    row = np.array([{"_name": 4.0, "_age": 9.0, "_switch": 0.4}.get(n[13:], 1 / 7) for n in features.columns])
    context = sc.decide.Context(inputs=sc.decide.Inputs(features.columns), ts=SECOND, as_of=SECOND, price=100.0)
    plain, learned = (sc.decide(row, None, c, context=context).regime for c in (None, card.scores()))
    assert plain.switch_probability == 0.4
    shift = float(np.frombuffer(card.snapshot(), _core.SCORECARD)["regime_shift"][0])
    assert learned.switch_probability == pytest.approx(special.expit(special.logit(0.4) + shift))


def test_switches_of_regime_are_scored():
    card = Scorecard(1e18)
    names = [0, 0, 0, 3, 3, 7, 3]  # the unknown one teaches nothing
    made = [
        call(regime__name=n, regime__switch_probability=p)
        for n, p in zip(names, [0.1, 0.2, 0.6, 0.1, 0.1, 0.1, 0.1], strict=True)
    ]
    for before, after in itertools.pairwise(made):
        card.regime(before, after)
    found = card.scores().switches
    assert found.calls == pytest.approx(4)
    assert found.brier == pytest.approx((0.1**2 + 0.2**2 + 0.4**2 + 0.1**2) / 4)
    assert (found.stayed, found.said) == pytest.approx((3 / 4, (0.9 + 0.8 + 0.4 + 0.9) / 4))


# --- laws -------------------------------------------------------------------------------------------------


def test_a_snapshot_is_the_bytes_and_goes_on_to_the_last_bit():
    made, outcomes = calls(200)
    whole = fed(made, outcomes, 50)
    half = fed(made[:100], outcomes[:100], 50)
    for again in (Scorecard.restore(half.snapshot()), pickle.loads(pickle.dumps(half))):
        assert again == half and again.scores() == half.scores()
        for d, o in zip(made[100:], outcomes[100:], strict=True):
            again.observe(d, o, 0.001 * o)
        assert again == whole and again.snapshot() == whole.snapshot()
    with pytest.raises(ValueError, match="not one SCORECARD"):
        Scorecard.restore(b"short")


def test_scores_are_frozen_and_hash_by_their_bytes():
    card = fed(*calls(20))
    scores = card.scores()
    before = scores.to_dict()
    card.observe(call(100 * SECOND), 1)
    assert scores.to_dict() == before
    assert scores == Scores(scores.raw) == pickle.loads(pickle.dumps(scores))
    assert len({scores, Scores(scores.raw)}) == 1
    with pytest.raises(AttributeError, match="frozen"):
        scores.raw = b""
    json.dumps(before, allow_nan=False)
    assert "fused" in str(scores) and "Kupiec" in str(scores)


def test_memory_of_others_is_worked_on_in_place():
    memory = np.zeros(1, _core.SCORECARD)
    card = Scorecard(memory=memory)
    card.observe(call(), 1)
    assert memory["calls"][0] == 1 and card.half_life == _core.HALF_LIFE
    with pytest.raises(ValueError, match="memory"):
        Scorecard(memory=np.zeros(2, _core.SCORECARD))


finite = st.floats(-1e300, 1e300)
anything = st.floats()


@given(
    st.lists(
        st.tuples(anything, anything, anything, anything, st.integers(-(2**62), 2**62), st.sampled_from([-1, 0, 1])),
        max_size=12,
    )
)
def test_whatever_a_decision_holds_the_record_stays_believable(cases):
    card = Scorecard()
    for score, flat, raw, var, ts, outcome in cases:
        record = np.zeros(1, _core.DECISION)
        d = record[0]
        d["ts"], d["score"], d["confidence"], d["raw_confidence"] = ts, score, raw, raw
        d["probabilities"] = [(1 - flat - score) / 2, flat, (1 - flat + score) / 2]
        d["contributions"], d["weights"] = score, flat
        d["risk"]["var_95"] = d["risk"]["var_99"] = var
        d["regime"]["name"] = abs(ts) % 256
        decision = Decision(record.tobytes())
        card.observe(decision, outcome, score, abs(ts) % 10**12)
        card.loss(decision, raw, abs(ts) % 10**12)
        card.slippage(decision, score)
        card.regime(decision, decision)
    scores = card.scores()
    track = scores.track()
    assert 0 <= track["reliability"] <= 1 and 0.02 <= track["slope"] <= 3 and 1 <= track["caution"] <= 3
    assert all(0.5 <= scores.calibrated(c) <= 1 for c in (0.5, 0.6, 0.99, 1.0))
    assert all(0 < s.multiplier <= 3 and 0 <= s.hit_rate <= 1 for _, s in scores.by_source)
    weights = scores.weights(Policy().parts)
    assert sum(weights.values()) == pytest.approx(1) and min(weights.values()) >= 0


@given(
    st.lists(st.tuples(st.floats(-0.9, 0.9), st.sampled_from([-1, 0, 1])), min_size=2, max_size=30), st.integers(1, 29)
)
def test_the_record_of_a_prefix_is_that_of_the_whole_at_that_time(cases, cut):
    made = [call((i + 1) * SECOND, tilts=np.full(4, s)) for i, (s, _) in enumerate(cases)]
    outcomes = [o for _, o in cases]
    part, whole = fed(made[:cut], outcomes[:cut], 20, 3 * SECOND), Scorecard(20)
    seen = None
    for i, (d, o) in enumerate(zip(made, outcomes, strict=True)):
        if i == cut:
            seen = whole.snapshot()
        whole.observe(d, o, 0.001 * o, 3 * SECOND)
    assert part.snapshot() == (seen or whole.snapshot())


@pytest.mark.parametrize(("bad", "word"), [
    (lambda c: c.update("nobody", (0.2, 0.2, 0.6), 1), "source"),
    (lambda c: c.update("fused", (0.2, 0.2, 0.2), 1), "forecast"),
    (lambda c: c.update("fused", (0.2, 0.2, 0.6), 2), "outcome"),
    (lambda c: c.update("fused", (0.2, 0.2, 0.6), 1, 0.0), "weight"),
    (lambda c: c.observe(call(), 5), "outcome"),
    (lambda _: Scorecard(0.0), "half_life"),
])  # fmt: skip
def test_nonsense_is_refused_by_name(bad, word):
    card = Scorecard()
    before = card.snapshot()
    with pytest.raises(ValueError, match=word):
        bad(card)
    assert card.snapshot() == before


# --- the table of it (bench/reliability.py) --------------------------------------------------------------


@pytest.fixture(scope="module")
def table():
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench"))
    try:
        yield pytest.importorskip("reliability")
    finally:
        sys.path.pop(0)


def test_the_tables_error_is_that_of_all_tables(table):
    from smartcore.learn.evaluate.scores import expected_calibration_error

    rng = np.random.default_rng(1)
    confidence = rng.uniform(0.5, 0.9, 3000)
    hit = rng.random(3000) < 0.6
    prob = np.stack([1 - confidence, confidence], axis=1)
    found = table.error(confidence, hit, table.bins_of(confidence))
    assert found == pytest.approx(expected_calibration_error(prob, hit.astype(int)))


def test_the_tables_floor_covers_an_honest_forecaster_and_no_other(table):
    below = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        slot = np.repeat(np.arange(150), 10)
        confidence = np.clip(np.repeat(rng.uniform(0.5, 0.8, 150), 10) + rng.normal(0, 0.02, 1500), 0.5, 0.85)
        up = np.repeat(rng.random(150) < 0.5, 10)
        went = rng.random(150)[slot] < np.where(up, confidence, 1 - confidence)
        honest = table.Calls(confidence, confidence, went == up, up, slot, 1500)
        mean, high = table.floor(honest, confidence, rng)
        bins = table.bins_of(confidence)
        assert 0 < mean < high
        below.append(table.error(confidence, honest.hit, bins) <= high)
        assert table.error(np.full(1500, 0.95), honest.hit, bins) > high
        low, top = table.interval(honest, confidence, rng)
        assert low < top
    assert sum(below) >= 8


def test_scores_are_played_back_to_their_own_rows_alone(table):
    one = table.SETS["daily"]
    width = len(table.columns_of(one))
    rows = np.random.default_rng(0).normal(size=(9, width)).astype(np.float32)
    model = table.Playback("lightgbm", one, np.arange(27.0).reshape(9, 3), rows, 0.01)
    model.bind(sc.FeatureSet(list(table.columns_of(one))))
    assert model.step(rows[0].astype(float)).tolist() == [0, 1, 2]
    assert model.step(rows[2].astype(float)).tolist() == [6, 7, 8]
    with pytest.raises(ValueError, match="row 3 is not the one"):
        model.step(rows[1].astype(float))


# --- in a bot ---------------------------------------------------------------------------------------------


class Says:
    """A model that always says up."""

    missing, ready = 0, True

    def __init__(self, horizon="5s"):
        self.contract = Contract(
            name="says", kind="gru", columns=("rsi_14",), fingerprint=sc.FeatureSet(["rsi_14"]).fingerprint,
            sample="bar", bars=None, horizon=horizon, label="up or down", calibration={"method": "temperature"},
        )  # fmt: skip

    def bind(self, features):
        return self

    def fork(self):
        return self

    def step(self, row):
        return np.array([0.3, 0.1, 0.6])


def test_where_nothing_came_since_the_call_nothing_is_learned():
    """Of a Friday's call nothing is known on Saturday: that the price stood still would be news that was not there."""
    day = 86_400 * SECOND
    days = np.array([i for i in range(700, 770) if i % 7 < 5])
    close = 100 * np.exp(np.cumsum(np.random.default_rng(2).normal(0, 0.01, len(days))))
    bot = sc.Orchestrator(
        sc.Engine(["rsi_14"], instrument="DAYS"), Says("1d"), policy=Policy(every="bar", horizon=1, max_age_s=1e9)
    )
    for _ in bot.run(bars(day * days, close, close, close, close, np.ones(len(days)))):
        pass
    asked = np.frombuffer(bot.scorecard.snapshot(), _core.SCORECARD)["calls"][0]
    assert asked == sum(d % 7 < 4 and d + 1 < days[-1] for d in days)
    moves = bot.scorecard.scores().get("fused")
    assert moves.moves == pytest.approx(moves.count)  # none was flat


def test_running_scores_of_the_bots_of_this_process():
    rng = np.random.default_rng(8)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, 120)))
    market = bars(SECOND * np.arange(1000, 1120), close, close, close, close, np.ones(120))
    policy = Policy(every="bar", horizon=5)
    bot = sc.Orchestrator(sc.Engine(["rsi_14"], instrument="SCORED"), Says(), policy=policy)
    twin = sc.Orchestrator(sc.Engine([], instrument="SCORED"), policy=policy)
    decisions = list(bot.run(market))
    found = sc.scorecard()
    assert isinstance(found, Scorecards)
    assert {"SCORED", "SCORED 2"} <= set(found)
    assert found["SCORED"] == bot.scorecard.scores() and found["SCORED"].get("fused").count > 0
    assert "SCORED" in str(found)
    json.dumps(found.to_dict(), allow_nan=False)
    # A decision knows no outcome before its time: nothing is scored until the first horizon is over.
    late = [d.ts for d in decisions if d.track.calls]
    assert late and min(late) > decisions[0].ts + 5 * SECOND
    del bot, twin
    with pytest.raises(KeyError, match="no bot of 'NOBODY'"):
        sc.scorecard()["NOBODY"]
