"""Does a confidence of 0.6 come true six times in ten? The decision's own confidence, on recordings, walking forward.

    python bench/reliability.py prepare   # rows, models trained fold by fold, their scores; needs the recordings
    python bench/reliability.py run       # the bot itself over every test: engine, decide(), scorecard
    python bench/reliability.py report    # bench/results/reliability.{json,md}
    python bench/reliability.py choose    # ways of recalibrating side by side: bench/results/recalibration.{json,md}

Two cheap models speak: a linear one as the sequence model and LightGBM as the ensemble, with technical votes and
smart-money structure beside them. Each test was trained on what was before it alone: the last fifth of that stops and
calibrates, labels that reach into the next piece are purged. ``run`` is the bot's own loop over the tests, from an
engine that has seen what came before; the models' scores are played back to it and each row is checked to be the one
they were made from. Its record is empty at the first test and never sees an outcome before its horizon is over.

Confidence is the probability that the direction is right, given that the price moves by more than the label's
threshold. ``raw`` is that of the pool of sources, ``stated`` what the decision says after it was recalibrated by the
outcomes so far. ECE is over 15 bins of equal numbers of calls, as everywhere here. It is above zero even for a perfect
forecaster; how far, at that many outcomes which overlap so much, is simulated and stands beside it.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jobs
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("SMARTCORE_DATA", ROOT.parent / "shared" / "data"))
DAY = 86_400_000_000_000
FLAT = 1 / 3
MODELS = ("logistic", "lightgbm")


@dataclass(frozen=True)
class Set:
    """Recordings of one kind: what is read, when a row is taken, how far ahead is looked."""

    about: str
    files: tuple[str, ...]
    format: str
    sample: str
    horizon: str
    tests: int = 3
    bars: str | None = None


_COINS = ("BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT")
SETS = {
    "usdm_btc": Set("BTCUSDT perpetual, Binance USD-M, 6 minutes", ("binance_l2_2024/usdm_perp_btcusdt_2024-08-08",),
                    "binance", "100ms", "1s", bars="1s"),
    "coinm_btc": Set("BTCUSD perpetual, Binance COIN-M, 6 minutes",
                     ("binance_l2_2024/coinm_perp_btcusd_perp_2024-08-08",), "binance", "100ms", "1s", bars="1s"),
    "coinm_eth": Set("ETHUSD perpetual, Binance COIN-M, 6 minutes",
                     ("binance_l2_2024/coinm_perp_ethusd_perp_2024-08-08",), "binance", "100ms", "1s", bars="1s"),
    "goog": Set("GOOG, NASDAQ, one day, ten levels", ("lobster_2012/GOOG_2012-06-21_level10",), "lobster",
                "1s", "10s", bars="1s"),
    "aapl": Set("AAPL, NASDAQ, one day, level 1", ("lobster_2012/AAPL_2012-06-21_level1",), "lobster",
                "1s", "10s", bars="1s"),
    "minutes_2025": Set("BTC and ETH, minutes, 73 days",
                        tuple(f"crypto_bars_1m/binance_spot_2025/{c}" for c in _COINS[:2]),
                        "ohlcv", "bar", "5m"),
    "minutes_2026": Set("five coins, minutes, 23 days", tuple(f"crypto_bars_1m/binance_spot_2026/{c}" for c in _COINS),
                        "ohlcv", "bar", "5m"),
    "daily": Set("31 US stocks, days, 2006 to 2015", ("daily_equities/dow31_2006_2015",), "daily", "bar", "1d"),
}  # fmt: skip


def columns_of(one: Set) -> tuple[str, ...]:
    """What the models read."""
    from smartcore.learn.datasets import minutes, orderbook

    if one.format in ("ohlcv", "daily"):
        return minutes.COLUMNS if one.format == "ohlcv" else minutes.COLUMNS[:-2]
    return orderbook.DEEP if one.format == "binance" or "level10" in one.files[0] else orderbook.LEVEL_1


def recordings(one: Set) -> Iterator[tuple[str, NDArray[np.void]]]:
    """(instrument, events). Nothing where the file is not there."""
    import smartcore as sc
    from smartcore.market import events

    for file in one.files:
        path = DATA / f"{file}.parquet"
        if not path.exists():
            continue
        if one.format != "daily":
            yield path.stem.split("_20")[0], sc.read(path, format=one.format)
            continue
        import pandas as pd

        table = pd.read_parquet(path).dropna()
        table = table[table[["open", "high", "low", "close"]].min(axis=1) > 0]
        for symbol, days in table.groupby("symbol", sort=True):
            # A day is known at the close in New York; 21:00 UTC is at or after it in summer and in winter.
            ts = pd.to_datetime(days["date"]).to_numpy("datetime64[ns]").astype(np.int64) + 21 * 3_600_000_000_000
            o, h, low, c, v = (days[k].to_numpy(np.float64) for k in ("open", "high", "low", "close", "volume"))
            h, low = np.maximum.reduce([o, h, low, c]), np.minimum.reduce([o, h, low, c])  # one close is above its high
            yield str(symbol), events.bars(ts, o, h, low, c, v)


def features_of(one: Set) -> Any:
    """The models' columns and those that decide() reads."""
    import smartcore as sc
    from smartcore import _core

    names = list(columns_of(one))
    known = sc.catalogue()
    for group in _core.COLUMNS.values():
        for name, _, _ in group:
            try:
                known.column(name)
            except sc.UnknownFeature:
                continue
            if name not in names:
                names.append(name)
    return sc.FeatureSet(names)


