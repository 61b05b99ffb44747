"""Training: recordings as training sees them, runs that repeat and resume to the bit, and nets as they are live."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from smartcore.kernels import labels
from smartcore.learn import calibrate
from smartcore.learn.data import Barrier, Move, Series, Windows, fit_rules, label, normal_scores, outside, purge, split

torch = pytest.importorskip("torch", reason="nets are trained by torch, part of [test]")

from smartcore.learn import estimator, train  # noqa: E402
from smartcore.learn.nets import build  # noqa: E402
from smartcore.learn.nets.base import NetConfig, WindowNet  # noqa: E402

SECOND = 1_000_000_000


def recording(n: int, seed: int = 0, k: int = 4, targets: int = 1) -> Series:
    """Rows of which the labels are noisy, remembered functions; a tenth of the values unknown."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, k)).astype(np.float32)
    label = np.full((n, targets), -1, np.int8)
    for j in range(targets):
        signal = np.convolve(x[:, j], [1, 1, 1])[:n] + 0.3 * rng.normal(size=n)
        label[:, j] = labels.classify(signal, -0.7, 0.7)
    label[-5:] = -1
    x[rng.random(x.shape) < 0.1] = np.nan
    return Series(np.arange(n) * SECOND, x, np.ones(n), label)


class Flat(WindowNet):
    """The smallest net over a window."""

    @dataclass(frozen=True)
    class Config(NetConfig):
        window: int = 6

    def __init__(self, config, knots):
        super().__init__(config, knots)
        self.out = self.head(config.window * self.inputs.width)

    def look(self, x):
        return self.logits(self.out(x.flatten(1)))


DATA = [recording(600, 1), recording(500, 2), recording(20, 4)]
VALID = [recording(400, 3), recording(350, 5)]
CONFIG = train.Config(rounds=6, updates=10, batch=16, length=32, burn=4, rate=0.02)


def gru(seed: int = 7, **config):
    torch.manual_seed(seed)
    return build("gru", normal_scores(DATA), **{"hidden": 8, "encoder": 8, **config})


def flat(seed: int = 7, **config):
    torch.manual_seed(seed)
    return Flat(Flat.Config(4, **config), normal_scores(DATA))


NETS = pytest.mark.parametrize("make", [gru, flat], ids=["streaming", "windowed"])


def laid(windows: Windows, arrays: list[np.ndarray], fill: float = 0) -> np.ndarray:
    """Arrays of the recordings as one, where ``windows`` says that they lie."""
    out = np.full((windows.size, *arrays[0].shape[1:]), fill, arrays[0].dtype)
    for array, first in zip(arrays, windows.first, strict=True):
        out[first : first + len(array)] = array
    return out


# --- recordings -----------------------------------------------------------------------------------


def test_sequences_cross_no_border_and_need_a_label():
    a, b, c = recording(50), recording(30, 1), recording(5, 2)
    c = replace(c, label=np.zeros((5, 1), np.int8))
    w = Windows([a, b, c], 20)
    assert len(w) == 31 + 11 + 1  # the short one is followed by rows without a label
    rows = laid(w, [s.rows for s in (a, b, c)])
    label = laid(w, [s.label for s in (a, b, c)], -1)
    assert len(rows) == w.size == 50 + 30 + 20
    wholes = [s.rows for s in (a, b)] + [rows[-20:]]
    for start in w.draw((40,), np.random.default_rng(0)):
        one = rows[start : start + 20]
        assert any(
            np.array_equal(one, whole[i : i + 20], equal_nan=True) for whole in wholes for i in range(len(whole) - 19)
        )
    np.testing.assert_array_equal(rows[-20:-15], c.rows)
    assert (label[-15:] == -1).all() and not rows[-15:].any()
    a.label[:45] = -1  # nothing known of it (the last five never are)
    assert len(Windows([a, b], 20)) == 11
    # The last labels lie in what is burnt, but for the sequence that begins where the recording does.
    b.label[8:] = -1
    assert Windows([b], 20, burn=8).start.tolist() == [0]


