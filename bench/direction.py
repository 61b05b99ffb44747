"""Daily up or down on the published benchmarks ACL18 and KDD17, by their protocol, beside what was published.

    python bench/direction.py prepare   # the recorded tables as .npz
    python bench/direction.py run --jobs 2
    python bench/direction.py report   # bench/results/direction.{json,md}

The label of day i from the five days before it, up or down of days that moved enough (``learn/datasets/direction``).
Nets see exactly five days: those that stream begin each instance from zeros, as the published LSTM did. Of each model a
few configurations are trained, each with every seed; the one with the least mean validation loss is reported, all its
seeds. ``run`` needs NumPy, torch and scikit-learn, and skips a library of trees that is missing.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jobs
import numpy as np
from numpy.typing import NDArray

from smartcore.learn.data import Series, normal_scores
from smartcore.learn.datasets import direction

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("SMARTCORE_DATA", ROOT.parent / "shared" / "data"))

PUBLISHED = {
    "acl18": {"quoted": (0.5720, 0.148), "logs": (0.537, 0.094)},
    "kdd17": {"quoted": (0.5305, 0.052), "logs": (0.529, 0.045)},
}
"""Accuracy and MCC of the attentive LSTM with adversarial training (Feng et al. 2019), as their paper says, and as the
training logs in their repository end."""

RECURRENT = ({"hidden": 16}, {"hidden": 16, "dropout": 0.4}, {"hidden": 32}, {"hidden": 32, "dropout": 0.4})
CONFIGS: dict[str, Sequence[dict[str, Any]]] = {
    "majority": ({},),
    "last return": ({},),
    "logistic": ({"c": 1e-4}, {"c": 1e-3}, {"c": 1e-2}, {"c": 1.0}),
    "lstm": RECURRENT,
    "gru": tuple({**c, "encoder": 16} for c in RECURRENT),
    "lstm_attention": tuple({**c, "attention": 16} for c in RECURRENT),
    "gru_attention": tuple({**c, "encoder": 16, "heads": 2, "window": 5} for c in RECURRENT),
    "transformer": tuple(
        {"d_model": d, "heads": 2, "layers": 1, "patch": 1, "dropout": p} for d in (16, 32) for p in (0.1, 0.3)
    ),
    "lightgbm": tuple({"rounds": 200, "rate": 0.03, "leaves": n, "least": m} for n in (4, 8, 16) for m in (100, 400)),
    "xgboost": tuple({"rounds": 200, "rate": 0.03, "depth": d, "least": m} for d in (2, 3, 4) for m in (25, 100)),
    "catboost": tuple({"rounds": 200, "rate": 0.03, "depth": d} for d in (2, 3, 4)),
    "random_forest": tuple({"trees": 100, "depth": d, "least": m} for d in (4, 8) for m in (50, 200)),
}
FAMILY = {
    **dict.fromkeys(("majority", "last return", "logistic"), "floor"),
    **dict.fromkeys(("lightgbm", "xgboost", "catboost", "random_forest"), "tree"),
}
TREES = tuple(name for name, kind in FAMILY.items() if kind == "tree")
DRAWS, BLOCK = 2000, 5
"""Of the bootstrap, and the days of a block: all instances of a day, and of the days beside it, go together."""


# ---- prepare -----------------------------------------------------------------------------------------


def prepare(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name in direction.COUNTS:
        table = direction.read(DATA / "direction_bench" / f"{name}_features.parquet")
        np.savez_compressed(out / f"{name}.npz", **table)
        print(f"{name}: {(out / f'{name}.npz').stat().st_size / 1e6:.1f} MB")


# ---- run ---------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=2)
def benchmark(path: str, days: int) -> direction.Direction:
    with np.load(path) as file:
        return direction.checked(direction.instances(Path(path).stem, **file, days=days))


def flat(part: direction.Instances) -> Series:
    """Instances as rows of all their days' features, for what has no sense of time."""
    n = len(part)
    return Series(part.day, part.x.reshape(n, -1), np.full(n, np.nan), part.y[:, None])


