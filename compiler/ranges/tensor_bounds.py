"""Bounds of a tensor's elements: an interval for each element or channel, and what else is known of its rows.

In: bounds. Out: bounds of sums, products and unions. Always: a bound holds every finite element that PyTorch computes in evaluation mode
with its rounding, if it is widened after each operator (`widen`). An infinite end means that no bound is known, or that the tensor may hold
an infinity on purpose, as masks do.

>>> x = scalar_bound(-1.0, 2.0, rank=2)
>>> (x * x).limit, square_bound(x).low.item()
(4.0, 0.0)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from netc.dsl.record import Record, replace

from ..types.numpy_types import Array
from ..types.tensor_types import DType, TensorType

MOST_ELEMENTS = 2**22
"""The largest number of intervals for one tensor. Beyond, leading axes are merged, so that tables of positions take little memory."""

MOST_IN_ROW = 2**40
"""More elements than a row can have."""


class Ball(Record):
    """The rows of the last axis are `center + scale * u` for a vector `u` of a length of at most 1. Both are vectors over the last axis.
    Normalizations give it; with it, the bound of a product with a matrix is the norm of a row instead of the sum of its elements."""

    center: Array
    scale: Array

    def widen(self, share: float, absolute: float) -> Ball | None:
        """Make room for an error of each element: `share` of its size, and `absolute`. None if the scale is 0 or the error unknown.

        The share of `scale * u` makes `u` longer by this share. The rest is at most `share * center + absolute` for each element, and makes
        `u` longer by the length of its quotient with the scale. A scale that is nearly 0 is raised, so that its quotient stays small.
        """
        size = np.abs(self.scale)
        scale = np.maximum(size, size.max(initial=0.0) * 2.0**-12)
        if not (scale > 0).all() or not np.isfinite(absolute):
            return None
        rest = float(np.linalg.norm((share * np.abs(self.center) + absolute) / scale))
        return Ball(self.center, scale * (1 + share + rest))


class TensorBound(Record):
    """The ends of intervals, in float64. They have an axis for each axis of the tensor, of its size, or of size 1 if one interval holds for
    all positions. `row_sum`: no element is negative, and the elements of each row of the last axis sum to this number at most; None if
    nothing is known of the sums."""

    low: Array
    high: Array
    ball: Ball | None = None
    row_sum: float | None = None

    @property
    def rank(self) -> int:
        return int(self.low.ndim)

    @property
    def magnitude(self) -> Array:
        """The largest absolute value of each interval."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    @property
    def limit(self) -> float:
        """The bound of the largest absolute value; infinite if there is none, and 0 for a tensor without elements."""
        return float(self.magnitude.max(initial=0.0))

    @property
    def least_largest(self) -> float:
        """A number that the largest absolute value certainly reaches, because some element's interval is beyond it."""
        beyond = np.maximum(np.maximum(self.low, -self.high), 0.0)
        return float(np.where(np.isfinite(beyond), beyond, 0.0).max(initial=0.0))

    @property
    def is_constant(self) -> bool:
        """Whether all elements are known."""
        return bool((self.low == self.high).all() and np.isfinite(self.low).all())

    def __neg__(self) -> TensorBound:
        return TensorBound(-self.high, -self.low)

    def __add__(self, other: TensorBound) -> TensorBound:
        with np.errstate(invalid="ignore"):
            return close_ends(self.low + other.low, self.high + other.high)

    def __sub__(self, other: TensorBound) -> TensorBound:
        return self + -other

    def __mul__(self, other: TensorBound) -> TensorBound:
        corners = [multiply_ends(a, b) for a in (self.low, self.high) for b in (other.low, other.high)]
        return TensorBound(np.minimum.reduce(corners), np.maximum.reduce(corners))

    def __or__(self, other: TensorBound) -> TensorBound:
        """The bound of a tensor whose elements are in one of two bounds."""
        return TensorBound(np.minimum(self.low, other.low), np.maximum(self.high, other.high))

    def __and__(self, other: TensorBound) -> TensorBound:
        """The bound of a tensor for which both hold."""
        return TensorBound(np.maximum(self.low, other.low), np.minimum(self.high, other.high))

    def map_ends(self, function: Callable[[Array], Array]) -> TensorBound:
        """Apply a function to the array of each end."""
        return TensorBound(function(self.low), function(self.high))

    def merge_axes(self, axes: tuple[int, ...], keep: bool = True) -> TensorBound:
        """Return one interval for all positions along the axes, which stay with size 1, or are removed."""
        if self.low.size == 0:
            return scalar_bound(0.0, 0.0, self.rank if keep else self.rank - len(axes))
        return TensorBound(self.low.min(axis=axes, keepdims=keep), self.high.max(axis=axes, keepdims=keep))

    def merge_all(self, rank: int) -> TensorBound:
        """Return one interval for all elements, for a tensor with `rank` axes."""
        if self.low.size == 0:
            return scalar_bound(0.0, 0.0, rank)
        return scalar_bound(float(self.low.min()), float(self.high.max()), rank)

    def widen(self, share: float, absolute: Array | float = 0.0) -> TensorBound:
        """Move the ends outwards by a share of themselves, and by `absolute`, to make room for rounding. What is known of rows holds for
        rounded rows too."""
        extra = np.where(np.isnan(absolute), np.inf, absolute)
        with np.errstate(over="ignore"):
            below, above = (share * np.where(np.isfinite(end), np.abs(end), 0.0) + extra for end in (self.low, self.high))
            low, high = self.low - below, self.high + above
        most = float(np.max(extra, initial=0.0))
        ball = None if self.ball is None else self.ball.widen(share, most)
        return TensorBound(low, high, ball, None if self.row_sum is None else _widen_sum(self.row_sum, share, most))

    def limit_to(self, dtype: DType) -> TensorBound:
        """Return the bound of the same numbers in a type that may not hold them. Integers wrap around, and floats become infinite. An end
        that is NaN is unknown."""
        low, high = dtype.limits
        if dtype.is_float:
            return replace(self, low=np.where(self.low >= low, self.low, -np.inf), high=np.where(self.high <= high, self.high, np.inf))
        fits = (self.low >= low) & (self.high <= high)
        return replace(self, low=np.where(fits, self.low, low), high=np.where(fits, self.high, high))


