"""Stages whose values depend on the number of positions, or on the index of one.

They mix no positions, but the results for a batch change if it is divided: `x / N`, `table (n, i) [N, 8] = n`, and the sum over the first
axis of `table (n, i) [N, 8] = 1`.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from ..analysis.sample_dependence import collect_size_symbols
from ..dims import Dim, Facts
from ..ops.constants import TableOperator
from ..ops.formula import Const, find_indices, iterate_parts
from ..ops.indexing import Tril, Triu
from ..ops.operator import Operator
from ..ops.shape import Expand, Reshape, Unflatten
from ..ops.slicing import Pad, Slice
from ..types.tensor_types import Shape

_MOVING = (Reshape, Unflatten, Expand, Slice, Pad)
"""Operators whose arguments are sizes and indices, which only say where elements go. The rules of these operators follow them."""


def counts_positions(op: Operator, whole: Shape, shapes: Iterable[Shape] = ()) -> bool:
    """Whether values, and not only a shape, depend on the sizes `whole`, or on an index along them. `shapes`: of the inputs."""
    numbers = op.scalars if isinstance(op, _MOVING) or not op.operands else op.numbers
    if isinstance(op, TableOperator):
        constants = [part.value for part in iterate_parts(op.formula) if isinstance(part, Const)]
        numbers = (*constants, *(op.shape[axis] for axis in find_indices(op.formula)))
    if isinstance(op, Tril | Triu):
        # What is 0 follows from the indices along these axes.
        numbers = (*numbers, *(shape[-2:] for shape in shapes))
    return contains_count(numbers, whole)


def contains_count(sizes: Iterable[object], whole: Shape) -> bool:
    """Whether one of the sizes contains one of the sizes `whole`."""
    return not collect_size_symbols(whole).isdisjoint(collect_size_symbols(tuple(sizes)))


def is_multiple(size: Dim, count: Dim, facts: Facts) -> bool:
    """Whether a size is the number of positions times a size that does not depend on it, as the parts of a batch need for their sizes to
    add up to the size of the batch."""
    quotient = facts.exact_div(size, count)
    return quotient is not None and not contains_count([quotient], (count,))


def measure_ahead(shape: Shape, whole: Shape, facts: Facts) -> Dim | None:
    """The number of elements along all axes before the one that is a multiple of the number of positions; None unless there is one."""
    axes = [axis for axis, size in enumerate(shape) if contains_count([size], whole)]
    if len(axes) != 1 or not is_multiple(shape[axes[0]], whole[0], facts):
        return None
    return prod(shape[: axes[0]], start=1)
