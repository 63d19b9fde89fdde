"""Groups bodies that can be written as one block.

In: graphs with their bodies. Out: the `BlockGroup`s, each with a body for all its graphs, in which `LiteralSlot`s replace literals.
Always: graphs of one block have one name, unless they differ in literals only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from netc.dsl.record import Record, replace
from netc.dsl.trees import Different, find_literals, shape_key

from ...ir.graph import Graph
from ...ir.graph_values import Value
from .body_variants import insert_slots, merge_bodies
from .optional_inputs import count_tensors, iterate_optional_pairs
from .spec_tree import Assign, Binary, Body, CallMapping, Chain, Literal, Ref
from .variadic import merge_inputs


class BlockEntry(Record):
    """A graph, its body, and the values of its tensors' numbers. `taken` is set if the body has an optional input and the graph gets it:
    it maps inputs and results of the body to inputs and results of the graph."""

    graph: Graph
    values: Sequence[Value]
    body: Body
    taken: CallMapping | None = None


class BlockVariant:
    """Graphs whose bodies differ in literals only. Either all of them get the optional input, or none."""

    def __init__(self, body: Body, taken: CallMapping | None) -> None:
        self.body = body
        self.taken = taken
        self.members: list[tuple[Graph, Sequence[Value], list[Literal]]] = []


class BlockGroup:
    """Variants, a body for all of them, and the values of its tensors' numbers. `taken` maps, for variants with other inputs or results,
    the block's to the variant's. If there are such variants, the last input is optional."""

    def __init__(self, variant: BlockVariant) -> None:
        self.variants = [variant]
        self.body = insert_slots(variant.body, 0)
        self.values: Sequence[Value] = variant.members[0][1]
        self.taken: dict[int, CallMapping] = {} if variant.taken is None else {0: variant.taken}

    @property
    def name(self) -> str:
        return self.variants[0].members[0][0].name

    @property
    def graphs(self) -> list[Graph]:
        return [graph for variant in self.variants for graph, _, _ in variant.members]

    @property
    def taken_by_graph(self) -> dict[int, CallMapping | None]:
        """For each graph, by id, the block's inputs and results that it has. None if it has all except the optional input."""
        return {id(graph): self.taken.get(index) for index, variant in enumerate(self.variants) for graph, _, _ in variant.members}

    @property
    def is_variadic(self) -> bool:
        """Whether it takes any number of tensors, as one tuple."""
        return not self.taken and len({len(graph.inputs) for graph in self.graphs}) > 1

    def add_variant(self, variant: BlockVariant) -> None:
        """Add a variant. Raises `Different`."""
        self.body = merge_bodies(self.body, insert_slots(variant.body, len(self.variants)), len(self.variants))
        if variant.taken is not None:
            self.taken[len(self.variants)] = variant.taken
        self.variants.append(variant)

    def add_with_optional(self, variant: BlockVariant) -> None:
        """Add a variant with a tensor that the others compute themselves, or lack. Raises `Different`."""
        index = len(self.variants)
        for ours, theirs, taken in () if self.taken else iterate_optional_pairs(self.body, insert_slots(variant.body, index)):
            try:
                self.body = merge_bodies(ours, theirs, index)
            except Different:
                continue
            inputs = len(self.variants[0].members[0][0].inputs)
            optional_tensor = variant.members[0][1][taken.inputs[-1]]
            self.values = [*self.values[:inputs], optional_tensor, *self.values[inputs:]]
            self.values += [Value(optional_tensor.type, optional_tensor.span)] * (count_tensors(ours) - len(self.values))
            self.variants.append(variant)
            self.taken[index] = taken
            return
        raise Different


