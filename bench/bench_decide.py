"""Latency of one decision: ``pytest bench/bench_decide.py``. Wanted: p50 at most 60 us, p99 at most 150 us.

"new bar" steps the regime filter, "between bars" finds it as it was; "with context" also builds the Context,
as a bot does.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from smartcore.decide import Context, Decision, Inputs, Policy, Scorecard, decide
from smartcore.decide.inputs import COLUMNS

NAMES = tuple(dict.fromkeys(name for name, _, _ in COLUMNS))
WIDTH = 120
TS = 1_700_000_000_000_000_000


def moment() -> tuple[np.ndarray, np.ndarray, Context]:
    """A row of ``WIDTH`` columns, all known, a model's scores, a context that lets the trade pass."""
    columns = [*NAMES, *(f"other_{i}" for i in range(WIDTH - len(NAMES)))]
    rng = np.random.default_rng(0)
    rng.shuffle(columns)
    typical = {
        "macd_12_26_9_histogram": 2e-4, "ema_distance_30": 1e-3, "di_14": 20.0, "aroon_25": 60.0,
        "rsi_14": 62.0, "stochastic_14_3_k": 70.0, "mfi_14": 60.0, "ofi_l1_10s": 1.2, "adx_14": 32.0,
        "regression_slope_20": 1e-4, "regression_slope_100": 5e-5, "fhs_500_sigma": 6e-4,
        "fhs_500_var95": 1e-3, "fhs_500_var99": 1.8e-3, "fhs_500_es95": 1.4e-3, "fhs_500_es99": 2.4e-3,
        "spread": 1.0,
    }
    row = np.array([typical.get(name, 0.5) for name in columns])
    context = Context(
        Inputs(columns), TS, TS - 1_000_000, 50_000.0, symbol="BTCUSDT", bar=1000, equity=1e5, lot=0.001,
        latency_ns=250_000, fee_bps=1.0, calibrated=frozenset({"sequence"}),
    )
    scores = np.array([0.08, 0.32, 0.60], np.float32)
    first = decide(row, scores, context=context)
    return row, scores, replace(context, regime=first.regime)


@pytest.mark.parametrize("case", ["new bar", "between bars", "with context", "scorecard", "stale"])
def test_decide(benchmark, case):
    row, scores, context = moment()
    policy, scorecard = Policy(), None
    if case == "scorecard":
        card = Scorecard()
        for outcome in (1, -1, 0, 1):
            card.observe(decide(row, scores, context=context), outcome)
        scorecard = card.scores()
    if case == "stale":
        context = replace(context, as_of=TS - 60_000_000_000)
    if case != "between bars":
        context = replace(context, bar=1001)

    def plain() -> Decision:
        return decide(row, scores, scorecard, policy, context=context)

    def with_context() -> Decision:
        now = replace(context, ts=TS, as_of=TS, price=50_000.0)
        return decide(row, scores, scorecard, policy, context=now)

    call = with_context if case == "with context" else plain
    decision = benchmark.pedantic(call, rounds=20_000, warmup_rounds=1_000)
    assert decision.signal == ("HOLD" if case == "stale" else "STRONG_BUY")
    if benchmark.stats is not None:
        times = np.array(benchmark.stats.stats.data) * 1e6
        for q in (50, 99, 99.9):
            benchmark.extra_info[f"p{q}_us"] = round(float(np.percentile(times, q)), 1)
