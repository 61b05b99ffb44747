"""Events as arrays: the layout of the C++ struct, the builders, and that the engine reads what they wrote."""

from __future__ import annotations

import numpy as np
import pytest

import smartcore as sc
from smartcore.market import events as ev
from smartcore.market.events import Flag, Kind

TS = 1_700_000_000_000_000_000
HEAD = {
    "ts": (0, "<i8"), "kind": (8, "u1"), "side": (9, "i1"), "flags": (10, "u1"), "source": (11, "u1"),
    "instrument": (12, "<u4"),
}  # fmt: skip
PAYLOAD = {
    "EVENT": ["v0", "v1", "v2", "v3", "v4", "v5"],
    "BAR": ["open", "high", "low", "close", "volume", "turnover"],
    "TRADE": ["price", "size", "v2", "v3", "v4", "v5"],
    "DEPTH": ["price", "size", "v2", "v3", "v4", "v5"],
    "QUOTE": ["bid", "bid_size", "ask", "ask_size", "v4", "v5"],
    "SCORE": ["value", "weight", "v2", "v3", "v4", "v5"],
    "AUX": ["value", "v1", "v2", "v3", "v4", "v5"],
    "PEER": ["price", "volume", "net", "flow", "age", "updates"],
    "BASKET": ["mean", "dispersion", "rank", "breadth", "flow", "fresh"],
    "FACTOR": ["share", "loading", "score", "v3", "v4", "v5"],
}  # fmt: skip


@pytest.mark.parametrize("name", PAYLOAD)
def test_a_record_is_64_bytes(name):
    dtype = getattr(sc, name)
    fields = {field: (offset, kind.newbyteorder("=")) for field, (kind, offset, *_) in dtype.fields.items()}
    wanted = {field: (offset, np.dtype(kind)) for field, (offset, kind) in HEAD.items()}
    wanted |= {field: (16 + 8 * i, np.dtype("f8")) for i, field in enumerate(PAYLOAD[name])}
    assert dtype.itemsize == 64 and fields == wanted and list(dtype.names) == list(wanted)


def test_views_share_the_payload():
    events = ev.trades([TS, TS + 1], [100, 101], [1, 2], [1, -1])
    view = events.view(sc.TRADE)
    view["price"][1] = 55
    assert events["v0"].tolist() == [100, 55] and np.shares_memory(view, events)


def test_builders_fill_the_fields_they_name():
    built = {
        Kind.BAR: ev.bars(TS, 1, 4, 0.5, 2, 10, 15),
        Kind.TRADE: ev.trades(TS, 1, 4, -1),
        Kind.DEPTH: ev.depth(TS, 1, 1, 4, last=False, snapshot=True),
        Kind.QUOTE: ev.quotes(TS, 1, 4, 0.5, 2),
        Kind.GAP: ev.gap(TS),
        Kind.SCORE: ev.scores(TS, 0.5, 2, "social"),
        Kind.AUX: ev.aux(TS, "basis", 0.5),
        Kind.PEER: ev.peers(TS, 1, 4, -2, 3, 0.5, 7, source=2),
        Kind.BASKET: ev.baskets(TS, 1, 4, 0.5, 2, 10, 15),
        Kind.FACTOR: ev.factors(TS, 0.5, 1, -2),
    }
    payload = {
        Kind.BAR: (1, 4, 0.5, 2, 10, 15), Kind.TRADE: (1, 4, 0, 0, 0, 0), Kind.DEPTH: (1, 4, 0, 0, 0, 0),
        Kind.QUOTE: (1, 4, 0.5, 2, 0, 0), Kind.GAP: (0,) * 6, Kind.SCORE: (0.5, 2, 0, 0, 0, 0),
        Kind.AUX: (0.5, 0, 0, 0, 0, 0), Kind.PEER: (1, 4, -2, 3, 0.5, 7), Kind.BASKET: (1, 4, 0.5, 2, 10, 15),
        Kind.FACTOR: (0.5, 1, -2, 0, 0, 0),
    }  # fmt: skip
    side = {Kind.TRADE: -1, Kind.DEPTH: 1}
    for kind, events in built.items():
        assert events.dtype == sc.EVENT and events.shape == (1,)
        flags = int(Flag.SNAPSHOT) if kind == Kind.DEPTH else 0
        source = 2 if kind in (Kind.SCORE, Kind.AUX, Kind.PEER) else 0
        assert events[0].item() == (TS, kind, side.get(kind, 0), flags, source, 0, *payload[kind])


