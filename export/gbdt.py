"""The shipped gradient-boosted trees, from configuration to checked file.

python export/gbdt.py           # models/builtin/gbdt.onnx and its card; about a minute
python export/gbdt.py --quick   # every line in a few seconds, into out/; the scores mean nothing
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import smartcore as sc
from smartcore.learn import card, estimator, simulated
from smartcore.learn.check import check
from smartcore.learn.data import Series, inputs
from smartcore.learn.evaluate import scores, spread, table
from smartcore.models import BUILTIN, Contract

quick = "--quick" in sys.argv
market = simulated.QUICK if quick else simulated.Config()
config = {"rounds": 5} if quick else {}
seeds = range(2 if quick else 5)
folder = Path("out") if quick else BUILTIN


def train(data: simulated.Data, seed: int) -> tuple[estimator.Estimator, float, dict[str, float]]:
    """Calibrated trees, their validation loss and their scores on the test recordings."""
    model = estimator.build("lightgbm", simulated.COLUMNS, **config)
    model.fit(data.train + simulated.mirror(data.train), data.valid, seed)

    def judge(series: list[Series]) -> dict[str, float]:
        return scores(estimator.probabilities(model, series)[:, 0], np.concatenate([s.label[:, 0] for s in series]))

    return model, judge(data.valid)["log_loss"], judge(data.test)


data = simulated.make(market)
runs = [train(data, seed) for seed in seeds]
model = min(runs, key=lambda run: run[1])[0]
walk = simulated.make(market, control=True)
control = {"gbdt, random walk": train(walk, 0)[2]}
results = {"gbdt": spread(run[2] for run in runs), **simulated.floors(data)}
print(table(results), table(control), sep="\n\n", end="\n\n")

contract = Contract(
    name="gbdt",
    kind="lightgbm",
    columns=simulated.COLUMNS,
    fingerprint=sc.FeatureSet(list(simulated.COLUMNS)).fingerprint,
    sample=market.sample,
    bars=market.bars,
    horizon=f"{market.horizon}s",
    label=data.rule,
    thresholds=(data.low, data.high),
    trained_on=data.trained_on,
    inputs=inputs(data.train),
    metrics={"test": results, "control": control, "seeds": len(runs)},
)
path = folder / "gbdt.onnx"
contract = model.export(path, contract, data.golden())
report = check(path, model, data.test[0].rows, quick)
print(report)

model.export(Path("out/gbdt-batch.onnx"), contract, data.golden(), dynamic=True)  # for Model.batch and servers

what = f"""LightGBM, three classes: {model.models[0].num_trees()} trees of at most {model.config.leaves} leaves. It
has no state: each row is judged alone. The source is `smartcore/learn/trees/lightgbm.py`."""
card.write(path.with_suffix(".md"), contract, report, what, "python export/gbdt.py")
sys.exit(bool(report.failures))
