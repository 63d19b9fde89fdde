"""Every command in our texts that installs something works from a checkout, and would work from a package index.

No text names an extra of netc on an index, such as `netc[draw]`: netc is not there, and pip would install whatever has that name.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from netc.compiler.errors.optional_packages import DISTRIBUTIONS, format_install_command

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
DEVELOPMENT = {"dev", "docs", "imports"}
"""Extras that no command of netc needs."""
FOLDERS = ("bench", "compiler", "docs", "dsl", "editors", "netc", "playground")
SUFFIXES = {".js", ".json", ".lua", ".md", ".mjs", ".py", ".el", ".toml"}


def texts() -> Iterator[Path]:
    for path in (*ROOT.glob("*.md"), ROOT / "Makefile", *(p for folder in FOLDERS for p in (ROOT / folder).rglob("*"))):
        if "node_modules" not in path.parts and (path.suffix in SUFFIXES or path.name == "Makefile") and path.is_file():
            yield path


def packages(extra: str) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in EXTRAS[extra]}


def test_no_text_names_an_extra_on_an_index() -> None:
    found = [
        (path.relative_to(ROOT).as_posix(), match[0])
        for path in texts()
        for match in re.finditer(r"\bnetc\[\w+\]|pip install (-\S+ )*['\"]?netc\b", path.read_text(encoding="utf-8"))
    ]
    assert [(name, text) for name, text in found if name != "compiler/errors/optional_packages.py"] == []


def test_extras_of_a_checkout_exist() -> None:
    named = [(path, extra) for path in texts() for extra in re.findall(r"['\"]\.\[([\w,]+)\]['\"]", path.read_text(encoding="utf-8"))]
    assert {part for _, extra in named for part in extra.split(",")} >= DEVELOPMENT
    assert [(path, extra) for path, extra in named if not set(extra.split(",")) <= EXTRAS.keys()] == []


def test_the_packages_in_messages_are_those_of_the_extras() -> None:
    needed = {name for extra in EXTRAS.keys() - DEVELOPMENT for name in packages(extra)}
    assert {canonicalize_name(name) for name in DISTRIBUTIONS.values()} == needed


@pytest.mark.parametrize("extra", sorted(EXTRAS.keys() - DEVELOPMENT))
def test_the_page_on_installing_has_the_command_of_each_extra(extra: str) -> None:
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    (command,) = re.findall(rf"^\| `pip install ([^`]+)` \| `{extra}` \|", page, re.MULTILINE)
    assert {canonicalize_name(word) for word in command.split()} == packages(extra)


def test_a_submodule_and_a_module_that_is_in_no_table() -> None:
    assert format_install_command("onnx_ir.passes", "scipy") == "pip install onnx-ir scipy"
