"""Operators that move elements: shapes, pieces, padding."""

from __future__ import annotations

from collections.abc import Sequence

from ....dims import Dim, SymDim
from ....ir.graph_values import Value
from ....ops.formula import BinaryFormula, CallFormula, Const, Formula, IndexFormula
from ....types.numpy_types import numpy_dtype
from ....types.tensor_types import BOOL
from ...graph_builder import ImportRefused
from ..emitter import ranged
from ..importer_site import Site, element_of
from ..importer_table import imports
from ..onnx_values import Filled, Item, Known

FAR = 2**31 - 1


@imports("Reshape", to="reshape, flatten, unflatten")
def reshape(site: Site) -> Value:
    x = site.x()
    wanted = site.dims_or(1, "shape", "the shape")
    if wanted is None:
        raise ImportRefused("it lacks a shape")
    zero = bool(site.attr("allowzero", 0))
    shape = [x.type.shape[n] if d == 0 and not zero and n < x.type.rank else d for n, d in enumerate(wanted)]
    return reshaped(site, x, shape)


def reshaped(site: Site, x: Value, shape: Sequence[Dim]) -> Value:
    """In the form that says most: axes that stay are left out."""
    before = x.type.shape
    if site.equal(before, shape):
        return x
    front = 0
    while front < min(len(before), len(shape)) and site.facts.are_equal(before[front], shape[front]) is True:
        front += 1
    back = 0
    while back < min(len(before), len(shape)) - front and site.facts.are_equal(before[-1 - back], shape[-1 - back]) is True:
        back += 1
    old, new = len(before) - front - back, len(shape) - front - back
    if new == 1 and old > 1:
        flat = site.one("flatten", x, start=front, end=front + old - 1)
        if shape[front] == -1 or site.facts.are_equal(flat.type.shape[front], shape[front]) is True:
            return flat
        site.emit.drop(flat)
    if (old, new) == (1, 1) and shape[front] == -1:
        return x
    if (old, new) == (0, 1) and shape[front] in (1, -1):
        return site.one("unsqueeze", x, axis=front)
    if (old, new) == (1, 0) and before[front] == 1:
        return site.one("squeeze", x, axis=front)
    if old == 1 and new > 1:
        return site.one("unflatten", x, axis=front, sizes=tuple(shape[front : front + new]))
    return site.one("reshape", x, shape=tuple(shape))


@imports("Flatten", to="flatten")
def flatten(site: Site) -> Value:
    x = site.x()
    rank = x.type.rank
    axis = int(site.attr("axis", 1))
    axis = axis + rank if axis < 0 else axis
    if axis == 1 and rank > 1:
        return x if rank == 2 else site.one("flatten", x)
    front: Dim = 1
    for d in x.type.shape[:axis]:
        front = front * d
    back: Dim = 1
    for d in x.type.shape[axis:]:
        back = back * d
    return reshaped(site, x, (front, back))


@imports("Transpose", to="permute, transpose")
def transpose(site: Site) -> Value:
    x = site.x()
    order = [site.axis(a, x.type.rank) for a in site.ints("perm", list(reversed(range(x.type.rank))))]
    if sorted(order) != list(range(x.type.rank)):
        raise ImportRefused("its `perm` is no order of the axes")
    return permuted(site, x, order)


def permuted(site: Site, x: Value, order: Sequence[int]) -> Value:
    moved = [axis for axis, old in enumerate(order) if axis != old]
    if not moved:
        return x
    if len(moved) == 2:
        return site.one("transpose", x, a=moved[0], b=moved[1])
    return site.one("permute", x, axes=tuple(order))


@imports("Squeeze", to="squeeze")
def squeeze(site: Site) -> Value:
    x = site.x()
    axes = site.axes(1, x.type.rank)
    if axes is None:
        axes = [axis for axis, d in enumerate(x.type.shape) if d == 1]
    if not axes:
        return x
    return site.one("squeeze", x, axis=axes[0] if len(axes) == 1 else tuple(axes))


@imports("Unsqueeze", to="unsqueeze")
def unsqueeze(site: Site) -> Value:
    x = site.x()
    axes = site.dims_or(1, "axes", "the list of axes") or ()
    rank = x.type.rank + len(axes)
    for axis in sorted(site.axis(int(a), rank) for a in axes if isinstance(a, int)):
        x = site.one("unsqueeze", x, axis=axis)
    return x


@imports("Expand", to="expand")
def expand(site: Site) -> Value:
    """A size of 1 in the shape leaves that of the tensor."""
    x = site.x()
    shape = list(site.dims(1, "the shape"))
    rank = max(len(shape), x.type.rank)
    own: list[Dim] = [*(1 for _ in range(rank - x.type.rank)), *x.type.shape]
    wanted: list[Dim] = [*(1 for _ in range(rank - len(shape))), *shape]
    sizes = [d if w == 1 else w for d, w in zip(own, wanted, strict=True)]
    return x if site.equal(sizes, x.type.shape) else site.one("expand", x, shape=tuple(sizes))


