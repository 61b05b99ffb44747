"""What we advise: ``decide()`` is a pure function of a row, scores, a scorecard and a policy, and returns a
frozen Decision.
"""

import sys
from types import ModuleType
from typing import Any

from smartcore.decide import schedule
from smartcore.decide.decide import decide
from smartcore.decide.decision import Decision, Execution, Parts, Reason, Regime, Risk, Track
from smartcore.decide.inputs import Context, Inputs
from smartcore.decide.notes import GATES
from smartcore.decide.policy import PRESETS, Policy
from smartcore.decide.scorecard import Score, Scorecard, Scores
from smartcore.decide.words import (
    MODELS,
    SOURCES,
    Bound,
    Condition,
    EntryMethod,
    Mode,
    Quality,
    RegimeName,
    RiskLevel,
    Schedule,
    Signal,
    Timing,
    Trend,
    Urgency,
    Volatility,
    Volume,
    Voting,
)

__all__ = [
    "GATES",
    "MODELS",
    "PRESETS",
    "SOURCES",
    "Bound",
    "Condition",
    "Context",
    "Decision",
    "EntryMethod",
    "Execution",
    "Inputs",
    "Mode",
    "Parts",
    "Policy",
    "Quality",
    "Reason",
    "Regime",
    "RegimeName",
    "Risk",
    "RiskLevel",
    "Schedule",
    "Score",
    "Scorecard",
    "Scores",
    "Signal",
    "Timing",
    "Track",
    "Trend",
    "Urgency",
    "Volatility",
    "Volume",
    "Voting",
    "decide",
    "schedule",
]


class _Module(ModuleType):
    """The folder and the function share a name, and importing anything from the folder puts it where the face
    has the function: ``smartcore.decide(...)`` works whichever of the two is found there.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Decision:
        return decide(*args, **kwargs)


sys.modules[__name__].__class__ = _Module