def future(ts: NDArray[np.int64], price: NDArray[np.float64], horizon: int) -> NDArray[np.float64]:
    """ln of the price ``horizon`` ns later over that now, (n,); NaN where that is after the end, or nothing came."""
    at = np.searchsorted(ts, ts + horizon, side="right") - 1
    move = np.log(price[at] / price)
    return np.where((ts + horizon <= ts[-1]) & (at > np.arange(len(ts))), move, np.nan)


# ---- prepare -----------------------------------------------------------------------------------------


def prepare(name: str, out: Path, seeds: int, quick: bool) -> str:
    """Write an .npz an instrument: the rows of all tests, and what each model said of them by seed."""
    import smartcore as sc
    from smartcore.learn import estimator, recorded
    from smartcore.learn.data import Series
    from smartcore.learn.evaluate import walk_forward

    one = SETS[name]
    features, columns = features_of(one), columns_of(one)
    horizon = sc.features.engine.interval_ns(one.horizon)
    at = [features.columns.index(c) for c in columns]
    found = []
    for symbol, events in recordings(one):
        if quick:
            events = events[: 8_000 if one.format in ("ohlcv", "daily") else 80_000]
        sampled = recorded.sampled(events, features, one.sample, one.bars)
        keep = np.isfinite(sampled.mid)
        ts, rows, price = sampled.ts[keep], sampled.rows[keep][:, at], sampled.mid[keep]
        found.append((symbol, ts, rows, price, future(ts, price, horizon)))
    if not found:
        return "left out, no recording"
    every = np.concatenate([ts for _, ts, *_ in found])
    order = np.sort(every)
    parts: dict[str, list[Any]] = {symbol: [] for symbol, *_ in found}
    for split in walk_forward(order, order + horizon, one.tests, embargo=horizon):
        # Edges in time, the same for all instruments; the splits of the pooled times say where.
        known, begin, end = order[split.train], int(order[split.test[0]]), int(order[split.test[-1]])
        cut, last = int(known[int(len(known) * 0.8)]), int(known[-1])
        moves = np.concatenate([m[ts <= cut - horizon] for _, ts, _, _, m in found])
        width = float(np.quantile(np.abs(moves[np.isfinite(moves)]), FLAT))

        def piece(low: int, high: int, width: float = width) -> list[Series]:
            pieces = []
            for _, ts, rows, price, move in found:
                here = (ts >= low) & (ts <= high)
                label = np.where(np.isnan(move), -1, 1 + (move > width) - (move < -width))[here]
                pieces.append(Series(ts[here], rows[here], price[here], label.astype(np.int8)[:, None]))
            return pieces

        train, valid = piece(0, cut - horizon), piece(cut + 1, last)
        test = piece(begin, end)
        said = []
        for seed in range(seeds):
            for kind in MODELS:
                if kind == "logistic" and seed:  # nothing in it is random
                    said.append(said[0])
                    continue
                config = {"rounds": 60, "leaves": 8, "rate": 0.05} if kind == "lightgbm" else {}
                model = estimator.build(kind, columns, classes=3, **config)
                model.fit([s for s in train if len(s)], [s for s in valid if len(s)], seed)
                said.append(estimator.probabilities(model, [s for s in test if len(s)])[:, 0])
        both = np.stack(said, axis=1).reshape(-1, seeds, len(MODELS), 3)
        done = 0
        for (symbol, *_), s in zip(found, test, strict=True):
            if len(s):
                fold = np.full(len(s), split.groups[0])
                parts[symbol].append((s.ts, s.rows, both[done : done + len(s)], fold, np.full(len(s), width)))
                done += len(s)
    for symbol, pieces in parts.items():
        arrays = dict(
            zip(("ts", "rows", "said", "fold", "width"), map(np.concatenate, zip(*pieces, strict=True)), strict=True)
        )
        np.savez(out / f"{name}--{symbol}.npz", **arrays)
    return f"{sum(len(p[0]) for pieces in parts.values() for p in pieces):,} rows to be tested"


