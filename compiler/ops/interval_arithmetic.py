"""Interval arithmetic: from the intervals of operands to the interval of the result.

In: intervals, and an operation of formulas. Out: an interval that holds every result. A divisor that may be 0 gives any number, infinities
and NaN:

>>> apply_binary("-", Interval(1, 3), Interval(0, 2), integers=True)
Interval(low=-1, high=3, infinite=False, nan=False)
>>> apply_binary("/", Interval(1, 1), Interval(0, 2), integers=False) == ANYTHING
True

Always: an end of a correctly rounded operation is the operation on ends, because rounding keeps the order; where libraries differ in the
last bits, as in `exp`, the end is a few units further out. An end that is infinite means that no bound is known. The value itself may be
infinite only where `infinite` says so.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from netc.dsl.record import Record, replace

from .formula import COMPARISONS, round_to_float32

INF = math.inf
_LAST_PLACES = 4
"""The number of units in the last place by which functions of different libraries may differ."""
_INT64 = 2.0**63
_FLOAT_INTEGERS = 2.0**53
_MOST_BITS = 200
"""A power of integers with more bits than this is no number of any element type."""


class Interval(Record):
    """Numbers from `low` to `high`, both included. `infinite` and `nan`: whether a number may be infinite, or NaN."""

    low: float
    high: float
    infinite: bool = False
    nan: bool = False

    @property
    def has_zero(self) -> bool:
        return self.low <= 0 <= self.high

    @property
    def is_finite(self) -> bool:
        """Whether the interval holds neither infinities nor NaN."""
        return not self.nan and (not self.infinite or (math.isfinite(self.low) and math.isfinite(self.high)))

    @property
    def truth(self) -> bool | None:
        """Whether all numbers count as true (True), or none (False). NaN counts as true."""
        if not self.has_zero:
            return True
        return False if self.low == self.high == 0 and not self.nan else None

    def __neg__(self) -> Interval:
        return Interval(-self.high, -self.low, self.infinite, self.nan)

    def __and__(self, other: Interval) -> Interval:
        """Combine two intervals that hold the same numbers."""
        return Interval(max(self.low, other.low), min(self.high, other.high), self.infinite and other.infinite, self.nan and other.nan)


ANYTHING = Interval(-INF, INF, infinite=True, nan=True)
UNKNOWN = Interval(-INF, INF)
"""Any finite number."""


def make_interval(low: float | None, high: float | None) -> Interval:
    """Make the interval of finite numbers between two bounds. None means that no bound is known."""
    return Interval(-INF if low is None else low, INF if high is None else high)


def truth_interval(answer: bool | None) -> Interval:
    """Make the interval of a boolean, which counts as 0 or 1."""
    return Interval(0, 1) if answer is None else Interval(int(answer), int(answer))


def unite_intervals(intervals: Iterable[Interval]) -> Interval:
    """Return the interval that holds the numbers of all intervals."""
    several = tuple(intervals)
    low, high = min(i.low for i in several), max(i.high for i in several)
    return Interval(low, high, any(i.infinite for i in several), any(i.nan for i in several))


def compare_intervals(op: str, a: Interval, b: Interval) -> bool | None:
    """Whether the comparison holds for all numbers (True), or for none (False). With NaN, only `!=` holds."""
    nan = a.nan or b.nan
    match op:
        case ">" | ">=":
            return compare_intervals("<" if op == ">" else "<=", b, a)
        # NaN makes every comparison but `!=` false, so with NaN a comparison is never proved true, but may be proved
        # false.
        case "<" | "<=":
            if COMPARISONS[op](a.high, b.low):
                return None if nan else True
            return None if COMPARISONS[op](a.low, b.high) else False
        case "!=":
            same = compare_intervals("==", a, b)
            return None if same is None else not same
    if a.high < b.low or b.high < a.low:
        return False
    return True if a.low == a.high == b.low == b.high and not nan else None


def apply_binary(op: str, a: Interval, b: Interval, *, integers: bool) -> Interval:
    """Return the interval of `a op b`, for integers or real numbers."""
    flags = a.infinite or b.infinite, a.nan or b.nan
    match op:
        case "+":
            return _mark_special(_evaluate_corners(operator.add, a, b), *flags, nan=a.infinite and b.infinite)
        case "-":
            return apply_binary("+", a, -b, integers=integers)
        case "*":
            zero = (a.infinite and b.has_zero) or (b.infinite and a.has_zero)
            return _mark_special(_evaluate_corners(operator.mul, a, b), *flags, nan=zero)
        case "**":
            return _mark_special(_power_interval(a, b, integers), *flags)
    # A division by zero: any number for integers, an infinity or NaN for floats.
    if b.has_zero:
        return ANYTHING
    match op:
        case "/":
            return _mark_special(_evaluate_corners(operator.truediv, a, b), *flags, nan=a.infinite and b.infinite)
        case "//":
            # `floor(a / b)` in float64 may be one off for large numbers, because the quotient is rounded before the
            # floor.
            result = _mark_special(_evaluate_corners(_floor_divide, a, b), *flags, nan=a.infinite)
            return result if integers else _widen_interval(result, beyond=_FLOAT_INTEGERS)
        case "%":
            return _mark_special(_remainder_interval(a, b, integers), *flags, nan=a.infinite)
    raise ValueError(op)


def apply_function(name: str, arguments: Sequence[Interval]) -> Interval:
    """Return the interval of a function's results."""
    match name:
        case "min" | "max":
            # Finite ends win over the flag `infinite`: `max(0, min(3, floor(log(i))))` is from 0 to 3, although
            # `log(0)` is infinite.
            pick = min if name == "min" else max
            return replace(unite_intervals(arguments), low=pick(i.low for i in arguments), high=pick(i.high for i in arguments))
    (x,) = arguments
    match name:
        case "abs":
            return x if x.low >= 0 else -x if x.high <= 0 else replace(x, low=0, high=max(-x.low, x.high))
        case "floor" | "round" | "int":
            return _round_interval(_TO_INTEGER[name], x)
        case "float32":
            far = [_make_saturating(round_to_float32)(_farthest_end(end)) for end in (x.low, x.high)]
            return _mark_special(_evaluate_ends(_make_saturating(round_to_float32), x), any(map(math.isinf, far)), x.nan)
        case "exp":
            result = _widen_interval(_evaluate_ends(_make_saturating(math.exp), x))
            return replace(result, low=max(result.low, 0.0), infinite=result.high == INF)
        case "log" | "sqrt" if x.high < 0:
            return ANYTHING
        case "log":
            ends = Interval(math.log(x.low) if x.low > 0 else -INF, math.log(x.high) if x.high > 0 else -INF)
            return _mark_special(_widen_interval(ends), x.infinite or x.low <= 0, x.nan, nan=x.low < 0)
        case "sqrt":
            ends = Interval(math.sqrt(max(x.low, 0)), math.sqrt(x.high))
            return _mark_special(ends, x.infinite, x.nan, nan=x.low < 0)
        case "sin" | "cos":
            return Interval(-1.0, 1.0, nan=x.nan or x.infinite)
    return ANYTHING


