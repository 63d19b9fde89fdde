"""What a definition costs: the operations of the operators that it consists of."""

from __future__ import annotations

from ..analysis.model_cost import Totals, summary
from ..ir.graph import Program
from ..ops.operator import Operator, OpInputs
from ..types.tensor_types import TensorType
from .definition_graphs import define


def count_operations(op: Operator, given: OpInputs, results: tuple[TensorType, ...]) -> Totals:
    """The operations for one use of an operator that has a definition."""
    graph = define(op, given.types, results, given.facts)
    return summary(Program(graph, given.facts, ())).totals
