"""Operators that make one number of each number: the base of activations and of arithmetic on one tensor.

In: a tensor of any shape whose element type is of one of the kinds in `takes`. Out: a tensor of the same shape. Always: the element type
stays, or integers become float32 where `promotes` is set, as in PyTorch.
"""

from __future__ import annotations

from typing import ClassVar

from ..errors.arithmetic import NeedsNumber, ScalarDoesNotFit
from ..errors.base import argument, input_
from ..errors.operators import BadArgument, NeedsFloat
from ..types import FLOAT32, DType, TensorType
from .base import Given, Operator, Refusal

FLOATS: tuple[str, ...] = ("float",)
NUMBERS: tuple[str, ...] = ("float", "int", "uint")
ANYTHING: tuple[str, ...] = ("float", "int", "uint", "bool")


class Pointwise(Operator):
    """See the module's docstring."""

    takes: ClassVar[tuple[str, ...]] = FLOATS
    promotes: ClassVar[bool] = False

    def infer(self, given: Given) -> tuple[TensorType, ...]:
        x = given[0]
        refuse_unless(self.name, x, self.takes)
        return (x if x.dtype.is_float or not self.promotes else x.with_dtype(FLOAT32),)


def refuse_unless(operator: str, x: TensorType, takes: tuple[str, ...], index: int = 0) -> None:
    """Refuses an element type that is of none of the kinds."""
    if x.dtype.kind in takes:
        return
    problem = NeedsFloat(operator, x) if takes == FLOATS else NeedsNumber(operator, x)
    raise Refusal(problem, input_(index))


def refuse_unless_fits(operator: str, x: TensorType, scalar: object, name: str) -> None:
    """Refuses an argument that the integer type of `x` would wrap around."""
    if x.dtype.is_integer and isinstance(scalar, int) and not fits(scalar, x.dtype):
        raise Refusal(ScalarDoesNotFit(operator, str(scalar), x), argument(name))


def refuse_unless_whole(operator: str, x: TensorType, scalar: float, name: str) -> None:
    """Refuses an argument that is used in the integer type of `x` and would lose its fraction or wrap around."""
    if not x.dtype.is_integer:
        return
    if scalar != int(scalar):
        needed = f"must be an integer for {x.dtype} tensors"
        raise Refusal(BadArgument(operator, name, str(scalar), needed, "convert the tensor with `-> cast float32` before"), argument(name))
    refuse_unless_fits(operator, x, int(scalar), name)


def fits(value: int, dtype: DType) -> bool:
    """Whether an integer type holds the value."""
    bits = 8 * dtype.size
    low, high = (0, 1 << bits) if dtype.kind == "uint" else (-1 << (bits - 1), 1 << (bits - 1))
    return low <= value < high
