"""Orders of elements."""

from __future__ import annotations

from ....ir.graph_values import Value
from ....ops.operator import numel
from ....types.tensor_types import INT64
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import reads


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


@reads("median")
def median(site: AtenSite) -> Value | tuple[Value | None, ...]:
    """The lower one of the two in the middle, or NaN if there is one: `sort` puts NaN last."""
    x = site.tensor()
    if "dim" not in site.args:
        return _median(site, site.reshape(x, (numel(x.type.shape),)), 0, False)[0]
    if not x.type.rank:
        raise ImportRefused("is of a tensor without axes")
    values, indices = _median(site, x, site.integer("dim") % x.type.rank, site.reads_result(1))
    if site.args["keepdim"]:
        axis = site.integer("dim") % x.type.rank
        values = site.one("unsqueeze", values, axis=axis)
        indices = None if indices is None else site.one("unsqueeze", indices, axis=axis)
    return values, indices


def _median(site: AtenSite, x: Value, axis: int, needs_indices: bool) -> tuple[Value, Value | None]:
    size = x.type.shape[axis]
    ordered, places = site.apply("sort", x, axis=axis, descending=False, stable=True)
    values = site.one("select", ordered, axis=axis, index=(size - 1) // 2)
    indices = site.one("select", places, axis=axis, index=(size - 1) // 2) if needs_indices else None
    if not x.type.dtype.is_float:
        return values, indices
    last = site.one("select", ordered, axis=axis, index=size - 1)
    unordered = site.one("isnan", last)
    if indices is not None:
        first = site.one("argmax", site.one("cast", site.one("isnan", x), dtype=INT64), axis=axis)
        indices = site.one("where", unordered, first, indices)
    return site.one("where", unordered, last, values), indices


@reads("bucketize")
def bucketize(site: AtenSite) -> Value:
    return site.one("bucketize", site.tensor(), site.tensor("boundaries"), right=bool(site.args["right"]))
