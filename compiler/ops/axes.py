"""Normalize axes in arguments, which count from the front or, if negative, from the end.

In: the numbers that were written and the type of the tensor. Out: the axes counted from the front. Always: as PyTorch has it, a tensor
without axes is taken to have one.

    >>> from ..types.tensor_types import FLOAT32
    >>> image = TensorType(FLOAT32, (1, 3, 8, 8))
    >>> normalize_axis("sum", -1, image), front_axes("sum", (-1, 1), image)
    (3, (1, 3))
"""

from __future__ import annotations

from collections.abc import Iterable

from ..errors.operator_errors import BadArgument, BadAxis
from ..errors.problem import argument_location
from ..types.tensor_types import TensorType
from .operator import OperatorError


def normalize_axis(operator: str, axis: int, x: TensorType, name: str = "axis") -> int:
    """Count an axis from the front. An error at the argument `name` if `x` does not have the axis."""
    rank = max(x.rank, 1)
    if not -rank <= axis < rank:
        raise OperatorError(BadAxis(operator, axis, x), argument_location(name))
    return axis % rank


def front_axes(operator: str, axes: Iterable[int], x: TensorType, name: str = "axis") -> tuple[int, ...]:
    """Count several axes from the front, and sort them. An error if two of them are the same."""
    axes = tuple(axes)
    front = [normalize_axis(operator, axis, x, name) for axis in axes]
    for index, axis in enumerate(front):
        if axis in front[:index]:
            shown = "[" + ", ".join(str(a) for a in axes) + "]"
            raise OperatorError(BadArgument(operator, name, shown, "must name each axis once"), argument_location(name))
    return tuple(sorted(front))
