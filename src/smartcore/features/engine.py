"""A feature set made live for one instrument: events in, one row of numbers current after each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

import numpy as np

from smartcore import _core
from smartcore.errors import CorruptSnapshot, InvalidData, NotDeclared
from smartcore.features.catalogue import catalogue
from smartcore.features.feature_set import FeatureSet

if TYPE_CHECKING:
    from numpy.typing import NDArray

Sample = str
"""Which moments become rows: "bar", "event", or an interval like "100ms", "1s", "5m"."""

_UNIT = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}


def interval_ns(text: str) -> int:
    """Nanoseconds of a text like "100ms", "1s", "1m", "4h". Raises ValueError."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ns|us|ms|s|m|h|d)", text.strip())
    if not found or not 0 < (ns := round(float(found[1]) * _UNIT[found[2]])) <= 1 << 62:
        raise ValueError(f"{text!r} is no interval; write a number and ns, us, ms, s, m, h or d, as in '100ms'")
    return ns


def bar_rule(text: str | None) -> tuple[str, float]:
    """What closes a bar: (rule, amount) of "1m", "500 trades", "100 volume", "1e6 dollars", "200 imbalance"."""
    if text is None:
        return "none", 0.0
    if not isinstance(text, str):
        raise ValueError(f"bars={text!r}: a text such as '1m' or '500 trades', or None")
    words = text.split()
    if len(words) == 2 and words[1] in ("trades", "volume", "dollars", "imbalance"):
        amount = float(words[0])
        if amount > 0 and np.isfinite(amount):
            return words[1], amount
    else:
        return "time", float(interval_ns(text))
    raise ValueError(f"bars={text!r}: the amount must be above 0")


class Instrument(NamedTuple):
    """What is traded. ``tick`` and ``lot`` are the smallest steps of price and size (0: unknown), ``multiplier`` the
    value of one contract per unit of price, fees are fractions of turnover."""

    symbol: str = ""
    tick: float = 0.0
    lot: float = 0.0
    multiplier: float = 1.0
    maker_fee: float = 0.0
    taker_fee: float = 0.0


