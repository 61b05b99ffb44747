"""How well regimes are told on markets where they are known: python bench/regimes.py [--quick] [--seeds 8]

Markets are drawn (smartcore.learn.drawn) from a law whose exact filter is the ceiling: nobody who sees the bars up to
now can on average be right on more of them than it is. (Balanced accuracy has a little more to give to who calls rare
regimes sooner; that is in the table.) Every method sees the first half of a market as training data and is scored on
the second, bar by bar, with the past alone. Written: results/regimes.md and .json; ten minutes.

    balanced accuracy   mean over the regimes of the share of their bars that are called so
    of the ceiling      that, over the true-parameter filter's on the same bars
    delay               bars from a switch until the new regime is called, median of those that are
    missed              switches whose regime is over before it is called
    flips               changes of the name per true switch
    us                  CPU time per bar, fitting left out; methods made for batches are charged their batch

What clusters without names (hmmlearn, jumpmodels, ruptures) gets the name that is, by the true labels of the training
half, relatively the most frequent in each state. `market_regime` as shipped sees no label of the market it is tried on.

The kernel is a filter of the family that these markets are drawn from, the others are not: for it, the first three
tables say what is lost by not knowing the numbers. The rough markets and the simulator are of other families. On a
recording nobody knows the regimes, so that no accuracy can be stated there, not of this nor of any detector.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import logging
import math
import platform
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import regime_rules
from jobs import ROOT, publish
from numpy.typing import NDArray

import smartcore as sc
from smartcore.learn import drawn
from smartcore.learn.market_regime import fit_market_regime
from smartcore.learn.regime import filtered, fit_hmm, standardised
from smartcore.market import events as ev
from smartcore.market.simulator import REGIMES

Floats = NDArray[np.float64]
Names = NDArray[np.int64]

START, MINUTE = 1_704_067_200_000_000_000, 60_000_000_000
COLUMNS = [sc.catalogue()["market_regime"].column((), i).name for i in range(13)]
TRAINING = range(1000, 1006)  # seeds that what ships was fitted on; the tests' are 0 and up
HOLD = (0.6, 0.06)


# ---- what is measured ----


def measure(true: Names, told: Names, balance: int = 7) -> dict[str, float]:
    recall = [(told[true == k] == k).mean() for k in range(balance) if (true == k).any()]
    at = np.flatnonzero(np.diff(true)) + 1
    delays = []
    for begin, end in zip(at, np.append(at[1:], len(true)), strict=True):
        hit = np.flatnonzero(told[begin:end] == true[begin])
        delays.append(float(hit[0]) if len(hit) else math.nan)
    late = np.array(delays)
    return {
        "accuracy": float(np.mean(recall)),
        "delay": float(np.nanmedian(late)) if np.isfinite(late).any() else math.nan,
        "missed": float(np.isnan(late).mean()),
        "flips": float(np.count_nonzero(np.diff(told)) / max(len(at), 1)),
    }


@numba.njit
def hold(p: Floats, enter: float, leave: float) -> Names:
    """The name by the rule of the kernel."""
    out, now = np.full(len(p), -1), -1
    for t in range(len(p)):
        if p[t, 0] != p[t, 0]:
            continue
        best = int(np.argmax(p[t]))
        if now < 0 or (best != now and (p[t, best] > enter or p[t, now] < leave)):
            now = best
        out[t] = now
    return out


# ---- methods: (market, first bar that is scored) -> name at every bar from there on ----


def bars(m: drawn.Market) -> NDArray[np.void]:
    return ev.bars(START + MINUTE * np.arange(len(m.close)), m.open, m.high, m.low, m.close, m.volume)


def engine(m: drawn.Market, columns: list[str], fitted: dict[str, Any] | None = None) -> tuple[Floats, float]:
    """(rows, CPU seconds a bar)."""
    events, live = bars(m), sc.Engine(sc.FeatureSet(columns, fitted=fitted))
    begun = time.process_time()
    table = live.run(events)
    return table, (time.process_time() - begun) / len(events)


def kernel(fit: Callable[[drawn.Market, int], Any] | None) -> Callable[[drawn.Market, int], tuple[Names, float]]:
    def method(m: drawn.Market, half: int) -> tuple[Names, float]:
        table, cost = engine(m, COLUMNS, None if fit is None else {"market_regime": fit(m, half)})
        return table[half:, 7].astype(np.int64), cost

    return method


def first_half(m: drawn.Market, half: int) -> drawn.Market:
    return m._replace(**{f: getattr(m, f)[:half] for f in ("open", "high", "low", "close", "volume", "state")})


_of_law: dict[tuple[float, bool], Any] = {}


def labelled(m: drawn.Market, half: int) -> Any:
    """Fitted with labels to other markets of the same law, as many as what ships had of each strength."""
    key = (float(m.law.drift[0]), m.rough)
    if key not in _of_law:
        others = [drawn.draw(20_000, seed, rough=m.rough, of=m.law) for seed in TRAINING]
        _of_law[key] = fit_market_regime(others, [o.state for o in others], iterations=6)
    return _of_law[key]._replace(enter=HOLD[0], leave=HOLD[1])


def ceiling(m: drawn.Market, half: int) -> tuple[Names, float]:
    return drawn.true_filter(m).argmax(axis=1)[half:], math.nan


def rare_first(m: drawn.Market, half: int) -> tuple[Names, float]:
    """What balanced accuracy rewards most: the regime whose probability is largest beside its long-run frequency."""
    usual = np.linalg.matrix_power(m.law.transitions, 100_000)[0]
    frequency = np.array([usual[k == drawn.NAME_OF].sum() for k in range(7)])
    return (drawn.true_filter(m) / frequency).argmax(axis=1)[half:], math.nan


def held_ceiling(m: drawn.Market, half: int) -> tuple[Names, float]:
    return hold(drawn.true_filter(m), *HOLD)[half:], math.nan


def old_rules(m: drawn.Market, half: int) -> tuple[Names, float]:
    table, _ = engine(m, list(regime_rules.COLUMNS))
    begun = time.process_time()
    out = regime_rules.names(table)
    return out[half:], (time.process_time() - begun) / len(table)


def features(m: drawn.Market) -> Floats:
    """(n, 6), what a careful user would give a clustering: returns in usual ranges, ln of range and of volume about
    their means of the last 500 bars; and all three smoothed over 10."""
    x = np.log(m.close)
    r = np.diff(x, prepend=x[0])
    wick = np.log((m.high - m.low) / m.close)
    volume = np.log(m.volume)

    def about(y: Floats) -> Floats:
        total = np.cumsum(np.insert(y, 0, 0.0))
        n = np.minimum(np.arange(1, len(y) + 1), 500)
        return y - (total[1:] - total[np.arange(1, len(y) + 1) - n]) / n

    z = r / np.exp(wick - about(wick))  # in usual ranges
    return np.column_stack([z, about(wick), about(volume), ewma(z, 10), ewma(about(wick), 10), ewma(about(volume), 10)])


def ewma(x: Floats, n: int) -> Floats:
    out, mean, a = np.empty_like(x), 0.0, 2 / (n + 1)
    for t, y in enumerate(x):
        mean += a * (y - mean)
        out[t] = mean
    return out


def scaled(m: drawn.Market, half: int) -> Floats:
    """Standardised by the training half; no bar counts for more than 4 deviations, which favours the normal models."""
    x = features(m)
    mean, deviation = x[500:half].mean(axis=0), x[500:half].std(axis=0)
    return np.clip((x - mean) / deviation, -4, 4)


def named(states: Names, true: Names, count: int) -> Names:
    """The name of each state: relatively the most frequent among its bars."""
    table = np.zeros((count, 7))
    np.add.at(table, (states, true), 1)
    return (table / np.maximum(table.sum(axis=0), 1)).argmax(axis=1)


@numba.njit
def forward(logs: Floats, moves: Floats, start: Floats) -> Floats:
    out, prior = np.empty_like(logs), start.copy()
    for t in range(len(logs)):
        p = prior * np.exp(logs[t] - logs[t].max()) + 1e-300
        p /= p.sum()
        out[t] = p
        prior = p @ moves
    return out


def hmmlearn_filtered(held: bool, smooth: bool) -> Callable[[drawn.Market, int], tuple[Names, float]]:
    """GaussianHMM of ten states, fitted to the training half, then filtered forward by its own densities."""

    def method(m: drawn.Market, half: int) -> tuple[Names, float]:
        from hmmlearn.hmm import GaussianHMM

        x = scaled(m, half)[:, 3:] if smooth else scaled(m, half)[:, :3]
        model = GaussianHMM(10, covariance_type="diag", n_iter=40, random_state=0)
        model.fit(x[500:half])
        begun = time.process_time()
        p = forward(model._compute_log_likelihood(x), model.transmat_, model.startprob_)
        cost = (time.process_time() - begun) / len(x)
        name = named(p[500:half].argmax(axis=1), m.regime[500:half], 10)
        of_name = np.stack([p[:, name == k].sum(axis=1) for k in range(7)], axis=1)
        out = hold(of_name, *HOLD) if held else of_name.argmax(axis=1)
        return out[half:], cost

    return method


def jump_model(m: drawn.Market, half: int) -> tuple[Names, float]:
    from jumpmodels.jump import JumpModel

    x = scaled(m, half)
    best, out, cost = -1.0, np.empty(0, np.int64), math.nan
    for penalty in (10.0, 30.0, 100.0):  # whichever does best on the training half, by its labels
        model = JumpModel(n_components=10, jump_penalty=penalty, n_init=2, max_iter=100, random_state=0)
        model.fit(x[500:half])
        begun = time.process_time()
        states = np.asarray(model.predict_online(x)).astype(np.int64)
        taken = (time.process_time() - begun) / len(x)
        names = named(states[500:half], m.regime[500:half], 10)[states]
        accuracy = measure(m.regime[500:half], names[500:half])["accuracy"]
        if accuracy > best:
            best, out, cost = accuracy, names[half:], taken
    return out, cost


def ruptures_online(m: drawn.Market, half: int, window: int = 240, every: int = 10) -> tuple[Names, float]:
    """The last 240 bars cut anew every ten bars (Pelt, means); the mean of the newest piece, nearest centroid by the
    training labels."""
    import ruptures

    x, true = scaled(m, half), m.regime
    r = x[:, :3]
    centres = np.array([r[500:half][true[500:half] == k].mean(axis=0) for k in range(7)])
    out, now = np.empty(len(x) - half, np.int64), 4
    begun = time.process_time()
    for t in range(half, len(x)):
        if (t - half) % every == 0:
            cuts = ruptures.Pelt(model="l2", min_size=8, jump=8).fit(r[t - window + 1 : t + 1]).predict(pen=12.0)
            piece = r[t - window + 1 + (cuts[-2] if len(cuts) > 1 else 0) : t + 1].mean(axis=0)
            now = int(((centres - piece) ** 2).sum(axis=1).argmin())
        out[t - half] = now
    return out, (time.process_time() - begun) / len(out)


def thresholds(m: drawn.Market, half: int) -> tuple[Names, float]:
    """Volatility of 20 bars against its own 500, efficiency ratio of 20, volume: thresholds that a desk would write."""
    columns = ["volatility_ratio_20_500", "efficiency_ratio_20", "relative_volume_20", "regression_slope_20",
               "regression_slope_100"]  # fmt: skip
    table, cost = engine(m, columns)
    vol, er, busy, slope, slow = table.T
    out = np.full(len(table), 4)
    out[vol < 0.65] = 6
    out[vol > 1.4] = 5
    trending = er > 0.35
    out[trending & (slope > 0)] = 0
    out[trending & (slope < 0)] = 1
    out[trending & (slope * slow < 0) & (vol > 1.1)] = 3
    out[trending & (vol > 1.3) & (busy > 1.5)] = 2
    return out[half:], cost


def tree(m: drawn.Market, half: int) -> tuple[Names, float]:
    """A decision tree of depth 6 on causal columns, with the labels of the training half."""
    from sklearn.tree import DecisionTreeClassifier

    columns = ["volatility_ratio_20_500", "efficiency_ratio_10", "efficiency_ratio_50", "relative_volume_20",
               "regression_slope_20", "regression_slope_100", "regression_r2_20", "volatility_percentile_20_250",
               "donchian_20", "ema_distance_20", "rsi_14", "di_14"]  # fmt: skip
    table, _ = engine(m, columns)
    x = np.nan_to_num(np.column_stack([table, scaled(m, half)]))
    model = DecisionTreeClassifier(max_depth=6, min_samples_leaf=30, class_weight="balanced", random_state=0)
    model.fit(x[510:half], m.regime[510:half])
    begun = time.process_time()
    p = model.predict_proba(x)
    full = np.zeros((len(x), 7))
    full[:, model.classes_] = p
    return hold(full, 0.5, 0.05)[half:], (time.process_time() - begun) / len(x)


METHODS: dict[str, Callable[[drawn.Market, int], tuple[Names, float]]] = {
    "true-parameter filter (the ceiling)": ceiling,
    "the same, name held": held_ceiling,
    "the same, called by probability over frequency": rare_first,
    "**market_regime, as shipped**": kernel(None),
    "market_regime, refitted to the training half without labels": kernel(
        lambda m, half: fit_market_regime(first_half(m, half))
    ),
    "market_regime, fitted to other markets of this law with labels": kernel(labelled),
    "hmmlearn GaussianHMM, filtered": hmmlearn_filtered(False, False),
    "hmmlearn GaussianHMM, filtered, name held": hmmlearn_filtered(True, False),
    "hmmlearn GaussianHMM on smoothed features, name held": hmmlearn_filtered(True, True),
    "jumpmodels predict_online": jump_model,
    "ruptures, last 240 bars cut anew": ruptures_online,
    "decision tree of depth 6, with labels, name held": tree,
    "thresholds on volatility, efficiency, volume": thresholds,
    "rules (smartcore before this kernel)": old_rules,
}
OPTIONAL = {"hmmlearn": "hmmlearn", "jumpmodels": "jumpmodels", "ruptures": "ruptures", "decision": "sklearn"}


# ---- three states of volatility ----


def three(seed: int) -> tuple[Floats, Names, Floats]:
    """(log returns, state, P(state | past) by who knows all): deviations 0.5, 1 and 2, Student-t of five degrees, 200
    bars a stay."""
    rng = np.random.default_rng([seed, 3])
    moves = np.full((3, 3), 1 / 400) + np.eye(3) * (1 - 1 / 200 - 1 / 400)
    state, states = int(rng.integers(3)), np.empty(6000, np.int64)
    for t in range(6000):
        states[t] = state
        if rng.random() < 1 / 200:
            state = (state + int(rng.integers(1, 3))) % 3
    size = np.array([0.5, 1.0, 2.0]) * 1e-3
    x = size[states] * rng.standard_t(5, 6000) / math.sqrt(5 / 3)
    from scipy.stats import t as student

    logs = np.stack([student.logpdf(x, 5, scale=s / math.sqrt(5 / 3)) for s in size], axis=1)
    return x, states, forward(logs, moves, np.full(3, 1 / 3))


def prices(x: Floats) -> NDArray[np.void]:
    close = 100 * np.exp(np.cumsum(x))
    before = np.append(100.0, close[:-1])
    high, low = np.maximum(close, before), np.minimum(close, before)
    return ev.bars(START + MINUTE * np.arange(len(x)), before, high, low, close, 1.0)


def volatility_methods(seed: int) -> dict[str, dict[str, float]]:
    x, true, best = three(seed)
    half, out = 3000, {}

    def add(name: str, told: Floats | Names) -> None:
        out[name] = measure(true[half:], np.asarray(told)[half:].astype(np.int64), 3)

    add("true-parameter filter (the ceiling)", best.argmax(axis=1))
    add("the same, name held at 0.8", hold(best, 0.8, 0.0))
    fit = fit_hmm(standardised(x[:half]))
    states = "hmm_500_80_state"
    for name, given in (("hmm, as shipped", None), ("hmm, refitted to the training half", {"hmm": fit.numbers()})):
        table = sc.Engine(sc.FeatureSet([states], fitted=given)).run(prices(x))
        add(name, np.nan_to_num(table[:, 0]) + 1)
    long = fit_hmm(standardised(x[:half], 2000))
    table = sc.Engine(sc.FeatureSet(["hmm_2000_80_state"], fitted={"hmm": long.numbers()})).run(prices(x))
    add("hmm_2000_80, refitted to the last third of it", np.nan_to_num(table[:, 0]) + 1)
    raw = fit_hmm(1e3 * x[:half])
    add("its filter on raw returns (smartcore.learn.regime), held at 0.8", hold(filtered(1e3 * x, raw), 0.8, 0.0))
    table = sc.Engine(["market_regime_volatility", "market_regime_name"]).run(prices(x))
    add("market_regime_volatility, as shipped", np.nan_to_num(table[:, 0]))
    add(
        "market_regime_name, as shipped: quiet, volatile, others", np.where(table[:, 1] == 6, 0, 1 + (table[:, 1] == 5))
    )
    size = np.sqrt(ewma(x * x, 30))
    low, high = np.quantile(size[:half], [1 / 3, 2 / 3])
    add("EWMA volatility, terciles of the training half", (size > low).astype(int) + (size > high))
    add("EWMA volatility, true thresholds", (size > 0.7e-3).astype(int) + (size > 1.4e-3))
    try:
        from hmmlearn.hmm import GaussianHMM

        model = GaussianHMM(3, covariance_type="diag", n_iter=100, random_state=0).fit(1e3 * x[:half, None])
        p = forward(model._compute_log_likelihood(1e3 * x[:, None]), model.transmat_, model.startprob_)
        order = model.covars_.ravel().argsort().argsort()
        add("hmmlearn GaussianHMM on returns, filtered", order[p.argmax(axis=1)])
    except ImportError:
        pass
    try:
        from jumpmodels.jump import JumpModel

        y = np.log(np.column_stack([np.sqrt(ewma(x * x, n)) for n in (10, 30)]))
        y = (y - y[:half].mean(axis=0)) / y[:half].std(axis=0)
        jump = JumpModel(n_components=3, jump_penalty=50.0, random_state=0).fit(y[:half])
        order = np.asarray(jump.centers_)[:, 0].argsort().argsort()
        add("jumpmodels predict_online on EWMA volatility", order[np.asarray(jump.predict_online(y)).astype(int)])
    except ImportError:
        pass
    return out


# ---- the simulator's own labels ----


def simulated(seed: int, seconds: float) -> dict[str, dict[str, float]]:
    """Bars of two seconds of the order-driven simulator; no law of it is known, so neither is a ceiling."""
    sim = sc.simulate(seconds=seconds, seed=seed, regime="mixed")
    wanted = [*COLUMNS, *regime_rules.COLUMNS]
    ts, table = sc.Engine(wanted, bars="2s").run(sim.events, "bar", return_ts=True)
    regime = sim.regime_at(ts - 1).astype(np.int64)
    warm = ~np.isnan(table[:, 7]) & (np.array(REGIMES)[regime] != "calm")
    return {
        "market_regime, as shipped": measure(regime[warm], table[warm, 7].astype(np.int64)),
        "rules (smartcore before this kernel)": measure(regime[warm], regime_rules.names(table[:, 13:])[warm]),
    }


# ---- the table ----


def interval(values: list[float]) -> tuple[float, float]:
    """Mean, and half of its 95 % interval over the seeds."""
    x = np.array(values)
    x = x[np.isfinite(x)]
    if not len(x):
        return math.nan, math.nan
    return float(x.mean()), float(1.96 * x.std(ddof=1) / math.sqrt(len(x))) if len(x) > 1 else math.nan


def row(name: str, found: list[dict[str, float]], best: list[dict[str, float]] | None) -> tuple[str, dict[str, float]]:
    accuracy, half = interval([f["accuracy"] for f in found])
    told = {"accuracy": accuracy, "accuracy_half": half}
    for key in ("delay", "missed", "flips", "us"):
        told[key], told[f"{key}_half"] = interval([f.get(key, math.nan) for f in found])
    cells = [name, f"{accuracy:.3f} ± {half:.3f}"]
    if best is not None:
        told["share"], told["share_half"] = interval(
            [f["accuracy"] / b["accuracy"] for f, b in zip(found, best, strict=True)]
        )
        cells.append(f"{told['share']:.2f} ± {told['share_half']:.2f}")
    cells += [
        f"{told['delay']:.1f}",
        f"{100 * told['missed']:.0f} %",
        f"{told['flips']:.2f} ± {told['flips_half']:.2f}",
    ]
    if "us" in found[0]:
        cells.append("" if math.isnan(told["us"]) else f"{told['us']:.2g}")
    return f"| {' | '.join(cells)} |", told


def head(share: bool, cost: bool) -> str:
    cells = ["", "balanced accuracy", *(["of the ceiling"] if share else []), "delay", "missed", "flips per switch"]
    cells += ["us a bar"] if cost else []
    return f"| {' | '.join(cells)} |\n|{' --- |' + ' ---: |' * (len(cells) - 1)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small, to see that it runs")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--results", type=Path)
    told = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.getLogger("hmmlearn").setLevel(logging.ERROR)
    forward(np.zeros((2, 2)), np.full((2, 2), 0.5), np.full(2, 0.5)), hold(np.zeros((2, 2)), *HOLD)  # compiled untimed
    seeds, n = (range(2), 4000) if told.quick else (range(told.seeds), 12_000)
    versions = {}
    for name in ("numpy", "hmmlearn", "jumpmodels", "ruptures", "scikit-learn"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = "absent"
    result: dict[str, Any] = {"quick": told.quick, "seeds": len(seeds), "bars": n, "versions": versions, "cases": {}}
    paragraphs = (__doc__ or "").strip().split("\n\n")
    page = [
        "# Regimes, where they are known",
        "",
        f"`python bench/regimes.py --seeds {len(seeds)}`; {platform.processor() or platform.machine()}, "
        f"Python {platform.python_version()}, " + ", ".join(f"{k} {v}" for k, v in versions.items()) + ".",
        "",
        *paragraphs[1].split("\n"),
        "```text", *paragraphs[2].split("\n"), "```",
        *paragraphs[3].split("\n"), "",
        *paragraphs[4].split("\n"),
        "",
        f"{len(seeds)} markets of {n} bars each (seeds 0 and up, of which nothing was fitted), the second half scored; "
        "± is half of a 95 % interval over the markets. What ships was fitted on seeds 1000 to 1005 of the three "
        "strengths together (`export/market_regime.py`), so that it is nowhere told which strength it meets.",
    ]  # fmt: skip
    cases = [(s, False) for s in drawn.STRENGTHS] + [(1.0, True)]
    for strength, rough in cases[1:2] if told.quick else cases:
        title = f"Strength {strength:g}" + (", rough" if rough else "")
        found: dict[str, list[dict[str, float]]] = {}
        for seed in seeds:
            m = drawn.draw(n, seed, strength, rough=rough)
            half = n // 2
            for name, method in METHODS.items():
                needs = OPTIONAL.get(name.split()[0])
                if needs and importlib.util.find_spec(needs) is None:
                    continue
                names, cost = method(m, half)
                found.setdefault(name, []).append({**measure(m.regime[half:], names), "us": 1e6 * cost})
            print(f"{title}: market {seed}", flush=True)
        best = next(iter(found.values()))
        if rough:  # what believes the law is no ceiling here
            found = {k.replace("true-parameter filter (the ceiling)", "filter that believes the law"): v
                     for k, v in found.items()}  # fmt: skip
        lines = {name: row(name, values, None if rough else best) for name, values in found.items()}
        page += ["", f"## {title}", ""]
        if rough:
            page += [
                "Stays are not geometric, volatility wanders within a regime and over days, volume remembers, wicks "
                "come from a path: no filter is known to be the best.", "",
            ]  # fmt: skip
        page += [head(not rough, True), *[line for line, _ in lines.values()]]
        result["cases"][title] = {name: values for name, (_, values) in lines.items()}
    volatility = [volatility_methods(seed) for seed in (range(2) if told.quick else range(12))]
    lines = {k: row(k, [v[k] for v in volatility], [v["true-parameter filter (the ceiling)"] for v in volatility])
             for k in volatility[0]}  # fmt: skip
    page += [
        "", "## Three states of volatility", "",
        "Deviations of 0.5, 1 and 2, Student-t of five degrees, 200 bars a stay; closes alone; 3,000 bars to fit, "
        f"3,000 scored, {len(volatility)} series. The columns of hmm measure returns by the scale of the last 500 or "
        "2,000 bars, a few regimes here: that is what they lack to the same filter on raw returns.", "",
        head(True, False), *[line for line, _ in lines.values()],
    ]  # fmt: skip
    result["cases"]["volatility"] = {k: values for k, (_, values) in lines.items()}
    sims = [simulated(seed, 4000 if told.quick else 8000) for seed in (range(1) if told.quick else range(3))]
    page += ["", "## The simulator's own labels", "",
             "`sc.simulate(regime=\"mixed\")`, bars of two seconds, as shipped: neither was made for the other.", "",
             head(False, False), *[row(k, [s[k] for s in sims], None)[0] for k in sims[0]]]  # fmt: skip
    result["cases"]["simulated"] = {k: row(k, [s[k] for s in sims], None)[1] for k in sims[0]}
    for case in result["cases"].values():
        for values in case.values():
            values.update({key: None for key, x in values.items() if math.isnan(x)})
    publish(told.results or (ROOT / "out" / "results" if told.quick else ROOT / "bench" / "results"), "regimes", result,
            "\n".join(page) + "\n")  # fmt: skip


if __name__ == "__main__":
    main()
