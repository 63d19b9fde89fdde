"""Makes the casts that a model of another element type than float32 needs, as nodes.

`make_cast` takes a tensor of a graph and a type, and returns a node that converts it; `is_cast` recognizes these nodes. The label of a cast
is like the label of an unlabeled stage, and no other node of the graph, or of the loops in it, has it.

    >>> import netc
    >>> main = netc.compile("input 3 -> dense 2").in_type("float16", keep_io=True).program.main
    >>> [(node.label, node.op.name) for node in main.nodes]
    [('cast1', 'cast'), ('dense1', 'dense'), ('cast2', 'cast')]
"""

from __future__ import annotations

from itertools import count

from netc.dsl.source import Span

from ...ir.graph import Graph, Node, OpNode
from ...ir.graph_labels import collect_labels
from ...ir.graph_values import Value
from ...ops.shape import Cast
from ...types.tensor_types import DType


class Casts:
    """Makes the casts of one program."""

    def __init__(self) -> None:
        self._taken: dict[int, set[str]] = {}
        self._made: set[int] = set()

    def make_cast(self, value: Value, dtype: DType, span: Span, graph: Graph) -> OpNode:
        result = Value(value.type.with_dtype(dtype), span, spatial=value.spatial)
        node = OpNode(Cast(dtype=dtype), (value,), (result,), self._allocate_label(graph), span, ())
        self._made.add(id(node))
        return node

    def is_cast(self, node: Node) -> bool:
        """Whether it was made here."""
        return id(node) in self._made

    def _allocate_label(self, graph: Graph) -> str:
        home = graph
        # The stages of a scan are labeled in the body around it.
        while home.kind == "scan" and home.around is not None:
            home = home.around
        used = self._taken.get(id(home))
        if used is None:
            used = self._taken[id(home)] = {label.partition(".")[0] for label in collect_labels(home)}
        label = next(text for number in count(1) if (text := f"{Cast.name}{number}") not in used)
        used.add(label)
        return label
