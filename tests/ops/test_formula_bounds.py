"""Bounds of formulas hold at every position, as NumPy computes it in int64 or float64: with rounding, overflow, infinities and NaN."""

from __future__ import annotations

import math
import operator
from itertools import product
from typing import Any

import numpy as np
import pytest
from formula_texts import formula
from hypothesis import given as forall
from hypothesis import strategies as st

from netc.compiler.dims import Dim, SymDim, make_symbol
from netc.compiler.dims import evaluate_dim as evaluate_size
from netc.compiler.ops.formula import (
    ARITHMETIC,
    FUNCTIONS,
    BinaryFormula,
    CallFormula,
    Const,
    Formula,
    IndexFormula,
    ItemFormula,
    ListFormula,
    UnaryFormula,
    is_static,
    iterate_parts,
)
from netc.compiler.ops.formula_bounds import decide_truth, find_interval, is_real, kind_of, may_be_zero
from netc.compiler.ops.formula_values import fold_formula
from netc.compiler.ops.interval_arithmetic import Interval, apply_binary, apply_function
from netc.compiler.streaming.causal_masks import HIDDEN, PairFormula
from netc.compiler.types.tensor_types import BOOL, FLOAT32

T = make_symbol("T")
SHAPE = (5, 7)
NUMBERS = [0, 1, -1, 2, 3, -4, 7, 0.0, -0.0, 0.5, -1.5, 2.0, 1e-3, True, False, T, 2 * T - 1]
EXTREMES = [2**53 + 1, -(2**62), 2**63 - 1, -(2**63), 1e308, -1e300, 5e-324, math.inf, -math.inf, math.nan, 1e16]
FEW = st.sampled_from(NUMBERS)
NUMPY: dict[str, Any] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.true_divide, "//": np.floor_divide, "%": np.remainder, "**": np.power,
    "==": np.equal, "!=": np.not_equal, "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
    "sin": np.sin, "cos": np.cos, "exp": np.exp, "log": np.log, "sqrt": np.sqrt, "floor": np.floor, "round": np.rint, "int": np.trunc,
    "abs": np.abs, "min": np.minimum, "max": np.maximum, "float32": np.float32,
}  # fmt: skip


