"""The files: well-formed, whole, and with nothing in them but what netc has written, whatever names and labels contain."""

from __future__ import annotations

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

import netc
from netc.drawing.diagrams import make_dot, make_mermaid
from netc.drawing.drawing import draw_level
from netc.drawing.metrics import label_text, measure_width, truncate_text
from netc.drawing.page import render_html
from netc.drawing.picture import Box, Level, Page, Picture, Wire
from netc.drawing.picture_files import FORMATS, render_picture
from netc.drawing.picture_levels import make_picture
from netc.drawing.style import KINDS
from netc.drawing.svg import render_svg
from netc.reference.operator_reference import group_by_family

HOSTILE = (
    "</title><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a & b < c > d 'e' \"f\"",
    "]]> <!-- -->",
    'x\\" ]; evil [label="',
    '"]; click n_0 href "https://example.org"',
    "`%%{init}%%`",
    "🙂 漢字 ẞ é",
    "&#0; &lt;",
)
ELEMENTS = {"html", "head", "meta", "title", "style", "body", "main", "section", "nav", "a", "h1", "span", "div"}
ELEMENTS |= {"svg", "rect", "g", "path", "text", "circle"}
TEXT = "block b { dense 4 relu -> dense 4 }\nx = input 4; x -> b as one -> relu -> b as two"


def hostile() -> Picture:
    boxes = [Box("input", HOSTILE[0], tags=(HOSTILE[1],), about=HOSTILE[2])]
    wires = []
    for number, text in enumerate(HOSTILE):
        wires.append(Wire(number, 0, number + 1))
        boxes.append(
            Box("block" if number % 2 else "stage", text, (text, text), text, (text,), about=text, opens=1 if number % 2 else None)
        )
    page = Page(HOSTILE[0], HOSTILE[1], Level(tuple(boxes), tuple(wires)), HOSTILE)
    return Picture(HOSTILE[0], (page, Page(HOSTILE[1], "", page.level, (), 0)))


