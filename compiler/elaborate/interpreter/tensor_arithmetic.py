"""Arithmetic between tensors, and between a tensor and a number: `a + b`, `1 - x`. Between two numbers it is compile-time arithmetic.

>>> import netc
>>> [node.op.name for node in netc.compile("x = input 3; -x + (1 - x) * (2 + 3)").program.main.nodes]
['neg', 'sub', 'mul', 'add']
"""

from __future__ import annotations

import re

from netc.dsl import ast
from netc.dsl.diagnostics import Edit
from netc.dsl.habits import NUMBERS
from netc.dsl.record import replace
from netc.dsl.source import Span

from ...dims import SymDim
from ...errors.arithmetic import BadNumber
from ...errors.operator_errors import BadArgument
from ...errors.problem import Location, Problem
from ...errors.value_errors import BadOperand
from ...ir.graph_values import Value
from ...ops.families import PREFIXES, SYMBOLS
from ...ops.operator import Operator
from ..elaboration_session import ElaborationSession
from ..resource_limits import check_number
from ..scopes.compile_time_values import CONST_TYPES, UNKNOWN, Flow, Operand, TensorTuple, Unknown, tensors_of
from ..scopes.early_exits import Failure
from ..scopes.scope import GraphFrame, Scope
from ..scopes.value_text import format_value
from ..value_arithmetic import evaluate_binary, negate_value, symbol_span
from .nodes import Locate, NodeText, add_operator

_SCALARS = (int, float, SymDim)
_SUGGESTED = re.compile(r"`(?P<text>\((?P<name>\w+) -> [^`]*\))`$")
Operation = ast.TensorBinary | ast.Binary | ast.TensorUnary | ast.Unary


def emit_infix(node: ast.TensorBinary | ast.Binary, left: Operand, right: Operand, scope: Scope, session: ElaborationSession) -> Operand:
    """`left op right`."""
    if all(isinstance(side, CONST_TYPES) for side in (left, right)):
        plain = ast.Binary(node.span, node.op, _operand_name(node.left), _operand_name(node.right))
        return evaluate_binary(plain, left, right, scope, session)  # type: ignore[no-any-return]
    if any(isinstance(side, Unknown) for side in (left, right)):
        return UNKNOWN
    assert scope.frame is not None
    cls = Operator.registry[SYMBOLS[node.op]]
    args: dict[str, object] = {}
    inputs = []
    number = node.span
    for index, (side, place) in enumerate(((left, node.left.span), (right, node.right.span))):
        if isinstance(side, CONST_TYPES):
            if "other" not in cls.signature or not isinstance(side, _SCALARS):
                shown = ("a tensor", format_value(side)) if index else (format_value(side), "a tensor")
                hint = NUMBERS if isinstance(side, tuple) and all(isinstance(item, (int, float)) for item in side) else ""
                raise Failure(BadOperand(node.op, " and ".join(shown), hint), symbol_span(node))
            check_number(side, place)
            number = place
            # `1 - x` is the operator on `x` with the sides exchanged, so that a number is never a tensor in the graph.
            args |= {"other": side, "reverse": index == 0}
        else:
            inputs += _require_single(node.op, side, place)
    symbol = symbol_span(node)

    def locate(place: Location) -> Span:
        return number if place.kind == "argument" else symbol

    return _add_operation(session.inferences.make_operator(cls, args), node, inputs, scope.frame, session, locate)


def emit_prefix(node: ast.TensorUnary | ast.Unary, value: Operand, scope: Scope, session: ElaborationSession) -> Operand:
    """`-value`."""
    if isinstance(value, CONST_TYPES):
        return negate_value(value, node.span)  # type: ignore[no-any-return]
    _check_operand(node.op, value, node.operand.span)
    inputs = tensors_of(value)
    if inputs is None:
        return UNKNOWN
    if len(inputs) != 1:
        raise Failure(_tuple_operand(node.op, inputs), node.span)
    assert scope.frame is not None
    cls = Operator.registry[PREFIXES[node.op]]
    symbol = Span(node.span.file, node.span.start, node.span.start + len(node.op))
    return _add_operation(session.inferences.make_operator(cls, {}), node, inputs, scope.frame, session, lambda place: symbol)


def _require_single(op: str, side: Flow, span: Span) -> list[Value]:
    """The one tensor of an operand."""
    _check_operand(op, side, span)
    values = tensors_of(side) or []
    if isinstance(side, TensorTuple) and len(values) != 1:
        raise Failure(_tuple_operand(op, values), span, tuple((v.span, f"this is {v.type}") for v in values[:2]))
    return values


def _check_operand(op: str, side: Operand, span: Span) -> None:
    """Refuses a stage, which an expression among the arguments of a call may be."""
    if not isinstance(side, (Value, TensorTuple, Unknown)):
        hint = f"apply it to a tensor, as in `{span.text}(x)`" if span.text.isidentifier() else ""
        raise Failure(BadOperand(op, f"the stage {format_value(side)}", hint), span)


def _tuple_operand(op: str, values: list[Value]) -> BadOperand:
    hint = "unpack them and use one: `(a, b) = ...`" if len(values) == 2 else ""
    return BadOperand(op, f"a tuple of {len(values)} tensors", hint)


def _add_operation(
    op: Operator, node: Operation, inputs: list[Value], frame: GraphFrame, session: ElaborationSession, locate: Locate
) -> Flow:
    """The operator in the graph. Its problems mention the symbol, since the text has no operator name."""
    label = frame.labels.allocate_ordinal(op.name, node.span)
    try:
        return add_operator(op, inputs, frame, session, NodeText(node.span, label, locate))
    except Failure as failure:
        problem = failure.problem
        # The text has an operand, no argument called `other`.
        if isinstance(problem, BadArgument):
            problem = BadNumber(node.op, problem.found, problem.needed, problem.suggestion)
        # The author wrote `+`, and does not know the operator as `add`.
        elif getattr(problem, "operator", None) == op.name:
            problem = replace(problem, operator=node.op)
        edits = failure.edits or _operand_edits(problem, node)
        raise Failure(problem, failure.span, failure.marks, failure.label, edits=edits) from None


def _operand_edits(problem: Problem, node: Operation) -> tuple[Edit, ...]:
    """The operand that is a name, with the stage that the help suggests for it: `(w -> transpose 0 1)`."""
    match = _SUGGESTED.search(getattr(problem, "suggestion", ""))
    sides = [node.left, node.right] if isinstance(node, (ast.TensorBinary, ast.Binary)) else []
    named = [side.span for side in sides if match is not None and side.span.text == match["name"]]
    return (Edit(named[0], match["text"], safe=False),) if match is not None and len(named) == 1 else ()


def _operand_name(side: ast.Node) -> ast.Name:
    """One side as an operand of compile-time arithmetic, whose messages use its name if it has one."""
    return ast.Name(side.span, side.name if isinstance(side, (ast.Apply, ast.Name)) else "")
