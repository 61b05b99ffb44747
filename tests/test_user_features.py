"""Features of users' own: the laws of native ones hold, pandas says the same, and what cannot be is refused."""

from __future__ import annotations

import importlib
import math
import pickle
import subprocess
import sys
import threading
import time
import types
import warnings
from pathlib import Path

import numba
import numpy as np
import pandas as pd
import pytest
import streams
import test_laws as laws

import smartcore as sc
from smartcore.features import user
from smartcore.market import events as ev

WEIGHTS = np.array([0.5, 0.3, 0.2])
SCALE = 3.0


@numba.njit
def weighted(window):
    return (window * WEIGHTS).sum() * SCALE


@pytest.fixture(autouse=True)
def no_names_are_left():
    """What a test declares is gone after it; the users' features of this module are there for all of its tests."""
    before = set(user.declared())
    yield
    user.forget(*(set(user.declared()) - before))


@pytest.fixture(scope="module", autouse=True)
def features():
    """One of each form: record, array and default state, one and several columns, bars, trades, book, both."""

    @sc.feature(columns=["my_signal"], state={"n": 0, "mean": 0.0})
    def my_signal(state, bar):
        """Close against the mean of all closes."""
        state.n += 1
        state.mean += (bar.close - state.mean) / state.n
        return bar.close / state.mean - 1

    @sc.feature(
        columns={"my_mean": "mean of a window", "my_top": "highest of it"}, state={"seen": 0, "window": np.zeros(20)}
    )
    def my_window(state, bar, *, window=20):
        state.window[state.seen % window] = bar.close
        state.seen += 1
        if state.seen < window:
            return math.nan, math.nan
        return state.window[:].mean(), state.window.max()

    @sc.feature
    def my_flow(state, trade):
        state[0] = 0.99 * state[0] + 0.01 * trade.side * trade.size
        return state[0]

    @sc.feature(columns=["my_middle"], state=1)
    def my_middle(state, book):
        return 0.5 * (book.bid[0] + book.ask[0])

    @sc.feature(columns=["my_cost", "my_count"], state={"count": 0})
    def my_cost(state, trade, book):
        state.count += 1
        return 2 * abs(trade.price / (0.5 * (book.bid[0] + book.ask[0])) - 1), state.count

    @sc.feature(columns=["my_both"], state=np.zeros((2, 3)))
    class my_both:
        def trade(state, trade):
            state[0, trade.side + 1] += trade.size

        def quote(state, book):
            state[1] *= 0.5
            state[1, 0] += book.bid_size[0] - book.ask_size[0]
            return state[1, 0] + state[0, 2] - state[0, 0]

        def bar(state, bar, book):
            state[1] += bar.volume
            return state[1, 1] + book.ask[0]

    @sc.feature(columns=["my_clock", "my_weighted"], state={"last": 0, "window": np.zeros(3, np.float32)})
    def my_clock(state, bar):
        gap = (bar.ts - state.last) / 1e9
        state.last = bar.ts
        state.window[1:] = state.window[:-1].copy()
        state.window[0] = bar.close
        return gap if gap < 1e9 else math.nan, weighted(state.window)

    yield
    user.forget(*user.declared())


@pytest.fixture
def users():
    return sc.FeatureSet(c.name for c in sc.catalogue().declared)


# ---- the laws ----

CASES = ("bars", "flat bars", "everything", "everything, bars of 1 s", "quotes", "simulated")


@pytest.fixture(params=CASES)
def case(request, users, recorded, monkeypatch):
    monkeypatch.setattr(laws, "DEFAULT", users)
    monkeypatch.setattr(laws.assert_same, "__defaults__", (users.columns,))
    monkeypatch.setattr(laws.Case.engine, "__defaults__", (users,))
    make, rule = laws.CASES[request.param]
    made = laws.Case(make(recorded), rule)
    monkeypatch.setitem(laws._cases, request.param, made)
    return made


