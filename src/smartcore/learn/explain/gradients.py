"""Integrated gradients of a net over the rows it read (Sundararajan, Taly, Yan 2017, arXiv:1703.01365), by captum."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartcore.learn.explain.explanation import Explanation

SPAN = 100
"""Rows that are looked back on, of a net whose memory has no end."""


def gradients(model: Any, rows: NDArray[np.floating], target: int = 0, steps: int = 64) -> Explanation:
    """What each column put into the net's score of the last of ``rows`` (n, k), raw and in order; summed over rows.

    model: a trained net's estimator. The baseline is every column at its median in training (zero after scaling), all
    rows long. Only the last ``SPAN`` rows are explained; what came before stays in the net's memory. ``score - base``
    and the sum of the values differ by the error of the integral, which a note gives. Raises ValueError for a model
    that is no net, ImportError without captum (``pip install smartcore[explain]``).
    """
    import torch
    from captum.attr import IntegratedGradients

    from smartcore.learn.attention import _still
    from smartcore.learn.nets.base import StreamingNet, WindowNet

    net = getattr(model, "net", None)
    if not isinstance(net, StreamingNet | WindowNet):
        raise ValueError(f"{getattr(model, 'name', type(model).__name__)} is no net: take 'shap' or 'sampled'")
    table = torch.from_numpy(np.ascontiguousarray(rows, np.float32)).to(net.inputs.low.device)
    if table.ndim != 2 or not len(table) or table.shape[1] != net.inputs.columns:
        raise ValueError(f"rows {tuple(table.shape)}: expected (n, {net.inputs.columns}), n at least 1")
    columns = net.inputs.columns
    with _still(net):
        with torch.no_grad():
            x, _ = net.inputs(table.unsqueeze(0))
        if isinstance(net, WindowNet):
            missing = max(0, net.window - x.shape[1])
            x = torch.cat([x.new_zeros(1, missing, x.shape[2]), x], dim=1)[:, -net.window :]
            before = x[:, :0]
        else:
            before, x = x[:, :-SPAN], x[:, -SPAN:]

        def score(part: torch.Tensor) -> torch.Tensor:
            whole = torch.cat([before.expand(len(part), -1, -1), part], dim=1)
            logits = net.look(whole)[:, target] if isinstance(net, WindowNet) else net.scan(whole)[0][:, -1, target]
            return logits[:, -1] - logits[:, 0]

        with torch.backends.cudnn.flags(enabled=False):
            usual = torch.zeros_like(x)
            part, gap = IntegratedGradients(score).attribute(
                x, usual, n_steps=steps, internal_batch_size=8, return_convergence_delta=True
            )
            with torch.no_grad():
                ends = [float(score(at)[0]) for at in (usual, x)]
    by_column = part[0].detach().reshape(part.shape[1], -1, columns).sum((0, 1)).cpu().numpy().astype(np.float64)
    names = tuple(getattr(model, "columns", None) or (f"column {i}" for i in range(columns)))
    return Explanation(
        method="gradients",
        subject="up - down, before calibration",
        columns=names,
        row=np.asarray(rows, np.float64)[-1],
        values=by_column,
        base=ends[0],
        score=ends[1],
        notes=(f"over the last {part.shape[1]} rows; the integral is off by {abs(float(gap[0])):.2g}",),
    )
