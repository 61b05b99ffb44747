"""One file of several: what a trained model is, as JSON, and the files of the libraries that made its parts."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

FORMAT = 1
ABOUT = "about.json"


def pack(about: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    """The bytes of an archive; the same for the same contents."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, blob in {ABOUT: json.dumps({"format": FORMAT, **about}, indent=1).encode(), **files}.items():
            archive.writestr(zipfile.ZipInfo(name), blob, zipfile.ZIP_DEFLATED)  # ZipInfo: no date of today
    return out.getvalue()


def unpack(blob: bytes) -> tuple[dict[str, Any], dict[str, bytes]]:
    """(what it is, files by name). Raises ValueError for what :func:`pack` did not make, or made in a later release."""
    try:
        with zipfile.ZipFile(io.BytesIO(blob)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        about = json.loads(files.pop(ABOUT))
        newer = about["format"] > FORMAT
    except (zipfile.BadZipFile, zlib.error, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"no archive of a trained model: {type(error).__name__}: {error}") from error
    if newer:
        raise ValueError(f"an archive of format {about['format']}, newer than {FORMAT}")
    return about, files
