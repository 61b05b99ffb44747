"""What a model file promises: the columns it reads, what its scores mean, how it was made, and one example to
check it by.

The contract travels inside the ONNX file as ``metadata_props``: one key per field, prefixed ``smartcore.``,
each holding JSON (a missing value is ``null``, for JSON has no NaN). onnxruntime returns it with
``session.get_modelmeta()``, so a reader needs neither the onnx package nor this one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartcore.errors import ContractMismatch

CLASSES = ("down", "flat", "up")
PREFIX = "smartcore."
LAYOUT = 1
"""Version of this layout. A file of a later one is refused, not guessed at."""
CACHE_KEY = "COREML_CACHE_KEY"
"""The key under which onnxruntime's CoreML provider caches a compiled model; it does not notice a changed
file by itself.
"""


@dataclass(frozen=True, slots=True)
class State:
    """A tensor the caller carries from one step to the next: graph input, graph output, shape of one instrument's,
    (1, ...); zeros at the start. What it holds is the net's business: a recurrent state, keys and values, a window.
    """

    input: str
    output: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Golden:
    """Rows fed in order from a fresh state, and the scores the exported file gave: re-run whenever the file is loaded.

    ``rows`` is float32 (n, columns) and holds unknown values too; ``scores`` is float32 (n, classes).
    """

    rows: NDArray[np.float32]
    scores: NDArray[np.float32]
    tolerance: float = 1e-4
    """Largest absolute difference of a probability. Instruction sets differ by about 1e-6; a wrong graph by
    1e-2 and more.
    """

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Golden):
            return NotImplemented
        return (
            np.array_equal(self.rows, other.rows, equal_nan=True)
            and np.array_equal(self.scores, other.scores)
            and self.tolerance == other.tolerance
        )


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the training rows looked like, by which a row is known to be unlike them (``learn.data.inputs`` fits it)."""

    median: tuple[float, ...]
    """Of each column's known values."""
    scale: tuple[float, ...]
    """A robust deviation of each: 0.741 interquartile ranges, that of a normal; the plain one where half the values
    are alike; 0 for a column that never moved, which then is left out."""
    far: float
    """Distance of the training rows at their 99 % quantile: the root mean square over a row's known columns of
    their deviations from the median in scales, each at most 10."""

    @property
    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Medians and scales, NaN where a column is left out."""
        scale = np.array(self.scale, np.float32)
        return np.array(self.median, np.float32), np.where(scale > 0, scale, np.float32(np.nan))


@dataclass(frozen=True, slots=True)
class Contract:
    """Everything a caller may rely on about one model file."""

    name: str
    kind: str
    """What it is, as ``smartcore.learn`` names it: "gru", "tcn", "lightgbm", "stacking" ..."""
    columns: tuple[str, ...]
    """The columns of a feature set that the model reads, in the order of its input."""
    fingerprint: str
    """``FeatureSet(columns).fingerprint`` of the engine it was trained with: names, parameters and kernel versions."""
    sample: str
    """Which moments were rows in training, as in ``Engine.run(sample=...)``: "1s", "bar". Step it at that pace."""
    bars: str | None
    """How bars were made in training, as in ``Engine(bars=...)``; None where they came as events."""
    horizon: str
    """How far ahead the scores look, "10s"; of ``horizons``, the one that decides."""
    label: str
    """The label rule in words."""
    thresholds: tuple[float, float] | None = None
    """Log returns below which a move was "down" and above which it was "up"; None for another kind of label."""
    states: tuple[State, ...] = ()
    warm_up: int = 0
    """Steps after a reset before the scores are to be trusted."""
    classes: tuple[str, ...] = CLASSES
    calibration: Mapping[str, Any] = field(default_factory=dict)
    """Already inside the graph; here for the record: ``{"method": "temperature", "temperature": 1.1}``."""
    missing: str = ""
    """What the graph does with an unknown (NaN) value."""
    trained_on: Mapping[str, Any] = field(default_factory=dict)
    """What it learned from, plain JSON. Always ``data`` (what it is, in words), ``rows`` (how many) and ``rows_hash``
    (``learn.data.digest`` of the training rows); of recorded data also ``period``: first and last moment, ISO 8601 in
    UTC, ``["2025-01-01T00:00:00+00:00", "2025-06-30T23:59:00+00:00"]``. The rest is the recipe's.
    """
    metrics: Mapping[str, Any] = field(default_factory=dict)
    created_with: Mapping[str, str] = field(default_factory=dict)
    golden: Golden | None = None
    horizons: tuple[str, ...] = ()
    """Where one net answers for several: all of them, ``horizon`` too. The graph then has a second output,
    "scores_all" (1, horizons, classes), in this order. Empty: ``horizon`` alone.
    """
    dynamic: bool = False
    """The first dimension of every input and output is free, so that one call steps many instruments
    (``Model.batch``). False: it is 1, which CoreML needs.
    """
    inputs: Inputs | None = None
    """Of the training rows; None where the file does not tell. ``Model.novelty`` is measured against it."""
    version: int = LAYOUT
    cache_key: str = ""

    @property
    def width(self) -> int:
        """How many columns the model reads."""
        return len(self.columns)

    def to_metadata(self) -> dict[str, str]:
        """The ``metadata_props`` of the ONNX file."""
        out: dict[str, str] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name == "cache_key":
                if value:
                    out[CACHE_KEY] = value
            elif f.name == "states":
                out[PREFIX + f.name] = _dump([[s.input, s.output, list(s.shape)] for s in value])
            elif f.name == "inputs":
                if value is not None:
                    out[PREFIX + f.name] = _dump([value.median, value.scale, value.far])
            elif f.name == "golden":
                out[PREFIX + f.name] = _dump(None if value is None else [value.rows, value.scores, value.tolerance])
            else:
                out[PREFIX + f.name] = _dump(value)
        return out

    @classmethod
    def from_metadata(cls, props: Mapping[str, str]) -> Contract:
        """Read back what :meth:`to_metadata` wrote. Raises ContractMismatch where it is absent, damaged or of
        a later layout.
        """
        if PREFIX + "version" not in props:
            raise ContractMismatch(
                f"no smartcore contract in this file: its metadata has no {PREFIX}version "
                f"(keys: {', '.join(sorted(props)) or 'none'}); write it with smartcore.learn.export"
            )
        try:
            raw = {
                key[len(PREFIX) :]: json.loads(text, parse_constant=_refuse)
                for key, text in props.items()
                if key.startswith(PREFIX)
            }
            if raw["version"] > LAYOUT:
                raise ContractMismatch(
                    f"contract layout {raw['version']} is newer than {LAYOUT}, the newest known here"
                )
            values: dict[str, Any] = {f.name: raw[f.name] for f in fields(cls) if f.name in raw}
            for name in {"columns", "classes", "horizons"} & values.keys():
                values[name] = tuple(values[name])
            if values.get("thresholds") is not None:
                values["thresholds"] = tuple(values["thresholds"])
            values["states"] = tuple(State(i, o, tuple(shape)) for i, o, shape in values["states"])
            if values["golden"] is not None:
                rows, scores, tolerance = values["golden"]
                values["golden"] = Golden(np.array(rows, np.float32), np.array(scores, np.float32), tolerance)
            if values.get("inputs") is not None:
                median, scale, far = values["inputs"]
                values["inputs"] = Inputs(tuple(median), tuple(scale), far)
            contract = cls(**values, cache_key=props.get(CACHE_KEY, ""))
            contract._check()
            return contract
        except ContractMismatch:
            raise
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise ContractMismatch(f"damaged smartcore contract: {type(error).__name__}: {error}") from error

    def _check(self) -> None:
        """That what was read is of the kind it is said to be; raises ValueError."""
        words = ("name", "kind", "fingerprint", "sample", "horizon", "label", "missing")
        lists = ("columns", "classes", "horizons")
        tables = ("calibration", "trained_on", "metrics", "created_with")
        good = {
            **{name: isinstance(getattr(self, name), str) for name in words},
            **{name: all(isinstance(word, str) for word in getattr(self, name)) for name in lists},
            **{name: isinstance(getattr(self, name), Mapping) for name in tables},
        }
        good["columns"] &= len(set(self.columns)) == self.width > 0
        good["classes"] &= len(self.classes) > 1
        good["horizons"] &= not self.horizons or self.horizon in self.horizons
        good["bars"] = self.bars is None or isinstance(self.bars, str)
        good["thresholds"] = self.thresholds is None or [_number(t) for t in self.thresholds] == [True, True]
        good["states"] = all(
            isinstance(s.input, str) and isinstance(s.output, str) and s.shape[0] == 1 and all(map(_count, s.shape))
            for s in self.states
        )
        good["warm_up"] = self.warm_up == 0 or _count(self.warm_up)
        good["version"] = _count(self.version)
        good["dynamic"] = isinstance(self.dynamic, bool)
        g = self.golden
        good["golden"] = g is None or (
            len(g.rows) > 0
            and g.rows.shape == (len(g.rows), self.width)
            and g.scores.shape == (len(g.rows), len(self.classes))
            and bool(np.isfinite(g.scores).all())
            and _number(g.tolerance)
        )
        i = self.inputs
        good["inputs"] = i is None or (
            len(i.median) == len(i.scale) == self.width
            and all(map(_number, i.median))
            and all(_number(x) and x >= 0 for x in i.scale)
            and _number(i.far)
            and i.far > 0
        )
        bad = [name for name, fine in good.items() if not fine]
        if bad:
            raise ValueError(f"what it says of {', '.join(bad)} cannot be")


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _dump(value: object) -> str:
    return json.dumps(_plain(value), allow_nan=False, separators=(",", ":"))


def _plain(value: object) -> object:
    """JSON's own types: arrays become lists of the shortest decimals that read back to the same float32, NaN
    becomes null.
    """
    if isinstance(value, np.ndarray):
        return [_plain(v) for v in value]
    if isinstance(value, np.float32):
        return None if np.isnan(value) else float(str(value))
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value
