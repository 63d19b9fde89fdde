"""Division, minimum, maximum and substitution: the operations on dimensions that make new atoms.

In: `Dim`s. Out: `Dim`s in normal form. Always: as far as the rules here reach, two forms of one value become the same object.

>>> from .polynomial import make_symbol
>>> T = make_symbol("T")
>>> (4 * T + 6) // 2
2*T + 3
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import gcd

from .dim_bounds import bounds, floor_bounds, min_max_bounds
from .effort import spend_effort
from .polynomial import (
    Atom,
    Dim,
    FloorQuotient,
    MinMax,
    Monomial,
    Quotient,
    Symbol,
    SymDim,
    Terms,
    add_terms,
    atoms_of,
    constant_of,
    dim_from_atom,
    dim_from_terms,
    floor_atom,
    free_symbols,
    key_of,
    make_quotient,
    min_max_atom,
    multiply_terms,
    plain_int,
    terms_of,
)

_MOST_ARGUMENTS = 16
_CACHE_SIZE = 2048


def floordiv(a: Dim, b: Dim) -> Dim:
    """`a // b`, rounded down. What divides exactly is pulled out: `(4*T + 3)//4` is `T`. Where `b` is a number, nothing that is divided has
    minus signs only: `-T // 4` is `-((T + 3)//4)`."""
    if isinstance(a, int) and isinstance(b, int):
        return a // b
    return _divide_symbolic(plain_int(a), plain_int(b))


@lru_cache(_CACHE_SIZE)
def _divide_symbolic(a: Dim, b: Dim) -> Dim:
    if isinstance(b, int):
        assert not isinstance(a, int)
        if b == 0:
            raise ZeroDivisionError("a dimension is divided by zero")
        # One sign of the divisor only, so that `-T // -4` and `T // 4` are the same object.
        if b < 0:
            a, b = -a, -b
        return a if b == 1 else _floor_by_int(a.terms, b)
    # The same for a symbolic divisor that is known to be negative.
    high = bounds(b)[1]
    if high is not None and high < 0:
        a, b = -a, -b
    return _floor_by_dim(a, b)


def _floor_by_int(terms: Terms, k: int) -> Dim:
    spend_effort(len(terms))
    quotient: Terms = {}
    rest: Terms = {}
    common = k
    for m, c in terms.items():
        # Pull out each term that k divides, and of the constant as much as k divides: `(4*T + 6)//4` is `T + 1`.
        if m and c % k:
            rest[m] = c
            common = gcd(common, c)
        elif c // k:
            quotient[m] = c // k
    if not rest:
        return dim_from_terms(quotient)
    constant = terms.get((), 0) % k
    # `(2*T + 3)//4` is `(T + 1)//2`: rounding down the constant is exact, because the other terms are even.
    if common > 1:
        rest = {m: c // common for m, c in rest.items()}
        constant //= common
        k //= common
    if all(c < 0 for c in rest.values()):
        # `-T // k` rounds `T / k` up, as `-((T + k - 1) // k)` does
        rest = {m: -c for m, c in rest.items()}
        if constant < k - 1:
            rest[()] = k - 1 - constant
        return dim_from_terms(quotient) - _floor_of_rest(SymDim(rest), k)
    if constant:
        rest[()] = constant
    return dim_from_terms(quotient) + _floor_of_rest(SymDim(rest), k)


def _inner_floor(d: Dim) -> FloorQuotient | None:
    """The only floor division that is a term of `d` by itself, with a positive divisor. None if there are several."""
    inner = None
    for m, c in terms_of(d).items():
        if c == 1 and len(m) == 1 and isinstance(m[0], FloorQuotient):
            low = bounds(m[0].bottom)[0]
            if low is None or low <= 0:
                continue
            if inner is not None:
                return None
            inner = m[0]
    return inner


def _floor_of_rest(top: Dim, bottom: Dim) -> Dim:
    """`top // bottom` where no multiple of `bottom` can be pulled out of `top`. A constant `bottom` is positive."""
    low = bounds(bottom)[0]
    if low is not None and low > 0:
        inner = _inner_floor(top)
        # `(H//2)//2` is `H//4`, and `((H + 1)//2 + 1)//2` is `(H + 3)//4`. So a chain of strided convolutions has one
        # floor, not one in another.
        if inner is not None:
            return floordiv(inner.top + inner.bottom * (top - dim_from_atom(inner)), inner.bottom * bottom)
        known = _known_floor(top, bottom)
        if known is not None:
            return known
    return dim_from_atom(floor_atom(top, bottom, *floor_bounds(bounds(top), bounds(bottom))))


def _known_floor(top: Dim, bottom: Dim) -> int | None:
    """`top // bottom` where bounds decide it. A `bottom` that is no constant is then positive: it is above `top`, which is not negative,
    or at least the size of it."""
    lo, hi = bounds(top)
    if isinstance(bottom, int):
        return lo // bottom if lo is not None and hi is not None and lo // bottom == hi // bottom else None
    # `T // (T + 1)` is 0 and `-T // (T + W)` is -1, for every size, although neither bound of the divisor says so.
    if lo is not None and lo >= 0:
        room = bounds(bottom - top)[0]
        return 0 if room is not None and room > 0 else None
    if hi is not None and hi < 0:
        room = bounds(bottom + top)[0]
        return -1 if room is not None and room >= 0 else None
    return None


def _floor_by_dim(a: Dim, b: SymDim) -> Dim:
    known = _known_floor(a, b)
    if known is not None:
        return known
    quotient, rest = polynomial_divmod(a, b)
    if rest == 0:
        return quotient
    top, bottom = _cancel_common_factors(rest, b)
    if isinstance(bottom, int):
        return quotient + floordiv(top, bottom)
    return quotient + _floor_of_rest(top, bottom)


def _cancel_common_factors(a: Dim, b: Dim) -> tuple[Dim, Dim]:
    """Divide both by the factors that all their terms share."""
    common = gcd(*terms_of(a).values(), *terms_of(b).values())
    factor = shared_factor([*terms_of(a), *terms_of(b)])
    if common == 1 and not factor:
        return a, b
    return divide_exactly(a, factor, common), divide_exactly(b, factor, common)


def shared_factor(monomials: list[Monomial]) -> Monomial:
    """The greatest monomial that is in all of these."""
    shared = list(monomials[0])
    for m in monomials[1:]:
        remaining = list(m)
        shared = [x for x in shared if _remove_atom(remaining, x)]
    return tuple(shared)


def _remove_atom(pool: list[Atom], atom: Atom) -> bool:
    """Remove the atom from the pool. Return whether it was there."""
    if atom not in pool:
        return False
    pool.remove(atom)
    return True


def divide_exactly(d: Dim, factor: Monomial, k: int) -> Dim:
    """`d / (k * factor)`, which is known to be exact."""
    return dim_from_terms({divide_monomial(m, factor) or (): c // k for m, c in terms_of(d).items()})


def divide_monomial(m: Monomial, factor: Monomial) -> Monomial | None:
    """The monomial that gives `m` times `factor`. None if `factor` does not divide `m`."""
    if not factor:
        return m
    remaining = list(m)
    for atom in factor:
        if atom not in remaining:
            return None
        remaining.remove(atom)
    return tuple(remaining)


def constant_ratio(a: Dim, b: Dim) -> tuple[int, int] | None:
    """`(p, q)`, both above 0 and without a common factor, with `q * a == p * b`; None if there are none."""
    monomial, c = next(iter(terms_of(a).items()), ((), 0))
    d = terms_of(b).get(monomial, 0)
    if c * d <= 0:
        return None
    shared = gcd(c, d)
    p, q = abs(c) // shared, abs(d) // shared
    return (p, q) if q * a == p * b else None


def leading_monomial(terms: Terms) -> Monomial:
    """The greatest monomial: by degree, then in the order of the atoms."""
    return min(terms, key=lambda m: (-len(m), [a.order for a in m]))


def polynomial_divmod(a: Dim, b: Dim) -> tuple[Dim, Dim]:
    """`(q, r)` with `a == q*b + r`, as polynomials: nothing in `r` is divisible by the leading term of `b`."""
    divisor = terms_of(b)
    head = leading_monomial(divisor)
    lead = divisor[head]
    remaining = dict(terms_of(a))
    quotient: Terms = {}
    rest: Terms = {}
    while remaining:
        spend_effort(len(remaining))
        m = leading_monomial(remaining) if len(divisor) > 1 else next(iter(remaining))
        c = remaining[m]
        factor = divide_monomial(m, head)
        times = 0 if factor is None or (len(divisor) == 1 and c % lead) else c // lead
        if factor is not None and times:
            quotient[factor] = quotient.get(factor, 0) + times
            remaining = add_terms(remaining, multiply_terms({factor: times}, divisor), -1)
        if m in remaining:
            rest[m] = remaining.pop(m)
    return dim_from_terms({m: c for m, c in quotient.items() if c}), dim_from_terms(rest)


# --- greatest and least ----------------------------------------------------------------------------------------------------


def dim_max(*dims: Dim) -> Dim:
    """The greatest dimension: one of the arguments if bounds decide which, else a `max(...)` of those that may be it."""
    return max(dims) if all(isinstance(d, int) for d in dims) else _simplify_min_max(tuple(map(plain_int, dims)), True)


def dim_min(*dims: Dim) -> Dim:
    return min(dims) if all(isinstance(d, int) for d in dims) else _simplify_min_max(tuple(map(plain_int, dims)), False)


@lru_cache(_CACHE_SIZE)
def _simplify_min_max(dims: tuple[Dim, ...], greatest: bool) -> Dim:
    args = _drop_dominated(_flatten_min_max(dims, greatest), greatest)
    if len(args) == 1:
        return args[0]
    shared = _common_summand(args)
    args = [a - shared for a in args]
    common = gcd(*(c for a in args for c in terms_of(a).values()))
    args = [dim_from_terms({m: c // common for m, c in terms_of(a).items()}) for a in args]
    args.sort(key=lambda a: (isinstance(a, int), key_of(a)))
    return shared + common * dim_from_atom(min_max_atom(tuple(args), greatest, *min_max_bounds([bounds(a) for a in args], greatest)))


def _flatten_min_max(dims: tuple[Dim, ...], greatest: bool) -> list[Dim]:
    flat: list[Dim] = []
    for d in dims:
        inner = [m[0] for m, c in terms_of(d).items() if c == 1 and len(m) == 1 and isinstance(m[0], MinMax) and m[0].greatest is greatest]
        if len(inner) == 1 and len(flat) + len(inner[0].args) <= _MOST_ARGUMENTS:
            flat += [d - dim_from_atom(inner[0]) + a for a in inner[0].args]
        else:
            flat.append(d)
    return flat


def _drop_dominated(dims: list[Dim], greatest: bool) -> list[Dim]:
    kept: list[Dim] = []
    for d in dims:
        if any(_dominates(k, d, greatest) for k in kept):
            continue
        kept = [k for k in kept if not _dominates(d, k, greatest)]
        kept.append(d)
    return kept


def _dominates(a: Dim, b: Dim, greatest: bool) -> bool:
    low = bounds(a - b if greatest else b - a)[0]
    return low is not None and low >= 0


def _common_summand(args: list[Dim]) -> Dim:
    """The terms that all arguments share, and the constant of the first symbolic argument, so that `max(T + 1, 6)` is `max(T, 5) + 1`."""
    first = min((a for a in args if not isinstance(a, int)), key=key_of)
    rest = [terms_of(a) for a in args]
    same = {m: c for m, c in terms_of(first).items() if m and all(t.get(m) == c for t in rest)}
    if constant_of(first):
        same[()] = constant_of(first)
    return dim_from_terms(same)


# --- substitution ----------------------------------------------------------------------------------------------------


def substitute_symbols(d: Dim, values: Mapping[str, Dim]) -> Dim:
    """Substitute dimensions for some of the user's symbols.

    >>> from .polynomial import make_symbol
    >>> substitute_symbols(make_symbol("T") * 2, {"T": make_symbol("S") + 1})
    2*S + 2
    """
    if isinstance(d, int) or not free_symbols(d) & values.keys():
        return d
    alone = _lone_symbol(d)
    if alone is not None:
        return values[alone]
    known: dict[Atom, Dim] = {}
    for atom in atoms_of(d):
        if not atom.names & values.keys():
            known[atom] = dim_from_atom(atom)
        elif isinstance(atom, Symbol):
            known[atom] = values[atom.name]
        elif isinstance(atom, Quotient) and atom.name in values:
            known[atom] = floordiv(values[atom.name] - atom.rest, replace_atoms(atom.step, known))
        else:
            known[atom] = rebuild_atom(atom, known)
    return replace_atoms(d, known)


def replace_atoms(d: Dim, known: Mapping[Atom, Dim]) -> Dim:
    """Substitute dimensions for the outermost atoms of `d` that are in `known`."""
    total: Dim = 0
    for m, c in terms_of(d).items():
        part: Dim = c
        for atom in m:
            part = part * (known[atom] if atom in known else dim_from_atom(atom))
        total = total + part
    return total


def rebuild_atom(atom: Atom, known: Mapping[Atom, Dim]) -> Dim:
    """Build the atom anew with dimensions substituted for atoms in its parts."""
    parts = tuple(replace_atoms(p, known) for p in atom.parts())
    match atom:
        case FloorQuotient():
            return floordiv(*parts)
        case MinMax():
            return (dim_max if atom.greatest else dim_min)(*parts)
        case Quotient():
            return make_quotient(atom.name, parts[0], atom.rest, atom.lower, atom.upper)
    return dim_from_atom(atom)


def _lone_symbol(d: SymDim) -> str | None:
    """Return the name of a symbol if `d` is that symbol alone."""
    match tuple(d.terms.items()):
        case (((Symbol(name=name),), 1),):
            return name
    return None
