"""Elements by their indices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....dims import Dim
from ....ir.graph_values import Value
from ....ops.formula import BinaryFormula, Const, Formula, IndexFormula
from ....ops.operator import numel
from ....types.tensor_types import INT64
from ...graph_builder import ImportRefused
from ..emitter import number, ranged
from ..importer_site import Site
from ..importer_table import imports
from ..index_origin import count_from_beginning
from ..onnx_values import Filled, Known
from .shape import permuted


@imports("Gather", to="embedding, select, index_select")
def gather(site: Site) -> Value:
    """Rows of a constant matrix are an embedding."""
    data, index = site.item(0), site.item(1)
    axis = int(site.attr("axis", 0))
    if isinstance(index, Known):
        return _known(site, site.x(0), axis, index)
    where = site.x(1)
    if isinstance(data, Known) and data.array.ndim == 2 and axis % 2 == 0 and data.array.dtype.kind == "f":
        rows, width = data.array.shape
        dtype = data.array.dtype.name
        return site.emit.learned("embedding", [where], {"weight": data}, num=rows, dim=width, dtype=dtype)[0]
    x = site.x(0)
    axis = site.axis(axis, x.type.rank)
    return by_index(site, x, axis, count_from_beginning(site, where, x.type.shape[axis]))


def by_index(site: Site, x: Value, axis: int, where: Value) -> Value:
    """Parts of an axis by indices of any shape, whose axes replace it."""
    rank = where.type.rank
    if rank == 1:
        return site.one("index_select", x, where, axis=axis)
    flat = site.one("reshape", where, shape=(-1,))
    taken = site.one("index_select", x, flat, axis=axis)
    if rank == 0:
        return site.one("squeeze", taken, axis=axis)
    return site.one("unflatten", taken, axis=axis, sizes=where.type.shape)


def _known(site: Site, x: Value, axis: int, known: Known) -> Value:
    """Of known indices: one element, a range, or a list."""
    index = known.array
    axis = site.axis(axis, x.type.rank)
    size = x.type.shape[axis]
    if index.size == 0:
        raise ImportRefused("its list of indices is empty")
    if index.ndim == 0:
        return site.one("select", x, axis=axis, index=int(index))
    flat = index.reshape(-1).astype(np.int64)
    if isinstance(size, int):
        flat = np.where(flat < 0, flat + size, flat)
    elif (flat < 0).any():
        raise ImportRefused("counts indices from the end of an axis whose size is not known")
    if (np.diff(flat) == 1).all():
        start, stop = int(flat[0]), int(flat[-1]) + 1
        whole = start == 0 and stop == size
        taken = x if whole and index.ndim > 1 else site.one("slice", x, axis=axis, start=start, stop=None if stop == size else stop)
    else:
        listed = known if np.array_equal(flat, index) else Known(flat)
        taken = site.one("index_select", x, site.tensor(listed), axis=axis)
    return taken if index.ndim == 1 else site.one("unflatten", taken, axis=axis, sizes=index.shape)


@imports("GatherElements", to="gather")
def gather_elements(site: Site) -> Value:
    return site.one("gather", site.x(0), _positive(site, 1), axis=int(site.attr("axis", 0)))


def _positive(site: Site, index: int) -> Value:
    """Indices that count from the beginning."""
    item = site.item(index)
    x = site.x(0)
    axis = site.axis(int(site.attr("axis", 0)), x.type.rank)
    size = x.type.shape[axis]
    if not isinstance(item, Known):
        return count_from_beginning(site, site.x(index), size, torch_counts=True)
    if not (item.array < 0).any():
        return site.x(index)
    if not isinstance(size, int):
        raise ImportRefused("counts indices from the end of an axis whose size is not known")
    return site.tensor(Known(np.where(item.array < 0, item.array + size, item.array)))


_REDUCE = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


@imports("ScatterElements", "Scatter", to="scatter, scatter_reduce")
def scatter(site: Site) -> Value:
    axis = int(site.attr("axis", 0))
    reduce = site.attr("reduction", "none")
    x, index, source = site.x(0), _positive(site, 1), site.x(2)
    if reduce == "none":
        return site.one("scatter", x, index, source, axis=axis)
    return site.one("scatter_reduce", x, index, source, axis=axis, reduce=_REDUCE[reduce])


@imports("OneHot", to="one_hot, or eq; where")
def one_hot(site: Site) -> Value:
    depth = _count_classes(site)
    off, on = (v.reshape(-1)[0] for v in np.split(site.array(2, "the list of its values").reshape(-1), 2))
    indices = site.x(0)
    axis = site.axis(int(site.attr("axis", -1)), indices.type.rank + 1)
    hot = _mark_classes(site, indices, depth, axis)
    dtype = on.dtype.name
    if (off, on) == (0, 1):
        return site.one("cast", hot, dtype=dtype)
    hot = site.one("cast", hot, dtype="bool")
    values = site.emit.filled(Filled(hot.type.shape, on))
    return site.one("where", hot, values, other=number(np.asarray(off)))


def _count_classes(site: Site) -> Dim:
    """The number of classes, which may be a float."""
    item = site.item(1)
    if isinstance(item, Known) and item.array.dtype.kind == "f" and item.array.size == 1 and float(item.array.reshape(-1)[0]).is_integer():
        return int(item.array.reshape(-1)[0])
    return site.dims(1, "the number of classes")[0]


def _mark_classes(site: Site, indices: Value, depth: Dim, axis: int) -> Value:
    """Where the class is that of the index. One that is no class, such as 0.5, has none; PyTorch's `one_hot` refuses it, so that a file of
    PyTorch's has no such index."""
    if site.emit.producer in ("netc", "pytorch"):
        indices = site.cast(indices, INT64)
        hot = site.one("one_hot", indices, classes=depth)
        rank = hot.type.rank
        return permuted(site, hot, [*range(axis), rank - 1, *range(axis, rank - 1)])
    indices = indices if indices.type.dtype.is_float else site.cast(indices, INT64)
    below = site.one("lt", indices, other=0)
    positions = site.one("where", below, site.one("add", indices, other=depth), indices)
    shape = [1] * (indices.type.rank + 1)
    classes = site.emit.table((*shape[:axis], depth, *shape[axis + 1 :]), ranged(axis, 0, 1), INT64)
    return site.one("eq", site.one("unsqueeze", positions, axis=axis), site.cast(classes, indices.type.dtype))


