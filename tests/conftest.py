"""Fixtures shared by all tests. Recorded market data is not part of the project: tests skip where it is absent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("SMARTCORE_DATA", ROOT.parent / "shared" / "data"))

# The same examples at every run, so that a run says something of the change it was made for. SMARTCORE_EXPLORE=20 makes
# new ones, that many times as many.
MORE = int(os.environ.get("SMARTCORE_EXPLORE", "1"))
settings.register_profile("same", derandomize=True)
settings.register_profile("explore", derandomize=False)
settings.load_profile("explore" if MORE > 1 else "same")


@pytest.fixture(scope="session")
def recorded():
    """Path of a recorded file below the data folder, or a skip that says what is missing."""

    def path(name: str) -> Path:
        file = DATA / name
        if not file.exists():
            pytest.skip(f"recorded market data not present: {file} (set SMARTCORE_DATA)")
        return file

    return path


def self_contained(html: str) -> None:
    """A page that needs no network."""
    assert html.startswith("<!doctype html>") and html.rstrip().endswith("</html>")
    for outside in (
        "http:",
        "https:",
        "//cdn",
        "src=",
        "href=",
        "@import",
        "url(",
        "<link",
        "<iframe",
        "fetch(",
    ):
        assert outside not in html, outside
