"""VaR and ES a bar ahead, backtested on recorded series beside normal and historical models; then 20 bars and seconds.

    python bench/var.py            # bench/results/var.{json,md}, about a minute of one core
    python bench/var.py --quick    # three series, to see that it runs

Ours are the columns `fhs_500_*` and `fhs_short_500_*` as the engine tells them at the close of a bar; they are held
against the next bar. Nothing is fitted. Every model is scored on the same bars, from the 700th on, on both sides (a
long position loses where prices fall, a short one where they rise). `smartcore.learn.evaluate.risk` has the tests.

How ours came about was decided on the first six groups; those marked "kept aside" were not looked at for it, but for
one number: how strongly the shape of the tail is pulled (150; from 75 to 300 little changes at 99 %).
"""

from __future__ import annotations

import argparse
import math
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jobs
import measure
import numba
import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

import smartcore as sc
from smartcore.learn.evaluate import risk
from smartcore.market import events as ev

Floats = NDArray[np.float64]

START = 700
WINDOW = 500
HORIZON = 20
LEVELS = {"95": 0.95, "99": 0.99}
AT = 0.05
OURS = "**ours**"
RIVALS = ("normal", "EWMA normal", "historical")
STEPS = ("one average (0.94)", "+ quantile of the next value", "+ three averages", "+ Pareto tail")
"""How `fhs` came from version 1 to version 2; the last is ours, computed a second time."""
TESTS = ("kupiec", "independence", "conditional", "z2_p")
KEPT = (0.6, 0.9, 0.975)
DEEPEST = math.log(2) / math.log(5)
COLUMNS = [f"fhs_500_{what}" for what in ("sigma", "var95", "var99", "es95", "es99")]
COLUMNS += [f"fhs_short_500_{what}" for what in ("var95", "var99", "es95", "es99")] + ["pareto_tail_500_var999"]
COLUMNS += ["variance_ratio_500_20"]
SECONDS = (1, 2, 5, 10, 20, 60)
STOCKS = {"GOOG": "GOOG_2012-06-21_level10", "AAPL": "AAPL_2012-06-21_level1"}


# ---- series ----


def rows(path: str, *columns: str) -> Floats:
    table = pq.read_table(measure.DATA / path)
    return np.column_stack([table[c].to_numpy().astype(float) for c in columns])


def by_symbol(path: str, leave_out: set[str]) -> Iterator[tuple[str, Floats]]:
    """Prices adjusted for splits and dividends where the file can; a row without all four is left out."""
    frame = pq.read_table(measure.DATA / path).to_pandas().dropna(subset=["open", "high", "low", "close"])
    for symbol, part in frame.groupby("symbol"):
        if symbol not in leave_out:
            part = part.sort_values("date")
            prices = part[["open", "high", "low", "close"]].to_numpy(float)
            if "adj_close" in part:
                prices = prices * (part["adj_close"] / part["close"]).to_numpy()[:, None]
            yield str(symbol), prices


def minutes_of(pair: str, every: int) -> Floats:
    """Bars of mid quotes, of minutes with one."""
    path = next((measure.DATA / "fx_ticks_2014").glob(f"{pair}_*.parquet"))
    frame = pq.read_table(path).to_pandas()
    frame["mid"] = (frame["bid"] + frame["ask"]) / 2
    told = frame.groupby(frame["ts_event"].dt.floor(f"{every}min"))["mid"].agg(["first", "max", "min", "last"])
    return told.to_numpy(float)


