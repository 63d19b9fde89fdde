"""The greatest sizes that are accepted: nesting, numbers, tensors, symbolic dimensions, lists. Beyond these, a clear error at its cause.

In: a value or a shape, and its span. Out: nothing, or a `Failure`. Always: what passes fits in the integers of the backends, and can be
shown, compared and hashed quickly.
"""

from __future__ import annotations

from typing import Any

from netc.dsl.source import Span

from ..dims import Dim, SymDim, size
from ..errors.limits import LargeDimension, LargeNumber, LargeTensor, ManyAxes, TooManyNodes
from ..ir.types import Shape
from ..ir.values import Value
from .scopes.failures import Failure
from .scopes.scope import StageClosure

MAX_NESTING = 64
"""The nesting of blocks and groups."""
MAX_NODES = 1_000_000
"""The operators of a program, and the items of a list."""
MAX_STAGES = 20_000
"""The stages that are checked again, in loops and blocks; of equal iterations and of equal uses of a block, those of the first."""
MAX_ITERATIONS = 50_000
"""The iterations of all loops and comprehensions, together."""
MAX_ITEMS = 4_000_000
"""The items of all lists that a spec makes, compares and gives to functions, together."""
MAX_RECURSION = 600
"""The elaborations of blocks inside themselves."""
MAX_DEPTH = 100
"""The nesting of calls of functions and of values that use other values."""
MAX_CALLS = 25_000
"""The calls of functions, together."""
MAX_ERRORS = 1_000
"""The errors after which no further ones are looked for, and the most warnings of names that are not used."""
GREATEST = 2**63 - 1
"""The greatest integer of the backends."""
MOST_ELEMENTS = 2**60 - 1
"""The most elements of a tensor, so that its bytes can be counted in an integer too."""
MOST_AXES = 64
"""The most axes of a tensor that PyTorch reduces."""
MOST_LEAVES = 10_000
"""The longest formula for the size of an axis, in symbols and numbers."""
MOST_TENSORS = 10_000
"""The most tensors of a tuple."""
MOST_STAGES = 1_000
"""The most stages within a stage that is used as a value."""


def check_number(value: Any, span: Span) -> None:
    """Rejects an integer that no backend can hold, alone or in a list."""
    for item in value if isinstance(value, tuple) else (value,):
        if isinstance(item, int) and abs(item) > GREATEST:
            raise Failure(LargeNumber(item, GREATEST), span)


def check_dimension(value: Any, span: Span) -> None:
    """Rejects a symbolic dimension whose formula is too long to be useful."""
    if isinstance(value, SymDim) and size(value) > MOST_LEAVES:
        raise Failure(LargeDimension(MOST_LEAVES), span)


def check_product(left: Dim, right: Dim, span: Span) -> None:
    """The same for a product, before it is computed."""
    if size(left) * size(right) > 10 * MOST_LEAVES:
        raise Failure(LargeDimension(MOST_LEAVES), span)


def check_tensor(shape: Shape, span: Span) -> None:
    """Rejects a tensor with too many elements or axes, or with an axis of too long a formula."""
    if len(shape) > MOST_AXES:
        raise Failure(ManyAxes(len(shape), MOST_AXES), span)
    elements = 1
    for axis in shape:
        if isinstance(axis, int):
            elements *= int(axis)
        else:
            check_dimension(axis, span)
    if elements > MOST_ELEMENTS:
        raise Failure(LargeTensor(shape), span)


def check_list(value: Any, span: Span) -> None:
    """Rejects nested lists with too many items in total."""
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
    """Rejects a tuple of too many tensors, which a loop that doubles them soon produces."""
    if len(tensors) > MOST_TENSORS:
        raise Failure(TooManyNodes(len(tensors), MOST_TENSORS, "tuple", "tensors"), span)
    return tensors


def stages_within(value: Any) -> int:
    """The number of stages that a value contains as values."""
    if isinstance(value, tuple):
        return sum(stages_within(item) for item in value)
    return value.size if isinstance(value, StageClosure) else 0


def check_closure(closure: StageClosure) -> StageClosure:
    """Rejects a stage as a value that contains too many others."""
    if closure.size > MOST_STAGES:
        raise Failure(TooManyNodes(closure.size, MOST_STAGES, "stage", "stages"), closure.span)
    return closure
