"""From the normal form to the user's symbols: a dimension as a sum of products, divided as a person would divide.

In: a `Dim`. Out: `SumOfTerms`. Always: a quotient of the normal form (`S/32` where `S % 32 == 0` is known) is written with its symbol, so
that `16*(S/32)` is `S/2`; every division by `/` is exact.

    >>> from .comparisons import Condition
    >>> from .polynomial import make_symbol
    >>> from .where import declare_dims
    >>> S = declare_dims(["S"], [Condition("==", make_symbol("S") % 32, 0)], {}).dims["S"]
    >>> (term,) = rewrite_in_symbols(16 * (S // 32)).terms
    >>> term.numerator, term.factors, term.denominator
    (1, ['S'], 2)
"""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd, lcm

from .effort import spend_effort
from .polynomial import Atom, Dim, Quotient, Symbol, terms_of

Factor = str | Atom
"""The name of a symbol, or an atom which is no symbol or quotient."""
Powers = dict[Factor, int]
Ratio = tuple[int, int]
"""Numerator and denominator, in lowest terms (`fractions` would bring `decimal` in, and costs more than all the rest here)."""
_Rational = dict[tuple[tuple[Factor, int], ...], Ratio]


class SumTerm:
    """A term `numerator * factors / (denominator * divisors)`. Alone or with the others of its group, it is an integer."""

    __slots__ = ("denominator", "divisors", "factors", "numerator")

    def __init__(self, coefficient: Ratio, powers: Mapping[Factor, int]) -> None:
        self.numerator, self.denominator = coefficient
        self.factors: list[Factor] = []
        self.divisors: list[Factor] = []
        for factor, power in sorted(powers.items(), key=lambda item: _sort_key(item[0])):
            (self.factors if power > 0 else self.divisors).extend([factor] * abs(power))

    @property
    def sort_key(self) -> tuple[object, ...]:
        return (not self.factors, len(self.divisors) - len(self.factors), [_sort_key(f) for f in self.factors + self.divisors])


class SumOfTerms:
    """The sum of `terms`, plus the sum of `group` divided by `divisor * divisors`."""

    __slots__ = ("divisor", "divisors", "group", "terms")

    def __init__(self, terms: list[SumTerm], group: list[SumTerm], divisor: int = 1, divisors: list[Factor] | None = None) -> None:
        self.terms = terms
        self.group = group
        self.divisor = divisor
        self.divisors = divisors or []


def _sort_key(factor: Factor) -> tuple[str, int]:
    return (factor, 0) if isinstance(factor, str) else factor.order


def _reduce_ratio(numerator: int, denominator: int) -> Ratio:
    common = gcd(numerator, denominator)
    return numerator // common, denominator // common


def _add_to_total(total: _Rational, key: tuple[tuple[Factor, int], ...], c: Ratio) -> None:
    a, b = total.get(key, (0, 1))
    total[key] = _reduce_ratio(a * c[1] + c[0] * b, b * c[1])


def _expand_quotients(coefficient: int, monomial: tuple[Atom, ...]) -> tuple[_Rational, bool]:
    """Expand the quotients of a monomial to symbols. The second result: whether its terms are integers only when added up."""
    parts: list[tuple[int, int, Powers]] = [(coefficient, 1, {})]
    together = False
    for atom in monomial:
        if not isinstance(atom, Quotient):
            factor = atom.name if isinstance(atom, Symbol) else atom
            # Powers may be negative: `D/K * K` must lose the K again.
            parts = [(c, e, {**p, factor: p.get(factor, 0) + 1}) for c, e, p in parts]
            continue
        above, below, divisors = _invert_step(atom.step)
        numerator: list[tuple[int, Powers]] = [(1, {atom.name: 1})]
        if atom.rest != 0:
            # `(H - 1)/4` is an integer, but `H/4` and `1/4` are not: the two terms must stay over one denominator.
            together = True
            numerator.append((-atom.rest, {}))
        spend_effort(len(parts) * len(numerator))
        parts = [(c * above * n, e * below, _multiply_powers(p, x, divisors)) for c, e, p in parts for n, x in numerator]
    total: _Rational = {}
    for c, e, p in parts:
        _add_to_total(total, _sorted_powers(p), _reduce_ratio(c, e))
    return total, together


def _multiply_powers(*several: Powers) -> Powers:
    total: Powers = {}
    for powers in several:
        for factor, power in powers.items():
            total[factor] = total.get(factor, 0) + power
    return total


def _invert_step(step: Dim) -> tuple[int, int, Powers]:
    """`1/step` as numerator, denominator and powers."""
    ((monomial, coefficient),) = terms_of(step).items()
    scale = 1
    powers: Powers = {}
    for atom in monomial:
        if isinstance(atom, Quotient):
            above, inner, below = _invert_step(atom.step)
            # A step may contain quotients itself: `D % K == 0` and `K % 3 == 0` make D a multiple of `3*(K/3)`.
            scale, coefficient = scale * inner, coefficient * above
            powers = _multiply_powers(powers, {atom.name: -1}, {f: -e for f, e in below.items()})
        else:
            powers = _multiply_powers(powers, {atom.name if isinstance(atom, Symbol) else atom: -1})
    return scale, coefficient, powers


def rewrite_in_symbols(d: Dim) -> SumOfTerms:
    """`d` with the user's symbols substituted for quotients."""
    spend_effort(len(terms_of(d)))
    alone: _Rational = {}
    grouped: _Rational = {}
    for monomial, coefficient in terms_of(d).items():
        expanded, together = _expand_quotients(coefficient, monomial)
        for key, c in expanded.items():
            # Terms of `4*W*((H - 1)/4)` need no denominator and are written alone: `H*W - W`.
            into = grouped if together and (c[1] > 1 or any(e < 0 for _, e in key)) else alone
            _add_to_total(into, key, c)
    grouped = {key: c for key, c in grouped.items() if c[0]}
    if not grouped:
        return SumOfTerms(_sorted_terms(alone), [])
    # A fractional constant takes the integer with it: `3*(H - 1)/4 + 5` is `(3*H + 17)/4`.
    if () in grouped:
        _add_to_total(grouped, (), alone.pop((), (0, 1)))
    return _combine_fractions(alone, grouped)


def _combine_fractions(alone: _Rational, grouped: _Rational) -> SumOfTerms:
    """Write the grouped terms over their common denominator, so that each division is exact."""
    divisor = lcm(*(c[1] for c in grouped.values()))
    below: Powers = {}
    for key in grouped:
        for factor, power in key:
            below[factor] = max(below.get(factor, 0), -power)
    group: _Rational = {}
    for key, c in grouped.items():
        group[_sorted_powers(_multiply_powers(dict(key), below))] = c[0] * divisor // c[1], 1
    if divisor == 1 and not any(below.values()):
        for key, c in group.items():
            _add_to_total(alone, key, c)
        return SumOfTerms(_sorted_terms(alone), [])
    divisors = SumTerm((1, 1), below).factors
    return SumOfTerms(_sorted_terms(alone), _sorted_terms(group), divisor, divisors)


def _sorted_powers(powers: Powers) -> tuple[tuple[Factor, int], ...]:
    return tuple(sorted(((f, e) for f, e in powers.items() if e), key=lambda item: _sort_key(item[0])))


def _sorted_terms(rational: _Rational) -> list[SumTerm]:
    return sorted((SumTerm(c, dict(key)) for key, c in rational.items() if c[0]), key=lambda t: t.sort_key)
