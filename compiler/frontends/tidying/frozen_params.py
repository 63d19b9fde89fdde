"""Declares frozen parameters that no layer owns as buffers, since training would change a `param` that can be trained.

In: a graph after all patterns, some of which take a frozen weight for the parameter of a frozen layer. Out: the same graph, in which such a
`param` has `trainable=false`. Always: keys stay.
"""

from __future__ import annotations

from ...dims import Facts
from ...ir.graph import Graph, OpNode
from ...ir.walk import collect_graphs
from ...ops.constants import ParamOperator


def declare_frozen_params(main: Graph) -> None:
    """Change the operators of frozen parameters, in place."""
    for graph in collect_graphs(main):
        for node in graph.nodes:
            if isinstance(node, OpNode) and isinstance(node.op, ParamOperator) and node.frozen:
                node.op = ParamOperator(**{**node.op.args, "trainable": False})
                node.specs = node.op.parameters(node.op.bind_inputs((), Facts()))
                node.frozen = False
