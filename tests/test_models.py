"""Model files: what a contract promises is read back, held to, and refused where it does not fit."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import smartcore as sc
from smartcore.errors import ContractMismatch, CorruptSnapshot
from smartcore.models import BUILTIN, Contract, Golden, Model, State, builtin

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


def rows(model: Model, n: int, seed: int = 0, unknown: float = 0.05) -> np.ndarray:
    """Raw rows (n, columns) around the model's golden ones, some values unknown."""
    rng = np.random.default_rng(seed)
    golden = np.nan_to_num(model.contract.golden.rows.astype(float))
    table = golden[rng.integers(len(golden), size=n)] * rng.lognormal(0, 0.5, (n, golden.shape[1]))
    return np.where(rng.random(table.shape) < unknown, np.nan, table)


def contract() -> Contract:
    return Contract(
        name="toy", kind="gru", columns=("rsi_14", "spread"), fingerprint="ab12", sample="1s", bars=None,
        horizon="10s", label="up above 1e-4", thresholds=(-1e-4, 1e-4),
        states=(State("h", "h_next", (1, 4)),), warm_up=3, missing="mean", trained_on={"seed": 1},
        calibration={"method": "temperature", "temperature": 1.25},
        metrics={"macro_f1": [0.5, 0.01], "log_loss": float("nan")}, created_with={"torch": "2"},
        golden=Golden(np.float32([[0.1, np.nan], [1e-30, 3.0]]), np.float32([[0.2, 0.3, 0.5]] * 2)),
        cache_key="k",
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
    ],
)
def test_foreign_metadata_is_refused(change, says):
    props = contract().to_metadata()
    change(props)
    with pytest.raises(ContractMismatch, match=says):
        Contract.from_metadata(props)


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


def test_a_graph_other_than_its_contract_is_refused(tmp_path):
    def change(props):
        props["smartcore.columns"] = json.dumps(json.loads(props["smartcore.columns"])[:-1])

    with pytest.raises(ContractMismatch, match="its contract says"):
        Model.load(rewritten("gbdt", tmp_path / "odd.onnx", change))


def test_a_file_without_a_contract_is_refused(tmp_path):
    with pytest.raises(ContractMismatch, match="no smartcore contract"):
        Model.load(rewritten("gbdt", tmp_path / "plain.onnx", dict.clear))
