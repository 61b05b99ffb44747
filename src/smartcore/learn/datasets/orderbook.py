"""Order-book recordings as rows of the catalogue, one a book update, with the labels of the literature and of sense.

    recording = lobster("GOOG_2012-06-21_level10.parquet")       # needs the compiled core
    save(recording, "goog.npz"); recording = load("goog.npz")    # needs NumPy only
    split = divide(recording)                                    # 60/20/20 by time, thresholds from training

Eight targets, two rules over four horizons counted in rows (book updates). Each is a log ratio of two means of mids:

    anchored_h   last 5 of the next h rows    to  the mid now
    smoothed_h   last 10 of the next h rows   to  the last 10 rows, now included

The second is the rule of FI-2010, DeepLOB and TLOB (Tsantekidis et al. 2017, arXiv:1709.07758; Berti and Kasneci 2025,
arXiv:2502.15757): its base is the trailing mean, so that "mid now minus trailing mean", which is no forecast, is part
of what it asks for, even on a random walk. The first cannot be known before it happens.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartcore.kernels import labels
from smartcore.learn.data import Series
from smartcore.learn.datasets.recording import Recording, load, save, thinned

__all__ = [
    "DEEP", "HORIZONS", "LEVEL_1", "MEAN", "RULES", "TARGETS", "Recording", "Split", "binance", "described", "divide",
    "floors", "load", "lobster", "moves", "random_walk", "replay", "save", "simulated",
]  # fmt: skip

LEVEL_1 = (
    "spread", "spread_ratio_10s", "microprice",
    "queue_imbalance_l1", "queue_imbalance_mean_l1_10s", "queue_imbalance_change_l1_1s",
    "ofi_l1_100ms", "ofi_l1_1s", "ofi_l1_10s", "ofi_l1_60s", "ofi_share_1s",
    "mid_distance_100ms", "mid_distance_1s", "mid_distance_10s", "mid_distance_60s",
    "mid_volatility_1s", "mid_volatility_10s", "mid_volatility_60s",
    "mid_direction_1s", "mid_direction_10s", "mid_age", "quote_age_bid", "quote_age_ask",
    "book_rate_1s", "book_rate_10s", "relative_depth_l1_10s_bid", "relative_depth_l1_10s_ask",
    "trade_imbalance_1s", "trade_imbalance_10s", "trade_imbalance_60s", "sign_run",
    "buy_rate_1s", "buy_rate_10s", "sell_rate_1s", "sell_rate_10s", "trade_sign_autocorrelation_100",
)  # fmt: skip
"""What the best levels and the trades tell."""

DEEP = (
    *LEVEL_1,
    "queue_imbalance_l2", "queue_imbalance_l3", "queue_imbalance_l5", "queue_imbalance_l10", "deep_microprice_l5",
    "ofi_l3_1s", "ofi_l5_1s", "ofi_l10_1s", "integrated_ofi_l10_1s", "integrated_ofi_l10_10s",
    "depth_slope_l10_bid", "depth_slope_l10_ask", "level_gap_asymmetry",
)  # fmt: skip
"""With the levels below them."""

RULES = ("anchored", "smoothed")
HORIZONS = (10, 20, 50, 100)
TARGETS = tuple((rule, horizon) for rule in RULES for horizon in HORIZONS)
"""Of every :class:`Split`, in this order."""
MEAN = {"anchored": 5, "smoothed": 10}
"""Rows of the mean at the end of the horizon."""


@dataclass(frozen=True)
class Split:
    """A recording in three pieces by time, labelled; no label, window or state reaches from one into another."""

    name: str
    columns: tuple[str, ...]
    train: Series
    valid: Series
    test: Series
    thresholds: tuple[float, ...]
    """Of each of ``TARGETS``: larger moves than this are up or down. Fitted on ``train``."""


def lobster(path: str | os.PathLike[str], name: str = "") -> Recording:
    """A LOBSTER recording, a row for each message that changed the visible book; columns as its depth allows."""
    import smartcore as sc

    table = sc.read(path, format="lobster")
    deep = len(np.unique(table["v0"][: _first_message(table)])) > 2
    return replay(table, DEEP if deep else LEVEL_1, name or Path(path).stem)


def binance(path: str | os.PathLike[str], name: str = "", *, quotes: bool = False) -> Recording:
    """A Binance recording, a row a depth message. ``quotes``: a row a best quote, without the levels below.

    The USD-M recordings bundle their depth to about twenty messages a second while best quotes come two hundred times
    a second; there the quotes are the market's own clock.
    """
    import smartcore as sc

    events = sc.read(path, format="binance")
    left_out = sc.Kind.DEPTH if quotes else sc.Kind.QUOTE
    return replay(events[events["kind"] != left_out], LEVEL_1 if quotes else DEEP, name or Path(path).stem)


def simulated(minutes: int = 15, seed: int = 1) -> Recording:
    """The simulator's market; every third update. Says nothing about a real market."""
    import smartcore as sc

    return thinned(replay(sc.simulate(minutes * 60, seed, "mixed").events, DEEP, "simulated"), 3)


