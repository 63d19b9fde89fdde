"""Turns tokens into nodes: the semantic actions of the grammar's rules.

The action of a rule or an alias `x` of net.lark is the method `build_x`. It receives the children in order: tokens (punctuation included),
nodes, and the lists that other methods made. The children are untyped in the tables, hence the `Any`. No action fails on a text that the
grammar accepts; the few rules that the grammar cannot express are reported as diagnostics. `Builder` has the actions for files,
definitions and statements; its bases have those for pipelines (pipeline_builder.py) and expressions (expression_builder.py).

    >>> from .parser import parse_source
    >>> from .source import SourceFile
    >>> let, _ = parse_source(SourceFile("<text>", "let (a, b) = sizes"))[0].items
    >>> let.name.name, let.value.value.name
    ('a', 'sizes')
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from . import ast
from . import syntax_diagnostics as errors
from .expression_builder import Children, ExpressionBuilder
from .lexer import Token
from .pipeline_builder import PipelineBuilder
from .record import replace
from .source import Span


class Builder(PipelineBuilder):
    """Builds the nodes of one text."""

    # --- lists: the first alternative makes one, the second adds to it ------------------------------------------------

    def build_items(self, c: Children) -> list[Any]:
        """Statements; a `let` of several names is as many of them."""
        items: list[Any] = c[0] if len(c) > 1 else []
        items += c[-1] if c[-1].__class__ is list else [c[-1]]
        return items

    build_statements = build_items

    def build_names(self, c: Children) -> list[ast.Name]:
        if len(c) == 1:
            return [self._make_name(c[0])]
        c[0].append(self._make_name(c[2]))
        names: list[ast.Name] = c[0]
        return names

    build_fn_parameters = build_parameters = build_pattern = ExpressionBuilder.build_exprs

    # --- files, definitions -------------------------------------------------------------------------------------------

    def build_file(self, c: Children) -> ast.File:
        return ast.File(Span(self.source, 0, len(self.source.text)), tuple(c[0]) if c else ())

    def build_use(self, c: Children) -> ast.Use:
        names = tuple(c[3]) if len(c) > 2 else ()
        span = self._span_between(c[0], names[-1]) if names else self._span_between(c[0], c[1])
        return ast.Use(span, ast.String(self._token_span(c[1]), c[1].text[1:-1]), names)

    def build_fn(self, c: Children) -> ast.Fn:
        return ast.Fn(self._span_between(c[0], c[-1]), self._make_name(c[1]), self._read_parameters(c), c[-1])

    def build_block(self, c: Children) -> ast.Block:
        declared = self._read_parameters(c)
        parameters = tuple(p for p in declared if p.__class__ is not ast.NoTensor)
        takes_none = len(parameters) < len(declared)
        self._check_tensors(declared)
        parameters = tuple(sorted(parameters, key=_parameter_order))  # as if the order were right, so that uses have no further errors
        return ast.Block(self._span_between(c[0], c[-1]), self._make_name(c[1]), parameters, c[-1], takes_none)

    def _check_tensors(self, parameters: tuple[Any, ...]) -> None:
        """Reports tensors that are not in the order required, optional, many, and any next to `in: none`."""
        tensors = [p for p in parameters if p.__class__ is ast.TensorParameter]
        none = next((p for p in parameters if p.__class__ is ast.NoTensor), None)
        if none is not None and tensors:
            self._report_error(errors.tensor_and_none(tensors[0].span, none.span))
        for before, after in pairwise(tensors):
            if before.many or (before.optional and not (after.optional or after.many)):
                self._report_error(errors.tensor_order(after.span, before.span, before.many))

    def build_model(self, c: Children) -> ast.ModelDecl:
        declared = self._read_parameters(c)
        parameters = tuple(p for p in declared if p.__class__ is not ast.NoTensor)
        for none in (p for p in declared if p.__class__ is ast.NoTensor):
            self._report_error(errors.no_tensor_of_model(none.span))
        return ast.ModelDecl(self._span_between(c[0], c[-1]), self._make_name(c[1]), parameters, c[-1])

    def build_derived_model(self, c: Children) -> ast.ModelDecl:
        base = next(child for child in c if child.__class__ is ast.Apply)
        end = base.span.end
        body = c[-1] if c[-1].__class__ is ast.Body else ast.Body(Span(self.source, end, end), ())
        if base.label is not None:
            self._report_error(errors.model_without_label(base.label.span))
        return ast.ModelDecl(self._span_between(c[0], c[-1]), self._make_name(c[1]), self._read_parameters(c[:-1]), body, base)

    def build_train(self, c: Children) -> ast.TrainDecl:
        name, parameters = next((child for child in c if child.__class__ is tuple), (None, ()))
        model = next((child for child in c if child.__class__ is ast.Apply), None)
        return ast.TrainDecl(self._span_between(c[0], c[-1]), name, parameters, model, self._make_settings(c[-1]))

    def build_derived_train(self, c: Children) -> ast.TrainDecl:
        name, parameters = c[1]
        base = c[3]
        end = base.span.end
        # A derived section without a body has an empty one after its base, so that no later pass needs to ask.
        body = c[-1] if c[-1].__class__ is ast.Body else ast.Body(Span(self.source, end, end), ())
        return ast.TrainDecl(self._span_between(c[0], c[-1]), name, parameters, None, self._make_settings(body), base)

    def build_train_name(self, c: Children) -> tuple[ast.Name, tuple[Any, ...]]:
        return self._make_name(c[0]), self._read_parameters(c)

    def _make_settings(self, body: ast.Body) -> ast.Body:
        """The body of a train section: a pipeline without a name is a setting there."""
        statements = tuple(_as_setting(statement) if statement.__class__ is ast.Flow else statement for statement in body.statements)
        return ast.Body(body.span, statements)

    def _read_parameters(self, c: Children) -> tuple[Any, ...]:
        return next((tuple(child) for child in c if child.__class__ is list), ())

    def build_parameter(self, c: Children) -> ast.ParameterDecl:
        return ast.ParameterDecl(self._span_between(c[0], c[-1]), self._make_name(c[0]), c[2] if len(c) > 1 else None)

    def build_tensor_parameter(self, c: Children) -> ast.TensorParameter:
        pattern, end = c[-1]
        return ast.TensorParameter(self._span_between(c[0], end), self._make_name(c[0]), pattern, optional=len(c) == 3)

    def build_remaining_tensors(self, c: Children) -> ast.TensorParameter:
        pattern, end = c[2] if len(c) == 3 else ((self.build_ellipsis([c[1]]),), c[1])
        return ast.TensorParameter(self._span_between(c[0], end), self._make_name(c[0]), pattern, many=True)

    def build_tensor_shape(self, c: Children) -> tuple[tuple[ast.Expr, ...], Token]:
        """The pattern, and its closing bracket."""
        return self._read_parameters(c), c[-1]

    def build_no_tensor(self, c: Children) -> ast.NoTensor:
        if c[2].text != "none":
            self._report_error(errors.no_tensor(self._token_span(c[2]), c[2].text))
        return ast.NoTensor(self._span_between(c[0], c[2]))

    def build_ellipsis(self, c: Children) -> ast.Name:
        return self._make_name(c[0])

    def build_body(self, c: Children) -> ast.Body:
        return ast.Body(self._span_between(c[0], c[-1]), tuple(c[1]) if len(c) == 3 else ())

    # --- statements ---------------------------------------------------------------------------------------------------

    def build_broken(self, c: Children) -> ast.Broken:
        token = c[0]
        return ast.Broken(self._token_span(token), tuple(self._make_name(name) for name in token.binds))

    def build_assign(self, c: Children) -> ast.Assign:
        return ast.Assign(self._span_between(c[0], c[2]), (self._make_name(c[0]),), False, c[2])

    def build_unpack(self, c: Children) -> ast.Assign | ast.Broken:
        names, marks = [self._make_name(token) for token, _ in c[1]], [mark for _, mark in c[1]]
        rests, lists = (tuple(index for index, mark in enumerate(marks) if mark == suffix) for suffix in ("...", "[]"))
        span = self._span_between(c[0], c[-1])
        value = c[-1] if not lists else self._collect_results(c[-1], names, rests, lists)
        return ast.Broken(span, tuple(names)) if value is None else ast.Assign(span, tuple(names), True, value, rests, lists)

    def build_targets(self, c: Children) -> list[tuple[Token, str]]:
        """The names, each with what is written after it."""
        targets: list[tuple[Token, str]] = c[0] if len(c) > 1 else []
        targets.append((c[-1], "") if c[-1].__class__ is Token else c[-1])
        return targets

    def build_rest(self, c: Children) -> tuple[Token, str]:
        return c[0], "..."

    def build_collected(self, c: Children) -> tuple[Token, str]:
        return c[0], "[]"

    def _collect_results(
        self, value: ast.Pipeline, names: list[ast.Name], rests: tuple[int, ...], lists: tuple[int, ...]
    ) -> ast.Pipeline | None:
        """The pipeline with a loop at its end that collects; None after an error."""
        first = names[lists[0]]
        span = first.span.to(names[-1].span)
        loop = value.stages[-1] if value.stages else value.head
        if not isinstance(loop, ast.Repeat):
            self._report_error(errors.nothing_to_collect(first.span, loop.span))
            return None
        # An iteration must pass something on, or the loop would not be a loop but an `each`.
        if len(lists) == len(names):
            self._report_error(errors.nothing_passed_on(span))
            return None
        rest_index = rests[0] if rests else len(names)
        # Counted from the end after `name...`, because only the loop knows how many tensors that takes.
        indices = tuple(i if i < rest_index else i - len(names) for i in lists)
        collected = ast.CollectedResults(span, indices, rest_index, len(names) - rest_index - 1 if rests else None)
        loop = replace(loop, collected=collected)
        if not value.stages:
            return ast.Pipeline(value.span, loop, ())
        return ast.Pipeline(value.span, value.head, (*value.stages[:-1], loop))

    def build_let(self, c: Children) -> ast.Let | list[ast.Let]:
        span, pattern, value = self._span_between(c[0], c[3]), c[1], c[3]
        if pattern.__class__ is ast.Name:
            return ast.Let(span, pattern, value)
        # All nodes refer to the same list, which is evaluated once.
        return [ast.Let(span, name, ast.UnpackedItem(value.span, value, pattern, name)) for name in pattern.names]

    def build_metric(self, c: Children) -> ast.Metric:
        return ast.Metric(self._span_between(c[0], c[3]), self._make_name(c[1]), c[3])

    def build_out(self, c: Children) -> ast.Out:
        return ast.Out(self._span_between(c[0], c[1]), tuple(c[1]))

    def build_expect_condition(self, c: Children) -> ast.ExpectCondition:
        return ast.ExpectCondition(self._span_between(c[0], c[1]), c[1])

    def build_expect_shape(self, c: Children) -> ast.ExpectShape:
        return ast.ExpectShape(self._span_between(c[0], c[2]), self._make_name(c[1]), c[2])

    def build_expect_claim(self, c: Children) -> ast.ExpectClaim:
        return ast.ExpectClaim(self._span_between(c[0], c[3]), *map(self._make_name, c[1:]))

    def build_shared(self, c: Children) -> ast.Shared:
        return ast.Shared(self._span_between(c[0], c[3]), self._make_name(c[1]), c[3])

    def build_default(self, c: Children) -> ast.Default:
        return ast.Default(self._span_between(c[0], c[2][-1]), self._make_name(c[1]), tuple(c[2]))

    def build_flow(self, c: Children) -> ast.Flow:
        return ast.Flow(c[0].span, c[0])


def _as_setting(flow: ast.Flow) -> ast.Statement:
    """`schedule warmup 200 -> cosine`: the word is the callee, its arguments are a first stage of their own."""
    head = flow.pipeline.head
    if not isinstance(head, ast.Apply):
        return flow
    return ast.Setting(flow.span, ast.Name(head.name_span, head.name), (head, *flow.pipeline.stages))


def find_action(name: str | None) -> Callable[[Builder, Children], Any] | None:
    """Return the method for a rule or alias of the grammar; None for a rule that passes its only child on."""
    if name is None:
        return None
    action: Callable[[Builder, Children], Any] = getattr(Builder, f"build_{name}")
    return action


def _parameter_order(parameter: ast.ParameterDecl | ast.TensorParameter) -> int:
    """Where a parameter belongs among the tensors of its block: required ones first, and last the one that takes all that remain."""
    match parameter:
        case ast.TensorParameter(many=True):
            return 2
        case ast.TensorParameter(optional=True):
            return 1
    return 0
