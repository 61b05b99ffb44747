"""One-minute bars of crypto: can the next minutes be told, and does anything of it survive a cost of 5 basis points?

    python bench/minutes.py prepare
    python bench/minutes.py run --jobs 2
    python bench/minutes.py report   # bench/results/minutes.{json,md}

BTC and ETH of 73 days of 2025, five coins of 23 days of 2026. Five tests walk forward; each model trains on all coins
and all four horizons (1, 5, 15, 60 minutes) before a test. Every variant that is looked at, of any model, seed, horizon
and threshold, counts as a trial of the deflated Sharpe ratio. ``run`` needs neither the bars nor the compiled core.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jobs
import numpy as np
from numpy.typing import NDArray

from smartcore.learn.datasets import minutes
from smartcore.learn.datasets.recording import Recording, load, save

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("SMARTCORE_DATA", ROOT.parent / "shared" / "data")) / "crypto_bars_1m"

SOURCES = {
    "2025": ("binance_spot_2025", ("BTCUSDT", "ETHUSDT")),
    "2026": ("binance_spot_2026", ("BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT")),
}
MODELS = ("logistic", "lightgbm", "gru", "bin_ctabl")
FLOORS = ("majority", "last move")
TESTS = 5
THRESHOLDS = (0.0, 0.02, 0.05, 0.1)
"""A trade wants P(up) and P(down) this far apart."""
ROUND_TRIP = 5.0
"""Basis points: half a spread and a fee, in and out."""
BLOCK = 240 * minutes.MINUTE
"""Of the bootstrap: four hours of all coins together, four of the longest horizons."""
DRAWS = 1000
BINS = 400


# ---- prepare -----------------------------------------------------------------------------------------


def prepare(out: Path, quick: bool) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, (folder, coins) in SOURCES.items():
        for coin in coins:
            path = DATA / folder / f"{coin}.parquet"
            if not path.exists():
                print(f"{name} {coin}: left out, no {path}")
                continue
            made = minutes.recording(path)
            if quick:
                made = Recording(made.name, made.columns, made.ts[:6000], made.rows[:6000], made.mid[:6000])
            to = out / f"{name}-{coin}.npz"
            save(made, to)
            print(f"{name} {coin}: {len(made):,} bars, {to.stat().st_size / 1e6:.1f} MB")


@functools.lru_cache(maxsize=1)
def folds(rows: str, dataset: str) -> tuple[tuple[str, ...], list[minutes.Fold]]:
    """Names of columns, and the folds."""
    there = [Path(rows) / f"{dataset}-{coin}.npz" for coin in SOURCES[dataset][1]]
    coins = [load(path) for path in there if path.exists()]
    if not coins:
        raise SystemExit(f"no rows of {dataset} in {rows}: run prepare first")
    return coins[0].columns, minutes.folds(coins, TESTS)


# ---- run ---------------------------------------------------------------------------------------------


def task(job: jobs.Job, options: dict[str, Any]) -> str:
    from smartcore.learn import estimator

    dataset, name, fold, seed = job
    columns, every = folds(options["rows"], dataset)
    data = every[fold]
    config: dict[str, Any] = {}
    if estimator.family(name) == "net":
        from smartcore.learn import nets
        from smartcore.learn.nets.base import WindowNet
        from smartcore.learn.train import Config

        batch = 256 if issubclass(nets.kind(name)[0], WindowNet) else 64
        rounds, updates = (1, 2) if options["quick"] else (15, 20)
        # Little can be learned here, and a high rate unlearns it: the least validation loss came early and low.
        config["training"] = Config(rounds=rounds, updates=updates, patience=4, batch=batch, rate=1e-3)
        config["device"] = options["device"]
    elif name == "lightgbm":
        config = {"rounds": 5 if options["quick"] else 150, "rate": 0.03, "leaves": 8, "least": 1000}
    model = estimator.build(name, columns, classes=2, targets=len(minutes.HORIZONS), **config)
    model.fit(data.train, data.valid, seed)
    up = estimator.probabilities(model, data.test)[:, :, 1]
    label = np.concatenate([s.label for s in data.test])
    right = [np.mean((up[:, i] > 0.5) == label[:, i], where=label[:, i] >= 0) for i in range(up.shape[1])]
    path = Path(options["out"]) / jobs.stem(job)
    np.savez_compressed(f"{path}.npz", up=(up - 0.5).astype(np.float16))  # about a half: there float16 is fine
    record = {"dataset": dataset, "model": name, "fold": fold, "seed": seed, "quick": options["quick"]}
    Path(f"{path}.json").write_text(json.dumps(record))
    return "accuracy " + " ".join(f"{100 * r:.2f}" for r in right) + " %"


def work(arguments: tuple[jobs.Job, dict[str, Any]]) -> dict[str, Any]:
    return jobs.guarded(task, *arguments)


def todo(options: argparse.Namespace) -> Iterator[jobs.Job]:
    models = [m for m in (MODELS if options.models == ["all"] else options.models) if m not in options.without]
    datasets = list(SOURCES) if options.datasets == ["all"] else options.datasets
    for seed in range(options.seeds):
        for model in models:
            for dataset in datasets:
                for fold in range(TESTS):
                    job = (dataset, model, fold, seed)
                    if model == "logistic" and seed:
                        continue  # nothing in it is random
                    if not Path(f"{options.out / jobs.stem(job)}.json").exists():
                        yield job


# ---- report ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Counts:
    """Of one fold: (blocks, 2, bins), how many downs and ups had which probability. All scores follow from sums."""

    table: NDArray[np.float64]
    half: int
    """The last bin whose probabilities say down."""

    @classmethod
    def of(cls, up: NDArray[np.floating], label: NDArray[np.int8], block: NDArray[np.int64]) -> Counts:
        known = label >= 0
        # Bins by rank: as fine where probabilities crowd. An edge at one half keeps the class that was said.
        edges = np.unique(np.append(np.quantile(up[known], np.linspace(0, 1, BINS)[1:-1]), 0.5))
        place = np.searchsorted(edges, up[known], side="left")
        table = np.zeros((int(block.max()) + 1, 2, BINS))
        np.add.at(table, (block[known], label[known].astype(int), place), 1)
        return cls(table, int(np.searchsorted(edges, 0.5, side="left")))

    def scores(self, weight: NDArray[np.floating]) -> tuple[NDArray[np.float64], ...]:
        """Rows, hits, and the area under the ROC curve, (draws,) each, with the blocks weighted (draws, blocks)."""
        total = (weight @ self.table.reshape(len(self.table), -1)).reshape(len(weight), 2, BINS)
        down, up = total[:, 0], total[:, 1]
        hits = down[:, : self.half + 1].sum(1) + up[:, self.half + 1 :].sum(1)
        below = np.cumsum(down, 1) - down / 2
        pairs = down.sum(1) * up.sum(1)
        area = np.divide((up * below).sum(1), pairs, out=np.full(len(weight), 0.5), where=pairs > 0)
        return down.sum(1) + up.sum(1), hits, area


def measured(folds: Sequence[Counts], draws: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Accuracy and AUC, (1,) of the tests as they were, or (draws,) of their blocks drawn again.

    The AUC is of each test, then their mean by rows: each has a model of its own, whose probabilities are no others'.
    Every model of a data set gets the same draws.
    """
    rng = np.random.default_rng(9)
    found = []
    for one in folds:
        n = len(one.table)
        weight = rng.multinomial(n, np.full(n, 1 / n), size=draws) if draws else np.ones((1, n))
        found.append(one.scores(weight.astype(np.float64)))
    rows, hits, area = (np.stack(part) for part in zip(*found, strict=True))
    return hits.sum(0) / rows.sum(0), (area * rows).sum(0) / rows.sum(0)