def random_walk(minutes: int = 240, seed: int = 1) -> Recording:
    """The control: a market without memory, on which nothing anchored at the current price can be learned."""
    from smartcore.learn.simulated import random_walk as walk

    return replay(walk(minutes * 60, seed)[0], DEEP, "random walk")


def replay(events: NDArray[np.void], columns: tuple[str, ...], name: str) -> Recording:
    """Feed an engine; keep row and mid after every whole depth message and every quote, once both sides stand."""
    import smartcore as sc

    engine = sc.Engine(list(columns))
    ends = np.flatnonzero(
        (events["kind"] == sc.Kind.QUOTE)
        | (events["kind"] == sc.Kind.DEPTH) & ((events["flags"] & np.uint8(sc.Flag.LAST)) > 0)
    )
    rows, mid = np.full((len(ends), len(columns)), np.nan, np.float32), np.full(len(ends), np.nan)
    begin = 0
    for i, end in enumerate(ends.tolist()):
        engine.run(events[begin : end + 1], sample="365d")
        rows[i], mid[i] = engine.row, engine.book.mid
        begin = end + 1
    known = np.flatnonzero(np.isfinite(mid))
    if not len(known):
        raise ValueError(f"{name}: the book never has both sides")
    rest = slice(known[0], None)
    return Recording(name, columns, events["ts"][ends][rest].astype(np.int64), rows[rest], mid[rest])


def _first_message(events: NDArray[np.void]) -> int:
    import smartcore as sc

    return int(np.argmax((events["flags"] & np.uint8(sc.Flag.LAST)) > 0)) + 1


def moves(mid: NDArray[np.float64], rule: str, horizon: int) -> NDArray[np.float64]:
    """The log ratio that a label is the class of, (n,); NaN where it reaches past either end or over an unknown price.
    See ``RULES``."""
    if rule not in RULES:
        raise ValueError(f"no rule {rule!r}: there is {', '.join(RULES)}")
    size, n = MEAN[rule], len(mid)
    if horizon < size:
        raise ValueError(f"a horizon of {horizon} rows is shorter than its mean of {size}")
    # Sums of differences to the first price: those of the prices themselves would cancel to fewer digits.
    known = np.isfinite(mid)
    base = mid[known.argmax()] if known.any() else 0.0
    total = np.concatenate([[0.0], np.cumsum(np.where(known, mid - base, 0.0))])
    gaps = np.concatenate([[0], np.cumsum(~known)])
    trailing = np.full(n, np.nan)
    if n >= size:
        mean = (total[size:] - total[:-size]) / size + base
        trailing[size - 1 :] = np.where(gaps[size:] == gaps[:-size], mean, np.nan)
    out = np.full(n, np.nan)
    now = mid if rule == "anchored" else trailing
    if n > horizon:
        ratio = np.log(trailing[horizon:] / now[:-horizon])
        # A price that stood still must come out as exactly zero; a move of one tick is above 1e-8 in any market.
        out[:-horizon] = np.where(np.abs(ratio) < 1e-12, 0.0, ratio)
    return out


