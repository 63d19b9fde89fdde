"""Reductions, sorting, cumulative sums."""

from __future__ import annotations

from collections.abc import Callable

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..importer_site import Site
from ..importer_table import imports
from ..onnx_values import Item

_NAMES = {
    "ReduceMean": "mean", "ReduceSum": "sum", "ReduceMax": "max", "ReduceMin": "min", "ReduceLogSumExp": "logsumexp",
    "ReduceL1": "norm", "ReduceL2": "norm", "ReduceSumSquare": "sum", "ReduceLogSum": "sum", "ReduceProd": "prod",
}  # fmt: skip


def reduce_with(site: Site, operator: str, prepare: Callable[[Value], Value], **arguments: object) -> Value:
    """A reduction over the axes of the node, in the element type of its input."""
    x = site.x()
    axes = site.axes(1, x.type.rank)
    keep = bool(site.attr("keepdims", 1))
    if not axes:
        if site.attr("noop_with_empty_axes", 0):
            return prepare(x) if axes is None or axes == [] else x
        axes = list(range(x.type.rank))
    if not axes:
        return prepare(x)
    axis = axes[0] if len(axes) == 1 else tuple(axes)
    return site.cast(site.one(operator, prepare(x), axis=axis, keepdim=keep, **arguments), x.type.dtype)


@imports("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceLogSumExp", to=("mean", "sum", "max", "min", "logsumexp"))
def reduce(site: Site) -> Value:
    """A mean of integers is rounded towards 0; a greatest of booleans is whether any is true."""
    operator, x = _NAMES[site.op_type], site.x()
    dtype = x.type.dtype
    if dtype.kind == "bool" and operator in ("max", "min"):
        return reduce_with(site, {"max": "any", "min": "all"}[operator], lambda v: v)
    if not dtype.is_float and operator in ("mean", "logsumexp"):
        site.inputs[0] = site.one("cast", x, dtype="float64")
        return site.cast(site.one("trunc", reduce_with(site, operator, lambda v: v)), dtype)
    return reduce_with(site, operator, lambda v: v)


@imports("ReduceL1", "ReduceL2", to=("norm, or abs and sum", "norm"))
def norm(site: Site) -> Value:
    x = site.x()
    if not site.axes(1, x.type.rank) and site.attr("noop_with_empty_axes", 0):
        return site.one("abs", x)
    if x.type.dtype.is_float and x.type.rank:
        return reduce_with(site, "norm", lambda v: v, p=1 if site.op_type == "ReduceL1" else 2)
    if site.op_type == "ReduceL1":
        return reduce_with(site, "sum", lambda v: site.one("abs", v))
    root = site.one("sqrt", site.one("cast", reduce_with(site, "sum", lambda v: site.one("square", v)), dtype="float64"))
    return site.cast(root, x.type.dtype)


@imports("ReduceSumSquare", "ReduceLogSum", to=("square and sum", "sum and log"))
def of_sum(site: Site) -> Value:
    if site.op_type == "ReduceSumSquare":
        return reduce_with(site, "sum", lambda v: site.one("square", v))
    dtype, total = site.x().type.dtype, reduce_with(site, "sum", lambda v: v)
    return site.one("log", total) if dtype.is_float else site.cast(site.one("log", site.one("cast", total, dtype="float64")), dtype)


@imports("ReduceProd", to="prod")
def prod(site: Site) -> Value:
    """Axis by axis."""
    x = site.x()
    axes = site.axes(1, x.type.rank)
    if not axes and site.attr("noop_with_empty_axes", 0):
        return x
    result = x
    for axis in sorted(axes or range(x.type.rank), reverse=True):
        result = site.one("prod", result, axis=axis, keepdim=bool(site.attr("keepdims", 1)))
    return site.cast(result, x.type.dtype)


@imports("ArgMax", "ArgMin", to=("argmax", "argmin"))
def arg(site: Site) -> Value:
    x = site.x()
    axis = site.axis(int(site.attr("axis", 0)), x.type.rank)
    operator = site.op_type.lower()
    keep = bool(site.attr("keepdims", 1))
    if not site.attr("select_last_index", 0):
        return site.one(operator, x, axis=axis, keepdim=keep)
    found = site.one(operator, site.one("flip", x, axis=axis), axis=axis, keepdim=keep)
    return site.one("sub", found, other=x.type.shape[axis] - 1, reverse=True)


@imports("TopK", to="topk, or sort")
def topk(site: Site) -> list[Item]:
    """Of all elements it is a stable sort: the first of equal elements comes first in ONNX, and PyTorch's `topk` promises no order."""
    x = site.x()
    count = site.dims(1, "the number of elements")[0] if site.has(1) else int(site.attr("k", 1))
    largest, ordered = bool(site.attr("largest", 1)), bool(site.attr("sorted", 1))
    axis = int(site.attr("axis", -1))
    if ordered and count == x.type.shape[axis]:
        return list(site.emit.apply("sort", x, axis=axis, descending=largest, stable=True))
    return list(site.emit.apply("topk", x, k=count, axis=axis, largest=largest, sorted=ordered))


@imports("CumSum", to="cumsum, flip, sub")
def cumsum(site: Site) -> Value:
    return _cumulative(site, "cumsum")


@imports("CumProd", to="cumprod, flip, div")
def cumprod(site: Site) -> Value:
    return _cumulative(site, "cumprod")


def _cumulative(site: Site, operator: str) -> Value:
    x = site.x()
    axis = site.dims(1, "its axis")[0]
    if not isinstance(axis, int):
        raise ImportRefused("its axis is not known")
    axis = site.axis(axis, x.type.rank)
    turned = bool(site.attr("reverse", 0))
    given = site.one("flip", x, axis=axis) if turned else x
    result = site.cast(site.one(operator, given, axis=axis), x.type.dtype)
    if site.attr("exclusive", 0):
        size = x.type.shape[axis]
        first = site.one("slice", given, axis=axis, start=0, stop=1)
        start = site.one("mul", first, other=0)
        start = start if operator == "cumsum" else site.one("add", start, other=1)
        result = start if size == 1 else site.one("concat", start, site.one("slice", result, axis=axis, start=0, stop=-1), axis=axis)
    return site.one("flip", result, axis=axis) if turned else result
