"""The catalogue as data: names, bounds, fingerprints, and that no column says what another one says already."""

from __future__ import annotations

import dataclasses
import json
import math
import re

import numpy as np
import pytest
import streams
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import rankdata

import smartcore as sc
from smartcore.features.catalogue import Catalogue

CATALOGUE = sc.catalogue()
COLUMNS = CATALOGUE.columns
KERNELS = pytest.mark.parametrize("kernel", CATALOGUE, ids=lambda k: k.name)
MARKET = sc.FeatureSet(c.name for c in COLUMNS if set(c.kernel.wakes) <= {"bar", "trade", "book"})
SENTIMENT = sc.FeatureSet(c.name for c in COLUMNS if {"score", "aux"} & set(c.kernel.wakes))


def fraction(param) -> bool:
    return param.form == "s" or not float(param.low).is_integer()


# ---- names ----


def test_names_are_unique_and_readable():
    assert len({c.name for c in COLUMNS}) == len(COLUMNS) == len(sc.FeatureSet.default())
    assert len({k.name for k in CATALOGUE}) == len(CATALOGUE)
    for column in COLUMNS:
        assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9.]+)*", column.name), column.name


def test_every_column_parses_back_to_itself():
    for column in COLUMNS:
        assert CATALOGUE.column(column.name) == column


@KERNELS
def test_bounds_parse_back_to_themselves(kernel):
    for bound in ("low", "high"):
        params = tuple(float(getattr(p, bound)) for p in kernel.params)
        for output in range(len(kernel.outputs)):
            column = kernel.column(params, output)
            assert CATALOGUE.column(column.name) == column


