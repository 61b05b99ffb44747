"""Exported files: held to what they were exported from, and check, card and int8 gate to files that fail."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from smartcore.kernels import labels

torch = pytest.importorskip("torch", reason="nets are trained and exported by torch, part of [test]")
onnx = pytest.importorskip("onnx", reason="files are written by onnx, part of [test]")
torch.set_num_threads(1)

from smartcore.learn import apple, card, estimator, evaluate, export, quantise  # noqa: E402
from smartcore.learn.check import check, row_by_row  # noqa: E402
from smartcore.learn.data import Series  # noqa: E402
from smartcore.models import Contract, Model  # noqa: E402
from smartcore.models.providers import session  # noqa: E402

SECOND = 10**9
COLUMNS = ("a", "b", "c", "d", "e")
TRAINING = {"rounds": 2, "updates": 4, "batch": 8, "length": 32, "burn": 4}
NETS = {
    "logistic": {},
    "gru": {"hidden": 8, "encoder": 7, "timeframes": (5,), **TRAINING},
    "mixer": {"window": 12, **TRAINING},
}


def series(n: int, seed: int, targets: int = 2) -> Series:
    """Rows of which the labels are noisy functions; a tenth of the values unknown."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5)).astype(np.float32)
    signal = x[:, :targets] + 0.3 * rng.normal(size=(n, targets))
    label = np.stack([labels.classify(column, -0.4, 0.4) for column in signal.T], axis=1)
    x[rng.random(x.shape) < 0.1] = np.nan
    return Series(np.arange(n) * SECOND, x, np.ones(n), label)


