"""Makes small files of the present contract layout, a net and trees, that every later release must load. Run it for a
new layout only, never again for an old one: what lies here of layout 1 was made by the release that had it first.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from smartcore.learn import estimator
from smartcore.learn.data import Series
from smartcore.models import Contract
from smartcore.models.contract import LAYOUT

HERE = Path(__file__).parent


def contract(kind: str) -> Contract:
    return Contract(
        name="toy", kind=kind, columns=("rsi_14", "spread", "ofi_l1_10s"), fingerprint="toy", sample="1s", bars="1s",
        horizon="10s", label="toy",
    )  # fmt: skip


rng = np.random.default_rng(1)
x = rng.normal(size=(400, 3)).astype(np.float32)
x[rng.random(x.shape) < 0.1] = np.nan
data = [Series(np.arange(400), x, np.ones(400), rng.integers(0, 3, (400, 1)).astype(np.int8))]
small = {"gru": {"encoder": 4, "hidden": 4, "rounds": 1}, "lightgbm": {"rounds": 3, "leaves": 4, "least": 5}}
for name, config in small.items():
    model = estimator.build(name, contract(name).columns, **config).fit(data, data, seed=1)
    model.export(HERE / f"model-layout{LAYOUT}-{name}.onnx", contract(name), x[:8])
