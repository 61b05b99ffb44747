"""What the votes of decide() are worth on recorded bars: how often each points the right way, 20 bars ahead.

    python bench/votes.py              # bench/results/votes.{json,md}; under a minute

Nothing is fitted here. A vote is weighed by its size: weighted hit rate = sum |vote| [right] / sum |vote|; correlation
is that of vote and move (in deviations). Intervals are of a bootstrap of blocks of ten horizons. The scorecard learns
the same live, and gives a source that tells nothing next to no weight.
"""

from __future__ import annotations

import argparse
import os
import platform
from pathlib import Path
from typing import Any

import jobs
import numpy as np
import pandas as pd
from numpy.typing import NDArray

import smartcore as sc
from smartcore.decide.inputs import REGIME, RISK, SMART_MONEY, TECHNICAL
from smartcore.market import ohlcv

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("SMARTCORE_DATA", ROOT.parent / "shared" / "data"))
HORIZON = 20
DRAWS = 200
BARS = {
    "BTC 1 min 2025": "crypto_bars_1m/binance_spot_2025/BTCUSDT.parquet",
    "ETH 1 min 2025": "crypto_bars_1m/binance_spot_2025/ETHUSDT.parquet",
    "5 coins 1 min 2026": "crypto_bars_1m/binance_spot_2026/*.parquet",
}
STOCKS = "daily_equities/dow31_2006_2015.parquet"

Floats = NDArray[np.float64]


def votes(x: dict[str, Floats]) -> dict[str, Floats]:
    """Each vote of csrc/decide/signal.cpp, and the two sources; NaN unknown."""
    sigma = x["fhs_500_sigma"]
    trending = sum(x[f"market_regime_{name}"] for name in ("trending_up", "trending_down", "breakout"))
    trending = np.where(np.isnan(trending), 3 / 7, trending)
    follow, revert, one = 0.25 + 0.75 * trending, 1 - 0.75 * trending, np.ones_like(sigma)
    technical = {
        "macd": (x["macd_12_26_9_histogram"] / (0.5 * sigma), follow),
        "ema": (x["ema_distance_30"] / (4 * sigma), follow),
        "di": (x["di_14"] / 30, follow),
        "aroon": (x["aroon_25"] / 100, follow),
        "rsi": ((50 - x["rsi_14"]) / 30, revert),
        "bollinger": (1 - 2 * x["bollinger_20_2"], revert),
        "stochastic": ((50 - x["stochastic_14_3_k"]) / 50, revert),
        "mfi": ((50 - x["mfi_14"]) / 40, revert),
    }  # trades and the book vote too; bars have neither
    below, above = x["order_block_5_500_below"], x["order_block_5_500_above"]
    sweep, age = x["liquidity_5_500_sweep"], x["liquidity_5_500_sweep_age"]
    smart = {
        "structure 20": (x["market_structure_20"], one),
        "structure 5": (x["market_structure_5"], 0.5 * one),
        "order blocks": (x["order_block_5_500_balance"], 0.5 * one),
        "nearer block": (1 / (1 + below) - 1 / (1 + above), 0.5 * one),
        "fair value gaps": (x["fair_value_gap_500_balance"], 0.5 * one),
        "sweep": (-sweep / (1 + 0.1 * age), one),
        "dealing range": (1 - 2 * x["dealing_range_20"], 0.5 * one),
    }
    out = {}
    for source, parts in (("technical", technical), ("smart_money", smart)):
        clipped = {name: np.clip(vote, -1, 1) for name, (vote, _) in parts.items()}
        total = sum(np.nan_to_num(clipped[name]) * parts[name][1] for name in parts)
        weight = sum(np.where(np.isnan(clipped[name]), 0, parts[name][1]) for name in parts)
        out |= {f"**{source}**": np.where(weight > 0, total / np.where(weight > 0, weight, 1), np.nan)}
        out |= {f"{source}: {name}": vote for name, vote in clipped.items()}
    return out


