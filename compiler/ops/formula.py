"""Formulas of tables, which compute each element from its indices.

A formula is a tree of the records below. The elaborator makes it from the text; formula_bounds.py finds its kind of number and its bounds,
and formula_values.py its values. Formulas follow mathematics: `/` is real division, `//` and `%` round down, and `floor`, `round` (half to
even) and `int` give an integer. `and`, `or`, `not` and the condition of `where` take any number, which is true unless it is zero. A boolean
counts as 0 or 1. The indices of a list are never outside it.

>>> i = IndexFormula(0)
>>> measure_depth(BinaryFormula("+", i, Const(1))), find_indices(i)
(2, frozenset({0}))
"""

from __future__ import annotations

import math
import operator
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Literal

from netc.dsl import trees
from netc.dsl.record import Record
from netc.dsl.trees import Tree

from ..dims import COMPARISONS as COMPARISONS
from ..dims import Dim, SymDim
from ..types.tensor_types import Shape
from ..types.traced_ints import strip_formulas, substitute_values
from .operator import strict_key
from .stored_tables import TableArray


class Formula(Tree):
    """The base of all parts of a formula."""


class Const(Formula):
    """A number, a boolean or a dimension, and its name in the text. `1`, `1.0` and `true` are three different ones."""

    is_literal: ClassVar[bool] = True

    value: Dim | float | bool
    name: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Const) and strict_key(self.value) == strict_key(other.value)

    def __hash__(self) -> int:
        return hash(strict_key(self.value))


class IndexFormula(Formula):
    """The index along axis `number` of the table, from 0."""

    number: int


class UnaryFormula(Formula):
    """`op` is one of `- + not`."""

    op: str
    operand: Formula


class BinaryFormula(Formula):
    """`op` is one of `+ - * / // % ** == != < <= > >= and or`."""

    op: str
    left: Formula
    right: Formula


class CallFormula(Formula):
    """`function` is a key of FUNCTIONS, with the number of arguments it takes."""

    function: str
    arguments: tuple[Formula, ...]


class ListFormula(Formula):
    """A list of known numbers, or of lists of the same length. It is not a number itself; an `ItemFormula` is one of its numbers."""

    items: tuple[Formula, ...]


class StoredList(ListFormula):
    """A list in a file. It has no `items`."""

    array: TableArray


class ItemFormula(Formula):
    """`list[i][j]`: the number in the list at these indices, one integer for each level."""

    list: ListFormula
    indices: tuple[Formula, ...]


class Function(Record):
    """A function that may be called: the least and greatest number of arguments (None: any), the kind of result (`same`: the kind of
    its arguments), the function on Python's numbers, and its name in NumPy."""

    least: int
    most: int | None
    result: Literal["float", "int", "same"]
    python: Callable[..., Any]
    numpy: str


def round_to_float32(number: float) -> float:
    """Round to the nearest number of float32. An OverflowError if the number is too large for it."""
    # `struct` rounds as IEEE 754 does, and NumPy need not be imported for a check.
    nearest: float = struct.unpack("<f", struct.pack("<f", number))[0]
    return nearest


FUNCTIONS: dict[str, Function] = {
    "sin": Function(1, 1, "float", math.sin, "sin"),
    "cos": Function(1, 1, "float", math.cos, "cos"),
    "exp": Function(1, 1, "float", math.exp, "exp"),
    "log": Function(1, 1, "float", math.log, "log"),
    "sqrt": Function(1, 1, "float", math.sqrt, "sqrt"),
    "floor": Function(1, 1, "int", math.floor, "floor"),
    "round": Function(1, 1, "int", round, "rint"),
    "int": Function(1, 1, "int", int, "trunc"),
    "float32": Function(1, 1, "float", round_to_float32, "float32"),
    "abs": Function(1, 1, "same", abs, "abs"),
    "min": Function(2, None, "same", min, "minimum"),
    "max": Function(2, None, "same", max, "maximum"),
    "where": Function(3, 3, "same", lambda test, then, otherwise: then if test else otherwise, "where"),
}
ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}
LOGIC = ("and", "or")


def iterate_parts(formula: Formula) -> Iterator[Formula]:
    """Iterate over the formula and everything inside it, in the order of writing."""
    return (part for part in trees.walk_tree(formula) if isinstance(part, Formula))


def measure_depth(formula: Formula) -> int:
    """Measure the depth of nesting."""
    deepest, level = 0, [formula]
    # Level by level rather than by recursion: this function protects the others from formulas that are too deep.
    while level:
        deepest += 1
        level = [part for parent in level for part in find_operands(parent)]
    return deepest


def find_operands(formula: Formula) -> tuple[Formula, ...]:
    """Find the formulas directly inside a formula."""
    inside = [part for child in trees.subtrees_of(formula) for part in (child if isinstance(child, tuple) else (child,))]
    return tuple([part for part in inside if isinstance(part, Formula)])


def substitute_in_formula(formula: Formula, places: Mapping[str, Any]) -> Formula:
    """Substitute values for the symbols of the integers in a formula."""
    return trees.rewrite_downward(
        formula, lambda part: Const(substitute_values(part.value, places), part.name) if isinstance(part, Const) else None
    )


def strip_formula(formula: Formula) -> Formula:
    """Drop the formulas of the integers in a formula, over symbols of its graph."""
    return trees.rewrite_downward(formula, lambda part: Const(strip_formulas(part.value), part.name) if isinstance(part, Const) else None)


def substitute_indices(formula: Formula, axes: Mapping[int, Formula]) -> Formula:
    """Substitute other formulas for some indices."""
    return trees.rewrite_downward(formula, lambda part: axes.get(part.number) if isinstance(part, IndexFormula) else None)


def make_stored_formula(array: TableArray) -> ItemFormula:
    """Make the formula for the element of an array at the table's indices."""
    return ItemFormula(StoredList((), array), tuple(map(IndexFormula, range(len(array.shape)))))


def find_stored_array(formula: Formula) -> TableArray | None:
    """Find the array from which a formula takes its elements; None for a formula that is computed."""
    match formula:
        case ItemFormula(StoredList(_, array), _):
            return array
    return None


def list_shape(formula: ListFormula) -> tuple[int, ...] | None:
    """Return the number of items at each level. None if the lists of a level differ in length, or a number is next to a list."""
    if isinstance(formula, StoredList):
        return formula.array.shape
    inner: set[tuple[int, ...] | None] = {list_shape(item) if isinstance(item, ListFormula) else () for item in formula.items}
    shape = inner.pop() if len(inner) == 1 else None
    return None if shape is None else (len(formula.items), *shape)


def is_static(formula: Formula) -> bool:
    """Whether the values of a formula are known without the sizes of inputs."""
    return not any(isinstance(p, Const) and isinstance(p.value, SymDim) for p in iterate_parts(formula))


def find_indices(formula: Formula) -> frozenset[int]:
    """Find the axes on whose index a formula depends."""
    return frozenset(p.number for p in iterate_parts(formula) if isinstance(p, IndexFormula))


def fills_shape(formula: Formula, shape: Shape) -> bool:
    """Whether broadcasting the parts of a formula gives the table's shape: an index may only be missing for an axis of size 1 that is not
    the first."""
    used = find_indices(formula)
    return bool(used or not shape) and all(axis in used or (axis > 0 and size == 1) for axis, size in enumerate(shape))
