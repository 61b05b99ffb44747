"""One face for whatever predicts: nets, trees, ensembles of them, and the linear floor below all.

    from smartcore.learn import estimator

    model = estimator.build("gru", columns, hidden=128, rounds=25)
    model.fit(train, valid, seed=1)
    prob = estimator.probabilities(model, test)      # (rows, targets, classes)
    model.save("gru.pt"); model = estimator.load("gru.pt")
    model.export("gru.onnx", contract, golden)

Everything that is fitted is fitted in ``fit``: scaling and weights on the training recordings, when to stop and the
calibration on the validation recordings. Nothing here needs the compiled core, onnx or a tree library until it is used,
so nets can be trained on a machine that has torch and little else.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from smartcore.learn.calibrate import Calibration, known_method, none
from smartcore.learn.calibrate import fit as fit_calibration
from smartcore.learn.data import Series
from smartcore.learn.scaling import Group, scale

FORMAT = 1
"""Of the files that :meth:`NetEstimator.save` writes."""


class Estimator(Protocol):
    """What training, evaluation and export ask of a model. Labels and logits have a column per target."""

    name: str
    """By which ``build`` makes it."""
    columns: tuple[str, ...]
    """Of its rows, in order."""
    classes: int
    targets: int

    @property
    def calibration(self) -> Calibration:
        """Of the first target; ``none()`` until fitted."""

    @property
    def calibrations(self) -> tuple[Calibration, ...]:
        """Of every target."""

    def fit(self, train: Sequence[Series], valid: Sequence[Series], seed: int = 0) -> Self:
        """Fit all targets, then the calibration on ``valid``. The same seed and machine give the same model."""

    def logits(self, series: Sequence[Series]) -> NDArray[np.floating]:
        """(rows of all series joined, targets, classes), as live: each series from a fresh state and its first row."""

    def export(
        self, path: Path, contract: Any, golden: NDArray[np.float32] | None, *, target: int = 0, dynamic: bool = False
    ) -> Any:
        """Write an ONNX file that gives calibrated probabilities of one target; return its contract as written.

        contract: what only the caller knows (columns, fingerprint, pace, horizon, label); the rest is filled in here.
        golden: rows (n, k) whose scores are stored in the file. dynamic: with a free batch dimension, for servers.
        """

    def save(self, path: Path) -> None:
        """One file, which ``load`` reads."""


ENSEMBLES = ("average", "dynamic", "stacking")


def names() -> tuple[str, ...]:
    """Every estimator that is here: the linear floor, nets, trees, ensembles."""
    return tuple(name for known in _registry().values() for name in known)


def family(name: str) -> str:
    """"linear", "net", "tree" or "ensemble". Raises ValueError for an unknown name."""
    from smartcore.learn import nets

    if name in nets.PRESETS:
        return "net"
    for family, known in _registry().items():
        if name in known:
            return family
    raise ValueError(f"no model {name!r}: there is {', '.join(names())}")


def build(name: str, columns: Sequence[str], *, classes: int = 3, targets: int = 1, **config: Any) -> Estimator:
    """A fresh estimator. ``config`` fills the fields of its configuration; a net takes those of ``train.Config`` too.

    All take ``calibration``: "temperature" (the default), "isotonic" or "none". Raises ValueError for an unknown name,
    TypeError for a field that it does not have.
    """
    found = family(name)
    if found == "linear":
        return LinearEstimator(name, columns, classes=classes, targets=targets, **config)
    if found == "net":
        return NetEstimator(name, columns, classes=classes, targets=targets, **config)
    made: Estimator = _module(found).build(name, columns, classes=classes, targets=targets, **config)
    return made


def settings(name: str) -> dict[str, Any]:
    """What ``build`` takes for a model besides columns, classes and targets: field -> default."""
    found = family(name)
    own: tuple[Any, ...]
    if found in ("linear", "net"):
        from smartcore.learn import nets, train
        from smartcore.learn.linear import Config

        own = (train.Config, nets.kind(name)[1]) if found == "net" else (Config,)
    elif found == "tree":
        own = (_module(found).kind(name).Config,)
    else:
        own = (_module(found).ENSEMBLES[name].Config,)
    given = ("columns", "targets", "classes")
    out = {f.name: f.default for config in own for f in fields(config) if f.name not in given}
    if found == "ensemble":
        out["members"] = _module(found).MEMBERS
    return {**out, "calibration": "temperature"}


def load(path: Path | str) -> Estimator:
    """What ``save`` wrote. Raises FileNotFoundError, ValueError for another file."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no trained model {str(path)!r}: make one with smartcore train")
    told = _about(path)
    if told is not None:
        for family in ("tree", "ensemble"):
            if told.get("name") in _registry()[family]:
                other: Estimator = _module(family).load(path)
                return other
        raise ValueError(f"{path.name} holds {told.get('name')!r}, which this release does not know")
    record = _read(path)
    return (LinearEstimator if record["estimator"] == "linear" else NetEstimator).from_record(record)


