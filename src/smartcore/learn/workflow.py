"""Train, export, check: what the command line does, as functions.

    market = recorded.prepare(events)
    train(market, "gru", Path("out/gru.pt"), seed=1)       # out/gru.pt, gru.json, gru.npz
    export(Path("out/gru.pt"), Path("out/gru.onnx"))       # out/gru.onnx, gru.md

A trained model is three files: itself, a record of what it was made of and how it scored (JSON), and labelled rows of
the test (npz), by which its exported files are checked.
"""

from __future__ import annotations

import importlib.util
import json
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from smartcore.errors import InvalidData
from smartcore.learn import estimator, evaluate
from smartcore.learn.data import Series, inputs
from smartcore.learn.recorded import Market

KEPT = 4000
"""Test rows that are kept for checks, at most."""
IMBALANCE = "queue_imbalance_l1"
NOT_MODELS = (".onnx", ".json", ".npz", ".md", ".csv", ".parquet")


class Progress(Protocol):
    """The part of ``bot.console.Screen`` that is used here."""

    def progress(self, label: str, done: float | None = None, tail: str = "") -> None: ...
    def done(self) -> None: ...


class _Silent:
    def progress(self, label: str, done: float | None = None, tail: str = "") -> None: ...
    def done(self) -> None: ...


def quick(name: str) -> dict[str, Any]:
    """Settings with which a model is trained in seconds: every line runs, the scores mean nothing."""
    family = estimator.family(name)
    if family == "net":
        return {"rounds": 2, "updates": 4, "batch": 8}
    if family == "tree":
        return {k: v for k, v in {"rounds": 5, "trees": 10, "least": 5}.items() if k in estimator.settings(name)}
    if family == "ensemble":
        from smartcore.learn.ensemble import MEMBERS

        return {"folds": 2, "members": [{"name": member, **quick(member)} for member in MEMBERS]}
    return {}


def train(
    market: Market,
    name: str,
    out: Path,
    *,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    draft: bool = False,
    floors: bool = True,
    device: str = "auto",
    checkpoint: Path | None = None,
    plots: Path | None = None,
    screen: Progress | None = None,
) -> dict[str, Any]:
    """Train one model, judge it on the test beside what costs nothing to know, write its three files; the record.

    settings: what ``estimator.build`` takes. draft: with :func:`quick` where ``settings`` say nothing. floors: fit
    LightGBM beside it too. device, checkpoint: of nets. plots: a folder for pictures of how it was judged.
    """
    screen = screen or _Silent()
    began = time.monotonic()
    if out.suffix in NOT_MODELS:
        raise ValueError(f"{out.name}: a trained model is no {out.suffix} file; .pt or .model would do")
    if out.is_dir():
        raise ValueError(f"{out} is a folder; the trained model is a file, such as {out / name}.pt")
    if checkpoint is not None and estimator.family(name) != "net":
        raise ValueError(f"a checkpoint is of nets; {name} is trained at once")
    # What is missing shows now, not after hours.
    for module in ("sklearn", *(["matplotlib"] if plots is not None else [])):
        if importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    for folder in (out.parent, *([plots] if plots is not None else [])):
        folder.mkdir(parents=True, exist_ok=True)
    given = {**(quick(name) if draft else {}), **(settings or {})}
    if estimator.family(name) == "net":
        given = {"device": device, "checkpoint": checkpoint, **given}
    if estimator.family(name) == "ensemble":
        given = {"horizon": _farthest(market), **given}
    model = estimator.build(name, market.columns, targets=market.targets, **given)
    screen.done()  # training has a bar of its own
    model.fit(market.train, market.valid, seed)
    took = time.monotonic() - began
    model.save(out)
    screen.progress("test")
    prob = estimator.probabilities(model, market.test)
    beside = _floors(market, model, seed, floors and not draft)
    label = np.concatenate([s.label for s in market.test])
    results = []
    for i, horizon in enumerate(market.plan.horizons):
        screen.progress("judging", i / market.targets)
        found = evaluate.judge(
            name,
            prob[:, i],
            label[:, i],
            task=f"{market.about['data']}, {horizon}",
            floors={floor: said[:, i] for floor, said in beside.items()},
            horizon=_rows_ahead(market, i),
            curves=[list(getattr(model, "history", ()))] if getattr(model, "history", ()) else (),
            draws=100 if draft else 1000,
            seed=seed,
        )
        results.append(found)
        if plots is not None:
            from smartcore.learn.evaluate import plots as drawn

            drawn.page(found if market.targets == 1 else replace(found, name=f"{name} {horizon}"), plots)
    record = {
        "model": name,
        "family": estimator.family(name),
        "file": out.name,
        "seed": seed,
        "settings": {k: v for k, v in given.items() if k not in ("device", "checkpoint")},
        "draft": draft,
        "columns": list(market.columns),
        "fingerprint": market.fingerprint,
        "sample": market.sample,
        "bars": market.bars,
        "trained_on": {**market.about, "seed": seed},
        "calibration": [c.record() for c in model.calibrations],
        "weights": getattr(model, "weights", None),
        "peak_bytes": getattr(model, "peak", 0) or None,
        "took_s": round(took, 2),
        "targets": [
            {
                "horizon": horizon,
                "label": market.words(i),
                "thresholds": list(market.thresholds[i]),
                "result": json.loads(results[i].json()),
            }
            for i, horizon in enumerate(market.plan.horizons)
        ],
        "inputs": asdict(inputs(market.train)),
        "golden": [[float(str(v)) if np.isfinite(v) else None for v in row] for row in market.golden],
    }
    out.with_suffix(".json").write_text(json.dumps(record, indent=1, allow_nan=False) + "\n")
    first = market.test[0].part(0, KEPT)
    np.savez_compressed(out.with_suffix(".npz"), ts=first.ts, rows=first.rows, label=first.label)
    return record


