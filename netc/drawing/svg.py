"""A page as SVG: text without scripts, images or anything from elsewhere.

Always: it is well-formed XML whatever labels and names contain, which are text in it and never markup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from xml.sax.saxutils import escape, quoteattr

from .drawing import Curve, Drawing, Placed, Text, drawn
from .metrics import fitted, width
from .picture import Page
from .style import kind_of, style_sheet

MARGIN = 20.0
HEADING = 15.0
LEGEND = 10.5
ARROW = 5.0
Link = Callable[[int], str]
"""The address of a page."""


def svg(page: Page, theme: str = "auto", link: Link | None = None, heading: bool = True) -> str:
    """The page as a file of its own. `link` gives the addresses that closed boxes lead to; without, they lead nowhere. With it, the picture
    is part of a page, whose style sheet finds its width as `--wide`."""
    drawing = drawn(page.level)
    top = MARGIN + (28.0 if heading else 0.0)
    title = f"{page.title} · {page.subtitle}" if page.subtitle else page.title
    legend = _wrapped(page.legend, max(drawing.width, 260.0))
    whole = max(drawing.width, width(title, HEADING, bold=True) if heading else 0.0, *(width(line, LEGEND) for line in legend), 120.0)
    left = MARGIN + (whole - drawing.width) / 2
    wide, high = whole + 2 * MARGIN, top + drawing.height + (16.0 * len(legend) + 10 if legend else 0) + MARGIN
    size = f'width="{_n(wide)}" height="{_n(high)}" viewBox="0 0 {_n(wide)} {_n(high)}"'
    size += f' style="--wide:{_n(wide)}px"' if link is not None else ""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{escape(title)}</title><style>{style_sheet(theme)}</style>" if heading else f"<title>{escape(title)}</title>",
        f'<rect class="paper" width="{_n(wide)}" height="{_n(high)}"/>',
    ]
    if heading:
        parts.append(_text(Text(fitted(title, HEADING, whole, bold=True), MARGIN, MARGIN + 10, HEADING, "title", centered=False)))
    parts.append(f'<g transform="translate({_n(left)} {_n(top)})">')
    parts += _drawing(drawing, link)
    parts.append("</g>")
    at = top + drawing.height + 24
    for number, line in enumerate(legend):
        parts.append(_text(Text(line, MARGIN, at + 16 * number, LEGEND, "tag", centered=False)))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _wrapped(words: tuple[str, ...], most: float) -> list[str]:
    lines: list[str] = []
    for word in words:
        longer = f"{lines[-1]},  {word}" if lines else word
        if lines and width(longer, LEGEND) <= most:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _drawing(drawing: Drawing, link: Link | None) -> Iterator[str]:
    """Boxes before the wires around them, and what is inside of a frame after the frame."""
    for placed in drawing.boxes:
        yield from _box(placed, link)
    for curve in drawing.curves:
        yield _curve(curve)


def _box(placed: Placed, link: Link | None) -> Iterator[str]:
    box = placed.box
    leads = link is not None and box.opens is not None
    if leads and link is not None and box.opens is not None:
        yield f"<a href={quoteattr(link(box.opens))}>"
    yield f"<g><title>{escape(box.about)}</title>" if box.about else "<g>"
    yield _outline(placed)
    if box.opens is not None:
        x, y = placed.x + placed.width - 16, placed.y + placed.height / 2
        yield f'<path class="head" d="M{_n(x)} {_n(y - 4)}l5 4l-5 4z"/>'
    yield from map(_text, placed.texts)
    yield "</g>"
    if leads:
        yield "</a>"
    for x, y, end in placed.stubs:
        yield f'<path class="curve" d="M{_n(x)} {_n(y)}V{_n(end)}"/>'
    yield from map(_text, placed.tags)
    if placed.inside is not None:
        yield from _drawing(placed.inside, link)


def _outline(placed: Placed) -> str:
    box = placed.box
    x, y, wide, high = _n(placed.x), _n(placed.y), _n(placed.width), _n(placed.height)
    area = f'x="{x}" y="{y}" width="{wide}" height="{high}"'
    change = f" {box.change}" if box.change else ""
    if box.shape == "port" and not box.title:
        return f'<circle class="head" cx="{_n(placed.x + placed.width / 2)}" cy="{_n(placed.y + placed.height / 2)}" r="3"/>'
    if box.shape in ("port", "input", "output"):
        return f'<rect class="box end{change}" {area} rx="{_n(placed.height / 2)}"/>'
    if box.frame is not None:
        return f'<rect class="frame{change}" {area} rx="10"/>'
    shadow = "".join(
        f'<rect class="box {kind_of(box.family)}" x="{_n(placed.x + d)}" y="{_n(placed.y + d)}" width="{wide}" height="{high}" rx="6"/>'
        for d in ((3.5,) if box.times > 1 else ())
    )
    return f'{shadow}<rect class="box {kind_of(box.family)}{change}" {area} rx="6"/>'


def _text(text: Text) -> str:
    anchor = ' text-anchor="middle"' if text.centered else ""
    return f'<text class="{text.style}" x="{_n(text.x)}" y="{_n(text.y)}" font-size="{_n(text.size)}"{anchor}>{escape(text.text)}</text>'


def _curve(curve: Curve) -> str:
    points = list(curve.points)
    path = f"M{_n(points[0][0])} {_n(points[0][1])}"
    for at in range(1, len(points), 3):
        path += "C" + " ".join(f"{_n(x)} {_n(y)}" for x, y in points[at : at + 3])
    drawn_path = f'<path class="curve" d="{path}"/>'
    if not curve.arrow:
        return drawn_path
    x, y = points[-1]
    head = f"M{_n(x)} {_n(y)}l{_n(-ARROW * 0.8)} {_n(-ARROW * 1.5)}h{_n(ARROW * 1.6)}z"
    return f'{drawn_path}<path class="head" d="{head}"/>'


def _n(value: float) -> str:
    """A coordinate in few characters."""
    return f"{value:.1f}".removesuffix(".0")
