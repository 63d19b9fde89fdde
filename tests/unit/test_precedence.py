"""Printers write brackets where they are needed: what the parser of the language reads back is the same tree."""

from __future__ import annotations

import ast as python
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from formula_texts import formula
from hypothesis import given as forall
from hypothesis import strategies as st

from netc.compiler.backends.net import spec_tree
from netc.compiler.backends.net.spec_printer import SpecPrinter
from netc.compiler.backends.net.table_formulas import formula_to_tree
from netc.compiler.backends.python.code.class_tree import Argument, NameCode, SizeRef
from netc.compiler.backends.python.code.python_expressions import Infix, Lit, Prefix, call_function
from netc.compiler.backends.python.printing.python_printer import print_code
from netc.compiler.dims import dim_max, make_symbol
from netc.compiler.ops.formula import BinaryFormula, CallFormula, Const, Formula, IndexFormula, ItemFormula, ListFormula, UnaryFormula
from netc.dsl import ast
from netc.dsl.parser import parse_source
from netc.dsl.precedence import NET
from netc.dsl.source import SourceFile

T = make_symbol("T")
NUMBERS = [0, 3, -2, 1.5, -0.5, 512**0.5, 1e-5, 1e30, 2 * T, T, T + 1, dim_max(T, 5)]
WRITTEN = {2 * T: "(2*T)", T: "T", T + 1: "(T+1)", dim_max(T, 5): "max(T, 5)", 512**0.5: "(512**0.5)", 0.4 / 11: "(0.4/11)"}
ARITHMETIC = ("+", "-", "*", "/", "//", "%", "**")
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
PYTHON = {
    **dict(zip((python.Add, python.Sub, python.Mult, python.Div, python.FloorDiv, python.Mod, python.Pow), ARITHMETIC, strict=True)),
    **dict(zip((python.Eq, python.NotEq, python.Lt, python.LtE, python.Gt, python.GtE), COMPARISONS, strict=True)),
    python.MatMult: "@", python.BitAnd: "&", python.BitOr: "|", python.BitXor: "^", python.LShift: "<<", python.RShift: ">>",
    python.USub: "-", python.Invert: "~", python.Not: "not", python.And: "and", python.Or: "or",
}  # fmt: skip


def trees(leaves: Sequence[Any], prefixes: Sequence[str], infixes: Sequence[str]) -> st.SearchStrategy[Any]:
    """Trees as tuples: `("+", left, right)`, `("-", operand)`, and leaves."""
    return st.recursive(
        st.sampled_from(leaves),
        lambda inner: st.one_of(st.tuples(st.sampled_from(prefixes), inner), st.tuples(st.sampled_from(infixes), inner, inner)),
        max_leaves=8,
    )


def nested(leaves: Sequence[Any], prefixes: Sequence[str], infixes: Sequence[str]) -> Iterator[Any]:
    """Every operator within every other one, on each side, and every leaf."""
    first, *_ = leaves
    inner = [*leaves, *((op, first) for op in prefixes), *((op, first, first) for op in infixes)]
    yield from ((op, operand) for op in prefixes for operand in inner)
    for op in infixes:
        yield from ((op, operand, first) for operand in inner)
        yield from ((op, first, operand) for operand in inner)


def bracketed(tree: Any) -> str:
    """The tree with all brackets."""
    match tree:
        case (op, operand):
            return f"({op} {bracketed(operand)})"
        case (op, left, right):
            return f"({bracketed(left)}{op}{bracketed(right)})"
        case str():
            return tree
    return WRITTEN.get(tree) or (repr(tree) if tree >= 0 else f"(- {-tree!r})")


# --- the language -----------------------------------------------------------------------------------------------------------


def formula_of(tree: Any) -> Formula:
    match tree:
        case (op, operand):
            return UnaryFormula(op, formula_of(operand))
        case (op, left, right):
            return BinaryFormula(op, formula_of(left), formula_of(right))
        case "i" | "j":
            return IndexFormula("ij".index(tree))
        case "sin(i)":
            return CallFormula("sin", (IndexFormula(0),))
        case "[1, 2][i]":
            return ItemFormula(ListFormula((Const(1), Const(2))), (IndexFormula(0),))
    return Const(tree)


def read(node: Any) -> str:
    """What was parsed, with all brackets."""
    match node:
        case ast.Unary(op=op, operand=operand) | ast.TensorUnary(op=op, operand=operand):
            return f"({op} {read(operand)})"
        case ast.Binary(op=op, left=left, right=right) | ast.TensorBinary(op=op, left=left, right=right):
            return f"({read(left)}{op}{read(right)})"
        case ast.NumberLiteral(value=value) | ast.Scalar(value=value):
            return repr(value)
        case ast.Name(name=name) | ast.Apply(name=name):
            return name
        case ast.Group(members=(ast.Pipeline(head=head, stages=()),)) | ast.Pipeline(head=head, stages=()):
            return read(head)
    return str(node.span.text)


def parsed(text: str) -> Any:
    file, problems = parse_source(SourceFile("example", text))
    assert not problems, text
    return file.items[0]


