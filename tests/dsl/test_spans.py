"""The span of a tree contains the spans of its parts: a message that marks a statement marks all of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from netc.dsl import ast
from netc.dsl.grammar import load_tables
from netc.dsl.lexer import lex_text
from netc.dsl.parser import parse_source
from netc.dsl.record import Record
from netc.dsl.source import SourceFile, Span
from netc.dsl.token_filter import filter_tokens

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "specs").glob("text/*.net"))
ELSEWHERE = (ast.CollectedResults, ast.NamePattern, ast.Name)
"""Parts that come before the statement that has them: the names of the results of a `repeat`, and of the items of a list."""


def list_parts(value: Any) -> Iterator[Record]:
    """The trees directly inside a value."""
    for part in value if isinstance(value, tuple) else value._field_values():
        if isinstance(part, tuple):
            yield from list_parts(part)
        elif isinstance(part, Record) and not isinstance(part, Span | SourceFile):
            yield part


def find_outside(tree: Record) -> Iterator[tuple[str, str]]:
    """The texts of trees, each with the text of a part that is not within it."""
    for part in list_parts(tree):
        outer, inner = getattr(tree, "span", None), getattr(part, "span", None)
        is_inside = outer is None or inner is None or (outer.start <= inner.start and inner.end <= outer.end)
        if not is_inside and not (isinstance(tree, ast.Repeat | ast.UnpackedItem) and isinstance(part, ELSEWHERE)):
            yield outer.text, inner.text  # type: ignore[union-attr]
        yield from find_outside(part)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.stem))
def test_a_span_contains_its_parts(path: Path) -> None:
    tree, problems = parse_source(SourceFile(path.name, path.read_text(encoding="utf-8")))
    assert not problems
    assert list(find_outside(tree)) == []


def test_a_statement_of_several_arguments_is_marked_to_its_end() -> None:
    line = "default dense init=normal(0.02) bias_init=zeros"
    tree, problems = parse_source(SourceFile("a.net", f"model m {{\n  {line}\n  input 3 -> dense 2\n}}\n"))
    assert not problems
    trees = [tree]
    for each in trees:
        trees += list_parts(each)  # type: ignore[arg-type]
    assert [each.span.text for each in trees if isinstance(each, ast.Default)] == [line]


@pytest.mark.parametrize("path", ["layers.0.weight", "layers.12.0.weight", "blocks.1.norm.bias"])
def test_names_and_numbers_of_a_path_are_the_texts_at_their_places(path: str) -> None:
    source = SourceFile("a.net", f"y = {path} * 2\n")
    tokens = filter_tokens(source, lex_text(source.text, load_tables())[0], [])
    assert [token.text for token in tokens[2:-3]] == re.split(r"(\.)", path)
    assert [source.text[token.start : token.end] for token in tokens] == [token.text for token in tokens]
