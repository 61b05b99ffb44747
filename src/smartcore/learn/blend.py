"""Several models' calibrated probabilities into one set of logits: in NumPy, and as ONNX nodes.

    prob (n, models, classes) [, rows (n, k)] -> logits (n, classes)

:class:`Average` weighs models, :class:`Regimes` weighs them by the regime a row is in, :class:`Stacker` learns from
their log-probabilities. Fit each on predictions that a model made of rows it had not seen, or the model that overfits
most gets most of the weight (``learn.ensemble`` does).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
LEAST = 1e-6
"""No probability is taken to be smaller, before its logarithm is."""
HUGE = 3e38


class Blend(Protocol):
    def logits(self, prob: Floats, rows: Floats, columns: Sequence[str]) -> NDArray[np.float64]:
        """(n, classes) from the models' probabilities (n, models, classes) and the raw rows (n, k) of ``columns``."""

    def nodes(
        self, scores: Sequence[str], row: str, columns: Sequence[str], classes: int, out: str
    ) -> tuple[list[Any], list[Any]]:
        """(ONNX nodes, initializers) from tensors ``scores`` (b, classes), one a model, and ``row`` (b, k) to ``out``
        (b, classes); every other name begins with ``out``.
        """

    def record(self) -> dict[str, Any]:
        """Plain JSON; ``of`` reads it back."""


@dataclass(frozen=True)
class Average:
    """The logarithm of a weighted mean of probabilities."""

    weights: tuple[float, ...]
    """One a model, adding up to one."""

    @classmethod
    def equal(cls, models: int) -> Self:
        """Weights all alike."""
        return cls((1 / models,) * models)

    @classmethod
    def fit(cls, prob: Floats, label: NDArray[np.integer], how: str = "softmax", scale: float = 0.01) -> Self:
        """By log-loss on (n, models, classes) and labels (n,), see :func:`weigh`."""
        return cls(tuple(weigh(losses(prob, label).mean(0), how, scale).tolist()))

    def logits(self, prob: Floats, rows: Floats, columns: Sequence[str]) -> NDArray[np.float64]:
        return np.log(np.maximum(np.einsum("nmc,m->nc", prob, self.weights), LEAST))

    def nodes(
        self, scores: Sequence[str], row: str, columns: Sequence[str], classes: int, out: str
    ) -> tuple[list[Any], list[Any]]:
        g = Graph(out)
        mix = np.kron(np.array(self.weights)[:, None], np.eye(classes))  # (models classes, classes)
        g.log(g("MatMul", [g.joined(scores), g.value(mix)]), out)
        return g.nodes, g.values

    def record(self) -> dict[str, Any]:
        return {"blend": "average", "weights": list(self.weights)}


@dataclass(frozen=True)
class Stacker:
    """A linear model of the models' log-probabilities: multinomial logistic regression. Wolpert (1992),
    doi:10.1016/S0893-6080(05)80023-1.
    """

    weights: tuple[tuple[float, ...], ...]
    """(models classes, classes)"""
    bias: tuple[float, ...]

    @classmethod
    def fit(cls, prob: Floats, label: NDArray[np.integer], shrink: float = 1.0) -> Self:
        """On (n, models, classes) and labels (n,). ``shrink`` times half the squared weights is added to the summed
        loss. Raises ValueError where a class has no row.
        """
        from sklearn.linear_model import LogisticRegression

        classes = prob.shape[2]
        seen = np.unique(label)
        if len(seen) < classes:
            raise ValueError(f"labels of classes {seen.tolist()} only: nothing to learn of the other {classes} from")
        x = np.log(np.maximum(prob, LEAST)).reshape(len(prob), -1)
        found = LogisticRegression(C=1 / shrink, max_iter=1000).fit(x, label)
        weights, bias = found.coef_.T, found.intercept_
        if classes == 2:  # scikit-learn gives the second class alone
            weights, bias = np.hstack([0 * weights, weights]), np.append(0, bias)
        return cls(tuple(map(tuple, weights.tolist())), tuple(bias.tolist()))

    def logits(self, prob: Floats, rows: Floats, columns: Sequence[str]) -> NDArray[np.float64]:
        x = np.log(np.maximum(np.asarray(prob, np.float64), LEAST)).reshape(len(prob), -1)
        return x @ np.array(self.weights) + np.array(self.bias)

    def nodes(
        self, scores: Sequence[str], row: str, columns: Sequence[str], classes: int, out: str
    ) -> tuple[list[Any], list[Any]]:
        g = Graph(out)
        g("Gemm", [g.log(g.joined(scores)), g.value(self.weights), g.value(self.bias)], out)
        return g.nodes, g.values

    def record(self) -> dict[str, Any]:
        return {"blend": "stacker", "weights": _list(self.weights), "bias": list(self.bias)}


