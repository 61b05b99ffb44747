"""Where a net looked: its weights as they were computed, contributions held to finite differences, and the picture."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="nets are PyTorch's, part of [train]")

from smartcore.learn import attention, estimator, nets  # noqa: E402
from smartcore.learn.nets.base import StreamingNet  # noqa: E402

K, WINDOW = 4, 20
COLUMNS = ("microprice", "ofi_l1_1s", "mid_volatility_10s", "log_return_1")
ATTENTIVE = ("financial_transformer", "gru_attention", "lstm_attention", "streaming_transformer", "transformer")
SMALL = {
    "financial_transformer": {"d_model": 16, "heads": 4, "layers": 2, "patch": 5},
    "gru_attention": {"hidden": 16, "heads": 2},
    "lstm_attention": {"hidden": 8},
    "streaming_transformer": {"d_model": 16, "heads": 2},
    "transformer": {"d_model": 16, "heads": 4, "patch": 5},
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def build(name: str, **config):
    torch.manual_seed(0)
    knots = np.sort(np.random.default_rng(0).normal(size=(2, K, 12)), axis=2)
    net = nets.build(name, knots, **{"window": WINDOW, **SMALL.get(name, {}), **config})
    with torch.no_grad():
        for p in net.parameters():
            p += 0.2 * torch.randn_like(p)
    return net.eval()


def rows(n: int, seed: int = 1):
    return np.random.default_rng(seed).normal(size=(n, K)).astype(np.float32)


def margin(net, x):
    """Inputs (1, n, w), n >= window -> the margin that contributions are of, the decided class's number."""
    logits = net.scan(x)[0][0, -1, 0] if isinstance(net, StreamingNet) else net.look(x[:, -WINDOW:])[0, 0]
    c = int(logits.argmax())
    return logits[c] - (logits.sum() - logits[c]) / (len(logits) - 1), c


def test_the_nets_that_attend_say_so():
    small = {"bin_ctabl": {"window": 20}}
    assert {n for n in nets.names() if nets.kind(n)[0].attends.fget is not attention.Net.attends.fget} == set(ATTENTIVE)
    for name in ("gru", "cnn", "bin_ctabl"):
        net = nets.build(name, np.zeros((2, K, 2)), **small.get(name, {}))
        with pytest.raises(ValueError, match="has no attention"):
            attention.weights(net, rows(3))


@pytest.mark.parametrize("name", ATTENTIVE)
def test_maps_are_shares_of_rows_and_nothing_is_left_behind(name):
    net = build(name, dropout=0.5, targets=2).train()
    seen = attention.weights(net, rows(60), target=1)
    assert net.training  # as it was, and undropped in between:
    again = attention.weights(net.eval(), rows(60), target=1)
    np.testing.assert_array_equal(seen.over_time, again.over_time)
    assert seen.over_time.shape == (len(seen.maps), WINDOW) and seen.over_channel.shape == (WINDOW, K)
    np.testing.assert_allclose(seen.over_time.sum(1), 1, atol=1e-5)
    assert (seen.over_time >= 0).all() and seen.missing == 0 and len(set(seen.maps)) == len(seen.maps)
    assert seen.prob.sum() == pytest.approx(1, abs=1e-5) and seen.decided == seen.prob.argmax()
    hooks = [h for m in net.modules() for h in (m._forward_hooks, m._forward_pre_hooks, m._backward_hooks)]
    assert not any(hooks) and all(p.grad is None for p in net.parameters())
    states = net.start()
    for row in torch.from_numpy(rows(60)):
        logits, *states = net(row[None], *states)
    np.testing.assert_allclose(torch.softmax(logits[0, 1], 0).detach().numpy(), seen.prob, atol=1e-6)


def test_maps_are_the_weights_that_were_used():
    x = rows(50)
    net = build("lstm_attention")
    with torch.no_grad():
        inputs = net.inputs(torch.from_numpy(x)[None])[0][:, -WINDOW:]
        score = net.judge(net.lstm(inputs)[0])[0, :, 0].numpy()
    expected = np.exp(score) / np.exp(score).sum()
    np.testing.assert_allclose(attention.weights(net, x).over_time, expected[None], atol=1e-6)

    net = build("gru_attention")
    states = net.start()
    with torch.no_grad():
        for row in torch.from_numpy(x[:-1]):
            _, *states = net(row[None], *states)
        h, keys, _ = states
        last = net.inputs.normalise(torch.from_numpy(x[-1:]))
        h = net.cell(net.encode(last)[None], h[None])[1][0]
        band = net.band
        q, k, _ = band.qkv(net.norm_h(h)).reshape(3, band.heads, band.size)
        keys = torch.cat([keys[0], k[:, :, None]], dim=2)  # (heads, size, window)
        score = torch.einsum("hs,hsw->hw", q, keys) / band.size**0.5 + band.bias
        expected = torch.softmax(score, 1).numpy()
    np.testing.assert_allclose(attention.weights(net, x).over_time, expected, atol=1e-6)


