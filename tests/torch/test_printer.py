"""Code as text: precedence, literals, and lines that are too long."""

from __future__ import annotations

import ast
import math
from math import exp, inf, log, pi

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from netc.compiler.backends.python.code.class_tree import Argument, ListCode, NameCode, RepeatStar, SizeRef, Starred
from netc.compiler.backends.python.code.python_expressions import (
    AttributeCode,
    Code,
    Default,
    Infix,
    Lit,
    Method,
    Prefix,
    Probability,
    SliceCode,
    Subscript,
    TupleCode,
    call_function,
    call_method,
    construct_module,
)
from netc.compiler.backends.python.printing.line_layout import WIDTH, Doc, LayoutBracket, layout_statement
from netc.compiler.backends.python.printing.python_printer import make_doc, print_code
from netc.compiler.backends.torch.ops.shape import emit_reshaped
from netc.compiler.backends.torch.torch_framework import get_torch_dtype
from netc.compiler.types.tensor_types import DTYPES

a, b, c = NameCode("a"), NameCode("b"), NameCode("c")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (Infix("*", Infix("+", a, b), c), "(a + b) * c"),
        (Infix("+", Infix("*", a, b), c), "a * b + c"),
        (Infix("-", a, Infix("-", b, c)), "a - (b - c)"),
        (Infix("-", Infix("-", a, b), c), "a - b - c"),
        (Infix("**", Infix("**", a, b), c), "(a**b) ** c"),
        (Infix("**", a, Infix("**", b, c)), "a ** b**c"),
        (Infix("**", Lit(-1), a), "(-1) ** a"),
        (Infix("**", Lit(2), Prefix("-", a)), "2**-a"),
        (Prefix("-", Infix("**", a, Lit(2))), "-a**2"),
        (Prefix("-", Infix("*", a, b)), "-(a * b)"),
        (Infix("&", Infix("==", a, b), Infix("<", b, c)), "(a == b) & (b < c)"),
        (Infix("==", Infix("==", a, b), c), "(a == b) == c"),
        (Method(Infix("+", a, b), "sum"), "(a + b).sum()"),
        (Method(Lit(-1), "item"), "(-1).item()"),
        (AttributeCode(Infix("@", a, b), "mT"), "(a @ b).mT"),
        (Subscript(a, (SliceCode(), SliceCode(Lit(1), None, Lit(2)), Lit(None))), "a[:, 1::2, None]"),
        (Subscript(a, (SliceCode(None, SizeRef("T - 1", ())),)), "a[: T - 1]"),
        (Infix("*", SizeRef("T - 1", ()), Lit(2)), "(T - 1) * 2"),
        (Infix("*", Argument("w", 4), Lit(2)), "4 * w * 2"),
        (Infix("*", Lit(2), Argument("depth", 1, -1)), "2 * (depth - 1)"),
        (TupleCode((a,)), "(a,)"),
        (TupleCode(()), "()"),
        (call_function("f", Starred(Infix("|", a, b))), "f(*a | b)"),
        (call_function("f", x=Default(1, 1), y=Default(2, 1)), "f(y=2)"),
        (call_function("f", x=Default(True, 1)), "f(x=True)"),
        (call_function("f", x=Default((2, 3), (2, 3)), y=Default((2, 2), 2)), "f(y=(2, 2))"),
        (call_function("f", a, axis=(2, 3)), "f(a, axis=(2, 3))"),  # a pair is a tuple, not a value with its default
        (call_function("f", a, axis=(2, 2)), "f(a, axis=(2, 2))"),
        (call_method(a, "mean", axis=(1, 2)), "a.mean(axis=(1, 2))"),
        (construct_module("f", {"size": (2, 3)}, stride=(1, 1)), "f((2, 3), stride=(1, 1))"),
        (construct_module("nn.Linear", {"in_features": 3, "out_features": 4}, bias=Default(False, True)), "nn.Linear(3, 4, bias=False)"),
        (call_function("nn.Sequential", a, RepeatStar(a, Lit(1)), b), "nn.Sequential(a, a, b)"),
        (call_function("nn.Sequential", a, RepeatStar(a, Lit(4))), "nn.Sequential(*(a for _ in range(5)))"),
        (call_function("nn.Sequential", a, RepeatStar(a, Lit(0))), "nn.Sequential(a)"),
        (call_function("nn.ModuleList", ListCode((a, RepeatStar(a, Argument("depth", 1, -1))))), "nn.ModuleList(a for _ in range(depth))"),
        (call_function("nn.ModuleList", ListCode((a, b))), "nn.ModuleList([a, b])"),
    ],
)
def test_text(code: Code, expected: str) -> None:
    assert print_code(code) == expected
    ast.parse(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1e-5, "1e-5"),
        (2.5e20, "2.5e20"),
        (-1e9, "-1e9"),
        (1e6, "1e6"),
        (100000.0, "100000.0"),
        (1500000.0, "1500000.0"),
        (0.0, "0.0"),
        (0.1, "0.1"),
        (0.2 * 12 / 16, "0.15000000000000002"),
        (1 / 3, "1 / 3"),
        (-1 / 3, "-1 / 3"),
        (0.2 / 11, "0.2 / 11"),
        (0.2 * 3 / 11, "0.05454545454545456"),
        (512**0.5, "512**0.5"),
        (32**-0.5, "32**-0.5"),
        (1 / 128**0.5, "1 / 128**0.5"),
        (log(8), "math.log(8)"),
        (2 * pi, "2 * math.pi"),
        (exp(-0.3), "0.7408182206817179"),
        (2.0, "2.0"),
        (-1e30, "-1e30"),
        (int(-1e30), "-1e30"),
        (2**63 - 1, "9223372036854775807"),
        (10**30, "1" + "0" * 30),
        (10**400, "1" + "0" * 400),
        (-inf, '-float("inf")'),
        ("it's", '"it\'s"'),
        ('"', '"\\""'),
        (None, "None"),
        (True, "True"),
        ((1, (2,)), "(1, (2,))"),
        (get_torch_dtype(DTYPES["bfloat16"]), "torch.bfloat16"),
    ],
)
def test_literals(value: object, expected: str) -> None:
    assert print_code(Lit(value)) == expected  # type: ignore[arg-type]


