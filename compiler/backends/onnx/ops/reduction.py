"""Emit reductions. Maxima and minima of floats keep NaN, and sums of int64 are exact, as in PyTorch.

>>> import netc
>>> [node.op_type for node in netc.compile("input 3 -> max axis=1").onnx().graph.node]
['ReduceMax', 'IsNaN', 'ReduceMax', 'Where']
"""

from __future__ import annotations

from ....dims import Dim, bounds, dim_max, free_symbols
from ....ops.axes import normalize_axis
from ....ops.operator import Operator, numel
from ....ops.reduction import (
    All,
    Any,
    Argmax,
    Argmin,
    ArgReduction,
    Cumprod,
    Cumsum,
    Logsumexp,
    Max,
    Mean,
    Min,
    MinMaxReduction,
    Norm,
    Normalize,
    Prod,
    Quantifier,
    Reduction,
    Spread,
    Std,
    Sum,
    Var,
)
from ....types.tensor_types import BATCH, BOOL, INT64, DType
from .. import integers
from ..nan import find_extreme_position, reduce_keeping_nan
from ..norms import p_norm, reduce_axes, subtract_mean
from ..onnx_emitters import Site, emits
from ..tensor_expressions import INT32, TensorExpr, compute_precisely, widen_integer


def _reduce_axes(site: Site, x: TensorExpr, op_type: str, op: Reduction, *, keepdim: bool | None = None) -> TensorExpr:
    """Reduce all axes of the operator."""
    kept, axes = op.keepdim if keepdim is None else keepdim, _list_axes(site, op)
    names = [] if axes is None else [site.ints(axes)]
    return TensorExpr(site, site.add(op_type, [x.name, *names], keepdims=int(kept)), x.dtype)


def _list_axes(site: Site, op: Reduction) -> tuple[int, ...] | None:
    """List the axes, or return None for all of them."""
    x = site.given.x
    return None if op.explicit_axes() is None or not x.rank else op.reduced_axes(x)


def _count_elements(op: Reduction, site: Site) -> Dim:
    """Return the number of elements that each result is made of."""
    x = site.given.x
    return numel(tuple(x.shape[axis] for axis in op.reduced_axes(x)))


def _may_be_empty(op: Reduction, site: Site) -> bool:
    """Whether the axes may have no elements. The batch may, although its lower bound is 1."""
    count = _count_elements(op, site)
    least, _ = bounds(count)
    return BATCH in free_symbols(count) or (least is not None and least < 1)


def _reduce_keeping_nan(site: Site, x: TensorExpr, op_type: str, op: Reduction) -> TensorExpr:
    """Reduce the axes. The result is NaN where an element is NaN."""
    return reduce_keeping_nan(x, op_type, _list_axes(site, op), keepdims=op.keepdim)


_REDUCTIONS: dict[type[Operator], str] = {
    Mean: "ReduceMean",
    Sum: "ReduceSum",
    Prod: "ReduceProd",
}


@emits(*_REDUCTIONS, onnx=_REDUCTIONS)
def emit_reduction(op: Reduction, site: Site) -> str:
    # The mean over no elements is NaN in PyTorch. ONNX Runtime's ReduceMean gives 0, so it is written as a quotient.
    if isinstance(op, Mean) and _may_be_empty(op, site):
        return compute_precisely(site.x.cast(site.results[0].dtype), lambda x: _divide_sum(op, site, x)).name
    exact = _reduce_integers(op, site)
    if exact is not None:
        return exact.name
    return _reduce_axes(site, site.x.cast(site.results[0].dtype), _REDUCTIONS[type(op)], op).name


def _divide_sum(op: Mean, site: Site, x: TensorExpr) -> TensorExpr:
    return _reduce_axes(site, x, "ReduceSum", op) / TensorExpr(site, site.scalar(_count_elements(op, site), x.dtype), x.dtype)


