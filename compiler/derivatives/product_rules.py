"""Rules by which a gradient passes through an operator, backwards: the product of a vector and the operator's Jacobian.

In: a node, and the gradient by its result. Out: the gradients by its inputs, as further stages. Always: the stages of a rule have rules
themselves, so that gradients of gradients can be computed. Where PyTorch has a choice, as at the corner of `relu`, a rule decides as
PyTorch does (https://docs.pytorch.org/docs/stable/notes/autograd.html#gradients-for-non-differentiable-functions).

    >>> import netc
    >>> program = netc.compile("input 3 -> tanh").program
    >>> (node,), stages = program.main.nodes, GraphStages(program.facts, program.main.span)
    >>> RULES["tanh"](stages, node, node.outputs[0])
    {0: <value: [N, 3]>}
    >>> [stage.op.name for stage in stages.nodes]
    ['square', 'sub', 'mul']
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import log, pi, prod, sqrt
from typing import Any

from ..ir.graph import OpNode
from ..ir.graph_values import Value
from ..ops.mode import ByMode
from ..ops.parameter_of import ParameterOf
from ..types.tensor_types import Shape
from .graph_stages import GraphStages

Gradients = Mapping[int, Value | None]
"""The gradients by the numbers of the inputs: None if it is zero. The rule does not cover an input without an entry."""
Rule = Callable[[GraphStages, OpNode, Value], Gradients]
Factor = Callable[[GraphStages, Value, Value], Value]

_CONSTANT = frozenset(
    ("detach", "sign", "floor", "ceil", "round", "trunc", "eq", "ne", "lt", "le", "gt", "ge", "argmax", "argmin", "logical_not")
)


def is_constant(name: str) -> bool:
    """Whether the result of an operator has no gradient, or is constant wherever it has one."""
    return name in _CONSTANT


def _mask(s: GraphStages, comparison: str, x: Value, number: float) -> Value:
    """1 where the comparison holds, else 0."""
    return s.apply("cast", s.apply(comparison, x, other=number), dtype=x.type.dtype)


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
    "tan": lambda s, x, y: s.apply("add", s.apply("square", y), other=1.0),
    "sinh": lambda s, x, y: s.apply("cosh", x),
    "cosh": lambda s, x, y: s.apply("sinh", x),
    "tanh": lambda s, x, y: s.apply("sub", s.apply("square", y), other=1.0, reverse=True),
    "atan": lambda s, x, y: s.apply("reciprocal", s.apply("add", s.apply("square", x), other=1.0)),
    "sigmoid": lambda s, x, y: s.apply("mul", y, s.apply("sub", y, other=1.0, reverse=True)),
    "relu": lambda s, x, y: _mask(s, "gt", y, 0.0),
    "abs": lambda s, x, y: s.apply("sign", x),
    "erf": lambda s, x, y: s.scale(s.apply("exp", s.scale(s.apply("square", x), -1)), 2 / sqrt(pi)),
}
"""The derivatives of operators of one tensor that work on each element, by the input and the result."""


def _make_pointwise_rule(factor: Factor) -> Rule:
    return lambda s, node, g: {0: s.apply("mul", g, factor(s, node.inputs[0], node.outputs[0]))}


def _softplus(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: s.apply("mul", g, s.apply("sigmoid", s.scale(node.inputs[0], float(node.op.args["beta"]))))}


def _clamp(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    x = node.inputs[0]
    for name, comparison in (("min", "ge"), ("max", "le")):
        if node.op.args[name] is not None:
            g = s.apply("mul", g, _mask(s, comparison, x, node.op.args[name]))
    return {0: g}


def _add(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {i: s.sum_to(g, value.type.shape) for i, value in enumerate(node.inputs)}


def _sub(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    if len(node.inputs) == 1:
        return {0: s.scale(g, -1) if node.op.args["reverse"] else g}
    return {0: s.sum_to(g, node.inputs[0].type.shape), 1: s.sum_to(s.scale(g, -1), node.inputs[1].type.shape)}


def _mul(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    if len(node.inputs) == 1:
        return {0: s.scale(g, node.op.args["other"])}
    a, b = node.inputs
    return {0: s.sum_to(s.apply("mul", g, b), a.type.shape), 1: s.sum_to(s.apply("mul", g, a), b.type.shape)}


def _div(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    y = node.outputs[0]
    if len(node.inputs) == 1 and not node.op.args["reverse"]:
        return {0: s.apply("div", g, other=node.op.args["other"])}
    divisor = node.inputs[-1]
    by_divisor = s.scale(s.apply("mul", g, s.apply("div", y, divisor)), -1)
    if len(node.inputs) == 1:
        return {0: by_divisor}
    a = node.inputs[0]
    return {0: s.sum_to(s.apply("div", g, divisor), a.type.shape), 1: s.sum_to(by_divisor, divisor.type.shape)}


def _pow(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    y, other = node.outputs[0], node.op.args["other"]
    if len(node.inputs) == 1 and node.op.args["reverse"]:
        return {0: s.apply("mul", g, s.scale(y, log(other)))} if other > 0 else {}
    if len(node.inputs) == 1:
        power = s.apply("pow", node.inputs[0], other=other - 1)
        return {0: s.apply("mul", g, s.scale(power, other))} if other else {0: s.fill_like(g, 0.0)}
    a, b = node.inputs
    power = s.apply("mul", b, s.apply("pow", a, s.apply("sub", b, other=1.0)))
    by_exponent = s.apply("mul", y, s.apply("log", a))
    return {0: s.sum_to(s.apply("mul", g, power), a.type.shape), 1: s.sum_to(s.apply("mul", g, by_exponent), b.type.shape)}


def _where(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    condition, *values = node.inputs
    # With one tensor and a number, `reverse` says that the tensor is taken where the condition is false.
    taken = [not node.op.args["reverse"]] if len(values) == 1 else [True, False]
    return {
        i + 1: s.sum_to(s.apply("where", condition, g, other=0.0, reverse=not is_taken), value.type.shape)
        for i, (value, is_taken) in enumerate(zip(values, taken, strict=True))
    }


def _matmul(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    a, b = node.inputs
    if a.type.rank < 2 or b.type.rank < 2:
        return {}
    by_a = s.apply("matmul", g, s.apply("transpose", b, a=-2, b=-1))
    by_b = s.apply("matmul", s.apply("transpose", a, a=-2, b=-1), g)
    return {0: s.sum_to(by_a, a.type.shape), 1: s.sum_to(by_b, b.type.shape)}


def _dense(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    x, *given = node.inputs
    if given:  # its weights are tensors, which may depend on `x` too
        return {}
    weight = next(spec for spec in node.specs if spec.name == "weight")
    parameter = ParameterOf(path=node.label, parameter="weight", shape=weight.shape, dtype=weight.dtype or x.type.dtype)
    return {0: s.apply("matmul", g, s.apply_operator(parameter))} if x.type.rank > 1 and node.shared is None else {}


def _sum(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: _repeat_summed(s, node, g)}


def _repeat_summed(s: GraphStages, node: OpNode, g: Value) -> Value:
    return s.expand(s.reshape(g, _list_kept(node)), node.inputs[0].type.shape)


def _mean(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    x = node.inputs[0]
    axes = _list_axes(node.op.args["axis"], x.type.rank)
    total = _repeat_summed(s, node, g)
    sizes = [x.type.shape[axis] for axis in axes]
    if all(isinstance(size, int) for size in sizes):
        return {0: s.apply("div", total, other=float(prod(int(str(size)) for size in sizes)))}
    # a number that is known at run time only
    count = s.apply("sum", s.fill_like(x, 1.0), axis=tuple(axes), keepdim=True)
    return {0: s.apply("div", total, count)}


def _list_axes(axis: Any, rank: int) -> list[int]:
    axes = range(rank) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return [int(a) % rank for a in axes]


def _softmax(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    y = node.outputs[0]
    total = s.apply("sum", s.apply("mul", g, y), axis=(node.op.args["axis"],), keepdim=True)
    return {0: s.apply("mul", y, s.apply("sub", g, total))}


def _log_softmax(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    total = s.apply("sum", g, axis=(node.op.args["axis"],), keepdim=True)
    return {0: s.apply("sub", g, s.apply("mul", s.apply("exp", node.outputs[0]), total))}


def _logsumexp(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    x = node.inputs[0]
    kept = _list_kept(node)
    share = s.apply("exp", s.apply("sub", x, s.reshape(node.outputs[0], kept)))
    return {0: s.apply("mul", s.reshape(g, kept), share)}


def _norm(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    if node.op.args["p"] != 2:
        return {}
    x, kept = node.inputs[0], _list_kept(node)
    y = s.reshape(node.outputs[0], kept)
    # PyTorch's gradient of the norm of zeros is 0.
    direction = s.apply("where", s.apply("eq", y, other=0.0), s.apply("div", x, y), other=0.0, reverse=True)
    return {0: s.apply("mul", s.reshape(g, kept), direction)}


def _list_kept(node: OpNode) -> Shape:
    """List the sizes of the result of a reduction as if it had kept its axes."""
    x = node.inputs[0]
    axes = _list_axes(node.op.args["axis"], x.type.rank)
    return tuple(1 if axis in axes else size for axis, size in enumerate(x.type.shape))


def _reshape(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: s.reshape(g, node.inputs[0].type.shape)}


def _transpose(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: s.apply("transpose", g, a=node.op.args["a"], b=node.op.args["b"])}


def _permute(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    axes = [int(axis) % g.type.rank for axis in node.op.args["axes"]]
    return {0: s.apply("permute", g, axes=tuple(axes.index(axis) for axis in range(len(axes))))}


def _expand(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: s.sum_to(g, node.inputs[0].type.shape)}


def _concat(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    axis = int(node.op.args["axis"]) % g.type.rank
    sizes = [value.type.shape[axis] for value in node.inputs]
    if not all(isinstance(size, int) for size in sizes):
        return {}
    starts = [sum(int(str(size)) for size in sizes[:i]) for i in range(len(sizes))]
    return {
        i: s.apply("slice", g, axis=axis, start=start, stop=start + int(str(size)))
        for i, (start, size) in enumerate(zip(starts, sizes, strict=True))
    }


def _select(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    axis, index = int(node.op.args["axis"]) % node.inputs[0].type.rank, node.op.args["index"]
    return _pad(s, node, s.apply("unsqueeze", g, axis=axis), axis, index, 1)


def _slice(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    axis, size = int(node.op.args["axis"]) % g.type.rank, g.type.shape[int(node.op.args["axis"])]
    if node.op.args["step"] != 1 or not isinstance(size, int):
        return {}
    return _pad(s, node, g, axis, node.op.args["start"], size)


def _pad(s: GraphStages, node: OpNode, g: Value, axis: int, start: Any, count: int) -> Gradients:
    """Put a part of an axis where it was, among zeros."""
    size = node.inputs[0].type.shape[axis]
    if not isinstance(size, int) or not isinstance(start, int):
        return {}
    first = int(start) + (int(size) if start < 0 else 0)
    around = [0, 0] * (g.type.rank - 1 - axis) + [first, int(size) - first - int(count)]
    return {0: s.apply("pad", g, padding=tuple(around))}


def _pad_constant(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    padding = node.op.args["padding"]
    if node.op.args["mode"] != "constant" or not all(isinstance(amount, int) for amount in padding):
        return {}
    return {0: s.apply("pad", g, padding=tuple(-amount for amount in padding))}


def _pass(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: g}


def _by_mode(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: None, 1: g}  # only inference needs a derivative that is written out


def _cast(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    return {0: s.apply("cast", g, dtype=node.inputs[0].type.dtype)} if node.inputs[0].type.dtype != g.type.dtype else {0: g}


RULES: dict[str, Rule] = {
    **{name: _make_pointwise_rule(factor) for name, factor in _FACTORS.items()},
    **dict.fromkeys(("identity", "dropout", "channel_dropout", "alpha_dropout"), _pass),
    **dict.fromkeys(("reshape", "flatten", "squeeze", "unsqueeze", "unflatten"), _reshape),
    "softplus": _softplus,
    "clamp": _clamp,
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "pow": _pow,
    "where": _where,
    "matmul": _matmul,
    "softmax": _softmax,
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "norm": _norm,
    "dense": _dense,
    "sum": _sum,
    "mean": _mean,
    "transpose": _transpose,
    "permute": _permute,
    "expand": _expand,
    "concat": _concat,
    "select": _select,
    "slice": _slice,
    "pad": _pad_constant,
    "cast": _cast,
    ByMode.name: _by_mode,
}
"""The rules by operator."""
