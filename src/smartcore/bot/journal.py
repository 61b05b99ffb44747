"""The append-only record of decisions: what was decided, on which numbers, by which policy and models, and why.

A decision is put into a ring in memory (:class:`smartcore._core.Flight`), which takes about a microsecond, waits for
nothing and needs no interpreter; a thread of the journal's own writes from there into SQLite in WAL mode. Where the
ring is full the decision is dropped from the journal, counted, and the count is written down as soon as there is room.

The ring is a memory-mapped file beside the journal. What a kill of the process (``kill -9``, out of memory, a crash)
can lose is the decision that is being put at that moment, and nothing before it: whoever opens the journal next finds
the ring and writes down what was not yet, and who only reads looks into it too. A power cut loses what the system had
not written to the disk: decisions that were not committed yet, and the last commits, these not if ``durable``. Where
files cannot be locked (Windows) the ring is plain memory, and a kill loses what was not committed: ``commit_s`` and one
batch.
"""

from __future__ import annotations

import atexit
import logging
import math
import mmap
import os
import sqlite3
import sys
import threading
import time
import weakref
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from smartcore._core import EVENT, SCORECARD, Flight
from smartcore.bot.records import TABLES, Entry, Run, shrink, whole
from smartcore.decide import GATES, Quality, Signal
from smartcore.errors import InvalidData

if sys.platform != "win32":
    import fcntl

LAYOUT = 2
"""Version of the tables. A journal of another one is refused, not guessed at."""

_APPENDED = ("runs", "decisions", "scorecards", "events", "snapshots", "drops")
_TABLES = (*_APPENDED, "rings")
_INSERT = f"INSERT INTO decisions VALUES (NULL{', ?' * 18})"
_BATCH, _LITTLE = 256, 16
_LEAST = 1 << 18

_log = logging.getLogger("smartcore.journal")
_SIGNALS = tuple(signal.value for signal in Signal)
_QUALITIES = tuple(quality.value for quality in Quality)
_GATES = tuple(GATES)
_COLUMNS = ("ts", "sequence", "signal", "confidence", "quality", "price", "latency_ns")


class Recent:
    """The last decisions of a run, in memory, for :func:`why` without a journal.

    flight: where they are put; ``memory`` bytes are kept of it.
    """

    def __init__(self, run: Run, memory: int = 2 << 20) -> None:
        self.run = run
        self._memory = mmap.mmap(-1, memory)
        self.flight = Flight(self._memory, newest=True, capture=False)
        remember(self)

    def entries(self) -> list[Entry]:
        """All that are left, the oldest first."""
        image = bytes(self._memory)
        found = Flight.read(image, self.flight.tail)  # what was overwritten while it was copied is before the tail now
        return [_entry(item, item[6], self.run, 0) for item in found[0]] if found else []

    def find(self, decision_id: str) -> Entry | None:
        """The decision of this id, or None."""
        return next((e for e in reversed(self.entries()) if e.decision.id == decision_id), None)


class _Ring:
    """One flight recorder, and how far it has been written down."""

    def __init__(
        self, number: int, run: Run, memory: mmap.mmap, capture: bool, path: Path | None, file: IO[bytes] | None
    ) -> None:
        self.number, self.run, self.path, self.file = number, run, path, file
        self.flight = Flight(memory, capture=capture)
        self.at = 0
        self.card: int | None = None  # number of the last scorecard written
        self.told = 0
        self.retired = False

    @property
    def used(self) -> int:
        return self.flight.head - self.flight.tail


class Journal:
    """``Journal("bot.journal")``: opened, made where it is absent. Iterating gives every Entry in order, ``len``
    their number.

    path: the SQLite file; beside it live ``-wal``, ``-shm`` and, while a bot runs, one ``-ring`` for each instrument.
    memory: bytes of the first ring, that is, of what waits to be written; beyond, decisions are dropped and counted
        (``drops``). A decision on 1,000 columns takes 14 kB, so 16 MiB hold some 1,100. The ring of a second instrument
        is half as large, and so on down to a quarter of a MiB.
    events: the events are kept too, 64 bytes each before compression, so that decisions can be replayed from them.
    commit_s: longest time a decision waits for its commit.
    durable: every commit is forced to the disk, so that a power cut loses no commit.
    rings: folder of the rings, by default that of the journal. One in memory (``/dev/shm``) keeps a slow disk out of
        the hot path; a kill loses nothing there either, a restart of the machine does.
    readonly: only look; the file must exist.

    Opening one for writing finishes what a killed process left; rings of processes that live are left to them.

    Raises FileNotFoundError, and InvalidData for a file that is no journal of this version. Methods may be called
    from any thread.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        memory: int = 16 << 20,
        events: bool = False,
        commit_s: float = 0.1,
        durable: bool = False,
        rings: str | os.PathLike[str] | None = None,
        readonly: bool = False,
    ) -> None:
        if memory < _LEAST:
            raise ValueError(f"memory: {memory!r} is below {_LEAST}")
        if not commit_s > 0:
            raise ValueError(f"commit_s: {commit_s!r} is not positive")
        self.path = Path(path)
        self.memory = memory
        self.events = events
        self.commit_s = commit_s
        self.durable = durable
        self.readonly = readonly
        self.error: str | None = None
        """Why the last commit failed; None again once one succeeds. What waits is kept and tried again."""
        self.recovered = 0
        """Decisions that a killed process had left in its ring, written down when this was opened."""
        self._folder = None if rings is None else Path(rings)
        self._rings: list[_Ring] = []
        self._gone = 0  # drops of rings that are retired
        self._past: list[tuple[weakref.ref[Flight], int]] = []  # those, and how much of that was theirs
        self._unsaid, self._said = 0, -math.inf  # drops that were not logged yet; when some last were
        self._wake = threading.Event()
        self._lock = threading.Lock()  # of the list of rings, and of who writes
        self._closed = readonly
        if readonly and not self.path.is_file():
            raise FileNotFoundError(f"no journal at {self.path}")
        with self._reading() as connection:
            if not readonly:
                connection.execute("PRAGMA journal_mode=WAL")
                connection.executescript(TABLES + "".join(map(_append_only, _APPENDED)))
                connection.execute(f"PRAGMA user_version={LAYOUT}")
        if not readonly:
            with self._writing() as connection:
                self._recover(connection)
            self._thread = threading.Thread(target=self._work, name=f"journal {self.path.name}", daemon=True)
            self._thread.start()
            atexit.register(self.close)
        remember(self)

    # ---- writing ----

    def open(self, run: Run) -> Flight:
        """A flight recorder for the decisions of ``run``; one thread at a time may put into it. It is ready when this
        returns: run and ring are on the disk. One of a journal that is closed takes nothing.

        Raises ValueError for a journal that was opened to be read only.
        """
        if self.readonly:
            raise ValueError(f"{self.path}: opened to be read only")
        if self._closed:
            flight = Flight(mmap.mmap(-1, 8192))
            flight.close()
            self._past.append((weakref.ref(flight), 0))
            return flight
        size = max(_LEAST, self.memory >> len(self._rings))
        with self._lock, self._writing() as connection:
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("BEGIN IMMEDIATE")
            cursor = connection.execute(f"INSERT INTO runs VALUES (NULL{', ?' * 11})", run.to_row())
            number = int(cursor.lastrowid or 0)
            path = (self._folder or self.path.absolute().parent) / f"{self.path.name}-ring{number}"
            memory, file = _mapped(path, size) if _LOCKS else (mmap.mmap(-1, size), None)
            kept = str(path) if file else None
            connection.execute("INSERT INTO rings VALUES (?, ?, 0, 0)", (number, kept))
            connection.execute("COMMIT")
            ring = _Ring(number, run, memory, self.events, path if file else None, file)
            self._rings.append(ring)
        return ring.flight

    def retire(self, flight: Flight) -> None:
        """Nothing more is put into this one: it is emptied and its file removed."""
        flight.close()
        for ring in list(self._rings):
            if ring.flight is flight:
                ring.retired = True
                self._wake.set()

    def snapshot(self, flight: Flight, blob: bytes, ts: int, sequence: int) -> None:
        """Keep the state of a bot as it is between two events, from which later decisions can be replayed.

        ts: of the last event; sequence: of the decision to come. It is committed when this returns: what is put
        afterwards survives a kill, and would be worth less without it. Raises sqlite3.Error where that fails.
        """
        for ring in list(self._rings):
            if ring.flight is flight:
                row = (ring.number, flight.events, sequence, ts, _signed(flight.state), shrink(blob))
                with self._lock, self._writing() as connection:
                    _insert(connection, "snapshots", *row)

    @property
    def drops(self) -> int:
        """Decisions that found no room, since this was opened."""
        late = sum(flight.drops - told for ref, told in self._past if (flight := ref()) is not None)
        return self._gone + late + sum(ring.flight.drops for ring in self._rings)

    @property
    def pending(self) -> int:
        """Bytes put that are not committed yet."""
        return sum(ring.used for ring in self._rings)

    @property
    def full(self) -> bool:
        """Whether a ring is more than half full: where it can wait, a replay does."""
        return any(2 * ring.used > ring.flight.capacity for ring in self._rings)

    def status(self) -> dict[str, Any]:
        """How it stands, as plain JSON types; sizes in bytes."""
        rings = list(self._rings)
        return {
            "path": str(self.path),
            "pending": self.pending,
            "rings": len(rings),
            "memory": sum(ring.flight.capacity for ring in rings),
            "drops": self.drops,
            "lost_events": sum(ring.flight.lost for ring in rings),
            "recovered": self.recovered,
            "error": self.error,
        }

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until all put before is committed; False if that took longer than ``timeout`` seconds."""
        marks = [(ring, ring.flight.head) for ring in list(self._rings)]
        until = time.monotonic() + timeout
        while any(ring.flight.tail < head for ring, head in marks):
            if self._closed or time.monotonic() > until:
                return False
            self._wake.set()
            time.sleep(1e-3)
        return True

    def close(self) -> None:
        """Commit what waits, remove the rings and stop the writer. Closing twice does nothing."""
        if self._closed:
            return
        self.flush()
        self.end()
        self._thread.join(10.0)

    def end(self) -> None:
        """As :meth:`close`, without waiting for it: the writer does what is left and goes."""
        if self._closed:
            return
        self._closed = True
        self._wake.set()
        atexit.unregister(self.close)
        _places[:] = [ref for ref in _places if ref() not in (None, self)]

    def _leave(self) -> None:
        """In a forked process: all of it is the parent's."""
        self._closed = True
        self._lock = threading.Lock()  # a thread that is not here may have held it
        for ring in self._rings:
            ring.flight.leave()
        self._rings = []
        atexit.unregister(self.close)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=5.0, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA synchronous={'FULL' if self.durable else 'NORMAL'}")
            yield connection

    def _work(self) -> None:
        connection: sqlite3.Connection | None = None
        while True:
            self._wake.wait(self.commit_s)
            self._wake.clear()
            closed = self._closed
            try:
                if connection is None:
                    connection = sqlite3.connect(self.path, timeout=5.0, isolation_level=None)
                    connection.execute(f"PRAGMA synchronous={'FULL' if self.durable else 'NORMAL'}")
                for ring in list(self._rings):
                    over = ring.retired or closed  # asked before it is emptied: nothing is put after that
                    if over:
                        ring.flight.close()
                    self._drain(connection, ring)
                    if over:
                        self._remove(connection, ring)
                self.error = None
            except Exception as error:  # a full disk, a locked file: what waits is tried again
                if self.error is None:
                    _log.error("journal %s: %s", self.path, error)
                self.error = f"{type(error).__name__}: {error}"
                if connection is not None and connection.in_transaction:
                    connection.rollback()
                if not closed:
                    time.sleep(min(1.0, self.commit_s))
            self._warn(0)
            if closed:
                break
        if connection is not None:
            connection.close()

    def _drain(self, connection: sqlite3.Connection, ring: _Ring) -> None:
        """All that is there, a batch to a commit. What is encoded holds the interpreter, so batches are small (a tick
        would wait for it) until there is more than can be kept up with in that way."""
        flight = ring.flight
        head = flight.head  # what comes later is for the next time: others have rings too
        while ring.at < head or flight.drops > ring.told:
            behind = 4 * ring.used > flight.capacity
            items, end = flight.take(ring.at, _BATCH if behind else _LITTLE)
            if end == ring.at < head:
                raise InvalidData(f"{self.path}: the ring of run {ring.number} is damaged in memory")
            self._write(connection, ring, items, end, flight.drops, pack=8 * ring.used < flight.capacity)
            flight.release(end)
            ring.at = end
            if not behind:
                time.sleep(0)

    def _write(
        self, connection: sqlite3.Connection, ring: _Ring, items: list[Any], end: int, drops: int, *, pack: bool
    ) -> None:
        """One commit of what was taken from a ring, and of how far that is."""
        decisions = [item for item in items if len(item) == 8]
        card = ring.card
        with self._lock:
            connection.execute("BEGIN IMMEDIATE")
            cards = []
            for item in decisions:
                if item[6] is not None or card is None:
                    said = item[6] or bytes(SCORECARD.itemsize)
                    card = _insert(connection, "scorecards", ring.number, shrink(said) if pack else said)
                cards.append(card)
            if decisions:
                connection.executemany(_INSERT, _rows(decisions, cards, ring.run, ring.number, pack))
            for item in items:
                if len(item) == 3:
                    count = len(item[2]) // EVENT.itemsize
                    _insert(connection, "events", ring.number, item[1], count, shrink(item[2]))
            if drops > ring.told:
                connection.execute("INSERT INTO drops VALUES (NULL, ?, ?)", (time.time_ns(), drops - ring.told))
            connection.execute("UPDATE rings SET tail = ?, drops = ? WHERE run = ?", (end, drops, ring.number))
            connection.execute("COMMIT")
        self._warn(drops - ring.told)
        ring.card, ring.told = card, drops

    def _warn(self, drops: int) -> None:
        """Once a second at most: whoever drops a thousand decisions a second has enough to do."""
        self._unsaid += drops
        now = time.monotonic()
        if self._unsaid and now >= self._said + 1.0:
            _log.warning("journal %s: ring full, %d decisions not recorded", self.path, self._unsaid)
            self._unsaid, self._said = 0, now

    def _remove(self, connection: sqlite3.Connection, ring: _Ring) -> None:
        drops = ring.flight.drops
        connection.execute("UPDATE rings SET path = NULL WHERE run = ?", (ring.number,))
        self._past = [(ref, told) for ref, told in self._past if ref() is not None]
        self._past.append((weakref.ref(ring.flight), drops))
        self._rings.remove(ring)
        self._gone += drops
        if ring.path is not None:
            ring.path.unlink(missing_ok=True)
        if ring.file is not None:
            ring.file.close()

    # ---- after a kill ----

    def _recover(self, connection: sqlite3.Connection) -> None:
        """Write down what rings of processes that are no more hold beyond what was committed."""
        for number, path, tail, drops in connection.execute("SELECT * FROM rings WHERE path IS NOT NULL").fetchall():
            file = _locked(Path(path))
            if file is None:
                if not Path(path).exists():
                    connection.execute("UPDATE rings SET path = NULL WHERE run = ?", (number,))
                continue
            with file:
                if connection.execute("SELECT path FROM rings WHERE run = ?", (number,)).fetchone() != (path,):
                    continue  # another has done it meanwhile
                self._salvage(connection, number, Path(path), file.read(), tail, drops)

    def _salvage(
        self, connection: sqlite3.Connection, number: int, path: Path, image: bytes, tail: int, drops: int
    ) -> None:
        found = Flight.read(image, tail)
        if found is not None:
            items, end, standing = found
            row = connection.execute("SELECT * FROM runs WHERE run = ?", (number,)).fetchone()
            left = _Left(number, Run.from_row(row[1:]), _last_card(connection, number), drops)
            for at in range(0, max(1, len(items)), _BATCH):
                batch = items[at : at + _BATCH]
                self._write(connection, left, batch, batch[-1][0] if batch else end, standing["drops"], pack=False)
            self.recovered += sum(len(item) == 8 for item in items)
            if end != standing["head"]:  # only a power cut does that
                kept = path.with_name(path.name + ".damaged")
                kept.write_bytes(image)
                lost = standing["head"] - end
                _log.error("journal %s: %d bytes of a ring are damaged, kept as %s", self.path, lost, kept)
        elif any(image):
            _log.error("journal %s: %s is no ring", self.path, path)
        connection.execute("UPDATE rings SET path = NULL WHERE run = ?", (number,))
        path.unlink(missing_ok=True)

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
                if 0 < version < LAYOUT:
                    raise InvalidData(
                        f"{self.path}: a journal of layout {version}, from before decisions were kept as bytes; "
                        "the version of smartcore that wrote it reads it"
                    )
                if (tables or self.readonly) and not tables.issuperset(_TABLES):
                    raise InvalidData(f"{self.path}: an SQLite file, but no journal")
                yield connection
        except sqlite3.Error as error:
            raise InvalidData(f"{self.path}: cannot be read as a journal: {error}") from error

    def _images(self, connection: sqlite3.Connection) -> dict[int, bytes]:
        """Rings as they are now, by run, for who only reads: their decisions count as soon as they are put."""
        images = {}
        if self.readonly:
            for number, path in connection.execute("SELECT run, path FROM rings WHERE path IS NOT NULL").fetchall():
                with suppress(OSError):
                    images[number] = Path(path).read_bytes()
        return images

    def _entries(self, where: str, values: tuple[Any, ...] = (), last: int | None = None) -> Iterator[Entry]:
        """Those of the file, then those that are still in rings (only ``where`` is empty or an id's)."""
        if not self._closed:
            self.flush()
        runs: dict[int, Run] = {}
        cards: dict[int, bytes] = {}

        def run_of(number: int) -> Run:
            if number not in runs:
                row = connection.execute("SELECT * FROM runs WHERE run = ?", (number,)).fetchone()
                runs[number] = Run.from_row(row[1:])
            return runs[number]

        def card_of(number: int, size: int) -> bytes:
            if number not in cards:
                row = connection.execute("SELECT record FROM scorecards WHERE n = ?", (number,)).fetchone()
                cards.clear()
                cards[number] = whole(row[0], size)
            return cards[number]

        query = f"SELECT run, events, state, scorecard, decision, context, given, row FROM decisions {where}"
        with self._reading() as connection:
            try:
                images = self._images(connection)  # before the file: what is in neither would be lost between them
                connection.execute("BEGIN")
                waiting = []
                for number, image in images.items():
                    waiting += _waiting(connection, number, image, run_of(number))
                yield from reversed(waiting) if last is not None else ()
                for number, events, state, card, decision, context, given, row in connection.execute(query, values):
                    run = run_of(number)
                    records = {"DECISION": decision, "CONTEXT": context, "GIVEN": given}
                    records["SCORECARD"] = card_of(card, run.layouts["SCORECARD"].itemsize)
                    values_ = np.frombuffer(whole(row, 8 * len(run.columns)), "<f8")
                    yield Entry(run, records, values_, events, number, state)
                yield from waiting if last is None else ()
            except (sqlite3.Error, KeyError, ValueError, TypeError, EOFError) as error:
                raise InvalidData(f"{self.path}: damaged: {error}") from error

    def __iter__(self) -> Iterator[Entry]:
        return self._entries("ORDER BY n")

    def __len__(self) -> int:
        if not self._closed:
            self.flush()
        with self._reading() as connection:
            images = self._images(connection)
            connection.execute("BEGIN")
            more = 0
            for number, image in images.items():
                row = connection.execute("SELECT tail FROM rings WHERE run = ?", (number,)).fetchone()
                found = Flight.read(image, row[0])
                more += sum(len(item) == 8 for item in found[0]) if found else 0
            return more + int(connection.execute("SELECT count(*) FROM decisions").fetchone()[0])

    @property
    def dropped(self) -> int:
        """Decisions that this file says it did not take, over its whole life."""
        if not self._closed:
            self.flush()
        with self._reading() as connection:
            return int(connection.execute("SELECT coalesce(sum(count), 0) FROM drops").fetchone()[0])

    def find(self, decision_id: str) -> Entry | None:
        """The decision of this id, the newest where a replay made it again; None if it is not here."""
        where = "WHERE id = ? ORDER BY n DESC LIMIT 1"
        entries = self._entries(where, (decision_id,), last=1)
        return next((entry for entry in entries if entry.decision.id == decision_id), None)

    def last(self, count: int = 1) -> list[Entry]:
        """The newest ``count`` decisions, oldest of them first."""
        found = self._entries("ORDER BY n DESC LIMIT ?", (count,), last=count)
        return [entry for entry, _ in zip(found, range(count), strict=False)][::-1]

    def of_run(self, number: int, first: int = 0, last: int | None = None) -> Iterator[Entry]:
        """Decisions number ``first`` to ``last`` (by default all further ones) of a run, in their order."""
        until = 2**62 if last is None else last
        where = "WHERE run = ? AND sequence BETWEEN ? AND ? ORDER BY sequence"
        for entry in self._entries(where, (number, first, until)):
            if entry.number == number and first <= entry.decision.sequence <= until:
                yield entry

    @property
    def runs(self) -> dict[int, tuple[Run, int]]:
        """By number: who decided, and how many decisions are written down (not those still in a ring)."""
        if not self._closed:
            self.flush()
        with self._reading() as connection:
            counts = dict(connection.execute("SELECT run, count(*) FROM decisions GROUP BY run").fetchall())
            rows = connection.execute("SELECT * FROM runs").fetchall()
            return {row[0]: (Run.from_row(row[1:]), counts.get(row[0], 0)) for row in rows}

    def snapshot_of(self, run: int, sequence: int) -> tuple[int, int, int, int, bytes] | None:
        """The last kept state of a run from which decision number ``sequence`` is still to come: how many events it had
        taken, the number of its next decision, the time of its last event, the hash of its events, and itself. None:
        there is none."""
        if not self._closed:
            self.flush()
        with self._reading() as connection:
            row = connection.execute(
                "SELECT events, sequence, ts, state, blob FROM snapshots WHERE run = ? AND sequence <= ? "
                "ORDER BY n DESC LIMIT 1",
                (run, sequence),
            ).fetchone()
        return None if row is None else (*row[:4], zlib.decompress(row[4]))

    def events_of(self, run: int, first: int, until: int) -> NDArray[np.void]:
        """Events number ``first`` up to and without ``until`` of a run, dtype EVENT; kind 0 is time that passed.

        Raises InvalidData where one of them is not here: not captured, or lost while the ring was full.
        """
        if not self._closed:
            self.flush()
        blocks, at = [], first
        with self._reading() as connection:
            images = self._images(connection)
            connection.execute("BEGIN")
            query = "SELECT first, block FROM events WHERE run = ? AND first < ? AND first + count > ? ORDER BY first"
            found = [(begin, zlib.decompress(block)) for begin, block in connection.execute(query, (run, until, first))]
            if run in images:
                tail = connection.execute("SELECT tail FROM rings WHERE run = ?", (run,)).fetchone()[0]
                items = Flight.read(images[run], tail)
                found += [item[1:] for item in items[0] if len(item) == 3] if items else []
        for begin, block in found:
            size = EVENT.itemsize
            end = begin + len(block) // size
            if begin <= at < end and at < until:
                blocks.append(block[(at - begin) * size : (min(end, until) - begin) * size])
                at = min(end, until)
        if at < until:
            raise InvalidData(f"{self.path}: events {first} to {until} of run {run} are not all here: {at} is missing")
        return np.frombuffer(b"".join(blocks), EVENT)

    def __repr__(self) -> str:
        return f"<Journal {self.path}: {self.pending:,} bytes pending, {self.drops} dropped>"


class _Left(_Ring):
    """What a killed process left, as something to be written down."""

    def __init__(self, number: int, run: Run, card: int | None, told: int) -> None:
        self.number, self.run, self.card, self.told = number, run, card, told


# ---- rings in files ----

_LOCKS = sys.platform != "win32"


def _mapped(path: Path, size: int) -> tuple[mmap.mmap, IO[bytes]]:
    """A file of zeros, locked for as long as this process lives, in memory. All of it is written first: a page that
    finds no room on the disk later would end the process, and one that is there already costs the hot path no fault."""
    file = open(path, "w+b")  # noqa: SIM115
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for _ in range(0, size, 1 << 20):
            file.write(bytes(1 << 20))
        file.truncate(size)
        file.flush()
        flags = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
        return mmap.mmap(file.fileno(), size, flags=flags), file
    except BaseException:
        file.close()
        path.unlink(missing_ok=True)
        raise


def _locked(path: Path) -> IO[bytes] | None:
    """A left-over file, locked; None where it is gone, or its process lives."""
    if not _LOCKS:
        return None
    try:
        file = open(path, "r+b")  # noqa: SIM115
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def _waiting(connection: sqlite3.Connection, number: int, image: bytes, run: Run) -> list[Entry]:
    """Decisions in a copy of a ring that the file does not have yet."""
    tail = connection.execute("SELECT tail FROM rings WHERE run = ?", (number,)).fetchone()[0]
    found = Flight.read(image, tail)
    if found is None:
        return []
    out = []
    size = run.layouts["SCORECARD"].itemsize
    last = _last_card(connection, number)
    card = bytes(size)
    if last is not None:
        card = whole(connection.execute("SELECT record FROM scorecards WHERE n = ?", (last,)).fetchone()[0], size)
    for item in found[0]:
        if len(item) == 8:
            card = item[6] or card
            out.append(_entry(item, card, run, number))
    return out


def _last_card(connection: sqlite3.Connection, number: int) -> int | None:
    query = "SELECT scorecard FROM decisions WHERE run = ? ORDER BY n DESC LIMIT 1"
    row = connection.execute(query, (number,)).fetchone()
    return None if row is None else int(row[0])


# ---- rows ----


def _entry(item: tuple[Any, ...], card: bytes, run: Run, number: int) -> Entry:
    _, events, state, decision, context, given, _, row = item
    records = {"DECISION": decision, "CONTEXT": context, "GIVEN": given, "SCORECARD": card}
    return Entry(run, records, np.frombuffer(row, "<f8"), events, number, _signed(state))


def _signed(state: int) -> int:
    """As SQLite has whole numbers."""
    return state - 2**64 if state >> 63 else state


def _insert(connection: sqlite3.Connection, table: str, *values: Any) -> int:
    marks = ", ?" * len(values)
    return int(connection.execute(f"INSERT INTO {table} VALUES (NULL{marks})", values).lastrowid or 0)


def _rows(items: list[Any], cards: list[int], run: Run, number: int, pack: bool) -> Iterator[tuple[Any, ...]]:
    """As in the table ``decisions``, without their numbers."""
    dtype = run.layouts["DECISION"]
    records = np.frombuffer(b"".join(item[3] for item in items), dtype)
    reasons = records["reasons"]
    failed = (reasons["passed"] == 0) & (np.arange(reasons.shape[1]) < records["count"][:, None])
    first = reasons["gate"][np.arange(len(records)), failed.argmax(axis=1)]
    some = failed.any(axis=1).tolist()
    names = [_GATES[gate] if stopped else None for gate, stopped in zip(first.tolist(), some, strict=True)]
    columns = [records[name].tolist() for name in _COLUMNS]
    for item, card, stopped, ts, sequence, signal, confidence, quality, price, latency in zip(
        items, cards, names, *columns, strict=True
    ):
        _, events, state, decision, context, given, _, row = item
        yield (
            number,
            f"{run.symbol}-{ts:x}-{sequence:x}",
            run.symbol,
            ts,
            _SIGNALS[signal],
            confidence,
            _QUALITIES[quality],
            stopped,
            price if price == price else None,
            latency if latency >= 0 else None,
            sequence,
            events,
            _signed(state),
            card,
            decision,
            context,
            given,
            shrink(row) if pack else row,
        )


_places: list[weakref.ref[Journal | Recent]] = []


def _forked() -> None:
    for ref in _places:
        place = ref()
        if isinstance(place, Journal) and not place.readonly:
            place._leave()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def remember(place: Journal | Recent) -> None:
    """Let :func:`why` look here too, for as long as it lives."""
    _places[:] = [ref for ref in _places if ref() is not None]
    _places.append(weakref.ref(place))


def why(decision_id: str, journal: Journal | str | os.PathLike[str] | None = None) -> Entry:
    """Why a decision is what it is: every gate with its margin, the row, the scores, policy and models, and what else
    it would have been.

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
