"""Rules for operators of two tensors, element by element.

>>> sorted(ARITHMETIC_RULES)[:3]
['add', 'atan2', 'div']
"""

from __future__ import annotations

from math import log

from ..ir.graph import OpNode
from ..ir.graph_values import Value
from ..ops.mode import ByMode
from .graph_stages import GraphStages
from .rule_parts import Gradients, Rule, make_mask


def _pair(s: GraphStages, node: OpNode, by_first: Value, by_second: Value) -> Gradients:
    """The gradients by two tensors that were broadcast."""
    first, second = node.inputs
    return {0: _fit(s, by_first, first), 1: _fit(s, by_second, second)}


def _fit(s: GraphStages, gradient: Value, like: Value) -> Value:
    summed = s.sum_to(gradient, like.type.shape)
    # An integer next to floats has no gradient, which nobody asks for.
    return s.apply("cast", summed, dtype=like.type.dtype) if like.type.dtype.is_float and like.type.dtype != summed.type.dtype else summed


def _add(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: _fit(s, g, node.inputs[0])} if len(node.inputs) == 1 else _pair(s, node, g, g)


def _sub(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    if len(node.inputs) == 1:
        return {0: s.scale(g, -1) if node.op.args["reverse"] else g}
    return _pair(s, node, g, s.scale(g, -1))


def _mul(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    if len(node.inputs) == 1:
        return {0: s.scale(g, node.op.args["other"])}
    a, b = node.inputs
    return _pair(s, node, s.apply("mul", g, b), s.apply("mul", g, a))


def _div(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    y = node.outputs[0]
    if len(node.inputs) == 1 and not node.op.args["reverse"]:
        return {0: s.apply("div", g, other=node.op.args["other"])}
    divisor = node.inputs[-1]
    by_divisor = s.scale(s.apply("mul", g, s.apply("div", y, divisor)), -1)
    if len(node.inputs) == 1:
        return {0: by_divisor}
    return _pair(s, node, s.apply("div", g, divisor), by_divisor)


def _pow(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    y, other = node.outputs[0], node.op.args["other"]
    if len(node.inputs) == 1 and node.op.args["reverse"]:
        return {0: s.apply("mul", g, s.scale(y, log(other)))} if other > 0 else {}
    if len(node.inputs) == 1:
        power = s.apply("pow", node.inputs[0], other=other - 1)
        return {0: s.apply("mul", g, s.scale(power, other))} if other else {0: s.fill_like(g, 0.0)}
    a, b = node.inputs
    power = s.apply("mul", b, s.apply("pow", a, s.apply("sub", b, other=1.0)))
    # PyTorch takes 0 for the logarithm of 0, to a power of at least 0.
    flat = s.apply("logical_and", s.apply("eq", a, other=0.0), s.apply("ge", b, other=0.0))
    by_exponent = s.apply("where", flat, s.apply("mul", y, s.apply("log", a)), other=0.0, reverse=True)
    return _pair(s, node, s.apply("mul", g, power), s.apply("mul", g, by_exponent))


def _remainder(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    """The difference of a tensor and a multiple of another, whose number is constant wherever it has a derivative."""
    rounding = "floor" if node.op.name == "remainder" else "trunc"
    if len(node.inputs) == 1 and not node.op.args.get("reverse"):
        return {0: g}
    if len(node.inputs) == 1:
        times = s.apply(rounding, s.apply("div", node.inputs[0], other=node.op.args["other"], reverse=True))
        return {0: s.scale(s.apply("mul", g, times), -1)}
    times = s.apply(rounding, s.apply("div", *node.inputs))
    return _pair(s, node, g, s.scale(s.apply("mul", g, times), -1))


def _extreme(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    """The result is one of the two. Equal elements get half of the gradient each."""
    first, second = node.inputs
    strict, loose = ("gt", "ge") if node.op.name == "maximum" else ("lt", "le")
    share = s.scale(s.apply("add", make_mask(s, strict, first, second), make_mask(s, loose, first, second)), 0.5)
    by_first = s.apply("mul", g, share)
    return _pair(s, node, by_first, s.apply("sub", g, by_first))


def _hypot(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    share = s.apply("div", g, node.outputs[0])
    a, b = node.inputs
    return _pair(s, node, s.apply("mul", share, a), s.apply("mul", share, b))


def _atan2(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    a, b = node.inputs
    length = s.apply("add", s.apply("square", a), s.apply("square", b))
    # PyTorch's gradient at the origin is 0.
    share = s.apply("where", s.apply("eq", length, other=0.0), s.apply("div", g, length), other=0.0, reverse=True)
    return _pair(s, node, s.apply("mul", share, b), s.scale(s.apply("mul", share, a), -1))


def _logaddexp(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    a, b = node.inputs
    share = s.apply("sigmoid", s.apply("sub", a, b))
    by_a = s.apply("mul", g, share)
    return _pair(s, node, by_a, s.apply("sub", g, by_a))


def _where(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    condition, *values = node.inputs
    # With one tensor and a number, `reverse` says that the tensor is taken where the condition is false.
    taken = [not node.op.args["reverse"]] if len(values) == 1 else [True, False]
    return {
        i + 1: _fit(s, s.apply("where", condition, g, other=0.0, reverse=not is_taken), value)
        for i, (value, is_taken) in enumerate(zip(values, taken, strict=True))
    }


def _masked_fill(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    x, mask = node.inputs
    return {0: s.sum_to(s.apply("masked_fill", g, mask, value=0), x.type.shape)}


def _by_mode(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: None, 1: g}  # only inference needs a derivative that is written out


ARITHMETIC_RULES: dict[str, Rule] = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "pow": _pow,
    **dict.fromkeys(("remainder", "fmod"), _remainder),
    **dict.fromkeys(("maximum", "minimum"), _extreme),
    "hypot": _hypot,
    "atan2": _atan2,
    "logaddexp": _logaddexp,
    "where": _where,
    "masked_fill": _masked_fill,
    ByMode.name: _by_mode,
}
