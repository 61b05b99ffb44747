"""The explanation of a decision that was journalled, by its id."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartcore.bot.journal import Journal, why
from smartcore.bot.records import Entry
from smartcore.errors import ContractMismatch, InvalidData
from smartcore.learn.explain.explanation import Explanation
from smartcore.learn.explain.gradients import gradients
from smartcore.learn.explain.lime import lime
from smartcore.learn.explain.shapley import Score, sampled, shap

METHODS = ("auto", "shap", "sampled", "lime", "gradients")
Entries = Iterable[Entry]
BACKGROUND = 100
"""Rows of earlier decisions of the same run that stand for usual ones."""


def decision(
    decision_id: str,
    journal: Journal | str | os.PathLike[str],
    model: Path | str,
    method: str = "auto",
    background: NDArray[np.floating] | None = None,
) -> Explanation:
    """Why ``model`` said what it said in a decision, from the row that the journal kept of it.

    model: an ONNX file or a shipped name, or what ``smartcore train`` wrote.
    method: one of ``METHODS``; "auto": "gradients" for a trained net, "shap" for trees, "sampled" for any other file
        without memory.
    background: rows (m, k) of the model's columns that stand for usual ones; by default up to ``BACKGROUND`` rows of
        decisions before this one in the same run, evenly spaced, or the file's own golden rows where there are none.

    Raises LookupError for an unknown id, ContractMismatch where the journalled features lack a column of the model,
    InvalidData for a method that does not fit the model.
    """
    if method not in METHODS:
        raise ValueError(f"method: {method!r} is none of {', '.join(METHODS)}")
    book = journal if isinstance(journal, Journal) else Journal(journal, readonly=True)
    entry = why(decision_id, book)
    before = book.of_run(entry.number, 0, entry.decision.sequence)  # up to this one, oldest first
    path = Path(model)
    told = (_of_trained if path.suffix == ".pt" else _of_file)(path, before, method, background)
    said = [f"{source}: down {t[0]:.3f}, flat {t[1]:.3f}, up {t[2]:.3f}" for source, t in entry.scores.items()]
    note = "the row is the decision's; a model on a clock stepped on that of its last grid point and said "
    return replace(told, notes=(*told.notes, note + "; ".join(said) if said else "no model spoke"))


def _table(entries: Iterable[Entry], columns: tuple[str, ...]) -> NDArray[np.float64]:
    """Rows (n, k) of these columns, of decisions of one run; of each decision only these are kept."""
    rows: list[NDArray[np.float64]] = []
    at: list[int] = []
    for entry in entries:
        if not rows:
            have = {name: i for i, name in enumerate(entry.run.columns)}
            absent = [name for name in columns if name not in have]
            if absent:
                names = ", ".join(absent)
                raise ContractMismatch(f"the journalled features lack {len(absent)} columns of the model: {names}")
            at = [have[name] for name in columns]
        rows.append(entry.row[at])
    return np.array(rows)


def _usual(table: NDArray[np.float64], given: NDArray[np.floating] | None, golden: Any) -> NDArray[np.floating]:
    if given is not None:
        return given
    earlier = table[:-1]
    if len(earlier) >= 2:
        return earlier[np.unique(np.linspace(0, len(earlier) - 1, BACKGROUND).astype(int))]
    if golden is not None:
        return np.asarray(golden.rows, np.float64)
    raise InvalidData("no decisions before this one to compare with: give background")


def _of_file(model: Path, before: Entries, method: str, background: NDArray[np.floating] | None) -> Explanation:
    from smartcore.models import Model
    from smartcore.models.session import find

    live = Model.load(model)
    contract = live.contract
    table = _table(before, contract.columns)
    usual = _usual(table, background, contract.golden)
    if method in ("auto", "shap"):
        try:
            return shap(find(model), table[-1], usual)
        except InvalidData:
            if method == "shap":
                raise
    if method == "gradients":
        raise InvalidData("gradients want the trained net, not its ONNX file: give what smartcore train wrote")
    if contract.states:
        raise InvalidData(
            f"{contract.name} remembers earlier rows, so a row alone does not make its score: "
            "give what smartcore train wrote, for gradients"
        )

    def score(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        said = live.run(rows)
        return said[:, -1] - said[:, 0]

    return _drawn(score, method, table[-1], usual, contract.columns)


def _of_trained(path: Path, before: Entries, method: str, background: NDArray[np.floating] | None) -> Explanation:
    from smartcore.learn import estimator
    from smartcore.learn.trees.base import Trees

    made = estimator.load(path)
    table = _table(before, tuple(made.columns))
    if isinstance(made, Trees):
        if method in ("auto", "shap"):
            return shap(made, table[-1], _usual(table, background, None))

        def score(rows: NDArray[np.float64]) -> NDArray[np.float64]:
            said = made.prob(rows.astype(np.float32))
            return said[:, -1] - said[:, 0]

        return _drawn(score, method, table[-1], _usual(table, background, None), tuple(made.columns))
    if method not in ("auto", "gradients"):
        raise InvalidData(f"{made.name} is no set of trees: take 'gradients', or its ONNX file")
    return gradients(made, table)


def _drawn(
    score: Score, method: str, row: NDArray[np.float64], usual: NDArray[np.floating], columns: tuple[str, ...]
) -> Explanation:
    if method == "gradients":
        raise InvalidData("gradients are of nets; take 'shap', 'sampled' or 'lime'")
    call = lime if method == "lime" else sampled
    return call(score, row, usual, columns, subject="P(up) - P(down)")