def _reduce_integers(op: Reduction, site: Site) -> TensorExpr | None:
    """Compute sums and products in int64, exact beyond 2**53. None if the result is no int64, or if there is no exact form."""
    x = site.given.x
    if site.results[0].dtype != INT64 or not x.rank or not x.dtype.is_integer:
        return None
    arguments = site.x.cast(INT64), x.shape, op.reduced_axes(x), site.results[0].shape
    if isinstance(op, Prod):
        return integers.multiply_exactly(*arguments)
    # The sums of smaller integers are exact in float64 up to 2**22 elements.
    return integers.sum_exactly(*arguments) if x.dtype == INT64 else None


@emits(Logsumexp, onnx="ReduceLogSumExp, IsNaN and Where")
def emit_logsumexp(op: Logsumexp, site: Site) -> str:
    # ONNX Runtime gives infinity for NaN next to infinity.
    return _reduce_keeping_nan(site, site.x.cast(site.results[0].dtype), "ReduceLogSumExp", op).name


@emits(Max, Min, onnx={Max: "ReduceMax, ArgMax, IsNaN and Where", Min: "ReduceMin, ArgMin, IsNaN and Where"})
def emit_min_max(op: MinMaxReduction, site: Site) -> str | tuple[str, ...]:
    x = site.x
    values = x.within(widen_integer(x.dtype), lambda y: _reduce_keeping_nan(site, y, f"Reduce{type(op).__name__}", op))
    if len(site.results) == 1:
        return values.name
    return values.name, _find_position(site, x, f"Arg{type(op).__name__}", op).name


def _find_position(site: Site, x: TensorExpr, op_type: str, op: Reduction) -> TensorExpr:
    """Find the position of the extreme along the one axis."""
    if not site.given.x.rank:
        return TensorExpr(site, site.scalar(0, INT64), INT64)
    number = x.cast(INT32) if x.dtype.name in ("int16", "bool") else x
    (axis,) = op.reduced_axes(site.given.x)
    return find_extreme_position(number, op_type, axis, keepdims=op.keepdim)


_POSITIONS: dict[type[Operator], str] = {
    Argmax: "ArgMax",
    Argmin: "ArgMin",
}


@emits(*_POSITIONS, onnx={cls: f"{name}, IsNaN and Where" for cls, name in _POSITIONS.items()})
def emit_arg_reduction(op: ArgReduction, site: Site) -> str:
    x = site.x
    if op.explicit_axes() is not None:
        return _find_position(site, x, _POSITIONS[type(op)], op).name
    # Without axes, PyTorch's position counts the elements of the flattened tensor.
    number = x.cast(widen_integer(x.dtype))
    flat = TensorExpr(site, site.add("Reshape", [number.name, site.ints([-1])]), number.dtype)
    position_ = find_extreme_position(flat, _POSITIONS[type(op)], 0, keepdims=False)
    return site.add("Reshape", [position_.name, site.ints([1] * site.given.x.rank)]) if op.keepdim else position_.name


@emits(Var, Std, onnx={Var: "ReduceMean, Sub, Mul, ReduceSum and Div", Std: "ReduceMean, Sub, Mul, ReduceSum, Div and Sqrt"})
def emit_spread(op: Spread, site: Site) -> str:
    def steps(x: TensorExpr) -> TensorExpr:
        axes = op.reduced_axes(site.given.x)
        away = subtract_mean(x, axes)
        # One axis after the other, for the same reason as in `mean`.
        rows = reduce_axes(away * away, "ReduceSum", axes[-1:], keepdims=True) if len(axes) > 1 else away * away
        variance = _reduce_axes(site, rows, "ReduceSum", op) / _corrected_count(op, site, x.dtype)
        return variance.op("Sqrt") if isinstance(op, Std) else variance

    return compute_precisely(site.x, steps).name


def _corrected_count(op: Spread, site: Site, dtype: DType) -> TensorExpr:
    shape = site.given.x.shape
    count = numel(tuple(shape[axis] for axis in op.reduced_axes(site.given.x)))
    if isinstance(op.correction, int) and not _may_be_empty(op, site):
        return TensorExpr(site, site.scalar(dim_max(count - op.correction, 0), dtype), dtype)
    return (TensorExpr(site, site.scalar(count, dtype), dtype) - op.correction).op("Max", 0.0)


