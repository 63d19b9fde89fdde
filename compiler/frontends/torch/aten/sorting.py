"""Orders of elements."""

from __future__ import annotations

from ....ir.values import Value
from ..site import AtenSite
from ..table import reads


@reads("topk")
def topk(site: AtenSite) -> tuple[Value, ...]:
    return site.apply(
        "topk",
        site.tensor(),
        k=site.size("k"),
        axis=site.integer("dim"),
        largest=bool(site.args["largest"]),
        sorted=bool(site.args["sorted"]),
    )


@reads("sort")
def sort(site: AtenSite) -> tuple[Value, ...]:
    return site.apply(
        "sort",
        site.tensor(),
        axis=site.integer("dim"),
        descending=bool(site.args["descending"]),
        stable=bool(site.args.get("stable")),
    )


@reads("argsort")
def argsort(site: AtenSite) -> Value:
    return site.one(
        "argsort",
        site.tensor(),
        axis=site.integer("dim"),
        descending=bool(site.args["descending"]),
        stable=bool(site.args.get("stable")),
    )


@reads("bucketize")
def bucketize(site: AtenSite) -> Value:
    return site.one("bucketize", site.tensor(), site.tensor("boundaries"), right=bool(site.args["right"]))
