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
    """The common element type; of scalars only, that of the scalars."""
    tensors = tuple(tensors)
    with_axes = [t.dtype for t in tensors if t.rank]
    without = [t.dtype for t in tensors if not t.rank]
    groups = [reduce(promote_types, group) for group in (with_axes, without, [scalar_type(s) for s in scalars]) if group]
    return reduce(_combine_groups, groups)


def scalar_type(scalar: Scalar) -> DType:
    """The element type of a number by itself."""
    if isinstance(scalar, bool):
        return BOOL
    return FLOAT32 if isinstance(scalar, float) else INT64


def _combine_groups(higher: DType, lower: DType) -> DType:
    """The element type of two groups, the first of which decides within its category."""
    if higher.is_float:
        return higher
    return promote_types(higher, lower) if higher == BOOL or lower.is_float else higher