def test_windows_end_at_labels_and_reach_over_zeros():
    a, b = recording(50), recording(30, 1)
    w = Windows([a, b], 20, padded=True)
    rows, label = laid(w, [a.rows, b.rows]), laid(w, [a.label, b.label], -1)
    assert len(w) == 45 + 25 and w.size == 80 + 2 * 19
    assert (label[w.start + 19] >= 0).all()
    first = rows[w.start[45] : w.start[45] + 20]
    assert not first[:19].any()
    np.testing.assert_array_equal(first[19], b.rows[0])


def test_labels_have_a_column_for_each_target():
    s = recording(30)
    with pytest.raises(ValueError, match="targets"):
        Windows([replace(s, label=s.label[:, 0])], 4)
    with pytest.raises(ValueError, match="no recordings"):
        Windows([], 4)


def priced(n: int, seed: int = 0, start: int = 0) -> Series:
    rng = np.random.default_rng(seed)
    s = recording(n, seed)
    ts = start + np.cumsum(rng.integers(1, 3, n)) * SECOND
    mid = np.exp(rng.normal(0, 0.01, n).cumsum())
    return replace(s, ts=ts, mid=mid, weight=rng.random(n).astype(np.float32))


def test_purge_leaves_no_label_that_reaches_into_the_test():
    s = priced(50)
    kept = purge(s, start=30 * SECOND, horizon=5 * SECOND, embargo=3 * SECOND)
    assert kept.ts[-1] + 8 * SECOND < 30 * SECOND <= s.ts[len(kept)] + 8 * SECOND
    assert np.shares_memory(kept.rows, s.rows) and len(kept.weight) == len(kept)


def test_training_on_both_sides_of_a_test():
    s = priced(200)
    start, end, horizon, embargo = s.ts[80], s.ts[120], 5 * SECOND, 7 * SECOND
    before, after = outside(s, start, end, horizon, embargo)
    assert before.ts[-1] + horizon + embargo < start
    assert after.ts[0] > end + horizon + embargo and after.ts[-1] == s.ts[-1]
    assert len(before) + len(after) >= 200 - 41 - 2 * 13
    assert len(outside(s, s.ts[0], end, horizon, embargo)) == len(outside(s, start, s.ts[-1], horizon, embargo)) == 1


@pytest.mark.parametrize("in_rows", [False, True])
def test_pieces_by_time_share_no_future(in_rows):
    some = [priced(300, 1), priced(280, 2), priced(60, 3)]
    horizon, embargo = (6, 2) if in_rows else (6 * SECOND, 2 * SECOND)
    rule = Move(horizon, in_rows=in_rows)
    pieces = split(some, (0.5, 0.25, 0.25), horizon, embargo, in_rows)
    assert [len(p) for p in pieces] == [3, 2, 2]  # the short one is over before
    starts = [min(s.ts[0] for s in piece) for piece in pieces]
    rows = np.array([sum(map(len, piece)) for piece in pieces])
    np.testing.assert_allclose(rows / rows.sum(), [0.5, 0.25, 0.25], atol=0.03)
    for piece, beyond in zip(pieces, starts[1:], strict=False):
        for s, whole in ((s, next(w for w in some if np.shares_memory(w.ts, s.ts))) for s in piece):
            last = rule.last(whole)[np.searchsorted(whole.ts, s.ts)]  # seen from the whole recording
            assert s.ts[-1] < beyond
            assert (whole.ts[last[last >= 0]] < beyond).all()
    with pytest.raises(ValueError, match="shares"):
        split(some, (0.5, 0.6))


