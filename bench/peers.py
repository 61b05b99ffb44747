"""smartcore beside TA-Lib, wickra and hftbacktest in one run.

    python bench/peers.py [--json FILE] [--quick] [--rounds 9] [--only live,matrix,kernels,growth,book]

live      100 columns per bar from Python: one call per bar for us, one per indicator for the peers
matrix    100 columns over 200,000 bars, against TA-Lib's batch functions
kernels   the matrix kernel by kernel: where the time goes
growth    cost against the number of columns and the length of history
book      depth updates from arrays with a five-level imbalance, against hftbacktest where it is installed

CPU time on one core, players in turn, minimum and median. What is fair about it: bench/README.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cases
import measure
import numpy as np
from cases import CASES, COLUMNS
from measure import Work, in_turn, ratio
from numpy.typing import NDArray

from smartcore import Engine, FeatureSet

Result = dict[str, Any]
RECORDING = measure.DATA / "binance_l2_2024" / "usdm_perp_btcusdt_2024-08-08.parquet"
OPENED = 1000
"""Bars that everybody has seen before anything is timed."""


def fresh(columns: Sequence[str] | FeatureSet, seen: Any = None) -> Engine:
    engine = Engine(columns if isinstance(columns, FeatureSet) else list(columns))
    if seen is not None:
        engine.run(seen)
    return engine


def all_bar_columns() -> FeatureSet:
    """The default columns that need nothing but bars."""
    return FeatureSet(c.name for c in FeatureSet.default().specs if c.kernel.wakes == ("bar",))


# --- live: one bar at a time, from Python ---------------------------------------------------------


def ours_live(columns: Sequence[str] | FeatureSet, bars: cases.Bars, read: str) -> Callable[[list[Any]], None]:
    """read: values stay "in place" in ``row``, are "copied" to an array, or become Python "floats"."""
    engine = fresh(columns, bars.events()[:OPENED])
    on_bar, row, out = engine.on_bar, engine.row, np.empty(len(engine.row))

    def in_place(bars: list[Any]) -> None:
        for ts, open_, high, low, close, volume in bars:
            on_bar(ts, open_, high, low, close, volume)

    def copied(bars: list[Any]) -> None:
        for ts, open_, high, low, close, volume in bars:
            on_bar(ts, open_, high, low, close, volume)
            out[:] = row

    def floats(bars: list[Any]) -> None:
        for ts, open_, high, low, close, volume in bars:
            on_bar(ts, open_, high, low, close, volume)
            row.tolist()

    return {"in place": in_place, "copied": copied, "floats": floats}[read]


def peer_live(peer: str, inputs: list[str], bars: cases.Bars, read: str) -> Callable[[list[Any]], None]:
    """The fastest loop Python has: every call written out, with bound methods in local variables.

    read: "floats" leaves values as returned, "gathered" puts them into a NumPy row, as a model wants them.
    """
    calls = cases.calls(peer)
    scope: dict[str, Any] = {f"u{i}": cases.handle(peer, call, bars, OPENED) for i, call in enumerate(calls)}
    written = [f"u{i}({', '.join(call[1].split())})" for i, call in enumerate(calls)]
    wide = [cases.width(peer, call) for call in calls]
    scope["row"] = np.empty(sum(wide))
    if read == "gathered":
        values = ", ".join("*" * (n > 1) + text for text, n in zip(written, wide, strict=True))
        body = f"        row[:] = ({values},)"
    else:
        body = "\n".join("        " + text for text in written)
    locals_ = ", ".join(f"{name}={name}" for name in scope)
    source = f"def run(bars, {locals_}):\n    for {', '.join(inputs)}, in bars:\n{body}\n"
    exec(compile(source, f"<{peer}>", "exec"), scope)
    return scope["run"]


def live(n: int, rounds: int) -> Result:
    """Everybody sees the same bars, one round after another, none twice."""
    bars = cases.make_bars(OPENED + n * (rounds + 1))
    given: dict[str, list[Any]] = {}
    columns = (bars.ts, bars.open, bars.high, bars.low, bars.close, bars.volume)
    given["smartcore"] = list(zip(*(x.tolist() for x in columns), strict=True))
    runs: dict[str, tuple[str, Callable[[list[Any]], None]]] = {}
    for read in ("in place", "copied", "floats"):
        runs[f"smartcore, row {read}"] = "smartcore", ours_live(COLUMNS, bars, read)
    every = all_bar_columns()
    runs[f"smartcore, all {len(every)} default bar columns"] = "smartcore", ours_live(every, bars, "in place")
    for peer in ("talib.stream", "wickra"):
        inputs = list(dict.fromkeys(name for call in cases.calls(peer) for name in call[1].split()))
        series = [[x[0] for x in cases.feed(name, bars)] for name in inputs]
        given[peer] = list(zip(*series, strict=True))
        for read in ("floats", "gathered"):
            runs[f"{peer}, values {read}"] = peer, peer_live(peer, inputs, bars, read)

    def player(who: str, run: Callable[[list[Any]], None]) -> Callable[[int], Work]:
        def prepare(i: int) -> Work:
            part = given[who][OPENED + n * i : OPENED + n * (i + 1)]
            return lambda: run(part)

        return prepare

    times = in_turn({name: player(*run) for name, run in runs.items()}, n, rounds)
    for name, t in times.items():
        print(f"  {name:45} {t['min']:9.0f} ns/bar   median {t['median']:9.0f}")
    ours = times["smartcore, row in place"]
    ratios = {f"live/{peer}": ratio(ours, times[f"{peer}, values floats"]) for peer in ("talib.stream", "wickra")}
    for peer in ("talib.stream", "wickra"):
        ratios[f"live/{peer}/both as floats"] = ratio(times["smartcore, row floats"], times[f"{peer}, values floats"])
        ratios[f"live/{peer}/both in an array"] = ratio(ours, times[f"{peer}, values gathered"])
    show(ratios)
    calls = {peer: len(cases.calls(peer)) for peer in ("talib.stream", "wickra")}
    return {
        "unit": "ns per bar",
        "columns": len(COLUMNS),
        "calls": calls,
        "bars a round": n,
        "times": times,
        "ratios": ratios,
    }


# --- matrix: all bars at once ---------------------------------------------------------------------


def talib_calls(columns: Sequence[str], bars: cases.Bars) -> list[tuple[Callable[[], Any], int]]:
    """TA-Lib's batch calls for columns of ours: (the call with its arrays, how many columns it fills)."""
    import talib

    readers: dict[cases.Call, int] = {}
    for case in CASES:
        if case.column in columns:
            readers[case.talib.call] = readers.get(case.talib.call, 0) + 1
    made = []
    for call, count in readers.items():
        function, inputs, args = call
        made.append(
            (
                partial(getattr(talib, function), *bars.series(inputs), *args),
                min(count, cases.width("talib", call)),
            )
        )
    return made