@settings(max_examples=300, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_column_parses_back_to_itself(data):
    """Whatever digits a parameter has: the name, the parameter and the snapshot keep them all."""
    kernel = data.draw(st.sampled_from(list(CATALOGUE)))
    params = tuple(
        data.draw(st.floats(p.low, p.high)) if fraction(p) else float(data.draw(st.integers(int(p.low), int(p.high))))
        for p in kernel.params
    )
    column = kernel.column(params, data.draw(st.integers(0, len(kernel.outputs) - 1)))
    again = CATALOGUE.column(column.name)
    assert again == column
    assert sc.FeatureSet([column.name]).columns == (column.name,)


def test_two_parameters_never_share_a_name():
    a, b = sc.FeatureSet(["ofi_l1_1.0000001s"]), sc.FeatureSet(["ofi_l1_1s"])
    assert a.columns != b.columns and a.fingerprint != b.fingerprint
    engine = sc.Engine(a)
    assert sc.Engine.restore(engine.snapshot()).features == a


@pytest.mark.parametrize(
    ("text", "name"),
    [("ofi_l1_1m", "ofi_l1_60s"), ("ofi_l1_500ms", "ofi_l1_500ms"), ("ofi_l1_0.5s", "ofi_l1_500ms"),
     ("rsi_014", "rsi_14")],
)  # fmt: skip
def test_other_spellings_get_the_usual_name(text, name):
    assert CATALOGUE.column(text) == CATALOGUE.column(name)
    assert CATALOGUE.column(text).name == name


# ---- refusals ----


@KERNELS
def test_bounds_refuse(kernel):
    for i, p in enumerate(kernel.params):
        if p.form == "x":
            continue  # a name that is not in the list does not even read as one
        inside = list(kernel.defaults[0])
        step = 1 if not fraction(p) else 0.01 * p.low
        for wrong in (p.low - step, p.high + step):
            params = (*inside[:i], wrong, *inside[i + 1 :])
            with pytest.raises(sc.UnknownFeature) as refused:
                CATALOGUE.column(kernel.column(params, 0).name)
            if wrong > 0:  # a minus sign does not even read as a number
                assert p.name in str(refused.value), "the refusal names the parameter"
        if not fraction(p):
            between = (*inside[:i], p.low + 0.5, *inside[i + 1 :])
            with pytest.raises(sc.UnknownFeature):
                CATALOGUE.column(kernel.column(between, 0).name)


@pytest.mark.parametrize(
    "name",
    ["", "_", "rsi", "rsi_", "rsi_14_14", "rsi_nan", "rsi_inf", "rsi_-14", "rsi_14_", "rsi_ 14", "candle", "macd_12_26",
     "macd_12_26_9_signal", "stochastic_14_3", "mid_distance_1.2.3s", "mid_distance_.s", "mid_distance_10", "ofi_1_10s",
     "ofi_ll1_1s", "ofi_l1_10", "ofi_l1.5_10s", "RSI_14", "rsi_14\n", "rsi_14 "],
)  # fmt: skip
def test_names_that_are_none(name):
    with pytest.raises(sc.UnknownFeature):
        CATALOGUE.column(name)
    with pytest.raises(sc.UnknownFeature):
        sc.FeatureSet(["rsi_14", name])


@pytest.mark.parametrize(
    ("wrong", "near"),
    [("rsi14", "rsi_14"), ("ris_14", "rsi_14"), ("ofi_l1_10", "ofi_l1_10s"), ("stochastic_14_3_x", "stochastic_14_3_k"),
     ("macd_12_26_9_hist", "macd_12_26_9_histogram"), ("volatilty_20", "volatility_20")],
)  # fmt: skip
def test_a_refusal_names_what_comes_near(wrong, near):
    with pytest.raises(sc.UnknownFeature, match=near):
        CATALOGUE.column(wrong)


def test_other_refusals():
    with pytest.raises(sc.UnknownFeature, match="rsi"):
        CATALOGUE["rsy"]
    with pytest.raises(sc.UnknownFeature, match="twice"):
        sc.FeatureSet(["rsi_14", "ofi_l1_1s", "rsi_014"])
    with pytest.raises(sc.UnknownFeature, match="list of names"):
        sc.FeatureSet("rsi_14")
    with pytest.raises(sc.UnknownFeature, match="technical"):
        sc.FeatureSet.default().group("technicals")
    with pytest.raises(sc.UnknownFeature, match="rsi_28"):
        sc.FeatureSet(["rsi_14"]).index("rsi_28")


# ---- metadata ----


@KERNELS
def test_metadata_is_complete(kernel):
    assert kernel.doc.endswith(".") and len(kernel.doc) > 20
    assert re.search(r"\d{4}", kernel.source), "a source has a year"
    assert kernel.version >= 1
    assert set(kernel.wakes) <= {"bar", "trade", "book", "score", "aux", "peer", "basket", "factor"} and kernel.wakes
    assert kernel.group and kernel.family
    assert len(kernel.outputs) >= 1
    assert len({o.suffix for o in kernel.outputs}) == len(kernel.outputs)
    for output in kernel.outputs:
        assert output.doc and output.unit
        assert output.low < output.high
    assert len(kernel.defaults) >= 1
    for params in kernel.defaults:
        assert len(params) == len(kernel.params)
        for value, p in zip(params, kernel.params, strict=True):
            assert p.low <= value <= p.high, f"{kernel.name}: default {p.name} = {value}"
            assert fraction(p) or value == int(value)
        assert kernel.warmup(params) >= 1


def test_groups_hold_all_columns():
    default = sc.FeatureSet.default()
    parts = [default.group(group) for group in CATALOGUE.groups]
    assert sorted(name for part in parts for name in part) == sorted(default.columns)
    assert default.group(*CATALOGUE.groups) == default
    assert sc.FeatureSet.default().columns == tuple(c.name for c in COLUMNS)


def test_catalogue_as_a_sequence_and_a_table():
    assert isinstance(CATALOGUE, Catalogue) and sc.catalogue() is CATALOGUE
    assert CATALOGUE[0] == CATALOGUE[CATALOGUE[0].name]
    assert f"{len(CATALOGUE)} kernels" in repr(CATALOGUE) and f"{len(COLUMNS)} default columns" in repr(CATALOGUE)

    table = CATALOGUE.to_pandas()
    assert list(table.index) == [c.name for c in COLUMNS]
    assert set(table.columns) == {
        "kernel", "group", "family", "meaning", "formula", "unit", "low", "high", "wakes", "warmup", "source",
        "version",
    }  # fmt: skip
    assert table.loc["rsi_14", "kernel"] == "rsi" and table.loc["rsi_14", "warmup"] == 15
    assert table.loc["rsi_14", "high"] == 100 and math.isnan(table["high"].astype(float)["cci_20"])
    assert not table.drop(columns=["low", "high"]).isna().any().any()
    records = json.loads(json.dumps(CATALOGUE.to_dicts(), allow_nan=False))
    assert len(records) == len(COLUMNS) and records[0]["column"] == COLUMNS[0].name


# ---- fingerprints ----


def test_fingerprint_is_of_names_order_and_parameters():
    names = ["rsi_14", "ofi_l1_10s", "macd_12_26_9"]
    base = sc.FeatureSet(names)
    assert sc.FeatureSet(names) == base and hash(sc.FeatureSet(names)) == hash(base)
    others = [names[::-1], names[:2], [*names, "rsi_15"], ["rsi_15", *names[1:]], []]
    others += [[*names[:2], "macd_12_26_9_histogram"]]
    prints = [sc.FeatureSet(other).fingerprint for other in others] + [base.fingerprint]
    assert len(set(prints)) == len(prints)


def test_fingerprint_changes_with_a_kernels_version(monkeypatch):
    names = ["rsi_14", "adx_14"]
    before = sc.FeatureSet(names).fingerprint
    kernel = CATALOGUE["rsi"]
    replace = kernel._replace if hasattr(kernel, "_replace") else lambda **kw: dataclasses.replace(kernel, **kw)
    monkeypatch.setitem(CATALOGUE._by_name, "rsi", replace(version=kernel.version + 1))
    monkeypatch.setattr(CATALOGUE, "_kernels", tuple(CATALOGUE._by_name.values()))
    assert sc.FeatureSet(names).fingerprint != before
    assert sc.FeatureSet(["adx_14"]).fingerprint == sc.FeatureSet(["adx_14"]).fingerprint


def test_fingerprint_is_the_same_in_another_process():
    import subprocess
    import sys

    code = "import smartcore as sc; print(sc.FeatureSet.default().fingerprint)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == sc.FeatureSet.default().fingerprint


# ---- no column is the image of another ----


def images(table: NDArray[np.float64], names: tuple[str, ...], limit: float = 1 - 1e-12) -> list[tuple[str, str]]:
    """Pairs of columns of which one is an increasing or decreasing function of the other: |Spearman rho| = 1. An affine
    image is one of them."""
    ranks = rankdata(table, axis=0)
    ranks -= ranks.mean(axis=0)
    ranks /= np.sqrt((ranks**2).sum(axis=0))
    rho = abs(ranks.T @ ranks)
    return [(names[i], names[j]) for i, j in zip(*np.nonzero(np.triu(rho >= limit, 1)), strict=True)]


def known_rows(
    columns: sc.FeatureSet, events: NDArray[np.void], sample: str, bars: str | None = None
) -> NDArray[np.float64]:
    table = sc.Engine(columns, bars=bars).run(events, sample)
    return table[~np.isnan(table).any(axis=1)]


def test_no_bar_column_is_the_image_of_another_on_made_up_bars():
    columns = MARKET.wakes("bar")
    table = known_rows(columns, streams.bars(4000, seed=30), "bar")
    assert len(table) > 2000
    assert images(table, columns.columns) == []


@pytest.mark.parametrize("file", ["binance_spot_2026/ETHUSDT", "binance_spot_2026/XRPUSDT"])
def test_no_bar_column_is_the_image_of_another_on_recorded_bars(recorded, file):
    columns = MARKET.wakes("bar")
    table = known_rows(columns, streams.recorded_bars(recorded(f"crypto_bars_1m/{file}.parquet"), 8000), "bar")
    assert len(table) > 4000
    assert images(table, columns.columns) == []


def test_no_column_of_a_market_is_the_image_of_another_on_the_simulated_one():
    """But for what the clock and the day say: of a few minutes that is one rising line, which days tell apart."""
    columns = sc.FeatureSet(c.name for c in MARKET.specs if c.kernel.family != "session")
    table = known_rows(columns, streams.simulated(), "event", bars="200ms")[::7]
    assert len(table) > 1000
    assert images(table, columns.columns) == []


def test_no_column_of_scores_and_series_is_the_image_of_another():
    table = known_rows(SENTIMENT, streams.mixed(), "event")
    assert len(table) > 300
    assert images(table, SENTIMENT.columns) == []


def test_no_column_of_recorded_texts_is_the_image_of_another(recorded):
    events = streams.recorded_texts(recorded("stock_tweets").parent)
    table = known_rows(SENTIMENT, events, "event")
    assert len(table) > 300
    assert images(table, SENTIMENT.columns) == []


def test_no_column_about_others_is_the_image_of_another():
    others = sc.FeatureSet(c.name for c in COLUMNS if c.kernel.group == "cross-asset")
    table = known_rows(others, streams.simulated_panel(), "event")[::7]
    assert len(table) > 1000
    assert images(table, others.columns) == []


def test_no_column_about_others_is_the_image_of_another_on_recorded_bars(recorded):
    """But for the age of the reference and the shares of what has news: these recordings have no hole."""
    whole = {"peer_age", "refresh_share", "basket_fresh"}
    columns = sc.FeatureSet(c.name for c in COLUMNS if c.kernel.group == "cross-asset" and c.kernel.name not in whole)
    table = known_rows(columns, streams.recorded_panel(recorded("crypto_bars_1m/binance_spot_2026"), 3000), "bar")
    assert len(table) > 2000
    assert images(table, columns.columns) == []


def test_an_image_is_found():
    """%B is an affine image of the z-score over the same window; DI flipped and cubed is a monotone one of DI."""
    columns = sc.FeatureSet(["bollinger_20_2", "zscore_20", "di_14", "rsi_14"])
    table = known_rows(columns, streams.bars(1500), "bar")
    table = np.column_stack([table, -(table[:, 2] ** 3)])
    assert images(table, (*columns.columns, "cube")) == [("bollinger_20_2", "zscore_20"), ("di_14", "cube")]
