"""Models run by ONNX Runtime's C interface: the scores, states and refusals of smartcore.Model."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import model_files
import numpy as np
import pytest

import smartcore as sc
from smartcore import _core
from smartcore.errors import ContractMismatch, CorruptSnapshot
from smartcore.models import BUILTIN, Contract, Model, builtin
from smartcore.models import native as native_models
from smartcore.models.native import VARIABLE, NativeModel, library

try:
    library()
except FileNotFoundError as absent:
    pytest.skip(str(absent), allow_module_level=True)

YES, NOTHING, FAILED = 0, 1, 2


@pytest.fixture(params=builtin())
def pair(request):
    """A shipped file by Python's onnxruntime and by its C interface."""
    return Model.load(request.param), NativeModel.load(request.param)


def test_scores_states_and_counts_are_those_of_python(pair):
    python, native = pair
    table = model_files.rows(python, 300, unknown=0.1)
    for row in table:
        told, said = python.step(row), native.step(row)
        assert np.array_equal(told, said)  # the same kernels of the same release: to the bit
        assert native.missing == python.missing and native.steps == python.steps and native.ready == python.ready
        assert np.array_equal(native.all_scores, python.all_scores)
    assert native.snapshot() == python.snapshot()


@pytest.mark.parametrize(("name", "targets"), [("lstm", 1), ("tcn", 2), ("streaming_transformer", 1), ("bin_ctabl", 1)])
def test_exported_nets(name, targets, tmp_path):
    pytest.importorskip("torch")
    path = model_files.net(name, tmp_path / "net.onnx", targets)
    python, native = Model.load(path), NativeModel.load(path)
    table = model_files.rows(python, 150)
    assert np.abs(python.run(table) - native.run(table)).max() <= 1e-6
    assert np.abs(python.all_scores - native.all_scores).max() <= 1e-6
    assert len(native.snapshot()) == len(python.snapshot()) > 48


def test_unknown_columns_only(pair):
    python, native = pair
    row = np.full(python.contract.width, np.nan)
    assert np.array_equal(python.step(row), native.step(row)) and native.missing == python.contract.width


def test_either_takes_up_what_the_other_left(pair):
    python, native = pair
    table = model_files.rows(python, 40)
    python.run(table[:21])
    native.restore(python.snapshot())
    assert np.array_equal(python.run(table[21:]), native.run(table[21:]))
    python.reset()
    python.restore(native.snapshot())
    assert np.array_equal(python.step(table[0]), native.step(table[0]))
    other = NativeModel.of(python)
    assert np.array_equal(python.step(table[1]), other.step(table[1])) and other.steps == python.steps


def test_snapshots_that_do_not_fit_change_nothing(pair):
    _, native = pair
    native.run(model_files.rows(native, 3))
    before = native.snapshot()
    damaged = bytearray(before)
    damaged[-1] ^= 1
    for blob, error in ((b"", CorruptSnapshot), (bytes(damaged), CorruptSnapshot), (before[:40], CorruptSnapshot)):
        with pytest.raises(error):
            native.restore(blob)
        with pytest.raises(ValueError, match="snapshot"):
            native._restore(blob)  # the core does not rely on Python having looked
    (stranger,) = [name for name in builtin() if name != native.contract.name][:1]
    with pytest.raises(ContractMismatch, match="another model"):
        native.restore(Model.load(stranger).snapshot())
    with pytest.raises(ValueError, match="another model"):
        native._restore(Model.load(stranger).snapshot())
    assert native.snapshot() == before


def test_rows_of_a_feature_set(pair):
    python, native = pair
    features = sc.FeatureSet.default()
    row = np.random.default_rng(1).lognormal(size=len(features))
    assert np.array_equal(python.bind(features).step(row), native.bind(features).step(row))
    assert np.array_equal(native.fork().step(row), native._file and python.fork().step(row))
    with pytest.raises(ContractMismatch, match="row of"):
        native.step(row[1:])
    with pytest.raises(ValueError, match="values where"):
        native._infer(row[1:])
    with pytest.raises(ValueError, match="outside"):
        native._place([len(features)] * native.contract.width, len(features))


def test_rehearsal_moves_nothing(pair):
    python, native = pair
    table = model_files.rows(python, 20)
    for row in table:
        before = native.snapshot(), native.all_scores
        native.rehearse()
        assert native.snapshot() == before[0] and np.array_equal(native.all_scores, before[1], equal_nan=True)
        assert np.array_equal(python.step(row), native.step(row))


def test_what_the_loop_hears(pair):
    """yes once warm, nothing before and where too few columns are known; a step is a step all the same."""
    python, native = pair
    warm_up = python.contract.warm_up
    table = model_files.rows(python, warm_up + 3, unknown=0.0)
    for i, row in enumerate(table):
        told = python.step(row)
        said, triple, _ = native._step(row)
        assert said == (YES if i + 1 >= warm_up else NOTHING)
        assert np.array_equal(triple, told) if said == YES else np.isnan(triple).all()
    native._most_missing(3)
    row = table[-1].copy()
    row[:3] = np.nan
    assert native._step(row)[0] == YES
    row[3] = np.nan
    said, triple, _ = native._step(row)
    assert said == NOTHING and np.isnan(triple).all() and native.steps == len(table) + 2


