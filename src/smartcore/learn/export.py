"""Nets to ONNX: the recipe that gave one CoreML partition and parity to 1e-6 on sixteen architectures, and
the contract.

``dynamo=True, opset_version=20, external_data=False``, static batch of one, distinct example tensors
(torch.export merges aliased ones and the graph then silently uses one for both).
"""

from __future__ import annotations

import hashlib
import logging
import platform
import warnings
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from smartcore.models import Contract, Golden, Model
from smartcore.models.contract import CACHE_KEY

OPSET = 20
IR = 10


class Served(torch.nn.Module):
    """A net as a file holds it: the logits of one target made calibrated probabilities."""

    def __init__(self, net: torch.nn.Module, temperature: float = 1.0, target: int = 0) -> None:
        super().__init__()
        self.net = net
        self.target = target
        self.register_buffer("sharpness", torch.tensor([1 / temperature], dtype=torch.float32))

    sharpness: torch.Tensor

    def forward(self, row: torch.Tensor, *states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Raw row (b, k), states -> probabilities (b, classes), states after."""
        logits, *after = self.net(row, *states)  # (b, targets, classes)
        one = logits.narrow(1, self.target, 1).reshape(-1, logits.shape[-1])
        return torch.softmax(one * self.sharpness, dim=1), *after

    def start(self, batch: int = 1) -> tuple[torch.Tensor, ...]:
        """Fresh states."""
        return self.net.start(batch)


def export_net(
    net: torch.nn.Module, contract: Contract, golden: NDArray[np.float32], path: Path, dynamic: bool = False
) -> Contract:
    """Write a served net, ``forward(row, *states) -> (scores, *states)`` (see :class:`Served`), to ``path``; return the
    contract as written.

    golden: (n, k) raw rows, some values unknown; their scores are computed by the written file and stored in it.
    dynamic: a variant with a free batch dimension, for a server that batches; :meth:`Model.load` takes the static one.
    """
    generator = torch.Generator().manual_seed(1)
    rows = 2 if dynamic else 1  # a dimension of one would be specialised
    shapes = [(rows, contract.width), *((rows, *s.shape[1:]) for s in contract.states)]
    example = tuple(torch.randn(shape, generator=generator) for shape in shapes)
    batch = torch.export.Dim("batch", min=1, max=4096)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # else: that torchvision is not installed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, about its own use of its own
        program = torch.onnx.export(
            net.eval(),
            example,
            dynamo=True,
            opset_version=OPSET,
            external_data=False,
            input_names=["row", *(s.input for s in contract.states)],
            output_names=["scores", *(s.output for s in contract.states)],
            dynamic_shapes=({0: batch}, tuple({0: batch} for _ in shapes[1:])) if dynamic else None,
            verbose=False,
        )
    assert program is not None
    return write(program.model_proto, contract, None if dynamic else golden, path)


def write(model: onnx.ModelProto, contract: Contract, golden: NDArray[np.float32] | None, path: Path) -> Contract:
    """Put the contract, golden scores, cache key and versions into a model, save it, return the contract."""
    contract = replace(contract, created_with=versions(), golden=None, cache_key="")
    model.ir_version = IR
    model.producer_name, model.producer_version = "smartcore", contract.created_with.get("smartcore", "")
    del model.graph.value_info[:]  # stale shapes make quantisation fail later, and nothing reads them
    model.doc_string = ""
    for node in model.graph.node:  # the exporter's notes of its source lines: twice the size, and paths of the machine
        node.doc_string = ""
        del node.metadata_props[:]
    for tensor in [*model.graph.initializer, *model.graph.input, *model.graph.output]:
        del tensor.metadata_props[:]
        tensor.doc_string = ""
    del model.graph.metadata_props[:]
    _save(model, contract, path)
    if golden is not None:
        rows = np.ascontiguousarray(golden, np.float32)
        scores = Model.load(path).run(rows.astype(np.float64)).astype(np.float32)
        contract = replace(contract, golden=Golden(rows, scores))
        _save(model, contract, path)
    contract = replace(contract, cache_key=hashlib.sha256(path.read_bytes()).hexdigest()[:32])
    _save(model, contract, path)
    onnx.checker.check_model(str(path), full_check=True)
    return contract


def _save(model: onnx.ModelProto, contract: Contract, path: Path) -> None:
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, contract.to_metadata())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


def cache_key_fits(path: Path) -> bool:
    """Whether the file is, but for the key itself, what its CoreML cache key was made of."""
    model = onnx.load(str(path))
    kept = [p for p in model.metadata_props if p.key != CACHE_KEY]
    key = next((p.value for p in model.metadata_props if p.key == CACHE_KEY), "")
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    return hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()[:32] == key


def versions() -> dict[str, str]:
    """What made a file: this package, the trainers, the converters."""
    out = {"python": platform.python_version()}
    for name in (
        "smartcore",
        "torch",
        "onnx",
        "onnxscript",
        "onnxruntime",
        "onnxmltools",
        "lightgbm",
        "numpy",
    ):
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            continue
    return out
