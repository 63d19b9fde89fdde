"""Substitute the symbols in the numbers of a graph.

A block with a parameter `width` has operators with numbers such as `4 * width`. A call with `width=64` inlines them as 256.

In: a graph, and values for some of its symbols. Out: the same graph with these values, or their formulas, in place of the symbols. Always:
only this module lists the places of a graph in which a number may have a formula. If you add such a place, add it here.

    >>> import netc
    >>> main = netc.compile("block layer(width) { dense (4 * width) -> relu }; input 3 -> layer 16").program.main
    >>> graph = main.nodes[0].graph
    >>> [str(number.origin) for number in symbolic_numbers(graph) if getattr(number, "origin", None) is not None]
    ['4*layer#0.width']
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import Any

from netc.dsl.record import replace

from ..dims import SymDim
from ..ops.formula import substitute_in_formula
from ..types.traced_ints import names_in, strip_formulas, substitute_decision, substitute_formulas, substitute_values
from .choices import Choice
from .copy_graph import copy_graphs
from .graph import Graph, OpNode
from .graph_values import JoinedTuple, Parts, Value, ValueTuple

SymbolValues = Mapping[str, Any]
"""The number that replaces each symbol, with or without a formula of its own."""


def symbolic_numbers(graph: Graph) -> Iterator[Any]:
    """Iterate over all numbers of a graph that may have symbols."""
    for node in graph.nodes:
        yield from node.op.numbers if isinstance(node, OpNode) else node.arguments.values()
        yield from (v.type.shape for v in node.outputs)
    yield from (v.type.shape for v in graph.inputs)


def substitute_symbols(graph: Graph, places: SymbolValues) -> None:
    """Replace symbols in the graph itself, not in the graphs that it calls."""
    twins = _ValueCopies(graph, places)
    for node in graph.nodes:
        if isinstance(node, OpNode):
            node.op = node.op.substitute_values(places)
            node.specs = tuple(
                replace(s, shape=substitute_values(s.shape, places), init=s.init.substitute_values(places)) for s in node.specs
            )
            node.parts = twins.map_parts(node.parts)
        else:
            node.arguments = {name: substitute_values(value, places) for name, value in node.arguments.items()}
            node.tuples, node.tails = tuple(map(twins.map_parts, node.tuples)), tuple(map(twins.map_tuple, node.tails))
            if node.scan is not None:
                node.scan = replace(node.scan, length=substitute_values(node.scan.length, places))
        node.inputs, node.outputs = tuple(map(twins.map_value, node.inputs)), tuple(map(twins.map_value, node.outputs))
    graph.inputs, graph.outputs = list(map(twins.map_value, graph.inputs)), list(map(twins.map_value, graph.outputs))
    graph.tuples = list(map(twins.map_tuple, graph.tuples))
    graph.tails = tuple(replace(tail, parts=twins.map_parts(tail.parts)) for tail in graph.tails)
    graph.arguments = {name: substitute_values(value, places) for name, value in graph.arguments.items()}
    sizes = {name: substitute_formulas(size, places) for name, size in graph.sizes.items()}
    # A size that has become a plain number needs no name any more.
    graph.sizes = {name: size for name, size in sizes.items() if isinstance(size, SymDim)}
    # Decisions that always hold with these values are dropped.
    graph.decisions = dict.fromkeys(seen for d in graph.decisions if (seen := substitute_decision(d, places)) is not None)
    graph.choices = [_substitute_in_choice(choice, places, twins) for choice in graph.choices]
    graph.count = substitute_values(graph.count, places)
    graph.origins = {
        n: replace(o, value=substitute_values(o.value, places), input=twins.map_origin(o.input)) for n, o in graph.origins.items()
    }


def write_out_symbols(main: Graph, places: SymbolValues, kept: Sequence[Graph] = ()) -> Graph:
    """Copy the main graph and the graphs that it calls, except the graphs in `kept`, with plain numbers in place of the symbols."""
    plain_values = {name: strip_formulas(value) for name, value in places.items()}
    order = copy_graphs(main, kept)
    for graph in order:
        # Other graphs keep their values, which they share with the program.
        if graph.decisions or any(names_in(value) & plain_values.keys() for value in symbolic_numbers(graph)):
            substitute_symbols(graph, plain_values)
    return order[-1]


class _ValueCopies:
    """The values of a graph with their symbols substituted. They are new objects, because the graph may be a copy that shares its
    values."""

    def __init__(self, graph: Graph, places: SymbolValues) -> None:
        values = [*graph.inputs, *(v for node in graph.nodes for v in node.outputs)]
        self._values = {id(v): _substitute_in_value(v, places) for v in values}
        self._tuples: dict[int, ValueTuple] = {}

    def map_value(self, value: Value) -> Value:
        # A `Choice` may list tensors of its branch that are no longer in the graph.
        return self._values.get(id(value), value)

    def map_tuple(self, several: ValueTuple) -> ValueTuple:
        if id(several) not in self._tuples:
            twin = self._tuples[id(several)] = copy(several)
            twin.values = tuple(map(self.map_value, several.values))
            if isinstance(twin, JoinedTuple) and isinstance(several, JoinedTuple):
                twin.parts = self.map_parts(several.parts)
        return self._tuples[id(several)]

    def map_parts(self, parts: Parts) -> Parts:
        return tuple(self.map_value(part) if isinstance(part, Value) else replace(part, of=self.map_tuple(part.of)) for part in parts)

    def map_origin(self, value: Value | ValueTuple | None) -> Value | ValueTuple | None:
        return self.map_tuple(value) if isinstance(value, ValueTuple) else value and self.map_value(value)


def _substitute_in_value(value: Value, places: SymbolValues) -> Value:
    twin = copy(value)
    twin.type = replace(value.type, shape=substitute_values(value.type.shape, places))
    return twin


def _substitute_in_choice(choice: Choice, places: SymbolValues, twins: _ValueCopies) -> Choice:
    inner = tuple(_substitute_in_choice(inner_choice, places, twins) for inner_choice in choice.inner)
    inputs, results = twins.map_parts(choice.inputs), twins.map_parts(choice.results)
    return replace(choice, test=substitute_in_formula(choice.test, places), inner=inner, inputs=inputs, results=results)
