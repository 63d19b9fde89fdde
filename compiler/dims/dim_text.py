"""Dimensions as text and as Python.

In: a `Dim`. Out: its text, in the user's symbols (dim_terms.py). Always: what is a remainder is written as one: `T - 7*(T//7)` is `T % 7`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import groupby
from math import gcd

from netc.dsl.precedence import NET, outside_brackets

from .dim_algebra import Folder
from .dim_terms import Factor, SumOfTerms, SumTerm
from .polynomial import Atom, Dim, MinMax, Quotient, Symbol, SymDim, size, terms_of
from .remainders import Remainder, with_remainders

LONGEST = 2000
"""How much of a dimension is shown: parts with more than a quarter as many leaves, and numbers with more bits, are left out."""


class _Text(Folder[str]):
    """Close together for people, where `/` has no remainder; with `names`, as code of Python with spaces. `powers`: `width**2` for a
    product of equal factors."""

    def __init__(self, names: Mapping[str, str] | None = None, *, powers: bool = False) -> None:
        self.names, self.powers = names, powers
        self.times, self.exact, self.by = ("*", "/", "//") if names is None else (" * ", " // ", " // ")

    def floor(self, top: str, bottom: str) -> str:
        return f"{_in_quotient(top)}{self.by}{bottom if _is_plain(bottom) else f'({bottom})'}"

    def whole(self, d: Dim) -> str:
        d = with_remainders(d)
        for atom in {a for monomial in terms_of(d) for a in monomial if isinstance(a, Remainder)}:
            self.known[atom] = self.brief(atom) or remainder_text(self.whole(atom.top), self.whole(atom.bottom))
        return super().whole(d)

    def min_max(self, args: list[str], greatest: bool) -> str:
        return f"{'max' if greatest else 'min'}({', '.join(args)})"

    def sum(self, total: SumOfTerms) -> str:
        group = ""
        if total.group:
            group = f"{_in_quotient(self._sum(total.group))}{self.exact}{self._below(total.divisor, total.divisors)}"
        return self._sum(total.terms, group)

    def _sum(self, terms: list[SumTerm], group: str = "") -> str:
        if terms and terms[0].numerator < 0 and any(t.numerator > 0 for t in terms):
            first = next(t for t in terms if t.numerator > 0)
            terms = [first, *(t for t in terms if t is not first)]
        text = group
        for term in terms:
            sign = "-" if term.numerator < 0 else "+"
            part = self._term(term, abs(term.numerator), bool(text) or sign == "+")
            text = f"{text} {sign} {part}" if text else part if sign == "+" else f"-{part}"
        return text or "0"

    def _term(self, term: SumTerm, number: int, bare: bool) -> str:
        if bare and number == 1 and len(term.factors) == 1 and term.denominator == 1 and not term.divisors:
            only = term.factors[0]
            return self._name(only) if isinstance(only, str) else self.known[only]
        text = self._product(number, term.factors)
        if term.denominator == 1 and not term.divisors:
            return text
        return f"{text}{self.exact}{self._below(term.denominator, term.divisors)}"

    def _below(self, number: int, factors: list[Factor]) -> str:
        text = self._product(number, factors)
        return f"({text})" if "*" in text else text

    def _product(self, number: int, factors: list[Factor]) -> str:
        parts = [self.number(number)] if number != 1 or not factors else []
        for factor, count in ((f, len([*same])) for f, same in groupby(self._factor(f) for f in factors)):
            parts += [_power(factor, count)] if self.powers and count > 1 else [factor] * count
        return self.times.join(parts)

    def _factor(self, factor: Factor) -> str:
        if isinstance(factor, str):
            return self._name(factor)
        return self.known[factor] if isinstance(factor, MinMax) else f"({self.known[factor]})"

    def number(self, number: int) -> str:
        if number.bit_length() <= LONGEST:
            return str(number)
        return "..." if self.names is None else hex(number)

    def brief(self, atom: Atom) -> str | None:
        return "..." if self.names is None and atom.size > LONGEST // 4 else None

    def _name(self, name: str) -> str:
        if self.names is None:
            return name
        code = self.names[name]
        return code if _SIMPLE.fullmatch(code) else f"({code})"


_SIMPLE = re.compile(r"[A-Za-z_]\w*(\.\w+|\[[^\[\]]*\]|\([^()]*\))*|\{?\d+\}?|\.\.\.")


def _power(text: str, exponent: int) -> str:
    return f"{text}**{exponent}" if _is_plain(text) else f"{text} ** {exponent}"


def _is_plain(text: str) -> bool:
    return _SIMPLE.fullmatch(text) is not None


def _in_quotient(text: str) -> str:
    """As what is divided: sums in brackets, products as they are."""
    outside = outside_brackets(text)
    return f"({text})" if NET.strength_of_text(outside) < NET.binding_strength("*") or " % " in outside else text


def remainder_text(top: str, bottom: str) -> str:
    """`top % bottom`, with the brackets that it needs."""
    return f"{_in_quotient(top)} % {bottom if _is_plain(bottom) else f'({bottom})'}"


def show(d: Dim) -> str:
    """As a person writes it, in the language's own syntax: `2*T + 1`, `(H + 1)//2`, `max(T, 5)`, `S/32`."""
    return _Text().number(d) if isinstance(d, int) else _shown(d)


@lru_cache(maxsize=4096)
def _shown(d: SymDim) -> str:
    """An editor shows the same sizes after each change."""
    return _Text().run(d)


def to_python(d: Dim, names: Mapping[str, str], *, powers: bool = False) -> str:
    """A Python expression of integers, with code substituted for the symbols. `powers`: equal factors as a power. An OverflowError if it
    would be too long."""
    if isinstance(d, int):
        return _Text(names).number(d)
    if size(d) > 50 * LONGEST:
        raise OverflowError("the dimension is too long to be written out")
    return _Text(names, powers=powers).run(d)


def invert(d: Dim) -> tuple[str, int, int, int] | None:
    """`(S, a, c, b)` if `d == a*S/c + b` for one symbol S: then `S == (d - b)*c // a`."""
    terms = dict(terms_of(d))
    b = terms.pop((), 0)
    if len(terms) != 1:
        return None
    ((monomial, a),) = terms.items()
    if len(monomial) != 1 or a < 1:
        return None
    atom = monomial[0]
    if isinstance(atom, Symbol):
        return atom.name, a, 1, b
    if not isinstance(atom, Quotient) or not isinstance(atom.step, int):
        return None
    if a * atom.rest % atom.step:
        return None
    common = gcd(a, atom.step)
    return atom.name, a // common, atom.step // common, b - a * atom.rest // atom.step
