"""The market simulator: reproducible, valid event by event, and market-like within bounds that can fail."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from functools import cache
from itertools import islice

import numpy as np
import pytest
from conftest import ROOT

from smartcore.market.events import DEPTH, EVENT, TRADE, Flag, Kind
from smartcore.market.simulator import REGIMES, TS0, Market, Simulation, simulate


@cache
def run(regime: str, hours: float = 1.5, seed: int = 5) -> Simulation:
    """One simulation, shared by the tests that only look at it."""
    return simulate(hours * 3600, seed, regime)


@cache
def facts(regime: str) -> dict:
    """The facts that ``bench/simulator_facts.py`` prints."""
    spec = importlib.util.spec_from_file_location("simulator_facts", ROOT / "bench" / "simulator_facts.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.facts(run(regime).events, 0.01)


def minutes(sim: Simulation, instrument: int = 0, seconds: float = 60.0) -> np.ndarray:
    """Log returns of one instrument in bps over steps of ``seconds``."""
    own = sim.events["instrument"] == instrument
    grid = np.arange(sim.start, sim.stop + 1, int(seconds * 1e9))[1:]
    seen = np.searchsorted(sim.events["ts"][own], grid, side="right") - 1
    return np.diff(np.log(sim.mid[own][seen])) * 1e4


def test_import_is_light():
    code = "import sys, smartcore.market.simulator; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# Reproducible ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("regime", ["calm", "mixed"])
def test_same_seed_same_bytes(regime):
    first = simulate(120, 3, regime)
    np.random.seed(1)  # noqa: NPY002  the global state is what must not matter
    again, other = simulate(120, 3, regime), simulate(120, 4, regime)
    assert first.events.tobytes() == again.events.tobytes()
    assert first.mid.tobytes() == again.mid.tobytes()
    assert first.events.tobytes() != other.events.tobytes()


@pytest.mark.parametrize("chunk", [0.037, 1.0, 7.3])
def test_stream_is_batch(chunk):
    arguments = {"regime": "mixed", "instruments": 2}
    chunks = list(
        islice(Market(11, **arguments).stream(chunk), max(int(900 / chunk) if chunk > 1 else 300, 1))
    )
    batch = simulate((chunks[-1].stop - TS0) / 1e9, 11, **arguments)
    assert np.concatenate([c.events for c in chunks]).tobytes() == batch.events.tobytes()
    assert np.concatenate([c.mid for c in chunks]).tobytes() == batch.mid.tobytes()
    assert np.concatenate([c.regimes for c in chunks]).tobytes() == batch.regimes.tobytes()
    for c in chunks:
        assert c.labels["ts"][0] == c.start
        assert ((c.events["ts"] >= c.start) & (c.events["ts"] < c.stop)).all()


@pytest.mark.parametrize("regime", ["quiet", "mixed"])
@pytest.mark.parametrize("instruments", [1, 3])
def test_prefix(regime, instruments):
    short, long = (simulate(s, 8, regime, instruments=instruments) for s in (300, 600))
    n = len(short.events)
    assert long.events[:n].tobytes() == short.events.tobytes()
    assert (long.events["ts"][n:] >= short.stop).all()
    assert long.labels[: len(short.labels)].tobytes() == short.labels.tobytes()


def test_an_instrument_does_not_depend_on_the_others():
    alone, together = simulate(60, 9), simulate(60, 9, instruments=3)
    assert together.events[together.events["instrument"] == 0].tobytes() == alone.events.tobytes()


# Valid ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("regime", [*REGIMES, "mixed"])
def test_every_event_is_valid(regime):
    sim = run(regime)
    e = sim.events
    assert e.dtype == EVENT and len(sim.mid) == len(e) == len(sim.regimes)
    assert (np.diff(e["ts"]) >= 0).all() and e["ts"][0] == TS0 and e["ts"][-1] < sim.stop
    assert np.isin(e["kind"], [Kind.TRADE, Kind.DEPTH]).all()
    assert np.isin(e["side"], [-1, 1]).all() and (e["source"] == 0).all() and (e["instrument"] == 0).all()
    trade, depth = e[e["kind"] == Kind.TRADE], e[e["kind"] == Kind.DEPTH]
    assert (trade.view(TRADE)["size"] > 0).all() and (trade["flags"] == 0).all()
    assert (depth.view(DEPTH)["size"] >= 0).all()
    assert depth["flags"][0] == Flag.SNAPSHOT and depth["flags"][-1] & Flag.LAST
    assert np.isin(depth["flags"][1:], [0, Flag.LAST]).all()
    for unused in ("v2", "v3", "v4", "v5"):
        assert (e[unused] == 0).all()
    for value in (e["v0"], e["v1"]):  # prices and sizes are the doubles nearest to whole steps of 0.01
        assert np.isfinite(value).all() and (np.rint(value * 100) / 100 == value).all()
    assert (np.abs(np.diff(sim.mid)) < 0.5).all() and (sim.mid > 10).all()


@pytest.mark.parametrize(("regime", "seed"), [("calm", 1), ("volatile", 2), ("breakout", 3), ("mixed", 4)])
def test_replay_is_never_crossed(regime, seed):
    sim = simulate(600, seed, regime, start_price=250.0, tick=0.05, lot=1.0)
    books: dict[int, dict[float, float]] = {1: {}, -1: {}}
    dealt: dict[float, float] = {}
    for row, mid in zip(sim.events, sim.mid, strict=True):
        price, size, side = float(row["v0"]), float(row["v1"]), int(row["side"])
        if row["kind"] == Kind.TRADE:  # an aggressor takes what stands on the other side, best price first
            left = {p: v - dealt.get(p, 0.0) for p, v in books[-side].items() if v > dealt.get(p, 0.0)}
            assert price == (max(left) if side < 0 else min(left)) and size <= left[price]
            dealt[price] = dealt.get(price, 0.0) + size
            continue
        if row["flags"] & Flag.SNAPSHOT:
            books = {1: {}, -1: {}}
        if price in dealt:
            assert size == books[side][price] - dealt.pop(price)
        if size:
            books[side][price] = size
        else:
            del books[side][price]
        if row["flags"] & Flag.LAST:
            bid, ask = max(books[1]), min(books[-1])
            assert bid < ask and not dealt
            assert len(books[1]) >= 20 and len(books[-1]) >= 20
            assert mid == pytest.approx((bid + ask) / 2, abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"seconds": 0}, "seconds"),
        ({"seconds": float("nan")}, "seconds"),
        ({"regime": "sideways"}, "regime"),
        ({"instruments": 0}, "instruments"),
        ({"correlation": 1.5}, "correlation"),
        ({"tick": 0.0}, "tick"),
        ({"lot": -1.0}, "lot"),
        ({"start_price": 5.0}, "start_price"),
        ({"start_price": float("inf")}, "start_price"),
    ],
)
def test_refuses_what_it_cannot_do(arguments, name):
    with pytest.raises(ValueError, match=name):
        simulate(**{"seconds": 1.0, **arguments})


# Labels ---------------------------------------------------------------------------------------------------


def test_labels_are_the_switches():
    sim = run("mixed", 12.0)
    ts, regime = sim.labels["ts"], sim.labels["regime"]
    assert ts[0] == TS0 and (np.diff(ts) > 0).all() and (np.diff(regime.astype(int)) != 0).all()
    assert set(regime) == set(range(7))
    assert 150 < np.diff(ts).mean() / 1e9 < 450
    assert (sim.regime_at(ts) == regime).all() and (sim.regime_at(ts[1:] - 1) == regime[:-1]).all()
    slow = np.array([regime[ts <= t][-1] for t in sim.events["ts"][::20011]])
    assert (sim.regimes[::20011] == slow).all()
    for i, name in enumerate(REGIMES):
        assert run(name).labels.tolist() == [(TS0, i)]


def test_mixed_does_what_its_labels_say():
    sim = run("mixed", 12.0)
    at = np.append(np.searchsorted(sim.events["ts"], sim.labels["ts"], side="right") - 1, len(sim.mid) - 1)
    move, span = np.diff(np.log(sim.mid[at])) * 1e4, np.diff(np.append(sim.labels["ts"], sim.stop)) / 1e9
    of = np.array(REGIMES)[sim.labels["regime"]]
    assert move[of == "trending_up"].sum() / span[of == "trending_up"].sum() > 0.04
    assert move[of == "trending_down"].sum() / span[of == "trending_down"].sum() < -0.04
    after = (of[1:] == "reversal") & np.isin(of[:-1], ["trending_up", "trending_down", "breakout"])
    assert (np.sign(move[1:][after]) == -np.sign(move[:-1][after])).mean() > 0.6
    speed = {name: np.abs(move[of == name]).mean() for name in set(of)}
    assert speed["breakout"] > 2 * speed["ranging"] and speed["volatile"] > 2 * speed["quiet"]


# Like a market --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("regime", ["calm", "volatile", "quiet", "mixed"])
def test_stylised_facts(regime):
    f = facts(regime)
    assert f["kurtosis 1s"] > 4
    if regime != "quiet":  # where one-second returns are 0, 1 or 2 ticks, a tail index means nothing
        assert 1.5 < f["hill 1s"] < 7
    assert abs(f["acf r 1s lag 1"]) < (0.25 if regime == "quiet" else 0.15)  # quiet: the bounce is most of it
    assert max(abs(f[f"acf r 1s lag {lag}"]) for lag in (2, 5, 10)) < 0.1
    assert f["acf |r| 1s lag 1"] > 0.1 and f["acf |r| 1s lag 10"] > 0.03
    assert f["acf |r| 1s lag 1"] > f["acf |r| 1s lag 20"]
    assert 0.5 < f["variance ratio 60s"] < 2.2
    assert 0.2 < f["acf sign lag 1"] < 0.7
    assert f["acf sign lag 1"] > f["acf sign lag 10"] > f["acf sign lag 50"] > 0.01
    assert f["spread 1 tick"] + f["spread 2 tick"] + f["spread 3 tick"] > (
        0.75 if regime == "volatile" else 0.93
    )
    assert 0.1 < f["imbalance -> next move"] < 0.45
    assert -0.05 < f["imbalance -> next 1s"] < 0.4
    assert 0.2 < f["flow 1s -> same 1s"] < 0.8
    assert abs(f["flow 1s -> next 1s"]) < 0.15
    assert 0.03 < f["trade share"] < 0.2
    assert f["depth 2 / depth 0"] > 1.1 > f["depth 19 / depth 0"]  # the book's hump
    assert f["size p99 / median"] > 8


def test_regimes_differ():
    rate = {name: facts(name)["events/s"] for name in REGIMES}
    sd = {name: minutes(run(name)).std() for name in REGIMES}
    drift = {name: minutes(run(name)).mean() for name in REGIMES}
    assert drift["trending_up"] > 4 and drift["trending_down"] < -4
    assert max(abs(drift[name]) for name in ("ranging", "quiet", "calm")) < 3
    assert 1.3 * sd["quiet"] < sd["calm"] < sd["volatile"] / 1.7
    assert sd["ranging"] < sd["calm"] < sd["breakout"]
    assert rate["quiet"] < rate["calm"] < rate["volatile"]
    ratio = {name: facts(name)["variance ratio 60s"] for name in REGIMES}
    assert ratio["ranging"] < 0.8 and ratio["trending_up"] > 1.5 * ratio["ranging"]
    assert facts("volatile")["spread mean ticks"] > 1.2 * facts("quiet")["spread mean ticks"]


def test_instruments_move_together():
    sim = simulate(3 * 3600, 21, instruments=3, start_price=[100.0, 50.0, 200.0], correlation=0.6)
    assert sorted(set(sim.events["instrument"])) == [0, 1, 2] and (np.diff(sim.events["ts"]) >= 0).all()
    for i, price in enumerate((100.0, 50.0, 200.0)):
        own = sim.events[sim.events["instrument"] == i]
        assert abs(own["v0"][0] - price) < 0.1 and own["flags"][0] == Flag.SNAPSHOT
    # a message is never interrupted by another instrument
    depth = sim.events[sim.events["kind"] == Kind.DEPTH]
    open_ = depth["flags"][:-1] & Flag.LAST == 0
    assert (depth["instrument"][1:][open_] == depth["instrument"][:-1][open_]).all()
    found = np.corrcoef([minutes(sim, i) for i in range(3)])[np.triu_indices(3, 1)]
    assert ((found > 0.4) & (found < 0.9)).all(), found
    apart = simulate(3 * 3600, 21, instruments=2, correlation=0.0)
    assert abs(np.corrcoef([minutes(apart, i) for i in range(2)])[0, 1]) < 0.3
    fast = np.corrcoef([minutes(sim, i, 1.0) for i in range(3)])[np.triu_indices(3, 1)]
    assert (fast < found).all()  # Epps (1979): correlation falls with the step


def test_fast_enough():
    simulate(1)
    began = time.process_time()
    n = len(simulate(3600, 1, "mixed").events)
    assert n / (time.process_time() - began) > 200_000
