"""Parts of tensors, and elements by their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from math import copysign

import torch
from torch.fx import Node

from ....dims import Dim, bounds
from ....ir.graph import has_operator
from ....ir.graph_values import Value
from ....ops.joining import Concat
from ....types.numpy_types import to_array
from ...constants import formula_of
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import reads
from ..ranges import NO_AXIS, counted_axis, is_natural
from .creation import filled


@reads("slice")
def slice_(site: AtenSite) -> Value:
    x, axis = site.tensor(), site.integer("dim")
    start, stop, step = site.start(), site.end("end"), site.integer("step")
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


@reads("scatter_add", "scatter_reduce")
def scatter_reduce(site: AtenSite) -> Value:
    reduce, include = site.args.get("reduce", "sum"), bool(site.args.get("include_self", True))
    given = (site.tensor(), site.tensor("index"), site.tensor("src"))
    return site.one("scatter_reduce", *given, axis=site.integer("dim"), reduce=reduce, include_self=include)


@reads("index_add")
def index_add(site: AtenSite) -> Value:
    return site.one("index_add", site.tensor(), site.tensor("index"), site.tensor("source"), axis=site.integer("dim"))


@reads("index")
def index(site: AtenSite) -> Value:
    """By tensors of numbers along neighboring axes: their common axes take the place of those."""
    given = site.args["indices"]
    axes = [axis for axis, one in enumerate(given) if one is not None]
    if axes != list(range(axes[0], axes[0] + len(axes))):
        raise ImportRefused("selects by tensors along axes that are no neighbors")
    nodes = [given[axis] for axis in axes]
    if any(node.meta["val"].dtype in (torch.bool, torch.uint8) for node in nodes):
        raise ImportRefused("selects by a mask: the size of the result depends on the values")
    x = site.tensor()
    if len(nodes) > 1:
        counted = _counted(site, x, axes[0], nodes)
        if counted is not None:
            return counted
    else:
        values = site.scope.model.constants.values.get(nodes[0])
        run = _slice_bounds(values.tolist()) if isinstance(values, torch.Tensor) and values.dim() == 1 else None
        if run is not None:
            return site.one("slice", x, axis=axes[0], start=run[0], stop=run[1])
    return _by_numbers(site, x, axes[0], nodes)


def _slice_bounds(numbers: Sequence[int]) -> tuple[int, int | None] | None:
    """The bounds of the slice with these indices: `x[:, [-1]]` is `x[:, -1:]`. None if they are not consecutive."""
    if not numbers or list(numbers) != list(range(numbers[0], numbers[0] + len(numbers))) or numbers[0] < 0 <= numbers[-1]:
        return None
    return numbers[0], numbers[-1] + 1 or None


@reads("index_put")
def index_put(site: AtenSite) -> Value:
    """One number where a mask is true, or values by tensors of numbers along adjacent axes."""
    axes = [axis for axis, one in enumerate(site.args["indices"]) if one is not None]
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
        return _put_by_numbers(site, x, nodes, values)
    return _put_behind(site, x, nodes, values, axes[0])


@reads("index_fill")
def index_fill(site: AtenSite) -> Value:
    """One value by numbers along an axis, as newer versions of PyTorch write `x[:, [0, 2]] = 0`."""
    x, axis, node = site.tensor(), site.integer("dim"), site.args["index"]
    number = site.number_of("value")
    value = site.cast(site.tensor("value"), x.type.dtype) if number is None else filled(site, (), number)
    axis += x.type.rank if axis < 0 else 0
    if axis == 0:
        return _put_by_numbers(site, x, [node], value)
    return _put_behind(site, x, [node], value, axis)


def _put_behind(site: AtenSite, x: Value, nodes: list[Node], values: Value, first: int) -> Value:
    """Writes along axes that are not the first: they are moved to the front, and back."""
    rank = x.type.rank
    moved, back = _rotate_axes(rank, first, len(nodes))
    before, after = x.type.shape[:first], x.type.shape[first + len(nodes) :]
    shape = tuple(_known_size(size) for size in _index_shape(nodes))
    values = site.one("expand", values, shape=(*before, *shape, *after))
    ahead, _ = _rotate_axes(values.type.rank, first, len(shape))
    found = _put_by_numbers(site, site.one("permute", x, axes=moved), nodes, site.one("permute", values, axes=ahead))
    return site.one("permute", found, axes=back)


def _rotate_axes(rank: int, first: int, count: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The permutation that moves some axes to the front, and its inverse."""
    order = (*range(first, first + count), *range(first), *range(first + count, rank))
    return order, tuple(order.index(axis) for axis in range(rank))


