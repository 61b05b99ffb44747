"""A streaming LSTM between batch normalisations: what each layer and the head read has mean 0 and deviation 1.

    inputs (b, w) -> [batch norm -> LSTM cell (h)] x layers -> batch norm -> linear

Training normalises by the batch and remembers running moments; afterwards the normalisation is a fixed scale and shift,
and is exported as that. The recurrence itself is not normalised, as in Laurent et al. (2015), arXiv:1510.01378.

Hochreiter and Schmidhuber (1997); batch normalisation: Ioffe and Szegedy (2015), arXiv:1502.03167.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smartcore.learn.nets import cells
from smartcore.learn.nets.base import Memory, NetConfig, StreamingNet
from smartcore.models import State


@dataclass(frozen=True)
class Config(NetConfig):
    """Shape of the net."""

    hidden: int = 64
    layers: int = 1
    dropout: float = 0.2


class BatchNorm(nn.BatchNorm1d):
    """Of the last axis, over all axes before it."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return super().forward(x.reshape(-1, self.num_features)).reshape(x.shape)
        # Written out: ONNX's own operator does not run on CoreML.
        scale = self.weight / torch.sqrt(self.running_var + self.eps)
        return x * scale + (self.bias - self.running_mean * scale)


class Lstm(StreamingNet):
    config: Config

    def __init__(self, config: Config, knots: NDArray[np.floating]) -> None:
        super().__init__(config, knots)
        widths = [self.inputs.width, *[config.hidden] * config.layers]
        # Not a list: what a trainer computes twice to save memory are members of lists, and these count what they see.
        self.norms = nn.Sequential(*(BatchNorm(w) for w in widths))
        self.cells = nn.ModuleList(cells.lstm(w, config.hidden) for w in widths[:-1])
        self.dropout = nn.Dropout(config.dropout)
        self.out = self.head(config.hidden)

    @property
    def memory(self) -> tuple[State, ...]:
        shape = (1, self.config.hidden)
        return tuple(State(f"{s}{i}", f"{s}{i}_next", shape) for i in range(self.config.layers) for s in "hc")

    @property
    def warm_up(self) -> int:
        return max(60, self.inputs.warm_up)

    def step(self, x: Tensor, *memory: Tensor) -> tuple[Tensor, ...]:
        after: list[Tensor] = []
        for i, cell in enumerate(self.cells):
            x, c = cells.lstm_step(cell, self.norms[i](x), *memory[2 * i : 2 * i + 2])
            after += x, c
        return self.logits(self.out(self.dropout(self.norms[-1](x)))), *after

    def scan(self, x: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        memory = memory or self.fresh(len(x))
        after: list[Tensor] = []
        for i, cell in enumerate(self.cells):
            x, h, c = cells.lstm_scan(cell, self.norms[i](x), *memory[2 * i : 2 * i + 2])
            after += h, c
        return self.logits(self.out(self.dropout(self.norms[-1](x)))), tuple(after)
