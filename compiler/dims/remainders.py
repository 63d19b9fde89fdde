"""Find remainders in dimensions before they are written: `T % 7` for `T - 7*(T//7)`.

In: a `Dim` in normal form, which has no remainders. Out: the same dimension with `Remainder`s as atoms. Always: the result has fewer terms.
Use it only to write it: no other operation on dimensions knows these atoms.

    >>> from .polynomial import make_symbol
    >>> T = make_symbol("T")
    >>> len(terms_of(T - 7 * (T // 7) + 2)), len(terms_of(introduce_remainders(T - 7 * (T // 7) + 2)))
    (3, 2)
"""

from __future__ import annotations

from collections.abc import Iterator

from .division import divide_monomial, floordiv
from .polynomial import Atom, Dim, FloorQuotient, Monomial, dim_from_atom, dim_from_terms, key_of, terms_of

_LONGEST = 100
"""The number of terms up to which remainders are looked for."""


class Remainder(Atom):
    """`top % bottom`, in a dimension that is being written."""

    __slots__ = ("bottom", "top")

    def __init__(self, top: Dim, bottom: Dim) -> None:
        self.top = top
        self.bottom = bottom
        self._set_fields(f"~%{key_of(top)}/{key_of(bottom)}", (0, None))

    def parts(self) -> tuple[Dim, ...]:
        return (self.top, self.bottom)


def introduce_remainders(d: Dim) -> Dim:
    """`d` with a remainder wherever that makes it shorter; as it is, if it is long."""
    while len(terms_of(d)) <= _LONGEST:
        shorter = _replace_best_quotient(d)
        if shorter is None:
            break
        d = shorter
    return d


def _replace_best_quotient(d: Dim) -> Dim | None:
    quotients = [(m, a) for m in terms_of(d) for a in m if isinstance(a, FloorQuotient)]
    # The largest first: a quotient inside of it disappears with it.
    for monomial, quotient in sorted(quotients, key=lambda best: -best[1].size):
        best = min(
            (*_replace_quotient(d, monomial, quotient), *_merge_nested_quotients(d, monomial, quotient)), key=_term_counts, default=d
        )
        # Fewer terms each time, so the loop of the caller ends.
        if _term_counts(best)[0] < _term_counts(d)[0]:
            return best
    return None


def _term_counts(d: Dim) -> tuple[int, int]:
    """The number of terms, and the number of terms with a minus."""
    return len(terms_of(d)), sum(c < 0 for c in terms_of(d).values())


def _replace_quotient(d: Dim, monomial: Monomial, quotient: FloorQuotient) -> Iterator[Dim]:
    """Yield `d` with a remainder in place of the quotient in this term: `k*(a//k)` is `a - a % k`."""
    coefficient = terms_of(d)[monomial]
    if len(terms_of(quotient.bottom)) != 1:
        return
    ((below, number),) = terms_of(quotient.bottom).items()
    others = divide_monomial(monomial, (*below, quotient))
    if others is None or coefficient % number:
        return
    times, without = dim_from_terms({others: coefficient // number}), d - dim_from_terms({monomial: coefficient})
    yield without + times * (quotient.top - dim_from_atom(Remainder(quotient.top, quotient.bottom)))
    if not below:  # the remainders of T and -T - 1 are k - 1 together
        below_zero = -quotient.top + (number - 1)
        yield without + times * (dim_from_atom(Remainder(below_zero, number)) - below_zero)


def _merge_nested_quotients(d: Dim, monomial: Monomial, quotient: FloorQuotient) -> Iterator[Dim]:
    """Yield `d` with one remainder in place of two nested quotients: `T//3 - 7*(T//21)` is `T//3 % 7`, because `T//21` is `(T//3)//7`."""
    terms = terms_of(d)
    others = divide_monomial(monomial, (quotient,)) or ()
    for term, number in terms.items():
        first = next((a for a in term if isinstance(a, FloorQuotient) and divide_monomial(term, (a,)) == others), None)
        if first is None or terms[monomial] % number:
            continue
        bottom = -terms[monomial] // number
        if bottom > 1 and floordiv(dim_from_atom(first), bottom) == dim_from_atom(quotient):
            merged = dim_from_terms({others: number}) * dim_from_atom(Remainder(dim_from_atom(first), bottom))
            yield d - dim_from_terms({monomial: terms[monomial], term: number}) + merged
