"""The documented sequence, small: train, export, check, run, for every model there is."""

from __future__ import annotations

import contextlib
import io
import json
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="models are trained by torch, part of [test]")
pytest.importorskip("onnxscript", reason="nets are exported by torch with onnxscript, part of [test]")
pytest.importorskip("sklearn", reason="floors are scikit-learn's, part of [test]")
torch.set_num_threads(1)

from smartcore import cli  # noqa: E402
from smartcore.learn import estimator, nets, recorded, workflow  # noqa: E402
from smartcore.learn.evaluate import scores  # noqa: E402
from smartcore.market import events as ev  # noqa: E402
from smartcore.models import Model  # noqa: E402

SECOND = 10**9
NEEDS = {"lightgbm": "lightgbm", "xgboost": "xgboost", "catboost": "catboost", "random_forest": "sklearn"}
MEMBERS = [{"name": "random_forest", "trees": 4, "depth": 3}, {"name": "logistic"}]


def smartcore(*arguments: object) -> tuple[int, str, str]:
    """(exit code, standard output, standard error) of one command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = cli.main([str(a) for a in arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
    return code, out.getvalue(), err.getvalue()


def document(*arguments: object) -> dict:
    code, out, err = smartcore(*arguments, "--json")
    assert code == 0, err or out
    return json.loads(out)


@pytest.fixture(scope="session")
def market():
    return recorded.simulated(600.0)


@pytest.fixture
def simulated(market, monkeypatch):
    """One simulated market for all tests."""
    monkeypatch.setattr(recorded, "simulated", lambda *_, **__: market)


def small(name: str) -> list[str]:
    """Settings with which every line runs in a second or two."""
    if estimator.family(name) == "ensemble":
        return ["--set", f"members={json.dumps(MEMBERS)}"]
    return ["--set", "window=20"] if "window" in estimator.settings(name) else []


@pytest.mark.usefixtures("simulated")
@pytest.mark.parametrize("name", estimator.names())
def test_from_a_market_to_decisions(name, tmp_path):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name], reason="this kind of trees is its library's")
    trained, file = tmp_path / "model.pt", tmp_path / "model.onnx"
    found = document("train", "--model", name, "--data", "simulated", "--out", trained, "--quick", *small(name))
    assert found["model"] == name and found["draft"] and found["files"][0] == str(trained)
    result = found["targets"][0]["result"]
    assert {"majority", "persistence", "last return"} <= set(result["floors"])
    assert 0 < result["scores"][0]["macro_f1"] < 0.9 and result["rows"] > 50
    found = document("export", trained, "--out", file, "--quick")
    assert found["passed"] and found["report"]["parity"] < 1e-5 and found["report"]["whole"] < 1e-5
    card = file.with_suffix(".md").read_text()
    assert "SIMULATED" in card and "macro F1" in card and "passed" in card
    if name in nets.names():
        assert found["report"]["coreml"].startswith("1 MLProgram") or "prevented by" in card
    contract = Model.load(file).contract
    assert contract.kind == name and contract.horizon == "10s" and contract.trained_on["rows_hash"]
    assert document("export", "--check", file, "--quick")["passed"]
    found = document("run", "--model", file, "--data", "simulated", "--limit", 15_000)
    asked = found["decisions"] - contract.warm_up
    assert asked > 60 and found["gates"].get("model", {"failed": 0})["failed"] <= contract.warm_up + 5


@pytest.mark.usefixtures("simulated")
def test_several_horizons_are_learned_at_once_and_each_can_be_exported(tmp_path):
    trained, file = tmp_path / "m.pt", tmp_path / "m.onnx"
    options = ("--horizon", "10s,30s", "--label", "fixed", "--columns", "microprice,spread,queue_imbalance_l1,rsi_14")
    found = document("train", "--model", "logistic", "--data", "simulated", "--out", trained, *options, "--quick")
    assert [t["horizon"] for t in found["targets"]] == ["10s", "30s"] and len(found["columns"]) == 4
    assert "logistic, imbalance l1" in found["targets"][1]["result"]["floors"]
    found = document("export", trained, "--out", file, "--target", "30s", "--quick", "--dynamic", "--int8")
    contract = Model.load(file).contract
    assert contract.horizon == "30s" and contract.horizons == ("10s", "30s")
    assert contract.thresholds[1] == pytest.approx(json.loads(trained.with_suffix(".json").read_text())
                                                   ["targets"][1]["thresholds"][1])  # fmt: skip
    wide = Model.load(tmp_path / "m-batch.onnx").contract
    assert wide.dynamic and np.abs(wide.golden.scores - contract.golden.scores).max() < 1e-6
    assert found["int8"]["kept"] == ("int8" in found["files"]) and found["int8"]["why"]
    # Another target of the same training is another model.
    other = tmp_path / "other.onnx"
    document("export", trained, "--out", other, "--target", "10s", "--quick")
    rows = workflow.Trained.read(trained).rows[:50]
    assert np.abs(Model.load(file).run(rows) - Model.load(other).run(rows)).max() > 1e-4


@pytest.mark.usefixtures("simulated")
def test_whole_windows_and_a_card_made_anew(tmp_path):
    trained, file = tmp_path / "m.pt", tmp_path / "m.onnx"
    document("train", "--model", "bin_ctabl", "--data", "simulated", "--out", trained, "--quick", "--set", "window=10")
    found = document("export", trained, "--out", file, "--windows", "--quick")
    assert (tmp_path / "m-windows.onnx").exists() and found["files"]["windows"]
    card = file.with_suffix(".md")
    text = card.read_text()
    card.unlink()
    assert document("export", "--check", file, "--source", trained, "--card", "--quick")["passed"]
    same = [line for line in text.splitlines() if not line.startswith(("hot", "paced", "Made by"))]
    assert set(same) <= set(card.read_text().splitlines()) | {""}


@pytest.fixture(scope="module")
def bars_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("bars") / "TEST.csv"
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, 700)))
    ts = 1_700_000_000 + 60 * np.arange(700)
    rows = zip(ts, close, close * 1.001, close * 0.999, close, rng.uniform(1, 2, 700), strict=True)
    lines = [",".join(map(str, row)) for row in rows]
    file.write_text("ts,open,high,low,close,volume\n" + "\n".join(lines))
    return file


@pytest.mark.parametrize("label", recorded.RULES)
def test_bars_of_a_file_with_a_horizon_in_rows(bars_file, label, tmp_path):
    trained, file = tmp_path / "m.pt", tmp_path / "m.onnx"
    options = ("--horizon", "20 rows", "--label", label, "--sample", "bar")
    found = document("train", "--model", "logistic", "--data", bars_file, "--out", trained, *options, "--quick")
    assert found["sample"] == "bar" and found["bars"] is None and found["columns"] == list(recorded.ON_BARS)
    low, high = found["targets"][0]["thresholds"]
    assert low == -high < 0 and "20 rows" in found["targets"][0]["label"]
    assert found["trained_on"]["data"] == "TEST.csv" and found["trained_on"]["period"][0].startswith("2023-11-14")
    assert document("export", trained, "--out", file, "--quick")["passed"]
    run = document("run", "--model", file, "--data", bars_file)
    assert run["policy"]["every"] == "bar" and run["decisions"] == 700
    text = file.with_suffix(".md").read_text()
    assert "SIMULATED" not in text and "Not a strategy" in text


def test_in_words(bars_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ("--data", bars_file, "--horizon", "20 rows", "--plots", "plots")
    code, out, err = smartcore("train", "--model", "logistic", *options)
    assert {path.suffix for path in (tmp_path / "plots").iterdir()} == {".png", ".md", ".json"}
    assert code == 0 and err == ""
    for said in ("rows", "training, validation, test", "macro f1", "majority", "95 % interval", "out/logistic.json",
                 "smartcore export out/logistic.pt --out out/logistic.onnx"):  # fmt: skip
        assert said in out.replace("files     out/logistic.pt, logistic.json", "out/logistic.json"), said
    code, out, err = smartcore("export", "out/logistic.pt", "--quick")
    assert code == 0 and err == "" and "1 MLProgram partition" in out and "smartcore run --model" in out
    code, out, _ = smartcore("export", "--check", "out/logistic.onnx", "--quick")
    assert code == 0 and "passed" in out
    code, out, _ = smartcore("export", "--check", "gbdt", "--quick")
    assert code == 0 and "prevented by ai.onnx.ml:TreeEnsemble" in out
    code, out, _ = smartcore("train", "--model", "gru", "--fields")
    assert code == 0 and "hidden" in out and "updates" in out
    assert document("train", "--model", "stacking", "--fields")["fields"]["folds"] == 4


def test_a_seed_makes_the_same_model_again(bars_file, tmp_path):
    blobs = []
    for i in range(2):
        trained, file = tmp_path / f"{i}" / "m.pt", tmp_path / f"{i}" / "m.onnx"
        options = ("--horizon", "10 rows", "--seed", 3, "--quick")
        document("train", "--model", "gru", "--data", bars_file, "--out", trained, *options)
        document("export", trained, "--out", file, "--quick")
        blobs.append(Model.load(file).contract)
    assert blobs[0].golden == blobs[1].golden and blobs[0].trained_on == blobs[1].trained_on


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train"], "required: --model"),
        (["train", "--model", "gru"], "--data: a recording"),
        (["train", "--model", "oracle", "--data", "BARS"], "no model 'oracle': there is logistic"),
        (["train", "--model", "gru", "--data", "BARS", "--set", "colour=red"], "--set colour: gru has no such field"),
        (["train", "--model", "gru", "--data", "BARS", "--set", "hidden"], "write NAME=VALUE"),
        (["train", "--model", "gru", "--data", "BARS", "--set", "rounds=many"], "a whole number is wanted, such as 25"),
        (["train", "--model", "stacking", "--data", "BARS", "--set", "members=3"], "a list is wanted"),
        (["train", "--model", "gru", "--data", "BARS", "--device", "abacus"], "no such device here"),
        (["train", "--model", "gru", "--data", "BARS", "--columns", ","], "names of columns, with commas"),
        (["train", "--model", "lightgbm", "--data", "BARS", "--horizon", "9 rows", "--set", "leaves=-1"], "num_leaves"),
        (["train", "--model", "gru", "--data", "BARS", "--horizon", "soon"], "horizon 'soon': a time"),
        (["train", "--model", "gru", "--data", "BARS", "--horizon", "10s,5 rows"], "all in time or all in rows"),
        (["train", "--model", "gru", "--data", "BARS", "--horizon", "690 rows"], "rows, too few for a horizon"),
        (["train", "--model", "gru", "--data", "BARS", "--horizon", "10s"], "no training row has a label over 10s"),
        (["train", "--model", "gru", "--data", "BARS", "--columns", "rsi_14,astrology"], "astrology"),
        (["train", "--model", "gru", "--data", "BARS", "--flat", "2"], "flat 2.0: a share"),
        (["train", "--model", "gru", "--data", "BARS", "--bars", "1s"], "holds bars already"),
        (["train", "--model", "gru", "--data", "absent.parquet"], "absent.parquet: No such file"),
        (["train", "--model", "logistic", "--data", "BARS", "--horizon", "9 rows", "--out", "x.onnx"], "no .onnx file"),
        (["train", "--model", "gru", "--data", "BARS", "--horizon", "9 rows", "--out", "."], "is a folder"),
        (["train", "--model", "gru", "--data", "BARS", "--horizon", "9 rows", "--set", "batch=0"], "batch 0: at least"),
        (["train", "--model", "logistic", "--data", "BARS", "--horizon", "9 rows", "--checkpoint", "x"], "is of nets"),
        (["export", "absent.pt"], "no trained model 'absent.pt'"),
        (["export", "BARS"], "has no record beside it"),
        (["export", "x.onnx"], "smartcore export --check x.onnx"),
        (["export", "--check", "BARS"], "--check takes an exported .onnx file"),
        (["export", "--check", "absent.onnx"], "no model 'absent.onnx'"),
        (["export", "--check", "x.onnx", "--int8"], "--int8 goes with exporting"),
        (["export", "x.pt", "--source", "y.pt"], "--source goes with --check"),
    ],
)
def test_errors_are_one_line_and_exit_code_2(arguments, says, bars_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = smartcore(*(bars_file if a == "BARS" else a for a in arguments))
    assert code == 2, (out, err)
    assert says in err and "Traceback" not in err and err.count("\n") == 1


@pytest.mark.parametrize(("name", "options"), [("sklearn", ()), ("matplotlib", ("--plots", "pictures"))])
def test_what_is_not_installed_is_said_before_the_training(name, options, bars_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, name, None)
    arguments = ("--model", "logistic", "--data", bars_file, "--horizon", "9 rows", *options)
    code, _, err = smartcore("train", *arguments)
    assert code == 2 and f'{name} is not installed: pip install "smartcore[train]"' in err
    assert not (tmp_path / "out").exists()


def test_what_a_trained_model_cannot_do_is_said(bars_file, tmp_path):
    trained = tmp_path / "m.pt"
    options = ("--horizon", "9 rows", "--set", "trees=4", "--set", "depth=3")
    document("train", "--model", "random_forest", "--data", bars_file, "--out", trained, *options)
    code, _, err = smartcore("run", "--model", trained, "--data", bars_file)
    assert code == 2 and f"smartcore export {trained} makes the file that runs" in err
    code, _, err = smartcore("export", trained, "--windows", "--quick")
    assert code == 2 and "random_forest looks at no window" in err and not trained.with_suffix(".onnx").exists()
    trained.with_suffix(".npz").write_bytes(b"damaged")
    code, _, err = smartcore("export", trained, "--quick")
    assert code == 2 and "m.npz is not what smartcore train wrote" in err


def test_a_changed_file_fails_its_check(bars_file, tmp_path):
    onnx = pytest.importorskip("onnx", reason="changes a file")
    trained, file = tmp_path / "m.pt", tmp_path / "m.onnx"
    document("train", "--model", "logistic", "--data", bars_file, "--out", trained, "--horizon", "9 rows", "--quick")
    document("export", trained, "--out", file, "--quick")
    proto = onnx.load(file)
    changed = next(i for i in proto.graph.initializer if i.name.endswith("out.bias"))
    changed.CopyFrom(onnx.numpy_helper.from_array(np.array([3, 0, -3], np.float32), changed.name))
    onnx.save(proto, file)
    code, out, _ = smartcore("export", "--check", file, "--source", trained, "--quick")
    assert code == 1 and "FAILED" in out and "golden rows differ" in out and "differs from its source" in out


def test_rows_whose_label_reaches_on_are_left_out():
    """Nothing that validation or test decide is in a training label, nor a row of theirs in the training."""
    rng = np.random.default_rng(1)
    close = 100 * np.exp(rng.normal(0, 1e-3, 2000).cumsum())
    ts = 1_700_000_000 * SECOND + np.arange(2000) * 60 * SECOND
    bars = ev.bars(ts, close, close * 1.001, close * 0.999, close, rng.uniform(1, 2, 2000))
    for horizons, reach in ((("30 rows",), 30), (("10m", "30m"), 30)):
        plan = recorded.Plan(("rsi_14", "log_return_1"), horizons=horizons)
        m = recorded.prepare(bars, plan)
        for before, after in ((m.train, m.valid), (m.valid, m.test)):
            gap = (after[0].ts[0] - before[-1].ts[-1]) // (60 * SECOND)
            assert reach <= gap <= reach + 1
        # A future that is altered alters nothing of the training: neither rows nor labels nor thresholds.
        other = close.copy()
        other[1210:] *= np.exp(rng.normal(0, 5e-3, 790).cumsum())
        n = recorded.prepare(ev.bars(ts, other, other * 1.001, other * 0.999, other, 1.5 + 0 * ts), plan)
        np.testing.assert_array_equal(n.train[0].label, m.train[0].label)
        assert n.thresholds == m.thresholds


@pytest.mark.parametrize("rule", recorded.RULES)
def test_on_a_random_walk_nothing_is_learned(rule):
    """The control: columns, labels, split and thresholds of the whole sequence tell nothing of the future."""
    events, what = recorded.walk(3000)
    m = recorded.prepare(events, recorded.Plan(rule=rule, horizons=("5s",)), what)
    model = estimator.build("logistic", m.columns).fit(m.train, m.valid)
    label = np.concatenate([s.label[:, 0] for s in m.test])
    found = scores(estimator.probabilities(model, m.test)[:, 0], label)
    assert abs(found["mcc"]) < 3 / np.sqrt(len(label) / 5)  # labels of five rows in a row share their prices
    assert found["log_loss"] > 0.97 * np.log(3)


def test_the_price_of_a_row_is_the_book_s_mid_then(market):
    import smartcore as sc

    events = market[0][:3000]
    s = recorded.sampled(events, sc.FeatureSet(["spread"]), "1s", "1s")
    engine, at = sc.Engine([], bars="1s"), 0
    for ts, price in zip(s.ts, s.mid, strict=True):
        while at < len(events) and events["ts"][at] <= ts:
            engine.on_event(events[at])
            at += 1
        assert price == (engine.book.mid if engine.book.valid else engine.last_price)
