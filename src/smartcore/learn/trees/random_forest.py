"""Random forest (scikit-learn): trees grown alone on rows drawn with replacement; their class shares are averaged.
Breiman (2001), doi:10.1023/A:1010933404324.

Its thresholds are float64, and every split has a way for the unknown. Logits are logarithms of the averaged shares,
none taken to be below ``LEAST``: a share of nothing in a few hundred rows is no proof of impossibility.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier
from sklearn.tree._tree import Tree

from smartcore.learn.trees.base import Floats, Rows, Splits, Train, Trees, TreesConfig, last_at_most

LEAST = 1e-3


@dataclass(frozen=True)
class Config(TreesConfig):
    """What is grown."""

    trees: int = 200
    depth: int = 8
    least: int = 50
    """Fewest rows in a leaf."""
    features: float = 0.3
    """Share of the columns offered to each split."""
    rows: float = 0.7
    """Share of the rows each tree sees."""


class RandomForest(Trees):
    name = "random_forest"
    Config = Config
    suffix = ".npz"

    def grow(self, train: Train, valid: tuple[Rows, NDArray[np.int8]], seed: int) -> Any:
        c = self.config
        x, y, weight = train
        forest = RandomForestClassifier(
            c.trees, max_depth=c.depth, min_samples_leaf=c.least, max_features=c.features, max_samples=c.rows,
            random_state=seed, n_jobs=c.threads,
        )  # fmt: skip
        return forest.fit(x, y, weight).set_params(n_jobs=1)

    def scores(self, model: RandomForestClassifier, rows: Rows) -> Floats:
        share = np.zeros((len(rows), self.classes))
        share[:, model.classes_] = model.predict_proba(rows)
        return np.log(np.maximum(share, LEAST))

    def splits(self, model: RandomForestClassifier) -> Splits:
        parts = [[] for _ in range(11)]  # type: list[list[NDArray[Any]]]
        for i, grown in enumerate(model.estimators_):
            tree = grown.tree_
            leaf = tree.children_left < 0
            at, which = np.meshgrid(np.flatnonzero(leaf), np.arange(tree.value.shape[2]), indexing="ij")
            share = tree.value[leaf, 0] / tree.value[leaf, 0].sum(1, keepdims=True) / len(model.estimators_)
            columns = (
                np.full(len(leaf), i), np.arange(len(leaf)), leaf, tree.feature, tree.threshold, tree.children_left,
                tree.children_right, tree.missing_go_to_left.astype(bool), at.ravel(),
                model.classes_[which].ravel(), share.ravel(),
            )  # fmt: skip
            for part, column in zip(parts, columns, strict=True):
                part.append(column)
        owner = np.repeat(np.arange(len(parts[8])), [len(a) for a in parts[8]])
        tree, node, leaf, feature, value, yes, no, unknown, at, which, share = map(np.concatenate, parts)
        return Splits(
            tree, node, leaf, feature, last_at_most(value), yes, no, unknown, owner, at, which, share,
            np.zeros(self.classes),
        )  # fmt: skip

    def nodes(self, target: int, row: str, out: str) -> tuple[list[Any], list[Any]]:
        from onnx import helper, numpy_helper

        nodes, values = super().nodes(target, row, f"{out}.share")
        nodes.append(helper.make_node("Max", [f"{out}.share", f"{out}.least"], [f"{out}.some"], name=f"{out}.Max"))
        nodes.append(helper.make_node("Log", [f"{out}.some"], [out], name=f"{out}.Log"))
        return nodes, [*values, numpy_helper.from_array(np.array(LEAST, np.float32), f"{out}.least")]

    def pack(self, model: RandomForestClassifier) -> bytes:
        """NumPy's own archive, which runs no code when read."""
        states = [tree.tree_.__getstate__() for tree in model.estimators_]
        out = io.BytesIO()
        np.savez(
            out,
            columns=model.n_features_in_,
            classes=model.classes_,
            counts=[s["node_count"] for s in states],
            depths=[s["max_depth"] for s in states],
            nodes=np.concatenate([s["nodes"] for s in states]),
            values=np.concatenate([s["values"] for s in states]),
        )
        return out.getvalue()

    def unpack(self, blob: bytes) -> RandomForestClassifier:
        f = np.load(io.BytesIO(blob), allow_pickle=False)
        columns, classes, ends = int(f["columns"]), f["classes"], np.cumsum(f["counts"])[:-1]
        shape = {"n_features_in_": columns, "classes_": classes, "n_classes_": len(classes), "n_outputs_": 1}
        forest = RandomForestClassifier(len(f["counts"]), n_jobs=1)
        forest.estimators_ = []
        parts = f["depths"], np.split(f["nodes"], ends), np.split(f["values"], ends)
        for depth, nodes, values in zip(*parts, strict=True):
            tree = Tree(columns, np.array([len(classes)], np.intp), 1)
            tree.__setstate__({"max_depth": depth, "node_count": len(nodes), "nodes": nodes, "values": values})
            one = DecisionTreeClassifier()
            one.__dict__.update(shape, tree_=tree)
            forest.estimators_.append(one)
        forest.__dict__.update(shape)
        return forest
