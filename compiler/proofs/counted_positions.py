"""Stages whose values depend on the number of positions, or on the index of one.

They mix no positions, but the results for a batch change if it is divided: `x / N`, and `table (n, i) [N, 8] = n`.
"""

from __future__ import annotations

from collections.abc import Sequence

from netc.dsl.record import replace

from ..analysis.sample_dependence import collect_size_symbols
from ..ops.constants import TableOperator
from ..ops.formula import Const, find_indices, iterate_parts
from ..ops.operator import Operator
from ..types.tensor_types import Shape
from .abstract_tensors import AbstractTensor
from .element_facts import Fact, drop_constant_dependence
from .tensor_positions import Positions


def counts_positions(op: Operator, whole: Shape) -> bool:
    """Whether values, and not only a shape, depend on the sizes `whole`, or on an index along them."""
    numbers = op.numbers if op.pointwise else op.scalars
    if isinstance(op, TableOperator):
        constants = [part.value for part in iterate_parts(op.formula) if isinstance(part, Const)]
        numbers = (*constants, *(op.shape[axis] for axis in find_indices(op.formula)))
    return not collect_size_symbols(whole).isdisjoint(collect_size_symbols(tuple(numbers)))


def depend_on_count(positions: Positions, tensor: AbstractTensor) -> AbstractTensor:
    """Return a tensor whose elements depend on all positions, unless they are constant."""

    def add_dependence(facts: Sequence[Fact]) -> Fact:
        (fact,) = facts
        return drop_constant_dependence(replace(fact, depends=fact.depends | positions.relation.anything))

    return positions.combine([tensor], add_dependence)
