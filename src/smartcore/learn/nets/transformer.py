"""A plain transformer encoder over a window: each row, or each patch of rows, is a token.

    inputs (b, t, w) -> linear of each patch + learned positions (b, t / patch, d) -> blocks -> linear of the newest

The last block is computed for the newest token alone. ``patch`` is what makes it fast enough for live use: 100 rows as
20 tokens take a fifth of the time of 100, as 10 an eighth. Every token sees all others: each look is a full
recomputation (``streaming_transformer`` is the one that steps). Vaswani et al. (2017), arXiv:1706.03762; patches: Nie
et al. (2023), arXiv:2211.14730.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smartcore.learn.nets.base import NetConfig, WindowNet
from smartcore.learn.nets.parts import Block, groups_of, last


@dataclass(frozen=True)
class Config(NetConfig):
    """Shape of the net."""

    window: int = 100
    patch: int = 5
    """Rows a token; it divides the window."""
    d_model: int = 64
    heads: int = 4
    layers: int = 2
    feed: int = 4
    """How many times wider than ``d_model`` the layer inside the feed-forward layers is."""


class Transformer(WindowNet):
    config: Config

    def __init__(self, config: Config, knots: NDArray[np.floating]) -> None:
        super().__init__(config, knots)
        self.tokens = groups_of(config.patch, config.window, "patches")
        self.embed = nn.Linear(config.patch * self.inputs.width, config.d_model)
        self.position = nn.Parameter(torch.randn(self.tokens, config.d_model) * 0.02)
        self.blocks = nn.Sequential(
            *(
                Block(config.d_model, config.heads, config.feed, config.dropout, newest=i == config.layers - 1)
                for i in range(config.layers)
            )
        )
        self.norm = nn.LayerNorm(config.d_model)
        self.dropout = nn.Dropout(config.dropout)
        self.out = self.head(config.d_model)

    @property
    def attends(self) -> tuple[str, ...]:
        return tuple(f"layer {i + 1}" for i in range(self.config.layers))

    def tokenise(self, x: Tensor) -> Tensor:
        """Inputs (b, window, w) -> tokens (b, tokens, d), oldest first."""
        patches = x.reshape(-1, self.tokens, self.config.patch * self.inputs.width)
        return self.embed(patches) + self.position

    def look(self, x: Tensor) -> Tensor:
        x = self.blocks(self.dropout(self.tokenise(x)))
        return self.logits(self.out(self.norm(last(x))))
