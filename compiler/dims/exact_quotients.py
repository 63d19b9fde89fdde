"""Products with quotients that are exact.

In: a dimension, and facts. Out: the same with `a` in place of `k * (a // k)` wherever the facts say that k divides a.
"""

from __future__ import annotations

from .division import cofactor
from .facts import Facts
from .polynomial import Dim, FloorQuotient, Monomial, SymDim, make, terms_of


def exact_products(dim: Dim, facts: Facts) -> Dim:
    total: Dim = 0
    for monomial, factor in terms_of(dim).items():
        total = total + _term(monomial, factor, facts)
    return total


def _term(monomial: Monomial, factor: int, facts: Facts) -> Dim:
    for atom in monomial:
        if isinstance(atom, FloorQuotient) and facts.provably_divides(atom.bottom, atom.top):
            rest = _divided(cofactor(monomial, (atom,)), factor, atom.bottom)
            if rest is not None:
                return exact_products(rest * atom.top, facts)
    return make({monomial: factor})


def _divided(monomial: Monomial | None, factor: int, by: Dim) -> Dim | None:
    """The term divided by `by`, which is a number or a product of symbols; None if it is no factor."""
    if monomial is None:
        return None
    if not isinstance(by, SymDim):
        return make({monomial: factor // by}) if by and factor % by == 0 else None
    ((divisor, share), *others) = by.terms.items()
    rest = cofactor(monomial, divisor)
    return make({rest: factor // share}) if rest is not None and not others and factor % share == 0 else None
