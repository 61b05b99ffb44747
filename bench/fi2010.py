"""FI-2010, for who has the files: any net or tree on setup 1 or 2, in the form of the published tables.

    python bench/fi2010.py run --data FOLDER --out out/fi2010 --models bin_ctabl mixer gru --seeds 5 --device cuda
    python bench/fi2010.py report --out out/fi2010   # bench/results/fi2010.{json,md}

FOLDER holds the text files as their authors published them, at any depth. All five horizons are learned at once. The
last fifth of the training days, by time, says when to stop and calibrates. ``--clean`` leaves out windows that show two
stocks or two days; the published numbers have them in. Macro-F1 and weighted F1 are both printed, for papers differ in
which they mean: about ten points at ten events.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jobs
import numpy as np

from smartcore.learn.datasets import fi2010

ROOT = Path(__file__).resolve().parent.parent
MODELS = ("bin_ctabl", "gru", "mixer", "lightgbm")

LOBCAST = {
    "bin_ctabl": (81.1, 71.5, 80.8, 87.7, 92.1),
    "deeplob": (71.1, 62.4, 70.8, 75.4, 77.6),
    "lstm": (66.5, 58.8, 65.3, 66.9, 59.4),
    "mlp": (48.2, 44.0, 47.2, 49.0, 51.6),
}
"""Macro-F1 %, setup 2, ``HORIZONS``, five seeds, as an independent study measured it (Prata et al. 2024, LOBCAST)."""


@functools.lru_cache(maxsize=1)
def folds(folder: str, setup: int, normalisation: str, features: int, clean: bool, only: int) -> list[fi2010.Fold]:
    chosen = (only,) if setup == 1 else tuple(range(1, 10))
    return fi2010.load(folder, setup, normalisation, features=features, clean=clean, folds=chosen)  # type: ignore[arg-type]


def task(job: jobs.Job, options: dict[str, Any]) -> str:
    from smartcore.learn import estimator, evaluate

    name, fold, seed = job
    (data,) = folds(*options["files"], fold)
    train, valid = fi2010.hold_out(data.train)
    columns = [*fi2010.BOOK, *(f"feature_{i}" for i in range(len(fi2010.BOOK), train[0].rows.shape[1]))]
    config: dict[str, Any] = {}
    if estimator.family(name) == "net":
        from smartcore.learn import nets
        from smartcore.learn.nets.base import WindowNet
        from smartcore.learn.train import Config

        batch = 256 if issubclass(nets.kind(name)[0], WindowNet) else 64
        rounds, updates = (1, 2) if options["quick"] else (40, 100)
        config["training"] = Config(rounds=rounds, updates=updates, patience=8, batch=batch)
        config["device"] = options["device"]
    model = estimator.build(name, columns, classes=3, targets=len(fi2010.HORIZONS), **config)
    model.fit(train, valid, seed)
    prob = estimator.probabilities(model, data.test)
    label = np.concatenate([s.label for s in data.test])
    scores = {h: evaluate.scores(prob[:, i], label[:, i]) for i, h in enumerate(fi2010.HORIZONS)}
    common = {h: np.bincount(label[:, i], minlength=3).max() / len(label) for i, h in enumerate(fi2010.HORIZONS)}
    record = {
        "model": name, "fold": fold, "seed": seed, "scores": scores, "majority": common, "quick": options["quick"],
        "files": options["files"][1:],
    }  # fmt: skip
    Path(f"{Path(options['out']) / jobs.stem(job)}.json").write_text(json.dumps(record))
    return "macro-F1 " + " ".join(f"{100 * s['macro_f1']:.1f}" for s in scores.values())


def work(arguments: tuple[jobs.Job, dict[str, Any]]) -> dict[str, Any]:
    return jobs.guarded(task, *arguments)


def todo(options: argparse.Namespace) -> Iterator[jobs.Job]:
    models = [m for m in (MODELS if options.models == ["all"] else options.models) if m not in options.without]
    for seed in range(options.seeds):
        for fold in range(1, 10) if options.setup == 1 else (0,):
            for model in models:
                if not Path(f"{options.out / jobs.stem((model, fold, seed))}.json").exists():
                    yield model, fold, seed


def values(record: Mapping[str, Any], score: str) -> list[float]:
    """Of each horizon."""
    return [record["scores"][str(h)][score] for h in fi2010.HORIZONS]


def report(out: Path, results: Path) -> None:
    records = [json.loads(path.read_text()) for path in jobs.results(out)]
    if not records:
        raise SystemExit(f"nothing in {out}: run first")
    if len({json.dumps(r["files"]) for r in records}) > 1:
        raise SystemExit(f"{out} holds runs of several setups: {sorted({json.dumps(r['files']) for r in records})}")
    setup, normalisation, features, clean = records[0]["files"]
    table: dict[str, Any] = {}
    for model in sorted({r["model"] for r in records}):
        mine = [r for r in records if r["model"] == model]
        seeds = sorted({r["seed"] for r in mine})
        table[model] = {"seeds": len(seeds), "folds": len({r["fold"] for r in mine})}
        for score in mine[0]["scores"]["10"]:
            # Of each seed the mean over folds, then mean and sd over seeds.
            each = np.array([np.mean([values(r, score) for r in mine if r["seed"] == s], axis=0) for s in seeds])
            sd = each.std(0, ddof=1) if len(seeds) > 1 else np.zeros(each.shape[1])
            pairs = zip(each.mean(0), sd, strict=True)
            table[model][score] = [[round(float(m), 5), round(float(d), 5)] for m, d in pairs]
    quick = any(r["quick"] for r in records)
    result = {
        "quick": quick, "setup": setup, "normalisation": normalisation, "features": features, "clean": clean,
        "trained_on": jobs.machines(out), "majority": records[0]["majority"], "models": table, "lobcast": LOBCAST,
    }  # fmt: skip
    jobs.publish(results, "fi2010", result, text(result))


def text(result: Mapping[str, Any]) -> str:
    clean = "within one stock and day" if result["clean"] else "as published, over borders of stocks and days"
    lines = [
        "# FI-2010", "",
        f"Setup {result['setup']}, {result['normalisation']}, {result['features']} features, windows {clean}. "
        "Per cent, mean ± sd over seeds. Rows in italics are others' measurements of setup 2.", "",
        jobs.trained_on(result["trained_on"]), "",
    ]  # fmt: skip
    head = "| | " + " | ".join(f"k = {h}" for h in fi2010.HORIZONS) + " |"
    for score in ("macro_f1", "weighted_f1", "accuracy", "mcc"):
        if score not in next(iter(result["models"].values())):
            continue
        lines += [f"**{score.replace('_', ' ')}**", "", head, "| --- |" + " ---: |" * len(fi2010.HORIZONS)]
        if score == "accuracy":
            cells = " | ".join(f"{100 * v:.1f}" for v in result["majority"].values())
            lines.append(f"| always the most frequent | {cells} |")
        for model, e in result["models"].items():
            cells = " | ".join(f"{100 * m:.1f} ± {100 * d:.1f}" for m, d in e[score])
            lines.append(f"| {model} ({e['seeds']} seeds, {e['folds']} folds) | {cells} |")
        if score == "macro_f1" and result["setup"] == 2:
            for model, values in result["lobcast"].items():
                lines.append(f"| *{model}, LOBCAST* | " + " | ".join(f"{v:.1f}" for v in values) + " |")
        lines.append("")
    return "\n".join(lines)


def main() -> int:
    def more(stage: argparse.ArgumentParser) -> None:
        stage.add_argument("--data", type=Path, required=True, help="folder of the published files")
        stage.add_argument("--setup", type=int, choices=(1, 2), default=2)
        stage.add_argument("--normalisation", choices=("ZScore", "MinMax", "DecPre"), default="ZScore")
        stage.add_argument("--features", type=int, default=fi2010.LEVELS, help="the first so many of 144")
        stage.add_argument("--clean", action="store_true", help="no window over a border of stocks or days")

    options = jobs.command(__doc__, "fi2010", rows=False, more=more)
    if options.stage == "report":
        report(options.out, options.results)
        return 0
    files = (str(options.data), options.setup, options.normalisation, options.features, options.clean)
    return jobs.run(work, list(todo(options)), options, {"files": files})


if __name__ == "__main__":
    sys.exit(main())
