"""Recorded market data as events: ``read(path)`` for every format, and the table of columns they read from.

The formats are one module each and are imported when first asked for. A source is the path of a Parquet,
Feather or CSV file, a pandas DataFrame, or an Arrow table (anything with ``__arrow_c_stream__``, so polars
too).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from smartcore.errors import InvalidData, OutOfOrder

if TYPE_CHECKING:
    import pandas
    import pyarrow

Source: TypeAlias = "str | os.PathLike[str] | pandas.DataFrame | pyarrow.Table | Table"
Events: TypeAlias = NDArray[np.void]

NULL = int(np.iinfo(np.int64).min)
"""Stands for a null in integer and time columns; the bits of NumPy's NaT."""

TIME_NAMES = (
    "ts",
    "ts_recv",
    "ts_event",
    "ts_open",
    "open_time",
    "time",
    "timestamp",
    "datetime",
    "date",
    "__index_level_0__",
)
"""Ordinary names of a time column, in the order in which they are looked for."""


@dataclass(frozen=True, slots=True)
class Format:
    """One recorded format: the module whose ``read`` reads it, and the column sets that identify it."""

    name: str
    about: str
    columns: tuple[frozenset[str], ...]


def _format(name: str, about: str, *columns: str) -> Format:
    return Format(name, about, tuple(frozenset(names.split()) for names in columns))


FORMATS = (
    _format(
        "binance",
        "Binance depth, trades and best quotes as received, or aggregated trades",
        "msg kind side price size last_id",
        "agg_id price size side",
    ),
    _format(
        "lobster",
        "LOBSTER messages with the book after each",
        "type order_id size price direction ask_px_1 ask_sz_1 bid_px_1 bid_sz_1",
        "0 1 2 3 4 5",
    ),
    _format(
        "bitstamp",
        "Bitstamp orders one by one, their trades, or the exchange's top levels",
        "msg order_id action side price",
        "msg side level price",
        "msg trade_id price size",
    ),
    _format("ticks", "tick quotes", "bid ask"),
    _format("ohlcv", "bars", "open high low close"),
)
"""In the order in which they are tried: a set that contains another format's set comes first."""


def read(
    source: Source,
    format: Literal["auto", "binance", "lobster", "bitstamp", "ticks", "ohlcv"] = "auto",
    **options: Any,
) -> Events:
    """A recorded file as an array of dtype ``EVENT``, shape (n,), with non-decreasing ``ts``.

    ``format="auto"`` recognises the format by its columns. ``options`` go to the format's own ``read`` (for
    instance ``smartcore.market.ohlcv.read``). Raises ``InvalidData`` when the columns are of no known format
    or a value cannot be true, ``ValueError`` for an unknown ``format`` and ``TypeError`` for an option it
    does not have.
    """
    names = [known.name for known in FORMATS]
    if format != "auto" and format not in names:
        raise ValueError(f"format={format!r} is unknown; expected 'auto' or one of {', '.join(names)}")
    table = load(source)
    name = detect(table) if format == "auto" else format
    events: Events = import_module(f"smartcore.market.{name}").read(table, **options)
    arrow = sys.modules.get("pyarrow")
    if arrow is not None:  # its pool keeps the memory that the file was read into
        del table
        arrow.default_memory_pool().release_unused()
    return events


def detect(source: Source) -> str:
    """The name of the format that a file or frame has by its columns; ``InvalidData`` if it has none."""
    table = load(source)
    for known in FORMATS:
        if any(names <= table.names for names in known.columns):
            return known.name
    expected = "; ".join(
        f"{known.name} ({' or '.join(' '.join(sorted(names)) for names in known.columns)})"
        for known in FORMATS
    )
    raise InvalidData(
        f"{table.label}: no known format has the columns {table.found}; expected one of: {expected}"
    )


