"""Shared stages: where they are used, and which graphs are therefore the same module.

In: the main graph. Out: the uses of each shared stage, over all calls that pass it on; and for every graph a representative of those that
share its parameters because they are one shared stage used on several types of tensors.
"""

from __future__ import annotations

from ....ir.graph import CallNode, Graph, Node, SharedModule, graphs


class Sharing:
    def __init__(self, order: list[Graph]) -> None:
        """`order`: all graphs, called ones before their callers."""
        self._uses: dict[tuple[int, int], list[Node]] = {}
        self._parent: dict[int, int] = {}
        declaring = [g for g in order if g.declares]
        for graph in declaring:
            for module in graph.declares:
                self._join(self.uses(graph, module))

    def uses(self, graph: Graph, module: SharedModule) -> list[Node]:
        """The nodes that are a use of `module`, in `graph` and in the graphs that it is passed to; one for each graph that is used."""
        key = (id(graph), id(module))
        if key not in self._uses:
            found: dict[int, Node] = {}
            seen: set[tuple[int, int]] = set()
            stack = [(graph, module)]
            while stack:
                current, sought = stack.pop()
                if (id(current), id(sought)) in seen:
                    continue
                seen.add((id(current), id(sought)))
                for node in current.nodes:
                    if node.shared is sought:
                        found.setdefault(id(node.graph) if isinstance(node, CallNode) else id(node), node)
                    if isinstance(node, CallNode):
                        given = zip(node.graph.modules, node.modules, strict=True)
                        stack.extend((node.graph, inner) for inner, outer in given if outer is sought)
            self._uses[key] = list(found.values())
        return self._uses[key]

    def _join(self, uses: list[Node]) -> None:
        """Unites the graphs of one shared stage and, stage by stage, the graphs that they call."""
        called = [n.graph for n in uses if isinstance(n, CallNode)]
        pairs = [(called[0], other) for other in called[1:]]
        while pairs:
            one, other = pairs.pop()
            a, b = self.representative(one), self.representative(other)
            if a == b:
                continue
            self._parent[b] = a
            below = {n.label: n.graph for n in other.nodes if isinstance(n, CallNode)}
            pairs += [(n.graph, below[n.label]) for n in one.nodes if isinstance(n, CallNode) and n.label in below]

    def united(self, graphs: list[Graph]) -> list[list[Graph]]:
        """Those of the graphs that are one module, where that is more than one graph."""
        if not self._parent:
            return []
        groups: dict[int, list[Graph]] = {}
        for graph in graphs:
            groups.setdefault(self.representative(graph), []).append(graph)
        return [g for g in groups.values() if len(g) > 1]

    def representative(self, graph: Graph) -> int:
        """Equal for graphs whose parameters are the same."""
        at = id(graph)
        while at in self._parent:
            at = self._parent[at]
        return at


def levels(main: Graph) -> tuple[list[Graph], list[list[Graph]]]:
    """All graphs, called ones first; and the same by height: what a graph calls is lower than itself."""
    order = graphs(main)
    heights: dict[int, int] = {}
    layers: list[list[Graph]] = []
    for graph in order:
        called = {id(n.graph) for n in graph.nodes if isinstance(n, CallNode)}
        height = max((heights[c] + 1 for c in called), default=0)
        heights[id(graph)] = height
        if height == len(layers):
            layers.append([])
        layers[height].append(graph)
    return order, layers
