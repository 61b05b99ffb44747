"""A bidirectional LSTM over a window, read by attention: what the head sees is a mean of all its states, weighed by
what each of them says, and the newest state.

    inputs (b, t, w) -> bidirectional LSTM (b, t, 2h) -> weights over t -> linear of [weighed mean, newest state]

For windows only: it reads the window from both ends, so each look is a full recomputation. CoreML has no LSTM operator:
onnxruntime runs it on its CPU provider, between two CoreML partitions. Zhou et al. (2016), "Attention-based
bidirectional long short-term memory networks", ACL P16-2034; the newest state beside the mean is from the attentive
LSTM of Feng et al. (2019), arXiv:1810.09936.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smartcore.learn.nets.base import NetConfig, WindowNet
from smartcore.learn.nets.parts import last


@dataclass(frozen=True)
class Config(NetConfig):
    """Shape of the net."""

    window: int = 100
    hidden: int = 32
    """Of each direction."""
    layers: int = 1
    attention: int = 32
    """Width of the layer that judges how much a state matters."""
    dropout: float = 0.2


class LstmAttention(WindowNet):
    config: Config

    def __init__(self, config: Config, knots: NDArray[np.floating]) -> None:
        super().__init__(config, knots)
        between = config.dropout if config.layers > 1 else 0.0
        self.lstm = nn.LSTM(
            self.inputs.width, config.hidden, config.layers, batch_first=True, bidirectional=True, dropout=between
        )
        self.judge = nn.Sequential(
            nn.Linear(2 * config.hidden, config.attention), nn.Tanh(), nn.Linear(config.attention, 1, bias=False)
        )
        self.norm = nn.LayerNorm(4 * config.hidden)
        self.dropout = nn.Dropout(config.dropout)
        self.out = self.head(4 * config.hidden)

    @property
    def attends(self) -> tuple[str, ...]:
        return ("over states",)

    def look(self, x: Tensor) -> Tensor:
        h, _ = self.lstm(x)  # (b, t, 2h)
        weight = torch.softmax(self.judge(h).reshape(-1, 1, h.shape[1]), dim=-1)  # (b, 1, t)
        mean = (weight @ h).reshape(-1, h.shape[2])
        return self.logits(self.out(self.dropout(self.norm(torch.cat([mean, last(h)], dim=1)))))
