"""Writes reductions and cumulative operators: `x.mean(axis=(2, 3), keepdims=True)`."""

from __future__ import annotations

from ....ops.cumulative import Cummax, Cummin, CumulativeExtreme, Diff, Logcumsumexp
from ....ops.pooling import GlobalAvgPool, GlobalMaxPool
from ....ops.reduction import (
    All,
    Any,
    Argmax,
    Argmin,
    Cumprod,
    Cumsum,
    Cumulative,
    Logsumexp,
    Max,
    Mean,
    Min,
    MinMaxReduction,
    Norm,
    Normalize,
    Prod,
    Reduction,
    Spread,
    Std,
    Sum,
    Var,
)
from ....types.tensor_types import DTYPES, INT64
from ..code.python_expressions import Code, Default, ItemCode, TupleCode, call_function, call_method, to_code
from ..operator_calls import OperatorSite
from .array_emitters import ARRAY, ArraySite

BYTE = DTYPES["uint8"]


def list_axis_keywords(op: Reduction, site: OperatorSite) -> dict[str, object]:
    """Return `axis=` and `keepdims=`, as far as they are needed. A scalar has no axis, although a spec may name axis 0."""
    if not site.given.x.rank:
        return {}
    written = op.explicit_axes()
    keepdims: dict[str, object] = {"keepdims": Default(op.keepdim, False)}
    if written is None:
        return keepdims
    return {"axis": to_code(written[0] if len(written) == 1 else written, "axis"), **keepdims}


@ARRAY.function(Mean, Sum, Prod, Argmax, Argmin, All, Any, target="{array}.{}")
def emit_reduction(op: Reduction, site: ArraySite) -> Code:
    code = call_method(_widen_integers(site), op.name, **list_axis_keywords(op, site))
    # `all` of bytes is a byte.
    return call_method(code, "astype", site.words.get_dtype(BYTE)) if site.results[0].dtype == BYTE else code


def _widen_integers(site: ArraySite) -> Code:
    """Convert the integers of a sum or product before they are combined, because not all frameworks do it in the wider type."""
    x, result = site.given.x.dtype, site.results[0].dtype
    widens = isinstance(site.node.op, (Sum, Prod, Cumulative)) and x.is_integer and x != result == INT64
    return call_method(site.x, "astype", site.words.get_dtype(INT64)) if widens else site.x


@ARRAY.function(Max, Min, target="{array}.{}")
def emit_extreme(op: MinMaxReduction, site: ArraySite) -> Code:
    values = call_method(site.x, op.name, **list_axis_keywords(op, site))
    if len(site.results) < 2:
        return values
    return TupleCode((values, call_method(site.x, f"arg{op.name}", **list_axis_keywords(op, site))))


@ARRAY.function(Var, Std, target="{array}.var")
def emit_spread(op: Spread, site: ArraySite) -> Code:
    keywords = {**list_axis_keywords(op, site), "ddof": Default(op.correction, 0)}
    return call_method(site.x, "var", **keywords) if isinstance(op, Var) else call_function("standard_deviation", site.x, **keywords)


@ARRAY.function(Norm, target="{array}.linalg.vector_norm")
def emit_norm(op: Norm, site: ArraySite) -> Code:
    return call_function("vector_norm", site.x, ord=Default(op.p, 2), **list_axis_keywords(op, site))


@ARRAY.layer_function(Normalize, target="{array}.linalg.vector_norm")
def emit_normalize(op: Normalize, site: ArraySite) -> Code:
    if not site.given.x.rank:
        return call_method(call_function("normalize", call_method(site.x, "reshape", 1), axis=0, eps=Default(op.eps, 1e-12)), "reshape", ())
    return call_function("normalize", site.x, ord=Default(op.p, 2), axis=Default(op.axis, 1), eps=Default(op.eps, 1e-12))


@ARRAY.function(Logsumexp, target="{nn}.logsumexp")
def emit_logsumexp(op: Logsumexp, site: ArraySite) -> Code:
    x = site.x if site.given.x.dtype.is_float else call_method(site.x, "astype", site.words.get_dtype(site.results[0].dtype))
    return call_function(site.words.get_function(op), x, **list_axis_keywords(op, site))


@ARRAY.function(Cumsum, Cumprod, target="{array}.{}")
def emit_cumulative(op: Cumulative, site: ArraySite) -> Code:
    x = _widen_integers(site)
    return call_method(x, op.name, axis=op.axis) if site.given.x.rank else x


@ARRAY.function(Logcumsumexp, target="{array}.logcumsumexp")
def emit_logcumsumexp(op: Logcumsumexp, site: ArraySite) -> Code:
    if not site.given.x.rank:
        return site.x
    return call_function(site.words.get_function(op), site.x, axis=op.axis % max(site.given.x.rank, 1))


@ARRAY.function(Cummax, Cummin, target="{array}.{}")
def emit_cumulative_extreme(op: CumulativeExtreme, site: ArraySite) -> Code:
    # The frameworks' own functions divide the gradient among equal elements, and MLX's fails where these are infinite.
    both = call_function("cumulative_extreme", site.x, op.axis % max(site.given.x.rank, 1), op.name == "cummax")
    return both if len(site.results) == 2 else ItemCode(both, (to_code(0),), 2)


@ARRAY.function(Diff, target="{array}.diff")
def emit_diff(op: Diff, site: ArraySite) -> Code:
    return site.words.call("diff", site.x, n=Default(op.n, 1), axis=Default(op.axis, -1))


@ARRAY.function(GlobalAvgPool, GlobalMaxPool, target={GlobalAvgPool: "{array}.mean", GlobalMaxPool: "{array}.max"})
def emit_global_pool(op: GlobalAvgPool | GlobalMaxPool, site: ArraySite) -> Code:
    axes = tuple(range(2, site.given.x.rank))
    name = "mean" if isinstance(op, GlobalAvgPool) else "max"
    return call_method(site.x, name, axis=to_code(axes[0] if len(axes) == 1 else axes))
