"""Where a net looked when it decided: its attention over time, and what each column put in, for one decision.

    from smartcore.learn import attention

    seen = attention.weights(net, rows)              # rows (n, k) in order, raw; the last is the decision's
    seen.over_time                                   # (maps, t): a map per layer and head, each sums to 1
    seen.over_channel                                # (t, k): gradient x input, signed
    attention.draw(net, rows, "where.png", columns)

This is a picture of weights, not an explanation of cause. Other weights may give the same answer: Jain, Wallace
(2019), "Attention is not explanation", arXiv:1902.10186. It says where to look for a fault (weight on the rows before
the start, all of it on one column), not why a decision was taken.

Over time: the weights that the newest row's query gives to the rows before it, in each head of each layer. What lies
below the first layer's weights are rows; below a later one's, states or tokens that have themselves read other rows. A
token of several rows shares its weight among them equally.

Over channels: attention has no weights per column, so this is gradient x input (Shrikumar et al., 2016,
arXiv:1605.01713) of the decided class's logit less the mean of the others, by the inputs after scaling: a column at its
median is 0 and put in nothing. A column's running means over ``timeframes`` count to the column.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.overrides import TorchFunctionMode

from smartcore.learn.evaluate.plots import BLUE, CLASSES, INK, MUTED
from smartcore.learn.nets.base import Net, StreamingNet, WindowNet


@dataclass(frozen=True)
class Attention:
    """Where a net looked for one decision. Rows are oldest first: of t rows the last is the decision's own."""

    maps: tuple[str, ...]
    """What each row of :attr:`over_time` is: "layer 2, head 1"."""
    over_time: NDArray[np.float32]
    """(maps, t), each map sums to 1. Rows before the start of the recording count as rows."""
    over_channel: NDArray[np.float32]
    """(t, k): gradient x input of the decided class's logit less the mean of the others; positive speaks for it."""
    older: float
    """Share of all such contributions, by absolute size, from rows before these t: 0 for a net over a window."""
    missing: int
    """How many of the t rows lie before the first row given."""
    prob: NDArray[np.float32]
    """(classes,) of the target asked for, as the net gives it: not calibrated."""

    @property
    def decided(self) -> int:
        """The class of the largest probability."""
        return int(self.prob.argmax())


class Softmaxes(TorchFunctionMode):
    """While it is entered, keeps what every softmax gives. Nothing is hung on the net, so nothing is left behind.

    Nets write their attention out, for ONNX, and use softmax for nothing else: these are its weights, in the order in
    which ``Net.attends`` names them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Tensor] = []

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        if func is torch.softmax:
            self.found.append(out.detach())
        return out


def weights(net: Any, rows: NDArray[np.floating], target: int = 0) -> Attention:
    """Where a net with attention looked at the last of ``rows`` (n, k), raw and in order from a fresh state.

    net: a net, or an estimator that has one. target: whose class is explained by channels. Raises ValueError for a net
    without attention, other columns or no rows.
    """
    net = getattr(net, "net", net)
    if not isinstance(net, Net) or not net.attends:
        raise ValueError(f"{type(net).__name__} has no attention: nothing says where it looked")
    table = torch.from_numpy(np.ascontiguousarray(rows, np.float32)).to(net.inputs.low.device)
    if table.ndim != 2 or len(table) == 0 or table.shape[1] != net.inputs.columns:
        raise ValueError(f"rows {tuple(table.shape)}: expected (n, {net.inputs.columns}), n at least 1")
    with _still(net):
        with torch.no_grad():
            *before, row = table.unsqueeze(1)
            states = net.start()
            for earlier in before:
                _, *states = net(earlier, *states)
            with Softmaxes() as softmaxes:
                logits = net(row, *states)[0][0, target]
        span = net.window if isinstance(net, WindowNet) else int(softmaxes.found[0].shape[-1])
        maps, over_time = _maps(net.attends, softmaxes.found, span)
        part = _contributions(net, table, target, int(logits.argmax()))
    total = np.abs(part).sum()
    over_channel = np.zeros((span, part.shape[1]), np.float32)
    n = min(span, len(part))
    over_channel[span - n :] = part[len(part) - n :]
    return Attention(
        maps=maps,
        over_time=over_time,
        over_channel=over_channel,
        older=float(np.abs(part[: len(part) - n]).sum() / total) if total > 0 else 0.0,
        missing=span - n,
        prob=torch.softmax(logits, 0).cpu().numpy(),
    )


def _maps(names: Sequence[str], found: Sequence[Tensor], span: int) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Weights (1, [heads,] [queries,] tokens) of each layer -> names of maps, and (maps, span) of the newest query."""
    if len(names) != len(found):
        raise RuntimeError(f"{len(found)} softmaxes for the attention layers {', '.join(names)}")
    maps: list[str] = []
    over_time = []
    for name, weight in zip(names, found, strict=True):
        heads = weight[0, :, -1] if weight.ndim == 4 else weight[0]  # (heads, tokens)
        rows = span // heads.shape[1]
        over_time.append((heads / rows).repeat_interleave(rows, dim=1).cpu().numpy())
        maps += [name if len(heads) == 1 else f"{name}, head {i + 1}" for i in range(len(heads))]
    return tuple(maps), np.concatenate(over_time)


