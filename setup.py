"""Builds the one compiled module, smartcore._core; everything else is in pyproject.toml.

SMARTCORE_SANITIZE=1, SMARTCORE_COVERAGE=1 and SMARTCORE_DEBUG=1 choose another build, in a folder of its own.
"""

import os
import sys
import tomllib
from glob import glob

from pybind11.setup_helpers import ParallelCompile, Pybind11Extension
from setuptools import setup

# Nothing here may change a value: no fast-math, no -march=native, no multiply-add that only some calls fuse. Errno and
# floating-point traps, which nobody reads, are given up: square roots and choices could not be vectorised with them.
UNIX = "-O3 -ffp-contract=off -fno-math-errno -fno-trapping-math -fvisibility=hidden -Wall -Wextra -Wpedantic -Werror"
MSVC = "/O2 /fp:precise /W4 /WX"
SWITCHES = {
    "SANITIZE": "-O1 -g -UNDEBUG -fsanitize=address,undefined -fno-sanitize-recover=all",
    "COVERAGE": "-O0 -g --coverage",
    "DEBUG": "-O0 -g -UNDEBUG -D_GLIBCXX_ASSERTIONS",
}

chosen = [name for name in SWITCHES if os.environ.get(f"SMARTCORE_{name}", "0") not in ("", "0")]
extra = " ".join(SWITCHES[name] for name in chosen).split()
headers = sorted(glob("csrc/**/*.h*", recursive=True))
with open("pyproject.toml", "rb") as file:
    version = tomllib.load(file)["project"]["version"]


def stale(obj: str, src: str) -> bool:
    """Whether a source or any header is newer than the object made from it."""
    return max(map(os.path.getmtime, [src, *headers])) > os.path.getmtime(obj)


core = Pybind11Extension(
    "smartcore._core",
    sorted(glob("csrc/**/*.cpp", recursive=True)),
    include_dirs=["csrc"],
    depends=headers,
    define_macros=[("SMARTCORE_VERSION", f'"{version}"')],
    extra_compile_args=MSVC.split() if sys.platform == "win32" else UNIX.split() + extra,
    extra_link_args=[flag for flag in extra if flag.startswith(("-fsanitize", "--coverage"))],
    cxx_std=20,
)

ParallelCompile("NPY_NUM_BUILD_JOBS", needs_recompile=stale).install()
build_base = "build/" + ("-".join(chosen).lower() or "release")
setup(ext_modules=[core], options={"build": {"build_base": build_base}})
