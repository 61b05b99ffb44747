"""CatBoost: gradient-boosted symmetric trees, every node of a level asking the same. Prokhorenkova et al. (2018),
arXiv:1706.09516.

Its splits ask whether a value is above a float32 border; an unknown one never is.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import catboost
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from smartcore.learn.trees.base import Floats, Rows, Splits, Train, Trees, TreesConfig


@dataclass(frozen=True)
class Config(TreesConfig):
    """What is grown: a tree a round, whatever the number of classes."""

    rounds: int = 200
    depth: int = 5
    rate: float = 0.08
    features: float = 0.5
    """Share of the columns offered to each level."""
    rows: float = 0.7
    """Share of the rows each tree sees."""
    l2: float = 10.0
    patience: int = 20
    """Rounds without a better validation loss before it stops; 0: never."""


class CatBoost(Trees):
    name = "catboost"
    Config = Config
    suffix = ".cbm"

    def grow(self, train: Train, valid: tuple[Rows, NDArray[np.int8]], seed: int) -> Any:
        c = self.config
        x, y, weight = train
        model = catboost.CatBoostClassifier(
            iterations=c.rounds, depth=c.depth, learning_rate=c.rate, rsm=c.features, bootstrap_type="Bernoulli",
            subsample=c.rows, l2_leaf_reg=c.l2, random_seed=seed, thread_count=c.threads, nan_mode="Min",
            loss_function="Logloss" if self.classes == 2 else "MultiClass",
            classes_count=None if self.classes == 2 else self.classes,
            early_stopping_rounds=c.patience or None, use_best_model=bool(c.patience), allow_writing_files=False,
            logging_level="Silent",
        )  # fmt: skip
        with tqdm(total=c.rounds, desc=f"catboost {seed}", unit="round", leave=False, disable=None) as bar:

            class Bar:
                def after_iteration(self, _: Any) -> bool:
                    bar.update()
                    return True

            return model.fit(x, y, sample_weight=weight, eval_set=valid, callbacks=[Bar()])

    def scores(self, model: catboost.CatBoostClassifier, rows: Rows) -> Floats:
        out = np.asarray(model.predict(rows, prediction_type="RawFormulaVal", thread_count=1))
        return np.stack([np.zeros_like(out), out], axis=1) if self.classes == 2 else out

    def splits(self, model: catboost.CatBoostClassifier) -> Splits:
        """From the library's own ONNX file, whose floats are exact."""
        import onnx

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            model.save_model(str(path), format="onnx")
            graph = onnx.load(str(path)).graph
        found = next(n for n in graph.node if n.op_type == "TreeEnsembleClassifier")
        a = {x.name: onnx.helper.get_attribute_value(x) for x in found.attribute}
        leaf = np.array([mode == b"LEAF" for mode in a["nodes_modes"]])
        if any(mode not in (b"LEAF", b"BRANCH_GT") for mode in a["nodes_modes"]):
            raise ValueError(f"splits of {sorted(set(a['nodes_modes']))}")
        ours = np.array(a["class_ids"]) > 0 if self.classes == 2 else slice(None)  # the other is minus it
        base = np.atleast_1d(model.get_scale_and_bias()[1]) + np.zeros(self.classes)
        if self.classes == 2:
            base[0] = 0
        return Splits(
            np.array(a["nodes_treeids"]),
            np.array(a["nodes_nodeids"]),
            leaf,
            np.array(a["nodes_featureids"]),
            np.array(a["nodes_values"], np.float32),
            np.array(a["nodes_falsenodeids"]),  # not above is at most
            np.array(a["nodes_truenodeids"]),
            np.ones(len(leaf), bool),
            np.array(a["class_treeids"])[ours],
            np.array(a["class_nodeids"])[ours],
            np.array(a["class_ids"])[ours],
            np.array(a["class_weights"])[ours],
            base,
        )

    def pack(self, model: catboost.CatBoostClassifier) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"model{self.suffix}"
            model.save_model(str(path))
            return path.read_bytes()

    def unpack(self, blob: bytes) -> catboost.CatBoostClassifier:
        return catboost.CatBoostClassifier().load_model(blob=blob)
