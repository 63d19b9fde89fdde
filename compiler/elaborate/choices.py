"""`if`: which branch there is, decided at compile time. Its stages stand among those around it."""

from __future__ import annotations

from netc.dsl import ast

from ..errors.names import NoIn
from ..ir.graph import SharedModule
from .bodies import elaborate_body, emit_call
from .evaluate import evaluate_bool
from .operators import main_result
from .scope import Scope
from .session import Session
from .stages import OPERANDS, STAGES
from .statements import run_body
from .values import Failure, Flow


def run_if(node: ast.If, flow: Flow | None, scope: Scope, session: Session, shared: SharedModule | None = None) -> Flow:
    """The chosen branch on what flows in; without an `else`, what flows in."""
    if shared is not None:
        entry = elaborate_body(node, flow, scope, session, lambda inner: run_if(node, None, inner, session), name=shared.label)
        return emit_call(entry, flow, scope, session, label=shared.label, span=node.span, shared=shared)
    inner = Scope(scope, scope.frame)
    if flow is not None:
        inner.bind("in", flow)
    body = node.then if evaluate_bool(node.test, inner, session) else node.otherwise
    if body is not None:
        if flow is not None:
            inner = Scope(scope, scope.frame)
            inner.bind("in", main_result(flow))
        return run_body(body, inner, session, "this branch")
    passed = inner.use("in")
    if passed is None:
        raise Failure(NoIn("if"), node.span)
    return passed.value  # type: ignore[return-value]


STAGES[ast.If] = run_if
OPERANDS[ast.If] = lambda node, scope, session: run_if(node, None, scope, session)