@pytest.mark.parametrize("sample", ["event", "bar", "250ms"])
def test_stream_in_chunks_equals_batch_and_no_prefix_differs(case, sample):
    laws.test_stream_in_chunks_equals_batch(case, sample)
    laws.test_a_prefix_gives_the_same_values(case, sample)


def test_live_calls_equal_batch(case):
    laws.test_live_calls_equal_batch(case, laws.feed)
    laws.test_live_calls_equal_batch(case, sc.Engine.on_event)


def test_restored_and_copied_engines_go_on_alike(case):
    laws.test_restored_anywhere_equals_batch(case)
    for how in ("copy", "deepcopy", "pickle"):
        laws.test_copies_go_on_alike_and_apart(case, how)


def test_company_and_the_moment_of_reading_do_not_matter(case):
    laws.test_neither_order_nor_company_of_columns_matters(case)
    laws.test_rows_at_bars_know_nothing_of_the_event_that_follows(case)
    laws.test_rows_at_intervals_know_nothing_of_the_event_that_follows(case)
    laws.test_nothing_is_infinite_and_ranges_hold(case)


def test_beside_native_columns():
    """Among native ones, in blocks of bars and event by event, twice the same function in one engine."""
    native = [c.name for c in sc.catalogue().columns if c.kernel.wakes == ("bar",)]
    bars = streams.bars(700)
    alone = sc.Engine(["my_top", "my_signal"]).run(bars)
    mixed = ["my_top", *native, "my_signal"]
    table = sc.Engine(mixed).run(bars)
    laws.assert_same(table[:, [0, -1]], alone, ("my_top", "my_signal"))
    laws.assert_same(table[:, 1:-1], sc.Engine(native).run(bars), tuple(native))
    with_book = sc.Engine([*mixed, "my_middle", "spread"]).run(bars)
    laws.assert_same(with_book[:, :-2], table, tuple(mixed))


# ---- the numbers ----


def test_against_pandas():
    bars = streams.bars(600).view(sc.BAR)
    close = pd.Series(bars["close"])
    table = pd.DataFrame(
        sc.Engine(["my_signal", "my_mean", "my_top", "my_clock", "my_weighted"]).run(streams.bars(600)),
        columns=["signal", "mean", "top", "gap", "weighted"],
    )
    np.testing.assert_allclose(table["signal"], close / close.expanding().mean() - 1, atol=1e-12)
    np.testing.assert_allclose(table["mean"], close.rolling(20).mean(), rtol=1e-12)
    np.testing.assert_array_equal(table["top"], close.rolling(20).max())
    np.testing.assert_allclose(table["gap"], pd.Series(bars["ts"]).diff() / 1e9)
    single = close.astype(np.float32).astype(float)
    expected = SCALE * (0.5 * single + 0.3 * single.shift(1) + 0.2 * single.shift(2))
    np.testing.assert_allclose(table["weighted"][2:], expected[2:], rtol=1e-12)


def test_against_pandas_on_trades():
    events = streams.simulated()
    trades = events[events["kind"] == ev.Kind.TRADE].view(sc.TRADE)
    flow = sc.Engine(["my_flow"]).run(events, "event")[events["kind"] == ev.Kind.TRADE, 0]
    signed = pd.Series(trades["side"] * trades["size"])
    padded = pd.concat([pd.Series([0.0]), signed], ignore_index=True)
    np.testing.assert_allclose(flow, padded.ewm(alpha=0.01, adjust=False).mean()[1:], rtol=1e-11, atol=1e-14)


def test_the_book_is_the_engines_own():
    """Best levels as smartcore has them; unknown while they are, and the function is not called then."""
    events = streams.simulated()
    engine, counted = sc.Engine(["my_middle", "my_cost", "my_count"]), 0
    unknown = 0
    for e in events[20_000:32_000]:
        engine.on_event(e)
        if e["kind"] == ev.Kind.TRADE and engine.book.valid:
            counted += 1
            assert engine.row[1] == 2 * abs(e["v0"] / engine.book.mid - 1)
            assert engine.row[2] == counted
        if e["kind"] == ev.Kind.GAP or (e["flags"] & ev.Flag.LAST and not engine.book.valid):
            unknown += 1
            assert np.isnan(engine.row[0])
        elif e["flags"] & ev.Flag.LAST:
            assert engine.row[0] == engine.book.mid
    assert counted > 100 and unknown


