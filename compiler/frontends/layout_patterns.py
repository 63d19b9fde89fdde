"""Merges operators that only arrange the elements of a tensor, one after the other.

In: a view of a graph, and the later of two such operators. Out: whether the two became one: `reshape [N, 4, 8] -> reshape [N, 2, 2, 8]` is
the second alone, and two that undo each other are `identity`, which the caller drops. Always: a tensor that something else reads too is
still made, so that it keeps its name.
"""

from __future__ import annotations

from ..ir.graph import Node, OpNode
from ..ops.regularization import Identity
from ..ops.shape import Flatten, Permute, Reshape, Squeeze, Transpose, Unflatten, Unsqueeze
from .graph_view import GraphView

_SHAPES = (Squeeze, Unsqueeze, Reshape, Flatten, Unflatten)
"""Operators that leave the elements in their order."""


def drop_undone(view: GraphView, node: Node) -> bool:
    """Drop permutations, and changes of the shape, that undo each other."""
    if not isinstance(node, OpNode):
        return False
    first = view.match_maker(node.inputs[0], Permute, Transpose) if isinstance(node.op, Permute | Transpose) else None
    if first is not None:
        order = _get_joint_order(first, node)
        return order == sorted(order) and view.replace_operator(node, Identity(), first.inputs)
    first = view.match_maker(node.inputs[0], *_SHAPES) if isinstance(node.op, _SHAPES) else None
    if first is None or first.inputs[0].type != node.outputs[0].type:
        return False
    return view.replace_operator(node, Identity(), first.inputs)


def merge_permutations(view: GraphView, node: Node) -> bool:
    """Merge two permutations of the axes that follow each other."""
    if not isinstance(node, OpNode) or not isinstance(node.op, Permute | Transpose):
        return False
    first = view.match_maker(node.inputs[0], Permute, Transpose)
    # Read elsewhere too, the first one stays, and merging would save nothing.
    if first is None or view.count_uses(node.inputs[0]) > 1:
        return False
    order = _get_joint_order(first, node)
    moved = [axis for axis, old in enumerate(order) if axis != old]
    return view.replace_operator(node, Transpose(a=moved[0], b=moved[1]) if len(moved) == 2 else Permute(axes=tuple(order)), first.inputs)


def _get_joint_order(first: OpNode, second: OpNode) -> list[int]:
    before = _get_axis_order(first)
    return [before[axis] for axis in _get_axis_order(second)]


def _get_axis_order(node: OpNode) -> tuple[int, ...]:
    assert isinstance(node.op, Permute | Transpose)
    return node.op.axis_order(node.inputs[0].type)


def merge_reshapes(view: GraphView, node: Node) -> bool:
    """Drop the first of two changes of the shape. The last shape alone counts."""
    if not isinstance(node, OpNode) or not isinstance(node.op, Reshape):
        return False
    first = view.match_maker(node.inputs[0], *_SHAPES)
    if first is None or view.count_uses(node.inputs[0]) > 1:
        return False
    return view.replace_operator(node, Reshape(shape=node.op.shape), first.inputs)
