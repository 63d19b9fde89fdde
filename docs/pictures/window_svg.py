"""A window of an editor or a terminal as SVG, in colors that follow the reader's light or dark theme.

Each run of characters has its own position, so columns agree in every monospace font. Nothing is loaded and nothing is a script, so the
files also work where a page shows them as images.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape

from editor_states import EditorState, Line, Run

SIZE = 14.0
ADVANCE = 8.43
"""The width of a character: 0.602 of the size, as in DejaVu Sans Mono and Menlo, the widest of the usual fonts."""
LEADING = 20
LEFT = 20
BAR = 34
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
LIGHT = {
    "paper": "#ffffff", "bar": "#f3f5f8", "edge": "#d3dae2", "ink": "#1d2733", "faint": "#6b7785", "keyword": "#8250df", "name": "#0b5cad",
    "number": "#0a7a52", "string": "#9a4b00", "op": "#57606a", "shape": "#8a6d00", "error": "#cf222e", "good": "#1a7f37", "box": "#eaf2fd",
}  # fmt: skip
DARK = {
    "paper": "#12161c", "bar": "#1a2028", "edge": "#38424e", "ink": "#e8edf3", "faint": "#93a0ad", "keyword": "#c9a0ff", "name": "#79b8ff",
    "number": "#7ee2b0", "string": "#ffb77a", "op": "#b1bac4", "shape": "#e3c15a", "error": "#ff7b72", "good": "#56d364", "box": "#1f2c3d",
}  # fmt: skip
REPORT = re.compile(
    r"(?P<title>^(?:error|warning)\[[\w-]+\])|(?P<gutter>^ *(?:\d+ \||\||-->|=)| -->.*$)|(?P<help>\bhelp:)|(?P<caret>\^+)"
    r"|(?P<line>(?<= )-{2,}(?= |$)|\|)"
)
REPORT_CLASSES = {"title": "error", "gutter": "faint", "help": "good", "caret": "error", "line": "name"}


def style_sheet() -> str:
    """Return the CSS of all windows."""

    def rules(colors: dict[str, str]) -> str:
        return "".join(f".{name}{{fill:{color}}}" for name, color in colors.items())

    stroke = ".wave{{fill:none;stroke:{error};stroke-width:1.4}}.rule{{stroke:{edge}}}.frame{{stroke:{edge}}}"
    return (
        f"text{{font-family:{FONT};font-size:{SIZE:g}px;white-space:pre;text-rendering:geometricPrecision}}.shape{{font-style:italic}}.head{{font-size:12.5px}}"
        + f"{rules(LIGHT)}{stroke.format(**LIGHT)}@media(prefers-color-scheme:dark){{{rules(DARK)}{stroke.format(**DARK)}}}"
    )


def draw_window(title: str, body: Iterable[str], width: int, height: int, more_css: str = "") -> str:
    """Return an SVG file: a window with a title and the given elements in it."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">',
            f"<title>{escape(title)}</title><style>{style_sheet()}{more_css}</style>",
            f'<rect class="paper frame" x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="9"/>',
            f'<path class="bar" d="M1 {BAR}V10a9 9 0 0 1 9-9H{width - 10}a9 9 0 0 1 9 9V{BAR}z"/>',
            draw_rule(BAR, width),
            draw_line(((title, "faint"),), BAR - 12, size="head"),
            *body,
            "</svg>",
            "",
        ]
    )


def draw_rule(top: float, width: int) -> str:
    return f'<path class="rule" d="M1 {top + 0.5:g}H{width - 1}"/>'


def draw_line(line: Line, baseline: float, left: float = LEFT, size: str = "") -> str:
    """Return one line of text, each of its words at the position that its column has."""
    parts: list[str] = []
    column = 0
    for text, kind in line:
        for word in re.finditer(r"\S+(?: \S+)*" if size else r"\S+", text):
            x = left + (column + word.start()) * ADVANCE
            parts.append(f'<tspan x="{x:.1f}" class="{kind}">{escape(word[0])}</tspan>')
        column += len(text)
    return f'<text y="{baseline:g}"{f" class={size!r}" if size else ""}>{"".join(parts)}</text>'


def draw_code(state: EditorState, top: float, cursor: tuple[int, int] | None = None) -> Iterator[str]:
    """Return the lines of an editor: the text, the shapes at their ends, a wave below each error, and the cursor."""
    for number, line in enumerate(state.lines):
        baseline = top + LEADING * number
        shape: tuple[Run, ...] = (("  " + state.shapes[number], "shape"),) if number in state.shapes else ()
        yield draw_line((*line, *shape), baseline)
    for number, column, length in state.errors:
        x, y = LEFT + column * ADVANCE - 2, top + LEADING * number + 5
        steps = max(3, round((length * ADVANCE + 4) / 4))
        yield f'<path class="wave" d="M{x:.1f} {y:g}{"".join("l2 2l2-2" for _ in range(steps))}"/>'
    if cursor is not None:
        number, column = cursor
        yield f'<rect class="ink" x="{LEFT + column * ADVANCE:.1f}" y="{top + LEADING * number - 14:g}" width="1.6" height="18"/>'


def draw_text(lines: Iterable[Line], top: float) -> Iterator[str]:
    for number, line in enumerate(lines):
        if line:
            yield draw_line(line, top + LEADING * number)


def color_report(text: str) -> tuple[Line, ...]:
    """Color the output of a command: errors, positions, carets and helps."""
    return tuple(tuple(_color_report_line(line)) for line in text.split("\n"))


def _color_report_line(line: str) -> Iterator[Run]:
    if line.startswith("$ "):
        yield "$ ", "faint"
        yield line[2:], "ink"
        return
    at = 0
    for match in REPORT.finditer(line):
        if match.start() > at:
            yield line[at : match.start()], "ink"
        yield match[0], REPORT_CLASSES[str(match.lastgroup)]
        at = match.end()
    if at < len(line):
        yield line[at:], "good" if line == "no errors" else "ink"