# --- how unlike the training inputs a row is -------------------------------------------------------


def distance(rows, inputs):
    """The definition, by SciPy's and NumPy's own words for its parts."""
    z = np.abs(rows - np.array(inputs.median)) / np.where(np.array(inputs.scale) > 0, inputs.scale, np.nan)
    return np.sqrt(np.nanmean(np.minimum(z, 10.0) ** 2, axis=1)) / inputs.far


def test_novelty_by_the_definition(pair):
    python, native = pair
    table = model_files.rows(python, 200, unknown=0.1).astype(np.float32).astype(float)
    table[3] *= 1e6
    table[4] = np.inf
    for row, want in zip(table, distance(table, python.contract.inputs), strict=True):
        python.step(row)
        assert native._step(row)[2] == python.novelty == native.novelty  # to the bit
        assert python.novelty == pytest.approx(want, rel=1e-6)
    python.step(np.full(python.contract.width, np.nan))
    assert np.isnan(python.novelty)


def test_training_inputs_are_fitted():
    data = pytest.importorskip("smartcore.learn.data")
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((20_000, 5)).astype(np.float32) * [1, 10, 1e-4, 1, 1] + np.float32([0, 5, 1e3, 0, 0])
    rows[:, 3] = rng.random(20_000) < 0.1  # half its values alike
    rows[:, 4] = 7  # never moved
    rows[rng.random(rows.shape) < 0.05] = np.nan
    rows[7, 1] = np.inf
    n = len(rows) // 2
    series = [data.Series(np.arange(n), part, np.ones(n), np.zeros((n, 1), np.int8)) for part in (rows[:n], rows[n:])]
    found = data.inputs(series)
    assert found.median == pytest.approx([0, 5, 1e3, 0, 7], abs=0.2)
    assert found.scale[:2] == pytest.approx([1, 10], rel=0.03)
    assert found.scale[3] == pytest.approx(0.3, rel=0.05) and found.scale[4] == 0
    known = np.where(np.isinf(rows), np.nan, rows).astype(float)
    assert np.nanmean(distance(known, found) > 1) == pytest.approx(0.01, abs=0.001)
    contract = replace(Model.load("gru").contract, columns=tuple("abcde"), golden=None, inputs=found)
    assert Contract.from_metadata(contract.to_metadata()).inputs == found  # as the file gives it back


def test_a_market_of_another_kind_is_novel():
    """Rows of the market trained on are as in training; those of prices that move thirty times as much are not."""
    model = Model.load("gbdt")
    features = sc.FeatureSet(list(model.contract.columns))
    told = {}
    for name, factor in (("same", 1.0), ("wild", 30.0)):
        events = sc.simulate(seconds=900, seed=77, regime="mixed").events.copy()
        price = events["v0"]
        price[:] = np.round(price[0] * (price / price[0]) ** factor, 2)
        rows = sc.Engine(features, bars="1s").run(events, sample="1s")[300:]
        told[name] = [model.novelty for row in rows if model.step(row) is not None]
    assert np.mean(np.array(told["same"]) > 1) < 0.1
    assert np.median(told["wild"]) > 1


# --- what fails is failed, never a crash ----------------------------------------------------------


