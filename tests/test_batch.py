"""Many instruments through one file in one call: each as if it had a model of its own."""

from __future__ import annotations

import gc

import model_files
import numpy as np
import pytest

import smartcore as sc
from smartcore.errors import ContractMismatch, CorruptSnapshot
from smartcore.models import Batch, Model

pytest.importorskip("onnx", reason="making a file with a free batch dimension needs onnx, part of [train]")
N = 7


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for name in ("gru", "gbdt"):
        model_files.rewritten(name, folder / f"{name}.onnx", model_files.free)
    model_files.rewritten("gru", folder / "both.onnx", model_files.two_horizons, model_files.free)
    return folder


@pytest.fixture(params=["gru", "gbdt", "both"])
def model(folder, request):
    return Model.load(folder / f"{request.param}.onnx")


@pytest.fixture(scope="module")
def attention(folder):
    """A net of several states, a cache among them, and of two horizons."""
    pytest.importorskip("torch", reason="exporting a net needs torch, part of [train]")
    return Model.load(model_files.net("gru_attention", folder / "attention.onnx", targets=2, dynamic=True))


@pytest.fixture
def gru(folder):
    return Model.load(folder / "gru.onnx")


def tables(model: Model, t: int, n: int = N) -> np.ndarray:
    """(t, n, columns), every instrument's rows its own."""
    return np.stack([model_files.rows(model, t, seed) for seed in range(n)], axis=1)


def test_equals_models_of_their_own(model):
    equal(model)


def test_only_those_that_ticked_move(model):
    some(model)


def test_several_states_and_horizons(attention):
    assert len(attention.contract.states) > 1 and attention.contract.horizons
    equal(attention)
    some(attention)


def equal(model: Model) -> None:
    table = tables(model, 60)
    batch = model.batch(N)
    alone = [model.fork() for _ in range(N)]
    scores = batch.run(table)
    assert scores.shape == (60, N, 3) and scores.dtype == np.float64
    np.testing.assert_allclose(scores, np.stack([m.run(table[:, i]) for i, m in enumerate(alone)], 1), atol=1e-6)
    np.testing.assert_allclose(batch.all_scores, [m.all_scores for m in alone], atol=1e-6)
    np.testing.assert_array_equal(batch.missing, [m.missing for m in alone])
    np.testing.assert_array_equal(batch.steps, 60)


def some(model: Model) -> None:
    """Some at a time, as places or as a mask, in any order: the same as models of their own stepped at those moments;
    the others stay to the last bit.
    """
    rng = np.random.default_rng(3)
    batch, alone = model.batch(N), [model.fork() for _ in range(N)]
    for t, rows in enumerate(tables(model, 80)):
        which = rng.permutation(N)[: rng.integers(0, N + 1)]
        before = batch.snapshot()
        unread = rows.copy()
        unread[np.setdiff1d(np.arange(N), which)] = 1e30  # rows of the others are not looked at
        if t % 3 == 0:
            scores = batch.step(rows)
            which = np.arange(N)
        elif t % 3 == 1:
            scores = batch.step(unread, which)
        else:
            which = np.sort(which)
            scores = batch.step(unread, np.isin(np.arange(N), which))
        assert scores.shape == (len(which), 3)
        for i, one in zip(which, scores, strict=True):
            np.testing.assert_allclose(one, alone[i].step(rows[i]), atol=1e-6)
        after = batch.snapshot()
        for i in set(range(N)) - set(which.tolist()):
            assert before[i] == after[i]
    np.testing.assert_array_equal(batch.steps, [m.steps for m in alone])
    np.testing.assert_array_equal(batch.missing, [m.missing for m in alone])
    np.testing.assert_allclose(batch.all_scores, [m.all_scores for m in alone], atol=1e-6)


def test_one_instrument_is_a_batch_too(model):
    table = tables(model, 20, 1)
    np.testing.assert_allclose(model.batch(1).run(table)[:, 0], model.run(table[:, 0]), atol=1e-6)


@pytest.mark.parametrize("at", [0, 1, 2, 9])
def test_restored_is_bit_equal(model, at):
    table = tables(model, 30)
    batch = model.batch(N)
    batch.run(table[:at])
    if at == 9:
        batch.step(table[0], [1, 4])
    blobs = batch.snapshot()
    expected = batch.run(table[at:])
    fresh = batch.fork()
    fresh.restore(blobs)
    np.testing.assert_array_equal(fresh.steps, at + np.isin(np.arange(N), [1, 4] if at == 9 else []))
    np.testing.assert_array_equal(fresh.run(table[at:]), expected)


def test_a_model_and_a_place_in_a_batch_exchange_states(gru):
    table = tables(gru, 30)
    batch = gru.batch(N)
    batch.run(table[:11])
    gru.restore(batch.snapshot_of(3))
    expected = batch.run(table[11:])
    np.testing.assert_allclose(gru.run(table[11:20, 3]), expected[:9, 3], atol=1e-6)
    other = gru.batch(2)
    other.restore_of(1, gru.snapshot())
    assert other.steps.tolist() == [0, 20]
    rest = np.stack([table[20:, 3]] * 2, axis=1)
    np.testing.assert_allclose(other.run(rest)[:, 1], expected[9:, 3], atol=1e-6)


def test_foreign_or_damaged_snapshots_change_nothing(gru, folder):
    table = tables(gru, 12)
    batch = gru.batch(N)
    batch.run(table[:6])
    blobs = batch.snapshot()
    with pytest.raises(CorruptSnapshot):
        batch.restore([*batch.fork().snapshot()[:-1], b"nonsense"])
    with pytest.raises(ContractMismatch, match="another model"):
        batch.restore_of(0, Model.load(folder / "both.onnx").snapshot())
    with pytest.raises(ValueError, match="6 snapshots for 7 instruments"):
        batch.restore(blobs[:-1])
    assert batch.snapshot() == blobs


