"""The chapters of this folder: every ```net example is checked, and what its comments claim is held against what netc says.

    x -> dense 2      # is [N, 2]            the shape at the end of this line (checked by the language's own `is`)
    x -> dens 2       # error: CODE          a diagnostic whose place begins on this line
    y = x -> relu     # warning: CODE

An example without such claims must give no diagnostic at all. ```net library examples are blocks only, to be used by the next example.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from netc.compiler.elaborate import elaborate
from netc.dsl.parser import parse
from netc.dsl.source import SourceFile

HERE = Path(__file__).parent
CHAPTERS = sorted(HERE.glob("*.md")) + [HERE.parents[1] / "docs" / "language.md"]
CLAIM = re.compile(r"#\s*(error|warning):\s*([a-z-]+(?:,\s*[a-z-]+)*)")
SHAPE = re.compile(r"#\s*is\s+(\[[^\]]*\])")
FENCE = re.compile(r"^```net\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples() -> Iterator[object]:
    for chapter in CHAPTERS:
        if not chapter.exists():
            continue
        text = chapter.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 2
            yield pytest.param(match[1], id=f"{chapter.stem}:{line}")


@pytest.mark.parametrize("example", examples())
def test_example(example: str) -> None:
    text = "\n".join(SHAPE.sub(lambda m: f"-> is {m[1]}", line) for line in example.splitlines())
    claimed = {(number, code.strip()) for number, line in enumerate(text.splitlines(), 1) for m in CLAIM.finditer(line) for code in m[2].split(",")}
    source = SourceFile("example.net", text)
    file, diagnostics = parse(source)
    program, more = elaborate(file, source)
    found = {(d.span.file.position(d.span.start)[0], d.code): d.message for d in [*diagnostics, *more]}
    assert set(found) == claimed, found
    assert program is not None or any("error" in m[1] for m in CLAIM.finditer(text)) or "input" not in text
