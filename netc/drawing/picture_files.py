"""Which file a picture becomes: the ending of its name chooses."""

from __future__ import annotations

import os
from collections.abc import Callable

from netc.compiler.ir.graph import Program
from netc.dsl.record import Record

from .diagrams import dot, mermaid
from .page import html
from .picture import Picture
from .picture_levels import MOST_PAGES, picture
from .png import png
from .style import THEMES
from .svg import svg


class Format(Record):
    """`pages` is the number of pages that it can show."""

    write: Callable[[Picture, str], bytes]
    pages: int = 1


def _text(write: Callable[[Picture, str], str]) -> Callable[[Picture, str], bytes]:
    return lambda made, theme: write(made, theme).encode()


FORMATS: dict[str, Format] = {
    ".svg": Format(_text(lambda made, theme: svg(made.pages[0], theme))),
    ".html": Format(_text(html), MOST_PAGES),
    ".png": Format(lambda made, theme: png(svg(made.pages[0], "dark" if theme == "dark" else "light"))),
    ".mmd": Format(_text(lambda made, theme: mermaid(made.pages[0]))),
    ".dot": Format(_text(lambda made, theme: dot(made.pages[0]))),
}
"""By the ending of the file's name."""


def format_of(path: str) -> Format:
    """Raises `ValueError` for an ending that is none of a picture."""
    found = FORMATS.get(os.path.splitext(path)[1].lower())
    if found is None:
        *first, last = FORMATS
        raise ValueError(f"`{path}` is not a name for a picture: it ends neither in {', '.join(first)} nor in {last}")
    return found


def picture_bytes(
    program: Program, path: str, *, depth: int | None = None, at: str = "", theme: str = THEMES[0], before: Program | None = None
) -> bytes:
    """What a file of that name contains. What differs from the program `before` is marked.

    Raises `ValueError` for its ending, and for a stage that is not there; `CannotDraw`.
    """
    form = format_of(path)
    if theme not in THEMES:
        raise ValueError(f"there is no theme `{theme}`: there are {', '.join(THEMES)}")
    return form.write(picture(program, pages=form.pages, depth=depth, at=at, before=before), theme)
