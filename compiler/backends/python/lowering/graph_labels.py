"""The labels of graphs that the passes of this package change.

Always: a pass keeps the invariants of graph.py, except that operators of this package have no parameters known to the spec.
"""

from __future__ import annotations

from ....ir.graph import CallNode, Graph


def collect_labels(graph: Graph) -> set[str]:
    """Collect the labels that new nodes must not have."""
    labels = {node.label for node in graph.nodes} | {module.label for module in (*graph.declares, *graph.modules)}
    # The stages of a scan become members of the class around it, so its labels are used there too.
    loops = (node.graph for node in graph.nodes if isinstance(node, CallNode) and node.scan is not None)
    return labels.union(*(collect_labels(loop) for loop in loops))
