"""Convolutions over time: each layer reads a few steps at once and leaves half as many.

    inputs (b, t, w) -> conv, batch norm, GELU: (b, c, t), (b, c, t/2), (b, 2c, t/4), (b, 2c, t/8)
                     -> all of it flat -> linear, GELU -> linear

Order in the window is kept to the end: the layer after the convolutions has a weight for each step. Tsantekidis et al.
(2017), "Forecasting stock prices from the limit order book using convolutional neural networks", IEEE CBI,
doi:10.1109/CBI.2017.23, where steps are halved by pooling.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from smartcore.learn.nets.base import NetConfig, WindowNet


@dataclass(frozen=True)
class Config(NetConfig):
    """Shape of the net."""

    window: int = 100
    channels: tuple[int, ...] = (32, 32, 64, 64)
    """Of each convolution; all but the first halve the steps."""
    kernel: int = 5
    hidden: int = 64
    dropout: float = 0.2


def conv(inside: int, outside: int, kernel: int, stride: int) -> nn.Sequential:
    """(b, inside, t) to (b, outside, ceil(t / stride)). Batch norm folds into the convolution when exported."""
    return nn.Sequential(
        nn.Conv1d(inside, outside, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm1d(outside),
        nn.GELU(),
    )


class Cnn(WindowNet):
    config: Config

    def __init__(self, config: Config, knots: NDArray[np.floating]) -> None:
        super().__init__(config, knots)
        if config.kernel % 2 == 0:
            raise ValueError(f"kernel {config.kernel} is even: it has no middle")
        widths = (self.inputs.width, *config.channels)
        self.convs = nn.Sequential(
            *(conv(a, b, config.kernel, 1 + (i > 0)) for i, (a, b) in enumerate(pairwise(widths)))
        )
        steps = config.window
        for _ in config.channels[1:]:
            steps = (steps + 1) // 2
        self.steps = steps
        """Left after the last convolution."""
        self.dropout = nn.Dropout(config.dropout)
        self.dense = nn.Sequential(nn.Linear(widths[-1] * steps, config.hidden), nn.GELU())
        self.out = self.head(config.hidden)

    def look(self, x: Tensor) -> Tensor:
        h = self.convs(x.transpose(1, 2))  # (b, c, steps)
        flat = h.reshape(-1, h.shape[1] * self.steps)
        return self.logits(self.out(self.dropout(self.dense(self.dropout(flat)))))