def test_files_that_are_none(tmp_path):
    whole = (BUILTIN / "gru.onnx").read_bytes()
    path = tmp_path / "broken.onnx"
    for content in (b"", b"hello", whole[: len(whole) // 2], whole[:-10] + b"\xff" * 10):
        path.write_bytes(content)
        with pytest.raises(ContractMismatch):
            NativeModel.load(path)
    with pytest.raises(FileNotFoundError):
        NativeModel.load("nothing")


def broken(tmp_path: Path, change: model_files.Change) -> Path:
    """The shipped GRU after a change, its contract otherwise as it was, without golden rows."""
    import onnx

    file = onnx.load(str(BUILTIN / "gru.onnx"))
    contract = change(file, Contract.from_metadata({p.key: p.value for p in file.metadata_props}))
    del file.metadata_props[:]
    onnx.helper.set_model_props(file, replace(contract, golden=None).to_metadata())
    onnx.save(file, str(tmp_path / "changed.onnx"))
    return tmp_path / "changed.onnx"


def test_scores_that_are_no_numbers_are_a_fault_and_the_state_stays(tmp_path):
    pytest.importorskip("onnx")

    def divided(file, contract):
        """scores / (rsi_14 known): infinite where the first column is 0."""
        from onnx import helper, numpy_helper

        graph = file.graph
        graph.node[-1].output[0] = "sound"
        width = contract.width
        pick = np.zeros((width, 1), np.float32)
        pick[0] = 1
        graph.initializer.append(numpy_helper.from_array(pick, "pick"))
        graph.node.extend(
            [
                helper.make_node("MatMul", ["row", "pick"], ["first"]),
                helper.make_node("Div", ["sound", "first"], ["scores"]),
            ]
        )
        return contract

    model = NativeModel.load(broken(tmp_path, divided))
    rows = np.random.default_rng(1).lognormal(size=(70, model.contract.width))
    for row in rows:
        assert model._infer(row)
    before = model.snapshot()
    bad = rows[0].copy()
    bad[0] = 0
    said, triple, novelty = model._step(bad)
    assert said == FAILED and np.isnan([*triple, novelty]).all()
    with pytest.raises(RuntimeError, match="not finite"):
        model.step(bad)
    assert model.faults == 2 and model.snapshot() == before and "not finite" in model.error
    assert model._step(rows[0])[0] == YES  # and goes on as if nothing had been


def test_a_graph_that_fails_while_it_runs(tmp_path):
    """A reshape that cannot be is seen only when the graph runs."""
    pytest.importorskip("onnx")

    def impossible(file, contract):
        from onnx import TensorProto, helper, numpy_helper

        graph = file.graph
        graph.node[-1].output[0] = "sound"
        graph.initializer.extend(
            [
                numpy_helper.from_array(np.float32([0.5]), "half"),
                numpy_helper.from_array(np.array([1, 3], np.int64), "shape"),
                numpy_helper.from_array(np.array([0], np.int64), "zero"),
            ]
        )
        graph.node.extend(
            [
                helper.make_node("Greater", ["sound", "half"], ["likely"]),
                helper.make_node("Cast", ["likely"], ["count"], to=TensorProto.INT64),
                helper.make_node("ReduceSum", ["count"], ["sum"], keepdims=0),
                helper.make_node("Gather", ["sound", "sum_far"], ["picked"], axis=1),
                helper.make_node("Reshape", ["picked", "shape"], ["scores"]),
            ]
        )
        graph.initializer.append(numpy_helper.from_array(np.array([99], np.int64), "far"))
        graph.node.insert(len(graph.node) - 2, helper.make_node("Add", ["sum", "far"], ["sum_far"]))
        return contract

    try:
        path = broken(tmp_path, impossible)
        model = NativeModel.load(path)
    except ContractMismatch as refused:  # a release that sees it while it loads has refused it, which is as good
        assert "onnxruntime cannot open" in str(refused)
        return
    before = model.snapshot()
    assert model._step(np.ones(model.contract.width))[0] == FAILED
    assert model.error and model.faults == 1 and model.snapshot() == before


def test_tensors_of_other_shapes_are_refused(tmp_path):
    pytest.importorskip("onnx")
    path = broken(tmp_path, lambda _, contract: replace(contract, columns=contract.columns[:-1], inputs=None))
    with pytest.raises(ContractMismatch, match="the graph takes"):
        NativeModel.load(path)


def test_other_scores_than_the_golden_ones_are_refused(tmp_path):
    onnx = pytest.importorskip("onnx")
    file = onnx.load(str(BUILTIN / "gru.onnx"))
    contract = Contract.from_metadata({p.key: p.value for p in file.metadata_props})
    golden = replace(contract.golden, scores=contract.golden.scores[:, ::-1].copy())
    del file.metadata_props[:]
    onnx.helper.set_model_props(file, replace(contract, golden=golden).to_metadata())
    onnx.save(file, str(tmp_path / "other.onnx"))
    with pytest.raises(ContractMismatch, match="golden rows differ"):
        NativeModel.load(tmp_path / "other.onnx")
    assert NativeModel.load(tmp_path / "other.onnx", verify=False).steps == 0


# --- the library ----------------------------------------------------------------------------------


def test_libraries_that_are_none(tmp_path, monkeypatch):
    empty = tmp_path / "empty.so"
    empty.write_bytes(b"no library")
    # absent; no library; a library, of something else
    for path, says in ((tmp_path / "absent.so", VARIABLE), (empty, "empty.so"), (_core.__file__, "OrtGetApiBase")):
        monkeypatch.setenv(VARIABLE, str(path))
        with pytest.raises(OSError, match=says):
            NativeModel.load("gru")
        with pytest.warns(RuntimeWarning, match="models step in Python"):
            model = native_models.load("gru", features=sc.FeatureSet.default())
        assert isinstance(model, Model) and model.step(np.zeros(len(sc.FeatureSet.default()))).shape == (3,)
    monkeypatch.delenv(VARIABLE)
    assert native_models.runtime().split(".")[0] == "1" and isinstance(native_models.load("gru"), NativeModel)


def test_onnxruntime_is_not_imported():
    program = """
import sys
from smartcore.models.native import NativeModel
model = NativeModel.load("gru")
model.run(model.contract.golden.rows)
print("onnxruntime" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
