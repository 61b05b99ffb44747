"""Ensembles of nets and trees: stacking, an average weighted by performance, a choice by regime.

    model = ensemble.build("stacking", columns, members=("gru", "lightgbm", {"name": "xgboost", "rounds": 100}))
    model.fit(train, valid)

How members are weighed is learned from *out-of-fold* predictions alone: the training recordings are cut into folds by
time, each is predicted by members that were fitted on the others, without the rows whose label reaches into it or
that it reaches into (purging), and without those soon after it (embargo). The members that stay are then fitted on
all of the training recordings. Validation stops and calibrates; it weighs nobody. See Lopez de Prado (2018), *Advances
in Financial Machine Learning*, chapter 7.

Where every member is as good as the other, and they err alike, an ensemble is no better than one of them: print both.
"""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from smartcore.learn import archive, blend, estimator
from smartcore.learn.blend import Blend
from smartcore.learn.calibrate import Calibration, known_method, none
from smartcore.learn.calibrate import fit as fit_calibration
from smartcore.learn.data import Series
from smartcore.learn.evaluate.split import purged_kfold
from smartcore.models import Contract

Floats = NDArray[np.floating]
MEMBERS = ("lightgbm", "xgboost", "catboost", "random_forest")


@dataclass(frozen=True)
class Config:
    """What the configurations of all ensembles begin with."""

    folds: int = 4
    horizon: int | None = None
    """Nanoseconds a label looks ahead; None: as far as the recordings' last rows have no label (``label_ends``)."""
    embargo: int = 0
    """Nanoseconds after a fold's last label that are left out too."""


@dataclass(frozen=True)
class AverageConfig(Config):
    weights: str = "softmax"
    """By out-of-fold log-loss, see ``blend.weigh``: "softmax", "inverse" or "equal"."""
    scale: float = 0.01
    """Of softmax: a log-loss of this much more divides a member's weight by e."""


@dataclass(frozen=True)
class StackingConfig(Config):
    shrink: float = 10.0
    """Half of this times the squared weights is added to the summed log-loss."""


@dataclass(frozen=True)
class DynamicConfig(AverageConfig):
    regime: tuple[str, ...] = ()
    """Columns that tell the regime; none: the first with "volatility" in its name."""
    buckets: int = 3
    """Of each, by quantiles of the training rows; unknown values are in one of their own."""
    strength: float = 300.0
    """A regime's losses are mixed with as many rows of the loss everywhere."""


