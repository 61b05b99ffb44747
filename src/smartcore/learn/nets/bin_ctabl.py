"""BiN-C(TABL): a window normalised on both its axes, then layers that map columns and rows by a matrix each, the last
with attention over time. The one model at the top of the FI-2010 tables that others reproduced, and among the smallest.

    inputs (b, t, w) -> BiN -> bilinear (d1, t1), relu -> bilinear (d2, t2), relu -> TABL (targets classes, 1)

    bilinear: relu(W1 X W2 + B)
    TABL:     E = X W, its diagonal held at 1/t;  A = softmax of E over time;  (l X * A + (1 - l) X) W2 + B

Inputs are normal scores already; normalisation over the window adds what a fixed scale cannot, the level and width of
the last rows. Tran et al. (2017), arXiv:1712.00975; BiN: Tran et al. (2020), arXiv:2003.00598.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smartcore.learn.nets.base import NetConfig, WindowNet
from smartcore.learn.nets.parts import BiN


@dataclass(frozen=True)
class Config(NetConfig):
    """Shape of the net. The defaults are the paper's, on its window of 10: 11 thousand weights over 40 columns."""

    window: int = 10
    widths: tuple[int, ...] = (60, 120)
    """Columns after each bilinear layer."""
    steps: tuple[int, ...] = (10, 5)
    """Rows after each bilinear layer."""


class Bilinear(nn.Module):
    """(b, t, d) to (b, t', d'): a matrix for each axis."""

    def __init__(self, rows: int, width: int, steps: int, wide: int) -> None:
        super().__init__()
        self.across = nn.Linear(width, wide, bias=False)  # W1
        self.along = nn.Linear(rows, steps, bias=False)  # W2
        self.bias = nn.Parameter(torch.zeros(steps, wide))

    def forward(self, x: Tensor) -> Tensor:
        return self.along(self.across(x).transpose(1, 2)).transpose(1, 2) + self.bias


class Tabl(nn.Module):
    """Temporal attention augmented bilinear layer, (b, t, d) to (b, wide)."""

    eye: Tensor

    def __init__(self, rows: int, width: int, wide: int) -> None:
        super().__init__()
        self.across = nn.Linear(width, wide, bias=False)  # W1
        self.weight = nn.Parameter(torch.full((rows, rows), 1 / rows) + torch.randn(rows, rows) * 0.1 / rows)
        self.register_buffer("eye", torch.eye(rows))
        self.share = nn.Parameter(torch.zeros(1))  # a half
        self.along = nn.Linear(rows, 1, bias=False)  # W2
        self.bias = nn.Parameter(torch.zeros(wide))

    def forward(self, x: Tensor) -> Tensor:
        h = self.across(x).transpose(1, 2)  # (b, wide, t)
        rows = h.shape[2]
        weight = self.weight * (1 - self.eye) + self.eye / rows
        attention = torch.softmax(h @ weight, dim=-1)
        share = torch.sigmoid(self.share)
        h = share * (h * attention) + (1 - share) * h
        return self.along(h).reshape(-1, h.shape[1]) + self.bias


class BinCtabl(WindowNet):
    config: Config

    def __init__(self, config: Config, knots: NDArray[np.floating]) -> None:
        super().__init__(config, knots)
        if len(config.widths) != len(config.steps):
            raise ValueError(f"{len(config.widths)} widths for {len(config.steps)} steps")
        widths, steps = (self.inputs.width, *config.widths), (config.window, *config.steps)
        self.bin = BiN(config.window, self.inputs.width)
        self.bilinear = nn.ModuleList(
            Bilinear(steps[i], widths[i], steps[i + 1], widths[i + 1]) for i in range(len(config.widths))
        )
        self.dropout = nn.Dropout(config.dropout)
        self.tabl = Tabl(steps[-1], widths[-1], config.targets * config.classes)

    def look(self, x: Tensor) -> Tensor:
        x = self.bin(x)
        for layer in self.bilinear:
            x = self.dropout(torch.relu(layer(x)))
        return self.logits(self.tabl(x))
