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

from ..dims import Facts
from ..ir.graph import Node, OpNode
from ..ir.graph_values import Value
from ..ops.constants import TableOperator
from ..ops.formula import Const
from ..ops.operator import Operator
from ..types.tensor_types import Shape


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

    def reshape(self, x: Value, shape: Shape) -> Value:
        return x if x.type.shape == shape else self.apply("reshape", x, shape=shape)

    def sum_to(self, x: Value, shape: Shape) -> Value:
        """Add up the axes along which a tensor of this shape was broadcast."""
        more = x.type.rank - len(shape)
        kept = x.type.shape[more:]
        axes = [*range(more), *(more + i for i, (size, wide) in enumerate(zip(shape, kept, strict=True)) if size != wide)]
        return self.reshape(self.apply("sum", x, axis=tuple(axes)), shape) if axes else x
