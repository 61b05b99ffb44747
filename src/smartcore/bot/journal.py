"""The append-only record of decisions: what was decided, on which numbers, by which policy and models, and why.

SQLite in WAL mode, written by a thread of its own from a bounded queue. The hot path appends to the queue and never
waits: where it is full the decision is dropped from the journal, counted, and the count is written down as soon as
there is room.

What a kill of the process can lose: the decisions of the last ``commit_s`` seconds plus the time one batch takes,
some 0.2 s together, as long as the queue keeps up (``pending`` says so). Committed ones survive ``kill -9`` of the
process; a power cut may take the last commits besides, unless ``durable``.
"""

from __future__ import annotations

import atexit
import logging
import os
import sqlite3
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from smartcore.bot.records import TABLES, Entry, Record, Run
from smartcore.errors import InvalidData

LAYOUT = 1
"""Version of the tables. A journal of a later one is refused, not guessed at."""

_TABLES = ("runs", "decisions", "drops")
_INSERT = f"INSERT INTO decisions VALUES (NULL{', ?' * 15})"
_BATCH = 256
_PAUSE_S = 2e-4

_log = logging.getLogger("smartcore.journal")


class Recent:
    """The last decisions, in memory, for :func:`why` without a journal."""

    def __init__(self, limit: int) -> None:
        self._records: deque[Record] = deque(maxlen=limit)
        self.add = self._records.append
        remember(self)

    def find(self, decision_id: str) -> Entry | None:
        """The decision of this id, or None."""
        for record in reversed(tuple(self._records)):
            if record.decision.id == decision_id:
                return record.entry()
        return None


