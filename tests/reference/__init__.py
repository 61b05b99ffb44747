"""Naive twins: one plain NumPy function per kernel, under the kernel's own name, written from its definition.

A twin recomputes every window from scratch and keeps no state, so that it is obviously right and as slow as it
likes. It returns an array (n,) or (n, outputs) with one row per event that wakes the kernel, NaN where the value is
not known.

    @twin(events="bar")                    # takes a structured array of dtype BAR and the kernel's parameters
    def rsi(bars, window): ...

    @twin(events="trade")                  # also "book": takes a `Tape` and the kernel's parameters
    def kyle(tape, window): ...

`TWINS` maps a kernel's name to its twin, `TRAITS` to what the laws must know of it. A test fails for a kernel without
a twin.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Traits:
    """What a kernel is by definition, where that is not what most are. Each needs its reason beside the twin."""

    events: str = "bar"
    decay: Callable[..., float] | None = None
    """Of its parameters: the share of the past that is left after a bar, where a kernel never forgets (a recursive
    average). Windows forget to the last bit."""
    behind: Callable[..., float] | None = None
    """Of its parameters: bars of a window that stands behind the recursive average."""
    forgets: Callable[..., float] | None = None
    """Of its parameters: bars after which nothing is left of another past, where the data decide when (stops that turn,
    averages whose speed is the market's). Measured, on the bars of the test."""
    level: float = 1e-11
    """The error it may have at a price of 1e8 that moves by ticks of 0.01."""
    writes: tuple[str, ...] | None = None
    """The events that give it new values, where others wake it only to let time pass."""
    needs_book: bool = False
    """Not a feature of the book, yet unknown while the book is."""
    needs_moves: bool = False
    """Unknown where prices stand, beyond its warm-up."""
    slack: tuple[float, float] = (1, 1)
    """First known within these multiples of its warm-up, where the warm-up is "about"."""
    sparse: tuple[str, ...] = ()
    """Streams of test_book_features in which it is hardly ever known."""
    usual: float = 1.0
    """A usual value: what is smaller is compared by its absolute error."""
    compare: Callable[[Any], Any] = np.asarray
    """Applied to both before they are compared."""


TWINS: dict[str, Callable[..., Any]] = {}
TRAITS: dict[str, Traits] = defaultdict(Traits)


def twin(
    events: str = "bar", name: str | None = None, **traits: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enters the function into `TWINS` under its own name (or `name`); `events` says what it takes, `traits` are those
    of `Traits`."""

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        kernel = name or function.__name__
        if kernel in TWINS:
            raise ValueError(f"two twins for {kernel}")
        TWINS[kernel] = function
        TRAITS[kernel] = Traits(events, **traits)
        return function

    return enter


# Every module beside this one is a family of twins and fills the registry when it is imported.
for _path in sorted(Path(__file__).parent.glob("*.py")):
    if _path.stem != "__init__":
        import_module(f"{__name__}.{_path.stem}")
