"""The tables of the language: `net.lark`, compiled once by Lark and then kept in the user's cache directory.

`load_tables` returns plain data: the one pattern of the lexer, the keywords, and the LALR(1) automaton. Lark itself is imported only to
build them. Importing it and building would cost a fifth of a second in every `netc check`, and even loading what `Lark.save` writes costs
more than all the rest of parsing a small file; these tables load in a millisecond. A cache that cannot be read or written, or that is
corrupt, is ignored.

    >>> tables = load_tables()
    >>> tables.keywords["repeat"], re.match(tables.pattern, "conv2d(3)").group()
    ('REPEAT', 'conv2d')
"""

from __future__ import annotations

import marshal
import os
import re
import stat
import sys
import zlib
from functools import lru_cache
from types import NoneType
from typing import Any, TypeGuard

from .record import Record

START_FILE = "file"
START_EXPRESSION = "expr"
END = "$END"
LAST = "_END"
"""The group of the pattern that matches where the text ends."""
# Part of the cache's key; to be increased whenever the layout of the tables changes.
_LAYOUT = "2"
_MAX_CACHE_BYTES = 4 << 20
"""Bytes of the cache."""
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""Neither follow a link nor wait for the other end of a pipe."""


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


PlainTables = tuple[str, dict[str, str], list[dict[str, int]], list[tuple[int, str, str | None]], dict[str, int], dict[str, int]]


@lru_cache(maxsize=1)
def load_tables() -> Tables:
    text = grammar_text()
    path = os.path.join(_cache_directory(), cache_name(text, sys.implementation.cache_tag or sys.version))
    plain = _read_cache(path)
    if plain is None:
        plain = build_tables(text)
        write_cache(path, plain)
    pattern, keywords, rows, rules, starts, ends = plain
    return Tables(re.compile(pattern), keywords, rows, rules, starts, ends)


def cache_name(text: str, python: str) -> str:
    """The name of the file that keeps the tables of a grammar for one version of Python."""
    return f"grammar-{zlib.crc32(text.encode()):08x}{zlib.adler32(text.encode()):08x}-{python}-{_LAYOUT}.tables"


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


def _read_cache(path: str) -> PlainTables | None:
    """The tables in a file that is nothing else: no link, which may lead anywhere, and no pipe, which nobody may write to."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_FOLLOW)
        with open(descriptor, "rb") as file:
            state = os.fstat(descriptor)
            # The cache directory may be shared or tampered with, so nothing but a small regular file is read.
            if not stat.S_ISREG(state.st_mode) or state.st_size > _MAX_CACHE_BYTES:
                return None
            content = file.read(_MAX_CACHE_BYTES)
        # marshal must not read corrupt data, so the checksum is tested first
        if zlib.crc32(content[4:]) != int.from_bytes(content[:4], "big"):
            return None
        plain = marshal.loads(content[4:])
        return plain if _is_plain(plain) else None
    except (OSError, ValueError, EOFError, TypeError, MemoryError):
        return None


def _is_plain(plain: Any) -> TypeGuard[PlainTables]:
    """Whether these are tables: a file with the right checksum may hold anything."""
    if type(plain) is not tuple or [type(part) for part in plain] != [str, dict, list, list, dict, dict]:
        return False
    pattern, keywords, rows, rules, starts, ends = plain
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return False
    texts = {type(word) for pair in keywords.items() for word in pair}
    types = {type(part) for rule in rules for part in rule} if all(type(rule) is tuple and len(rule) == 3 for rule in rules) else {object}
    if not texts <= {str} or not types <= {int, str, NoneType} or set(map(type, rows)) != {dict}:
        return False
    if not all(type(n) is int and n >= 0 and type(made) is str and type(method) in (str, NoneType) for n, made, method in rules):
        return False
    actions = [action for row in rows for action in row.values()]
    states = [*starts.values(), *ends.values()]
    if not {type(number) for number in [*actions, *states]} <= {int} or not {START_FILE, START_EXPRESSION} <= starts.keys():
        return False
    if not {type(symbol) for row in [*rows, starts, ends] for symbol in row} <= {str}:
        return False
    return -len(rules) <= min(actions, default=0) and max(actions, default=0) < len(rows) and all(0 <= s < len(rows) for s in states)


def write_cache(path: str, plain: PlainTables) -> None:
    """Keeps the tables in a file, if it can be written."""
    import tempfile  # only here, since it takes longer than all the rest

    content = marshal.dumps(plain)
    try:
        folder = os.path.dirname(path)
        os.makedirs(folder, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix="grammar-", dir=folder)
        try:
            with open(descriptor, "wb") as file:
                file.write(zlib.crc32(content).to_bytes(4, "big") + content)
            # Another process may read or write the cache at the same time: a rename is atomic, a write is not.
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)
    except OSError:
        return


def build_tables(text: str) -> PlainTables:
    """Compiles the grammar to what the cache contains. Lark rejects reduce/reduce conflicts; a test rejects all others."""
    lark = make_lark(text)
    table = lark.parser.parser._parse_table
    numbers = {rule: number for number, rule in enumerate(lark.rules)}
    rows: list[dict[str, int]] = [{} for _ in table.states]
    for state, actions in table.states.items():
        for symbol, (action, argument) in actions.items():
            # Interned strings compare by identity, which the inner loop of the parser does for every token.
            rows[state][sys.intern(symbol)] = argument if action.name == "Shift" else ~numbers[argument]
    rules = [(len(rule.expansion), str(rule.origin.name), _action_name(rule)) for rule in lark.rules]
    pattern, keywords = _build_lexer(lark)
    return pattern, keywords, rows, rules, dict(table.start_states), dict(table.end_states)


def make_lark(text: str) -> Any:
    """Lark's own parser of the grammar."""
    import lark

    # `lexical` is never parsed: Lark keeps only the terminals that some rule uses, and the lexer needs the invalid ones too.
    starts = [START_FILE, START_EXPRESSION, "lexical"]
    return lark.Lark(text, parser="lalr", lexer="basic", start=starts, keep_all_tokens=True, maybe_placeholders=False)


def _action_name(rule: Any) -> str | None:
    if rule.alias:
        return str(rule.alias)
    return None if rule.options.expand1 and len(rule.expansion) == 1 else str(rule.origin.name)


def _build_lexer(lark: Any) -> tuple[str, dict[str, str]]:
    """Lark's basic lexer as one pattern, of a terminal after what is ignored, and a table of the names that are keywords."""
    terminals = lark.parser.lexer.scanner.terminals
    ignored = "|".join(t.pattern.to_regexp() for t in terminals if t.name in lark.ignore_tokens)
    groups = "|".join(f"(?P<{t.name}>{t.pattern.to_regexp()})" for t in terminals if t.name not in lark.ignore_tokens)
    # The lexer takes the spaces before a token with it: one match a token instead of two. Possessive, so that a failed
    # match never gives spaces back one by one.
    pattern = f"(?:{ignored})?+(?:{groups}|(?P<{LAST}>\\Z))"
    scanned = {t.name for t in terminals}
    keywords = {t.pattern.value: t.name for t in lark.terminals if t.name not in scanned and t.pattern is not None}
    return pattern, keywords
