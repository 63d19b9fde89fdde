"""Exact arithmetic of integers in ONNX.

In: tensors of int32 or int64; divisors that are numbers or tensors. Out: the same results as PyTorch, which wrap around at the ends of the
type. Always: Pow, ReduceSum, ReduceProd and Mod with `fmod=1` are not used, because ONNX Runtime computes them in float64, which loses
digits beyond 2**53. Nothing is divided by -1, because ONNX Runtime's Div and Mod end the process for the least integer divided by -1.

    >>> import netc
    >>> netc.compile("x = input 2 int64; x ** 2").session()([[3, 2**40]]).tolist()
    [[9, 0]]
    >>> netc.compile("x = input 2 int64; x // -1").session()([[-(2**63), 7]]).tolist()
    [[-9223372036854775808, -7]]
"""

from __future__ import annotations

from collections.abc import Sequence

from ...dims import Dim
from ...ops.operator import numel
from ...types.tensor_types import INT64, Shape
from .tensor_expressions import TensorExpr

_BITS = 6
"""The bits of an exponent that are read from a tensor. For exponents above 63, all powers overflow, except the powers of -1, 0 and 1."""


def floor_quotient(x: TensorExpr, divisor: TensorExpr, number: int | None) -> TensorExpr:
    """Return the quotient, rounded down. `number` is the divisor if it is known.

    Div rounds towards zero. Where that rounds up, the quotient times the divisor is beyond `x`, and 1 is subtracted.
    """
    if number == -1:
        return -x
    by = _without_minus_one(divisor, number)
    quotient = x / by
    product = quotient * by
    if number is not None:
        too_great = product.greater(x) if number > 0 else product.less(x)
        return quotient - too_great.cast(x.dtype)
    too_great = by.less(0).choose(product.less(x), product.greater(x))
    return divisor.equal(-1).choose(-x, quotient - too_great.cast(x.dtype))


def floor_remainder(x: TensorExpr, divisor: TensorExpr, number: int | None) -> TensorExpr:
    """Return the remainder of a division that rounds down, which has the sign of the divisor."""
    return x - x if number == -1 else x.op("Mod", _without_minus_one(divisor, number))


def remainder_towards_zero(x: TensorExpr, divisor: TensorExpr, number: int | None) -> TensorExpr:
    """Return the remainder of a division that rounds towards zero, which has the sign of `x`."""
    if number == -1:
        return x - x
    by = _without_minus_one(divisor, number)
    return x - (x / by) * by


def _without_minus_one(divisor: TensorExpr, number: int | None) -> TensorExpr:
    """Return the divisor with 1 in place of -1; the remainder is 0 for both."""
    # ONNX Runtime's Div and Mod end the process for the least integer divided by -1.
    return divisor if number is not None else divisor.equal(-1).choose(divisor.like(1), divisor)


def raise_to_power(base: TensorExpr, exponent: int) -> TensorExpr:
    """Compute a power with a constant exponent by repeated squaring."""
    if exponent < 2:
        # `base - base + 1` is 1 in the shape of the base, even if that is known only at run time.
        return base.op("Identity") if exponent else base - base + 1
    result: TensorExpr | None = None
    while exponent:
        if exponent % 2:
            result = base if result is None else result * base
        exponent //= 2
        base = base * base if exponent else base
    assert result is not None
    return result


def raise_to_tensor(base: TensorExpr, exponent: TensorExpr) -> TensorExpr:
    """Compute a power with a tensor of exponents by repeated squaring.

    PyTorch rounds powers with negative exponents towards 0, so only powers of 1 and -1 are not 0. These depend only on the parity of the
    exponent, which is also used for exponents beyond the bits that are read.
    """
    # An exponent beyond 63 becomes 62 or 63 with the same parity, which gives the same powers of -1, 0 and 1.
    parity, greatest = exponent.op("Mod", exponent.like(2)), 2**_BITS - 1
    bits = exponent.less(0).choose(parity, exponent.greater(greatest).choose(parity + (greatest - 1), exponent))
    # The powers of all other bases with negative exponents are fractions, which round to 0.
    is_fraction = exponent.less(0).op("And", abs(base).equal(1).negation())
    result: TensorExpr | None = None
    for bit in range(_BITS):
        factor = bits.op("Mod", bits.like(2)).equal(1).choose(base, 1)
        result = factor if result is None else result * factor
        if bit < _BITS - 1:
            base, bits = base * base, bits / 2
    assert result is not None
    return is_fraction.choose(result.like(0), result)


def sum_exactly(x: TensorExpr, shape: Shape, axes: Sequence[int], result: Shape) -> TensorExpr:
    """Sum int64 over axes by a matrix product with ones, which ONNX Runtime computes in int64."""
    # ReduceSum would add in float64, and lose digits beyond 2**53.
    count = numel(tuple(shape[axis] for axis in axes))
    ones = TensorExpr(x.site, x.site.add("Expand", [x.site.scalar(1, INT64), x.site.ints([count, 1])]), INT64)
    return _reshape_to(_to_rows(x, shape, axes).op("MatMul", ones), result)


def multiply_exactly(x: TensorExpr, shape: Shape, axes: Sequence[int], result: Shape) -> TensorExpr | None:
    """Multiply int64 over axes: the two halves of the factors are multiplied until one factor is left. None if the number of factors is
    unknown."""
    count = numel(tuple(shape[axis] for axis in axes))
    if not isinstance(count, int) or not count:
        return None
    rows = _to_rows(x, shape, axes)

    def slice_rows(start: int, stop: int) -> TensorExpr:
        return rows.op("Slice", *(rows.like([n]) for n in (start, stop, 1)))

    while count > 1:
        half = count // 2
        halves = slice_rows(0, half) * slice_rows(half, 2 * half)
        rows = halves.op("Concat", slice_rows(2 * half, count), axis=1) if count % 2 else halves
        count = count - half
    return _reshape_to(rows, result)


def _to_rows(x: TensorExpr, shape: Shape, axes: Sequence[int]) -> TensorExpr:
    """Reshape the tensor to a matrix with a row for each result of a reduction."""
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    order = [*kept, *axes]
    permuted = x if order == sorted(order) else x.op("Transpose", perm=order)
    return _reshape_to(permuted, [numel(tuple(shape[axis] for axis in some)) for some in (kept, axes)])


def _reshape_to(x: TensorExpr, shape: Sequence[Dim]) -> TensorExpr:
    """Without `allowzero`, a 0 in the shape would keep the size of the input's axis."""
    return x.op("Reshape", shape, allowzero=1)
