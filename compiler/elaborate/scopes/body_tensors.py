"""Tensors of a body: their copies as inputs of another graph, and the names that a body gives them.

`copy_with_symbols` returns a tensor of the same type, with a symbol for each known size. `name_tensor` and `name_tuple` set the name of a
tensor; a name that the body has already given stays.

    >>> from netc.dsl.source import SourceFile, Span
    >>> from ...types.tensor_types import FLOAT32, TensorType
    >>> outer = Value(TensorType(FLOAT32, (2, 3)), Span(SourceFile("", ""), 0, 0), "x")
    >>> origins = {}
    >>> inner = copy_with_symbols(outer, "layer#0", 0, origins)
    >>> inner, [str(size.origin) for size in inner.type.shape], list(origins)
    (<x: [2, 3]>, ['layer#0[0].0', 'layer#0[0].1'], ['layer#0[0].0', 'layer#0[0].1'])
"""

from __future__ import annotations

from ...ir.graph_values import TupleSlice, Value
from ...ir.traced_floats import trace_argument
from ...types.traced_ints import Origin, TracedInt
from .compile_time_values import TensorTuple


def copy_with_symbols(outer: Value, owner: str, key: object, origins: dict[str, Origin]) -> Value:
    """An input of a graph: the outer tensor, with a symbol for each of its sizes that is known. A size of 1 has one only if it could be
    another: axes of 1 broadcast. `key`: its number among the body's own inputs, or the name of a captured one."""
    inner = copy_tensor(outer)
    shape = list(outer.type.shape)
    for axis, size in enumerate(shape):
        if isinstance(size, TracedInt) or (isinstance(size, int) and size != 1):
            name = f"{owner}[{key}].{axis}"
            shape[axis] = trace_argument(size, name)
            origins[name] = Origin("", int(size), None, None, inner, axis)
    inner.type = outer.type.with_shape(tuple(shape))
    return inner


def copy_tensor(outer: Value) -> Value:
    """A tensor of the same type."""
    return Value(outer.type, outer.span, outer.name, outer.spatial, outer.weak)


def name_tensor(name: str, value: Value, axes: tuple[str, ...] = ()) -> None:
    """Name a tensor and its axes as a body does, unless the body has named the tensor before."""
    # A borrowed name comes from the graph around, and gives way to the first name in this body.
    if not value.name or value.borrowed:
        value.name, value.axes, value.borrowed = name, axes, False


def name_tuple(name: str, value: TensorTuple) -> None:
    """Name the remaining tensors of a tuple, unless the body has named them before."""
    match value.parts:
        case (TupleSlice(of),) if not of.name or of.borrowed:
            of.name, of.borrowed = name, False
