"""The decision procedure for questions about dimensions: are two equal, is one at least the other, does one divide the other.

In: polynomials that are zero, not zero, not negative, or multiples of something, as `declare_dims` finds them in a model's `where`. Out:
True, False or None. Always: True and False hold for every allowed value of the symbols. None means that neither could be proved within a
small, fixed effort, so that no text makes the compiler search without end.

>>> from .polynomial import make_symbol
>>> T = make_symbol("T")
>>> facts = Facts(multiples=((4, T),))
>>> facts.divides(2, T), facts.divides(8, T), facts.are_equal(T + 1, T)
(True, None, False)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations, product
from math import gcd, prod

from netc.dsl.record import Record

from .dim_bounds import bounds, ceil_div, relax_floors
from .division import divide_monomial, floordiv, polynomial_divmod, replace_atoms, substitute_symbols
from .effort import spend_effort
from .polynomial import (
    Atom,
    Dim,
    FloorQuotient,
    MinMax,
    Monomial,
    Terms,
    constant_of,
    dim_from_atom,
    dim_from_terms,
    free_symbols,
    terms_of,
)

# Limits of the search, which keep the time for one question small. A question beyond them is answered None, never wrongly.
_MOST_CANDIDATES = 12
_MOST_FACTS_TOGETHER = 3
_MOST_BRANCHES = 16
_MOST_TERMS = 64
_MOST_CASES = 64


class Facts(Record):
    """The known facts in addition to the bounds of symbols: see `declare_dims`. `choices` are the only values of a symbol, by its name."""

    zeros: tuple[Dim, ...] = ()
    nonzeros: tuple[Dim, ...] = ()
    nonnegatives: tuple[Dim, ...] = ()
    multiples: tuple[tuple[Dim, Dim], ...] = ()
    """`(k, p)`: k divides p."""
    choices: tuple[tuple[str, tuple[int, ...]], ...] = ()

    @staticmethod
    def empty() -> Facts:
        return _EMPTY

    def are_equal(self, a: Dim, b: Dim) -> bool | None:
        """Whether a == b for all allowed values (True), or for none (False)."""
        if a == b:
            return True
        # The cases of `T in [...]` come last: each of them is a question of its own.
        answer = self._are_equal(a, b)
        return self._ask_in_each_case(Facts.are_equal, a, b) if answer is None else answer

    def _are_equal(self, a: Dim, b: Dim) -> bool | None:
        d = a - b
        if isinstance(d, int):
            return False
        if _is_never_zero(d) or any(self._is_multiple_of_nonzero(d, z) for z in self.nonzeros):
            return False
        # Cheap tests came first. A long difference skips this step, as each floor may add terms.
        d = self._reduce_by_zeros(_canonicalize_floors(self, d)) if len(d.terms) <= _MOST_TERMS else d
        if isinstance(d, int):
            return d == 0
        if _is_never_zero(d) or any(self._is_multiple_of_nonzero(d, z) for z in self.nonzeros):
            return False
        # Without facts or maxima, `_is_never_zero` has seen the same bounds already.
        if self.nonnegatives or _has_min_max(d):
            if self._provably_at_least(d - 1) or self._provably_at_least(-d - 1):
                return False
            # `max(H, W)` has no normal form with `H` under the fact `H >= W`. Equal is then proved as both at least
            # and at most.
            if _has_min_max(d) and self._provably_at_least(d) and self._provably_at_least(-d):
                return True
        return None

    def is_at_least(self, a: Dim, b: Dim) -> bool | None:
        """Whether a >= b for all allowed values (True), or for none (False)."""
        if isinstance(a, int) and isinstance(b, int):
            return a >= b
        d = a - b
        if self._provably_at_least(d):
            return True
        return False if self._provably_at_least(-d - 1) else self._ask_in_each_case(Facts.is_at_least, a, b)

    def compare(self, op: str, a: Dim, b: Dim) -> bool | None:
        """Whether the comparison holds for all allowed values (True), or for none (False)."""
        match op:
            case "==" | "!=":
                answer = self.are_equal(a, b)
            case ">=" | "<":
                answer = self.is_at_least(a, b)
            case _:
                answer = self.is_at_least(b, a)
        return None if answer is None else answer is (op in ("==", ">=", "<="))

    def divides(self, k: Dim, a: Dim) -> bool | None:
        """Whether k divides a for all allowed values (True), or for none (False)."""
        if a == 0:
            return True
        if isinstance(k, int):
            if isinstance(a, int):
                return k != 0 and a % k == 0
            if k == 0:
                return False
        if self.provably_divides(k, a):
            return True
        return False if _never_divides(k, self._reduce_by_zeros(a)) else self._ask_in_each_case(Facts.divides, k, a)

    def exact_div(self, a: Dim, b: Dim) -> Dim | None:
        """Return a / b where b provably divides a, otherwise None."""
        if isinstance(a, int) and isinstance(b, int):
            return a // b if b and a % b == 0 else None
        if b == 0 or not self.divides(b, a):
            return None
        # `1024 / W` is H under the fact `H*W == 1024`: a form of a in which b is a factor gives the shorter quotient.
        for variant in self._equal_forms(a):
            quotient, rest = polynomial_divmod(variant, b)
            if rest == 0:
                return quotient
        return floordiv(a, b)

    # --- a few values ------------------------------------------------------------------------------------------------------

    def _ask_in_each_case(self, question: Callable[[Facts, Dim, Dim], bool | None], a: Dim, b: Dim) -> bool | None:
        """Ask the question for each value of the symbols that have only a few. Return the answer if it is the same for all of them."""
        used = free_symbols(a) | free_symbols(b)
        choices = [(name, values) for name, values in self.choices if name in used]
        if not choices or prod(len(values) for _, values in choices) > _MOST_CASES:
            return None
        answers: set[bool | None] = set()
        for case in product(*(values for _, values in choices)):
            sizes = {name: size for (name, _), size in zip(choices, case, strict=True)}
            try:
                facts, left, right = self._with_sizes(sizes), substitute_symbols(a, sizes), substitute_symbols(b, sizes)
            except ZeroDivisionError:  # a choice of 0 for a symbol that something is divided by
                return None
            # Cases that contradict the other facts do not count: no input can have these sizes.
            if facts is not None:
                answers.add(question(facts, left, right))
            if len(answers) > 1:
                return None
        return answers.pop() if answers else None

    def _with_sizes(self, sizes: Mapping[str, Dim]) -> Facts | None:
        """The facts if some symbols have these values; None if they cannot have them."""
        known = (self.zeros, self.nonzeros, self.nonnegatives)
        zeros, nonzeros, nonnegatives = (tuple([substitute_symbols(d, sizes) for d in some]) for some in known)
        multiples = tuple([(substitute_symbols(k, sizes), substitute_symbols(p, sizes)) for k, p in self.multiples])
        if any(isinstance(d, int) and d for d in zeros) or 0 in nonzeros or any(isinstance(d, int) and d < 0 for d in nonnegatives):
            return None
        if any(isinstance(k, int) and isinstance(p, int) and (not k or p % k) for k, p in multiples):
            return None
        choices = tuple([(name, values) for name, values in self.choices if name not in sizes])
        return Facts(tuple([d for d in zeros if d != 0]), nonzeros, nonnegatives, multiples, choices)

    # --- equality ----------------------------------------------------------------------------------------------------------

    def _reduce_by_zeros(self, d: Dim) -> Dim:
        """Subtract multiples of the polynomials that are zero."""
        for zero in self.zeros:
            if isinstance(d, int):
                return d
            d = polynomial_divmod(d, zero)[1]
        return d

    def _is_multiple_of_nonzero(self, d: Dim, nonzero: Dim) -> bool:
        """Whether d is an integer multiple of a polynomial that is not zero."""
        quotient, rest = polynomial_divmod(d, nonzero)
        return rest == 0 and isinstance(quotient, int) and quotient != 0

    # --- order -------------------------------------------------------------------------------------------------------------

    def _provably_at_least(self, d: Dim) -> bool:
        """Whether d >= 0."""
        low = bounds(d)[0]
        # Bounds alone answer most questions; they are stored with the dimension.
        if low is not None and low >= 0:
            return True
        if isinstance(d, int) or len(d.terms) > _MOST_TERMS:
            return False
        # Nothing below knows more than the bounds do.
        if not (self.zeros or self.nonnegatives or _has_min_max(d)):
            return False
        return any(self._prove_nonnegative(form) for known in {d, self._reduce_by_zeros(d)} for form in _lower_forms_without_min_max(known))

    def _prove_nonnegative(self, d: Dim) -> bool:
        for relaxed, scale in relax_floors(terms_of(d)):
            form = dim_from_terms(relaxed)
            if _is_nonnegative(form, scale):
                return True
            # Subtract facts that are at least 0: if the remainder still is, so is d. This is a small search for a
            # Farkas certificate.
            useful = list(_find_canceling_facts(form, self.nonnegatives))
            for count in range(1, _MOST_FACTS_TOGETHER + 1):
                for some in combinations(useful, count):
                    remaining = form
                    for fact in some:
                        remaining = remaining - fact
                    if _is_nonnegative(remaining, scale):
                        return True
        return False

    # --- division ----------------------------------------------------------------------------------------------------------

    def _equal_forms(self, a: Dim) -> Iterator[Dim]:
        """Yield forms that are equal to a because some polynomials are zero."""
        yield a
        reduced = self._reduce_by_zeros(a)
        if reduced != a:
            yield reduced
        for zero in self.zeros:
            # Choose the multiple that cancels the constant of a: `1024` becomes `H*W` by the fact `H*W - 1024 == 0`.
            share = constant_of(zero)
            times = constant_of(a) // share if share and constant_of(a) % share == 0 else 1
            yield a - times * zero
            yield a + times * zero

    def provably_divides(self, k: Dim, a: Dim) -> bool:
        """Whether a proof shows that k divides a. False means unknown, not that k never divides a."""
        return any(_divides_as_polynomial(k, v) or self._divides_by_multiples(k, v) for v in self._equal_forms(a))

    def _divides_by_multiples(self, k: Dim, a: Dim) -> bool:
        for step, multiple in self.multiples:
            if not _divides_as_polynomial(k, step):
                continue
            if _divides_as_polynomial(k, polynomial_divmod(a, multiple)[1]):
                return True
            # Polynomial division misses multiples modulo k: 3 divides `S + 2*T` if it divides `2*S + T`, because
            # twice that is `4*S + 2*T`.
            if isinstance(k, int) and any(_divides_as_polynomial(k, a - c * multiple) for c in range(1, min(k, _MOST_TERMS))):
                return True
        return False


_EMPTY = Facts()


def _is_nonnegative(d: Dim, scale: int) -> bool:
    low = bounds(d)[0]
    return low is not None and ceil_div(low, scale) >= 0


def _is_never_zero(d: Dim) -> bool:
    """Whether d is never zero, by its bounds or because a number divides all but its constant."""
    lo, hi = bounds(d)
    if (lo is not None and lo > 0) or (hi is not None and hi < 0):
        return True
    common = gcd(*(c for m, c in terms_of(d).items() if m))
    return common > 1 and constant_of(d) % common != 0


def _find_canceling_facts(d: Dim, nonnegatives: tuple[Dim, ...]) -> list[Dim]:
    """Find multiples of facts that cancel a term of d."""
    useful: dict[Dim, None] = {}
    # Three nested loops: the effort counts their steps before they run, because a `where` may have any number of
    # conditions.
    spend_effort(sum(len(terms_of(fact)) for fact in nonnegatives) * len(terms_of(d)))
    for fact in nonnegatives:
        for n, e in terms_of(fact).items():
            for m, c in terms_of(d).items():
                if not n or (c > 0) != (e > 0):
                    continue
                factor = divide_monomial(m, n)
                # `S >= T` proves `S*W >= T*W` because W is not negative. A factor of unknown sign would turn the
                # inequality.
                if factor is None or any(a.lower is None or a.lower < 0 for a in factor):
                    continue
                useful[fact * dim_from_terms({factor: max(1, c // e)})] = None
                if len(useful) >= _MOST_CANDIDATES:
                    return list(useful)
    return list(useful)


def _has_min_max(d: Dim) -> bool:
    return any(isinstance(a, MinMax) for m in terms_of(d) for a in m)


def _lower_forms_without_min_max(d: Dim) -> Iterator[Dim]:
    """Yield dimensions that are never more than d, with each `max` replaced by one of its arguments."""
    forms = [d]
    for _ in range(_MOST_BRANCHES):
        form = forms.pop()
        pick = _find_weakening_min_max(form)
        if pick is None:
            yield form
        else:
            monomial, atom = pick
            rest = dim_from_terms({divide_monomial(monomial, (atom,)) or (): terms_of(form)[monomial]})
            forms += [form - rest * dim_from_atom(atom) + rest * arg for arg in atom.args]
        if not forms:
            return
    yield from forms


def _find_weakening_min_max(d: Dim) -> tuple[Monomial, MinMax] | None:
    for m, c in terms_of(d).items():
        for atom in m:
            # An added `max` is at least each of its arguments, and a subtracted `min` is at most each. The other two
            # have no such bound.
            if isinstance(atom, MinMax) and atom.greatest is (c > 0) and len(m) == 1:
                return m, atom
    return None


def _canonicalize_floors(facts: Facts, d: Dim) -> Dim:
    """`d` with each floor division by a number in canonical form, so that `H//2 + (H + 1)//2` is `H`."""
    for floor in {a for m in terms_of(d) for a in m if isinstance(a, FloorQuotient)}:
        d = _multiply_by_divisor(facts, d, floor)
    known: dict[Atom, Dim] = {}
    for m in terms_of(d):
        for atom in m:
            if isinstance(atom, FloorQuotient) and isinstance(atom.bottom, int) and atom not in known:
                known[atom] = _canonicalize_floor(atom.top, atom.bottom)
    return replace_atoms(d, known) if known else d


def _canonicalize_floor(top: Dim, k: int) -> Dim:
    """`top // k` with coefficients within -k/2..k/2, the first positive, and (for small k) the constant less than k - 1."""
    quotient: Terms = {}
    rest: Terms = {}
    spend_effort(len(terms_of(top)))
    for m, c in terms_of(top).items():
        part = c % k
        # Coefficients near 0 on both sides of it give floors of `T` and of `-T` the same form.
        if m and 2 * part > k:
            part -= k
        rest[m] = part
        quotient[m] = (c - part) // k
    remaining = dim_from_terms({m: c for m, c in rest.items() if c})
    total = dim_from_terms({m: c for m, c in quotient.items() if c})
    if isinstance(remaining, int):
        return total + remaining // k
    head = min((m for m in remaining.terms if m), key=lambda m: (-len(m), [a.order for a in m]))
    if remaining.terms[head] < 0:
        return total - _apply_hermite_identity(k - 1 - remaining, k)
    return total + _apply_hermite_identity(remaining, k)


def _apply_hermite_identity(top: Dim, k: int) -> Dim:
    """By the identity of Hermite: the floors of (x + i)/k, for i from 0 to k - 1, have the sum x."""
    constant = constant_of(top)
    base = top - constant
    extra, constant = divmod(constant, k)
    # Only the last of the k floors is replaced by the others, so that a sum of all k of them cancels to x.
    if constant != k - 1 or k > _MOST_TERMS:
        return floordiv(base + constant, k) + extra
    total = base + extra
    for i in range(k - 1):
        total = total - floordiv(base + i, k)
    return total


def _multiply_by_divisor(facts: Facts, d: Dim, atom: FloorQuotient) -> Dim:
    """Multiply `d` by the divisor of `atom`, if the division is known to be exact, so that the floor disappears. The result is 0 where `d`
    is."""
    if not facts.multiples or not facts.provably_divides(atom.bottom, atom.top):
        return d
    # One multiplication clears one floor of a product, not its square.
    if any(sum(a is atom for a in m) > 1 for m in terms_of(d)):
        return d
    total: Dim = 0
    for m, c in terms_of(d).items():
        rest = divide_monomial(m, (atom,))
        total = total + (dim_from_terms({m: c}) * atom.bottom if rest is None else dim_from_terms({rest: c}) * atom.top)
    return total


def _divides_as_polynomial(k: Dim, a: Dim) -> bool:
    """Whether k divides a as a polynomial."""
    if isinstance(k, int):
        return k != 0 and all(c % k == 0 for c in terms_of(a).values())
    return polynomial_divmod(a, k)[1] == 0


def _never_divides(k: Dim, a: Dim) -> bool:
    if isinstance(k, int):
        common = gcd(k, *(c for m, c in terms_of(a).items() if m))
        return constant_of(a) % common != 0
    rest = polynomial_divmod(a, k)[1]
    low = bounds(rest)[0]
    # A remainder strictly between 0 and k is never 0, whatever k is.
    room = bounds(k - rest)[0]
    return low is not None and low > 0 and room is not None and room > 0