def net_of(name: str, data: direction.Direction, config: Mapping[str, Any]) -> Any:
    """A net that looks at windows of the days and nothing else."""
    from torch import Tensor

    from smartcore.learn import nets
    from smartcore.learn.nets.base import StreamingNet, WindowNet

    class Restarted(WindowNet):
        """A net that streams, from zeros at each instance's first day."""

        def __init__(self, net: Any, knots: NDArray[np.floating]) -> None:
            super().__init__(net.config, knots)
            self.net = net

        @property
        def window(self) -> int:
            return data.days

        def look(self, x: Tensor) -> Tensor:
            return self.net.scan(x)[0][:, -1]

    knots = normal_scores(data.train.series)
    if issubclass(nets.kind(name)[0], WindowNet):
        config = {**config, "window": data.days}
    net = nets.build(name, knots, targets=1, classes=2, **config)
    return Restarted(net, knots) if isinstance(net, StreamingNet) else net


def trained(name: str, config: dict[str, Any], data: direction.Direction, seed: int, options: Mapping[str, Any]) -> Any:
    """Probability of up (n,) for the validation and the test instances."""
    valid, test = data.valid, data.test
    if name == "majority":
        share = data.train.y.mean()
        return np.full(len(valid), share), np.full(len(test), share)
    if name == "last return":  # as sure of it as the training days were right
        sign = data.train.last_return > 0
        right = float(np.mean(sign == data.train.y))
        return tuple(np.where(part.last_return > 0, right, 1 - right) for part in (valid, test))
    if name == "logistic":
        from sklearn.linear_model import LogisticRegression

        x = [flat(part).rows.astype(np.float64) for part in (data.train, valid, test)]
        middle, width = x[0].mean(0), x[0].std(0)
        x = [np.clip((part - middle) / width, -5, 5) for part in x]
        fit = LogisticRegression(C=config["c"], max_iter=500).fit(x[0], data.train.y)
        return fit.predict_proba(x[1])[:, 1], fit.predict_proba(x[2])[:, 1]
    if name in TREES:
        from smartcore.learn import estimator

        columns = [f"{f}_{age}" for age in range(data.days, 0, -1) for f in direction.FEATURES]
        if options["quick"]:
            config = {**config, "trees" if name == "random_forest" else "rounds": 5}
        model = estimator.build(name, columns, classes=2, targets=1, **config)
        model.fit([flat(data.train)], [flat(valid)], seed)
        return tuple(estimator.probabilities(model, [flat(part)])[:, 0, 1] for part in (valid, test))

    import torch

    from smartcore.learn import train
    from smartcore.learn.calibrate import fit as calibrate

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    net = net_of(name, data, config)
    rounds, updates = (2, 2) if options["quick"] else (25, 20)
    how = train.Config(rounds=rounds, updates=updates, patience=6, batch=1024, rate=2e-3, drop=0.0)
    train.fit(net, data.train.series, valid.series, how, seed, device=options["device"])
    out = []
    for part in (valid, test):
        logits, label = train.predict(net, part.series, device=options["device"])
        out.append(logits[label[:, 0] >= 0, 0])
    calibration = calibrate("temperature", out[0], valid.y)
    return tuple(calibration.prob(logits)[:, 1] for logits in out)


def log_loss(up: NDArray[np.floating], y: NDArray[np.integer]) -> float:
    p = np.clip(np.where(y == 1, up, 1 - up), 1e-9, 1)
    return float(-np.log(p).mean())


def task(job: jobs.Job, options: dict[str, Any]) -> str:
    dataset, name, at, seed = job
    data = benchmark(str(Path(options["rows"]) / f"{dataset}.npz"), options["days"])
    config = dict(CONFIGS[name][at])
    valid, test = trained(name, config, data, seed, options)
    record = {
        "dataset": dataset, "model": name, "config": config, "at": at, "seed": seed, "quick": options["quick"],
        "days": options["days"], "valid_log_loss": log_loss(valid, data.valid.y),
        "valid_accuracy": float(np.mean((valid > 0.5) == data.valid.y)),
    }  # fmt: skip
    path = Path(options["out"]) / jobs.stem(job)
    np.savez_compressed(f"{path}.npz", up=test.astype(np.float32), y=data.test.y, day=data.test.day)
    Path(f"{path}.json").write_text(json.dumps(record))
    accuracy = np.mean((test > 0.5) == data.test.y)
    return f"validation log-loss {record['valid_log_loss']:.4f}, test accuracy {accuracy:.4f}"


def work(arguments: tuple[jobs.Job, dict[str, Any]]) -> dict[str, Any]:
    return jobs.guarded(task, *arguments)