def probabilities(model: Estimator, series: Sequence[Series]) -> NDArray[np.float64]:
    """Calibrated probabilities (rows, targets, classes) of whole recordings, joined."""
    return calibrated(model, model.logits(series))


def calibrated(model: Estimator, logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Logits (rows, targets, classes) to probabilities, each target by its own calibration."""
    return np.stack([c.prob(logits[:, i]) for i, c in enumerate(model.calibrations)], axis=1)


class NetEstimator:
    """A net, what it was trained with, and its calibration.

    training: of ``train.Config``; fields of it may be given by name among ``config`` as well, where the net's own
    configuration has none of that name. calibration: "temperature", "isotonic" or "none". device: "auto" takes CUDA
    where it is. checkpoint: a file, written after every round; where it exists, training goes on from it. scaling:
    groups of columns that are scaled in a way of their own (``scaling.Group``), all others by rank.
    """

    family = "net"

    def __init__(
        self,
        name: str,
        columns: Sequence[str],
        *,
        classes: int = 3,
        targets: int = 1,
        training: Any = None,
        calibration: str = "temperature",
        device: str = "auto",
        checkpoint: Path | str | None = None,
        scaling: Sequence[Group] = (),
        **config: Any,
    ) -> None:
        from smartcore.learn import train

        self.name = name
        self.columns = tuple(columns)
        self.classes = classes
        self.targets = targets
        self.method = known_method(calibration)
        self.device = device
        self.checkpoint = checkpoint
        self.scaling = tuple(scaling)
        own = {f.name for f in fields(self.kind[1])} - {"columns", "targets", "classes"}
        other = {f.name for f in fields(train.Config)}
        for field in config:
            if field not in own | other:
                raise TypeError(
                    f"{name} has no field {field!r}: the net has {', '.join(sorted(own))}; "
                    f"its training {', '.join(sorted(other - own))}"
                )
        self.training = replace(
            training or train.Config(), **{k: _plain(v) for k, v in config.items() if k in other - own}
        )
        known = self.kind[0].by_names(self.columns)
        self.config = {k: _plain(v) for k, v in {**known, **config}.items() if k in own}
        self._made(np.zeros((2, len(self.columns), 2)))  # refuse now what cannot be, not after hours
        self.net: Any = None
        self.calibrations: tuple[Calibration, ...] = (none(),) * targets
        self.history: tuple[Any, ...] = ()
        """(training loss, validation loss) of each round."""
        self.peak = 0
        """Bytes that training took at most, see ``train.peak_memory``."""

    @property
    def kind(self) -> tuple[Any, Any]:
        """The class of its net and that of its configuration."""
        from smartcore.learn import nets

        return nets.kind(self.name)

    @property
    def calibration(self) -> Calibration:
        return self.calibrations[0]

    @property
    def weights(self) -> int:
        """How many numbers were learned."""
        return sum(p.numel() for p in self._fitted().parameters())

    def fit(self, train: Sequence[Series], valid: Sequence[Series], seed: int = 0) -> Self:
        import torch

        torch.manual_seed(seed)
        self.net = self._made(scale(train, self.columns, self.scaling))
        self._learn(train, valid, seed)
        logits = self.logits(valid)
        label = np.concatenate([s.label for s in valid])
        self.calibrations = tuple(
            fit_calibration(self.method, logits[:, i], label[:, i]) if (label[:, i] >= 0).any() else none()
            for i in range(self.targets)
        )
        return self

    def logits(self, series: Sequence[Series]) -> NDArray[np.float32]:
        from smartcore.learn import train

        return train.predict(self._fitted(), series, self.device)[0]

    def export(
        self, path: Path, contract: Any, golden: NDArray[np.float32] | None, *, target: int = 0, dynamic: bool = False
    ) -> Any:
        from smartcore.learn.export import export_estimator

        self._fitted()
        return export_estimator(self, Path(path), contract, golden, target=target, dynamic=dynamic)

    def save(self, path: Path) -> None:
        import torch

        torch.save(self.record(), path)

    def record(self) -> dict[str, Any]:
        """All there is to it, in types that ``torch.load(weights_only=True)`` takes."""
        return {
            "format": FORMAT,
            "estimator": self.family,
            "name": self.name,
            "columns": list(self.columns),
            "classes": self.classes,
            "targets": self.targets,
            "scaling": [[list(g.columns), g.how] for g in self.scaling],
            "config": dict(self.config),
            "training": asdict(self.training),
            "calibration": self.method,
            "calibrations": [c.record() for c in self.calibrations],
            "weights": {k: v.detach().to("cpu", copy=True) for k, v in self._fitted().state_dict().items()},
            "history": [list(map(float, row)) for row in self.history],
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """What :meth:`record` gave."""
        from smartcore.learn import train

        known = {f.name for f in fields(train.Config)}
        model = cls(
            record["name"],
            record["columns"],
            classes=record["classes"],
            targets=record["targets"],
            calibration=record["calibration"],
            training=train.Config(**{k: v for k, v in record["training"].items() if k in known}),
            scaling=[Group(tuple(columns), how) for columns, how in record.get("scaling", ())],
            **record["config"],
        )
        ramps = record["weights"]["inputs.low"].shape[1]
        model.net = model._made(np.zeros((2, len(model.columns), ramps + 1)))  # its knots are among the weights
        model.net.load_state_dict(record["weights"])
        model.net.eval()
        model.calibrations = tuple(Calibration.of(c) for c in record["calibrations"])
        model.history = tuple(tuple(row) for row in record["history"])
        return model

    def _made(self, knots: NDArray[np.floating]) -> Any:
        net, config = self.kind
        return net(
            config(columns=len(self.columns), targets=self.targets, classes=self.classes, **self.config), knots
        )

    def _learn(self, train: Sequence[Series], valid: Sequence[Series], seed: int) -> None:
        """Train the net in place."""
        from smartcore.learn.train import fit

        found = fit(self.net, train, valid, self.training, seed, self.device, self.checkpoint)
        self.net, self.history, self.peak = found.net, found.history, found.peak

    def _fitted(self) -> Any:
        if self.net is None:
            raise RuntimeError(f"{self.name} is not fitted: call fit() or load() a file")
        return self.net

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, columns={len(self.columns)}, targets={self.targets})"


class LinearEstimator(NetEstimator):
    """Multinomial logistic regression on the scaled columns: the floor. What it learns is convex, so it is solved."""

    family = "linear"

    @property
    def kind(self) -> tuple[Any, Any]:
        from smartcore.learn.linear import Config, Linear

        return Linear, Config

    def _learn(self, train: Sequence[Series], valid: Sequence[Series], seed: int) -> None:
        from smartcore.learn.linear import solve

        self.history = solve(self.net, train)


def _registry() -> dict[str, tuple[str, ...]]:
    """Family -> names."""
    from smartcore.learn import nets, trees

    return {"linear": ("logistic",), "net": nets.names(), "tree": trees.names(), "ensemble": ENSEMBLES}


def _module(family: str) -> Any:
    return import_module({"tree": "smartcore.learn.trees", "ensemble": "smartcore.learn.ensemble"}[family])


def _about(path: Path) -> dict[str, Any] | None:
    """What trees and ensembles say of themselves in their files; None for a net's."""
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("about.json")) if "about.json" in archive.namelist() else None
    except zipfile.BadZipFile:
        return None


def _read(path: Path) -> dict[str, Any]:
    import torch

    try:
        record = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(record, dict) or not record.get("format", FORMAT + 1) <= FORMAT:
            raise ValueError("another format")
    except Exception as error:  # torch raises many kinds for what is not its own
        raise ValueError(f"{path.name} is no trained model of this release: {error}") from error
    return record


def _plain(value: Any) -> Any:
    """Lists, as JSON has them, to the tuples of configurations."""
    return tuple(_plain(v) for v in value) if isinstance(value, list) else value