def group_blocks(
    entries: Sequence[BlockEntry], twins: Callable[[Sequence[BlockEntry]], Iterable[Sequence[BlockEntry]]]
) -> list[BlockGroup]:
    """Group entries into blocks. If a name would have several blocks, two more ways are tried: without a name for the last operand of the
    results, and with each result of `twins`, which makes entries with an optional input for the same graphs. A way is kept if it gives
    fewer blocks."""
    best = _make_blocks(entries)
    several = _find_repeated_names(best)
    # Searching for twins is the expensive part, and not needed where each name has one block.
    if not several:
        return best
    other = [replace(entry, body=_inline_last_name(entry.body)) if entry.graph.name in several else entry for entry in entries]
    best, entries = min((best, entries), (_make_blocks(other), other), key=lambda way: len(way[0]))
    for name in sorted(_find_repeated_names(best)):
        for alike in twins([entry for entry in entries if entry.graph.name == name]):
            new = {id(entry.graph): entry for entry in alike}
            # Graphs that end up alone with the optional input gain nothing from it, so they keep their own entries.
            blocks = _make_blocks([new.get(id(entry.graph), entry) for entry in entries])
            alone = {id(graph) for block in blocks if len(set(block.taken_by_graph.values())) == 1 for graph in block.graphs}
            tried = [entry if id(entry.graph) in alone else new.get(id(entry.graph), entry) for entry in entries]
            blocks = _make_blocks(tried)
            if len(blocks) < len(best) and all(map(_has_its_inputs, blocks)):
                best, entries = blocks, tried
                break
    return best


def _find_repeated_names(blocks: Sequence[BlockGroup]) -> set[str]:
    """Return the names that several blocks have."""
    names = [name for block in blocks for name in {graph.name for graph in block.graphs}]
    return {name for name, count in Counter(names).items() if count > 1}


def _has_its_inputs(block: BlockGroup) -> bool:
    """Whether some graph of the block has each input. An optional input that no graph gets would have no use."""
    inputs = {id(value) for graph in block.graphs for value in graph.inputs}
    return all(id(value) in inputs for value in block.values[: 1 if block.is_variadic else block.body.inputs])


def _inline_last_name(body: Body) -> Body:
    """Return the body without a name for a single operand of its result."""
    match body:
        case Body(inputs, (*others, Assign((int() as number,), Chain() as chain)), (Binary(symbol, Ref(left), Ref(right)),)):
            if number == left != right:
                return Body(inputs, tuple(others), (Binary(symbol, chain, Ref(right)),))
            if number == right != left:
                return Body(inputs, tuple(others), (Binary(symbol, Ref(left), chain),))
    return body


def _make_blocks(entries: Sequence[BlockEntry]) -> list[BlockGroup]:
    """Make graphs the variants of blocks. Graphs of one name with different numbers of inputs take them as one tuple, if that makes them
    one block."""
    counts: dict[str, set[int]] = {}
    for entry in entries:
        counts.setdefault(entry.graph.name, set()).add(len(entry.graph.inputs))
    names = {name for name, blocks in counts.items() if len(blocks) > 1}
    # Whether a tuple of inputs helps is known only after merging. Names are only removed, so this ends.
    while True:
        blocks = _merge_variants(_make_variants(entries, names))
        apart = {graph.name for block in blocks if not block.is_variadic for graph in block.graphs}
        if not names & apart:
            return blocks
        names -= apart


def _make_variants(entries: Sequence[BlockEntry], names: Collection[str]) -> Iterable[BlockVariant]:
    """Group the graphs by their bodies without literals. Graphs with these names take their inputs as one tuple."""
    alike: dict[Any, BlockVariant] = {}
    for entry in entries:
        graph, values = entry.graph, entry.values
        merged = merge_inputs(entry.body) if graph.name in names else None
        body = entry.body if merged is None else merged
        kept = values if merged is None else [values[0], *values[len(graph.inputs) :]]
        variant = alike.setdefault((shape_key(body), entry.taken), BlockVariant(body, entry.taken))
        variant.members.append((graph, kept, find_literals(body)))
    return alike.values()


def _merge_variants(variants: Iterable[BlockVariant]) -> list[BlockGroup]:
    """Merge the variants into as few blocks as possible, greedily."""
    blocks: list[BlockGroup] = []
    for variant in variants:
        graph = variant.members[0][0]
        # Sequences are no blocks of the source, so they may not differ in stages.
        alike = [block for block in blocks if block.name == graph.name and graph.kind != "sequence"]
        ways = [*(block.add_variant for block in alike), *(block.add_with_optional for block in alike)]
        if not any(_try_add(add, variant) for add in ways):
            blocks.append(BlockGroup(variant))
    return blocks


def _try_add(add: Callable[[BlockVariant], None], variant: BlockVariant) -> bool:
    try:
        add(variant)
    except Different:
        return False
    return True
