"""What a release says of itself, and the workflows that make it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import netc

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_changelog_begins_with_this_version() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == netc.__version__


def test_the_page_on_installing_has_every_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert set(re.findall(r'^\| `pip install "\.\[(\w+)\]"', (ROOT / "docs" / "install.md").read_text(encoding="utf-8"), re.MULTILINE)) == {
        *extras
    }


def test_workflows_call_targets_that_exist() -> None:
    called = {target for path in WORKFLOWS for target in re.findall(r"run: make ([\w-]+)", path.read_text(encoding="utf-8"))}
    assert {"test", "long", "lint", "dist"} <= called
    assert {target for target in called if not re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)} == set()


def test_workflows_have_no_more_rights_than_they_need() -> None:
    assert [path.name for path in WORKFLOWS if "permissions:\n  contents: read" not in path.read_text(encoding="utf-8")] == []
