"""Records as bytes, and what their bytes mean: written into each run of a journal, so that a journal stays readable
after a record has got another field.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from smartcore import _core

Layouts = Mapping[str, "np.dtype[np.void]"]
CURRENT: Layouts = {
    name: getattr(_core, name) for name in ("DECISION", "CONTEXT", "GIVEN", "SCORECARD", "POLICY", "INPUTS")
}
"""Of the records that this version makes."""


def _describe(dtype: np.dtype[Any]) -> Any:
    if dtype.subdtype is not None:
        return {"of": _describe(dtype.subdtype[0]), "shape": dtype.subdtype[1]}
    if dtype.fields is None:
        return dtype.str
    names = dtype.names or ()
    return {"size": dtype.itemsize, "fields": [[n, dtype.fields[n][1], _describe(dtype.fields[n][0])] for n in names]}


def _made(description: Any) -> np.dtype[Any]:
    if isinstance(description, str):
        return np.dtype(description)
    if "of" in description:
        return np.dtype((_made(description["of"]), tuple(description["shape"])))
    fields = description["fields"]
    return np.dtype({
        "names": [name for name, _, _ in fields],
        "formats": [_made(inner) for _, _, inner in fields],
        "offsets": [offset for _, offset, _ in fields],
        "itemsize": description["size"],
    })  # fmt: skip


def to_json(layouts: Layouts) -> str:
    """As a run keeps them."""
    return json.dumps({name: _describe(dtype) for name, dtype in layouts.items()}, separators=(",", ":"))


def from_json(text: str) -> Layouts:
    """What :func:`to_json` gave; those that are what this version makes are its own. ValueError, KeyError, TypeError
    for what it never gives."""
    layouts = {name: _made(description) for name, description in json.loads(text).items()}
    return {name: CURRENT[name] if CURRENT.get(name) == dtype else dtype for name, dtype in layouts.items()}


def convert(record: bytes, name: str, layouts: Layouts) -> bytes:
    """The record as this version has it: fields by name; one that it did not have is NaN, or 0, or no column (-1)."""
    there, here = layouts[name], CURRENT[name]
    if there is here:
        return record
    out = np.full((), -1, here) if name == "INPUTS" else np.zeros((), here)
    _unknown(out)
    _copy(np.frombuffer(record, there, 1)[0], out)
    return out.tobytes()


def _unknown(to: Any) -> None:
    for name in to.dtype.names:
        dtype = to.dtype[name]
        base = dtype.base
        if base.fields is not None:
            for inner in to[name].reshape(-1):
                _unknown(inner)
        elif base.kind == "f":
            to[name] = np.nan


def _copy(old: Any, to: Any) -> None:
    for name in to.dtype.names:
        if name not in (old.dtype.names or ()):
            continue
        value, place = old[name], to.dtype[name]
        if place.base.fields is not None and place.shape:
            for one, other in zip(value.reshape(-1), to[name].reshape(-1), strict=False):
                _copy(one, other)
        elif place.base.fields is not None:
            _copy(value, to[name])
        elif place.shape:
            n = tuple(slice(0, min(a, b)) for a, b in zip(value.shape, place.shape, strict=True))
            to[name][n] = value[n]
        else:
            to[name] = value


def plain(record: Any) -> Any:
    """A record as JSON's own types: a number that is not known is None, bytes that fill it up are left out."""
    if isinstance(record, np.ndarray):
        return [plain(item) for item in record]
    if record.dtype.names:
        return {name: plain(record[name]) for name in record.dtype.names if name != "unused"}
    value = record.item()
    return value if not isinstance(value, float) or value - value == 0 else None
