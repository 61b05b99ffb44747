"""The shipped numbers of the kernel `market_regime`, from data to the table in csrc/features/market_regime.cpp.

python export/market_regime.py                     # markets drawn with known regimes: what ships; a minute
python export/market_regime.py minutes/*.parquet   # recorded bars: fitted to them, unlabelled

What ships was fitted, with labels, to drawn markets alone, of three strengths together; no recording and none of the
seeds that bench/regimes.py tests on had a part in it. The thresholds of the name were chosen on the seeds VALIDATION:
the lowest (0.50 to 0.75 were tried) with at most 1.5 changes of the name per true switch on each strength.
For a market of your own: smartcore.FeatureSet(columns, fitted={"market_regime": fit_market_regime(bars)}).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import smartcore as sc
from smartcore.learn.drawn import NAME_OF, STRENGTHS, draw, true_filter
from smartcore.learn.market_regime import MarketRegimeParameters, filtered, fit_market_regime, read, shipped

BARS, TRAINING, VALIDATION = 20_000, range(1000, 1006), range(1100, 1103)
ENTER, LEAVE = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75), 0.15  # leave: this times what enter leaves
PARTS = {"drift": "-20, 20", "pull": "-1, 1", "scale": "0.01, 100", "wick": "-4, 4", "wick_scale": "0.01, 100",
         "volume": "-4, 4", "volume_scale": "0.01, 100"}  # fmt: skip


def names(p: NDArray[np.float64], enter: float, leave: float) -> NDArray[np.int64]:
    """The name as the kernel holds it, from P(state), -1 before it is known."""
    of_name = np.stack([p[:, k == NAME_OF].sum(axis=1) for k in range(7)], axis=1)
    out, now = np.full(len(p), -1), -1
    for t in np.flatnonzero(~np.isnan(p[:, 0])):
        best = int(of_name[t].argmax())
        if now < 0 or (best != now and (of_name[t, best] > enter or of_name[t, now] < leave)):
            now = best
        out[t] = now
    return out


def scored(p: MarketRegimeParameters, strength: float, enter: float, leave: float) -> tuple[float, float]:
    """(balanced accuracy over the ceiling's, changes of the name per true switch) on the validation seeds."""
    share, flips = [], []
    for seed in VALIDATION:
        m = draw(BARS, seed, strength)
        told = names(filtered(read(m.high, m.low, m.close, m.volume), p), enter, leave)
        warm, true = told >= 0, m.regime
        best = true_filter(m).argmax(axis=1)
        recall = [[(x[warm & (true == k)] == k).mean() for k in range(7)] for x in (told, best)]
        share.append(np.mean(recall[0]) / np.mean(recall[1]))
        flips.append(np.count_nonzero(np.diff(told[warm])) / np.count_nonzero(np.diff(true[warm])))
    return float(np.mean(share)), float(np.mean(flips))


def table(p: MarketRegimeParameters) -> str:
    """As it stands in the source; rows add up to 1 to the last digit."""
    lines = []
    for (name, bounds), row in zip(PARTS.items(), p.parts, strict=True):
        lines.append(f'    {{"{name}", {bounds}, {{{", ".join(f"{x + 0:.3g}" for x in np.round(row, 3))}}}}},')
    for i, row in enumerate(np.round(p.transitions, 6)):
        row[i] += 1 - row.sum()
        lines.append(f"    {{{', '.join(f'{x:.6g}' for x in row)}}},")
    return "\n".join([*lines, f"enter {p.enter:g}, leave {p.leave:g}"])


if sys.argv[1:]:
    import pandas as pd

    for path in map(Path, sys.argv[1:]):
        bars = pd.read_parquet(path, columns=["high", "low", "close", "volume"])[:BARS]
        print(f"{path.stem}\n{table(fit_market_regime(bars))}\n")
else:
    markets = [draw(BARS, seed, strength) for strength in STRENGTHS for seed in TRAINING]
    fit = fit_market_regime(markets, [m.state for m in markets], iterations=8)
    for enter in ENTER:
        leave = round(LEAVE * (1 - enter), 4)
        found = [scored(fit, strength, enter, leave) for strength in STRENGTHS]
        print(f"enter {enter:g}: " + ", ".join(f"{s:g}: {a:.3f} of the ceiling, {f:.2f} flips"
                                               for s, (a, f) in zip(STRENGTHS, found, strict=True)))  # fmt: skip
        if all(f <= 1.5 for _, f in found):
            break
    fit = fit._replace(enter=enter, leave=leave)
    print(table(fit))
    ours = shipped()
    apart = max(abs(a - b) for a, b in zip(fit.numbers(), ours.numbers(), strict=True))
    print(f"furthest from what ships (smartcore {sc.__version__}): {apart:.4f}")
