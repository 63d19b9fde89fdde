"""Tensors given by name, to blocks and operators: `(q, k, v) -> attention mask=m`, `attention(q, k, v, mask=m)`.

`extract_for_block` and `extract_for_operator` take a stage, and return the stage without these arguments, and the tensors by the names of
their declarations. An optional tensor of the block around that is absent there is absent here.

    >>> import netc
    >>> netc.compile("x = input [4, 8]; m = input [4, 4] bool; (x, x, x) -> attention mask=m").program.main.nodes[0].inputs
    (<x: [N, 4, 8]>, <x: [N, 4, 8]>, <x: [N, 4, 8]>, <m: bool [N, 4, 4]>)
"""

from __future__ import annotations

from netc.dsl import ast
from netc.dsl.record import replace

from ...errors.argument_errors import ArgumentTwice, WrongTensors
from ...errors.binding_errors import NotATensor, TensorNotGiven
from ...ir.graph_values import Parts, flatten_parts
from ...ops.operator import Operator
from ..scopes.compile_time_values import CONST_TYPES, AbsentTensor, parts_of
from ..scopes.early_exits import AlreadyReported, Failure
from ..scopes.scope import Scope
from ..scopes.value_text import format_value
from .block_tensors import declared_tensors
from .call_syntax import CallSyntax, has_tensor
from .evaluator_protocol import EvaluatorPart, Interpreter

Named = dict[str, Parts]


class NamedTensors(EvaluatorPart):
    def __init__(self, interpreter: Interpreter, calls: CallSyntax) -> None:
        super().__init__(interpreter)
        self._calls = calls

    def extract_for_block(self, node: ast.Apply, block: ast.Block, scope: Scope) -> tuple[ast.Apply, Named]:
        """The tensors that a use of a block gives by name."""
        parameters = {p.name.name: p for p in declared_tensors(block)}
        tensors: Named = {}
        for keyword in node.keywords:
            parameter = parameters.get(keyword.name)
            if parameter is None:
                continue
            self.session.index.record_name(keyword.name_span, keyword.name, None, parameter.name.span, "argument")
            self._add_tensor(node, keyword, tensors, scope, parameter.optional, parameter.many)
        return _without_keywords(node, set(parameters)), tensors

    def extract_for_operator(self, node: ast.Apply, cls: type[Operator], scope: Scope) -> tuple[ast.Apply, Named]:
        """The tensors that a use of an operator gives by name. A number for one of them is an argument."""
        if not node.keywords:
            return node, {}
        single = [operand for operand in cls.operands.values() if not operand.many]
        aliases = {alias: operand for operand in single for alias in (operand.name, operand.alias) if alias}
        tensors: Named = {}
        used: set[str] = set()
        for keyword in node.keywords:
            operand = aliases.get(keyword.name)
            # A name may be both an input and an argument: a number is then the argument.
            if operand is None or not (keyword.name not in cls.signature or has_tensor(keyword.value, scope)):
                continue
            self.session.index.record_name(keyword.name_span, keyword.name, None, None, "argument")
            self._add_tensor(node, replace(keyword, name=operand.name), tensors, scope, operand.optional, False)
            used.add(keyword.name)
        # In the order of declaration, whatever order the text has: equal stages then have equal nodes.
        return _without_keywords(node, used), {name: tensors[name] for name in cls.operands if name in tensors}

    def _add_tensor(self, node: ast.Apply, keyword: ast.Keyword, tensors: Named, scope: Scope, optional: bool, many: bool) -> None:
        if keyword.name in tensors:
            raise Failure(ArgumentTwice(node.name, keyword.name), keyword.span)
        if self._is_absent(keyword.value, scope):
            if not optional:
                raise Failure(TensorNotGiven(keyword.value.span.text, keyword.name), keyword.value.span)
            return
        if not has_tensor(keyword.value, scope):
            value = self.interpreter.evaluate(keyword.value, scope)
            raise Failure(NotATensor(format_value(value), _table_help(keyword.name, node.name, value)), keyword.value.span)
        flow = self._calls.evaluate_with_tensors(keyword.value, scope)
        parts = None if isinstance(flow, CONST_TYPES) else parts_of(flow)
        if parts is None:
            raise AlreadyReported
        if len(flatten_parts(parts)) != 1 and not many:
            raise Failure(WrongTensors(f"{keyword.name}=", "one tensor", len(flatten_parts(parts))), keyword.value.span)
        tensors[keyword.name] = parts

    def _is_absent(self, expr: ast.Expr, scope: Scope) -> bool:
        if not isinstance(expr, ast.Name):
            return False
        bound = scope.find_binding(expr.name)
        if bound is None or not isinstance(bound[0].value, AbsentTensor):
            return False
        self.session.index.record_name(expr.span, expr.name, scope.use_binding(expr.name))
        return True


def _without_keywords(node: ast.Apply, names: set[str]) -> ast.Apply:
    if not any(k.name in names for k in node.keywords):
        return node
    return replace(node, keywords=tuple(k for k in node.keywords if k.name not in names))


def _table_help(name: str, operator: str, value: object) -> str:
    """How numbers become the tensor that is needed."""
    needed = f"`{name}` of `{operator}` is a tensor"
    if not (isinstance(value, tuple) and value and all(isinstance(item, (int, float)) for item in value)):
        return needed
    table = f"{name}s = table (i) [{len(value)}] float32 = {format_value(value)}[i]"
    return f"{needed}: write `{table}` on a line before, and here `{name}={name}s`"
