"""The tables of the language: `net.lark`, compiled once by Lark and then kept in the user's cache directory.

In: `net.lark`, next to this file. Out: `tables()`, plain data: the lexer's one pattern, the keywords, the LALR(1) automaton.
Lark itself is imported only to build them. Importing it and building would cost a fifth of a second in every `netc check`, and even
loading what `Lark.save` writes costs more than all the rest of parsing a small file; these tables load in a millisecond.
Always: a cache that cannot be read or written, or is corrupt, is ignored.
"""

from __future__ import annotations

import marshal
import os
import re
import sys
import zlib
from functools import lru_cache
from typing import Any

from .record import Record

START_FILE = "file"
START_EXPRESSION = "expr"
END = "$END"
# Part of the cache's key; to be increased whenever the layout of the tables changes.
_LAYOUT = "1"


class Tables(Record):
    """The automaton. An action of `rows[state][symbol]` is the state to go to, or `~rule` to reduce by `rules[rule]`.

    A rule is (number of symbols, symbol made, method of the builder); without a method, its only child is passed on.
    """

    pattern: re.Pattern[str]
    keywords: dict[str, str]
    rows: list[dict[str, int]]
    rules: list[tuple[int, str, str | None]]
    starts: dict[str, int]
    ends: dict[str, int]


Plain = tuple[str, dict[str, str], list[dict[str, int]], list[tuple[int, str, str | None]], dict[str, int], dict[str, int]]


@lru_cache(maxsize=1)
def tables() -> Tables:
    text = grammar_text()
    python = sys.implementation.cache_tag or sys.version
    key = f"{zlib.crc32(text.encode()):08x}{zlib.adler32(text.encode()):08x}-{python}-{_LAYOUT}"
    path = os.path.join(_cache_directory(), f"grammar-{key}.tables")
    plain = _read(path)
    if plain is None:
        plain = build(text)
        _write(path, plain)
    pattern, keywords, rows, rules, starts, ends = plain
    return Tables(re.compile(pattern), keywords, rows, rules, starts, ends)


def grammar_text() -> str:
    with open(os.path.join(os.path.dirname(__file__), "net.lark"), encoding="utf-8") as file:
        return file.read()


def _cache_directory() -> str:
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.expanduser(r"~\AppData\Local")
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "netc")


def _read(path: str) -> Plain | None:
    try:
        with open(path, "rb") as file:
            content = file.read()
        # marshal must not read corrupt data, so the checksum is tested first
        if zlib.crc32(content[4:]) != int.from_bytes(content[:4], "big"):
            return None
        plain: Plain = marshal.loads(content[4:])
        return plain
    except (OSError, ValueError, EOFError, TypeError):
        return None


def _write(path: str, plain: Plain) -> None:
    content = marshal.dumps(plain)
    temporary = f"{path}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(zlib.crc32(content).to_bytes(4, "big") + content)
        os.replace(temporary, path)
    except OSError:
        return


def build(text: str) -> Plain:
    """Compiles the grammar to what the cache contains. Lark rejects reduce/reduce conflicts; a test rejects all others."""
    lark = make_lark(text)
    table = lark.parser.parser._parse_table
    numbers = {rule: number for number, rule in enumerate(lark.rules)}
    rows: list[dict[str, int]] = [{} for _ in table.states]
    for state, actions in table.states.items():
        for symbol, (action, argument) in actions.items():
            rows[state][sys.intern(symbol)] = argument if action.name == "Shift" else ~numbers[argument]
    rules = [(len(rule.expansion), str(rule.origin.name), _method(rule)) for rule in lark.rules]
    pattern, keywords = _lexer(lark)
    return pattern, keywords, rows, rules, dict(table.start_states), dict(table.end_states)


def make_lark(text: str) -> Any:
    """Lark's own parser of the grammar."""
    import lark

    starts = [START_FILE, START_EXPRESSION, "lexical"]
    return lark.Lark(text, parser="lalr", lexer="basic", start=starts, keep_all_tokens=True, maybe_placeholders=False)


def _method(rule: Any) -> str | None:
    if rule.alias:
        return str(rule.alias)
    return None if rule.options.expand1 and len(rule.expansion) == 1 else str(rule.origin.name)


def _lexer(lark: Any) -> tuple[str, dict[str, str]]:
    """Lark's basic lexer as one pattern and a table of the names that are keywords."""
    terminals = lark.parser.lexer.scanner.terminals
    pattern = "|".join(f"(?P<{t.name}>{t.pattern.to_regexp()})" for t in terminals)
    shown = {t.name for t in terminals}
    keywords = {t.pattern.value: t.name for t in lark.terminals if t.name not in shown and t.pattern is not None}
    return pattern, keywords