def test_labels_of_several_rules_with_thresholds_from_training():
    train_, test = [priced(400, 1), priced(300, 2)], [priced(200, 3)]
    rules = [
        Move(8 * SECOND),
        Move(8 * SECOND, 3 * SECOND),
        Move(10, in_rows=True),
        Move(10, 5, in_rows=True),
        Move(10, 5, in_rows=True, leaky=True),
        Barrier(12 * SECOND, 0.02, 0.03),
        Barrier(12, 2.0, 1.0, unit=1, in_rows=True),
    ]
    for s in (*train_, *test):
        s.rows[:, 1] = np.abs(s.rows[:, 1]) * 0.01
    cuts = fit_rules(rules, train_, 0.4)
    found = label(train_ + test, rules, cuts)
    assert all(s.label.shape == (len(s), 7) and s.label.dtype == np.int8 for s in found)
    both = np.concatenate([s.label for s in found[:2]])
    for j in range(5):
        known = both[:, j] >= 0
        assert (both[known, j] == 1).mean() == pytest.approx(0.4, abs=0.01)
    s, mid = found[2], test[0].mid
    np.testing.assert_array_equal(s.label[:, 0], labels.classify(labels.fixed_horizon(s.ts, mid, 8 * SECOND), *cuts[0]))
    np.testing.assert_array_equal(s.label[:, 2], labels.classify(labels.fixed_rows(mid, 10), *cuts[2]))
    np.testing.assert_array_equal(s.label[:, 4], labels.classify(labels.leaky_smoothed_rows(mid, 10, 5), *cuts[4]))
    assert cuts[5] == (-0.03, 0.02)
    np.testing.assert_array_equal(s.label[:, 5], labels.triple_barrier(s.ts, mid, 12 * SECOND, 0.02, 0.03).label)
    unit = s.rows[:, 1].astype(float)
    np.testing.assert_array_equal(s.label[:, 6], labels.triple_barrier(s.ts, mid, 12, 2, 1, unit, in_rows=True).label)
    for j, rule in enumerate(rules):
        last = rule.last(s)
        np.testing.assert_array_equal(last >= 0, s.label[:, j] >= 0)
        assert (last[last >= 0] >= np.flatnonzero(last >= 0)).all()
    assert fit_rules(rules[:2], train_, [0.2, 0.5])[1] == rules[1].fit(train_, 0.5)
    with pytest.raises(ValueError, match="rows"):
        Move(SECOND, leaky=True)


# --- training -------------------------------------------------------------------------------------


@NETS
def test_training_learns_and_repeats(make):
    before = torch.get_rng_state()
    fitted, again = (train.fit(make(), DATA, VALID, CONFIG, seed=7, device="cpu") for _ in range(2))
    assert fitted.history == again.history and len(fitted.history) == CONFIG.rounds
    assert fitted.history != train.fit(make(), DATA, VALID, CONFIG, seed=8, device="cpu").history
    assert fitted.best == min(loss for _, loss in fitted.history) < 0.9 < np.log(3)
    logits, label = train.predict(fitted.net, VALID)
    assert logits.dtype == np.float32 and logits.shape == (750, 1, 3) and label.shape == (750, 1)
    assert calibrate.log_loss(logits[label >= 0], label[label >= 0]) == pytest.approx(fitted.best)
    make()  # seeds torch: what was drawn outside is drawn again
    train.fit(make(), DATA, VALID, replace(CONFIG, rounds=1), seed=1, device="cpu")
    make()
    after = torch.get_rng_state()
    torch.set_rng_state(before)
    make()
    assert torch.equal(torch.get_rng_state(), after)


@NETS
def test_what_is_predicted_is_what_is_said_live(make, monkeypatch):
    monkeypatch.setattr(train, "CHUNK", 64)  # recordings in several stretches
    net = make(targets=2, timeframes=(3, 8)).eval()
    some = [recording(n, n, targets=2) for n in (150, 140, 60)]
    logits, label = train.predict(net, some, "cpu")
    assert logits.shape == (350, 2, 3)
    np.testing.assert_array_equal(label, np.concatenate([s.label for s in some]))
    live = []
    with torch.no_grad():
        for s in some:
            states = net.start()
            for row in s.rows:
                said, *states = net(torch.from_numpy(row)[None], *states)
                live.append(said[0].numpy())
    np.testing.assert_allclose(logits, np.stack(live), atol=2e-5)


