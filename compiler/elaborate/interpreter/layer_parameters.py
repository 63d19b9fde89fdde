"""The parameters that a layer which is an argument would have: `has_parameter(layer, in, "bias")`, `parameter_shape(layer, in, "weight")`
and `parameter_init(layer, in, "weight")`.

Each function takes an operator as a value, a tensor, and the name of a parameter. It returns whether the operator on this tensor has the
parameter, its shape, or its initial values. Nothing is added to the graph.

    >>> import netc
    >>> netc.compile('x = input 3; let shape = parameter_shape((dense 4), x, "weight"); x -> dense (shape[0])').outputs
    {'output': TensorType([N, 4])}
"""

from __future__ import annotations

from typing import Any

from netc.dsl import ast

from ...errors.parameter_errors import NoParameterToRead
from ...errors.value_errors import FunctionTakes
from ...ir.graph_values import Value
from ...ops.operator import Operator, OperatorError, ParameterSpec
from ..builtins import HAS_PARAMETER, PARAMETER_SHAPE, check_count
from ..scopes.compile_time_values import OperatorRef, TensorTuple, Unknown, tensors_of
from ..scopes.early_exits import AlreadyReported, Failure
from ..scopes.scope import Scope, StageClosure
from ..scopes.value_text import format_value
from .closures import Closures
from .evaluator_protocol import EvaluatorPart, Interpreter
from .nodes import locate_problem
from .stage_arguments import ArgumentBinder

_EXPECTED = "an operator, perhaps with arguments in parentheses, a tensor, and the name of a parameter"


class LayerParameters(EvaluatorPart):
    def __init__(self, interpreter: Interpreter, arguments: ArgumentBinder, closures: Closures) -> None:
        super().__init__(interpreter)
        self._arguments, self._closures = arguments, closures

    def call_function(self, expr: ast.Call, scope: Scope) -> Any:
        """The value of one of the three functions."""
        function = expr.function.name
        check_count(function, 3, 3, expr)
        layer, tensor, parameter = expr.arguments
        name = self.interpreter.evaluate(parameter, scope)
        if not isinstance(name, str):
            raise Failure(FunctionTakes(function, _EXPECTED, format_value(name)), parameter.span)
        spec = {s.name: s for s in self._layer_specs(function, layer, tensor, scope)}.get(name)
        if function == HAS_PARAMETER:
            return spec is not None
        if spec is None:
            stage = format_value(self.interpreter.evaluate(layer, scope)).strip("`")
            # Inferred again only for the message: most calls find the parameter.
            known = tuple(s.name for s in self._layer_specs(function, layer, tensor, scope))
            raise Failure(NoParameterToRead(stage, name, known=known), expr.span)
        return spec.shape if function == PARAMETER_SHAPE else spec.init

    def _layer_specs(self, function: str, layer: ast.Expr, tensor: ast.Expr, scope: Scope) -> tuple[ParameterSpec, ...]:
        value = self.interpreter.evaluate(layer, scope)
        stage = value.stage if isinstance(value, StageClosure) else value
        if not isinstance(stage, OperatorRef):
            raise Failure(FunctionTakes(function, _EXPECTED, format_value(value)), layer.span)
        cls = Operator.registry[stage.operator]
        node = ast.Apply(layer.span, cls.name, layer.span, (), ())
        if isinstance(value, StageClosure):
            node = self._closures.apply_closure(value, node, scope)
        op = self._arguments.bind_arguments(cls, node, scope).op
        flow = self.interpreter.evaluate_with_tensors(tensor, scope)
        if not isinstance(flow, (Value, TensorTuple, Unknown)):
            raise Failure(FunctionTakes(function, _EXPECTED, format_value(flow)), tensor.span)
        inputs = tensors_of(flow)
        if inputs is None:
            raise AlreadyReported
        op_inputs = op.bind_inputs(tuple(v.type for v in inputs), self.session.deciding)
        try:
            op.check_and_infer(op_inputs)
        except OperatorError as error:
            raise locate_problem(error.problem, error.at, inputs, lambda place: layer.span) from None
        return op.parameters(op_inputs)