# ---- run ---------------------------------------------------------------------------------------------


class Playback:
    """A model that says what was said of a row before, once it has seen that it is the same row."""

    missing, ready = 0, True

    def __init__(self, kind: str, one: Set, said: NDArray[Any], rows: NDArray[np.float32], width: float) -> None:
        import smartcore as sc
        from smartcore.models import Contract

        columns = columns_of(one)
        self.contract = Contract(
            name=kind, kind=kind, columns=columns, fingerprint=sc.FeatureSet(list(columns)).fingerprint,
            sample=one.sample, bars=one.bars, horizon=one.horizon, label="log return", thresholds=(-width, width),
            calibration={"method": "temperature"},
        )  # fmt: skip
        self.said, self.rows, self.next = said, rows, 0
        self.index = slice(0, 0)

    def bind(self, features: Any) -> Playback:
        self.index = np.array([features.columns.index(c) for c in self.contract.columns])
        return self

    def fork(self) -> Playback:
        raise NotImplementedError("it plays one recording")

    def step(self, row: NDArray[np.float64]) -> NDArray[np.floating]:
        seen = row[self.index].astype(np.float32)
        for at in range(self.next, min(self.next + 5, len(self.rows))):
            if np.array_equal(seen, self.rows[at], equal_nan=True):
                self.next = at + 1
                return self.said[at]
        raise ValueError(f"row {self.next} is not the one that the scores were made from")


FIELDS = ("ts", "price", "raw_confidence", "confidence", "score")


