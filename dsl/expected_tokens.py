"""The position where the parser stopped, and the generic message "expected this, found that".

>>> from .parser import parse_source
>>> [error.message for error in parse_source(SourceFile("<text>", "x -> dense width= -> relu"))[1]]
['expected a value after `width=`, found `->`']
"""

from __future__ import annotations

from functools import cached_property

from . import syntax_diagnostics as errors
from .brackets import OPENERS
from .diagnostics.diagnostic import Diagnostic
from .grammar import END
from .habits import NUMBERS
from .lexer import Token
from .source import SourceFile, Span

_OPENERS = OPENERS | {"LBRACE"}
_CLOSERS = frozenset(("RPAR", "RBRACK", "RBRACE"))

AFTER = {
    "ARROW": "a stage", "LET": "a name", "FN": "a name", "BLOCK": "a name", "MODEL": "a name", "SHARED": "a name", "ASSIGN": "a pipeline",
    "TRAIN": "a name, `for` or `{`", "METRIC": "a name",
    "DEFAULT": "an operator",
    "OUT": "a pipeline", "EXPECT": "a condition or a shape", "INPUT": "a shape", "PARAM": "a shape", "TABLE": "indices in parentheses",
    "REPEAT": "a count or a loop variable such as `i in 0..4`", "EACH": "a loop variable such as `r in [1, 2]`",
    "SCAN": "states such as `(h = start)`, or `axis=1`", "FOR": "a loop variable such as `i in 0..4`", "IF": "a condition",
    "IS": "a shape",
    "WHERE": "a condition", "USE": "a path in double quotes", "DOT": "a name", "EQUALS": "a value", "PLUS": "a value", "MINUS": "a value",
    "TIMES": "a value", "AT": "a value", "POWER": "a value", "COMPARE": "a value", "AND": "a condition", "OR": "a condition",
    "NOT": "a condition", "DOTDOT": "a value", "COMMA": "a value", "COMMA_WHERE": "a condition", "BINDER_IN": "a count, a range or a list",
    "COLON": "a shape in square brackets", "ELSE": "`{` or `if`",
}  # fmt: skip
_PUNCTUATION = (("LBRACE", "`{`"), ("EQUALS", "`=`"), ("ASSIGN", "`=`"), ("RPAR", "`)`"), ("RBRACK", "`]`"), ("ELSE", "`else`"))

_ARITHMETIC = ("PLUS", "MINUS", "TIMES", "AT", "POWER")
"""The operators between two numbers or tensors."""
VALUES = frozenset(("NAME", "NUMBER", "DIMS", "STRING", "RPAR", "RBRACK", "TRUE", "FALSE", "LABEL", "RBRACE", "IN"))
"""The last tokens of values."""
STATEMENTS = frozenset(("LET", "OUT", "EXPECT", "SHARED", "DEFAULT"))
"""The first tokens of statements, except definitions and statements that name tensors."""


class Stop:
    """The position: `possible` are the terminals that the grammar allows there."""

    def __init__(self, source: SourceFile, tokens: list[Token], index: int, possible: frozenset[str], unit: str) -> None:
        self.source = source
        self.tokens = tokens
        self.index = index
        self.possible = possible
        self.unit = unit
        self.token = tokens[index]
        self.previous = tokens[index - 1] if index else None
        self.first_index, self._opener = self._look_back()
        self.first = tokens[self.first_index]
        self.at_start = self.first_index == index
        self.opener = None if self._opener is None else tokens[self._opener]
        self.before_opener = tokens[self._opener - 1] if self._opener else None

    def _look_back(self) -> tuple[int, int | None]:
        """Where the statement begins, and the innermost bracket open in it, both as indices."""
        depth = 0
        opener = None
        # Backwards, so that the first opener without a closer is the innermost bracket that is open here.
        for index in range(self.index - 1, -1, -1):
            kind = self.tokens[index].type
            if kind in _CLOSERS:
                depth += 1
            elif depth == 0 and kind in ("NL", "LBRACE"):
                return index + 1, opener
            elif kind in _OPENERS:
                if depth:
                    depth -= 1
                elif opener is None:
                    opener = index
        return 0, opener

    @property
    def span(self) -> Span:
        """The span of the caret: for the end of a line, after the last token on it."""
        if self.token.type in ("NL", END) and self.previous is not None:
            return Span(self.source, self.previous.end, self.previous.end)
        return self.span_of(self.token)

    def span_of(self, token: Token) -> Span:
        return Span(self.source, token.start, token.end)

    def span_between(self, start: int, end: int) -> Span:
        return Span(self.source, start, end)

    @property
    def bracket_end(self) -> int:
        """Where the innermost open bracket ends; where the tokens end, if nothing closes it."""
        return self._find_closing(self.index)

    @property
    def next_bracket_end(self) -> int:
        """Where the bracket at the position ends; where the tokens end, if nothing closes it."""
        return self._find_closing(self.index + 1)

    def find_end(self, index: int, ends: frozenset[str]) -> int:
        """Where a text that begins at a token ends: before one of `ends`, or before the bracket around the text closes."""
        depth, end = 0, self.tokens[index].end
        for token in self.tokens[index:]:
            depth += (token.type in _OPENERS) - (token.type in _CLOSERS)
            if depth < 0 or (depth == 0 and token.type in ends):
                break
            end = token.end
        return end

    def _find_closing(self, index: int) -> int:
        depth = 1
        for token in self.tokens[index:]:
            depth += (token.type in _OPENERS) - (token.type in _CLOSERS)
            if depth == 0:
                return token.end
        return self.tokens[-1].end

    @property
    def is_list_of_numbers(self) -> bool:
        """Whether the position is at a list of numbers alone, which no index follows."""
        end = self.next_bracket_end
        after = next((token for token in self.tokens[self.index :] if token.start >= end), self.tokens[-1])
        inside = [token.type for token in self.tokens[self.index + 1 :] if token.end < end]
        return set(inside) <= {"NUMBER", "COMMA", "MINUS"} and not after.type.startswith("LBRACK")

    @cached_property
    def tokens_before(self) -> list[Token]:
        """The statement's tokens up to here."""
        return self.tokens[self.first_index : self.index]

    def text_without(self, comma: Token) -> str:
        """The stage up to the token after a comma, as it is without the comma; an example where that is long."""
        begin = max((token.end for token in self.tokens_before if token.type in ("ARROW", "ASSIGN", "LPAR")), default=self.first.start)
        last = next(token for token in self.tokens[self.index :] if token.start > comma.start)
        words = f"{self.source.text[begin : comma.start].strip()} {last.text}".strip()
        # A help that repeats a long stage is harder to read than an example.
        return words if len(words) <= 60 and "\n" not in words else "conv 64 3x3"

    def has_in_statement(self, kind: str) -> bool:
        """Whether `kind` occurs after the last arrow of the statement."""
        for token in reversed(self.tokens_before):
            if token.type in ("ARROW", "COMMA"):
                return False
            if token.type == kind:
                return True
        return False

    def has_names_before_equals(self) -> bool:
        """Whether the statement is `a, b = ...`."""
        for index in range(self.first_index, len(self.tokens)):
            kind = self.tokens[index].type
            if kind in ("EQUALS", "ASSIGN"):
                return True
            if kind not in ("NAME", "COMMA"):
                return False
        return False

    def has_comparison_before(self) -> bool:
        # PLUS and ARROW are both allowed only in tensor arithmetic, where a second comparison is a chain.
        return any(token.type == "COMPARE" for token in self.tokens_before) and "ARROW" in self.possible and "PLUS" in self.possible

    @property
    def is_in_condition(self) -> bool:
        """Whether the position is in an expression in which `=` can only be a mistake for `==`."""
        if self.opener is not None:
            return self.opener.type == "LPAR"
        return any(token.type in ("IF", "WHERE", "EACH", "REPEAT") for token in self.tokens_before)

    @property
    def is_in_header(self) -> bool:
        return self.first.type in ("BLOCK", "MODEL", "FN") and self.opener is not None


