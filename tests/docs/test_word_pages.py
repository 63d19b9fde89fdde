"""The pages of the words of the language: each word has one, and its example compiles. The page of the standard library has all of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from netc.analysis import Choice, analyze
from netc.cli import cli
from netc.dsl.grammar import load_tables
from netc.dsl.source import SourceFile
from netc.reference.word_pages import format_library, list_library_files, read_word_pages

ROOT = Path(__file__).parents[2]


def test_every_word_has_a_page() -> None:
    assert set(read_word_pages()) == set(load_tables().keywords)


@pytest.mark.parametrize("page", dict.fromkeys(read_word_pages().values()), ids=lambda page: page.partition("\n")[0])
def test_page(page: str) -> None:
    (example,) = re.findall(r"^```net\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    last = re.findall(r"^model (\w+)", example, re.MULTILINE)[-1:]
    found = analyze(SourceFile("word.net", example), Choice(model=last[0] if last else None)).require_model()
    assert [d.message for d in found.diagnostics] == []
    assert all(len(line) <= 150 for line in page.splitlines())
    ((path, heading),) = re.findall(r'(docs/language/\w+\.md), "(.*)"', page)
    assert f"# {heading}\n" in (ROOT / path).read_text(encoding="utf-8")


def test_the_library_is_listed() -> None:
    page = format_library() or ""
    for path in list_library_files():
        text = (ROOT / "specs" / path).read_text(encoding="utf-8")
        assert f"## {path}" in page
        for name in re.findall(r"^(?:block|fn) (\w+)", text, re.MULTILINE):
            assert re.search(rf"^- `(block|fn) {name}\b", page, re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("input", "# input"),
        ("std", "The standard deviation"),
        ("std", "## std/mlp.net"),
        ("std/mlp", "block gated_mlp"),
        ("conv", "# conv"),
        ("train", "# train"),
    ],
)
def test_ops(name: str, found: str) -> None:
    result = CliRunner().invoke(cli, ["ops", name])
    assert result.exit_code == 0
    assert found in result.output


def test_unknown_names() -> None:
    assert "did you mean `input`?" in CliRunner().invoke(cli, ["ops", "inputt"]).output
    assert CliRunner().invoke(cli, ["ops", "std/nope"]).exit_code == 2