@emits(Norm, onnx="ReduceL2, ReduceL1, ReduceMax")
def emit_norm(op: Norm, site: Site) -> str:
    return compute_precisely(site.x, lambda x: _compute_norm(site, x, op)).name


@emits(Normalize, onnx="ReduceL2, Max and Div")
def emit_normalize(op: Normalize, site: Site) -> str:
    x = site.x
    length = compute_precisely(x, lambda y: _compute_norm(site, y, op.make_norm()))
    return (x / length.op("Max", float(op.eps))).name


def _compute_norm(site: Site, x: TensorExpr, op: Norm) -> TensorExpr:
    return p_norm(x, float(op.p), _list_axes(site, op), keepdims=op.keepdim)


@emits(Any, All, onnx={Any: "Cast and ReduceMax", All: "Cast and ReduceMin"})
def emit_quantifier(op: Quantifier, site: Site) -> str:
    # ONNX Runtime has no maximum and no minimum of no elements, but a sum.
    if _may_be_empty(op, site):
        counted = site.x.truth() if isinstance(op, Any) else site.x.truth().negation()
        some = _reduce_axes(site, counted.cast(INT64), "ReduceSum", op).greater(0)
        return (some if isinstance(op, Any) else some.negation()).cast(site.results[0].dtype).name
    reduced_ = _reduce_axes(site, site.x.truth(), "ReduceMax" if isinstance(op, Any) else "ReduceMin", op)
    return reduced_.cast(site.results[0].dtype).name


@emits(Cumsum, onnx="CumSum")
def emit_cumsum(op: Cumsum, site: Site) -> str:
    x = site.x.cast(site.results[0].dtype)
    if not site.given.x.rank:
        return x.op("Identity").name
    return site.add("CumSum", [x.name, site.scalar(op.axis, INT64)])


@emits(Cumprod, onnx="Pad, Slice and Mul, or Where and ReduceProd")
def emit_cumprod(op: Cumprod, site: Site) -> str:
    x = site.x.cast(site.results[0].dtype)
    x_type = site.given.x
    if not x_type.rank:
        return x.op("Identity").name
    axis = normalize_axis(op.name, op.axis, x_type)
    size = x_type.shape[axis]
    return (_scan_products(x, axis, x_type.rank, size) if isinstance(size, int) else _multiply_triangle(x, axis, x_type.rank, size)).name


def _scan_products(x: TensorExpr, axis: int, rank: int, size: int) -> TensorExpr:
    """Multiply the last 1, 2, 4, 8... elements, each time two products of half the length. ONNX has no CumProd before opset 26."""
    site, reach = x.site, 1
    while reach < size:
        before = [reach if index == axis else 0 for index in range(rank)]  # an amount for each axis, as in folding.py
        ends = [site.ints([n]) for n in (0, size, axis)]
        shifted = site.add("Pad", [x.name, site.ints([*before, *[0] * rank]), site.scalar(1, x.dtype)])
        x, reach = x.op("Mul", TensorExpr(site, site.add("Slice", [shifted, *ends]), x.dtype)), 2 * reach
    return x


def _multiply_triangle(x: TensorExpr, axis: int, rank: int, size: Dim) -> TensorExpr:
    """Multiply along an axis whose size is known only at run time: every row of a triangle is a product."""
    site = x.site
    indices = TensorExpr(site, site.add("Range", [site.scalar(n, INT64) for n in (0, size, 1)]), INT64)
    rows = TensorExpr(site, site.add("Unsqueeze", [indices.name, site.ints([1])]), INT64)
    later = indices.greater(rows)
    if after := range(2, rank - axis + 1):
        later = TensorExpr(site, site.add("Unsqueeze", [later.name, site.ints(after)]), BOOL)
    repeated = TensorExpr(site, site.add("Unsqueeze", [x.name, site.ints([axis])]), x.dtype)
    factors = later.choose(x.like(1), repeated)
    return TensorExpr(site, site.add("ReduceProd", [factors.name, site.ints([axis + 1])], keepdims=0), x.dtype)
