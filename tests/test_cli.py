"""The command line, the report, and the README, run as a user would."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import self_contained

import smartcore as sc
from smartcore import cli
from smartcore.bot import report
from smartcore.bot.latency import Latency
from smartcore.bot.orchestrator import Orchestrator
from smartcore.features import user
from smartcore.market import events as ev

ROOT = Path(__file__).resolve().parent.parent
SECOND = 10**9


def smartcore(*arguments):
    """(exit code, standard output, standard error) of a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = cli.main([str(a) for a in arguments])
        except SystemExit as stop:
            code = stop.code
    return code, out.getvalue(), err.getvalue()


def document(*arguments):
    code, out, err = smartcore(*arguments, "--json")
    assert code in (0, 1), err
    return json.loads(out, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@pytest.fixture
def bars_file(tmp_path):
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, 400)))
    lines = ["timestamp,open,high,low,close,volume"]
    for i, c in enumerate(close):
        lines.append(f"{1_700_000_000 + 60 * i},{c},{c * 1.001},{c * 0.999},{c},{1 + i % 7}")
    path = tmp_path / "bars.csv"
    path.write_text("\n".join(lines))
    return path


# ---- demo ----


def test_demo_in_short(tmp_path):
    start = time.monotonic()
    command = [sys.executable, "-m", "smartcore.cli", "demo", "--seconds", "30", "--no-paced", "--out", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert time.monotonic() - start < 15 * float(os.environ.get("SMARTCORE_SLOW", "1"))
    out = result.stdout
    assert "\033[" not in out and "\r" not in out  # no terminal: plain
    for word in (
        "simulated",
        "signals",
        "gates",
        "hot",
        "p99.9",
        "events a second",
        "MiB resident",
        "journal",
        "report",
    ):
        assert word in out, word
    assert "paced" not in out
    self_contained((tmp_path / "demo.html").read_text())
    told = re.search(r"smartcore why (\S+) --journal (\S+)", out)
    assert told is not None
    code, text, _ = smartcore("why", told[1], "--journal", told[2])
    assert code == 0 and told[1] in text and "passed order book in sequence: yes" in text


def test_demo_as_json_with_the_paced_measurement(tmp_path):
    d = document("demo", "--seconds", "200", "--ticks", "100", "--out", tmp_path, "--set", "min_confidence=0.6")
    assert d["events"] > 5000 and 190 <= d["decisions"] == d["journaled"]
    assert d["latency"]["paced"]["count"] >= 100
    assert d["latency"]["hot"]["p50_us"] > 0
    assert d["dropped"] == 0 and d["models"] == ["gbdt", "gru"]
    assert sum(d["signals"].values()) == d["decisions"]
    assert all(gate in report.GATES for gate in d["gates"])
    html = Path(d["report"]).read_text()
    self_contained(html)
    assert "nan" not in html
    assert len(html) < 300_000 and "simulated" in html


# ---- run ----


def test_run_on_bars(bars_file, tmp_path):
    out = tmp_path / "sub" / "run.html"
    d = document("run", "--data", bars_file, "--report", out, "--journal", tmp_path / "run.journal")
    assert d["events"] == d["decisions"] == 400 and d["bars"] is None and d["models"] == []
    assert d["passed"] and {check["name"] for check in d["checks"]} == {"every event taken", "decisions throughout"}
    self_contained(out.read_text())
    again = document("replay", "--all", "--journal", tmp_path / "run.journal")
    assert again["exact"] and [part["decisions"] for part in again["parts"]] == [d["decisions"]]
    last = document("why", "last", "--journal", tmp_path / "run.journal")
    assert last["decision"]["ts"] == (1_700_000_000 + 60 * 400) * SECOND
    assert last["policy"]["every"] == "bar" and len(last["row"]) == len(sc.FeatureSet.default())
    assert document("run", "--data", bars_file, "--limit", 7)["decisions"] == 7
    assert document("run", "--data", bars_file, "--every", "100 events")["decisions"] == 4
    assert document("run", "--data", bars_file, "--models", "gru")["gates"]["model"]["failed"] == 400


def test_run_in_words(bars_file):
    code, out, err = smartcore("run", "--data", bars_file)
    assert code == 0 and err == ""
    for word in ("400 events", "models: none", "UTC", "signals", "gates", "latency", "speed", "memory", "passed"):
        assert word in out, word


def test_run_on_a_recording_ends_with_the_exchange_s_own_quote(recorded, tmp_path):
    data = recorded("binance_l2_2024/usdm_perp_btcusdt_2024-08-08.parquet")
    d = document("run", "--data", data, "--report", tmp_path / "run.html")
    checks = {check["name"]: check for check in d["checks"]}
    assert d["passed"], d["checks"]
    assert "0 messages" in checks["book never crossed"]["value"]
    assert checks["book equals the last best quote"]["passed"]
    assert d["events"] > 500_000 and d["decisions"] >= d["span_s"] - 2
    self_contained((tmp_path / "run.html").read_text())


def test_a_failed_check_is_exit_code_1(tmp_path, monkeypatch):
    ts = 1_700_000_000 * SECOND + np.arange(4) * SECOND
    crossed = ev.depth(ts, [1, -1, 1, -1], [100, 101, 102, 103], 1.0, snapshot=[True, False, False, False])
    monkeypatch.setattr("smartcore.market.readers.read", lambda *_, **__: crossed)
    file = tmp_path / "x"
    file.write_text("x")
    code, out, _ = smartcore("run", "--data", file)
    assert code == 1 and "book never crossed: 2 messages left it crossed or locked: FAILED" in out


# ---- features, why, version ----


def test_features():
    d = document("features")
    assert d["columns"] == len(sc.catalogue().columns) and d["kernels"] == len(sc.catalogue())
    assert {"column", "group", "unit", "warmup", "formula", "source"} <= set(d["features"][0])
    code, out, _ = smartcore("features", "--group", "technical")
    assert code == 0 and "rsi_14" in out and "spread" not in out.split()
    assert all(f["group"] == "technical" for f in document("features", "--group", "technical")["features"])



def test_features_looked_for():
    found = document("features", "wilder", "--family", "trend")["features"]
    assert found and all("Wilder" in f["source"] and f["family"] == "trend" for f in found)
    code, _, err = smartcore("features", "no such thing")
    assert code == 2 and "'no such thing'" in err
    code, _, err = smartcore("features", "--family", "trends")
    assert code == 2 and "there is trend" in err


@pytest.mark.parametrize("word", ["macd", "macd_12_26_9_histogram", "macd_5_20_3"])
def test_all_there_is_to_say_of_a_feature(word):
    code, out, _ = smartcore("features", word)
    assert code == 0
    for said in ("macd\n", "Appel", "wakes on   bar", "2 to 10000", "macd_{fast}_{slow}_{signal}_histogram", "34"):
        assert said in out, said
    d = document("features", word)
    assert d["kernel"]["name"] == "macd" and "macd_12_26_9" in d["kernel"]["columns"] and d["kernels"] == 1


def test_every_feature_can_be_asked_for():
    for kernel in sc.catalogue():
        assert kernel.name in cli._help(kernel) and json.dumps(cli._about(kernel), allow_nan=False)


def test_features_as_a_page(tmp_path):
    page = tmp_path / "features.html"
    d = document("features", "--html", page)
    assert d["kernels"] == len(sc.catalogue()) and d["bytes"] > 10_000
    assert "rsi_14" in page.read_text(encoding="utf-8")


def test_version():
    d = document("version")
    assert d["version"] == sc.__version__ and d["columns"] == len(sc.catalogue().columns)
    assert smartcore("version")[1].startswith(f"smartcore {sc.__version__}\n")
    assert smartcore("--version")[:2] == (0, f"smartcore {sc.__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["fly"], "invalid choice: 'fly'"),
        (["run"], "required: --data"),
        (["run", "--data", "absent.parquet"], "absent.parquet: No such file"),
        (["run", "--data", "."], "is a folder"),
        (["run", "--data", "BARS", "--limit", "0"], "--limit 0"),
        (["run", "--data", "BARS", "--bars", "1s"], "holds bars already"),
        (["run", "--data", "BARS", "--bars", "soon"], "'soon' is no interval"),
        (["run", "--data", "BARS", "--every", "often"], "every: 'often'"),
        (["run", "--data", "BARS", "--format", "lobster"], "no column"),
        (["run", "--data", "BARS", "--models", "oracle"], "no model 'oracle'"),
        (["run", "--data", "BARS", "--set", "courage=1"], "--set courage: no such field"),
        (["run", "--data", "BARS", "--set", "courage"], "--set courage: write NAME=VALUE"),
        (["run", "--data", "BARS", "--set", "min_confidence=2"], "min_confidence: 2 is not a number from 0.5 to 1"),
        (
            ["run", "--data", "BARS", "--read", "colour=red"],
            "--read: read() got an unexpected keyword argument 'colour'",
        ),
        (["run", "--data", "TEXT"], "no known format"),
        (["demo", "--seconds", "-1"], "--seconds -1"),
        (["demo", "--models", "oracle"], "no model 'oracle'"),
        (["features", "--group", "astrology"], "--group astrology: there is technical"),
        (["why", "x"], "which journal?"),
        (["why", "x", "--journal", "absent"], "no journal at absent"),
        (["why", "x", "--journal", "TEXT"], "cannot be read as a journal"),
    ],
)
def test_errors_are_one_line_and_exit_code_2(arguments, says, bars_file, tmp_path, monkeypatch):
    monkeypatch.delenv("SMARTCORE_JOURNAL", raising=False)
    text = tmp_path / "notes.csv"
    text.write_text("colour,shape\nred,round\n" * 100)
    files = {"BARS": bars_file, "TEXT": text}
    code, out, err = smartcore(*(files.get(a, a) for a in arguments))
    assert code == 2 and out == ""
    assert says in err and "Traceback" not in err and err.count("\n") == 1


