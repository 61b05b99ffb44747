"""The same file, run by other runtimes than Python's, gives the same scores: the programs of export/SERVING.md, as they
stand there, through ONNX Runtime's C interface, onnxruntime-node and onnxruntime-web.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import model_files
import numpy as np
import pytest

from smartcore.models import BUILTIN, Model, builtin

HERE = Path(__file__).parent
PAGE = HERE.parent / "export" / "SERVING.md"


def program(language: str, path: Path) -> Path:
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    path.write_text(text)
    return path


def library() -> Path:
    """ONNX Runtime as a library of its own; the module that Python imports has another copy inside."""
    folder = Path(importlib.util.find_spec("onnxruntime").origin).parent / "capi"
    found = sorted([*folder.glob("libonnxruntime.so*"), *folder.glob("libonnxruntime.*dylib")])
    if not found:
        pytest.skip("this onnxruntime wheel has no separate library")
    return found[0]


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    """The C program, compiled against the wheel's library: the command to run it."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler")
    folder, real = tmp_path_factory.mktemp("served"), library()
    for name in ("libonnxruntime.so", "libonnxruntime.so.1", "libonnxruntime.dylib", real.name):
        (folder / name).symlink_to(real)
    source, made = program("c", folder / "serve.c"), folder / "serve"
    flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{HERE / 'served'}"]
    command = [compiler, *flags, str(source), f"-L{folder}", "-lonnxruntime", f"-Wl,-rpath,{folder}", "-o", str(made)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [str(made)]


def javascript(module: str, path: Path, *changes: tuple[str, str]) -> list[str]:
    """The JavaScript program, after the changes: the command to run it."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node")
    if subprocess.run([node, "-e", f'require("{module}")'], capture_output=True).returncode:
        pytest.skip(f"{module} is not there: npm install it anywhere and put its node_modules in NODE_PATH")
    text = program("js", path).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return [node, str(path)]


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    return javascript("onnxruntime-node", tmp_path_factory.mktemp("served") / "serve.js")


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    """WebAssembly, as in a browser."""
    path = tmp_path_factory.mktemp("served") / "serve.js"
    changes = ("onnxruntime-node", "onnxruntime-web"), ("process.argv[2]", "fs.readFileSync(process.argv[2])")
    return javascript("onnxruntime-web", path, *changes)


def served(command: list[str], path: Path, rows: np.ndarray) -> np.ndarray:
    done = subprocess.run([*command, str(path)], input=rows.astype("<f4").tobytes(), capture_output=True)
    assert done.returncode == 0, (done.stdout[-500:], done.stderr[-2000:])
    return np.array([line.split() for line in done.stdout.decode().splitlines()], float)


def worst(command: list[str], path: Path) -> float:
    """Largest difference to Python's scores, over the golden rows and 300 more, state carried from row to row."""
    model = Model.load(path)
    golden = model.contract.golden
    rows = np.concatenate([golden.rows, model_files.rows(model, 300).astype(np.float32)])
    rows[100:110] = np.nan
    scores = served(command, path, rows)
    assert scores.shape == (len(rows), 3) and np.isfinite(scores).all()
    assert np.abs(scores[: len(golden.rows)] - golden.scores).max() <= golden.tolerance
    if model.contract.states:  # a program that forgot to carry the states would be far off
        fresh = np.array([model.fork().step(row) for row in rows.astype(float)])
        assert np.abs(fresh - model.fork().run(rows)).max() > 1e-3
    return float(np.abs(scores - model.run(rows)).max())


@pytest.mark.parametrize("name", builtin())
def test_through_the_c_interface(c, name):
    assert worst(c, BUILTIN / f"{name}.onnx") <= 1e-6


@pytest.mark.parametrize("name", builtin())
def test_through_node(node, name):
    assert worst(node, BUILTIN / f"{name}.onnx") <= 1e-6


@pytest.mark.parametrize("name", builtin())
def test_through_webassembly(web, name):
    assert worst(web, BUILTIN / f"{name}.onnx") <= 1e-6


@pytest.fixture(scope="module", params=["gru_attention", "cnn"])
def net(request, tmp_path_factory):
    """Nets of several states and horizons: one that carries a cache, one that looks at windows. Random weights."""
    pytest.importorskip("torch", reason="exporting a net needs torch, part of [train]")
    path = tmp_path_factory.mktemp("nets") / f"{request.param}.onnx"
    return model_files.net(request.param, path, targets=2, **({"window": 8} if request.param == "cnn" else {}))


def test_nets_through_the_c_interface(c, net):
    assert worst(c, net) <= 1e-6


def test_nets_through_node(node, net):
    assert worst(node, net) <= 1e-6


@pytest.fixture(scope="module")
def fused(tmp_path_factory):
    """A net that steps and trees in one file."""
    pytest.importorskip("torch", reason="fusing files needs torch and onnx, part of [train]")
    from smartcore.learn.fuse import fuse

    path = tmp_path_factory.mktemp("fused") / "fused.onnx"
    fuse([BUILTIN / "gru.onnx", BUILTIN / "gbdt.onnx"], path, golden=Model.load("gru").contract.golden.rows)
    return path


def test_fused_through_the_c_interface(c, fused):
    assert worst(c, fused) <= 1e-6


def test_fused_through_node(node, fused):
    assert worst(node, fused) <= 1e-6


def test_fused_through_webassembly(web, fused):
    assert worst(web, fused) <= 1e-6


def test_the_c_program_says_what_is_wrong(c, tmp_path):
    odd = tmp_path / "odd.onnx"
    odd.write_bytes(b"not a model")
    done = subprocess.run([*c, str(odd)], input="", capture_output=True, text=True)
    assert done.returncode == 1 and "odd.onnx" in done.stdout
