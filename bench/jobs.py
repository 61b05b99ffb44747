"""Many trainings in processes of their own, for the tables: resumable, within a time, one failure is one failure.

A job is a tuple whose parts name it. A script's ``work`` calls :func:`guarded`; :func:`run` hands the jobs out.
Nothing here needs the compiled core.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import multiprocessing
import os
import platform
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

Job = tuple[Any, ...]

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")

LIBRARIES = ("lightgbm", "xgboost", "catboost")
"""Without one, its jobs are skipped."""


def command(
    about: str | None, name: str, rows: bool = True, more: Callable[[argparse.ArgumentParser], object] | None = None
) -> argparse.Namespace:
    """The command line of a table: ``prepare`` where it makes ``rows`` of recordings, ``run`` with what ``more`` adds
    to it, ``report``. What ``--quick`` makes lies in folders of its own: it must not pass for the table's, nor stop it.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    stages = parser.add_subparsers(dest="stage", required=True)
    for stage in ("prepare", "run", "report")[not rows :]:
        sub = stages.add_parser(stage)
        sub.add_argument("--quick", action="store_true", help="small, to see that it runs")
        sub.add_argument("--out", type=Path)
        if rows and stage != "prepare":
            sub.add_argument("--rows", type=Path, help="what prepare wrote")
        if stage == "report":
            sub.add_argument("--results", type=Path, help=f"folder of {name}.json and {name}.md")
        if stage == "run":
            sub.add_argument("--models", nargs="+", default=["all"])
            sub.add_argument("--without", nargs="+", default=[], metavar="MODEL", help="models to leave out")
            sub.add_argument("--datasets", nargs="+", default=["all"])
            sub.add_argument("--seeds", type=int, default=5)
            sub.add_argument("--jobs", type=int, default=1, help="processes")
            sub.add_argument("--device", default="auto", help="of nets: auto, cuda or cpu")
            sub.add_argument("--budget", type=float, default=36_000, help="seconds after which no job begins")
            sub.add_argument("--grace", type=float, default=60, help="seconds that running jobs then have")
            if more is not None:
                more(sub)
    told = parser.parse_args()
    folder = ROOT / "out" / (f"{name}_quick" if told.quick else name)
    prepared = folder.with_name(f"{folder.name}_rows")
    told.out = told.out or (prepared if told.stage == "prepare" else folder)
    if rows and told.stage != "prepare":
        told.rows = told.rows or prepared
    if told.stage == "report" and told.results is None:
        told.results = ROOT / "out" / "results" if told.quick else ROOT / "bench" / "results"
    if told.stage == "run" and told.quick:
        told.seeds = min(told.seeds, 2)
    return told


def stem(job: Job) -> str:
    """A file name of a job."""
    return "--".join(str(part).replace(", ", "_").replace(" ", "_") for part in job)


