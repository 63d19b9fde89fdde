"""Links between the pages lead somewhere: files exist, and so do the headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]*)(?:#([^)\s]*))?\)")
FENCE = re.compile(r"^(```.*?^```$|    [^\n]*$)|`[^`\n]*`", re.MULTILINE | re.DOTALL)
OF_THE_SITE = {
    ROOT / "docs" / "index.md": ROOT / "README.md",
    ROOT / "docs/errors/index.md": ROOT / "docs/errors",
    ROOT / "docs/words/index.md": ROOT / "docs/words",
}
"""Pages that the site makes of others."""


def prose(path: Path) -> str:
    return FENCE.sub("", path.read_text(encoding="utf-8"))


@cache
def anchors(path: Path) -> set[str]:
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL), re.MULTILINE
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def broken(path: Path) -> Iterator[str]:
    for target, anchor in LINK.findall(prose(path)):
        if re.match(r"\w+:", target):
            continue
        found = (path.parent / target).resolve() if target else path
        found = OF_THE_SITE.get(found, found)
        if not found.exists() or (anchor and anchor not in anchors(found)):
            yield f"{target}#{anchor}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links(path: Path) -> None:
    assert [*broken(path)] == []


def test_pages_of_the_site_are_in_its_menu() -> None:
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    docs = ROOT / "docs"
    names = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    assert {name for name in names if not name.startswith(("decisions/", "errors/", "operators/", "words/")) and name not in menu} == set()
