"""`param` and `table`: tensors without an input."""

from __future__ import annotations

from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics.suggest import near
from netc.dsl.source import Span

from ...errors.arguments import ArgumentTwice, UnknownArgument
from ...errors.base import Location
from ...ops.base import Operator
from ...ops.constants import ParamOperator, TableOperator
from ..scopes.failures import Failure
from ..scopes.scope import Scope, distinct
from ..scopes.values import Flow
from .arguments import Arguments
from .base import Interpreter, Part
from .expressions import Expressions
from .formulas import table_formula
from .inputs import dtype_of
from .nodes import NodeText, add_operator
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
            args[name] = self._arguments.convert("param", name, ParamOperator.signature[name].kind, keyword.value, scope)
            spans[name] = keyword.value.span
            self.session.index.name(keyword.name_span, name, None, None, "argument")
        return self._add(ParamOperator(**args), node, spans, scope)

    def table(self, node: ast.TableDecl, scope: Scope) -> Flow:
        """A tensor computed from its indices. Without a type, its real numbers are float32 until they meet a tensor of the model, but those
        of a wider model are of its type."""
        distinct(node.indices)
        formula = table_formula(node, scope, self.interpreter)
        args: dict[str, Any] = {
            "indices": tuple(n.name for n in node.indices),
            "shape": self._expressions.shape(node.shape, scope),
            "formula": formula,
            "dtype": dtype_of(node.dtype, scope, self._expressions) if node.dtype is not None else None,
            "labelled": node.label is not None,
        }
        op = TableOperator(**args)
        if op.dtype is None and op.element.is_float and self.session.dtype.size > op.element.size:
            op = TableOperator(**{**args, "dtype": self.session.dtype})
        return self._add(op, node, {"shape": node.shape.span, "formula": node.formula.span}, scope)

    def _add(self, op: Operator, node: ast.ParamDecl | ast.TableDecl, spans: dict[str, Span], scope: Scope) -> Flow:
        assert scope.frame is not None
        label = self._labels.of_stage(node.label, op.name, node.span, scope)

        def locate(place: Location) -> Span:
            return spans.get(place.name, node.span) if place.kind == "argument" else node.span

        return add_operator(op, [], scope.frame, self.session, NodeText(node.span, label, locate))
