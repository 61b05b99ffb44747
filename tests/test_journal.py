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
import threading
import time
import weakref
from dataclasses import replace

import numpy as np
import pytest

import smartcore as sc
from smartcore import _core
from smartcore.bot import layouts
from smartcore.bot.journal import LAYOUT, Journal, why
from smartcore.bot.orchestrator import Orchestrator
from smartcore.decide import Inputs
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
    assert [name for name, _ in last.scorecard.by_source] == ["fused", "sequence", "smart_money", "technical"]
    assert last.context["price"] == last.decision.price and last.context["latency_ns"] == last.decision.latency_ns
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
    entries = list(Journal(tmp_path / "j", readonly=True))
    assert len(entries) > 140
    for entry in entries:
        assert entry.again() == entry.decision.raw
        assert entry.record("POLICY") == policy.raw and entry.record("INPUTS") == Inputs(entry.run.columns).raw
    last = entries[-1]
    other = replace(policy, min_confidence=0.99, strong_confidence=0.99)
    assert last.again(policy=other.raw) != last.decision.raw
    row = np.full(len(last.row), np.nan)
    assert last.again(row) != last.decision.raw


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
        rows = connection.execute("SELECT id, signal, quality, stopped_by, price, latency_ns FROM decisions").fetchall()
        assert len(rows) == 3 and all(row[1:4] == ("HOLD", "POOR", "model") and row[4] > 0 < row[5] for row in rows)
    connection.close()


def test_full_it_drops_counts_and_says_so(tmp_path, caplog):
    with Journal(tmp_path / "j", memory=1 << 18, commit_s=60.0) as journal:
        bot = Orchestrator(sc.Engine(), policy=sc.Policy(), journal=journal)
        start = time.perf_counter()
        for e in bars(50):
            bot.on_event(e)
        assert time.perf_counter() - start < 5
        assert 10 < journal.drops < 40 and journal.full and journal.pending <= 1 << 18
        kept, drops = 50 - journal.drops, journal.drops
        assert bot.status()["journal"]["drops"] == drops
        assert journal.flush()
        assert len(journal) == kept
        deadline = time.monotonic() + 5
        while journal.dropped != drops and time.monotonic() < deadline:
            time.sleep(0.01)
        assert journal.dropped == drops
    assert sum(int(record.args[1]) for record in caplog.records if "not recorded" in record.message) == drops
    sequences = [int(entry.decision.id.rsplit("-")[-1], 16) for entry in Journal(tmp_path / "j", readonly=True)]
    assert sequences == list(range(kept))


def test_a_disk_that_fails_for_a_while_loses_nothing(tmp_path, monkeypatch, caplog):
    write, fails = Journal._write, []

    def failing(self, connection, ring, *rest, **named):
        if len(fails) < 3:
            fails.append(1)
            if len(fails) == 2:  # in the middle of a commit
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("INSERT INTO drops VALUES (NULL, 1, 99)")
            raise sqlite3.OperationalError("database or disk is full")
        return write(self, connection, ring, *rest, **named)

    monkeypatch.setattr(Journal, "_write", failing)
    with Journal(tmp_path / "j", commit_s=0.02) as journal:
        bot = Orchestrator(sc.Engine(["rsi_14"], instrument="FULL"), journal=journal)
        made = list(bot.run(bars(30)))
        deadline = time.monotonic() + 10
        while len(fails) < 1 and time.monotonic() < deadline:
            time.sleep(0.005)
        assert journal.flush()
        assert [entry.decision for entry in journal] == made and journal.drops == journal.dropped == 0
        deadline = time.monotonic() + 5
        while journal.error and time.monotonic() < deadline:
            time.sleep(0.005)
        assert journal.status()["error"] is None
    assert len(fails) == 3 and caplog.text.count("disk is full") == 1


def test_a_replay_waits_for_its_journal(tmp_path):
    with Journal(tmp_path / "j", memory=1 << 18, commit_s=60.0) as journal:
        assert len(decided(journal, 50)) == 50
        assert len(journal) == 50 and journal.drops == 0


def test_events_between_rare_decisions_are_all_kept(tmp_path, market):
    with Journal(tmp_path / "j", memory=1 << 18, events=True, commit_s=60.0) as journal:
        bot = Orchestrator(sc.Engine(["rsi_14"], bars="1m"), policy=sc.Policy(), journal=journal)
        made = list(bot.run(market))
        assert len(made) == 2 and len(market) * 96 > 3 << 18
        assert journal.flush() and journal.status()["lost_events"] == 0
        assert journal.events_of(1, 0, len(market)).tobytes() == market.tobytes()
    with sqlite3.connect(tmp_path / "j") as connection:
        counts = [n for (n,) in connection.execute("SELECT count FROM events")]
    connection.close()
    assert sum(counts) == len(market) and len(counts) < len(market) / 100