def _index_shape(nodes: list[Node]) -> Sequence[object]:
    shape: Sequence[object] = torch.broadcast_tensors(*(node.meta["val"] for node in nodes))[0].shape  # type: ignore[no-untyped-call]
    return shape


def _known_size(size: object) -> int:
    if not isinstance(size, int):
        raise ImportRefused("writes along axes that are not the first, and the number of elements depends on the input")
    return size


def _put_by_mask(site: AtenSite, x: Value, node: Node) -> Value:
    sizes = site.args["values"].meta["val"].shape
    if site.args["accumulate"] or not all(isinstance(size, int) and size == 1 for size in sizes):
        raise ImportRefused("writes several values by a mask: which one goes where depends on the mask")
    mask = site.element_of(node)
    for _ in range(x.type.rank - mask.type.rank):
        mask = site.one("unsqueeze", mask, axis=-1)
    number = site.number_of("values")
    if isinstance(number, int | float):
        return site.one("masked_fill", x, mask, value=number)
    value = site.reshape(site.cast(site.tensor("values"), x.type.dtype), ())
    return site.one("where", mask, value, x)


def _put_by_numbers(site: AtenSite, x: Value, nodes: list[Node], values: Value) -> Value:
    """By the number of each element among those of the first axes."""
    whole, rest = _numbers(site, x.type.shape[: len(nodes)], nodes), x.type.shape[len(nodes) :]
    values = site.one("expand", values, shape=(*whole.type.shape, *rest))
    at = site.one("reshape", whole, shape=(-1,))
    for _ in rest:
        at = site.one("unsqueeze", at, axis=-1)
    at = site.one("expand", at, shape=(at.type.shape[0], *rest)) if rest else at
    flat = site.one("flatten", x, start=0, end=len(nodes) - 1) if len(nodes) > 1 else x
    values = site.reshape(values, at.type.shape)
    if site.args.get("accumulate"):
        flat = site.one("scatter_reduce", flat, at, values, axis=0, reduce="sum")
    else:
        flat = site.one("scatter", flat, at, values, axis=0)
    return site.reshape(flat, x.type.shape)


def _counted(site: AtenSite, x: Value, first: int, nodes: list[Node]) -> Value | None:
    """All elements of each axis, in another order of axes; None if the numbers are others."""
    constants, facts = site.scope.model.constants, site.scope.model.facts
    rank = len(site.shape()) - (x.type.rank - len(nodes))
    counted = [counted_axis(node, constants) for node in nodes]
    along = [
        None if at is None else at if at == NO_AXIS else at + rank - node.meta["val"].dim() for at, node in zip(counted, nodes, strict=True)
    ]
    sizes = x.type.shape[first : first + len(nodes)]
    lengths = [1 if at == NO_AXIS else node.meta["val"].shape[at] for at, node in zip(counted, nodes, strict=True) if at is not None]
    if None in along or len({at for at in along if at != NO_AXIS}) != sum(at != NO_AXIS for at in along):
        return None
    dim = site.scope.model.sizes.dim
    if not all(facts.are_equal(dim(length), size) for at, length, size in zip(along, lengths, sizes, strict=True) if at != NO_AXIS):
        return None
    for offset in reversed(range(len(nodes))):
        if along[offset] == NO_AXIS:
            x = site.one("select", x, axis=first + offset, index=0)
    kept = [at for at in along if at is not None and at != NO_AXIS]
    order = sorted(range(len(kept)), key=lambda offset: kept[offset])
    if order != list(range(len(kept))):
        front, back = range(first), range(first + len(kept), x.type.rank)
        x = site.one("permute", x, axes=(*front, *(first + offset for offset in order), *back))
    placed = dict(zip(sorted(kept), x.type.shape[first : first + len(kept)], strict=True))
    shape = (*x.type.shape[:first], *(placed.get(at, 1) for at in range(rank)), *x.type.shape[first + len(kept) :])
    x = site.reshape(x, shape)
    return x if x.type.shape == site.shape() else site.one("expand", x, shape=site.shape())


def _by_numbers(site: AtenSite, x: Value, first: int, nodes: list[Node]) -> Value:
    """By the number of each element among those of all axes that are selected from."""
    whole = _numbers(site, x.type.shape[first : first + len(nodes)], nodes)
    if len(nodes) > 1:
        x = site.one("flatten", x, start=first, end=first + len(nodes) - 1)
    flat = whole if whole.type.rank == 1 else site.one("reshape", whole, shape=(-1,))
    found = site.one("index_select", x, flat, axis=first)
    return found if whole.type.rank == 1 else site.one("reshape", found, shape=site.shape())


