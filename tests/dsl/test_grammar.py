"""The grammar: no conflicts, tables that say what Lark says, a cache that may fail."""

from __future__ import annotations

import logging
import marshal
import os
import zlib
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import lark
import pytest

from netc.dsl import grammar


def conflicts(text: str, start: list[str]) -> list[str]:
    """What Lark says of shift/reduce conflicts: it resolves them silently, but for a line when it debugs."""
    said = StringIO()
    handler = logging.StreamHandler(said)
    level = lark.logger.level
    lark.logger.addHandler(handler)
    lark.logger.setLevel(logging.DEBUG)
    try:
        lark.Lark(text, parser="lalr", lexer="basic", start=start, debug=True)
    except lark.exceptions.GrammarError as error:  # reduce/reduce
        return [str(error)]
    finally:
        lark.logger.setLevel(level)
        lark.logger.removeHandler(handler)
    return [line for line in said.getvalue().splitlines() if "onflict" in line]


def test_no_conflicts() -> None:
    assert conflicts(grammar.grammar_text(), ["file", "expr", "lexical"]) == []


def test_conflicts_are_seen() -> None:
    assert conflicts('start: a a?\na: "x" ("y" "x")? | "x" a', ["start"]) != []


@pytest.fixture(scope="module")
def built() -> grammar.PlainTables:
    return grammar.build_tables(grammar.grammar_text())


@pytest.fixture
def builds(built: grammar.PlainTables, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The texts that are compiled from now on, each in no time."""
    texts: list[str] = []

    def build(text: str) -> grammar.PlainTables:
        texts.append(text)
        return built

    monkeypatch.setattr(grammar, "build_tables", build)
    grammar.load_tables.cache_clear()
    yield texts
    grammar.load_tables.cache_clear()


@pytest.mark.parametrize("damage", [b"", b"12", b"1234", b"\0\0\0\0", b"\0\0\0\0\0\0\0\0\0"])
def test_a_damaged_cache_is_built_anew(damage: bytes, builds: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grammar, "_cache_directory", lambda: str(tmp_path))
    found = grammar.load_tables()
    (file,) = tmp_path.iterdir()
    assert len(builds) == 1
    file.write_bytes(damage)
    for _ in range(2):  # the second time, from the file
        grammar.load_tables.cache_clear()
        assert grammar.load_tables() == found
        assert builds == [grammar.grammar_text()] * 2


@pytest.mark.parametrize("wrong", [None, 7, (), ("",) * 6, (1, {}, [], [], {}, {}), "pattern", "row", "rule", "start", "method"])
def test_a_cache_of_something_else_is_built_anew(
    wrong: object, built: grammar.PlainTables, builds: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the right checksum."""
    monkeypatch.setattr(grammar, "_cache_directory", lambda: str(tmp_path))
    found = grammar.load_tables()
    (file,) = tmp_path.iterdir()
    pattern, keywords, rows, rules, starts, ends = built
    content = marshal.dumps(
        {
            "pattern": ("(", keywords, rows, rules, starts, ends),
            "row": (pattern, keywords, [*rows, {"NAME": len(rows) + 1}], rules, starts, ends),
            "rule": (pattern, keywords, rows, rules[:1], starts, ends),
            "start": (pattern, keywords, rows, rules, {}, ends),
            "method": (pattern, keywords, rows, [(1, "a", 5), *rules[1:]], starts, ends),
        }[wrong]
        if isinstance(wrong, str)
        else wrong
    )
    file.write_bytes(zlib.crc32(content).to_bytes(4, "big") + content)
    grammar.load_tables.cache_clear()
    assert grammar.load_tables() == found
    assert len(builds) == 2


@pytest.mark.parametrize("kind", ["pipe", "link", "device", "folder", "large"])
def test_a_cache_that_is_no_file_is_not_read(kind: str, builds: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grammar, "_cache_directory", lambda: str(tmp_path / "cache"))
    found = grammar.load_tables()
    (file,) = (tmp_path / "cache").iterdir()
    target = file.rename(tmp_path / "target")
    before = target.read_bytes()
    match kind:
        case "pipe":
            os.mkfifo(file)
        case "link":
            file.symlink_to(target)
        case "device":
            file.symlink_to("/dev/zero")
        case "folder":
            file.mkdir()
        case _:
            with file.open("wb") as stream:
                stream.truncate(10**9)
    grammar.load_tables.cache_clear()
    assert grammar.load_tables() == found
    assert len(builds) == 2
    assert target.read_bytes() == before
    assert list((tmp_path / "cache").iterdir()) == [file]


def test_a_cache_that_cannot_be_written_is_none(builds: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(grammar, "_cache_directory", lambda: str(tmp_path / "file"))
    assert grammar.load_tables().rows
    assert builds == [grammar.grammar_text()]


def test_lark_finds_the_same_tokens() -> None:
    from netc.dsl.lexer import lex_text
    from tests.dsl.helpers import examples

    parser = grammar.make_lark(grammar.grammar_text())
    for text in examples():
        tokens, comments = lex_text(text, grammar.load_tables())
        ours = sorted((t.start, t.type, t.text) for t in [*tokens[:-1], *comments])
        assert ours == [(t.start_pos, t.type, str(t)) for t in parser.lex(text)]