def _contributions(net: Net, table: Tensor, target: int, decided: int) -> NDArray[np.float32]:
    """Raw rows (n, k) -> gradient x input (n, k), of the rows that the decision at the last of them read."""
    with torch.no_grad():
        x, _ = net.inputs(table.unsqueeze(0))
    x.requires_grad_(True)
    # cuDNN's recurrent nets go backward in training mode only.
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
        if isinstance(net, StreamingNet):
            logits = net.scan(x)[0][0, -1, target]
        else:
            assert isinstance(net, WindowNet)
            missing = max(0, net.window - x.shape[1])
            padded = torch.cat([x.new_zeros(1, missing, x.shape[2]), x], dim=1)
            logits = net.look(padded[:, -net.window :])[0, target]
        others = (logits.sum() - logits[decided]) / (len(logits) - 1)
        (slope,) = torch.autograd.grad(logits[decided] - others, x)
    part = (slope * x).detach()[0]  # (n, k (1 + timeframes))
    return part.reshape(len(part), -1, net.inputs.columns).sum(1).cpu().numpy()


@contextmanager
def _still(net: Net) -> Iterator[None]:
    """Without dropout, as live; afterwards as it was."""
    training = net.training
    net.eval()
    try:
        yield
    finally:
        net.train(training)


def draw(
    net: Any,
    rows: NDArray[np.floating],
    path: Path | str,
    columns: Sequence[str] | None = None,
    target: int = 0,
    most: int = 14,
) -> Attention:
    """Write "where it looked" as a picture, PNG or SVG by the name of ``path``; return what is in it.

    Above, attention over time: every head of every layer, and their mean beside an equal share for each row. Below, the
    ``most`` columns that put in most, signed: red for the decided class, blue against it; the bars at the right are the
    sums over all rows. Attention is not an explanation of cause (see the module).

    columns: names, oldest column first; an estimator brings its own. The arguments of :func:`weights` otherwise. Needs
    matplotlib; uses no global state of it.
    """
    seen = weights(net, rows, target)
    names = columns if columns is not None else getattr(net, "columns", None)
    k = seen.over_channel.shape[1]
    names = [f"column {i}" for i in range(k)] if names is None else list(names)
    if len(names) != k:
        raise ValueError(f"{len(names)} names for {k} columns")
    figure = _figure(seen, names, type(getattr(net, "net", net)).__name__, most)
    figure.savefig(Path(path), dpi=140, facecolor="white")
    return seen