def run(name: str, rows: Path, out: Path) -> str:
    """Write an .npz an instrument and seed: every decision of the tests, and the bot's record at the end."""
    import smartcore as sc
    from smartcore import _core
    from smartcore.features.engine import interval_ns

    one, features, total, begun = SETS[name], features_of(SETS[name]), 0, time.perf_counter()
    unit = interval_ns(one.bars) if one.bars else {"ohlcv": 60_000_000_000, "daily": DAY}[one.format]
    policy = sc.Policy(every=one.sample, horizon=interval_ns(one.horizon) / unit, max_age_s=1e9, max_scores_age_s=1e9)
    for symbol, events in recordings(one):
        path = rows / f"{name}--{symbol}.npz"
        if not path.exists():
            continue
        with np.load(path) as kept:
            ts, seen, said, width = kept["ts"], kept["rows"], kept["said"], float(kept["width"][0])
        cut = int(np.searchsorted(events["ts"], ts[0]))
        end = int(np.searchsorted(events["ts"], ts[-1], side="right"))
        for seed in range(said.shape[1]):
            engine = sc.Engine(features, instrument=symbol, bars=one.bars)
            engine.run(events[:cut], sample="365d")
            models = [Playback(kind, one, said[:, seed, i], seen, width) for i, kind in enumerate(MODELS)]
            bot = sc.Orchestrator(engine, *models, policy=policy, latency_ns=0)
            made = np.frombuffer(b"".join([d.raw for d in bot.run(events[cut:end])]), _core.DECISION)
            spoke = np.isfinite(made["probabilities"][:, 0])
            if models[0].next < 0.99 * len(ts) or any(m["faults"] for m in bot.status()["models"]):
                raise RuntimeError(f"{symbol}: {models[0].next} of {len(ts)} rows were met, {bot.status()['models']}")
            arrays = {field: made[field][spoke] for field in FIELDS}
            card = np.frombuffer(bot.scorecard.snapshot(), np.uint8)
            np.savez(out / f"{name}--{symbol}--{seed}.npz", width=width, card=card, **arrays)
            total += int(spoke.sum())
    return f"{total:,} decisions in {time.perf_counter() - begun:.0f} s"


# ---- report ------------------------------------------------------------------------------------------

BINS = 15
BLOCK = 20
"""Of the bootstrap, in horizons."""
DRAWS = 400


@dataclass(frozen=True)
class Calls:
    """Of one set and seed: the decisions after which the price moved, all instruments one after the other."""

    raw: NDArray[np.float64]
    stated: NDArray[np.float64]
    hit: NDArray[np.bool_]
    up: NDArray[np.bool_]
    """Which way was leant."""
    slot: NDArray[np.int64]
    """Number of the horizon that the call falls into; no two instruments share one."""
    made: int
    """Decisions with an outcome, moved or not."""


def calls(paths: list[Path], horizon: int) -> Calls:
    """What came of the decisions, from the prices they carry."""
    parts, made, slots = [], 0, 0
    for path in paths:
        with np.load(path) as kept:
            d, width = {field: kept[field] for field in FIELDS}, float(kept["width"])
        move = future(d["ts"], d["price"], horizon)
        made += int(np.isfinite(move).sum())
        moved = (np.abs(move) > width) & (d["score"] != 0)
        slot = (d["ts"] - d["ts"][0]) // horizon + slots
        slots = int(slot[-1]) + BLOCK + 1
        up = d["score"] > 0
        parts.append([x[moved] for x in (d["raw_confidence"], d["confidence"], up == (move > 0), up, slot)])
    return Calls(*map(np.concatenate, zip(*parts, strict=True)), made)


def bins_of(confidence: NDArray[np.float64]) -> NDArray[np.int64]:
    """The bin of each call: equal numbers, equal confidences in one."""
    order = np.sort(confidence)
    return np.searchsorted(order[np.linspace(0, len(order), BINS + 1)[1:-1].astype(int)], confidence, side="right")


def error(confidence: NDArray[np.float64], hit: NDArray[Any], bins: NDArray[np.int64], weight: Any = None) -> float:
    off = np.bincount(bins, (hit - confidence) * (1 if weight is None else weight), BINS)
    return float(np.abs(off).sum() / (len(hit) if weight is None else weight.sum()))


def interval(c: Calls, confidence: NDArray[np.float64], rng: np.random.Generator) -> list[float]:
    """95 % of the ECE over blocks of time drawn again; it lies above the value, for noise adds to an ECE."""
    bins, block = bins_of(confidence), c.slot // BLOCK
    blocks = int(block.max()) + 1
    there = np.unique(block)
    found = []
    for _ in range(DRAWS):
        count = np.bincount(rng.choice(there, len(there)), minlength=blocks).astype(float)
        found.append(error(confidence, c.hit, bins, count[block]))
    return [float(x) for x in np.quantile(found, [0.025, 0.975])]


