"""Writes elements by their indices in PyTorch: `x.gather(1, index)`."""

from __future__ import annotations

from ....ops.indexing import Gather, IndexAdd, IndexSelect, MaskedFill, OneHot, Scatter, ScatterReduce, Tril, Triu, convert_fill_value
from ....types.tensor_types import INT64
from ...python.code.python_expressions import Code, Default, call_function, call_method, shorten_float, to_code
from ..torch_emitters import TorchSite, function
from .shape import emit_cast_to


def _emit_index(site: TorchSite) -> Code:
    """Convert indices of int32, which only newer versions of PyTorch accept here."""
    return site.index if site.given.index.dtype == INT64 else emit_cast_to(site.index, INT64)


def _emit_fill_value(op: Scatter | MaskedFill, site: TorchSite) -> Code:
    """Write an integral float as an integer: `masked_fill(mask, 0)`. PyTorch takes no integer beyond 64 bits."""
    return to_code(shorten_float(convert_fill_value(op.name, op.value, site.given.x.dtype)), "value")


@function(Gather, target="torch.gather")
def emit_gather(op: Gather, site: TorchSite) -> Code:
    return call_method(site.x, "gather", op.axis, _emit_index(site))


@function(Scatter, target="torch.scatter, torch.scatter_add")
def emit_scatter(op: Scatter, site: TorchSite) -> Code:
    if op.value is not None:
        return call_method(site.x, "scatter", op.axis, _emit_index(site), _emit_fill_value(op, site), reduce=Default(op.reduce, None))
    # With `src`, PyTorch has other methods in the place of `reduce`.
    names = {"add": "scatter_add", "multiply": "scatter_reduce", None: "scatter"}
    reduce = "prod" if op.reduce == "multiply" else None
    return call_method(site.x, names[op.reduce], op.axis, _emit_index(site), site.src, reduce=Default(reduce, None))


@function(ScatterReduce, target="torch.scatter_reduce")
def emit_scatter_reduce(op: ScatterReduce, site: TorchSite) -> Code:
    return call_method(
        site.x, "scatter_reduce", op.axis, _emit_index(site), site.src, reduce=op.reduce, include_self=Default(op.include_self, True)
    )


@function(IndexSelect, target="torch.index_select")
def emit_index_select(op: IndexSelect, site: TorchSite) -> Code:
    return call_method(site.x, "index_select", op.axis, site.index)


@function(IndexAdd, target="torch.index_add")
def emit_index_add(op: IndexAdd, site: TorchSite) -> Code:
    return call_method(site.x, "index_add", op.axis, site.index, site.source, alpha=Default(op.alpha, 1))


@function(OneHot, target="torch.nn.functional.one_hot")
def emit_one_hot(op: OneHot, site: TorchSite) -> Code:
    # `F.one_hot` has no argument for the type, and returns int64.
    code = call_function("F.one_hot", site.indices, to_code(op.classes, "num_classes"))
    return code if op.dtype == INT64 else emit_cast_to(code, op.dtype)


@function(Tril, Triu, target="torch.{}")
def emit_triangle(op: Tril | Triu, site: TorchSite) -> Code:
    return call_method(site.x, op.name, *([] if op.diagonal == 0 else [to_code(op.diagonal, "diagonal")]))


@function(MaskedFill, target="torch.Tensor.masked_fill")
def emit_masked_fill(op: MaskedFill, site: TorchSite) -> Code:
    return call_method(site.x, "masked_fill", site.mask, _emit_fill_value(op, site))
