"""The vocabulary of a decision. Members stand in the order of ``csrc/decide/words.hpp``, whose numbers records hold."""

from __future__ import annotations

from enum import StrEnum

SOURCES = ("sequence", "ensemble", "smart_money", "technical")
"""Sequence model and tree ensemble give probabilities; smart-money structure and technical indicators give
votes.
"""
MODELS = ("sequence", "ensemble")


class Signal(StrEnum):
    """What to do. STRONG needs ``Policy.strong_confidence`` and at least GOOD quality."""

    STRONG_BUY = "STRONG_BUY"
    BUY = "BUY"
    HOLD = "HOLD"
    SELL = "SELL"
    STRONG_SELL = "STRONG_SELL"


class Quality(StrEnum):
    """How well founded it is: agreement, completeness, freshness, a clear regime. Not a probability."""

    EXCELLENT = "EXCELLENT"
    GOOD = "GOOD"
    FAIR = "FAIR"
    POOR = "POOR"


class Mode(StrEnum):
    """What the bot may do now: anything, only shrink its position, or send nothing at all."""

    NORMAL = "normal"
    REDUCE_ONLY = "reduce_only"
    HOLD_ONLY = "hold_only"


class Volatility(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    UNKNOWN = "unknown"


class Trend(StrEnum):
    STRONG_BEARISH = "strong_bearish"
    MODERATE_BEARISH = "moderate_bearish"
    SIDEWAYS = "sideways"
    MODERATE_BULLISH = "moderate_bullish"
    STRONG_BULLISH = "strong_bullish"
    UNKNOWN = "unknown"


class Volume(StrEnum):
    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    UNKNOWN = "unknown"


class RegimeName(StrEnum):
    """The seven regimes; UNKNOWN until the columns that tell them apart have warmed up."""

    TRENDING_UP = "trending_up"
    TRENDING_DOWN = "trending_down"
    BREAKOUT = "breakout"
    REVERSAL = "reversal"
    RANGING = "ranging"
    VOLATILE = "volatile"
    QUIET = "quiet"
    UNKNOWN = "unknown"


class Condition(StrEnum):
    """The market as execution sees it."""

    TRENDING_STABLE = "trending_stable"
    TRENDING_VOLATILE = "trending_volatile"
    CHOPPY = "choppy"
    CONSOLIDATING = "consolidating"
    ILLIQUID = "illiquid"
    UNKNOWN = "unknown"


class Bound(StrEnum):
    """What set the size: the last cap that lowered it, or why there is none."""

    NONE = "none"
    """Nothing to size: the decision is HOLD for another reason."""
    UNCALIBRATED = "uncalibrated"
    UNKNOWN_RISK = "unknown_risk"
    KELLY = "kelly"
    DRAWDOWN = "drawdown"
    VAR = "var"
    VOLATILITY = "volatility"
    """The policy's target volatility."""
    POSITION = "position"
    CORRELATED = "correlated"
    """Positions in instruments that move with this one."""
    CONTRACTS = "contracts"
    EXCHANGE = "exchange"
    """Below the smallest order the exchange takes."""
    REDUCE_ONLY = "reduce_only"
    """The size is that of the position to be closed."""


class RiskLevel(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    EXTREME = "extreme"
    UNKNOWN = "unknown"


class EntryMethod(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    """A limit at the far touch: takes what is there, no worse."""
    PASSIVE = "passive"
    """Rests at the near touch and waits."""
    NONE = "none"


class Urgency(StrEnum):
    URGENT = "urgent"
    NORMAL = "normal"
    PATIENT = "patient"


class Schedule(StrEnum):
    """How the slices of an order are spread over its time."""

    ONCE = "once"
    TWAP = "twap"
    VWAP = "vwap"
    POV = "pov"


class Voting(StrEnum):
    """How sources are made one: see ``Policy.voting``."""

    CONFIDENCE_WEIGHTED = "confidence_weighted"
    MAJORITY = "majority"
    STACKED = "stacked"


class Timing(StrEnum):
    IMMEDIATE = "immediate"
    WAIT_FOR_VOLUME = "wait_for_volume"
    WAIT_FOR_SPREAD = "wait_for_spread"