def formulas(numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[Formula]:
    leaves = st.one_of(numbers.map(Const), st.sampled_from([IndexFormula(0), IndexFormula(1)]))

    def larger(inner: st.SearchStrategy[Formula]) -> st.SearchStrategy[Formula]:
        operators = st.sampled_from([*(op for op in NUMPY if not op.isalnum()), "and", "or"])
        functions = st.sampled_from([name for name, f in FUNCTIONS.items() if f.most == 1])
        known = numbers.filter(lambda n: not isinstance(n, SymDim)).map(Const)
        listed = st.builds(lambda *items: ListFormula(items), known, known, known)
        return st.one_of(
            st.builds(BinaryFormula, operators, inner, inner),
            st.builds(UnaryFormula, st.sampled_from(["-", "+", "not"]), inner),
            st.builds(lambda name, a, b: CallFormula(name, (a, b)), st.sampled_from(["min", "max"]), inner, inner),
            st.builds(lambda a, b, c: CallFormula("where", (a, b, c)), inner, inner, inner),
            st.builds(lambda name, a: CallFormula(name, (a,)), functions, inner),
            st.builds(lambda whole, at: ItemFormula(whole, (BinaryFormula("%", at, Const(3)),)), listed, inner),
        )

    return st.recursive(leaves, larger, max_leaves=8)


def value_at(f: Formula, at: tuple[int, ...], size: int, element: Any) -> Any:
    """The value at a position, by NumPy: numbers are of the one element type, and booleans count as numbers."""

    def number(part: Formula) -> Any:
        return element(value_at(part, at, size, element))

    def truth(part: Formula) -> Any:
        return bool(value_at(part, at, size, element) != 0)

    match f:
        case Const(value):
            return value if isinstance(value, bool) else element(evaluate_size(value, {"T": size}) if isinstance(value, SymDim) else value)
        case IndexFormula(axis):
            return element(at[axis])
        case UnaryFormula("not", operand):
            return not truth(operand)
        case UnaryFormula(op, operand):
            return np.negative(number(operand)) if op == "-" else number(operand)
        case BinaryFormula("and", left, right):
            return truth(left) and truth(right)
        case BinaryFormula("or", left, right):
            return truth(left) or truth(right)
        case CallFormula("where", (test, then, otherwise)):
            return value_at(then if truth(test) else otherwise, at, size, element)
        case ItemFormula(whole, (index,)):
            place = number(index)  # of a real index, which a table refuses, any item does
            return value_at(whole.items[int(place) % 3 if math.isfinite(place) else 0], at, size, element)
        case BinaryFormula(op, left, right):
            return NUMPY[op](number(left), number(right))
        case CallFormula("floor" | "round" | "int" as name, (argument,)) if element is np.int64:
            return number(argument)
        case CallFormula(name, arguments):
            return NUMPY[name](*map(number, arguments))
    raise TypeError(f)


def overflows(f: Formula, at: tuple[int, ...], size: int) -> bool:
    """Whether a part is too large for int64, which is not assumed of what depends on an unknown size."""
    values = (value_at(part, at, size, np.float64) for part in iterate_parts(f) if not isinstance(part, ListFormula))
    return any(abs(float(value)) >= 2.0**62 for value in values)


def check(f: Formula, sizes: tuple[Dim, ...], size: int) -> None:
    """That the interval holds the values at the corners of the table, and in it."""
    found, decided, real = find_interval(f, sizes), decide_truth(f, sizes), is_real(f, sizes)
    is_known = is_static(f) and not any(isinstance(d, SymDim) for d in sizes)
    extents = [evaluate_size(d, {"T": size}) for d in sizes]
    for at in product(*(sorted({n for n in (0, 1, extent - 1) if n in range(extent)}) for extent in extents)):
        with np.errstate(all="ignore"):
            if not is_known and overflows(f, at, size):
                continue
            value = np.asarray(value_at(f, at, size, np.float64 if real else np.int64)).item()
        if math.isnan(value):
            assert found.nan, (at, value)
        else:
            assert found.low <= value <= found.high, (at, value)
            assert math.isfinite(value) or found.infinite, (at, value)
        assert decided is None or decided is bool(value != 0), (at, value)
        assert value != 0 or may_be_zero(f, sizes), (at, value)
        if kind_of(f, sizes) == "int" and math.isfinite(value):
            assert value == int(value)


SIZES = st.sampled_from([(5, 7), (1, 4), (T, T), (T, 2 * T), (3, T), (0, 2), (2**40, 3)])


@forall(formulas(FEW), SIZES, st.sampled_from([1, 2, 9]))
def test_an_interval_holds_all_values(f: Formula, sizes: tuple[Dim, ...], size: int) -> None:
    check(f, sizes, size)
    check(fold_formula(f), sizes, size)


@forall(
    formulas(st.sampled_from([*(n for n in NUMBERS if not isinstance(n, SymDim)), *EXTREMES])),
    st.sampled_from([(5, 7), (1, 4), (2**40, 3)]),
)
def test_an_interval_holds_extreme_values(f: Formula, sizes: tuple[Dim, ...]) -> None:
    check(f, sizes, 1)


OPERANDS = [
    *("i", "-i", "i - 1", "1 - 2 * i", "i / 2", "i - 0.75", "exp(i)", "i < 1", "where(j < 1, i, 2.5)"),
    *("0", "3", "-2", "0.5", "-1.5", "0.0", "1e308", "-1e300", "5e-324", "1e400", "-1e400", "1e400 - 1e400"),
]
"""Numbers of each sign, of each kind, with zero at an end, inside and outside; small, large, infinite and none."""
HUGE = ["9007199254740993", "4611686018427387904 * i", "9223372036854775807", "-i * i - 9223372036854775800"]
"""Integers that float64 rounds, and that overflow."""


@pytest.mark.share(4)
@pytest.mark.parametrize("op", [*ARITHMETIC, "==", "!=", "<", "<=", "and", "or", "min", "max"])
def test_an_operator_on_all_kinds_of_operands(op: str) -> None:
    for left, right in product(OPERANDS + HUGE, repeat=2):
        text = f"{op}({left}, {right})" if op.isalnum() and len(op) == 3 and op != "and" else f"({left}) {op} ({right})"
        check(formula(text), (3, 2), 1)
        if op in ARITHMETIC and left not in HUGE and right not in HUGE:  # no overflow is assumed for an unknown size
            check(formula(text), (T, T), 3)


@pytest.mark.parametrize("name", ["-", "not", *(name for name, f in FUNCTIONS.items() if f.most == 1)])
def test_a_function_on_all_kinds_of_operands(name: str) -> None:
    for operand in OPERANDS + HUGE:
        for text in ("{0}", "({0}) - ({0})", "where({0}, 1, 2)"):
            check(formula(text.format(f"{name} ({operand})")), (3, 2), 1)


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("i < T", True),
        ("i < T - 1", None),
        ("T - j >= 1", True),
        ("i + j <= 2 * T - 2", True),
        ("i == T", False),
        ("2 ** i >= 1", True),
        ("0 * (i - T) == 0", True),
    ],
)
def test_an_index_is_below_an_unknown_size(text: str, truth: bool | None) -> None:
    assert decide_truth(formula(text), (T, T)) is truth


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("i - j", -6, 4), ("2 * i - 1", -1, 7), ("i * (j - 3)", -12, 12), ("(i - 2) ** 2", 0, 4), ("(i - 2) ** 3", -8, 8),
        ("(-1) ** i", -1, 1), ("(i - 3) // 2", -2, 0), ("(i - 3) % 2", 0, 1), ("i % 9", 0, 4), ("i % -3", -2, 0), ("abs(i - 3)", 0, 3),
        ("i / 2 - 1", -1, 1), ("1 / (i + 1)", 0.2, 1), ("min(i, j - 1)", -1, 4), ("floor(i * 0.75)", 0, 3), ("i - i", 0, 0),
        ("where(i < 5, i, 100)", 0, 4), ("(i + j) - i", 0, 6), ("i < 5 and j >= 0", 1, 1), ("sqrt(i + 5)", 5**0.5, 3),
        ("max(min(floor(log(i)), 3), 0)", 0, 1), ("max(i - j, 0) % 5", 0, 4), ("[3, 5, 4][i % 3]", 3, 5),
    ],
)  # fmt: skip
def test_bounds_are_as_narrow_as_that(text: str, low: float, high: float) -> None:
    found = find_interval(formula(text), SHAPE)
    assert (found.low, found.high, found.is_finite) == (low, high, True)