def test_rings_are_bounded_and_go_away(tmp_path):
    with Journal(tmp_path / "j", memory=1 << 20) as journal:
        bots = [Orchestrator(sc.Engine(["rsi_14"], instrument=f"S{i}"), journal=journal) for i in range(5)]
        status = journal.status()
        assert status["rings"] == 5 and status["memory"] <= (1 << 20) * 2 + 3 * (1 << 18)
        for bot in bots:
            list(bot.run(bars(3)))
        assert len(journal) == 15
        bots[0].close()
        bots.pop()
        del bot
        gc.collect()
        deadline = time.monotonic() + 5
        while journal.status()["rings"] != 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert journal.status()["rings"] == 3
        assert sorted(p.name for p in tmp_path.glob("*-ring*")) == ["j-ring2", "j-ring3", "j-ring4"]
        bots[1].rename("NEW")
        d = list(bots[1].run(bars(4)[3:]))[-1]
        assert d.id.startswith("NEW-") and journal.find(d.id).run.symbol == "NEW"
    assert not list(tmp_path.glob("*-ring*"))
    assert len(Journal(tmp_path / "j", readonly=True)) == 16


def test_it_is_written_from_while_others_read(tmp_path):
    """A reader of another process sees a decision as soon as it is put, committed or not."""
    with Journal(tmp_path / "j", commit_s=60.0) as journal:
        bot = Orchestrator(sc.Engine(instrument="BARS"), journal=journal)
        made = list(bot.run(bars(20)))
        other = Journal(tmp_path / "j", readonly=True)
        with sqlite3.connect(tmp_path / "j") as connection:
            assert connection.execute("SELECT count(*) FROM decisions").fetchone()[0] == 0
        connection.close()
        assert [e.decision for e in other] == made and len(other) == 20
        assert other.find(made[3].id).decision == made[3]
        assert [e.decision for e in other.last(3)] == made[-3:]
        journal.flush()
        assert [e.decision for e in other] == made and len(other) == 20
        assert [e.decision for e in other.last(3)] == made[-3:]


def test_what_is_committed_while_a_reader_looks_is_seen_once(tmp_path, monkeypatch):
    """Between the reader's copy of the ring and its look at the file, all in the copy and more is written down."""
    with Journal(tmp_path / "j", commit_s=60.0) as journal:
        bot = Orchestrator(sc.Engine(["rsi_14"], instrument="BARS"), journal=journal)
        events = bars(30)
        made = list(bot.run(events[:10]))
        images = Journal._images

        def slow(self, connection):
            found = images(self, connection)
            if self.readonly and bot.ts < events["ts"][-1]:
                made.extend(bot.run(events[10:]))
                assert journal.flush()
            return found

        other = Journal(tmp_path / "j", readonly=True)
        monkeypatch.setattr(Journal, "_images", slow)
        assert [e.decision for e in other] == made and len(made) == 30
        assert len(other) == 30


