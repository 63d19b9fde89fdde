"""Convert numbers in arguments to the element type of the tensors, as PyTorch does.

In: a number, and an element type. Out: the number with which PyTorch computes; an error if there is none, or a warning if it differs from
the number in the text.

>>> from ..types.tensor_types import DTYPES
>>> cast_scalar(2.9, DTYPES["int32"]), wrap_scalar(300, DTYPES["uint8"]), cast_scalar(300, DTYPES["uint8"])
(2, 44, None)
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, trunc

from ..dims import SymDim, bounds
from ..errors.arithmetic import NumberConverted, ScalarDoesNotFit
from ..errors.problem import Location, Problem, argument_location
from ..types.tensor_types import BOOL, FLOAT32, DType, TensorType
from .operand import OperatorError
from .promotion import Scalar

SIZE_BYTES = 4
"""The number of bytes from which an integer type is assumed to hold every size that an axis may have."""


def cast_scalar(value: Scalar, dtype: DType) -> Scalar | None:
    """Convert an argument to the element type as PyTorch does. None if the type does not hold it.

    An integer type drops the part after the decimal point, and an unsigned one counts negative integers from its end.
    """
    if isinstance(value, SymDim):
        return value
    if dtype == BOOL:
        return bool(value)
    low, high = dtype.limits
    if dtype.is_float:
        return float(value) if low <= value <= high or not isfinite(value) else None
    # `-1` is 255 in uint8, as in C. A float is not wrapped.
    if dtype.kind == "uint" and isinstance(value, int):
        low = -high
    return wrap_scalar(trunc(value), dtype) if low <= value <= high else None


def wrap_scalar(value: Scalar, dtype: DType) -> Scalar:
    """Convert the other operand of an operator symbol. If the integer type does not hold an integer, only its last bits stay."""
    if not dtype.is_integer or not isinstance(value, int):
        return value
    low, high = (int(end) for end in dtype.limits)
    # Arithmetic modulo 2 ** bits, shifted so that the result is in the range of the type.
    return (value - low) % (high - low + 1) + low


def compute_dtype(dtype: DType) -> DType:
    """Return the element type in which PyTorch computes: float32 for half types."""
    return FLOAT32 if dtype.is_float and dtype.size == 2 else dtype


def require_exact_scalar(operator: str, x: TensorType, value: Scalar | None, name: str) -> None:
    """Refuse an argument that the element type of `x` does not hold."""
    if value is not None and cast_scalar(value, x.dtype) is None:
        raise OperatorError(ScalarDoesNotFit(operator, str(value), x), argument_location(name))


def require_bound(operator: str, x: TensorType, value: Scalar, name: str) -> None:
    """Refuse a bound outside the element type of `x`, or one that may be outside it for some sizes. Also refuse a negative bound of an
    unsigned type: some versions of PyTorch count it from the type's end, and others ignore it."""
    if isinstance(value, SymDim):
        outside = x.dtype.is_integer and x.dtype.size < SIZE_BYTES and not _always_fits(value, x.dtype)
    else:
        outside = cast_scalar(value, x.dtype) is None or (x.dtype.kind == "uint" and value < 0)
    if outside:
        raise OperatorError(ScalarDoesNotFit(operator, str(value), x), argument_location(name))


def _always_fits(value: SymDim, dtype: DType) -> bool:
    (low, high), (least, greatest) = bounds(value), dtype.limits
    return low is not None and high is not None and least <= low and high <= greatest


def conversion_warnings(
    operator: str, x: TensorType, pairs: Mapping[str, tuple[Scalar | None, Scalar | None]]
) -> tuple[tuple[Problem, Location], ...]:
    """Make warnings about integers that are converted to other numbers. `pairs` has, for each argument, the number written and the number
    used."""
    if not x.dtype.is_integer:
        return ()
    different = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    return tuple((NumberConverted(operator, str(old), str(new), x), argument_location(name)) for name, (old, new) in different.items())


def scalar_warnings(operator: str, x: TensorType, **values: Scalar | None) -> tuple[tuple[Problem, Location], ...]:
    """Make the warnings for arguments that `cast_scalar` converts."""
    return conversion_warnings(operator, x, {name: (v, None if v is None else cast_scalar(v, x.dtype)) for name, v in values.items()})