@dataclass(frozen=True)
class Trained:
    """What :func:`train` left behind."""

    path: Path
    record: Mapping[str, Any]
    rows: NDArray[np.float32] | None
    """(n, k) test rows in order; None where their file is gone."""
    label: NDArray[np.int8] | None
    """(n, targets)."""

    @classmethod
    def read(cls, path: Path) -> Trained:
        """Raises FileNotFoundError, InvalidData where the record is missing or damaged."""
        if not path.is_file():
            raise FileNotFoundError(f"no trained model {str(path)!r}: make one with smartcore train")
        beside = path.with_suffix(".json")
        if not beside.is_file():
            raise InvalidData(f"{path.name} has no record beside it, {beside.name}: smartcore train writes both")
        try:
            record = json.loads(beside.read_text())
            missing = {"model", "columns", "fingerprint", "sample", "trained_on", "targets", "golden"} - record.keys()
        except (ValueError, AttributeError) as error:
            raise InvalidData(f"{beside.name} is no record of a training: {error}") from error
        if missing:
            raise InvalidData(f"{beside.name} is no record of a training: it lacks {', '.join(sorted(missing))}")
        kept = path.with_suffix(".npz")
        if not kept.is_file():
            return cls(path, record, None, None)
        try:
            with np.load(kept) as arrays:
                return cls(path, record, arrays["rows"], arrays["label"])
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise InvalidData(f"{kept.name} is not what smartcore train wrote: train again, or remove it") from error

    @property
    def horizons(self) -> tuple[str, ...]:
        return tuple(target["horizon"] for target in self.record["targets"])

    def target(self, wanted: str | None) -> int:
        """Number of a target by its horizon or number; the first if left out. Raises ValueError."""
        if wanted is None:
            return 0
        if wanted in self.horizons:
            return self.horizons.index(wanted)
        if wanted.isdecimal() and int(wanted) < len(self.horizons):
            return int(wanted)
        raise ValueError(f"target {wanted!r}: there is {', '.join(self.horizons)}")

    @property
    def golden(self) -> NDArray[np.float32]:
        return np.array(self.record["golden"], np.float32)  # None, JSON's null, becomes NaN

    def contract(self, name: str, target: int) -> Any:
        """What the files of one target promise, before they are written."""
        from smartcore.models import Contract, Inputs

        r, t = self.record, self.record["targets"][target]
        result = evaluate.Result(**t["result"])
        i = r.get("inputs")  # absent from the record of an older release
        several = len(self.horizons) > 1 and r["family"] != "ensemble"
        return Contract(
            name=name,
            kind=r["model"],
            columns=tuple(r["columns"]),
            fingerprint=r["fingerprint"],
            sample=r["sample"],
            bars=r["bars"],
            horizon=t["horizon"],
            horizons=self.horizons if several else (),
            label=t["label"],
            thresholds=tuple(t["thresholds"]),
            trained_on=r["trained_on"],
            inputs=Inputs(tuple(i["median"]), tuple(i["scale"]), i["far"]) if i else None,
            metrics={"test": {result.name: dict(result.scores[0]), **result.floors}, "seeds": 1},
        )


