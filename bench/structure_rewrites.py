"""How many values of the structure columns are rewritten when later bars arrive: ours, and smartmoneyconcepts' labels.

    python bench/structure_rewrites.py [bars]

The bars are a seeded random walk. After every bar of the second half the columns (labels) of all bars so far are
computed again and compared with those of one bar before. A value that a trader saw on a bar and that today's chart
shows otherwise is a rewrite. Ours must be 0; theirs are why labels drawn on history make good charts and bad features.
"""

from __future__ import annotations

import contextlib
import io
import sys

import numpy as np

import smartcore as sc
from smartcore.market import events as ev


def walk(n: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    path = 100 * np.exp(np.cumsum(rng.standard_t(4, (n, 8)) * 3e-4)).reshape(n, 8)
    ts = 1_700_000_000_000_000_000 + 60_000_000_000 * np.arange(n)
    return ev.bars(ts, path[:, 0], path.max(1), path.min(1), path[:, -1], rng.gamma(1, 10, n))


def changed(before: np.ndarray, now: np.ndarray) -> int:
    old = now[: len(before)]
    return int((~((before == old) | (np.isnan(before) & np.isnan(old)))).sum())


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    with contextlib.redirect_stdout(io.StringIO()):
        from smartmoneyconcepts.smc import smc
    import pandas as pd

    bars = walk(n)
    frame = pd.DataFrame({name: bars[f"v{i}"] for i, name in enumerate(("open", "high", "low", "close", "volume"))})
    columns = sc.FeatureSet.default().group("structure")

    def theirs(m: int) -> dict[str, np.ndarray]:
        part = frame[:m]
        swings = smc.swing_highs_lows(part, 5)
        return {
            "swing_highs_lows": swings.to_numpy(),
            "bos_choch": smc.bos_choch(part, swings).to_numpy(),
            "ob": smc.ob(part, swings).to_numpy(),
            "fvg": smc.fvg(part).to_numpy(),
        }

    ours, before = 0, theirs(n // 2)
    counts, row = dict.fromkeys(before, 0), sc.Engine(columns).run(bars[: n // 2])
    with np.errstate(all="ignore"):
        for m in range(n // 2 + 1, n + 1):
            now = theirs(m)
            for name, values in before.items():
                counts[name] += changed(values, now[name])
            table = sc.Engine(columns).run(bars[:m])
            ours += changed(row, table)
            before, row = now, table
    print(f"values rewritten by {n - n // 2} later bars")
    print(f"  smartcore, {len(columns)} columns of structure: {ours}")
    for name, count in counts.items():
        print(f"  smartmoneyconcepts.{name}: {count}")
    sys.exit(ours > 0)


if __name__ == "__main__":
    main()