def partial(function: Callable[..., Any], *args: Any) -> Callable[[], Any]:
    return lambda: function(*args)


def matrix(n: int, rounds: int) -> Result:
    bars = cases.make_bars(n)
    events = bars.events()
    calls = talib_calls(COLUMNS, bars)

    def ours(_: int) -> Work:
        engine = fresh(COLUMNS)
        return lambda: engine.run(events)

    def ours_from_arrays(_: int) -> Work:
        engine = fresh(COLUMNS)
        return lambda: engine.run(bars.events())

    def separate(_: int) -> Work:
        return lambda: [call() for call, _ in calls]

    def into(order: str) -> Callable[[int], Work]:
        def work() -> Any:
            table = np.empty((n, len(COLUMNS)), order=order)  # type: ignore[call-overload]
            at = 0
            for call, width in calls:
                result = call()
                for values in result[:width] if isinstance(result, tuple) else (result,):
                    table[:, at] = values
                    at += 1
            return table

        return lambda _: work

    players = {
        "smartcore, from events": ours,
        "smartcore, from six arrays": ours_from_arrays,
        "talib with numpy, the same 100 numbers from six arrays": lambda _: lambda: same_numbers(bars),
        "talib, separate arrays": separate,
        "talib, into a matrix, column by column in memory": into("F"),
        "talib, into a matrix, row by row in memory": into("C"),
    }
    times = in_turn(players, n * len(COLUMNS), rounds)
    for name, t in times.items():
        print(f"  {name:55} {t['min']:7.3f} ns/cell   median {t['median']:7.3f}")
    best = min((name for name in times if name.startswith("talib,")), key=lambda name: times[name]["min"])
    ratios = {
        "matrix/talib": ratio(times["smartcore, from events"], times[best]),
        "matrix/talib/the same numbers": ratio(
            times["smartcore, from six arrays"], times["talib with numpy, the same 100 numbers from six arrays"]
        ),
        "matrix/talib/ours from six arrays": ratio(times["smartcore, from six arrays"], times[best]),
        "matrix/talib/both row by row in memory": ratio(
            times["smartcore, from events"], times["talib, into a matrix, row by row in memory"]
        ),
    }
    print(f"  the peer's best: {best}")
    show(ratios)
    sizes = {"bars": n, "columns": len(COLUMNS), "calls": len(calls)}
    return {"unit": "ns per cell", **sizes, "peer's best": best, "times": times, "ratios": ratios}


