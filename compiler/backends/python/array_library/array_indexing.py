"""Look-ups and functions of elements, in general forms."""

from __future__ import annotations

from typing import Any

from .array_words import Array, Bool, DType, Int, scatter, xp

# unpacked: each framework's own.


def vector_norm(x: Array, ord: Any = 2, axis: Any = None, keepdims: bool = False) -> Array:
    """The norm of vectors. Zeros, and vectors whose norm is zero, have no gradient."""
    x = xp.where(x == 0, 0, xp.abs(x))
    if ord in (float("inf"), float("-inf")):
        return x.max(axis, keepdims=keepdims) if ord > 0 else x.min(axis, keepdims=keepdims)
    if ord == 0:
        return (x != 0).sum(axis, keepdims=keepdims).astype(x.dtype)
    wide = x.astype(xp.promote_types(x.dtype, xp.float32))  # squares of float16 are soon infinite
    none = 0 if ord > 0 else xp.inf  # the power of zero
    powers = xp.square(wide) if ord == 2 else xp.where(wide == 0, none, xp.where(wide == 0, 1, wide) ** ord)
    total = powers.sum(axis, keepdims=keepdims)
    return xp.where(total == none, 0, xp.where(total == none, 1, total) ** (1 / ord)).astype(x.dtype)


def normalize(x: Array, ord: Any = 2, axis: int = 1, eps: float = 1e-12) -> Array:
    """Vectors divided by their norms."""
    return x / xp.maximum(vector_norm(x, ord, axis, keepdims=True), eps)


def cumulative_extreme(x: Array, axis: int, largest: bool) -> tuple[Array, Array]:
    """The largest or smallest element so far, and its index: of equal ones, the last, which gets the gradient."""
    if not x.ndim:
        return x, xp.zeros((), Int)
    is_float = xp.issubdtype(x.dtype, xp.floating)
    # JAX does not compare booleans, and MLX passes over NaN in 16 bits
    fixed = xp.stop_gradient(x.astype(xp.promote_types(x.dtype, xp.float32)) if is_float else x * 1)
    best = xp.cummax(fixed, axis=axis) if largest else xp.cummin(fixed, axis=axis)
    places = xp.arange(x.shape[axis]).reshape(-1, *[1] * (x.ndim - 1 - axis))
    index = xp.cummax(xp.where((fixed == best) | xp.isnan(fixed), places, 0), axis=axis).astype(Int)
    return xp.take_along_axis(x, index, axis=axis), index


def along_axis(index: Array, axis: int) -> tuple[Array, ...]:
    """The index along one axis, and each place's own along the others."""
    places = [xp.arange(size).reshape(-1, *[1] * (index.ndim - 1 - i)) for i, size in enumerate(index.shape)]
    places[axis] = index
    return tuple(places)


def gather(x: Array, index: Array, axis: int) -> Array:
    """The elements at the index along one axis. The other axes of `index` may be shorter than the axes of `x`."""
    if not x.ndim or not index.ndim:
        return xp.broadcast_to(x.reshape(-1)[index], index.shape)
    return x[along_axis(index, axis)]


# scatter: each framework's own.


def scatter_reduce(x: Array, index: Array, src: Array, axis: int, reduce: str, include_self: bool = True) -> Array:
    """The sums, products, means or extremes of the values at each index along one axis."""
    method = {"sum": "add", "mean": "add", "prod": "multiply", "amax": "maximum", "amin": "minimum"}[reduce]
    dtype, is_float = x.dtype, xp.issubdtype(x.dtype, xp.floating)
    if is_float:  # in 16 bits, large sums and counts stop growing
        x, src = (one.astype(xp.promote_types(one.dtype, xp.float32)) for one in (x, src))
    if not include_self:
        low, high = (-xp.inf, xp.inf) if is_float else (False, True) if dtype == Bool else (xp.iinfo(dtype).min, xp.iinfo(dtype).max)
        x = scatter(x, index, {"add": 0, "multiply": 1, "maximum": low, "minimum": high}[method], axis)
    total = scatter(x, index, src, axis, method)
    if reduce != "mean":
        return total.astype(dtype)
    counts = scatter(xp.full(x.shape, int(include_self), x.dtype), index, xp.ones_like(src), axis, "add")
    counts = xp.maximum(counts, 1)
    return (total / counts).astype(dtype) if is_float else total // counts


def index_add(x: Array, index: Array, source: Array, axis: int, alpha: float = 1) -> Array:
    """The tensor with `alpha * source` added at the index along one axis."""
    if not x.ndim:
        return x + alpha * source.sum()
    where = (slice(None),) * axis + (index.reshape(-1),)
    if x.dtype == Bool:
        return x.astype(xp.int32).at[where].maximum((source & bool(alpha)).astype(xp.int32)).astype(Bool)
    return x.at[where].add((alpha * source).astype(x.dtype))


def pad(x: Array, pads: tuple[tuple[int, int], ...], value: float) -> Array:
    """The tensor with a value at its ends, or without its ends where the amounts are negative."""
    x = x[tuple(slice(max(-before, 0), size - max(-after, 0)) for (before, after), size in zip(pads, x.shape, strict=True))]
    return xp.pad(x, [(max(before, 0), max(after, 0)) for before, after in pads], constant_values=xp.array(value, x.dtype))


# top_k: each framework's own.


