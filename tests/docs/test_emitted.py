"""docs/emitted.md shows what is emitted: the excerpts "after" are in the source of their model, whose number of lines is the one stated.

Where lines are left out, an excerpt has a comment `# ...`. What was emitted "before" is history, and not checked.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import netc

ROOT = Path(__file__).parents[2]
SECTION = re.compile(r"^## (\w+)\n\n`(specs/\S+)`: \d+ lines before, (\d+) after\.\n(.*?)(?=^## )", re.MULTILINE | re.DOTALL)
EXCERPT = re.compile(r"^```python after\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LEFT_OUT = re.compile(r"^ *# \.\.\.$", re.MULTILINE)
SECTIONS = SECTION.findall((ROOT / "docs" / "emitted.md").read_text(encoding="utf-8"))


def test_ten_are_shown() -> None:
    assert len({model for model, *_ in SECTIONS}) == 10


@pytest.mark.parametrize(("model", "path", "lines", "text"), SECTIONS, ids=[model for model, *_ in SECTIONS])
def test_excerpts_are_emitted(model: str, path: str, lines: str, text: str) -> None:
    source = netc.compile_file(ROOT / path, model=model).source("torch")
    (excerpt,) = EXCERPT.findall(text)
    missing = [part for part in LEFT_OUT.split(excerpt) if part.strip("\n") not in source]
    assert not missing, "no longer emitted:\n" + "\n...\n".join(missing)
    assert len(source.splitlines()) == int(lines)
