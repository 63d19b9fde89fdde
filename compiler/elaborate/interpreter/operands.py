"""Operands: heads of pipelines, and the sides of arithmetic between tensors.

`run_operand` takes a tensor expression and its scope, and returns a tensor, several, or a compile-time value.

    >>> import netc
    >>> [node.op.name for node in netc.compile("xs = input 6 -> chunk 3 axis=1; xs[0] * 2 + xs[1]").program.main.nodes]
    ['chunk', 'mul', 'add']
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from netc.dsl import ast

from ...errors.binding_errors import NoIn, TensorNotGiven, UnknownName
from ...errors.structure_errors import InputScaled
from ...errors.value_errors import BadListIndex, NotANumber
from ...ir.graph_values import Value
from ...ops.operator import Operator
from ..builtins import BUILTINS, CONSTANTS, NONFINITE_CONSTANTS
from ..names.name_errors import hint_in_training
from ..scopes.compile_time_values import CONST_TYPES, AbsentTensor, Flow, Operand, TensorTuple, Unknown
from ..scopes.early_exits import Failure
from ..scopes.scope import Binding, BlockDef, FnDef, Scope
from ..scopes.value_text import format_value
from .block_arguments import extra_argument_hint, surplus_argument
from .block_tensors import declared_tensors
from .call_syntax import CallSyntax, is_called_on_tensors, makes_tensors
from .compile_time_functions import CompileTimeFunctions
from .conditionals import Conditionals
from .evaluator_protocol import EvaluatorPart, Interpreter
from .groups import Groups
from .input_statements import InputDeclarations
from .pipelines import Pipelines
from .stage_dispatch import StageDispatch
from .stage_parameters import StageParameters
from .tensor_arithmetic import emit_infix, emit_prefix

if TYPE_CHECKING:
    from .param_and_table import TensorConstants


class Operands(EvaluatorPart):
    def __init__(
        self,
        interpreter: Interpreter,
        functions: CompileTimeFunctions,
        inputs: InputDeclarations,
        constants: Callable[[], TensorConstants],
        pipelines: Pipelines,
        groups: Groups,
        conditionals: Conditionals,
        stages: StageDispatch,
        calls: CallSyntax,
        parameters: StageParameters,
    ) -> None:
        super().__init__(interpreter)
        self._functions, self._inputs, self._constants = functions, inputs, constants
        self._pipelines, self._groups, self._conditionals, self._stages = pipelines, groups, conditionals, stages
        self._calls, self._parameters = calls, parameters

    def run_operand(self, node: ast.Tensor, scope: Scope) -> Operand:
        match node:
            case ast.Apply():
                return self._run_apply(node, scope)
            case ast.Scalar():
                return node.value
            case ast.TensorBinary():
                return self._run_binary(node, scope)
            case ast.Pipeline():
                return self._pipelines.run_pipeline(node, scope)
            case ast.ValueOperand(value=ast.Attribute() as attribute) if (
                read := self._parameters.read_parameter(attribute, scope)
            ) is not None:
                return read
            case ast.ValueOperand():
                return cast(Operand, self.interpreter.evaluate(node.value, scope))
            case ast.TensorUnary():
                return emit_prefix(node, self.run_operand(node.operand, scope), scope, self.session)
            case ast.Repeat() | ast.Each() | ast.Scan() | ast.Is():
                return self._run_on_input(node, type(node).__name__.lower(), scope)
        return self._run_source(node, scope)

    def _run_source(self, node: ast.Tensor, scope: Scope) -> Operand:
        """Run a node that needs no input, or takes it from the scope."""
        result: Operand
        match node:
            case ast.Group():
                result = self._groups.run_operand(node, scope)
            case ast.If():
                result = self._conditionals.run_if(node, None, scope)
            case ast.InputDecl():
                result = self._inputs.make_input(node, "", scope)
            case ast.ParamDecl():
                result = self._constants().make_param(node, scope)
            case ast.TableDecl():
                result = self._constants().make_table(node, scope)
            case ast.StoredTableDecl():
                result = self._constants().make_stored_table(node, scope)
            case _:
                raise TypeError(f"no operand: {node}")
        self.session.index.record_stage(node.span, result)
        return result

    def _run_binary(self, node: ast.TensorBinary, scope: Scope) -> Operand:
        """`a + b + c ...`: a loop rather than recursion, so that the length of a chain is not limited."""
        chain = [node]
        while isinstance(chain[-1].left, ast.TensorBinary):
            chain.append(chain[-1].left)
        first = chain[-1]
        value: Operand = self.recover(scope, self.run_operand, first.left, scope)
        # `input 3 * 224` was meant as a shape, but parses as an input that is multiplied.
        if isinstance(first.left, ast.InputDecl) and isinstance(first.right, ast.Scalar) and first.op == "*":
            self.session.report_problem(InputScaled(first.right.span.text), first.span)
        for step in reversed(chain):
            right = self.recover(scope, self.run_operand, step.right, scope)
            value = self.recover(scope, emit_infix, step, value, right, scope, self.session)
        return value

    def _run_apply(self, node: ast.Apply, scope: Scope) -> Operand:
        """A name, perhaps with arguments: a tensor, a constant, an item of a list, a function call, a dimension, or a stage on `in`."""
        if is_called_on_tensors(node, scope):
            return self.interpreter.run_stage(*self._calls.split_call(node, scope), scope)
        bound = scope.use_binding(node.name)
        value = self._functions.value_of(bound) if bound is not None else None
        # Only a bare name can be a tensor; with arguments it is a stage or an item.
        bare = not node.positional and not node.keywords and node.label is None and node.activation is None
        if isinstance(value, (Value, TensorTuple, AbsentTensor, Unknown, *CONST_TYPES)) and (bare or _as_item(node) is not None):
            self.session.index.record_name(node.name_span, node.name, bound)
        if isinstance(value, AbsentTensor):
            raise Failure(TensorNotGiven(node.name), node.name_span)
        if bare and isinstance(value, (Value, TensorTuple, Unknown, *CONST_TYPES)):
            return value
        if isinstance(value, CONST_TYPES) and (item := _as_item(node)) is not None:
            return cast(Operand, self.interpreter.evaluate(item, scope))
        if isinstance(value, TensorTuple) and value.extras is None and (item := _as_item(node)) is not None:
            return self._tuple_element(value, item, scope)
        if bare and bound is None and node.name in NONFINITE_CONSTANTS:
            return NONFINITE_CONSTANTS[node.name]
        if bare and bound is None and (node.name in self.session.dims or node.name in CONSTANTS):
            return cast(Operand, self.interpreter.evaluate(ast.Name(node.name_span, node.name), scope))
        if node.called and (isinstance(value, FnDef) or (bound is None and node.name in BUILTINS)):
            return self._call_function(node, scope)
        if makes_tensors(node.name, scope):
            return self.interpreter.run_stage(node, TensorTuple(()), scope)
        if bare and bound is None and node.name != "in" and node.name not in Operator.registry:
            raise self._unknown_name(node, scope)
        return self._run_on_body_input(node, scope)

    def _tuple_element(self, several: TensorTuple, item: ast.IndexExpr, scope: Scope) -> Value:
        """`keys[0]`, `keys[-1]`: a tensor of a tuple."""
        index = self.interpreter.evaluate(item.index, scope)
        if isinstance(index, bool) or not isinstance(index, int):
            raise Failure(NotANumber("the index of a tensor in a tuple", "an integer", format_value(index)), item.index.span)
        self.session.decisions.pin_value(index)
        if not -len(several.values) <= index < len(several.values):
            raise Failure(BadListIndex(index, len(several.values)), item.index.span)
        return several.values[index]

    def _call_function(self, node: ast.Apply, scope: Scope) -> Operand:
        if node.activation is not None:
            raise surplus_argument(node.name, len(node.positional), node.activation, extra_argument_hint(node.activation, node))
        call = ast.Call(node.span, ast.Name(node.name_span, node.name), node.positional, node.keywords)
        return cast(Operand, self.interpreter.evaluate(call, scope))

    def _unknown_name(self, node: ast.Apply, scope: Scope) -> Failure:
        later = scope.find_later(node.name, node.name_span)
        if later is not None:
            return Failure(UnknownName(node.name, later=True), node.name_span, ((later, "defined here"),))
        names = (n for known in (Operator.registry, scope.visible_names()) for n in known if n != "in")
        candidates = self.session.similar_names(node.name, names)
        return Failure(UnknownName(node.name, candidates, hint_in_training(node, candidates, self.session)), node.name_span)

    def _run_on_body_input(self, node: ast.Apply, scope: Scope) -> Flow:
        """A stage without a head, on the input of the body."""
        if scope.use_binding("in") is None and node.name != "in":
            self._stages.resolve_stage(node, scope)  # which reports a name that is no stage
        return self._run_on_input(node, node.name, scope)

    def _run_on_input(self, node: ast.Tensor, name: str, scope: Scope) -> Flow:
        flow: Binding | None = scope.use_binding("in")
        if flow is not None:
            return self.interpreter.run_stage(node, flow.value, scope)  # type: ignore[arg-type]
        if isinstance(node, ast.Apply) and node.called and node.positional:
            self.interpreter.evaluate(node.positional[0], scope)  # which reports the name of a tensor that is not defined
        span = node.name_span if isinstance(node, ast.Apply) else node.span
        binding_and_scope = scope.find_binding(name)
        block = (
            binding_and_scope[0].value.node if binding_and_scope is not None and isinstance(binding_and_scope[0].value, BlockDef) else None
        )
        idle = isinstance(block, ast.Block) and not declared_tensors(block)
        around = scope.frame.graph if scope.frame is not None else None
        inside = around.name if around is not None and around.kind == "block" and name == "in" else ""
        raise Failure(NoIn(inside=inside) if name == "in" else NoIn(name, block=idle), span)


def _as_item(node: ast.Apply) -> ast.IndexExpr | None:
    """`xs[0]`: to the grammar a stage with a list directly after its name, to a reader an item of `xs`."""
    match node.positional:
        # Without a space between them: `xs [0]` is a stage with a list.
        case (ast.ListExpr(span, (item,)),) if span.start == node.name_span.end and not (node.keywords or node.label or node.activation):
            return ast.IndexExpr(node.span, ast.Name(node.name_span, node.name), item)
    return None