def divide(
    recording: Recording, shares: tuple[float, float] = (0.6, 0.2), embargo: int = 100, flat: float = 1 / 3
) -> Split:
    """Train, validation and test by time.

    ``shares`` of train and validation, the rest is the test; ``embargo`` rows before each later piece are left out.
    A piece is labelled from its own mids alone, so the last rows of a piece, whose horizon ends in the next, have no
    label. Thresholds make a share ``flat`` of the training moves flat; where more than that are exactly zero, flat is
    "unchanged".
    """
    n, r = len(recording), recording
    a, b = int(n * shares[0]), int(n * (shares[0] + shares[1]))
    pieces = [slice(0, a), slice(a + embargo, b), slice(b + embargo, n)]
    thresholds = tuple(labels.thresholds(moves(r.mid[:a], *target), flat)[1] for target in TARGETS)

    def piece(part: slice) -> Series:
        classes = [
            labels.classify(moves(r.mid[part], *target), -x, x) for target, x in zip(TARGETS, thresholds, strict=True)
        ]
        return Series(r.ts[part], r.rows[part], r.mid[part], np.stack(classes, axis=1))

    train, valid, test = (piece(part) for part in pieces)
    return Split(r.name, r.columns, train, valid, test, thresholds)


def floors(split: Split, target: int) -> dict[str, NDArray[np.float64]]:
    """Of one target, what costs nothing to know, as probabilities (n, 3) for the test rows.

    majority: the training frequencies. persistence: the class of the last label whose horizon is over. last move: the
    class of the move over the last horizon, which ends now. logistic: multinomial regression on level-1 queue imbalance
    and order flow, fitted on the training rows.
    """
    from sklearn.linear_model import LogisticRegression

    _, horizon = TARGETS[target]
    x = split.thresholds[target]
    train, test = split.train, split.test
    share = _shares(train.label[:, target])
    common = np.full(len(test), share.argmax())
    unknown = np.full(horizon, labels.UNKNOWN, np.int8)
    move = np.log(test.mid[horizon:] / test.mid[:-horizon])
    past = np.concatenate([unknown, test.label[:-horizon, target]])
    last = np.concatenate([unknown, labels.classify(move, -x, x)])

    names = [c for c in ("queue_imbalance_l1", "ofi_l1_1s") if c in split.columns]
    at = [split.columns.index(c) for c in names]
    known = train.label[:, target] >= 0
    seen = train.rows[known][:, at].astype(np.float64)
    middle, width = np.nanmean(seen, 0), np.nanstd(seen, 0) + 1e-12
    scaled = [np.clip(np.nan_to_num((part - middle) / width), -5, 5) for part in (seen, test.rows[:, at])]
    fit = LogisticRegression(max_iter=300).fit(scaled[0], train.label[known, target])
    logistic = np.zeros((len(test), 3))
    logistic[:, fit.classes_] = fit.predict_proba(scaled[1])
    return {
        "majority": np.tile(share, (len(test), 1)),
        "persistence": np.eye(3)[np.where(past < 0, common, past)],
        "last move": np.eye(3)[np.where(last < 0, common, last)],
        "logistic, level 1": logistic,
    }


def described(split: Split) -> dict[str, Any]:
    """For a result file: rows, time and class shares of the pieces."""
    pieces = {"train": split.train, "valid": split.valid, "test": split.test}
    return {
        "columns": len(split.columns),
        "rows": {name: len(s) for name, s in pieces.items()},
        "seconds": {name: float((s.ts[-1] - s.ts[0]) / 1e9) for name, s in pieces.items()},
        "thresholds": dict(zip(("_".join(map(str, t)) for t in TARGETS), split.thresholds, strict=True)),
        "shares": {
            name: {
                f"{rule}_{horizon}": [round(float(v), 4) for v in _shares(s.label[:, i])]
                for i, (rule, horizon) in enumerate(TARGETS)
            }
            for name, s in pieces.items()
        },
    }


def _shares(label: NDArray[np.int8]) -> NDArray[np.float64]:
    """Of down, flat and up among the known labels (n,)."""
    return np.bincount(label[label >= 0], minlength=3) / max((label >= 0).sum(), 1)