def test_a_bot_that_is_forgotten_closes_its_journal(tmp_path):
    """One that was opened for a path is the bot's own: no thread, no descriptor and no ring is left of it."""

    def standing():
        names = [t.name for t in threading.enumerate() if t.name.startswith("journal own")]
        return len(names), len(list(tmp_path.glob("own*-ring*")))

    for i in range(5):
        bot = Orchestrator(sc.Engine(["rsi_14"]), journal=tmp_path / f"own{i}")
        list(bot.run(bars(3)))
    del bot
    gc.collect()
    deadline = time.monotonic() + 20
    while standing() != (0, 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert standing() == (0, 0)
    assert [len(Journal(tmp_path / f"own{i}", readonly=True)) for i in range(5)] == [3] * 5


def test_a_bot_renamed_keeps_no_ring_of_before(tmp_path):
    """Neither the memory nor the descriptors of rings that were retired."""
    with Journal(tmp_path / "j") as journal:
        bot = Orchestrator(sc.Engine(["rsi_14"]), journal=journal)
        rings = []
        for name in ("A", "B", "C"):
            rings.append(weakref.ref(bot._flight))
            bot.rename(name)
        deadline = time.monotonic() + 20
        while any(ring() for ring in rings) and time.monotonic() < deadline:
            time.sleep(0.01)
            gc.collect()
        assert [ring() for ring in rings] == [None] * 3


def test_a_ring_stays_known_until_it_is_gone(tmp_path):
    """Where the file cannot be written at that moment, it is retired at the next one."""
    with Journal(tmp_path / "j", commit_s=0.01) as journal:
        bot = Orchestrator(sc.Engine(["rsi_14"]), journal=journal)
        list(bot.run(bars(3)))
        remove, failed = Journal._remove, []

        class Locked:
            def execute(self, *_):
                failed.append(1)
                raise sqlite3.OperationalError("database is locked")

        journal._remove = lambda connection, ring: remove(journal, connection if failed else Locked(), ring)
        bot.close()
        deadline = time.monotonic() + 20
        while list(tmp_path.glob("*-ring*")) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert failed and not list(tmp_path.glob("*-ring*")) and journal.status()["rings"] == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_writes_nothing_of_its_own(tmp_path):
    """A worker that inherits a bot may use it; the journal, its ring and its counts are the parent's."""
    program = """
import os, sys
import test_journal as t
with t.Journal(sys.argv[1], commit_s=60.0, events=True) as journal:
    bot = t.Orchestrator(t.sc.Engine(["rsi_14"], instrument="FORK"), journal=journal)
    events = t.bars(40)
    made = list(bot.run(events[:10]))
    child = os.fork()
    if not child:
        own = [bot.on_event(e) for e in events[10:30]]
        journal.close()
        os._exit(0 if len(own) == 20 and own[-1].id == bot.decision.id else 1)
    assert os.waitpid(child, 0)[1] == 0
    flight = bot._flight
    assert flight.drops == 0 and flight.events == 10, (flight.drops, flight.events)
    made += bot.run(events[10:])
    assert journal.flush() and [e.decision for e in journal] == made and journal.dropped == 0
    assert journal.events_of(1, 0, 40).tobytes() == events.tobytes()
"""
    env = os.environ | {"PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), *sys.path])}
    command = [sys.executable, "-W", "ignore", "-c", program, str(tmp_path / "j")]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=120)
    assert done.returncode == 0, done.stderr


def test_an_older_layout_is_read_by_field(tmp_path):
    """A journal from before a record got another field: what it lacks is unknown, what it has is in its place."""
    with Journal(tmp_path / "j") as journal:
        made = decided(journal, 3)[-1]
    entry = Journal(tmp_path / "j", readonly=True).last()[0]
    now = _core.DECISION
    names = [name for name in reversed(now.names) if name not in ("track", "overall")]
    reasons = np.dtype((now["reasons"].base, (now["reasons"].shape[0] - 3,)))
    formats = [reasons if name == "reasons" else now[name] for name in names]
    before = np.dtype({"names": names, "formats": formats})
    assert layouts.from_json(layouts.to_json({"DECISION": before})) == {"DECISION": before}
    assert layouts.from_json(layouts.to_json(layouts.CURRENT))["SCORECARD"] is _core.SCORECARD
    old = np.zeros((), before)
    for name in names:
        value = entry.void("DECISION")[name]
        old[name] = value[: len(old[name])] if name == "reasons" else value
    with sqlite3.connect(tmp_path / "old") as connection:
        source = sqlite3.connect(tmp_path / "j")
        source.backup(connection)
        source.close()
        connection.executescript("DROP TRIGGER runs_update; DROP TRIGGER decisions_update;")
        kept = layouts.to_json(dict(layouts.CURRENT) | {"DECISION": before})
        connection.execute("UPDATE runs SET layouts = ?", (kept,))
        connection.execute("UPDATE decisions SET decision = ?", (old.tobytes(),))
    connection.close()
    read = Journal(tmp_path / "old", readonly=True).last()[0].decision
    assert read.id == made.id and read.reasons == made.reasons and read.risk == made.risk
    assert np.isnan(read.overall) and read.track.calls is None
    assert made.id in str(Journal(tmp_path / "old", readonly=True).last()[0])


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
    older = tmp_path / "older"
    with sqlite3.connect(older) as connection:
        connection.execute("CREATE TABLE decisions (n)")
        connection.execute("PRAGMA user_version=1")
    connection.close()
    for readonly in (True, False):
        with pytest.raises(InvalidData, match="layout 1, from before"):
            Journal(older, readonly=readonly)
        with pytest.raises(InvalidData, match="cannot be read"):
            Journal(text, readonly=readonly)
        with pytest.raises(InvalidData, match="no journal"):
            Journal(other, readonly=readonly)
        with pytest.raises(InvalidData, match="newer"):
            Journal(newer, readonly=readonly)
    with pytest.raises(ValueError, match="memory"):
        Journal(tmp_path / "x", memory=0)
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
    print(d.id, flush=True)
    time.sleep(0.002)
"""


def test_a_kill_loses_nothing_that_was_put(tmp_path):
    path = tmp_path / "j"
    process = subprocess.Popen([sys.executable, "-c", _LIVE, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = [process.stdout.readline()]
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        lines.append(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    lines += process.stdout.readlines()
    process.stdout.close()
    made = [line.strip() for line in lines if line.endswith("\n")]
    assert len(made) > 50
    kept = [entry.decision.id for entry in Journal(path, readonly=True)]  # looks into the ring
    assert kept[: len(made)] == made and len(kept) <= len(made) + 1
    with Journal(path) as journal:  # writes down what is in it, and goes on
        assert journal.status()["recovered"] > 0
        decided(journal, 3)
        assert len(journal) == len(kept) + 3
    assert [e.decision.id for e in Journal(path, readonly=True)][: len(kept)] == kept
    assert not list(tmp_path.glob("*-ring*"))


def test_a_ring_whose_process_lives_is_left_to_it(tmp_path):
    with Journal(tmp_path / "j", commit_s=60.0) as journal:
        bot = Orchestrator(sc.Engine(["rsi_14"]), journal=journal)
        list(bot.run(bars(5)))
        with Journal(tmp_path / "j") as second:
            assert second.recovered == 0
            decided(second, 2)
        assert (tmp_path / "j-ring1").exists()
    assert len(Journal(tmp_path / "j", readonly=True)) == 7


def test_a_torn_ring_is_kept_and_said(tmp_path, caplog):
    """As a power cut may leave it."""
    with Journal(tmp_path / "j", commit_s=60.0) as journal:
        bot = Orchestrator(sc.Engine(["rsi_14"]), journal=journal)
        made = list(bot.run(bars(20)))
        image = bytearray((tmp_path / "j-ring1").read_bytes())
        with sqlite3.connect(tmp_path / "j") as source, sqlite3.connect(tmp_path / "cut") as cut:
            source.backup(cut)
        source.close()
        image[40_000:44_096] = bytes(4096)
        (tmp_path / "cut-ring1").write_bytes(image)
        cut.execute("UPDATE rings SET path = ?", (str(tmp_path / "cut-ring1"),))
        cut.commit()
        cut.close()
    with Journal(tmp_path / "cut") as journal:
        kept = [entry.decision for entry in journal]
        assert 0 < len(kept) < 20 and kept == made[: len(kept)] and journal.recovered == len(kept)
    assert "damaged" in caplog.text and (tmp_path / "cut-ring1.damaged").read_bytes() == image


def test_events_and_snapshots_are_kept_where_asked(tmp_path, market):
    with Journal(tmp_path / "j", events=True) as journal:
        run = Orchestrator(sc.Engine(instrument="SIM"), policy=sc.Policy(every="1s"))._run
        flight = journal.open(run)
        raw = market[:5000].view(np.uint8).reshape(5000, -1)
        for i, event in enumerate(raw):
            if i == 3000:
                journal.snapshot(flight, b"state" * 100, int(market["ts"][i - 1]), 7)
                there = (flight.state + 2**63) % 2**64 - 2**63
            flight.event(event)
        assert journal.flush()
        assert journal.status()["lost_events"] == 0
        assert journal.events_of(1, 0, 5000).tobytes() == market[:5000].tobytes()
        assert journal.events_of(1, 1234, 4321).tobytes() == market[1234:4321].tobytes()
        with pytest.raises(InvalidData, match="events 4990 to 5010 of run 1"):
            journal.events_of(1, 4990, 5010)
        assert journal.snapshot_of(1, 8) == (3000, 7, int(market["ts"][2999]), there, b"state" * 100)
        assert journal.snapshot_of(1, 6) is None


def test_leaving_python_keeps_everything(tmp_path):
    program = _LIVE.replace("range(100_000)", "range(30)").replace("time.sleep(0.002)", "pass")
    result = subprocess.run([sys.executable, "-c", program, str(tmp_path / "j")], capture_output=True, text=True)
    assert result.returncode == 0 and result.stderr == ""
    assert len(Journal(tmp_path / "j", readonly=True)) == 30


def test_columns_that_a_record_knew_nothing_of_are_in_no_row():
    """A place of 0 would be the first column of the row, whatever that is."""
    here = layouts.CURRENT["INPUTS"]
    there = np.dtype([(n, here[n].base, here[n].shape[0] - (n == "anomaly")) for n in here.names])
    old = np.zeros((), there)
    old["anomaly"], old["risk"] = 7, 3
    found = np.frombuffer(layouts.convert(old.tobytes(), "INPUTS", {"INPUTS": there}), here)[0]
    assert found["anomaly"].tolist() == [7] * (here["anomaly"].shape[0] - 1) + [-1]
    assert set(found["risk"].tolist()) == {3}
