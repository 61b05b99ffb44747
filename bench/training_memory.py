"""Peak memory of training at d_model 128, 4 layers, sequences of 100 rows, batches of 16, 4 to an update.

    python bench/training_memory.py > bench/results/training_memory.md    # a process a setting; five minutes on a CPU
    python bench/training_memory.py transformer                           # one net

"resident" is the process as a whole at its largest, with torch (its CUDA libraries too) loaded; "before" is what it
was before there were data and a net. "tensors" is the most that tensors took on the GPU. Fails where the process is
above 2 GB, or on a GPU, the tensors.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

SIZES = {
    "streaming_transformer": {"d_model": 128, "layers": 4, "heads": 8, "window": 100},
    "transformer": {"d_model": 128, "layers": 4, "heads": 8, "window": 100, "patch": 1},
}
SETTINGS = [(precision, checkpointing) for precision in ("float32", "bfloat16") for checkpointing in (False, True)]
ROWS, COLUMNS, LIMIT = 20_000, 40, 2 * 10**9


def measure(name: str, precision: str, checkpointing: bool) -> dict[str, float]:
    """Train in this process; bytes."""
    import numpy as np
    import torch

    from smartcore.learn import train
    from smartcore.learn.data import Series, normal_scores
    from smartcore.learn.nets import build

    before = train.peak_memory("cpu")
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(ROWS, COLUMNS)).astype(np.float32)
    label = rng.integers(0, 3, (ROWS, 1)).astype(np.int8)
    series = Series(np.arange(ROWS), rows, np.ones(ROWS), label)
    valid = series.part(0, 1000)
    net = build(name, normal_scores([series]), **SIZES[name])
    config = train.Config(
        rounds=1, updates=3, batch=16, accumulate=4, length=100, burn=20, precision=precision,
        checkpointing=checkpointing, threads=os.cpu_count() or 1,
    )  # fmt: skip
    fitted = train.fit(net, [series], [valid], config)
    return {
        "resident": train.peak_memory("cpu"),
        "before": before,
        "tensors": fitted.peak if torch.cuda.is_available() else 0,
        "weights": sum(p.numel() for p in net.parameters()),
    }


def main() -> int:
    if len(sys.argv) == 4:
        print(json.dumps(measure(sys.argv[1], sys.argv[2], sys.argv[3] == "True")))
        return 0
    import torch
    from measure import commit, cpu

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    print(f"{cpu()}, {os.cpu_count()} cores; {gpu}; torch {torch.__version__}; commit {commit()}.\n")
    print("| net | weights | precision | blocks recomputed | resident, GB | before, GB | tensors on the GPU, GB |")
    print("| --- | ---: | --- | --- | ---: | ---: | ---: |")
    worst = 0.0
    for name in sys.argv[1:] or SIZES:
        for precision, checkpointing in SETTINGS:
            call = [sys.executable, str(Path(__file__)), name, precision, str(checkpointing)]
            found = json.loads(subprocess.run(call, check=True, stdout=subprocess.PIPE).stdout)
            on_gpu = found["tensors"]
            worst = max(worst, on_gpu or found["resident"])
            print(
                f"| {name} | {found['weights']:,} | {precision} | {'yes' if checkpointing else 'no'} "
                f"| {found['resident'] / 1e9:.2f} | {found['before'] / 1e9:.2f} "
                f"| {format(on_gpu / 1e9, '.2f') if on_gpu else 'no GPU'} |",
                flush=True,
            )
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
