"""Model files: what a contract promises is read back, held to, and refused where it does not fit."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import model_files
import numpy as np
import pytest
import streams
from model_files import rows

import smartcore as sc
from smartcore.errors import ContractMismatch, CorruptSnapshot
from smartcore.models import BUILTIN, Contract, Golden, Inputs, Model, State, builtin

GOLDEN = Path(__file__).parent / "golden"
NAMES = ["gbdt", "gru"]


class Columns:
    """A feature set whose fingerprint can be made to lie."""

    release = ""

    def __init__(self, columns):
        self.columns = tuple(columns)

    @property
    def fingerprint(self):
        return self.release + sc.FeatureSet(list(self.columns)).fingerprint


@pytest.fixture(params=NAMES)
def model(request):
    return Model.load(request.param)


@pytest.fixture
def gru():
    return Model.load("gru")


def contract() -> Contract:
    return Contract(
        name="toy", kind="gru", columns=("rsi_14", "spread"), fingerprint="ab12", sample="1s", bars=None,
        horizon="10s", label="up above 1e-4", thresholds=(-1e-4, 1e-4),
        states=(State("h", "h_next", (1, 4)),), warm_up=3, missing="mean", trained_on={"seed": 1},
        calibration={"method": "temperature", "temperature": 1.25},
        metrics={"macro_f1": [0.5, 0.01], "log_loss": float("nan")}, created_with={"torch": "2"},
        horizons=("10s", "60s"),
        golden=Golden(np.float32([[0.1, np.nan], [1e-30, 3.0]]), np.float32([[0.2, 0.3, 0.5]] * 2)),
        inputs=Inputs((0.1, -2e-9), (1.5, 0.0), 3.0), cache_key="k",
    )  # fmt: skip


# --- contract -------------------------------------------------------------------------------------


def test_contract_survives_its_metadata():
    one = contract()
    props = one.to_metadata()
    assert all(key.startswith("smartcore.") or key == "COREML_CACHE_KEY" for key in props)
    assert all(json.loads(text) is not ... for key, text in props.items() if key.startswith("smartcore."))
    two = Contract.from_metadata(props)
    assert replace(two, metrics={}) == replace(one, metrics={})
    assert two.metrics == {"macro_f1": [0.5, 0.01], "log_loss": None}  # JSON has no NaN
    assert two.golden.rows.tobytes() == one.golden.rows.tobytes()
    assert two.width == 2


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda p: p.clear(), "no smartcore contract"),
        (lambda p: p.update({"smartcore.version": "99"}), "layout 99 is newer"),
        (lambda p: p.pop("smartcore.columns"), "damaged.*columns"),
        (lambda p: p.update({"smartcore.states": "{"}), "damaged"),
        (lambda p: p.update({"smartcore.states": '[["h", "h_next", [2, 4]]]'}), "damaged.*says of states"),
        (lambda p: p.update({"smartcore.horizons": '["60s"]'}), "damaged.*says of horizons"),
        (lambda p: p.update({"smartcore.columns": '["spread", "spread"]'}), "damaged.*says of columns"),
        (lambda p: p.update({"smartcore.golden": "[[], [], 1e-4]"}), "damaged.*says of golden"),
    ],
)
def test_foreign_metadata_is_refused(change, says):
    props = contract().to_metadata()
    change(props)
    with pytest.raises(ContractMismatch, match=says):
        Contract.from_metadata(props)


@pytest.mark.parametrize("field", [k for k in contract().to_metadata() if k.startswith("smartcore.")])
def test_damage_is_refused_whatever_it_is(field):
    """Another kind of value anywhere is read or refused in one way, and never breaks the reader."""
    junk = ["", "null", "1", "-1", "0.5", "1e999", "NaN", "true", '"x"', "[]", "[1]", "[[]]", '[["a"]]', '["a", [1]]']
    junk += ["{}", '{"a": [1]}', '[[["x", 1]], [[null]], 1]', "[[[0, 0]], [[null, 1, 1]], 1e-4]", "[" * 3000]
    read = []
    for text in junk:
        props = contract().to_metadata()
        props[field] = text
        try:
            one = Contract.from_metadata(props)
        except ContractMismatch:
            continue
        assert Contract.from_metadata(one.to_metadata()).to_metadata() == one.to_metadata()
        read.append(text)
    assert len(read) <= 3, read


def test_older_contracts_have_one_horizon_and_one_row_a_call():
    props = contract().to_metadata()
    del props["smartcore.horizons"], props["smartcore.dynamic"], props["smartcore.inputs"]
    old = Contract.from_metadata(props)
    assert old.horizons == () and old.dynamic is False and old.inputs is None


# --- the shipped files ----------------------------------------------------------------------------


def test_shipped_models():
    assert set(NAMES) <= set(builtin())


@pytest.mark.parametrize("name", NAMES)
def test_shipped_file_is_small_current_and_has_an_honest_card(name):
    file = BUILTIN / f"{name}.onnx"
    assert file.stat().st_size < 1_000_000
    low, high = Model.load(name).contract.thresholds
    assert low < 0 < high
    card = file.with_suffix(".md").read_text()
    assert "SIMULATED" in card and "not a strategy" in card
    c = Model.load(name).contract
    assert c.name == name and c.fingerprint == sc.FeatureSet(list(c.columns)).fingerprint
    assert c.fingerprint in card
    assert c.trained_on["data"].startswith("SIMULATED")
    assert c.trained_on["rows"] > 0 and int(c.trained_on["rows_hash"], 16)
    assert set(c.columns) <= set(sc.FeatureSet.default().columns)
    walk = next(iter(c.metrics["control"].values()))
    # Labels of ten seconds overlap, so 10^4 rows are a thousand bets and chance alone gives an MCC of about 0.03.
    assert abs(walk["mcc"]) < 0.06, "the recipe finds something in a random walk"
    assert walk["log_loss"] > np.log(3) - 0.003


def test_files_of_older_releases_load():
    files = sorted(GOLDEN.glob("model-layout*.onnx"))
    assert files
    for file in files:
        assert Model.load(file).contract.golden is not None  # and its golden rows gave their scores


@pytest.mark.parametrize("kind", [np.float32, int, list])
def test_rows_of_other_numbers_are_taken(kind):
    model, plain = Model.load("gru"), Model.load("gru")
    row = np.arange(model.contract.width, dtype=np.float64)
    other = row.tolist() if kind is list else row.astype(kind)
    np.testing.assert_array_equal(model.step(other), plain.step(row))


def test_unknown_name_lists_the_shipped_ones():
    with pytest.raises(FileNotFoundError, match="gbdt, gru"):
        Model.load("no_such_model")


def test_provider_is_checked(gru):
    with pytest.raises(ValueError, match="providers='tpu'"):
        Model.load("gru", providers="tpu")
    row = rows(gru, 1)[0]
    np.testing.assert_allclose(Model.load("gru", providers="auto").step(row), gru.step(row), atol=1e-4)


# --- binding --------------------------------------------------------------------------------------


def test_binds_to_the_default_set_and_reads_its_own_columns(model):
    features = sc.FeatureSet.default()
    table = rows(model, 20)
    full = np.random.default_rng(1).normal(size=(20, len(features)))
    full[:, [features.columns.index(c) for c in model.contract.columns]] = table
    expected = model.run(table)
    model.reset()
    np.testing.assert_array_equal(model.bind(features).run(full), expected)
    np.testing.assert_array_equal(Model.load(model.contract.name, features=features).run(full), expected)


def test_missing_columns_are_named(model):
    last = model.contract.columns[-2:]
    with pytest.raises(ContractMismatch, match=f"lacks 2 of them: {last[0]}, {last[1]}"):
        model.bind(Columns(model.contract.columns[:-2]))


def test_columns_computed_otherwise_are_refused(model):
    class Other(Columns):
        release = "x"

    model.bind(Columns(model.contract.columns))
    with pytest.raises(ContractMismatch, match=f"fingerprint {model.contract.fingerprint} in the file, x"):
        model.bind(Other(model.contract.columns))


def test_row_of_another_width_is_refused(model):
    with pytest.raises(ContractMismatch, match="row of 3 values"):
        model.step(np.zeros(3))


# --- stepping -------------------------------------------------------------------------------------


def test_scores_are_probabilities_whatever_is_unknown(model):
    table = rows(model, 200, unknown=0.5)
    table[::10] = np.nan
    table[5, :3] = [np.inf, -np.inf, 1e30]
    scores = model.run(table)
    assert scores.dtype == np.float64 and scores.shape == (200, 3)
    assert np.isfinite(scores).all() and (scores >= 0).all()
    np.testing.assert_allclose(scores.sum(1), 1, atol=1e-6)


def test_each_step_gives_its_own_array(model):
    a, b = rows(model, 2)
    first = model.step(a)
    kept = first.copy()
    model.step(b)
    np.testing.assert_array_equal(first, kept)


def test_missing_counts_the_unknown(model):
    row = rows(model, 1, unknown=0)[0]
    model.step(row)
    assert model.missing == 0
    row[[0, 2]] = np.nan
    model.step(row)
    assert model.missing == 2


def test_ready_after_warm_up(gru):
    assert not gru.ready and gru.contract.warm_up > 0
    gru.run(rows(gru, gru.contract.warm_up))
    assert gru.ready and gru.steps == gru.contract.warm_up
    gru.reset()
    assert not gru.ready


def test_the_state_matters_and_reset_forgets_it(gru):
    table = rows(gru, 30)
    first = gru.run(table)
    assert np.abs(gru.run(table) - first)[0].max() > 1e-4
    gru.reset()
    np.testing.assert_array_equal(gru.run(table), first)


def test_warm_is_history_from_a_fresh_state(gru):
    table = rows(gru, 90)
    gru.run(table[::-1])
    assert gru.warm(table[:70]) is gru and gru.ready and gru.steps == 70
    np.testing.assert_array_equal(gru.run(table[70:]), gru.fork().run(table)[70:])


def test_rehearsal_touches_nothing(model):
    table = rows(model, 20)
    other = model.fork()
    for row in table:
        model.rehearse()
        np.testing.assert_array_equal(model.step(row), other.step(row))
        model.rehearse()
        assert model.snapshot() == other.snapshot() and model.missing == other.missing
        np.testing.assert_array_equal(model.all_scores, other.all_scores)


def test_one_horizon_is_all_horizons(model):
    assert model.all_scores.shape == (1, 3) and np.isnan(model.all_scores).all()
    scores = model.step(rows(model, 1)[0])
    np.testing.assert_array_equal(model.all_scores, scores[None])
    model.reset()
    assert np.isnan(model.all_scores).all()


@pytest.mark.parametrize("name", NAMES)
def test_every_horizon_of_a_net_that_answers_for_several(name, tmp_path):
    pytest.importorskip("onnx", reason="making a file of two horizons needs onnx, part of [train]")
    path = model_files.rewritten(name, tmp_path / "two.onnx", model_files.two_horizons)
    model, plain = Model.load(path), Model.load(name)
    assert model.contract.horizons == ("10s", "60s") and model.all_scores.shape == (2, 3)
    for row in rows(plain, 20):
        scores = model.step(row)
        np.testing.assert_array_equal(scores, plain.step(row))
        near, far = model.all_scores
        np.testing.assert_array_equal(near, scores)
        half = np.sqrt(scores) / np.sqrt(scores).sum()  # what half the logits come to
        np.testing.assert_allclose(far, half, atol=1e-6)
    kept = model.all_scores
    model.step(rows(plain, 1, seed=9)[0])
    assert not np.array_equal(kept, model.all_scores)  # an array of its own


def test_memory_is_kept_alive(model):
    """An OrtValue borrows memory; with nobody to keep it, what it borrowed is soon somebody else's."""
    table = rows(model, 40)
    expected = model.run(table)
    fresh = Model.load(model.contract.name).fork()  # what it was forked of is gone
    gc.collect()
    for row, want in zip(table, expected, strict=True):
        litter = [np.full(size, np.nan, np.float32) for size in (3, 32, 40) for _ in range(100)]
        np.testing.assert_array_equal(fresh.step(row), want)
        del litter


