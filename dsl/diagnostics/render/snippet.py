"""The source lines of a diagnostic, annotated with its labels.

`draw_snippet` takes marked spans of one file. It returns lines of text without the gutter, each with the number of its source line or None.

    >>> file = SourceFile("a.net", "input 3 -> reluu -> dense 2")
    >>> for row in draw_snippet([Annotation(Span(file, 11, 16), "unknown stage", True)], 80):
    ...     print(row.number or "-", row.text)
    1 input 3 -> reluu -> dense 2
    -            ^^^^^ unknown stage
"""

from __future__ import annotations

from ...record import Record
from ...source import SourceFile, Span
from .cells import split_cells

# Replaces the parts of a line that is longer than the terminal
ELLIPSIS = "..."


class Annotation(Record):
    span: Span
    text: str
    primary: bool


class LineMark(Record):
    """The part of an annotation on one line: columns from 0, as characters of the source line."""

    start: int
    end: int
    text: str
    primary: bool


class SnippetRow(Record):
    """One line of the drawing. `marks` has a character for each column of `text`: `^` primary, `-` secondary, a space neither."""

    number: int | None
    text: str
    marks: str = ""


def draw_snippet(annotations: list[Annotation], width: int) -> list[SnippetRow]:
    file = annotations[0].span.file
    by_line: dict[int, list[LineMark]] = {}
    for annotation in annotations:
        for line, piece in _split_annotation(annotation):
            by_line.setdefault(line, []).append(piece)
    rows: list[SnippetRow] = []
    previous = 0
    for line in sorted(by_line):
        # One line between two marked ones is shown: `...` would take as much room and say less.
        if previous and line == previous + 2:
            rows.append(_draw_source_row(file, line - 1, width))
        elif previous and line > previous + 2:
            rows.append(SnippetRow(0, ""))
        rows += _draw_line_rows(file, line, by_line[line], width)
        previous = line
    return rows


def _split_annotation(annotation: Annotation) -> list[tuple[int, LineMark]]:
    """The first and the last line of a span; what is between is not marked."""
    span, file = annotation.span, annotation.span.file
    (line, column), (last, end) = file.line_and_column(span.start), file.line_and_column(span.end)
    if end == 1 and last > line:  # a newline at the end belongs to the line before
        last -= 1
        end = len(file.line_text(last)) + 1
    if last == line:
        return [(line, LineMark(column - 1, max(end - 1, column), annotation.text, annotation.primary))]
    text = file.line_text(last)
    indent = len(text) - len(text.lstrip())
    return [
        (line, LineMark(column - 1, max(len(file.line_text(line)), column), "", annotation.primary)),
        (last, LineMark(min(indent, end - 1), max(end - 1, indent + 1), annotation.text, annotation.primary)),
    ]


def _draw_source_row(file: SourceFile, number: int, width: int) -> SnippetRow:
    text, _ = _fit_line(file.line_text(number), [], width)
    return SnippetRow(number, text)


def _draw_line_rows(file: SourceFile, number: int, pieces: list[LineMark], width: int) -> list[SnippetRow]:
    text, placed = _fit_line(file.line_text(number), pieces, width)
    placed.sort(key=lambda piece: (piece.start, piece.end))
    marks = [" "] * max(piece.end for piece in placed)
    # Primary marks last, so that they are visible where two marks overlap.
    for piece in sorted(placed, key=lambda piece: piece.primary):
        marks[piece.start : piece.end] = ("^" if piece.primary else "-") * (piece.end - piece.start)
    underline = "".join(marks)
    rows = [SnippetRow(number, text)]
    spoken = [piece for piece in placed if piece.text]
    # The rightmost label is on the line of the marks if nothing is marked after it
    if spoken and max(piece.end for piece in placed) == spoken[-1].end:
        last = spoken.pop()
        rows.append(SnippetRow(None, f"{underline} {last.text}", underline + (" " + _mark_symbol(last) * len(last.text))))
    else:
        rows.append(SnippetRow(None, underline, underline))
    return rows + _draw_hanging_labels(spoken)


def _draw_hanging_labels(spoken: list[LineMark]) -> list[SnippetRow]:
    """The other labels, each on a line of its own under a rope."""
    rows: list[SnippetRow] = []
    if spoken:
        rows.append(_draw_ropes(spoken, ""))
    while spoken:
        last = spoken.pop()
        above = [piece for piece in spoken if piece.start < last.start]
        rows.append(_draw_ropes(above, last.text, last))
    return rows


def _draw_ropes(pieces: list[LineMark], text: str, owner: LineMark | None = None) -> SnippetRow:
    size = max([piece.start + 1 for piece in pieces] + [owner.start if owner else 0])
    line, marks = [" "] * size, [" "] * size
    for piece in pieces:
        line[piece.start] = "|"
        marks[piece.start] = _mark_symbol(piece)
    if owner:
        return SnippetRow(
            None, "".join(line)[: owner.start].ljust(owner.start) + text, "".join(marks)[: owner.start] + _mark_symbol(owner) * len(text)
        )
    return SnippetRow(None, "".join(line), "".join(marks))


def _mark_symbol(piece: LineMark) -> str:
    return "^" if piece.primary else "-"


def _fit_line(line: str, pieces: list[LineMark], width: int) -> tuple[str, list[LineMark]]:
    """The line as it is printed, no wider than `width`, and the pieces in printed columns."""
    start, end = 0, len(line)
    if len(line) > width or sum(size for _, size in split_cells(line)) > width:
        start, end = _choose_window(len(line), pieces, max(width - 2 * len(ELLIPSIS), 10))
    head = ELLIPSIS if start else ""
    edges = [len(head)]
    printed = [head]
    for character, size in split_cells(line[start:end]):
        printed.append(character)
        edges.append(edges[-1] + size)
    tail = ELLIPSIS if end < len(line) else ""

    def column(at: int) -> int:
        inside = at - start
        if inside < 0:
            return 0
        return edges[inside] if inside < len(edges) else edges[-1] + inside - len(edges) + 1

    # A mark outside the window is drawn at its edge, so that its label is not lost.
    limit = edges[-1] + max(len(tail), 1)
    placed: list[LineMark] = []
    for piece in pieces:
        left = min(column(piece.start), limit - 1)
        placed.append(LineMark(left, max(min(column(piece.end), limit), left + 1), piece.text, piece.primary))
    return "".join(printed) + tail, placed


def _choose_window(length: int, pieces: list[LineMark], size: int) -> tuple[int, int]:
    """Which characters to show of a line that is too long: all pieces if they fit, or else the primary ones' beginning."""
    low, high = min((p.start for p in pieces), default=0), max((p.end for p in pieces), default=0)
    if high - low > size:
        chief = [piece for piece in pieces if piece.primary] or pieces
        low = min(piece.start for piece in chief)
        high = min(max(piece.end for piece in chief), low + size)
    start = max(0, min(low - (size - (high - low)) // 2, length - size))
    return start, min(start + size, length)
