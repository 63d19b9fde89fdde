"""The protocol through which the parts of the evaluator call each other.

Constructs contain each other: an expression is an argument of a stage, a stage is in a body, a body is in a stage. A part reaches what is
above it through the `Interpreter` protocol, and what is below it directly. `Elaborator` (elaborator.py) is the one implementation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar

from netc.dsl import ast

from ...ir.graph import SharedModule
from ..elaboration_session import ElaborationSession
from ..scopes.compile_time_values import UNKNOWN, Flow, Operand, TrailingActivation, Unknown
from ..scopes.early_exits import AlreadyReported, Failure
from ..scopes.scope import Scope, StageClosure, trace_of

P = ParamSpec("P")
R = TypeVar("R")


class Interpreter(Protocol):
    """The recursive steps of elaboration, each by a `match` on the syntax node."""

    session: ElaborationSession

    def evaluate(self, expr: ast.Expr, scope: Scope) -> Any:
        """The compile-time value of an expression."""

    def make_closure(self, expr: ast.StageExpr, scope: Scope) -> StageClosure:
        """The value of a stage with arguments."""

    def find_activation(self, expr: ast.Expr, scope: Scope) -> TrailingActivation | None:
        """The activation that an argument names or is; None if it is another argument."""

    def evaluate_with_tensors(self, expr: ast.Expr, scope: Scope) -> Operand:
        """The value of an expression in which tensors may occur."""

    def layer_parameter(self, expr: ast.Call, scope: Scope) -> Any:
        """Return the value of a call about the parameters of a layer that is a value."""

    def run_operand(self, node: ast.Tensor, scope: Scope) -> Operand:
        """The head of a pipeline, or one side of an operation."""

    def run_stage(self, node: ast.Tensor, flow: Flow, scope: Scope, shared: SharedModule | None = None) -> Flow:
        """The result of a stage on its input."""

    def run_body(self, body: ast.Body, scope: Scope, what: str) -> Flow:
        """The result of a body's statements; `what` names the body in messages."""


class EvaluatorPart:
    """One part of the evaluator: the constructs that it handles, and the interpreter that it belongs to."""

    def __init__(self, interpreter: Interpreter) -> None:
        self.interpreter = interpreter
        self.session = interpreter.session

    def recover(self, scope: Scope, action: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R | Unknown:
        """The result of the action; if it fails, its failure is reported and the result is `UNKNOWN`."""
        try:
            return action(*args, **kwargs)
        except Failure as failure:
            self.session.report_failure(failure, trace_of(scope))
        # The cause has its own diagnostic, and a second one would only distract from it.
        except AlreadyReported:
            pass
        return UNKNOWN
