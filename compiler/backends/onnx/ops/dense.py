"""Dense layers in ONNX."""

from __future__ import annotations

from ....ir.types import FLOAT32
from ....ops.dense import Bilinear, Dense, Embedding
from ..table import Site, emits


@emits(Dense)
def dense(op: Dense, site: Site) -> str:
    x, weight = site.inputs[0], site.parameter("weight")
    if site.given[0].rank == 2:
        return site.add("Gemm", [x, weight, site.parameter("bias") if op.bias else ""], transB=1)
    y = site.add("MatMul", [x, site.add("Transpose", [weight], perm=[1, 0])])
    return site.add("Add", [y, site.parameter("bias")]) if op.bias else y


@emits(Bilinear)
def bilinear(op: Bilinear, site: Site) -> str:
    a = site.given[0]
    outer = "abcdefgh"[: a.rank - 1]
    equation = f"{outer}x,zxy,{outer}y->{outer}z"
    terms = [site.inputs[0], site.parameter("weight"), site.inputs[1]]
    # Einsum leaves bfloat16 out.
    if a.dtype.name == "bfloat16":
        y = site.cast(site.add("Einsum", [site.cast(t, FLOAT32) for t in terms], equation=equation), a.dtype)
    else:
        y = site.add("Einsum", terms, equation=equation)
    return site.add("Add", [y, site.parameter("bias")]) if op.bias else y


@emits(Embedding)
def embedding(op: Embedding, site: Site) -> str:
    return site.add("Gather", [site.parameter("weight"), site.inputs[0]], axis=0)
