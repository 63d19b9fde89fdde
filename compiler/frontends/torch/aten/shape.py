"""Reads operators that change the shape or the element type: `x.permute(0, 2, 1)` becomes `transpose 1 2`."""

from __future__ import annotations

import torch

from ....dims import Dim
from ....ir.graph_values import Value
from ....types.numpy_types import to_array
from ...constants import make_formula_table
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import reads


@reads("alias", "contiguous", "clone", "lift_fresh_copy", "lift_fresh", "lift", "positive", "conj", "resolve_conj", "identity")
def read_identity(site: AtenSite) -> Value:
    return site.first_tensor


@reads("detach")
def read_detach(site: AtenSite) -> Value:
    x = site.first_tensor
    return site.apply_op("detach", x) if site.node in site.scope.model.gradient_stops else x


@reads("to", "_to_copy", "type_as", "float", "double", "half", "bfloat16", "int", "long", "bool")
def read_cast(site: AtenSite) -> Value:
    return site.cast(site.tensor(), site.result_dtype)


@reads("view", "reshape", "_unsafe_view", "_reshape_copy")
def read_reshape(site: AtenSite) -> Value:
    # `view(dtype)` reads the same bits as another type. reader.py refuses it unless the types are equal.
    if site.args.get("dtype") is not None:
        return site.first_tensor
    x = site.tensor()
    sizes = site.sizes("size" if "size" in site.args else "shape")
    shape = site.result_shape()
    if shape == x.type.shape:
        return x
    return site.apply_op("reshape", x, shape=sizes if sizes.count(-1) == 1 and _may_stay_open(x, sizes, shape) else shape)


def _may_stay_open(x: Value, sizes: tuple[Dim, ...], shape: tuple[Dim, ...]) -> bool:
    """Return whether `-1` reads better than the computed size: not if that is a symbol of the input, as in `[N, T, 4, 16]`.

    A number stays open even if the input has it too. In another use of the module it may be another number, and the two uses would
    differ.
    """
    size = shape[sizes.index(-1)]
    return isinstance(size, int) or size not in x.type.shape


@reads("view_as", "reshape_as")
def read_reshape_as(site: AtenSite) -> Value:
    return site.reshape(site.tensor(), site.result_shape())


@reads("flatten")
def read_flatten(site: AtenSite) -> Value:
    x, start, end = site.tensor(), site.integer("start_dim"), site.integer("end_dim")
    # PyTorch flattens a tensor without axes to one of a single element.
    if x.type.rank == 0:
        return site.apply_op("reshape", x, shape=(1,))
    if start % x.type.rank == end % x.type.rank:
        return x
    return site.apply_op("flatten", x, start=start, end=end)


@reads("unflatten")
def read_unflatten(site: AtenSite) -> Value:
    return site.apply_op("unflatten", site.tensor(), axis=site.integer("dim"), sizes=site.sizes("sizes"))


@reads("permute")
def read_permute(site: AtenSite) -> Value:
    return _permute_axes(site, site.tensor(), site.integers("dims"))


def _permute_axes(site: AtenSite, x: Value, axes: tuple[int, ...]) -> Value:
    order = [axis % x.type.rank for axis in axes]
    moved = [axis for position, axis in enumerate(order) if position != axis]
    if len(moved) == 2:
        return site.apply_op("transpose", x, a=min(moved), b=max(moved))
    return site.apply_op("permute", x, axes=axes) if moved else x


@reads("transpose", "swapaxes", "swapdims")
def read_transpose(site: AtenSite) -> Value:
    names = [name for name in site.args if name != "self"]
    x, a, b = site.tensor(), site.integer(names[0]), site.integer(names[1])
    return x if x.type.rank == 0 or (a - b) % x.type.rank == 0 else site.apply_op("transpose", x, a=a, b=b)


@reads("t", "numpy_T", "mT", "matrix_H", "adjoint")
def read_matrix_transpose(site: AtenSite) -> Value:
    x = site.tensor()
    if site.name == "numpy_T":
        return _permute_axes(site, x, tuple(reversed(range(x.type.rank))))
    return x if x.type.rank < 2 else site.apply_op("transpose", x, a=-2, b=-1)


