"""Reads slices, and gathers and scatters by indices: `x[:, [0, 1]]` becomes `slice 1 stop=2`."""

from __future__ import annotations

from collections.abc import Sequence
from math import copysign

import torch
from torch.fx import Node

from ....dims import Dim
from ....ir.graph_values import Value
from ....ops.formula import Const
from ....types.tensor_types import BOOL
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import reads
from ..ranges import NO_AXIS, find_counted_axis, is_nonnegative
from .creation import make_constant, make_table
from .partial_writes import find_written_column


@reads("slice")
def read_slice(site: AtenSite) -> Value:
    x, axis = site.tensor(), site.integer("dim")
    start, stop, step = site.slice_start(), site.slice_end("end"), site.integer("step")
    # torch.export may write `x[:, 1:]` as a slice of axis 0 too, which takes everything.
    if start == 0 and (stop is None or stop == x.type.shape[axis]) and step == 1:
        return x
    written = find_written_column(site, x, axis) if step != 1 else None
    return written or site.apply_op("slice", x, axis=axis, start=start, stop=stop, step=step)


@reads("narrow")
def read_narrow(site: AtenSite) -> Value:
    x, axis, start = site.tensor(), site.integer("dim"), site.size("start")
    if isinstance(start, int) and start < 0:  # counts from the end, where `start + length` may be 0
        start = start + x.type.shape[axis]
    return site.apply_op("slice", x, axis=axis, start=start, stop=start + site.size("length"))


@reads("select")
def read_select(site: AtenSite) -> Value:
    return site.apply_op("select", site.tensor(), axis=site.integer("dim"), index=site.size("index"))


@reads("gather", "index_select")
def read_gather(site: AtenSite) -> Value:
    return site.apply_op(site.name, site.tensor(), site.tensor("index"), axis=site.integer("dim"))


@reads("take_along_dim")
def read_take_along_dim(site: AtenSite) -> Value:
    x, index = site.tensor(), site.tensor("indices")
    if not site.has_argument("dim"):
        x, index = (site.apply_op("flatten", value, start=0) if value.type.rank != 1 else value for value in (x, index))
        return site.apply_op("gather", x, index, axis=0)
    axis = site.integer("dim") % x.type.rank
    # The sizes of the other axes are broadcast.
    shape = site.result_shape()
    full = (*shape[:axis], x.type.shape[axis], *shape[axis + 1 :])
    x = x if x.type.shape == full else site.apply_op("expand", x, shape=full)
    index = index if index.type.shape == shape else site.apply_op("expand", index, shape=shape)
    return site.apply_op("gather", x, index, axis=axis)


@reads("scatter")
def read_scatter(site: AtenSite) -> Value:
    x, index, axis = site.tensor(), site.tensor("index"), site.integer("dim")
    if "value" in site.args:
        return site.apply_op("scatter", x, index, axis=axis, value=site.number("value"))
    if site.has_argument("reduce"):
        reduce = {"add": "sum", "multiply": "prod"}[site.args["reduce"]]
        return site.apply_op("scatter_reduce", x, index, site.tensor("src"), axis=axis, reduce=reduce)
    return site.apply_op("scatter", x, index, site.tensor("src"), axis=axis)


@reads("scatter_add", "scatter_reduce")
def read_scatter_reduce(site: AtenSite) -> Value:
    reduce, include = site.args.get("reduce", "sum"), bool(site.args.get("include_self", True))
    tensors = (site.tensor(), site.tensor("index"), site.tensor("src"))
    return site.apply_op("scatter_reduce", *tensors, axis=site.integer("dim"), reduce=reduce, include_self=include)


@reads("index_add")
def read_index_add(site: AtenSite) -> Value:
    source, alpha = site.tensor("source"), site.number("alpha")
    source = source if alpha == 1 else site.apply_op("mul", source, other=alpha)
    return site.apply_op("index_add", site.tensor(), site.tensor("index"), source, axis=site.integer("dim"))


