"""Blends against plain arithmetic, folds that no label crosses, ensembles of members, files fused into one."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from smartcore.errors import ContractMismatch
from smartcore.kernels import labels
from smartcore.learn import blend, ensemble, estimator, trees
from smartcore.learn.data import Series
from smartcore.learn.evaluate import scores
from smartcore.models import Contract, Model

pytest.importorskip("onnx", reason="ensembles are exported by onnx, part of [test]")
pytest.importorskip("sklearn", reason="the stacker is scikit-learn's, part of [test]")
pytest.importorskip("lightgbm", reason="members are LightGBM's, part of [test]")
torch = pytest.importorskip("torch", reason="members are nets, part of [test]")
torch.set_num_threads(1)

COLUMNS = ("volatility_20", "rsi_14", "spread", "microprice", "ofi_l1_10s")
SECOND = 10**9
GRU = {
    "name": "gru", "hidden": 6, "encoder": 8, "rounds": 5, "updates": 12, "batch": 8, "length": 32, "burn": 4,
    "rate": 0.03,
}  # fmt: skip
TREES = {"name": "lightgbm", "rounds": 6, "leaves": 6, "least": 10}
FOREST = {"name": "random_forest", "trees": 6, "depth": 4, "least": 10}
MEMBERS = (GRU, TREES, FOREST)


def series(n: int, seed: int, classes: int = 3, start: int = 0, unknown: float = 0.1) -> Series:
    """The first target is a remembered function of one column where the first column is high, else of another."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5)).astype(np.float32)
    signals = np.where(x[:, 0] > 0, x[:, 1], x[:, 2]), np.convolve(x[:, 3], [1, 0.5])[:n]
    edges = (-0.5, 0.5) if classes == 3 else (0.1, np.inf)
    label = np.stack([labels.classify(s + 0.3 * rng.normal(size=n), *edges) for s in signals], 1).astype(np.int8)
    label[-5:] = -1
    x[rng.random(x.shape) < unknown] = np.nan
    return Series((start + np.arange(n)) * SECOND, x, np.ones(n), label)


def contract(classes: int = 3, columns=COLUMNS) -> Contract:
    import smartcore as sc

    return Contract(
        name="toy", kind="", columns=tuple(columns), fingerprint=sc.FeatureSet(list(columns)).fingerprint, sample="1s",
        bars="1s", horizon="5s", label="toy", classes=("down", "flat", "up") if classes == 3 else ("down", "up"),
    )  # fmt: skip


# --- blends ---------------------------------------------------------------------------------------


