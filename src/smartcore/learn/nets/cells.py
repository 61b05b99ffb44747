"""Recurrent cells one row at a time, in what exports: the mathematics of torch's fused cells, on their own weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def gru_step(cell: nn.GRU, x: Tensor, h: Tensor) -> Tensor:
    """Input (b, w) and state (b, n) -> state after; ``cell`` has one layer. Cho et al. (2014), arXiv:1406.1078."""
    gates_x = F.linear(x, cell.weight_ih_l0, cell.bias_ih_l0)  # (b, 3n): reset, update, new
    gates_h = F.linear(h, cell.weight_hh_l0, cell.bias_hh_l0)
    reset_x, update_x, new_x = torch.split(gates_x, cell.hidden_size, dim=1)
    reset_h, update_h, new_h = torch.split(gates_h, cell.hidden_size, dim=1)
    reset = torch.sigmoid(reset_x + reset_h)
    update = torch.sigmoid(update_x + update_h)
    new = torch.tanh(new_x + reset * new_h)
    return new + update * (h - new)


def lstm(width: int, hidden: int) -> nn.LSTM:
    """A fused cell of one layer that remembers until it learns to forget: the forget gate begins at sigmoid(1).

    Hochreiter and Schmidhuber (1997); the bias: Jozefowicz, Zaremba, Sutskever (2015), ICML.
    """
    cell = nn.LSTM(width, hidden, batch_first=True)
    with torch.no_grad():
        cell.bias_ih_l0[hidden : 2 * hidden] = 1.0
        cell.bias_hh_l0[hidden : 2 * hidden] = 0.0
    return cell


def lstm_step(cell: nn.LSTM, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """Input (b, w), output and state (b, n) of the row before -> output and state after."""
    gates = F.linear(x, cell.weight_ih_l0, cell.bias_ih_l0) + F.linear(h, cell.weight_hh_l0, cell.bias_hh_l0)
    enter, forget, new, leave = torch.split(gates, cell.hidden_size, dim=1)
    c = torch.sigmoid(forget) * c + torch.sigmoid(enter) * torch.tanh(new)
    return torch.sigmoid(leave) * torch.tanh(c), c


def lstm_scan(cell: nn.LSTM, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs (b, t, w), output and state (b, n) before -> outputs (b, t, n), output and state after the last."""
    out, (h, c) = cell(x, (h.unsqueeze(0), c.unsqueeze(0)))
    return out, h.squeeze(0), c.squeeze(0)
