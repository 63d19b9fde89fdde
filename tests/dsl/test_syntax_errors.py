"""Every syntax error with its whole rendered message, and the recovery after it.

`syntax_errors.txt` contains the texts (`\\n` for a newline) and the messages; `pytest tests/dsl --update` rewrites the messages.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from netc.dsl import ast
from netc.dsl.diagnostics.render import render_text
from netc.dsl.parser import parse_source, parse_value
from netc.dsl.source import SourceFile
from tests.dsl.helpers import plain, problems

GOLDEN = Path(__file__).parent / "syntax_errors.txt"
CASES = dict(re.findall(r"^=== (.*)\n((?:(?!=== ).*\n)*)", GOLDEN.read_text(encoding="utf-8"), re.MULTILINE))
CODES = {
    "syntax", "missing-brace", "unexpected-brace", "unterminated-string", "stray-character", "bad-number", "missing-bracket",
    "empty-file", "too-much-nesting", "reserved-word", "positional-after-keyword",
}  # fmt: skip


def shown(case: str) -> str:
    return render_text(problems(case.replace("\\n", "\n")))


@pytest.fixture(scope="module", autouse=True)
def regenerate(pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("--update"):
        CASES.update({case: shown(case) + "\n" for case in CASES})
        GOLDEN.write_text("".join(f"=== {case}\n{text}" for case, text in CASES.items()), encoding="utf-8")


@pytest.mark.parametrize("case", CASES)
def test_message(case: str) -> None:
    assert shown(case) + "\n" == CASES[case]
    assert shown(case).endswith("\n1 error\n")


def test_every_code_occurs() -> None:
    assert {one.code for case in CASES for one in problems(case.replace("\\n", "\n"))} == CODES


def test_statements_around_a_broken_one_are_kept() -> None:
    text = "x = input 3\ny = x -> -> relu\nz = x -> relu\nblock b {\n  a = in ->\n  a = in\n}\nlet\nout z"
    file, found = parse_source(SourceFile("a.net", text))
    assert [one.span.file.line_and_column(one.span.start)[0] for one in found] == [2, 5, 8]
    assert [type(item).__name__ for item in file.items] == ["Assign", "Broken", "Assign", "Block", "Broken", "Out"]
    block = file.items[3]
    assert isinstance(block, ast.Block)
    assert [type(statement).__name__ for statement in block.body.statements] == ["Broken", "Assign"]


def test_a_missing_brace_does_not_hide_the_next_block() -> None:
    file, found = parse_source(SourceFile("a.net", "block a {\n  relu\nblock b {\n  x ->\n}\n"))
    assert [one.code for one in found] == ["missing-brace", "syntax"]
    assert [plain(item)[1] for item in file.items] == [("Name", "a"), ("Name", "b")]  # type: ignore[index]


def test_a_missing_bracket_ends_at_the_next_statement() -> None:
    file, found = parse_source(SourceFile("a.net", "x = (a -> b\nlet k = 3\ny = a ->"))
    assert [one.code for one in found] == ["missing-bracket", "syntax"]
    assert [type(item).__name__ for item in file.items] == ["Broken", "Let", "Broken"]
    assert [name.name for item in file.items if isinstance(item, ast.Broken) for name in item.names] == ["x", "y"]


def test_at_most_twenty_errors() -> None:
    found = problems("x -> 3\n" * 30)
    assert len(found) == 20
    assert found[-1].notes == ("this is one of 30 syntax errors; the others are not shown",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3 +", "expected a value after `+`, found the end of the expression"),
        ("a b", "expected the end of the expression, found `b`"),
    ],
)
def test_values_with_problems(text: str, message: str) -> None:
    got, found = parse_value(SourceFile("--set", text))
    assert got is None
    assert [one.message for one in found] == [message]


@pytest.mark.parametrize("text", ["(" * 80, "x = " + "-" * 300 + "y", "let a = " + "not " * 300 + "b", "let a = b" + " ** c" * 300,
                                  "let a = " + "b if c else " * 300 + "d", "x" + ".y" * 300 + " + 1", "{" * 80,
                                  "if a { } " + "else if b { } " * 300])  # fmt: skip
def test_nesting_is_bounded(text: str) -> None:
    assert "too-much-nesting" in {one.code for one in problems(text)}


def test_nesting_is_reported_once_in_a_statement() -> None:
    deep = "let {} = " + " + ".join(["-" * 300 + "b"] * 3) + "\n"
    assert [one.code for one in problems(deep.format("a") + deep.format("c"))] == ["too-much-nesting"] * 2


def test_many_flat_operators_are_no_nesting() -> None:
    assert problems("x = " + " + ".join(["-y ** 2"] * 500)) == []
    assert problems("let x = " + " and ".join(["not a.b[1]"] * 500)) == []


def test_long_words_are_cut() -> None:
    """A message shows a word of 30 letters, and 27 of a longer one."""
    for length, shown_word in ((29, "a" * 29), (30, "a" * 30), (31, f"{'a' * 27}...")):
        (problem,) = problems(f"let k = 3 {'a' * length}\ninput 3 -> relu")
        assert problem.message.endswith(f"found `{shown_word}`")


@pytest.mark.parametrize("path", ["a.b.", "a.b.c.", "a.b.c.d.e."])
def test_a_stage_of_a_library(path: str) -> None:
    (problem,) = problems(f"x = input 3\nx -> {path}relu 3")
    assert problem.help == (f"leave out `{path}`: write `relu`",)
    assert [(edit.span.start, edit.span.end, edit.text) for edit in problem.edits] == [(17, 17 + len(path), "")]