def describe_token(stop: Stop) -> str:
    token = stop.token
    if token.type == "NL":
        return "the end of the line" if token.text != ";" else "`;`"
    if token.type == END:
        return f"the end of the {stop.unit}"
    return f"`{token.text}`" if len(token.text) <= 30 else f"`{token.text[:27]}...`"


def explain_expected(stop: Stop) -> Diagnostic:
    previous = stop.previous
    if previous is not None and previous.type in AFTER:
        numbers = stop.token.type in ("LBRACK", "LBRACK_TIGHT") and previous.type in _ARITHMETIC and stop.is_list_of_numbers
        return errors.syntax_error(
            stop.span, f"expected {_describe_expected(stop, previous)}, found {describe_token(stop)}", help=(NUMBERS,) if numbers else ()
        )
    if previous is not None and previous.type in _OPENERS and previous.type != "LBRACE":
        what = "a value or a stage" if previous.type == "LPAR" and "ARROW" not in stop.possible and "INPUT" in stop.possible else "a value"
        return errors.syntax_error(stop.span, f"expected {what} after `{previous.text}`, found {describe_token(stop)}")
    inside = stop.opener is not None
    # ASSIGN and EQUALS are both printed as `=`: name one of them. A closer is no option where nothing is open, even if the grammar would
    # take it.
    unlikely = {"ASSIGN"} if "EQUALS" in stop.possible else set()
    unlikely |= set() if inside else {"RPAR", "RBRACK"}
    options = [symbol for kind, symbol in _PUNCTUATION if kind in stop.possible and kind not in unlikely]
    if "ARROW" in stop.possible:
        options.insert(0, "`->`")
    if "COMMA" in stop.possible and stop.opener is not None:
        options.append("`,`")
    if "NL" in stop.possible and stop.opener is None and stop.token.type != "NL":
        options.append("the end of the line")
    elif END in stop.possible and stop.token.type not in ("NL", END) and stop.opener is None:
        options.append(f"the end of the {stop.unit}")
    if not options or stop.at_start:
        return errors.syntax_error(stop.span, _describe_unexpected(stop))
    what = options[0] if len(options) == 1 else f"{', '.join(options[:-1])} or {options[-1]}"
    return errors.syntax_error(stop.span, f"expected {what}, found {describe_token(stop)}")


def _describe_expected(stop: Stop, previous: Token) -> str:
    what = AFTER[previous.type]
    if previous.type == "COLON" and stop.first.type == "USE":
        what = "a name"
    if previous.type == "COMMA" and "INPUT" in stop.possible:
        what = "a pipeline"
    if previous.type == "EQUALS" and stop.index > 1 and stop.tokens[stop.index - 2].type == "NAME" and stop.first.type not in ("LET", "FN"):
        return f"{what} after `{stop.tokens[stop.index - 2].text}=`" if stop.first.type != "SHARED" else "a stage after `=`"
    return f"{what} after `{previous.text}`"


def _describe_unexpected(stop: Stop) -> str:
    return f"a statement cannot begin with {describe_token(stop)}" if stop.at_start else f"unexpected {describe_token(stop)}"
