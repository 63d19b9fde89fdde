"""`if`: a branch chosen at compile time. Its stages are inlined."""

from __future__ import annotations

from netc.dsl import ast

from ...errors.names import NoIn
from ...ir.graph import OpNode, SharedModule, Value, flat
from ...ops.mode import ByMode
from ..scopes.failures import Failure
from ..scopes.scope import Scope
from ..scopes.values import UNKNOWN, Flow, TensorTuple, flow_of, main_result, parts_of
from .base import Interpreter, Part
from .bodies import BodySyntax, elaborate_body
from .calls import emit_call
from .conditions import condition
from .expressions import Expressions

TRAINING = "training"


def mode_test(test: ast.Expr, scope: Scope) -> bool | None:
    """Whether a condition is `training` (True) or `not training` (False); None for any other, also if the name is defined otherwise."""
    match test:
        case ast.Name(name=name) if name == TRAINING and scope.find(TRAINING) is None:
            return True
        case ast.Unary(op="not", operand=ast.Name(name=name)) if name == TRAINING and scope.find(TRAINING) is None:
            return False
    return None


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
        if (training := mode_test(node.test, scope)) is not None:
            return self._by_mode(node, training, flow, scope)
        inner = Scope(scope, scope.frame)
        if flow is not None:
            inner.bind("in", flow)
        branch = node.then if self._expressions.boolean(node.test, inner) else node.otherwise
        if branch is node.then and node.otherwise is None and flow is not None:
            return self._tested(node, flow, inner, scope)
        if branch is not None:
            if flow is not None:
                inner = Scope(scope, scope.frame)
                inner.bind("in", main_result(flow))
            return self.interpreter.body(branch, inner, "this branch")
        return self._passed(node, inner)

    def _by_mode(self, node: ast.If, training: bool, flow: Flow | None, scope: Scope) -> Flow:
        """Both branches: the results are those of one in training, of the other in evaluation."""
        assert scope.frame is not None
        scope.frame.graph.has_modes = True
        then = self._branch(node.then, node, flow, scope)
        otherwise = self._branch(node.otherwise, node, flow, scope)
        found = [parts_of(one) for one in ((then, otherwise) if training else (otherwise, then))]
        if found[0] is None or found[1] is None:
            return UNKNOWN
        first, second = flat(found[0]), flat(found[1])
        if [v.type for v in first] != [v.type for v in second]:
            return TensorTuple(found[1], training=found[0])
        return flow_of(tuple([self._either(a, b, node, scope) for a, b in zip(first, second, strict=True)]))

    def _branch(self, body: ast.Body | None, node: ast.If, flow: Flow | None, scope: Scope) -> Flow:
        inner = Scope(scope, scope.frame)
        if flow is not None:
            inner.bind("in", main_result(flow))
        if body is None:
            return self._passed(node, inner)
        return self.recover(scope, self.interpreter.body, body, inner, "this branch")

    def _either(self, training: Value, evaluation: Value, node: ast.If, scope: Scope) -> Value:
        assert scope.frame is not None
        if training is evaluation:
            return training
        made = Value(evaluation.type, node.span, spatial=training.spatial and evaluation.spatial)
        scope.frame.graph.nodes.append(OpNode(ByMode(), (training, evaluation), (made,), "", node.span, ()))
        self.session.grow(scope.frame.graph, 1, node.span, scope.frame.trace)
        return made

    def _tested(self, node: ast.If, flow: Flow, inner: Scope, scope: Scope) -> Flow:
        """The only branch. If it is one stage, the graph has its condition."""
        assert scope.frame is not None
        graph = scope.frame.graph
        count = len(graph.nodes)
        branch = Scope(scope, scope.frame)
        branch.bind("in", main_result(flow))
        result = self.interpreter.body(node.then, branch, "this branch")
        if len(graph.nodes) == count + 1:
            self._note(node, inner)
        return result

    def note(self, node: ast.If, flow: Flow | None, scope: Scope) -> None:
        """The graph's last stage is the one that this `if` has chosen: the graph has its condition, unless there is an `else`."""
        if node.otherwise is None and flow is not None:
            inner = Scope(scope, scope.frame)
            inner.bind("in", flow)
            self._note(node, inner)

    def _note(self, node: ast.If, inner: Scope) -> None:
        assert inner.frame is not None
        test = condition(node.test, inner, self._expressions)
        if test is not None:
            inner.frame.graph.tests[inner.frame.graph.nodes[-1].label] = test

    def _passed(self, node: ast.If, inner: Scope) -> Flow:
        passed = inner.use("in")
        if passed is None:
            raise Failure(NoIn("if"), node.span)
        return passed.value  # type: ignore[return-value]