def diag_embed(x: Array, offset: int = 0, axis1: int = -2, axis2: int = -1) -> Array:
    """Matrices with the last axis on a diagonal."""
    size = x.shape[-1] + abs(offset)
    rows = xp.arange(x.shape[-1]) + max(-offset, 0)
    columns = xp.arange(size)
    diagonal = (rows[:, None, None] == columns[:, None]) & (rows[:, None, None] + offset == columns)
    matrices = xp.where(diagonal, x[..., None, None], 0).sum(-3).astype(x.dtype)
    first, second = sorted((axis1 % matrices.ndim, axis2 % matrices.ndim))
    matrices = matrices if axis1 % matrices.ndim < axis2 % matrices.ndim else matrices.swapaxes(-1, -2)
    return xp.moveaxis(xp.moveaxis(matrices, -2, first), -1, second)


def grouped_linear(x: Array, index: Array, weight: Array) -> Array:
    """Multiplies each row by the matrix of its group, one group after the other.

    x: [..., features], index: [...], weight: [groups, units, features] -> [..., units].
    """
    total = xp.zeros((*x.shape[:-1], weight.shape[1]), xp.result_type(x, weight))
    for number, matrix in enumerate(weight):
        total = xp.where((index == number)[..., None], x @ matrix.T, total)
    return total


def clamp(x: Array, min: float | None = None, max: float | None = None) -> Array:
    """Limits numbers. At a limit, the gradient is 1."""
    x = x if min is None else xp.where(x < min, min, x)
    return x if max is None else xp.where(x > max, max, x)


def standard_deviation(x: Array, axis: Any = None, keepdims: bool = False, ddof: int = 0) -> Array:
    """The standard deviation. Where all elements are equal, its gradient is zero."""
    var = x.var(axis, keepdims=keepdims, ddof=ddof)
    return xp.where(var == 0, 0, xp.sqrt(xp.where(var == 0, 1, var)))


def maximum(x: Array, other: Array) -> Array:
    """The larger elements. Equal ones share the gradient."""
    return xp.where(x == other, x / 2 + other / 2, xp.maximum(x, other))


def minimum(x: Array, other: Array) -> Array:
    """The smaller elements. Equal ones share the gradient."""
    return xp.where(x == other, x / 2 + other / 2, xp.minimum(x, other))


def power(x: Array, exponent: Array) -> Array:
    """Powers of elements. `0 ** 0` has no gradient."""
    return xp.where((x == 0) & (exponent == 0), 1, x) ** exponent


def integer_power(x: Any, exponent: Array) -> Array:
    """Powers of integers. If the exponent is negative, powers of 1 and -1 are exact, and those of other numbers are 0."""
    x = x + xp.zeros_like(exponent)
    powers = x ** xp.maximum(exponent, 0)
    inverse = xp.where(x == 1, 1, xp.where(x == -1, 1 - 2 * (exponent & 1), 0))
    return xp.where(exponent < 0, inverse, powers).astype(powers.dtype)


def arctan2(y: Array, x: Array) -> Array:
    """The angles of points. At zero, there is no gradient."""
    is_zero = (x == 0) & (y == 0)
    at_zero = xp.stop_gradient(xp.arctan2(y, x))
    return xp.where(is_zero, at_zero, xp.arctan2(y, xp.where(is_zero, 1, x)))


def lerp(x: Array, end: Array, weight: Array) -> Array:
    """The points between two tensors, exact at both ends."""
    return xp.where(weight < 0.5, x + weight * (end - x), end - (1 - weight) * (end - x))


def exp2(x: Array) -> Array:
    """Powers of 2."""
    return xp.power(2.0, x)


def hypot(x: Array, other: Array) -> Array:
    """The length of the hypotenuse, without overflow in between."""
    large, small = xp.maximum(xp.abs(x), xp.abs(other)), xp.minimum(xp.abs(x), xp.abs(other))
    ratio = xp.where(small == 0, 0, small / large)
    return xp.where(xp.isinf(large), xp.inf, large * xp.sqrt(1 + ratio * ratio))


def floor_divide(x: Any, other: Any) -> Array:
    """The quotient rounded down, by the remainder, since the quotient of floats may be rounded up before."""
    rest = fmod(x, other)
    whole = xp.round((x - rest) / other)
    return xp.where(other == 0, x / other, whole - ((rest != 0) & ((rest < 0) != (other < 0))))


def fmod(x: Any, other: Any) -> Array:
    """The remainder with the sign of the dividend."""
    rest = xp.remainder(abs(x), abs(other))
    return xp.where(x < 0, -rest, xp.where(x == 0, x + rest, rest))  # `abs` has no gradient at zero


def one_hot(indices: Array, num_classes: int, dtype: DType) -> Array:
    """Ones at the indices along a new last axis."""
    return (indices[..., None] == xp.arange(num_classes)).astype(dtype)


def left_shift(x: Array, other: Any) -> Array:
    """Moves bits to the left. Beyond the width of the type, nothing is left."""
    bits = 8 * x.itemsize
    inside = (other >= 0) & (other < bits)
    return xp.where(inside, x << xp.where(inside, other, 0).astype(x.dtype), 0).astype(x.dtype)


def right_shift(x: Array, other: Any) -> Array:
    """Moves bits to the right. Beyond the width of the type, the sign is left."""
    bits = 8 * x.itemsize
    inside = (other >= 0) & (other < bits)
    signed = xp.issubdtype(x.dtype, xp.signedinteger)
    y = x >> xp.where(inside, other, bits - 1).astype(x.dtype)
    return y if signed else xp.where(inside, y, 0).astype(x.dtype)
