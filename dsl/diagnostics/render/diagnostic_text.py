"""Diagnostics as text: title, snippet, chain of blocks, notes, help; optionally in colors.

>>> from ...parser import parse_source
>>> print(render_text(parse_source(SourceFile("a.net", "input 3 -> dropout 0,5"))[1]))
error[syntax]: a decimal number is written with a point
 --> a.net:1:20
  |
1 | input 3 -> dropout 0,5
  |                    ^^^
  |
  = help: write `0.5`
<BLANKLINE>
1 error
"""

from __future__ import annotations

from collections.abc import Iterable

from ...source import SourceFile, Span
from ..diagnostic import CallSite, Diagnostic
from .cells import escape_text, shorten_text
from .plain import format_position, format_summary, select_important
from .snippet import Annotation, SnippetRow, draw_snippet

DEFAULT_WIDTH = 120
# Only both ends of a longer chain are shown
MAX_FRAMES = 6

_BOLD, _RED, _YELLOW, _BLUE, _RESET = "\x1b[1m", "\x1b[1;31m", "\x1b[1;33m", "\x1b[1;34m", "\x1b[0m"


def render_text(diagnostics: Iterable[Diagnostic], *, color: bool = False, width: int | None = None) -> str:
    """All diagnostics, each followed by an empty line, and their number at the end; an empty text if there are none. Of too many,
    the first errors."""
    known = list(diagnostics)
    if not known:
        return ""
    printed, rest = select_important(known)
    texts = [_Painter(diagnostic, color, width or DEFAULT_WIDTH).paint_diagnostic() for diagnostic in printed]
    return "\n".join([*texts, f"{rest}{format_summary(known)}\n"])


class _Painter:
    def __init__(self, diagnostic: Diagnostic, color: bool, width: int) -> None:
        self.diagnostic = diagnostic
        self.color = color
        spans = [diagnostic.span, *(mark.span for mark in diagnostic.marks), *(frame.span for frame in diagnostic.trace)]
        self.gutter = len(str(max(span.file.line_and_column(span.end)[0] for span in spans)))
        # A terminal of a few columns must not leave a snippet without room.
        self.width = max(width - self.gutter - 3, 20)
        self.severity = _RED if diagnostic.severity == "error" else _YELLOW
        self.lines: list[str] = []

    def paint_diagnostic(self) -> str:
        diagnostic = self.diagnostic
        title = self._style_text(self.severity, f"{diagnostic.severity}[{diagnostic.code}]") + self._style_text(
            _BOLD, f": {escape_text(diagnostic.message)}"
        )
        self.lines.append(title)
        self._paint_snippets()
        self._paint_trace(diagnostic.trace)
        remarks = [("note", text) for text in diagnostic.notes] + [("help", text) for text in diagnostic.help]
        if remarks:
            self._put_line("|", "")
        for what, text in remarks:
            first, *more = shorten_text(text).split("\n")
            self._put_line("=", f"{self._style_text(_BOLD, what)}: {escape_text(first)}")
            self.lines += [" " * (self.gutter + 9) + escape_text(line) for line in more]
        return "\n".join(line.rstrip() for line in self.lines) + "\n"

    def _paint_snippets(self) -> None:
        diagnostic = self.diagnostic
        by_file: dict[int, list[Annotation]] = {
            id(diagnostic.span.file): [Annotation(diagnostic.span, escape_text(diagnostic.label), True)]
        }
        for mark in diagnostic.marks:
            by_file.setdefault(id(mark.span.file), []).append(Annotation(mark.span, escape_text(mark.text), False))
        for number, spoken in enumerate(by_file.values()):
            self._paint_snippet("-->" if number == 0 else ":::", spoken[0].span, spoken)

    def _paint_trace(self, trace: tuple[CallSite, ...]) -> None:
        hidden = range(MAX_FRAMES - 2, len(trace) - 2) if len(trace) > MAX_FRAMES else range(0)
        for number, frame in enumerate(trace):
            if number not in hidden:
                self._put_line("=", escape_text(frame.text))
                self._paint_snippet("-->", frame.span, [Annotation(frame.span, "", False)])
            elif number == hidden[0]:
                self._put_line("=", f"... {len(hidden)} more ...")

    def _paint_snippet(self, arrow: str, span: Span, annotations: list[Annotation]) -> None:
        self.lines.append(f"{' ' * self.gutter}{self._style_text(_BLUE, arrow)} {escape_text(format_position(span))}")
        if not _has_text(span.file):
            return
        self._put_line("|", "")
        for row in draw_snippet(annotations, self.width):
            self._paint_row(row)

    def _paint_row(self, row: SnippetRow) -> None:
        if row.number == 0:
            self.lines.append(self._style_text(_BLUE, "..."))
        elif row.number is not None:
            self.lines.append(self._style_text(_BLUE, f"{row.number:>{self.gutter}} |") + f" {row.text}")
        else:
            self._put_line("|", self._color_marks(row))

    def _put_line(self, symbol: str, text: str) -> None:
        self.lines.append(f"{' ' * self.gutter} {self._style_text(_BLUE, symbol)} {text}")

    def _style_text(self, style: str, text: str) -> str:
        return f"{style}{text}{_RESET}" if self.color and text else text

    def _color_marks(self, row: SnippetRow) -> str:
        """The row with every run of equal marks in its color."""
        if not self.color:
            return row.text
        result, position = "", 0
        marks = row.marks.ljust(len(row.text))
        while position < len(row.text):
            end = position
            while end < len(row.text) and marks[end] == marks[position]:
                end += 1
            style = {"^": self.severity, "-": _BLUE}.get(marks[position], "")
            result += self._style_text(style, row.text[position:end]) if style else row.text[position:end]
            position = end
        return result


def _has_text(file: SourceFile) -> bool:
    return bool(file.text.strip())