def wider(prices: Floats, every: int) -> Floats:
    """Bars of ``every`` bars."""
    part = prices[: len(prices) // every * every].reshape(-1, every, 4)
    return np.column_stack([part[:, 0, 0], part[:, :, 1].max(1), part[:, :, 2].min(1), part[:, -1, 3]])


def series(quick: bool) -> dict[str, dict[str, Floats]]:
    """Open, high, low, close (n, 4) by group and name."""
    ohlc = ("open", "high", "low", "close")
    dow = dict(by_symbol("daily_equities/dow31_2006_2015.parquet", set()))
    if quick:
        return {"days, 31 stocks": {name: dow[name] for name in ("AAPL", "KO", "JPM")}}
    folder = "crypto_bars_1m"

    def coins(where: str) -> dict[str, Floats]:
        paths = sorted((measure.DATA / folder / where).glob("*.parquet"))
        year = where.split("_")[2 - where.startswith("binanceus")]
        return {f"{p.stem.split('_')[0]} {year}": rows(f"{folder}/{where}/{p.name}", *ohlc) for p in paths}

    c25, c26, depeg = (coins(w) for w in ("binance_spot_2025", "binance_spot_2026", "binanceus_2023_depeg"))
    pairs = [f"{venue}_{pair}" for venue in ("fxcm", "oanda") for pair in ("eurusd", "nzdusd")]
    every_coin = {**c25, **c26}
    return {
        "days, 31 stocks": dow,
        "days, VIX": {"VIX": rows("daily_equities/vix_1990_2015.parquet", *ohlc)},
        "minutes, coins 2025": c25,
        "minutes, coins 2026": c26,
        "minutes, Binance.US 2023": depeg,
        "minutes, FX": {pair: minutes_of(pair, 1) for pair in pairs},
        "days, other stocks (kept aside)": dict(by_symbol("direction_bench/kdd17_prices_2007_2016.parquet", set(dow))),
        "5 minutes, coins (kept aside)": {name: wider(x, 5) for name, x in every_coin.items()},
        "15 minutes, coins (kept aside)": {name: wider(x, 15) for name, x in every_coin.items()},
    }


# ---- models: four numbers (n, 4) told at each bar of the next: VaR 95 and 99, ES 95 and 99 ----


@numba.njit(cache=True)
def averages(squares: Floats, kept: Floats) -> Floats:
    """Root of the mean of recursive averages begun with 20 values."""
    out = np.full(len(squares), np.nan)
    level = np.full(len(kept), squares[:20].mean())
    for t in range(19, len(squares)):
        if t > 19:
            level = kept * level + (1 - kept) * squares[t]
        out[t] = np.sqrt(level.mean())
    return out


@numba.njit(cache=True)
def simulated(x: Floats, sigma: Floats, window: int, of_next: bool, tail: bool, past: int, cap: float) -> Floats:
    """Quantiles and tail means of losses, from the last ``window`` of x over the sigma told ``past`` steps before."""
    out = np.full((len(x), 4), np.nan)
    ring, ordered, count = np.zeros(window), np.zeros(window), 0
    for t in range(past, len(x)):
        if sigma[t - past] > 0 and not np.isnan(x[t]):
            z = min(max(-x[t] / sigma[t - past], -cap), cap)
            n = min(count, window)
            if n == window:
                at = np.searchsorted(ordered, ring[count % window])
                ordered[at : window - 1] = ordered[at + 1 :].copy()
                n -= 1
            at = np.searchsorted(ordered[:n], z)
            ordered[at + 1 : n + 1] = ordered[at:n].copy()
            ordered[at] = z
            ring[count % window] = z
            count += 1
        n = min(count, window)
        if n < 100:
            continue
        for i, level in enumerate((0.95, 0.99)):
            at = level * (n + 1) - 1 if of_next else level * (n - 1)
            low = int(at)
            k = int(np.ceil(n * (1 - level) - 1e-9))
            out[t, i] = sigma[t] * (ordered[low] + (at - low) * (ordered[min(low + 1, n - 1)] - ordered[low]))
            out[t, 2 + i] = sigma[t] * ordered[n - k : n].mean()
        if tail:
            k = n // 10
            u = ordered[n - k - 1]
            y = ordered[n - k : n][::-1] - u
            mean, weighted = y.mean(), (y * (np.arange(k) + 0.35)).sum() / k**2
            found = 2 - mean / (mean - 2 * weighted) if mean > 0 else 0.25
            xi = (k * found + 150 * 0.25) / (k + 150)
            beta = mean * (1 - xi)
            far95 = out[t, 0] / sigma[t] - u if sigma[t] > 0 else 0.0
            far99 = max(far95, beta * np.expm1(xi * np.log(100 * (k + 1) / (n + 1))) / xi)
            out[t, 1] = sigma[t] * (u + far99)
            out[t, 2] = sigma[t] * (u + max(far95, (far95 + beta) / (1 - xi)))
            out[t, 3] = sigma[t] * (u + max(far99, (far99 + beta) / (1 - xi)))
    return out


Z = {"95": (1.6448536269514722, 2.0627128075074257), "99": (2.3263478740408408, 2.665214220345806)}
"""Quantile of the standard normal, and its mean beyond."""


def normal(mean: Floats, sigma: Floats) -> Floats:
    return np.column_stack([Z[level][i] * sigma - mean for i in range(2) for level in LEVELS])


def rolling(r: Floats) -> tuple[Floats, Floats]:
    """Mean and sample deviation of the last WINDOW values."""
    windows = np.lib.stride_tricks.sliding_window_view(r, WINDOW)
    pad = np.full(WINDOW - 1, np.nan)
    blocks = np.array_split(windows, max(1, len(windows) // 5000))
    return tuple(
        np.concatenate([pad, *(f(block) for block in blocks)])
        for f in (lambda w: w.mean(1), lambda w: w.std(1, ddof=1))
    )  # type: ignore[return-value]


def models(r: Floats, table: Floats, side: int) -> dict[str, Floats]:
    """Of returns r (n,), known at the bar they end with, and the engine's columns at those bars."""
    x = side * r
    told = table[:, 1:5] if side > 0 else table[:, 5:9]
    one, three = averages(r * r, np.array([0.94])), averages(r * r, np.array(KEPT))
    mean, deviation = rolling(x)
    flat = np.ones(len(x))
    out = {
        OURS: told,
        "normal": normal(mean, deviation),
        "EWMA normal": normal(np.zeros(len(x)), one),
        "historical": simulated(x, flat, WINDOW, False, False, 1, np.inf),
        STEPS[0]: simulated(x, one, WINDOW, False, False, 1, 20.0),
        STEPS[1]: simulated(x, one, WINDOW, True, False, 1, 20.0),
        STEPS[2]: simulated(x, three, WINDOW, True, False, 1, 20.0),
        STEPS[3]: simulated(x, three, WINDOW, True, True, 1, 20.0),
    }
    known = ~np.isnan(told).any(1)
    np.testing.assert_allclose(out[STEPS[3]][known], told[known], rtol=1e-8, atol=1e-15)
    return out


# ---- backtests ----


def one_step(name: str, r: Floats, table: Floats) -> list[dict[str, Any]]:
    out = []
    seed = zlib.crc32(name.encode())
    for side in (1, -1):
        told = {model: forecast[START - 1 : -1] for model, forecast in models(r, table, side).items()}
        losses = -side * r[START:]
        known = np.all([np.isfinite(f).all(1) & (f[:, :2] > 0).all(1) for f in told.values()], axis=0)
        for model, forecast in told.items():
            for i, (label, level) in enumerate(LEVELS.items()):
                found = risk.backtest(losses[known], forecast[known, i], forecast[known, 2 + i], level, seed=seed)
                out.append({"series": name, "side": side, "model": model, "level": label, **vars(found)})
    var999 = table[START - 1 : -1, 9]
    known = np.isfinite(var999) & (var999 > 0)
    hits = -r[START:][known] > var999[known]
    p = risk.kupiec(len(hits), int(hits.sum()), 0.999).p
    counts = {"n": len(hits), "breaches": int(hits.sum()), "expected": 0.001 * len(hits), "kupiec": p}
    out.append({"series": name, "side": 1, "model": "Pareto tail", "level": "99.9", **counts})
    return out


def deepest(prices: Floats, side: int) -> Floats:
    """Worst log loss at any price within HORIZON bars after bar t, known HORIZON bars later: placed there."""
    close = np.log(prices[:, 3])
    against = np.log(np.where(prices[:, 2] > 0, prices[:, 2], prices[:, 3]) if side > 0 else prices[:, 1])
    windows = np.lib.stride_tricks.sliding_window_view(against, HORIZON)[1:]
    extreme = windows.min(1) if side > 0 else windows.max(1)
    out = np.full(len(close), np.nan)
    out[HORIZON:] = np.maximum(side * (close[:-HORIZON] - extreme), 0)
    return out


def many_steps(name: str, prices: Floats, table: Floats) -> list[dict[str, Any]]:
    """Root of time, and a window of HORIZON-bar returns over what was forecast for them; then the deepest point."""
    out = []
    close = np.log(prices[1:, 3])
    over = np.full(len(close), np.nan)
    over[HORIZON:] = close[HORIZON:] - close[:-HORIZON]
    root = math.sqrt(HORIZON)
    sigma = np.where(table[:, 0] > 0, table[:, 0], np.nan)
    for side in (1, -1):
        told = (table[:, 1:5] if side > 0 else table[:, 5:9]) * root
        window = simulated(side * over, sigma, 1000, True, False, HORIZON, np.inf)
        ratio = np.sqrt(np.where(table[:, 10] > 0, table[:, 10], 1))[:, None]
        reflected = told[:, 0] + DEEPEST * (told[:, 1] - told[:, 0])
        worst = deepest(prices, side)[1:]
        cases = [
            (rule, label, level, f[:, i], -side * over)
            for rule, f in (("root of time", told), ("times variance ratio", told * ratio), ("window of 1,000", window))
            for i, (label, level) in enumerate(LEVELS.items())
        ]
        cases += [
            ("deepest: reflected tail", "95", 0.95, reflected, worst),
            ("deepest: 1.96 deviations", "95", 0.95, 1.959963984540054 * root * sigma, worst),
        ]
        for rule, label, level, limit, lost in cases:
            limit, lost = limit[START - HORIZON : -HORIZON], lost[START:]
            known = np.isfinite(limit) & np.isfinite(lost)
            rate, error = risk.horizon_rate((lost > limit)[known], HORIZON)
            z = (rate - (1 - level)) / error if error > 0 else 0.0
            out.append({"series": name, "side": side, "rule": rule, "level": label, "rate": rate, "z": z})
    return out


def columns_of(prices: Floats) -> Floats:
    ts = 60_000_000_000 * np.arange(1, len(prices) + 1)
    open_, high, low, close = prices.T
    low = np.where(low > 0, low, close)  # one file has a low of 0
    high, low = np.maximum.reduce([open_, high, close]), np.minimum.reduce([open_, low, close])
    return sc.Engine(COLUMNS).run(ev.bars(ts, open_, high, low, close, np.ones(len(ts))))[1:]


def waits(gaps: Floats) -> Floats:
    """Mean of the last 64 or so gaps between bars, in lengths of a bar, as a bot learns it; 1 before there are 16."""
    out, mean, seen = np.ones(len(gaps) + 1), 1.0, 0
    for i, gap in enumerate(gaps):
        if not seen or gap <= 8 * mean:  # longer ones are nights and halts
            seen = min(seen + 1, 64)
            mean += (gap - mean) / seen
        out[i + 1] = mean if seen >= 16 else 1.0
    return np.maximum(out, 1.0)


def seconds_ahead(name: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Of the mid price, from every second with an event, by columns of bars of a second: a second without a trade has
    none. What the bars are like; then how often each rule was broken, by seconds ahead and side."""
    from smartcore.learn import recorded

    events = sc.read(measure.DATA / f"lobster_2012/{STOCKS[name]}.parquet", format="lobster")
    columns = [*COLUMNS[:9], "variance_ratio_500_10"]
    seen = recorded.sampled(events, sc.FeatureSet(columns), "1s", "1s")
    there = np.isfinite(seen.mid)
    ts, rows, mid = seen.ts[there], seen.rows[there].astype(float), np.log(seen.mid[there])
    trades = events[events["kind"] == ev.Kind.TRADE]
    second = trades["ts"] // 1_000_000_000
    last = np.append(second[1:] != second[:-1], True)
    closed, close = second[last] + 1, np.log(trades["v0"][last])
    wait = waits(np.diff(closed).astype(float))[np.searchsorted(closed, ts // 1_000_000_000, side="right") - 1]

    def ratio(x: Floats, q: int) -> float:
        return float(np.var(x[q:] - x[:-q]) / q / np.var(np.diff(x)))

    filled = close[np.searchsorted(closed, np.arange(closed[0], closed[-1] + 1), side="right") - 1]
    about = {
        "stock": name, "bars": len(closed), "seconds": int(closed[-1] - closed[0]) + 1,
        "of_bars": ratio(close, 10), "of_seconds": ratio(filled, 10), "of_mids": ratio(mid, 10),
        "bar_bps": 1e4 * float(np.std(np.diff(close))), "mid_bps": 1e4 * float(np.std(mid[10:] - mid[:-10])),
    }  # fmt: skip
    varies = np.where(rows[:, 9] > 0, rows[:, 9], 1)
    out = []
    for ahead in SECONDS:
        over = ts + ahead * 1_000_000_000
        later = np.searchsorted(ts, over, side="right") - 1
        change = np.where((over <= ts[-1]) & (later > np.arange(len(ts))), mid[later] - mid, np.nan)
        bars = np.maximum(ahead / wait, min(ahead, 0.5))
        rules = {
            "root of time": np.full(len(ts), float(ahead)), "times variance ratio": ahead * varies,
            "**bars to come**": bars, "the same, times variance ratio": bars * varies,
        }  # fmt: skip
        if ahead < 5:
            rules["bars to come, no least"] = ahead / wait
        for rule, by in rules.items():
            for side, at in ((1, 1), (-1, 5)):
                for i, (label, level) in enumerate(LEVELS.items()):
                    limit, lost = rows[:, at + i] * np.sqrt(by), -side * change
                    known = np.isfinite(limit) & np.isfinite(lost)
                    rate, error = risk.horizon_rate((lost > limit)[known], max(ahead, 2))
                    out.append({
                        "series": name, "ahead": ahead, "side": side, "rule": rule, "level": label, "rate": rate,
                        "z": (rate - (1 - level)) / error if error > 0 else 0.0, "bars": float(np.mean(bars)),
                    })  # fmt: skip
    return about, out


@cache
def by_chance(n: int, level: float) -> tuple[float, float, float]:
    return risk.sizes(n, level, AT, draws=400)


# ---- the page ----


def spread(rates: list[float]) -> str:
    return f"{np.mean(rates):.2f} ({min(rates):.2f} to {max(rates):.2f})"


def rejected(found: list[dict[str, Any]], test: str) -> int:
    return sum(f[test] < AT for f in found)


def table_of(found: dict[str, list[dict[str, Any]]], players: tuple[str, ...]) -> Iterator[str]:
    yield "| series | level | model | breaches, % | Kupiec | independence | both | Z2 | mean Z2 | FZ0 - ours |"
    yield "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for group, all_ in found.items():
        for label, level in LEVELS.items():
            mine = [f for f in all_ if f["level"] == label]
            of = {m: [f for f in mine if f["model"] == m] for m in (OURS, *players)}
            ours = np.array([f["fz0"] for f in of[OURS]])
            for model, one in of.items():
                rates = [100 * f["breaches"] / f["n"] for f in one]
                counts = " | ".join(str(rejected(one, test)) for test in TESTS)
                worse = np.mean([f["fz0"] for f in one] - ours)
                yield (
                    f"| {group}, {len(one)} tests | {label} | {model} | {spread(rates)} | {counts} "
                    f"| {np.mean([f['z2'] for f in one]):+.3f} | {worse:+.4f} |"
                )
            chance = np.sum([by_chance(round(f["n"], -2), level) for f in of[OURS]], axis=0)
            expected = " | ".join(f"{x:.1f}" for x in (*chance, AT * len(ours)))
            yield f"| | {label} | a true forecast | {100 - float(label):.2f} | {expected} | +0.000 | |"


ABOUT = """\
One bar ahead, both sides, every bar from the 700th on. *Breaches*: mean of the series (least to most). *Kupiec,
independence, both* (Christoffersen) and *Z2* (Acerbi and Szekely, one-sided): how many of the tests reject at 5 %; the
row *a true forecast* says how many of them a true one would lose, by simulation (the chi-squared limits are rough for
rare breaches, so that is not 5 % of them everywhere). *Mean Z2*: 0 right, below 0 too little said of the tail. *FZ0*:
joint loss of VaR and ES, less is better; forecasts 1 % too wide lose about 0.01 where all else is equal.
"""
AFTER = """
Ours loses fewer of Kupiec's than a true forecast would, since a quantile of the last 500 makes up for what was missed.
What it loses are tests of independence at 95 %: breaches come in runs on one-minute coins of 2026, and on some stocks a
little too rarely one after the other, for the fastest average overdoes it there.
"""
THOUSAND = """\
What lies beyond the worst of 500 has no quantile; `pareto_tail_500_var999` of a long position. With the shape as 50
excesses have it, version 1, it was broken twice as often as it says, and Kupiec rejected 29 of these 89.
"""
LATER = """\
The decision scales by the root of time. Neighbouring forecasts share 19 bars, so the error of a rate is Newey and
West's, and *reject* counts z-scores beyond 1.96. *Times variance ratio*: by the root of `variance_ratio_500_20` too,
which is nearer where a market reverts for good (VIX) and says too little everywhere else. *Window*: the last 1,000
returns of 20 bars over what was forecast for them. *Deepest*: the worst price on the way, against the 95 % adverse
excursion of the decision (the tails reflected) and what it was before, 1.96 deviations.
"""
HOLES = """\
A second without a trade has no bar, and a deviation is that of a bar: the root of time over ten seconds takes ten bars
where one or three come. That prices of trades bounce between bid and ask matters less: over ten bars the variance is
0.6 of ten variances, over ten seconds 0.8 to 0.9. The decision counts the *bars to come*: seconds over the mean wait
for a bar, half a bar at least, for below that (*no least*) it is whether there will be a bar that counts. Forecasts at
every second with an event and mid prices after one, the error of Newey and West; z of 2: broken too often, -2: too
rarely.
"""


def totals(found: dict[str, list[dict[str, Any]]]) -> Iterator[str]:
    """Over all groups and both levels."""
    yield "| model | tests | Kupiec | independence | both | Z2 |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    all_ = [f for group in found.values() for f in group if f["level"] in LEVELS]
    for model in (OURS, *RIVALS):
        one = [f for f in all_ if f["model"] == model]
        counts = " | ".join(str(rejected(one, test)) for test in TESTS)
        yield f"| {model} | {len(one)} | {counts} |"
    one = [f for f in all_ if f["model"] == OURS]
    chance = np.sum([by_chance(round(f["n"], -2), LEVELS[f["level"]]) for f in one], axis=0)
    yield f"| a true forecast | {len(one)} | " + " | ".join(f"{x:.1f}" for x in (*chance, AT * len(one))) + " |"


def page_of(result: dict[str, Any]) -> str:
    about, found, later = result["about"], result["one"], result["many"]
    lines = [
        "# VaR and expected shortfall, backtested\n",
        f"{about['cpu']}, python {about['python']}, numpy {np.__version__}; commit {about['commit']}. "
        "`python bench/var.py`\n",
        ABOUT,
        "## All series\n",
        *totals(found),
        AFTER,
        "## By group\n",
        *table_of(found, RIVALS),
        "\n## Which fail\n",
        "Ours that reject at 5 %, in groups of fewer than 40 tests; of the stocks those below 1 %.\n",
        "| series | side | level | bars | breaches | expected | Kupiec p | independence p | both p | Z2 | Z2 p |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for all_ in found.values():
        mine = [f for f in all_ if f["model"] == OURS]
        least = AT if len(mine) < 40 else 0.01
        for f in mine:
            if min(f[test] for test in TESTS) < least:
                ps = [f"{f[t]:.3f}" if f[t] >= least else f"**{f[t]:.2g}**" for t in TESTS]
                lines.append(
                    f"| {f['series']} | {'long' if f['side'] > 0 else 'short'} | {f['level']} | {f['n']:,} "
                    f"| {f['breaches']:,} | {f['expected']:.0f} | {' | '.join(ps[:3])} | {f['z2']:+.3f} | {ps[3]} |"
                )  # fmt: skip
    lines += [
        "\n## How it came about\n",
        "From one average at 0.94, quantiles of NumPy and the mean of the worst (version 1) to version 2, by steps.\n",
        *table_of(found, STEPS[:-1]),
        "\n## One in a thousand\n",
        THOUSAND,
        "| series | bars | breaches | expected | Kupiec rejects |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for group, all_ in found.items():
        one = [f for f in all_ if f["level"] == "99.9"]
        n, broken, expected = (sum(f[key] for f in one) for key in ("n", "breaches", "expected"))
        lines.append(f"| {group} | {n:,} | {broken:,} | {expected:.1f} | {rejected(one, 'kupiec')} of {len(one)} |")
    lines += [
        "\n## Twenty bars ahead\n",
        LATER,
        "| series | rule | level | side | beyond, % | reject |",
        "| --- | --- | --- | --- | ---: | ---: |",
    ]
    for group, all_ in later.items():
        for rule, label in dict.fromkeys((f["rule"], f["level"]) for f in all_):
            for side in (1, -1):
                one = [f for f in all_ if (f["rule"], f["level"], f["side"]) == (rule, label, side)]
                rates, count = [100 * f["rate"] for f in one], sum(abs(f["z"]) > 1.96 for f in one)
                lines.append(
                    f"| {group} | {rule} | {label} | {'long' if side > 0 else 'short'} | {spread(rates)} "
                    f"| {count} of {len(one)} |"
                )
    if result["holes"]:
        lines += [
            "\n## Seconds ahead on bars with holes\n",
            HOLES,
            "| stock | bars | in seconds | variance ratio: 10 bars | 10 seconds | 10 mids | sd: bar, bps | 10 mids |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        for a, _ in result["holes"]:
            lines.append(
                f"| {a['stock']} | {a['bars']:,} | {a['seconds']:,} | {a['of_bars']:.2f} | {a['of_seconds']:.2f} "
                f"| {a['of_mids']:.2f} | {a['bar_bps']:.2f} | {a['mid_bps']:.2f} |"
            )
        lines += [
            "\n| stock | seconds | bars to come | rule | 95: long, % (z) | short | 99: long | short |",
            "| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: |",
        ]
        for _, found_ in result["holes"]:
            for stock, ahead, rule in dict.fromkeys((f["series"], f["ahead"], f["rule"]) for f in found_):
                one = [f for f in found_ if (f["ahead"], f["rule"]) == (ahead, rule)]
                cells = [f"{100 * f['rate']:.2f} ({f['z']:+.1f})" if f["z"] > -99 else f"{100 * f['rate']:.2f}" for f in
                         sorted(one, key=lambda f: (f["level"], -f["side"]))]  # fmt: skip
                lines.append(f"| {stock} | {ahead} | {one[0]['bars']:.2f} | {rule} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three series, to see that it runs")
    parser.add_argument("--results", type=Path)
    told = parser.parse_args()
    result: dict[str, Any] = {"quick": told.quick, "about": measure.machine(), "one": {}, "many": {}}
    for group, all_ in series(told.quick).items():
        result["one"][group], result["many"][group] = [], []
        for name, prices in all_.items():
            table = columns_of(prices)
            r = np.diff(np.log(prices[:, 3]))
            if len(r) >= START + 1000:
                result["one"][group] += one_step(name, r, table)
                result["many"][group] += many_steps(name, prices, table)
    result["holes"] = [] if told.quick else [seconds_ahead(name) for name in STOCKS]
    folder = jobs.ROOT / "out" / "results" if told.quick else jobs.ROOT / "bench" / "results"
    page = page_of(result)
    for found in (result["one"], result["many"]):
        for group, all_ in found.items():
            kept = [f for f in all_ if f.get("model", OURS) == OURS]
            found[group] = [{k: float(f"{x:.4g}") if isinstance(x, float) else x for k, x in f.items()} for f in kept]
    for _, all_ in result["holes"]:
        all_[:] = [{k: float(f"{x:.4g}") if isinstance(x, float) else x for k, x in f.items()} for f in all_]
    jobs.publish(told.results or folder, "var", result, page, indent=None)


if __name__ == "__main__":
    main()
