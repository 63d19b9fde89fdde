"""Reads comparisons, logic, and choices by a condition: `torch.where(x > 0, x, 0)` becomes `where other=0`."""

from __future__ import annotations

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import READERS, reads
from .arithmetic import make_binary_reader

for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    READERS[_name] = make_binary_reader(_name)
for _name, _operator in (("less", "lt"), ("less_equal", "le"), ("greater", "gt"), ("greater_equal", "ge"), ("not_equal", "ne")):
    READERS[_name] = make_binary_reader(_operator)


@reads("logical_and", "logical_or", "logical_xor")
def read_logical(site: AtenSite) -> Value:
    return site.apply_op(site.name, site.tensor(), site.tensor("other"))


@reads("where")
def read_where(site: AtenSite) -> Value:
    condition = site.tensor("condition")
    if "other" not in site.args:
        raise ImportRefused("lists where a mask is true: the size of the result depends on the values")
    other, first = site.number_of("other"), site.number_of("self")
    if other is not None and first is not None:
        # netc's `where` takes a number on one side only. A table of one element broadcasts.
        filled = site.apply_op("table", indices=("_",), shape=(1,), formula=site.constant_formula(first), dtype=site.result_dtype)
        return site.reshape(site.apply_op("where", condition, filled, other=other), site.result_shape())
    if other is not None:
        return site.apply_op("where", condition, site.widened_tensor("other"), other=other)
    if first is not None:
        return site.apply_op("where", condition, site.widened_tensor("self", "other"), other=first, reverse=True)
    return site.apply_op("where", condition, site.tensor(), site.tensor("other"))


@reads("masked_fill")
def read_masked_fill(site: AtenSite) -> Value:
    value = site.number_of("value")
    x, mask = site.tensor(), site.tensor("mask")
    if value is None:
        return site.apply_op("where", mask, site.tensor("value"), x)
    return site.apply_op("masked_fill", x, mask, value=value)


@reads("any", "all")
def read_any_all(site: AtenSite) -> Value:
    return site.apply_op(site.name, site.tensor(), axis=site.axes(), keepdim=bool(site.args.get("keepdim")))