class Ensemble(ABC):
    """Fitted members and their blend for each target; an ``estimator.Estimator``.

    members: names, or mappings of ``name`` and what ``estimator.build`` takes. calibration: of the blend; the
    members have their own.
    """

    name: str
    Config: ClassVar[type[Any]]

    def __init__(
        self,
        columns: Sequence[str],
        *,
        classes: int = 3,
        targets: int = 1,
        members: Sequence[str | Mapping[str, Any]] = MEMBERS,
        calibration: str = "temperature",
        **config: Any,
    ) -> None:
        self.columns = tuple(columns)
        self.classes = classes
        self.targets = targets
        self.method = known_method(calibration)
        self.config = self.Config(**{k: tuple(v) if isinstance(v, list) else v for k, v in config.items()})
        self.wanted = tuple({"name": m} if isinstance(m, str) else dict(m) for m in members)
        if not self.wanted:
            raise ValueError(f"members of {self.name}: one or more")
        if any(m.get("checkpoint") for m in self.wanted):
            raise ValueError("members have no checkpoint: each is trained once a fold, and a file is of one training")
        for i in range(len(self.wanted)):
            self._member(i)  # refuse now what cannot be, not after hours
        self.members: list[Any] = []
        self.blends: list[Blend] = []
        self.calibrations: tuple[Calibration, ...] = (none(),) * targets
        self.losses: list[list[float]] = []
        """Out-of-fold log-loss of each member, for each target."""
        self.out_of_fold: NDArray[np.float64] | None = None
        """What the members said of training rows they had not seen, (n, members, targets, classes); not saved."""

    @property
    def calibration(self) -> Calibration:
        """Of the first target."""
        return self.calibrations[0]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the members."""
        return tuple(m["name"] for m in self.wanted)

    def fit(self, train: Sequence[Series], valid: Sequence[Series], seed: int = 0) -> Self:
        """Weigh the members by folds of ``train``, fit them on all of it, calibrate the blend on ``valid``.

        Raises ValueError for recordings too short for their folds, and where no horizon is given nor to be seen.
        """
        self.out_of_fold = self._out_of_fold(train, valid, seed)
        self.members = [
            self._member(i).fit(train, valid, seed)
            for i in tqdm(range(len(self.wanted)), "members", leave=False, disable=None)
        ]
        return self._weighed(train, valid)

    def another(self, name: str, train: Sequence[Series], valid: Sequence[Series], **config: Any) -> Ensemble:
        """An ensemble of another kind of the same members, as fitted just now on the same recordings: only the
        weighing is done anew. ``config`` is of its own kind. RuntimeError where this one was not fitted here.
        """
        if self.out_of_fold is None:
            raise RuntimeError(f"{self.name} was not fitted here: out-of-fold predictions are not saved")
        members: dict[str, Any] = {"members": self.wanted, "calibration": self.method}
        other = build(name, self.columns, classes=self.classes, targets=self.targets, **members, **config)
        other.out_of_fold, other.members = self.out_of_fold, self.members
        return other._weighed(train, valid)

    def _weighed(self, train: Sequence[Series], valid: Sequence[Series]) -> Self:
        """Weights from out-of-fold predictions, then the calibration."""
        told = self.out_of_fold
        assert told is not None
        label, rows = (np.concatenate([getattr(s, name) for s in train]) for name in ("label", "rows"))
        self.blends, self.losses = [], []
        for t in range(self.targets):
            known = label[:, t] >= 0
            self.blends.append(self.weigh(told[known, :, t], label[known, t], rows[known]))
            self.losses.append(blend.losses(told[known, :, t], label[known, t]).mean(0).tolist())
        logits = self.logits(valid)
        truth = np.concatenate([s.label for s in valid])
        self.calibrations = tuple(
            fit_calibration(self.method, logits[:, t], truth[:, t]) if (truth[:, t] >= 0).any() else none()
            for t in range(self.targets)
        )
        return self

    @abstractmethod
    def weigh(self, prob: Floats, label: NDArray[np.integer], rows: Floats) -> Blend:
        """The blend, from out-of-fold probabilities (n, members, classes), labels (n,) and raw rows (n, k)."""

    def logits(self, series: Sequence[Series]) -> NDArray[np.float64]:
        """(rows of all series joined, targets, classes), before calibration; each series from a fresh state."""
        return self._blended(self.told(series), np.concatenate([s.rows for s in series]))

    def told(self, series: Sequence[Series]) -> NDArray[np.float64]:
        """What each member says: calibrated probabilities (n, members, targets, classes)."""
        self._fitted()
        return np.stack([estimator.probabilities(m, series) for m in self.members], axis=1)

    def agreement(self, series: Sequence[Series]) -> NDArray[np.float64]:
        """How far members and ensemble say the same, (n, targets): the probability that both put on the same classes,
        averaged over the members. 1: all say alike.
        """
        told, rows = self.told(series), np.concatenate([s.rows for s in series])
        blended = estimator.calibrated(self, self._blended(told, rows))  # (n, targets, classes)
        same: NDArray[np.float64] = np.minimum(told, blended[:, None]).sum(3).mean(1)
        return same

    def prob(self, rows: NDArray[np.float32], target: int = 0) -> NDArray[np.float64]:
        """Calibrated probabilities (n, classes) of raw rows (n, k) in order from a fresh state."""
        n = len(rows)
        one = Series(np.arange(n), rows, np.ones(n), np.full((n, self.targets), -1, np.int8))
        return estimator.probabilities(self, [one])[:, target]

    def export(
        self,
        path: Path,
        contract: Contract,
        golden: NDArray[np.float32] | None,
        *,
        target: int = 0,
        dynamic: bool = False,
    ) -> Contract:
        """Write members, blend and calibration of one target as one graph; return the contract as written."""
        from smartcore.learn.export import fits
        from smartcore.learn.fuse import fuse

        self._fitted()
        contract = replace(contract, kind=self.name, horizons=())
        fits(self, contract, target)
        with tempfile.TemporaryDirectory() as folder:
            parts = [Path(folder) / f"{i}.onnx" for i in range(len(self.members))]
            for part, member in zip(parts, self.members, strict=True):
                own = replace(contract, name=member.name, kind=member.name)
                member.export(part, own, None, target=target, dynamic=dynamic)
            return fuse(
                parts,
                path,
                blend=self.blends[target],
                calibration=self.calibrations[target],
                contract=contract,
                golden=golden,
            )

    def save(self, path: Path) -> None:
        """An archive (``learn.archive``) with a file for every member."""
        self._fitted()
        about = {
            "family": "ensemble",
            "name": self.name,
            "columns": self.columns,
            "classes": self.classes,
            "targets": self.targets,
            "members": self.wanted,
            "calibration": self.method,
            "config": asdict(self.config),
            "calibrations": [c.record() for c in self.calibrations],
            "blends": [b.record() for b in self.blends],
            "losses": self.losses,
        }
        files = {}
        with tempfile.TemporaryDirectory() as folder:
            for i, member in enumerate(self.members):
                part = Path(folder) / str(i)
                member.save(part)
                files[f"members/{i}"] = part.read_bytes()
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(archive.pack(about, files))

    @classmethod
    def of(cls, about: Mapping[str, Any], files: Mapping[str, bytes]) -> Self:
        """From the contents of such an archive."""
        same = {key: about[key] for key in ("columns", "classes", "targets", "members", "calibration")}
        out = cls(**same, **about["config"])
        out.calibrations = tuple(Calibration.of(record) for record in about["calibrations"])
        out.blends = [blend.of(record) for record in about["blends"]]
        out.losses = about["losses"]
        with tempfile.TemporaryDirectory() as folder:
            for i in range(len(out.wanted)):
                part = Path(folder) / str(i)
                part.write_bytes(files[f"members/{i}"])
                out.members.append(estimator.load(part))
        return out

    def _fitted(self) -> None:
        if not self.members:
            raise RuntimeError(f"{self.name} is not fitted: call fit() or load() a file")

    def _member(self, i: int) -> Any:
        """A fresh member."""
        return estimator.build(**self.wanted[i], columns=self.columns, classes=self.classes, targets=self.targets)

    def _blended(self, told: Floats, rows: Floats) -> NDArray[np.float64]:
        each = [b.logits(told[:, :, t], rows, self.columns) for t, b in enumerate(self.blends)]
        return np.stack(each, axis=1)

    def _out_of_fold(self, train: Sequence[Series], valid: Sequence[Series], seed: int) -> NDArray[np.float64]:
        """What members say of training rows that they were not fitted on, (n, members, targets, classes)."""
        c = self.config
        n = sum(map(len, train))
        told = np.full((n, len(self.wanted), self.targets, self.classes), np.nan)
        parts = list(folds(train, c.folds, label_ends(train, c.horizon), c.embargo))
        with tqdm(total=len(parts) * len(self.wanted), desc="folds", leave=False, disable=None) as bar:
            for rest, inside in parts:
                asked = [i for i, mine in enumerate(inside) if mine.any()]
                where = np.concatenate([mine if i in asked else np.zeros_like(mine) for i, mine in enumerate(inside)])
                mine = np.concatenate([inside[i] for i in asked])
                for m in range(len(self.wanted)):
                    # Whole recordings, for a net is to come to the fold as it would live; labels it has not seen.
                    found = estimator.probabilities(self._member(m).fit(rest, valid, seed), [train[i] for i in asked])
                    told[where, m] = found[mine]
                    bar.update()
        return told

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self.names)}, columns={len(self.columns)}, targets={self.targets})"


class Average(Ensemble):
    """A mean of probabilities, weighted by out-of-fold log-loss."""

    name = "average"
    Config = AverageConfig

    def weigh(self, prob: Floats, label: NDArray[np.integer], rows: Floats) -> Blend:
        return blend.Average.fit(prob, label, self.config.weights, self.config.scale)


class Stacking(Ensemble):
    """Multinomial logistic regression on the members' out-of-fold log-probabilities."""

    name = "stacking"
    Config = StackingConfig

    def weigh(self, prob: Floats, label: NDArray[np.integer], rows: Floats) -> Blend:
        return blend.Stacker.fit(prob, label, self.config.shrink)


