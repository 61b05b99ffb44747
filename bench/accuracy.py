"""How exact the bar kernels are: the worst error of every default column against its naive twin in extended precision.

    python bench/accuracy.py                 # a Markdown table on stdout
    python bench/accuracy.py --json out.json

ordinary: prices near 100. level: 1e8 with ticks of 0.01. print: what a bar of 1e9 has left behind once it is out of the
window, against an engine that never saw it (recursive averages: once their own decay is below 1e-24); 0 is bit-equal.
Errors are relative to the value, or to the column's median size where that is larger.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import streams
from reference import TRAITS
from test_laws import ON_BARS, PRINTS, bars_to_forget, twin_errors

import smartcore as sc


def residues() -> dict[str, float]:
    """Column -> worst residue of any of the bad prints."""
    at, good = 400, streams.bars(3600)
    columns = sc.FeatureSet.default().wakes("bar")
    clean = sc.Engine(columns).run(good)
    worst = dict.fromkeys(columns.columns, 0.0)
    for fields in PRINTS.values():
        events = good.copy()
        for name, value in fields.items():
            events.view(sc.BAR)[name][at] = value
        table = sc.Engine(columns).run(events)
        for column, got, expected in zip(columns.specs, table.T, clean.T, strict=True):
            rest = at + bars_to_forget(column.kernel, column.params)
            error = np.max(abs(got[rest:] - expected[rest:])) / (np.median(abs(expected[rest:])) or 1)
            worst[column.name] = max(worst[column.name], float(error))
    return worst


def measure() -> list[dict[str, object]]:
    ordinary, high = streams.bars(1500), streams.bars(800, seed=4, price=1e8, tick=0.01, volatility=5e-10)
    left, rows = residues(), []
    for kernel in ON_BARS:
        columns = [kernel.column(p, i).name for p in kernel.defaults for i in range(len(kernel.outputs))]
        traits = TRAITS[kernel.name]
        rows.append(
            {
                "kernel": kernel.name,
                "family": kernel.family,
                "columns": len(columns),
                "ordinary": max(e for p in kernel.defaults for e in twin_errors(kernel, p, ordinary)),
                "level": max(e for p in kernel.defaults for e in twin_errors(kernel, p, high)),
                "print": max(left[name] for name in columns),
                "forgets": f"{traits.decay(*kernel.defaults[0]):.3f} a bar" if traits.decay
                else f"within {traits.forgets(*kernel.defaults[0]):.0f} bars" if traits.forgets
                else "with its window",
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()
    rows = measure()
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")
    print("| kernel | columns | ordinary | level 1e8 | left by a print of 1e9 | forgets |")
    print("| --- | ---: | ---: | ---: | ---: | --- |")
    for r in rows:
        figures = " | ".join(f"{r[k]:.0e}" if r[k] else "0" for k in ("ordinary", "level", "print"))
        print(f"| {r['kernel']} | {r['columns']} | {figures} | {r['forgets']} |")


if __name__ == "__main__":
    main()
