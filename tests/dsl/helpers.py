"""Helpers of the tests of dsl."""

from __future__ import annotations

import re
from pathlib import Path

from netc.dsl import ast
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.parser import parse_source
from netc.dsl.record import Record
from netc.dsl.source import SourceFile, Span


def plain(value: object) -> object:
    """A tree as nested tuples, without spans: `("Name", "x")`."""
    if isinstance(value, Record):
        fields = [getattr(value, name) for name in value.__match_args__]
        return (type(value).__name__, *(plain(field) for field in fields if not isinstance(field, Span)))
    if isinstance(value, tuple):
        return tuple(plain(one) for one in value)
    return value


def read(text: str) -> ast.File:
    file, problems = parse_source(SourceFile("a.net", text))
    assert problems == []
    return file


def pipeline(text: str) -> ast.Pipeline:
    """The pipeline a text of one statement consists of."""
    (item,) = read(text).items
    match item:
        case ast.Flow(_, pipeline=value) | ast.Assign(_, value=value):
            return value
    raise AssertionError(item)


def value(text: str) -> ast.Expr:
    """The expression after `let k = `."""
    (item,) = read(f"let k = {text}").items
    assert isinstance(item, ast.Let)
    return item.value


def problems(text: str) -> list[Diagnostic]:
    return parse_source(SourceFile("a.net", text))[1]


def examples() -> list[str]:
    """Valid texts that use everything the language has."""
    folder = Path(__file__).parent / "examples"
    return [re.sub(r"\r\n", "\n", path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.net"))]