@imports("Tile", to="tile")
def tile(site: Site) -> Value:
    repeats = site.dims(1, "the number of repeats")
    return site.x() if all(r == 1 for r in repeats) else site.one("tile", site.x(), repeats=tuple(repeats))


@imports("Concat", to="concat")
def concat(site: Site) -> Value:
    axis = int(site.attr("axis", 1))
    values = [site.tensor(item) for item in site.inputs if not _is_empty(item, axis)]
    if len(values) == 1:
        return values[0]
    return site.one("concat", *values, axis=axis)


def _is_empty(item: Item, axis: int) -> bool:
    """Whether a tensor has no elements along an axis. No tensor of a netc graph is so, and exporters make them where no part is left over:
    a rotary embedding of all of a head joins its result with an empty rest."""
    shape = item.shape if isinstance(item, Filled) else item.array.shape if isinstance(item, Known) else ()
    return -len(shape) <= axis < len(shape) and shape[axis] == 0


def _make_empty(x: Value, axis: int) -> Filled:
    shape = list(x.type.shape)
    shape[axis] = 0
    return Filled(tuple(shape), numpy_dtype(x.type.dtype).type(0))


@imports("Split", to="chunk, split")
def split(site: Site) -> list[Item]:
    x = site.x()
    axis = site.axis(int(site.attr("axis", 0)), x.type.rank)
    count = len(site.used)
    sizes = site.dims_or(1, "split", "the list of sizes")
    size = x.type.shape[axis]
    if sizes is not None and len(sizes) != count:
        raise ImportRefused(f"it has {count} results and {len(sizes)} sizes")
    if count == 1:
        return [x]
    if sizes is None or (len({str(s) for s in sizes}) == 1 and site.facts.are_equal(sizes[0] * count, size) is True):
        return list(site.emit.apply("chunk", x, n=count, axis=axis))
    kept = tuple(s for s in sizes if s != 0)
    pieces = iter(
        [x] if len(kept) == 1 and site.facts.are_equal(kept[0], size) is True else site.emit.apply("split", x, sizes=kept, axis=axis)
    )
    return [_make_empty(x, axis) if s == 0 else next(pieces) for s in sizes]


@imports("Slice", to="slice, select, flip")
def slice_(site: Site) -> Item:
    x = site.x()
    starts = site.dims_or(1, "starts", "where it starts") or ()
    ends = site.dims_or(2, "ends", "where it ends") or ()
    axes = site.axes(3, x.type.rank, default=range(len(starts))) or []
    steps = site.dims_or(4, "steps", "the list of steps") or (1,) * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise ImportRefused("its lists have different lengths")
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        if not isinstance(step, int) or step == 0:
            raise ImportRefused("its step is not known, or 0")
        if step > 0 and _leaves_nothing(site, x.type.shape[axis], start, end):
            return _make_empty(x, axis)
        x = _sliced(site, x, axis, start, end, step)
    return x


def _leaves_nothing(site: Site, size: Dim, start: Dim, end: Dim) -> bool:
    if isinstance(size, int) and isinstance(start, int) and isinstance(end, int):
        return not range(*slice(start, end).indices(size))
    return not (isinstance(start, int) and start < 0) and site.facts.is_at_least(start, size) is True


def _sliced(site: Site, x: Value, axis: int, start: Dim, end: Dim, step: int) -> Value:
    size = x.type.shape[axis]
    if step < 0:
        return _backwards(site, x, axis, start, end, step)
    stop = None if _reaches(site, end, size) else end
    start = _bounded(start, size)
    stop = None if stop is None else _bounded(stop, size)
    if start == 0 and stop is None and step == 1:
        return x
    return site.one("slice", x, axis=axis, start=start, stop=stop, step=step)


def _bounded(at: Dim, size: Dim) -> Dim:
    """A position far in front of the beginning is the beginning."""
    if isinstance(at, int) and isinstance(size, int):
        return max(-size, min(at, size))
    return 0 if isinstance(at, int) and at <= -FAR else at


def _reaches(site: Site, end: Dim, size: Dim) -> bool:
    if isinstance(end, int) and end >= FAR:
        return True
    return not (isinstance(end, int) and end < 0) and site.facts.is_at_least(end, size) is True


def _backwards(site: Site, x: Value, axis: int, start: Dim, end: Dim, step: int) -> Value:
    """The axis turned round, then forwards."""
    size = x.type.shape[axis]
    flipped = site.one("flip", x, axis=axis)
    begin: Dim = 0
    if isinstance(start, int) and start < 0:
        begin = -1 - start
    elif site.facts.is_at_least(start, size - 1) is not True:
        begin = size - 1 - start
    if isinstance(end, int) and isinstance(size, int):
        stop: Dim = size if end < -size else size - 1 - end if end >= 0 else -1 - end
    elif isinstance(end, int) and end <= -FAR:
        stop = size
    else:
        stop = -1 - end if isinstance(end, int) and end < 0 else size - 1 - end
    return _sliced(site, flipped, axis, begin, stop, -step)