def floor(c: Calls, confidence: NDArray[np.float64], rng: np.random.Generator) -> tuple[float, float]:
    """(mean, 95 % quantile) of the ECE of a forecaster whose confidence is true, at as many calls that overlap as much:
    the direction is drawn once for each horizon's worth of calls. That instruments move together is left out.
    """
    bins, found = bins_of(confidence), []
    p_up = np.where(c.up, confidence, 1 - confidence)
    for _ in range(DRAWS):
        went_up = rng.random(int(c.slot.max()) + 1)[c.slot] < p_up
        found.append(error(confidence, went_up == c.up, bins))
    return float(np.mean(found)), float(np.quantile(found, 0.95))


def judged(name: str, paths: list[Path], rng: np.random.Generator) -> dict[str, Any]:
    """Everything of one set and seed."""
    from smartcore.decide import Scores
    from smartcore.features.engine import interval_ns

    c = calls(paths, interval_ns(SETS[name].horizon))
    out: dict[str, Any] = {
        "decisions": c.made, "moves": len(c.hit), "horizons": len(np.unique(c.slot)),
        "hit_rate": float(c.hit.mean()),
    }  # fmt: skip
    for key, confidence in (("raw", c.raw), ("stated", c.stated)):
        bins = bins_of(confidence)
        mean, high = floor(c, confidence, rng)
        sure = np.clip(confidence, 1e-9, 1 - 1e-9)
        count = np.bincount(bins, minlength=BINS)
        there = count > 0
        out[key] = {
            "confidence": float(confidence.mean()),
            "ece": error(confidence, c.hit, bins), "interval": interval(c, confidence, rng),
            "floor": mean, "floor_95": high,
            "brier": float(((confidence - c.hit) ** 2).mean()),
            "log_loss": float(-np.log(np.where(c.hit, sure, 1 - sure)).mean()),
            "diagram": [
                [float(x) for x in row]
                for row in zip(
                    (np.bincount(bins, confidence, BINS) / np.maximum(count, 1))[there],
                    (np.bincount(bins, c.hit, BINS) / np.maximum(count, 1))[there], count[there], strict=True,
                )
            ],
        }  # fmt: skip
    cards = []
    for path in paths:
        with np.load(path) as kept:
            cards.append(Scores(kept["card"].tobytes()))
    for level in ("var_95", "var_99"):
        found = [card.coverage[level] for card in cards]
        out[level] = {
            "horizons": sum(f.calls for f in found), "breaches": sum(f.breaches for f in found),
            "expected": sum(f.expected for f in found),
            "bots": len([f for f in found if f.calls]), "rejected": sum(f.kupiec_p < 0.05 for f in found),
        }  # fmt: skip
    slipped = [card.slippage for card in cards if card.slippage.calls]
    if slipped:
        out["slippage_coverage"] = float(np.mean([s.coverage for s in slipped]))
    stayed = [card.switches for card in cards if card.switches.calls]
    if stayed:
        out["regime"] = {key: float(np.mean([getattr(s, key) for s in stayed])) for key in ("stayed", "said", "brier")}
    out["slopes"] = [round(card.track()["slope"], 3) for card in cards]
    return out


def spread(values: list[float]) -> str:
    """Mean, and the standard deviation over seeds where there are several."""
    return f"{np.mean(values):.3f}" + (f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else "")


