"""Write dimensions as text and as Python.

In: a `Dim`. Out: its text, in the user's symbols (dim_terms.py). Always: remainders are written with `%`.

>>> from .polynomial import make_symbol
>>> T = make_symbol("T")
>>> format_dim(T - 7 * (T // 7) + 2)
'T % 7 + 2'
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from itertools import groupby
from math import gcd

from netc.dsl.precedence import NET, outside_brackets

from .dim_algebra import DimFold
from .dim_terms import Factor, SumOfTerms, SumTerm
from .polynomial import Atom, Dim, MinMax, Quotient, Symbol, SymDim, terms_of, text_size
from .remainders import Remainder, introduce_remainders

LONGEST = 2000
"""The limit of a dimension's text. Parts with more than a quarter as many leaves are left out, and so are numbers with more bits."""


class _DimPrinter(DimFold[str]):
    """Prints a dimension for people, close together, with `/` for an exact division; or, with `names`, as Python code with spaces.
    `powers`: `width**2` for a product of equal factors."""

    def __init__(self, names: Mapping[str, str] | None = None, *, powers: bool = False) -> None:
        self.names, self.powers = names, powers
        self.times, self.exact, self.by = ("*", "/", "//") if names is None else (" * ", " // ", " // ")

    def fold_floor(self, top: str, bottom: str) -> str:
        return f"{_format_dividend(top)}{self.by}{bottom if _needs_no_brackets(bottom) else f'({bottom})'}"

    def fold_inner(self, d: Dim) -> str:
        # Only here, just before printing: the normal form has no remainders, and no other operation knows these
        # atoms.
        d = introduce_remainders(d)
        for atom in {a for monomial in terms_of(d) for a in monomial if isinstance(a, Remainder)}:
            self.known[atom] = self.abbreviate_atom(atom) or remainder_text(self.fold_inner(atom.top), self.fold_inner(atom.bottom))
        return super().fold_inner(d)

    def fold_min_max(self, args: list[str], greatest: bool) -> str:
        return f"{'max' if greatest else 'min'}({', '.join(args)})"

    def fold_sum(self, total: SumOfTerms) -> str:
        group = ""
        if total.group:
            group = f"{_format_dividend(self._format_sum(total.group))}{self.exact}{self._format_divisor(total.divisor, total.divisors)}"
        return self._format_sum(total.terms, group)

    def _format_sum(self, terms: list[SumTerm], group: str = "") -> str:
        # Begin with a positive term if there is one: `5 - T`, not `-T + 5`.
        if terms and terms[0].numerator < 0 and any(t.numerator > 0 for t in terms):
            first = next(t for t in terms if t.numerator > 0)
            terms = [first, *(t for t in terms if t is not first)]
        text = group
        for term in terms:
            sign = "-" if term.numerator < 0 else "+"
            part = self._format_term(term, abs(term.numerator), bool(text) or sign == "+")
            text = f"{text} {sign} {part}" if text else part if sign == "+" else f"-{part}"
        return text or "0"

    def _format_term(self, term: SumTerm, number: int, bare: bool) -> str:
        # A lone factor needs no brackets of its own in a sum: `H//2 + 1`, but `2*(H//2)`.
        if bare and number == 1 and len(term.factors) == 1 and term.denominator == 1 and not term.divisors:
            only = term.factors[0]
            return self._format_name(only) if isinstance(only, str) else self.known[only]
        text = self._format_product(number, term.factors)
        if term.denominator == 1 and not term.divisors:
            return text
        return f"{text}{self.exact}{self._format_divisor(term.denominator, term.divisors)}"

    def _format_divisor(self, number: int, factors: list[Factor]) -> str:
        text = self._format_product(number, factors)
        # `D/2*K` would divide by 2 only.
        return f"({text})" if "*" in text else text

    def _format_product(self, number: int, factors: list[Factor]) -> str:
        parts = [self.format_number(number)] if number != 1 or not factors else []
        for factor, count in ((f, len([*same])) for f, same in groupby(self._format_factor(f) for f in factors)):
            parts += [_power(factor, count)] if self.powers and count > 1 else [factor] * count
        return self.times.join(parts)

    def _format_factor(self, factor: Factor) -> str:
        if isinstance(factor, str):
            return self._format_name(factor)
        return self.known[factor] if isinstance(factor, MinMax) else f"({self.known[factor]})"

    def format_number(self, number: int) -> str:
        if number.bit_length() <= LONGEST:
            return str(number)
        return "..." if self.names is None else hex(number)

    def abbreviate_atom(self, atom: Atom) -> str | None:
        return "..." if self.names is None and atom.size > LONGEST // 4 else None

    def _format_name(self, name: str) -> str:
        if self.names is None:
            return name
        code = self.names[name]
        return code if _ATOMIC_TEXT.fullmatch(code) else f"({code})"


_ATOMIC_TEXT = re.compile(r"[A-Za-z_]\w*(\.\w+|\[[^\[\]]*\]|\([^()]*\))*|\{?\d+\}?|\.\.\.")


def _power(text: str, exponent: int) -> str:
    return f"{text}**{exponent}" if _needs_no_brackets(text) else f"{text} ** {exponent}"


def _needs_no_brackets(text: str) -> bool:
    return _ATOMIC_TEXT.fullmatch(text) is not None


def _format_dividend(text: str) -> str:
    """Format a dividend: sums get brackets, products do not."""
    outside = outside_brackets(text)
    return f"({text})" if NET.strength_of_text(outside) < NET.binding_strength("*") or " % " in outside else text


def remainder_text(top: str, bottom: str) -> str:
    """`top % bottom`, with the brackets that it needs."""
    return f"{_format_dividend(top)} % {bottom if _needs_no_brackets(bottom) else f'({bottom})'}"


def format_dim(d: Dim) -> str:
    """Format a dimension as a person writes it, in the language's own syntax: `2*T + 1`, `(H + 1)//2`, `max(T, 5)`, `S/32`."""
    return _DimPrinter().format_number(d) if isinstance(d, int) else _format_symbolic(d)


@lru_cache(maxsize=4096)
def _format_symbolic(d: SymDim) -> str:
    """Format a symbolic dimension. Cached, because an editor shows the same sizes after each change."""
    return _DimPrinter().fold_dim(d)


def dim_to_python(d: Dim, names: Mapping[str, str], *, powers: bool = False) -> str:
    """Return a Python expression of integers, with code substituted for the symbols. `powers`: equal factors as a power. An OverflowError
    if it would be too long."""
    if isinstance(d, int):
        return _DimPrinter(names).format_number(d)
    if text_size(d) > 50 * LONGEST:
        raise OverflowError("the dimension is too long to be written out")
    return _DimPrinter(names, powers=powers).fold_dim(d)


def invert_linear(d: Dim) -> tuple[str, int, int, int] | None:
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
