"""What the journal keeps of a decision: the bytes of all it was made from, and under whom; what is read back."""

from __future__ import annotations

import hashlib
import json
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartcore import _core
from smartcore._core import __version__
from smartcore.bot.layouts import CURRENT, Layouts, convert, from_json, plain, to_json
from smartcore.decide import MODELS, Decision, Inputs, Policy, Reason, Scores
from smartcore.features.feature_set import FeatureSet

TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    run INTEGER PRIMARY KEY, started INTEGER NOT NULL, symbol TEXT NOT NULL, policy_id TEXT NOT NULL,
    policy TEXT NOT NULL, models TEXT NOT NULL, columns TEXT NOT NULL, fingerprint TEXT NOT NULL,
    version TEXT NOT NULL, layouts TEXT NOT NULL, policy_record BLOB NOT NULL, inputs_record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS decisions (
    n INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs, id TEXT NOT NULL, symbol TEXT NOT NULL,
    ts INTEGER NOT NULL, signal TEXT NOT NULL, confidence REAL NOT NULL, quality TEXT NOT NULL, stopped_by TEXT,
    price REAL, latency_ns INTEGER, sequence INTEGER NOT NULL, events INTEGER NOT NULL,
    state INTEGER NOT NULL, scorecard INTEGER NOT NULL REFERENCES scorecards,
    decision BLOB NOT NULL, context BLOB NOT NULL, given BLOB NOT NULL, row BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS decisions_id ON decisions (id);
CREATE INDEX IF NOT EXISTS decisions_sequence ON decisions (run, sequence);
CREATE TABLE IF NOT EXISTS scorecards (
    n INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs, record BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    n INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs, first INTEGER NOT NULL, count INTEGER NOT NULL,
    block BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS events_first ON events (run, first);
CREATE TABLE IF NOT EXISTS snapshots (
    n INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs, events INTEGER NOT NULL, sequence INTEGER NOT NULL,
    ts INTEGER NOT NULL, state INTEGER NOT NULL, blob BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS drops (n INTEGER PRIMARY KEY, ts INTEGER NOT NULL, count INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS rings (
    run INTEGER PRIMARY KEY REFERENCES runs, path TEXT, tail INTEGER NOT NULL, drops INTEGER NOT NULL);
"""
"""All but ``rings`` is append-only. What stands in columns is in the records too: they are for those who ask in SQL.
``events``: how many the engine had taken before, ``state``: a hash of those. ``rings``: where the flight recorder of a
run is while it is open (NULL: emptied), and how far it has been written down."""


@dataclass(frozen=True, slots=True)
class Run:
    """What stays the same from one decision of an orchestrator to the next: who decided."""

    symbol: str
    policy_id: str
    policy: Mapping[str, Any]
    models: tuple[Mapping[str, Any], ...]
    columns: tuple[str, ...]
    fingerprint: str
    policy_record: bytes
    inputs_record: bytes
    version: str = __version__
    layouts: Layouts = field(default_factory=lambda: CURRENT, compare=False)
    started: int = field(default_factory=time.time_ns)

    @classmethod
    def of(cls, symbol: str, policy: Policy, models: Sequence[Mapping[str, Any]], features: FeatureSet) -> Run:
        """The run that begins now. ``policy_id`` is a hash of the policy's values."""
        values = _plain({f.name: getattr(policy, f.name) for f in fields(policy) if f.init})
        policy_id = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
        columns, fingerprint = features.columns, features.fingerprint
        inputs = Inputs(columns).raw
        return cls(symbol, policy_id, values, tuple(models), columns, fingerprint, policy.raw, inputs)

    def to_row(self) -> tuple[Any, ...]:
        """As in the table ``runs``, without its number."""
        return (
            self.started,
            self.symbol,
            self.policy_id,
            _json(self.policy),
            _json(self.models),
            _json(self.columns),
            self.fingerprint,
            self.version,
            to_json(self.layouts),
            self.policy_record,
            self.inputs_record,
        )

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Run:
        """Of what :meth:`to_row` wrote."""
        started, symbol, policy_id, policy, models, columns, fingerprint, version, layouts, record, inputs = row
        models, columns = tuple(json.loads(models)), tuple(json.loads(columns))
        return cls(
            symbol, policy_id, json.loads(policy), models, columns, fingerprint, record, inputs, version,
            from_json(layouts), started,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision with all it was made from, as bytes of the layouts of its run. ``str()`` explains it."""

    run: Run
    records: Mapping[str, bytes]
    """DECISION, CONTEXT, GIVEN and SCORECARD."""
    row: NDArray[np.float64]
    """Values of ``run.columns`` at the decision, NaN unknown."""
    events: int
    """How many the engine had taken before."""
    number: int = 0
    """Of the run in its journal, 0 without one."""
    state: int = 0
    """A hash of all events of the run, in order: another bot that says the same has seen the same."""

    def record(self, name: str) -> bytes:
        """The bytes of one as this version has them."""
        if name == "INPUTS" and self.run.layouts[name] != CURRENT[name]:  # this version may look for more columns
            return Inputs(self.run.columns).raw
        if name in ("POLICY", "INPUTS"):
            return convert(
                self.run.policy_record if name == "POLICY" else self.run.inputs_record, name, self.run.layouts
            )
        return convert(self.records[name], name, self.run.layouts)

    def void(self, name: str) -> Any:
        """The same as a NumPy record of its own, to be read or changed."""
        return np.frombuffer(self.record(name), CURRENT[name], 1).copy()[0]

    @property
    def decision(self) -> Decision:
        """The decision itself."""
        return Decision(self.record("DECISION"), self.run.symbol)

    @property
    def gates(self) -> tuple[Reason, ...]:
        """Every gate with its value, limit and the margin by which it passed or failed."""
        return self.decision.reasons

    @property
    def scores(self) -> dict[str, tuple[float, ...]]:
        """What each model that spoke said: probabilities (down, flat, up)."""
        triples = self.void("GIVEN")["triple"].tolist()
        return {name: tuple(p) for name, p in zip(MODELS, triples, strict=True) if p[0] == p[0]}

    @property
    def context(self) -> dict[str, Any]:
        """The circumstances, None not known."""
        values = plain(self.void("CONTEXT"))
        values["equity"] = values["equity"] if values.pop("equity_known") else None
        values["latency_ns"] = values["latency_ns"] if values["latency_ns"] >= 0 else None
        return values | {name: bool(values[name]) for name in ("book_stale", "book_crossed")}

    @property
    def scorecard(self) -> Scores:
        """How past numbers had turned out: what the decision reckoned with."""
        return Scores(self.record("SCORECARD"))

    @property
    def values(self) -> dict[str, float]:
        """The row by column."""
        return dict(zip(self.run.columns, self.row.tolist(), strict=True))

    def again(self, row: NDArray[np.float64] | None = None, **changed: bytes) -> bytes:
        """``decide()`` once more on what was kept: the bytes of a DECISION, equal to the journalled ones.

        row, changed: another row, or another record by its name in lower case (``policy=``, ``context=`` ...), in place
        of what was kept.
        """
        inputs, given, card, policy, context = (
            changed.get(name.lower()) or self.record(name)
            for name in ("INPUTS", "GIVEN", "SCORECARD", "POLICY", "CONTEXT")
        )
        return _core._decide(self.row if row is None else row, inputs, given, card, policy, context)

    @property
    def text(self) -> str:
        """The decision explained, what else it might have been, then who made it."""
        from smartcore.bot.whatif import Whatif

        d = self.decision
        late = "" if d.latency_ns is None else f", about {d.latency_ns / 1e3:.0f} us from event to decision"
        first, *rest = d.explain().splitlines()
        lines = [first, *(f"  {line}" for line in Whatif(self).lines), *rest]
        lines.append(f"  at {np.datetime64(d.ts, 'ns')} UTC, data {d.age_ns / 1e6:.3g} ms old{late}")
        for source, triple in self.scores.items():
            down, flat, up = triple
            name = next((m["name"] for m in self.run.models if m["source"] == source), source)
            lines.append(f"  {source} ({name}) said down {down:.3f}, flat {flat:.3f}, up {up:.3f}")
        unknown = int(np.isnan(self.row).sum())
        if unknown:
            lines.append(f"  {unknown} of {len(self.row)} columns not known yet")
        lines.append(
            f"  policy {self.run.policy_id}, features {self.run.fingerprint[:12]}, smartcore {self.run.version}; "
            f"{self.events:,} events before it, hash {self.state & 2**64 - 1:016x}"
        )
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        from smartcore.bot.whatif import Whatif

        known = {name: value if value - value == 0 else None for name, value in self.values.items()}
        run = self.run
        return {
            "decision": self.decision.to_dict(),
            "text": self.text,
            "whatif": Whatif(self).to_dict(),
            "row": known,
            "scores": {source: list(triple) for source, triple in self.scores.items()},
            "context": self.context,
            "scorecard": self.scorecard.to_dict(),
            "events": self.events,
            "state": f"{self.state & 2**64 - 1:016x}",
            "policy_id": run.policy_id,
            "policy": dict(run.policy),
            "models": [dict(model) for model in run.models],
            "fingerprint": run.fingerprint,
            "version": run.version,
        }

    def __str__(self) -> str:
        return self.text


def shrink(blob: bytes) -> bytes:
    """Where there is time: a row is then a third smaller, for a third of a millisecond."""
    return zlib.compress(blob, 1)


def whole(blob: bytes, size: int) -> bytes:
    """What :func:`shrink` was given, or was not: told apart by the size it has to have. ValueError for neither."""
    blob = blob if len(blob) == size else zlib.decompress(blob)
    if len(blob) != size:
        raise ValueError(f"{len(blob)} bytes instead of {size}")
    return blob


# ---- plain types ----


def _plain(value: Any) -> Any:
    """JSON's own types."""
    if value is None or isinstance(value, (str, bool, int)):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(_plain(item) for item in value)
    return [_plain(item) for item in value]


def _json(value: Any) -> str:
    return json.dumps(_plain(value), separators=(",", ":"))
