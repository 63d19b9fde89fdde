"""How large things may grow: whole numbers, tensors, symbolic dimensions, lists. Beyond these, a clear error where it happens.

In: a value or a shape, and its place. Out: nothing, or a `Failure`. Always: what passes fits in the integers of the backends, and can be
shown, compared and hashed in no time.
"""

from __future__ import annotations

from typing import Any

from netc.dsl.source import Span

from ..dims import Dim, SymDim, size
from ..errors.structure import LargeDimension, LargeNumber, LargeTensor, TooManyNodes
from ..ir.graph import Value
from ..ir.types import Shape
from .session import MAX_NODES
from .values import Failure, StageClosure

GREATEST = 2**63 - 1
"""The greatest integer of the backends."""
MOST_ELEMENTS = 2**60 - 1
"""The most elements of a tensor: eight bytes each are counted in an integer too."""
MOST_LEAVES = 10_000
"""The longest formula for the size of an axis, in symbols and numbers."""

MOST_TENSORS = 10_000
"""The most tensors of a tuple."""
MOST_STAGES = 1_000
"""The most stages that stand in one another as values."""


def check_number(value: Any, span: Span) -> None:
    """Refuses an integer that no backend holds, alone or in a list."""
    for item in value if isinstance(value, tuple) else (value,):
        if isinstance(item, int) and abs(item) > GREATEST:
            raise Failure(LargeNumber(item, GREATEST), span)


def check_dimension(value: Any, span: Span) -> None:
    """Refuses a symbolic dimension whose formula has grown beyond use."""
    if isinstance(value, SymDim) and size(value) > MOST_LEAVES:
        raise Failure(LargeDimension(MOST_LEAVES), span)


def check_product(left: Dim, right: Dim, span: Span) -> None:
    """The same of a product, before it is worked out."""
    if size(left) * size(right) > 10 * MOST_LEAVES:
        raise Failure(LargeDimension(MOST_LEAVES), span)


def check_tensor(shape: Shape, span: Span) -> None:
    """Refuses a tensor with more elements than can be counted, or with an axis of too long a formula."""
    elements = 1
    for axis in shape:
        if isinstance(axis, int):
            elements *= axis
        else:
            check_dimension(axis, span)
    if elements > MOST_ELEMENTS:
        raise Failure(LargeTensor(shape), span)


def check_list(value: Any, span: Span) -> None:
    """Refuses lists within lists of too many items."""
    if not isinstance(value, tuple) or not any(isinstance(item, tuple) for item in value):
        return
    count = 0
    stack = [value]
    while stack:
        for item in stack.pop():
            count += item.size if isinstance(item, StageClosure) else 1
            if isinstance(item, tuple):
                stack.append(item)
        if count > MAX_NODES:
            raise Failure(TooManyNodes(count, MAX_NODES, "list", "items"), span)


def check_tuple(tensors: tuple[Value, ...], span: Span) -> tuple[Value, ...]:
    """Refuses a tuple of too many tensors, which a loop that doubles them soon makes."""
    if len(tensors) > MOST_TENSORS:
        raise Failure(TooManyNodes(len(tensors), MOST_TENSORS, "tuple", "tensors"), span)
    return tensors


def stages_within(value: Any) -> int:
    """How many stages a value holds as values."""
    if isinstance(value, tuple):
        return sum(stages_within(item) for item in value)
    return value.size if isinstance(value, StageClosure) else 0


def check_partial(partial: StageClosure) -> StageClosure:
    """Refuses a stage as a value in which too many others stand."""
    if partial.size > MOST_STAGES:
        raise Failure(TooManyNodes(partial.size, MOST_STAGES, "stage", "stages"), partial.span)
    return partial
