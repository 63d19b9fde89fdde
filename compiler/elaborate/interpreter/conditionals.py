"""`if`: a branch chosen at compile time. Its stages are inlined."""

from __future__ import annotations

from netc.dsl import ast

from ...errors.names import NoIn
from ...ir.graph import SharedModule
from ..scopes.failures import Failure
from ..scopes.scope import Scope
from ..scopes.values import Flow, main_result
from .base import Interpreter, Part
from .bodies import BodySyntax, elaborate_body
from .calls import emit_call
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
        branch = node.then if self._expressions.boolean(node.test, inner) else node.otherwise
        if branch is not None:
            if flow is not None:
                inner = Scope(scope, scope.frame)
                inner.bind("in", main_result(flow))
            return self.interpreter.body(branch, inner, "this branch")
        passed = inner.use("in")
        if passed is None:
            raise Failure(NoIn("if"), node.span)
        return passed.value  # type: ignore[return-value]
