"""Render a page as SVG, without scripts, images or external files.

Always: the result is well-formed XML whatever labels and names contain, because they are text in it, never markup.

    >>> import netc
    >>> from .picture_levels import make_picture
    >>> render_svg(make_picture(netc.compile("input 3 -> dense 2 as fc").program).pages[0]).startswith("<svg")
    True
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from xml.sax.saxutils import escape, quoteattr

from .drawing import Curve, Drawing, PlacedBox, Text, draw_level
from .metrics import measure_width, truncate_text
from .picture import Page
from .style import get_kind, make_style_sheet

MARGIN = 20.0
HEADING = 15.0
LEGEND = 10.5
ARROW = 5.0
Link = Callable[[int], str]
"""A function that returns the address of a page."""


def render_svg(page: Page, theme: str = "auto", link: Link | None = None, heading: bool = True) -> str:
    """Return a page as an SVG file. `link` returns the addresses of pages, to which closed boxes lead; without it, they lead nowhere. With
    it, the picture is part of an HTML page, whose style sheet finds the picture's width as `--wide`."""
    drawing = draw_level(page.level)
    top = MARGIN + (28.0 if heading else 0.0)
    title = f"{page.title} · {page.subtitle}" if page.subtitle else page.title
    legend = _wrap_legend(page.legend, max(drawing.width, 260.0))
    full_width = max(
        drawing.width,
        measure_width(title, HEADING, bold=True) if heading else 0.0,
        *(measure_width(line, LEGEND) for line in legend),
        120.0,
    )
    left = MARGIN + (full_width - drawing.width) / 2
    wide, high = full_width + 2 * MARGIN, top + drawing.height + (16.0 * len(legend) + 10 if legend else 0) + MARGIN
    size = f'width="{_fmt(wide)}" height="{_fmt(high)}" viewBox="0 0 {_fmt(wide)} {_fmt(high)}"'
    size += f' style="--wide:{_fmt(wide)}px"' if link is not None else ""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        # a picture without a heading is part of an HTML page, which has the style sheet
        f"<title>{escape(title)}</title><style>{make_style_sheet(theme)}</style>" if heading else f"<title>{escape(title)}</title>",
        f'<rect class="paper" width="{_fmt(wide)}" height="{_fmt(high)}"/>',
    ]
    if heading:
        parts.append(
            _render_text(Text(truncate_text(title, HEADING, full_width, bold=True), MARGIN, MARGIN + 10, HEADING, "title", centered=False))
        )
    parts.append(f'<g transform="translate({_fmt(left)} {_fmt(top)})">')
    parts += _render_drawing(drawing, link)
    parts.append("</g>")
    baseline = top + drawing.height + 24
    for number, line in enumerate(legend):
        parts.append(_render_text(Text(line, MARGIN, baseline + 16 * number, LEGEND, "tag", centered=False)))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _wrap_legend(words: tuple[str, ...], most: float) -> list[str]:
    lines: list[str] = []
    for word in words:
        longer = f"{lines[-1]},  {word}" if lines else word
        if lines and measure_width(longer, LEGEND) <= most:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _render_drawing(drawing: Drawing, link: Link | None) -> Iterator[str]:
    """Render boxes before the wires around them, and the inside of a frame after the frame: SVG draws later elements on top."""
    for placed in drawing.boxes:
        yield from _render_box(placed, link)
    for curve in drawing.curves:
        yield _render_curve(curve)


def _render_box(placed: PlacedBox, link: Link | None) -> Iterator[str]:
    box = placed.box
    leads = link is not None and box.opens is not None
    # `leads` would be enough, but mypy does not infer the types from it
    if leads and link is not None and box.opens is not None:
        yield f"<a href={quoteattr(link(box.opens))}>"
    yield f"<g><title>{escape(box.about)}</title>" if box.about else "<g>"
    yield _render_outline(placed)
    if box.opens is not None:
        x, y = placed.x + placed.width - 16, placed.y + placed.height / 2
        yield f'<path class="head" d="M{_fmt(x)} {_fmt(y - 4)}l5 4l-5 4z"/>'
    yield from map(_render_text, placed.texts)
    yield "</g>"
    if leads:
        yield "</a>"
    for x, y, end in placed.stubs:
        yield f'<path class="curve" d="M{_fmt(x)} {_fmt(y)}V{_fmt(end)}"/>'
    yield from map(_render_text, placed.tags)
    if placed.inside is not None:
        yield from _render_drawing(placed.inside, link)


def _render_outline(placed: PlacedBox) -> str:
    box = placed.box
    x, y, wide, high = _fmt(placed.x), _fmt(placed.y), _fmt(placed.width), _fmt(placed.height)
    area = f'x="{x}" y="{y}" width="{wide}" height="{high}"'
    change = f" {box.change}" if box.change else ""
    if box.shape == "port" and not box.title:
        return f'<circle class="head" cx="{_fmt(placed.x + placed.width / 2)}" cy="{_fmt(placed.y + placed.height / 2)}" r="3"/>'
    if box.shape in ("port", "input", "output"):
        return f'<rect class="box end{change}" {area} rx="{_fmt(placed.height / 2)}"/>'
    if box.frame is not None:
        return f'<rect class="frame{change}" {area} rx="10"/>'
    kind = get_kind(box.family)
    # a second outline, drawn first and moved a little, shows that the box stands for several stages
    shadow = "".join(
        f'<rect class="box {kind}" x="{_fmt(placed.x + d)}" y="{_fmt(placed.y + d)}" width="{wide}" height="{high}" rx="6"/>'
        for d in ((3.5,) if box.times > 1 else ())
    )
    return f'{shadow}<rect class="box {kind}{change}" {area} rx="6"/>'


def _render_text(text: Text) -> str:
    anchor = ' text-anchor="middle"' if text.centered else ""
    return (
        f'<text class="{text.style}" x="{_fmt(text.x)}" y="{_fmt(text.y)}" font-size="{_fmt(text.size)}"{anchor}>{escape(text.text)}</text>'
    )


def _render_curve(curve: Curve) -> str:
    points = list(curve.points)
    path = f"M{_fmt(points[0][0])} {_fmt(points[0][1])}"
    for index in range(1, len(points), 3):
        path += "C" + " ".join(f"{_fmt(x)} {_fmt(y)}" for x, y in points[index : index + 3])
    drawn_path = f'<path class="curve" d="{path}"/>'
    if not curve.arrow:
        return drawn_path
    x, y = points[-1]
    head = f"M{_fmt(x)} {_fmt(y)}l{_fmt(-ARROW * 0.8)} {_fmt(-ARROW * 1.5)}h{_fmt(ARROW * 1.6)}z"
    return f'{drawn_path}<path class="head" d="{head}"/>'


def _fmt(value: float) -> str:
    """Return a coordinate in few characters."""
    return f"{value:.1f}".removesuffix(".0")
