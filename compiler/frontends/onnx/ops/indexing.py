"""Imports gathers and scatters by indices: `Gather` of a constant float matrix becomes `embedding`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....dims import Dim
from ....ir.graph_values import Value
from ....ops.formula import BinaryFormula, Const, Formula, IndexFormula
from ....ops.operator import numel
from ....types.numpy_types import Array
from ....types.tensor_types import INT64
from ...graph_builder import ImportRefused
from ..emitter import range_formula, to_number
from ..importer_site import OnnxSite
from ..importer_table import imports
from ..index_origin import count_from_beginning
from ..onnx_values import Filled, Known
from .shape import apply_permute


@imports("Gather", to="embedding, select, index_select")
def import_gather(site: OnnxSite) -> Value:
    """Import a lookup. Looking up rows of a constant float matrix is an embedding."""
    data, index = site.get_item(0), site.get_item(1)
    axis = int(site.get_attr("axis", 0))
    if isinstance(index, Known):
        return _select_known(site, site.input(0), axis, index)
    where = site.input(1)
    # Of a matrix, axis 0 and axis -2 are the rows.
    if isinstance(data, Known) and data.array.ndim == 2 and axis % 2 == 0 and data.array.dtype.kind == "f":
        rows, width = data.array.shape
        dtype = data.array.dtype.name
        return site.emit.apply_with_weights("embedding", [where], {"weight": data}, num=rows, dim=width, dtype=dtype)[0]
    x = site.input(0)
    axis = site.normalize_axis(axis, x.type.rank)
    return select_by_index(site, x, axis, count_from_beginning(site, where, x.type.shape[axis]))


def select_by_index(site: OnnxSite, x: Value, axis: int, where: Value) -> Value:
    """Select along an axis by indices of any shape. The axes of the indices replace the axis."""
    rank = where.type.rank
    if rank == 1:
        return site.apply_op("index_select", x, where, axis=axis)
    flat = site.apply_op("reshape", where, shape=(-1,))
    selected = site.apply_op("index_select", x, flat, axis=axis)
    if rank == 0:
        return site.apply_op("squeeze", selected, axis=axis)
    return site.apply_op("unflatten", selected, axis=axis, sizes=where.type.shape)


def _select_known(site: OnnxSite, x: Value, axis: int, known: Known) -> Value:
    """Select by known indices: one element, a range, or a list."""
    index = known.array
    axis = site.normalize_axis(axis, x.type.rank)
    size = x.type.shape[axis]
    if index.size == 0:
        raise ImportRefused("its list of indices is empty")
    if index.ndim == 0:
        return site.apply_op("select", x, axis=axis, index=int(index))
    flat = index.reshape(-1).astype(np.int64)
    if isinstance(size, int):
        flat = np.where(flat < 0, flat + size, flat)
    elif (flat < 0).any():
        return _select_from_end(site, x, axis, flat, index.shape)
    # Consecutive indices are a slice, which needs no table of indices.
    if (np.diff(flat) == 1).all():
        start, stop = int(flat[0]), int(flat[-1]) + 1
        is_all = start == 0 and stop == size
        selected = (
            x if is_all and index.ndim > 1 else site.apply_op("slice", x, axis=axis, start=start, stop=None if stop == size else stop)
        )
    else:
        listed = known if np.array_equal(flat, index) else Known(flat)
        selected = site.apply_op("index_select", x, site.to_tensor(listed), axis=axis)
    return selected if index.ndim == 1 else site.apply_op("unflatten", selected, axis=axis, sizes=index.shape)


def _select_from_end(site: OnnxSite, x: Value, axis: int, flat: Array, shape: tuple[int, ...]) -> Value:
    """Select by known indices, some of which count from the end of an axis whose size is not known."""
    if flat.tolist() == [-1] and len(shape) == 1:
        return site.apply_op("slice", x, axis=axis, start=-1)
    counted = site.apply_op("remainder", site.to_tensor(Known(flat.reshape(shape))), other=x.type.shape[axis])
    return select_by_index(site, x, axis, counted)


@imports("GatherElements", to="gather")
def import_gather_elements(site: OnnxSite) -> Value:
    return site.apply_op("gather", site.input(0), _index_from_front(site, 1), axis=int(site.get_attr("axis", 0)))


def _index_from_front(site: OnnxSite, index: int) -> Value:
    """Return an input of indices, counted from the beginning."""
    item = site.get_item(index)
    x = site.input(0)
    axis = site.normalize_axis(int(site.get_attr("axis", 0)), x.type.rank)
    size = x.type.shape[axis]
    if not isinstance(item, Known):
        return count_from_beginning(site, site.input(index), size, torch_counts=True)
    if not (item.array < 0).any():
        return site.input(index)
    if not isinstance(size, int):
        raise ImportRefused("counts indices from the end of an axis whose size is not known")
    return site.to_tensor(Known(np.where(item.array < 0, item.array + size, item.array)))


_REDUCE = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


@imports("ScatterElements", "Scatter", to="scatter, scatter_reduce")
def import_scatter(site: OnnxSite) -> Value:
    axis = int(site.get_attr("axis", 0))
    reduce = site.get_attr("reduction", "none")
    x, index, source = site.input(0), _index_from_front(site, 1), site.input(2)
    if reduce == "none":
        return site.apply_op("scatter", x, index, source, axis=axis)
    return site.apply_op("scatter_reduce", x, index, source, axis=axis, reduce=_REDUCE[reduce])


@imports("OneHot", to="one_hot, or eq; where")
def import_one_hot(site: OnnxSite) -> Value:
    depth = _count_classes(site)
    # The input `values` is [off_value, on_value].
    off, on = (v.reshape(-1)[0] for v in np.split(site.require_array(2, "the list of its values").reshape(-1), 2))
    indices = site.input(0)
    axis = site.normalize_axis(int(site.get_attr("axis", -1)), indices.type.rank + 1)
    hot = _mark_classes(site, indices, depth, axis)
    dtype = on.dtype.name
    if (off, on) == (0, 1):
        return site.apply_op("cast", hot, dtype=dtype)
    hot = site.apply_op("cast", hot, dtype="bool")
    values = site.emit.make_filled(Filled(hot.type.shape, on))
    return site.apply_op("where", hot, values, other=to_number(np.asarray(off)))


def _count_classes(site: OnnxSite) -> Dim:
    """Return the number of classes, which ONNX allows to be a float."""
    item = site.get_item(1)
    if isinstance(item, Known) and item.array.dtype.kind == "f" and item.array.size == 1 and float(item.array.reshape(-1)[0]).is_integer():
        return int(item.array.reshape(-1)[0])
    return site.require_dims(1, "the number of classes")[0]


def _mark_classes(site: OnnxSite, indices: Value, depth: Dim, axis: int) -> Value:
    """Mark the class of each index.

    An index that is no class, such as 0.5, marks none. PyTorch's `one_hot` refuses such indices, so a file from PyTorch has none.
    """
    if site.emit.producer in ("netc", "pytorch"):
        indices = site.cast(indices, INT64)
        hot = site.apply_op("one_hot", indices, classes=depth)
        rank = hot.type.rank
        return apply_permute(site, hot, [*range(axis), rank - 1, *range(axis, rank - 1)])
    indices = indices if indices.type.dtype.is_float else site.cast(indices, INT64)
    # Classes below 0 count from the end, as indices do.
    below = site.apply_op("lt", indices, other=0)
    positions = site.apply_op("where", below, site.apply_op("add", indices, other=depth), indices)
    shape = [1] * (indices.type.rank + 1)
    classes = site.emit.make_table((*shape[:axis], depth, *shape[axis + 1 :]), range_formula(axis, 0, 1), INT64)
    return site.apply_op("eq", site.apply_op("unsqueeze", positions, axis=axis), site.cast(classes, indices.type.dtype))


@imports("TensorScatter", to="scatter")
def import_tensor_scatter(site: OnnxSite) -> Value:
    """Write into a cache of keys or values, for each sample from a position of its own on."""
    cache, update = site.input(0), site.input(1)
    axis = site.normalize_axis(int(site.get_attr("axis", -2)), cache.type.rank)
    mode = site.get_attr("mode", "linear")
    if mode not in ("linear", "circular") or axis == 0:
        raise ImportRefused(f"has `mode={mode}` and `axis={axis}`, which are not known here")
    shape = [1] * cache.type.rank
    steps = site.emit.make_table((*shape[:axis], update.type.shape[axis], *shape[axis + 1 :]), range_formula(axis, 0, 1), INT64)
    if site.has_input(2):
        starts = site.cast(site.input(2), INT64)
        for _ in range(cache.type.rank - 1):
            starts = site.apply_op("unsqueeze", starts, axis=-1)
        steps = site.apply_op("add", starts, steps)
    if mode == "circular":
        steps = site.apply_op("remainder", steps, other=cache.type.shape[axis])
    return site.apply_op("scatter", cache, site.apply_op("expand", steps, shape=update.type.shape), update, axis=axis)


@imports("GatherND", to="index_select, flatten")
def import_gather_nd(site: OnnxSite) -> Value:
    """Look up along several leading axes, which are flattened into one."""
    x, where = site.input(0), site.input(1)
    batch = int(site.get_attr("batch_dims", 0))
    depth = where.type.shape[-1] if where.type.rank else 0
    if not isinstance(depth, int) or not 0 < depth <= x.type.rank - batch or not 0 <= batch < where.type.rank:
        raise ImportRefused("looks up along a number of axes that is not known")
    flat = site.apply_op("flatten", x, start=0, end=batch + depth - 1) if batch + depth > 1 else x
    within = _flatten_index(site, where, x.type.shape[batch : batch + depth])
    # Each sample looks up in its own part of the flattened axis, so its first position is added to the index.
    if batch:
        sample: Formula = IndexFormula(0)
        for axis, size in enumerate(x.type.shape[1:batch], 1):
            sample = BinaryFormula("+", BinaryFormula("*", sample, Const(size)), IndexFormula(axis))
        first = BinaryFormula("*", sample, Const(numel(x.type.shape[batch : batch + depth])))
        rest = [1] * (within.type.rank - batch)
        within = site.apply_op("add", within, site.emit.make_table((*x.type.shape[:batch], *rest), first, INT64))
    return select_by_index(site, flat, 0, within)


def _flatten_index(site: OnnxSite, where: Value, sizes: Sequence[Dim]) -> Value:
    """Flatten the positions along several axes into one. Indices below 0 count from the end."""
    total: Value | None = None
    for n, size in enumerate(sizes):
        part = site.apply_op("select", where, axis=-1, index=n)
        part = site.apply_op("remainder", part, other=size)
        step: Dim = 1
        for further in sizes[n + 1 :]:
            step = step * further
        part = part if step == 1 else site.apply_op("mul", part, other=step)
        total = part if total is None else site.apply_op("add", total, part)
    assert total is not None
    return total


@imports("ScatterND", to="scatter, or scatter_reduce")
def import_scatter_nd(site: OnnxSite) -> Value:
    """Write along several leading axes, which are flattened into one."""
    x, where, source = site.input(0), site.input(1), site.input(2)
    depth = where.type.shape[-1] if where.type.rank else 0
    if not isinstance(depth, int) or not 0 < depth <= x.type.rank:
        raise ImportRefused("writes along a number of axes that is not known")
    rest = x.type.shape[depth:]
    flat = site.apply_op("flatten", x, start=0, end=depth - 1) if depth > 1 else x
    position = _flatten_index(site, where, x.type.shape[:depth])
    position = position if position.type.rank == 1 else site.apply_op("reshape", position, shape=(-1,))
    for _ in rest:
        position = site.apply_op("unsqueeze", position, axis=-1)
    position = site.apply_op("expand", position, shape=(position.type.shape[0], *rest)) if rest else position
    source = source if where.type.rank == 2 else site.apply_op("reshape", source, shape=(-1, *rest))
    reduce = site.get_attr("reduction", "none")
    if reduce == "none":
        written = site.apply_op("scatter", flat, position, source, axis=0)
    else:
        written = site.apply_op("scatter_reduce", flat, position, source, axis=0, reduce=_REDUCE[reduce])
    return written if depth == 1 else site.apply_op("unflatten", written, axis=0, sizes=x.type.shape[:depth])


@imports("ReverseSequence", to="gather")
def import_reverse_sequence(site: OnnxSite) -> Value:
    """Reverse each sequence up to its own length. Positions after the length stay."""
    x, lengths = site.input(0), site.cast(site.input(1), INT64)
    time, batch = (
        site.normalize_axis(int(site.get_attr("time_axis", 0)), x.type.rank),
        site.normalize_axis(int(site.get_attr("batch_axis", 1)), x.type.rank),
    )
    # ONNX allows only these two orders.
    if {time, batch} != {0, 1}:
        raise ImportRefused("has axes of steps and sequences that are not the first two")
    steps = site.emit.make_table((x.type.shape[time],), range_formula(0, 0, 1), INT64)
    steps, lengths = site.apply_op("unsqueeze", steps, axis=batch), site.apply_op("unsqueeze", lengths, axis=time)
    turned = site.apply_op("sub", site.apply_op("sub", lengths, steps), other=1)
    positions = site.apply_op("where", site.apply_op("gt", lengths, steps), turned, steps)
    for _ in x.type.shape[2:]:
        positions = site.apply_op("unsqueeze", positions, axis=-1)
    return site.apply_op("gather", x, site.apply_op("expand", positions, shape=x.type.shape), axis=time)
