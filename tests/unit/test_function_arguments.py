"""Calls of functions with one argument too few or too many, and with arguments of the wrong kind."""

from __future__ import annotations

import pytest

import netc
from netc.compiler.elaborate.builtins import BUILTINS, TENSOR_FUNCTIONS
from netc.compiler.ops.formula import FUNCTIONS

COUNTS: dict[str, tuple[int, int | None]] = {
    **dict.fromkeys(["min", "max", "sum", "zip"], (1, None)),
    **dict.fromkeys(["abs", "len", "sqrt", "exp", "log", "log2", "sin", "cos", "ceil", "floor", "int", "float", "given"], (1, 1)),
    **dict.fromkeys(["round", "enumerate"], (1, 2)),
    "range": (1, 3),
    **dict.fromkeys(["has_parameter", "parameter_shape", "parameter_init"], (3, 3)),
}
IN_FORMULAS: dict[str, tuple[int, int | None]] = {
    **dict.fromkeys(["sin", "cos", "exp", "log", "sqrt", "floor", "ceil", "round", "int", "float32", "abs"], (1, 1)),
    **dict.fromkeys(["min", "max"], (2, None)),
    "where": (3, 3),
}
NOT_NUMBERS = ("true", '"a"', "[1, 2]")
NO_TERMS = ("true", '"a"', "1, true", '[1, "a"]', "T, 0.5", "[1], 2")
WRONG_VALUES = {
    **dict.fromkeys(["min", "max"], (*NO_TERMS, "[]")),
    "sum": NO_TERMS,
    "zip": ("1", '"ab"', "[1], 2"),
    "len": ("1", "true", "T"),
    "range": ("true", "1.5", '"a"', "[3]", "T", "0, 4, 0", "0, 4.5", "0, 4, true"),
    "enumerate": ("3", "true", "[1], true", "[1], 1.5", '[1], "a"'),
    **dict.fromkeys(["abs", "ceil", "floor", "int"], NOT_NUMBERS),
    **dict.fromkeys(["sqrt", "exp", "log", "log2", "sin", "cos", "float"], (*NOT_NUMBERS, "T")),
    "round": (*NOT_NUMBERS, "T", "1.5, true", "1.5, 0.5", '1.5, "a"'),
}
"""Arguments that each function refuses. T is a dimension, whose size is not known."""


def _list_codes(text: str) -> list[str]:
    with pytest.raises(netc.CompileError) as caught:
        netc.compile(text)
    return [diagnostic.code for diagnostic in caught.value.diagnostics]


def _list_wrong_calls(name: str, argument: str, least: int, most: int | None) -> list[tuple[str, str]]:
    """Return calls of a function with the code that each one should have."""
    calls = [(f"{name}({', '.join([argument] * (least - 1))})", "missing-argument")]
    if most is not None:
        calls.append((f"{name}({', '.join([argument] * (most + 1))})", "too-many-arguments"))
    return calls


def test_every_function_has_a_count() -> None:
    assert COUNTS.keys() == {*BUILTINS, *TENSOR_FUNCTIONS}
    assert IN_FORMULAS.keys() == {*FUNCTIONS, "ceil"}


@pytest.mark.parametrize("name", COUNTS)
def test_wrong_number_of_arguments(name: str) -> None:
    for call, code in _list_wrong_calls(name, "x" if name == "given" else "2", *COUNTS[name]):
        assert _list_codes(f"block b(x?: [N, T]) {{ in -> dense 3 bias={call} }}\ninput 4 -> b") == [code], call


@pytest.mark.parametrize("name", IN_FORMULAS)
def test_wrong_number_of_arguments_in_a_formula(name: str) -> None:
    for call, code in _list_wrong_calls(name, "i", *IN_FORMULAS[name]):
        assert _list_codes(f"t = table (i) [4] = {call}\ninput 4 -> add t") == [code], call


@pytest.mark.parametrize("name", WRONG_VALUES)
def test_arguments_of_the_wrong_kind(name: str) -> None:
    for arguments in WRONG_VALUES[name]:
        assert _list_codes(f"input [T, 4] -> dense 3 bias={name}({arguments})") == ["wrong-value"], arguments


@pytest.mark.parametrize(
    ("call", "suggested"),
    [
        ("np.sqrt(4)", "sqrt"),
        ("math.floor(4)", "floor"),
        ("nn.zeros(4)", "zeros"),
        ("np.nothing_like_it(4)", ""),
        ("nothing_like_it(4)", ""),
        ("sqrtt(4)", "sqrt"),
    ],
)
def test_the_last_part_of_a_name_is_suggested_if_it_is_a_function(call: str, suggested: str) -> None:
    with pytest.raises(netc.CompileError) as caught:
        netc.compile(f"let n = {call}\ninput 4 -> dense n")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "unknown-name"
    assert [part for part in diagnostic.help if part.startswith("did you mean")] == [f"did you mean `{suggested}`?"] * bool(suggested)