def test_a_reader_that_stops_early_is_no_error():
    command = f"{sys.executable} -m smartcore.cli features | head -1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert result.returncode == 0 and result.stderr == "" and result.stdout.strip()


def test_the_terminal_gets_colours_and_progress(monkeypatch, bars_file):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    out = Terminal()
    with contextlib.redirect_stdout(out):
        assert cli.main(["run", "--data", str(bars_file)]) == 0
    assert "\033[2m" in out.getvalue() and "\r\033[K" in out.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    with contextlib.redirect_stdout(out):
        assert cli.main(["run", "--data", str(bars_file)]) == 0
    assert "\033[2m" not in out.getvalue()


# ---- the report ----


@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_a_report_of_few_decisions(tmp_path, count):
    session = report.Session()
    close = np.full(count, 100.0)
    events = ev.bars(1_700_000_000 * SECOND + np.arange(count) * SECOND, close, close, close, close, 1.0)
    for d in Orchestrator(sc.Engine(), policy=sc.Policy()).run(events):
        session.add(d)
    size = report.write(
        tmp_path / "r.html",
        session,
        title="<few> & flat",
        facts={"a": "1"},
        latencies={"none": Latency()},
        scorecard={},
    )
    html = (tmp_path / "r.html").read_text()
    self_contained(html)
    assert "nan" not in html
    assert size == len(html.encode()) and "&lt;few&gt; &amp; flat" in html
    assert ("No decision was made" in html) == (count == 0)
    assert "<svg" in html or not count


