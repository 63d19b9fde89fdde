"""Dense layers in ONNX."""

from __future__ import annotations

from math import inf

from ....ir.types import BOOL, FLOAT32, INT64
from ....ops.dense import Bilinear, Dense, Embedding, EmbeddingBag
from ..expressions import TensorExpr
from ..table import Site, emits


@emits(Dense, onnx="Gemm, or MatMul and Add")
def dense(op: Dense, site: Site) -> str:
    x, weight = site.x.name, site.parameter("weight")
    if site.given.x.rank == 2:
        return site.add("Gemm", [x, weight, site.parameter("bias") if op.has_bias(site.given) else ""], transB=1)
    y = site.add("MatMul", [x, site.add("Transpose", [weight], perm=[1, 0])])
    return site.add("Add", [y, site.parameter("bias")]) if op.has_bias(site.given) else y


@emits(Bilinear, onnx="Einsum")
def bilinear(op: Bilinear, site: Site) -> str:
    a = site.given.a
    outer = "abcdefgh"[: a.rank - 1]
    equation = f"{outer}x,zxy,{outer}y->{outer}z"
    terms = [site.a.name, site.parameter("weight"), site.b.name]
    # Einsum leaves bfloat16 out.
    if a.dtype.name == "bfloat16":
        y = site.cast(site.add("Einsum", [site.cast(t, FLOAT32) for t in terms], equation=equation), a.dtype)
    else:
        y = site.add("Einsum", terms, equation=equation)
    return site.add("Add", [y, site.parameter("bias")]) if op.has_bias(site.given) else y


@emits(Embedding, onnx="Gather")
def embedding(op: Embedding, site: Site) -> str:
    return site.add("Gather", [site.parameter("weight"), site.indices.name], axis=0)


@emits(EmbeddingBag, onnx="Gather and ReduceMean, ReduceSum or ReduceMax")
def embedding_bag(op: EmbeddingBag, site: Site) -> str:
    """Of the rows that count; the others are what the reduction does not see."""
    rows = TensorExpr(site, site.add("Gather", [site.parameter("weight"), site.indices.name], axis=0), op.dtype)
    if "per_sample_weights" in site.given:
        rows = rows * TensorExpr(site, site.add("Unsqueeze", [site.per_sample_weights.name, site.ints([2])]), op.dtype)

    def reduced(y: TensorExpr, op_type: str) -> TensorExpr:
        return TensorExpr(site, site.add(op_type, [y.name, site.ints([1])], keepdims=0), y.dtype)

    op_type = {"mean": "ReduceMean", "sum": "ReduceSum", "max": "ReduceMax"}[op.mode]
    if op.padding_idx is None:
        return reduced(rows, op_type).name
    assert isinstance(op.num, int)
    left_out = site.indices.equal(op.padding_idx % op.num)
    counted = TensorExpr(site, site.add("Unsqueeze", [left_out.negation().name, site.ints([2])]), BOOL)
    some = reduced(counted.cast(INT64), "ReduceMax").truth()
    if op.mode == "max":
        return some.choose(reduced(counted.choose(rows, -inf), "ReduceMax"), 0.0).name
    total = reduced(counted.choose(rows, 0.0), "ReduceSum")
    if op.mode == "sum":
        return total.name
    return (total / reduced(counted.cast(op.dtype), "ReduceSum").op("Max", 1.0)).name
