"""Convert dimensions to another kind of expression with sums, products and divisions.

In: a `Dim`, and the operations of the other kind. Out: the result of the operations, bottom-up. Always: a part that occurs several times is
converted once.

    >>> from operator import add, floordiv, mul
    >>> from .polynomial import make_symbol
    >>> fold_dim((make_symbol("T") + 3) // 2, const=int, sym={"T": 8}.__getitem__, add=add, mul=mul, floordiv=floordiv, max_=max, min_=min)
    5
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Generic, TypeVar

from .dim_terms import Factor, SumOfTerms, SumTerm, rewrite_in_symbols
from .polynomial import Atom, Dim, FloorQuotient, MinMax, atoms_of, terms_of

R = TypeVar("R")


class DimFold(Generic[R]):
    """Convert a dimension to an `R`, bottom-up: subclasses say how sums, floor divisions, minima and maxima convert."""

    def fold_sum(self, total: SumOfTerms) -> R:
        raise NotImplementedError

    def fold_floor(self, top: R, bottom: R) -> R:
        raise NotImplementedError

    def fold_min_max(self, args: list[R], greatest: bool) -> R:
        raise NotImplementedError

    def abbreviate_atom(self, atom: Atom) -> R | None:
        """Return a replacement for an atom whose parts are not to be converted, or None to convert them."""
        return None

    def fold_inner(self, d: Dim) -> R:
        """Convert a sum whose atoms are already in `known`."""
        return self.fold_sum(rewrite_in_symbols(d))

    def fold_dim(self, d: Dim) -> R:
        self.known: dict[Atom, R] = {}
        # `atoms_of` lists inner atoms first, so the parts of an atom are always in `known` when the atom's turn
        # comes.
        for atom in atoms_of(d):
            brief = self.abbreviate_atom(atom)
            if brief is not None:
                self.known[atom] = brief
            elif isinstance(atom, FloorQuotient):
                scale = self._scale_of_fraction(atom.top)
                self.known[atom] = self.fold_floor(self.fold_inner(atom.top * scale), self.fold_inner(atom.bottom * scale))
            elif isinstance(atom, MinMax):
                self.known[atom] = self.fold_min_max([self.fold_inner(a) for a in atom.args], atom.greatest)
        return self.fold_inner(d)

    def _scale_of_fraction(self, top: Dim) -> int:
        """The factor that clears the denominator of a lone fraction: `(S/32)//5` is `S//160`."""
        # Only a single fraction can move its denominator under the floor: in `S/32 + T`, the multiplied T would make
        # the text longer.
        if len(terms_of(top)) != 1:
            return 1
        total = rewrite_in_symbols(top)
        return total.terms[0].denominator if total.terms and not total.group and not total.terms[0].divisors else 1


class _CallbackFold(DimFold[R]):
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

    def fold_floor(self, top: R, bottom: R) -> R:
        return self.floordiv(top, bottom)

    def fold_min_max(self, args: list[R], greatest: bool) -> R:
        return reduce(self.greatest if greatest else self.least, args)

    def fold_sum(self, total: SumOfTerms) -> R:
        parts = [self._fold_term(t) for t in total.terms]
        if total.group:
            parts.append(
                self.fold_floor(self._add_all([self._fold_term(t) for t in total.group]), self._multiply_all(total.divisor, total.divisors))
            )
        return self._add_all(parts)

    def _add_all(self, parts: list[R]) -> R:
        return reduce(self.add, parts) if parts else self.const(0)

    def _fold_term(self, term: SumTerm) -> R:
        top = self._multiply_all(term.numerator, term.factors)
        if term.denominator == 1 and not term.divisors:
            return top
        return self.fold_floor(top, self._multiply_all(term.denominator, term.divisors))

    def _multiply_all(self, number: int, factors: list[Factor]) -> R:
        # `S` rather than `1*S`, but the empty product is still 1.
        result = self.const(number) if number != 1 or not factors else None
        for factor in factors:
            value = self.sym(factor) if isinstance(factor, str) else self.known[factor]
            result = value if result is None else self.mul(result, value)
        assert result is not None
        return result


def fold_dim(
    d: Dim,
    const: Callable[[int], R],
    sym: Callable[[str], R],
    add: Callable[[R, R], R],
    mul: Callable[[R, R], R],
    floordiv: Callable[[R, R], R],
    max_: Callable[[R, R], R],
    min_: Callable[[R, R], R],
) -> R:
    """Compute `d` bottom-up with these operations. Parts that occur several times are computed once."""
    return _CallbackFold(const, sym, add, mul, floordiv, max_, min_).fold_dim(d)
