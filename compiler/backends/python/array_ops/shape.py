"""Writes changes of shape: `x.reshape(-1, 8)`, `x.swapaxes(1, 2)`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....dims import Dim, SymDim
from ....ops.axes import normalize_axis
from ....ops.joining import Chunk, Concat, Split, Stack
from ....ops.rearrange import Rearrange
from ....ops.shape import Cast, Expand, Flatten, Permute, Reshape, Squeeze, Transpose, Unflatten, Unsqueeze
from ....types.tensor_types import Shape
from ..code.class_tree import NameCode, ParameterRef
from ..code.python_expressions import AttributeCode, Code, Lit, TupleCode, call_method, to_code
from ..lowering.lowered_operators import ConvertedTable, ToModelType
from .array_emitters import ARRAY, ArraySite, shape_code


def list_open_sizes(sizes: Shape) -> tuple[Code, ...]:
    """Write the sizes for a `reshape`, with -1 for the only size that is known only at run time."""
    symbolic = [size for size in sizes if isinstance(size, SymDim)]
    return tuple(Lit(-1) if len(symbolic) == 1 and isinstance(size, SymDim) else to_code(size, "size") for size in sizes)


def emit_reshaped(code: Code, shape: Shape) -> Code:
    return call_method(code, "reshape", *(list_open_sizes(shape) or (TupleCode(()),)))


def emit_reordered(code: Code, order: Sequence[int]) -> Code:
    """Write `code` with its axes in that order."""
    moved = [i for i, axis in enumerate(order) if i != axis]
    return call_method(code, "swapaxes", *moved) if len(moved) == 2 else call_method(code, "transpose", *order)


@ARRAY.function(Reshape, Flatten, Unflatten, target="{array}.reshape")
def emit_reshape(op: Reshape | Flatten | Unflatten, site: ArraySite) -> Code:
    return emit_reshaped(site.x, site.results[0].shape)


@ARRAY.module(Flatten)
def emit_flatten_layer(op: Flatten, site: ArraySite) -> Any:
    return NameCode("flatten") if op.start == 1 and op.joined_range(site.given.x)[1] == site.given.x.rank - 1 else None


@ARRAY.function(Permute, target="{array}.transpose")
def emit_permute(op: Permute, site: ArraySite) -> Code:
    axes = [normalize_axis(op.name, axis, site.given.x) for axis in op.axes]
    return call_method(site.x, "transpose", *axes)


@ARRAY.function(Transpose, target="{array}.swapaxes")
def emit_transpose(op: Transpose, site: ArraySite) -> Code:
    return call_method(site.x, "swapaxes", op.a, op.b)


@ARRAY.function(Squeeze, target="{array}.squeeze")
def emit_squeeze(op: Squeeze, site: ArraySite) -> Code:
    dropped = op.dropped_axes(site.given)
    return call_method(site.x, "squeeze", dropped[0] if len(dropped) == 1 else to_code(dropped)) if dropped else site.x


@ARRAY.function(Unsqueeze, target="{array}.expand_dims")
def emit_unsqueeze(op: Unsqueeze, site: ArraySite) -> Code:
    return site.words.call("expand_dims", site.x, op.axis)


@ARRAY.function(Expand, target="{array}.broadcast_to")
def emit_expand(op: Expand, site: ArraySite) -> Code:
    return site.words.call("broadcast_to", site.x, shape_code(site.results[0].shape)) if site.results[0].shape else site.x


@ARRAY.function(Cast, target="{tensor}.astype")
def emit_cast(op: Cast, site: ArraySite) -> Code:
    return call_method(site.x, "astype", site.words.get_dtype(op.dtype)) if site.given.x.dtype != op.dtype else site.x


@ARRAY.function(ToModelType)
def emit_to_model_type(op: ToModelType, site: ArraySite) -> Code:
    return call_method(site.x, "astype", emit_model_type(op, site))


def emit_model_type(op: ToModelType | ConvertedTable, site: ArraySite) -> Code:
    """The element type of the model, read off a tensor or a parameter."""
    return AttributeCode(site.get("other") or ParameterRef(op.path, op.parameter), "dtype")


@ARRAY.function(Concat, Stack, target={Concat: "{array}.concatenate", Stack: "{array}.stack"})
def emit_joined(op: Concat | Stack, site: ArraySite) -> Code:
    return site.words.call("concatenate" if isinstance(op, Concat) else "stack", TupleCode(site.inputs), axis=op.axis)


@ARRAY.function(Split, Chunk, target="{array}.split")
def emit_split(op: Split | Chunk, site: ArraySite) -> Code:
    sizes = op.piece_sizes(normalize_axis(op.name, op.axis, site.given.x), site.given)
    if len(sizes) == 1:
        return site.x
    if all(size == sizes[0] for size in sizes):
        return site.words.call("split", site.x, to_code(len(sizes), "chunks"), axis=op.axis)
    ends: list[Dim] = [sizes[0]]
    for size in sizes[1:-1]:
        ends.append(ends[-1] + size)
    return site.words.call("split", site.x, TupleCode(tuple(to_code(end) for end in ends)), axis=op.axis)


@ARRAY.function(Rearrange, target="reshape, transpose, reshape")
def emit_rearrange(op: Rearrange, site: ArraySite) -> Code:
    plan = op.make_plan(site.given)
    code: Code = site.x
    if plan.split is not None:
        code = emit_reshaped(code, plan.split)
    if plan.order is not None:
        code = emit_reordered(code, plan.order)
    return code if plan.merge is None else emit_reshaped(code, plan.merge)
