"""A result in pictures: reliability, confusion, equity net of cost, learning curves. Needs matplotlib.

Figures are made and saved without pyplot, so nothing global changes and no display is needed. Each ``draw_*`` draws
into axes of the caller's; ``page`` saves all that a result has.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from smartcore.learn.evaluate.report import Result, words
from smartcore.learn.evaluate.scores import LESS_IS_BETTER

INK, MUTED, GRID = "#1f2933", "#7b8794", "#e4e7eb"
BLUE, ORANGE, GREEN, RED = "#2563a8", "#d9822b", "#2f8f5b", "#b83232"
CLASSES = {2: ("down", "up"), 3: ("down", "flat", "up")}


def page(result: Result, folder: Path | str) -> list[Path]:
    """Save ``<name>.png``, all pictures of a result on one sheet, and ``<name>.md`` and ``.json`` beside it."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    stem = "".join(c if c.isalnum() or c in "-_" else "-" for c in result.name).strip("-")
    picture = folder / f"{stem}.png"
    sheet(result).savefig(picture, dpi=130, facecolor="white")
    text = folder / f"{stem}.md"
    text.write_text(result.markdown() + f"\n![{result.name}]({picture.name})\n", encoding="utf-8")
    return [picture, text, result.write(folder / f"{stem}.json")]


