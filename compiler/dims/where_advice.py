"""Suggest the `where` condition that would decide an open question.

In: two dimensions about which a question is open. Out: the text of a condition, in the user's symbols. Always: with the condition added,
`declare_dims` and `Facts` can answer.

>>> H = make_symbol("H")
>>> suggest_equality(2 * (H // 2), H)
'H % 2 == 0'
"""

from __future__ import annotations

from math import gcd

from .dim_text import format_dim, remainder_text
from .division import divide_exactly, polynomial_divmod, rebuild_atom, replace_atoms, shared_factor
from .facts import Facts
from .polynomial import Atom, Dim, FloorQuotient, Quotient, Symbol, constant_of, dim_from_terms, make_symbol, terms_of

_LONGEST = 64


def suggest_equality(a: Dim, b: Dim) -> str | None:
    """Return the `where` condition that would decide whether a == b, in the user's symbols. None if no question is open."""
    facts = Facts.empty()
    if facts.are_equal(a, b) is not None:
        return None
    d = a - b
    for m in terms_of(d):
        for atom in m:
            if isinstance(atom, FloorQuotient) and isinstance(atom.bottom, int):
                residue = _suggest_residue(a, b, atom)
                if residue is not None:
                    return residue
    return _format_equation(d)


def _suggest_residue(a: Dim, b: Dim, floor: FloorQuotient) -> str | None:
    """Return `S % k == c`, if this condition decides whether a == b."""
    linear = _as_linear(floor.top)
    k = floor.bottom
    assert isinstance(k, int)
    if linear is not None:
        atom, times, constant = linear
        if times == 1:
            # The residue that makes the floor exact comes first: `H % 4 == 2` for `(H + 2)//4`. Then the small ones,
            # each once.
            for residue in dict.fromkeys((-constant % k, *range(min(k, _LONGEST)))):
                # Try the condition: `k*? + residue` for the symbol, which may be 0 times k.
                known: dict[Atom, Dim] = {atom: k * make_symbol("?", lower=0) + residue}
                if Facts.empty().are_equal(_replace_in_floors(a, known), _replace_in_floors(b, known)):
                    return _format_residue(atom, k, residue)
    exact = Facts(multiples=((k, floor.top),))
    return suggest_divisibility(k, floor.top) if exact.are_equal(a, b) else None


def _replace_in_floors(d: Dim, known: dict[Atom, Dim]) -> Dim:
    """`d` with dimensions substituted for symbols and quotients, within floor divisions too (one level)."""
    inner: dict[Atom, Dim] = dict(known)
    for m in terms_of(d):
        for atom in m:
            if atom not in inner and atom.parts():
                inner[atom] = rebuild_atom(atom, known)
    return replace_atoms(d, inner)


def _as_linear(d: Dim) -> tuple[Atom, int, int] | None:
    """`(s, a, b)` if d is `a*s + b` for a symbol or quotient s."""
    terms = [(m, c) for m, c in terms_of(d).items() if m]
    if len(terms) != 1 or len(terms[0][0]) != 1:
        return None
    atom = terms[0][0][0]
    if not isinstance(atom, Symbol | Quotient):
        return None
    return atom, terms[0][1], constant_of(d)


def _format_residue(atom: Atom, k: int, residue: int) -> str | None:
    if isinstance(atom, Symbol):
        return f"{atom.name} % {k} == {residue}"
    if isinstance(atom, Quotient) and isinstance(atom.step, int):
        return f"{atom.name} % {k * atom.step} == {residue * atom.step + atom.rest}"
    return None


def _format_equation(d: Dim) -> str:
    """`d == 0` in its simplest form: without common factors, and with the negative terms on the other side."""
    terms = terms_of(d)
    factor = shared_factor(list(terms))
    # A factor that may be 0 stays: `S*Z == W*Z` holds for Z = 0 without `S == W`.
    if any(a.lower is None or a.lower < 1 for a in factor):
        factor = ()
    reduced = terms_of(divide_exactly(d, factor, gcd(*terms.values())))
    plus = dim_from_terms({m: c for m, c in reduced.items() if c > 0})
    minus = dim_from_terms({m: -c for m, c in reduced.items() if c < 0})
    # The longer side last, and a number at the end: `T == 8`, `W == H + 1`.
    if isinstance(plus, int) or (not isinstance(minus, int) and _sort_key(minus) < _sort_key(plus)):
        plus, minus = minus, plus
    return f"{format_dim(plus)} == {format_dim(minus)}"


def _sort_key(d: Dim) -> tuple[int, str]:
    text = format_dim(d)
    return len(terms_of(d)), text


def suggest_divisibility(k: Dim, a: Dim) -> str:
    """Return the `where` condition that would ensure that k divides a, in the user's symbols."""
    if not isinstance(k, int):
        rest = polynomial_divmod(a, k)[1]
        return f"{remainder_text(format_dim(rest if rest != 0 else a), format_dim(k))} == 0"
    # `4` divides `2*T` if `2` divides `T`: the shortest condition.
    common = gcd(k, *terms_of(a).values())
    a = dim_from_terms({m: c // common for m, c in terms_of(a).items()})
    k //= common
    a = dim_from_terms({m: c % k for m, c in terms_of(a).items() if c % k})
    linear = _as_linear(a)
    if linear is not None:
        atom, times, constant = linear
        if gcd(times, k) == 1:
            residue = _format_residue(atom, k, -constant * pow(times, -1, k) % k)
            if residue is not None:
                return residue
    return f"{remainder_text(format_dim(a), format_dim(k))} == 0"
