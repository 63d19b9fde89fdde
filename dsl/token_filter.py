"""The token filter between the lexer and the grammar.

It takes all tokens of a text, and returns the tokens that the grammar reads, and diagnostics. The filter

- drops the newlines that end no statement, and turns `;` and the others into one NL between two statements;
- decides by looking at adjacent tokens what the grammar cannot: tight brackets, `=` that binds a name, the names of `(a, b) = ` and
  of a `repeat`, the `=` of the states of a `scan`, the commas between the conditions of an input, numbers and keywords in a path of
  labels;
- finds the pipelines among compile-time expressions, by what only a pipeline has, such as an arrow: a bracket around one becomes LPAR_FLOW,
  and a FLOW is inserted before an argument of a call that is one;
- balances brackets. In its output every bracket has its partner: a missing one is reported and inserted, an unexpected one is removed, and
  a REPORTED token makes the parser drop the statement without a further message. Nesting beyond the limits is reported in the same way.

    >>> from .grammar import load_tables
    >>> from .lexer import lex_text
    >>> file, problems = SourceFile("<text>", "y = x -> dense(3"), []
    >>> [token.type for token in filter_tokens(file, lex_text(file.text, load_tables())[0], problems)]
    ['NAME', 'ASSIGN', 'NAME', 'ARROW', 'NAME', 'LPAR_TIGHT', 'NUMBER', 'REPORTED', 'RPAR', '$END']
    >>> [problem.message for problem in problems]
    ['this `(` is never closed']
"""

from __future__ import annotations

from functools import cached_property

from . import syntax_diagnostics as errors
from .brackets import CLOSER_OF, OPENER_OF, OpenBracket, Pipelines, end_of_pattern, is_argument, is_call
from .diagnostics.diagnostic import Diagnostic
from .grammar import END
from .lexer import Token
from .library_names import join_library_names
from .retype_tokens import LABELS, STATEMENT_WORDS, TOP_LEVEL, join_path, mark_statement_start, mark_states
from .source import SourceFile, Span

MAX_BRACKETS = 64
MAX_NESTING = 200

_OPERATORS = frozenset(("PLUS", "MINUS", "TIMES", "AT", "POWER", "COMPARE", "AND", "OR", "NOT", "DOTDOT"))
# A line that ends with one of `_GOES_ON` continues on the next line. A line that begins with one of `_CONTINUES` continues the line before.
_GOES_ON = _OPERATORS | {"ARROW", "COMMA", "COMMA_WHERE", "LBRACE", "NL", "EQUALS", "ASSIGN", "COLON", "ELSE"}
_CONTINUES = frozenset(("ARROW", "ELSE"))
_ENDS_VALUE = frozenset(("NAME", "PATH", "NUMBER", "DIMS", "STRING", "RPAR", "RBRACK", "TRUE", "FALSE", "IN", "LABEL", "RBRACE"))
_SEPARATORS = frozenset(("COMMA", "ARROW", "EQUALS", "ASSIGN", "COLON"))
_LOOPS = frozenset(("REPEAT", "EACH", "FOR", "SCAN"))
_STARTS = frozenset(("NL", "LBRACE"))
_BEFORE_ARGUMENT = frozenset(("LPAR_TIGHT", "COMMA", "EQUALS"))
_BEFORE_VALUE_IN_BRACKETS = frozenset(("NAME", "NUMBER", "DIMS", "STRING"))
"""Tokens after which an argument without a name may begin."""
_BEFORE_VALUE = frozenset(("LET", "IF", "EXPECT", "REPEAT", "EACH"))
"""Keywords after which a compile-time expression begins."""
# Tokens without a method below are passed on as they are
_PASSED_ON = frozenset(("PATH", "NUMBER", "DIMS", "STRING", "LABEL", "TRUE", "FALSE"))


def filter_tokens(file: SourceFile, tokens: list[Token], problems: list[Diagnostic]) -> list[Token]:
    return _Filter(file, join_library_names(tokens), problems).process_tokens()


