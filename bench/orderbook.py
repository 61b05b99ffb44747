"""Which way the mid goes: every net, tree and ensemble on recorded order books, beside what costs nothing to know.

    python bench/orderbook.py prepare   # needs the recordings and the compiled core; a minute
    python bench/orderbook.py run --jobs 8 --device cuda
    python bench/orderbook.py report   # bench/results/orderbook.{json,md}

``run`` needs neither recordings nor core: NumPy, numba, scikit-learn and torch will do, and a library of trees that is
missing is skipped. It goes on where it stopped: what is in ``--out`` is not done again. ``--quick`` shows that it runs.

A net is trained once a seed on all eight targets (two label rules over four horizons, ``learn/datasets/orderbook``), a
tree once a target on every fourth row. Each trains on the first 60 % of the time, stops and calibrates on the next
20 %, and is scored on the rest. Everything that is fitted is fitted on the first piece, the calibration on the second.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jobs
import numpy as np
from numpy.typing import NDArray

from smartcore.learn.data import Series
from smartcore.learn.datasets import orderbook as book

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("SMARTCORE_DATA", ROOT.parent / "shared" / "data"))

SOURCES = {
    "goog": "GOOG, NASDAQ, 2012-06-21, ten levels",
    "aapl": "AAPL, NASDAQ, 2012-06-21, level 1",
    "btc_usdm": "BTCUSDT perpetual, Binance USD-M, 2024-08-08, best quotes",
    "btc_coinm": "BTCUSD perpetual, Binance COIN-M, 2024-08-08, ten levels",
    "eth_coinm": "ETHUSD perpetual, Binance COIN-M, 2024-08-08, ten levels",
    "simulated": "the simulator's market",
    "random_walk": "a random walk: the control",
}
TARGETS = tuple(f"{rule}_{horizon}" for rule, horizon in book.TARGETS)
ANCHORED = [i for i, name in enumerate(TARGETS) if name.startswith("anchored")]
MEMBERS = ("gru", "bin_ctabl", "lightgbm")
"""Of every ensemble."""
QUICKER = {"random_forest": {"trees": 100}, "catboost": {"rounds": 100, "rate": 0.15}}
"""What trees are grown with where their own configuration takes minutes."""
FLOORS = ("majority", "persistence", "last move", "logistic, level 1")
UNIT = 50
"""Test rows of the smallest piece that the bootstrap moves about."""
BLOCK = 6
"""Mean length of a block, in units: 300 rows, three of the longest horizons."""
DRAWS = 2000
TRANSFORMERS = ("transformer", "enhanced_transformer", "financial_transformer", "streaming_transformer")
OLDER = ("cnn", "cnn_lstm", "gru", "gru_attention", "gru_fusion", "lstm", "lstm_attention", "lstm_residual", "tcn")
"""What the origin says transformers beat: LSTMs and CNNs, and what is like them."""


# ---- prepare -----------------------------------------------------------------------------------------


def prepare(out: Path, quick: bool) -> None:
    """Write an .npz a data set; ``quick`` makes the made-up ones alone, small."""
    out.mkdir(parents=True, exist_ok=True)
    lobster, binance = DATA / "lobster_2012", DATA / "binance_l2_2024"
    makers = {
        "simulated": lambda: book.simulated(4 if quick else 15),
        "random_walk": lambda: book.random_walk(10 if quick else 240),
        "goog": lambda: book.lobster(lobster / "GOOG_2012-06-21_level10.parquet"),
        "aapl": lambda: book.lobster(lobster / "AAPL_2012-06-21_level1.parquet"),
        "btc_usdm": lambda: book.binance(binance / "usdm_perp_btcusdt_2024-08-08.parquet", quotes=True),
        "btc_coinm": lambda: book.binance(binance / "coinm_perp_btcusd_perp_2024-08-08.parquet"),
        "eth_coinm": lambda: book.binance(binance / "coinm_perp_ethusd_perp_2024-08-08.parquet"),
    }
    total = 0
    for name, make in list(makers.items())[: 2 if quick else None]:
        try:
            recording = replace(make(), name=name)
        except FileNotFoundError as error:
            print(f"{name}: left out, {error}")
            continue
        path = out / f"{name}.npz"
        book.save(recording, path)
        total += path.stat().st_size
        size = path.stat().st_size / 1e6
        print(f"{name}: {len(recording):,} rows of {len(recording.columns)} columns, {size:.1f} MB")
    print(f"{total / 1e6:.1f} MB in {out}")


# ---- run ---------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=2)
def split(path: str) -> book.Split:
    return book.divide(book.load(path))


def family(model: str) -> str:
    if model in ("floors", "ensembles"):
        return model[:-1]
    from smartcore.learn import estimator

    return estimator.family(model)


def everything() -> list[str]:
    """All there is, the quick ones first."""
    from smartcore.learn import estimator, nets

    first, names = ("logistic", "bin_ctabl", "gru", "lightgbm"), estimator.names()
    single = [m for m in names if m not in first and family(m) != "ensemble"]
    rest = sorted(single, key=lambda m: (("net", "tree").index(family(m)), m))
    return ["floors", *(m for m in first if m in names), *rest, *nets.PRESETS, "ensembles"]


def thinned(series: Series, every: int) -> Series:
    return Series(series.ts[::every], series.rows[::every], series.mid[::every], series.label[::every])


def config_of(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """How a model is trained; its size is that of its own configuration."""
    if family(name) != "net":
        return dict(QUICKER.get(name, {}))
    from smartcore.learn.nets import kind
    from smartcore.learn.nets.base import WindowNet
    from smartcore.learn.train import Config

    batch = 256 if issubclass(kind(name)[0], WindowNet) else 64
    how = Config(
        rounds=options["rounds"], updates=options["updates"], patience=8, rate=1e-3, drop=0.1, batch=batch
    )  # fmt: skip
    return {"training": how, "device": options["device"]}


def fitted(job: tuple[str, str, int], data: book.Split, options: Mapping[str, Any]) -> dict[str, Any]:
    """Train, and score on the test piece: {"prob": {name: (n, targets, 3)}, and what is worth telling}."""
    from smartcore.learn import estimator

    _, name, seed = job
    if name == "floors":
        found = [book.floors(data, target) for target in range(len(TARGETS))]
        return {"prob": {floor: np.stack([one[floor] for one in found], axis=1) for floor in FLOORS}}
    if name == "ensembles":  # two kinds of net and one of tree, weighed in three ways
        from smartcore.learn import ensemble

        members = [{"name": member, **config_of(member, options)} for member in MEMBERS]
        given = {"classes": 3, "targets": len(TARGETS), "members": members, "folds": 2}
        pieces = [data.train], [data.valid]
        average = ensemble.build("average", data.columns, **given).fit(*pieces, seed)
        all_three = [average, *(average.another(kind, *pieces, folds=2) for kind in ("dynamic", "stacking"))]
        return {"prob": {model.name: estimator.probabilities(model, [data.test]) for model in all_three}}
    every = 4 if family(name) == "tree" else 1
    model = estimator.build(name, data.columns, classes=3, targets=len(TARGETS), **config_of(name, options))
    model.fit([thinned(data.train, every)], [thinned(data.valid, every)], seed)
    told: dict[str, Any] = {"prob": {name: estimator.probabilities(model, [data.test])}}
    if family(name) == "net":
        told.update(weights=int(model.weights), history=[[float(v) for v in row] for row in model.history])
    return told


def decided(model: str, prob: NDArray[np.floating], train: NDArray[np.int8]) -> NDArray[np.intp]:
    """Which class each row is said to be, (n, targets): the one that is most more probable than in training.

    Where nine rows of ten are flat, the most probable class is flat nearly always, and macro-F1 and MCC then say
    nothing of what the probabilities know. The floors that say one class for certain say that one.
    """
    if model in FLOORS and not model.startswith("logistic"):
        return prob.argmax(2)
    prior = np.stack([np.bincount(c[c >= 0], minlength=3) for c in train.T]) / (train >= 0).sum(0)[:, None]
    return (prob / np.maximum(prior, 1e-6)).argmax(2)


def judged(prob: NDArray[np.floating], said: NDArray[np.intp], label: NDArray[np.int8]) -> dict[str, dict[str, float]]:
    """Scores of every target: log-loss, Brier and ECE of the probabilities, the others of what was decided."""
    from smartcore.learn import evaluate

    out = {}
    for i, target in enumerate(TARGETS):
        one = label[:, i]
        likely = evaluate.scores(prob[:, i], one)
        out[target] = {
            **evaluate.scores(np.eye(3)[said[:, i]], one),
            **{name: likely[name] for name in ("brier", "log_loss", "ece")},
            "accuracy_of_the_likeliest": likely["accuracy"],
        }
    return out


def confusions(said: NDArray[np.intp], label: NDArray[np.int8]) -> NDArray[np.uint8]:
    """(units, targets, 3, 3) counts of (true, said) in each ``UNIT`` test rows: all that the bootstrap needs."""
    n, targets = said.shape
    units = -(-n // UNIT)
    out = np.zeros((units, targets, 3, 3), np.uint8)
    row, target = np.nonzero(label >= 0)
    np.add.at(out, (row // UNIT, target, label[row, target], said[row, target]), 1)
    return out


def task(job: jobs.Job, options: dict[str, Any]) -> str:
    """One job: writes its files, returns what to say of it."""
    dataset, name, seed = job
    begun = time.perf_counter()
    data = split(str(Path(options["rows"]) / f"{dataset}.npz"))
    told = fitted((dataset, name, seed), data, options)
    seconds = round(time.perf_counter() - begun, 2)
    folder, label = Path(options["out"]), data.test.label
    for model, prob in told.pop("prob").items():
        said = decided(model, prob, data.train.label)
        record = {
            "dataset": dataset, "model": model, "family": family(name), "seed": seed, "seconds": seconds,
            "quick": options["quick"], "test": judged(prob, said, label), **told,
        }  # fmt: skip
        path = folder / jobs.stem((dataset, model, seed))
        np.savez_compressed(f"{path}.npz", confusions=confusions(said, label))
        Path(f"{path}.json").write_text(json.dumps(record))
    if name in ("floors", "ensembles"):  # several files, of other names: this one says that they are done
        (folder / f"{jobs.stem(job)}.done").write_text("")
    return f"macro-F1 anchored {np.mean([record['test'][TARGETS[i]]['macro_f1'] for i in ANCHORED]):.3f}"


def work(arguments: tuple[jobs.Job, dict[str, Any]]) -> dict[str, Any]:
    return jobs.guarded(task, *arguments)


def todo(options: argparse.Namespace) -> Iterator[tuple[str, str, int]]:
    """Seed by seed, so that a run that is cut short has as many seeds of everything as there was time for."""
    models = everything() if options.models == ["all"] else options.models
    unwanted = set(options.without)
    folder = Path(options.out)
    present = [p.stem for p in sorted(Path(options.rows).glob("*.npz"))]
    names = [d for d in SOURCES if d in present] if options.datasets == ["all"] else options.datasets
    if missing := set(names) - set(present):
        raise SystemExit(f"no {', '.join(sorted(missing))} in {options.rows}: run prepare first")
    for seed in range(options.seeds):
        for model in models:
            if model in unwanted or (model in ("floors", "logistic") and seed):
                continue  # nothing in these is random
            for dataset in names:
                path = folder / jobs.stem((dataset, model, seed))
                if not any(Path(f"{path}{suffix}").exists() for suffix in (".json", ".done")):
                    yield dataset, model, seed


def run(options: argparse.Namespace) -> int:
    settings = {"rows": str(options.rows), "rounds": options.rounds, "updates": options.updates}
    return jobs.run(work, list(todo(options)), options, settings)


# ---- report ------------------------------------------------------------------------------------------


def scores_of(counts: NDArray[np.floating]) -> dict[str, NDArray[np.float64]]:
    """Scores of confusions (..., true, said)."""
    c = np.asarray(counts, np.float64)
    hit, true, said = np.diagonal(c, axis1=-2, axis2=-1), c.sum(-1), c.sum(-2)
    f1 = np.divide(2 * hit, true + said, out=np.zeros_like(hit), where=true + said > 0).mean(-1)
    n = c.sum((-1, -2))
    spread = (n * n - (said * said).sum(-1)) * (n * n - (true * true).sum(-1))
    product = hit.sum(-1) * n - (said * true).sum(-1)
    calls = said[..., 0] + said[..., 2]
    wins = hit[..., 0] + hit[..., 2]
    return {
        "macro_f1": f1,
        "accuracy": hit.sum(-1) / np.maximum(n, 1),
        "mcc": np.divide(product, np.sqrt(spread), out=np.zeros_like(n), where=spread > 0),
        "win_rate": np.divide(wins, calls, out=np.zeros_like(wins), where=calls > 0),
    }


def resampled(units: int) -> NDArray[np.float32]:
    """(``DRAWS``, units): how often each draw takes each unit, in blocks of ``BLOCK`` neighbours, round the end."""
    rng = np.random.default_rng(7)
    start = rng.integers(units, size=(DRAWS, -(-units // BLOCK)))
    taken = ((start[:, :, None] + np.arange(BLOCK)) % units).reshape(DRAWS, -1)[:, :units]
    out = np.zeros((DRAWS, units), np.float32)
    np.add.at(out, (np.arange(DRAWS)[:, None], taken), 1)
    return out


def drawn(units: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    """Draws (``DRAWS``, seeds, targets) of each score from confusions (seeds, units, targets, 3, 3): for all seeds, and
    for every model of a data set, the same blocks."""
    taken = resampled(units.shape[1])
    total = np.stack([taken @ one.reshape(len(one), -1).astype(np.float32) for one in units], axis=1)
    return scores_of(total.reshape(DRAWS, len(units), len(TARGETS), 3, 3))


def over_seeds(draws: NDArray[np.float64], stream: int) -> NDArray[np.float64]:
    """Mean over seeds that are drawn again too: (draws, seeds, targets) to (targets, draws)."""
    pick = np.random.default_rng([7, stream]).integers(draws.shape[1], size=draws.shape[:2])
    return np.take_along_axis(draws, pick[:, :, None], axis=1).mean(1).T


def interval(draws: NDArray[np.float64]) -> list[float]:
    return [round(float(v), 5) for v in np.quantile(draws, [0.025, 0.975])]


def collect(folder: Path) -> dict[str, dict[str, list[tuple[dict[str, Any], NDArray[np.uint8]]]]]:
    """{dataset: {model: [(record, confusions) a seed]}}."""
    found: dict[str, dict[str, list[tuple[dict[str, Any], NDArray[np.uint8]]]]] = {}
    for path in jobs.results(folder):
        record = json.loads(path.read_text())
        with np.load(path.with_suffix(".npz")) as file:
            found.setdefault(record["dataset"], {}).setdefault(record["model"], []).append((record, file["confusions"]))
    return {name: found[name] for name in SOURCES if name in found}


def compared(models: Mapping[str, Any], against: Sequence[str]) -> dict[str, Any]:
    """Per model: scores of each target as mean and sd over seeds, intervals, and differences to ``against``."""
    found = {name: drawn(np.stack([c for _, c in runs])) for name, runs in models.items()}
    draws = {name: scores["macro_f1"] for name, scores in found.items()}
    out: dict[str, Any] = {}
    for name, runs in models.items():
        records = [record for record, _ in runs]
        mean_of = over_seeds(draws[name], 1)
        entry: dict[str, Any] = {
            "family": records[0]["family"], "seeds": len(records), "weights": records[0].get("weights"),
            "seconds": round(float(np.mean([r["seconds"] for r in records])), 2), "targets": {},
            "win_rate": {
                t: round(float(np.mean([scores_of(c[:, i].sum(0, dtype=np.int64))["win_rate"] for _, c in runs])), 5)
                for i, t in enumerate(TARGETS)
            },
        }  # fmt: skip
        for i, target in enumerate(TARGETS):
            each = [r["test"][target] for r in records]
            entry["targets"][target] = {
                score: [
                    round(float(np.mean([e[score] for e in each])), 5),
                    round(float(np.std([e[score] for e in each], ddof=1)), 5) if len(each) > 1 else 0.0,
                ]
                for score in each[0]
            }
            entry["targets"][target]["macro_f1_interval"] = interval(mean_of[i])
        f1 = np.array([[r["test"][TARGETS[i]]["macro_f1"] for i in ANCHORED] for r in records])
        loss = np.array([np.mean([r["test"][TARGETS[i]]["log_loss"] for i in ANCHORED]) for r in records])
        entry["anchored"] = {
            "macro_f1": round(float(f1.mean()), 5), "interval": interval(mean_of[ANCHORED].mean(0)),
            "log_loss": [round(float(loss.mean()), 5), round(float(loss.std(ddof=1)), 5) if len(loss) > 1 else 0.0],
        }  # fmt: skip
        for rule in book.RULES:
            at = [i for i, t in enumerate(TARGETS) if t.startswith(rule)]
            mcc = np.mean([r["test"][TARGETS[i]]["mcc"] for i in at for r in records])
            entry[f"mcc_{rule}"] = [round(float(mcc), 5), *interval(over_seeds(found[name]["mcc"], 1)[at].mean(0))]
        for other in against:
            if other in models and other != name:
                less = mean_of - over_seeds(draws[other], 2)
                value = f1.mean() - np.mean(
                    [[r["test"][TARGETS[i]]["macro_f1"] for i in ANCHORED] for r, _ in models[other]]
                )
                entry[f"less_{other}"] = {
                    "anchored": [round(float(value), 5), *interval(less[ANCHORED].mean(0))],
                    **{t: interval(less[i]) for i, t in enumerate(TARGETS)},
                }
        out[name] = entry
    return out


def claims(results: Mapping[str, Any]) -> list[dict[str, str]]:
    """What the origin said, beside what is here."""
    real = {d: r for d, r in results.items() if d not in ("simulated", "random_walk")}
    told = []

    def best(models: Mapping[str, Any], names: Sequence[str], value: Any) -> tuple[str, float] | None:
        there = [(name, value(models[name])) for name in names if name in models]
        return max(there, key=lambda pair: pair[1]) if there else None

    def f1(m: Mapping[str, Any]) -> float:
        return float(m["anchored"]["macro_f1"])

    def wins(m: Mapping[str, Any]) -> float:
        return float(np.mean([m["win_rate"][TARGETS[i]] for i in ANCHORED]))

    def line(d: str, ours: tuple[str, float] | None, theirs: tuple[str, float] | None) -> list[str]:
        if not (ours and theirs):
            return []
        percent = 100 * (ours[1] / theirs[1] - 1)
        return [f"{d} {percent:+.1f} % ({ours[0]} {ours[1]:.3f}, {theirs[0]} {theirs[1]:.3f})"]

    lines = [x for d, m in real.items() for x in line(d, best(m, TRANSFORMERS, f1), best(m, OLDER, f1))]
    told.append({
        "claim": "a transformer is 20 to 30 % better than LSTM or CNN",
        "found": "macro-F1, anchored, best transformer against best recurrent or convolutional net, each picked on the "
        "test, which flatters both: "
        + "; ".join(lines or ["not run"]),
    })  # fmt: skip
    lines = []
    for d, models in real.items():
        joint = best(models, [m for m in models if models[m]["family"] == "ensemble"], wins)
        single = best(models, [m for m in models if models[m]["family"] in ("net", "tree")], wins)
        lines += line(d, joint, single)
    told.append({
        "claim": "an ensemble has a 40 to 60 % better win rate",
        "found": "share of up and down calls that came true, anchored, best ensemble against best single model, picked "
        "likewise: "
        + "; ".join(lines or ["not run"]),
    })  # fmt: skip
    above, cells, plain = 0, 0, 0
    for models in real.values():
        for t in TARGETS:
            floor = models.get("majority", {}).get("targets", {}).get(t, {}).get("accuracy", [0.0])[0]
            for m in models.values():
                if m["family"] != "floor":
                    cells += 1
                    accuracy = m["targets"][t]["accuracy"][0]
                    above += accuracy > 0.65
                    plain += accuracy > 0.65 and floor > 0.65
    told.append({
        "claim": "accuracy over 65 %",
        "found": f"three classes: {above} of {cells} cells (model, data, target) are over 65 %; in {plain} of these "
        "always answering the most frequent class is over 65 % too",
    })  # fmt: skip
    return told


def text(result: Mapping[str, Any]) -> str:
    """The Markdown of a result."""
    lines = [
        "# Order-book direction", "",
        "Made by `python bench/orderbook.py`, which says how, as does `learn/datasets/orderbook.py`. Three classes, "
        "about a third flat in training where the price moves enough; macro-F1 on the last fifth of each recording, "
        "mean ± sd over seeds; the class said is the one whose probability is most above its share in training. Where "
        "most rows are flat (the perpetuals) that rule says up and down too often, which macro-F1 and accuracy punish: "
        "there the log loss, which needs no rule and by which the rows are ordered, is what to read. "
        "`anchored` (a): the price after h book updates against the price now. `smoothed` (s): "
        "against the trailing mean, the rule of most papers, part of which is known beforehand: see the random walk. "
        f"Intervals are of 95 %, of blocks of {UNIT * BLOCK} rows and of seeds; a difference whose interval holds "
        "zero is none.", "",
        "One recording is one day or six minutes of one market. Nothing here says what another day would show, and "
        "nothing pays a spread.", "",
        jobs.trained_on(result["trained_on"]), "",
    ]  # fmt: skip
    short = [t.replace("anchored_", "a").replace("smoothed_", "s") for t in TARGETS]
    for d, models in result["datasets"].items():
        about = result["about"].get(d, {})
        lines += [f"## {d}: {SOURCES[d]}", ""]
        if about:
            flat = ", ".join(f"{s} {about['shares']['test'][t][1]:.2f}" for s, t in zip(short, TARGETS, strict=True))
            lines += [
                f"{about['columns']} columns; rows {about['rows']['train']:,} / {about['rows']['valid']:,} / "
                f"{about['rows']['test']:,}; flat in the test: {flat}.", "",
            ]  # fmt: skip
        lines += [
            "| | seeds | log loss, anchored | " + " | ".join(short)
            + " | anchored, mean | less bin_ctabl | less lightgbm |",
            "| --- | ---: |" + " ---: |" * (len(TARGETS) + 4),
        ]
        ranked = sorted(models, key=lambda m: (models[m]["family"] == "floor", models[m]["anchored"]["log_loss"][0]))
        for m in ranked:
            e = models[m]
            sd = e["seeds"] > 1
            loss, *f1 = (e["anchored"]["log_loss"], *(e["targets"][t]["macro_f1"] for t in TARGETS))
            cells = [f"{loss[0]:.4f} ± {loss[1]:.4f}" if sd else f"{loss[0]:.4f}"]
            cells += [f"{v[0]:.3f} ± {v[1]:.3f}" if sd else f"{v[0]:.3f}" for v in f1]
            low, high = e["anchored"]["interval"]
            cells.append(f"{e['anchored']['macro_f1']:.3f} [{low:.3f}, {high:.3f}]")
            for other in ("bin_ctabl", "lightgbm"):
                v = e.get(f"less_{other}", {}).get("anchored")
                cells.append(f"{v[0]:+.3f} [{v[1]:+.3f}, {v[2]:+.3f}]" if v else "")
            lines.append(f"| {m} | {e['seeds']} | " + " | ".join(cells) + " |")
        head = "anchored_20"
        scores = [s for s in ("accuracy", "balanced_accuracy", "weighted_f1", "mcc", "log_loss", "brier", "ece")
                  if s in next(iter(models.values()))["targets"][head]]  # fmt: skip
        lines += ["", f"Of `{head}`:", "", "| | " + " | ".join(s.replace("_", " ") for s in scores) + " | weights |",
                  "| --- |" + " ---: |" * (len(scores) + 1)]  # fmt: skip
        for m in ranked:
            e = models[m]
            cells = [f"{e['targets'][head][s][0]:.3f}" for s in scores]
            cells.append(f"{e['weights']:,}" if e["weights"] else "")
            lines.append(f"| {m} | " + " | ".join(cells) + " |")
        lines.append("")
    lines += ["## The control", "", result["control"], ""]
    lines += ["## Claims of the origin", "", "| claim | found |", "| --- | --- |"]
    lines += [f"| {c['claim']} | {c['found']} |" for c in result["claims"]]
    return "\n".join(lines) + "\n"


def control(models: Mapping[str, Any]) -> str:
    """What the random walk says of the method, in words."""
    learned = {m: e for m, e in models.items() if e["family"] != "floor"}
    if not learned:
        return "Not run."
    told = []
    for rule in book.RULES:
        mcc = {m: e[f"mcc_{rule}"] for m, e in learned.items()}
        away = [f"{m} {v:+.3f} [{low:+.3f}, {high:+.3f}]" for m, (v, low, high) in mcc.items() if low > 0 or high < 0]
        mean = np.mean([v[0] for v in mcc.values()])
        told.append(
            f"`{rule}`: MCC {mean:+.3f} on average over {len(mcc)} models and four horizons; the 95 % interval leaves "
            f"zero out for {len(away)}{': ' + ', '.join(away) if away else ''}."
        )
    floors = ", ".join(f"{m} {models[m]['mcc_smoothed'][0]:+.3f}" for m in ("persistence", "last move") if m in models)
    return (
        "On the random walk nothing can be known of what comes next: chance is an MCC of zero. " + " ".join(told)
        + f" What costs nothing to know has, smoothed, an MCC of {floors}."
    )


def report(out: Path, rows: Path | None, results: Path) -> None:
    found = collect(out)
    if not found:
        raise SystemExit(f"nothing in {out}: run first")
    quick = any(record["quick"] for models in found.values() for runs in models.values() for record, _ in runs)
    datasets = {d: compared(models, ("bin_ctabl", "lightgbm")) for d, models in found.items()}
    about = {}
    for d in datasets:
        if rows and (rows / f"{d}.npz").exists():
            about[d] = book.described(split(str(rows / f"{d}.npz")))
    result = {
        "quick": quick, "trained_on": jobs.machines(out), "about": about, "datasets": datasets,
        "claims": claims(datasets), "control": control(datasets.get("random_walk", {})),
        "unit": UNIT, "block": BLOCK, "draws": DRAWS,
    }  # fmt: skip
    jobs.publish(results, "orderbook", result, text(result), indent=None)


def main() -> int:
    def more(stage: argparse.ArgumentParser) -> None:
        stage.add_argument("--rounds", type=int, default=40)
        stage.add_argument("--updates", type=int, default=10)

    options = jobs.command(__doc__, "orderbook", more=more)
    if options.stage == "prepare":
        prepare(options.out, options.quick)
        return 0
    if options.stage == "report":
        report(options.out, options.rows, options.results)
        return 0
    if options.quick:
        options.rounds, options.updates = 2, 3
    return run(options)


if __name__ == "__main__":
    sys.exit(main())
