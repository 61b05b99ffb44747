"""``smartcore demo | run | train | export | features | audit | why | replay | version``. Every command takes
``--json``: one document on standard output, nothing else.

Exit codes: 0 done, 1 a check failed, 2 something asked for cannot be had (the message says what), 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import smartcore as sc

if TYPE_CHECKING:
    from smartcore.decide import Policy
    from smartcore.features.catalogue import Kernel

_FORMATS = ("auto", "binance", "lobster", "bitstamp", "ticks", "ohlcv")


_SEQUENCE = """\
from a recording to a bot:
  smartcore train --model gru --data recording.parquet --out gru.pt
  smartcore export gru.pt --out gru.onnx
  smartcore export --check gru.onnx --source gru.pt
  smartcore run --model gru.onnx --data recording.parquet
"""


class Refused(Exception):
    """What the user asked for cannot be had; the text says why."""


# ---- commands ----


def demo(options: argparse.Namespace) -> int:
    """A simulated market through the whole flow, with latency, gates and a report."""
    from smartcore.bot import console
    from smartcore.bot.demo import demo

    if not options.seconds > 0:
        raise Refused(f"--seconds {options.seconds:g}: a number above 0 is wanted")
    found = demo(
        console.Screen(options.json),
        _models(options.models),
        _policy(options, every="1s", horizon=10),
        Path(options.out),
        seconds=options.seconds,
        seed=options.seed,
        ticks=options.ticks,
        paced=options.paced,
    )
    return _done(options, found)


def run(options: argparse.Namespace) -> int:
    """A recording through the same flow, with checks of the book at the end."""
    from smartcore.bot import console, recording
    from smartcore.bot.config import Config
    from smartcore.bot.journal import Journal
    from smartcore.bot.sources import features_for

    began = time.monotonic()
    config = Config.read(options.config) if options.config else None
    _policy(options, config, every=options.every or "bar")  # what is wrong shows before a long read
    if options.bars not in ("auto", "none"):
        sc.Engine([], bars=options.bars)
    models = None if options.models == "auto" else _models(options.models)
    screen = console.Screen(options.json)
    source = Path(options.data)
    events, _ = _events(options, options.data, screen)
    kinds = {sc.Kind(kind) for kind in set(events["kind"].tolist())}
    fed = sc.Kind.BAR in kinds
    if models is None:  # the shipped ones, where there is a book to read
        models = _models("auto") if kinds & {sc.Kind.DEPTH, sc.Kind.QUOTE} else []
    contract = models[0].contract if models else None
    bars = options.bars
    if bars == "auto":
        built = contract.bars if contract is not None and contract.bars else "1s"
        bars = built if sc.Kind.TRADE in kinds and not fed else None
    elif bars == "none":
        bars = None
    elif fed:
        raise Refused(f"--bars {bars}: {source.name} holds bars already")
    every = options.every or ("bar" if fed else "1s" if contract is None else contract.sample)
    if every == "event":
        every = "1 events"
    horizon = {} if contract is None else _held(contract, bars)
    with ExitStack() as closing:
        more: dict[str, Any] = {}
        if options.journal:
            more["journal"] = closing.enter_context(Journal(options.journal, events=options.keep_events))
        if config is not None:
            given = {"every": options.every} if options.every else {}
            more |= {"policy": _policy(options, config, **given), "wall": None}
            bot = config.orchestrator(options.symbol, **more)
        else:
            engine = sc.Engine(features_for(models), instrument=options.symbol or source.name.split(".")[0], bars=bars)
            bot = sc.Orchestrator(engine, *models, policy=_policy(options, every=every, **horizon), **more)
        found = recording.run(screen, events, bot, name=source.name, page=options.report)
    return _done(options, {"data": str(source), **found, "took_s": round(time.monotonic() - began, 2)})


def train(options: argparse.Namespace) -> int:
    """A model from a recording: trained, judged on the test beside what costs nothing to know, saved."""
    from smartcore.bot import console

    estimator, recorded, workflow = _learn("estimator", "recorded", "workflow")
    known = estimator.settings(options.model)
    if options.fields:
        if options.json:
            return _done(options, {"model": options.model, "fields": {k: _shown(v) for k, v in known.items()}})
        print(f"{options.model}, a {estimator.family(options.model)}; --set NAME=VALUE, the value as JSON or text\n")
        print("\n".join(f"  {name:<16} {value}" for name, value in known.items()))
        return 0
    if not options.data:
        raise Refused("--data: a recording, several, or simulated")
    settings = _assigned("--set", options.set)
    for name in settings:
        if name not in known:
            raise Refused(f"--set {name}: {options.model} has no such field; there is {', '.join(known)}")
        _fits(name, settings[name], known[name])
    _device(options.device)
    if not options.seconds > 0:
        raise Refused(f"--seconds {options.seconds:g}: a number above 0 is wanted")
    plan = recorded.Plan(
        None if options.columns is None else _columns(options.columns),
        options.sample,
        None if options.bars == "none" else options.bars,
        tuple(word.strip() for word in options.horizon.split(",") if word.strip()),
        options.label,
        options.flat,
    )
    out = Path(options.out or f"out/{options.model}.pt")
    screen = console.Screen(options.json)
    began = time.monotonic()
    parts, names = [], []
    for name in options.data:
        events, what = _events(options, name, screen)
        parts.append(events)
        names.append(what)
    market = recorded.prepare(parts, plan, "; ".join(names), screen.progress)
    screen.done()
    about = market.about
    pieces = ", ".join(f"{sum(map(len, piece)):,}" for piece in (market.train, market.valid, market.test))
    screen.fact("data", f"{about['data']}: {about['events']:,} events, {' to '.join(about['period'])}")
    screen.fact("rows", f"{pieces} for training, validation, test; {len(market.columns)} columns, each {market.sample}")
    for i in range(market.targets):
        screen.fact("label" if i == 0 else "", market.words(i))
    try:
        record = workflow.train(
            market,
            options.model,
            out,
            seed=options.seed,
            settings=settings,
            draft=options.quick,
            device=options.device,
            checkpoint=None if options.checkpoint is None else Path(options.checkpoint),
            plots=None if options.plots is None else Path(options.plots),
            screen=screen,
        )
    except (sc.SmartcoreError, OSError, ValueError, LookupError, ImportError):
        raise
    except Exception as error:  # whatever a library raises for settings it does not take
        raise Refused(f"{options.model}: {(str(error).strip() or type(error).__name__).splitlines()[0]}") from error
    screen.done()
    screen.fact("trained", f"{options.model} in {record['took_s']:.1f} s, seed {options.seed}")
    for target in record["targets"]:
        screen.line(f"\ntest, {target['horizon']} ahead")
        for line in workflow.score_lines(target["result"]):
            screen.line(f"  {line}")
    if options.quick:
        screen.line("\ntrained for seconds (--quick): the scores mean nothing")
    screen.line()
    screen.fact("files", f"{out}, {out.with_suffix('.json').name}, {out.with_suffix('.npz').name}")
    screen.fact("next", f"smartcore export {out} --out {out.with_suffix('.onnx')}")
    files = [str(out), str(out.with_suffix(".json")), str(out.with_suffix(".npz"))]
    del record["golden"]
    return _done(options, {**record, "files": files, "all_s": round(time.monotonic() - began, 2)})


def export(options: argparse.Namespace) -> int:
    """A trained model as an ONNX file with its card; or the check of such a file."""
    from smartcore.bot import console
    from smartcore.models import BUILTIN, builtin

    (workflow,) = _learn("workflow")
    path = Path(options.file)
    screen = console.Screen(options.json)
    common = {"draft": options.quick, "coremltools": options.coremltools, "screen": screen}
    if options.check:
        for name in ("out", "dynamic", "int8", "windows", "target"):
            if getattr(options, name):
                raise Refused(f"--{name} goes with exporting, not with --check")
        if options.file in builtin():
            path = BUILTIN / f"{options.file}.onnx"
        if path.suffix != ".onnx":
            raise Refused(f"--check takes an exported .onnx file; {path.name} is none")
        source = None if options.source is None else Path(options.source)
        found = workflow.recheck(path, source, card=options.card, **common)
    else:
        for name in ("source", "card"):
            if getattr(options, name):
                raise Refused(f"--{name} goes with --check")
        if path.suffix == ".onnx":
            raise Refused(f"{path.name} is exported already; smartcore export --check {path} checks it")
        found = workflow.export(
            path,
            Path(options.out) if options.out else path.with_suffix(".onnx"),
            target=options.target,
            dynamic=options.dynamic,
            int8=options.int8,
            windows=options.windows,
            **common,
        )
    screen.done()
    for line in found.pop("text").splitlines():
        screen.line(line)
    screen.line()
    if found.get("int8"):
        verdict = found["int8"]
        screen.fact("int8", f"{'kept' if verdict['kept'] else 'refused'}: {verdict['why']}")
    for kind, file in found["files"].items():
        screen.fact(kind, file)
    if not options.check:
        screen.fact("next", f"smartcore run --model {found['files']['onnx']} --data FILE")
    return _done(options, found)


def features(options: argparse.Namespace) -> int:
    """The catalogue: as a table, one kernel with all there is to say, or a page."""
    catalogue = sc.catalogue()
    if options.html is not None:
        from smartcore.features import page

        size = page.write(options.html, catalogue)
        if not options.json:
            print(f"{options.html}: {len(catalogue)} kernels, {size:,} bytes")
        return _done(options, {"html": str(options.html), "kernels": len(catalogue), "bytes": size})
    rows = catalogue.to_dicts()
    for name, known in (("group", catalogue.groups), ("family", catalogue.families)):
        wanted = getattr(options, name)
        if wanted is not None:
            if wanted not in known:
                raise Refused(f"--{name} {wanted}: there is {', '.join(known)}")
            rows = [row for row in rows if row[name] == wanted]
    kernel = _kernel(options.words)
    if kernel is not None:
        rows = [row for row in rows if row["kernel"] == kernel.name]
        if not options.json:
            print(_help(kernel))
            return 0
    for word in () if kernel else options.words:
        rows = [row for row in rows if word.lower() in " ".join(map(str, row.values())).lower()]
    if not rows:
        raise Refused(
            f"no column has {' and '.join(map(repr, options.words)) or 'that'} in its name, meaning or source"
        )
    kernels = len({row["kernel"] for row in rows})
    if options.json:
        about = {"kernel": _about(kernel)} if kernel is not None else {}
        return _done(options, {"kernels": kernels, "columns": len(rows), **about, "features": rows})
    width = max(len(row["column"]) for row in rows)
    group = None
    for row in rows:
        if row["group"] != group:
            group = row["group"]
            print(f"{'' if row is rows[0] else chr(10)}{group}")
        span = f"{_bound(row['low'])}..{_bound(row['high'])}"
        wakes = "+".join(row["wakes"])
        what = f"{row['unit']:<10.10} {span:<12} {wakes:<18.18} {row['warmup']:>5}"
        print(f"  {row['column']:<{width}}  {what}  {row['formula']}")
    print(f"\n{len(rows)} columns of {kernels} kernels: name, unit, range, events that wake it,")
    print("events before its first value, meaning; smartcore features NAME says more of one")
    return 0


def _bound(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _kernel(words: Sequence[str]) -> Kernel | None:
    """The kernel that one word names, or whose column it does."""
    if len(words) != 1:
        return None
    for find in (sc.catalogue().kernel, lambda name: sc.catalogue().column(name).kernel):
        try:
            return find(words[0])
        except sc.UnknownFeature:
            pass
    return None


def _about(kernel: Kernel) -> dict[str, Any]:
    """One kernel as plain values."""
    from smartcore.features.page import bounds

    return {
        "name": kernel.name,
        "doc": kernel.doc,
        "group": kernel.group,
        "family": kernel.family,
        "wakes": list(kernel.wakes),
        "source": kernel.source,
        "version": kernel.version,
        "params": [{"name": p.name, "bounds": bounds(p)} for p in kernel.params],
        "outputs": [
            {"column": "_".join(filter(None, (kernel.name, *("{" + p.name + "}" for p in kernel.params), o.suffix)))
             if not kernel.names else o.suffix, "formula": o.doc, "unit": o.unit}
            for o in kernel.outputs
        ],
        "columns": [c.name for c in (*sc.catalogue().columns, *sc.catalogue().declared) if c.kernel is kernel],
    }  # fmt: skip


def _help(kernel: Kernel) -> str:
    import textwrap

    from smartcore.features.page import span

    about = _about(kernel)
    lines = [kernel.name, *textwrap.wrap(kernel.doc, 100, initial_indent="  ", subsequent_indent="  "), ""]
    lines += [
        f"  {'wakes on':<10} {', '.join(kernel.wakes)}",
        f"  {'group':<10} {kernel.group}, family {kernel.family}",
    ]
    lines += [f"  {'source':<10} {kernel.source}"] if kernel.source else []
    lines += ["", "  parameters"] if kernel.params else []
    lines += [f"    {p['name']:<12} {p['bounds']}" for p in about["params"]]
    lines += ["", "  columns"]
    for output, meaning in zip(about["outputs"], kernel.outputs, strict=True):
        range_ = span(meaning.low, meaning.high)
        lines.append(f"    {output['column']}: {meaning.unit}{', ' + range_ if range_ else ''}")
        lines += textwrap.wrap(meaning.doc, 96, initial_indent="      ", subsequent_indent="      ")
    lines += ["", "  warm-up, in events that wake it"]
    shown = [c for c in (*sc.catalogue().columns, *sc.catalogue().declared) if c.kernel is kernel]
    return "\n".join([*lines, *(f"    {c.name:<32} {c.warmup}" for c in shown)])


def audit(options: argparse.Namespace) -> int:
    """Whether anything looks ahead."""
    from smartcore.bot import console
    from smartcore.features.audit import audit

    subject: Any = None
    if options.target is not None:
        if options.features:
            raise Refused("--features: names of columns, or a file, not both")
        subject = _target(options.target)
    elif options.features:
        subject = [name.strip() for name in options.features.split(",") if name.strip()]
    function = callable(subject) and not isinstance(subject, sc.FeatureSet)
    data: Any = None
    if options.data:
        data = _table(Path(options.data)) if function else sc.read(options.data)
    for name in ("rows", "cuts"):
        if (value := getattr(options, name)) is not None and value < 1:
            raise Refused(f"--{name} {value}: a number above 0 is wanted")
    screen = console.Screen(options.json)
    report = audit(
        subject,
        data,
        bars=options.bars,
        cuts=options.cuts,
        rows=options.rows,
        progress=lambda done: screen.progress("audit", min(done, 1.0)),
    )
    screen.done()
    screen.line(str(report))
    return _done(options, report.to_dict())


def _target(text: str) -> Any:
    """The features that a file declares, or a function in it: FILE.py or FILE.py:NAME."""
    import importlib.util

    name, _, wanted = text.partition(":") if not Path(text).exists() else (text, "", "")
    path = Path(name)
    if not path.is_file():
        raise Refused(f"{name}: there is no such file")
    before = {c.name for c in sc.catalogue().declared}
    sys.path.insert(0, str(path.resolve().parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise Refused(f"{name}: a Python file is wanted")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    declared = [c for c in sc.catalogue().declared if c.name not in before]
    if wanted:
        those = [c.name for c in declared if wanted in (c.name, c.kernel.name)]
        if those:
            return sc.FeatureSet(those)
        found = getattr(module, wanted, None)
        if not callable(found):
            raise Refused(f"{name} has no function {wanted!r}")
        return found
    if not declared:
        raise Refused(
            f"{name} declares no features with @smartcore.feature; for a function of it write {name}:FUNCTION"
        )
    return sc.FeatureSet(c.name for c in declared)


def _table(path: Path) -> Any:
    """A file as a DataFrame, as it is."""
    import pandas as pd

    readers = {".parquet": pd.read_parquet, ".feather": pd.read_feather, ".csv": pd.read_csv}
    if path.suffix not in readers:
        raise Refused(f"{path}: a file of type {', '.join(readers)} is wanted")
    return readers[path.suffix](path)


def why(options: argparse.Namespace) -> int:
    """One decision from a journal: each gate with its margin."""
    from smartcore.bot.journal import Journal

    path = options.journal or os.environ.get("SMARTCORE_JOURNAL")
    if not path:
        raise Refused("which journal? give --journal FILE or set SMARTCORE_JOURNAL")
    journal = Journal(path, readonly=True)
    entry = next(iter(journal.last(1)), None) if options.id == "last" else journal.find(options.id)
    if entry is None:
        newest = journal.last(1)
        hint = f"; the newest of {len(journal):,} is {newest[0].decision.id}" if newest else ", which is empty"
        raise Refused(f"no decision {options.id!r} in {path}{hint}")
    if not options.json:
        print(entry.text)
    return _done(options, entry.to_dict())


def explain(options: argparse.Namespace) -> int:
    """What each column put into a model's score of one decision."""
    from smartcore.bot.journal import Journal

    path = options.journal or os.environ.get("SMARTCORE_JOURNAL")
    if not path:
        raise Refused("which journal? give --journal FILE or set SMARTCORE_JOURNAL")
    (explaining,) = _learn("explain")
    journal = Journal(path, readonly=True)
    newest = next(iter(journal.last(1)), None)
    wanted = newest.decision.id if options.id == "last" and newest is not None else options.id
    try:
        told = explaining.decision(wanted, journal, options.model, options.method)
    except LookupError as error:
        raise Refused(str(error)) from None
    if options.plot:
        explaining.draw(told, options.plot)
    if not options.json:
        print(told)
        if options.plot:
            print(f"  picture: {options.plot}")
    return _done(options, {"id": wanted, **told.to_dict()})