@given(st.floats() | st.fractions(max_denominator=200).map(float) | st.integers(1, 5000).map(lambda n: n**0.5))
def test_the_text_of_a_number_is_that_number(value: float) -> None:
    assert repr(eval(print_code(Lit(value)), {"math": math, "float": float})) == repr(value)


@pytest.mark.parametrize(
    ("p", "expected"),
    [
        (0.0, "0.0"),
        (0.2, "0.2"),
        (0.2 * 12 / 16, "0.15"),
        (0.2 * 3 / 11, "0.6 / 11"),
        (0.1 * 26 / 35, "2.6 / 35"),
        (0.123456789, "0.123456789"),
        (exp(-2.0), "0.1353352832366127"),
    ],
)
def test_probabilities_have_no_rounding_errors(p: float, expected: str) -> None:
    assert print_code(Probability(p)) == expected


@given(st.floats(0, 1))
def test_a_probability_stays_what_it_is(p: float) -> None:
    assert eval(print_code(Probability(p)), {"math": math}) == pytest.approx(p, rel=1e-14, abs=0)


def test_a_number_that_is_a_formula_is_an_operand_in_brackets() -> None:
    assert print_code(Infix("/", a, Lit(1 / 3))) == "a / (1 / 3)"
    assert print_code(Infix("+", a, Lit(1 / 3))) == "a + 1 / 3"
    assert print_code(Infix("**", Lit(512**0.5), a)) == "(512**0.5) ** a"
    assert print_code(Infix("*", a, Lit(512**0.5))) == "a * 512**0.5"


