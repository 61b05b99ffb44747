"""The configuration file: what it makes, the older shape, and every mistake named."""

from __future__ import annotations

import pytest

import smartcore as sc
from smartcore.bot.config import Config
from smartcore.errors import InvalidData

WHOLE = """
[bot]
symbols = ["BTCUSDT", "ETHUSDT"]
bars = "1s"
features = ["rsi_14", "spread"]
journal = "bot.journal"
memory_mb = 50
native = false

[policy]
preset = "laboratory"
every = "250ms"
max_contracts = 2

[monitor]
metrics_s = 10

[instrument.BTCUSDT]
tick = 0.1
lot = 0.001
taker_fee = 0.0004
"""


def test_a_whole_file_makes_a_bot(tmp_path):
    path = tmp_path / "bot.toml"
    path.write_text(WHOLE)
    config = Config.read(path)
    assert config.bot.symbols == ("BTCUSDT", "ETHUSDT") and config.bot.memory_mb == 50
    assert config.monitor.metrics_s == 10 and config.monitor.health_s == 300
    assert config.policy.every == "250ms" and config.policy.max_contracts == 2
    assert dict(config.policy.parts) == pytest.approx(
        {"sequence": 0.4, "ensemble": 0.3, "smart_money": 0.1, "technical": 0.2}
    )
    with config.orchestrator() as bot:
        assert bot.symbol == "BTCUSDT" and bot.engine.instrument.tick == 0.1
        assert set(bot.engine.columns) >= {"rsi_14", "spread"}
        bot.on_quote(10**18, 1.0, 1.0, 2.0, 1.0)
    assert (tmp_path / "bot.journal").is_file()
    with config.orchestrator("ETHUSDT", journal=None) as other:
        assert other.symbol == "ETHUSDT" and other.journal is None


def test_an_empty_one_is_all_defaults():
    config = Config.of({})
    assert config.policy == sc.Policy() and config.bot.bars is None and config.models == {}


OLD = {
    "models": {
        "transformer": {"weight": 0.4, "path": "gru"},
        "cnn_lstm": {"weight": 0.3, "path": "gbdt", "enabled": True},
        "technical": {"weight": 0.2},
        "smart_money": {"weight": 0.1},
    },
    "ensemble": {"voting_method": "confidence_weighted", "confidence_threshold": 0.7},
}


@pytest.mark.parametrize(
    "given",
    [
        OLD,
        {"MODEL_CONFIG": OLD},
        {"MODEL_CONFIG": {**OLD["models"], "confidence_threshold": 0.7}},
        {
            "MODEL_CONFIG": {
                "ensemble_weights": {"transformer": 0.4, "ensemble": 0.3, "technical": 0.2, "smc": 0.1},
                "confidence_threshold": 0.7,
            }
        },
    ],
)
def test_the_older_shape(given):
    config = Config.of(given)
    assert dict(config.policy.parts) == pytest.approx(
        {"sequence": 0.4, "ensemble": 0.3, "technical": 0.2, "smart_money": 0.1}
    )
    assert config.policy.min_confidence == 0.7 and config.policy.voting == "confidence_weighted"
    if "path" in str(given):
        assert config.models == {"sequence": "gru", "ensemble": "gbdt"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"bots": {}}, "section bots: unknown; did you mean bot"),
        ({"bot": {"symbol": ["A"]}}, "bot.symbol: unknown; did you mean symbols"),
        ({"bot": {"symbols": "A"}}, "bot.symbols: 'A' is no list"),
        ({"bot": {"symbols": []}}, "bot.symbols"),
        ({"bot": {"bars": "1 fortnight"}}, "bot.bars"),
        ({"bot": {"memory_mb": -1}}, "bot.memory_mb: -1 is out of range"),
        ({"bot": {"memory_mb": True}}, "bot.memory_mb: True is no finite number"),
        ({"bot": {"concurrency": 1.5}}, "bot.concurrency"),
        ({"bot": {"max_missing": 2}}, "bot.max_missing"),
        ({"bot": {"native": 1}}, "bot.native"),
        ({"bot": 3}, "bot: 3 is no table"),
        ({"models": {"sequenze": "gru"}}, "models.sequenze: unknown; did you mean sequence"),
        ({"models": {"sequence": ""}}, "models.sequence: '' is no text"),
        ({"policy": {"min_confidense": 0.6}}, "policy.min_confidense: unknown; did you mean min_confidence"),
        ({"policy": {"min_confidence": 2}}, "policy.min_confidence: 2"),
        ({"policy": {"preset": "wild"}}, "policy"),
        ({"monitor": {"health_s": 0}}, "monitor.health_s: 0 is out of range"),
        ({"instrument": {"X": {"tik": 1}}}, "instrument.X.tik: unknown; did you mean tick"),
        ({"instrument": {"X": {"tick": "a"}}}, "instrument.X.tick: 'a' is no finite number"),
        ({"MODEL_CONFIG": {"transformer": 0.5, "technical": 0.3}}, "sum to 0.8"),
        ({"MODEL_CONFIG": {"transformer": 0.5, "lstm": 0.5}}, "lstm: a second weight"),
        ({"MODEL_CONFIG": {"transformers": 0.5}}, "transformers: unknown"),
        ({"MODEL_CONFIG": {"technical": {"path": "x"}}}, "has no file"),
        ({"MODEL_CONFIG": {"transformer": {"wait": 1}}}, "transformer.wait: unknown; did you mean weight"),
        ({"MODEL_CONFIG": {"transformer": "heavy"}}, "neither a weight nor a table"),
        ({"MODEL_CONFIG": {"weights": {"transformator": 1}}}, "weights.transformator: unknown"),
    ],
)
def test_mistakes_are_named(given, said):
    with pytest.raises(InvalidData) as error:
        Config.of(given)
    assert said in str(error.value)


def test_files_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError):
        Config.read(tmp_path / "absent.toml")
    (tmp_path / "bad.toml").write_text("[bot\n")
    with pytest.raises(InvalidData, match=r"bad\.toml: no TOML"):
        Config.read(tmp_path / "bad.toml")
    (tmp_path / "odd.toml").write_text("[bot]\nbarz = 1\n")
    with pytest.raises(InvalidData, match=r"odd\.toml: bot\.barz: unknown; did you mean bars"):
        Config.read(tmp_path / "odd.toml")


def test_models_stand_ins_and_a_monitor(tmp_path):
    config = Config.of({"bot": {"bars": "1s", "live": False}, "models": {"sequence": "gru", "ensemble": "gbdt"}})
    seen = []
    with config.orchestrator("SIM") as bot, config.watch(bot, alert=seen.append) as monitor:
        decisions = list(bot.run(sc.simulate(seconds=90, seed=1).events))
        assert {"sequence", "ensemble"} <= set(decisions[-1].weights)
        assert monitor.look()[0].symbol == "SIM" and bot.health == monitor.health["SIM"].score
    again = Config.of({"bot": {"bars": "1s"}, "models": {"sequence": "gru", "sequence_fallback": "gru"}})
    assert again.orchestrator("SIM").status()["models"][0]["stand_in"]["name"]