class Engine(_core.Engine):
    """Book, windows and row of one instrument.

    features: a FeatureSet or names of columns; the default set if left out.
    instrument: an Instrument, or its symbol.
    bars: build bars from trades ("1m", "500 trades", "100 volume", "1e6 dollars", "200 imbalance"); None: bars are fed.
    out_of_order: "raise" OutOfOrder for an event older than the last, or "drop" it and count it.

    Every call refuses a bad event with a typed error and leaves the engine as it was. Not for two threads at once.
    """

    row: NDArray[np.float64]
    """The current values, shape (len(features),), read-only, the same memory all its life. NaN: not known yet."""

    def __init__(
        self,
        features: FeatureSet | list[str] | tuple[str, ...] | None = None,
        *,
        instrument: Instrument | str | None = None,
        bars: str | None = None,
        out_of_order: Literal["raise", "drop"] = "raise",
    ) -> None:
        if features is None:
            features = FeatureSet.default()
        elif not isinstance(features, FeatureSet):
            features = FeatureSet(features)
        if out_of_order not in ("raise", "drop"):
            raise ValueError(f"out_of_order={out_of_order!r}: 'raise' or 'drop'")
        rule, amount = bar_rule(bars)
        fitted = features.fitted
        columns = [(c.kernel.number, [*c.params, *fitted.get(c.kernel.name, ())], c.output) for c in features.specs]
        super().__init__(columns, rule, amount, out_of_order == "drop")
        self.features = features
        self.instrument = Instrument(instrument) if isinstance(instrument, str) else instrument or Instrument()
        self.bars = bars
        self.out_of_order = out_of_order
        self.row = self._row()

    @property
    def columns(self) -> tuple[str, ...]:
        return self.features.columns

    def __getitem__(self, column: str) -> float:
        """One column's current value. For looking, not for the hot path: read ``row`` there."""
        return float(self.row[self.features.index(column)])

    def on_order_book(self, book: dict[str, Any], ts: int | None = None) -> bool:
        """A whole order book as ccxt gives it: ``{"bids": [[price, size], ...], "asks": ..., "timestamp": ms}``.

        It replaces the book. ``ts`` is when it became known, ns UTC; the book's own timestamp if left out.
        """
        if ts is None:
            stamp = book.get("timestamp")
            if stamp is None:
                raise InvalidData("the order book has no timestamp: give ts, in ns UTC")
            ts = int(stamp) * 10**6
        return self.on_depth_message(ts, book["bids"], book["asks"], snapshot=True, last_id=book.get("nonce"))

    @overload
    def run(self, events: Any, sample: Sample = ..., *, return_ts: Literal[False] = ...) -> NDArray[np.float64]: ...
    @overload
    def run(
        self, events: Any, sample: Sample = ..., *, return_ts: Literal[True]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]: ...

    def run(self, events: Any, sample: Sample = "bar", *, return_ts: bool = False) -> Any:
        """History: the live step in a loop, in C++, without the GIL. Goes on from where the engine stands.

        events: an array of dtype EVENT, or a pandas DataFrame or Arrow table of bars with ordinary column names.
        sample: which moments become rows: "bar", "event", or an interval ("1s": on the grid from the epoch, skipping
        intervals without events).

        Returns (n, len(features)) float64, and with return_ts the rows' times, int64 ns, before it. All events are
        checked before the first is applied. Raises InvalidEvent, OutOfOrder, InvalidData.
        """
        if not isinstance(events, np.ndarray):
            from smartcore.market import ohlcv

            events = ohlcv.read(events)
        events = np.ascontiguousarray(events)
        if sample in ("bar", "event"):
            ts, table = self._run(events, sample, 0)
        else:
            ts, table = self._run(events, "interval", interval_ns(sample))
        return (ts, table) if return_ts else table

    # ---- saved state ----

    def snapshot(self) -> bytes:
        """Everything the engine knows, with version and checksum. ``Engine.restore`` goes on from it bit for bit."""
        return self._snapshot(self.header())

    def header(self) -> bytes:
        """What a snapshot says of the engine it is of: what never changes."""
        import json

        header = {
            "columns": self.columns,
            "fitted": self.features.fitted,
            "fingerprint": self.features.fingerprint,
            "instrument": self.instrument._asdict(),
            "bars": self.bars,
            "out_of_order": self.out_of_order,
            "version": _core.__version__,
        }
        users = {c.kernel.name: c.kernel.version for c in self.features.specs if c.kernel.names}
        if users:
            header["declared"] = users
        return json.dumps(header).encode()

    @classmethod
    def restore(cls, blob: bytes) -> Engine:
        """The engine of a snapshot. Raises CorruptSnapshot for damaged bytes, another version or changed features."""
        import json

        try:
            header = json.loads(cls._header(blob))
            cls._check_declared(header.get("declared", {}) if isinstance(header, dict) else {})
            engine = cls(
                FeatureSet(header["columns"], fitted=header["fitted"]),
                instrument=Instrument(**header["instrument"]),
                bars=header["bars"],
                out_of_order=header["out_of_order"],
            )
            if engine.features.fingerprint != header["fingerprint"]:
                raise ValueError(f"its features were computed differently by version {header['version']}")
            engine._restore(blob)
        except NotDeclared:
            raise
        except (ValueError, TypeError, LookupError) as error:
            raise CorruptSnapshot(f"the snapshot cannot be restored: {error}") from error
        return engine

    @staticmethod
    def _check_declared(users: dict[str, int]) -> None:
        """Features of users' own are code of this process, not of the snapshot."""
        known = {c.kernel.name: c.kernel.version for c in catalogue().declared}
        missing = [name for name in users if name not in known]
        if missing:
            raise NotDeclared(
                f"the snapshot holds features that this process has not declared: {', '.join(missing)}; "
                "import the module with their @smartcore.feature first"
            )
        changed = [name for name in users if users[name] != known[name]]
        if changed:
            raise ValueError(f"the code of {', '.join(changed)} is not what it was when the snapshot was made")

    def copy(self) -> Engine:
        """An independent engine in the same state."""
        engine = type(self)(self.features, instrument=self.instrument, bars=self.bars, out_of_order=self.out_of_order)
        engine._restore(self.snapshot())
        return engine

    def __copy__(self) -> Engine:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Engine:
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).restore, (self.snapshot(),)

    def __repr__(self) -> str:
        name = f" {self.instrument.symbol}" if self.instrument.symbol else ""
        return f"<Engine{name}: {len(self.columns)} columns, {self.bar_count} bars, last event {self.ts}>"
