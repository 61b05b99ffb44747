"""The tables' commands, small: jobs that fail or are late, and each table from rows to its page."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bench"))

import direction as direction_table
import fi2010 as fi2010_table
import jobs
import minutes as minutes_table
import orderbook as orderbook_table
import shipped as shipped_table
from test_datasets import coin
from test_datasets import table as days_table
from test_datasets import write as write_fi2010

from smartcore.learn.datasets import direction, fi2010, minutes, orderbook
from smartcore.learn.datasets.recording import save

ROOT = Path(__file__).resolve().parent.parent
RNG = np.random.default_rng(11)


# ---- jobs --------------------------------------------------------------------------------------------


def errand(job, settings):
    what, _ = job
    if what == "slow":
        time.sleep(60)
    if what == "missing":
        raise ModuleNotFoundError("No module named 'catboost'", name="catboost")
    if what == "wrong":
        raise KeyError("a reason")
    return f"said {what}"


def work(arguments):
    return jobs.guarded(errand, *arguments)


def told(out, **other):
    settings = {"out": out, "jobs": 2, "device": "cpu", "budget": 100.0, "grace": 1.0, "quick": True}
    return argparse.Namespace(**(settings | other))


def test_a_failing_job_is_one_failing_job(tmp_path, capfd):
    todo = [("wrong", 0), ("missing", 1), ("fine", 2), ("fine", 3)]
    assert jobs.run(work, todo, told(tmp_path), {}) == 1
    printed = capfd.readouterr().out
    assert "FAILED wrong 0: KeyError: 'a reason'" in printed
    assert "errand" in printed  # with where it happened
    assert "1 jobs skipped: catboost is not installed here" in printed
    assert "2 jobs done, 1 failed" in printed
    (about,) = jobs.machines(tmp_path)
    assert about["versions"]["numpy"] == np.__version__


def test_a_job_done_twice_counts_once(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{jobs.stem(('goog', 'last move', 0))}.json").touch()
        (tmp_path / folder / "machine-3.json").touch()
    assert [p.name for p in jobs.results(tmp_path)] == ["goog--last_move--0.json"]


@pytest.mark.parametrize("stage", ["prepare", "run", "report"])
def test_what_quick_makes_is_never_taken_for_the_table_s(stage, monkeypatch):
    def folders(*more):
        monkeypatch.setattr(sys, "argv", ["table.py", stage, *more])
        found = jobs.command("", "table")
        return {found.out, getattr(found, "rows", found.out)}

    whole, quick = folders(), folders("--quick")
    assert not whole & quick and {path.parent for path in whole | quick} == {jobs.ROOT / "out"}
    assert folders("--quick", "--out", "here") == {Path("here"), *(quick if stage != "prepare" else ())} - {
        jobs.ROOT / "out" / "table_quick"
    }


def test_a_report_of_nothing_writes_nothing(tmp_path):
    with pytest.raises(SystemExit, match="run first"):
        shipped_table.report(tmp_path, tmp_path / "results")
    assert not any(tmp_path.iterdir())


def test_a_run_ends_when_its_time_is_up(tmp_path, capfd):
    begun = time.time()
    todo = [("slow", 0), ("slow", 1), ("fine", 2)]
    assert jobs.run(work, todo, told(tmp_path, budget=4.0), {}) == 1
    assert time.time() - begun < 30
    assert "3 jobs are not back" in capfd.readouterr().out
    assert jobs.guarded(errand, ("fine", 0), {"until": time.time() - 1}) == {
        "job": ("fine", 0),
        "skipped": "the time is up",
    }


ALONE = """
import importlib.machinery, sys
absent = {"pyarrow", "onnx", "onnxruntime", "onnxmltools", "skl2onnx", "lightgbm", "xgboost", "catboost"}
class Finder(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.split(".")[0] in absent or name == "smartcore._core":
            return None
        return super().find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(importlib.machinery.PathFinder)] = Finder
