"""The benchmarks: what is timed is what is checked, and the gates bite."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smartcore import Engine

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

import cases  # noqa: E402
import compare  # noqa: E402
import example_gate  # noqa: E402
import flow  # noqa: E402
import measure  # noqa: E402

CONVERGED = 2500  # recursive averages begin differently; by here that is below a rounding


@functools.cache
def bars() -> cases.Bars:
    return cases.make_bars(4000)


@functools.cache
def ours() -> np.ndarray:
    return Engine(list(cases.COLUMNS)).run(bars().events())


@functools.cache
def outputs(peer: str, call: cases.Call) -> Any:
    return cases.outputs(peer, call, bars())


def test_a_hundred_columns():
    assert len(cases.COLUMNS) == len(set(cases.COLUMNS)) == 100
    assert len({cases.kernel(column) for column in cases.COLUMNS}) >= 25


@pytest.mark.parametrize("peer", ["talib", "talib.stream", "wickra"])
@pytest.mark.parametrize("case", cases.CASES, ids=lambda case: case.column)
def test_peers_give_the_same_number(case: cases.Case, peer: str):
    """After convergence, through the row's relation. A row without one must say what it compares with
    instead."""
    pytest.importorskip(peer.split(".")[0])
    spec = case.peer(peer)
    got = outputs(peer, spec.call)
    if spec.relation is None:
        assert spec.note and np.isfinite(got[0][CONVERGED:]).all()
        return
    theirs = spec.relation(bars(), *got)[CONVERGED:]
    here = ours()[CONVERGED:, cases.COLUMNS.index(case.column)]
    scale = np.abs(here).max()
    np.testing.assert_allclose(
        here, theirs, rtol=0, atol=case.tolerance * max(scale, 1e-300), err_msg=spec.note
    )


def test_a_call_is_charged_once():
    """Fewer calls than columns, none of them needless: every one serves a column, and none is there
    twice."""
    for peer in ("talib", "talib.stream", "wickra"):
        calls = cases.calls(peer)
        assert len(calls) == len(set(calls)) < 100
        assert {case.peer(peer).call for case in cases.CASES} == set(calls)


def test_what_differs_is_said():
    for case in cases.CASES:
        for peer in (case.talib, case.stream, case.wickra):
            assert peer.relation is not None or peer.note, f"{case.column}: {peer.function}"


# --- timing ---------------------------------------------------------------------------------------


def test_players_take_turns():
    order: list[tuple[str, int]] = []

    def player(name: str) -> Any:
        return lambda i: lambda: order.append((name, i))

    times = measure.in_turn({"a": player("a"), "b": player("b"), "c": player("c")}, units=1, rounds=3)
    assert [name for name, _ in order] == list("abcbcacababc")
    assert all(len(t["rounds"]) == 3 and 0 <= t["min"] <= t["median"] for t in times.values())


def test_the_machine_is_on_record():
    about = measure.machine()
    assert {"machine", "cpu", "cores", "build", "versions", "commit", "python", "time"} <= set(about)
    assert about["versions"]["numpy"] and about["build"]["compiler"]
    json.dumps(about)


def test_the_plain_stream_is_a_book():
    events = flow.mixed(5000)
    engine = Engine(["queue_imbalance_l10", "spread", "buy_rate_10s"])
    rows = engine.run(events, sample="event")[500:]
    assert np.isfinite(rows).all()
    assert not engine.book.crossed
    assert (rows[:, 1] > 0).all() and np.ptp(rows[:, 0]) > 0.5
    assert (np.diff(events["ts"]) >= 0).all()


# --- scripts: that they run, in small -------------------------------------------------------------


def test_peers_in_small():
    pytest.importorskip("talib")
    pytest.importorskip("wickra")
    import peers

    live = peers.live(30, 1)
    assert set(live["ratios"]) >= {"live/wickra", "live/talib.stream"} and live["columns"] == 100
    assert all(0 < x < 10 for x in live["ratios"].values())
    matrix = peers.matrix(1500, 1)
    assert len(matrix["times"]) == 6 and matrix["peer's best"].startswith("talib")
    table = peers.kernels(1500, 1)["kernels"]
    assert sum(row["columns"] for row in table.values()) == 100
    assert "growth/history" in peers.growth(10_000, 1)["ratios"]


def test_a_matrix_of_the_peer_is_full():
    """The calls that are timed fill one column for each of ours, but for what one output serves twice."""
    pytest.importorskip("talib")
    import peers

    widths = [width for _, width in peers.talib_calls(cases.COLUMNS, cases.make_bars(700))]
    assert sum(widths) == 100 - 1  # one on-balance volume for two windows


@pytest.mark.parametrize("part", [["process.py", "--runs", "1"], ["cases.py"]], ids=lambda part: part[0])
def test_scripts_run(part: list[str], tmp_path: Path):
    out = tmp_path / "out.json"
    more = ["--quick", "--json", str(out)] if part[0] != "cases.py" else []
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench" / part[0]), *part[1:], *more],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    if more:
        result = json.loads(out.read_text())
        assert result["machine"]["cpu"] and result["imports"]["ratios"]["import/numpy"] < 3


def test_ticks_that_decide():
    """The tick that begins a second is the one that is timed, and it brings the decision with both
    models' scores."""
    tick = pytest.importorskip("tick_to_decision", exc_type=ImportError)
    feed = tick.calls(flow.mixed(45_000))
    for before, (_, given) in tick.stretches(feed)[:50]:
        assert all(arguments[0] // tick.SECOND < given[0] // tick.SECOND for _, arguments in before)
    got = tick.ticks(feed, most=20)
    assert got["call"]["n"] == 20 and all(got["models"].values())
    assert 0 < got["call"]["p50_us"] <= got["call"]["p99_us"] <= got["call"]["max_us"]


def test_ticks_through_the_lane():
    """Events between come before the tick that begins the next second, which waits for its time or for them."""
    tick = pytest.importorskip("tick_to_decision", exc_type=ImportError)
    events = flow.mixed(45_000)
    fed, times = tick.due(events, 0.003, 50)
    second = fed["ts"] // tick.SECOND
    assert len(fed) < len(events) and (np.diff(times) >= 0).all() and len(set(times.tolist())) == 51
    assert (second[1:][np.diff(times) > 0] > second[:-1][np.diff(times) > 0]).all()
    fed, times = tick.due(events, 0.0, 50)
    assert np.count_nonzero(times < 0) == 50
    got = tick.through_the_lane(events, tick.builtin(), 0.0, 20)
    assert got["call"]["n"] == 20 and all(got["models"].values()) and got["call"]["p50_us"] > 0


# --- gates ----------------------------------------------------------------------------------------


def result(path: Path, **ratios: float) -> str:
    path.write_text(json.dumps({"machine": {"commit": path.stem}, "part": {"deep": {"ratios": ratios}}}))
    return str(path)


@pytest.mark.parametrize(
    ("new", "options", "verdict", "status"),
    [
        ({"a": 0.10, "b": 0.50}, [], "none of 2 is worse", 0),
        ({"a": 0.109, "b": 0.50}, [], "+9.0%", 0),
        ({"a": 0.111, "b": 0.50}, [], "WORSE", 1),
        ({"a": 0.111, "b": 0.50}, ["--fail", "1.2"], "+11.0%", 0),
        ({"a": 0.05, "b": 0.56}, [], "1 of 2 fail", 1),  # a better one does not pay for a worse one
        ({"a": 0.10}, [], "MISSING", 1),
        ({"a": 0.10}, ["--allow-missing"], "MISSING", 0),
        ({"a": 0.10, "b": 0.50, "c": 9.0}, [], "new", 0),
    ],
)
def test_compare(
    tmp_path: Path, capsys: Any, new: dict[str, float], options: list[str], verdict: str, status: int
):
    old = result(tmp_path / "old.json", a=0.10, b=0.50)
    assert compare.main([old, result(tmp_path / "new.json", **new), *options]) == status
    assert verdict in capsys.readouterr().out


def test_compare_says_what_is_wrong_with_a_file(tmp_path: Path, capsys: Any):
    good = result(tmp_path / "good.json", a=1.0)
    for name, text in (("none", None), ("text", "{"), ("empty", "{}"), ("quick", '{"quick": true}')):
        path = tmp_path / f"{name}.json"
        if text is not None:
            path.write_text(text)
        assert compare.main([good, str(path)]) == 2
        assert f"{name}.json" in capsys.readouterr().err


def test_committed_results_can_be_compared():
    made = list((ROOT / "bench" / "results").glob("20*.json"))  # by bench/run.py, which names them by their date
    assert made
    for path in made:
        found, _ = compare.load(str(path))
        assert {"live/wickra", "live/talib.stream", "matrix/talib", "import/numpy"} <= set(found), path


def test_example_gate_runs():
    """The recipe of bench/README.md, as a user runs it."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "bench/example_gate.py", "--benchmark-enable", "-q", "-p",
        "no:cacheprovider"],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_example_gate_bites():
    example_gate.gate(0.2, 0.5)
    with pytest.raises(AssertionError, match=r"0\.600 of the reference workload, the limit is 0\.5"):
        example_gate.gate(0.6, 0.5)
    tick = example_gate.bot()
    answers = {tick(*event) for event in example_gate.feed(2000)}
    assert answers == {None, "buy", "sell"}
