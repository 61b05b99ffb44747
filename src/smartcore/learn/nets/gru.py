"""A streaming GRU: one row and its state in, three probabilities and the next state out, at one cost for every tick.

    row (b, k) -> normal scores -> linear, GELU (e) -> GRU cell (h) -> linear of [h, e] -> / temperature -> softmax

``step`` is written out in matrix products, sigmoids and tanhs with rank-2 states: that is what exports, as
one CoreML partition. ``sequence`` runs the same weights through torch's fused GRU, for training. A test holds
the two together.

A state carried for ever is not a window restarted at zero: train without loss on the first steps of a
sequence, and warm up when live.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Config:
    """Shape of the net. The defaults over 40 columns are 10 thousand weights."""

    columns: int
    encoder: int = 48
    hidden: int = 32
    classes: int = 3
    dropout: float = 0.2


class Gru(nn.Module):
    """``knots`` is (2, k, m): m values of each column and the normal scores they stand for (``data.normal_scores``).

    Between knots a score is interpolated, beyond the outermost it is held: whatever the tails of a column, or
    one bad print in it, the net sees a number of ordinary size. Trees are indifferent to the scale of a
    column, nets are not: with mean and deviation alone this one was 0.015 worse in validation log-loss.
    """

    def __init__(self, config: Config, knots: NDArray[np.floating]) -> None:
        super().__init__()
        self.config = config
        value, score = np.asarray(knots, np.float64)  # (k, m) each
        width = np.diff(value)
        rise = np.where(width > 0, np.diff(score), 0.0)
        slope = 1 / np.where(width > 0, width, 1.0)
        for name, array in (("low", value[:, :-1]), ("slope", slope), ("rise", rise), ("floor", score[:, 0])):
            self.register_buffer(name, torch.from_numpy(array.astype(np.float32)))
        self.register_buffer("sharpness", torch.ones(1))
        self.encoder = nn.Linear(config.columns, config.encoder)
        self.cell = nn.GRU(config.encoder, config.hidden, batch_first=True)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.hidden + config.encoder, config.classes)

    low: Tensor
    slope: Tensor
    rise: Tensor
    floor: Tensor
    sharpness: Tensor
    """One over the temperature of the calibration; 1 until :mod:`smartcore.learn.calibrate` fitted it."""

    def normalise(self, row: Tensor) -> Tensor:
        """Raw rows (..., k) to normal scores (..., k); unknown (NaN) or infinite values become 0, the median."""
        # x * 0 is 0 for every number and NaN for NaN and infinities, and NaN casts to true. IsNaN would say
        # it plainly, but neither it nor Equal runs on CoreML; Mul, Cast and Where do. Max(x, c) is no way
        # out: what it makes of a NaN differs between instruction sets.
        unknown = (row * 0).to(torch.bool)
        share = torch.clamp((row.unsqueeze(-1) - self.low) * self.slope, 0, 1)  # (..., k, m - 1)
        score = (share * self.rise).sum(-1) + self.floor
        return torch.where(unknown, torch.zeros_like(score), score)

    def encode(self, row: Tensor) -> Tensor:
        """Raw rows (..., k) to what the cell sees (..., encoder)."""
        return self.dropout(F.gelu(self.encoder(self.normalise(row))))

    def step(self, row: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Raw row (b, k), state (b, hidden) -> logits (b, classes), next state (b, hidden)."""
        n = self.config.hidden
        e = self.encode(row)
        gates_e = F.linear(e, self.cell.weight_ih_l0, self.cell.bias_ih_l0)  # (b, 3n): reset, update, new
        gates_h = F.linear(h, self.cell.weight_hh_l0, self.cell.bias_hh_l0)
        reset_e, update_e, new_e = torch.split(gates_e, n, dim=1)
        reset_h, update_h, new_h = torch.split(gates_h, n, dim=1)
        reset = torch.sigmoid(reset_e + reset_h)
        update = torch.sigmoid(update_e + update_h)
        new = torch.tanh(new_e + reset * new_h)
        h = new + update * (h - new)
        return self.head(self.dropout(torch.cat([h, e], dim=1))), h

    def forward(self, row: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """What is exported: raw row, state -> calibrated probabilities (b, classes), next state."""
        logits, h = self.step(row, h)
        return torch.softmax(logits * self.sharpness, dim=1), h

    def sequence(self, rows: Tensor, h: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Raw rows (b, t, k), state (b, hidden) or None for zeros -> logits (b, t, classes), last state (b, hidden)."""
        e = self.encode(rows)
        out, last = self.cell(e, None if h is None else h.unsqueeze(0))
        return self.head(self.dropout(torch.cat([out, e], dim=2))), last.squeeze(0)

    def start(self, batch: int = 1) -> Tensor:
        """A fresh state, (batch, hidden)."""
        return torch.zeros(batch, self.config.hidden)