FORMULAS = ["i", "j", "sin(i)", "[1, 2][i]", *NUMBERS], ("-", "not"), (*ARITHMETIC, *COMPARISONS, "and", "or")


def test_formulas_within_formulas_are_read_as_they_were_written() -> None:
    for tree in nested(*FORMULAS):
        check_formula(tree)


@forall(trees(*FORMULAS))
def test_a_formula_is_read_as_it_was_written(tree: Any) -> None:
    check_formula(tree)


def check_formula(tree: Any) -> None:
    written = SpecPrinter(()).print_expression(formula_to_tree(formula_of(tree), ("i", "j")))
    statement = parsed(f"t = table (i, j) [2, 3] = {written}")
    assert read(statement.value.head.formula) == bracketed(tree), written


@pytest.mark.parametrize(
    "text",
    [
        *(
            "i ** 2 * 3 - j // 2",
            "1e-5 * i",
            "not i < 3 and j == 2 or i",
            "-i ** 2",
            "(-2) ** i",
            "(i + j) * 2",
            "i - (j - 1)",
            "2 ** i ** j",
        ),
        *("max(i + 1, 5) ** 2", "[1, 2][i - 1] * 3", "i * -3", "(i < j) == (j < i)", "(not i) + 1", "max(T, 5) // i", "i // T % 2"),
    ],
)
def test_no_bracket_is_written_that_is_not_needed(text: str) -> None:
    assert SpecPrinter(()).print_expression(formula_to_tree(formula(text), ("i", "j"))) == text


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("max(T + 1, 5)", ""),
        ("(T + 1)//2", "//"),
        ("x.shape[i - 1]", ""),
        ("-2*T", "*"),
        ("1e-5", ""),
        ("-1e-5", "neg"),
        ("2**0.5 + 1", "+"),
    ],
)
def test_the_strength_of_a_text_is_that_of_its_loosest_operator(text: str, op: str) -> None:
    assert NET.strength_of_text(text) == (NET.binding_strength(op) if op else NET.atom)


def tensor_of(tree: Any) -> Any:
    match tree:
        case (op, operand):
            return spec_tree.Prefix(op, tensor_of(operand))
        case (op, left, right):
            return spec_tree.Binary(op, tensor_of(left), tensor_of(right))
        case "a" | "b":
            return spec_tree.Ref("ab".index(tree))
    return spec_tree.Literal(tree)


TENSORS = ["a", "b", 3, 1.5], ("-",), (*ARITHMETIC, "@", *COMPARISONS)


def test_arithmetic_within_arithmetic_is_read_as_it_was_written() -> None:
    for tree in nested(*TENSORS):
        check_arithmetic(tree)


@forall(trees(*TENSORS))
def test_arithmetic_with_tensors_is_read_as_it_was_written(tree: Any) -> None:
    check_arithmetic(tree)


def check_arithmetic(tree: Any) -> None:
    written = SpecPrinter(("a", "b")).print_expression(tensor_of(tree))
    assert read(parsed(f"t = {written}").value) == bracketed(tree), written


# --- Python -----------------------------------------------------------------------------------------------------------------


def code_of(tree: Any) -> Any:
    match tree:
        case (op, operand):
            return Prefix("not " if op == "not" else op, code_of(operand))
        case (op, left, right):
            return Infix(op, code_of(left), code_of(right))
        case "a" | "b":
            return NameCode(tree)
        case "f(a)":
            return call_function("f", NameCode("a"))
        case "(a+1)":
            return Argument("a", 1, 1)
        case "((2*a)//b)":
            return SizeRef("2 * {0} // {1}", (NameCode("a"), NameCode("b")))
        case "((a-1)//2)":
            return SizeRef("({0} - 1) // 2", (NameCode("a"),))
    return Lit(tree)


def read_python(node: python.expr) -> str:
    match node:
        case python.UnaryOp(op, operand):
            return f"({PYTHON[type(op)]} {read_python(operand)})"
        case python.BinOp(left, op, right) | python.Compare(left, [op], [right]):
            return f"({read_python(left)}{PYTHON[type(op)]}{read_python(right)})"
        case python.BoolOp(op, [*values]):
            made = read_python(values[0])
            for value in values[1:]:
                made = f"({made}{PYTHON[type(op)]}{read_python(value)})"
            return made
    return python.unparse(node)


CODE = (
    ["a", "b", "f(a)", "(a+1)", "((2*a)//b)", "((a-1)//2)", 3, -2, 1.5, 512**0.5, 0.4 / 11, 1e-30],
    ("-", "~", "not"),
    (*ARITHMETIC, *COMPARISONS, "@", "&", "|", "^", "<<", ">>", "and", "or"),
)


def test_code_within_code_is_read_as_it_was_written() -> None:
    for tree in nested(*CODE):
        check_code(tree)


@forall(trees(*CODE))
def test_code_is_read_as_it_was_written(tree: Any) -> None:
    check_code(tree)


def check_code(tree: Any) -> None:
    written = print_code(code_of(tree))
    assert read_python(python.parse(written, mode="eval").body) == bracketed(tree), written