def _mark_special(interval: Interval, infinite: bool, either: bool, *, nan: bool = False) -> Interval:
    """Add flags to the interval of a result: `infinite` and `either` (NaN) come from the operands, `nan` from the operation."""
    return replace(interval, infinite=interval.infinite or infinite, nan=interval.nan or either or nan)


def _evaluate_corners(function: Callable[[Any, Any], float], a: Interval, b: Interval) -> Interval:
    """Evaluate a function that is monotone in each argument, at the corners of two intervals."""
    pairs = [(x, y) for x in (a.low, a.high) for y in (b.low, b.high)]
    far = [function(_farthest_end(x), _farthest_end(y)) for x, y in pairs]
    # `0 * inf` and `inf - inf` are NaN at a corner where an end is only unknown. The farthest possible number
    # replaces the end there.
    values = [value if not math.isnan(value := function(*pair)) else instead for pair, instead in zip(pairs, far, strict=True)]
    return Interval(min(values), max(values), infinite=any(map(math.isinf, far)))


def _farthest_end(end: float) -> float:
    """Replace an end without a bound by the farthest possible one: every such value is an integer of int64."""
    return math.copysign(_INT64, end) if math.isinf(end) else end


def _floor_divide(x: float, y: float) -> float:
    return x / y if math.isinf(x) else x // y


