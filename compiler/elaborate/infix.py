"""Arithmetic between tensors, and between a tensor and a number. Between two numbers it is compile-time arithmetic."""

from __future__ import annotations

from netc.dsl import ast

from ..errors.values import BadOperand
from ..ops.base import Operator
from .arithmetic import binary, negate
from .operators import add_operator, tensors
from .scope import Scope
from .session import Session
from .values import CONST_TYPES, UNKNOWN, Const, Failure, Flow, Many, Unknown, show_value

Operand = Flow | Const


def _symbols(attribute: str) -> dict[str, type[Operator]]:
    return {symbol: cls for cls in Operator.registry.values() if (symbol := getattr(cls, attribute))}


def infix(node: ast.TensorBinary | ast.Binary, left: Operand, right: Operand, scope: Scope, session: Session) -> Operand:
    """`left op right`."""
    if isinstance(left, CONST_TYPES) and isinstance(right, CONST_TYPES):
        name = ast.Name(node.span, "")
        return binary(ast.Binary(node.span, node.op, name, name), left, right, scope, session)  # type: ignore[no-any-return]
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return UNKNOWN
    assert scope.frame is not None
    cls = _symbols("symbol")[node.op]
    args: dict[str, object] = {}
    inputs = []
    for index, side in enumerate((left, right)):
        if isinstance(side, CONST_TYPES):
            if "other" not in cls.signature or isinstance(side, (str, tuple)):
                raise Failure(BadOperand(node.op, f"a tensor and {show_value(side)}"), node.span)
            args |= {"other": side, "reverse": index == 0}
        else:
            found = tensors(side) or []
            if isinstance(side, Many) and len(found) != 1:
                raise Failure(BadOperand(node.op, f"a tuple of {len(found)} tensors"), node.span)
            inputs += found
    label = scope.frame.namer.ordinal(cls.name, node.span)
    return add_operator(cls(**args), inputs, scope.frame, session, span=node.span, label=label, locate=lambda place: node.span)


def prefix(node: ast.TensorUnary | ast.Unary, value: Operand, scope: Scope, session: Session) -> Operand:
    """`-value`."""
    if isinstance(value, CONST_TYPES):
        return negate(value, node.span)  # type: ignore[no-any-return]
    inputs = tensors(value)
    if inputs is None:
        return UNKNOWN
    if len(inputs) != 1:
        raise Failure(BadOperand(node.op, f"a tuple of {len(inputs)} tensors"), node.span)
    assert scope.frame is not None
    cls = _symbols("prefix_symbol")[node.op]
    label = scope.frame.namer.ordinal(cls.name, node.span)
    return add_operator(cls(), inputs, scope.frame, session, span=node.span, label=label, locate=lambda place: node.span)