def replay(options: argparse.Namespace) -> int:
    """Decisions of a journal made again, from what is kept of them or from a snapshot and the events."""
    from smartcore.bot import console, rerun
    from smartcore.bot.journal import Journal

    if bool(options.id) == options.all:
        raise Refused("which decision? give its id, or --all")
    path = options.journal or os.environ.get("SMARTCORE_JOURNAL")
    if not path:
        raise Refused("which journal? give --journal FILE or set SMARTCORE_JOURNAL")
    screen, journal = console.Screen(options.json), Journal(path, readonly=True)
    given = _events(options, options.events, screen)[0] if options.events else None

    def progress(done: int) -> None:
        if done % 1000 == 0:
            screen.progress(f"{done:,} decisions")

    parts = []
    if options.id:
        entry = next(iter(journal.last(1)), None) if options.id == "last" else journal.find(options.id)
        if entry is None:
            raise Refused(f"no decision {options.id!r} in {path}")
        sequence = entry.decision.sequence
        spans: dict[int, tuple[int, int | None]] = {entry.number: (sequence, sequence)}
        parts.append(rerun.decide_again([entry]))
    else:
        spans = dict.fromkeys(journal.runs, (0, None))
        if not options.consistency:
            parts.append(rerun.decide_again(journal, progress))
    runs = journal.runs
    for number, (first, last) in spans.items():
        if journal.snapshot_of(number, first) is None:
            if given is not None or options.consistency:
                raise Refused(f"run {number} has no snapshot to go on from: it is kept by Journal(..., events=True)")
            continue
        models, more = _models_of(runs[number][0], options.models), {}
        if options.fallback:
            more["fallback"] = {
                name: sc.Model.load(file) for name, file in _assigned("--fallback", options.fallback).items()
            }
        part = rerun.replay(journal, number, models, first=first, last=last, events=given, progress=progress, **more)
        parts.append(part)
    screen.done()
    exact = all(part.exact for part in parts)
    for part in parts:
        for line in part.lines:
            screen.line(line)
    done = {"journal": str(path), "exact": exact, "passed": exact, "parts": [part.to_dict() for part in parts]}
    return _done(options, done)


