"""Stages: finds what a name after an arrow means, and dispatches to the part for each kind of stage.

>>> import netc
>>> text = "block b { exp -> relu }; shared s = dense 4; input 4 -> b -> s -> (exp) as g -> repeat 2 { sqrt } -> abs"
>>> [(node.label, type(node).__name__) for node in netc.compile(text).program.main.nodes]
[('b1', 'CallNode'), ('s', 'OpNode'), ('g', 'CallNode'), ('repeat1', 'CallNode'), ('abs1', 'OpNode')]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from netc.dsl import ast
from netc.dsl.record import replace

from ...dims import EffortSpent
from ...errors.binding_errors import NotAStage
from ...errors.limit_errors import LargeFormulas
from ...ir.graph import SharedModule
from ...ops.operator import Operator
from ..names.name_errors import not_a_stage, unbound_stage
from ..resource_limits import TERMS
from ..scopes.compile_time_values import Flow, OperatorRef, Unknown
from ..scopes.early_exits import AlreadyReported, Failure
from ..scopes.scope import BlockDef, Scope, SharedDef, StageClosure, trace_of
from .block_stages import BlockStages
from .closures import Closures
from .compile_time_functions import CompileTimeFunctions
from .compile_time_loops import Loops
from .conditionals import Conditionals
from .evaluator_protocol import EvaluatorPart, Interpreter
from .freezing import freeze_new_nodes, trainable_keyword
from .groups import Groups
from .operator_stages import OperatorStages
from .shape_checks import ShapeChecks
from .shared_stages import SharedStages
from .stage_arguments import ArgumentBinder
from .stage_values import record_stage_parameter

if TYPE_CHECKING:
    from .scan_stages import Scans


class StageDispatch(EvaluatorPart):
    def __init__(
        self,
        interpreter: Interpreter,
        functions: CompileTimeFunctions,
        closures: Closures,
        arguments: ArgumentBinder,
        operators: OperatorStages,
        blocks: BlockStages,
        shared: SharedStages,
        groups: Groups,
        loops: Loops,
        scans: Callable[[], Scans],
        conditionals: Conditionals,
        checks: ShapeChecks,
    ) -> None:
        super().__init__(interpreter)
        self._functions, self._closures = functions, closures
        self._arguments = arguments
        self._operators, self._blocks, self._shared = operators, blocks, shared
        self._groups, self._loops, self._scans = groups, loops, scans
        self._conditionals, self._checks = conditionals, checks

    def run_stage(self, node: ast.Tensor, flow: Flow, scope: Scope, shared: SharedModule | None = None) -> Flow:
        """The result of a stage on its input. `shared` is set for a use of a shared stage."""
        try:
            result = self._dispatch_stage(node, flow, scope, shared)
        # Raised deep in the dimensions, which know no spans: the innermost stage is blamed.
        except EffortSpent:
            raise Failure(LargeFormulas(TERMS.limit), node.span, final=True) from None
        self.session.index.record_stage(node.span, result)
        return result

    def _dispatch_stage(self, node: ast.Tensor, flow: Flow, scope: Scope, shared: SharedModule | None) -> Flow:
        match node:
            case ast.Apply():
                return self._run_apply(node, flow, scope, shared)
        # Not counted above: `_run_definition` counts blocks and shared stages, and `add_operator` counts operators.
        self.session.count_stage(node.span, trace_of(scope))
        match node:
            case ast.Group():
                return self._groups.run_stage(node, flow, scope, shared)
            case ast.Repeat() | ast.Each():
                return self._loops.run_loop(node, flow, scope, shared)
            case ast.Scan():
                return self._scans().run_scan(node, flow, scope, shared)
            case ast.If():
                return self._conditionals.run_if(node, flow, scope, shared)
            case ast.Is():
                return self._checks.check_stage(node, flow, scope)
        raise Failure(NotAStage(node.span.text.split()[0], "where a pipeline begins"), node.span)

    def _run_apply(self, node: ast.Apply, flow: Flow, scope: Scope, shared: SharedModule | None) -> Flow:
        if node.name == "in":
            if isinstance(flow, Unknown):
                raise AlreadyReported
            raise Failure(NotAStage("in", "the input of the body"), node.name_span)
        try:
            named, node = self.resolve_stage(node, scope)
        except Failure as failure:
            from .foreign_stages import translate_failure

            # Only now, because only the arguments say whether the stage of another library can be rewritten.
            raise translate_failure(failure, node, lambda cls, stage: self._arguments.bind_arguments(cls, stage, scope, flow)) from None
        keyword = trainable_keyword(node, named)
        with record_stage_parameter(node.name, scope, self.session):
            if keyword is None:
                return self._run_definition(node, named, flow, scope, shared)
            node = replace(node, keywords=tuple(k for k in node.keywords if k is not keyword))
            with freeze_new_nodes(keyword, self._arguments.convert_flag(node.name, keyword, scope), scope):
                return self._run_definition(node, named, flow, scope, shared)

    def _run_definition(
        self, node: ast.Apply, named: BlockDef | SharedDef | type[Operator], flow: Flow, scope: Scope, shared: SharedModule | None
    ) -> Flow:
        match named:
            case BlockDef():
                self.session.count_stage(node.span, trace_of(scope))
                return self._blocks.apply_block(node, named, flow, scope, shared)
            case SharedDef():
                self.session.count_stage(node.span, trace_of(scope))
                return self._shared.use_stage(node, named, flow, scope)
        return self._operators.apply_operator(node, named, flow, scope, shared)

    def resolve_stage(self, node: ast.Apply, scope: Scope) -> tuple[BlockDef | SharedDef | type[Operator], ast.Apply]:
        """The block, shared stage or operator class that a stage names, and the stage with all its arguments."""
        binding_and_scope = scope.find_binding(node.name)
        value = self._functions.value_of(binding_and_scope[0]) if binding_and_scope is not None else None
        if isinstance(value, (BlockDef, SharedDef, OperatorRef, StageClosure)):
            used = scope.use_binding(node.name)
            assert used is not None
            self.session.index.record_name(node.name_span, node.name, used)
            if isinstance(value, StageClosure):
                node, value = self._closures.apply_closure(value, node, scope), value.stage
            return (Operator.registry[value.operator] if isinstance(value, OperatorRef) else value), node
        # After the scope, so that a text may name a block or a stage after an operator.
        if node.name in Operator.registry:
            self.session.index.record_name(node.name_span, node.name, None, None, "operator")
            return Operator.registry[node.name], node
        if isinstance(value, Unknown):
            raise AlreadyReported
        raise unbound_stage(node, scope, self.session) if binding_and_scope is None else not_a_stage(node, binding_and_scope[0])