def test_engine_and_model_kept_together_go_on_to_the_last_bit(gru):
    """What a bot writes down before it stops, and takes up when it starts again."""
    events = streams.small()
    engine = sc.Engine(list(gru.contract.columns))
    gru.bind(engine.features)
    half = len(events) // 2
    gru.run(engine.run(events[:half], sample="1s"))
    kept = engine.snapshot(), gru.snapshot()
    expected = gru.run(engine.run(events[half:], sample="1s"))
    assert len(expected) > 30
    engine, model = sc.Engine.restore(kept[0]), Model.load("gru")
    model.bind(engine.features).restore(kept[1])
    np.testing.assert_array_equal(model.run(engine.run(events[half:], sample="1s")), expected)


def test_fork_has_a_state_of_its_own(gru):
    table = rows(gru, 30)
    first = gru.run(table)
    other = gru.fork()
    gru.run(table)
    np.testing.assert_array_equal(other.run(table), first)


@pytest.mark.parametrize("at", [0, 1, 2, 7])
def test_restored_is_bit_equal(model, at):
    table = rows(model, 40)
    model.run(table[:at])
    blob = model.snapshot()
    expected = model.run(table[at:])
    model.restore(blob)
    assert model.steps == at
    np.testing.assert_array_equal(model.run(table[at:]), expected)
    fresh = model.fork()
    fresh.restore(blob)
    np.testing.assert_array_equal(fresh.run(table[at:]), expected)


