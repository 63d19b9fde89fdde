"""Turns a text into a syntax tree.

`parse_source` takes any text and returns its tree and its syntax errors; without errors the tree is complete. A statement that does not
parse is reported once and becomes a `Broken` node, and parsing continues after it. The parser never raises, and its stack does not grow
with the text: a pipeline of a hundred thousand stages is parsed in linear time.

    >>> file, problems = parse_source(SourceFile("<text>", "input 3 -> dense 2"))
    >>> file.items[0].pipeline.stages[0].name
    'dense'
    >>> [problem.message for problem in parse_source(SourceFile("<text>", "x -> -> relu"))[1]]
    ['expected a stage after `->`, found `->`']
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

from . import ast
from . import syntax_diagnostics as errors
from .brackets import OPENERS
from .diagnostics.diagnostic import Diagnostic, Edit
from .expression_builder import Children
from .grammar import END, START_EXPRESSION, START_FILE, load_tables
from .habits import HABITS
from .lexer import MAX_PARTS, MAX_TOKENS, Token, lex_text
from .record import replace
from .source import SourceFile, Span
from .token_filter import filter_tokens
from .tree_builder import Builder, find_action

MAX_SYNTAX_ERRORS = 20
_LONE_RETURN = re.compile(r"\r(?!\n)")


def parse_source(source: SourceFile, tokens: list[Token] | None = None) -> tuple[ast.File, list[Diagnostic]]:
    """Return the tree of a text, and its errors in the order of their positions. `tokens` are the tokens of the text, if they are known."""
    problems: list[Diagnostic] = []
    if tokens is None:
        tokens, _ = lex_text(source.text, load_tables())
    too_long = _check_length(source, tokens)
    if too_long is not None:
        return ast.File(Span(source, 0, len(source.text)), ()), [too_long]
    # Checked before the tokens: read as a space, a lone return would join two lines, and no later error would name the cause.
    if lone := _LONE_RETURN.search(source.text):
        return ast.File(Span(source, 0, len(source.text)), ()), [_explain_lone_return(source, lone.start())]
    # The filter reports brackets, which the grammar could only report one statement at a time.
    tokens = filter_tokens(source, tokens, problems)
    if len(tokens) == 1 and not problems:
        problems.append(errors.empty_file(Span(source, 0, len(source.text))))
    file = _Parser(source, problems).parse_file(tokens)
    return file, _limit_errors(problems)


def parse_value(source: SourceFile) -> tuple[ast.Expr | None, list[Diagnostic]]:
    """The one compile-time expression a text consists of, such as the value of `--set`; None if it does not parse."""
    problems: list[Diagnostic] = []
    value = _Parser(source, problems).parse_expression(0, len(source.text))
    return (None if problems else value), _limit_errors(problems)


def _check_length(source: SourceFile, tokens: list[Token]) -> Diagnostic | None:
    """A text of more words, with a shape of more parts, or with more to evaluate in its names, than anybody writes."""
    if len(tokens) > MAX_TOKENS + 1:
        last = tokens[-2]
        return errors.too_many(Span(source, last.start, last.end), "text", "words", MAX_TOKENS)
    within = 0
    for token in tokens:
        if token.type == "DIMS" and token.text.count("x") >= MAX_PARTS:
            return errors.too_many(Span(source, token.start, token.end), "shape", "parts", MAX_PARTS)
        if token.type in ("STRING", "LABEL") and "{" in token.text:
            within += len(token.text)
            if within > MAX_TOKENS:
                return errors.too_many(Span(source, token.start, token.end), "text", "characters in names with braces", MAX_TOKENS)
    return None


def _explain_lone_return(source: SourceFile, start: int) -> Diagnostic:
    """The error for the first carriage return without a line feed. Its edit ends all lines, if the text has no other mistake then: a
    carriage return may also be in the middle of a line, or in a string."""
    mended = _LONE_RETURN.sub("\n", source.text)
    edit = Edit(Span(source, start, len(source.text)), mended[start:])
    is_mended = not parse_source(SourceFile(source.name, mended))[1]
    return errors.lone_carriage_return(Span(source, start, start + 1), (edit,) if is_mended else ())


def _limit_errors(problems: list[Diagnostic]) -> list[Diagnostic]:
    problems.sort(key=lambda problem: problem.span.start)
    if len(problems) <= MAX_SYNTAX_ERRORS:
        return problems
    reported = problems[:MAX_SYNTAX_ERRORS]
    note = f"this is one of {len(problems)} syntax errors; the others are not shown"
    return [*reported[:-1], replace(reported[-1], notes=(*reported[-1].notes, note))]


class _Parser:
    def __init__(self, source: SourceFile, problems: list[Diagnostic]) -> None:
        self.source = source
        self.problems = problems
        self.tables = load_tables()
        self.ends = frozenset(self.tables.ends.values())
        self.rules = _load_rules()
        self.builder = Builder(source, problems, self.parse_expression)

    def parse_file(self, tokens: list[Token]) -> ast.File:
        """Runs the automaton: a statement that fails is undone and replaced by BROKEN."""
        states = [self.tables.starts[START_FILE]]
        values: list[Any] = []
        # An error undoes the innermost statement only, so that the statements around it, and the body it is in, stay in the tree.
        starts = [(0, 1)]  # of the current statement and those around it: the index of its first token, the number of states
        index = 0
        while True:
            token = tokens[index]
            if not self._feed_token(states, values, token):
                first, height = starts[-1]
                end = _find_statement_end(tokens, first)
                # Where the token filter has reported something, the rest is a consequence of it
                if not any(reported.type == "REPORTED" for reported in tokens[first:end]):
                    self._report_error(tokens, index, states)
                # There is one state more than values, for the start of the automaton.
                del states[height:], values[height - 1 :]
                from .foreign_forms import find_broken_end  # see `_report_error`

                index = end = find_broken_end(self.source, tokens, first, end)
                self._feed_token(states, values, BrokenToken(tokens, first, end))
                continue
            index += 1
            kind = token.type
            if kind == "NL":
                starts[-1] = (index, len(states))
            elif kind == "LBRACE":
                starts.append((index, len(states)))
            elif kind == "RBRACE":
                starts.pop()
            elif kind == END:
                file: ast.File = values[-1]
                return file

    def parse_expression(self, start: int, end: int) -> ast.Expr | None:
        """The expression that a part of the text consists of."""
        # An expression in braces has its own errors; those before it must not make it fail.
        known = len(self.problems)
        tokens, _ = lex_text(self.source.text, self.tables, start, end)
        too_long = _check_length(self.source, tokens)
        if too_long is not None:
            self.problems.append(too_long)
            return None
        tokens = filter_tokens(self.source, tokens, self.problems)
        states = [self.tables.starts[START_EXPRESSION]]
        values: list[Any] = []
        for index, token in enumerate(tokens):
            if not self._feed_token(states, values, token):
                self._report_error(tokens, index, states)
                return None
        value: ast.Expr
        (value,) = values
        return value if len(self.problems) == known else None

    def _report_error(self, tokens: list[Token], index: int, states: list[int]) -> None:
        possible = frozenset(kind for kind in self.tables.rows[states[-1]] if kind.isupper() or kind == END)
        accepted = frozenset(kind for kind in possible if self._accepts_token(states, kind))
        unit = "file" if states[0] == self.tables.starts[START_FILE] else "expression"
        from . import syntax_errors  # six modules, which take a tenth as long to import as all that a correct text needs

        report = syntax_errors.explain_error(self.source, tokens, index, accepted, unit)
        if report is not None:
            self.problems.append(report)

    def _accepts_token(self, states: list[int], kind: str) -> bool:
        """Whether a token could be shifted: the automaton's look-ahead sets include tokens of other contexts."""
        # A copy: the question must not move the automaton.
        states = states[:]
        while True:
            action = self.tables.rows[states[-1]].get(kind)
            if action is None:
                return False
            if action >= 0:
                return True
            size, symbol, _ = self.tables.rules[~action]
            del states[len(states) - size :]
            states.append(self.tables.rows[states[-1]][symbol])
            if kind == END and states[-1] in self.ends:
                return True

    def _feed_token(self, states: list[int], values: list[Any], token: Token) -> bool:
        """One step of an LALR(1) automaton: reduces as far as `token` requires and shifts it. False if it is not allowed."""
        rows, rules, builder, kind = self.tables.rows, self.rules, self.builder, token.type
        while True:
            action = rows[states[-1]].get(kind)
            if action is None:
                return False
            if action >= 0:
                states.append(action)
                values.append(token)
                return True
            size, symbol, build = rules[~action]
            if size == 0:
                values.append(build(builder, []) if build else None)
            else:
                del states[-size:]
                if build is not None:
                    children = values[-size:]
                    del values[-size:]
                    values.append(build(builder, children))
            goto = rows[states[-1]][symbol]
            states.append(goto)
            if kind == END and goto in self.ends:
                return True


