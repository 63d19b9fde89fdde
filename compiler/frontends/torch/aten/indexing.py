"""Parts of tensors, and elements by their numbers."""

from __future__ import annotations

from ....ir.graph import Value
from ...builder import ImportRefused
from ..site import AtenSite
from ..table import reads


@reads("slice")
def slice_(site: AtenSite) -> Value:
    x, axis = site.tensor(), site.integer("dim")
    start, stop, step = site.end("start") or 0, site.end("end"), site.integer("step")
    if start == 0 and (stop is None or stop == x.type.shape[axis]) and step == 1:
        return x
    return site.one("slice", x, axis=axis, start=start, stop=stop, step=step)


@reads("narrow")
def narrow(site: AtenSite) -> Value:
    start = site.size("start")
    return site.one("slice", site.tensor(), axis=site.integer("dim"), start=start, stop=start + site.size("length"))


@reads("select")
def select(site: AtenSite) -> Value:
    return site.one("select", site.tensor(), axis=site.integer("dim"), index=site.size("index"))


@reads("gather", "index_select")
def gather(site: AtenSite) -> Value:
    return site.one(site.name, site.tensor(), site.tensor("index"), axis=site.integer("dim"))


@reads("take_along_dim")
def take_along_dim(site: AtenSite) -> Value:
    if site.args.get("dim") is None:
        raise ImportRefused("has no axis")
    return site.one("gather", site.tensor(), site.tensor("indices"), axis=site.integer("dim"))


@reads("scatter")
def scatter(site: AtenSite) -> Value:
    x, index, axis = site.tensor(), site.tensor("index"), site.integer("dim")
    if "value" in site.args:
        return site.one("scatter", x, index, axis=axis, value=site.number("value"))
    return site.one("scatter", x, index, site.tensor("src"), axis=axis)


@reads("index_add")
def index_add(site: AtenSite) -> Value:
    return site.one("index_add", site.tensor(), site.tensor("index"), site.tensor("source"), axis=site.integer("dim"))


@reads("index")
def index(site: AtenSite) -> Value:
    """By one tensor of numbers along one axis: its axes take the place of that axis."""
    x = site.tensor()
    given = site.args["indices"]
    axes = [axis for axis, one in enumerate(given) if one is not None]
    if len(axes) != 1:
        raise ImportRefused("selects by several tensors at once")
    (axis,) = axes
    indices = site.element_of(given[axis])
    if indices.type.dtype.name in ("bool", "uint8"):
        raise ImportRefused("selects by a mask: the size of the result depends on the values")
    flat = indices if indices.type.rank == 1 else site.one("reshape", indices, shape=(-1,))
    found = site.one("index_select", x, flat, axis=axis)
    return found if indices.type.rank == 1 else site.one("reshape", found, shape=site.shape())


def with_part(site: AtenSite, part: Value) -> Value:
    """What a slice or an element was taken from, with `part` in its place."""
    x, axis = site.tensor(), site.integer("dim")
    if site.name == "select":
        start, stop = site.size("index"), site.size("index") + 1
        if site.integer("index") < 0:
            start, stop = start + x.type.shape[axis], stop + x.type.shape[axis]
        part = site.one("unsqueeze", part, axis=axis)
    else:
        start, end = site.end("start") or 0, site.end("end")
        size = x.type.shape[axis]
        stop = size if end is None else end
        if site.integer("step") != 1 or not all(isinstance(n, int) and n >= 0 for n in (start, stop) if n != size):
            raise ImportRefused("is changed in a part whose bounds are not known")
    pieces = [part]
    if start != 0:
        pieces.insert(0, site.one("slice", x, axis=axis, stop=start))
    if stop != x.type.shape[axis]:
        pieces.append(site.one("slice", x, axis=axis, start=stop))
    return part if len(pieces) == 1 else site.one("concat", *pieces, axis=axis)


@reads("copy")
def copy(site: AtenSite) -> Value:
    source = site.cast(site.tensor("src"), site.element)
    shape = site.shape()
    return source if source.type.shape == shape else site.one("expand", source, shape=shape)


@reads("roll")
def roll(site: AtenSite) -> Value:
    return site.one("roll", site.tensor(), shifts=site.integers("shifts"), axis=site.axes("dims"))


@reads("flip")
def flip(site: AtenSite) -> Value:
    return site.one("flip", site.tensor(), axis=site.integers("dims"))


@reads("pad", "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "replication_pad1d", "replication_pad2d", "replication_pad3d")
def pad(site: AtenSite) -> Value:
    names = {"pad": site.args.get("mode"), "constant_pad_nd": "constant"}
    mode = names.get(site.name) or ("reflect" if site.name.startswith("reflect") else "replicate")
    padding = site.sizes("pad" if "pad" in site.args else "padding")
    if not any(padding):
        return site.tensor()
    value = site.args.get("value")
    arguments = {} if value is None or mode != "constant" else {"value": site.number("value")}
    return site.one("pad", site.tensor(), padding=padding, mode=mode, **arguments)


@reads("unfold")
def sliding_window(site: AtenSite) -> Value:
    return site.one("sliding_window", site.tensor(), axis=site.integer("dimension"), size=site.integer("size"), step=site.integer("step"))


@reads("diagonal")
def diagonal(site: AtenSite) -> Value:
    return site.one("diagonal", site.tensor(), offset=site.integer("offset"), axis1=site.integer("dim1"), axis2=site.integer("dim2"))
