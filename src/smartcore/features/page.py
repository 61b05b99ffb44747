"""The catalogue as one HTML page that fetches nothing: ``catalogue.html`` with its lines of data made anew."""

from __future__ import annotations

import json
import math
import os
import re
from pathlib import Path
from typing import Any

from smartcore import _core
from smartcore.features.catalogue import Catalogue, Kernel, Param

_PAGE = Path(__file__).with_name("catalogue.html")


def write(path: str | os.PathLike[str], catalogue: Catalogue) -> int:
    """Write the page; returns its size in bytes."""
    text = page(catalogue)
    return Path(path).write_text(text, encoding="utf-8")


def page(catalogue: Catalogue) -> str:
    """The page of a catalogue, users' own kernels included. One line a kernel, so that a difference reads."""
    columns: dict[str, list[Any]] = {kernel.name: [] for kernel in catalogue}
    for column in (*catalogue.columns, *catalogue.declared):
        columns[column.kernel.name].append([column.name, column.output, column.warmup])
    lines = [json.dumps(_plain(k) | {"columns": columns[k.name]}, ensure_ascii=False) for k in catalogue]
    data = "[\n" + ",\n".join(lines).replace("</", "<\\/") + "\n]"
    count = sum(map(len, columns.values()))
    said = f"{count} columns of {len(catalogue)} kernels, smartcore {_core.__version__}"
    text = _PAGE.read_text(encoding="utf-8")
    text = _between(text, "<script id=data type=application/json>", "</script>", f"\n{data}\n")
    return _between(text, "<p id=count>", "</p>", said)


def _between(text: str, before: str, after: str, what: str) -> str:
    found = re.search(f"{re.escape(before)}(.*?){re.escape(after)}", text, re.DOTALL)
    assert found is not None, before
    return text[: found.start(1)] + what + text[found.end(1) :]


def _plain(kernel: Kernel) -> dict[str, Any]:
    return {
        "name": kernel.name,
        "group": kernel.group,
        "family": kernel.family,
        "doc": kernel.doc,
        "source": kernel.source,
        "wakes": list(kernel.wakes),
        "params": [f"{p.name} {bounds(p)}" for p in kernel.params],
        "outputs": [[o.doc, o.unit, span(o.low, o.high)] for o in kernel.outputs],
    }


def bounds(param: Param) -> str:
    """What a parameter may be, as it stands in a name."""
    if param.names:
        return ", ".join(param.names[int(param.low) : int(param.high) + 1])
    return f"{param.text(param.low)} to {param.text(param.high)}"


def span(low: float, high: float) -> str:
    """A range in words; empty where there is none."""
    if math.isinf(low) and math.isinf(high):
        return ""
    if math.isinf(high):
        return f"≥ {low:g}"
    return f"≤ {high:g}" if math.isinf(low) else f"{low:g} to {high:g}"
