"""A pattern found in a graph: the term of a definition, whose inputs are holes, and the term of a tensor.

In: both terms. Out: what the holes are, tensors and numbers; or nothing. Always: the order of factors and parts does not matter; numbers
may differ by as much as rounding to a few digits makes; a hole is the same term wherever it occurs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from .tensor_terms import Call, Leaf, Product, Sum, Term, Terms, add_terms, multiply_terms

Bound = Mapping[object, Any]
"""What holes are: terms by the key of a `Leaf` of the pattern, numbers by the name of an argument."""
Items = Sequence[tuple[Term, float]]
"""Factors with their powers, or parts with their multiples."""
Join = Callable[[float, Mapping[Term, float]], Term]


class Matcher:
    """Matches one pattern. `holes` are the keys of its leaves; `numbers` are those that stand for arguments of the operator in it."""

    def __init__(self, terms: Terms, holes: frozenset[int], numbers: Mapping[float, str]) -> None:
        self._terms, self._holes, self._numbers = terms, holes, numbers

    def match(self, pattern: Term, term: Term, bound: Bound) -> Iterator[Bound]:
        """The ways in which a term is the pattern, given what is known of the holes."""
        match pattern, term:
            case Leaf(key), _:
                yield from self._bind(key, term, bound)
            case Product(), _:
                own = term if isinstance(term, Product) else Product(1.0, ((term, 1.0),))
                yield from self._match_items(pattern.factors, own.factors, own.number / pattern.number, bound, multiply_terms)
            case Sum(), Sum():
                yield from self._match_sum(pattern, term, 1.0, bound)
            case Sum(), Product(scale, ((Sum() as total, 1.0),)):  # `f(x) + 2 * b`, whose largest part is 2
                yield from self._match_sum(pattern, total, scale, bound)
            case Call(), Call() if pattern.name == term.name and len(pattern.inputs) == len(term.inputs):
                yield from self._match_call(pattern, term, bound)

    def _match_sum(self, pattern: Sum, term: Sum, scale: float, bound: Bound) -> Iterator[Bound]:
        parts = [(part, multiple * scale) for part, multiple in term.parts]
        for known in self._match_number(pattern.number, term.number * scale, bound):
            yield from self._match_items(pattern.parts, parts, 1.0, known, lambda _, rest: add_terms(0.0, rest))

    def _bind(self, key: int, term: Term, bound: Bound) -> Iterator[Bound]:
        """Only what a tensor of the graph is can be an input."""
        if key in bound:
            if bound[key] == term:
                yield bound
        elif key in self._holes and self._terms.value(term) is not None:
            yield {**bound, key: term}

    def _match_number(self, pattern: float, number: float, bound: Bound) -> Iterator[Bound]:
        name = self._numbers.get(pattern)
        if name is None:
            if is_near(number, pattern):
                yield bound
        elif bound.get(name, number) == number:
            yield {**bound, name: number}

    def _match_call(self, pattern: Call, term: Call, bound: Bound) -> Iterator[Bound]:
        found = [bound]
        for (name, wanted), (other, given) in zip(pattern.arguments, term.arguments, strict=False):
            if name == other and isinstance(wanted, float) and isinstance(given, (int, float)):
                found = [more for one in found for more in self._match_number(wanted, float(given), one)]
            elif (name, wanted) != (other, given):
                return
        for one, other_input in zip(pattern.inputs, term.inputs, strict=True):
            found = [more for known in found for more in self.match(one, other_input, known)]
        yield from found

    def _match_items(self, patterns: Items, items: Items, ratio: float, bound: Bound, join: Join) -> Iterator[Bound]:
        """Each pattern that is no hole is another one of the items, in any order; the holes are what is left."""
        first = next((index for index, (pattern, _) in enumerate(patterns) if not isinstance(pattern, Leaf)), None)
        if first is None:
            yield from self._match_holes(patterns, dict(items), ratio, bound, join)
            return
        pattern, weight = patterns[first]
        for index, (item, own) in enumerate(items):
            for weighted in self._match_number(weight, own, bound):
                for known in self.match(pattern, item, weighted):
                    yield from self._match_items(_drop(patterns, first), _drop(items, index), ratio, known, join)

    def _match_holes(self, holes: Items, items: dict[Term, float], ratio: float, bound: Bound, join: Join) -> Iterator[Bound]:
        """Holes that are known are taken from the items first; a single other one is all the rest, of several each is one of them."""
        for hole, weight in holes:
            assert isinstance(hole, Leaf)
            if hole.key in bound:
                number = _take(items, bound[hole.key], weight)
                if not number:
                    return
                ratio /= number
        unknown = [(hole, weight) for hole, weight in holes if isinstance(hole, Leaf) and hole.key not in bound]
        ratio = 1.0 if is_near(ratio, 1.0) else ratio
        if not unknown:
            if not items and ratio == 1:
                yield bound
        elif len(unknown) == 1:
            ((hole, weight),) = unknown
            if ratio == 1 or weight == 1:
                yield from self._bind(hole.key, join(ratio, {item: own / weight for item, own in items.items()}), bound)
        else:
            hole, weight = unknown[0]
            for item in [item for item, own in items.items() if is_near(own, weight)]:
                for known in self._bind(hole.key, item, bound):
                    yield from self._match_holes(holes, dict(items), ratio, known, join)


def _drop(items: Items, index: int) -> Items:
    return [*items[:index], *items[index + 1 :]]


def _take(items: dict[Term, float], term: Term, times: float) -> float | None:
    """Takes a term from the items, as one of them or as all that it consists of; its number, None if it is not there."""
    number = 1.0
    own: Items = ((term, 1.0),)
    if term not in items and isinstance(term, Product):
        number, own = term.number**times, term.factors
    elif term not in items and isinstance(term, Sum) and not term.number:
        own = term.parts
    for part, weight in own:
        if part not in items:
            return None
        left = items.pop(part) - weight * times
        if not is_near(left + 1.0, 1.0):
            items[part] = left
    return number


def is_near(a: float, b: float) -> bool:
    """Whether two numbers are the same in float32, or were rounded to a few digits."""
    return abs(a - b) <= 1e-5 * max(1e-30, abs(b))
