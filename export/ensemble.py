"""A net that steps and four ensembles of trees, stacked, in one file: from configuration to checked file. Not shipped.

python export/ensemble.py           # out/ensemble.onnx and its card; every member is fitted five times
python export/ensemble.py --quick   # every line in a minute; the scores mean nothing

``smartcore.learn.fuse`` makes such a file of any that are already there.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import smartcore as sc
from smartcore.learn import card, ensemble, estimator, simulated
from smartcore.learn.check import check
from smartcore.learn.data import inputs
from smartcore.learn.evaluate import scores, table
from smartcore.models import Contract

quick = "--quick" in sys.argv
market = simulated.QUICK if quick else simulated.Config()
small = {"rounds": 5} if quick else {}
members = (
    {"name": "gru", "rounds": 2, "updates": 4} if quick else "gru",
    {"name": "lightgbm", **small},
    {"name": "xgboost", **small},
    {"name": "catboost", **small},
    {"name": "random_forest", "trees": 5} if quick else "random_forest",
)
path = Path("out/ensemble.onnx")

data = simulated.make(market)
model = ensemble.build("stacking", simulated.COLUMNS, members=members, folds=2 if quick else 4)
model.fit(data.train + simulated.mirror(data.train), data.valid)
truth = np.concatenate([s.label[:, 0] for s in data.test])
told = model.told(data.test)[:, :, 0]
results = {
    "stacking": scores(estimator.probabilities(model, data.test)[:, 0], truth),
    **{name: scores(told[:, i], truth) for i, name in enumerate(model.names)},
    **simulated.floors(data),
}
print(table(results), end="\n\n")
unseen = dict(zip(model.names, model.losses[0], strict=True))
print("out-of-fold log-loss:", ", ".join(f"{name} {loss:.4f}" for name, loss in unseen.items()))
print(f"agreement of the members on the test recordings: {model.agreement(data.test).mean():.3f}\n")

contract = Contract(
    name="ensemble",
    kind="stacking",
    columns=simulated.COLUMNS,
    fingerprint=sc.FeatureSet(list(simulated.COLUMNS)).fingerprint,
    sample=market.sample,
    bars=market.bars,
    horizon=f"{market.horizon}s",
    label=data.rule,
    thresholds=(data.low, data.high),
    trained_on=data.trained_on,
    inputs=inputs(data.train),
    metrics={"test": results, "seeds": 1, "out_of_fold": unseen},
)
contract = model.export(path, contract, data.golden())
report = check(path, model, data.test[0].rows, quick)
print(report)

what = f"""{", ".join(model.names)}, fitted on all training recordings; multinomial logistic regression weighs their
log-probabilities, as it learned to on rows that they had not seen. One graph holds all of it. The source is
`smartcore/learn/ensemble.py`."""
card.write(path.with_suffix(".md"), contract, report, what, "python export/ensemble.py")
sys.exit(bool(report.failures))
