"""Structure against smartmoneyconcepts, whose labels are drawn on all of the data: where the definitions agree, ours
says the same as its final labels once they can be known, and has said nothing else before."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
import streams
from reference.structure import breaks, swings

import smartcore as sc

SIDE, LIFE = 5, 500


@pytest.fixture(scope="module")
def smc():
    with contextlib.redirect_stdout(io.StringIO()):  # it thanks for being used
        module = pytest.importorskip("smartmoneyconcepts.smc")
    return module.smc


@pytest.fixture(scope="module")
def frame():
    pd = pytest.importorskip("pandas")
    rows = streams.bars(900, seed=21, tick=1e-7).view(sc.BAR)  # a fine grid: equal prices are a matter of definition
    return pd.DataFrame({name: rows[name].copy() for name in ("open", "high", "low", "close", "volume")}), rows


def table(rows, columns):
    return sc.Engine(columns).run(rows.view(sc.EVENT))


def ours(rows):
    """(bar, direction) of all swings that are ever confirmed, and the bar that confirms each."""
    found = {}
    for t, high, low, up, down in swings(rows, SIDE):
        if up:
            found[high, 1] = t
        if down:
            found[low, -1] = t
    return found


def test_its_swings_are_swings_here_and_known_when_confirmed(smc, frame):
    df, rows = frame
    labels = smc.swing_highs_lows(df, SIDE)["HighLow"].to_numpy()
    mine = ours(rows)
    columns = ["swing_5_high_age", "swing_5_low_age"]
    ages, checked = table(rows, columns), 0
    for i in np.flatnonzero(~np.isnan(labels))[1:-1]:  # its first and last are made up
        if i < SIDE or i + SIDE >= len(rows):
            continue
        edge = rows["high"][i - SIDE] < rows["high"][i] if labels[i] > 0 else rows["low"][i - SIDE] > rows["low"][i]
        if not edge:  # it looks one bar less far back than forward
            continue
        assert mine[i, int(labels[i])] == i + SIDE
        if i + SIDE >= 21:
            assert ages[i + SIDE, 0 if labels[i] > 0 else 1] == SIDE
            checked += 1
    assert checked > 40


def test_its_fair_value_gaps_are_those_here(smc, frame):
    """From its labels and the bars since, what is left of the nearest gap on either side."""
    df, rows = frame
    found = smc.fvg(df)
    kind, tops, bottoms = (found[name].to_numpy() for name in ("FVG", "Top", "Bottom"))
    got = table(rows, [f"fair_value_gap_{LIFE}_below", f"fair_value_gap_{LIFE}_above"])
    size = np.convolve(true_range(rows), np.ones(20) / 20)[: len(rows)]
    for t in range(21, len(rows), 7):
        for side, column in ((1, 0), (-1, 1)):
            alive = []
            for i in np.flatnonzero(kind[:t] == side):  # its label stands on the second bar
                first, top, bottom = i + 1, tops[i], bottoms[i]
                edge = rows["low"][first : t + 1].min() if side > 0 else rows["high"][first : t + 1].max()
                if t - first <= LIFE and (edge > bottom if side > 0 else edge < top):
                    alive.append(side * (rows["close"][t] - edge))
            alive = alive[-16:]
            expected = min(min(alive) / size[t], 50) if alive else 50
            assert got[t, column] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def true_range(rows):
    last = np.append(np.nan, rows["close"][:-1])
    return np.nan_to_num(np.fmax(rows["high"], last) - np.fmin(rows["low"], last)) * (np.arange(len(rows)) > 0)


def test_its_order_blocks_are_those_here(smc, frame):
    """Given our swings it finds the same blocks, but where it breaks a swing that was not known yet."""
    df, rows = frame
    pd = pytest.importorskip("pandas")
    mine = {(at, direction) for _, direction, at in breaks(rows, SIDE) if at is not None}
    labels = np.full(len(rows), np.nan)
    for at, direction in ours(rows):
        labels[at] = direction
    given = pd.DataFrame({"HighLow": labels, "Level": np.where(labels > 0, rows["high"], rows["low"])})
    with np.errstate(all="ignore"):
        blocks = smc.ob(df, given)
    final = {(int(i), int(blocks["OB"][i])) for i in np.flatnonzero(~blocks["OB"].isna())}
    assert len(final) >= 10
    assert len(final & mine) >= 0.9 * len(final)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_ours_rewrites_nothing_and_theirs_does(smc, frame, share):
    df, rows = frame
    columns = sc.FeatureSet.default().group("structure")
    whole, n = table(rows, columns), int(share * len(rows))
    np.testing.assert_array_equal(table(rows[:n], columns), whole[:n])
    final, then = (smc.swing_highs_lows(part, SIDE)["HighLow"].to_numpy()[:n] for part in (df, df[:n]))
    assert not np.array_equal(final, then, equal_nan=True)