class Prepared:
    """Bars whose derived series are made once, when they are first asked for."""

    def __init__(self, bars: cases.Bars) -> None:
        self.bars = bars

    def __len__(self) -> int:
        return len(self.bars)

    def __getattr__(self, name: str) -> Any:
        made = getattr(cases.Bars, name)
        value = made.fget(self) if isinstance(made, property) else getattr(self.bars, name)
        self.__dict__[name] = value
        return value


def same_numbers(bars: cases.Bars) -> Any:
    """Our 100 columns by TA-Lib and NumPy: indicators, inputs and the arithmetic around them, each made once."""
    import talib

    known: dict[Any, Any] = {}

    def once(function: str, *given: Any) -> Any:
        key = (function, *(id(x) if isinstance(x, np.ndarray) else x for x in given))
        if key not in known:  # the inputs stay with the result, so that their ids are not used again
            known[key] = (
                getattr(talib, function)(*(np.ascontiguousarray(x) if isinstance(x, np.ndarray) else x for x in given)),
                given,
            )
        return known[key][0]

    prepared: Any = Prepared(bars)
    table = np.empty((len(bars), len(COLUMNS)), order="F")
    usual, cases.free = cases.free, once
    try:
        for at, case in enumerate(CASES):
            peer = case.talib
            outputs = once(peer.function, *(getattr(prepared, name) for name in peer.inputs.split()), *peer.args)
            outputs = outputs if isinstance(outputs, tuple) else (outputs,)
            table[:, at] = outputs[0] if peer.relation is None else peer.relation(prepared, *outputs)
    finally:
        cases.free = usual
    return table


def kernels(n: int, rounds: int) -> Result:
    """ns per column and bar, kernel by kernel.

    alone: an engine of that kernel's columns, less an engine of none. within: what leaving them out of the
    100 saves, that is with what they share already paid for.
    """
    bars = cases.make_bars(n)
    events = bars.events()
    groups: dict[str, list[str]] = {}
    for column in COLUMNS:
        groups.setdefault(cases.kernel(column), []).append(column)

    def run(columns: Sequence[str]) -> Callable[[int], Work]:
        def prepare(_: int) -> Work:
            engine = fresh(columns)
            return lambda: engine.run(events)

        return prepare

    def talib(columns: Sequence[str]) -> Callable[[int], Work]:
        calls = talib_calls(columns, bars)
        return lambda _: lambda: [call() for call, _ in calls]

    players: dict[str, Callable[[int], Work]] = {"none": run([]), "all": run(COLUMNS)}
    for name, columns in groups.items():
        players[f"{name} alone"] = run(columns)
        players[f"{name} left out"] = run([c for c in COLUMNS if c not in columns])
        players[f"{name} talib"] = talib(columns)
    times = in_turn(players, n, rounds)
    table = {}
    print(f"  {'ns per column and bar':24} {'columns':>7} {'alone':>8} {'within':>8} {'talib':>8} {'alone/talib':>11}")
    for name, columns in groups.items():
        k = len(columns)
        alone = (times[f"{name} alone"]["min"] - times["none"]["min"]) / k
        within = (times["all"]["min"] - times[f"{name} left out"]["min"]) / k
        theirs = times[f"{name} talib"]["min"] / k
        table[name] = {
            "columns": k,
            "alone": round(alone, 2),
            "within": round(within, 2),
            "talib": round(theirs, 2),
        }
        print(f"  {name:24} {k:7} {alone:8.2f} {within:8.2f} {theirs:8.2f} {alone / theirs:11.2f}")
    print(f"  engine of no columns {times['none']['min']:.1f} ns/bar; all 100 {times['all']['min']:.0f} ns/bar")
    return {
        "unit": "ns per column and bar",
        "bars": n,
        "none": times["none"],
        "all": times["all"],
        "kernels": table,
    }


# --- growth ---------------------------------------------------------------------------------------


