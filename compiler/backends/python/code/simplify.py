"""Arithmetic as a person writes it: no `* 1`, no `- -3`, and `7**3` for 343 in the formula of a table with powers of 7.

In: the code of a class. Numbers that differ between its uses are arguments already, so a number in the code is the same in all of them.
Out: code with the same values. Always: numbers are left out and signs moved only where the emitter, which knows the types, allows it
(`Infix.freedom`).

>>> simplify_code(Infix("+", Lit(3), Lit(-2), "signs")) == Infix("-", Lit(3), Lit(2), "signs")
True
"""

from __future__ import annotations

from math import copysign

from netc.dsl.record import replace
from netc.dsl.trees import rewrite_downward, walk_tree

from ....types.traced_ints import is_integer
from .python_expressions import CallCode, Code, Infix, Lit, Prefix, Share

NEUTRAL = {"*": 1, "/": 1, "//": 1, "**": 1, "+": 0, "-": 0}
COMMUTING = ("*", "+")
OPPOSITE = {"+": "-", "-": "+"}
LEAST = frozenset(-(2**bits) for bits in (7, 15, 31, 63))
"""The least numbers of the integer types. The types do not hold their opposites, so `x + -128` must not become `x - 128`."""
CUBE = 3
"""The exponent from which a power is more telling than the number."""


def simplify_code(code: Code) -> Code:
    return _write_powers(rewrite_downward(code, _simplify_part))


def _simplify_part(part: Code) -> Code | None:
    if not isinstance(part, Infix):
        return None
    left, right, free = rewrite_downward(part.left, _simplify_part), rewrite_downward(part.right, _simplify_part), part.freedom
    if free == "neutral" and _is_neutral(right, part.op):
        return left
    if free == "neutral" and part.op in COMMUTING and _is_neutral(left, part.op):
        return right
    opposite = _negate_code(right) if free != "none" and part.op in OPPOSITE else None
    if opposite is not None:
        return Infix(OPPOSITE[part.op], left, rewrite_downward(opposite, _simplify_part), free)
    return part if left is part.left and right is part.right else Infix(part.op, left, right, free)


def _is_neutral(code: Code, op: str) -> bool:
    match code:
        case Lit(int() | float() as value):
            # -0.0 is not neutral: `-0.0 + 0` is 0.0.
            return not isinstance(value, bool) and value == NEUTRAL.get(op) and copysign(1, value) > 0
    return False


def _negate_code(code: Code) -> Code | None:
    """Return the code with the other sign, if it can be written without a minus."""
    match code:
        case Lit(int() | float() as value, hint) if value < 0 and value not in LEAST:
            return Lit(-value, hint)
        case Prefix("-", operand):
            return operand
        case Infix("*" | "/" as op, left, right, freedom) if (opposite := _negate_code(left)) is not None:
            return Infix(op, opposite, right, freedom)
    return None


def cancel_factors(share: Share) -> Code:
    """Simplify a probability times one integer over another: `rate * 11 / 11` becomes `rate`, and `rate * 1 / 11` becomes `rate / 11`."""
    times, over, rest = _split_factors(share)
    # `rate * 3 / 11` stays: it shows that the rates of a row go in equal steps.
    if len(rest) != 1 or times not in (0, 1, over):
        return share
    if times == 0:
        return Lit(0.0)
    return rest[0] if times == over else Infix("/", rest[0], Lit(over))


def _split_factors(code: Code) -> tuple[int, int, list[Code]]:
    """Return the product of the integers that code is multiplied by, the product of its divisors, and its other factors."""
    match code:
        case Lit(int() as number):
            return number, 1, []
        case Infix("*", left, right):
            (a, b, c), (d, e, f) = _split_factors(left), _split_factors(right)
            return a * d, b * e, c + f
        case Infix("/", left, Lit(int() as number)):
            times, over, rest = _split_factors(left)
            return times, over * number, rest
    return 1, 1, [code]


def _write_powers(code: Code) -> Code:
    """Write the divisors in the indices of a table as powers: `k // 7**3 % 7` for numbers below 7**4, because 343 and 2401 say nothing."""
    divisors = [number for part in walk_tree(code) if (number := _get_divisor(part)) > 1]
    # The smallest divisor is the base: in `k // 7**3 % 7`, the other divisors are powers of 7.
    base = min(divisors, default=0)
    if base < CUBE or not any(_find_exponent(value, base) >= CUBE for value in divisors):
        return code

    def power(number: Code) -> Code:
        exponent = _find_exponent(number.value, base) if isinstance(number, Lit) and is_integer(number.value) else 0
        return Infix("**", Lit(base), Lit(exponent)) if exponent >= CUBE else number

    def change(part: Code) -> Code | None:
        match part:
            case Infix("//" | "%" as op, left, right, freedom):
                return Infix(op, rewrite_downward(left, change), power(right), freedom)
            case CallCode(str(), (Lit() as count, *others)) if (shorter := power(count)) is not count:
                return replace(part, args=(shorter, *others))
        return None

    return rewrite_downward(code, change)


def _get_divisor(part: object) -> int:
    match part:
        case Infix("//" | "%", _, Lit(int() as number)):
            return number
    return 0


def _find_exponent(number: int, base: int) -> int:
    """Return the exponent of a power of `base`, and 0 for other numbers."""
    exponent, power = 0, 1
    while power < number:
        exponent, power = exponent + 1, power * base
    return exponent if power == number else 0