def test_a_token_shares_its_weight_among_its_rows():
    net = build("transformer", layers=2)
    seen = attention.weights(net, rows(30))
    assert seen.maps[0] == "layer 1, head 1" and len(seen.maps) == 8
    with torch.no_grad():
        tokens = net.tokenise(net.inputs(torch.from_numpy(rows(30)[-WINDOW:])[None])[0])
        a = net.blocks[0].attention
        normed = net.blocks[0].norm_a(tokens)
        q, k = a.split(a.q(normed))[0, :, -1], a.split(a.k(normed))[0]  # (heads, d), (heads, tokens, d)
        expected = torch.softmax(torch.einsum("hd,htd->ht", q, k) / 2, 1).numpy()
    np.testing.assert_allclose(seen.over_time[:4].reshape(4, 4, 5), (expected / 5)[:, :, None] * np.ones(5), atol=1e-6)
    kinds = attention.weights(build("financial_transformer"), rows(30)).maps
    assert kinds[0] == "price, layer 1, head 1" and kinds[-1] == "all kinds, head 4" and len(kinds) == 2 + 1 + 1 + 4


@pytest.mark.parametrize("name", ATTENTIVE)
@pytest.mark.parametrize("timeframes", [(), (4,)])
def test_contributions_are_the_slope_times_the_input(name, timeframes):
    net = build(name, timeframes=timeframes).double()
    table = rows(40)
    with torch.no_grad():
        x = net.inputs(torch.from_numpy(table)[None].double())[0]
        _, decided = margin(net, x)
        expected = np.zeros((WINDOW, K))
        for t, j in ((39, 0), (39, 3), (35, 1), (22, 2)):
            for column in range(j, x.shape[2], K):  # the column, then its running mean
                slope = 0.0
                for sign in (1, -1):
                    moved = x.clone()
                    moved[0, t, column] += sign * 1e-5
                    value, same = margin(net, moved)
                    assert same == decided
                    slope += sign * float(value) / 2e-5
                expected[t - 20, j] += slope * float(x[0, t, column])
    seen = attention.weights(net.float(), table)
    at = np.nonzero(expected)
    assert seen.decided == decided and len(at[0]) == 4
    np.testing.assert_allclose(seen.over_channel[at], expected[at], rtol=1e-3, atol=1e-6)
    if not isinstance(net, StreamingNet):
        assert seen.older == 0
    else:
        assert 0 < seen.older < 1


def test_before_the_first_row_there_is_nothing_to_put_in():
    for name in ATTENTIVE:
        seen = attention.weights(build(name), rows(8))
        assert seen.missing == 12 and seen.older == 0
        assert np.abs(seen.over_channel[:12]).max() == 0 < np.abs(seen.over_channel[12:]).max()
        assert seen.over_time[:, :12].max() > 0  # attended all the same, as live
    net = build("transformer")
    unknown = rows(30)
    unknown[-3:, 1] = np.nan  # the median puts in nothing
    assert np.abs(attention.weights(net, unknown).over_channel[-3:, 1]).max() == 0
    for wrong in (rows(0), rows(5)[:, :3], rows(5)[0]):
        with pytest.raises(ValueError, match="expected"):
            attention.weights(net, wrong)


def test_one_call_draws_it(tmp_path):
    pytest.importorskip("matplotlib", reason="pictures are matplotlib's, part of [test]")
    net = build("financial_transformer", **nets.kind("financial_transformer")[0].by_names(COLUMNS))
    seen = attention.draw(net, rows(15), tmp_path / "where.svg", COLUMNS, most=2)
    text = (tmp_path / "where.svg").read_text()
    for words in ("where it looked", "price, layer 1, head 2", "rows ago", "2 others", "before the first row", "Jain"):
        assert f"<!-- {words}" in text or f"({words}" in text or words in text, words
    first = np.abs(seen.over_channel).sum(0).argmax()
    assert COLUMNS[first] in text
    attention.draw(build("lstm_attention", classes=2), rows(30), tmp_path / "where.png")
    assert (tmp_path / "where.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    with pytest.raises(ValueError, match="3 names for 4 columns"):
        attention.draw(net, rows(15), tmp_path / "no.png", COLUMNS[:3])


def test_an_estimator_finds_its_groups_and_brings_its_names(tmp_path):
    model = estimator.build("financial_transformer", COLUMNS, window=WINDOW, **SMALL["financial_transformer"])
    assert {k: model.config[k] for k in ("price", "volume", "volatility")} == {
        "price": (0, 3), "volume": (1,), "volatility": (2,),
    }  # fmt: skip
    assert estimator.build("financial_transformer", COLUMNS, price=(0,)).config["price"] == (0,)
    assert estimator.build("gru_fusion", COLUMNS).config["groups"] == ((0, 3), (1,), (2,))
    model.net = build("transformer")
    pytest.importorskip("matplotlib", reason="pictures are matplotlib's, part of [test]")
    attention.draw(model, rows(25), tmp_path / "where.svg")
    assert all(name in (tmp_path / "where.svg").read_text() for name in COLUMNS)