class Dynamic(Ensemble):
    """A weighted mean, with weights of its own for every regime that a row may be in."""

    name = "dynamic"
    Config = DynamicConfig

    def __init__(self, columns: Sequence[str], **config: Any) -> None:
        super().__init__(columns, **config)
        absent = [name for name in self.config.regime if name not in self.columns]
        if absent:
            raise ValueError(f"no column {absent[0]!r} to tell the regime by: there is {', '.join(self.columns)}")

    @property
    def regime(self) -> tuple[str, ...]:
        """The columns it goes by. Raises ValueError where none is named nor is there one of volatility."""
        named: tuple[str, ...] = self.config.regime
        found = named or tuple(name for name in self.columns if "volatility" in name)[:1]
        if not found:
            raise ValueError(f"name the columns that tell the regime, regime=(...): {', '.join(self.columns)}")
        return found

    def fit(self, train: Sequence[Series], valid: Sequence[Series], seed: int = 0) -> Self:
        assert self.regime  # or it says now, not after hours, that none is named
        return super().fit(train, valid, seed)

    def weigh(self, prob: Floats, label: NDArray[np.integer], rows: Floats) -> Blend:
        c = self.config
        return blend.Regimes.fit(
            prob, label, rows, self.columns, self.regime, c.buckets, c.weights, c.scale, c.strength
        )


