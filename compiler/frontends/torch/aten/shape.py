"""Other shapes and element types of the same elements."""

from __future__ import annotations

from ....dims import Dim
from ....ir.graph_values import Value
from ..aten_site import AtenSite
from ..aten_table import reads


@reads("alias", "detach", "contiguous", "clone", "lift_fresh_copy", "lift_fresh", "lift", "positive", "conj", "resolve_conj", "identity")
def same(site: AtenSite) -> Value:
    return site.first


@reads("to", "_to_copy", "type_as", "float", "double", "half", "bfloat16", "int", "long", "bool")
def to(site: AtenSite) -> Value:
    return site.cast(site.tensor(), site.element)


@reads("view", "reshape", "_unsafe_view", "_reshape_copy")
def reshape(site: AtenSite) -> Value:
    if site.args.get("dtype") is not None:
        return site.first
    x = site.tensor()
    given = site.sizes("size" if "size" in site.args else "shape")
    shape = site.shape()
    if shape == x.type.shape:
        return x
    return site.one("reshape", x, shape=given if given.count(-1) == 1 and _is_plain(x, given, shape) else shape)


def _is_plain(x: Value, given: tuple[Dim, ...], shape: tuple[Dim, ...]) -> bool:
    """Whether the open size is better left open: where it is no size of the input."""
    return shape[given.index(-1)] not in x.type.shape


@reads("view_as", "reshape_as")
def reshape_as(site: AtenSite) -> Value:
    return site.reshape(site.tensor(), site.shape())


@reads("flatten")
def flatten(site: AtenSite) -> Value:
    x, start, end = site.tensor(), site.integer("start_dim"), site.integer("end_dim")
    if x.type.rank == 0:
        return site.one("reshape", x, shape=(1,))
    if start % x.type.rank == end % x.type.rank:
        return x
    return site.one("flatten", x, start=start, end=end)


@reads("unflatten")
def unflatten(site: AtenSite) -> Value:
    return site.one("unflatten", site.tensor(), axis=site.integer("dim"), sizes=site.sizes("sizes"))


@reads("permute")
def permute(site: AtenSite) -> Value:
    return _permuted(site, site.tensor(), site.integers("dims"))


def _permuted(site: AtenSite, x: Value, axes: tuple[int, ...]) -> Value:
    order = [axis % x.type.rank for axis in axes]
    moved = [axis for at, axis in enumerate(order) if at != axis]
    if len(moved) == 2:
        return site.one("transpose", x, a=min(moved), b=max(moved))
    return site.one("permute", x, axes=axes) if moved else x


@reads("transpose", "swapaxes", "swapdims")
def transpose(site: AtenSite) -> Value:
    names = [name for name in site.args if name != "self"]
    x, a, b = site.tensor(), site.integer(names[0]), site.integer(names[1])
    return x if x.type.rank == 0 or (a - b) % x.type.rank == 0 else site.one("transpose", x, a=a, b=b)


@reads("t", "numpy_T", "mT", "matrix_H", "adjoint")
def matrix_transpose(site: AtenSite) -> Value:
    x = site.tensor()
    if site.name == "numpy_T":
        return _permuted(site, x, tuple(reversed(range(x.type.rank))))
    return x if x.type.rank < 2 else site.one("transpose", x, a=-2, b=-1)


@reads("movedim", "moveaxis")
def movedim(site: AtenSite) -> Value:
    x = site.tensor()
    rank = x.type.rank
    if rank == 0:
        return x
    source = [axis % rank for axis in site.integers("source")]
    destination = [axis % rank for axis in site.integers("destination")]
    places = dict(zip(destination, source, strict=True))
    rest = iter(axis for axis in range(rank) if axis not in source)
    return _permuted(site, x, tuple(places[axis] if axis in places else next(rest) for axis in range(rank)))


@reads("squeeze")
def squeeze(site: AtenSite) -> Value:
    x, axes = site.tensor(), site.axes()
    rank = x.type.rank
    named = range(rank) if axes is None or rank == 0 else [axis % rank for axis in axes]
    ones = tuple(axis for axis in named if x.type.shape[axis] == 1)
    return site.one("squeeze", x, axis=ones) if ones else x


@reads("unsqueeze")
def unsqueeze(site: AtenSite) -> Value:
    return site.one("unsqueeze", site.tensor(), axis=site.integer("dim"))


@reads("expand", "expand_as", "broadcast_to")
def expand(site: AtenSite) -> Value:
    x, shape = site.tensor(), site.shape()
    return x if x.type.shape == shape else site.one("expand", x, shape=shape)


@reads("repeat", "tile")
def repeat(site: AtenSite) -> Value:
    x = site.tensor()
    repeats = site.sizes("repeats" if "repeats" in site.args else "dims")
    if all(count == 1 for count in repeats) and len(repeats) <= x.type.rank:
        return x
    return site.one("tile", x, repeats=repeats)


@reads("repeat_interleave")
def repeat_interleave(site: AtenSite) -> Value:
    axis = None if site.args.get("dim") is None else site.integer("dim")
    return site.one("repeat_interleave", site.tensor(), repeats=site.size("repeats"), axis=axis)


@reads("pixel_shuffle", "pixel_unshuffle")
def pixel_shuffle(site: AtenSite) -> Value:
    factor = site.integer("upscale_factor" if site.name == "pixel_shuffle" else "downscale_factor")
    return site.one(site.name, site.tensor(), r=factor)


@reads("channel_shuffle", "native_channel_shuffle")
def channel_shuffle(site: AtenSite) -> Value:
    return site.one("channel_shuffle", site.tensor(), groups=site.integer("groups"))


@reads("im2col")
def unfold(site: AtenSite) -> Value:
    names = {"kernel": "kernel_size", "dilation": "dilation", "padding": "padding", "stride": "stride"}
    return site.one("unfold", site.tensor(), **{name: site.integers(given) for name, given in names.items()})


@reads("col2im")
def fold(site: AtenSite) -> Value:
    names = {"kernel": "kernel_size", "dilation": "dilation", "padding": "padding", "stride": "stride"}
    sizes = {name: site.integers(given) for name, given in names.items()}
    return site.one("fold", site.tensor(), output_size=site.sizes("output_size"), **sizes)