@reads("index")
def read_index(site: AtenSite) -> Value:
    """Read an index by tensors of integers along adjacent axes. The broadcast axes of the tensors replace these axes."""
    indices = site.args["indices"]
    axes = [axis for axis, index in enumerate(indices) if index is not None]
    if axes != list(range(axes[0], axes[0] + len(axes))):
        raise ImportRefused("selects by tensors along axes that are no neighbors")
    nodes = [indices[axis] for axis in axes]
    if any(node.meta["val"].dtype in (torch.bool, torch.uint8) for node in nodes):
        raise ImportRefused("selects by a mask: the size of the result depends on the values")
    x = site.tensor()
    if len(nodes) > 1:
        # `x[arange(n)[:, None], arange(m)]` selects all elements, so it only moves axes.
        counted = _index_by_permuting(site, x, axes[0], nodes)
        if counted is not None:
            return counted
    else:
        values = site.scope.model.constants.values.get(nodes[0])
        run = _slice_bounds(values.tolist()) if isinstance(values, torch.Tensor) and values.dim() == 1 else None
        if run is not None:
            return site.apply_op("slice", x, axis=axes[0], start=run[0], stop=run[1])
    return _select_by_indices(site, x, axes[0], nodes)


def _slice_bounds(numbers: Sequence[int]) -> tuple[int, int | None] | None:
    """Return the bounds of the slice with these indices: `x[:, [-1]]` is `x[:, -1:]`. None if they are not consecutive.

    >>> _slice_bounds([2, 3, 4])
    (2, 5)
    >>> _slice_bounds([-1])
    (-1, None)
    """
    if not numbers or list(numbers) != list(range(numbers[0], numbers[0] + len(numbers))) or numbers[0] < 0 <= numbers[-1]:
        return None
    return numbers[0], numbers[-1] + 1 or None


@reads("index_put")
def read_index_put(site: AtenSite) -> Value:
    """Read a write of one number where a mask is true, or of values by index tensors along adjacent axes."""
    axes = [axis for axis, index in enumerate(site.args["indices"]) if index is not None]
    nodes = [site.args["indices"][axis] for axis in axes]
    if axes != list(range(axes[0], axes[0] + len(axes))):
        raise ImportRefused("writes by index tensors along axes that are not adjacent")
    x, masks = site.tensor(), [node.meta["val"].dtype in (torch.bool, torch.uint8) for node in nodes]
    if len(nodes) == 1 and masks[0] and axes == [0]:
        return _put_by_mask(site, x, nodes[0])
    if any(masks):
        raise ImportRefused(
            "writes by masks and by numbers at once" if not all(masks) else "writes by masks along axes that are not the first"
        )
    values = site.cast(site.tensor("values"), x.type.dtype)
    if axes[0] == 0:
        return _put_by_indices(site, x, nodes, values)
    return _put_along_inner_axes(site, x, nodes, values, axes[0])


@reads("index_fill")
def read_index_fill(site: AtenSite) -> Value:
    """Read a write of one value by indices along an axis, by a mask: if `scatter` wrote a tensor, its gradient would count an index twice
    that is there twice. Newer versions of PyTorch write `x[:, [0, 2]] = 0` this way."""
    x, axis, node, number = site.tensor(), site.integer("dim"), site.args["index"], site.number_of("value")
    value = site.cast(site.tensor("value"), x.type.dtype) if number is None else make_constant(site, (), number)
    if not x.type.rank:
        return value  # the index can only be 0
    axis %= x.type.rank
    size = x.type.shape[axis]
    index = site.apply_op("reshape", site.index_from_front(node, size), shape=(-1,))
    mask = site.apply_op("scatter", make_table(site, (size,), Const(False), BOOL), index, axis=0, value=True)
    mask = site.reshape(mask, (size, *[1] * (x.type.rank - 1 - axis)))
    return site.apply_op("where", mask, value, x) if number is None else site.apply_op("masked_fill", x, mask, value=number)


def _put_along_inner_axes(site: AtenSite, x: Value, nodes: list[Node], values: Value, first: int) -> Value:
    """Write along axes that are not the first, by moving them to the front and back."""
    rank = x.type.rank
    moved, back = _rotate_axes(rank, first, len(nodes))
    before, after = x.type.shape[:first], x.type.shape[first + len(nodes) :]
    shape = tuple(map(site.scope.model.sizes.to_dim, _index_shape(nodes)))
    values = site.apply_op("expand", values, shape=(*before, *shape, *after))
    ahead, _ = _rotate_axes(values.type.rank, first, len(shape))
    written = _put_by_indices(site, site.apply_op("permute", x, axes=moved), nodes, site.apply_op("permute", values, axes=ahead))
    return site.apply_op("permute", written, axes=back)