def judged(vote: Floats, move: Floats, rng: np.random.Generator, block: int) -> dict[str, float]:
    """Weighted hit rate with its 95 % interval, correlation, share of bars with a vote."""
    known = ~np.isnan(vote) & ~np.isnan(move) & (move != 0)
    size, right = np.abs(vote) * known, (np.sign(vote) == np.sign(move)) * known
    n = len(vote) // block * block
    a = np.nan_to_num(size * right)[:n].reshape(-1, block).sum(1)
    b = np.nan_to_num(size)[:n].reshape(-1, block).sum(1)
    drawn = rng.integers(0, len(a), (DRAWS, len(a)))
    rates = a[drawn].sum(1) / np.maximum(b[drawn].sum(1), 1e-9)
    spoke = known & (np.nan_to_num(vote) != 0)
    return {
        "hits": float(a.sum() / b.sum()), "low": float(np.quantile(rates, 0.025)),
        "high": float(np.quantile(rates, 0.975)), "spoke": float(spoke.mean()),
        "correlation": float(np.corrcoef(vote[known], move[known])[0, 1]),
    }  # fmt: skip


def columns_of(frame: pd.DataFrame) -> tuple[dict[str, Floats], Floats]:
    """Columns of bars, and the log move over the horizon in deviations."""
    names = list(dict.fromkeys(name for name, _, _ in (*TECHNICAL, *SMART_MONEY, *REGIME, *RISK)))
    table = sc.Engine(names).run(ohlcv.read(frame))
    close = np.log(frame["close"].to_numpy(float))
    move = np.full(len(close), np.nan)
    move[:-HORIZON] = close[HORIZON:] - close[:-HORIZON]
    x = {name: table[:, i] for i, name in enumerate(names)}
    return x, np.clip(move / (x["fhs_500_sigma"] * np.sqrt(HORIZON)), -10, 10)


def sets() -> dict[str, list[pd.DataFrame]]:
    out = {name: [pd.read_parquet(path) for path in sorted(DATA.glob(pattern))] for name, pattern in BARS.items()}
    path = DATA / STOCKS
    if path.exists():
        stocks = pd.read_parquet(path)
        key = next(name for name in ("symbol", "ticker", "name") if name in stocks)
        stocks = stocks.dropna(subset=["open", "high", "low", "close"])
        prices = stocks[["open", "high", "low", "close"]]
        stocks, prices = stocks[prices.min(axis=1) > 0], prices[prices.min(axis=1) > 0]
        stocks = stocks.assign(high=prices.max(axis=1), low=prices.min(axis=1))  # a few rows contradict themselves
        out["31 stocks daily"] = [frame for _, frame in stocks.groupby(key, observed=True)]
    return {name: frames for name, frames in out.items() if frames}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the last 5,000 bars of each")
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results")
    told = parser.parse_args()
    rng = np.random.default_rng(0)
    found: dict[str, dict[str, Any]] = {}
    for name, frames in sets().items():
        made = [columns_of(frame.tail(5000) if told.quick else frame) for frame in frames]
        move = np.concatenate([move for _, move in made])
        said = [votes(x) for x, _ in made]
        found[name] = {
            vote: judged(np.concatenate([one[vote] for one in said]), move, rng, 10 * HORIZON) for vote in said[0]
        }
    if not found:
        raise SystemExit(f"no recordings in {DATA}")
    page = [
        f"# What votes are worth, {HORIZON} bars ahead", "",
        f"`python bench/votes.py`; smartcore {sc.__version__}, {platform.machine()}. Weighted hit rate in percent with "
        "its 95 % interval, then the correlation of vote and move. 50 is a coin flip.", "",
        "| vote | " + " | ".join(found) + " |", "| --- |" + " ---: |" * len(found),
    ]  # fmt: skip
    for vote in next(iter(found.values())):
        cells = [
            f"{100 * r['hits']:.1f} ({100 * r['low']:.1f} to {100 * r['high']:.1f}), {r['correlation']:+.3f}"
            for r in (of[vote] for of in found.values())
        ]
        page.append(f"| {vote} | " + " | ".join(cells) + " |")
    result = {"quick": told.quick, "horizon": HORIZON, "version": sc.__version__, "found": found}
    jobs.publish(told.results, "votes", result, "\n".join(page) + "\n")


if __name__ == "__main__":
    main()
