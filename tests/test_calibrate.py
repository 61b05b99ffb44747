"""Calibration: NumPy, torch and ONNX agree, curves are those of scikit-learn, what is true stays as it is."""

from __future__ import annotations

import json

import numpy as np
import pytest

from smartcore.learn import calibrate
from smartcore.learn.calibrate import Calibration, fit_isotonic, fit_temperature, log_loss, softmax


def judged(n: int, classes: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits (n, classes) that mean what they say, and labels (n,) drawn from them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1, (n, classes))
    label = (softmax(logits).cumsum(1) < rng.random((n, 1))).sum(1)
    return logits, label.astype(np.int8)


def crooked(logits: np.ndarray) -> np.ndarray:
    """Logits whose first class is said too boldly, and more so the surer it is: no temperature mends it."""
    out = logits.copy()
    out[:, 0] = 2 * out[:, 0] + 0.5 * out[:, 0] ** 2
    return out


@pytest.fixture(scope="module", params=["none", "temperature", "isotonic"])
def fitted(request):
    logits, label = judged(4000)
    return calibrate.fit(request.param, crooked(logits), label)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("method", list(calibrate.FITS))
@pytest.mark.parametrize("sharpness", [0.05, 1.0, 6.0])
def test_numpy_torch_and_onnx_agree(method, classes, sharpness):
    torch = pytest.importorskip("torch", reason="the module is torch's, part of [test]")
    onnx = pytest.importorskip("onnx", reason="the nodes are onnx's, part of [test]")
    ort = pytest.importorskip("onnxruntime")
    logits, label = judged(3000, classes)
    logits = (sharpness * crooked(logits)).astype(np.float32)
    found = calibrate.fit(method, logits, label)
    ends = np.eye(classes, dtype=np.float32) * 200
    logits = np.concatenate([logits, ends, -ends, 0 * ends])
    expected = found.prob(logits)
    assert expected.shape == logits.shape and (expected >= 0).all()
    np.testing.assert_allclose(expected.sum(1), 1, atol=1e-12)
    with torch.no_grad():
        np.testing.assert_allclose(found.module()(torch.from_numpy(logits)).numpy(), expected, atol=1e-6)
    for rows in ("b", 1):
        nodes, values = found.nodes("raw", "scores")
        tensor = onnx.helper.make_tensor_value_info
        graph = onnx.helper.make_graph(
            nodes, "calibration", [tensor("raw", onnx.TensorProto.FLOAT, [rows, classes])],
            [tensor("scores", onnx.TensorProto.FLOAT, [rows, classes])], values,
        )  # fmt: skip
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
        onnx.checker.check_model(model, full_check=True)
        session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        parts = [logits] if rows == "b" else [row[None] for row in logits[::50]]
        out = np.concatenate([session.run(None, {"raw": part})[0] for part in parts])
        np.testing.assert_allclose(out, expected if rows == "b" else expected[::50], atol=1e-6)


def test_it_is_a_few_coreml_operators(fitted):
    onnx = pytest.importorskip("onnx", reason="the nodes are onnx's, part of [test]")
    nodes, values = fitted.nodes("raw", "scores")
    taken = {"Softmax", "Mul", "Sub", "Add", "Div", "Clip", "ReduceSum", "Unsqueeze"}
    assert {node.op_type for node in nodes} <= taken
    names = [v.name for v in values] + [out for node in nodes for out in node.output]
    assert len(set(names)) == len(names) and all(name.startswith("scores") for name in names)
    assert all(np.isfinite(onnx.numpy_helper.to_array(v)).all() for v in values)


def test_record_comes_back_through_json(fitted):
    assert json.loads(json.dumps(fitted.record())) == fitted.record()
    assert Calibration.of(fitted.record()) == fitted
    assert Calibration.of({"method": "temperature", "temperature": 1.25}) == Calibration("temperature", 1.25)


def test_curve_is_sklearns_isotonic_regression():
    """Of as many distinct probabilities as there may be knots: at each, scikit-learn's value, and its order kept."""
    isotonic = pytest.importorskip("sklearn.isotonic", reason="the oracle is scikit-learn, part of [test]")
    rng = np.random.default_rng(1)
    level = np.linspace(-2, 2, calibrate.KNOTS)[rng.integers(calibrate.KNOTS, size=6000)]
    label = (rng.random(6000) < softmax(np.stack([-level, level], 1) ** 3)[:, 1]).astype(np.int8)
    logits = np.stack([np.zeros(6000), level], 1)
    found = fit_isotonic(logits, label)
    said = softmax(logits / found.temperature)[:, 1]
    oracle = isotonic.IsotonicRegression(y_min=1 / 6002, y_max=1 - 1 / 6002).fit(said, label == 1)
    x, y = np.transpose(found.curves[1])
    np.testing.assert_allclose(np.unique(oracle.predict(said)), y, atol=1e-12)
    # A knot stands at the mean of the rows of its block, where the step function has the block's value.
    np.testing.assert_allclose(oracle.predict(x), y, atol=1e-12)
    assert len(y) > 10


