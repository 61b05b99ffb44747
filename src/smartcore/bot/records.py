"""What the journal keeps of a decision: the record that the hot path hands over, its row in the file, and the entry
that is read back.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartcore._core import __version__
from smartcore.decide import Context, Decision, Policy, Reason, Scores
from smartcore.features.feature_set import FeatureSet

TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    run INTEGER PRIMARY KEY, started INTEGER NOT NULL, symbol TEXT NOT NULL, policy_id TEXT NOT NULL,
    policy TEXT NOT NULL, models TEXT NOT NULL, columns TEXT NOT NULL, fingerprint TEXT NOT NULL,
    version TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS decisions (
    n INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs, id TEXT NOT NULL, symbol TEXT NOT NULL,
    ts INTEGER NOT NULL, signal TEXT NOT NULL, confidence REAL NOT NULL, quality TEXT NOT NULL, stopped_by TEXT,
    price REAL, latency_ns INTEGER, row BLOB NOT NULL, scores TEXT NOT NULL, context TEXT NOT NULL,
    scorecard TEXT NOT NULL, decision TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS decisions_id ON decisions (id);
CREATE TABLE IF NOT EXISTS drops (n INTEGER PRIMARY KEY, ts INTEGER NOT NULL, count INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Run:
    """What stays the same from one decision of an orchestrator to the next: who decided."""

    symbol: str
    policy_id: str
    policy: Mapping[str, Any]
    models: tuple[Mapping[str, Any], ...]
    columns: tuple[str, ...]
    fingerprint: str
    version: str
    started: int = field(default_factory=time.time_ns)

    @classmethod
    def of(cls, symbol: str, policy: Policy, models: Sequence[Mapping[str, Any]], features: FeatureSet) -> Run:
        """The run that begins now. ``policy_id`` is a hash of the policy's values."""
        values = {f.name: getattr(policy, f.name) for f in fields(policy) if f.init}
        values |= {"weights": dict(policy.parts), "uncalibrated": sorted(policy.uncalibrated)}
        policy_id = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
        columns, fingerprint = features.columns, features.fingerprint
        return cls(symbol, policy_id, values, tuple(models), columns, fingerprint, __version__)

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
        )

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Run:
        """Of what :meth:`to_row` wrote."""
        started, symbol, policy_id, policy, models, columns, fingerprint, version = row
        models, columns = tuple(json.loads(models)), tuple(json.loads(columns))
        return cls(symbol, policy_id, json.loads(policy), models, columns, fingerprint, version, started)


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision with all it was made from. ``str()`` explains it."""

    decision: Decision
    row: NDArray[np.float64]
    """Values of ``run.columns`` at the decision, NaN unknown."""
    scores: Mapping[str, tuple[float, ...]]
    """What each model said, by source: probabilities (down, flat, up)."""
    context: Mapping[str, Any]
    scorecard: Mapping[str, Any]
    """The record of each source at that time."""
    run: Run
    card: Scores | None = None
    """All of it."""

    @classmethod
    def from_row(cls, row: Sequence[Any], run: Run) -> Entry:
        """Of the columns row, scores, context, scorecard and decision of the table ``decisions``."""
        values, scores, context, scorecard, decision = row
        records = json.loads(scorecard)
        raw = records.pop("raw", None)
        return cls(
            Decision.from_dict(json.loads(decision)),
            np.frombuffer(values, "<f8"),
            {source: tuple(triple) for source, triple in json.loads(scores).items()},
            json.loads(context),
            records,
            run,
            None if raw is None else Scores(bytes.fromhex(raw)),
        )

    @property
    def gates(self) -> tuple[Reason, ...]:
        """Every gate with its value, limit and the margin by which it passed or failed."""
        return self.decision.reasons

    @property
    def values(self) -> dict[str, float]:
        """The row by column."""
        return dict(zip(self.run.columns, self.row.tolist(), strict=True))

    @property
    def text(self) -> str:
        """The decision explained, then who made it."""
        d = self.decision
        late = "" if d.latency_ns is None else f", about {d.latency_ns / 1e3:.0f} us from event to decision"
        lines = [d.explain(), f"  at {np.datetime64(d.ts, 'ns')} UTC, data {d.age_ns / 1e6:.3g} ms old{late}"]
        for source, triple in self.scores.items():
            down, flat, up = triple
            name = next((m["name"] for m in self.run.models if m["source"] == source), source)
            lines.append(f"  {source} ({name}) said down {down:.3f}, flat {flat:.3f}, up {up:.3f}")
        unknown = int(np.isnan(self.row).sum())
        if unknown:
            lines.append(f"  {unknown} of {len(self.row)} columns not known yet")
        lines.append(
            f"  policy {self.run.policy_id}, features {self.run.fingerprint[:12]}, smartcore {self.run.version}"
        )
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        known = {name: value if value == value else None for name, value in self.values.items()}
        run = self.run
        return {
            "decision": self.decision.to_dict(),
            "text": self.text,
            "row": known,
            "scores": {source: list(triple) for source, triple in self.scores.items()},
            "context": dict(self.context),
            "scorecard": dict(self.scorecard),
            "policy_id": run.policy_id,
            "policy": dict(run.policy),
            "models": [dict(model) for model in run.models],
            "fingerprint": run.fingerprint,
            "version": run.version,
        }

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Record:
    """A decision as the hot path hands it over: references and one copy of the row, nothing encoded yet."""

    run: Run
    decision: Decision
    row: bytes
    scores: Mapping[str, NDArray[np.float64]]
    context: Context
    scorecard: Scores | None

    def entry(self) -> Entry:
        """What is read back, without a file."""
        scores = {source: tuple(triple.tolist()) for source, triple in self.scores.items()}
        row = np.frombuffer(self.row, np.float64)
        context, records = _context(self.context), _scorecard(self.scorecard)
        return Entry(self.decision, row, scores, context, records, self.run, self.scorecard)

    def to_row(self, run: int) -> tuple[Any, ...]:
        """As in the table ``decisions``, without its number; ``run`` is that of :attr:`run`."""
        d = self.decision
        scores = {source: triple.tolist() for source, triple in self.scores.items()}
        return (
            run,
            d.id,
            d.symbol,
            d.ts,
            d.signal.value,
            d.confidence,
            d.quality.value,
            next((reason.gate for reason in d.reasons if not reason.passed), None),
            d.price,
            d.latency_ns,
            self.row,
            _json(scores),
            _json(_context(self.context)),
            _json(_scorecard(self.scorecard) | ({} if self.scorecard is None else {"raw": self.scorecard.raw.hex()})),
            _json(d),
        )


# ---- plain types ----


def _plain(value: Any) -> Any:
    """JSON's own types; without the sentences of reasons, which are made again when asked for."""
    if isinstance(value, Decision):
        value = value.to_dict()
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, StrEnum):
        return value.value
    if value is None or isinstance(value, (int, str)):
        return value
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (tuple, list, frozenset)):
        return [_plain(item) for item in value]
    return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}


def _json(value: Any) -> str:
    return json.dumps(_plain(value), separators=(",", ":"))


_CONTEXT = tuple(f.name for f in fields(Context) if f.name not in ("inputs", "raw"))


def _context(context: Context) -> dict[str, Any]:
    """All of it but ``inputs``, which follow from the run's columns."""
    return {name: _plain(getattr(context, name)) for name in _CONTEXT}


def _scorecard(scores: Scores | None) -> dict[str, Any]:
    return {} if scores is None else {source: _plain(score) for source, score in scores.by_source}