def _models_of(run: Any, names: str | None) -> list[Any]:
    """The models that a run was made with: by the files that are named, else shipped ones of its names."""
    if names is not None:
        return _models(names)
    from smartcore.models import builtin

    known = builtin()
    strange = [model["name"] for model in run.models if model["name"] not in known]
    if strange:
        raise Refused(f"models {', '.join(strange)} are not shipped: name their files with --models")
    return [sc.Model.load(model["name"]) for model in run.models]


def version(options: argparse.Namespace) -> int:
    """The version, and how the core was built."""
    import numpy as np

    from smartcore.models import builtin

    about = {
        "version": sc.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
        "core": sc.build_config(),
        "kernels": len(sc.catalogue()),
        "columns": len(sc.catalogue().columns),
        "models": list(builtin()),
    }
    if options.json:
        return _done(options, about)
    print(f"smartcore {about['version']}")
    for name, value in about.items():
        if name == "version":
            continue
        if isinstance(value, Mapping):
            value = ", ".join(f"{k} {v}" for k, v in value.items())
        elif isinstance(value, list):
            value = ", ".join(value) or "none"
        print(f"  {name:<8} {value}")
    return 0


def _done(options: argparse.Namespace, found: Mapping[str, Any]) -> int:
    """The document where one is asked for; the exit code."""
    if options.json:
        print(json.dumps({"command": options.command, "version": sc.__version__, **found}, allow_nan=False, indent=1))
    return 0 if found.get("passed", True) else 1


