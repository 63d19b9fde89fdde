"""Numbers as a person writes them.

In: a number. Out: Python text that is exactly this number: the shortest decimal, or where that has nearly all digits that a float can
have, the root, logarithm or fraction that the number was computed as: `512**0.5`, `math.log(8)`, `0.4 / 11`. Always: evaluating the text
gives the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

LONG = 15
"""The number of digits from which a decimal is the result of a computation rather than what a person wrote."""
LARGEST = 10**6
"""The largest integer that is tried in a root or a logarithm; of numbers beyond, or below its inverse, the decimal is written."""
DENOMINATORS = range(2, 100)
SMALL = 12
"""The largest denominator of fractions of integers: `1 / 12`, but `0.2 / 11` rather than `1 / 55`."""
ROUNDING = 4
"""The number of last places by which a computed number may differ from the fraction that it should be."""
FLOAT_INTEGERS = 2**63
"""Integers from here on were floats, and are written as those: -1e30."""


def format_number(value: float) -> str:
    """An integer or a float as text."""
    # First, because a bool is an int.
    if isinstance(value, bool):
        return repr(value)
    if isinstance(value, int):
        return _format_decimal(float(value)) if abs(value) > FLOAT_INTEGERS and _is_float(value) else repr(value)
    if math.isnan(value):
        return 'float("nan")'
    if math.isinf(value):
        return 'float("inf")' if value > 0 else '-float("inf")'
    decimal = _format_decimal(value)
    if _count_digits(decimal) < LONG or not 1 / LARGEST < abs(value) < LARGEST:
        return decimal
    sign = "-" if value < 0 else ""
    return next((sign + text for text, found in _iterate_computations(abs(value)) if found == abs(value)), decimal)


def round_to_simple(value: float) -> float:
    """The short decimal or the simple fraction that a positive number is but for the last digits: 0.4 / 11 for 0.2 * 2 / 11."""
    numerator, denominator = to_fraction(value) or (value, 1)
    return numerator / denominator


def to_fraction(value: float) -> tuple[float, int] | None:
    """The numerator and denominator of what a positive number is but for rounding errors: a short decimal (over 1), or a fraction of an
    integer or a number with one decimal; None if it is neither."""
    decimal = float(f"{value:.{LONG}g}")
    if _count_digits(repr(decimal)) < LONG - 1:
        return decimal, 1
    for decimals, denominators in ((0, range(2, SMALL + 1)), (1, DENOMINATORS)):
        for denominator in denominators:
            numerator = round(value * denominator, decimals)
            if numerator and abs(numerator / denominator - value) <= ROUNDING * math.ulp(value):
                return numerator, denominator
    return None


def _is_float(value: int) -> bool:
    try:
        return int(float(value)) == value
    except OverflowError:
        return False


def _format_decimal(value: float) -> str:
    """The shortest decimal that is exactly this number."""
    mantissa, e, exponent = repr(value).partition("e")
    if not e:
        return _shorten_zeros(mantissa)
    sign = "-" if exponent.startswith("-") else ""
    return f"{mantissa}e{sign}{exponent.lstrip('+-').lstrip('0')}"


def _shorten_zeros(text: str) -> str:
    """`1e9` where a digit is followed by six zeros or more, which nobody counts."""
    whole = text.removesuffix(".0")
    digits = whole.rstrip("0")
    zeros = len(whole) - len(digits)
    return f"{digits}e{zeros}" if zeros >= 6 and len(digits.removeprefix("-")) == 1 else text


def _count_digits(decimal: str) -> int:
    """The number of significant digits."""
    mantissa = decimal.removeprefix("-").partition("e")[0]
    return len(mantissa.replace(".", "").strip("0"))


def _iterate_computations(value: float) -> Iterator[tuple[str, float]]:
    """Texts of positive numbers near `value`, each with what it evaluates to."""
    yield "math.pi", math.pi
    yield "2 * math.pi", 2 * math.pi
    if (fraction := to_fraction(value)) is not None:
        numerator, denominator = fraction
        yield f"{numerator:.{LONG}g} / {denominator}", numerator / denominator
    for exponent in (0.5, -0.5):
        if 1 < (power := value ** (1 / exponent)) <= LARGEST:
            yield f"{round(power)}**{exponent}", round(power) ** exponent
            yield f"1 / {round(power)}**0.5", 1 / round(power) ** 0.5
    if value < math.log(LARGEST) and (n := round(math.exp(value))) > 1:
        yield f"math.log({n})", math.log(n)
