"""Read single conditions of a `where`: their symbols and sides, and the bounds, remainders and facts that follow from them.

In: conditions over raw symbols or forms. Out: their parts as numbers: `a*S + b`, `base % k == rest`, bounds, facts. Always: each function
looks at one condition alone, and at the facts to which it is added.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import gcd

from netc.dsl.record import replace

from .comparisons import COMPARISONS, Condition, OneOf
from .dim_bounds import bounds, ceil_div
from .division import divide_monomial, substitute_symbols
from .evaluation import evaluate_dim
from .facts import Facts
from .polynomial import Dim, FloorQuotient, Symbol, constant_of, dim_from_atom, free_symbols, terms_of

WhereCondition = Condition | OneOf
"""A condition of a `where`."""
CONDITIONS_KEY = "where"
"""The entry of an ONNX file's metadata that has the conditions of every `where`: `T <= 255; H % 32 == 0`. ONNX has no other place."""
CONDITIONS_SEPARATOR = "; "


def condition_symbols(c: WhereCondition) -> frozenset[str]:
    """The symbols on both sides of the condition."""
    return free_symbols(c.left) | (frozenset() if isinstance(c, OneOf) else free_symbols(c.right))


def condition_holds(c: WhereCondition, sizes: Mapping[str, int]) -> bool:
    """Whether the condition holds for these sizes of its symbols. A condition that divides by zero does not."""
    try:
        if isinstance(c, OneOf):
            return evaluate_dim(c.left, sizes) in c.values
        return comparison_holds(c.op, evaluate_dim(c.left, sizes) - evaluate_dim(c.right, sizes))
    except ZeroDivisionError:  # `T % (S - 4) == 0` for S = 4
        return False


def implied_comparisons(c: WhereCondition) -> Iterable[Condition]:
    """The comparisons that follow from a condition: a comparison itself, or the range and the common step of a list of values."""
    if isinstance(c, Condition):
        return (c,)
    least, step = min(c.values), gcd(*(v - min(c.values) for v in c.values))
    if not step:
        return (Condition("==", c.left, least),)
    # `T in [16, 24, 48]` also says that 8 divides T, which a proof can use without looking at each value.
    common = (Condition("==", c.left % step, least % step),) if step > 1 else ()
    return (Condition(">=", c.left, least), Condition("<=", c.left, max(c.values)), *common)


def substitute_sides(c: Condition, forms: Mapping[str, Dim]) -> tuple[Dim, Dim] | None:
    """Both sides of the condition; None if they divide by zero."""
    try:
        return substitute_symbols(c.left, forms), substitute_symbols(c.right, forms)
    except ZeroDivisionError:
        return None


def may_be_empty(conditions: Iterable[WhereCondition]) -> frozenset[str]:
    """The raw symbols that a condition lets be 0, or less."""
    names = set()
    for c in conditions:
        name, least = _stated_minimum(c)
        if name and least <= 0:
            names.add(name)
    return frozenset(names)


def _stated_minimum(c: WhereCondition) -> tuple[str, int]:
    """The raw symbol for which a condition states a least value, and the value; an empty name if there is none."""
    if isinstance(c, OneOf):
        return lone_symbol_name(c.left) or "", min(c.values)
    room = c.slack
    linear = as_linear(room) if room is not None else None
    return (linear[0], ceil_div(-linear[2], linear[1])) if linear is not None and linear[1] > 0 else ("", 0)


def is_unproved_bound(d: Dim, op: str, bound: int) -> bool:
    """Whether the bound doesn't follow from the form of the dimension."""
    low, high = bounds(d)
    return (low is None or low < bound) if op == ">=" else (high is None or high > bound)


def add_condition(facts: Facts, op: str, left: Dim, right: Dim) -> Facts | None:
    """Add a condition to the facts; None if they contradict each other."""
    d = left - right
    if isinstance(d, int):
        return facts if comparison_holds(op, d) else None
    zeros, nonzeros, positives, multiples = facts.zeros, facts.nonzeros, facts.nonnegatives, facts.multiples
    if op in ("==", "!="):
        known = facts.are_equal(left, right)
        if known is not None:
            return facts if known is (op == "==") else None
        if op == "!=":
            return replace(facts, nonzeros=(*nonzeros, d, -d))
        modular = as_modular(d)
        if modular is not None:
            return replace(facts, multiples=(*multiples, (modular[1], modular[0] - modular[2])))
        return replace(facts, zeros=(*zeros, d))
    room = Condition(op, left, right).slack
    assert room is not None
    known = facts.is_at_least(room, 0)
    if known is not None:
        return facts if known else None
    return replace(facts, nonnegatives=(*positives, room))


def comparison_holds(op: str, d: int) -> bool:
    """Whether a comparison of two sides holds, by their difference."""
    return COMPARISONS[op](d, 0)


def lone_symbol_name(d: Dim) -> str | None:
    linear = as_linear(d)
    return linear[0] if linear is not None and linear[1:] == (1, 0) else None


def as_linear(d: Dim) -> tuple[str, int, int] | None:
    """`(S, a, b)` if d is `a*S + b` for a raw symbol S."""
    terms = [(m, c) for m, c in terms_of(d).items() if m]
    if len(terms) != 1 or len(terms[0][0]) != 1 or not isinstance(terms[0][0][0], Symbol):
        return None
    return terms[0][0][0].name, terms[0][1], constant_of(d)


def as_modular(d: Dim) -> tuple[Dim, Dim, int] | None:
    """`(base, k, rest)` if `d == 0` means that `base % k == rest`."""
    for m, c in terms_of(d).items():
        for atom in m:
            if not isinstance(atom, FloorQuotient):
                continue
            # `a % k` was written as `a - k*(a//k)` in normal form. Find the floor and the term of k that it is
            # multiplied by.
            share = terms_of(atom.bottom).get(divide_monomial(m, (atom,)) or (), 0)
            if not share or c % share:
                continue
            unit = -c // share
            remaining = d - unit * (atom.top - atom.bottom * dim_from_atom(atom))
            if isinstance(remaining, int) and remaining % unit == 0:
                return atom.top, atom.bottom, -remaining // unit
    return None


def chinese_remainder(k: int, a: int, m: int, b: int) -> tuple[int, int] | None:
    """`(lcm, x)`: an integer that is a modulo k and b modulo m is x modulo their least common multiple. None if there is no such integer.

    >>> chinese_remainder(4, 1, 6, 3)
    (12, 9)
    """
    common = gcd(k, m)
    if (b - a) % common:
        return None
    step = k // common * m
    return step, (a + (b - a) // common * pow(k // common, -1, m // common) % (m // common) * k) % step
