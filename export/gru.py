"""The shipped GRU, from configuration to checked file.

python export/gru.py            # models/builtin/gru.onnx and its card; a few minutes on one core
python export/gru.py --quick    # every line in half a minute, into out/; the scores mean nothing
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

import smartcore as sc
from smartcore.learn import card, simulated
from smartcore.learn.calibrate import log_loss, softmax, temperature
from smartcore.learn.check import batched, check
from smartcore.learn.data import normal_scores
from smartcore.learn.evaluate import scores, spread, table
from smartcore.learn.export import Served, export_net
from smartcore.learn.nets import build
from smartcore.learn.train import Config, fit, predict
from smartcore.models import BUILTIN, Contract

quick = "--quick" in sys.argv
market = simulated.QUICK if quick else simulated.Config()
training = Config(rounds=2, updates=10) if quick else Config()
seeds = range(2 if quick else 5)
folder = Path("out") if quick else BUILTIN


def train(data: simulated.Data, seed: int) -> tuple[Served, float, dict[str, float]]:
    """A calibrated net, its validation loss and its scores on the test recordings."""
    both = data.train + simulated.mirror(data.train)
    torch.manual_seed(seed)
    net = build("gru", normal_scores(both))
    fit(net, both, data.valid, training, seed)
    (logits, label), (test, truth) = (
        (logits[:, 0], label[:, 0]) for logits, label in (predict(net, data.valid), predict(net, data.test))
    )
    heat = temperature(logits, label)
    return Served(net, heat), log_loss(logits, label, heat), scores(softmax(test / heat), truth)


data = simulated.make(market)
runs = [train(data, seed) for seed in seeds]
net = min(runs, key=lambda run: run[1])[0]
walk = simulated.make(market, control=True)
control = {"gru, random walk": train(walk, 0)[2]}
results = {"gru": spread(run[2] for run in runs), **simulated.floors(data)}
print(table(results), table(control), sep="\n\n", end="\n\n")

contract = Contract(
    name="gru",
    kind="gru",
    columns=simulated.COLUMNS,
    fingerprint=sc.FeatureSet(list(simulated.COLUMNS)).fingerprint,
    sample=market.sample,
    bars=market.bars,
    horizon=f"{market.horizon}s",
    label=data.rule,
    thresholds=(data.low, data.high),
    states=net.net.states,
    warm_up=net.net.warm_up,
    calibration={"method": "temperature", "temperature": float(1 / net.sharpness)},
    missing="taken as the column's training median, inside the graph",
    trained_on=data.trained_on,
    metrics={"test": results, "control": control, "seeds": len(runs)},
)
path = folder / "gru.onnx"
contract = export_net(net, contract, data.golden(), path)
report = check(path, net, data.test[0].rows, quick)
print(report)

wide = Path("out/gru-batch.onnx")  # for a server that batches; not shipped
export_net(net, contract, data.golden(), wide, dynamic=True)
print(f"batch variant: {wide}, differs by {batched(wide, path, data.test[0].rows):.2g}")

what = f"""A streaming GRU with {net.net.config.hidden} units, {sum(p.numel() for p in net.parameters()):,}
weights: one row and its state in, probabilities and the next state out. The source is
`smartcore/learn/nets/gru.py`."""
card.write(path.with_suffix(".md"), contract, what, data, results, control, report, "export/gru.py")
sys.exit(bool(report.failures))