def judged(classes: int = 3, n: int = 3000, seed: int = 0):
    """Probabilities (n, 3, classes) of which the first model's are true, the second's bold, the third's noise; labels;
    rows of which some of the first two columns are unknown."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, classes))
    prob = np.stack([_softmax(z), _softmax(3 * z), rng.dirichlet(np.ones(classes), n)], axis=1)
    label = (prob[:, 0].cumsum(1) < rng.random((n, 1))).sum(1)
    rows = rng.normal(size=(n, 5)).astype(np.float32)
    rows[:, 1] = np.round(rows[:, 1])  # few values: cuts lie on them
    rows[rng.random(rows.shape) < 0.1] = np.nan
    rows[:3, 0] = np.inf, -np.inf, 1e30
    return prob, label, rows


def _softmax(z):
    e = np.exp(z - z.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def fitted_blends(classes: int) -> dict[str, blend.Blend]:
    prob, label, rows = judged(classes)
    return {
        "average": blend.Average.fit(prob, label),
        "stacker": blend.Stacker.fit(prob, label),
        "one regime column": blend.Regimes.fit(prob, label, rows, COLUMNS, COLUMNS[:1], 4),
        "two regime columns": blend.Regimes.fit(prob, label, rows, COLUMNS, COLUMNS[:2], 3, strength=10.0),
    }


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("dynamic", [False, True])
def test_blends_in_the_graph_are_those_in_numpy(classes, dynamic):
    from onnx import TensorProto, checker, helper
    from onnxruntime import InferenceSession

    from smartcore.learn.export import IR, OPSET

    prob, _, rows = judged(classes, 600, seed=1)
    rows[3] = np.nan
    first = "b" if dynamic else 1
    for name, found in fitted_blends(classes).items():
        nodes, values = found.nodes(["p0", "p1", "p2"], "row", COLUMNS, classes, "out")
        shapes = {"row": [first, 5], **{p: [first, classes] for p in ("p0", "p1", "p2", "out")}}
        *inputs, output = (helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in shapes.items())
        graph = helper.make_graph(nodes, "blend", inputs, [output], values)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
        checker.check_model(model, full_check=True)
        session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        step = 100 if dynamic else 1
        out = [
            session.run(None, {"row": rows[i : i + step], **{f"p{m}": p32[i : i + step, m] for m in range(3)}})[0]
            for p32 in [prob.astype(np.float32)]
            for i in range(0, 600 if dynamic else 60, step)
        ]
        expected = found.logits(prob, rows, COLUMNS)
        np.testing.assert_allclose(np.concatenate(out), expected[: 600 if dynamic else 60], atol=2e-6, err_msg=name)
        assert {n.split(".")[0] for node in nodes for n in node.output} == {"out"}


def test_blends_come_back_from_their_records():
    prob, _, rows = judged(3, 50, seed=2)
    for found in fitted_blends(3).values():
        assert json.loads(json.dumps(found.record())) == found.record()
        again = blend.of(found.record())
        assert again == found
        np.testing.assert_array_equal(again.logits(prob, rows, COLUMNS), found.logits(prob, rows, COLUMNS))


def test_weights_follow_the_loss():
    prob, label, _ = judged()
    loss = blend.losses(prob, label)
    assert loss.shape == (3000, 3)
    np.testing.assert_allclose(loss[:, 1], -np.log(np.maximum(prob[np.arange(3000), 1, label], 1e-6)))
    best = blend.Average.fit(prob, label).weights
    assert best[0] > 0.99 and sum(best) == pytest.approx(1)
    np.testing.assert_allclose(blend.weigh([1.0, 1.01, 1.02]), np.exp([0, -1, -2]) / np.exp([0, -1, -2]).sum())
    np.testing.assert_allclose(blend.weigh([[1.0, 2.0], [3.0, 3.0]], "inverse"), [[2 / 3, 1 / 3], [0.5, 0.5]])
    np.testing.assert_allclose(blend.weigh([1.0, 9.0], "equal"), 0.5)
    with pytest.raises(ValueError, match="weights 'best': one of softmax, inverse, equal"):
        blend.weigh([1.0], "best")


def test_stacker_learns_whom_to_believe():
    prob, label, rows = judged()
    found = blend.Stacker.fit(prob, label)
    fresh, truth, _ = judged(seed=5)
    mine = _softmax(found.logits(fresh, rows, COLUMNS))
    loss = [scores(p, truth)["log_loss"] for p in (mine, *np.moveaxis(fresh, 1, 0))]
    assert loss[0] < loss[1] + 0.01 < min(loss[2:])
    with pytest.raises(ValueError, match=r"classes \[0, 1\] only: nothing to learn of the other 3"):
        blend.Stacker.fit(prob, np.minimum(label, 1))


def test_regimes_are_buckets_of_columns():
    _, label, rows = judged()
    prob = np.tile([[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]], (3000, 1, 1))
    label = np.where(rows[:, 0] > 0.5, 2, 0)  # the second model is right where the column is high
    found = blend.Regimes.fit(prob, label, rows, COLUMNS, COLUMNS[:1], 4, strength=1.0)
    known = rows[np.isfinite(rows[:, 0]), 0].astype(float)
    np.testing.assert_allclose(found.cuts[0], np.quantile(known, [0.25, 0.5, 0.75]), rtol=1e-6)
    weights = np.array(found.weights)
    assert found.shape == (5,) and (weights[:2, 0] > 0.99).all() and weights[3, 1] > 0.99
    at = found.regimes(np.array([[c] * 5 for c in (*found.cuts[0], -9, 9, np.nan, np.inf)]), COLUMNS)
    assert at.tolist() == [0, 1, 2, 0, 3, 4, 4]  # a cut belongs below it, the unknown has its own
    never = blend.Regimes.fit(prob, label, rows, COLUMNS, COLUMNS[:1], 4, strength=1e9)
    np.testing.assert_allclose(never.weights, np.tile(never.weights[0], (5, 1)), atol=1e-3)
    with pytest.raises(ValueError, match="'rsi_14' is never known"):
        blend.Regimes.fit(prob, label, np.full_like(rows, np.nan), COLUMNS, ["rsi_14"])


# --- folds ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("embargo", [0, 7])
def test_no_label_crosses_a_fold(embargo):
    market = [series(200, 1), series(150, 2, start=120), series(80, 3, start=500)]  # two at once, one later
    horizon = 5 * SECOND
    times = 0
    for rest, inside in ensemble.folds(market, 4, ensemble.label_ends(market), embargo * SECOND):
        mine = np.concatenate([s.ts[i] for s, i in zip(market, inside, strict=True)])
        start, end = mine.min(), mine.max()
        times += len(mine)
        assert 60 < len(mine) < 160
        for s in rest:
            assert (np.diff(s.ts) == SECOND).all() and s.label.shape == (len(s), 2) == (len(s.rows), 2)
            assert (s.ts + horizon < start).all() or (s.ts > end + horizon + embargo * SECOND).all()
        # and no more is left out than that
        left = sum(map(len, rest))
        gone = sum(((s.ts + horizon >= start) & (s.ts <= end + horizon + embargo * SECOND)).sum() for s in market)
        assert left == 430 - gone
    assert times == 430  # each row is in one fold


def test_cut_recordings_keep_their_weights():
    s = replace(series(100, 1), weight=np.arange(100, dtype=np.float32))
    for rest, _ in ensemble.folds([s], 2, [s.ts + SECOND]):
        for part in rest:
            np.testing.assert_array_equal(part.weight, part.ts / SECOND)


def test_how_far_labels_look_is_seen_or_asked_for():
    s, slow = series(100, 1), series(100, 2)
    slow = replace(slow, ts=np.where(np.arange(100) < 50, 60, 1) * np.arange(100) * SECOND)  # an hour, then two minutes
    slow = replace(slow, ts=np.sort(slow.ts))
    for found, one in zip(ensemble.label_ends([s, slow]), (s, slow), strict=True):
        tail = max(5 * SECOND, slow.ts[-1] - slow.ts[-6])
        rows = one.ts[np.minimum(np.arange(100) + 5, 99)]
        np.testing.assert_array_equal(found, np.maximum(one.ts + tail, rows))
    np.testing.assert_array_equal(ensemble.label_ends([s], 7)[0], s.ts + 7)
    with pytest.raises(ValueError, match="give horizon"):
        ensemble.label_ends([replace(s, label=np.abs(s.label))])
    with pytest.raises(ValueError, match="leave nothing to learn from"):
        list(ensemble.folds([s], 2, ensemble.label_ends([s], 99 * SECOND)))


# --- ensembles ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def market():
    return [series(500, 1), series(400, 2, start=900)], [series(400, 3, start=2000)], series(500, 4, start=3000)


@pytest.fixture(scope="module", params=["average", "stacking", "dynamic"])
def fitted(request, market):
    train, valid, _ = market
    config = {} if request.param == "stacking" else {"weights": "inverse"}  # so that every member has a part in it
    model = estimator.build(request.param, COLUMNS, targets=2, members=MEMBERS, folds=2, **config)
    return model.fit(train, valid, seed=1)


def test_they_learn_every_target(fitted, market):
    test = market[2]
    logits = fitted.logits([test])
    assert logits.shape == (500, 2, 3)
    prob = estimator.probabilities(fitted, [test])
    np.testing.assert_allclose(prob.sum(2), 1)
    told = fitted.told([test])
    for t in range(2):
        truth = test.label[:, t]
        own = scores(prob[:, t], truth)["log_loss"]
        alone = [scores(told[:, m, t], truth)["log_loss"] for m in range(3)]
        assert own < np.mean(alone) and own < np.log(3) - 0.05
        np.testing.assert_allclose(fitted.prob(test.rows, t), prob[:, t])
    assert fitted.names == ("gru", "lightgbm", "random_forest") and np.shape(fitted.losses) == (2, 3)


def test_members_are_weighed_again_as_if_fitted_so(fitted, market):
    train, valid, test = market
    for name in ensemble.ENSEMBLES:
        again = fitted.another(name, train, valid, **({} if name == "stacking" else {"weights": "inverse"}))
        assert again.members is fitted.members
        same = np.array_equal(again.logits([test]), fitted.logits([test]))
        assert same == (name == fitted.name)
    fresh = ensemble.build(fitted.name, COLUMNS, members=MEMBERS)
    with pytest.raises(RuntimeError, match="not fitted here"):
        fresh.another("average", train, valid)


def test_agreement_is_shared_probability(fitted, market):
    test = market[2]
    found = fitted.agreement([test])
    assert found.shape == (500, 2) and (found > 0).all() and (found <= 1 + 1e-12).all()
    told, prob = fitted.told([test]), estimator.probabilities(fitted, [test])
    apart = np.abs(told - prob[:, None]).sum(3).mean(1) / 2  # total variation
    np.testing.assert_allclose(found, 1 - apart, atol=1e-12)
    fitted.members, kept = fitted.members[:1] * 3, fitted.members
    try:
        assert fitted.agreement([test]).mean() > found.mean()
    finally:
        fitted.members = kept


def test_the_file_of_all_is_all(fitted, market, tmp_path):
    """Hundreds of ticks with a twentieth, half and all of the values unknown; one graph, states inside."""
    from smartcore.learn.check import batched

    path, wide = tmp_path / "toy.onnx", tmp_path / "wide.onnx"
    rows = market[2].rows
    written = fitted.export(path, contract(), rows[:6], target=1)
    model = Model.load(path)
    assert model.contract == written and written.kind == fitted.name and written.golden is not None
    assert [s.input.split(".")[0] for s in written.states] == ["0"] and written.warm_up > 0
    assert [p["name"] for p in written.calibration["parts"]] == list(fitted.names)
    told = fitted.told([market[2]])[:, :, 1]
    for m in range(3):  # no member could be left out unnoticed
        other = told.copy()
        other[:, m] = 1 / 3
        changed = fitted.blends[1].logits(other, rows, COLUMNS) - fitted.blends[1].logits(told, rows, COLUMNS)
        assert np.abs(changed).max() > 0.05
    for share in (0.05, 0.5, 1):
        holes = np.where(np.random.default_rng(0).random(rows.shape) < share, np.float32(np.nan), rows)
        model.reset()
        np.testing.assert_allclose(model.run(holes), fitted.prob(holes, 1), atol=2e-6)
    if fitted.name == "dynamic":
        fitted.export(wide, contract(), rows[:6], target=1, dynamic=True)
        assert batched(wide, path, rows) < 1e-6


def test_their_file_reads_back_to_the_bit(fitted, market, tmp_path):
    path = tmp_path / "toy.model"
    fitted.save(path)
    other = estimator.load(path)
    assert type(other) is type(fitted) and (other.columns, other.names) == (COLUMNS, fitted.names)
    assert other.blends == fitted.blends and other.calibrations == fitted.calibrations
    assert other.config == fitted.config and other.losses == fitted.losses
    np.testing.assert_array_equal(other.logits([market[2]]), fitted.logits([market[2]]))


def test_members_are_weighed_by_rows_they_have_not_seen(market):
    """A forest that learns its rows by heart looks best on them; out of fold it is noise, and gets no weight."""
    heart = {"name": "random_forest", "trees": 1, "depth": 30, "least": 1, "features": 1.0, "rows": 1.0, "drop": 0.0}
    train, valid, _ = market
    model = ensemble.build("average", COLUMNS, members=(heart, TREES), folds=3).fit(train, valid)
    rows, truth, _ = trees.base.stack(train)
    own = [scores(m.prob(rows), truth)["log_loss"] for m in model.members]
    assert own[0] < own[1] and model.losses[0][0] > model.losses[0][1]
    assert model.blends[0].weights[0] < 0.1


def test_the_choice_follows_the_regime(market):
    """One member sees the column that counts when the first is high, the other the one that counts when it is low."""
    train, valid, test = market
    model = ensemble.build("dynamic", COLUMNS, members=(TREES, TREES), folds=2, buckets=2, strength=1.0)

    class Half:
        """Knows the truth where the first column has one sign, and nothing elsewhere."""

        def __init__(self, sign):
            self.sign, self.calibrations = sign, (model.calibration,)

        def fit(self, *_):
            return self

        def logits(self, series):
            s = series[0] if len(series) == 1 else _joined(series)
            told = 3.0 * np.eye(3)[np.maximum(s.label[:, 0], 0)]
            return np.where((self.sign * s.rows[:, 0] > 0)[:, None], told, 0)[:, None]

    model._member = lambda i: Half(1 if i else -1)
    model.fit(train, valid)
    (low, high, unknown) = model.blends[0].weights
    assert low[0] > 0.9 and high[1] > 0.9 and abs(unknown[0] - unknown[1]) < 0.9
    known = test.label[:, 0] >= 0
    seen = known & np.isfinite(test.rows[:, 0])
    assert (model.prob(test.rows)[seen].argmax(1) == 0).any()
    hit = (estimator.probabilities(model, [test])[seen, 0].argmax(1) == test.label[seen, 0]).mean()
    assert hit > 0.95


def _joined(series):
    return Series(*(np.concatenate([getattr(s, f) for s in series]) for f in ("ts", "rows", "mid", "label")))


def test_a_seed_makes_them_again(market):
    train, valid, test = market
    config = {"members": (TREES, FOREST), "folds": 2}
    a, b, c = (ensemble.build("stacking", COLUMNS, **config).fit(train, valid, s).logits([test]) for s in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 1e-3


def test_two_classes_too(tmp_path):
    train, valid = [series(600, 1, 2)], [series(300, 2, 2)]
    for name in ("stacking", "dynamic"):
        model = ensemble.build(name, COLUMNS, classes=2, members=(TREES, FOREST), folds=2).fit(train, valid)
        model.export(tmp_path / "toy.onnx", contract(2), valid[0].rows[:6])
        rows = valid[0].rows
        np.testing.assert_allclose(Model.load(tmp_path / "toy.onnx").run(rows), model.prob(rows), atol=2e-6)


def test_a_target_that_validation_cannot_judge_stays_uncalibrated():
    """As with a net alone."""
    train, valid = series(300, 1), series(200, 2, start=1000)
    valid.label[:, 1] = -1
    model = ensemble.build("average", COLUMNS, targets=2, members=(GRU | {"rounds": 1, "updates": 2},), folds=2)
    model.fit([train], [valid])
    assert [c.method for c in model.calibrations] == ["temperature", "none"]
    np.testing.assert_allclose(estimator.probabilities(model, [valid]).sum(2), 1)


def test_what_cannot_be_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no ensemble 'vote': there is average"):
        ensemble.build("vote", COLUMNS)
    with pytest.raises(ValueError, match="oak"):
        ensemble.build("average", COLUMNS, members=("oak",))
    with pytest.raises(ValueError, match="no column 'x' to tell the regime by"):
        ensemble.build("dynamic", COLUMNS, members=(TREES,), regime=["x"])
    with pytest.raises(ValueError, match="name the columns that tell the regime"):
        ensemble.build("dynamic", ("a", "b"), members=(TREES,)).fit([], [])
    with pytest.raises(TypeError, match="luck"):
        ensemble.build("stacking", COLUMNS, members=(TREES,), luck=1)
    with pytest.raises(ValueError, match="members of average: one or more"):
        ensemble.build("average", COLUMNS, members=())
    with pytest.raises(ValueError, match="members have no checkpoint"):
        ensemble.build("average", COLUMNS, members=(GRU | {"checkpoint": "gru.pt"},))
    bare = ensemble.build("average", COLUMNS, members=(TREES,))
    for act in (
        lambda: bare.logits([series(10, 1)]),
        lambda: bare.save(tmp_path / "x"),
        lambda: bare.export(tmp_path / "x", contract(), None),
    ):
        with pytest.raises(RuntimeError, match="average is not fitted"):
            act()


# --- fused files ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def parts(market, tmp_path_factory):
    """Files of a net and of trees that read different columns, in different orders, and what each gives alone."""
    folder = tmp_path_factory.mktemp("parts")
    train, valid, test = market
    files = []
    for member, take in ((GRU, [2, 0, 3]), (TREES, [4, 1, 0, 3]), (FOREST, [0, 1, 2, 3, 4])):
        columns = [COLUMNS[i] for i in take]
        config = {k: v for k, v in member.items() if k != "name"}
        cut = [[replace(s, rows=s.rows[:, take], label=s.label[:, :1]) for s in part] for part in (train, valid)]
        model = estimator.build(member["name"], columns, **config).fit(*cut)
        path = folder / f"{member['name']}.onnx"
        model.export(path, replace(contract(columns=columns), name=member["name"]), test.rows[:6, take])
        files.append(path)
    return files


def test_fused_is_its_parts_side_by_side(parts, market, tmp_path):
    from smartcore.learn.calibrate import Calibration
    from smartcore.learn.fuse import fuse

    rows = np.concatenate([market[2].rows, series(200, 8, unknown=0.6).rows])
    weights = blend.Average((0.5, 0.2, 0.3))
    path = tmp_path / "fused.onnx"
    made = fuse(parts, path, blend=weights, calibration=Calibration("temperature", 0.8), golden=rows[:5])
    whole = Model.load(path)
    assert made.kind == "fused" and set(made.columns) == set(COLUMNS) and len(made.columns) == 5
    assert made.columns[:3] == ("spread", "volatility_20", "microprice")  # the net's own, side by side
    assert [p["kind"] for p in made.calibration["parts"]] == ["gru", "lightgbm", "random_forest"]
    assert made.missing.count("lightgbm, random_forest: takes the branch") == 1 and "gru: " in made.missing
    import smartcore as sc

    features = sc.FeatureSet(list(COLUMNS))
    whole.bind(features)
    table = rows.astype(float)
    told = np.stack([Model.load(part, features=features).run(table) for part in parts], axis=1)
    assert len(table) > 600
    np.testing.assert_allclose(
        whole.run(table), Calibration("temperature", 0.8).prob(weights.logits(told, rows, COLUMNS)), atol=1e-6
    )
    blob = whole.snapshot()
    again = whole.run(table[:9])
    whole.restore(blob)
    np.testing.assert_array_equal(whole.run(table[:9]), again)


def test_fused_files_can_be_fused(parts, market, tmp_path):
    """A choice by regime over a part that is fused itself: its slice of the row moves with the columns."""
    from smartcore.learn.fuse import fuse

    one, two = tmp_path / "one.onnx", tmp_path / "two.onnx"
    gate = blend.Regimes(("volatility_20",), ((0.1,),), ((0.9, 0.1), (0.2, 0.8), (0.5, 0.5)))
    fuse(parts[:2], one, blend=gate, golden=None)
    made = fuse([parts[2], one], two, golden=market[2].rows[:4])
    assert [s.input for s in made.states] == ["1.0.h"]
    import smartcore as sc

    features = sc.FeatureSet(list(COLUMNS))
    table = market[2].rows.astype(float)
    a, b, c = (Model.load(p, features=features).run(table) for p in parts)
    rows = market[2].rows
    inner = _softmax(gate.logits(np.stack([a, b], 1), rows, COLUMNS))
    np.testing.assert_allclose(Model.load(two, features=features).run(table), (inner + c) / 2, atol=1e-6)


@pytest.mark.slow
def test_the_recipe_runs_from_simulation_to_checked_file(tmp_path):
    for library in ("xgboost", "catboost"):
        pytest.importorskip(library, reason="the recipe has members of four libraries, part of [test]")
    script = Path(__file__).resolve().parent.parent / "export" / "ensemble.py"
    done = subprocess.run([sys.executable, script, "--quick"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout and "out-of-fold" in done.stdout
    told = Model.load(tmp_path / "out" / "ensemble.onnx").contract
    assert told.kind == "stacking" and len(told.calibration["parts"]) == 5
    assert "not a strategy" in (tmp_path / "out" / "ensemble.md").read_text()


@pytest.mark.slow
def test_the_measurement_of_a_whole_inference_runs(tmp_path):
    for library in ("xgboost", "catboost"):
        pytest.importorskip(library, reason="four libraries are measured, part of [test]")
    out = tmp_path / "out.json"
    script = Path(__file__).resolve().parent.parent / "bench" / "fused.py"
    done = subprocess.run([sys.executable, script, "--quick", "--json", out], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text())
    assert result["differs"] < 1e-6 and set(result["goal"]) == {"p50_us", "p99_us"} and len(result["steps"]) == 9


def test_scattered_columns_are_gathered():
    from smartcore.learn.blend import Graph
    from smartcore.learn.fuse import _taken

    runs = ["Slice", "Slice", "Slice", "Concat"]
    for index, ops in (([3, 4, 5], ["Slice"]), ([0, 1, 7, 5, 6], runs), (range(0, 40, 2), ["Gather"])):
        cut = Graph("cut")
        _taken(cut, list(index))
        assert [node.op_type for node in cut.nodes] == ops


def test_parts_that_disagree_are_refused(parts, market, tmp_path):
    import onnx

    from smartcore.learn.fuse import fuse

    def other(path, **change):
        model = onnx.load(str(path))
        told = Contract.from_metadata({p.key: p.value for p in model.metadata_props})
        del model.metadata_props[:]
        onnx.helper.set_model_props(model, replace(told, **change).to_metadata())
        onnx.save(model, str(tmp_path / "other.onnx"))
        return tmp_path / "other.onnx"

    for change, says in (
        ({"horizon": "9s"}, "horizon is '5s' in 'gru', '9s' in 'lightgbm'"),
        ({"sample": "bar"}, "sample is '1s'"),
        ({"dynamic": True}, "dynamic is False"),
        ({"fingerprint": "x"}, "trained on columns of these names, computed otherwise: fingerprint x"),
    ):
        with pytest.raises(ContractMismatch, match=says):
            fuse([parts[0], other(parts[1], **change)], tmp_path / "fused.onnx")
    with pytest.raises(ContractMismatch, match="same columns, computed otherwise"):
        fuse([parts[2], other(parts[2], fingerprint="x")], tmp_path / "fused.onnx")
    model = onnx.load(str(parts[0]))
    model.opset_import[0].version = 18
    onnx.save(model, str(tmp_path / "old.onnx"))
    with pytest.raises(ValueError, match=r"operators of ai\.onnx 18"):
        fuse([tmp_path / "old.onnx", parts[1]], tmp_path / "fused.onnx")
