"""The pictures of README.md and docs/architecture.md show what netc says today.

`make pictures`, or `pytest tests/docs --update`, draws them again.
"""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from netc.training.curves import draw_curves

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "pictures"
PICTURES = sorted(FOLDER.glob("*.svg"))
MOST_BYTES = 500_000
SVG = "{http://www.w3.org/2000/svg}"
ELEMENTS = {"svg", "title", "style", "g", "rect", "path", "text", "tspan", "line", "polyline", "circle"}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names of the script that draws them."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return runpy.run_path(str(FOLDER / "make.py"))


def test_they_show_what_netc_says(script: dict[str, Any], update: bool) -> None:
    for name, draw in script["PICTURES"].items():
        drawn = draw()
        if update:
            (FOLDER / name).write_text(drawn, encoding="utf-8")
        assert drawn == (FOLDER / name).read_text(encoding="utf-8"), f"{name} is not what netc says today: make pictures"
    assert {path.name for path in PICTURES} == {*script["PICTURES"], "curves.svg"}


def test_the_error_is_shown_and_mended_and_the_shapes_follow(script: dict[str, Any]) -> None:
    frames = [frame for frame in script["draw_animation"].__globals__["storyboard"]() if frame.seconds > 1]
    assert [len(frame.state.errors) for frame in frames] == [0, 1, 0, 0]
    assert "error[shape-mismatch]: cannot add [N, 16, 32, 32] and [N, 16, 30, 30]" in frames[1].state.report
    assert [frame.state.shapes[1] for frame in frames] == ["# [N, 16, 32, 32]"] * 3 + ["# [N, 16, H, W]"]


def test_the_curves_have_the_words_of_netc_plot() -> None:
    """Their numbers differ between machines."""
    averages = {"loss": 0.5, "accuracy": 0.5}
    metrics = [{"step": step, "epoch": 1.0, "lr": 0.1, **averages, "validation": averages} for step in (1, 2)]

    def words(svg: str) -> set[str]:
        return {text for text in re.findall(r"<text[^>]*>([^<]*)</text>", svg) if not re.fullmatch(r"[\d.e-]+", text)}

    assert words((FOLDER / "curves.svg").read_text(encoding="utf-8")) == words(draw_curves({"run": metrics}))


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_a_page_can_show_it_as_an_image(path: Path) -> None:
    """It is small, loads nothing, has no scripts, and has a size."""
    text = path.read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    assert path.stat().st_size <= MOST_BYTES
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= ELEMENTS
    assert "url(" not in text
    assert "href" not in text
    assert {"width", "height"} <= root.attrib.keys()
    assert path.stem == "curves" or "prefers-color-scheme:dark" in text


def test_pages_show_all_of_them_and_say_what_they_show() -> None:
    pages = {ROOT / "README.md": "docs/pictures/", ROOT / "docs" / "architecture.md": "pictures/"}
    shown = {
        name: words
        for page, folder in pages.items()
        for words, name in re.findall(rf"!\[(.+?)\]\({folder}([\w.]+)\)", page.read_text(encoding="utf-8"))
    }
    assert shown.keys() == {path.name for path in PICTURES}
    assert all(len(words) > 30 for words in shown.values())