class Elements(HTMLParser):
    """The names of all elements and attributes, and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[tuple[str, str | None]] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= set(attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_svg_is_xml_and_its_texts_are_texts() -> None:
    root = ElementTree.fromstring(render_svg(hostile().pages[0]))
    names = {element.tag.partition("}")[2] for element in root.iter()}
    assert names == {"svg", "title", "style", "rect", "g", "path", "text"}
    texts = {element.text for element in root.iter() if element.tag.endswith("}text")}
    assert {text for text in HOSTILE if measure_width(text, 10) < 300} <= texts


def test_html_has_no_scripts_and_loads_nothing() -> None:
    text = render_html(hostile())
    found = Elements()
    found.feed(text)
    assert found.names <= ELEMENTS
    assert {name for name, _ in found.attributes if name.startswith("on")} == set()
    addresses = {value for name, value in found.attributes if name in ("href", "src", "xlink:href")}
    assert addresses <= {"#page0", "#page1"}
    assert "url(" not in text
    assert "@import" not in text
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in found.attributes
    assert HOSTILE[0] in found.text


def test_every_link_leads_to_a_page() -> None:
    model = netc.compile_file(Path(__file__).parents[2] / "specs/generative/ddpm.net")
    text = render_html(make_picture(model.program))
    assert set(re.findall(r'href="#(\w+)"', text)) <= set(re.findall(r'<section id="(\w+)"', text))
    assert text.count("<section") > 20


def test_every_page_of_an_html_is_well_formed() -> None:
    for page in hostile().pages:
        ElementTree.fromstring(render_svg(page, link=lambda number: f"#page{number}", heading=False))


def test_labels_do_not_end_their_quotes_in_mermaid() -> None:
    """Only these forms of lines; within quotes there is neither a quote nor what Mermaid takes for markup."""
    line = re.compile(
        r'flowchart TB| *(n(_\d+)+(\["[^"`<>]*(<br>[^"`<>]*)*"\]|\(\["[^"`<>]*(<br>[^"`<>]*)*"\]\))|n(_\d+)+ -->(\|"[^"`<>]*"\|)? n(_\d+)+'
        r'|subgraph n(_\d+)+\["[^"`<>]*(<br>[^"`<>]*)*"\]|end)'
    )
    text = make_mermaid(hostile().pages[0])
    assert [one for one in text.splitlines() if not line.fullmatch(one)] == []


def test_labels_do_not_end_their_quotes_in_dot() -> None:
    quoted = r'"(?:[^"\\]|\\.)*"'
    line = re.compile(
        rf" *(digraph {quoted} {{|node \[[^\]]*\];|n(_\d+)+ \[label={quoted}(, shape=oval)?\];"
        rf"|n(_\d+)+ -> n(_\d+)+( \[label={quoted}\])?;|subgraph cluster_n(_\d+)+ {{ label={quoted};|}})"
    )
    text = make_dot(hostile().pages[0])
    assert [one for one in text.splitlines() if not line.fullmatch(one)] == []


@pytest.mark.parametrize("suffix", [s for s in FORMATS if s != ".png"])
def test_the_same_spec_gives_the_same_file(suffix: str) -> None:
    first, again = (render_picture(netc.compile(TEXT).program, f"x{suffix}") for _ in range(2))
    assert first == again
    assert b"one" in first


def test_control_characters_are_escaped() -> None:
    assert label_text("a\x00b\u202ec\ud800\n") == "a\\u{0}b\\u{202e}c\\u{d800} "
    page = Page(label_text("\x00\x1b"), "", Level((Box("input", label_text("\x07\u202e")),), ()))
    ElementTree.fromstring(render_svg(page))


def test_texts_are_cut_where_they_are_too_wide() -> None:
    for text in ("W" * 500, "i" * 500, "🙂" * 50, "short"):
        shown = truncate_text(text, 12, 200)
        assert measure_width(shown, 12) <= 200
        assert shown == text or (shown.endswith("…") and text.startswith(shown[:-1]) and len(shown) > 5)


def test_texts_that_just_fit_are_kept() -> None:
    """No character is lost where the text, or its beginning with the ellipsis, is exactly as wide as the space."""
    for text in ("minimum", "Wide words"):
        assert truncate_text(text, 12, measure_width(text, 12)) == text
        assert truncate_text(text, 12, measure_width(text[:4] + "…", 12)) == text[:4] + "…"


def test_widths_are_those_of_the_font() -> None:
    """DejaVu Sans comes with matplotlib, and with most systems."""
    fonts = pytest.importorskip("PIL.ImageFont")
    for style, bold in (("", False), ("-Bold", True)):
        try:
            font = fonts.truetype(f"DejaVuSans{style}.ttf", 1000)
        except OSError:
            pytest.skip("there is no DejaVu Sans")
        for code in range(32, 127):
            assert measure_width(chr(code), 1000, bold) == pytest.approx(font.getlength(chr(code)), abs=1)


def test_families_of_colors_exist() -> None:
    named = [family for members, _, _ in KINDS.values() for family in members]
    assert len(named) == len(set(named))
    assert set(named) <= set(group_by_family())


def test_boxes_are_as_wide_as_their_texts() -> None:
    for placed in draw_level(hostile().pages[0].level).boxes:
        assert all(text.width <= placed.width for text in placed.texts)


def test_png() -> None:
    pytest.importorskip("resvg_py")
    data = render_picture(netc.compile(TEXT).program, "x.png")
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert len(data) > 2000


@pytest.mark.long
def test_a_browser_shows_the_page_of_a_block(tmp_path: Path) -> None:
    """What follows `#` chooses the page, with nothing but a style sheet."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no Chromium")
    path = tmp_path / "a.html"
    path.write_text(render_html(make_picture(netc.compile(TEXT).program, depth=0)))
    seen = {}
    for name in ("", "#page0", "#page1"):
        shot = tmp_path / f"shot{name[1:]}.png"
        words = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=600,800", f"--user-data-dir={tmp_path / 'profile'}"]
        subprocess.run([browser, *words, f"--screenshot={shot}", f"{path.as_uri()}{name}"], check=True, capture_output=True, timeout=120)
        seen[name] = shot.read_bytes()
    assert seen[""] == seen["#page0"]
    assert seen["#page1"] != seen["#page0"]


def test_a_negative_depth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="`depth` must be at least 0, not -1"):
        netc.compile(TEXT).draw(tmp_path / "m.svg", depth=-1)
