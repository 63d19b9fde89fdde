"""Integers that know which parameters and sizes they are computed from.

In: the value of a parameter, or the size of an axis, with a symbol for it. Out: what arithmetic makes of it, with the same formula over the
symbols: an `int` like any other, whose `origin` is a `Dim`. Always: the value of the origin, for the values of its symbols, is the integer.
A float that is computed from one is a `TracedFloat` (ir/traced_floats.py). What is no arithmetic, such as a comparison, has no origin: the
elaborator records it as a `Decision`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeGuard

from netc.dsl.record import Record

from ..dims import Dim, Facts, SymDim, size, substitute, symbol, symbols

DIVIDES = "|"
IS = "is"
LARGEST = 64
"""The size of a formula from which only its symbols are kept."""
LOST = "?"
"""How the symbol of a formula that is too large begins; the symbols in it follow, between bars."""


class Traced:
    """A value that knows what it is computed from, or a record of such values."""

    __slots__ = ()

    def leaves(self) -> Iterator[Leaf]:
        """What it is computed from: nothing, if it only might have been."""
        raise NotImplementedError

    def moved(self, places: Mapping[str, Any]) -> Any:
        """The value as it is seen where the symbols have the given values. Other symbols stay."""
        raise NotImplementedError

    def plain(self) -> Any:
        """The value without formulas."""
        raise NotImplementedError

    def key(self) -> object:
        """Equal for values whose formulas are equal too."""
        raise NotImplementedError


class Leaf(Traced):
    """A number with a formula over integers, or the symbol of a float."""

    __slots__ = ()
    origin: SymDim

    def leaves(self) -> Iterator[Leaf]:
        yield self


class TracedInt(int, Leaf):
    """An integer with its formula. `+ - * // % **` and negation keep it; with anything but integers they give what `int` gives."""

    def __new__(cls, value: int, origin: SymDim) -> TracedInt:
        made = super().__new__(cls, value)
        made.origin = origin
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return int, (int(self),)

    def moved(self, places: Mapping[str, Any]) -> Any:
        origin = substituted(self.origin, places)
        return self if origin is self.origin else traced(self, origin)

    def plain(self) -> int:
        return int(self)

    def key(self) -> object:
        return (int(self), self.origin)

    def __neg__(self) -> int:
        return traced(-int(self), -self.origin)

    def __pos__(self) -> int:
        return self


def _operation(name: str) -> Callable[[TracedInt, Any], Any]:
    plain = getattr(int, name)
    formula = getattr(SymDim, name)

    def apply(self: TracedInt, other: Any) -> Any:
        value = plain(self, other)
        return value if value is NotImplemented else traced(value, formula(self.origin, origin_of(other)))

    return apply


for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "floordiv", "rfloordiv", "mod", "rmod"):
    setattr(TracedInt, f"__{_name}__", _operation(f"__{_name}__"))


def _power(self: TracedInt, other: Any, modulus: Any = None) -> Any:
    value = int.__pow__(self, other, modulus)
    if value is NotImplemented or isinstance(other, TracedInt) or not isinstance(other, int) or not 0 <= other <= 4:
        return value
    product: Dim = 1
    for _ in range(other):
        product = product * self.origin
    return traced(value, product)


TracedInt.__pow__ = _power  # type: ignore[assignment]


def traced(value: int, origin: Dim) -> int:
    """The value with its formula; plain where the formula is a constant."""
    if not isinstance(origin, SymDim):
        return int(value)
    if size(origin) > LARGEST:
        origin = _lost(free_symbols(origin))
    return TracedInt(value, origin) if isinstance(origin, SymDim) else int(value)


def _lost(names: Iterable[str]) -> Dim:
    ordered = sorted(set(names))
    return symbol(LOST + "|".join(ordered), lower=None) if ordered else 0


@lru_cache(maxsize=4096)
def own_symbol(name: str) -> SymDim:
    """One object for all uses of a block: it keeps what has been computed of it."""
    made = symbol(name, lower=None)
    assert isinstance(made, SymDim)
    return made


def is_integer(value: object) -> TypeGuard[int]:
    """Whether it is an integer, and no boolean."""
    return isinstance(value, int) and not isinstance(value, bool)


def origin_of(value: Any) -> Any:
    """The formula of a traced integer; any other value is its own."""
    return value.origin if isinstance(value, TracedInt) else value


def origin_key(value: object) -> object:
    """Equal for values whose formulas are equal too. Lists within lists are followed."""
    if isinstance(value, Traced):
        return value.key()
    return tuple([origin_key(v) for v in value]) if isinstance(value, tuple) else None


def has_origin(value: object) -> bool:
    if isinstance(value, Leaf):
        return True
    if isinstance(value, Traced):
        return any(True for _ in value.leaves())
    return isinstance(value, tuple) and any(map(has_origin, value))


def traced_in(value: object) -> Iterator[Leaf]:
    """What a value is computed from."""
    if isinstance(value, Traced):
        yield from value.leaves()
    elif isinstance(value, tuple):
        for item in value:
            yield from traced_in(item)


def moved(value: Any, places: Mapping[str, Any]) -> Any:
    """The value as it is seen where the symbols have the given values. Other symbols stay."""
    if isinstance(value, Traced):
        return value.moved(places)
    if isinstance(value, tuple) and has_origin(value):
        return value.__class__(moved(v, places) for v in value)  # a dims literal stays one
    return value


def substituted(origin: Dim, places: Mapping[str, Any]) -> Dim:
    """The formula with the formulas of the given values in place of its symbols."""
    found = _places_of(free_symbols(origin), places)
    return _substituted(origin, found) if found else origin


_Places = tuple[tuple[str, Dim], ...]


def _places_of(names: frozenset[str], places: Mapping[str, Any]) -> _Places:
    """The formulas of the given values of some symbols, as the key of a memo: no place has a formula that its value does not show."""
    return tuple([(name, origin_of(places[name])) for name in names if name in places])


@lru_cache(maxsize=16_384)
def _substituted(origin: Dim, places: _Places) -> Dim:
    """Equal layers ask for the same, and so does an editor after each change."""
    given = dict(places)
    if is_lost(origin) or any(map(is_lost, given.values())):
        return _lost(n for name in free_symbols(origin) for n in (free_symbols(given[name]) if name in given else (name,)))
    return substitute(origin, given)


def is_lost(origin: Dim) -> bool:
    """Whether all that is left of a formula is which symbols are in it."""
    return any(name.startswith(LOST) for name in symbols(origin))


@lru_cache(maxsize=4096)
def free_symbols(origin: Dim) -> frozenset[str]:
    """The symbols of a formula, those of one that was too large included."""
    found = symbols(origin)
    return frozenset(n for name in found for n in (name[len(LOST) :].split("|") if name.startswith(LOST) else (name,)))


def plain(value: Any) -> Any:
    """The value without formulas."""
    if isinstance(value, Traced):
        return value.plain()
    return value.__class__(plain(v) for v in value) if isinstance(value, tuple) and has_origin(value) else value


class Origin(Record):
    """What a symbol of a graph is: a parameter of its block or model, called `name` (of a list, the item `index`), with the `default` that
    the spec gives it as a literal; or the size of `axis` of `input`, of a tuple the sum of the sizes. `value` is its value: that of a
    parameter may be a float, and that of a `JoinedTuple` has its formula in the branch that was taken."""

    name: str
    value: Any
    index: int | None = None
    default: Any = None
    input: Any = None
    axis: int = 0


class Decision(Record):
    """A comparison of formulas that the text, or an operator's rule, has made: `left op right`, where `op` is `==`, `!=`, `<` or `<=`, or
    `|` if the left one divides the right one; or `is` if the symbols of the left one have the values that they have.

    The graph is as it is because it holds; one that holds for all positive values is not recorded.
    """

    op: str
    left: Dim
    right: Dim


Decided = dict[Decision, None]
"""Decisions in the order in which they were made, each once: a loop may make as many as it has iterations."""


def decision(op: str, left: Any, right: Any) -> Decision | None:
    """`left op right`, which holds, as a decision; None if nothing hangs on it."""
    made = Decision(op, origin_of(left), origin_of(right))
    return None if always(made) else made


def names_in(value: object) -> frozenset[str]:
    """The symbols of all that a value is computed from."""
    return frozenset(name for leaf in traced_in(value) for name in free_symbols(leaf.origin))


def pinned(names: Iterable[str]) -> Decision | None:
    """The decision that symbols have the values that they have; None if there are none."""
    left = _lost(names)
    return Decision(IS, left, 0) if isinstance(left, SymDim) else None


def always(made: Decision) -> bool:
    """Whether a decision that holds here holds for all values that are positive."""
    if made.op == IS:
        return not isinstance(made.left, SymDim)
    if made.op == DIVIDES:
        return Facts.nothing().provably_divides(made.left, made.right)
    difference = made.right - made.left
    if isinstance(difference, int):
        return True
    if made.op == "==":
        return False
    one_sided = isinstance(made.left, int) or isinstance(made.right, int)
    if one_sided and not all("[" in name for name in symbols(difference)):
        return False  # a parameter may be 0
    return () not in difference.terms and (
        all(c > 0 for c in difference.terms.values()) or (made.op == "!=" and all(c < 0 for c in difference.terms.values()))
    )


def moved_decision(made: Decision, places: Mapping[str, Any]) -> Decision | None:
    """A decision of a graph as it is seen where it is called; None if it always holds there."""
    if made.op == IS:
        return pinned(n for name in free_symbols(made.left) for n in (names_in(places[name]) if name in places else (name,)))
    return _moved_decision(made, _places_of(free_symbols(made.left) | free_symbols(made.right), places))


@lru_cache(maxsize=16_384)
def _moved_decision(made: Decision, places: _Places) -> Decision | None:
    given = dict(places)
    seen = Decision(made.op, substituted(made.left, given), substituted(made.right, given))
    return None if always(seen) else seen
