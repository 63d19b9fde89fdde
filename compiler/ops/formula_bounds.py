"""Find the kind of a formula's numbers, and an interval that holds them, without computing the numbers.

In: a formula and the shape of its table. Out: boolean, integer or float; and an `Interval` for the values at all positions:

    where(j > i, -1e9, 0)   with j = i + 1 + k   is   [-1e9, -1e9]

>>> find_interval(BinaryFormula("*", IndexFormula(0), Const(2)), (5,))
Interval(low=0, high=8, infinite=False, nan=False)

Always: the interval holds every value that any backend computes, in int64 or in float64, with rounding, overflow, infinities and NaN.
Integers are compared in the normal form of sizes (compiler/dims), in which `i + 1 + k > i` holds for all positions; everything else is
interval arithmetic. A size without an upper bound is taken to be so small that no integer overflows because of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from netc.dsl.record import Record, replace

from ..dims import Dim, Facts, SymDim, bounds, dim_max, dim_min, make_symbol, text_size
from ..types.tensor_types import BOOL, Shape
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
    iterate_parts,
    substitute_indices,
)
from .interval_arithmetic import (
    ANYTHING,
    UNKNOWN,
    Interval,
    apply_binary,
    apply_function,
    compare_intervals,
    make_interval,
    truth_interval,
    unite_intervals,
)

NumberKind = Literal["bool", "int", "float"]
_KINDS: tuple[NumberKind, ...] = ("bool", "int", "float")
"""From the narrowest kind to the widest."""
_EXACT = 2**53
"""Integers up to here are the same in int64 and in float64."""
_INT64 = 2**63
_MAX_FORM_SIZE = 64
"""The largest size of a normal form. The value of a larger one becomes a symbol of its own."""


def kind_of(formula: Formula, shape: Shape) -> NumberKind:
    """Find the kind of a formula's numbers, in a table of this shape. A power of integers is an integer unless its exponent may be
    negative."""
    return _FormulaAnalysis(shape).get_kind(formula)


def is_real(formula: Formula, shape: Shape) -> bool:
    """Whether any part is a real number. If so, backends compute the entire formula in float64."""
    analysis = _FormulaAnalysis(shape)
    return any(analysis.get_kind(p) == "float" for p in iterate_parts(formula))


def find_interval(formula: Formula, shape: Shape) -> Interval:
    """Find the interval of all values in a table of this shape."""
    return _FormulaAnalysis(shape).get_known(formula).interval


def interval_of_pairs(formula: Formula, shape: Shape, query: int, key: int, *, later: bool, group: int = 1, distance: int = 0) -> Interval:
    """Find the interval of the values where the index `key` is later than the index `query`, or, without `later`, where it is not.

    With `group`, both indices are multiples of that number and the rest: the interval is for keys in later groups, or without `later` in
    the own group and earlier ones. With `distance`, the key is at least that many groups further away.
    """
    first, second = (query, key) if later else (key, query)
    away = BinaryFormula("+", Const(distance + later), IndexFormula(second))
    # Write the later index as the earlier one plus a distance: then `j > i` holds by form, and intervals of `j - i`
    # are exact.
    numbers = {first: IndexFormula(first), second: BinaryFormula("+", IndexFormula(first), away)}
    sizes = (*shape[:second], shape[second] - later, *shape[second + 1 :])  # the second index counts from the first one
    if group > 1:
        rests = {first: IndexFormula(len(shape)), second: IndexFormula(len(shape) + 1)}
        numbers = {n: BinaryFormula("+", BinaryFormula("*", Const(group), number), rests[n]) for n, number in numbers.items()}
        sizes = (*sizes, group, group)
    return find_interval(substitute_indices(formula, numbers), sizes)


def may_be_zero(formula: Formula, shape: Shape) -> bool:
    return find_interval(formula, shape).has_zero


def decide_truth(formula: Formula, shape: Shape) -> bool | None:
    """Whether the formula is true at all positions (True), or at none (False)."""
    return find_interval(formula, shape).truth


class _Known(Record):
    """The interval of a part, and its normal form as a size. The form is None if the part is not an integer, or may be infinite or NaN."""

    interval: Interval
    form: Dim | None = None


class _FormulaAnalysis:
    """An analysis of formulas over the indices of one table. Each part is analyzed once."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._kinds: dict[int, NumberKind] = {}
        self._known: dict[int, _Known] = {}
        self._symbols: dict[Formula, Dim] = {}
        # An id is reused after its object is gone, so the objects must live as long as the dictionaries.
        self._kept: list[Formula] = []
        """The parts whose identities are keys."""

    # --- kinds -----------------------------------------------------------------------------------------------------------

    def get_kind(self, formula: Formula) -> NumberKind:
        kind = self._kinds.get(id(formula))
        if kind is None:
            kind = self._kinds[id(formula)] = self._find_kind(formula)
            self._kept.append(formula)
        return kind

    def _find_kind(self, formula: Formula) -> NumberKind:
        match formula:
            case Const(value):
                return "bool" if isinstance(value, bool) else "float" if isinstance(value, float) else "int"
            case UnaryFormula("not", _):
                return "bool"
            case UnaryFormula(_, operand):
                return self._widest_kind((operand,), "int")
            case BinaryFormula(op, left, right):
                return self._kind_of_binary(op, left, right)
            case CallFormula("where", (_, then, otherwise)):
                return self._widest_kind((then, otherwise))
            case ItemFormula(sequence, _):
                return self.get_kind(sequence)
            case StoredList(_, array):
                return "bool" if array.dtype == BOOL else "float" if array.dtype.is_float else "int"
            case ListFormula(items):
                return self._widest_kind(items)
            case CallFormula(function, arguments):
                result = FUNCTIONS[function].result
                return result if result != "same" else self._widest_kind(arguments, "int")
        return "int"

    def _kind_of_binary(self, op: str, left: Formula, right: Formula) -> NumberKind:
        if op in COMPARISONS or op in LOGIC:
            return "bool"
        kind = self._widest_kind((left, right), "int")
        # As in NumPy, where `2 ** -1` of integers has no value.
        if op == "**" and kind == "int":
            return "int" if self.get_known(right).interval.low >= 0 else "float"
        return "float" if op == "/" else kind

    def _widest_kind(self, formulas: Sequence[Formula], least: NumberKind = "bool") -> NumberKind:
        return _KINDS[max([_KINDS.index(least), *(_KINDS.index(self.get_kind(f)) for f in formulas)])]

    # --- intervals and normal forms --------------------------------------------------------------------------------------

    def get_known(self, formula: Formula) -> _Known:
        known = self._known.get(id(formula))
        if known is None:
            known = self._known[id(formula)] = self._analyze_part(formula)
            self._kept.append(formula)
        return known

    def _analyze_part(self, formula: Formula) -> _Known:
        interval = self._find_interval(formula)
        if self.get_kind(formula) == "float":
            return _Known(interval)
        interval = _limit_to_int64(interval)
        if not interval.is_finite:
            return _Known(interval)
        form = self._find_form(formula)
        # A form is only of use if its value is exact in int64 and float64. Otherwise, the part is a symbol with the
        # bounds of its interval.
        if form is None or text_size(form) > _MAX_FORM_SIZE or not _is_exact(interval & make_interval(*bounds(form))):
            return _Known(interval, self._get_symbol(formula, interval))
        # Both bounds hold, and each is sharper in some cases: intervals for powers, forms for `i - i`.
        return _Known(interval & make_interval(*bounds(form)), form)

    def _find_interval(self, formula: Formula) -> Interval:
        match formula:
            case Const(SymDim() as value):
                return make_interval(*bounds(value))
            case Const(float() as value):
                return ANYTHING if math.isnan(value) else Interval(value, value, infinite=math.isinf(value))
            case Const(int() as value):
                return Interval(int(value), int(value))
            case IndexFormula(number):
                extent = self._shape[number]
                # An empty axis has no index at all. Bounds from 0 to 0 hold for all of them.
                most = extent if isinstance(extent, int) else bounds(extent)[1]
                return make_interval(0, None if most is None else max(most - 1, 0))
            case UnaryFormula("not", operand):
                answer = self.get_known(operand).interval.truth
                return truth_interval(None if answer is None else not answer)
            case UnaryFormula(op, operand):
                inner = self.get_known(operand).interval
                return -inner if op == "-" else inner
            case BinaryFormula(op, left, right):
                return self._interval_of_binary(formula, op, left, right)
            case ItemFormula(sequence, _):
                return self.get_known(sequence).interval
            case StoredList(_, array):
                # The numbers of a file are not read here: a check does not load NumPy.
                return truth_interval(None) if array.dtype == BOOL else UNKNOWN if array.dtype.is_integer else ANYTHING
            case ListFormula(items):
                return unite_intervals([self.get_known(item).interval for item in items])
            case CallFormula("where", (test, then, otherwise)):
                answer = self.get_known(test).interval.truth
                branches = (then, otherwise) if answer is None else (then,) if answer else (otherwise,)
                return unite_intervals([self.get_known(branch).interval for branch in branches])
            case CallFormula(function, arguments):
                return apply_function(function, [self.get_known(a).interval for a in arguments])
        return ANYTHING

    def _interval_of_binary(self, formula: Formula, op: str, left: Formula, right: Formula) -> Interval:
        a, b = self.get_known(left), self.get_known(right)
        if op in LOGIC:
            return truth_interval(_join_truths(op, a.interval.truth, b.interval.truth))
        if op in COMPARISONS:
            answer = compare_intervals(op, a.interval, b.interval)
            # `i + 1 + k > i`: the intervals overlap, but the difference of the forms is `k + 1`.
            if answer is None and a.form is not None and b.form is not None:
                answer = self._make_facts().compare(op, a.form, b.form)
            return truth_interval(answer)
        return apply_binary(op, a.interval, b.interval, integers=self.get_kind(formula) != "float")

    def _find_form(self, formula: Formula) -> Dim | None:
        """Express an integer by arithmetic on sizes and symbols. None if that is impossible."""
        match formula:
            case Const(value) if not isinstance(value, float):
                return value if isinstance(value, SymDim) else int(value)
            case UnaryFormula("-" | "+" as op, operand):
                inner = self.get_known(operand).form
                return inner if inner is None or op == "+" else -inner
            case BinaryFormula("+" | "-" | "*" | "//" | "%" as op, left, right):
                a, b = self.get_known(left).form, self.get_known(right).form
                if a is None or b is None:
                    return None
                result: Dim = ARITHMETIC[op](a, b)
                return result
            case CallFormula("min" | "max" as name, arguments):
                forms = [form for a in arguments if (form := self.get_known(a).form) is not None]
                return (dim_min if name == "min" else dim_max)(*forms) if len(forms) == len(arguments) else None
            case CallFormula("floor" | "round" | "int", (argument,)):
                return self.get_known(argument).form
        return None

    def _get_symbol(self, formula: Formula, interval: Interval) -> Dim:
        """Return the symbol for an integer of which only the bounds are known. Equal formulas have the same symbol."""
        if formula not in self._symbols:
            low, high = (int(end) if math.isfinite(end) else None for end in (interval.low, interval.high))
            self._symbols[formula] = make_symbol(f"[{len(self._symbols)}]", lower=low, upper=high)
        return self._symbols[formula]

    def _make_facts(self) -> Facts:
        """Make the facts that each index is below the size of its axis, for symbolic sizes."""
        rooms = [(self._symbols.get(IndexFormula(axis)), extent) for axis, extent in enumerate(self._shape)]
        margins = [extent - 1 - index for index, extent in rooms if isinstance(extent, SymDim) and isinstance(index, SymDim)]
        return Facts(nonnegatives=tuple([room for room in margins if isinstance(room, SymDim)]))


def _join_truths(op: str, a: bool | None, b: bool | None) -> bool | None:
    """The truth of `a and b` or `a or b`. One side may decide it."""
    decisive = op == "or"
    if decisive in (a, b):
        return decisive
    return None if a is None or b is None else not decisive


def _limit_to_int64(interval: Interval) -> Interval:
    """Limit the interval of an integer to int64. A larger integer wraps in int64, and grows on in float64, where NaN may follow."""
    ends = [end for end in (interval.low, interval.high) if math.isfinite(end)]
    # An infinite end only means that no bound is known: see the module's docstring on sizes without a bound.
    if interval.nan or any(not -_INT64 <= end < _INT64 for end in ends):
        return ANYTHING
    return interval if _is_exact(interval) else replace(interval, low=_round_out(interval.low, -1), high=_round_out(interval.high, 1))


def _is_exact(interval: Interval) -> bool:
    """Whether int64 and float64 have the same integers."""
    return all(abs(end) <= _EXACT for end in (interval.low, interval.high) if math.isfinite(end))


def _round_out(end: float, sign: int) -> float:
    """Move an end outwards by the largest error of rounding to float64."""
    return end if math.isinf(end) or abs(end) <= _EXACT else end + sign * 2**10
