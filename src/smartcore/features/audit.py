"""Does a value change when later data arrive? Asked of a feature set, or of any function over a DataFrame.

``sc.audit()`` tries the engine: the same events again, prefixes of them, pieces of them, saved and restored.
``sc.audit(function, frame)`` runs a plain function on prefixes of the frame and compares: a value that a prefix gives
and the whole does not was never known at its time. What is found is said in words: which columns, how many rows ahead,
and what usually does that.
"""

from __future__ import annotations

import textwrap
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from smartcore.errors import InvalidData
from smartcore.features.engine import Engine
from smartcore.features.feature_set import FeatureSet

if TYPE_CHECKING:
    import pandas as pd

_CHUNKS = (1, 2, 3, 5, 7, 13, 100)
_SECONDS = 10.0
"""About how long a plain function is tried, where the number of cuts is not given."""


@dataclass(frozen=True)
class Finding:
    """One thing about one column. ``level``: "leak" and "fault" fail the audit, "note" does not."""

    column: str
    level: str
    check: str
    text: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """What an audit found. ``cuts``: prefixes tried; ``rewritten``: values that later data changed."""

    subject: str
    rows: int
    columns: int
    cuts: int
    compared: int
    rewritten: int
    checks: Mapping[str, str]
    findings: tuple[Finding, ...]

    @property
    def leaks(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.level == "leak")

    @property
    def passed(self) -> bool:
        return not any(f.level in ("leak", "fault") for f in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "passed": self.passed}

    def __str__(self) -> str:
        lines = [f"{self.subject}: {self.columns} columns over {self.rows:,} rows, {self.cuts} prefixes"]
        lines += [f"  {name:<22} {said}" for name, said in self.checks.items()]
        for level in ("leak", "fault", "note"):
            found = [f for f in self.findings if f.level == level]
            if found:
                lines += ["", {"leak": "leaks", "fault": "faults", "note": "notes"}[level]]
            shown = dict.fromkeys(f.check for f in found)
            for check in shown:
                those = [f for f in found if f.check == check]
                said = [f"{f.column}: {f.text}" for f in those]
                if level == "note" and len(those) > 6:
                    what = {"unknown": "are never known on these data", "constant": "are constant"}.get(check, check)
                    rest = f" and {len(those) - 12} more (all in to_dict() and --json)" if len(those) > 12 else ""
                    said = [f"{len(those)} columns {what}: {', '.join(f.column for f in those[:12])}{rest}"]
                for text in said:
                    lines += textwrap.wrap(text, 116, initial_indent="  ", subsequent_indent="    ")
        n = len({f.column for f in self.findings if f.level != "note"})
        verdict = "nothing looks ahead" if self.passed else f"{n} of {self.columns} columns cannot be trusted"
        return "\n".join(
            [*lines, "", f"{self.rewritten:,} values rewritten by later data ({self.compared:,} compared): {verdict}"]
        )


