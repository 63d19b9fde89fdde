"""Casts to the type of the model moved to where their tensors come from.

In: the graphs of a program, called ones before their callers. Out: the same graphs, in which a cast is done once and as early as nothing is
lost by it: not in each of many layers that take the same mask, but in the model that makes it. Always: a tensor that something takes as it
is, or that is returned, keeps its type; so does a number that anything is computed with before.
"""

from __future__ import annotations

from collections.abc import Sequence

from netc.dsl.source import Span

from ...dims import Facts
from ...ir.graph import CallNode, Graph, Node, OpNode, Value
from ...ir.replacing import set_inputs, substitute
from ...ir.types import BOOL, DType
from ...ops.base import Operator
from ...ops.constants import TableOperator
from ...ops.indexing import OneHot
from ...ops.rearrange import Rearrange
from ...ops.shape import Cast, Expand, Flatten, Permute, Reshape, Squeeze, Transpose, Unflatten, Unsqueeze

_MOVES = (Expand, Flatten, Permute, Rearrange, Reshape, Squeeze, Transpose, Unflatten, Unsqueeze)
"""Operators on one tensor that only move its elements."""


def cast(value: Value, dtype: DType, span: Span) -> OpNode:
    """The conversion of a tensor."""
    made = Value(value.type.with_dtype(dtype), span, spatial=value.spatial)
    return OpNode(Cast(dtype=dtype), (value,), (made,), "", span, ())


def move_conversions(order: Sequence[Graph], model: DType) -> None:
    """Moves the casts of all graphs."""
    calls: dict[int, list[tuple[Graph, CallNode]]] = {}
    for graph in order:
        for node in graph.nodes:
            if isinstance(node, CallNode):
                calls.setdefault(id(node.graph), []).append((graph, node))
    for graph in order:
        _Mover(graph, model).move(calls.get(id(graph), []))


class _Mover:
    """Those of one graph."""

    def __init__(self, graph: Graph, model: DType) -> None:
        self.graph, self.model = graph, model
        self.takers: dict[int, list[Node]] = {}
        for node in graph.nodes:
            for v in node.inputs:
                self.takers.setdefault(id(v), []).append(node)
        self.returned = {id(v) for v in (*graph.outputs, *(graph.training_outputs or ()))}

    def move(self, calls: Sequence[tuple[Graph, CallNode]]) -> None:
        for node in reversed(list(self.graph.nodes)):
            if isinstance(node, OpNode) and len(node.outputs) == 1 and self._is_only_cast(node.outputs[0]):
                self._convert(node)
        for index, value in enumerate(self.graph.inputs):
            if self._is_only_cast(value) and _may_convert(self.graph, index, value, calls):
                self._retype(value)
                for caller, call in calls:
                    self._convert_input(caller, call, index)

    def _is_only_cast(self, value: Value) -> bool:
        """Whether all that is done with a tensor is to convert it to the type of the model."""
        takers = self.takers.get(id(value), [])
        return bool(takers) and id(value) not in self.returned and value.weak and all(self._converts(node) for node in takers)

    def _converts(self, node: Node) -> bool:
        return isinstance(node, OpNode) and not node.label and isinstance(node.op, Cast) and node.op.dtype == self.model

    def _convert(self, node: OpNode) -> None:
        """Makes the result of a node in the type of the model."""
        made = _made_in(node.op, node.inputs, self.model)
        if made is not None:
            node.op = made
            node.specs = made.parameters(made.bind(tuple([v.type for v in node.inputs]), Facts.nothing())) if node.specs else ()
        elif isinstance(node.op, _MOVES) and len(node.inputs) == 1:
            before = cast(node.inputs[0], self.model, node.span)
            self.graph.nodes.insert(next(i for i, n in enumerate(self.graph.nodes) if n is node), before)
            self.takers[id(node.inputs[0])] = [before if n is node else n for n in self.takers[id(node.inputs[0])]]
            self.takers[id(before.outputs[0])] = [node]
            set_inputs(node, before.outputs)
        else:
            return
        self._retype(node.outputs[0])

    def _retype(self, value: Value) -> None:
        """Gives a tensor the type of the model, which makes its casts idle."""
        idle = self.takers[id(value)]
        value.type, value.weak = value.type.with_dtype(self.model), False
        ids = {id(node) for node in idle}
        self.graph.nodes = [node for node in self.graph.nodes if id(node) not in ids]
        substitute(self.graph, {id(node.outputs[0]): value for node in idle})
        self.takers[id(value)] = [taker for node in idle for taker in self.takers.get(id(node.outputs[0]), [])]
        if any(id(node.outputs[0]) in self.returned for node in idle):
            self.returned.add(id(value))

    def _convert_input(self, caller: Graph, call: CallNode, index: int) -> None:
        """The cast of what a call passes, before the call: one for each tensor of the caller."""
        value = call.inputs[index]
        if value.type.dtype == self.model:
            return
        at = next(i for i, node in enumerate(caller.nodes) if node is call)
        earlier = (n for n in caller.nodes[:at] if self._converts(n) and n.inputs[0] is value)
        node = next(earlier, None)
        if node is None:
            node = cast(value, self.model, call.span)
            caller.nodes.insert(at, node)
        set_inputs(call, [*call.inputs[:index], node.outputs[0], *call.inputs[index + 1 :]])


def _may_convert(graph: Graph, index: int, value: Value, calls: Sequence[tuple[Graph, CallNode]]) -> bool:
    """Whether an input may have another type: it is none of the model, no state, and no part of a tuple."""
    if not calls or any(value is v for one in graph.tuples for v in one.values):
        return False
    return all(call.scan is None or index >= call.scan.states for _, call in calls)


def _made_in(op: Operator, inputs: Sequence[Value], model: DType) -> Operator | None:
    """The operator that makes the same in the type of the model. Booleans and ones are exact in every type."""
    match op:
        case TableOperator(dtype=None) | OneHot():
            return type(op)(**{**op.args, "dtype": model})
        case Cast() if inputs[0].type.dtype == BOOL:
            return Cast(dtype=model)
    return None
