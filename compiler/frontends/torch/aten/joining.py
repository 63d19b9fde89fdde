"""Reads operators that join tensors or split them: `torch.cat((x, y), 1)` becomes `concat axis=1`."""

from __future__ import annotations

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import reads


@reads("cat", "concat", "concatenate")
def read_cat(site: AtenSite) -> Value:
    tensors, axis = site.tensors("tensors"), site.integer("dim")
    return tensors[0] if len(tensors) == 1 else site.apply_op("concat", *tensors, axis=axis)


@reads("stack")
def read_stack(site: AtenSite) -> Value:
    return site.apply_op("stack", *site.tensors("tensors"), axis=site.integer("dim"))


@reads("hstack", "vstack")
def read_hstack(site: AtenSite) -> Value:
    tensors = site.tensors("tensors")
    axis = 0 if site.name == "vstack" or tensors[0].type.rank == 1 else 1
    if tensors[0].type.rank < 2 and site.name == "vstack":
        tensors = [site.apply_op("unsqueeze", value, axis=0) for value in tensors]
    return site.apply_op("concat", *tensors, axis=axis)


@reads("split", "split_with_sizes")
def read_split(site: AtenSite) -> tuple[Value | None, ...]:
    site.leave_to_result("split_size")
    pieces = tuple(fake.shape[site.integer("dim")] for fake in site.result)
    sizes = [site.scope.model.sizes.to_dim(piece) for piece in pieces]
    # A spec has no tensors without elements, so empty pieces are None, and a single piece needs no split.
    kept = tuple(size for size in sizes if size != 0)
    made_pieces = iter(
        (site.tensor(),) if len(kept) == 1 else site.apply_multi_op("split", site.tensor(), sizes=kept, axis=site.integer("dim"))
    )
    return tuple(None if size == 0 else next(made_pieces) for size in sizes)


@reads("chunk")
def read_chunk(site: AtenSite) -> tuple[Value, ...]:
    x, axis, n = site.tensor(), site.integer("dim"), site.integer("chunks")
    sizes = [site.scope.model.sizes.to_dim(fake.shape[axis]) for fake in site.result]
    if n == 1:
        return (x,)
    if len(sizes) == n and all(size == sizes[0] for size in sizes):
        return site.apply_multi_op("chunk", x, n=n, axis=axis)
    return site.apply_multi_op("split", x, sizes=tuple(sizes), axis=axis)


@reads("unbind")
def read_unbind(site: AtenSite) -> tuple[Value, ...]:
    x, axis = site.tensor(), site.integer("dim")
    size = x.type.shape[axis]
    if not isinstance(size, int):
        raise ImportRefused("makes as many tensors as the input is long")
    return tuple(site.apply_op("select", x, axis=axis, index=index) for index in range(size))


@reads("broadcast_tensors")
def read_broadcast_tensors(site: AtenSite) -> tuple[Value, ...]:
    tensors = site.tensors("tensors")
    shape = site.result_shape(0)
    return tuple(value if value.type.shape == shape else site.apply_op("expand", value, shape=shape) for value in tensors)