def test_a_report_of_many_stays_small(tmp_path):
    session = report.Session()
    n = 30_000
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-4, n)))
    ts = 1_700_000_000 * SECOND + np.arange(n) * 60 * SECOND
    events = ev.bars(ts, close, close * 1.0001, close * 0.9999, close, rng.uniform(1, 2, n))
    bot = Orchestrator(sc.Engine(), policy=sc.Policy())
    for d in bot.run(events):
        session.add(d)
    size = report.write(tmp_path / "r.html", session, title="many", facts={}, latencies={"hot": bot.latency})
    assert size < 300_000
    self_contained((tmp_path / "r.html").read_text())


# ---- the README ----


def test_the_readme_s_python_runs(tmp_path, monkeypatch, capsys):
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 3
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), names)
    user.forget(*user.declared())
    out = capsys.readouterr().out
    assert "confidence" in out and "passed order book in sequence: yes" in out and "<Latency of" in out


def test_the_readme_s_counts_are_the_catalogue_s():
    text, catalogue = (ROOT / "README.md").read_text(), sc.catalogue()
    whole = f"{len(catalogue)} kernels (formulas) make {len(catalogue.columns):,} default columns"
    assert whole in text
    log = (ROOT / "CHANGELOG.md").read_text()
    assert f"{len(catalogue)} kernels and {len(catalogue.columns):,} default columns" in log
    for group in catalogue.groups:
        kernels = sum(kernel.group == group for kernel in catalogue)
        columns = sum(column.kernel.group == group for column in catalogue.columns)
        assert f"| `{group}` | {kernels} | {columns} |" in text


def test_the_readme_s_commands_exist():
    text = (ROOT / "README.md").read_text()
    for line in re.findall(r"^    smartcore ([a-z]+.*?)(?:#.*)?$", text, re.MULTILINE):
        cli.parser().parse_args(line.replace("FILE", "x").split())
    for option in re.findall(r"`(--[a-z-]+)", text):
        assert option in (ROOT / "src" / "smartcore" / "cli.py").read_text(), option
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^    make ([a-z]+)", text, re.MULTILINE):
        assert f"\n{target}:" in makefile
    for path in re.findall(r"`((?:bench|export|csrc|src|tests)/[\w./*]*)`", text):
        assert list(ROOT.glob(path)) or (ROOT / path).exists(), path


def test_run_of_a_configuration(tmp_path, bars_file):
    path = tmp_path / "bot.toml"
    path.write_text(
        '[bot]\nsymbols = ["BTC"]\njournal = "its.journal"\n[policy]\npreset = "laboratory"\nfee_bps = 0.5\n'
    )
    found = document("run", "--data", str(bars_file), "--config", str(path), "--set", "max_contracts=2")
    assert found["policy"] == {"every": "bar", "fee_bps": 0.5} and found["decisions"] > 300
    assert found["journal"] == str(tmp_path / "its.journal") and (tmp_path / "its.journal").is_file()
    assert found["last"].startswith("BTC-")
    path.write_text("[policy]\nmin_confidense = 0.6\n")
    code, _, said = smartcore("run", "--data", str(bars_file), "--config", str(path))
    assert code == 2 and "policy.min_confidense: unknown; did you mean min_confidence" in said
