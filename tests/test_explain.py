"""Explanations: exact values held to brute force and to shap, sampled ones to exact, LIME to a linear truth, gradients
to completeness, and a decision explained from its journal.
"""

from __future__ import annotations

from itertools import combinations
from math import factorial
from types import SimpleNamespace

import numpy as np
import pytest
from test_trees import COLUMNS, contract, grown, holes

import smartcore as sc
from smartcore.errors import ContractMismatch, InvalidData
from smartcore.learn import explain, trees
from smartcore.learn.explain.explanation import stability

ALL = pytest.mark.parametrize("name", trees.names())


def margin(model, rows, target=0):
    """What is explained: of a forest, whose logits are logarithms, the shares."""
    said = np.asarray(model.scores(model.models[target], np.asarray(rows, np.float32)), float)
    if model.name == "random_forest":
        share = np.zeros_like(said)
        share[:, model.models[target].classes_] = model.models[target].predict_proba(np.asarray(rows, np.float32))
        said = share
    return said[:, -1] - said[:, 0]


def brute(f, x, z):
    """Shapley's formula over all subsets, against one row z."""
    k = len(x)
    subsets = [s for n in range(k + 1) for s in combinations(range(k), n)]
    mixed = np.array([np.where(np.isin(np.arange(k), s), x, z) for s in subsets])
    value = dict(zip(subsets, f(mixed), strict=True))
    out = np.zeros(k)
    for s in subsets:
        for i in set(range(k)) - set(s):
            weight = factorial(len(s)) * factorial(k - len(s) - 1) / factorial(k)
            out[i] += weight * (value[tuple(sorted({*s, i}))] - value[s])
    return out


@ALL
@pytest.mark.parametrize("classes", [2, 3])
def test_exact_values_are_shapleys_formula(name, classes):
    model = grown(name, classes)
    usual = holes(12, 0.2)
    for row in holes(6, 0.3):
        told = explain.shap(model, row, usual)
        wanted = np.mean([brute(lambda rows: margin(model, rows), row, z) for z in usual], axis=0)
        np.testing.assert_allclose(told.values, wanted, atol=1e-6)
        assert told.base + told.values.sum() == pytest.approx(told.score, abs=1e-9)
        assert told.score == pytest.approx(margin(model, row[None])[0], abs=1e-6)
        assert told.base == pytest.approx(margin(model, usual).mean(), abs=1e-6)


@ALL
def test_the_file_alone_says_the_same(name, tmp_path):
    model = grown(name)
    path = tmp_path / "toy.onnx"
    model.export(path, contract(), holes(6, 0))
    usual, row = holes(10, 0.1), holes(11, 0.1)[-1]
    mine, files = explain.shap(model, row, usual), explain.shap(path, row, usual)
    np.testing.assert_allclose(files.values, mine.values, atol=1e-6)
    assert files.columns == COLUMNS


def test_against_the_shap_library():
    shap = pytest.importorskip("shap", reason="shap is an oracle of this test")
    model = grown("lightgbm", classes=2, unknown=0.0)
    usual, rows = holes(20, 0).astype(np.float64), holes(30, 0)[20:].astype(np.float64)
    oracle = shap.TreeExplainer(model.models[0], usual, feature_perturbation="interventional")
    wanted = np.asarray(oracle.shap_values(rows))
    found = np.array([explain.shap(model, row, usual).values for row in rows])
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_column_that_no_tree_reads_put_in_nothing():
    model = grown("lightgbm")
    read = set(model.splits(model.models[1]).feature[~model.splits(model.models[1]).leaf].tolist())
    told = explain.shap(model, holes(1, 0)[0], holes(10, 0), target=1)
    assert all(told.values[i] == 0 for i in set(range(5)) - read)


def test_sampled_values_come_to_the_exact_ones():
    model = grown("xgboost")
    usual, row = holes(16, 0), holes(17, 0)[-1]
    exact = explain.shap(model, row, usual)
    drawn = explain.sampled(lambda rows: margin(model, rows), row, usual, COLUMNS, permutations=800)
    assert drawn.error is not None
    assert (np.abs(drawn.values - exact.values) < 5 * drawn.error + 1e-6).all()
    assert drawn.base + drawn.values.sum() == pytest.approx(drawn.score, abs=1e-9)
    assert drawn.stable


def test_lime_finds_a_linear_truth_and_calls_noise_unstable():
    rng = np.random.default_rng(0)
    slope, usual, row = rng.normal(size=8), rng.normal(size=(200, 8)), rng.normal(size=8) + 3
    names = [f"c{i}" for i in range(8)]
    told = explain.lime(lambda rows: rows @ slope, row, usual, names)
    wanted = slope * (row - usual.mean(0))
    assert np.corrcoef(told.values, wanted)[0, 1] > 0.98
    assert told.stable

    def noise(rows):  # a hash: next to a row nothing is alike
        return np.sin(1e6 * np.sin(rows @ np.arange(1, 31)))

    wild = explain.lime(noise, rng.normal(size=30), rng.normal(size=(50, 30)), [f"n{i}" for i in range(30)])
    assert not wild.stable
    assert "UNSTABLE" in str(wild)


