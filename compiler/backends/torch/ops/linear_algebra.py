"""Writes linear algebra in PyTorch: `torch.einsum("bij,bjk->bik", x, y)`."""

from __future__ import annotations

from ....ops.linear_algebra import Cdist, CosineSimilarity, Cross, Einsum, Outer
from ...python.code.python_expressions import Code, Default, call_function
from ..torch_emitters import TorchSite, function


@function(Einsum, target="torch.einsum")
def emit_einsum(op: Einsum, site: TorchSite) -> Code:
    return call_function("torch.einsum", op.equation, *site.inputs)


@function(Outer, target="torch.outer")
def emit_outer(op: Outer, site: TorchSite) -> Code:
    return call_function("torch.outer", site.x, site.other)


@function(CosineSimilarity, target="torch.nn.functional.cosine_similarity")
def emit_cosine_similarity(op: CosineSimilarity, site: TorchSite) -> Code:
    return call_function("F.cosine_similarity", site.x, site.other, dim=Default(op.axis, 1), eps=Default(op.eps, 1e-8))


@function(Cross, target="torch.linalg.cross")
def emit_cross(op: Cross, site: TorchSite) -> Code:
    return call_function("torch.linalg.cross", site.x, site.other, dim=Default(op.axis, -1))


@function(Cdist, target="torch.cdist")
def emit_cdist(op: Cdist, site: TorchSite) -> Code:
    return call_function("torch.cdist", site.x, site.other, p=Default(op.p, 2))
