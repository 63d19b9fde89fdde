"""The arithmetic of symbolic dimensions: integer polynomials in normal form.

In: names of dimensions with bounds, and integers. Out: `Dim`s, which are plain ints where the value is known and `SymDim`s elsewhere.
Always: the variables of the polynomials are atoms: symbols, quotients, floor divisions, minima and maxima. Atoms are interned, so comparing
two dimensions compares two small dictionaries. Nothing recurses over the depth of an expression, because a deep one would overflow the
stack.

>>> T = make_symbol("T")
>>> 2 * (T + 3) - T, (T + 1) * (T - 1) == T * T - 1
(T + 6, True)
"""

from __future__ import annotations

from _thread import allocate_lock
from collections.abc import Callable
from operator import attrgetter
from typing import Any, NoReturn, TypeVar
from weakref import WeakValueDictionary

from .effort import spend_effort

Bounds = tuple[int | None, int | None]
Monomial = tuple["Atom", ...]
Terms = dict[Monomial, int]

_LONG_KEY = 60


class Atom:
    """An indivisible factor. `order` sorts atoms by their appearance, and `size` is the number of leaves in the text."""

    __slots__ = ("__weakref__", "lower", "names", "order", "size", "upper")
    serial = 0

    lower: int | None
    upper: int | None
    names: frozenset[str]
    order: tuple[str, int]
    size: int

    def parts(self) -> tuple[Dim, ...]:
        """The dimensions inside."""
        return ()

    def _set_fields(self, key: str, bounds: Bounds, local: frozenset[str] = frozenset()) -> None:
        Atom.serial += 1
        inside = self.parts()
        self.size = 1 + sum(text_size(p) for p in inside)
        # The serial number only decides between atoms with the same key. Long keys are cut: a chain of 1,000 halvings
        # would have a key of thousands of letters.
        self.order = (key if self.size <= _LONG_KEY else f"~{self.size}", Atom.serial)
        self.lower, self.upper = bounds
        self.names = local.union(*(free_symbols(p) for p in inside))


class Symbol(Atom):
    """A free dimension."""

    __slots__ = ("name",)

    def __init__(self, name: str, lower: int | None, upper: int | None) -> None:
        self.name = name
        self._set_fields(name, (lower, upper), frozenset((name,)))

    def __reduce__(self) -> tuple[Any, ...]:
        # Unpickling interns the atom again: atoms are compared by identity, and a graph may come from another
        # process.
        return _symbol_atom, (self.name, self.lower, self.upper)


class Quotient(Atom):
    """`(name - rest) / step`, where this is known to be an integer: the symbol `name` is `step * self + rest`.

    `step` is one term, of symbols and quotients; `rest` is 0 unless `step` is a constant.
    """

    __slots__ = ("name", "rest", "step")

    def __init__(self, name: str, step: Dim, rest: int, lower: int | None, upper: int | None) -> None:
        self.name = name
        self.step = step
        self.rest = rest
        self._set_fields(name, (lower, upper), frozenset((name,)))

    def parts(self) -> tuple[Dim, ...]:
        return (self.step,)

    def __reduce__(self) -> tuple[Any, ...]:
        return _quotient_atom, (self.name, self.step, self.rest, self.lower, self.upper)


class FloorQuotient(Atom):
    """`top // bottom`, rounded down."""

    __slots__ = ("bottom", "top")

    def __init__(self, top: Dim, bottom: Dim, lower: int | None, upper: int | None) -> None:
        self.top = top
        self.bottom = bottom
        self._set_fields(f"~{key_of(top)}/{key_of(bottom)}", (lower, upper))

    def parts(self) -> tuple[Dim, ...]:
        return (self.top, self.bottom)

    def __reduce__(self) -> tuple[Any, ...]:
        return floor_atom, (self.top, self.bottom, self.lower, self.upper)


class MinMax(Atom):
    """The greatest of `args`, or the least of them."""

    __slots__ = ("args", "greatest")

    def __init__(self, args: tuple[Dim, ...], greatest: bool, lower: int | None, upper: int | None) -> None:
        self.args = args
        self.greatest = greatest
        key = ",".join(sorted(key_of(a) for a in args))
        self._set_fields(f"~~{'max' if greatest else 'min'}({key})", (lower, upper))

    def parts(self) -> tuple[Dim, ...]:
        return self.args

    def __reduce__(self) -> tuple[Any, ...]:
        return min_max_atom, (self.args, self.greatest, self.lower, self.upper)


A = TypeVar("A", bound=Atom)
# Weak, so that a server which checks thousands of texts does not keep the atoms of all of them.
_interned: WeakValueDictionary[tuple[Any, ...], Atom] = WeakValueDictionary()
_lock = allocate_lock()