def test_scores_and_series():
    @sc.feature(columns=["mood"], state={"sum": 0.0})
    def mood(state, score):
        state.sum += score.value * score.weight * (score.source + 1)
        return state.sum

    @sc.feature(columns=["funding_twice"])
    def funding_twice(state, aux):
        return 2 * aux.value if aux.source == 1 else None

    ts = streams.START + np.arange(4)
    events = ev.merge(
        ev.scores(ts, [1.0, -0.5, 0.25, 0.0], [1, 2, 4, 1], [0, 1, 2, 0]), ev.aux(ts, [0, 1, 1, 2], [9.0, 1, 2, 3])
    )
    table = sc.Engine(["mood", "funding_twice"]).run(events, "event")
    np.testing.assert_array_equal(table[events["kind"] == ev.Kind.SCORE, 0], [1.0, -1.0, 2.0, 2.0])
    np.testing.assert_array_equal(table[events["kind"] == ev.Kind.AUX, 1], [np.nan, 2.0, 4.0, 4.0])


def test_every_form_of_an_answer():
    @sc.feature(columns=["up"])
    def up(state, bar):
        return bar.close > bar.open

    @sc.feature(columns=["a_count", "a_single", "a_truth"], state={"n": 0})
    def three(state, bar):
        state.n += 1
        if state.n < 3:
            return None
        return state.n, np.float32(bar.close), bar.close > bar.open

    @sc.feature(columns=["every_other"], state={"n": 0})
    def every_other(state, bar):
        state.n += 1
        if state.n % 2:
            return None
        return bar.volume

    @sc.feature(columns=["of_integers"], state=np.arange(6).reshape(2, 3))
    def of_integers(s, bar):
        s[1, 2] += 1
        return s.sum()

    bars = streams.bars(6).view(sc.BAR)
    columns = ["up", "a_count", "a_single", "a_truth", "every_other", "of_integers"]
    table = pd.DataFrame(sc.Engine(columns).run(streams.bars(6)), columns=columns)
    rises = bars["close"] > bars["open"]
    np.testing.assert_array_equal(table["up"], rises)
    np.testing.assert_array_equal(table["a_count"], [np.nan, np.nan, 3, 4, 5, 6])
    np.testing.assert_array_equal(table["a_single"][2:], bars["close"][2:].astype(np.float32))
    np.testing.assert_array_equal(table["a_truth"][2:], rises[2:])
    np.testing.assert_array_equal(table["every_other"], bars["volume"][[0, 1, 1, 3, 3, 5]] * [np.nan, 1, 1, 1, 1, 1])
    np.testing.assert_array_equal(table["of_integers"], np.arange(16, 22))


# ---- defined where Python would raise ----


def test_divisions_errors_and_bounds_give_nan():
    @sc.feature(columns=["a", "b"], state={"n": 0, "window": np.zeros(4)})
    def careless(state, bar):
        state.n += 1
        if state.n == 2:
            return 1.0 / (state.n - 2), math.log(0.0)
        if state.n == 3:
            return state.window[state.n + 1], 1.0
        if state.n == 4:
            raise ValueError("no")
        if state.n == 5:
            state.window[1000] = 1.0
        if state.n == 6:
            return math.sqrt(-1.0), 0.0
        if state.n == 7:
            return state.n // 0, state.n % 0
        return state.n, state.window.sum()

    bars = streams.bars(9)
    engine = sc.Engine(["a", "b"])
    table = engine.run(bars)
    nan = math.nan
    np.testing.assert_array_equal(table[:6, 0], [1, nan, nan, nan, nan, nan])
    np.testing.assert_array_equal(table[7:], [[8, 0], [9, 0]])
    np.testing.assert_array_equal(table[:6, 1], [0, nan, nan, nan, nan, 0])
    live = sc.Engine(["a", "b"])
    rows = []
    for bar in bars:
        live.on_event(bar)
        rows.append(live.row.copy())
    laws.assert_same(np.array(rows), table, ("a", "b"))
    assert live.snapshot() == engine.snapshot()


