"""One face for nets, trees, ensembles and the linear floor: the same calls, the same shapes, files that read back."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import pytest

from smartcore.kernels import labels

torch = pytest.importorskip("torch", reason="estimators are trained by torch, part of [test]")
torch.set_num_threads(1)

from smartcore.learn import calibrate, estimator, nets  # noqa: E402
from smartcore.learn.data import Series, digest  # noqa: E402
from smartcore.learn.evaluate import scores  # noqa: E402

COLUMNS = ("a", "b", "c", "d")
SECOND = 10**9
SMALL = {"hidden": 8, "encoder": 8}
TRAINING = {"rounds": 10, "updates": 16, "batch": 16, "length": 48, "burn": 8, "rate": 0.02}
QUICK = {"gru": SMALL | TRAINING}


def series(n: int, seed: int, targets: int = 1) -> Series:
    """Rows of which each label is a noisy, remembered function of another column; a tenth of the values unknown."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4)).astype(np.float32)
    label = np.empty((n, targets), np.int8)
    for i in range(targets):
        signal = np.convolve(x[:, i], [1, 0.3])[:n] + 0.3 * rng.normal(size=n)
        label[:, i] = labels.classify(signal, -0.5, 0.5)
    label[-5:] = -1
    x[rng.random(x.shape) < 0.1] = np.nan
    return Series(np.arange(n) * SECOND, x, np.ones(n), label)


@pytest.fixture(scope="module")
def market():
    return [series(900, 1, 2), series(500, 2, 2)], [series(600, 3, 2)], [series(700, 4, 2)]


@pytest.fixture(scope="module", params=["logistic", "gru"])
def fitted(request, market):
    train, valid, _ = market
    return estimator.build(request.param, COLUMNS, targets=2, **QUICK.get(request.param, {})).fit(train, valid, seed=5)


def test_it_learns_every_target_and_says_how_sure_it_is(fitted, market):
    test = market[2]
    logits = fitted.logits(test)
    assert logits.shape == (700, 2, 3)
    prob = estimator.probabilities(fitted, test)
    assert np.allclose(prob.sum(2), 1) and np.array_equal(prob, estimator.calibrated(fitted, logits))
    for i in range(2):
        found, raw = (scores(p, test[0].label[:, i]) for p in (prob[:, i], calibrate.softmax(logits[:, i])))
        assert found["macro_f1"] > 0.45 and found["log_loss"] <= raw["log_loss"] + 0.01
    assert fitted.calibration is fitted.calibrations[0] and fitted.calibrations[1].method == "temperature"


def test_its_file_reads_back_to_the_bit(fitted, market, tmp_path):
    path = tmp_path / "model.pt"
    fitted.save(path)
    other = estimator.load(path)
    assert (other.name, other.columns, other.targets) == (fitted.name, COLUMNS, 2)
    assert other.calibrations == fitted.calibrations
    assert digest(other.logits(market[2])) == digest(fitted.logits(market[2]))


def test_a_seed_makes_it_again(fitted, market):
    train, valid, test = market
    again = estimator.build(fitted.name, COLUMNS, targets=2, **QUICK.get(fitted.name, {})).fit(train, valid, seed=5)
    assert digest(again.logits(test)) == digest(fitted.logits(test))


def test_test_data_change_nothing_that_is_fitted(market):
    """Scaling, weights and calibration from train and valid alone; rows are judged one after another."""
    train, valid, test = market
    model = estimator.build("logistic", COLUMNS, targets=2).fit(train, valid)
    whole, part = model.logits(test), model.logits([Series(*(a[:50] for a in _arrays(test[0])))])
    np.testing.assert_allclose(part, whole[:50], atol=1e-6)


def _arrays(s: Series):
    return s.ts, s.rows, s.mid, s.label


