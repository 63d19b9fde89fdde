"""Passes parameters as tensors to operators that would need the label `_` next to other stages.

The label `_` gives a stage no level of names of its own: `dense 8 as _`. It is allowed only for the single stage of a block. So an RMSNorm
written by hand in a module that also has a gate becomes `weight = param [8] as weight` and `rms_norm weight=weight`.

In: the main graph of a program. Out: the same graph, in which such an operator gets its parameters as tensors. Always: keys stay.
"""

from __future__ import annotations

from ...dims import Facts
from ...ir.graph import Graph, Node, OpNode
from ...ir.graph_values import Value
from ...ir.walk import collect_graphs
from ...ops.constants import ParamOperator
from ...ops.operand import NAMED
from ...ops.operator import ParameterSpec
from ...ops.parametric import Parametric
from ...types.tensor_types import TensorType


def turn_weights_into_params(main: Graph) -> None:
    """Declare the weights of such operators as parameters of their graphs."""
    for graph in collect_graphs(main):
        # The only stage of a block may have the label `_`.
        if graph.kind != "block" or len(graph.nodes) > 1:
            graph.nodes = [part for node in graph.nodes for part in _extract_parameters(node)]


def _extract_parameters(node: Node) -> list[Node]:
    if not isinstance(node, OpNode) or node.label or node.shared is not None or node.tie is not None or not node.specs:
        return [node]
    op = node.op
    names = [spec.name for spec in node.specs]
    # An operator that changes its parameters, such as batch norm, cannot take them as inputs.
    if not isinstance(op, Parametric) or not set(names) <= set(op.as_tensors):
        return [node]
    parameters = [_make_parameter(spec, node) for spec in node.specs]
    op_with_inputs = type(op)(**{**op.args, NAMED: (*op.args.get(NAMED, ()), *names)})
    inputs = (*node.inputs, *(parameter.outputs[0] for parameter in parameters))
    return [*parameters, OpNode(op_with_inputs, inputs, node.outputs, "", node.span, ())]


def _make_parameter(spec: ParameterSpec, node: OpNode) -> OpNode:
    op = ParamOperator(shape=spec.shape, dtype=spec.dtype, init=spec.init, trainable=spec.trainable)
    value = Value(TensorType(spec.dtype, spec.shape), node.span)
    return OpNode(op, (), (value,), spec.name, node.span, op.parameters(op.bind_inputs((), Facts())), frozen=node.frozen)
