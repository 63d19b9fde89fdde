"""Emit sorting as TopK, of all elements for a sort. TopK keeps the order of equal elements, but does not say where NaN goes.
Floats are therefore ordered by keys in which NaN is infinite, and infinities are finite.

    >>> import netc
    >>> [node.op_type for node in netc.compile("input 6 -> topk 2 axis=1").onnx().graph.node]
    ['Cast', 'IsNaN', 'Min', 'Where', 'TopK', 'GatherElements']
"""

from __future__ import annotations

from math import inf

import numpy as np

from ....dims import Dim
from ....ops.axes import normalize_axis
from ....ops.promotion import result_type
from ....ops.sorting import Argsort, Bucketize, Sort, Topk
from ....types.numpy_types import numpy_dtype
from ....types.tensor_types import BOOL, DTYPES, FLOAT32, INT64
from ..nan import is_nan
from ..onnx_emitters import Site, emits
from ..tensor_expressions import FLOAT64, INT32, TensorExpr

_WIDER = {"bool": DTYPES["uint8"], "float16": FLOAT32, "bfloat16": FLOAT32, "float32": FLOAT64}
"""The types of keys: TopK takes no bool, and keys of floats need a wider type. float64 has none, so its greatest number equals
infinity."""


@emits(Topk, onnx="TopK, of keys without NaN, and GatherElements")
def emit_topk(op: Topk, site: Site) -> tuple[str, ...]:
    return _sort_with_indices(site, op.k, op.axis, largest=op.largest, sort=op.sorted)[: len(site.results)]


@emits(Sort, onnx="TopK, of keys without NaN, and GatherElements")
def emit_sort(op: Sort, site: Site) -> tuple[str, ...]:
    return _sort_with_indices(site, None, op.axis, largest=op.descending)[: len(site.results)]


@emits(Argsort, onnx="TopK, of keys without NaN")
def emit_argsort(op: Argsort, site: Site) -> str:
    return _sort_with_indices(site, None, op.axis, largest=op.descending)[1]


def _sort_with_indices(site: Site, k: Dim | None, axis: int, *, largest: bool, sort: bool = True) -> tuple[str, str]:
    """Return values and indices. If `k` is None, all of them."""
    x = site.given.x
    if not x.rank:
        return site.x.op("Identity").name, site.scalar(0, INT64)
    front = normalize_axis(site.node.op.name, axis, x)
    keys = _make_sort_keys(site.x)
    count = site.ints([x.shape[front] if k is None else k])
    values, indices = site.add_many("TopK", [keys.name, count], 2, axis=front, largest=int(largest), sorted=int(sort))
    if x.dtype.is_float:
        return site.add("GatherElements", [site.x.name, indices], axis=front), indices
    return TensorExpr(site, values, keys.dtype).cast(x.dtype).name, indices


def _make_sort_keys(x: TensorExpr) -> TensorExpr:
    """Make numbers in the same order, with NaN as the greatest: TopK does not say where NaN goes."""
    wide = x.cast(_WIDER.get(x.dtype.name, x.dtype))
    if not x.dtype.is_float:
        return wide
    greatest = float(np.finfo(numpy_dtype(wide.dtype)).max)
    return is_nan(x).choose(wide.like(inf), wide.op("Min", greatest))


@emits(Bucketize, onnx="Unsqueeze, GreaterOrEqual or Greater, Not and ReduceSum")
def emit_bucketize(op: Bucketize, site: Site) -> str:
    """Count the boundaries that a search would pass, which are all of them for NaN."""
    dtype = result_type(site.given)
    if dtype.size < 4:
        dtype = FLOAT32 if dtype.is_float else INT32
    column = TensorExpr(site, site.add("Unsqueeze", [site.x.cast(dtype).name, site.ints([site.given.x.rank])]), dtype)
    # The comparison is false for NaN, so its negation counts every boundary.
    stop = site.boundaries.cast(dtype).op("Greater" if op.right else "GreaterOrEqual", column, to=BOOL)
    passed = stop.negation().cast(INT64)
    return site.add("ReduceSum", [passed.name, site.ints([-1])], keepdims=0)
