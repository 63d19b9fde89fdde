"""The labels of graphs that the passes of this package change.

Always: a pass keeps what graph.py promises, except that operators of this package have no parameters that the spec knows of.
"""

from __future__ import annotations

from ....ir.graph import CallNode, Graph


def collect_labels(graph: Graph) -> set[str]:
    """The labels that new nodes must not have."""
    own = {node.label for node in graph.nodes} | {module.label for module in (*graph.declares, *graph.modules)}
    loops = (node.graph for node in graph.nodes if isinstance(node, CallNode) and node.scan is not None)
    return own.union(*(collect_labels(loop) for loop in loops))
