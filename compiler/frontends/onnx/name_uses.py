"""Counts how often the names of an ONNX graph are read, and by which nodes.

    >>> from onnx import helper
    >>> uses = NameUses()
    >>> uses.add_graph(helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "g", [], [onnx.ValueInfoProto(name="y")]))
    >>> uses.count_uses("x"), uses.count_uses("y")
    (2, 2)

In: a graph, and names that nodes of functions read. Out: for each name the number of its uses; for a name with one use, the node that reads
it. An output of the graph counts twice, because its value must stay even if one node reads it too.
"""

from __future__ import annotations

from collections.abc import Iterable

import onnx


class NameUses:
    """The uses of the names of one graph, with those in its subgraphs."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._readers: dict[str, onnx.NodeProto] = {}
        """For each name, one of the nodes that read it."""

    def add_graph(self, graph: onnx.GraphProto) -> None:
        """Count the uses in a graph."""
        for node in graph.node:
            self._add_counts(node.input, 1)
            self._readers |= dict.fromkeys(node.input, node)
            for attribute in node.attribute:
                for inner in (attribute.g, *attribute.graphs):
                    self.add_graph(inner)
        self._add_counts((output.name for output in graph.output), 2)

    def add_nodes(self, nodes: Iterable[onnx.NodeProto]) -> None:
        """Count the uses in the body of a function. They count twice, because several calls may have the same names."""
        for node in nodes:
            self._add_counts(node.input, 2)

    def _add_counts(self, names: Iterable[str], count: int) -> None:
        for name in names:
            self._counts[name] = self._counts.get(name, 0) + count

    def count_uses(self, name: str) -> int:
        """Return the number of times that a name is read."""
        return self._counts.get(name, 0)

    def find_only_reader(self, name: str) -> onnx.NodeProto | None:
        """Return the only node that reads a name, or None."""
        return self._readers.get(name) if self.count_uses(name) == 1 else None
