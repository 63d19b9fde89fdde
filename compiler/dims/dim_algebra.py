"""Dimensions as any kind of expression that has sums, products and divisions.

In: a `Dim`, and the operations. Out: what they make of it, bottom-up; what occurs several times is computed once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from .dim_terms import Factor, SumOfTerms, SumTerm, in_symbols
from .polynomial import Atom, Dim, FloorQuotient, MinMax, atoms_of, terms_of

R = TypeVar("R")


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
