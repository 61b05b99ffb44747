"""Which model ships: every net and tree on the simulated market of the shipped files, by the recipe of ``export/``.

    python bench/shipped.py prepare   # needs the compiled core; two minutes
    python bench/shipped.py run --jobs 8 --device cuda
    python bench/shipped.py report   # bench/results/shipped.{json,md}

The market is simulated, so the table says which net learns *this* task best and nothing about money. What ships is the
streaming net, and the trees, of the least mean validation loss; test scores are printed beside it and decide nothing. A
windowed net computes its whole window anew at every tick: the best of them is better by 0.003 in validation and 0.006
in the test's log loss, by nothing in macro-F1, and takes seven times as long a step, which that is not worth. The
control is the same recipe on a random walk.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jobs
import numpy as np

from smartcore.learn.data import Series

ROOT = Path(__file__).resolve().parent.parent
MARKETS = {"simulated": False, "random_walk": True}
PIECES = ("train", "valid", "test")


def prepare(out: Path, quick: bool) -> None:
    """An .npz a market: training recordings with their mirror images, validation, test."""
    from smartcore.learn import simulated

    out.mkdir(parents=True, exist_ok=True)
    for name, control in MARKETS.items():
        data = simulated.make(simulated.QUICK if quick else simulated.Config(), control=control)
        pieces = {"train": data.train + simulated.mirror(data.train), "valid": data.valid, "test": data.test}
        arrays: dict[str, Any] = {"columns": np.array(simulated.COLUMNS)}
        for piece, series in pieces.items():
            for field in ("ts", "rows", "mid", "label"):
                arrays[f"{piece}_{field}"] = np.concatenate([getattr(s, field) for s in series])
            arrays[f"{piece}_count"] = np.array([len(s) for s in series])
        path = out / f"{name}.npz"
        np.savez_compressed(path, **arrays)
        print(f"{name}: {sum(arrays[f'{p}_count'].sum() for p in PIECES):,} rows, {path.stat().st_size / 1e6:.1f} MB")


@functools.lru_cache(maxsize=2)
def market(path: str) -> tuple[tuple[str, ...], dict[str, list[Series]]]:
    """Columns, and the recordings of each piece."""
    with np.load(path) as file:
        pieces = {}
        for piece in PIECES:
            ends = np.cumsum(file[f"{piece}_count"])[:-1]
            parts = (np.split(file[f"{piece}_{field}"], ends) for field in ("ts", "rows", "mid", "label"))
            pieces[piece] = [Series(*one) for one in zip(*parts, strict=True)]
        return tuple(file["columns"].tolist()), pieces


def task(job: jobs.Job, options: dict[str, Any]) -> str:
    """One training: writes its scores, returns what to say of it."""
    from smartcore.learn import estimator, evaluate

    name, model, seed = job
    begun = time.perf_counter()
    columns, pieces = market(str(Path(options["rows"]) / f"{name}.npz"))
    family = estimator.family(model)
    config: dict[str, Any] = {}
    if family == "net":
        from smartcore.learn.nets import kind
        from smartcore.learn.nets.base import WindowNet

        config = {"rounds": options["rounds"], "patience": 8, "device": options["device"]}
        if issubclass(kind(model)[0], WindowNet):
            config["batch"] = 256
    made: Any = estimator.build(model, columns, **config)
    made.fit(pieces["train"], pieces["valid"], seed)
    found = {}
    for piece in ("valid", "test"):
        prob = estimator.probabilities(made, pieces[piece])[:, 0]
        found[piece] = evaluate.scores(prob, np.concatenate([s.label[:, 0] for s in pieces[piece]]))
    record = {
        "market": name, "model": model, "family": family, "seed": seed, **found,
        "weights": getattr(made, "weights", None) if family == "net" else None,
        "seconds": round(time.perf_counter() - begun, 2), "quick": options["quick"],
    }  # fmt: skip
    Path(options["out"], f"{jobs.stem(job)}.json").write_text(json.dumps(record))
    return f"validation loss {found['valid']['log_loss']:.4f}, test macro-F1 {found['test']['macro_f1']:.3f}"


def work(arguments: tuple[jobs.Job, dict[str, Any]]) -> dict[str, Any]:
    return jobs.guarded(task, *arguments)


def todo(options: argparse.Namespace) -> Iterator[jobs.Job]:
    """The market before the walk, seed by seed; of the walk two seeds will do."""
    from smartcore.learn import estimator

    families = ("linear", "net", "tree")
    models = [m for m in estimator.names() if estimator.family(m) in families]
    models = models if options.models == ["all"] else options.models
    for name in MARKETS if options.datasets == ["all"] else options.datasets:
        for seed in range(min(options.seeds, 2) if MARKETS[name] else options.seeds):
            for model in models:
                job = (name, model, seed)
                if model not in options.without and not Path(options.out, f"{jobs.stem(job)}.json").exists():
                    yield job


def report(out: Path, results: Path) -> None:
    """The table, best validation loss first."""
    from smartcore.learn import evaluate

    records = [json.loads(p.read_text()) for p in jobs.results(out)]
    if not records:
        raise SystemExit(f"nothing in {out}: run first")
    tables: dict[str, dict[str, Any]] = {}
    for name in MARKETS:
        rows = {}
        for model in {r["model"] for r in records if r["market"] == name}:
            runs = [r for r in records if r["market"] == name and r["model"] == model]
            rows[model] = {
                "family": runs[0]["family"], "seeds": len(runs), "weights": runs[0]["weights"],
                "seconds": round(float(np.mean([r["seconds"] for r in runs])), 1),
                **{piece: evaluate.spread(r[piece] for r in runs) for piece in ("valid", "test")},
            }  # fmt: skip
        tables[name] = dict(sorted(rows.items(), key=lambda pair: pair[1]["valid"]["log_loss"][0]))
    quick = any(r["quick"] for r in records)
    result = {"quick": quick, "trained_on": jobs.machines(out), "markets": tables}
    lines = ["# Which model ships", "", (__doc__ or "").split("\n\n")[2].replace("\n", " "), ""]
    lines += [jobs.trained_on(result["trained_on"]), ""]
    for name, rows in tables.items():
        shown = ("macro_f1", "accuracy", "mcc", "log_loss", "ece")
        lines += [
            f"## {name}", "",
            "| | seeds | weights | validation log loss | " + " | ".join(f"test {s.replace('_', ' ')}" for s in shown)
            + " |", "| --- |" + " ---: |" * (len(shown) + 3),
        ]  # fmt: skip
        for model, row in rows.items():
            cells = [f"{m:.4f} ± {s:.4f}" for m, s in [row["valid"]["log_loss"]]]
            cells += [f"{m:.3f} ± {s:.3f}" for m, s in (row["test"][k] for k in shown)]
            weights = f"{row['weights']:,}" if row["weights"] else ""
            lines.append(f"| {model} | {row['seeds']} | {weights} | " + " | ".join(cells) + " |")
        lines.append("")
    jobs.publish(results, "shipped", result, "\n".join(lines))


def main() -> int:
    options = jobs.command(
        __doc__, "shipped", more=lambda stage: stage.add_argument("--rounds", type=int, default=40)
    )  # fmt: skip
    if options.stage == "prepare":
        prepare(options.out, options.quick)
        return 0
    if options.stage == "report":
        report(options.out, options.results)
        return 0
    if options.quick:
        options.rounds = 1
    settings = {"rows": str(options.rows), "rounds": options.rounds}
    return jobs.run(work, list(todo(options)), options, settings)


if __name__ == "__main__":
    sys.exit(main())