def floors_of(every: list[minutes.Fold], name: str, horizon: int) -> list[NDArray[np.float64]]:
    """Probability of up of the rows of each test."""
    out = []
    at = minutes.HORIZONS.index(horizon)
    for fold in every:
        label = np.concatenate([s.label[:, at] for s in fold.train])
        share = label[label >= 0].mean()
        parts = []
        for s in fold.test:
            last = np.zeros(len(s))
            last[horizon:] = np.sign(s.mid[horizon:] - s.mid[:-horizon])  # it goes on as over the last horizon
            parts.append(np.full(len(s), share) if name == "majority" else 0.5 + 0.01 * last)
        out.append(np.concatenate(parts))
    return out


def interval(values: NDArray[np.floating]) -> list[float]:
    return [round(float(v), 5) for v in np.quantile(values, [0.025, 0.975])]


def traded(
    every: list[minutes.Fold], ups: Sequence[NDArray[np.floating]], horizon: int, threshold: float
) -> dict[str, Any]:
    """One variant over all tests, the stake shared by the coins: bets held for the horizon, half of ``ROUND_TRIP`` a
    side. ``net`` (blocks,) is what each four hours made: returns nearer together than a horizon are not independent."""
    from smartcore.learn import evaluate

    net, gross, volume = [], 0.0, 0.0
    for fold, up in zip(every, ups, strict=True):
        first = fold.test[0].ts
        _, block = np.unique(first // BLOCK, return_inverse=True)
        made = np.zeros(int(block.max()) + 1)
        for s, p in zip(fold.test, np.split(up, len(fold.test)), strict=True):
            position = evaluate.positions(np.stack([1 - p, p], axis=1), threshold, horizon)
            account = evaluate.account(position, s.mid, 0.0, ROUND_TRIP / 2)
            np.add.at(made, block, account.net / len(fold.test))
            gross += float(account.gross.sum()) / len(fold.test)
            volume += float(account.traded.sum()) / len(fold.test)
        net.append(made)
    whole = np.concatenate(net)
    ratio = float(whole.mean() / whole.std(ddof=1)) if volume else 0.0
    return {
        "net": whole, "gross": gross, "total": float(whole.sum()), "sharpe": ratio,
        "sharpe_annual": ratio * float(np.sqrt(365.25 * 86400e9 / BLOCK)),
        "round_trips": volume / 2, "round_trip_bps": gross / volume * 2e4 if volume else None,
    }  # fmt: skip


def collect(out: Path, dataset: str) -> tuple[dict[str, list[list[NDArray[np.float64]]]], bool]:
    """{model: [[probabilities of up (rows, horizons) a test] a seed]}, and whether any was a quick run."""
    said: dict[str, list[list[NDArray[np.float64]]]] = {}
    parts: dict[tuple[str, int], dict[int, Path]] = {}
    quick = False
    for path in jobs.results(out):
        record = json.loads(path.read_text())
        if record["dataset"] != dataset:
            continue
        quick |= record["quick"]
        parts.setdefault((record["model"], record["seed"]), {})[record["fold"]] = path.with_suffix(".npz")
    for (model, seed), paths in parts.items():
        if set(paths) != set(range(TESTS)):
            print(f"{dataset} {model} {seed}: tests {sorted(paths)} only, left out", file=sys.stderr)
            continue
        said.setdefault(model, []).append([np.load(paths[i])["up"].astype(np.float64) + 0.5 for i in range(TESTS)])
    return {m: said[m] for m in (*MODELS, *sorted(set(said) - set(MODELS))) if m in said}, quick


def cell(every: list[minutes.Fold], runs: Sequence[Sequence[NDArray[np.floating]]], at: int) -> dict[str, Any]:
    """What a model scored at one horizon: ``runs`` are probabilities of up (rows,) of each test, of each seed."""
    scores, draws = [], []
    for run in runs:
        counts = []
        for fold, up in zip(every, run, strict=True):
            label = np.concatenate([s.label[:, at] for s in fold.test])
            _, block = np.unique(np.concatenate([s.ts for s in fold.test]) // BLOCK, return_inverse=True)
            counts.append(Counts.of(up, label, block))
        scores.append([float(v[0]) for v in measured(counts)])
        draws.append(measured(counts, DRAWS))
    pick = np.random.default_rng(4).integers(len(runs), size=(DRAWS, len(runs)))
    out: dict[str, Any] = {"seeds": len(runs)}
    for k, name in enumerate(("accuracy", "auc")):
        values = [s[k] for s in scores]
        sd = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        out[name] = [round(float(np.mean(values)), 5), round(sd, 5)]
        out[f"{name}_interval"] = interval(
            np.take_along_axis(np.stack([d[k] for d in draws], axis=1), pick, axis=1).mean(1)
        )
    return out


def report(rows: Path, out: Path, results: Path) -> None:
    from smartcore.learn import evaluate

    table: dict[str, Any] = {}
    trials: list[dict[str, Any]] = []
    any_quick = False
    for dataset in SOURCES:
        said, quick = collect(out, dataset)
        if not said:
            continue
        any_quick |= quick
        _, every = folds(str(rows), dataset)
        ts = np.concatenate([s.ts for fold in every for s in fold.test]).astype("datetime64[ns]")
        about = {
            "coins": list(SOURCES[dataset][1]), "bars": len(ts), "from": str(ts.min())[:16], "to": str(ts.max())[:16],
        }  # fmt: skip
        entry: dict[str, Any] = {"about": about, "horizons": {}}
        for i, horizon in enumerate(minutes.HORIZONS):
            moved = np.concatenate([minutes.moves(s.mid, horizon) for fold in every for s in fold.test])
            size = float(np.nanmean(np.abs(moved)))
            cells = {name: cell(every, [floors_of(every, name, horizon)], i) for name in FLOORS}
            for model, runs in said.items():
                ups = [[test[:, i] for test in run] for run in runs]
                cells[model] = cell(every, ups, i)
                for seed, run in enumerate(ups):
                    for threshold in THRESHOLDS:
                        variant = {"dataset": dataset, "model": model, "horizon": horizon, "seed": seed}
                        made = traded(every, run, horizon, threshold)
                        trials.append({**variant, "threshold": threshold, **made})
            entry["horizons"][str(horizon)] = {
                "models": cells, "mean_move_bps": round(size * 1e4, 3),
                "break_even_accuracy": round(evaluate.break_even_accuracy(size, ROUND_TRIP * 1e-4), 5),
            }  # fmt: skip
        table[dataset] = entry
    if not table:
        raise SystemExit(f"no finished model in {out}: run first")
    best = max(trials, key=lambda t: t["sharpe"])
    deflated = evaluate.deflated_sharpe(best["net"], np.array([t["sharpe"] for t in trials]))
    for t in trials:
        t.pop("net")
    result = {
        "quick": any_quick, "trained_on": jobs.machines(out), "datasets": table, "round_trip_bps": ROUND_TRIP,
        "trials": len(trials), "best": best, "deflated_sharpe": round(float(deflated), 6),
        "gains": sum(t["total"] > 0 for t in trials), "variants": trials,
    }  # fmt: skip
    jobs.publish(results, "minutes", result, text(result))


def text(result: Mapping[str, Any]) -> str:
    lines = [
        "# One-minute bars: up or down", "",
        "Made by `python bench/minutes.py`, which says how. Five tests walk forward; mean ± sd over seeds; 95 % "
        "intervals from blocks of four hours, all coins together, and from seeds. What the literature leads to expect "
        "is an accuracy of 50.5 to 52.5 % and an AUC of 0.51 to 0.535.", "",
        jobs.trained_on(result["trained_on"]), "",
    ]  # fmt: skip
    clear, cells = [], 0
    for dataset, entry in result["datasets"].items():
        about = entry["about"]
        lines += [
            f"## {dataset}: {', '.join(about['coins'])}", "",
            f"{about['bars']:,} bars in the tests, {about['from']} to {about['to']}.", "",
            "| bars ahead | | seeds | accuracy % | 95 % | AUC | 95 % |",
            "| ---: | --- | ---: | ---: | ---: | ---: | ---: |",
        ]  # fmt: skip
        needed = []
        for horizon, of in entry["horizons"].items():
            for model, c in of["models"].items():
                (right, sd), (low, high) = (100 * np.array(c[k]) for k in ("accuracy", "accuracy_interval"))
                (area, area_sd), (below, above) = c["auc"], c["auc_interval"]
                lines.append(
                    f"| {horizon} | {model} | {c['seeds']} | {right:.2f} ± {sd:.2f} | {low:.2f} to {high:.2f} | "
                    f"{area:.4f} ± {area_sd:.4f} | {below:.4f} to {above:.4f} |"
                )
                if model not in FLOORS:
                    cells += 1
                    clear += [right] * (below > 0.5)
            share = of["break_even_accuracy"]
            often = f"right {100 * share:.1f} % of the time" if share <= 1 else "never right often enough"
            needed.append(f"{horizon} min: moves of {of['mean_move_bps']:.1f} bp on average, {often}")
        lines += ["", f"To earn a round trip of {result['round_trip_bps']:g} bp: {'; '.join(needed)}.", ""]
    best = result["best"]
    survives = result["deflated_sharpe"] > 0.95 and best["total"] > 0
    span = f", with accuracies of {min(clear):.2f} to {max(clear):.2f} %" if clear else ""
    lines += [
        "## What was found", "",
        f"Of {cells} cells (data, horizon, model) {len(clear)} have an AUC whose interval lies above one half{span}. "
        f"At a round trip of {result['round_trip_bps']:g} basis points {result['gains']} of {result['trials']} "
        "variants (data, model, seed, horizon, threshold) end above zero. The best by Sharpe ratio is "
        f"{best['model']} on {best['dataset']}, {best['horizon']} bars, threshold {best['threshold']:g}: "
        f"{best['round_trips']:.0f} round trips of {best['round_trip_bps'] or 0:.2f} basis points before costs, "
        f"{100 * best['total']:+.2f} % of a constant stake after them, an annual Sharpe ratio of "
        f"{best['sharpe_annual']:+.2f}. The probability that its true Sharpe ratio is above what the best of "
        f"{result['trials']} trials shows by luck is {result['deflated_sharpe']:.3f}. "
        + ("Something may survive the cost." if survives else "**Nothing here is shown to survive the cost.**"), "",
        "| data | model | bars | gross bp a round trip, threshold 0 | after the cost |",
        "| --- | --- | ---: | ---: | ---: |",
    ]  # fmt: skip
    groups: dict[tuple[str, str, int], list[float]] = {}
    for t in result["variants"]:
        if t["threshold"] == 0 and t["round_trip_bps"] is not None:
            groups.setdefault((t["dataset"], t["model"], t["horizon"]), []).append(t["round_trip_bps"])
    for (dataset, model, horizon), values in groups.items():
        mean = float(np.mean(values))
        lines.append(f"| {dataset} | {model} | {horizon} | {mean:+.2f} | {mean - result['round_trip_bps']:+.2f} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    options = jobs.command(__doc__, "minutes")
    if options.stage == "prepare":
        prepare(options.out, options.quick)
        return 0
    if options.stage == "report":
        report(options.rows, options.out, options.results)
        return 0
    return jobs.run(work, list(todo(options)), options, {"rows": str(options.rows)})


if __name__ == "__main__":
    sys.exit(main())
