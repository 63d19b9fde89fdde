"""Gives graphs that compute the same the same results, also where a call reads only some of them.

    x, hidden = self.first(x)     # reads both
    x, _ = self.second(x)         # reads one: dead code removal has dropped the other result

In: the main graph of a program. Out: the same graph, in which both calls have two results, so that they are written as one block. Always:
the graphs have the name of one class, and the same operators on corresponding tensors. Only literals differ.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence

from ...ir.graph import CallNode, Graph, Node
from ...ir.graph_values import Value
from ...ir.walk import collect_graphs

Place = tuple[int, Hashable]
"""Where a tensor is made: the number of its node, -1 for the inputs, and its number there. For the result of a call, this is its place in
the called graph, which is the same for calls that read other results."""


def add_unread_results(main: Graph) -> Callable[[], None] | None:
    """Add the results that other graphs of the same class and the same operators return. Return a function that removes them again, or
    None if there are none."""
    pairing = _Pairing()
    alike: dict[Hashable, list[Graph]] = {}
    for graph in collect_graphs(main):  # called graphs first
        pairing.add_graph(graph)
        if graph.kind == "block" and graph.iteration is None and graph.training_outputs is None and not graph.tails:
            alike.setdefault(pairing.signatures[id(graph)], []).append(graph)
    for graphs in alike.values():
        fullest = max((pairing.results[id(graph)] for graph in graphs), key=len)
        for graph in graphs:
            # A graph with a result that the fullest lacks is another block: the two would not be equal afterwards.
            if set(pairing.results[id(graph)]) < set(fullest):
                pairing.add_results(graph, fullest)
    return pairing.restore if pairing.changed else None


class _Pairing:
    """What the graphs so far compute. `signatures` are equal for graphs that may be one block, and `results` are the places of results."""

    def __init__(self) -> None:
        self.signatures: dict[int, Hashable] = {}
        self.results: dict[int, Sequence[Place]] = {}
        self.calls: dict[int, list[CallNode]] = {}
        self.changed: list[tuple[Graph | CallNode, Sequence[Value]]] = []
        """The graphs and calls with further results, and the results that they had."""

    def add_graph(self, graph: Graph) -> None:
        """Add a graph. The graphs that it calls were added before."""
        for node in graph.nodes:
            if isinstance(node, CallNode):
                self.calls.setdefault(id(node.graph), []).append(node)
        places = {id(value): place for place, value in self._iterate_places(graph)}
        nodes = tuple((self._make_key(node), tuple(places.get(id(value)) for value in node.inputs)) for node in graph.nodes)
        self.signatures[id(graph)] = (graph.name, graph.kind, len(graph.inputs), nodes)
        self.results[id(graph)] = [places[id(value)] for value in graph.outputs]

    def add_results(self, graph: Graph, full: Sequence[Place]) -> None:
        """Return the tensors of all these places, if all calls of the graph can take them."""
        calls = self.calls.get(id(graph), ())
        if any(call.scan is not None or call.shared is not None or call.tails for call in calls):
            return
        values = dict(self._iterate_places(graph))
        for call in calls:
            self.changed.append((call, call.outputs))
            old = dict(zip(self.results[id(graph)], call.outputs, strict=True))
            call.outputs = tuple(old[place] if place in old else Value(values[place].type, call.span) for place in full)
        self.changed.append((graph, graph.outputs))
        graph.outputs = [values[place] for place in full]
        self.results[id(graph)] = full

    def restore(self) -> None:
        """Remove the further results."""
        for changed, outputs in self.changed:
            changed.outputs = outputs  # type: ignore[assignment]

    def _iterate_places(self, graph: Graph) -> Iterable[tuple[Place, Value]]:
        for number, value in enumerate(graph.inputs):
            yield (-1, number), value
        for number, node in enumerate(graph.nodes):
            is_call = isinstance(node, CallNode) and node.scan is None and node.shared is None
            places = self.results[id(node.graph)] if isinstance(node, CallNode) and is_call else range(len(node.outputs))
            for place, value in zip(places, node.outputs, strict=True):
                yield (number, place), value

    def _make_key(self, node: Node) -> Hashable:
        # An identity equals no other node's key, so graphs with shared stages or scans are never paired.
        if node.shared is not None:
            return id(node)
        if isinstance(node, CallNode):
            return id(node) if node.scan is not None else (self.signatures[id(node.graph)], node.label)
        return (node.op.name, node.label, len(node.outputs))
