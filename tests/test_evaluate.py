"""Scores, floors, splits, intervals, overfitting and costs: held to scikit-learn, SciPy, arch, skfolio, purgedcv, to
brute force, and to figures printed in the papers."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import warnings
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import MORE
from hypothesis import given, settings
from hypothesis import strategies as st

from smartcore.kernels import labels
from smartcore.learn import evaluate
from smartcore.learn.evaluate import bootstrap

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "smartcore"
SECOND = 1_000_000_000


@pytest.fixture(params=[2, 3])
def judged(request):
    """Probabilities that are true, and what came of them."""
    rng = np.random.default_rng(3)
    prob = rng.dirichlet([1] * request.param, 3000)
    return prob, (prob.cumsum(1) < rng.random((3000, 1))).sum(1)


# --- scores ---------------------------------------------------------------------------------------


def test_scores_are_those_of_sklearn_and_scipy(judged):
    metrics = pytest.importorskip("sklearn.metrics", reason="the oracle is scikit-learn, part of [test]")
    stats = pytest.importorskip("scipy.stats", reason="the oracle is SciPy, part of [test]")
    prob, label = judged
    guess = prob.argmax(1)
    returns = np.round(label + np.random.default_rng(0).normal(size=len(label)), 1)  # rounded: with ties
    s = evaluate.scores(prob, label, returns)
    signal = prob[:, -1] - prob[:, 0]
    assert s == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(label, guess),
            "balanced_accuracy": metrics.balanced_accuracy_score(label, guess),
            "macro_f1": metrics.f1_score(label, guess, average="macro"),
            "weighted_f1": metrics.f1_score(label, guess, average="weighted"),
            "mcc": metrics.matthews_corrcoef(label, guess),
            "log_loss": metrics.log_loss(label, prob),
            "brier": ((prob - np.eye(prob.shape[1])[label]) ** 2).sum(1).mean(),
            "ece": s["ece"],
            "ic": stats.pearsonr(signal, returns)[0],
            "rank_ic": stats.spearmanr(signal, returns)[0],
        }
    )
    np.testing.assert_array_equal(evaluate.confusion(prob, label), metrics.confusion_matrix(label, guess))


def test_a_class_that_is_missing_counts_as_in_sklearn():
    metrics = pytest.importorskip("sklearn.metrics", reason="the oracle is scikit-learn, part of [test]")
    label, guess = np.array([0, 0, 1, 1, 1]), np.array([0, 2, 1, 1, 0])
    s = evaluate.scores(evaluate.certain(guess), label)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sklearn's, of a class that is guessed and never true
        assert s["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(label, guess))
    assert s["macro_f1"] == pytest.approx(metrics.f1_score(label, guess, average="macro", zero_division=0))
    assert s["mcc"] == pytest.approx(metrics.matthews_corrcoef(label, guess))


def test_rows_without_a_label_do_not_count(judged):
    prob, label = judged
    more = np.append(label, [-1, -1])
    assert evaluate.scores(np.vstack([prob, prob[:2]]), more) == evaluate.scores(prob, label)


def test_calibration_error_by_hand():
    """Four rows, two bins: confidences 0.6, 0.6 with one hit and 0.8, 1.0 with one."""
    prob = np.array([[0.6, 0.4], [0.4, 0.6], [0.8, 0.2], [0.0, 1.0]])
    assert evaluate.expected_calibration_error(prob, np.array([0, 0, 1, 1]), 2) == pytest.approx(0.5 * 0.1 + 0.5 * 0.4)


def test_calibration_error_does_not_hang_on_the_order_of_rows():
    """Hits that come in time order, and confidences that repeat: 0.6, of which 0.6 come true, and 0.9, of which 0.8."""
    p = np.repeat([0.6, 0.9], 500)
    label = np.concatenate([np.repeat([1, 0], [300, 200]), np.repeat([1, 0], [400, 100])])
    for order in (np.arange(1000), np.random.default_rng(0).permutation(1000)):
        prob = np.stack([1 - p, p], 1)[order]
        assert evaluate.expected_calibration_error(prob, label[order]) == pytest.approx(0.05)
        confidence, hit, count = evaluate.reliability(prob, label[order])
        assert (confidence, hit, count) == (pytest.approx([0.6, 0.9]), pytest.approx([0.6, 0.8]), pytest.approx(500))


def test_calibration_error_sees_overconfidence(judged):
    prob, label = judged
    sharp = prob**3 / (prob**3).sum(1, keepdims=True)
    assert evaluate.scores(prob, label)["ece"] < 0.06 < evaluate.scores(sharp, label)["ece"]


def test_constant_guess_scores_as_chance():
    s = evaluate.scores(np.tile([0.5, 0.3, 0.2], (99, 1)), np.arange(99) % 3)
    assert s["mcc"] == 0 and s["accuracy"] == pytest.approx(1 / 3) and s["macro_f1"] == pytest.approx(1 / 6)


def test_information_is_the_mean_over_days():
    rng = np.random.default_rng(0)
    signal, day = rng.normal(size=300), np.repeat(np.arange(30), 10)
    returns = signal + rng.normal(size=300)
    shuffle = rng.permutation(300)
    found = evaluate.information(signal[shuffle], returns[shuffle], day[shuffle])
    days = [(signal[day == d], returns[day == d]) for d in range(30)]
    daily = [np.corrcoef(s, r)[0, 1] for s, r in days]
    ranked = [np.corrcoef(s.argsort().argsort(), r.argsort().argsort())[0, 1] for s, r in days]
    assert found == pytest.approx((np.mean(daily), np.mean(ranked)))
    returns[0] = np.nan
    assert np.isfinite(evaluate.information(signal, returns)).all()
    assert np.isnan(evaluate.information(signal[:2], returns[:2])).all()


@pytest.mark.parametrize(
    ("prob", "label", "message"),
    [
        ([[0.5, 0.5]], [[1]], "expected"),
        ([[0.5, 0.5]], [-1], "no row has a label"),
        ([[0.5, 0.5]], [2], "a label of 2"),
        ([[2.0, -1.0]], [0], "sum to one"),
        ([[3.0, 1.0]], [0], "sum to one"),
        ([[math.nan, 1.0]], [0], "sum to one"),
    ],
)
def test_what_is_not_a_probability_is_refused(prob, label, message):
    with pytest.raises(ValueError, match=message):
        evaluate.scores(np.array(prob), np.array(label))


# --- floors ---------------------------------------------------------------------------------------


def test_floors_have_a_score_each():
    pytest.importorskip("sklearn", reason="the logistic floor is scikit-learn's, part of [test]")
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 300)
    imbalance = truth - 1 + rng.normal(0, 0.5, 300)
    found = evaluate.floors(truth, truth, truth, truth - 1.0, imbalance, imbalance)
    s = {name: evaluate.scores(prob, truth) for name, prob in found.items()}
    assert s["persistence"]["accuracy"] == s["last return"]["accuracy"] == 1
    assert s["logistic, imbalance l1"]["accuracy"] > 0.6 > s["majority"]["accuracy"]
    assert evaluate.table({"a": s["majority"], "b": evaluate.spread([s["majority"]] * 2)}).count("\n") == 3


def test_floors_of_two_classes():
    train, truth = np.array([1, 1, 0, -1]), np.array([0, 1, 1])
    found = evaluate.floors(train, truth, np.array([-1, 0, 1]), np.array([np.nan, -0.1, 0.2]), classes=2)
    np.testing.assert_allclose(found["majority"], [[1 / 3, 2 / 3]] * 3)
    assert found["last return"].argmax(1).tolist() == [1, 0, 1]  # no move: the majority
    assert found["persistence"].argmax(1).tolist() == [1, 0, 1]


@given(st.lists(st.integers(-1, 2), min_size=1, max_size=30), st.integers(1, 40), st.randoms(use_true_random=False))
@settings(deadline=None)
def test_persistence_repeats_the_last_label_that_is_over(label, horizon, random):
    label = np.array(label)
    ts = np.cumsum([random.choice([0, 1, 1, 3]) for _ in label])

    def said(clock, now):
        return next((label[j] for j in range(len(label))[::-1] if clock[j] + horizon <= now and label[j] >= 0), -1)

    assert evaluate.past_label(label, horizon, ts).tolist() == [said(ts, now) for now in ts]
    rows = range(len(label))
    assert evaluate.past_label(label, horizon).tolist() == [said(rows, now) for now in rows]


def test_floors_of_recordings_and_of_an_estimator():
    pytest.importorskip("sklearn", reason="the logistic floor is scikit-learn's, part of [test]")
    rng = np.random.default_rng(1)

    def series(n):
        label = np.column_stack([rng.integers(0, 3, n), rng.integers(0, 3, n)])
        rows = np.column_stack([rng.normal(size=n), label[:, 1] + rng.normal(0, 0.3, n)])
        return SimpleNamespace(
            ts=np.arange(n) * SECOND, rows=rows, mid=np.exp(rng.normal(0, 1e-3, n).cumsum()), label=label
        )

    class Oracle:
        name = "lightgbm"
        calibrations = (None, SimpleNamespace(prob=lambda z: np.exp(z) / np.exp(z).sum(1, keepdims=True)))
        fitted = False

        def fit(self, train, valid, seed=0):
            self.fitted = len(train) == 2 and len(valid) == 1 and seed == 3
            return self

        def logits(self, series):
            return np.concatenate([3.0 * np.eye(3)[s.label] for s in series])

    train, test = [series(80), series(50)], [series(60), series(40)]
    model = Oracle()
    found = evaluate.floors_of(
        train, test, 5 * SECOND, target=1, imbalance=1, estimators=[model], valid=[series(9)], seed=3
    )
    assert model.fitted and {p.shape for p in found.values()} == {(100, 3)}
    truth = np.concatenate([s.label[:, 1] for s in test])
    accuracy = {name: evaluate.scores(p, truth)["accuracy"] for name, p in found.items()}
    assert accuracy["lightgbm"] == 1 > accuracy["logistic, imbalance l1"] > 0.6
    np.testing.assert_array_equal(found["persistence"][60 + 5 :].argmax(1), test[1].label[:-5, 1])  # none across
    in_rows = evaluate.floors_of(train, test, 5, in_rows=True, target=1)
    np.testing.assert_array_equal(in_rows["persistence"], found["persistence"])


# --- the control ----------------------------------------------------------------------------------


class Linear:
    """An estimator by least squares on one-hot classes: enough to find whatever leaks."""

    calibration = SimpleNamespace(prob=lambda z: evaluate.certain(z.argmax(1)))

    @staticmethod
    def _inputs(series):
        rows = np.nan_to_num(np.concatenate([s.rows for s in series]))
        return np.column_stack([rows, np.ones(len(rows))])

    def fit(self, train, valid, seed=0):
        label = np.concatenate([s.label[:, 0] for s in train])
        x = self._inputs(train)[label >= 0].astype(float)
        self.weight = np.linalg.lstsq(x, np.eye(3)[label[label >= 0]], rcond=None)[0]
        return self

    def logits(self, series):
        return (self._inputs(series) @ self.weight)[:, None]


anchored = evaluate.recipe_of(Linear, lambda price: labels.fixed_rows(price, 10), 10)
smoothed = evaluate.recipe_of(Linear, lambda price: labels.smoothed_rows(price, 10), 10)
leaky = evaluate.recipe_of(Linear, lambda price: labels.leaky_smoothed_rows(price, 10), 10)


@pytest.mark.parametrize("recipe", [anchored, smoothed])
def test_an_honest_recipe_is_at_chance_on_a_random_walk(recipe):
    found = evaluate.random_walk_control(recipe, rows=6000, walks=4, horizon=10)
    assert found.at_chance
    assert found.mcc.low < 0 < found.mcc.high < 0.15 and found.beyond.low < 0 < found.beyond.high
    assert 0.28 < found.scores["accuracy"] < 0.39


def test_labels_of_forward_against_trailing_mean_are_learned_on_a_random_walk():
    """The trap: well over half of three classes (chance 33%) where there is nothing to know."""
    found = evaluate.random_walk_control(leaky, rows=6000, walks=4, horizon=10)
    assert not found.at_chance
    assert found.mcc.low > 0.2 and found.beyond.low > 0.1 and found.scores["accuracy"] > 0.5


def test_a_recipe_that_sees_the_future_is_not_at_chance():
    def peeks(ts, rows, price, seed):
        ahead = np.append(np.diff(np.log(price)), 0.0)[:, None] * 1e4
        return anchored(ts, np.hstack([rows, ahead]), price, seed)

    assert not evaluate.random_walk_control(peeks, rows=6000, walks=2, horizon=10).at_chance


def test_rows_of_the_walk_are_what_they_say():
    ts, rows, price = evaluate.random_walk(300, 5, volatility=0.01)
    path = np.log(price)
    column = rows.T
    assert ts[1] - ts[0] == SECOND and rows.shape == (300, 7)
    np.testing.assert_allclose(column[1][40], (path[40] - path[35]) / 0.01, rtol=1e-4)
    np.testing.assert_allclose(column[3][40], (path[40] - path[31:41].mean()) / 0.01, rtol=1e-4)
    np.testing.assert_allclose(column[5][40], np.sqrt((np.diff(path)[20:40] ** 2).mean()) / 0.01, rtol=1e-4)
    assert np.isnan(column[4][48]) and np.isfinite(column[4][49])


# --- splits ---------------------------------------------------------------------------------------


@st.composite
def spans(draw):
    """Times that may repeat, and label ends of any length."""
    n = draw(st.integers(12, 60))
    ts = np.cumsum(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)))
    ends = ts + np.array(draw(st.lists(st.integers(0, 12), min_size=n, max_size=n)))
    return ts, ends


def clean(split, ts, ends, embargo):
    """No pair of a training and a test row that overlap, or stand too close; all others are there."""
    meets = (ts[:, None] <= ends[split.test]) & (ends[:, None] >= ts[split.test])
    near = (ts[:, None] > ends[split.test]) & (ts[:, None] <= ends[split.test] + embargo)
    # A row after the test whose own time lies before the last label's end meets that label.
    allowed = ~(meets | near).any(1)
    allowed[split.test] = False
    return allowed


@given(spans(), st.integers(2, 6), st.integers(0, 8), st.data())
@settings(max_examples=60 * MORE, deadline=None)
def test_no_training_label_meets_a_test_label(given_spans, groups, embargo, data):
    ts, ends = given_spans
    groups = min(groups, len(np.unique(ts)))
    if groups < 2:
        return
    k = data.draw(st.integers(1, groups - 1))
    splits = list(evaluate.combinatorial(ts, ends, groups, k, embargo=embargo))
    assert [s.groups for s in splits] == list(combinations(range(groups), k))
    tested = np.zeros(len(ts), int)
    for split in splits:
        np.testing.assert_array_equal(split.train, np.flatnonzero(clean(split, ts, ends, embargo)))
        tested[split.test] += 1
    assert (tested == math.comb(groups - 1, k - 1)).all()


@given(spans(), st.integers(1, 4), st.integers(0, 8), st.none() | st.integers(1, 10))
@settings(max_examples=60 * MORE, deadline=None)
def test_walk_forward_trains_on_what_was_known_before(given_spans, folds, embargo, train):
    ts, ends = given_spans
    try:
        splits = list(evaluate.walk_forward(ts, ends, folds, train=train, embargo=embargo))
    except ValueError:
        return
    tests = np.concatenate([s.test for s in splits])
    np.testing.assert_array_equal(tests, np.arange(len(ts) - len(tests), len(ts)))  # they tile the end
    for s in splits:
        assert (ends[s.train] + embargo < ts[s.test[0]]).all()
        known = np.flatnonzero(ends + embargo < ts[s.test[0]])
        if train is None:
            np.testing.assert_array_equal(s.train, known)
        else:
            latest = np.unique(ts[known])[-train:]
            np.testing.assert_array_equal(s.train, known[np.isin(ts[known], latest)])


def test_walk_forward_by_days():
    ts, horizon = np.arange(40), 3
    splits = list(evaluate.walk_forward_at(ts, horizon, [20, 30, 40]))
    assert [(s.train[-1], s.test[0], s.test[-1]) for s in splits] == [(16, 20, 29), (26, 30, 39)]
    with pytest.raises(ValueError, match="fold 0"):
        list(evaluate.walk_forward_at(ts, horizon, [2, 10]))


def test_a_day_is_never_cut():
    ts = np.repeat(np.arange(10), 7)
    for s in evaluate.purged_kfold(ts, 1, 5):
        assert not set(ts[s.train]) & set(ts[s.test]) and len(s.test) == 14


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: evaluate.walk_forward(np.arange(10), 1, 5, test=2), "nothing to train on"),
        (lambda: evaluate.combinatorial(np.arange(10), 1, 4, 4), "4 groups to test"),
        (lambda: evaluate.purged_kfold(np.arange(3), 1, 4), "4 groups of 3 times"),
        (lambda: evaluate.purged_kfold(np.array([1, 0]), 1, 2), "must not decrease"),
        (lambda: evaluate.purged_kfold(np.arange(4), -1, 2), "before it begins"),
        (lambda: evaluate.purged_kfold(np.arange(4), np.arange(3), 2), "expected as many"),
    ],
)
def test_splits_that_make_no_sense_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        list(call())


@pytest.mark.parametrize("settings", [(6, 2, 0, 0), (6, 2, 3, 2), (5, 3, 1, 4), (10, 8, 2, 1)])
def test_combinatorial_is_that_of_skfolio(settings):
    """Equal where groups divide the rows evenly and a label reaches a fixed number of rows: its ``purged_size`` is our
    horizon. It differs in the rest: the last of its groups takes what is left over, and it knows rows, not times."""
    selection = pytest.importorskip("skfolio.model_selection", reason="the oracle is skfolio")
    groups, k, horizon, embargo = settings
    n = 20 * groups
    cv = selection.CombinatorialPurgedCV(groups, k, purged_size=horizon, embargo_size=embargo)
    ours = list(evaluate.combinatorial(np.arange(n), horizon, groups, k, embargo=embargo))
    theirs = list(cv.split(np.zeros((n, 1))))
    assert len(ours) == len(theirs)
    for split, (train, test) in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(split.train, train)
        np.testing.assert_array_equal(split.test, np.concatenate(test))
    np.testing.assert_array_equal(evaluate.paths(groups, k), cv.recombined_paths.T)


@pytest.mark.parametrize("rolling", [True, False])
def test_walk_forward_is_that_of_skfolio(rolling):
    """Equal where train + purge + whole tests fill the data: it lays them from the first row, ours from the last."""
    selection = pytest.importorskip("skfolio.model_selection", reason="the oracle is skfolio")
    train, horizon, test, folds = 30, 4, 7, 5
    n = train + horizon + folds * test
    cv = selection.WalkForward(test_size=test, train_size=train, purged_size=horizon, expand_train=not rolling)
    ours = evaluate.walk_forward(np.arange(n), horizon, folds, test=test, train=train if rolling else None)
    for split, (expected, tested) in zip(ours, cv.split(np.zeros((n, 1))), strict=True):
        np.testing.assert_array_equal(split.train, expected)
        np.testing.assert_array_equal(split.test, tested)


@given(st.integers(20, 60), st.integers(3, 6), st.integers(0, 6), st.integers(0, 2**32 - 1))
@settings(max_examples=25 * MORE, deadline=None)
def test_splits_are_those_of_purgedcv(n, groups, embargo, seed):
    """Equal but for the borders of spans: its are half open, ours closed, so its labels end a nanosecond later here,
    and its embargo, which begins at that end, is a nanosecond shorter. In walk-forward it has no use for an embargo."""
    purgedcv = pytest.importorskip("purgedcv", reason="the oracle is purgedcv")
    import pandas as pd

    rng = np.random.default_rng(seed)
    ts = 10 * np.cumsum(rng.integers(1, 4, n))
    ends, embargo = ts + 10 * rng.integers(0, 9, n), 10 * embargo
    times = {
        "prediction_times": pd.Series(pd.to_datetime(ts)),
        "evaluation_times": pd.Series(pd.to_datetime(ends + 1)),
    }
    after = {"embargo": pd.Timedelta(embargo - 1, "ns")} if embargo else {}
    x = np.zeros((n, 1))
    pairs = [
        (
            purgedcv.CombinatorialPurgedCV(groups, 2, **times, **after),
            evaluate.combinatorial(ts, ends, groups, 2, embargo=embargo),
        ),
        (purgedcv.PurgedKFold(groups, **times, **after), evaluate.purged_kfold(ts, ends, groups, embargo=embargo)),
    ]
    for theirs, ours in pairs:
        for split, (train, test) in zip(ours, theirs.split(x), strict=True):
            np.testing.assert_array_equal(split.test, test)
            np.testing.assert_array_equal(split.train, train)
    forward = purgedcv.WalkForwardSplit(2, 3, train_size=6, window="sliding", **times)
    for split, (train, test) in zip(evaluate.walk_forward(ts, ends, 2, test=3, train=6), forward.split(x), strict=True):
        np.testing.assert_array_equal(split.test, test)
        np.testing.assert_array_equal(split.train, train)


def test_paths_are_those_of_purgedcv():
    purgedcv = pytest.importorskip("purgedcv", reason="the oracle is purgedcv")
    n, groups, k = 23, 6, 3
    ts = np.arange(n)
    splits = list(evaluate.combinatorial(ts, 0, groups, k))
    said = [1000.0 * i + s.test for i, s in enumerate(splits)]
    found = evaluate.reconstruct(splits, said, ts)
    expected = purgedcv.reconstruct_paths(said, [s.test for s in splits], groups, k, n)
    np.testing.assert_array_equal(found, expected)
    assert found.shape == (math.comb(groups - 1, k - 1), n)
    both = evaluate.reconstruct(splits, [np.column_stack([p, -p]) for p in said], ts)  # of several numbers a row
    np.testing.assert_array_equal(both[..., 1], -found)
    with pytest.raises(ValueError, match="expected all 20"):
        evaluate.reconstruct(splits[1:], said[1:], ts)
    with pytest.raises(ValueError, match="split 0"):
        evaluate.reconstruct(splits, [said[0][1:], *said[1:]], ts)


# --- overfitting ----------------------------------------------------------------------------------


def test_deflated_sharpe_as_printed():
    """Bailey and López de Prado (2014), its numerical example (pp. 94-107): an annual Sharpe ratio of 2.5 over 1,250
    days of 250 a year, skew -3, kurtosis 10, variance of the trials' annual Sharpe ratios 1/2. After 100 trials the
    benchmark is 0.1132 a day and the probability 0.9004; after 46 it is 0.9505, as after 88 with normal returns."""
    found = evaluate.Moments(2.5 / math.sqrt(250), 1250, -3, 10)
    assert evaluate.expected_maximum_sharpe(100, 0.5 / 250) == pytest.approx(0.1132, abs=5e-5)
    for trials, moments, printed in (
        (100, found, 0.9004),
        (46, found, 0.9505),
        (88, evaluate.Moments(found.sharpe, 1250), 0.9505),
    ):
        benchmark = evaluate.expected_maximum_sharpe(trials, 0.5 / 250)
        assert evaluate.probabilistic_sharpe(moments, benchmark) == pytest.approx(printed, abs=5e-5)


def test_probabilistic_sharpe_as_printed():
    """Bailey and López de Prado (2012), the example of section 3 (of pp. 3-44): 24 months
    with a Sharpe ratio of 0.458, skew -2.448, kurtosis 10.164: 0.913, and 0.982 were they normal; and of the section
    on track record length: an annual 2 is told from 1 by 2.73 years of days, 2.83 of weeks, 3.24 of months."""
    assert evaluate.probabilistic_sharpe(evaluate.Moments(0.458, 24, -2.448, 10.164)) == pytest.approx(0.913, abs=5e-4)
    assert evaluate.probabilistic_sharpe(evaluate.Moments(0.458, 24)) == pytest.approx(0.982, abs=5e-4)
    for periods, years in ((250, 2.73), (52, 2.83), (12, 3.24)):
        m = evaluate.Moments(2 / math.sqrt(periods), 1)
        assert evaluate.minimum_track_record(m, 1 / math.sqrt(periods)) / periods == pytest.approx(years, abs=5e-3)
    assert evaluate.minimum_track_record(evaluate.Moments(0.1, 10), 0.1) == math.inf


def test_sharpe_statistics_are_those_of_purgedcv():
    """It divides by the population's deviation, we by the sample's: the rest is equal."""
    purgedcv = pytest.importorskip("purgedcv", reason="the oracle is purgedcv")
    returns = np.random.default_rng(4).standard_t(5, 400) * 0.01 + 0.0008
    ours = evaluate.Moments.of(returns)
    theirs = purgedcv.deflated_sharpe_ratio_full(returns, 20, 0.02**2)
    same = evaluate.Moments(ours.sharpe * math.sqrt(400 / 399), 400, ours.skew, ours.kurtosis)
    assert (same.sharpe, ours.skew, ours.kurtosis) == pytest.approx((theirs.observed_sr, theirs.skew, theirs.kurt))
    assert evaluate.expected_maximum_sharpe(20, 0.02**2) == pytest.approx(theirs.sr_star)
    assert evaluate.probabilistic_sharpe(same, theirs.sr_star) == pytest.approx(theirs.dsr)
    length = evaluate.minimum_track_record(same, 0.01, 0.9)
    assert math.ceil(length) == purgedcv.min_track_record_length(same.sharpe, 0.01, 0.1, same.skew, same.kurtosis)


def test_trials_deflate():
    rng = np.random.default_rng(0)
    tried = rng.normal(0, 0.01, (500, 200))
    ratios = evaluate.sharpe(tried)
    best = tried[:, ratios.argmax()]
    assert evaluate.probabilistic_sharpe(best) > 0.99  # the best of 200 worthless ones, if nobody counts
    assert 0.05 < evaluate.deflated_sharpe(best, ratios) < 0.95
    assert evaluate.deflated_sharpe(best, ratios[:1]) == evaluate.probabilistic_sharpe(best)
    # What is expected of the best is what is seen, over many searches.
    seen = evaluate.sharpe(rng.normal(size=(100, 400, 50)).reshape(100, -1)).reshape(400, 50)
    expected = evaluate.expected_maximum_sharpe(50, seen.var())
    assert seen.max(1).mean() == pytest.approx(expected, rel=0.03)
    with pytest.raises(ValueError, match="trials"):
        evaluate.deflated_sharpe(best, np.array([]))


@pytest.mark.parametrize("blocks", [2, 6, 8])
def test_pbo_is_that_of_purgedcv(blocks):
    purgedcv = pytest.importorskip("purgedcv", reason="the oracle is purgedcv")
    returns = np.random.default_rng(blocks).normal(0.01, 1, (101, 12)) * np.linspace(0.5, 2, 12)
    ours, theirs = evaluate.pbo(returns, blocks), purgedcv.probability_of_backtest_overfitting(returns.T, blocks)
    # It counts through the halves kept, we through the halves seen.
    np.testing.assert_allclose(ours.logits, theirs.logits[::-1])
    np.testing.assert_allclose(ours.scores, theirs.is_oos_performance[::-1], rtol=1e-9)
    assert (ours.pbo, ours.slope) == pytest.approx((theirs.pbo, theirs.slope))
    by_rows = evaluate.pbo(returns, blocks, evaluate.sharpe)
    np.testing.assert_allclose(by_rows.scores, ours.scores, rtol=1e-9)


def test_pbo_tells_luck_from_skill():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 1, (800, 20))
    skilled = noise.copy()
    skilled[:, 3] += 0.3
    assert evaluate.pbo(skilled, 10).pbo < 0.01 and evaluate.pbo(skilled, 10).loss < 0.01
    # Whoever shines in one half fails in the other: the sum of each is nothing.
    swing = np.zeros((800, 20))
    for j in range(20):
        swing[:, j] = np.where(np.arange(800) < 400, 1, -1) * (j - 9.5) / 10
    assert evaluate.pbo(swing + 0.1 * noise, 2).pbo == 1
    same = np.repeat(noise[:, :1], 3, axis=1)
    assert evaluate.pbo(same, 4).pbo == 0.5  # at the median: half
    # Among equals it is one half, on average over searches.
    assert np.mean([evaluate.pbo(rng.normal(size=(160, 9)), 8).pbo for _ in range(60)]) == pytest.approx(0.5, abs=0.08)
    with pytest.raises(ValueError, match="even number"):
        evaluate.pbo(noise, 7)


# --- intervals ------------------------------------------------------------------------------------


def ar1(n, keep, rng):
    e = rng.normal(size=n + 50)
    for i in range(1, len(e)):
        e[i] += keep * e[i - 1]
    return e[50:]


@pytest.mark.parametrize("n", [60, 500, 3000])
@pytest.mark.parametrize("keep", [-0.4, 0.0, 0.6, 0.95])
def test_block_length_is_that_of_arch(n, keep):
    """But never below one row."""
    arch = pytest.importorskip("arch.bootstrap", reason="the oracle is arch, part of [test]")
    x = ar1(n, keep, np.random.default_rng(n))
    expected = arch.optimal_block_length(x)
    assert evaluate.block_length(x) == pytest.approx(max(expected["stationary"].iloc[0], 1))
    assert evaluate.block_length(x, "circular") == pytest.approx(max(expected["circular"].iloc[0], 1))


@pytest.mark.parametrize("kind", bootstrap.KINDS)
def test_blocks_are_blocks(kind):
    rng = np.random.default_rng(0)
    rows = np.concatenate([evaluate.resample(500, 10, rng, kind) for _ in range(400)])
    follows = np.diff(rows) % 500 == 1
    assert (1 - follows.mean()) * 10 == pytest.approx(1, abs=0.03)  # a new block every ten rows
    share = np.bincount(rows, minlength=500) / 400
    if kind == "moving":
        assert share[0] < 0.3 and share[100:400].mean() > 1  # the ends are in fewer blocks
    else:
        assert share.std() < 3 / np.sqrt(400)
    if kind == "stationary":
        lengths = np.diff(np.flatnonzero(~follows))
        assert lengths.std() == pytest.approx(9.5, abs=0.6)  # geometric: sqrt(1 - 1/10) * 10
    x = np.column_stack([np.arange(500.0), np.ones(500)])
    sums = bootstrap.sums(x, 10, 3, np.random.default_rng(1), kind)
    again = np.random.default_rng(1)
    for one in sums:
        np.testing.assert_allclose(one, x[evaluate.resample(500, 10, again, kind)].sum(0))


def test_intervals_of_an_autocorrelated_mean_hold_it_as_often_as_they_say():
    rng = np.random.default_rng(7)
    hit = {"auto": 0, "rows": 0}
    for i in range(150):
        x = ar1(400, 0.6, rng)[:, None]
        for name, block in (("auto", evaluate.block_length(x[:, 0])), ("rows", 1.0)):
            drawn = bootstrap.sums(x, block, 400, np.random.default_rng(i))[:, 0] / 400
            low, high = np.quantile(drawn, [0.05, 0.95])
            hit[name] += low <= 0 <= high
    assert 0.80 < hit["auto"] / 150 < 0.96  # 90%, a little less in small samples
    assert hit["rows"] / 150 < 0.70  # single rows pretend to know far too much


def test_fast_intervals_are_those_of_redrawn_rows(judged):
    prob, label = judged
    prob, label = prob[:400], label[:400].copy()
    returns = label + np.random.default_rng(0).normal(size=400)
    returns[5] = np.nan
    found = evaluate.intervals(prob, label, returns, block=7, draws=50)
    signal = prob[:, -1] - prob[:, 0]
    ways = {
        "macro_f1": lambda p, t, r, s: evaluate.scores(p, t)["macro_f1"],
        "mcc": lambda p, t, r, s: evaluate.scores(p, t)["mcc"],
        "log_loss": lambda p, t, r, s: evaluate.scores(p, t)["log_loss"],
        "ic": lambda p, t, r, s: evaluate.information(s, r)[0],
    }
    for name, of in ways.items():
        slow = evaluate.interval(of, prob, label, returns, signal, block=7, draws=50)
        fast = found[name]
        assert (fast.value, fast.low, fast.high) == pytest.approx((slow.value, slow.low, slow.high)), name
    auto = evaluate.interval(lambda x: float(x.mean()), returns[6:])
    assert auto.low < auto.value < auto.high and auto.above and str(auto).count("[") == 1
    with pytest.raises(ValueError, match="length of a block"):
        evaluate.interval(lambda p: 0.0, prob)


def test_seeds_and_blocks_are_both_in_the_interval(judged):
    prob, label = judged
    # Five trainings, of which each is better or worse by more than the rows can tell.
    some = np.stack([(1 - w) * prob + w / prob.shape[1] for w in (0.0, 0.2, 0.4, 0.6, 0.8)])
    one = evaluate.intervals(some[2], label)["log_loss"]
    all_ = evaluate.intervals(some, label)["log_loss"]
    assert all_.value == pytest.approx(np.mean([evaluate.scores(p, label)["log_loss"] for p in some]))
    assert all_.high - all_.low > 1.3 * (one.high - one.low)
    alike = evaluate.intervals(np.stack([prob] * 5), label)["log_loss"]  # seeds that make no difference
    single = evaluate.intervals(prob, label)["log_loss"]
    assert (alike.low, alike.high) == pytest.approx((single.low, single.high))
    assert evaluate.intervals(prob, label, horizon=40)["mcc"].block == 40


def test_paired_differences_see_what_intervals_apart_do_not(judged):
    prob, label = judged
    worse = 0.9 * prob + 0.1 / prob.shape[1]
    found = evaluate.difference(prob, worse, label)
    assert found["log_loss"].high < 0
    a, b = evaluate.intervals(prob, label)["log_loss"], evaluate.intervals(worse, label)["log_loss"]
    assert a.high > b.low  # apart they overlap
    assert found["log_loss"].value == pytest.approx(a.value - b.value)
    none = evaluate.difference(prob, prob, label)["macro_f1"]
    assert none.low == none.value == none.high == 0
    seeds = evaluate.difference(np.stack([prob, worse]), np.stack([worse, prob]), label)["log_loss"]
    assert seeds.value == pytest.approx(0) and seeds.low < 0 < seeds.high


def test_days_are_drawn_whole():
    """Fifty stocks that mostly move together: single rows pretend to be fifty times as many as there are."""
    rng = np.random.default_rng(5)
    day = np.repeat(np.arange(120), 50)
    up = np.repeat(rng.random(120) < 0.5, 50) ^ (rng.random(6000) < 0.1)
    prob = evaluate.certain(np.repeat(rng.integers(0, 2, 120), 50), 2)
    shuffle = rng.permutation(6000)
    rows = evaluate.intervals(prob, up.astype(int), block=1)["accuracy"]
    days = evaluate.intervals(prob[shuffle], up[shuffle].astype(int), group=day[shuffle])["accuracy"]
    assert days.high - days.low > 4 * (rows.high - rows.low)
    assert days.value == rows.value and days.block < 10
    counts = np.array([evaluate.confusion(prob[day == d], up[day == d].astype(int)) for d in range(120)])
    by_counts = evaluate.draw_counts(counts, block=days.block).intervals()
    assert by_counts["accuracy"] == days and "log_loss" not in by_counts
    found = evaluate.difference(prob, prob[::-1], up.astype(int), group=day)["mcc"]
    assert found.low < found.value < found.high
    with pytest.raises(ValueError, match="not the same rows"):
        evaluate.draw_counts(counts, block=2).less(evaluate.draw_counts(counts, block=3))


# --- costs ----------------------------------------------------------------------------------------


def test_an_account_by_hand():
    """Up at 100, half of it still at 102, down at 101, closed at 99; half-spread 0.5, fee 10 basis points."""
    price = np.array([100.0, 102.0, 101.0, 99.0])
    a = evaluate.account(np.array([1.0, 0.5, -1.0, -1.0]), price, half_spread=0.5, fee_bps=10)
    np.testing.assert_allclose(a.gross, [0.02, -0.5 / 102, 2 / 101, 0])
    np.testing.assert_allclose(a.traded, [1, 0.5, 1.5, 1])
    np.testing.assert_allclose(a.spread, [0.5 / 100, 0.25 / 102, 0.75 / 101, 0.5 / 99])
    np.testing.assert_allclose(a.fees, [0.001, 0.0005, 0.0015, 0.001])
    np.testing.assert_allclose(a.net, a.gross - a.spread - a.fees)
    s = a.summary(periods=400)
    assert s["turnover"] == 1 and s["hit_rate"] == pytest.approx(2 / 3)
    assert s["break_even_bps"] == pytest.approx(a.gross.sum() / 4 * 1e4)
    assert s["sharpe"] == pytest.approx(a.net.mean() / a.net.std(ddof=1))
    assert s["sharpe_annual"] == pytest.approx(20 * s["sharpe"])
    assert "sharpe_annual" not in a.summary()
    net = a.net.cumsum()
    assert s["drawdown"] == pytest.approx(max(max(0, *net[:i]) - net[i] for i in (1, 2, 3)))
    np.testing.assert_allclose(a.equity()["net"], net)
    both = evaluate.join([a, a])
    assert both.summary()["net"] == pytest.approx(2 * s["net"]) and both.summary()["turnover"] == 1


def test_break_even_cost_leaves_nothing():
    rng = np.random.default_rng(0)
    price, position = 100 * np.exp(rng.normal(0, 1e-3, 500).cumsum()), rng.uniform(-1, 1, 500)
    cost = evaluate.account(position, price).summary()["break_even_bps"]
    assert evaluate.account(position, price, fee_bps=cost).net.sum() == pytest.approx(0, abs=1e-12)


def test_positions_stand_for_their_horizon():
    up, flat, down = [0.1, 0.2, 0.7], [0.3, 0.4, 0.3], [0.6, 0.3, 0.1]
    prob = np.array([up, flat, down, [0.4, 0.1, 0.5], up])
    assert evaluate.positions(prob).tolist() == [1, 0, -1, 1, 1]
    assert evaluate.positions(prob, threshold=0.2).tolist() == [1, 0, -1, 0, 1]
    np.testing.assert_allclose(evaluate.positions(prob, hold=2), [0.5, 0.5, -0.5, 0, 1])
    long = evaluate.positions(prob[np.random.default_rng(0).integers(0, 5, 1000)], hold=20)
    assert np.abs(np.diff(long)).max() <= 2 / 20 + 1e-12 and np.abs(long).max() <= 1


def test_no_position_over_an_unknown_price():
    price = np.array([1.0, np.nan, 1.0, 2.0])
    with pytest.raises(ValueError, match="row 0, and no price"):
        evaluate.account(np.ones(4), price)
    calm = evaluate.account(np.array([0.0, 0, 1, 1]), price)
    assert calm.net.tolist() == [0, 0, 1, 0]


def test_break_even_accuracy_is_where_the_gain_is_zero():
    assert evaluate.break_even_accuracy(5e-4, 5e-4) == 1  # a move of the size of its cost
    p = evaluate.break_even_accuracy(20e-4, 5e-4)
    assert p == pytest.approx(0.625) and (2 * p - 1) * 20e-4 - 5e-4 == pytest.approx(0)
    assert evaluate.bets_needed(0.52) == pytest.approx(4900, rel=0.01)
    assert evaluate.bets_needed(0.505) == pytest.approx(78_500, rel=0.01)


# --- report and pictures --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(2)
    n = 2000
    label = rng.integers(0, 3, n)
    move = (label - 1) * 1e-4 + rng.normal(0, 1e-4, n)
    price = 100 * np.exp(np.concatenate([[0], move[:-1]]).cumsum())
    logits = np.eye(3)[label] * 0.7 + rng.normal(0, 1, (3, n, 3))
    prob = np.exp(logits) / np.exp(logits).sum(2, keepdims=True)
    label[-4:] = -1
    floors = evaluate.floors(label[:900], label, evaluate.past_label(label, 4), evaluate.last_return(price))
    return evaluate.judge(
        "gru", prob, label, task="made up, 4 rows ahead", returns=move, floors=floors, horizon=4, draws=200,
        curves=[[(1.09, 1.08), (1.0, 1.01), (0.95, 1.02)]] * 3, periods=1e6,
        account=evaluate.account(evaluate.positions(prob[0]), price, half_spread=0.002, fee_bps=0.2),
        control=evaluate.random_walk_control(anchored, rows=3000, walks=1, horizon=10), about={"learning rate": 2e-3},
    )  # fmt: skip


def test_a_result_survives_its_file(result, tmp_path):
    path = result.write(tmp_path / "new" / "gru.json")
    again = evaluate.Result.read(path)
    assert again.json() == path.read_text() and again.json().endswith("}\n")
    plain = json.loads(path.read_text())
    assert list(plain) == sorted(plain) and plain["rows"] == 1996 and plain["about"] == {"learning rate": 0.002}
    assert plain["made"]["versions"]["numpy"] == np.__version__ and plain["made"]["commit"]
    assert again.markdown() == result.markdown()


def test_a_result_says_what_it_must(result):
    assert np.array(result.confusion).sum() == 3 * 1996 and len(result.scores) == 3
    assert result.intervals["mcc"].value == pytest.approx(result.mean()["mcc"][0]) and result.intervals["mcc"].above
    assert result.intervals["ic"].value == pytest.approx(result.mean()["ic"][0])
    assert set(result.against) == set(result.floors) == {"majority", "last return", "persistence"}
    assert all(each["mcc"].above for each in result.against.values())
    assert result.against["majority"]["mcc"].value == pytest.approx(result.mean()["mcc"][0])
    text = result.markdown()
    for part in ("| gru |", "| persistence |", "balanced accuracy", "rank IC", "± ", "at chance", "break even bps"):
        assert part in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows} == {len(evaluate.SCORES) + 2 + 2, 4 + 2}


def test_a_table_shows_numbers_spreads_and_intervals():
    found = evaluate.Interval(0.1, 0.05, 0.15, 0.95, 7)
    text = evaluate.table(
        {"a": {"mcc": 0.1}, "b": {"mcc": (0.1, 0.02)}, "c": {"mcc": found}, "d": {}},
        ["mcc"],
    )
    assert [line.split("|")[2].strip() for line in text.splitlines()[2:]] == [
        "0.100", "0.100 ± 0.020", "0.100 [0.050, 0.150]", "–",
    ]  # fmt: skip


def test_a_page_of_pictures(result, tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib, part of [test]")
    from smartcore.learn.evaluate import plots

    files = plots.page(result, tmp_path / "page")
    assert [f.name for f in files] == ["gru.png", "gru.md", "gru.json"]
    assert files[0].read_bytes().startswith(b"\x89PNG") and files[0].stat().st_size > 30_000
    assert "](gru.png)" in files[1].read_text()
    figure = plots.sheet(evaluate.Result.read(files[2]))
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["Macro F1 (more is better)", "Reliability", "Confusion", "Equity", "Learning"]
    equity = figure.axes[3]
    assert equity.lines[0].get_ydata()[-1] == pytest.approx(100 * result.account["gross"], rel=1e-4)


def test_a_page_of_two_classes_and_nothing_beside(tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib, part of [test]")
    from smartcore.learn.evaluate import plots

    rng = np.random.default_rng(0)
    label, day = rng.integers(0, 2, 300), np.repeat(np.arange(30), 10)
    prob = np.column_stack([1 - 0.3 - 0.4 * label, 0.3 + 0.4 * label])
    found = evaluate.judge("always right", prob, label, group=day, draws=50)
    assert found.intervals["mcc"].low == found.intervals["mcc"].high == 1 and not found.floors
    files = plots.page(found, tmp_path)
    assert [f.name for f in files] == ["always-right.png", "always-right.md", "always-right.json"]
    assert len(plots.sheet(found).axes) == 3 and "| always right | 1.000 ± 0.000 |" in files[1].read_text()


def test_judgement_needs_neither_core_nor_heavy_libraries():
    program = """
