"""Rules for operators that work on each element: functions, activations, comparisons with a number.

>>> sorted(POINTWISE_RULES)[:3]
['abs', 'acos', 'acosh']
"""

from __future__ import annotations

from collections.abc import Callable
from math import log, pi, sqrt

from ..ir.graph import OpNode
from ..ir.graph_values import Value
from .graph_stages import GraphStages
from .rule_parts import Gradients, Rule

Factor = Callable[[GraphStages, Value, Value], Value]


def _one_minus_square(s: GraphStages, x: Value) -> Value:
    return s.apply("sub", s.apply("square", x), other=1.0, reverse=True)


def _one_plus_square(s: GraphStages, x: Value) -> Value:
    return s.apply("add", s.apply("square", x), other=1.0)


def _bell(s: GraphStages, x: Value) -> Value:
    return s.apply("exp", s.scale(s.apply("square", x), -1))


_FACTORS: dict[str, Factor] = {
    "neg": lambda s, x, y: s.fill_like(x, -1.0),
    "square": lambda s, x, y: s.scale(x, 2.0),
    "sqrt": lambda s, x, y: s.apply("div", y, other=0.5, reverse=True),
    "rsqrt": lambda s, x, y: s.scale(s.apply("mul", y, s.apply("square", y)), -0.5),
    "reciprocal": lambda s, x, y: s.scale(s.apply("square", y), -1),
    "exp": lambda s, x, y: y,
    "exp2": lambda s, x, y: s.scale(y, log(2)),
    "expm1": lambda s, x, y: s.apply("add", y, other=1.0),
    "log": lambda s, x, y: s.apply("reciprocal", x),
    "log2": lambda s, x, y: s.apply("div", x, other=1 / log(2), reverse=True),
    "log10": lambda s, x, y: s.apply("div", x, other=1 / log(10), reverse=True),
    "log1p": lambda s, x, y: s.apply("reciprocal", s.apply("add", x, other=1.0)),
    "sin": lambda s, x, y: s.apply("cos", x),
    "cos": lambda s, x, y: s.scale(s.apply("sin", x), -1),
    "tan": lambda s, x, y: _one_plus_square(s, y),
    "asin": lambda s, x, y: s.apply("rsqrt", _one_minus_square(s, x)),
    "acos": lambda s, x, y: s.scale(s.apply("rsqrt", _one_minus_square(s, x)), -1),
    "atan": lambda s, x, y: s.apply("reciprocal", _one_plus_square(s, x)),
    "sinh": lambda s, x, y: s.apply("cosh", x),
    "cosh": lambda s, x, y: s.apply("sinh", x),
    "tanh": lambda s, x, y: _one_minus_square(s, y),
    "asinh": lambda s, x, y: s.apply("rsqrt", _one_plus_square(s, x)),
    "acosh": lambda s, x, y: s.apply("rsqrt", s.apply("sub", s.apply("square", x), other=1.0)),
    "atanh": lambda s, x, y: s.apply("reciprocal", _one_minus_square(s, x)),
    "sigmoid": lambda s, x, y: s.apply("mul", y, s.apply("sub", y, other=1.0, reverse=True)),
    "abs": lambda s, x, y: s.apply("sign", x),
    "erf": lambda s, x, y: s.scale(_bell(s, x), 2 / sqrt(pi)),
    "erfc": lambda s, x, y: s.scale(_bell(s, x), -2 / sqrt(pi)),
    "erfinv": lambda s, x, y: s.scale(s.apply("exp", s.apply("square", y)), sqrt(pi) / 2),
    "lgamma": lambda s, x, y: s.apply("digamma", x),
}
"""The derivatives of operators of one tensor, by the input and the result."""


def _make_factor_rule(factor: Factor) -> Rule:
    return lambda s, node, g: {0: s.apply("mul", g, factor(s, node.inputs[0], node.outputs[0]))}


def _keep(s: GraphStages, g: Value, comparison: str, x: Value, number: float) -> Value:
    """The gradient where the comparison holds, and 0 elsewhere, even if the gradient is infinite there."""
    return s.apply("where", s.apply(comparison, x, other=number), g, other=0.0)


def _relu(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: _keep(s, g, "gt", node.outputs[0], 0.0)}


def _softplus(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    scaled = s.scale(node.inputs[0], float(node.op.args["beta"]))
    slope = s.apply("mul", g, s.apply("sigmoid", scaled))
    # PyTorch's function is the identity above the threshold.
    return {0: s.apply("where", s.apply("gt", scaled, other=node.op.args["threshold"]), g, slope)}


def _clamp(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    for name, comparison in (("min", "ge"), ("max", "le")):
        if node.op.args[name] is not None:
            g = _keep(s, g, comparison, node.inputs[0], node.op.args[name])
    return {0: g}


def _hardtanh(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    x = node.inputs[0]
    return {0: _keep(s, _keep(s, g, "gt", x, node.op.args["min_val"]), "lt", x, node.op.args["max_val"])}


def _shrink(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: _keep(s, g, "gt", s.apply("abs", node.inputs[0]), node.op.args["lambd"])}


def _threshold(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: _keep(s, g, "gt", node.inputs[0], node.op.args["threshold"])}


def _rrelu(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    slope = (node.op.args["lower"] + node.op.args["upper"]) / 2
    return {0: s.apply("where", s.apply("gt", node.inputs[0], other=0.0), g, s.scale(g, slope))}


def _nan_to_num(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: s.apply("where", s.apply("isfinite", node.inputs[0]), g, other=0.0)}


def _pass(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: g}


def _cast(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: s.apply("cast", g, dtype=node.inputs[0].type.dtype)} if node.inputs[0].type.dtype != g.type.dtype else {0: g}


POINTWISE_RULES: dict[str, Rule] = {
    **{name: _make_factor_rule(factor) for name, factor in _FACTORS.items()},
    **dict.fromkeys(("identity", "dropout", "channel_dropout", "alpha_dropout", "drop_path"), _pass),
    **dict.fromkeys(("hardshrink", "softshrink"), _shrink),
    "relu": _relu,
    "softplus": _softplus,
    "clamp": _clamp,
    "hardtanh": _hardtanh,
    "threshold": _threshold,
    "rrelu": _rrelu,
    "nan_to_num": _nan_to_num,
    "cast": _cast,
}
