"""Tensors joined, and divided into several."""

from __future__ import annotations

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import reads


@reads("cat", "concat", "concatenate")
def cat(site: AtenSite) -> Value:
    tensors = site.tensors("tensors")
    return tensors[0] if len(tensors) == 1 else site.one("concat", *tensors, axis=site.integer("dim"))


@reads("stack")
def stack(site: AtenSite) -> Value:
    return site.one("stack", *site.tensors("tensors"), axis=site.integer("dim"))


@reads("hstack", "vstack")
def hstack(site: AtenSite) -> Value:
    tensors = site.tensors("tensors")
    axis = 0 if site.name == "vstack" or tensors[0].type.rank == 1 else 1
    if tensors[0].type.rank < 2 and site.name == "vstack":
        tensors = [site.one("unsqueeze", value, axis=0) for value in tensors]
    return site.one("concat", *tensors, axis=axis)


@reads("split", "split_with_sizes")
def split(site: AtenSite) -> tuple[Value | None, ...]:
    pieces = tuple(fake.shape[site.integer("dim")] for fake in site.result)
    sizes = [site.scope.model.sizes.dim(piece) for piece in pieces]
    kept = tuple(size for size in sizes if size != 0)
    made = iter((site.tensor(),) if len(kept) == 1 else site.apply("split", site.tensor(), sizes=kept, axis=site.integer("dim")))
    return tuple(None if size == 0 else next(made) for size in sizes)


@reads("chunk")
def chunk(site: AtenSite) -> tuple[Value, ...]:
    x, axis, n = site.tensor(), site.integer("dim"), site.integer("chunks")
    sizes = [site.scope.model.sizes.dim(fake.shape[axis]) for fake in site.result]
    if n == 1:
        return (x,)
    if len(sizes) == n and all(size == sizes[0] for size in sizes):
        return site.apply("chunk", x, n=n, axis=axis)
    return site.apply("split", x, sizes=tuple(sizes), axis=axis)


@reads("unbind")
def unbind(site: AtenSite) -> tuple[Value, ...]:
    x, axis = site.tensor(), site.integer("dim")
    size = x.type.shape[axis]
    if not isinstance(size, int):
        raise ImportRefused("makes as many tensors as the input is long")
    return tuple(site.one("select", x, axis=axis, index=index) for index in range(size))


@reads("broadcast_tensors")
def broadcast_tensors(site: AtenSite) -> tuple[Value, ...]:
    tensors = site.tensors("tensors")
    shape = site.shape(0)
    return tuple(value if value.type.shape == shape else site.one("expand", value, shape=shape) for value in tensors)
