"""Writes sorting, padding and indices in MLX by the definitions of ../library: `pad_edges(x, ((0, 0), (1, 1)), "reflect")`.

MLX gives indices as `uint32`, so they are converted: `x.argmax(axis=1).astype(mx.int64)`.
"""

from __future__ import annotations

from ....ops.indexing import OneHot, Scatter, convert_fill_value
from ....ops.reduction import Argmax, Argmin, Max, Min, MinMaxReduction, Reduction
from ....ops.slicing import Pad
from ....ops.sorting import Argsort, Sort
from ...python.array_ops.array_emitters import ArraySite
from ...python.array_ops.indexing import emit_pad as emit_constant_pad
from ...python.array_ops.indexing import get_axis, list_pad_amounts
from ...python.array_ops.reduction import list_axis_keywords
from ...python.code.python_expressions import Code, Default, ItemCode, TupleCode, call_function, call_method, to_code
from ..mlx_emitters import MlxSite, function
from ..mlx_framework import get_mlx_dtype
from ..mlx_words import WORDS


@function(OneHot, target="mlx.core.arange")
def emit_one_hot(op: OneHot, site: MlxSite) -> Code:
    return call_function("one_hot", site.indices, to_code(op.classes, "num_classes"), to_code(get_mlx_dtype(op.dtype)))


@function(Scatter, target="mlx.core.array.at")
def emit_scatter(op: Scatter, site: MlxSite) -> Code:
    value = site.src if op.value is None else to_code(convert_fill_value(op.name, op.value, site.given.x.dtype), "value")
    return call_function("scatter", site.x, site.index, value, get_axis(op, site), method=Default(op.reduce or "set", "set"))


@function(Pad, target="mlx.core.pad")
def emit_pad(op: Pad, site: MlxSite) -> Code:
    if op.mode == "constant":
        return emit_constant_pad(op, ArraySite(site.node, site.given, site.results, WORDS))
    return call_function("pad_edges", site.x, list_pad_amounts(op, site), op.mode)


@function(Sort, target="mlx.core.argsort")
def emit_sort(op: Sort, site: MlxSite) -> Code:
    both = call_function("sort", site.x, op.axis, op.descending) if site.given.x.rank else call_function("top_k", site.x, 1)
    return both if len(site.results) == 2 else ItemCode(both, (to_code(0),), 2)


@function(Argsort, target="mlx.core.argsort")
def emit_argsort(op: Argsort, site: MlxSite) -> Code:
    if not site.given.x.rank:
        return call_function("mx.zeros", (), WORDS.default_integer)
    return call_function("argsort", site.x, axis=Default(op.axis, -1), descending=Default(op.descending, False))


def _call_index(name: str, op: Reduction, site: MlxSite) -> Code:
    return call_method(call_method(site.x, name, **list_axis_keywords(op, site)), "astype", WORDS.default_integer)


@function(Argmax, Argmin, target="mlx.core.{}")
def emit_index_of_extreme(op: Reduction, site: MlxSite) -> Code:
    return _call_index(op.name, op, site)


@function(Max, Min, target="mlx.core.{}")
def emit_extreme(op: MinMaxReduction, site: MlxSite) -> Code:
    values = call_method(site.x, op.name, **list_axis_keywords(op, site))
    return values if len(site.results) < 2 else TupleCode((values, _call_index(f"arg{op.name}", op, site)))
