"""A text with many unknown names: each error looks its name up, instead of reading the whole body again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from netc.analysis import Choice, analyze, analyze_models
from netc.compiler.elaborate.scopes import scope as scopes
from netc.dsl.source import SourceFile


@pytest.mark.parametrize("unknown", ["x -> desne 8", "desne", "x -> dense desne"])
def test_statements_are_read_once(unknown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0
    names_of: Callable[[Any], Any] = scopes.declared_names

    def counted(statement: Any) -> Any:
        nonlocal read
        read += 1
        return names_of(statement)

    monkeypatch.setattr(scopes, "declared_names", counted)
    lines = ["x = input 8", *(f"y{i} = {unknown}" for i in range(200))]
    found = analyze(SourceFile("a.net", "\n".join(lines)), Choice()).diagnostics
    assert sum(one.severity == "error" for one in found) == 200
    assert read <= 2 * len(lines)


def test_a_name_that_a_later_statement_binds() -> None:
    """The nearest statement below the use, not one above it."""
    text = "x = input 8\nfirst = x + late\nlate = x -> dense 8\nsecond = first + missing\nmissing = second"
    found = [one for one in analyze(SourceFile("a.net", text), Choice()).diagnostics if one.severity == "error"]
    places = [(one.span.start, [mark.span.start for mark in one.marks]) for one in found]
    assert places == [(text.index("late"), [text.index("late = ")]), (text.index("missing"), [text.index("missing = ")])]


def test_errors_of_one_model_hide_none_of_the_next() -> None:
    """The first model asks for a definition of the file that has an error; the second does not."""
    text = "let n = CxH\nmodel a { input 3 -> dense (len(n)) }\nmodel b { input 3 -> dense width }"
    found = [one for model in analyze_models(lambda: (SourceFile("a.net", text), None), Choice()) for one in model.diagnostics]
    assert [one.span.text for one in found] == ["CxH", "width"]


@pytest.mark.parametrize(
    "text",
    [
        "let a = 2\nlet a = 3\nx = input 3\nx -> dense a",
        "let a = 2\nblock a { relu }\ninput 3 -> a",
        "block a { relu }\nlet a = 2\ninput 3 -> a",
        "fn a(x) = x\nlet a = 2\ninput 3 -> dense (a 3)",
    ],
)
@pytest.mark.parametrize("params", [{}, {"a": 5}])
def test_uses_of_a_name_that_is_defined_twice_are_no_errors(text: str, params: dict[str, int]) -> None:
    found = analyze(SourceFile("a.net", text), Choice(params=params)).diagnostics
    assert [one.code for one in found if one.severity == "error"] == ["bound-twice"]
