"""Bounds of dimensions.

In: a `Dim`. Out: a lower and an upper bound, None where none is known. Always: the bounds hold for every allowed value of the symbols. They
need not be the best.

>>> from .polynomial import make_symbol
>>> T = make_symbol("T", upper=10)
>>> bounds(3 - T)
(-7, 2)
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from .polynomial import Bounds, Dim, FloorQuotient, Monomial, Terms, add_terms, multiply_terms, terms_of

_MOST_RELAXATIONS = 16
_MOST_TERMS = 32
_MOST_SHIFTED_TERMS = 1024
"""The most terms that writing each symbol as its least value plus something may make: 2 ** n of a product of n."""


def bounds(d: Dim) -> Bounds:
    """The least and the greatest value that `d` can be shown to have; None: no bound known."""
    if isinstance(d, int):
        return d, d
    # The upper bound is the lower bound of the negated polynomial with its sign changed, so all rules exist once
    # only.
    if d._bounds is None:
        d._bounds = _lower_bound(d.terms), _negate_bound(_lower_bound({m: -c for m, c in d.terms.items()}))
    return d._bounds


def _negate_bound(x: int | None) -> int | None:
    return None if x is None else -x


def _multiply_bounds(x: float, y: float) -> float:
    # `0 * inf` is NaN in Python. Here infinity only means that no bound is known, and 0 times any size is 0.
    if not x or not y:
        return 0
    if isinstance(x, float) or isinstance(y, float):
        return inf if (x > 0) == (y > 0) else -inf
    return x * y


def _monomial_bounds(monomial: Monomial) -> tuple[float, float]:
    lo: float = 1
    hi: float = 1
    for atom in monomial:
        a = -inf if atom.lower is None else atom.lower
        b = inf if atom.upper is None else atom.upper
        # Nearly all sizes are nonnegative, and then the least product is the product of the least.
        if lo >= 0 and a >= 0:
            lo, hi = _multiply_bounds(lo, a), _multiply_bounds(hi, b)
        else:
            corners = (_multiply_bounds(lo, a), _multiply_bounds(lo, b), _multiply_bounds(hi, a), _multiply_bounds(hi, b))
            lo, hi = min(corners), max(corners)
    return lo, hi


def _interval_lower_bound(terms: Terms) -> int | None:
    total = 0
    for m, c in terms.items():
        lo, hi = _monomial_bounds(m)
        least = _multiply_bounds(c, lo) if c > 0 else _multiply_bounds(c, hi)
        if isinstance(least, float):
            return None
        # Each term is bounded alone: exact for terms without a common symbol, too weak for `H*W - H`.
        total += least
    return total


def _shifted_lower_bound(terms: Terms) -> int | None:
    """Bound the polynomial after writing each symbol as its least value plus a nonnegative rest: `H*W - H` is at least 0."""
    shifted: Terms = {}
    for m, c in terms.items():
        part: Terms = {(): c}
        for atom in m:
            # From here on, `atom` stands for the rest above the lower bound, which runs from 0 to `upper - lower`.
            step: Terms = {(atom,): 1, (): atom.lower} if atom.lower else {(atom,): 1}
            part = multiply_terms(part, step)
        shifted = add_terms(shifted, part, 1)
    total = 0
    for m, c in shifted.items():
        if any(a.lower is None for a in m):
            return None
        # A term with a positive coefficient is at least 0 now, because every rest is. Only the others can lower the
        # sum.
        if not m or c < 0:
            spans = [inf if a.upper is None else a.upper - (a.lower or 0) for a in m]
            most: float = c
            for s in spans:
                most = _multiply_bounds(most, s)
            if isinstance(most, float):
                return None
            total += most
    return total


def _polynomial_lower_bound(terms: Terms) -> int | None:
    lo = _interval_lower_bound(terms)
    # Shifting makes up to 2 ** n terms of a product of n. Intervals answer most questions first.
    if lo is None and any(1 < len(m) <= 4 for m in terms) and sum([1 << len(m) for m in terms]) <= _MOST_SHIFTED_TERMS:
        return _shifted_lower_bound(terms)
    return lo


def relax_floors(terms: Terms) -> Iterable[tuple[Terms, int]]:
    """Yield `(terms, scale)` with `terms / scale` never more than this polynomial: floor divisions are replaced by true ones."""
    scale = 1
    yield terms, scale
    for _ in range(_MOST_RELAXATIONS if len(terms) <= _MOST_TERMS else 0):
        pick = _find_relaxable_floor(terms)
        if pick is None:
            return
        m, floor = pick
        k = floor.bottom
        assert isinstance(k, int)
        c = terms[m]
        rest = list(m)
        rest.remove(floor)
        # With `k` the divisor: `top/k - (k - 1)/k <= top // k <= top/k`. A subtracted floor is replaced by its upper
        # bound, an added one by its lower.
        top = floor.top if c < 0 else floor.top - (k - 1)
        bigger = {n: e * k for n, e in terms.items() if n != m}
        terms = add_terms(bigger, multiply_terms({tuple(rest): c}, terms_of(top)), 1)
        scale *= k
        yield terms, scale


def _find_relaxable_floor(terms: Terms) -> tuple[Monomial, FloorQuotient] | None:
    """Find a floor division to replace, a subtracted one first."""
    result = None
    for m, c in terms.items():
        for atom in m:
            if isinstance(atom, FloorQuotient) and isinstance(atom.bottom, int):
                # In a product, the replacement is a bound only if the other factors are not negative.
                if len(m) > 1 and any(a is not atom and (a.lower is None or a.lower < 0) for a in m):
                    continue
                # The same for a square of the floor: the other one of the two is a factor.
                if len(m) > 1 and sum(a is atom for a in m) > 1 and (atom.lower is None or atom.lower < 0):
                    continue
                if c < 0:
                    return m, atom
                result = result or (m, atom)
    return result


def ceil_div(x: int, y: int) -> int:
    return -(-x // y)


def _lower_bound(terms: Terms) -> int | None:
    best: int | None = None
    for relaxed, scale in relax_floors(terms):
        lo = _polynomial_lower_bound(relaxed)
        if lo is not None:
            lo = ceil_div(lo, scale)
            best = lo if best is None or lo > best else best
    return best


def floor_bounds(top: Bounds, bottom: Bounds) -> Bounds:
    low, high = bottom
    if low is None or low <= 0:
        return None, None
    lo, hi = top
    if lo is not None:
        # The least quotient: a negative number is the least over the smallest divisor, a nonnegative one over the
        # largest.
        lo = lo // low if lo < 0 else 0 if high is None else lo // high
    if hi is not None:
        # Over a divisor without an upper bound, a negative number still rounds down to -1, never to 0.
        hi = hi // low if hi >= 0 else -1 if high is None else hi // high
    return lo, hi


def min_max_bounds(spans: list[Bounds], greatest: bool) -> Bounds:
    if not greatest:
        lo, hi = min_max_bounds([(_negate_bound(b), _negate_bound(a)) for a, b in spans], True)
        return _negate_bound(hi), _negate_bound(lo)
    lows = [a for a, _ in spans if a is not None]
    highs = [b for _, b in spans if b is not None]
    return max(lows, default=None), max(highs) if len(highs) == len(spans) else None
