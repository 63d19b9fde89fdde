"""`param` and `table`: tensors without an input."""

from __future__ import annotations

from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics.suggest import near
from netc.dsl.source import Span

from ...errors.base import Location
from ...errors.names import ArgumentTwice, UnknownArgument, WrongArgument
from ...ir.origins import plain
from ...ops.base import Init, Operator
from ...ops.constants import INIT, ParamOperator, TableOperator
from ...ops.kinds import InvalidArgument
from ..builtins import no_keywords
from ..scopes.failures import Failure
from ..scopes.scope import Scope, distinct
from ..scopes.values import Flow
from .arguments import Arguments
from .base import Interpreter, Part
from .expressions import Expressions
from .formulas import table_formula
from .inputs import dtype_of
from .nodes import NodeText, add_operator
from .parameters import did_you_mean
from .stage_labels import StageLabels

_KEYWORDS = ("init", "trainable")


class Constants(Part):
    def __init__(self, interpreter: Interpreter, expressions: Expressions, arguments: Arguments, labels: StageLabels) -> None:
        super().__init__(interpreter)
        self._expressions, self._arguments, self._labels = expressions, arguments, labels

    def param(self, node: ast.ParamDecl, scope: Scope) -> Flow:
        """A learned tensor, or a buffer, under its label."""
        args: dict[str, Any] = {
            "shape": self._expressions.shape(node.shape, scope),
            "dtype": dtype_of(node.dtype, scope, self._expressions),
        }
        spans = {"shape": node.shape.span}
        for keyword in node.keywords:
            name = keyword.name
            if name not in _KEYWORDS:
                raise Failure(UnknownArgument("param", name, tuple(near(name, list(_KEYWORDS))), _KEYWORDS), keyword.name_span)
            if name in args:
                raise Failure(ArgumentTwice("param", name), keyword.span, ((spans[name], "first here"),))
            args[name] = self._init(keyword.value, scope) if name == "init" else self._arguments.flag("param", keyword, scope)
            spans[name] = keyword.value.span
            self.session.index.name(keyword.name_span, name, None, None, "argument")
        return self._add(ParamOperator(**args), node, spans, scope)

    def _init(self, expr: ast.Expr, scope: Scope) -> Init:
        try:
            raw = self._raw_init(expr, scope)
            self.session.decisions.pin(raw.values if isinstance(raw, Init) else raw)
            return INIT.convert(Init(raw.kind, plain(raw.values)) if isinstance(raw, Init) else plain(raw))
        except InvalidArgument:
            raise Failure(WrongArgument("param", "init", INIT.describe(), f"`{expr.span.text}`"), expr.span) from None

    def _raw_init(self, expr: ast.Expr, scope: Scope) -> Any:
        """The value of `init=`: the name of an initialiser, a call of one, or any other expression."""
        match expr:
            case ast.Name(name=name) if scope.find(name) is None and name in INIT.words:
                return name
            case ast.Name(name=name) if scope.find(name) is None and name not in self.session.dims:
                hint = did_you_mean(near(name, list(INIT.words)))
                raise Failure(WrongArgument("param", "init", INIT.describe(), f"`{name}`", hint), expr.span)
            case ast.Call(function=function) if scope.find(function.name) is None and function.name in INIT.words:
                if expr.keywords:
                    raise no_keywords(expr)
                return Init(function.name, tuple([self.interpreter.evaluate(a, scope) for a in expr.arguments]))
        return self.interpreter.evaluate(expr, scope)

    def table(self, node: ast.TableDecl, scope: Scope) -> Flow:
        """A tensor computed from its indices."""
        distinct(node.indices)
        formula = table_formula(node, scope, self.interpreter)
        args: dict[str, Any] = {
            "indices": tuple(n.name for n in node.indices),
            "shape": self._expressions.shape(node.shape, scope),
            "formula": formula,
            "dtype": dtype_of(node.dtype, scope, self._expressions) if node.dtype is not None else None,
            "labelled": node.label is not None,
        }
        return self._add(TableOperator(**args), node, {"shape": node.shape.span, "formula": node.formula.span}, scope)

    def _add(self, op: Operator, node: ast.ParamDecl | ast.TableDecl, spans: dict[str, Span], scope: Scope) -> Flow:
        assert scope.frame is not None
        label = self._labels.of_stage(node.label, op.name, node.span, scope)

        def locate(place: Location) -> Span:
            return spans.get(place.name, node.span) if place.kind == "argument" else node.span

        return add_operator(op, [], scope.frame, self.session, NodeText(node.span, label, locate))
