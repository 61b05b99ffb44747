"""What we expect of every streaming net there is: one row at a time gives what whole sequences give, in torch and in
the exported file, and nothing looks ahead.

The nets are found in the registry, so a new one is held to this when its line is there.
"""

from __future__ import annotations

import logging
import sys
import warnings
from contextlib import nullcontext
from dataclasses import fields
from functools import cache
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="nets are torch's, part of [test]")
torch.set_num_threads(1)

from smartcore.learn import nets  # noqa: E402
from smartcore.learn.nets.base import StreamingNet  # noqa: E402

STREAMING = [name for name in nets.names() if issubclass(nets.kind(name)[0], StreamingNet)]
TINY = {"encoder": 9, "hidden": 12, "channels": 9, "d_model": 12, "heads": 3, "layers": 2, "window": 7, "kernel": 3}
COLUMNS, TICKS = 5, 1000
ALSO = {
    "gru_attention": [{"relative": "alibi"}],
    "lstm": [{"layers": 1}],
    "streaming_transformer": [{"relative": "learned", "feedforward": 2, "window": 80}],
    "tcn": [{"large_kernel": True, "kernel": 9, "dilation": 1}],
}
"""Settings that change the mathematics of a net."""
CASES = [(name, setting) for name in STREAMING for setting in ({}, {"timeframes": (4, 16)}, *ALSO.get(name, []))]
NAMED = [f"{name}-{'-'.join(map(str, setting)) or 'plain'}" for name, setting in CASES]
EXPORTED = [case for case in zip(CASES, NAMED, strict=True) if case[0][1]]
"""Without the plain ones: those with running means hold all that they do."""


def tiny(name: str, seed: int = 0, **config):
    """A small net of random weights, for evaluation; learned biases and running moments are not left at their start."""
    have = {f.name for f in fields(nets.kind(name)[1])}
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    knots = np.sort(rng.normal(size=(2, COLUMNS, 6)), axis=2)
    net = nets.build(name, knots, targets=2, **{k: v for k, v in {**TINY, **config}.items() if k in have})
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
        net.train().sequence(rows(64, seed=seed + 1).unsqueeze(0))
    return net.eval()


