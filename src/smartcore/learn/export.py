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
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from smartcore.learn.calibrate import Calibration, none
from smartcore.models import Contract, Golden, Model
from smartcore.models.contract import CACHE_KEY

OPSET = 20
IR = 10


class Served(torch.nn.Module):
    """A net as a file holds it: the logits of one target made calibrated probabilities, and where ``every`` is set,
    those of all targets after the states.
    """

    def __init__(
        self,
        net: torch.nn.Module,
        calibrations: Sequence[Calibration] = (none(),),
        target: int = 0,
        every: bool = False,
    ) -> None:
        super().__init__()
        if not 0 <= target < len(calibrations):
            raise ValueError(f"target {target}: the model has {len(calibrations)}, counted from 0")
        self.net = net
        self.target = target
        self.every = every
        self.calibrations = torch.nn.ModuleList([c.module() for c in calibrations])

    def forward(self, row: torch.Tensor, *states: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Raw row (b, k), states -> probabilities (b, classes), states after[, probabilities (b, targets, classes)]."""
        logits, *after = self.net(row, *states)  # (b, targets, classes)
        if not self.every:
            return self.probabilities(logits, self.target), *after
        each = [self.probabilities(logits, i) for i in range(len(self.calibrations))]
        return each[self.target], *after, torch.cat([p.unsqueeze(1) for p in each], dim=1)

    def probabilities(self, logits: torch.Tensor, target: int) -> torch.Tensor:
        """Logits (b, targets, classes) -> those of one target, calibrated (b, classes)."""
        one = logits.narrow(1, target, 1).reshape(-1, logits.shape[-1])
        calibrated: torch.Tensor = self.calibrations[target](one)
        return calibrated

    def start(self, batch: int = 1) -> tuple[torch.Tensor, ...]:
        """Fresh states."""
        return self.net.start(batch)


class Whole(torch.nn.Module):
    """A windowed net for a server that keeps no state: whole windows of raw rows in, probabilities out."""

    def __init__(self, served: Served) -> None:
        super().__init__()
        self.served = served

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Raw rows (b, window, k), oldest first -> probabilities (b, classes)."""
        net = self.served.net
        x, _ = net.inputs(rows)
        return self.served.probabilities(net.look(x), self.served.target)


def fits(model: Any, contract: Contract, target: int) -> None:
    """That a contract is one of this estimator. Raises ValueError; a file would read other columns, or in another
    order, than those that were learned.
    """
    if contract.columns != model.columns:
        said, own = (", ".join(names) for names in (contract.columns, model.columns))
        raise ValueError(f"the contract's columns are {said}; the model reads {own}, in this order")
    if len(contract.classes) != model.classes:
        raise ValueError(f"{len(contract.classes)} classes in the contract, {model.classes} in the model")
    if contract.horizons and len(contract.horizons) != model.targets:
        raise ValueError(f"{len(contract.horizons)} horizons in the contract, {model.targets} targets in the model")
    if not 0 <= target < model.targets:
        raise ValueError(f"target {target}: the model has {model.targets}, counted from 0")


def served(model: Any, contract: Contract, target: int = 0) -> Served:
    """The net of a fitted ``estimator.NetEstimator`` as its file holds it."""
    fits(model, contract, target)
    return Served(model.net, model.calibrations, target, bool(contract.horizons)).eval()


def export_estimator(
    model: Any,
    path: Path,
    contract: Contract,
    golden: NDArray[np.float32] | None,
    *,
    target: int = 0,
    dynamic: bool = False,
) -> Contract:
    """Write a fitted ``estimator.NetEstimator``; what the net itself knows goes into the contract."""
    module = served(model, contract, target)
    contract = replace(
        contract,
        kind=model.name,
        states=tuple(model.net.states),
        warm_up=int(model.net.warm_up),
        calibration=model.calibrations[target].record(),
        missing="taken as the column's training median, inside the graph",
    )
    return export_net(module, contract, golden, path, dynamic)


def export_net(
    net: torch.nn.Module, contract: Contract, golden: NDArray[np.float32] | None, path: Path, dynamic: bool = False
) -> Contract:
    """Write a served net, ``forward(row, *states) -> (scores, *states)`` (see :class:`Served`), to ``path``; return the
    contract as written.

    golden: (n, k) raw rows, some values unknown; their scores are computed by the written file and stored in it.
    dynamic: a variant with a free batch dimension, for ``Model.batch`` and for a server that batches.
    """
    rows = 2 if dynamic else 1  # a dimension of one would be specialised
    shapes = [(rows, contract.width), *((rows, *s.shape[1:]) for s in contract.states)]
    batch = torch.export.Dim("batch", min=1, max=4096)
    proto = _exported(
        net,
        shapes,
        ["row", *(s.input for s in contract.states)],
        ["scores", *(s.output for s in contract.states), *(["scores_all"] if contract.horizons else [])],
        ({0: batch}, *([tuple({0: batch} for _ in shapes[1:])] if contract.states else [])) if dynamic else None,
    )
    return write(proto, replace(contract, dynamic=dynamic), golden, path)


def export_windows(model: Any, path: Path, contract: Contract, *, target: int = 0) -> Contract:
    """Write the third variant of a windowed net: ``rows`` (batch, window, k) -> ``scores`` (batch, classes), no states,
    for a server that keeps the windows itself. :meth:`Model.load` does not take it. Running means over other time
    frames start with the window. Raises ValueError for a model without a window.
    """
    if not hasattr(getattr(model, "net", None), "window"):
        raise ValueError(f"{model.name} looks at no window: none can be given whole")
    module = Whole(Served(model.net, model.calibrations, target)).eval()
    shape = (2, model.net.window, contract.width)
    proto = _exported(module, [shape], ["rows"], ["scores"], ({0: torch.export.Dim("batch", min=1, max=4096)},))
    contract = replace(contract, kind=model.name, states=(), horizons=(), warm_up=0, dynamic=True)
    return write(proto, contract, None, path)


def _exported(
    module: torch.nn.Module, shapes: Sequence[tuple[int, ...]], inputs: list[str], outputs: list[str], dynamic: Any
) -> onnx.ModelProto:
    generator = torch.Generator().manual_seed(1)
    example = tuple(torch.randn(shape, generator=generator) for shape in shapes)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # else: that torchvision is not installed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, about its own use of its own
        program = torch.onnx.export(
            module.eval(),
            example,
            dynamo=True,
            opset_version=OPSET,
            external_data=False,
            input_names=inputs,
            output_names=outputs,
            dynamic_shapes=dynamic,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def write(
    model: onnx.ModelProto,
    contract: Contract,
    golden: NDArray[np.float32] | None,
    path: Path,
    tolerance: float | None = None,
) -> Contract:
    """Put the contract, golden scores, cache key and versions into a model, save it, return the contract.

    ``tolerance`` is that of the golden scores, ``Golden``'s own if left out.
    """
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
        contract = replace(contract, golden=Golden(rows, scores, *(() if tolerance is None else (tolerance,))))
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
        "lightgbm",
        "xgboost",
        "xgboost-cpu",
        "catboost",
        "scikit-learn",
        "numpy",
    ):
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            continue
    return out
