"""The part of the builder for pipelines, stages, loops and inputs: see tree_builder.py.

>>> from .parser import parse_source
>>> from .source import SourceFile
>>> (flow,) = parse_source(SourceFile("<text>", "x -> repeat 3 { conv 64 3x3 } -> (flatten) as head"))[0].items
>>> [type(stage).__name__ for stage in flow.pipeline.stages]
['Repeat', 'Group']
"""

from __future__ import annotations

from typing import Any

from . import ast
from . import syntax_diagnostics as errors
from .expression_builder import Children, ExpressionBuilder
from .lexer import Token
from .source import Span


class PipelineBuilder(ExpressionBuilder):
    """Builds tensor expressions."""

    # --- lists: the first alternative makes one, the second adds to it ------------------------------------------------

    build_scan_states = build_pipelines = build_stages = build_conditions = build_call_arguments = ExpressionBuilder.build_exprs

    def build_arguments(self, c: Children) -> list[Any]:
        if len(c) == 1:
            return c
        c[0].append(c[1])
        arguments: list[Any] = c[0]
        return arguments

    build_keywords = build_group_keywords = build_arguments

    # --- pipelines and tensor arithmetic ------------------------------------------------------------------------------

    def build_pipeline(self, c: Children) -> ast.Pipeline:
        if len(c) == 1:
            return ast.Pipeline(c[0].span, c[0], ())
        return ast.Pipeline(self._span_between(c[0], c[2]), c[0], tuple(c[2]))

    def build_tensor_binary(self, c: Children) -> ast.TensorBinary:
        return ast.TensorBinary(self._span_between(c[0], c[2]), c[1].text, c[0], c[2])

    def build_tensor_unary(self, c: Children) -> ast.TensorUnary:
        return ast.TensorUnary(self._span_between(c[0], c[1]), "-", c[1])

    def build_scalar(self, c: Children) -> ast.Scalar:
        number = self.build_number(c)
        return ast.Scalar(number.span, number.value)

    def build_value(self, c: Children) -> ast.ValueOperand:
        return ast.ValueOperand(c[0].span, c[0])

    def build_callee(self, c: Children) -> Token:
        token: Token = c[0]
        return token

    def build_apply(self, c: Children) -> ast.Apply:
        callee = c[0]
        start, end = callee.start, callee.end
        name_span = Span(self.source, start, end)
        if len(c) == 1:
            return ast.Apply(name_span, callee.text, name_span, (), (), None, False)
        label = None
        arguments: list[Any] = []
        for child in c[1:]:
            if child.__class__ is list:
                arguments += child
            elif child.__class__ is ast.Label:
                label = child
            else:
                arguments.append(child)
        positional, keywords, activation = self._sort_arguments(arguments)
        if callee.type == "IN" and arguments:
            self._report_error(errors.in_takes_no_arguments(arguments[0].span))
        span = Span(self.source, start, label.span.end if label else arguments[-1].span.end)
        return ast.Apply(span, callee.text, name_span, positional, keywords, label, False, activation)

    def build_apply_called(self, c: Children) -> ast.Apply:
        """`name(a, b) more key=value as label`. Within the parentheses no positional argument follows a named one."""
        label = c[-1] if c[-1].__class__ is ast.Label else None
        inside = c[2] if c[2].__class__ is list else []
        after = [argument for child in c[3:] if child.__class__ is list for argument in child]
        positional, keywords, activation = self._sort_arguments([*inside, *after])
        if activation is not None and not after:
            self._report_error(errors.positional_after_keyword(activation.span, keywords[0].span))
            activation = None  # already reported
        span = self._span_between(c[0], c[-1])
        return ast.Apply(span, c[0].text, self._token_span(c[0]), positional, keywords, label, True, activation)

    def build_stage_expr(self, c: Children) -> ast.StageExpr:
        arguments = [c[2], *(c[3] if len(c) == 5 else ())]
        span = Span(self.source, c[1].start, arguments[-1].span.end)
        positional, keywords, activation = self._sort_arguments(arguments)
        stage = ast.Apply(span, c[1].text, self._token_span(c[1]), positional, keywords, None, False, activation)
        return ast.StageExpr(self._span_between(c[0], c[-1]), stage)

    def _sort_arguments(
        self, arguments: list[Any]
    ) -> tuple[tuple[ast.Expr, ...], tuple[ast.Keyword, ...], ast.Name | ast.StageExpr | None]:
        """The arguments by kind; a bare name or a stage after the last keyword is an activation."""
        keywords = tuple(argument for argument in arguments if argument.__class__ is ast.Keyword)
        if not keywords:
            return tuple(arguments), (), None
        activation = arguments[-1] if arguments[-1].__class__ in (ast.Name, ast.StageExpr) else None
        positional = tuple(argument for argument in arguments if argument.__class__ is not ast.Keyword and argument is not activation)
        # Python's rule, and for the same reason: a reader would not know which parameter the positional argument is for.
        if positional and keywords[0].span.start < positional[-1].span.start:
            self._report_error(errors.positional_after_keyword(positional[-1].span, keywords[0].span))
        return positional, keywords, activation

    def build_keyword(self, c: Children) -> ast.Keyword:
        return ast.Keyword(self._span_between(c[0], c[2]), c[0].text, self._token_span(c[0]), c[2])

    def build_label(self, c: Children) -> ast.Label:
        return self._make_label(c[0])

    def build_group(self, c: Children) -> ast.Group:
        keywords = next((tuple(child) for child in c[2:] if child.__class__ is list), ())
        end = keywords[-1] if c[-1].__class__ is list else c[-1]
        return ast.Group(self._span_between(c[0], end), tuple(c[1]), c[-1] if c[-1].__class__ is ast.Label else None, keywords)

    # --- loops, conditionals, sources ---------------------------------------------------------------------------------

    def build_repeat(self, c: Children) -> ast.Repeat:
        return ast.Repeat(self._span_between(c[0], c[-1]), *self._read_loop_head(c))

    def build_each(self, c: Children) -> ast.Each:
        return ast.Each(self._span_between(c[0], c[-1]), *self._read_loop_head(c))

    def _read_loop_head(self, c: Children) -> tuple[ast.NamePattern, ast.Expr, ast.Label | None, ast.Body]:
        # The grammar has one rule for loops with and without binders, so that the children differ by one.
        binders = c.pop(1) if c[1].__class__ is ast.NamePattern else ast.NamePattern(self._token_span(c[0]), ())
        return binders, c[1], c[2] if len(c) == 4 else None, c[-1]

    def build_scan_state(self, c: Children) -> ast.ScanState:
        return ast.ScanState(self._span_between(c[0], c[2]), self._make_name(c[0]), c[2])

    def build_scan(self, c: Children) -> ast.Scan:
        lists = [child for child in c if child.__class__ is list]
        states = next((tuple(items) for items in lists if items[0].__class__ is ast.ScanState), ())
        keywords = next((tuple(items) for items in lists if items[0].__class__ is ast.Keyword), ())
        return ast.Scan(self._span_between(c[0], c[-1]), states, keywords, c[-1])

    def build_when(self, c: Children) -> ast.If:
        otherwise = c[4] if len(c) == 5 else None
        if isinstance(otherwise, ast.If):
            # `else if`: the same as `else { if ... }`
            span = otherwise.span
            otherwise = ast.Body(span, (ast.Flow(span, ast.Pipeline(span, otherwise, ())),))
        return ast.If(self._span_between(c[0], c[-1]), c[1], c[2], otherwise)

    def build_is(self, c: Children) -> ast.Is:
        return ast.Is(self._span_between(c[0], c[1]), c[1])

    def build_input(self, c: Children) -> ast.InputDecl:
        return self._make_input(c, ())

    def build_input_where(self, c: Children) -> ast.InputDecl:
        return self._make_input(c, tuple(c[-1]))

    def _make_input(self, c: Children, where: tuple[ast.Expr, ...]) -> ast.InputDecl:
        each = next((child for child in c if child.__class__ is ast.ForClause), None)
        return ast.InputDecl(self._span_between(c[0], c[-1]), c[1], *self._read_dtype_and_keywords(c), where, each)

    def build_param(self, c: Children) -> ast.ParamDecl:
        label = c[-1] if c[-1].__class__ is ast.Label else None
        return ast.ParamDecl(self._span_between(c[0], c[-1]), c[1], *self._read_dtype_and_keywords(c), label)

    def build_indices(self, c: Children) -> list[ast.Name]:
        names: list[ast.Name] = c[1] if len(c) > 2 else []
        return names

    def build_table(self, c: Children) -> ast.TableDecl:
        label = c.pop() if c[-1].__class__ is ast.Label else None
        dtype = c[3] if c[3].__class__ is ast.Name else None
        return ast.TableDecl(self._span_between(c[0], label or c[-1]), tuple(c[1]), c[2], dtype, c[-1], label)

    def build_stored_table(self, c: Children) -> ast.StoredTableDecl:
        label = c[-1] if c[-1].__class__ is ast.Label else None
        return ast.StoredTableDecl(self._span_between(c[0], c[-1]), c[1], *self._read_dtype_and_keywords(c), label)

    def _read_dtype_and_keywords(self, c: Children) -> tuple[ast.Name | None, tuple[ast.Keyword, ...]]:
        dtype = c[2] if len(c) > 2 and c[2].__class__ is ast.Name else None
        rest = c[3:] if dtype else c[2:]
        keywords = rest[0] if rest and rest[0].__class__ is list and rest[0][0].__class__ is ast.Keyword else ()
        return dtype, tuple(keywords)
