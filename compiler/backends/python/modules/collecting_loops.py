"""Loops that take elements of lists and collect their results in lists: `for layer, k in zip(self.layers, keys)`, `values.append(v)`.

In: the graph of a loop. Out: which results of an iteration the next one takes, which go to lists, and which inputs are elements of lists.
None if the iterations are not all connected alike. Always: linear in the number of nodes.
"""

from __future__ import annotations

from netc.dsl.record import Record

from ....ir.graph import CallNode, Graph, Node
from ....ir.graph_values import Value, ValueTuple, flatten_parts
from ..identifiers import singularize
from .chains import are_same, get_modules, is_from_outside, list_grouped_inputs, list_grouped_outputs


class CollectingLoop(Record):
    """The connections of a loop. `slots` and `items` are as in a `Loop`. `elements` are the inputs of an iteration that are elements of
    a list: by position, a name and the list."""

    slots: tuple[tuple[int, ...], ...]
    items: tuple[str, ...]
    elements: dict[int, tuple[str, ValueTuple]]


def match_collecting_loop(graph: Graph) -> CollectingLoop | None:
    """Match a loop over tensors, or one that collects tensors. Return how its iterations are connected."""
    lists = [flatten_parts(tail.parts) for tail in graph.tails if tail.listed]
    returned = graph.grouped_outputs[: len(graph.grouped_outputs) - len(lists)]
    nodes = graph.nodes
    first, last = list_grouped_outputs(nodes[0]), list_grouped_outputs(nodes[-1])
    if any(len(items) != len(nodes) for items in lists) or not all(any(are_same([r], [m]) for m in last) for r in returned):
        return None
    states = [next(i for i, m in enumerate(last) if are_same([r], [m])) for r in returned]
    places = [next((i for i, m in enumerate(first) if m is items[0]), None) for items in lists]
    elements = _find_elements(graph, len(states))
    if elements is None or None in places or not _are_connected(graph, states, elements):
        return None
    for node, *collected in zip(nodes, *lists, strict=True):
        results = list_grouped_outputs(node)
        if len(results) != len(first) or any(results[index or 0] is not item for index, item in zip(places, collected, strict=True)):
            return None
    targets = [*states, *places]
    # One result may be a state and also go to lists: each slot has all of its targets.
    slots = tuple(tuple(i for i, index in enumerate(targets) if index == place) for place in range(len(first)))
    items = tuple(_choose_item_name(nodes[0], index) for index, slot in enumerate(slots) if not any(i < len(states) for i in slot))
    return CollectingLoop(slots, items, elements)


def _find_elements(graph: Graph, states: int) -> dict[int, tuple[str, ValueTuple]] | None:
    """Find the inputs after the states that differ between iterations, as elements of lists."""
    elements: dict[int, tuple[str, ValueTuple]] = {}
    every = [list_grouped_inputs(node) for node in graph.nodes]
    if len({len(inputs) for inputs in every}) != 1 or len(every[0]) < states:
        return None
    tuples = {id(items.values[0]): items for items in graph.tuples if len(items.values) == len(every)}
    for position in range(states, len(every[0])):
        column = [inputs[position] for inputs in every]
        # The same tensor in all iterations is passed as it is. In a loop of one, every input looks the same, so it may be an
        # element.
        if are_same(column, column[:1] * len(column)) and len(column) > 1:
            continue
        items = tuples.get(id(column[0]))
        if items is not None and are_same(column, list(items.values)):
            elements[position] = (_choose_element_name(graph.nodes[0], position, items), items)
        elif len(column) > 1:
            return None
    return elements


def _are_connected(graph: Graph, states: list[int], elements: dict[int, tuple[str, ValueTuple]]) -> bool:
    """Whether each iteration takes the states of the previous one, and the first takes the loop's inputs."""
    first = graph.nodes[0]
    if not is_from_outside(first, graph):
        return False
    count = len(states)
    carried = list_grouped_inputs(first)[:count]
    constant = [p for position, p in enumerate(list_grouped_inputs(first)) if position >= count and position not in elements]
    for node in graph.nodes:
        passed = list_grouped_inputs(node)
        if not are_same(passed[:count], carried) or not are_same(
            [p for position, p in enumerate(passed) if position >= count and position not in elements], constant
        ):
            return False
        if get_modules(node) != get_modules(first):
            return False
        results = list_grouped_outputs(node)
        if max(states, default=0) >= len(results):
            return False
        carried = [results[position] for position in states]
    return True


def _choose_element_name(node: Node, position: int, of: ValueTuple) -> str:
    name = node.graph.grouped_inputs[position].name if isinstance(node, CallNode) else ""
    singular = singularize(of.name)
    return name or (singular if singular != of.name and singular.isidentifier() else "item")


def _choose_item_name(node: Node, position: int) -> str:
    result = node.graph.grouped_outputs[position] if isinstance(node, CallNode) else None
    return result.name if isinstance(result, Value) and result.name else "result"
