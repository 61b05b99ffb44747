"""The audit finds every planted look ahead and says what it is, and finds none where there is none."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import warnings

import numba
import numpy as np
import pandas as pd
import pytest
import streams
from test_cli import document, smartcore

import smartcore as sc
from smartcore.features import user
from smartcore.features.audit import _events
from smartcore.market import events as ev


@pytest.fixture(autouse=True)
def no_names_are_left():
    before = set(user.declared())
    yield
    user.forget(*(set(user.declared()) - before))


@pytest.fixture(scope="module")
def frame():
    bars = streams.bars(500, seed=21).view(sc.BAR)
    index = pd.to_datetime(bars["ts"], utc=True)
    return pd.DataFrame({c: bars[c].copy() for c in ("open", "high", "low", "close", "volume")}, index=index)


def leak(function, frame, cuts=60):
    """The one leak of a function."""
    report = sc.audit(function, frame, cuts=cuts)
    assert not report.passed and len(report.leaks) == 1, str(report)
    assert report.rewritten >= report.leaks[0].details["rewritten"] > 0
    return report.leaks[0]


# ---- functions over a frame ----


def causal(frame):
    close = frame["close"]
    out = pd.DataFrame({"mean": close.rolling(20).mean(), "ewm": close.ewm(span=10).mean()})
    out["past"] = close.shift(3)
    out["zscore"] = (close - close.expanding().mean()) / close.expanding().std()
    out["filled"] = close.where(frame["volume"] > 5).ffill()
    out["up"] = close > close.shift(1)
    out["day"] = frame.index.day_name()
    out["fixed"] = (close - 100.0) / 3.0
    return out


def test_a_causal_function_passes(frame):
    report = sc.audit(causal, frame, cuts=499)
    assert report.passed and not report.leaks and report.rewritten == 0, str(report)
    assert report.cuts + 1 >= 499 - 3 and report.columns == 8 and report.rows == 500
    assert "nothing looks ahead" in str(report)


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_a_shift_backwards(frame, rows):
    found = leak(lambda f: f["close"].shift(-rows), frame)
    assert f"shift(-{rows})" in found.text
    assert found.details["ahead"] == found.details["settles"] == rows
    assert found.details["tail"] and not found.details["whole_sample"]
    assert "constant tail effect" in found.text


def test_a_return_of_the_future_as_an_array(frame):
    def label(f):
        return np.append(np.diff(np.log(f["close"].to_numpy())), np.nan)

    assert leak(label, frame).details["ahead"] == 1


@pytest.mark.parametrize("width", [3, 11, 51])
def test_a_centred_window(frame, width):
    found = leak(lambda f: f["close"].rolling(width, center=True).mean(), frame)
    assert f"rolling({width}, center=True)" in found.text
    assert found.details["settles"] == width // 2


def test_a_centred_window_that_begins_early(frame):
    """Never unknown, but rewritten up to five rows later."""
    found = leak(lambda f: f["close"].rolling(11, center=True, min_periods=1).mean(), frame)
    assert "centred window" in found.text and found.details["ahead"] == 1 and found.details["settles"] == 5


@pytest.mark.parametrize(
    "function",
    [
        lambda f: (f["close"] - f["close"].mean()) / f["close"].std(),
        lambda f: f["close"].rank(pct=True),
        lambda f: f["close"] / f["close"].max(),
        lambda f: f["close"] - np.polyval(np.polyfit(np.arange(len(f)), f["close"], 1), np.arange(len(f))),
        lambda f: pd.qcut(f["close"], 5, labels=False),
    ],
    ids=["z-score", "rank", "maximum", "trend", "quantiles"],
)
def test_a_full_sample(frame, function):
    found = leak(function, frame)
    assert found.details["whole_sample"] and "full sample" in found.text
    assert found.details["settles"] is None


def test_a_model_fitted_on_everything(frame):
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler

    def scaled(f):
        return PCA(2).fit_transform(StandardScaler().fit_transform(f))

    report = sc.audit(scaled, frame, cuts=40)
    assert len(report.leaks) == 2 and all(f.details["whole_sample"] for f in report.leaks)


def test_gaps_filled_from_behind(frame):
    def filled(f):
        return f["close"].where(np.arange(len(f)) % 7 == 0).bfill()

    found = leak(filled, frame)
    assert "bfill" in found.text and found.details["ahead"] == 1 and found.details["settles"] == 6


def test_a_look_of_one_row_in_a_hundred(frame):
    """Hidden in rows that are rare: every cut is tried, as is done where time allows."""

    def rare(f):
        wild = f["volume"] > f["volume"].rolling(100).quantile(0.99)
        return pd.Series(np.where(wild, f["close"].shift(-1) / f["close"] - 1, 0.0), f.index, name="rare")

    found = leak(rare, frame, cuts=499)
    assert found.column == "rare" and found.details["ahead"] == 1 and found.details["rewritten"] < 12
    assert sc.audit(rare, frame).leaks  # so too if nothing is said


def test_what_is_marked_afterwards(frame):
    """A pivot that two later rows confirm stands in the past."""

    def pivots(f):
        high, out = f["high"].to_numpy(), np.zeros(len(f))
        for i in range(2, len(f) - 2):
            if high[i] == high[i - 2 : i + 3].max():
                out[i] = 1
        return out

    found = leak(pivots, frame, cuts=200)
    assert found.details["settles"] == 2 and found.details["tail"]


def test_columns_by_name_and_the_rest_is_clean(frame):
    def some(f):
        out = causal(f)
        out["bad"] = f["close"].shift(-1)
        out["noise"] = np.random.default_rng().normal(size=len(f))
        return out

    report = sc.audit(some, frame, cuts=40)
    assert [f.column for f in report.findings if f.level != "note"] == ["bad", "noise"]
    assert "random" in next(f.text for f in report.findings if f.column == "noise")
    assert "2 of 10 columns" in str(report)


def test_other_faults_and_notes(frame):
    def odd(f):
        f["late"] = 1.0
        return {"up": f["close"] / (f["close"] - f["close"]), "flat": f["close"] * 0, "none": f["close"] * np.nan}

    with np.errstate(all="ignore"):
        report = sc.audit(odd, frame, cuts=30)
    said = {(f.column, f.check) for f in report.findings}
    assert said == {("up", "infinite"), ("flat", "constant"), ("none", "unknown"), ("odd", "input")}
    assert not report.passed and not report.leaks


def test_rows_left_out_keep_their_index(frame):
    report = sc.audit(lambda f: f["close"].rolling(20).mean().dropna(), frame, cuts=40)
    assert report.passed
    assert leak(lambda f: f["close"].shift(-1).dropna(), frame).details["ahead"] == 1
    with pytest.raises(sc.InvalidData, match="index"):
        sc.audit(lambda f: f["close"].to_numpy()[5:], frame)
    with pytest.raises(sc.InvalidData, match="too few"):
        sc.audit(causal, frame.iloc[:5])
    with pytest.raises(sc.InvalidData, match="DataFrame"):
        sc.audit(causal, "bars.csv")


def test_roundings_are_no_leak(frame):
    """Sums over more rows in another order differ in the last digits, by FFT in every row."""
    kernel = np.ones(20) / 20
    size = 2048

    def by_fft(f):
        close = np.log(f["close"].to_numpy())
        return np.fft.irfft(np.fft.rfft(close, size) * np.fft.rfft(kernel, size), size)[: len(close)]

    assert sc.audit(by_fft, frame, cuts=60).passed


def test_a_function_that_fails_on_short_frames(frame):
    def demanding(f):
        if len(f) < 50:
            raise ValueError("more rows")
        return f["close"].rolling(50).mean()

    report = sc.audit(demanding, frame, cuts=60)
    assert report.passed and any("fewer than" in f.text for f in report.findings)


def test_a_field_package_that_rewrites_its_past(frame):
    smc = pytest.importorskip("smartmoneyconcepts").smc
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = sc.audit(lambda f: smc.swing_highs_lows(f, swing_length=5), frame, cuts=30)
    assert {f.column for f in report.leaks} == {"HighLow", "Level"}


# ---- features of the engine ----


def test_native_features_pass():
    report = sc.audit(["rsi_14", "spread", "ofi_l1_10s", "candle_body", "zscore_20"], rows=2500, cuts=30)
    assert report.passed and report.rewritten == 0, str(report)
    assert report.compared > 100_000
    assert set(report.checks) == {"the same events again", "prefixes", "pieces", "live", "restored"}


def test_every_kernel_wakes_on_the_data_that_are_made():
    events, _ = _events(None, None, 3000, 0)
    assert set(np.unique(events["kind"]).tolist()) >= {1, 2, 3, 5, 6, 8, 9}
    assert (np.diff(events["ts"]) >= 0).all()


def test_a_users_feature_passes():
    @sc.feature(columns=["fine"], state={"n": 0, "mean": 0.0})
    def fine(state, bar):
        state.n += 1
        state.mean += (bar.close - state.mean) / state.n
        return bar.close / state.mean - 1

    report = sc.audit(["fine"], streams.bars(800), cuts=40)
    assert report.passed and report.columns == 1, str(report)


def test_the_future_frozen_into_code():
    """No prefix shows it: the array is the same in every run. That it holds the data does."""
    bars = streams.bars(800)
    future = bars.view(sc.BAR)["close"].copy()
    returns = np.diff(np.log(future))

    @sc.feature(columns=["clairvoyant"], state={"n": 0})
    def clairvoyant(state, bar):
        state.n += 1
        return future[state.n] / bar.close - 1 if state.n < len(future) else np.nan

    @sc.feature(columns=["fitted"], state={"n": 0})
    def fitted(state, bar):
        state.n += 1
        return returns[min(state.n, len(returns) - 1)]

    report = sc.audit(["clairvoyant", "fitted"], bars, cuts=30)
    assert {f.column for f in report.leaks} == {"clairvoyant", "fitted"}
    assert "future" in report.leaks[0].text and "close" in report.leaks[0].text
    elsewhere = sc.audit(["clairvoyant"], streams.bars(800, seed=5), cuts=30)
    assert elsewhere.passed and "audit with these data" in str(elsewhere)


def test_weights_frozen_into_code_are_no_leak():
    weights = np.linspace(0.1, 0.9, 9)

    @sc.feature(columns=["filtered"], state={"window": np.zeros(9)})
    def filtered(state, bar):
        state.window[1:] = state.window[:-1].copy()
        state.window[0] = bar.close
        return (state.window * weights).sum()

    assert sc.audit(["filtered"], streams.bars(800), cuts=30).passed


def test_a_random_number_and_a_state_outside():
    @sc.feature(columns=["dice"])
    def dice(state, bar):
        return bar.close + np.random.random()  # noqa: NPY002

    shared = np.zeros(1)
    address = shared.ctypes.data

    @numba.extending.intrinsic
    def outside(context):
        from llvmlite import ir

        def build(context, builder, signature, arguments):
            place = builder.inttoptr(ir.Constant(ir.IntType(64), address), ir.DoubleType().as_pointer())
            value = builder.fadd(builder.load(place), ir.Constant(ir.DoubleType(), 1.0))
            builder.store(value, place)
            return value

        return numba.types.float64(), build

    @sc.feature(columns=["counted"])
    def counted(state, bar):
        return outside()

    report = sc.audit(["dice", "rsi_7", "counted"], streams.bars(400), cuts=30)
    assert shared[0] > 400
    assert {(f.column, f.check) for f in report.findings if f.level != "note"} == {
        ("dice", "twice"),
        ("counted", "twice"),
    }
    assert "random" in str(report) and not report.leaks and not report.passed


def test_a_clock():
    """A pointer to a function of C, as ctypes gives it."""
    libc = ctypes.CDLL(None)
    clock = libc.clock
    clock.restype, clock.argtypes = ctypes.c_long, ()

    @sc.feature(columns=["hurry"])
    def hurry(state, bar):
        return float(clock())

    assert "clock" in str(sc.audit(["hurry"], streams.bars(400), cuts=20))


def test_a_range_that_does_not_hold():
    @sc.feature(columns=["wide"], low=0, high=1)
    def wide(state, bar):
        return bar.close

    report = sc.audit(["wide"], streams.bars(400), cuts=20)
    assert not report.passed and "its range is said to be 0 to 1" in str(report)


# ---- the command ----

LEAKY = """
import numpy as np
import smartcore as sc