def _intern_atom(kind: Callable[..., A], *fields: Any) -> A:
    key = (kind, *fields)
    atom = _interned.get(key)
    if atom is None:
        new_atom = kind(*fields)
        # Another thread may have made the same atom meanwhile. There must be one only, since atoms are compared by identity.
        with _lock:
            atom = _interned.get(key)
            if atom is None:
                atom = _interned[key] = new_atom
    return atom  # type: ignore[return-value]


def _symbol_atom(name: str, lower: int | None, upper: int | None) -> Symbol:
    return _intern_atom(Symbol, name, lower, upper)


def _quotient_atom(name: str, step: Dim, rest: int, lower: int | None, upper: int | None) -> Quotient:
    return _intern_atom(Quotient, name, step, rest, lower, upper)


def floor_atom(top: Dim, bottom: Dim, lower: int | None, upper: int | None) -> FloorQuotient:
    """`top // bottom`, unsimplified; the bounds follow from the two."""
    return _intern_atom(FloorQuotient, top, bottom, lower, upper)


def min_max_atom(args: tuple[Dim, ...], greatest: bool, lower: int | None, upper: int | None) -> MinMax:
    """The greatest or least, unsimplified; the bounds follow from the arguments."""
    return _intern_atom(MinMax, args, greatest, lower, upper)


# --- the dimension ---------------------------------------------------------------------------------------------------------


