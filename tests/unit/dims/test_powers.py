"""Equal factors of a formula as a power. Python's own arithmetic is the judge."""

from __future__ import annotations

import random

import pytest

from netc.compiler.dims import Dim, dim_to_python, evaluate_dim, make_symbol

A, B = make_symbol("a"), make_symbol("b")
FACTORS = [A, B, A // 2, (A + 1) // 3, A % 3, B // A]


def _formula(draws: random.Random) -> Dim:
    total: Dim = 0
    for _ in range(draws.randint(1, 3)):
        term: Dim = draws.choice([1, -1, 2, -3])
        for factor in draws.choices(FACTORS, k=draws.randint(1, 4)):
            term = term * factor
        total = total + term
    return total // draws.choice([2, A, B * B]) if draws.random() < 0.3 else total


@pytest.mark.parametrize("seed", range(300))
def test_a_power_is_the_product(seed: int) -> None:
    draws = random.Random(seed)
    formula, values = _formula(draws), {"a": draws.randint(1, 9), "b": draws.randint(1, 9)}
    wanted = formula if isinstance(formula, int) else evaluate_dim(formula, values)
    for names in ({"a": "a", "b": "b"}, {"a": "a + 0", "b": "max(b, 0)"}):
        text = dim_to_python(formula, names, powers=True)
        assert eval(text, {**values}) == wanted, text


def test_forms() -> None:
    names = {"a": "a", "b": "b"}
    assert dim_to_python(4 * A * A * B, names, powers=True) == "4 * a**2 * b"
    assert dim_to_python((A // 2) * (A // 2) + 1, names, powers=True) == "(a // 2) ** 2 + 1"
    assert dim_to_python(B // (A * A), names, powers=True) == "b // (a**2)"
    assert dim_to_python(A * A, names) == "a * a"
