"""Parameters and tables, which PyTorch has no function for.

In: the weights of the call, or a formula of indices. Out: a tensor. Always: a table is computed element by element with Python's numbers,
of which integers are exact and the others float64, as netc's documentation says that formulas count.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import torch

from netc.compiler.ops.formula import BinaryFormula, CallFormula, Const, Formula, IndexFormula, ItemFormula, ListFormula, UnaryFormula
from tests.differential.references.call import Call


def _real(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """In NumPy, which has a number for `log(0)` too."""
    return lambda x: function(np.float64(x))


OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": lambda x, y: np.float64(x) / np.float64(y),
    "//": lambda x, y: x // y if isinstance(x, int) and isinstance(y, int) else np.floor_divide(np.float64(x), np.float64(y)),
    "%": lambda x, y: x % y if isinstance(x, int) and isinstance(y, int) else np.remainder(np.float64(x), np.float64(y)),
    "**": lambda x, y: x**y if isinstance(x, int) and isinstance(y, int) and y >= 0 else np.float64(x) ** np.float64(y),
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "and": lambda x, y: bool(x) and bool(y),
    "or": lambda x, y: bool(x) or bool(y),
}
FUNCTIONS_OF_NUMBERS: dict[str, Callable[..., Any]] = {
    "sin": _real(np.sin),
    "cos": _real(np.cos),
    "exp": _real(np.exp),
    "log": _real(np.log),
    "sqrt": _real(np.sqrt),
    "floor": lambda x: x if isinstance(x, int) else math.floor(x),
    "float32": lambda x: np.float64(np.float32(x)),
    "abs": abs,
    "min": min,
    "max": max,
    "round": round,
    "int": int,
    "where": lambda test, then, otherwise: then if test else otherwise,
}


def value(formula: Formula, indices: tuple[int, ...]) -> Any:
    """The number of the element with these indices."""
    match formula:
        case Const(number):
            return number
        case IndexFormula(axis):
            return indices[axis]
        case UnaryFormula("not", operand):
            return not value(operand, indices)
        case UnaryFormula(sign, operand):
            number = value(operand, indices)
            return -number if sign == "-" else +number
        case BinaryFormula(name, left, right):
            return OPERATORS[name](value(left, indices), value(right, indices))
        case CallFormula(name, arguments):
            return FUNCTIONS_OF_NUMBERS[name](*(value(part, indices) for part in arguments))
        case ItemFormula(whole, at):
            found: Formula = whole
            for index in at:
                assert isinstance(found, ListFormula)
                found = found.items[value(index, indices)]
            return value(found, indices)
    raise TypeError(f"not a formula: {formula!r}")


def table(a: Call) -> torch.Tensor:
    with np.errstate(all="ignore"):
        numbers = [value(a.formula, indices) for indices in product(*(range(size) for size in a.shape))]
    kinds = {bool if isinstance(n, (bool, np.bool_)) else int if isinstance(n, int) else float for n in numbers}
    found = torch.bool if kinds == {bool} else torch.float64 if float in kinds else torch.int64
    made = torch.tensor([n.item() if isinstance(n, np.generic) else n for n in numbers], dtype=found).reshape(a.shape)
    usual = {torch.float64: torch.float32}.get(found, found)
    return made.to(usual if a.dtype is None else a.dtype)


def parameter(a: Call) -> torch.Tensor:
    """What the state dict has, of the shape and type that the text gives."""
    assert a.state is not None
    (found,) = a.state.values()
    assert tuple(found.shape) == tuple(a.shape)
    assert found.dtype == a.dtype
    return found


FUNCTIONS = {"param": parameter, "table": table}
