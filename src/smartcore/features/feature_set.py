"""An ordered list of columns with a fingerprint: what an engine computes and what a model was trained on."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator

from smartcore.errors import UnknownFeature
from smartcore.features.catalogue import Column, catalogue


class FeatureSet:
    """``FeatureSet(["rsi_14", "ofi_l5_10s"])``, ``FeatureSet.default()``, ``FeatureSet.default().group("technical")``.

    Immutable, hashable, comparable by fingerprint. Raises UnknownFeature for a name the catalogue does not have or one
    given twice.
    """

    __slots__ = ("__dict__", "columns")

    columns: tuple[str, ...]

    def __init__(self, columns: Iterable[str]) -> None:
        if isinstance(columns, str):
            raise UnknownFeature(f"a feature set takes a list of names, not the one text {columns!r}")
        names = list(columns)
        specs = tuple(catalogue().column(name) for name in names)
        self.columns = tuple(spec.name for spec in specs)
        twice = {name for name in self.columns if self.columns.count(name) > 1}
        if twice:
            raise UnknownFeature(f"given twice: {', '.join(sorted(twice))}")
        self.__dict__["specs"] = specs

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
        return FeatureSet(c.name for c in self.specs if c.kernel.group in names or c.kernel.family in names)

    def wakes(self, *kinds: str) -> FeatureSet:
        """The columns that listen to some kinds of event: ``.wakes("bar")``."""
        return FeatureSet(c.name for c in self.specs if set(c.kernel.wakes) & set(kinds))

    @functools.cached_property
    def fingerprint(self) -> str:
        """Hex digest of names, parameters and kernel versions, in order: equal only if every number means the same."""
        import hashlib

        digest = hashlib.sha256()
        for c in self.specs:
            digest.update(f"{c.name}|{c.kernel.name}|{c.params}|{c.output}|{c.kernel.version}\n".encode())
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
