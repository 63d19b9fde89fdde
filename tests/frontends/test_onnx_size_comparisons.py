"""Comparisons of sizes that an ONNX file computes: what is known holds for all sizes, as Python's own comparisons say."""

from __future__ import annotations

import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from frontends.onnx_models import model, node

from netc.compiler.dims import Condition, Dim, OneOf, evaluate_dim, make_symbol
from netc.compiler.dims.facts import Facts
from netc.compiler.frontends.onnx import from_model
from netc.compiler.frontends.onnx.input_dimensions import guess_conditions, parse_condition, parse_stated_condition
from netc.compiler.frontends.onnx.onnx_values import Known, SizeRatio, Sizes
from netc.compiler.frontends.onnx.shape_arithmetic import evaluate_elementwise

T = make_symbol("T")
PYTHON: dict[str, Callable[[Any, Any], Any]] = {
    "Equal": operator.eq,
    "Greater": operator.gt,
    "GreaterOrEqual": operator.ge,
    "Less": operator.lt,
    "LessOrEqual": operator.le,
}
RIGHT = np.array([0, 1, 2, 5])


def compare(op: str, left: list[Dim], right: np.ndarray[Any, Any] = RIGHT) -> Any:
    sizes = np.empty(len(left), object)
    sizes[:] = left
    return evaluate_elementwise(op, [Sizes(sizes), Known(right)], Facts.empty())


@pytest.mark.parametrize("op", PYTHON)
def test_an_answer_holds_for_all_sizes(op: str) -> None:
    decided = 0
    for size in (T, T + 1, 2 * T, T + 5, 3):
        for number in RIGHT:
            answer = compare(op, [size], np.array([number]))
            truths = {bool(PYTHON[op](evaluate_dim(size, {"T": at}), number)) for at in range(1, 12)}
            if answer is not None:
                assert truths == {bool(answer.array[0])}
                decided += 1
    assert decided > 5


@pytest.mark.parametrize("op", PYTHON)
def test_several_sizes_have_an_answer_only_if_each_has_one(op: str) -> None:
    """`T` may be 2 or not: the others are known."""
    undecided = compare(op, [3, T + 1, T, T + 5], np.array([0, 1, 2, 5]))
    assert undecided is None
    known = compare(op, [3, 4, 5, 2], RIGHT)
    assert known.array.tolist() == [bool(PYTHON[op](a, b)) for a, b in zip([3, 4, 5, 2], RIGHT.tolist(), strict=True)]


# --- conditions as texts, which are parsed and suggested -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "left", "op", "right"),
    [
        ("H % 32 == 0", "H % 32", "==", "0"),
        ("2 * T - 1 <= S", "2 * T - 1", "<=", "S"),
        ("T // 3 == S", "T // 3", "==", "S"),
        ("4 * T / 2 >= -S + 9", "2 * T", ">=", "9 - S"),
        ("S == min(S, T)", "S", "<=", "T"),
        ("S == min(T, S)", "S", "<=", "T"),
        ("min(S, T) == S", None, None, None),
        ("S == min(T, 3)", None, None, None),
        ("T = 3", None, None, None),
        ("T / 3 == S", None, None, None),
        ("t + 1 == 2 if T else 3", None, None, None),
        (f"T <= {2**62}", None, None, None),
    ],
)
def test_a_condition_as_python_reads_it(text: str, left: str | None, op: str | None, right: str | None) -> None:
    condition = parse_condition(text)
    assert (condition is None) == (left is None)
    if condition is None or left is None or right is None:
        return
    assert condition.op == op
    for number in range(1, 40):
        sizes = {"T": number, "S": 3 * number % 7 + 1, "H": number}
        assert [evaluate_dim(d, sizes) for d in (condition.left, condition.right)] == [eval(part, {}, sizes) for part in (left, right)]


def test_listed_sizes() -> None:
    assert parse_stated_condition("T in [0, 8]") == OneOf(T, (0, 8))
    assert parse_stated_condition("T + 1 <= 8") == Condition("<=", T + 1, 8)
    for text in ("T in []", "T in [S, 8]", "T in 8", "T in [8"):
        assert parse_stated_condition(text) is None


@pytest.mark.parametrize(
    ("dim", "suggested", "rest"),
    [
        (T // 4, ["T % 4 == 0"], lambda t: t % 4),
        (T // 2 // 3, ["T % 6 == 0"], lambda t: t % 6),
        ((T + 1) // 4, ["T % 4 == 0", "T % 4 == 3"], lambda t: (t + 1) % 4),  # a multiple of 4 first: it may have been rounded up
        (2 * (T // 4) + 1, ["T % 4 == 0"], lambda t: t % 4),
        ((2 * T + 2) // 4, ["T % 2 == 0", "T % 2 == 1"], lambda t: (2 * t + 2) % 4),
        (T * 3, [], None),
    ],
)
def test_suggested_conditions_make_divisions_exact(dim: Dim, suggested: list[str], rest: Callable[[int], int] | None) -> None:
    assert guess_conditions(dim) == suggested
    if rest is not None:
        sizes = range(1, 200)
        assert [t for t in sizes if eval(suggested[-1], {}, {"T": t})] == [t for t in sizes if rest(t) == 0]


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div"])
def test_fractions_are_computed_as_python_does(op: str) -> None:
    """Factors of a Resize are fractions of sizes: at each size, the result is the fraction that Python computes."""
    python = {"Add": operator.add, "Sub": operator.sub, "Mul": operator.mul, "Div": operator.truediv}[op]
    for number in (0.5, 1.25, 3.0):
        sizes, known = np.empty(2, object), Known(np.array([number, number], np.float32))
        sizes[:] = [SizeRatio(T + 1, 3), SizeRatio(2 * T, 1)]
        result = evaluate_elementwise(op, [Sizes(sizes), known], Facts.empty())
        assert isinstance(result, Sizes)
        for at in range(1, 8):
            wanted = [python(Fraction(at + 1, 3), Fraction(number)), python(Fraction(2 * at), Fraction(number))]
            parts = [item if isinstance(item, SizeRatio) else SizeRatio(item, 1) for item in result.items]
            assert [Fraction(evaluate_dim(p.top, {"T": at}), evaluate_dim(p.bottom, {"T": at})) for p in parts] == wanted


def test_names_of_axes_that_are_formulas() -> None:
    """One sign is enough for a formula; a text that is none is a name."""
    made = from_model(model([node("Relu", ["x"], ["y"])], {"x": ["S", "T", "T + 1", "T-1", "2*T", "a b"]}, ["y"]))
    (x,) = made.program.main.inputs
    assert [str(d) for d in x.type.shape[1:5]] == ["T", "T + 1", "T - 1", "2*T"]
    assert str(x.type.shape[5]).isidentifier()
