"""Trees of four libraries: exported files are the library itself, at every threshold and for every unknown value."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from smartcore.kernels import labels
from smartcore.learn import archive, estimator, trees
from smartcore.learn.data import Series
from smartcore.learn.evaluate import scores
from smartcore.models import Contract, Model

pytest.importorskip("onnx", reason="trees are exported by onnx, part of [test]")

COLUMNS = ("a", "b", "c", "d", "e")
SMALL = {
    "lightgbm": {"rounds": 12, "leaves": 7, "least": 10, "rate": 0.2},
    "xgboost": {"rounds": 12, "depth": 3, "least": 2, "rate": 0.2},
    "catboost": {"rounds": 15, "depth": 3, "rate": 0.3},
    "random_forest": {"trees": 12, "depth": 5, "least": 5},
}
LIBRARY = {"random_forest": "sklearn"}
SECOND = 10**9


def series(n: int, seed: int, classes: int = 3, unknown: float = 0.1) -> Series:
    """Two targets, of which the first hangs on a, b and c, the second on d; prices on a grid, so that values repeat."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5)).astype(np.float32)
    x[:, 3] = np.round(x[:, 3], 1)  # 0.1 is no float32: splits between such values are no float32 either
    signals = x[:, 0] - np.where(x[:, 2] > 0, x[:, 1], 0) + 0.3 * rng.normal(size=n), x[:, 3] + 0.3 * rng.normal(size=n)
    edges = (-0.6, 0.6) if classes == 3 else (0.2, np.inf)
    label = np.stack([labels.classify(s, *edges) for s in signals], 1).astype(np.int8)
    label[-5:] = -1
    x[rng.random(x.shape) < unknown] = np.nan
    return Series(np.arange(n) * SECOND, x, np.ones(n), label)


def contract(classes: int = 3) -> Contract:
    return Contract(
        name="toy", kind="", columns=COLUMNS, fingerprint="toy", sample="1s", bars=None, horizon="1s", label="toy",
        classes=("down", "flat", "up") if classes == 3 else ("down", "up"),
    )  # fmt: skip


def grown(name: str, classes: int = 3, unknown: float = 0.1, seed: int = 3, **config):
    library = LIBRARY.get(name, name)
    if find_spec(library) is None:
        pytest.skip(f"{library} is not installed: part of [train]")
    model = trees.build(name, COLUMNS, classes=classes, targets=2, **SMALL[name], **config)
    return model.fit([series(1500, 1, classes, unknown)], [series(800, 2, classes, unknown)], seed)


@pytest.fixture(scope="module", params=[(n, c) for n in trees.names() for c in (2, 3)], ids=lambda p: f"{p[0]}-{p[1]}")
def fitted(request):
    return grown(*request.param)


@pytest.fixture(scope="module")
def exported(fitted, tmp_path_factory):
    path = tmp_path_factory.mktemp("trees") / "toy.onnx"
    fitted.export(path, contract(fitted.classes), series(6, 9).rows)
    return Model.load(path)


def holes(n: int, share: float) -> np.ndarray:
    rows = series(n, 5, unknown=0).rows
    return np.where(np.random.default_rng(0).random(rows.shape) < share, np.float32(np.nan), rows)


def borders(model, target: int = 0) -> np.ndarray:
    """Rows that are zero or unknown but for one value: that of a split, and the float32 before and after it."""
    found = model.splits(model.models[target])
    inner = ~found.leaf
    rows = []
    for column, value in zip(found.feature[inner], found.value[inner], strict=True):
        beside = [np.nextafter(value, np.float32(side)) for side in (-np.inf, np.inf) if abs(value) < 3e38]
        for near in (value, -value, *beside):
            for rest in (np.nan, 0):
                row = np.full(5, rest, np.float32)
                row[column] = near
                rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("share", [0, 0.05, 0.5, 1])
def test_exported_file_is_the_library_with_unknown_values_too(fitted, exported, share):
    rows = holes(600, share)
    expected = fitted.prob(rows)
    np.testing.assert_allclose(expected.sum(1), 1)
    np.testing.assert_allclose(exported.run(rows), expected, atol=1e-6)


def test_trees_split_where_the_library_does(fitted, exported):
    rows = borders(fitted)
    assert len(rows) > 60
    np.testing.assert_allclose(exported.run(rows), fitted.prob(rows), atol=1e-6)


@pytest.mark.parametrize("name", trees.names())
def test_columns_never_unknown_in_training_may_be_so_live(name, tmp_path):
    """LightGBM takes them for zero, the others have a way of their own."""
    model = grown(name, unknown=0, drop=0)
    model.export(tmp_path / "toy.onnx", contract(), series(6, 9).rows)
    for rows in (holes(400, 0.5), borders(model)):
        np.testing.assert_allclose(Model.load(tmp_path / "toy.onnx").run(rows), model.prob(rows), atol=1e-6)


