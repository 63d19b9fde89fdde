"""Finds the uses of shared stages, and the graphs that are one module because of them.

In: the main graph. Out: the uses of each shared stage, over all calls that pass it on, and for every graph a representative of the graphs
that share its parameters, because they are one shared stage used on several types of tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....ir.graph import CallNode, Graph, Node, SharedModule
from ....types.traced_ints import substitute_values

Use = tuple[Node, Mapping[str, Any]]
"""A node that uses a shared stage, and the symbols of its graph in terms of the graph that declares the stage."""


class Sharing:
    def __init__(self, order: list[Graph]) -> None:
        """`order`: all graphs, called ones before their callers."""
        self._uses: dict[tuple[int, int], list[Use]] = {}
        self._parent: dict[int, int] = {}
        declaring = [g for g in order if g.declares]
        for graph in declaring:
            for module in graph.declares:
                self._unite_graphs([node for node, _ in self.find_uses(graph, module)])

    def find_uses(self, graph: Graph, module: SharedModule) -> list[Use]:
        """Find the nodes that use `module`, in `graph` and in the graphs that it is passed to: one node for each graph that is used."""
        key = (id(graph), id(module))
        if key not in self._uses:
            uses: dict[int, Use] = {}
            seen: set[tuple[int, int]] = set()
            stack: list[tuple[Graph, SharedModule, Mapping[str, Any]]] = [(graph, module, {})]
            while stack:
                current, sought, places = stack.pop()
                if (id(current), id(sought)) in seen:
                    continue
                seen.add((id(current), id(sought)))
                for node in current.nodes:
                    if node.shared is sought:
                        uses.setdefault(id(node.graph) if isinstance(node, CallNode) else id(node), (node, places))
                    if isinstance(node, CallNode):
                        passed = zip(node.graph.modules, node.modules, strict=True)
                        inside = {name: substitute_values(value, places) for name, value in node.arguments.items()}
                        stack.extend((node.graph, inner, inside) for inner, outer in passed if outer is sought)
            self._uses[key] = list(uses.values())
        return self._uses[key]

    def _unite_graphs(self, uses: list[Node]) -> None:
        """Unite the graphs of one shared stage and, stage by stage, the graphs that they call (a union-find structure)."""
        called = [n.graph for n in uses if isinstance(n, CallNode)]
        pairs = [(called[0], other) for other in called[1:]]
        while pairs:
            graph, other = pairs.pop()
            a, b = self.find_representative(graph), self.find_representative(other)
            if a == b:
                continue
            self._parent[b] = a
            below = {n.label: n.graph for n in other.nodes if isinstance(n, CallNode)}
            pairs += [(n.graph, below[n.label]) for n in graph.nodes if isinstance(n, CallNode) and n.label in below]

    def group_graphs_of_one_module(self, graphs: list[Graph]) -> list[list[Graph]]:
        """Group the graphs that are one module. Groups of one graph are left out."""
        if not self._parent:
            return []
        groups: dict[int, list[Graph]] = {}
        for graph in graphs:
            groups.setdefault(self.find_representative(graph), []).append(graph)
        return [g for g in groups.values() if len(g) > 1]

    def find_representative(self, graph: Graph) -> int:
        """Return a number that is equal for graphs with the same parameters."""
        key = id(graph)
        while key in self._parent:
            key = self._parent[key]
        return key


def get_source_key(graph: Graph) -> object:
    """Return a key that is equal for graphs of the same piece of text."""
    span = graph.span
    return (graph.name, graph.kind, id(span.file), span.start, span.end)
