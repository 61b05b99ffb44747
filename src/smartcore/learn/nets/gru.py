"""A streaming GRU: one row and its state in, logits and the next state out, at one cost for every tick.

    inputs (b, w) -> linear, layer norm, GELU (e) -> GRU cell (h) -> linear of [layer norm of h, e]

``step`` is written out in matrix products, sigmoids and tanhs with rank-2 states: that is what exports, as
one CoreML partition. ``scan`` runs the same weights through torch's fused GRU, for training. A test holds
the two together.

A state carried for ever is not a window restarted at zero: train without loss on the first steps of a
sequence, and warm up when live. Cho et al. (2014), arXiv:1406.1078; layer normalisation: Ba, Kiros, Hinton (2016),
arXiv:1607.06450.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from smartcore.learn.nets import cells
from smartcore.learn.nets.base import Memory, NetConfig, StreamingNet
from smartcore.models import State


@dataclass(frozen=True)
class Config(NetConfig):
    """Shape of the net. The defaults over 40 columns are 10 thousand weights."""

    encoder: int = 48
    hidden: int = 32
    norm: bool = True
    """Layer normalisation of what the cell reads and of what the head reads."""
    dropout: float = 0.2


class Gru(StreamingNet):
    config: Config

    def __init__(self, config: Config, knots: NDArray[np.floating]) -> None:
        super().__init__(config, knots)
        self.encoder = nn.Linear(self.inputs.width, config.encoder)
        self.norm_e = nn.LayerNorm(config.encoder) if config.norm else nn.Identity()
        self.cell = nn.GRU(config.encoder, config.hidden, batch_first=True)
        self.norm_h = nn.LayerNorm(config.hidden) if config.norm else nn.Identity()
        self.dropout = nn.Dropout(config.dropout)
        self.out = self.head(config.hidden + config.encoder)

    @property
    def memory(self) -> tuple[State, ...]:
        return (State("h", "h_next", (1, self.config.hidden)),)

    @property
    def warm_up(self) -> int:
        return max(60, self.inputs.warm_up)

    def encode(self, x: Tensor) -> Tensor:
        """Inputs (..., w) to what the cell sees (..., encoder)."""
        return self.dropout(F.gelu(self.norm_e(self.encoder(x))))

    def step(self, x: Tensor, *memory: Tensor) -> tuple[Tensor, ...]:
        (h,) = memory
        e = self.encode(x)
        h = cells.gru_step(self.cell, e, h)
        return self.logits(self.out(self.dropout(torch.cat([self.norm_h(h), e], dim=1)))), h

    def scan(self, x: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        (h,) = memory or self.fresh(len(x))
        e = self.encode(x)
        out, last = self.cell(e, h.unsqueeze(0))
        return self.logits(self.out(self.dropout(torch.cat([self.norm_h(out), e], dim=2)))), (last.squeeze(0),)