# ---- options ----


def _models(wanted: str) -> list[sc.Model]:
    """Models by name or file; "auto": the shipped ones."""
    from smartcore.models import builtin

    if wanted == "none":
        return []
    names = builtin() if wanted == "auto" else tuple(name.strip() for name in wanted.split(",") if name.strip())
    for path in map(Path, names):
        if path.suffix != ".onnx" and path.is_file() and path.with_suffix(".json").is_file():
            raise Refused(f"{path.name} is a trained model: smartcore export {path} makes the file that runs")
    return [sc.Model.load(name) for name in names]


def _held(contract: Any, bars: str | None) -> dict[str, float]:
    """The policy's horizon, in bars, from that of a model; nothing where one cannot be told from the other."""
    from smartcore.features.engine import interval_ns

    def ns(text: str | None) -> int:
        try:
            return interval_ns(text or "")
        except ValueError:
            return 0

    count, _, unit = contract.horizon.partition(" ")
    rows = int(count) if unit in ("row", "rows") and count.isdecimal() else 0
    if rows and contract.sample == "bar":
        return {"horizon": rows}
    span, bar = rows * ns(contract.sample) if rows else ns(contract.horizon), ns(bars)
    return {"horizon": span / bar} if span and bar else {}


def _events(options: argparse.Namespace, data: str, screen: Any) -> tuple[Any, str]:
    """Events of a recorded file, or simulated ones, and what they are in words."""
    from smartcore.bot import recording

    if options.limit is not None and options.limit < 1:
        raise Refused(f"--limit {options.limit}: a number above 0 is wanted")
    if data in ("simulated", "walk"):
        (recorded,) = _learn("recorded")
        screen.progress("simulating")
        seconds = getattr(options, "seconds", None) or 1200.0
        seconds = min(seconds, 600.0) if getattr(options, "quick", False) else seconds
        found, what = recorded.walk(seconds) if data == "walk" else recorded.simulated(seconds)
        screen.done()
        return found[: options.limit], what
    source = Path(data)
    if source.is_dir():
        raise Refused(f"{source} is a folder; --data takes a file")
    return recording.read(screen, source, options.format, options.limit, _assigned("--read", options.read)), source.name


