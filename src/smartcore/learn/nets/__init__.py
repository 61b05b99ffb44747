"""PyTorch nets by name, each one file with its configuration on top.

    net = nets.build("gru", knots, columns=40, targets=4)
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

NETS = {
    # They step: a row costs the same however much is remembered.
    "gru": ("gru", "Gru"),
    "gru_attention": ("gru_attention", "GruAttention"),
    "lstm": ("lstm", "Lstm"),
    "lstm_residual": ("lstm_residual", "LstmResidual"),
    "streaming_transformer": ("streaming_transformer", "StreamingTransformer"),
    "tcn": ("tcn", "Tcn"),
    # They look at a whole window at each row.
    "bin_ctabl": ("bin_ctabl", "BinCtabl"),
    "cnn": ("cnn", "Cnn"),
    "cnn_lstm": ("cnn_lstm", "CnnLstm"),
    "financial_transformer": ("financial_transformer", "FinancialTransformer"),
    "gru_fusion": ("gru_fusion", "GruFusion"),
    "lstm_attention": ("lstm_attention", "LstmAttention"),
    "mixer": ("mixer", "Mixer"),
    "multi_scale": ("multi_scale", "MultiScale"),
    "transformer": ("transformer", "Transformer"),
}
"""Name -> (file, class)."""

PRESETS = {
    "enhanced_transformer": ("financial_transformer", "FinancialTransformer", "Enhanced"),
}
"""Name -> (file, class, configuration): nets of :data:`NETS` at another size."""


def names() -> tuple[str, ...]:
    """Every net there is; those of :data:`PRESETS` are the same at another size."""
    return tuple(sorted(NETS))


def kind(name: str) -> tuple[Any, Any]:
    """The class of a net and that of its configuration. Raises ValueError for an unknown name."""
    if name not in NETS and name not in PRESETS:
        raise ValueError(f"no net {name!r}: there is {', '.join((*names(), *PRESETS))}")
    file, cls, config = PRESETS[name] if name in PRESETS else (*NETS[name], "Config")
    module = import_module(f"{__name__}.{file}")
    return getattr(module, cls), getattr(module, config)


def build(name: str, knots: NDArray[np.floating], **config: Any) -> Any:
    """A fresh net. ``knots`` (2, columns, m) are its scaling (``scaling.normal_scores``); ``config`` fills its
    ``Config``. Raises ValueError for an unknown name, TypeError for an unknown field.
    """
    net, shape = kind(name)
    return net(shape(**{"columns": int(np.shape(knots)[1]), **config}), knots)
