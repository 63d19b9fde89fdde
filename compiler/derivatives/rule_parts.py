"""The type of a rule, and what several rules need.

A rule takes a node and the gradient by its result, and gives the gradients by its inputs as further stages.

    >>> list_axes(None, 3), list_axes(-1, 3), list_axes((0, -1), 3), list_axes(0, 0)
    ([0, 1, 2], [2], [0, 2], [])
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

from ..dims import Dim
from ..ir.graph import OpNode
from ..ir.graph_values import Value
from ..ops.parameter_of import ParameterOf
from ..types.tensor_types import Shape, promote_types
from .graph_stages import GraphStages

Gradients = Mapping[int, Value | None]
"""The gradients by the numbers of the inputs: None if it is zero. The rule does not cover an input without an entry."""
Rule = Callable[[GraphStages, OpNode, Value], Gradients]
JointRule = Callable[[GraphStages, OpNode, Sequence[Value]], Gradients]
"""A rule for an operator with several results, by whose gradients it is called."""


def make_mask(s: GraphStages, comparison: str, x: Value, other: Value | float) -> Value:
    """1 where the comparison holds, else 0, in the float type of the two."""
    if not isinstance(other, Value):
        return s.apply("cast", s.apply(comparison, x, other=other), dtype=x.type.dtype)
    return s.apply("cast", s.apply(comparison, x, other), dtype=promote_types(x.type.dtype, other.type.dtype))


def list_axes(axis: Any, rank: int) -> list[int]:
    """The axes of a reduction, from the front. A tensor without axes has none, whatever the argument says."""
    axes = range(rank) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return [int(a) % rank for a in axes] if rank else []


def list_kept(node: OpNode) -> Shape:
    """List the sizes of the result of a reduction as if it had kept its axes."""
    x = node.inputs[0]
    axes = list_axes(node.op.args["axis"], x.type.rank)
    return tuple(1 if axis in axes else size for axis, size in enumerate(x.type.shape))


def repeat_reduced(s: GraphStages, node: OpNode, g: Value) -> Value:
    """Give each element that was reduced the gradient of the result."""
    return s.expand(s.reshape(g, list_kept(node)), node.inputs[0].type.shape)


def divide_by_count(s: GraphStages, x: Value, like: Value, axes: Sequence[int], less: float = 0) -> Value:
    """Divide by the number of elements along the axes of another tensor, which may be known at run time only."""
    sizes = [like.type.shape[axis] for axis in axes]
    if all(isinstance(size, int) for size in sizes):
        return s.apply("div", x, other=float(prod(int(str(size)) for size in sizes)) - less)
    count = s.apply("sum", s.fill_like(like, 1.0), axis=tuple(axes), keepdim=True)
    return s.apply("div", x, s.apply("sub", count, other=less) if less else count)


def read_weight(s: GraphStages, node: OpNode) -> Value | None:
    """The weight of a node: its input, or its parameter as a tensor. None for a use of a shared stage, whose parameters are elsewhere."""
    names = node.op.bind_inputs(tuple(value.type for value in node.inputs), s.facts).names
    if "weight" in names:
        return node.inputs[names.index("weight")]
    if node.shared is not None:
        return None
    spec = next(spec for spec in node.specs if spec.name == "weight")
    return s.apply_operator(ParameterOf(path=node.label, parameter="weight", shape=spec.shape, dtype=spec.dtype))


def replace_size(shape: Shape, axis: int, size: Dim) -> Shape:
    return (*shape[:axis], size, *shape[axis + 1 :])
