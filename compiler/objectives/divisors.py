"""The divisors of the means of an objective: sizes, or counts that operators compute from the data.

In: the values at which an objective is cut. Out: for each, the size that divides its total, or the nodes that compute it.
"""

from __future__ import annotations

from typing import Any

from netc.dsl.record import Record
from netc.dsl.source import Span

from ..dims import Dim, Facts, make_symbol
from ..ir.graph import Node, OpNode
from ..ir.graph_values import Value
from ..ops.operator import Operator
from ..types.tensor_types import BATCH

SUM = 0
"""The count of a sum: it is not divided, in however many parts it is computed."""
ONCE = 1
"""The count of a term that is the same for all samples: each part computes all of it, so it is averaged over the parts."""


class CutPoint(Record):
    """A value at which the objective is cut, and its node, which an input has not. `why`: the reason why the value is not a mean, if it has
    to be treated as one."""

    value: Value
    node: Node | None
    constant: bool = False
    why: str = ""

    @property
    def is_total(self) -> bool:
        """Whether the value is a sum or a mean over samples."""
        return not self.constant and not self.why


class DivisorBuilder:
    """Collects the divisor of each cut, and the nodes that compute the divisors that are not sizes."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.counts: list[Dim | int] = []
        self.is_size: list[bool] = []
        self.nodes: list[OpNode] = []
        self.outputs: list[Value] = []

    def add_cut(self, cut: CutPoint) -> None:
        node = cut.node
        # Not a sum of terms: averaged over the parts (ONCE), or weighted by the number of samples in each.
        if not cut.is_total or not isinstance(node, OpNode):
            self.counts.append(ONCE if cut.constant else make_symbol(BATCH))
            self.is_size.append(True)
            return
        op: Any = node.op
        inputs_of_op = op.bind_inputs(tuple(v.type for v in node.inputs), self.facts)
        count = op.mean_divisor(inputs_of_op) if getattr(op, "is_mean", False) else SUM
        # A plain size, such as the number of elements. A tuple has the operators that compute the divisor, such as
        # the count of labels that are not ignored.
        if not isinstance(count, tuple):
            self.counts.append(count)
            self.is_size.append(True)
            return
        values = dict(zip(op.assign_operands(inputs_of_op.types), node.inputs, strict=True))
        for step in count:
            inputs = tuple(values[name] for name in step.inputs)
            values[step.name] = self._apply_operator(step.op, inputs, node.span)
        self.counts.append(len(self.outputs))
        self.is_size.append(False)
        self.outputs.append(values[count[-1].name])

    def _apply_operator(self, op: Operator, inputs: tuple[Value, ...], span: Span) -> Value:
        (type_,) = op.check_and_infer(op.bind_inputs(tuple(v.type for v in inputs), self.facts))
        result = Value(type_, span)
        self.nodes.append(OpNode(op, inputs, (result,), f"count{len(self.nodes)}", span, ()))
        return result