class _Filter:
    def __init__(self, file: SourceFile, tokens: list[Token], problems: list[Diagnostic]) -> None:
        self.file = file
        self.tokens = tokens
        self.problems = problems
        self.out: list[Token] = []
        self.open: list[OpenBracket] = []
        self.newline: Token | None = None  # the last newline that may end a statement and was not yet passed on
        self.last_newline: Token | None = None
        self.line = 0
        self.at_line_start = True
        self.cut_line = -1  # the line on which a string without an end swallowed the rest
        self.where = -1  # the number of brackets open at the current `where`
        self.value = False  # whether the statement is inside of a compile-time expression
        self.chain = self.choices = self.outer = 0  # nesting: of `-a ** -b`, `not`, `a.b`; of `if else`; of the brackets around
        self.nesting_reported = self.brackets_reported = False

    def process_tokens(self) -> list[Token]:
        out = self.out
        for index, token in enumerate(self.tokens):
            kind = token.type
            if kind == "NL" or kind == "SEMICOLON":
                self._handle_newline(token)
                continue
            if self.at_line_start:
                self._handle_line_start(index, token)
            if self.newline is not None:
                self._flush_newline(index, kind)
            if self.open and self.open[-1].call and out[-1].type in _BEFORE_ARGUMENT:
                self._mark_pipeline_argument(token)
            if kind == "NAME":
                if not out or out[-1].type in _STARTS:
                    mark_statement_start(self.tokens, index)
                elif out[-1].type == "RPAR" and self.tokens[self._skip_newlines(index + 1)].type == "EQUALS":
                    token.type = "NAME_AFTER"  # an argument of the group, or of the stage whose argument is in parentheses
            elif kind not in _PASSED_ON:
                self._handle_special(index, token, out[-1].type if out else "NL")
            out.append(token)
        end = out.pop()
        self._close_all(end)
        return [*out, end]

    # --- newlines -----------------------------------------------------------------------------------------------------

    def _handle_newline(self, token: Token) -> None:
        if token.type == "NL":
            self.line += 1
            self.last_newline = token
            self.at_line_start = True
            # An unterminated string took the closers of its line with it: close them without a second error.
            if self.cut_line == self.line - 1:
                self._close_cut_line(token)
        if self.open and self.open[-1].token.type != "LBRACE":
            if token.type == "SEMICOLON":
                self.out.append(token)
        elif self.newline is None or token.type == "SEMICOLON":
            self.newline = token

    def _flush_newline(self, index: int, kind: str) -> None:
        token = self.newline
        self.newline = None
        last = self.out[-1].type if self.out else "NL"
        if token is None or last == "NL" or last == "LBRACE" or kind == "RBRACE" or kind == END:
            return
        if token.type == "NL" and (last in _GOES_ON or kind in _CONTINUES) and not self._must_begin_statement(index, kind):
            return
        self.out.append(Token("NL", token.text, token.start, token.end))
        self.where = -1
        self.value = False
        self.chain = self.choices = 0
        self.nesting_reported = False

    def _must_begin_statement(self, index: int, kind: str) -> bool:
        """Whether a token can only begin a statement: then the line before it has ended, though it looks unfinished."""
        if kind in STATEMENT_WORDS:
            return not self._is_label(index, self.tokens[index])
        return kind == "NAME" and self.tokens[index + 1].type == "EQUALS"

    def _handle_line_start(self, index: int, token: Token) -> None:
        self.at_line_start = False
        if not self.open or token.type not in STATEMENT_WORDS or self._is_label(index, token):
            return
        at_margin = token.start == 0 or self.file.text[token.start - 1] == "\n"
        # `block` at the margin begins a new definition, whatever is open before it: a forgotten brace must not turn the rest of the file
        # into one body.
        if token.type in TOP_LEVEL and at_margin:
            self._close_all(token)
        elif self.open[-1].token.type != "LBRACE":
            self._report_open(self.open[-1].token)
            self._close_brackets()
        else:
            return
        self.newline = self.last_newline

    # --- what neighbors decide ---------------------------------------------------------------------------------------

    def _handle_loop_head(self, kind: str, index: int) -> None:
        """Retypes the `in` of `repeat i in`, the first bracket and the `in` of `repeat (i, (a, b)) in`, and the states of a `scan`; `index`
        is after the keyword."""
        if kind == "SCAN":
            mark_states(self.tokens, index)
            return
        tokens, index = self.tokens, self._skip_newlines(index)
        if tokens[index].type not in ("NAME", "LPAR"):
            return
        end = index + 1 if tokens[index].type == "NAME" else end_of_pattern(self.tokens, index)
        word = tokens[self._skip_newlines(end)]
        if end and word.type == "IN":
            word.type = "BINDER_IN"
            if tokens[index].type == "LPAR":
                tokens[index].type = "LPAR_NAMES"

    def _skip_newlines(self, index: int) -> int:
        """Return the index of the next token from `index` on; in brackets, the ends of lines do not count."""
        if self.open and self.open[-1].token.type != "LBRACE":
            while self.tokens[index].type == "NL":
                index += 1
        return index

    def _handle_separator(self, index: int, token: Token) -> None:
        self.chain = self.choices = 0
        if token.type == "ARROW":
            self.where = -1
        elif token.type == "COMMA" and self.where == len(self.open):
            token.type = "COMMA_WHERE"
        elif token.type == "COMMA" and self.open:
            self.open[-1].flow = False
        elif token.type == "EQUALS" and self.out and self.out[-1].text == "tie":
            join_path(self.tokens, index + 1)

    def _handle_special(self, index: int, token: Token, last: str) -> None:
        if last in _STARTS:
            mark_statement_start(self.tokens, index)
        kind = token.type
        if kind in _BEFORE_VALUE and (not self.open or self.open[-1].token.type == "LBRACE"):
            self.value = True
        if self._is_in_path(index, token, last):
            token.type = "NAME"
        elif kind == "BAD_NUMBER":
            self._split_number_in_path(index, token)
        elif kind in CLOSER_OF or kind == "LPAR_NAMES":
            self._handle_opener(token, last)
        elif kind in OPENER_OF:
            self._handle_closer(token)
        elif kind in _OPERATORS:
            self._handle_operator(token, last)
        elif kind in _SEPARATORS:
            self._handle_separator(index, token)
        elif kind == "WHERE" and last in _ENDS_VALUE:
            self.where = len(self.open)
        elif kind in _LOOPS:
            self._handle_loop_head(kind, index + 1)
        elif kind == "IF":
            self.choices += 1
            self._check_nesting(token)
        elif kind == "DOT":
            self.chain += 1
            self._check_nesting(token)
        elif kind == "UNTERMINATED_STRING" or kind == "SINGLE_QUOTED":
            self.cut_line = self.line

    def _is_in_path(self, index: int, token: Token, last: str) -> bool:
        """Whether a keyword is a label, `model.out.weight`, or the `in` of `(dense in.features)`."""
        return self._is_label(index, token) or (last == "DOT" and token.text.isidentifier())

    def _is_label(self, index: int, token: Token) -> bool:
        """Whether a keyword is the label with which a path begins, `out.weight`."""
        return token.type in LABELS and self.tokens[self._skip_newlines(index + 1)].type == "DOT"

    def _split_number_in_path(self, index: int, token: Token) -> None:
        """Makes a dot and a name of the `.0` in `layers.0.weight`: a label may be a number."""
        before, after = self.out[-1] if self.out else token, self.tokens[index + 1]
        is_tight = before.type == "NAME" and before.end == token.start and after.start == token.end
        if is_tight and token.text[1:].isdigit() and after.type in ("DOT", "BAD_NUMBER") and after.text[0] == ".":
            self.out.append(Token("DOT", ".", token.start, token.start + 1))
            token.type, token.text, token.start = "NAME", token.text[1:], token.start + 1
            self.chain += 1
            self._check_nesting(token)

    def _handle_operator(self, token: Token, last: str) -> None:
        unary = token.type == "NOT" or (token.type in ("MINUS", "PLUS") and last not in _ENDS_VALUE)
        if unary or token.type == "POWER":
            self.chain += 1
            self._check_nesting(token)
        else:
            self.chain = 0

    def _check_nesting(self, token: Token) -> None:
        # Later passes recurse over the tree, so its depth must have a limit. Counting here costs nothing and needs no tree.
        if self.chain + self.choices + self.outer > MAX_NESTING and not self.nesting_reported:
            self.nesting_reported = True
            self._report_error(errors.too_much_nesting(self._token_span(token), "expressions", MAX_NESTING), token)

    # --- brackets -----------------------------------------------------------------------------------------------------

    def _handle_opener(self, token: Token, last: str) -> None:
        kind = "LPAR" if token.type == "LPAR_NAMES" else token.type
        previous = self.out[-1] if self.out else None
        in_expression = self._is_in_expression()
        if previous is not None and previous.end == token.start:
            if token.type == "LPAR" and (last == "NAME" or (last == "WHERE" and self.where != len(self.open))):
                token.type = "LPAR_TIGHT"
            elif token.type == "LBRACK" and last in ("NAME", "RPAR", "RBRACK"):
                token.type = "LBRACK_TIGHT"
                self.chain += 1
                self._check_nesting(token)
        if token.type == "LPAR":
            # A pipeline in parentheses is a value only where an expression is expected; elsewhere it is a group of stages.
            as_value = in_expression or last in _BEFORE_VALUE_IN_BRACKETS or is_argument(self.out)
            if as_value and token.start in self._pipelines.brackets:
                token.type = "LPAR_FLOW"
            in_expression = as_value or last in _ENDS_VALUE
        # Reported once: every deeper bracket is a consequence.
        if len(self.open) >= MAX_BRACKETS and not self.brackets_reported:
            self.brackets_reported = True
            self._report_error(errors.too_much_nesting(self._token_span(token), "brackets", MAX_BRACKETS), token)
        plain = Token(kind, token.text, token.start, token.end)
        call = token.type == "LPAR_TIGHT" and is_call(self.out)
        expression = token.type in ("LPAR_TIGHT", "LBRACK", "LBRACK_TIGHT") or (token.type == "LPAR" and in_expression)
        # Inside the bracket its own kind decides, not the statement's keyword.
        self.value = False
        self.open.append(OpenBracket(plain, call, expression, self.line, self.chain, self.choices, self.outer))
        self.outer += self.chain + self.choices + 1
        self.chain = self.choices = 0

    def _is_in_expression(self) -> bool:
        """Whether the current token is in a compile-time expression, where parentheses around a pipeline are no group."""
        top = self.open[-1] if self.open else None
        return self.value if top is None or top.token.type == "LBRACE" else top.expression and not top.flow

    def _mark_pipeline_argument(self, token: Token) -> None:
        """Inserts a FLOW before an argument that is a pipeline."""
        if token.start in self._pipelines.arguments:
            self.open[-1].flow = True
            self.out.append(Token("FLOW", "", token.start, token.start))

    @cached_property
    def _pipelines(self) -> Pipelines:
        return Pipelines(self.tokens)

    def _handle_closer(self, token: Token) -> None:
        opener, text = OPENER_OF[token.type]
        if self.open and self.open[-1].token.type == opener:
            self._pop_bracket()
        # A closer that matches nothing is reported alone; one that matches an outer bracket says that the inner ones are not closed.
        elif not any(bracket.token.type == opener for bracket in self._reachable_brackets(opener)):
            self._handle_wrong_closer(token, text)
        else:
            self._report_open(self.open[-1].token)
            while self.open[-1].token.type != opener:
                self._insert_closer()
            self._pop_bracket()

    def _reachable_brackets(self, opener: str) -> list[OpenBracket]:
        """The open brackets that a closer could mean: `)` and `]` do not reach over a `{`."""
        if opener == "LBRACE":
            return self.open
        index = len(self.open)
        while index and self.open[index - 1].token.type != "LBRACE":
            index -= 1
        return self.open[index:]

    def _handle_wrong_closer(self, token: Token, opener: str) -> None:
        span = self._token_span(token)
        if self.open and self.open[-1].token.type != "LBRACE":
            top = self.open[-1].token
            kind, closer = CLOSER_OF[top.type]
            self._report_error(errors.wrong_bracket(span, token.text, self._token_span(top), closer), token)
            self._pop_bracket()
            token.type = kind
            return
        if token.type == "RBRACE":
            self._report_error(errors.unexpected_brace(span), token)
        else:
            self._report_error(errors.unopened_bracket(span, token.text, opener), token)
        token.type = "REPORTED"

    def _pop_bracket(self) -> None:
        bracket = self.open.pop()
        self.chain, self.choices, self.outer = bracket.chain, bracket.choices, bracket.outer
        if len(self.open) < self.where:
            self.where = -1
        if not self.open:
            self.brackets_reported = False

    def _insert_closer(self) -> None:
        """Inserts the partner of the innermost open bracket."""
        kind, text = CLOSER_OF[self.open[-1].token.type]
        position = self.out[-1].end
        self.out.append(Token(kind, text, position, position))
        self._pop_bracket()

    def _close_brackets(self) -> None:
        while self.open and self.open[-1].token.type != "LBRACE":
            self._insert_closer()

    def _close_all(self, token: Token) -> None:
        if self.open:
            self._report_open(self.open[-1].token)
            while self.open:
                self._insert_closer()

    def _close_cut_line(self, token: Token) -> None:
        while self.open and self.open[-1].line == self.line - 1:
            self._insert_closer()

    def _report_open(self, opener: Token) -> None:
        span = self._token_span(opener)
        if opener.type == "LBRACE":
            self.problems.append(errors.missing_brace(span))
        else:
            self._report_error(errors.missing_bracket(span, opener.text, CLOSER_OF[opener.type][1]), self.out[-1])

    def _report_error(self, problem: Diagnostic, token: Token) -> None:
        self.problems.append(problem)
        self.out.append(Token("REPORTED", "", token.start, token.start))

    def _token_span(self, token: Token) -> Span:
        return Span(self.file, token.start, token.end)
