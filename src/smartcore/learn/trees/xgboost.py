"""XGBoost: gradient-boosted trees with a second-order loss. Chen and Guestrin (2016), arXiv:1603.02754.

Its splits ask whether a value is below a float32 threshold, and every one has a way for the unknown.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray
from tqdm import tqdm

from smartcore.learn.trees.base import Floats, Rows, Splits, Train, Trees, TreesConfig


@dataclass(frozen=True)
class Config(TreesConfig):
    """What is grown. 60 rounds of three classes are 180 trees."""

    rounds: int = 60
    depth: int = 4
    rate: float = 0.08
    least: float = 50.0
    """Smallest sum of second derivatives in a leaf; a row has at most a quarter in two classes, a half in more."""
    features: float = 0.5
    """Share of the columns offered to each tree."""
    rows: float = 0.7
    """Share of the rows each tree sees."""
    l2: float = 10.0
    patience: int = 10
    """Rounds without a better validation loss before it stops; 0: never."""


class _Bar(xgboost.callback.TrainingCallback):
    def __init__(self, bar: Any) -> None:
        self.bar = bar

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        self.bar.update()
        return False


class XgBoost(Trees):
    name = "xgboost"
    Config = Config
    suffix = ".ubj"

    def grow(self, train: Train, valid: tuple[Rows, NDArray[np.int8]], seed: int) -> Any:
        c = self.config
        x, y, weight = train
        params: dict[str, Any] = {
            "max_depth": c.depth, "eta": c.rate, "min_child_weight": c.least, "colsample_bytree": c.features,
            "subsample": c.rows, "lambda": c.l2, "seed": seed, "tree_method": "hist", "nthread": c.threads,
            "verbosity": 0,
        }  # fmt: skip
        if self.classes == 2:
            params |= {"objective": "binary:logistic", "eval_metric": "logloss"}
        else:
            params |= {"objective": "multi:softprob", "eval_metric": "mlogloss", "num_class": self.classes}
        with tqdm(total=c.rounds, desc=f"xgboost {seed}", unit="round", leave=False, disable=None) as bar:
            model = xgboost.train(
                params,
                xgboost.DMatrix(x, y, weight=weight, nthread=c.threads),
                c.rounds,
                evals=[(xgboost.DMatrix(*valid, nthread=c.threads), "valid")],
                early_stopping_rounds=c.patience or None,
                callbacks=[_Bar(bar)],
                verbose_eval=False,
            )
        return model[: model.best_iteration + 1] if c.patience else model

    def scores(self, model: xgboost.Booster, rows: Rows) -> Floats:
        out = model.predict(xgboost.DMatrix(rows, nthread=1), output_margin=True)
        return np.stack([np.zeros_like(out), out], axis=1) if self.classes == 2 else out

    def splits(self, model: xgboost.Booster) -> Splits:
        learner = json.loads(bytes(model.save_raw("json")))["learner"]
        base = np.array(json.loads(learner["learner_model_param"]["base_score"]))
        if self.classes == 2:  # there it is a probability
            base = np.array([0, np.log(base[0] / (1 - base[0]))])
        parts = learner["gradient_booster"]["model"]
        grown = [_tree(i, tree) for i, tree in enumerate(parts["trees"])]
        tree, node, leaf, feature, value, yes, no, unknown = (
            np.concatenate(column) for column in zip(*grown, strict=True)
        )
        own = np.array(parts["tree_info"])[tree[leaf]]
        below = np.nextafter(value, np.float32(-np.inf))  # x < t exactly if x <= the float32 before t
        return Splits(
            tree, node, leaf, feature, below, yes, no, unknown,
            tree[leaf], node[leaf], np.ones_like(own) if self.classes == 2 else own, value[leaf], base,
        )  # fmt: skip

    def pack(self, model: xgboost.Booster) -> bytes:
        return bytes(model.save_raw("ubj"))

    def unpack(self, blob: bytes) -> xgboost.Booster:
        model = xgboost.Booster({"nthread": 1})
        model.load_model(bytearray(blob))
        return model


def _tree(index: int, tree: dict[str, Any]) -> tuple[NDArray[Any], ...]:
    """A tree's columns as in ``Splits``, up to ``unknown``; a leaf's value is its weight."""
    left = np.array(tree["left_children"])
    if any(tree["split_type"]):
        raise ValueError(f"tree {index} splits categories")
    return (
        np.full(len(left), index), np.arange(len(left)), left < 0, np.array(tree["split_indices"]),
        np.array(tree["split_conditions"], np.float32), left, np.array(tree["right_children"]),
        np.array(tree["default_left"], bool),
    )  # fmt: skip
