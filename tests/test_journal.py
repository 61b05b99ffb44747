"""The journal: what was decided can be read back, explained and decided again; a kill loses no more than is
promised.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

import smartcore as sc
from smartcore.bot.journal import LAYOUT, Journal, why
from smartcore.bot.orchestrator import Orchestrator
from smartcore.decide import Context, Inputs, decide
from smartcore.errors import InvalidData
from smartcore.market import events as ev

SECOND = 10**9
T0 = 1_700_000_000 * SECOND


@pytest.fixture(scope="module")
def market():
    return sc.simulate(seconds=150, seed=5, regime="mixed").events


def bars(n=50):
    close = 100 + np.sin(np.arange(n) / 5)
    return ev.bars(T0 + 60 * SECOND * np.arange(1, n + 1), close, close + 0.1, close - 0.1, close, 10.0)


def decided(journal, n=50):
    bot = Orchestrator(sc.Engine(instrument="BARS"), policy=sc.Policy(), journal=journal)
    return list(bot.run(bars(n)))


def test_entries_are_what_was_decided(tmp_path, market):
    policy = sc.Policy(every="1s", horizon=10)
    with Journal(tmp_path / "bot.journal") as journal:
        bot = Orchestrator(sc.Engine(instrument="SIM", bars="1s"), sc.Model.load("gru"), policy=policy, journal=journal)
        bot.equity, bot.position = 1000.0, -2.0
        rows = []
        decisions = []
        for d in bot.run(market):
            decisions.append(d)
            rows.append(bot.engine.row.copy())
        entries = list(journal)
        assert len(journal) == len(entries) == len(decisions) > 140
    assert [entry.decision for entry in entries] == decisions
    np.testing.assert_array_equal(np.array([entry.row for entry in entries]), rows)
    last = entries[-1]
    assert last.run.columns == sc.FeatureSet.default().columns
    assert last.run.fingerprint == sc.FeatureSet.default().fingerprint
    assert last.run.symbol == "SIM" and last.run.version == sc.__version__
    assert last.run.policy["horizon"] == 10 and last.run.policy_id == bot.status()["policy_id"]
    assert [(m["source"], m["name"]) for m in last.run.models] == [("sequence", "gru")]
    assert last.context["equity"] == 1000.0 and last.context["position"] == -2.0
    assert set(last.scorecard) == {"fused", "sequence", "smart_money", "technical"}
    assert sum(last.scores["sequence"]) == pytest.approx(1, abs=1e-5)
    assert last.values["spread"] == rows[-1][sc.FeatureSet.default().index("spread")]
    json.dumps(last.to_dict(), allow_nan=False)


def test_every_decision_can_be_made_again_from_it(tmp_path, market):
    policy = sc.Policy(every="1s", horizon=10)
    with Orchestrator(
        sc.Engine(instrument="SIM", bars="1s"), sc.Model.load("gru"), policy=policy, journal=tmp_path / "j"
    ) as bot:
        for _ in bot.run(market):
            pass
    for entry in Journal(tmp_path / "j", readonly=True):
        given = dict(entry.context)
        for name in ("calibrated", "failed", "fell_back"):
            given[name] = frozenset(given[name])
        given["price"] = float("nan") if given["price"] is None else given["price"]
        context = Context(Inputs(entry.run.columns), **given)
        again = decide(entry.row, entry.scores, entry.card, policy, context=context)
        assert again == entry.decision


def test_why_names_each_gate_and_its_margin(tmp_path):
    with Journal(tmp_path / "j") as journal:
        d = decided(journal)[-1]
        for entry in (why(d.id, journal), why(d.id, tmp_path / "j"), why(d.id), sc.why(d.id)):
            assert entry.decision == d
            assert entry.gates == d.reasons
            text = str(entry)
            for reason in d.reasons:
                assert reason.text in text
            assert "stopped by model" in text and d.id in text
            assert f"of {len(sc.FeatureSet.default())} columns not known yet" in text
            assert "short by 1" in text
        with pytest.raises(LookupError, match="no decision 'nobody' in"):
            why("nobody", journal)


def test_why_without_a_journal_knows_the_last_ones():
    bot = Orchestrator(sc.Engine(instrument="RING"), policy=sc.Policy())
    decisions = list(bot.run(bars(300)))
    assert why(decisions[-1].id).decision == decisions[-1]
    assert "RING" in str(why(decisions[-100].id))
    with pytest.raises(LookupError, match="any open journal"):
        why(decisions[0].id)  # 300 ago
    gone = decisions[-1].id
    del bot
    gc.collect()
    with pytest.raises(LookupError):
        why(gone)


def test_why_looks_into_the_environment(tmp_path, monkeypatch):
    with Journal(tmp_path / "j") as journal:
        d = decided(journal)[0]
    monkeypatch.setenv("SMARTCORE_JOURNAL", str(tmp_path / "j"))
    monkeypatch.setattr("smartcore.bot.journal._places", [])
    assert why(d.id).decision == d


def test_runs_append(tmp_path):
    for _ in range(2):
        with Journal(tmp_path / "j") as journal:
            decided(journal, 5)
    journal = Journal(tmp_path / "j", readonly=True)
    assert len(journal) == 10
    entries = list(journal)
    assert entries[0].decision.id == entries[5].decision.id
    assert journal.find(entries[0].decision.id).run.started == entries[5].run.started  # the newest
    assert [e.decision.id for e in journal.last(2)] == [e.decision.id for e in entries[-2:]]
    assert journal.last(100)[0].decision == entries[0].decision


def test_it_is_append_only(tmp_path):
    with Journal(tmp_path / "j") as journal:
        decided(journal, 3)
    with sqlite3.connect(tmp_path / "j") as connection:
        for statement in (
            "DELETE FROM decisions",
            "UPDATE decisions SET signal = 'BUY'",
            "DELETE FROM runs",
            "UPDATE runs SET policy_id = ''",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(statement)
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert connection.execute("SELECT count(*) FROM decisions WHERE json_valid(decision)").fetchone()[0] == 3
    connection.close()


def test_full_it_drops_counts_and_says_so(tmp_path, caplog):
    with Journal(tmp_path / "j", limit=10, commit_s=60.0) as journal:
        bot = Orchestrator(sc.Engine(), policy=sc.Policy(), journal=journal)
        start = time.perf_counter()
        for e in bars(50):
            bot.on_event(e)
        assert time.perf_counter() - start < 5
        assert journal.drops == 40 and journal.full and journal.pending == 10
        assert bot.status()["journal"]["drops"] == 40
        journal.flush()
        assert len(journal) == 10
        deadline = time.monotonic() + 5
        while journal.dropped != 40 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert journal.dropped == 40
    assert "40 decisions not recorded" in caplog.text


def test_a_replay_waits_for_its_journal(tmp_path):
    with Journal(tmp_path / "j", limit=10, commit_s=60.0) as journal:
        assert len(decided(journal, 50)) == 50
        assert len(journal) == 50 and journal.drops == 0


def test_one_odd_record_does_not_hold_up_the_others(tmp_path, caplog):
    with Journal(tmp_path / "j") as journal:
        bot = Orchestrator(sc.Engine(), policy=sc.Policy(), journal=journal)
        list(bot.run(bars(2)))
        record = bot._recent._records[-1]
        journal.put(replace(record, scores={"sequence": object()}))
        journal.put(record)
        assert len(journal) == 3
        assert journal.drops == 1
    assert "not recorded" in caplog.text


def test_what_is_no_journal_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no journal at"):
        Journal(tmp_path / "none", readonly=True)
    text = tmp_path / "text"
    text.write_text("not a database, by far" * 100)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE things (x)")
    connection.close()
    newer = tmp_path / "newer"
    Journal(newer).close()
    with sqlite3.connect(newer) as connection:
        connection.execute(f"PRAGMA user_version={LAYOUT + 1}")
    connection.close()
    for readonly in (True, False):
        with pytest.raises(InvalidData, match="cannot be read"):
            Journal(text, readonly=readonly)
        with pytest.raises(InvalidData, match="no journal"):
            Journal(other, readonly=readonly)
        with pytest.raises(InvalidData, match="newer"):
            Journal(newer, readonly=readonly)
    with pytest.raises(ValueError, match="limit"):
        Journal(tmp_path / "x", limit=0)
    with pytest.raises(ValueError, match="commit_s"):
        Journal(tmp_path / "x", commit_s=0)


def test_closed_it_takes_nothing_and_closing_twice_is_fine(tmp_path):
    journal = Journal(tmp_path / "j")
    decided(journal, 3)
    journal.close()
    journal.close()
    record_count = len(journal)
    bot = Orchestrator(sc.Engine(), policy=sc.Policy(), journal=journal)
    bot.on_event(bars(1)[0])
    assert journal.drops == 1 and len(journal) == record_count == 3


_LIVE = """
import sys, time
import numpy as np
import smartcore as sc
from smartcore.bot.orchestrator import Orchestrator

