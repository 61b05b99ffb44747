"""What an explanation is, as text, as plain types and as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartcore.learn.evaluate.plots import INK, MUTED

STABLE = 0.6
"""Least stability of an explanation that may be relied on: mean overlap of its ten largest columns between seeds."""


@dataclass(frozen=True)
class Explanation:
    """What each column put into one score of one row.

    ``base + values.sum() == score`` where the method is exact (``shap``) or made so (``sampled``); for ``gradients`` up
    to the error of the integral, and for ``lime`` not at all: its values are slopes times how far the column stands
    from its usual value.
    """

    method: str
    subject: str
    """Which score: "up - down, before calibration"."""
    columns: tuple[str, ...]
    row: NDArray[np.float64]
    """(k,) values of the columns, NaN unknown."""
    values: NDArray[np.float64]
    """(k,) contributions, positive towards up."""
    base: float
    """What the model says of a usual row."""
    score: float
    """What it says of this one."""
    error: NDArray[np.float64] | None = None
    """(k,) standard errors, of methods that draw."""
    stability: float | None = None
    """0 to 1: how many of the ten largest columns two seeds share on average (Jaccard); None: nothing was drawn."""
    notes: tuple[str, ...] = field(default=())

    @property
    def stable(self) -> bool:
        """Whether another seed would have told much the same."""
        return self.stability is None or self.stability >= STABLE

    def top(self, count: int = 10) -> list[tuple[str, float, float]]:
        """(column, value, contribution) of the largest contributions, largest first."""
        order = np.argsort(-np.abs(self.values), kind="stable")[:count]
        return [(self.columns[i], float(self.row[i]), float(self.values[i])) for i in order]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; what is not known is null."""
        return {
            "method": self.method,
            "subject": self.subject,
            "base": self.base,
            "score": self.score,
            "stability": self.stability,
            "stable": self.stable,
            "notes": list(self.notes),
            "columns": [
                {
                    "column": name,
                    "value": _known(self.row[i]),
                    "contribution": float(self.values[i]),
                    "error": None if self.error is None else float(self.error[i]),
                }
                for i, name in enumerate(self.columns)
            ],
        }

    def __str__(self) -> str:
        top = self.top()
        width = max([len(name) for name, _, _ in top], default=6)
        lines = [f"{self.method}: {self.subject} is {self.score:+.4f}, of a usual row {self.base:+.4f}"]
        for name, value, part in top:
            at = self.columns.index(name)
            spread = "" if self.error is None else f" ± {self.error[at]:.4f}"
            shown = "unknown" if value != value else f"{value:.5g}"
            lines.append(f"  {part:+.4f}{spread}  {name:{width}}  = {shown}")
        rest = float(self.values.sum()) - sum(part for _, _, part in top)
        if len(self.columns) > len(top):
            lines.append(f"  {rest:+.4f}  {len(self.columns) - len(top)} other columns")
        if self.stability is not None:
            verdict = "" if self.stable else f": UNSTABLE, below {STABLE:g}; another seed tells another story"
            lines.append(f"  stability {self.stability:.2f}{verdict}")
        return "\n".join([*lines, *(f"  {note}" for note in self.notes)])


def _known(x: float) -> float | None:
    return float(x) if np.isfinite(x) else None


def stability(draws: Sequence[NDArray[np.floating]], count: int = 10) -> float:
    """Mean Jaccard overlap of the ``count`` largest columns between any two of the draws; 1 for a single one."""
    sets = [set(np.argsort(-np.abs(d), kind="stable")[: min(count, max(1, len(d) // 2))].tolist()) for d in draws]
    pairs = [len(a & b) / len(a | b) for i, a in enumerate(sets) for b in sets[:i]]
    return float(np.mean(pairs)) if pairs else 1.0


def draw(told: Explanation, path: Path | str, most: int = 14) -> None:
    """Write the explanation as a picture, PNG or SVG by the name of ``path``: from what a usual row gives to what this
    one gives, column by column. Needs matplotlib; uses no global state of it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    top = told.top(most)
    rest = float(told.values.sum()) - sum(part for _, _, part in top)
    bars = [(f"{name} = {'unknown' if value != value else format(value, '.4g')}", part) for name, value, part in top]
    if len(told.columns) > len(top):
        bars.append((f"{len(told.columns) - len(top)} other columns", rest))
    bars.reverse()
    figure = Figure(figsize=(9, 1.6 + 0.32 * len(bars)), layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.12))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    at = told.base
    for i, (_, part) in enumerate(bars):
        axes.barh(i, part, left=at, color="#b2182b" if part > 0 else "#2166ac", height=0.7)
        nudge = "left" if part >= 0 else "right"
        axes.annotate(
            f" {part:+.3g} ", (at + part, i), va="center", ha=nudge, fontsize=8, color=INK, annotation_clip=False
        )
        at += part
    axes.set_yticks(range(len(bars)), [name for name, _ in bars])
    axes.axvline(told.base, color=MUTED, linewidth=0.8, linestyle=":")
    axes.axvline(at, color=INK, linewidth=0.8)
    ends = told.base + np.cumsum([0.0, *[part for _, part in bars]])
    room = 0.14 * max(float(np.ptp(ends)), 1e-9)  # for the numbers beside the bars
    axes.set_xlim(float(ends.min()) - room, float(ends.max()) + room)
    warned = "" if told.stable else " · UNSTABLE between seeds"
    axes.set_title(f"{told.method}: {told.subject} {told.score:+.4f}{warned}", loc="left", color=INK, fontsize=11)
    axes.set_xlabel(f"from a usual row, {told.base:+.4f}, up to this one: red towards up, blue towards down", color=INK)
    axes.tick_params(colors=INK, labelsize=8)
    for edge in ("top", "right", "left"):
        axes.spines[edge].set_visible(False)
    axes.spines["bottom"].set_color(MUTED)
    figure.savefig(Path(path), dpi=140, facecolor="white")
