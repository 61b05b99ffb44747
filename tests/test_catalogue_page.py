"""The page of the catalogue is made from the metadata; this holds that the committed one is what would be made.

``python tests/test_catalogue_page.py`` makes it anew.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from conftest import self_contained

import smartcore as sc
from smartcore.features import page

PAGE = Path(__file__).resolve().parent.parent / "src" / "smartcore" / "features" / "catalogue.html"


def data(text: str) -> list[dict]:
    return json.loads(text.split("<script id=data type=application/json>")[1].split("</script>")[0])


def test_page_is_what_the_catalogue_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page.page(sc.catalogue()), "run python tests/test_catalogue_page.py"


def test_page_holds_every_column_and_its_meaning() -> None:
    kernels = {k["name"]: k for k in data(page.page(sc.catalogue()))}
    for column in sc.catalogue().columns:
        kernel = kernels[column.kernel.name]
        _, output, warmup = next(c for c in kernel["columns"] if c[0] == column.name)
        assert kernel["outputs"][output][:2] == [column.meaning.doc, column.meaning.unit]
        assert (
            warmup == column.warmup and kernel["doc"] == column.kernel.doc and kernel["source"] == column.kernel.source
        )
    assert sum(len(k["columns"]) for k in kernels.values()) == len(sc.catalogue().columns)


def test_page_fetches_nothing() -> None:
    text = page.page(sc.catalogue())
    self_contained(text)
    assert "NaN," not in text
    assert "prefers-color-scheme: dark" in text and "@media print" in text


def test_page_of_a_users_feature_is_escaped(tmp_path) -> None:
    from smartcore.features import user

    @sc.feature(columns={"sly": "a </script> in <b>words</b>"}, low=0)
    def sly(state, bar):
        return bar.close

    try:
        size = page.write(tmp_path / "page.html", sc.catalogue())
    finally:
        user.forget("sly")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert size > 10_000
    kernel = data(text)[-1]
    assert kernel["outputs"] == [["a </script> in <b>words</b>", "number", "≥ 0"]]
    assert kernel["columns"] == [["sly", 0, 1]]
    assert len(re.findall("</script>", text)) == 2


if __name__ == "__main__":
    PAGE.write_text(page.page(sc.catalogue()), encoding="utf-8")