def _widen_sum(row_sum: float, share: float, absolute: float) -> float:
    """Make room in the sum of a row for the rounding of its elements. Rounding to the nearest number at most doubles an element, even
    below the smallest normal number: a million equal weights of float16, each rounded up, sum to more than 1."""
    return row_sum * (1 + share) + min(row_sum, MOST_IN_ROW * absolute)


def close_ends(low: Array, high: Array) -> TensorBound:
    """Make a bound of ends that may be NaN where infinities cancel: there nothing is known."""
    return TensorBound(np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high))


def multiply_ends(a: Array, b: Array | float) -> Array:
    """Multiply ends of intervals. An infinite end stands for finite numbers of any size, so 0 times it is 0."""
    with np.errstate(invalid="ignore", over="ignore"):
        product = a * b
    return np.where(np.isnan(product), 0.0, product)


def scalar_bound(low: float, high: float, rank: int) -> TensorBound:
    """Make one interval for all elements of a tensor with `rank` axes."""
    return TensorBound(np.full((1,) * rank, low, np.float64), np.full((1,) * rank, high, np.float64))


def unknown_bound(rank: int) -> TensorBound:
    """Make the bound of a tensor of which nothing is known."""
    return scalar_bound(-np.inf, np.inf, rank)


def constant_bound(array: Array) -> TensorBound:
    """Make the bound of known numbers. NaN has no bound."""
    known = np.asarray(array).astype(np.float64)
    return close_ends(known, known)


def square_bound(x: TensorBound) -> TensorBound:
    """Return the bound of the squares."""
    with np.errstate(over="ignore"):
        low, high = x.low * x.low, x.high * x.high
    return TensorBound(np.where((x.low <= 0) & (x.high >= 0), 0.0, np.minimum(low, high)), np.maximum(low, high))


def divide_bounds(a: TensorBound, b: TensorBound) -> TensorBound:
    """Return the bound of the quotients. If an interval of divisors contains 0, nothing is known of them."""
    with np.errstate(all="ignore"):
        quotients = [x / y for x in (a.low, a.high) for y in (b.low, b.high)]
    # An infinite end stands for finite numbers of any size: the quotient of two has any size too, and so is between the others.
    corners = [np.where(np.isnan(quotient), 0.0, quotient) for quotient in quotients]
    crosses = (b.low <= 0) & (b.high >= 0)
    low, high = np.minimum.reduce(corners), np.maximum.reduce(corners)
    return TensorBound(np.where(crosses, -np.inf, low), np.where(crosses, np.inf, high))


def invert_bound(x: TensorBound) -> TensorBound:
    """Return the bound of the reciprocals. If an interval contains 0, nothing is known of them."""
    with np.errstate(divide="ignore"):
        low, high = 1 / x.high, 1 / x.low
    crosses = (x.low <= 0) & (x.high >= 0)
    return TensorBound(np.where(crosses, -np.inf, low), np.where(crosses, np.inf, high))


def fit_bound(bound: TensorBound, type: TensorType) -> TensorBound:
    """Limit the size of a bound, and check that its axes are those of the type.

    Raises:
        ValueError: An axis is neither of size 1 nor of the tensor's size: a mistake in a rule.
    """
    shape = np.broadcast_shapes(bound.low.shape, bound.high.shape)
    if len(shape) != type.rank or any(size not in (1, full) for size, full in zip(shape, type.shape, strict=True)):
        raise ValueError(f"a bound of shape {shape} for a tensor of type {type}")
    axis = 0
    while np.prod(shape) > MOST_ELEMENTS:
        bound, shape = (
            replace(bound.merge_axes((axis,)), row_sum=bound.row_sum, ball=bound.ball),
            (*shape[:axis], 1, *shape[axis + 1 :]),
        )
        axis += 1
    return bound