import sys
import types
bare = types.ModuleType("smartcore")  # its own __init__ loads the core
bare.__path__ = [sys.argv[1]]
sys.modules["smartcore"], sys.modules["smartcore._core"] = bare, None
from smartcore.learn import evaluate
print(*sorted({"torch", "sklearn", "matplotlib", "pandas", "lightgbm", "onnx", "pyarrow"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program, str(PACKAGE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_persistence_says_the_last_label_that_is_known():
    label = np.array([2, -1, 0, -1, -1, 1])
    assert evaluate.past_label(label, 1).tolist() == [-1, 2, 2, 0, 0, 0]
    ts = np.array([0, 10, 20, 30, 40, 50])
    assert evaluate.past_label(label, 15, ts).tolist() == [-1, -1, 2, 2, 0, 0]
    assert evaluate.past_label(label[:0], 1).tolist() == []


def test_bets_and_holdings_that_cannot_be():
    assert evaluate.bets_needed(0.5) == np.inf and 4_000 < evaluate.bets_needed(0.52) < 6_000
    with pytest.raises(ValueError, match="accuracy 1"):
        evaluate.bets_needed(1.2)
    with pytest.raises(ValueError, match="hold 0"):
        evaluate.positions(np.full((3, 2), 0.5), hold=0)
