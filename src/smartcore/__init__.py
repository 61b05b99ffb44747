"""The compiled core of trading bots: market events in, a decision with its reasons out.

Nothing but this face is promised. Importing it loads NumPy and the core; everything heavier loads when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from smartcore._core import __version__, build_config
from smartcore.errors import (
    ContractMismatch,
    CorruptSnapshot,
    InvalidData,
    InvalidEvent,
    InvalidFeature,
    NotDeclared,
    OutOfOrder,
    SmartcoreError,
    UnknownFeature,
)
from smartcore.features.catalogue import catalogue
from smartcore.features.engine import Engine, Instrument
from smartcore.features.feature_set import FeatureSet
from smartcore.market.events import (
    AUX,
    BAR,
    BASKET,
    DEPTH,
    EVENT,
    FACTOR,
    PEER,
    QUOTE,
    SCORE,
    SERIES,
    SOURCES,
    TRADE,
    Flag,
    Kind,
)

if TYPE_CHECKING:
    from smartcore.bot.journal import why
    from smartcore.bot.lane import Lane
    from smartcore.bot.orchestrator import Orchestrator
    from smartcore.bot.scorecards import scorecard
    from smartcore.decide import Decision, Policy, decide
    from smartcore.features.audit import audit
    from smartcore.features.panel import Panel
    from smartcore.features.user import feature
    from smartcore.market.readers import read
    from smartcore.market.simulator import simulate
    from smartcore.models import Model
    from smartcore.models.native import NativeModel

_LAZY = {
    "audit": "smartcore.features.audit",
    "Decision": "smartcore.decide",
    "Lane": "smartcore.bot.lane",
    "Model": "smartcore.models",
    "NativeModel": "smartcore.models.native",
    "Orchestrator": "smartcore.bot.orchestrator",
    "Panel": "smartcore.features.panel",
    "Policy": "smartcore.decide",
    "decide": "smartcore.decide",
    "feature": "smartcore.features.user",
    "read": "smartcore.market.readers",
    "scorecard": "smartcore.bot.scorecards",
    "simulate": "smartcore.market.simulator",
    "why": "smartcore.bot.journal",
}

__all__ = [
    "AUX", "BAR", "BASKET", "DEPTH", "EVENT", "FACTOR", "PEER", "QUOTE", "SCORE", "SERIES", "SOURCES", "TRADE",
    "ContractMismatch", "CorruptSnapshot", "Decision", "Engine", "FeatureSet", "Flag", "Instrument", "InvalidData",
    "InvalidEvent", "InvalidFeature", "Kind", "Lane", "Model", "NativeModel", "NotDeclared", "Orchestrator",
    "OutOfOrder", "Panel", "Policy", "SmartcoreError", "UnknownFeature", "__version__", "audit", "build_config",
    "catalogue", "decide", "feature", "read", "scorecard", "simulate", "why",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'smartcore' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
