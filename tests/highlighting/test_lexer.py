"""Every spec and every example has colors in Pygments; what the language does not read is an error there too."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.token import Comment, Error, Keyword, Name, Number, Operator, String

from netc.dsl.parser import parse_source
from netc.dsl.source import SourceFile
from netc.highlighting import NetLexer

ROOT = Path(__file__).parents[2]
SPECS = sorted((ROOT / "specs").rglob("*.net"))


def tokens(text: str) -> list[tuple[object, str]]:
    return [(kind, word) for _, kind, word in NetLexer().get_tokens_unprocessed(text) if word.strip()]


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_a_spec_has_no_errors_and_is_whole(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = list(NetLexer().get_tokens_unprocessed(text))
    assert "".join(word for _, _, word in found) == text
    assert all(text.startswith(word, at) for at, _, word in found)
    assert [word for _, kind, word in found if kind in Error] == []


def test_kinds() -> None:
    text = 'block b(n=1.5e3) { in -> conv n 3x3 padding=1 as layer.{n}-x }  # why\nx = input [T, 8] int64\nuse "a.net"\nx == n and true'
    kinds = {word: kind for kind, word in tokens(text)}
    expected = {
        "block": Keyword, "b": Name.Class, "1.5e3": Number, "conv": Name.Builtin, "3x3": Number, "padding": Name.Attribute,
        "as": Keyword,         "layer.{n}-x": Name.Label, "# why": Comment.Single, "int64": Keyword.Type,
        '"a.net"': String.Double, "T": Name, "and": Operator.Word, "true": Keyword.Constant, "->": Operator,
        "==": Operator, "in": Operator.Word,
    }  # fmt: skip
    assert {word: kinds[word] for word in expected} == expected


@pytest.mark.parametrize("text", ["input 3 => dense 2", "use 'a.net'", "input 3 -> dense 3q", "input 3 -> dense 2 $", 'use "a.net'])
def test_what_cannot_be_read_is_an_error(text: str) -> None:
    assert [word for kind, word in tokens(text) if kind is Error]
    assert parse_source(SourceFile("x", text))[1]


@pytest.mark.parametrize("text", ["", "\n", "\ufeffinput 3", "\r\ninput 3\r\n", "\t \f", "é ☃ input", "\x00"])
def test_nothing_is_lost(text: str) -> None:
    assert "".join(word for _, _, word in NetLexer().get_tokens_unprocessed(text)) == text


def test_markup_in_a_text_is_text() -> None:
    shown = highlight('x = input 3 # <script>alert("1")</script>', NetLexer(), HtmlFormatter())
    assert "<script>" not in shown
    assert "&lt;script&gt;" in re.sub(r"</?span[^>]*>", "", shown)


def test_the_entry_point_leads_here() -> None:
    declared = re.search(r'\[project\.entry-points\."pygments\.lexers"\]\nnet = "([\w.]+):(\w+)"', (ROOT / "pyproject.toml").read_text())
    assert declared is not None
    assert declared.groups() == (NetLexer.__module__, NetLexer.__qualname__)
    installed = {point.name for point in entry_points(group="pygments.lexers") if point.dist is not None and point.dist.name == "netc"}
    assert installed <= {"net"}
