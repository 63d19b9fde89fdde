"""Attention, group norms and shapes that are written out, as one operator.

In: a graph without calls, and the view of its nodes. Out: what a node is in one operator. See onnx_patterns.py.
"""

from __future__ import annotations

from ...ir.graph import OpNode
from ...ir.graph_values import Value
from .onnx_patterns import Found, Pattern, View, order_of


def attention(view: View, node: OpNode) -> Found | None:
    """`softmax(q k^T * scale + mask) v`."""
    if node.op.name != "matmul" or len(node.inputs) != 2:
        return None
    weights = view.maker(node.inputs[0], "softmax")
    if weights is None or weights.op.args["axis"] not in (-1, weights.inputs[0].type.rank - 1):
        return None
    scores, mask = _masked(view, weights.inputs[0])
    scale, factors = view.factors(scores)
    product = view.maker(factors[0], "matmul") if len(factors) == 1 else None
    if product is None or product.inputs[0].type.rank < 3:
        return None
    (times, [q, *more]), (over, [k, *others]) = view.factors(product.inputs[0]), view.factors(product.inputs[1])
    turned = view.maker(k, "transpose", "permute") if not (more or others) else None
    if turned is None or len(product.inputs) != 2:
        return None
    keys = _turned(turned)
    if any(t.type.dtype != q.type.dtype for t in (k, node.inputs[1])):
        return None
    tensors = [q, keys, node.inputs[1], *mask]
    whole = scale * times * over
    features = q.type.shape[-1]
    usual = isinstance(features, int) and abs(whole - features**-0.5) < 1e-6 * whole
    return Found("attention", *tensors, **({} if usual else {"scale": whole}))


def _masked(view: View, value: Value) -> tuple[Value, list[Value]]:
    """Scores, and what is added to them."""
    node = view.maker(value, "add")
    if node is None or len(node.inputs) != 2:
        return value, []
    for scores, mask in (node.inputs, node.inputs[::-1]):
        _, factors = view.factors(scores)
        if len(factors) == 1 and view.maker(factors[0], "matmul") is not None and scores.type == value.type and mask.type.rank >= 2:
            return scores, [mask]
    return value, []


def _turned(node: OpNode) -> Value | Found:
    """The tensor whose last two axes the node swaps, after it has moved others."""
    x = node.inputs[0]
    order = order_of(node) or []
    order = [*order[:-2], order[-1], order[-2]]
    moved = [axis for axis, old in enumerate(order) if axis != old]
    if not moved:
        return x
    if len(moved) == 2:
        return Found("transpose", x, a=moved[0], b=moved[1])
    return Found("permute", x, axes=tuple(order))


_SHAPES = ("reshape", "flatten", "unflatten")


def shape(view: View, node: OpNode) -> Found | None:
    """Shapes that are taken apart and put together again, and a shape that is given right after another one."""
    if node.op.name not in _SHAPES or len(node.inputs) != 1:
        return None
    first = view.maker(node.inputs[0], *_SHAPES, "squeeze", "unsqueeze")
    if first is None:
        return None
    if first.inputs[0].type == node.outputs[0].type:
        return Found("identity", first.inputs[0])
    return Found("reshape", first.inputs[0], shape=node.op.args["shape"]) if node.op.name == "reshape" else None


def group_norm(view: View, node: OpNode) -> Found | None:
    """Each channel normalised, where groups of channels had been made one."""
    normal = view.maker(node.inputs[0], "instance_norm", "layer_norm") if node.op.name in _SHAPES else None
    if normal is None or normal.specs or normal.inputs[0].type.rank != 3 or len(normal.inputs) != 1:
        return None
    first = view.maker(normal.inputs[0], *_SHAPES)
    if first is None or first.inputs[0].type != node.outputs[0].type or node.outputs[0].type.rank < 3:
        return None
    x, groups = first.inputs[0], normal.inputs[0].type.shape[1]
    if not isinstance(groups, int) or normal.op.args.get("shape") is not None or x.type.shape[0] != normal.inputs[0].type.shape[0]:
        return None
    return Found("group_norm", x, groups=groups, affine=False, eps=normal.op.args["eps"])


NORMALISATIONS: tuple[Pattern, ...] = (group_norm, attention, shape)
