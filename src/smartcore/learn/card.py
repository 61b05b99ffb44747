"""The page that ships beside a model file: what it is and is not, how it was made, how good and how fast.

All of it comes from the file's contract and from the report of its check; :func:`write` needs neither the data nor the
recipe.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smartcore.learn.check import Report
from smartcore.learn.evaluate import table
from smartcore.models import Contract

SIMULATED = "SIMULATED"
"""How ``trained_on["data"]`` begins where the market was simulated."""
_SHOWN = ("data", "period", "rows", "rows_hash", "recordings", "purged", "split", "seed")
"""Of ``trained_on``, in this order; whatever else is in it follows."""


def write(path: Path, contract: Contract, report: Report, what: str = "", command: str = "", int8: str = "") -> None:
    """Write ``<name>.md``. ``what`` says what the model is, ``command`` made it, ``int8`` is what became of a quantised
    variant.
    """
    path.write_text(page(contract, report, what, command, int8))


def page(c: Contract, report: Report, what: str = "", command: str = "", int8: str = "") -> str:
    """The card as Markdown."""
    made = ", ".join(f"{k} {v}" for k, v in c.created_with.items())
    pace = f'one step for each row of `Engine(bars={c.bars!r}).run(events, sample="{c.sample}")`'.replace("'", '"')
    table_of = {
        "kind": c.kind,
        "reads": f"{c.width} columns: {', '.join(c.columns)}",
        "fingerprint": f"`{c.fingerprint}`",
        "pace": pace,
        "says": f"probabilities of {', '.join(c.classes)} over the next {c.horizon}",
        "label": c.label,
        "unknown values": c.missing,
        "warm-up": f"{c.warm_up} steps",
        "carries": ", ".join(f"{s.input} {s.shape}" for s in c.states) or "nothing",
        "calibration": f"{_calibration(c.calibration)}, inside the graph",
        **_data(c.trained_on),
        "file": f"{report.kilobytes:.0f} kB, {report.nodes} nodes",
        "made with": made,
    }
    lines = "\n".join(f"| {key} | {value} |" for key, value in table_of.items())
    return "\n\n".join(
        part
        for part in (
            f"# {c.name}",
            _warning(c),
            what,
            f"| | |\n| --- | --- |\n{lines}",
            *_scores(c.metrics),
            f"## Checks\n\n```\n{report}\n```",
            f"An int8 variant: {int8}." if int8 else "",
            f"Latency is that of `Model.step` in Python on the machine that made this card ({platform.machine()}, "
            f"{os.cpu_count()} shared cores, one thread). Of CoreML only static checks were run, no Apple machine was "
            "at hand.",
            f"Made by `{command}`." if command else "",
        )
        if part
    ) + "\n"


def _warning(c: Contract) -> str:
    if str(c.trained_on.get("data", "")).startswith(SIMULATED):
        return (
            "**Trained on SIMULATED data. It is an example of a file that fits the engine, not a strategy: it has "
            "never seen a real market, and its scores say how well it knows our simulator and nothing else.**"
        )
    return (
        "**Not a strategy. Its scores are those of one test period of one market; no cost is deducted from them, and "
        "markets change.**"
    )


def _calibration(record: Mapping[str, Any]) -> str:
    method = record.get("method", "none")
    if method == "none":
        return "none"
    curves = record.get("curves")
    more = f" and {len(curves)} rising curves" if curves else ""
    return f"{method}, temperature {record.get('temperature', 1.0):.3f}{more}, fitted on validation"


def _data(trained_on: Mapping[str, Any]) -> dict[str, str]:
    order = [key for key in _SHOWN if key in trained_on]
    order += [key for key in trained_on if key not in _SHOWN]
    return {key.replace("_", " "): _said(trained_on[key]) for key in order}


def _said(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return " to ".join(map(str, value)) if len(value) == 2 else ", ".join(map(str, value))
    return str(value)


def _scores(metrics: Mapping[str, Any]) -> list[str]:
    """The tables of ``contract.metrics``: "test" and "control", each name -> scores, or mean and deviation of them."""
    parts = []
    if metrics.get("test"):
        seeds = metrics.get("seeds", 1)
        how = "One training seed."
        if seeds != 1:
            how = f"Mean ± standard deviation over {seeds} training seeds; the file's has the best *validation* loss."
        parts.append(
            f"## Scores on the test data\n\n{how} Thresholds, scalers, stopping and calibration never saw the test.\n\n"
            f"{table(_pairs(metrics['test']))}"
        )
    if metrics.get("control"):
        parts.append(
            "Control, the same recipe on a random walk: chance is a macro-F1 of 0.333 or less and an MCC of 0.\n\n"
            f"{table(_pairs(metrics['control']))}"
        )
    if parts:
        parts.append("No cost is deducted.")
    return parts


def _pairs(results: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Mean and deviation as pairs again, where JSON made lists of them."""
    return {
        name: {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()} for name, row in results.items()
    }
