"""What every net is: raw rows in, logits out, its preprocessing inside the graph.

    row (b, k) -> Inputs (b, w) -> the net's own mathematics -> logits (b, targets, classes)

All of them are exported in one form, ``forward(row, *states) -> (logits, *states)``: one row a call, whatever is
remembered goes in and comes out as tensors, zeros at the start. A :class:`StreamingNet` remembers what its mathematics
remembers (a recurrent state, a convolution's last inputs, keys and values). A :class:`WindowNet` looks at the last
``window`` rows as a whole, and remembers their inputs.

The files beside this one hold a net each: its ``Config`` on top, then the mathematics. ``nets.build(name, ...)`` makes
any of them by name.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smartcore.models import State

Memory = Any
"""What a streaming net carries from one stretch of a sequence to the next; None at the start."""


@dataclass(frozen=True)
class NetConfig:
    """What the configurations of all nets begin with."""

    columns: int
    """k, of a raw row."""
    targets: int = 1
    """How many labels it predicts at once: several horizons, or several label rules."""
    classes: int = 3
    timeframes: tuple[int, ...] = ()
    """Rows: each column is seen a second time as its exponential mean of such a span, for every span."""
    dropout: float = 0.1


class Inputs(nn.Module):
    """Raw rows (..., k) to ordinary numbers (..., k (1 + timeframes)): normal scores, then their running means.

    ``knots`` is (2, k, m): m values of each column in increasing order and the scores they stand for
    (``scaling.normal_scores``). Between knots a score is interpolated, beyond the outermost it is held: whatever the
    tails of a column, or one bad print in it, the net sees a number of ordinary size. Trees are indifferent to the
    scale of a column, nets are not: with mean and deviation alone the GRU was 0.015 worse in validation log-loss.
    """

    low: Tensor
    slope: Tensor
    rise: Tensor
    floor: Tensor
    keep: Tensor

    def __init__(self, knots: NDArray[np.floating], timeframes: tuple[int, ...] = ()) -> None:
        super().__init__()
        value, score = np.asarray(knots, np.float64)  # (k, m) each
        width = np.diff(value)
        rise = np.where(width > 0, np.diff(score), 0.0)
        # Rates that fade reach 1e-40: knots so close would have a slope of infinity, which makes a NaN of their value.
        slope = np.minimum(1 / np.where(width > 0, width, 1.0), np.finfo(np.float32).max)
        for name, array in (("low", value[:, :-1]), ("slope", slope), ("rise", rise), ("floor", score[:, 0])):
            self.register_buffer(name, torch.from_numpy(array.astype(np.float32)))
        self.columns = value.shape[0]
        self.timeframes = tuple(timeframes)
        self.width = self.columns * (1 + len(self.timeframes))
        keep = np.repeat([1 - 2 / (span + 1) for span in self.timeframes], self.columns)
        self.register_buffer("keep", torch.from_numpy(keep.astype(np.float32)))  # (k timeframes,)

    @property
    def states(self) -> tuple[State, ...]:
        """The running means, where there are timeframes."""
        if not self.timeframes:
            return ()
        return (State("means", "means_next", (1, len(self.keep))),)

    @property
    def warm_up(self) -> int:
        """Rows until the running means have all but forgotten their start: e^-4 of it is left."""
        return 2 * max(self.timeframes, default=0)

    def normalise(self, rows: Tensor) -> Tensor:
        """Raw rows (..., k) to normal scores (..., k); unknown (NaN) or infinite values become 0, the median."""
        # x * 0 is 0 for every number and NaN for NaN and infinities, and NaN casts to true. IsNaN would say
        # it plainly, but neither it nor Equal runs on CoreML; Mul, Cast and Where do. Max(x, c) is no way
        # out: what it makes of a NaN differs between instruction sets.
        unknown = (rows * 0).to(torch.bool)
        share = torch.clamp((rows.unsqueeze(-1) - self.low) * self.slope, 0, 1)  # (..., k, m - 1)
        score = (share * self.rise).sum(-1) + self.floor
        return torch.where(unknown, torch.zeros_like(score), score)

    def step(self, row: Tensor, means: Tensor | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Raw row (b, k), running means (b, k timeframes) -> inputs (b, width), the means after it."""
        x = self.normalise(row)
        if means is None:
            return x, ()
        means = x.repeat(1, len(self.timeframes)) * (1 - self.keep) + means * self.keep
        return torch.cat([x, means], dim=1), (means,)

    def forward(self, rows: Tensor, means: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Raw rows (b, t, k) in order, the means before them -> inputs (b, t, width), the means after them."""
        x = self.normalise(rows)
        if not self.timeframes:
            return x, None
        n = x.shape[1]
        age = torch.arange(n, device=x.device).unsqueeze(1) - torch.arange(n, device=x.device)  # of row j at row i
        parts = [x]
        for i, span in enumerate(self.timeframes):
            keep = 1 - 2 / (span + 1)
            weight = torch.where(age >= 0, (1 - keep) * torch.pow(keep, age.clamp(min=0).to(x.dtype)), 0.0)
            mean = torch.einsum("ij,bjk->bik", weight, x)
            if means is not None:
                before = means[:, i * self.columns : (i + 1) * self.columns].unsqueeze(1)
                mean = mean + before * torch.pow(keep, torch.arange(1, n + 1, device=x.device).to(x.dtype))[:, None]
            parts.append(mean)
        return torch.cat(parts, dim=2), torch.cat([p[:, -1] for p in parts[1:]], dim=1)


class Net(nn.Module):
    """A net of either kind. ``inputs`` is its preprocessing, ``head(width)`` makes its last layer."""

    def __init__(self, config: Any, knots: NDArray[np.floating]) -> None:
        super().__init__()
        self.config = config
        self.inputs = Inputs(knots, config.timeframes)
        if self.inputs.columns != config.columns:
            raise ValueError(f"knots of {self.inputs.columns} columns for a net of {config.columns}")

    @property
    @abstractmethod
    def states(self) -> tuple[State, ...]:
        """All it carries, in the order of ``forward``'s arguments."""

    @property
    @abstractmethod
    def warm_up(self) -> int:
        """Rows until the zeros of the start are forgotten, or nearly so."""

    @property
    def attends(self) -> tuple[str, ...]:
        """Names of its attention layers in the order in which they are computed, for ``attention``; none has none."""
        return ()

    @classmethod
    def by_names(cls, columns: Sequence[str]) -> dict[str, Any]:
        """What the names of the columns say of its configuration: fields of ``Config``."""
        return {}

    def head(self, width: int) -> nn.Linear:
        """The last layer, (..., width) to (..., targets * classes): give its output to :meth:`logits`."""
        return nn.Linear(width, self.config.targets * self.config.classes)

    def logits(self, out: Tensor) -> Tensor:
        """(..., targets * classes) to (..., targets, classes)."""
        return out.reshape(*out.shape[:-1], self.config.targets, self.config.classes)

    def start(self, batch: int = 1) -> tuple[Tensor, ...]:
        """Fresh states."""
        return self._zeros(self.states, batch)

    def _zeros(self, states: tuple[State, ...], batch: int) -> tuple[Tensor, ...]:
        like = self.inputs.low
        return tuple(torch.zeros(batch, *s.shape[1:], dtype=like.dtype, device=like.device) for s in states)


class StreamingNet(Net):
    """A net that steps: its cost a row does not depend on how much it remembers."""

    @property
    @abstractmethod
    def memory(self) -> tuple[State, ...]:
        """What its own mathematics carries; shapes with a batch of 1."""

    @abstractmethod
    def step(self, x: Tensor, *memory: Tensor) -> tuple[Tensor, ...]:
        """Inputs (b, w) and memory -> logits (b, targets, classes), memory after. Only what exports: matrix products,
        sigmoid, tanh, softmax, layer norm, concat, narrow, reshape."""

    @abstractmethod
    def scan(self, x: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        """Inputs (b, t, w) in order, memory or None for the start -> logits (b, t, targets, classes), memory after.

        The same as ``step`` in a loop, by whatever is fast in training, and the memory is the same tensors: what a scan
        leaves, a step goes on from."""

    @property
    def states(self) -> tuple[State, ...]:
        return (*self.inputs.states, *self.memory)

    def fresh(self, batch: int) -> tuple[Tensor, ...]:
        """:attr:`memory` at the start, all zeros."""
        return self._zeros(self.memory, batch)

    def forward(self, row: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        n = len(self.inputs.states)
        x, means = self.inputs.step(row, *states[:n])
        logits, *memory = self.step(x, *states[n:])
        return logits, *means, *memory

    def sequence(self, rows: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        """Raw rows (b, t, k) in order, what an earlier call returned or None -> logits (b, t, targets, classes), the
        same for a later call."""
        means, own = (None, None) if memory is None else memory
        x, means = self.inputs(rows, means)
        logits, own = self.scan(x, own)
        return logits, (means, own)


class WindowNet(Net):
    """A net over the last ``window`` rows; before there are as many, the missing ones are zeros, the median row."""

    def __init__(self, config: Any, knots: NDArray[np.floating]) -> None:
        super().__init__(config, knots)
        if self.window < 1:
            raise ValueError(f"a window of {self.window} rows: at least 1")

    @property
    def window(self) -> int:
        return int(self.config.window)

    @abstractmethod
    def look(self, x: Tensor) -> Tensor:
        """Inputs (b, window, w), oldest first -> logits (b, targets, classes)."""

    @property
    def states(self) -> tuple[State, ...]:
        shape = (1, self.window - 1, self.inputs.width)
        return (*self.inputs.states, State("window", "window_next", shape))

    @property
    def warm_up(self) -> int:
        return max(self.window, self.inputs.warm_up)

    def forward(self, row: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        *before, past = states
        x, means = self.inputs.step(row, *before)
        whole = torch.cat([past, x.unsqueeze(1)], dim=1)  # (b, window, w)
        return self.look(whole), *means, whole.narrow(1, 1, self.window - 1)

    def windows(self, rows: Tensor) -> Tensor:
        """Raw rows (b, t, k), t >= window -> logits (b, t - window + 1, targets, classes), a window at a time: for
        tests and attention pictures. Training looks at windows drawn at random (``train``)."""
        x, _ = self.inputs(rows)
        return torch.stack([self.look(x[:, i : i + self.window]) for i in range(x.shape[1] - self.window + 1)], dim=1)
