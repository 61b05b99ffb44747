"""Stylised facts of the simulator, regime by regime, beside those of a recorded market.

    python bench/simulator_facts.py [--seconds 7200] [--seed 1] [--plot facts.png] [--recording FILE.parquet
    ...]

A recording is read through ``smartcore.market.readers`` and left out, with a line that says so, where it is
absent. What is measured follows Cont (2001), "Empirical properties of asset returns", and Bouchaud, Bonart,
Donier, Gould (2018), "Trades, Quotes and Prices", chapters 2, 4 and 10 to 13.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from smartcore.market.events import Flag, Kind

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("SMARTCORE_DATA", ROOT.parent / "shared" / "data"))
RECORDING = DATA / "binance_l2_2024" / "usdm_perp_btcusdt_2024-08-08.parquet"
BARS = [DATA / "crypto_bars_1m" / "binance_spot_2025" / f"{coin}USDT.parquet" for coin in ("BTC", "ETH")]
LEVELS = 20
LAGS = (1, 2, 5, 10, 20, 50, 100)


@njit
# type: ignore[no-untyped-def]
def _replay(kind, side, flags, price, size, bid_book, ask_book, tops, profile):
    """Best prices in ticks and their sizes after each closed message, and the mean size by distance from the
    best."""
    bid, ask = -1, bid_book.shape[0]
    top, seen = 0, 0
    for i in range(kind.shape[0]):
        if kind[i] != 3:
            continue
        p = price[i]
        if flags[i] & 2:
            bid_book[:] = 0.0
            ask_book[:] = 0.0
            bid, ask = -1, bid_book.shape[0]
        if side[i] > 0:
            bid_book[p] = size[i]
            if size[i] > 0.0:
                bid = max(bid, p)
            while bid >= 0 and bid_book[bid] == 0.0:
                bid -= 1
        else:
            ask_book[p] = size[i]
            if size[i] > 0.0:
                ask = min(ask, p)
            while ask < ask_book.shape[0] and ask_book[ask] == 0.0:
                ask += 1
        if flags[i] & 1 and bid >= 0 and ask < ask_book.shape[0]:
            tops[top, 0] = i
            tops[top, 1] = bid
            tops[top, 2] = ask
            tops[top, 3] = bid_book[bid]
            tops[top, 4] = ask_book[ask]
            top += 1
            if top % 50 == 0:
                seen += 1
                for level in range(profile.shape[0]):
                    if bid - level >= 0:
                        profile[level] += bid_book[bid - level]
                    if ask + level < ask_book.shape[0]:
                        profile[level] += ask_book[ask + level]
    profile /= 2 * max(seen, 1)
    return top


def tops(
    events: NDArray[np.void], tick: float
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """``(row, table, profile)``: event index of each closed message, ``bid ask bid_size ask_size`` (prices in
    ticks) after it,
    and the mean size at 0..19 ticks from the best."""
    depth = events["kind"] == Kind.DEPTH
    ticks = np.rint(events["v0"] / tick).astype(np.int64)
    low, high = ticks[depth].min(), ticks[depth].max()
    ticks = np.clip(ticks - low, 0, high - low)
    table, profile = np.zeros((int(depth.sum()), 5)), np.zeros(LEVELS)
    books = np.zeros((2, int(high - low + 1)))
    n = _replay(
        events["kind"],
        events["side"],
        events["flags"],
        ticks,
        events["v1"],
        books[0],
        books[1],
        table,
        profile,
    )
    table = table[:n]
    table[:, 1:3] += low
    return table[:, 0].astype(np.int64), table[:, 1:], profile


def acf(x: NDArray[Any], lags: tuple[int, ...]) -> list[float]:
    """Autocorrelation at each lag; NaN where the series is constant or too short."""
    x = np.asarray(x, float) - np.mean(x)
    power = float(x @ x)
    return [
        float(x[:-lag] @ x[lag:] / power) if len(x) > 3 * lag and power > 0 else float("nan") for lag in lags
    ]


def kurtosis(x: NDArray[Any]) -> float:
    """Fourth standardised moment; 3 for a normal law."""
    x = x - x.mean()
    return float((x**4).mean() / max((x**2).mean() ** 2, 1e-300))


def hill(x: NDArray[Any], share: float = 0.02) -> float:
    """Hill's tail index of ``|x|`` over the largest ``share`` of it (Hill 1975); about 3 in real markets."""
    magnitude = np.sort(np.abs(x))[::-1]
    k = max(int(len(magnitude) * share), 10)
    if k >= len(magnitude) or magnitude[k] <= 0:
        return float("nan")
    return float(1 / max(np.mean(np.log(magnitude[:k] / magnitude[k])), 1e-12))


