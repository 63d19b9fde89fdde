"""Writes changes of shape in PyTorch as methods of the tensor: `x.flatten(1)`."""

from __future__ import annotations

from collections.abc import Sequence

from ....dims import Dim, SymDim, format_dim
from ....ops.shape import Cast, Expand, Flatten, Permute, Reshape, Squeeze, Transpose, Unflatten, Unsqueeze
from ....types.tensor_types import DType, Shape
from ...python.code.class_tree import ParameterRef, Starred
from ...python.code.python_expressions import (
    AttributeCode,
    Code,
    Default,
    Lit,
    TupleCode,
    call_function,
    call_method,
    construct_module,
    to_code,
)
from ...python.lowering.lowered_operators import ConvertedTable, ToModelType
from ..torch_emitters import TorchSite, function, module
from ..torch_framework import get_torch_dtype

CASTS = {
    "float32": "float",
    "float64": "double",
    "float16": "half",
    "bfloat16": "bfloat16",
    "int64": "long",
    "int32": "int",
    "bool": "bool",
}
"""The methods of tensors that convert them."""


def emit_cast_to(code: Code, dtype: DType) -> Code:
    if dtype.name in CASTS:
        return call_method(code, CASTS[dtype.name])
    return call_method(code, "to", to_code(get_torch_dtype(dtype)))


def open_sizes(sizes: Shape, names: Sequence[str] = ()) -> tuple[Code, ...]:
    """Write the sizes for a `reshape`, with -1 for the most complex of the sizes that are known only at run time."""
    symbolic = [i for i, size in enumerate(sizes) if isinstance(size, SymDim)]
    open_ = max(symbolic, key=lambda i: (len(format_dim(sizes[i])), i), default=None)
    hints = names or ("size",) * len(sizes)
    return tuple(Lit(-1) if i == open_ else to_code(size, hint) for i, (size, hint) in enumerate(zip(sizes, hints, strict=True)))


def emit_reshaped(code: Code, before: Shape, after: Shape, names: Sequence[str] = ()) -> Code:
    """Write `code` of shape `before` in the shape `after`, by `flatten`, `unflatten` or a similar method if that suffices, else by
    `reshape`."""
    head = _count_common(before, after)
    tail = _count_common(before[head:][::-1], after[head:][::-1])
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    # Only the axes between the common ends change, so the shortest method for these is enough.
    ones = [head + i for i, size in enumerate(old) if size == 1]
    if ones and new == tuple(size for size in old if size != 1):
        return call_method(code, "squeeze", *(ones if len(ones) == 1 else (to_code(tuple(ones)),)))
    if len(new) == 1 and len(old) > 1:
        return call_method(code, "flatten", *_make_axis_range(head, () if tail == 0 else (head + len(old) - 1,)))
    if len(old) == 1 and len(new) > 1:
        inside = names[head : head + len(new)]
        return call_method(code, "unflatten", head if tail else -1, TupleCode(open_sizes(new, inside)))
    if (old, new) == ((), (1,)):
        return call_method(code, "unsqueeze", head if tail else -1)
    return call_method(code, "reshape", *open_sizes(after, names))


def emit_reordered(code: Code, order: Sequence[int]) -> Code:
    """Write `code` with its axes in that order, by `transpose` where two axes are swapped."""
    moved = [i for i, axis in enumerate(order) if i != axis]
    return call_method(code, "transpose", *moved) if len(moved) == 2 else call_method(code, "permute", *order)


def _count_common(a: Sequence[Dim], b: Sequence[Dim]) -> int:
    count = 0
    while count < min(len(a), len(b)) and a[count] == b[count]:
        count += 1
    return count


@module(Flatten, target="torch.nn.Flatten, torch.flatten")
def emit_flatten_module(op: Flatten, site: TorchSite) -> Code:
    return call_function("nn.Flatten", start_dim=Default(op.start, 1), end_dim=Default(op.end, -1))


