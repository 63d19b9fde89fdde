"""The labels that are taken in a graph, so that new nodes get others.

>>> import netc
>>> sorted(collect_labels(netc.compile("input 8 -> dense 4 as fc -> relu").program.main))
['fc', 'relu1']
"""

from __future__ import annotations

from .graph import CallNode, Graph


def collect_labels(graph: Graph) -> set[str]:
    """Collect the labels that new nodes must not have."""
    labels = {node.label for node in graph.nodes} | {module.label for module in (*graph.declares, *graph.modules)}
    # The stages of a scan become members of the class around it, so its labels are used there too.
    loops = (node.graph for node in graph.nodes if isinstance(node, CallNode) and node.scan is not None)
    return labels.union(*(collect_labels(loop) for loop in loops))
