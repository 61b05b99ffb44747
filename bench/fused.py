"""What a whole inference costs live: a net that steps, four ensembles of trees, their calibrations and the blend.

    python bench/fused.py [--json FILE] [--quick] [--net gru] [--trees 400] [--depth 6] [--columns 100]

Beside each other: every part in a session of its own, with the blend in NumPy; the same without the blend; one fused
file; each part alone. Trees are grown on noise until they are as many and as deep as asked, and cost what grown trees
cost; the net's weights are random, its size is --hidden. Rows change at every step: one row over and over lets the
branch predictor learn its way through the trees, which makes them three times as fast as they are.

hot      one step after the other
paced    3 ms after the last one; the process slept meanwhile, as a bot does: caches are cold
cpu      the thread's CPU time for a hot step, which does not see neighbours

Microseconds of ``Model.step``, and of onnxruntime alone for the fused file, tensors bound beforehand. One thread,
pinned to one core. Goals, for the fused file: p50 hot at most 350, p99 hot at most 1000.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import measure
import nets
import numpy as np
import torch

from smartcore.learn import trees
from smartcore.learn.blend import Stacker
from smartcore.learn.calibrate import Calibration
from smartcore.learn.data import Series
from smartcore.learn.export import Served, export_net
from smartcore.learn.fuse import fuse
from smartcore.learn.nets import build
from smartcore.models import Contract, Model

GOAL = {"p50_us": 350.0, "p99_us": 1000.0}
HEAT = Calibration("temperature", 1.3)


def noise(n: int, columns: int, seed: int) -> Series:
    """Rows of which a twentieth is unknown, and labels that hang on a few of them a little."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, columns)).astype(np.float32)
    signal = rows[:, :5].sum(1) + 3 * rng.normal(size=n)
    label = np.digitize(signal, np.quantile(signal, [1 / 3, 2 / 3])).astype(np.int8)[:, None]
    rows[rng.random(rows.shape) < 0.05] = np.nan
    return Series(np.arange(n), rows, np.ones(n), label)


def grown(
    name: str, count: int, depth: int, columns: tuple[str, ...], train: Series, valid: Series
) -> trees.base.Trees:
    """``count`` trees, ``depth`` deep."""
    each = count // 3  # of the boosters that grow one a class and round
    config: dict[str, dict[str, Any]] = {
        "lightgbm": {"rounds": each, "leaves": 2**depth, "depth": depth, "least": 5, "patience": 0, "rate": 0.02},
        "xgboost": {"rounds": each, "depth": depth, "least": 0.5, "patience": 0, "rate": 0.02},
        "catboost": {"rounds": count, "depth": depth, "patience": 0, "rate": 0.02},
        "random_forest": {"trees": count, "depth": depth, "least": 2},
    }
    model = trees.build(name, columns, **config[name])
    return model.fit([train], [valid])


def parts(folder: Path, args: Any, columns: tuple[str, ...]) -> dict[str, tuple[Path, int]]:
    """Name -> (file, nodes of its trees)."""
    base = Contract(
        name="", kind="", columns=columns, fingerprint="none", sample="1s", bars=None, horizon="none", label="none"
    )
    golden = noise(4, len(columns), 3).rows
    torch.manual_seed(0)
    knots = np.sort(np.random.default_rng(0).normal(size=(2, len(columns), 16)), axis=2)
    config = {"hidden": args.hidden} if args.hidden else {}
    net = build(args.net, knots, **config)
    out = {args.net: (folder / "net.onnx", 0)}
    told = Contract(**{**_fields(base), "name": args.net, "states": net.states, "warm_up": net.warm_up})
    export_net(Served(net, (HEAT,)), told, golden, out[args.net][0])
    for name in trees.names():
        train, valid = noise(400 if args.quick else 4000, len(columns), 1), noise(500, len(columns), 2)
        model = grown(name, args.trees, args.depth, columns, train, valid)
        path = folder / f"{name}.onnx"
        model.export(path, Contract(**{**_fields(base), "name": name}), golden)
        out[name] = path, len(model.splits(model.models[0]).node)
    return out


