"""Counts attentions with a mask, for the note that netc's `attention` differs from a softmax where a mask hides all keys.

In: a graph, before and after patterns are replaced. Out: the number of attentions with a mask. If it has grown, the import has the note.
"""

from __future__ import annotations

from ..ir.graph import Graph, has_operator
from ..ir.walk import collect_graphs
from ..ops.attention import Attention

HIDDEN_ROW_NOTE = "Where a mask of -inf leaves a query no key, `attention` gives 0, and the softmax of the original gives NaN."


def count_masked_attentions(main: Graph) -> int:
    """Count the attentions with a mask, in all graphs."""
    nodes = [node for graph in collect_graphs(main) for node in graph.nodes]
    return sum(has_operator(node, Attention) and len(node.inputs) > 3 for node in nodes)
