"""Model files of flagship size for timing a bot.

A GRU of 128 units; and LightGBM, XGBoost, CatBoost and a random forest of 400 trees, depth 6, with their blend, as one
file. Random weights; trees grown on the engine's own rows with labels that are mostly noise, so that live rows take as
many ways through them as those of a trained model would.

    python bench/flagship.py [FOLDER] [--quick]        # out/flagship; about a minute
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import fused
import numpy as np
import torch
from numpy.typing import NDArray

import smartcore as sc
from smartcore.learn import trees
from smartcore.learn.blend import Stacker
from smartcore.learn.data import Series, inputs
from smartcore.learn.export import Served, export_net
from smartcore.learn.fuse import fuse
from smartcore.learn.nets import build
from smartcore.learn.scaling import normal_scores
from smartcore.models import Contract

FOLDER = Path(__file__).resolve().parent.parent / "out" / "flagship"
COLUMNS = 120


def columns(count: int = COLUMNS) -> tuple[str, ...]:
    """So many of the default columns, evenly over the groups."""
    every = sc.FeatureSet.default().columns
    return tuple(every[int(i)] for i in np.linspace(0, len(every) - 1, count))


def series(read: tuple[str, ...], seed: int, seconds: int) -> Series:
    """Rows of a simulated market and labels that hang a little on five columns."""
    events = sc.simulate(seconds=seconds, seed=seed, regime="mixed").events
    table = sc.Engine(list(read), bars="1s").run(events, sample="1s").astype(np.float32)
    rng = np.random.default_rng(seed)
    order = np.argsort(np.argsort(np.nan_to_num(table[:, ::24]), axis=0), axis=0) / len(table)
    signal = order.sum(1) + 2 * rng.normal(size=len(table))
    label = np.digitize(signal, np.quantile(signal, [1 / 3, 2 / 3])).astype(np.int8)[:, None]
    return Series(np.arange(len(table)), table, np.ones(len(table)), label)


def make(folder: Path = FOLDER, count: int = 400, depth: int = 6, hidden: int = 128, quick: bool = False) -> list[Path]:
    """The two files, made where they are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / "gru128.onnx", folder / "trees.onnx"]
    if all(file.exists() for file in files):
        return files
    if quick:
        count, hidden = 12, 32
    torch.set_num_threads(1)
    read = columns()
    train, valid = series(read, 5, 600 if quick else 3600), series(read, 6, 300)
    base = Contract(
        name="gru128", kind="gru", columns=read, fingerprint=sc.FeatureSet(list(read)).fingerprint, sample="1s",
        bars="1s", horizon="10s", label="noise", thresholds=(-1e-4, 1e-4), inputs=inputs([train]),
        calibration=fused.HEAT.record(),
    )  # fmt: skip
    golden: NDArray[np.float32] = train.rows[-8:]
    torch.manual_seed(0)
    net = build("gru", normal_scores([train]), hidden=hidden)
    export_net(Served(net, (fused.HEAT,)), replace(base, states=net.states, warm_up=net.warm_up), golden, files[0])
    parts = []
    for name in trees.names():
        model = fused.grown(name, count, depth, read, train, valid)
        parts.append(folder / f"part-{name}.onnx")
        model.export(parts[-1], replace(base, name=name, kind=name), golden)
    weights = np.random.default_rng(4).normal(0.2, 0.1, (3 * len(parts), 3))
    blend = Stacker(tuple(map(tuple, weights.tolist())), (0.0, 0.0, 0.0))
    fuse(parts, files[1], blend=blend, calibration=fused.HEAT, golden=golden, name="trees")
    return files


if __name__ == "__main__":
    given = [argument for argument in sys.argv[1:] if argument != "--quick"]
    for file in make(Path(given[0]) if given else FOLDER, quick="--quick" in sys.argv):
        print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")
