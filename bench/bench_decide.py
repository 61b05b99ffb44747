"""Latency of one decision: ``pytest bench/bench_decide.py``. Wanted: p50 at most 15 us through Python, 3 us in
the core.

"core" is the call into the core on records that are ready; "with context" also builds the Context, as a bot does;
"read" also builds all the records of the answer.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from smartcore._core import _decide
from smartcore.decide import Context, Decision, Inputs, Policy, RegimeName, Scorecard, decide
from smartcore.decide.inputs import COLUMNS, given

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
        "spread": 1.0, "market_regime_name": 0.0, "market_regime_volatility": 1.0, "market_regime_trend": 1.0,
        "market_regime_volume": 1.0,
    }
    typical |= {f"market_regime_{name.value}": 0.9 if i == 0 else 0.02 for i, name in enumerate(RegimeName) if i < 7}
    row = np.array([typical.get(name, 0.5) for name in columns])
    context = Context(
        Inputs(columns), TS, TS - 1_000_000, 50_000.0, symbol="BTCUSDT", equity=1e5, lot=0.001,
        latency_ns=250_000, fee_bps=1.0, calibrated=frozenset({"sequence"}),
    )
    scores = np.array([0.08, 0.32, 0.60], np.float32)
    return row, scores, context


@pytest.mark.parametrize("case", ["core", "plain", "with context", "scorecard", "stale", "read"])
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

    def plain() -> Decision:
        return decide(row, scores, scorecard, policy, context=context)

    def with_context() -> Decision:
        now = replace(context, ts=TS, as_of=TS, price=50_000.0)
        return decide(row, scores, scorecard, policy, context=now)

    inputs, said, circumstances = context.inputs.raw, given(scores, context), context.raw

    def core() -> Decision:
        return _decide(row, inputs, said, None, policy.raw, circumstances)  # type: ignore[return-value]

    def read() -> Decision:
        made = plain()
        assert made.regime and made.risk and made.execution and made.track and made.reasons
        return made

    call = {"with context": with_context, "core": core, "read": read}.get(case, plain)
    made = benchmark.pedantic(call, rounds=20_000, warmup_rounds=1_000)
    decision = Decision(made) if isinstance(made, bytes) else made
    assert decision.signal == ("HOLD" if case == "stale" else "STRONG_BUY")
    if benchmark.stats is not None:
        times = np.array(benchmark.stats.stats.data) * 1e6
        for q in (50, 99, 99.9):
            benchmark.extra_info[f"p{q}_us"] = round(float(np.percentile(times, q)), 1)