def test_curve_of_many_values_is_near_sklearns():
    isotonic = pytest.importorskip("sklearn.isotonic", reason="the oracle is scikit-learn, part of [test]")
    logits, label = judged(20_000, seed=2)
    found = fit_isotonic(crooked(logits), label)
    said = softmax(crooked(logits) / found.temperature)
    for c, curve in enumerate(found.curves):
        x, y = np.transpose(curve)
        assert 2 <= len(x) <= calibrate.KNOTS and (np.diff(x) > 0).all() and (np.diff(y) > 0).all()
        oracle = isotonic.IsotonicRegression().fit(said[:, c], label == c).predict(said[:, c])
        # Blocks of the step function have a few hundred rows each, hence shares that are 0.02 off themselves.
        assert np.sqrt(np.mean((np.interp(said[:, c], x, y) - oracle) ** 2)) < 0.02


def test_what_is_true_stays_as_it_is():
    logits, label = judged(40_000, seed=3)
    assert fit_temperature(logits, label).temperature == pytest.approx(1, abs=0.03)
    fresh = judged(5000, seed=4)[0]
    for method, near in (("none", 1e-12), ("temperature", 0.01), ("isotonic", 0.02)):
        away = np.abs(calibrate.fit(method, logits, label).prob(fresh) - softmax(fresh))
        assert away.mean() < near, method


def test_isotonic_mends_what_a_temperature_cannot():
    logits, label = judged(8000, seed=5)
    fresh, truth = judged(8000, seed=6)
    loss = {}
    for method in calibrate.FITS:
        prob = calibrate.fit(method, crooked(logits), label).prob(crooked(fresh))
        loss[method] = log_loss(np.log(prob), truth)
    assert loss["isotonic"] < loss["temperature"] - 0.005 < loss["none"] - 0.01
    assert loss["isotonic"] < log_loss(fresh, truth) + 0.05


def test_rows_without_a_label_do_not_count():
    logits, label = judged(2000)
    more = np.concatenate([logits, np.full((2, 3), 7.0)]), np.append(label, [-1, -1])
    for method in calibrate.FITS:
        assert calibrate.fit(method, *more) == calibrate.fit(method, logits, label)


@pytest.mark.parametrize("method", ["temperature", "isotonic"])
def test_nothing_to_calibrate_by_is_said(method):
    logits, label = judged(20)
    with pytest.raises(ValueError, match="nothing to calibrate by"):
        calibrate.fit(method, logits, np.full(20, -1, np.int8))
    logits[3] = np.nan
    with pytest.raises(ValueError, match="no numbers in 1 of 20 rows"):
        calibrate.fit(method, logits, label)
    label[3] = -1
    assert calibrate.fit(method, logits, label) == calibrate.fit(method, np.delete(logits, 3, 0), np.delete(label, 3))


def test_a_class_that_could_not_be_told_does_not_melt_the_others():
    """A class that trees never saw has a logit of -infinity: where it comes true, no temperature is better."""
    logits, label = judged(2000, 2)
    logits, label = np.insert(logits, 1, -np.inf, axis=1), 2 * label
    clean = fit_temperature(logits, label)
    label = np.append(label, np.ones(20, np.int8))
    logits = np.concatenate([logits, logits[:20]])
    assert fit_temperature(logits, label) == clean and clean.temperature < 2
    np.testing.assert_allclose(fit_isotonic(logits, label).prob(logits).sum(1), 1)


@pytest.mark.parametrize("label", [np.zeros(50, np.int8), np.full(50, 2, np.int8)])
def test_nothing_becomes_impossible(label):
    """A class never seen, or nothing but one class: a finite loss for the other, and a sum of one."""
    logits = judged(50)[0]
    prob = fit_isotonic(logits, label).prob(np.concatenate([logits, np.zeros((1, 3))]))
    assert (prob > 1e-3).all() and (prob.argmax(1) == label[0]).all()
    np.testing.assert_allclose(prob.sum(1), 1)


def test_constant_logits_become_the_shares():
    label = np.repeat(np.arange(3), [10, 30, 60])
    prob = fit_isotonic(np.zeros((100, 3)), label).prob(np.zeros((1, 3)))
    np.testing.assert_allclose(prob, [[0.1, 0.3, 0.6]], atol=1e-12)


def test_temperature_is_found_again():
    logits, label = judged(3000)
    for heat in (0.5, 1.0, 3.0):
        alone = calibrate.temperature(logits, label)
        assert calibrate.temperature(logits * heat, label) == pytest.approx(alone * heat, rel=1e-2)
    best = calibrate.temperature(logits, label)
    for other in (0.8 * best, 1.2 * best):
        assert log_loss(logits, label, best) < log_loss(logits, label, other)


def test_unknown_method_is_refused():
    with pytest.raises(ValueError, match="calibration 'platt': one of none, temperature, isotonic"):
        calibrate.fit("platt", *judged(10))
