"""Dense layers in ONNX."""

from __future__ import annotations

from ....ir.types import FLOAT32
from ....ops.dense import Bilinear, Dense, Embedding
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
