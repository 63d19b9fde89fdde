"""Normalisations and attention that are written out, as one operator.

In: a graph without calls, and the view of its nodes. Out: what a node is in one operator. See onnx_patterns.py.
"""

from __future__ import annotations

from typing import Any

from ...ir.graph import OpNode
from ...ir.graph_values import Value
from .onnx_patterns import Found, Pattern, View, order_of


def layer_norm(view: View, node: OpNode) -> Found | None:
    """`(x - mean) / sqrt(mean((x - mean) ** 2) + eps)` over the last axes."""
    if node.op.name != "div" or len(node.inputs) != 2:
        return None
    apart = view.maker(node.inputs[0], "sub")
    root = _root(view, node.inputs[1])
    if apart is None or root is None or len(apart.inputs) != 2:
        return None
    x, (square, eps) = apart.inputs[0], root
    mean, spread = view.maker(apart.inputs[1], "mean"), view.maker(square, "mean")
    if mean is None or spread is None or mean.inputs[0] is not x:
        return None
    centered = _squared(view, spread.inputs[0])
    if centered is None or not (centered is apart.outputs[0] or _is_same_difference(view, centered, apart)):
        return None
    axes = _last(mean)
    if axes is None or axes != _last(spread):
        return None
    return Found("layer_norm", x, affine=False, eps=eps, **_shape(x, axes))


def _is_same_difference(view: View, value: Value, apart: OpNode) -> bool:
    """Whether it is the same difference, computed again."""
    again = view.maker(value, "sub")
    if again is None or len(again.inputs) != 2 or again.inputs[0] is not apart.inputs[0]:
        return False
    a, b = view.maker(again.inputs[1], "mean"), view.maker(apart.inputs[1], "mean")
    return a is not None and b is not None and a.inputs == b.inputs and a.op == b.op


def rms_norm(view: View, node: OpNode) -> Found | None:
    """`x / sqrt(mean(x ** 2) + eps)` and `x * rsqrt(...)`."""
    if node.op.name not in ("div", "mul") or len(node.inputs) != 2:
        return None
    pairs = [(node.inputs[0], node.inputs[1])]
    if node.op.name == "mul":
        pairs.append((node.inputs[1], node.inputs[0]))
    for x, other in pairs:
        root = _root(view, other) if node.op.name == "div" else _inverse(view, other)
        mean = None if root is None else view.maker(root[0], "mean")
        if root is None or mean is None or _squared(view, mean.inputs[0]) is not x:
            continue
        axes = _last(mean)
        if axes is not None and root[1] > 0:
            return Found("rms_norm", x, affine=False, eps=root[1], **_shape(x, axes))
    return None


def _root(view: View, value: Value) -> tuple[Value, float] | None:
    """v and eps of `sqrt(v + eps)`."""
    node = view.maker(value, "sqrt")
    if node is None:
        power = view.number(value, "pow")
        if power is None or power[1] != 0.5:
            return None
        return view.number(power[0], "add")
    return view.number(node.inputs[0], "add")


def _inverse(view: View, value: Value) -> tuple[Value, float] | None:
    """v and eps of `rsqrt(v + eps)`."""
    node = view.maker(value, "rsqrt", "reciprocal")
    if node is not None:
        return view.number(node.inputs[0], "add") if node.op.name == "rsqrt" else _root(view, node.inputs[0])
    made = view.maker(value, "div", "pow")
    if made is None or len(made.inputs) != 1:
        return None
    if made.op.name == "div" and made.op.args.get("reverse") and made.op.args.get("other") == 1:
        return _root(view, made.inputs[0])
    return view.number(made.inputs[0], "add") if made.op.name == "pow" and made.op.args.get("other") == -0.5 else None


def _squared(view: View, value: Value) -> Value | None:
    node = view.maker(value, "square", "pow", "mul")
    if node is None:
        return None
    if node.op.name == "square" or (node.op.name == "pow" and node.op.args.get("other") == 2 and not node.op.args.get("reverse")):
        return node.inputs[0]
    return node.inputs[0] if len(node.inputs) == 2 and node.inputs[0] is node.inputs[1] else None


def _last(node: OpNode) -> int | None:
    """The number of axes at the end that a mean is over, if it keeps them."""
    rank, axis = node.inputs[0].type.rank, node.op.args.get("axis")
    if axis is None or not node.op.args.get("keepdim"):
        return None
    axes = sorted(a % rank for a in (axis if isinstance(axis, tuple) else (axis,)))
    return len(axes) if axes == list(range(rank - len(axes), rank)) else None


def _shape(x: Value, axes: int) -> dict[str, Any]:
    return {} if axes == 1 else {"shape": x.type.shape[-axes:]}


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
