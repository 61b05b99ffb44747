"""Arrows between folders point one way, the hot path is light, no recorded data is in the repository."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "smartcore"
CSRC = ROOT / "csrc"

# Each may use itself and what stands to its left. "face" is smartcore/__init__.py; to its right stands what
# uses smartcore as a caller would, and so is out of the live path's reach.
CPP_LAYERS = ["base", "market", "features", "engine", "decide", "models", "bot", "bind"]
LAYERS = [
    "errors", "_core", "market", "features", "models", "decide", "bot", "trade", "face",
    "serve", "kernels", "store", "learn", "cli",
]


def files(*suffixes: str) -> list[Path]:
    """The repository's files, tracked or new, that git does not ignore; of any suffix where none is given."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    paths = [ROOT / name for name in names.split("\0") if name]
    return [path for path in paths if path.is_file() and (not suffixes or path.suffix in suffixes)]


# --- C++ includes ---------------------------------------------------------------------------------


def includes(path: Path) -> Iterator[tuple[str, str]]:
    """(the include as written, its layer or "python" or "" for the standard library) of one file."""
    for bracket, name in re.findall(r'^\s*#\s*include\s*([<"])([^">]+)[">]', path.read_text(), re.MULTILINE):
        if name.startswith("pybind11/") or name in ("Python.h", "numpy/arrayobject.h"):
            yield name, "python"
        elif bracket == '"':
            beside = (path.parent / name).resolve()
            target = beside if beside.exists() else CSRC / name
            yield name, target.relative_to(CSRC).parts[0]
        elif (CSRC / name).exists():
            yield name, Path(name).parts[0]


def wrong_includes(path: Path) -> list[str]:
    layer = path.relative_to(CSRC).parts[0]
    allowed = CPP_LAYERS[: CPP_LAYERS.index(layer) + 1] + (["python"] if layer == "bind" else [])
    shown = path.relative_to(ROOT)
    return [f"{shown} includes {name}" for name, target in includes(path) if target not in allowed]


def test_cpp_includes_point_one_way():
    sources = [path for path in CSRC.rglob("*") if path.suffix in (".cpp", ".hpp", ".h")]
    assert [wrong for path in sources for wrong in wrong_includes(path)] == []


# --- Python imports -------------------------------------------------------------------------------


def layer_of(module: str) -> str:
    """`smartcore.market.events` -> `market`; the package itself, or a name it re-exports, -> `face`."""
    name = module.split(".")[1:2]
    return name[0] if name and name[0] in LAYERS else "face"


def imports(source: str, package: str) -> Iterator[tuple[int, str]]:
    """(line, absolute name) of every import of smartcore: in functions, relative and by import_module too."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: -(node.level - 1) or None] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            names = [str(arg.value) for arg in node.args[:1] if isinstance(arg, ast.Constant)]
        for name in names:
            if name.split(".")[0] == "smartcore":
                yield node.lineno, name


def wrong_imports(path: Path) -> list[str]:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    layer = "face" if parts == ("__init__",) else parts[0]
    if layer not in LAYERS:
        return [f"{path.relative_to(ROOT)}: give {layer!r} its place in LAYERS"]
    allowed = LAYERS[: LAYERS.index(layer) + 1]
    package = ".".join(["smartcore", *parts[:-1]])
    return [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for line, name in imports(path.read_text(), package)
        if layer_of(name) not in allowed
    ]


def test_python_imports_point_one_way():
    """Imports inside functions count as well."""
    assert [wrong for path in sorted(PACKAGE.rglob("*.py")) for wrong in wrong_imports(path)] == []


@pytest.mark.parametrize(
    ("source", "layer"),
    [
        ("import smartcore.learn.train", "learn"),
        ("from smartcore import kernels", "kernels"),
        ("from smartcore import Engine", "face"),
        ("from ..learn import train", "learn"),
        ("from .. import store", "store"),
        ("from .events import bars", "market"),
        ("def f():\n    from smartcore.serve import app", "serve"),
        ("import importlib\nimportlib.import_module('smartcore.learn')", "learn"),
    ],
)
def test_every_way_to_import_is_seen(source: str, layer: str):
    assert [layer_of(name) for _, name in imports(source, "smartcore.market")] == [layer]


def test_import_is_light():
    """`import smartcore` loads NumPy and the core; whatever else a bot may need loads when first used."""
    program = """
import sys, numpy
before = set(sys.modules)
import smartcore
new = {name.split(".")[0] for name in set(sys.modules) - before}
print(*sorted(new - set(sys.stdlib_module_names) - {"smartcore", "numpy"} | new & {"asyncio", "sqlite3"}))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []


# --- Names and contents ---------------------------------------------------------------------------


def words(name: str) -> set[str]:
    """`OrderBookManager` and `order_book_manager` -> {"order", "book", "manager"}."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}


def test_names_say_what_a_thing_is():
    banned = {"manager", "managers", "helper", "helpers", "util", "utils"}
    names = [(path, part) for path in files() for part in path.relative_to(ROOT).parts]
    for path in files(".py"):
        nodes = ast.walk(ast.parse(path.read_text()))
        names += [(path, node.name) for node in nodes if isinstance(node, ast.ClassDef)]
    for path in files(".cpp", ".hpp", ".h"):
        found = re.findall(r"^\s*(?:class|struct)\s+(\w+)", path.read_text(), re.MULTILINE)
        names += [(path, name) for name in found]
    assert [f"{path.relative_to(ROOT)}: {name}" for path, name in names if words(name) & banned] == []


def test_no_recorded_data_in_the_repository():
    """By content, not by name: Parquet, Feather version 1 and Arrow files."""
    magic = (b"PAR1", b"FEA1", b"ARROW1")
    found = []
    for path in files():
        with path.open("rb") as file:
            if file.read(6).startswith(magic) or path.suffix in (".parquet", ".feather", ".arrow"):
                found.append(str(path.relative_to(ROOT)))
    assert found == []
