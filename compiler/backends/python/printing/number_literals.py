"""Numbers as a person writes them.

In: a number. Out: Python text for exactly this number: the shortest decimal or, where that has nearly all digits that a float can have,
the root, logarithm or fraction that the number was computed as: `512**0.5`, `math.log(8)`, `0.4 / 11`. Always: evaluating the text gives
the same bits.

>>> format_number(512**0.5), format_number(1e-5), format_number(0.4 / 11)
('512**0.5', '1e-5', '0.4 / 11')
"""

from __future__ import annotations

import math
from collections.abc import Iterator

LONG = 15
"""The number of digits from which a decimal is taken for the result of a computation. People write shorter ones."""
LARGEST = 10**6
"""The largest integer that is tried in a root or a logarithm. Numbers beyond it, or below its inverse, are written as decimals."""
DENOMINATORS = range(2, 100)
SMALL = 12
"""The largest denominator of a fraction of integers: `1 / 12`, but `0.2 / 11` rather than `1 / 55`."""
ROUNDING = 4
"""The number of units in the last place by which a computed number may differ from the fraction that it is taken for."""
FLOAT_INTEGERS = 2**63
"""Integers from here on are written as floats, such as -1e30, because they were floats in the spec."""


def format_number(value: float) -> str:
    """Write an integer or a float as Python text."""
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
    # A text is used only if it gives the same bits; the candidates are guesses.
    return next((sign + text for text, value_of_text in _iterate_computations(abs(value)) if value_of_text == abs(value)), decimal)


def round_to_simple(value: float) -> float:
    """Round a positive number to the short decimal or simple fraction next to it: 0.2 * 2 / 11 to 0.4 / 11."""
    numerator, denominator = to_fraction(value) or (value, 1)
    return numerator / denominator


def to_fraction(value: float) -> tuple[float, int] | None:
    """Return the numerator and denominator of a short decimal (over 1), or of a simple fraction with at most one decimal, that a positive
    number equals up to rounding errors. None if it equals neither."""
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
    """Return the shortest decimal that is exactly this number."""
    mantissa, e, exponent = repr(value).partition("e")
    if not e:
        return _shorten_zeros(mantissa)
    sign = "-" if exponent.startswith("-") else ""
    return f"{mantissa}e{sign}{exponent.lstrip('+-').lstrip('0')}"


def _shorten_zeros(text: str) -> str:
    """Write a digit followed by six zeros or more as `1e9`, because nobody counts the zeros."""
    integer = text.removesuffix(".0")
    digits = integer.rstrip("0")
    zeros = len(integer) - len(digits)
    return f"{digits}e{zeros}" if zeros >= 6 and len(digits.removeprefix("-")) == 1 else text


def _count_digits(decimal: str) -> int:
    """The number of significant digits."""
    mantissa = decimal.removeprefix("-").partition("e")[0]
    return len(mantissa.replace(".", "").strip("0"))


def _iterate_computations(value: float) -> Iterator[tuple[str, float]]:
    """Yield texts of positive numbers near `value`, each with its value."""
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
