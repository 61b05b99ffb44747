"""What a step of each net costs live: every net of the registry, exported, with random weights.

    python bench/nets.py [--json FILE] [--quick] [--only NAME,NAME]

Three sizes: those that a goal was set for, each net as it is by default, and each with the largest shape asked for, as
far as it has such fields. One row of 40 columns goes in, logits made probabilities come out, scaling of the columns
included. Weights do not change what a step costs, so they are random.

run      onnxruntime alone, all tensors bound beforehand
model    ``Model.step``: the row gathered and the scores copied out as well
hot      one step after the other, rows changing
paced    3 ms after the last one; the process slept meanwhile, as a bot does: caches are cold
cpu      the thread's CPU time for a hot step of ``run``, which does not see neighbours

Percentiles are of wall time. One thread, pinned to one core.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import measure
import numpy as np
import torch

from smartcore.learn import nets
from smartcore.learn.export import Served, export_net
from smartcore.models import Contract, Model
from smartcore.models.providers import session

COLUMNS = 40
PACE = 0.003
GOALS: list[tuple[str, dict[str, Any], float]] = [
    ("gru", {"hidden": 128}, 20),
    ("lstm", {"hidden": 128}, 20),
    ("streaming_transformer", {"d_model": 128, "heads": 8, "layers": 4, "window": 100}, 200),
    ("streaming_transformer", {"d_model": 256, "heads": 8, "layers": 6, "window": 100}, 1000),
]
"""(net, configuration, microseconds that its p50 may take)."""
LARGEST = {"d_model": 256, "heads": 8, "layers": 6, "window": 100, "hidden": 128, "channels": 128}


def cases(only: set[str]) -> list[tuple[str, str, dict[str, Any], float | None]]:
    """(net, size, configuration, goal), those with a goal first."""
    out: list[tuple[str, str, dict[str, Any], float | None]] = [
        (name, " ".join(f"{k} {v}" for k, v in config.items()), config, goal) for name, config, goal in GOALS
    ]
    for name in nets.names():
        have = {f.name for f in fields(nets.kind(name)[1]) if isinstance(f.default, int)}
        out.append((name, "default", {}, None))
        out.append((name, "largest", {k: v for k, v in LARGEST.items() if k in have}, None))
    return [case for case in out if not only or case[0] in only]


def export(name: str, config: dict[str, Any], path: Path) -> Any:
    """The net, written to ``path`` with a contract."""
    torch.manual_seed(0)
    knots = np.sort(np.random.default_rng(0).normal(size=(2, COLUMNS, 16)), axis=2)
    net = nets.build(name, knots, **config)
    contract = Contract(
        name=name, kind=name, columns=tuple(f"c{i}" for i in range(COLUMNS)), fingerprint="none", sample="1s",
        bars=None, horizon="none", label="none", states=net.states, warm_up=net.warm_up,
    )  # fmt: skip
    golden = np.random.default_rng(1).normal(size=(3, COLUMNS)).astype(np.float32)
    export_net(Served(net), contract, golden, path)
    return net


def bound(path: Path, contract: Contract, rows: np.ndarray) -> Callable[[], None]:
    """A function that steps the file's session, all tensors bound, the row alone written anew."""
    from onnxruntime import OrtValue

    run, turns, kept = session(path), [], []
    row, scores = np.zeros((1, contract.width), np.float32), np.zeros((1, 3), np.float32)
    states = [[np.zeros(s.shape, np.float32) for _ in range(2)] for s in contract.states]
    for turn in (0, 1):
        binding = run.io_binding()
        inputs = {"row": row, **{s.input: pair[turn] for s, pair in zip(contract.states, states, strict=True)}}
        outputs = {"scores": scores, **{s.output: p[1 - turn] for s, p in zip(contract.states, states, strict=True)}}
        for name, array in inputs.items():
            binding.bind_ortvalue_input(name, OrtValue.ortvalue_from_numpy(array))
        for name, array in outputs.items():
            binding.bind_ortvalue_output(name, OrtValue.ortvalue_from_numpy(array))
        turns.append(binding)
        kept += [*inputs.values(), *outputs.values()]  # a value on the CPU borrows the array's memory
    at = 0

    def step() -> None:
        nonlocal at
        row[0] = rows[at % len(rows)]
        run.run_with_iobinding(turns[at & 1])
        at += 1

    step.kept = kept  # type: ignore[attr-defined]
    return step


def stepper(model: Model, rows: np.ndarray) -> Callable[[], None]:
    table, at = rows.astype(np.float64), 0

    def step() -> None:
        nonlocal at
        model.step(table[at % len(table)])
        at += 1

    return step


def timed(step: Callable[[], None], count: int, pause: float) -> dict[str, float]:
    """Microseconds a step: p50 and p99 of wall time, and CPU time where the steps follow each other."""
    times = np.empty(count)
    for _ in range(max(20, count // 20)):
        step()
    with measure.no_gc():
        spent = time.thread_time_ns()
        for i in range(count):
            if pause:
                time.sleep(pause)
            begin = time.perf_counter_ns()
            step()
            times[i] = time.perf_counter_ns() - begin
        spent = time.thread_time_ns() - spent
    p50, p99 = np.quantile(times, [0.5, 0.99]) / 1e3
    out = {"p50_us": round(float(p50), 1), "p99_us": round(float(p99), 1)}
    return out if pause else {**out, "cpu_us": round(spent / count / 1e3, 1)}


def measured(name: str, config: dict[str, Any], quick: bool) -> dict[str, Any]:
    rows = np.random.default_rng(2).normal(size=(997, COLUMNS)).astype(np.float32)
    rows[np.random.default_rng(3).random(rows.shape) < 0.05] = np.nan
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        net = export(name, config, path)
        model = Model.load(path)
        run, step = bound(path, model.contract, rows), stepper(model, rows)
        begin = time.perf_counter()
        run()
        cost = time.perf_counter() - begin  # dear nets get fewer steps
        hot = 50 if quick else int(np.clip(2 / max(cost, 1e-5), 500, 20000))
        paced = 20 if quick else 500
        return {
            "weights": sum(p.numel() for p in net.parameters()),
            "state": sum(int(np.prod(s.shape)) for s in net.states),
            "run": {"hot": timed(run, hot, 0), "paced": timed(run, paced, PACE)},
            "model": {"hot": timed(step, hot, 0), "paced": timed(step, paced, PACE)},
        }


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--only", default="", help="names of nets, separated by commas")
    args = parser.parse_args()
    torch.set_num_threads(1)
    measure.pin()
    result: dict[str, Any] = {"machine": measure.header(), "nets": []}
    print("p50 / p99 in us\n")
    print("| net | size | weights | run, hot | cpu | run, paced | model, hot | model, paced | goal |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, size, config, goal in cases(set(filter(None, args.only.split(",")))):
        m = measured(name, config, args.quick)
        result["nets"].append({"net": name, "size": size, "config": config, "goal_us": goal, **m})
        run, model = m["run"], m["model"]
        parts = [run["hot"], run["paced"], model["hot"], model["paced"]]
        hot, paced, m_hot, m_paced = (f"{p['p50_us']:.1f} / {p['p99_us']:.1f}" for p in parts)
        verdict = "" if goal is None else f"{goal:.0f} {'met' if run['hot']['p50_us'] <= goal else 'missed'}"
        print(
            f"| {name} | {size} | {m['weights'] / 1e3:,.0f}k | {hot} | {run['hot']['cpu_us']:.1f} | {paced} "
            f"| {m_hot} | {m_paced} | {verdict} |",
            flush=True,
        )
    measure.write(args.json, result)


if __name__ == "__main__":
    main()
