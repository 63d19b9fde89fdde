"""Emit changes of the shape and of the element type, one node each.

>>> import netc
>>> [node.op_type for node in netc.compile("input [4, 3] -> flatten").onnx().graph.node]
['Flatten']
"""

from __future__ import annotations

from collections.abc import Sequence

from ....dims import SymDim, format_dim
from ....ops.shape import Cast, Expand, Flatten, Permute, Reshape, Squeeze, Transpose, Unflatten, Unsqueeze
from ....types.tensor_types import Shape
from ..onnx_emitters import Site, emits


def reshape_tensor(site: Site, tensor: str, before: Shape, after: Shape) -> str:
    """Reshape a tensor from `before` to `after`. Sizes that are known only at run time are copied if they keep their position. The most
    complex of the others becomes -1, since it would have to be computed."""
    if before == after:
        return tensor
    target = [0 if isinstance(size, SymDim) and before[i : i + 1] == (size,) else size for i, size in enumerate(after)]
    symbolic = [i for i, size in enumerate(target) if isinstance(size, SymDim)]
    if symbolic:
        target[max(symbolic, key=lambda i: len(format_dim(target[i])))] = -1
    return site.add("Reshape", [tensor, site.ints(target)])


def transpose_tensor(site: Site, tensor: str, order: Sequence[int]) -> str:
    if list(order) == list(range(len(order))):
        return tensor
    return site.add("Transpose", [tensor], perm=list(order))


@emits(Flatten, onnx="Flatten, or Reshape")
def emit_flatten(op: Flatten, site: Site) -> str:
    x = site.given.x
    if x.rank > 1 and op.joined_range(x) == (1, x.rank - 1):
        if x.rank == 2:
            return site.x.name
        if site.has_kernel("Flatten"):
            return site.add("Flatten", [site.x.name], axis=1)
    return reshape_tensor(site, site.x.name, x.shape, site.results[0].shape)


@emits(Unflatten, Reshape, onnx="Reshape")
def emit_reshape(op: Unflatten | Reshape, site: Site) -> str:
    return reshape_tensor(site, site.x.name, site.given.x.shape, site.results[0].shape)


@emits(Permute, Transpose, onnx="Transpose")
def emit_permute(op: Permute | Transpose, site: Site) -> str:
    return transpose_tensor(site, site.x.name, op.axis_order(site.given.x))


@emits(Squeeze, onnx="Squeeze")
def emit_squeeze(op: Squeeze, site: Site) -> str:
    dropped = op.dropped_axes(site.given)
    return site.add("Squeeze", [site.x.name, site.ints(dropped)]) if dropped else site.x.name


@emits(Unsqueeze, onnx="Unsqueeze")
def emit_unsqueeze(op: Unsqueeze, site: Site) -> str:
    return site.add("Unsqueeze", [site.x.name, site.ints([op.new_axis(site.given.x)])])


@emits(Expand, onnx="Expand")
def emit_expand(op: Expand, site: Site) -> str:
    # A size of 1 keeps the axis of the input: Expand broadcasts in both directions.
    sizes = [1 if kept else size for kept, size in zip(op.find_kept_axes(site.given), site.results[0].shape, strict=True)]
    if site.results[0].shape == site.given.x.shape:
        return site.x.name
    return site.add("Expand", [site.x.name, site.ints(sizes)])


@emits(Cast, onnx="Cast")
def emit_cast(op: Cast, site: Site) -> str:
    return site.x.name if op.dtype == site.given.x.dtype else site.cast(site.x.name, op.dtype)
