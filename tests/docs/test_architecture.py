"""The tables and the picture of docs/architecture.md have the packages that exist, in the order that the import contracts say.

The functions in the table of docs/journey.md are in the packages of their rows.
"""

from __future__ import annotations

import re
import runpy
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
MOST_WORDS = 1080


def read_rows(header: str) -> list[list[str]]:
    """The code words in the first column of a table, row by row."""
    table = PAGE.split(header, 1)[1].split("\n\n", 1)[0]
    return [re.findall(r"`([\w.]+)`", row.split("|")[1]) for row in table.splitlines()[2:]]


def folders(path: str) -> set[str]:
    return {folder.name for folder in (ROOT / path).iterdir() if (folder / "__init__.py").exists()}


def test_the_packages_of_the_compiler_are_in_the_order_of_the_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract.get("containers") == ["netc.compiler"])
    assert [set(row) for row in read_rows("| package of `compiler/` | purpose |")] == [set(layer.split(" | ")) for layer in layers]


def test_the_packages_of_netc_are_all_there() -> None:
    named = [name for row in read_rows("| package of `netc/` | purpose |") for name in row if not name.endswith(".py")]
    assert sorted(named) == sorted(folders("netc") - {"compiler", "dsl"})


def test_the_arrows_of_the_picture_are_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = ROOT / "docs" / "pictures"
    monkeypatch.syspath_prepend(str(pictures))
    labels = {names for _, _, names in runpy.run_path(str(pictures / "flow.py"))["ARROWS"]}
    packages = {"".join(names) if names[0].endswith("/") else name for names in labels for name in names} - {"calls"}
    assert {
        name for name in packages if not any((ROOT / base / name / "__init__.py").exists() for base in ("", "compiler", "netc"))
    } == set()


def test_the_functions_of_the_journey_exist() -> None:
    table = (ROOT / "docs" / "journey.md").read_text(encoding="utf-8").split("| stage | function | package |")[1]
    rows = re.findall(r"^\| [^|]+ \| `(\w+)` \| `([\w/]+)`(?:, `([\w/]+)`)?", table, re.MULTILINE)
    assert len(rows) >= 8
    for function, *packages in rows:
        files = [file for package in packages if package for file in (ROOT / package).rglob("*.py")]
        assert any(f"def {function}(" in file.read_text(encoding="utf-8") for file in files), function


def test_it_is_short() -> None:
    assert len(PAGE.split()) <= MOST_WORDS
