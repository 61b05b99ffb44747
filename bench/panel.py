"""What a panel costs: `python bench/panel.py > bench/results/panel.md`.

Of 2, 10 and 100 instruments with one-minute bars on a clock of a minute: events a second, and microseconds a tick of
one instrument (its bar and the three events it is told, all columns current, the row in the table), on one core; the
bytes an instrument keeps, measured as what one more adds to the process. Then recordings: five coins in one-minute
bars, and the trades of three pairs that form a triangle, on a clock of a second.

CPU time, minimum of the rounds, every round on data that no panel has seen (bench/README.md).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import measure
import numpy as np
from numpy.typing import NDArray

import smartcore as sc
from smartcore.market import events as ev

MINUTE = 60_000_000_000
START = 1_704_067_200_000_000_000
COINS = ("BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT")


def bars(n: int, count: int, seed: int) -> NDArray[np.void]:
    """n one-minute bars of each of `count` instruments that move together."""
    rng = np.random.default_rng(seed)
    common, parts = rng.normal(size=n) * 5e-4, []
    for i in range(count):
        close = 100 * np.exp(np.cumsum(common + rng.normal(size=n) * 5e-4))
        open_ = np.append(100.0, close[:-1])
        high, low = np.maximum(open_, close) * 1.0002, np.minimum(open_, close) * 0.9998
        part = ev.bars(START + MINUTE * np.arange(1, n + 1), open_, high, low, close, rng.gamma(1, 10, n))
        part["instrument"] = i
        parts.append(part)
    return ev.merge(*parts)


def later(events: NDArray[np.void], ns: int) -> NDArray[np.void]:
    moved = events.copy()
    moved["ts"] += ns
    return moved


def timed(
    features: sc.FeatureSet, events: NDArray[np.void], count: int, clock: str, rounds: int
) -> tuple[float, float]:
    """Events a second, and us a tick of one instrument. Each round goes on where the last one ended."""
    panel = sc.Panel(features, [f"x{i}" for i in range(count)], clock=clock)
    span = int(events["ts"][-1] - events["ts"][0]) // MINUTE * MINUTE + 2 * MINUTE
    ticks = len(sc.Panel(sc.FeatureSet([]), [f"x{i}" for i in range(count)], clock=clock).run(events)[0])

    def play(i: int):
        piece = later(events, i * span)
        return lambda: panel.run(piece)

    best = measure.in_turn({"panel": play}, 1, rounds)["panel"]["min"]
    return len(events) / best * 1e9, best / ticks / count / 1e3


def resident() -> int:
    """Bytes of this process in memory."""
    import resource

    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def bytes_an_instrument(columns: str) -> float:
    """In a process of its own: memory that another panel gave back would not be counted."""
    here = str(Path(__file__).parent)
    code = f"import sys; sys.path.insert(0, {here!r}); import panel; panel.say_memory({columns!r})"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def say_memory(columns: str) -> None:
    features = sc.FeatureSet.default() if columns == "all" else sc.FeatureSet.default().group(columns)
    events = bars(3, 52, 1)
    few = sc.Panel(features, ["a", "b"])
    few.run(events[events["instrument"] < 2])
    before = resident()
    many = sc.Panel(features, [f"x{i}" for i in range(52)])
    many.run(events)
    print((resident() - before) / 52)


def recorded(name: str) -> NDArray[np.void]:
    """Merged events of a recorded set."""
    import pyarrow.parquet as pq

    parts = []
    if name == "coins":
        for i, coin in enumerate(COINS):
            table = pq.read_table(measure.DATA / "crypto_bars_1m" / "binance_spot_2026" / f"{coin}.parquet")
            ts = table["ts_open"].cast("int64").to_numpy() + MINUTE
            part = ev.bars(ts, *(table[c].to_numpy() for c in ("open", "high", "low", "close", "volume")))[:8000]
            part["instrument"] = i
            parts.append(part)
    else:
        for i, pair in enumerate(("btcusdt", "ethusdt", "ethbtc")):
            frame = pq.read_table(measure.DATA / "binance_2020" / f"{pair}_aggtrades_2020-11-01T09.parquet").to_pandas()
            ts = np.maximum.accumulate(frame["ts_event"].astype("int64").to_numpy())
            part = ev.trades(ts, frame["price"], frame["size"], np.where(frame["side"] == "buy", 1, -1))
            part["instrument"] = i
            parts.append(part)
    return ev.merge(*parts)


def main() -> None:
    options = measure.options(__doc__).parse_args()
    measure.pin()
    result = {"about": measure.machine(), "rows": []}
    about = result["about"]
    every, cross = sc.FeatureSet.default(), sc.FeatureSet.default().group("cross-asset")
    sets = {f"all {len(every)} columns": every, f"{len(cross)} cross-asset": cross}
    rounds = 2 if options.quick else 7
    print("# A panel\n")
    print(
        f"{about['cpu']}, {about['cores']} cores, load {about['load']}; python {about['python']}; "
        f"commit {about['commit']}."
    )
    print("One core, CPU time, best of the rounds: `python bench/panel.py`.\n")
    print("| data | instruments | features | events/s | us a tick of an instrument |")
    print("| --- | ---: | --- | ---: | ---: |")
    cases = [("one-minute bars, made up", count, "1m", None) for count in (2, 10, 100)]
    cases += [("one-minute bars of five coins", 5, "1m", "coins"), ("trades of a triangle, 1 s", 3, "1s", "triangle")]
    for what, count, clock, name in cases:
        if name and not measure.DATA.exists():
            continue
        size = (40_000 if name is None else 10**9) // (20 if options.quick else 1)
        events = bars(max(size // count, 30), count, 1) if name is None else recorded(name)[:size]
        for label, features in sets.items():
            speed, cost = timed(features, events, count, clock, rounds)
            print(f"| {what} | {count} | {label} | {speed:,.0f} | {cost:.2f} |", flush=True)
            result["rows"].append(
                {"data": what, "instruments": count, "features": label, "events_s": speed, "us": cost}
            )
    print()
    for label, features in sets.items():
        memory = bytes_an_instrument("all" if features == every else "cross-asset")
        state = sc.Engine(features).state_bytes
        print(f"- {label}: {memory / 1024:,.0f} KiB an instrument, {state / 1024:,.0f} of it state of features")
        result["rows"].append({"features": label, "bytes": memory, "state_bytes": state})
    measure.write(options.json, result)


if __name__ == "__main__":
    main()
