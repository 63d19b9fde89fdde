"""Operators as stages: arguments bound, a node added to the graph, then that of the activation after it."""

from __future__ import annotations

from netc.dsl import ast
from netc.dsl.record import replace
from netc.dsl.source import Span

from ...errors.base import Location
from ...errors.structure import NoTie
from ...ir.graph import OpNode, SharedModule
from ...ops.base import Operator
from ..scopes.failures import Failure
from ..scopes.scope import GraphFrame, Scope
from ..scopes.ties import PendingTie
from ..scopes.values import UNKNOWN, Flow, TensorTuple, TrailingActivation, leading, tensors
from .arguments import Arguments
from .base import Interpreter, Part
from .nodes import NodeText, add_operator, check_arity
from .stage_labels import StageLabels


class OperatorStages(Part):
    def __init__(self, interpreter: Interpreter, arguments: Arguments, labels: StageLabels) -> None:
        super().__init__(interpreter)
        self._arguments, self._labels = arguments, labels

    def apply(self, node: ast.Apply, cls: type[Operator], flow: Flow, scope: Scope, shared: SharedModule | None) -> Flow:
        """Applies the operator that a stage names, and the activation after it."""
        assert scope.frame is not None
        bound = self._arguments.bind(cls, node, scope)
        label = shared.label if shared is not None else self._labels.of_stage(node.label, cls.name, node.span, scope)
        inputs = tensors(flow)
        if inputs is None:
            return UNKNOWN
        check_arity(cls, inputs, node.name_span)

        def locate(place: Location) -> Span:
            return bound.spans.get(place.name, node.name_span) if place.kind == "argument" else node.name_span

        result = add_operator(bound.op, inputs, scope.frame, self.session, NodeText(node.span, label, locate, shared))
        if isinstance(flow, TensorTuple) and leading(flow.parts) is not None:
            made = scope.frame.graph.nodes[-1]
            assert isinstance(made, OpNode)
            made.parts = flow.parts
        if bound.tie is not None:
            _add_tie(bound.op, self._evaluated(bound.tie, scope), scope.frame)
        return result if bound.activation is None else self._activate(bound.activation, result, scope.frame)

    def _evaluated(self, tie: ast.Keyword, scope: Scope) -> ast.Keyword:
        """A `tie` whose path has values in it, as one whose path is known."""
        if not isinstance(tie.value, ast.Text):
            return tie
        return replace(tie, value=ast.String(tie.value.span, self.interpreter.evaluate(tie.value, scope)))

    def _activate(self, activation: TrailingActivation, flow: Flow, frame: GraphFrame) -> Flow:
        op, span = activation.op, activation.span
        text = NodeText(span, frame.labels.automatic(op.name, span), lambda place: span)
        return add_operator(op, tensors(flow) or [], frame, self.session, text)


def _add_tie(op: Operator, tie: ast.Keyword, frame: GraphFrame) -> None:
    node = frame.graph.nodes[-1]
    if not isinstance(node, OpNode) or not any(s.name == "weight" for s in node.specs):
        raise Failure(NoTie(op.name), tie.span)
    frame.ties.append(PendingTie(node, tie))
