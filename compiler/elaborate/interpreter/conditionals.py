"""`if`: a branch chosen at compile time. Its stages are inlined."""

from __future__ import annotations

from netc.dsl import ast

from ...errors.names import NoIn
from ...ir.graph import SharedModule, Value, around
from ...ir.tests import Choice, every
from ..scopes.failures import Failure
from ..scopes.scope import Scope
from ..scopes.values import Flow, TensorTuple, main_result
from .base import Interpreter, Part
from .bodies import BodySyntax, elaborate_body
from .calls import emit_call
from .conditions import condition
from .expressions import Expressions


class Conditionals(Part):
    def __init__(self, interpreter: Interpreter, expressions: Expressions) -> None:
        super().__init__(interpreter)
        self._expressions = expressions

    def run(self, node: ast.If, flow: Flow | None, scope: Scope, shared: SharedModule | None = None) -> Flow:
        """The chosen branch on its input; without an `else`, the input."""
        if shared is not None:
            syntax = BodySyntax(node, lambda inner: self.run(node, None, inner), shared.label)
            entry = elaborate_body(syntax, flow, scope, self.session)
            return emit_call(entry, flow, scope, self.session, shared.label, node.span, shared)
        inner = Scope(scope, scope.frame)
        if flow is not None:
            inner.bind("in", flow)
        taken = self._expressions.boolean(node.test, inner)
        assert scope.frame is not None
        graph = scope.frame.graph
        before = len(graph.nodes), len(graph.choices)
        result = self._branch(node, node.then if taken else node.otherwise, flow, inner, scope)
        self._note(node, taken, inner, (flow, result), *before)
        return result

    def _branch(self, node: ast.If, branch: ast.Body | None, flow: Flow | None, inner: Scope, scope: Scope) -> Flow:
        if branch is not None:
            if flow is not None:
                inner = Scope(scope, scope.frame)
                inner.bind("in", main_result(flow))
            return self.interpreter.body(branch, inner, "this branch")
        return self._passed(node, inner)

    def _note(self, node: ast.If, taken: bool, scope: Scope, flows: tuple[Flow | None, Flow], nodes: int, choices: int) -> None:
        """The numbers of `nodes` and `choices` are those before the branch. What the model itself decides is the same in all its uses."""
        assert scope.frame is not None
        graph = scope.frame.graph
        made = graph.nodes[nodes:]
        if around(graph).kind == "model" or any(n.shared is not None for n in made):
            return
        test = condition(node.test, scope, self._expressions)
        if test is not None:
            start, inner = node.span.start, tuple(graph.choices[choices:])
            key = (start, sum(choice.key[0] == start for choice in every(graph.choices)))
            after = graph.nodes[nodes - 1].label if nodes else ""
            graph.choices[choices:] = [Choice(key, test, taken, tuple([n.label for n in made]), after, inner, *map(_values, flows))]

    def _passed(self, node: ast.If, inner: Scope) -> Flow:
        passed = inner.use("in")
        if passed is None:
            raise Failure(NoIn("if"), node.span)
        return passed.value  # type: ignore[return-value]


def _values(flow: Flow | None) -> tuple[Value, ...]:
    """The tensors of a flow; of a result with others that were not unpacked, the first."""
    match flow:
        case Value():
            return (flow,)
        case TensorTuple(values=values, extras=extras):
            return tuple(values if extras is None else values[:1])
    return ()