@imports("TensorScatter", to="scatter")
def tensor_scatter(site: Site) -> Value:
    """What a cache of keys or values gets from a position on, which is another one for each sample."""
    cache, update = site.x(0), site.x(1)
    axis = site.axis(int(site.attr("axis", -2)), cache.type.rank)
    mode = site.attr("mode", "linear")
    if mode not in ("linear", "circular") or axis == 0:
        raise ImportRefused(f"has `mode={mode}` and `axis={axis}`, which are not known here")
    shape = [1] * cache.type.rank
    steps = site.emit.table((*shape[:axis], update.type.shape[axis], *shape[axis + 1 :]), ranged(axis, 0, 1), INT64)
    if site.has(2):
        starts = site.cast(site.x(2), INT64)
        for _ in range(cache.type.rank - 1):
            starts = site.one("unsqueeze", starts, axis=-1)
        steps = site.one("add", starts, steps)
    if mode == "circular":
        steps = site.one("remainder", steps, other=cache.type.shape[axis])
    return site.one("scatter", cache, site.one("expand", steps, shape=update.type.shape), update, axis=axis)


@imports("GatherND", to="index_select, flatten")
def gather_nd(site: Site) -> Value:
    """Of known leading axes: the position in all of them as one."""
    x, where = site.x(0), site.x(1)
    batch = int(site.attr("batch_dims", 0))
    depth = where.type.shape[-1] if where.type.rank else 0
    if not isinstance(depth, int) or not 0 < depth <= x.type.rank - batch or not 0 <= batch < where.type.rank:
        raise ImportRefused("looks up along a number of axes that is not known")
    flat = site.one("flatten", x, start=0, end=batch + depth - 1) if batch + depth > 1 else x
    within = _position(site, where, x.type.shape[batch : batch + depth])
    if batch:
        sample: Formula = IndexFormula(0)
        for axis, size in enumerate(x.type.shape[1:batch], 1):
            sample = BinaryFormula("+", BinaryFormula("*", sample, Const(size)), IndexFormula(axis))
        first = BinaryFormula("*", sample, Const(numel(x.type.shape[batch : batch + depth])))
        rest = [1] * (within.type.rank - batch)
        within = site.one("add", within, site.emit.table((*x.type.shape[:batch], *rest), first, INT64))
    return by_index(site, flat, 0, within)


