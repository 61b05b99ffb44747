"""A streaming GRU: one row and its state in, three probabilities and the next state out, at the same cost for
every tick.

    row (b, k) -> unknown values out, standardise, clip -> GRU cell (h) -> linear -> / temperature -> softmax

``step`` is written out in matrix products, sigmoids and tanhs with rank-2 states: that is what exports, as
one CoreML partition. ``sequence`` runs the same weights through torch's fused GRU, for training. A test holds
the two together.

A state carried for ever is not a window restarted at zero, so train with ``burn`` steps without loss, and
warm up when live.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Config:
    """Shape of the net. 64 units over 40 columns are 20 thousand weights, 80 kB."""

    columns: int
    hidden: int = 64
    classes: int = 3
    clip: float = 6.0
    """Standardised values beyond this many deviations are cut: one bad print must not drive the state."""
    dropout: float = 0.1


class Gru(nn.Module):
    """``mean`` and ``std`` are those of each column over the training rows, (k,)."""

    def __init__(self, config: Config, mean: ArrayLike = 0.0, std: ArrayLike = 1.0) -> None:
        super().__init__()
        self.config = config
        k = config.columns
        self.register_buffer(
            "mean", torch.from_numpy(np.broadcast_to(np.asarray(mean, np.float32), k).copy())
        )
        self.register_buffer(
            "scale", torch.from_numpy(1 / np.broadcast_to(np.asarray(std, np.float32), k).copy())
        )
        self.register_buffer("sharpness", torch.ones(1))
        self.cell = nn.GRU(k, config.hidden, batch_first=True)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.hidden, config.classes)

    mean: Tensor
    scale: Tensor
    sharpness: Tensor
    """One over the temperature of the calibration; 1 until :mod:`smartcore.learn.calibrate` fitted it."""

    def normalise(self, row: Tensor) -> Tensor:
        """Raw rows to standardised ones; unknown (NaN) or infinite values become 0, which is the training
        mean.
        """
        # x * 0 is 0 for every number and NaN for NaN and infinities, and NaN casts to true. IsNaN would say
        # it plainly, but neither it nor Equal runs on CoreML; Mul, Cast and Where do. Max(x, c) is no way
        # out: what it makes of a NaN differs between instruction sets.
        unknown = (row * 0).to(torch.bool)
        z = (row - self.mean) * self.scale
        return torch.clamp(
            torch.where(unknown, torch.zeros_like(row), z), -self.config.clip, self.config.clip
        )

    def step(self, row: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Raw row (b, k), state (b, hidden) -> logits (b, classes), next state (b, hidden)."""
        n = self.config.hidden
        gates_x = F.linear(
            self.normalise(row), self.cell.weight_ih_l0, self.cell.bias_ih_l0
        )  # (b, 3n): reset, update, new
        gates_h = F.linear(h, self.cell.weight_hh_l0, self.cell.bias_hh_l0)
        rx, ux, nx = torch.split(gates_x, n, dim=1)
        rh, uh, nh = torch.split(gates_h, n, dim=1)
        reset = torch.sigmoid(rx + rh)
        update = torch.sigmoid(ux + uh)
        new = torch.tanh(nx + reset * nh)
        h = new + update * (h - new)
        return self.head(self.dropout(h)), h

    def forward(self, row: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """What is exported: raw row, state -> calibrated probabilities (b, classes), next state."""
        logits, h = self.step(row, h)
        return torch.softmax(logits * self.sharpness, dim=1), h

    def sequence(self, rows: Tensor, h: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Raw rows (b, t, k), state (b, hidden) or None for zeros -> logits (b, t, classes), last state (b,
        hidden).
        """
        out, last = self.cell(self.normalise(rows), None if h is None else h.unsqueeze(0))
        return self.head(self.dropout(out)), last.squeeze(0)

    def start(self, batch: int = 1) -> Tensor:
        """A fresh state, (batch, hidden)."""
        return torch.zeros(batch, self.config.hidden)