def sheet(result: Result) -> Any:
    """A matplotlib Figure of two columns: scores beside floors, reliability, confusion, then equity and curves."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    draw = [draw_scores, draw_reliability, draw_confusion]
    if result.equity:
        draw.append(draw_equity)
    if result.curves:
        draw.append(draw_curves)
    across = 3 if len(draw) == 3 else 2
    rows = -(-len(draw) // across)
    figure = Figure(figsize=(5.5 * across, 0.7 + 4.1 * rows), layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.12))
    FigureCanvasAgg(figure)
    figure.suptitle(f"{result.name} — {result.task}" if result.task else result.name, color=INK, fontsize=13)
    grid = figure.add_gridspec(rows, across)
    for i, one in enumerate(draw):
        wide = i == len(draw) - 1 and i % across == 0
        one(figure.add_subplot(grid[i // across, :] if wide else grid[i // across, i % across]), result)
    return figure


def draw_scores(axes: Any, result: Result, name: str = "macro_f1") -> None:
    """One score of the model, with interval and seeds, above those of its floors."""
    labels = [result.name, *result.floors]
    found = result.intervals[name]
    mean = result.mean()[name][0]
    axes.errorbar(
        mean, 0, xerr=[[max(mean - found.low, 0)], [max(found.high - mean, 0)]],
        fmt="o", color=BLUE, capsize=4, markersize=7, zorder=3,
    )  # fmt: skip
    axes.plot([s[name] for s in result.scores], [0.25] * len(result.scores), "|", color=BLUE, markersize=7)
    axes.annotate(
        str(found), (found.high, 0), xytext=(8, 0), textcoords="offset points", va="center", color=BLUE, fontsize=9
    )
    for i, each in enumerate(result.floors.values(), 1):
        axes.plot(each[name], i, "D", color=MUTED, markersize=6)
        axes.annotate(
            f"{each[name]:.3f}", (each[name], i), xytext=(8, 0), textcoords="offset points", va="center",
            color=MUTED, fontsize=9,
        )  # fmt: skip
    left, right = axes.get_xlim()
    axes.set_xlim(left, right + 0.42 * (right - left))  # room for the numbers
    axes.axvline(mean, color=BLUE, linewidth=0.8, linestyle=":", zorder=1)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.6)
    better = "less" if name in LESS_IS_BETTER else "more"
    title = f"{words(name)} ({better} is better)"
    _title(axes, title[0].upper() + title[1:], f"bar: {found.level:.0%} interval; ticks: seeds")
    _plain(axes, "x")


def draw_reliability(axes: Any, result: Result) -> None:
    """Hit rate against confidence of equal numbers of rows, with twice their standard error were rows independent."""
    said, hit, count = (np.array(result.reliability[k]) for k in ("confidence", "hit", "count"))
    count = count / len(result.scores)  # seeds saw the same rows
    error = 2 * np.sqrt(np.maximum(hit * (1 - hit), 0) / count)
    low = min(said.min(), (hit - error).min(), 1 / result.classes) - 0.03
    high = max(said.max(), (hit + error).max()) + 0.03
    axes.plot([low, high], [low, high], color=MUTED, linewidth=1, linestyle="--", zorder=1)
    axes.errorbar(
        said, hit, yerr=error, fmt="o-", color=BLUE, ecolor="#9dbbdc", markersize=5, linewidth=1.2, elinewidth=1.2
    )
    axes.set(xlim=(low, high), ylim=(low, high), xlabel="said: probability of the likeliest class", ylabel="came true")
    ece = result.mean()["ece"][0]
    _title(axes, "Reliability", f"ECE {ece:.3f}, {len(said)} bins of {count.mean():,.0f} rows")
    _plain(axes, "both")


def draw_confusion(axes: Any, result: Result) -> None:
    """Share of each true class that was taken for each class."""
    counts = np.array(result.confusion, float)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    names = CLASSES.get(result.classes, tuple(map(str, range(result.classes))))
    true = counts.sum(1) / counts.sum()
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), [f"{name}\n{part:.0%}" for name, part in zip(names, true, strict=True)])
    axes.set(xlabel="said", ylabel="came true")
    for (i, j), part in np.ndenumerate(share):
        axes.text(j, i, f"{part:.0%}", ha="center", va="center", color="white" if part > 0.55 else INK, fontsize=12)
    _title(axes, "Confusion", "share of each row; its size beside it")
    axes.tick_params(length=0, colors=INK)
    for side in axes.spines.values():
        side.set_visible(False)


def draw_equity(axes: Any, result: Result) -> None:
    """Running return of one unit of stake: gross, after half the spread, after fees."""
    kinds = (("gross", "gross", MUTED), ("after_spread", "after half-spread", ORANGE), ("net", "after fees", BLUE))
    row = np.array(result.equity["row"])
    ends = []
    for key, name, colour in kinds:
        line = 100 * np.array(result.equity[key])
        axes.plot(row, line, color=colour, linewidth=1.6)
        ends.append((float(line[-1]), name, colour))
    axes.axhline(0, color=INK, linewidth=0.8)
    bottom, top = axes.get_ylim()
    gap, at = 0.07 * (top - bottom), -np.inf
    for value, name, colour in sorted(ends):  # beside the lines' ends, kept apart
        at = max(value, at + gap)
        axes.annotate(
            f"{name} {value:+.3g}%", (row[-1], at), xytext=(6, 0), textcoords="offset points", va="center",
            color=colour, fontsize=9,
        )  # fmt: skip
    axes.set_xlim(row[0], row[0] + 1.42 * (row[-1] - row[0]))  # room for the names
    axes.set_xticks(np.linspace(row[0], row[-1], 3).round())
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set(xlabel="test row", ylabel="sum of returns, % of stake")
    a = result.account
    _title(axes, "Equity", f"{a['turnover']:.3g} traded a row; break-even cost {a['break_even_bps']:.3g} bp one way")
    _plain(axes, "y")


def draw_curves(axes: Any, result: Result) -> None:
    """Losses of each round, a thin line a seed; the best round of each marked."""
    for i, curve in enumerate(result.curves):
        losses = np.array(curve)
        at = np.arange(1, len(losses) + 1)
        axes.plot(at, losses[:, 0], color=MUTED, linewidth=1, alpha=0.8, label="training" if i == 0 else None)
        axes.plot(at, losses[:, 1], color=BLUE, linewidth=1.3, alpha=0.8, label="validation" if i == 0 else None)
        best = int(losses[:, 1].argmin())
        axes.plot(at[best], losses[best, 1], "o", color=BLUE, markersize=5, label="best round" if i == 0 else None)
    axes.set(xlabel="round", ylabel="log-loss")
    axes.legend(frameon=False, fontsize=9)
    _title(axes, "Learning", f"{len(result.curves)} seed{'s' * (len(result.curves) != 1)}")
    _plain(axes, "both")


def _title(axes: Any, title: str, under: str) -> None:
    axes.set_title(title, loc="left", color=INK, fontsize=11, fontweight="bold", pad=20)
    axes.annotate(
        under, (0, 1), xytext=(0, 6), xycoords="axes fraction", textcoords="offset points", color=MUTED, fontsize=9
    )


def _plain(axes: Any, grid: str) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(MUTED)
    axes.grid(axis=grid, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=9)