def page(found: dict[str, list[dict[str, Any]]], told: dict[str, Any]) -> str:
    """The table of all sets."""
    lines = [
        "# Reliability of the decision's confidence",
        "",
        (__doc__ or "").split("\n\n", 2)[2].strip(),
        "",
        f"`{told['command']}` on {told['machine']}; {told['seeds']} seed(s) of LightGBM, mean and standard deviation.",
        "",
        "| set | decisions | moved | horizons | right | raw said | stated | ECE raw | ECE stated | 95 % of blocks "
        "| perfect forecaster: mean, 95 % | verdict |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- | --- |",
    ]
    for name, seeds in found.items():
        one = seeds[0]
        ece = [s["stated"]["ece"] for s in seeds]
        high = float(np.mean([s["stated"]["floor_95"] for s in seeds]))
        mean = float(np.mean(ece))
        verdict = "at most 0.03" if mean <= 0.03 else "above 0.03; " + (
            "no worse than a perfect one at this size" if mean <= high else "worse than a perfect one"
        )  # fmt: skip
        low, top = np.mean([s["stated"]["interval"] for s in seeds], axis=0)
        lines.append(
            f"| {name} | {one['decisions']:,} | {one['moves']:,} | {one['horizons']:,} "
            f"| {np.mean([s['hit_rate'] for s in seeds]):.3f} "
            f"| {np.mean([s['raw']['confidence'] for s in seeds]):.3f} "
            f"| {np.mean([s['stated']['confidence'] for s in seeds]):.3f} "
            f"| {spread([s['raw']['ece'] for s in seeds])} | {spread(ece)} | {low:.3f} to {top:.3f} "
            f"| {np.mean([s['stated']['floor'] for s in seeds]):.3f}, {high:.3f} | {verdict} |"
        )
    lines += [
        "",
        "moved: calls after which the price moved by more than the threshold, which are scored; horizons: of those, "
        "the number of different ones, nearer to what they are worth, for calls overlap. An interval of an ECE lies "
        "above its value: drawing again adds noise, and noise adds to an ECE.",
        "",
        "## What recalibration changed",
        "",
        "| set | Brier raw | Brier stated | log-loss raw | log-loss stated | slope at the end |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for name, seeds in found.items():
        cells = [f"{np.mean([s[k][m] for s in seeds]):.4f}" for m in ("brier", "log_loss") for k in ("raw", "stated")]
        slopes = [x for s in seeds for x in s["slopes"]]
        lines.append(f"| {name} | {' | '.join(cells)} | {min(slopes):.2f} to {max(slopes):.2f} |")
    lines += [
        "",
        "Of two classes, given a move: 0.25 and 0.6931 are a coin flip's.",
        "",
        "## Reliability diagram, stated, first seed",
        "",
    ]
    for name, seeds in found.items():
        points = ", ".join(f"{said:.3f} -> {came:.3f}" for said, came, _ in seeds[0]["stated"]["diagram"])
        lines.append(f"- **{name}** (said -> right): {points}")
    lines += [
        "",
        "## The rest of the record at the end, first seed",
        "",
        "| set | VaR 95 breaches, expected, of | bots that Kupiec rejects at 5 % | VaR 99 | rejected | slippage within "
        "tolerance | regime stayed, said |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, seeds in found.items():
        one = seeds[0]
        cells = []
        for level in ("var_95", "var_99"):
            v = one[level]
            cells += [f"{v['breaches']}, {v['expected']:.1f}, {v['horizons']:,}", f"{v['rejected']} of {v['bots']}"]
        regime = one.get("regime")
        cells.append(f"{one['slippage_coverage']:.3f}" if "slippage_coverage" in one else "-")
        cells.append(f"{regime['stayed']:.3f}, {regime['said']:.3f}" if regime else "-")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def report(out: Path, results: Path, quick: bool) -> None:
    found: dict[str, list[dict[str, Any]]] = {}
    rng = np.random.default_rng(7)
    for name in SETS:
        by_seed: dict[int, list[Path]] = {}
        for path in sorted(out.glob(f"{name}--*.npz")):
            by_seed.setdefault(int(path.stem.split("--")[2]), []).append(path)
        if by_seed:
            found[name] = [judged(name, by_seed[seed], rng) for seed in sorted(by_seed)]
    machine = jobs.machine()
    versions = ", ".join(f"{k} {v}" for k, v in machine["versions"].items() if k in ("numpy", "lightgbm", "torch"))
    told = {
        "quick": quick,
        "command": "python bench/reliability.py prepare; ... run; ... report",
        "machine": f"{machine['cores']} cores, Python {machine['python']}, {versions}",
        "seeds": max(map(len, found.values()), default=0),
        "sets": found,
    }
    jobs.publish(results, "reliability", told, page(found, told), indent=None)


# ---- choose ------------------------------------------------------------------------------------------

CHOICES = [
    *(("slope", half_life, doubt, 0.0) for half_life in (200, 500, 2000) for doubt in (0.25, 0.5, 1.0)),
    *(("slope and offset", 500, doubt, offset) for doubt in (0.25, 0.5) for offset in (0.1, 0.2)),
    *(("shrunk bins", half_life, calls, 0.0) for half_life in (200, 500, 2000) for calls in (50.0, 100.0, 200.0)),
]
"""(form, half-life in horizons, standard deviation of the slope's belief around 1, or calls that a bin is shrunk by;
that of the offset's around 0)."""
CHOSEN = ("slope", 500, 0.5, 0.0)
MANY = 1000


def recalibrated(kind: str) -> Any:
    """The walk through one bot's calls: compiled, for there are a million of them."""
    import numba

    from smartcore import _core

    edges = np.array(_core.CONFIDENCE_EDGES)
    offset_too, by_bin = kind == "slope and offset", kind == "shrunk bins"

    @numba.njit
    def walk(ts, raw, moved, hit, horizon, half_life, doubt, offset_doubt):  # type: ignore[no-untyped-def]
        n, k = len(ts), len(edges)
        out = np.empty(n)
        moves, hits, said = np.zeros(k), np.zeros(k), np.zeros(k)
        slope, offset, seen, read = 1.0, 0.0, np.int64(0), 0
        stiff, stiff_offset = 1 / doubt**2, 1 / max(offset_doubt, 1e-9) ** 2
        for i in range(n):
            new = False
            while read < i and ts[read] + horizon < ts[i]:  # its horizon is over
                weight = 1.0 if seen == 0 else min(1.0, (ts[read] - seen) / horizon)
                seen, fade = ts[read], 0.5 ** (weight / half_life)
                moves, hits, said = moves * fade, hits * fade, said * fade
                if moved[read]:
                    b = np.searchsorted(edges, raw[read], side="right") - 1
                    moves[b] += weight
                    said[b] += weight * raw[read]
                    hits[b] += weight * hit[read]
                read += 1
                new = True
            if new and not by_bin:
                for _ in range(4):
                    g, c, go, co, cross = (slope - 1) * stiff, stiff, offset * stiff_offset, stiff_offset, 0.0
                    for b in range(k):
                        if moves[b] > 0:
                            p0 = min(said[b] / moves[b], 1 - 1e-6)
                            x = np.log(p0 / (1 - p0))
                            p = 1 / (1 + np.exp(-slope * x - offset))
                            q = moves[b] * p * (1 - p)
                            g += x * (moves[b] * p - hits[b])
                            go += moves[b] * p - hits[b]
                            c, co, cross = c + x * x * q, co + q, cross + x * q
                    if offset_too:
                        det = c * co - cross * cross
                        slope, offset = slope - (co * g - cross * go) / det, offset - (c * go - cross * g) / det
                    else:
                        slope -= g / c
                    slope = min(3.0, max(0.02, slope))
            p = min(max(raw[i], 0.5), 1 - 1e-6)
            if by_bin:  # what a bin and its neighbours were off by
                b = np.searchsorted(edges, raw[i], side="right") - 1
                off, near = 0.0, doubt
                for other in range(k):
                    share = 0.5 ** abs(other - b)
                    off += share * (hits[other] - said[other])
                    near += share * moves[other]
                out[i] = p + off / near
            else:
                out[i] = 1 / (1 + ((1 - p) / p) ** slope * np.exp(-offset))
            out[i] = min(max(out[i], 0.5), 1 - 1e-6)
        return out

    return walk


def choose(out: Path, results: Path, quick: bool) -> None:
    """Ways of recalibrating, each on what was known at the time, over the first seed's decisions."""
    from smartcore.features.engine import interval_ns

    walks = {kind: recalibrated(kind) for kind in dict.fromkeys(choice[0] for choice in CHOICES)}
    found: dict[str, dict[str, tuple[float, float]]] = {}
    some: dict[str, int] = {}
    for name, one in SETS.items():
        horizon = interval_ns(one.horizon)
        said: dict[str, list[NDArray[Any]]] = {}
        came = []
        for path in sorted(out.glob(f"{name}--*--0.npz")):
            with np.load(path) as kept:
                d, width = {field: kept[field] for field in FIELDS}, float(kept["width"])
            move = future(d["ts"], d["price"], horizon)
            moved, hit = (np.abs(move) > width) & (d["score"] != 0), (d["score"] > 0) == (move > 0)
            came.append(hit[moved])
            some[name] = some.get(name, 0) + len(np.unique(d["ts"][moved] // horizon))
            said.setdefault("none", []).append(d["raw_confidence"][moved])
            for choice in CHOICES:
                given = (d["ts"], d["raw_confidence"], moved, hit, horizon, *map(float, choice[1:]))
                said.setdefault(str(choice), []).append(walks[choice[0]](*given)[moved])
        if came:
            y = np.concatenate(came)
            found[name] = {}
            for key, parts in said.items():
                p = np.clip(np.concatenate(parts), 1e-6, 1 - 1e-6)
                loss = float(-np.log(np.where(y, p, 1 - p)).mean())
                found[name][key] = error(p, y, bins_of(p)), loss
    lines = [
        "# Ways of recalibrating the fused confidence",
        "",
        "`python bench/reliability.py choose`, after `prepare` and `run`: raw confidences of the first seed, each way "
        "fed with outcomes whose horizon is over. ECE, and log-loss against none in 1e-4 (less is better); doubt: "
        "standard deviation of the belief around no change, or calls that a bin is shrunk by. Chosen by the sets with "
        f"more than {MANY:,} horizons, the last column: in six minutes an offset or bins follow the way it went. "
        "These are the recordings that `reliability.md` is of, so its figures are a little flattered; neighbours do "
        "much the same.",
        "",
        "| way | half-life | doubt | " + " | ".join(found) + " | mean | mean of the large |",
        "| --- | ---: | ---: |" + " --- |" * (len(found) + 2),
    ]
    base = {name: by["none"][1] for name, by in found.items()}
    lines.append("| none | | | " + " | ".join(f"{by['none'][0]:.3f}" for by in found.values()) + " | | |")
    for choice in CHOICES:
        change = {name: 1e4 * (by[str(choice)][1] - base[name]) for name, by in found.items()}
        cells = [f"{by[str(choice)][0]:.3f}, {change[name]:+.1f}" for name, by in found.items()]
        kind, half_life, doubt, offset = choice
        mark = "**" if choice == CHOSEN else ""
        told = f"{doubt:g}" + (f", {offset:g}" if offset else "")
        means = [np.mean([x for n, x in change.items() if some[n] > least]) for least in (0, MANY)]
        cells += [f"{x:+.1f}" for x in means]
        lines.append(f"| {mark}{kind}{mark} | {half_life} | {told} | {' | '.join(cells)} |")
    jobs.publish(results, "recalibration", {"quick": quick, "sets": found}, "\n".join(lines) + "\n", indent=None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=("prepare", "run", "report", "choose"))
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="small, to see that it runs")
    parser.add_argument("--out", type=Path, help="rows and decisions lie here")
    parser.add_argument("--results", type=Path)
    told = parser.parse_args()
    folder = told.out or ROOT / "out" / ("reliability_quick" if told.quick else "reliability")
    rows, made = folder / "rows", folder / "decisions"
    results = told.results or (folder if told.quick else ROOT / "bench" / "results")
    if told.stage in ("report", "choose"):
        (report if told.stage == "report" else choose)(made, results, told.quick)
        return
    for path in (rows, made):
        path.mkdir(parents=True, exist_ok=True)
    for name in told.sets:
        if told.stage == "prepare":
            said = prepare(name, rows, 1 if told.quick else told.seeds, told.quick)
        else:
            said = run(name, rows, made)
        print(f"{name}: {said}", flush=True)


if __name__ == "__main__":
    main()
