"""Model files for tests and benchmarks, made of the shipped ones. Needs onnx."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartcore.models import BUILTIN, Contract, Golden, Model

Change = Callable[[Any, Contract], Contract]
"""Alters a ModelProto in place and returns the contract it keeps."""


def rewritten(name: str, path: Path, *changes: Change) -> Path:
    """The shipped model ``name`` after the changes, with golden scores of its own, at ``path``."""
    import onnx

    file = onnx.load(str(BUILTIN / f"{name}.onnx"))
    contract = Contract.from_metadata({p.key: p.value for p in file.metadata_props})
    golden = contract.golden
    for change in changes:
        contract = replace(change(file, contract), golden=None)
    for found in (None, golden):
        if found is not None:
            scores = Model.load(path).run(found.rows).astype(np.float32)
            contract = replace(contract, golden=Golden(found.rows, scores))
        contract = replace(contract, cache_key=hashlib.sha256(file.SerializeToString()).hexdigest()[:32])
        del file.metadata_props[:]
        onnx.helper.set_model_props(file, contract.to_metadata())
        onnx.save(file, str(path))
    return path


def free(file: Any, contract: Contract) -> Contract:
    """The first dimension of every input and output is free, and of what a Reshape makes."""
    from onnx import numpy_helper

    for tensor in [*file.graph.input, *file.graph.output]:
        tensor.type.tensor_type.shape.dim[0].dim_param = "batch"
    shapes = {node.input[1] for node in file.graph.node if node.op_type == "Reshape"}
    for constant in file.graph.initializer:
        if constant.name in shapes:
            shape = numpy_helper.to_array(constant).copy()
            if shape[0] == 1 and -1 not in shape:
                shape[0] = -1
                constant.CopyFrom(numpy_helper.from_array(shape, constant.name))
    return replace(contract, dynamic=True)


def two_horizons(file: Any, contract: Contract) -> Contract:
    """A second output of two horizons: the file's own, and beside it probabilities of half the logits."""
    from onnx import TensorProto, helper, numpy_helper

    graph = file.graph
    last = graph.node[-1]
    assert last.op_type == "Softmax"
    graph.initializer.append(numpy_helper.from_array(np.float32([0.5]), "half"))
    graph.initializer.append(numpy_helper.from_array(np.array([1]), "middle"))
    graph.node.extend(
        [
            helper.make_node("Mul", [last.input[0], "half"], ["logits_far"]),
            helper.make_node("Softmax", ["logits_far"], ["far"], axis=-1),
            helper.make_node("Unsqueeze", ["scores", "middle"], ["near_one"]),
            helper.make_node("Unsqueeze", ["far", "middle"], ["far_one"]),
            helper.make_node("Concat", ["near_one", "far_one"], ["scores_all"], axis=1),
        ]
    )
    graph.output.append(helper.make_tensor_value_info("scores_all", TensorProto.FLOAT, [1, 2, len(contract.classes)]))
    return replace(contract, horizons=(contract.horizon, "60s"))


def rows(model: Model, n: int, seed: int = 0, unknown: float = 0.05) -> NDArray[np.float64]:
    """Raw rows (n, columns) around the model's golden ones, some values unknown."""
    rng = np.random.default_rng(seed)
    golden = np.nan_to_num(model.contract.golden.rows.astype(float))
    table = golden[rng.integers(len(golden), size=n)] * rng.lognormal(0, 0.5, (n, golden.shape[1]))
    return np.where(rng.random(table.shape) < unknown, np.nan, table)


def net(name: str, path: Path, targets: int = 1, dynamic: bool = False, seed: int = 1, **config: Any) -> Path:
    """A net of ``learn.nets`` with random weights over four columns, exported. Needs torch."""
    import torch

    from smartcore.learn import nets
    from smartcore.learn.calibrate import none
    from smartcore.learn.export import Served, export_net

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    score = np.linspace(-2, 2, 5)
    knots = np.stack([score * rng.lognormal(0, 1, (4, 1)), np.tile(score, (4, 1))])
    made = nets.build(name, knots, targets=targets, **config)
    with torch.no_grad():  # fresh weights hardly move the scores, and what does not move proves nothing
        for weight in made.parameters():
            weight.mul_(3 if weight.ndim > 1 else 1)
    horizons = tuple(f"{10 * (i + 1)}s" for i in range(targets)) if targets > 1 else ()
    contract = Contract(
        name=name, kind=name, columns=("rsi_14", "spread", "zscore_50", "volatility_20"), fingerprint="toy",
        sample="1s", bars=None, horizon="10s", label="none", states=made.states, warm_up=made.warm_up,
        horizons=horizons,
    )  # fmt: skip
    golden = rng.normal(size=(12, 4)).astype(np.float32)
    export_net(Served(made, [none()] * targets, every=targets > 1), contract, golden, path, dynamic)
    return path
