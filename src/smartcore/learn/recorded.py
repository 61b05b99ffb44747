"""Any recording that ``smartcore run`` reads, or a simulated market, as what a model learns from.

    market = prepare(events, Plan(columns=(...), horizons=("10s", "60s")))
    market.train, market.valid, market.test       # labelled, split by time, purged

Columns are computed by the live engine, labels look at the mid-price (at the last price where there is no book), and
whatever is fitted (thresholds) is fitted on the training part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartcore.errors import InvalidData
from smartcore.kernels import labels
from smartcore.learn.data import Barrier, Move, Rule, Series, digest, fit_rules, golden_rows, label, split
from smartcore.models.contract import CLASSES

RULES = ("smoothed", "fixed", "barrier")
SHARES = (0.6, 0.2, 0.2)
ON_BARS = (
    "log_return_1", "log_return_5", "log_return_20", "rsi_14", "zscore_50", "volatility_20", "efficiency_ratio_10",
    "adx_14", "parkinson_20", "mfi_14", "macd_12_26_9_histogram", "ema_distance_30", "bollinger_20_2",
    "vwap_distance_20", "relative_volume_20", "stochastic_14_3_k", "time_of_week_sin", "time_of_week_cos",
)  # fmt: skip
"""Read where there is neither a book nor trades."""


@dataclass(frozen=True)
class Plan:
    """How a recording becomes rows and labels; None and "auto" are settled by what the recording holds."""

    columns: tuple[str, ...] | None = None
    sample: str | None = None
    """As in ``Engine.run(sample=...)``; "1s", or "bar" where bars are fed."""
    bars: str | None = "auto"
    """As in ``Engine(bars=...)``; "1s" where there are trades and no bars."""
    horizons: tuple[str, ...] = ("10s",)
    """Of each target: a time ("10s") or a number of rows ("20 rows")."""
    rule: str = "smoothed"
    """"fixed": the price at the end of the horizon. "smoothed": its mean over the last half: a single mid sits on the
    grid of ticks, and then which moves are flat hangs on the price level. "barrier": the first of a gain, a loss and
    the end."""
    flat: float = 1 / 3
    """Share of the training moves called flat; thresholds are such that it is so."""

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ValueError(f"label {self.rule!r}: one of {', '.join(RULES)}")
        if not 0 < self.flat < 1:
            raise ValueError(f"flat {self.flat}: a share between 0 and 1")
        if not self.horizons or len(set(self.horizons)) < len(self.horizons):
            raise ValueError(f"horizons {', '.join(self.horizons) or 'none'}: one or more, all different")
        if len({self.ahead(h)[1] for h in self.horizons}) > 1:
            raise ValueError(f"horizons {', '.join(self.horizons)}: all in time or all in rows")

    def ahead(self, horizon: str) -> tuple[int, bool]:
        """(nanoseconds, False) or (rows, True)."""
        rows = re.fullmatch(r"(\d+) ?rows?", horizon.strip())
        if rows and int(rows[1]):
            return int(rows[1]), True
        from smartcore.features.engine import interval_ns

        try:
            return interval_ns(horizon), False
        except ValueError as error:
            raise ValueError(f'horizon {horizon!r}: a time ("10s") or a number of rows ("20 rows")') from error

    @property
    def farthest(self) -> tuple[int, bool]:
        """The longest of the horizons."""
        return max(map(self.ahead, self.horizons))


@dataclass(frozen=True)
class Market:
    """Labelled recordings in three pieces by time, and what was fitted on the first."""

    plan: Plan
    columns: tuple[str, ...]
    fingerprint: str
    sample: str
    bars: str | None
    train: list[Series]
    valid: list[Series]
    test: list[Series]
    thresholds: tuple[tuple[float, float], ...]
    """Of each target."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """``Contract.trained_on``."""

    @property
    def targets(self) -> int:
        return len(self.plan.horizons)

    def words(self, target: int) -> str:
        """The label of a target, for the contract."""
        low, high = self.thresholds[target]
        horizon = self.plan.horizons[target]
        if self.plan.rule == "barrier":
            return (
                f"the first of a loss of {-low:.3g} (down), a gain of {high:.3g} (up) and the end of {horizon} (flat), "
                "as log returns of the price (barriers from training)"
            )
        what = {"fixed": f"price {horizon} ahead", "smoothed": f"mean price in the last half of the next {horizon}"}
        return (
            f"log of the {what[self.plan.rule]} to the price now: down below {low:.3g}, up above {high:.3g}, else flat "
            "(thresholds from training)"
        )

    @cached_property
    def golden(self) -> NDArray[np.float32]:
        """(up to 16, k) test rows to ship."""
        return golden_rows(self.test[0])


def simulated(seconds: float, seed: int = 1, regime: str = "mixed") -> tuple[NDArray[np.void], str]:
    """Events of a simulated market, and what they are in words."""
    from smartcore.market.simulator import simulate

    events = simulate(seconds, seed, regime).events
    return events, f'SIMULATED: smartcore.market.simulator, regime "{regime}", seed {seed}, {seconds:g} seconds'


def walk(seconds: float, seed: int = 1) -> tuple[NDArray[np.void], str]:
    """Events of a random walk with a book that knows nothing, and what they are in words: the control. A model that
    scores above chance on it was told the answer.
    """
    from smartcore.learn.simulated import random_walk

    events, _ = random_walk(int(seconds), seed)
    return events, f"SIMULATED: a random walk, on which nothing can be known, seed {seed}, {int(seconds)} seconds"


def prepare(
    recordings: NDArray[np.void] | Sequence[NDArray[np.void]],
    plan: Plan = Plan(),
    what: str = "a recording",
    progress: Callable[[str, float | None], None] = lambda *_: None,
) -> Market:
    """Sample, label and split. ``what`` says what the data is, for the contract.

    Raises InvalidData where there are too few rows, or a label that never or always is one class.
    """
    import smartcore as sc
    from smartcore.market.events import Kind

    parts = [recordings] if isinstance(recordings, np.ndarray) else list(recordings)
    kinds = {Kind(kind) for part in parts for kind in np.unique(part["kind"])}
    bars = plan.bars
    if bars == "auto":
        bars = "1s" if Kind.TRADE in kinds and Kind.BAR not in kinds else None
    elif bars and Kind.BAR in kinds:
        raise InvalidData(f"bars of {bars!r} are not built: the recording holds bars already")
    sample = plan.sample or ("1s" if kinds & {Kind.DEPTH, Kind.QUOTE, Kind.TRADE} else "bar")
    columns = plan.columns or usual(kinds, bars)
    features = sc.FeatureSet(list(columns))
    series = []
    for i, events in enumerate(parts):
        progress("columns", i / len(parts))
        series.append(sampled(events, features, sample, bars))
    progress("labels", None)
    found, cuts = _labelled(series, plan)
    farthest, in_rows = plan.farthest
    train, valid, test = split(found, SHARES, farthest, in_rows=in_rows)
    for name, piece in (("training", train), ("validation", valid), ("test", test)):
        known = sum(int((s.label >= 0).all(1).sum()) for s in piece)
        if known < 50:
            raise InvalidData(
                f"{known} labelled rows for {name}: too few of the {sum(map(len, series)):,} rows there are; "
                "take a longer recording, a shorter horizon or a finer sample"
            )
    _check_classes(train, plan)
    seen = [s.ts for s in (*train, *valid, *test)]
    about = {
        "data": what,
        "period": [iso(min(int(ts[0]) for ts in seen)), iso(max(int(ts[-1]) for ts in seen))],
        "rows": sum(map(len, train)),
        "rows_hash": digest(*(s.rows for s in train)),
        "recordings": len(parts),
        "events": sum(map(len, parts)),
        "split": "60 % training, 20 % validation, 20 % test, by time; rows whose label reaches on are left out",
        "test_rows": sum(map(len, test)),
        "trained_to": iso(int(max(s.ts[-1] for s in train))),
    }
    return Market(plan, tuple(columns), features.fingerprint, sample, bars, train, valid, test, cuts, about)


def usual(kinds: set[Any], bars: str | None) -> tuple[str, ...]:
    """The columns of the shipped models that such events wake; more of bars where there is nothing else."""
    import smartcore as sc
    from smartcore.learn.simulated import COLUMNS
    from smartcore.market.events import Kind

    there = {"bar"} if bars or Kind.BAR in kinds else set()
    there |= {"trade"} if Kind.TRADE in kinds else set()
    there |= {"book"} if kinds & {Kind.DEPTH, Kind.QUOTE} else set()
    wanted = COLUMNS if there - {"bar"} else ON_BARS
    found = tuple(name for name in wanted if set(sc.catalogue().column(name).kernel.wakes) <= there)
    if not found:
        raise InvalidData(f"no usual columns for events of {', '.join(sorted(k.name for k in kinds))}: give columns")
    return found


def sampled(events: NDArray[np.void], features: Any, sample: str, bars: str | None) -> Series:
    """Rows of the features, and the mid-price at each (the last price where no book is known); no labels yet."""
    import smartcore as sc

    ts, rows = sc.Engine(features, bars=bars).run(events, sample=sample, return_ts=True)
    cuts = np.searchsorted(events["ts"], ts, side="right") if sample != "event" else np.arange(len(events)) + 1
    light = sc.Engine([], bars=bars)
    price = np.full(len(ts), np.nan)
    at = 0
    for i, cut in enumerate(cuts.tolist()):
        if cut > at:
            light.run(events[at:cut], "event")
            at = cut
        price[i] = light.book.mid if light.book.valid else light.last_price
    return Series(ts, rows.astype(np.float32), price, np.full((len(ts), 1), labels.UNKNOWN, np.int8))


def _labelled(series: Sequence[Series], plan: Plan) -> tuple[list[Series], tuple[tuple[float, float], ...]]:
    """Recordings with a label for each horizon, thresholds fitted on the training part."""
    farthest, in_rows = plan.farthest
    train = split(series, SHARES, farthest, in_rows=in_rows)[0]
    if sum(map(len, train)) < 50:
        raise InvalidData(f"{sum(map(len, series)):,} rows, too few for a horizon of {' and '.join(plan.horizons)}")
    rules = [_rule(plan, horizon, train) for horizon in plan.horizons]
    for horizon, rule in zip(plan.horizons, rules, strict=True):
        if isinstance(rule, Move) and not any(np.isfinite(rule.of(s)).any() for s in train):
            raise InvalidData(f"no training row has a label over {horizon}: no row lies there, or its price is unknown")
    cuts = fit_rules(rules, train, plan.flat)
    return label(series, rules, cuts), tuple(cuts)


def _rule(plan: Plan, horizon: str, train: Sequence[Series]) -> Rule:
    ahead, in_rows = plan.ahead(horizon)
    if plan.rule == "barrier":
        width = _width(ahead, in_rows, train, plan.flat)
        return Barrier(ahead, width, width, in_rows=in_rows)
    return Move(ahead, max(1, ahead // 2) if plan.rule == "smoothed" else 0, in_rows)


def _width(ahead: int, in_rows: bool, train: Sequence[Series], flat: float) -> float:
    """Barriers so far from the price that a share ``flat`` of the training rows reaches neither."""
    low, high = 1e-8, 1.0
    for _ in range(40):
        middle = float(np.sqrt(low * high))
        found = np.concatenate([Barrier(ahead, middle, middle, in_rows=in_rows).of(s).label for s in train])
        found = found[found >= 0]
        if not len(found):
            raise InvalidData("no training row has a known price over its whole horizon")
        if (found == 1).mean() < flat:
            low = middle
        else:
            high = middle
    return high


def _check_classes(train: Sequence[Series], plan: Plan) -> None:
    every = np.concatenate([s.label for s in train])
    for horizon, column in zip(plan.horizons, every.T, strict=True):
        share = np.bincount(column[column >= 0], minlength=3) / max(1, (column >= 0).sum())
        if share.max() > 0.98:
            raise InvalidData(
                f"{share.max():.0%} of the labels over {horizon} are {CLASSES[int(share.argmax())]}: the price hardly "
                "moves, or only one way; take another horizon"
            )


def iso(ts: int) -> str:
    """A moment, ns UTC, as ISO 8601 to the second."""
    return datetime.fromtimestamp(ts // 10**9, UTC).isoformat()
