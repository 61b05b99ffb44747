"""Shapley values: each column's share of what this row's score differs from usual rows' by (Shapley 1953; Lundberg and
Lee 2017, arXiv:1705.07874).

Of trees they are exact and cost no sampling. Against one usual row z, a leaf is reached by those mixtures of x and z
that take from x every column by which only x gets there, and from z every one by which only z does; Shapley's formula
over these two sets is closed (Lundberg et al. 2020, doi:10.1038/s42256-019-0138-9, interventional). So the file alone
is enough: no library, no counts of training rows, and the values mean the same for every library.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from smartcore.errors import InvalidData
from smartcore.learn.explain.explanation import Explanation, stability
from smartcore.learn.trees.base import Splits, Trees, known

Score = Callable[[NDArray[np.float64]], NDArray[np.floating]]
"""Rows (n, k) to the score that is explained (n,)."""


def shap(
    model: Trees | Path | str,
    row: NDArray[np.floating],
    background: NDArray[np.floating],
    columns: Sequence[str] | None = None,
    target: int = 0,
) -> Explanation:
    """Exact Shapley values of one row (k,) against rows (m, k) that stand for usual ones.

    model: trained trees, or the ONNX file of such (``TreeEnsembleRegressor`` on the row). What is explained is the last
    class's score less the first's, before calibration: for boosted trees in log odds, for forests in shares of votes.
    Raises InvalidData for a file that holds anything else (an ensemble of several files, a net): see ``sampled``.
    """
    if isinstance(model, Trees):
        splits, names = model.splits(model.models[target]), model.columns
    else:
        splits, names = _read(str(Path(model).absolute()))
    names = tuple(columns) if columns is not None else names
    x = _rows(row, len(names))[0]
    z = _rows(background, len(names))
    bare = float(splits.base[-1] - splits.base[0])
    paths = _paths(splits)
    values, base, score = _interventional(x, z, *paths, _weights(paths[2].shape[1]))
    return Explanation(
        method="shap",
        subject="up - down, before calibration",
        columns=names,
        row=np.asarray(row, np.float64).reshape(-1),
        values=values,
        base=bare + base,
        score=bare + score,
        notes=(f"exact, against {len(z)} usual rows",),
    )


def sampled(
    score: Score,
    row: NDArray[np.floating],
    background: NDArray[np.floating],
    columns: Sequence[str],
    permutations: int = 64,
    seed: int = 0,
    subject: str = "up - down",
) -> Explanation:
    """Shapley values of any function by permutations and their reverses (Mitchell et al. 2022, arXiv:2104.12199).

    score: rows (n, k) to (n,). Each pair of permutations starts at a row of the background; the values sum to the
    difference of the score from the mean over the rows drawn, exactly. Costs ``2 permutations (k + 1)`` rows.
    """
    if permutations < 2:
        raise ValueError(f"permutations: {permutations!r} is below 2")
    x = _floats(row, len(columns))[0]
    z = _floats(background, len(columns))
    rng = np.random.default_rng(seed)
    k = len(x)
    draws, bases = [], []
    for i in range(permutations):
        start = z[int(rng.integers(len(z)))] if i >= len(z) else z[i]
        order = rng.permutation(k)
        part = np.zeros(k)
        for way in (order, order[::-1]):
            mixed = np.tile(start, (k + 1, 1))
            for step, column in enumerate(way, 1):
                mixed[step:, column] = x[column]
            said = np.asarray(score(mixed), np.float64).reshape(-1)
            part[way] += np.diff(said) / 2
        draws.append(part)
        bases.append(float(said[0]))
    found = np.array(draws)
    halves = [found[i::4].mean(0) for i in range(4)] if permutations >= 8 else list(found)
    return Explanation(
        method="sampled",
        subject=subject,
        columns=tuple(columns),
        row=x,
        values=found.mean(0),
        base=float(np.mean(bases)),
        score=float(np.asarray(score(x[None])).reshape(-1)[0]),
        error=found.std(0, ddof=1) / np.sqrt(permutations),
        stability=stability(halves),
        notes=(f"{permutations} permutations and their reverses, against {min(permutations, len(z))} usual rows",),
    )


def _floats(rows: NDArray[np.floating], width: int) -> NDArray[np.float64]:
    table = np.atleast_2d(np.asarray(rows, np.float64))
    if table.ndim != 2 or table.shape[1] != width or not len(table):
        raise InvalidData(f"rows of shape {np.shape(rows)}: expected (n, {width}), n at least 1")
    return table


def _rows(rows: NDArray[np.floating], width: int) -> NDArray[np.float32]:
    """As a model sees them: float32, the infinite unknown."""
    return known(_floats(rows, width).astype(np.float32))


@lru_cache(8)
def _read(path: str) -> tuple[Splits, tuple[str, ...]]:
    """The trees of a file, and its columns."""
    import onnx

    from smartcore.models import Contract

    file = onnx.load(path)
    contract = Contract.from_metadata({p.key: p.value for p in file.metadata_props})
    found = [n for n in file.graph.node if n.op_type == "TreeEnsembleRegressor"]
    alone = [n for n in found if list(n.input) == ["row"] and n.output[0].startswith("scores.")]
    if len(alone) != 1 or (len(found) > 1 and not contract.horizons):
        raise InvalidData(
            f"{Path(path).name}: {len(found)} groups of trees, {len(alone)} of them on the row alone: "
            "exact values want a file of one; take the method 'sampled' or 'lime'"
        )
    a = {x.name: onnx.helper.get_attribute_value(x) for x in alone[0].attribute}
    modes = np.array([m.decode() for m in a["nodes_modes"]])
    if set(modes) - {"LEAF", "BRANCH_LEQ"}:
        raise InvalidData(f"{Path(path).name}: splits of other kinds than x <= value: {sorted(set(modes))}")
    targets = int(a["n_targets"])
    splits = Splits(
        np.array(a["nodes_treeids"]), np.array(a["nodes_nodeids"]), modes == "LEAF", np.array(a["nodes_featureids"]),
        np.array(a["nodes_values"], np.float32), np.array(a["nodes_truenodeids"]), np.array(a["nodes_falsenodeids"]),
        np.array(a["nodes_missing_value_tracks_true"]).astype(bool), np.array(a["target_treeids"]),
        np.array(a["target_nodeids"]), np.array(a["target_ids"]), np.array(a["target_weights"]),
        np.array(a.get("base_values", [0.0] * targets), np.float64),
    )  # fmt: skip
    return splits, contract.columns


Paths = tuple[Any, ...]


def _paths(splits: Splits) -> Paths:
    """Every leaf with its weight for (last class - first class) and the path to it: (depth, weight, then of each step
    feature, value, whether it goes to ``yes``, whether the unknown does)."""
    where = {(int(t), int(n)): i for i, (t, n) in enumerate(zip(splits.tree, splits.node, strict=True))}
    last = len(splits.base) - 1
    weight: dict[int, float] = {}
    for t, n, c, w in zip(
        splits.weight_tree.tolist(), splits.weight_node.tolist(), splits.weight_class.tolist(),
        splits.weight.tolist(), strict=True,
    ):  # fmt: skip
        sign = (c == last) - (c == 0)
        if sign:
            at = where[t, n]
            weight[at] = weight.get(at, 0.0) + sign * float(np.float32(w))
    steps: list[list[tuple[int, float, bool, bool]]] = []
    weights: list[float] = []
    for tree in np.unique(splits.tree).tolist():
        open_: list[tuple[int, list[tuple[int, float, bool, bool]]]] = [(where[tree, 0], [])]
        while open_:
            at, path = open_.pop()
            if splits.leaf[at]:
                if weight.get(at):
                    steps.append(path)
                    weights.append(weight[at])
                continue
            f, v, u = int(splits.feature[at]), float(splits.value[at]), bool(splits.unknown[at])
            open_.append((where[tree, int(splits.yes[at])], [*path, (f, v, True, u)]))
            open_.append((where[tree, int(splits.no[at])], [*path, (f, v, False, u)]))
    depth = np.array([len(p) for p in steps], np.int64)
    deepest = int(depth.max(initial=1))
    feature = np.zeros((len(steps), deepest), np.int64)
    value = np.zeros((len(steps), deepest), np.float32)
    yes = np.zeros((len(steps), deepest), np.bool_)
    unknown = np.zeros((len(steps), deepest), np.bool_)
    for i, path in enumerate(steps):
        for j, (f, v, y, u) in enumerate(path):
            feature[i, j], value[i, j], yes[i, j], unknown[i, j] = f, v, y, u
    return depth, np.array(weights), feature, value, yes, unknown


def _weights(deepest: int) -> NDArray[np.float64]:
    """w[u, v]: Shapley weight of one of u columns that must come from x, where v must come from z; 0 for u = 0."""
    w = np.zeros((deepest + 1, deepest + 1))
    for u in range(1, deepest + 1):
        for v in range(deepest + 1 - u):
            w[u, v] = 1.0 / (u * comb(u + v, u))
    return w


@njit(cache=True)
def _interventional(x, z, depth, weight, feature, value, yes, unknown, w):  # type: ignore[no-untyped-def]
    """(contributions (k,), mean score of the rows z, score of x), all without the base."""
    k, m = len(x), len(z)
    out = np.zeros(k)
    base = 0.0
    score = 0.0
    mine = np.zeros(k, np.int8)  # 1: x passes all of the leaf's conditions on this column; 2: z does; 3: both
    used = np.empty(feature.shape[1], np.int64)
    for i in range(len(depth)):
        for b in range(m):
            n = 0
            for j in range(depth[i]):
                f = feature[i, j]
                if mine[f] == 0:
                    mine[f] = 4 + 3  # 4: seen
                    used[n] = f
                    n += 1
                goes = unknown[i, j] if np.isnan(x[f]) else x[f] <= value[i, j]
                if goes != yes[i, j]:
                    mine[f] &= ~1
                goes = unknown[i, j] if np.isnan(z[b, f]) else z[b, f] <= value[i, j]
                if goes != yes[i, j]:
                    mine[f] &= ~2
            u = 0
            v = 0
            dead = False
            for j in range(n):
                s = mine[used[j]] & 3
                if s == 0:
                    dead = True
                elif s == 1:
                    u += 1
                elif s == 2:
                    v += 1
            if not dead:
                if v == 0 and b == 0:
                    score += weight[i]
                if u == 0:
                    base += weight[i] / m
                for j in range(n):
                    s = mine[used[j]] & 3
                    if s == 1:
                        out[used[j]] += weight[i] * w[u, v] / m
                    elif s == 2:
                        out[used[j]] -= weight[i] * w[v, u] / m
            for j in range(n):
                mine[used[j]] = 0
    return out, base, score