@forall(formulas(FEW), st.sampled_from([1, 2, 5]))
def test_a_proof_about_later_keys_holds_for_all_pairs(f: Formula, size: int) -> None:
    sizes: tuple[Dim, ...] = (T, T)
    truth, most = (PairFormula(f, sizes, 0, 1, element).bound_later() for element in (BOOL, FLOAT32))
    for query, key in product(range(size), range(size)):
        with np.errstate(all="ignore"):
            value = np.asarray(value_at(f, (query, key), size, np.float64 if is_real(f, sizes) else np.int64)).item()
        if key > query:
            assert truth is None or truth is bool(value != 0)
            assert most is None or (value <= most and (most <= HIDDEN or value == 0))


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("j > i", True), ("i >= j", False), ("i - j < 0", True), ("2 * j - 1 > 2 * i", True), ("j > i + 1", None),
        ("j // 4 <= i // 4", None), ("i // 4 <= j // 4", True), ("not (j > i or i == 7)", False), ("where(j > i, j != i, i)", True),
        ("max(i, j) == j", True),
    ],
)  # fmt: skip
def test_what_is_proved_of_later_keys(text: str, truth: bool | None) -> None:
    assert PairFormula(formula(text), (T, T), 0, 1, BOOL).bound_later() is truth


@forall(st.integers(-(2**62), 2**62), st.integers(-9, 9).filter(bool))
def test_the_quotient_of_two_integers_is_exact_and_that_of_floats_may_be_rounded(a: int, b: int) -> None:
    """Python's integers, and NumPy's float64, are the judges: above 2^53 the two differ."""
    exact = apply_binary("//", Interval(a, a), Interval(b, b), integers=True)
    assert (exact.low, exact.high) == (a // b, a // b)
    rounded = apply_binary("//", Interval(float(a), float(a)), Interval(float(b), float(b)), integers=False)
    assert rounded.low <= np.floor(np.float64(a) / np.float64(b)) <= rounded.high
    assert rounded.low <= np.floor_divide(np.float64(a), np.float64(b)) <= rounded.high


def integer_hull(op: str, a: Interval, b: Interval) -> Interval:
    """The least interval of all results, which Python computes."""
    ends = (range(int(i.low), int(i.high) + 1) for i in (a, b))
    results = [INTEGERS[op](x, y) for x, y in product(*ends)]
    return Interval(min(results), max(results))


SMALL = [Interval(low, high) for low in range(-4, 5) for high in range(low, 5)]
INTEGERS: dict[str, Any] = {"+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv, "%": operator.mod}


@pytest.mark.parametrize("op", INTEGERS)
def test_small_integers(op: str) -> None:
    """All intervals of small integers: nothing is left out, and no number is added, except to a remainder of several divisors."""
    for a, b in product(SMALL, SMALL):
        if op in ("//", "%") and b.has_zero:
            continue
        found, wanted = apply_binary(op, a, b, integers=True), integer_hull(op, a, b)
        assert found.low <= wanted.low, (a, b)
        assert found.high >= wanted.high, (a, b)
        is_whole = b.low == b.high and a.high - a.low >= abs(b.low) - 1  # each remainder occurs
        is_dividend = a.low >= 0 and a.high < b.low
        if op != "%" or is_whole or is_dividend:
            assert found == wanted, (a, b)


@pytest.mark.parametrize(("name", "function"), [("abs", abs), ("min", min), ("max", max)])
def test_functions_of_small_integers(name: str, function: Any) -> None:
    for intervals in product(SMALL, repeat=1 if name == "abs" else 2):
        results = [function(*numbers) for numbers in product(*(range(int(i.low), int(i.high) + 1) for i in intervals))]
        assert apply_function(name, intervals) == Interval(min(results), max(results)), intervals
