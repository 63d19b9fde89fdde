"""Simplify products with exact quotients.

In: a dimension, and facts. Out: the dimension with `a` in place of `k * (a // k)` wherever the facts say that k divides a.

    >>> from .facts import Facts
    >>> from .polynomial import make_symbol
    >>> T = make_symbol("T")
    >>> cancel_exact_quotients(4 * (T // 4), Facts(multiples=((4, T),)))
    T
    >>> cancel_exact_quotients(4 * (T // 4), Facts())
    4*(T//4)
"""

from __future__ import annotations

from .division import divide_monomial
from .facts import Facts
from .polynomial import Dim, FloorQuotient, Monomial, SymDim, dim_from_terms, terms_of


def cancel_exact_quotients(dim: Dim, facts: Facts) -> Dim:
    total: Dim = 0
    for monomial, factor in terms_of(dim).items():
        total = total + _cancel_in_term(monomial, factor, facts)
    return total


def _cancel_in_term(monomial: Monomial, factor: int, facts: Facts) -> Dim:
    for atom in monomial:
        if isinstance(atom, FloorQuotient) and facts.provably_divides(atom.bottom, atom.top):
            rest = _divide_term(divide_monomial(monomial, (atom,)), factor, atom.bottom)
            if rest is not None:
                # The product may have more quotients: `H*(D//H) * H*(D//H)` is `D*D`.
                return cancel_exact_quotients(rest * atom.top, facts)
    return dim_from_terms({monomial: factor})


def _divide_term(monomial: Monomial | None, factor: int, by: Dim) -> Dim | None:
    """The term divided by `by`, which is a number or a product of symbols; None if it is no factor."""
    if monomial is None:
        return None
    if not isinstance(by, SymDim):
        return dim_from_terms({monomial: factor // by}) if by and factor % by == 0 else None
    ((divisor, share), *others) = by.terms.items()
    rest = divide_monomial(monomial, divisor)
    return dim_from_terms({rest: factor // share}) if rest is not None and not others and factor % share == 0 else None
