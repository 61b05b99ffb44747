"""Calibration: what makes a classifier's probabilities mean what they say, fitted on validation data, inside the graph.

    logits (n, classes) -> / temperature -> softmax [-> a rising curve per class -> divided by their sum]

``fit_temperature`` fits one number: it never changes which class is largest. Guo, Pleiss, Sun, Weinberger (2017),
arXiv:1706.04599. ``fit_isotonic`` adds a rising curve per class, for what one number cannot mend, and needs some
thousand rows. Zadrozny and Elkan (2002), doi:10.1145/775047.775151; its knots at the centres of the pooled blocks,
joined by straight lines: centred isotonic regression, Oron and Flournoy (2017), arXiv:1701.05964.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

KNOTS = 32
STEEPEST = 8.0
"""Slope a curve may have: float32 softmax is exact to 1e-7, and a curve passes that on times its slope."""


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities (n, classes) from logits (n, classes)."""
    e = np.exp(np.asarray(logits, np.float64) - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def log_loss(logits: NDArray[np.floating], label: NDArray[np.integer], temperature: float = 1.0) -> float:
    """Mean negative log-likelihood of ``label`` (n,) under softmax(logits / temperature), logits (n, classes)."""
    z = np.asarray(logits, np.float64) / temperature
    z = z - z.max(1, keepdims=True)
    return float(np.mean(np.log(np.exp(z).sum(1)) - z[np.arange(len(z)), label]))


def temperature(
    logits: NDArray[np.floating], label: NDArray[np.integer], low: float = 0.2, high: float = 20.0
) -> float:
    """The temperature in [low, high] with the least log-loss, to a relative 1e-4; negative labels do not count.

    A row whose class had a logit of -infinity (a class that trees never saw) is lost at any temperature: it does not
    count either. Raises ValueError where no row counts, and for a logit that is NaN or infinity.
    """
    known = label >= 0
    logits, label = logits[known], label[known]
    if not (logits < np.inf).all():  # NaN is not
        raise ValueError(f"logits are no numbers in {int((~(logits < np.inf)).any(1).sum())} of {len(label)} rows")
    told = np.isfinite(logits[np.arange(len(label)), label])
    logits, label = logits[told], label[told]
    if not len(label):
        raise ValueError("nothing to calibrate by: no row has a label, or none of a class that could be told")
    a, b = np.log(low), np.log(high)
    golden = (np.sqrt(5) - 1) / 2
    while b - a > 1e-4:  # the loss is convex in 1/T, hence has one minimum in log T too
        c, d = b - golden * (b - a), a + golden * (b - a)
        if log_loss(logits, label, float(np.exp(c))) < log_loss(logits, label, float(np.exp(d))):
            b = d
        else:
            a = c
    return float(np.exp((a + b) / 2))


@dataclass(frozen=True)
class Calibration:
    """Logits to probabilities: in NumPy, as a torch module, as ONNX nodes. The three agree to 1e-6."""

    method: str = "none"
    temperature: float = 1.0
    curves: tuple[tuple[tuple[float, float], ...], ...] = ()
    """Isotonic only: per class the knots (probability said, share that came true), both in increasing order."""

    def prob(self, logits: NDArray[np.floating]) -> NDArray[np.float64]:
        """Probabilities (n, classes) from logits (n, classes)."""
        p = softmax(np.asarray(logits, np.float64) / self.temperature)
        if not self.curves:
            return p
        curves = [np.transpose(curve) for curve in self.curves]
        out = np.stack([np.interp(p[:, c], said, true) for c, (said, true) in enumerate(curves)], axis=1)
        return out / out.sum(1, keepdims=True)

    def record(self) -> dict[str, Any]:
        """For the contract; :meth:`of` reads it back."""
        out: dict[str, Any] = {"method": self.method, "temperature": self.temperature}
        return {**out, "curves": [[list(knot) for knot in curve] for curve in self.curves]} if self.curves else out

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Calibration:
        """What :meth:`record` gave, through JSON or not; files of older releases have no more than a temperature."""
        curves = tuple(tuple((float(a), float(b)) for a, b in curve) for curve in record.get("curves", ()))
        return cls(record.get("method", "none"), float(record.get("temperature", 1.0)), curves)

    def module(self) -> Any:
        """A ``torch.nn.Module``: logits (b, classes) -> probabilities (b, classes), float32."""
        import torch

        pieces = [torch.from_numpy(a) for a in self._pieces()] if self.curves else None
        sharpness = 1 / self.temperature

        class Calibrated(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.register_buffer("sharpness", torch.tensor([sharpness]))
                for name, tensor in zip(("low", "slope", "rise", "floor"), pieces or (), strict=False):
                    self.register_buffer(name, tensor)

            def forward(self, logits: Any) -> Any:
                p = torch.softmax(logits * self.sharpness, dim=1)
                if pieces is None:
                    return p
                share = torch.clamp((p.unsqueeze(2) - self.low) * self.slope, 0, 1)  # (b, classes, knots - 1)
                out = (share * self.rise).sum(2) + self.floor
                return out / out.sum(1, keepdim=True)

        return Calibrated()

    def nodes(self, logits: str, out: str) -> tuple[list[Any], list[Any]]:
        """(ONNX nodes, initializers) from tensor ``logits`` (b, classes) to tensor ``out`` (b, classes); every other
        name begins with ``out``.
        """
        from onnx import helper, numpy_helper

        nodes, values = [], []

        def node(op: str, inputs: list[str], output: str, **attributes: Any) -> str:
            nodes.append(helper.make_node(op, inputs, [output], name=f"{output}.{op}", **attributes))
            return output

        def value(name: str, array: NDArray[Any]) -> str:
            values.append(numpy_helper.from_array(array, f"{out}.{name}"))
            return f"{out}.{name}"

        sharp = node("Mul", [logits, value("sharpness", np.array([1 / self.temperature], np.float32))], f"{out}.sharp")
        if not self.curves:
            node("Softmax", [sharp], out, axis=1)
            return nodes, values
        low, slope, rise, floor = (
            value(name, array) for name, array in zip(("low", "slope", "rise", "floor"), self._pieces(), strict=True)
        )
        zero, one = value("0", np.array(0, np.float32)), value("1", np.array(1, np.float32))
        p = node("Softmax", [sharp], f"{out}.said", axis=1)
        each = node("Unsqueeze", [p, value("axis", np.array([2], np.int64))], f"{out}.each")
        above = node("Sub", [each, low], f"{out}.above")
        share = node("Clip", [node("Mul", [above, slope], f"{out}.steps"), zero, one], f"{out}.share")
        rises = node("Mul", [share, rise], f"{out}.rises")
        risen = node("ReduceSum", [rises, value("axis2", np.array([2], np.int64))], f"{out}.risen", keepdims=0)
        true = node("Add", [risen, floor], f"{out}.true")
        total = node("ReduceSum", [true, value("axis1", np.array([1], np.int64))], f"{out}.total", keepdims=1)
        node("Div", [true, total], out)
        return nodes, values

    def _pieces(self) -> tuple[NDArray[np.float32], ...]:
        """A curve as a sum of clipped ramps: where each begins, one over its width, its height, all (classes,
        knots - 1), and the lowest value (classes,).
        """
        most = max(2, *(len(curve) for curve in self.curves))
        said, true = np.transpose([[*c, *[c[-1]] * (most - len(c))] for c in self.curves], (2, 0, 1))
        width = np.diff(said)
        slope = 1 / np.where(width > 0, width, 1.0)
        return tuple(a.astype(np.float32) for a in (said[:, :-1], slope, np.diff(true), true[:, 0]))


def none() -> Calibration:
    """The plain softmax."""
    return Calibration()


def fit_temperature(logits: NDArray[np.floating], label: NDArray[np.integer]) -> Calibration:
    """One temperature for logits (n, classes) of validation rows with labels (n,); negative labels do not count."""
    return Calibration("temperature", temperature(logits, label))


def fit_isotonic(logits: NDArray[np.floating], label: NDArray[np.integer]) -> Calibration:
    """A temperature, then for every class a rising curve of at most ``KNOTS`` knots from the probability said to the
    share of rows (n,) that came true. Negative labels do not count.

    Rows are put into ``KNOTS`` groups of equal size by the probability said (one a value, where there are no more
    values), the shares pooled until they rise. No share is taken to be below one row in all: none becomes impossible.
    """
    known = label >= 0
    logits, label = np.asarray(logits, np.float64)[known], label[known]
    heat = temperature(logits, label)
    p = softmax(logits / heat)
    least = 1 / (len(p) + p.shape[1])
    curves = []
    for c in range(p.shape[1]):
        said, true = _rising(p[:, c], label == c)
        true = np.clip(true, least, 1 - least)
        curves.append(tuple(zip(said.tolist(), true.tolist(), strict=True)))
    return Calibration("isotonic", heat, tuple(curves))


FITS = {"none": lambda logits, label: none(), "temperature": fit_temperature, "isotonic": fit_isotonic}
"""Method -> how it is fitted."""


def known_method(method: str) -> str:
    """The same; ValueError where there is no such method."""
    if method not in FITS:
        raise ValueError(f"calibration {method!r}: one of {', '.join(FITS)}")
    return method


def fit(method: str, logits: NDArray[np.floating], label: NDArray[np.integer]) -> Calibration:
    """By name: "none", "temperature" or "isotonic". Raises ValueError for another."""
    return FITS[known_method(method)](logits, label)


def _rising(said: NDArray[np.float64], true: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres and means of at most ``KNOTS`` blocks whose means rise, none steeper than ``STEEPEST``."""
    value, group = np.unique(said, return_inverse=True)
    if len(value) > KNOTS:
        order = np.argsort(said, kind="stable")
        group = np.empty(len(said), np.intp)
        group[order] = np.arange(len(said)) * KNOTS // len(said)
    weight = np.bincount(group).astype(float)
    blocks: list[tuple[float, float, float]] = []  # weight, mean said, mean true
    for block in zip(weight, np.bincount(group, said) / weight, np.bincount(group, true) / weight, strict=True):
        blocks.append(block)
        while len(blocks) > 1 and blocks[-2][2] >= blocks[-1][2]:
            _pool(blocks, len(blocks) - 2)
    while len(blocks) > 1:
        _, x, y = np.transpose(blocks)
        slope = np.diff(y) / np.maximum(np.diff(x), 1e-12)
        if slope.max() <= STEEPEST:
            break
        _pool(blocks, int(slope.argmax()))
    _, x, y = np.transpose(blocks)
    return x, y


def _pool(blocks: list[tuple[float, float, float]], at: int) -> None:
    """Make one block of two neighbours."""
    (v, x, a), (w, y, b) = blocks[at : at + 2]
    blocks[at : at + 2] = [(v + w, (v * x + w * y) / (v + w), (v * a + w * b) / (v + w))]
