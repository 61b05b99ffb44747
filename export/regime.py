"""The shipped numbers of the kernel `hmm`, from data to the table in csrc/features/regime.cpp.

python export/regime.py                     # returns drawn from what ships: the fit finds it again; half a minute
python export/regime.py minutes/*.parquet   # recorded bars, a column `close` each, alone and together

What ships was made with BTCUSDT, ETHUSDT, SOLUSDT and XRPUSDT, bars of one minute of Binance spot from 23 March 2026
on, the first 20,000 of each (none is part of the project). The four fits are alike, for returns come in units of their
own slow scale; the means, a twentieth of a scale, are shipped as 0: two weeks say nothing of direction.
For a market of your own: smartcore.FeatureSet(columns, fitted={"hmm": fit_hmm(standardised(log_returns))}).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import smartcore as sc
from smartcore.learn.regime import HmmParameters, fit_hmm, standardised

STATES = ("quiet", "normal", "turbulent")
WINDOW, MOST = 500, 20_000  # the kernel's default, bars of each file
FITTED = sc.catalogue()["hmm"].fitted


def recorded(path: Path) -> NDArray[np.float64]:
    import pandas as pd

    close = pd.read_parquet(path, columns=["close"])["close"].to_numpy()[:MOST]
    return standardised(np.diff(np.log(close)), WINDOW)


def drawn(n: int, seed: int) -> NDArray[np.float64]:
    """Standardised returns of the model that ships."""
    rng = np.random.default_rng(seed)
    means, scales, dofs, *rows = np.reshape([f.value for f in FITTED], (6, 3))
    state, x = 1, np.empty(n)
    for t in range(n):
        state = rng.choice(3, p=rows[state])
        x[t] = means[state] + scales[state] * rng.standard_t(dofs[state])
    return x


def show(p: HmmParameters) -> str:
    lines = []
    for (part, digits), values in zip([("mean", 3), ("scale", 3), ("dof", 1)], p[:3], strict=True):
        lines.append(", ".join(f"{part}_{s} {v:.{digits}f}" for s, v in zip(STATES, values, strict=True)))
    for state, row in zip(STATES, p.transitions, strict=True):
        lines.append(f"{state}: " + ", ".join(f"{to} {v:.4f}" for to, v in zip(STATES, row, strict=True)))
    return "\n".join([*lines, f"log likelihood {p.log_likelihood:.5f} a return"])


data = {path.stem: recorded(path) for path in map(Path, sys.argv[1:])} or {"drawn": drawn(MOST, 1)}
for name, x in data.items():
    print(f"{name}\n{show(fit_hmm(x))}\n")
together = fit_hmm(list(data.values()))
print(f"together\n{show(together)}\n")
print("\n".join(f"{f.name:24}{v:10.4f}{f.value:10.4f}" for f, v in zip(FITTED, together.numbers(), strict=True)))
