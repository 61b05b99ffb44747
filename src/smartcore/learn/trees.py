"""Gradient-boosted trees of three classes, LightGBM, as one ONNX graph: raw row in, calibrated probabilities out.

    row (1, k) -> TreeEnsembleClassifier (raw scores) -> / temperature -> softmax

An unknown value goes the way LightGBM learned for it at each split. Two things the converter leaves undone
are mended here: its thresholds are rounded to the nearest float32, which can send the very value a split was
made at to the other side; and a split on a column that was never unknown in training takes NaN for zero,
which ONNX cannot say, so every column is made unknown now and then while training.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tqdm import tqdm

from smartcore.learn.data import Series
from smartcore.learn.export import OPSET, write
from smartcore.models import Contract


@dataclass(frozen=True)
class Config:
    """What is grown. 60 rounds of three classes are 180 trees."""

    rounds: int = 60
    leaves: int = 15
    rate: float = 0.08
    least: int = 200
    """Fewest rows in a leaf."""
    columns: float = 0.5
    """Share of the columns offered to each tree."""
    rows: float = 0.7
    """Share of the rows each round sees."""
    l2: float = 10.0
    drop: float = 0.02
    """Share of values made unknown in training."""
    patience: int = 10
    threads: int = 1


def fit(train: Sequence[Series], valid: Sequence[Series], config: Config = Config(), seed: int = 0) -> lightgbm.Booster:
    """Grow with early stopping on the validation loss. Rows without a label are left out."""
    rng = np.random.default_rng(seed)
    x, y = stack(train)
    x = np.where(rng.random(x.shape, np.float32) < config.drop, np.float32(np.nan), x)
    data = lightgbm.Dataset(x, y, free_raw_data=False)
    params = {
        "objective": "multiclass", "num_class": 3, "num_leaves": config.leaves, "learning_rate": config.rate,
        "min_data_in_leaf": config.least, "feature_fraction": config.columns, "bagging_fraction": config.rows,
        "bagging_freq": 1, "lambda_l2": config.l2, "seed": seed, "deterministic": True,
        "force_row_wise": True, "num_threads": config.threads, "verbosity": -1,
    }  # fmt: skip
    with tqdm(total=config.rounds, desc=f"seed {seed}", unit="round", leave=False, disable=None) as bar:
        return lightgbm.train(
            params,
            data,
            config.rounds,
            valid_sets=[lightgbm.Dataset(*stack(valid), reference=data)],
            callbacks=[lightgbm.early_stopping(config.patience, verbose=False), lambda _: bar.update()],
        )


def stack(series: Sequence[Series]) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Rows (n, k) and labels (n,) of recordings for their first target, without those that have no label."""
    rows = np.concatenate([s.rows for s in series])
    label = np.concatenate([s.label[:, 0] for s in series])
    return rows[label >= 0], label[label >= 0]


def logits(booster: lightgbm.Booster, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Raw scores (n, 3) by LightGBM itself: what is calibrated, and what the exported file is held to."""
    return np.asarray(booster.predict(rows, raw_score=True, num_threads=1))


def export_trees(
    booster: lightgbm.Booster,
    temperature: float,
    contract: Contract,
    golden: NDArray[np.float32],
    path: Path,
    dynamic: bool = False,
) -> Contract:
    """Write the ensemble with its calibration to ``path``; return the contract as written. See
    ``export.export_net``.
    """
    ensemble = _ensemble(booster, contract.width)
    rows: int | str = "batch" if dynamic else 1
    nodes = [
        helper.make_node(
            "TreeEnsembleClassifier", ["row"], ["class", "raw"], name="trees", domain="ai.onnx.ml", **ensemble
        ),
        helper.make_node("Mul", ["raw", "sharpness"], ["logits"], name="calibrate"),
        helper.make_node("Softmax", ["logits"], ["scores"], name="softmax", axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        contract.name,
        [helper.make_tensor_value_info("row", TensorProto.FLOAT, [rows, contract.width])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [rows, len(contract.classes)])],
        [numpy_helper.from_array(np.array([1 / temperature], np.float32), "sharpness")],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", 3)]
    return write(helper.make_model(graph, opset_imports=opsets), replace(contract, dynamic=dynamic), golden, path)


def _ensemble(booster: lightgbm.Booster, width: int) -> dict[str, Any]:
    """The attributes of the converter's tree node, giving raw scores, with thresholds that split float32 as
    LightGBM does.
    """
    from onnxmltools.convert import convert_lightgbm
    from onnxmltools.convert.common.data_types import FloatTensorType

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = convert_lightgbm(
            booster, initial_types=[("row", FloatTensorType([None, width]))], zipmap=False, target_opset=15
        )
    node = next(n for n in model.graph.node if n.op_type == "TreeEnsembleClassifier")
    out = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    out["post_transform"] = "NONE"
    index = {key: i for i, key in enumerate(zip(out["nodes_treeids"], out["nodes_nodeids"], strict=True))}

    def walk(tree: int, node: int, origin: dict[str, Any]) -> None:
        """Visit a node in the graph and in LightGBM's own dump at once."""
        if "split_feature" not in origin:
            return
        i = index[tree, node]
        rounded, threshold = np.float32(out["nodes_values"][i]), origin["threshold"]
        if rounded != np.float32(threshold) or out["nodes_featureids"][i] != origin["split_feature"]:
            raise ValueError(f"tree {tree}, node {node}: the converter's split is not LightGBM's")
        if float(rounded) > threshold:  # for a float32 x, x <= t exactly if x <= the last float32 not above t
            out["nodes_values"][i] = float(np.nextafter(rounded, np.float32(-np.inf)))
        walk(tree, out["nodes_truenodeids"][i], origin["left_child"])
        walk(tree, out["nodes_falsenodeids"][i], origin["right_child"])

    with np.errstate(over="ignore"):  # 1e300, LightGBM's "whatever is known", becomes the largest float32
        for tree in booster.dump_model()["tree_info"]:
            walk(tree["tree_index"], 0, tree["tree_structure"])
    return out
