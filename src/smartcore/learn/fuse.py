"""Several model files into one: a net that steps, trees, their blend and its calibration in a single graph.

    row (1, k), states -> each part, its own columns of the row -> blend -> calibration -> scores (1, classes), states

For serving elsewhere: one file, one contract, one call. It is not faster by much (a tenth): what trees cost is walking
them. On CoreML, which has no trees, a net is better off in a file of its own.

Parts are files of this package; all have to agree on what they predict and at what pace. Their columns need not be the
same: the fused file reads each column once. Trees are told the new positions; a net's columns are cut out of the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, compose, helper

from smartcore.errors import ContractMismatch
from smartcore.learn.blend import Average, Blend, Graph
from smartcore.learn.calibrate import Calibration, none
from smartcore.models import Contract, Inputs, State

ALIKE = ("sample", "bars", "horizon", "label", "classes", "thresholds", "dynamic")
"""What the contracts of all parts have to say alike."""
OPSETS = {"": 20, "ai.onnx.ml": 3}
SLICES = 8
"""A net's columns that lie in more runs than this are gathered, which CoreML may not do."""
_TREES = ("TreeEnsembleRegressor", "TreeEnsembleClassifier")


def fuse(
    parts: Sequence[Path | str],
    path: Path | str,
    *,
    blend: Blend | None = None,
    calibration: Calibration | None = None,
    contract: Contract | None = None,
    golden: NDArray[np.float32] | None = None,
    name: str = "fused",
) -> Contract:
    """Write the files ``parts`` as one to ``path``; return the contract as written.

    blend: from the parts' probabilities to logits, in the order of ``parts``; None for their plain mean.
    calibration: of those; None for a plain softmax.
    contract: of the result; None for that of the first part. Its columns, where they hold those of all parts, say how
    the rows are; states, warm-up, calibration are filled in here.
    golden: rows (n, k) of the fused columns.

    Raises ContractMismatch where parts disagree (``ALIKE``) or were made of columns computed otherwise.
    """
    if not parts:
        raise ValueError("no files to make one of")
    models = [onnx.load(str(part)) for part in parts]
    contracts = [Contract.from_metadata({p.key: p.value for p in model.metadata_props}) for model in models]
    blend, calibration = blend or Average.equal(len(models)), calibration or none()
    _agree(contracts)
    columns = _columns(contracts, contract)
    nodes: list[Any] = []
    values: list[Any] = []
    scores, states = [], []
    for i, (model, own) in enumerate(zip(models, contracts, strict=True)):
        prefix = f"{i}."
        graph = _prefixed(model, prefix, str(parts[i]))
        cut = _rewired(graph, prefix, [columns.index(c) for c in own.columns], len(columns))
        nodes += [*cut.nodes, *graph.node]
        values += [*cut.values, *graph.initializer]
        scores.append(f"{prefix}scores")
        states += [State(prefix + s.input, prefix + s.output, s.shape) for s in own.states]
    for more in (
        blend.nodes(scores, "row", columns, len(contracts[0].classes), "blend"),
        calibration.nodes("blend", "scores"),
    ):
        nodes += more[0]
        values += more[1]
    contract = replace(
        contract or replace(contracts[0], name=name, kind="fused", metrics={}),
        columns=columns,
        fingerprint=_fingerprint(contracts, columns),
        states=tuple(states),
        warm_up=max(c.warm_up for c in contracts),
        dynamic=contracts[0].dynamic,
        horizons=(),
        inputs=_inputs(contracts if contract is None else [contract, *contracts], columns),
        calibration={
            **calibration.record(),
            **blend.record(),
            "parts": [{"name": c.name, "kind": c.kind, **c.calibration} for c in contracts],
        },
        missing="; ".join(
            f"{', '.join(dict.fromkeys(c.kind for c in contracts if c.missing == said))}: {said}"
            for said in dict.fromkeys(c.missing for c in contracts)
        ),
    )
    from smartcore.learn.export import write

    return write(_model(contract, nodes, values), contract, golden, Path(path))


def _agree(contracts: Sequence[Contract]) -> None:
    first = contracts[0]
    for other in contracts[1:]:
        for field in ALIKE:
            a, b = getattr(first, field), getattr(other, field)
            if a != b:
                raise ContractMismatch(
                    f"parts cannot be one model: {field} is {a!r} in {first.name!r}, {b!r} in {other.name!r}"
                )