def _remainder_interval(a: Interval, b: Interval, integers: bool) -> Interval:
    """The interval of a remainder. It has the sign of the divisor, and is smaller unless rounding makes it equal."""
    if b.high < 0:
        return -_remainder_interval(-a, -b, integers)
    # The dividend is smaller than the divisor, so it is the remainder.
    if a.low >= 0 and a.high < b.low:
        return Interval(a.low, a.high)
    most = b.high - 1 if integers else b.high
    return Interval(0, min(most, a.high) if a.low >= 0 else most)


def _power_interval(a: Interval, b: Interval, integers: bool) -> Interval:
    if b.low == b.high >= 0 and b.low % 1 == 0:
        result = _evaluate_corners(_raise_power, a, b)
        # An even power has its least value in the middle, not at an end.
        if a.low < 0 < a.high and b.low % 2 == 0:
            result = replace(result, low=min(result.low, 1 if b.low == 0 else 0))
    elif a.low >= 0:
        result = _evaluate_corners(_raise_power, a, b)
        if a.low == 0:
            result = replace(result, low=0)
    # A negative base to an unknown power has either sign.
    elif integers and b.low >= 0:
        largest = _evaluate_corners(_raise_power, Interval(1, max(-a.low, a.high, 1)), b)
        result = replace(largest, low=-largest.high)
    else:
        return ANYTHING
    if integers:  # which grow with a size without a bound, but do not overflow because of it
        has_bounds = not any(map(math.isinf, (a.low, a.high, b.low, b.high)))
        return ANYTHING if result.infinite and has_bounds else replace(result, infinite=False)
    return _widen_interval(result)


def _raise_power(x: float, y: float) -> float:
    """Compute `x ** y`, where it is real. Infinity if it is too large, or if x is 0 and y negative."""
    infinity = -INF if x < 0 and y % 2 else INF
    if isinstance(x, int) and isinstance(y, int) and y >= 0:
        if abs(x) <= 1:
            # The parity of y decides for -1, and for 0 and 1 the size of y doesn't matter, so a huge y need not be
            # computed with.
            return int(x ** min(y, 2 - y % 2))
        return int(x**y) if x.bit_length() * y <= _MOST_BITS else infinity
    try:
        power: float = float(x) ** y
        return power
    except (OverflowError, ZeroDivisionError):
        return infinity


def _round_interval(to_integer: Callable[[float], int], x: Interval) -> Interval:
    return _evaluate_ends(lambda end: to_integer(end) if math.isfinite(end) else end, x)


_TO_INTEGER: dict[str, Callable[[float], int]] = {"floor": math.floor, "round": round, "int": int}


def _evaluate_ends(function: Callable[[float], float], x: Interval) -> Interval:
    """Evaluate an increasing function at the ends of an interval."""
    return replace(x, low=function(x.low), high=function(x.high))


def _make_saturating(function: Callable[..., float]) -> Callable[..., float]:
    """Make a function that returns infinity instead of raising OverflowError."""

    def limited(*numbers: float) -> float:
        try:
            return function(*numbers)
        except OverflowError:
            return -INF if numbers and numbers[0] < 0 else INF

    return limited


def _widen_interval(x: Interval, beyond: float = 0.0) -> Interval:
    """Move the ends of an interval a few last places outwards, if they are greater than `beyond`."""

    def move(end: float, towards: float) -> float:
        for _ in range(_LAST_PLACES if abs(end) > beyond else 0):
            end = math.nextafter(end, towards)
        return end

    return replace(x, low=move(x.low, -INF), high=move(x.high, INF))