def lines(code: Code) -> list[str]:
    return layout_statement("value = ", make_doc(code), 2)


def test_what_fits_stays() -> None:
    assert lines(call_function("f", a)) == ["        value = f(a)"]


def test_arguments_on_the_next_line_and_then_one_a_line() -> None:
    words = [NameCode("twenty_four_characters_" + str(i)) for i in range(5)]
    assert lines(call_function("f", *words[:4])) == [
        "        value = f(",
        "            " + ", ".join(w.text for w in words[:4]),
        "        )",
    ]
    assert lines(call_function("f", *words)) == ["        value = f(", *(f"            {w.text}," for w in words), "        )"]


def test_many_numbers_fill_lines() -> None:
    found = lines(call_function("f", *(Lit(i) for i in range(60))))
    assert (found[0], found[-1], len(found)) == ("        value = f(", "        )", 5)
    assert min(map(len, found[1:3])) > WIDTH - 8
    ast.parse("\n".join(line.removeprefix(" " * 8) for line in found))


def test_sums_get_brackets() -> None:
    long = Infix("+", Infix("+", NameCode("a" * 40), NameCode("b" * 40)), NameCode("c" * 40))
    assert lines(long) == [
        "        value = (",
        f"            {'a' * 40}",
        f"            + {'b' * 40}",
        f"            + {'c' * 40}",
        "        )",
    ]


def test_the_last_wide_bracket_is_opened() -> None:
    inner = call_function("f", NameCode("a" * 60), NameCode("b" * 40))
    assert lines(call_method(inner, "sum", dim=1))[0] == "        value = f("
    assert lines(call_method(inner, "sum", dim=1))[-1] == "        ).sum(dim=1)"


def test_lines_are_never_too_long() -> None:
    code: Code = NameCode("x")
    for level in range(12):
        code = call_function(f"function_{level}", code, NameCode("y" * 20), key=Lit(level))
    found = lines(code)
    assert max(map(len, found)) <= WIDTH
    ast.parse("\n".join(line.removeprefix(" " * 8) for line in found))


@pytest.mark.parametrize(("first", "last", "broken"), [(80, 60, "last"), (80, 40, "last"), (80, 38, "first"), (40, 80, "last")])
def test_the_last_bracket_is_broken_if_it_is_not_small(first: int, last: int, broken: str) -> None:
    """It is small below half the width of the widest."""
    brackets = {"first": LayoutBracket("(", [Doc("x" * (first - 2))], ")"), "last": LayoutBracket("[", [Doc("y" * (last - 2))], "]")}
    lines = layout_statement("", Doc("f", brackets["first"], "t" * 10, brackets["last"]), 0 if first + last > WIDTH else 16)
    assert lines[0].lstrip() == {"first": "f(", "last": f"f({'x' * (first - 2)}){'t' * 10}["}[broken]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((5, 1, 4), (5, 4), "a.squeeze(1)"),
        ((1, 5, 1, 4), (5, 4), "a.squeeze((0, 2))"),
        ((5, 1, 4), (5, 2, 2), "a.reshape(5, 2, 2)"),
        ((5, 2, 1, 4), (5, 8), "a.flatten(1)"),
        ((5, 2, 4, 3), (5, 8, 3), "a.flatten(1, 2)"),
        ((5, 8), (5, 2, 4), "a.unflatten(-1, (2, 4))"),
        ((5, 8, 3), (5, 2, 4, 3), "a.unflatten(1, (2, 4))"),
        ((5, 4), (5, 1, 4), "a.unsqueeze(1)"),
        ((5, 4), (5, 4, 1), "a.unsqueeze(-1)"),
    ],
)
def test_the_shortest_reshape(before: tuple[int, ...], after: tuple[int, ...], expected: str) -> None:
    text = print_code(emit_reshaped(a, before, after))
    assert text == expected
    assert tuple(eval(text, {"a": torch.zeros(before)}).shape) == after
