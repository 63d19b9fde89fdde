"""Sort the bodies of a program into levels, in the order in which they are written.

In: graphs, called ones before their callers. Out: the same graphs in levels. Always: a graph calls only graphs of lower levels. Graphs that
may become one block are in one level, unless a block contains itself. So a writer that has finished a level knows all blocks that the next
level calls.

    >>> import netc
    >>> from ..ir.walk import collect_graphs
    >>> text = "block a { exp -> relu }; block b { a -> a }; block c { relu -> relu }; input 3 -> b -> c"
    >>> graphs = collect_graphs(netc.compile(text).program.main)
    >>> [[graph.name for graph in level] for level in sort_into_levels(graphs, lambda graph: graph.name)]
    [['a', 'c'], ['b'], ['net']]
"""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Mapping, Sequence

from ..ir.graph import CallNode, Graph

ALIGNMENTS = 20
"""The number of attempts to bring graphs that may be one block to the same height. A block that contains itself never gets there."""
Together = Callable[[Graph], Hashable]
"""Returns a key that is equal for graphs that may be one block."""


def sort_into_levels(order: Sequence[Graph], together: Together, recursive: Container[object] = ()) -> list[list[Graph]]:
    """Sort graphs into levels, the lowest first. `recursive`: blocks whose calls of themselves make no level."""
    least: dict[Hashable, int] = {}
    # Raising one graph of a block raises its callers, which may be graphs of another block, so this is repeated until nothing
    # moves.
    for _ in range(ALIGNMENTS):
        heights = _compute_heights(order, least, together, recursive)
        highest: dict[Hashable, int] = {}
        for graph in order:
            key = together(graph)
            highest[key] = max(highest.get(key, 0), heights[id(graph)])
        if highest == least:
            break
        least = highest
    else:
        # A block is within itself, so its uses never come to one height: only calls decide.
        heights = _compute_heights(order, {}, together, recursive)
    levels: list[list[Graph]] = [[] for _ in range(1 + max(heights.values()))]
    for graph in order:
        levels[heights[id(graph)]].append(graph)
    return levels


def _compute_heights(
    order: Sequence[Graph], least: Mapping[Hashable, int], together: Together, recursive: Container[object]
) -> dict[int, int]:
    heights: dict[int, int] = {}
    for graph in order:
        key = together(graph)
        called = {id(n.graph) for n in graph.nodes if isinstance(n, CallNode) and not (key in recursive and together(n.graph) == key)}
        heights[id(graph)] = max((*(heights[callee] + 1 for callee in called), least.get(key, 0)), default=0)
    return heights