def todo(options: argparse.Namespace) -> Iterator[tuple[str, str, int, int]]:
    from smartcore.learn import estimator

    there = estimator.names()
    models = [m for m in CONFIGS if m not in TREES or m in there] if options.models == ["all"] else options.models
    datasets = list(direction.COUNTS) if options.datasets == ["all"] else options.datasets
    for name in datasets:
        if not (options.rows / f"{name}.npz").exists():
            raise SystemExit(f"no {name}.npz in {options.rows}: run prepare first")
    for seed in range(options.seeds):
        for model in models:
            if model in options.without or (seed and FAMILY.get(model) == "floor"):
                continue
            for at in range(1 if options.quick else len(CONFIGS[model])):
                for dataset in datasets:
                    if not Path(f"{options.out / jobs.stem((dataset, model, at, seed))}.json").exists():
                        yield dataset, model, at, seed


def run(options: argparse.Namespace) -> int:
    return jobs.run(work, list(todo(options)), options, {"rows": str(options.rows), "days": options.days})


# ---- report ------------------------------------------------------------------------------------------


def mcc(counts: NDArray[np.floating]) -> NDArray[np.float64]:
    """Of (..., 4) counts: true up, false up, false down, true down."""
    tp, fp, fn, tn = np.moveaxis(np.asarray(counts, np.float64), -1, 0)
    under = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    return np.divide(tp * tn - fp * fn, under, out=np.zeros_like(under), where=under > 0)


def by_day(up: NDArray[np.floating], y: NDArray[np.integer], day: NDArray[np.integer]) -> NDArray[np.float64]:
    """(days, 4) counts: true up, false up, false down, true down."""
    said = up > 0.5
    cell = np.where(said, np.where(y == 1, 0, 1), np.where(y == 1, 2, 3))
    days, which = np.unique(day, return_inverse=True)
    out = np.zeros((len(days), 4))
    np.add.at(out, (which, cell), 1)
    return out


