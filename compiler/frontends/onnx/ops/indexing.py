"""Elements by their indices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....dims import Dim
from ....ir.types import INT64
from ....ir.values import Value
from ...builder import ImportRefused
from ..emitter import ranged
from ..index_origin import count_from_beginning
from ..site import Site
from ..table import imports
from ..values import Known
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


@imports("OneHot", to="one_hot, where")
def one_hot(site: Site) -> Value:
    depth = site.dims(1, "the number of classes")[0]
    off, on = (v.reshape(-1)[0] for v in np.split(site.array(2, "the list of its values").reshape(-1), 2))
    indices = site.x(0)
    indices = site.one("remainder", site.cast(indices, INT64), other=depth)
    dtype = on.dtype.name
    hot = site.one("one_hot", indices, classes=depth)
    if (off, on) != (0, 1) or on.dtype.kind == "b":
        values = site.one("mul", site.one("cast", hot, dtype="float64"), other=float(on) - float(off))
        hot = site.one("add", values, other=float(off))
    hot = site.one("cast", hot, dtype=dtype)
    rank = hot.type.rank
    axis = int(site.attr("axis", -1)) % rank
    order = [*range(axis), rank - 1, *range(axis, rank - 1)]
    return permuted(site, hot, order)


@imports("GatherND", to="index_select, flatten")
def gather_nd(site: Site) -> Value:
    """Of known leading axes: the position in all of them as one."""
    x, where = site.x(0), site.x(1)
    if site.attr("batch_dims", 0):
        raise ImportRefused("has `batch_dims`, which has no counterpart")
    depth = where.type.shape[-1] if where.type.rank else 0
    if not isinstance(depth, int) or not 0 < depth <= x.type.rank:
        raise ImportRefused("looks up along a number of axes that is not known")
    flat = site.one("flatten", x, start=0, end=depth - 1) if depth > 1 else x
    return by_index(site, flat, 0, _position(site, where, x.type.shape[:depth]))


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
