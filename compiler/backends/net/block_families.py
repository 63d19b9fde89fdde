"""Makes similar bodies one block, with parameters for their differences.

In: the main graph of a program. Out: the `BlockFamily` of each called graph, with its arguments at each call: `layer 64` and `layer 128`
for two bodies. Always: the bodies of one block differ only in literals and, if the graphs have one name, in stages that only some of them
have.

    >>> import netc
    >>> from .spec_source import write_program
    >>> text = "block layer(width) { dense width relu -> dense 8 }; input 3 -> layer 64 -> layer 128"
    >>> print(write_program(netc.compile(text).program), end="")
    block layer(units) {
      in -> dense units relu as dense1 -> dense 8 as dense2
    }
    <BLANKLINE>
    input 3 -> layer 64 as layer1 -> layer 128 as layer2
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import product
from typing import Any

from netc.dsl.trees import find_literals, has_part, rewrite_downward, shape_key, subtrees_of

from ...ir.graph import CallNode, Graph, Node
from ...ir.graph_values import Value
from ...ir.walk import collect_graphs
from ...ops import Operator
from ...ops.operator import strict_key
from ...structure.block_levels import sort_into_levels
from .block_grouping import BlockEntry, BlockGroup, group_blocks
from .body_trees import GraphBody
from .body_variants import LiteralSlot, get_slot_literal
from .inline_shared import inline_shared_calls
from .literal_columns import BlockParameters, LiteralColumns, SizeOfInput
from .node_stages import get_label, get_named_operands, make_constant, make_operator_stage
from .spec_tree import (
    Body,
    CallMapping,
    Chain,
    Choice,
    Group,
    InTraining,
    Literal,
    Loop,
    OptionalInput,
    Ref,
    Scanned,
    Stage,
)
from .tensor_names import to_identifier, to_snake_case
from .twins import list_twin_ways, pair_twins

LONG = 4
"""The least number of stages of a sequence that may become a block."""
OFTEN = 3
"""The least number of places in the text at which such a sequence would be written."""


class BlockFamily:
    """A block: its body, with `Parameter`s in place of the literals that differ."""

    def __init__(self, block: BlockGroup, taken: Collection[str]) -> None:
        self.members = block.graphs
        self.variadic = block.is_variadic
        """It takes any number of tensors, as one tuple."""
        self.values = block.values
        self.optional = OptionalInput(self) if block.taken else None
        """The name of its last input, if that is optional."""
        self.taken = {id(graph): taken for index, taken in block.taken.items() for graph, _, _ in block.variants[index].members}
        self.name = ""
        self.inputs: Sequence[str] = ()
        """The names of its inputs."""
        self.results: Sequence[str] = ()
        """The names of its results. A result without a name is empty."""
        self.words: Sequence[str] = ()
        """The names of its inputs that are words of the source. Other inputs are empty."""
        parameters = BlockParameters(self.members, taken)
        member_literals = [(index, literals) for index, variant in enumerate(block.variants) for _, _, literals in variant.members]
        slots = list(_iterate_slots(block.body))
        columns = [[_get_literal(slot, name, index, literals) for index, literals in member_literals] for slot, name, _ in slots]
        parts = iter(LiteralColumns(columns, parameters, [stage for _, _, stage in slots]).make_parts())
        self.body = rewrite_downward(block.body, lambda part: next(parts) if isinstance(part, LiteralSlot) else None)
        self.parameters, self.defaults = parameters.names, parameters.defaults
        self.given = dict(zip(map(id, self.members), parameters.given, strict=True))
        searched = self.members if self.optional else ()
        self._made = [(graph, {id(value) for node in graph.nodes for value in node.outputs}) for graph in searched]

    def find_maker(self, value: Value) -> Graph:
        """Return the member that makes the tensor. A tensor that depends on an optional input is made by a member that has the input."""
        return next((graph for graph, outputs in self._made if id(value) in outputs), self.members[0])

    def make_stage(self, graph: Graph, label: str | None) -> Stage:
        """Make the stage for a use of a member."""
        return Stage(self, tuple(zip(self.parameters, self.given[id(graph)], strict=True)), label=label)


def _iterate_slots(tree: Any, name: str = "", stage: str = "") -> Iterator[tuple[LiteralSlot, str, str]]:
    """Iterate over the slots of a body in order. Slots of choices have the choices' names. The last item is the name of the stage
    around."""
    match tree:
        case LiteralSlot():
            yield tree, name, stage
        case Choice(flag, stages, others, name_):
            yield from _iterate_slots(flag, name_, stage)
            yield from _iterate_slots((stages, others), "", stage)
        case Stage() | Group() | Loop():
            for part in subtrees_of(tree):
                yield from _iterate_slots(part, "", _get_stage_word(tree) or stage)
        case _:
            for part in subtrees_of(tree):
                yield from _iterate_slots(part, "", stage)


def _get_stage_word(stage: Any) -> str:
    """Return a word for a stage: its label, or the name of its block."""
    label = (stage.label or "").rpartition(".")[2]
    if label and not label.isdecimal() and label != "_":
        return to_identifier(label, "")
    callee = getattr(stage, "callee", None)
    return callee.name or to_snake_case(callee.members[0].name) if isinstance(callee, BlockFamily) else ""


def _get_literal(slot: LiteralSlot, name: str, variant: int, literals: Sequence[Literal]) -> Literal | None:
    value = get_slot_literal(slot, variant, {variant: literals})
    # The flag of a choice is a literal of the body itself, so it has no name of its own.
    return Literal(value, name, False) if isinstance(value, bool) else value


class BlockFamilies:
    """The blocks of a program, called blocks first."""

    def __init__(self, main: Graph) -> None:
        self.families: list[BlockFamily] = []
        self.family_of: dict[int, BlockFamily] = {}
        self.chains: dict[int, tuple[Any, ...]] = {}
        # A block of the language has no way to take a shared stage, so calls that pass one are inlined first.
        main = inline_shared_calls(main)
        self.taken = {*Operator.registry, *(to_snake_case(graph.name) for graph in collect_graphs(main))}
        self.places = _find_places(main)
        for level in sort_into_levels(collect_graphs(main), _make_group_key):
            # Steps of scans and iterations are written where they are called, as their bodies use tensors around them.
            self._add_level([graph for graph in level if graph is not main and graph.kind != "scan" and graph.iteration is None])
        self.main = GraphBody(main, self)
        self.body = self.main.make_body()

    def _add_level(self, level: Sequence[Graph]) -> None:
        entries: list[BlockEntry] = []
        chains: dict[Any, list[tuple[BlockEntry, tuple[Any, ...]]]] = {}
        for graph in level:
            entry = self._make_entry(graph)
            chain = _match_chain(entry.body) if graph.kind == "sequence" else None
            if chain is None:
                entries.append(entry)
            else:
                # Sequences are written in place, unless the same one is long and occurs often.
                chains.setdefault(shape_key(chain), []).append((entry, chain))
        for alike in chains.values():
            if self._is_block(alike):
                entries += [entry for entry, _ in alike]
            else:
                self.chains.update((id(entry.graph), chain) for entry, chain in alike)
        for block in group_blocks(entries, self._iterate_twins):
            family = BlockFamily(block, self.taken)
            self.families.append(family)
            self.family_of.update((id(graph), family) for graph in family.members)

    def _make_entry(self, graph: Graph, rewritten: Graph | None = None, taken: CallMapping | None = None) -> BlockEntry:
        """Make the entry of a graph with its body. `rewritten`, if given, computes the same and is written instead."""
        making = GraphBody(rewritten or graph, self)
        body = making.make_body()
        return BlockEntry(graph, making.values, body, taken)

    def _iterate_twins(self, entries: Sequence[BlockEntry]) -> Iterator[Sequence[BlockEntry]]:
        """Iterate over ways in which the graphs of one name have an optional input: entries for all graphs with and without it."""
        by_count: dict[int, list[BlockEntry]] = {}
        for entry in entries:
            by_count.setdefault(len(entry.graph.inputs), []).append(entry)
        for count, without in sorted(by_count.items()):
            yield from self._pair_entries(without, by_count.get(count + 1, ()))

    def _pair_entries(self, without: Sequence[BlockEntry], given: Sequence[BlockEntry]) -> Iterator[Sequence[BlockEntry]]:
        """Iterate over the entries with an optional input, for each way in which a graph with the input has a twin without it."""
        keys: dict[int, Any] = {}

        def key(node: Node) -> Any:
            if id(node) not in keys:
                keys[id(node)] = node, self._make_key(node)
            return keys[id(node)][1]

        for first, donor in product(_drop_equal_bodies(without), _drop_equal_bodies(given)):
            for way in list_twin_ways(first, donor):
                # The first pair tells whether a way works at all, before all other graphs are tried.
                if pair_twins(first, donor, way, key) is None:
                    continue
                taken = CallMapping(way.inputs, way.results)
                firsts, donors = [first, *_drop_equal_bodies(without)], [donor, *_drop_equal_bodies(given)]
                entries: list[BlockEntry] = []
                # Graphs that differ in more, such as a shortcut, have other twins.
                for graph in (entry.graph for entry in without):
                    twins = next(filter(None, (pair_twins(graph, unpaired, way, key) for unpaired in donors)), None)
                    entries += [self._make_entry(graph, twins[0])] if twins else []
                for graph in (entry.graph for entry in given):
                    twins = next(filter(None, (pair_twins(unpaired, graph, way, key) for unpaired in firsts)), None)
                    entries += [self._make_entry(graph, twins[1], taken)] if twins else []
                yield entries

    def _make_key(self, node: Node) -> tuple[Any, Any]:
        """Make the key of a node among twins. Loops, and uses of shared stages, equal no other node."""
        if node.shared is not None or (isinstance(node, CallNode) and (node.scan is not None or node.graph.iteration is not None)):
            return id(node), ()
        words: tuple[str, ...] = ()
        if isinstance(node, CallNode):
            stage = self.make_callee(node)
        else:
            stage = make_constant(node) or make_operator_stage(node)
            words = (node.op.name, *get_named_operands(node.op))  # an activation is a literal of its stage
        values = tuple(strict_key(literal.value) for literal in find_literals(stage))
        return (shape_key(stage), *words, len(node.inputs), len(node.outputs)), values

    def _is_block(self, alike: Sequence[tuple[BlockEntry, tuple[Any, ...]]]) -> bool:
        """Whether a sequence is long and frequent enough to be written once. Sequences that are counted without a gap become a loop
        anyway."""
        places = {place for entry, _ in alike for place in self.places[id(entry.graph)]}
        # Labels that count up are members of one loop, so all of them are one place in the text.
        apart = [(name, label) for name, label in places if not _decrement_label(label) or (name, _decrement_label(label)) not in places]
        return len(alike[0][1]) >= LONG and len(apart) >= OFTEN

    def make_callee(self, node: CallNode) -> Any:
        """Return the call as a stage: a use of a block, or a group."""
        graph, label = node.graph, get_label(node)
        if id(graph) in self.chains:
            return Group(self.chains[id(graph)], label or "")
        return self.family_of[id(graph)].make_stage(graph, label)

    def find_optional(self, node: CallNode) -> tuple[OptionalInput, CallMapping] | None:
        """Return the optional input that a call passes, and which inputs and results of the block belong to the call."""
        family = self.family_of.get(id(node.graph))
        taken = family.taken.get(id(node.graph)) if family is not None else None
        return (family.optional, taken) if family is not None and family.optional is not None and taken is not None else None


def _drop_equal_bodies(entries: Sequence[BlockEntry]) -> list[Graph]:
    """Return one graph for each different body."""
    return list({shape_key(entry.body): entry.graph for entry in entries}.values())


def _find_places(main: Graph) -> dict[int, set[tuple[str, str]]]:
    """Find where each graph is called: the names of the calling graphs, and the labels."""
    places: dict[int, set[tuple[str, str]]] = {}
    for graph in collect_graphs(main):
        for node in graph.nodes:
            if isinstance(node, CallNode):
                places.setdefault(id(node.graph), set()).add((graph.name, node.label))
    return places


def _decrement_label(label: str) -> str:
    """Return the label with the previous number. Empty for a label without a number."""
    head = label.rstrip("0123456789")
    return f"{head}{int(label[len(head) :]) - 1}" if head != label else ""


def _match_chain(body: Body) -> tuple[Any, ...] | None:
    """The stages of a body that is one pipeline from its input to its result.

    None if a stage uses a tensor of the body by its name, as `if training { x }` does: a group has no names of its own, so the number would
    name a tensor of the body around it. The statements of a `scan` are numbered too.
    """
    match body:
        case Body(1, (), (Chain(Ref(0), stages),)) if not has_part(stages, lambda part: isinstance(part, (Ref, Scanned))):
            return stages
    return None


def _make_group_key(graph: Graph) -> object:
    """Return a key that is equal for graphs that may be one block. Sequences of one name have nothing else in common."""
    return id(graph) if graph.kind == "sequence" else graph.name


def uses_input_inside(tree: Any, inside: bool = False) -> bool:
    """Whether the block's first input is used in a group or a loop, where `in` is another tensor."""
    match tree:
        case Ref(0) | SizeOfInput(0):
            return inside
        case Group(stages):
            return uses_input_inside(stages, True)
        case InTraining(value):
            return uses_input_inside(value, True)
        case Choice(_, stages, others):
            return uses_input_inside((stages, others), True)
        case Scanned():
            return uses_input_inside(tree.states, inside) or uses_input_inside((tree.statements, tree.results), True)
        case Loop():
            return uses_input_inside(tree.over, inside) or uses_input_inside(tree.body, True)
    return any(uses_input_inside(part, inside) for part in subtrees_of(tree))
