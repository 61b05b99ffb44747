"""Slippage: what execution advice predicts, beside what walking the recorded book some time later costs.

    python bench/slippage.py            # bench/results/slippage.{json,md}; under a minute
    python bench/slippage.py --quick    # the simulator's market alone, to out/results

A recording is replayed; a message of the book is picked at random, and there an order is imagined: a side at random
and a size in usual queues at the touch. The advice (``csrc/decide/execution.cpp``) predicts what it slips against the
mid of that moment, mean and quantile. Then the book as it stands 0.1, 1, 10, 100 and 1000 ms later on the event clock
is walked. Nobody reacts to an order that was never sent, so what is checked is the cost of taking what stands there,
not what an order does to the market.

The tolerance learns from its record as it does live: an outcome counts once its latency is over. All else that is
fitted (the constants of baselines) is fitted on the first half of a recording; everything is scored on the second.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import jobs
import numpy as np
from numpy.typing import NDArray

import smartcore as sc
from smartcore import _core
from smartcore.decide import Policy
from smartcore.market import readers
from smartcore.market.events import Kind, merge

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("SMARTCORE_DATA", ROOT.parent / "shared" / "data"))

SOURCES = {
    "goog": ("GOOG, NASDAQ, 2012-06-21, ten levels", "lobster_2012/GOOG_2012-06-21_level10"),
    "btc_usdm": ("BTCUSDT perpetual, Binance USD-M, 2024-08-08", "binance_l2_2024/usdm_perp_btcusdt_2024-08-08"),
    "btc_coinm": ("BTCUSD perpetual, Binance COIN-M, 2024-08-08", "binance_l2_2024/coinm_perp_btcusd_perp_2024-08-08"),
    "eth_coinm": ("ETHUSD perpetual, Binance COIN-M, 2024-08-08", "binance_l2_2024/coinm_perp_ethusd_perp_2024-08-08"),
    "btc_spot": ("BTCUSDT, Binance spot, 2024-08-08, a message in 100 ms", "binance_l2_2024/spot_btcusdt_2024-08-08"),
    "ethbtc": ("ETHBTC, Binance spot, 2020-11-01, a message a second", "binance_2020/ethbtc_l2_2020-11-01T09"),
    "simulated": ("the simulator's market", ""),
}
TRADES = {"ethbtc": "binance_2020/ethbtc_aggtrades_2020-11-01T09"}  # in a file of their own
LATENCIES = (0.1, 1.0, 10.0, 100.0, 1000.0)
"""Milliseconds."""
QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99)
QUEUES = (0.25, 1.0, 3.0, 10.0, 30.0)
"""Sizes, in usual queues at the touch: the average of both sides over about a minute."""
SCORED = 3
"""Of these, the smallest ones are those of the tables of quantiles: all recordings hold them."""
BOT_LATENCIES = (10.0, 100.0, 1000.0)
BOT_QUANTILES = (0.75, 0.9, 0.99)
ORDERS = 4000
BLOCK = 50
"""Orders that the bootstrap moves about together."""
DRAWS = 2000
BOOK = tuple(name for name, _, _ in _core.COLUMNS["book"])
COLUMNS = (*BOOK, "relative_depth_l1_60s_bid", "relative_depth_l1_60s_ask")
IMPACTS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Of Y of the square-root law, which is 1 unless told: what would have been best on the first half."""
OURS = "advice, with its record"


@dataclass(frozen=True)
class Orders:
    """Imagined orders of a recording, n of them in the order of time."""

    ts: NDArray[np.int64]
    side: NDArray[np.int64]
    context: NDArray[Any]
    """As at the decision, but for the latency."""
    book: NDArray[np.float64]
    """(n, len(BOOK))"""
    size: NDArray[np.float64]
    """(n, len(QUEUES))"""
    choice: NDArray[np.int64]
    """Which of the scored sizes an order has in the tables of quantiles."""
    slip: NDArray[np.float64]
    """(1 + len(LATENCIES), n, len(QUEUES)): bps against the mid of the decision, at once and after each latency; NaN
    where the recording does not hold the size."""

    @property
    def late(self) -> NDArray[np.bool_]:
        """The half that is scored."""
        late: NDArray[np.bool_] = self.ts > (self.ts[0] + self.ts[-1]) // 2
        return late

    def of_choice(self, latency: int) -> NDArray[np.float64]:
        return self.slip[latency, np.arange(len(self.ts)), self.choice]


