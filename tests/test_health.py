"""Health: each part by itself, the worst part counts, alerts once, and a monitor that nothing can stop."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest

from smartcore.bot.health import WEIGHTS, Budget, Monitor, judge

WELL = {
    "latency_p99_us": 200.0, "error_share": 0.0, "data_age_s": 0.1, "novel": 0.01, "ece": 0.01, "memory_mb": 90.0,
}  # fmt: skip
ILL = {
    "latency_p99_us": 6000.0, "error_share": 0.2, "data_age_s": 600.0, "novel": 0.9, "ece": 0.4, "memory_mb": 900.0,
}  # fmt: skip
PART = dict(zip(WELL, ("latency", "errors", "data", "inputs", "calibration", "memory"), strict=True))


def score(**facts):
    return judge("X", WELL | facts, Budget(), 0.0)


def test_all_well_is_100_and_all_ill_is_0():
    assert score().score == 100
    assert judge("X", ILL, Budget(), 0.0).score == 0


@pytest.mark.parametrize("fact", WELL)
def test_one_ill_part_is_not_averaged_away(fact):
    told = score(**{fact: ILL[fact]})
    assert told.worst == PART[fact]
    assert told.parts[PART[fact]] == 0
    assert told.score == pytest.approx(100 * (1 - WEIGHTS[PART[fact]] - 0.5))


@pytest.mark.parametrize("fact", WELL)
def test_worse_facts_never_raise_the_score(fact):
    steps = [WELL[fact] + (ILL[fact] - WELL[fact]) * i / 40 for i in range(41)]
    found = [score(**{fact: x}).score for x in steps]
    assert found == sorted(found, reverse=True) and found[0] > found[-1]


def test_what_is_not_known_is_left_out_and_weights_sum_to_1():
    told = score(ece=None, novel=float("nan"))
    assert "calibration" not in told.parts and "inputs" not in told.parts
    assert told.score == 100
    assert sum(WEIGHTS.values()) == pytest.approx(1)
    assert judge("X", {}, Budget(), 0.0).score == 100


class Bot:
    """What a monitor looks at."""

    def __init__(self):
        self.symbol, self.ts, self.health, self.decision = "X", 0, None, None
        self.p99, self.faults, self.decisions, self.broken = 100.0, 0, 0, False

    def status(self):
        if self.broken:
            raise RuntimeError("broken")
        return {
            "latency": {"p99_us": self.p99}, "models": [{"faults": self.faults}],
            "journal": {"drops": 0}, "decisions": self.decisions,
        }  # fmt: skip

    def novelty(self, value):
        self.decision = SimpleNamespace(reasons=(SimpleNamespace(gate="novelty", value=value),), track=None)


def test_a_look_sets_the_bots_health_and_counts_errors_since_the_last():
    bot, now = Bot(), [1000.0]
    bot.ts = int(999.9e9)
    monitor = Monitor([bot], start=False, clock=lambda: now[0], budget=Budget(memory_mb=1e6))
    assert monitor.look()[0].score == bot.health == 100
    bot.decisions, bot.faults = 100, 3
    assert monitor.look()[0].parts["errors"] == pytest.approx(0.4)
    bot.decisions = 200
    assert monitor.look()[0].parts["errors"] == 1
    now[0] += 100
    told = monitor.look()[0]
    assert told.worst == "data" and bot.health == told.score < 50


def test_an_alert_once_and_once_when_it_is_well_again():
    bot, told = Bot(), []
    monitor = Monitor([bot], start=False, live=False, alert=told.append, budget=Budget(memory_mb=1e6), least=60)
    for p99 in (100.0, 9000.0, 9000.0, 100.0, 100.0):
        bot.p99 = p99
        monitor.look()
    assert [(a.kind, a.text.startswith("well again")) for a in told] == [("health", False), ("health", True)]
    assert "latency" in told[0].text


def test_drift_of_inputs():
    bot, told = Bot(), []
    monitor = Monitor(
        [bot], metrics_s=0.002, health_s=0.02, live=False, alert=told.append, budget=Budget(memory_mb=1e6)
    )
    with monitor:
        end = time.monotonic() + 30
        while not told and time.monotonic() < end:
            bot.novelty(3.0)
            time.sleep(0.005)
    assert {a.kind for a in told} >= {"drift"}
    assert monitor.metrics and monitor.metrics[-1]["novel"] == 1.0


def test_nothing_stops_it(caplog):
    bot = Bot()

    def bad(_):
        raise ValueError("callback")

    with Monitor([bot], metrics_s=0.002, health_s=0.002, live=False, alert=bad, budget=Budget(memory_mb=1e6)):
        bot.broken = True
        end = time.monotonic() + 30
        while "a look failed" not in caplog.text and time.monotonic() < end:
            time.sleep(0.01)
        bot.broken, bot.p99 = False, 1e6
        while (bot.health is None or bot.health > 50) and time.monotonic() < end:
            time.sleep(0.01)
    assert bot.health is not None and bot.health < 50
    assert "a look failed" in caplog.text and "callback failed" in caplog.text
    assert not any(t.name == "monitor" for t in threading.enumerate())


def test_intervals_are_checked():
    with pytest.raises(ValueError, match="metrics_s"):
        Monitor([], metrics_s=0)


def test_a_row_counts_once_however_long_it_is_the_newest():
    """A bot that decides once a minute, looked at every second: one row that is unlike is one."""
    bot = Bot()
    monitor = Monitor([bot], start=False, live=False)
    for i in range(40):
        bot.novelty(2.0 if i == 0 else 0.5)
        for _ in range(60):
            monitor.sample()
    facts = monitor.look()[0].facts
    assert facts["novel"] == pytest.approx(1 / 40)


def test_metrics_are_kept_for_a_day_of_every_bot():
    assert Monitor([Bot()] * 3, start=False).metrics.maxlen == 3 * Monitor([Bot()], start=False).metrics.maxlen