def test_they_learn_every_target(fitted):
    test = series(900, 7, fitted.classes)
    logits = fitted.logits([test, test])
    assert logits.shape == (1800, 2, fitted.classes)
    np.testing.assert_array_equal(logits[:900], logits[900:])
    prob = estimator.probabilities(fitted, [test])
    for i in range(2):
        np.testing.assert_allclose(prob[:, i], fitted.prob(test.rows, i))
        assert scores(prob[:, i], test.label[:, i])["macro_f1"] > (0.5 if fitted.classes == 3 else 0.7)
    assert fitted.calibration == fitted.calibrations[0] != fitted.calibrations[1]


def test_every_gate_passes(fitted, tmp_path):
    pytest.importorskip("onnxruntime")
    from smartcore.learn.check import batched, check

    path, wide = tmp_path / "toy.onnx", tmp_path / "wide.onnx"
    written = fitted.export(path, contract(fitted.classes), series(6, 9).rows, target=1)
    assert written.kind == fitted.name and written.calibration == fitted.calibrations[1].record()
    assert Model.load(path).contract.golden == written.golden
    report = check(path, lambda rows: fitted.prob(rows, 1), holes(300, 0), quick=True)
    assert report.failures == () and report.parity < 1e-6 and report.unknown < 1e-6
    fitted.export(wide, contract(fitted.classes), None, target=1, dynamic=True)
    assert batched(wide, path, holes(300, 0.05)) < 1e-6


def test_their_file_reads_back_to_the_bit(fitted, tmp_path):
    path = tmp_path / "new" / "toy.trees"
    fitted.save(path)
    for other in (estimator.load(path), trees.load(path)):
        assert type(other) is type(fitted) and other.config == fitted.config
        assert other.calibrations == fitted.calibrations and other.columns == COLUMNS
        for rows in (holes(300, 0.3), borders(fitted, 1)):
            for target in range(2):
                np.testing.assert_array_equal(other.raw(rows, target), fitted.raw(rows, target))
    other.save(tmp_path / "again.trees")  # what was read can be written, and exported
    np.testing.assert_array_equal(trees.load(tmp_path / "again.trees").raw(rows), fitted.raw(rows))
    other.export(tmp_path / "toy.onnx", contract(fitted.classes), series(6, 9).rows)
    np.testing.assert_allclose(Model.load(tmp_path / "toy.onnx").run(rows), fitted.prob(rows), atol=1e-6)


@pytest.mark.parametrize("name", trees.names())
def test_a_seed_makes_them_again_and_another_makes_others(name):
    rows = holes(300, 0.1)
    first = grown(name).raw(rows)
    np.testing.assert_array_equal(grown(name).raw(rows), first)
    assert np.abs(grown(name, seed=4).raw(rows) - first).max() > 1e-3


@pytest.mark.parametrize("name", ["lightgbm", "xgboost", "catboost"])
def test_growing_stops_when_validation_gets_no_better(name):
    """Labels of chance: the second round is already worse than the first, or soon is."""
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed: part of [train]")
    rng = np.random.default_rng(0)
    noise = [
        Series(s.ts, s.rows, s.mid, rng.integers(0, 3, s.label.shape).astype(np.int8))
        for s in (series(600, 1), series(600, 2))
    ]
    config = SMALL[name] | {"rounds": 60, "patience": 3}
    few, many = (
        trees.build(name, COLUMNS, **config | {"patience": p}).fit(noise[:1], noise[1:]) for p in (3, 0)
    )
    count = [len(np.unique(m.splits(m.models[0]).tree)) for m in (few, many)]
    assert count[0] < 0.5 * count[1]


def test_infinite_values_are_unknown_to_the_libraries(fitted):
    rows = holes(20, 0.3)
    odd = np.where(np.isnan(rows), np.float32(np.inf), rows)
    odd[::2] *= np.where(np.isinf(odd[::2]), -1, 1).astype(np.float32)
    np.testing.assert_array_equal(fitted.raw(odd), fitted.raw(rows))
    s = series(300, 1, fitted.classes, unknown=0)
    s.rows[::7, 2] = np.inf
    fresh = trees.build(fitted.name, COLUMNS, classes=fitted.classes, targets=2, **SMALL[fitted.name]).fit([s], [s])
    assert np.isfinite(fresh.logits([s])).all()


@pytest.mark.parametrize("name", trees.names())
def test_rows_count_by_their_weight(name):
    """Of two halves with opposite labels, the one that counts is the one that is learned."""
    pytest.importorskip(LIBRARY.get(name, name), reason="part of [train]")
    s, other = series(900, 1), series(900, 4)
    turned = np.where(other.label < 0, -1, 2 - other.label).astype(np.int8)
    for heavy in (0, 1):
        weight = [np.full(900, 1.0 if i == heavy else 1e-3, np.float32) for i in (0, 1)]
        both = [replace(s, weight=weight[0]), replace(other, label=turned, weight=weight[1])]
        model = trees.build(name, COLUMNS, **SMALL[name], calibration="none").fit(both, [s])
        hit = scores(model.prob(s.rows), s.label[:, 0])["accuracy"]
        assert hit > 0.6 if heavy == 0 else hit < 0.4


