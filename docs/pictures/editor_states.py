"""What an editor with netc's language server shows for a text: colors, shapes at the ends of lines, errors, and the emitted PyTorch.

Everything comes from the compiler, so a picture cannot show what netc does not say.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pygments
from pygments.lexer import Lexer
from pygments.lexers import PythonLexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String

import netc
from netc.dsl.diagnostics.render import render_text
from netc.highlighting import NetLexer
from netc.service.checked_text import CheckedText
from netc.service.completion_items import Suggestion, find_completions
from netc.service.hover import make_hover
from netc.service.inlay_hints import list_hints
from netc.service.workspace import Workspace

Run = tuple[str, str]
"""Some characters of a line, and the class of their color."""
Line = tuple[Run, ...]
CLASSES = {
    Comment: "faint",
    Keyword: "keyword",
    Name.Builtin: "name",
    Name.Function: "name",
    Name.Class: "name",
    Number: "number",
    String: "string",
    Operator: "op",
}


@dataclass(frozen=True)
class EditorState:
    """A text with what netc knows of it. `shapes` has a hint for some lines, `errors` the (line, column, length) of each error."""

    lines: tuple[Line, ...]
    shapes: dict[int, str]
    errors: tuple[tuple[int, int, int], ...]
    report: str


def check_text(text: str, name: str) -> EditorState:
    """Return what an editor shows for the text of the file `name`; `report` is the output of `netc check`."""
    checked = _open_text(text, name)
    found = checked.collect_diagnostics()
    places = [text[: hint.offset].count("\n") for hint in list_hints(checked)]
    return EditorState(
        color_lines(text, NetLexer()),
        dict(zip(places, (hint.text.strip() for hint in list_hints(checked)), strict=True)),
        tuple((*_place_of(text, one.span.start), one.span.end - one.span.start) for one in found),
        render_text(found).replace(checked.path, name).strip("\n") if found else "no errors",
    )


def complete_text(text: str, name: str) -> list[Suggestion]:
    """Return what an editor offers at the end of the text."""
    return find_completions(_open_text(text, name), len(text))


def hover_text(text: str, name: str, offset: int) -> list[str]:
    """Return the lines about this use of an operator, which are above its page."""
    found = make_hover(_open_text(text, name), offset)
    assert found is not None
    return [line for line in found.text.partition("###")[0].splitlines() if line]


def emit_class(text: str, name: str) -> tuple[Line, ...]:
    """Return the class of the emitted PyTorch source, without the imports above it."""
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_text(text, encoding="utf-8")
        source = netc.compile_file(path).source()
    return color_lines(source[source.index("class ") :].rstrip("\n"), PythonLexer())


def color_lines(text: str, lexer: Lexer) -> tuple[Line, ...]:
    """Split a text into lines of colored runs."""
    lines: list[list[Run]] = [[]]
    for kind, value in pygments.lex(text, lexer):
        name = next((CLASSES[one] for one in reversed(kind.split()) if one in CLASSES), "ink")
        for number, part in enumerate(value.split("\n")):
            if number:
                lines.append([])
            if part:
                lines[-1].append((part, name))
    while lines and not lines[-1]:
        lines.pop()
    return tuple(tuple(line) for line in lines)


def _open_text(text: str, name: str) -> CheckedText:
    workspace = Workspace()
    path = str(Path("/pictures") / name)
    workspace.open_text(path, text)
    checked = workspace.check_text(path)
    assert checked is not None
    return checked


def _place_of(text: str, offset: int) -> tuple[int, int]:
    before = text[:offset]
    return before.count("\n"), len(before) - before.rfind("\n") - 1