def guarded(task: Callable[[Job, dict[str, Any]], str], job: Job, settings: dict[str, Any]) -> dict[str, Any]:
    """Do one job; what came of it, and never an exception."""
    if time.time() > settings["until"]:
        return {"job": job, "skipped": "the time is up"}
    begun = time.perf_counter()
    try:
        return {"job": job, "said": task(job, settings), "seconds": time.perf_counter() - begun}
    except Exception as error:
        if isinstance(error, ModuleNotFoundError) and error.name in LIBRARIES:
            return {"job": job, "skipped": f"{error.name} is not installed here"}
        return {"job": job, "error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}


def run(
    work: Callable[[tuple[Job, dict[str, Any]]], dict[str, Any]],
    todo: Sequence[Job],
    told: argparse.Namespace,
    settings: dict[str, Any],
) -> int:
    """Hand the jobs to ``told.jobs`` processes; 1 if any failed or was lost, else 0."""
    folder = Path(told.out)
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.time()
    settings = {**settings, "out": str(folder), "device": told.device, "quick": told.quick}
    (folder / f"machine-{os.getpid()}.json").write_text(json.dumps({**machine(), **settings}, indent=1, default=str))
    settings["until"] = begun + told.budget
    print(f"{len(todo)} jobs, {told.jobs} at a time, {told.device}, for at most {told.budget:.0f} s", flush=True)
    for name in THREADS:
        os.environ.setdefault(name, "1")  # each process has one core, and inherits this
    failed, done, skipped = 0, 0, dict[str, int]()
    # Spawned, since a forked process cannot use CUDA. Leaving the pool ends what still runs.
    with multiprocessing.get_context("spawn").Pool(min(told.jobs, max(len(todo), 1))) as pool:
        results = pool.imap_unordered(work, [(job, settings) for job in todo])
        for at in range(1, len(todo) + 1):
            left = begun + told.budget + told.grace - time.time()
            try:
                found = results.next(timeout=max(left, 0.1))
            except multiprocessing.TimeoutError:
                lost = len(todo) - at + 1
                print(f"{lost} jobs are not back {told.grace:.0f} s after the time was up: ended", flush=True)
                failed += lost
                break
            name = " ".join(str(part) for part in found["job"])
            if "error" in found:
                failed += 1
                print(f"FAILED {name}: {found['error']}\n{found['trace']}", flush=True)
            elif "skipped" in found:
                skipped[found["skipped"]] = skipped.get(found["skipped"], 0) + 1
            else:
                done += 1
                spent, seconds = time.time() - begun, found["seconds"]
                print(f"{spent:6.0f} s  {at}/{len(todo)}  {name}: {seconds:.1f} s, {found['said']}", flush=True)
        else:
            pool.close()
            pool.join()
    for why, count in skipped.items():
        print(f"{count} jobs skipped: {why}")
    print(f"{done} jobs done, {failed} failed, in {time.time() - begun:.0f} s")
    return int(failed > 0)


def machine() -> dict[str, Any]:
    """What trained."""
    told: dict[str, Any] = {"python": platform.python_version(), "cores": os.cpu_count(), "versions": {}}
    for name in ("numpy", "torch", "scikit-learn", "lightgbm", "xgboost-cpu", "xgboost", "catboost"):
        try:
            told["versions"][name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    try:
        import torch

        told["gpu"] = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    except ImportError:
        told["gpu"] = None
    return told


def results(folder: Path) -> list[Path]:
    """The record of every job anywhere below a folder, one a job: runs of several machines may lie side by side."""
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*--*.json")):
        found.setdefault(path.name, path)
    return [found[name] for name in sorted(found)]


def publish(folder: Path, name: str, result: dict[str, Any], page: str, indent: int | None = 1) -> None:
    """Write a table, ``name.json`` and ``name.md``, and print the page; one of a quick run says so."""
    if result["quick"]:
        page = "**Made with --quick: the numbers mean nothing.**\n\n" + page
    folder.mkdir(parents=True, exist_ok=True)
    told = json.dumps(result, indent=indent, separators=None if indent else (",", ":"))
    (folder / f"{name}.json").write_text(told + "\n")
    (folder / f"{name}.md").write_text(page)
    print(page)


def machines(folder: Path) -> list[dict[str, Any]]:
    """The machines that :func:`run` ran on, each once."""
    out: list[dict[str, Any]] = []
    for path in sorted(folder.rglob("machine-*.json")):
        told = json.loads(path.read_text())
        one = {key: told[key] for key in ("gpu", "cores", "python", "versions")}
        if one not in out:
            out.append(one)
    return out


def trained_on(found: Sequence[dict[str, Any]]) -> str:
    """Those machines in a sentence."""
    said = [
        ", ".join(
            [one["gpu"] or "CPU", f"{one['cores']} cores", f"Python {one['python']}"]
            + [f"{name} {version}" for name, version in one["versions"].items()]
        )
        for one in found
    ]
    return f"Trained on: {'; '.join(said)}."
