"""The benchmarks: what is timed is what is checked, and the gates bite."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from smartcore import Engine

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

import cases  # noqa: E402

CONVERGED = 2500  # recursive averages begin differently; by here that is below a rounding


@functools.cache
def bars() -> cases.Bars:
    return cases.make_bars(4000)


@functools.cache
def ours() -> np.ndarray:
    return Engine(list(cases.COLUMNS)).run(bars().events())


@functools.cache
def outputs(peer: str, call: cases.Call) -> Any:
    return cases.outputs(peer, call, bars())


def test_a_hundred_columns():
    assert len(cases.COLUMNS) == len(set(cases.COLUMNS)) == 100
    assert len({cases.kernel(column) for column in cases.COLUMNS}) >= 25


@pytest.mark.parametrize("peer", ["talib", "talib.stream", "wickra"])
@pytest.mark.parametrize("case", cases.CASES, ids=lambda case: case.column)
def test_peers_give_the_same_number(case: cases.Case, peer: str):
    """After convergence, through the row's relation. A row without one must say what it compares with instead."""
    pytest.importorskip(peer.split(".")[0])
    spec = case.peer(peer)
    got = outputs(peer, spec.call)
    if spec.relation is None:
        assert spec.note and np.isfinite(got[0][CONVERGED:]).all()
        return
    theirs = spec.relation(bars(), *got)[CONVERGED:]
    here = ours()[CONVERGED:, cases.COLUMNS.index(case.column)]
    scale = np.abs(here).max()
    np.testing.assert_allclose(
        here, theirs, rtol=0, atol=case.tolerance * max(scale, 1e-300), err_msg=spec.note
    )
