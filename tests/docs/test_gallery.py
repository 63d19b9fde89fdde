"""docs/gallery.md is true: `netc draw` draws its pictures, and its excerpts are in the specs.

A comment `<!-- drawn: SPEC MODEL DEPTH -->` above an image says how it is drawn. Where lines are left out of an excerpt, it has a line
`# ...`.
`pytest tests/docs --update` draws the pictures anew.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import netc

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
SECTIONS = re.findall(
    r"^<!-- drawn: (\S+) (\w+) (\d) -->\n\[!\[[^\]]+\]\((images/\S+\.svg)\)\]\(\4\)\n(.*?)^```net\n(.*?)^```$",
    TEXT,
    re.MULTILINE | re.DOTALL,
)
LEFT_OUT = re.compile(r"^ *# \.\.\.\n", re.MULTILINE)


def test_twelve_are_shown() -> None:
    assert len({picture for *_, picture, _, _ in SECTIONS}) == len(re.findall("<!-- drawn", TEXT)) == 12


@pytest.mark.parametrize(("spec", "model", "depth", "picture", "text", "excerpt"), SECTIONS, ids=[model for _, model, *_ in SECTIONS])
def test_a_network_is_as_shown(
    spec: str, model: str, depth: str, picture: str, text: str, excerpt: str, tmp_path: Path, update: bool
) -> None:
    source = (ROOT / spec).read_text(encoding="utf-8")
    assert [part for part in LEFT_OUT.split(excerpt) if part.strip("\n") not in source] == []
    assert f"](../{spec})" in text
    drawn = tmp_path / "drawn.svg"
    netc.compile_file(ROOT / spec, model=model).draw(drawn, depth=int(depth))
    shown = ROOT / "docs" / picture
    if update:
        shown.write_bytes(drawn.read_bytes())
    assert drawn.read_bytes() == shown.read_bytes()
