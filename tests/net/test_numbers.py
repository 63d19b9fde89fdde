"""Numbers in the text of a model: what a reader can see of them. The judge is Python's own arithmetic."""

from __future__ import annotations

from math import inf, nan, pi, sqrt

import pytest
import torch

import netc
from netc.compiler.backends.net.spec_source import write_program
from netc.compiler.backends.net.written_values import print_literal


@pytest.mark.parametrize("number", [2, 3, 8, 63, 64 * 3, 5000])
@pytest.mark.parametrize("power", [0.5, -0.5])
@pytest.mark.parametrize("sign", [1, -1])
def test_roots_of_integers(number: int, power: float, sign: int) -> None:
    value = sign * float(number) ** power
    text = print_literal(value)
    assert text in (f"{number} ** {power}", f"-({number} ** {power})")
    assert eval(text) == value


@pytest.mark.parametrize(
    "value", [0.0, -0.0, 1.5, 0.125, 4.0, 1e-5, -1e9, pi, inf, -inf, 5e-324, 1.7e308, sqrt(2) * (1 + 2**-52), 1 / 3, 1234567.1234567]
)
def test_other_numbers(value: float) -> None:
    assert float(print_literal(value)) == value


def test_a_number_that_is_none() -> None:
    assert print_literal(nan) == "nan"


@pytest.mark.parametrize(
    "text",
    [
        "x = input 8; w = param [8] init=uniform(-0.3535533905932738, 0.3535533905932738) as w; x * w\n",
        "x = input 8; x / 2.8284271247461903 - x * -0.3535533905932738 + 2.8284271247461903 ** x\n",
        "x = input 8; x -> leaky_relu 0.3535533905932738 -> dense 8 (elu 0.3535533905932738)\n",
        "x = input 8; x -> repeat a in [0.3535533905932738, 0.5] { dense 8 -> leaky_relu a }\n",
        "block f(a) { dense 8 -> leaky_relu a -> dense 8 }; x = input 8; x -> f 0.3535533905932738 -> f 0.5\n",
        "x = input 8; mask = table (i) [8] = i * 0.3535533905932738; x + mask\n",
    ],
)
def test_texts_mean_the_same(text: str) -> None:
    model = netc.compile(text)
    written = write_program(model.program)
    other = netc.compile(written)
    assert "0.35355" not in written or "table" in written
    assert model.module(seed=1)(example()).equal(other.module(seed=1)(example()))


def example() -> torch.Tensor:
    return torch.linspace(-3, 3, 16).reshape(2, 8)


def test_negative_bases_of_tables_keep_their_brackets() -> None:
    model = netc.compile("x = input [5]; m = table (i) [5] float32 = (-1) ** i + 2 ** -i - -3 * i; x + m")
    text = write_program(model.program)
    wanted = torch.tensor([(-1.0) ** i + 2.0**-i + 3 * i for i in range(5)])
    torch.testing.assert_close(netc.compile(text).module()(torch.zeros(1, 5))[0], wanted)
