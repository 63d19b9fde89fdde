"""Which bodies are one block.

In: graphs with their bodies. Out: the `Block`s, each with the body of all its graphs, in which a `Slot` is where literals are. Always:
graphs of one block have one name, unless they differ in literals alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from ...ir.graph import Graph
from ...ir.values import Value
from .optional import optionals, tensors
from .tree import Assign, Binary, Body, Chain, Literal, Ref, Taken, literals, without_literals
from .variadic import with_one_tuple
from .variants import Different, merged, with_slots

Entry = tuple[Graph, Sequence[Value], Body]
"""A graph, the values of its tensors' numbers, and its body."""


class Variant:
    """Graphs whose bodies differ in literals alone."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.members: list[tuple[Graph, Sequence[Value], list[Literal]]] = []


class Block:
    """Variants, the body of all of them, and the values of its tensors' numbers. `taken` says for the variants that have other inputs or
    results which of the block's they are; the last input is optional if there are such."""

    def __init__(self, variant: Variant) -> None:
        self.variants = [variant]
        self.body = with_slots(variant.body, 0)
        self.values: Sequence[Value] = variant.members[0][1]
        self.taken: dict[int, Taken] = {}

    @property
    def name(self) -> str:
        return self.variants[0].members[0][0].name

    @property
    def graphs(self) -> list[Graph]:
        return [graph for variant in self.variants for graph, _, _ in variant.members]

    @property
    def is_variadic(self) -> bool:
        """Whether it takes any number of tensors, as one tuple."""
        return not self.taken and len({len(graph.inputs) for graph in self.graphs}) > 1

    def add(self, variant: Variant) -> None:
        """The block with a further variant. Raises `Different`."""
        self.body = merged(self.body, with_slots(variant.body, len(self.variants)), len(self.variants))
        self.variants.append(variant)

    def add_with_optional(self, variant: Variant) -> None:
        """The block with a variant that is given a tensor which the others compute, or which nothing gives to them. Raises `Different`."""
        at = len(self.variants)
        for ours, theirs, taken in () if self.taken else optionals(self.body, with_slots(variant.body, at)):
            try:
                self.body = merged(ours, theirs, at)
            except Different:
                continue
            inputs = len(self.variants[0].members[0][0].inputs)
            given = variant.members[0][1][taken.inputs[-1]]
            self.values = [*self.values[:inputs], given, *self.values[inputs:]]
            self.values += [Value(given.type, given.span)] * (tensors(ours) - len(self.values))
            self.variants.append(variant)
            self.taken[at] = taken
            return
        raise Different


def best_blocks(entries: Sequence[Entry]) -> list[Block]:
    """The blocks; those of a name that would be several without a name for the last operand of their results, if that gives fewer."""
    found = _blocks(entries)
    names = [name for block in found for name in {graph.name for graph in block.graphs}]
    several = {name for name, count in Counter(names).items() if count > 1}
    if not several:
        return found
    other = [(graph, values, _without_last_name(body) if graph.name in several else body) for graph, values, body in entries]
    return min(found, _blocks(other), key=len)


def _without_last_name(body: Body) -> Body:
    """The body without a name for what is only one operand of its result."""
    match body:
        case Body(inputs, (*others, Assign((int() as number,), Chain() as chain)), (Binary(symbol, Ref(left), Ref(right)),)):
            if number == left != right:
                return Body(inputs, tuple(others), (Binary(symbol, chain, Ref(right)),))
            if number == right != left:
                return Body(inputs, tuple(others), (Binary(symbol, Ref(left), chain),))
    return body


def _blocks(entries: Sequence[Entry]) -> list[Block]:
    """Graphs as the variants of blocks. Those of one name with different numbers of inputs take them as one tuple, if that makes them one
    block."""
    counts: dict[str, set[int]] = {}
    for graph, _, _ in entries:
        counts.setdefault(graph.name, set()).add(len(graph.inputs))
    names = {name for name, found in counts.items() if len(found) > 1}
    while True:
        found = _together(_variants(entries, names))
        apart = {graph.name for block in found if not block.is_variadic for graph in block.graphs}
        if not names & apart:
            return found
        names -= apart


def _variants(entries: Sequence[Entry], names: Collection[str]) -> Iterable[Variant]:
    """The graphs by their bodies without literals; those with these names take their inputs as one tuple."""
    alike: dict[Any, Variant] = {}
    for graph, values, body in entries:
        one = with_one_tuple(body) if graph.name in names else None
        skeleton = without_literals(body if one is None else one)
        kept = values if one is None else [values[0], *values[len(graph.inputs) :]]
        alike.setdefault(skeleton, Variant(skeleton)).members.append((graph, kept, list(literals(body if one is None else one))))
    return alike.values()


def _together(variants: Iterable[Variant]) -> list[Block]:
    """The variants as few blocks."""
    found: list[Block] = []
    for variant in variants:
        graph = variant.members[0][0]
        alike = [block for block in found if block.name == graph.name and graph.kind != "sequence"]
        ways = [*(block.add for block in alike), *(block.add_with_optional for block in alike)]
        if not any(_succeeds(add, variant) for add in ways):
            found.append(Block(variant))
    return found


def _succeeds(add: Callable[[Variant], None], variant: Variant) -> bool:
    try:
        add(variant)
    except Different:
        return False
    return True
