"""Rules for products of matrices and for Fourier transforms, which are such products.

>>> sorted(MATRIX_RULES)[:3]
['cross', 'dense', 'einsum']
"""

from __future__ import annotations

from typing import Any, cast

from ..ir.graph import OpNode
from ..ir.graph_values import Value
from ..ops.equation import Equation
from ..ops.formula import Const, IndexFormula, ItemFormula, ListFormula
from ..ops.linear_algebra import Einsum
from ..ops.spectral import Rfft
from .graph_stages import GraphStages
from .rule_parts import Gradients, Rule, read_weight


def _matmul(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    a, b = node.inputs
    # A vector is a matrix of one row on the left, and of one column on the right.
    left = a if a.type.rank > 1 else s.apply("unsqueeze", a, axis=0)
    right = b if b.type.rank > 1 else s.apply("unsqueeze", b, axis=1)
    g = g if a.type.rank > 1 else s.apply("unsqueeze", g, axis=-1 if b.type.rank == 1 else -2)
    g = g if b.type.rank > 1 else s.apply("unsqueeze", g, axis=-1)
    by_left = s.apply("matmul", g, s.apply("transpose", right, a=-2, b=-1))
    by_right = s.apply("matmul", s.apply("transpose", left, a=-2, b=-1), g)
    return {
        i: s.reshape(s.sum_to(gradient, matrix.type.shape), value.type.shape)
        for i, (gradient, matrix, value) in enumerate(((by_left, left, a), (by_right, right, b)))
    }


def _dense(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    x, *given = node.inputs
    weight = read_weight(s, node)
    if weight is None:
        return {}
    rows = g if x.type.rank > 1 else s.apply("unsqueeze", g, axis=0)
    gradients = {0: s.reshape(s.apply("matmul", rows, weight), x.type.shape)}
    if given:
        flat_g, flat_x = s.flatten_rows(g), s.flatten_rows(x)
        gradients[1] = s.apply("matmul", s.apply("transpose", flat_g, a=0, b=1), flat_x)
    if len(given) > 1:
        gradients[2] = s.sum_to(g, given[1].type.shape)
    return gradients


def _einsum(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    equation = cast(Einsum, node.op).read_equation(node.op.bind_inputs(tuple(value.type for value in node.inputs), s.facts))
    return {i: gradient for i in range(len(node.inputs)) if (gradient := _by_operand(s, node, g, equation, i)) is not None}


def _by_operand(s: GraphStages, node: OpNode, g: Value, equation: Equation, index: int) -> Value | None:
    """The product of the gradient and all other operands. An operand whose diagonal is taken has none here."""
    labels = equation.operands[index]
    if len(set(labels)) < len(labels):
        return None
    others = [i for i in range(len(node.inputs)) if i != index]
    names = dict(zip(equation.sizes, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", strict=False))
    known = set(equation.result).union(*(equation.operands[i] for i in others))
    kept = [label for label in labels if label in known]
    terms = ["".join(names[label] for label in part) for part in (equation.result, *(equation.operands[i] for i in others))]
    text = f"{','.join(terms)}->{''.join(names[label] for label in kept)}"
    product = s.apply("einsum", g, *(node.inputs[i] for i in others), equation=text)
    # An axis that the operand alone has is summed, so each of its elements has the same gradient.
    shape = tuple(equation.sizes[label] for label in labels)
    product = s.reshape(product, tuple(size if label in known else 1 for label, size in zip(labels, shape, strict=True)))
    return s.sum_to(s.expand(product, shape), node.inputs[index].type.shape)


def _grouped_linear(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    _, index, weight = node.inputs
    return {0: s.apply("grouped_linear", g, index, s.apply("transpose", weight, a=1, b=2))}


def _cross(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    a, b = node.inputs
    axis = node.op.args["axis"]
    by_a, by_b = s.apply("cross", b, g, axis=axis), s.apply("cross", g, a, axis=axis)
    return {0: s.sum_to(by_a, a.type.shape), 1: s.sum_to(by_b, b.type.shape)}


_ADJOINT_NORMS = {"backward": "forward", "ortho": "ortho", "forward": "backward"}
"""A transform and its inverse divide by the length together, so the adjoint of one is the other with the opposite `norm`."""


def _fft(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    inverse = "ifft" if node.op.name == "fft" else "fft"
    axis, norm = node.op.args["axis"], _ADJOINT_NORMS[node.op.args["norm"]]
    return _resize(s, node, s.apply(inverse, g, axis=axis, norm=norm), axis)


def _rfft(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    x = node.inputs[0]
    axis = int(node.op.args["axis"]) % x.type.rank
    # The other half of the spectrum, which is not in the result, has no gradient.
    full = s.resize(g, axis, cast(Rfft, node.op).time_length(x.type))
    back = s.apply("ifft", full, axis=axis, norm=_ADJOINT_NORMS[node.op.args["norm"]])
    return _resize(s, node, s.apply("select", back, axis=-1, index=0), axis)


def _irfft(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    """All frequencies but the first, and the last one of an even length, stand for two."""
    x = node.inputs[0]
    axis = int(node.op.args["axis"]) % x.type.rank
    length, norm = g.type.shape[axis], _ADJOINT_NORMS[node.op.args["norm"]]
    back = s.apply("rfft", g, axis=axis, norm=norm)
    count = back.type.shape[axis]
    if not isinstance(length, int) or not isinstance(count, int):
        return {}
    weights = tuple(1.0 if i == 0 or 2 * i == length else 2.0 for i in range(count))
    weight = ItemFormula(ListFormula(tuple(Const(weight) for weight in weights)), (IndexFormula(0),))
    table = s.make_table(weight, (count,), like=x)
    column = s.reshape(table, (count, *(1 for _ in range(back.type.rank - axis - 1))))
    return _resize(s, node, s.apply("mul", back, column), axis)


def _resize(s: GraphStages, node: OpNode, gradient: Value, axis: Any) -> Gradients:
    """Undo the zeros that were added along an axis, or the elements that were cut off."""
    x = node.inputs[0]
    axis = int(axis) % x.type.rank
    return {0: s.resize(gradient, axis, x.type.shape[axis])}


MATRIX_RULES: dict[str, Rule] = {
    "matmul": _matmul,
    "dense": _dense,
    "einsum": _einsum,
    "grouped_linear": _grouped_linear,
    "cross": _cross,
    **dict.fromkeys(("fft", "ifft"), _fft),
    "rfft": _rfft,
    "irfft": _irfft,
}