@NETS
@pytest.mark.parametrize("at", [0, 1, 3])
def test_an_interrupted_training_ends_as_an_unbroken_one(make, at, tmp_path, monkeypatch):
    config = replace(CONFIG, rounds=4, updates=6, patience=2, accumulate=2, rate=0.03)
    whole = train.fit(make(dropout=0.2), DATA, VALID, config, seed=3, device="cpu")
    file = tmp_path / "deep" / "net.pt"
    plain, calls = train._Training.update, []

    def interrupted(self, start):
        calls.append(1)
        if len(calls) == at * config.updates + 5:  # amid a round
            raise KeyboardInterrupt
        plain(self, start)

    with monkeypatch.context() as m, pytest.raises(KeyboardInterrupt):
        m.setattr(train._Training, "update", interrupted)
        train.fit(make(dropout=0.2), DATA, VALID, config, seed=3, device="cpu", checkpoint=file)
    assert file.exists() == (at > 0)
    for _ in range(2):  # the second time there is nothing left to do
        net = make(seed=99 if at else 7, dropout=0.2)  # its weights come from the file, if there is one
        resumed = train.fit(net, DATA, VALID, config, 3, "cpu", file)
        assert resumed.history == whole.history and resumed.best == whole.best
        for (name, a), b in zip(whole.net.state_dict().items(), resumed.net.state_dict().values(), strict=True):
            assert torch.equal(a, b), name
    assert [f.name for f in file.parent.iterdir()] == ["net.pt"]
    with pytest.raises(ValueError, match="another training"):
        train.fit(make(dropout=0.2), DATA[:1], VALID, config, seed=3, device="cpu", checkpoint=file)


def test_a_checkpoint_of_another_scaling_is_refused(tmp_path):
    """Its inputs would be scaled in one way for training and in another for validation."""
    config, file = replace(CONFIG, rounds=1, updates=1), tmp_path / "net.pt"
    train.fit(gru(), DATA, VALID, config, device="cpu", checkpoint=file)
    other = build("gru", 2 * normal_scores(DATA), hidden=8, encoder=8)
    with pytest.raises(ValueError, match="another training"):
        train.fit(other, DATA, VALID, config, device="cpu", checkpoint=file)


def test_early_stopping_keeps_the_best_weights():
    noise = [replace(s, label=np.random.default_rng(0).integers(0, 3, s.label.shape).astype(np.int8)) for s in VALID]
    config = replace(CONFIG, rounds=30, patience=2, rate=0.05)
    fitted = train.fit(gru(), DATA, noise, config, seed=1, device="cpu")
    losses = [loss for _, loss in fitted.history]
    assert len(losses) == int(np.argmin(losses)) + 1 + config.patience < config.rounds
    logits, label = train.predict(fitted.net, noise, "cpu")
    assert calibrate.log_loss(logits[label >= 0], label[label >= 0]) == pytest.approx(min(losses))


def gradient(net, **changes):
    """What one update sees of a net, nothing left to chance."""
    config = replace(CONFIG, drop=0.0, **changes)
    training = train._Training(net, DATA, VALID, config, 0, torch.device("cpu"), None)
    torch.manual_seed(0)
    training.optimiser.step = lambda: None
    training.update(torch.from_numpy(training.windows.start[: 16 * 8 : 8]).reshape(config.accumulate, -1))
    return torch.cat([p.grad.flatten() for p in net.parameters()])


def test_accumulated_batches_are_one_large_one():
    # Every row of these counts, so that parts weigh the same.
    one = gradient(flat(), clip=1e9)
    torch.testing.assert_close(gradient(flat(), accumulate=4, batch=4, clip=1e9), one, rtol=1e-4, atol=1e-7)
    clipped = gradient(flat(), clip=0.01)
    assert clipped.norm() == pytest.approx(0.01, rel=1e-3) and one.norm() > 0.02


def test_loss_is_the_weighted_mean_over_known_labels():
    rng = np.random.default_rng(0)
    s = [replace(recording(40, 1, targets=2), weight=rng.random(40).astype(np.float32))]
    net = gru(targets=2).eval()
    config = replace(CONFIG, drop=0.0, length=40, burn=0, class_weight=(1.0, 2.0, 3.0))
    training = train._Training(net, s, s, config, 0, torch.device("cpu"), None)
    with torch.no_grad():
        found = float(training._batch(torch.zeros(1, dtype=torch.int64)))
        logits = net.sequence(torch.from_numpy(s[0].rows)[None])[0][0].numpy()
    total = weight = 0.0
    for i in range(40):
        for j in range(2):
            c = s[0].label[i, j]
            if c >= 0:
                w = s[0].weight[i] * (1, 2, 3)[c]
                total -= w * np.log(calibrate.softmax(logits[i, j][None])[0, c])
                weight += w
    assert found == pytest.approx(total / weight, rel=1e-5)