class Table:
    """The columns of one file or frame, by lower-case name, as NumPy arrays. Rows count from 0.

    ``names`` are the columns' names with spaces, dashes and dots as underscores; ``label`` names the source
    in errors; ``path`` is the file it came from, if any.
    """

    def __init__(self, columns: Mapping[str, Any], rows: int, label: str, path: Path | None = None) -> None:
        self._columns: dict[str, Any] = {}
        self._rows, self.label, self.path = rows, label, path
        for name, values in columns.items():
            plain = _plain(name)
            if plain in self._columns:
                raise InvalidData(f"{label}: two columns are named {plain!r} but for case and punctuation")
            self._columns[plain] = values
        self.names = frozenset(self._columns)

    def __len__(self) -> int:
        return self._rows

    def __contains__(self, name: str) -> bool:
        return name in self._columns

    @property
    def found(self) -> str:
        """The names of the columns, for error texts."""
        shown = list(self._columns)
        return ", ".join(shown[:24]) + (f" ... ({len(shown)} in all)" if len(shown) > 24 else "")

    def need(self, *names: str) -> None:
        """Raise ``InvalidData`` unless every one of the columns is there."""
        missing = [name for name in names if name not in self._columns]
        if missing:
            raise InvalidData(f"{self.label}: no column {', '.join(missing)}; found: {self.found}")

    def rename(self, names: Mapping[str, str]) -> Table:
        """The same columns under other names."""
        columns = {names.get(name, name): column for name, column in self._columns.items()}
        return Table(columns, self._rows, self.label, self.path)

    def first(self, names: Iterable[str]) -> str | None:
        """The first of ``names`` that is a column."""
        return next((name for name in names if name in self._columns), None)

    def time_name(self, time: str | None, more: Iterable[str] = ()) -> str:
        """The column of time: ``time`` if given, else the first there is of ``TIME_NAMES`` and ``more``."""
        if time is not None:
            name = _plain(time)
            self.need(name)
            return name
        found = self.first((*TIME_NAMES, *more))
        if found is None:
            expected = ", ".join(TIME_NAMES[:-1])
            raise InvalidData(
                f"{self.label}: no column of time; found: {self.found}; expected one of: {expected}"
            )
        return found

    def bad(self, name: str, row: int, value: object, expected: str) -> NoReturn:
        """Raise ``InvalidData`` that names the column, the row and the value."""
        raise InvalidData(f"{self.label}: column {name!r}, row {row}: {value} (expected {expected})")

    def require(self, ok: NDArray[np.bool_], name: str, expected: str) -> None:
        """Raise ``InvalidData`` naming the first row where ``ok``, shape (rows,), is false."""
        if not ok.all():
            row = int(np.argmin(ok))
            self.bad(name, row, self._text(name, row), expected)

    def floats(self, name: str) -> NDArray[np.float64]:
        """A column as float64, NaN where null."""
        column = self._column(name)
        if column.words is not None:
            known = np.array([self._number(name, word) for word in (*column.words, "nan")])
            return known[np.where(column.null, len(column.words), column.values)]
        values = column.values.astype(np.float64)
        return np.where(column.null, np.nan, values) if column.null.any() else values

    def integers(self, name: str) -> NDArray[np.int64]:
        """A column as int64, ``NULL`` where null. A column that is not there is all ``NULL``."""
        if name not in self._columns:
            return np.full(self._rows, NULL)
        column = self._column(name)
        values = column.values
        if column.words is not None or values.dtype.kind == "f":
            values = self.floats(name)
            self.require(
                column.null | (np.isfinite(values) & (values == np.floor(values))), name, "a whole number"
            )
            values = np.where(column.null, 0, values)
        values = values.astype(np.int64)
        return np.where(column.null, NULL, values) if column.null.any() else values

    def codes(self, name: str, codes: Mapping[str, int]) -> NDArray[np.int8]:
        """A column of words as int8 by ``codes``; null is 0, any other word raises ``InvalidData``."""
        column = self._column(name)
        if column.words is None:
            self.require(column.null, name, f"one of {', '.join(codes)}")
            return np.zeros(self._rows, np.int8)
        known = np.array([*(codes.get(word.strip().lower(), -128) for word in column.words), 0], np.int8)
        values = known[np.where(column.null, len(column.words), column.values)]
        self.require(values != -128, name, f"one of {', '.join(codes)}")
        return values

    def texts(self, name: str) -> tuple[NDArray[np.int64], tuple[str, ...]]:
        """A column of words as (index into the words or -1 where null, the words)."""
        column = self._column(name)
        if column.words is None:
            words, index = np.unique(column.values.astype(str), return_inverse=True)
            return np.where(column.null, -1, index), tuple(words.tolist())
        return np.where(column.null, -1, column.values.astype(np.int64)), column.words

    def times(self, name: str, unit: str | None = None) -> NDArray[np.int64]:
        """A column as int64 nanoseconds UTC, ``NULL`` where null.

        Dates and naive times count as UTC. Numbers are in ``unit`` ("ns", "us", "ms" or "s"), by default the
        one that puts them after 1973. Texts are parsed as ISO 8601.
        """
        column = self._column(name)
        if column.words is not None:
            pandas = _pandas(f"parsing the times of column {name!r}")
            try:
                parsed = pandas.to_datetime(list(column.words), utc=True, format="ISO8601")
            except (ValueError, TypeError) as error:
                what = str(error).splitlines()[0]
                raise InvalidData(f"{self.label}: column {name!r}: {what} (expected ISO 8601)") from None
            known = np.append(_stamps(parsed.to_numpy("datetime64[ns]")), NULL)
            return known[np.where(column.null, len(column.words), column.values)]
        if column.values.dtype.kind == "M":
            return np.where(column.null, NULL, _stamps(column.values))
        ok = ~column.null & np.isfinite(column.values)
        scale = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
        if unit is not None and unit not in scale:
            raise ValueError(f"unit={unit!r}; expected one of {', '.join(scale)}")
        factor = scale[unit if unit else self._unit(name, column.values[ok])] if ok.any() or unit else 1
        if column.values.dtype.kind == "f":
            return np.where(ok, np.round(np.where(ok, column.values, 0) * factor), NULL).astype(np.int64)
        return np.where(ok, column.values.astype(np.int64) * factor, NULL)

    def _unit(self, name: str, values: NDArray[Any]) -> str:
        typical = float(np.median(values))
        for unit, least in (("ns", 1e17), ("us", 1e14), ("ms", 1e11), ("s", 1e8)):
            if typical >= least:
                return unit
        raise InvalidData(
            f"{self.label}: column {name!r}: times near {typical:.17g} do not tell their unit; pass unit="
        )

    def _number(self, name: str, word: str) -> float:
        try:
            return float(word)
        except ValueError:
            raise InvalidData(f"{self.label}: column {name!r}: {word!r} (expected a number)") from None

    def _text(self, name: str, row: int) -> str:
        column = self._column(name)
        if column.null[row]:
            return "null"
        return repr(column.words[column.values[row]]) if column.words is not None else str(column.values[row])

    def _column(self, name: str) -> _Column:
        self.need(name)
        column = self._columns[name]
        if not isinstance(column, _Column):
            column = self._columns[name] = (
                _from_arrow(column) if hasattr(column, "chunks") else _from_pandas(column)
            )
        return column


