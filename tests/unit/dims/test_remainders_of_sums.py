"""`where (T + S) % 3 == 1`: what is proved of a sum with a remainder, compared with all small sizes that have it.

Each answer is checked against every pair of sizes up to a bound at which all remainders occur. What is linear in the sum must be answered;
an answer must be right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import pytest

import netc
from netc.compiler.dims import Condition, Declared, Dim, declare_dims, evaluate_dim, make_symbol

T, S = make_symbol("T"), make_symbol("S")
BASES: dict[str, Callable[[Dim, Dim], Dim]] = {
    "T + S": lambda t, s: t + s,
    "T - S": lambda t, s: t - s,
    "T + 2*S": lambda t, s: t + 2 * s,
    "3*S - T": lambda t, s: 3 * s - t,
    "T*S": lambda t, s: t * s,
    "T*S + T": lambda t, s: t * s + t,
    "T + S + 5": lambda t, s: t + s + 5,
    "S - T - 4": lambda t, s: s - t - 4,
}
DIVISORS = (2, 3, 5, 6)


def cases() -> Iterator[tuple[str, int, int]]:
    for base, k in product(BASES, DIVISORS):
        for rest in range(k):
            yield base, k, rest


def sizes(base: Callable[[Dim, Dim], Dim], k: int, rest: int) -> list[tuple[int, int]]:
    """All pairs of small sizes with the remainder; each remainder of T and S modulo k is among them if it can be."""
    return [(t, s) for t in range(1, 2 * k + 2) for s in range(1, 2 * k + 2) if int(base(t, s)) % k == rest]  # type: ignore[arg-type, call-overload]


def declared(base: Callable[[Dim, Dim], Dim], k: int, rest: int) -> Declared:
    return declare_dims(("T", "S"), [Condition("==", base(T, S) % k, rest)], {})


@pytest.mark.parametrize(("name", "k", "rest"), [*cases()])
def test_what_divides_a_sum_with_a_remainder(name: str, k: int, rest: int) -> None:
    base = BASES[name]
    known, pairs = declared(base, k, rest), sizes(base, k, rest)
    if not pairs:
        return
    t, s = known.dims["T"], known.dims["S"]
    for offset in range(-k, 2 * k):
        value = base(t, s) + offset
        truth = {(int(base(a, b)) + offset) % k == 0 for a, b in pairs}  # type: ignore[arg-type, call-overload]
        answer = known.facts.divides(k, value)
        assert answer is None or truth == {answer}, (name, k, rest, offset)
        if truth == {True}:
            assert answer is True, (name, k, rest, offset)
            quotient = known.facts.exact_div(value, k)
            assert quotient is not None
            for a, b in pairs:
                assert evaluate_dim(quotient, {"T": a, "S": b}) * k == int(base(a, b)) + offset  # type: ignore[arg-type, call-overload]


@pytest.mark.parametrize(("name", "k", "rest"), [*cases()])
def test_what_is_equal_to_a_sum_with_a_remainder(name: str, k: int, rest: int) -> None:
    base = BASES[name]
    known, pairs = declared(base, k, rest), sizes(base, k, rest)
    t, s = known.dims["T"], known.dims["S"]
    for offset, other in product(range(-k, k + 1), repeat=2):
        left, right = (base(t, s) + offset) // k * k, base(t, s) + other
        truth = {(int(base(a, b)) + offset) // k * k == int(base(a, b)) + other for a, b in pairs}  # type: ignore[arg-type, call-overload]
        answer = known.facts.are_equal(left, right)
        assert answer is None or not truth or truth == {answer}, (name, k, rest, offset, other)
        if truth == {True} and (rest + offset) % k == 0:
            assert answer is True, (name, k, rest, offset, other)


@pytest.mark.parametrize(("added", "holds"), [(1, False), (2, True), (-1, True), (-2, False), (5, True)])
def test_a_reshape_by_a_sum_with_a_remainder(added: int, holds: bool) -> None:
    """(T + S) % 3 == 1: of T + S + 2, a third of the groups of nine are whole; of T + S + 1 none are."""
    text = f"x = input [A, 3] where A == T + S + {added}\nt = input [T]\ns = input [S] where (T + S) % 3 == 1\nx -> reshape [N, A // 3, 9]"
    if holds:
        netc.compile(text)
        return
    with pytest.raises(netc.CompileError):
        netc.compile(text)