def events_of(name: str, seconds: float) -> NDArray[np.void]:
    if name == "simulated":
        from smartcore.market.simulator import simulate

        return simulate(seconds, 7, "mixed").events
    events = readers.read(DATA / f"{SOURCES[name][1]}.parquet")
    return merge(events, readers.read(DATA / f"{TRADES[name]}.parquet")) if name in TRADES else events


def orders(events: NDArray[np.void], most: int, seed: int = 1) -> Orders:
    """Replay, and walk the book at each order and after each latency."""
    rng = np.random.default_rng(seed)
    ts = events["ts"]
    first = ts[0] + min(60_000_000_000, (ts[-1] - ts[0]) // 10)  # faded columns have settled
    waits = np.array([0, *(int(ms * 1e6) for ms in LATENCIES)])
    moments = np.unique(ts[(events["kind"] == Kind.DEPTH) & (ts > first) & (ts < ts[-1] - waits[-1])])
    at = np.sort(rng.choice(moments, min(most, len(moments)), replace=False))
    n = len(at)
    side, choice = rng.choice([1, -1], n), rng.integers(0, SCORED, n)
    context = np.zeros(n, _core.CONTEXT)
    rows, size = np.full((n, len(COLUMNS)), np.nan), np.full((n, len(QUEUES)), np.nan)
    mid, slip = np.full(n, np.nan), np.full((len(waits), n, len(QUEUES)), np.nan)
    engine = sc.Engine(list(COLUMNS))
    done = 0
    stops = (at[:, None] + waits).ravel()
    for stop in np.argsort(stops, kind="stable"):
        order, wait = divmod(int(stop), len(waits))
        end = int(np.searchsorted(ts, stops[stop], "right"))
        if end > done:
            engine.run(events[done:end])
            done = end
        book = engine.book
        if not book.valid:
            continue
        if wait == 0:
            rows[order], mid[order] = engine.row, book.mid
            usual = 0.5 * (book.bid_size / rows[order, -2] + book.ask_size / rows[order, -1])
            size[order] = usual * np.array(QUEUES)
            told = context[order]
            for name in ("bid", "bid_size", "ask", "ask_size"):
                told[name] = getattr(book, name)
            bids, asks = book.top(10)
            told["bids"][: len(bids)], told["asks"][: len(asks)] = bids, asks
            told["price"] = book.mid
        bids, asks = book.levels()
        held = (asks if side[order] > 0 else bids)[:, 1].sum()
        for k, contracts in enumerate(size[order]):
            if contracts <= held:
                slip[wait, order, k] = book.slippage(int(side[order]), contracts, mid[order])
    context["bar_ns"], context["lot"], context["multiplier"] = 60_000_000_000, 1e-9, 1.0
    ok = np.isfinite(rows[:, BOOK.index("mid_volatility_60s")]) & np.isfinite(size).all(1)
    return Orders(at[ok], side[ok], context[ok], rows[ok, : len(BOOK)], size[ok], choice[ok], slip[:, ok])


# ---- what is predicted -------------------------------------------------------------------------------


def policy(quantile: float, impact: float = 1.0) -> NDArray[Any]:
    told = np.zeros((), _core.POLICY)
    told["slippage_quantile"], told["impact"], told["participation"] = quantile, impact, 1.0
    told["half_life"], told["max_slices"], told["horizon"] = 10.0, 1, 20.0  # one slice: the order is sent whole
    return told


def advised(of: Orders, order: int, size: float, ms: float, policy: NDArray[Any], scale: float) -> Any:
    decision, context = np.zeros((), _core.DECISION), of.context[order].copy()
    decision["risk"]["contracts"], context["latency_ns"] = size, int(ms * 1e6)
    book, side = of.book[order], int(of.side[order])
    records = context.tobytes(), policy.tobytes()  # of a structured dtype NumPy spells out the format, at length
    told = _core._advise(decision.tobytes(), side, True, False, np.nan, max(book[0], 0), 0.0, scale, book, *records)
    return np.frombuffer(told, _core.DECISION["execution"])[0]


def means(of: Orders, impact: float = 1.0) -> NDArray[np.float64]:
    """(n, len(QUEUES)): predicted mean of each order at each size."""
    rule = policy(0.5, impact)
    return np.array([[advised(of, i, q, 0, rule, 0)["slippage_bps"] for q in of.size[i]] for i in range(len(of.ts))])


def tolerances(of: Orders, latency: int, quantile: float, learns: bool) -> NDArray[np.float64]:
    """(n,) at the chosen sizes. With ``learns`` each is scaled by the record of those whose outcome was known by
    then.
    """
    ms, rule, slip = LATENCIES[latency], policy(quantile), of.of_choice(latency + 1)
    out = np.empty(len(of.ts))
    card, waiting = np.zeros(1, _core.SCORECARD), []
    decision = np.zeros((), _core.DECISION)
    for i, ts in enumerate(of.ts):
        while learns and waiting and waiting[0][0] < ts:
            _, decision["execution"], bps = waiting.pop(0)
            _core._card_slippage(card, decision, bps)
        said = advised(of, i, of.size[i, of.choice[i]], ms, rule, float(card["slippage_scale"][0]))
        out[i] = said["slippage_tolerance_bps"]
        waiting.append((ts + int(ms * 1e6), said, slip[i]))
    return out


def former(of: Orders, sizes: NDArray[np.float64], ms: float, z: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """(mean, tolerance) of the formula before: levels as deep as the touch, half a spread apart, and a normal
    move.
    """
    half = np.maximum(of.book[:, 0], 0) / 2
    touch = np.where(of.side > 0, of.context["ask_size"], of.context["bid_size"])
    mean = half * (1 + np.clip(sizes / touch - 1, 0, 100))
    drift = of.book[:, BOOK.index("mid_volatility_60s")] * np.sqrt(ms / 1000)
    return mean, mean + z * np.sqrt(drift**2 + 0.25 * half**2)


def candidates(of: Orders, walk: NDArray[np.float64], latency: int, quantile: float) -> dict[str, NDArray[np.float64]]:
    """Tolerances of each rule, (n,). ``walk``: predicted means at the chosen sizes."""
    ms, slip = LATENCIES[latency], of.of_choice(latency + 1)
    early = ~of.late & np.isfinite(slip)
    z = NormalDist().inv_cdf(quantile)
    sizes = of.size[np.arange(len(of.ts)), of.choice]
    move = of.book[:, BOOK.index("mid_volatility_60s")] * np.sqrt(ms / 1000)
    excess = (slip - walk)[early]
    return {
        OURS: tolerances(of, latency, quantile, True),
        "advice, no record yet": tolerances(of, latency, quantile, False),
        "walk + normal move": walk + z * move,
        "walk + constant": walk + np.quantile(excess, quantile),
        "walk + fitted move": walk + np.quantile((excess / move[early])[move[early] > 0], quantile) * move,
        "former formula": former(of, sizes, ms, z)[1],
        "constant": np.full(len(sizes), np.quantile(slip[early], quantile)),
    }


# ---- scores ------------------------------------------------------------------------------------------


def pinball(miss: NDArray[np.float64], quantile: float) -> float:
    return float(np.maximum(quantile * miss, (quantile - 1) * miss).mean())


def interval(hits: NDArray[np.bool_], seed: int = 3) -> tuple[float, float]:
    """95 % of the mean, by blocks of neighbours."""
    n = len(hits)
    rng = np.random.default_rng(seed)
    sums = np.cumsum(np.concatenate([[0], hits, hits[:BLOCK]]))
    blocks = (sums[BLOCK:] - sums[:-BLOCK])[:n]
    drawn = blocks[rng.integers(0, n, (DRAWS, max(1, n // BLOCK)))].mean(1) / BLOCK
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def judge(of: Orders) -> dict[str, Any]:
    told: dict[str, Any] = {"orders": len(of.ts), "scored": int(of.late.sum()), "sizes": [], "latencies": []}
    late, predicted = of.late, means(of)
    beyond = {impact: means(of, impact) for impact in IMPACTS}
    early = np.isfinite(of.slip[0]) & ~late[:, None]
    off = {impact: float(np.abs(mean - of.slip[0])[early].mean()) for impact, mean in beyond.items()}
    best = min(IMPACTS, key=lambda impact: (round(off[impact], 9), abs(impact - 1)))  # 1 where nothing tells
    told["impact"] = best
    half, walk = np.maximum(of.book[:, 0], 0) / 2, predicted[np.arange(len(of.ts)), of.choice]
    for k, queues in enumerate(QUEUES):
        real = of.slip[0, :, k]
        held = np.isfinite(real) & late
        if not held.any():
            continue
        flat = np.full(len(half), half[~late].mean())
        rules = {"advice": predicted[:, k], "former": former(of, of.size[:, k], 0, 0)[0], "half": flat}
        rules["fitted"] = beyond[best][:, k]
        told["sizes"].append({
            "queues": queues, "held": float(held.sum() / late.sum()), "real": float(real[held].mean()),
            "bias": {name: float((mean - real)[held].mean()) for name, mean in rules.items()},
            "mae": {name: float(np.abs(mean - real)[held].mean()) for name, mean in rules.items()},
        })  # fmt: skip
    for j, ms in enumerate(LATENCIES):
        slip, now = of.of_choice(j + 1), of.of_choice(0)
        scored = late & np.isfinite(slip) & np.isfinite(now)
        one: dict[str, Any] = {"ms": ms, "changed": float((np.abs(slip - now) > 1e-9)[scored].mean()), "quantiles": []}
        for quantile in QUANTILES:
            rules = candidates(of, walk, j, quantile)
            hits = (slip <= rules[OURS])[scored]
            one["quantiles"].append({
                "quantile": quantile, "coverage": float(hits.mean()), "interval": interval(hits),
                "covers": {name: float((slip <= bound + 1e-9)[scored].mean()) for name, bound in rules.items()},
                "pinball": {name: pinball((slip - bound)[scored], quantile) for name, bound in rules.items()},
            })  # fmt: skip
        told["latencies"].append(one)
    return told


# ---- through the bot ---------------------------------------------------------------------------------


def through_the_bot(events: NDArray[np.void], ms: float, quantile: float) -> dict[str, Any]:
    """A bot on the whole recording, deciding every 100 ms; what its tolerances covered, walked here once more."""
    policy = Policy(every="100ms", slippage_quantile=quantile, participation=1.0, min_votes=1)
    bot = sc.Orchestrator(sc.Engine(["ofi_l1_10s", *BOOK]), policy=policy, latency_ns=int(ms * 1e6))
    said = [(d.ts, 1 if d.score > 0 else -1, d.execution) for d in bot.run(events) if d.score and d.execution.slice]
    engine, done, ts, hits = sc.Engine(["spread"]), 0, events["ts"], []
    for at, side, execution in said:
        end = int(np.searchsorted(ts, at + int(ms * 1e6), "right"))
        if end > done:
            engine.run(events[done:end])
            done = end
        mid = execution.reservation_price  # nothing is held, so it is the mid that the bot saw
        bps = engine.book.slippage(side, execution.slice, mid) if mid else np.nan
        hits.append(bps <= execution.slippage_tolerance_bps if bps == bps else np.nan)
    late = np.array(hits[len(hits) // 2 :], np.float64)
    scored = late[np.isfinite(late)] > 0
    card = bot.scorecard.scores().slippage
    return {
        "ms": ms, "quantile": quantile, "scored": len(scored), "coverage": float(scored.mean()),
        "interval": interval(scored), "own": float(card.coverage),
    }  # fmt: skip


# ---- the page ----------------------------------------------------------------------------------------


def page(result: dict[str, Any]) -> str:
    sets, machine = result["sets"], result["machine"]
    about = " ".join(part.replace("\n", " ").replace("``", "`") for part in (__doc__ or "").split("\n\n")[2:]).strip()
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items() if name == "numpy")
    lines = [
        "# Slippage: predicted and realised", "",
        f"Made by `python bench/slippage.py`, which says how. {about}", "",
        "Basis points against the mid of the decision. Intervals are of 95 %, of blocks of 50 orders. Where the book "
        "has changed in fewer orders than a quantile leaves out (column *changed*), the quantile is the walk itself "
        "and coverage must lie above. Where it has changed in none, the row is left out: the Binance recordings have a "
        "message in some 50 ms (spot 100 ms, ETHBTC 1 s) and can say nothing of shorter latencies. At 0.5 the "
        "tolerance is the predicted mean, which nothing learns.", "",
        f"{machine['cores']} cores, Python {machine['python']}, {versions}, smartcore {_core.__version__}.", "",
        "## Coverage of the tolerance", "",
        "| recording | latency, ms | changed | " + " | ".join(f"{q:g}" for q in QUANTILES) + " |",
        "| --- | ---: | ---: |" + " ---: |" * len(QUANTILES),
    ]  # fmt: skip
    for name, told in sets.items():
        for one in (one for one in told["latencies"] if one["changed"] >= 0.005):
            cells = [f"{q['coverage']:.3f} [{q['interval'][0]:.3f}, {q['interval'][1]:.3f}]" for q in one["quantiles"]]
            lines.append(f"| {name} | {one['ms']:g} | {one['changed']:.2f} | {' | '.join(cells)} |")
    for quantile in (0.9, 0.99):
        at = QUANTILES.index(quantile)
        names = list(next(iter(sets.values()))["latencies"][0]["quantiles"][at]["pinball"])
        lines += [
            "", f"## Rules beside each other, quantile {quantile:g}", "",
            "Pinball loss in bps, least is best, and coverage in brackets. *walk + constant*, *walk + fitted move* and "
            "*constant* have numbers from the first half of each recording; the others have none.", "",
            "| recording | latency, ms | " + " | ".join(names) + " |", "| --- | ---: |" + " ---: |" * len(names),
        ]  # fmt: skip
        for name, told in sets.items():
            for one in (one for one in told["latencies"] if one["changed"] >= 0.005):
                q = one["quantiles"][at]
                best = min(q["pinball"].values())
                losses = {rule: f"{loss:.4f}" for rule, loss in q["pinball"].items()}
                cells = [
                    f"{f'**{loss}**' if loss == f'{best:.4f}' else loss} ({q['covers'][rule]:.3f})"
                    for rule, loss in losses.items()
                ]
                lines.append(f"| {name} | {one['ms']:g} | {' | '.join(cells)} |")
    lines += [
        "", "## The mean, at once", "",
        "Mean of what walking the whole recorded book costs, and mean absolute error of what was predicted from its "
        "ten best levels (beyond them, the square-root law with Y = 1), by the former formula, and by half the mean "
        "spread of the first half; *fitted Y* is what the first half liked best. *held*: orders that the recording "
        "can fill; where few, they are the cheap ones.", "",
        "| recording | size, usual queues | held | cost | advice | bias | fitted Y | advice with it | former | half a "
        "spread |",
        "| --- " + "| ---: " * 9 + "|",
    ]  # fmt: skip
    for name, told in sets.items():
        for s in told["sizes"]:
            mae = s["mae"]
            lines.append(
                f"| {name} | {s['queues']:g} | {s['held']:.2f} | {s['real']:.3f} | {mae['advice']:.3f} "
                f"| {s['bias']['advice']:+.3f} | {told['impact']:g} | {mae['fitted']:.3f} | {mae['former']:.3f} "
                f"| {mae['half']:.3f} |"
            )
    lines += [
        "", "## Through the bot", "",
        "An orchestrator on each recording decides every 100 ms; it walks the book after the latency it was given, and "
        "its record moves the tolerance. Coverage of the second half of its decisions, each walked once more outside "
        "of it; in round brackets what the bot itself says at the end, of about its last 700.", "",
        "| recording | latency, ms | " + " | ".join(f"{q:g}" for q in BOT_QUANTILES) + " |",
        "| --- | ---: |" + " ---: |" * len(BOT_QUANTILES),
    ]  # fmt: skip
    for name, told in sets.items():
        for ms in BOT_LATENCIES:
            ran = [one for one in told["bot"] if one["ms"] == ms]
            cells = [
                f"{b['coverage']:.3f} [{b['interval'][0]:.3f}, {b['interval'][1]:.3f}] ({b['own']:.3f})" for b in ran
            ]
            lines.append(f"| {name} | {ms:g} | {' | '.join(cells)} |")
    lines += ["", "## Recordings", ""]
    for name, told in sets.items():
        lines.append(f"- {name}: {SOURCES[name][0]}; orders {told['orders']:,}, scored {told['scored']:,}")
    lines += [f"- {name}: not found" for name in result["missing"]]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small, to see that it runs")
    parser.add_argument("--results", type=Path, help="folder of slippage.json and slippage.md")
    told = parser.parse_args()
    result: dict[str, Any] = {"quick": told.quick, "machine": jobs.machine(), "sets": {}, "missing": []}
    for name, (_, path) in SOURCES.items():
        if told.quick and path:
            continue
        if path and not (DATA / f"{path}.parquet").exists():
            result["missing"].append(name)
            continue
        events = events_of(name, 120 if told.quick else 1800)
        judged = judge(orders(events, 400 if told.quick else ORDERS))
        judged["bot"] = [through_the_bot(events, ms, q) for ms in BOT_LATENCIES for q in BOT_QUANTILES]
        result["sets"][name] = judged
        print(f"{name} done", flush=True)
    folder = told.results or (ROOT / "out" / "results" if told.quick else ROOT / "bench" / "results")
    jobs.publish(folder, "slippage", result, page(result))


if __name__ == "__main__":
    main()