def export(
    path: Path,
    out: Path,
    *,
    target: str | None = None,
    dynamic: bool = False,
    int8: bool = False,
    windows: bool = False,
    coremltools: bool = False,
    draft: bool = False,
    screen: Progress | None = None,
) -> dict[str, Any]:
    """Write a trained model as ONNX, check the file against it, write the card; what was found, as plain JSON types.

    target: by its horizon, the first if left out. dynamic, int8, windows: the variants ``NAME-batch.onnx`` (a free
    batch dimension), ``NAME-int8.onnx`` (kept where it is faster and within its gates) and ``NAME-windows.onnx`` (whole
    windows in, no states; windowed nets). draft: a fifth of the timing, no comparison of batches with rows.
    """
    from smartcore.learn import card
    from smartcore.learn.check import check
    from smartcore.learn.quantise import quantise

    screen = screen or _Silent()
    if out.suffix != ".onnx":
        raise ValueError(f"{out.name}: the file has to end in .onnx")
    trained = Trained.read(path)
    which = trained.target(target)
    model = estimator.load(path)
    if windows and not hasattr(getattr(model, "net", None), "window"):
        raise ValueError(f"{model.name} looks at no window: none can be given whole")
    screen.progress("exporting")
    contract = model.export(out, trained.contract(out.stem, which), trained.golden, target=which)
    report = check(
        out,
        model,
        trained.rows,
        draft,
        target=which,
        batch=not draft,
        coremltools=coremltools,
        progress=lambda step: screen.progress(f"checking: {step}"),
    )
    files = {"onnx": out, "card": out.with_suffix(".md")}
    if dynamic:
        screen.progress("free batch")
        files["batch"] = out.with_name(f"{out.stem}-batch.onnx")
        wide = trained.contract(f"{out.stem}-batch", which)
        model.export(files["batch"], wide, trained.golden, target=which, dynamic=True)
    if windows:
        from smartcore.learn.export import export_windows

        screen.progress("whole windows")
        files["windows"] = out.with_name(f"{out.stem}-windows.onnx")
        export_windows(model, files["windows"], trained.contract(f"{out.stem}-windows", which), target=which)
    verdict = None
    if int8:
        screen.progress("int8")
        small = out.with_name(f"{out.stem}-int8.onnx")
        rows = trained.golden if trained.rows is None else trained.rows
        verdict = quantise(out, small, rows, None if trained.label is None else trained.label[:, which])
        if verdict.kept:
            files["int8"] = small
    screen.progress("card")
    card.write(files["card"], contract, report, what_of(trained), f"smartcore export {path.name}", str(verdict or ""))
    return {
        "model": contract.kind,
        "horizon": contract.horizon,
        "files": {kind: str(file) for kind, file in files.items()},
        "report": report.to_dict(),
        "int8": None if verdict is None else verdict.to_dict(),
        "passed": report.passed,
        "text": str(report),
    }