def facts(events: NDArray[np.void], tick: float) -> dict[str, Any]:
    """The stylised facts of one instrument's stream; see the table in ``main`` for their meaning."""
    row, top, profile = tops(events, tick)
    ts = events["ts"][row]
    mid, spread = (top[:, 0] + top[:, 1]) / 2, top[:, 1] - top[:, 0]
    seconds = (events["ts"][-1] - ts[0]) / 1e9
    weight = np.diff(np.append(ts, events["ts"][-1])).astype(float)
    weight /= weight.sum()

    def returns(step: float) -> NDArray[np.float64]:
        grid = np.arange(ts[0], events["ts"][-1], int(step * 1e9))
        return np.diff(np.log(mid[np.searchsorted(ts, grid, side="right") - 1])) * 1e4

    r1, r10, r60 = returns(1), returns(10), returns(60)
    trade = events[events["kind"] == Kind.TRADE]
    keep = np.append(
        True, (np.diff(trade["ts"]) > 0) | (np.diff(trade["side"]) != 0)
    )  # prints of one order count once
    sign = trade["side"][keep].astype(float)

    imbalance = (top[:, 2] - top[:, 3]) / (top[:, 2] + top[:, 3])
    change = np.append(np.flatnonzero(np.diff(mid)), -1)
    following = np.searchsorted(change[:-1], np.arange(len(mid) - 1))
    known = following < len(change) - 1
    at = change[np.minimum(following, len(change) - 2)] if len(change) > 1 else np.zeros(len(mid) - 1, int)
    move = np.sign(mid[np.minimum(at + 1, len(mid) - 1)] - mid[:-1])
    grid = np.arange(ts[0], events["ts"][-1], 10**9)
    seen = np.searchsorted(ts, grid, side="right") - 1
    flow = np.zeros(len(grid) - 1)
    where = np.searchsorted(grid, trade["ts"], side="right") - 1
    inside = (where >= 0) & (where < len(flow))
    np.add.at(flow, where[inside], trade["side"][inside] * trade["v1"][inside])
    next1 = np.diff(mid[seen])

    def corr(a: NDArray[Any], b: NDArray[Any]) -> float:
        return float(np.corrcoef(a, b)[0, 1]) if len(a) > 10 and a.std() > 0 and b.std() > 0 else float("nan")

    def ratio(k: int) -> float:
        wide = np.add.reduceat(r1[: len(r1) // k * k], np.arange(0, len(r1) // k * k, k))
        return float((wide**2).mean() / max(k * (r1**2).mean(), 1e-300)) if len(wide) > 3 else float("nan")

    bucket = np.clip(((imbalance[:-1][known] + 1) * 5).astype(int), 0, 9)
    response = np.bincount(bucket, move[known], 10) / np.maximum(np.bincount(bucket, minlength=10), 1)

    message = events["flags"][events["kind"] == Kind.DEPTH] & Flag.LAST > 0
    return {
        "seconds": seconds,
        "events/s": len(events) / seconds,
        "messages/s": float(message.sum()) / seconds,
        "trades/s": len(trade) / seconds,
        "trade share": len(trade) / len(events),
        "mid moves/s": float((np.diff(mid) != 0).sum()) / seconds,
        "drift bps/min": float(np.log(mid[-1] / mid[0])) * 1e4 / seconds * 60,
        "sd 1s bps": float(r1.std()),
        "variance ratio 10s": ratio(10),
        "variance ratio 60s": ratio(60),
        "kurtosis 1s": kurtosis(r1),
        "hill 1s": hill(r1),
        **{f"acf r 1s lag {lag}": v for lag, v in zip((1, 2, 5, 10), acf(r1, (1, 2, 5, 10)), strict=True)},
        "acf r 10s lag 1": acf(r10, (1,))[0],
        **{f"acf |r| 1s lag {lag}": v for lag, v in zip(LAGS, acf(np.abs(r1), LAGS), strict=True)},
        **minutes(r60),
        **{f"spread {k} tick": float(weight[spread == k].sum()) for k in (1, 2, 3)},
        "spread > 3 ticks": float(weight[spread > 3].sum()),
        "spread mean ticks": float((weight * spread).sum()),
        **{f"acf sign lag {lag}": v for lag, v in zip(LAGS, acf(sign, LAGS), strict=True)},
        **{f"depth {k} / depth 0": float(profile[k] / max(profile[0], 1e-300)) for k in (1, 2, 5, 10, 19)},
        "size median": float(np.median(trade["v1"])),
        "size p99 / median": float(np.quantile(trade["v1"], 0.99) / np.median(trade["v1"])),
        "imbalance -> next move": corr(imbalance[:-1][known], move[known]),
        "imbalance -> next 1s": corr(imbalance[seen[:-1]], next1),
        "flow 1s -> same 1s": corr(np.sign(flow) * np.abs(flow) ** 0.5, next1),
        "flow 1s -> next 1s": corr(np.sign(flow[:-1]) * np.abs(flow[:-1]) ** 0.5, next1[1:]),
        "_r1": r1,
        "_r60": r60,
        "_sign": sign,
        "_mid": mid * tick,
        "_ts": ts,
        "_profile": profile,
        "_spread": (spread, weight),
        "_response": response,
    }


def bars(path: Path) -> dict[str, float]:
    """The one-minute facts of a recording of one-minute bars."""
    import pandas as pd

    close = pd.read_parquet(path, columns=["close"])["close"].to_numpy()
    return minutes(np.diff(np.log(close)) * 1e4)


def minutes(r60: NDArray[np.float64]) -> dict[str, float]:
    """Facts of one-minute returns in bps."""
    return {
        "sd 1m bps": float(r60.std()),
        "kurtosis 1m": kurtosis(r60),
        "hill 1m": hill(r60, 0.05),
        **{
            f"acf |r| 1m lag {lag}": v
            for lag, v in zip((1, 5, 10, 60), acf(np.abs(r60), (1, 5, 10, 60)), strict=True)
        },
    }


def smallest_step(prices: NDArray[np.float64]) -> float:
    """The tick of a price series: its smallest step."""
    return float(f"{np.diff(np.unique(prices)).min():.6g}")


def plot(found: dict[str, dict[str, Any]], sims: dict[str, Any], path: str) -> None:
    """Nine panels of the facts."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from smartcore.market.simulator import REGIMES

    figure, ax = plt.subplots(3, 3, figsize=(18, 14))
    shown = {
        name: f
        for name, f in found.items()
        if name in ("calm", "volatile", "quiet", "mixed") or name not in sims
    }
    sim, f = sims["mixed"], found["mixed"]
    hour = f["_ts"] < f["_ts"][0] + int(2 * 3600e9)
    ax[0, 0].plot((f["_ts"][hour][::20] - f["_ts"][0]) / 60e9, f["_mid"][hour][::20], "k", lw=0.6)
    edges = np.append(sim.labels["ts"], sim.stop)
    for i, label in enumerate(sim.labels):
        low, high = ((edges[i + j] - sim.start) / 60e9 for j in (0, 1))
        if low < 120:
            ax[0, 0].axvspan(low, min(high, 120), color=f"C{label['regime']}", alpha=0.3, lw=0)
    for i, name in enumerate(REGIMES[:7]):
        ax[0, 0].plot([], [], color=f"C{i}", lw=6, alpha=0.3, label=name)
    ax[0, 0].set(title="mixed: mid and regimes, minutes")
    ax[0, 0].legend(fontsize=7)
    for name in sims:
        g = found[name]
        hour = g["_ts"] < g["_ts"][0] + int(3600e9)
        path_bps = np.log(g["_mid"][hour][::20] / g["_mid"][0]) * 1e4
        ax[0, 1].plot((g["_ts"][hour][::20] - g["_ts"][0]) / 60e9, path_bps, lw=0.7, label=name)
    ax[0, 1].set(title="mid by regime, bps, first hour (minutes)")
    bins = np.linspace(-10, 10, 61)
    for name, g in shown.items():
        density, _ = np.histogram(g["_r1"] / g["_r1"].std(), bins, density=True)
        ax[0, 2].semilogy(
            (bins[1:] + bins[:-1]) / 2, np.where(density > 0, density, np.nan), ".-", lw=0.7, label=name
        )
        lags = tuple(range(1, min(301, len(g["_r1"]) // 4)))
        ax[1, 0].loglog(lags, np.maximum(acf(np.abs(g["_r1"]), lags), 1e-3), lw=0.7, label=name)
        ax[1, 1].plot(range(1, 31), acf(g["_r1"], tuple(range(1, 31))), ".-", lw=0.7, label=name)
        lags = tuple(range(1, min(1001, len(g["_sign"]) // 4)))
        ax[1, 2].loglog(lags, np.maximum(acf(g["_sign"], lags), 1e-3), lw=0.7, label=name)
        spread, weight = g["_spread"]
        ax[2, 0].plot(
            range(1, 11), [weight[spread == k].sum() for k in range(1, 11)], ".-", lw=0.7, label=name
        )
        ax[2, 1].plot(g["_profile"] / g["_profile"].max(), ".-", lw=0.7, label=name)
        ax[2, 2].plot(np.linspace(-0.9, 0.9, 10), g["_response"], ".-", lw=0.7, label=name)
    ax[0, 2].semilogy(bins, np.exp(-(bins**2) / 2) / np.sqrt(2 * np.pi), "k--", lw=0.7, label="normal")
    ax[0, 2].set(title="1-s returns / sd", ylim=(1e-5, 3))
    ax[1, 0].set(title="acf of |r|, 1 s")
    ax[1, 1].set(title="acf of r, 1 s", ylim=(-0.3, 0.3))
    ax[1, 2].set(title="acf of trade signs")
    ax[2, 0].set(title="spread, share of time by ticks", yscale="log", ylim=(1e-4, 1))
    ax[2, 1].set(title="mean size by ticks from the best / largest")
    ax[2, 2].set(title="mean sign of the next mid move by queue imbalance")
    for axis in ax.flat[1:]:
        axis.legend(fontsize=7)
        axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=70)


def main() -> None:
    """Print the table, and write the plot where asked."""
    parser = argparse.ArgumentParser(description="Stylised facts of the simulator beside recorded ones.")
    parser.add_argument(
        "--seconds",
        type=float,
        default=14400,
        help="simulated seconds a regime; mixed runs six times as long",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--recording", type=Path, nargs="*", default=[RECORDING], help="files of depth and trades"
    )
    parser.add_argument("--bars", type=Path, nargs="*", default=BARS, help="Parquet files of one-minute bars")
    parser.add_argument("--plot", help="write a PNG here")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()

    from smartcore.market.simulator import REGIMES, simulate

    began = time.perf_counter()
    simulate(1)
    compiled = time.perf_counter() - began
    found: dict[str, dict[str, Any]] = {}
    sims: dict[str, Any] = {}
    for name in (*REGIMES, "mixed"):
        began = time.process_time()
        sims[name] = simulate(args.seconds * (6 if name == "mixed" else 1), args.seed, name)
        spent = time.process_time() - began
        found[name] = {
            "events/cpu s": len(sims[name].events) / spent,
            **facts(sims[name].events, sims[name].tick),
        }
    for path in args.recording:
        if not path.exists():
            print(f"skipped, absent: {path}")
            continue
        from smartcore.market import readers

        events = readers.read(path)
        found[path.stem.rsplit("_", 1)[0]] = facts(
            events, smallest_step(events["v0"][events["kind"] == Kind.DEPTH])
        )
    for path in args.bars:
        if path.exists():
            found[f"{path.stem} bars"] = bars(path)
    table = {name: {k: v for k, v in f.items() if k[0] != "_"} for name, f in found.items()}
    if args.json:
        print(json.dumps({"compile_seconds": compiled, "seed": args.seed, "facts": table}, indent=1))
    else:
        print(f"first call, compiling included: {compiled:.1f} s\n")
        names = list(table)
        print(" " * 24 + "".join(f"{name[:13]:>14}" for name in names))
        for key in table[names[0]]:
            print(
                f"{key:24}"
                + "".join(f"{table[n][key]:14.4g}" if key in table[n] else f"{'':14}" for n in names)
            )
    if args.plot:
        plot({name: f for name, f in found.items() if "_r1" in f}, sims, args.plot)


if __name__ == "__main__":
    main()
