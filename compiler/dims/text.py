"""Dimensions in terms of the user's symbols: as text, as Python, and as any other kind of expression.

In: a `Dim`. Out: what the given operations make of it. Always: a quotient of the normal form (`S/32` where `S % 32 == 0` is known) is
written with its symbol, so that `16*(S/32)` is `S/2`; every division by `/` is exact. As text, what is a remainder is written as one:
`T - 7*(T//7)` is `T % 7`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import gcd, lcm
from typing import Generic, TypeVar

from .polynomial import Atom, Dim, FloorQuotient, MinMax, Quotient, Symbol, atoms_of, size, terms_of
from .remainders import Remainder, with_remainders

R = TypeVar("R")

Factor = str | Atom
"""The name of a symbol, or an atom which is no symbol or quotient."""
Powers = dict[Factor, int]
Ratio = tuple[int, int]
"""Numerator and denominator, in lowest terms (`fractions` would bring `decimal` in, and costs more than all the rest here)."""
LONGEST = 2000
"""How much of a dimension is shown: parts with more than a quarter as many leaves, and numbers with more bits, are left out."""


class SumTerm:
    """`numerator * factors / (denominator * divisors)`, an integer for all allowed values."""

    __slots__ = ("denominator", "divisors", "factors", "numerator")

    def __init__(self, coefficient: Ratio, powers: Mapping[Factor, int]) -> None:
        self.numerator, self.denominator = coefficient
        self.factors: list[Factor] = []
        self.divisors: list[Factor] = []
        for factor, power in sorted(powers.items(), key=lambda item: _look(item[0])):
            (self.factors if power > 0 else self.divisors).extend([factor] * abs(power))

    @property
    def order(self) -> tuple[object, ...]:
        return (not self.factors, len(self.divisors) - len(self.factors), [_look(f) for f in self.factors + self.divisors])


class SumOfTerms:
    """The sum of `terms`, and of `group` divided as a whole by `divisor * divisors`."""

    __slots__ = ("divisor", "divisors", "group", "terms")

    def __init__(self, terms: list[SumTerm], group: list[SumTerm], divisor: int = 1, divisors: list[Factor] | None = None) -> None:
        self.terms = terms
        self.group = group
        self.divisor = divisor
        self.divisors = divisors or []


def _look(factor: Factor) -> tuple[str, int]:
    return (factor, 0) if isinstance(factor, str) else factor.order


# --- from normal form to the user's symbols -----------------------------------------------------------------------------


_Rational = dict[tuple[tuple[Factor, int], ...], Ratio]


def _ratio(numerator: int, denominator: int) -> Ratio:
    common = gcd(numerator, denominator)
    return numerator // common, denominator // common


def _accumulate(total: _Rational, key: tuple[tuple[Factor, int], ...], c: Ratio) -> None:
    a, b = total.get(key, (0, 1))
    total[key] = _ratio(a * c[1] + c[0] * b, b * c[1])


def _expand(coefficient: int, monomial: tuple[Atom, ...]) -> tuple[_Rational, bool]:
    """The monomial without quotients; and whether its terms are integers only when taken together."""
    parts: list[tuple[int, int, Powers]] = [(coefficient, 1, {})]
    together = False
    for atom in monomial:
        if not isinstance(atom, Quotient):
            factor = atom.name if isinstance(atom, Symbol) else atom
            parts = [(c, e, {**p, factor: p.get(factor, 0) + 1}) for c, e, p in parts]
            continue
        above, below, divisors = _reciprocal(atom.step)
        numerator: list[tuple[int, Powers]] = [(1, {atom.name: 1})]
        if atom.rest != 0:
            together = True
            numerator.append((-atom.rest, {}))
        parts = [(c * above * n, e * below, _merge(p, x, divisors)) for c, e, p in parts for n, x in numerator]
    total: _Rational = {}
    for c, e, p in parts:
        _accumulate(total, _monomial(p), _ratio(c, e))
    return total, together


def _merge(*several: Powers) -> Powers:
    total: Powers = {}
    for powers in several:
        for factor, power in powers.items():
            total[factor] = total.get(factor, 0) + power
    return total


def _reciprocal(step: Dim) -> tuple[int, int, Powers]:
    """`1/step` as numerator, denominator and powers."""
    ((monomial, coefficient),) = terms_of(step).items()
    scale = 1
    powers: Powers = {}
    for atom in monomial:
        if isinstance(atom, Quotient):
            above, inner, below = _reciprocal(atom.step)
            scale, coefficient = scale * inner, coefficient * above
            powers = _merge(powers, {atom.name: -1}, {f: -e for f, e in below.items()})
        else:
            powers = _merge(powers, {atom.name if isinstance(atom, Symbol) else atom: -1})
    return scale, coefficient, powers


def in_symbols(d: Dim) -> SumOfTerms:
    """`d` with the user's symbols substituted for quotients."""
    alone: _Rational = {}
    grouped: _Rational = {}
    for monomial, coefficient in terms_of(d).items():
        expanded, together = _expand(coefficient, monomial)
        for key, c in expanded.items():
            into = grouped if together and (c[1] > 1 or any(e < 0 for _, e in key)) else alone
            _accumulate(into, key, c)
    grouped = {key: c for key, c in grouped.items() if c[0]}
    if not grouped:
        return SumOfTerms(_terms(alone), [])
    if () in grouped:
        _accumulate(grouped, (), alone.pop((), (0, 1)))
    return _over_one_line(alone, grouped)