def test_reset_of_some(gru):
    table = tables(gru, 70)
    batch = gru.batch(N)
    batch.run(table)
    assert batch.ready.all()
    kept = batch.snapshot()
    batch.reset([2, 5])
    assert batch.ready.tolist() == [i not in (2, 5) for i in range(N)]
    fresh = batch.fork().snapshot()
    assert batch.snapshot() == [fresh[i] if i in (2, 5) else kept[i] for i in range(N)]
    batch.reset()
    assert batch.snapshot() == fresh and np.isnan(batch.all_scores).all()


@pytest.mark.parametrize("kind", [np.float32, int, list])
def test_rows_of_other_numbers_are_taken(gru, kind):
    rows = np.arange(2.0 * gru.contract.width).reshape(2, -1)
    other = rows.tolist() if kind is list else rows.astype(kind)
    for which in (None, [1]):
        np.testing.assert_array_equal(gru.batch(2).step(other, which), gru.batch(2).step(rows, which))


def test_warm_is_history_from_a_fresh_state(gru):
    table = tables(gru, 40)
    batch = gru.batch(N)
    batch.run(table[::-1])
    other = gru.batch(N)
    other.run(table)
    assert batch.warm(table).snapshot() == other.snapshot()


def test_rehearsal_touches_nothing(model):
    table = tables(model, 20)
    batch, other = model.batch(N), model.batch(N)
    for t, rows in enumerate(table):
        batch.rehearse()
        which = None if t % 2 else [0, 3, 5]
        np.testing.assert_array_equal(batch.step(rows, which), other.step(rows, which))
        said, missing = batch.all_scores, batch.missing
        batch.rehearse()
        np.testing.assert_array_equal(batch.all_scores, said)
        np.testing.assert_array_equal(batch.missing, missing)
        assert batch.snapshot() == other.snapshot()


def test_bound_as_the_model_is(gru):
    features = sc.FeatureSet.default()
    table = tables(gru, 10)
    full = np.random.default_rng(1).normal(size=(10, N, len(features)))
    full[:, :, [features.columns.index(c) for c in gru.contract.columns]] = table
    expected = gru.batch(N).run(table)
    np.testing.assert_array_equal(gru.batch(N).bind(features).run(full), expected)
    batch = gru.bind(features).batch(N)
    np.testing.assert_array_equal(batch.run(full), expected)
    np.testing.assert_array_equal(batch.fork().run(full), expected)
    with pytest.raises(ContractMismatch, match="feature set lacks"):
        batch.bind(sc.FeatureSet(["rsi_14"]))


def test_takes_the_rows_of_a_panel(gru):
    symbols = ["A", "B", "C"]
    panel = sc.Panel(list(gru.contract.columns), symbols, clock="1s", bars="1s")
    batch = gru.bind(panel.features).batch(len(panel))
    expected = [gru.fork().step(panel[s].row) for s in symbols]
    np.testing.assert_allclose(batch.step(panel.rows), expected, atol=1e-6)


def test_memory_is_kept_alive(folder):
    """An OrtValue borrows memory; with nobody to keep it, what it borrowed is soon somebody else's."""
    batch = Model.load(folder / "gru.onnx").batch(N)
    table = tables(Model.load(folder / "gru.onnx"), 30)
    expected = batch.run(table)
    batch.reset()
    gc.collect()
    for t, rows in enumerate(table):
        litter = [np.full(size, np.nan, np.float32) for size in (40, 224, 280, 21) for _ in range(50)]
        np.testing.assert_array_equal(batch.step(rows, list(range(N)) if t % 2 else None)[0], expected[t][0])
        del litter


@pytest.mark.parametrize(
    ("which", "error", "says"),
    [
        ([0, 7], IndexError, "no instrument 7 of 7"),
        ([-1], IndexError, "no instrument -1 of 7"),
        ([1, 1], ValueError, "named twice"),
        ([True, False], IndexError, r"mask of shape \(2,\)"),
        ([[1]], IndexError, "neither places nor a mask"),
        ([1.0], IndexError, "neither places nor a mask"),
        ("ab", IndexError, "neither places nor a mask"),
    ],
)
def test_which_is_checked(gru, which, error, says):
    batch = gru.batch(N)
    before = batch.snapshot()
    with pytest.raises(error, match=says):
        batch.step(np.zeros((N, gru.contract.width)), which)
    assert batch.snapshot() == before


def test_rows_of_another_shape_are_refused(gru):
    for shape in ((N, 3), (N - 1, gru.contract.width), (gru.contract.width,)):
        with pytest.raises(ContractMismatch, match="rows of shape"):
            gru.batch(N).step(np.zeros(shape))


def test_a_file_of_one_row_a_call_says_how_to_make_another():
    with pytest.raises(ContractMismatch, match="dynamic=True"):
        Model.load("gru").batch(3)
    with pytest.raises(ValueError, match="0 instruments"):
        Batch(None, Model.load("gru").contract, 0)


def test_a_graph_of_one_row_a_call_is_no_batch_whatever_it_says(tmp_path):
    from dataclasses import replace

    with pytest.raises(ContractMismatch, match="its contract says"):
        model_files.rewritten("gru", tmp_path / "odd.onnx", lambda _, c: replace(c, dynamic=True))
