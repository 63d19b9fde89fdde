"""What a release says of itself, and the workflows that make it."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import netc

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
LONGEST_CHANGE = 170
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_changelog_begins_with_this_version() -> None:
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == netc.__version__


def test_each_change_is_one_line() -> None:
    """One that needs more belongs in docs/."""
    lines = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").partition("\n## ")[2].splitlines()[1:]
    entries = [line for line in lines if line.startswith("- ")]
    assert len(entries) > 50
    assert [line for line in entries if len(line) > LONGEST_CHANGE or not line.endswith(".")] == []
    assert [line for line in lines if line.startswith(" ")] == []


def test_workflows_call_targets_that_exist() -> None:
    called = {target for path in WORKFLOWS for target in re.findall(r"run: make ([\w-]+)", path.read_text(encoding="utf-8"))}
    assert {"test", "long", "lint", "dist"} <= called
    assert {target for target in called if not re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)} == set()


def test_workflows_have_no_more_rights_than_they_need() -> None:
    assert [path.name for path in WORKFLOWS if "permissions:\n  contents: read" not in path.read_text(encoding="utf-8")] == []


def test_the_description_of_the_package_has_no_links_to_files_that_are_not_there() -> None:
    """A package index shows README.md alone."""
    description = runpy.run_path(str(ROOT / "setup.py"), run_name="setup")["description"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    links = set(re.findall(r"\]\(([^)\s#]+)[^)\s]*\)", readme))
    assert "docs/language/index.md" in links
    without = description(readme, None)
    assert {link for link in re.findall(r"\]\(([^)]+)\)", without) if not link.startswith(("#", "https:"))} == set()
    assert "[docs/install.md]" not in without
    assert "Some commands need more packages." in " ".join(without.split())
    assert "animation.svg" not in without
    somewhere = description(readme, "https://example.org/netc")
    assert "(https://example.org/netc/blob/HEAD/docs/language/index.md)" in somewhere
    assert "(https://example.org/netc/raw/HEAD/docs/pictures/animation.svg)" in somewhere
    assert {link for link in re.findall(r"\]\(([^)]+)\)", somewhere) if not link.startswith(("#", "https:"))} == set()


def test_every_folder_of_specs_is_a_package() -> None:
    """Else setuptools warns of each at length that it `would be ignored`, and what matters is lost among it."""
    packages = runpy.run_path(str(ROOT / "setup.py"), run_name="setup")["packages"]()
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "specs").rglob("*.net")}
    assert {".".join(("netc", *folder.parts)) for folder in folders} - {*packages} == set()
