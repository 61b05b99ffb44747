"""Every kernel there is and the columns it makes by default, read from the compiled core.

A *kernel* is one formula; a *column* is a kernel with parameters and one of its outputs, such as ``rsi_14`` or
``macd_12_26_9_histogram``. Nothing here is written twice: names, meanings, units, ranges, bounds and sources come from
the metadata beside each kernel's code in ``csrc/features``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from smartcore import _core
from smartcore.errors import InvalidData, UnknownFeature

if TYPE_CHECKING:
    import pandas as pd


class Param(NamedTuple):
    """A kernel's parameter: its bounds (inclusive) and how it reads in a name ("n" 14, "l" l5, "s" 10s, "x" a name)."""

    name: str
    low: float
    high: float
    form: str
    names: tuple[str, ...] = ()

    def text(self, value: float) -> str:
        """The value as it stands in a name; ``parse`` gives exactly the value back."""
        if self.form == "x":
            return self.names[int(value)]
        if self.form == "s" and value < 1 and self.parse(text := f"{_shortest(value * 1e3)}ms") == value:
            return text
        if self.form == "s" and value >= 3600 and self.parse(text := f"{_shortest(value / 3600)}h") == value:
            return text
        return ("l" if self.form == "l" else "") + _shortest(value) + ("s" if self.form == "s" else "")

    def parse(self, text: str) -> float | None:
        """The value of a text, or None if it is not one of this form."""
        if self.form == "x":
            return float(self.names.index(text)) if text in self.names else None
        unit = {"n": "", "l": "", "s": "(ms|s|m|h)"}[self.form]
        found = re.fullmatch(("l" if self.form == "l" else "") + r"(\d+(?:\.\d+)?(?:e-?\d+)?)" + unit, text)
        if not found:
            return None
        return float(found[1]) * ({"ms": 1e-3, "s": 1, "m": 60, "h": 3600}[found[2]] if self.form == "s" else 1)


class Output(NamedTuple):
    """One number a kernel gives: its formula in words, unit and range."""

    suffix: str
    doc: str
    unit: str
    low: float
    high: float


class Fitted(NamedTuple):
    """A number that was fitted to data: what ships, and the bounds (inclusive) of what may stand in its place."""

    name: str
    value: float
    low: float
    high: float


class Kernel(NamedTuple):
    """One formula. ``wakes``: the events it listens to; ``defaults``: the parameter sets of its default columns;
    ``fitted``: the numbers in it that came from data."""

    number: int
    name: str
    doc: str
    family: str
    group: str
    source: str
    version: int
    wakes: tuple[str, ...]
    params: tuple[Param, ...]
    outputs: tuple[Output, ...]
    defaults: tuple[tuple[float, ...], ...]
    names: tuple[str, ...] = ()
    """Of the columns of a user's own kernel, which chooses them freely; it has no defaults."""
    fitted: tuple[Fitted, ...] = ()

    def numbers(self, given: Any) -> tuple[float, ...]:
        """Fitted numbers, checked: of an object with ``numbers()``, by name (others stay as shipped) or all in order.
        Empty if they are those that ship. Raises InvalidData."""
        shipped = {f.name: f.value for f in self.fitted}
        given = given.numbers() if hasattr(given, "numbers") else given
        if isinstance(given, Mapping):
            if unknown := set(given) - set(shipped):
                raise InvalidData(
                    f"{self.name} has no fitted {', '.join(sorted(unknown))}; it has {', '.join(shipped)}"
                )
            given = list({**shipped, **given}.values())
        try:
            values = tuple(float(x) for x in given)
        except (TypeError, ValueError) as error:
            raise InvalidData(f"{self.name}: fitted numbers are numbers: {error}") from None
        if len(values) != len(self.fitted):
            raise InvalidData(f"{self.name} has {len(self.fitted)} fitted numbers, not {len(values)}")
        for f, value in zip(self.fitted, values, strict=True):
            if not f.low <= value <= f.high:
                raise InvalidData(f"{self.name}: {f.name} = {value:g} is not within {f.low:g}..{f.high:g}")
        if fault := _core.fault_of_fitted(self.number, list(values)):
            raise InvalidData(f"{self.name}: {fault}")
        return () if values == tuple(shipped.values()) else values

    def warmup(self, params: Sequence[float]) -> int:
        """How many of the events that wake it pass before its first value, on ordinary data."""
        return _core.warmup(self.number, list(params))

    def column(self, params: Sequence[float], output: int) -> Column:
        if self.names:
            return Column(self.names[output], self, (), output)
        parts = [self.name, *(p.text(v) for p, v in zip(self.params, params, strict=True)), self.outputs[output].suffix]
        return Column("_".join(part for part in parts if part), self, tuple(float(v) for v in params), output)


class Column(NamedTuple):
    """A kernel with parameters and one of its outputs."""

    name: str
    kernel: Kernel
    params: tuple[float, ...]
    output: int

    @property
    def meaning(self) -> Output:
        return self.kernel.outputs[self.output]

    @property
    def warmup(self) -> int:
        return self.kernel.warmup(self.params)