def test_an_event_is_not_a_features_to_change():
    @sc.feature(columns=["spoil"])
    def spoil(state, bar):
        bar.close = 1.0
        return bar.close

    @sc.feature(columns=["spoil_book"])
    def spoil_book(state, book):
        book.bid[0] = 1.0
        return book.bid[0]

    bars = streams.bars(50)
    columns = ["spoil", "rsi_7", "my_signal"]
    laws.assert_same(sc.Engine(columns).run(bars)[:, 1:], sc.Engine(columns[1:]).run(bars), ("rsi_7", "my_signal"))
    for bar in bars:
        copy = bar.copy()
        sc.Engine(columns).on_event(copy)
        assert copy == bar
    events = streams.simulated()[:4000]
    columns = ["spoil_book", "spread", "my_middle"]
    table = sc.Engine(columns).run(events, "event")
    laws.assert_same(table[:, 1:], sc.Engine(columns[1:]).run(events, "event"), ("spread", "my_middle"))


def test_no_multiply_add_is_fused():
    """What the C++ core gives up for equal bits on every machine, machine code of users' does not take back."""

    @sc.feature(columns=["fused"])
    def fused(state, bar):
        return bar.open * bar.high - bar.low * bar.close

    bars = streams.bars(500).view(sc.BAR)
    expected = bars["open"] * bars["high"] - bars["low"] * bars["close"]
    np.testing.assert_array_equal(sc.Engine(["fused"]).run(streams.bars(500))[:, 0], expected)
    code = user.declared()["fused"].compiled[0].inspect_llvm()
    assert "fmuladd" not in code and "contract" not in code


# ---- names, parameters, declaring anew ----


def test_in_the_catalogue_and_not_in_the_default_set(users):
    catalogue = sc.catalogue()
    kernel = catalogue["my_window"]
    assert kernel.group == kernel.family == "user" and kernel.wakes == ("bar",)
    assert [c.name for c in catalogue.declared if c.kernel is kernel] == ["my_mean", "my_top"]
    assert catalogue.column("my_top").meaning.doc == "highest of it"
    assert (
        catalogue["my_signal"].doc
        == catalogue.column("my_signal").meaning.doc
        == "Close against the mean of all closes."
    )
    assert not set(users.columns) & set(sc.FeatureSet.default().columns)
    assert users.group("user") == users and users.wakes("trade").columns == (
        "my_flow",
        "my_cost",
        "my_count",
        "my_both",
    )
    assert "user" in catalogue.groups and "user 10" in repr(catalogue)
    assert set(users.columns) <= set(catalogue.to_pandas().index)
    with pytest.raises(sc.UnknownFeature, match="my_signal"):
        catalogue.column("my_signl")
    assert catalogue.column("my_signal").warmup == 1


def test_the_function_stays_a_function():
    @sc.feature(columns=["plain"])
    def plain(state, bar):
        return bar.close + state[0]

    assert plain(np.ones(1), types.SimpleNamespace(close=2.0)) == 3.0


