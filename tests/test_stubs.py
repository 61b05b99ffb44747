"""The stubs of the compiled core are generated from it; this holds that the committed file is what would be generated.

``python tests/test_stubs.py`` writes it anew.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

STUB = Path(__file__).resolve().parent.parent / "src" / "smartcore" / "_core.pyi"


def generate() -> str:
    """The stub of the core as it is installed, formatted."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pybind11_stubgen", "smartcore._core", "-o", folder]
        subprocess.run(command, check=True, capture_output=True)
        text = (Path(folder) / "smartcore" / "_core.pyi").read_text()
    text = re.sub(r"typing\.Supports(Int|Float) \| typing\.SupportsIndex", lambda m: m[1].lower(), text)
    text = re.sub(r"^__version__: str = .*$", "__version__: str", text, flags=re.M)
    text = re.sub(r": numpy\.dtypes\.VoidDType$", ": numpy.dtype[numpy.void]", text, flags=re.M)
    text = text.replace("import numpy.dtypes\n", "").replace(" -> dict:", " -> dict[str, typing.Any]:")
    text = text.replace(" -> list:", " -> list[dict[str, typing.Any]]:")
    text = re.sub(r"numpy\.ndarray, sample", "numpy.typing.NDArray[numpy.void], sample", text)
    text = text.replace(
        "-> tuple:", "-> tuple[numpy.typing.NDArray[numpy.int64], numpy.typing.NDArray[numpy.float64]]:"
    )
    if "smartcore.decide.Decision" in text:
        text = text.replace("smartcore.decide.Decision", "Decision").replace("import smartcore.decide\n", "")
        text = text.replace("import typing\n", "import typing\nfrom smartcore.decide.decision import Decision\n", 1)
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--stdin-filename", "_core.pyi", "-"],
        input=text, capture_output=True, text=True, check=True, cwd=STUB.parent,
    )  # fmt: skip
    return done.stdout


def test_stub_is_what_the_core_says() -> None:
    pytest.importorskip("pybind11_stubgen", reason="pip install pybind11-stubgen to check the stubs")
    assert STUB.read_text() == generate(), "run python tests/test_stubs.py"


if __name__ == "__main__":
    STUB.write_text(generate())
