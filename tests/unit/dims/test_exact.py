"""Products with exact quotients."""

from __future__ import annotations

import random

import pytest

from netc.compiler.dims import Dim, Facts, cancel_exact_quotients, evaluate_dim, make_symbol

H, D, K = (make_symbol(name, lower=None) for name in "HDK")
EXACT = Facts(multiples=((H, D),))
SEVEN = Facts(multiples=((7, D),))


@pytest.mark.parametrize(
    ("dim", "facts", "expected"),
    [
        (H * (D // H), EXACT, D),
        (3 * H * (D // H) + K, EXACT, 3 * D + K),
        (K * H * (D // H), EXACT, K * D),
        (H * (D // H) * H * (D // H), EXACT, D * D),
        (D // H, EXACT, D // H),
        (K * (D // K), EXACT, K * (D // K)),
        (H * (K // H), EXACT, H * (K // H)),
        (7 * (D // 7), SEVEN, D),
        (21 * (D // 7), SEVEN, 3 * D),
        (3 * (D // 7), SEVEN, 3 * (D // 7)),
        (7 * (K // 7), SEVEN, 7 * (K // 7)),
        (5, EXACT, 5),
    ],
)
def test_exact_products(dim: Dim, facts: Facts, expected: Dim) -> None:
    assert cancel_exact_quotients(dim, facts) == expected


def test_same_values() -> None:
    draw = random.Random(1)
    for _ in range(200):
        heads, times, other = draw.randint(1, 9), draw.randint(1, 9), draw.randint(1, 9)
        sizes = {"H": heads, "D": heads * times, "K": other}
        a, b = draw.choice([H, K, D, 2 * H]), draw.choice([D, 3 * D, D * K, D + H, K])
        dim = draw.randint(-3, 3) * a * (b // H) + K * H * (D // H)
        assert evaluate_dim(cancel_exact_quotients(dim, EXACT), sizes) == evaluate_dim(dim, sizes)
