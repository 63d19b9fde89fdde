"""Arithmetic of integers, exact for all of them.

In: tensors of int32 or int64, divisors that are numbers or tensors. Out: what PyTorch computes, which wraps around at the ends of the type.
Always: ONNX Runtime's Pow, ReduceSum, ReduceProd and Mod with `fmod=1` convert int64 to float64, which loses digits beyond 2**53, so none
is used. Its Div and Mod end the process for the least integer by -1, so -1 never divides.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...dims import Dim
from ...ir.types import INT64, Shape
from ...ops.base import numel
from .expressions import TensorExpr

_BITS = 6
"""Of exponents that are tensors: greater ones than 63 leave no digit of the power, but for bases of -1, 0 and 1."""


def floor_quotient(x: TensorExpr, divisor: TensorExpr, number: int | None) -> TensorExpr:
    """The quotient, rounded down; `number` is the divisor if it is known. What was rounded up is one less: there, the quotient times the
    divisor is beyond `x`."""
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
    """What is left, with the sign of the divisor."""
    return x - x if number == -1 else x.op("Mod", _without_minus_one(divisor, number))


def remainder_towards_zero(x: TensorExpr, divisor: TensorExpr, number: int | None) -> TensorExpr:
    """What is left, with the sign of `x`."""
    if number == -1:
        return x - x
    by = _without_minus_one(divisor, number)
    return x - (x / by) * by


def _without_minus_one(divisor: TensorExpr, number: int | None) -> TensorExpr:
    """1 where the divisor is -1: what is left is 0 of both."""
    return divisor if number is not None else divisor.equal(-1).choose(divisor.like(1), divisor)


def power(base: TensorExpr, exponent: int) -> TensorExpr:
    """By squaring."""
    if exponent < 2:
        return base.op("Identity") if exponent else base - base + 1
    result: TensorExpr | None = None
    while exponent:
        if exponent % 2:
            result = base if result is None else result * base
        exponent //= 2
        base = base * base if exponent else base
    assert result is not None
    return result


def power_of_tensors(base: TensorExpr, exponent: TensorExpr) -> TensorExpr:
    """By squaring too. Of negative exponents, PyTorch rounds towards 0: only powers of 1 and -1 are not 0, and these repeat, as do those
    of exponents that are too great."""
    parity, greatest = exponent.op("Mod", exponent.like(2)), 2**_BITS - 1
    left = exponent.less(0).choose(parity, exponent.greater(greatest).choose(parity + (greatest - 1), exponent))
    is_lost = exponent.less(0).op("And", abs(base).equal(1).negation())
    result: TensorExpr | None = None
    for bit in range(_BITS):
        factor = left.op("Mod", left.like(2)).equal(1).choose(base, 1)
        result = factor if result is None else result * factor
        if bit < _BITS - 1:
            base, left = base * base, left / 2
    assert result is not None
    return is_lost.choose(result.like(0), result)


def total(x: TensorExpr, shape: Shape, axes: Sequence[int], result: Shape) -> TensorExpr:
    """The sum over axes of int64, as a product with ones, which ONNX Runtime computes in int64."""
    count = numel(tuple(shape[axis] for axis in axes))
    ones = TensorExpr(x.site, x.site.add("Expand", [x.site.scalar(1, INT64), x.site.ints([count, 1])]), INT64)
    return _reshaped(_rows(x, shape, axes).op("MatMul", ones), result)


def whole_product(x: TensorExpr, shape: Shape, axes: Sequence[int], result: Shape) -> TensorExpr | None:
    """The product over axes of int64, of halves again and again; None if the number of factors is not known."""
    count = numel(tuple(shape[axis] for axis in axes))
    if not isinstance(count, int) or not count:
        return None
    rows = _rows(x, shape, axes)

    def part(start: int, stop: int) -> TensorExpr:
        return rows.op("Slice", *(rows.like([n]) for n in (start, stop, 1)))

    while count > 1:
        half = count // 2
        halves = part(0, half) * part(half, 2 * half)
        rows = halves.op("Concat", part(2 * half, count), axis=1) if count % 2 else halves
        count = count - half
    return _reshaped(rows, result)


def _rows(x: TensorExpr, shape: Shape, axes: Sequence[int]) -> TensorExpr:
    """A matrix with a row for each result."""
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    order = [*kept, *axes]
    moved = x if order == sorted(order) else x.op("Transpose", perm=order)
    return _reshaped(moved, [numel(tuple(shape[axis] for axis in some)) for some in (kept, axes)])


def _reshaped(x: TensorExpr, shape: Sequence[Dim]) -> TensorExpr:
    """A size of 0 is one."""
    return x.op("Reshape", shape, allowzero=1)