def test_contract_of_other_columns_or_classes_is_refused(tmp_path):
    """A file that said so would be fed other columns than those it learned, and load."""
    model, right = grown("random_forest"), contract()
    turned = replace(right, columns=COLUMNS[::-1])
    with pytest.raises(ValueError, match=r"contract's columns are e, d, c.*the model reads a, b, c"):
        model.export(tmp_path / "toy.onnx", turned, None)
    with pytest.raises(ValueError, match="2 classes in the contract, 3 in the model"):
        model.export(tmp_path / "toy.onnx", contract(2), None)
    with pytest.raises(ValueError, match="target 2: the model has 2, counted from 0"):
        model.export(tmp_path / "toy.onnx", right, None, target=2)
    with pytest.raises(ValueError, match="3 horizons in the contract, 2 targets"):
        model.export(tmp_path / "toy.onnx", replace(right, horizons=("1s", "2s", "3s")), None)


@pytest.mark.parametrize("name", ["xgboost", "random_forest"])
def test_a_file_may_answer_for_every_target(name, tmp_path):
    model, rows = grown(name), holes(50, 0.1)
    both = replace(contract(), horizons=("1s", "2s"))
    model.export(tmp_path / "toy.onnx", both, rows[:6], target=1)
    toy = Model.load(tmp_path / "toy.onnx")
    for row in rows:
        np.testing.assert_allclose(toy.step(row.astype(float)), model.prob(row[None], 1)[0], atol=1e-6)
        expected = [model.prob(row[None], i)[0] for i in range(2)]
        np.testing.assert_allclose(toy.all_scores, expected, atol=1e-6)
    with pytest.raises(ValueError, match="1 horizons in the contract, 2 targets"):
        model.export(tmp_path / "toy.onnx", replace(contract(), horizons=("1s",)), None)


@pytest.mark.parametrize("name", trees.names())
def test_a_class_never_seen_is_unlikely_not_an_error(name):
    library = LIBRARY.get(name, name)
    pytest.importorskip(library, reason="part of [train]")
    s = series(900, 1)
    two = Series(s.ts, s.rows, s.mid, np.where(s.label == 1, -1, s.label)[:, :1].astype(np.int8))
    model = trees.build(name, COLUMNS, **SMALL[name]).fit([two], [two])
    prob = model.prob(s.rows)
    assert prob.shape == (900, 3) and prob[:, 1].max() < 0.2
    assert scores(prob, two.label[:, 0])["accuracy"] > 0.8


def test_thresholds_fall_to_the_float32_not_above():
    from smartcore.learn.trees.base import last_at_most

    rng = np.random.default_rng(0)
    t = np.concatenate([rng.normal(size=500), [0.1, -0.1, 1e300, -1e300, 0.0, 1e-45, 1e-60, -1e-60]])
    x = last_at_most(t)
    assert x.dtype == np.float32
    assert (x.astype(np.float64) <= t)[:-6].all() and (np.nextafter(x[:500], np.float32(9)) > t[:500]).all()
    assert x[502] == np.finfo(np.float32).max and x[-2] == 0 and x[-1] < 0


def test_calibration_may_be_chosen():
    model = grown("random_forest", calibration="isotonic")
    assert model.calibration.method == "isotonic"
    assert grown("random_forest", calibration="none").calibration.temperature == 1


def test_what_cannot_be_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no trees 'oak': there is catboost, lightgbm"):
        trees.build("oak", COLUMNS)
    pytest.importorskip("sklearn", reason="part of [test]")
    with pytest.raises(TypeError, match="wind"):
        trees.build("random_forest", COLUMNS, wind=1)
    bare = trees.build("random_forest", COLUMNS)
    for act in (
        lambda: bare.raw(holes(3, 0)),
        lambda: bare.save(tmp_path / "x"),
        lambda: bare.export(tmp_path / "x", contract(), None),
    ):
        with pytest.raises(RuntimeError, match="random_forest is not fitted"):
            act()
    s = series(100, 1)
    blank = Series(s.ts, s.rows, s.mid, np.full_like(s.label, -1))
    with pytest.raises(ValueError, match="95 training and 0 validation rows"):
        trees.build("random_forest", COLUMNS, **SMALL["random_forest"]).fit([s], [blank])
    (tmp_path / "x").write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="no archive of a trained model"):
        trees.load(tmp_path / "x")
    blob = bytearray(archive.pack({"name": "random_forest", "text": list(range(999))}, {}))
    blob[200:220] = bytes(20)
    (tmp_path / "x").write_bytes(blob)
    with pytest.raises(ValueError, match="no archive of a trained model"):
        trees.load(tmp_path / "x")
    (tmp_path / "x").write_bytes(archive.pack({"format": 99}, {}))
    with pytest.raises(ValueError, match="format 99, newer than 1"):
        trees.load(tmp_path / "x")


def test_nothing_is_written_beside_and_nothing_loads_early(tmp_path, monkeypatch):
    pytest.importorskip("catboost", reason="part of [train]")
    monkeypatch.chdir(tmp_path)
    grown("catboost")
    assert list(tmp_path.iterdir()) == []
    code = "import smartcore.learn.trees, smartcore.learn.trees.base, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"lightgbm", "xgboost", "catboost", "sklearn", "onnx", "torch"}
    assert heavy & set(done.stdout.split()) == set()
