"""Values: what expressions and stages evaluate to.

Compile-time values are plain Python: int, float, bool, str, SymDim, DType, `Init`, and tuples of them. Tensors are the graph's `Value`s;
a `TensorTuple` holds several. `UNKNOWN` is the result of anything that failed and has been reported: it suppresses follow-up errors.
"""

from __future__ import annotations

from typing import Any

from netc.dsl import ast
from netc.dsl.record import Record
from netc.dsl.source import Span

from ...dims import SymDim
from ...ir.graph import OpNode, Value
from ...ir.types import DType
from ...ops.base import Init, Operator


class Unknown:
    """The result of something that has been reported already."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


class TensorTuple:
    """Several tensors: a tuple, or the results of an operator. With `extras`, a consumer gets only the first unless all are unpacked."""

    __slots__ = ("extras", "values")

    def __init__(self, values: tuple[Value, ...], extras: OpNode | None = None) -> None:
        self.values = values
        self.extras = extras


Const = int | float | bool | str | SymDim | DType | Init | tuple["Const", ...]
Flow = Value | TensorTuple | Unknown
Operand = Flow | Const
CONST_TYPES = (int, float, str, SymDim, DType, Init, tuple)


class OperatorRef(Record):
    """An operator as a value, such as the argument of `activation=relu`: a name bound to it can be used as a stage."""

    operator: str


class ConstExpr(ast.Expr):
    """An evaluated value where the syntax tree has an expression."""

    value: Any


class TrailingActivation(Record):
    """The activation written after a stage's arguments, with its span."""

    op: Operator
    span: Span


def tensors(flow: Flow) -> list[Value] | None:
    """The tensors of a flow; None if they are unknown. Extra results that were not unpacked are dropped from the node itself."""
    if isinstance(flow, Unknown):
        return None
    if isinstance(flow, Value):
        return [flow]
    if flow.extras is not None:
        flow.extras.outputs = flow.extras.outputs[:1]
        return [flow.values[0]]
    return list(flow.values)


def main_result(flow: Flow) -> Flow:
    """What a single name or `in` is bound to: of an operator with extra results, the main one."""
    if isinstance(flow, TensorTuple) and flow.extras is not None:
        return (tensors(flow) or [])[0]
    return flow
