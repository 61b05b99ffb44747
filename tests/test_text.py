"""Texts to scores: what the lexicon and the two rules are for, events, and a classifier of the user's own."""

from __future__ import annotations

import numpy as np
import pytest

import smartcore as sc
from smartcore.market import events as ev
from smartcore.market.text import LEXICON, OnnxTextScorer, TextScorer, Word, read_lexicon

pytest.importorskip("vaderSentiment")


@pytest.fixture(scope="module")
def scorer() -> TextScorer:
    return TextScorer()


GOOD = [
    "Acme beats estimates and raises full-year guidance",
    "Operating profit rose to EUR 13.1 mn from EUR 8.7 mn",
    "Pretax loss narrowed to 2.1 million",
    "Costs fell 12%",
    "Operating profit was EUR 5.9 mn, compared to EUR 1.6 mn a year earlier",
    "Operating profit amounted to EUR0 .9 m , compared to a loss of EUR0 .7 m in the prior year period",
    "Broker upgraded $ACME to buy",
    "$ACME short squeeze incoming",
    "BTC to the moon, hodl!",
    "spot ETF approved",
    "$ACME +35% since entry",
]
BAD = [
    "Acme misses estimates, cuts guidance",
    "Operating profit fell to EUR 8.7 mn from EUR 13.1 mn",
    "Net loss widened to 5 million",
    "Funding costs surged",
    "Profitability (EBIT %) was 13.6 %, compared to 14.3 % in Q2 2009",
    "Pretax loss totalled EUR 117mn compared to a loss of EUR 65mn in the corresponding period",
    "Acme announces layoffs and a recall",
    "Shareholders file class action lawsuit",
    "got rekt, total rug pull",
    "Stablecoin depegs, exchange halts withdrawals",
    "$ACME -4.4% at 18 now",
    "Deutsche Bank downgraded Acme",
]
NEUTRAL = [
    "The annual general meeting is on 12 May",
    "Acme shares trade on the main list",
    "The vice president holds a gross interest in the security",
    "The tax authority received the filing",
    "Net sales totalled EUR 93.6 mn in 2010",
    "$FREE and $WIN report on Tuesday http://example.com/best-gains @happy",
    "",
]


@pytest.mark.parametrize("text", GOOD)
def test_good_news(scorer, text):
    assert scorer.score(text) > 0.15, scorer.rewrite(text)


@pytest.mark.parametrize("text", BAD)
def test_bad_news(scorer, text):
    assert scorer.score(text) < -0.15, scorer.rewrite(text)


@pytest.mark.parametrize("text", NEUTRAL)
def test_no_news(scorer, text):
    assert abs(scorer.score(text)) < 0.1, scorer.rewrite(text)


@pytest.mark.parametrize(
    "text", ["rose", "- - -", "compared to", "compared to 5", "from from", "\U0001f680", "5 vs 5 vs", "€", "a" * 5000]
)
def test_any_text_has_a_score(scorer, text):
    assert -1 <= scorer.score(text) <= 1


def test_lexicon_of_ones_own(scorer, tmp_path):
    text = "Acme frobnicates the gizmo chain"
    assert scorer.score(text) == 0
    assert TextScorer({"gizmo chain": -3.0}).score(text) < -0.4
    assert TextScorer({"Gizmo-Chain": -3.0}).score("the gizmo-chain") < -0.4
    file = tmp_path / "words.tsv"
    file.write_text("# mine\nfrobnicates\t2.5\ngizmo chain\t0\tbad\nfalls\t0\n")
    assert TextScorer(file).score(text) > 0.3
    assert TextScorer({"frobnicates": Word(2.0, "up")}).score("profit frobnicates") > 0.3
    assert scorer.score(text) == 0, "one lexicon reached another"
    file.write_text("word\t5\n")
    with pytest.raises(ValueError, match="line 1"):
        TextScorer(file)


def test_the_shipped_lexicon_is_in_order():
    entries = read_lexicon(LEXICON)
    assert len(entries) > 1000
    lines = [line.split("\t")[0] for line in LEXICON.read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    assert lines == sorted(set(lines)), "sorted, and each once"
    assert all(phrase == " ".join(phrase.lower().replace("-", " ").split()) for phrase in entries)


def test_events(scorer):
    texts = GOOD[:2] + BAD[:1]
    events = scorer.events([1, 2, 3], texts, source=[1, 2, 1], weight=2.0)
    assert events.dtype == sc.EVENT
    assert (events["kind"] == ev.Kind.SCORE).all()
    np.testing.assert_array_equal(events["v0"], scorer.scores(texts))
    np.testing.assert_array_equal(events["source"], [1, 2, 1])
    assert scorer.event(3, texts[2], 1, 2.0) == events[2]
    assert sc.Engine(["spread"]).run(events, "event").shape == (3, 1)


# ---- a classifier of the user's own ----


def model(path, inputs, nodes, constants, classes):
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    kinds = {"text": TensorProto.STRING, "ids": TensorProto.INT64}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info(name, kinds[name], ["n", None][: 1 if name == "text" else 2])
            for name in inputs
        ],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", classes])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.checker.check_model(made)
    onnx.save(made, path)
    return path


def test_onnx_of_token_ids(tmp_path):
    from onnx import helper

    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("ReduceSum", ["rows", "axis"], ["out"], keepdims=0),
    ]
    table = np.array([[0, 0, 0], [0, 0, 3], [3, 0, 0]], np.float32)
    path = model(tmp_path / "ids.onnx", ["ids"], nodes, {"table": table, "axis": np.array([1])}, 3)
    words = {"up": 1, "down": 2}

    def tokenizer(texts):
        ids = [[words.get(w, 0) for w in text.split()] for text in texts]
        most = max(map(len, ids))
        return {"ids": np.array([row + [0] * (most - len(row)) for row in ids], np.int64)}

    scorer = OnnxTextScorer(path, tokenizer, batch=2)
    got = scorer.scores(["up up", "down", "nothing here", "up"])
    share = np.exp([6, 3]) / (2 + np.exp([6, 3]))
    rest = 1 / (2 + np.exp([6, 3]))
    np.testing.assert_allclose(got, [share[0] - rest[0], rest[1] - share[1], 0, share[1] - rest[1]], atol=1e-6)
    assert scorer.event(5, "up")["v0"] == pytest.approx(got[3])
    assert len(scorer.scores([])) == 0
    with pytest.raises(ValueError, match="3 classes"):
        OnnxTextScorer(path, tokenizer, classes=(-1.0, 1.0)).score("up")
    with pytest.raises(ValueError, match="without a tokenizer"):
        OnnxTextScorer(path)


def test_onnx_of_strings(tmp_path):
    from onnx import helper

    table = {"keys_strings": ["up", "down"], "values_floats": [2.0, -0.25], "default_float": 0.0}
    nodes = [
        helper.make_node("LabelEncoder", ["text"], ["value"], domain="ai.onnx.ml", **table),
        helper.make_node("Unsqueeze", ["value", "axis"], ["out"]),
    ]
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "text.onnx"
    from onnx import TensorProto, numpy_helper

    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("text", TensorProto.STRING, ["n"])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(np.array([1]), "axis")],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 4)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), path)
    np.testing.assert_array_equal(OnnxTextScorer(path).scores(["up", "down", "else"]), [1.0, -0.25, 0.0])
