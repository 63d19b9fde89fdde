"""Diagnostics as text: title, snippet, chain of blocks, notes, help; optionally in colours."""

from __future__ import annotations

from collections.abc import Iterable

from ...source import SourceFile, Span
from ..diagnostic import CallSite, Diagnostic
from .cells import brief, safe
from .plain import most_important, position, summary
from .snippet import Annotation, SnippetRow, draw

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
    shown, rest = most_important(known)
    texts = [_Painter(one, color, width or DEFAULT_WIDTH).paint() for one in shown]
    return "\n".join([*texts, f"{rest}{summary(known)}\n"])


class _Painter:
    def __init__(self, one: Diagnostic, color: bool, width: int) -> None:
        self.one = one
        self.color = color
        spans = [one.span, *(mark.span for mark in one.marks), *(frame.span for frame in one.trace)]
        self.gutter = len(str(max(span.file.position(span.end)[0] for span in spans)))
        self.width = max(width - self.gutter - 3, 20)
        self.severity = _RED if one.severity == "error" else _YELLOW
        self.lines: list[str] = []

    def paint(self) -> str:
        one = self.one
        title = self._in(self.severity, f"{one.severity}[{one.code}]") + self._in(_BOLD, f": {safe(one.message)}")
        self.lines.append(title)
        self._snippets()
        self._trace(one.trace)
        remarks = [("note", text) for text in one.notes] + [("help", text) for text in one.help]
        if remarks:
            self._put("|", "")
        for what, text in remarks:
            first, *more = brief(text).split("\n")
            self._put("=", f"{self._in(_BOLD, what)}: {safe(first)}")
            self.lines += [" " * (self.gutter + 9) + safe(line) for line in more]
        return "\n".join(line.rstrip() for line in self.lines) + "\n"

    def _snippets(self) -> None:
        one = self.one
        by_file: dict[int, list[Annotation]] = {id(one.span.file): [Annotation(one.span, safe(one.label), True)]}
        for mark in one.marks:
            by_file.setdefault(id(mark.span.file), []).append(Annotation(mark.span, safe(mark.text), False))
        for number, spoken in enumerate(by_file.values()):
            self._snippet("-->" if number == 0 else ":::", spoken[0].span, spoken)

    def _trace(self, trace: tuple[CallSite, ...]) -> None:
        hidden = range(MAX_FRAMES - 2, len(trace) - 2) if len(trace) > MAX_FRAMES else range(0)
        for number, frame in enumerate(trace):
            if number not in hidden:
                self._put("=", safe(frame.text))
                self._snippet("-->", frame.span, [Annotation(frame.span, "", False)])
            elif number == hidden[0]:
                self._put("=", f"... {len(hidden)} more ...")

    def _snippet(self, arrow: str, span: Span, annotations: list[Annotation]) -> None:
        self.lines.append(f"{' ' * self.gutter}{self._in(_BLUE, arrow)} {safe(position(span))}")
        if not _has_text(span.file):
            return
        self._put("|", "")
        for row in draw(annotations, self.width):
            self._row(row)

    def _row(self, row: SnippetRow) -> None:
        if row.number == 0:
            self.lines.append(self._in(_BLUE, "..."))
        elif row.number is not None:
            self.lines.append(self._in(_BLUE, f"{row.number:>{self.gutter}} |") + f" {row.text}")
        else:
            self._put("|", self._marked(row))

    def _put(self, symbol: str, text: str) -> None:
        self.lines.append(f"{' ' * self.gutter} {self._in(_BLUE, symbol)} {text}")

    def _in(self, style: str, text: str) -> str:
        return f"{style}{text}{_RESET}" if self.color and text else text

    def _marked(self, row: SnippetRow) -> str:
        """The row with every run of equal marks in its colour."""
        if not self.color:
            return row.text
        made, at = "", 0
        marks = row.marks.ljust(len(row.text))
        while at < len(row.text):
            end = at
            while end < len(row.text) and marks[end] == marks[at]:
                end += 1
            style = {"^": self.severity, "-": _BLUE}.get(marks[at], "")
            made += self._in(style, row.text[at:end]) if style else row.text[at:end]
            at = end
        return made


def _has_text(file: SourceFile) -> bool:
    return bool(file.text.strip())
