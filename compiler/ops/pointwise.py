"""Operators that make one number of each number: the base of activations and of arithmetic on one tensor.

In: a tensor of any shape whose element type is of one of the kinds in `takes`. Out: a tensor of the same shape. Always: the element type
stays, or integers become float32 where `promotes` is set, as in PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, trunc
from typing import ClassVar

from ..dims import SymDim, bounds
from ..errors.arithmetic import NeedsNumber, NumberConverted, ScalarDoesNotFit
from ..errors.base import Place, Problem, argument, input_
from ..errors.operators import NeedsFloat
from ..types import BOOL, FLOAT32, DType, TensorType
from .base import Given, Operator, Refusal
from .promotion import Scalar

FLOATS: tuple[str, ...] = ("float",)
NUMBERS: tuple[str, ...] = ("float", "int", "uint")
ANYTHING: tuple[str, ...] = ("float", "int", "uint", "bool")
SIZE_BYTES = 4
"""An integer type of so many bytes is taken to hold every size that an axis may have."""


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


def held(value: Scalar, dtype: DType) -> Scalar | None:
    """An argument as PyTorch converts it to the element type; None if that does not hold it.

    Of an integer type a fraction loses what is behind the point, and an unsigned one counts negative integers from its end.
    """
    if isinstance(value, SymDim):
        return value
    if dtype == BOOL:
        return bool(value)
    low, high = dtype.limits
    if dtype.is_float:
        return float(value) if low <= value <= high or not isfinite(value) else None
    if dtype.kind == "uint" and isinstance(value, int):
        low = -high
    return wrapped(trunc(value), dtype) if low <= value <= high else None


def wrapped(value: Scalar, dtype: DType) -> Scalar:
    """A number beside an operator: of an integer that the integer type does not hold, the last bits stay."""
    if not dtype.is_integer or not isinstance(value, int):
        return value
    low, high = (int(end) for end in dtype.limits)
    return (value - low) % (high - low + 1) + low


def computed(dtype: DType) -> DType:
    """What PyTorch computes in: of half types, float32."""
    return FLOAT32 if dtype.is_float and dtype.size == 2 else dtype


def refuse_unless_held(operator: str, x: TensorType, value: Scalar | None, name: str) -> None:
    """Refuses an argument that the element type of `x` does not hold."""
    if value is not None and held(value, x.dtype) is None:
        raise Refusal(ScalarDoesNotFit(operator, str(value), x), argument(name))


def refuse_outside(operator: str, x: TensorType, value: Scalar, name: str) -> None:
    """Refuses a bound outside the element type of `x`, or that may be once its sizes are known; also a negative one of an unsigned type,
    which some versions of PyTorch count from the type's end and others take as no bound."""
    if isinstance(value, SymDim):
        outside = x.dtype.is_integer and x.dtype.size < SIZE_BYTES and not _surely_held(value, x.dtype)
    else:
        outside = held(value, x.dtype) is None or (x.dtype.kind == "uint" and value < 0)
    if outside:
        raise Refusal(ScalarDoesNotFit(operator, str(value), x), argument(name))


def _surely_held(value: SymDim, dtype: DType) -> bool:
    (low, high), (least, greatest) = bounds(value), dtype.limits
    return low is not None and high is not None and least <= low and high <= greatest


def changed(operator: str, x: TensorType, taken: Mapping[str, tuple[Scalar | None, Scalar | None]]) -> tuple[tuple[Problem, Place], ...]:
    """Warnings about integers that are not what was written: of each argument, that and what it comes to."""
    if not x.dtype.is_integer:
        return ()
    different = {name: pair for name, pair in taken.items() if pair[0] != pair[1]}
    return tuple((NumberConverted(operator, str(old), str(new), x), argument(name)) for name, (old, new) in different.items())


def held_otherwise(operator: str, x: TensorType, **values: Scalar | None) -> tuple[tuple[Problem, Place], ...]:
    """The same of arguments that are `held`."""
    return changed(operator, x, {name: (v, None if v is None else held(v, x.dtype)) for name, v in values.items()})
