"""Pipelines: a head, and stages, each on the result of the one before.

A stage that fails is reported, and its result is what it declares, or else `UNKNOWN`; the stages after it are elaborated.

    >>> from netc.analysis import Choice, analyze
    >>> from netc.dsl.source import SourceFile
    >>> analysis = analyze(SourceFile("<text>", "input 3 -> dens 4 -> dense 2 -> reluu"), Choice())
    >>> [problem.message for problem in analysis.diagnostics]
    ['unknown operator or block `dens`', 'unknown operator or block `reluu`']
"""

from __future__ import annotations

from netc.dsl import ast
from netc.dsl.diagnostics import Edit
from netc.dsl.source import Span

from ...errors.binding_errors import NotATensor
from ...ir.graph_values import Value
from ..scopes.compile_time_values import CONST_TYPES, Flow, Operand, differs_in_training, require_same_in_modes
from ..scopes.early_exits import Failure
from ..scopes.scope import Scope, trace_of
from ..scopes.value_text import format_value
from .evaluator_protocol import EvaluatorPart, Interpreter
from .input_statements import InputDeclarations


class Pipelines(EvaluatorPart):
    def __init__(self, interpreter: Interpreter, inputs: InputDeclarations) -> None:
        super().__init__(interpreter)
        self._inputs = inputs

    def run_pipeline(self, pipeline: ast.Pipeline, scope: Scope, name: str = "") -> Operand:
        """The result of a pipeline. `name` is what the result will be bound to: an `input` without a stage takes it as its own."""
        head = pipeline.head
        flow: Operand
        if isinstance(head, ast.InputDecl):
            # An input with stages after it is not what the name is bound to.
            flow = self.recover(scope, self._inputs.make_input, head, "" if pipeline.stages else name, scope)
            self.session.index.record_stage(head.span, flow)
        else:
            flow = self.recover(scope, self.interpreter.run_operand, head, scope)
            if isinstance(head, (ast.TensorBinary, ast.TensorUnary)) and isinstance(flow, Value):
                self.session.index.record_stage(head.span, flow)
        if not pipeline.stages:
            return flow
        tensor = self.recover(scope, _require_tensors, flow, head.span, "")
        for stage in pipeline.stages:
            if differs_in_training(tensor):
                tensor = self.recover(scope, require_same_in_modes, tensor, stage.span)
            tensor = self.recover(scope, self._run_stage, stage, tensor, scope)
        return tensor

    def _run_stage(self, stage: ast.Tensor, tensor: Flow, scope: Scope) -> Flow:
        """The result of a stage; of one that failed, a tensor of the type that it states."""
        try:
            return self.interpreter.run_stage(stage, tensor, scope)
        except Failure as failure:
            if (
                failure.declared_type is None
                or failure.final
                # A size below 1 would be an error of every stage after this one.
                or any(isinstance(size, int) and size < 1 for size in failure.declared_type.shape)
            ):
                raise
            self.session.report_failure(failure, trace_of(scope))
            placeholder = Value(failure.declared_type, stage.span)
            self.session.index.record_stage(stage.span, placeholder)
            return placeholder

    def run_for_tensors(
        self,
        pipeline: ast.Pipeline,
        scope: Scope,
        name: str = "",
        hint: str = "name compile-time values with `let`",
        edits: tuple[Edit, ...] = (),
    ) -> Flow:
        """Run a pipeline whose result must be tensors. `hint` is for a number, and `edits` carry it out."""
        flow = self.run_pipeline(pipeline, scope, name)
        return self.recover(scope, _require_tensors, flow, pipeline.span, hint, edits)


def _require_tensors(flow: Operand, span: Span, hint: str, edits: tuple[Edit, ...] = ()) -> Flow:
    if isinstance(flow, CONST_TYPES):
        raise Failure(NotATensor(format_value(flow), hint), span, edits=edits)
    return flow
