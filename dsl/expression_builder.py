"""The part of the builder for compile-time expressions and labels: see tree_builder.py.

>>> from .parser import parse_value
>>> value, _ = parse_value(SourceFile("<text>", "2 * [64, 128][i] + 1"))
>>> value.op, value.left.op, value.left.right.index.name
('+', '*', 'i')
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from . import ast
from . import syntax_diagnostics as errors
from .diagnostics.diagnostic import Diagnostic
from .lexer import Token
from .source import SourceFile, Span

Children = list[Any]
_FILE_RANGE = re.compile(r"\{\d+\.\.\d+\}")
"""The numbers of files, as in `shards-{000..999}.tar`."""
ParseInside = Callable[[int, int], ast.Expr | None]


class ExpressionBuilder:
    """`parse_inside(start, end)` parses a part of the text as an expression, for the braces in a label."""

    def __init__(self, source: SourceFile, problems: list[Diagnostic], parse_inside: ParseInside) -> None:
        self.source = source
        self.problems = problems
        self.parse_inside = parse_inside

    # --- spans --------------------------------------------------------------------------------------------------------

    def _token_span(self, token: Token) -> Span:
        return Span(self.source, token.start, token.end)

    def _span_between(self, first: Any, last: Any) -> Span:
        """From the start of a token or node to the end of another, or of the last in a list."""
        if last.__class__ is list:
            last = last[-1]
        start: int = first.start if first.__class__ is Token else first.span.start
        end: int = last.end if last.__class__ is Token else last.span.end
        return Span(self.source, start, end)

    def _report_error(self, problem: Diagnostic) -> None:
        self.problems.append(problem)

    def _make_name(self, token: Token) -> ast.Name:
        return ast.Name(Span(self.source, token.start, token.end), token.text)

    # --- atoms --------------------------------------------------------------------------------------------------------

    def build_exprs(self, c: Children) -> list[Any]:
        """Any list with a separator."""
        if len(c) == 1:
            return c
        # The list grows in place: the reduction that made it is the only owner, and copying would make long lists quadratic.
        c[0].append(c[2])
        expressions: list[Any] = c[0]
        return expressions

    def build_name(self, c: Children) -> ast.Name:
        token = c[0]
        if token.text == "True" or token.text == "False":
            self._report_error(errors.python_constant(self._token_span(token), token.text))
        return ast.Name(Span(self.source, token.start, token.end), token.text)

    def build_number(self, c: Children) -> ast.NumberLiteral:
        token = c[0]
        text = token.text
        is_integer = text.isdigit() or ("_" in text and text.replace("_", "").isdigit())
        return ast.NumberLiteral(Span(self.source, token.start, token.end), int(text) if is_integer else float(text))

    def build_dims(self, c: Children) -> ast.Dims:
        token = c[0]
        position = token.start
        parts: list[ast.Expr] = []
        for text in token.text.split("x"):
            end = position + len(text)
            span = Span(self.source, position, end)
            parts.append(ast.NumberLiteral(span, int(text)) if text[0].isdigit() else ast.Name(span, text))
            position = end + 1
        return ast.Dims(self._token_span(token), tuple(parts))

    def build_string(self, c: Children) -> ast.String | ast.TemplateString:
        token = c[0]
        # No value of an expression in a string can be a range, so this is a pattern for files, as shells expand it.
        if "{" not in _FILE_RANGE.sub("", token.text):
            return ast.String(self._token_span(token), token.text[1:-1])
        return ast.TemplateString(self._token_span(token), tuple(self._parse_parts(token.start + 1, token.end - 1)))

    def build_path(self, c: Children) -> ast.String:
        return ast.String(self._token_span(c[0]), c[0].text)

    def build_true(self, c: Children) -> ast.Boolean:
        return ast.Boolean(self._token_span(c[0]), True)

    def build_false(self, c: Children) -> ast.Boolean:
        return ast.Boolean(self._token_span(c[0]), False)

    def build_of_pipeline(self, c: Children) -> ast.PipelineExpr:
        span = self._span_between(c[0], c[-1])
        return ast.PipelineExpr(span, ast.Group(span, tuple(c[1])))

    def build_of_argument(self, c: Children) -> ast.PipelineExpr:
        """A pipeline that is an argument without brackets of its own."""
        return ast.PipelineExpr(c[1].span, ast.Group(c[1].span, (c[1],)))

    def build_list_expr(self, c: Children) -> ast.ListExpr:
        return ast.ListExpr(self._span_between(c[0], c[-1]), tuple(c[1]) if len(c) > 2 else ())

    # --- names for the items of a list --------------------------------------------------------------------------------

    def build_name_patterns(self, c: Children) -> list[Any]:
        return self.build_exprs(c)

    def build_name_pattern(self, c: Children) -> ast.NamePattern:
        return ast.NamePattern(self._span_between(c[0], c[-1]), tuple(c[1]))

    def build_binders(self, c: Children) -> ast.NamePattern:
        """`i in` and `(i, w) in`, without the `in`."""
        names = (self._make_name(c[0]),) if len(c) == 2 else tuple(c[1])
        return ast.NamePattern(self._span_between(c[0], c[-2]), names)

    # --- expressions --------------------------------------------------------------------------------------------------

    def build_clauses(self, c: Children) -> list[Any]:
        if len(c) == 1:
            return c
        c[0].append(c[1])
        clauses: list[Any] = c[0]
        return clauses

    def build_for_clause(self, c: Children) -> ast.ForClause:
        return ast.ForClause(self._span_between(c[0], c[2]), c[1], c[2])

    def build_if_clause(self, c: Children) -> ast.Expr:
        condition: ast.Expr = c[1]
        return condition

    def build_comprehension(self, c: Children) -> ast.Comprehension:
        return ast.Comprehension(self._span_between(c[0], c[-1]), c[1], tuple(c[2]))

    def build_parenthesized(self, c: Children) -> ast.Expr:
        """The expression inside, with a span that includes the parentheses."""
        inside = c[1]
        # The span must include the parentheses, since help texts and edits replace the text of whole arguments.
        expression: ast.Expr = type(inside)(self._span_between(c[0], c[2]), *(getattr(inside, f) for f in inside.__match_args__[1:]))
        return expression

    def build_call(self, c: Children) -> ast.Call:
        arguments_and_keywords = c[2] if len(c) > 3 else []
        keywords = tuple(argument for argument in arguments_and_keywords if argument.__class__ is ast.Keyword)
        arguments = tuple(argument for argument in arguments_and_keywords if argument.__class__ is not ast.Keyword)
        if keywords and arguments and keywords[0].span.start < arguments[-1].span.start:
            self._report_error(errors.positional_after_keyword(arguments[-1].span, keywords[0].span))
        return ast.Call(self._span_between(c[0], c[-1]), self._make_name(c[0]), arguments, keywords)

    def build_attribute(self, c: Children) -> ast.Attribute:
        return ast.Attribute(self._span_between(c[0], c[2]), c[0], c[2].text)

    def build_attribute_of_name(self, c: Children) -> ast.Attribute:
        return self.build_attribute([self._make_name(c[0]), c[1], c[2]])

    def build_index(self, c: Children) -> ast.IndexExpr:
        return ast.IndexExpr(self._span_between(c[0], c[3]), c[0], c[2])

    def build_unary(self, c: Children) -> ast.Unary:
        return ast.Unary(self._span_between(c[0], c[1]), c[0].text, c[1])

    def build_binary(self, c: Children) -> ast.Binary:
        return ast.Binary(self._span_between(c[0], c[2]), c[1].text, c[0], c[2])

    def build_not_in(self, c: Children) -> ast.Unary:
        """`a not in b` is `not a in b`."""
        span = self._span_between(c[0], c[3])
        return ast.Unary(span, "not", ast.Binary(span, "in", c[0], c[3]))

    def build_range(self, c: Children) -> ast.Range:
        return ast.Range(self._span_between(c[0], c[2]), c[0], c[2])

    def build_conditional(self, c: Children) -> ast.Conditional:
        return ast.Conditional(self._span_between(c[0], c[4]), c[0], c[2], c[4])

    # --- labels -------------------------------------------------------------------------------------------------------

    def _make_label(self, token: Token) -> ast.Label:
        text = self.source.text
        begin = token.start + 2
        while text[begin] in " \t":
            begin += 1
        return ast.Label(Span(self.source, begin, token.end), tuple(self._parse_parts(begin, token.end)))

    def _parse_parts(self, position: int, stop: int) -> Iterator[str | ast.Expr]:
        """The literal texts between two positions, and the expressions in braces."""
        text = self.source.text
        while position < stop:
            if text[position] != "{":
                end = text.find("{", position, stop)
                end = stop if end < 0 else end
                yield text[position:end]
                position = end
                continue
            end = text.find("}", position, stop)
            if end < 0:
                self._report_error(errors.open_value(Span(self.source, position, position + 1)))
                return
            if not text[position + 1 : end].strip():
                self._report_error(errors.empty_value(Span(self.source, position, end + 1)))
                position = end + 1
                continue
            # Braces hold an expression of the same language, so the same parser reads them, at their place in the text.
            inside = self.parse_inside(position + 1, end)
            if inside is not None:
                yield inside
            position = end + 1