@cache
def _load_rules() -> list[tuple[int, str, Callable[[Builder, Children], Any] | None]]:
    """The size of each rule of the grammar, what it makes, and how."""
    return [(size, symbol, find_action(name)) for size, symbol, name in load_tables().rules]


class BrokenToken(Token):
    """The token that replaces a statement that did not parse; `binds` are the names it would have defined."""

    __slots__ = ("binds",)

    def __init__(self, tokens: list[Token], first: int, end: int) -> None:
        super().__init__("BROKEN", "", tokens[first].start, tokens[max(first, end - 1)].end)
        self.binds = _find_bound_names(tokens[first:end])


def _find_bound_names(tokens: list[Token]) -> list[Token]:
    kinds = [token.type for token in tokens]
    if tokens[0].text in HABITS:  # `def f(x):`, `for i in xs:`
        return [token for token in tokens[1:2] if token.type == "NAME" and kinds[0] == "NAME"]
    if kinds[:2] == ["LET", "LPAR"]:
        end = next((index for index, kind in enumerate(kinds) if kind == "EQUALS"), len(kinds))
        return [token for token in tokens[1:end] if token.type == "NAME"]
    if kinds[:2] == ["NAME", "COLON"]:
        return tokens[:1]
    if kinds[:1] == ["USE"]:
        return [token for token in tokens[1:] if token.type == "NAME"]
    if kinds[:1] and kinds[0] in ("LET", "SHARED", "BLOCK", "FN", "MODEL", "METRIC"):
        return [token for token in tokens[1:2] if token.type == "NAME"]
    # The names before the first `=` are what the statement would have bound, if nothing but names, commas and brackets is there.
    end = next((index for index, kind in enumerate(kinds) if kind in ("ASSIGN", "EQUALS")), 0)
    if "SCAN" in kinds[:end]:
        return []  # the `=` of a state
    if kinds[end : end + 1] == ["EQUALS"] and not {"NAME", "COMMA", "ELLIPSIS"}.issuperset(kinds[:end]):
        return []
    return [token for token in tokens[:end] if token.type == "NAME"]


def _find_statement_end(tokens: list[Token], first: int) -> int:
    """The index of the NL, `}` or END after the statement that begins at `first`; brackets are balanced."""
    depth = 0
    for index in range(first, len(tokens)):
        kind = tokens[index].type
        if kind == "LBRACE" or kind in OPENERS:
            depth += 1
        elif kind in ("RPAR", "RBRACK") or (kind == "RBRACE" and depth):
            depth -= 1
        elif depth == 0 and kind in ("NL", "RBRACE", END):
            return index
    return len(tokens) - 1