def _plain(name: object) -> str:
    return str(name).strip().lower().translate(str.maketrans(" -.", "___"))


@dataclass(slots=True)
class _Column:
    """Numbers, datetime64[ns], or indices into ``words``; arbitrary where ``null``."""

    values: NDArray[Any]
    null: NDArray[np.bool_]
    words: tuple[str, ...] | None = None


def load(source: Source) -> Table:
    """The columns of a file or frame. Formats of files are told by their first bytes, not by their names.

    Raises ``FileNotFoundError``, ``InvalidData`` for a damaged file or a type that is no table, and
    ``ImportError`` with the install command where pyarrow is needed and absent.
    """
    if isinstance(source, Table):
        return source
    if isinstance(source, (str, os.PathLike)):
        return _load_file(Path(source))
    if hasattr(source, "iloc") and hasattr(source, "columns"):
        return _table_of_frame(source, "DataFrame")
    if hasattr(source, "__arrow_c_stream__"):
        arrow = _pyarrow("reading an Arrow table")
        table = arrow.table(source)
        return Table(dict(zip(table.column_names, table.columns, strict=True)), table.num_rows, "Arrow table")
    raise InvalidData(f"{type(source).__name__}: expected a path, a pandas DataFrame or an Arrow table")


def _load_file(path: Path) -> Table:
    with path.open("rb") as head:
        magic = head.read(6)
    if magic[:4] == b"PAR1" or magic in (b"ARROW1", b"FEA1\0\0"):
        arrow = _pyarrow(f"reading {path.name}")
        try:
            if magic[:4] == b"PAR1":
                # Not read_table(), which loads pandas and datasets beside. What other threads allocate stays in their
                # heaps (15 MB of a table of 47), and for one file they are no faster.
                with import_module("pyarrow.parquet").ParquetFile(path) as file:
                    table = file.read(use_threads=False)
            else:
                table = import_module("pyarrow.feather").read_table(path)
        except (arrow.ArrowException, OSError) as error:
            raise InvalidData(f"{path.name}: {error}") from None
        return Table(
            dict(zip(table.column_names, table.columns, strict=True)), table.num_rows, path.name, path
        )
    pandas = _pandas(f"reading {path.name}")
    # Nullable integers keep 64-bit ids exact beside empty cells.
    options: dict[str, Any] = {"dtype_backend": "numpy_nullable", "header": _header(path)}
    if int(pandas.__version__.split(".")[0]) < 3:  # whose default parser is a bit off some prices
        options["float_precision"] = "round_trip"
    try:
        frame = pandas.read_csv(path, **options)
    except (ValueError, UnicodeDecodeError) as error:
        raise InvalidData(f"{path.name}: {error}") from None
    return _table_of_frame(frame, path.name, path)


