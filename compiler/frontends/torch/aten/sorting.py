"""Reads operators that sort elements or rank them. `median`, which netc does not have, becomes a `sort` and a `select`."""

from __future__ import annotations

from ....ir.graph_values import Value
from ....ops.operator import numel
from ....types.tensor_types import INT64
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import reads


@reads("topk")
def read_topk(site: AtenSite) -> tuple[Value, ...]:
    return site.apply_multi_op(
        "topk",
        site.tensor(),
        k=site.size("k"),
        axis=site.integer("dim"),
        largest=bool(site.args["largest"]),
        sorted=bool(site.args["sorted"]),
    )


@reads("sort")
def read_sort(site: AtenSite) -> tuple[Value, ...]:
    return site.apply_multi_op(
        "sort",
        site.tensor(),
        axis=site.integer("dim"),
        descending=bool(site.args["descending"]),
        stable=bool(site.args.get("stable")),
    )


@reads("argsort")
def read_argsort(site: AtenSite) -> Value:
    return site.apply_op(
        "argsort",
        site.tensor(),
        axis=site.integer("dim"),
        descending=bool(site.args["descending"]),
        stable=bool(site.args.get("stable")),
    )


@reads("median")
def read_median(site: AtenSite) -> Value | tuple[Value | None, ...]:
    """Read the median by sorting: the lower one of the two elements in the middle, or NaN if there is one, which `sort` puts last."""
    x = site.tensor()
    if "dim" not in site.args:
        return _select_median(site, site.reshape(x, (numel(x.type.shape),)), 0, False)[0]
    if not x.type.rank:
        raise ImportRefused("is of a tensor without axes")
    values, indices = _select_median(site, x, site.integer("dim") % x.type.rank, site.reads_result(1))
    if site.args["keepdim"]:
        axis = site.integer("dim") % x.type.rank
        values = site.apply_op("unsqueeze", values, axis=axis)
        indices = None if indices is None else site.apply_op("unsqueeze", indices, axis=axis)
    return values, indices


def _select_median(site: AtenSite, x: Value, axis: int, needs_indices: bool) -> tuple[Value, Value | None]:
    size = x.type.shape[axis]
    ordered, places = site.apply_multi_op("sort", x, axis=axis, descending=False, stable=True)
    values = site.apply_op("select", ordered, axis=axis, index=(size - 1) // 2)
    indices = site.apply_op("select", places, axis=axis, index=(size - 1) // 2) if needs_indices else None
    if not x.type.dtype.is_float:
        return values, indices
    last = site.apply_op("select", ordered, axis=axis, index=size - 1)
    unordered = site.apply_op("isnan", last)
    if indices is not None:
        first = site.apply_op("argmax", site.apply_op("cast", site.apply_op("isnan", x), dtype=INT64), axis=axis)
        indices = site.apply_op("where", unordered, first, indices)
    return site.apply_op("where", unordered, last, values), indices


@reads("bucketize")
def read_bucketize(site: AtenSite) -> Value:
    return _find_buckets(site, site.tensor("boundaries"), bool(site.args["right"]))


@reads("searchsorted")
def read_searchsorted(site: AtenSite) -> Value:
    """Read a search in one sequence, which is what `bucketize` does."""
    boundaries = site.tensor("sorted_sequence")
    if boundaries.type.rank != 1:
        raise ImportRefused("searches in several sequences", "search in one, or count the smaller elements of each")
    return _find_buckets(site, boundaries, bool(site.args["right"]) or site.args["side"] == "right")


def _find_buckets(site: AtenSite, boundaries: Value, right: bool) -> Value:
    site.leave_to_result("out_int32")
    return site.cast(site.apply_op("bucketize", site.tensor(), boundaries, right=right), site.result_dtype)
