"""A name with the warning `unused-name` can have another name, and nothing else changes: no text needs it."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import pytest

from netc.service.workspace import Workspace

ROOT = Path(__file__).parents[2]
TEXTS = [
    *(path.read_text(encoding="utf-8") for path in sorted((ROOT / "specs").rglob("*.net"))),
    *(
        match[1]
        for page in sorted((ROOT / "tests" / "language").glob("*.md"))
        for match in re.finditer(r"```net[^\n]*\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    ),
]
NAME = re.compile(r"\b[a-z]\w*\b")


def shifted(text: str, random: Random) -> str:
    """The text with another of its names in one place, so that a name may be used less, and another one more."""
    names = list(NAME.finditer(text))
    place, other = random.choice(names), random.choice(names)
    return text[: place.start()] + other[0] + text[place.end() :]


@pytest.mark.long
def test_an_unused_name_can_have_another() -> None:
    random, workspace, path, checked = Random(5), Workspace(), str(ROOT / "specs" / "shifted.net"), 0

    def diagnose(text: str) -> tuple[set[int], bool]:
        workspace.open_text(path, text)
        found = workspace.check_text(path)
        assert found is not None
        every = found.collect_diagnostics()
        return {one.span.start for one in every if one.code == "unused-name"}, any(one.severity == "error" for one in every)

    for _ in range(3_000):
        text = shifted(random.choice(TEXTS), random)
        unused, failed = diagnose(text) if len(text) < 2_500 else (set(), True)
        for start in unused if not failed else ():
            name = NAME.match(text, start)
            if name is None or f" {name[0]}=" in text:  # a parameter, whose name its uses give
                continue
            checked += 1
            assert not diagnose(f"{text[:start]}_other{text[name.end() :]}")[1], text
    assert checked > 5
