"""Stacked LSTM layers, each adding to what the one below it says: deep recurrence that trains.

    inputs (b, w) -> linear (h) -> [x + LSTM cell of layer norm of x] x layers -> layer norm -> linear

Residual connections between stacked cells: Wu et al. (2016), arXiv:1609.08144; Prakash et al. (2016),
arXiv:1610.03098. The normalisation stands before the cell, so that the sum itself is never squeezed: Xiong et al.
(2020), arXiv:2002.04745.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from smartcore.learn.nets import cells
from smartcore.learn.nets.base import Memory, NetConfig, StreamingNet
from smartcore.models import State


@dataclass(frozen=True)
class Config(NetConfig):
    """Shape of the net."""

    hidden: int = 48
    layers: int = 3
    dropout: float = 0.2


class LstmResidual(StreamingNet):
    config: Config

    def __init__(self, config: Config, knots: NDArray[np.floating]) -> None:
        super().__init__(config, knots)
        n = config.hidden
        self.enter = nn.Linear(self.inputs.width, n)
        self.norms = nn.ModuleList(nn.LayerNorm(n) for _ in range(config.layers + 1))
        self.cells = nn.ModuleList(cells.lstm(n, n) for _ in range(config.layers))
        self.dropout = nn.Dropout(config.dropout)
        self.out = self.head(n)

    @property
    def memory(self) -> tuple[State, ...]:
        shape = (1, self.config.hidden)
        return tuple(State(f"{s}{i}", f"{s}{i}_next", shape) for i in range(self.config.layers) for s in "hc")

    @property
    def warm_up(self) -> int:
        return max(60 * self.config.layers, self.inputs.warm_up)

    def step(self, x: Tensor, *memory: Tensor) -> tuple[Tensor, ...]:
        x = self.enter(x)
        after: list[Tensor] = []
        for i, cell in enumerate(self.cells):
            h, c = cells.lstm_step(cell, self.norms[i](x), *memory[2 * i : 2 * i + 2])
            after += h, c
            x = x + self.dropout(h)
        return self.logits(self.out(self.norms[-1](x))), *after

    def scan(self, x: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        memory = memory or self.fresh(len(x))
        x = self.enter(x)
        after: list[Tensor] = []
        for i, cell in enumerate(self.cells):
            out, h, c = cells.lstm_scan(cell, self.norms[i](x), *memory[2 * i : 2 * i + 2])
            after += h, c
            x = x + self.dropout(out)
        return self.logits(self.out(self.norms[-1](x))), tuple(after)