def test_builders_spread_single_values():
    ts = TS + np.arange(3)
    assert ev.trades(ts, 100, [1, 2, 3])["v0"].tolist() == [100] * 3
    assert ev.trades(ts, 100, 1)["side"].tolist() == [0] * 3
    assert ev.bars(ts, 1, 2, 1, 2, 5)["v5"].tolist() == [0] * 3
    assert ev.depth(ts, [1, -1, 1], 100, 1)["flags"].tolist() == [Flag.LAST] * 3
    flags = ev.depth(ts, 1, 100, 1, last=[False, False, True], snapshot=[True, False, False])["flags"]
    assert flags.tolist() == [Flag.SNAPSHOT, 0, Flag.LAST]
    assert len(ev.gap(ts)) == 3 and len(ev.trades([], [], [])) == 0
    with pytest.raises(ValueError, match="broadcast"):
        ev.trades(ts, [1, 2], 1)


@pytest.mark.parametrize(
    "stamps",
    [
        [TS, TS + 10**9],
        np.array([TS, TS + 10**9]),
        np.array([TS, TS + 10**9], "M8[ns]"),
        np.array([TS, TS + 10**9], "M8[ns]").astype("M8[s]"),
        np.array(["2023-11-14T22:13:20", "2023-11-14T22:13:21"], "M8[ms]"),
    ],
)
def test_times_as_integers_or_dates(stamps):
    assert ev.gap(stamps)["ts"].tolist() == [TS, TS + 10**9]


def test_pandas_times():
    pd = pytest.importorskip("pandas")
    index = pd.to_datetime([TS, TS + 10**9])
    for stamps in (index, pd.Series(index)):
        assert ev.gap(stamps)["ts"].tolist() == [TS, TS + 10**9]


def test_merge_is_stable():
    """In order of time; ties in the order of the arguments, then of the rows."""
    a = ev.trades([1, 3, 3, 5], [10, 11, 12, 13], 1)
    b = ev.quotes([0, 3, 5], [20, 21, 22], 1, [30, 31, 32], 1)
    merged = ev.merge(a, b)
    assert merged["ts"].tolist() == [0, 1, 3, 3, 3, 5, 5]
    assert merged["v0"].tolist() == [20, 10, 11, 12, 21, 13, 22]
    assert ev.merge(b, a)["v0"].tolist() == [20, 10, 21, 11, 12, 22, 13]
    assert ev.merge(a).tobytes() == a.tobytes() and len(ev.merge(a[:0], b[:0])) == 0
    mixed = ev.merge(a.view(sc.TRADE), b.view(sc.QUOTE))
    assert mixed.dtype == sc.EVENT and mixed.tobytes() == merged.tobytes()


def test_kinds_and_flags_are_those_of_the_core():
    """Each kind's record is counted under its name; the core's flags close and clear."""
    eng = sc.Engine(["spread"])
    for kind in Kind:
        event = ev.gap(TS)
        event["kind"] = kind
        if kind != Kind.GAP:
            event["side"] = 1
            for field in ("v0", "v1", "v2", "v3"):
                event[field] = 1
        eng.on_event(event[0])
        assert eng.counts[kind.name.lower()] == 1
    assert sum(eng.counts.values()) == len(Kind)
    eng = sc.Engine(["spread"])
    eng.run(ev.depth([TS] * 2, [1, -1], [99, 101], 1, last=[False, True]))
    assert eng.book.valid
    eng.run(ev.depth(TS, 1, 98, 1, last=True, snapshot=True))
    assert (eng.book.bid, eng.book.asks) == (98, 0)


@pytest.mark.parametrize("kind", ["bar", "trade", "depth", "quote", "score", "aux", "peer", "basket", "factor"])
def test_calls_and_records_are_the_same_event(kind):
    columns = sc.FeatureSet.default()
    build, call = {
        "bar": (ev.bars, "on_bar"), "trade": (ev.trades, "on_trade"), "depth": (ev.depth, "on_depth"),
        "quote": (ev.quotes, "on_quote"), "score": (ev.scores, "on_score"), "aux": (ev.aux, "on_aux"),
        "peer": (ev.peers, "on_peer"), "basket": (ev.baskets, "on_basket"),
        "factor": (ev.factors, "on_factor"),
    }[kind]  # fmt: skip
    given = {
        "bar": (100, 103, 99, 102, 5, 500), "trade": (100, 2, -1), "depth": (-1, 101, 2, True, True),
        "quote": (99, 1, 101, 3), "score": (0.5, 2, "social"), "aux": ("funding", 1e-4),
        "peer": (50, 2, -1, -3, 0.5, 4, 1),
        "basket": (1e-3, 1e-3, 0.5, 0.7, 0.3, 1), "factor": (0.7, 1.1, -2),
    }[kind]  # fmt: skip
    engines = [sc.Engine(columns) for _ in range(3)]
    for i in range(5):
        record = build(TS + i, *given)
        getattr(engines[0], call)(TS + i, *given)
        engines[1].on_event(record[0])
        engines[2].run(record)
    assert engines[0].snapshot() == engines[1].snapshot() == engines[2].snapshot()