def _figure(seen: Attention, names: list[str], title: str, most: int) -> Any:
    """A matplotlib Figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import FuncNorm
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    maps, span = seen.over_time.shape
    shown = np.argsort(-np.abs(seen.over_channel).sum(0), kind="stable")[:most]
    part, labels = seen.over_channel[:, shown].T, [names[i] for i in shown]
    rest = np.delete(seen.over_channel, shown, axis=1)
    if rest.shape[1]:
        part = np.vstack([part, rest.sum(1)])
        labels.append(f"{rest.shape[1]} others")
    heights = [0.4 + 0.18 * min(maps, 24), 1.1, 0.4 + 0.22 * len(labels)]
    inch = 1 / (sum(heights) + 2.0)  # of the figure's height
    layout = ConstrainedLayoutEngine(rect=(0, 0.35 * inch, 1, 1 - 1.15 * inch))
    figure = Figure(figsize=(11, 1 / inch), layout=layout)
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(3, 2, height_ratios=heights, width_ratios=[1, 0.17])
    heads = figure.add_subplot(grid[0, 0])
    mean = figure.add_subplot(grid[1, 0], sharex=heads)
    channels = figure.add_subplot(grid[2, 0], sharex=heads)
    sums = figure.add_subplot(grid[2, 1], sharey=channels)
    ago = (span - 0.5, -0.5)  # oldest at the left

    classes = CLASSES.get(len(seen.prob), tuple(f"class {i}" for i in range(len(seen.prob))))
    said = " · ".join(f"{c} {p:.0%}" for c, p in zip(classes, seen.prob, strict=True))
    figure.text(0.012, 1 - 0.16 * inch, "where it looked", color=INK, fontsize=15, fontweight="bold", va="top")
    figure.text(0.012, 1 - 0.48 * inch, f"{title} said {said}", color=INK, fontsize=10, va="top")
    figure.text(
        0.012, 0.12 * inch, "Weights, not causes: other weights may give the same answer (Jain, Wallace 2019).",
        color=MUTED, fontsize=8.5,
    )  # fmt: skip

    times = seen.over_time * span  # of an equal share
    image = heads.imshow(
        times, aspect="auto", interpolation="nearest", cmap="Blues", vmin=0,
        vmax=max(2.0, float(np.quantile(times, 0.995))), extent=(*ago, maps - 0.5, -0.5),
    )  # fmt: skip
    every = -(-maps // 24)
    heads.set_yticks(range(0, maps, every), seen.maps[::every])
    layers = [name.rpartition(", head")[0] or name for name in seen.maps]
    for i in range(1, maps):
        if layers[i] != layers[i - 1]:
            heads.axhline(i - 0.5, color="white", linewidth=2.5)
    scale = figure.add_subplot(grid[0, 1])
    scale.axis("off")
    bar = figure.colorbar(image, cax=scale.inset_axes((0.02, 0.0, 0.11, 1.0)), extend="max")
    bar.ax.set_title("× equal share", color=INK, fontsize=8, loc="left")
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=INK, labelsize=8)

    mean.bar(np.arange(span - 1, -1, -1), times.mean(0), width=1.0, color=BLUE)
    mean.axhline(1, color=INK, linewidth=0.8, linestyle=":")
    mean.annotate("equal share", (1.008, 1), xycoords=("axes fraction", "data"), color=INK, fontsize=8, va="center")
    mean.set_ylim(0, max(1.25, 1.08 * float(times.mean(0).max())))

    # By the square root: one cell is often tenfold the next, and it is the next that one wants to see too.
    far = float(np.abs(part).max()) or 1.0
    root = FuncNorm((lambda v: np.sign(v) * np.sqrt(np.abs(v)), lambda v: np.sign(v) * v * v), vmin=-far, vmax=far)
    channels.imshow(
        part, aspect="auto", interpolation="nearest", cmap="RdBu_r", norm=root, extent=(*ago, len(labels) - 0.5, -0.5)
    )
    channels.set_yticks(range(len(labels)), labels)
    channels.set_xlabel("rows ago", color=INK, fontsize=9)
    total = part.sum(1)
    sums.barh(range(len(labels)), total, color=np.where(total > 0, "#b2182b", "#2166ac"), height=0.7)
    sums.axvline(0, color=INK, linewidth=0.8)
    sums.tick_params(labelleft=False, left=False)
    sums.locator_params(axis="x", nbins=3)

    older = f"; {seen.older:.0%} came from rows before these" if seen.older > 0.005 else ""
    _title(heads, "attention over time", "how the weights of each head are shared out")
    _title(mean, "mean of all heads" if maps > 1 else "its shares", "")
    _title(channels, "columns", f'gradient × input for "{classes[seen.decided]}": red for it, blue against{older}')
    _title(sums, "sum over rows", "")
    for axes in (heads, mean, channels, sums):
        axes.tick_params(colors=INK, labelsize=8)
        for edge in ("top", "right"):
            axes.spines[edge].set_visible(False)
        for edge in ("left", "bottom"):
            axes.spines[edge].set_color(MUTED)
    for axes in (heads, mean, channels):
        if seen.missing:
            axes.axvspan(span - 0.5, span - 0.5 - seen.missing, color=MUTED, alpha=0.18, linewidth=0)
        axes.tick_params(labelbottom=axes is channels)
    if seen.missing:
        mean.annotate(
            "before the first row", (span - 1, mean.get_ylim()[1]), xytext=(2, -2), textcoords="offset points",
            color=INK, fontsize=8, va="top",
        )  # fmt: skip
    sums.spines["left"].set_visible(False)
    heads.set_xlim(ago)
    return figure


def _title(axes: Any, title: str, under: str) -> None:
    axes.set_title(title, loc="left", color=INK, fontsize=10, fontweight="bold")
    axes.set_title(under, loc="right", color=MUTED, fontsize=9)
