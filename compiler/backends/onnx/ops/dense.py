"""Emit dense layers, embeddings and bags of embeddings as ONNX nodes.

>>> import netc
>>> [node.op_type for node in netc.compile("x = input [] int64; x -> embedding 10 4 -> dense 2").onnx().graph.node]
['Gather', 'Gemm']
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from ....dims import Dim
from ....ops.dense import Bilinear, Dense, Embedding, EmbeddingBag
from ....types.tensor_types import BOOL, FLOAT32, INT64
from ..norms import p_norm, reduce_axes
from ..onnx_emitters import Site, emits
from ..tensor_expressions import TensorExpr, compute_precisely


@emits(Dense, onnx="Gemm, or MatMul and Add")
def emit_dense(op: Dense, site: Site) -> str:
    x, weight = site.x.name, site.parameter("weight")
    # Gemm takes matrices only.
    if site.given.x.rank == 2:
        bias = [site.parameter("bias")] if op.has_bias(site.given) else []  # ONNX Runtime's quantizer takes `""` for a tensor
        return site.add("Gemm", [x, weight, *bias], transB=1)
    y = site.add("MatMul", [x, site.add("Transpose", [weight], perm=[1, 0])])
    return site.add("Add", [y, site.parameter("bias")]) if op.has_bias(site.given) else y


@emits(Bilinear, onnx="Einsum")
def emit_bilinear(op: Bilinear, site: Site) -> str:
    a = site.given.a
    outer = "abcdefgh"[: a.rank - 1]
    equation = f"{outer}x,zxy,{outer}y->{outer}z"
    terms = [site.a.name, site.parameter("weight"), site.b.name]
    # ONNX does not declare Einsum for bfloat16.
    if a.dtype.name == "bfloat16":
        y = site.cast(site.add("Einsum", [site.cast(t, FLOAT32) for t in terms], equation=equation), a.dtype)
    else:
        y = site.add("Einsum", terms, equation=equation)
    return site.add("Add", [y, site.parameter("bias")]) if op.has_bias(site.given) else y


@emits(Embedding, onnx="Gather")
def emit_embedding(op: Embedding, site: Site) -> str:
    return _gather_rows(op, site).name


def _gather_rows(op: Embedding | EmbeddingBag, site: Site) -> TensorExpr:
    """Look up the rows; scale those longer than `max_norm` down to it."""
    dtype = site.results[0].dtype
    rows = TensorExpr(site, site.add("Gather", [site.parameter("weight"), site.indices.name], axis=0), dtype)
    if op.max_norm is None:
        return rows
    # PyTorch adds the same 1e-7 to a length before it divides by it.
    lengths = compute_precisely(rows, lambda x: p_norm(x, float(op.norm_type), [-1], keepdims=True))
    return lengths.greater(float(op.max_norm)).choose(rows * (lengths.like(float(op.max_norm)) / (lengths + 1e-7)), rows)


Reduce = Callable[[TensorExpr, str], TensorExpr]
"""Reduces the rows of each bag, by `add` or `max`."""


@emits(EmbeddingBag, onnx="Gather and ReduceMean, ReduceSum or ReduceMax; CumSum and ScatterElements with offsets")
def emit_embedding_bag(op: EmbeddingBag, site: Site) -> str:
    rows, rank = _gather_rows(op, site), site.given.indices.rank
    if "per_sample_weights" in site.given:
        rows = rows * TensorExpr(site, site.add("Unsqueeze", [site.per_sample_weights.name, site.ints([rank])]), op.dtype)
    counted = None
    # Rows of the padding index do not count: the reduction sees its neutral element there.
    if op.padding_idx is not None:
        assert isinstance(op.num, int)
        left_out = site.indices.equal(op.padding_idx % op.num)
        counted = TensorExpr(site, site.add("Unsqueeze", [left_out.negation().name, site.ints([rank])]), BOOL)
    if "offsets" in site.given:
        return compute_precisely(rows, lambda x: _reduce_bags(op, x, counted, _make_offset_reducer(op, site))).name
    if counted is None:
        return reduce_axes(rows, {"mean": "ReduceMean", "sum": "ReduceSum", "max": "ReduceMax"}[op.mode], [1]).name
    return compute_precisely(rows, lambda x: _reduce_bags(op, x, counted, _reduce_bag_axis)).name


def _reduce_bags(op: EmbeddingBag, rows: TensorExpr, counted: TensorExpr | None, reduce: Reduce) -> TensorExpr:
    if op.mode == "sum":
        return reduce(rows if counted is None else counted.choose(rows, 0.0), "add")
    # The mean divides by the rows that count, which differ from bag to bag.
    number = reduce(_make_ones(rows) if counted is None else counted.cast(rows.dtype), "add")
    if op.mode == "max":
        return number.truth().choose(reduce(rows if counted is None else counted.choose(rows, -inf), "max"), 0.0)
    return reduce(rows if counted is None else counted.choose(rows, 0.0), "add") / number.op("Max", 1.0)


def _make_ones(rows: TensorExpr) -> TensorExpr:
    """Make a column of ones, one for each row of [indices, D]."""
    one = TensorExpr(rows.site, rows.site.ints([1]), INT64)
    return rows.like(1.0).op("Expand", rows.op("Shape", to=INT64, end=1).op("Concat", one, axis=0))


def _reduce_bag_axis(y: TensorExpr, how: str) -> TensorExpr:
    """Reduce rows [N, indices, D] to [N, D]."""
    return reduce_axes(y, {"add": "ReduceSum", "max": "ReduceMax"}[how], [1])


def _make_offset_reducer(op: EmbeddingBag, site: Site) -> Reduce:
    """Make a function that reduces rows [indices, D] to bags [count, D]."""
    (length,), (count,) = site.given.indices.shape, site.given.offsets.shape
    zero, one = (TensorExpr(site, site.scalar(n, INT64), INT64) for n in (0, 1))
    # Each index belongs to the last bag that does not begin after it: count the beginnings so far.
    begins = zero.op("Expand", _make_ints(site, (length + 1,)))
    ones = one.op("Expand", _make_ints(site, (count,)))
    begins = begins.op("ScatterElements", site.offsets.cast(INT64), ones, axis=0, reduction="add")
    bags = begins.op("CumSum", zero).op("Slice", _make_ints(site, (0,)), _make_ints(site, (length,))) - 1

    def reduce(y: TensorExpr, how: str) -> TensorExpr:
        index = TensorExpr(site, site.add("Unsqueeze", [bags.name, site.ints([1])]), INT64).op("Expand", y.op("Shape", to=INT64))
        shape = _make_ints(site, (count,)).op("Concat", y.op("Shape", to=INT64, start=1), axis=0)
        none = y.like(0.0 if how == "add" else -inf).op("Expand", shape)
        totals = none.op("ScatterElements", index, y, axis=0, reduction=how)
        # With `include_last_offset`, the last offset is the end, and begins no bag.
        return totals.op("Slice", _make_ints(site, (0,)), _make_ints(site, (-1,))) if op.include_last_offset else totals

    return reduce


def _make_ints(site: Site, values: tuple[Dim, ...]) -> TensorExpr:
    return TensorExpr(site, site.ints(values), INT64)
