"""Three ways of voting beside each source alone: how well confidence says how often the direction is right.

    python bench/voting.py             # bench/results/voting.{json,md}; about two minutes

The two shipped models, structure and technical votes through the whole bot on the simulated market that the models
were trained for (held-out seeds), a decision a second, judged 10 s later. Moves within the models' thresholds count for
none.
Brier score and log loss are of the direction given a move; ECE is over ten bins of equal mass. "raw" is before the
scorecard's recalibration, which learns as it goes.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jobs
import numpy as np
from numpy.typing import NDArray

import smartcore as sc
from smartcore.bot.orchestrator import Orchestrator
from smartcore.decide import SOURCES, Voting

ROOT = Path(__file__).resolve().parent.parent
SEEDS = (901, 902, 903)
"""None of those that the shipped models were trained or chosen on (their cards have them)."""
HORIZON = 10
WARM = 600
"""Decisions left out at the beginning of each market, while columns and the record warm up."""

Floats = NDArray[np.float64]


def ways() -> dict[str, dict[str, Any]]:
    alone = {source: {"weights": {source: 1.0}, "min_weight": 0.0} for source in SOURCES}
    return {f"{source} alone": policy for source, policy in alone.items()} | {
        voting.value: {"voting": voting.value} for voting in Voting
    }


def followed(events: NDArray[np.void], policy: Mapping[str, Any]) -> dict[str, Floats]:
    """Lean, confidence raw and recalibrated, and price, of each decision."""
    models = [sc.Model.load("gru"), sc.Model.load("gbdt")]
    bot = Orchestrator(
        sc.Engine(bars="1s"), *models, policy=sc.Policy(every="1s", horizon=HORIZON, fee_bps=0.0, **policy),
        latency_ns=200_000,
    )  # fmt: skip
    found = [(d.lean, d.raw_confidence, d.confidence, d.price or np.nan) for d in bot.run(events)]
    lean, raw, sure, price = np.array(found, float).T
    least = np.array(models[0].contract.thresholds)
    return {"lean": lean, "raw": raw, "recalibrated": sure, "price": price, "least": least}


def judged(parts: list[dict[str, Floats]], which: str) -> dict[str, float]:
    right, sure = [], []
    for part in parts:
        move = np.log(part["price"][HORIZON:] / part["price"][:-HORIZON])
        low, high = part["least"]
        came = np.where(move < low, -1, np.where(move > high, 1, 0))
        lean, p = part["lean"][:-HORIZON], part[which][:-HORIZON]
        told = (came != 0) & (lean != 0) & (np.arange(len(came)) >= WARM)
        right.append((came == lean)[told])
        sure.append(p[told])
    hit, p = np.concatenate(right).astype(float), np.clip(np.concatenate(sure), 0.5, 1 - 1e-6)
    order = np.argsort(p, kind="stable")
    bins = [b for b in np.array_split(order, 10) if len(b)]
    return {
        "calls": float(len(hit)), "hits": float(hit.mean()), "stated": float(p.mean()),
        "brier": float(((p - hit) ** 2).mean()), "log_loss": float(-np.log(np.where(hit > 0, p, 1 - p)).mean()),
        "ece": float(sum(len(b) * abs(hit[b].mean() - p[b].mean()) for b in bins) / len(hit)),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short market")
    parser.add_argument("--seconds", type=int, default=3600, help="of each market")
    parser.add_argument("--results", type=Path, default=ROOT / "bench" / "results")
    told = parser.parse_args()
    seeds, seconds = (SEEDS[:1], 1200) if told.quick else (SEEDS, told.seconds)
    markets = [sc.simulate(seconds=seconds, seed=seed, regime="mixed").events for seed in seeds]
    found = {}
    for name, policy in ways().items():
        parts = [followed(events, policy) for events in markets]
        found[name] = {which: judged(parts, which) for which in ("raw", "recalibrated")}
    page = [
        "# Three ways of voting, on the simulated market", "",
        f"`python bench/voting.py`: {len(seeds)} markets of {seconds:,} s, a decision a second, judged {HORIZON} s "
        f"later; smartcore {sc.__version__}, {platform.machine()}. Calls that leant somewhere, of moves beyond the "
        "thresholds.", "",
        "| sources | calls | right % | stated raw % | Brier raw | log loss raw | ECE raw | "
        "recalibrated: stated % | Brier | ECE |",
        "| --- |" + " ---: |" * 9,
    ]  # fmt: skip
    for name, both in found.items():
        a, b = both["raw"], both["recalibrated"]
        page.append(
            f"| {name} | {a['calls']:.0f} | {100 * a['hits']:.1f} | {100 * a['stated']:.1f} | {a['brier']:.4f} | "
            f"{a['log_loss']:.4f} | {a['ece']:.3f} | {100 * b['stated']:.1f} | {b['brier']:.4f} | {b['ece']:.3f} |"
        )
    page += ["", "A coin flip has a Brier score of 0.2500 and a log loss of 0.6931."]
    result = {"quick": told.quick, "seeds": seeds, "seconds": seconds, "version": sc.__version__, "found": found}
    jobs.publish(told.results, "voting", result, "\n".join(page) + "\n")


if __name__ == "__main__":
    main()
