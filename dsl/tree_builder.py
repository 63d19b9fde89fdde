"""From tokens to nodes: the semantic actions of the grammar's rules.

Every method is a rule or an alias of net.lark and receives the children in order: tokens (punctuation included), nodes and the lists that
other methods made. The children are untyped in the tables, hence the `Any`. No action fails on a text that the grammar accepts; the few
rules that the grammar cannot express are reported as diagnostics.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from . import ast
from . import syntax_diagnostics as errors
from .builder_expr import ExpressionBuilder
from .lexer import Token
from .record import replace
from .source import Span

Children = list[Any]


class Builder(ExpressionBuilder):
    """Builds the nodes of one text."""

    # --- lists: the first alternative makes one, the second adds to it ------------------------------------------------

    def items(self, c: Children) -> list[Any]:
        """Statements; a `let` of several names is as many of them."""
        made: list[Any] = c[0] if len(c) > 1 else []
        made += c[-1] if c[-1].__class__ is list else [c[-1]]
        return made

    statements = items

    def names(self, c: Children) -> list[ast.Name]:
        if len(c) == 1:
            return [self._name(c[0])]
        c[0].append(self._name(c[2]))
        made: list[ast.Name] = c[0]
        return made

    scan_states = fn_parameters = parameters = pipelines = stages = conditions = pattern = call_arguments = ExpressionBuilder.exprs

    def arguments(self, c: Children) -> list[Any]:
        if len(c) == 1:
            return c
        c[0].append(c[1])
        made: list[Any] = c[0]
        return made

    keywords = group_keywords = arguments

    # --- files, definitions -------------------------------------------------------------------------------------------

    def file(self, c: Children) -> ast.File:
        return ast.File(Span(self.source, 0, len(self.source.text)), tuple(c[0]) if c else ())

    def use(self, c: Children) -> ast.Use:
        names = tuple(c[3]) if len(c) > 2 else ()
        span = self._between(c[0], names[-1]) if names else self._between(c[0], c[1])
        return ast.Use(span, ast.String(self._token_span(c[1]), c[1].text[1:-1]), names)

    def fn(self, c: Children) -> ast.Fn:
        return ast.Fn(self._between(c[0], c[-1]), self._name(c[1]), self._parameters(c), c[-1])

    def block(self, c: Children) -> ast.Block:
        found = self._parameters(c)
        parameters = tuple(p for p in found if p.__class__ is not ast.NoTensor)
        takes_none = len(parameters) < len(found)
        self._check_tensors(found)
        parameters = tuple(sorted(parameters, key=_place))  # as if the order were right, so that uses have no further errors
        return ast.Block(self._between(c[0], c[-1]), self._name(c[1]), parameters, c[-1], takes_none)

    def _check_tensors(self, parameters: tuple[Any, ...]) -> None:
        """Reports tensors that are not in the order required, optional, many, and any next to `in: none`."""
        tensors = [p for p in parameters if p.__class__ is ast.TensorParameter]
        none = next((p for p in parameters if p.__class__ is ast.NoTensor), None)
        if none is not None and tensors:
            self._report(errors.tensor_and_none(tensors[0].span, none.span))
        for before, after in pairwise(tensors):
            if before.many or (before.optional and not (after.optional or after.many)):
                self._report(errors.tensor_order(after.span, before.span, before.many))

    def model(self, c: Children) -> ast.ModelDecl:
        found = self._parameters(c)
        parameters = tuple(p for p in found if p.__class__ is not ast.NoTensor)
        for none in (p for p in found if p.__class__ is ast.NoTensor):
            self._report(errors.no_tensor_of_model(none.span))
        return ast.ModelDecl(self._between(c[0], c[-1]), self._name(c[1]), parameters, c[-1])

    def derived_model(self, c: Children) -> ast.ModelDecl:
        base = next(child for child in c if child.__class__ is ast.Apply)
        end = base.span.end
        body = c[-1] if c[-1].__class__ is ast.Body else ast.Body(Span(self.source, end, end), ())
        if base.label is not None:
            self._report(errors.model_without_label(base.label.span))
        return ast.ModelDecl(self._between(c[0], c[-1]), self._name(c[1]), self._parameters(c[:-1]), body, base)

    def train(self, c: Children) -> ast.TrainDecl:
        name, parameters = next((child for child in c if child.__class__ is tuple), (None, ()))
        model = next((child for child in c if child.__class__ is ast.Apply), None)
        return ast.TrainDecl(self._between(c[0], c[-1]), name, parameters, model, self._settings(c[-1]))

    def derived_train(self, c: Children) -> ast.TrainDecl:
        name, parameters = c[1]
        base = c[3]
        end = base.span.end
        body = c[-1] if c[-1].__class__ is ast.Body else ast.Body(Span(self.source, end, end), ())
        return ast.TrainDecl(self._between(c[0], c[-1]), name, parameters, None, self._settings(body), base)

    def train_name(self, c: Children) -> tuple[ast.Name, tuple[Any, ...]]:
        return self._name(c[0]), self._parameters(c)

    def _settings(self, body: ast.Body) -> ast.Body:
        """The body of a train section: a pipeline without a name is a setting there."""
        made = tuple(_as_setting(one) if one.__class__ is ast.Flow else one for one in body.statements)
        return ast.Body(body.span, made)

    def _parameters(self, c: Children) -> tuple[Any, ...]:
        return next((tuple(child) for child in c if child.__class__ is list), ())

    def parameter(self, c: Children) -> ast.ParameterDecl:
        return ast.ParameterDecl(self._between(c[0], c[-1]), self._name(c[0]), c[2] if len(c) > 1 else None)

    def tensor_parameter(self, c: Children) -> ast.TensorParameter:
        pattern, end = c[-1]
        return ast.TensorParameter(self._between(c[0], end), self._name(c[0]), pattern, optional=len(c) == 3)

    def remaining_tensors(self, c: Children) -> ast.TensorParameter:
        pattern, end = c[2] if len(c) == 3 else ((self.ellipsis([c[1]]),), c[1])
        return ast.TensorParameter(self._between(c[0], end), self._name(c[0]), pattern, many=True)

    def tensor_shape(self, c: Children) -> tuple[tuple[ast.Expr, ...], Token]:
        """The pattern, and its closing bracket."""
        return self._parameters(c), c[-1]

    def no_tensor(self, c: Children) -> ast.NoTensor:
        if c[2].text != "none":
            self._report(errors.no_tensor(self._token_span(c[2]), c[2].text))
        return ast.NoTensor(self._between(c[0], c[2]))

    def ellipsis(self, c: Children) -> ast.Name:
        return self._name(c[0])

    def body(self, c: Children) -> ast.Body:
        return ast.Body(self._between(c[0], c[-1]), tuple(c[1]) if len(c) == 3 else ())

    # --- statements ---------------------------------------------------------------------------------------------------

    def broken(self, c: Children) -> ast.Broken:
        token = c[0]
        return ast.Broken(self._token_span(token), tuple(self._name(name) for name in token.binds))

    def assign(self, c: Children) -> ast.Assign:
        return ast.Assign(self._between(c[0], c[2]), (self._name(c[0]),), False, c[2])

    def unpack(self, c: Children) -> ast.Assign | ast.Broken:
        names, marks = [self._name(token) for token, _ in c[1]], [mark for _, mark in c[1]]
        rests, lists = (tuple(at for at, mark in enumerate(marks) if mark == wanted) for wanted in ("...", "[]"))
        span = self._between(c[0], c[-1])
        value = c[-1] if not lists else self._collecting(c[-1], names, rests, lists)
        return ast.Broken(span, tuple(names)) if value is None else ast.Assign(span, tuple(names), True, value, rests, lists)

    def targets(self, c: Children) -> list[tuple[Token, str]]:
        """The names, each with what is written after it."""
        made: list[tuple[Token, str]] = c[0] if len(c) > 1 else []
        made.append((c[-1], "") if c[-1].__class__ is Token else c[-1])
        return made

    def rest(self, c: Children) -> tuple[Token, str]:
        return c[0], "..."

    def collected(self, c: Children) -> tuple[Token, str]:
        return c[0], "[]"

    def _collecting(
        self, value: ast.Pipeline, names: list[ast.Name], rests: tuple[int, ...], lists: tuple[int, ...]
    ) -> ast.Pipeline | None:
        """The pipeline with a loop at its end that collects; None after an error."""
        first = names[lists[0]]
        span = first.span.to(names[-1].span)
        loop = value.stages[-1] if value.stages else value.head
        if not isinstance(loop, ast.Repeat):
            self._report(errors.nothing_to_collect(first.span, loop.span))
            return None
        if len(lists) == len(names):
            self._report(errors.nothing_passed_on(span))
            return None
        at = rests[0] if rests else len(names)
        indices = tuple(i if i < at else i - len(names) for i in lists)
        collected = ast.Collected(span, indices, at, len(names) - at - 1 if rests else None)
        loop = replace(loop, collected=collected)
        if not value.stages:
            return ast.Pipeline(value.span, loop, ())
        return ast.Pipeline(value.span, value.head, (*value.stages[:-1], loop))

    def let(self, c: Children) -> ast.Let | list[ast.Let]:
        span, pattern, value = self._between(c[0], c[3]), c[1], c[3]
        if pattern.__class__ is ast.Name:
            return ast.Let(span, pattern, value)
        return [ast.Let(span, name, ast.Unpacked(value.span, value, pattern, name)) for name in pattern.names]

    def metric(self, c: Children) -> ast.Metric:
        return ast.Metric(self._between(c[0], c[3]), self._name(c[1]), c[3])

    def out(self, c: Children) -> ast.Out:
        return ast.Out(self._between(c[0], c[1]), tuple(c[1]))

    def expect_condition(self, c: Children) -> ast.ExpectCondition:
        return ast.ExpectCondition(self._between(c[0], c[1]), c[1])

    def expect_shape(self, c: Children) -> ast.ExpectShape:
        return ast.ExpectShape(self._between(c[0], c[2]), self._name(c[1]), c[2])

    def shared(self, c: Children) -> ast.Shared:
        return ast.Shared(self._between(c[0], c[3]), self._name(c[1]), c[3])

    def default(self, c: Children) -> ast.Default:
        return ast.Default(self._between(c[0], c[2][-1]), self._name(c[1]), tuple(c[2]))

    def flow(self, c: Children) -> ast.Flow:
        return ast.Flow(c[0].span, c[0])

    # --- pipelines and tensor arithmetic ------------------------------------------------------------------------------

    def pipeline(self, c: Children) -> ast.Pipeline:
        if len(c) == 1:
            return ast.Pipeline(c[0].span, c[0], ())
        return ast.Pipeline(self._between(c[0], c[2]), c[0], tuple(c[2]))

    def tensor_binary(self, c: Children) -> ast.TensorBinary:
        return ast.TensorBinary(self._between(c[0], c[2]), c[1].text, c[0], c[2])

    def tensor_unary(self, c: Children) -> ast.TensorUnary:
        return ast.TensorUnary(self._between(c[0], c[1]), "-", c[1])

    def scalar(self, c: Children) -> ast.Scalar:
        number = self.number(c)
        return ast.Scalar(number.span, number.value)

    def value(self, c: Children) -> ast.ValueOperand:
        return ast.ValueOperand(c[0].span, c[0])

    def callee(self, c: Children) -> Token:
        token: Token = c[0]
        return token

    def apply(self, c: Children) -> ast.Apply:
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
        positional, keywords, activation = self._arguments(arguments)
        if callee.type == "IN" and arguments:
            self._report(errors.in_takes_no_arguments(arguments[0].span))
        span = Span(self.source, start, label.span.end if label else arguments[-1].span.end)
        return ast.Apply(span, callee.text, name_span, positional, keywords, label, False, activation)

    def apply_called(self, c: Children) -> ast.Apply:
        """`name(a, b) more key=value as label`. Within the parentheses no positional argument follows a named one."""
        label = c[-1] if c[-1].__class__ is ast.Label else None
        inside = c[2] if c[2].__class__ is list else []
        after = [one for child in c[3:] if child.__class__ is list for one in child]
        positional, keywords, activation = self._arguments([*inside, *after])
        if activation is not None and not after:
            self._report(errors.positional_after_keyword(activation.span, keywords[0].span))
            activation = None  # already reported
        span = self._between(c[0], c[-1])
        return ast.Apply(span, c[0].text, self._token_span(c[0]), positional, keywords, label, True, activation)

    def stage_expr(self, c: Children) -> ast.StageExpr:
        arguments = [c[2], *(c[3] if len(c) == 5 else ())]
        span = Span(self.source, c[1].start, arguments[-1].span.end)
        positional, keywords, activation = self._arguments(arguments)
        stage = ast.Apply(span, c[1].text, self._token_span(c[1]), positional, keywords, None, False, activation)
        return ast.StageExpr(self._between(c[0], c[-1]), stage)

    def _arguments(self, arguments: list[Any]) -> tuple[tuple[ast.Expr, ...], tuple[ast.Keyword, ...], ast.Name | ast.StageExpr | None]:
        """The arguments by kind; a bare name or a stage after the last keyword is an activation."""
        keywords = tuple(one for one in arguments if one.__class__ is ast.Keyword)
        if not keywords:
            return tuple(arguments), (), None
        activation = arguments[-1] if arguments[-1].__class__ in (ast.Name, ast.StageExpr) else None
        positional = tuple(one for one in arguments if one.__class__ is not ast.Keyword and one is not activation)
        if positional and keywords[0].span.start < positional[-1].span.start:
            self._report(errors.positional_after_keyword(positional[-1].span, keywords[0].span))
        return positional, keywords, activation

    def keyword(self, c: Children) -> ast.Keyword:
        return ast.Keyword(self._between(c[0], c[2]), c[0].text, self._token_span(c[0]), c[2])

    def label(self, c: Children) -> ast.Label:
        return self._label(c[0])

    def group(self, c: Children) -> ast.Group:
        keywords = next((tuple(child) for child in c[2:] if child.__class__ is list), ())
        end = keywords[-1] if c[-1].__class__ is list else c[-1]
        return ast.Group(self._between(c[0], end), tuple(c[1]), c[-1] if c[-1].__class__ is ast.Label else None, keywords)

    # --- loops, conditionals, sources ---------------------------------------------------------------------------------

    def repeat(self, c: Children) -> ast.Repeat:
        return ast.Repeat(self._between(c[0], c[-1]), *self._loop(c))

    def each(self, c: Children) -> ast.Each:
        return ast.Each(self._between(c[0], c[-1]), *self._loop(c))

    def _loop(self, c: Children) -> tuple[ast.NamePattern, ast.Expr, ast.Label | None, ast.Body]:
        binders = c.pop(1) if c[1].__class__ is ast.NamePattern else ast.NamePattern(self._token_span(c[0]), ())
        return binders, c[1], c[2] if len(c) == 4 else None, c[-1]

    def scan_state(self, c: Children) -> ast.ScanState:
        return ast.ScanState(self._between(c[0], c[2]), self._name(c[0]), c[2])

    def scan(self, c: Children) -> ast.Scan:
        lists = [child for child in c if child.__class__ is list]
        states = next((tuple(one) for one in lists if one[0].__class__ is ast.ScanState), ())
        keywords = next((tuple(one) for one in lists if one[0].__class__ is ast.Keyword), ())
        return ast.Scan(self._between(c[0], c[-1]), states, keywords, c[-1])

    def when(self, c: Children) -> ast.If:
        otherwise = c[4] if len(c) == 5 else None
        if isinstance(otherwise, ast.If):
            # `else if`: the same as `else { if ... }`
            span = otherwise.span
            otherwise = ast.Body(span, (ast.Flow(span, ast.Pipeline(span, otherwise, ())),))
        return ast.If(self._between(c[0], c[-1]), c[1], c[2], otherwise)

    def is_(self, c: Children) -> ast.Is:
        return ast.Is(self._between(c[0], c[1]), c[1])

    def input(self, c: Children) -> ast.InputDecl:
        return self._input(c, ())

    def input_where(self, c: Children) -> ast.InputDecl:
        return self._input(c, tuple(c[-1]))

    def _input(self, c: Children, where: tuple[ast.Expr, ...]) -> ast.InputDecl:
        each = next((child for child in c if child.__class__ is ast.ForClause), None)
        return ast.InputDecl(self._between(c[0], c[-1]), c[1], *self._dtype_and_keywords(c), where, each)

    def param(self, c: Children) -> ast.ParamDecl:
        label = c[-1] if c[-1].__class__ is ast.Label else None
        return ast.ParamDecl(self._between(c[0], c[-1]), c[1], *self._dtype_and_keywords(c), label)

    def indices(self, c: Children) -> list[ast.Name]:
        names: list[ast.Name] = c[1] if len(c) > 2 else []
        return names

    def table(self, c: Children) -> ast.TableDecl:
        label = c.pop() if c[-1].__class__ is ast.Label else None
        dtype = c[3] if c[3].__class__ is ast.Name else None
        return ast.TableDecl(self._between(c[0], label or c[-1]), tuple(c[1]), c[2], dtype, c[-1], label)

    def stored_table(self, c: Children) -> ast.StoredTableDecl:
        label = c[-1] if c[-1].__class__ is ast.Label else None
        return ast.StoredTableDecl(self._between(c[0], c[-1]), c[1], *self._dtype_and_keywords(c), label)

    def _dtype_and_keywords(self, c: Children) -> tuple[ast.Name | None, tuple[ast.Keyword, ...]]:
        dtype = c[2] if len(c) > 2 and c[2].__class__ is ast.Name else None
        rest = c[3:] if dtype else c[2:]
        keywords = rest[0] if rest and rest[0].__class__ is list and rest[0][0].__class__ is ast.Keyword else ()
        return dtype, tuple(keywords)


def _as_setting(flow: ast.Flow) -> ast.Statement:
    """`schedule warmup 200 -> cosine`: the word is the callee, its arguments are a first stage of their own."""
    head = flow.pipeline.head
    if not isinstance(head, ast.Apply):
        return flow
    return ast.Setting(flow.span, ast.Name(head.name_span, head.name), (head, *flow.pipeline.stages))


def method(name: str | None) -> Callable[[Builder, Children], Any] | None:
    """The method for a rule; a rule whose name is a Python keyword has the method `name_`."""
    if name is None:
        return None
    made: Callable[[Builder, Children], Any] = getattr(Builder, "is_" if name == "is" else name)
    return made


def _place(parameter: ast.ParameterDecl | ast.TensorParameter) -> int:
    """Where a parameter belongs among the tensors of its block: required ones first, and last the one that takes all that remain."""
    match parameter:
        case ast.TensorParameter(many=True):
            return 2
        case ast.TensorParameter(optional=True):
            return 1
    return 0