def intervals(counts: NDArray[np.floating]) -> tuple[list[float], list[float]]:
    """95 % of accuracy and MCC, mean over seeds, of (seeds, days, 4) counts: blocks of days, and seeds, drawn again."""
    rng = np.random.default_rng(5)
    seeds, days, _ = counts.shape
    start = rng.integers(days, size=(DRAWS, -(-days // BLOCK)))
    taken = ((start[:, :, None] + np.arange(BLOCK)) % days).reshape(DRAWS, -1)[:, :days]
    weight = np.zeros((DRAWS, days))
    np.add.at(weight, (np.arange(DRAWS)[:, None], taken), 1)
    total = np.einsum("dt,stc->dsc", weight, counts)
    pick = rng.integers(seeds, size=(DRAWS, seeds))[:, :, None]
    out = []
    for score in ((total[..., 0] + total[..., 3]) / total.sum(-1), mcc(total)):
        mean = np.take_along_axis(score[..., None], pick, axis=1).mean((1, 2))
        out.append([round(float(v), 4) for v in np.quantile(mean, [0.025, 0.975])])
    return out[0], out[1]


def report(out: Path, results: Path) -> None:
    runs: dict[tuple[str, str, int], list[tuple[dict[str, Any], dict[str, NDArray]]]] = {}
    for path in jobs.results(out):
        record = json.loads(path.read_text())
        with np.load(path.with_suffix(".npz")) as file:
            runs.setdefault((record["dataset"], record["model"], record["at"]), []).append((record, dict(file)))
    if not runs:
        raise SystemExit(f"nothing in {out}: run first")
    quick = any(record["quick"] for one in runs.values() for record, _ in one)
    datasets: dict[str, Any] = {}
    for dataset in direction.COUNTS:
        for model in CONFIGS:
            there = {at: one for (d, m, at), one in runs.items() if (d, m) == (dataset, model)}
            if not there:
                continue
            at = min(there, key=lambda a: np.mean([record["valid_log_loss"] for record, _ in there[a]]))
            counts = np.stack([by_day(file["up"], file["y"], file["day"]) for _, file in there[at]])
            total = counts.sum(1)
            accuracy, matthews = (total[:, 0] + total[:, 3]) / total.sum(1), mcc(total)
            loss = [log_loss(file["up"], file["y"]) for _, file in there[at]]
            spans = intervals(counts)
            datasets.setdefault(dataset, {})[model] = {
                "config": there[at][0][0]["config"], "tried": len(there), "seeds": len(counts),
                "days": there[at][0][0]["days"],
                "accuracy": _mean(accuracy), "accuracy_interval": spans[0], "mcc": _mean(matthews),
                "mcc_interval": spans[1], "log_loss": _mean(loss),
                "valid_log_loss": _mean([record["valid_log_loss"] for record, _ in there[at]]),
                "up_share_said": round(float((total[:, 0] + total[:, 1]).sum() / total.sum()), 4),
            }  # fmt: skip
    result = {
        "quick": quick, "trained_on": jobs.machines(out), "datasets": datasets, "published": PUBLISHED,
        "draws": DRAWS, "block_days": BLOCK,
    }  # fmt: skip
    jobs.publish(results, "direction", result, text(result))


def _mean(values: Any) -> list[float]:
    """Mean and sd over seeds."""
    return [round(float(np.mean(values)), 5), round(float(np.std(values, ddof=1)), 5) if len(values) > 1 else 0.0]


def text(result: Mapping[str, Any]) -> str:
    days = sorted({e["days"] for models in result["datasets"].values() for e in models.values()})
    lines = [
        "# Daily up or down: ACL18 and KDD17", "",
        "Made by `python bench/direction.py`, which says how. The label of a day from the "
        f"{' or '.join(map(str, days))} days before it; days that moved too little are not scored. Mean ± sd over "
        "seeds of the configuration with the least validation loss; 95 % intervals from blocks of "
        f"{BLOCK} days with all their stocks, and from seeds: stocks of one day move together, and an interval from "
        "single instances would be several times too narrow.", "",
        jobs.trained_on(result["trained_on"]), "",
    ]  # fmt: skip
    for name, models in result["datasets"].items():
        counts = " / ".join(f"{n:,}" for n in direction.COUNTS[name])
        lines += [
            f"## {name.upper()}", "", f"{counts} instances to train, validate, test, at five days.", "",
            "| | seeds | accuracy | 95 % | MCC | 95 % | log loss | configuration (of) |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
        ]  # fmt: skip
        told = result["published"][name]
        for what, (accuracy, matthews) in (("as quoted", told["quoted"]), ("as its own logs end", told["logs"])):
            lines.append(f"| *attentive LSTM, {what}* | | {accuracy:.4f} | | {matthews:.3f} | | | |")
        for m, e in sorted(models.items(), key=lambda pair: -pair[1]["accuracy"][0]):
            config = ", ".join(f"{k} {v}" for k, v in e["config"].items())
            cell = {
                s: f"{e[s][0]:.4f} ± {e[s][1]:.4f}" if e["seeds"] > 1 else f"{e[s][0]:.4f}" for s in ("accuracy", "mcc")
            }
            a, b = e["accuracy_interval"], e["mcc_interval"]
            lines.append(
                f"| {m} | {e['seeds']} | {cell['accuracy']} | {a[0]:.3f} to {a[1]:.3f} | {cell['mcc']} | "
                f"{b[0]:+.3f} to {b[1]:+.3f} | {e['log_loss'][0]:.4f} | {config} ({e['tried']}) |"
            )
        learned = {m: e for m, e in models.items() if FAMILY.get(m) != "floor"}
        clear = [m for m, e in learned.items() if e["mcc_interval"][0] > 0]
        reach = [m for m, e in learned.items() if e["accuracy_interval"][1] >= told["quoted"][0]]
        lines += [
            "",
            f"Of {len(learned)} learned models {len(clear)} have an MCC whose interval is above zero"
            + (f" ({', '.join(clear)})" if clear else "")
            + f". The quoted accuracy of {100 * told['quoted'][0]:.2f} % lies within the interval of {len(reach)}"
            + (f" ({', '.join(reach)})" if reach else "")
            + ". None comes near the 65 % that the origin claims."
            * all(e["accuracy_interval"][1] < 0.65 for e in learned.values()),
            "",
        ]
    return "\n".join(lines) + "\n"


def main() -> int:
    options = jobs.command(
        __doc__, "direction",
        more=lambda stage: stage.add_argument("--days", type=int, default=5, help="T; for another, another --out"),
    )  # fmt: skip
    if options.stage == "prepare":
        prepare(options.out)
        return 0
    if options.stage == "report":
        report(options.out, options.results)
        return 0
    return run(options)


if __name__ == "__main__":
    sys.exit(main())
