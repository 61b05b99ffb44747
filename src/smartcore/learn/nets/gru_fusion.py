"""A bidirectional GRU with fusion of features at both of its ends: groups of columns become one input, and three
readings of its states become one, both through gates that see all parts.

    inputs (b, t, w) -> a linear a group (b, t, e) each -> gate (b, t, e)
                     -> bidirectional GRU (b, t, 2h) -> [newest, mean, largest] -> gate (b, 2h) -> linear

For windows only: it reads the window from both ends, so each look is a full recomputation. CoreML has no GRU operator:
onnxruntime runs it on its CPU provider, between two CoreML partitions. Gates: Arevalo et al. (2017),
arXiv:1702.01992; GRU: Cho et al. (2014), arXiv:1406.1078; both directions: Schuster, Paliwal (1997),
doi:10.1109/78.650093.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from smartcore.learn.nets.base import NetConfig, WindowNet
from smartcore.learn.nets.financial_transformer import groups
from smartcore.learn.nets.parts import Embed, Gate, last


@dataclass(frozen=True)
class Config(NetConfig):
    """Shape of the net."""

    window: int = 100
    groups: tuple[tuple[int, ...], ...] = ()
    """Columns by index, those of one kind together, such as ``financial_transformer.groups(names).values()``; none:
    one group of all."""
    encoder: int = 32
    hidden: int = 32
    """Of each direction."""
    dropout: float = 0.2


class GruFusion(WindowNet):
    config: Config

    def __init__(self, config: Config, knots: NDArray[np.floating]) -> None:
        super().__init__(config, knots)
        frames = 1 + len(config.timeframes)
        groups = [tuple(g) for g in config.groups if len(g)] or [()]
        self.read = nn.ModuleList(Embed(config.columns, frames, g, 1, config.encoder) for g in groups)
        self.fuse = Gate([config.encoder] * len(groups), config.encoder)
        self.gru = nn.GRU(config.encoder, config.hidden, batch_first=True, bidirectional=True)
        self.pool = Gate([2 * config.hidden] * 3, 2 * config.hidden)
        self.dropout = nn.Dropout(config.dropout)
        self.out = self.head(2 * config.hidden)

    @classmethod
    def by_names(cls, columns: Sequence[str]) -> dict[str, Any]:
        return {"groups": tuple(found for found in groups(columns).values() if found)}

    def look(self, x: Tensor) -> Tensor:
        e = self.dropout(self.fuse([read(x) for read in self.read]))  # (b, t, e)
        h, _ = self.gru(e)  # (b, t, 2h)
        return self.logits(self.out(self.dropout(self.pool([last(h), h.mean(1), h.amax(1)]))))
