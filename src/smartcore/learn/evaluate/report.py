"""One model on one test, judged: scores of each seed, intervals, floors and what was left after costs, as JSON and as
Markdown. ``plots.page`` draws it.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from smartcore.learn.evaluate.bootstrap import Interval, block_of, draw
from smartcore.learn.evaluate.costs import SUMMARY, Account
from smartcore.learn.evaluate.floors import Control
from smartcore.learn.evaluate.scores import SCORES, Floats, Labels, confusion, reliability, scores

Cell = float | tuple[float, float] | Interval
"""A score; its mean and deviation over seeds; or its interval."""

PACKAGES = ("smartcore", "numpy", "numba", "torch", "lightgbm", "xgboost", "catboost", "scikit-learn", "onnxruntime")
AGAINST = ("macro_f1", "accuracy", "mcc", "log_loss")
POINTS = 400
"""Of an equity curve that is kept; more cannot be seen."""


@dataclass(frozen=True)
class Result:
    """All numbers plain, so that a page can be drawn from the file years later."""

    name: str
    task: str
    """Data, label and period of the test, in words."""
    classes: int
    rows: int
    """Test rows that have a label."""
    scores: tuple[Mapping[str, float], ...]
    """Of each seed."""
    intervals: Mapping[str, Interval]
    """Of the mean over seeds, from blocks of rows and seeds drawn again."""
    floors: Mapping[str, Mapping[str, float]]
    against: Mapping[str, Mapping[str, Interval]]
    """This model less each floor, paired by rows."""
    confusion: tuple[tuple[int, ...], ...]
    """Summed over seeds; rows are what came true."""
    reliability: Mapping[str, tuple[float, ...]]
    """"confidence", "hit" and "count" of each bin, over all seeds."""
    curves: tuple[tuple[tuple[float, float], ...], ...] = ()
    """(training loss, validation loss) of each round, of each seed."""
    equity: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Running returns "gross", "after_spread" and "net", and the "row" they are of."""
    account: Mapping[str, float] = field(default_factory=dict)
    control: Mapping[str, Any] | None = None
    """The same recipe on a random walk."""
    about: Mapping[str, Any] = field(default_factory=dict)
    made: Mapping[str, Any] = field(default_factory=dict)

    def mean(self) -> dict[str, tuple[float, float]]:
        """Mean and deviation over seeds of each score."""
        return spread(self.scores)

    def rows_of_table(self) -> dict[str, Mapping[str, Cell]]:
        """The model and its floors, for :func:`table`."""
        return {self.name: self.mean(), **self.floors}

    def json(self) -> str:
        """Sorted keys, six significant digits, a trailing newline: a change of a number is a change of a line."""
        return json.dumps(_plain(asdict(self)), indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    def write(self, path: Path | str) -> Path:
        """Write ``json()``, in a new folder if need be."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.json(), encoding="utf-8")
        return path

    @classmethod
    def read(cls, path: Path | str) -> Result:
        """What ``write`` wrote, but for the digits rounded off."""
        d = json.loads(Path(path).read_text(encoding="utf-8"))
        d["scores"] = tuple({k: _number(v) for k, v in s.items()} for s in d["scores"])
        d["intervals"] = {k: Interval(**v) for k, v in d["intervals"].items()}
        d["against"] = {n: {k: Interval(**v) for k, v in each.items()} for n, each in d["against"].items()}
        d["confusion"] = tuple(map(tuple, d["confusion"]))
        for name in ("reliability", "equity"):
            d[name] = {k: tuple(v) for k, v in d[name].items()}
        d["curves"] = tuple(tuple(map(tuple, each)) for each in d["curves"])
        d["account"] = {k: _number(v) for k, v in d["account"].items()}
        return cls(**d)

    def markdown(self) -> str:
        """Scores beside floors, intervals, differences, costs and control, as a section of a page."""
        n = len(self.scores)
        some = [name for name in (*SCORES, "ic") if name in self.intervals]
        level = f"{next(iter(self.intervals.values())).level:.0%}"
        block = max(i.block for i in self.intervals.values())
        out = [
            f"### {self.name}: {self.task}",
            f"Mean ± deviation over {n} seed{'s' * (n != 1)}, {self.rows:,} test rows.",
            table(self.rows_of_table(), (*SCORES, *(k for k in ("ic", "rank_ic") if k in self.scores[0]))),
            f"{level} intervals of the mean over seeds, seeds and blocks of {block:.0f} rows drawn again: "
            + "; ".join(f"{words(name)} {self.intervals[name]}" for name in some)
            + ".",
        ]
        if self.against:
            names = [name for name in AGAINST if name in next(iter(self.against.values()))]
            head = ["| less | " + " | ".join(map(words, names)) + " |", "| --- |" + " ---: |" * len(names)]
            lines = [f"| {f} | " + " | ".join(str(row[k]) for k in names) + " |" for f, row in self.against.items()]
            out.append("\n".join([*head, *lines]))
        if self.account:
            said = "; ".join(f"{words(k)} {self.account[k]:.4g}" for k in SUMMARY if k in self.account)
            out.append(f"Traded at the costs stated: {said}.")
        if self.control:
            said = "at chance" if self.control["at_chance"] else "**NOT at chance: the scores above are void**"
            out.append(f"The same recipe on a random walk: MCC {Interval(**self.control['mcc'])}, {said}.")
        return "\n\n".join(out) + "\n"


def judge(
    name: str,
    prob: Floats,
    label: Labels,
    *,
    task: str = "",
    returns: Floats | None = None,
    floors: Mapping[str, Floats] | None = None,
    horizon: int = 1,
    group: NDArray | None = None,
    curves: Sequence[Sequence[tuple[float, float]]] = (),
    account: Account | None = None,
    periods: float | None = None,
    control: Control | None = None,
    about: Mapping[str, Any] | None = None,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Result:
    """Everything there is to say of probabilities (n, classes), or (seeds, n, classes), of labels (n,).

    ``returns`` (n,): what followed each row, for IC. ``floors``: probabilities (n, classes) by name, from
    ``floors.floors``. ``horizon``: rows a label reaches ahead, or groups, with ``group`` as in ``intervals``.
    ``account``: of the positions these probabilities call for (``costs.account``); ``periods``: rows in a year.
    ``about``: settings worth keeping. Blocks of the bootstrap are the longest that the model or a floor asks for, so
    that all are drawn alike.
    """
    floors = dict(sorted((floors or {}).items()))  # as in the file
    prob = np.asarray(prob)
    prob = prob if prob.ndim == 3 else prob[None]
    block = max(block_of(p, label, horizon, group=group) for p in (prob, *floors.values()))
    drawn = draw(prob, label, returns, block=block, group=group, draws=draws, seed=seed)
    pooled, truth = prob.reshape(-1, prob.shape[2]), np.tile(label, len(prob))
    confidence, hit, count = reliability(pooled, truth)
    against = {}
    for floor, said in floors.items():
        other = draw(said, label, returns, block=block, group=group, draws=draws, seed=seed, stream=1)
        found = drawn.less(other, level)
        against[floor] = {k: found[k] for k in AGAINST}
    equity: dict[str, tuple[float, ...]] = {}
    if account is not None:
        at = np.unique(np.linspace(0, len(account.position) - 1, POINTS).astype(int))
        equity = {"row": tuple(map(int, at)), **{k: _tuple(v[at]) for k, v in account.equity().items()}}
    return Result(
        name=name,
        task=task,
        classes=prob.shape[2],
        rows=int((np.asarray(label) >= 0).sum()),
        scores=tuple(scores(p, label, returns) for p in prob),
        intervals=drawn.intervals(level),
        floors={k: scores(p, label, returns) for k, p in floors.items()},
        against=against,
        confusion=tuple(tuple(map(int, row)) for row in confusion(pooled, truth)),
        reliability={"confidence": _tuple(confidence), "hit": _tuple(hit), "count": _tuple(count)},
        curves=tuple(tuple((float(a), float(b)) for a, b in each) for each in curves),
        equity=equity,
        account={} if account is None else account.summary(periods),
        control=None if control is None else {**asdict(control), "at_chance": control.at_chance},
        about=dict(about or {}),
        made=machine(),
    )


def spread(runs: Iterable[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """Mean and sample deviation of each score over seeds."""
    rows = list(runs)
    out = {}
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        out[name] = (float(values.mean()), float(values.std(ddof=1)) if len(rows) > 1 else 0.0)
    return out


def table(results: Mapping[str, Mapping[str, Cell]], names: Sequence[str] = SCORES) -> str:
    """A Markdown table of scores by name: a number, mean ± deviation, or value [low, high]; a dash where there is
    none."""
    lines = ["| | " + " | ".join(map(words, names)) + " |", "| --- |" + " ---: |" * len(names)]
    lines += [f"| {name} | " + " | ".join(_cell(row.get(s)) for s in names) + " |" for name, row in results.items()]
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """What a figure depends on besides the data: machine, versions of what is installed, commit, time."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions,
        "commit": _commit(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _cpu() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _commit() -> str:
    """Short hash of the checkout this file lies in, with + where its sources differ; "unknown" outside one."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        name = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--", ":/src", ":/csrc"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return name.stdout.strip() + ("+" if changed.stdout.strip() else "")


def words(name: str) -> str:
    """The name of a score as it is printed."""
    known = {"mcc": "MCC", "ece": "ECE", "ic": "IC", "rank_ic": "rank IC"}
    return known.get(name, name.replace("_f1", " F1").replace("_", " "))


def _cell(value: Cell | None) -> str:
    if value is None:
        return "–"
    if isinstance(value, Interval):
        return str(value)
    return f"{value[0]:.3f} ± {value[1]:.3f}" if isinstance(value, tuple) else f"{value:.3f}"


def _tuple(x: NDArray) -> tuple[float, ...]:
    return tuple(map(float, x))


def _plain(value: Any) -> Any:
    """For JSON: floats of six digits, null for NaN, which JSON does not have."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.6g}") if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