class Catalogue(Sequence[Kernel]):
    """All kernels in order. ``columns`` are the default columns, ``declared`` those of users' own kernels;
    ``to_pandas()`` is the whole as a table."""

    def __init__(self, kernels: Sequence[Kernel]) -> None:
        self._kernels = tuple(kernels)
        self._by_name = {k.name: k for k in self._kernels}
        self._declared: dict[str, Column] = {}

    def __len__(self) -> int:
        return len(self._kernels)

    def __getitem__(self, at: Any) -> Any:
        return self.kernel(at) if isinstance(at, str) else self._kernels[at]

    def __iter__(self) -> Iterator[Kernel]:
        return iter(self._kernels)

    def __repr__(self) -> str:
        groups: dict[str, int] = {}
        for column in (*self.columns, *self.declared):
            groups[column.kernel.group] = groups.get(column.kernel.group, 0) + 1
        parts = ", ".join(f"{group} {n}" for group, n in groups.items())
        return f"<Catalogue: {len(self)} kernels, {len(self.columns)} default columns ({parts})>"

    def _declare(self, kernel: Kernel) -> None:
        self._forget(kernel.name)
        self._by_name[kernel.name] = kernel
        self._kernels = (*self._kernels, kernel)
        self._declared |= {name: kernel.column((), i) for i, name in enumerate(kernel.names)}

    def _forget(self, name: str) -> None:
        self._by_name.pop(name, None)
        self._kernels = tuple(k for k in self._kernels if k.name != name)
        self._declared = {n: c for n, c in self._declared.items() if c.kernel.name != name}

    @property
    def declared(self) -> tuple[Column, ...]:
        """The columns of users' own kernels."""
        return tuple(self._declared.values())

    @functools.cached_property
    def _usual(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    @functools.cached_property
    def columns(self) -> tuple[Column, ...]:
        """The default columns, kernel by kernel, parameter set by parameter set."""
        return tuple(
            kernel.column(params, output)
            for kernel in self
            for params in kernel.defaults
            for output in range(len(kernel.outputs))
        )

    @property
    def groups(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(kernel.group for kernel in self))

    @property
    def families(self) -> tuple[str, ...]:
        """The files of ``csrc/features`` that hold the kernels."""
        return tuple(dict.fromkeys(kernel.family for kernel in self))

    def kernel(self, name: str) -> Kernel:
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownFeature(f"no kernel {name!r}{self._near(name, self._by_name)}") from None

    def column(self, name: str) -> Column:
        """The column of a name like ``rsi_21`` or ``ofi_l3_250ms``, with any parameters within bounds.

        Raises UnknownFeature, naming what was wrong and what comes near.
        """
        if name in self._declared:
            return self._declared[name]
        usual = self._usual.get(name)
        if usual and self._by_name.get(usual.kernel.name) is usual.kernel:
            return usual
        words = name.split("_")
        for n in range(len(words), 0, -1):
            kernel = self._by_name.get("_".join(words[:n]))
            if kernel and not kernel.names and (column := self._parse(kernel, name, words[n:])):
                return column
        known = [c.name for c in (*self.columns, *self.declared)]
        raise UnknownFeature(f"no column {name!r}{self._near(name, known)}")

    def _parse(self, kernel: Kernel, name: str, words: list[str]) -> Column | None:
        params = []
        for param in kernel.params:
            # One word a value, but a name out of a list may have several.
            most = max((n.count("_") + 1 for n in param.names), default=1)
            for n in range(min(most, len(words)), 0, -1):
                value = param.parse("_".join(words[:n]))
                if value is not None:
                    break
            else:
                return None
            params.append(value)
            words = words[n:]
        suffix = "_".join(words)
        outputs = [i for i, o in enumerate(kernel.outputs) if o.suffix == suffix]
        if not outputs or (words and not suffix):
            return None
        for param, value in zip(kernel.params, params, strict=True):
            if not param.low <= value <= param.high or (param.form != "s" and is_fraction(param, value)):
                raise UnknownFeature(f"{name!r}: {param.name} = {value:g} is not within {param.low:g}..{param.high:g}")
        return kernel.column(params, outputs[0])

    @staticmethod
    def _near(name: str, among: Any) -> str:
        import difflib

        near = difflib.get_close_matches(name, list(among), n=3, cutoff=0.5)
        return f"; near: {', '.join(near)}" if near else "; smartcore.catalogue() lists them all"

    def to_pandas(self) -> pd.DataFrame:
        """The default columns as a table: one row a column."""
        import pandas as pd

        return pd.DataFrame(self.to_dicts()).set_index("column")

    def to_dicts(self) -> list[dict[str, Any]]:
        """The default columns as plain records, for JSON."""
        return [
            {
                "column": c.name,
                "kernel": c.kernel.name,
                "group": c.kernel.group,
                "family": c.kernel.family,
                "meaning": c.kernel.doc,
                "formula": c.meaning.doc,
                "unit": c.meaning.unit,
                "low": c.meaning.low if abs(c.meaning.low) != float("inf") else None,
                "high": c.meaning.high if abs(c.meaning.high) != float("inf") else None,
                "wakes": list(c.kernel.wakes),
                "warmup": c.warmup,
                "source": c.kernel.source,
                "version": c.kernel.version,
            }
            for c in (*self.columns, *self.declared)
        ]


def _shortest(value: float) -> str:
    """The fewest digits that read back as the same float."""
    return repr(value).removesuffix(".0")


def is_fraction(param: Param, value: float) -> bool:
    """Whether a count got a fraction. A lower bound that is itself a fraction marks a real number (a band's width)."""
    return float(param.low).is_integer() and not float(value).is_integer()


@functools.cache
def catalogue() -> Catalogue:
    """Every kernel and default column of the compiled core."""
    return Catalogue(
        [
            Kernel(
                number=i,
                name=d["name"],
                doc=d["doc"],
                family=d["family"],
                group=d["group"],
                source=d["source"],
                version=d["version"],
                wakes=tuple(d["wakes"].split(",")),
                params=tuple(Param(**p) for p in d["params"]),
                outputs=tuple(Output(**o) for o in d["outputs"]),
                defaults=tuple(d["defaults"]),
                fitted=tuple(Fitted(**f) for f in d["fitted"]),
            )
            for i, d in enumerate(_core.catalogue())
        ]
    )
