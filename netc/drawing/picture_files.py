"""Write a picture in the format that the ending of the file's name chooses.

>>> sorted(FORMATS)
['.dot', '.html', '.mmd', '.png', '.svg']
>>> get_format("model.gif")
Traceback (most recent call last):
ValueError: `model.gif` is not a name for a picture: it ends neither in .svg, .html, .png, .mmd nor in .dot
"""

from __future__ import annotations

import os
from collections.abc import Callable

from netc.compiler.ir.graph import Program
from netc.dsl.record import Record

from .diagrams import make_dot, make_mermaid
from .page import render_html
from .picture import Picture
from .picture_levels import MAX_PAGES, make_picture
from .png import render_png
from .style import THEMES
from .svg import render_svg


class PictureFormat(Record):
    """A format of pictures. `pages` is the most pages that a file can have."""

    write: Callable[[Picture, str], bytes]
    pages: int = 1


def _encode_text(write: Callable[[Picture, str], str]) -> Callable[[Picture, str], bytes]:
    return lambda picture, theme: write(picture, theme).encode()


FORMATS: dict[str, PictureFormat] = {
    ".svg": PictureFormat(_encode_text(lambda picture, theme: render_svg(picture.pages[0], theme))),
    ".html": PictureFormat(_encode_text(render_html), MAX_PAGES),
    # a PNG cannot follow the reader's system, so `auto` is light
    ".png": PictureFormat(lambda picture, theme: render_png(render_svg(picture.pages[0], "dark" if theme == "dark" else "light"))),
    ".mmd": PictureFormat(_encode_text(lambda picture, theme: make_mermaid(picture.pages[0]))),
    ".dot": PictureFormat(_encode_text(lambda picture, theme: make_dot(picture.pages[0]))),
}
"""The formats by the ending of the file's name."""


def get_format(path: str) -> PictureFormat:
    """Return the format of a file. Raises `ValueError` for another ending."""
    form = FORMATS.get(os.path.splitext(path)[1].lower())
    if form is None:
        *first, last = FORMATS
        raise ValueError(f"`{path}` is not a name for a picture: it ends neither in {', '.join(first)} nor in {last}")
    return form


def render_picture(
    program: Program, path: str, *, depth: int | None = None, at: str = "", theme: str = THEMES[0], before: Program | None = None
) -> bytes:
    """Return the content of a picture's file. Differences from the program `before` are marked.

    Raises `ValueError` for another ending and for a stage that does not exist, and `CannotDraw`.
    """
    form = get_format(path)
    if theme not in THEMES:
        raise ValueError(f"there is no theme `{theme}`: there are {', '.join(THEMES)}")
    return form.write(make_picture(program, pages=form.pages, depth=depth, at=at, before=before), theme)