def _fields(contract: Contract) -> dict[str, Any]:
    return {name: getattr(contract, name) for name in contract.__dataclass_fields__}


def apart(models: list[Model], blend: Stacker | None, rows: np.ndarray) -> Callable[[], None]:
    """A function that steps every session, and blends in NumPy what they say."""
    table, at = rows.astype(np.float64), 0

    def step() -> None:
        nonlocal at
        row = table[at % len(table)]
        told = [model.step(row) for model in models]
        if blend is not None:
            HEAT.prob(blend.logits(np.stack(told)[None], row[None], ()))
        at += 1

    return step


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--net", default="gru")
    parser.add_argument("--hidden", type=int, default=128, help="of the net; 0: as it is by default")
    parser.add_argument("--trees", type=int, default=400, help="of each ensemble")
    parser.add_argument("--depth", type=int, default=6)
    parser.add_argument("--columns", type=int, default=100)
    parser.add_argument("--steps", type=int, default=5000)
    args = parser.parse_args()
    if args.quick:
        args.trees, args.steps = min(args.trees, 9), 50
    torch.set_num_threads(1)
    columns = tuple(f"c{i}" for i in range(args.columns))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = parts(folder, args, columns)
        measure.pin()
        result: dict[str, Any] = {"machine": measure.header(), "options": vars(args), "steps": {}}
        weights = np.random.default_rng(4).normal(0.2, 0.1, (3 * len(found), 3))
        blend = Stacker(tuple(map(tuple, weights.tolist())), (0.0, 0.0, 0.0))
        rows = noise(997, args.columns, 5).rows
        path = folder / "fused.onnx"
        files = [file for file, _ in found.values()]
        contract = fuse(files, path, blend=blend, calibration=HEAT, golden=rows[:4])
        models = {name: Model.load(file) for name, (file, _) in found.items()}
        whole = Model.load(path)
        table = rows[:300].astype(np.float64)
        told = np.stack([model.run(table) for model in models.values()], axis=1)
        differs = float(np.abs(whole.run(table) - HEAT.prob(blend.logits(told, table, ()))).max())
        steps = {
            "fused, onnxruntime alone": nets.bound(path, contract, rows),
            "fused": nets.stepper(whole, rows),
            "separate sessions and blend": apart(list(models.values()), blend, rows),
            "separate sessions": apart(list(models.values()), None, rows),
            **{f"{name} alone": nets.stepper(model, rows) for name, model in models.items()},
        }
        print(f"fused differs from its parts by {differs:.1g}; {path.stat().st_size / 1e6:.1f} MB")
        print(", ".join(f"{name} {count:,} nodes" for name, (_, count) in found.items() if count), end="\n\n")
        print("p50 / p99 in us\n\n| | hot | cpu | paced |\n| --- | ---: | ---: | ---: |")
        for name, step in steps.items():
            hot = nets.timed(step, args.steps, 0)
            paced = nets.timed(step, args.steps // 10, nets.PACE)
            result["steps"][name] = {"hot": hot, "paced": paced}
            both = [f"{t['p50_us']:.1f} / {t['p99_us']:.1f}" for t in (hot, paced)]
            print(f"| {name} | {both[0]} | {hot['cpu_us']:.1f} | {both[1]} |", flush=True)
        hot = result["steps"]["fused"]["hot"]
        result["differs"] = differs
        result["goal"] = {key: {"at_most": most, "met": hot[key] <= most} for key, most in GOAL.items()}
        print("\n" + ", ".join(f"{k} {v:.0f}: {'met' if hot[k] <= v else 'missed'}" for k, v in GOAL.items()))
    measure.write(args.json, result)


if __name__ == "__main__":
    main()
