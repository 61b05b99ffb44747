"""Window nets: the live step against the whole window, torch against ONNX, and what makes each architecture itself."""

from __future__ import annotations

import warnings
from functools import cache

import numpy as np
import pytest

import smartcore as sc

torch = pytest.importorskip("torch", reason="nets are PyTorch's, part of [train]")

from smartcore.learn import nets  # noqa: E402
from smartcore.learn.nets import bin_ctabl, financial_transformer, parts  # noqa: E402
from smartcore.learn.nets.base import WindowNet  # noqa: E402

K, WINDOW = 6, 20
NAMES = [name for name in nets.names() if issubclass(nets.kind(name)[0], WindowNet)]
RECURRENT = {"lstm_attention", "gru_fusion", "cnn_lstm"}
"""They hold LSTM or GRU, which CoreML does not take."""
SMALL = {
    "gru_fusion": {"groups": ((0, 1, 2), (3, 4), (5,))},
    "transformer": {"heads": 4, "d_model": 16},
    "financial_transformer": {"d_model": 16, "heads": 4, "price": (0, 1, 2), "volume": (3, 4), "volatility": (5,)},
    "multi_scale": {"scales": (1, 4, 10)},
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def knots(k: int = K):
    return np.sort(np.random.default_rng(0).normal(size=(2, k, 8)), axis=2)


def build(name: str, **config):
    torch.manual_seed(0)
    net = nets.build(name, knots(), **{"window": WINDOW, **SMALL.get(name, {}), **config})
    with torch.no_grad():  # what starts at zero or one would hide what it does
        for p in net.parameters():
            p += 0.05 * torch.randn_like(p)
    return net.eval()


def rows(n: int, seed: int = 1):
    """Raw rows (1, n, K), a tenth unknown, one wholly so."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(1, n, K)).astype(np.float32)
    x[rng.random(x.shape) < 0.1] = np.nan
    x[0, n // 2] = np.nan
    return torch.from_numpy(x)


def inputs(b: int, t: int = WINDOW, w: int = K):
    return torch.randn(b, t, w, generator=torch.Generator().manual_seed(2))


@cache
def exported(name: str):
    """The ONNX file of a small net of this name, as bytes."""
    import logging

    net = build(name, timeframes=(5,)) if name == "mixer" else build(name)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, about its own use of its own
        program = torch.onnx.export(
            net,
            (rows(3)[:, 0], *(torch.randn(s.shape) for s in net.states)),
            dynamo=True,
            opset_version=20,
            input_names=["row", *(s.input for s in net.states)],
            output_names=["logits", *(s.output for s in net.states)],
            verbose=False,
        )
    return net, program.model_proto.SerializeToString()


# --- every window net -------------------------------------------------------------------------------


def test_all_nine_are_there():
    assert {
        "lstm_attention", "gru_fusion", "cnn", "cnn_lstm", "bin_ctabl", "mixer", "transformer", "financial_transformer",
        "multi_scale",
    } <= set(NAMES)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("timeframes", [(), (3, 8)])
def test_a_step_looks_at_the_window_padded_with_zeros(name, timeframes):
    net, x = build(name, timeframes=timeframes, targets=2), rows(300)
    with torch.no_grad():
        scaled, _ = net.inputs(x)
        padded = torch.cat([torch.zeros(1, WINDOW - 1, scaled.shape[2]), scaled], dim=1)
        whole = net.look(padded.unfold(1, WINDOW, 1)[0].transpose(1, 2))  # every window a batch entry: (300, t, w)
        states = net.start()
        for t in range(300):
            logits, *states = net(x[:, t], *states)
            torch.testing.assert_close(logits[0], whole[t], atol=1e-5, rtol=0)
    assert whole.isfinite().all() and whole.std(0).min() > 1e-3


@pytest.mark.parametrize("name", NAMES)
def test_the_file_gives_what_torch_gives(name):
    ort = pytest.importorskip("onnxruntime")
    net, data = exported(name)
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    x = rows(200, seed=3)
    states, kept = net.start(), {s.input: np.zeros(s.shape, np.float32) for s in net.states}
    worst = 0.0
    with torch.no_grad():
        for t in range(200):
            logits, *states = net(x[:, t], *states)
            found, *after = session.run(None, {"row": x[:, t].numpy(), **kept})
            kept = dict(zip(kept, after, strict=True))
            worst = max(worst, float(np.abs(found - logits.numpy()).max()))
            assert np.isfinite(found).all()
    assert worst <= 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_coreml_takes_all_but_the_recurrent_part(name, tmp_path):
    from smartcore.learn.apple import partitions

    _, data = exported(name)
    path = tmp_path / "net.onnx"
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = partitions(path)
    assert (found.count, found.nodes - found.taken) == ((2, 1) if name in RECURRENT else (1, 0))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("targets", "classes"), [(1, 3), (4, 2)])
def test_shapes_and_gradients(name, targets, classes):
    net = build(name, targets=targets, classes=classes, dropout=0.0).train()
    logits = net.look(inputs(5))
    assert logits.shape == (5, targets, classes)
    weight = torch.randn(logits.shape, generator=torch.Generator().manual_seed(3))
    (logits * weight).sum().backward()
    dead = [n for n, p in net.named_parameters() if p.grad is None or p.grad.abs().max() < 1e-7]
    assert not dead
    states = net.start(3)
    logits, *after = net(rows(3)[0], *states)
    assert logits.shape == (3, targets, classes) and [a.shape for a in after] == [s.shape for s in states]
    assert net.warm_up == WINDOW


@pytest.mark.parametrize("name", NAMES)
def test_the_oldest_and_the_newest_row_are_read(name):
    net, x = build(name), inputs(1)
    with torch.no_grad():
        base = net.look(x)
        for at in (0, WINDOW // 2, WINDOW - 1):
            moved = x.clone()
            moved[:, at] += 1
            assert (net.look(moved) - base).abs().max() > 1e-5, at


def test_the_enhanced_transformer_is_the_financial_one_at_its_size():
    cls, config = nets.kind("enhanced_transformer")
    assert cls is financial_transformer.FinancialTransformer and config is financial_transformer.Enhanced
    found = nets.build("enhanced_transformer", knots(), targets=2, window=10, patch=10)
    assert (found.config.d_model, found.config.heads, found.config.layers) == (256, 8, 6)
    assert found.look(inputs(1, 10)).shape == (1, 2, 3)
    assert nets.build("enhanced_transformer", knots(), d_model=32).config.d_model == 32
    with pytest.raises(ValueError, match="enhanced_transformer"):
        nets.build("enhanced", knots())


# --- what makes each of them itself -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["lstm_attention", "gru_fusion"])
def test_both_directions_are_read(name):
    net = build(name)
    rnn = net.lstm if name == "lstm_attention" else net.gru
    x = inputs(1, w=rnn.input_size)
    with torch.no_grad():
        h, moved = rnn(x)[0], x.clone()
        moved[:, -1] += 1
        apart = (rnn(moved)[0] - h).abs()[0, 0]
    half = len(apart) // 2
    assert apart[:half].max() == 0 and apart[half:].max() > 0  # the first state hears of the last row from behind only


def test_attention_pools_by_weights_that_sum_to_one():
    net = build("lstm_attention")
    with torch.no_grad():
        net.judge[2].weight.zero_()  # indifferent: the pool is the mean, and order among states does not matter
        h = net.lstm(inputs(2))[0]
        expected = net.logits(net.out(net.norm(torch.cat([h.mean(1), h[:, -1]], 1))))
        torch.testing.assert_close(net.look(inputs(2)), expected)


def test_groups_of_columns_are_read_apart_and_gated():
    net, x = build("gru_fusion"), inputs(1)
    moved = x.clone()
    moved[:, :, 3:5] += 1
    with torch.no_grad():
        a, b = ([read(v) for read in net.read] for v in (x, moved))
        assert torch.equal(a[0], b[0]) and torch.equal(a[2], b[2]) and not torch.equal(a[1], b[1])
        gate = net.fuse
        gate.gate.bias.fill_(-100)  # shut
        assert gate(a).abs().max() < 1e-6
        gate.gate.bias[: gate.width] = 100  # the first alone
        torch.testing.assert_close(gate(a), torch.tanh(gate.reading[0](a[0])))


def test_cnn_halves_its_steps_and_keeps_their_order():
    net, x = build("cnn", dropout=0.0), inputs(1)
    assert [c[0].stride[0] for c in net.convs] == [1, 2, 2, 2] and net.steps == 3
    assert net.convs(x.transpose(1, 2)).shape[2] == 3
    assert nets.build("cnn", knots(), window=100).steps == 13
    lstm = nets.build("cnn_lstm", knots())
    assert lstm.convs(inputs(1, 100).transpose(1, 2)).shape[2] == 25
    with torch.no_grad():
        assert (net.look(x) - net.look(x.flip(1))).abs().max() > 1e-4
    for name in ("cnn", "cnn_lstm", "multi_scale"):
        with pytest.raises(ValueError, match="kernel"):
            nets.build(name, knots(), kernel=4)


def test_bilinear_normalisation_forgets_scale_and_level():
    norm = parts.BiN(WINDOW, K, least=0.0)
    x = inputs(2)
    scale, level = torch.rand(K) + 0.5, torch.randn(K)
    over_time = norm.standard(x, 1)
    torch.testing.assert_close(norm.standard(x * scale + level, 1), over_time)  # of each column
    torch.testing.assert_close(over_time.mean(1), torch.zeros(2, K), atol=1e-6, rtol=0)
    torch.testing.assert_close(over_time.var(1, correction=0), torch.ones(2, K))
    by_row = torch.rand(WINDOW, 1) + 0.5
    torch.testing.assert_close(norm.standard(x * by_row + by_row, 2), norm.standard(x, 2))  # of each row
    assert parts.BiN(WINDOW, K)(torch.zeros(1, WINDOW, K)).abs().max() == 0  # a window in which nothing varies
    torch.testing.assert_close(norm(x), 0.5 * over_time + 0.5 * norm.standard(x, 2))
    net = build("bin_ctabl", widths=(5,), steps=(4,))
    with torch.no_grad():
        net.bin.row.fill_(-100)  # over time alone: the whole net no longer sees the level of a column
        torch.testing.assert_close(net.look(x + level), net.look(x), atol=1e-4, rtol=0)


def test_tabl_is_the_formula_of_the_paper():
    layer = bin_ctabl.Tabl(4, 5, 3)
    x = inputs(2, 4, 5)
    with torch.no_grad():
        layer.share.fill_(0.3)
        for i in range(2):
            h = layer.across.weight.numpy() @ x[i].numpy().T  # W1 X, (3, 4)
            w = layer.weight.detach().numpy().copy()
            np.fill_diagonal(w, 1 / 4)
            e = np.exp(h @ w)
            a = e / e.sum(1, keepdims=True)
            share = 1 / (1 + np.exp(-0.3))
            out = (share * h * a + (1 - share) * h) @ layer.along.weight.numpy()[0] + layer.bias.numpy()
            np.testing.assert_allclose(layer(x)[i].numpy(), out, atol=1e-6)
    # The paper's own size on its own data: 40 columns, window 10.
    net = nets.build("bin_ctabl", knots(40))
    assert 11_000 < sum(p.numel() for p in net.parameters()) < 12_000


def test_a_mixer_mixes_rows_and_features_in_turn():
    net = build("mixer", bilinear=False)
    layer = net.layers[0]
    x, moved = inputs(1, w=40), inputs(1, w=40)
    moved[0, 7, 3] += 1
    with torch.no_grad():
        along = [layer.along(v.transpose(1, 2)).transpose(1, 2) for v in (x, moved)]
        across = [layer.across(v) for v in (x, moved)]
    changed = (along[0] - along[1]).abs()[0] > 1e-9
    assert changed[:, 3].all() and not changed[:, :3].any() and not changed[:, 4:].any()
    changed = (across[0] - across[1]).abs()[0] > 1e-9
    assert changed[7].all() and changed.sum() == 40
    with torch.no_grad():  # each horizon has a head of its own
        net = build("mixer", targets=3)
        before = net.look(inputs(1))
        net.out.head[1][3].bias += 1
        moved = (net.look(inputs(1)) - before)[0]
    torch.testing.assert_close(moved, torch.tensor([[0.0] * 3, [1.0] * 3, [0.0] * 3]), atol=1e-6, rtol=0)


@pytest.mark.parametrize(("patch", "tokens"), [(1, 100), (5, 20), (10, 10)])
def test_patches_are_tokens(patch, tokens):
    net = nets.build("transformer", knots(), patch=patch, d_model=16)
    x = inputs(1, 100)
    assert net.tokenise(x).shape == (1, tokens, 16)
    moved = x.clone()
    moved[:, 30] += 1
    changed = (net.tokenise(moved) - net.tokenise(x)).abs().amax((0, 2)) > 0
    assert changed.nonzero().flatten().tolist() == [30 // patch]
    for name in ("transformer", "financial_transformer"):
        with pytest.raises(ValueError, match="divide"):
            nets.build(name, knots(), patch=7)


def test_attention_written_out_is_torchs_and_knows_order_by_positions_only():
    ours = parts.Attention(16, 4)
    theirs = torch.nn.MultiheadAttention(16, 4, batch_first=True)
    x = inputs(2, w=16)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.q.weight, ours.k.weight, ours.v.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.q.bias, torch.zeros(16), ours.v.bias]))
        theirs.out_proj.load_state_dict(ours.out.state_dict())
        torch.testing.assert_close(ours(x, x), theirs(x, x, x)[0])
        block = parts.Block(16, 4, 2, 0.0)
        late = parts.Block(16, 4, 2, 0.0, newest=True)
        late.load_state_dict(block.state_dict())
        torch.testing.assert_close(late(x), block(x)[:, -1:])
        net = build("transformer", patch=1)
        order = torch.cat([torch.randperm(WINDOW - 1), torch.tensor([WINDOW - 1])])
        x = inputs(1)
        assert (net.look(x[:, order]) - net.look(x)).abs().max() > 1e-5
        net.position.zero_()
        torch.testing.assert_close(net.look(x[:, order]), net.look(x))


def test_heads_of_a_kind_read_columns_of_that_kind():
    net, x = build("financial_transformer", d_model=32, heads=8), inputs(1)
    kinds = ("price", "volume", "volatility")
    assert [k.shape[2] for k in net.kinds(x)] == [16, 8, 8]  # half of the heads are price's
    read = {}
    with torch.no_grad():
        base = net.kinds(x)
        for kind in kinds:
            moved = x.clone()
            moved[:, :, list(getattr(net.config, kind))] += 1
            read[kind] = [not torch.equal(a, b) for a, b in zip(net.kinds(moved), base, strict=True)]
    assert read["price"] == [True, False, False] and read["volume"] == [False, True, False]
    assert read["volatility"] == [True, True, True]  # through the gain of positions, and there alone:
    with torch.no_grad():
        for position in net.position:
            position.zero_()
        assert [torch.equal(a, b) for a, b in zip(net.kinds(moved), net.kinds(x), strict=True)] == [True, True, False]


def test_the_gain_is_a_running_mean_of_volatility():
    net = build("financial_transformer", patch=5, span=4)
    x = inputs(1)
    with torch.no_grad():
        flat = torch.zeros_like(x)
        flat[:, :, 5] = 1.3
        level = net.gain.weight[0, 0, 0] * 1.3 + net.gain.bias
        torch.testing.assert_close(net.gains(flat), (2 * torch.sigmoid(level)).expand(1, 4, 1))
        later = x.clone()
        later[:, 10:, 5] += 3
        assert ((net.gains(later) - net.gains(x)).abs()[0, :, 0] > 0).tolist() == [False, False, True, True]
        ema, total, mean = net.gain(x)[0, :, 0], 0.0, 0.0
        for t in range(WINDOW):  # the mean in steps: each row fades by 1 - 2 / (span + 1)
            mean, total = mean * 0.6 + float(ema[t]), total * 0.6 + 1
        torch.testing.assert_close(net.gains(x)[0, -1, 0], 2 * torch.sigmoid(torch.tensor(mean / total)))


def test_kinds_are_found_by_name():
    found = financial_transformer.groups(["log_return_1", "volatility_20", "ofi_l1_1s", "volume_entropy_50", "rsi_14"])
    assert found == {"price": (0, 4), "volume": (2, 3), "volatility": (1,)}
    families = {
        "volatility": {"volatility", "realised"},
        "volume": {"volume", "depth", "ofi", "queue", "flow"},
        "price": {"trend", "averages", "momentum", "candle"},
    }
    columns = sc.catalogue().columns
    found = financial_transformer.groups([c.name for c in columns])
    assert sorted(sum(found.values(), ())) == list(range(len(columns)))
    for kind, family in families.items():
        mine = [i for i, c in enumerate(columns) if c.kernel.family in family]
        strayed = [columns[i].name for i in mine if i not in set(found[kind])]
        assert len(strayed) < 0.15 * len(mine), (kind, strayed)
    net = nets.build("financial_transformer", knots(5), d_model=16, heads=4, **financial_transformer.groups("abcde"))
    assert net.embed[0].select.shape == net.embed[1].select.shape == (5, 5)  # no volume column: its heads read all
    with pytest.raises(ValueError, match="columns"):
        nets.build("financial_transformer", knots(5), price=(5,))
    for wrong in ({"heads": 2}, {"heads": 7}, {"layers": 1}):
        with pytest.raises(ValueError, match="heads"):
            nets.build("financial_transformer", knots(5), **wrong)


def test_timeframes_of_a_column_stay_in_its_group():
    part = parts.Embed(3, 2, (1,), 1, 4)
    assert part.select.argmax(1).tolist() == [1, 4] and part.select.sum() == 2


def test_the_coarse_branch_sees_the_pooled_window():
    net, x = build("multi_scale", targets=3), inputs(1)
    coarse = net.scales[2]
    torch.testing.assert_close(coarse.pooled(x), torch.stack([x[:, :10].mean(1), x[:, 10:].mean(1)], 1))
    assert [s.pooled(x).shape[1] for s in net.scales] == [20, 5, 2]
    zigzag = x.clone()
    zigzag[:, 3] += 1
    zigzag[:, 6] -= 1  # within one coarse bar, unseen by it
    with torch.no_grad():
        before, after = net.readings(x), net.readings(zigzag)
        torch.testing.assert_close(before[2], after[2], atol=1e-6, rtol=0)
        assert (before[0] - after[0]).abs().max() > 1e-4 and (before[1] - after[1]).abs().max() > 1e-4
        # Fusion goes down only: what the fine branch says changes nothing above it.
        net.scales[0].out.bias += 1
        moved = net.readings(x)
        assert torch.equal(moved[2], before[2]) and torch.equal(moved[1], before[1])
        assert not torch.equal(moved[0], before[0])
        net.scales[0].out.bias -= 1
        net.scales[2].out.bias += 1
        assert all((a - b).abs().max() > 1e-4 for a, b in zip(net.readings(x), before, strict=True))
    for wrong in ((1, 3), (5, 1), (1, 1)):
        with pytest.raises(ValueError):
            nets.build("multi_scale", knots(), scales=wrong)
