"""Two convolutions that leave a quarter of the steps, then an LSTM over those: 25 steps of a window of 100.

    inputs (b, t, w) -> conv, batch norm, GELU, twice: (b, c, t/4) -> LSTM (b, t/4, h) -> linear of the newest state

For windows only: each look is a full recomputation. CoreML has no LSTM operator: onnxruntime runs it on its CPU
provider, between two CoreML partitions. Tsantekidis et al. (2020), "Using deep learning for price prediction by
exploiting stationary limit order book features", arXiv:1810.09965.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from smartcore.learn.nets.base import NetConfig, WindowNet
from smartcore.learn.nets.cnn import conv
from smartcore.learn.nets.parts import last


@dataclass(frozen=True)
class Config(NetConfig):
    """Shape of the net."""

    window: int = 100
    channels: int = 48
    kernel: int = 5
    hidden: int = 48
    dropout: float = 0.2


class CnnLstm(WindowNet):
    config: Config

    def __init__(self, config: Config, knots: NDArray[np.floating]) -> None:
        super().__init__(config, knots)
        if config.kernel % 2 == 0:
            raise ValueError(f"kernel {config.kernel} is even: it has no middle")
        c = config.channels
        self.convs = nn.Sequential(conv(self.inputs.width, c, config.kernel, 2), conv(c, c, config.kernel, 2))
        self.lstm = nn.LSTM(c, config.hidden, batch_first=True)
        self.norm = nn.LayerNorm(config.hidden)
        self.dropout = nn.Dropout(config.dropout)
        self.out = self.head(config.hidden)

    def look(self, x: Tensor) -> Tensor:
        e = self.dropout(self.convs(x.transpose(1, 2)).transpose(1, 2))  # (b, t/4, c)
        h, _ = self.lstm(e)
        return self.logits(self.out(self.dropout(self.norm(last(h)))))
