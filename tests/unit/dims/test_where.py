"""What `where` makes of symbols, what follows from it, and which `where` would settle what does not."""

from __future__ import annotations

import pytest

from netc.compiler.dims import (
    Condition,
    Dim,
    OneOf,
    bounds,
    dim_max,
    dim_min,
    dim_to_python,
    evaluate_dim,
    format_dim,
    free_symbols,
    invert_linear,
    make_symbol,
    suggest_divisibility,
    suggest_equality,
)
from tests.unit.dims.programs import NOTHING, is_multiple, where

H, T, W, S, K, D = (make_symbol(name) for name in ("H", "T", "W", "S", "K", "D"))


def test_multiples_are_shown_as_fractions() -> None:
    h = where(is_multiple(H, 32)).dims["H"]
    shown = {format_dim(d) for d in (h, h // 32, h // 2, 3 * h // 4, 2 * h, h * h, h + 1, h // 64, h // 32 * W, (h // 32 + 1) // 2)}
    assert shown == {"H", "H/32", "H/2", "3*H/4", "2*H", "H*H", "H + 1", "H//64", "H*W/32", "(H/32 + 1)//2"}
    assert (h // 2) * 2 == h
    assert h % 16 == 0
    assert free_symbols(h // 2) == {"H"}
    assert evaluate_dim(h // 2, {"H": 64}) == 32
    assert dim_to_python(h // 2, {"H": "h"}) == "h // 2"
    assert dim_to_python(h // 32 * 32, {"H": "h"}) == "h"
    assert invert_linear(h // 2 + 1) == ("H", 1, 2, 1)
    assert invert_linear(3 * h // 4) == ("H", 3, 4, 0)
    assert invert_linear(2 * T + 3) == ("T", 2, 1, 3)
    assert invert_linear(T * W) is None
    assert invert_linear(H // 2) is None
    assert bounds(h) == (32, None)


def test_remainders() -> None:
    h = where(is_multiple(H, 4, 1)).dims["H"]
    assert [format_dim(d) for d in (h, h // 4, h // 2, h - 1, h // 4 * 3 + 5, W * (h // 4))] == [
        "H",
        "(H - 1)/4",
        "(H - 1)/2",
        "H - 1",
        "(3*H + 17)/4",
        "(H*W - W)/4",
    ]
    assert h % 2 == 1
    assert bounds(h) == (1, None)


def test_bounds_of_a_multiple_of_a_sum() -> None:
    d = where(is_multiple(D, K), is_multiple(K, 4, 1), Condition(">=", D, 7), Condition("<=", D, 100))
    assert bounds(d.dims["D"]) == (7, 100)
    assert d.facts.divides(d.dims["K"], d.dims["D"]) is True


def test_several_moduli_are_joined() -> None:
    h = where(is_multiple(H, 4), is_multiple(H, 6), Condition(">", H, 30), Condition("<=", H, 100)).dims["H"]
    assert format_dim(h // 12) == "H/12"
    assert bounds(h) == (36, 96)
    assert where(is_multiple(H, 4, 1), is_multiple(H, 6)).contradictions == [is_multiple(H, 6)]


def test_symbolic_divisors() -> None:
    d = where(is_multiple(D, K))
    size, heads = d.dims["D"], d.dims["K"]
    assert size % heads == 0
    assert format_dim(size // heads) == "D/K"
    assert format_dim(size // heads * heads) == "D"
    assert d.facts.divides(heads, 3 * size) is True
    assert d.facts.exact_div(size, heads) == size // heads
    assert evaluate_dim(size // heads, {"D": 512, "K": 8}) == 64
    chain = where(is_multiple(D, K), is_multiple(K, T), is_multiple(T, D))
    assert not chain.contradictions
    twice = where(is_multiple(D, 2 * K), is_multiple(K, 3))
    assert format_dim(twice.dims["D"] // twice.dims["K"]) == "D/K"
    assert format_dim(twice.dims["D"] // (2 * twice.dims["K"])) == "D/(2*K)"


def test_only_what_has_a_divisor_is_written_over_it() -> None:
    d, h = where(is_multiple(D, K)).dims, where(is_multiple(H, 4, 1)).dims["H"]
    size, heads = d["D"], d["K"]
    assert [format_dim(x) for x in (size // heads + T, size // heads * T + 3 * T, h // 4 + T)] == [
        "T + D/K",
        "D*T/K + 3*T",
        "(H - 1)/4 + T",
    ]
    assert format_dim(4 * W * (h // 4) + h // 4) == "(H - 1)/4 + H*W - W"


def test_equations() -> None:
    assert where(Condition("==", S, 2 * T)).dims["S"] == 2 * T
    assert where(Condition("==", T, S)).dims == where(Condition("==", S, T)).dims
    assert format_dim(where(Condition("==", H, W)).dims["W"]) == "H"
    assert where(Condition("==", T, 128)).dims["T"] == 128
    assert where(Condition("==", 2 * T, 256)).dims["T"] == 128
    assert where(Condition("==", 2 * T, 5)).contradictions
    shifted = where(Condition("==", S, T - 5))
    assert shifted.dims["S"] == shifted.dims["T"] - 5
    assert bounds(shifted.dims["T"]) == (6, None)
    both = where(Condition("==", S, 2 * T), is_multiple(S, 4))
    assert format_dim(both.dims["T"] // 2) == "T/2"


def test_a_quotient_with_a_remainder_has_no_inverse_without_one() -> None:
    """Of `d == (T - 1)/4`, T is `4*d + 1`, but no multiple of `d - b`."""
    odd = where(is_multiple(T, 4, 1)).dims["T"]
    assert invert_linear(odd // 4) is None
    assert invert_linear(odd // 4 * 2) is None
    assert invert_linear(odd // 4 * 4) == ("T", 1, 1, -1)


def test_what_divides_one_side_of_an_equation_divides_the_other() -> None:
    facts = where(Condition("==", H * S, K * W)).facts
    for factor, product in ((H, K * W), (S, K * W), (K, H * S), (W, H * S), (H * S, K * W)):
        assert facts.divides(factor, product)
    assert facts.divides(H, K) is None
    fourfold = where(Condition("==", H * S, 4 * W)).facts
    assert fourfold.divides(4, H * S)
    assert fourfold.divides(H, 4 * W)
    assert fourfold.divides(H, W) is None


def test_fixed_dimensions_are_checked() -> None:
    good = where(is_multiple(H, 32), Condition("==", S, H), H=64)
    assert (good.dims["H"], good.dims["S"], good.contradictions) == (64, 64, [])
    bad = is_multiple(H, 32)
    assert where(bad, H=65).contradictions == [bad]
    assert where(Condition(">", H, 5), Condition("<", H, 3)).contradictions == [Condition("<", H, 3)]
    assert where(Condition(">", T, W), T=3, W=4).contradictions == [Condition(">", T, W)]
    assert where(Condition(">", make_symbol("Q"), 3)).ignored == [Condition(">", make_symbol("Q"), 3)]


def test_what_would_divide_by_zero_cannot_hold() -> None:
    none = Condition("==", H, 2 * H)
    assert where(is_multiple(T, H), none).contradictions == [none]
    assert where(is_multiple(T, H), Condition("==", H, 2 - T), none).contradictions == [none]
    two = Condition("==", S, 2)
    for divided in (is_multiple(T, S - 2), Condition(">=", T, 7 // (S - 2)), Condition("!=", T, 7 // (S - 2))):
        assert where(two, divided).contradictions == where(divided, two).contradictions == [divided]


def test_enormous_numbers_are_shortened() -> None:
    h = H // 10**5000
    assert format_dim(h) == "H//..."
    assert eval(dim_to_python(h + 10**5000, {"H": "h"}), {"h": 3}) == 10**5000
    assert format_dim(10**5000) == "..."


def test_stored_facts() -> None:
    facts = where(Condition(">=", S, T)).facts
    assert facts.is_at_least(S, T) is True
    assert facts.is_at_least(T, S + 1) is False
    assert facts.is_at_least(2 * S + 1, 2 * T) is True
    assert facts.is_at_least(S * W, T * W) is True
    assert facts.is_at_least(S // 2, T // 2) is True
    assert facts.is_at_least(T, S) is None
    facts = where(Condition("==", H * W, 1024)).facts
    assert facts.are_equal(H * W, 1024) is True
    assert facts.are_equal(2 * H * W + T, T + 2048) is True
    assert facts.are_equal(H * W, 1023) is False
    assert facts.divides(W, 1024) is True
    assert facts.exact_div(1024, W) == H
    facts = where(is_multiple(H + W, 4)).facts
    assert facts.divides(4, H + W) is True
    assert facts.divides(2, 3 * H + 3 * W) is True
    assert facts.divides(4, H + W + 1) is not True
    half = facts.exact_div(H + W, 2)
    assert half is not None
    assert facts.are_equal(2 * half, H + W) is True
    facts = where(Condition("!=", H, W)).facts
    assert facts.are_equal(H, W) is False
    assert facts.are_equal(W + 1, H + 1) is False


def test_one_of_a_few_values() -> None:
    """A proof may look at each value; what follows from the list as a whole is part of the dimension's form."""
    found = where(OneOf(T, (16, 24, 48)))
    t, facts = found.dims["T"], found.facts
    assert bounds(t) == (16, 48)
    assert facts.divides(8, t) is True
    assert facts.divides(5, t) is False
    assert facts.divides(16, t) is None
    assert facts.are_equal(48 // (48 // t), t) is True
    both = where(OneOf(T, (16, 24)), OneOf(S, (2, 3)))
    assert both.facts.are_equal(both.dims["T"] * both.dims["S"], 50) is False
    assert where(OneOf(T, (16, 24)), Condition(">", T, 30)).contradictions
    assert where(OneOf(T, (16, 24)), OneOf(T, (24, 32))).facts.choices == (("T", (24,)),)
    assert where(OneOf(T, (3, 4, 5)), OneOf(T, (6, 7))).contradictions == [OneOf(T, (6, 7))]
    assert where(OneOf(T, (3,))).dims["T"] == 3
    assert where(OneOf(S, (16, 24)), Condition("==", S, 2 * T)).facts.choices == (("T", (8, 12)),)
    assert where(OneOf(T, (16, 24)), T=20).contradictions == [OneOf(T, (16, 24))]


@pytest.mark.parametrize(
    "condition",
    [
        Condition(">=", T, 5), Condition(">", T, 5), Condition("<", 2 * T, 9), Condition("<=", T, 7), Condition(">=", 3, T),
        is_multiple(T, 4), is_multiple(T, 4, 1), is_multiple(D, K), Condition("==", S, 2 * T), Condition("==", T, 3),
    ],
)  # fmt: skip
def test_a_bound_or_another_form_is_no_fact(condition: Condition) -> None:
    assert where(condition).facts == NOTHING


def test_floors_of_negated_terms() -> None:
    """By NumPy's and Python's `//`, which rounds down."""
    for k in range(2, 8):
        for constant in range(-2 * k, 2 * k + 1):
            left = (constant - H) // k
            right = -((H - constant + k - 1) // k)
            assert NOTHING.are_equal(left, right) is True
            assert NOTHING.are_equal(left, right + 1) is False
            assert all(evaluate_dim(left, {"H": h}) == (constant - h) // k for h in range(1, 20))


def test_several_facts_are_added_up() -> None:
    """Three inequalities, each about other symbols, make one of their sums."""
    facts = where(Condition(">=", S, T), Condition(">=", H, W), Condition(">=", D, K)).facts
    assert facts.is_at_least(S + H, T + W) is True
    assert facts.is_at_least(S + H + D, T + W + K) is True
    assert facts.is_at_least(S + H + D, T + W + K + 1) is None


def test_an_equation_bounds_what_it_eliminates() -> None:
    """`S == T - 5` is a size, so that T is at least 6; `S == T - W`, so that T is more than W."""
    assert bounds(where(Condition("==", S, T - 5)).dims["T"])[0] == 6
    declared = where(Condition("==", S, T - W))
    assert declared.facts.is_at_least(declared.dims["T"], declared.dims["W"] + 1) is True
    assert declared.facts.is_at_least(declared.dims["W"], declared.dims["T"]) is False


@pytest.mark.parametrize(("least", "most"), [(1, 4), (3, 3), (5, 9)])
@pytest.mark.parametrize("shift", [-12, -4, 0, 3])
def test_bounds_of_a_quotient_are_attained(shift: int, least: int, most: int) -> None:
    """The least and the greatest of `(T + shift) // W` over all values that are allowed: no bound is beyond, none is short of them."""
    dims = where(Condition("<=", T, 7), Condition(">=", W, least), Condition("<=", W, most)).dims
    values = [(t + shift) // w for t in range(1, 8) for w in range(least, most + 1)]
    assert bounds((dims["T"] + shift) // dims["W"]) == (min(values), max(values))


def test_a_small_negative_number_over_a_size() -> None:
    """Rounded down, that is -1, however large the size."""
    assert (make_symbol("T") - make_symbol("T") - 1) // T == -1
    assert (2 * T - 1) // (2 * T) == 0
    assert T // (T * W + 1) == 0
    assert -T // (T + W) == -1
    assert (T - 1 - W * T) // (W * T) == -1


def test_advice_about_a_symbolic_quotient() -> None:
    """No `S % k == c` says it: K is no number."""
    d = where(is_multiple(D, K))
    assert suggest_divisibility(4, d.dims["D"] // d.dims["K"]) == "D/K % 4 == 0"


def test_advice_keeps_what_may_be_zero() -> None:
    """`(T - 1)*S == (T - 1)*W` follows from `S == W`, but holds at T == 1 without it: no factor is dropped that may be 0."""
    left, right = make_symbol("Z", lower=0) * S, make_symbol("Z", lower=0) * W
    assert suggest_equality(left, right) == "S*Z == W*Z"
    assert suggest_equality(H * S, H * W) == "S == W"


def test_answers_without_facts() -> None:
    assert NOTHING.are_equal(H // 2 + (H + 1) // 2, H) is True
    assert NOTHING.are_equal(3 * H // 2, H + H // 2) is True
    assert NOTHING.are_equal(-H // 2, -((H + 1) // 2)) is True
    assert NOTHING.are_equal(2 * T + 1, 2 * H) is False
    assert NOTHING.are_equal(H, H + W) is False
    assert NOTHING.are_equal(H, W) is None
    assert NOTHING.are_equal(3, 3) is True
    assert NOTHING.are_equal(3, 4) is False
    assert NOTHING.are_equal(dim_max(H, W) + dim_min(H, W), H + W + 1) is not True
    assert NOTHING.are_equal(dim_max(H, W), dim_min(H, W)) is None
    assert NOTHING.are_equal(dim_max(H, W) + 1, dim_min(H, W)) is False
    assert NOTHING.is_at_least(T, T // 2) is True
    assert NOTHING.is_at_least(dim_max(T, 5), T) is True
    assert NOTHING.is_at_least(T, dim_min(T, 5)) is True
    assert NOTHING.is_at_least(H * W, H) is True
    assert NOTHING.is_at_least(T * T, T) is True
    assert NOTHING.is_at_least(T, 2 * T) is False
    assert NOTHING.is_at_least(T, 3) is None
    assert NOTHING.is_at_least(2 * ((T + 1) // 2), T) is True
    assert NOTHING.divides(2, 2 * T + 1) is False
    assert NOTHING.divides(2, T) is None
    assert NOTHING.divides(W, H * W + W) is True
    assert NOTHING.divides(12, 512) is False
    assert NOTHING.exact_div(6 * T, 4) is None
    assert NOTHING.exact_div(6 * T, 3) == 2 * T
    assert NOTHING.exact_div(512, 12) is None


# --- advice ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "text"),
    [
        (S, T, "S == T"),
        (T, S, "S == T"),
        (2 * S * W, 2 * T * W, "S == T"),
        (S, 5, "S == 5"),
        (5 + T, 2 * T - 3, "T == 8"),
        (2 * (H // 2), H, "H % 2 == 0"),
        (2 * ((H - 1) // 2) + 1, H, "H % 2 == 1"),
        (4 * ((H + 2) // 4), H + 2, "H % 4 == 2"),
        (W * (H // 8) * 8, H * W, "H % 8 == 0"),
        (4 * ((H + W) // 4), H + W, "(H + W) % 4 == 0"),
        (H + 1, W, "W == H + 1"),
        (H * W, 1024, "H*W == 1024"),
        (H, H, None),
        (H, H + 1, None),
    ],
)
def test_advice(a: Dim, b: Dim, text: str | None) -> None:
    assert suggest_equality(a, b) == text


def test_advice_speaks_of_the_users_symbols() -> None:
    h = where(is_multiple(H, 4)).dims["H"]
    assert suggest_equality(8 * (h // 8), h) == "H % 8 == 0"
    assert suggest_equality(h // 4, W) == "H/4 == W"
    assert suggest_divisibility(8, h) == "H % 8 == 0"


@pytest.mark.parametrize(
    ("k", "a", "text"),
    [
        (4, T, "T % 4 == 0"),
        (4, 2 * T, "T % 2 == 0"),
        (4, T + 1, "T % 4 == 3"),
        (4, 3 * T + 2, "T % 4 == 2"),
        (4, H * W, "H*W % 4 == 0"),
        (4, H + W, "(H + W) % 4 == 0"),
        (K, D, "D % K == 0"),
        (2 * K, D, "D % (2*K) == 0"),
        (K, D + 2 * K, "D % K == 0"),
        (4, H // 3, "H//3 % 4 == 0"),
        (4, 2 * (H // 3), "H//3 % 2 == 0"),
    ],
)
def test_advice_divides(k: Dim, a: Dim, text: str) -> None:
    assert suggest_divisibility(k, a) == text


def test_what_may_be_empty() -> None:
    for condition in (Condition(">=", T, 0), Condition(">", T, -1), Condition("<=", 0, 2 * T), OneOf(T, (0, 8))):
        declared = where(condition)
        assert bounds(declared.dims["T"])[0] == 0
        assert declared.facts.is_at_least(declared.dims["T"], 1) is None
        assert declared.facts.are_equal(dim_max(declared.dims["T"], 1), declared.dims["T"]) is None
        assert not declared.contradictions
    assert bounds(where(Condition(">=", T, 0), Condition(">=", T, 3)).dims["T"]) == (3, None)
    assert bounds(where(Condition(">=", T + W, 0)).dims["T"]) == (1, None)
    assert bounds(where(Condition(">=", T, 0), Condition("==", T, W - 1)).dims["T"])[0] == 0
    assert bounds(where(Condition(">=", T, 0), is_multiple(T, W)).dims["T"])[0] == 0
