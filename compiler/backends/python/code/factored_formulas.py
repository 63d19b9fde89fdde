"""Formulas as a person factors them: `heads * (ratio + 2)`, `(2 * side - 1)**2`, `(kernel - 1) // 2`.

In: a formula in its normal form, which is a sum of products, and texts for its symbols. Out: Python text: from `heads*ratio + 2*heads`
comes `heads * (ratio + 2)`. Always: the text has the value of the formula, for all values of its symbols.

    >>> from ....dims import make_symbol
    >>> heads, side = make_symbol("heads"), make_symbol("side")
    >>> factor_formula(heads * side + 2 * heads, {"heads": "heads", "side": "side"})
    'heads * (side + 2)'
    >>> factor_formula((2 * side - 1) * (2 * side - 1), {"side": "side"})
    '(2 * side - 1)**2'
"""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd, isqrt

from ....dims import Dim, SymDim, dim_to_python
from ....dims.division import divide_exactly, shared_factor
from ....dims.polynomial import FloorQuotient, Symbol, dim_from_terms


def factor_formula(formula: Dim, names: Mapping[str, str]) -> str:
    """Write a formula as Python, with these texts for its symbols."""
    if not isinstance(formula, SymDim):
        return _to_python(formula, names)
    return (
        _format_quotient(formula, names)
        or _factor_common_term(formula, names)
        or _format_square(formula, names)
        or _to_python(formula, names)
    )


def _factor_common_term(formula: SymDim, names: Mapping[str, str]) -> str:
    """Return the common factor of all terms times the rest; empty if they have no common factor."""
    if not has_common_factor(formula):
        return ""
    shared = shared_factor(list(formula.terms))
    common = gcd(*formula.terms.values())
    return f"{_to_python(dim_from_terms({shared: common}), names)} * ({factor_formula(divide_exactly(formula, shared, common), names)})"


def has_common_factor(formula: SymDim) -> bool:
    """Whether it is a sum whose terms have a symbol in common."""
    return len(formula.terms) > 1 and bool(shared_factor(list(formula.terms)))


def _format_square(formula: SymDim, names: Mapping[str, str]) -> str:
    """Return `(a*s + b)**2`, or an empty text if the formula is no such square."""
    squares = [m for m in formula.terms if len(m) == 2 and m[0] is m[1] and isinstance(m[0], Symbol)]
    if len(squares) != 1 or len(formula.terms) != 3:
        return ""
    name = squares[0][:1]
    a, b = _integer_root(formula.terms[squares[0]]), _integer_root(formula.terms.get((), 0))
    middle = formula.terms.get(name, 0)
    # The middle term of (a*s + b)**2 is 2ab*s. Its sign decides between a plus and a minus.
    if not a or not b or abs(middle) != 2 * a * b:
        return ""
    return f"({_to_python(dim_from_terms({name: a, (): b if middle > 0 else -b}), names)})**2"


def _to_python(formula: Dim, names: Mapping[str, str]) -> str:
    return dim_to_python(formula, names, powers=True)


def _integer_root(number: int) -> int:
    """Return the root of a square, and 0 for any other number."""
    root = isqrt(max(number, 0))
    return root if root * root == number else 0


def _format_quotient(formula: SymDim, names: Mapping[str, str]) -> str:
    """Return `(k - 1) // 2` for `(k + 1) // 2 - 1`: one quotient, where that has the smaller numbers."""
    terms = dict(formula.terms)
    offset = terms.pop((), 0)
    match list(terms.items()):
        case [((FloorQuotient(top=SymDim() as top, bottom=int() as bottom),), 1)] if offset:
            before = top.terms.get((), 0)
            after = before + offset * bottom
            # `k // 2 + 1` stays: as `(k + 2) // 2`, it would have the larger number.
            if abs(after) <= abs(before):
                return f"({_to_python(top + offset * bottom, names)}) // {bottom}"
    return ""
