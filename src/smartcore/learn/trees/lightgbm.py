"""LightGBM: gradient-boosted trees grown leaf by leaf. Ke et al. (2017), "LightGBM: a highly efficient gradient
boosting decision tree", NeurIPS.

Its thresholds are float64, a value within ``ZERO`` of zero is zero to it, and at a split on a column that was never
unknown in training it takes NaN for zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from smartcore.learn.trees.base import Floats, Rows, Splits, Train, Trees, TreesConfig, last_at_most

ZERO = np.float32(1e-35)


@dataclass(frozen=True)
class Config(TreesConfig):
    """What is grown. 60 rounds of three classes are 180 trees."""

    rounds: int = 60
    leaves: int = 15
    depth: int = -1
    """Deepest a leaf may be; -1: however deep."""
    rate: float = 0.08
    least: int = 200
    """Fewest rows in a leaf."""
    features: float = 0.5
    """Share of the columns offered to each tree."""
    rows: float = 0.7
    """Share of the rows each round sees."""
    l2: float = 10.0
    patience: int = 10
    """Rounds without a better validation loss before it stops; 0: never."""


class LightGbm(Trees):
    name = "lightgbm"
    Config = Config
    suffix = ".txt"

    def grow(self, train: Train, valid: tuple[Rows, NDArray[np.int8]], seed: int) -> Any:
        c = self.config
        x, y, weight = train
        data = lightgbm.Dataset(x, y, weight=weight, free_raw_data=False)
        params: dict[str, Any] = {
            "objective": "binary" if self.classes == 2 else "multiclass",
            "num_class": 1 if self.classes == 2 else self.classes, "num_leaves": c.leaves, "max_depth": c.depth,
            "learning_rate": c.rate, "min_data_in_leaf": c.least, "feature_fraction": c.features,
            "bagging_fraction": c.rows, "bagging_freq": 1, "lambda_l2": c.l2, "seed": seed, "deterministic": True,
            "force_row_wise": True, "num_threads": c.threads, "verbosity": -1,
        }  # fmt: skip
        stop = [lightgbm.early_stopping(c.patience, verbose=False)] if c.patience else []
        with tqdm(total=c.rounds, desc=f"lightgbm {seed}", unit="round", leave=False, disable=None) as bar:
            return lightgbm.train(
                params,
                data,
                c.rounds,
                valid_sets=[lightgbm.Dataset(*valid, reference=data)],
                callbacks=[*stop, lambda _: bar.update()],
            )

    def scores(self, model: lightgbm.Booster, rows: Rows) -> Floats:
        out = np.asarray(model.predict(rows, raw_score=True, num_threads=1))
        return np.stack([np.zeros_like(out), out], axis=1) if self.classes == 2 else out

    def splits(self, model: lightgbm.Booster) -> Splits:
        nodes: list[tuple[int, int, bool, int, float, int, int, bool]] = []
        leaves: list[tuple[int, int, int, float]] = []

        def walk(tree: int, at: dict[str, Any], count: int) -> int:
            """Number this node ``count`` and all below it; return the next number."""
            if "split_feature" not in at:
                nodes.append((tree, count, True, 0, 0.0, 0, 0, False))
                leaves.append((tree, count, 1 if self.classes == 2 else tree % self.classes, at["leaf_value"]))
                return count + 1
            if at["decision_type"] != "<=" or at["missing_type"] == "Zero":
                raise ValueError(f"tree {tree}: a split {at['decision_type']!r}, missing {at['missing_type']!r}")
            known = at["missing_type"] == "None"
            unknown = at["threshold"] >= 0 if known else at["default_left"]
            here = len(nodes)
            nodes.append((tree, count, False, 0, 0.0, 0, 0, False))
            no = walk(tree, at["left_child"], count + 1)
            after = walk(tree, at["right_child"], no)
            nodes[here] = (tree, count, False, at["split_feature"], at["threshold"], count + 1, no, unknown)
            return after

        for tree in model.dump_model()["tree_info"]:
            walk(tree["tree_index"], tree["tree_structure"], 0)
        tree, node, leaf, feature, threshold, yes, no, unknown = map(np.array, zip(*nodes, strict=True))
        value = last_at_most(threshold)
        value[(threshold >= 0) & (threshold <= ZERO)] = ZERO
        value[(threshold < 0) & (threshold >= -ZERO)] = np.nextafter(-ZERO, np.float32(-1))
        weight_tree, weight_node, weight_class, weight = map(np.array, zip(*leaves, strict=True))
        return Splits(
            tree, node, leaf, feature, value, yes, no, unknown,
            weight_tree, weight_node, weight_class, weight, np.zeros(self.classes),
        )  # fmt: skip

    def pack(self, model: lightgbm.Booster) -> bytes:
        return model.model_to_string().encode()

    def unpack(self, blob: bytes) -> lightgbm.Booster:
        return lightgbm.Booster(model_str=blob.decode())