def growth(longest: int, rounds: int) -> Result:
    """ns per bar against the number of columns, and against how many bars came before."""
    n = 10_000
    every = all_bar_columns()
    bars = cases.make_bars(longest + n * (rounds + 1)).events()
    mixed = np.random.default_rng(0).permutation(every.columns).tolist()  # any number of them is the same mix
    counts = {k: mixed[:k] for k in (len(every) // share for share in (16, 8, 4, 2))}

    def on(engine: Engine, begin: int) -> Callable[[int], Work]:
        def prepare(i: int) -> Work:
            part = bars[begin + n * i : begin + n * (i + 1)]
            return lambda: engine.run(part)

        return prepare

    players = {f"{k} columns": on(fresh(columns, bars[:OPENED]), OPENED) for k, columns in counts.items()}
    players[f"{len(every)} columns"] = on(fresh(every, bars[:OPENED]), OPENED)
    history = [10**e for e in range(3, 9) if 10**e <= longest]
    for seen in history:
        engine = fresh(every)
        for at in range(0, seen, n):
            engine.run(bars[at : min(at + n, seen)])
        players[f"after {seen} bars"] = on(engine, seen)
    times = in_turn(players, n, rounds)
    for name, t in times.items():
        columns = int(name.split()[0]) if name.endswith("columns") else len(every)
        t["per column"] = round(t["min"] / columns, 3)
        print(f"  {name:20} {t['min']:8.1f} ns/bar   {t['per column']:6.2f} ns a column")
    few, all_of_them = times[f"{min(counts)} columns"], times[f"{len(every)} columns"]
    long, short = times[f"after {history[-1]} bars"], times[f"after {history[0]} bars"]
    ratios = {
        "growth/history": round(long["min"] / short["min"], 5),
        "growth/columns": round(all_of_them["per column"] / few["per column"], 5),
    }
    show(ratios)
    engine = fresh(FeatureSet.default())
    memory = {"columns": len(engine.columns), "nodes": engine.nodes, "state bytes": engine.state_bytes}
    print(f"  an engine of all {memory['columns']} columns: {memory['state bytes'] / 1e6:.2f} MB of state")
    return {"unit": "ns per bar", "times": times, "ratios": ratios, "memory": memory}


# --- book: depth updates from arrays --------------------------------------------------------------


def depth_updates(seconds: float) -> NDArray[np.void]:
    """Depth events of the simulator, each a message of its own, at times that are all different."""
    from smartcore import Kind, simulate

    events = simulate(seconds=seconds, seed=3).events
    return one_by_one(events[events["kind"] == Kind.DEPTH])


def one_by_one(depth: NDArray[np.void]) -> NDArray[np.void]:
    from smartcore import Flag

    depth = depth.copy()
    depth["flags"] |= np.uint8(Flag.LAST)
    depth["ts"] += np.arange(len(depth))
    return depth


def hftbacktest_replay(updates: NDArray[np.void], tick: float, local_only: bool) -> Callable[[int], Work]:
    """Its documented way: one compiled function that waits for the next feed, reads the book and keeps.

    local_only: the events are marked for the local book alone. Otherwise, as in any real backtest with it,
    it also keeps the exchange's book, which nobody asked for here. Both are reported.
    """
    from hftbacktest import BacktestAsset, ROIVectorMarketDepthBacktest
    from hftbacktest.types import BUY_EVENT, DEPTH_EVENT, EXCH_EVENT, LOCAL_EVENT, SELL_EVENT, event_dtype
    from numba import njit

    marks = DEPTH_EVENT | LOCAL_EVENT | (0 if local_only else EXCH_EVENT)
    feed = np.zeros(len(updates), event_dtype)
    feed["ev"] = np.where(updates["side"] > 0, np.uint64(marks | BUY_EVENT), np.uint64(marks | SELL_EVENT))
    feed["exch_ts"] = feed["local_ts"] = updates["ts"]
    feed["px"], feed["qty"] = updates["v0"], updates["v1"]
    low, high = float(updates["v0"].min()) - tick, float(updates["v0"].max()) + tick
    out = np.empty(len(updates))

    @njit  # type: ignore[untyped-decorator]
    def imbalances(backtest: Any, out: Any) -> Any:
        n = 0
        depth = backtest.depth(0)
        bids, asks, first = depth.bid_depth, depth.ask_depth, depth.roi_lb_tick
        while backtest.wait_next_feed(False, 10**18) == 2:
            bid, level, at = 0.0, 0, depth.best_bid_tick - first
            while level < 5 and at >= 0:
                if bids[at] > 0:
                    bid += bids[at]
                    level += 1
                at -= 1
            ask, level, at = 0.0, 0, depth.best_ask_tick - first
            while level < 5 and at < asks.shape[0]:
                if asks[at] > 0:
                    ask += asks[at]
                    level += 1
                at += 1
            out[n] = (bid - ask) / (bid + ask)
            n += 1
        return n

    opened: list[Any] = []

    def prepare(_: int) -> Work:
        if opened:
            opened.pop().close()
        asset = (
            BacktestAsset()
            .data(feed)
            .linear_asset(1.0)
            .constant_order_latency(0, 0)
            .risk_adverse_queue_model()
            .no_partial_fill_exchange()
            .trading_value_fee_model(0, 0)
            .tick_size(tick)
            .lot_size(1e-8)
            .roi_lb(low)
            .roi_ub(high)
        )
        backtest = ROIVectorMarketDepthBacktest([asset])
        opened.append(backtest)

        def work() -> Any:
            imbalances(backtest, out)
            return out

        return work

    return prepare


def book(seconds: float, rounds: int) -> Result:
    """On simulated updates, and on recorded ones where there are any."""
    result = book_on(depth_updates(seconds), 0.01, rounds)
    ratios = {name: ratio(result["times"]["smartcore, imbalance kept"], t)
              for name, t in result["times"].items() if name.startswith("hftbacktest")}  # fmt: skip
    result["ratios"] = {"book/" + name.replace(", ", "/"): value for name, value in ratios.items()}
    show(result["ratios"])
    if RECORDING.exists():
        from smartcore import Kind, read

        events = read(RECORDING)
        print(f"  recorded: {RECORDING.name}")
        updates = one_by_one(events[events["kind"] == Kind.DEPTH])
        result["recorded"] = book_on(updates, 0.1, rounds)
    else:
        result["skipped"]["recorded"] = "not present; set SMARTCORE_DATA"
    return result


def book_on(updates: NDArray[np.void], tick: float, rounds: int) -> Result:
    column = ["queue_imbalance_l5"]
    every = FeatureSet.default().group("microstructure")

    def ours(columns: Any, sample: str) -> Callable[[int], Work]:
        def prepare(_: int) -> Work:
            engine = fresh(columns)
            return lambda: engine.run(updates, sample=sample)

        return prepare

    players = {
        "smartcore, imbalance kept": ours(column, "event"),
        "smartcore, imbalance current": ours(column, "bar"),
        "smartcore, book alone": ours([], "bar"),
        f"smartcore, all {len(every)} microstructure columns": ours(every, "bar"),
    }
    result: Result = {"unit": "ns per update", "updates": len(updates), "skipped": {}}
    try:
        for name, local_only in (("hftbacktest, one book", True), ("hftbacktest, as in a backtest", False)):
            players[name] = hftbacktest_replay(updates, tick, local_only)
        theirs = players["hftbacktest, one book"](0)()[1000:-1]
        here = fresh(column).run(updates, sample="event")[1000:-1, 0]
        # A message's levels taken one by one may cross for a moment; hftbacktest then drops levels.
        result["equal"] = round(float(np.isclose(here, theirs, atol=1e-12).mean()), 4)
        if result["equal"] < 0.95:
            raise RuntimeError(f"the two books agree on {result['equal']:.1%} of the updates only")
    except ImportError as error:
        result["skipped"]["hftbacktest"] = f"{error}; it pins numpy<2.3 and is measured where it is installed"
        print(f"  hftbacktest skipped: {result['skipped']['hftbacktest']}")
    times = in_turn(players, len(updates), rounds)
    for name, t in times.items():
        print(f"  {name:45} {t['min']:8.1f} ns/update   median {t['median']:8.1f}")
    return {**result, "times": times}


def show(ratios: dict[str, float]) -> None:
    for name, value in ratios.items():
        print(f"  {name:45} {value:8.4f}   = 1 / {1 / value:.1f}")
    print()


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="live,matrix,kernels,growth,book")
    given = parser.parse_args()
    measure.pin()
    result: Result = {"machine": measure.header()}
    rounds, quick = given.rounds, given.quick
    parts: dict[str, Callable[[], Result]] = {
        "live": lambda: live(500 if quick else 10_000, rounds),
        "matrix": lambda: matrix(5_000 if quick else 200_000, rounds),
        "kernels": lambda: kernels(2_000 if quick else 20_000, rounds),
        "growth": lambda: growth(10**4 if quick else 10**6, rounds),
        "book": lambda: book(20 if quick else 1500, rounds),
    }
    for name in given.only.split(","):
        print(name)
        result[name] = parts[name]()
    measure.write(given.json, result)


if __name__ == "__main__":
    main()