class Journal:
    """``Journal("bot.journal")``: opened, made where it is absent. Iterating gives every Entry in order, ``len``
    their number.

    path: the SQLite file; beside it live ``-wal`` and ``-shm``.
    limit: decisions the queue holds; beyond, they are dropped and counted (``drops``).
    commit_s: longest time a decision waits for its commit.
    durable: every commit is forced to the disk, so that a power cut loses nothing more either.
    readonly: only look; the file must exist.

    Raises FileNotFoundError, and InvalidData for a file that is no journal of this version. Methods may be called
    from any thread.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        limit: int = 10_000,
        commit_s: float = 0.1,
        durable: bool = False,
        readonly: bool = False,
    ) -> None:
        if limit < 1:
            raise ValueError(f"limit: {limit!r} is below 1")
        if not commit_s > 0:
            raise ValueError(f"commit_s: {commit_s!r} is not positive")
        self.path = Path(path)
        self.limit = limit
        self.commit_s = commit_s
        self.durable = durable
        self.readonly = readonly
        self.drops = 0
        self.error: str | None = None
        """Why the last commit failed; None again once one succeeds. What waits is kept and tried again."""
        self._queue: deque[Record | threading.Event] = deque()
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._runs: dict[int, tuple[Run, int]] = {}
        self._hurried = 0
        self._told = 0
        self._closed = readonly
        if readonly and not self.path.is_file():
            raise FileNotFoundError(f"no journal at {self.path}")
        with self._reading() as connection:
            if not readonly:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.executescript(TABLES + "".join(map(_append_only, _TABLES)))
                connection.execute(f"PRAGMA user_version={LAYOUT}")
        if not readonly:
            self._thread = threading.Thread(target=self._work, name=f"journal {self.path.name}", daemon=True)
            self._thread.start()
            atexit.register(self.close)
        remember(self)

    # ---- writing ----

    def put(self, record: Record) -> bool:
        """Hand one decision over; never waits. False: the queue was full (or the journal closed) and it was dropped."""
        if len(self._queue) >= self.limit or self._closed:
            with self._lock:
                self.drops += 1
            return False
        self._queue.append(record)
        return True

    @property
    def pending(self) -> int:
        """Decisions handed over that the writer has not taken yet."""
        return len(self._queue)

    @property
    def full(self) -> bool:
        """Whether the next decision would be dropped."""
        return len(self._queue) >= self.limit

    def status(self) -> dict[str, Any]:
        """How it stands, as plain JSON types."""
        return {"path": str(self.path), "pending": self.pending, "drops": self.drops, "error": self.error}

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until all handed over before is committed; False if that took longer than ``timeout`` seconds."""
        if self._closed:
            return not self._queue
        done = threading.Event()
        with self._lock:
            self._hurried += 1
        try:
            self._queue.append(done)
            self._wake.set()
            return done.wait(timeout)
        finally:
            with self._lock:
                self._hurried -= 1

    def close(self) -> None:
        """Commit what waits and stop the writer. Closing twice does nothing."""
        if self._closed:
            return
        self.flush()
        self._closed = True
        self._wake.set()
        self._thread.join(10.0)
        atexit.unregister(self.close)
        _places[:] = [ref for ref in _places if ref() not in (None, self)]

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _work(self) -> None:
        connection: sqlite3.Connection | None = None
        rows: list[tuple[Any, ...]] = []
        waiting: list[threading.Event] = []
        while True:
            self._wake.wait(self.commit_s)
            self._wake.clear()
            try:
                if connection is None:
                    connection = sqlite3.connect(self.path, timeout=5.0, isolation_level=None)
                    connection.execute(f"PRAGMA synchronous={'FULL' if self.durable else 'NORMAL'}")
                while self._queue or rows or waiting:
                    self._take(connection, rows, waiting)
                    self._commit(connection, rows)
                    rows.clear()
                    for event in waiting:
                        event.set()
                    waiting.clear()
                if self.drops > self._told:
                    self._commit(connection, rows)
                self.error = None
            except Exception as error:  # a full disk, a locked file: what waits is tried again
                if self.error is None:
                    _log.error("journal %s: %s", self.path, error)
                self.error = f"{type(error).__name__}: {error}"
                if connection is not None and connection.in_transaction:
                    connection.rollback()
                if not self._closed:
                    time.sleep(min(1.0, self.commit_s))
            if self._closed:
                break
        if connection is not None:
            connection.close()

    def _take(
        self, connection: sqlite3.Connection, rows: list[tuple[Any, ...]], waiting: list[threading.Event]
    ) -> None:
        """Encode up to a batch. Encoding needs the interpreter, so between two decisions the hot thread gets it back: a
        thread that held it for a batch would delay a tick by milliseconds."""
        queue = self._queue
        while queue and len(rows) < _BATCH:
            record = queue[0]
            if isinstance(record, threading.Event):
                waiting.append(record)
                queue.popleft()
                break
            try:
                rows.append(record.to_row(self._run(connection, record.run)))
            except (TypeError, ValueError, AttributeError) as error:  # one odd record must not hold up the others
                _log.error("journal %s: %s not recorded: %s", self.path, record.decision.id, error)
                with self._lock:
                    self.drops += 1
            queue.popleft()
            if not self._hurried and len(queue) < self.limit // 2:
                time.sleep(_PAUSE_S)

    def _run(self, connection: sqlite3.Connection, run: Run) -> int:
        known = self._runs.get(id(run))
        if known is None:
            number = connection.execute(f"INSERT INTO runs VALUES (NULL{', ?' * 8})", run.to_row()).lastrowid
            known = self._runs[id(run)] = run, int(number or 0)  # keeps the run alive, so that its id() stays its own
        return known[1]

    def _commit(self, connection: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
        drops = self.drops
        connection.execute("BEGIN")
        connection.executemany(_INSERT, rows)
        if drops > self._told:
            connection.execute("INSERT INTO drops VALUES (NULL, ?, ?)", (time.time_ns(), drops - self._told))
            _log.warning("journal %s: queue full, %d decisions not recorded", self.path, drops - self._told)
        connection.execute("COMMIT")
        self._told = drops

    # ---- reading ----

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """A connection of the caller's own, checked to be to a journal."""
        mode = "ro" if self.readonly else "rwc"
        try:
            with closing(sqlite3.connect(f"{self.path.absolute().as_uri()}?mode={mode}", uri=True)) as connection:
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
                if version > LAYOUT:
                    raise InvalidData(
                        f"{self.path}: a journal of layout {version}, newer than {LAYOUT}, the newest known here"
                    )
                if (tables or self.readonly) and not tables.issuperset(_TABLES):
                    raise InvalidData(f"{self.path}: an SQLite file, but no journal")
                yield connection
        except sqlite3.Error as error:
            raise InvalidData(f"{self.path}: cannot be read as a journal: {error}") from error

    def _entries(self, where: str, values: tuple[Any, ...]) -> Iterator[Entry]:
        if not self._closed:
            self.flush()
        runs: dict[int, Run] = {}
        query = f"SELECT run, row, scores, context, scorecard, decision FROM decisions {where}"
        with self._reading() as connection:
            try:
                for number, *row in connection.execute(query, values):
                    if number not in runs:
                        run = connection.execute("SELECT * FROM runs WHERE run = ?", (number,)).fetchone()
                        runs[number] = Run.from_row(run[1:])
                    yield Entry.from_row(row, runs[number])
            except (sqlite3.Error, KeyError, ValueError, TypeError) as error:
                raise InvalidData(f"{self.path}: damaged: {error}") from error

    def __iter__(self) -> Iterator[Entry]:
        return self._entries("ORDER BY n", ())

    def __len__(self) -> int:
        return self._number("SELECT count(*) FROM decisions")

    @property
    def dropped(self) -> int:
        """Decisions that this file says it did not take, over its whole life."""
        return self._number("SELECT coalesce(sum(count), 0) FROM drops")

    def _number(self, query: str) -> int:
        if not self._closed:
            self.flush()
        with self._reading() as connection:
            return int(connection.execute(query).fetchone()[0])

    def find(self, decision_id: str) -> Entry | None:
        """The decision of this id, the newest where a replay made it again; None if it is not here."""
        return next(self._entries("WHERE id = ? ORDER BY n DESC LIMIT 1", (decision_id,)), None)

    def last(self, count: int = 1) -> list[Entry]:
        """The newest ``count`` decisions, oldest of them first."""
        return list(self._entries("ORDER BY n DESC LIMIT ?", (count,)))[::-1]

    def __repr__(self) -> str:
        return f"<Journal {self.path}: {self.pending} pending, {self.drops} dropped>"


_places: list[weakref.ref[Journal | Recent]] = []


def remember(place: Journal | Recent) -> None:
    """Let :func:`why` look here too, for as long as it lives."""
    _places[:] = [ref for ref in _places if ref() is not None]
    _places.append(weakref.ref(place))


def why(decision_id: str, journal: Journal | str | os.PathLike[str] | None = None) -> Entry:
    """Why a decision is what it is: every gate with its margin, the row, the scores, policy and models.

    journal: a Journal or its file. Left out, the journals open in this process and the last decisions of its
    orchestrators are asked, the newest first, then the file named by the environment variable SMARTCORE_JOURNAL.

    ``print(why(id))`` tells it in lines. Raises LookupError for an id nobody has, FileNotFoundError, InvalidData.
    """
    places: list[Journal | Recent] = []
    if journal is None:
        places += [place for ref in reversed(_places) if (place := ref()) is not None]
        if not places and os.environ.get("SMARTCORE_JOURNAL"):
            places.append(Journal(os.environ["SMARTCORE_JOURNAL"], readonly=True))
    else:
        places.append(journal if isinstance(journal, Journal) else Journal(journal, readonly=True))
    for place in places:
        entry = place.find(decision_id)
        if entry is not None:
            return entry
    asked = journal.path if isinstance(journal, Journal) else journal or "any open journal"
    raise LookupError(f"no decision {decision_id!r} in {asked}")


def _append_only(table: str) -> str:
    return "".join(
        f"CREATE TRIGGER IF NOT EXISTS {table}_{verb} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, 'a journal is append-only'); END;"
        for verb in ("update", "delete")
    )
