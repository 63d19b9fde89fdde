"""Linear algebra in PyTorch: `x @ y`, `torch.einsum("bij,bjk->bik", x, y)`."""

from __future__ import annotations

from ....ops.linear_algebra import CosineSimilarity, Einsum, Matmul, Outer
from ..code import Code, Infix, Ref, call
from ..table import TorchSite, function


@function(Matmul)
def matmul(op: Matmul, site: TorchSite) -> Code:
    return Infix(op.symbol, Ref(0), Ref(1))


@function(Einsum)
def einsum(op: Einsum, site: TorchSite) -> Code:
    return call("torch.einsum", op.equation, *(Ref(i) for i in range(len(site.given))))


@function(Outer)
def outer(op: Outer, site: TorchSite) -> Code:
    return call("torch.outer", Ref(0), Ref(1))


@function(CosineSimilarity)
def cosine_similarity(op: CosineSimilarity, site: TorchSite) -> Code:
    return call("F.cosine_similarity", Ref(0), Ref(1), dim=(op.axis, 1), eps=(op.eps, 1e-8))