@function(Flatten)
def emit_flatten_function(op: Flatten, site: TorchSite) -> Code:
    last = op.joined_range(site.given.x)[1]
    end = () if last == max(site.given.x.rank, 1) - 1 else (op.end,)
    return call_method(site.x, "flatten", *_make_axis_range(op.start, end))


def _make_axis_range(start: int, end: tuple[int, ...]) -> tuple[int, ...]:
    """Return the arguments of `flatten`, none for all axes."""
    return (start, *end) if start or end else ()


@module(Unflatten, target="torch.nn.Unflatten, torch.unflatten")
def emit_unflatten_module(op: Unflatten, site: TorchSite) -> Code:
    return construct_module("nn.Unflatten", {"dim": op.axis, "unflattened_size": _emit_unflattened_sizes(op, site)})


@function(Unflatten)
def emit_unflatten_function(op: Unflatten, site: TorchSite) -> Code:
    return call_method(site.x, "unflatten", op.axis, _emit_unflattened_sizes(op, site))


def _emit_unflattened_sizes(op: Unflatten, site: TorchSite) -> Code:
    """Write the sizes. A -1 in the spec stays."""
    if -1 in op.sizes:
        return TupleCode(tuple(to_code(size, "size") for size in op.sizes))
    return TupleCode(open_sizes(op.sizes))


@function(Reshape, target="torch.reshape")
def emit_reshape(op: Reshape, site: TorchSite) -> Code:
    shape = site.results[0].shape
    if -1 in op.shape and not any(isinstance(size, SymDim) for size in op.shape):
        shape = op.shape
    # `reshape()` without arguments is an error, so the shape of a scalar is written as a tuple.
    return call_method(site.x, "reshape", *open_sizes(shape)) if shape else call_method(site.x, "reshape", TupleCode(()))


@function(Permute, target="torch.permute")
def emit_permute(op: Permute, site: TorchSite) -> Code:
    return call_method(site.x, "permute", Starred(Lit(op.axes, "dims")))


@function(Transpose, target="torch.transpose")
def emit_transpose(op: Transpose, site: TorchSite) -> Code:
    return call_method(site.x, "transpose", op.a, op.b)


@function(Squeeze, target="torch.squeeze")
def emit_squeeze(op: Squeeze, site: TorchSite) -> Code:
    dropped = op.dropped_axes(site.given)
    if len(dropped) == 1:
        # Only axes of size 1 are named: `squeeze()` without axes would also remove a batch of one sample.
        return call_method(site.x, "squeeze", op.axis[0] if op.axis and len(op.axis) == 1 else dropped[0])
    return call_method(site.x, "squeeze", to_code(dropped)) if dropped else site.x


@function(Unsqueeze, target="torch.unsqueeze")
def emit_unsqueeze(op: Unsqueeze, site: TorchSite) -> Code:
    return call_method(site.x, "unsqueeze", op.axis)


@function(Expand, target="torch.Tensor.expand")
def emit_expand(op: Expand, site: TorchSite) -> Code:
    kept = op.find_kept_axes(site.given)
    sizes = site.results[0].shape
    # `expand()` without arguments is an error, and a tensor without axes has nothing to expand.
    if not sizes:
        return site.x
    return call_method(site.x, "expand", *(Lit(-1) if k else to_code(size, "size") for k, size in zip(kept, sizes, strict=True)))


@function(Cast, target="torch.Tensor.to")
def emit_cast(op: Cast, site: TorchSite) -> Code:
    return emit_cast_to(site.x, op.dtype) if site.given.x.dtype != op.dtype else site.x


@function(ToModelType)
def emit_to_model_type(op: ToModelType, site: TorchSite) -> Code:
    return call_method(site.x, "to", emit_model_type(op, site))


def emit_model_type(op: ToModelType | ConvertedTable, site: TorchSite) -> Code:
    """The element type of the model, read off a tensor or a parameter."""
    return AttributeCode(site.get("other") or ParameterRef(op.path, op.parameter), "dtype")