def _header(path: Path) -> int | None:
    """None for a CSV file whose first line is all numbers, else 0."""
    if path.suffix in (".gz", ".bz2", ".zip", ".xz", ".zst"):
        return 0
    with path.open(encoding="utf-8", errors="replace") as file:
        cells = file.readline().split(",")
    return None if all(cell.strip().lstrip("+-").replace(".", "", 1).isdigit() for cell in cells) else 0


def _table_of_frame(frame: pandas.DataFrame, label: str, path: Path | None = None) -> Table:
    columns: dict[str, Any] = {str(name): frame.iloc[:, i] for i, name in enumerate(frame.columns)}
    if len(columns) < frame.shape[1]:
        raise InvalidData(f"{label}: columns with the same name: {', '.join(map(str, frame.columns))}")
    index = frame.index
    if index.dtype.kind == "M" or getattr(index.dtype, "tz", None) is not None or index.name is not None:
        columns.setdefault(str(index.name) if index.name is not None else "datetime", index.to_series())
    return Table(columns, len(frame), label, path)


def _from_arrow(column: pyarrow.ChunkedArray) -> _Column:
    arrow = import_module("pyarrow")
    kind, types = column.type, arrow.types
    null = _from_chunks(column.is_null())
    text = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    if text or types.is_dictionary(kind):
        if not types.is_dictionary(kind):
            column = column.dictionary_encode()
            kind = column.type
        column = column.unify_dictionaries()
        words = column.chunk(0).dictionary.to_pylist() if column.num_chunks else []
        index = _from_chunks(arrow.chunked_array([chunk.indices for chunk in column.chunks], kind.index_type))
        return _Column(index, null, tuple(str(word) for word in words))
    if types.is_timestamp(kind) or types.is_date(kind):
        stamps = column.cast(arrow.timestamp("ns", getattr(kind, "tz", None))).cast(arrow.int64())
        return _Column(_from_chunks(stamps).view("datetime64[ns]"), null)
    if types.is_decimal(kind):
        column = column.cast(arrow.float64())
    if not (types.is_integer(column.type) or types.is_floating(column.type) or types.is_boolean(column.type)):
        return _Column(np.zeros(len(column), np.int64), null, (f"<{kind}>",))
    return _Column(_from_chunks(column), null)