def test_the_linear_floor_is_scikit_learn_s(market):
    linear = pytest.importorskip("sklearn.linear_model", reason="an oracle, part of [test]")
    train, valid, test = market
    model = estimator.build("logistic", COLUMNS, targets=2, calibration="none").fit(train, valid)
    scaled = [model.net.inputs.normalise(torch.from_numpy(s.rows)).numpy() for s in (*train, *test)]
    label = np.concatenate([s.label[:, 1] for s in train])
    known = label >= 0
    rows = np.concatenate(scaled[:2])[known]
    other = linear.LogisticRegression(C=1.0, tol=1e-8, max_iter=1000).fit(rows, label[known])
    prob = estimator.probabilities(model, test)[:, 1]
    np.testing.assert_allclose(prob, other.predict_proba(scaled[2]), atol=2e-4)


def test_rows_of_the_linear_floor_count_as_they_weigh():
    s, valid = series(300, 7), [series(100, 8)]
    twice = replace(s, weight=np.where(np.arange(300) < 150, 2, 0).astype(np.float32))
    half = s.part(0, 150)
    weighed = estimator.build("logistic", COLUMNS, shrink=2.0).fit([twice], valid)
    alone = estimator.build("logistic", COLUMNS, shrink=1.0).fit([half], valid)
    for model in (weighed, alone):  # the scaling is of all rows, whatever they weigh
        model.net.inputs.load_state_dict(weighed.net.inputs.state_dict())
    from smartcore.learn.linear import solve

    solve(alone.net, [half])
    np.testing.assert_allclose(weighed.net.out.weight.detach(), alone.net.out.weight.detach(), atol=2e-3)


def test_running_means_of_the_linear_floor_reach_across_chunks():
    s = series(2500, 7)
    model = estimator.build("logistic", COLUMNS, timeframes=[3, 200]).fit([s], [series(300, 8)])
    assert model.net.warm_up == model.net.inputs.warm_up == 400
    assert model.net.inputs.width == 12 and len(model.net.states) == 1
    states, out = model.net.start(), []
    with torch.no_grad():
        for row in torch.from_numpy(s.rows[:1200]):
            logits, *states = model.net(row[None], *states)
            out.append(logits[0].numpy())
    np.testing.assert_allclose(model.logits([Series(*(a[:1200] for a in _arrays(s)))]), np.stack(out), atol=2e-5)


def test_every_name_is_built_and_an_unknown_field_is_told(market):
    assert {"logistic", *nets.names()} <= set(estimator.names())
    for name in estimator.names():
        model = estimator.build(name, COLUMNS)
        assert model.name == name and model.columns == COLUMNS and estimator.family(name)
        with pytest.raises(TypeError, match="colour"):
            estimator.build(name, COLUMNS, colour="red")
        with pytest.raises(ValueError, match="calibration 'platt': one of none"):
            estimator.build(name, COLUMNS, calibration="platt")
    with pytest.raises(ValueError, match="no model 'oracle': there is logistic"):
        estimator.build("oracle", COLUMNS)


def test_fields_go_to_the_net_first_and_then_to_its_training():
    from smartcore.learn import train

    model = estimator.build("gru", COLUMNS, dropout=0.3, rounds=7, timeframes=[4])
    assert model.config == {"dropout": 0.3, "timeframes": (4,)} and model.training.rounds == 7
    assert model.training == train.Config(rounds=7)
    assert {f.name for f in fields(train.Config)} >= {"rounds"}


def test_what_is_not_fitted_or_no_model_says_so(market, tmp_path):
    with pytest.raises(RuntimeError, match="gru is not fitted"):
        estimator.build("gru", COLUMNS).logits(market[2])
    with pytest.raises(RuntimeError, match="gru is not fitted"):
        estimator.build("gru", COLUMNS).export(tmp_path / "gru.onnx", None, None)
    with pytest.raises(FileNotFoundError, match="smartcore train"):
        estimator.load(tmp_path / "absent.pt")
    (tmp_path / "other.pt").write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match=r"other\.pt is no trained model"):
        estimator.load(tmp_path / "other.pt")


def test_nets_need_neither_converters_nor_tree_libraries():
    """What is imported where nets are trained: torch, NumPy, Numba and little else."""
    program = """
import sys
from smartcore.learn import estimator
estimator.build("gru", ["a", "b"])
heavy = {"onnx", "onnxruntime", "onnxmltools", "lightgbm", "xgboost", "catboost", "pyarrow", "pandas"}
print(*sorted(heavy & set(sys.modules)))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []
