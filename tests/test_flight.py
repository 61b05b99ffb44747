"""The flight recorder from Python: what is put is taken, a left-over file is read, full means dropped and counted."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import smartcore as sc
from smartcore import _core
from smartcore._core import Flight

RNG = np.random.default_rng(3)
WIDTH = 20


def blob(dtype):
    return RNG.bytes(dtype.itemsize)


def parts(card=None):
    return (
        blob(_core.DECISION), blob(_core.CONTEXT), blob(_core.GIVEN), card or blob(_core.SCORECARD),
        RNG.normal(size=WIDTH),
    )  # fmt: skip


def test_it_gives_back_what_was_put():
    flight = Flight(mmap.mmap(-1, 1 << 20))
    card = blob(_core.SCORECARD)
    put = [parts(card) for _ in range(10)] + [parts() for _ in range(10)]
    events = sc.simulate(seconds=1, seed=1).events[:40]
    raw = events.view(np.uint8).reshape(len(events), -1)
    for i, one in enumerate(put):
        flight.event(raw[2 * i])
        flight.event(raw[2 * i + 1])
        assert flight.put(*one)
    found, end = flight.take(0, 1000)
    assert end == flight.head and flight.tail == 0 and flight.drops == flight.lost == 0 and flight.events == 40
    assert b"".join(item[2] for item in found if len(item) == 3) == events.tobytes()
    assert [item[1] for item in found if len(item) == 3] == list(range(0, 40, 2))
    decisions = [item for item in found if len(item) == 8]
    assert [item[1] for item in decisions] == list(range(2, 42, 2))
    for (_, _, _, decision, context, told, _said, row), one in zip(decisions, put, strict=True):
        assert (decision, context, told) == one[:3]
        assert row == one[4].tobytes()
    assert [item[6] for item in decisions] == [card] + [None] * 9 + [one[3] for one in put[10:]]
    assert flight.state == decisions[-1][2] != decisions[-2][2] != 0
    on = Flight(mmap.mmap(-1, 1 << 20), capture=False, state=decisions[9][2])
    for event in raw[20:]:
        on.event(event)
    assert on.state == flight.state and on.events == 20 and on.head == 0
    first, after = flight.take(0, 1)  # two events and a decision
    assert len(first) == 2 and flight.take(after, 1000)[0] == found[2:]
    flight.release(end)
    assert flight.tail == end and flight.take(end, 10) == ([], end)
    with pytest.raises(ValueError, match="between tail and head"):
        flight.release(end + 32)


def test_full_it_drops_and_counts():
    flight = Flight(mmap.mmap(-1, 1 << 16))
    one = parts()
    count = 0
    while flight.put(*one):
        count += 1
    assert count >= 10 and flight.drops == 1
    assert len(flight.take(0, 1000)[0]) == count
    newest = Flight(mmap.mmap(-1, 1 << 16), newest=True)
    for i in range(100):
        assert newest.put(*one[:4], np.full(WIDTH, float(i)))
    assert newest.drops == 0
    rows = [np.frombuffer(item[7])[0] for item in newest.take(newest.tail, 1000)[0]]
    assert rows == list(range(100 - len(rows), 100)) and len(rows) > 10


def test_a_left_over_file_is_read(tmp_path):
    program = """
import mmap, os, signal, sys
import numpy as np
from smartcore import _core
file = open(sys.argv[1], "w+b")
file.truncate(1 << 20)
flight = _core.Flight(mmap.mmap(file.fileno(), 0))
sizes = [getattr(_core, name).itemsize for name in ("DECISION", "CONTEXT", "GIVEN", "SCORECARD")]
for i in range(30):
    assert flight.put(*[bytes([i]) * size for size in sizes], np.full(5, float(i)))
os.kill(os.getpid(), signal.SIGKILL)
"""
    path = tmp_path / "ring"
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", program, str(path)], env=env).returncode == -signal.SIGKILL
    image = path.read_bytes()
    found, end, standing = Flight.read(image)
    assert [item[3][0] for item in found] == list(range(30))
    assert end == standing["head"] and standing["drops"] == 0
    assert [item[3][0] for item in Flight.read(image, found[9][0])[0]] == list(range(10, 30))
    assert Flight.read(image, 1 << 40)[0] == []  # the image is older than the mark: all of it was taken

    torn = bytearray(image)  # as a power cut may leave it: pages that never reached the disk
    torn[8192:12288] = bytes(4096)
    kept = Flight.read(torn)[0]
    assert 0 < len(kept) < 30 and kept == found[: len(kept)]
    assert Flight.read(b"\0" * 8192) is None and Flight.read(b"") is None and Flight.read(image[:100]) is None


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, (1 << 16) - 1), st.integers(1, 255)), min_size=1, max_size=8), st.booleans())
def test_damage_is_survived(flips, header):
    """Whatever bytes are changed: what is read is what was put up to there, or nothing."""
    image = bytearray(IMAGE)
    for at, bits in flips:
        image[at % 192 if header else at] ^= bits
    found = Flight.read(image)
    if found is not None:
        items, end, standing = found
        assert set(standing) == {"capacity", "head", "tail", "events", "drops", "lost"} and end >= 0
        assert all(item in WHOLE for item in items)


def _image():
    memory = mmap.mmap(-1, 1 << 16)
    flight = Flight(memory)
    for _ in range(4):
        flight.event(bytes(range(64)))
        flight.put(*parts())
    return bytes(memory)


IMAGE = _image()
WHOLE = Flight.read(IMAGE)[0]


def test_mistakes_are_refused():
    memory = mmap.mmap(-1, 1 << 16)
    with pytest.raises(ValueError, match="needs 4,288 bytes"):
        Flight(mmap.mmap(-1, 4096))
    with pytest.raises((BufferError, TypeError, ValueError)):
        Flight(bytes(1 << 16))
    flight = Flight(memory)
    one = list(parts())
    for i, name in enumerate(("decision", "context", "given", "card")):
        bad = one.copy()
        bad[i] = bad[i][:-1]
        with pytest.raises(ValueError, match=f"{name}: a record of another size"):
            flight.put(*bad)
    with pytest.raises(BufferError):
        memory.close()  # it is in use
