"""The shipped gradient-boosted trees, from configuration to checked file.

python export/gbdt.py           # models/builtin/gbdt.onnx and its card; about a minute
python export/gbdt.py --quick   # every line in a few seconds, into out/; the scores mean nothing
"""

from __future__ import annotations

import sys
from pathlib import Path

import lightgbm

import smartcore as sc
from smartcore.learn import card, simulated
from smartcore.learn.calibrate import log_loss, softmax, temperature
from smartcore.learn.check import batched, check
from smartcore.learn.evaluate import scores, spread, table
from smartcore.learn.trees import Config, export_trees, fit, logits, stack
from smartcore.models import BUILTIN, Contract

quick = "--quick" in sys.argv
market = simulated.QUICK if quick else simulated.Config()
training = Config(rounds=5) if quick else Config()
seeds = range(2 if quick else 5)
folder = Path("out") if quick else BUILTIN


def train(data: simulated.Data, seed: int) -> tuple[lightgbm.Booster, float, float, dict[str, float]]:
    """The trees, their temperature, validation loss and scores on the test recordings."""
    booster = fit(data.train + simulated.mirror(data.train), data.valid, training, seed)
    rows, label = stack(data.valid)
    raw = logits(booster, rows)
    heat = temperature(raw, label)
    rows, truth = stack(data.test)
    return booster, heat, log_loss(raw, label, heat), scores(softmax(logits(booster, rows) / heat), truth)


data = simulated.make(market)
runs = [train(data, seed) for seed in seeds]
booster, heat = min(runs, key=lambda run: run[2])[:2]
walk = simulated.make(market, control=True)
control = {"gbdt, random walk": train(walk, 0)[3]}
results = {"gbdt": spread(run[3] for run in runs), **simulated.floors(data)}
print(table(results), table(control), sep="\n\n", end="\n\n")

contract = Contract(
    name="gbdt",
    kind="gbdt",
    columns=simulated.COLUMNS,
    fingerprint=sc.FeatureSet(list(simulated.COLUMNS)).fingerprint,
    sample=market.sample,
    bars=market.bars,
    horizon=f"{market.horizon}s",
    label=data.rule,
    thresholds=(data.low, data.high),
    calibration={"method": "temperature", "temperature": heat},
    missing="takes the branch that was learned for unknown values at each split",
    trained_on=data.trained_on,
    metrics={"test": results, "control": control, "seeds": len(runs)},
)
path = folder / "gbdt.onnx"
contract = export_trees(booster, heat, contract, data.golden(), path)
report = check(path, lambda rows: softmax(logits(booster, rows) / heat), data.test[0].rows, quick)
print(report)

wide = Path("out/gbdt-batch.onnx")  # for a server that batches; not shipped
export_trees(booster, heat, contract, data.golden(), wide, dynamic=True)
print(f"batch variant: {wide}, differs by {batched(wide, path, data.test[0].rows):.2g}")

what = f"""LightGBM, three classes: {booster.num_trees()} trees of at most {training.leaves} leaves. It has no
state: each row is judged alone. The source is `smartcore/learn/trees.py`."""
card.write(path.with_suffix(".md"), contract, what, data, results, control, report, "export/gbdt.py")
sys.exit(bool(report.failures))