bot = Orchestrator(sc.Engine(instrument="KILL"), policy=sc.Policy(), journal=sys.argv[1])
for i in range(100_000):
    d = bot.on_bar(10**18 + i * 60 * 10**9, 100.0, 101.0, 99.0, 100.5, 3.0)
    print(time.monotonic_ns(), d.id, flush=True)
    time.sleep(0.002)
"""


def test_a_kill_loses_only_the_last_moments(tmp_path):
    """At most what was decided within commit_s and one batch before ``kill -9``; 0.75 s here, the machine may be
    busy.
    """
    path = tmp_path / "j"
    process = subprocess.Popen([sys.executable, "-c", _LIVE, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = [process.stdout.readline()]
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        lines.append(process.stdout.readline())
    killed = time.monotonic_ns()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    made = [line.split() for line in lines if line.endswith("\n")]
    kept = {entry.decision.id for entry in Journal(path, readonly=True)}
    old = [name for stamp, name in made if killed - int(stamp) > 0.75 * SECOND]
    assert len(old) > 50
    assert [name for name in old if name not in kept] == []
    with Journal(path) as journal:  # and it goes on
        decided(journal, 3)
        assert len(journal) == len(kept) + 3


def test_leaving_python_keeps_everything(tmp_path):
    program = _LIVE.replace("range(100_000)", "range(30)").replace("time.sleep(0.002)", "pass")
    result = subprocess.run([sys.executable, "-c", program, str(tmp_path / "j")], capture_output=True, text=True)
    assert result.returncode == 0 and result.stderr == ""
    assert len(Journal(tmp_path / "j", readonly=True)) == 30
