"""Rules for reductions, and for what sums along an axis.

>>> sorted(REDUCTION_RULES)[:3]
['cumsum', 'log_softmax', 'logsumexp']
"""

from __future__ import annotations

from ..ir.graph import OpNode
from ..ir.graph_values import Value
from .graph_stages import GraphStages
from .rule_parts import Gradients, Rule, divide_by_count, list_axes, list_kept, make_mask, repeat_reduced


def _sum(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: repeat_reduced(s, node, g)}


def _mean(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    x = node.inputs[0]
    return {0: divide_by_count(s, repeat_reduced(s, node, g), x, list_axes(node.op.args["axis"], x.type.rank))}


def _var(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    x = node.inputs[0]
    axes = list_axes(node.op.args["axis"], x.type.rank)
    centered = s.apply("sub", x, s.apply("mean", x, axis=tuple(axes), keepdim=True))
    total = s.apply("mul", repeat_reduced(s, node, s.scale(g, 2.0)), centered)
    return {0: divide_by_count(s, total, x, axes, less=node.op.args["correction"])}


def _std(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    y = node.outputs[0]
    # PyTorch's gradient of the deviation of equal numbers is 0.
    halved = s.apply("div", g, s.scale(y, 2.0))
    return _var(s, node, s.apply("where", s.apply("eq", y, other=0.0), halved, other=0.0, reverse=True))


def _extreme(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    """Equal elements get equal shares, as from `torch.amax`. `torch.max` along one axis names one element: see differentiable_forms.py."""
    x, kept = node.inputs[0], list_kept(node)
    axes = tuple(list_axes(node.op.args["axis"], x.type.rank))
    mask = make_mask(s, "eq", x, s.reshape(node.outputs[0], kept))
    share = s.apply("div", s.reshape(g, kept), s.apply("sum", mask, axis=axes, keepdim=True) if axes else mask)
    return {0: s.apply("mul", mask, share)}


def _softmax(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    y = node.outputs[0]
    total = s.apply("sum", s.apply("mul", g, y), axis=(node.op.args["axis"],), keepdim=True)
    return {0: s.apply("mul", y, s.apply("sub", g, total))}


def _log_softmax(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    total = s.apply("sum", g, axis=(node.op.args["axis"],), keepdim=True)
    return {0: s.apply("sub", g, s.apply("mul", s.apply("exp", node.outputs[0]), total))}


def _logsumexp(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    x = node.inputs[0]
    kept = list_kept(node)
    share = s.apply("exp", s.apply("sub", x, s.reshape(node.outputs[0], kept)))
    return {0: s.apply("mul", s.reshape(g, kept), share)}


def _norm(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    x, p, kept = node.inputs[0], node.op.args["p"], list_kept(node)
    if p == 0:
        return {0: None}
    g, y = s.reshape(g, kept), s.reshape(node.outputs[0], kept)
    if p == 1:
        return {0: s.apply("mul", g, s.apply("sign", x))}
    if abs(p) == float("inf"):
        return {0: _norm_by_extreme(s, node, g, y)}
    # PyTorch's gradient of the norm of zeros is 0.
    is_zero = s.apply("eq", y, other=0.0)
    if p == 2:
        return {0: s.apply("mul", g, s.apply("where", is_zero, s.apply("div", x, y), other=0.0, reverse=True))}
    power = s.apply("mul", s.apply("sign", x), s.apply("pow", s.apply("abs", x), other=p - 1))
    if p < 2:
        power = s.apply("where", s.apply("eq", x, other=0.0), power, other=0.0, reverse=True)
    scaled = s.apply("div", power, s.apply("pow", y, other=p - 1))
    return {0: s.apply("mul", g, s.apply("where", is_zero, scaled, other=0.0, reverse=True))}


def _norm_by_extreme(s: GraphStages, node: OpNode, g: Value, y: Value) -> Value:
    x = node.inputs[0]
    axes = tuple(list_axes(node.op.args["axis"], x.type.rank))
    mask = make_mask(s, "eq", s.apply("abs", x), y)
    share = s.apply("div", mask, s.apply("sum", mask, axis=axes, keepdim=True) if axes else mask)
    return s.apply("mul", s.apply("mul", g, share), s.apply("sign", x))


def _cumsum(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    if not g.type.rank:
        return {0: g}
    axis = node.op.args["axis"]
    turned = s.apply("flip", g, axis=(axis,))
    return {0: s.apply("flip", s.apply("cumsum", turned, axis=axis), axis=(axis,))}


REDUCTION_RULES: dict[str, Rule] = {
    "sum": _sum,
    "mean": _mean,
    "var": _var,
    "std": _std,
    **dict.fromkeys(("max", "min"), _extreme),
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "norm": _norm,
    "cumsum": _cumsum,
}
