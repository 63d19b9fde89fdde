"""Write all pages of a picture to one HTML file, in which boxes with an inside are links to its page.

Always: the file has no scripts and loads nothing, and its policy asks browsers to refuse both. It works from a disk. The part of the
address after `#` selects the page, so the browser's back button works.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from .metrics import FONT
from .picture import Page, Picture
from .style import DARK, LIGHT, make_style_sheet
from .svg import render_svg

# inline style is allowed because the style sheet is in the file itself
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def render_html(picture: Picture, theme: str = "auto") -> str:
    """Return the content of the file."""
    sections = [_render_section(number, picture.pages, theme) for number in range(len(picture.pages))]
    left_out = f"<p>{picture.left_out:,} boxes that could be opened have no page: they are too many.</p>" if picture.left_out else ""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        f"<title>{escape(picture.name)}</title><style>{_make_style(theme)}</style></head><body><main>\n"
        + "\n".join(sections)
        + f"\n{left_out}</main></body></html>\n"
    )


def _render_section(number: int, pages: Sequence[Page], theme: str) -> str:
    page = pages[number]
    kind = f' <span class="kind">{escape(page.subtitle)}</span>' if page.subtitle else ""
    parents = _find_parents(number, pages)
    path = f'<nav aria-label="Where this is">{" › ".join(_render_link(parent, pages) for parent in parents)}</nav>' if parents else ""
    drawing = render_svg(page, theme, link=_make_address, heading=False)
    title = f"<h1>{escape(page.title)}{kind}</h1>"
    return f'<section id="{_make_address(number)[1:]}">{path}{title}\n<div class="sheet">{drawing}</div></section>'


def _find_parents(number: int, pages: Sequence[Page]) -> list[int]:
    """Return the pages that lead to a page, from the outermost to the innermost."""
    parents: list[int] = []
    current = pages[number].parent
    while current is not None:
        parents.append(current)
        current = pages[current].parent
    return parents[::-1]


def _render_link(number: int, pages: Sequence[Page]) -> str:
    return f'<a href="{_make_address(number)}">{escape(pages[number].title)}</a>'


def _make_address(number: int) -> str:
    return f"#page{number}"


def _make_style(theme: str) -> str:
    colors = {"auto": LIGHT, "light": LIGHT, "dark": DARK}[theme]
    night = f"@media (prefers-color-scheme:dark){{{_make_page_colors(DARK)}}}" if theme == "auto" else ""
    return (
        f"body{{margin:0;font:15px/1.5 {FONT}}}main{{padding:16px 20px}}nav{{font-size:13px}}h1{{font-size:20px;margin:4px 0 8px}}"
        ".kind{font-weight:400;font-size:15px}section{display:none}section:target{display:block}"
        "main:not(:has(section:target))>section:first-of-type{display:block}"
        # a picture that is wider than the screen shrinks as far as it can be read; the rest is scrolled
        ".sheet{display:flex;overflow-x:auto}svg{margin:0 auto;flex:none;max-width:100%;min-width:calc(var(--wide)*.7);height:auto}"
        "svg a{cursor:pointer}svg a:hover rect,svg a:focus rect{stroke-width:3}"
        f"{_make_page_colors(colors)}{night}{make_style_sheet(theme)}"
    )


def _make_page_colors(colors: dict[str, str]) -> str:
    return f"body{{background:{colors['paper']};color:{colors['ink']}}}nav a,.kind{{color:{colors['faint']}}}"
