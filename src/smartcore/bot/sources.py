"""The models of a bot by what they are to ``decide()``, and what each last said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from smartcore.decide import MODELS
from smartcore.errors import ContractMismatch
from smartcore.features.engine import Engine, bar_rule

if TYPE_CHECKING:
    from smartcore.models import Contract

_SEQUENCE, _ENSEMBLE = MODELS
_TREES = {
    "gbdt", "trees", "forest", "random_forest", "lightgbm", "xgboost", "catboost", "ensemble", "average", "dynamic",
    "stacking", "fused",
}  # fmt: skip


class Steps(Protocol):
    """What an orchestrator asks of a model; ``smartcore.Model`` is one."""

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
    """A model, and its scores after the last step: None where it failed, is not warm, or knew too few columns."""

    __slots__ = ("faults", "model", "most", "name", "sample", "scores", "ts")

    def __init__(self, name: str, model: Steps, max_missing: float) -> None:
        self.name = name
        self.model = model
        self.sample = model.contract.sample
        self.most = int(max_missing * len(model.contract.columns))
        self.scores: NDArray[np.float64] | None = None
        self.ts = 0
        self.faults = 0

    def step(self, row: NDArray[np.float64], ts: int) -> None:
        """One row, as of ``ts``."""
        self.scores = None
        model = self.model
        try:
            scores = model.step(row)
            if model.ready and model.missing <= self.most:
                self.scores, self.ts = scores, ts
        except Exception:  # whatever a runtime may raise: the bot goes on without this model and says so
            self.faults += 1

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
        if contract.bars is not None and engine.bars is not None and bar_rule(contract.bars) != bar_rule(engine.bars):
            raise ContractMismatch(
                f"model {contract.name!r} was trained on bars of {contract.bars!r}, this engine makes {engine.bars!r}"
            )
        model.bind(engine.features)
        found[name] = Source(name, model, max_missing)
    return tuple(found.values())
