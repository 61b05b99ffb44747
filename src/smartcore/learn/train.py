"""Train a streaming net on sequences: seeded, with early stopping on the validation loss of the *carried* state.

Validation runs each recording from its first row to its last in one go, as the live model would; only
training cuts sequences.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F
from tqdm import tqdm

from smartcore.learn.calibrate import log_loss
from smartcore.learn.data import Series, Windows


@dataclass(frozen=True)
class Config:
    """How to train. The defaults suit 10^5 rows and a net of 10^4 weights."""

    rounds: int = 25
    updates: int = 16
    """Updates of a round; after each round the net is validated."""
    patience: int = 6
    """Rounds without a better validation loss before it stops."""
    batch: int = 64
    length: int = 160
    """Steps of a training sequence."""
    burn: int = 32
    """First steps of it that carry no loss: there the state is younger than the live one will be."""
    rate: float = 2e-3
    decay: float = 0.3
    drop: float = 0.05
    """Share of input values made unknown in training, so that the net learns to do without."""
    threads: int = 1


@dataclass(frozen=True)
class Fitted:
    """The net as it was after the best round, and the losses on the way."""

    net: Any
    best: float
    history: tuple[tuple[float, float], ...]
    """(training loss, validation loss) of each round."""


def fit(net: Any, train: Sequence[Series], valid: Sequence[Series], config: Config = Config(), seed: int = 0) -> Fitted:
    """Minimise cross-entropy over all targets. ``net``, a ``nets.base.StreamingNet``, is trained in place."""
    torch.set_num_threads(config.threads)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    windows = Windows(train, config.length)
    optimiser = torch.optim.AdamW(net.parameters(), lr=config.rate, weight_decay=config.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.rate, total_steps=config.rounds * config.updates, pct_start=0.1
    )
    best, best_state, history = np.inf, copy.deepcopy(net.state_dict()), []
    best_at = 0
    for at in tqdm(range(config.rounds), f"seed {seed}", unit="round", leave=False, disable=None):
        net.train()
        total = 0.0
        for rows, label in windows.random(config.batch, config.updates, rng):
            rows = np.where(rng.random(rows.shape, np.float32) < config.drop, np.float32(np.nan), rows)
            logits, _ = net.sequence(torch.from_numpy(rows))
            target = torch.from_numpy(label[:, config.burn :].astype(np.int64))
            loss = F.cross_entropy(
                logits[:, config.burn :].reshape(-1, logits.shape[-1]), target.reshape(-1), ignore_index=-1
            )
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += loss.item()
        logits, label = predict(net, valid)
        known = label >= 0
        loss_valid = log_loss(logits[known], label[known])
        history.append((total / config.updates, loss_valid))
        if loss_valid < best - 1e-5:
            best, best_state = loss_valid, copy.deepcopy(net.state_dict())
            best_at = at
        elif at - best_at >= config.patience:
            break
    net.load_state_dict(best_state)
    return Fitted(net.eval(), best, tuple(history))


def predict(net: Any, series: Sequence[Series]) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Logits (n, targets, classes) and labels (n, targets) of whole recordings, joined, each from a fresh state."""
    net.eval()
    out = []
    with torch.no_grad():
        for one in series:
            logits, _ = net.sequence(torch.from_numpy(one.rows).unsqueeze(0))
            out.append(logits.squeeze(0).numpy())
    return np.concatenate(out), np.concatenate([one.label for one in series])