def recheck(
    path: Path, source: Path | None = None, *, draft: bool = False, coremltools: bool = False, card: bool = False,
    screen: Progress | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Check an exported file by itself, or against the trained model ``source``; what was found. ``card``: write its
    page anew."""
    from smartcore.learn import card as cards
    from smartcore.learn.check import check
    from smartcore.models import Model

    screen = screen or _Silent()
    model, rows, which, what = None, None, 0, ""
    contract = Model.load(path, verify=False).contract
    if source is not None:
        trained = Trained.read(source)
        which = trained.target(contract.horizon)
        model, rows, what = estimator.load(source), trained.rows, what_of(trained)
        if model.columns != contract.columns:
            raise InvalidData(f"{source.name} is not what {path.name} was exported from: it reads other columns")
    report = check(
        path,
        model,
        rows,
        draft,
        target=which,
        batch=not draft,
        coremltools=coremltools,
        progress=lambda step: screen.progress(f"checking: {step}"),
    )
    if card:
        cards.write(path.with_suffix(".md"), contract, report, what)
    files = {"onnx": str(path), **({"card": str(path.with_suffix(".md"))} if card else {})}
    return {"model": contract.kind, "files": files, "report": report.to_dict(), "passed": report.passed,
            "text": str(report)}  # fmt: skip


def score_lines(result: Mapping[str, Any]) -> list[str]:
    """A model and its floors, a line each, for a terminal; ``result`` is an ``evaluate.Result`` as JSON."""
    names = ("macro_f1", "accuracy", "mcc", "log_loss", "brier", "ece")
    lines = [f"{'':<24}" + "".join(f"{name.replace('_', ' '):>11}" for name in names)]
    for name, row in {result["name"]: result["scores"][0], **result["floors"]}.items():
        lines.append(f"{name:<24}" + "".join(f"{row[score]:>11.3f}" for score in names))
    interval = result["intervals"]["macro_f1"]
    lines.append(f"95 % interval of its macro-F1: {interval['low']:.3f} to {interval['high']:.3f}")
    return lines


def what_of(trained: Trained) -> str:
    """A model in a sentence or two, for its card."""
    r = trained.record
    kind = {
        "linear": "Multinomial logistic regression on the scaled columns: the floor below all others",
        "net": f"A net, `smartcore/learn/nets`, of {r.get('weights') or 0:,} weights",
        "tree": "Tree ensemble, `smartcore/learn/trees`; it has no state: each row is judged alone",
        "ensemble": "Several models and their blend in one graph, `smartcore/learn/ensemble.py`",
    }[r["family"]]
    settings = ", ".join(f"{k} {v}" for k, v in r.get("settings", {}).items() if k != "members")
    draft = " **A draft, trained for seconds: its scores mean nothing.**" if r.get("draft") else ""
    return f"{kind}. Seed {r['seed']}{', ' + settings if settings else ''}.{draft}"


def _floors(market: Market, model: Any, seed: int, trees: bool) -> dict[str, NDArray[np.float64]]:
    """Probabilities (rows, targets, classes) of the test by name: what a model has to beat."""
    imbalance = market.columns.index(IMBALANCE) if IMBALANCE in market.columns else None
    each: list[dict[str, NDArray[np.float64]]] = []
    for i, horizon in enumerate(market.plan.horizons):
        ahead, in_rows = market.plan.ahead(horizon)
        each.append(
            evaluate.floors_of(market.train, market.test, ahead, in_rows=in_rows, target=i, imbalance=imbalance)
        )
    out = {name: np.stack([found[name] for found in each], axis=1) for name in each[0]}
    others = ["logistic"]
    if trees and importlib.util.find_spec("lightgbm"):
        others.append("lightgbm")
    for name in others:
        if name != model.name:
            other = estimator.build(name, market.columns, targets=market.targets)
            title = "logistic, all columns" if name == "logistic" else name
            out[title] = estimator.probabilities(other.fit(market.train, market.valid, seed), market.test)
    return out


def _farthest(market: Market) -> int:
    """Nanoseconds that any label of a training row reaches ahead."""
    ahead, in_rows = market.plan.farthest
    if not in_rows:
        return ahead
    return max(int((s.ts[ahead:] - s.ts[:-ahead]).max()) for s in market.train if len(s) > ahead)


def _rows_ahead(market: Market, target: int) -> int:
    """How many rows a label reaches ahead, about."""
    ahead, in_rows = market.plan.ahead(market.plan.horizons[target])
    if in_rows:
        return ahead
    steps: Sequence[Series] = [s for s in market.test if len(s) > 1]
    step = np.median(np.concatenate([np.diff(s.ts) for s in steps])) if steps else ahead
    return max(1, round(ahead / max(float(step), 1.0)))
