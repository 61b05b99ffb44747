"""A mixer: small nets along time and along features in turn, no attention.

    inputs (b, t, w) -> [BiN] -> linear (b, t, d) -> blocks: x + mlp over t, layer norm; x + mlp over d, layer norm
                     -> [newest row, mean of the newest quarter, mean of all] -> a head a target

MLPLOB of Berti, Kasneci (2025), arXiv:2502.15757, in the size that a millisecond allows (theirs takes 25 ms); means of
several stretches instead of its chain of reducing layers. Mixing: Tolstikhin et al. (2021), arXiv:2105.01601; for time
series Chen et al. (2023), arXiv:2303.06053. Mixing over time has a weight for each pair of rows: each look is a full
recomputation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smartcore.learn.nets.base import NetConfig, WindowNet
from smartcore.learn.nets.parts import BiN, Heads, last


@dataclass(frozen=True)
class Config(NetConfig):
    """Shape of the net."""

    window: int = 100
    width: int = 40
    layers: int = 2
    along: int = 2
    """How many times wider than the window the layer inside the mixing over time is."""
    across: int = 2
    """How many times wider than ``width`` the layer inside the mixing over features is."""
    bilinear: bool = True
    """Normalise the window on both axes first (``parts.BiN``)."""


class Mixing(nn.Module):
    """x plus a net over its last axis (..., n)."""

    def __init__(self, n: int, wide: int, dropout: float, bias: bool = True) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(n, wide), nn.GELU(), nn.Dropout(dropout), nn.Linear(wide, n, bias=bias), nn.Dropout(dropout)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.net(x)


class Layer(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        # No bias at the end: it would add the same to all features of a row, which the layer norm takes off again.
        self.along = Mixing(config.window, config.along * config.window, config.dropout, bias=False)
        self.norm_t = nn.LayerNorm(config.width)
        self.across = Mixing(config.width, config.across * config.width, config.dropout)
        self.norm_d = nn.LayerNorm(config.width)

    def forward(self, x: Tensor) -> Tensor:
        """(b, t, d) to the same."""
        x = self.norm_t(self.along(x.transpose(1, 2)).transpose(1, 2))
        return self.norm_d(self.across(x))


class Mixer(WindowNet):
    config: Config

    def __init__(self, config: Config, knots: NDArray[np.floating]) -> None:
        super().__init__(config, knots)
        self.bin = BiN(config.window, self.inputs.width) if config.bilinear else nn.Identity()
        self.embed = nn.Sequential(nn.Linear(self.inputs.width, config.width), nn.GELU())
        self.layers = nn.Sequential(*(Layer(config) for _ in range(config.layers)))
        self.out = Heads(3 * config.width, config.width, config.targets, config.classes, config.dropout)

    def look(self, x: Tensor) -> Tensor:
        x = self.layers(self.embed(self.bin(x)))
        quarter = (self.window + 3) // 4
        recent = x.narrow(1, self.window - quarter, quarter).mean(1)
        return self.out(torch.cat([last(x), recent, x.mean(1)], dim=1))
