"""Writes sorting in PyTorch: `x.topk(3)`. Values and indices come together; `.values` gives the values alone."""

from __future__ import annotations

from ....ops.sorting import Argsort, Bucketize, Sort, Topk
from ...python.code.python_expressions import AttributeCode, Code, Default, call_function, call_method, to_code
from ..torch_emitters import TorchSite, function


@function(Topk, target="torch.topk")
def emit_topk(op: Topk, site: TorchSite) -> Code:
    both = call_method(
        site.x, "topk", to_code(op.k, "k"), dim=Default(op.axis, -1), largest=Default(op.largest, True), sorted=Default(op.sorted, True)
    )
    return both if len(site.results) == 2 else AttributeCode(both, "values")


@function(Sort, target="torch.sort")
def emit_sort(op: Sort, site: TorchSite) -> Code:
    both = call_method(site.x, "sort", **_list_keywords(op))
    return both if len(site.results) == 2 else AttributeCode(both, "values")


@function(Argsort, target="torch.argsort")
def emit_argsort(op: Argsort, site: TorchSite) -> Code:
    return call_method(site.x, "argsort", **_list_keywords(op))


def _list_keywords(op: Sort | Argsort) -> dict[str, object]:
    return {"dim": Default(op.axis, -1), "descending": Default(op.descending, False), "stable": Default(op.stable, False)}


@function(Bucketize, target="torch.bucketize")
def emit_bucketize(op: Bucketize, site: TorchSite) -> Code:
    return call_function("torch.bucketize", site.x, site.boundaries, right=Default(op.right, False))
