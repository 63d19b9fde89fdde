"""Writes the conversions of a model that is not of float32 into its graphs.

`write_conversions` takes the main graph of an elaborated program, whose nodes say which element types they take, and adds casts. Every
input of a node then has the type that its rule has seen. A cast is where its tensor comes from, so that it is done once: a table of float32
without a type of its own, all of whose uses need the type of the model, is made in that type.

    >>> import netc
    >>> text = "x = input 3; mask = input 3 float32; x * mask -> dense 2"
    >>> main = netc.compile(text).in_type("float16").program.main
    >>> [(node.op.name, node.inputs) for node in main.nodes]
    [('cast', (<mask: [N, 3]>,)), ('mul', (<x: float16 [N, 3]>, <value: float16 [N, 3]>)), ('dense', (<value: float16 [N, 3]>,))]
"""

from __future__ import annotations

from collections.abc import Iterable

from netc.dsl.source import Span

from ...ir.graph import CallNode, Graph, Node, OpNode
from ...ir.graph_values import Value
from ...ir.replace_values import replace_outputs, replace_values, set_inputs
from ...ir.walk import collect_graphs
from ...types.tensor_types import FLOAT32, DType
from ..model_precision import FULL, Precision
from .casts import Casts
from .moved_conversions import move_casts


def write_conversions(main: Graph, precision: Precision, untyped: Iterable[str]) -> None:
    """Adds the casts of a whole program. `untyped`: the names of the inputs that `keep_io` concerns."""
    if precision == FULL:
        return
    order = collect_graphs(main)
    casts = Casts()
    for graph in order:
        _CastWriter(graph, casts).write_casts()
    move_casts(order, precision.dtype, casts)
    if precision.keep_io:
        _keep_inputs(main, precision.dtype, set(untyped), casts)
        _keep_outputs(main, precision.dtype, casts)
    for graph in order:
        # `graphs` lists called graphs before their callers, so the sizes inside are right already.
        graph.size = sum(node.graph.size if isinstance(node, CallNode) else 1 for node in graph.nodes)


class _CastWriter:
    """Writes the casts within one graph: one for each tensor and type, before the first node that needs it."""

    def __init__(self, graph: Graph, casts: Casts) -> None:
        self.graph, self.casts = graph, casts
        self.made: dict[tuple[int, DType], Value] = {}
        self.nodes: list[Node] = []

    def write_casts(self) -> None:
        for node in self.graph.nodes:
            self._convert_inputs(node)
            self.nodes.append(node)
            if isinstance(node, CallNode) and node.scan is not None:
                # A state may start as float32 and be of the model's type after a step: a loop needs one type.
                _convert_states(node.graph, node.scan.states, self.casts)
        self.graph.nodes = self.nodes

    def _convert_inputs(self, node: Node) -> None:
        if isinstance(node, OpNode):
            # Cleared, because a node with casts before it takes its inputs as they are.
            wanted, node.rule_dtypes = node.rule_dtypes, ()
        else:
            wanted = tuple(v.type.dtype for v in node.graph.inputs)
        if any(v.type.dtype != dtype for v, dtype in zip(node.inputs, wanted, strict=False)):
            set_inputs(node, [self._cast_to(v, dtype, node.span) for v, dtype in zip(node.inputs, wanted, strict=True)])

    def _cast_to(self, value: Value, dtype: DType, span: Span) -> Value:
        if value.type.dtype == dtype:
            return value
        if (id(value), dtype) not in self.made:
            node = self.casts.make_cast(value, dtype, span, self.graph)
            self.nodes.append(node)
            self.made[id(value), dtype] = node.outputs[0]
        return self.made[id(value), dtype]


def _convert_states(step: Graph, states: int, casts: Casts) -> None:
    """Gives the states after a step the types that they have before it."""
    for index in range(states):
        after, dtype = step.outputs[index], step.inputs[index].type.dtype
        if after.type.dtype != dtype:
            node = casts.make_cast(after, dtype, after.span, step)
            step.nodes.append(node)
            step.outputs[index] = node.outputs[0]


def _keep_inputs(main: Graph, model: DType, untyped: set[str], casts: Casts) -> None:
    """Makes inputs of float32, which are converted before anything else."""
    inside: dict[int, Value] = {}
    first: list[Node] = []
    for index, value in enumerate(main.inputs):
        if value.name in untyped and value.type.dtype == model:
            outer = main.inputs[index] = Value(value.type.with_dtype(FLOAT32), value.span, value.name, value.spatial)
            outer.axes = value.axes
            node = casts.make_cast(outer, model, value.span, main)
            inside[id(value)] = node.outputs[0]
            first.append(node)
    replace_values(main, inside)
    for value_tuple in main.tuples:
        value_tuple.values = tuple(main.inputs[value_tuple.at : value_tuple.at + len(value_tuple.values)])
    main.nodes = [*first, *main.nodes]


def _keep_outputs(main: Graph, model: DType, casts: Casts) -> None:
    """Returns what is of the type of the model as float32."""
    outside: dict[int, Value] = {}
    for value in (*main.outputs, *(main.training_outputs or ())):
        if value.type.dtype == model and id(value) not in outside:
            node = casts.make_cast(value, FLOAT32, value.span, main)
            node.outputs[0].name = value.name
            main.nodes.append(node)
            outside[id(value)] = node.outputs[0]
    replace_outputs(main, outside)
