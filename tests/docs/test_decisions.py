"""Each decision is a page with a number, a topic and a date. `pytest tests/docs --update` writes the list, docs/decisions/index.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "decisions"
PAGES = sorted(path for path in FOLDER.glob("*.md") if path.name != "index.md")
START = re.compile(r"# (?P<title>[^\n]+)\n\n\*(?P<topic>[^\n,]+), (?P<date>\d{4}-\d\d-\d\d)\*\n\n\S")
INTRODUCTION = """\
# Decisions

Each page records one decision: what netc does, and why. Read it before you change that part. The rules for users are in
[the language](../language/index.md), the overview of the code is in [the architecture](../architecture.md).

To record a decision, add `NNN-title.md` with the next number. Start it as the other pages start: the title, the topic and the
date. Then run `pytest tests/docs -k decisions --update`, which writes this list.
"""


def list_decisions() -> str:
    """The page with a table of decisions for each topic, in the order of their first pages."""
    rows: dict[str, list[str]] = {}
    for page in PAGES:
        start = START.match(page.read_text(encoding="utf-8"))
        assert start is not None, f"{page.name} does not start with a title, a topic and a date"
        rows.setdefault(start["topic"], []).append(f"| {page.name[:3]} | [{start['title']}]({page.name}) | {start['date']} |\n")
    return INTRODUCTION + "".join(
        f"\n## {topic}\n\n| | decision | date |\n|---|---|---|\n{''.join(lines)}" for topic, lines in rows.items()
    )


def test_the_list_of_decisions_is_complete(update: bool) -> None:
    if update:
        (FOLDER / "index.md").write_text(list_decisions(), encoding="utf-8")
    assert (FOLDER / "index.md").read_text(encoding="utf-8") == list_decisions()


def test_decisions_are_numbered_one_by_one() -> None:
    assert [path.name[:4] for path in PAGES] == [f"{number:03}-" for number in range(1, len(PAGES) + 1)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_decision_is_short(page: Path) -> None:
    assert len(page.read_text(encoding="utf-8").split()) <= 450
