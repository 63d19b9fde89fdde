"""Whether a table hides later positions: a proof from its formula.

In: the formula of a mask over queries and keys, as booleans or as numbers that are added to scores. Out: what it is for each key that comes
after its query. Always: what is said is proved; a score of -1e4 or less counts as hidden, as its exponential is 0 in float32.
"""

from __future__ import annotations

from ..ir.types import BOOL, DType, Shape
from ..ops.formula import BinaryFormula, CallFormula, Const, Formula, IndexFormula, UnaryFormula
from ..ops.formula_bounds import interval
from ..ops.formula_values import fold

HIDDEN = -1e4
"""A score that no other outweighs."""


def later_in(formula: Formula, shape: Shape, query: int, key: int, element: DType) -> bool | float | None:
    """What a table of that shape has where the key comes after its query: a boolean, or a number that it is at most. `query` and `key` are
    the numbers of their indices."""
    proof, formula = _Later(shape, query, key), fold(formula)
    if element == BOOL:
        return proof.truth(formula)
    most = proof.most(formula)
    return most if most is not None and most <= HIDDEN else 0.0 if proof.zero(formula) else None


def least_in(formula: Formula, shape: Shape) -> float | None:
    """A number above 0 that no element of a table is below, if one is known."""
    low, _ = interval(fold(formula), shape)
    return low if low is not None and low > 0 else None


class _Later:
    """What a formula is where the key is at least one position after the query."""

    def __init__(self, shape: Shape, query: int, key: int) -> None:
        self.shape, self.query, self.key = shape, query, key

    def truth(self, formula: Formula) -> bool | None:
        """True or false wherever the key comes later; None: not known."""
        match formula:
            case Const(bool() as value):
                return value
            case UnaryFormula("not", operand):
                inner = self.truth(operand)
                return None if inner is None else not inner
            case BinaryFormula("and" | "or" as op, left, right):
                found = (self.truth(left), self.truth(right))
                decisive = op == "or"
                return decisive if decisive in found else None if None in found else not decisive
            case BinaryFormula("<" | "<=" | ">" | ">=" | "==" | "!=" as op, left, right):
                return self._comparison(op, left, right)
            case CallFormula("where", (test, then, otherwise)):
                decided = self.truth(test)
                options = [self.truth(then), self.truth(otherwise)]
                return options[0 if decided else 1] if decided is not None else options[0] if options[0] is options[1] else None
        return None

    def most(self, formula: Formula) -> float | None:
        """A number that it is at most."""
        match formula:
            case Const(int() | float() as value):
                return float(value)
            case UnaryFormula("-", CallFormula("where", (test, then, otherwise))):
                return self.most(CallFormula("where", (test, UnaryFormula("-", then), UnaryFormula("-", otherwise))))
            case UnaryFormula("-", Const(int() | float() as value)):
                return -float(value)
            case CallFormula("where", (test, then, otherwise)):
                decided = self.truth(test)
                if decided is not None:
                    return self.most(then if decided else otherwise)
                ends = (self.most(then), self.most(otherwise))
                return None if ends[0] is None or ends[1] is None else max(ends[0], ends[1])
            case BinaryFormula("*", left, right):
                found = self._scaled(left, right)
                return self._scaled(right, left) if found is None else found
        return None

    def _scaled(self, factor: Formula, formula: Formula) -> float | None:
        """The same of what is negative, times what is positive."""
        least, most = least_in(factor, self.shape), self.most(formula)
        return None if least is None or most is None or most > 0 else most * least

    def zero(self, formula: Formula) -> bool:
        """Whether it is 0."""
        match formula:
            case Const(int() | float() as value):
                return value == 0
            case UnaryFormula("-", operand):
                return self.zero(operand)
            case BinaryFormula("*", left, right):
                return self.zero(left) or self.zero(right)
            case CallFormula("where", (test, then, otherwise)):
                decided = self.truth(test)
                if decided is None:
                    return self.zero(then) and self.zero(otherwise)
                return self.zero(then if decided else otherwise)
        return self.truth(formula) is False

    def _comparison(self, op: str, left: Formula, right: Formula) -> bool | None:
        """Of `a * (key - query) + c` with 0, where key - query is at least 1."""
        difference = self._indices(BinaryFormula("-", left, right))
        if difference is None or difference[0] != -difference[1]:
            return None
        _, times, constant = difference
        if times == 0:
            return {"<": constant < 0, "<=": constant <= 0, ">": constant > 0, ">=": constant >= 0}.get(op)
        if times < 0:
            times, constant = -times, -constant
            op = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(op, op)
        least = times + constant
        known = {"<": least >= 0, "<=": least > 0, "==": least > 0}
        if op in known:
            return False if known[op] else None
        return True if {">": least > 0, ">=": least >= 0, "!=": least > 0}[op] else None

    def _indices(self, formula: Formula) -> tuple[int, int, int] | None:
        """The factors of the query's and the key's index, and a constant."""
        match formula:
            case IndexFormula(number):
                return (1, 0, 0) if number == self.query else (0, 1, 0) if number == self.key else None
            case Const(int() as value) if not isinstance(value, bool):
                return (0, 0, int(value))
            case UnaryFormula("-", operand):
                inner = self._indices(operand)
                return None if inner is None else (-inner[0], -inner[1], -inner[2])
            case BinaryFormula("+" | "-" as op, left, right):
                a, b = self._indices(left), self._indices(right)
                sign = 1 if op == "+" else -1
                return None if a is None or b is None else (a[0] + sign * b[0], a[1] + sign * b[1], a[2] + sign * b[2])
        return None
