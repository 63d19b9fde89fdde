"""Finds the roles of tensors in the stages that take them: the `mask` of an attention, the `source` of a block.

In: graphs. Out: for each tensor of a graph, the name of the operand or declared input that first takes it. Always: none for the main
operand of an operator, or the only input of its stage. The work is linear in the number of nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ....ir.graph import CallNode, Graph, Node, OpNode
from ....ir.graph_values import Parts, TupleSlice, Value, ValueTuple
from ....ops.operand import Inputs
from ..identifiers import UNNAMED

MAIN = UNNAMED | {"x", "other"}
"""The names of operands that tell a reader nothing."""
RESHAPING = frozenset({"cast", "expand", "permute", "rearrange", "reshape", "transpose", "unflatten", "unsqueeze"})
"""Operators whose result has the elements of their input, in another shape or type."""


class TensorRoles:
    def __init__(self) -> None:
        self._known: dict[int, dict[int, str]] = {}

    def find_roles(self, graph: Graph) -> dict[int, str]:
        """Find the roles in one graph, by the identity of the tensor."""
        known = self._known.get(id(graph))
        if known is None:
            known = self._known[id(graph)] = {}
            # Backwards, so that the first stage that takes a tensor has the last word, and a reshaped copy hands its role on to its
            # source.
            for node in reversed(graph.nodes):
                self._record_inputs(node, known)
        return known

    def _record_inputs(self, node: Node, roles: dict[int, str]) -> None:
        inputs = node.grouped_inputs if isinstance(node, CallNode) else list(node.inputs)
        if len(inputs) > 1:
            named = zip(self._list_input_names(node), map(_get_tensor_or_tuple, inputs), strict=True)
            roles.update((id(tensor), name) for name, tensor in reversed(list(named)) if name not in MAIN)
        elif isinstance(node, OpNode) and node.op.name in RESHAPING and id(node.outputs[0]) in roles:
            roles[id(node.inputs[0])] = roles[id(node.outputs[0])]

    def _list_input_names(self, node: Node) -> Iterator[str]:
        """Iterate over the stage's names for its inputs."""
        if isinstance(node, OpNode):
            names = node.op.assign_operands(tuple(v.type for v in node.inputs))
            yield from ("" if isinstance(node.op.operands[name], Inputs) else name for name in names)
            return
        inside = self.find_roles(node.graph)
        for value in node.graph.grouped_inputs:
            yield inside.get(id(value), "") if value.borrowed else value.name


def _get_tensor_or_tuple(item: Value | Parts) -> Value | ValueTuple | None:
    """Return the tensor or tuple of the body that is passed as one. None for anything else."""
    match item:
        case Value():
            return item
        case (TupleSlice(of, 0, 0),):
            return of
    return None


def choose_tensor_name(value: Value | ValueTuple, roles: Mapping[int, str]) -> str:
    """Return the name of a tensor or tuple: the body's own. For an input that the body does not name, its role, or else its name
    outside."""
    if value.borrowed and value.name != "in":
        return roles.get(id(value), "") or value.name
    return value.name