def _position(site: Site, where: Value, sizes: Sequence[Dim]) -> Value:
    """The position in several axes as one; indices below 0 count from the end."""
    total: Value | None = None
    for n, size in enumerate(sizes):
        part = site.one("select", where, axis=-1, index=n)
        part = site.one("remainder", part, other=size)
        step: Dim = 1
        for further in sizes[n + 1 :]:
            step = step * further
        part = part if step == 1 else site.one("mul", part, other=step)
        total = part if total is None else site.one("add", total, part)
    assert total is not None
    return total


@imports("ScatterND", to="scatter, or scatter_reduce")
def scatter_nd(site: Site) -> Value:
    """The leading axes as one, along which it writes."""
    x, where, source = site.x(0), site.x(1), site.x(2)
    depth = where.type.shape[-1] if where.type.rank else 0
    if not isinstance(depth, int) or not 0 < depth <= x.type.rank:
        raise ImportRefused("writes along a number of axes that is not known")
    rest = x.type.shape[depth:]
    flat = site.one("flatten", x, start=0, end=depth - 1) if depth > 1 else x
    at = _position(site, where, x.type.shape[:depth])
    at = at if at.type.rank == 1 else site.one("reshape", at, shape=(-1,))
    for _ in rest:
        at = site.one("unsqueeze", at, axis=-1)
    at = site.one("expand", at, shape=(at.type.shape[0], *rest)) if rest else at
    source = source if where.type.rank == 2 else site.one("reshape", source, shape=(-1, *rest))
    reduce = site.attr("reduction", "none")
    if reduce == "none":
        made = site.one("scatter", flat, at, source, axis=0)
    else:
        made = site.one("scatter_reduce", flat, at, source, axis=0, reduce=_REDUCE[reduce])
    return made if depth == 1 else site.one("unflatten", made, axis=0, sizes=x.type.shape[:depth])


@imports("ReverseSequence", to="gather")
def reverse_sequence(site: Site) -> Value:
    """Each position up to the length of its sequence is read at the one that is as far from the end."""
    x, lengths = site.x(0), site.cast(site.x(1), INT64)
    time, batch = site.axis(int(site.attr("time_axis", 0)), x.type.rank), site.axis(int(site.attr("batch_axis", 1)), x.type.rank)
    if {time, batch} != {0, 1}:
        raise ImportRefused("has axes of steps and sequences that are not the first two")
    steps = site.emit.table((x.type.shape[time],), ranged(0, 0, 1), INT64)
    steps, lengths = site.one("unsqueeze", steps, axis=batch), site.one("unsqueeze", lengths, axis=time)
    turned = site.one("sub", site.one("sub", lengths, steps), other=1)
    at = site.one("where", site.one("gt", lengths, steps), turned, steps)
    for _ in x.type.shape[2:]:
        at = site.one("unsqueeze", at, axis=-1)
    return site.one("gather", x, site.one("expand", at, shape=x.type.shape), axis=time)
