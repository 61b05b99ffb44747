"""Numbers that were fitted to data: a feature set may bring its own, and everything that names it says so."""

from __future__ import annotations

import numpy as np
import pytest
import streams
from reference.regimes import hmm_of

import smartcore as sc

HMM = sc.catalogue()["hmm"]
SHIPPED = [f.value for f in HMM.fitted]
COLUMNS = [HMM.column((50, 80), i).name for i in range(len(HMM.outputs))]
OWN = {"mean_turbulent": -0.1, "scale_turbulent": 2.5, "dof_quiet": 30.0}
STICKY = {"quiet_quiet": 0.5, "quiet_normal": 0.25, "quiet_turbulent": 0.25}


def own_numbers() -> list[float]:
    return [{**OWN, **STICKY}.get(f.name, f.value) for f in HMM.fitted]


def test_own_numbers_are_used_in_history_and_live():
    bars = streams.bars(400)
    features = sc.FeatureSet(COLUMNS, fitted={"hmm": {**OWN, **STICKY}})
    table = sc.Engine(features).run(bars)
    expected = hmm_of(bars.view(sc.BAR), 50, 80, own_numbers())
    np.testing.assert_allclose(table, expected.astype(float), rtol=1e-9, atol=1e-12)
    assert not np.allclose(table[-100:], sc.Engine(COLUMNS).run(bars)[-100:])
    engine = sc.Engine(features)
    for event in bars:
        engine.on_event(event)
    np.testing.assert_array_equal(engine.row, table[-1])


def test_shipped_numbers_leave_the_fingerprint_as_it_was():
    plain = sc.FeatureSet(COLUMNS)
    for shipped in ({}, {"hmm": {}}, {"hmm": SHIPPED}, {"hmm": np.array(SHIPPED)}):
        same = sc.FeatureSet(COLUMNS, fitted=shipped)
        assert same == plain and same.fitted == {}
    own = sc.FeatureSet(COLUMNS, fitted={"hmm": OWN})
    assert own != plain and own.fitted["hmm"][5] == 2.5
    assert own == sc.FeatureSet(COLUMNS, fitted={"hmm": own.fitted["hmm"]})


def test_parts_of_a_set_keep_them():
    own = sc.FeatureSet(["rsi_14", *COLUMNS], fitted={"hmm": OWN})
    assert own.group("regime").fitted == own.wakes("bar").fitted == own.select(COLUMNS[:2]).fitted == own.fitted
    assert own.group("technical").fitted == {} and own.group("technical") == sc.FeatureSet(["rsi_14"])


def test_a_snapshot_brings_them_along():
    bars = streams.bars(400)
    engine = sc.Engine(sc.FeatureSet(COLUMNS, fitted={"hmm": OWN}))
    engine.run(bars[:300])
    again = sc.Engine.restore(engine.snapshot())
    assert again.features == engine.features
    np.testing.assert_array_equal(again.run(bars[300:]), engine.run(bars[300:]))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"hmm": {"scale_quiet": -1.0}}, "scale_quiet = -1 is not within"),
        ({"hmm": {"scale_quiet": float("nan")}}, "scale_quiet = nan"),
        ({"hmm": {"dof_normal": 2.0}}, "dof_normal"),
        ({"hmm": {"quiet_quiet": 0.5}}, "add up to 1"),
        ({"hmm": {"scale_quiet": 5.0}}, "rise"),
        ({"hmm": {"scale": 5.0}}, "has no fitted scale"),
        ({"hmm": SHIPPED[:-1]}, "18 fitted numbers, not 17"),
    ],
)
def test_numbers_that_cannot_be_are_refused(given, says):
    with pytest.raises(sc.InvalidData, match=says):
        sc.FeatureSet(COLUMNS, fitted=given)


def test_numbers_that_nothing_takes_are_refused():
    for columns, given in ((["rsi_14"], {"hmm": OWN}), (COLUMNS, {"rsi": {}}), (COLUMNS, {"hmn": OWN})):
        with pytest.raises(sc.UnknownFeature, match="no column here takes"):
            sc.FeatureSet(columns, fitted=given)
