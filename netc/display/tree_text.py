"""Format the tokens and the syntax tree of a source as text, one line for each.

In: a source file. Out: the text, or None if the source has errors, and the diagnostics.

    >>> from netc.dsl.source import SourceFile
    >>> print(format_tokens(SourceFile("<text>", "x -> relu"))[0])
    1:1      NAME         'x'
    1:3      ARROW        '->'
    1:6      NAME         'relu'
    1:10     $END         ''
"""

from __future__ import annotations

from collections.abc import Iterator

from netc.dsl import ast
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.grammar import load_tables
from netc.dsl.lexer import lex_text
from netc.dsl.parser import parse_source
from netc.dsl.record import Record
from netc.dsl.source import SourceFile, Span
from netc.dsl.token_filter import filter_tokens

TextAndDiagnostics = tuple[str | None, tuple[Diagnostic, ...]]
INDENT = "  "


def format_tokens(source: SourceFile) -> TextAndDiagnostics:
    """Format the tokens with their positions, including those that the token filter inserts."""
    problems: list[Diagnostic] = []
    tokens = filter_tokens(source, lex_text(source.text, load_tables())[0], problems)
    placed = ((":".join(map(str, source.line_and_column(t.start))), t) for t in tokens)
    return "".join(f"{position:<8} {t.type:<12} {t.text!r}\n" for position, t in placed), tuple(problems)


def format_tree(source: SourceFile) -> TextAndDiagnostics:
    """Format the syntax tree."""
    file, problems = parse_source(source)
    return ("".join(_format_nodes(file)) if not problems else None), tuple(problems)


def _format_nodes(root: ast.Node) -> Iterator[str]:
    """Yield a line for each node: its field in the parent, its kind, its plain values, its position. Python's stack does not grow with the
    depth of the tree."""
    stack: list[tuple[str, object, int]] = [("", root, 0)]
    while stack:
        field, value, depth = stack.pop()
        prefix = INDENT * depth + (f"{field}: " if field else "")
        if not isinstance(value, Record):
            yield f"{prefix}{value!r}\n"
            continue
        fields = [(name, getattr(value, name)) for name in value.__match_args__ if name != "span"]
        plain = [f" {name}={v!r}" for name, v in fields if _is_plain(v)]
        line, column = value.span.file.line_and_column(value.span.start)  # type: ignore[attr-defined]
        yield f"{prefix}{type(value).__name__}{''.join(plain)} @{line}:{column}\n"
        for name, inner in reversed(fields):
            if isinstance(inner, tuple):
                stack += [(f"{name}[{i}]", item, depth + 1) for i, item in reversed(list(enumerate(inner)))]
            elif not _is_plain(inner) and not isinstance(inner, Span):
                stack.append((name, inner, depth + 1))


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)