import direction, minutes, orderbook
from smartcore.learn import estimator, evaluate, train
settings = dict(rows=sys.argv[1], out=sys.argv[2], device="cpu", quick=True, rounds=1, updates=1, until=1e12)
said = {model: orderbook.work((("goog", model, 0), settings)) for model in ("floors", "gru", "lightgbm")}
assert "macro-F1" in said["floors"]["said"] and "macro-F1" in said["gru"]["said"], said
assert said["lightgbm"]["skipped"] == "lightgbm is not installed here", said
"""


def test_a_machine_without_the_core_can_train(rows, tmp_path):
    package = tmp_path / "smartcore"
    package.mkdir()
    for part in (ROOT / "src" / "smartcore").iterdir():
        if part.name != "__init__.py" and not part.name.startswith("_core"):
            (package / part.name).symlink_to(part)
    (package / "__init__.py").touch()
    (tmp_path / "out").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", ALONE, str(rows), str(tmp_path / "out")], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT / 'bench'}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


# ---- order books -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Rows of which a column says what the anchored label will be, and a random walk that nothing tells."""
    folder = tmp_path_factory.mktemp("rows")
    for name, told in (("goog", True), ("random_walk", False)):
        mid = 100 + 0.01 * RNG.normal(size=2500).cumsum()
        values = RNG.normal(size=(2500, len(orderbook.LEVEL_1))).astype(np.float32)
        if told:
            ahead = np.nan_to_num(orderbook.moves(mid, "anchored", 10)) / 3e-4
            values[:, orderbook.LEVEL_1.index("ofi_l1_1s")] = ahead + 0.3 * RNG.normal(size=2500)
        made = orderbook.Recording(name, orderbook.LEVEL_1, np.arange(2500) * 10**8, values, mid)
        orderbook.save(made, folder / f"{name}.npz")
    return folder


def options(rows, out, **other):
    settings = {"rows": rows, "out": out, "models": ["all"], "without": [], "datasets": ["all"], "seeds": 2}
    return argparse.Namespace(**(settings | other))


