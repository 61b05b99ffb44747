"""The page that ships beside a model file: what it is and is not, how it was made, how good and how fast."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path

from smartcore.learn.check import Report
from smartcore.learn.evaluate import table
from smartcore.learn.simulated import Data
from smartcore.models import Contract

Scores = Mapping[str, float] | Mapping[str, tuple[float, float]]


def write(
    path: Path,
    contract: Contract,
    what: str,
    data: Data,
    results: Mapping[str, Scores],
    control: Mapping[str, Scores],
    report: Report,
    command: str,
) -> None:
    """Write ``<name>.md``. ``results`` and ``control`` are score tables; ``what`` says what the model is."""
    c, d = contract, data.config
    made = ", ".join(f"{k} {v}" for k, v in c.created_with.items())
    calibration = f"{c.calibration['method']} {c.calibration['temperature']:.3f}"
    table_of = {
        "reads": f"{c.width} columns: {', '.join(c.columns)}",
        "fingerprint": f"`{c.fingerprint}`",
        "pace": f'one step for each row of `Engine(bars="{c.bars}").run(events, sample="{c.sample}")`',
        "says": f"probabilities of {', '.join(c.classes)} over the next {c.horizon}",
        "label": c.label,
        "unknown values": c.missing,
        "warm-up": f"{c.warm_up} steps",
        "calibration": f"{calibration}, fitted on validation, inside the graph",
        "data": f'simulator, regime "{d.regime}", {d.train} + {d.valid} + {d.test} recordings of {d.minutes} '
        f"minutes (train, validation, test: separate seeds, in time order, {d.gap} minutes apart), "
        f"{data.events:,} events; hash of the training rows `{data.hash}`",
        "file": f"{report.kilobytes:.0f} kB, {report.nodes} nodes",
        "made with": made,
    }
    lines = "\n".join(f"| {key} | {value} |" for key, value in table_of.items())
    path.write_text(f"""# {c.name}

**Trained on SIMULATED data. It is an example of a file that fits the engine, not a strategy: it has never
seen a real market, and its scores say how well it knows our simulator and nothing else.**

{what}

| | |
| --- | --- |
{lines}

## Scores on the test recordings

Mean ± standard deviation over {c.metrics["seeds"]} training seeds; the shipped file is the one with the
best *validation* loss. Thresholds, scalers, stopping and temperature never saw the test.

{table(results)}

Control, the same recipe on a random walk: chance is a macro-F1 of 0.333 or less and an MCC of 0.

{table(control)}

No cost is deducted. A move of this size is about a tick, which is less than it costs to trade it.

## Checks

```
{report}
```

Latency is that of `Model.step` in Python on the machine that made the file ({platform.machine()},
{os.cpu_count()} shared cores, one thread). CoreML was only examined by onnxruntime's static checker; no Apple
machine was at hand.

Made by `python {command}`.
""")
