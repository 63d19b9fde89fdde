"""The element type of an operation on several tensors and numbers, as PyTorch has it (torch.result_type).

In: types of tensors, and scalars. Out: one element type. Always: tensors with axes come first, then those without, then scalars; a later
group counts only if it is of a higher category (bool, integer, float), and a float scalar then makes float32.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

from ..dims import Dim
from ..types.tensor_types import BOOL, FLOAT32, INT64, DType, TensorType, promote_types

Scalar = Dim | float | bool


def result_type(tensors: Iterable[TensorType], scalars: Iterable[Scalar] = ()) -> DType:
    """Return the common element type. Scalars count only if there are no tensors, or if they are of a higher category.

    >>> from ..types.tensor_types import DTYPES
    >>> half, byte = TensorType(DTYPES["float16"], (2,)), TensorType(DTYPES["uint8"], (2,))
    >>> result_type([half], [2.5]), result_type([byte], [2]), result_type([byte], [2.5])
    (float16, uint8, float32)
    """
    tensors = tuple(tensors)
    with_axes = [t.dtype for t in tensors if t.rank]
    without = [t.dtype for t in tensors if not t.rank]
    groups = [reduce(promote_types, group) for group in (with_axes, without, [scalar_type(s) for s in scalars]) if group]
    return reduce(_combine_groups, groups)


def scalar_type(scalar: Scalar) -> DType:
    """Return the element type of a number by itself."""
    # Before the integers, because a bool is an int in Python.
    if isinstance(scalar, bool):
        return BOOL
    return FLOAT32 if isinstance(scalar, float) else INT64


def _combine_groups(higher: DType, lower: DType) -> DType:
    """Combine the element types of two groups. The first group decides within its category."""
    if higher.is_float:
        return higher
    # A lower group never widens within a category: an int8 tensor times 300 stays int8.
    return promote_types(higher, lower) if higher == BOOL or lower.is_float else higher