def audit(
    subject: FeatureSet | Iterable[str] | Callable[..., Any] | None = None,
    data: Any = None,
    *,
    bars: str | None = None,
    cuts: int | None = None,
    rows: int | None = None,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Report:
    """Audits a feature set (the default one if left out), or a function that takes a DataFrame and returns columns.

    data: events, or a frame of bars, for features; a DataFrame for a function. The simulator's if left out.
    bars: the rule that builds bars from trades, as of an Engine.
    cuts: prefixes to try; for a function as many as take about ten seconds if left out, every row where that is enough.
    rows: events or rows to take, from the first; 8,000 events or 1,500 rows if left out.
    progress: called with the share that is done, 0 to 1.

    The report's ``passed`` is False where something leaks, is not the same twice, or is infinite; ``str(report)`` says
    it in words.
    """
    if callable(subject) and not isinstance(subject, FeatureSet):
        return _Function(subject, data, rows or 1500, seed).report(cuts, progress or _silent)
    if subject is None:
        subject = FeatureSet.default()
    elif not isinstance(subject, FeatureSet):
        subject = FeatureSet(subject)
    events, bars = _events(data, bars, rows or 8000, seed)
    return _audit_features(subject, events, bars, cuts or 60, seed, progress or _silent)


def _silent(done: float) -> None:
    pass


# ---- features of the engine ----


def _events(data: Any, bars: str | None, rows: int, seed: int) -> tuple[NDArray[np.void], str | None]:
    if data is None:
        return _everything(rows, seed), None
    if not isinstance(data, np.ndarray):
        from smartcore.market import ohlcv

        data = ohlcv.read(data)
    return np.ascontiguousarray(data[:rows]), bars


def _everything(n: int, seed: int) -> NDArray[np.void]:
    """A simulated market with bars, scores, series and what a panel tells among its events, so that every kernel wakes.
    Bars come in bursts, which history takes in blocks."""
    from smartcore.market import events as ev
    from smartcore.market.simulator import simulate

    rng = np.random.default_rng(seed)
    market = simulate(seconds=30 + n / 25, seed=seed + 1, regime="mixed").events[: n // 8 * 5]
    trades = market[market["kind"] == ev.Kind.TRADE]
    more = trades[np.sort(rng.integers(0, len(trades), n // 8))]  # in bursts: windows of trades fill too
    more["v1"] = rng.gamma(1, 1, len(more))
    more["side"] = rng.choice([1, -1, 0], len(more), p=[0.45, 0.45, 0.1])
    m = max(n // 60, 8)
    ts = np.sort(rng.choice(market["ts"], m))
    said = ev.scores(ts, rng.uniform(-1, 1, m), rng.gamma(1, 1, m), rng.integers(0, 5, m))
    series = ev.aux(ts, rng.integers(0, 12, m), 0.3 + rng.normal(size=m))
    price = 100 * np.exp(np.cumsum(rng.normal(0, 1e-4, m)))
    volume, (net, flow) = rng.gamma(1, 1, m), rng.normal(size=(2, m))
    peers = ev.peers(ts, price, volume, net, flow, rng.uniform(0, 1, m), rng.integers(1, 4, m))
    mean, (dispersion, rank, share, loading) = rng.normal(0, 1e-4, m), rng.uniform(0, 1, (4, m))
    basket = ev.baskets(ts, mean, dispersion, rank, 2 * rank - 1, flow, rng.uniform(0.5, 1, m))
    factor = ev.factors(ts, share, loading, rng.normal(size=m))
    k = n // 6
    open_ = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, k)))
    close = np.append(open_[1:], open_[-1]) * np.exp(rng.normal(0, 2e-4, k))  # bars that touch, nearly
    edge = np.abs(rng.normal(0, 5e-4, (2, k)))
    high, low = np.maximum(open_, close) * (1 + edge[0]), np.minimum(open_, close) * (1 - edge[1])
    bursts = np.sort(rng.choice(market["ts"], k // 20 + 1))[np.sort(rng.integers(0, k // 20 + 1, k))]
    bars = ev.bars(bursts, open_, high, low, close, rng.gamma(1, 10, k))
    return ev.merge(market, more, said, series, peers, basket, factor, bars)[:n]


def _bits(table: NDArray[np.float64]) -> NDArray[np.uint64]:
    table = np.ascontiguousarray(table)
    return np.where(np.isnan(table), np.uint64(0x7FF8000000000000), table.view(np.uint64))


def _audit_features(
    fs: FeatureSet, events: NDArray[np.void], bars: str | None, cuts: int, seed: int, progress: Callable[[float], None]
) -> Report:
    n, k = len(events), len(fs)
    rng = np.random.default_rng(seed)
    wrong: dict[str, NDArray[np.bool_]] = {}
    first: dict[tuple[str, int], tuple[int, str]] = {}

    def engine() -> Engine:
        return Engine(fs, bars=bars)

    whole = engine().run(events, "event")
    at_bars = engine().run(events, "bar")

    def compare(check: str, got: NDArray[np.float64], expected: NDArray[np.float64], where: str) -> None:
        unlike = _bits(got) != _bits(expected[: len(got)])
        bad = wrong.setdefault(check, np.zeros(k, bool))
        for column in np.flatnonzero(unlike.any(axis=0) & ~bad):
            first[check, int(column)] = (int(np.argmax(unlike[:, column])), where)
        bad |= unlike.any(axis=0)

    compare("twice", engine().run(events, "event"), whole, "when run again")
    places = _cuts(n, cuts, rng)
    rewritten, compared = np.zeros(whole.shape, bool), 0
    for i, cut in enumerate(places):
        progress(0.6 * i / len(places))
        got = engine().run(events[:cut], "event")
        compared += got.size
        rewritten[: len(got)] |= _bits(got) != _bits(whole[: len(got)])
        compare("prefix", got, whole, f"in a prefix of {cut:,} events")
        if cut in places[:: max(1, len(places) // 8)]:
            compare("prefix", engine().run(events[:cut], "bar"), at_bars, f"in a prefix of {cut:,} events, row by bar")
    for i, size in enumerate(_CHUNKS):
        progress(0.6 + 0.4 * i / len(_CHUNKS))
        part, live = (events[:2000] if size <= 3 else events), engine()
        pieces = [live.run(part[a : a + size], "event") for a in range(0, len(part), size)]
        compare("pieces", np.concatenate([whole[:0], *pieces]), whole, f"in pieces of {size}")
        live = engine()
        pieces = [live.run(part[a : a + size], "bar") for a in range(0, len(part), size)]
        compare("pieces", np.concatenate([at_bars[:0], *pieces]), at_bars, f"in pieces of {size}, row by bar")
    live, rows = engine(), np.empty((min(n, 2000), k))
    for i, event in enumerate(events[: len(rows)]):
        live.on_event(event)
        rows[i] = live.row
    compare("live", rows, whole, "event by event")
    marks = np.unique([0, *rng.integers(0, n + 1, 30), n])
    live, parts = engine(), [whole[:0]]
    for a, b in pairwise(marks):
        parts.append(live.run(events[a:b], "event"))
        live = Engine.restore(live.snapshot())
    compare("restored", np.concatenate(parts), whole, "after a restart from a snapshot")

    findings = list(_unlike(fs, wrong, first))
    findings += _values(fs, whole)
    findings += _frozen(fs, events)
    found = wrong["prefix"] & ~wrong["twice"]
    said = {
        check: f"{text}: {'equal to the last bit' if not wrong[key].any() else f'{wrong[key].sum()} columns differ'}"
        for check, key, text in (
            ("the same events again", "twice", f"{n:,} events"),
            ("prefixes", "prefix", f"{len(places)}, and {compared:,} values"),
            ("pieces", "pieces", f"of {', '.join(map(str, _CHUNKS))} events"),
            ("live", "live", f"{len(rows):,} calls"),
            ("restored", "restored", f"{len(marks) - 1} snapshots"),
        )
    }
    return Report(
        subject=f"{k} features", rows=n, columns=k, cuts=len(places), compared=compared,
        rewritten=int(rewritten[:, found].sum()), checks=said, findings=tuple(findings),
    )  # fmt: skip


def _cuts(n: int, count: int, rng: np.random.Generator) -> list[int]:
    """Runs of neighbouring cuts, where a look of one row ahead shows, and cuts all over."""
    runs = max(1, min(4, count // 12))
    near = [int(n * (i + 1) / (runs + 1)) + d for i in range(runs) for d in range(8)]
    far = rng.permutation(n)[: max(0, count - len(near))].tolist()
    return sorted({c for c in (*near, *far) if 0 < c < n})


_WHY = {
    "twice": (
        "fault",
        "is not the same when the same events come again: it draws random numbers, reads a clock, keeps state outside",
    ),
    "prefix": ("leak", "is another when later events are left out"),
    "pieces": ("fault", "depends on how history is cut into calls of run()"),
    "live": ("fault", "is another live than in history"),
    "restored": ("fault", "is another after a restart from a snapshot: some of its state is not in the engine"),
}


def _unlike(
    fs: FeatureSet, wrong: Mapping[str, NDArray[np.bool_]], first: Mapping[tuple[str, int], tuple[int, str]]
) -> Iterator[Finding]:
    done = np.zeros(len(fs), bool)
    for check, (level, text) in _WHY.items():  # what is not the same twice fails all the others too
        for column in np.flatnonzero(wrong[check] & ~done):
            row, where = first[check, int(column)]
            yield Finding(fs.columns[column], level, check, f"{text}; first {where}, row {row:,}", {"row": row})
        if check == "twice":
            done |= wrong[check]


def _values(fs: FeatureSet, table: NDArray[np.float64]) -> Iterator[Finding]:
    for spec, values in zip(fs.specs, table.T, strict=True):
        known = values[~np.isnan(values)]
        if not len(known):
            woken = " and ".join(spec.kernel.wakes)
            yield Finding(spec.name, "note", "unknown", f"is never known on these data (woken by {woken})")
            continue
        if np.isinf(known).any():
            yield Finding(spec.name, "fault", "infinite", f"is infinite in {np.isinf(known).sum():,} rows")
        if len(known) > 100 and known.min() == known.max():
            yield Finding(spec.name, "note", "constant", f"is {known[0]:g} wherever it is known")
        low, high = spec.meaning.low, spec.meaning.high
        if known.min() < low or known.max() > high:
            text = f"is from {known.min():g} to {known.max():g}; its range is said to be {low:g} to {high:g}"
            yield Finding(spec.name, "fault", "range", text)


def _frozen(fs: FeatureSet, events: NDArray[np.void]) -> Iterator[Finding]:
    """Arrays that a user's function reads from outside. No prefix shows that they hold the future: they are the same in
    every run. So they are compared with the data."""
    if not any(c.kernel.names for c in fs.specs):
        return
    from smartcore.features.user import declared

    series = None
    for name in dict.fromkeys(c.kernel.name for c in fs.specs if c.kernel.names):
        for label, array in declared()[name].arrays.items():
            if array.size >= 8 and array.dtype.kind in "iuf":
                series = _series(events) if series is None else series
                columns = np.reshape(array, (len(array), -1)).T
                shares = {what: max(_share(c, known) for c in columns) for what, known in series.items()}
                what = max(shares, key=lambda key: shares[key], default="")
                if what and shares[what] >= 0.5:
                    text = (
                        f"reads the array {label} of {array.size:,} numbers, of which {shares[what]:.0%} are the "
                        f"data's own ({what}): frozen into its code, they are known before they happen"
                    )
                    yield Finding(name, "leak", "frozen", text, {"array": label, "share": shares[what]})
                    continue
            if array.size >= 64:
                text = (
                    f"reads the array {label} of {array.size:,} numbers, frozen when it was compiled; if they were "
                    "made from data, audit with these data"
                )
                yield Finding(name, "note", "frozen", text, {"array": label})


def _runs(values: NDArray[Any]) -> set[tuple[str, ...]]:
    """Five neighbours each, to nine digits, where they are not all the same."""
    text = [f"{v:.9g}" for v in values.astype(float)]
    runs = {tuple(text[i : i + 5]) for i in range(len(text) - 4)}
    return {run for run in runs if len(set(run)) > 2 and "nan" not in run}


def _share(values: NDArray[Any], known: set[tuple[str, ...]]) -> float:
    runs = _runs(values)
    return len(runs & known) / len(runs) if runs else 0.0


def _series(events: NDArray[np.void]) -> dict[str, set[tuple[str, ...]]]:
    """What an array may have been made of: values, changes, returns."""
    from smartcore.market.events import BAR, TRADE, Kind

    found = {}
    fields = {Kind.BAR: (BAR, ("open", "high", "low", "close", "volume")), Kind.TRADE: (TRADE, ("price", "size"))}
    for kind, (dtype, names) in fields.items():
        those = events[events["kind"] == kind].view(dtype)
        for name in names:
            values = those[name].astype(float)
            found[f"{kind.name.lower()} {name}"] = _runs(values)
            with np.errstate(all="ignore"):
                for step in (1, 5, 10):
                    change, ratio = values[step:] - values[:-step], values[step:] / values[:-step]
                    changes = (change, ratio, ratio - 1, np.log(ratio))
                    found[f"{kind.name.lower()} {name}, change over {step}"] = set().union(*map(_runs, changes))
    return found


# ---- a plain function over a DataFrame ----


class _Function:
    """A function, what it gives for the whole frame, and for prefixes of it."""

    def __init__(self, function: Callable[..., Any], data: Any, rows: int, seed: int) -> None:
        self.name = getattr(function, "__name__", type(function).__name__)
        self.function = function
        self.frame = _frame(data, rows, seed)
        self.n = len(self.frame)
        if self.n < 20:
            raise InvalidData(f"{self.n} rows are too few to say anything; at least 20 are wanted")
        self.prefixes: dict[int, NDArray[np.float64] | None] = {}
        self.columns: tuple[str, ...] = ()
        given = self.frame.copy(deep=True)
        start = time.perf_counter()
        whole = self.function(given)
        self.cost = time.perf_counter() - start
        self.changes_input = not given.equals(self.frame)
        table = self._table(whole, self.frame)
        self.columns = tuple(table)
        self.whole = np.column_stack(list(table.values())) if table else np.empty((self.n, 0))
        # A rounding is no look ahead: sums over more rows may be added in another order.
        with np.errstate(all="ignore"):
            size = np.array([np.median(abs(c[np.isfinite(c)])) if np.isfinite(c).any() else 0.0 for c in self.whole.T])
        self.slack = 1e-12 * size

    def _table(self, given: Any, frame: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
        """Columns of what a function returned, by name, a row for each row of the frame."""
        import pandas as pd

        if isinstance(given, Mapping):
            given = pd.DataFrame({key: np.asarray(value) for key, value in given.items()})
        if isinstance(given, pd.Series):
            given = given.to_frame(given.name if given.name is not None else self.name)
        if not isinstance(given, pd.DataFrame):
            values = np.asarray(given)
            values = values.reshape(len(values), -1) if values.ndim else values.reshape(0, 1)
            names = [self.name] if values.shape[1] == 1 else [f"{self.name}[{i}]" for i in range(values.shape[1])]
            given = pd.DataFrame(values, columns=names)
        if len(given) == len(frame):
            places: Any = slice(None)
        else:
            places = frame.index.get_indexer(given.index) if frame.index.is_unique else np.array([-1])
            if (
                len(places) != len(given)
                or (places < 0).any()
                or (isinstance(given.index, pd.RangeIndex) and len(given))
            ):
                raise InvalidData(
                    f"{self.name} gave {len(given):,} rows for {len(frame):,}; where rows are left out "
                    "the others must keep their index"
                )
        table: dict[str, NDArray[np.float64]] = {}
        for i, name in enumerate(map(str, given.columns)):
            column = np.full(len(frame), np.nan)
            column[places] = _numbers(given.iloc[:, i])
            table[name if name not in table else f"{name}[{i}]"] = column
        return table

    def at(self, cut: int) -> NDArray[np.float64] | None:
        """What it gives for the first rows alone; None where it fails."""
        if cut not in self.prefixes:
            frame = self.frame.iloc[:cut].copy(deep=True)
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # short prefixes divide by nothing
                    table = self._table(self.function(frame), self.frame.iloc[:cut])
            except Exception:
                self.prefixes[cut] = None
            else:
                absent = np.full(cut, np.nan)
                self.prefixes[cut] = np.column_stack([table.get(name, absent) for name in self.columns])
        return self.prefixes[cut]

    def unlike(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[Any]:
        """Where two values of the same rows are not the same."""
        with np.errstate(all="ignore"):
            near = abs(a - b) <= 1e-9 * np.maximum(abs(a), abs(b)) + self.slack
        return np.asarray(~(near | (a == b) | (np.isnan(a) & np.isnan(b))))

    def report(self, cuts: int | None, progress: Callable[[float], None]) -> Report:
        n, k = self.whole.shape
        again = self.function(self.frame.copy(deep=True))
        table = self._table(again, self.frame)
        other = np.column_stack([table.get(c, np.full(n, np.nan)) for c in self.columns])
        random = np.asarray(self.unlike(other, self.whole).any(axis=0))
        changed = np.zeros((n, k), bool)  # that some prefix gives otherwise
        depth, hit, deep = np.zeros((3, k), int)
        compared, tried, failed = 0, 0, []
        start = time.perf_counter()
        for cut in _in_turn(n):
            if tried >= (cuts or n) or (cuts is None and tried >= 60 and time.perf_counter() - start > _SECONDS):
                break
            progress(max(tried / (cuts or n), 0 if cuts else (time.perf_counter() - start) / _SECONDS))
            got = self.at(cut)
            if got is None:
                failed.append(cut)
                continue
            tried += 1
            compared += got.size
            wrong = self.unlike(got, self.whole[:cut])
            changed[:cut] |= wrong
            hit += wrong.any(axis=0)
            reach = np.where(wrong.any(axis=0), cut - np.argmax(wrong, axis=0), 0)
            depth, deep = np.maximum(depth, reach), deep + (reach > max(20, 0.8 * cut))
        findings = []
        for c, name in enumerate(self.columns):
            if random[c]:
                text = "is not the same when the same frame comes again: it draws random numbers or keeps state outside"
                findings.append(Finding(name, "fault", "twice", text))
            elif hit[c]:
                findings.append(self._leak(c, changed[:, c], int(hit[c]), tried, int(depth[c]), int(deep[c])))
            values = self.whole[:, c]
            if np.isinf(values).any():
                findings.append(Finding(name, "fault", "infinite", f"is infinite in {np.isinf(values).sum():,} rows"))
            if np.isnan(values).all():
                findings.append(Finding(name, "note", "unknown", "is never known on these data"))
            elif np.nanmin(values) == np.nanmax(values) != np.inf:
                findings.append(Finding(name, "note", "constant", f"is {np.nanmin(values):g} wherever it is known"))
        if failed and max(failed) > n // 2:
            findings.append(Finding(self.name, "fault", "prefix", f"fails on the first {max(failed):,} rows alone"))
        elif failed:
            findings.append(Finding(self.name, "note", "prefix", f"fails on fewer than {max(failed) + 1:,} rows"))
        if self.changes_input:
            findings.append(Finding(self.name, "note", "input", "changes the frame that it is given"))
        leaking = ~random
        said = {
            "the same frame again": "equal" if not random.any() else f"{random.sum()} columns differ",
            "prefixes": f"{tried:,} of {n - 1:,} possible: {(hit > 0).sum()} columns change",
        }
        return Report(
            subject=self.name, rows=n, columns=k, cuts=tried, compared=compared,
            rewritten=int(changed[:, leaking].sum()), checks=said, findings=tuple(findings),
        )  # fmt: skip

    # ---- what a leak looks like ----

    def _leak(self, c: int, changed: NDArray[np.bool_], hit: int, tried: int, depth: int, deep: int) -> Finding:
        rows = np.flatnonzero(changed)
        inner = rows[rows < self.n - 2] if (rows < self.n - 2).any() else rows
        picks = inner[np.unique(np.linspace(0, len(inner) - 1, 5).astype(int))]
        found = [(int(row), self._ahead(c, int(row))) for row in picks]
        spans = {row: span for row, span in found if span is not None} or {int(picks[0]): (1, depth)}
        ahead, settles = min(s[0] for s in spans.values()), max(s[1] for s in spans.values())
        effect = self._effect(c, spans)
        whole_column = deep > 0.5 * hit or (effect is not None and effect[2] > 0.8)
        tail = not whole_column and depth <= settles + 1
        cause = self._cause(c, spans, effect, whole_column)
        total = f"{len(rows):,} value{'s' * (len(rows) > 1)} rewritten, at {hit:,} of {tried:,} cuts"
        total += f" (rows {rows[0]:,} to {rows[-1]:,})"
        if whole_column:
            shape = f"every new row changes the rows before it; {total}"
        elif tail:
            last = "the last row" if settles == 1 else f"the last {settles:,} rows"
            shape = f"{total}; a constant tail effect: live, {last} would always be others"
        else:
            shape = f"{total}; final after {settles:,} rows"
        reach = "the whole sample" if whole_column else f"{ahead:,} row{'s' * (ahead > 1)} ahead"
        reach += f", up to {settles:,}" if not whole_column and settles > ahead else ""
        text = f"looks {'at ' if whole_column else ''}{reach}: {cause}. {shape[0].upper()}{shape[1:]}"
        details = {
            "ahead": ahead, "settles": None if whole_column else settles, "rewritten": len(rows), "cuts": hit,
            "rows": [int(rows[0]), int(rows[-1])], "tail": tail, "whole_sample": whole_column, "cause": cause,
        }  # fmt: skip
        return Finding(self.columns[c], "leak", "prefix", text, details)

    def _value(self, c: int, row: int, later: int) -> float | None:
        cut = row + 1 + later
        table = self.whole if cut >= self.n else self.at(cut)
        return None if table is None else float(table[row, c])

    def _unlike(self, c: int, a: float, b: float) -> bool:
        return bool(
            not (a == b or (a != a and b != b)) and not abs(a - b) <= 1e-9 * max(abs(a), abs(b)) + self.slack[c]
        )

    def _ahead(self, c: int, row: int) -> tuple[int, int] | None:
        """How many later rows it takes to change a value, and until it is final."""
        most = self.n - 1 - row
        now, final = self._value(c, row, 0), float(self.whole[row, c])
        if now is None or not most:
            return None

        def least(holds: Callable[[float], bool]) -> int:
            low, step = 0, 1  # it does not hold after `low` rows
            while step < most:
                value = self._value(c, row, step)
                if value is not None and holds(value):
                    break
                low, step = step, step + 1 if step < 4 else step * 2
            high = min(step, most)
            while high - low > 1:
                middle = (low + high) // 2
                value = self._value(c, row, middle)
                if value is not None and holds(value):
                    high = middle
                else:
                    low = middle
            return high

        first = least(lambda value: self._unlike(c, value, now))
        return first, max(first, least(lambda value: not self._unlike(c, value, final)))

    def _effect(self, c: int, spans: Mapping[int, tuple[int, int]]) -> tuple[int, int, float] | None:
        """How far before and behind a changed row values change, and the share of all that do. Changed are rows that
        made values final."""
        found = []
        rows = {min(row + settles, self.n - 1) for row, (_, settles) in spans.items()}
        numeric = [name for name in self.frame if _is_number(self.frame[name])]
        places = [self.frame.columns.get_loc(name) for name in numeric]
        for row in sorted(rows | {int(self.n * 0.4), int(self.n * 0.6)}):
            frame = self.frame.copy(deep=True)
            frame[numeric] = frame[numeric].astype(float)
            frame.iloc[row, places] = frame.iloc[row, places].astype(float) * 1.01
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    table = self._table(self.function(frame), self.frame)
            except Exception:
                continue
            other = table.get(self.columns[c])
            if other is None:
                continue
            full = np.column_stack([other if i == c else self.whole[:, i] for i in range(len(self.columns))])
            moved = np.flatnonzero(self.unlike(full, self.whole)[:, c])
            if len(moved):
                known = max(1, int((~np.isnan(self.whole[:, c])).sum()))
                found.append((row - int(moved[0]), int(moved[-1]) - row, len(moved) / known))
        return max(found, key=lambda f: (f[0] > 0, f[2])) if found else None

    def _cause(
        self, c: int, spans: Mapping[int, tuple[int, int]], effect: tuple[int, int, float] | None, whole: bool
    ) -> str:
        if whole:
            return "a mean, deviation, extreme, rank or fit of all rows (normalised or fitted on the full sample)"
        unknown = [self._value(c, row, 0) for row in spans]
        late = all(value is None or value != value for value in unknown)
        values = self.whole[:, c]
        sources = [(row, row + settles) for row, (_, settles) in spans.items() if row + settles < self.n]
        filled = [values[row] == values[source] != 0 for row, source in sources]
        if late and len(filled) >= 3 and all(filled):
            return "gaps filled from later rows, as bfill does"
        if effect is not None:
            before, behind, _ = effect
            if before > 0 and behind <= 0:
                return f"rows moved back in time, as shift(-{before}) or a return of the future does"
            if before > 0 and abs(before - behind) <= 1:
                width = 2 * max(before, behind) + 1
                return f"a centred window, as rolling({width}, center=True) or a symmetric filter has"
            if before > 0:
                return f"a window that reaches {before:,} rows ahead, as after shift(-{before})"
        if late:
            return "known only later (interpolated or filled from later rows, or moved back)"
        return "marked after the fact (a pivot, a label, a level that later rows confirm or take back)"


def _in_turn(n: int) -> Iterator[int]:
    """All cuts: first some neighbours, where a look of one row ahead shows, then ever denser over all rows."""
    seen = {0, n}
    starts = [int(n * share) for share in (0.35, 0.65, 0.9)]
    order = [s + d for s in starts for d in range(6)]
    width = n
    while width > 1:
        order += range(width // 2, n, width)
        width = (width + 1) // 2
    for cut in (*order, *range(n - 1, 0, -1)):
        if cut not in seen and 0 < cut < n:
            seen.add(cut)
            yield cut


def _is_number(column: Any) -> bool:
    return getattr(column.dtype, "kind", "O") in "iuf"


def _numbers(column: Any) -> NDArray[np.float64]:
    """A column as numbers that are equal where its values are."""
    import pandas as pd

    kind = getattr(column.dtype, "kind", "O")
    if kind in "biuf":
        return column.to_numpy(dtype=float, na_value=np.nan)
    if kind in "mM":
        return np.where(column.isna(), np.nan, column.astype("int64").to_numpy(float))
    try:
        return pd.to_numeric(column, errors="raise").to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError):
        codes = pd.util.hash_array(column.astype(object).astype(str).to_numpy()) >> np.uint64(12)
        return np.where(column.isna(), np.nan, codes.astype(float))


def _frame(data: Any, rows: int, seed: int) -> pd.DataFrame:
    import pandas as pd

    if data is None:
        from smartcore.market.simulator import simulate

        engine = Engine([], bars="200ms")
        events = simulate(seconds=0.6 * rows + 60, seed=seed + 1, regime="mixed").events
        bars = [engine.last_bar[:6] for event in events if engine.on_event(event)]
        ts, *columns = zip(*bars[:rows], strict=True)
        names = ("open", "high", "low", "close", "volume")
        return pd.DataFrame(dict(zip(names, columns, strict=True)), index=pd.to_datetime(np.array(ts), utc=True))
    if isinstance(data, np.ndarray) and data.dtype.names:
        from smartcore.market.events import BAR, Kind

        view = np.ascontiguousarray(data[data["kind"] == Kind.BAR]).view(BAR)[:rows]
        index = pd.to_datetime(view["ts"], utc=True)
        return pd.DataFrame({c: view[c] for c in ("open", "high", "low", "close", "volume")}, index=index)
    if not isinstance(data, pd.DataFrame):
        raise InvalidData(f"{type(data).__name__}: a function is audited on a DataFrame or on bar events")
    return data.iloc[:rows]