def test_parameters_are_compiled_in():
    def momentum(state, bar, *, window=5, scale=(1.0, 2)):
        state.past[state.n % (window + 1)] = bar.close
        state.n += 1
        if state.n <= window:
            return math.nan
        return scale[1] * (bar.close - state.past[(state.n - window - 1) % (window + 1)])

    bars = streams.bars(100)
    close = pd.Series(bars.view(sc.BAR)["close"])
    for window in (5, 10):
        state = {"n": 0, "past": np.zeros(window + 1)}
        sc.feature([f"momentum_of_{window}"], name=f"momentum_of_{window}", params={"window": window}, state=state)(
            momentum
        )
        got = sc.Engine([f"momentum_of_{window}"]).run(bars)[:, 0]
        np.testing.assert_allclose(got, 2 * close.diff(window), rtol=1e-12)
    with pytest.raises(sc.InvalidFeature, match="windows"):
        sc.feature(["x"], name="x", params={"windows": 3}, state=state)(momentum)


@pytest.fixture
def not_compiled(monkeypatch):
    """What is declared is not run either."""
    monkeypatch.setattr(user, "_compile", lambda *_: (types.SimpleNamespace(address=0), True))


def test_fingerprints_follow_the_meaning(not_compiled):
    def of(text, state=None, columns=("z",), file="<made>", **names):
        scope = {"np": np, "math": math, **names}
        exec(compile(text, file, "exec"), scope)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            sc.feature(list(columns), state=state, name="z")(scope["z"])
        return sc.FeatureSet(columns).fingerprint

    text = "def z(state, bar, *, k=3):\n    return bar.close * k * K\n"
    base = of(text, K=2.0)
    assert of(text, K=2.0) == base
    others = [
        of(text.replace("* k", "+ k"), K=2.0),
        of(text.replace("k=3", "k=4"), K=2.0),
        of(text, K=2.5),
        of(text, K=2.0, state=3),
        of(text, K=2.0, state={"a": 1.0}),
        of(text, K=2.0, state={"a": 2.0}),
        of(text, K=2.0, state={"b": 2.0}),
        of(text.replace("K", "K[0]"), K=np.array([2.0, 3.0])),
        of(text.replace("K", "K[0]"), K=np.array([2.0, 4.0])),
        of(text.replace("* K", "+ K(2.0)"), K=numba.njit(lambda x: x + 1)),
        of(text.replace("* K", "+ K(2.0)"), K=numba.njit(lambda x: x + 2)),
        of(text, K=2.0, columns=("zz",)),
    ]
    assert len({base, *others}) == len(others) + 1
    # Where code says that it is of a file which is something else, what counts is what runs.
    for file in (__file__, str(Path(__file__).parent.parent / "README.md")):
        assert of(text, K=2.0, file=file) == base != of(text.replace("* k", "+ k"), K=2.0, file=file)


def test_layout_and_comments_mean_nothing(tmp_path, not_compiled, monkeypatch):
    texts = (
        "import smartcore as sc\n@sc.feature(columns=['y'])\ndef y(state, bar, *, k=3):\n    return bar.close*k\n",
        "import smartcore as sc\n\n\n@sc.feature(\n  columns=['y'])\ndef y(state, bar, *, k: int = 3) -> float:\n"
        "    '''It says something.'''\n    # and more\n    return (bar.close  * k)\n",
    )
    monkeypatch.syspath_prepend(tmp_path)
    prints = []
    for i, text in enumerate(texts):
        (tmp_path / f"of_y{i}.py").write_text(text)
        importlib.import_module(f"of_y{i}")  # no warning: it means the same
        prints.append(sc.FeatureSet(["y"]).fingerprint)
    assert prints[0] == prints[1]


def test_declared_anew():
    def make(k):
        @sc.feature(columns=["anew", "anew_b"] if k < 3 else ["anew"])
        def anew(state, bar):
            return (bar.close * k, 0.0) if k < 3 else bar.close

    bars = streams.bars(20)
    close = bars.view(sc.BAR)["close"]
    make(1)
    old, half = sc.Engine(["anew", "rsi_7"]), sc.Engine(["anew", "rsi_7"])
    half.run(bars[:10])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make(1)  # the same again: nothing happens
    with pytest.warns(UserWarning, match="anew"):
        make(2)
    new = sc.Engine(["anew", "rsi_7"])
    np.testing.assert_array_equal(old.run(bars)[:, 0], close)
    np.testing.assert_array_equal(new.run(bars)[:, 0], 2 * close)
    np.testing.assert_array_equal(half.copy().run(bars[10:])[:, 0], close[10:])  # copies keep what they have
    assert old.features != new.features
    with pytest.raises(sc.CorruptSnapshot, match="anew"):
        sc.Engine.restore(old.snapshot())
    with pytest.warns(UserWarning):
        make(3)
    with pytest.raises(sc.UnknownFeature):
        sc.FeatureSet(["anew_b"])


