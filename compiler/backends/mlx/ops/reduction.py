"""Writes reductions to indices in MLX, whose indices are `uint32`: `x.argmax(axis=1).astype(mx.int64)`."""

from __future__ import annotations

from ....ops.reduction import Argmax, Argmin, Max, Min, MinMaxReduction, Reduction
from ...python.array_ops.reduction import list_axis_keywords
from ...python.code.python_expressions import Code, TupleCode, call_method
from ..mlx_emitters import MlxSite, function
from ..mlx_words import WORDS


def _call_index(name: str, op: Reduction, site: MlxSite) -> Code:
    return call_method(call_method(site.x, name, **list_axis_keywords(op, site)), "astype", WORDS.default_integer)


@function(Argmax, Argmin, target="mlx.core.{}")
def emit_index_of_extreme(op: Reduction, site: MlxSite) -> Code:
    return _call_index(op.name, op, site)


@function(Max, Min, target="mlx.core.{}")
def emit_extreme(op: MinMaxReduction, site: MlxSite) -> Code:
    values = call_method(site.x, op.name, **list_axis_keywords(op, site))
    return values if len(site.results) < 2 else TupleCode((values, _call_index(f"arg{op.name}", op, site)))