def _over_one_line(alone: _Rational, grouped: _Rational) -> SumOfTerms:
    """All that is grouped over its common denominator."""
    divisor = lcm(*(c[1] for c in grouped.values()))
    below: Powers = {}
    for key in grouped:
        for factor, power in key:
            below[factor] = max(below.get(factor, 0), -power)
    group: _Rational = {}
    for key, c in grouped.items():
        group[_monomial(_merge(dict(key), below))] = c[0] * divisor // c[1], 1
    if divisor == 1 and not any(below.values()):
        for key, c in group.items():
            _accumulate(alone, key, c)
        return SumOfTerms(_terms(alone), [])
    divisors = SumTerm((1, 1), below).factors
    return SumOfTerms(_terms(alone), _terms(group), divisor, divisors)


def _monomial(powers: Powers) -> tuple[tuple[Factor, int], ...]:
    return tuple(sorted(((f, e) for f, e in powers.items() if e), key=lambda item: _look(item[0])))


def _terms(rational: _Rational) -> list[SumTerm]:
    return sorted((SumTerm(c, dict(key)) for key, c in rational.items() if c[0]), key=lambda t: t.order)


# --- folding ---------------------------------------------------------------------------------------------------------------


class Folder(Generic[R]):
    """Makes an `R` of a dimension, bottom-up."""

    def sum(self, total: SumOfTerms) -> R:
        raise NotImplementedError

    def floor(self, top: R, bottom: R) -> R:
        raise NotImplementedError

    def min_max(self, args: list[R], greatest: bool) -> R:
        raise NotImplementedError

    def brief(self, atom: Atom) -> R | None:
        """The replacement of an atom that is not to be opened."""
        return None

    def whole(self, d: Dim) -> R:
        """A sum; what is in it is known."""
        return self.sum(in_symbols(d))

    def run(self, d: Dim) -> R:
        self.known: dict[Atom, R] = {}
        for atom in atoms_of(d):
            brief = self.brief(atom)
            if brief is not None:
                self.known[atom] = brief
            elif isinstance(atom, FloorQuotient):
                scale = self._scale(atom.top)
                self.known[atom] = self.floor(self.whole(atom.top * scale), self.whole(atom.bottom * scale))
            elif isinstance(atom, MinMax):
                self.known[atom] = self.min_max([self.whole(a) for a in atom.args], atom.greatest)
        return self.whole(d)

    def _scale(self, top: Dim) -> int:
        """What to multiply a lone fraction by: `(S/32)//5` is `S//160`."""
        if len(terms_of(top)) != 1:
            return 1
        found = in_symbols(top)
        return found.terms[0].denominator if found.terms and not found.group and not found.terms[0].divisors else 1