def test_burnt_rows_carry_no_loss_but_at_the_start():
    s = [recording(100, 1)]
    training = train._Training(gru(), s, s, replace(CONFIG, drop=0.0), 0, torch.device("cpu"), None)
    training.net.eval()

    def loss(start):
        with torch.no_grad():
            return float(training._batch(torch.tensor([start])))

    later, first = loss(10), loss(0)
    training.data.label[10:14] = 2 - training.data.label[10:14]  # burnt: rows 10 to 13 of the sequence at 10
    assert loss(10) == later
    assert loss(0) != first
    first = loss(0)
    training.data.label[:4] = (training.data.label[:4] + 1) % 3
    assert loss(0) != first


def test_balanced_classes_count_the_same():
    label = np.array([0] * 2 + [1] * 6 + [2] * 4 + [-1] * 3, np.int8)[:, None]
    s = Series(np.arange(15), np.zeros((15, 4), np.float32), np.ones(15), label)
    (weight,) = train._class_weights("balanced", [s], 3)
    np.testing.assert_allclose(weight * [2, 6, 4], 4)
    few = replace(s, label=np.where(label == 2, -1, label))
    np.testing.assert_allclose(train._class_weights("balanced", [few], 3), [[8 / 6, 8 / 18, 0]], rtol=1e-6)
    with pytest.raises(ValueError, match="2 class weights for 3"):
        train._class_weights((1.0, 2.0), [s], 3)
    with pytest.raises(ValueError, match="balanced"):
        train._class_weights("equal", [s], 3)


def test_recomputed_blocks_give_the_same_gradient():
    class Deep(Flat):
        def __init__(self, config, knots):
            super().__init__(config, knots)
            width = config.window * self.inputs.width
            self.blocks = torch.nn.ModuleList(torch.nn.Linear(width, width) for _ in range(3))

        def look(self, x):
            x = x.flatten(1)
            for block in self.blocks:
                x = x + torch.tanh(block(x))
            return self.logits(self.out(x))

    def deep():
        torch.manual_seed(1)
        return Deep(Deep.Config(4), normal_scores(DATA))

    plain = gradient(deep())
    net = deep()
    with train._recomputing(net):
        assert all("forward" in vars(block) for block in net.blocks)
        assert torch.equal(gradient(net), plain)
    assert not any("forward" in vars(block) for block in net.blocks)
    config = replace(CONFIG, rounds=1)
    one = train.fit(deep(), DATA, VALID, config, device="cpu")
    assert train.fit(deep(), DATA, VALID, replace(config, checkpointing=True), device="cpu").history == one.history


def test_bfloat16_is_asked_for_and_learns():
    config = replace(CONFIG, rounds=2)
    half = train.fit(gru(), DATA, VALID, replace(config, precision="bfloat16"), device="cpu")
    full = train.fit(gru(), DATA, VALID, config, device="cpu")
    assert half.history != full.history and half.best == pytest.approx(full.best, abs=0.05)


@pytest.mark.parametrize("name", ["gru", "mixer", "logistic"])
def test_a_recording_of_which_nothing_is_left_changes_nothing(name):
    """What ``purge`` and ``part`` give where all of a recording is too near."""
    config = {"gru": {"hidden": 4, "encoder": 4}, "mixer": {"window": 6}, "logistic": {}}[name]
    config |= {} if name == "logistic" else {"rounds": 2, "updates": 2, "batch": 4, "length": 32, "burn": 4}
    none = DATA[0].part(0, 0)
    said = []
    for train_on, judged_on in ((DATA, VALID), ([none, *DATA, none], [none, *VALID, none])):
        made = estimator.build(name, "abcd", device="cpu", **config).fit(train_on, judged_on, seed=1)
        said.append(made.logits([VALID[0], none] if train_on is not DATA else VALID[:1]))
    np.testing.assert_allclose(*said, atol=1e-6)


