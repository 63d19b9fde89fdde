"""Tables: a formula computes what Python's arithmetic does, and what is known of it without computing it is true."""

import math
from itertools import product
from math import inf, nan

import numpy as np
import pytest
import torch
from formula_texts import formula
from hypothesis import assume
from hypothesis import given as forall
from hypothesis import strategies as st

import netc
from netc.compiler.dims import Facts, make_symbol
from netc.compiler.ops.constants import ParamOperator, TableOperator
from netc.compiler.ops.formula import FUNCTIONS, BinaryFormula, CallFormula, Const, Formula, IndexFormula, UnaryFormula, iterate_parts
from netc.compiler.ops.formula_bounds import kind_of
from netc.compiler.ops.formula_values import evaluate_formula, fold_formula
from netc.compiler.ops.initializers import INIT, with_values
from netc.compiler.ops.kinds import InvalidArgument
from netc.compiler.ops.operator import Init, OperatorError, OpInputs
from netc.compiler.types.tensor_types import DTYPES

T = make_symbol("T")
NOTHING = OpInputs((), Facts.empty(), ())
SHAPE = (5, 7)
FORMULAS = [
    "(i // 7 - j // 7 + 6) * 13 + (i % 7 - j % 7 + 6)",
    "sin(i / 10000 ** (2 * j / 8))",
    "where(j % 2 == 0, sin(i / 8), cos(i / 8))",
    "(i - 3) // 2 + (3 - i) % 3 * 10 + (i - 3) % -3 * 100",
    "(i - 2.5) // 1.5 + (2.5 - i) % 1.75",
    "floor(i / 2) + 2 ** j + (-1) ** (i + j)",
    "round(i / 2) + 10 * round(i * 0.75 - j) + 100 * int((j - i) * 0.75) + round(i) + int(j)",
    "2 ** -i",
    "min(i, j, 3) + max(i / 2, j)",
    "abs(i - j) * -0.5",
    "(i < j) + (j < i) * 2",
    "i < 3 and not j % 2",
    "exp(-i) + log(j + 1) + sqrt(i)",
    "where(i, 1, 0.5)",
    "1 < 2",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_counts_as_python_does(text: str) -> None:
    values = evaluate_formula(formula(text), SHAPE)
    names = {"sin": math.sin, "cos": math.cos, "exp": math.exp, "log": math.log, "sqrt": math.sqrt, "floor": math.floor}
    names |= {"round": round, "int": int, "where": lambda test, then, otherwise: then if test else otherwise}
    assert values.shape == SHAPE
    for i, j in product(*map(range, SHAPE)):
        expected = eval(text, {**names, "i": i, "j": j})
        assert values[i, j] == pytest.approx(expected, rel=1e-14), (i, j)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("i", "int"), ("i / 2", "float"), ("i // 2", "int"), ("i // 2.0", "float"), ("floor(i / 2)", "int"), ("i < j", "bool"),
        ("-(i < j)", "int"), ("2 ** i", "int"), ("2 ** -i", "float"), ("2 ** (i - j)", "float"), ("2 ** max(i - j, 0)", "int"),
        ("where(i, 1, 2)", "int"), ("where(i, 1, 2.0)", "float"), ("where(i, i < 1, j < 1)", "bool"),
        ("sqrt(4)", "float"), ("1.0", "float"),
    ],
)  # fmt: skip
def test_kinds(text: str, kind: str) -> None:
    assert kind_of(formula(text), SHAPE) == kind


def formulas() -> st.SearchStrategy[Formula]:
    leaves = st.one_of(
        st.integers(-4, 4).map(Const), st.sampled_from([0.5, -1.5, 2.0]).map(Const), st.sampled_from([IndexFormula(0), IndexFormula(1)])
    )

    def larger(inner: st.SearchStrategy[Formula]) -> st.SearchStrategy[Formula]:
        operators = st.sampled_from(["+", "-", "*", "/", "//", "%", "==", "<", "<=", "and", "or"])
        calls = st.sampled_from(["min", "max"])
        functions = st.sampled_from([name for name, f in FUNCTIONS.items() if f.most == 1])
        return st.one_of(
            st.builds(BinaryFormula, operators, inner, inner),
            st.builds(lambda a, n: BinaryFormula("**", a, Const(n)), inner, st.integers(0, 2)),
            st.builds(UnaryFormula, st.sampled_from(["-", "+", "not"]), inner),
            st.builds(lambda name, a, b: CallFormula(name, (a, b)), calls, inner, inner),
            st.builds(lambda a, b, c: CallFormula("where", (a, b, c)), inner, inner, inner),
            st.builds(lambda name, a: CallFormula(name, (a,)), functions, inner),
        )

    return st.recursive(leaves, larger, max_leaves=8)


