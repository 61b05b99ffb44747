"""Naive twins: one plain NumPy function per kernel, under the kernel's own name, written from its definition.

A twin recomputes every window from scratch and keeps no state, so that it is obviously right and as slow as it
likes. It returns an array (n,) or (n, outputs) with one row per event that wakes the kernel, NaN where the value is
not known.

    @twin(events="bar")                    # takes a structured array of dtype BAR and the kernel's parameters
    def rsi(bars, window): ...

    @twin(events="trade")                  # also "book": takes a `Tape` and the kernel's parameters
    def kyle(tape, window): ...

`TWINS` maps a kernel's name to its twin and `EVENTS` to what it is fed with. A test fails for a kernel without one.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

TWINS: dict[str, Callable[..., Any]] = {}
EVENTS: dict[str, str] = {}


def twin(events: str = "bar", name: str | None = None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enters the function into `TWINS` under its own name (or `name`); `events` says what it takes."""

    def enter(function: Callable[..., Any]) -> Callable[..., Any]:
        kernel = name or function.__name__
        if kernel in TWINS:
            raise ValueError(f"two twins for {kernel}")
        TWINS[kernel] = function
        EVENTS[kernel] = events
        return function

    return enter


# Every module beside this one is a family of twins and fills the registry when it is imported.
for _path in sorted(Path(__file__).parent.glob("*.py")):
    if _path.stem != "__init__":
        import_module(f"{__name__}.{_path.stem}")
