"""A linear model of one row: logits are weights times the scaled columns. The floor that a net has to stand above.

It has the form of a net (``nets.base``), so that it is scaled, calibrated and exported like one; its weights are those
of multinomial logistic regression with a little shrinkage, found by L-BFGS to the end, not by training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from smartcore.learn.data import Series
from smartcore.learn.nets.base import Memory, NetConfig, StreamingNet
from smartcore.models import State


@dataclass(frozen=True)
class Config(NetConfig):
    """What it reads, and how much it is shrunk."""

    shrink: float = 1.0
    """Half of this times the squared weights is added to the loss summed over rows, as scikit-learn's 1 / C."""
    most: int = 400_000
    """Rows looked at, evenly drawn from those there are."""


class Linear(StreamingNet):
    def __init__(self, config: Config, knots: NDArray[np.floating]) -> None:
        super().__init__(config, knots)
        self.out = self.head(self.inputs.width)

    @property
    def memory(self) -> tuple[State, ...]:
        return ()

    @property
    def warm_up(self) -> int:
        return self.inputs.warm_up

    def step(self, x: Tensor, *memory: Tensor) -> tuple[Tensor, ...]:
        return (self.logits(self.out(x)),)

    def scan(self, x: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        return self.logits(self.out(x)), None


def solve(net: Linear, series: Sequence[Series], steps: int = 200) -> tuple[tuple[float, float], ...]:
    """Set the weights to those with the least loss on the labelled rows, each counting as its recording says; (loss a
    row, the same), once."""
    x, y, worth = [], [], []
    share = min(1.0, net.config.most / max(1, sum(map(len, series))))
    with torch.no_grad():
        for one in filter(len, series):
            pick = np.unique(np.linspace(0, len(one) - 1, max(1, int(share * len(one)))).astype(int))
            parts, means = [], None
            for rows in torch.from_numpy(one.rows).split(1024):  # of running means the cost grows with the square
                inputs, means = net.inputs(rows.unsqueeze(0), means)
                parts.append(inputs[0])
            x.append(torch.cat(parts)[pick])
            label = one.label[pick]
            y.append(torch.from_numpy(np.maximum(label, 0).astype(np.int64)))
            weight = np.ones(len(pick), np.float32) if one.weight is None else one.weight[pick]
            worth.append(torch.from_numpy((label >= 0) * weight[:, None].astype(np.float32)))
    inputs, truth, count = torch.cat(x), torch.cat(y).reshape(-1), torch.cat(worth).reshape(-1)
    known = float(count.sum())
    if not known > 0:
        raise ValueError("no row has a label to learn from")
    with torch.no_grad():
        net.out.weight.zero_()
        net.out.bias.zero_()
    optimiser = torch.optim.LBFGS(
        net.out.parameters(), max_iter=steps, tolerance_grad=1e-7, tolerance_change=1e-10, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        logits = net.logits(net.out(inputs)).reshape(-1, net.config.classes)
        total = (F.cross_entropy(logits, truth, reduction="none") * count).sum() / known
        return total + net.config.shrink / (2 * known) * (net.out.weight**2).sum()

    def closure() -> Tensor:
        optimiser.zero_grad()
        value = loss()
        value.backward()
        return value

    optimiser.step(closure)
    with torch.no_grad():
        last = float(loss())
    net.eval()
    return ((last, last),)