def test_damaged_or_foreign_snapshot_changes_nothing(gru):
    table = rows(gru, 10)
    gru.run(table[:5])
    blob = gru.snapshot()
    expected = gru.run(table[5:])
    gru.restore(blob)
    flipped = bytearray(blob)
    flipped[-1] ^= 1
    for bad in (b"", b"nonsense", blob[:-4], bytes(flipped)):
        with pytest.raises(CorruptSnapshot):
            gru.restore(bad)
    with pytest.raises(ContractMismatch, match="another model"):
        gru.restore(Model.load("gbdt").snapshot())
    np.testing.assert_array_equal(gru.run(table[5:]), expected)


def test_stepping_does_not_grow(model):
    table = rows(model, 100)
    for _ in range(10):
        model.run(table)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for i in range(10_000):
            model.step(table[i % 100])
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 2_000


# --- what is imported when ------------------------------------------------------------------------


def loaded(code: str) -> set[str]:
    heavy = ["torch", "onnx", "onnxruntime", "pandas", "numba", "lightgbm", "sklearn"]
    text = f"{code}\nimport sys; print(*(m for m in {heavy} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_models_needs_numpy_only():
    assert loaded("import smartcore.models") == set()


def test_loading_and_stepping_needs_onnxruntime_only():
    code = """
import numpy as np
from smartcore.models import Model
for name in ("gru", "gbdt"):
    m = Model.load(name)
    m.step(np.zeros(m.contract.width))"""
    assert loaded(code) == {"onnxruntime"}