@imports("Pad", to="pad")
def pad(site: Site) -> Value:
    x = site.x()
    amounts = site.dims_or(1, "pads" if "pads" in site.attributes else "paddings", "the list of amounts")
    if amounts is None:
        raise ImportRefused("it lacks amounts")
    rank = x.type.rank
    axes = site.axes(3, rank, default=range(rank)) or []
    if len(amounts) != 2 * len(axes):
        raise ImportRefused("it has two amounts for each axis, before and after")
    both: dict[int, tuple[Dim, Dim]] = {axis: (amounts[n], amounts[n + len(axes)]) for n, axis in enumerate(axes)}
    mode = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}.get(site.attr("mode", "constant"))
    if mode is None:
        raise ImportRefused(f"has the mode {site.attr('mode')!r}, which is none of netc's")
    value = site.scalar(2) if site.has(2) else site.attr("value", 0.0)
    if value is None:
        raise ImportRefused("its value is computed, and must be known")
    return padded(site, x, both, mode, value)


def padded(site: Site, x: Value, both: dict[int, tuple[Dim, Dim]], mode: str = "constant", value: object = 0) -> Value:
    """Elements before and after each axis."""
    rank = x.type.rank
    wanted = {axis for axis, (before, after) in both.items() if not (before == 0 and after == 0)}
    if not wanted:
        return x
    first = min(wanted)
    if mode != "constant":  # PyTorch pads all axes but one or two then
        if first == 0:
            shifted = {axis + 1: amounts for axis, amounts in both.items()}
            return site.one("squeeze", padded(site, site.one("unsqueeze", x, axis=0), shifted, mode), axis=(0,))
        first = min(first, 2)
    listed: list[Dim] = []
    for axis in reversed(range(first, rank)):
        listed += both.get(axis, (0, 0))
    extra = {"value": value} if mode == "constant" and value != 0 else {}
    return site.one("pad", x, padding=tuple(listed), mode=mode, **extra)


@imports("DepthToSpace", to="pixel_shuffle, or reshape and permute")
def depth_to_space(site: Site) -> Value:
    x, block = site.x(), int(site.attr("blocksize", 1))
    if site.attr("mode", "DCR") == "CRD":
        return site.one("pixel_shuffle", x, r=block)
    n, c, h, w = x.type.shape
    apart = site.one("reshape", x, shape=(n, block, block, c // (block * block), h, w))
    return site.one("reshape", site.one("permute", apart, axes=(0, 3, 4, 1, 5, 2)), shape=(n, c // (block * block), h * block, w * block))


@imports("SpaceToDepth", to="reshape and permute")
def space_to_depth(site: Site) -> Value:
    x, block = site.x(), int(site.attr("blocksize", 1))
    if site.attr("mode", "DCR") == "CRD":
        return site.one("pixel_unshuffle", x, r=block)
    n, c, h, w = x.type.shape
    apart = site.one("reshape", x, shape=(n, c, h // block, block, w // block, block))
    return site.one("reshape", site.one("permute", apart, axes=(0, 3, 5, 1, 2, 4)), shape=(n, c * block * block, h // block, w // block))


@imports("Trilu", to="tril, triu")
def trilu(site: Site) -> Value:
    diagonal = site.dims(1, "the diagonal")[0] if site.has(1) else 0
    return site.one("triu" if site.attr("upper", 1) else "tril", site.x(), diagonal=diagonal)


@imports("ConstantOfShape", "Range", to="table")
def made(site: Site) -> Value:
    raise ImportRefused("its size depends on data")


@imports("EyeLike", to="table")
def eye_like(site: Site) -> Value:
    """Ones on a diagonal, in the shape of a tensor whose numbers do not count."""
    item = site.item(0)
    shape = item.shape if isinstance(item, Filled) else site.x().type.shape
    if len(shape) != 2:
        raise ImportRefused(f"is of a tensor of {len(shape)} axes, and a matrix is needed")
    code = site.attr("dtype")
    dtype = element_of(int(code)) if code is not None else site.x().type.dtype
    row = ranged(0, int(site.attr("k", 0)), 1)
    formula: Formula = BinaryFormula("==", IndexFormula(1), row)
    if dtype != BOOL:
        formula = CallFormula("where", (formula, Const(1), Const(0)))
    return site.emit.table(shape, formula, dtype)


@imports("CenterCropPad", to="slice, pad")
def center_crop_pad(site: Site) -> Value:
    x = site.x()
    sizes = site.dims(1, "the shape")
    axes = [site.axis(a, x.type.rank) for a in site.ints("axes", range(x.type.rank))]
    for axis, wanted in zip(axes, sizes, strict=True):
        size = x.type.shape[axis]
        if isinstance(size, SymDim) or isinstance(wanted, SymDim):
            raise ImportRefused("of a size that is not known has no counterpart")
        if wanted < size:
            first = (size - wanted) // 2
            x = site.one("slice", x, axis=axis, start=first, stop=first + wanted)
        elif wanted > size:
            first = (wanted - size) // 2
            x = padded(site, x, {axis: (first, wanted - size - first)})
    return x