@sc.feature(columns=["of_this_file"])
def of_this_file(state, bar):
    state[0] = 0.9 * state[0] + 0.1 * bar.close
    return bar.close / state[0] - 1

@sc.feature(columns=["a_die"])
def a_die(state, bar):
    return np.random.random()

def make_features(frame):
    return frame.assign(target=frame["close"].shift(-1), mean=frame["close"].rolling(5).mean())
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "audited_by_test.py"
    path.write_text(LEAKY)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield path
    sys.modules.pop("audited_by_test", None)


def test_command_on_a_function(file, tmp_path, frame):
    data = tmp_path / "bars.csv"
    frame.to_csv(data)
    code, out, err = smartcore("audit", f"{file}:make_features", "--data", data, "--cuts", 40)
    assert code == 1 and "target: looks 1 row ahead" in out and "mean" not in out.split("leaks")[1], err
    found = document("audit", f"{file}:make_features", "--cuts", 30, "--rows", 200)
    assert found["rows"] == 200 and not found["passed"]
    assert [f["column"] for f in found["findings"] if f["level"] == "leak"] == ["target"]


def test_command_on_features(file):
    code, out, _ = smartcore("audit", f"{file}:of_this_file", "--rows", 800, "--cuts", 20)
    assert code == 0 and "1 features" in out and "nothing looks ahead" in out
    user.forget("of_this_file", "a_die")
    code, out, _ = smartcore("audit", file, "--rows", 800, "--cuts", 20)
    assert code == 1 and "a_die: is not the same" in out
    found = document("audit", "--features", "rsi_14, spread", "--rows", 1500, "--cuts", 20)
    assert found["passed"] and found["rewritten"] == 0 and found["columns"] == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere.py",), "no such file"),
        (("{file}:nothing",), "no function 'nothing'"),
        (("--features", "rsi_14x"), "no column"),
        (("{file}", "--features", "rsi_14"), "not both"),
        (("{file}:make_features", "--data", "{file}"), "a file of type"),
        (("--cuts", "0"), "--cuts 0"),
        (("{empty}",), "declares no features"),
    ],
)
def test_command_refuses(file, tmp_path, arguments, said):
    empty = tmp_path / "empty_by_test.py"
    empty.write_text("x = 1\n")
    code, _, err = smartcore("audit", *(a.format(file=file, empty=empty) for a in arguments))
    assert code == 2 and said in err


@pytest.mark.slow
def test_command_on_the_default_set():
    """As a user runs it: zero values rewritten."""
    run = subprocess.run(
        [sys.executable, "-m", "smartcore.cli", "audit", "--json", "--rows", "2500", "--cuts", "16"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr
    found = json.loads(run.stdout)
    assert found["passed"] and found["rewritten"] == 0 and found["columns"] == len(sc.FeatureSet.default())
    assert found["compared"] > 100_000


def test_many_notes_are_one():
    columns = sc.catalogue().columns
    report = sc.audit([c.name for c in columns if c.kernel.wakes == ("book",)], streams.bars(120), cuts=10)
    assert report.passed and len(report.findings) > 20 and len(str(report).split("\n")) < 20
    assert f"{len(report.findings)} columns are never known" in str(report)


def test_a_report_reads_the_same_as_data():
    report = sc.audit(["rsi_14"], streams.bars(200), cuts=20)
    assert json.loads(json.dumps(report.to_dict(), allow_nan=False))["passed"] is True
    assert ev.Kind.BAR.name.lower() == "bar" and str(report).startswith("1 features")
