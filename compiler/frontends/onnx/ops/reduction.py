"""Imports reductions, sorting and cumulative sums: `ReduceMean axes=[2, 3] keepdims=0` becomes `mean [2, 3]`."""

from __future__ import annotations

from collections.abc import Callable

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..importer_site import OnnxSite
from ..importer_table import imports
from ..onnx_values import Item

_NAMES = {
    "ReduceMean": "mean", "ReduceSum": "sum", "ReduceMax": "max", "ReduceMin": "min", "ReduceLogSumExp": "logsumexp",
    "ReduceL1": "norm", "ReduceL2": "norm", "ReduceSumSquare": "sum", "ReduceLogSum": "sum", "ReduceProd": "prod",
}  # fmt: skip


def reduce_with(site: OnnxSite, operator: str, prepare: Callable[[Value], Value], **arguments: object) -> Value:
    """Reduce over the axes of the node, and cast to the element type of its input: PyTorch sums integers as int64."""
    x = site.input()
    axes = site.read_axes(1, x.type.rank)
    keep = bool(site.get_attr("keepdims", 1))
    if not axes:
        if site.get_attr("noop_with_empty_axes", 0):
            return prepare(x) if axes is None or axes == [] else x
        axes = list(range(x.type.rank))
    if not axes:
        return prepare(x)
    axis = axes[0] if len(axes) == 1 else tuple(axes)
    return site.cast(site.apply_op(operator, prepare(x), axis=axis, keepdim=keep, **arguments), x.type.dtype)


@imports("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceLogSumExp", to=("mean", "sum", "max", "min", "logsumexp"))
def import_reduce(site: OnnxSite) -> Value:
    """Import a reduction. A mean of integers is rounded towards 0, and the maximum of booleans is `any`."""
    operator, x = _NAMES[site.op_type], site.input()
    dtype = x.type.dtype
    if dtype.kind == "bool" and operator in ("max", "min"):
        return reduce_with(site, {"max": "any", "min": "all"}[operator], lambda v: v)
    if not dtype.is_float and operator in ("mean", "logsumexp"):
        # PyTorch has no mean of integers.
        site.inputs[0] = site.apply_op("cast", x, dtype="float64")
        return site.cast(site.apply_op("trunc", reduce_with(site, operator, lambda v: v)), dtype)
    return reduce_with(site, operator, lambda v: v)


@imports("ReduceL1", "ReduceL2", to=("norm, or abs and sum", "norm"))
def import_norm(site: OnnxSite) -> Value:
    x = site.input()
    if not site.read_axes(1, x.type.rank) and site.get_attr("noop_with_empty_axes", 0):
        return site.apply_op("abs", x)
    if x.type.dtype.is_float and x.type.rank:
        return reduce_with(site, "norm", lambda v: v, p=1 if site.op_type == "ReduceL1" else 2)
    if site.op_type == "ReduceL1":
        return reduce_with(site, "sum", lambda v: site.apply_op("abs", v))
    root = site.apply_op("sqrt", site.apply_op("cast", reduce_with(site, "sum", lambda v: site.apply_op("square", v)), dtype="float64"))
    return site.cast(root, x.type.dtype)


@imports("ReduceSumSquare", "ReduceLogSum", to=("square and sum", "sum and log"))
def import_sum_and_function(site: OnnxSite) -> Value:
    if site.op_type == "ReduceSumSquare":
        return reduce_with(site, "sum", lambda v: site.apply_op("square", v))
    dtype, total = site.input().type.dtype, reduce_with(site, "sum", lambda v: v)
    return (
        site.apply_op("log", total)
        if dtype.is_float
        else site.cast(site.apply_op("log", site.apply_op("cast", total, dtype="float64")), dtype)
    )


@imports("ReduceProd", to="prod")
def import_prod(site: OnnxSite) -> Value:
    """Import a product over axes, one axis after another."""
    x = site.input()
    axes = site.read_axes(1, x.type.rank)
    if not axes and site.get_attr("noop_with_empty_axes", 0):
        return x
    result = x
    # `prod` reduces one axis, as in PyTorch.
    for axis in sorted(axes or range(x.type.rank), reverse=True):
        result = site.apply_op("prod", result, axis=axis, keepdim=bool(site.get_attr("keepdims", 1)))
    return site.cast(result, x.type.dtype)


@imports("ArgMax", "ArgMin", to=("argmax", "argmin"))
def import_arg_extreme(site: OnnxSite) -> Value:
    x = site.input()
    axis = site.normalize_axis(int(site.get_attr("axis", 0)), x.type.rank)
    operator = site.op_type.lower()
    keep = bool(site.get_attr("keepdims", 1))
    if not site.get_attr("select_last_index", 0):
        return site.apply_op(operator, x, axis=axis, keepdim=keep)
    # The first extreme of the reversed axis is the last one of the axis.
    reversed_index = site.apply_op(operator, site.apply_op("flip", x, axis=axis), axis=axis, keepdim=keep)
    return site.apply_op("sub", reversed_index, other=x.type.shape[axis] - 1, reverse=True)


@imports("TopK", to="topk, or sort")
def import_topk(site: OnnxSite) -> list[Item]:
    """Import TopK. For all elements it is a stable sort: ONNX puts the first of equal elements first, and PyTorch's `topk` promises no
    order."""
    x = site.input()
    count = site.require_dims(1, "the number of elements")[0] if site.has_input(1) else int(site.get_attr("k", 1))
    largest, ordered = bool(site.get_attr("largest", 1)), bool(site.get_attr("sorted", 1))
    axis = int(site.get_attr("axis", -1))
    if ordered and count == x.type.shape[axis]:
        return list(site.emit.apply_multi_op("sort", x, axis=axis, descending=largest, stable=True))
    return list(site.emit.apply_multi_op("topk", x, k=count, axis=axis, largest=largest, sorted=ordered))


@imports("CumSum", to="cumsum, flip, sub")
def import_cumsum(site: OnnxSite) -> Value:
    return _apply_cumulative(site, "cumsum")


@imports("CumProd", to="cumprod, flip, div")
def import_cumprod(site: OnnxSite) -> Value:
    return _apply_cumulative(site, "cumprod")


def _apply_cumulative(site: OnnxSite, operator: str) -> Value:
    x = site.input()
    axis = site.require_dims(1, "its axis")[0]
    if not isinstance(axis, int):
        raise ImportRefused("its axis is not known")
    axis = site.normalize_axis(axis, x.type.rank)
    turned = bool(site.get_attr("reverse", 0))
    ordered = site.apply_op("flip", x, axis=axis) if turned else x
    result = site.cast(site.apply_op(operator, ordered, axis=axis), x.type.dtype)
    if site.get_attr("exclusive", 0):
        size = x.type.shape[axis]
        first = site.apply_op("slice", ordered, axis=axis, start=0, stop=1)
        # `exclusive` shifts the sums by one: each leaves out its own element, and the first is 0, even next to NaN or infinity.
        if x.type.dtype.is_float:
            first = site.apply_op("nan_to_num", first, posinf=0.0, neginf=0.0)
        start = site.apply_op("mul", first, other=0)
        start = start if operator == "cumsum" else site.apply_op("add", start, other=1)
        result = (
            start if size == 1 else site.apply_op("concat", start, site.apply_op("slice", result, axis=axis, start=0, stop=-1), axis=axis)
        )
    return site.apply_op("flip", result, axis=axis) if turned else result
