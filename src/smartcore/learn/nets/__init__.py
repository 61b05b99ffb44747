"""PyTorch nets by name, each one file with its configuration on top.

    net = nets.build("gru", knots, columns=40, targets=4)
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

NETS = {
    "gru": ("gru", "Gru"),
    "gru_attention": ("gru_attention", "GruAttention"),
    "lstm": ("lstm", "Lstm"),
    "lstm_residual": ("lstm_residual", "LstmResidual"),
    "streaming_transformer": ("streaming_transformer", "StreamingTransformer"),
    "tcn": ("tcn", "Tcn"),
}
"""Name -> (file, class)."""


def names() -> tuple[str, ...]:
    """Every net there is."""
    return tuple(sorted(NETS))


def kind(name: str) -> tuple[Any, Any]:
    """The class of a net and that of its configuration. Raises ValueError for an unknown name."""
    if name not in NETS:
        raise ValueError(f"no net {name!r}: there is {', '.join(names())}")
    file, cls = NETS[name]
    module = import_module(f"{__name__}.{file}")
    return getattr(module, cls), module.Config


def build(name: str, knots: NDArray[np.floating], **config: Any) -> Any:
    """A fresh net. ``knots`` (2, columns, m) are its scaling (``scaling.normal_scores``); ``config`` fills its
    ``Config``. Raises ValueError for an unknown name, TypeError for an unknown field.
    """
    net, shape = kind(name)
    return net(shape(**{"columns": int(np.shape(knots)[1]), **config}), knots)
