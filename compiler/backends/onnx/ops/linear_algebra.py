"""Emit linear algebra as MatMul, Einsum and sums of products.

>>> import netc
>>> [node.op_type for node in netc.compile("x = input [4, 3]; y = input [3, 2]; x @ y").onnx().graph.node]
['MatMul']
"""

from __future__ import annotations

from math import inf
from string import ascii_letters

from ....ops.axes import normalize_axis
from ....ops.equation import Equation
from ....ops.linear_algebra import Cdist, CosineSimilarity, Cross, Einsum, Matmul, Outer
from ....types.tensor_types import BOOL, FLOAT32, INT64, Shape
from ..onnx_emitters import Site, emits
from ..tensor_expressions import INT32, TensorExpr, multiply_vector


@emits(Matmul, onnx="MatMul")
def emit_matmul(op: Matmul, site: Site) -> str:
    x, other = site.x, site.other
    # ONNX Runtime has no MatMul of smaller integers.
    via = INT32 if x.dtype.is_integer and x.dtype.size < 4 else x.dtype
    if site.given.other.rank == 1 < site.given.x.rank:
        return x.within(via, lambda y: multiply_vector(y, other.cast(via))).name
    return x.within(via, lambda y: y.op("MatMul", other.cast(via))).name


@emits(Einsum, onnx="Einsum")
def emit_einsum(op: Einsum, site: Site) -> str:
    # `...` becomes letters, and axes of size 1 are expanded: ONNX takes the first size that it sees for a letter.
    dtype = site.results[0].dtype
    via = FLOAT32 if dtype.name == "bfloat16" else dtype
    if not dtype.is_float and dtype.size < 4:
        via = INT32
    equation = op.read_equation(site.given)
    names = []
    for labels, name, type in zip(equation.operands, site.inputs, site.given, strict=True):
        shape = tuple(equation.sizes[label] for label in labels)
        names.append(_broadcast_to(TensorExpr(site, name, type.dtype).cast(via), type.shape, shape).name)
    product = site.add("Einsum", names, equation=_write_equation(equation))
    return TensorExpr(site, product, via).cast(dtype).name


def _write_equation(equation: Equation) -> str:
    letters = dict(zip(equation.sizes, ascii_letters, strict=False))
    operands = ",".join("".join(letters[label] for label in labels) for labels in equation.operands)
    return f"{operands}->{''.join(letters[label] for label in equation.result)}"


@emits(Outer, onnx="Mul")
def emit_outer(op: Outer, site: Site) -> str:
    dtype = site.results[0].dtype
    column = site.add("Unsqueeze", [site.x.cast(dtype).name, site.ints([1])])
    op_type = "And" if dtype == BOOL else "Mul"
    return TensorExpr(site, column, dtype).op(op_type, site.other.cast(dtype)).name


@emits(CosineSimilarity, onnx="ReduceL2, Max, Div, Mul and ReduceSum")
def emit_cosine_similarity(op: CosineSimilarity, site: Site) -> str:
    common = op.common_type(site.given)
    axis = op.axis % max(common.rank, 1)

    def normalize_vectors(name: str) -> TensorExpr:
        """Divide the vectors of one side by their lengths, in their own type, as PyTorch does."""
        x, type_ = site[name], site.given[name]
        side = _broadcast_to(x if type_.dtype.is_float else x.cast(common.dtype), type_.shape, common.shape)
        length = _reduce_axis(side, "ReduceL2", axis, common.rank, keepdims=1).op("Max", float(op.eps))
        return (side / length).cast(common.dtype)

    return _reduce_axis(normalize_vectors("x") * normalize_vectors("other"), "ReduceSum", axis, common.rank, keepdims=0).name


def _broadcast_to(x: TensorExpr, shape: Shape, wanted: Shape) -> TensorExpr:
    return x if shape == wanted else TensorExpr(x.site, x.site.add("Expand", [x.name, x.site.ints(wanted)]), x.dtype)


def _reduce_axis(x: TensorExpr, op_type: str, axis: int, rank: int, *, keepdims: int) -> TensorExpr:
    axes = [x.site.ints([axis])] if rank else []
    return TensorExpr(x.site, x.site.add(op_type, [x.name, *axes], keepdims=keepdims), x.dtype)


@emits(Cross, onnx="Gather, Mul and Sub")
def emit_cross(op: Cross, site: Site) -> str:
    x, other = site.x, site.other
    axis = normalize_axis(op.name, op.axis, site.given.x)
    via = INT32 if x.dtype.is_integer and x.dtype.size < 4 else x.dtype

    def roll_components(y: TensorExpr, order: tuple[int, ...]) -> TensorExpr:
        return y.cast(via).op("Gather", TensorExpr(site, site.ints(order), INT64), axis=axis)

    first, second = (1, 2, 0), (2, 0, 1)
    return (
        (roll_components(x, first) * roll_components(other, second) - roll_components(x, second) * roll_components(other, first))
        .cast(x.dtype)
        .name
    )


@emits(Cdist, onnx="Sub, Abs, Pow and ReduceSum")
def emit_cdist(op: Cdist, site: Site) -> str:
    # Subtract every pair: the usual matrix products need less memory, and cancel for points that are close together.
    x, other, p = site.x, site.other, float(op.p)
    rows = TensorExpr(site, site.add("Unsqueeze", [x.name, site.ints([site.given.x.rank - 1])]), x.dtype)
    columns = TensorExpr(site, site.add("Unsqueeze", [other.name, site.ints([site.given.other.rank - 2])]), x.dtype)
    apart, last = abs(rows - columns), len(site.results[0].shape)

    def reduce_last_axis(y: TensorExpr, op_type: str) -> TensorExpr:
        return _reduce_axis(y, op_type, last, last + 1, keepdims=0)

    if p == inf:
        return reduce_last_axis(apart, "ReduceMax").name
    if p == 0:
        # A NaN counts as itself, not as one difference.
        unequal = apart.op("IsNaN", to=BOOL).choose(apart, apart.truth().cast(x.dtype))
        return reduce_last_axis(unequal, "ReduceSum").name
    if p in (1, 2):
        return reduce_last_axis(apart, f"ReduceL{int(p)}").name
    return reduce_last_axis(apart.op("Pow", p), "ReduceSum").op("Pow", 1 / p).name
