"""What window nets share: the last row, columns in groups, bilinear normalisation, attention written out, heads.

All but the sizes is fixed: no branch on data, no Gather, nothing of a rank above 4, so that a net made of these exports
as one CoreML partition.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def last(x: Tensor) -> Tensor:
    """(b, t, d) to its newest row (b, d). ``x[:, -1]`` would export as Gather."""
    return x.narrow(1, x.shape[1] - 1, 1).reshape(-1, x.shape[2])


class Embed(nn.Module):
    """Some columns of ``patch`` rows at a time to one token each: (b, t, w) to (b, t / patch, width).

    The weights of the other columns are zeros put in place by a product of constants, which a runtime folds: picking
    columns by index would export as Gather. ``columns`` are raw ones, each taken in all its time frames (``w`` holds
    ``frames`` blocks of ``k`` columns); none means all.
    """

    select: Tensor

    def __init__(self, k: int, frames: int, columns: Sequence[int], patch: int, width: int) -> None:
        super().__init__()
        if any(not 0 <= c < k for c in columns):
            raise ValueError(f"columns {list(columns)} of a row of {k}")
        pick = [frame * k + c for frame in range(frames) for c in (columns or range(k))]
        self.patch, self.width, self.row = patch, width, k * frames
        self.register_buffer("select", torch.eye(self.row)[pick])  # (n, w)
        bound = (patch * len(pick)) ** -0.5
        self.weight = nn.Parameter(torch.empty(width, patch, len(pick)).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(width).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        whole = (self.weight @ self.select).reshape(self.width, self.patch * self.row)
        return F.linear(x.reshape(-1, x.shape[1] // self.patch, self.patch * self.row), whole, self.bias)


class BiN(nn.Module):
    """Bilinear normalisation of a window (b, t, w): a mix of each column's z-score over time and each row's z-score
    over columns, each with its own scale and shift. Tran et al. (2020), arXiv:2003.00598.

    The source clamps the two weights of the mix at zero, after which one of them is never trained again; here they are
    softplus of what is trained. It replaces deviations below 1e-4 by 1; here a little is added to the variance.
    """

    def __init__(self, rows: int, width: int, least: float = 1e-5) -> None:
        super().__init__()
        self.least = least
        half = torch.full((1,), 0.5).expm1().log()  # softplus of it is a half
        self.time, self.row = nn.Parameter(half.clone()), nn.Parameter(half.clone())
        self.time_scale, self.time_shift = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))
        self.row_scale, self.row_shift = nn.Parameter(torch.ones(rows, 1)), nn.Parameter(torch.zeros(rows, 1))

    def standard(self, x: Tensor, axis: int) -> Tensor:
        """Mean 0 and deviation 1 along ``axis``; what does not vary becomes 0."""
        apart = x - x.mean(axis, keepdim=True)
        return apart / torch.sqrt((apart * apart).mean(axis, keepdim=True) + self.least)

    def forward(self, x: Tensor) -> Tensor:
        over_time = self.standard(x, 1) * self.time_scale + self.time_shift
        over_columns = self.standard(x, 2) * self.row_scale + self.row_shift
        return F.softplus(self.time) * over_time + F.softplus(self.row) * over_columns


class Attention(nn.Module):
    """Multi-head attention of (b, q, d) over (b, t, d), written out in matrix products and a softmax: torch's own
    exports as several partitions. Vaswani et al. (2017), arXiv:1706.03762.

    Keys have no bias: it adds the same to all scores of a query, which softmax does not see.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{heads} heads do not divide a width of {width}")
        self.heads = heads
        self.q, self.k = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.v, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def split(self, x: Tensor) -> Tensor:
        """(b, t, d) to (b, heads, t, d / heads)."""
        _, t, d = x.shape
        return x.reshape(-1, t, self.heads, d // self.heads).transpose(1, 2)

    def forward(self, query: Tensor, tokens: Tensor) -> Tensor:
        q, k, v = self.split(self.q(query)), self.split(self.k(tokens)), self.split(self.v(tokens))
        score = q @ k.transpose(2, 3) * q.shape[-1] ** -0.5  # (b, heads, q, t)
        read = torch.softmax(score, dim=-1) @ v  # (b, heads, q, d / heads)
        return self.out(read.transpose(1, 2).reshape(-1, query.shape[1], query.shape[2]))


class Block(nn.Module):
    """Attention and a feed-forward layer, each added to what it read, normalised before: Xiong et al. (2020),
    arXiv:2002.04745. ``newest`` computes it for the newest token alone, which is all that a head reads of a last layer.
    """

    def __init__(self, width: int, heads: int, feed: int, dropout: float, newest: bool = False) -> None:
        super().__init__()
        self.newest = newest
        self.norm_a, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.norm_f = nn.LayerNorm(width)
        self.feed = nn.Sequential(nn.Linear(width, feed * width), nn.GELU(), nn.Linear(feed * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(b, t, d) to (b, t, d), or (b, 1, d) of the newest."""
        tokens = self.norm_a(x)
        t = x.shape[1]
        if self.newest:
            x, query = x.narrow(1, t - 1, 1), tokens.narrow(1, t - 1, 1)
        else:
            query = tokens
        x = x + self.dropout(self.attention(query, tokens))
        return x + self.dropout(self.feed(self.norm_f(x)))


class Gate(nn.Module):
    """Several readings (b, ..., d) of the same thing to one, each weighed by a gate that sees them all: the gated
    multimodal unit of Arevalo et al. (2017), arXiv:1702.01992."""

    def __init__(self, widths: Sequence[int], width: int) -> None:
        super().__init__()
        self.width = width
        self.reading = nn.ModuleList(nn.Linear(w, width) for w in widths)
        self.gate = nn.Linear(sum(widths), len(widths) * width)

    def forward(self, parts: Sequence[Tensor]) -> Tensor:
        gates = torch.split(torch.sigmoid(self.gate(torch.cat(list(parts), dim=-1))), self.width, dim=-1)
        read = [torch.tanh(layer(part)) for layer, part in zip(self.reading, parts, strict=True)]
        out = gates[0] * read[0]
        for gate, part in zip(gates[1:], read[1:], strict=True):
            out = out + gate * part
        return out


class Heads(nn.Module):
    """A small net for each target, all reading the same (b, d): logits (b, targets, classes)."""

    def __init__(self, width: int, hidden: int, targets: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.head = nn.ModuleList(
            nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, classes))
            for _ in range(targets)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([head(x).unsqueeze(1) for head in self.head], dim=1)


def groups_of(parts: int, whole: int, what: str) -> int:
    """``whole / parts``, where it divides. Raises ValueError."""
    if parts < 1 or whole % parts:
        raise ValueError(f"a window of {whole} rows does not divide into {what} of {parts}")
    return whole // parts
