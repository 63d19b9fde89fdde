"""Moves casts to the type of the model to where their tensors come from.

`move_casts` takes the graphs of a program, called ones before their callers. Afterwards a cast is done once, and as early as nothing is
lost by it: not in each of many layers that take the same mask, but in the model that makes it. A tensor that something takes as it is, or
that is returned, keeps its type; so does a number that anything is computed with before.

    >>> import netc
    >>> layer = "block layer(x: [N, D], m: [N, D]) { x * m -> dense D }"
    >>> text = f"{layer}; x = input 8; k = input 8 int64; m = k * 0.5; h = (x, m) -> layer; (h, m) -> layer"
    >>> [node.label for node in netc.compile(text).in_type("float16").program.main.nodes]  # one cast of `m` for both layers
    ['mul1', 'cast1', 'layer1', 'layer2']
"""

from __future__ import annotations

from collections.abc import Sequence

from ...dims import Facts
from ...ir.graph import CallNode, Graph, Node, OpNode
from ...ir.graph_values import Value
from ...ir.replace_values import replace_values, set_inputs
from ...ops.constants import TableOperator
from ...ops.indexing import OneHot
from ...ops.operator import Operator
from ...ops.rearrange import Rearrange
from ...ops.shape import Cast, Expand, Flatten, Permute, Reshape, Squeeze, Transpose, Unflatten, Unsqueeze
from ...types.tensor_types import BOOL, DType
from .casts import Casts

_MOVES = (Expand, Flatten, Permute, Rearrange, Reshape, Squeeze, Transpose, Unflatten, Unsqueeze)
"""Operators on one tensor that only move its elements."""

Calls = Sequence[tuple[Graph, CallNode]]
"""The calls of a graph, each with the graph that it is in."""


def move_casts(order: Sequence[Graph], model: DType, casts: Casts) -> None:
    """Moves the casts of all graphs."""
    calls: dict[int, list[tuple[Graph, CallNode]]] = {}
    for graph in order:
        for node in graph.nodes:
            if isinstance(node, CallNode):
                calls.setdefault(id(node.graph), []).append((graph, node))
    for graph in order:
        if any(casts.is_cast(node) for node in graph.nodes):
            _CastMover(graph, model, casts).move_casts(calls.get(id(graph), []))


class _CastMover:
    """Moves the casts of one graph."""

    def __init__(self, graph: Graph, model: DType, casts: Casts) -> None:
        self.graph, self.model, self.casts = graph, model, casts
        self.users: dict[int, list[Node]] = {}
        for node in graph.nodes:
            for v in node.inputs:
                self.users.setdefault(id(v), []).append(node)
        self.returned = {id(v) for v in (*graph.outputs, *(graph.training_outputs or ()))}
        self.before: dict[int, OpNode] = {}
        """By the ids of nodes, the casts that have been moved before them."""
        self.redundant: dict[int, Value] = {}
        """By the ids of the results of casts that convert nothing any more, the tensors that they are."""

    def move_casts(self, calls: Calls) -> None:
        # From the results back, so that a cast that was moved before a reshape moves on past the stage before it.
        for node in reversed(self.graph.nodes):
            if isinstance(node, OpNode) and len(node.outputs) == 1 and self._is_only_cast(node.outputs[0]):
                self._convert_result(node)
        for index, value in enumerate(self.graph.inputs):
            if self._is_only_cast(value) and _may_convert(self.graph, index, value, calls):
                self._set_model_type(value)
                _convert_input(self.graph, index, self.model, calls, self.casts)
        self._rebuild_graph()

    def _is_only_cast(self, value: Value) -> bool:
        """Whether all that is done with a tensor is to convert it to the type of the model."""
        takers = self.users.get(id(value), [])
        return value.weak and bool(takers) and id(value) not in self.returned and all(self._is_cast_to_model(node) for node in takers)

    def _is_cast_to_model(self, node: Node) -> bool:
        return self.casts.is_cast(node) and node.outputs[0].type.dtype == self.model

    def _convert_result(self, node: OpNode) -> None:
        """Makes the result of a node in the type of the model."""
        operator = _operator_in_type(node.op, node.inputs, self.model)
        if operator is not None:
            node.op = operator
            node.specs = operator.parameters(operator.bind_inputs((), Facts.empty())) if node.specs else ()
        elif isinstance(node.op, _MOVES) and len(node.inputs) == 1:
            (value,) = node.inputs
            before = self.before[id(node)] = self.casts.make_cast(value, self.model, node.span, self.graph)
            self.users[id(value)] = [before if n is node else n for n in self.users[id(value)]]
            set_inputs(node, before.outputs)
        else:
            return
        self._set_model_type(node.outputs[0])

    def _set_model_type(self, value: Value) -> None:
        """Gives a tensor the type of the model, which makes its casts idle."""
        value.type, value.weak = value.type.with_dtype(self.model), False
        self.redundant.update((id(node.outputs[0]), value) for node in self.users[id(value)])

    def _rebuild_graph(self) -> None:
        nodes: list[Node] = []
        for node in self.graph.nodes:
            nodes += [n for n in (self.before.get(id(node)), node) if n is not None and id(n.outputs[0]) not in self.redundant]
        self.graph.nodes = nodes
        replace_values(self.graph, self.redundant)


def _may_convert(graph: Graph, index: int, value: Value, calls: Calls) -> bool:
    """Whether an input may have another type: it is none of the model, no state, and no part of a tuple."""
    if not calls or any(value is v for value_tuple in graph.tuples for v in value_tuple.values):
        return False
    # A state has the type of what a step returns, which this graph alone does not decide.
    return all(call.scan is None or index >= call.scan.states for _, call in calls)


def _convert_input(graph: Graph, index: int, model: DType, calls: Calls, casts: Casts) -> None:
    """Casts what the calls of a graph pass: once for each tensor."""
    for caller in {id(caller): caller for caller, _ in calls}.values():
        cast_results = {id(n.inputs[0]): n.outputs[0] for n in caller.nodes if casts.is_cast(n) and n.outputs[0].type.dtype == model}
        known: set[int] = set()
        nodes: list[Node] = []
        for node in caller.nodes:
            if casts.is_cast(node):
                known.add(id(node.outputs[0]))
            if isinstance(node, CallNode) and node.graph is graph and node.inputs[index].type.dtype != model:
                value = node.inputs[index]
                if id(value) not in cast_results or id(cast_results[id(value)]) not in known:
                    first = casts.make_cast(value, model, node.span, caller)
                    nodes.append(first)
                    cast_results[id(value)] = first.outputs[0]
                    known.add(id(first.outputs[0]))
                set_inputs(node, [*node.inputs[:index], cast_results[id(value)], *node.inputs[index + 1 :]])
            nodes.append(node)
        caller.nodes = nodes


def _operator_in_type(op: Operator, inputs: Sequence[Value], model: DType) -> Operator | None:
    """The operator that makes the same in the type of the model. Booleans and ones are exact in every type."""
    match op:
        # A table with a type of its own keeps it: the author asked for that precision.
        case TableOperator(dtype=None) | OneHot():
            return type(op)(**{**op.args, "dtype": model})
        case Cast() if inputs[0].type.dtype == BOOL:
            return Cast(dtype=model)
    return None
