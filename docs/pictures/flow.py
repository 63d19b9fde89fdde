"""The picture of docs/architecture.md: what each part of netc makes, from the text to the files.

In: nothing. Out: an SVG of boxes, which are data, and arrows, which are packages. Always: a test compares the names of the packages with
the folders.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from window_svg import style_sheet

WIDTH, HEIGHT = 900, 350
TALL = 44
FIRST = 92
ROW = 62
BOXES = {  # left, top, width, height, lines
    "text": (20, FIRST, 90, TALL, (".net text",)),
    "tokens": (160, FIRST, 80, TALL, ("tokens",)),
    "tree": (290, FIRST, 120, TALL, ("syntax tree",)),
    "module": (20, FIRST + ROW, 150, TALL, ("PyTorch module",)),
    "onnx": (20, FIRST + 2 * ROW, 150, TALL, ("ONNX file",)),
    "step": (520, 20, 140, TALL, ("step graph",)),
    "graph": (520, FIRST, 140, TALL + 2 * ROW, ("typed graph", "(a program)")),
    "objective": (520, FIRST + 3 * ROW + 10, 140, TALL, ("objective",)),
    "source": (750, FIRST, 130, TALL, ("PyTorch",)),
    "model": (750, FIRST + ROW, 130, TALL, ("ONNX file",)),
    "spec": (750, FIRST + 2 * ROW, 130, TALL, (".net text",)),
    "training": (750, FIRST + 3 * ROW + 10, 130, TALL, ("training file",)),
}
ARROWS = (  # points, the position of the label, the packages
    (((110, 114), (160, 114)), (119, 106), ("dsl",)),
    (((240, 114), (290, 114)), (249, 106), ("dsl",)),
    (((410, 114), (520, 114)), (424, 106), ("binding", "elaborate")),
    (((170, 176), (520, 176)), (190, 168), ("frontends/torch",)),
    (((170, 238), (520, 238)), (190, 230), ("frontends/onnx",)),
    (((590, 92), (590, 64)), (600, 83), ("streaming",)),
    (((350, 136), (350, 310), (520, 310)), (424, 302), ("elaborate",)),
    (((590, 288), (590, 260)), (600, 279), ("calls",)),
    (((660, 114), (750, 114)), (671, 106), ("backends/", "torch")),
    (((660, 176), (750, 176)), (671, 168), ("backends/", "onnx")),
    (((660, 238), (750, 238)), (671, 230), ("backends/", "net")),
    (((660, 310), (750, 310)), (671, 302), ("training/", "source")),
)
CSS = ".arrow{fill:none;stroke:#6b7785;stroke-width:1.4}.start{stroke-width:1.2}"


def draw_flow() -> str:
    """Return the picture as SVG."""
    parts = [*(part for points, at, names in ARROWS for part in _draw_arrow(points, at, names)), *_draw_boxes()]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            f"<title>From text to files</title><style>{style_sheet()}{CSS}</style>",
            f'<rect class="paper frame" x=".5" y=".5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="9"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


def _draw_boxes() -> Iterator[str]:
    for left, top, width, height, lines in BOXES.values():
        yield f'<rect class="box frame start" x="{left}" y="{top}" width="{width}" height="{height}" rx="6"/>'
        middle = top + height / 2 + 5 - 10 * (len(lines) - 1)
        for number, line in enumerate(lines):
            yield f'<text class="ink" text-anchor="middle" x="{left + width / 2:g}" y="{middle + 20 * number:g}">{escape(line)}</text>'


def _draw_arrow(points: tuple[tuple[int, int], ...], at: tuple[int, int], names: tuple[str, ...]) -> Iterator[str]:
    """A line with a head; the first name is above the line, the second below."""
    (before_x, before_y), (x, y) = points[-2:]
    across, down = (x > before_x) - (x < before_x), (y > before_y) - (y < before_y)
    head = f"M{x - 7 * across - 4 * down} {y - 7 * down - 4 * across}L{x} {y}L{x - 7 * across + 4 * down} {y - 7 * down + 4 * across}"
    yield f'<path class="arrow" d="M{"L".join(f"{a} {b}" for a, b in points)}{head}"/>'
    for number, name in enumerate(names):
        yield f'<text class="faint head" x="{at[0]}" y="{at[1] + 24 * number}">{escape(name)}</text>'