def test_lime_is_the_same_every_time():
    usual, row = holes(30, 0.1), holes(31, 0.1)[-1]
    model = grown("lightgbm")
    first, second = (explain.lime(lambda rows: margin(model, rows), row, usual, COLUMNS) for _ in range(2))
    assert (first.values == second.values).all()


def test_stability_counts_what_seeds_share():
    a, b = np.array([9, 8, 7, 0, 0, 0.0]), np.array([9, 8, 0, 0, 0, 7.0])
    assert stability([a, a]) == 1.0
    assert stability([a, b], 3) == pytest.approx(2 / 4)


@pytest.mark.parametrize("name", ["gru", "mixer"])
def test_gradients_are_complete(name):
    torch = pytest.importorskip("torch", reason="nets are PyTorch's, part of [train]")
    pytest.importorskip("captum", reason="gradients are captum's, part of [explain]")
    from smartcore.learn import nets

    torch.set_num_threads(1)
    torch.manual_seed(0)
    k = 4
    net = nets.build(name, np.sort(np.random.default_rng(0).normal(size=(2, k, 12)), axis=2)).eval()
    rows = np.random.default_rng(2).normal(size=(60, k)).astype(np.float32)
    told = explain.gradients(SimpleNamespace(net=net, columns=COLUMNS[:k]), rows, steps=256)
    assert told.base + told.values.sum() == pytest.approx(told.score, abs=5e-3)
    with torch.no_grad():
        states = net.start()
        for row in torch.from_numpy(rows).unsqueeze(1):
            logits, *states = net(row, *states)
    assert told.score == pytest.approx(float(logits[0, 0, -1] - logits[0, 0, 0]), abs=1e-4)


def test_a_net_has_no_exact_values():
    with pytest.raises(InvalidData, match="sampled"):
        explain.shap(sc.models.BUILTIN / "gru.onnx", np.zeros(40), np.zeros((2, 40)))
    with pytest.raises(ValueError, match="no net"):
        explain.gradients(grown("lightgbm"), holes(3, 0))


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    path = tmp_path_factory.mktemp("explained") / "bot.journal"
    model = sc.Model.load("gbdt")
    events = sc.simulate(seconds=120, seed=3).events
    engine = sc.Engine(sc.FeatureSet(list(model.contract.columns)), instrument="SIM", bars="1s")
    with sc.Orchestrator(engine, model, policy=sc.Policy(every="1s"), journal=path) as bot:
        made = list(bot.run(events))
    return path, made


@pytest.mark.parametrize("method", ["auto", "lime", "sampled"])
def test_a_decision_by_its_id(journal, method, tmp_path):
    path, made = journal
    told = explain.decision(made[-1].id, path, "gbdt", method)
    entry = sc.why(made[-1].id, path)
    known = {name: value for name, value in entry.values.items() if value == value}
    assert all(known.get(name, value) == value for name, value, _ in told.top(30))
    assert len(told.values) == len(told.columns)
    if method == "auto":
        assert told.method == "shap"
        assert told.base + told.values.sum() == pytest.approx(told.score, abs=1e-9)
    else:
        row = [entry.values[name] for name in told.columns]
        down, _, up = sc.Model.load("gbdt").run(np.array([row]))[0]
        assert told.score == pytest.approx(up - down, abs=1e-6)
    assert f"up {entry.scores['ensemble'][2]:.3f}" in told.notes[-1]
    assert told.to_dict()["columns"][0]["column"] == told.columns[0]
    explain.draw(told, tmp_path / "why.png")
    assert (tmp_path / "why.png").stat().st_size > 5000


def test_what_does_not_fit_is_refused(journal):
    path, made = journal
    with pytest.raises(LookupError):
        explain.decision("nobody-1-1", path, "gbdt")
    with pytest.raises(ValueError, match="guess"):
        explain.decision(made[-1].id, path, "gbdt", "guess")
    with pytest.raises(InvalidData, match="trained net"):
        explain.decision(made[-1].id, path, "gbdt", "gradients")
    if set(sc.Model.load("gru").contract.columns) - set(sc.Model.load("gbdt").contract.columns):
        with pytest.raises(ContractMismatch, match="lack"):
            explain.decision(made[-1].id, path, "gru", "lime")
    else:
        with pytest.raises(InvalidData, match="remembers"):
            explain.decision(made[-1].id, path, "gru", "lime")


def test_the_command(journal, tmp_path, capsys):
    from smartcore import cli

    path, _ = journal
    picture = tmp_path / "why.svg"
    assert cli.main(["explain", "last", "--journal", str(path), "--model", "gbdt", "--plot", str(picture)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("shap: up - down") and str(picture) in said
    assert picture.read_text(encoding="utf-8").startswith("<?xml")
    assert cli.main(["explain", "zz", "--journal", str(path), "--model", "gbdt"]) == 2
    assert "no decision 'zz'" in capsys.readouterr().err
