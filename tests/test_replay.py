"""Decisions are made again from the journal to the last bit; what-ifs are what decide() says; kills lose nothing."""

from __future__ import annotations

import json
import math
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import smartcore as sc
from smartcore import cli
from smartcore.bot import rerun
from smartcore.bot.journal import Journal, why
from smartcore.bot.layouts import CURRENT
from smartcore.bot.records import Entry, Run
from smartcore.bot.whatif import Whatif
from smartcore.decide import Context, Inputs, Policy, Scores, decide
from smartcore.decide.inputs import COLUMNS
from smartcore.decide.inputs import given as as_given
from smartcore.errors import InvalidData

ROOT = Path(__file__).resolve().parent.parent
NAMES = tuple(dict.fromkeys(name for name, _, _ in COLUMNS))
FEATURES = sc.FeatureSet(NAMES)
INPUTS = Inputs(NAMES)
T = 1_700_000_000 * 10**9


def models():
    return [sc.Model.load("gru"), sc.Model.load("gbdt")]


# ---- from a snapshot and the events ----


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A journal with events and two snapshots, of a bot whose account changes, that is asked and told the time."""
    path = tmp_path_factory.mktemp("replay") / "bot.journal"
    market = sc.simulate(seconds=120, seed=5, regime="mixed").events
    half = len(market) // 2
    policy = sc.Policy(every="1s", horizon=10, fee_bps=0.0)
    with Journal(path, events=True) as journal:
        bot = sc.Orchestrator(sc.Engine(instrument="SIM", bars="1s"), *models(), policy=policy, journal=journal)
        bot.equity = 10_000.0
        made = []
        for d in bot.run(market[:half]):
            made.append(d)
            bot.position, bot.equity = float(len(made) % 5 - 2), 10_000.0 + (-1) ** len(made) * len(made)
        bot.advance(bot.ts + 1)
        made.append(bot.decide())
        bot.checkpoint()
        made += bot.run(market[half:])
        bot.advance(bot.ts + 3 * 10**9)
        if bot.decision is not made[-1]:
            made.append(bot.decision)
    return path, made, market


def test_every_decision_and_every_value_again(kept):
    path, made, _ = kept
    journal = Journal(path, readonly=True)
    assert [e.decision for e in journal] == made and len(made) > 110
    alone = rerun.decide_again(journal)
    assert alone.exact and alone.decisions == len(made) and alone.replayed == 0
    whole = rerun.replay(journal, 1, models())
    assert whole.exact and whole.decisions == whole.replayed == len(made), whole.lines
    assert whole.columns == sc.FeatureSet(next(iter(journal)).run.columns).columns
    assert whole.worst.max() == 0 and whole.mean.max() == 0
    late = rerun.replay(journal, 1, models(), first=len(made) - 5)  # from the second snapshot
    assert late.exact and late.decisions == 5
    some = rerun.replay(journal, 1, models(), first=20, last=29)
    assert some.exact and some.decisions == 10
    assert journal.snapshot_of(1, len(made) - 5)[1] > journal.snapshot_of(1, 20)[1] == 0


def test_a_recording_does_where_events_were_not_kept(kept, tmp_path):
    _, _, market = kept
    with Journal(tmp_path / "j", events=True) as journal:
        bot = sc.Orchestrator(sc.Engine(instrument="SIM", bars="1s"), policy=sc.Policy(every="1s"), journal=journal)
        made = list(bot.run(market))
    with sqlite3.connect(tmp_path / "j") as connection:
        connection.execute("DROP TRIGGER events_delete")
        connection.execute("DELETE FROM events")
    connection.close()
    journal = Journal(tmp_path / "j", readonly=True)
    with pytest.raises(InvalidData, match="are not all here: 0 is missing"):
        rerun.replay(journal, 1)
    again = rerun.replay(journal, 1, events=market)
    assert again.exact and again.decisions == len(made)
    assert [len({e.state for e in journal}), next(iter(journal)).state != 0] == [len(made), True]
    other = market.copy()
    other["v1"][1000] += 1.0  # a size that is not in the row of the next decision would still be noticed
    assert "EVENTS" in rerun.replay(journal, 1, events=other).different[0]
    with pytest.raises(InvalidData, match="they end before decision"):
        rerun.replay(journal, 1, events=market[: len(market) // 2])


def test_recorded_streams_again(tmp_path, recorded):
    """Depth deltas and trades of Binance, ticks of a currency with crossed quotes: models, gaps and all."""
    book = recorded("binance_l2_2024/spot_btcusdt_2024-08-08.parquet")
    ticks = recorded("fx_ticks_2014/fxcm_eurusd_2014-05-01_2014-05-09.parquet")
    for name, file, limit, policy, with_models in (
        ("book", book, 60_000, Policy(every="1s", horizon=10), True),
        ("ticks", ticks, 30_000, Policy(every="100 events"), False),
    ):
        events = np.ascontiguousarray(sc.read(file)[:limit])
        with Journal(tmp_path / name, events=True) as journal:
            engine = sc.Engine(instrument=name, bars="1s" if with_models else None)
            bot = sc.Orchestrator(engine, *(models() if with_models else []), policy=policy, journal=journal)
            many = sum(1 for _ in bot.run(events))
            whole = rerun.replay(journal, 1, models() if with_models else [])
            assert whole.exact and whole.replayed == many > 100, whole.lines
            assert whole.worst.max() == 0


def test_what_was_changed_is_found(kept, tmp_path):
    path, made, _ = kept
    other = tmp_path / "changed"
    with sqlite3.connect(other) as connection:
        source = sqlite3.connect(path)
        source.backup(connection)
        source.close()
        connection.execute("DROP TRIGGER decisions_update")
        entry = Journal(path, readonly=True).find(made[50].id)
        column = entry.run.columns.index("rsi_14")
        row = entry.row.copy()
        row[column] = np.nextafter(row[column], 100)
        connection.execute("UPDATE decisions SET row = ? WHERE id = ?", (row.tobytes(), made[50].id))
        record = bytearray(made[60].raw)
        record[CURRENT["DECISION"].fields["confidence"][1]] ^= 1
        connection.execute("UPDATE decisions SET decision = ? WHERE id = ?", (bytes(record), made[60].id))
    connection.close()
    journal = Journal(other, readonly=True)
    whole = rerun.replay(journal, 1, models())
    assert not whole.exact and whole.same == len(made) - 2
    assert [line.split(": ")[1] for line in whole.different] == ["rsi_14", "DECISION"]
    assert whole.to_dict()["ulps"] == {"rsi_14": [1.0, pytest.approx(1 / len(made))]}
    assert "rsi_14: worst 1 ulp" in "\n".join(whole.lines)
    alone = rerun.decide_again(journal)
    assert not alone.exact and any(made[60].id in line for line in alone.different)


def test_a_journal_without_a_snapshot_says_so(tmp_path):
    with Journal(tmp_path / "j") as journal:
        bot = sc.Orchestrator(sc.Engine(["rsi_14"], bars="1s"), policy=sc.Policy(every="1s"), journal=journal)
        list(bot.run(sc.simulate(seconds=5, seed=1).events))
        with pytest.raises(InvalidData, match="no snapshot of run 1"):
            rerun.replay(journal, 1)
    with pytest.raises(ValueError, match="there is none to keep"):
        sc.Orchestrator(sc.Engine(["rsi_14"])).checkpoint()


def test_command(kept, capsys, monkeypatch):
    path, made, _ = kept

    def smartcore(*arguments):
        code = cli.main(["replay", *arguments, "--journal", str(path)])
        return code, capsys.readouterr()

    code, said = smartcore("--all", "--json")
    parts = json.loads(said.out)["parts"]
    assert code == 0 and [part["decisions"] for part in parts] == [len(made)] * 2
    assert parts[0]["replayed"] == 0 and parts[1]["replayed"] == len(made) and parts[1]["worst_ulp"] == 0
    code, said = smartcore(made[40].id)
    assert code == 0 and said.out.count("1 decision made again") == 2
    code, said = smartcore("--all", "--consistency", "--json")
    assert code == 0 and len(json.loads(said.out)["parts"]) == 1
    assert smartcore("nobody")[0] == 2
    code, said = smartcore()
    assert code == 2 and "which decision?" in said.err
    code, said = smartcore("last", "--models", "none")
    assert code == 2 and "models" in said.err
    monkeypatch.setenv("SMARTCORE_JOURNAL", str(path))
    assert cli.main(["why", made[40].id]) == 0 and made[40].id in capsys.readouterr().out
    assert cli.main(["why", made[40].id, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["whatif"]["recomputed"] is True


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(finite, st.integers(0, 50))
def test_ulps_count_the_numbers_between(x, steps):
    y = x
    for _ in range(steps):
        y = math.nextafter(y, math.inf)
    if math.isinf(y):
        return
    a, b = np.array([x]), np.array([y])
    assert rerun.ulps(a, b)[0] == steps
    assert rerun.ulps(a, b) == rerun.ulps(b, a)


def test_ulps_of_what_is_unknown():
    nan, inf = math.nan, math.inf
    a, b = np.array([nan, nan, 1.0, 0.0, inf, -inf]), np.array([nan, 1.0, nan, -0.0, inf, inf])
    assert rerun.ulps(a, b)[:5].tolist() == [0, inf, inf, 0, 0] and rerun.ulps(a, b)[5] > 1e18


# ---- what else it would have been ----


ROW = np.array([
    {
        "fhs_500_sigma": 8e-4, "fhs_500_var95": 1.3e-3, "fhs_500_var99": 2.0e-3, "fhs_500_es95": 1.7e-3,
        "fhs_500_es99": 2.5e-3, "fhs_short_500_var95": 1.3e-3, "fhs_short_500_var99": 2.0e-3,
        "fhs_short_500_es95": 1.7e-3, "fhs_short_500_es99": 2.5e-3, "spread": 1.0, "queue_imbalance_l1": 0.1,
        "lee_mykland_100": 0.5,
    }.get(name, math.nan)
    for name in NAMES
])  # fmt: skip
UP = {"sequence": (0.1, 0.1, 0.8)}


def entry_of(policy=None, scores=UP, row=ROW, **context):
    """An entry as a journal gives it, of a decision made by the public function."""
    policy = policy or Policy(fee_bps=0.0)
    told = {"equity": 100_000.0, "calibrated": frozenset({"sequence"}), "symbol": "X", "as_of": T} | context
    about = Context(INPUTS, ts=T, price=100.0, **told)
    made = decide(row, scores, None, policy, context=about)
    records = {
        "DECISION": made.raw, "CONTEXT": about.raw, "GIVEN": as_given(scores, about), "SCORECARD": Scores().raw,
    }  # fmt: skip
    entry = Entry(Run.of("X", policy, [], FEATURES), records, row, 0)

    def again(other=policy, scores=scores, row=row, **changed):
        return decide(row, scores, None, other, context=replace(about, **changed))

    return entry, made, again


def test_the_sole_gate_and_what_it_cost():
    policy = Policy(fee_bps=0.0, min_confidence=0.95, strong_confidence=0.95)
    entry, made, again = entry_of(policy)
    assert made.signal == "HOLD" and [r.gate for r in made.failed] == ["confidence"]
    what = Whatif(entry)
    assert what.recomputed and what.sole == "confidence"
    would = again(replace(policy, min_confidence=made.confidence - 1e-9))
    assert would.signal == "BUY"
    assert what.alone["confidence"].signal == what.together.signal == would.signal
    assert what.alone["confidence"].risk.risk_adjusted_position_size == would.risk.risk_adjusted_position_size
    assert any(
        line.startswith(f"would have bought at a confidence of 0.95: it was {made.confidence:.3g}")
        for line in what.lines
    )
    assert len(what.thresholds) >= 6
    for asked, signal in what.thresholds.items():
        here = again(replace(policy, min_confidence=asked, strong_confidence=max(asked, 0.95)))
        assert here.threshold == pytest.approx(asked, abs=1e-12) and here.signal == signal
    assert set(what.thresholds.values()) == {"BUY", "HOLD"}


def test_a_threshold_that_was_raised_is_said_to_be():
    policy = Policy(fee_bps=0.0, min_confidence=0.88, strong_confidence=0.95, volatile_raise=0.02)
    row = ROW.copy()
    row[NAMES.index("market_regime_volatility")] = 2.0
    entry, made, _ = entry_of(policy, row=row)
    assert made.signal == "HOLD" and [r.gate for r in made.failed] == ["confidence"]
    (line, *_) = Whatif(entry).lines
    asked = "would have bought at a confidence of 0.9: it was 0.889, the threshold raised by 0.02 for high volatility"
    assert line.startswith(asked)


@pytest.mark.parametrize(
    ("gate", "change"),
    [
        ("data_age", {"as_of": T - 60 * 10**9}),
        ("clock", {"clock_skew_s": 1e4}),
        ("book_fresh", {"book_stale": True}),
        ("book_uncrossed", {"book_crossed": True}),
        ("feed", {"silence": 1e6}),
        ("feed", {"frozen_s": 1e6}),
        ("feed", {"duplicates": 1.0}),
        ("health", {"health": 1.0}),
        ("novelty", {"novelty": 1e3}),
        ("drawdown", {"drawdown": 0.25}),
        ("latency", {"latency_ns": 10**10, "policy": {"max_latency_ms": 5.0}}),
        ("spread", {"policy": {"max_spread_bps": 0.5}}),
        ("quality", {"policy": {"min_quality": 0.99}}),
        ("sources", {"policy": {"min_weight": 0.999}}),
        ("calibrated", {"calibrated": frozenset()}),
        ("edge", {"policy": {"min_edge_bps": 500.0}}),
        ("anomaly", {"row": {"lee_mykland_100": 60.0}}),
        ("regime", {"policy": {"regimes": frozenset({"quiet"})}}),
        ("confidence", {"policy": {"min_confidence": 0.95, "strong_confidence": 0.95}}),
        ("size", {"equity": 50.0}),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_each_gate_alone(gate, change):
    change = dict(change)
    policy = Policy(**{"fee_bps": 0.0} | change.pop("policy", {}))
    row = ROW.copy()
    for name, value in change.pop("row", {}).items():
        row[NAMES.index(name)] = value
    base = entry_of()[1]
    assert base.signal in ("BUY", "STRONG_BUY")
    entry, made, _ = entry_of(policy, row=row, **change)
    assert made.signal == "HOLD" and gate in [r.gate for r in made.failed]
    what = Whatif(entry)
    assert what.recomputed and what.sole == gate, (what.alone, what.lines)
    passed = what.alone[gate]
    assert passed.signal in ("BUY", "STRONG_BUY") and gate not in [r.gate for r in passed.failed]
    assert "would have bought" in what.lines[0]
    assert json.loads(json.dumps(what.to_dict(), allow_nan=False))["sole_gate"] == gate


def test_two_gates_must_both_pass():
    policy = Policy(fee_bps=0.0, min_confidence=0.95, strong_confidence=0.95, max_spread_bps=0.5)
    entry, made, again = entry_of(policy)
    assert {r.gate for r in made.failed} == {"spread", "confidence"}
    what = Whatif(entry)
    assert what.sole is None and set(what.eased) == {"spread", "confidence"}
    assert what.together.signal == again(replace(policy, min_confidence=0.5, max_spread_bps=20.0)).signal == "BUY"
    assert what.lines[0].startswith("no single gate stopped it: with spread and confidence passed it would have bought")


def test_what_no_limit_would_have_changed():
    entry, made, _ = entry_of(scores=None, row=np.full(len(NAMES), np.nan))
    assert made.signal == "HOLD"
    what = Whatif(entry)
    assert (
        what.sole is None
        and what.together is None
        and what.lines == ["no direction: whatever the limits, there was nothing to trade on"]
    )
    unknown = ROW.copy()
    unknown[NAMES.index("fhs_500_var99")] = math.nan
    entry, made, _ = entry_of(row=unknown)
    what = Whatif(entry)
    assert made.signal == "HOLD" and what.alone["risk_known"] is None and what.together is None
    assert "no other limit would have made it a trade" in what.lines[0] and "fhs_500_var99" in what.lines[0]


def test_a_trade_says_where_it_would_not_have_been_one():
    entry, made, again = entry_of(Policy(fee_bps=0.0, min_confidence=0.80, strong_confidence=0.99))
    assert made.signal == "BUY" and made.confidence < 0.90
    what = Whatif(entry)
    assert what.alone == {} and what.thresholds[max(what.thresholds)] == "HOLD"
    assert "at other thresholds than 0.80" in what.lines[0]
    assert again(Policy(fee_bps=0.0, min_confidence=0.90, strong_confidence=0.99)).signal == "HOLD"


def test_another_version_is_not_believed():
    entry, made, _ = entry_of()
    record = bytearray(made.raw)
    record[CURRENT["DECISION"].fields["overall"][1]] ^= 1
    other = replace(entry, records=dict(entry.records) | {"DECISION": bytes(record)})
    what = Whatif(other)
    assert not what.recomputed and not what.alone and not what.thresholds
    assert "no what-ifs" in what.lines[0] and what.lines[0] in str(other)


# ---- kills ----


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 and locked files are POSIX")
def test_fifty_kills_lose_nothing(tmp_path):
    """bench/kills.py holds all of it and says so by its exit code; here with 10,000 decisions instead of 100,000."""
    command = [sys.executable, str(ROOT / "bench" / "kills.py"), "--kills", "50", "--decisions", "10000"]
    out = tmp_path / "kills.json"
    done = subprocess.run([*command, "--json", str(out)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    assert found["kills"] == 50 and found["lost"] == 0 and found["decisions"] > 5000
    assert found["made again"] == found["decisions"] and found["replayed from snapshot and events"] > 0
    assert found["largest ring"] <= 4 << 20


def test_why_finds_it_through_any_journal(kept):
    path, made, _ = kept
    assert why(made[3].id, path).decision == made[3]


def test_a_native_lane_is_kept_and_made_again(tmp_path):
    """Its thread puts into the ring by itself; what it decided replays on the plain loop, with models run by Python."""
    from smartcore.bot.lane import Lane
    from smartcore.models.native import NativeModel

    try:
        native = [NativeModel.load("gru"), NativeModel.load("gbdt")]
    except (OSError, ImportError) as error:
        pytest.skip(f"no library of ONNX Runtime to load: {error}")
    market = sc.simulate(seconds=60, seed=9, regime="mixed").events
    with Journal(tmp_path / "j", events=True) as journal:
        policy = sc.Policy(every="1s", horizon=10)
        bot = sc.Orchestrator(sc.Engine(instrument="LANE", bars="1s"), *native, policy=policy, journal=journal)
        with Lane(bot, room=1 << 16) as lane:
            for call in (bot.checkpoint, bot.snapshot, lambda: bot.rename("OTHER")):
                with pytest.raises(RuntimeError, match="a lane has this bot"):
                    call()
            lane.play(market)
            made = []
            while len(made) < 55:
                decision = lane.wait(timeout=20.0)
                assert decision is not None
                made.append(decision)
            deadline = time.monotonic() + 20
            while lane.plays and time.monotonic() < deadline:
                time.sleep(0.01)
        made += iter(lane.poll, None)
        assert journal.flush() and journal.drops == 0
        assert [entry.decision for entry in journal] == made
        whole = rerun.replay(journal, 1, models())
        assert whole.exact and whole.decisions == len(made), whole.lines
