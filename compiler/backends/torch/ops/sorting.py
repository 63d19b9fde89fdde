"""Order in PyTorch: `x.topk(3)`. Values and indices come together; the values alone are an attribute."""

from __future__ import annotations

from ....ops.sorting import Argsort, Bucketize, Sort, Topk
from ...python.code.python_expressions import AttributeCode, Code, call, lit, method
from ..torch_emitters import TorchSite, function


@function(Topk, torch="torch.topk")
def topk(op: Topk, site: TorchSite) -> Code:
    both = method(site.x, "topk", lit(op.k, "k"), dim=(op.axis, -1), largest=(op.largest, True), sorted=(op.sorted, True))
    return both if len(site.results) == 2 else AttributeCode(both, "values")


@function(Sort, torch="torch.sort")
def sort(op: Sort, site: TorchSite) -> Code:
    both = method(site.x, "sort", **_keywords(op))
    return both if len(site.results) == 2 else AttributeCode(both, "values")


@function(Argsort, torch="torch.argsort")
def argsort(op: Argsort, site: TorchSite) -> Code:
    return method(site.x, "argsort", **_keywords(op))


def _keywords(op: Sort | Argsort) -> dict[str, object]:
    return {"dim": (op.axis, -1), "descending": (op.descending, False), "stable": (op.stable, False)}


@function(Bucketize, torch="torch.bucketize")
def bucketize(op: Bucketize, site: TorchSite) -> Code:
    return call("torch.bucketize", site.x, site.boundaries, right=(op.right, False))
