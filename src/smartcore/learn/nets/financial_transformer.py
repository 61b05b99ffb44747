"""A transformer with separate heads for price, volume and volatility, and positions that volatility stretches.

    columns of a kind -> linear of each patch (b, tokens, d_kind) + gain * positions -> blocks of that kind's heads
    [price, volume, volatility] (b, tokens, d) -> one block of all heads, newest token alone -> linear

Heads of one kind read columns of that kind, in every layer but the last: queries, keys, values and feed-forward layers
are each kind's own, price with half of the heads and of the width. The last layer joins them. Where a kind has no
column, its heads read all.

The gain of a token is twice the sigmoid of a linear map of the volatility columns' running means: a minute of a quiet
market and a minute of a wild one are not the same distance. That is the one way by which price and volume heads hear of
volatility.

There is no one paper: heads by kind are a block-diagonal form of Vaswani et al. (2017), arXiv:1706.03762; encodings of
financial time from volatility follow the business time of Clark (1973), doi:10.2307/1913889. Each look is a full
recomputation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from smartcore.learn.nets.base import NetConfig, WindowNet
from smartcore.learn.nets.parts import Block, Embed, groups_of, last

KINDS = ("price", "volume", "volatility")

_VOLATILITY = {
    "volatility", "variance", "vol", "atr", "range", "parkinson", "garman", "rogers", "yang", "bollinger", "keltner",
    "squeeze", "ulcer", "mass", "realised", "bipower", "medrv", "minrv", "quarticity", "bns", "jump",
}  # fmt: skip
_VOLUME = {
    "volume", "obv", "vwap", "amihud", "money", "force", "ease", "klinger", "size", "ofi", "imbalance", "depth",
    "queue", "book", "flow", "add", "cancel", "update", "trade", "trades", "buy", "sell", "count", "vpin", "kyle",
    "hasbrouck", "sweep", "sweeps", "fills", "execution", "replenishment", "depletion", "improvement", "refill",
    "fleeting", "message", "tick", "ticks", "sign",
}  # fmt: skip


@dataclass(frozen=True)
class Config(NetConfig):
    """Shape of the net."""

    window: int = 100
    patch: int = 5
    """Rows a token; it divides the window."""
    d_model: int = 64
    heads: int = 8
    """At least 3: half of them for price, a quarter each for volume and volatility."""
    layers: int = 3
    """At least 2, the last of which joins the kinds."""
    feed: int = 4
    span: int = 10
    """Rows of the running mean of volatility."""
    price: tuple[int, ...] = ()
    """Columns by index, as :func:`groups` finds them."""
    volume: tuple[int, ...] = ()
    volatility: tuple[int, ...] = ()


@dataclass(frozen=True)
class Enhanced(Config):
    """The largest size asked for, "enhanced_transformer": over 40 columns 2.3 million weights."""

    d_model: int = 256
    heads: int = 8
    layers: int = 6


def groups(names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Which columns say what, by the words of their names: ``Config(..., **groups(names))``.

    Volatility before volume (volume's own variability aside), price and all else last. A test holds it to the
    families of the catalogue.
    """
    out: dict[str, list[int]] = {kind: [] for kind in KINDS}
    for i, name in enumerate(names):
        words = set(name.lower().split("_"))
        if words & _VOLATILITY and "volume" not in words:
            out["volatility"].append(i)
        elif words & _VOLUME:
            out["volume"].append(i)
        else:
            out["price"].append(i)
    return {kind: tuple(found) for kind, found in out.items()}


class FinancialTransformer(WindowNet):
    config: Config
    running: Tensor

    def __init__(self, config: Config, knots: NDArray[np.floating]) -> None:
        super().__init__(config, knots)
        if config.heads < 3 or config.d_model % config.heads or config.layers < 2:
            raise ValueError(
                f"{config.heads} heads, {config.layers} layers, width {config.d_model}: at least 3 heads, "
                "which divide the width, and 2 layers"
            )
        self.tokens = groups_of(config.patch, config.window, "patches")
        few = max(1, config.heads // 4)
        heads = (config.heads - 2 * few, few, few)
        widths = [n * (config.d_model // config.heads) for n in heads]
        columns = (config.price, config.volume, config.volatility)
        frames = 1 + len(config.timeframes)
        self.embed = nn.ModuleList(
            Embed(config.columns, frames, c, config.patch, d) for c, d in zip(columns, widths, strict=True)
        )
        self.position = nn.ParameterList(nn.Parameter(torch.randn(self.tokens, d) * 0.02) for d in widths)
        self.blocks = nn.ModuleList(
            nn.Sequential(*(Block(d, n, config.feed, config.dropout) for _ in range(config.layers - 1)))
            for d, n in zip(widths, heads, strict=True)
        )
        self.join = Block(config.d_model, config.heads, config.feed, config.dropout, newest=True)
        self.gain = Embed(config.columns, frames, config.volatility, 1, 1)
        age = torch.arange(config.patch - 1, config.window, config.patch)[:, None] - torch.arange(config.window)
        weight = torch.where(age >= 0, (1 - 2 / (config.span + 1)) ** age.clamp(min=0), 0.0)
        self.register_buffer("running", weight / weight.sum(1, keepdim=True))  # (tokens, window)
        self.norm = nn.LayerNorm(config.d_model)
        self.dropout = nn.Dropout(config.dropout)
        self.out = self.head(config.d_model)

    @property
    def attends(self) -> tuple[str, ...]:
        return (*(f"{kind}, layer {i + 1}" for kind in KINDS for i in range(self.config.layers - 1)), "all kinds")

    @classmethod
    def by_names(cls, columns: Sequence[str]) -> dict[str, Any]:
        return dict(groups(columns))

    def gains(self, x: Tensor) -> Tensor:
        """Inputs (b, window, w) -> what scales each token's position (b, tokens, 1), between 0 and 2."""
        # The linear map first: a mean of one number a row costs less than a mean of each column.
        return 2 * torch.sigmoid(self.running @ self.gain(x))

    def kinds(self, x: Tensor) -> list[Tensor]:
        """Inputs (b, window, w) -> tokens of price, volume, volatility before they are joined, (b, tokens, d) each."""
        gain = self.gains(x)
        return [
            blocks(self.dropout(embed(x) + gain * position))
            for embed, position, blocks in zip(self.embed, self.position, self.blocks, strict=True)
        ]

    def look(self, x: Tensor) -> Tensor:
        joined = self.join(torch.cat(self.kinds(x), dim=2))
        return self.logits(self.out(self.norm(last(joined))))
