"""The evaluator: its parts, composed, and the steps that they take through each other.

To find where a construct is handled, start at the `match` of `Statements`, `StageDispatch`, `Operands` or `Expressions`.

    >>> from netc.dsl.parser import parse_value
    >>> from netc.dsl.source import SourceFile
    >>> Elaborator(ElaborationSession()).evaluate(parse_value(SourceFile("<text>", "2 * (3 + 4)"))[0], Scope(None, None))
    14
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from netc.dsl import ast

from ...ir.graph import SharedModule
from ..elaboration_session import ElaborationSession
from ..scopes.compile_time_values import Flow, Operand, TrailingActivation
from ..scopes.scope import Scope, StageClosure
from .assignments import Assignments
from .block_arguments import ParameterBinder
from .block_stages import BlockStages
from .body_statements import Statements
from .call_syntax import CallSyntax
from .closures import Closures
from .compile_time_expressions import Expressions
from .compile_time_functions import CompileTimeFunctions
from .compile_time_loops import Loops
from .conditionals import Conditionals
from .groups import Groups
from .input_statements import InputDeclarations
from .layer_parameters import LayerParameters
from .model_stages import ModelStages
from .named_tensors import NamedTensors
from .operands import Operands
from .operator_stages import OperatorStages
from .pipelines import Pipelines
from .shape_checks import ShapeChecks
from .shape_patterns import ShapePatterns
from .shared_stages import SharedStages
from .stage_arguments import ArgumentBinder
from .stage_dispatch import StageDispatch
from .stage_labels import StageLabels
from .stage_parameters import StageParameters

if TYPE_CHECKING:
    from .param_and_table import TensorConstants
    from .scan_stages import Scans


class Elaborator:
    """Evaluates expressions and elaborates tensor constructs of one session. Implements `Interpreter`. Parts that few models need are
    imported and made when they are."""

    def __init__(self, session: ElaborationSession) -> None:
        self.session = session
        functions = CompileTimeFunctions(self)
        self.expressions = Expressions(self, functions)
        self.parameters = ParameterBinder(self)
        self.checks = ShapeChecks(self, self.expressions)
        labels = StageLabels(self)
        arguments = ArgumentBinder(self)
        self._closures = Closures(self, functions, self.expressions, arguments)
        self._layer_parameters = LayerParameters(self, arguments, self._closures)
        inputs = InputDeclarations(self, self.expressions, arguments)
        pipelines = Pipelines(self, inputs)
        shared = SharedStages(self, labels)

        # Late imports, because starting must be quick, and few models have tables or scans.
        def constants() -> TensorConstants:
            from .param_and_table import TensorConstants

            return TensorConstants(self, self.expressions, arguments, labels)

        def scans() -> Scans:
            from .scan_stages import Scans

            return Scans(self, pipelines, arguments)

        conditionals = Conditionals(self, self.expressions)
        groups = Groups(self, pipelines, arguments, labels, conditionals)
        stage_parameters = StageParameters(self)
        calls = self._calls = CallSyntax(self, stage_parameters)
        named = NamedTensors(self, calls)
        self._stages = StageDispatch(
            self,
            functions,
            self._closures,
            arguments,
            OperatorStages(self, arguments, labels, named),
            BlockStages(self, self.parameters, ShapePatterns(self), labels, named, ModelStages(self, self.parameters, inputs)),
            shared,
            groups,
            Loops(self, labels),
            scans,
            conditionals,
            self.checks,
        )
        self._operands = Operands(
            self, functions, inputs, constants, pipelines, groups, conditionals, self._stages, calls, stage_parameters
        )
        self.statements = Statements(self, functions, arguments, Assignments(self, pipelines), shared)

    def evaluate(self, expr: ast.Expr, scope: Scope) -> Any:
        return self.expressions.evaluate(expr, scope)

    def make_closure(self, expr: ast.StageExpr, scope: Scope) -> StageClosure:
        return self._closures.make_closure(expr, scope)

    def find_activation(self, expr: ast.Expr, scope: Scope) -> TrailingActivation | None:
        return self._closures.find_activation(expr, scope)

    def evaluate_with_tensors(self, expr: ast.Expr, scope: Scope) -> Operand:
        return cast(Operand, self._calls.evaluate_with_tensors(expr, scope))

    def layer_parameter(self, expr: ast.Call, scope: Scope) -> Any:
        return self._layer_parameters.call_function(expr, scope)

    def run_operand(self, node: ast.Tensor, scope: Scope) -> Operand:
        return self._operands.run_operand(node, scope)

    def run_stage(self, node: ast.Tensor, flow: Flow, scope: Scope, shared: SharedModule | None = None) -> Flow:
        return self._stages.run_stage(node, flow, scope, shared)

    def run_body(self, body: ast.Body, scope: Scope, what: str) -> Flow:
        return self.statements.run_body(body, scope, what).flow
