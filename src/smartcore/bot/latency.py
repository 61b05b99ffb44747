"""How long things take, kept in a histogram of fixed size: recording costs nanoseconds in the loop and no memory.

The bins are those of HdrHistogram: 64 to an octave, so a quantile is right to 0.8 % whatever the range.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_BITS = 6
_SUB = 1 << _BITS
_HEAD = 4
_OCTAVES = 31
_MOST = (1 << (_OCTAVES + _BITS)) - 1
"""Longer times (137 s) count as this long; ``max`` stays exact."""


class Latency:
    """A histogram of durations in nanoseconds. For one thread.

    memory: int64 that it is kept in (count, sum, longest, shortest, then the bins), such as the loop's own
    (``csrc/bot/latency.hpp``), where it is not to have its own.
    """

    __slots__ = ("_bins", "_memory")

    def __init__(self, memory: NDArray[np.int64] | None = None) -> None:
        self._memory = np.zeros(_HEAD + _SUB * (_OCTAVES + 1), np.int64) if memory is None else memory
        self._bins = self._memory[_HEAD:]
        if memory is None:
            self.reset()

    def reset(self) -> None:
        """Forget everything recorded."""
        self._memory[...] = 0
        self._memory[3] = _MOST

    @property
    def count(self) -> int:
        return int(self._memory[0])

    @property
    def total(self) -> int:
        """Sum of all, ns."""
        return int(self._memory[1])

    @property
    def max(self) -> int:
        return int(self._memory[2])

    @property
    def min(self) -> int:
        return int(self._memory[3])

    def record(self, ns: int) -> None:
        """One duration; below 0, which a clock may give, counts as 0."""
        shift = ns.bit_length() - _BITS - 1
        if ns < _SUB:
            bin = max(ns, 0)
        else:
            bin = len(self._bins) - 1 if ns > _MOST else (shift << _BITS) + (ns >> shift)
        self._bins[bin] += 1
        self._memory[:4] = self.count + 1, self.total + ns, max(self.max, ns), min(self.min, max(ns, 0))

    def quantile(self, q: float) -> float:
        """Nanoseconds that a share ``q`` (0 to 1) of the durations did not exceed; NaN where there are none."""
        if not 0.0 <= q <= 1.0:
            raise ValueError(f"q: {q!r} is not from 0 to 1")
        if not self.count:
            return float("nan")
        wanted = q * self.count
        seen = 0
        for i, n in enumerate(self._bins.tolist()):
            seen += n
            if n and seen >= wanted:
                low, high = _edges(i)
                return float(min(max((low + high - 1) / 2, self.min), self.max))
        return float(self.max)

    @property
    def mean(self) -> float:
        """Nanoseconds; NaN where there are none."""
        return self.total / self.count if self.count else float("nan")

    def bins(self, per_octave: int = 8) -> list[tuple[int, int, int]]:
        """(low, high, count) from the first bin that is not empty to the last, ``per_octave`` (a power of two up to
        64) of them to a doubling; durations in [low, high) ns."""
        if per_octave not in (1, 2, 4, 8, 16, 32, 64):
            raise ValueError(f"per_octave: {per_octave!r} is no power of two from 1 to 64")
        step = _SUB // per_octave
        out = [
            (_edges(i)[0], _edges(i + step - 1)[1], int(self._bins[i : i + step].sum()))
            for i in range(0, len(self._bins), step)
        ]
        full = [i for i, bin in enumerate(out) if bin[2]]
        return out[full[0] : full[-1] + 1] if full else []

    def summary(self) -> dict[str, Any]:
        """Count and microseconds of the usual quantiles, None where nothing was recorded."""
        if not self.count:
            return {"count": 0, "p50_us": None, "p99_us": None, "p99.9_us": None, "max_us": None, "mean_us": None}
        us = {f"p{p:g}_us": round(self.quantile(p / 100) / 1e3, 2) for p in (50, 99, 99.9)}
        return {"count": self.count, **us, "max_us": round(self.max / 1e3, 2), "mean_us": round(self.mean / 1e3, 2)}

    def __repr__(self) -> str:
        s = self.summary()
        return f"<Latency of {s['count']}: p50 {s['p50_us']} us, p99 {s['p99_us']} us, p99.9 {s['p99.9_us']} us>"


def _edges(i: int) -> tuple[int, int]:
    shift = max(0, (i >> _BITS) - 1)
    return (i - (shift << _BITS)) << shift, (i + 1 - (shift << _BITS)) << shift