def _from_chunks(column: pyarrow.ChunkedArray) -> NDArray[Any]:
    """Numbers or booleans, whatever is there where null. pyarrow's ``to_numpy`` and ``fill_null`` do more and import
    pandas for it: 160 ms and 30 MB.
    """
    if str(column.type) == "bool":  # a bit each
        return _from_chunks(column.cast("uint8")).view(np.bool_)
    dtype = np.dtype(column.type.to_pandas_dtype())
    parts = [np.empty(0, dtype)]
    for chunk in column.chunks:
        data = chunk.buffers()[1]
        parts.append(
            np.zeros(len(chunk), dtype)
            if data is None
            else np.frombuffer(data, dtype, len(chunk), chunk.offset * dtype.itemsize)
        )
    return parts[1] if len(parts) == 2 else np.concatenate(parts)


def _from_pandas(column: pandas.Series[Any]) -> _Column:
    pandas = import_module("pandas")
    null = column.isna().to_numpy(bool)
    kind = column.dtype
    if kind.kind == "M":
        if getattr(kind, "tz", None) is not None:
            column = column.dt.tz_convert("UTC").dt.tz_localize(None)
        return _Column(column.to_numpy("datetime64[ns]"), null)
    if kind.kind in "iufb":
        if not isinstance(kind, np.dtype):  # a nullable or Arrow dtype of pandas
            return _Column(column.fillna(0).to_numpy(np.float64 if kind.kind == "f" else np.int64), null)
        return _Column(column.to_numpy(), null)
    if pandas.api.types.infer_dtype(column, skipna=True) in ("date", "datetime"):
        return _Column(
            pandas.to_datetime(column, utc=True).dt.tz_localize(None).to_numpy("datetime64[ns]"), null
        )
    index, words = pandas.factorize(column)
    return _Column(np.where(null, 0, index), null, tuple(str(word) for word in words))


def _stamps(times: NDArray[np.datetime64]) -> NDArray[np.int64]:
    return times.astype("datetime64[ns]").astype(np.int64)


def _pyarrow(task: str) -> Any:
    try:
        return import_module("pyarrow")
    except ImportError as error:
        raise ImportError(f"{task} needs pyarrow: pip install smartcore[parquet]") from error


def _pandas(task: str) -> Any:
    try:
        return import_module("pandas")
    except ImportError as error:
        raise ImportError(f"{task} needs pandas: pip install pandas") from error


def in_order(
    ts: NDArray[np.int64],
    table: Table,
    name: str,
    out_of_order: Literal["raise", "clamp"],
    counts: dict[str, int] | None,
) -> NDArray[np.int64]:
    """``ts`` if it never decreases; else ``OutOfOrder``, or with "clamp" raised to the one before.

    Clamping is true to what a recorder knew: a row that arrived after another was not known before it,
    whatever a clock that was set back says.
    """
    if out_of_order not in ("raise", "clamp"):
        raise ValueError(f"out_of_order={out_of_order!r}; expected 'raise' or 'clamp'")
    back = np.flatnonzero(ts[1:] < ts[:-1])
    if not len(back):
        return ts
    if out_of_order == "raise":
        row = int(back[0]) + 1
        raise OutOfOrder(
            f"{table.label}: column {name!r}: time goes back by {ts[row - 1] - ts[row]} ns at entry {row} "
            "(out_of_order='clamp' raises such times to the one before)"
        )
    count(counts, "clamped", int((ts < np.maximum.accumulate(ts)).sum()))
    return np.maximum.accumulate(ts)


def count(counts: dict[str, int] | None, name: str, number: int) -> None:
    """Write down how many rows or messages were set aside, where the caller asked to know."""
    if counts is not None:
        counts[name] = counts.get(name, 0) + number