@cache
def raw(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    out = rng.standard_t(3, (n, COLUMNS)).cumsum(axis=0).astype(np.float32) / np.sqrt(n) + rng.normal(size=COLUMNS)
    out[rng.random(out.shape) < 0.1] = np.nan
    out[n // 2] = np.nan
    return out.astype(np.float32)


def rows(n: int, seed: int = 0):
    """Raw rows (n, columns), a tenth of the values and one whole row unknown."""
    return torch.from_numpy(raw(n, seed).copy())


def stepped(net, table):
    """Logits (t, targets, classes) of a loop over rows, and the states after it."""
    states, out = net.start(), []
    for row in table:
        logits, *states = net(row.unsqueeze(0), *states)
        out.append(logits)
    return torch.cat(out), states


def close(a, b, tolerance=1e-5):
    torch.testing.assert_close(a, b, atol=tolerance, rtol=0)


def test_there_are_streaming_nets():
    assert {"gru", "gru_attention", "lstm", "lstm_residual", "streaming_transformer", "tcn"} <= set(STREAMING)


@pytest.mark.parametrize(("name", "setting"), CASES, ids=NAMED)
def test_steps_and_chunks_are_the_whole_sequence(name, setting):
    net, table = tiny(name, **setting), rows(TICKS)
    with torch.inference_mode():
        whole, memory = net.sequence(table.unsqueeze(0))
        steps, states = stepped(net, table)
        assert whole.shape == (1, TICKS, 2, 3) and whole.std(dim=1).min() > 1e-3
        close(steps, whole[0])
        own = memory[1]
        for state, after, kept in zip(net.memory, states[len(net.inputs.states) :], own, strict=True):
            assert tuple(after.shape) == state.shape, state
            close(after, kept)  # a live net may be warmed up by a scan
        parts, carried = [], None
        for part in table.unsqueeze(0).split([1, 2, 61, 5, 331, TICKS - 400], dim=1):
            logits, carried = net.sequence(part, carried)
            parts.append(logits)
        close(torch.cat(parts, dim=1), whole)


@pytest.mark.parametrize("name", STREAMING)
def test_states_are_declared_as_they_are(name):
    net = tiny(name, timeframes=(3,))
    states = net.states
    assert [tuple(s.shape) for s in net.start(3)] == [(3, *s.shape[1:]) for s in states]
    assert len({s.input for s in states} | {s.output for s in states}) == 2 * len(states)
    assert net.warm_up >= 6
    with torch.inference_mode():
        logits, *after = net(rows(3), *net.start(3))
    assert logits.shape == (3, 2, 3)
    assert [tuple(a.shape) for a in after] == [(3, *s.shape[1:]) for s in states]


@pytest.mark.parametrize("name", STREAMING)
def test_streams_of_a_batch_do_not_mix(name):
    net = tiny(name)
    a, b = rows(150, seed=1), rows(150, seed=2)
    with torch.inference_mode():
        both, _ = net.sequence(torch.stack([a, b]))
        for i, one in enumerate((a, b)):
            close(both[i], net.sequence(one.unsqueeze(0))[0][0])


@pytest.mark.parametrize(("name", "setting"), CASES, ids=NAMED)
def test_nothing_looks_ahead_and_rows_matter_later(name, setting):
    net, table = tiny(name, **setting), rows(200)
    other = table.clone()
    other[120:] = rows(80, seed=9)
    with torch.inference_mode():
        one, two = (net.sequence(t.unsqueeze(0))[0][0] for t in (table, other))
    close(one[:120], two[:120], 1e-6)
    assert (one[121:] - two[121:]).abs().amax(dim=(1, 2)).min() > 0
    last = table.clone()
    last[120] = 0.3
    with torch.inference_mode():
        one = net.sequence(last.unsqueeze(0))[0][0] - one
    assert one[121:124].abs().max() > 1e-6, "remembers nothing"


@pytest.mark.parametrize(("name", "setting"), CASES, ids=NAMED)
def test_every_weight_learns(name, setting):
    net = tiny(name, **setting, dropout=0.0).train()
    logits, _ = net.sequence(torch.stack([rows(40, seed=s) for s in range(4)]))
    torch.nn.functional.cross_entropy(
        logits.reshape(-1, 3), torch.randint(3, (4 * 40 * 2,), generator=torch.Generator().manual_seed(0))
    ).backward()
    for key, weight in net.named_parameters():
        assert weight.grad is not None and torch.isfinite(weight.grad).all(), key
        assert weight.grad.abs().max() > 0, key


@pytest.mark.parametrize("name", STREAMING)
def test_dropout_is_for_training_only(name):
    net, table = tiny(name, dropout=0.5), torch.stack([rows(50), rows(50, seed=3)])
    with torch.inference_mode():
        assert torch.equal(net.sequence(table)[0], net.sequence(table)[0])
        net.train()
        assert not torch.equal(net.sequence(table)[0], net.sequence(table)[0])


def export(net, path):
    """By the recipe of ``learn.export``, but of the bare net."""
    generator = torch.Generator().manual_seed(1)
    example = tuple(torch.randn(s, generator=generator) for s in [(1, COLUMNS), *(s.shape for s in net.states)])
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, about its own use of its own
        program = torch.onnx.export(
            net, example, dynamo=True, opset_version=20, external_data=False, verbose=False,
            input_names=["row", *(s.input for s in net.states)],
            output_names=["logits", *(s.output for s in net.states)],
        )  # fmt: skip
    program.save(str(path))


@pytest.mark.parametrize(("name", "setting"), [c for c, _ in EXPORTED], ids=[i for _, i in EXPORTED])
def test_the_exported_step_is_the_net(name, setting, tmp_path):
    pytest.importorskip("onnxscript", reason="the exporter is torch's with onnxscript, part of [test]")
    from smartcore.learn.apple import partitions
    from smartcore.models.providers import session

    net, table = tiny(name, **setting), rows(TICKS)
    path = tmp_path / f"{name}.onnx"
    export(net, path)
    assert partitions(path).whole
    run = session(path)
    assert [tuple(i.shape) for i in run.get_inputs()] == [(1, COLUMNS), *(s.shape for s in net.states)]
    with torch.inference_mode():
        expected, after = stepped(net, table)
    states, out = {s.input: np.zeros(s.shape, np.float32) for s in net.states}, []
    for row in table.numpy():
        logits, *carried = run.run(None, {"row": row[None], **states})
        states = dict(zip(states, carried, strict=True))
        out.append(logits)
    np.testing.assert_allclose(np.concatenate(out), expected, atol=1e-5, rtol=0)
    for ours, theirs in zip(states.values(), after, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=0)


# --- what single nets promise ---------------------------------------------------------------------


def naive_attention(band, x):
    """Row by row, head by head: rows (t, width) -> (t, width), by the definition in ``band``."""
    t, width = x.shape
    past = band.window - 1
    q, k, v = (band.qkv(x)[:, i * width : (i + 1) * width] for i in range(3))
    k, v = (torch.cat([torch.zeros(past, width), p]) for p in (k, v))
    out = torch.zeros(t, width)
    for i in range(t):
        for h in range(band.heads):
            part = slice(h * band.size, (h + 1) * band.size)
            score = torch.stack([q[i, part] @ k[j, part] / band.size**0.5 for j in range(i, i + band.window)])
            weight = torch.softmax(score + band.bias[h], dim=0)
            out[i, part] = sum(w * v[j, part] for w, j in zip(weight, range(i, i + band.window), strict=True))
    return band.out(out)


@pytest.mark.parametrize("relative", ["alibi", "learned"])
@pytest.mark.parametrize(("t", "window"), [(3, 9), (40, 5), (150, 70)])
def test_the_band_is_attention_over_the_last_rows(relative, t, window):
    from smartcore.learn.nets.band import Band

    torch.manual_seed(t)
    band, x = Band(6, 2, window, relative), torch.randn(t, 6)
    with torch.no_grad():
        if relative == "learned":
            band.bias.normal_()
        out, *_ = band.scan(x.unsqueeze(0), *(torch.zeros(s) for s in band.shapes))
        close(out[0], naive_attention(band, x))


def test_alibi_is_the_published_slope():
    from smartcore.learn.nets.band import Band

    bias = Band(8, 8, 5, "alibi").bias
    assert bias[:, -1].tolist() == [0.0] * 8
    close(bias[:, -1] - bias[:, -2], torch.tensor([2.0**-i for i in range(1, 9)]))


@pytest.mark.parametrize("bad", [{"heads": 5}, {"window": 1}, {"relative": "absolute"}])
@pytest.mark.parametrize("name", ["gru_attention", "streaming_transformer"])
def test_attention_refuses_shapes_that_cannot_be(name, bad):
    with pytest.raises(ValueError, match=str(next(iter(bad.values())))):
        tiny(name, **bad)


@pytest.mark.parametrize("name", STREAMING)
def test_recomputing_in_training_changes_memory_and_nothing_else(name):
    from smartcore.learn import train

    table, out = torch.stack([rows(40), rows(40, seed=1)]), []
    for lean in (False, True):
        net = tiny(name, dropout=0.3).train()
        torch.manual_seed(5)
        with train._recomputing(net) if lean else nullcontext():
            logits, _ = net.sequence(table)
            logits.square().sum().backward()
        out.append([*(w.grad for w in net.parameters()), *net.buffers()])
    for a, b in zip(*out, strict=True):
        close(a, b, 1e-6)


def test_a_long_scan_does_not_take_memory_of_its_square():
    net = tiny("streaming_transformer", layers=1, window=16).train()
    largest = []
    for n in (1000, 4000):
        kept = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t, kept=kept: kept.append(t.numel()) or t, lambda t: t):
            net.sequence(torch.nan_to_num(rows(n)).unsqueeze(0))
        largest.append(max(kept))
    assert largest[1] < 5 * largest[0]


def test_a_tcn_forgets_exactly():
    net, table = tiny("tcn", layers=3, kernel=3), rows(200)
    other = table.clone()
    other[100] = 0.7
    with torch.inference_mode():
        one, two = (net.sequence(t.unsqueeze(0))[0][0] for t in (table, other))
    assert net.warm_up == 1 + 2 * (1 + 2 + 4)
    apart = (one - two).abs().amax(dim=(1, 2)) > 0
    assert not apart[100 + net.warm_up :].any() and apart[100 : 100 + net.warm_up].any()
    assert apart[100 + net.warm_up - 1] or apart[100 + net.warm_up - 2]
    with pytest.raises(ValueError, match="kernel"):
        tiny("tcn", kernel=1)


def test_batch_norm_is_torchs_and_a_fixed_scale_afterwards():
    from smartcore.learn.nets.lstm import BatchNorm

    torch.manual_seed(0)
    ours, theirs, x = BatchNorm(4), torch.nn.BatchNorm1d(4), 3 * torch.randn(6, 50, 4) + 1
    flat = x.reshape(-1, 4)
    close(ours(x).reshape(-1, 4), theirs(flat), 1e-6)
    close(ours.eval()(x).reshape(-1, 4), theirs.eval()(flat), 1e-6)


@pytest.mark.parametrize(
    ("name", "config"),
    [("streaming_transformer", {"d_model": 256, "heads": 8, "layers": 6, "window": 100}),
     ("lstm", {"hidden": 128, "layers": 2}), ("gru", {"hidden": 128}), ("lstm_residual", {"hidden": 128, "layers": 3}),
     ("gru_attention", {"hidden": 256, "heads": 8, "window": 100}), ("tcn", {"channels": 256, "layers": 6})],
)  # fmt: skip
def test_nets_come_in_the_largest_sizes_asked_for(name, config):
    net = nets.build(name, np.sort(np.random.default_rng(0).normal(size=(2, 40, 16)), axis=2), **config).eval()
    with torch.inference_mode():
        logits, *_ = net(torch.zeros(1, 40), *net.start())
    assert logits.shape == (1, 1, 3) and torch.isfinite(logits).all()


def test_the_benchmark_knows_every_net_and_measures_one(monkeypatch):
    pytest.importorskip("onnxscript", reason="the exporter is torch's with onnxscript, part of [test]")
    monkeypatch.syspath_prepend(Path(__file__).resolve().parent.parent / "bench")
    monkeypatch.delitem(sys.modules, "nets", raising=False)
    import nets as bench

    listed = bench.cases(set())
    assert {name for name, *_ in listed} == set(nets.names()) and [g for *_, g in listed][:4] == [20, 20, 200, 1000]
    assert {name for name, *_ in bench.cases({"tcn"})} == {"tcn"}
    knots = np.sort(np.random.default_rng(0).normal(size=(2, bench.COLUMNS, 4)), axis=2)
    for name, _, config, _ in listed:
        nets.build(name, knots, **config)
    m = bench.measured("lstm", {"hidden": 8}, quick=True)
    assert m["state"] == 16 and 0 < m["run"]["hot"]["p50_us"] <= m["run"]["hot"]["p99_us"]


def test_names_and_fields_that_are_not_there_are_refused():
    knots = np.zeros((2, 3, 4))
    with pytest.raises(ValueError, match=r"no net 'lstn'.*lstm"):
        nets.build("lstn", knots)
    with pytest.raises(TypeError, match="hiden"):
        nets.build("lstm", knots, hiden=3)
    with pytest.raises(ValueError, match="knots of 3 columns for a net of 4"):
        nets.build("lstm", knots, columns=4)
