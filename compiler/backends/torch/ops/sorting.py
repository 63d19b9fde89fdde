"""Order along an axis in PyTorch: `x.topk(3)`. Values and places come together; the values alone are an attribute."""

from __future__ import annotations

from ....ops.sorting import Argsort, Sort, Topk
from ..code import AttributeCode, Code, Ref, lit, method
from ..table import TorchSite, function


@function(Topk)
def topk(op: Topk, site: TorchSite) -> Code:
    both = method(Ref(0), "topk", lit(op.k, "k"), dim=(op.axis, -1), largest=(op.largest, True), sorted=(op.sorted, True))
    return both if len(site.results) == 2 else AttributeCode(both, "values")


@function(Sort)
def sort(op: Sort, site: TorchSite) -> Code:
    both = method(Ref(0), "sort", **_keywords(op))
    return both if len(site.results) == 2 else AttributeCode(both, "values")


@function(Argsort)
def argsort(op: Argsort, site: TorchSite) -> Code:
    return method(Ref(0), "argsort", **_keywords(op))


def _keywords(op: Sort | Argsort) -> dict[str, object]:
    return {"dim": (op.axis, -1), "descending": (op.descending, False), "stable": (op.stable, False)}
