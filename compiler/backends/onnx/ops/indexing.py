"""Emit operators that read and write elements by index as ONNX nodes.

>>> import netc
>>> [node.op_type for node in netc.compile("x = input 5; i = input 2 int64; (x, i) -> gather axis=1").onnx().graph.node]
['GatherElements']
"""

from __future__ import annotations

from math import inf, nan

import numpy as np

from ....ops.axes import normalize_axis
from ....ops.indexing import Gather, IndexAdd, IndexSelect, MaskedFill, OneHot, Scatter, ScatterReduce, Tril, Triu, convert_fill_value
from ....ops.scalars import cast_scalar
from ....types.numpy_types import numpy_dtype
from ....types.tensor_types import DTYPES, FLOAT32, INT64, DType
from ..nan import is_nan
from ..onnx_emitters import Site, emits
from ..tensor_expressions import INT32, TensorExpr

_REDUCTIONS = {"add": "add", "multiply": "mul", "sum": "add", "mean": "add", "prod": "mul", "amax": "max", "amin": "min"}


def _add_axis(site: Site, name: str) -> TensorExpr:
    """Return an input. A tensor without axes gets one axis with a single element, because ONNX's operators need an axis."""
    tensor = site[name]
    return tensor if site.given[name].rank else tensor.op("Reshape", TensorExpr(site, site.ints([1]), INT64))


def _drop_axis(y: TensorExpr, rank: int) -> TensorExpr:
    """Remove the added axis from a result that has no axes."""
    return y if rank else y.op("Reshape", TensorExpr(y.site, y.site.ints([]), INT64))


@emits(Gather, onnx="GatherElements")
def emit_gather(op: Gather, site: Site) -> str:
    axis = normalize_axis(op.name, op.axis, site.given.x)
    y = _add_axis(site, "x").op("GatherElements", _add_axis(site, "index"), axis=axis)
    return _drop_axis(y, site.given.index.rank).name


# --- writing -----------------------------------------------------------------------------------------------------------------


@emits(Scatter, onnx="ScatterElements")
def emit_scatter(op: Scatter, site: Site) -> str:
    x = _add_axis(site, "x")
    via = _choose_compute_dtype(x.dtype, op.reduce)
    value = None if op.value is None else convert_fill_value(op.name, op.value, x.dtype)
    source = _slice_source(site).cast(via) if value is None else _fill_indices(site, value, via)
    y = _scatter_values(site, x.cast(via), source, op.reduce).cast(x.dtype)
    return _drop_axis(y, site.given.x.rank).name


@emits(ScatterReduce, onnx="ScatterElements")
def emit_scatter_reduce(op: ScatterReduce, site: Site) -> str:
    x = _add_axis(site, "x")
    via = _choose_compute_dtype(x.dtype, op.reduce)
    base, source = x.cast(via), _slice_source(site).cast(via)
    # Without `include_self`, elements that are written start from the neutral element, and others keep their value.
    if not op.include_self:
        base = _scatter_values(site, base, _fill_indices(site, _get_neutral_value(op.reduce, via), via))
    y = _scatter_values(site, base, source, op.reduce)
    # ONNX Runtime's ScatterElements keeps or drops NaN depending on the order of the operands; PyTorch keeps it.
    if op.reduce in ("amax", "amin") and via.is_float:
        y = _scatter_values(site, is_nan(base).cast(INT32), is_nan(source).cast(INT32), "amax").truth().choose(y.like(nan), y)
    if op.reduce == "mean":
        y = _divide_total(y, _count_writes(op, site, base))
    return _drop_axis(y.cast(x.dtype), site.given.x.rank).name


def _choose_compute_dtype(dtype: DType, reduce: str | None) -> DType:
    """Choose the element type for a scatter; ONNX Runtime's CPU adds no half types, and has no maxima of booleans."""
    if reduce is not None and dtype.is_float and dtype.size == 2:
        return FLOAT32
    return DTYPES["uint8"] if dtype.kind == "bool" and reduce in ("amax", "amin") else dtype


def _get_neutral_value(reduce: str, dtype: DType) -> int | float:
    """Return the neutral element of a reduction."""
    low, high = (-inf, inf) if dtype.is_float else dtype.limits
    return {"sum": 0, "mean": 0, "prod": 1, "amax": low, "amin": high}[reduce]


def _slice_source(site: Site) -> TensorExpr:
    """Return the values to write, in the shape of the indices."""
    source = _add_axis(site, "src")
    pairs = zip(site.given.index.shape or (1,), site.given.src.shape or (1,), strict=True)
    # PyTorch accepts a source that is longer than the indices, ONNX does not.
    longer = {axis: part for axis, (part, size) in enumerate(pairs) if site.given.facts.are_equal(part, size) is not True}
    if not longer:
        return source
    parts = [site.ints(p) for p in ([0] * len(longer), list(longer.values()), list(longer))]
    return source.op("Slice", *(TensorExpr(site, part, INT64) for part in parts))