class _Fold(Folder[R]):
    def __init__(
        self,
        const: Callable[[int], R],
        sym: Callable[[str], R],
        add: Callable[[R, R], R],
        mul: Callable[[R, R], R],
        floordiv: Callable[[R, R], R],
        max_: Callable[[R, R], R],
        min_: Callable[[R, R], R],
    ) -> None:
        self.const = const
        self.sym = sym
        self.add = add
        self.mul = mul
        self.floordiv = floordiv
        self.greatest = max_
        self.least = min_

    def floor(self, top: R, bottom: R) -> R:
        return self.floordiv(top, bottom)

    def min_max(self, args: list[R], greatest: bool) -> R:
        total = args[0]
        for arg in args[1:]:
            total = (self.greatest if greatest else self.least)(total, arg)
        return total

    def sum(self, total: SumOfTerms) -> R:
        parts = [self._term(t) for t in total.terms]
        if total.group:
            parts.append(self.floor(self._added([self._term(t) for t in total.group]), self._product(total.divisor, total.divisors)))
        return self._added(parts)

    def _added(self, parts: list[R]) -> R:
        if not parts:
            return self.const(0)
        result = parts[0]
        for part in parts[1:]:
            result = self.add(result, part)
        return result

    def _term(self, term: SumTerm) -> R:
        top = self._product(term.numerator, term.factors)
        if term.denominator == 1 and not term.divisors:
            return top
        return self.floor(top, self._product(term.denominator, term.divisors))

    def _product(self, number: int, factors: list[Factor]) -> R:
        result = self.const(number) if number != 1 or not factors else None
        for factor in factors:
            value = self.sym(factor) if isinstance(factor, str) else self.known[factor]
            result = value if result is None else self.mul(result, value)
        assert result is not None
        return result


def fold(
    d: Dim,
    const: Callable[[int], R],
    sym: Callable[[str], R],
    add: Callable[[R, R], R],
    mul: Callable[[R, R], R],
    floordiv: Callable[[R, R], R],
    max_: Callable[[R, R], R],
    min_: Callable[[R, R], R],
) -> R:
    """Computes `d` bottom-up with these operations. Parts that occur several times are computed once."""
    return _Fold(const, sym, add, mul, floordiv, max_, min_).run(d)


# --- text ------------------------------------------------------------------------------------------------------------------


class _Text(Folder[str]):
    """Python's syntax; `exact` is the operator symbol of divisions that have no remainder."""

    def __init__(self, names: Mapping[str, str] | None, exact: str) -> None:
        self.names = names
        self.exact = exact

    def floor(self, top: str, bottom: str) -> str:
        return f"{_in_quotient(top)}//{bottom if _is_plain(bottom) else f'({bottom})'}"

    def whole(self, d: Dim) -> str:
        d = with_remainders(d)
        for atom in {a for monomial in terms_of(d) for a in monomial if isinstance(a, Remainder)}:
            bottom = self.whole(atom.bottom)
            text = f"{_in_quotient(self.whole(atom.top))} % {bottom if _is_plain(bottom) else f'({bottom})'}"
            self.known[atom] = self.brief(atom) or text
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
        return "*".join([*parts, *(self._factor(f) for f in factors)])

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


_SIMPLE = re.compile(r"[A-Za-z_][\w.]*((\[[^\[\]]*\])|(\([^()]*\)))*|\d+|\.\.\.")


def _is_plain(text: str) -> bool:
    return _SIMPLE.fullmatch(text) is not None


def _in_quotient(text: str) -> str:
    """As what is divided: sums in brackets, products as they are."""
    return f"({text})" if " " in _outside(text) else text


def _outside(text: str) -> str:
    """The text without what is in brackets."""
    kept: list[str] = []
    depth = 0
    for char in text:
        depth += char in "(["
        if not depth:
            kept.append(char)
        depth -= char in ")]"
    return "".join(kept)


def show(d: Dim) -> str:
    """As a person writes it, in the language's own syntax: `2*T + 1`, `(H + 1)//2`, `max(T, 5)`, `S/32`."""
    return _Text(None, "/").number(d) if isinstance(d, int) else _Text(None, "/").run(d)


def to_python(d: Dim, names: Mapping[str, str]) -> str:
    """A Python expression of integers, with code substituted for the symbols. An OverflowError if it would be too long."""
    if isinstance(d, int):
        return _Text(names, "//").number(d)
    if size(d) > 50 * LONGEST:
        raise OverflowError("the dimension is too long to be written out")
    return _Text(names, "//").run(d)


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
