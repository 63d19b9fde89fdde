"""Make nodes for operators that no text has written.

In: operators by name, with tensors and arguments. Out: nodes in order, with the types that the operators' own rules infer.

    >>> import netc
    >>> program = netc.compile("x = input 3; y = x -> exp").program
    >>> stages = GraphStages(program.facts, program.main.span)
    >>> stages.scale(stages.apply("neg", program.main.inputs[0]), 2.0)
    <value: [N, 3]>
    >>> [node.op.name for node in stages.nodes]
    ['neg', 'mul']
"""

from __future__ import annotations

from typing import Any

from netc.dsl.source import Span

from ..dims import Dim, Facts
from ..ir.graph import Node, OpNode
from ..ir.graph_values import Value
from ..ops.constants import TableOperator
from ..ops.formula import Const, Formula
from ..ops.operator import Operator
from ..types.tensor_types import INT64, Shape


class GraphStages:
    """Nodes under construction. `prefix` begins their labels, which must be unique in the graph."""

    def __init__(self, facts: Facts, span: Span, prefix: str = "gradient") -> None:
        self.facts, self.span, self.prefix = facts, span, prefix
        self.nodes: list[Node] = []

    def apply(self, name: str, *inputs: Value, **arguments: Any) -> Value:
        """Add a stage of one result."""
        return self.apply_operator(Operator.registry[name](**arguments), *inputs)

    def apply_operator(self, op: Operator, *inputs: Value) -> Value:
        (type_,) = op.check_and_infer(op.bind_inputs(tuple(value.type for value in inputs), self.facts))
        result = Value(type_, self.span)
        self.nodes.append(OpNode(op, inputs, (result,), f"{self.prefix}_{len(self.nodes)}", self.span, ()))
        return result

    def scale(self, x: Value, factor: float) -> Value:
        """Multiply by a number."""
        return x if factor == 1 else self.apply("neg", x) if factor == -1 else self.apply("mul", x, other=factor)

    def fill_like(self, x: Value, number: float) -> Value:
        """Make a tensor with the type of another one, in which each element is the number."""
        table = self.apply_operator(TableOperator(indices=(), shape=(), dtype=x.type.dtype, formula=Const(number)))
        return self.expand(table, x.type.shape)

    def expand(self, x: Value, shape: Shape) -> Value:
        """Repeat a tensor along axes of size 1, and along new ones in front."""
        return x if x.type.shape == shape else self.apply("expand", x, shape=shape)

    def make_table(self, formula: Formula, shape: Shape, like: Value | None = None) -> Value:
        """Make a tensor by a formula of its indices: integers, or the element type of another tensor."""
        dtype = INT64 if like is None else like.type.dtype
        return self.apply_operator(TableOperator(indices=("i", "j")[: len(shape)], shape=shape, dtype=dtype, formula=formula))

    def place(self, x: Value, axis: int, start: Dim, size: Dim) -> Value:
        """Put a part of an axis where it was, among zeros, along an axis of the given size. What does not fit is cut off."""
        ends = (start, size - start - x.type.shape[axis])
        if ends == (0, 0):
            return x
        return self.apply("pad", x, padding=(*(0, 0) * (x.type.rank - 1 - axis), *ends))

    def resize(self, x: Value, axis: int, size: Dim) -> Value:
        """Give an axis another size: append zeros, or cut off the end."""
        return self.place(x, axis, 0, size)

    def flatten_rows(self, x: Value) -> Value:
        """Make a matrix of all vectors along the last axis."""
        if x.type.rank == 1:
            return self.apply("unsqueeze", x, axis=0)
        return self.apply("flatten", x, start=0, end=-2) if x.type.rank > 2 else x

    def reshape(self, x: Value, shape: Shape) -> Value:
        return x if x.type.shape == shape else self.apply("reshape", x, shape=shape)

    def sum_to(self, x: Value, shape: Shape) -> Value:
        """Add up the axes along which a tensor of this shape was broadcast."""
        more = x.type.rank - len(shape)
        kept = x.type.shape[more:]
        axes = [*range(more), *(more + i for i, (size, wide) in enumerate(zip(shape, kept, strict=True)) if size != wide)]
        return self.reshape(self.apply("sum", x, axis=tuple(axes)), shape) if axes else x