def _numbers(site: AtenSite, sizes: Sequence[Dim], nodes: list[Node]) -> Value:
    """The numbers of elements among those of several axes, by their numbers along each."""
    whole: Value | None = None
    for node, size in zip(nodes, sizes, strict=True):
        one = site.from_front(node, size)
        constants = site.scope.model.constants
        # Constant indices were counted from the front above.
        if len(nodes) > 1 and node not in constants.values and not is_natural(node, constants):
            one = site.one("remainder", one, other=size)
        whole = one if whole is None else site.one("add", site.one("mul", whole, other=size), one)
    assert whole is not None
    return whole


def with_part(site: AtenSite, part: Value) -> Value:
    """What a slice or an element was taken from, with `part` in its place."""
    x, axis = site.tensor(), site.integer("dim")
    size = x.type.shape[axis]
    if site.name == "select":
        start = site.size("index")
        start = start + size if isinstance(start, int) and start < 0 else start
        stop: Dim = start + 1
        part = site.one("unsqueeze", part, axis=axis)
    elif site.integer("step") != 1:
        return _with_every(site, x, part, axis)
    else:
        end = site.end("end")
        start, stop = _from_front(site.start(), size), size if end is None else _from_front(end, size)
    if not all(n == size or (bounds(n)[0] or 0) >= 0 for n in (start, stop)) or bounds(start)[0] is None:
        raise ImportRefused("is changed in a part whose bounds are not known")
    front = [] if start == 0 else _take_pieces(site, x, axis, 0, start)
    back = [] if stop == size else _take_pieces(site, x, axis, stop, size)
    return site.one("concat", *front, part, *back, axis=axis) if front or back else part


def _from_front(end: Dim, size: Dim) -> Dim:
    """A bound of a slice, counted from the beginning, and clipped to the axis if both are known."""
    if isinstance(end, int) and end < 0:
        end = end + size
    return max(0, min(end, size)) if isinstance(end, int) and isinstance(size, int) else end


def _take_pieces(site: AtenSite, x: Value, axis: int, start: Dim, stop: Dim) -> list[Value]:
    """A slice of a tensor. If the tensor is a `concat`, and the bounds fall between its inputs, the slice is these inputs themselves."""
    made = next((node for node in site.scope.builder.graph.nodes if x in node.outputs), None)
    if has_operator(made, Concat) and made.op.args["axis"] % x.type.rank == axis % x.type.rank:
        ends: list[Dim] = [0]
        for one in made.inputs:
            ends.append(ends[-1] + one.type.shape[axis])
        if start in ends and stop in ends:
            return list(made.inputs[ends.index(start) : ends.index(stop)])
    end = None if stop == x.type.shape[axis] else stop
    return [site.one("slice", x, axis=axis, start=start, stop=end)]


def _with_every(site: AtenSite, x: Value, part: Value, axis: int) -> Value:
    """The same with every n-th element replaced, of an axis whose size is known."""
    size, step = x.type.shape[axis], site.integer("step")
    start, end = site.start(), site.end("end")
    if not isinstance(size, int) or not isinstance(start, int) or not isinstance(end, int | None):
        raise ImportRefused("is changed in every few elements of an axis whose size is not known")
    places = {at: number for number, at in enumerate(range(size)[start:end:step])}
    order = torch.tensor([size + places[at] if at in places else at for at in range(size)])
    both = site.one("concat", x, part, axis=axis)
    return site.one("index_select", both, site.scope.builder.put(formula_of(to_array(order)))[0], axis=axis)


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
    x, axes = site.tensor(), site.integers("dims")
    return site.one("flip", x, axis=axes) if axes and x.type.rank else x


@reads("pad", "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "replication_pad1d", "replication_pad2d", "replication_pad3d")
def pad(site: AtenSite) -> Value:
    names = {"pad": site.args.get("mode"), "constant_pad_nd": "constant"}
    mode = names.get(site.name) or ("reflect" if site.name.startswith("reflect") else "replicate")
    padding = site.sizes("pad" if "pad" in site.args else "padding")
    if all(amount == 0 for amount in padding):
        return site.tensor()
    value = site.args.get("value")
    zero = value is None or (value == 0 and copysign(1, value) == 1)
    arguments = {} if zero or mode != "constant" else {"value": site.number("value")}
    return site.one("pad", site.tensor(), padding=padding, mode=mode, **arguments)


@reads("unfold")
def sliding_window(site: AtenSite) -> Value:
    return site.one("sliding_window", site.tensor(), axis=site.integer("dimension"), size=site.integer("size"), step=site.integer("step"))


@reads("diagonal")
def diagonal(site: AtenSite) -> Value:
    return site.one("diagonal", site.tensor(), offset=site.integer("offset"), axis1=site.integer("dim1"), axis2=site.integer("dim2"))
