"""Arithmetic without what does nothing, and dropouts that drop nothing."""

from __future__ import annotations

import pytest
import torch

import netc
from tests.parity import agree


def computed(text: str) -> list[str]:
    """The lines of the last `forward`."""
    return [line.strip() for line in netc.compile(text).source().rpartition("-> Tensor:")[2].strip().splitlines()]


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("x * 1.0", "x"),
        ("1 * x / 1", "x"),
        ("x ** 1 - 0", "x"),
        ("x + 0", "x + 0"),  # another zero, where x is -0.0
        ("x - -3", "x + 3"),
        ("x + -1e30", "x - 1e30"),
        ("x + -x", "x - x"),
        ("x - -2 * x", "x + 2 * x"),
        ("-2 * x - x", "-2 * x - x"),
        ("x // 1", 'torch.div(x, 1, rounding_mode="floor")'),  # rounds
    ],
)
def test_floats(formula: str, expected: str) -> None:
    text = f"x = input 4; {formula}"
    assert computed(text) == [f"return {expected}"]
    agree(netc.compile(text))


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("x * 1 + 0", "x"),
        ("x // 1", "x"),
        ("x / 1", "x / 1"),  # a float
        ("x * 1.0", "x * 1.0"),
        ("x - -3", "x + 3"),
    ],
)
def test_integers(formula: str, expected: str) -> None:
    text = f"x = input 4 int64; {formula}"
    assert computed(text) == [f"return {expected}"]
    agree(netc.compile(text))


@pytest.mark.parametrize(("formula", "expected"), [("x + -3", "x + -3"), ("x * 1", "x * 1"), ("x + -y", "x + -y")])
def test_booleans_are_not_subtracted(formula: str, expected: str) -> None:
    text = f"x = input 4 bool; y = input 4; {formula}"
    assert computed(text) == [f"return {expected}"]
    agree(netc.compile(text))


def test_the_least_number_has_no_opposite() -> None:
    text = "x = input 4 int8; x + -128"
    assert computed(text) == ["return x + -128"]
    assert netc.compile(text).module()(torch.tensor([[0, 1, 2, 127]], dtype=torch.int8)).tolist() == [[-128, -127, -126, -1]]


def test_a_number_that_differs_between_uses_stays() -> None:
    source = netc.compile("block b(r) { x = in; sin(cos(x * r)) }; input 4 -> b 1 -> dense 4 -> b 2").source()
    assert "x * self.r" in source


def test_what_is_its_input_has_no_variable() -> None:
    assert computed("x = input 4; y = x -> identity; z = y * 1; sin(z) + cos(y)") == ["return torch.sin(x) + torch.cos(x)"]


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("k // 4 * a + k % 4 // a + 0", "k // 4 + k % 4"),
        ("k * 0.5 / a - -a", "torch.arange(16, dtype=torch.float64) * 0.5 + 1)"),
        ("1.0 * k / a", "torch.arange(16, dtype=torch.float64).float()"),
    ],
)
def test_formulas_of_tables(formula: str, expected: str) -> None:
    text = f"let a = 2 - 1; x = input 16; x * (table (k) [16] = {formula})"
    assert expected in netc.compile(text).source()
    agree(netc.compile(text))


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (7, ["k = torch.arange(7**4)", "k // 7**3 - k % 49 // 7"]),
        (8, ["k = torch.arange(8**4)", "k // 8**3 - k % 64 // 8"]),
        (2, ["k = torch.arange(16)", "k // 8 - k % 4 // 2"]),
    ],
)
def test_powers_of_a_divisor(window: int, expected: list[str]) -> None:
    text = f"let w = {window} + 0; t = table (k) [w ** 4] = k // w ** 3 - k % w ** 2 // w; x = input [3]; x * (t -> slice axis=0 stop=3)"
    source = netc.compile(text).source()
    assert all(code in source for code in expected)
    agree(netc.compile(text))


def test_sizes_are_no_powers() -> None:
    source = netc.compile("input 343 -> dense 2401 -> dense 1000").source()
    assert "nn.Linear(343, 2401)" in source
    assert "nn.Linear(2401, 1000)" in source


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("input 4 -> dropout 0 -> dense 4 -> relu", 0),
        ("input 4x4 -> alpha_dropout 0.0 -> dense 4 -> relu", 0),
        ("input 4x8x8 -> channel_dropout 0.0 -> conv 4 3 -> relu", 0),
        ("input 4 -> (dense 4 -> dropout 0.0) as mlp", 0),
        ("input 4 -> (dense 4 -> dropout 0.0 -> dense 4) as mlp", 1),
        ("block b(p) { in + (in -> dense 4 -> dropout p) }; input 4 -> b 0.0 -> b 0.0", 0),
        ("block b(p) { in + (in -> dense 4 -> dropout p) }; input 4 -> b 0.0 -> b 0.1", 1),
        ("x = input 4; shared d = dropout 0.0; (x -> d) + (x -> dense 4 -> d)", 0),
    ],
)
def test_dropouts_that_drop_nothing(text: str, count: int) -> None:
    model = netc.compile(text)
    assert model.source().count("Dropout(") == count
    assert list(model.module().state_dict()) == list(model.parameters)
    agree(model)
