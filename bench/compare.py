"""Whether ratios got worse from one result file to another.

    python bench/compare.py OLD.json NEW.json [--fail 1.10] [--allow-missing]

Only ratios are compared (ours over a peer, or over a reference workload, both from one run):
absolute times of two files belong to two machines, or to one on two days. Lower is better. Exit
status 1 where a ratio is worse by more than the limit, or is missing in the new file (a peer that
is not installed: --allow-missing); 2 where a file cannot be read or one of them was made with
--quick.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any


def ratios(result: Any) -> dict[str, float]:
    """Every ratio of a result file, wherever it stands: all that is under a key "ratios"."""
    found: dict[str, float] = {}
    if isinstance(result, dict):
        for key, value in result.items():
            if key == "ratios" and isinstance(value, dict):
                found.update({name: float(x) for name, x in value.items()})
            else:
                found.update(ratios(value))
    return found


def load(path: str) -> tuple[dict[str, float], str]:
    """Ratios of a file and a line about where they come from. Raises OSError, ValueError."""
    result = json.loads(Path(path).read_text())
    found = ratios(result)
    if isinstance(result, dict) and result.get("quick"):
        raise ValueError("it was made with --quick: its figures mean nothing")
    if not found:
        raise ValueError("it holds no ratios")
    about = {name: result.get("machine", {}).get(name, "?") for name in ("commit", "machine", "cpu", "time")}
    return found, "{commit} on {machine} ({cpu}), {time}".format(**about)


def compare(
    old: dict[str, float], new: dict[str, float], limit: float
) -> list[tuple[str, str, str, str, str]]:
    """Rows (name, old, new, change, verdict), the worst first."""
    rows = []
    for name in sorted(old.keys() | new.keys(), key=lambda name: -new.get(name, 9e9) / old.get(name, 9e9)):
        if name not in new:
            rows.append((name, f"{old[name]:.4f}", "-", "-", "MISSING"))
        elif name not in old:
            rows.append((name, "-", f"{new[name]:.4f}", "-", "new"))
        else:
            change = new[name] / old[name]
            verdict = "WORSE" if change > limit else "better" if change < 1 / limit else ""
            rows.append((name, f"{old[name]:.4f}", f"{new[name]:.4f}", f"{change - 1:+.1%}", verdict))
    return rows


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument(
        "--fail", type=float, default=1.10, metavar="X", help="worse than X times the old ratio fails"
    )
    parser.add_argument(
        "--allow-missing", action="store_true", help="a ratio that only the old file has does not fail"
    )
    given = parser.parse_args(arguments)
    if given.fail < 1:
        parser.error(f"--fail {given.fail:g}: a limit below 1 would fail files that are equal")
    loaded = []
    for path in (given.old, given.new):
        try:
            loaded.append(load(path))
        except (OSError, ValueError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            return 2
    (old, about_old), (new, about_new) = loaded
    print(f"old: {about_old}\nnew: {about_new}")
    print(f"ours over the peer's, lower is better; fails above {given.fail:g} times the old\n")
    rows = [("ratio", "old", "new", "change", ""), *compare(old, new, given.fail)]
    widths = [max(len(row[i]) for row in rows) for i in range(5)]
    for name, *rest in rows:
        print(
            name.ljust(widths[0]),
            *(x.rjust(w) for x, w in zip(rest[:3], widths[1:4], strict=True)),
            rest[3],
            sep="  ",
        )
    bad = ("WORSE",) if given.allow_missing else ("WORSE", "MISSING")
    failed = [row[0] for row in rows[1:] if row[4] in bad]
    print(f"\n{len(failed)} of {len(rows) - 1} fail" if failed else f"\nnone of {len(rows) - 1} is worse")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
