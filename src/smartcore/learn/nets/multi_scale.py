"""The window at several scales, from coarse to fine, and a head for each horizon.

    inputs (b, t, w) -> means over s rows (b, t / s, w), for each scale s -> conv, conv (b, c, t / s)
                     -> newest step and mean (b, d) -> fused from the coarsest down: fine + gate * coarser
    [fused of every scale] (b, scales d) -> a head a target

Several horizons in, several out: a coarse branch sees the whole window as a few long bars, a fine one its rows, and
each head takes from every scale what its horizon needs. Fusion from coarse to fine: Lin et al. (2017),
arXiv:1612.03144; pooled inputs and horizons of their own: Challu et al. (2022), N-HiTS, arXiv:2201.12886. Each look is
a full recomputation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smartcore.learn.nets.base import NetConfig, WindowNet
from smartcore.learn.nets.cnn import conv
from smartcore.learn.nets.parts import Heads, groups_of, last


@dataclass(frozen=True)
class Config(NetConfig):
    """Shape of the net."""

    window: int = 100
    scales: tuple[int, ...] = (1, 5, 20)
    """Rows a step, finest first; each divides the window."""
    channels: int = 32
    kernel: int = 5
    width: int = 32


class Scale(nn.Module):
    """The window as steps of some rows each, (b, t, w) to one reading of it (b, width)."""

    def __init__(self, rows: int, inside: int, config: Config) -> None:
        super().__init__()
        self.rows, self.steps = rows, groups_of(rows, config.window, "steps")
        c = config.channels
        self.convs = nn.Sequential(conv(inside, c, config.kernel, 1), conv(c, c, config.kernel, 1))
        self.out = nn.Linear(2 * c, config.width)

    def pooled(self, x: Tensor) -> Tensor:
        """(b, t, w) to means over stretches of ``rows`` (b, steps, w)."""
        return x.reshape(-1, self.steps, self.rows, x.shape[2]).mean(2) if self.rows > 1 else x

    def forward(self, x: Tensor) -> Tensor:
        h = self.convs(self.pooled(x).transpose(1, 2)).transpose(1, 2)  # (b, steps, c)
        return self.out(torch.cat([last(h), h.mean(1)], dim=1))


class MultiScale(WindowNet):
    config: Config

    def __init__(self, config: Config, knots: NDArray[np.floating]) -> None:
        super().__init__(config, knots)
        if list(config.scales) != sorted(set(config.scales)) or config.kernel % 2 == 0:
            raise ValueError(f"scales {config.scales} finest first, an odd kernel, not {config.kernel}")
        self.scales = nn.ModuleList(Scale(s, self.inputs.width, config) for s in config.scales)
        d = config.width
        self.gate = nn.ModuleList(nn.Linear(2 * d, d) for _ in config.scales[1:])
        self.down = nn.ModuleList(nn.Linear(d, d, bias=False) for _ in config.scales[1:])
        self.dropout = nn.Dropout(config.dropout)
        self.out = Heads(d * len(config.scales), d, config.targets, config.classes, config.dropout)

    def readings(self, x: Tensor) -> list[Tensor]:
        """Inputs (b, window, w) -> each scale's reading (b, width), finest first, those coarser already in it."""
        alone = [scale(x) for scale in self.scales]
        fused = [alone[-1]]
        for i in range(len(alone) - 2, -1, -1):
            fine, coarse = alone[i], fused[0]
            gate = torch.sigmoid(self.gate[i](torch.cat([fine, coarse], dim=1)))
            fused.insert(0, fine + gate * self.down[i](coarse))
        return fused

    def look(self, x: Tensor) -> Tensor:
        return self.out(self.dropout(torch.nn.functional.gelu(torch.cat(self.readings(x), dim=1))))
