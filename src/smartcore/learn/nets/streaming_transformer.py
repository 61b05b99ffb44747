"""A transformer that streams: causal attention over the last ``window`` rows in every layer, keys and values cached.

    inputs (b, w) -> linear (d) -> [x + attention of layer norm of x; x + GELU layers of layer norm of x] x layers
                  -> layer norm -> linear

A row's logits rest on its last ``layers * (window - 1) + 1`` rows, each layer looking ``window`` rows back at the
layer below. It is trained with the band it runs with: recomputing a window of rows at each tick is another net, off
by a tenth of a logit with six layers. What stands before the start is said in ``band``.

Vaswani et al. (2017), arXiv:1706.03762; normalisation before each part: Xiong et al. (2020), arXiv:2002.04745;
streaming with cached keys: Dai et al. (2019), Transformer-XL, arXiv:1901.02860.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from smartcore.learn.nets.band import Band
from smartcore.learn.nets.base import Memory, NetConfig, StreamingNet
from smartcore.models import State


@dataclass(frozen=True)
class Config(NetConfig):
    """Shape of the net."""

    d_model: int = 64
    heads: int = 4
    layers: int = 2
    window: int = 100
    """Rows each layer looks back, this one included."""
    feedforward: int = 4
    """Width of the feed-forward layers as a multiple of ``d_model``."""
    relative: str = "alibi"
    """What attention knows of age: "alibi", a fixed slope per head, or "learned", a bias per head and age."""


class Block(nn.Module):
    """Attention and feed-forward layers over (..., d_model)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        d = config.d_model
        self.norm_a = nn.LayerNorm(d)
        self.band = Band(d, config.heads, config.window, config.relative)
        self.norm_f = nn.LayerNorm(d)
        self.up = nn.Linear(d, config.feedforward * d)
        self.down = nn.Linear(config.feedforward * d, d)
        self.dropout = nn.Dropout(config.dropout)

    def step(self, x: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Row (b, d_model), cache -> row, cache."""
        found, keys, values = self.band.step(self.norm_a(x), keys, values)
        return self._feed(x + found), keys, values

    def forward(self, x: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rows (b, t, d_model), cache -> rows, cache."""
        found, keys, values = self.band.scan(self.norm_a(x), keys, values)
        return self._feed(x + self.dropout(found)), keys, values

    def _feed(self, x: Tensor) -> Tensor:
        return x + self.dropout(self.down(F.gelu(self.up(self.norm_f(x)))))


class StreamingTransformer(StreamingNet):
    config: Config

    def __init__(self, config: Config, knots: NDArray[np.floating]) -> None:
        super().__init__(config, knots)
        self.enter = nn.Linear(self.inputs.width, config.d_model)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.d_model)
        self.dropout = nn.Dropout(config.dropout)
        self.out = self.head(config.d_model)

    @property
    def attends(self) -> tuple[str, ...]:
        return tuple(f"layer {i + 1}" for i in range(self.config.layers))

    @property
    def memory(self) -> tuple[State, ...]:
        return tuple(
            State(f"{name}{i}", f"{name}{i}_next", shape)
            for i, block in enumerate(self.blocks)
            for name, shape in zip(("keys", "values"), block.band.shapes, strict=True)
        )

    @property
    def warm_up(self) -> int:
        return max(self.config.layers * (self.config.window - 1) + 1, self.inputs.warm_up)

    def step(self, x: Tensor, *memory: Tensor) -> tuple[Tensor, ...]:
        x = self.enter(x)
        after: list[Tensor] = []
        for i, block in enumerate(self.blocks):
            x, *cache = block.step(x, *memory[2 * i : 2 * i + 2])
            after += cache
        return self.logits(self.out(self.norm(x))), *after

    def scan(self, x: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        memory = memory or self.fresh(len(x))
        x = self.dropout(self.enter(x))
        after: list[Tensor] = []
        for i, block in enumerate(self.blocks):
            x, *cache = block(x, *memory[2 * i : 2 * i + 2])
            after += cache
        return self.logits(self.out(self.norm(x))), tuple(after)
