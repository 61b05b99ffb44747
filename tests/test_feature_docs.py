"""csrc/features/README.md says what is so: what it quotes stands in the files, its commands exist, its examples run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import smartcore as sc
from smartcore import cli
from smartcore.features import user

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "csrc" / "features" / "README.md"
TEXT = PAGE.read_text()
BLOCKS = re.findall(r"((?:^[^`\n]*`[^\n]*\n|^[^`\n]+\n)+)?\n?^```(\w+)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_quotes_stand_in_the_files():
    quoted = 0
    for before, language, code in BLOCKS:
        files = [name for name in re.findall(r"`([\w/]+\.\w+)`", before) if (ROOT / name).is_file()]
        if language == "cpp" or (language == "python" and "import" not in code):
            assert files, f"which file is this from?\n{code}"
            assert code in (ROOT / files[-1]).read_text(), f"not in {files[-1]}:\n{code}"
            quoted += 1
    assert quoted == 4


def test_files_exist():
    for name in re.findall(r"`((?:csrc|tests|src)/[\w/.]*)`", TEXT):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"\]\((\.[^)]*)\)", TEXT):
        assert (PAGE.parent / name).exists(), name


def test_commands_exist():
    (commands,) = [code for _, language, code in BLOCKS if language == "sh"]
    lines = commands.strip().split("\n")
    assert len(lines) == 6
    for line in lines:
        words = [word for word in shlex.split(line) if not re.match(r"[A-Z_]+=", word)]
        for path in (word for word in words if word.endswith(".py")):
            assert (ROOT / path).is_file(), line
        if words[0] == "smartcore":
            assert cli.main(words[1:]) == 0
        else:
            assert words[0] == "python"
    family = re.search(r"SMARTCORE_FAMILIES=(\w+)", commands)
    assert family and family[1] in sc.catalogue().families
    assert "SMARTCORE_FAMILIES" in (ROOT / "tests" / "test_laws.py").read_text()
    for command in re.findall(r"`smartcore (\w+)", TEXT):
        assert command in cli.parser().format_help()


def test_parameters_and_events_are_all_there_are():
    forms = {p.form for kernel in sc.catalogue() for p in kernel.params}
    assert forms == set(re.findall(r"^\| `'(\w)'`", TEXT, re.MULTILINE))
    names = re.search(r"kWaking\[\] = \{(.*?)\}", (ROOT / "csrc/features/node.hpp").read_text())
    events = re.findall(r"^\| `(\w+)` \| `\w+` \|", TEXT, re.MULTILINE)
    assert names and events == re.findall(r'"(\w+)"', names[1]) == list(user._FIELDS)
    for event, fields in re.findall(r"^\| `(\w+)` \| `\w+` \|[^|]*\| (.*) \|$", TEXT, re.MULTILINE):
        assert tuple(re.findall(r"`(\w+)`", fields)) == user._FIELDS[event][1]


@pytest.mark.parametrize("name", re.findall(r"^\| `'\w'` \| `([\w.]+)`", TEXT, re.MULTILINE))
def test_columns_that_are_named_exist(name):
    assert sc.catalogue().column(name).name == name


def test_examples_run():
    before = set(user.declared())
    (code,) = [code for _, language, code in BLOCKS if language == "python" and "import" in code]
    names: dict = {}
    try:
        exec(compile(code, str(PAGE), "exec"), names)
        assert names["engine"].columns == ("rsi_14", "surprise", "paid_mean")
        assert names["report"].compared > 10_000
        shown = re.search(r"`(sc\.feature\(\[\"surprise_50\".*?\(surprise\))`", TEXT, re.DOTALL)
        assert shown is not None
        eval(shown[1].replace("...", '{"mean": 0.0, "seen": 0, "window": np.zeros(50)}').replace("\n  ", " "), names)
        assert sc.FeatureSet(["surprise_50"]).specs[0].kernel.names
    finally:
        user.forget(*(set(user.declared()) - before))
