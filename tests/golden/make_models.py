"""Made model-layout1-gru.onnx and model-layout1-gbdt.onnx, small files of contract layout 1 that every later release
must load. Run it for a new layout only, with the new number; never again for an old one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from smartcore.learn import trees
from smartcore.learn.data import Series, normal_scores
from smartcore.learn.export import export_net
from smartcore.learn.nets import gru
from smartcore.models import Contract, State
from smartcore.models.contract import LAYOUT

HERE = Path(__file__).parent


def contract(kind: str, states: tuple[State, ...] = ()) -> Contract:
    return Contract(
        name="toy", kind=kind, columns=("rsi_14", "spread", "ofi_l1_10s"), fingerprint="toy", sample="1s", bars="1s",
        horizon="10s", label="toy", states=states, warm_up=5, calibration={"method": "temperature", "temperature": 1.5},
    )  # fmt: skip


rng = np.random.default_rng(1)
x = rng.normal(size=(400, 3)).astype(np.float32)
x[rng.random(x.shape) < 0.1] = np.nan
data = [Series(np.arange(400), x, np.ones(400), rng.integers(0, 3, 400).astype(np.int8))]
torch.manual_seed(1)
net = gru.Gru(gru.Config(3, encoder=4, hidden=4), normal_scores(data, knots=5))
state = State("h", "h_next", (1, 4))
export_net(net, contract("gru", (state,)), x[:8], HERE / f"model-layout{LAYOUT}-gru.onnx")
booster = trees.fit(data, data, trees.Config(rounds=3, leaves=4, least=5))
trees.export_trees(booster, 1.5, contract("gbdt"), x[:8], HERE / f"model-layout{LAYOUT}-gbdt.onnx")
