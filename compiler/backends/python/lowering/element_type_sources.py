"""Finds the tensor or the parameter that a graph reads the element type of the model from.

In: a graph, and which of its tensors are fixed to float32. Out: a tensor of the model, or a parameter: `y = mask.to(x.dtype)` reads it off
`x`. Always: every use of the class has the source, and all questions about a graph together take time linear in its nodes.
"""

from __future__ import annotations

from collections.abc import Iterable

from netc.dsl.record import Record

from ....ir.graph import CallNode, Graph, Node, OpNode
from ....ir.graph_values import Value
from ....types.tensor_types import FLOAT32
from .float32_tensors import CastNeed, ElementTypes, is_float, list_float_inputs


class TypeSource(Record):
    """Has the type of the model: the tensor `like` or, without one, the `parameter` of the stage at `path`."""

    like: Value | None
    path: str = ""
    parameter: str = ""


class TypeSources:
    def __init__(self, order: Iterable[Graph]) -> None:
        """`order`: called graphs first."""
        self.parametric: dict[int, Node] = {}
        """By the id of a graph, its first node with parameters."""
        self.layers: dict[int, OpNode] = {}
        """By the id of a graph, its first own node with parameters, not counting the graphs that it calls."""
        self.taken: dict[int, set[int]] = {}
        """By the id of a graph, the ids of the inputs of its nodes with parameters."""
        for graph in order:
            nodes = [node for node in graph.nodes if self._has_parameters(node)]
            operators = [node for node in nodes if isinstance(node, OpNode)]
            self.parametric.update({id(graph): nodes[0]} if nodes else {})
            self.layers.update({id(graph): operators[0]} if operators else {})
            self.taken[id(graph)] = {id(v) for node in nodes for v in node.inputs}

    def find_source(self, graph: Graph, types: ElementTypes, need: CastNeed | None = None) -> TypeSource | None:
        """Find an input that a layer takes, else a parameter, else any input, or a tensor that `need` meets."""
        # A layer's input is the first choice: it must have the type of the layer's parameters.
        inputs = [v for v in graph.inputs if is_float(v) and id(v) not in types.fixed]
        first = next((v for v in inputs if id(v) in self.taken[id(graph)]), None)
        if first is not None:
            return TypeSource(first)
        layer = need.node if need is not None and find_parameter_name(need.node) is not None else self.layers.get(id(graph))
        if layer is not None:
            return self._find_inside(layer)
        met = [v for v in list_float_inputs(need.node) if id(v) not in types.fixed] if need is not None else []
        if inputs or met:
            return TypeSource((*inputs, *met)[0])
        called = need.node if need is not None and self._has_parameters(need.node) else self.parametric.get(id(graph))
        return None if called is None else self._find_inside(called)

    def _has_parameters(self, node: Node) -> bool:
        return id(node.graph) in self.parametric if isinstance(node, CallNode) else find_parameter_name(node) is not None

    def _find_inside(self, node: Node) -> TypeSource:
        """The first parameter of a stage."""
        path = [_get_label(node)]
        while isinstance(node, CallNode):
            node = self.parametric[id(node.graph)]
            path.append(_get_label(node))
        return TypeSource(None, ".".join(path), find_parameter_name(node) or "")


def find_parameter_name(node: Node) -> str | None:
    """The name of a parameter, or of a buffer of the state dict, that has the type of the model."""
    specs = node.specs if isinstance(node, OpNode) else ()
    return next((spec.name for spec in specs if spec.dtype == FLOAT32 and spec.persistent), None)


def _get_label(node: Node) -> str:
    return node.label if node.shared is None else node.shared.label
