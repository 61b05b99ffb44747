"""The records of ``csrc/decide`` as Python reads and writes their bytes: ``struct`` formats made from their dtypes."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from struct import Struct
from typing import Any

import numpy as np

_CODES = {"f8": "d", "i8": "q", "i4": "i", "u4": "I", "u2": "H", "u1": "B"}


def reader(dtype: np.dtype[Any], names: Iterable[str], start: int = 0, whole: bool = False) -> tuple[Struct, list[int]]:
    """What reads these fields, and how many numbers each has.

    names: in the order in which they lie in the record; others are skipped. start: where in the bytes the record
    begins.
    whole: the format is as long as the record, as for writing one.
    """
    code, at, widths = "=", 0, []
    for name in names:
        sub, offset = dtype.fields[name][:2]  # type: ignore[index]
        base, shape = sub.subdtype or (sub, ())
        count, begin = prod(shape), start + offset
        code += f"{begin - at}x{count}{_CODES[base.str[1:]]}"
        at = begin + count * base.itemsize
        widths.append(count)
    if whole:
        code += f"{start + dtype.itemsize - at}x"
    return Struct(code), widths