def toy(**more) -> Contract:
    return Contract(
        name="toy", kind="toy", columns=COLUMNS, fingerprint="toy", sample="1s", bars=None, horizon="1s", label="toy",
        trained_on={"data": "made up", "rows": 500, "rows_hash": "0"}, **more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def models():
    """Each net once: two targets, trained a little."""
    made = {}

    def of(name: str):
        if name not in made:
            made[name] = estimator.build(name, COLUMNS, targets=2, **NETS[name]).fit([series(500, 1)], [series(200, 2)])
        return made[name]

    return of


ROWS = series(400, 3).rows


@pytest.mark.parametrize("name", NETS)
def test_a_file_passes_every_gate_and_says_what_it_is(name, models, tmp_path):
    model = models(name)
    path = tmp_path / "toy.onnx"
    written = model.export(path, toy(), ROWS[:6])
    loaded = Model.load(path)
    assert loaded.contract == written and written.created_with["torch"] and len(written.cache_key) == 32
    assert written.kind == name and written.states == tuple(model.net.states) and written.warm_up == model.net.warm_up
    assert written.calibration == model.calibration.record() and written.missing
    report = check(path, model, ROWS, quick=True)
    assert report.passed and report.failures == (), report
    assert report.parity < 1e-5 and report.whole < 1e-5 and report.unknown < 1e-5 and report.batch < 1e-5
    assert report.coreml.startswith("1 MLProgram partition, ") and apple.partitions(path).whole
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["passed"]
    assert "passed" in str(report)


@pytest.mark.parametrize("name", ["gru", "mixer"])
def test_from_a_state_that_is_not_zero(name, models, tmp_path):
    """An exporter that mixes up its inputs would pass from zero."""
    model = models(name)
    path = tmp_path / "toy.onnx"
    contract = model.export(path, toy(), ROWS[:6])
    net = export.served(model, contract)
    run = session(path)
    generator = torch.Generator().manual_seed(5)
    states = [torch.randn(s.shape, generator=generator) for s in contract.states]
    ours = {s.input: value.numpy() for s, value in zip(contract.states, states, strict=True)}
    for row in ROWS[:30]:
        scores, *after = run.run(None, {"row": row[None], **ours})
        ours = dict(zip(ours, after, strict=True))
        with torch.no_grad():
            wanted, *states = net(torch.from_numpy(row[None]), *states)
        np.testing.assert_allclose(scores, wanted, atol=1e-6)


def test_any_target_or_all_of_them(models, tmp_path):
    model = models("gru")
    path = tmp_path / "toy.onnx"
    model.export(path, toy(), ROWS[:6], target=1)
    assert any("differs from its source" in f for f in check(path, model, ROWS, quick=True, batch=False).failures)
    several = toy(horizons=("1s", "5s"))
    model.export(path, replace(several, horizon="5s"), ROWS[:6], target=1)
    run = session(path)
    zero = {s.input: np.zeros(s.shape, np.float32) for s in Model.load(path).contract.states}
    scores, every = run.run(["scores", "scores_all"], {"row": ROWS[:1], **zero})
    assert every.shape == (1, 2, 3) and np.array_equal(every[:, 1], scores)
    prob = estimator.probabilities(model, [Series(np.arange(1), ROWS[:1], np.ones(1), np.full((1, 2), -1, np.int8))])
    np.testing.assert_allclose(every, prob, atol=1e-6)
    assert check(path, model, ROWS, quick=True, batch=False, target=1).passed
    with pytest.raises(ValueError, match="3 horizons in the contract, 2 targets"):
        model.export(path, toy(horizons=("1s", "5s", "9s")), ROWS[:6])
    with pytest.raises(ValueError, match="target 2: the model has 2"):
        model.export(path, toy(), ROWS[:6], target=2)


def test_whole_windows_for_a_server_that_keeps_them(models, tmp_path):
    model = models("mixer")
    path = tmp_path / "windows.onnx"
    export.export_windows(model, path, toy())
    whole = np.stack([ROWS[i : i + 12] for i in range(40)])
    scores = session(path).run(None, {"rows": whole})[0]
    live = row_by_row(model, model.export(tmp_path / "toy.onnx", toy(), ROWS[:6]))(ROWS[:51])
    np.testing.assert_allclose(scores, live[11:], atol=1e-6)
    with pytest.raises(ValueError, match="gru looks at no window"):
        export.export_windows(models("gru"), path, toy())


def test_the_check_fails_a_file_of_another_net(models, tmp_path):
    path = tmp_path / "toy.onnx"
    model = estimator.build("logistic", COLUMNS, targets=2).fit([series(300, 8)], [series(100, 9)])
    model.export(path, toy(), ROWS[:6])
    with torch.no_grad():
        model.net.out.bias[0] += 0.1
    report = check(path, model, ROWS, quick=True, batch=False)
    assert not report.passed and sum("differs" in f for f in report.failures) >= 2 and "FAILED" in str(report)


def test_the_check_fails_a_file_that_was_changed(models, tmp_path):
    path = tmp_path / "toy.onnx"
    models("logistic").export(path, toy(), ROWS[:6])
    proto = onnx.load(path)
    bias = next(i for i in proto.graph.initializer if i.name.endswith("out.bias"))
    changed = onnx.numpy_helper.to_array(bias) + np.float32(0.5) * np.arange(6, dtype=np.float32)
    bias.CopyFrom(onnx.numpy_helper.from_array(changed, bias.name))
    onnx.save(proto, path)
    failures = " ".join(check(path, quick=True).failures)
    assert "COREML_CACHE_KEY" in failures and "golden rows differ" in failures


def test_the_operators_that_prevent_one_partition_are_named(tmp_path):
    """A graph with an operator that CoreML does not take."""
    helper = onnx.helper
    value = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 3]) for name in ("row", "scores")]
    nodes = [
        helper.make_node("Softmax", ["row"], ["a"], axis=1),
        helper.make_node("Hardmax", ["a"], ["b"], axis=1),
        helper.make_node("Add", ["a", "b"], ["scores"]),
    ]
    graph = helper.make_graph(nodes, "g", value[:1], value[1:])
    path = tmp_path / "g.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    found = apple.partitions(path)
    assert not found.whole and found.blocked_by == ("Hardmax",) and str(found).endswith("prevented by Hardmax")


