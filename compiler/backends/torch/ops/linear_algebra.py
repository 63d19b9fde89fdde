"""Linear algebra in PyTorch: `x @ y`, `torch.einsum("bij,bjk->bik", x, y)`."""

from __future__ import annotations

from ....ops.linear_algebra import Cdist, CosineSimilarity, Cross, Einsum, Matmul, Outer
from ...python.code.python_expressions import Code, Infix, call
from ..torch_emitters import TorchSite, function


@function(Matmul, torch="torch.matmul")
def matmul(op: Matmul, site: TorchSite) -> Code:
    return Infix(op.symbol, site.x, site.other)


@function(Einsum, torch="torch.einsum")
def einsum(op: Einsum, site: TorchSite) -> Code:
    return call("torch.einsum", op.equation, *site.inputs)


@function(Outer, torch="torch.outer")
def outer(op: Outer, site: TorchSite) -> Code:
    return call("torch.outer", site.x, site.other)


@function(CosineSimilarity, torch="torch.nn.functional.cosine_similarity")
def cosine_similarity(op: CosineSimilarity, site: TorchSite) -> Code:
    return call("F.cosine_similarity", site.x, site.other, dim=(op.axis, 1), eps=(op.eps, 1e-8))


@function(Cross, torch="torch.linalg.cross")
def cross(op: Cross, site: TorchSite) -> Code:
    return call("torch.linalg.cross", site.x, site.other, dim=(op.axis, -1))


@function(Cdist, torch="torch.cdist")
def cdist(op: Cdist, site: TorchSite) -> Code:
    return call("torch.cdist", site.x, site.other, p=(op.p, 2))