def test_refusals():
    blank = [replace(s, label=np.full_like(s.label, -1)) for s in DATA]
    with pytest.raises(ValueError, match="all are -1"):
        train.fit(gru(), blank, VALID, CONFIG)
    with pytest.raises(ValueError, match="all are -1"):
        train.fit(gru(), DATA, blank, CONFIG)
    assert train.predict(gru(), blank)[0].shape == (1120, 1, 3)
    with pytest.raises(ValueError, match="burn"):
        train.fit(gru(), DATA, VALID, replace(CONFIG, burn=32))
    for field, value in {"rounds": 0, "updates": 0, "batch": 0, "length": 0, "precision": "half", "drop": 1.0}.items():
        with pytest.raises(ValueError, match=f"{field} '?{value}"):
            replace(CONFIG, **{field: value})
    with pytest.raises(ValueError, match="window of 0 rows"):
        flat(window=0)
    with pytest.raises(TypeError, match="neither"):
        train.predict(torch.nn.Linear(4, 3), VALID)
    with pytest.raises(MemoryError, match="limit of 1,000"):
        train.fit(gru(), DATA, VALID, replace(CONFIG, memory_limit=1000), device="cpu")
    broken = gru()
    with torch.no_grad():
        broken.out.bias.fill_(np.nan)
    with pytest.raises(FloatingPointError, match="never finite"):
        train.fit(broken, DATA, VALID, CONFIG, device="cpu")


def test_rate_rises_and_falls():
    rate = [train.one_cycle(i, 100, 0.01) for i in range(100)]
    assert rate[0] == pytest.approx(0.01 / 25) and max(rate) == rate[9] == pytest.approx(0.01)
    assert rate[-1] == pytest.approx(0.01 / 25e4) and np.all(np.diff(rate[9:]) < 0) and np.all(np.diff(rate[:10]) > 0)
    assert np.isfinite([train.one_cycle(i, n, 0.01) for n in (1, 2, 3) for i in range(n)]).all()


cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@cuda
@NETS
def test_cuda_learns_the_same(make):
    config = replace(CONFIG, drop=0.0, precision="float32")
    cpu = train.fit(make(dropout=0.0), DATA, VALID, config, device="cpu")
    plain = train.fit(make(dropout=0.0), DATA, VALID, replace(config, graph=False))
    graph = train.fit(make(dropout=0.0), DATA, VALID, config)
    np.testing.assert_allclose(plain.history, cpu.history, atol=5e-3)
    np.testing.assert_allclose(graph.history, plain.history, atol=1e-5)
    np.testing.assert_allclose(train.predict(graph.net, VALID)[0], train.predict(graph.net, VALID, "cpu")[0], atol=1e-4)


@cuda
@NETS
def test_cuda_repeats_and_resumes(make, tmp_path, monkeypatch):
    file = tmp_path / "net.pt"
    whole = train.fit(make(), DATA, VALID, CONFIG)
    assert whole.best < 0.9 and whole.peak > 0
    assert train.fit(make(), DATA, VALID, CONFIG).history == whole.history
    plain = train._Training._save

    def stopped(self, path):
        plain(self, path)
        if len(self.history) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as m, pytest.raises(KeyboardInterrupt):
        m.setattr(train._Training, "_save", stopped)
        train.fit(make(), DATA, VALID, CONFIG, checkpoint=file)
    resumed = train.fit(make(seed=99), DATA, VALID, CONFIG, checkpoint=file)
    np.testing.assert_allclose(resumed.history, whole.history, atol=1e-4)


@cuda
def test_an_update_that_cannot_be_recorded_is_launched():
    class Asking(Flat):
        def look(self, x):
            return super().look(x) * (1.0 + 0.0 * x.sum().item())

    torch.manual_seed(7)
    net = Asking(Flat.Config(4), normal_scores(DATA))
    with pytest.warns(UserWarning, match="not recorded"):
        fitted = train.fit(net, DATA, VALID, CONFIG)
    assert fitted.history == train.fit(flat(), DATA, VALID, CONFIG).history


@cuda
def test_cuda_memory_is_given_back():
    train.fit(gru(), DATA, VALID, CONFIG)
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    for _ in range(3):
        train.fit(gru(), DATA, VALID, CONFIG)
    assert torch.cuda.memory_allocated() <= before + 2**20
