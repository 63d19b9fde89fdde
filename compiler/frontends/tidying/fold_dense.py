"""Folds dense layers that are written out: `x @ weight.T + bias` becomes `dense`.

In: a view of a graph, and one of its nodes. Out: nothing. The node becomes a `dense` if the pattern matches. Always: the keys stay: the
parameters are called `weight` and `bias`, and nothing else uses them.
"""

from __future__ import annotations

from ...ir.graph import Node, OpNode, has_operator
from ...ir.graph_values import Value
from ...ops.arithmetic import Add
from ...ops.constants import ParamOperator
from ...ops.dense import Dense
from ...ops.linear_algebra import Matmul
from ...ops.shape import Transpose
from ..graph_view import GraphView, iterate_orders

_PATTERN_OPERATORS = (Matmul, Add, Transpose)


def fold_dense(view: GraphView, node: Node) -> None:
    """Fold a matrix product, or the sum of one with a bias, into a `dense`."""
    if not isinstance(node, OpNode) or len(node.inputs) != 2:
        return
    if isinstance(node.op, Matmul):
        weight = _find_weight(view, node)
        if weight is not None and not _find_siblings(view, weight):
            _replace_by_dense(view, node, node.inputs[0], weight, None)
    if isinstance(node.op, Add):
        for total, added in iterate_orders(node.inputs):
            product, bias = view.match_maker(total, Matmul), view.match_maker(added, ParamOperator)
            weight = _find_weight(view, product) if product is not None and view.count_uses(total) == 1 else None
            if product is not None and weight is not None and bias is not None and _find_siblings(view, weight) == [bias]:
                _replace_by_dense(view, node, product.inputs[0], weight, bias)
                return


def _find_weight(view: GraphView, product: OpNode) -> OpNode | None:
    """Return the parameter `weight` whose transpose is the second factor, if nothing else uses it."""
    swapped = view.match_maker(product.inputs[1], Transpose) if len(product.inputs) == 2 else None
    weight = view.match_maker(swapped.inputs[0], ParamOperator) if swapped is not None else None
    if weight is None or swapped is None or weight.outputs[0].type.rank != 2 or product.inputs[0].type.rank < 2:
        return None
    turned = swapped.outputs[0].type.shape == weight.outputs[0].type.shape[::-1] and _is_swap(swapped)
    # Without a level of labels the pattern must be the whole graph: one transposition, one product and one sum.
    if not weight.label.rpartition(".")[0] and sum(has_operator(sibling, _PATTERN_OPERATORS) for sibling in view.graph.nodes) > 3:
        return None
    alone = view.count_uses(swapped.outputs[0]) == view.count_uses(weight.outputs[0]) == 1
    return weight if turned and alone and _get_name(weight) == "weight" and weight.op.args["trainable"] else None


def _is_swap(node: OpNode) -> bool:
    """Whether it changes the two axes of a matrix."""
    return {node.op.args["a"] % 2, node.op.args["b"] % 2} == {0, 1}


def _get_name(node: OpNode) -> str:
    return node.label.rpartition(".")[2]


def _find_siblings(view: GraphView, weight: OpNode) -> list[Node]:
    """List the other stages at the same level of labels: a stage with that label cannot have them next to it.

    A stage without a label must be the only one of its graph, so all nodes outside of the pattern are siblings of it.
    """
    level = weight.label.rpartition(".")[0]
    if not level:
        return [node for node in view.graph.nodes if node is not weight and not (has_operator(node, _PATTERN_OPERATORS))]
    return [node for node in view.graph.nodes if node is not weight and (node.label == level or node.label.startswith(f"{level}."))]


def _replace_by_dense(view: GraphView, node: OpNode, x: Value, weight: OpNode, bias: OpNode | None) -> None:
    units = weight.outputs[0].type.shape[0]
    if bias is not None and (_get_name(bias) != "bias" or bias.outputs[0].type.shape != (units,) or not bias.op.args["trainable"]):
        return
    # A stage is frozen as a whole, so both parameters must be frozen, or neither.
    if bias is not None and (view.count_uses(bias.outputs[0]) > 1 or bias.frozen != weight.frozen):
        return
    op = Dense(
        **{name: {"units": units, "bias": bias is not None}.get(name, argument.default) for name, argument in Dense.signature.items()}
    )
    if view.replace_operator(node, op, (x,), weight.label.rpartition(".")[0], frozen=weight.frozen):
        for parameter in (weight, bias):
            if parameter is not None:
                view.graph.nodes.remove(parameter)
