"""The market of the shipped models: simulated recordings, their floors, and a control.

Recordings are separate seeds of the simulator, laid end to end in time with a gap: first those for training,
then validation, then test. Thresholds, scalers and temperature never see the test. Nothing here says anything
about a real market.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from smartcore.learn import evaluate
from smartcore.learn.data import Move, Series, digest, golden_rows, label, purge, sample
from smartcore.learn.recorded import iso
from smartcore.market import events as ev
from smartcore.market.simulator import TS0, simulate

SECOND = 1_000_000_000

BOOK = (
    "spread", "microprice",
    "queue_imbalance_l1", "queue_imbalance_l2", "queue_imbalance_l3", "queue_imbalance_l5",
    "queue_imbalance_l10",
    "ofi_l1_1s", "ofi_l1_10s", "ofi_l3_10s", "ofi_l5_10s", "ofi_l1_60s",
    "depth_slope_l10_bid", "depth_slope_l10_ask",
    "mid_distance_1s", "mid_distance_10s", "mid_distance_60s",
    "mid_volatility_10s", "mid_volatility_60s", "mid_volatility_300s",
    "book_rate_1s", "book_rate_10s",
)  # fmt: skip
TRADES = (
    "trade_imbalance_1s", "trade_imbalance_10s", "trade_imbalance_60s",
    "buy_rate_1s", "buy_rate_10s", "sell_rate_1s", "sell_rate_10s", "volume_rate_10s",
    "trade_sign_autocorrelation_100", "kyle_100", "effective_spread_10s",
)  # fmt: skip
BARS = (
    "log_return_1",
    "log_return_5",
    "log_return_20",
    "rsi_14",
    "zscore_50",
    "volatility_20",
    "efficiency_ratio_10",
)
COLUMNS = BOOK + TRADES + BARS

_TURN = (
    "microprice",
    "queue_imbalance_",
    "ofi_",
    "mid_distance_",
    "trade_imbalance_",
    "log_return_",
    "zscore_",
)
_SWAP = {
    "depth_slope_l10_bid": "depth_slope_l10_ask", "buy_rate_1s": "sell_rate_1s", "buy_rate_10s": "sell_rate_10s",
}  # fmt: skip


@dataclass(frozen=True)
class Config:
    """14 hours of a market of about 50 events a second."""

    seed: int = 1
    minutes: int = 60
    """Length of a recording."""
    train: int = 9
    valid: int = 2
    test: int = 3
    gap: int = 60
    """Minutes between recordings; far more than the horizon, so no label reaches across."""
    regime: str = "mixed"
    sample: str = "1s"
    bars: str = "1s"
    horizon: int = 10
    """Seconds."""
    smooth: int = 5
    """Seconds at the end of the horizon over which the mid is averaged. A single mid sits on the grid of
    ticks: then which moves are flat hangs on the price level, which the spread in basis points gives away
    (the control found it).
    """
    flat: float = 1 / 3
    """Share of the training moves called flat."""


QUICK = Config(minutes=8, train=2, valid=1, test=1)
"""Enough to run every line; the scores mean nothing."""


@dataclass(frozen=True)
class Data:
    """Labelled recordings of ``COLUMNS`` and what was fitted on the training ones."""

    config: Config
    train: list[Series]
    valid: list[Series]
    test: list[Series]
    low: float
    high: float
    events: int
    hash: str

    @property
    def rule(self) -> str:
        """The label in words."""
        return (
            f"log of the mean mid in the last {self.config.smooth} of the next {self.config.horizon} seconds to the "
            f"mid now: down below {self.low:.3g}, up above {self.high:.3g}, else flat (thresholds from training)"
        )

    @property
    def trained_on(self) -> dict[str, Any]:
        """For the contract: enough to make the same rows again."""
        return {
            "data": "SIMULATED: smartcore.market.simulator", **asdict(self.config), "columns": len(COLUMNS),
            "events": self.events, "rows": sum(map(len, self.train)), "rows_hash": self.hash,
            "period": [iso(int(self.train[0].ts[0])), iso(int(self.train[-1].ts[-1]))],
        }  # fmt: skip

    def golden(self) -> NDArray[np.float32]:
        """(16, k) test rows to ship."""
        return golden_rows(self.test[0])


def make(config: Config = Config(), control: bool = False) -> Data:
    """Simulate, sample and label. ``control``: the same of :func:`random_walk`, on which nothing can be learned."""
    counts = (config.train, config.valid, config.test)
    series, n = [], 0
    step = (config.minutes + config.gap) * 60 * SECOND
    for i in tqdm(range(sum(counts)), "simulating", unit="recording", leave=False, disable=None):
        seed, start = 1000 * config.seed + i, TS0 + i * step
        if control:
            events, mid = random_walk(config.minutes * 60, seed, start)
        else:
            market = simulate(config.minutes * 60, seed, config.regime, ts0=start)
            events, mid = market.events, market.mid
        n += len(events)
        series.append(sample(events, mid, COLUMNS, config.sample, config.bars))
    horizon = config.horizon * SECOND
    rule = Move(horizon, config.smooth * SECOND)
    low, high = rule.fit(series[: config.train], config.flat)
    series = label(series, [rule], [(low, high)])
    a, b = counts[0], counts[0] + counts[1]
    train = [purge(s, series[a].ts[0], horizon) for s in series[:a]]
    valid = [purge(s, series[b].ts[0], horizon) for s in series[a:b]]
    return Data(config, train, valid, series[b:], low, high, n, digest(*(s.rows for s in train)))


def mirror(series: list[Series]) -> list[Series]:
    """The same markets seen from the other side: bids for asks, buys for sells, up for down.

    As good a market as the first, for nothing in the simulator tells the two sides apart, and a net that has
    seen both does not take a training period that rose for a law. For training only.
    """
    other = {**_SWAP, **{b: a for a, b in _SWAP.items()}}
    order = [COLUMNS.index(other.get(name, name)) for name in COLUMNS]
    sign = np.array([-1 if name.startswith((*_TURN, "rsi_")) else 1 for name in COLUMNS], np.float32)
    shift = np.array([100 if name.startswith("rsi_") else 0 for name in COLUMNS], np.float32)
    return [
        replace(
            s,
            rows=s.rows[:, order] * sign + shift,
            mid=1 / s.mid,
            label=np.where(s.label < 0, s.label, 2 - s.label).astype(np.int8),
        )
        for s in series
    ]


def floors(data: Data) -> dict[str, dict[str, float]]:
    """Scores on the test recordings of what costs nothing to know (see ``evaluate.floors``)."""
    truth = np.concatenate([s.label[:, 0] for s in data.test])
    imbalance = COLUMNS.index("queue_imbalance_l1")
    found = evaluate.floors_of(data.train, data.test, data.config.horizon * SECOND, imbalance=imbalance)
    return {name: evaluate.scores(prob, truth) for name, prob in found.items()}


def random_walk(seconds: int, seed: int, ts0: int = TS0) -> tuple[NDArray[np.void], NDArray[np.float64]]:
    """A market without memory: events and the mid after each.

    The mid takes a normal step every quarter of a second, on a grid too fine to matter; after each step the
    whole book of ten levels a side is sent anew with sizes drawn afresh, and a trade of random side and size
    may follow. No column can tell what comes next.
    """
    rng = np.random.default_rng(seed)
    n, levels, tick = seconds * 4, 10, 0.0001
    middle = 1_000_000 + np.rint(rng.normal(0, 70, n)).cumsum()  # ticks
    spread = 100 * rng.integers(1, 4, n)  # half of it, ticks
    level = 100 * np.arange(levels)
    bid = middle[:, None] - spread[:, None] - level
    ask = middle[:, None] + spread[:, None] + level
    ts = ts0 + (np.arange(n) + 1) * (SECOND // 4)
    side = np.repeat([1, -1], levels)
    row = np.arange(n * 2 * levels) % (2 * levels)
    book = ev.depth(
        np.repeat(ts, 2 * levels), np.tile(side, n), np.concatenate([bid, ask], axis=1).ravel() * tick,
        rng.lognormal(0, 1, n * 2 * levels), last=row == 2 * levels - 1, snapshot=row == 0,
    )  # fmt: skip
    hit = np.flatnonzero(rng.random(n) < 0.4)
    sign = rng.choice([-1, 1], len(hit))
    price = np.where(sign > 0, ask[hit, 0], bid[hit, 0]) * tick
    trades = ev.trades(ts[hit] + SECOND // 8, price, rng.lognormal(0, 1, len(hit)), sign)
    events = ev.merge(book, trades)
    mid = middle * tick
    return events, mid[np.searchsorted(ts, events["ts"], side="right") - 1]