def _fill_indices(site: Site, value: int | float | bool, dtype: DType) -> TensorExpr:
    """Repeat one value for each index."""
    number = TensorExpr(site, site.scalar(value, dtype), dtype)
    return number.op("Expand", TensorExpr(site, site.ints(site.given.index.shape or (1,)), INT64))


def _scatter_values(site: Site, x: TensorExpr, source: TensorExpr, reduce: str | None = None) -> TensorExpr:
    axis = normalize_axis(site.node.op.name, site.node.op.args["axis"], site.given.x)
    reduction = None if reduce is None else _REDUCTIONS[reduce]
    return x.op("ScatterElements", _add_axis(site, "index"), source, axis=axis, reduction=reduction)


def _count_writes(op: ScatterReduce, site: Site, base: TensorExpr) -> TensorExpr:
    """Count the values written to each element, at least one."""
    shape = TensorExpr(site, site.ints(site.given.x.shape or (1,)), INT64)
    ones = TensorExpr(site, site.scalar(1, base.dtype), base.dtype).op("Expand", shape)
    if not op.include_self:
        ones = _scatter_values(site, ones, _fill_indices(site, 0, base.dtype))
    return _scatter_values(site, ones, _fill_indices(site, 1, base.dtype), "add")


def _divide_total(total: TensorExpr, count: TensorExpr) -> TensorExpr:
    """Divide the total. Integers are rounded down."""
    if total.dtype.is_float:
        return total / count
    a, b = total.cast(INT64), count.cast(INT64)
    return (a - a.op("Mod", b)) / b


@emits(IndexAdd, onnx="Mul and ScatterElements")
def emit_index_add(op: IndexAdd, site: Site) -> str:
    x, index, source = (_add_axis(site, name) for name in ("x", "index", "source"))
    via = _choose_compute_dtype(x.dtype, "add")
    alpha = cast_scalar(op.alpha, x.dtype)
    assert isinstance(alpha, (int, float))
    values = source.cast(via)
    # ONNX Runtime adds no booleans, so they are counted.
    if x.dtype.kind == "bool":
        via, values = INT32, (source if alpha else source.op("And", False)).cast(INT32)
    elif alpha != 1:
        values = values * alpha
    axis = normalize_axis(op.name, op.axis, site.given.x)
    shape = site.given.source.shape or (1,)
    column = index.op("Reshape", TensorExpr(site, site.ints([-1, *[1] * (len(shape) - 1 - axis)]), INT64))
    places = column.op("Expand", TensorExpr(site, site.ints(shape), INT64))
    y = x.cast(via).op("ScatterElements", places, values, axis=axis, reduction="add")
    return _drop_axis(y.cast(x.dtype), site.given.x.rank).name


# --- the others --------------------------------------------------------------------------------------------------------------


@emits(IndexSelect, onnx="Gather")
def emit_index_select(op: IndexSelect, site: Site) -> str:
    if not site.given.x.rank:
        return site.x.op("Identity").name
    return _add_axis(site, "x").op("Gather", _add_axis(site, "index"), axis=normalize_axis(op.name, op.axis, site.given.x)).name


@emits(OneHot, onnx="OneHot")
def emit_one_hot(op: OneHot, site: Site) -> str:
    # ONNX Runtime 1.31 has OneHot of no other integers, nor of BOOL and FLOAT64.
    via = op.dtype if op.dtype in (FLOAT32, INT64) else INT64
    ends = site.constant(np.array([0, 1], dtype=numpy_dtype(via)))
    indices = _add_axis(site, "indices").name
    y = TensorExpr(site, site.add("OneHot", [indices, site.scalar(op.classes, INT64), ends], axis=-1), via)
    if not site.given.indices.rank:
        y = y.op("Reshape", TensorExpr(site, site.ints([-1]), INT64))
    return y.cast(op.dtype).name


@emits(Tril, Triu, onnx="Trilu")
def emit_triangle(op: Tril | Triu, site: Site) -> str:
    # ONNX Runtime has no Trilu of smaller integers.
    narrow = site.given.x.dtype.is_integer and site.given.x.dtype.size < 4
    x = site.x.cast(INT32) if narrow else site.x
    diagonal = [] if op.diagonal == 0 else [TensorExpr(site, site.scalar(op.diagonal, INT64), INT64)]
    return x.op("Trilu", *diagonal, upper=int(isinstance(op, Triu))).cast(site.given.x.dtype).name


@emits(MaskedFill, onnx="Where")
def emit_masked_fill(op: MaskedFill, site: Site) -> str:
    x = site.x
    return site.mask.choose(x.like(convert_fill_value(op.name, op.value, x.dtype)), x).name