def _columns(contracts: Sequence[Contract], contract: Contract | None) -> tuple[str, ...]:
    """Every column of any part once; those of parts with states first, so that theirs lie side by side."""
    own = [c.columns for c in sorted(contracts, key=lambda c: not c.states)]
    union = tuple(dict.fromkeys(name for columns in own for name in columns))
    if contract is not None and set(union) <= set(contract.columns):
        return contract.columns
    return union


def _inputs(contracts: Sequence[Contract], columns: tuple[str, ...]) -> Inputs | None:
    """Of a part that reads all the columns: how far a row is from what others learned from cannot be told apart."""
    return next((c.inputs for c in contracts if c.columns == columns and c.inputs is not None), None)


def _fingerprint(contracts: Sequence[Contract], columns: tuple[str, ...]) -> str:
    """Of the fused columns; where they are more than any part's, as this release computes them."""
    if all(own.columns == columns for own in contracts):
        known = {own.fingerprint for own in contracts}
        if len(known) > 1:
            raise ContractMismatch(f"parts read the same columns, computed otherwise: fingerprints {sorted(known)}")
        return known.pop()
    import smartcore as sc

    for own in contracts:
        here = sc.FeatureSet(list(own.columns)).fingerprint
        if here != own.fingerprint:
            raise ContractMismatch(
                f"part {own.name!r} was trained on columns of these names, computed otherwise: fingerprint "
                f"{own.fingerprint} in the file, {here} here"
            )
    return sc.FeatureSet(list(columns)).fingerprint


def _prefixed(model: onnx.ModelProto, prefix: str, path: str) -> onnx.GraphProto:
    """The part's graph with a prefix to every name. Raises ValueError for operators of another version."""
    for opset in model.opset_import:
        if any(n.domain == opset.domain for n in model.graph.node) and opset.version != OPSETS.get(opset.domain):
            raise ValueError(
                f"{path} uses operators of {opset.domain or 'ai.onnx'} {opset.version}, which are fused as of {OPSETS} "
                "only: export it again"
            )
    if model.functions or any(a.HasField("g") for node in model.graph.node for a in node.attribute):
        raise ValueError(f"{path} holds functions or graphs within its graph, which are not fused")
    return compose.add_prefix(model, prefix).graph


def _rewired(graph: onnx.GraphProto, prefix: str, index: list[int], width: int) -> Graph:
    """Make the part read the fused row: trees by the columns' new positions, all else by what the returned nodes cut
    out of it.
    """
    cut = Graph(f"{prefix}row")
    row, whole = f"{prefix}row", index == list(range(width))
    readers = [node for node in graph.node if row in node.input]
    taken = "row" if whole or all(node.op_type in _TREES for node in readers) else ""
    for node in readers:
        if node.op_type in _TREES:
            for attribute in node.attribute:
                if attribute.name == "nodes_featureids":
                    attribute.ints[:] = [index[i] for i in attribute.ints]
            source = "row"
        else:
            source = taken = taken or _taken(cut, index)
        node.input[:] = [source if name == row else name for name in node.input]
    return cut


def _taken(cut: Graph, index: list[int]) -> str:
    """Nodes that take columns ``index`` out of the row, as slices where they lie in few runs."""
    borders = [0, *(np.flatnonzero(np.diff(index) != 1) + 1).tolist(), len(index)]
    runs = [(index[a], index[b - 1] + 1) for a, b in pairwise(borders)]
    if len(runs) > SLICES:
        return cut("Gather", ["row", cut.value(index, np.int64)], axis=1)
    parts = [cut("Slice", ["row", *(cut.value([i], np.int64) for i in (*run, 1))]) for run in runs]
    return parts[0] if len(parts) == 1 else cut("Concat", parts, axis=1)


def _model(contract: Contract, nodes: list[Any], values: list[Any]) -> onnx.ModelProto:
    rows: int | str = "batch" if contract.dynamic else 1

    def tensor(name: str, shape: Sequence[int]) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [rows, *shape])

    graph = helper.make_graph(
        nodes,
        contract.name,
        [tensor("row", [contract.width]), *(tensor(s.input, s.shape[1:]) for s in contract.states)],
        [tensor("scores", [len(contract.classes)]), *(tensor(s.output, s.shape[1:]) for s in contract.states)],
        values,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid(d, v) for d, v in OPSETS.items()])
