"""Who runs a model: no provider is believed without the golden rows, and the CPU is always there.

No Apple machine was at hand. A stand-in plays CoreML: it runs the file on the CPU, and is slower, faster, wrong, or
breaks, as a test asks.
"""

from __future__ import annotations

import shutil
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from smartcore.errors import ContractMismatch
from smartcore.models import BUILTIN, Model, providers

CPU = "CPUExecutionProvider"
NAMED = [("FastExecutionProvider", {"speed": "9"}), CPU]


class Stand:
    """A session of another provider. cost: what its runs take by the stand-ins' clock, ns; off: what its scores are off
    by.
    """

    now = 0

    def __init__(self, real, name, cost=10_000, off=0.0, breaks=False):
        self._real, self._name, self._cost, self._off, self._breaks = real, name, cost, off, breaks

    def get_providers(self):
        return [self._name, CPU]

    def io_binding(self):
        return self._real.io_binding()

    def run_with_iobinding(self, binding):
        if self._breaks:
            raise RuntimeError("the neural engine is gone")
        self._real.run_with_iobinding(binding)
        Stand.now += self._cost
        if self._off:
            scores = binding.get_outputs()[0].numpy()  # the memory itself, not a copy
            scores += np.float32(self._off)

    def __getattr__(self, name):
        return getattr(self._real, name)


@pytest.fixture
def asked(monkeypatch):
    """Makes sessions of any other provider stand-ins that do as told; the list is what was asked for."""
    seen = []

    def plan(fails=None, **deeds):
        real = providers.session

        def session(path, given=None, optimise=True):
            if given is None or given == [CPU]:
                return Stand(real(path), CPU, cost=50_000)
            seen.append(given)
            if fails is not None:
                raise fails
            name = given[0] if isinstance(given[0], str) else given[0][0]
            mine = deeds.get(given[0][1].get("MLComputeUnits"), deeds) if not isinstance(given[0], str) else deeds
            return Stand(real(path), name, **mine)

        monkeypatch.setattr(providers, "session", session)
        monkeypatch.setattr(providers, "time", SimpleNamespace(perf_counter_ns=lambda: Stand.now))
        return seen

    return plan


# --- providers that the caller names --------------------------------------------------------------


def same_as_cpu(model: Model) -> None:
    rows = model.contract.golden.rows
    np.testing.assert_array_equal(model.run(rows), Model.load("gru").run(rows))


def test_the_cpu_by_default():
    assert Model.load("gru").provider == CPU
    assert Model.load("gru", providers=[CPU]).provider == CPU


def test_named_providers_are_used_where_right(asked):
    seen = asked()
    model = Model.load("gru", providers=NAMED)
    assert model.provider == "FastExecutionProvider" and seen == [NAMED]
    assert model.fork().provider == "FastExecutionProvider"
    same_as_cpu(model)


@pytest.mark.parametrize(
    ("plan", "says"),
    [
        ({"off": 0.02}, r"golden rows differ by 0\.02, more than 0\.0001"),
        ({"off": np.nan}, "golden rows differ by nan"),
        ({"breaks": True}, "RuntimeError: the neural engine is gone"),
        ({"fails": ValueError("no such device")}, "ValueError: no such device"),
    ],
)
def test_wrong_or_broken_provider_leaves_it_to_the_cpu(asked, plan, says):
    asked(**plan)
    says = rf"'gru' \(gru.onnx\) runs on the CPU.*FastExecutionProvider.*{says}"
    with pytest.warns(RuntimeWarning, match=says) as told:
        model = Model.load("gru", providers=NAMED)
    assert len(told) == 1 and told[0].filename == __file__
    assert model.provider == CPU
    same_as_cpu(model)


@pytest.mark.filterwarnings("ignore:Specified provider:UserWarning")
def test_provider_that_is_not_there_is_said_so():
    """onnxruntime itself falls back to the CPU, and says it only for providers that the build lacks."""
    for verify in (True, False):
        with pytest.warns(RuntimeWarning, match="on the CPU provider: with AbsentExecutionProvider") as told:
            assert Model.load("gru", providers=["AbsentExecutionProvider"], verify=verify).provider == CPU
        assert told[-1].filename == __file__


def test_one_of_several_providers_will_do(asked):
    asked()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        given = [NAMED[0], "AbsentExecutionProvider", CPU]
        assert Model.load("gru", providers=given).provider == "FastExecutionProvider"


def test_unverified_is_taken_as_it_is(asked):
    asked(off=0.02)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Model.load("gru", providers=NAMED, verify=False).provider == "FastExecutionProvider"


def test_wrong_on_the_cpu_too_is_refused(asked, monkeypatch):
    asked(off=0.02)
    run = Model.run
    monkeypatch.setattr(Model, "run", lambda self, table: run(self, table) + 0.01)
    with pytest.warns(RuntimeWarning, match="on the CPU"), pytest.raises(ContractMismatch, match="golden rows differ"):
        Model.load("gru", providers=NAMED)