@reads("movedim", "moveaxis")
def read_movedim(site: AtenSite) -> Value:
    x, source, destination = site.tensor(), site.integers("source"), site.integers("destination")
    rank = x.type.rank
    if rank == 0:
        return x
    source = tuple(axis % rank for axis in source)
    destination = tuple(axis % rank for axis in destination)
    places = dict(zip(destination, source, strict=True))
    rest = iter(axis for axis in range(rank) if axis not in source)
    return _permute_axes(site, x, tuple(places[axis] if axis in places else next(rest) for axis in range(rank)))


@reads("squeeze")
def read_squeeze(site: AtenSite) -> Value:
    x = site.tensor()
    rank = x.type.rank
    # Without `dim`, all axes are meant, and with an empty list, none.
    named = [axis % rank for axis in site.integers("dim")] if rank and "dim" in site.args else range(rank)
    # PyTorch leaves other axes alone, and netc's `squeeze` refuses them.
    ones = tuple(axis for axis in named if x.type.shape[axis] == 1)
    return site.apply_op("squeeze", x, axis=ones) if ones else x


@reads("unsqueeze")
def read_unsqueeze(site: AtenSite) -> Value:
    return site.apply_op("unsqueeze", site.tensor(), axis=site.integer("dim"))


@reads("expand", "expand_as", "broadcast_to")
def read_expand(site: AtenSite) -> Value:
    x, shape = site.tensor(), site.result_shape()
    return x if x.type.shape == shape else site.apply_op("expand", x, shape=shape)


@reads("repeat", "tile")
def read_repeat(site: AtenSite) -> Value:
    x = site.tensor()
    repeats = site.sizes("repeats" if "repeats" in site.args else "dims")
    if all(count == 1 for count in repeats) and len(repeats) <= x.type.rank:
        return x
    return site.apply_op("tile", x, repeats=repeats)


@reads("repeat_interleave")
def read_repeat_interleave(site: AtenSite) -> Value:
    axis = None if site.args.get("dim") is None else site.integer("dim")
    if not site.is_tensor("repeats"):
        return site.apply_op("repeat_interleave", site.tensor(), repeats=site.size("repeats"), axis=axis)
    x = site.tensor()
    counts, size = site.scope.model.constants.values.get(site.args["repeats"]), None if axis is None else x.type.shape[axis]
    if counts is None or not isinstance(size, int):
        raise ImportRefused("repeats each element as often as a tensor says: the size of the result depends on the values")
    site.leave_to_result("output_size")
    places = torch.arange(size).repeat_interleave(counts.expand(size))
    return site.apply_op("index_select", x, site.scope.builder.add_node(make_formula_table(to_array(places)))[0], axis=axis)


@reads("pixel_shuffle", "pixel_unshuffle")
def read_pixel_shuffle(site: AtenSite) -> Value:
    factor = site.integer("upscale_factor" if site.name == "pixel_shuffle" else "downscale_factor")
    return site.apply_op(site.name, site.tensor(), r=factor)


@reads("channel_shuffle", "native_channel_shuffle")
def read_channel_shuffle(site: AtenSite) -> Value:
    return site.apply_op("channel_shuffle", site.tensor(), groups=site.integer("groups"))


@reads("im2col")
def read_im2col(site: AtenSite) -> Value:
    names = {"kernel": "kernel_size", "dilation": "dilation", "padding": "padding", "stride": "stride"}
    return site.apply_op("unfold", site.tensor(), **{name: site.integers(given) for name, given in names.items()})


@reads("col2im")
def read_col2im(site: AtenSite) -> Value:
    names = {"kernel": "kernel_size", "dilation": "dilation", "padding": "padding", "stride": "stride"}
    sizes = {name: site.integers(given) for name, given in names.items()}
    return site.apply_op("fold", site.tensor(), output_size=site.sizes("output_size"), **sizes)
