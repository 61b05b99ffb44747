"""What all trees are: raw rows in, scores of each class out, unknown values welcome.

    row (b, k) -> TreeEnsembleRegressor (sums of leaves) [-> log, for forests] -> calibration -> scores (b, classes)

Every library's trees are brought into one form, :class:`Splits`, and that is written as ONNX. Two things that ready
converters leave undone are done here: every float32 goes where the library sends it, though the library's threshold
may be a float64 (rounding that to the nearest float32 can send the very value a split was made at to the other side);
and an unknown value (NaN) goes where the library sends it at that split. The libraries are given infinite values as
unknown ones, for half of them refuse such rows; the engine makes none, and the file compares them as what they are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from smartcore.learn import archive
from smartcore.learn.calibrate import Calibration, known_method, none
from smartcore.learn.calibrate import fit as fit_calibration
from smartcore.learn.data import Series
from smartcore.models import Contract

Rows = NDArray[np.float32]
Floats = NDArray[np.floating]
Train = tuple[Rows, NDArray[np.int8], NDArray[np.float32] | None]
"""Rows (n, k), labels (n,), weights (n,) or None."""


@dataclass(frozen=True)
class TreesConfig:
    """What the configurations of all trees begin with."""

    drop: float = 0.02
    """Share of values made unknown in training, so that every split has seen some."""
    threads: int = 1


@dataclass(frozen=True)
class Splits:
    """Trees in one form, n nodes of all of them and m weights of their leaves.

    A row goes to ``yes`` where its value of ``feature`` is at most ``value``, to ``no`` where it is above, to ``yes``
    or ``no`` by ``unknown`` where it is NaN; the weights of the leaves it ends in are summed onto ``base``.
    """

    tree: NDArray[np.integer]
    node: NDArray[np.integer]
    """Number within the tree; 0 is the root."""
    leaf: NDArray[np.bool_]
    feature: NDArray[np.integer]
    value: Rows
    yes: NDArray[np.integer]
    no: NDArray[np.integer]
    unknown: NDArray[np.bool_]
    """NaN goes to ``yes``."""
    weight_tree: NDArray[np.integer]
    weight_node: NDArray[np.integer]
    weight_class: NDArray[np.integer]
    weight: Floats
    base: Floats
    """(classes,)"""

    def attributes(self) -> dict[str, Any]:
        """Of a ``TreeEnsembleRegressor`` of ai.onnx.ml 3 with a target for each class."""

        def ints(a: NDArray[Any]) -> list[int]:
            return a.astype(int).tolist()

        inner = ~self.leaf
        return {
            "n_targets": len(self.base),
            "base_values": self.base.astype(np.float32).tolist(),
            "nodes_treeids": ints(self.tree),
            "nodes_nodeids": ints(self.node),
            "nodes_modes": np.where(self.leaf, "LEAF", "BRANCH_LEQ").tolist(),
            "nodes_featureids": ints(self.feature * inner),
            "nodes_values": np.where(inner, self.value, 0).astype(np.float32).tolist(),
            "nodes_truenodeids": ints(self.yes * inner),
            "nodes_falsenodeids": ints(self.no * inner),
            "nodes_missing_value_tracks_true": ints(self.unknown & inner),
            "target_treeids": ints(self.weight_tree),
            "target_nodeids": ints(self.weight_node),
            "target_ids": ints(self.weight_class),
            "target_weights": self.weight.astype(np.float32).tolist(),
        }


def last_at_most(threshold: NDArray[np.float64]) -> Rows:
    """The largest float32 not above each threshold: for a float32 x, x <= threshold exactly if x <= this."""
    with np.errstate(over="ignore"):
        near = np.minimum(threshold, np.finfo(np.float32).max).astype(np.float32)
    return np.where(near.astype(np.float64) > threshold, np.nextafter(near, np.float32(-np.inf)), near)


def stack(series: Sequence[Series], target: int = 0) -> tuple[Rows, NDArray[np.int8], NDArray[np.float32] | None]:
    """Rows (n, k), labels (n,) and weights (n,) of recordings for one target, without those that have no label; no
    weights where no recording has any.
    """
    rows = np.concatenate([s.rows for s in series])
    label = np.concatenate([s.label[:, target] for s in series])
    weight = None
    if any(s.weight is not None for s in series):
        weight = np.concatenate([np.ones(len(s), np.float32) if s.weight is None else s.weight for s in series])
        weight = weight[label >= 0]
    return rows[label >= 0], label[label >= 0], weight


def known(rows: Rows) -> Rows:
    """NaN for the infinite."""
    return np.where(np.isfinite(rows), rows, np.float32(np.nan))


class Trees(ABC):
    """Trees of one library, an ``estimator.Estimator``: a model and a calibration for each target.

    calibration: "none", "temperature" or "isotonic", fitted on validation.
    """

    name: str
    Config: ClassVar[type[Any]]
    suffix: ClassVar[str]
    """Of the library's own file format."""

    def __init__(
        self,
        columns: Sequence[str],
        *,
        classes: int = 3,
        targets: int = 1,
        calibration: str = "temperature",
        **config: Any,
    ) -> None:
        self.columns = tuple(columns)
        self.classes = classes
        self.targets = targets
        self.method = known_method(calibration)
        self.config = self.Config(**config)
        self.models: list[Any] = []
        self.calibrations: tuple[Calibration, ...] = (none(),) * targets

    @property
    def calibration(self) -> Calibration:
        """Of the first target."""
        return self.calibrations[0]

    def fit(self, train: Sequence[Series], valid: Sequence[Series], seed: int = 0) -> Self:
        """Grow the trees of every target on ``train``; ``valid`` says when to stop, and what calibrates them. Rows
        without a label are left out. The same seed gives the same trees.
        """
        self.models, calibrations = [], []
        for target in range(self.targets):
            rng = np.random.default_rng(seed)
            x, y, weight = stack(train, target)
            checked, truth, _ = stack(valid, target)
            if not (len(y) and len(truth)):
                raise ValueError(f"target {target}: {len(y)} training and {len(truth)} validation rows have a label")
            x = np.where(rng.random(x.shape, np.float32) < self.config.drop, np.float32(np.nan), known(x))
            checked = known(checked)
            model = self.grow((x, y, weight), (checked, truth), seed)
            self.models.append(model)
            calibrations.append(fit_calibration(self.method, self.scores(model, checked), truth))
        self.calibrations = tuple(calibrations)
        return self

    @abstractmethod
    def grow(self, train: Train, valid: tuple[Rows, NDArray[np.int8]], seed: int) -> Any:
        """The library's model of the training rows, stopped by what it makes of the validation rows."""

    @abstractmethod
    def scores(self, model: Any, rows: Rows) -> Floats:
        """Logits (n, classes) by the library itself: what is calibrated, and what the exported file is held to."""

    @abstractmethod
    def splits(self, model: Any) -> Splits:
        """The library's trees in our form."""

    @abstractmethod
    def pack(self, model: Any) -> bytes:
        """The library's own file format."""

    @abstractmethod
    def unpack(self, blob: bytes) -> Any:
        """The model that ``pack`` made bytes of."""

    def raw(self, rows: Rows, target: int = 0) -> Floats:
        """Logits (n, classes) of raw rows (n, k), by the library itself."""
        self._fitted()
        return self.scores(self.models[target], np.ascontiguousarray(known(rows), np.float32))

    def prob(self, rows: Rows, target: int = 0) -> NDArray[np.float64]:
        """Calibrated probabilities (n, classes) of raw rows (n, k), by the library itself."""
        return self.calibrations[target].prob(self.raw(rows, target))

    def logits(self, series: Sequence[Series]) -> Floats:
        """(rows of all series joined, targets, classes), before calibration. A row is judged alone."""
        rows = np.concatenate([s.rows for s in series])
        return np.stack([self.raw(rows, target) for target in range(self.targets)], axis=1)

    def export(
        self, path: Path, contract: Contract, golden: Rows | None, *, target: int = 0, dynamic: bool = False
    ) -> Contract:
        """Write one target with its calibration to ``path``; return the contract as written. See
        ``export.export_net``.
        """
        from onnx import TensorProto, helper, numpy_helper

        from smartcore.learn.export import OPSET, fits, write

        self._fitted()
        fits(self, contract, target)
        several = contract.horizons
        rows: int | str = "batch" if dynamic else 1
        outputs = [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [rows, self.classes])]
        nodes, values, own = [], [], []
        for i in range(self.targets) if several else [target]:
            name = "scores" if i == target else f"scores_{i}"
            for part in (self.nodes(i, "row", f"{name}.logits"), self.calibrations[i].nodes(f"{name}.logits", name)):
                nodes += part[0]
                values += part[1]
            if several:
                own.append(f"{name}.own")
                nodes.append(helper.make_node("Unsqueeze", [name, "axis"], own[-1:]))
        if several:
            values.append(numpy_helper.from_array(np.array([1], np.int64), "axis"))
            nodes.append(helper.make_node("Concat", own, ["scores_all"], axis=1))
            shape = [rows, len(several), self.classes]
            outputs.append(helper.make_tensor_value_info("scores_all", TensorProto.FLOAT, shape))
        inputs = [helper.make_tensor_value_info("row", TensorProto.FLOAT, [rows, len(self.columns)])]
        graph = helper.make_graph(nodes, contract.name, inputs, outputs, values)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", 3)]
        contract = replace(
            contract,
            kind=self.name,
            states=(),
            warm_up=0,
            dynamic=dynamic,
            calibration=self.calibrations[target].record(),
            missing="takes the branch that was learned for unknown values at each split",
        )
        model = helper.make_model(graph, opset_imports=opsets)
        return write(model, contract, golden, Path(path))

    def nodes(self, target: int, row: str, out: str) -> tuple[list[Any], list[Any]]:
        """(ONNX nodes, initializers) from tensor ``row`` (b, k) to logits ``out`` (b, classes)."""
        from onnx import helper

        node = helper.make_node(
            "TreeEnsembleRegressor",
            [row],
            [out],
            name=f"{out}.trees",
            domain="ai.onnx.ml",
            **self.splits(self.models[target]).attributes(),
        )
        return [node], []

    def save(self, path: Path) -> None:
        """An archive (``learn.archive``) with the library's own file for every target."""
        self._fitted()
        about = {
            "family": "tree",
            "name": self.name,
            "columns": self.columns,
            "classes": self.classes,
            "targets": self.targets,
            "calibration": self.method,
            "config": asdict(self.config),
            "calibrations": [c.record() for c in self.calibrations],
        }
        files = {f"{i}{self.suffix}": self.pack(model) for i, model in enumerate(self.models)}
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(archive.pack(about, files))

    @classmethod
    def of(cls, about: Mapping[str, Any], files: Mapping[str, bytes]) -> Self:
        """From the contents of such an archive."""
        same = {key: about[key] for key in ("columns", "classes", "targets", "calibration")}
        out = cls(**same, **about["config"])
        out.calibrations = tuple(Calibration.of(record) for record in about["calibrations"])
        out.models = [out.unpack(files[f"{i}{cls.suffix}"]) for i in range(out.targets)]
        return out

    def _fitted(self) -> None:
        if not self.models:
            raise RuntimeError(f"{self.name} is not fitted: call fit() or load() a file")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(columns={len(self.columns)}, targets={self.targets}, {self.config})"
