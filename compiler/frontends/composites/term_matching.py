"""Matches the term of a definition, whose inputs are holes, against the term of a tensor.

In: both terms. Out: the bindings of the holes to tensors and numbers, for each way to match. Always: the order of factors and summands does
not matter, numbers match if rounding to a few digits makes them equal, and a hole is bound to the same term everywhere.

`x * sigmoid(x)` matches `sigmoid(h + 1) * (1 + h)` with x bound to `h + 1`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

from .tensor_terms import Call, Leaf, Product, Sum, Term, Terms, add_terms, complete_order, multiply_terms, permute_term, split_number

FILLED = "filled"
"""The name of a number in the place of hidden scores, which may be infinite."""
Bound = Mapping[object, Any]
"""The bindings of holes: terms by the key of a `Leaf` of the pattern, numbers by the name of an argument."""
Items = Sequence[tuple[Term, float]]
"""Factors with their powers, or parts with their multiples."""
Join = Callable[[float, Mapping[Term, float]], Term]
"""Makes a term of a number and items: `multiply_terms`, whose number is 1 without one, or `add_terms`, whose number is 0."""


class Matcher:
    """Matches one pattern. `holes` are the keys of its leaves. `numbers` maps numbers of the pattern to the arguments that they stand
    for."""

    def __init__(self, terms: Terms, holes: frozenset[int], numbers: Mapping[float, str]) -> None:
        self._terms, self._holes, self._numbers = terms, holes, numbers

    def match_term(self, pattern: Term, term: Term, bound: Bound) -> Iterator[Bound]:
        """Yield the ways in which a term matches the pattern, as bindings that extend `bound`."""
        match pattern, term:
            case Leaf(key), _:
                yield from self._bind_hole(key, term, bound)
            case Product(), _:
                product = term if isinstance(term, Product) else Product(1.0, ((term, 1.0),))
                if pattern.number in self._numbers:
                    for known in self._match_number(pattern.number, product.number, bound):
                        yield from self._match_items(pattern.factors, product.factors, 1.0, known, multiply_terms)
                else:
                    yield from self._match_items(pattern.factors, product.factors, product.number / pattern.number, bound, multiply_terms)
            case Sum(), Sum():
                yield from self._match_sum(pattern, term, 1.0, bound)
            case Sum(), Product(scale, ((Sum() as total, 1.0),)):  # `f(x) + 2 * b`, whose largest part is 2
                yield from self._match_sum(pattern, total, scale, bound)
            case Call("permute", ((_, order),), (inner,)), Call("permute", ((_, other),), (x,)):
                order, other = complete_order(order, len(other)), complete_order(other, len(order))
                # The hole may be bound to a permuted tensor, so only the difference of both orders is applied.
                rest = tuple(other[order.index(axis)] for axis in range(-len(order), 0))
                yield from self.match_term(inner, permute_term(rest, x), bound)
            case Call(), Call() if pattern.name == term.name and len(pattern.inputs) == len(term.inputs):
                yield from self._match_call(pattern, term, bound)

    def _match_sum(self, pattern: Sum, term: Sum, scale: float, bound: Bound) -> Iterator[Bound]:
        parts, number = [(part, multiple * scale) for part, multiple in term.parts], term.number * scale
        if pattern.number in self._numbers:
            for known in self._match_number(pattern.number, number, bound):
                yield from self._match_items(pattern.parts, parts, 0.0, known, add_terms)
        else:
            rest = 0.0 if is_near(number, pattern.number) else number - pattern.number
            yield from self._match_items(pattern.parts, parts, rest, bound, add_terms)

    def _bind_hole(self, key: int, term: Term, bound: Bound) -> Iterator[Bound]:
        """Bind a hole to a term. It must be a tensor of the graph, perhaps with its axes in another order."""
        # The same input occurs again, and must be the same term.
        if key in bound:
            if bound[key] == term:
                yield bound
        elif key in self._holes and self._terms.find_source(term) is not None:
            yield {**bound, key: term}

    def _match_number(self, pattern: float, number: float, bound: Bound) -> Iterator[Bound]:
        name = self._numbers.get(pattern)
        if name is None:
            if is_near(number, pattern):
                yield bound
        # An argument is finite. Only the number of hidden scores may be minus infinity.
        elif bound.get(name, number) == number and (isfinite(number) or name == FILLED):
            yield {**bound, name: number}

    def _match_call(self, pattern: Call, term: Call, bound: Bound) -> Iterator[Bound]:
        bindings = [bound]
        for (name, wanted), (other, value) in zip(pattern.arguments, term.arguments, strict=False):
            if name == other and isinstance(wanted, float) and isinstance(value, (int, float)):
                bindings = [more for inner in bindings for more in self._match_number(wanted, float(value), inner)]
            elif (name, wanted) != (other, value):
                return
        for inner, other_input in zip(pattern.inputs, term.inputs, strict=True):
            bindings = [more for known in bindings for more in self.match_term(inner, other_input, known)]
        yield from bindings

    def _match_items(self, patterns: Items, items: Items, number: float, bound: Bound, join: Join) -> Iterator[Bound]:
        """Match each pattern that is not a hole with a different item, in any order. The holes match the remaining items and the number."""
        first = next((index for index, (pattern, _) in enumerate(patterns) if not isinstance(pattern, Leaf)), None)
        if first is None:
            yield from self._match_holes(patterns, dict(items), number, bound, join)
            return
        pattern, weight = patterns[first]
        # Each item is tried, because several factors may match one pattern: `x * y` in either order.
        for index, (item, item_weight) in enumerate(items):
            for weighted in self._match_number(weight, item_weight, bound):
                for known in self.match_term(pattern, item, weighted):
                    yield from self._match_items(_drop_item(patterns, first), _drop_item(items, index), number, known, join)

    def _match_holes(self, holes: Items, items: dict[Term, float], number: float, bound: Bound, join: Join) -> Iterator[Bound]:
        """Match holes: take the bound ones from the items. A single unbound hole gets all the rest, and each of several gets one item."""
        neutral = 1.0 if join is multiply_terms else 0.0
        for hole, weight in holes:
            assert isinstance(hole, Leaf)
            if hole.key in bound:
                factor, own_items = _to_items(bound[hole.key], items, weight, join)
                if factor is None or not _take_items(items, own_items):
                    return
                number = number / factor if join is multiply_terms else 0.0 if is_near(number, factor) else number - factor
        unknown = [(hole, weight) for hole, weight in holes if isinstance(hole, Leaf) and hole.key not in bound]
        number = 1.0 if join is multiply_terms and is_near(number, 1.0) else number
        if not unknown:
            if not items and number == neutral:
                yield bound
        elif len(unknown) == 1:
            ((hole, weight),) = unknown
            # With a power or multiple, the number would need its root or quotient too, which is not tried.
            if number == neutral or weight == 1:
                yield from self._bind_hole(hole.key, join(number, {item: own_items / weight for item, own_items in items.items()}), bound)
        else:
            hole, weight = unknown[0]
            for item in [item for item, own_items in items.items() if is_near(own_items, weight)]:
                for known in self._bind_hole(hole.key, item, bound):
                    yield from self._match_holes(holes, dict(items), number, known, join)


def _drop_item(items: Items, index: int) -> Items:
    return [*items[:index], *items[index + 1 :]]


def _to_items(term: Term, items: Mapping[Term, float], weight: float, join: Join) -> tuple[float | None, Items]:
    """Write a term with a power or multiple as a number and items: itself, or its own parts. The number is None if the power does not
    exist."""
    if join is multiply_terms:
        if term in items or not isinstance(term, Product):
            return 1.0, ((term, weight),)
        if term.number == 0 or (term.number < 0 and weight != int(weight)):
            return None, ()
        return term.number**weight, [(factor, power * weight) for factor, power in term.factors]
    multiple, bare = split_number(term)
    if bare in items or not isinstance(bare, Sum):
        return 0.0, ((bare, multiple * weight),)
    return bare.number * multiple * weight, [(part, part_weight * multiple * weight) for part, part_weight in bare.parts]


def _take_items(items: dict[Term, float], taken_items: Items) -> bool:
    """Take some items from all. Returns whether they were there."""
    for item, weight in taken_items:
        if item not in items:
            return False
        remaining = items.pop(item) - weight
        if not is_near(remaining + 1.0, 1.0):
            items[item] = remaining
    return True


def is_near(a: float, b: float) -> bool:
    """Return whether two numbers are equal after rounding to about 5 digits: models write `0.7071` for the root of 1/2."""
    return abs(a - b) <= 1e-5 * max(1e-30, abs(b))
