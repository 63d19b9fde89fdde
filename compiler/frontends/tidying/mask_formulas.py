"""What masks of attention hide, by the formulas of their elements.

In: a mask, and where tensors come from. Out: whether it hides nothing, or what comes later. Always: what has no formula is not known, and
is no such mask.
"""

from __future__ import annotations

from ...ir.graph_values import Value
from ...ops.constants import TableOperator
from ...ops.formula import BinaryFormula, CallFormula, Const, Formula, IndexFormula, UnaryFormula
from ...types.tensor_types import BOOL
from .tensor_origins import Origins
from .view import GraphView

HIDDEN = -1e9
"""Scores that are at most this count for nothing."""


def aligned(view: GraphView, queries: Value, keys: Value) -> str | None:
    """Which position of both is the same, where it has to be said."""
    return None if view.facts.equal(queries.type.shape[-2], keys.type.shape[-2]) else "start"


def hides_nothing(mask: Value, origins: Origins, *, hides: bool = False) -> bool:
    """Whether it is the same for all keys: true everywhere, or false if a mask `hides` where it is true; or zeros, which are added."""
    formula = _formula(mask, origins)
    if mask.type.dtype == BOOL:
        return formula == Const(not hides)
    return formula is not None and _number(formula) == 0


def is_causal(mask: Value, origins: Origins, *, hides: bool = False) -> bool:
    """Whether a query sees the positions up to its own, both counted from 0: by a mask that is true there, or elsewhere if it `hides`; or
    by one that is added, of 0 there and minus infinity or as good as that elsewhere.
    """
    made = origins.of(mask)
    formula = _formula(mask, origins)
    if made is None or formula is None or mask.type.rank < 2 or made.op.args["shape"][-2:] != mask.type.shape[-2:]:
        return False
    if mask.type.dtype != BOOL:
        added = _added(formula)
        if added is None:
            return False
        formula, hides = added
    while isinstance(formula, UnaryFormula) and formula.op == "not":
        formula, hides = formula.operand, not hides
    rank = len(made.op.args["shape"])
    query, key = IndexFormula(rank - 2), IndexFormula(rank - 1)
    wanted = {(">", key, query), ("<", query, key)} if hides else {("<=", key, query), (">=", query, key)}
    return isinstance(formula, BinaryFormula) and (formula.op, formula.left, formula.right) in wanted


def _added(formula: Formula) -> tuple[Formula, bool] | None:
    """The condition of a mask that is added, and whether keys are hidden where it is true; None if it is not 0 and minus infinity."""
    match formula:
        case CallFormula("where", (condition, then, otherwise)):
            numbers = (_number(then), _number(otherwise))
            hidden = [is_hiding(number) for number in numbers]
            return (condition, hidden[0]) if set(hidden) == {True, False} and 0 in numbers else None
    return None


def is_hiding(number: object) -> bool:
    """Whether a score with this number added, or in its place, has the weight 0 next to any that was not hidden: minus infinity, and finite
    numbers that are so far below all scores that their exponential is 0."""
    return isinstance(number, int | float) and number <= HIDDEN


def _number(formula: Formula) -> object:
    """The number that it is, None for one that depends on anything."""
    match formula:
        case Const(int() | float() as number):
            return number
        case UnaryFormula("-", Const(int() | float() as number)):
            return -number
    return None


def _formula(mask: Value, origins: Origins) -> Formula | None:
    made = origins.of(mask)
    return made.op.formula if made is not None and isinstance(made.op, TableOperator) and made.op.element == mask.type.dtype else None