@dataclass(frozen=True)
class Regimes:
    """The logarithm of a weighted mean, with weights of its own for each regime a row may be in.

    A regime is a bucket of every named column: how many of its cuts the value is above; a value that is unknown is in a
    bucket of its own.
    """

    columns: tuple[str, ...]
    cuts: tuple[tuple[float, ...], ...]
    """For each column, in increasing order, exact in float32."""
    weights: tuple[tuple[float, ...], ...]
    """(regimes, models): the buckets of the last column change fastest; each row adds up to one."""

    @classmethod
    def fit(
        cls,
        prob: Floats,
        label: NDArray[np.integer],
        rows: Floats,
        columns: Sequence[str],
        regime: Sequence[str],
        buckets: int = 3,
        how: str = "softmax",
        scale: float = 0.01,
        strength: float = 300.0,
    ) -> Self:
        """On (n, models, classes), labels (n,) and raw rows (n, k) of ``columns``.

        Cuts are quantiles of the rows that split them into ``buckets`` of equal size. A model's loss in a regime is
        that of its rows there and of ``strength`` rows with its loss everywhere: a regime rarely met weighs as all do.
        """
        cuts = []
        for name in regime:
            x = np.asarray(rows[:, list(columns).index(name)], np.float64)
            x = x[np.isfinite(x)]
            if not len(x):
                raise ValueError(f"column {name!r} is never known: no regime can be told by it")
            found = np.unique(np.quantile(x, np.arange(1, buckets) / buckets).astype(np.float32))
            cuts.append(tuple(found.astype(float).tolist()))
        out = cls(tuple(regime), tuple(cuts), ())
        at, each = out.regimes(rows, columns), losses(prob, label)
        count = np.bincount(at, minlength=out.size)[:, None]
        sums = np.stack([np.bincount(at, loss, minlength=out.size) for loss in each.T], axis=1)
        loss = (sums + strength * each.mean(0)) / (count + strength)
        return cls(out.columns, out.cuts, tuple(map(tuple, weigh(loss, how, scale).tolist())))

    @property
    def shape(self) -> tuple[int, ...]:
        """Buckets of each column, the one of the unknown included."""
        return tuple(len(cut) + 2 for cut in self.cuts)

    @property
    def size(self) -> int:
        """How many regimes there are."""
        return int(np.prod(self.shape))

    def regimes(self, rows: Floats, columns: Sequence[str]) -> NDArray[np.intp]:
        """Which regime each raw row (n, k) is in."""
        at = []
        for name, cuts in zip(self.columns, self.cuts, strict=True):
            x = np.asarray(rows[:, list(columns).index(name)], np.float32)
            bucket = np.searchsorted(np.array(cuts, np.float32), x, side="left")
            at.append(np.where(np.isfinite(x), bucket, len(cuts) + 1))
        return np.ravel_multi_index(at, self.shape)

    def logits(self, prob: Floats, rows: Floats, columns: Sequence[str]) -> NDArray[np.float64]:
        weights = np.array(self.weights)[self.regimes(rows, columns)]
        return np.log(np.maximum(np.einsum("nmc,nm->nc", prob, weights), LEAST))

    def nodes(
        self, scores: Sequence[str], row: str, columns: Sequence[str], classes: int, out: str
    ) -> tuple[list[Any], list[Any]]:
        g = Graph(out)
        regime, size = "", 1
        for name, cuts in zip(self.columns, self.cuts, strict=True):
            own = self._bucket(g, row, list(columns).index(name), cuts)  # (b, buckets), a single one
            if regime:
                pairs = g("Mul", [g.unsqueezed(regime, 2), g.unsqueezed(own, 1)])
                size *= len(cuts) + 2
                own = g("Reshape", [pairs, g.value([-1, size], np.int64)])
            else:
                size = len(cuts) + 2
            regime = own
        weights = g.unsqueezed(g("MatMul", [regime, g.value(self.weights)]), 2)  # (b, models, 1)
        each = g("Concat", [g.unsqueezed(name, 1) for name in scores], axis=1)  # (b, models, classes)
        mean = g("ReduceSum", [g("Mul", [each, weights]), g.value([1], np.int64)], keepdims=0)
        g.log(mean, out)
        return g.nodes, g.values

    @staticmethod
    def _bucket(g: Graph, row: str, column: int, cuts: Sequence[float]) -> str:
        """By arithmetic: a value above a cut, however little, is 1 after multiplying by a huge number and clipping."""
        from onnx import TensorProto

        span = [g.value([i], np.int64) for i in (column, column + 1, 1)]
        x = g("Slice", [row, *span])  # (b, 1)
        unknown = g("Cast", [g("Mul", [x, g.value(0.0)])], to=TensorProto.BOOL)  # 0 times NaN or infinity is NaN
        known = g("Where", [unknown, g.value(0.0), x])
        n = len(cuts)
        above = g("Mul", [g("Sub", [known, g.value([cuts])]), g.value(HUGE)])
        above = g("Clip", [above, g.value(0.0), g.value(1.0)])  # (b, n) ones, then zeros
        first = np.eye(1, n + 1)
        one = g("Gemm", [above, g.value(np.eye(n, n + 1, 1) - np.eye(n, n + 1)), g.value(first)])
        dark = g("Cast", [unknown], to=TensorProto.FLOAT)
        light = g("Sub", [g.value(1.0), dark])
        return g("Concat", [g("Mul", [one, light]), dark], axis=1)

    def record(self) -> dict[str, Any]:
        told = {"columns": self.columns, "cuts": self.cuts, "weights": self.weights}
        return {"blend": "regimes", **{key: _list(value) for key, value in told.items()}}


