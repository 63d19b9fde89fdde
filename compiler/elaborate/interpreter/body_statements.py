"""Runs the statements of a body in order, binds their names, and returns the result of the body.

>>> import netc
>>> netc.compile("x = input 3; let width = 2; y = x -> dense width; z = y -> relu; out z, y").outputs
{'z': TensorType([N, 2]), 'y': TensorType([N, 2])}
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from netc.dsl import ast
from netc.dsl.diagnostics import Edit
from netc.dsl.record import replace
from netc.dsl.source import Span

from ...errors.argument_errors import ArgumentTwice
from ...errors.binding_errors import UnknownStage
from ...errors.structure_errors import DefaultMisplaced, ExpectMisplaced, NoResult, OutTwice
from ...errors.value_errors import PipelineAsValue, TensorAsValue
from ...ops.operator import Operator
from ..scopes.compile_time_values import UNKNOWN, Flow
from ..scopes.early_exits import Failure
from ..scopes.scope import Binding, LazyLet, Scope, trace_of
from .assignments import Assignments, BodyResult, bind_name
from .compile_time_functions import CompileTimeFunctions
from .evaluator_protocol import EvaluatorPart, Interpreter
from .shared_stages import SharedStages
from .stage_arguments import ArgumentBinder

P = ParamSpec("P")
R = TypeVar("R")


class Statements(EvaluatorPart):
    def __init__(
        self,
        interpreter: Interpreter,
        functions: CompileTimeFunctions,
        arguments: ArgumentBinder,
        assignments: Assignments,
        shared: SharedStages,
    ) -> None:
        super().__init__(interpreter)
        self._functions, self._arguments, self._assignments, self._shared = functions, arguments, assignments, shared

    def run_body(self, body: ast.Body, scope: Scope, what: str) -> BodyResult:
        """Runs the statements of a body, which bind their names in `scope`: the result of `out`, or else of the last pipeline."""
        scope.body = body
        result: BodyResult | None = None
        last: BodyResult | None = None
        out: ast.Out | None = None
        for statement in body.statements:
            if isinstance(statement, ast.Out):
                if out is not None:
                    self.session.report_problem(OutTwice(), statement.span, ((out.span, "the first one"),), trace_of(scope))
                out = statement
                result = self._assignments.run_out(statement, scope)
                continue
            last = self._run_statement(statement, scope) or last
        if result is not None:
            return result
        if last is not None:
            return last
        self.recover(scope, _no_result, body, what)
        return BodyResult(UNKNOWN, ())

    def _run_statement(self, node: ast.Statement, scope: Scope) -> BodyResult | None:
        """One statement; its result, if it has one."""
        match node:
            case ast.Assign():
                return self._assignments.run_assign(node, scope)
            case ast.Flow():
                return self._assignments.run_flow(node, scope)
            case ast.Let():
                self._run_let(node, scope)
            case ast.Shared():
                self._declare_shared_stage(node, scope)
            case ast.Expect():
                self._check_outermost(node, scope)
            case ast.Default():
                self.recover(scope, self._run_default, node, scope)
            case ast.Metric():
                from ...errors.training_errors import TrainingOnly

                self.session.report_problem(TrainingOnly(), node.name.span, (), trace_of(scope))
            case ast.Broken():
                return _bind_broken(node, scope)
        return None

    def _run_let(self, node: ast.Let, scope: Scope) -> None:
        binding_and_scope = scope.find_binding(node.name.name)
        if binding_and_scope is not None and binding_and_scope[0].span == node.name.span:
            # Statements of a file are a model, and its `let`s are bound when the file is read, so that blocks can use them.
            self._force_let(binding_and_scope[0], scope)
            return
        value = self.recover(scope, _evaluate_let, node, self.interpreter.evaluate, node.value, scope)
        if scope.frame is not None:
            scope.frame.name_size(node.name.name, value)
        self.recover(scope, bind_name, node.name, value, scope, self.session.index)

    def _force_let(self, binding: Binding, scope: Scope) -> None:
        """A file's own `let`, which is bound already: it is evaluated here at the latest."""
        if isinstance(binding.value, LazyLet):
            binding.value = self.recover(scope, _evaluate_let, binding.value.node, self._functions.value_of, binding)

    def _declare_shared_stage(self, node: ast.Shared, scope: Scope) -> None:
        if node.name.name in scope.names:
            self.recover(scope, bind_name, node.name, UNKNOWN, scope, self.session.index)  # which reports that it is bound twice
            return
        shared = self.recover(scope, self._shared.declare_stage, node, scope)
        self.recover(scope, bind_name, node.name, shared, scope, self.session.index)

    def _run_default(self, node: ast.Default, scope: Scope) -> None:
        name = node.operator.name
        # A `default` in the middle would be about some stages of an operator and not about others.
        is_middle = not _is_outermost(scope) or (scope.frame is not None and scope.frame.graph.nodes)
        if is_middle and scope is not self.session.model_scope:
            raise Failure(DefaultMisplaced(), node.span)
        cls = Operator.registry.get(name)
        if cls is None or not cls.operands:
            raise Failure(UnknownStage(name, self.session.similar_names(name, Operator.registry)), node.operator.span)
        self.session.index.record_name(node.operator.span, name, None, None, "operator")
        arguments = self._arguments.convert_defaults(cls, node.keywords, scope)
        known = self.session.defaults.get(name, {})
        twice = next((argument for argument in arguments if argument in known), None)
        if twice is not None:
            raise Failure(ArgumentTwice(name, twice), node.span)
        self.session.set_defaults({**self.session.defaults, name: {**known, **arguments}})

    def _check_outermost(self, node: ast.Expect, scope: Scope) -> None:
        if not _is_outermost(scope):
            self.session.report_problem(ExpectMisplaced(), node.span, (), trace_of(scope))


def _evaluate_let(node: ast.Let, evaluate: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """The value that a `let` gives a name."""
    try:
        return evaluate(*args, **kwargs)
    except Failure as failure:
        covers_value = failure.span == node.value.span
        if isinstance(failure.problem, TensorAsValue) or (isinstance(failure.problem, PipelineAsValue) and covers_value):
            failure.problem = replace(failure.problem, bound=node.name.name)
            # Removing `let` names the tensor, which is what the author wanted.
            failure.edits = (Edit(Span(node.span.file, node.span.start, node.name.span.start), "", safe=False),)
        raise


def _is_outermost(scope: Scope) -> bool:
    """Whether a scope belongs to the model itself."""
    return scope.frame is not None and scope.frame.parent is None and (scope.parent is None or scope.parent.frame is None)


def _no_result(body: ast.Body, what: str) -> Flow:
    end = body.span.end
    closing = Span(body.span.file, end - 1, end)
    raise Failure(NoResult(what), closing if closing.text == "}" else body.span)


def _bind_broken(node: ast.Broken, scope: Scope) -> BodyResult:
    """A statement that did not parse: its names are known, and nothing more is reported about them."""
    for name in node.names:
        scope.names.setdefault(name.name, Binding(UNKNOWN, name.span))
    return BodyResult(UNKNOWN, ())
