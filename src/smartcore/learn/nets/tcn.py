"""A temporal convolutional net: causal convolutions over ever longer strides, each carrying its last inputs.

    inputs (b, w) -> linear (c) -> [x + mix of GELU of dilated causal convolution of layer norm of x] x layers
                  -> layer norm -> linear

Layer i sees ``kernel`` rows ``dilation ** i`` apart. What it sees of the past is exact and finite: after
``warm_up`` rows nothing of the start is left. Before the start each layer's inputs are zeros.

``large_kernel`` is the other shape of such a net: one long kernel per channel in every layer, mixed over channels by a
wider layer after it, without strides (give it a ``kernel`` of 31 or so, ``dilation`` 1, and fewer layers).

Bai, Kolter, Koltun (2018), arXiv:1803.01271; large kernels: Luo and Wang (2024), ModernTCN, ICLR.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from smartcore.learn.nets.base import Memory, NetConfig, StreamingNet
from smartcore.models import State


@dataclass(frozen=True)
class Config(NetConfig):
    """Shape of the net. The defaults see 125 rows."""

    channels: int = 48
    layers: int = 5
    kernel: int = 5
    dilation: int = 2
    """Factor from a layer's stride to the next one's; 1 leaves all strides at 1."""
    large_kernel: bool = False
    """A kernel per channel instead of one over all channels, and a mixing layer of twice the channels."""


class Layer(nn.Module):
    """One residual block over (..., channels), its memory (b, channels, (kernel - 1) stride)."""

    def __init__(self, config: Config, stride: int) -> None:
        super().__init__()
        n = config.channels
        self.norm = nn.LayerNorm(n)
        self.conv = nn.Conv1d(n, n, config.kernel, dilation=stride, groups=n if config.large_kernel else 1)
        if config.large_kernel:
            self.mix: nn.Module = nn.Sequential(nn.Linear(n, 2 * n), nn.GELU(), nn.Linear(2 * n, n))
        else:
            self.mix = nn.Linear(n, n)
        self.dropout = nn.Dropout(config.dropout)
        self.before = (config.kernel - 1) * stride

    def step(self, x: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """Row (b, channels), inputs before it -> row, inputs to keep."""
        seen = torch.cat([past, self.norm(x).unsqueeze(2)], dim=2)  # (b, channels, before + 1)
        y = self.conv(seen).reshape(x.shape)
        return x + self.mix(F.gelu(y)), seen.narrow(2, 1, self.before)

    def forward(self, x: Tensor, past: Tensor) -> tuple[Tensor, Tensor]:
        """Rows (b, t, channels), inputs before them -> rows, inputs to keep."""
        seen = torch.cat([past, self.norm(x).transpose(1, 2)], dim=2)  # (b, channels, before + t)
        y = self.conv(seen).transpose(1, 2)
        return x + self.dropout(self.mix(F.gelu(y))), seen[:, :, x.shape[1] :]


class Tcn(StreamingNet):
    config: Config

    def __init__(self, config: Config, knots: NDArray[np.floating]) -> None:
        super().__init__(config, knots)
        if config.kernel < 2:
            raise ValueError(f"a kernel of {config.kernel} rows: a convolution over time needs at least 2")
        self.enter = nn.Linear(self.inputs.width, config.channels)
        self.layers = nn.ModuleList(Layer(config, config.dilation**i) for i in range(config.layers))
        self.norm = nn.LayerNorm(config.channels)
        self.out = self.head(config.channels)

    @property
    def memory(self) -> tuple[State, ...]:
        return tuple(
            State(f"past{i}", f"past{i}_next", (1, self.config.channels, layer.before))
            for i, layer in enumerate(self.layers)
        )

    @property
    def warm_up(self) -> int:
        return max(1 + sum(layer.before for layer in self.layers), self.inputs.warm_up)

    def step(self, x: Tensor, *memory: Tensor) -> tuple[Tensor, ...]:
        x = self.enter(x)
        after: list[Tensor] = []
        for layer, past in zip(self.layers, memory, strict=True):
            x, past = layer.step(x, past)
            after.append(past)
        return self.logits(self.out(self.norm(x))), *after

    def scan(self, x: Tensor, memory: Memory = None) -> tuple[Tensor, Memory]:
        x = self.enter(x)
        after: list[Tensor] = []
        for layer, past in zip(self.layers, memory or self.fresh(len(x)), strict=True):
            x, past = layer(x, past)
            after.append(past)
        return self.logits(self.out(self.norm(x))), tuple(after)
