"""What is known of a formula's numbers before they are computed: their kind, and bounds that they keep.

In: a formula and the shape of its table. Out: boolean, integer or float; and the interval that holds every number, as far as it is known.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, Literal

from ..dims import SymDim, bounds
from ..ir.types import BOOL, Shape
from .formula import (
    ARITHMETIC,
    COMPARISONS,
    FUNCTIONS,
    LOGIC,
    BinaryFormula,
    CallFormula,
    Const,
    Formula,
    IndexFormula,
    ItemFormula,
    ListFormula,
    StoredList,
    UnaryFormula,
    parts,
)

NumberKind = Literal["bool", "int", "float"]
Bounds = tuple[float | None, float | None]
UNBOUNDED: Bounds = (None, None)


def kind_of(formula: Formula, shape: Shape) -> NumberKind:
    """What it gives, in a table of this shape. A power of integers is an integer unless its exponent may be negative."""
    match formula:
        case Const(value):
            return "bool" if isinstance(value, bool) else "float" if isinstance(value, float) else "int"
        case UnaryFormula("not", _):
            return "bool"
        case UnaryFormula(_, operand):
            return _number(kind_of(operand, shape))
        case BinaryFormula(op, left, right):
            return _kind_of_binary(op, left, right, shape)
        case CallFormula("where", (_, then, otherwise)):
            return _wider(kind_of(then, shape), kind_of(otherwise, shape))
        case ItemFormula(whole, _):
            return kind_of(whole, shape)
        case StoredList(_, array):
            return "bool" if array.dtype == BOOL else "float" if array.dtype.is_float else "int"
        case ListFormula(items):
            return _wider(*(kind_of(item, shape) for item in items))
        case CallFormula(function, arguments):
            result = FUNCTIONS[function].result
            return result if result != "same" else _number(_wider(*(kind_of(a, shape) for a in arguments)))
    return "int"


def _kind_of_binary(op: str, left: Formula, right: Formula, shape: Shape) -> NumberKind:
    if op in COMPARISONS or op in LOGIC:
        return "bool"
    kind = _number(_wider(kind_of(left, shape), kind_of(right, shape)))
    if op == "**" and kind == "int":
        lowest = interval(right, shape)[0]
        return "int" if lowest is not None and lowest >= 0 else "float"
    return "float" if op == "/" else kind


def _wider(*kinds: NumberKind) -> NumberKind:
    order: tuple[NumberKind, ...] = ("bool", "int", "float")
    return order[max(order.index(k) for k in kinds)]


def _number(kind: NumberKind) -> NumberKind:
    return "int" if kind == "bool" else kind


def is_real(formula: Formula, shape: Shape) -> bool:
    """Whether any part is a real number: then all of it is computed in float64."""
    return any(kind_of(p, shape) == "float" for p in parts(formula))


# --- bounds ------------------------------------------------------------------------------------------------------------------


def interval(formula: Formula, shape: Shape) -> Bounds:
    """Numbers that the values never fall below or rise above; None where nothing is known."""
    match formula:
        case Const(SymDim() as value):
            return bounds(value)
        case Const(value) if not isinstance(value, SymDim) and math.isfinite(value):
            return float(value), float(value)
        case IndexFormula(number):
            size = shape[number]
            high = size if isinstance(size, int) else bounds(size)[1]
            return 0, None if high is None else high - 1
        case UnaryFormula("-", operand):
            return _negated(interval(operand, shape))
        case UnaryFormula("+", operand) | ItemFormula(operand, _):
            return interval(operand, shape)
        case UnaryFormula("not", _):
            return 0, 1
        case BinaryFormula(op, left, right):
            found = _interval_of_binary(op, interval(left, shape), interval(right, shape))
            return _of_remainder(found) if op == "%" and kind_of(formula, shape) == "int" else found
        case StoredList():
            return UNBOUNDED
        case ListFormula(items):
            return _united([interval(item, shape) for item in items])
        case CallFormula():
            return _interval_of_call(formula, shape)
    return UNBOUNDED


def may_be_zero(formula: Formula, shape: Shape) -> bool:
    low, high = interval(formula, shape)
    return (low is None or low <= 0) and (high is None or high >= 0)


def _interval_of_call(formula: CallFormula, shape: Shape) -> Bounds:
    match formula:
        case CallFormula("where", (_, then, otherwise)):
            return _united([interval(then, shape), interval(otherwise, shape)])
        case CallFormula("min" | "max" as name, arguments):
            pick = FUNCTIONS[name].python
            ends = [interval(a, shape) for a in arguments]
            return _picked(pick, [e[0] for e in ends], name == "max"), _picked(pick, [e[1] for e in ends], name == "min")
        case CallFormula("floor" | "round" | "int" as name, (argument,)):
            return _rounded(FUNCTIONS[name].python, interval(argument, shape))
        case CallFormula("abs", (argument,)):
            return _of_abs(interval(argument, shape))
        case CallFormula("exp", (argument,)):
            low, high = interval(argument, shape)
            return 0 if low is None else _bounded(math.exp, low), None if high is None else _bounded(math.exp, high)
        case CallFormula("sqrt", _):
            return 0, None
        case CallFormula("sin" | "cos", _):
            return -1, 1
    return UNBOUNDED


def _interval_of_binary(op: str, left: Bounds, right: Bounds) -> Bounds:
    (a, b), (c, d) = left, right
    positive = c is not None and c > 0
    match op:
        case "+":
            return _both(operator.add, a, c), _both(operator.add, b, d)
        case "-":
            return _interval_of_binary("+", left, _negated(right))
        case "*" if a is not None and a >= 0 and c is not None and c >= 0:
            return a * c, _both(operator.mul, b, d)
        case "*":
            corners = [_both(operator.mul, x, y) for x in left for y in right]
            known = [x for x in corners if x is not None]
            return (min(known), max(known)) if len(known) == len(corners) else UNBOUNDED
        case "**" if a is not None and a > 0 and None not in (b, c, d):
            return _of_power(left, right)
        case "**" if a is not None and a >= 1 and c is not None and c >= 0:
            return 1, None
        case "/" | "//" | "**" if a is not None and a >= 0 and (positive or op == "**"):
            divide = ARITHMETIC[op] if op != "**" and b is not None and math.isfinite(b) else lambda x, y: None
            return 0, _both(divide, b, c)
        case "%" if positive:
            return 0, d
        case "+" | "-" | "/" | "//" | "%" | "**":
            return UNBOUNDED
    return 0, 1


def _of_power(base: Bounds, exponent: Bounds) -> Bounds:
    """Of a positive base: a power is monotone in both."""
    ends = [_both(lambda x, y: _bounded(operator.pow, float(x), y), x, y) for x in base for y in exponent]
    known = [x for x in ends if x is not None]
    return min(known), max(known)


def _bounded(function: Callable[..., Any], *numbers: float) -> float:
    """Of a function that grows: infinity where the result is too large."""
    try:
        return float(function(*numbers))
    except OverflowError:
        return math.inf


def _of_remainder(bound: Bounds) -> Bounds:
    """Of integers: less than the divisor."""
    low, high = bound
    return low, None if high is None else high - 1


def _rounded(to_integer: Callable[[float], int], bound: Bounds) -> Bounds:
    low, high = (to_integer(end) if end is not None and math.isfinite(end) else end for end in bound)
    return low, high


def _of_abs(bound: Bounds) -> Bounds:
    low, high = bound
    return 0, None if low is None or high is None else max(abs(low), abs(high))


def _united(bounds: Sequence[Bounds]) -> Bounds:
    return _picked(min, [b[0] for b in bounds], one_is_enough=False), _picked(max, [b[1] for b in bounds], one_is_enough=False)


def _negated(bound: Bounds) -> Bounds:
    low, high = bound
    return None if high is None else -high, None if low is None else -low


def _both(function: Callable[[Any, Any], Any], a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else function(a, b)


def _picked(pick: Callable[..., Any], ends: list[float | None], one_is_enough: bool) -> float | None:
    known = [e for e in ends if e is not None]
    if not known or (len(known) < len(ends) and not one_is_enough):
        return None
    value: float = pick(known)
    return value