class SymDim:
    """A dimension that is not a constant: a sum of integer multiples of products of atoms."""

    __slots__ = ("_bounds", "_hash", "_size", "_symbols", "terms")

    terms: Terms
    """Coefficient of each monomial; `()` is the constant. Not to be changed."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self._hash: int | None = None
        self._bounds: Bounds | None = None
        self._size: int | None = None
        self._symbols: frozenset[str] | None = None

    def __add__(self, other: Dim) -> Dim:
        if isinstance(other, int):
            # `int(...)`, because a `TracedInt` is an int too, and its formula must not get into a polynomial.
            return _plus_constant(self.terms, int(other))
        if not isinstance(other, SymDim):
            return NotImplemented
        return dim_from_terms(add_terms(self.terms, other.terms, 1))

    __radd__ = __add__

    def __sub__(self, other: Dim) -> Dim:
        if isinstance(other, int):
            return _plus_constant(self.terms, -int(other))
        if not isinstance(other, SymDim):
            return NotImplemented
        return dim_from_terms(add_terms(self.terms, other.terms, -1))

    def __rsub__(self, other: int) -> Dim:
        return -self + int(other) if isinstance(other, int) else NotImplemented

    def __neg__(self) -> SymDim:
        return SymDim({m: -c for m, c in self.terms.items()})

    def __pos__(self) -> SymDim:
        return self

    def __mul__(self, other: Dim) -> Dim:
        if isinstance(other, int):
            other = int(other)
            spend_effort(len(self.terms))
            return SymDim({m: c * other for m, c in self.terms.items()}) if other else 0
        if not isinstance(other, SymDim):
            return NotImplemented
        return dim_from_terms(multiply_terms(self.terms, other.terms))

    __rmul__ = __mul__

    def __floordiv__(self, other: Dim) -> Dim:
        from .division import floordiv

        return floordiv(self, other) if isinstance(other, int | SymDim) else NotImplemented

    def __rfloordiv__(self, other: int) -> Dim:
        from .division import floordiv

        return floordiv(other, self) if isinstance(other, int) else NotImplemented

    def __mod__(self, other: Dim) -> Dim:
        return self - other * (self // other) if isinstance(other, int | SymDim) else NotImplemented

    def __rmod__(self, other: int) -> Dim:
        return other - self * (other // self) if isinstance(other, int) else NotImplemented

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, SymDim) and self.terms == other.terms)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self.terms.items()))
        return self._hash

    def __lt__(self, other: object) -> NoReturn:
        # `T < 3` is true for some sizes and false for others. A bool for it would be wrong silently in `max` or
        # `sorted`.
        raise TypeError("symbolic dimensions have no order of their own: use Facts.is_at_least")

    __le__ = __gt__ = __ge__ = __lt__

    def __bool__(self) -> NoReturn:
        # The same for `if d:`, which Python would otherwise answer True for every object.
        raise TypeError("whether a symbolic dimension is zero is a question for Facts.are_equal")

    def __repr__(self) -> str:
        from .dim_text import format_dim

        return format_dim(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_dim, (tuple(self.terms.items()),)


Dim = int | SymDim


def plain_int(d: Dim) -> Dim:
    """Drop the formula of a `TracedInt`, or whatever else a subclass of `int` adds. A cache needs it: it would take the two for equal, and
    return the formula of another model."""
    return int(d) if isinstance(d, int) else d


def _rebuild_dim(items: tuple[tuple[Monomial, int], ...]) -> SymDim:
    # The order of atoms depends on their serial numbers, which are others in this process.
    return SymDim({tuple(sorted(m, key=_order)): c for m, c in items})


_order = attrgetter("order")


def dim_from_terms(terms: Terms) -> Dim:
    """Make the dimension with these terms. No coefficient may be zero."""
    if not terms:
        return 0
    if len(terms) == 1 and () in terms:
        return terms[()]
    return SymDim(terms)


def terms_of(d: Dim) -> Terms:
    if isinstance(d, SymDim):
        return d.terms
    return {(): d} if d else {}


def constant_of(d: Dim) -> int:
    """The constant term."""
    return d.terms.get((), 0) if isinstance(d, SymDim) else d


def _plus_constant(terms: Terms, constant: int) -> SymDim:
    spend_effort(len(terms))
    terms = dict(terms)
    constant += terms.pop((), 0)
    if constant:
        terms[()] = constant
    return SymDim(terms)


def add_terms(a: Terms, b: Terms, sign: int) -> Terms:
    spend_effort(len(a) + len(b))
    total = dict(a)
    for m, c in b.items():
        c = total.get(m, 0) + sign * c
        if c:
            total[m] = c
        else:
            del total[m]
    return total


def multiply_terms(a: Terms, b: Terms) -> Terms:
    # The cost of all keys: their lengths and their number, before a product of long sums starts to take memory.
    spend_effort(len(b) * sum(map(len, a)) + len(a) * sum(map(len, b)) + len(a) * len(b))
    total: Terms = {}
    for m, c in a.items():
        for n, e in b.items():
            key = tuple(sorted(m + n, key=_order)) if m and n else m or n
            total[key] = total.get(key, 0) + c * e
    return {m: c for m, c in total.items() if c}


def dim_from_atom(atom: Atom) -> SymDim:
    return SymDim({(atom,): 1})


def make_symbol(name: str, *, lower: int | None = 1, upper: int | None = None) -> Dim:
    """A free symbol with `lower <= name <= upper`. A plain integer if both bounds are equal."""
    if lower is not None and lower == upper:
        return lower
    return dim_from_atom(_symbol_atom(name, lower, upper))


def make_quotient(name: str, step: Dim, rest: int, lower: int | None, upper: int | None) -> Dim:
    """`(name - rest) / step`, known to be an integer between `lower` and `upper`."""
    if lower is not None and lower == upper:
        return lower
    return dim_from_atom(_quotient_atom(name, step, rest, lower, upper))


def free_symbols(d: Dim) -> frozenset[str]:
    """The names of the user's symbols in `d`."""
    if isinstance(d, int):
        return frozenset()
    if d._symbols is None:
        d._symbols = frozenset().union(*[atom.names for m in d.terms for atom in m])
    return d._symbols


def text_size(d: Dim) -> int:
    """The length of the text of `d`, in leaves. It may be astronomic where `d` shares parts with itself: each `h + h//2` doubles it."""
    if isinstance(d, int):
        return 1
    if d._size is None:
        d._size = sum([1 + sum([atom.size for atom in m]) for m in d.terms])
    return d._size


def key_of(d: Dim) -> str:
    """A text of `d` without its constant. It orders atoms in a way that does not depend on which of them was created first."""
    if isinstance(d, int):
        return f"={d:x}"
    if text_size(d) > _LONG_KEY:
        return f"~{text_size(d)}"
    return "+".join(sorted(f"{'*'.join(a.order[0] for a in m)}*{c:x}" for m, c in d.terms.items() if m))


# --- walking ---------------------------------------------------------------------------------------------------------------


def atoms_of(d: Dim) -> list[Atom]:
    """Every atom in `d`, inner atoms before the atoms that contain them."""
    order: dict[Atom, None] = {}
    # An explicit stack, because an atom may be nested deeper than Python's limit of recursion: each layer of a
    # network can add one.
    stack: list[tuple[Atom, bool]] = [(a, False) for m in terms_of(d) for a in m]
    while stack:
        atom, ready = stack.pop()
        if ready:
            order[atom] = None
            spend_effort(1)
        elif atom not in order:
            stack.append((atom, True))
            stack += [(a, False) for p in atom.parts() for m in terms_of(p) for a in m if a not in order]
    return list(order)
