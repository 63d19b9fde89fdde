"""Finds the operator that a tensor comes from, across the calls of graphs.

The mask in an attention block is an input there. Its origin is the table in the main graph, past `unsqueeze` and `expand` on the way.

In: the main graph of a program. Out: the operator that made a tensor, past operators that only arrange or convert it. Always: an input of a
graph with several calls has an origin only if it is the same in all of them.
"""

from __future__ import annotations

from ...ir.graph import CallNode, Graph, Node, OpNode
from ...ir.graph_values import Value
from ...ir.walk import collect_graphs
from ...ops.arithmetic import Mul
from ...ops.shape import Cast, Expand, Unsqueeze

_DEEPEST = 200


class TensorOrigins:
    """The origins of the tensors of a program."""

    def __init__(self, main: Graph) -> None:
        self._makers: dict[int, Node] = {}
        self._places: dict[int, tuple[Graph, int]] = {}
        self._calls: dict[int, list[CallNode]] = {}
        for graph in collect_graphs(main):
            self._places.update((id(value), (graph, index)) for index, value in enumerate(graph.inputs))
            for node in graph.nodes:
                self._makers.update((id(value), node) for value in node.outputs)
                if isinstance(node, CallNode):
                    self._calls.setdefault(id(node.graph), []).append(node)

    def find_origin(self, value: Value, depth: int = 0) -> OpNode | None:
        """Return the operator that computed the elements of a tensor, or None if there is no single one."""
        node = self._makers.get(id(value))
        if depth > _DEEPEST:
            return None
        if isinstance(node, CallNode):
            index = next(k for k, output in enumerate(node.outputs) if output is value)
            return None if node.scan is not None else self.find_origin(node.graph.outputs[index], depth + 1)
        if node is not None:
            return self.find_origin(node.inputs[0], depth + 1) if _only_rearranges(node) else node
        if id(value) not in self._places:
            return None
        graph, index = self._places[id(value)]
        calls = self._calls.get(id(graph), [])
        origins = {
            id(origin): origin for call in calls if call.scan is None for origin in (self.find_origin(call.inputs[index], depth + 1),)
        }
        return next(iter(origins.values())) if len(origins) == 1 and all(call.scan is None for call in calls) else None


def _only_rearranges(node: OpNode) -> bool:
    """Return whether the operator changes nothing but shape and type."""
    if isinstance(node.op, Mul):
        # Rotary embedding in transformers multiplies cosines by `attention_scaling`, which is 1 in most models.
        return len(node.inputs) == 1 and node.op.scalars == (1.0,)
    return isinstance(node.op, (Cast, Expand, Unsqueeze))
