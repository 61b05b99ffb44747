"""Attention over the last ``window`` rows, this one included: a step on cached keys and values, and a banded scan.

Before the start of a sequence there are rows whose key and value are zero, and they are attended like others (a zero
key scores the bias of its age). So a step needs no mask and no age, and the scan, which puts the same zero rows in
front, equals the step from the first row on.

Relative positions: ALiBi, a fixed slope of age per head (Press, Smith, Lewis, 2021, arXiv:2108.12409), or a learned
bias per head and age (Shaw et al., 2018, arXiv:1803.02155, in the form of Raffel et al., 2020, arXiv:1910.10683).
The band: Beltagy, Peters, Cohan (2020), arXiv:2004.05150.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Band(nn.Module):
    """Multi-head causal attention of (..., width) rows. ``window`` >= 2; ``relative`` is "alibi" or "learned".

    Keys are cached as (b, heads, width / heads, window - 1) and values as (b, heads, window - 1, width / heads),
    oldest first: so laid out, a step multiplies by them without transposing them.
    """

    bias: Tensor

    def __init__(self, width: int, heads: int, window: int, relative: str) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"a width of {width} does not divide into {heads} heads")
        if window < 2:
            raise ValueError(f"a window of {window} rows: attention needs at least 2")
        self.width, self.heads, self.window, self.size = width, heads, window, width // heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        if relative == "alibi":
            slope = 2.0 ** (-8 * torch.arange(1, heads + 1) / heads)
            age = torch.arange(window - 1, -1, -1)
            self.register_buffer("bias", -slope.unsqueeze(1) * age)  # (heads, window), oldest first
        elif relative == "learned":
            self.bias = nn.Parameter(torch.zeros(heads, window))
        else:
            raise ValueError(f'relative={relative!r}: "alibi" or "learned"')

    @property
    def shapes(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Of the cached keys and values, for a batch of 1."""
        return (1, self.heads, self.size, self.window - 1), (1, self.heads, self.window - 1, self.size)

    def step(self, x: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Row (b, width), cached keys and values -> attended row (b, width), keys and values to cache."""
        q, k, v = torch.split(self.qkv(x), self.width, dim=1)
        keys = torch.cat([keys, k.reshape(-1, self.heads, self.size, 1)], dim=3)  # (b, heads, size, window)
        values = torch.cat([values, v.reshape(-1, self.heads, 1, self.size)], dim=2)  # (b, heads, window, size)
        score = (q.reshape(-1, self.heads, 1, self.size) * self.size**-0.5) @ keys  # (b, heads, 1, window)
        weight = torch.softmax(score + self.bias.unsqueeze(1), dim=-1)
        out = self.out((weight @ values).reshape(-1, self.width))
        return out, keys.narrow(3, 1, self.window - 1), values.narrow(2, 1, self.window - 1)

    def scan(self, x: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rows (b, t, width) in order, cached keys and values -> attended rows (b, t, width), what to cache.

        In blocks of up to ``window`` rows (or 64), each against itself and the ``window - 1`` rows before it: memory
        grows with t * window, never with t * t.
        """
        b, t, _ = x.shape
        before = self.window - 1
        q, k, v = (p.reshape(b, t, self.heads, self.size).transpose(1, 2) for p in self.qkv(x).chunk(3, dim=-1))
        k = torch.cat([keys.transpose(2, 3).to(k.dtype), k], dim=2)  # (b, heads, before + t, size)
        v = torch.cat([values.to(v.dtype), v], dim=2)
        blocks = -(-t // max(self.window, 64))
        rows = -(-t // blocks)  # all blocks alike, as little as can be beyond the end
        spare = (0, 0, 0, blocks * rows - t)  # rows after the last: nothing before them sees them
        q = F.pad(q, spare).reshape(b, self.heads, blocks, rows, self.size).transpose(1, 2)
        seen = [F.pad(p, spare).unfold(2, rows + before, rows).permute(0, 2, 1, 4, 3) for p in (k, v)]
        q, past_k, past_v = (p.reshape(b * blocks, self.heads, -1, self.size) for p in (q, *seen))
        out = F.scaled_dot_product_attention(q, past_k, past_v, attn_mask=self._mask(rows).to(q.dtype))
        out = out.reshape(b, blocks, self.heads, rows, self.size).transpose(2, 3).reshape(b, -1, self.width)
        return self.out(out[:, :t]), k[:, :, t:].transpose(2, 3), v[:, :, t:]

    def _mask(self, rows: int) -> Tensor:
        """(1, heads, rows, rows + window - 1): the bias within the band, minus infinity outside it."""
        # A row of biases and as many infinities as there are rows, over and over; read in lines that are one shorter,
        # each line has it one place further to the right. No index, whose gradient would be a sum in any order.
        line = F.pad(self.bias, (0, rows), value=-torch.inf)  # (heads, window + rows)
        wide = rows + self.window - 1
        return line.repeat(1, rows)[:, : rows * wide].reshape(1, self.heads, rows, wide)