def of(record: Mapping[str, Any]) -> Blend:
    """What ``record`` gave, through JSON or not."""
    kind = {"average": Average, "stacker": Stacker, "regimes": Regimes}[record["blend"]]
    made: Blend = kind(**{key: _tuple(value) for key, value in record.items() if key != "blend"})
    return made


def losses(prob: Floats, label: NDArray[np.integer]) -> NDArray[np.float64]:
    """Log-loss of each row under each model (n, models), of probabilities (n, models, classes)."""
    told = np.take_along_axis(np.asarray(prob, np.float64), label[:, None, None].astype(np.intp), 2)[:, :, 0]
    return -np.log(np.maximum(told, LEAST))


def weigh(loss: Floats, how: str = "softmax", scale: float = 0.01) -> NDArray[np.float64]:
    """Weights (..., models) from log-losses (..., models); the smaller the loss, the larger.

    "softmax": a loss of ``scale`` more divides the weight by e; "inverse": one over the loss, which hardly tells models
    of directions apart; "equal". Raises ValueError for another.
    """
    loss = np.asarray(loss, np.float64)
    if how == "softmax":
        weight = np.exp((loss.min(-1, keepdims=True) - loss) / scale)
    elif how == "inverse":
        weight = 1 / loss
    elif how == "equal":
        weight = np.ones_like(loss)
    else:
        raise ValueError(f"weights {how!r}: one of softmax, inverse, equal")
    return weight / weight.sum(-1, keepdims=True)


class Graph:
    """ONNX nodes in the making, with names that begin with ``prefix``."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.nodes: list[Any] = []
        self.values: list[Any] = []

    def __call__(self, op: str, inputs: Sequence[str], out: str = "", **attributes: Any) -> str:
        """Add a node; the name of its output."""
        from onnx import helper

        out = out or f"{self.prefix}.{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [out], name=f"{out}.{op}", **attributes))
        return out

    def value(self, array: Any, kind: Any = np.float32) -> str:
        """A constant."""
        from onnx import numpy_helper

        name = f"{self.prefix}.c{len(self.values)}"
        self.values.append(numpy_helper.from_array(np.array(array, kind), name))
        return name

    def joined(self, scores: Sequence[str]) -> str:
        """(b, classes) of each model side by side."""
        return self("Concat", scores, axis=1)

    def unsqueezed(self, name: str, axis: int) -> str:
        return self("Unsqueeze", [name, self.value([axis], np.int64)])

    def log(self, name: str, out: str = "") -> str:
        """The logarithm, of nothing smaller than ``LEAST``."""
        return self("Log", [self("Max", [name, self.value(LEAST)])], out)


def _list(value: Any) -> Any:
    return list(map(_list, value)) if isinstance(value, tuple) else value


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, (list, tuple)) else value
