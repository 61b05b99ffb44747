"""The models of a bot by what they are to ``decide()``."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from smartcore import _core
from smartcore.decide import MODELS
from smartcore.errors import ContractMismatch
from smartcore.features.engine import Engine, bar_rule
from smartcore.features.feature_set import FeatureSet

if TYPE_CHECKING:
    from smartcore.models import Contract

_SEQUENCE, _ENSEMBLE = MODELS
_TREES = {
    "gbdt", "trees", "forest", "random_forest", "lightgbm", "xgboost", "catboost", "ensemble", "average", "dynamic",
    "stacking", "fused",
}  # fmt: skip


class Steps(Protocol):
    """What an orchestrator asks of a model; ``smartcore.Model`` is one. Where it has ``snapshot`` and ``restore``, its
    state is part of the bot's; where it has ``novelty``, decisions heed it.
    """

    @property
    def contract(self) -> Contract: ...
    @property
    def missing(self) -> int: ...
    @property
    def ready(self) -> bool: ...
    def bind(self, features: Any) -> Any: ...
    def step(self, row: NDArray[np.float64]) -> NDArray[np.float64]: ...
    def fork(self) -> Any: ...


class Source:
    """A model as the loop steps it: silent while it is not warm or knows too few columns."""

    __slots__ = ("_novel", "model", "most", "name", "sample")

    def __init__(self, name: str, model: Steps, max_missing: float) -> None:
        self.name = name
        self.model = model
        self.sample = model.contract.sample
        self.most = int(max_missing * len(model.contract.columns))
        self._novel = hasattr(model, "novelty")
        if isinstance(model, _core.Speaker):
            model._most_missing(self.most)  # type: ignore[attr-defined]

    @property
    def speaker(self) -> Any:
        """What the loop steps: the model itself where it needs no interpreter, else this."""
        return self.model if isinstance(self.model, _core.Speaker) else self

    @property
    def calibrated(self) -> bool:
        return bool(self.model.contract.calibration)

    def step(self, row: NDArray[np.float64]) -> tuple[NDArray[np.float64], float] | None:
        """Scores and novelty (NaN unknown) of one row, None where it has nothing to say. Raises what the model does."""
        model = self.model
        scores = model.step(row)
        if not model.ready or model.missing > self.most:
            return None
        return scores, model.novelty if self._novel else math.nan  # type: ignore[attr-defined]

    def snapshot(self) -> bytes:
        """The model's state; empty where it gives none."""
        return self.model.snapshot() if hasattr(self.model, "snapshot") else b""

    def restore(self, blob: bytes) -> None:
        """Go on from :meth:`snapshot`."""
        if blob:
            self.model.restore(blob)  # type: ignore[attr-defined]

    def about(self) -> dict[str, Any]:
        """Who this is, as plain JSON types."""
        c = self.model.contract
        return {
            "source": self.name,
            "name": c.name,
            "kind": c.kind,
            "id": c.cache_key or c.fingerprint,
            "sample": c.sample,
            "horizon": c.horizon,
            "columns": len(c.columns),
        }


def features_for(models: Iterable[Steps]) -> FeatureSet:
    """The default columns, and behind them those that only these models read."""
    default = FeatureSet.default()
    more = {column for model in models for column in model.contract.columns} - set(default.columns)
    return FeatureSet([*default.columns, *sorted(more)]) if more else default


def sources(models: Sequence[Steps], engine: Engine, max_missing: float) -> tuple[Source, ...]:
    """Bind the models to the engine's features: trees, and ensembles and fused files whatever is in them, are
    the ensemble; all else is the sequence model.

    Raises ValueError for two of one sort, ContractMismatch for a model trained on other features or other bars.
    """
    found: dict[str, Source] = {}
    for model in models:
        contract = model.contract
        name = _ENSEMBLE if contract.kind in _TREES else _SEQUENCE
        if name in found:
            other = found[name].model.contract.name
            raise ValueError(f"models {other!r} and {contract.name!r} are both the {name} model: give one of each")
        found[name] = _bound(name, model, engine, max_missing)
    return tuple(found.values())


def stand_ins(
    models: Mapping[str, Steps], firsts: Sequence[Source], engine: Engine, max_missing: float
) -> dict[str, Source]:
    """Simpler models by the source they speak for while that one's model fails.

    Raises ValueError for a source that no model speaks for, ContractMismatch for a model of another pace or horizon.
    """
    by_name = {source.name: source for source in firsts}
    found: dict[str, Source] = {}
    for name, model in models.items():
        if name not in by_name:
            raise ValueError(
                f"fallback: {name!r} is no source of this bot ({', '.join(by_name) or 'it has no models'})"
            )
        first, second = by_name[name].model.contract, model.contract
        for field in ("sample", "horizon"):
            if getattr(first, field) != getattr(second, field):
                raise ContractMismatch(
                    f"fallback: model {second.name!r} has {field} {getattr(second, field)!r}, "
                    f"the one it stands in for {getattr(first, field)!r}"
                )
        found[name] = _bound(name, model, engine, max_missing)
    return found


def _bound(name: str, model: Steps, engine: Engine, max_missing: float) -> Source:
    contract = model.contract
    if contract.bars is not None and engine.bars is not None and bar_rule(contract.bars) != bar_rule(engine.bars):
        raise ContractMismatch(
            f"model {contract.name!r} was trained on bars of {contract.bars!r}, this engine makes {engine.bars!r}"
        )
    model.bind(engine.features)
    return Source(name, model, max_missing)