ENSEMBLES: dict[str, type[Ensemble]] = {cls.name: cls for cls in (Average, Dynamic, Stacking)}
"""Name -> class."""


def build(name: str, columns: Sequence[str], *, classes: int = 3, targets: int = 1, **config: Any) -> Ensemble:
    """An ensemble not fitted yet; ``config`` holds its members and fills its configuration. Raises ValueError for an
    unknown name, of it or of a member, TypeError for an unknown field.
    """
    if name not in ENSEMBLES:
        raise ValueError(f"no ensemble {name!r}: there is {', '.join(ENSEMBLES)}")
    return ENSEMBLES[name](columns, classes=classes, targets=targets, **config)


def load(path: Path | str) -> Ensemble:
    """What :meth:`Ensemble.save` wrote. Raises ValueError for another file."""
    about, files = archive.unpack(Path(path).read_bytes())
    return ENSEMBLES[about["name"]].of(about, files)


def label_ends(series: Sequence[Series], horizon: int | None = None) -> list[NDArray[np.int64]]:
    """Until when each row's label looks ahead, a time for every row of every recording.

    horizon: nanoseconds. None: as the recordings show it, for their last rows have no label yet; as many nanoseconds
    or as many rows, whichever is later. Raises ValueError where every recording has a label on its last row.
    """
    if horizon is not None:
        return [s.ts + horizon for s in series]
    span = rows = 0
    for s in series:
        for label in s.label.T:
            known = np.flatnonzero(label >= 0)
            if len(known):
                span = max(span, int(s.ts[-1] - s.ts[known[-1]]))
                rows = max(rows, len(s) - 1 - int(known[-1]))
    if not rows:
        raise ValueError("recordings whose last row has a label do not show how far it looks ahead: give horizon=...")
    return [np.maximum(s.ts + span, s.ts[np.minimum(np.arange(len(s)) + rows, len(s) - 1)]) for s in series]


def folds(
    series: Sequence[Series], count: int, ends: Sequence[NDArray[np.int64]], embargo: int = 0
) -> Iterator[tuple[list[Series], list[NDArray[np.bool_]]]]:
    """``count`` folds by time (``evaluate.split.purged_kfold``): (recordings to learn from, which rows of each are the
    fold's). A recording with a hole in it becomes two.

    ends: until when labels look ahead, see :func:`label_ends`. Raises ValueError where nothing is left to learn from.
    """
    ts = np.concatenate([s.ts for s in series])
    order = np.argsort(ts, kind="stable")
    borders = np.cumsum([len(s) for s in series])[:-1]
    for fold in purged_kfold(ts[order], np.concatenate(ends)[order], count, embargo=embargo):
        keep, inside = np.zeros((2, len(ts)), bool)
        keep[order[fold.train]] = inside[order[fold.test]] = True
        rest = []
        for s, kept in zip(series, np.split(keep, borders), strict=True):
            runs = np.split(np.arange(len(s)), np.flatnonzero(np.diff(kept)) + 1)
            rest += [s.part(run[0], run[-1] + 1) for run in runs if len(run) and kept[run[0]]]
        if not any((s.label >= 0).any() for s in rest):
            raise ValueError(f"{count} folds leave nothing to learn from: labels look as far ahead as rows go")
        yield rest, np.split(inside, borders)