# --- the race on Apple ----------------------------------------------------------------------------

BOTH = ("CPUAndNeuralEngine", "ALL")


@pytest.fixture
def apple(monkeypatch, tmp_path):
    """What Python and onnxruntime say of an Apple machine; the home folder is an empty one."""
    import onnxruntime as ort

    monkeypatch.setattr(providers.sys, "platform", "darwin")
    monkeypatch.setattr(providers.platform, "mac_ver", lambda: ("15.3", ("", "", ""), "arm64"))
    monkeypatch.setattr(ort, "get_available_providers", lambda: [providers.COREML, CPU])
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_nobody_races_elsewhere(asked):
    seen = asked()
    assert Model.load("gru", providers="auto").provider == CPU and seen == []


def test_coreml_that_is_faster_wins(asked, apple):
    seen = asked(CPUAndNeuralEngine={}, ALL={"cost": 20_000})
    model = Model.load("gru", providers="auto")
    assert model.provider == providers.COREML
    same_as_cpu(model)
    assert [given[0][1]["MLComputeUnits"] for given in seen] == list(BOTH)
    for (name, options), last in seen:
        assert (name, last) == (providers.COREML, CPU)
        assert options["ModelFormat"] == "MLProgram" and options["RequireStaticInputShapes"] == "1"
        assert all(isinstance(value, str) for value in options.values())
        folder = options["ModelCacheDirectory"]
        assert folder.startswith(str(apple / "Library/Caches/smartcore")) and options["MLComputeUnits"] in folder


def test_the_fastest_of_the_units_wins(asked, apple):
    asked(CPUAndNeuralEngine={"cost": 20_000}, ALL={"cost": 5_000})
    assert Model.load("gru", providers="auto")._session._cost == 5_000


@pytest.mark.parametrize(
    "plan",
    [
        {"cost": 60_000},
        {"off": 0.01},
        {"off": np.nan},
        {"breaks": True},
        {"fails": RuntimeError("compiler error")},
    ],
    ids=["slower", "wrong", "nan", "breaks when run", "breaks when made"],
)
def test_coreml_loses(asked, apple, plan):
    seen = asked(**plan)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # to lose a race is nothing to warn of
        model = Model.load("gru", providers="auto")
    assert model.provider == CPU and len(seen) == 2
    same_as_cpu(model)


def test_fast_and_wrong_never_wins(asked, apple):
    asked(off=0.01)
    assert Model.load("gru", providers="auto").provider == CPU


def test_one_that_breaks_leaves_the_other_in_the_race(asked, apple):
    asked(CPUAndNeuralEngine={"breaks": True}, ALL={})
    assert Model.load("gru", providers="auto").provider == providers.COREML


def test_a_folder_that_cannot_be_made_is_a_lost_race(asked, apple):
    seen = asked()
    (apple / "Library").write_text("in the way")
    assert Model.load("gru", providers="auto").provider == CPU and seen == []


def test_no_race_without_coreml_in_the_build(asked, apple, monkeypatch):
    import onnxruntime as ort

    seen = asked()
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CPU])
    assert Model.load("gru", providers="auto").provider == CPU and seen == []


def test_no_race_for_a_free_batch(asked, apple, tmp_path):
    pytest.importorskip("onnx")
    import model_files

    path = model_files.rewritten("gru", tmp_path / "wide.onnx", model_files.free)
    seen = asked()
    assert Model.load(path, providers="auto").provider == CPU and seen == []


def test_compiled_models_are_kept_apart(apple, monkeypatch, tmp_path):
    """By versions and by bytes: a file edited under its old COREML_CACHE_KEY must not find what was compiled of it."""
    import onnxruntime as ort

    one = tmp_path / "one.onnx"
    shutil.copy(BUILTIN / "gru.onnx", one)
    first = providers.coreml_cache(one)
    assert first == providers.coreml_cache(BUILTIN / "gru.onnx")
    assert ort.__version__ in first.parts and "15.3" in first.parts
    one.write_bytes(one.read_bytes().replace(b'"temperature":1.0', b'"temperature":2.0'))
    assert Model.load(one).contract.cache_key == Model.load("gru").contract.cache_key
    changed = providers.coreml_cache(one)
    monkeypatch.setattr(providers.platform, "mac_ver", lambda: ("15.4", ("", "", ""), "arm64"))
    newer_system = providers.coreml_cache(one)
    monkeypatch.setattr(ort, "__version__", "9.9.9")
    assert len({first, changed, newer_system, providers.coreml_cache(one)}) == 4


def test_the_race_is_over_changing_rows():
    """One row again and again flatters whoever predicts branches."""

    class Count:
        def __init__(self):
            self.seen = []

        def step(self, row):
            self.seen.append(float(row[0]))

    one, other = Count(), Count()
    times = providers._p99([one, other], np.arange(6.0).reshape(3, 2), 30)
    assert len(times) == 2 and min(times) > 0
    assert one.seen == other.seen and set(one.seen) == {0.0, 2.0, 4.0}
