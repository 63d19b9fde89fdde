"""Writes changes of shape in Flax: `x.reshape(-1, 8)`, `x.swapaxes(1, 2)`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....dims import Dim, SymDim
from ....ops.axes import normalize_axis
from ....ops.joining import Chunk, Concat, Split, Stack
from ....ops.rearrange import Rearrange
from ....ops.shape import Cast, Expand, Flatten, Permute, Reshape, Squeeze, Transpose, Unflatten, Unsqueeze
from ....types.tensor_types import Shape
from ...python.code.class_tree import NameCode, ParameterRef
from ...python.code.python_expressions import AttributeCode, Code, Lit, TupleCode, call_function, call_method, to_code
from ...python.lowering.lowered_operators import ConvertedTable, ToModelType
from ..flax_emitters import FlaxSite, function, module
from ..flax_framework import get_jax_dtype, shape_code


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


@function(Reshape, Flatten, Unflatten, target="jax.numpy.reshape")
def emit_reshape(op: Reshape | Flatten | Unflatten, site: FlaxSite) -> Code:
    return emit_reshaped(site.x, site.results[0].shape)


@module(Flatten)
def emit_flatten_layer(op: Flatten, site: FlaxSite) -> Any:
    return NameCode("flatten") if op.start == 1 and op.joined_range(site.given.x)[1] == site.given.x.rank - 1 else None


@function(Permute, target="jax.numpy.transpose")
def emit_permute(op: Permute, site: FlaxSite) -> Code:
    axes = [normalize_axis(op.name, axis, site.given.x) for axis in op.axes]
    return call_method(site.x, "transpose", *axes)


@function(Transpose, target="jax.numpy.swapaxes")
def emit_transpose(op: Transpose, site: FlaxSite) -> Code:
    return call_method(site.x, "swapaxes", op.a, op.b)


@function(Squeeze, target="jax.numpy.squeeze")
def emit_squeeze(op: Squeeze, site: FlaxSite) -> Code:
    dropped = op.dropped_axes(site.given)
    return call_method(site.x, "squeeze", dropped[0] if len(dropped) == 1 else to_code(dropped)) if dropped else site.x


@function(Unsqueeze, target="jax.numpy.expand_dims")
def emit_unsqueeze(op: Unsqueeze, site: FlaxSite) -> Code:
    return call_function("jnp.expand_dims", site.x, op.axis)


@function(Expand, target="jax.numpy.broadcast_to")
def emit_expand(op: Expand, site: FlaxSite) -> Code:
    return call_function("jnp.broadcast_to", site.x, shape_code(site.results[0].shape)) if site.results[0].shape else site.x


@function(Cast, target="jax.Array.astype")
def emit_cast(op: Cast, site: FlaxSite) -> Code:
    return call_method(site.x, "astype", get_jax_dtype(op.dtype)) if site.given.x.dtype != op.dtype else site.x


@function(ToModelType)
def emit_to_model_type(op: ToModelType, site: FlaxSite) -> Code:
    return call_method(site.x, "astype", emit_model_type(op, site))


def emit_model_type(op: ToModelType | ConvertedTable, site: FlaxSite) -> Code:
    """The element type of the model, read off a tensor or a parameter."""
    return AttributeCode(site.get("other") or ParameterRef(op.path, op.parameter), "dtype")


@function(Concat, Stack, target={Concat: "jax.numpy.concatenate", Stack: "jax.numpy.stack"})
def emit_joined(op: Concat | Stack, site: FlaxSite) -> Code:
    return call_function("jnp.concatenate" if isinstance(op, Concat) else "jnp.stack", TupleCode(site.inputs), axis=op.axis)


@function(Split, Chunk, target="jax.numpy.split")
def emit_split(op: Split | Chunk, site: FlaxSite) -> Code:
    sizes = op.piece_sizes(normalize_axis(op.name, op.axis, site.given.x), site.given)
    if len(sizes) == 1:
        return site.x
    if all(size == sizes[0] for size in sizes):
        return call_function("jnp.split", site.x, to_code(len(sizes), "chunks"), axis=op.axis)
    ends: list[Dim] = [sizes[0]]
    for size in sizes[1:-1]:
        ends.append(ends[-1] + size)
    return call_function("jnp.split", site.x, TupleCode(tuple(to_code(end) for end in ends)), axis=op.axis)


@function(Rearrange, target="reshape, transpose, reshape")
def emit_rearrange(op: Rearrange, site: FlaxSite) -> Code:
    plan = op.make_plan(site.given)
    code: Code = site.x
    if plan.split is not None:
        code = emit_reshaped(code, plan.split)
    if plan.order is not None:
        code = emit_reordered(code, plan.order)
    return code if plan.merge is None else emit_reshaped(code, plan.merge)
