"""Fold the constants in formulas, and evaluate static formulas at each position of their tables.

Every backend computes in the same way: in int64 if every part is an integer. Otherwise all of it is computed in float64, in which integers
are exact up to 2 ** 53, and the result is converted to the table's type.

>>> number_of(BinaryFormula("+", Const(2), Const(3)))
5
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from netc.dsl.trees import rewrite_upward

from ..dims import SymDim
from ..types.traced_ints import has_origin, is_integer, strip_formulas
from .formula import (
    ARITHMETIC,
    COMPARISONS,
    FUNCTIONS,
    BinaryFormula,
    CallFormula,
    Const,
    Formula,
    IndexFormula,
    ItemFormula,
    ListFormula,
    StoredList,
    UnaryFormula,
    find_operands,
    iterate_parts,
)
from .formula_bounds import NumberKind, is_real, kind_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


def fold_formula(formula: Formula, *, traced: bool = False) -> Formula:
    """Compute the parts that are plain numbers. With `traced`, integers keep their formulas, and a part that would lose the formula of an
    operand stays as it is."""

    def change(part: Formula) -> Formula | None:
        match part:
            case Const(value, name):
                return None if traced else Const(strip_formulas(value), name)
            case UnaryFormula(op):
                return _fold_part(part, lambda v: {"-": -v, "+": +v, "not": not v}[op])
            case BinaryFormula("and" | "or" as op):
                return _fold_part(part, lambda x, y: bool(x and y) if op == "and" else bool(x or y))
            case BinaryFormula(op):
                return _fold_part(part, _raise_power if op == "**" else (ARITHMETIC | COMPARISONS)[op])
            case CallFormula(function):
                return _fold_part(part, FUNCTIONS[function].python)
        return None

    return rewrite_upward(formula, change)


def _fold_part(part: Formula, function: Callable[..., Any]) -> Formula:
    inside = find_operands(part)
    numbers = [o.value for o in inside if isinstance(o, Const) and not isinstance(o.value, SymDim)]
    if len(numbers) < len(inside):
        return part
    try:
        value = _CONVERSIONS[kind_of(part, ())](function(*numbers))
    except (ArithmeticError, ValueError, TypeError):
        return part
    if has_origin(tuple(numbers)) and not (isinstance(part, (UnaryFormula, BinaryFormula)) and has_origin(value)):
        return part
    # An infinity that the author wrote may go on. One that arises, such as `exp(1000)`, stays a formula, so that
    # `find_valueless` reports it.
    if isinstance(value, float) and (math.isfinite(value) or (math.isinf(value) and any(map(math.isinf, numbers)))):
        return Const(value)
    # Backends compute in int64, where a greater integer would wrap: it stays a formula.
    return Const(value) if abs(value) < 2**63 else part


_CONVERSIONS: dict[NumberKind, Callable[[Any], Any]] = {"bool": bool, "int": lambda v: v if is_integer(v) else int(v), "float": float}


def _raise_power(base: float, exponent: float) -> Any:
    # Python would compute an integer of any length, and a text such as `9 ** 9 ** 9` would never end. float64 ends at 2 ** 1024.
    if abs(base) > 1 and exponent > 1023:
        raise OverflowError
    return base**exponent


def number_of(formula: Formula) -> float | bool | None:
    """Return the number that a formula is at every position. None if it depends on an index or a size."""
    match fold_formula(formula):
        case Const(value) if not isinstance(value, SymDim):
            return value
    return None


def find_valueless(formula: Formula) -> str:
    """Find an operation without a value among the parts that are plain numbers, such as `log` of zero. Return its name, or an empty
    text."""
    for part in iterate_parts(fold_formula(formula)):
        match part:
            case UnaryFormula(name, _) | BinaryFormula(name, _, _) | CallFormula(name, _) if all(
                _is_number(o) for o in find_operands(part)
            ):
                return name
    return ""


def _is_number(formula: Formula) -> bool:
    return isinstance(formula, Const) and not isinstance(formula.value, SymDim)


def evaluate_formula(formula: Formula, shape: tuple[int, ...]) -> NDArray[Any]:
    """Evaluate a static formula at each position, in int64, float64 or bool."""
    import numpy as np

    formula = fold_formula(formula)
    dtype = np.float64 if is_real(formula, shape) else np.int64
    # Tables may contain infinities and NaN on purpose. `find_valueless` and the bounds have reported what is a
    # mistake.
    with np.errstate(all="ignore"):
        values = _evaluate_part(formula, np.indices(shape, dtype=dtype, sparse=True), dtype)
        if kind_of(formula, shape) == "int":
            values = values.astype(np.int64)
    return np.broadcast_to(values, shape).copy()


def _evaluate_part(formula: Formula, places: Any, dtype: Any) -> Any:
    import numpy as np

    def number(part: Formula) -> Any:
        value = _evaluate_part(part, places, dtype)
        # NumPy has no `-` for booleans, and adds them as `or`.
        return value.astype(dtype) if value.dtype == np.bool_ else value

    def truth(part: Formula) -> Any:
        return _evaluate_part(part, places, dtype) != 0

    match formula:
        case Const(value):
            # A boolean stays one where it is a condition, and becomes a number in arithmetic.
            return np.asarray(value, dtype=None if isinstance(value, bool) else dtype)
        case IndexFormula(axis):
            return places[axis]
        case UnaryFormula("not", operand):
            return ~truth(operand)
        case UnaryFormula(op, operand):
            return -number(operand) if op == "-" else number(operand)
        case BinaryFormula("and", left, right):
            return truth(left) & truth(right)
        case BinaryFormula("or", left, right):
            return truth(left) | truth(right)
        case BinaryFormula(op, left, right):
            return (ARITHMETIC | COMPARISONS)[op](number(left), number(right))
        case CallFormula("where", (test, then, otherwise)):
            return np.where(truth(test), _evaluate_part(then, places, dtype), _evaluate_part(otherwise, places, dtype))
        case ItemFormula(sequence, indices):
            known = sequence.array.load_array() if isinstance(sequence, StoredList) else list_values(sequence)
            numbers = np.asarray(known, np.bool_ if kind_of(sequence, ()) == "bool" else dtype)
            return numbers[tuple(number(part).astype(np.int64) for part in indices)]
        case CallFormula("float32", (argument,)):
            return number(argument).astype(np.float32).astype(dtype)
        case CallFormula(function, arguments):
            ufunc = getattr(np, FUNCTIONS[function].numpy)
            values = [number(a) for a in arguments]
            return ufunc(*values) if len(values) == 1 else ufunc.reduce(np.broadcast_arrays(*values))
    raise TypeError(f"not a formula: {formula!r}")


def list_values(formula: ListFormula) -> tuple[Any, ...]:
    """Return the numbers of a list as nested tuples."""
    return tuple([list_values(i) if isinstance(i, ListFormula) else i.value for i in formula.items if isinstance(i, (ListFormula, Const))])