# --- files that do not keep their promise ---------------------------------------------------------


def rewritten(name: str, path: Path, change) -> Path:
    onnx = pytest.importorskip("onnx", reason="rewriting a model file needs onnx, part of [train]")
    file = onnx.load(str(BUILTIN / f"{name}.onnx"))
    props = {p.key: p.value for p in file.metadata_props}
    change(props)
    del file.metadata_props[:]
    onnx.helper.set_model_props(file, props)
    onnx.save(file, str(path))
    return path


def test_other_scores_than_when_exported_are_refused(tmp_path):
    def change(props):
        golden_rows, scores, tolerance = json.loads(props["smartcore.golden"])
        scores[3] = [s + 0.01 for s in scores[3]]
        props["smartcore.golden"] = json.dumps([golden_rows, scores, tolerance])

    path = rewritten("gru", tmp_path / "odd.onnx", change)
    with pytest.raises(ContractMismatch, match=r"golden rows differ by 0\.01"):
        Model.load(path)
    assert Model.load(path, verify=False).contract.name == "gru"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("horizons", ["10s", "60s"]),
        ("states", [["h", "h_next", [1, 9]]]),
        ("dynamic", True),
        ("golden", None),  # and a column less
    ],
)
def test_a_graph_other_than_its_contract_is_refused(tmp_path, key, value):
    def change(props):
        props[f"smartcore.{key}"] = json.dumps(value)
        if key == "golden":
            props["smartcore.columns"] = json.dumps(json.loads(props["smartcore.columns"])[:-1])
            del props["smartcore.inputs"]

    with pytest.raises(ContractMismatch, match="its contract says"):
        Model.load(rewritten("gbdt", tmp_path / "odd.onnx", change))


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "odd.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(ContractMismatch, match=r"cannot open odd.onnx"):
        Model.load(path)


def test_a_file_without_a_contract_is_refused(tmp_path):
    with pytest.raises(ContractMismatch, match="no smartcore contract"):
        Model.load(rewritten("gbdt", tmp_path / "plain.onnx", dict.clear))
