"""Tree ensembles by name, each one file with its configuration on top: LightGBM, XGBoost, CatBoost, random forest.

    model = trees.build("lightgbm", columns, rounds=60).fit(train, valid)
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from smartcore.learn import archive

TREES = {
    "lightgbm": ("lightgbm", "LightGbm"),
    "xgboost": ("xgboost", "XgBoost"),
    "catboost": ("catboost", "CatBoost"),
    "random_forest": ("random_forest", "RandomForest"),
}
"""Name -> (file, class)."""


def names() -> tuple[str, ...]:
    """Every kind of trees there is."""
    return tuple(sorted(TREES))


def kind(name: str) -> Any:
    """The class of such trees; its ``Config`` says what can be asked for. Raises ValueError for an unknown name."""
    if name not in TREES:
        raise ValueError(f"no trees {name!r}: there is {', '.join(names())}")
    file, cls = TREES[name]
    return getattr(import_module(f"{__name__}.{file}"), cls)


def build(name: str, columns: Sequence[str], *, classes: int = 3, targets: int = 1, **config: Any) -> Any:
    """Trees not grown yet; ``config`` fills their ``Config``. Raises ValueError for an unknown name, TypeError for an
    unknown field.
    """
    return kind(name)(columns, classes=classes, targets=targets, **config)


def load(path: Path | str) -> Any:
    """What :meth:`Trees.save` wrote. Raises ValueError for another file."""
    about, files = archive.unpack(Path(path).read_bytes())
    return kind(about["name"]).of(about, files)