def _fits(name: str, value: Any, default: Any) -> None:
    """Refuses a setting of another type than its default, which no library says well."""
    wanted = {
        bool: (bool, "true or false"),
        int: (int, "a whole number"),
        float: (int | float, "a number"),
        str: (str, "a word"),
        tuple: (list, "a list"),
    }
    kind, said = wanted.get(type(default), (object, ""))
    if not isinstance(value, kind) or (isinstance(value, bool) and type(default) in (int, float)):
        raise Refused(f"--set {name}={value}: {said} is wanted, such as {json.dumps(default)}")


def _device(name: str) -> None:
    """Refuses a device that is not here."""
    if name in ("auto", "cpu"):
        return
    (train,) = _learn("train")
    try:
        there = train.find(name).type != "cuda" or train.torch.cuda.is_available()
    except (RuntimeError, AssertionError):
        there = False
    if not there:
        raise Refused(f"--device {name}: torch has no such device here")


def _columns(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise Refused(f"--columns {text!r}: names of columns, with commas")
    if names == ("all",):
        return tuple(sc.FeatureSet.default().columns)
    return tuple(sc.FeatureSet(list(names)).columns)  # an unknown name is refused here, with its neighbours


def _learn(*names: str) -> tuple[Any, ...]:
    """Modules of ``smartcore.learn``, or what to install for them."""
    import importlib

    try:
        return tuple(importlib.import_module(f"smartcore.learn.{name}") for name in names)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("smartcore"):
            raise
        raise Refused(_missing(error)) from error


def _missing(error: ModuleNotFoundError) -> str:
    """What to install for training."""
    return f'{(error.name or "").partition(".")[0]} is not installed: pip install "smartcore[train]"'


def _shown(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | list | tuple) or value is None else str(value)


def _policy(options: argparse.Namespace, config: Any = None, **defaults: Any) -> Policy:
    """A policy from defaults, or that of a configuration, and ``--fee-bps`` and ``--set name=value``."""
    values = {} if config else {"fee_bps": options.default_fee_bps}
    values |= ({} if options.fee_bps is None else {"fee_bps": options.fee_bps}) | defaults
    values |= _assigned("--set", options.set)
    known = [f.name for f in fields(sc.Policy) if f.init]
    for name in values:
        if name not in known:
            raise Refused(f"--set {name}: no such field of the policy; there are {', '.join(known)}")
    if isinstance(values.get("uncalibrated"), list):
        values["uncalibrated"] = frozenset(values["uncalibrated"])
    return sc.Policy(**values) if config is None else replace(config.policy, **values)


def _assigned(option: str, pairs: Sequence[str] | None) -> dict[str, Any]:
    """NAME=VALUE pairs; values are JSON where they can be read as that, else text."""
    values: dict[str, Any] = {}
    for pair in pairs or ():
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            raise Refused(f"{option} {pair}: write NAME=VALUE")
        try:
            values[name] = json.loads(text)
        except ValueError:
            values[name] = text
    return values


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line and points to --help."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def parser() -> argparse.ArgumentParser:
    """The command line, as data."""
    top = Parser(prog="smartcore", description="Market events in, a decision with its reasons out.")
    top.add_argument("--version", action="version", version=f"smartcore {sc.__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)

    def command(name: str, call: Any, about: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=about, description=about)
        sub.set_defaults(call=call)
        sub.add_argument("--json", action="store_true", help="one JSON document on standard output, nothing else")
        return sub

    def recorded(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--format", choices=_FORMATS, default="auto", help="by its columns if left out")
        sub.add_argument(
            "--read", action="append", metavar="NAME=VALUE", help="an option of the format's reader; may be repeated"
        )
        sub.add_argument("--limit", type=int, metavar="N", help="events at most")

    def bot(sub: argparse.ArgumentParser, fee: float) -> None:
        sub.add_argument(
            "--models",
            "--model",
            default="auto",
            metavar="NAMES",
            help="shipped names or files, with commas; none (default: shipped)",
        )
        sub.add_argument("--fee-bps", type=float, metavar="BPS", help=f"fee of one side (default {fee:g})")
        sub.set_defaults(default_fee_bps=fee)
        sub.add_argument("--set", action="append", metavar="NAME=VALUE", help="a field of the policy; may be repeated")

    sub = command("demo", demo, "a simulated market through engine, models and decision; latency, gates and a report")
    sub.add_argument(
        "--seconds", type=float, default=3600.0, metavar="S", help="length of the simulated market (default 3600)"
    )
    sub.add_argument("--seed", type=int, default=7, help="of the simulator (default 7)")
    sub.add_argument("--out", default="out", metavar="FOLDER", help="for demo.html and demo.journal (default out)")
    sub.add_argument(
        "--ticks", type=int, default=2000, metavar="N", help="decisions of the paced measurement (default 2000)"
    )
    sub.add_argument("--no-paced", dest="paced", action="store_false", help="leave the paced measurement out")
    bot(sub, 0.0)

    sub = command("run", run, "a recording through the same flow, with checks of the book at the end")
    sub.add_argument("--data", required=True, metavar="FILE", help="Parquet, Feather or CSV; or simulated: 20 minutes")
    recorded(sub)
    sub.add_argument(
        "--bars", default="auto", metavar="RULE", help='built from trades: "1s", "500 trades", "1e6 dollars", none'
    )
    sub.add_argument(
        "--every",
        metavar="CADENCE",
        help='when to decide: "1s", "bar", "100 events" (default: as the model was trained, else 1s; bar for bars)',
    )
    sub.add_argument("--symbol", help="name of the instrument (default: the file's)")
    sub.add_argument(
        "--config", metavar="FILE.toml", help="the bot it describes: models, policy, journal, instrument, bars"
    )
    sub.add_argument("--report", metavar="FILE", help="write the HTML report here")
    sub.add_argument("--journal", metavar="FILE", help="write each decision to this journal")
    sub.add_argument("--keep-events", action="store_true", help="the events too, for smartcore replay")
    bot(sub, 2.0)

    sub = command("train", train, "a model from a recording: trained, judged beside what costs nothing to know, saved")
    sub.epilog, sub.formatter_class = _SEQUENCE, argparse.RawDescriptionHelpFormatter
    sub.add_argument("--model", required=True, metavar="NAME", help="gru, mixer, lightgbm, stacking, logistic ...")
    sub.add_argument("--data", nargs="+", metavar="FILE", help="recordings; or simulated; or walk: the control")
    sub.add_argument("--out", metavar="FILE", help="the trained model (default out/NAME.pt), .json and .npz beside it")
    recorded(sub)
    sub.add_argument(
        "--seconds", type=float, default=14400.0, metavar="S", help="length of the simulated market (default 14400)"
    )
    sub.add_argument(
        "--columns", "--features", metavar="NAMES", help="what it reads, with commas; all (default: about 40)"
    )
    sub.add_argument(
        "--horizon", default="10s", metavar="SPANS", help='"10s", "20 rows"; several with commas are learned at once'
    )
    sub.add_argument(
        "--label", choices=("smoothed", "fixed", "barrier"), default="smoothed",
        help="mean price in the last half of the horizon, price at its end, or first of two barriers",
    )  # fmt: skip
    sub.add_argument("--flat", type=float, default=1 / 3, metavar="SHARE", help="of training rows (default 1/3)")
    sub.add_argument("--sample", metavar="PACE", help='rows: "1s", "bar", "event" (default 1s; bar for bars)')
    sub.add_argument("--bars", default="auto", metavar="RULE", help='built from trades: "1s", "500 trades", none')
    sub.add_argument("--seed", type=int, default=0, help="the same gives the same model (default 0)")
    sub.add_argument("--set", action="append", metavar="NAME=VALUE", help="a field of the model or its training")
    sub.add_argument("--fields", action="store_true", help="say which fields --set may give, and stop")
    sub.add_argument("--device", default="auto", help='of nets: "cpu", "cuda" (default: CUDA where it is)')
    sub.add_argument("--checkpoint", metavar="FILE", help="of nets: written after each round, gone on from if there")
    sub.add_argument("--plots", metavar="FOLDER", help="pictures of the judgement: reliability, confusion, curves")
    sub.add_argument("--quick", action="store_true", help="train for seconds: every line runs, the scores mean nothing")

    sub = command("export", export, "a trained model as an ONNX file with its card; or the check of such a file")
    sub.epilog, sub.formatter_class = _SEQUENCE, argparse.RawDescriptionHelpFormatter
    sub.add_argument("file", metavar="FILE", help="what train wrote; with --check an ONNX file, or a shipped name")
    sub.add_argument("--out", metavar="NAME.onnx", help="(default: FILE as .onnx); its card is beside it, as .md")
    sub.add_argument("--target", metavar="HORIZON", help="which horizon, where several were learned (default: first)")
    sub.add_argument("--dynamic", action="store_true", help="NAME-batch.onnx too: many instruments in one call")
    sub.add_argument("--windows", action="store_true", help="NAME-windows.onnx too: whole windows in, nothing carried")
    sub.add_argument("--int8", action="store_true", help="NAME-int8.onnx too, where it is faster and nearly the same")
    sub.add_argument("--check", action="store_true", help="check an exported file: exit code 1 where a gate fails")
    sub.add_argument("--source", metavar="FILE", help="with --check: the trained model it has to agree with")
    sub.add_argument("--card", action="store_true", help="with --check: write the card anew")
    sub.add_argument("--coremltools", action="store_true", help="convert the net by coremltools too, if installed")
    sub.add_argument("--quick", action="store_true", help="a fifth of the timing, no comparison of batches with rows")

    sub = command("features", features, "every column: unit, range, what wakes it, warm-up, meaning")
    sub.add_argument(
        "words", nargs="*", metavar="WORD", help="a kernel or column, of which all is said; or words to look for"
    )
    sub.add_argument("--group", help="one group only")
    sub.add_argument("--family", help="one family only: a file of csrc/features")
    sub.add_argument("--html", metavar="FILE", help="write the catalogue as a page to search, sort and print")

    sub = command(
        "audit", audit, "whether any value changes when later data arrive: features, or a function over a frame"
    )
    sub.add_argument(
        "target",
        nargs="?",
        metavar="FILE.py[:NAME]",
        help="the features that a file declares, one of them, or a function of a DataFrame (default: all columns)",
    )
    sub.add_argument("--features", metavar="NAMES", help="columns of the catalogue, with commas")
    sub.add_argument("--data", metavar="FILE", help="a recording, or for a function any table (default: simulated)")
    sub.add_argument("--bars", metavar="RULE", help='built from trades: "1s", "500 trades", "1e6 dollars"')
    sub.add_argument(
        "--cuts", type=int, metavar="N", help="prefixes to try (default: 60; about ten seconds for a function)"
    )
    sub.add_argument("--rows", type=int, metavar="N", help="events or rows to take (default 8000, 1500 for a function)")

    sub = command("why", why, "one decision from a journal: each gate and by how much it passed or failed")
    sub.add_argument("id", help='id of a decision, or "last"')
    sub.add_argument("--journal", metavar="FILE", help="the journal (default: $SMARTCORE_JOURNAL)")

    sub = command("explain", explain, "what each column put into a model's score: SHAP, LIME, gradients")
    sub.add_argument("id", help='id of a decision, or "last"')
    sub.add_argument("--journal", metavar="FILE", help="the journal (default: $SMARTCORE_JOURNAL)")
    sub.add_argument("--model", required=True, metavar="FILE", help="a shipped name, an ONNX file, or what train wrote")
    sub.add_argument(
        "--method", choices=("auto", "shap", "sampled", "lime", "gradients"), default="auto",
        help="shap: exact, of trees; sampled and lime: of any file without memory; gradients: of trained nets",
    )  # fmt: skip
    sub.add_argument("--plot", metavar="FILE", help="write the picture here, PNG or SVG")

    sub = command("replay", replay, "decisions of a journal made again: equal to the last bit, or what differs")
    sub.add_argument("id", nargs="?", help='id of a decision, or "last"')
    sub.add_argument("--all", action="store_true", help="every decision of the journal")
    sub.add_argument("--journal", metavar="FILE", help="the journal (default: $SMARTCORE_JOURNAL)")
    sub.add_argument("--events", metavar="FILE", help="the recording, where the journal did not capture the events")
    sub.add_argument("--models", metavar="FILES", help="those of the run, with commas (default: shipped ones by name)")
    sub.add_argument(
        "--fallback", action="append", metavar="SOURCE=FILE", help="a stand-in of the run; may be repeated"
    )
    sub.add_argument(
        "--consistency", action="store_true", help="only from snapshots: each column online against recomputed, in ulp"
    )
    recorded(sub)

    command("version", version, "the version, and how the core was built")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    options = parser().parse_args(arguments)
    try:
        code: int = options.call(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except (Refused, sc.SmartcoreError, OSError, ValueError, TypeError, LookupError, ImportError) as error:
        if os.environ.get("SMARTCORE_TRACEBACK"):
            raise
        if isinstance(error, ModuleNotFoundError) and error.name and options.command in ("train", "export", "explain"):
            said = _missing(error)
        else:
            said = _said(error)
        print(f"smartcore {options.command}: {said}", file=sys.stderr)
        return 2


def _said(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, TypeError) and "unexpected keyword argument" in str(error):
        return f"--read: {error}"
    if isinstance(error, sc.SmartcoreError):  # readers speak of their arguments, users of --read have options
        return re.sub(r"pass (\w+)=", r"give --read \1=", str(error)).replace("(out_of_order=", "(--read out_of_order=")
    if isinstance(error, Refused | sc.SmartcoreError | FileNotFoundError | ValueError):
        return str(error)
    return f"{type(error).__name__}: {error} (SMARTCORE_TRACEBACK=1 shows where)"


if __name__ == "__main__":
    sys.exit(main())
