"""The casts that a model of another element type than float32 needs, as nodes.

In: a tensor of a graph and a type. Out: a node that converts it, and whether a node is one of these. Always: its label is like that of a
stage without one, and no other node of the graph, or of the loops in it, has it.
"""

from __future__ import annotations

from itertools import count

from netc.dsl.source import Span

from ...ir.graph import CallNode, Graph, Node, OpNode
from ...ir.graph_values import Value
from ...ops.shape import Cast
from ...types.tensor_types import DType


class Casts:
    """Makes those of one program."""

    def __init__(self) -> None:
        self._taken: dict[int, set[str]] = {}
        self._made: set[int] = set()

    def make(self, value: Value, dtype: DType, span: Span, graph: Graph) -> OpNode:
        made = Value(value.type.with_dtype(dtype), span, spatial=value.spatial)
        node = OpNode(Cast(dtype=dtype), (value,), (made,), self._label(graph), span, ())
        self._made.add(id(node))
        return node

    def has(self, node: Node) -> bool:
        """Whether it was made here."""
        return id(node) in self._made

    def _label(self, graph: Graph) -> str:
        home = graph
        while home.kind == "scan" and home.around is not None:
            home = home.around
        taken = self._taken.get(id(home))
        if taken is None:
            taken = self._taken[id(home)] = _labels(home)
        label = next(text for number in count(1) if (text := f"{Cast.name}{number}") not in taken)
        taken.add(label)
        return label


def _labels(graph: Graph) -> set[str]:
    """Those of a graph and of the loops in it, of which each is the first level."""
    own = {node.label.partition(".")[0] for node in graph.nodes} | {m.label for m in (*graph.declares, *graph.modules)}
    loops = (node.graph for node in graph.nodes if isinstance(node, CallNode) and node.scan is not None)
    return own.union(*(_labels(loop) for loop in loops))