def test_order_book_table_from_rows_to_page(rows, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    chosen = options(rows, out, models=["floors", "bin_ctabl", "gru", "logistic"])
    todo = list(orderbook_table.todo(chosen))
    assert len(todo) == 2 * (2 + 2 * 2)  # what is not random once, the others with both seeds
    settings = {"rows": str(rows), "out": str(out), "device": "cpu", "quick": True, "rounds": 2, "updates": 4}
    for job in todo:
        assert "macro-F1" in orderbook_table.task(job, settings)
    assert not list(orderbook_table.todo(chosen))  # all is there: nothing is done again
    orderbook_table.report(out, rows, tmp_path)
    page, result = (tmp_path / "orderbook.md").read_text(), json.loads((tmp_path / "orderbook.json").read_text())
    assert capsys.readouterr().out.strip() == page.strip()
    assert page.startswith("**Made with --quick")
    assert set(result["datasets"]["goog"]) == {"bin_ctabl", "gru", "logistic", *orderbook_table.FLOORS}
    goog, walk = result["datasets"]["goog"], result["datasets"]["random_walk"]
    assert goog["gru"]["seeds"] == 2
    # What a column tells is found, by the logistic models; on the walk nothing is.
    for model in ("logistic", "logistic, level 1"):
        assert goog[model]["targets"]["anchored_10"]["macro_f1"][0] > 0.7
        low, high = walk[model]["mcc_anchored"][1:]
        assert low < 0 < high or abs(walk[model]["mcc_anchored"][0]) < 0.1
    assert goog["logistic"]["less_bin_ctabl"]["anchored_10"][0] > 0  # its interval is above zero
    assert "less_bin_ctabl" not in goog["bin_ctabl"]
    assert "`anchored`: MCC" in result["control"]
    claim = {c["claim"]: c["found"] for c in result["claims"]}
    assert "goog" not in claim["a transformer is 20 to 30 % better than LSTM or CNN"]  # none was run
    assert result["about"]["goog"]["rows"]["test"] == 400


def test_bootstrap_counts_are_the_scores(rows):
    label = RNG.integers(-1, 3, (330, len(orderbook.TARGETS))).astype(np.int8)
    prob = RNG.dirichlet([1, 1, 1], (330, len(orderbook.TARGETS)))
    units = orderbook_table.confusions(prob.argmax(2), label)
    assert units.shape[0] == 7
    found = orderbook_table.scores_of(units.sum(0, dtype=np.int64))
    from smartcore.learn import evaluate

    for i in range(len(orderbook.TARGETS)):
        expected = evaluate.scores(prob[:, i], label[:, i])
        for name in ("macro_f1", "accuracy", "mcc"):
            assert found[name][i] == pytest.approx(expected[name], abs=1e-12)
        known = label[:, i] >= 0
        said, true = prob[known, i].argmax(1), label[known, i]
        assert found["win_rate"][i] == pytest.approx(np.mean(said[said != 1] == true[said != 1]))
    drawn = orderbook_table.drawn(np.stack([units, units]))["accuracy"]
    assert drawn.shape == (orderbook_table.DRAWS, 2, len(orderbook.TARGETS))
    np.testing.assert_array_equal(drawn[:, 0], drawn[:, 1])  # both seeds on the same blocks
    assert drawn.mean() == pytest.approx(found["accuracy"].mean(), abs=0.02)


def test_a_class_is_said_for_standing_above_its_share():
    train = np.repeat(np.array([1] * 8 + [0, 2], np.int8)[:, None], len(orderbook.TARGETS), axis=1)
    train[0] = -1  # unknown ones do not count: shares of 1/9, 7/9, 1/9
    prob = np.tile([0.15, 0.75, 0.10], (1, len(orderbook.TARGETS), 1))
    assert (orderbook_table.decided("gru", prob, train) == 0).all()
    for certain in ("persistence", "last move", "majority"):
        assert (orderbook_table.decided(certain, prob, train) == 1).all()
    label = np.zeros((1, len(orderbook.TARGETS)), np.int8)
    judged = orderbook_table.judged(prob, orderbook_table.decided("gru", prob, train), label)["anchored_10"]
    assert judged["accuracy"] == 1
    assert judged["accuracy_of_the_likeliest"] == 0
    assert judged["log_loss"] == pytest.approx(-np.log(0.15))


def test_rows_that_are_not_prepared_are_asked_for(rows, tmp_path):
    with pytest.raises(SystemExit, match="no aapl"):
        list(orderbook_table.todo(options(rows, tmp_path, datasets=["aapl"])))


# ---- daily direction ---------------------------------------------------------------------------------


def test_daily_table_from_table_to_page(tmp_path, monkeypatch, capsys):
    made = days_table(days=60)
    made["features"] = made["features"] + RNG.normal(size=made["features"].shape).astype(np.float32)
    np.savez(tmp_path / "acl18.npz", **made)
    monkeypatch.setattr(direction, "checked", lambda data: data)  # made up: no published counts
    settings = {"rows": str(tmp_path), "out": str(tmp_path), "device": "cpu", "quick": True, "days": 5}
    for model in ("majority", "last return", "logistic", "lstm", "transformer", "random_forest"):
        for seed in range(2):
            said = direction_table.task(("acl18", model, 0, seed), settings)
            assert "test accuracy" in said
    direction_table.task(("acl18", "lstm", 1, 0), settings)
    direction_table.report(tmp_path, tmp_path)
    result = json.loads((tmp_path / "direction.json").read_text())
    found = result["datasets"]["acl18"]
    assert found["lstm"]["tried"] == 2
    data = direction.instances("acl18", **made, days=5)
    last = (data.test.last_return > 0) == (data.train.last_return > 0).mean().round().astype(bool)
    assert last.shape == (len(data.test),)
    share = max(data.test.y.mean(), 1 - data.test.y.mean())
    assert found["majority"]["accuracy"][0] in (pytest.approx(share, abs=1e-4), pytest.approx(1 - share, abs=1e-4))
    for e in found.values():
        low, high = e["accuracy_interval"]
        assert 0 <= low <= high <= 1
    assert "attentive LSTM, as quoted" in capsys.readouterr().out


def test_nets_of_the_daily_table_see_five_days_and_no_more(tmp_path):
    import torch

    data = direction.instances("made up", **days_table(days=60), days=5)
    series = data.test.series[:1]
    rows = series[0].rows
    for name in ("lstm", "gru", "gru_attention", "lstm_attention", "transformer"):
        torch.manual_seed(0)
        net = direction_table.net_of(name, data, direction_table.CONFIGS[name][0]).eval()
        assert net.window == 5
        inputs, _ = net.inputs(torch.from_numpy(rows).unsqueeze(0))
        with torch.no_grad():
            both = torch.cat([inputs[:, 3:8], inputs[:, 3:8]])
            said = net.look(both)
            assert said.shape == (2, 1, 2)
            torch.testing.assert_close(said[0], said[1])


def test_intervals_hold_days_together():
    # One day decides all its stocks: the interval must be as wide as that of days, not of instances.
    day = np.repeat(np.arange(60), 50)
    y = np.repeat(RNG.integers(0, 2, 60), 50)
    counts = direction_table.by_day(np.full(len(y), 0.9), y, day)
    (low, high), _ = direction_table.intervals(counts[None])
    share = y.mean()
    assert low < share < high
    assert high - low > 2 * 1.5 * np.sqrt(share * (1 - share) / 60)


# ---- minutes -----------------------------------------------------------------------------------------


def test_minutes_table_from_rows_to_page(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(minutes_table, "DRAWS", 50)
    minutes_table.folds.cache_clear()
    for name in ("BTCUSDT", "ETHUSDT"):
        made = coin(name, n=6000)
        made.rows[:, 0] = np.nan_to_num(minutes.moves(made.mid, 5)) / 2e-3  # tells the next five minutes
        save(made, tmp_path / f"2025-{name}.npz")
    settings = {"rows": str(tmp_path), "out": str(tmp_path), "device": "cpu", "quick": True}
    for model, seed in (("logistic", 0), ("gru", 0), ("gru", 1)):
        for fold in range(minutes_table.TESTS):
            assert minutes_table.task(("2025", model, fold, seed), settings).endswith("%")
    chosen = argparse.Namespace(models=["logistic", "gru"], without=[], datasets=["2025"], seeds=2, out=tmp_path)
    assert not list(minutes_table.todo(chosen))
    minutes_table.report(tmp_path, tmp_path, tmp_path)
    result = json.loads((tmp_path / "minutes.json").read_text())
    cells = result["datasets"]["2025"]["horizons"]["5"]["models"]
    assert cells["logistic"]["auc"][0] > 0.95
    assert cells["majority"]["auc"] == [0.5, 0.0]
    assert cells["gru"]["seeds"] == 2
    assert result["trials"] == 3 * len(minutes.HORIZONS) * len(minutes_table.THRESHOLDS)
    assert result["best"]["model"] == "logistic"
    assert result["best"]["round_trip_bps"] > minutes_table.ROUND_TRIP  # it knew the future
    assert result["gains"] == sum(t["total"] > 0 for t in result["variants"])
    page = capsys.readouterr().out
    assert f"{result['gains']} of {result['trials']} variants" in page


def test_counts_of_minutes_are_the_scores():
    from sklearn.metrics import roc_auc_score

    up, label = RNG.random(5000), RNG.integers(-1, 2, 5000).astype(np.int8)
    counts = minutes_table.Counts.of(up, label, np.arange(5000) // 240)
    (accuracy,), (area,) = minutes_table.measured([counts])
    known = label >= 0
    assert accuracy == pytest.approx(np.mean((up[known] > 0.5) == label[known]), abs=1e-12)
    assert area == pytest.approx(roc_auc_score(label[known], up[known]), abs=1e-3)
    _, drawn = minutes_table.measured([counts], 200)
    ups, downs = (label == 1).sum(), (label == 0).sum()
    of_mann_and_whitney = np.sqrt((ups + downs + 1) / (12 * ups * downs))
    assert drawn.std() == pytest.approx(of_mann_and_whitney, rel=0.35)


def test_a_variant_pays_for_what_it_trades():
    fold = minutes.folds([coin("AA", n=2000)], tests=1)[0]
    (series,) = fold.test
    always = minutes_table.traded([fold], [np.ones(len(series))], 1, 0.0)
    assert always["round_trips"] == 1.0  # in once, out once
    held = np.sum(np.diff(series.mid) / series.mid[:-1])
    assert always["gross"] == pytest.approx(held)
    assert always["total"] == pytest.approx(held - 5e-4)
    never = minutes_table.traded([fold], [np.full(len(series), 0.5)], 1, 0.0)
    assert (never["total"], never["sharpe"], never["round_trip_bps"]) == (0.0, 0.0, None)


# ---- FI-2010 -----------------------------------------------------------------------------------------


def test_fi2010_from_files_to_page(tmp_path, capsys):
    for kind, fold in (("Train", 7), ("Test", 7), ("Test", 8), ("Test", 9)):
        write_fi2010(tmp_path / fi2010.name(kind, fold), events=900 if kind == "Train" else 300, seed=fold)
    files = (str(tmp_path), 2, "ZScore", 40, False)
    settings = {"files": files, "out": str(tmp_path), "device": "cpu", "quick": True}
    for model, seed in (("bin_ctabl", 0), ("bin_ctabl", 1), ("gru", 0)):
        assert fi2010_table.task((model, 0, seed), settings).startswith("macro-F1")
    chosen = argparse.Namespace(models=["bin_ctabl", "gru"], without=[], seeds=2, setup=2, out=tmp_path)
    assert list(fi2010_table.todo(chosen)) == [("gru", 0, 1)]
    fi2010_table.report(tmp_path, tmp_path)
    result = json.loads((tmp_path / "fi2010.json").read_text())
    assert result["models"]["bin_ctabl"]["seeds"] == 2
    assert len(result["models"]["bin_ctabl"]["macro_f1"]) == 5
    page = capsys.readouterr().out
    assert "*bin_ctabl, LOBCAST*" in page
    assert "k = 100" in page
