"""Emit cumulative maxima, minima and log-sum-exp, and differences of neighbors, as ONNX nodes.

>>> import netc
>>> [node.op_type for node in netc.compile("input [4, 3] -> diff axis=1").onnx().graph.node]
['Slice', 'Slice', 'Sub']
"""

from __future__ import annotations

from math import inf, nan

from ....dims import Dim
from ....ops.axes import normalize_axis
from ....ops.cumulative import Cummax, Cummin, CumulativeExtreme, Diff, Logcumsumexp
from ....types.tensor_types import BOOL, FLOAT32, INT64
from ..onnx_emitters import Site, emits
from ..prefixes import Parts, Triangle, scan_by_doubling
from ..tensor_expressions import INT32, TensorExpr, compute_precisely
from .binary import compute_logaddexp


@emits(Logcumsumexp, onnx="Exp, ReduceSum and Log")
def emit_logcumsumexp(op: Logcumsumexp, site: Site) -> str:
    x_type = site.given.x
    if not x_type.rank:
        return site.x.op("Identity").name
    axis = normalize_axis(op.name, op.axis, x_type)
    size = x_type.shape[axis]

    def steps(x: TensorExpr) -> TensorExpr:
        if isinstance(size, int):
            return scan_by_doubling((x,), axis, size, lambda before, after: (compute_logaddexp(before[0], after[0]),))[0]
        return _log_sum_exponentials(x, Triangle(x, axis, x_type.rank, size))

    return compute_precisely(site.x, steps).name


def _log_sum_exponentials(x: TensorExpr, pairs: Triangle) -> TensorExpr:
    """Compute the logarithm of cumulative sums of exponentials, from all pairs."""
    # Factoring the greatest exponent out of the sum avoids overflow; an infinite one would give NaN.
    each = pairs.is_before.choose(pairs.repeat_elements(x), -inf)
    greatest = pairs.reduce_pairs(each, "ReduceMax")
    scale = abs(greatest).less(inf).choose(greatest, 0.0)
    return pairs.drop_axis(pairs.reduce_pairs((each - scale).exp(), "ReduceSum").log() + scale)


@emits(Cummax, Cummin, onnx={Cummax: "GreaterOrEqual and Where, or ReduceMax", Cummin: "LessOrEqual and Where, or ReduceMin"})
def emit_cumulative_extreme(op: CumulativeExtreme, site: Site) -> str | tuple[str, ...]:
    x_type = site.given.x
    if not x_type.rank:
        return (site.x.op("Identity").name, site.scalar(0, INT64))[: len(site.results)]
    axis = normalize_axis(op.name, op.axis, x_type)
    size = x_type.shape[axis]
    # ONNX Runtime 1.31 has ReduceMax for neither INT16 nor BFLOAT16: compute all smaller types in 32 bits.
    x = site.x
    if x.dtype.size < 4:
        x = x.cast(FLOAT32 if x.dtype.is_float else INT32)
    values, indices = (
        _scan_by_doubling(op, x, axis, size, x_type.rank) if isinstance(size, int) else _reduce_all_pairs(op, x, axis, size, x_type.rank)
    )
    return (values.cast(x_type.dtype).name, indices.name)[: len(site.results)]


def _scan_by_doubling(op: CumulativeExtreme, x: TensorExpr, axis: int, size: int, rank: int) -> Parts:
    compare = "GreaterOrEqual" if isinstance(op, Cummax) else "LessOrEqual"

    def choose_extreme(before: Parts, after: Parts) -> Parts:
        chosen = after[0].op(compare, before[0], to=BOOL)
        if x.dtype.is_float:
            # A NaN after a number is the extreme, and the last of several NaNs has the index.
            chosen = chosen.op("Or", after[0].op("IsNaN", to=BOOL))
        return tuple(chosen.choose(new, old) for old, new in zip(before, after, strict=True))

    site = x.site
    count = TensorExpr(site, site.add("Range", [site.scalar(n, INT64) for n in (0, size, 1)]), INT64)
    column = count.op("Reshape", TensorExpr(site, site.ints([-1, *[1] * (rank - 1 - axis)]), INT64))
    indices = column.op("Expand", TensorExpr(site, site.add("Shape", [x.name]), INT64))
    return scan_by_doubling((x, indices), axis, size, choose_extreme)


def _reduce_all_pairs(op: CumulativeExtreme, x: TensorExpr, axis: int, size: Dim, rank: int) -> Parts:
    """Compute cumulative extremes and their indices from all pairs."""
    # PyTorch reports the last index with the extreme value. NaN equals nothing, so its index is found apart.
    pairs, most = Triangle(x, axis, rank, size), isinstance(op, Cummax)
    low, high = (-inf, inf) if x.dtype.is_float else x.dtype.limits
    each = pairs.repeat_elements(x)
    is_nan = each.op("IsNaN", to=BOOL) if x.dtype.is_float else None
    neutral = low if most else high
    known = each if is_nan is None else is_nan.choose(x.like(neutral), each)
    values = pairs.reduce_pairs(pairs.is_before.choose(known, neutral), "ReduceMax" if most else "ReduceMin")
    indices = pairs.find_last_index(known.equal(values))
    if is_nan is not None:
        last = pairs.find_last_index(is_nan)
        has_nan = last.greater(-1)
        values, indices = has_nan.choose(x.like(nan), values), has_nan.choose(last, indices)
    return pairs.drop_axis(values), pairs.drop_axis(indices)


@emits(Diff, onnx="Slice and Sub")
def emit_diff(op: Diff, site: Site) -> str:
    x, axis = site.x, normalize_axis(op.name, op.axis, site.given.x)
    if x.dtype.is_integer and x.dtype.size < 4:
        x = x.cast(INT32)
    end = 2**63 - 1
    for _ in range(op.n):
        after, before = (
            TensorExpr(site, site.add("Slice", [x.name, *(site.ints([n]) for n in (start, stop, axis))]), x.dtype)
            for start, stop in ((1, end), (0, -1))
        )
        # The difference of booleans is their exclusive or.
        x = after.op("Xor" if x.dtype == BOOL else "Sub", before)
    return x.cast(site.given.x.dtype).name