def _rotate_axes(rank: int, first: int, count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the permutation that moves some axes to the front, and its inverse.

    >>> _rotate_axes(4, 2, 1)
    ((2, 0, 1, 3), (1, 2, 0, 3))
    """
    order = (*range(first, first + count), *range(first), *range(first + count, rank))
    return order, tuple(order.index(axis) for axis in range(rank))


def _index_shape(nodes: list[Node]) -> Sequence[object]:
    shape: Sequence[object] = torch.broadcast_tensors(*(node.meta["val"] for node in nodes))[0].shape  # type: ignore[no-untyped-call]
    return shape


def _put_by_mask(site: AtenSite, x: Value, node: Node) -> Value:
    sizes, rest = site.args["values"].meta["val"].shape, x.type.rank - node.meta["val"].dim()
    # The same value may be written to every selected position. Different ones would need the positions, which masked_parts.py has.
    if site.args["accumulate"] or not all(isinstance(size, int) and size == 1 for size in sizes[: len(sizes) - rest]):
        raise ImportRefused("writes several values by a mask: which one goes where depends on the mask")
    mask = site.tensor_of(node)
    for _ in range(rest):
        mask = site.apply_op("unsqueeze", mask, axis=-1)
    number = site.number_of("values")
    if isinstance(number, int | float):
        return site.apply_op("masked_fill", x, mask, value=number)
    value = site.cast(site.tensor("values"), x.type.dtype)
    kept = value.type.shape[max(len(sizes) - rest, 0) :]
    return site.apply_op("where", mask, site.reshape(value, () if all(size == 1 for size in kept) else kept), x)


def _put_by_indices(site: AtenSite, x: Value, nodes: list[Node], values: Value) -> Value:
    """Write elements by their flat index along the first axes."""
    flat_index, rest = _flatten_indices(site, x.type.shape[: len(nodes)], nodes), x.type.shape[len(nodes) :]
    values = site.apply_op("expand", values, shape=(*flat_index.type.shape, *rest))
    # `scatter` needs an index as large as the values, so the flat index is expanded over the other axes.
    index = site.apply_op("reshape", flat_index, shape=(-1,))
    for _ in rest:
        index = site.apply_op("unsqueeze", index, axis=-1)
    index = site.apply_op("expand", index, shape=(index.type.shape[0], *rest)) if rest else index
    flat = site.apply_op("flatten", x, start=0, end=len(nodes) - 1) if len(nodes) > 1 else x
    values = site.reshape(values, index.type.shape)
    if site.args.get("accumulate"):
        flat = site.apply_op("scatter_reduce", flat, index, values, axis=0, reduce="sum")
    else:
        flat = site.apply_op("scatter", flat, index, values, axis=0)
    return site.reshape(flat, x.type.shape)


def _index_by_permuting(site: AtenSite, x: Value, first: int, nodes: list[Node]) -> Value | None:
    """Read an index that selects all elements as a permutation of axes. None if the index selects anything else."""
    constants, facts = site.scope.model.constants, site.scope.model.facts
    rank = len(site.result_shape()) - (x.type.rank - len(nodes))
    counted = [find_counted_axis(node, constants) for node in nodes]
    along = [
        None if at is None else at if at == NO_AXIS else at + rank - node.meta["val"].dim() for at, node in zip(counted, nodes, strict=True)
    ]
    sizes = x.type.shape[first : first + len(nodes)]
    lengths = [1 if at == NO_AXIS else node.meta["val"].shape[at] for at, node in zip(counted, nodes, strict=True) if at is not None]
    # Two indices along one axis select a diagonal.
    if None in along or len({at for at in along if at != NO_AXIS}) != sum(at != NO_AXIS for at in along):
        return None
    dim = site.scope.model.sizes.to_dim
    if not all(facts.are_equal(dim(length), size) for at, length, size in zip(along, lengths, sizes, strict=True) if at != NO_AXIS):
        return None
    for offset in reversed(range(len(nodes))):
        if along[offset] == NO_AXIS:
            x = site.apply_op("select", x, axis=first + offset, index=0)
    kept = [at for at in along if at is not None and at != NO_AXIS]
    order = sorted(range(len(kept)), key=lambda offset: kept[offset])
    if order != list(range(len(kept))):
        front, back = range(first), range(first + len(kept), x.type.rank)
        x = site.apply_op("permute", x, axes=(*front, *(first + offset for offset in order), *back))
    placed = dict(zip(sorted(kept), x.type.shape[first : first + len(kept)], strict=True))
    shape = (*x.type.shape[:first], *(placed.get(at, 1) for at in range(rank)), *x.type.shape[first + len(kept) :])
    x = site.reshape(x, shape)
    return x if x.type.shape == site.result_shape() else site.apply_op("expand", x, shape=site.result_shape())


def _select_by_indices(site: AtenSite, x: Value, first: int, nodes: list[Node]) -> Value:
    """Select elements by their flat index along the indexed axes."""
    flat_index = _flatten_indices(site, x.type.shape[first : first + len(nodes)], nodes)
    if len(nodes) > 1:
        x = site.apply_op("flatten", x, start=first, end=first + len(nodes) - 1)
    flat = flat_index if flat_index.type.rank == 1 else site.apply_op("reshape", flat_index, shape=(-1,))
    selected = site.apply_op("index_select", x, flat, axis=first)
    return selected if flat_index.type.rank == 1 else site.apply_op("reshape", selected, shape=site.result_shape())


def _flatten_indices(site: AtenSite, sizes: Sequence[Dim], nodes: list[Node]) -> Value:
    """Flatten the indices along several axes into one flat index."""
    flat_index: Value | None = None
    for node, size in zip(nodes, sizes, strict=True):
        index = site.index_from_front(node, size)
        constants = site.scope.model.constants
        # Constant indices were counted from the front above.
        # A flat index mixes the axes, so -1 would be the last element before the row instead of the row's last one.
        if len(nodes) > 1 and node not in constants.values and not is_nonnegative(node, constants):
            index = site.apply_op("remainder", index, other=size)
        flat_index = index if flat_index is None else site.apply_op("add", site.apply_op("mul", flat_index, other=size), index)
    assert flat_index is not None
    return flat_index


@reads("copy")
def read_copy(site: AtenSite) -> Value:
    source = site.cast(site.tensor("src"), site.result_dtype)
    shape = site.result_shape()
    return source if source.type.shape == shape else site.apply_op("expand", source, shape=shape)


@reads("roll")
def read_roll(site: AtenSite) -> Value:
    return site.apply_op("roll", site.tensor(), shifts=site.integers("shifts"), axis=site.axes("dims"))


@reads("flip")
def read_flip(site: AtenSite) -> Value:
    x, axes = site.tensor(), site.integers("dims")
    # PyTorch takes a flip of no axes, and of a tensor without axes.
    return site.apply_op("flip", x, axis=axes) if axes and x.type.rank else x


@reads("pad", "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "replication_pad1d", "replication_pad2d", "replication_pad3d")
def read_pad(site: AtenSite) -> Value:
    names = {"pad": site.args.get("mode"), "constant_pad_nd": "constant"}
    mode = names.get(site.name) or ("reflect" if site.name.startswith("reflect") else "replicate")
    padding = site.sizes("pad" if "pad" in site.args else "padding")
    if all(amount == 0 for amount in padding):
        return site.tensor()
    value = site.args.get("value")
    # Padding with -0.0 is not the default: the sign of a zero is kept.
    zero = value is None or (value == 0 and copysign(1, value) == 1)
    arguments = {} if zero or mode != "constant" else {"value": site.number("value")}
    return site.apply_op("pad", site.tensor(), padding=padding, mode=mode, **arguments)


@reads("unfold")
def read_sliding_window(site: AtenSite) -> Value:
    return site.apply_op(
        "sliding_window", site.tensor(), axis=site.integer("dimension"), size=site.integer("size"), step=site.integer("step")
    )


@reads("diagonal")
def read_diagonal(site: AtenSite) -> Value:
    return site.apply_op("diagonal", site.tensor(), offset=site.integer("offset"), axis1=site.integer("dim1"), axis2=site.integer("dim2"))