def test_a_snapshot_names_what_is_not_declared():
    @sc.feature(columns=["gone"])
    def gone(state, bar):
        return bar.close

    engine = sc.Engine(["gone", "my_signal"])
    blob = engine.snapshot()
    user.forget("gone")
    with pytest.raises(sc.NotDeclared, match="gone"):
        sc.Engine.restore(blob)
    with pytest.raises(sc.NotDeclared, match="gone"):
        pickle.loads(pickle.dumps(engine))
    with pytest.raises(sc.UnknownFeature, match="gone"):
        user.forget("gone")
    engine.run(streams.bars(5))  # and lives on


def test_in_another_process(tmp_path):
    """Pickled here, unpickled there: the same rows if the module is imported, an error that names it if not."""
    (tmp_path / "mine.py").write_text(
        "import smartcore as sc\n@sc.feature(columns=['over_there'], state={'n': 0})\ndef over_there(state, bar):\n"
        "    state.n += 1\n    return bar.close * state.n\n"
    )
    sys.path.insert(0, str(tmp_path))
    try:
        import mine  # noqa: F401
    finally:
        sys.path.remove(str(tmp_path))
    bars = streams.bars(60)
    engine = sc.Engine(["over_there", "rsi_7"])
    engine.run(bars[:30])
    (tmp_path / "engine.pickle").write_bytes(pickle.dumps(engine))
    np.save(tmp_path / "bars.npy", bars[30:])
    code = (
        "import sys, pickle, pathlib, numpy as np, smartcore as sc\nhere = pathlib.Path(sys.argv[1])\n"
        "if len(sys.argv) > 2:\n    sys.path.insert(0, str(here)); import mine\n"
        "engine = pickle.loads((here / 'engine.pickle').read_bytes())\n"
        "np.save(here / 'rows.npy', engine.run(np.load(here / 'bars.npy')))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    failed = subprocess.run(command, capture_output=True, text=True)
    assert failed.returncode != 0 and "NotDeclared" in failed.stderr and "over_there" in failed.stderr
    subprocess.run([*command, "import"], check=True)
    laws.assert_same(np.load(tmp_path / "rows.npy"), engine.run(bars[30:]), engine.columns)


def test_numba_loads_with_the_first_feature():
    code = (
        "import sys, smartcore as sc\nassert 'numba' not in sys.modules\n"
        "sc.feature\nassert 'numba' not in sys.modules\n"
        "sc.Engine(['rsi_14'])\nassert 'numba' not in sys.modules\n"
        "@sc.feature\ndef f(state, bar):\n    return bar.close\nassert 'numba' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_runs_without_the_gil():
    """Errors too: nothing of Python is touched where a function raises."""

    @sc.feature(columns=["slow"], state={"n": 0, "window": np.zeros(8)})
    def slow(state, bar):
        state.n += 1
        if state.n % 3 == 0:
            return state.window[state.n]
        x = bar.close
        for i in range(200):
            x = math.sin(x) + i
        return x

    bars = np.concatenate([streams.bars(1500)] * 10)
    bars["ts"] = np.arange(len(bars))
    expected = sc.Engine(["slow"]).run(bars)
    results, ticks = {}, 0
    threads = [
        threading.Thread(target=lambda i=i: results.__setitem__(i, sc.Engine(["slow"]).run(bars))) for i in range(2)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        time.sleep(0)
        ticks += 1
    assert ticks > 20, "other threads of Python stood still"
    for i in range(2):
        laws.assert_same(results[i], expected, ("slow",))


# ---- refusals ----


def made(text, **arguments):
    """Declares a function of a text."""
    scope = {}
    exec(compile(text, "<made>", "exec"), scope)
    return sc.feature(**({"columns": ["q"]} | arguments))(scope["q"])


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("def q(state, bar):\n    return bar.foo", "no field 'foo'"),
        ("def q(state, bar):\n    return undefined(bar)", "undefined"),
        ("def q(state, bar):\n    return state.n", "'n'"),
        ("def q(state, bar):\n    return 'up'", "returns"),
        ("def q(state, bar):\n    return 1.0, 2.0", "2 numbers for 1 column"),
        ("def q(state, bar):\n    pass", "returns nothing"),
        ("def q(state, bar):\n    return bar.source", "no field 'source'"),
        ("def q(state, bar):\n    return [1.0]", "returns"),
        ("def q(state):\n    return 1.0", "second argument"),
        ("def q(state, candle):\n    return 1.0", "second argument.*bar, trade"),
        ("def q(state, bar, trade):\n    return 1.0", r"\(state, bar, book\)"),
        ("def q(state, book, book_):\n    return 1.0", r"\(state, book\)"),
        ("def q(state, bar, *, k):\n    return k", "k wants a default"),
        ("def q(state, bar, *, k='a'):\n    return 1.0", "k wants a default"),
        ("def q(state, bar, *more):\n    return 1.0", r"\*"),
        ("q = 3", "neither"),
        ("class q:\n    def bar(state, bar):\n        return 1.0\n    x = 2", "class of functions"),
        ("class q:\n    def candle(state, candle):\n        return 1.0", "class of functions"),
        ("class q:\n    def bar(state, trade):\n        return 1.0", r"\(state, bar\)"),
        ("async def q(state, bar):\n    return 1.0", "ordinary"),
    ],
)  # fmt: skip
def test_functions_that_are_none(text, match):
    with pytest.raises(sc.InvalidFeature, match=match):
        made(text)
    with pytest.raises(sc.UnknownFeature):
        sc.FeatureSet(["q"])


GOOD = "def q(state, bar):\n    return bar.close"


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"columns": ["rsi_14"]}, "of the catalogue"),
        ({"columns": ["rsi_21"]}, "of the catalogue"),
        ({"name": "rsi"}, "kernel of the catalogue"),
        ({"columns": ["my_signal"]}, "my_signal"),
        ({"columns": ["Q"]}, "small letters"),
        ({"columns": ["q q"]}, "small letters"),
        ({"columns": "q"}, "list of names"),
        ({"columns": []}, "0 columns"),
        ({"columns": [f"q_{i}" for i in range(33)]}, "33 columns"),
        ({"state": {"a": "text"}}, "numbers"),
        ({"state": {"a b": 1}}, "name of a field"),
        ({"state": {"if": 1}}, "name of a field"),
        ({"state": {}}, "0 bytes"),
        ({"state": 0}, "0 bytes"),
        ({"state": 1 << 30}, "bytes"),
        ({"state": [1j]}, "numbers"),
        ({"state": "abc"}, "numbers"),
        ({"warmup": 0}, "warmup"),
        ({"low": 1, "high": 1}, "low"),
    ],
)
def test_declarations_that_are_none(arguments, match):
    with pytest.raises(sc.InvalidFeature, match=match):
        made(GOOD, **arguments)
    assert "q" not in user.declared()


def test_an_error_shows_the_users_line(tmp_path):
    path = tmp_path / "faulty_one.py"
    path.write_text(
        "import smartcore as sc\n\n\n@sc.feature(state={'n': 0})\n"
        "def faulty(state, bar):\n    state.n += 1\n    return bar.clsoe\n"
    )
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import faulty_one"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr.strip().split("\n")[-1]
    assert f"line 7 of {path}" in said and "return bar.clsoe" in said and len(said) < 300
