"""The emitted source of a published network is no longer than the code of its reference.

Lines of code are counted as for docs/zoo.md, on both sides: neither blank lines nor comments nor docstrings, and of the reference what the
network needs. `PYTHONPATH=tests python -m zoo.test_lines` prints them, with the ratio of both, and writes the table of docs/emitted.md: its
columns "before" are what commit 8792f06 emitted, and stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from zoo import record
from zoo.catalogue import Entry, compiled, entries, files
from zoo.published import as_published
from zoo.reference import code_lines

PAGE = Path(__file__).parents[2] / "docs" / "emitted.md"
ROW = re.compile(r"\| (\w+) \| (\d+) \| (\d+) \| (\d+) ")
"""A model of the table: the lines before and after, and the lines of the reference."""


def published() -> Iterator[tuple[Entry, int]]:
    """The models of torchvision and transformers, with the lines of their references."""
    known = record.measured()
    for entry in (entry for spec in files() for entry in entries(spec)):
        if entry.key in known and not known[entry.key]["reference"].startswith("by hand"):
            yield entry, known[entry.key]["lines"]


def lines(entry: Entry) -> int:
    return len(code_lines(compiled(entry, as_published(entry)).source()))


@pytest.mark.zoo
@pytest.mark.parametrize(("entry", "reference"), [pytest.param(entry, count, id=entry.model) for entry, count in published()])
def test_no_longer_than_the_reference(entry: Entry, reference: int) -> None:
    assert lines(entry) <= reference


def table(page: str, found: Mapping[str, tuple[int, int]]) -> str:
    """The page with the lines of each model, and of its reference, in its table."""

    def row(match: re.Match[str]) -> str:
        model, before, *_ = match.groups()
        after, reference = found[model]
        return f"| {model} | {before} | {after} | {reference} "

    return ROW.sub(row, page)


@pytest.mark.zoo
def test_table_is_fresh() -> None:
    page = PAGE.read_text()
    named = {match[1] for match in ROW.finditer(page)}
    assert table(page, {e.model: (lines(e), reference) for e, reference in published() if e.model in named}) == page


if __name__ == "__main__":
    measured = {}
    for entry, reference in published():
        measured[entry.model] = lines(entry), reference
        print(f"{entry.key:50} {measured[entry.model][0]:5} {reference:5} {measured[entry.model][0] / reference:.2f}", flush=True)
    PAGE.write_text(table(PAGE.read_text(), measured))
