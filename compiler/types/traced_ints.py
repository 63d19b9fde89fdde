"""Integers that record the parameters and sizes from which they are computed.

A block with the parameter `width` computes with its value, and emitted source has to show the formula again:

>>> width = TracedInt(64, formula_symbol("width"))
>>> size = 4 * width + 1
>>> size, size.origin
(257, 4*width + 1)

In: the value of a parameter, or the size of an axis, with a symbol for it. Out: an `int`, whose `origin` is its formula, a `Dim`. Always:
the origin has the value of the integer, for the values of its symbols. A float that is computed from such an integer is a `TracedFloat`
(ir/traced_floats.py). A comparison has no origin: the elaborator records it as a `Decision`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeGuard

from netc.dsl.record import Record

from ..dims import Dim, Facts, SymDim, free_symbols, make_symbol, substitute_symbols, text_size

DIVIDES = "|"
IS = "is"
LARGEST_FORMULA = 64
"""The size of a formula from which only its symbols are kept."""
OPAQUE_PREFIX = "?"
"""The beginning of the symbol that replaces a formula that is too large: `?a|b` for a formula of `a` and `b`."""


class TracedValue:
    """A value with a formula over parameters and sizes, or a record of such values."""

    __slots__ = ()

    def __deepcopy__(self, memo: object) -> TracedValue:
        # It never changes, and `__reduce__`, by which others are copied, drops the formula.
        return self

    def traced_leaves(self) -> Iterator[TracedLeaf]:
        """Yield the symbols and formulas from which the value is computed. Nothing if it has no formula."""
        raise NotImplementedError

    def substitute_values(self, places: Mapping[str, Any]) -> Any:
        """Substitute values for some symbols: the value as a caller sees it. Other symbols stay."""
        raise NotImplementedError

    def without_formula(self) -> Any:
        """The value without formulas."""
        raise NotImplementedError

    def formula_key(self) -> object:
        """Return a key that is equal for values with equal formulas."""
        raise NotImplementedError


class TracedLeaf(TracedValue):
    """A number with a formula over integers, or the symbol of a float."""

    __slots__ = ()
    origin: SymDim

    def traced_leaves(self) -> Iterator[TracedLeaf]:
        yield self


class TracedInt(int, TracedLeaf):
    """An integer with its formula. `+ - * // % **` and negation keep the formula. With other operands than integers, they behave like
    `int`."""

    def __new__(cls, value: int, origin: SymDim) -> TracedInt:
        traced = super().__new__(cls, value)
        traced.origin = origin
        return traced

    def __reduce__(self) -> tuple[Any, ...]:
        # A pickle has plain numbers: the symbols belong to a graph of this process.
        return int, (int(self),)

    def substitute_values(self, places: Mapping[str, Any]) -> Any:
        origin = substitute_formulas(self.origin, places)
        return self if origin is self.origin else trace_int(self, origin)

    def without_formula(self) -> int:
        return int(self)

    def formula_key(self) -> object:
        return (int(self), self.origin)

    def __neg__(self) -> int:
        return trace_int(-int(self), -self.origin)

    def __pos__(self) -> int:
        return self


def _trace_operation(name: str) -> Callable[[TracedInt, Any], Any]:
    plain = getattr(int, name)
    formula = getattr(SymDim, name)

    def apply(self: TracedInt, other: Any) -> Any:
        value = plain(self, other)
        return value if value is NotImplemented else trace_int(value, formula(self.origin, origin_of(other)))

    return apply


# The comparisons of `int` stay: they give a bool, and the elaborator records them as decisions.
for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "floordiv", "rfloordiv", "mod", "rmod"):
    setattr(TracedInt, f"__{_name}__", _trace_operation(f"__{_name}__"))


def _trace_power(self: TracedInt, other: Any, modulus: Any = None) -> Any:
    value = int.__pow__(self, other, modulus)
    if value is NotImplemented or isinstance(other, TracedInt) or not isinstance(other, int) or not 0 <= other <= 4:
        return value
    # A normal form has no power with a symbolic exponent, and a large exponent would multiply out to many terms.
    product: Dim = 1
    for _ in range(other):
        product = product * self.origin
    return trace_int(value, product)


TracedInt.__pow__ = _trace_power  # type: ignore[assignment]


def trace_int(value: int, origin: Dim) -> int:
    """Return the value with its formula, or a plain integer if the formula is a constant."""
    if not isinstance(origin, SymDim):
        return int(value)
    # A formula of a thousand leaves is of no use in emitted source. Its symbols are kept, so that two uses with other
    # values still differ.
    if text_size(origin) > LARGEST_FORMULA:
        origin = _opaque_formula(formula_symbols(origin))
    return TracedInt(value, origin) if isinstance(origin, SymDim) else int(value)


def _opaque_formula(names: Iterable[str]) -> Dim:
    ordered = sorted(set(names))
    return make_symbol(OPAQUE_PREFIX + "|".join(ordered), lower=None) if ordered else 0


@lru_cache(maxsize=4096)
def formula_symbol(name: str) -> SymDim:
    """Return the symbol of a formula. All uses of a block get one object, which caches its bounds, hash and size."""
    symbol = make_symbol(name, lower=None)
    assert isinstance(symbol, SymDim)
    return symbol


def is_integer(value: object) -> TypeGuard[int]:
    """Whether the value is an integer and not a boolean."""
    return isinstance(value, int) and not isinstance(value, bool)


def origin_of(value: Any) -> Any:
    """Return the formula of a traced integer. Any other value is its own formula."""
    return value.origin if isinstance(value, TracedInt) else value


def origin_key(value: object) -> object:
    """Return a key that is equal for values with equal formulas. It follows lists within lists."""
    if isinstance(value, TracedValue):
        return value.formula_key()
    return tuple([origin_key(v) for v in value]) if isinstance(value, tuple) else None


def has_origin(value: object) -> bool:
    if isinstance(value, TracedLeaf):
        return True
    if isinstance(value, TracedValue):
        return any(True for _ in value.traced_leaves())
    return isinstance(value, tuple) and any(map(has_origin, value))


def leaves_in(value: object) -> Iterator[TracedLeaf]:
    """Yield the symbols and formulas from which a value, or the items of a list, are computed."""
    if isinstance(value, TracedValue):
        yield from value.traced_leaves()
    elif isinstance(value, tuple):
        for item in value:
            yield from leaves_in(item)


def substitute_values(value: Any, places: Mapping[str, Any]) -> Any:
    """Substitute values for some symbols: the value as a caller sees it. Other symbols stay."""
    if isinstance(value, TracedValue):
        return value.substitute_values(places)
    if isinstance(value, tuple) and has_origin(value):
        # A subclass of `tuple` stays: `3x32x32` is a tuple that remembers that it is a dims literal.
        return value.__class__(substitute_values(v, places) for v in value)  # a dims literal stays one
    return value


def substitute_formulas(origin: Dim, places: Mapping[str, Any]) -> Dim:
    """Substitute the formulas of some values for their symbols.

    >>> substitute_formulas(4 * formula_symbol("width") + 1, {"width": TracedInt(64, 2 * formula_symbol("size"))})
    8*size + 1
    """
    formulas = _formulas_for(formula_symbols(origin), places)
    return _substitute_cached(origin, formulas) if formulas else origin


_Substitution = tuple[tuple[str, Dim], ...]


def _formulas_for(names: frozenset[str], places: Mapping[str, Any]) -> _Substitution:
    """The formulas of the values of some symbols, as the key of a cache."""
    return tuple([(name, origin_of(places[name])) for name in names if name in places])


@lru_cache(maxsize=16_384)
def _substitute_cached(origin: Dim, places: _Substitution) -> Dim:
    """Substitute in a formula. Cached, because equal layers need the same formulas, and so does an editor after each change."""
    formulas = dict(places)
    # Nothing can be substituted in a formula that is not there: the result depends on the symbols of both.
    if is_opaque(origin) or any(map(is_opaque, formulas.values())):
        return _opaque_formula(
            n for name in formula_symbols(origin) for n in (formula_symbols(formulas[name]) if name in formulas else (name,))
        )
    return substitute_symbols(origin, formulas)


def is_opaque(origin: Dim) -> bool:
    """Whether a formula was too large, so that only the names of its symbols are left."""
    return any(name.startswith(OPAQUE_PREFIX) for name in free_symbols(origin))


@lru_cache(maxsize=4096)
def formula_symbols(origin: Dim) -> frozenset[str]:
    """The symbols of a formula. The symbols of a formula that was too large are included."""
    names = free_symbols(origin)
    return frozenset(n for name in names for n in (name[len(OPAQUE_PREFIX) :].split("|") if name.startswith(OPAQUE_PREFIX) else (name,)))


def strip_formulas(value: Any) -> Any:
    """The value without formulas."""
    if isinstance(value, TracedValue):
        return value.without_formula()
    return value.__class__(strip_formulas(v) for v in value) if isinstance(value, tuple) and has_origin(value) else value


class Origin(Record):
    """The origin of a symbol of a graph: a parameter, or the size of an input.

    A parameter of the block or model has a `name`, an `index` if it is an item of a list, and a `default` if the spec has a literal for it.
    A size belongs to `axis` of `input`; if that is a tuple, it is the sum of the sizes. `value` is the symbol's value. A parameter's value
    may be a float, and the value for a `JoinedTuple` has its formula in the branch that was taken."""

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


def make_decision(op: str, left: Any, right: Any) -> Decision | None:
    """Make a decision of `left op right`, which holds. None if it holds for all positive values, so that the graph does not depend on
    it."""
    decision = Decision(op, origin_of(left), origin_of(right))
    return None if always_holds(decision) else decision


def names_in(value: object) -> frozenset[str]:
    """The names of all symbols from which a value is computed."""
    return frozenset(name for leaf in leaves_in(value) for name in formula_symbols(leaf.origin))


def make_pinning_decision(names: Iterable[str]) -> Decision | None:
    """Make the decision that symbols have exactly their present values. None if there are no symbols."""
    left = _opaque_formula(names)
    return Decision(IS, left, 0) if isinstance(left, SymDim) else None


def always_holds(decision: Decision) -> bool:
    """Whether a decision that holds here holds for all positive values."""
    if decision.op == IS:
        return not isinstance(decision.left, SymDim)
    if decision.op == DIVIDES:
        return Facts.empty().provably_divides(decision.left, decision.right)
    difference = decision.right - decision.left
    if isinstance(difference, int):
        return True
    if decision.op == "==":
        return False
    one_sided = isinstance(decision.left, int) or isinstance(decision.right, int)
    # Names with a bracket are sizes of inputs. A parameter such as `heads` may be 0 or less.
    if one_sided and not all("[" in name for name in free_symbols(difference)):
        return False
    # A sum of products of positive symbols, without a constant, is positive.
    return () not in difference.terms and (
        all(c > 0 for c in difference.terms.values()) or (decision.op == "!=" and all(c < 0 for c in difference.terms.values()))
    )


def substitute_decision(decision: Decision, places: Mapping[str, Any]) -> Decision | None:
    """Substitute a caller's values in a decision of the graph that it calls. None if the decision always holds there."""
    if decision.op == IS:
        return make_pinning_decision(
            n for name in formula_symbols(decision.left) for n in (names_in(places[name]) if name in places else (name,))
        )
    return _substitute_decision_cached(decision, _formulas_for(formula_symbols(decision.left) | formula_symbols(decision.right), places))


@lru_cache(maxsize=16_384)
def _substitute_decision_cached(decision: Decision, places: _Substitution) -> Decision | None:
    values = dict(places)
    seen = Decision(decision.op, substitute_formulas(decision.left, values), substitute_formulas(decision.right, values))
    return None if always_holds(seen) else seen
