"""An ordered list of columns with a fingerprint: what an engine computes and what a model was trained on."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from smartcore.errors import UnknownFeature
from smartcore.features.catalogue import Column, catalogue


class FeatureSet:
    """``FeatureSet(["rsi_14", "ofi_l5_10s"])``, ``FeatureSet.default()``, ``FeatureSet.default().group("technical")``.

    Immutable, hashable, comparable by fingerprint. Raises UnknownFeature for a name the catalogue does not have or one
    given twice.

    fitted: numbers that stand for those a kernel ships, ``{"hmm": smartcore.learn.regime.fit_hmm(...)}``; also by name
    or as an array. Raises InvalidData where they cannot be.
    """

    __slots__ = ("__dict__", "columns")

    columns: tuple[str, ...]

    def __init__(self, columns: Iterable[str], *, fitted: Mapping[str, Any] | None = None) -> None:
        if isinstance(columns, str):
            raise UnknownFeature(f"a feature set takes a list of names, not the one text {columns!r}")
        names = list(columns)
        specs = tuple(catalogue().column(name) for name in names)
        self.columns = tuple(spec.name for spec in specs)
        twice = {name for name, n in Counter(self.columns).items() if n > 1}
        if twice:
            raise UnknownFeature(f"given twice: {', '.join(sorted(twice))}")
        self.__dict__["specs"] = specs
        kernels = {spec.kernel.name: spec.kernel for spec in specs}
        if idle := set(fitted or {}) - {name for name, kernel in kernels.items() if kernel.fitted}:
            raise UnknownFeature(f"fitted numbers for {', '.join(sorted(idle))}, which no column here takes")
        own = {name: kernels[name].numbers(given) for name, given in (fitted or {}).items()}
        self.__dict__["fitted"] = {name: numbers for name, numbers in sorted(own.items()) if numbers}

    @property
    def fitted(self) -> dict[str, tuple[float, ...]]:
        """Fitted numbers that differ from those that ship, by kernel."""
        return self.__dict__["fitted"]

    def _of(self, specs: Iterable[Column]) -> FeatureSet:
        kept = list(specs)
        kernels = {c.kernel.name for c in kept}
        return FeatureSet((c.name for c in kept), fitted={k: v for k, v in self.fitted.items() if k in kernels})

    @property
    def specs(self) -> tuple[Column, ...]:
        """The columns with their kernels and parameters."""
        return self.__dict__["specs"]

    @staticmethod
    @functools.cache
    def default() -> FeatureSet:
        """Every default column of the catalogue."""
        return FeatureSet(c.name for c in catalogue().columns)

    def group(self, *names: str) -> FeatureSet:
        """The columns of some groups or families, in the same order: ``.group("technical", "book")``."""
        unknown = set(names) - set(catalogue().groups) - set(catalogue().families)
        if unknown:
            raise UnknownFeature(
                f"no group or family {', '.join(sorted(unknown))}; groups are {', '.join(catalogue().groups)}; "
                f"families are {', '.join(catalogue().families)}"
            )
        return self._of(c for c in self.specs if c.kernel.group in names or c.kernel.family in names)

    def select(self, columns: Iterable[str]) -> FeatureSet:
        """Some of these columns, in the order given, with the fitted numbers they have here."""
        return self._of(FeatureSet(columns).specs)

    def wakes(self, *kinds: str) -> FeatureSet:
        """The columns that listen to some kinds of event: ``.wakes("bar")``."""
        return self._of(c for c in self.specs if set(c.kernel.wakes) & set(kinds))

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hex digest of names, parameters, versions and fitted numbers, in order: equal only if every number means the
        same."""
        import hashlib

        digest = hashlib.sha256()
        for c in self.specs:
            own = f"|{self.fitted[c.kernel.name]}" if c.kernel.name in self.fitted else ""
            digest.update(f"{c.name}|{c.kernel.name}|{c.params}|{c.output}|{c.kernel.version}{own}\n".encode())
        return digest.hexdigest()[:32]

    def index(self, column: str) -> int:
        """Where a column stands in the row; UnknownFeature if it does not."""
        try:
            return self._places[column]
        except KeyError:
            raise UnknownFeature(f"column {column!r} is not in this feature set of {len(self)}") from None

    @functools.cached_property
    def _places(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.columns)}

    def __len__(self) -> int:
        return len(self.columns)

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __contains__(self, column: object) -> bool:
        return column in self._places

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FeatureSet) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        return f"<FeatureSet of {len(self)} columns, {self.fingerprint[:8]}>"
