"""What ``decide()`` is given beside the row: where its columns are, what models said, and the circumstances of
the moment.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from smartcore._core import COLUMNS as GROUPS
from smartcore._core import CONTEXT, GIVEN, INPUTS
from smartcore.decide.layout import reader
from smartcore.decide.words import MODELS, SOURCES

Column = tuple[str, float, float]
"""Name and the range of believable values; one outside, infinite or NaN is not known."""

TECHNICAL: tuple[Column, ...] = GROUPS["technical"]
SMART_MONEY: tuple[Column, ...] = GROUPS["smart_money"]
REGIME: tuple[Column, ...] = GROUPS["regime"]
RISK: tuple[Column, ...] = GROUPS["risk"]
BOOK: tuple[Column, ...] = GROUPS["book"]
ANOMALY: tuple[Column, ...] = GROUPS["anomaly"]
COLUMNS = TECHNICAL + SMART_MONEY + REGIME + RISK + BOOK + ANOMALY
"""Every column that is read; some are read for several ends. A set of features wants those of its market among them."""

NAN = math.nan
HUGE = 1e300
"""Larger numbers are treated as infinite: their products would be."""


class Inputs:
    """Positions of the columns ``decide()`` reads, resolved once for a feature set. Immutable.

    ``missing`` names those the feature set lacks; they read as not known. ``size`` is the width of the rows
    it fits. ``raw``: bytes of dtype ``smartcore._core.INPUTS``.
    """

    __slots__ = ("missing", "raw", "size")

    def __init__(self, feature_columns: Iterable[str]) -> None:
        columns = tuple(feature_columns)
        where = {name: i for i, name in enumerate(columns)}
        self.size = len(columns)
        record = np.zeros((), INPUTS)
        for group, wanted in GROUPS.items():
            record[group] = [where.get(name, -1) for name, _, _ in wanted]
        self.raw = record.tobytes()
        self.missing = tuple(dict.fromkeys(name for name, _, _ in COLUMNS if name not in where))


Level = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Context:
    """The circumstances of one decision. Whoever holds the clock, the account and the book fills it in.

    ``ts`` now and ``as_of`` of the newest data, int64 ns; ``sequence`` counts decisions and is never reused
    for a symbol; ``bar_ns`` the usual length of a bar, ``filled`` the share of the clock's intervals that have one:
    one without a trade has none (not above 0 or above 1: unknown, all of them).
    ``position`` signed contracts; ``equity`` in quote currency, None unknown; ``drawdown`` from the peak as a
    fraction; ``correlated`` signed value, over equity, of positions in instruments that move with this one.
    ``latency_ns`` measured from event to exchange; ``scores_age_ns`` how old the model's scores are; ``novelty`` how
    unlike its training inputs the row is, 1 as far as 99 % of them are at most.
    ``calibrated`` names the models whose scores are calibrated probabilities, ``failed`` those that raised or gave what
    is no forecast, ``fell_back`` those for which a stand-in speaks.
    ``bid``, ``bid_size``, ``ask``, ``ask_size``: the touch, sizes in contracts; ``bids`` and ``asks``: (price, size) of
    the best levels, best first, ten at most.
    ``lot``, ``tick``, ``multiplier``, ``min_size``, ``fee_bps`` (one side) describe the instrument.
    Faults of the feed, None unknown: ``clock_skew_s`` events stamped so far after the receiver's clock;
    ``frozen_s`` the price has stood still so long while events came; ``silence`` time since the last event in
    usual gaps between events; ``duplicates`` share of the last events that came twice. ``health`` of the process,
    0 to 100.

    Raises ValueError where these cannot be meant; everything else may be as bad as the day, ``decide()`` answers it
    with a gate. ``raw``: bytes of dtype ``smartcore._core.CONTEXT``.
    """

    inputs: Inputs
    ts: int
    as_of: int
    price: float
    symbol: str = ""
    sequence: int = 0
    bar_ns: int = 60_000_000_000
    position: float = 0.0
    equity: float | None = None
    drawdown: float = 0.0
    correlated: float = 0.0
    latency_ns: int | None = None
    scores_age_ns: int = 0
    book_stale: bool = False
    book_crossed: bool = False
    bid: float | None = None
    bid_size: float | None = None
    ask: float | None = None
    ask_size: float | None = None
    bids: Sequence[Level] = ()
    asks: Sequence[Level] = ()
    calibrated: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()
    fell_back: frozenset[str] = frozenset()
    novelty: float | None = None
    lot: float = 1.0
    tick: float = 0.0
    multiplier: float = 1.0
    min_size: float = 0.0
    fee_bps: float | None = None
    clock_skew_s: float | None = None
    frozen_s: float | None = None
    silence: float | None = None
    duplicates: float | None = None
    health: float | None = None
    filled: float = 1.0

    raw: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not (
            0.0 < self.lot < HUGE and 0.0 < self.multiplier < HUGE and 0.0 <= self.tick < HUGE
            and 0.0 <= self.min_size < HUGE and self.bar_ns > 0
        ):  # fmt: skip
            for name in ("lot", "multiplier", "bar_ns"):
                if not 0 < getattr(self, name) < HUGE:
                    raise ValueError(f"{name}: {getattr(self, name)!r} is not a positive finite number")
            for name in ("tick", "min_size"):
                if not 0 <= getattr(self, name) < HUGE:
                    raise ValueError(f"{name}: {getattr(self, name)!r} is not a finite number from 0")
        latency, equity = self.latency_ns, self.equity
        try:
            record = _CONTEXT.pack(
                self.ts, self.as_of, self.sequence, self.bar_ns, -1 if latency is None or latency < 0 else latency,
                self.price, self.position, _number(equity), self.drawdown, self.correlated, _number(self.bid),
                _number(self.bid_size), _number(self.ask), _number(self.ask_size), *_levels(self.bids),
                *_levels(self.asks), _number(self.fee_bps), self.lot, self.tick, self.multiplier, self.min_size,
                _number(self.clock_skew_s), _number(self.frozen_s), _number(self.silence), _number(self.duplicates),
                _number(self.health), self.filled, self.book_stale, self.book_crossed, equity is not None,
            )  # fmt: skip
        except struct.error as error:
            raise ValueError(f"a context that is no record: {error}") from None
        object.__setattr__(self, "raw", record)


_CONTEXT, _WIDTHS = reader(CONTEXT, CONTEXT.names or (), whole=True)
_DEPTH = _WIDTHS[(CONTEXT.names or ()).index("bids")] // 2
_NO_LEVELS = (NAN,) * (2 * _DEPTH)
_GIVEN, _ = reader(GIVEN, GIVEN.names or (), whole=True)
_NO_TRIPLE = (NAN, NAN, NAN)
assert GIVEN.names == ("triple", "vote", "novelty", "age_ns", "calibrated", "failed", "fell_back")


def _number(x: float | None) -> float:
    return NAN if x is None else x


def _levels(levels: Sequence[Level]) -> Sequence[float]:
    if not levels:
        return _NO_LEVELS
    flat = [x for level in levels[:_DEPTH] for x in level]
    return flat + [NAN] * (2 * _DEPTH - len(flat))


def bits(names: Iterable[str], of: Sequence[str]) -> int:
    """The set as a number; names that are not among ``of`` are left out."""
    return sum(1 << i for i, name in enumerate(of) if name in names)


_SPOKE: dict[frozenset[str], int] = {}  # few sets of models, asked for at every decision


def _models(names: frozenset[str]) -> int:
    if names not in _SPOKE:
        _SPOKE[names] = bits(names, MODELS)
    return _SPOKE[names]


def given(scores: object, context: Context) -> bytes:
    """What was said, as bytes of dtype ``smartcore._core.GIVEN``.

    scores: None; the sequence model's (down, flat, up); or a mapping of source to such a triple or to one vote. What is
    neither is missing.
    """
    said: Mapping[str, Any]
    if scores is None:
        said = {}
    elif isinstance(scores, Mapping):
        said = scores
    else:
        said = {SOURCES[0]: scores}
    triples = [x for name in MODELS for x in _triple(said.get(name))]
    votes = [_vote(said.get(name)) for name in SOURCES[len(MODELS) :]]
    return _GIVEN.pack(
        *triples, *votes, _number(context.novelty), context.scores_age_ns, _models(context.calibrated),
        _models(context.failed), _models(context.fell_back),
    )  # fmt: skip


def _floats(value: Any) -> list[float] | None:
    if value is None:
        return None
    values = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(values, (int, float)):
        return [float(values)]
    if not isinstance(values, Iterable) or isinstance(values, str):
        return None
    try:
        return [float(x) for x in values]
    except (TypeError, ValueError):
        return None


def _triple(value: object) -> Sequence[float]:
    values = _floats(value)
    return values if values is not None and len(values) == 3 else _NO_TRIPLE


def _vote(value: object) -> float:
    values = _floats(value)
    return values[0] if values is not None and len(values) == 1 else NAN
