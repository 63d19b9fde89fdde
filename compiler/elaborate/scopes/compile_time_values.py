"""Values: what expressions and stages evaluate to.

Compile-time values are plain Python: int, float, bool, str, SymDim, DType, `Init`, and tuples of them. Tensors are the graph's `Value`s;
a `TensorTuple` holds several. `UNKNOWN` is the result of anything that failed and has been reported: it suppresses follow-up errors.

    >>> from netc.dsl.source import SourceFile
    >>> from ...types.tensor_types import FLOAT32, TensorType
    >>> x = Value(TensorType(FLOAT32, (2, 3)), Span(SourceFile("", ""), 0, 0), "x")
    >>> flow_of((x,)), tensors_of(flow_of((x, x))), tensors_of(UNKNOWN)
    (<x: [2, 3]>, [<x: [2, 3]>, <x: [2, 3]>], None)
"""

from __future__ import annotations

from typing import Any

from netc.dsl import ast
from netc.dsl.record import Record
from netc.dsl.source import Span

from ...dims import SymDim
from ...errors.structure_errors import ModesDiffer
from ...ir.graph import Node, OpNode
from ...ir.graph_values import JoinedTuple, Parts, TupleSlice, Value, find_list, flatten_parts
from ...ops.operator import Init, Operator
from ...types.tensor_types import DType
from .early_exits import Failure


class Unknown:
    """The result of something that has been reported already."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


class TensorTuple:
    """Several tensors: a tuple, or the results of an operator or a `scan`. With `extras`, the node that made them, a consumer gets only
    the first `main` ones unless more are unpacked.

    `parts` are the same tensors with what is known of the tuples that they are from. Only such a tuple may have one tensor or none.
    `training`: the tensors in training, if they differ in number or in type. Only the result of a model may differ.
    """

    __slots__ = ("extras", "main", "parts", "training", "values")

    def __init__(self, parts: Parts, extras: Node | None = None, main: int = 1, training: Parts | None = None) -> None:
        self.training = training
        self.parts = parts
        self.values = flatten_parts(parts)
        self.extras = extras
        self.main = main


class DimsTuple(tuple[Any, ...]):
    """The value of a dims literal, such as `3x32x32`: a list of integers that remembers how it was written.

    An `input 3x32x32` is an image and an `input [3, 32, 32]` is not, also where a name or a parameter stands for the shape. In all other
    respects the value is the list. A value that is computed from it, such as a slice, is a plain tuple.
    """

    __slots__ = ()


class AbsentTensor(Record):
    """An optional tensor of a block, where a use does not give it."""

    name: str


Const = int | float | bool | str | SymDim | DType | Init | tuple["Const", ...]
Flow = Value | TensorTuple | Unknown
Operand = Flow | Const
# A bool is an int in Python.
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


def differs_in_training(flow: Flow) -> bool:
    """Whether a result differs in training."""
    return isinstance(flow, TensorTuple) and flow.training is not None


def require_same_in_modes(flow: Flow, span: Span) -> Flow:
    """Refuse a result that differs in training, at its use."""
    if isinstance(flow, TensorTuple) and flow.training is not None:
        training, evaluation = (tuple(v.type for v in flatten_parts(parts)) for parts in (flow.training, flow.parts))
        raise Failure(ModesDiffer(training, evaluation), span)
    return flow


def tensors_of(flow: Flow) -> list[Value] | None:
    """The tensors of a flow; None if they are unknown. Extra results that were not unpacked are dropped from the node itself."""
    if isinstance(flow, Unknown):
        return None
    if isinstance(flow, Value):
        return [flow]
    if flow.extras is not None:
        # Dropped here, at the first consumer, because only then it is known that nothing unpacks them.
        keep_results(flow.extras, flow.main)
        return list(flow.values[: flow.main])
    return list(flow.values)


def parts_of(flow: Flow) -> Parts | None:
    """Return the tensors of a flow with the tuples that they are from; None if they are unknown."""
    values = tensors_of(flow)
    return None if values is None else flow.parts if isinstance(flow, TensorTuple) and flow.extras is None else tuple(values)


def flow_of(parts: Parts) -> Flow:
    """The tensors as one flow: a tensor alone is no tuple."""
    return parts[0] if len(parts) == 1 and isinstance(parts[0], Value) else TensorTuple(parts)


def drop_empty_tuples(flow: Flow) -> Flow:
    """Drop empty tuples, which only loops return."""
    if isinstance(flow, TensorTuple) and flow.extras is None:
        return flow_of(tuple(part for part in flow.parts if isinstance(part, Value) or part.values))
    return flow


def join_trailing_tuple(flow: Flow, key: tuple[int, int], lead: int | None) -> Flow:
    """Join the tensors after the first ones of the result of an `if` into one tuple, if one of them is a tuple. `lead`: the number of
    tensors before the tuple in all branches, if it is known."""
    lead_count = count_leading(flow.parts) if isinstance(flow, TensorTuple) and flow.extras is None and flow.training is None else None
    if lead_count is None or not isinstance(flow, TensorTuple) or any(find_list((part,)) for part in flow.parts):
        return flow
    first = lead_count if lead is None else min(lead, lead_count)
    return TensorTuple((*flow.parts[:first], TupleSlice(JoinedTuple(flow.parts[first:], key))))


def count_leading(parts: Parts) -> int | None:
    """The number of tensors before the first tuple, if there is one."""
    return next((i for i, part in enumerate(parts) if isinstance(part, TupleSlice)), None)


def drop_ends(parts: Parts, front: int, back: int) -> Parts:
    """The parts without that many tensors at the ends."""
    return split_parts(parts, front, back)[1]


def split_parts(parts: Parts, before: int, after: int) -> tuple[tuple[Value, ...], Parts, tuple[Value, ...]]:
    """The first `before` tensors, those between as parts, and the last `after`."""
    middle, first, last = list(parts), list[Value](), list[Value]()
    while len(first) < before:
        match middle.pop(0):
            # A slice may be empty, so it is looked into before it counts.
            case TupleSlice(of, front, back) as part:
                if part.values:
                    first.append(part.values[0])
                    middle.insert(0, TupleSlice(of, front + 1, back))
            case value:
                first.append(value)
    while len(last) < after:
        match middle.pop():
            case TupleSlice(of, front, back) as part:
                if part.values:
                    last.insert(0, part.values[-1])
                    middle.append(TupleSlice(of, front, back + 1))
            case value:
                last.insert(0, value)
    return tuple(first), tuple(middle), tuple(last)


def main_result(flow: Flow) -> Flow:
    """Return the value that a single name or `in` is bound to: of an operator with extra results, the main one."""
    if isinstance(flow, TensorTuple) and flow.extras is not None:
        return flow_of(tuple(tensors_of(flow) or ()))
    return flow


def keep_results(node: Node, count: int) -> None:
    """Drops the results of an operator that nothing takes. Results of a `scan` stay."""
    if isinstance(node, OpNode):
        node.outputs = node.outputs[:count]