def hidden(f: Formula) -> Formula:
    """The same with constants that depend on an index as far as can be seen: nothing of it can be folded."""
    match f:
        case Const():
            return BinaryFormula("+", f, BinaryFormula("*", IndexFormula(0), Const(0)))
        case UnaryFormula(op, operand):
            return UnaryFormula(op, hidden(operand))
        case BinaryFormula("**", left, right):
            return BinaryFormula("**", hidden(left), right)
        case BinaryFormula(op, left, right):
            return BinaryFormula(op, hidden(left), hidden(right))
        case CallFormula(name, arguments):
            return CallFormula(name, tuple(hidden(a) for a in arguments))
    return f


@forall(formulas())
def test_folding_changes_nothing(f: Formula) -> None:
    divisors = [p.right for p in iterate_parts(f) if isinstance(p, BinaryFormula) and p.op in ("//", "%")]
    assume(all((evaluate_formula(d, SHAPE) != 0).all() for d in divisors))
    whole = hidden(f)
    assert kind_of(fold_formula(f), SHAPE) == kind_of(f, SHAPE) == kind_of(whole, SHAPE)
    assert evaluate_formula(f, SHAPE).ravel().tolist() == pytest.approx(evaluate_formula(whole, SHAPE).ravel().tolist(), nan_ok=True)


def test_constants_of_different_kinds_differ() -> None:
    assert len({Const(1), Const(1.0), Const(True)}) == 3


def test_the_type_of_a_table() -> None:
    def element(text: str, **more: object) -> str:
        return str(TableOperator(indices=("i", "j"), shape=(3, 4), formula=formula(text), **more).check_and_infer(NOTHING)[0].dtype)

    assert [element(t) for t in ("i + j", "i / 2", "i < j")] == ["int64", "float32", "bool"]
    assert element("i", dtype=DTYPES["float16"]) == "float16"


def test_only_static_tables_are_buffers() -> None:
    static = TableOperator(indices=("i",), shape=(3,), formula=IndexFormula(0))
    (spec,) = static.parameters(NOTHING)
    assert (spec.name, spec.shape, spec.init, spec.trainable, spec.persistent) == ("", (3,), Init("table"), False, False)
    assert TableOperator(indices=("i",), shape=(3,), formula=IndexFormula(0), labeled=True).parameters(NOTHING)[0].persistent
    assert TableOperator(indices=("i",), shape=(T,), formula=IndexFormula(0)).parameters(NOTHING) == ()
    assert TableOperator(indices=("i",), shape=(3,), formula=BinaryFormula("*", IndexFormula(0), Const(T))).parameters(NOTHING) == ()


@pytest.mark.parametrize(
    ("text", "fine"),
    [("3 // i", False), ("3 % (i + 1)", True), ("3 // (i - 9)", True), ("3 % (i - 1)", False), ("3 / i", True), ("i // 7 ** 3", True)],
)
def test_integers_are_not_divided_by_zero(text: str, fine: bool) -> None:
    table = TableOperator(indices=("i",), shape=(4,), formula=formula(text))
    if fine:
        table.check_and_infer(NOTHING)
        return
    with pytest.raises(OperatorError) as caught:
        table.check_and_infer(NOTHING)
    assert caught.value.problem.code == "zero-divisor"


def test_initializers() -> None:
    assert INIT.convert_value("zeros") == Init("zeros")
    assert INIT.convert_value(0.5) == Init("constant", (0.5,))
    assert INIT.convert_value("normal") == with_values("normal", {}) == Init("normal", (1.0, 0.0))
    for wrong in ("gamma", None, True, "constant", Init("table")):
        with pytest.raises(InvalidArgument):
            INIT.convert_value(wrong)


def test_a_parameter_is_known_and_real() -> None:
    (spec,) = ParamOperator(shape=(1, 3), init=Init("ones")).parameters(NOTHING)
    assert (spec.name, spec.shape, spec.trainable) == ("", (1, 3), True)
    for wrong in (ParamOperator(shape=(T,)), ParamOperator(shape=(0,)), ParamOperator(shape=(2,), dtype=DTYPES["int64"])):
        with pytest.raises(OperatorError):
            wrong.check_and_infer(NOTHING)


def test_a_size_that_is_zero_divides_as_in_ieee_754() -> None:
    """Python would raise an error."""
    for text, expected in [("1 / (T - 4)", inf), ("0 / (T - 4)", nan), ("(0 - 1) / (T - 4)", -inf), ("(T - 5) ** 0.5", nan)]:
        model = netc.compile(f"x = input [T] batch=false; t = table (i) [T] = {text} + i; x + t")
        for found in (model.module()(torch.zeros(4)).numpy(), model.session()(np.zeros(4, np.float32))):
            assert np.array_equal(found, np.full(4, expected), equal_nan=True), text


def test_what_is_true_or_false_is_not_compared_with_zero() -> None:
    source = netc.compile("x = input [T, 4]; x + (table (i, j) [T, 4] = where(i < 2 and j < 3 or i > j, 1, 2))").source()
    assert "torch.where((i < 2) & (j < 3) | (i > j), 1, 2)" in source
