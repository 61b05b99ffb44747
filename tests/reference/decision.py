"""The decision as a plain function of names and numbers: what ``csrc/decide`` does, written to be read.

Risk and execution have tests of their own; of risk only what gates ask is taken as given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import atanh, fsum, inf, isfinite, isnan, nan, tanh
from typing import Any

from smartcore._core import COLUMNS
from smartcore.decide import GATES, MODELS, SOURCES, Context, Policy, RegimeName, Scores

GRID = 2**40
HOLD_ONLY = ("data_age", "clock", "book_fresh", "book_uncrossed", "feed", "price")
REDUCE_ONLY = ("health", "model", "novelty", "anomaly", "risk_known", "equity", "drawdown")
NAMES = [name.value for name in RegimeName][:7]
HUGE = 1e300


def clip(x: float, low: float = -1.0, high: float = 1.0) -> float:
    return min(high, max(low, x))


def believable(row: Mapping[str, float]) -> dict[str, float]:
    """The columns that are read, NaN where unknown or out of their range."""
    out = {}
    for group in COLUMNS.values():
        for name, low, high in group:
            x = float(row.get(name, nan))
            out[name] = x if low <= x <= high else nan
    return out


def mean_vote(votes: Sequence[tuple[float, float]], least: int) -> float | None:
    known = [(clip(vote), weight) for vote, weight in votes if not isnan(vote)]
    if len(known) < least:
        return None
    return sum(vote * weight for vote, weight in known) / sum(weight for _, weight in known)


def divided(a: float, b: float) -> float:
    return a / b if b else nan if a == 0 else inf if a > 0 else -inf


def technical(x: Mapping[str, float], trending: float, least: int) -> float | None:
    follow, revert, sigma = 0.25 + 0.75 * trending, 1.0 - 0.75 * trending, x["fhs_500_sigma"]
    return mean_vote(
        [
            (divided(x["macd_12_26_9_histogram"], 0.5 * sigma), follow),
            (divided(x["ema_distance_30"], 4.0 * sigma), follow),
            (x["di_14"] / 30.0, follow),
            (x["aroon_25"] / 100.0, follow),
            ((50.0 - x["rsi_14"]) / 30.0, revert),
            (1.0 - 2.0 * x["bollinger_20_2"], revert),
            ((50.0 - x["stochastic_14_3_k"]) / 50.0, revert),
            ((50.0 - x["mfi_14"]) / 40.0, revert),
            (x["trade_imbalance_10s"], 1.0),
            (x["queue_imbalance_l1"], 1.0),
            (x["ofi_l1_10s"] / 3.0, 1.0),
        ],
        least,
    )


def smart_money(x: Mapping[str, float], least: int) -> float | None:
    below, above = x["order_block_5_500_below"], x["order_block_5_500_above"]
    return mean_vote(
        [
            (x["market_structure_20"], 1.0),
            (x["market_structure_5"], 0.5),
            (x["order_block_5_500_balance"], 0.5),
            (1 / (1 + below) - 1 / (1 + above), 0.5),
            (x["fair_value_gap_500_balance"], 0.5),
            (-x["liquidity_5_500_sweep"] / (1 + 0.1 * x["liquidity_5_500_sweep_age"]), 1.0),
            (1 - 2 * x["dealing_range_20"], 0.5),
        ],
        least,
    )


def regime(x: Mapping[str, float], policy: Policy) -> dict[str, Any]:
    chances = [x[f"market_regime_{name}"] for name in NAMES]
    name, age, switch = (x[f"market_regime_{part}"] for part in ("name", "age", "switch"))
    out: dict[str, Any] = {"name": "unknown", "age": 0, "switch_probability": 6 / 7, "probabilities": [1 / 7] * 7}
    if sum(chances) > 0.5 and not any(map(isnan, (name, age, switch))):
        out["probabilities"] = [p / sum(chances) for p in chances]
        out |= {"name": NAMES[int(name)], "age": int(age), "switch_probability": switch}
    labels = {
        "volatility": ["low", "medium", "high"],
        "trend": ["strong_bearish", "moderate_bearish", "sideways", "moderate_bullish", "strong_bullish"],
        "volume": ["low", "normal", "high"],
    }
    for label, names in labels.items():
        value = x[f"market_regime_{label}"]
        out[label] = "unknown" if isnan(value) else names[int(value) + (2 if label == "trend" else 0)]
    name = out["name"]
    if x["spread"] > policy.max_spread_bps / 2:
        condition = "illiquid"
    elif name == "unknown":
        condition = "unknown"
    elif name in ("trending_up", "trending_down", "breakout"):
        wild = name == "breakout" or out["volatility"] == "high"
        condition = "trending_volatile" if wild else "trending_stable"
    elif name == "quiet" or (name == "ranging" and out["volume"] == "low"):
        condition = "consolidating"
    else:
        condition = "choppy"
    return out | {"condition": condition}


def triple_of(value: Sequence[float] | None) -> tuple[float, float, float] | None:
    if value is None or any(not x >= 0 for x in value) or not 0.999 <= value[0] + value[1] + value[2] <= 1.001:
        return None
    total = value[0] + value[1] + value[2]
    return value[0] / total, value[1] / total, value[2] / total


def fused(
    said: Mapping[str, Any], votes: Mapping[str, float | None], scores: Scores | None, policy: Policy, context: Context
) -> dict[str, Any]:
    base = dict(policy.parts if scores is None else scores.weights(policy.parts))
    stale = not 0 <= context.scores_age_ns * 1e-9 <= policy.max_scores_age_s
    tilts: dict[str, float] = {}
    moves: dict[str, float] = {}
    missing, strangers = [], []
    for source in SOURCES:
        if base[source] <= 0:
            continue
        if source in MODELS:
            triple = None if stale else triple_of(said.get(source))
            if triple is None:
                missing.append(source)
                continue
            tilts[source], moves[source] = triple[2] - triple[0], triple[0] + triple[2]
            if source not in context.calibrated | policy.uncalibrated:
                strangers.append(source)
        else:
            vote = votes[source]
            if vote is None or not -1 <= vote <= 1:
                missing.append(source)
                continue
            edge = 2 * policy.vote_edge
            if scores is not None:
                record = scores.get(source)
                edge = max(0.01, edge + record.trust * (2 * record.hit_rate - 1 - edge))
            tilts[source] = vote * edge
    out: dict[str, Any] = {
        "missing": missing, "uncalibrated": strangers, "models": len(moves), "probabilities": None, "weights": {},
        "completeness": min(1.0, fsum(policy.parts[source] for source in tilts)), "contributions": {}, "score": 0.0,
        "confidence": 0.0, "raw_confidence": 0.0, "agreement": 0.0,
    }  # fmt: skip
    if not tilts:
        return out
    total, modelled = fsum(base[s] for s in tilts), fsum(base[s] for s in moves)
    pooled = fsum(base[s] * moves[s] for s in moves) / modelled if moves else 1.0
    for source in tilts.keys() - moves.keys():
        tilts[source] *= pooled
        moves[source] = pooled
    w = {s: base[s] / total for s in tilts}
    if policy.voting == "majority":
        sure = fsum(w[s] * abs(tilts[s]) for s in tilts)
        parts = {s: w[s] * ((tilts[s] > 0) - (tilts[s] < 0)) * sure for s in tilts}
    elif policy.voting == "stacked":
        limit = 1 - 2e-6
        odds = {s: w[s] * 2 * atanh(clip(tilts[s] / moves[s], -limit, limit)) if moves[s] else 0.0 for s in tilts}
        L = fsum(odds.values())
        parts = {s: pooled * odds[s] * (tanh(L / 2) / L if L else 0.5) for s in tilts}
    else:
        parts = {s: w[s] * tilts[s] for s in tilts}

    def confidence(score: float) -> float:
        return 0.5 + 0.5 * (min(1.0, abs(score) / pooled) if pooled > 0 else 0.0)

    on_grid = {s: round(part * GRID) / GRID for s, part in parts.items()}
    raw = sure = confidence(sum(on_grid.values()))
    if scores is not None and raw > 0.5:
        earned = scores.calibrated(raw)
        if earned != raw:
            scale = (2 * earned - 1) / (2 * raw - 1)
            on_grid = {s: round(scale * part * GRID) / GRID for s, part in parts.items()}
            sure = confidence(sum(on_grid.values()))
    score = sum(on_grid.values())
    out |= {
        "score": score, "contributions": on_grid, "weights": w, "confidence": sure, "raw_confidence": raw,
        "agreement": fsum(w[s] for s in on_grid if on_grid[s] * score > 0),
    }  # fmt: skip
    if out["models"]:
        half = clip(score, -pooled, pooled)
        out["probabilities"] = ((pooled - half) / 2, max(0.0, 1 - pooled), (pooled + half) / 2)
    return out


def decision(
    row: Mapping[str, float], said: Mapping[str, Any], scores: Scores | None, policy: Policy, context: Context,
    risk: Mapping[str, Any],
) -> dict[str, Any]:
    """What is decided, by name.

    ``risk``: ``level``, ``edge_bps``, and ``size``: what there would be to trade, None where no gate asked.
    """
    x = believable(row)
    state = regime(x, policy)
    votes = {
        "smart_money": said.get("smart_money"),
        "technical": said.get("technical"),
    }
    if votes["smart_money"] is None:
        votes["smart_money"] = smart_money(x, policy.min_votes)
    if votes["technical"] is None:
        votes["technical"] = technical(x, sum(state["probabilities"][:3]), policy.min_votes)
    f = fused(said, votes, scores, policy, context)
    side = (f["score"] > 0) - (f["score"] < 0)
    asked: dict[str, bool] = {}  # gate: passed
    limit = {}

    age = (context.ts - context.as_of) * 1e-9
    asked["data_age"] = 0 <= age <= policy.max_age_s
    if context.clock_skew_s is not None and abs(context.clock_skew_s) < HUGE:
        asked["clock"] = context.clock_skew_s <= policy.max_clock_skew_s
    asked["book_fresh"] = not context.book_stale
    asked["book_uncrossed"] = not (context.book_crossed or x["spread"] < 0)
    faults = [
        (context.silence, policy.max_silence),
        (context.frozen_s, max(policy.max_frozen_s, context.bar_ns * 1e-8)),
        (context.duplicates, policy.max_duplicates),
    ]
    known = [(value, most) for value, most in faults if value is not None and value >= 0]
    if known:
        asked["feed"] = all(value <= most for value, most in known)
    asked["price"] = 0 < context.price < HUGE
    stopped = not all(asked.values())
    if context.health is not None and 0 <= context.health <= 100:
        asked["health"] = context.health >= policy.min_health
    asked["model"] = f["models"] > 0
    asked["calibrated"] = not f["uncalibrated"]
    asked["sources"] = f["completeness"] >= policy.min_weight - 1e-12
    if context.novelty is not None and context.novelty >= 0:
        asked["novelty"] = context.novelty <= policy.max_novelty
    signs = {
        "lee_mykland_100": policy.max_jump, "robust_zscore_100": policy.max_outlier,
        "page_hinkley_100_up": policy.max_turbulence,
    }  # fmt: skip
    odd = [(abs(x[name]), most) for name, most in signs.items() if not isnan(x[name])]
    if x["cusum_100_age"] == 0:
        odd.append((5.0, policy.max_drift))  # the alarm itself, after which the sums are 0
    elif not isnan(x["cusum_100_up"] + x["cusum_100_down"]):
        odd.append((max(x["cusum_100_up"], x["cusum_100_down"]), policy.max_drift))
    if odd:
        asked["anomaly"] = all(value <= most for value, most in odd)
    tail = "fhs_short_500" if side < 0 else "fhs_500"
    needed = ["fhs_500_sigma", *(f"{tail}_{name}" for name in ("var95", "var99", "es95", "es99"))]
    asked["risk_known"] = not any(isnan(x[name]) for name in needed)
    if context.equity is not None:
        asked["equity"] = 0 < context.equity < HUGE
    asked["drawdown"] = 0 <= context.drawdown < policy.max_drawdown
    asked["spread"] = not policy.require_book if isnan(x["spread"]) else x["spread"] <= policy.max_spread_bps
    if policy.max_latency_ms is not None and context.latency_ns is not None and context.latency_ns >= 0:
        asked["latency"] = context.latency_ns * 1e-6 <= policy.max_latency_ms
    asked["regime"] = state["name"] in policy.regimes

    track = None if scores is None else scores.get("fused")
    earned = policy.shrinkage if track is None else track.reliability(policy.shrinkage)
    old = policy.max_age_s if stopped else age
    doubts = {
        "agreement": f["agreement"],
        "completeness": f["completeness"],
        "freshness": clip(1 - old / policy.max_age_s, 0, 1) if policy.max_age_s else float(old <= 0),
        "clarity": 0.3 + 0.7 * clip((max(state["probabilities"]) - 1 / 7) / (0.8 - 1 / 7), 0, 1),
        "calm": {"low": 1.0, "medium": 0.9, "high": 0.5, "unknown": 0.7}[state["volatility"]],
        "calibration": earned,
    }
    parts = (0.30, 0.20, 0.15, 0.15, 0.10, 0.10)
    mean = sum(a * b for a, b in zip(parts, doubts.values(), strict=True))
    quality_score = (mean + min(doubts.values())) / 2
    asked["quality"] = quality_score >= policy.min_quality
    grades = (("EXCELLENT", 0.80), ("GOOD", 0.65), ("FAIR", 0.45), ("POOR", -inf))
    quality = next(grade for grade, least in grades if quality_score >= least)

    threshold = policy.min_confidence
    if track is not None:
        low = max(0.5, threshold - 0.05) if policy.threshold_low is None else policy.threshold_low
        high = min(1.0, threshold + 0.15) if policy.threshold_high is None else policy.threshold_high
        threshold = clip(threshold + track.trust * (track.confidence - track.hit_rate), low, high)
    if state["volatility"] == "high":
        threshold += policy.volatile_raise
    limit["confidence"] = threshold = min(1.0, threshold)
    asked["confidence"] = f["confidence"] >= threshold and side != 0
    edge = risk["edge_bps"]
    if edge is not None:
        asked["edge"] = edge >= policy.min_edge_bps

    reducing = not all(passed for gate, passed in asked.items() if gate in REDUCE_ONLY)
    blocked = not all(passed for gate, passed in asked.items() if gate not in REDUCE_ONLY + HOLD_ONLY)
    allowed = not stopped and not blocked
    mode = "hold_only" if stopped else "reduce_only" if reducing else "normal"
    if mode == "reduce_only":
        held = context.position * side
        asked["reduce_only"] = -HUGE < held < 0
        allowed = allowed and asked["reduce_only"]
    elif allowed:
        asked["size"] = allowed = risk["size"] is not None and risk["size"] > 0
    signal = "HOLD"
    if allowed:
        sure = f["confidence"] >= policy.strong_confidence and quality in ("EXCELLENT", "GOOD")
        signal = ("STRONG_" if sure else "") + ("BUY" if side > 0 else "SELL")

    fee = context.fee_bps
    fee = policy.fee_bps if fee is None or not -1e4 < fee < 1e4 else fee
    spread = x["spread"]
    if isnan(spread):
        tick = 1e4 * context.tick / context.price if asked["price"] else 0.0
        spread = max(policy.spread_bps, tick)
        spread = spread if 0 <= spread < 1e4 else policy.spread_bps
    cost = max(0.0, 2 * fee + max(0.0, spread))
    left = edge / (edge + cost) if edge is not None and edge > 0 and isfinite(edge) else 0.0
    safe = {"low": 1.0, "medium": 0.7, "high": 0.35}.get(risk["level"], 0.0)
    overall = 0.3 * f["confidence"] + 0.2 * quality_score + 0.2 * doubts["clarity"] + 0.15 * safe + 0.15 * left
    assert asked.keys() <= GATES.keys()
    return f | {
        "signal": signal, "mode": mode, "quality": quality, "quality_score": quality_score, "doubts": doubts,
        "threshold": threshold, "overall": overall, "regime": state, "gates": asked, "side": side,
    }  # fmt: skip
