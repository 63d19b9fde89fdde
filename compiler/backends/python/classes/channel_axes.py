"""Finds whether the channels of a tensor are its second axis, as in a convolution, or its last, as in a dense layer.

In: the graphs of a program. Out: for the inputs and outputs of each, where the channels are, if an operator that uses or makes them shows
it: the input of `conv` has them first. Always: linear in the number of nodes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ....ir.graph import CallNode, Graph, Node, OpNode
from ....ir.graph_values import Value
from ....ir.walk import collect_graphs
from ....ops.joining import Chunk, Concat, Split
from ....ops.shape import Permute
from ....ops.slicing import Flip, Pad, Roll, Slice

Channels = Literal["first", "last"]
KEEPING = (Concat, Split, Chunk, Slice, Pad, Roll, Flip)
"""The operators that may change sizes, but keep the order of the axes."""

MOVES: dict[tuple[int, ...], tuple[Channels, Channels]] = {
    (0, 2, 3, 1): ("first", "last"),
    (0, 3, 1, 2): ("last", "first"),
}
"""The permutations whose purpose is to move the channels."""


class ChannelAxes:
    def __init__(self, main: Graph, lifted: Iterable[Graph] = ()) -> None:
        """`lifted`: graphs that are not in the main one, of functions that are modules."""
        self._known: dict[int, Channels] = {}
        order = [*collect_graphs(main), *lifted]
        for graph in order:
            for value in graph.inputs:
                if value.spatial:
                    self._known[id(value)] = "first"
            for node in graph.nodes:
                self._mark_node(node)
            self._propagate_channels(graph)
        # Back from callers to callees: a block that shows nothing itself has the channels where its caller has them.
        for graph in reversed(order):
            self._propagate_channels(graph)
            for node in graph.nodes:
                for theirs, ours in _pair_interface(node):
                    self._copy_channels(ours, theirs)

    def get_channels(self, value: Value) -> Channels | None:
        """Return where the channels of an input or an output of a graph are."""
        return self._known.get(id(value))

    def _mark_node(self, node: Node) -> None:
        for theirs, ours in _pair_interface(node):
            self._copy_channels(theirs, ours)
        input_channels, output_channels = _find_channels(node) if isinstance(node, OpNode) else (None, None)
        if input_channels is not None and output_channels is not None:
            self._known.setdefault(id(node.inputs[0]), input_channels)
            for value in node.outputs:
                if value.type.rank == node.inputs[0].type.rank:
                    self._known.setdefault(id(value), output_channels)

    def _propagate_channels(self, graph: Graph) -> None:
        """Copy what is known to tensors with the same axes."""
        same = [pair for node in graph.nodes for pair in _pair_same_axes(node)]
        # Forwards, backwards and forwards again: what one branch shows reaches the other through a tensor before both.
        for a, b in (*same, *reversed(same), *same):
            self._copy_channels(a, b)
            self._copy_channels(b, a)

    def _copy_channels(self, source: Value, target: Value) -> None:
        if id(source) in self._known:
            self._known.setdefault(id(target), self._known[id(source)])


def _pair_interface(node: Node) -> list[tuple[Value, Value]]:
    """Pair the inputs and outputs of a called graph with the inputs and outputs of the call."""
    if isinstance(node, OpNode):
        return []
    inner = (*node.graph.inputs, *node.graph.outputs)
    return list(zip(inner, (*node.inputs, *node.outputs), strict=True))


def _find_channels(node: OpNode) -> tuple[Channels | None, Channels | None]:
    """Return where an operator's first input and its results have their channels, by its declaration: by the names of axes, or by the axis
    that its parameters match."""
    first = next(iter(node.op.operands.values()), None)
    if first is None or not node.inputs:
        return None, None
    if isinstance(node.op, Permute):
        return MOVES.get(node.op.axis_order(node.inputs[0].type), (None, None))
    if "C" in first.axes.names:
        return "first", "first"
    by_features = node.specs and first.axes.names[0] == "..." and len(first.axes.names) > 1
    return ("last", "last") if by_features else (None, None)


def _pair_same_axes(node: Node) -> list[tuple[Value, Value]]:
    """Pair the inputs and outputs of an operator that have the same axes."""
    if isinstance(node, CallNode):
        return []
    pairs = [(i, o) for i in node.inputs for o in node.outputs if i.type.rank == o.type.rank]
    if isinstance(node.op, KEEPING):
        return pairs
    # Elementwise operators keep axes only without broadcasting, which may add an axis in front.
    return [(i, o) for i, o in pairs if i.type.shape == o.type.shape] if node.op.pointwise else []
