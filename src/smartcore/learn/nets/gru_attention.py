"""A GRU that looks back: causal attention of its state over its last ``window`` states, by content and by age.

    inputs (b, w) -> linear, layer norm, GELU (e) -> GRU cell (h) -> layer norm
                  -> attention over the last ``window`` of these, learned bias per head and age
                  -> linear of [state, what attention found]

What is cached are the keys and values of the past states, not the states: each is projected once. Bahdanau, Cho,
Bengio (2014), arXiv:1409.0473, in the multi-head form of Vaswani et al. (2017), arXiv:1706.03762; see ``band``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from smartcore.learn.nets import cells
from smartcore.learn.nets.band import Band
from smartcore.learn.nets.base import Memory, NetConfig, StreamingNet
from smartcore.models import State


@dataclass(frozen=True)
class Config(NetConfig):
    """Shape of the net."""

    encoder: int = 48
    hidden: int = 64
    heads: int = 4
    window: int = 50
    """Rows attention looks back, this one included."""
    relative: str = "learned"
    """What attention knows of age: "learned", a bias per head and age, or "alibi", a fixed slope per head."""
    dropout: float = 0.2


class GruAttention(StreamingNet):
    config: Config

    def __init__(self, config: Config, knots: NDArray[np.floating]) -> None:
        super().__init__(config, knots)
        self.encoder = nn.Linear(self.inputs.width, config.encoder)
        self.norm_e = nn.LayerNorm(config.encoder)
        self.cell = nn.GRU(config.encoder, config.hidden, batch_first=True)
        self.norm_h = nn.LayerNorm(config.hidden)
        self.band = Band(config.hidden, config.heads, config.window, config.relative)
        self.dropout = nn.Dropout(config.dropout)
        self.out = self.head(2 * config.hidden)

    @property
    def attends(self) -> tuple[str, ...]:
        return ("over states",)

    @property
    def memory(self) -> tuple[State, ...]:
        keys, values = self.band.shapes
        return (
            State("h", "h_next", (1, self.config.hidden)),
            State("keys", "keys_next", keys),
            State("values", "values_next", values),
        )

    @property
    def warm_up(self) -> int:
        return max(60 + self.config.window, self.inputs.warm_up)

    def encode(self, x: Tensor) -> Tensor:
        """Inputs (..., w) to what the cell sees (..., encoder)."""
        return self.dropout(F.gelu(self.norm_e(self.encoder(x))))

    def step(self, x: Tensor, *memory: Tensor) -> tuple[Tensor, ...]:
        h, keys, values = memory
        h = cells.gru_step(self.cell, self.encode(x), h)
        state = self.norm_h(h)
        found, keys, values = self.band.step(state, keys, values)
        return self.logits(self.out(self.dropout(torch.cat([state, found], dim=1)))), h, keys, values

    def scan(self, x: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        h, keys, values = memory or self.fresh(len(x))
        out, last = self.cell(self.encode(x), h.unsqueeze(0))
        state = self.norm_h(out)
        found, keys, values = self.band.scan(state, keys, values)
        return self.logits(self.out(self.dropout(torch.cat([state, found], dim=2)))), (last.squeeze(0), keys, values)
