"""Symbols of one call that answers: as many as fit a budget of memory, and none for ever."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pandas as pd
import pytest

import smartcore as sc
from smartcore.bot import intelligence
from smartcore.bot.intelligence import Intelligence


def frame(n=40, seed=0):
    close = 100 * np.exp(np.cumsum(1e-3 * np.random.default_rng(seed).normal(size=n)))
    index = pd.date_range("2026-01-01", periods=n, freq="1min", tz="UTC")
    return pd.DataFrame({"open": close, "high": close, "low": close, "close": close, "volume": 1.0}, index=index)


def desk(**options):
    bot = sc.Orchestrator(sc.Engine(["rsi_14"], instrument="OWN"), policy=sc.Policy())
    return Intelligence(bot, 4, **options)


def ask(desk, *symbols):
    async def all_of_them():
        for symbol in symbols:
            await desk.answer(frame(), symbol, {}, 30.0)

    asyncio.run(all_of_them())


def test_the_budget_keeps_those_asked_for_last():
    one = desk()
    ask(one, "A")
    each = one.bytes
    bot = one._others["A"].bot
    assert each > bot.engine.state_bytes + bot._recent.flight.capacity
    few = desk(memory_mb=3.5 * each / 2**20)
    ask(few, "A", "B", "C", "A", "D")
    assert few.symbols == ("C", "A", "D")
    assert few.bytes <= 3.5 * each


def test_one_that_is_larger_than_the_budget_is_still_served():
    tiny = desk(memory_mb=1e-6)
    ask(tiny, "A", "B")
    assert tiny.symbols == ("B",)


def test_idle_symbols_are_forgotten(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(intelligence.time, "monotonic", lambda: now[0])
    few = desk(idle_s=60)
    few._desk("A")
    now[0] = 50
    few._desk("B")
    now[0] = 100
    few._desk("C")
    assert few.symbols == ("B", "C")


def test_one_at_work_is_kept():
    tiny = desk(memory_mb=1e-6)
    held = tiny._desk("A")
    with held._busy:
        tiny._desk("B")
        assert tiny.symbols == ("A", "B")
    tiny._desk("C")
    assert tiny.symbols == ("C",)


def test_no_more_work_at_a_time_than_asked(monkeypatch):
    at_work, most, lock = 0, 0, threading.Lock()
    real = intelligence._Desk._work

    def work(self, *given):
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        try:
            return real(self, *given)
        finally:
            with lock:
                at_work -= 1

    monkeypatch.setattr(intelligence._Desk, "_work", work)
    bot = sc.Orchestrator(sc.Engine(["rsi_14"], instrument="OWN"), policy=sc.Policy(), concurrency=2)

    async def many():
        return await asyncio.gather(*(bot.generate_trading_intelligence(frame(), f"S{i}") for i in range(12)))

    answers = asyncio.run(many())
    assert [a["symbol"] for a in answers] == [f"S{i}" for i in range(12)]
    assert 1 <= most <= 2


def test_a_timeout_says_so():
    bot = sc.Orchestrator(sc.Engine(instrument="OWN"), policy=sc.Policy())
    with pytest.raises(TimeoutError, match="no decision on SLOW within"):
        asyncio.run(bot.generate_trading_intelligence(frame(200_000), "SLOW", timeout=0.01))
