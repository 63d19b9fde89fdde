"""docs/guides/objectives.md shows the specs of specs/training: with the comment, the text and the picture of each.

A comment `<!-- drawn: SPEC MODEL DEPTH -->` above an image says how it is drawn. `pytest tests/docs --update` copies the comments and
texts, and draws the pictures anew.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import netc

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "guides" / "objectives.md"
SECTION = re.compile(
    r"^(?P<head><!-- drawn: (?P<spec>\S+) (?P<model>\w+) (?P<depth>\d) -->\n"
    r"\[!\[[^\]]+\]\(\.\./(?P<image>images/\S+\.svg)\)\]\(\.\./(?P=image)\)\n\n)"
    r"(?:(?!^<!--).)*?(?P<link>\[(?P<file>\w+\.net)\]\(\.\./\.\./(?P=spec)\)\n\n```net file=(?P=file)\n).*?^```$",
    re.MULTILINE | re.DOTALL,
)


def show_spec(match: re.Match[str]) -> str:
    """The part of the page with the comment and the text of the spec."""
    header, _, text = (ROOT / match["spec"]).read_text(encoding="utf-8").partition("\n\n")
    comment = "".join(f"{line.removeprefix('# ')}\n" for line in header.splitlines())
    return f"{match['head']}{comment}{match['link']}{text}```"


def test_every_spec_is_shown_as_it_is(update: bool) -> None:
    page = PAGE.read_text(encoding="utf-8")
    shown = [match["spec"] for match in SECTION.finditer(page)]
    assert sorted(shown) == sorted(f"specs/training/{path.name}" for path in (ROOT / "specs" / "training").glob("*.net"))
    real = SECTION.sub(show_spec, page)
    if update:
        PAGE.write_text(real, encoding="utf-8")
    assert page == real


@pytest.mark.parametrize("match", [*SECTION.finditer(PAGE.read_text(encoding="utf-8"))], ids=lambda match: match["file"])
def test_a_picture_is_drawn(match: re.Match[str], tmp_path: Path, update: bool) -> None:
    drawn = tmp_path / "drawn.svg"
    netc.compile_file(ROOT / match["spec"], model=match["model"]).draw(drawn, depth=int(match["depth"]))
    shown = ROOT / "docs" / match["image"]
    if update:
        shown.write_bytes(drawn.read_bytes())
    assert drawn.read_bytes() == shown.read_bytes()