def test_a_card_of_any_model(models, tmp_path):
    path = tmp_path / "toy.onnx"
    scores = dict.fromkeys(evaluate.SCORES, 0.4)
    metrics = {"test": {"toy": {k: (v, 0.01) for k, v in scores.items()}, "majority": scores}, "seeds": 3}
    models("gru").export(path, toy(metrics=metrics), ROWS[:6])
    c = Model.load(path).contract  # pairs are lists now
    text = card.page(c, check(path, quick=True), "What it is.", "a command", "refused: no faster")
    for said in (
        "# toy", "Not a strategy", "What it is.", "made up", "0.400 ± 0.010", "3 training seeds", "h (1, 8)", "paced",
        "1 MLProgram partition", "Made by `a command`", "An int8 variant: refused: no faster.",
    ):  # fmt: skip
        assert said in text, said
    simulated = replace(c, trained_on={**c.trained_on, "data": "SIMULATED: here"})
    assert "Trained on SIMULATED data" in card.page(simulated, check(path, quick=True))


def wide_mixer():
    """A net whose products are large enough that int8 pays."""
    model = estimator.build("mixer", COLUMNS, window=60, rounds=1, updates=1, batch=2)
    return model.fit([series(80, 1, 1)], [series(80, 2, 1)])


def test_int8_is_kept_or_refused_for_a_reason(models, tmp_path):
    path, out = tmp_path / "toy.onnx", tmp_path / "toy-int8.onnx"
    wide_mixer().export(path, toy(), ROWS[:6])
    s = series(400, 3, 1)
    kept = quantise.quantise(path, out, s.rows, s.label[:, 0], faster=100.0, loss=1.0)  # whatever the machine does now
    assert kept.kept and out.exists() and kept.kilobytes[1] < 0.6 * kept.kilobytes[0]
    assert 0 < kept.worst <= quantise.MOST
    model = Model.load(out)
    assert model.contract.name == "toy-int8" and model.contract.golden.tolerance == quantise.MOST
    kinds = {node.op_type for node in onnx.load(out).graph.node}
    assert kinds & {"MatMulInteger", "DynamicQuantizeMatMul"}
    assert len(kept.macro_f1) == 2 and json.dumps(kept.to_dict())
    for gates, why in (({"faster": 0.0}, "no faster"), ({"most": 1e-9, "faster": 100.0}, "a probability differs by")):
        refused = quantise.quantise(path, out, s.rows, None, **gates)
        assert not refused.kept and why in refused.why and not out.exists() and refused.macro_f1 is None


def test_a_refused_int8_variant_leaves_none_of_an_earlier_export(tmp_path):
    pytest.importorskip("sklearn", reason="forests are scikit-learn's")
    path, out = tmp_path / "toy.onnx", tmp_path / "toy-int8.onnx"
    forest = estimator.build("random_forest", COLUMNS, trees=2, depth=2, calibration="none")
    forest.fit([series(200, 1, 1)], [series(100, 2, 1)]).export(path, toy(), ROWS[:6])
    out.write_bytes(b"of another model")
    verdict = quantise.quantise(path, out, ROWS)
    assert not verdict.kept and "no products of matrices" in verdict.why and not out.exists()


def test_coremltools_converts_a_step(models, tmp_path):
    pytest.importorskip("coremltools", reason="an optional converter")
    path = tmp_path / "toy.onnx"
    model = models("logistic")
    contract = model.export(path, toy(), ROWS[:6])
    found = apple.package(export.served(model, contract), contract, tmp_path / "toy", ROWS[:20])
    assert (tmp_path / "toy.mlpackage").is_dir() and found.operations > 5 and found.kilobytes > 1
    assert found.differs is None or found.differs < 1e-4


def test_a_file_without_golden_rows_fails(models, tmp_path):
    path = tmp_path / "toy.onnx"
    models("logistic").export(path, toy(), None)
    report = check(path, quick=True)
    assert report.failures == ("no golden rows",) and report.golden is None
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["golden"] is None
